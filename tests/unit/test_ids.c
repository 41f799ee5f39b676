/* SPDX-License-Identifier: Apache-2.0 */
#include <isolink/matrix.h>

#include "tests/unit/unit.h"

static struct il_ids *load(const void *text, size_t bytes, size_t rows)
{
    struct il_error error = {{0}};
    struct il_ids *ids = NULL;
    enum il_status status = il_ids_load(&ids, unit_put("ids", text, bytes), rows, &error);
    if (status != IL_OK)
        fail_msg("%s", error.text);
    assert_int_equal(il_ids_count(ids), rows);
    return ids;
}

static void refuses(const void *text, size_t bytes, size_t rows, const char *says)
{
    struct il_error error = {{0}};
    struct il_ids *ids = (void *)1;
    enum il_status status = il_ids_load(&ids, unit_put("ids", text, bytes), rows, &error);
    assert_int_equal(status, IL_EFORMAT);
    assert_null(ids);
    unit_says(&error, says);
}

#define REFUSES(text, rows, says) refuses(text, sizeof(text) - 1, rows, says)

static void lines_become_ids(void **state)
{
    (void)state;
    static const char *const texts[] = {"one\ntwo\nthree\n", "one\ntwo\nthree",
                                        "one\r\ntwo\r\nthree\r\n", "one\r\ntwo\nthree\r",
                                        "\xef\xbb\xbfone\ntwo\nthree\n"};
    for (size_t t = 0; t < 5; t++) {
        struct il_ids *ids = load(texts[t], strlen(texts[t]), 3);
        assert_string_equal(il_ids_text(ids, 0), "one");
        assert_string_equal(il_ids_text(ids, 1), "two");
        assert_string_equal(il_ids_text(ids, 2), "three");
        assert_int_equal(il_ids_find(ids, "one", 3), 0);
        assert_int_equal(il_ids_find(ids, "three", 5), 2);
        assert_true(il_ids_find(ids, "thre", 4) == SIZE_MAX);
        assert_true(il_ids_find(ids, "three\r", 6) == SIZE_MAX);
        assert_true(il_ids_find(ids, "", 0) == SIZE_MAX);
        il_ids_close(&ids);
        assert_null(ids);
        il_ids_close(&ids);
    }
}

static void ids_are_byte_strings(void **state)
{
    (void)state;
    const char *text = " a\na \na,b\n\"q\"\n\xff\xfe\na\rb\n";
    struct il_ids *ids = load(text, strlen(text), 6);
    assert_int_equal(il_ids_find(ids, " a", 2), 0);
    assert_int_equal(il_ids_find(ids, "a ", 2), 1);
    assert_int_equal(il_ids_find(ids, "a,b", 3), 2);
    assert_int_equal(il_ids_find(ids, "\"q\"", 3), 3);
    assert_int_equal(il_ids_find(ids, "\xff\xfe", 2), 4);
    assert_int_equal(il_ids_find(ids, "a\rb", 3), 5);
    il_ids_close(&ids);
}

static void an_empty_list_fits_no_rows(void **state)
{
    (void)state;
    struct il_ids *ids = load("", 0, 0);
    assert_true(il_ids_find(ids, "x", 1) == SIZE_MAX);
    il_ids_close(&ids);
    REFUSES("", 1, "ids: 0 ids, wanted 1");
}

static void bad_lists_are_refused(void **state)
{
    (void)state;
    REFUSES("a\nb\nc\n", 2, "3 ids, wanted 2");
    REFUSES("a\nb\n", 3, "2 ids, wanted 3");
    REFUSES("a\nb\na\n", 3, "line 3: id 'a' repeats that of line 1");
    REFUSES("a\nb\r\nc\nb", 4, "line 4: id 'b' repeats that of line 2");
    REFUSES("a\n\nc\n", 3, "line 2: empty id");
    REFUSES("a\n\r\nc\n", 3, "line 2: empty id");
    REFUSES("a\nb\n\n", 3, "line 3: empty id");
    REFUSES("a\nb\0c\n", 2, "line 2: a NUL byte");
}

static void ids_have_a_greatest_length(void **state)
{
    (void)state;
    char text[1100];
    memset(text, 'x', sizeof(text));
    text[1024] = '\n';
    struct il_ids *ids = load(text, 1025, 1);
    assert_int_equal(strlen(il_ids_text(ids, 0)), 1024);
    assert_int_equal(il_ids_find(ids, text, 1024), 0);
    il_ids_close(&ids);
    text[1024] = 'x';
    text[1025] = '\n';
    refuses(text, 1026, 1, "line 1: id of 1025 bytes, wanted at most 1024");
}

