/* SPDX-License-Identifier: Apache-2.0 */
#include "src/io/bytes.h"
#include "src/io/dir.h"
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

/* A hint changes no byte, wherever it points; what is not mapped takes none. */
static void wanted_bytes_are_the_same(void **state)
{
    (void)state;
    enum { BYTES = 3 * 65536 + 17 };
    static unsigned char data[BYTES];
    struct il_error error;
    struct il_file file;
    struct il_map map;
    for (size_t i = 0; i < BYTES; i++)
        data[i] = (unsigned char)(i * 31 >> 3);
    assert_int_equal(il_file_open(&file, unit_put("mapped", data, BYTES), &error), IL_OK);
    assert_int_equal(il_map_open(&map, &file, &error), IL_OK);
    struct il_bytes bytes = {
        .name = "m", .size = BYTES, .memory = map.data, .file = &file, .mapped = 1};
    il_bytes_want(&bytes, BYTES, 0);
    il_bytes_want(&bytes, 4097, BYTES - 4097);
    il_bytes_want(&bytes, BYTES - 1, 1);
    assert_memory_equal(map.data, data, BYTES);
    bytes.mapped = 0;
    bytes.memory = data;
    il_bytes_want(&bytes, 4097, 70000);
    il_map_close(&map);
    il_file_close(&file);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(memory_and_files_read_alike),
        cmocka_unit_test(wanted_bytes_are_the_same),
    };
    return cmocka_run_group_tests(tests, unit_setup, unit_teardown);
}
