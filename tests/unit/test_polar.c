/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>

#include "src/linalg/dense.h"
#include "tests/unit/unit.h"

#define NMAX 12

/* Numbers without a pattern (splitmix64), the same on every machine. */
static void fill(double *x, size_t count, unsigned draw)
{
    uint64_t state = draw;
    for (size_t i = 0; i < count; i++) {
        uint64_t z = (state += 0x9e3779b97f4a7c15u);
        z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
        z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
        x[i] = (double)((z ^ (z >> 31)) >> 11) * 0x1p-52 - 1;
    }
}

/* p (n x m) = x (n x k) y (k x m) */
static void times(size_t n, size_t k, size_t m, const double *x, const double *y,
                  double *p)
{
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < m; j++) {
            p[i * m + j] = 0;
            for (size_t q = 0; q < k; q++)
                p[i * m + j] += x[i * k + q] * y[q * m + j];
        }
}

static void transpose(size_t n, size_t m, const double *x, double *out)
{
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < m; j++)
            out[j * n + i] = x[i * m + j];
}

/* W'W (or WW') is the identity, and W'C (or CW') is symmetric: that is the polar factor.
 */
static void full_rank(void **state)
{
    (void)state;
    const size_t shapes[][2] = {{1, 1}, {3, 3}, {5, 8}, {8, 5}, {NMAX, NMAX}, {2, NMAX}};
    for (size_t s = 0; s < sizeof(shapes) / sizeof(*shapes); s++) {
        size_t n = shapes[s][0], m = shapes[s][1], rank = 0;
        double c[NMAX * NMAX], w[NMAX * NMAX], t[NMAX * NMAX], p[NMAX * NMAX];
        fill(c, n * m, (unsigned)s);
        assert_int_equal(il_polar_factor(il_simd(), n, m, c, w, &rank), IL_OK);
        size_t least = n < m ? n : m;
        assert_int_equal(rank, least);
        transpose(n, m, w, t);
        if (n <= m)
            times(n, m, n, w, t, p);
        else
            times(m, n, m, t, w, p);
        for (size_t i = 0; i < least; i++)
            for (size_t j = 0; j < least; j++)
                assert_true(fabs(p[i * least + j] - (i == j)) < 1e-12);
        times(m, n, m, t, c, p);
        for (size_t i = 0; i < m; i++)
            for (size_t j = 0; j < m; j++)
                assert_true(fabs(p[i * m + j] - p[j * m + i]) < 1e-12);
    }
}

/* A rotation times a positive matrix of which one direction is 10^-5 of the others. */
static void small_singular_values_keep_their_direction(void **state)
{
    (void)state;
    enum { N = 6 };
    double seed[N * N], q[N * N], scaled[N * N], c[N * N], w[N * N], t[N * N];
    size_t rank = 0;
    fill(seed, N * N, 3);
    assert_int_equal(il_polar_factor(il_simd(), N, N, seed, q, &rank), IL_OK);
    memset(scaled, 0, sizeof(scaled));
    for (size_t i = 0; i < N; i++)
        scaled[i * N + i] = i == 2 ? 1e-5 : 1 + (double)i;
    times(N, N, N, scaled, q, c);
    assert_int_equal(il_polar_factor(il_simd(), N, N, c, w, &rank), IL_OK);
    assert_int_equal(rank, N);
    for (size_t i = 0; i < N * N; i++)
        assert_true(fabs(w[i] - q[i]) < 1e-9);
    transpose(N, N, w, t);
}

static void lower_rank(void **state)
{
    (void)state;
    enum { N = 5, M = 7, R = 3 };
    double x[N * R], y[R * M], c[N * M], w[N * M], t[N * M], p[N * N];
    size_t rank = 0;
    double trace = 0;
    fill(x, N * R, 1);
    fill(y, R * M, 2);
    times(N, R, M, x, y, c);
    assert_int_equal(il_polar_factor(il_simd(), N, M, c, w, &rank), IL_OK);
    assert_int_equal(rank, R);
    transpose(N, M, w, t);
    times(N, M, N, w, t, p);
    for (size_t i = 0; i < N; i++)
        trace += p[i * N + i];
    assert_true(fabs(trace - R) < 1e-12);
}

static void nothing_and_no_numbers(void **state)
{
    (void)state;
    double c[4] = {0}, w[4] = {1, 1, 1, 1};
    size_t rank = 9;
    assert_int_equal(il_polar_factor(il_simd(), 2, 2, c, w, &rank), IL_OK);
    assert_int_equal(rank, 0);
    for (int i = 0; i < 4; i++)
        assert_true(w[i] == 0);
    c[1] = NAN;
    assert_int_equal(il_polar_factor(il_simd(), 2, 2, c, w, &rank), IL_EARG);
}

static enum il_status starved(void *context)
{
    double c[6], w[6];
    size_t rank;
    (void)context;
    fill(c, 6, 4);
    return il_polar_factor(il_simd(), 2, 3, c, w, &rank);
}

static void no_memory(void **state)
{
    (void)state;
    assert_int_equal(unit_starve(starved, NULL), 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(full_rank),
        cmocka_unit_test(small_singular_values_keep_their_direction),
        cmocka_unit_test(lower_rank),
        cmocka_unit_test(nothing_and_no_numbers),
        cmocka_unit_test(no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
