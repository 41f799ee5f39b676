/* SPDX-License-Identifier: Apache-2.0 */
#include "src/cli/tail_log.h"

#include "src/cli/event_line.h"
#include "tests/unit/unit.h"

static const char *line(enum il_log_form form, bool priority, int level, const char *text,
                        unsigned held)
{
    static char out[8192];
    memset(out, 0, sizeof(out));
    FILE *stream = fmemopen(out, sizeof(out) - 1, "w");
    il_log_put(stream, form, priority, level, 1767225599123456789, text, held);
    fclose(stream);
    return out;
}

static void each_form_says_the_same(void **state)
{
    (void)state;
    assert_string_equal(line(IL_LOG_PLAIN, false, IL_LEVEL_INFO, "went on", 0),
                        "isolink: tail: went on\n");
    assert_string_equal(line(IL_LOG_PLAIN, false, IL_LEVEL_WARNING, "a\nb", 2),
                        "isolink: tail: warning: a\\x0ab (2 times more before)\n");
    assert_string_equal(
        line(IL_LOG_LOGFMT, false, IL_LEVEL_ERROR, "no \"x\"", 0),
        "time=2025-12-31T23:59:59.123Z level=error msg=\"no \\\"x\\\"\"\n");
    assert_string_equal(line(IL_LOG_LOGFMT, true, IL_LEVEL_DEBUG, "x", 3),
                        "<7>time=2025-12-31T23:59:59.123Z level=debug msg=\"x\" "
                        "repeated=3\n");
    assert_string_equal(line(IL_LOG_JSON, false, IL_LEVEL_INFO, "tab\t\xff\xc3\xa4", 1),
                        "{\"time\":\"2025-12-31T23:59:59.123Z\",\"level\":\"info\","
                        "\"msg\":\"tab\\u0009?\xc3\xa4\",\"repeated\":1}\n");
}

static void long_texts_are_cut(void **state)
{
    (void)state;
    char text[3000];
    memset(text, 1, sizeof(text) - 1);
    text[sizeof(text) - 1] = 0;
    assert_int_equal(strlen(line(IL_LOG_JSON, false, IL_LEVEL_INFO, text, 0)),
                     strlen("{\"time\":\"2025-12-31T23:59:59.123Z\",\"level\":\"info\","
                            "\"msg\":\"\"}\n") +
                         6 * 1024);
}

static void repeats_are_held_back_for_a_minute(void **state)
{
    (void)state;
    struct il_log_repeats repeats = {0};
    unsigned held = 9;
    assert_true(il_log_admit(&repeats, "x", 100.0, &held));
    assert_int_equal(held, 0);
    assert_false(il_log_admit(&repeats, "x", 100.1, &held));
    assert_true(il_log_admit(&repeats, "y", 100.2, &held));
    assert_false(il_log_admit(&repeats, "x", 159.9, &held));
    assert_true(il_log_admit(&repeats, "x", 160.0, &held));
    assert_int_equal(held, 2);
    assert_false(il_log_admit(&repeats, "x", 161.0, &held));
}

static void many_texts_do_not_stop_each_other(void **state)
{
    (void)state;
    struct il_log_repeats repeats = {0};
    unsigned held;
    char text[16];
    for (int i = 0; i < 100; i++) {
        snprintf(text, sizeof(text), "%d", i);
        assert_true(il_log_admit(&repeats, text, 1.0, &held));
    }
    assert_false(il_log_admit(&repeats, "99", 1.0, &held));
    assert_true(il_log_admit(&repeats, "1", 1.0, &held)); /* forgotten meanwhile */
}

static void levels_have_names(void **state)
{
    (void)state;
    assert_int_equal(il_level_named("error"), IL_LEVEL_ERROR);
    assert_int_equal(il_level_named("warning"), IL_LEVEL_WARNING);
    assert_int_equal(il_level_named("info"), IL_LEVEL_INFO);
    assert_int_equal(il_level_named("debug"), IL_LEVEL_DEBUG);
    assert_int_equal(il_level_named("loud"), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_form_says_the_same),
        cmocka_unit_test(long_texts_are_cut),
        cmocka_unit_test(repeats_are_held_back_for_a_minute),
        cmocka_unit_test(many_texts_do_not_stop_each_other),
        cmocka_unit_test(levels_have_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
