/* SPDX-License-Identifier: Apache-2.0 */
#include "formats/layout.h"

#include "tests/unit/unit.h"

static enum il_status check(uint64_t size, uint64_t offset, size_t lead, uint64_t rows,
                            uint64_t dim, struct il_layout *l, struct il_error *error)
{
    struct il_bytes bytes = {.name = "t", .size = size};
    *l = (struct il_layout){.type = IL_F16, .offset = offset, .lead_bytes = lead};
    return il_layout_check(l, &bytes, 4, rows, dim, error);
}

static void the_size_must_fit_exactly(void **state)
{
    (void)state;
    struct il_error error = {{0}};
    struct il_layout l;
    assert_int_equal(check(8 + 24, 8, 0, 3, 4, &l, &error), IL_OK);
    assert_int_equal(l.stride_bytes, 8);
    assert_int_equal(l.block_bytes, 24);
    assert_int_equal(check(36, 0, 4, 3, 4, &l, &error), IL_OK);
    assert_int_equal(l.stride_bytes, 12);
    assert_int_equal(check(8 + 23, 8, 0, 3, 4, &l, &error), IL_EFORMAT);
    assert_string_equal(error.text, "t, byte 8: 23 bytes of rows, wanted 24 (3 rows of 4 "
                                    "f16): the file is cut short");
    assert_int_equal(check(8 + 25, 8, 0, 3, 4, &l, &error), IL_EFORMAT);
    unit_says(&error, "longer than its header says");
}

static void limits_are_checked_before_the_size(void **state)
{
    (void)state;
    struct il_error error = {{0}};
    struct il_layout l;
    assert_int_equal(check(8, 8, 0, 0, 4, &l, &error), IL_EFORMAT);
    assert_int_equal(check(8, 8, 0, 4, 0, &l, &error), IL_EFORMAT);
    assert_int_equal(check(8, 8, 0, 4, IL_DIM_MAX + 1, &l, &error), IL_ELIMIT);
    unit_says(&error, "t, byte 4: row length 65537");
    assert_int_equal(check(8, 8, 0, IL_ROWS_MAX + 1ull, 4, &l, &error), IL_ELIMIT);
    assert_int_equal(check(8, 8, 0, UINT64_MAX, UINT64_MAX, &l, &error), IL_ELIMIT);
    assert_int_equal(check(8, 8, 0, IL_ROWS_MAX, IL_DIM_MAX, &l, &error), IL_EFORMAT);
    /* The largest matrix there is; nothing is read of it. */
    assert_int_equal(check((uint64_t)IL_ROWS_MAX * IL_DIM_MAX * 2, 0, 0, IL_ROWS_MAX,
                           IL_DIM_MAX, &l, &error),
                     IL_OK);
}

static void words_are_little_endian(void **state)
{
    (void)state;
    const unsigned char p[4] = {0x78, 0x56, 0x34, 0xf2};
    assert_true(il_load_u32(p) == 0xf2345678u);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_size_must_fit_exactly),
        cmocka_unit_test(limits_are_checked_before_the_size),
        cmocka_unit_test(words_are_little_endian),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
