/* SPDX-License-Identifier: Apache-2.0 */
/* The principal axes of a sample, for the basis of a store. */
#include <isolink/transfer.h>

#include "src/base/base.h"
#include "src/linalg/pca.h"

uint64_t il_axes_bytes(size_t dim)
{
    return il_pca_bytes(dim);
}

enum il_status il_axes_fit(size_t rows, size_t dim, const float *x, size_t keep,
                           unsigned threads, float *mean, float *basis, double *share,
                           struct il_error *error)
{
    struct il_pool *pool = NULL;
    if (threads > 256)
        return il_fail(error, IL_EARG, "%u threads, wanted 0 to 256", threads);
    enum il_status status = il_pool_open(&pool, threads);
    if (status != IL_OK)
        return il_fail(error, status, "no memory for threads");
    status = il_pca_fit(pool, rows, dim, dim, x, keep, mean, basis, share, error);
    il_pool_close(&pool);
    return status;
}
