/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Speed of match3 and gemm as a share of the fma peak, which is measured in the same
 * rounds by independent chains in registers. Processor time of the thread, so that other
 * load on the machine disturbs less; the median of the rounds and their spread.
 */
#define _POSIX_C_SOURCE 200809L
#include "runner.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { ROUNDS_MAX = 16 };

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* Ten chains, ten fma per pass: enough for a latency of 5 at two fma per cycle. */
#define CHAINS(reg, type, zero)                                                          \
    type c0 = zero, c1 = zero, c2 = zero, c3 = zero, c4 = zero, c5 = zero, c6 = zero,    \
         c7 = zero, c8 = zero, c9 = zero;                                                \
    for (long i = 0; i < passes; i++) {                                                  \
        __asm__ volatile(""                                                              \
                         : "+" reg(c0), "+" reg(c1), "+" reg(c2), "+" reg(c3),           \
                           "+" reg(c4), "+" reg(c5), "+" reg(c6), "+" reg(c7),           \
                           "+" reg(c8), "+" reg(c9));                                    \
        STEP(c0)                                                                         \
        STEP(c1) STEP(c2) STEP(c3) STEP(c4) STEP(c5) STEP(c6) STEP(c7) STEP(c8) STEP(c9) \
    }                                                                                    \
    __asm__ volatile(""                                                                  \
                     :                                                                   \
                     : reg(c0), reg(c1), reg(c2), reg(c3), reg(c4), reg(c5), reg(c6),    \
                       reg(c7), reg(c8), reg(c9));

#if defined(__x86_64__)
#include <immintrin.h>
#define STEP(c) c = _mm512_fmadd_ps(x, x, c);
__attribute__((target("avx512f"), noinline)) static void chains_avx512(long passes)
{
    const __m512 x = _mm512_set1_ps(0.5f);
    CHAINS("v", __m512, _mm512_setzero_ps())
}
#undef STEP
#define STEP(c) c = _mm256_fmadd_ps(x, x, c);
__attribute__((target("avx2,fma"), noinline)) static void chains_avx2(long passes)
{
    const __m256 x = _mm256_set1_ps(0.5f);
    CHAINS("x", __m256, _mm256_setzero_ps())
}
#undef STEP
#elif defined(__aarch64__)
#include <arm_neon.h>
#define STEP(c) c = vfmaq_f32(c, x, x);
__attribute__((noinline)) static void chains_neon(long passes)
{
    const float32x4_t x = vdupq_n_f32(0.5f);
    CHAINS("w", float32x4_t, vdupq_n_f32(0.0f))
}
#undef STEP
#endif

/* GFLOP/s of the machine with this instruction set; 0 = not known (ref). */
static double peak(enum il_isa isa)
{
    const long passes = 1000000;
    double lanes = 0.0;
    const double start = now();
    switch (isa) {
#if defined(__x86_64__)
    case IL_ISA_AVX512:
        chains_avx512(passes);
        lanes = 16.0;
        break;
    case IL_ISA_AVX2:
        chains_avx2(passes);
        lanes = 8.0;
        break;
#elif defined(__aarch64__)
    case IL_ISA_NEON:
        chains_neon(passes);
        lanes = 4.0;
        break;
#endif
    default:
        return 0.0;
    }
    return 2.0 * 10.0 * lanes * (double)passes / (now() - start) / 1e9;
}

struct data {
    size_t n, m, k;
    float *a, *b, *c;
    uint32_t *index;
    struct il_top3 *row, *col;
};

static void *take(size_t bytes)
{
    void *p = aligned_alloc(64, (bytes + 63) / 64 * 64);
    if (p == NULL) {
        perror("bench");
        exit(2);
    }
    return p;
}

static void fill_rows(float *x, size_t n, size_t k, const struct il_simd *s)
{
    for (size_t i = 0; i < n * k; i++) { /* a sum of uniforms, near enough to Gaussian */
        x[i] = 0.0f;
        for (int u = 0; u < 4; u++) {
            x[i] += (float)(il_kt_random() >> 8) / 16777216.0f - 0.5f;
        }
    }
    s->normalise_f32(x, n, k, k);
}

