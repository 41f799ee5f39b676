/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <string.h>

#include "src/linalg/dense.h"

size_t il_svd(const struct il_simd *simd, size_t n, size_t m, const double *c,
              const struct il_svd_options *options, double *work, double *left,
              double *right, double *values, enum il_status *status)
{
    double *gram = work, *lambda = work + n * n;
    size_t rank = options->rank, k = 0;
    for (size_t i = 0; i < n; i++) {
        for (size_t j = 0; j <= i; j++) {
            gram[i * n + j] = gram[j * n + i] = simd->dot_f64(c + i * m, c + j * m, m);
        }
    }
    *status = il_eigen_symmetric(simd, n, gram, lambda);
    double first = !*status && lambda[0] > 0 ? sqrt(lambda[0]) : 0;
    while (!*status && k < rank && k < n && lambda[k] > 0 &&
           sqrt(lambda[k]) > options->floor * first) {
        k++;
    }
    memset(right, 0, m * rank * sizeof *right);
    for (size_t q = 0; q < k; q++) {
        double value = sqrt(lambda[q]);
        double power = options->quarter ? sqrt(sqrt(value / first)) : 1;
        for (size_t i = 0; i < n; i++) {
            left[q * n + i] = gram[q * n + i] * power;
            simd->axpy_f64(gram[q * n + i] * power / value, c + i * m, right + q * m, m);
        }
        if (values) {
            values[q] = value;
        }
    }
    return k;
}
