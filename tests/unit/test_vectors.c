/* SPDX-License-Identifier: Apache-2.0 */
#include <isolink/matrix.h>

#include "tests/unit/vecfile.h"

#define DICT(type, shape)                                                                \
    "{'descr': '" type "', 'fortran_order': False, 'shape': " shape ", }"

static const char *put_made(const char *name, struct made m)
{
    const char *path = unit_put(name, m.data, m.size);
    free(m.data);
    return path;
}

/* rows x dim f32 counting up from 0, in three formats. */
static const char *put_floats(const char *name, size_t rows, size_t dim)
{
    struct made m = {0};
    const char *suffix = strrchr(name, '.');
    if (strcmp(suffix, ".fbin") == 0) {
        made_u32(&m, (uint32_t)rows);
        made_u32(&m, (uint32_t)dim);
    } else if (strcmp(suffix, ".fvecs") != 0) {
        char dict[128];
        snprintf(dict, sizeof(dict), DICT("<f4", "(%zu, %zu)"), rows, dim);
        m = made_npy(1, dict, 0);
    }
    for (size_t i = 0; i < rows; i++) {
        if (strcmp(suffix, ".fvecs") == 0)
            made_u32(&m, (uint32_t)dim);
        for (size_t q = 0; q < dim; q++) {
            float value = (float)(i * dim + q);
            made_add(&m, &value, 4);
        }
    }
    return put_made(name, m);
}

static void each_format_gives_the_same_rows(void **state)
{
    (void)state;
    static const char *const names[] = {"a.npy", "a.fvecs", "a.fbin", "B.NPY",
                                        "magic.dat"};
    for (size_t t = 0; t < 5; t++) {
        struct il_error error = {{0}};
        struct il_vectors *v = NULL;
        const char *path = put_floats(names[t], 5, 3);
        assert_int_equal(il_vectors_load(&v, path, &error), IL_OK);
        struct il_matrix m = il_vectors_rows(v);
        assert_int_equal(m.type, IL_F32);
        assert_int_equal(m.rows, 5);
        assert_int_equal(m.dim, 3);
        float out[5 * 4];
        memset(out, 0xff, sizeof(out));
        il_matrix_to_f32(&m, 0, 5, out, 4);
        for (int i = 0; i < 15; i++)
            assert_true(out[i / 3 * 4 + i % 3] == (float)i);
        il_matrix_to_f32(&m, 3, 1, out, 3);
        assert_true(out[0] == 9 && out[2] == 11);
        il_matrix_to_f32(&m, 5, 0, out, 3);
        il_vectors_close(&v);
        assert_null(v);
        il_vectors_close(&v);
    }
}

static void a_pipe_is_read_by_its_magic(void **state)
{
    (void)state;
    struct il_error error = {{0}};
    struct il_vectors *v = NULL;
    const char *path = put_floats("p.npy", 2, 3);
    fflush(stdin);
    int kept = dup(STDIN_FILENO);
    char command[700];
    snprintf(command, sizeof(command), "cat '%s'", path);
    FILE *pipe = popen(command, "r");
    assert_non_null(pipe);
    dup2(fileno(pipe), STDIN_FILENO);
    enum il_status status = il_vectors_load(&v, "/dev/stdin", &error);
    dup2(kept, STDIN_FILENO);
    close(kept);
    pclose(pipe);
    if (status != IL_OK)
        fail_msg("%s", error.text);
    struct il_matrix m = il_vectors_rows(v);
    assert_int_equal(m.rows, 2);
    assert_true(((const float *)m.data)[5] == 5);
    il_vectors_close(&v);
}

static void every_type_becomes_f32(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        enum il_dtype type;
        unsigned char data[16];
        float wanted[2];
    } tried[] = {
        {"t.f16bin", IL_F16, {0x00, 0x3c, 0x00, 0xc0}, {1, -2}},
        {"t.u8bin", IL_U8, {255, 3}, {255, 3}},
        {"t.i8bin", IL_I8, {255, 3}, {-1, 3}},
    };
    for (size_t t = 0; t < 3; t++) {
        struct il_error error = {{0}};
        struct il_vectors *v = NULL;
        struct made f = {0};
        made_u32(&f, 1);
        made_u32(&f, 2);
        made_add(&f, tried[t].data, 2 * il_dtype_bytes(tried[t].type));
        assert_int_equal(il_vectors_load(&v, put_made(tried[t].name, f), &error), IL_OK);
        struct il_matrix m = il_vectors_rows(v);
        assert_int_equal(m.type, tried[t].type);
        float out[2];
        il_matrix_to_f32(&m, 0, 1, out, 2);
        assert_true(out[0] == tried[t].wanted[0] && out[1] == tried[t].wanted[1]);
        il_vectors_close(&v);
    }
    /* .bvecs: rows begin at odd places. */
    struct il_error error = {{0}};
    struct il_vectors *v = NULL;
    struct made f = {0};
    for (unsigned char i = 0; i < 3; i++) {
        made_u32(&f, 3);
        made_add(&f, (unsigned char[]){i, 100, 255}, 3);
    }
    assert_int_equal(il_vectors_load(&v, put_made("t.bvecs", f), &error), IL_OK);
    struct il_matrix m = il_vectors_rows(v);
    float out[9];
    il_matrix_to_f32(&m, 0, 3, out, 3);
    for (int i = 0; i < 3; i++)
        assert_true(out[3 * i] == (float)i && out[3 * i + 2] == 255);
    il_vectors_close(&v);
    double wide[2] = {0.1, -3};
    struct il_matrix d = {IL_F64, 1, 2, 16, wide};
    il_matrix_to_f32(&d, 0, 1, out, 2);
    assert_true(out[0] == 0.1f && out[1] == -3);
}

