/* SPDX-License-Identifier: Apache-2.0 */
/* Speed of the rows x anchors and one-bit kernels. */
#include "bench_common.h"

#include <stdlib.h>
#include <string.h>

struct data {
    const struct il_simd *s;
    size_t blocks, d, k;
    void *x, *anchors, *packed, *out;
    float *scale;
};

/* The bytes of x serve every format: small floats, none of them denormal or NaN. */
static void open_data(struct data *v)
{
    const struct il_simd *s = v->s;
    const size_t values = v->blocks * v->d * IL_ROWS;
    const size_t panels =
        (v->k + IL_ROWS_ANCHORS - 1) / IL_ROWS_ANCHORS * IL_ROWS_ANCHORS;
    v->x = il_kt_take(values * sizeof(float));
    v->anchors = il_kt_take(panels * v->d * sizeof(float));
    v->packed = il_kt_take(il_rows_i8_packed(v->k, v->d));
    v->out = il_kt_take(v->blocks * v->k * IL_ROWS * sizeof(float));
    v->scale = il_kt_take(v->blocks * IL_ROWS * sizeof(float));
    float *some = il_kt_take(v->k * v->d * sizeof(float));
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

static void run_f32(void *data)
{
    struct data *v = data;
    v->s->rows_f32(v->blocks, v->d, v->k, v->x, v->anchors, v->out);
}

static void run_f16(void *data)
{
    struct data *v = data;
    v->s->rows_f16(v->blocks, v->d, v->k, v->x, v->anchors, v->out);
}

static void run_e4m3(void *data)
{
    struct data *v = data;
    v->s->rows_e4m3(v->blocks, v->d, v->k, v->x, v->anchors, v->out);
}

static void run_i8(void *data)
{
    struct data *v = data;
    v->s->rows_i8(v->blocks, v->d, v->k, v->x, v->scale, v->anchors, v->out);
}

static void run_i8i8(void *data)
{
    struct data *v = data;
    v->s->rows_i8i8(v->blocks, v->d, v->k, v->x, v->packed, v->out);
}

static void bench_rows(const struct il_kt_bencher *b, const struct il_simd *s, size_t n,
                       size_t d, size_t k)
{
    struct data v = {.s = s, .blocks = (n + IL_ROWS - 1) / IL_ROWS, .d = d, .k = k};
    struct il_kt_group g = {
        .simd = s, .n = v.blocks * IL_ROWS, .m = k, .k = d, .rounds = 5, .data = &v};
    const double work = 2.0 * (double)g.n * (double)d * (double)k;
    const struct il_kt_case cases[] = {
        {"rows_f32", NULL, run_f32, work, "flop", IL_KT_F32},
        {"rows_f16", NULL, run_f16, work, "flop", IL_KT_F32},
        {"rows_i8", NULL, run_i8, work, "flop", IL_KT_F32},
        {"rows_e4m3", NULL, run_e4m3, work, "flop", IL_KT_F32},
        {"rows_i8i8", NULL, run_i8i8, work, "op", IL_KT_I8},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        il_kt_add(b, &g, cases[i]);
    }
    if (g.count == 0) {
        return;
    }
    open_data(&v);
    il_kt_run(b, &g);
    close_data(&v);
}

/* ------------------------------------------------------------------------------ one bit
 */

enum { SINGLE = 16 }; /* rows that hamming_row takes one by one */

struct bits {
    const struct il_simd *s;
    size_t n, m, d, words;
    uint64_t *a, *b;
    uint16_t *out;
    float *x;
};

static void run_sign(void *data)
{
    struct bits *v = data;
    v->s->sign_bits(v->x, v->m, v->d, v->d, v->b);
}

static void run_row(void *data)
{
    struct bits *v = data;
    for (size_t i = 0; i < SINGLE; i++) {
        v->s->hamming_row(v->a + i * v->words, v->b, v->m, v->words, (uint32_t *)v->out);
    }
}

static void run_block(void *data)
{
    struct bits *v = data;
    v->s->hamming_block(v->n, v->m, v->words, v->a, v->b, v->out, v->m);
}

/* Signatures of d bits of m rows against n. */
static void bench_bits(const struct il_kt_bencher *b, const struct il_simd *s, size_t n,
                       size_t m, size_t d)
{
    struct bits v = {.s = s, .n = n, .m = m, .d = d, .words = (d + 63) / 64};
    struct il_kt_group g = {.simd = s, .n = n, .m = m, .k = d, .rounds = 5, .data = &v};
    const double rows = (double)m, bytes = rows * (double)d * sizeof(float);
    const struct il_kt_case cases[] = {
        {"sign_bits", NULL, run_sign, bytes, "byte", IL_KT_NO_LIMIT},
        {"hamming_row", NULL, run_row, SINGLE * rows, "pair", IL_KT_NO_LIMIT},
        {"hamming_block", NULL, run_block, (double)n * rows, "pair", IL_KT_NO_LIMIT},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        il_kt_add(b, &g, cases[i]);
    }
    if (g.count == 0) {
        return;
    }
    v.a = il_kt_take(n * v.words * sizeof *v.a);
    v.b = il_kt_take(m * v.words * sizeof *v.b);
    v.out = il_kt_take(n * m * sizeof *v.out);
    v.x = il_kt_take(m * d * sizeof *v.x);
    for (size_t i = 0; i < m * d; i++) {
        v.x[i] = (float)(int32_t)il_kt_random();
    }
    s->sign_bits(v.x, m, d, d, v.b);
    s->sign_bits(v.x, m < n ? m : n, d, d, v.a);
    il_kt_run(b, &g);
    free(v.a);
    free(v.b);
    free(v.out);
    free(v.x);
}

void il_kt_bench_rows(const struct il_kt_bencher *bencher, const struct il_simd *simd)
{
    static const size_t dims[] = {384, 768, 1536};
    const int quick = bencher->options->quick;
    for (size_t i = 0; i < sizeof dims / sizeof *dims; i++) {
        bench_rows(bencher, simd, quick ? 6400 : 50000, dims[i], 64);
        bench_rows(bencher, simd, quick ? 3200 : 50000, dims[i], 512);
    }
    for (size_t i = 0; i < sizeof dims / sizeof *dims; i++) {
        bench_bits(bencher, simd, 4000, 4000, dims[i]);
    }
}
