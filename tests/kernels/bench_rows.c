/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Speed of the rows x anchors and one-bit kernels. Every round measures the peak (of fma,
 * or of what multiplies i8 on that instruction set), f32 storage and the others in turn;
 * shares and ratios are of the same round, and the median of the rounds is printed.
 */
#define _POSIX_C_SOURCE 200809L
#include "runner.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

enum { ROUNDS_MAX = 16 };

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* Ten chains of STEP, as in bench.c. */
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
#define STEP(c) c = _mm512_dpbusd_epi32(c, x, x);
__attribute__((target("avx512f,avx512vnni"), noinline)) static void
chains_vnni(long passes)
{
    const __m512i x = _mm512_set1_epi8(1);
    CHAINS("v", __m512i, _mm512_setzero_si512())
}
#undef STEP
/* The operand is hidden, or the product would leave the loop. */
#define STEP(c)                                                                          \
    __asm__ volatile("" : "+x"(x));                                                      \
    c = _mm256_add_epi32(c, _mm256_madd_epi16(x, x));
__attribute__((target("avx2"), noinline)) static void chains_madd(long passes)
{
    __m256i x = _mm256_set1_epi16(1);
    CHAINS("x", __m256i, _mm256_setzero_si256())
}
#undef STEP
#endif

/* Gop/s of i8 products (two operations each) on this machine; 0 = not measured. */
static double peak_i8(enum il_isa isa)
{
    const long passes = 500000;
#if defined(__x86_64__)
    const double start = now();
    if (isa == IL_ISA_AVX512 && __builtin_cpu_supports("avx512vnni")) {
        chains_vnni(passes);
        return 2.0 * 10.0 * 64.0 * (double)passes / (now() - start) / 1e9;
    }
    if (isa == IL_ISA_AVX2) {
        chains_madd(passes);
        return 2.0 * 10.0 * 16.0 * (double)passes / (now() - start) / 1e9;
    }
#endif
    (void)isa;
    return 0.0 * (double)passes;
}

/* What is timed, in this order within a round. */
enum what { F32, F16, I8, E4M3, I8I8, WHATS };
static const char *const names[WHATS] = {"rows_f32", "rows_f16", "rows_i8", "rows_e4m3",
                                         "rows_i8i8"};

struct data {
    size_t blocks, d, k;
    void *x, *anchors, *packed, *out;
    float *scale;
};

static void *take(size_t bytes)
{
    void *p = aligned_alloc(64, (bytes + 63) / 64 * 64);
    if (p == NULL) {
        perror("bench");
        exit(2);
    }
    memset(p, 0, bytes); /* pages that are there */
    return p;
}

/* The bytes of x serve every format: small floats, none of them denormal or NaN. */
static void open_data(struct data *v, const struct il_simd *s)
{
    const size_t values = v->blocks * v->d * IL_ROWS;
    const size_t panels =
        (v->k + IL_ROWS_ANCHORS - 1) / IL_ROWS_ANCHORS * IL_ROWS_ANCHORS;
    v->x = take(values * sizeof(float));
    v->anchors = take(panels * v->d * sizeof(float));
    v->packed = take(il_rows_i8_packed(v->k, v->d));
    v->out = take(v->blocks * v->k * IL_ROWS * sizeof(float));
    v->scale = take(v->blocks * IL_ROWS * sizeof(float));
    float *some = take(v->k * v->d * sizeof(float));
    for (size_t i = 0; i < values; i++) {
        const uint32_t bits = 0x3c303830u ^ (il_kt_random() & 0x83078307u);
        memcpy((char *)v->x + 4 * i, &bits, sizeof bits);
    }
    for (size_t i = 0; i < v->k * v->d; i++) {
        some[i] = (float)(il_kt_random() >> 8) / 16777216.0f - 0.5f;
    }
    for (size_t i = 0; i < v->blocks * IL_ROWS; i++) {
        v->scale[i] = 0.01f;
    }
    s->pack_f32(some, v->k, v->d, v->d, IL_ROWS_ANCHORS, v->anchors);
    s->rows_pack_i8((const int8_t *)some, v->k, v->d, v->d, v->packed);
    free(some);
}

static void close_data(struct data *v)
{
    free(v->x);
    free(v->anchors);
    free(v->packed);
    free(v->out);
    free(v->scale);
}

/* Gop/s. */
static double once(const struct data *v, const struct il_simd *s, enum what what)
{
    const double start = now();
    switch (what) {
    case F32:
        s->rows_f32(v->blocks, v->d, v->k, v->x, v->anchors, v->out);
        break;
    case F16:
        s->rows_f16(v->blocks, v->d, v->k, v->x, v->anchors, v->out);
        break;
    case I8:
        s->rows_i8(v->blocks, v->d, v->k, v->x, v->scale, v->anchors, v->out);
        break;
    case E4M3:
        s->rows_e4m3(v->blocks, v->d, v->k, v->x, v->anchors, v->out);
        break;
    default:
        s->rows_i8i8(v->blocks, v->d, v->k, v->x, v->packed, v->out);
        break;
    }
    return 2.0 * (double)(v->blocks * IL_ROWS) * (double)v->d * (double)v->k /
           (now() - start) / 1e9;
}

