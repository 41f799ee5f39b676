/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Product of packed rows: the definition. Each output is one chain of fma over q
 * ascending, from +0 or from the value in C; a version that blocks q continues the chain
 * in C.
 */
#include "../internal.h"

#include <math.h>

void il_gemm_f32_ref(size_t n, size_t m, size_t k, const float *a, const float *b,
                     float *c, size_t ld_c, int accumulate)
{
    for (size_t i = 0; i < n; i++) {
        const float *x = a + i / IL_MR_REF * IL_MR_REF * k + i % IL_MR_REF;
        for (size_t j = 0; j < m; j++) {
            const float *y = b + j / IL_NR_REF * IL_NR_REF * k + j % IL_NR_REF;
            float sum = accumulate ? c[i * ld_c + j] : 0.0f;
            for (size_t q = 0; q < k; q++) {
                sum = fmaf(x[q * IL_MR_REF], y[q * IL_NR_REF], sum);
            }
            c[i * ld_c + j] = sum;
        }
    }
}
