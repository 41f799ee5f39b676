/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tests of the matcher in bytes: its lists against those of match3_f32, which has its own
 * tests against brute force, and the quantiser against ref. The filter must lose nothing
 * whatever the scale, the lengths of the rows, the tails and the ties are.
 */
#include "runner.h"

#include <math.h>
#include <string.h>

enum { ROWS_TEST = 1300, K_TEST = 72 };

/* How the values of a case come about, beside the kinds of the runner. */
enum data { CLUSTERS = IL_KT_KINDS, SPREAD, DATA_KINDS };

/* Scales: the best one, one that saturates most values, one that leaves two bits. */
static const float scales[] = {1.0f, 0.05f, 60.0f};

struct shape {
    size_t n, m, k;
    int tail, data, named;
    size_t blocks; /* blocks of rows, each a call that meets filled column lists */
    float scale_a, scale_b; /* times the best one */
    enum il_kt_place place;
};

static float x[ROWS_TEST * K_TEST], y[ROWS_TEST * K_TEST];
static struct il_top3 row[2][ROWS_TEST], col[2][ROWS_TEST];

/* Clusters give scores that differ by less than the bytes can tell, with equal rows. */
static void fill_clusters(float *v, size_t n, size_t k)
{
    static float centre[8 * K_TEST];
    il_kt_fill_f32(v, n * k, IL_KT_RANDOM);
    if (v == x) {
        il_kt_fill_f32(centre, 8 * k, IL_KT_RANDOM);
    }
    for (size_t i = 0; i < n; i++) {
        const float *near = centre + il_kt_random() % 8 * k;
        for (size_t q = 0; q < k; q++) {
            v[i * k + q] = near[q] + v[i * k + q] * (i % 3 == 0 ? 0.0f : 1e-3f);
        }
    }
}

static void fill(const struct shape *h, float *v, size_t n, int side)
{
    if (h->data < IL_KT_KINDS) {
        il_kt_fill_f32(v, n * h->k, (enum il_kt_values)h->data);
    } else if (h->data == CLUSTERS) {
        fill_clusters(v, n, h->k);
    } else { /* rows from very short to very long */
        il_kt_fill_f32(v, n * h->k, IL_KT_RANDOM);
        for (size_t i = 0; i < n * h->k; i++) {
            v[i] *= ldexpf(1.0f, (int)(i / h->k % 25) - 12);
        }
    }
    for (size_t i = 0; h->tail && i < n; i++) {
        float *last = v + i * h->k + h->k - 2;
        last[side] = last[side] * 3.0f;
        last[!side] = 1.0f;
    }
}

static float scale_of(const struct il_simd *s, const struct shape *h, const float *v,
                      size_t n, float times)
{
    float max = 0.0f;
    for (size_t i = 0; i < n; i++) {
        const float far = s->abs_max_f32(v + i * h->k, h->k - (h->tail ? 2 : 0));
        max = far > max ? far : max;
    }
    return max > 0.0f ? max * times / 127.0f : 1.0f;
}

/* n rows to panels of floats and of bytes, all between unreadable pages, from slot on. */
static struct il_i8_rows open_rows(const struct il_simd *s, const struct shape *h,
                                   const float *v, size_t n, int side, int slot,
                                   float **panels)
{
    const size_t w = side ? s->nr : s->mr, padded = (n + w - 1) / w * w;
    struct il_i8_rows out = {
        .side = side ? IL_I8_B : IL_I8_A, .tail = h->tail, .usable = 1};
    out.scale = scale_of(s, h, v, n, side ? h->scale_b : h->scale_a);
    *panels = il_kt_buffer(slot, padded * h->k * sizeof **panels, 64, h->place);
    out.q = il_kt_buffer(slot + 1, padded * il_i8_quads(h->k, h->tail) * 4, 64, h->place);
    out.error = il_kt_buffer(slot + 2, n * sizeof *out.error, 4, h->place);
    out.offset = il_kt_buffer(slot + 3, n * sizeof *out.offset, 4, h->place);
    out.sum = il_kt_buffer(slot + 4, n * sizeof *out.sum, 4, h->place);
    s->pack_f32(v, n, h->k, h->k, w, *panels);
    s->quantise_i8(*panels, n, h->k, &out);
    return out;
}