static void open_data(struct data *d, const struct il_simd *s, int gemm)
{
    float *x = take((d->n > d->m ? d->n : d->m) * d->k * sizeof(float));
    d->a = take((d->n + s->mr) * d->k * sizeof(float));
    d->b = take((d->m + s->nr) * d->k * sizeof(float));
    fill_rows(x, d->n, d->k, s);
    s->pack_f32(x, d->n, d->k, d->k, s->mr, d->a);
    fill_rows(x, d->m, d->k, s);
    s->pack_f32(x, d->m, d->k, d->k, s->nr, d->b);
    free(x);
    d->c = gemm ? take(d->n * d->m * sizeof(float)) : NULL;
    d->index = take(d->n * sizeof *d->index);
    d->row = take(d->n * sizeof *d->row);
    d->col = take(d->m * sizeof *d->col);
    for (size_t i = 0; i < d->n; i++) {
        d->index[i] = (uint32_t)i;
    }
}

static void close_data(struct data *d)
{
    free(d->a);
    free(d->b);
    free(d->c);
    free(d->index);
    free(d->row);
    free(d->col);
}

static double once(struct data *d, const struct il_simd *s, int gemm)
{
    for (size_t i = 0; i < d->n; i++) {
        il_top3_clear(d->row + i);
    }
    for (size_t j = 0; j < d->m; j++) {
        il_top3_clear(d->col + j);
    }
    const double start = now();
    if (gemm) {
        s->gemm_f32(d->n, d->m, d->k, d->a, d->b, d->c, d->m, 0);
    } else {
        const struct il_match3_block block = {d->k,     d->a, d->n,   d->b,  d->m,
                                              d->index, NULL, d->row, d->col};
        s->match3_f32(&block);
    }
    return 2.0 * (double)d->n * (double)d->m * (double)d->k / (now() - start) / 1e9;
}

static int compare(const void *x, const void *y)
{
    const double a = *(const double *)x;
    const double b = *(const double *)y;
    return (a > b) - (a < b);
}

static void bench(const struct il_simd *s, int gemm, size_t n, size_t m, size_t k,
                  int rounds)
{
    struct data d = {.n = n, .m = m, .k = k};
    double speed[ROUNDS_MAX];
    double top[ROUNDS_MAX];
    double share[ROUNDS_MAX];
    open_data(&d, s, gemm);
    (void)once(&d, s, gemm);
    for (int r = 0; r < rounds; r++) {
        const double before = peak(s->isa);
        speed[r] = once(&d, s, gemm);
        const double after = peak(s->isa);
        top[r] = before > after ? before : after;
        share[r] = top[r] > 0.0 ? 100.0 * speed[r] / top[r] : 0.0;
    }
    qsort(speed, (size_t)rounds, sizeof *speed, compare);
    qsort(top, (size_t)rounds, sizeof *top, compare);
    qsort(share, (size_t)rounds, sizeof *share, compare);
    printf("{\"kernel\": \"%s\", \"isa\": \"%s\", \"n\": %zu, \"m\": %zu, \"k\": %zu, "
           "\"gflops\": %.1f, \"min\": %.1f, \"max\": %.1f, \"peak\": %.1f, \"percent\": "
           "%.1f, "
           "\"percent_max\": %.1f}\n",
           gemm ? "gemm_f32" : "match3_f32", il_isa_name(s->isa), n, m, k,
           speed[rounds / 2], speed[0], speed[rounds - 1], top[rounds / 2],
           share[rounds / 2], share[rounds - 1]);
    fflush(stdout);
    close_data(&d);
}

double il_kt_bench_peak(enum il_isa isa)
{
    return peak(isa);
}

void il_kt_bench(int quick)
{
    static const size_t depths[] = {16, 64, 128, 256, 320};
    const int rounds = quick ? 3 : 7;
    for (int isa = IL_ISA_NEON; isa <= IL_ISA_AVX512; isa++) {
        struct il_simd s;
        il_simd_init(&s, (enum il_isa)isa);
        if ((int)s.isa != isa) {
            continue;
        }
        for (size_t i = 0; i < sizeof depths / sizeof *depths; i++) {
            bench(&s, 0, 4000, 4000, depths[i], rounds);
        }
        if (!quick) {
            bench(&s, 0, 20000, 20000, 64, 3);
        }
        for (size_t i = 0; i < sizeof depths / sizeof *depths; i++) {
            bench(&s, 1, 960, 1024, depths[i], rounds);
        }
        bench(&s, 1, 4000, 512, 768, rounds);
    }
    il_kt_bench_rows(quick);
}
