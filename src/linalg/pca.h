/* SPDX-License-Identifier: Apache-2.0 */
/* Principal axes of a sample of rows: the basis of stores with fewer dimensions. */
#ifndef IL_PCA_H
#define IL_PCA_H

#include <stddef.h>

#include <isolink/status.h>

#include "src/base/base.h"

/** Longest row that axes are computed for: the matrices then take 1.2 GB. */
#define IL_PCA_DIM_MAX 8192u

/**
 * The `keep` directions in which a sample varies most, the largest variance first.
 *
 * \param pool   NULL: one thread. The result has the same bits for every number of
 * threads and every instruction set
 * \param x      rows x dim floats, row-major, stride ld; finite; rows >= 1
 * \param keep   1..dim
 * \param mean   dim floats; written: the mean of the rows
 * \param basis  keep x dim floats; written: orthonormal rows, each with its largest
 * coordinate positive. With fewer rows than dimensions the last ones are any that fit
 * \param share  receives the part of the variance that the basis keeps, 0..1; 1 when all
 * rows are equal
 * \return IL_OK; IL_EARG when a value is not finite or too large to be squared, or a
 * number is out of range; IL_ELIMIT past IL_PCA_DIM_MAX; IL_ENOMEM
 * Cost O(rows dim^2 + dim^3) time and il_pca_bytes: with 8,192 rows and two threads
 * 0.4 s at dim 768, 4 s at 1,536, 40 s at 3,072, nearly all of it the one thread of
 * il_eigen_symmetric.
 */
IL_MUST_CHECK enum il_status il_pca_fit(struct il_pool *pool, size_t rows, size_t dim,
                                        size_t ld, const float *x, size_t keep,
                                        float *mean, float *basis, double *share,
                                        struct il_error *error);

/** Bytes that il_pca_fit takes at most at a time. */
uint64_t il_pca_bytes(size_t dim);

#endif
