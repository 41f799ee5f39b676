/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `csls`: the orthogonal map of `procrustes`, and cross-domain similarity local scaling
 * in place of the cosine: CSLS(x W, y) = 2 cos(x W, y) - r(x W) - r(y), where r is the
 * mean cosine of a row to its 10 nearest rows of the other side (Conneau et al. 2018,
 * "Word Translation Without Parallel Data", arXiv 1710.04087, section 2.3). It
 * takes from hubs, rows that are near to everything, what they have too much.
 */
#include "src/link/seeded.h"

/* K of the paper. */
#define NEIGHBOURS 10

enum il_status il_csls(struct il_method_job *job, const struct il_side *a,
                       const struct il_side *b)
{
    const struct il_seeded_options options = {.embed = il_procrustes_embed,
                                              .neighbours = NEIGHBOURS};
    enum il_status status = il_seeded_run(job, a, b, &options);
    return status ? status : il_procrustes_bound(job, a, b);
}
