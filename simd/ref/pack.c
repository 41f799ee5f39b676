/* SPDX-License-Identifier: Apache-2.0 */
/* Panels and rows brought together: the definition. Copies, so no order of operations. */
#include "../internal.h"

#include <string.h>

static void pack(const float *x, const uint32_t *rows, size_t n, size_t k, size_t ld,
                 size_t w, float *out)
{
    for (size_t i = 0; i < n; i += w) {
        for (size_t q = 0; q < k; q++) {
            for (size_t r = i; r < i + w; r++) {
                *out++ = r < n ? x[(rows ? rows[r] : r) * ld + q] : 0.0f;
            }
        }
    }
}

void il_pack_f32_ref(const float *x, size_t n, size_t k, size_t ld, size_t w, float *out)
{
    pack(x, NULL, n, k, ld, w, out);
}

void il_pack_rows_f32_ref(const float *x, const uint32_t *rows, size_t n, size_t k,
                          size_t ld, size_t w, float *out)
{
    pack(x, rows, n, k, ld, w, out);
}

void il_gather_f32_ref(const float *x, const uint32_t *rows, size_t n, size_t d,
                       size_t ld_x, float scale, float *out, size_t ld)
{
    for (size_t i = 0; i < n; i++) {
        const float *from = x + (rows ? rows[i] : i) * ld_x;
        for (size_t q = 0; q < d; q++) {
            out[i * ld + q] = scale * from[q];
        }
    }
}

/* The sum with 1.5 2^23 has the unit 1 and holds the integer in its low byte, in two's
   complement. */
static int8_t to_i8(float x, float scale)
{
    const float sum = x / scale + 12582912.0f;
    uint32_t bits;
    memcpy(&bits, &sum, sizeof bits);
    return (int8_t)(uint8_t)(bits & 0xff);
}

void il_block_i8_ref(const float *x, size_t n, size_t k, size_t ld, const float *scale,
                     int8_t *out)
{
    memset(out, 0, il_rows_i8_block(k));
    for (size_t i = 0; i < n; i++) {
        for (size_t q = 0; q < k; q++) {
            out[q / 4 * (4 * IL_ROWS) + 4 * i + q % 4] = to_i8(x[i * ld + q], scale[i]);
        }
    }
}
