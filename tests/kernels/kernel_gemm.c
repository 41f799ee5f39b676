/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of the product of packed rows; each table packs for its own tile. */
#include "runner.h"

#include <string.h>

struct shape {
    size_t n, m, k, ld;
    int accumulate;
    enum il_kt_values kind;
    enum il_kt_place place;
};

/* Packs x and y for one table into slots 2 and 3 and multiplies into c. */
static void multiply(const struct il_simd *s, const struct shape *h, const float *x,
                     const float *y, float *c)
{
    const size_t a_count = (h->n + s->mr - 1) / s->mr * s->mr * h->k;
    const size_t b_count = (h->m + s->nr - 1) / s->nr * s->nr * h->k;
    float *a = il_kt_buffer(2, a_count * sizeof(float), 64, h->place);
    float *b = il_kt_buffer(3, b_count * sizeof(float), 64, h->place);
    s->pack_f32(x, h->n, h->k, h->k, s->mr, a);
    s->pack_f32(y, h->m, h->k, h->k, s->nr, b);
    s->gemm_f32(h->n, h->m, h->k, a, b, c, h->ld, h->accumulate);
}

static void one(const struct il_kt *t, const struct shape *h)
{
    const size_t out = h->n == 0 || h->m == 0 ? 0 : (h->n - 1) * h->ld + h->m;
    float *x = il_kt_buffer(0, h->n * h->k * sizeof(float), sizeof(float), h->place);
    float *y = il_kt_buffer(1, h->m * h->k * sizeof(float), sizeof(float), h->place);
    float *c = il_kt_buffer(4, out * sizeof(float), sizeof(float), h->place);
    float *want = il_kt_buffer(5, out * sizeof(float), sizeof(float), h->place);
    il_kt_fill_f32(x, h->n * h->k, h->kind);
    il_kt_fill_f32(y, h->m * h->k, h->kind);
    il_kt_fill_f32(c, out, h->kind);
    if (out > 0) {
        memcpy(want, c, out * sizeof(float)); /* the gaps of the rows too */
    }
    multiply(&t->ref, h, x, y, want);
    multiply(&t->simd, h, x, y, c);
    il_kt_end_case(t, il_kt_same_f32(want, c, out), "gemm_f32",
                   "n %zu, m %zu, k %zu, ld %zu, accumulate %d, values %d", h->n, h->m,
                   h->k, h->ld, h->accumulate, h->kind);
}

void il_kt_gemm(const struct il_kt *t)
{
    for (size_t i = 0; il_kt_size(t, i) != SIZE_MAX; i++) {
        const size_t size = il_kt_size(t, i);
        for (int kind = 0; kind < IL_KT_KINDS; kind++) {
            struct shape h = {.kind = (enum il_kt_values)kind, .accumulate = kind % 2};
            h.place = i % 2 ? IL_KT_END : IL_KT_START;
            h.n = size;
            h.m = 1 + il_kt_random() % 70;
            h.k = il_kt_random() % 24;
            h.ld = h.m + il_kt_random() % 5;
            one(t, &h);
            h.n = 1 + il_kt_random() % 40;
            h.m = size;
            h.k = 16; /* the panels then end exactly at the unreadable page */
            h.ld = h.m;
            h.place = IL_KT_END;
            one(t, &h);
            h.m = 1 + il_kt_random() % 33;
            h.k = size;
            h.ld = h.m + 1;
            h.accumulate = !h.accumulate;
            one(t, &h);
        }
    }
    /* several blocks of coordinates and of rows */
    const struct shape deep = {30, 40, 700, 40, 0, IL_KT_RANDOM, IL_KT_END};
    const struct shape tall = {t->quick ? 300 : 700, 35,       300, 35, 1,
                               IL_KT_RANDOM,         IL_KT_END};
    one(t, &deep);
    one(t, &tall);
}
