/* SPDX-License-Identifier: Apache-2.0 */
/* Quadratic assignment: planted permutations, the sum that it tells, ties, odd sizes. */
#include "tests/unit/unit.h"

#include "src/link/assign.h"

#include "tests/unit/linkdata.h"

#define CELLS (IL_ASSIGN_MAX * IL_ASSIGN_MAX)

static double a[CELLS], b[CELLS];

/* Inner products of n random points of d coordinates; b is a in another order, plus
   symmetric noise. Where[i] = the item of b that i of a is. */
static void plant(size_t n, size_t d, double noise, uint64_t draw, uint32_t *where)
{
    struct ld_rng rng = {draw};
    double x[IL_ASSIGN_MAX][8];
    assert_true(d <= 8 && n <= IL_ASSIGN_MAX);
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < d; k++)
            x[i][k] = ld_normal(&rng);
    for (size_t i = 0; i < n; i++) {
        for (size_t j = 0; j < n; j++) {
            a[i * n + j] = 0;
            for (size_t k = 0; k < d; k++)
                a[i * n + j] += x[i][k] * x[j][k];
        }
    }
    uint32_t *order = ld_order(&rng, n);
    for (size_t i = 0; i < n; i++) {
        where[i] = order[i];
        for (size_t j = 0; j <= i; j++) {
            double more = noise * ld_normal(&rng);
            b[order[i] * n + order[j]] = b[order[j] * n + order[i]] = a[i * n + j] + more;
        }
    }
    free(order);
}

static double sum_of(size_t n, const uint32_t *p)
{
    double sum = 0;
    for (size_t i = 0; i < n * n; i++)
        sum += a[i] * b[p[i / n] * n + p[i % n]];
    return sum;
}

static void check_permutation(size_t n, const uint32_t *p)
{
    uint8_t seen[IL_ASSIGN_MAX] = {0};
    for (size_t i = 0; i < n; i++) {
        assert_true(p[i] < n);
        assert_int_equal(seen[p[i]]++, 0);
    }
}

static void finds_a_planted_permutation(void **state)
{
    (void)state;
    for (uint64_t draw = 1; draw <= 10; draw++) {
        size_t n = 12 + (size_t)draw;
        uint32_t where[IL_ASSIGN_MAX], p[IL_ASSIGN_MAX];
        plant(n, 8, 0.1, draw, where);
        struct il_rng rng = il_rng_make(draw, 0, 0, IL_FOR_ASSIGNMENT);
        double sum = il_assign_quadratic(n, a, b, 100, &rng, p);
        check_permutation(n, p);
        assert_true(fabs(sum - sum_of(n, p)) < 1e-9 * fabs(sum));
        assert_true(sum >= sum_of(n, where) * (1 - 1e-9));
        assert_memory_equal(p, where, n * sizeof *p);
    }
}

/* No exchange gains any more, and more restarts are never worse. */
static void ends_where_no_exchange_gains(void **state)
{
    (void)state;
    size_t n = 15;
    uint32_t where[IL_ASSIGN_MAX], p[IL_ASSIGN_MAX];
    plant(n, 3, 2, 5, where);
    double last = -1e300;
    for (unsigned restarts = 1; restarts <= 64; restarts *= 4) {
        struct il_rng rng = il_rng_make(9, 0, 0, IL_FOR_ASSIGNMENT);
        double sum = il_assign_quadratic(n, a, b, restarts, &rng, p);
        assert_true(sum >= last);
        last = sum;
        for (size_t i = 0; i < n; i++) {
            for (size_t j = i + 1; j < n; j++) {
                uint32_t q[IL_ASSIGN_MAX];
                memcpy(q, p, sizeof q);
                q[i] = p[j];
                q[j] = p[i];
                assert_true(sum_of(n, q) <= sum + 1e-9 * fabs(sum));
            }
        }
    }
}

static void equal_draws_give_equal_permutations(void **state)
{
    (void)state;
    uint32_t where[IL_ASSIGN_MAX], p[2][IL_ASSIGN_MAX];
    plant(20, 4, 3, 7, where);
    for (int run = 0; run < 2; run++) {
        struct il_rng rng = il_rng_make(3, 1, 4, IL_FOR_ASSIGNMENT);
        (void)il_assign_quadratic(20, a, b, 5, &rng, p[run]);
    }
    assert_memory_equal(p[0], p[1], 20 * sizeof **p);
}

/* One item, all equal, zeros, the largest size, entries that are no numbers: it ends. */
static void ends_on_odd_input(void **state)
{
    (void)state;
    static const double values[] = {0, 1, -1, 1e200, NAN};
    uint32_t p[IL_ASSIGN_MAX];
    for (size_t n = 1; n <= IL_ASSIGN_MAX; n = n < 4 ? n + 1 : n * 4) {
        for (size_t v = 0; v < sizeof values / sizeof *values; v++) {
            for (size_t i = 0; i < n * n; i++)
                a[i] = b[i] = values[v];
            struct il_rng rng = il_rng_make(1, 0, 0, IL_FOR_ASSIGNMENT);
            (void)il_assign_quadratic(n, a, b, 2, &rng, p);
            check_permutation(n, p);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_a_planted_permutation),
        cmocka_unit_test(ends_where_no_exchange_gains),
        cmocka_unit_test(equal_draws_give_equal_permutations),
        cmocka_unit_test(ends_on_odd_input),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