static void match_rows(const struct il_kt *t, const struct shape *h, size_t first,
                       size_t n)
{
    float *a, *b;
    const float *v = x + first * h->k;
    struct il_i8_rows ra = open_rows(&t->simd, h, v, n, 0, 0, &a);
    struct il_i8_rows rb = open_rows(&t->simd, h, y, h->m, 1, 5, &b);
    uint32_t *a_index = il_kt_buffer(10, n * sizeof *a_index, 4, h->place);
    uint32_t *b_index = il_kt_buffer(11, h->m * sizeof *b_index, 4, h->place);
    float *rows = il_kt_buffer(12, n * h->k * sizeof *rows, 4, h->place);
    struct il_top3 *r = il_kt_buffer(13, n * sizeof *r, 4, h->place);
    struct il_top3 *c = il_kt_buffer(14, h->m * sizeof *c, 4, h->place);
    struct il_match_i8_block block = {
        {h->k, a, n, b, h->m, a_index, NULL, r, c}, rows, h->k, &ra, &rb};
    for (size_t i = 0; i < n; i++) {
        a_index[i] = (uint32_t)(3 * (first + i) + 1);
    }
    for (size_t j = 0; j < h->m; j++) {
        b_index[j] = (uint32_t)(2 * j + 9);
    }
    block.f32.b_index = h->named ? b_index : NULL;
    memcpy(rows, v, n * h->k * sizeof *rows);
    for (int bytes = 0; bytes < 2; bytes++) {
        memcpy(r, row[bytes] + first, n * sizeof *r);
        memcpy(c, col[bytes], h->m * sizeof *c);
        if (bytes) {
            t->simd.match3_i8(&block);
        } else {
            t->simd.match3_f32(&block.f32);
        }
        memcpy(row[bytes] + first, r, n * sizeof *r);
        memcpy(col[bytes], c, h->m * sizeof *c);
    }
}

static void run(const struct il_kt *t, const struct shape *h)
{
    fill(h, x, h->n, 0);
    fill(h, y, h->m, 1);
    for (size_t i = 0; i < ROWS_TEST; i++) {
        il_top3_clear(&row[0][i]);
        il_top3_clear(&col[0][i]);
    }
    memcpy(row[1], row[0], sizeof row[0]);
    memcpy(col[1], col[0], sizeof col[0]);
    const size_t step = (h->n + h->blocks - 1) / h->blocks;
    for (size_t i = 0; i < h->n; i += step) {
        match_rows(t, h, i, h->n - i < step ? h->n - i : step);
    }
    il_kt_end_case(t,
                   memcmp(row[0], row[1], sizeof row[0]) == 0 &&
                       memcmp(col[0], col[1], sizeof col[0]) == 0,
                   "match3_i8", "n %zu, m %zu, k %zu, tail %d, data %d, scales %g %g",
                   h->n, h->m, h->k, h->tail, h->data, (double)h->scale_a,
                   (double)h->scale_b);
}

/* The bytes of the widest panels come in another order than those of ref. */
static int8_t byte_of(const struct il_i8_rows *r, size_t w, size_t quads, size_t i,
                      size_t q)
{
    const int flip = r->side == IL_I8_B && w > 8 && w != 12; /* x86 keeps b + 128 */
    const int8_t byte = r->q[((i / w * quads + q / 4) * w + i % w) * 4 + q % 4];
    return flip ? (int8_t)(byte ^ -128) : byte;
}

