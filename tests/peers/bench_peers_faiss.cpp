// SPDX-License-Identifier: Apache-2.0
// FAISS's exact indexes for bench_peers, k = 1, both ways: queries split over our
// threads, each with one OpenMP and one BLAS thread, which is FAISS's fastest form.
#include "bench_peers.h"

#include <cstdio>

#ifdef HAVE_FAISS
#include <faiss/IndexFlat.h>
#include <omp.h>

namespace {
using Label = decltype(faiss::Index::ntotal); // its name has moved between versions

void search(const faiss::Index &index, const std::vector<float> &x, size_t n, size_t k,
            int threads, std::vector<uint32_t> &best)
{
    parallel(threads, [&](int t) {
        omp_set_num_threads(1);
        const Range r = share(n, 1, t, threads);
        std::vector<float> distance(r.end - r.begin);
        std::vector<Label> label(r.end - r.begin);
        index.search(static_cast<Label>(r.end - r.begin), x.data() + r.begin * k, 1,
                     distance.data(), label.data());
        for (size_t i = r.begin; i < r.end; i++) {
            best[i] = static_cast<uint32_t>(label[i - r.begin]);
        }
    });
}

template <class Index> void add(Problem &p, const char *name, Methods &out)
{
    const auto k = static_cast<Label>(p.k);
    const auto n = static_cast<Label>(p.n);
    auto of_x = std::make_shared<Index>(k);
    auto of_y = std::make_shared<Index>(k);
    of_x->add(n, p.x.data());
    of_y->add(n, p.y.data());
    out.push_back({name, true, [&p, of_x, of_y](int threads) {
                       search(*of_y, p.x, p.n, p.k, threads, p.row);
                       search(*of_x, p.y, p.n, p.k, threads, p.col);
                   }});
}
} // namespace

void add_faiss(Problem &p, Methods &out)
{
    std::printf("FAISS %d.%d.%d\n", FAISS_VERSION_MAJOR, FAISS_VERSION_MINOR,
                FAISS_VERSION_PATCH);
    add<faiss::IndexFlatIP>(p, "FAISS FlatIP, 2 searches", out);
    add<faiss::IndexFlatL2>(p, "FAISS FlatL2, 2 searches", out);
}
#else
void add_faiss(Problem &, Methods &)
{
    std::printf("FAISS: not built in (tools/setup.sh peers)\n");
}
#endif
