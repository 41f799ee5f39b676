/* SPDX-License-Identifier: Apache-2.0 */
/* il_svd: the product comes back, vectors are orthonormal, and what is left out. */
#include "tests/unit/unit.h"

#include <math.h>

#include "src/linalg/dense.h"
#include "tests/unit/linkdata.h"

#define N 7
#define M 11

struct svd {
    double c[N * M], work[N * N + N], left[N * N], right[N * M], values[N];
    size_t rank;
    enum il_status status;
};

static void run(struct svd *s, const struct il_simd *simd, size_t rank, double floor,
                int quarter)
{
    const struct il_svd_options options = {rank, floor, quarter};
    s->rank = il_svd(simd ? simd : il_simd(), N, M, s->c, &options, s->work, s->left,
                     s->right, s->values, &s->status);
}

static void fill(struct svd *s)
{
    struct ld_rng rng = {5};
    for (size_t i = 0; i < N * M; i++)
        s->c[i] = ld_normal(&rng);
}

static double dot(const double *x, const double *y, size_t n)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += x[i] * y[i];
    return sum;
}

static void the_product_comes_back(void **state)
{
    (void)state;
    struct svd s;
    fill(&s);
    run(&s, NULL, N, 1e-9, 0);
    assert_int_equal(s.status, IL_OK);
    assert_int_equal(s.rank, N);
    for (size_t p = 0; p < N; p++) {
        assert_true(p == 0 || s.values[p] <= s.values[p - 1]);
        for (size_t q = 0; q < N; q++) {
            assert_true(fabs(dot(s.left + p * N, s.left + q * N, N) - (p == q)) < 1e-9);
            assert_true(fabs(dot(s.right + p * M, s.right + q * M, M) - (p == q)) < 1e-9);
        }
    }
    for (size_t i = 0; i < N; i++) {
        for (size_t j = 0; j < M; j++) {
            double sum = 0;
            for (size_t q = 0; q < N; q++)
                sum += s.values[q] * s.left[q * N + i] * s.right[q * M + j];
            assert_true(fabs(sum - s.c[i * M + j]) < 1e-9);
        }
    }
}

static void rank_and_floor_cut_off(void **state)
{
    (void)state;
    struct svd s;
    fill(&s);
    run(&s, NULL, 3, 1e-9, 0);
    assert_int_equal(s.rank, 3);
    /* The last four rows repeat the first three: rank 3 again, by the floor. */
    for (size_t i = 3; i < N; i++)
        memcpy(s.c + i * M, s.c + (i - 3) % 3 * M, M * sizeof(double));
    run(&s, NULL, N, 1e-6, 0);
    assert_int_equal(s.rank, 3);
    memset(s.c, 0, sizeof(s.c));
    run(&s, NULL, N, 1e-6, 0);
    assert_int_equal(s.rank, 0);
    assert_int_equal(s.status, IL_OK);
    s.c[3] = NAN;
    run(&s, NULL, N, 1e-6, 0);
    assert_int_equal(s.status, IL_EARG);
    assert_int_equal(s.rank, 0);
}

static void quarter_weighs_the_vectors(void **state)
{
    (void)state;
    struct svd s, t;
    fill(&s);
    fill(&t);
    run(&s, NULL, N, 1e-9, 0);
    run(&t, NULL, N, 1e-9, 1);
    for (size_t q = 0; q < N; q++) {
        double weight = pow(s.values[q] / s.values[0], 0.25);
        assert_true(s.values[q] == t.values[q]);
        for (size_t i = 0; i < N; i++)
            assert_true(fabs(t.left[q * N + i] - weight * s.left[q * N + i]) < 1e-12);
        for (size_t j = 0; j < M; j++)
            assert_true(fabs(t.right[q * M + j] - weight * s.right[q * M + j]) < 1e-12);
    }
}

static void equal_bits_on_every_isa(void **state)
{
    (void)state;
    struct il_simd table[4];
    size_t isas = ld_isas(table);
    struct svd first, s;
    fill(&first);
    fill(&s);
    run(&first, &table[0], N, 1e-9, 1);
    for (size_t t = 1; t < isas; t++) {
        run(&s, &table[t], N, 1e-9, 1);
        assert_memory_equal(first.left, s.left, sizeof(s.left));
        assert_memory_equal(first.right, s.right, sizeof(s.right));
        assert_memory_equal(first.values, s.values, sizeof(s.values));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_product_comes_back),
        cmocka_unit_test(rank_and_floor_cut_off),
        cmocka_unit_test(quarter_weighs_the_vectors),
        cmocka_unit_test(equal_bits_on_every_isa),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
