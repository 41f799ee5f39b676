/* SPDX-License-Identifier: Apache-2.0 */
/* What a method gets and gives: one function a method, see src/link/README.md. */
#ifndef IL_METHOD_H
#define IL_METHOD_H

#include "src/link/frame.h"
#include "src/link/live.h"

/* Fewer usable seeds than this start nothing. */
#define IL_SEEDS_MIN 3

/* One accepted link, by usable rows. */
struct il_found {
    uint32_t a, b;
    double posterior;
    uint32_t votes, opportunities;
    float margin;
    uint32_t round; /* in which the pair first became an anchor, 1-based */
};

/* One run of a method. The result's links are drawn from il_alloc and belong to the
 * caller. */
struct il_method_job {
    struct il_frame *frame;
    const struct il_link_config *config;
    const struct il_anchor *seeds; /* usable rows, weight 1, no row twice */
    size_t seed_count;
    uint8_t *seed_wrong; /* per seed; the method sets 1 for those it sets aside */
    /* geh: pairs of an earlier bootstrap to start from; NULL: trial starts */
    const struct il_anchor *warm;
    size_t warm_count;
    double warm_agreement; /* of the trials that they go back to */
    /* geh: keys of the rows as given, of both sides: a model is wanted; NULL: none */
    const uint64_t *const *keys;
    struct il_model *model; /* result, when it was wanted and not refused */
    struct il_link_report
        *report;            /* precision, shared, rounds, stages ... are filled in */
    struct il_found *links; /* result: no seed rows in it; any order */
    size_t link_count;
};

/* Runs a method on prepared sides. IL_EBOOTSTRAP: report->why names the evidence, there
   are no links. */
typedef enum il_status il_method_fn(struct il_method_job *job, const struct il_side *a,
                                    const struct il_side *b);

/* One method; the table is in methods.c. */
struct il_method_row {
    const char *name;             /* as on the command line and in reports */
    struct il_side_options sides; /* how its sides are prepared */
    il_method_fn *run;
    enum il_method method;
    int scoped;   /* 1: it takes a scope */
    int seedless; /* 1: it starts without seeds too */
    int trials;   /* 1: it knows no refusal, the trial starts of geh come first */
};

/* NULL: there is none of this number. */
const struct il_method_row *il_method_find(enum il_method method);

/* Cross-fitted maps, decoys, one acceptance at the end. The sides are centred and
   rotated. */
IL_MUST_CHECK enum il_status il_geh(struct il_method_job *job, const struct il_side *a,
                                    const struct il_side *b);

/* Distance signatures, views by farthest point sampling, accumulated votes, Otsu. The
   sides are prepared without centring and rotation. */
IL_MUST_CHECK enum il_status il_geh_published(struct il_method_job *job,
                                              const struct il_side *a,
                                              const struct il_side *b);

/* Fitted on the seeds alone, see seeded.h; each is described in its method_NAME.c. The
   sides are centred and, but for relative, rotated. */
il_method_fn il_procrustes, il_ridge, il_cca, il_csls, il_mlp, il_relative;

/* The published steps of mini-vec2vec, then mutual nearest neighbours; seeds only keep
   their rows. The sides are centred and rotated. No refusal. */
il_method_fn il_mini_vec2vec;

/* Appends a stage to the report; a name that is the last one's is added to it. */
void il_stage_add(struct il_method_job *job, const char *name, double since_seconds,
                  double since_multiply_adds);

#endif
