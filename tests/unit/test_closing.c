/* SPDX-License-Identifier: Apache-2.0 */
/* Links of several sides held against each other: planted wrong links are found. */
#include <isolink/closing.h>

#include <math.h>

#include "tests/unit/unit.h"

enum { ROWS = 1000, SIDES_MOST = 4, PAIRS_MOST = 6 };

static struct il_error error;
static struct il_link links[PAIRS_MOST][ROWS];
static struct il_closing_pair pairs[PAIRS_MOST];
static size_t rows[SIDES_MOST] = {ROWS, ROWS, ROWS, ROWS};

/* Row r of each side is document r; all are linked, with one posterior. */
static size_t plant_right(unsigned sides, double posterior)
{
    size_t count = 0;
    for (unsigned x = 0; x < sides; x++)
        for (unsigned y = x + 1; y < sides; y++, count++) {
            pairs[count] = (struct il_closing_pair){
                .x = x, .y = y, .links = links[count], .count = ROWS, .recall = 0.9};
            for (uint64_t r = 0; r < ROWS; r++)
                links[count][r] = (struct il_link){
                    .a = r, .b = r, .posterior = posterior, .origin = IL_ORIGIN_LINK};
        }
    return count;
}

/* Of pair 0, the links of every `step` rows and their neighbours change partners. */
static size_t plant_wrong(uint64_t step, double posterior)
{
    size_t wrong = 0;
    for (uint64_t r = 0; r + 1 < ROWS; r += step, wrong += 2) {
        links[0][r].b = r + 1;
        links[0][r + 1].b = r;
        links[0][r].posterior = links[0][r + 1].posterior = posterior;
    }
    return wrong;
}

static struct il_closing *closed(unsigned sides, size_t count)
{
    struct il_closing *c = NULL;
    if (il_closing_run(&c, rows, sides, pairs, count, &error) != IL_OK)
        fail_msg("%s", error.text);
    return c;
}

static struct il_closing_report report_of(const struct il_closing *c)
{
    struct il_closing_report report;
    il_closing_describe(c, &report);
    return report;
}

/* Links of a fate, and how many of them join different documents. */
static size_t count_fate(const struct il_closing *c, enum il_closing_fate fate,
                         size_t *wrong)
{
    size_t count = 0, found = 0;
    const struct il_closed_link *l = il_closing_links(c, &count);
    *wrong = 0;
    for (size_t i = 0; i < count; i++)
        if (l[i].fate == fate) {
            found++;
            *wrong += l[i].a != l[i].b;
        }
    return found;
}

/* Where nothing ever contradicts, what is wrong is wrong the same way: nothing is learnt.
 */
static void agreement_alone_says_nothing(void **state)
{
    (void)state;
    size_t count = 0, wrong = 0;
    struct il_closing *c = closed(3, plant_right(3, 0.8));
    const struct il_closed_link *l = il_closing_links(c, &count);
    assert_int_equal(count, 3 * ROWS);
    for (size_t i = 0; i < count; i++) {
        assert_true(l[i].before == 0.8 && fabs(l[i].posterior - 0.8) < 1e-9);
        assert_true(l[i].agree == 1 && l[i].contradict == 0);
    }
    assert_int_equal(count_fate(c, IL_CLOSING_KEPT, &wrong), 3 * ROWS);
    assert_int_equal(report_of(c).agreements, 3 * ROWS);
    assert_int_equal(report_of(c).chains, 0);
    il_closing_close(&c);
    il_closing_close(&c);
}

/* Where errors show, links that agree are better than they were, others worse. */
static void agreement_raises(void **state)
{
    (void)state;
    size_t count = 0, pair_count = plant_right(3, 0.9), checked = 0;
    plant_wrong(10, 0.9);
    struct il_closing *c = closed(3, pair_count);
    const struct il_closed_link *l = il_closing_links(c, &count);
    for (size_t i = 0; i < count; i++) {
        if (l[i].agree)
            assert_true(l[i].posterior > 0.92);
        else if (l[i].fate == IL_CLOSING_ASIDE)
            assert_true(l[i].posterior < 0.8);
        checked += l[i].agree;
    }
    assert_true(checked > 2000 && report_of(c).shown > 0.5);
    il_closing_close(&c);
}

/* Three sides tell that a chain is wrong; which of its links is, the posteriors tell. */
static void planted_links_are_found(void **state)
{
    (void)state;
    size_t pair_count = plant_right(3, 0.9), planted = plant_wrong(10, 0.8), wrong = 0;
    size_t chains = 0, named = 0;
    struct il_closing *c = closed(3, pair_count);
    const struct il_contradiction *k = il_closing_contradictions(c, &chains);
    assert_int_equal(report_of(c).chains, chains);
    for (size_t i = 0; i < chains; i++) {
        assert_true(k[i].row[0] != k[i].row[3]);
        named += k[i].side[1] == 0 && k[i].side[2] == 1 && k[i].weakest == 1;
    }
    /* Each is the middle of one chain, and an end of two. */
    assert_int_equal(named, planted);
    assert_int_equal(chains, 3 * planted);
    assert_int_equal(count_fate(c, IL_CLOSING_ASIDE, &wrong), planted);
    assert_int_equal(wrong, planted);
    /* Links of 0.9 do not outweigh that a run with a recall of 0.9 saw another one. */
    assert_int_equal(count_fate(c, IL_CLOSING_INFERRED, &wrong), 0);
    il_closing_close(&c);
    pair_count = plant_right(3, 0.99);
    plant_wrong(10, 0.8);
    c = closed(3, pair_count);
    assert_int_equal(count_fate(c, IL_CLOSING_INFERRED, &wrong), planted);
    assert_int_equal(wrong, 0);
    il_closing_close(&c);
}

