/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/unit.h"

#include <math.h>

#include "src/linalg/dense.h"
#include "tests/unit/linkdata.h"

#define N_MAX 131
#define M_MAX 67

static double gram[N_MAX * N_MAX], factor[N_MAX * N_MAX];
static double right[N_MAX * M_MAX], solution[N_MAX * M_MAX], first_bits[N_MAX * M_MAX];

/* G = B' B from `rank` random rows: positive semidefinite. */
static void make_gram(size_t n, size_t rank, uint64_t draw)
{
    struct ld_rng rng = {draw};
    memset(gram, 0, sizeof(gram));
    for (size_t r = 0; r < rank; r++) {
        double row[N_MAX];
        for (size_t i = 0; i < n; i++)
            row[i] = ld_normal(&rng);
        for (size_t i = 0; i < n; i++)
            for (size_t j = 0; j < n; j++)
                gram[i * n + j] += row[i] * row[j];
    }
}

/* Largest |(G + ridge I) X - C| against the size of the terms. */
static double residual(size_t n, size_t m, double ridge)
{
    double worst = 0;
    for (size_t i = 0; i < n; i++) {
        for (size_t j = 0; j < m; j++) {
            long double sum = -(long double)right[i * m + j];
            double size = fabs(right[i * m + j]);
            for (size_t q = 0; q < n; q++) {
                double g = gram[i * n + q] + (i == q ? ridge : 0);
                sum += (long double)g * solution[q * m + j];
                size += fabs(g * solution[q * m + j]);
            }
            double relative = fabs((double)sum) / (size + 1e-300);
            worst = relative > worst ? relative : worst;
        }
    }
    return worst;
}

static enum il_status solve(const struct il_simd *simd, size_t n, size_t m, double ridge)
{
    memcpy(factor, gram, sizeof(gram));
    memcpy(solution, right, sizeof(right));
    return il_ridge_solve(simd, n, m, ridge, factor, solution);
}

static void solves_the_system(void **state)
{
    (void)state;
    static const size_t ns[] = {1, 2, 3, 17, 64, 131}, ms[] = {1, 2, 5, 67};
    struct ld_rng rng = {3};
    for (size_t a = 0; a < sizeof(ns) / sizeof(*ns); a++) {
        for (size_t b = 0; b < sizeof(ms) / sizeof(*ms); b++) {
            size_t n = ns[a], m = ms[b];
            for (size_t i = 0; i < n * m; i++)
                right[i] = ld_normal(&rng);
            make_gram(n, 2 * n + 3, a * 10 + b);
            assert_int_equal(solve(il_simd(), n, m, 0.5), IL_OK);
            assert_true(residual(n, m, 0.5) < 1e-13);
            /* Fewer examples than axes: the ridge alone makes it solvable. */
            make_gram(n, n / 3, a * 10 + b);
            assert_int_equal(solve(il_simd(), n, m, 0.1), IL_OK);
            assert_true(residual(n, m, 0.1) < 1e-13);
        }
    }
}

static void known_solution(void **state)
{
    (void)state;
    /* [4 2; 2 3] + 1 I = [5 2; 2 4]; inverse [4 -2; -2 5] / 16 */
    const double g[4] = {4, 2, 2, 3}, c[4] = {16, 0, 0, 16};
    memcpy(gram, g, sizeof(g));
    memcpy(right, c, sizeof(c));
    assert_int_equal(solve(il_simd(), 2, 2, 1), IL_OK);
    assert_float_equal(solution[0], 4, 1e-14);
    assert_float_equal(solution[1], -2, 1e-14);
    assert_float_equal(solution[2], -2, 1e-14);
    assert_float_equal(solution[3], 5, 1e-14);
    assert_int_equal(il_ridge_solve(il_simd(), 0, 3, 1, factor, solution), IL_OK);
    make_gram(5, 9, 1);
    assert_int_equal(solve(il_simd(), 5, 0, 1), IL_OK);
}

static void what_is_not_positive_definite_is_refused(void **state)
{
    (void)state;
    memset(right, 0, sizeof(right));
    memset(gram, 0, sizeof(gram));
    assert_int_equal(solve(il_simd(), 4, 1, 0), IL_EARG);  /* zero, no ridge */
    assert_int_equal(solve(il_simd(), 4, 1, -1), IL_EARG); /* negative ridge */
    assert_int_equal(solve(il_simd(), 4, 1, NAN), IL_EARG);
    assert_int_equal(solve(il_simd(), 4, 1, INFINITY), IL_EARG);
    assert_int_equal(solve(il_simd(), 4, 1, 1e-300), IL_OK);
    const double indefinite[4] = {1, 2, 2, 1};
    memcpy(gram, indefinite, sizeof(indefinite));
    assert_int_equal(solve(il_simd(), 2, 1, 0), IL_EARG);
    assert_int_equal(solve(il_simd(), 2, 1, 0.9), IL_EARG);
    assert_int_equal(solve(il_simd(), 2, 1, 1.1), IL_OK);
    for (size_t at = 0; at < 9; at += 4) { /* each pivot in turn */
        const double bad[] = {NAN, INFINITY, -INFINITY, -5};
        for (size_t b = 0; b < 4; b++) {
            make_gram(3, 7, at);
            gram[at] = bad[b];
            assert_int_equal(solve(il_simd(), 3, 1, 0.1), IL_EARG);
        }
    }
    make_gram(3, 7, 5);
    gram[3] = gram[1] = NAN; /* off the diagonal */
    assert_int_equal(solve(il_simd(), 3, 1, 0.1), IL_EARG);
}

static void equal_bits_on_every_isa(void **state)
{
    (void)state;
    struct il_simd table[4];
    size_t isas = ld_isas(table), n = N_MAX, m = M_MAX;
    struct ld_rng rng = {9};
    for (size_t i = 0; i < n * m; i++)
        right[i] = ld_normal(&rng);
    make_gram(n, n, 77);
    for (size_t t = 0; t < isas; t++) {
        assert_int_equal(solve(&table[t], n, m, 0.2), IL_OK);
        if (t == 0)
            memcpy(first_bits, solution, sizeof(solution));
        assert_memory_equal(first_bits, solution, sizeof(solution));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(solves_the_system),
        cmocka_unit_test(known_solution),
        cmocka_unit_test(what_is_not_positive_definite_is_refused),
        cmocka_unit_test(equal_bits_on_every_isa),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
