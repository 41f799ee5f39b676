/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/unit.h"

#include <math.h>

#include "simd/simd.h"
#include "src/linalg/pca.h"
#include "tests/unit/linkdata.h"

#define ROWS_MAX 1300
#define DIM_MAX 200

static float x[ROWS_MAX * DIM_MAX], mean[DIM_MAX], basis[DIM_MAX * DIM_MAX];

/* Rows with an offset whose coordinates have the standard deviation 2^(-q / 4) along
   axes that are rotated pairwise, by (0.6, 0.8). */
static void some_rows(size_t rows, size_t dim, size_t ld)
{
    struct ld_rng rng = {rows * 1000 + dim};
    for (size_t i = 0; i < rows; i++) {
        float *row = x + i * ld;
        for (size_t q = 0; q < dim; q++)
            row[q] = (float)(ld_normal(&rng) * exp2(-(double)q / 4));
        for (size_t q = 0; q + 1 < dim; q += 2) {
            float a = row[q], b = row[q + 1];
            row[q] = 0.6f * a - 0.8f * b + (float)q;
            row[q + 1] = 0.8f * a + 0.6f * b - 3;
        }
    }
}

static double dot(const float *a, const float *b, size_t n)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += (double)a[i] * (double)b[i];
    return sum;
}

/* Variance along a direction, and of all coordinates when it is NULL, times rows. */
static double variance(size_t rows, size_t dim, size_t ld, const float *direction)
{
    double sum = 0;
    for (size_t i = 0; i < rows; i++) {
        double along = 0, all = 0;
        for (size_t q = 0; q < dim; q++) {
            double centred = (double)x[i * ld + q] - (double)mean[q];
            along += direction ? centred * (double)direction[q] : 0;
            all += centred * centred;
        }
        sum += direction ? along * along : all;
    }
    return sum;
}

static void fit(size_t rows, size_t dim, size_t ld, size_t keep, double *share)
{
    struct il_error error = {{0}};
    if (il_pca_fit(NULL, rows, dim, ld, x, keep, mean, basis, share, &error) != IL_OK)
        fail_msg("%s", error.text);
}

static void axes_are_orthonormal_and_in_order(void **state)
{
    (void)state;
    static const struct {
        size_t rows, dim, ld, keep;
    } tried[] = {{1, 1, 1, 1},       {2, 1, 3, 1},         {1, 7, 7, 7},
                 {5, 33, 40, 33},    {100, 2, 2, 2},       {511, 12, 12, 5},
                 {512, 96, 96, 48},  {513, 97, 100, 97},   {1300, 64, 64, 32},
                 {600, 130, 130, 1}, {1300, 200, 200, 100}};
    for (size_t t = 0; t < sizeof(tried) / sizeof(*tried); t++) {
        size_t rows = tried[t].rows, dim = tried[t].dim, ld = tried[t].ld;
        double share = -1, before = INFINITY, kept = 0;
        some_rows(rows, dim, ld);
        fit(rows, dim, ld, tried[t].keep, &share);
        for (size_t q = 0; q < dim; q++) {
            double sum = 0;
            for (size_t i = 0; i < rows; i++)
                sum += (double)x[i * ld + q];
            assert_true(fabs(sum / (double)rows - (double)mean[q]) <=
                        1e-7 * fabs((double)mean[q]));
        }
        double all = variance(rows, dim, ld, NULL);
        for (size_t i = 0; i < tried[t].keep; i++) {
            const float *axis = basis + i * dim;
            for (size_t j = 0; j <= i; j++) {
                double wanted = i == j ? 1 : 0;
                assert_true(fabs(dot(axis, basis + j * dim, dim) - wanted) < 2e-6);
            }
            double along = variance(rows, dim, ld, axis);
            assert_true(along <= before + 1e-5 * all);
            before = along;
            kept += along;
        }
        if (rows == 1)
            assert_true(share == 1);
        else
            assert_true(fabs(share - kept / all) < 1e-5);
        if (tried[t].keep == dim)
            assert_true(share > 1 - 1e-12);
    }
}

/* The axes that the rows were made of. */
static void axes_are_those_of_the_data(void **state)
{
    (void)state;
    enum { ROWS = 1300, DIM = 8 };
    double share = 0;
    struct ld_rng rng = {1};
    for (size_t i = 0; i < ROWS; i++)
        for (size_t q = 0; q < DIM; q += 2) {
            double a = ld_normal(&rng) * exp2(-(double)q);
            double b = ld_normal(&rng) * exp2(-(double)q - 1);
            x[i * DIM + q] = (float)(0.6 * a - 0.8 * b);
            x[i * DIM + q + 1] = (float)(0.8 * a + 0.6 * b);
        }
    fit(ROWS, DIM, DIM, 4, &share);
    for (size_t i = 0; i < 4; i++) {
        /* Axis 2 p lies along (0.6, 0.8) of pair p, the next across it. */
        const float *axis = basis + i * DIM;
        size_t at = i / 2 * 2;
        float first = i % 2 ? 0.8f : 0.6f, second = i % 2 ? -0.6f : 0.8f;
        assert_true(fabsf(axis[at] - first) < 0.05f);
        assert_true(fabsf(axis[at + 1] - second) < 0.05f);
    }
    /* 1 + 1/4 + 1/16 + 1/64 of a series that ends at 2^-14. */
    assert_true(fabs(share - (1 - 1.0 / 256)) < 0.002);
}

