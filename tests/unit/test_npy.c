/* SPDX-License-Identifier: Apache-2.0 */
#include "formats/npy.h"
#include "tests/unit/vecfile.h"

static enum il_status layout_of(struct made m, struct il_layout *layout,
                                struct il_error *error)
{
    struct il_bytes bytes = made_bytes(&m, "t.npy");
    il_alloc_fail_at(0);
    enum il_status status = il_npy_layout(layout, &bytes, error);
    /* A header costs no memory, whatever it says. */
    assert_int_equal(il_alloc_calls(), 0);
    free(m.data);
    return status;
}

static void accepts(int version, const char *dict, enum il_dtype type, size_t rows,
                    size_t dim)
{
    struct il_error error = {{0}};
    struct il_layout l;
    struct made m = made_npy(version, dict, rows * dim * il_dtype_bytes(type));
    size_t offset = m.size - rows * dim * il_dtype_bytes(type);
    enum il_status status = layout_of(m, &l, &error);
    if (status != IL_OK)
        fail_msg("%s: %s", dict, error.text);
    assert_int_equal(l.type, type);
    assert_int_equal(l.rows, rows);
    assert_int_equal(l.dim, dim);
    assert_int_equal(l.offset, offset);
    assert_int_equal(l.lead_bytes, 0);
    assert_int_equal(l.form, strstr(dict, ">f") ? IL_FORM_SWAPPED : IL_FORM_PLAIN);
    assert_int_equal(l.stride_bytes, dim * il_dtype_bytes(type));
    assert_int_equal(l.block_bytes, rows * dim * il_dtype_bytes(type));
}

static void refuses(const char *dict, size_t data_bytes, enum il_status wanted,
                    const char *says)
{
    struct il_error error = {{0}};
    struct il_layout l;
    enum il_status status = layout_of(made_npy(1, dict, data_bytes), &l, &error);
    if (status != wanted)
        fail_msg("%s: status %d, wanted %d (%s)", dict, status, wanted, error.text);
    unit_says(&error, "t.npy, byte ");
    unit_says(&error, says);
}

#define DICT(type, order, shape)                                                         \
    "{'descr': '" type "', 'fortran_order': " order ", 'shape': " shape ", }"

static void sound_headers_are_read(void **state)
{
    (void)state;
    for (int version = 1; version <= 3; version++) {
        accepts(version, DICT("<f4", "False", "(2, 3)"), IL_F32, 2, 3);
        accepts(version, DICT("<f2", "False", "(2, 3)"), IL_F16, 2, 3);
        accepts(version, DICT("<f8", "False", "(2, 3)"), IL_F64, 2, 3);
        accepts(version, DICT("|i1", "False", "(2, 3)"), IL_I8, 2, 3);
        accepts(version, DICT("|u1", "False", "(2, 3)"), IL_U8, 2, 3);
    }
    accepts(1, DICT(">f4", "False", "(2, 3)"), IL_F32, 2, 3);
    accepts(2, DICT(">f8", "False", "(2, 3)"), IL_F64, 2, 3);
    accepts(1, DICT("=f4", "False", "(1, 65536)"), IL_F32, 1, 65536);
    accepts(1, DICT("f4", "False", "(1, 1)"), IL_F32, 1, 1);
    accepts(1, DICT("<i1", "False", "(1, 1)"), IL_I8, 1, 1);
    accepts(1, DICT(">u1", "False", "(1, 1)"), IL_U8, 1, 1);
}

static void keys_come_in_any_order(void **state)
{
    (void)state;
    accepts(1, "{'shape': (2, 3), 'fortran_order': False, 'descr': '<f4'}", IL_F32, 2, 3);
    accepts(1, "{'fortran_order':False,'descr':\"<f4\",'shape':(2,3,)}", IL_F32, 2, 3);
    accepts(1, " { \"shape\" : ( 2L , 3L ) , 'descr':'<f4', 'fortran_order':False } ",
            IL_F32, 2, 3);
}

static void fortran_order_is_fine_when_it_does_not_matter(void **state)
{
    (void)state;
    accepts(1, DICT("<f4", "True", "(1, 5)"), IL_F32, 1, 5);
    accepts(1, DICT("<f4", "True", "(5, 1)"), IL_F32, 5, 1);
    refuses(DICT("<f4", "True", "(2, 2)"), 16, IL_EFORMAT, "Fortran order");
    refuses(DICT("<f4", "True", "(2, 2)"), 16, IL_EFORMAT, "ascontiguousarray");
}