/* With four sides most of them tell, whatever the posteriors. */
static void four_sides_outvote(void **state)
{
    (void)state;
    size_t pair_count = plant_right(4, 0.9), planted = plant_wrong(10, 0.95), wrong = 0;
    struct il_closing *c = closed(4, pair_count);
    assert_int_equal(count_fate(c, IL_CLOSING_ASIDE, &wrong), planted);
    assert_int_equal(wrong, planted);
    il_closing_close(&c);
}

/* A seed is not set aside for a link. */
static void seeds_stand(void **state)
{
    (void)state;
    size_t pair_count = plant_right(3, 0.9), count = 0;
    plant_wrong(1000, 1);
    links[0][0].origin = links[0][1].origin = IL_ORIGIN_SEED;
    struct il_closing *c = closed(3, pair_count);
    const struct il_closed_link *l = il_closing_links(c, &count);
    for (size_t i = 0; i < count; i++)
        if (l[i].origin == IL_ORIGIN_SEED)
            assert_true(l[i].fate == IL_CLOSING_KEPT && l[i].posterior == 1);
    assert_true(report_of(c).set_aside >= 2);
    il_closing_close(&c);
}

/* What two sides imply of a third link: only from good links, and one to one. */
static void third_links_are_inferred(void **state)
{
    (void)state;
    size_t pair_count = plant_right(3, 0.99), wrong = 0;
    pairs[0].count = 0;
    pairs[0].recall = 0.5;
    struct il_closing *c = closed(3, pair_count);
    assert_int_equal(count_fate(c, IL_CLOSING_INFERRED, &wrong), ROWS);
    assert_int_equal(wrong, 0);
    il_closing_close(&c);
    pair_count = plant_right(3, 0.6);
    pairs[0].count = 0;
    c = closed(3, pair_count);
    assert_int_equal(count_fate(c, IL_CLOSING_INFERRED, &wrong), 0);
    il_closing_close(&c);
}

/* Pairs and links in another order: the same bytes. */
static void order_does_not_matter(void **state)
{
    (void)state;
    size_t pair_count = plant_right(4, 0.9), count[2];
    plant_wrong(7, 0.85);
    struct il_closing *c = closed(4, pair_count);
    for (size_t p = 0; p < pair_count; p++)
        for (size_t i = 0; i < ROWS / 2; i++) {
            const struct il_link kept = links[p][i];
            links[p][i] = links[p][ROWS - 1 - i];
            links[p][ROWS - 1 - i] = kept;
        }
    const struct il_closing_pair first = pairs[0];
    pairs[0] = pairs[4];
    pairs[4] = first;
    struct il_closing *d = closed(4, pair_count);
    const struct il_closed_link *l = il_closing_links(c, &count[0]);
    const struct il_closed_link *m = il_closing_links(d, &count[1]);
    assert_int_equal(count[0], count[1]);
    for (size_t i = 0; i < count[0]; i++) {
        assert_true(l[i].x == m[i].x && l[i].y == m[i].y);
        assert_true(l[i].a == m[i].a && l[i].b == m[i].b);
        assert_true(l[i].posterior == m[i].posterior && l[i].fate == m[i].fate);
    }
    il_closing_close(&c);
    il_closing_close(&d);
}

static void refused(unsigned sides, size_t count, const char *want)
{
    struct il_closing *c = NULL;
    error.text[0] = 0;
    assert_int_equal(il_closing_run(&c, rows, sides, pairs, count, &error), IL_EARG);
    assert_null(c);
    if (!strstr(error.text, want))
        fail_msg("'%s', wanted '%s'", error.text, want);
}

static void bad_arguments(void **state)
{
    (void)state;
    size_t pair_count = plant_right(3, 0.9);
    refused(2, 1, "2 sides, wanted 3");
    refused(17, 1, "17 sides");
    links[1][5].a = ROWS;
    refused(3, pair_count, "sides 0 and 2, link 5: rows 1000 and 5, of 1000 and 1000");
    links[1][5].a = 4;
    refused(3, pair_count, "link 5: row 4 or 5 is linked twice");
    plant_right(3, 0.9);
    pairs[1].y = 1;
    refused(3, pair_count, "sides 0 and 1 of 3");
    pairs[1] = (struct il_closing_pair){.x = 2, .y = 2};
    refused(3, pair_count, "sides 2 and 2 of 3");
    pairs[1] = (struct il_closing_pair){.x = 1, .y = 3};
    refused(3, pair_count, "sides 1 and 3 of 3");
}

static void memory_fails_at_every_call(void **state)
{
    (void)state;
    size_t pair_count = plant_right(3, 0.9);
    plant_wrong(10, 0.8);
    for (long k = 1;; k++) {
        struct il_closing *c = NULL;
        il_alloc_fail_at(k);
        enum il_status status = il_closing_run(&c, rows, 3, pairs, pair_count, &error);
        long calls = il_alloc_calls();
        il_alloc_fail_at(0);
        if (calls < k) {
            assert_int_equal(status, IL_OK);
            il_closing_close(&c);
            break;
        }
        assert_int_equal(status, IL_ENOMEM);
        assert_null(c);
        assert_true(k < 1000);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(agreement_alone_says_nothing),
        cmocka_unit_test(agreement_raises),
        cmocka_unit_test(planted_links_are_found),
        cmocka_unit_test(four_sides_outvote),
        cmocka_unit_test(seeds_stand),
        cmocka_unit_test(third_links_are_inferred),
        cmocka_unit_test(order_does_not_matter),
        cmocka_unit_test(bad_arguments),
        cmocka_unit_test(memory_fails_at_every_call),
    };
    return cmocka_run_group_tests_name("closing", tests, unit_setup, unit_teardown);
}
