/* SPDX-License-Identifier: Apache-2.0 */
/* Panels: the definition. A copy, so no order of operations. */
#include "../internal.h"

void il_pack_f32_ref(const float *x, size_t n, size_t k, size_t ld, size_t w, float *out)
{
    for (size_t i = 0; i < n; i += w) {
        for (size_t q = 0; q < k; q++) {
            for (size_t r = 0; r < w; r++) {
                *out++ = i + r < n ? x[(i + r) * ld + q] : 0.0f;
            }
        }
    }
}
