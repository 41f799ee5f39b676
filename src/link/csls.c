/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Mutual nearest neighbours and the radius of cross-domain similarity local scaling
 * (CSLS, Conneau et al. 2018, equation 1): score(u, v) = 2 cos(u, v) - r(u) - r(v).
 */
#include <math.h>

#include "src/link/start.h"

size_t il_mutual_pairs(const struct il_top3 *row, size_t rows, const struct il_top3 *col,
                       struct il_mutual *out)
{
    size_t count = 0;
    for (size_t u = 0; u < rows; u++) {
        uint32_t v = row[u].index[0];
        if (v != IL_INDEX_NONE && col[v].index[0] == u) {
            out[count++] = (struct il_mutual){(uint32_t)u, v, row[u].value[0]};
        }
    }
    return count;
}

float il_radius_mean(const struct il_top3 *list, uint32_t gone)
{
    float sum = 0;
    int kept = 0;
    for (int e = 0; e < IL_TOP && kept < IL_RADIUS_NEAREST; e++) {
        if (list->index[e] != IL_INDEX_NONE && list->index[e] != gone) {
            sum += list->value[e];
            kept++;
        }
    }
    return kept ? sum / (float)kept : 0;
}

enum il_status il_radius(struct il_frame *frame, const struct il_signature *s,
                         const uint32_t *rows, size_t count,
                         const struct il_panels *sample, size_t all, float *out,
                         struct il_top3 *nearest)
{
    struct il_top3 *own = nearest ? NULL : il_top3_new(all);
    struct il_top3 *list = nearest ? nearest : own;
    enum il_status status = list ? IL_OK : IL_ENOMEM;
    status = status ? status : il_match(frame, s, rows, count, sample, list, NULL);
    for (size_t i = 0; !status && i < count; i++) {
        size_t u = rows ? rows[i] : i;
        out[u] = il_radius_mean(&list[u], IL_INDEX_NONE);
    }
    il_free(own);
    return status;
}
