/* SPDX-License-Identifier: Apache-2.0 */
#include <isolink/pairs.h>

#include <locale.h>
#include <math.h>

#include "tests/unit/unit.h"

static struct il_ids *ids_a, *ids_b;

static int setup(void **state)
{
    if (unit_setup(state) != 0)
        return -1;
    const char *a = unit_text("a.ids", "a1\na2\na3\na4\nsay \"hi\"\nx,y\n");
    const char *b = unit_text("b.ids", "b1\nb2\nb3\nb4\nb5\n");
    return il_ids_load(&ids_a, a, 6, NULL) != IL_OK ||
           il_ids_load(&ids_b, b, 5, NULL) != IL_OK;
}

static int teardown(void **state)
{
    il_ids_close(&ids_a);
    il_ids_close(&ids_b);
    return unit_teardown(state);
}

/* Reads pairs and compares them as "row-row row-row", the counts as repeated,
   contradicting, missing. */
static void gives(const char *text, const char *wanted, size_t repeated,
                  size_t contradicting, size_t missing, const char *first)
{
    struct il_error error = {{0}};
    struct il_pairs_notes notes;
    struct il_pair *pairs = NULL;
    size_t count = 0, used = 0;
    char got[200] = "";
    memset(&notes, 0xff, sizeof(notes));
    enum il_status status = il_pairs_load(&pairs, &count, unit_text("pairs", text), ids_a,
                                          ids_b, &notes, &error);
    if (status != IL_OK)
        fail_msg("%s", error.text);
    for (size_t i = 0; i < count; i++)
        used += (size_t)snprintf(got + used, sizeof(got) - used, "%s%d-%d", i ? " " : "",
                                 (int)pairs[i].a, (int)pairs[i].b);
    assert_string_equal(got, wanted);
    assert_int_equal(notes.repeated, repeated);
    assert_int_equal(notes.contradicting, contradicting);
    assert_int_equal(notes.missing, missing);
    assert_string_equal(notes.first, first);
    il_pairs_free(pairs);
}

static void refuses(const char *text, size_t bytes, const char *says)
{
    struct il_error error = {{0}};
    struct il_pair *pairs = (void *)1;
    size_t count = 9;
    assert_int_equal(il_pairs_load(&pairs, &count, unit_put("pairs", text, bytes), ids_a,
                                   ids_b, NULL, &error),
                     IL_EFORMAT);
    assert_null(pairs);
    assert_int_equal(count, 0);
    unit_says(&error, says);
}

#define REFUSES(text, says) refuses(text, sizeof(text) - 1, says)

static void pairs_are_read_in_file_order(void **state)
{
    (void)state;
    gives("a3,b1\na1,b3\n", "2-0 0-2", 0, 0, 0, "");
    gives("a_id,b_id\na3,b1\na1,b3", "2-0 0-2", 0, 0, 0, "");
    gives("\xef\xbb\xbf"
          "a_id,b_id\r\na3,b1\r\n",
          "2-0", 0, 0, 0, "");
    gives("a_id,b_id,more\na3,b1,x\na1,b3,y,z\n", "2-0 0-2", 0, 0, 0, "");
    gives("\"say \"\"hi\"\"\",b1\n\"x,y\",b2\n", "4-0 5-1", 0, 0, 0, "");
    gives("say \"hi\",b1\n", "4-0", 0, 0, 0, "");
    gives("", "", 0, 0, 0, "");
    gives("a_id,b_id\n", "", 0, 0, 0, "");
    gives("posterior,b_id,a_id\n0.5,b1,a3\n", "2-0", 0, 0, 0, "");
}

static void missing_ids_are_left_out(void **state)
{
    (void)state;
    gives("a1,b1\na9,b2\na2,b9\na8,b8\n", "0-0", 0, 0, 3,
          "line 2: side A has no id 'a9'");
    gives("a1,b9\n", "", 0, 0, 1, "line 1: side B has no id 'b9'");
    gives(",\n", "", 0, 0, 1, "line 1: side A has no id ''");
    gives("a1 ,b1\n", "", 0, 0, 1, "line 1: side A has no id 'a1 '");
    gives("\"a\x1b[1m\nz\",b1\n", "", 0, 0, 1, "line 1: side A has no id 'a?[1m?z'");
}

