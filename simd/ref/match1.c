/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fused matcher, the best or two best of rows and columns: the definition. Score (i, j)
 * is one chain of fma over q ascending from +0; it is offered to row list i under the
 * index of j and to column list j under the index of i. The lists do not depend on the
 * order of the offers: larger value first, -0 = +0, then lower index. NaN and -Inf are
 * never kept. Where the winning value is a zero, its sign is that of the score that won.
 */
#include "score.h"

void il_match1_f32_ref(const struct il_match1_block *t)
{
    for (size_t i = 0; i < t->a_rows; i++) {
        for (size_t j = 0; j < t->b_rows; j++) {
            const float score = il_score_ref(t->a, i, t->b, j, t->k, 0.0f);
            il_topk_insert(t->row[i].value, t->row[i].index, t->top, score,
                           t->b_index ? t->b_index[j] : (uint32_t)j);
            il_topk_insert(t->col[j].value, t->col[j].index, t->top, score,
                           t->a_index ? t->a_index[i] : (uint32_t)i);
        }
    }
}
