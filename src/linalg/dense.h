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

#endif
