/* SPDX-License-Identifier: Apache-2.0 */
/* Row top-k with the best of every column: the definition. Scores, order and what is
   never kept are those of match1.c. */
#include "score.h"

void il_topk_f32_ref(const struct il_topk_block *t)
{
    for (size_t i = 0; i < t->a_rows; i++) {
        for (size_t j = 0; j < t->b_rows; j++) {
            const float score = il_score_ref(t->a, i, t->b, j, t->k, 0.0f);
            il_topk_insert(t->row_value + i * t->top, t->row_index + i * t->top, t->top,
                           score, t->b_index ? t->b_index[j] : (uint32_t)j);
            if (t->col_value != NULL) {
                il_topk_insert(t->col_value + j, t->col_index + j, 1, score,
                               t->a_index ? t->a_index[i] : (uint32_t)i);
            }
        }
    }
}
