/* SPDX-License-Identifier: Apache-2.0 */
/* Blocks of 64 rows: from f32 rows to each codec, and single rows back to f32. */
#include "formats/segment_inner.h"

#include "simd/simd.h"
#include "src/base/base.h"

#include <float.h>
#include <math.h>

#define BLOCK IL_SEGMENT_BLOCK

/* Largest e4m3fn value, and the byte that i8 is scaled to. */
#define E4M3_MAX 448.0f
#define I8_MAX 127.0f

static uint32_t bits_of(float x)
{
    uint32_t bits;
    memcpy(&bits, &x, sizeof(bits));
    return bits;
}

static float float_of(uint32_t bits)
{
    float x;
    memcpy(&x, &bits, sizeof(x));
    return x;
}

float il_segment_limit(enum il_codec codec)
{
    switch (codec) {
    case IL_CODEC_F16:
        return 0x1.ffdffep+15f; /* from 65520 on f16 rounds to infinity */
    case IL_CODEC_I8:
    case IL_CODEC_E4M3:
        return 0x1p127f; /* rounding up must not leave f32 */
    case IL_CODEC_F32:
    case IL_CODEC_B1:
        break;
    }
    return FLT_MAX;
}

float il_segment_scale(enum il_codec codec, float abs_max)
{
    /* Below the smallest normal number a quotient would not fit; such rows become 0. */
    if (codec == IL_CODEC_I8)
        return fmaxf(abs_max / I8_MAX, FLT_MIN);
    /* The smallest power of two that brings abs_max to 448 or less: 448 = 0.875 2^9. */
    int exponent = 0;
    float fraction = frexpf(abs_max, &exponent);
    int power = fraction > 0.875f ? exponent - 8 : exponent - 9;
    return abs_max > 0 && power > FLT_MIN_EXP - 1 ? ldexpf(1, power) : FLT_MIN;
}

/* To nearest even; |x| below 65520. */
static inline uint16_t to_f16(float x)
{
    uint32_t sign = bits_of(x) >> 16 & 0x8000, size = bits_of(x) & 0x7fffffff;
    /* 0.5f has the unit of the smallest f16, 2^-24: the sum rounds where f16 would. */
    uint32_t small = bits_of(float_of(size) + 0.5f) - 0x3f000000;
    uint32_t normal = (size - 0x38000000 + 0xfff + (size >> 13 & 1)) >> 13;
    return (uint16_t)(sign | (size < 0x38800000 ? small : normal));
}

/* To nearest even; |x| up to 448. The same with unit 2^-9 and 3 bits of fraction. */
static inline uint8_t to_e4m3(float x)
{
    uint32_t sign = bits_of(x) >> 24 & 0x80, size = bits_of(x) & 0x7fffffff;
    uint32_t small = bits_of(float_of(size) + 16384.0f) - 0x46800000;
    uint32_t normal = (size - 0x3c000000 + 0x7ffff + (size >> 20 & 1)) >> 20;
    return (uint8_t)(sign | (size < 0x3c800000 ? small : normal));
}

static void encode_f16(size_t dim, const float *x, unsigned char *out)
{
    for (size_t q = 0; q < dim; q++) {
        uint16_t half[BLOCK];
        for (size_t r = 0; r < BLOCK; r++)
            half[r] = to_f16(x[q * BLOCK + r]);
        memcpy(out + q * sizeof(half), half, sizeof(half));
    }
}

static void encode_e4m3(size_t dim, const float *x, const float *scale,
                        unsigned char *out)
{
    float factor[BLOCK];
    for (size_t r = 0; r < BLOCK; r++)
        factor[r] = 1 / scale[r]; /* exact: powers of two */
    for (size_t q = 0; q < dim; q++)
        for (size_t r = 0; r < BLOCK; r++)
            out[q * BLOCK + r] = to_e4m3(x[q * BLOCK + r] * factor[r]);
}

void il_segment_encode_block(enum il_codec codec, size_t dim, const float *x, size_t rows,
                             const float *scale, float *packed, unsigned char *out)
{
    const struct il_simd *simd = il_simd();
    float scales[BLOCK];
    IL_ASSERT(rows >= 1 && rows <= BLOCK);
    if (codec == IL_CODEC_B1) {
        memset(out, 0, il_codec_block_bytes(codec, dim));
        simd->sign_bits(x, rows, dim, dim, (uint64_t *)(void *)out);
        return;
    }
    if (codec == IL_CODEC_F32) {
        simd->pack_f32(x, rows, dim, dim, BLOCK, (float *)(void *)out);
        return;
    }
    if (codec == IL_CODEC_I8) {
        simd->block_i8(x, rows, dim, dim, scale, (int8_t *)out);
        return;
    }
    simd->pack_f32(x, rows, dim, dim, BLOCK, packed);
    if (codec == IL_CODEC_F16) {
        encode_f16(dim, packed, out);
        return;
    }
    for (size_t r = 0; r < BLOCK; r++)
        scales[r] = r < rows ? scale[r] : 1;
    encode_e4m3(dim, packed, scales, out);
}

static float from_e4m3(uint8_t byte)
{
    int exponent = byte >> 3 & 15, fraction = byte & 7;
    float out = exponent == 0 ? ldexpf((float)fraction, -9)
                              : ldexpf((float)(8 + fraction), exponent - 10);
    if ((byte & 0x7f) == 0x7f)
        out = NAN;
    return byte & 0x80 ? -out : out;
}

void il_codec_row(enum il_codec codec, size_t dim, const void *block, size_t row,
                  float scale, float *out)
{
    const unsigned char *x = block;
    IL_ASSERT(row < BLOCK);
    switch (codec) {
    case IL_CODEC_F32:
        for (size_t q = 0; q < dim; q++)
            memcpy(out + q, x + (q * BLOCK + row) * 4, 4);
        return;
    case IL_CODEC_F16:
        for (size_t q = 0; q < dim; q++) {
            uint16_t half;
            memcpy(&half, x + (q * BLOCK + row) * 2, 2);
            il_simd()->f16_to_f32(&half, 1, out + q);
        }
        return;
    case IL_CODEC_I8:
        for (size_t q = 0; q < dim; q++)
            out[q] = (float)(int8_t)x[q / 4 * (4 * BLOCK) + 4 * row + q % 4] * scale;
        return;
    case IL_CODEC_E4M3:
        for (size_t q = 0; q < dim; q++)
            out[q] = from_e4m3(x[q * BLOCK + row]) * scale;
        return;
    case IL_CODEC_B1:
        /* Little-endian words: bit q % 64 of word q / 64 is bit q % 8 of byte q / 8. */
        x += row * ((dim + 63) / 64 * 8);
        for (size_t q = 0; q < dim; q++)
            out[q] = x[q / 8] >> (q % 8) & 1 ? 1.0f : -1.0f;
        return;
    }
}
