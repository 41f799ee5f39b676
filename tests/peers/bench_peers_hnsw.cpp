// SPDX-License-Identifier: Apache-2.0
// hnswlib for bench_peers: the usual approximate index, M = 16, one way. In a file of its
// own, for its speed hangs on the compiler's flags.
#include "bench_peers.h"

#include <cstdio>

#ifdef HAVE_HNSWLIB
#include <hnswlib/hnswlib.h>

namespace {
struct Graph {
    hnswlib::InnerProductSpace space;
    hnswlib::HierarchicalNSW<float> index;
    Graph(size_t n, size_t k) : space(k), index(&space, n, 16, 200)
    {
    }
};
} // namespace

void add_hnsw(Problem &p, int threads, Methods &out)
{
    auto graph = std::make_shared<Graph>(p.n, p.k);
    const double start = now(threads);
    const auto step = static_cast<size_t>(threads);
    parallel(threads, [&](int t) {
        for (size_t j = static_cast<size_t>(t); j < p.n; j += step) {
            graph->index.addPoint(p.y.data() + j * p.k, j);
        }
    });
    graph->index.setEf(64);
    std::printf(
        "hnswlib: built in %.2f s by %d threads (M 16, ef 200), ef 64 in search\n",
        now(threads) - start, threads);
    out.push_back({"hnswlib M=16, one way", false, [&p, graph](int count) {
                       parallel(count, [&](int t) {
                           const Range r = share(p.n, 1, t, count);
                           for (size_t i = r.begin; i < r.end; i++) {
                               const float *x = p.x.data() + i * p.k;
                               const auto best = graph->index.searchKnn(x, 1);
                               p.row[i] = static_cast<uint32_t>(best.top().second);
                           }
                       });
                   }});
}
#else
void add_hnsw(Problem &, int, Methods &)
{
    std::printf("hnswlib: not built in (tools/setup.sh peers)\n");
}
#endif
