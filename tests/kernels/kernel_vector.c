/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of the f32 vector kernels, one case = one kernel, size, kind of values and place.
 */
#include "runner.h"

#include <math.h>
#include <string.h>

static void one_size(const struct il_kt *t, size_t n, enum il_kt_values kind,
                     enum il_kt_place place)
{
    const size_t bytes = n * sizeof(float);
    float *x = il_kt_buffer(0, bytes, sizeof(float), place);
    float *y = il_kt_buffer(1, bytes, sizeof(float), place);
    float *want = il_kt_buffer(2, bytes, sizeof(float), place);
    const float factor = kind == IL_KT_SPECIAL ? -INFINITY : 1.7f;
    il_kt_fill_f32(x, n, kind);
    il_kt_fill_f32(y, n, kind);
    const float dot[2] = {t->ref.dot_f32(x, y, n), t->simd.dot_f32(x, y, n)};
    const int dot_ok = il_kt_same_f32(dot, dot + 1, 1);

    memcpy(want, y, bytes);
    t->ref.axpy_f32(factor, x, want, n);
    t->simd.axpy_f32(factor, x, y, n);
    const int axpy_ok = il_kt_same_f32(want, y, n);
    memcpy(want, y, bytes);
    t->ref.axpy_f32(factor, want, want, n); /* x = y is allowed */
    t->simd.axpy_f32(factor, y, y, n);
    const int alias_ok = il_kt_same_f32(want, y, n);

    memcpy(want, x, bytes);
    memcpy(y, x, bytes);
    t->ref.scale_f32(factor, want, n);
    t->simd.scale_f32(factor, y, n);
    const int scale_ok = il_kt_same_f32(want, y, n);

    memcpy(want, x, bytes);
    memcpy(y, x, bytes);
    t->ref.distance_f32(want, n);
    t->simd.distance_f32(y, n);
    const int distance_ok = il_kt_same_f32(want, y, n);

    int gauss_ok = 1;
    for (int w = 0; w < 3; w++) {
        memcpy(want, x, bytes);
        memcpy(y, x, bytes);
        const float width = w == 0 ? 0.5f : w == 1 ? 0.06f : 1e-20f;
        t->ref.gauss_f32(want, n, width);
        t->simd.gauss_f32(y, n, width);
        gauss_ok = gauss_ok && il_kt_same_f32(want, y, n);
    }
    il_kt_end_case(t, dot_ok, "dot_f32", "n %zu, values %d, place %d", n, kind, place);
    il_kt_end_case(t, axpy_ok, "axpy_f32", "n %zu, values %d, place %d", n, kind, place);
    il_kt_end_case(t, alias_ok, "axpy_f32", "in place, n %zu, values %d", n, kind);
    il_kt_end_case(t, scale_ok, "scale_f32", "n %zu, values %d, place %d", n, kind,
                   place);
    il_kt_end_case(t, distance_ok, "distance_f32", "n %zu, values %d, place %d", n, kind,
                   place);
    il_kt_end_case(t, gauss_ok, "gauss_f32", "n %zu, values %d, place %d", n, kind,
                   place);
}

/* Every product underflows to -0: only the final + 0.0f makes the versions agree. */
static void dot_of_minus_zeros(const struct il_kt *t, size_t n)
{
    float *x = il_kt_buffer(0, n * sizeof(float), sizeof(float), IL_KT_END);
    float *y = il_kt_buffer(1, n * sizeof(float), sizeof(float), IL_KT_END);
    for (size_t i = 0; i < n; i++) {
        x[i] = 1e-30f;
        y[i] = -1e-30f;
    }
    const float dot[2] = {t->ref.dot_f32(x, y, n), t->simd.dot_f32(x, y, n)};
    const float zero = 0.0f;
    const int ok = il_kt_same_f32(dot, dot + 1, 1) && il_kt_same_f32(dot, &zero, 1);
    il_kt_end_case(t, ok, "dot_f32", "minus zeros, n %zu", n);
}

static void normalise(const struct il_kt *t, size_t n, size_t d, size_t ld,
                      enum il_kt_values kind)
{
    const size_t count = n == 0 ? 0 : (n - 1) * ld + d;
    float *x = il_kt_buffer(0, count * sizeof(float), sizeof(float), IL_KT_END);
    float *want = il_kt_buffer(1, count * sizeof(float), sizeof(float), IL_KT_END);
    il_kt_fill_f32(x, count, kind);
    if (d > 0 && n > 1) {
        memset(x + ld, 0, d * sizeof(float)); /* a zero row stays zero */
    }
    memcpy(want, x, count * sizeof(float));
    t->ref.normalise_f32(want, n, d, ld);
    t->simd.normalise_f32(x, n, d, ld);
    il_kt_end_case(t, il_kt_same_f32(want, x, count), "normalise_f32",
                   "n %zu, d %zu, ld %zu", n, d, ld);
}

/* exp over its whole range: floats from 0 to 17 by a step in bits; and it must be an exp.
 */
static void gauss_range(const struct il_kt *t)
{
    enum { COUNT = 1024 };
    const uint32_t step = t->quick ? 99991u : 8191u;
    uint32_t bits = 0;
    int ok = 1;
    while (ok && bits < 0x41880000u) {
        float in[COUNT];
        float x[COUNT];
        float want[COUNT];
        for (size_t i = 0; i < COUNT; i++, bits += step) {
            memcpy(in + i, &bits, sizeof bits);
        }
        memcpy(x, in, sizeof x);
        memcpy(want, in, sizeof x);
        t->ref.gauss_f32(want, COUNT, 0.70710678f);
        t->simd.gauss_f32(x, COUNT, 0.70710678f);
        ok = il_kt_same_f32(want, x, COUNT);
        for (size_t i = 0; ok && i < COUNT; i += 97) {
            const double exact = exp(-(double)in[i] * (double)in[i]);
            ok = fabs((double)x[i] - exact) <= 3e-5 * exact + 1e-44;
        }
    }
    il_kt_end_case(t, ok, "gauss_f32", "range, up to bits %x", bits);
}

void il_kt_vector(const struct il_kt *t)
{
    for (size_t i = 0; il_kt_size(t, i) != SIZE_MAX; i++) {
        const size_t n = il_kt_size(t, i);
        for (int kind = 0; kind < IL_KT_KINDS; kind++) {
            one_size(t, n, (enum il_kt_values)kind, IL_KT_START);
            one_size(t, n, (enum il_kt_values)kind, IL_KT_END);
        }
        dot_of_minus_zeros(t, n);
        normalise(t, 5, n, n + i % 3, IL_KT_RANDOM);
        normalise(t, 3, n, n, IL_KT_SPECIAL);
        normalise(t, 3, n, n + 1, IL_KT_TINY);
    }
    gauss_range(t);
}
