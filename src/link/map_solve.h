/* SPDX-License-Identifier: Apache-2.0 */
/* The least squares of a map: sums over folds of the links, and their solutions. */
#ifndef IL_MAP_SOLVE_H
#define IL_MAP_SOLVE_H

#include "src/link/mapping.h"

#define IL_MAP_FOLDS_MAX 16

/* Sums of one direction, over the links of each fold. */
struct il_map_sums {
    const struct il_map_sides *sides;
    const struct il_map_links *links;
    int way;
    size_t d, k;
    double *g[IL_MAP_FOLDS_MAX]; /* d x d: X'wX */
    double *c[IL_MAP_FOLDS_MAX]; /* d x k: X'wY */
};
IL_MUST_CHECK enum il_status il_map_sums_open(struct il_map_sums *out,
                                              const struct il_map_sides *sides,
                                              const struct il_map_links *links, int way);
void il_map_sums_close(struct il_map_sums *sums);

/*
 * One matrix a fold, fitted without the links of that fold, and behind them one fitted on
 * all: matrix is (folds + 1) x d x k. Of an orthogonal map lambda does not matter; rank
 * receives that of the last.
 */
IL_MUST_CHECK enum il_status il_map_solve(const struct il_map_sums *sums,
                                          enum il_map_kind kind, double lambda,
                                          float *matrix, uint64_t *rank);

/* The clusters of a local map: centres (clusters x d) and the width of the choice. */
struct il_map_clusters {
    size_t count;
    float *centre;
    double width;
    struct il_top3 *near; /* of every link's row, nearest first */
};
/* Clusters that so many links give; below 2: no local map. */
size_t il_map_cluster_count(size_t links);
IL_MUST_CHECK enum il_status il_map_clusters_open(struct il_map_clusters *out,
                                                  const struct il_map_sums *sums);
void il_map_clusters_close(struct il_map_clusters *clusters);

/*
 * For every lambda (lambdas), fold (and all) and cluster the matrix that is drawn towards
 * `base` ((folds + 1) x d x k): matrix is lambdas x (folds + 1) x clusters x d x k.
 */
IL_MUST_CHECK enum il_status il_map_solve_local(const struct il_map_sums *sums,
                                                const struct il_map_clusters *clusters,
                                                const float *base, const double *lambda,
                                                size_t lambdas, float *matrix);

#endif
