/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of the f64 kernels. */
#include "runner.h"

#include <string.h>

static void one_size(const struct il_kt *t, size_t n, enum il_kt_values kind,
                     enum il_kt_place place)
{
    const size_t bytes = n * sizeof(double);
    double *x = il_kt_buffer(0, bytes, sizeof(double), place);
    double *y = il_kt_buffer(1, bytes, sizeof(double), place);
    double *want_x = il_kt_buffer(2, bytes, sizeof(double), place);
    double *want_y = il_kt_buffer(3, bytes, sizeof(double), place);
    il_kt_fill_f64(x, n, kind);
    il_kt_fill_f64(y, n, kind);
    const double dot[2] = {t->ref.dot_f64(x, y, n), t->simd.dot_f64(x, y, n)};
    const int dot_ok = il_kt_same_f64(dot, dot + 1, 1);

    memcpy(want_y, y, bytes);
    t->ref.axpy_f64(-0.3, x, want_y, n);
    t->simd.axpy_f64(-0.3, x, y, n);
    const int axpy_ok = il_kt_same_f64(want_y, y, n);

    memcpy(want_x, x, bytes);
    memcpy(want_y, y, bytes);
    t->ref.rot_f64(want_x, want_y, n, 0.8, 0.6);
    t->simd.rot_f64(x, y, n, 0.8, 0.6);
    const int rot_ok = il_kt_same_f64(want_x, x, n) && il_kt_same_f64(want_y, y, n);
    il_kt_end_case(t, dot_ok, "dot_f64", "n %zu, values %d, place %d", n, kind, place);
    il_kt_end_case(t, axpy_ok, "axpy_f64", "n %zu, values %d, place %d", n, kind, place);
    il_kt_end_case(t, rot_ok, "rot_f64", "n %zu, values %d, place %d", n, kind, place);
}

/* Every product underflows to -0: only the final + 0.0 makes the versions agree. */
static void dot_of_minus_zeros(const struct il_kt *t, size_t n)
{
    double *x = il_kt_buffer(0, n * sizeof(double), sizeof(double), IL_KT_END);
    double *y = il_kt_buffer(1, n * sizeof(double), sizeof(double), IL_KT_END);
    for (size_t i = 0; i < n; i++) {
        x[i] = 1e-200;
        y[i] = -1e-200;
    }
    const double dot[2] = {t->ref.dot_f64(x, y, n), t->simd.dot_f64(x, y, n)};
    const double zero = 0.0;
    const int ok = il_kt_same_f64(dot, dot + 1, 1) && il_kt_same_f64(dot, &zero, 1);
    il_kt_end_case(t, ok, "dot_f64", "minus zeros, n %zu", n);
}

void il_kt_f64(const struct il_kt *t)
{
    for (size_t i = 0; il_kt_size(t, i) != SIZE_MAX; i++) {
        dot_of_minus_zeros(t, il_kt_size(t, i));
        for (int kind = 0; kind < IL_KT_KINDS; kind++) {
            one_size(t, il_kt_size(t, i), (enum il_kt_values)kind, IL_KT_START);
            one_size(t, il_kt_size(t, i), (enum il_kt_values)kind, IL_KT_END);
        }
    }
}