static void repeated_pairs_count_once(void **state)
{
    (void)state;
    gives("a1,b1\na2,b2\na1,b1\na1,b1\n", "0-0 1-1", 2, 0, 0,
          "line 3: repeats the pair of line 1");
}

static void contradicting_pairs_are_all_left_out(void **state)
{
    (void)state;
    gives("a1,b1\na2,b2\na1,b3\n", "1-1", 0, 2, 0,
          "line 1: id 'a1' of side A stands in another pair on line 3");
    gives("a4,b4\na1,b1\na2,b1\n", "3-3", 0, 2, 0,
          "line 2: id 'b1' of side B stands in another pair on line 3");
    /* a1 and b2 both stand in two pairs: a chain of three lines falls. */
    gives("a1,b1\na1,b2\na2,b2\na3,b3\n", "2-2", 0, 3, 0,
          "line 1: id 'a1' of side A stands in another pair on line 2");
    gives("a1,b1\na1,b1\na1,b2\n", "", 1, 2, 0,
          "line 1: id 'a1' of side A stands in another pair on line 3");
    /* A line that names a missing id contradicts nothing. */
    gives("a1,b1\na1,b9\n", "0-0", 0, 0, 1, "line 2: side B has no id 'b9'");
    gives("a9,b1\na1,b1\na2,b1\n", "", 0, 2, 1, "line 1: side A has no id 'a9'");
}

static void broken_files_are_refused(void **state)
{
    (void)state;
    REFUSES("a1,b1\na2\n", "pairs, line 2: 1 column, wanted at least 2");
    REFUSES("a1;b1\n", "separated by commas (a_id,b_id)");
    REFUSES("a1,b1\n\"a2,b2\n", "line 2: a quote is opened here");
    REFUSES("a1,b1\na\0,b2\n", "line 2: a NUL byte");
    REFUSES("a_id\na1\n", "line 1: 1 column");
    REFUSES("x,b_id,a_id\n1,b1\n", "line 2: 2 columns, wanted at least 3");
    struct il_error error = {{0}};
    struct il_pair *pairs = NULL;
    size_t count = 0;
    assert_int_equal(
        il_pairs_load(&pairs, &count, unit_path("absent"), ids_a, ids_b, NULL, &error),
        IL_EIO);
    unit_says(&error, "absent: cannot open");
}

static const struct il_link some[] = {
    {0, 1, 1, 0, 0, INFINITY, 0, IL_ORIGIN_SEED},
    {4, 0, 0.9999995, 12, 16, 0.125f, 3, IL_ORIGIN_LINK},
    {5, 2, 0.25, UINT32_MAX, UINT32_MAX, -0.5f, UINT32_MAX, IL_ORIGIN_LINK},
};
#define HEADER "a_id,b_id,posterior,votes,opportunities,margin,round,origin\n"

static void links_are_written(void **state)
{
    (void)state;
    struct il_error error;
    const char *path = unit_path("links.csv");
    assert_int_equal(il_links_write(path, some, 3, ids_a, ids_b, &error), IL_OK);
    unit_expect(path, HEADER "a1,b2,1.000000,0,0,inf,0,seed\n"
                             "\"say \"\"hi\"\"\",b1,1.000000,12,16,0.125000,3,link\n"
                             "\"x,y\",b3,0.250000,4294967295,4294967295,-0.500000,"
                             "4294967295,link\n");
    assert_int_equal(il_links_write(path, NULL, 0, ids_a, ids_b, &error), IL_OK);
    unit_expect(path, HEADER);
    assert_int_equal(unit_temps(), 0);
}