static int compare(const void *x, const void *y)
{
    const double a = *(const double *)x;
    const double b = *(const double *)y;
    return (a > b) - (a < b);
}

static double median(double *x, int rounds)
{
    qsort(x, (size_t)rounds, sizeof *x, compare);
    return x[rounds / 2];
}

static void bench_rows(const struct il_simd *s, size_t n, size_t d, size_t k, int rounds)
{
    struct data v = {.blocks = (n + IL_ROWS - 1) / IL_ROWS, .d = d, .k = k};
    double speed[WHATS][ROUNDS_MAX];
    double share[WHATS][ROUNDS_MAX];
    double ratio[WHATS][ROUNDS_MAX];
    open_data(&v, s);
    for (int r = -1; r < rounds; r++) { /* the first round warms up */
        const int at = r < 0 ? 0 : r;
        for (int w = 0; w < WHATS; w++) {
            const double before = w == I8I8 ? peak_i8(s->isa) : il_kt_bench_peak(s->isa);
            speed[w][at] = once(&v, s, (enum what)w);
            const double after = w == I8I8 ? peak_i8(s->isa) : il_kt_bench_peak(s->isa);
            const double top = before > after ? before : after;
            share[w][at] = top > 0.0 ? 100.0 * speed[w][at] / top : 0.0;
            ratio[w][at] = speed[w][at] / speed[F32][at];
        }
    }
    for (int w = 0; w < WHATS; w++) {
        const double percent = median(share[w], rounds);
        const double gops = median(speed[w], rounds);
        printf(
            "{\"kernel\": \"%s\", \"isa\": \"%s\", \"n\": %zu, \"d\": %zu, \"k\": %zu, "
            "\"gops\": %.1f, \"percent\": %.1f, \"percent_min\": %.1f, "
            "\"percent_max\": %.1f, \"to_f32\": %.2f}\n",
            names[w], il_isa_name(s->isa), n, d, k, gops, percent, share[w][0],
            share[w][rounds - 1], median(ratio[w], rounds));
    }
    fflush(stdout);
    close_data(&v);
}

/* Signatures of d bits: pairs per second of one against n, and of n against m. */
static void bench_bits(const struct il_simd *s, size_t n, size_t m, size_t d, int rounds)
{
    const size_t words = (d + 63) / 64;
    double row[ROUNDS_MAX];
    double block[ROUNDS_MAX];
    double sign[ROUNDS_MAX];
    uint64_t *a = take(n * words * sizeof *a);
    uint64_t *b = take(m * words * sizeof *b);
    uint16_t *out = take(n * m * sizeof *out);
    float *x = take(m * d * sizeof *x);
    for (size_t i = 0; i < m * d; i++) {
        x[i] = (float)(int32_t)il_kt_random();
    }
    s->sign_bits(x, m, d, d, b);
    s->sign_bits(x, m < n ? m : n, d, d, a);
    for (int r = -1; r < rounds; r++) {
        const int at = r < 0 ? 0 : r;
        double start = now();
        s->sign_bits(x, m, d, d, b);
        sign[at] = (double)m * (double)d * sizeof(float) / (now() - start) / 1e9;
        start = now();
        for (size_t i = 0; i < 16; i++) {
            s->hamming_row(a + i * words, b, m, words, (uint32_t *)out);
        }
        row[at] = 16.0 * (double)m / (now() - start) / 1e9;
        start = now();
        s->hamming_block(n, m, words, a, b, out, m);
        block[at] = (double)n * (double)m / (now() - start) / 1e9;
    }
    printf("{\"kernel\": \"bits\", \"isa\": \"%s\", \"n\": %zu, \"m\": %zu, \"d\": %zu, "
           "\"sign_gb_s\": %.2f, \"row_gpairs_s\": %.3f, \"block_gpairs_s\": %.3f, "
           "\"block_tbit_s\": %.3f}\n",
           il_isa_name(s->isa), n, m, d, median(sign, rounds), median(row, rounds),
           median(block, rounds), 2e-3 * 64.0 * (double)words * median(block, rounds));
    fflush(stdout);
    free(a);
    free(b);
    free(out);
    free(x);
}

void il_kt_bench_rows(int quick)
{
    static const size_t dims[] = {384, 768, 1536};
    for (int isa = IL_ISA_NEON; isa <= IL_ISA_AVX512; isa++) {
        struct il_simd s;
        il_simd_init(&s, (enum il_isa)isa);
        if ((int)s.isa != isa) {
            continue;
        }
        for (size_t i = 0; i < sizeof dims / sizeof *dims; i++) {
            bench_rows(&s, quick ? 6400 : 50000, dims[i], 64, quick ? 3 : 5);
            bench_rows(&s, quick ? 3200 : 50000, dims[i], 512, quick ? 3 : 5);
        }
        for (size_t i = 0; i < sizeof dims / sizeof *dims; i++) {
            bench_bits(&s, 4000, 4000, dims[i], quick ? 3 : 7);
        }
    }
}
