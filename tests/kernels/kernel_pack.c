/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of the packing, for the widths of all tiles: of rows in their order, then of rows
   by index, in any order and some of them twice; and of gathering them. */
#include "runner.h"

#include <math.h>
#include <string.h>

static void one(const struct il_kt *t, size_t n, size_t k, size_t ld, size_t w,
                enum il_kt_place place)
{
    const size_t in = n == 0 ? 0 : (n - 1) * ld + k;
    const size_t out_bytes = (n + w - 1) / w * w * k * sizeof(float);
    float *x = il_kt_buffer(0, in * sizeof(float), sizeof(float), place);
    float *out = il_kt_buffer(1, out_bytes, sizeof(float), place);
    float *want = il_kt_buffer(2, out_bytes, sizeof(float), place);
    il_kt_fill_f32(x, in, IL_KT_RANDOM);
    memset(out, 0xff, out_bytes);
    uint32_t *rows = il_kt_buffer(3, n * sizeof(uint32_t), sizeof(uint32_t), place);
    for (size_t i = 0; i < n; i++) {
        rows[i] = il_kt_random() % (uint32_t)n;
    }
    t->ref.pack_f32(x, n, k, ld, w, want);
    t->simd.pack_f32(x, n, k, ld, w, out);
    il_kt_end_case(t, memcmp(out, want, out_bytes) == 0, "pack_f32",
                   "n %zu, k %zu, ld %zu, w %zu", n, k, ld, w);
    memset(out, 0xff, out_bytes);
    t->ref.pack_rows_f32(x, rows, n, k, ld, w, want);
    t->simd.pack_rows_f32(x, rows, n, k, ld, w, out);
    int ok = memcmp(out, want, out_bytes) == 0;
    for (size_t i = 0; i < n && k > 0; i++) {
        ok &= memcmp(&want[i / w * w * k + i % w], &x[rows[i] * ld], sizeof *x) == 0;
    }
    il_kt_end_case(t, ok, "pack_rows_f32", "n %zu, k %zu, ld %zu, w %zu", n, k, ld, w);
}

/* Some rows far apart, in any order, into rows of another stride. */
static void gather(const struct il_kt *t, size_t n, size_t d, size_t ld, int in_order,
                   enum il_kt_place place)
{
    const size_t from = n + 3, in = (from - 1) * ld + d;
    const size_t out_bytes = (n == 0 ? 0 : (n - 1) * (d + 3) + d) * sizeof(float);
    const float scale = il_kt_random() % 2 ? 1.0f : 0.37f;
    float *x = il_kt_buffer(0, in * sizeof(float), sizeof(float), place);
    float *out = il_kt_buffer(1, out_bytes, sizeof(float), place);
    float *want = il_kt_buffer(2, out_bytes, sizeof(float), place);
    uint32_t *rows = il_kt_buffer(3, n * sizeof(uint32_t), sizeof(uint32_t), place);
    il_kt_fill_f32(x, in, IL_KT_RANDOM);
    for (size_t i = 0; i < n; i++) {
        rows[i] = il_kt_random() % (uint32_t)from;
    }
    memset(out, 0xff, out_bytes); /* what lies between the rows must stay */
    memset(want, 0xff, out_bytes);
    const uint32_t *names = in_order ? NULL : rows;
    t->ref.gather_f32(x, names, n, d, ld, scale, want, d + 3);
    t->simd.gather_f32(x, names, n, d, ld, scale, out, d + 3);
    int ok = memcmp(out, want, out_bytes) == 0;
    for (size_t i = 0; i < n && d > 0; i++) {
        const float first = scale * x[(in_order ? i : rows[i]) * ld];
        ok &= memcmp(&want[i * (d + 3)], &first, sizeof first) == 0;
    }
    il_kt_end_case(t, ok, "gather_f32", "n %zu, d %zu, ld %zu, in order %d", n, d, ld,
                   in_order);
}

