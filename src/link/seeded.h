/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the methods share that bring both sides into one space by the seeds alone and link
 * the mutual nearest neighbours there: procrustes, ridge, cca, csls, relative, mlp.
 */
#ifndef IL_SEEDED_H
#define IL_SEEDED_H

#include "src/link/method.h"

/* The rows of both sides in one space. */
struct il_space {
    float *x[2];   /* rows of A, of B, stride k */
    float *own[2]; /* what of them was made for it */
    size_t k;
};

/* Allocates rows of k coordinates for a side; x points to them. IL_ENOMEM. */
IL_MUST_CHECK enum il_status il_space_take(struct il_space *space, int side, size_t rows,
                                           size_t k);
void il_space_free(struct il_space *space);

/*
 * Brings both sides into one space, knowing these pairs (at least 2) alone. space is
 * empty, and left for il_space_free also on failure. Not all rows of the seeds are 0, on
 * either side. IL_EBOOTSTRAP: the pairs say nothing all the same.
 */
typedef enum il_status il_embed_fn(struct il_frame *frame, const struct il_side *a,
                                   const struct il_side *b, const struct il_anchor *seeds,
                                   size_t count, struct il_space *space);

struct il_seeded_options {
    il_embed_fn *embed;
    size_t neighbours; /* of the CSLS radii; 0: inner products as they are */
};

/*
 * Runs such a method: all mutual nearest neighbours under the inner product (or CSLS) of
 * the space of all seeds, but those that touch a seed. These methods have no acceptance
 * rule; how they say how far to trust them stands in README.md, "Methods of the seeds
 * alone". Cost: a fit, a pass over both sides and, with CSLS, a matching for each of 5
 * groups of seeds held back and once for all; one matching of all rows, n m k. Memory
 * O((n + m) (d + k)).
 */
IL_MUST_CHECK enum il_status il_seeded_run(struct il_method_job *job,
                                           const struct il_side *a,
                                           const struct il_side *b,
                                           const struct il_seeded_options *options);

/* sum (d x d', f64, overwritten) of the seeds' products: pick 0: A'A, 1: B'B, 2: A'B. */
IL_MUST_CHECK enum il_status
il_seed_products(struct il_frame *frame, const struct il_side *a, const struct il_side *b,
                 const struct il_anchor *seeds, size_t count, int pick, double *sum);

/* The space of method_procrustes.c; method_csls.c takes it too. */
il_embed_fn il_procrustes_embed;

/* Fills report->fit_error and fit_bound; see method_procrustes.c. */
IL_MUST_CHECK enum il_status il_procrustes_bound(struct il_method_job *job,
                                                 const struct il_side *a,
                                                 const struct il_side *b);

#endif
