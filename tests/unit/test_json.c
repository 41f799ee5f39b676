/* SPDX-License-Identifier: Apache-2.0 */
#include "formats/json.h"

#include "tests/unit/unit.h"

static char text_of_test[1 << 12];

/* The text lies at the end of a block, so that ASan sees a read far past it. */
static struct il_json begin(const char *text, struct il_error *error)
{
    size_t bytes = strlen(text);
    memcpy(text_of_test, text, bytes + 1);
    return (struct il_json){.at = text_of_test,
                            .start = text_of_test,
                            .end = text_of_test + bytes,
                            .name = "t",
                            .offset = 100,
                            .error = error};
}

static void any_value_is_skipped(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "1",
        "-1.5e3",
        "\"\"",
        "\"a\\n\\u00e9\\\\\\\"b\"",
        "true",
        "false",
        "null",
        "NaN",
        "[]",
        "{}",
        "[1, [2, [3]], {}]",
        "{\"a\": {\"b\": [1, \"]\", {\"c\": \"}\"}]}, \"d\": [[], [{}]]}",
        " [ 1 , 2 ] ",
        "\"long enough for eight bytes at once, \\t twice\"",
        "\"\\ud83d\\ude00 \xf0\x9f\x98\x80\""};
    for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
        struct il_error error = {{0}};
        struct il_json json = begin(texts[i], &error);
        if (il_json_skip(&json) != IL_OK)
            fail_msg("%s: %s", texts[i], error.text);
        assert_int_equal(il_json_peek(&json), 0);
        assert_ptr_equal(json.at, json.end);
    }
}

static void what_is_no_json_is_refused(void **state)
{
    (void)state;
    static const struct {
        const char *text, *says;
    } tried[] = {
        {"", "t, byte 100: wanted a value"},
        {"x", "byte 100: wanted a value"},
        {"[", "byte 101: wanted a value"},
        {"[1", "byte 102: wanted ',' or ']'"},
        {"[1,]", "byte 103: wanted a value"},
        {"[1 2]", "byte 103: wanted ',' or ']'"},
        {"[1}", "byte 102: wanted ',' or ']'"},
        {"{1:2}", "byte 101: wanted a string"},
        {"{\"a\"}", "byte 104: wanted ':'"},
        {"{\"a\":}", "byte 105: wanted a value"},
        {"{\"a\":1]", "byte 106: wanted ',' or '}'"},
        {"{\"a\":1,}", "byte 107: wanted a string"},
        {"{,}", "byte 101: wanted a string"},
        {"\"abc", "byte 100: a string is opened here and never closed"},
        {"\"abc\\", "byte 104: an escape"},
        {"\"a\tb\"", "byte 102: a control byte inside a string"},
        {"\"12345678\t\"", "byte 109: a control byte"},
        {"\"\\x\"", "byte 101: an escape that JSON does not know"},
        {"\"\\u12\"", "an escape"},
        {"\"\\u12g4\"", "an escape"},
        {"\"\\ud800\"", "an escape"},
        {"\"\\udc00\"", "an escape"},
        {"\"\\ud800\\u0041\"", "an escape"},
        {"01", NULL},
        {"nul", "wanted a value"},
        {"+1", "wanted a value"},
        {"'a'", "wanted a value"},
    };
    for (size_t i = 0; i < sizeof(tried) / sizeof(*tried); i++) {
        struct il_error error = {{0}};
        struct il_json json = begin(tried[i].text, &error);
        assert_int_equal(il_json_skip(&json), IL_EFORMAT);
        unit_says(&error, tried[i].says ? tried[i].says : "wanted a value");
    }
}

static void depth_is_bounded(void **state)
{
    (void)state;
    for (int depth = 63; depth <= 66; depth++) {
        char text[200] = {0};
        struct il_error error = {{0}};
        for (int i = 0; i < depth; i++) {
            text[i] = '[';
            text[2 * depth - 1 - i] = ']';
        }
        struct il_json json = begin(text, &error);
        assert_int_equal(il_json_skip(&json), depth <= 64 ? IL_OK : IL_EFORMAT);
        if (depth > 64)
            unit_says(&error, "t, byte 164: objects or arrays inside each other more "
                              "than 64 deep");
    }
    /* All 64 may be objects, and mixed. */
    char text[1000] = {0};
    for (int i = 0; i < 32; i++)
        strncat(text, "{\"k\":[", 7);
    for (int i = 0; i < 32; i++)
        strncat(text, "]}", 3);
    struct il_error error = {{0}};
    struct il_json json = begin(text, &error);
    if (il_json_skip(&json) != IL_OK)
        fail_msg("%s", error.text);
    text[strlen(text) - 1] = ']';
    json = begin(text, &error);
    assert_int_equal(il_json_skip(&json), IL_EFORMAT);
}

