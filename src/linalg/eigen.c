/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <string.h>

#include "src/base/base.h"
#include "src/linalg/dense.h"

/* Turns of the QL method that one eigenvalue may take; 30 is the classical bound. */
#define TURNS_MAX 60

/* Reflects the leading k x k block of a: row k becomes tridiagonal. v is the Householder
   vector, kept in row k; w is scratch. Returns the off-diagonal element; *h is 2 / |v|^2
   (0 = none). */
static double reflect_row(const struct il_simd *simd, size_t n, size_t k, double *a,
                          double *w, double *h)
{
    double *v = a + k * n;
    double last = v[k - 1];
    /* Not as a difference: small elements beside a large last one would be lost. */
    double rest = simd->dot_f64(v, v, k - 1);
    double norm2 = rest + last * last;
    *h = 0;
    if (!(rest > 0)) {
        return last;
    }
    double alpha = last > 0 ? -sqrt(norm2) : sqrt(norm2);
    v[k - 1] = last - alpha;
    double vnorm2 = norm2 - 2 * alpha * last + alpha * alpha;
    *h = 2 / vnorm2;
    /* a <- (I - h v v') a (I - h v v'), as the symmetric rank-2 update a - v q' - q v'.
     */
    for (size_t i = 0; i < k; i++) {
        w[i] = *h * simd->dot_f64(a + i * n, v, k);
    }
    double half = 0.5 * *h * simd->dot_f64(v, w, k);
    simd->axpy_f64(-half, v, w, k);
    for (size_t i = 0; i < k; i++) {
        simd->axpy_f64(-v[i], w, a + i * n, k);
        simd->axpy_f64(-w[i], v, a + i * n, k);
    }
    return alpha;
}

/* Reduces a to tridiagonal form (diagonal d, off-diagonal e[i] between i - 1 and i) and
   writes the transposed product of the reflections into z: one future eigenvector a row.
 */
static void tridiagonalise(const struct il_simd *simd, size_t n, double *a, double *d,
                           double *e, double *z, double *h, double *w)
{
    for (size_t k = n - 1; k > 0; k--) {
        e[k] = reflect_row(simd, n, k, a, w, &h[k]);
        d[k] = a[k * n + k];
    }
    d[0] = a[0];
    e[0] = 0;
    memset(z, 0, n * n * sizeof *z);
    for (size_t i = 0; i < n; i++) {
        z[i * n + i] = 1;
    }
    /* Q = H(n-1) ... H(1); z = Q' = H(1) ... H(n-1): multiply from the right, last first,
       so that only the rows and columns below k are touched. */
    for (size_t k = 1; k < n; k++) {
        if (h[k] == 0) {
            continue;
        }
        const double *v = a + k * n;
        for (size_t i = 0; i < k; i++) {
            double t = h[k] * simd->dot_f64(z + i * n, v, k);
            simd->axpy_f64(-t, v, z + i * n, k);
        }
    }
}

/* One implicit QL sweep on rows l..m. */
static void ql_sweep(const struct il_simd *simd, size_t n, size_t l, size_t m, double *d,
                     double *e, double *z)
{
    double g = (d[l + 1] - d[l]) / (2 * e[l + 1]);
    double r = sqrt(g * g + 1);
    g = d[m] - d[l] + e[l + 1] / (g + (g < 0 ? -r : r));
    double s = 1, c = 1, p = 0;
    for (size_t i = m; i-- > l;) {
        double f = s * e[i + 1];
        double b = c * e[i + 1];
        r = sqrt(f * f + g * g);
        if (i + 1 < m) {
            e[i + 2] = r;
        }
        if (r == 0) {
            /* The matrix has split in two: start again. */
            d[i + 1] -= p;
            return;
        }
        s = f / r;
        c = g / r;
        g = d[i + 1] - p;
        double t = (d[i] - g) * s + 2 * c * b;
        p = s * t;
        d[i + 1] = g + p;
        g = c * t - b;
        simd->rot_f64(z + i * n, z + (i + 1) * n, n, c, s);
    }
    d[l] -= p;
    e[l + 1] = g;
}

/* Diagonalises the tridiagonal matrix; rows of z follow. IL_EARG when it does not
 * converge. */
static enum il_status ql(const struct il_simd *simd, size_t n, double *d, double *e,
                         double *z)
{
    for (size_t l = 0; l < n; l++) {
        for (int turn = 0;; turn++) {
            size_t m = l;
            while (m + 1 < n) {
                double scale = fabs(d[m]) + fabs(d[m + 1]);
                if (fabs(e[m + 1]) <= 1.2e-16 * scale ||
                    scale + fabs(e[m + 1]) == scale) {
                    break;
                }
                m++;
            }
            if (m == l) {
                break;
            }
            if (turn == TURNS_MAX) {
                return IL_EARG;
            }
            ql_sweep(simd, n, l, m, d, e, z);
            if (m + 1 < n) {
                e[m + 1] = 0;
            }
        }
    }
    return IL_OK;
}

/* Copies the eigenpairs to (values, a), largest first, each vector's largest coordinate
 * positive. */
static void sort_pairs(size_t n, const double *d, const double *z, size_t *order,
                       double *values, double *a)
{
    for (size_t i = 0; i < n; i++) {
        size_t at = i;
        for (; at > 0 && d[order[at - 1]] < d[i]; at--) {
            order[at] = order[at - 1];
        }
        order[at] = i;
    }
    for (size_t i = 0; i < n; i++) {
        const double *from = z + order[i] * n;
        size_t top = 0;
        for (size_t j = 1; j < n; j++) {
            top = fabs(from[j]) > fabs(from[top]) ? j : top;
        }
        double sign = from[top] < 0 ? -1 : 1;
        values[i] = d[order[i]];
        for (size_t j = 0; j < n; j++) {
            a[i * n + j] = sign * from[j];
        }
    }
}

enum il_status il_eigen_symmetric(const struct il_simd *simd, size_t n, double *a,
                                  double *values)
{
    double trace = 0;
    for (size_t i = 0; i < n * n; i++) {
        trace += fabs(a[i]);
    }
    if (n == 0 || !isfinite(trace)) {
        return n == 0 ? IL_OK : IL_EARG;
    }
    double *z = il_alloc(n * n + 4 * n, sizeof *z);
    size_t *order = il_alloc(n, sizeof *order);
    enum il_status status = IL_ENOMEM;
    if (z && order) {
        double *d = z + n * n, *e = d + n, *h = e + n, *w = h + n;
        tridiagonalise(simd, n, a, d, e, z, h, w);
        status = ql(simd, n, d, e, z);
        sort_pairs(n, d, z, order, values, a);
    }
    il_free(order);
    il_free(z);
    return status;
}
