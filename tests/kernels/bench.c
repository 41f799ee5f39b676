/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Speed of the matchers and of gemm. "match3_i8 scan" is the pass in bytes alone: the
 * lists hold entries that no score reaches, so nothing is computed in f32.
 */
#include "bench_common.h"

#include <stdlib.h>

enum { PLACES = 10 };

struct data {
    const struct il_simd *s;
    size_t n, m, k;
    float *x, *a, *b, *c; /* x: the rows of a before packing, then of b */
    uint32_t *index;
    struct il_top3 *row3, *col3;
    struct il_top2 *row2, *col2;
    float *value; /* n lists of PLACES, then the columns */
    uint32_t *place;
    void *scratch;
    struct il_i8_rows i8_a, i8_b;
};

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

static void open_rows(struct data *d)
{
    const struct il_simd *s = d->s;
    d->x = il_kt_take((d->n > d->m ? d->n : d->m) * d->k * sizeof(float));
    d->a = il_kt_take((d->n + s->mr) * d->k * sizeof(float));
    d->b = il_kt_take((d->m + s->nr) * d->k * sizeof(float));
    fill_rows(d->x, d->m, d->k, s);
    s->pack_f32(d->x, d->m, d->k, d->k, s->nr, d->b);
    fill_rows(d->x, d->n, d->k, s);
    s->pack_f32(d->x, d->n, d->k, d->k, s->mr, d->a);
}

static void open_i8(struct data *d, struct il_i8_rows *rows, enum il_i8_side side,
                    const float *panels, size_t n)
{
    const size_t padded = n + (side == IL_I8_A ? d->s->mr : d->s->nr);
    *rows = (struct il_i8_rows){.side = side, .usable = 1};
    rows->q = il_kt_take(padded * il_i8_quads(d->k, 0) * 4);
    rows->error = il_kt_take(padded * sizeof *rows->error);
    rows->offset = il_kt_take(padded * sizeof *rows->offset);
    rows->sum = il_kt_take(padded * sizeof *rows->sum);
    rows->scale = d->s->abs_max_f32(panels, n * d->k) / 127.0f;
    d->s->quantise_i8(panels, n, d->k, rows);
}

static void close_i8(struct il_i8_rows *rows)
{
    free(rows->q);
    free(rows->error);
    free(rows->offset);
    free(rows->sum);
}

static void open_lists(struct data *d)
{
    const size_t match = il_match1_scratch(2, d->k, d->n, d->m);
    const size_t topk = il_topk_scratch(PLACES, d->k, d->n, d->m);
    d->index = il_kt_take(d->n * sizeof *d->index);
    d->row3 = il_kt_take(d->n * sizeof *d->row3);
    d->col3 = il_kt_take(d->m * sizeof *d->col3);
    d->row2 = il_kt_take(d->n * sizeof *d->row2);
    d->col2 = il_kt_take(d->m * sizeof *d->col2);
    d->value = il_kt_take((d->n * PLACES + d->m) * sizeof *d->value);
    d->place = il_kt_take((d->n * PLACES + d->m) * sizeof *d->place);
    d->scratch = il_kt_take(match > topk ? match : topk);
    for (size_t i = 0; i < d->n; i++) {
        d->index[i] = (uint32_t)i;
    }
}

static void close_data(struct data *d)
{
    void *blocks[] = {d->x,    d->a,    d->b,    d->c,     d->index, d->row3,
                      d->col3, d->row2, d->col2, d->value, d->place, d->scratch};
    for (size_t i = 0; i < sizeof blocks / sizeof *blocks; i++) {
        free(blocks[i]);
    }
    close_i8(&d->i8_a);
    close_i8(&d->i8_b);
}

/* ----------------------------------------------------------------- matchers and gemm */

static void clear3(void *data)
{
    struct data *d = data;
    for (size_t i = 0; i < d->n; i++) {
        il_top3_clear(d->row3 + i);
    }
    for (size_t j = 0; j < d->m; j++) {
        il_top3_clear(d->col3 + j);
    }
}

/* Lists of entries beyond every score of unit rows. */
static void close3(void *data)
{
    struct data *d = data;
    const struct il_top3 full = {{1e30f, 1e30f, 1e30f}, {0, 1, 2}};
    for (size_t i = 0; i < d->n; i++) {
        d->row3[i] = full;
    }
    for (size_t j = 0; j < d->m; j++) {
        d->col3[j] = full;
    }
}

static void clear2(void *data)
{
    struct data *d = data;
    for (size_t i = 0; i < d->n; i++) {
        il_topk_clear(d->row2[i].value, d->row2[i].index, 2);
    }
    for (size_t j = 0; j < d->m; j++) {
        il_topk_clear(d->col2[j].value, d->col2[j].index, 2);
    }
}

static void clear_places(void *data)
{
    struct data *d = data;
    il_topk_clear(d->value, d->place, d->n * PLACES + d->m);
}