static void other_types_are_refused_with_advice(void **state)
{
    (void)state;
    refuses(DICT(">c8", "False", "(2, 2)"), 32, IL_EFORMAT, "astype('<f4')");
    refuses(DICT("<i8", "False", "(2, 2)"), 32, IL_EFORMAT, "type '<i8', wanted one of");
    refuses(DICT("<c8", "False", "(2, 2)"), 32, IL_EFORMAT, "type '<c8'");
    refuses(DICT("|f4", "False", "(2, 2)"), 16, IL_EFORMAT, "type '|f4'");
    refuses(DICT("", "False", "(2, 2)"), 16, IL_EFORMAT, "type ''");
    refuses(DICT("<", "False", "(2, 2)"), 16, IL_EFORMAT, "type '<'");
    refuses(DICT("<f44", "False", "(2, 2)"), 16, IL_EFORMAT, "type '<f44'");
    refuses(DICT("|O", "False", "(2, 2)"), 16, IL_EFORMAT, "pickle");
    refuses(DICT("O", "False", "(2, 2)"), 16, IL_EFORMAT, "pickle");
    refuses("{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (2, 2)}", 16,
            IL_EFORMAT, "structured");
    refuses(DICT("\x1b[31mevil", "False", "(2, 2)"), 16, IL_EFORMAT, "type '?[31mevil'");
}

static void only_two_dimensions(void **state)
{
    (void)state;
    refuses(DICT("<f4", "False", "()"), 4, IL_EFORMAT, "array of 0 dimensions, wanted 2");
    refuses(DICT("<f4", "False", "(4,)"), 16, IL_EFORMAT, "array of 1 dimensions");
    refuses(DICT("<f4", "False", "(2, 2, 1)"), 16, IL_EFORMAT, "array of 3 dimensions");
}

static void lying_shapes_are_refused(void **state)
{
    (void)state;
    refuses(DICT("<f4", "False", "(3, 2)"), 16, IL_EFORMAT,
            "16 bytes of rows, wanted 24 (3 rows of 2 f32): the file is cut short");
    refuses(DICT("<f4", "False", "(1, 2)"), 16, IL_EFORMAT,
            "16 bytes of rows, wanted 8 (1 rows of 2 f32): the file is longer");
    refuses(DICT("<f4", "False", "(2, 2)"), 17, IL_EFORMAT,
            "longer than its header says");
    refuses(DICT("<f4", "False", "(2, 2)"), 15, IL_EFORMAT, "cut short");
    refuses(DICT("<f4", "False", "(0, 2)"), 0, IL_EFORMAT, "0 rows");
    refuses(DICT("<f4", "False", "(2, 0)"), 0, IL_EFORMAT, "rows of length 0");
    refuses(DICT("<f4", "False", "(2, 1000000000)"), 16, IL_ELIMIT,
            "row length 1000000000, wanted at most 65536");
    refuses(DICT("<f4", "False", "(2, 65537)"), 16, IL_ELIMIT, "row length 65537");
    refuses(DICT("<f4", "False", "(2147483648, 1)"), 16, IL_ELIMIT,
            "2147483648 rows, wanted at most 2147483647");
    refuses(DICT("<f4", "False", "(2147483647, 65536)"), 16, IL_EFORMAT, "cut short");
    /* 2^62 + 1 rows of 4: the product wraps to 16 in 64 bits. */
    refuses(DICT("<f4", "False", "(4611686018427387905, 1)"), 16, IL_ELIMIT, "rows");
    refuses(DICT("<f4", "False", "(18446744073709551616, 1)"), 16, IL_EFORMAT,
            "does not fit into 64 bits");
    refuses(DICT("<f4", "False", "(-2, 2)"), 16, IL_EFORMAT, "negative number");
    refuses(DICT("<f4", "False", "(2, -2)"), 16, IL_EFORMAT, "negative number");
}