static int same_rows(const struct il_kt *t, const struct shape *h,
                     const struct il_i8_rows *got, const struct il_i8_rows *want,
                     size_t n, int side)
{
    const size_t w = side ? t->simd.nr : t->simd.mr, wide = side ? t->ref.nr : t->ref.mr;
    const size_t quads = il_i8_quads(h->k, h->tail);
    int ok = got->usable == want->usable && got->error_max == want->error_max &&
             got->norm_max == want->norm_max && got->offset_max == want->offset_max;
    for (size_t i = 0; i < n; i++) {
        ok &= il_kt_same_f32(got->error + i, want->error + i, 1) &&
              il_kt_same_f32(got->offset + i, want->offset + i, 1) &&
              got->sum[i] == want->sum[i];
        for (size_t q = 0; q < 4 * quads; q++) {
            ok &= byte_of(got, w, quads, i, q) == byte_of(want, wide, quads, i, q);
        }
    }
    return ok;
}

static void quantise(const struct il_kt *t, const struct shape *h)
{
    float *panels;
    for (int side = 0; side < 2; side++) {
        fill(h, x, h->n, side);
        struct il_i8_rows want = open_rows(&t->ref, h, x, h->n, side, 0, &panels);
        struct il_i8_rows got = open_rows(&t->simd, h, x, h->n, side, 5, &panels);
        il_kt_end_case(t, same_rows(t, h, &got, &want, h->n, side), "quantise_i8",
                       "n %zu, k %zu, side %d, tail %d, data %d", h->n, h->k, side,
                       h->tail, h->data);
    }
}

static void abs_max(const struct il_kt *t, size_t n)
{
    for (int kind = 0; kind < IL_KT_KINDS; kind++) {
        float *v = il_kt_buffer(0, n * sizeof *v, 4, IL_KT_END);
        il_kt_fill_f32(v, n, (enum il_kt_values)kind);
        const float want = t->ref.abs_max_f32(v, n), got = t->simd.abs_max_f32(v, n);
        il_kt_end_case(t, il_kt_same_f32(&want, &got, 1), "abs_max_f32",
                       "n %zu, values %d", n, kind);
    }
}

void il_kt_match_i8(const struct il_kt *t)
{
    for (size_t i = 0; il_kt_size(t, i) != SIZE_MAX; i++) {
        abs_max(t, il_kt_size(t, i));
        for (int data = 0; data < DATA_KINDS; data++) {
            const int tail = (int)(il_kt_random() % 2);
            struct shape h = {.n = il_kt_size(t, i) + 1,
                              .m = 1 + il_kt_random() % 150,
                              .k = 1 + 2 * (size_t)tail + il_kt_random() % 40,
                              .tail = tail,
                              .data = data,
                              .named = (int)(il_kt_random() % 2),
                              .blocks = 1 + il_kt_random() % 3,
                              .scale_a = scales[il_kt_random() % 3],
                              .scale_b = scales[il_kt_random() % 3],
                              .place = i % 2 ? IL_KT_START : IL_KT_END};
            quantise(t, &h);
            if (t->simd.match3_i8 != NULL) {
                run(t, &h);
            }
        }
    }
    /* Long enough for the filter to leave out most pairs, in more than one block. */
    const int ref = t->simd.isa == IL_ISA_REF;
    const size_t large = t->quick ? (ref ? 100 : 400) : (ref ? 400 : ROWS_TEST);
    for (int data = 0; t->simd.match3_i8 != NULL && data < 2 * DATA_KINDS; data++) {
        struct shape h = {.n = large,
                          .m = large - 7,
                          .k = data % 2 ? 66 : 64,
                          .tail = data % 2,
                          .data = data / 2,
                          .blocks = 5,
                          .scale_a = 1.0f,
                          .scale_b = 1.0f,
                          .place = IL_KT_END};
        run(t, &h);
        h.blocks = 1;
        h.scale_b = scales[1 + data % 2];
        run(t, &h);
    }
}
