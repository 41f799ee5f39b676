/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Matcher in bytes for avx2 with AVX-VNNI; body in tmpl/match_i8.h. The bytes of b are
 * stored + 128, for vpdpbusd wants one side without sign. Only the tile needs more than
 * the flags of this folder; simd.c looks for AVX-VNNI before it offers match3_i8.
 */
#include "../internal.h"

#ifdef IL_SIMD_X86
#include "../tmpl/list_x86.h"
#include "tile.h"
#include "vec.h"

enum { IL_I8_BIAS = 128, EXACT = 4 };

#include "../tmpl/match_i8.h"

static inline __m256i load(const void *p)
{
    return _mm256_load_si256((const __m256i *)p);
}

/* sum += quads of b (no sign) times quads of a; see avx512/match_i8.c. */
#define I8_DPBUSD(sum, b, a)                                                             \
    __asm__("%{vex%} vpdpbusd %2, %1, %0" : "+x"(sum) : "x"(b), "x"(a))

/* A maximum equal to the threshold passes: threshold > maximum says that none does. */
#define I8_START(r)                                                                      \
    __m256i c##r##_0 = _mm256_add_epi32(start_0, _mm256_set1_epi32(row_start[r]));       \
    __m256i c##r##_1 = _mm256_add_epi32(start_1, _mm256_set1_epi32(row_start[r]));
#define I8_DOT(r)                                                                        \
    {                                                                                    \
        int32_t four;                                                                    \
        memcpy(&four, a + 4 * (r), sizeof four);                                         \
        const __m256i x = _mm256_set1_epi32(four);                                       \
        I8_DPBUSD(c##r##_0, b0, x);                                                      \
        I8_DPBUSD(c##r##_1, b1, x);                                                      \
    }
#define I8_STORE(r)                                                                      \
    _mm256_store_si256((__m256i *)(void *)(c + (r)*IL_NR), c##r##_0);                    \
    _mm256_store_si256((__m256i *)(void *)(c + (r)*IL_NR + 8), c##r##_1);
#define I8_ROW(r)                                                                        \
    low =                                                                                \
        _mm256_and_si256(low, _mm256_cmpgt_epi32(_mm256_set1_epi32(row_threshold[r]),    \
                                                 _mm256_max_epi32(c##r##_0, c##r##_1)));
#define I8_COLUMN(r)                                                                     \
    high_0 = _mm256_max_epi32(c##r##_0, high_0);                                         \
    high_1 = _mm256_max_epi32(c##r##_1, high_1);

__attribute__((noinline)) static int
tile_match_i8(size_t quads, const int8_t *a, const int8_t *b, const int32_t *row_start,
              const int32_t *row_threshold, const int32_t *col_start,
              const int32_t *col_threshold, int32_t *c)
{
    const __m256i start_0 = load(col_start), start_1 = load(col_start + 8);
    TILE_ROWS(I8_START)
    for (size_t q = 0; q < quads; q++) {
        const __m256i b0 = load(b), b1 = load(b + 32);
        TILE_ROWS(I8_DOT)
        a += 4 * IL_MR;
        b += 4 * IL_NR;
    }
    __m256i high_0 = c0_0, high_1 = c0_1;
    TILE_ROWS_AFTER_0(I8_COLUMN)
    __m256i low = _mm256_cmpgt_epi32(load(col_threshold), high_0);
    low = _mm256_and_si256(low, _mm256_cmpgt_epi32(load(col_threshold + 8), high_1));
    TILE_ROWS(I8_ROW)
    if (_mm256_movemask_epi8(low) == -1) {
        return 0;
    }
    TILE_ROWS(I8_STORE)
    return 1;
}

static uint32_t rows_that_pass(const int32_t *c, const int32_t *row_threshold,
                               const int32_t *col_threshold)
{
    uint32_t rows = 0;
    IL_UNROLL
    for (size_t r = 0; r < IL_MR; r++) {
        const __m256i row = _mm256_set1_epi32(row_threshold[r]);
        const __m256i least_0 = _mm256_min_epi32(row, load(col_threshold));
        const __m256i least_1 = _mm256_min_epi32(row, load(col_threshold + 8));
        const __m256i low =
            _mm256_and_si256(_mm256_cmpgt_epi32(least_0, load(c + r * IL_NR)),
                             _mm256_cmpgt_epi32(least_1, load(c + r * IL_NR + 8)));
        rows |= (uint32_t)(_mm256_movemask_epi8(low) != -1) << r;
    }
    return rows;
}

#define EXACT_ROWS(X) X(0) X(1) X(2) X(3)
#define EXACT_FMA(r)                                                                     \
    {                                                                                    \
        const __m256 v = _mm256_broadcast_ss(x##r + q);                                  \
        c##r##_0 = _mm256_fmadd_ps(v, b0, c##r##_0);                                     \
        c##r##_1 = _mm256_fmadd_ps(v, b1, c##r##_1);                                     \
    }

__attribute__((noinline)) static void tile_exact_4(size_t k, const float *const *x,
                                                   const float *b, float *c)
{
    const size_t ld = IL_NR;
    const float *x0 = x[0], *x1 = x[1], *x2 = x[2], *x3 = x[3];
    EXACT_ROWS(TILE_ZERO)
    for (size_t q = 0; q < k; q++) {
        const __m256 b0 = _mm256_load_ps(b), b1 = _mm256_load_ps(b + 8);
        EXACT_ROWS(EXACT_FMA)
        b += IL_NR;
    }
    EXACT_ROWS(TILE_STORE)
}

/* count is not looked at: fewer than EXACT rows take as long, by the latency of fma. */
static void exact_rows(size_t k, size_t count, const float *const *x, const float *b,
                       float *c)
{
    (void)count;
    tile_exact_4(k, x, b, c);
}
#else
typedef int il_not_empty; /* ISO C forbids an empty translation unit */
#endif
