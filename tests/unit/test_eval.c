/* SPDX-License-Identifier: Apache-2.0 */
#include <isolink/eval.h>

#include <math.h>

#include "tests/unit/unit.h"

static struct il_eval judge(const char *links, const char *truth, const char *seeds)
{
    struct il_error error = {{0}};
    struct il_eval out;
    memset(&out, 0xff, sizeof(out));
    enum il_status status =
        il_eval_files(&out, unit_text("links", links), unit_text("truth", truth),
                      seeds ? unit_text("seeds", seeds) : NULL, &error);
    if (status != IL_OK)
        fail_msg("%s", error.text);
    return out;
}

static void refuses(const char *links, const char *truth, const char *says)
{
    struct il_error error = {{0}};
    struct il_eval out;
    assert_int_equal(il_eval_files(&out, unit_text("links", links),
                                   unit_text("truth", truth), NULL, &error),
                     IL_EFORMAT);
    unit_says(&error, says);
}

#define NEAR(x, y) assert_true(fabs((x) - (y)) < 1e-12)

static void precision_and_recall(void **state)
{
    (void)state;
    struct il_eval e =
        judge("a1,b1\na2,b2\na3,b9\n", "a1,b1\na2,b2\na3,b3\na4,b4\n", NULL);
    assert_int_equal(e.links, 3);
    assert_int_equal(e.truth, 4);
    assert_int_equal(e.right, 2);
    assert_int_equal(e.seeds_left_out, 0);
    NEAR(e.precision, 2.0 / 3);
    NEAR(e.recall, 0.5);
    NEAR(e.f1, 2 * (2.0 / 3) * 0.5 / (2.0 / 3 + 0.5));
    assert_int_equal(e.posterior_known, 0);
    NEAR(e.ece, 0);
    NEAR(e.bin[9].low, 0.9);
    NEAR(e.bin[9].high, 1);
}

static void nothing_gives_zeros(void **state)
{
    (void)state;
    struct il_eval e = judge("", "", NULL);
    assert_int_equal(e.links + e.truth + e.right, 0);
    NEAR(e.precision + e.recall + e.f1 + e.ece + e.precision_expected, 0);
    e = judge("a1,b2\n", "a1,b1\n", NULL);
    NEAR(e.precision + e.recall + e.f1, 0);
    e = judge("a_id,b_id,posterior\n", "a_id,b_id\na1,b1\n", NULL);
    assert_int_equal(e.links, 0);
    assert_int_equal(e.truth, 1);
    assert_int_equal(e.posterior_known, 1);
}

static void the_header_decides_the_columns(void **state)
{
    (void)state;
    struct il_eval e = judge("posterior,b_id,x,a_id,origin\n0.5,b1,?,a1,link\n",
                             "b_id,a_id\r\nb1,a1\r\n", NULL);
    assert_int_equal(e.right, 1);
    assert_int_equal(e.posterior_known, 1);
    NEAR(e.precision_expected, 0.5);
    /* The truth may be a file of more columns without a header. */
    e = judge("a1,b1\n", "a1,b1,extra\n", NULL);
    assert_int_equal(e.right, 1);
}

static void seeds_are_left_out_on_both_sides(void **state)
{
    (void)state;
    const char *truth = "s1,t1\na1,b1\na2,b2\n";
    struct il_eval e = judge("a_id,b_id,origin\ns1,t1,seed\na1,b1,link\n", truth, NULL);
    assert_int_equal(e.links, 1);
    assert_int_equal(e.truth, 2);
    assert_int_equal(e.right, 1);
    assert_int_equal(e.seeds_left_out, 1);
    e = judge("s1,t1\na1,b1\n", truth, "a_id,b_id\ns1,t1\n");
    assert_int_equal(e.links, 1);
    assert_int_equal(e.truth, 2);
    assert_int_equal(e.seeds_left_out, 1);
    /* One id of a seed is enough, in the links as in the truth. */
    e = judge("s1,b1\na1,t1\na2,b2\n", truth, "s1,tx\nsx,t1\n");
    assert_int_equal(e.links, 1);
    assert_int_equal(e.truth, 2);
    assert_int_equal(e.seeds_left_out, 2);
    /* The same text as an id of the other side is another id. */
    e = judge("t1,s1\n", "t1,s1\n", "s1,t1\n");
    assert_int_equal(e.right, 1);
}