static void threads_change_nothing(void **state)
{
    (void)state;
    enum { ROWS = 1100, DIM = 150, KEEP = 70 };
    static float first_mean[DIM], first[KEEP * DIM];
    double share = 0, first_share = 0;
    struct il_error error;
    some_rows(ROWS, DIM, DIM);
    fit(ROWS, DIM, DIM, KEEP, &first_share);
    memcpy(first_mean, mean, sizeof(first_mean));
    memcpy(first, basis, sizeof(first));
    for (unsigned threads = 1; threads <= 4; threads++) {
        struct il_pool *pool = NULL;
        assert_int_equal(il_pool_open(&pool, threads), IL_OK);
        memset(basis, 0, sizeof(basis));
        assert_int_equal(
            il_pca_fit(pool, ROWS, DIM, DIM, x, KEEP, mean, basis, &share, &error),
            IL_OK);
        assert_memory_equal(mean, first_mean, sizeof(first_mean));
        assert_memory_equal(basis, first, sizeof(first));
        assert_true(share == first_share);
        il_pool_close(&pool);
    }
}

/* One number for all instruction sets: `make check-isa` runs others than the best. */
static void bits_are_those_of_every_machine(void **state)
{
    (void)state;
    enum { ROWS = 600, DIM = 61, KEEP = 30 };
    double share = 0;
    struct ld_rng rng = {5};
    for (size_t i = 0; i < (size_t)ROWS * DIM; i++)
        x[i] = (float)(ld_uniform(&rng) - 0.5);
    fit(ROWS, DIM, DIM, KEEP, &share);
    uint64_t sum = 0;
    for (size_t i = 0; i < (size_t)KEEP * DIM; i++) {
        uint32_t bits;
        memcpy(&bits, basis + i, sizeof(bits));
        sum = sum * 1099511628211U + bits;
    }
    assert_int_equal(sum, 0x220da8b4e1df9b58U);
}

static void bad_samples_are_refused(void **state)
{
    (void)state;
    struct il_error error;
    double share;
    static const float bad[] = {NAN, INFINITY, -INFINITY, 1e30f};
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        some_rows(3, 4, 4);
        x[6] = bad[i];
        assert_int_equal(il_pca_fit(NULL, 3, 4, 4, x, 2, mean, basis, &share, &error),
                         IL_EARG);
        unit_says(&error,
                  "row 1 of the sample is not finite or its values are too large");
    }
    /* Finite squares, but not their sum. */
    for (size_t i = 0; i < 1024; i++)
        x[i] = i % 2 ? 1.2e19f : -1.2e19f;
    assert_int_equal(il_pca_fit(NULL, 512, 2, 2, x, 2, mean, basis, &share, &error),
                     IL_OK);
    for (size_t i = 0; i < 1024; i++)
        x[i] = i / 2 % 2 ? 1.2e19f : -1.2e19f;
    assert_int_equal(il_pca_fit(NULL, 512, 2, 2, x, 2, mean, basis, &share, &error),
                     IL_EARG);
    unit_says(&error, "too large");
    assert_int_equal(il_pca_fit(NULL, 0, 2, 2, x, 2, mean, basis, &share, &error),
                     IL_EARG);
    unit_says(&error, "2 axes of 0 rows");
    assert_int_equal(il_pca_fit(NULL, 3, 2, 2, x, 0, mean, basis, &share, &error),
                     IL_EARG);
    assert_int_equal(il_pca_fit(NULL, 3, 2, 2, x, 3, mean, basis, &share, &error),
                     IL_EARG);
    unit_says(&error, "3 axes of 3 rows of 2 coordinates");
    assert_int_equal(il_pca_fit(NULL, 3, IL_PCA_DIM_MAX + 1, IL_PCA_DIM_MAX + 1, x, 3,
                                mean, basis, &share, &error),
                     IL_ELIMIT);
    unit_says(&error, "8193 coordinates, wanted at most 8192");
}

static enum il_status fit_step(void *context)
{
    struct il_error error;
    double share;
    return il_pca_fit(context, 40, 10, 10, x, 4, mean, basis, &share, &error);
}

static void no_memory_is_said(void **state)
{
    (void)state;
    some_rows(40, 10, 10);
    assert_true(unit_starve(fit_step, NULL) >= 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(axes_are_orthonormal_and_in_order),
        cmocka_unit_test(axes_are_those_of_the_data),
        cmocka_unit_test(threads_change_nothing),
        cmocka_unit_test(bits_are_those_of_every_machine),
        cmocka_unit_test(bad_samples_are_refused),
        cmocka_unit_test(no_memory_is_said),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
