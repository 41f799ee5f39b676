/* SPDX-License-Identifier: Apache-2.0 */
/* Acceptance without truth: posteriors of the candidates, calibrated on their decoys. */
#ifndef IL_ACCEPT_H
#define IL_ACCEPT_H

#include "src/link/evidence.h"

/* How a pair that was not there is judged: the discriminant of all folds together, and
   the posterior as a function of its score, linear between knots. */
#define IL_JUDGE_KNOTS 512
struct il_judge {
    double mean[IL_FEATURES], scale[IL_FEATURES]; /* of the features */
    double theta[IL_FEATURES + 1];                /* constant first */
    size_t knots;                                 /* 0: nothing is known */
    double score[IL_JUDGE_KNOTS];                 /* descending */
    double posterior[IL_JUDGE_KNOTS];
};

/* Posterior of a pair by its features; *score receives the discriminant. 0 without
 * knots. */
double il_judge_pair(const struct il_judge *judge, const double *feature, double *score);

/* What the candidates and decoys of a round say together. */
struct il_acceptance {
    double *posterior; /* per candidate: estimated probability of being right */
    double *score;     /* per candidate: the discriminant that orders them */
    uint32_t *order;   /* candidates, best first */
    size_t accepted;   /* the first so many of the order have the largest estimated F1 */
    double precision, precision_low, precision_high; /* estimated, of the accepted */
    double shared, shared_low, shared_high;          /* estimated, M / recall */
    double decoy_rate; /* share of rows without counterpart that would be linked all the
                          same */
    double threshold;  /* discriminant of the last one accepted */
    struct il_judge judge;
};

void il_acceptance_free(struct il_acceptance *acceptance);

/*
 * Estimates the posteriors.
 *
 * A row without counterpart proposes a false candidate just as a row with one does once
 * its partner is taken away. So the false candidates number about (n - shared) / M per
 * decoy of a right candidate (n rows of the side, M right candidates, shared = M /
 * recall), mean of both sides, and have the decoys' features. In turns: a logistic
 * discriminant of the candidates, weighted by their posteriors, against the decoys,
 * weighted by their parents' posteriors, cross-fitted so that no example is scored by a
 * fit that saw it; then the posterior 1 - false / candidates as a monotone function of
 * the discriminant, by isotonic regression. \param recall  share of the shared documents
 * that are candidates, 0 < recall <= 1: the share of known pairs found again out-of-fold;
 * recall_error is its standard error \return IL_OK (also without candidates: nothing is
 * accepted); IL_ENOMEM
 */
IL_MUST_CHECK enum il_status il_accept(struct il_frame *frame,
                                       const struct il_evidence *e, size_t rows_a,
                                       size_t rows_b, double recall, double recall_error,
                                       struct il_acceptance *out);

#endif
