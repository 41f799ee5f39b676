/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Shared by the parts of bench_peers, which times kernels beside other libraries. It
 * stands with the tests because it looks inside (simd/simd.h), which tools may not.
 */
#ifndef IL_BENCH_PEERS_H
#define IL_BENCH_PEERS_H

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

extern "C" {
#include "simd/simd.h"
}

/** Two sets of n unit rows of k floats, and what a method found in them. */
struct Problem {
    size_t n, k;
    std::vector<float> x, y;
    /* best partner of every row of x and of y, by the method that ran last */
    std::vector<uint32_t> row, col;
};

/** One way to find nearest neighbours: run(threads) fills row, and col when both_ways. */
struct Method {
    std::string name;
    bool both_ways;
    std::function<void(int)> run;
    bool bytes = false; // compared with the peak of products of bytes
};

using Methods = std::vector<Method>;

/* Each adds what it has; a library that is not built in adds nothing and says so. */
void add_own(Problem &p, const struct il_simd &simd, Methods &out);
void add_blas(Problem &p, Methods &out);
void add_faiss(Problem &p, Methods &out);
void add_hnsw(Problem &p, int threads, Methods &out);

/** Runs work(0) .. work(threads - 1) on as many threads and waits for all. */
void parallel(int threads, const std::function<void(int)> &work);

/** Rows [begin, end) of n for thread t, begin a multiple of unit. */
struct Range {
    size_t begin, end;
};
Range share(size_t n, size_t unit, int t, int threads);

/** Seconds of the monotonic clock, or, after use_processor_time, of processor time of the
    process per thread: what a busy machine allows to compare, roughly. */
double now(int threads);
void use_processor_time();

/** GFLOP/s of independent fma chains in registers, all threads together; of scalar
    multiplications and additions for ref. */
double fma_peak(il_isa isa, int threads);
/** The same of products of bytes added up in 32 bits, two operations each: Gop/s. */
double i8_peak(il_isa isa, int threads);

#endif
