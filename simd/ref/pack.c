/* SPDX-License-Identifier: Apache-2.0 */
/* Panels and rows brought together: the definition. Copies, so no order of operations. */
#include "../internal.h"

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
