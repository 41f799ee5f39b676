/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of the conversions; f16 and the integers over all their values. */
#include "runner.h"

#include <math.h>
#include <string.h>

/* Runs one conversion of both tables on the same input and compares. */
#define RUN(kernel, type, input, n, place, what)                                         \
    do {                                                                                 \
        float *out = il_kt_buffer(1, (n) * sizeof(float), sizeof(float), place);         \
        float *want = il_kt_buffer(2, (n) * sizeof(float), sizeof(float), place);        \
        t->ref.kernel((const type *)(input), n, want);                                   \
        t->simd.kernel((const type *)(input), n, out);                                   \
        il_kt_end_case(t, il_kt_same_f32(want, out, n), #kernel, "%s, n %zu", what, n);  \
    } while (0)

static void one_size(const struct il_kt *t, size_t n, enum il_kt_place place)
{
    void *x = il_kt_buffer(0, n * 2, 2, place);
    il_kt_fill_bytes(x, n * 2);
    RUN(f16_to_f32, uint16_t, x, n, place, "random");
    x = il_kt_buffer(0, n, 1, place);
    il_kt_fill_bytes(x, n);
    RUN(i8_to_f32, int8_t, x, n, place, "random");
    x = il_kt_buffer(0, n, 1, place);
    il_kt_fill_bytes(x, n);
    RUN(u8_to_f32, uint8_t, x, n, place, "random");
    for (int kind = 0; kind < 2; kind++) {
        double *d = il_kt_buffer(0, n * 8, 8, place);
        if (kind == 0) {
            il_kt_fill_bytes(d, n * 8); /* all exponents: overflow, underflow */
        } else {
            il_kt_fill_f64(d, n, IL_KT_SPECIAL);
        }
        RUN(f64_to_f32, double, d, n, place, kind == 0 ? "bits" : "special");
    }
}

/* The reference itself against arithmetic: value = fraction 2^exponent, exact in double.
 */
static void half_by_arithmetic(const struct il_kt *t, const uint16_t *x, size_t n)
{
    float *out = il_kt_buffer(1, n * sizeof(float), sizeof(float), IL_KT_END);
    int ok = 1;
    t->simd.f16_to_f32(x, n, out);
    for (size_t i = 0; i < n; i++) {
        const int e = (x[i] >> 10) & 31;
        const int f = x[i] & 1023;
        double want = e == 0 ? ldexp(f, -24) : ldexp(1024 + f, e - 25);
        if (e == 31) {
            want = f ? (double)NAN : (double)INFINITY;
        }
        const float signed_want = (float)((x[i] & 0x8000) ? -want : want);
        ok = ok && il_kt_same_f32(&signed_want, out + i, 1);
    }
    il_kt_end_case(t, ok, "f16_to_f32", "by arithmetic");
}

void il_kt_convert(const struct il_kt *t)
{
    for (size_t i = 0; il_kt_size(t, i) != SIZE_MAX; i++) {
        one_size(t, il_kt_size(t, i), IL_KT_START);
        one_size(t, il_kt_size(t, i), IL_KT_END);
    }
    static uint16_t all[65536];
    for (size_t i = 0; i < 65536; i++) {
        all[i] = (uint16_t)i;
    }
    const size_t n = 65536;
    RUN(f16_to_f32, uint16_t, all, n, IL_KT_START, "all values");
    RUN(i8_to_f32, int8_t, all, n, IL_KT_START, "all values");
    RUN(u8_to_f32, uint8_t, all, n, IL_KT_START, "all values");
    half_by_arithmetic(t, all, n);
}
