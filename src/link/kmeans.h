/* SPDX-License-Identifier: Apache-2.0 */
/* K-means of points in memory: the clusters in which rows meet, and the codebooks of the
 * start without seeds. */
#ifndef IL_KMEANS_H
#define IL_KMEANS_H

#include "src/link/frame.h"

/* What a k-means works on; the caller owns all of it. */
struct il_kmeans {
    const float *point; /* count x d, finite or skipped */
    size_t count, d;
    size_t centres;
    float *centre;        /* centres x d; written */
    float *half;          /* half the squared length of each centre; written */
    struct il_top3 *near; /* count lists: the nearest centres before the last move */
    int started;          /* 1: the centres are there to start from */
};

/* near[i] = the nearest centres of each point, by Euclidean distance, ties to the lowest
 * centre. */
IL_MUST_CHECK enum il_status il_kmeans_nearest(struct il_frame *frame,
                                               const struct il_kmeans *k,
                                               const struct il_signature *points,
                                               size_t count, struct il_top3 *near);

/*
 * Lloyd's turns, a fixed number, from centres that are random points (all different
 * ones), unless there are some. A centre that loses all members stays where it is.
 * IL_EARG: fewer points than centres; IL_ENOMEM; IL_ECANCEL. Cost O(turns count centres
 * d).
 */
IL_MUST_CHECK enum il_status il_kmeans_run(struct il_frame *frame,
                                           const struct il_kmeans *k, unsigned turns,
                                           struct il_rng *rng);

#endif