static void names_and_sizes_of_types(void **state)
{
    (void)state;
    static const char *const names[] = {"f32", "f16", "f64", "i8", "u8"};
    static const size_t sizes[] = {4, 2, 8, 1, 1};
    for (int i = 0; i < 5; i++) {
        assert_string_equal(il_dtype_text((enum il_dtype)i), names[i]);
        assert_int_equal(il_dtype_bytes((enum il_dtype)i), sizes[i]);
    }
    assert_string_equal(il_dtype_text((enum il_dtype)9), "?");
    assert_int_equal(il_dtype_bytes((enum il_dtype)9), 0);
}

static void refuses(const char *path, enum il_status wanted, const char *says)
{
    struct il_error error = {{0}};
    struct il_vectors *v = (void *)1;
    enum il_status status = il_vectors_load(&v, path, &error);
    if (status != wanted)
        fail_msg("%s: status %d, wanted %d (%s)", path, status, wanted, error.text);
    assert_null(v);
    unit_says(&error, says);
}

static void what_is_no_vector_file_is_refused(void **state)
{
    (void)state;
    refuses(unit_path("absent.npy"), IL_EIO, "absent.npy: cannot open");
    refuses(unit_dir, IL_EIO, "is a directory");
    refuses(unit_text("x.txt", "1 2 3 4 5 6"), IL_EFORMAT, "unknown kind of file");
    refuses(unit_text("x.ivecs", ""), IL_EFORMAT, ".fvecs .bvecs .fbin");
    refuses(unit_text("x", "ab"), IL_EFORMAT, "unknown kind of file");
    refuses(unit_text("e.npy", ""), IL_EFORMAT, "the file is empty");
    refuses(unit_text("e.fvecs", ""), IL_EFORMAT, "the file is empty");
    refuses(unit_text("e.fbin", ""), IL_EFORMAT, "0 bytes, wanted a header");
    refuses("/dev/null", IL_EFORMAT, "unknown kind of file");
    struct made m = {0};
    made_u32(&m, 2);
    made_zeros(&m, 8);
    made_u32(&m, 7);
    made_zeros(&m, 8);
    refuses(put_made("rows.fvecs", m), IL_EFORMAT,
            "rows.fvecs, byte 12: row length 7, wanted 2 (row 1)");
}

/* 2^31 - 1 rows in a header of a few bytes: refused before any block is asked for. */
static void a_lying_header_allocates_nothing(void **state)
{
    (void)state;
    struct made m = made_npy(1, DICT("<f4", "(2147483647, 65536)"), 8);
    const char *path = put_made("lie.npy", m);
    il_alloc_fail_at(0);
    refuses(path, IL_EFORMAT, "cut short");
    assert_int_equal(il_alloc_calls(), 0);
}

static void a_long_path_leaves_room_for_the_reason(void **state)
{
    (void)state;
    char path[3000];
    memset(path, 'd', sizeof(path));
    snprintf(path + 2980, 20, "/end.npy");
    refuses(path, IL_EIO, "/end.npy: cannot open: File name too long");
}

static void each_failing_call_is_reported(void **state)
{
    (void)state;
    const char *path = put_floats("k.npy", 50, 3);
    for (long k = 1;; k++) {
        struct il_error error = {{0}};
        struct il_vectors *v = NULL;
        unit_fail_io(k, -1, EIO, 0);
        enum il_status status = il_vectors_load(&v, path, &error);
        unit_no_faults();
        if (unit_fault.calls < k) {
            assert_int_equal(status, IL_OK);
            il_vectors_close(&v);
            assert_true(k > 4);
            break;
        }
        assert_int_equal(status, IL_EIO);
        assert_null(v);
        unit_says(&error, "k.npy: cannot");
    }
}

