/* SPDX-License-Identifier: Apache-2.0 */
/* Quadratic assignment of small matrices: which centre of one side is which of the other.
 */
#ifndef IL_ASSIGN_H
#define IL_ASSIGN_H

#include "src/base/base.h"

/* Most items of an assignment. */
#define IL_ASSIGN_MAX 64

/*
 * Looks for the permutation p of the largest sum over i, j of
 *     a[i][j] b[p(i)][p(j)]
 * (Koopmans and Beckmann 1957): from random permutations, any two items are exchanged
 * where that gains, until no exchange does (2-opt), and the best of the restarts is kept,
 * the first of equals. a and b: n x n, symmetric, row-major; n <= IL_ASSIGN_MAX. p: n
 * numbers; written.
 *
 * \return the sum. Local search: the best permutation need not be found. Cost O(n^3) a
 * sweep, some ten sweeps a restart. One thread, no allocation.
 */
double il_assign_quadratic(size_t n, const double *a, const double *b, unsigned restarts,
                           struct il_rng *rng, uint32_t *p);

#endif
