/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/unit.h"

#include <math.h>

#include "src/linalg/dense.h"
#include "tests/unit/linkdata.h"

#define N 130

static double given[N * N], vectors[N * N], values[N];
static double first_vectors[N * N], first_values[N];

static double size_of(size_t n)
{
    double sum = 0;
    for (size_t i = 0; i < n * n; i++)
        sum += given[i] * given[i];
    return sqrt(sum);
}

static void random_symmetric(size_t n, uint64_t draw)
{
    struct ld_rng rng = {draw};
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j <= i; j++)
            given[i * n + j] = given[j * n + i] = ld_normal(&rng);
}

/* H diag(value) H, H a product of two random reflections: these eigenvalues exactly. */
static void with_values(size_t n, const double *value, uint64_t draw)
{
    struct ld_rng rng = {draw};
    memset(given, 0, sizeof(given));
    for (size_t i = 0; i < n; i++)
        given[i * n + i] = value[i];
    for (int turn = 0; turn < 2; turn++) {
        double v[N], norm2 = 0;
        for (size_t i = 0; i < n; i++) {
            v[i] = ld_normal(&rng);
            norm2 += v[i] * v[i];
        }
        for (int side = 0; side < 2; side++) {
            for (size_t i = 0; i < n; i++) {
                double dot = 0;
                for (size_t j = 0; j < n; j++)
                    dot += given[side ? j * n + i : i * n + j] * v[j];
                for (size_t j = 0; j < n; j++)
                    given[side ? j * n + i : i * n + j] -= 2 * dot * v[j] / norm2;
            }
        }
    }
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < i; j++)
            given[j * n + i] = given[i * n + j];
}

static enum il_status decompose(const struct il_simd *simd, size_t n)
{
    memcpy(vectors, given, n * n * sizeof(*given));
    return il_eigen_symmetric(simd, n, vectors, values);
}

/* Everything that the header promises, for the matrix in `given`. */
static void check(size_t n, const char *what)
{
    double size = size_of(n), close = 1e-13 * (double)(n + 3);
    assert_int_equal(decompose(il_simd(), n), IL_OK);
    for (size_t k = 0; k < n; k++) {
        const double *v = vectors + k * n;
        double residual = 0, top = 0;
        for (size_t i = 0; i < n; i++) {
            double sum = -values[k] * v[i];
            for (size_t j = 0; j < n; j++)
                sum += given[i * n + j] * v[j];
            residual += sum * sum;
            top = fabs(v[i]) > fabs(top) ? v[i] : top;
        }
        if (!(sqrt(residual) <= close * size))
            fail_msg("%s, n = %zu: |A v - lambda v| = %g of %g at %zu", what, n,
                     sqrt(residual), size, k);
        assert_true(top > 0);
        assert_true(k == 0 || values[k - 1] >= values[k]);
        for (size_t l = 0; l <= k; l++) {
            double dot = 0;
            for (size_t i = 0; i < n; i++)
                dot += v[i] * vectors[l * n + i];
            assert_true(fabs(dot - (k == l)) <= close);
        }
    }
}

static void random_matrices(void **state)
{
    (void)state;
    static const size_t ns[] = {0, 1, 2, 3, 4, 7, 16, 33, 64, N};
    for (size_t i = 0; i < sizeof(ns) / sizeof(*ns); i++) {
        random_symmetric(ns[i], i + 1);
        check(ns[i], "random");
    }
}

static void known_values(void **state)
{
    (void)state;
    given[0] = -3;
    check(1, "one");
    assert_true(values[0] == -3 && vectors[0] == 1);
    const double two[4] = {2, -1, -1, 2};
    memcpy(given, two, sizeof(two));
    check(2, "two");
    assert_float_equal(values[0], 3, 1e-15);
    assert_float_equal(values[1], 1, 1e-15);
    /* The second difference: 2 - 2 cos(k pi / (n + 1)). */
    memset(given, 0, sizeof(given));
    for (size_t i = 0; i < N; i++) {
        given[i * N + i] = 2;
        if (i)
            given[i * N + i - 1] = given[(i - 1) * N + i] = -1;
    }
    check(N, "second difference");
    for (size_t k = 0; k < N; k++)
        assert_float_equal(
            values[k], 2 - 2 * cos((double)(N - k) * 3.14159265358979 / (N + 1)), 1e-13);
}

