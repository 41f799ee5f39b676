/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Votes of views for pairs, whatever the method: their sums over views and rounds, the
 * posterior of a pair, Otsu's threshold and the choice of one pair a row and column.
 *
 * View r proposes pairs (a, b); v(a, b) = number of views that proposed the pair, N(a, b)
 * = number of views that could have. With a uniform prior on the chance that a view
 * proposes the pair, that chance is Beta(1 + v, 1 + N - v); its mean is the posterior
 * theta = (1 + v) / (2 + N).
 */
#ifndef IL_VOTES_H
#define IL_VOTES_H

#include "src/base/base.h"

/* One pair with all its votes. */
struct il_tally {
    uint64_t key; /* a * columns + b */
    uint32_t votes;
    uint32_t opportunities; /* written by the method */
    uint32_t
        promoted; /* round in which it first became an anchor, 0 = never; by the method */
    uint32_t
        margin_round; /* round of the margins summed here: the last one with a vote */
    uint32_t margin_votes;
    float margin_sum;
};

/* One vote that is not yet in the tally. */
struct il_vote {
    uint64_t key;
    float margin;
};

/*
 * Sums of votes. New votes are gathered in a buffer of fixed size; a flush sorts them by
 * key and merges them into the tally, which is ascending in the key. The order of equal
 * keys is the order of their arrival, so that the sums of margins do not depend on the
 * buffer.
 */
struct il_votes {
    uint64_t columns;
    struct il_tally *tally;
    size_t count;
    size_t tally_max;
    struct il_vote *fresh, *spare; /* spare: room of the merge sort */
    size_t fresh_count, fresh_max;
    uint32_t round; /* of the votes that come in; set by the method, from 1 */
};

/*
 * columns = rows of side B; fresh_max >= 1 votes are buffered. Memory: 32 fresh_max + 64
 * tally_max bytes at most. Past tally_max pairs the pairs of 1 vote are dropped, then
 * those of 2 and so on until the rest fits (lossy counting, Manku and Motwani 2002): a
 * pair loses at most the votes it had when it was dropped.
 */
IL_MUST_CHECK enum il_status il_votes_open(struct il_votes *votes, uint64_t columns,
                                           size_t fresh_max, size_t tally_max);
void il_votes_free(struct il_votes *votes);

/* One vote for (a, b). margin = by how much the pair won in its view. */
IL_MUST_CHECK enum il_status il_votes_add(struct il_votes *votes, uint32_t a, uint32_t b,
                                          float margin);

/* Brings every vote into the tally; needed before the tally is read. */
IL_MUST_CHECK enum il_status il_votes_flush(struct il_votes *votes);

/* Forgets all votes; pairs that were promoted once stay, with no vote. */
void il_votes_restart(struct il_votes *votes);

/* theta = (1 + v) / (2 + N). */
double il_posterior(uint32_t votes, uint32_t opportunities);

/* Mean margin over the views of the last round in which the pair had a vote; 0 without
 * any. */
float il_tally_margin(const struct il_tally *tally);

/*
 * Otsu's threshold (IEEE Trans. SMC 9, 1979): the centre of the bin k, of 256 from the
 * smallest to the largest value, that maximises the variance between the classes "bins 0
 * .. k" and the rest, s(k) = (mu_T w(k) - mu(k))^2 / (w(k) (1 - w(k))), w = share of the
 * values in bins 0 .. k, mu = their part of the mean mu_T. Equal s: lowest k. Values
 * below 0 are left out. Returns 0 without values. When all are equal, that value's bin
 * has its centre there, so that no value is above the threshold.
 */
double il_otsu(const double *values, size_t count);

/*
 * One to one: of the entries with keep[i] != 0 only those stay that come first both in
 * their row and in their column, in the order score descending, key ascending. tally
 * ascending in the key; a < rows, b < columns.
 */
IL_MUST_CHECK enum il_status il_one_to_one(const struct il_tally *tally, size_t count,
                                           size_t rows, size_t columns,
                                           const double *score, uint8_t *keep);

#endif
