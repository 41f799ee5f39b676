/* SPDX-License-Identifier: Apache-2.0 */
/* Conversions to f32: the definition. Exact, but f64 which rounds to nearest even. */
#include "../internal.h"

#include <string.h>

/* Half to float by bits; a signalling NaN becomes quiet and keeps its payload, as in
 * hardware. */
static float half_to_float(uint16_t h)
{
    const uint32_t sign = (uint32_t)(h & 0x8000u) << 16;
    const uint32_t exponent = (h >> 10) & 31u;
    uint32_t fraction = h & 1023u;
    uint32_t bits;
    if (exponent == 31u) {
        bits = 0x7f800000u | (fraction << 13) | (fraction != 0 ? 0x400000u : 0u);
    } else if (exponent != 0) {
        bits = ((exponent + 112u) << 23) | (fraction << 13);
    } else if (fraction == 0) {
        bits = 0;
    } else { /* denormal: shift until the leading one is the implicit bit */
        uint32_t e = 113u;
        while ((fraction & 1024u) == 0) {
            fraction <<= 1;
            e--;
        }
        bits = (e << 23) | ((fraction & 1023u) << 13);
    }
    bits |= sign;
    float out;
    memcpy(&out, &bits, sizeof out);
    return out;
}

void il_f16_to_f32_ref(const uint16_t *x, size_t n, float *out)
{
    for (size_t i = 0; i < n; i++) {
        out[i] = half_to_float(x[i]);
    }
}

void il_i8_to_f32_ref(const int8_t *x, size_t n, float *out)
{
    for (size_t i = 0; i < n; i++) {
        out[i] = (float)x[i];
    }
}

void il_u8_to_f32_ref(const uint8_t *x, size_t n, float *out)
{
    for (size_t i = 0; i < n; i++) {
        out[i] = (float)x[i];
    }
}

void il_f64_to_f32_ref(const double *x, size_t n, float *out)
{
    for (size_t i = 0; i < n; i++) {
        out[i] = (float)x[i];
    }
}
