/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of the scores of stored rows. The panels of f32 anchors are the same on every
   instruction set; each table packs i8 anchors for itself. */
#include "runner.h"

#include <math.h>
#include <string.h>

/* Slots of the buffers. */
enum { STORED, SCALE, ANCHORS, PANELS, OUT, WANT, PACKED, PACKED_REF };

struct shape {
    size_t blocks, d, k;
    enum il_kt_values kind;
    enum il_kt_place place;
};

/* Panels of random anchors, beginning where nothing is aligned to more than a float. */
static float *panels(const struct il_kt *t, const struct shape *h)
{
    const size_t w = IL_ROWS_ANCHORS;
    float *x = il_kt_buffer(ANCHORS, h->k * h->d * sizeof(float), 4, h->place);
    float *out =
        il_kt_buffer(PANELS, (h->k + w - 1) / w * w * h->d * sizeof(float), 4, h->place);
    il_kt_fill_f32(x, h->k * h->d, h->kind);
    t->ref.pack_f32(x, h->k, h->d, h->d, w, out);
    return out;
}

/* Output buffers, filled so that a value left unwritten shows. */
static void *outputs(const struct shape *h, int slot)
{
    const size_t bytes = h->blocks * h->k * IL_ROWS * sizeof(float);
    void *out = il_kt_buffer(slot, bytes, sizeof(float), h->place);
    memset(out, slot, bytes);
    return out;
}

static void end(const struct il_kt *t, const struct shape *h, const char *kernel,
                const float *want, const float *out)
{
    il_kt_end_case(t, il_kt_same_f32(want, out, h->blocks * h->k * IL_ROWS), kernel,
                   "blocks %zu, d %zu, k %zu, values %d, place %d", h->blocks, h->d, h->k,
                   h->kind, h->place);
}

static void one_f32(const struct il_kt *t, const struct shape *h)
{
    const size_t count = h->blocks * h->d * IL_ROWS;
    float *x = il_kt_buffer(STORED, count * sizeof *x, sizeof *x, h->place);
    const float *anchors = panels(t, h);
    float *want = outputs(h, WANT);
    float *out = outputs(h, OUT);
    il_kt_fill_f32(x, count, h->kind);
    t->ref.rows_f32(h->blocks, h->d, h->k, x, anchors, want);
    t->simd.rows_f32(h->blocks, h->d, h->k, x, anchors, out);
    end(t, h, "rows_f32", want, out);
}

/* Random bytes: NaN, Inf and denormals among them; without, NaN would hide the rest. */
static void one_f16(const struct il_kt *t, const struct shape *h)
{
    const size_t count = h->blocks * h->d * IL_ROWS;
    uint16_t *x = il_kt_buffer(STORED, count * sizeof *x, sizeof *x, h->place);
    const float *anchors = panels(t, h);
    float *want = outputs(h, WANT);
    float *out = outputs(h, OUT);
    il_kt_fill_bytes(x, count * sizeof *x);
    for (size_t i = 0; h->kind != IL_KT_SPECIAL && i < count; i++) {
        x[i] &= 0xbfff; /* below 2 */
    }
    t->ref.rows_f16(h->blocks, h->d, h->k, x, anchors, want);
    t->simd.rows_f16(h->blocks, h->d, h->k, x, anchors, out);
    end(t, h, "rows_f16", want, out);
}

static void one_e4m3(const struct il_kt *t, const struct shape *h)
{
    const size_t count = h->blocks * h->d * IL_ROWS;
    uint8_t *x = il_kt_buffer(STORED, count, 1, h->place);
    const float *anchors = panels(t, h);
    float *want = outputs(h, WANT);
    float *out = outputs(h, OUT);
    il_kt_fill_bytes(x, count);
    for (size_t i = 0; h->kind != IL_KT_SPECIAL && i < count; i++) {
        x[i] = (x[i] & 127) == 127 ? 0x80 : x[i]; /* no NaN */
    }
    t->ref.rows_e4m3(h->blocks, h->d, h->k, x, anchors, want);
    t->simd.rows_e4m3(h->blocks, h->d, h->k, x, anchors, out);
    end(t, h, "rows_e4m3", want, out);
}

static void one_i8(const struct il_kt *t, const struct shape *h)
{
    const size_t count = h->blocks * il_rows_i8_block(h->d);
    int8_t *x = il_kt_buffer(STORED, count, 1, h->place);
    float *scale =
        il_kt_buffer(SCALE, h->blocks * IL_ROWS * sizeof *scale, sizeof *scale, h->place);
    const float *anchors = panels(t, h);
    float *want = outputs(h, WANT);
    float *out = outputs(h, OUT);
    il_kt_fill_bytes(x, count);
    il_kt_fill_f32(scale, h->blocks * IL_ROWS, h->kind);
    t->ref.rows_i8(h->blocks, h->d, h->k, x, scale, anchors, want);
    t->simd.rows_i8(h->blocks, h->d, h->k, x, scale, anchors, out);
    end(t, h, "rows_i8", want, out);
}

/* Bytes of all values, or of the two ends only. */
static void fill_i8(int8_t *x, size_t n, enum il_kt_values kind)
{
    il_kt_fill_bytes(x, n);
    for (size_t i = 0; kind != IL_KT_RANDOM && i < n; i++) {
        x[i] = kind == IL_KT_EQUAL || x[i] % 2 ? -128 : 127;
    }
}

