/* SPDX-License-Identifier: Apache-2.0 */
#include "src/link/check.h"

#include <stdlib.h>

#include "src/base/base.h"
#include "src/link/method.h"

#define THREADS_MAX 256

static enum il_status check_matrix(const struct il_matrix *m, const char *side,
                                   struct il_error *error)
{
    if (!m || il_dtype_bytes(m->type) == 0 || (m->rows && !m->data)) {
        return il_fail(error, IL_EARG, "side %s: no rows or an unknown type", side);
    }
    if (m->dim == 0 || m->dim > IL_DIM_MAX) {
        return il_fail(error, IL_EARG, "side %s: dimension %zu, wanted 1 to %u", side,
                       m->dim, IL_DIM_MAX);
    }
    if (m->rows > IL_ROWS_MAX) {
        return il_fail(error, IL_EARG, "side %s: %zu rows, at most %u", side, m->rows,
                       IL_ROWS_MAX);
    }
    return IL_OK;
}

enum il_status il_check_sides(const struct il_matrix *a, const struct il_matrix *b,
                              struct il_error *error)
{
    enum il_status status = check_matrix(a, "A", error);
    return status ? status : check_matrix(b, "B", error);
}

enum il_status il_check_config(const struct il_link_config *c, struct il_error *error)
{
    if (c->struct_bytes != sizeof *c) {
        return il_fail(error, IL_EARG,
                       "config: not made by il_link_config_init of this version");
    }
    const struct il_method_row *method = il_method_find(c->method);
    if (!method) {
        return il_fail(error, IL_EARG, "config: unknown method %d", (int)c->method);
    }
    if (c->threads > THREADS_MAX) {
        return il_fail(error, IL_EARG, "config: %u threads, at most %d", c->threads,
                       THREADS_MAX);
    }
    if (c->views && (c->views < 2 || c->views > 64)) {
        return il_fail(error, IL_EARG, "config: %u views, wanted 2 to 64", c->views);
    }
    if (c->folds && (c->folds < 2 || c->folds > 16)) {
        return il_fail(error, IL_EARG, "config: %u folds, wanted 2 to 16", c->folds);
    }
    if ((unsigned)c->scope > IL_SCOPE_LOCAL) {
        return il_fail(error, IL_EARG, "config: unknown scope %d", (int)c->scope);
    }
    if (c->scope != IL_SCOPE_AUTO && !method->scoped) {
        return il_fail(error, IL_EARG, "config: a scope is not for the method %s",
                       method->name);
    }
    if (!(c->posterior_min <= 1)) {
        return il_fail(error, IL_EARG, "config: posterior_min %g, at most 1",
                       c->posterior_min);
    }
    return IL_OK;
}

static int compare_u64(const void *x, const void *y)
{
    uint64_t a = *(const uint64_t *)x, b = *(const uint64_t *)y;
    return (a > b) - (a < b);
}

enum il_status il_check_pairs(const char *what, const struct il_pair *pairs, size_t count,
                              const struct il_matrix *a, const struct il_matrix *b,
                              struct il_error *error)
{
    if (count && !pairs) {
        return il_fail(error, IL_EARG, "%ss: a count of %zu but none", what, count);
    }
    uint64_t *rows = il_alloc(count, sizeof *rows);
    enum il_status status = IL_OK;
    if (!rows) {
        return il_fail(error, IL_ENOMEM, "%ss: no memory", what);
    }
    for (int side = 0; side < 2 && !status; side++) {
        for (size_t i = 0; i < count && !status; i++) {
            rows[i] = side ? pairs[i].b : pairs[i].a;
            size_t limit = side ? b->rows : a->rows;
            if (rows[i] >= limit) {
                status = il_fail(error, IL_EARG,
                                 "%s %zu: row %llu of side %s, which has %zu", what, i,
                                 (unsigned long long)rows[i], side ? "B" : "A", limit);
            }
        }
        if (!status && count) {
            qsort(rows, count, sizeof *rows, compare_u64);
        }
        for (size_t i = 1; i < count && !status; i++) {
            if (rows[i] == rows[i - 1]) {
                status =
                    il_fail(error, IL_EARG, "%ss: row %llu of side %s stands in two %ss",
                            what, (unsigned long long)rows[i], side ? "B" : "A", what);
            }
        }
    }
    il_free(rows);
    return status;
}
