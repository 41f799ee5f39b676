/* SPDX-License-Identifier: Apache-2.0 */
/* The table of methods: one row each, and one file each behind it. */
#include "src/link/method.h"

static const struct il_method_row table[] = {
    {.method = IL_METHOD_GEH,
     .name = "geh",
     .sides = {IL_COLUMNS_MAX, 1, 1},
     .scoped = 1,
     .seedless = 1,
     .run = il_geh},
    {.method = IL_METHOD_GEH_PUBLISHED,
     .name = "geh-published",
     .sides = {IL_COLUMNS_MAX, 0, 0},
     .trials = 1,
     .run = il_geh_published},
    {.method = IL_METHOD_PROCRUSTES,
     .name = "procrustes",
     .sides = {IL_COLUMNS_MAX, 1, 1},
     .run = il_procrustes},
    {.method = IL_METHOD_RIDGE,
     .name = "ridge",
     .sides = {IL_COLUMNS_MAX, 1, 1},
     .run = il_ridge},
    {.method = IL_METHOD_CCA,
     .name = "cca",
     .sides = {IL_COLUMNS_MAX, 1, 1},
     .run = il_cca},
    {.method = IL_METHOD_CSLS,
     .name = "csls",
     .sides = {IL_COLUMNS_MAX, 1, 1},
     .run = il_csls},
    {.method = IL_METHOD_MLP,
     .name = "mlp",
     .sides = {IL_COLUMNS_MAX, 1, 1},
     .run = il_mlp},
    {.method = IL_METHOD_RELATIVE,
     .name = "relative",
     .sides = {IL_COLUMNS_MAX, 1, 0},
     .run = il_relative},
    {.method = IL_METHOD_MINI_VEC2VEC,
     .name = "mini-vec2vec",
     .sides = {IL_COLUMNS_MAX, 1, 1},
     .seedless = 1,
     .run = il_mini_vec2vec},
};

const struct il_method_row *il_method_find(enum il_method method)
{
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        if (table[i].method == method) {
            return &table[i];
        }
    }
    return NULL;
}

const char *il_method_text(enum il_method method)
{
    const struct il_method_row *row = il_method_find(method);
    return row ? row->name : NULL;
}