static void a_file_that_cannot_be_ids_is_not_read(void **state)
{
    (void)state;
    struct il_error error = {{0}};
    struct il_ids *ids = NULL;
    const char *path = unit_text("huge", "x");
    if (truncate(path, (off_t)1 << 40) != 0)
        skip();
    il_alloc_fail_at(0);
    assert_int_equal(il_ids_load(&ids, path, 1000, &error), IL_EFORMAT);
    assert_int_equal(il_alloc_calls(), 0);
    unit_says(&error, "too long for 1000 ids");
    unlink(path);
    assert_int_equal(il_ids_load(&ids, path, 5, &error), IL_EIO);
    assert_int_equal(il_ids_load(&ids, path, SIZE_MAX, &error), IL_ELIMIT);
    assert_null(ids);
}

static void many_ids_are_all_found(void **state)
{
    (void)state;
    enum { N = 50000 };
    char *text = malloc(N * 12);
    size_t used = 0;
    for (int i = 0; i < N; i++)
        used += (size_t)snprintf(text + used, 12, "d%d\n", i * 7);
    struct il_ids *ids = load(text, used, N);
    for (int i = 0; i < N; i++) {
        char id[16];
        int bytes = snprintf(id, sizeof(id), "d%d", i * 7);
        assert_int_equal(il_ids_find(ids, id, (size_t)bytes), i);
        bytes = snprintf(id, sizeof(id), "d%d", i * 7 + 1);
        assert_true(il_ids_find(ids, id, (size_t)bytes) == SIZE_MAX);
    }
    il_ids_close(&ids);
    free(text);
}

static void numbers_are_ids_too(void **state)
{
    (void)state;
    struct il_ids *ids = NULL;
    assert_int_equal(il_ids_number(&ids, 1001), IL_OK);
    assert_int_equal(il_ids_count(ids), 1001);
    assert_string_equal(il_ids_text(ids, 0), "0");
    assert_string_equal(il_ids_text(ids, 1000), "1000");
    assert_int_equal(il_ids_find(ids, "0", 1), 0);
    assert_int_equal(il_ids_find(ids, "10", 2), 10);
    assert_int_equal(il_ids_find(ids, "1000", 4), 1000);
    static const char *const none[] = {
        "", "1001", "00", "01", "-1", "1 ", "1x", " 1", "18446744073709551617"};
    for (size_t i = 0; i < sizeof(none) / sizeof(*none); i++)
        assert_true(il_ids_find(ids, none[i], strlen(none[i])) == SIZE_MAX);
    il_ids_close(&ids);
    assert_int_equal(il_ids_number(&ids, 0), IL_OK);
    assert_true(il_ids_find(ids, "0", 1) == SIZE_MAX);
    il_ids_close(&ids);
    assert_int_equal(il_ids_number(&ids, SIZE_MAX), IL_ENOMEM);
}

static enum il_status load_one(void *context)
{
    struct il_ids *ids = NULL;
    enum il_status status = il_ids_load(&ids, context, 2, NULL);
    il_ids_close(&ids);
    return status;
}

static enum il_status number_some(void *context)
{
    (void)context;
    struct il_ids *ids = NULL;
    enum il_status status = il_ids_number(&ids, 5);
    il_ids_close(&ids);
    return status;
}

static void no_memory_leaks_nothing(void **state)
{
    (void)state;
    assert_int_equal(unit_starve(load_one, (void *)unit_text("m", "a\nb\n")), 4);
    assert_int_equal(unit_starve(number_some, NULL), 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_become_ids),
        cmocka_unit_test(ids_are_byte_strings),
        cmocka_unit_test(an_empty_list_fits_no_rows),
        cmocka_unit_test(bad_lists_are_refused),
        cmocka_unit_test(ids_have_a_greatest_length),
        cmocka_unit_test(a_file_that_cannot_be_ids_is_not_read),
        cmocka_unit_test(many_ids_are_all_found),
        cmocka_unit_test(numbers_are_ids_too),
        cmocka_unit_test(no_memory_leaks_nothing),
    };
    return cmocka_run_group_tests(tests, unit_setup, unit_teardown);
}
