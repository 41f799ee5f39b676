/* SPDX-License-Identifier: Apache-2.0 */
/* Bodies of the f32 vector kernels over the vocabulary of ISA/vec.h; contract:
 * ref/vector.c. */
#include <math.h>

#define DOT_ACCUMULATORS (64 / VL)

/* One block of up to 64 elements; the lanes past n see fma(0, 0, sum), which keeps every
   sum but -0, and the final + 0.0f takes care of that. */
static inline void dot_tail(vf sum[DOT_ACCUMULATORS], const float *x, const float *y,
                            size_t n)
{
    IL_UNROLL
    for (size_t l = 0; l < DOT_ACCUMULATORS; l++) {
        if (l * VL < n) {
            const size_t left = n - l * VL;
            const size_t count = left < VL ? left : VL;
            sum[l] = vf_fma(vf_load_n(x + l * VL, count), vf_load_n(y + l * VL, count),
                            sum[l]);
        }
    }
}

float IL_ISA_FN(dot_f32)(const float *x, const float *y, size_t n)
{
    vf sum[DOT_ACCUMULATORS];
    float lane[VL];
    size_t i = 0;
    IL_UNROLL
    for (size_t l = 0; l < DOT_ACCUMULATORS; l++) {
        sum[l] = vf_zero();
    }
    for (; i + 64 <= n; i += 64) {
        IL_UNROLL
        for (size_t l = 0; l < DOT_ACCUMULATORS; l++) {
            sum[l] = vf_fma(vf_load(x + i + l * VL), vf_load(y + i + l * VL), sum[l]);
        }
    }
    dot_tail(sum, x + i, y + i, n - i);
    IL_UNROLL
    for (size_t w = DOT_ACCUMULATORS / 2; w > 0; w /= 2) {
        IL_UNROLL
        for (size_t l = 0; l < w; l++) {
            sum[l] = vf_add(sum[l], sum[l + w]);
        }
    }
    vf_store(lane, sum[0]);
    for (size_t w = VL / 2; w > 0; w /= 2) {
        for (size_t l = 0; l < w; l++) {
            lane[l] += lane[l + w];
        }
    }
    return lane[0] + 0.0f;
}

void IL_ISA_FN(axpy_f32)(float a, const float *x, float *y, size_t n)
{
    const vf factor = vf_set1(a);
    size_t i = 0;
    for (; i + VL <= n; i += VL) {
        vf_store(y + i, vf_fma(factor, vf_load(x + i), vf_load(y + i)));
    }
    if (i < n) {
        const vf last = vf_fma(factor, vf_load_n(x + i, n - i), vf_load_n(y + i, n - i));
        vf_store_n(y + i, last, n - i);
    }
}

void IL_ISA_FN(scale_f32)(float a, float *x, size_t n)
{
    const vf factor = vf_set1(a);
    size_t i = 0;
    for (; i + VL <= n; i += VL) {
        vf_store(x + i, vf_mul(factor, vf_load(x + i)));
    }
    if (i < n) {
        vf_store_n(x + i, vf_mul(factor, vf_load_n(x + i, n - i)), n - i);
    }
}

void IL_ISA_FN(normalise_f32)(float *x, size_t n, size_t d, size_t ld)
{
    for (size_t i = 0; i < n; i++) {
        float *row = x + i * ld;
        float length = sqrtf(IL_ISA_FN(dot_f32)(row, row, d));
        length = length < 1e-9f ? 1e-9f : length;
        IL_ISA_FN(scale_f32)(1.0f / length, row, d);
    }
}

static inline vf distance(vf x)
{
    const vf two = vf_set1(2.0f);
    return vf_sqrt(vf_at_least(vf_sub(two, vf_mul(two, x)), 1e-9f));
}

void IL_ISA_FN(distance_f32)(float *x, size_t n)
{
    size_t i = 0;
    for (; i + VL <= n; i += VL) {
        vf_store(x + i, distance(vf_load(x + i)));
    }
    if (i < n) {
        vf_store_n(x + i, distance(vf_load_n(x + i, n - i)), n - i);
    }
}

#ifdef VF_SLEEF_EXP
#define exp_negative VF_SLEEF_EXP
#else
/* Steps and constants: exp_negative in ref/vector.c. The last select drops what the
   scaling made of x < -104, whose q is out of range; NaN compares false and comes through
   the polynomial. */
static inline vf exp_negative(vf x)
{
    const vu q = vf_round(vf_mul(x, vf_set1(1.44269504088896340736f)));
    const vf whole = vu_to_float(q);
    vf s = vf_fma(whole, vf_set1(-0.693145751953125f), x);
    s = vf_fma(whole, vf_set1(-1.428606765330187045e-06f), s);
    vf u = vf_set1(0.000198527617612853646278381f);
    u = vf_fma(u, s, vf_set1(0.00139304355252534151077271f));
    u = vf_fma(u, s, vf_set1(0.00833336077630519866943359f));
    u = vf_fma(u, s, vf_set1(0.0416664853692054748535156f));
    u = vf_fma(u, s, vf_set1(0.166666671633720397949219f));
    u = vf_fma(u, s, vf_set1(0.5f));
    u = vf_add(vf_set1(1.0f), vf_fma(vf_mul(s, s), u, s));
    const vu half = vu_half(q);
    u = vf_mul(vf_mul(u, vu_pow2(half)), vu_pow2(vu_sub(q, half)));
    return vf_select(vf_gt(vf_set1(-104.0f), x), vf_zero(), u);
}
#endif

void IL_ISA_FN(gauss_f32)(float *x, size_t n, float width)
{
    const vf g = vf_set1(-1.0f / (2.0f * width * width));
    size_t i = 0;
    for (; i + VL <= n; i += VL) {
        const vf v = vf_load(x + i);
        vf_store(x + i, exp_negative(vf_mul(vf_mul(v, v), g)));
    }
    if (i < n) {
        const vf v = vf_load_n(x + i, n - i);
        vf_store_n(x + i, exp_negative(vf_mul(vf_mul(v, v), g)), n - i);
    }
}
