/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fused matcher: the definition. Score (i, j) is one chain of fma over q ascending from
 * +0; it is offered to row list i under the index of j and to column list j under the
 * index of i. The lists do not depend on the order of the offers, for il_top3_insert is a
 * total order on (value, index): larger value first, -0 = +0, then lower index. NaN
 * compares false and is never kept.
 */
#include "score.h"

void il_match3_f32_ref(const struct il_match3_block *t)
{
    for (size_t i = 0; i < t->a_rows; i++) {
        for (size_t j = 0; j < t->b_rows; j++) {
            const float score = il_score_ref(t->a, i, t->b, j, t->k, 0.0f);
            il_top3_insert(&t->row[i], score, t->b_index ? t->b_index[j] : (uint32_t)j);
            il_top3_insert(&t->col[j], score, t->a_index[i]);
        }
    }
}