static void repeated_and_zero_values(void **state)
{
    (void)state;
    static const size_t ns[] = {2, 5, 40, N};
    for (size_t s = 0; s < sizeof(ns) / sizeof(*ns); s++) {
        size_t n = ns[s];
        double value[N];
        memset(given, 0, sizeof(given));
        check(n, "zero");
        for (size_t i = 0; i < n; i++)
            assert_true(values[i] == 0);
        for (size_t i = 0; i < n; i++)
            given[i * n + i] = 4;
        check(n, "identity");
        for (size_t i = 0; i < n; i++)
            value[i] = i < n / 3 ? 3 : i < n / 2 ? 1 : 0;
        with_values(n, value, s);
        check(n, "repeated");
        for (size_t i = 0; i < n; i++)
            assert_float_equal(values[i], value[i], 1e-12);
        for (size_t i = 0; i < n; i++)
            given[i] = value[i] = i ? 0 : 7;
        with_values(n, value, s + 10);
        check(n, "rank one");
        for (size_t i = 0; i < n * n; i++)
            given[i] = 1;
        check(n, "ones");
        assert_float_equal(values[0], (double)n, 1e-11);
    }
}

/* A row of one large and some small elements: their squares vanish beside the large
   one's, they themselves must not. */
static void small_elements_beside_large_ones_count(void **state)
{
    (void)state;
    const double small[9] = {0, 1, 1e-9, 1, 0, 1, 1e-9, 1, 0};
    memcpy(given, small, sizeof(small));
    check(3, "1e-9 beside 1");
}

static void graded_matrices(void **state)
{
    (void)state;
    random_symmetric(20, 4);
    for (size_t i = 0; i < 20; i++)
        for (size_t j = 0; j < 20; j++)
            given[i * 20 + j] *= pow(10, -0.4 * (double)(i + j));
    check(20, "graded down");
    random_symmetric(20, 5);
    for (size_t i = 0; i < 20; i++)
        for (size_t j = 0; j < 20; j++)
            given[i * 20 + j] *= pow(10, 0.4 * (double)(i + j) - 16);
    check(20, "graded up");
    for (int power = -150; power <= 150; power += 50) {
        random_symmetric(9, 6);
        for (size_t i = 0; i < 81; i++)
            given[i] *= pow(10, power);
        check(9, "scaled");
    }
}

static void what_is_not_finite_is_refused(void **state)
{
    (void)state;
    const double bad[] = {NAN, INFINITY, -INFINITY};
    for (size_t b = 0; b < 3; b++) {
        for (size_t at = 0; at < 16; at += 5) {
            random_symmetric(4, 8);
            given[at] = bad[b];
            assert_int_equal(decompose(il_simd(), 4), IL_EARG);
        }
        random_symmetric(4, 8);
        given[1] = given[4] = bad[b];
        assert_int_equal(decompose(il_simd(), 4), IL_EARG);
        given[0] = bad[b];
        assert_int_equal(decompose(il_simd(), 1), IL_EARG);
    }
}

static void equal_bits_on_every_isa(void **state)
{
    (void)state;
    static const size_t ns[] = {1, 2, 31, 65, N};
    struct il_simd table[4];
    size_t isas = ld_isas(table);
    for (size_t s = 0; s < sizeof(ns) / sizeof(*ns); s++) {
        size_t n = ns[s];
        random_symmetric(n, 20 + s);
        for (size_t t = 0; t < isas; t++) {
            assert_int_equal(decompose(&table[t], n), IL_OK);
            if (t == 0) {
                memcpy(first_vectors, vectors, sizeof(vectors));
                memcpy(first_values, values, sizeof(values));
            }
            assert_memory_equal(first_vectors, vectors, n * n * sizeof(*vectors));
            assert_memory_equal(first_values, values, n * sizeof(*values));
        }
    }
}

static enum il_status use(void *context)
{
    (void)context;
    random_symmetric(12, 1);
    return decompose(il_simd(), 12);
}

static void memory_faults_are_told(void **state)
{
    (void)state;
    assert_int_equal(unit_starve(use, NULL), 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_matrices),
        cmocka_unit_test(known_values),
        cmocka_unit_test(repeated_and_zero_values),
        cmocka_unit_test(small_elements_beside_large_ones_count),
        cmocka_unit_test(graded_matrices),
        cmocka_unit_test(what_is_not_finite_is_refused),
        cmocka_unit_test(equal_bits_on_every_isa),
        cmocka_unit_test(memory_faults_are_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
