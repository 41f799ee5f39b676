/* SPDX-License-Identifier: Apache-2.0 */
/* Row top-k with the best of every column: the matcher of match1.h with longer lists of
   rows; contract: ref/topk.c. Included after match1.h. */

void IL_ISA_FN(topk_f32)(const struct il_topk_block *x)
{
    const struct match_task t = {
        .k = x->k,
        .a = x->a,
        .b = x->b,
        .a_rows = x->a_rows,
        .b_rows = x->b_rows,
        .a_index = x->a_index,
        .b_index = x->b_index,
        .row = {x->row_value, x->row_index, x->top, x->top},
        .col = {x->col_value, x->col_index, x->col_value != NULL, 1},
        .scratch = x->scratch,
    };
    match_run(&t);
}
