// SPDX-License-Identifier: Apache-2.0
// Threads, clock and fma peak for bench_peers.
#include "bench_peers.h"

#include <algorithm>
#include <chrono>
#include <ctime>
#include <thread>

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

// Ten chains, ten fma per pass: enough for a latency of 5 at two fma per cycle.
#define EACH(X) X(0) X(1) X(2) X(3) X(4) X(5) X(6) X(7) X(8) X(9)
#if defined(__x86_64__)
#include <immintrin.h>
#define ZERO_512(i) __m512 c##i = _mm512_setzero_ps();
#define STEP_512(i)                                                                      \
    c##i = _mm512_fmadd_ps(x, x, c##i);                                                  \
    __asm__ volatile("" : "+v"(c##i));
#define ZERO_256(i) __m256 c##i = _mm256_setzero_ps();
#define STEP_256(i)                                                                      \
    c##i = _mm256_fmadd_ps(x, x, c##i);                                                  \
    __asm__ volatile("" : "+x"(c##i));

__attribute__((target("avx512f"), noinline)) static double chains_512(long passes)
{
    const __m512 x = _mm512_set1_ps(0.5f);
    EACH(ZERO_512)
    for (long i = 0; i < passes; i++) {
        EACH(STEP_512)
    }
    return 2.0 * 10.0 * 16.0 * static_cast<double>(passes);
}

__attribute__((target("avx2,fma"), noinline)) static double chains_256(long passes)
{
    const __m256 x = _mm256_set1_ps(0.5f);
    EACH(ZERO_256)
    for (long i = 0; i < passes; i++) {
        EACH(STEP_256)
    }
    return 2.0 * 10.0 * 8.0 * static_cast<double>(passes);
}
#endif

double fma_peak(il_isa isa, int threads)
{
    const long passes = 5000000; // some 10 ms
    std::vector<double> done(static_cast<size_t>(threads), 0.0);
    const double start = now(threads);
    parallel(threads, [&](int t) {
#if defined(__x86_64__)
        double &mine = done[static_cast<size_t>(t)];
        if (isa == IL_ISA_AVX512) {
            mine = chains_512(passes);
        } else if (isa == IL_ISA_AVX2) {
            mine = chains_256(passes);
        }
#else
        (void)isa;
        (void)passes;
        (void)t;
#endif
    });
    const double time = now(threads) - start;
    double sum = 0.0;
    for (double d : done) {
        sum += d;
    }
    return sum / time / 1e9;
}
