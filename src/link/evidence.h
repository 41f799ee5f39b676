/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Evidence for the pairs of a scoring round and for their decoys: a dozen numbers a pair,
 * from its out-of-fold scores and from the links in its neighbourhood.
 */
#ifndef IL_EVIDENCE_H
#define IL_EVIDENCE_H

#include "src/link/view.h"

/* Numbers of one pair, in this order. */
enum il_feature {
    IL_F_COSINE = 0, /* S(u, v) */
    IL_F_CSLS,       /* 2 S - r_u - r_v */
    IL_F_ROW_MARGIN, /* CSLS above u's next best column */
    IL_F_COL_MARGIN, /* CSLS above v's next best row */
    IL_F_RADIUS_A,   /* r_u, r_v: how crowded the pair's surroundings are */
    IL_F_RADIUS_B,
    IL_F_DENSITY_A, /* mean similarity of u to its 10 nearest linked rows of A; likewise v
                     */
    IL_F_DENSITY_B,
    IL_F_LOCAL_A, /* mean S of the links of those rows: what a right link scores
                     hereabouts */
    IL_F_LOCAL_B,
    IL_F_CONSISTENCY, /* correlation of <u, a_i> and <v, b_i> over the links (a_i, b_i)
                         around */
    IL_F_DISTORTION,  /* root mean square of <u, a_i> - <v, b_i>: the local isometry's
                         error */
    IL_FEATURES
};

/*
 * A pair with its evidence. Candidates are mutual pairs. A decoy is what a row links to,
 * mutually, when its partner is taken away: it shows what chance proposes to a row
 * without counterpart.
 */
struct il_proposal {
    uint32_t a, b;
    uint32_t parent; /* decoys: the candidate that was taken apart */
    double feature[IL_FEATURES];
};

struct il_evidence {
    struct il_proposal *candidate;
    size_t candidates;
    struct il_proposal *decoy[2]; /* [0]: v was taken from u; [1]: u was taken from v */
    size_t decoys[2];
};

void il_evidence_free(struct il_evidence *evidence);

/* Linked rows that are kept for the surroundings of a row: a few of them may turn out to
   be the pair itself. */
#define IL_AROUND_KEEP 13

/*
 * The links nearest to every row on its own side: landmarks. Landmark i is the pair of
 * rows row[0][i], row[1][i] (IL_INDEX_NONE: not there any more), with the coordinates
 * mark[side] + at[side][i] ld (at NULL: i ld).
 */
struct il_surroundings {
    const struct il_simd *simd;
    size_t d[2], ld[2];   /* coordinates, and from row to row, of x */
    const float *x[2];    /* all rows of the sides */
    const float *mark[2]; /* landmarks, */
    size_t mark_ld[2];
    const uint32_t *mark_at[2];
    const uint32_t *mark_row[2];
    const float *mark_score;   /* S of each */
    const uint32_t *around[2]; /* IL_AROUND_KEEP landmarks a row, nearest first */
    const float *around_value[2];
};

/* Fills the features that the surroundings of a pair give, as seen without the row `gone`
 * of a side (IL_INDEX_NONE: none). */
void il_evidence_look(const struct il_surroundings *s, struct il_proposal *p,
                      int gone_side, uint32_t gone);

/* A pair of rows that prefer each other, with the features that the lists give. */
void il_evidence_candidate(const struct il_scores *s, uint32_t a, uint32_t b,
                           uint32_t parent, struct il_proposal *out);
/* The same of its decoys: at most one a side is added to e; gone[side] gets the row that
 * was taken away. */
void il_evidence_decoys(const struct il_scores *s, uint32_t a, uint32_t b,
                        uint32_t parent, struct il_evidence *e, uint32_t *gone[2]);

/* Collects the candidates and decoys of a round. */
IL_MUST_CHECK enum il_status il_evidence_collect(struct il_frame *frame,
                                                 const struct il_side *a,
                                                 const struct il_side *b,
                                                 const struct il_scores *scores,
                                                 struct il_evidence *out);

/*
 * The `keep` nearest targets of every row of a side by inner product, best first, ties to
 * the lower target: index[u keep + i] is a position in targets (IL_INDEX_NONE past the
 * end).
 */
IL_MUST_CHECK enum il_status il_neighbours(struct il_frame *frame,
                                           const struct il_side *side,
                                           const uint32_t *targets, size_t count,
                                           size_t keep, uint32_t *index, float *value);
/* The same among rows that lie in panels (of side->d coordinates). */
IL_MUST_CHECK enum il_status il_neighbours_in(struct il_frame *frame,
                                              const struct il_side *side,
                                              const struct il_panels *targets,
                                              size_t keep, uint32_t *index, float *value);

#endif