static void what_is_no_such_dict_is_refused(void **state)
{
    (void)state;
    refuses("", 16, IL_EFORMAT, "wanted a Python dict");
    refuses("[]", 16, IL_EFORMAT, "wanted a Python dict");
    refuses("{}", 16, IL_EFORMAT, "lacks");
    refuses("{'descr': '<f4', 'shape': (2, 2)}", 16, IL_EFORMAT, "lacks");
    refuses("{'descr': '<f4', 'fortran_order': False}", 16, IL_EFORMAT, "lacks");
    refuses("{'fortran_order': False, 'shape': (2, 2)}", 16, IL_EFORMAT, "lacks");
    refuses("{'descr': '<f4', 'descr': '<f8'}", 16, IL_EFORMAT, "'descr' twice");
    refuses("{'shape': (1,), 'shape': (2,)}", 16, IL_EFORMAT, "'shape' twice");
    refuses("{'fortran_order': True, 'fortran_order': False}", 16, IL_EFORMAT, "twice");
    refuses("{'evil\x07': 1}", 16, IL_EFORMAT, "key 'evil?'");
    refuses("{'descr': '<f4'", 16, IL_EFORMAT, "wanted ',' or '}'");
    refuses("{'descr': '<f4' 'shape': (2, 2)}", 16, IL_EFORMAT, "wanted ',' or '}'");
    refuses("{'descr' '<f4'}", 16, IL_EFORMAT, "wanted ':'");
    refuses("{'descr': <f4}", 16, IL_EFORMAT, "quoted string");
    refuses("{descr: '<f4'}", 16, IL_EFORMAT, "quoted string");
    refuses("{'descr': '<f4", 16, IL_EFORMAT, "inside a string");
    refuses("{'des\\x63r': '<f4'}", 16, IL_EFORMAT, "escape");
    refuses("{'fortran_order': 0}", 16, IL_EFORMAT, "neither True nor False");
    refuses("{'fortran_order': Falsehood}", 16, IL_EFORMAT, "wanted ',' or '}'");
    refuses("{'shape': 4}", 16, IL_EFORMAT, "shape as a tuple");
    refuses("{'shape': (2, x)}", 16, IL_EFORMAT, "wanted a number");
    refuses("{'shape': (2 3)}", 16, IL_EFORMAT, "wanted ',' or ')'");
    refuses("{'shape': (,)}", 16, IL_EFORMAT, "wanted a number");
    refuses("{'shape': (2,", 16, IL_EFORMAT, "wanted a number");
    refuses("{'shape': __import__('os')}", 16, IL_EFORMAT, "shape as a tuple");
    refuses(DICT("<f4", "False", "(2, 2)") " 1", 16, IL_EFORMAT, "follows the dict");
}

static void the_place_of_a_fault_is_named(void **state)
{
    (void)state;
    refuses(DICT("<i4", "False", "(2, 2)"), 16, IL_EFORMAT, "t.npy, byte 20: type");
    refuses(DICT("<f4", "False", "(3, 2)"), 16, IL_EFORMAT, "t.npy, byte 128: 16 bytes");
}

/* Every prefix of a sound file is refused, and none is read past its end. */
static void every_cut_is_refused(void **state)
{
    (void)state;
    struct made whole = made_npy(2, DICT("<f4", "False", "(2, 3)"), 24);
    for (size_t size = 0; size < whole.size; size++) {
        struct made cut = {0};
        struct il_error error = {{0}};
        struct il_layout l;
        made_add(&cut, whole.data, size);
        assert_int_equal(layout_of(cut, &l, &error), IL_EFORMAT);
        unit_says(&error, "t.npy");
    }
    free(whole.data);
}

static void bad_preambles_are_refused(void **state)
{
    (void)state;
    static const struct {
        size_t at;
        unsigned char byte;
        const char *says;
    } tried[] = {{0, 'P', "byte 0: no .npy file"},
                 {5, 'y', "byte 0: no .npy file"},
                 {6, 0, "version 0.0"},
                 {6, 4, "version 4.0"},
                 {7, 1, "version 2.1"},
                 {11, 0xff, "wanted at most 10000"},
                 {9, 0x80, "wanted at most 10000"},
                 {8, 0xff, "the file ends at byte"}};
    for (size_t t = 0; t < sizeof(tried) / sizeof(*tried); t++) {
        struct made m = made_npy(2, DICT("<f4", "False", "(2, 3)"), 24);
        struct il_error error = {{0}};
        struct il_layout l;
        m.data[tried[t].at] = tried[t].byte;
        assert_int_equal(layout_of(m, &l, &error), IL_EFORMAT);
        unit_says(&error, tried[t].says);
    }
}

/* numpy pads headers so that they can grow; 10,000 bytes are still read, one more not. */
static void long_headers_have_a_limit(void **state)
{
    (void)state;
    for (int over = 0; over <= 1; over++) {
        struct made m = {0};
        struct il_error error = {{0}};
        struct il_layout l;
        const char *dict = DICT("<f4", "False", "(1, 1)");
        made_add(&m, "\x93NUMPY\x02\0", 8);
        made_u32(&m, 10000 + (uint32_t)over);
        made_add(&m, dict, strlen(dict));
        while (m.size < 12 + 10000 + (size_t)over)
            made_add(&m, " ", 1);
        made_zeros(&m, 4);
        assert_int_equal(layout_of(m, &l, &error), over ? IL_EFORMAT : IL_OK);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sound_headers_are_read),
        cmocka_unit_test(keys_come_in_any_order),
        cmocka_unit_test(fortran_order_is_fine_when_it_does_not_matter),
        cmocka_unit_test(other_types_are_refused_with_advice),
        cmocka_unit_test(only_two_dimensions),
        cmocka_unit_test(lying_shapes_are_refused),
        cmocka_unit_test(what_is_no_such_dict_is_refused),
        cmocka_unit_test(the_place_of_a_fault_is_named),
        cmocka_unit_test(every_cut_is_refused),
        cmocka_unit_test(bad_preambles_are_refused),
        cmocka_unit_test(long_headers_have_a_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
