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

// What all of our kernels need: packed sides, and lists per thread.
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

struct Lists { // of topk
    std::vector<float> value;
    std::vector<uint32_t> index;
    explicit Lists(size_t n) : value(n, -__builtin_inff()), index(n, IL_INDEX_NONE)
    {
    }
};

void match1(Own &o, size_t top, int threads)
{
    const size_t n = o.p.n;
    il_top2 empty;
    il_topk_clear(empty.value, empty.index, 2);
    std::vector<il_top2> row(n, empty);
    std::vector<std::vector<il_top2>> col(static_cast<size_t>(threads), row);
    o.pack(threads);
    parallel(threads, [&](int t) {
        const Range r = share(n, o.s.mr, t, threads);
        Memory scratch(il_match1_scratch(top, o.p.k, r.end - r.begin, n));
        il_match1_block block = {};
        block.k = o.p.k;
        block.top = top;
        block.a = o.a.as<float>() + r.begin * o.p.k;
        block.a_rows = r.end - r.begin;
        block.b = o.b.as<float>();
        block.b_rows = n;
        block.a_index = o.names.data() + r.begin;
        block.row = row.data() + r.begin;
        block.col = col[static_cast<size_t>(t)].data();
        block.scratch = scratch.as<void>();
        o.s.match1_f32(&block);
    });
    for (size_t j = 0; j < n; j++) {
        for (size_t t = 1; t < col.size(); t++) {
            for (size_t q = 0; q < top; q++) {
                il_topk_insert(col[0][j].value, col[0][j].index, top, col[t][j].value[q],
                               col[t][j].index[q]);
            }
        }
        o.p.row[j] = row[j].index[0];
        o.p.col[j] = col[0][j].index[0];
    }
}

void match3(Own &o, int threads)
{
    const size_t n = o.p.n;
    il_top3 empty;
    il_top3_clear(&empty);
    std::vector<il_top3> row(n, empty);
    std::vector<std::vector<il_top3>> col(static_cast<size_t>(threads), row);
    o.pack(threads);
    parallel(threads, [&](int t) {
        const Range r = share(n, o.s.mr, t, threads);
        il_match3_block block = {};
        block.k = o.p.k;
        block.a = o.a.as<float>() + r.begin * o.p.k;
        block.a_rows = r.end - r.begin;
        block.b = o.b.as<float>();
        block.b_rows = n;
        block.a_index = o.names.data() + r.begin;
        block.row = row.data() + r.begin;
        block.col = col[static_cast<size_t>(t)].data();
        o.s.match3_f32(&block);
    });
    for (size_t j = 0; j < n; j++) {
        for (size_t t = 1; t < col.size(); t++) {
            for (size_t q = 0; q < IL_TOP; q++) {
                il_top3_insert(&col[0][j], col[t][j].value[q], col[t][j].index[q]);
            }
        }
        o.p.row[j] = row[j].index[0];
        o.p.col[j] = col[0][j].index[0];
    }
}

void topk(Own &o, size_t top, int threads)
{
    const size_t n = o.p.n;
    Lists row(n * top);
    std::vector<Lists> col(static_cast<size_t>(threads), Lists(n));
    o.pack(threads);
    parallel(threads, [&](int t) {
        const Range r = share(n, o.s.mr, t, threads);
        Memory scratch(il_topk_scratch(top, o.p.k, r.end - r.begin, n));
        il_topk_block block = {};
        block.k = o.p.k;
        block.top = top;
        block.a = o.a.as<float>() + r.begin * o.p.k;
        block.a_rows = r.end - r.begin;
        block.b = o.b.as<float>();
        block.b_rows = n;
        block.a_index = o.names.data() + r.begin;
        block.row_value = row.value.data() + r.begin * top;
        block.row_index = row.index.data() + r.begin * top;
        block.col_value = col[static_cast<size_t>(t)].value.data();
        block.col_index = col[static_cast<size_t>(t)].index.data();
        block.scratch = scratch.as<void>();
        o.s.topk_f32(&block);
    });
    for (size_t j = 0; j < n; j++) {
        for (size_t t = 1; t < col.size(); t++) {
            il_topk_insert(&col[0].value[j], &col[0].index[j], 1, col[t].value[j],
                           col[t].index[j]);
        }
        o.p.row[j] = row.index[j * top];
        o.p.col[j] = col[0].index[j];
    }
}
} // namespace

void add_own(Problem &p, const struct il_simd &simd, Methods &out)
{
    auto own = std::make_shared<Own>(p, simd);
    out.push_back({"match1, best", true, [own](int t) { match1(*own, 1, t); }});
    out.push_back({"match1, two best", true, [own](int t) { match1(*own, 2, t); }});
    out.push_back({"match3", true, [own](int t) { match3(*own, t); }});
    out.push_back({"topk 10 + column best", true, [own](int t) { topk(*own, 10, t); }});
}
