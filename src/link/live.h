/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The incremental linker: rows come and go, each is signed by the maps of the last
 * bootstrap, matched with the rows of the other side that share a cluster, and judged on
 * the same evidence as in a bootstrap. What is linked is a function of the rows, the
 * model and the last calibration, not of the order in which rows came.
 */
#ifndef IL_LIVE_H
#define IL_LIVE_H

#include <isolink/link.h>

#include "src/base/base.h"

/*
 * What a bootstrap leaves for rows that it has not seen: centre and axes of both sides,
 * the maps of its last views, the folds of its anchors, samples for radii, centres of
 * clusters, landmarks, what the seeds showed of the recall. Rows are known by keys
 * (64-bit hashes of their ids). Never changes; any number of threads may read it.
 */
struct il_model;

/* As il_link_run, and with a model of the result when it was not refused (else *model is
 * NULL). keys: one per row of A and of B. warm: links of an earlier bootstrap to start
 * from instead of trial starts (NULL: none); their posteriors weigh them. */
struct il_warm {
    const struct il_link *links;
    size_t count;
    double agreement; /* il_model_agreement of that bootstrap */
};
IL_MUST_CHECK enum il_status
il_link_model(struct il_linking **out, struct il_model **model, const struct il_matrix *a,
              const struct il_matrix *b, const uint64_t *const keys[2],
              const struct il_pair *seeds, size_t seed_count, const struct il_warm *warm,
              const struct il_link_config *config, struct il_error *error);
void il_model_free(struct il_model **model);

/* Coordinates that rows of a side must have. */
size_t il_model_dim(const struct il_model *model, int side);
/* Share of pairs on which the trial starts agreed that all began with: of this bootstrap,
 * or of the last one that was not warm. */
double il_model_agreement(const struct il_model *model);
/* Anchors that the maps were fitted on. */
size_t il_model_anchors(const struct il_model *model);

/* A model as bytes (formats/model.md), checksummed; *data is of il_alloc. IL_ENOMEM. */
IL_MUST_CHECK enum il_status il_model_write(const struct il_model *model,
                                            unsigned char **data, size_t *bytes);
/* name: for messages. IL_EFORMAT; IL_EVERSION; IL_ECORRUPT; IL_ENOMEM. */
IL_MUST_CHECK enum il_status il_model_read(struct il_model **out,
                                           const unsigned char *data, size_t bytes,
                                           const char *name, struct il_error *error);

struct il_live;

/* No rows yet. model is borrowed until il_live_close. threads as of il_link_config.
 * seeds: keys of known pairs (a, b): links whenever both rows are there, but for those
 * that the bootstrap set aside as wrong. */
struct il_live_config {
    unsigned threads;
    double posterior_min; /* below 0: the threshold of the largest estimated F1 */
    const struct il_pair *seeds;
    size_t seed_count;
};
IL_MUST_CHECK enum il_status il_live_open(struct il_live **out,
                                          const struct il_model *model,
                                          const struct il_live_config *config);
void il_live_close(struct il_live **live);

#define IL_LIVE_NONE UINT32_MAX

/*
 * Adds rows to a side (0 A, 1 B) and matches them. handles[i] = the row's number from now
 * on, IL_LIVE_NONE for a row that is zero or not finite; numbers of removed rows come
 * again. keys must not be those of rows that are there. IL_ENOMEM: only close may follow.
 */
IL_MUST_CHECK enum il_status il_live_add(struct il_live *live, int side, size_t count,
                                         const uint64_t *keys, const float *rows,
                                         uint32_t *handles);
/* Removes a row; rows that had it among their best are matched again. IL_ENOMEM as
 * above. */
IL_MUST_CHECK enum il_status il_live_remove(struct il_live *live, int side,
                                            uint32_t handle);

/* What became of a pair of rows. */
struct il_live_change {
    uint32_t a, b;    /* handles; a row that was removed keeps its own until settled */
    int linked;       /* 1: linked now; 0: no more */
    int seed;         /* 1: a known pair */
    double posterior; /* of a link that ends: what it was */
};
typedef void il_live_change_fn(void *context, const struct il_live_change *change);

/*
 * Judges what changed since the last call, calibrates when enough did (calibrate 1: in
 * any case), and tells every pair that began or ended to be a link: ends first, then
 * beginnings, each by handle of A. IL_ENOMEM as above.
 */
IL_MUST_CHECK enum il_status il_live_settle(struct il_live *live, int calibrate,
                                            il_live_change_fn *change, void *context);
/* Every link that stands (as of the last settle), by handle of A. */
void il_live_links(const struct il_live *live, il_live_change_fn *each, void *context);

struct il_live_info {
    uint64_t rows[2];
    uint64_t links;   /* seeds included */
    uint64_t seeds;   /* of them */
    double precision; /* mean posterior of the links that are not seeds */
    double shared, decoy_rate, threshold; /* of the last calibration */
    uint64_t calibrations;
};
void il_live_describe(const struct il_live *live, struct il_live_info *out);

#endif