static void escapes_are_undone_in_place(void **state)
{
    (void)state;
    static const struct {
        const char *text, *wanted;
    } tried[] = {
        {"\"\"", ""},
        {"\"plain\"", "plain"},
        {"\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", "\"\\/\b\f\n\r\t"},
        {"\"a\\u0041b\\u00e9c\\u20acd\\ud83d\\ude00e\"", "aAb\xc3\xa9"
                                                         "c\xe2\x82\xac"
                                                         "d\xf0\x9f\x98\x80"
                                                         "e"},
        {"\"12345678\\n12345678\\n12345678\"", "12345678\n12345678\n12345678"},
    };
    for (size_t i = 0; i < sizeof(tried) / sizeof(*tried); i++) {
        struct il_error error = {{0}};
        struct il_json json = begin(tried[i].text, &error);
        char *text = NULL;
        size_t bytes = 9;
        assert_int_equal(il_json_string(&json, &text, &bytes), IL_OK);
        assert_int_equal(bytes, strlen(tried[i].wanted));
        assert_memory_equal(text, tried[i].wanted, bytes);
        assert_ptr_equal(json.at, json.end);
    }
    struct il_error error = {{0}};
    struct il_json json = begin("\"\\u0000\"", &error);
    char *text = NULL;
    size_t bytes = 9;
    assert_int_equal(il_json_string(&json, &text, &bytes), IL_OK);
    assert_int_equal(bytes, 1);
    assert_int_equal(text[0], 0);
    json = begin("", &error);
    assert_int_equal(il_json_string(&json, &text, &bytes), IL_EFORMAT);
}

static void whole_numbers(void **state)
{
    (void)state;
    struct il_error error = {{0}};
    uint64_t value = 0;
    struct il_json json = begin(" 18446744073709551615,", &error);
    assert_int_equal(il_json_u64(&json, &value), IL_OK);
    assert_true(value == UINT64_MAX);
    assert_true(il_json_take(&json, ','));
    json = begin("0", &error);
    assert_int_equal(il_json_u64(&json, &value), IL_OK);
    assert_true(value == 0);
    static const char *const wrong[] = {
        "18446744073709551616", "-1", "01", "1.0", "1e3", "", "x",
        "184467440737095516150"};
    for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
        json = begin(wrong[i], &error);
        assert_int_equal(il_json_u64(&json, &value), IL_EFORMAT);
    }
}

static void members_come_one_by_one(void **state)
{
    (void)state;
    struct il_error error = {{0}};
    struct il_json json = begin("{\"a\" : 1 , \"\\u0062\":[2]}", &error);
    char *key = NULL;
    size_t bytes = 0;
    int more = 0;
    assert_true(il_json_take(&json, '{'));
    assert_int_equal(il_json_member(&json, 1, &key, &bytes, &more), IL_OK);
    assert_true(more && il_json_is(key, bytes, "a") && !il_json_is(key, bytes, "ab"));
    assert_int_equal(il_json_skip(&json), IL_OK);
    assert_int_equal(il_json_member(&json, 0, &key, &bytes, &more), IL_OK);
    assert_true(more && il_json_is(key, bytes, "b"));
    assert_int_equal(il_json_skip(&json), IL_OK);
    assert_int_equal(il_json_member(&json, 0, &key, &bytes, &more), IL_OK);
    assert_false(more);
    assert_ptr_equal(json.at, json.end);
    static const char *const wrong[] = {"", ",\"a\":1}", "\"a\" 1}", "a:1}"};
    for (size_t i = 0; i < 4; i++) {
        json = begin(wrong[i], &error);
        assert_int_equal(il_json_member(&json, 1, &key, &bytes, &more), IL_EFORMAT);
        assert_false(more);
    }
    json = begin("\"a\":1}", &error);
    json.line = 7;
    assert_int_equal(il_json_member(&json, 0, &key, &bytes, &more), IL_EFORMAT);
    assert_string_equal(error.text, "t, line 7, column 1: wanted ',' or '}'");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_value_is_skipped),
        cmocka_unit_test(what_is_no_json_is_refused),
        cmocka_unit_test(depth_is_bounded),
        cmocka_unit_test(escapes_are_undone_in_place),
        cmocka_unit_test(whole_numbers),
        cmocka_unit_test(members_come_one_by_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
