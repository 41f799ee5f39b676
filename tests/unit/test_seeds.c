/* SPDX-License-Identifier: Apache-2.0 */
#include <isolink/seeds.h>

#include "tests/unit/unit.h"

/* Reads pairs and compares them as "a-b a-b". */
static void gives(const char *text, const char *wanted, size_t repeated,
                  size_t contradicting, const char *first)
{
    struct il_error error = {{0}};
    struct il_pairs_notes notes;
    struct il_seeds *seeds = NULL;
    size_t count = 0, used = 0;
    char got[200] = "";
    memset(&notes, 0xff, sizeof(notes));
    if (il_seeds_load(&seeds, unit_text("seeds", text), &notes, &error) != IL_OK)
        fail_msg("%s", error.text);
    const struct il_stream_seed *list = il_seeds_list(seeds, &count);
    for (size_t i = 0; i < count; i++)
        used +=
            (size_t)snprintf(got + used, sizeof(got) - used, "%s%.*s-%.*s", i ? " " : "",
                             (int)list[i].a_bytes, (const char *)list[i].a_id,
                             (int)list[i].b_bytes, (const char *)list[i].b_id);
    assert_string_equal(got, wanted);
    assert_int_equal(notes.repeated, repeated);
    assert_int_equal(notes.contradicting, contradicting);
    assert_int_equal(notes.missing, 0);
    assert_string_equal(notes.first, first);
    il_seeds_close(&seeds);
    assert_null(seeds);
}

static void refuses(const char *text, const char *says)
{
    struct il_error error = {{0}};
    struct il_seeds *seeds = (void *)1;
    assert_int_equal(il_seeds_load(&seeds, unit_text("seeds", text), NULL, &error),
                     IL_EFORMAT);
    unit_says(&error, says);
    assert_null(seeds);
}

static void pairs_keep_the_order_of_the_file(void **state)
{
    (void)state;
    gives("a_id,b_id\nz,1\nm,2\n\"x,y\",\"a \"\"q\"\"\"\n", "z-1 m-2 x,y-a \"q\"", 0, 0,
          "");
    gives("q,w\r\nr,t\r\n", "q-w r-t", 0, 0, "");
    gives("b_id,note,a_id\n1,x,one\n", "one-1", 0, 0, "");
    gives("", "", 0, 0, "");
}

static void repeats_and_contradictions_are_left_out(void **state)
{
    (void)state;
    gives("x,1\ny,2\nx,1\nx,1\n", "x-1 y-2", 2, 0, "line 3: repeats the pair of line 1");
    gives("x,1\ny,2\nx,3\nz,2\nw,4\n", "w-4", 0, 4,
          "line 1: id 'x' of side A stands in another pair on line 3");
    gives("p,1\nq,1\nr,2\n", "r-2", 0, 2,
          "line 1: id '1' of side B stands in another pair on line 2");
    /* One id is the beginning of another. */
    gives("x,1\nxx,2\nx1,11\n", "x-1 xx-2 x1-11", 0, 0, "");
}

static void what_is_no_pair_is_refused_with_its_line(void **state)
{
    (void)state;
    char text[1100];
    refuses("x,1\ny\n", "line 2");
    refuses("x,1\n,2\n", "line 2: an id of 0 bytes");
    memset(text, 'i', sizeof(text));
    memcpy(text + 1025, ",1\n", 4);
    refuses(text, "line 1: an id of 1025 bytes, wanted 1 to 1024");
    struct il_error error = {{0}};
    struct il_seeds *seeds = NULL;
    assert_int_equal(il_seeds_load(&seeds, unit_path("none"), NULL, &error), IL_EIO);
}

static enum il_status load(void *path)
{
    struct il_seeds *seeds = NULL;
    enum il_status status = il_seeds_load(&seeds, path, NULL, NULL);
    il_seeds_close(&seeds);
    return status;
}

static void memory_may_end_anywhere(void **state)
{
    (void)state;
    char path[512];
    snprintf(path, sizeof(path), "%s", unit_text("seeds", "x,1\ny,2\n"));
    assert_true(unit_starve(load, path) >= 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pairs_keep_the_order_of_the_file),
        cmocka_unit_test(repeats_and_contradictions_are_left_out),
        cmocka_unit_test(what_is_no_pair_is_refused_with_its_line),
        cmocka_unit_test(memory_may_end_anywhere),
    };
    return cmocka_run_group_tests(tests, unit_setup, unit_teardown);
}