static void one_i8i8(const struct il_kt *t, const struct shape *h)
{
    const size_t count = h->blocks * il_rows_i8_block(h->d);
    const size_t ld = h->d + 3;
    const size_t bytes = il_rows_i8_packed(h->k, h->d);
    const size_t given = h->k > 0 ? (h->k - 1) * ld + h->d : 0;
    int8_t *x = il_kt_buffer(STORED, count, 1, h->place);
    int8_t *y = il_kt_buffer(ANCHORS, given, 1, h->place);
    void *packed = il_kt_buffer(PACKED, bytes, 4, h->place);
    void *packed_ref = il_kt_buffer(PACKED_REF, bytes, 4, h->place);
    int32_t *want = outputs(h, WANT);
    int32_t *out = outputs(h, OUT);
    fill_i8(x, count, h->kind);
    fill_i8(y, given, h->kind);
    t->ref.rows_pack_i8(y, h->k, h->d, ld, packed_ref);
    t->simd.rows_pack_i8(y, h->k, h->d, ld, packed);
    t->ref.rows_i8i8(h->blocks, h->d, h->k, x, packed_ref, want);
    t->simd.rows_i8i8(h->blocks, h->d, h->k, x, packed, out);
    int ok = h->blocks * h->k == 0 ||
             memcmp(want, out, h->blocks * h->k * IL_ROWS * sizeof *out) == 0;
    /* and one score by the definition of the layout */
    if (h->blocks > 0 && h->k > 0) {
        const size_t r = il_kt_random() % IL_ROWS;
        const size_t a = il_kt_random() % h->k;
        int32_t sum = 0;
        for (size_t q = 0; q < h->d; q++) {
            sum += x[q / 4 * 256 + 4 * r + q % 4] * y[a * ld + q];
        }
        ok = ok && out[a * IL_ROWS + r] == sum;
    }
    il_kt_end_case(t, ok, "rows_i8i8", "blocks %zu, d %zu, k %zu, values %d, place %d",
                   h->blocks, h->d, h->k, h->kind, h->place);
}

static void one_all(const struct il_kt *t, const struct shape *h)
{
    one_f32(t, h);
    one_f16(t, h);
    one_e4m3(t, h);
    one_i8(t, h);
}

/* One coordinate against the anchor 1: every code of a format comes out as its value (a
 * zero as +0, for the chain begins there). */
static void all_codes(const struct il_kt *t)
{
    enum { HALVES = 65536, BYTES = 256 };
    const float panel[IL_ROWS_ANCHORS] = {1.0f};
    uint16_t *half = il_kt_buffer(STORED, HALVES * 2, 2, IL_KT_END);
    float *want = il_kt_buffer(WANT, HALVES * sizeof *want, 4, IL_KT_END);
    float *out = il_kt_buffer(OUT, HALVES * sizeof *out, 4, IL_KT_END);
    for (size_t i = 0; i < HALVES; i++) {
        half[i] = (uint16_t)i;
    }
    t->ref.f16_to_f32(half, HALVES, want);
    for (size_t i = 0; i < HALVES; i++) {
        want[i] += 0.0f;
    }
    t->simd.rows_f16(HALVES / IL_ROWS, 1, 1, half, panel, out);
    il_kt_end_case(t, il_kt_same_f32(want, out, HALVES), "rows_f16", "all codes");

    uint8_t *byte = il_kt_buffer(STORED, BYTES, 1, IL_KT_END);
    want = il_kt_buffer(WANT, BYTES * sizeof *want, 4, IL_KT_END);
    out = il_kt_buffer(OUT, BYTES * sizeof *out, 4, IL_KT_END);
    for (int i = 0; i < BYTES; i++) {
        const int e = i >> 3 & 15;
        const int f = i & 7;
        const double x = e == 0 ? f / 512.0 : (8 + f) / 1024.0 * pow(2.0, e);
        byte[i] = (uint8_t)i;
        want[i] = (float)((i & 127) == 127 ? (double)NAN : i & 128 ? -x : x) + 0.0f;
    }
    t->simd.rows_e4m3(BYTES / IL_ROWS, 1, 1, byte, panel, out);
    il_kt_end_case(t, il_kt_same_f32(want, out, BYTES) && out[0x7e] == 448.0f,
                   "rows_e4m3", "all codes");
}

typedef void one_fn(const struct il_kt *t, const struct shape *h);

/* All d with few anchors, all k with few coordinates, and what passes the chunks. */
static void all_shapes(const struct il_kt *t, one_fn *one)
{
    for (size_t i = 0; il_kt_size(t, i) != SIZE_MAX; i++) {
        const size_t size = il_kt_size(t, i);
        struct shape h = {.kind = (enum il_kt_values)(i % IL_KT_KINDS)};
        h.place = i % 2 ? IL_KT_END : IL_KT_START;
        h.blocks = 1 + (i % 8 == 5);
        h.d = size;
        h.k = 1 + il_kt_random() % 8;
        one(t, &h);
        h.place = i % 2 ? IL_KT_START : IL_KT_END;
        h.kind = (enum il_kt_values)((i / 2 + 1) % IL_KT_KINDS);
        h.blocks = 1;
        h.d = 1 + il_kt_random() % 9;
        h.k = size;
        one(t, &h);
    }
    const struct shape none = {0, 5, 7, IL_KT_RANDOM, IL_KT_END};
    const struct shape many = {t->quick ? 5 : 17, 9, 5, IL_KT_SPECIAL, IL_KT_END};
    const struct shape deep = {1, 1540, 7, IL_KT_RANDOM, IL_KT_START};
    one(t, &none);
    one(t, &many);
    one(t, &deep);
}

void il_kt_rows(const struct il_kt *t)
{
    all_shapes(t, one_all);
    all_codes(t);
}

void il_kt_rows_i8(const struct il_kt *t)
{
    all_shapes(t, one_i8i8);
}
