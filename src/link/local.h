/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Local matching of large sides: rows meet only where they share a cluster, so that the
 * cost grows with n instead of n m.
 */
#ifndef IL_LOCAL_H
#define IL_LOCAL_H

#include "src/link/frame.h"

/* Rows of a side in a cluster, on average, and clusters that a row joins (at most IL_TOP;
   0: all rows meet) in each of the replicates, which are independent partitions. */
struct il_local_options {
    size_t rows;
    unsigned nearest;
    unsigned replicates;
};

void il_local_options_init(struct il_local_options *options);

/*
 * As il_match of all n rows of A against panels of all m rows of B, but a pair is scored
 * only where both its rows join a cluster. The signatures hold stored coordinates (no
 * maps), in one common space: a right pair lies close together there. Clusters are those
 * of k-means (Lloyd's turns, a fixed number) over a sample of both sides' signatures
 * without scale and tail; a row joins its nearest centres by Euclidean distance. row and
 * col are updated, not cleared, and hold no pair twice. Falls back to one cluster of all
 * rows where that is no dearer. Memory: O(n + m) beside the panels of a cluster.
 */
IL_MUST_CHECK enum il_status il_match_local(struct il_frame *frame,
                                            const struct il_signature *a, size_t n,
                                            const struct il_signature *b, size_t m,
                                            const struct il_local_options *options,
                                            uint64_t round, struct il_top3 *row,
                                            struct il_top3 *col);

/* Clusters of each partition that il_match_local would take; 0: all rows meet. */
size_t il_local_clusters(size_t n, size_t m, const struct il_local_options *options);

/* The centres of its partitions: replicates x clusters x coordinates. IL_ENOMEM;
 * IL_ECANCEL. */
IL_MUST_CHECK enum il_status il_local_centres(struct il_frame *frame,
                                              const struct il_signature *a, size_t n,
                                              const struct il_signature *b, size_t m,
                                              const struct il_local_options *options,
                                              uint64_t round, float *centre);

#endif
