/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/unit.h"

static void every_status_has_its_own_text(void **state)
{
    (void)state;
    for (int i = IL_EBOOTSTRAP; i <= IL_OK; i++) {
        const char *text = il_status_text((enum il_status)i);
        assert_string_not_equal(text, "unknown status");
        for (int k = i + 1; k <= IL_OK; k++)
            assert_string_not_equal(text, il_status_text((enum il_status)k));
    }
    assert_string_equal(il_status_text((enum il_status)1), "unknown status");
    assert_string_equal(il_status_text((enum il_status) - 99), "unknown status");
}

static void fail_formats_and_returns(void **state)
{
    (void)state;
    struct il_error error;
    assert_int_equal(il_fail(&error, IL_EFORMAT, "%s, byte %d", "x", 7), IL_EFORMAT);
    assert_string_equal(error.text, "x, byte 7");
    assert_int_equal(il_fail(NULL, IL_EIO, "%s", "nobody listens"), IL_EIO);
}

static void long_texts_are_cut_within_the_buffer(void **state)
{
    (void)state;
    struct il_error error;
    char text[2000];
    memset(text, 'x', sizeof(text) - 1);
    text[sizeof(text) - 1] = 0;
    assert_int_equal(il_fail(&error, IL_EIO, "%s", text), IL_EIO);
    assert_int_equal(strlen(error.text), sizeof(error.text) - 1);
    /* The reason behind a long path still fits. */
    (void)il_fail(&error, IL_EIO, "%s: reason", il_path_tail(text));
    unit_says(&error, "x: reason");
    assert_string_equal(il_path_tail("short"), "short");
}

static void printable_hides_control_bytes(void **state)
{
    (void)state;
    char out[12];
    assert_string_equal(il_printable(out, sizeof(out), "a\x1b[2J\n", 6), "a?[2J?");
    assert_string_equal(il_printable(out, sizeof(out), "", 0), "");
    assert_string_equal(il_printable(out, sizeof(out), "12345678901", 11), "12345678901");
    assert_string_equal(il_printable(out, sizeof(out), "123456789012", 12),
                        "12345678...");
    /* Not in the middle of a character. */
    assert_string_equal(il_printable(out, sizeof(out), "1234567\xc3\xa4xxxx", 13),
                        "1234567...");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_status_has_its_own_text),
        cmocka_unit_test(fail_formats_and_returns),
        cmocka_unit_test(long_texts_are_cut_within_the_buffer),
        cmocka_unit_test(printable_hides_control_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
