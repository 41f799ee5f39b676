/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Small dense factorisations in f64 with one fixed order of operations, so that they give
 * equal bits on every machine: LAPACK's results differ by CPU in the last bits and in
 * signs. Matrices are row-major and packed (stride = columns).
 */
#ifndef IL_DENSE_H
#define IL_DENSE_H

#include <stddef.h>

#include <isolink/status.h>

#include "simd/simd.h"

/**
 * Eigenvalues and eigenvectors of a symmetric matrix.
 *
 * Householder reduction to tridiagonal form, then the implicit QL method (Golub and Van
 * Loan, Matrix Computations, sections 8.3.1 and 8.3.3). \param a       n x n, symmetric;
 * overwritten by the eigenvectors, one a row, the row of the largest eigenvalue first,
 * each with its largest coordinate positive \param values  n eigenvalues, descending;
 * written \return IL_OK; IL_ENOMEM; IL_EARG when the input is not finite Cost O(n^3),
 * about 10 ms at n = 256. One thread.
 */
IL_MUST_CHECK enum il_status il_eigen_symmetric(const struct il_simd *simd, size_t n,
                                                double *a, double *values);

/**
 * Solves (G + ridge I) X = C by Cholesky factorisation.
 *
 * \param g  n x n, symmetric positive semidefinite; overwritten by the factor
 * \param c  n x m; overwritten by the solution
 * \return IL_OK; IL_EARG when a pivot is not positive (ridge too small or input not
 * finite) Cost O(n^3 + n^2 m). One thread, no allocation.
 */
IL_MUST_CHECK enum il_status il_ridge_solve(const struct il_simd *simd, size_t n,
                                            size_t m, double ridge, double *g, double *c);

/** What il_svd gives. */
struct il_svd_options {
    size_t rank;  /* pairs of vectors, at most */
    double floor; /* values up to this share of the first are left out as noise */
    int quarter;  /* 1: both vectors are multiplied by (s / s_1)^(1/4), s its value */
};

/**
 * The largest singular values of a matrix and their vectors, by the eigenvectors of C C'.
 *
 * \param c       n x m, n <= m, finite
 * \param work    room for n n + n doubles
 * \param left    rank x n, right: rank x m; written: one vector a row, the largest value
 * first, of unit length unless quarter
 * \param values  rank values, descending; NULL: not wanted
 * \param status  receives IL_OK, or what il_eigen_symmetric says
 * \return how many there are above the floor
 * Cost O(n^2 m + n^3). One thread. Values below 1e-8 of the first are lost in rounding.
 */
size_t il_svd(const struct il_simd *simd, size_t n, size_t m, const double *c,
              const struct il_svd_options *options, double *work, double *left,
              double *right, double *values, enum il_status *status);

/**
 * The partial isometry next to a matrix: W = U V', C = U S V', over the singular values
 * above 1e-6 of the largest; the W of largest tr(W'C) (Schoenemann 1966).
 *
 * \param c     n x m
 * \param w     n x m; written
 * \param rank  receives the number of singular values taken
 * \return IL_OK; IL_ENOMEM; IL_EARG when the input is not finite
 * Cost O((n + m)^3). One thread.
 */
IL_MUST_CHECK enum il_status il_polar_factor(const struct il_simd *simd, size_t n,
                                             size_t m, const double *c, double *w,
                                             size_t *rank);

#endif