static void short_reads_change_nothing(void **state)
{
    (void)state;
    struct il_error error = {{0}};
    struct il_vectors *v = NULL;
    const char *path = put_floats("s.fvecs", 20, 3);
    unit_fail_io(1, IL_IO_READ, IL_IO_SHORT, 1);
    assert_int_equal(il_vectors_load(&v, path, &error), IL_OK);
    unit_no_faults();
    struct il_matrix m = il_vectors_rows(v);
    float out[60];
    il_matrix_to_f32(&m, 0, 20, out, 3);
    for (int i = 0; i < 60; i++)
        assert_true(out[i] == (float)i);
    il_vectors_close(&v);
}

static enum il_status load_one(void *context)
{
    struct il_vectors *v = NULL;
    enum il_status status = il_vectors_load(&v, context, NULL);
    il_vectors_close(&v);
    return status;
}

/* Kinds that have ids, or no block to be read as it lies. */
static void other_kinds_are_read_row_by_row(void **state)
{
    (void)state;
    struct il_error error = {{0}};
    struct il_vectors *v = NULL;
    const char *path = unit_text("o.jsonl", "{\"id\":\"a\",\"vector\":[0,1,2]}\n"
                                            "{\"id\":7,\"vector\":[3,4,5]}\n");
    assert_int_equal(il_vectors_load(&v, path, &error), IL_OK);
    struct il_matrix m = il_vectors_rows(v);
    assert_int_equal(m.type, IL_F32);
    assert_int_equal(m.rows, 2);
    assert_int_equal(m.dim, 3);
    for (int i = 0; i < 6; i++)
        assert_true(((const float *)m.data)[i] == (float)i);
    const struct il_ids *ids = il_vectors_ids(v);
    assert_non_null(ids);
    assert_int_equal(il_ids_count(ids), 2);
    assert_string_equal(il_ids_text(ids, 0), "a");
    assert_string_equal(il_ids_text(ids, 1), "7");
    assert_int_equal(il_ids_find(ids, "7", 1), 1);
    il_vectors_close(&v);
    path = unit_text("o.csv", "x,0\ny,1\nx,2\n");
    assert_int_equal(il_vectors_load(&v, path, &error), IL_EFORMAT);
    unit_says(&error, "o.csv: id 'x' of row 2 repeats that of row 0");
    assert_null(v);
    /* Big-endian rows are no block of f32; they have no ids. */
    struct made b = made_npy(1, DICT(">f4", "(2, 1)"), 0);
    made_add(&b, "\x3f\x80\0\0\x40\0\0\0", 8);
    assert_int_equal(il_vectors_load(&v, put_made("o.npy", b), &error), IL_OK);
    m = il_vectors_rows(v);
    assert_true(m.rows == 2 && ((const float *)m.data)[0] == 1 &&
                ((const float *)m.data)[1] == 2);
    assert_null(il_vectors_ids(v));
    il_vectors_close(&v);
}

/* More rows than are asked for at once, so that the block grows. */
static void many_rows_of_unknown_number_are_read(void **state)
{
    (void)state;
    struct il_error error = {{0}};
    struct il_vectors *v = NULL;
    size_t rows = 600000;
    char *text = malloc(rows * 20), *at = text;
    for (size_t i = 0; i < rows; i++)
        at += snprintf(at, 20, "n%zu,%zu\n", i, i);
    const char *path = unit_put("many.csv", text, (size_t)(at - text));
    free(text);
    if (il_vectors_load(&v, path, &error) != IL_OK)
        fail_msg("%s", error.text);
    struct il_matrix m = il_vectors_rows(v);
    assert_int_equal(m.rows, rows);
    for (size_t i = 0; i < rows; i += 997)
        assert_true(((const float *)m.data)[i] == (float)i);
    assert_string_equal(il_ids_text(il_vectors_ids(v), rows - 1), "n599999");
    il_vectors_close(&v);
}

static void no_memory_leaks_nothing(void **state)
{
    (void)state;
    assert_int_equal(unit_starve(load_one, (void *)put_floats("m.npy", 5, 3)), 2);
    assert_int_equal(unit_starve(load_one, (void *)put_floats("m.fvecs", 5, 3)), 2);
    const char *path = unit_text("m.csv", "a,1\nb,2\n");
    assert_int_equal(unit_starve(load_one, (void *)path), 15);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_format_gives_the_same_rows),
        cmocka_unit_test(a_pipe_is_read_by_its_magic),
        cmocka_unit_test(every_type_becomes_f32),
        cmocka_unit_test(names_and_sizes_of_types),
        cmocka_unit_test(what_is_no_vector_file_is_refused),
        cmocka_unit_test(a_lying_header_allocates_nothing),
        cmocka_unit_test(a_long_path_leaves_room_for_the_reason),
        cmocka_unit_test(each_failing_call_is_reported),
        cmocka_unit_test(short_reads_change_nothing),
        cmocka_unit_test(other_kinds_are_read_row_by_row),
        cmocka_unit_test(many_rows_of_unknown_number_are_read),
        cmocka_unit_test(no_memory_leaks_nothing),
    };
    return cmocka_run_group_tests(tests, unit_setup, unit_teardown);
}
