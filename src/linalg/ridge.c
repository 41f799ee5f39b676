/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>

#include "src/linalg/dense.h"

/* G = L L', L in the lower triangle: row i needs only dots of earlier rows. */
static enum il_status cholesky(const struct il_simd *simd, size_t n, double ridge,
                               double *g)
{
    for (size_t i = 0; i < n; i++) {
        double *row = g + i * n;
        for (size_t j = 0; j < i; j++) {
            row[j] = (row[j] - simd->dot_f64(row, g + j * n, j)) / g[j * n + j];
        }
        double pivot = row[i] + ridge - simd->dot_f64(row, row, i);
        if (!(pivot > 0) || !isfinite(pivot)) {
            return IL_EARG;
        }
        row[i] = sqrt(pivot);
    }
    return IL_OK;
}

enum il_status il_ridge_solve(const struct il_simd *simd, size_t n, size_t m,
                              double ridge, double *g, double *c)
{
    enum il_status status = cholesky(simd, n, ridge, g);
    if (status) {
        return status;
    }
    for (size_t i = 0; i < n; i++) {
        double *row = c + i * m;
        for (size_t j = 0; j < i; j++) {
            simd->axpy_f64(-g[i * n + j], c + j * m, row, m);
        }
        for (size_t j = 0; j < m; j++) {
            row[j] /= g[i * n + i];
        }
    }
    for (size_t i = n; i-- > 0;) {
        double *row = c + i * m;
        for (size_t j = i + 1; j < n; j++) {
            simd->axpy_f64(-g[j * n + i], c + j * m, row, m);
        }
        for (size_t j = 0; j < m; j++) {
            row[j] /= g[i * n + i];
        }
    }
    return IL_OK;
}
