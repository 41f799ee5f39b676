/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Cross-fitted views of `geh`: ridge maps in both directions, every row mapped by a fit
 * that did not see its own anchor.
 */
#ifndef IL_VIEW_H
#define IL_VIEW_H

#include "src/link/start.h"

#define IL_FOLDS_MAX 16
#define IL_VIEWS_MAX 64

/* One view: the rows of both sides thrown into folds (the two rows of an anchor into the
   same one) and, per fold, the maps fitted without the fold's anchors. */
struct il_view {
    unsigned folds;
    uint8_t *fold[2];            /* of every row of A and of B */
    float *map[2][IL_FOLDS_MAX]; /* panels: A -> B, B -> A */
};

void il_view_free(struct il_view *view);

/*
 * Fits a view: W = (G + ridge tr(G)/d I)^-1 C with G = A'wA, C = A'wB of the other folds'
 * anchors, and likewise from B to A.
 */
IL_MUST_CHECK enum il_status il_view_fit(struct il_frame *frame, const struct il_side *a,
                                         const struct il_side *b,
                                         const struct il_anchor *anchors, size_t count,
                                         unsigned folds, double ridge, uint64_t round,
                                         uint64_t number, struct il_view *out);

/* out += weight * the unit images of every row of one side (0: A in B's space, n x d_b).
 */
IL_MUST_CHECK enum il_status il_view_images(struct il_frame *frame,
                                            const struct il_view *view,
                                            const struct il_side *from,
                                            const struct il_side *to, int side,
                                            float weight, float *out);

/*
 * Scores of all pairs under the mean of several views: S(u, v) = (<x'_u, y_v> + <x_u,
 * y'_v>) / 2, x' and y' the mean images; CSLS(u, v) = 2 S - r_u - r_v. Holds the three
 * best of every row and column by CSLS, of all pairs (replicates 0) or of those that meet
 * in a cluster of one of so many partitions.
 */
struct il_scores {
    float *image_a, *image_b; /* n x d_b, m x d_a */
    float *radius_a, *radius_b;
    struct il_top3 *near_a, *near_b; /* the neighbours that the radii were measured on */
    /* Per row: its name in the near lists of the other side; NULL: the row's number. */
    const uint32_t *sampled_a, *sampled_b;
    struct il_top3 *row, *col;
};

void il_scores_free(struct il_scores *scores);

IL_MUST_CHECK enum il_status
il_scores_run(struct il_frame *frame, const struct il_side *a, const struct il_side *b,
              const struct il_view *views, size_t view_count, uint64_t round,
              unsigned replicates, struct il_scores *out);

#endif