/* A quotient in 127ths of the row's largest: anything, or at, just below or just above
   the middle of two integers, where a product with the reciprocal would go wrong. */
static float some_value(float scale)
{
    const float integer = (float)(il_kt_random() % 254) - 127.0f;
    const float middle = (integer + 0.5f) * scale;
    switch (il_kt_random() % 8) {
    case 0:
        return middle;
    case 1:
        return nextafterf(middle, INFINITY);
    case 2:
        return nextafterf(middle, -INFINITY);
    case 3:
        return integer * scale;
    case 4:
        return il_kt_random() % 2 ? 0.0f : -0.0f;
    default:
        return ((float)(il_kt_random() >> 8) * 0x1p-23f - 1.0f) * 127.0f * scale;
    }
}

static void one_block(const struct il_kt *t, size_t n, size_t k, size_t ld,
                      enum il_kt_place place)
{
    static const float odd[] = {0x1p-126f, 0x1.fcp-126f, 0x1.02p120f, 1.0f};
    const size_t in = n == 0 ? 0 : (n - 1) * ld + k, bytes = il_rows_i8_block(k);
    float *x = il_kt_buffer(0, in * sizeof(float), sizeof(float), place);
    float *scale = il_kt_buffer(1, n * sizeof(float), sizeof(float), place);
    int8_t *out = il_kt_buffer(2, bytes, 1, place);
    int8_t *want = il_kt_buffer(3, bytes, 1, place);
    il_kt_fill_f32(x, in, IL_KT_SPECIAL); /* between the rows */
    for (size_t i = 0; i < n; i++) {
        const uint32_t r = il_kt_random();
        scale[i] = r % 4 ? (1.0f + (float)(r >> 9) * 0x1p-23f) * 0x1p-9f : odd[r / 4 % 4];
        for (size_t q = 0; q < k; q++) {
            x[i * ld + q] = some_value(scale[i]);
        }
    }
    memset(out, 0x55, bytes);
    memset(want, 0x55, bytes);
    t->ref.block_i8(x, n, k, ld, scale, want);
    t->simd.block_i8(x, n, k, ld, scale, out);
    int ok = memcmp(out, want, bytes) == 0;
    for (size_t i = 0; i < n; i++) {
        for (size_t q = 0; q < k; q++) {
            const float quotient = x[i * ld + q] / scale[i];
            const int8_t got = want[q / 4 * (4 * IL_ROWS) + 4 * i + q % 4];
            ok &= got == (int8_t)rintf(quotient);
        }
    }
    il_kt_end_case(t, ok, "block_i8", "n %zu, k %zu, ld %zu", n, k, ld);
}

void il_kt_pack(const struct il_kt *t)
{
    for (size_t i = 0; il_kt_size(t, i) != SIZE_MAX; i++) {
        const size_t size = il_kt_size(t, i), n = i % (IL_ROWS + 1);
        one_block(t, n, size, size + i % 3, i % 2 ? IL_KT_END : IL_KT_START);
        one_block(t, IL_ROWS, 1 + size % 40, 40, i % 2 ? IL_KT_START : IL_KT_END);
    }

    static const size_t widths[] = {1, 4, 6, 8, 12, 14, 16, 32, 48};
    for (size_t i = 0; il_kt_size(t, i) != SIZE_MAX; i++) {
        const size_t size = il_kt_size(t, i);
        for (size_t w = 0; w < sizeof widths / sizeof *widths; w++) {
            const size_t other = 1 + il_kt_random() % 40;
            gather(t, size, other, other + w % 4, w % 2, IL_KT_START);
            gather(t, other, size, size + w % 3, w % 2, IL_KT_END);
            one(t, size, other, other, widths[w], IL_KT_END);
            one(t, other, size, size + w % 3, widths[w], i % 2 ? IL_KT_END : IL_KT_START);
        }
    }
}
