/* SPDX-License-Identifier: Apache-2.0 */
/* Trial starts from parts of the seeds: do they agree, and do they find the seeds held
 * back? */
#ifndef IL_TRIALS_H
#define IL_TRIALS_H

#include "src/link/start.h"
#include "src/link/unseeded.h"

#define IL_TRIALS_MAX 9

/* The rows of A that the starts see, and the seeds on them. */
struct il_sample {
    struct il_side side;
    uint32_t *row; /* sampled row -> row of A, ascending */
    struct il_anchor *seeds;
};

struct il_trials {
    struct il_sample sample;
    size_t count;     /* starts run */
    double agreement; /* of the two starts that agree best: 2 |P n Q| / (|P| + |Q|) */
    size_t tested;    /* seeds held back by a start of the consensus */
    size_t found;     /* of them among the three best of either row in such a start */
    double chance;    /* how many would be found by chance */
    int unseeded;     /* 1: the starts were made without seeds; all seeds test them */
    struct il_unseeded clusters; /* of the last start without seeds */
    int sound;                   /* 1: starts agree and find seeds that they never saw */
    struct il_mutual *pairs; /* consensus: pairs that two agreeing starts have; ascending
                                in a, a row of the sample */
    size_t pair_count;
};

void il_trials_free(struct il_trials *trials);

/*
 * Runs starts from the seeds less one group each, three groups at a time with new groups
 * until two starts agree and find seeds held back, or IL_TRIALS_MAX is reached.
 */
IL_MUST_CHECK enum il_status
il_trials_run(struct il_frame *frame, const struct il_side *a, const struct il_side *b,
              const struct il_anchor *seeds, size_t seed_count, struct il_trials *out);

/*
 * The same without seeds: every start begins with the clusters of rows of its own
 * (unseeded.h), so starts have nothing in common but the sides. They have to agree on
 * more; of the seeds that there are (they may be none) no start sees any, and a quarter
 * must be found.
 */
IL_MUST_CHECK enum il_status il_trials_unseeded(struct il_frame *frame,
                                                const struct il_side *a,
                                                const struct il_side *b,
                                                const struct il_anchor *seeds,
                                                size_t seed_count, struct il_trials *out);

/* From the seeds; where they are fewer than IL_SEEDS_MIN, or fewer than 8 and their
   starts are not sound, without them. */
IL_MUST_CHECK enum il_status
il_trials_any(struct il_frame *frame, const struct il_side *a, const struct il_side *b,
              const struct il_anchor *seeds, size_t seed_count, struct il_trials *out);

/* Writes what the trials say into a report. IL_OK, or IL_EBOOTSTRAP with the evidence in
 * `why`. */
IL_MUST_CHECK enum il_status il_trials_report(const struct il_trials *trials,
                                              struct il_link_report *report);

#endif