static void repeated_lines_count_once(void **state)
{
    (void)state;
    struct il_eval e = judge("a_id,b_id,posterior\na1,b1,0.9\na1,b1,0.1\na2,b3,0.5\n",
                             "a1,b1\na1,b1\na2,b2\n", NULL);
    assert_int_equal(e.links, 2);
    assert_int_equal(e.truth, 2);
    assert_int_equal(e.right, 1);
    NEAR(e.precision_expected, 0.7);
    assert_true(e.recall <= 1);
    /* A document may have several true partners. */
    e = judge("a1,b1\na1,b2\n", "a1,b1\na1,b2\n", NULL);
    assert_int_equal(e.right, 2);
    NEAR(e.recall, 1);
}

static void posteriors_fall_into_bins(void **state)
{
    (void)state;
    struct il_eval e = judge("a_id,b_id,posterior\n"
                             "a1,b1,1\na2,b2,0.9\na3,b3,0.95\na4,b4,0.3\na5,b5,0.29\n"
                             "a6,b6,0.7\na7,b7,0\n",
                             "a1,b1\na2,b2\na4,b4\n", NULL);
    assert_int_equal(e.bin[9].links, 3);
    assert_int_equal(e.bin[9].right, 2);
    NEAR(e.bin[9].posterior, (1 + 0.9 + 0.95) / 3);
    assert_int_equal(e.bin[3].links, 1);
    assert_int_equal(e.bin[3].right, 1);
    assert_int_equal(e.bin[2].links, 1);
    assert_int_equal(e.bin[7].links, 1);
    assert_int_equal(e.bin[0].links, 1);
    NEAR(e.bin[5].posterior, 0);
    NEAR(e.precision_expected, (1 + 0.9 + 0.95 + 0.3 + 0.29 + 0.7) / 7);
    NEAR(e.ece, (fabs(2 - 2.85) + fabs(1 - 0.3) + 0.29 + 0.7) / 7);
}

/* Each border belongs to the bin above it, however it is written. */
static void borders_belong_to_the_bin_above(void **state)
{
    (void)state;
    for (int i = 0; i <= 10; i++) {
        char links[80];
        snprintf(links, sizeof(links), "a_id,b_id,posterior\nx,y,%d.%d00000\n", i / 10,
                 i % 10);
        struct il_eval e = judge(links, "x,y\n", NULL);
        assert_int_equal(e.bin[i < 10 ? i : 9].links, 1);
    }
}

static void posteriors_are_numbers_from_0_to_1(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        double value;
    } good[] = {{"0.25", 0.25},
                {"1", 1},
                {"1.", 1},
                {".5", 0.5},
                {"2.5e-1", 0.25},
                {"25E-2", 0.25},
                {"0.0025e+2", 0.25},
                {"0", 0},
                {"0.000000", 0},
                {"1e-400", 0},
                {"0e999999999999", 0},
                {"0.12345678901234567890123456789", 0.12345678901234567890},
                {"0.0000000000000000000000001", 1e-25}};
    for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++) {
        char links[120];
        snprintf(links, sizeof(links), "a_id,b_id,posterior\nx,y,%s\n", good[i].text);
        NEAR(judge(links, "x,y\n", NULL).precision_expected, good[i].value);
    }
    static const char *const bad[] = {
        "",     "x",   "1.1", "-0.1", "nan", "inf",
        "0.5x", "0x1", "1e",  "1e+",  ".",   "e5",
        "+1",   " 1",  "2",   "1e5",  "0,5", "1e999999999999999999999"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        char links[120];
        snprintf(links, sizeof(links), "a_id,b_id,posterior\nx,y,\"%s\"\n", bad[i]);
        refuses(links, "x,y\n", "links, line 2: posterior '");
    }
}

static void broken_files_are_refused(void **state)
{
    (void)state;
    refuses("a1,b1,0.5\n", "a1,b1\n", "links, line 1: 3 columns and no header");
    refuses("a_id,b_id,posterior\na1,b1\n", "a1,b1\n",
            "links, line 2: 2 columns, wanted at least 3");
    refuses("a1\n", "a1,b1\n", "links, line 1: 1 column");
    refuses("a1,b1\n", "a1,b1\na2\n", "truth, line 2: 1 column");
    refuses("a1,b1\n", "a1,\"b1\n", "truth, line 1: a quote is opened");
    struct il_error error = {{0}};
    struct il_eval out;
    const char *path = unit_text("links", "a1,b1\n"), *none = unit_path("absent");
    assert_int_equal(il_eval_files(&out, none, path, NULL, &error), IL_EIO);
    assert_int_equal(il_eval_files(&out, path, none, NULL, &error), IL_EIO);
    assert_int_equal(il_eval_files(&out, path, path, none, &error), IL_EIO);
    unit_says(&error, "absent: cannot open");
}

