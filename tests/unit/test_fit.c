/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/unit.h"

#include "src/link/frame.h"
#include "tests/unit/linkdata.h"

#define ROWS 300
#define DA 23
#define DB 37
#define ANCHORS 3000

static float a[ROWS * DA], b[ROWS * DB];
static struct il_anchor anchors[ANCHORS];

static void fill(void)
{
    struct ld_rng rng = {5};
    ld_normals(&rng, ROWS * DA, 1, a);
    ld_normals(&rng, ROWS * DB, 1, b);
    for (size_t i = 0; i < ANCHORS; i++)
        anchors[i] = (struct il_anchor){(uint32_t)(ld_next(&rng) % ROWS),
                                        (uint32_t)(ld_next(&rng) % ROWS),
                                        (float)(0.25 + ld_uniform(&rng))};
}

/* The plain sum; size = sum of the magnitudes. */
static double plain(const struct il_gather *x, const struct il_gather *y, int weighed,
                    size_t count, size_t i, size_t j, double *size)
{
    double sum = 0;
    *size = 1e-30;
    for (size_t q = 0; q < count; q++) {
        size_t p = weighed ? (x->pick ? anchors[q].b : anchors[q].a) : q;
        size_t r = weighed ? (y->pick ? anchors[q].b : anchors[q].a) : q;
        double t = (double)x->x[p * x->ld + i] * y->x[r * y->ld + j];
        t *= weighed ? anchors[q].weight : 1;
        sum += t;
        *size += fabs(t);
    }
    return sum;
}

static void check(struct il_gather x, struct il_gather y, int weighed, size_t count)
{
    static double c[DB * DB];
    for (size_t i = 0; i < x.d * y.d; i++)
        c[i] = (double)i; /* what was there stays */
    assert_int_equal(il_cross_add(il_simd(), x, y, weighed ? anchors : NULL, count, c),
                     IL_OK);
    for (size_t i = 0; i < x.d; i++) {
        for (size_t j = 0; j < y.d; j++) {
            double size, sum = plain(&x, &y, weighed, count, i, j, &size);
            double got = c[i * y.d + j] - (double)(i * y.d + j);
            /* The bound of a chain of 1,024 is far above what rounding really does. */
            assert_true(fabs(got - sum) <= 3e-6 * size + 1e-12);
        }
    }
}

static void sums_agree_with_plain_ones(void **state)
{
    (void)state;
    static const size_t counts[] = {0, 1, 2, 100, 1023, 1024, 1025, ANCHORS};
    fill();
    for (size_t c = 0; c < sizeof(counts) / sizeof(*counts); c++) {
        check((struct il_gather){a, DA, DA, 0}, (struct il_gather){b, DB, DB, 1}, 1,
              counts[c]);
        check((struct il_gather){b, DB, DB, 1}, (struct il_gather){b, DB, DB, 1}, 1,
              counts[c]);
    }
    check((struct il_gather){a, DA, DA, 0}, (struct il_gather){a, DA, DA, 0}, 0, ROWS);
    /* Some of the columns, as the stripes of the covariance take them. */
    check((struct il_gather){b + 30, 7, DB, 0}, (struct il_gather){b, DB, DB, 0}, 0,
          ROWS);
    check((struct il_gather){a + 3, 1, DA, 1}, (struct il_gather){b + 5, 1, DB, 0}, 1,
          50);
}

/* Sums of one sign grow without losing digits: the chains are cut. */
static void long_sums_keep_their_digits(void **state)
{
    (void)state;
    enum { LONG = 1 << 20 };
    struct il_anchor *many = calloc(LONG, sizeof(*many));
    assert_non_null(many);
    const float x[1] = {1}, y[1] = {0.1f};
    double c = 0;
    for (size_t i = 0; i < LONG; i++)
        many[i] = (struct il_anchor){0, 0, 1};
    assert_int_equal(il_cross_add(il_simd(), (struct il_gather){x, 1, 1, 0},
                                  (struct il_gather){y, 1, 1, 1}, many, LONG, &c),
                     IL_OK);
    assert_true(fabs(c / ((double)LONG * 0.1f) - 1) < 1e-5); /* one f32 chain: 1e-3 off */
    free(many);
}

static void equal_bits_on_every_isa(void **state)
{
    (void)state;
    static double first[DA * DB], c[DA * DB];
    struct il_simd table[4];
    size_t isas = ld_isas(table);
    fill();
    for (size_t t = 0; t < isas; t++) {
        memset(c, 0, sizeof(c));
        assert_int_equal(il_cross_add(&table[t], (struct il_gather){a, DA, DA, 0},
                                      (struct il_gather){b, DB, DB, 1}, anchors, ANCHORS,
                                      c),
                         IL_OK);
        if (t == 0)
            memcpy(first, c, sizeof(c));
        assert_memory_equal(first, c, sizeof(c));
    }
}

static enum il_status use(void *context)
{
    (void)context;
    static double c[DA * DB];
    return il_cross_add(il_simd(), (struct il_gather){a, DA, DA, 0},
                        (struct il_gather){b, DB, DB, 1}, anchors, 10, c);
}

static void memory_faults_are_told(void **state)
{
    (void)state;
    assert_true(unit_starve(use, NULL) >= 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sums_agree_with_plain_ones),
        cmocka_unit_test(long_sums_keep_their_digits),
        cmocka_unit_test(equal_bits_on_every_isa),
        cmocka_unit_test(memory_faults_are_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
