/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a start without seeds begins with: a cross-covariance of the two sides, from the
 * structure of their clusters alone.
 */
#ifndef IL_UNSEEDED_H
#define IL_UNSEEDED_H

#include "src/link/frame.h"

struct il_unseeded_options {
    size_t rows;       /* of a side that a codebook is made of, at most */
    size_t codebooks;  /* of a side */
    size_t centres;    /* of a codebook, at most; fewer where rows are few */
    unsigned turns;    /* of k-means */
    unsigned restarts; /* of an assignment */
    size_t kept;       /* assignments that vote */
    int whiten; /* 1: distances between rows are those of coordinates divided by the 4th
                   root of their variance */
    uint64_t stream; /* different streams draw different rows, centres, permutations */
};

void il_unseeded_options_init(struct il_unseeded_options *options);

/* What is known of it beside the matrix. */
struct il_unseeded {
    size_t centres;     /* of a codebook; below 4 nothing was done: too few rows */
    double correlation; /* of the similarities of matched centres: the best assignment */
    double agreement;   /* mean cosine of the assignments kept with their mean */
};

/* Codebooks of fewer centres have no structure to be matched by. */
#define IL_UNSEEDED_CENTRES_MIN 4

/*
 * cross (d_a x d_b, written) = sum over assignments t of w_t sum over centres c of
 * (a_tc - a_t) (b_tp(c) - b_t)', the rows' coordinates as prepared, a_t the mean of the
 * codebook's centres.
 *
 * Several k-means of random rows give the codebooks of each side. Every codebook of A is
 * assigned to every one of B by il_assign_quadratic of the centred inner products of
 * their centres, as mini-vec2vec does it (arXiv 2510.02348, algorithm 2) with one
 * codebook a side; the assignments of the largest correlation are kept: they are those
 * where both k-means found the same parts. Each votes for the others by the cosine of
 * their cross-covariances; w = the leading eigenvector of these cosines, negative ones 0.
 * A wrong assignment agrees with no other, so it has next to no weight.
 *
 * IL_OK also where nothing fits: it is the starts from several streams that have to
 * agree. IL_ENOMEM; IL_ECANCEL. Memory: O(d_a d_b + codebooks centres d + rows d).
 */
IL_MUST_CHECK enum il_status il_unseeded_cross(struct il_frame *frame,
                                               const struct il_side *a,
                                               const struct il_side *b,
                                               const struct il_unseeded_options *options,
                                               double *cross, struct il_unseeded *out);

/* Centres of several codebooks, one after the other: codebooks x centres x d. */
struct il_codebooks {
    size_t count, centres, d;
    float *centre;
};

void il_codebooks_free(struct il_codebooks *codebooks);

/* K-means of so many rows drawn from the side, for each codebook anew, coordinates times
 * scale (NULL: as they are). */
IL_MUST_CHECK enum il_status il_codebooks_make(struct il_frame *frame,
                                               const struct il_side *side, int which,
                                               const double *scale,
                                               const struct il_unseeded_options *options,
                                               struct il_codebooks *out);

/* out (centres x centres) = the inner products of a codebook's centres less their mean,
 * scaled to the sum of squares 1 (0 when all centres are equal). */
void il_codebook_products(const struct il_simd *simd, const struct il_codebooks *books,
                          size_t book, double *out);

#endif
