// SPDX-License-Identifier: Apache-2.0
// Our own kernels for bench_peers. Times include the packing of both sides and the merge
// of the threads' column lists.
#include "bench_peers.h"

#include <algorithm>
#include <cstdlib>
#include <new>

namespace {
// 64-byte aligned memory, not cleared.
class Memory {
  public:
    explicit Memory(size_t bytes) : data(std::aligned_alloc(64, (bytes + 63) / 64 * 64))
    {
        if (data == nullptr) {
            throw std::bad_alloc();
        }
    }
    ~Memory()
    {
        std::free(data);
    }
    Memory(const Memory &) = delete;
    Memory &operator=(const Memory &) = delete;
    template <class T> T *as()
    {
        return static_cast<T *>(data);
    }

  private:
    void *data;
};

// What all of our kernels need: packed sides.
struct Own {
    const struct il_simd &s;
    Problem &p;
    Memory a, b;
    std::vector<uint32_t> names; // match3 wants indexes for rows
    Own(Problem &problem, const struct il_simd &simd)
        : s(simd), p(problem), a((p.n + s.mr) * p.k * sizeof(float)),
          b((p.n + s.nr) * p.k * sizeof(float)), names(p.n)
    {
        for (size_t i = 0; i < p.n; i++) {
            names[i] = static_cast<uint32_t>(i);
        }
    }

