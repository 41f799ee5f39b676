/* SPDX-License-Identifier: Apache-2.0 */
#include "formats/vecs.h"
#include "tests/unit/vecfile.h"

static struct made made_rows(size_t rows, uint32_t dim, size_t coordinate_bytes)
{
    struct made m = {0};
    for (size_t i = 0; i < rows; i++) {
        made_u32(&m, dim);
        made_zeros(&m, dim * coordinate_bytes);
    }
    return m;
}

static enum il_status layout_of(const struct made *m, enum il_dtype type,
                                struct il_layout *layout, struct il_error *error)
{
    struct il_bytes bytes = made_bytes(m, "t.fvecs");
    return il_vecs_layout(layout, &bytes, type, error);
}

static void refuses(struct made m, enum il_status wanted, const char *says)
{
    struct il_error error = {{0}};
    struct il_layout l;
    assert_int_equal(layout_of(&m, IL_F32, &l, &error), wanted);
    unit_says(&error, says);
    free(m.data);
}

static void sound_files_are_read(void **state)
{
    (void)state;
    struct il_error error;
    struct il_layout l;
    struct made m = made_rows(3, 5, 4);
    assert_int_equal(layout_of(&m, IL_F32, &l, &error), IL_OK);
    assert_int_equal(l.rows, 3);
    assert_int_equal(l.dim, 5);
    assert_int_equal(l.offset, 0);
    assert_int_equal(l.lead_bytes, 4);
    assert_int_equal(l.stride_bytes, 24);
    assert_int_equal(l.block_bytes, 72);
    assert_int_equal(il_vecs_check(&l, m.data, 0, l.rows, "t.fvecs", &error), IL_OK);
    free(m.data);
    m = made_rows(2, 3, 1);
    assert_int_equal(layout_of(&m, IL_U8, &l, &error), IL_OK);
    assert_int_equal(l.rows, 2);
    assert_int_equal(l.stride_bytes, 7);
    free(m.data);
}

static void every_row_is_checked(void **state)
{
    (void)state;
    for (size_t i = 0; i < 6; i++) {
        struct il_error error = {{0}};
        struct il_layout l;
        struct made m = made_rows(6, 2, 4);
        m.data[i * 12] = 7;
        m.data[i * 12 + 3] = i == 5 ? 0xff : 0;
        if (i > 0) {
            assert_int_equal(layout_of(&m, IL_F32, &l, &error), IL_OK);
            assert_int_equal(il_vecs_check(&l, m.data, 0, l.rows, "t.fvecs", &error),
                             IL_EFORMAT);
            char says[80];
            snprintf(says, sizeof(says),
                     "t.fvecs, byte %zu: row length %s, wanted 2 (row %zu)", i * 12,
                     i == 5 ? "-16777209" : "7", i);
            unit_says(&error, says);
        } else {
            /* The first row sets the length, so the size does not fit. */
            assert_int_equal(layout_of(&m, IL_F32, &l, &error), IL_EFORMAT);
            unit_says(&error, "wanted 32 a row (row length 7)");
        }
        free(m.data);
    }
}

static void lying_lengths_are_refused(void **state)
{
    (void)state;
    struct made m = {0};
    made_add(&m, "", 0);
    refuses(m, IL_EFORMAT, "the file is empty");
    m = (struct made){0};
    made_add(&m, "\1\0", 2);
    refuses(m, IL_EFORMAT, "the file ends at byte 2");
    m = (struct made){0};
    made_u32(&m, 0);
    refuses(m, IL_EFORMAT, "rows of length 0");
    m = (struct made){0};
    made_u32(&m, (uint32_t)-3);
    refuses(m, IL_EFORMAT, "byte 0: row length -3");
    m = (struct made){0};
    made_u32(&m, 1000000000);
    refuses(m, IL_ELIMIT, "row length 1000000000, wanted at most 65536");
    m = (struct made){0};
    made_u32(&m, 0x7fffffff);
    refuses(m, IL_ELIMIT, "row length 2147483647");
    m = (struct made){0};
    made_u32(&m, 65536);
    refuses(m, IL_EFORMAT, "byte 0: 4 bytes after 0 rows, wanted 262148 a row");
    m = made_rows(2, 3, 4);
    m.size -= 1;
    refuses(m, IL_EFORMAT, "byte 16: 15 bytes after 1 rows, wanted 16");
    m = made_rows(2, 3, 4);
    made_zeros(&m, 4);
    refuses(m, IL_EFORMAT, "byte 32: 4 bytes after 2 rows");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sound_files_are_read),
        cmocka_unit_test(every_row_is_checked),
        cmocka_unit_test(lying_lengths_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
