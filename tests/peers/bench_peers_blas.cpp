// SPDX-License-Identifier: Apache-2.0
// sgemm of OpenBLAS in blocks that stay in the cache, each scanned both ways: what a
// program without a fused kernel does at best. One BLAS thread per thread of ours.
#include "bench_peers.h"

#include <algorithm>
#include <cmath>
#include <cstdio>

#ifdef HAVE_OPENBLAS
#include <cblas.h>

#if defined(__x86_64__)
#include <immintrin.h>
#define TARGET __attribute__((target("avx512f")))
#define HAVE_FAST_SCAN (__builtin_cpu_supports("avx512f") != 0)
#else
#define HAVE_FAST_SCAN 0
#endif

namespace {
struct Block {
    size_t rows, cols;
};

// Raises row_max[r] and col_max[c] by the scores of a block.
void maxima_plain(const float *c, Block b, float *row_max, float *col_max)
{
    for (size_t r = 0; r < b.rows; r++) {
        const float *score = c + r * b.cols;
        for (size_t j = 0; j < b.cols; j++) {
            row_max[r] = std::max(row_max[r], score[j]);
            col_max[j] = std::max(col_max[j], score[j]);
        }
    }
}

#if defined(__x86_64__)
// Four rows at a time, so that a column's maximum is loaded once for them. Both sizes of
// the block are multiples of 16.
TARGET void maxima_fast(const float *c, Block b, float *row_max, float *col_max)
{
    for (size_t r = 0; r < b.rows; r += 4) {
        const float *s0 = c + r * b.cols;
        const float *s1 = s0 + b.cols, *s2 = s1 + b.cols, *s3 = s2 + b.cols;
        __m512 m0 = _mm512_set1_ps(-INFINITY), m1 = m0, m2 = m0, m3 = m0;
        for (size_t j = 0; j < b.cols; j += 16) {
            const __m512 v0 = _mm512_loadu_ps(s0 + j), v1 = _mm512_loadu_ps(s1 + j);
            const __m512 v2 = _mm512_loadu_ps(s2 + j), v3 = _mm512_loadu_ps(s3 + j);
            const __m512 high =
                _mm512_max_ps(_mm512_max_ps(v0, v1), _mm512_max_ps(v2, v3));
            m0 = _mm512_max_ps(v0, m0);
            m1 = _mm512_max_ps(v1, m1);
            m2 = _mm512_max_ps(v2, m2);
            m3 = _mm512_max_ps(v3, m3);
            _mm512_storeu_ps(col_max + j,
                             _mm512_max_ps(high, _mm512_loadu_ps(col_max + j)));
        }
        row_max[r] = _mm512_reduce_max_ps(m0);
        row_max[r + 1] = _mm512_reduce_max_ps(m1);
        row_max[r + 2] = _mm512_reduce_max_ps(m2);
        row_max[r + 3] = _mm512_reduce_max_ps(m3);
    }
}
#endif

struct Bests {
    std::vector<float> value;
    std::vector<uint32_t> index;
    explicit Bests(size_t n) : value(n, -INFINITY), index(n, IL_INDEX_NONE)
    {
    }
};

// Scans a block at (i, j), whose real part is real.rows x real.cols: the maxima first,
// and the place of one only where it beats what is known.
void scan(const float *c, Block b, Block real, size_t i, size_t j, Bests &row, Bests &col,
          std::vector<float> &row_max, std::vector<float> &col_max)
{
    std::fill(row_max.begin(), row_max.end(), -INFINITY);
    std::fill(col_max.begin(), col_max.end(), -INFINITY);
#if defined(__x86_64__)
    if (HAVE_FAST_SCAN && real.rows % 4 == 0 && real.cols == b.cols && b.cols % 16 == 0) {
        maxima_fast(c, {real.rows, b.cols}, row_max.data(), col_max.data());
    } else
#endif
    {
        for (size_t r = 0; r < real.rows; r++) {
            maxima_plain(c + r * b.cols, {1, real.cols}, &row_max[r], col_max.data());
        }
    }
    for (size_t r = 0; r < real.rows; r++) {
        if (row_max[r] > row.value[i + r]) {
            const float *score = c + r * b.cols;
            row.value[i + r] = row_max[r];
            row.index[i + r] = static_cast<uint32_t>(
                j + static_cast<size_t>(std::find(score, score + real.cols, row_max[r]) -
                                        score));
        }
    }
    for (size_t x = 0; x < real.cols; x++) {
        if (col_max[x] > col.value[j + x]) {
            size_t r = 0;
            while (c[r * b.cols + x] != col_max[x]) {
                r++;
            }
            col.value[j + x] = col_max[x];
            col.index[j + x] = static_cast<uint32_t>(i + r);
        }
    }
}

// Rows in range against all columns.
void match(const Problem &p, Range range, size_t columns, Block b, Bests &row, Bests &col)
{
    std::vector<float> c(b.rows * b.cols), row_max(b.rows), col_max(b.cols);
    for (size_t i = range.begin; i < range.end; i += b.rows) {
        for (size_t j = 0; j < columns; j += b.cols) {
            const Block real = {std::min(b.rows, range.end - i),
                                std::min(b.cols, columns - j)};
            cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans,
                        static_cast<int>(real.rows), static_cast<int>(real.cols),
                        static_cast<int>(p.k), 1.0f, p.x.data() + i * p.k,
                        static_cast<int>(p.k), p.y.data() + j * p.k,
                        static_cast<int>(p.k), 0.0f, c.data(), static_cast<int>(b.cols));
            scan(c.data(), b, real, i, j, row, col, row_max, col_max);
        }
    }
}

// The fastest of some blocks on the first 4096 rows.
Block choose(const Problem &p)
{
    const Block blocks[] = {{256, 512},  {512, 512},   {256, 1024}, {512, 1024},
                            {512, 2048}, {1024, 2048}, {2048, 4096}};
    const size_t some = std::min<size_t>(p.n, 4096);
    Block best = blocks[0];
    double best_time = INFINITY;
    for (int round = 0; round < 3; round++) {
        for (const Block &b : blocks) {
            Bests row(p.n), col(p.n);
            const double start = now(1);
            match(p, {0, some}, some, b, row, col);
            const double time = now(1) - start;
            if (time < best_time) {
                best_time = time;
                best = b;
            }
        }
    }
    return best;
}
} // namespace

void add_blas(Problem &p, Methods &out)
{
    openblas_set_num_threads(1);
    const Block b = choose(p);
    std::printf("OpenBLAS: %s, core %s, blocks of %zu x %zu\n", openblas_get_config(),
                openblas_get_corename(), b.rows, b.cols);
    out.push_back({"OpenBLAS sgemm + scan", true, [&p, b](int threads) {
                       Bests row(p.n);
                       std::vector<Bests> col(static_cast<size_t>(threads), Bests(p.n));
                       parallel(threads, [&](int t) {
                           match(p, share(p.n, 4, t, threads), p.n, b, row,
                                 col[static_cast<size_t>(t)]);
                       });
                       for (size_t j = 0; j < p.n; j++) {
                           p.row[j] = row.index[j];
                           p.col[j] = col[0].index[j];
                           for (size_t t = 1; t < col.size(); t++) {
                               if (col[t].value[j] > col[0].value[j]) {
                                   col[0].value[j] = col[t].value[j];
                                   p.col[j] = col[t].index[j];
                               }
                           }
                       }
                   }});
}
#else
void add_blas(Problem &, Methods &)
{
    std::printf("OpenBLAS: not built in (tools/setup.sh peers)\n");
}
#endif
