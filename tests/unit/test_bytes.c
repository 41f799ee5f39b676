/* SPDX-License-Identifier: Apache-2.0 */
#include "src/io/bytes.h"
#include "tests/unit/unit.h"

static void memory_and_files_read_alike(void **state)
{
    (void)state;
    struct il_error error;
    struct il_file file;
    const char *text = "0123456789";
    assert_int_equal(il_file_open(&file, unit_text("digits", text), &error), IL_OK);
    struct il_bytes sources[2] = {
        {.name = "m", .size = 10, .memory = (const unsigned char *)text},
        {.name = "f", .size = file.size, .file = &file},
    };
    for (int s = 0; s < 2; s++) {
        char out[11] = {0};
        assert_int_equal(il_bytes_read(&sources[s], 0, out, 10, &error), IL_OK);
        assert_string_equal(out, text);
        assert_int_equal(il_bytes_read(&sources[s], 10, out, 0, &error), IL_OK);
        assert_int_equal(il_bytes_read(&sources[s], 9, out, 2, &error), IL_EFORMAT);
        unit_says(&error, "byte 9: the file ends at byte 10, wanted 2 bytes");
        assert_int_equal(il_bytes_read(&sources[s], 11, out, 0, &error), IL_EFORMAT);
        assert_int_equal(il_bytes_read(&sources[s], UINT64_MAX, out, 2, &error),
                         IL_EFORMAT);
        assert_int_equal(il_bytes_read(&sources[s], 1, out, SIZE_MAX, &error),
                         IL_EFORMAT);
    }
    il_file_close(&file);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(memory_and_files_read_alike),
    };
    return cmocka_run_group_tests(tests, unit_setup, unit_teardown);
}
