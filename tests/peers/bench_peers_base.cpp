// SPDX-License-Identifier: Apache-2.0
// Threads, clock and multiply-add peaks for bench_peers.
#include "bench_peers.h"

#include <algorithm>
#include <chrono>
#include <ctime>
#include <numeric>
#include <thread>

extern "C" {
#include "src/link/bench_peak.h"
}

static bool processor_time;

void use_processor_time()
{
    processor_time = true;
}

double now(int threads)
{
    if (processor_time) {
        timespec t;
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
        const double all =
            static_cast<double>(t.tv_sec) + 1e-9 * static_cast<double>(t.tv_nsec);
        return all / threads;
    }
    using Clock = std::chrono::steady_clock;
    return std::chrono::duration<double>(Clock::now().time_since_epoch()).count();
}

void parallel(int threads, const std::function<void(int)> &work)
{
    std::vector<std::thread> others;
    for (int t = 1; t < threads; t++) {
        others.emplace_back(work, t);
    }
    work(0);
    for (std::thread &t : others) {
        t.join();
    }
}

Range share(size_t n, size_t unit, int t, int threads)
{
    const size_t units = (n + unit - 1) / unit;
    const auto at = static_cast<size_t>(t);
    const auto of = static_cast<size_t>(threads);
    return {std::min(n, units * at / of * unit),
            std::min(n, units * (at + 1) / of * unit)};
}

// Some 10 ms of a peak on each thread, in 1e9 operations a second of all.
static double peak(double (*run)(il_isa isa, long passes), il_isa isa, int threads)
{
    const long passes = 5000000;
    std::vector<double> done(static_cast<size_t>(threads), 0.0);
    const double start = now(threads);
    parallel(threads, [&](int t) { done[static_cast<size_t>(t)] = run(isa, passes); });
    const double time = now(threads) - start;
    return std::accumulate(done.begin(), done.end(), 0.0) / time / 1e9;
}

double fma_peak(il_isa isa, int threads)
{
    return peak(il_peak_run, isa, threads);
}

double i8_peak(il_isa isa, int threads)
{
    return peak(il_peak_run_i8, isa, threads);
}