static void numbers_keep_their_form(void **state)
{
    (void)state;
    static const struct {
        float margin;
        const char *text;
    } tried[] = {{0, "0.000000"},
                 {-0.0f, "0.000000"},
                 {1e-9f, "0.000000"},
                 {-1e-9f, "0.000000"},
                 {0.5f, "0.500000"},
                 {-1.5f, "-1.500000"},
                 {123456, "123456.000000"},
                 {INFINITY, "inf"},
                 {-INFINITY, "-inf"},
                 {3e38f, "inf"},
                 {NAN, "nan"},
                 {1e-6f, "0.000001"}};
    struct il_error error;
    const char *path = unit_path("numbers.csv");
    /* A program with a decimal comma must write the same bytes. */
    setlocale(LC_ALL, "de_DE.UTF-8");
    for (size_t i = 0; i < sizeof(tried) / sizeof(*tried); i++) {
        struct il_link link = {.posterior = 0.5, .margin = tried[i].margin, .origin = 1};
        char wanted[200];
        assert_int_equal(il_links_write(path, &link, 1, ids_a, ids_b, &error), IL_OK);
        snprintf(wanted, sizeof(wanted), HEADER "a1,b1,0.500000,0,0,%s,0,link\n",
                 tried[i].text);
        unit_expect(path, wanted);
    }
    setlocale(LC_ALL, "C");
}

static void written_links_are_read_again(void **state)
{
    (void)state;
    struct il_error error;
    struct il_pair *pairs = NULL;
    size_t count = 0;
    const char *path = unit_path("again.csv");
    assert_int_equal(il_links_write(path, some, 3, ids_a, ids_b, &error), IL_OK);
    assert_int_equal(il_pairs_load(&pairs, &count, path, ids_a, ids_b, NULL, &error),
                     IL_OK);
    assert_int_equal(count, 3);
    for (size_t i = 0; i < 3; i++)
        assert_true(pairs[i].a == some[i].a && pairs[i].b == some[i].b);
    il_pairs_free(pairs);
}

/* The longest line there is: both ids are 1,024 quotes. */
/* Posterior and origin where the header names them; as pairs such a file is read without
   a look at them. */
static void links_are_read_with_their_posteriors(void **state)
{
    (void)state;
    struct il_error error = {{0}};
    struct il_link *links = NULL;
    struct il_pair *pairs = NULL;
    struct il_pairs_notes notes;
    size_t count = 0;
    const char *path =
        unit_text("links", "b_id,posterior,a_id,origin\n"
                           "b2,0.25,a1,link\nb1,1,a2,seed\nb9,1,a3,link\n");
    assert_int_equal(il_links_load(&links, &count, path, ids_a, ids_b, &notes, &error),
                     IL_OK);
    assert_int_equal(count, 2);
    assert_int_equal(notes.missing, 1);
    assert_true(links[0].a == 0 && links[0].b == 1 && links[0].posterior == 0.25);
    assert_int_equal(links[0].origin, IL_ORIGIN_LINK);
    assert_true(links[1].posterior == 1 && links[1].origin == IL_ORIGIN_SEED);
    il_links_free(links);
    path = unit_text("plain", "a1,b1\n");
    assert_int_equal(il_links_load(&links, &count, path, ids_a, ids_b, NULL, &error),
                     IL_OK);
    assert_true(count == 1 && links[0].posterior == 1);
    il_links_free(links);
    path = unit_text("bad", "a_id,b_id,posterior\na1,b1,1.5\n");
    assert_int_equal(il_links_load(&links, &count, path, ids_a, ids_b, NULL, &error),
                     IL_EFORMAT);
    unit_says(&error, "line 2: posterior '1.5', wanted 0 to 1");
    assert_null(links);
    assert_int_equal(il_pairs_load(&pairs, &count, path, ids_a, ids_b, NULL, &error),
                     IL_OK);
    assert_int_equal(count, 1);
    il_pairs_free(pairs);
}

static void the_longest_line_fits(void **state)
{
    (void)state;
    struct il_error error;
    struct il_ids *ids = NULL;
    char id[1025];
    memset(id, '"', 1024);
    id[1024] = 0;
    assert_int_equal(il_ids_load(&ids, unit_text("q.ids", id), 1, &error), IL_OK);
    struct il_link link = {0,          0,          -1e12,      UINT32_MAX,
                           UINT32_MAX, -0.999e12f, UINT32_MAX, IL_ORIGIN_SEED};
    const char *path = unit_path("q.csv");
    assert_int_equal(il_links_write(path, &link, 1, ids, ids, &error), IL_OK);
    size_t bytes = 0;
    free(unit_get(path, &bytes));
    assert_true(bytes > 4100);
    il_ids_close(&ids);
}