    void pack(int threads)
    {
        parallel(threads, [&](int t) {
            const Range x = share(p.n, s.mr, t, threads);
            const Range y = share(p.n, s.nr, t, threads);
            s.pack_f32(p.x.data() + x.begin * p.k, x.end - x.begin, p.k, p.k, s.mr,
                       a.as<float>() + x.begin * p.k);
            s.pack_f32(p.y.data() + y.begin * p.k, y.end - y.begin, p.k, p.k, s.nr,
                       b.as<float>() + y.begin * p.k);
        });
    }
};

// Runs kernel(rows, row lists, column lists) on the rows of every thread and merges the
// column lists of the threads. An Entry holds value[] and index[], best first.
template <class Entry, class Kernel>
void fused(Own &o, int threads, const Entry &empty, size_t places, Kernel kernel)
{
    const size_t n = o.p.n;
    std::vector<Entry> row(n, empty);
    std::vector<std::vector<Entry>> col(static_cast<size_t>(threads), row);
    parallel(threads, [&](int t) {
        const Range r = share(n, o.s.mr, t, threads);
        kernel(r, row.data() + r.begin, col[static_cast<size_t>(t)].data());
    });
    for (size_t j = 0; j < n; j++) {
        Entry &best = col[0][j];
        for (size_t t = 1; t < col.size(); t++) {
            const Entry &other = col[t][j];
            for (size_t q = 0; q < places; q++) {
                il_topk_insert(best.value, best.index, places, other.value[q],
                               other.index[q]);
            }
        }
        o.p.row[j] = row[j].index[0];
        o.p.col[j] = best.index[0];
    }
}

void match1(Own &o, size_t top, int threads)
{
    il_top2 empty;
    il_topk_clear(empty.value, empty.index, 2);
    o.pack(threads);
    fused(o, threads, empty, top, [&](Range r, il_top2 *row, il_top2 *col) {
        Memory scratch(il_match1_scratch(top, o.p.k, r.end - r.begin, o.p.n));
        il_match1_block block = {};
        block.k = o.p.k;
        block.top = top;
        block.a = o.a.as<float>() + r.begin * o.p.k;
        block.a_rows = r.end - r.begin;
        block.b = o.b.as<float>();
        block.b_rows = o.p.n;
        block.a_index = o.names.data() + r.begin;
        block.row = row;
        block.col = col;
        block.scratch = scratch.as<void>();
        o.s.match1_f32(&block);
    });
}

il_match3_block match3_block(Own &o, Range r, il_top3 *row, il_top3 *col)
{
    il_match3_block block = {};
    block.k = o.p.k;
    block.a = o.a.as<float>() + r.begin * o.p.k;
    block.a_rows = r.end - r.begin;
    block.b = o.b.as<float>();
    block.b_rows = o.p.n;
    block.a_index = o.names.data() + r.begin;
    block.row = row;
    block.col = col;
    return block;
}

void match3(Own &o, int threads)
{
    il_top3 empty;
    il_top3_clear(&empty);
    o.pack(threads);
    fused(o, threads, empty, IL_TOP, [&](Range r, il_top3 *row, il_top3 *col) {
        const il_match3_block block = match3_block(o, r, row, col);
        o.s.match3_f32(&block);
    });
}

// One side in bytes; scale as abs_max / 127.
struct Bytes {
    Memory q;
    std::vector<float> error, offset;
    std::vector<int32_t> sum;
    il_i8_rows all = {};
    size_t row_bytes;
    Bytes(const Own &o, il_i8_side side, const std::vector<float> &x)
        : q((o.p.n + o.s.nr) * il_i8_quads(o.p.k, 0) * 4), error(o.p.n), offset(o.p.n),
          sum(o.p.n), row_bytes(il_i8_quads(o.p.k, 0) * 4)
    {
        all.side = side;
        all.scale = o.s.abs_max_f32(x.data(), x.size()) / 127.0f;
        all.usable = 1;
        all = part(0);
    }
    // The same from row `first` on.
    il_i8_rows part(size_t first)
    {
        il_i8_rows rows = all;
        rows.q = q.as<int8_t>() + first * row_bytes;
        rows.error = error.data() + first;
        rows.offset = offset.data() + first;
        rows.sum = sum.data() + first;
        return rows;
    }
    void quantise(const Own &o, const float *panels, size_t unit, int threads)
    {
        std::vector<il_i8_rows> done(static_cast<size_t>(threads));
        parallel(threads, [&](int t) {
            const Range r = share(o.p.n, unit, t, threads);
            il_i8_rows &mine = done[static_cast<size_t>(t)];
            mine = part(r.begin);
            o.s.quantise_i8(panels + r.begin * o.p.k, r.end - r.begin, o.p.k, &mine);
        });
        for (const il_i8_rows &one : done) {
            all.norm_max = std::max(all.norm_max, one.norm_max);
            all.error_max = std::max(all.error_max, one.error_max);
            all.offset_max = std::max(all.offset_max, one.offset_max);
            all.usable &= one.usable;
        }
    }
};

// As match3, behind the filter in bytes; quantising is part of the time. With scan, the
// lists begin with what nothing can reach: the pass over the bytes alone.
void match3_i8(Own &o, bool scan, int threads)
{
    il_top3 empty;
    il_top3_clear(&empty);
    for (float &value : empty.value) {
        value = scan ? 1e9f : value;
    }
    o.pack(threads);
    Bytes a(o, IL_I8_A, o.p.x), b(o, IL_I8_B, o.p.y);
    a.quantise(o, o.a.as<float>(), o.s.mr, threads);
    b.quantise(o, o.b.as<float>(), o.s.nr, threads);
    fused(o, threads, empty, IL_TOP, [&](Range r, il_top3 *row, il_top3 *col) {
        const il_i8_rows mine = a.part(r.begin);
        il_match_i8_block block = {};
        block.f32 = match3_block(o, r, row, col);
        block.a_rows = o.p.x.data() + r.begin * o.p.k;
        block.a_ld = o.p.k;
        block.a = &mine;
        block.b = &b.all;
        o.s.match3_i8(&block);
    });
}

// Ten best of a row, best of a column: arrays of their own, as topk_f32 wants them.
void topk(Own &o, size_t top, int threads)
{
    struct Best {
        float value[1];
        uint32_t index[1];
    };
    const size_t n = o.p.n;
    const Best empty = {{-__builtin_inff()}, {IL_INDEX_NONE}};
    std::vector<float> row_value(n * top, empty.value[0]);
    std::vector<uint32_t> row_index(n * top, IL_INDEX_NONE);
    o.pack(threads);
    fused(o, threads, empty, 1, [&](Range r, Best *row, Best *col) {
        const size_t rows = r.end - r.begin;
        Memory scratch(il_topk_scratch(top, o.p.k, rows, n));
        std::vector<float> col_value(n, empty.value[0]);
        std::vector<uint32_t> col_index(n, IL_INDEX_NONE);
        il_topk_block block = {};
        block.k = o.p.k;
        block.top = top;
        block.a = o.a.as<float>() + r.begin * o.p.k;
        block.a_rows = rows;
        block.b = o.b.as<float>();
        block.b_rows = n;
        block.a_index = o.names.data() + r.begin;
        block.row_value = row_value.data() + r.begin * top;
        block.row_index = row_index.data() + r.begin * top;
        block.col_value = col_value.data();
        block.col_index = col_index.data();
        block.scratch = scratch.as<void>();
        o.s.topk_f32(&block);
        for (size_t i = 0; i < rows; i++) {
            row[i] = {{block.row_value[i * top]}, {block.row_index[i * top]}};
        }
        for (size_t j = 0; j < n; j++) {
            col[j] = {{col_value[j]}, {col_index[j]}};
        }
    });
}
} // namespace

void add_own(Problem &p, const struct il_simd &simd, Methods &out)
{
    auto own = std::make_shared<Own>(p, simd);
    out.push_back({"match1, best", true, [own](int t) { match1(*own, 1, t); }});
    out.push_back({"match1, two best", true, [own](int t) { match1(*own, 2, t); }});
    out.push_back({"match3", true, [own](int t) { match3(*own, t); }});
    out.push_back({"topk 10 + column best", true, [own](int t) { topk(*own, 10, t); }});
    if (simd.match3_i8 != nullptr) {
        for (const bool scan : {false, true}) {
            Method m = {scan ? "scan of bytes, no lists" : "match3, bytes", !scan,
                        [own, scan](int t) { match3_i8(*own, scan, t); }};
            m.bytes = true;
            out.push_back(m);
        }
    }
}
