/* SPDX-License-Identifier: Apache-2.0 */
#include "formats/bin.h"
#include "tests/unit/vecfile.h"

static enum il_status layout_of(uint32_t rows, uint32_t dim, size_t data_bytes,
                                enum il_dtype type, struct il_layout *l,
                                struct il_error *error)
{
    struct made m = {0};
    made_u32(&m, rows);
    made_u32(&m, dim);
    made_zeros(&m, data_bytes);
    struct il_bytes bytes = made_bytes(&m, "t.fbin");
    enum il_status status = il_bin_layout(l, &bytes, type, error);
    free(m.data);
    return status;
}

static void refuses(uint32_t rows, uint32_t dim, size_t data_bytes, enum il_status wanted,
                    const char *says)
{
    struct il_error error = {{0}};
    struct il_layout l;
    assert_int_equal(layout_of(rows, dim, data_bytes, IL_F32, &l, &error), wanted);
    unit_says(&error, says);
}

static void sound_files_are_read(void **state)
{
    (void)state;
    static const enum il_dtype types[] = {IL_F32, IL_F16, IL_U8, IL_I8};
    for (size_t t = 0; t < 4; t++) {
        struct il_error error;
        struct il_layout l;
        size_t bytes = 6 * il_dtype_bytes(types[t]);
        assert_int_equal(layout_of(2, 3, bytes, types[t], &l, &error), IL_OK);
        assert_int_equal(l.type, types[t]);
        assert_int_equal(l.rows, 2);
        assert_int_equal(l.dim, 3);
        assert_int_equal(l.offset, 8);
        assert_int_equal(l.block_bytes, bytes);
    }
}

static void lying_headers_are_refused(void **state)
{
    (void)state;
    refuses(0, 3, 0, IL_EFORMAT, "t.fbin, byte 0: 0 rows");
    refuses(3, 0, 0, IL_EFORMAT, "rows of length 0");
    refuses(2, 3, 23, IL_EFORMAT, "byte 8: 23 bytes of rows, wanted 24");
    refuses(2, 3, 25, IL_EFORMAT, "longer than its header says");
    refuses(2, 1000000000, 24, IL_ELIMIT, "row length 1000000000");
    refuses(0x80000000u, 1, 24, IL_ELIMIT, "2147483648 rows");
    refuses(0xffffffffu, 0xffffffffu, 24, IL_ELIMIT, "row length 4294967295");
    /* 2^31 - 1 rows of 65,536 floats: 2^49 bytes, none of which are there. */
    refuses(0x7fffffffu, 65536, 24, IL_EFORMAT,
            "24 bytes of rows, wanted 562949953159168");
    /* The product is 2^32, which is 0 in 32 bits. */
    refuses(0x4000000u, 64, 0, IL_EFORMAT, "0 bytes of rows, wanted 17179869184");
}

static void cut_headers_are_refused(void **state)
{
    (void)state;
    for (size_t size = 0; size < 8; size++) {
        struct made m = {0};
        made_zeros(&m, size);
        struct il_bytes bytes = made_bytes(&m, "t.fbin");
        struct il_error error = {{0}};
        struct il_layout l;
        assert_int_equal(il_bin_layout(&l, &bytes, IL_F32, &error), IL_EFORMAT);
        unit_says(&error, "wanted a header of 8");
        free(m.data);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sound_files_are_read),
        cmocka_unit_test(lying_headers_are_refused),
        cmocka_unit_test(cut_headers_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
