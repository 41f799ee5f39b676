/* SPDX-License-Identifier: Apache-2.0 */
/* Vectors of f32: the definition. The order of operations below is the contract of every
 * ISA. */
#include "../internal.h"

#include <math.h>
#include <string.h>

enum { LANES = 64 };

/*
 * 64 lanes start at +0; element i goes to lane i mod 64 by one fma, ascending. Then lanes
 * l and l + w are added for w = 32, 16, ... 1, and + 0.0f turns a sum of -0 (products
 * that all underflowed) into +0, for a masked-off lane of a vector version may hold
 * either zero.
 */
float il_dot_f32_ref(const float *x, const float *y, size_t n)
{
    float sum[LANES] = {0};
    for (size_t i = 0; i < n; i++) {
        sum[i % LANES] = fmaf(x[i], y[i], sum[i % LANES]);
    }
    for (size_t w = LANES / 2; w > 0; w /= 2) {
        for (size_t l = 0; l < w; l++) {
            sum[l] += sum[l + w];
        }
    }
    return sum[0] + 0.0f;
}

/* y[i] = fma(a, x[i], y[i]). */
void il_axpy_f32_ref(float a, const float *x, float *y, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        y[i] = fmaf(a, x[i], y[i]);
    }
}

/* x[i] = a * x[i]. */
void il_scale_f32_ref(float a, float *x, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        x[i] = a * x[i];
    }
}

/*
 * length = sqrt(dot(r, r)); where it is below 1e-9, 1e-9 (a NaN length stays NaN and
 * makes the row NaN); then r[i] = (1 / length) * r[i], the reciprocal rounded once.
 */
void il_normalise_f32_ref(float *x, size_t n, size_t d, size_t ld)
{
    for (size_t i = 0; i < n; i++) {
        float *row = x + i * ld;
        float length = sqrtf(il_dot_f32_ref(row, row, d));
        length = length < 1e-9f ? 1e-9f : length;
        il_scale_f32_ref(1.0f / length, row, d);
    }
}

/* t = 2 - 2 x; where t < 1e-9, 1e-9 (NaN stays); x = sqrt(t). */
void il_distance_f32_ref(float *x, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const float t = 2.0f - 2.0f * x[i];
        x[i] = sqrtf(t < 1e-9f ? 1e-9f : t);
    }
}

/* 2^q as a float, -126 <= q <= 127. */
static float pow2(int32_t q)
{
    const uint32_t bits = (uint32_t)(q + 127) << 23;
    float out;
    memcpy(&out, &bits, sizeof out);
    return out;
}

/*
 * The steps of SLEEF's Sleef_finz_expf1_u10purecfma (https://sleef.org, Boost licence),
 * for x <= 0 or NaN: range reduction by q = round(x / ln 2), polynomial of degree 6,
 * scaling in two halves so that denormal results round once. Written out because the
 * library's own scalar version needs an FMA unit and is absent on some ARM systems; fmaf
 * is exact everywhere.
 */
static float exp_negative(float x)
{
    if (x < -104.0f) {
        return 0.0f;
    }
    if (x != x) {
        return x;
    }
    const float whole =
        rintf(x * 1.442695040888963407359924681001892137426645954152985934135f);
    const int32_t q = (int32_t)whole;
    float s = fmaf(whole, -0.693145751953125f, x);
    s = fmaf(whole, -1.428606765330187045e-06f, s);
    float u = 0.000198527617612853646278381f;
    u = fmaf(u, s, 0.00139304355252534151077271f);
    u = fmaf(u, s, 0.00833336077630519866943359f);
    u = fmaf(u, s, 0.0416664853692054748535156f);
    u = fmaf(u, s, 0.166666671633720397949219f);
    u = fmaf(u, s, 0.5f);
    u = 1.0f + fmaf(s * s, u, s);
    const int32_t half = q < 0 ? -((1 - q) / 2) : q / 2; /* q >> 1, rounding down */
    return u * pow2(half) * pow2(q - half);
}

/* g = -1 / (2 width width), rounded at each step; x[i] = exp((x[i] x[i]) g), exp as
 * above. */
void il_gauss_f32_ref(float *x, size_t n, float width)
{
    const float g = -1.0f / (2.0f * width * width);
    for (size_t i = 0; i < n; i++) {
        x[i] = exp_negative((x[i] * x[i]) * g);
    }
}
