/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of the one-bit signatures. */
#include "runner.h"

#include <math.h>
#include <string.h>

enum { SIGN_VALUES, BITS_A, BITS_B, OUT, WANT };

static void one_sign(const struct il_kt *t, size_t n, size_t d, enum il_kt_values kind,
                     enum il_kt_place place)
{
    const size_t ld = d + n % 3;
    const size_t count = n > 0 ? (n - 1) * ld + d : 0;
    const size_t bytes = n * ((d + 63) / 64) * sizeof(uint64_t);
    float *x = il_kt_buffer(SIGN_VALUES, count * sizeof *x, sizeof *x, place);
    uint64_t *want = il_kt_buffer(WANT, bytes, 8, place);
    uint64_t *out = il_kt_buffer(OUT, bytes, 8, place);
    il_kt_fill_f32(x, count, kind);
    memset(want, 1, bytes);
    memset(out, 2, bytes);
    t->ref.sign_bits(x, n, d, ld, want);
    t->simd.sign_bits(x, n, d, ld, out);
    il_kt_end_case(t, memcmp(want, out, bytes) == 0, "sign_bits",
                   "n %zu, d %zu, values %d", n, d, kind);
}

/* What the contract says of zeros, NaN and the smallest values. */
static void special_signs(const struct il_kt *t)
{
    const float x[] = {0.0f,   -0.0f, NAN,       -NAN,   1e-45f, -1e-45f, INFINITY,
                       -1e30f, 3.0f,  -INFINITY, 1e-38f, -1.0f,  2e-40f};
    const size_t d = sizeof x / sizeof *x;
    uint64_t bits = 0;
    t->simd.sign_bits(x, 1, d, d, &bits);
    il_kt_end_case(t, bits == 0x1550, "sign_bits", "special values");
}

/* Bytes of all values, or of 0 and 255 only: the largest counts. */
static void fill(uint64_t *x, size_t n, int kind)
{
    il_kt_fill_bytes(x, n * sizeof *x);
    for (size_t i = 0; kind != 0 && i < n; i++) {
        x[i] = kind == 1 ? 0 : UINT64_MAX;
    }
}

static void one_row(const struct il_kt *t, size_t n, size_t words, int kind,
                    enum il_kt_place place)
{
    uint64_t *x = il_kt_buffer(BITS_A, words * 8, 8, place);
    uint64_t *rows = il_kt_buffer(BITS_B, n * words * 8, 8, place);
    uint32_t *want = il_kt_buffer(WANT, n * sizeof *want, 4, place);
    uint32_t *out = il_kt_buffer(OUT, n * sizeof *out, 4, place);
    fill(x, words, kind > 0);
    fill(rows, n * words, 2 * kind);
    memset(out, 1, n * sizeof *out);
    t->ref.hamming_row(x, rows, n, words, want);
    t->simd.hamming_row(x, rows, n, words, out);
    il_kt_end_case(t, memcmp(want, out, n * sizeof *out) == 0, "hamming_row",
                   "n %zu, words %zu, values %d", n, words, kind);
}

static void one_block(const struct il_kt *t, size_t n, size_t m, size_t words, int kind,
                      enum il_kt_place place)
{
    const size_t ld = m + n % 2;
    const size_t count = n > 0 && m > 0 ? (n - 1) * ld + m : 0;
    uint64_t *a = il_kt_buffer(BITS_A, n * words * 8, 8, place);
    uint64_t *b = il_kt_buffer(BITS_B, m * words * 8, 8, place);
    uint16_t *want = il_kt_buffer(WANT, count * sizeof *want, 2, place);
    uint16_t *out = il_kt_buffer(OUT, count * sizeof *out, 2, place);
    fill(a, n * words, kind > 0);
    fill(b, m * words, 2 * kind);
    memset(want, 1, count * sizeof *out); /* the gaps of the rows must stay */
    memset(out, 1, count * sizeof *out);
    t->ref.hamming_block(n, m, words, a, b, want, ld);
    t->simd.hamming_block(n, m, words, a, b, out, ld);
    int ok = memcmp(want, out, count * sizeof *out) == 0;
    if (kind > 0 && count > 0) {
        ok = ok && out[count - 1] == 64 * words;
    }
    il_kt_end_case(t, ok, "hamming_block", "n %zu, m %zu, words %zu, values %d", n, m,
                   words, kind);
}

void il_kt_bits(const struct il_kt *t)
{
    for (size_t i = 0; il_kt_size(t, i) != SIZE_MAX; i++) {
        const size_t size = il_kt_size(t, i);
        const enum il_kt_place place = i % 2 ? IL_KT_END : IL_KT_START;
        const enum il_kt_place other = i % 2 ? IL_KT_START : IL_KT_END;
        const int kind = i % 5 == 4;
        for (int k = 0; k < IL_KT_KINDS; k++) {
            one_sign(t, 1 + size % 4, size, (enum il_kt_values)k, place);
        }
        one_sign(t, size, 1 + il_kt_random() % 70, IL_KT_SPECIAL, other);
        one_row(t, size, il_kt_random() % 20, kind, place);
        one_row(t, 1 + size % 3, size, kind, other);
        one_block(t, size, 1 + il_kt_random() % 20, il_kt_random() % 14, kind, place);
        one_block(t, 1 + il_kt_random() % 20, size, il_kt_random() % 14, kind, other);
        one_block(t, 1 + size % 9, 1 + size % 10, size, kind, place);
    }
    one_block(t, 3, 9, 1023, 1, IL_KT_END);
    one_block(t, t->quick ? 600 : 3000, 10, 61, 0, IL_KT_END); /* blocks of a */
    special_signs(t);
}