static struct il_match3_block block3(const struct data *d)
{
    return (struct il_match3_block){d->k,     d->a, d->n,    d->b,   d->m,
                                    d->index, NULL, d->row3, d->col3};
}

static void run_match3(void *data)
{
    struct data *d = data;
    const struct il_match3_block block = block3(d);
    d->s->match3_f32(&block);
}

static void run_match3_i8(void *data)
{
    struct data *d = data;
    const struct il_match_i8_block block = {block3(d), d->x, d->k, &d->i8_a, &d->i8_b};
    d->s->match3_i8(&block);
}

static void match1(struct data *d, size_t top)
{
    const struct il_match1_block block = {
        .k = d->k,
        .top = top,
        .a = d->a,
        .a_rows = d->n,
        .b = d->b,
        .b_rows = d->m,
        .row = d->row2,
        .col = d->col2,
        .scratch = d->scratch,
    };
    d->s->match1_f32(&block);
}

static void run_match1_1(void *data)
{
    match1(data, 1);
}

static void run_match1_2(void *data)
{
    match1(data, 2);
}

static void run_topk(void *data)
{
    struct data *d = data;
    const size_t columns = d->n * PLACES; /* the columns lie behind the rows */
    const struct il_topk_block block = {
        .k = d->k,
        .top = PLACES,
        .a = d->a,
        .a_rows = d->n,
        .b = d->b,
        .b_rows = d->m,
        .row_value = d->value,
        .row_index = d->place,
        .col_value = d->value + columns,
        .col_index = d->place + columns,
        .scratch = d->scratch,
    };
    d->s->topk_f32(&block);
}

static void run_gemm(void *data)
{
    struct data *d = data;
    d->s->gemm_f32(d->n, d->m, d->k, d->a, d->b, d->c, d->m, 0);
}

/* ----------------------------------------------------------------------------- problems
 */

static void bench_match(const struct il_kt_bencher *b, const struct il_simd *s, size_t n,
                        size_t k, int rounds)
{
    struct data d = {.s = s, .n = n, .m = n, .k = k};
    struct il_kt_group g = {
        .simd = s, .n = n, .m = n, .k = k, .rounds = rounds, .data = &d};
    const double work = 2.0 * (double)n * (double)n * (double)k;
    const struct il_kt_case cases[] = {
        {"match3_f32", clear3, run_match3, work, "flop", IL_KT_F32},
        {"match1_f32, 1 best", clear2, run_match1_1, work, "flop", IL_KT_F32},
        {"match1_f32, 2 best", clear2, run_match1_2, work, "flop", IL_KT_F32},
        {"topk_f32, 10 best", clear_places, run_topk, work, "flop", IL_KT_F32},
        {"match3_i8", clear3, run_match3_i8, work, "op", IL_KT_I8},
        {"match3_i8 scan", close3, run_match3_i8, work, "op", IL_KT_I8},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        if (cases[i].run != run_match3_i8 || s->match3_i8 != NULL) {
            il_kt_add(b, &g, cases[i]);
        }
    }
    if (g.count == 0) {
        return;
    }
    open_rows(&d);
    open_lists(&d);
    open_i8(&d, &d.i8_a, IL_I8_A, d.a, n);
    open_i8(&d, &d.i8_b, IL_I8_B, d.b, n);
    il_kt_run(b, &g);
    close_data(&d);
}

static void bench_gemm(const struct il_kt_bencher *b, const struct il_simd *s, size_t n,
                       size_t m, size_t k, int rounds)
{
    struct data d = {.s = s, .n = n, .m = m, .k = k};
    struct il_kt_group g = {
        .simd = s, .n = n, .m = m, .k = k, .rounds = rounds, .data = &d};
    const double work = 2.0 * (double)n * (double)m * (double)k;
    il_kt_add(b, &g,
              (struct il_kt_case){"gemm_f32", NULL, run_gemm, work, "flop", IL_KT_F32});
    if (g.count == 0) {
        return;
    }
    open_rows(&d);
    d.c = il_kt_take(n * m * sizeof *d.c);
    il_kt_run(b, &g);
    close_data(&d);
}

void il_kt_bench_match(const struct il_kt_bencher *bencher, const struct il_simd *simd)
{
    static const size_t depths[] = {16, 64, 128, 256, 320}, few[] = {16, 64, 256};
    const size_t all = sizeof depths / sizeof *depths, some = sizeof few / sizeof *few;
    const int quick = bencher->options->quick;
    for (size_t i = 0; i < (quick ? some : all); i++) {
        bench_match(bencher, simd, 4000, quick ? few[i] : depths[i], quick ? 5 : 7);
    }
    for (size_t i = 0; !quick && i < some; i++) {
        bench_match(bencher, simd, 20000, few[i], 5);
    }
    for (size_t i = 0; i < all; i++) {
        bench_gemm(bencher, simd, 960, 1024, depths[i], quick ? 5 : 7);
    }
    bench_gemm(bencher, simd, 4000, 512, 768, quick ? 5 : 7);
}
