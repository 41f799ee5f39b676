/* SPDX-License-Identifier: Apache-2.0 */
/* What a bootstrap leaves for rows that it has not seen; see live.h. */
#ifndef IL_MODEL_H
#define IL_MODEL_H

#include "src/link/evidence.h"
#include "src/link/live.h"

/* Rows of a side that radii are measured on, and landmarks, at most. */
#define IL_MODEL_SAMPLES 1000
#define IL_MODEL_LANDMARKS 8192
/* Partitions in which the rows of large sides meet, and rows of a side in a cluster. */
#define IL_MODEL_REPLICATES 2
#define IL_MODEL_CLUSTER_ROWS 500

/*
 * Side s has rows of dim[s] coordinates as given and of d[s] when prepared. A signature
 * has k = d[0] + d[1] coordinates: of a row of A its image in B's space, then itself; of
 * a row of B itself, then its image in A's space.
 */
struct il_model {
    size_t dim[2], d[2], k;
    float *mean[2]; /* dim */
    float *axes[2]; /* dim x d */
    unsigned views, folds;
    float *map[2]; /* views x folds x (d[s] x d[!s]): A -> B, B -> A */
    size_t anchors;
    uint64_t *anchor_key[2]; /* ascending */
    uint8_t *anchor_fold[2]; /* anchors x views, in that order */
    size_t samples[2];
    uint64_t *sample_key[2]; /* ascending */
    float *sample[2];        /* samples x k: signatures of rows of side s */
    size_t clusters;         /* of each partition; 0: all rows meet */
    unsigned replicates, nearest;
    float *centre; /* replicates x clusters x k */
    size_t wrong;  /* seeds that were set aside, by the keys of A and B */
    uint64_t *wrong_key[2];
    size_t landmarks;
    uint64_t *mark_key[2];
    float *mark[2];    /* landmarks x d[s] */
    float *mark_score; /* S of each */
    double agreement;
    double recall, recall_error; /* share of the shared documents that are candidates */
    uint64_t seed;
};

/* A key and what it belongs to. */
struct il_keyed {
    uint64_t key;
    uint32_t at;
};
/* Ascending by key. */
void il_keyed_sort(struct il_keyed *keyed, size_t count);
/* Where a key stands among count keys (stride apart) that ascend in this order (NULL: as
 * they lie): its place in the order; count when it does not. */
size_t il_key_find(const uint64_t *keys, size_t stride, const uint32_t *order,
                   size_t count, uint64_t key);

/* What a method has in hand when it ends: see il_model_make. */
struct il_model_parts {
    const struct il_side *a, *b;
    const uint64_t *const *keys; /* of the rows as given, of both sides */
    const struct il_view *views;
    unsigned view_count;
    const struct il_anchor *anchors; /* that the views were fitted on */
    size_t anchor_count;
    const struct il_scores *scores;
    const struct il_evidence *evidence;
    double recall, recall_error, agreement;
    const struct il_anchor *seeds;
    size_t seed_count;
    const uint8_t *seed_wrong;
};
IL_MUST_CHECK enum il_status il_model_make(struct il_model **out, struct il_frame *frame,
                                           const struct il_model_parts *parts);

#endif
