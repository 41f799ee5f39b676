/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Product of packed rows: the definition. Each output is one chain of fma over q
 * ascending, from +0 or from the value in C; a version that blocks q continues the chain
 * in C.
 */
#include "score.h"

void il_gemm_f32_ref(size_t n, size_t m, size_t k, const float *a, const float *b,
                     float *c, size_t ld_c, int accumulate)
{
    for (size_t i = 0; i < n; i++) {
        for (size_t j = 0; j < m; j++) {
            float *out = c + i * ld_c + j;
            *out = il_score_ref(a, i, b, j, k, accumulate ? *out : 0.0f);
        }
    }
}
