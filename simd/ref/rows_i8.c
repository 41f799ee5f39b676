/* SPDX-License-Identifier: Apache-2.0 */
/*
 * i8 rows x i8 anchors: the definition. A sum modulo 2^32, so no order of operations.
 * Packed anchors of ref: panels of IL_ROWS_ANCHORS, four coordinates of an anchor
 * together, as in the blocks.
 */
#include "../internal.h"

#include <string.h>

void il_rows_pack_i8_ref(const int8_t *x, size_t k, size_t d, size_t ld, void *out)
{
    const size_t w = IL_ROWS_ANCHORS;
    int8_t *to = out;
    for (size_t p = 0; p < k; p += w) {
        for (size_t q = 0; q < d; q += 4) {
            for (size_t i = 0; i < 4 * w; i++) {
                const size_t a = p + i / 4;
                *to++ = a < k && q + i % 4 < d ? x[a * ld + q + i % 4] : 0;
            }
        }
    }
}

void il_rows_i8i8_ref(size_t blocks, size_t d, size_t k, const int8_t *x,
                      const void *anchors, int32_t *out)
{
    const size_t w = IL_ROWS_ANCHORS;
    const size_t groups = (d + 3) / 4;
    for (size_t i = 0; i < blocks * k * IL_ROWS; i++) {
        const size_t a = i / IL_ROWS % k;
        const int8_t *row = x + i / IL_ROWS / k * il_rows_i8_block(d) + i % IL_ROWS * 4;
        const int8_t *with = (const int8_t *)anchors + (a / w * groups * w + a % w) * 4;
        uint32_t sum = 0;
        for (size_t q = 0; q < d; q++) {
            const int product =
                row[q / 4 * (4 * IL_ROWS) + q % 4] * with[q / 4 * (4 * w) + q % 4];
            sum += (uint32_t)product;
        }
        memcpy(out + i, &sum, sizeof sum);
    }
}
