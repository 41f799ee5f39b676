/* SPDX-License-Identifier: Apache-2.0 */
/* Row top-k with the best of every column: the definition. Scores, order and what is
   never kept are those of match1.c. */
#include "../internal.h"

#include <math.h>

void il_topk_f32_ref(const struct il_topk_block *t)
{
    for (size_t i = 0; i < t->a_rows; i++) {
        const float *x = t->a + i / IL_MR_REF * IL_MR_REF * t->k + i % IL_MR_REF;
        for (size_t j = 0; j < t->b_rows; j++) {
            const float *y = t->b + j / IL_NR_REF * IL_NR_REF * t->k + j % IL_NR_REF;
            float sum = 0.0f;
            for (size_t q = 0; q < t->k; q++) {
                sum = fmaf(x[q * IL_MR_REF], y[q * IL_NR_REF], sum);
            }
            il_topk_insert(t->row_value + i * t->top, t->row_index + i * t->top, t->top,
                           sum, t->b_index ? t->b_index[j] : (uint32_t)j);
            if (t->col_value != NULL) {
                il_topk_insert(t->col_value + j, t->col_index + j, 1, sum,
                               t->a_index ? t->a_index[i] : (uint32_t)i);
            }
        }
    }
}
