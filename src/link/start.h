/* SPDX-License-Identifier: Apache-2.0 */
/* The start of `geh`: from a few seeds to a first set of links by cross-fitted low-rank
 * maps. */
#ifndef IL_START_H
#define IL_START_H

#include "src/link/frame.h"

/* A pair of usable rows that are each other's best. */
struct il_mutual {
    uint32_t a, b;
    float score;
};

struct il_start_options {
    unsigned turns_min, turns_max;
    unsigned folds;
    int resume; /* 1: begin with the pairs in out instead of turn 0 */
    int whiten; /* 1: coordinates divided by the 4th root of their variance in the fits */
    int local;  /* 1: rows meet in clusters only, see il_match_local */
    int patient; /* 1: wait longer for a start that stands still to catch on */
    /* d_a x d_b: turn 0 signs rows by the maps of this cross-covariance, not by their
       similarities to seeds (NULL) */
    const double *cross;
    size_t rank_first, rank_last;
    float seed_weight;
    uint64_t stream; /* starts of different streams draw different folds */
};

void il_start_options_init(struct il_start_options *options);

/*
 * Runs a start from seeds (usable rows). out (room for min(rows) pairs) receives the
 * mutual pairs of the last turn, ascending in a; row_out and col_out its lists.
 */
IL_MUST_CHECK enum il_status
il_start_run(struct il_frame *frame, const struct il_side *a, const struct il_side *b,
             const struct il_anchor *seeds, size_t seed_count,
             const struct il_start_options *options, struct il_mutual *out,
             size_t *out_count, struct il_top3 *row_out, struct il_top3 *col_out);

/* scale (d) = variance^(-1/4) of every coordinate, as if none were below 10^-4 of the
   largest. */
void il_whitening(const struct il_side *side, double *scale);

/* Pairs that are each other's best; returns their number. */
size_t il_mutual_pairs(const struct il_top3 *row, size_t rows, const struct il_top3 *col,
                       struct il_mutual *out);

/*
 * CSLS radius: mean of the IL_RADIUS_NEAREST largest similarities of each row (rows NULL:
 * 0 .. count - 1) to the panels. out[u] for row u, of `all` rows; nearest (all lists, or
 * NULL) receives the lists behind it, so that the radius can be told without one of the
 * neighbours.
 */
#define IL_RADIUS_NEAREST 2

IL_MUST_CHECK enum il_status il_radius(struct il_frame *frame,
                                       const struct il_signature *s, const uint32_t *rows,
                                       size_t count, const struct il_panels *sample,
                                       size_t all, float *out, struct il_top3 *nearest);

/* Mean of the IL_RADIUS_NEAREST best of a list, leaving out the entry `gone`. 0 when
 * empty. */
float il_radius_mean(const struct il_top3 *list, uint32_t gone);

#endif
