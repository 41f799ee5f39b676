/* SPDX-License-Identifier: Apache-2.0 */
/* Vectors of f64 for the small factorisations: the definition. */
#include "../internal.h"

#include <math.h>

enum { LANES = 16 };

/* As dot_f32 with 16 lanes: element i to lane i mod 16 by one fma, halving tree, + 0.0.
 */
double il_dot_f64_ref(const double *x, const double *y, size_t n)
{
    double sum[LANES] = {0};
    for (size_t i = 0; i < n; i++) {
        sum[i % LANES] = fma(x[i], y[i], sum[i % LANES]);
    }
    for (size_t w = LANES / 2; w > 0; w /= 2) {
        for (size_t l = 0; l < w; l++) {
            sum[l] += sum[l + w];
        }
    }
    return sum[0] + 0.0;
}

/* y[i] = fma(a, x[i], y[i]). */
void il_axpy_f64_ref(double a, const double *x, double *y, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        y[i] = fma(a, x[i], y[i]);
    }
}

/* t = fma(c, x, -(s y)); y = fma(s, x, c y); x = t: the product of y rounds first. */
void il_rot_f64_ref(double *x, double *y, size_t n, double c, double s)
{
    for (size_t i = 0; i < n; i++) {
        const double t = fma(c, x[i], -(s * y[i]));
        y[i] = fma(s, x[i], c * y[i]);
        x[i] = t;
    }
}