static void many_pairs_are_judged(void **state)
{
    (void)state;
    enum { N = 20000 };
    char *links = malloc(N * 40), *truth = malloc(N * 40);
    size_t l = 0, t = 0;
    for (int i = 0; i < N; i++) {
        l += (size_t)snprintf(links + l, 40, "a%d,b%d\n", i, i % 4 ? i : i + 1);
        t += (size_t)snprintf(truth + t, 40, "a%d,b%d\n", N - i, N - i);
    }
    struct il_eval e = judge(links, truth, NULL);
    assert_int_equal(e.links, N);
    assert_int_equal(e.truth, N);
    assert_int_equal(e.right, N / 4 * 3);
    free(links);
    free(truth);
}

static enum il_status judge_some(void *context)
{
    const char **path = context;
    struct il_eval out;
    return il_eval_files(&out, path[0], path[0], path[1], NULL);
}

static void no_memory_leaks_nothing(void **state)
{
    (void)state;
    const char *paths[2] = {unit_text("links", "a1,b1\n"), unit_text("seeds", "s,t\n")};
    assert_int_equal(unit_starve(judge_some, paths), 13);
}

/* The links of a run give what their file gives; the best F1 is that of a prefix. */
static void links_of_a_run(void **state)
{
    (void)state;
    struct il_ids *ids = NULL;
    const struct il_link link[] = {
        {.a = 9, .b = 9, .posterior = 1, .origin = IL_ORIGIN_SEED},
        {.a = 1, .b = 1, .posterior = 0.9, .origin = IL_ORIGIN_LINK},
        {.a = 2, .b = 2, .posterior = 0.8, .origin = IL_ORIGIN_LINK},
        {.a = 3, .b = 4, .posterior = 0.7, .origin = IL_ORIGIN_LINK},
        {.a = 5, .b = 7, .posterior = 0.6, .origin = IL_ORIGIN_LINK},
        {.a = 0, .b = 8, .posterior = 0.5, .origin = IL_ORIGIN_LINK},
    };
    const char *text = "a_id,b_id,posterior,origin\n9,9,1,seed\n1,1,0.9,link\n"
                       "2,2,0.8,link\n3,4,0.7,link\n5,7,0.6,link\n0,8,0.5,link\n";
    const char *truth = "9,9\n0,0\n1,1\n2,2\n3,3\n", *seeds = "9,9\n0,0\n";
    struct il_eval of_file = judge(text, truth, seeds), e;
    struct il_error error = {{0}};
    assert_int_equal(il_ids_number(&ids, 10), IL_OK);
    assert_int_equal(il_eval_links(&e, link, 6, ids, ids, unit_text("truth", truth),
                                   unit_text("seeds", seeds), &error),
                     IL_OK);
    assert_int_equal(e.links, 4);
    assert_int_equal(e.truth, 3);
    assert_int_equal(e.right, 2);
    assert_int_equal(e.seeds_left_out, 2);
    NEAR(e.f1, 4.0 / 7);
    NEAR(e.f1_best, 4.0 / 5); /* the first two links */
    assert_true(e.posterior_known == 1 && of_file.posterior_known == 1);
    NEAR(e.f1 - of_file.f1, 0);
    NEAR(e.f1_best - of_file.f1_best, 0);
    NEAR(e.ece - of_file.ece, 0);
    NEAR(e.precision_expected - of_file.precision_expected, 0);
    assert_int_equal(e.seeds_left_out, of_file.seeds_left_out);
    /* No links at all, and a truth that is not there. */
    assert_int_equal(
        il_eval_links(&e, NULL, 0, ids, ids, unit_text("truth", truth), NULL, &error),
        IL_OK);
    assert_true(e.links == 0 && e.truth == 5 && e.f1 == 0 && e.f1_best == 0);
    assert_int_equal(
        il_eval_links(&e, link, 6, ids, ids, unit_path("none.csv"), NULL, &error),
        IL_EIO);
    unit_says(&error, "none.csv");
    il_ids_close(&ids);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(precision_and_recall),
        cmocka_unit_test(nothing_gives_zeros),
        cmocka_unit_test(the_header_decides_the_columns),
        cmocka_unit_test(seeds_are_left_out_on_both_sides),
        cmocka_unit_test(repeated_lines_count_once),
        cmocka_unit_test(posteriors_fall_into_bins),
        cmocka_unit_test(borders_belong_to_the_bin_above),
        cmocka_unit_test(posteriors_are_numbers_from_0_to_1),
        cmocka_unit_test(broken_files_are_refused),
        cmocka_unit_test(many_pairs_are_judged),
        cmocka_unit_test(no_memory_leaks_nothing),
        cmocka_unit_test(links_of_a_run),
    };
    return cmocka_run_group_tests(tests, unit_setup, unit_teardown);
}
