/* SPDX-License-Identifier: Apache-2.0 */
/* Rows with and without counterpart whose scores come from known distributions. */
#include <isolink/diff.h>

#include "tests/unit/unit.h"
#include "tests/unit/linkdata.h"

#define ROWS 4000
#define LINKED 1000
#define MISSED 300

/* Counterparts score about 0.8, other rows about 0.5; the missed ones lie between. */
static void fill(struct il_diff_row *row)
{
    struct ld_rng rng = {5};
    for (size_t i = 0; i < ROWS; i++) {
        float other = (float)(0.5 + 0.05 * ld_normal(&rng));
        float own = (float)((i < LINKED ? 0.8 : 0.65) + 0.05 * ld_normal(&rng));
        row[i] = (struct il_diff_row){.linked = i < LINKED,
                                      .posterior = i % 10 == 0 ? 0.5 : 0.95,
                                      .best = i < LINKED + MISSED ? own : other,
                                      .rest = other};
    }
}

static void numbers_add_up_and_scores_tell(void **state)
{
    (void)state;
    static struct il_diff_row row[ROWS];
    static double alone[ROWS];
    struct il_diff_estimate e;
    struct il_error error = {""};
    double missed = 0, without = 0;
    fill(row);
    assert_int_equal(il_diff_judge(row, ROWS, MISSED, alone, &e, &error), IL_OK);
    assert_int_equal(e.unlinked, ROWS - LINKED);
    assert_true(fabs(e.alone - (ROWS - LINKED - MISSED)) < 1);
    assert_true(fabs(e.wrong - (100 * 0.5 + 900 * 0.05)) < 1e-6);
    for (size_t i = 0; i < ROWS; i++) {
        assert_true(alone[i] >= 0 && alone[i] <= 1);
        if (i < LINKED)
            assert_true(alone[i] == 1 - row[i].posterior);
        else if (i < LINKED + MISSED)
            missed += alone[i] / MISSED;
        else
            without += alone[i] / (ROWS - LINKED - MISSED);
    }
    if (!(missed < 0.4 && without > 0.95))
        fail_msg("missed %g, without %g", missed, without);
    for (size_t i = LINKED; i + 1 < ROWS; i++)
        assert_true(row[i].best <= row[i + 1].best || alone[i] <= alone[i + 1] + 1e-12);
}

static void extremes(void **state)
{
    (void)state;
    static struct il_diff_row row[ROWS];
    static double alone[ROWS];
    struct il_diff_estimate e;
    struct il_error error = {""};
    fill(row);
    assert_int_equal(il_diff_judge(row, ROWS, 0, alone, &e, &error), IL_OK);
    assert_true(e.alone > ROWS - LINKED - 1e-6);
    assert_int_equal(il_diff_judge(row, ROWS, 1e9, alone, &e, &error), IL_OK);
    assert_true(e.alone < 1);
    /* all rows linked, all scores equal */
    for (size_t i = 0; i < LINKED; i++)
        row[i].best = row[i].rest = 0.5f;
    assert_int_equal(il_diff_judge(row, LINKED, 5, alone, &e, &error), IL_OK);
    assert_int_equal(e.unlinked, 0);
    assert_true(e.alone == 0);
}

static void what_cannot_be_judged_is_refused(void **state)
{
    (void)state;
    static struct il_diff_row row[ROWS];
    static double alone[ROWS];
    struct il_diff_estimate e;
    struct il_error error = {""};
    fill(row);
    assert_int_equal(il_diff_judge(row + LINKED - 19, 100, 1, alone, &e, &error),
                     IL_EBOOTSTRAP);
    unit_says(&error, "19 links, wanted at least 20");
    assert_int_equal(il_diff_judge(row, ROWS, NAN, alone, &e, &error), IL_EARG);
    assert_int_equal(il_diff_judge(row, ROWS, -1, alone, &e, &error), IL_EARG);
    il_alloc_fail_at(1);
    assert_int_equal(il_diff_judge(row, ROWS, 1, alone, &e, &error), IL_ENOMEM);
    unit_no_faults();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_add_up_and_scores_tell),
        cmocka_unit_test(extremes),
        cmocka_unit_test(what_cannot_be_judged_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
