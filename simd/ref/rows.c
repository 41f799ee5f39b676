/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Scores of stored rows against anchors (K1): the definition. Each f32 output is one
 * chain of fma over the coordinates ascending from +0; a stored value is widened exactly
 * before it enters; the scale of an i8 row multiplies the finished chain, once. rows_i8i8
 * is a sum modulo 2^32, so it has no order.
 */
#include "../internal.h"

#include <math.h>
#include <string.h>

/* Stored values of one block: where coordinate q of row r lies, and what it is worth. */
typedef float value_fn(const void *x, size_t q, size_t r);

static float value_f32(const void *x, size_t q, size_t r)
{
    return ((const float *)x)[q * IL_ROWS + r];
}

static float value_f16(const void *x, size_t q, size_t r)
{
    float out;
    il_f16_to_f32_ref((const uint16_t *)x + q * IL_ROWS + r, 1, &out);
    return out;
}

static int8_t byte_i8(const int8_t *x, size_t q, size_t r)
{
    return x[q / 4 * (4 * IL_ROWS) + 4 * r + q % 4];
}

static float value_i8(const void *x, size_t q, size_t r)
{
    return (float)byte_i8(x, q, r);
}

/* OCP e4m3fn: sign, 4 bits of exponent with bias 7, 3 of fraction; no infinity; all ones
 * is NaN. */
static float value_e4m3(const void *x, size_t q, size_t r)
{
    const uint8_t byte = ((const uint8_t *)x)[q * IL_ROWS + r];
    const int exponent = byte >> 3 & 15;
    const int fraction = byte & 7;
    float out = exponent == 0 ? ldexpf((float)fraction, -9)
                              : ldexpf((float)(8 + fraction), exponent - 10);
    if ((byte & 127) == 127) {
        out = NAN;
    }
    return byte & 128 ? -out : out;
}

static float anchor(const float *anchors, size_t d, size_t a, size_t q)
{
    const size_t w = IL_ROWS_ANCHORS;
    return anchors[(a / w * d + q) * w + a % w];
}

static void score_block(value_fn *value, size_t d, size_t k, const void *x,
                        const float *scale, const float *anchors, float *out)
{
    for (size_t r = 0; r < IL_ROWS; r++) {
        for (size_t a = 0; a < k; a++) {
            out[a * IL_ROWS + r] = 0.0f;
        }
        for (size_t q = 0; q < d; q++) {
            const float v = value(x, q, r);
            for (size_t a = 0; a < k; a++) {
                float *sum = &out[a * IL_ROWS + r];
                *sum = fmaf(v, anchor(anchors, d, a, q), *sum);
            }
        }
        for (size_t a = 0; scale && a < k; a++) {
            out[a * IL_ROWS + r] *= scale[r];
        }
    }
}

void il_rows_f32_ref(size_t blocks, size_t d, size_t k, const float *x,
                     const float *anchors, float *out)
{
    for (size_t b = 0; b < blocks; b++) {
        score_block(value_f32, d, k, x + b * d * IL_ROWS, NULL, anchors,
                    out + b * k * IL_ROWS);
    }
}

void il_rows_f16_ref(size_t blocks, size_t d, size_t k, const uint16_t *x,
                     const float *anchors, float *out)
{
    for (size_t b = 0; b < blocks; b++) {
        score_block(value_f16, d, k, x + b * d * IL_ROWS, NULL, anchors,
                    out + b * k * IL_ROWS);
    }
}

void il_rows_e4m3_ref(size_t blocks, size_t d, size_t k, const uint8_t *x,
                      const float *anchors, float *out)
{
    for (size_t b = 0; b < blocks; b++) {
        score_block(value_e4m3, d, k, x + b * d * IL_ROWS, NULL, anchors,
                    out + b * k * IL_ROWS);
    }
}

void il_rows_i8_ref(size_t blocks, size_t d, size_t k, const int8_t *x,
                    const float *scale, const float *anchors, float *out)
{
    for (size_t b = 0; b < blocks; b++) {
        score_block(value_i8, d, k, x + b * il_rows_i8_block(d), scale + b * IL_ROWS,
                    anchors, out + b * k * IL_ROWS);
    }
}
