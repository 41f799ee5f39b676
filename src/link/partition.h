/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Local views of a large anchor pool: the anchors are parted by k-means, each part
 * induces one view, every row of a side joins the views nearest to it, and rows meet only
 * inside a view. One partition is a replicate; independent replicates give the votes.
 */
#ifndef IL_PARTITION_H
#define IL_PARTITION_H

#include "src/link/method.h"

struct il_partition_options {
    size_t pool_min;     /* anchors from which on views are local; default 16,384 */
    size_t anchors_max;  /* anchors of a view; default 1,024 */
    size_t anchors_min;  /* parts with fewer anchors induce no view; default 8 */
    unsigned nearest;    /* views that a row joins, 1..IL_TOP; default 2 */
    unsigned turns;      /* of k-means; default 8 */
    unsigned replicates; /* partitions of a round; default 5 */
};

void il_partition_options_init(struct il_partition_options *options);

#define IL_VIEW_NONE UINT16_MAX

/* One replicate. */
struct il_partition {
    size_t views;
    unsigned nearest;
    size_t rows[2];
    uint32_t *anchor;     /* pool positions by view, ascending inside a view */
    size_t *anchor_first; /* views + 1 */
    uint16_t
        *joined[2]; /* views of every row of A and of B, nearest of them, nearest first */
};

/*
 * Parts the pool into ceil(count / anchors_max) clusters by k-means on both sides at
 * once: an anchor (a, b) is the point (x_a, y_b), and its cluster is the c of the largest
 *     <x_a, p_c> + <y_b, q_c> - (|p_c|^2 + |q_c|^2) / 2,      p_c, q_c = means of the
 * members, the nearest in Euclidean distance, ties to the lowest c; the first centres are
 * random anchors, the number of turns is fixed, a cluster that loses all members keeps
 * its centre. A cluster of more than anchors_max anchors is represented by a random
 * sample of that size. Rows of A then join the nearest p_c, rows of B the nearest q_c.
 * The draws are those of (frame->seed, round, replicate, IL_FOR_PARTITION).
 * IL_EARG: no anchors, or options out of range; IL_ELIMIT: more than 65,534 clusters.
 */
IL_MUST_CHECK enum il_status
il_partition_build(struct il_frame *frame, const struct il_side *a,
                   const struct il_side *b, const struct il_anchor *pool, size_t count,
                   const struct il_partition_options *options, uint64_t round,
                   uint64_t replicate, struct il_partition *out);
void il_partition_free(struct il_partition *partition);

/* Frees the lists of anchors: what is left tells who could meet whom. */
void il_partition_trim(struct il_partition *partition);

/* Rows of one side (0 = A) in a view, ascending; out has room for all rows of that side.
 */
size_t il_partition_members(const struct il_partition *partition, int side, size_t view,
                            uint32_t *out);

/* 1 when rows a and b have joined a common view: the replicate could have proposed the
 * pair. */
int il_partition_meets(const struct il_partition *partition, uint32_t a, uint32_t b);

/* il_geh_published with other limits of the local views; NULL = the defaults. */
IL_MUST_CHECK enum il_status
il_geh_published_with(struct il_method_job *job, const struct il_side *a,
                      const struct il_side *b,
                      const struct il_partition_options *options);

#endif
