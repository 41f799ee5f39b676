/* SPDX-License-Identifier: Apache-2.0 */
/* The eigenpairs of [0 C; C' 0] are (s, (u, v)) and (-s, (u, -v)) for the singular
   triples of C, so small singular values keep their digits, which those of C'C lose. */
#include <math.h>
#include <string.h>

#include "src/base/base.h"
#include "src/linalg/dense.h"

/* Singular values below this share of the largest are rounding of f32 sums. */
#define RANK_FLOOR 1e-6

enum il_status il_polar_factor(const struct il_simd *simd, size_t n, size_t m,
                               const double *c, double *w, size_t *rank)
{
    const size_t order = n + m, most = n < m ? n : m;
    double *a = il_alloc_zero(order * order, sizeof *a);
    double *values = il_alloc(order, sizeof *values);
    enum il_status status = a && values ? IL_OK : IL_ENOMEM;
    *rank = 0;
    for (size_t i = 0; !status && i < n; i++) {
        for (size_t j = 0; j < m; j++) {
            a[i * order + n + j] = a[(n + j) * order + i] = c[i * m + j];
        }
    }
    status = status ? status : il_eigen_symmetric(simd, order, a, values);
    memset(w, 0, n * m * sizeof *w);
    while (!status && *rank < most && values[*rank] > 0 &&
           values[*rank] > RANK_FLOOR * values[0]) {
        const double *u = a + *rank * order, *v = u + n;
        /* Both halves have length sqrt 1/2. */
        for (size_t i = 0; i < n; i++) {
            simd->axpy_f64(2 * u[i], v, w + i * m, m);
        }
        ++*rank;
    }
    il_free(values);
    il_free(a);
    return status;
}
