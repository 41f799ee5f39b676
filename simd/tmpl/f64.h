/* SPDX-License-Identifier: Apache-2.0 */
/* Bodies of the f64 kernels over ISA/vec.h; contract: ref/f64.c. */

#define DOT_ACCUMULATORS (16 / VD)

double IL_ISA_FN(dot_f64)(const double *x, const double *y, size_t n)
{
    vd sum[DOT_ACCUMULATORS];
    double lane[VD];
    size_t i = 0;
    IL_UNROLL
    for (size_t l = 0; l < DOT_ACCUMULATORS; l++) {
        sum[l] = vd_zero();
    }
    for (; i + 16 <= n; i += 16) {
        IL_UNROLL
        for (size_t l = 0; l < DOT_ACCUMULATORS; l++) {
            sum[l] = vd_fma(vd_load(x + i + l * VD), vd_load(y + i + l * VD), sum[l]);
        }
    }
    IL_UNROLL
    for (size_t l = 0; l < DOT_ACCUMULATORS; l++) {
        if (i + l * VD < n) {
            const size_t left = n - i - l * VD;
            const size_t count = left < VD ? left : VD;
            sum[l] = vd_fma(vd_load_n(x + i + l * VD, count),
                            vd_load_n(y + i + l * VD, count), sum[l]);
        }
    }
    IL_UNROLL
    for (size_t w = DOT_ACCUMULATORS / 2; w > 0; w /= 2) {
        IL_UNROLL
        for (size_t l = 0; l < w; l++) {
            sum[l] = vd_add(sum[l], sum[l + w]);
        }
    }
    vd_store(lane, sum[0]);
    for (size_t w = VD / 2; w > 0; w /= 2) {
        for (size_t l = 0; l < w; l++) {
            lane[l] += lane[l + w];
        }
    }
    return lane[0] + 0.0;
}

void IL_ISA_FN(axpy_f64)(double a, const double *x, double *y, size_t n)
{
    const vd factor = vd_set1(a);
    size_t i = 0;
    for (; i + VD <= n; i += VD) {
        vd_store(y + i, vd_fma(factor, vd_load(x + i), vd_load(y + i)));
    }
    if (i < n) {
        const vd last = vd_fma(factor, vd_load_n(x + i, n - i), vd_load_n(y + i, n - i));
        vd_store_n(y + i, last, n - i);
    }
}

void IL_ISA_FN(rot_f64)(double *x, double *y, size_t n, double c, double s)
{
    const vd cos_v = vd_set1(c);
    const vd sin_v = vd_set1(s);
    size_t i = 0;
    for (; i + VD <= n; i += VD) {
        const vd u = vd_load(x + i);
        const vd v = vd_load(y + i);
        vd_store(x + i, vd_fmsub(cos_v, u, vd_mul(sin_v, v)));
        vd_store(y + i, vd_fma(sin_v, u, vd_mul(cos_v, v)));
    }
    if (i < n) {
        const vd u = vd_load_n(x + i, n - i);
        const vd v = vd_load_n(y + i, n - i);
        vd_store_n(x + i, vd_fmsub(cos_v, u, vd_mul(sin_v, v)), n - i);
        vd_store_n(y + i, vd_fma(sin_v, u, vd_mul(cos_v, v)), n - i);
    }
}
