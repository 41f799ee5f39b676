/* SPDX-License-Identifier: Apache-2.0 */
/* The score of two packed rows, of which every product and matcher is made. */
#ifndef IL_REF_SCORE_H
#define IL_REF_SCORE_H

#include "../internal.h"

#include <math.h>

/* sum, then one fma per coordinate q ascending: row i of a, row j of b, k coordinates. */
static inline float il_score_ref(const float *a, size_t i, const float *b, size_t j,
                                 size_t k, float sum)
{
    const float *x = a + i / IL_MR_REF * IL_MR_REF * k + i % IL_MR_REF;
    const float *y = b + j / IL_NR_REF * IL_NR_REF * k + j % IL_NR_REF;
    for (size_t q = 0; q < k; q++) {
        sum = fmaf(x[q * IL_MR_REF], y[q * IL_NR_REF], sum);
    }
    return sum;
}

#endif