static void what_cannot_be_written_is_said(void **state)
{
    (void)state;
    struct il_error error;
    assert_int_equal(il_links_write(unit_path("no/x"), some, 3, ids_a, ids_b, &error),
                     IL_EIO);
    unit_says(&error, "No such file");
    if (access("/dev/full", W_OK) == 0) {
        assert_int_equal(il_links_write("/dev/full", some, 3, ids_a, ids_b, &error),
                         IL_EIO);
        unit_says(&error, "No space left");
        assert_int_equal(il_text_write("/dev/full", "x", 1, &error), IL_EIO);
    }
    struct il_link wrong = {.a = 6};
    const char *path = unit_path("wrong.csv");
    assert_int_equal(il_links_write(path, &wrong, 1, ids_a, ids_b, &error), IL_EARG);
    wrong = (struct il_link){.b = 5};
    assert_int_equal(il_links_write(path, &wrong, 1, ids_a, ids_b, &error), IL_EARG);
    assert_int_equal(access(path, F_OK), -1);
}

static void each_failing_call_leaves_the_old_links(void **state)
{
    (void)state;
    struct il_error error;
    size_t new_ones = 0;
    for (long k = 1;; k++) {
        const char *path = unit_text("old.csv", "old");
        unit_fail_io(k, -1, ENOSPC, 0);
        enum il_status status = il_links_write(path, some, 3, ids_a, ids_b, &error);
        unit_no_faults();
        assert_int_equal(unit_temps(), 0);
        if (unit_fault.calls < k) {
            assert_int_equal(status, IL_OK);
            break;
        }
        assert_int_equal(status, IL_EIO);
        char *now = unit_get(path, NULL);
        new_ones += strcmp(now, "old") != 0;
        free(now);
    }
    /* Only a failed sync of the folder comes after the rename. */
    assert_int_equal(new_ones, 1);
}

static void text_is_written(void **state)
{
    (void)state;
    struct il_error error;
    const char *path = unit_path("text");
    assert_int_equal(il_text_write(path, "{}\n", 3, &error), IL_OK);
    unit_expect(path, "{}\n");
    assert_int_equal(il_text_write(path, "", 0, &error), IL_OK);
    unit_expect(path, "");
}

static enum il_status load_some(void *context)
{
    struct il_pair *pairs = NULL;
    size_t count = 0;
    enum il_status status =
        il_pairs_load(&pairs, &count, context, ids_a, ids_b, NULL, NULL);
    il_pairs_free(pairs);
    return status;
}

static enum il_status write_some(void *context)
{
    return il_links_write(context, some, 3, ids_a, ids_b, NULL);
}

static void no_memory_leaks_nothing(void **state)
{
    (void)state;
    const char *path = unit_text("m.csv", "a1,b1\na2,b2\n");
    assert_int_equal(unit_starve(load_some, (void *)path), 3);
    assert_int_equal(unit_starve(write_some, (void *)unit_path("m.out")), 3);
    assert_int_equal(unit_temps(), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pairs_are_read_in_file_order),
        cmocka_unit_test(missing_ids_are_left_out),
        cmocka_unit_test(repeated_pairs_count_once),
        cmocka_unit_test(contradicting_pairs_are_all_left_out),
        cmocka_unit_test(broken_files_are_refused),
        cmocka_unit_test(links_are_written),
        cmocka_unit_test(numbers_keep_their_form),
        cmocka_unit_test(written_links_are_read_again),
        cmocka_unit_test(links_are_read_with_their_posteriors),
        cmocka_unit_test(the_longest_line_fits),
        cmocka_unit_test(what_cannot_be_written_is_said),
        cmocka_unit_test(each_failing_call_leaves_the_old_links),
        cmocka_unit_test(text_is_written),
        cmocka_unit_test(no_memory_leaks_nothing),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
