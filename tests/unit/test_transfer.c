/* SPDX-License-Identifier: Apache-2.0 */
#include <isolink/transfer.h>

#include <locale.h>
#include <math.h>

#include "src/io/dir.h"
#include "tests/unit/test_store.h"

#define HEADER_BYTES 128

static const float values[6] = {1.5f, -2, 0.1f, 1e-45f, -3.4028234e38f, 16777216};
static const void *ids[2] = {"a\"\\\x01\x7f", "\xc3\xa9"};
static const size_t id_bytes[2] = {5, 2};

/* What is written, how often, to which files. */
struct work {
    enum il_kind kind;
    const char *path, *list;
    uint64_t rows;
    struct il_error error;
};

static enum il_status write_out(void *context)
{
    struct work *w = context;
    struct il_sink_config c;
    struct il_sink *sink = NULL;
    il_sink_config_init(&c);
    c.kind = w->kind;
    c.dim = 3;
    c.rows = w->rows;
    c.ids = w->list;
    enum il_status status = il_sink_open(&sink, w->path, &c, &w->error);
    if (status != IL_OK) {
        assert_null(sink);
        return status;
    }
    status = il_sink_put(sink, 2, values, ids, id_bytes, &w->error);
    if (status == IL_OK)
        status = il_sink_close(&sink, &w->error);
    il_sink_abort(&sink);
    assert_null(sink);
    return status;
}

static void sinks_write_npy_fvecs_and_json(void **state)
{
    (void)state;
    struct work w = {.path = unit_path("x.npy"), .list = unit_path("x.txt"), .rows = 2};
    size_t bytes = 0;
    assert_int_equal(write_out(&w), IL_OK);
    char *text = unit_get(w.path, &bytes);
    assert_int_equal(bytes, HEADER_BYTES + sizeof(values));
    assert_memory_equal(text, "\x93NUMPY\x01\x00\x76\x00", 10);
    const char dict[] = "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), } ";
    assert_memory_equal(text + 10, dict, sizeof(dict) - 1);
    assert_int_equal(text[HEADER_BYTES - 1], '\n');
    assert_memory_equal(text + HEADER_BYTES, values, sizeof(values));
    free(text);
    unit_expect(w.list, "a\"\\\x01\x7f\n\xc3\xa9\n");

    w = (struct work){.path = unit_path("x.fvecs"), .rows = 2};
    assert_int_equal(write_out(&w), IL_OK);
    text = unit_get(w.path, &bytes);
    assert_int_equal(bytes, 8 + sizeof(values));
    assert_memory_equal(text, "\3\0\0\0", 4);
    assert_memory_equal(text + 16, "\3\0\0\0", 4);
    assert_memory_equal(text + 20, values + 3, 12);
    free(text);

    w = (struct work){.path = unit_path("x.jsonl"), .rows = UINT64_MAX};
    assert_int_equal(write_out(&w), IL_OK);
    unit_expect(w.path, "{\"id\": \"a\\\"\\\\\\u0001\\u007f\", \"vector\": "
                        "[1.5,-2,0.100000001]}\n"
                        "{\"id\": \"\xc3\xa9\", \"vector\": "
                        "[1.40129846e-45,-3.40282347e+38,16777216]}\n");
}

static void a_decimal_comma_does_not_reach_json(void **state)
{
    (void)state;
    const char *names[] = {"de_DE.UTF-8", "de_DE.utf8", "fr_FR.UTF-8"};
    const char *got = NULL;
    for (size_t i = 0; i < 3 && !got; i++)
        got = setlocale(LC_NUMERIC, names[i]);
    if (!got)
        skip();
    sinks_write_npy_fvecs_and_json(state);
    setlocale(LC_NUMERIC, "C");
}

static void sinks_refuse_what_they_cannot_write(void **state)
{
    (void)state;
    struct work w = {.path = unit_path("x.bin"), .rows = 2};
    assert_int_equal(write_out(&w), IL_EARG);
    unit_says(&w.error, "x.bin: no kind of file that can be written");
    w.path = unit_path("x.npy.zst");
    assert_int_equal(write_out(&w), IL_EARG);
    w.path = unit_path("none.npy");
    w.rows = UINT64_MAX;
    assert_int_equal(write_out(&w), IL_EARG);
    unit_says(&w.error, "number of rows");
    w.rows = 1;
    assert_int_equal(write_out(&w), IL_EARG);
    unit_says(&w.error, "more rows than the 1 told");
    w.rows = 3;
    assert_int_equal(write_out(&w), IL_EARG);
    unit_says(&w.error, "2 rows, but 3 told");
    w = (struct work){.path = unit_path("nowhere/x.npy"), .rows = 2};
    assert_int_equal(write_out(&w), IL_EIO);
    assert_null(unit_get(unit_path("none.npy"), NULL));
    assert_int_equal(unit_temps(), 0);
}

static void a_list_of_ids_holds_no_line_end(void **state)
{
    (void)state;
    static const struct {
        const char *id;
        size_t bytes;
    } bad[] = {{"a\nb", 3}, {"a\r", 2}, {"a\0b", 3}};
    for (size_t i = 0; i < 3; i++) {
        struct il_sink_config c;
        struct il_sink *sink = NULL;
        struct il_error error = {{0}};
        const void *id = bad[i].id;
        il_sink_config_init(&c);
        c.dim = 3;
        c.ids = unit_path("bad.txt");
        assert_int_equal(il_sink_open(&sink, unit_path("bad.fvecs"), &c, &error), IL_OK);
        assert_int_equal(il_sink_put(sink, 1, values, &id, &bad[i].bytes, &error),
                         IL_EFORMAT);
        unit_says(&error, "row 0");
        unit_says(&error, "line end");
        assert_int_equal(il_sink_put(sink, 1, values, NULL, NULL, &error), IL_EARG);
        il_sink_abort(&sink);
        assert_null(unit_get(unit_path("bad.txt"), NULL));
        assert_null(unit_get(unit_path("bad.fvecs"), NULL));
    }
    assert_int_equal(unit_temps(), 0);
}

static void ids_that_are_no_utf8_are_digits(void **state)
{
    (void)state;
    static const struct {
        const char *id, *shown;
    } cases[] = {{"\xc0\x80", "{\"id_hex\": \"c080\""},
                 {"\xed\xa0\x80", "{\"id_hex\": \"eda080\""},
                 {"\xf4\x90\x80\x80", "{\"id_hex\": \"f4908080\""},
                 {"\xe2\x82", "{\"id_hex\": \"e282\""},
                 {"\x80", "{\"id_hex\": \"80\""},
                 {"\xff", "{\"id_hex\": \"ff\""},
                 {"\xf4\x8f\xbf\xbf", "{\"id\": \"\xf4\x8f\xbf\xbf\""},
                 {"\xe2\x82\xac", "{\"id\": \"\xe2\x82\xac\""}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct il_sink_config c;
        struct il_sink *sink = NULL;
        struct il_error error = {{0}};
        const void *id = cases[i].id;
        size_t bytes = strlen(cases[i].id);
        il_sink_config_init(&c);
        c.dim = 1;
        STORE_OK(il_sink_open(&sink, unit_path("ids.jsonl"), &c, &error));
        STORE_OK(il_sink_put(sink, 1, values, &id, &bytes, &error));
        STORE_OK(il_sink_close(&sink, &error));
        char *text = unit_get(unit_path("ids.jsonl"), NULL);
        assert_memory_equal(text, cases[i].shown, strlen(cases[i].shown));
        free(text);
    }
}

static void sinks_fail_cleanly(void **state)
{
    (void)state;
    static const char *const names[] = {"f.npy", "f.fvecs", "f.jsonl"};
    for (size_t i = 0; i < 3; i++) {
        struct work w = {
            .path = unit_path(names[i]), .list = unit_path("f.txt"), .rows = 2};
        assert_in_range(unit_starve(write_out, &w), 3, 100);
        for (long k = 1;; k++) {
            unit_fail_io(k, -1, ENOSPC, 0);
            enum il_status status = write_out(&w);
            long calls = unit_fault.calls;
            unit_no_faults();
            if (calls < k) {
                assert_int_equal(status, IL_OK);
                break;
            }
            assert_int_equal(unit_temps(), 0);
            /* The last calls close directories: they may fail in silence. */
            assert_true(status == IL_EIO || status == IL_OK);
            assert_true(k < 100);
        }
    }
}

static enum il_status read_list(struct il_error *error, const char *path, char *out)
{
    struct il_id_list *list = NULL;
    enum il_status status = il_id_list_open(&list, path, error);
    *out = 0;
    while (status == IL_OK) {
        const void *id = NULL;
        size_t bytes = 0;
        status = il_id_list_next(list, &id, &bytes, error);
        if (status != IL_OK || !id)
            break;
        memcpy(out, id, bytes);
        out += bytes;
        *out++ = '|';
        *out = 0;
    }
    il_id_list_close(&list);
    assert_null(list);
    return status;
}

static enum il_status read_good(void *context)
{
    char got[64];
    struct il_error error = {{0}};
    enum il_status status = read_list(&error, context, got);
    if (status == IL_OK)
        assert_string_equal(got, "one|two|th ree|");
    return status;
}

static void lists_of_ids(void **state)
{
    (void)state;
    char got[2048], path[512], text[IL_ID_BYTES_MAX + 3];
    struct il_error error = {{0}};
    snprintf(path, sizeof(path), "%s",
             unit_text("ids.txt", "\xef\xbb\xbfone\r\ntwo\nth ree"));
    assert_int_equal(read_good(path), IL_OK);
    assert_in_range(unit_starve(read_good, path), 2, 100);
    assert_int_equal(read_list(&error, unit_text("ids.txt", ""), got), IL_OK);
    assert_string_equal(got, "");
    assert_int_equal(read_list(&error, unit_text("ids.txt", "a\n\nb\n"), got),
                     IL_EFORMAT);
    unit_says(&error, "ids.txt, line 2: empty id");
    assert_int_equal(read_list(&error, unit_put("ids.txt", "a\nb\0c\n", 6), got),
                     IL_EFORMAT);
    unit_says(&error, "line 2: a NUL byte");
    memset(text, 'x', sizeof(text));
    text[IL_ID_BYTES_MAX] = '\n';
    assert_int_equal(
        read_list(&error, unit_put("ids.txt", text, IL_ID_BYTES_MAX + 1), got), IL_OK);
    text[IL_ID_BYTES_MAX] = 'x';
    assert_int_equal(
        read_list(&error, unit_put("ids.txt", text, IL_ID_BYTES_MAX + 1), got),
        IL_EFORMAT);
    unit_says(&error, "line 1: id of 1025 bytes, wanted at most 1024");
    assert_int_equal(read_list(&error, unit_path("none.txt"), got), IL_EIO);
    unit_says(&error, "No such file");
}

/* A store of `count` rows, some of them in the log, one removed. */
static void make_store(const char *path, int count, enum il_codec codec)
{
    struct il_store_config c = store_config(1);
    struct il_error error = {{0}};
    c.codec = codec;
    struct il_store *s = store_open(path, &c);
    for (int i = 0; i < count; i++) {
        store_put(s, i, 0);
        if (i == count / 2) {
            STORE_OK(il_store_commit(s, &error));
            STORE_OK(il_store_seal(s, &error));
        }
    }
    STORE_OK(il_store_remove(s, store_id(1), strlen(store_id(1)), NULL, &error));
    STORE_OK(il_store_commit(s, &error));
    il_store_close(&s);
}

struct loading {
    const char *path;
    size_t rows;
    struct il_error error;
};

static enum il_status load_side(void *context)
{
    struct loading *l = context;
    struct il_vectors *v = NULL;
    enum il_status status = il_side_load(&v, l->path, IL_IO_PREAD, &l->error);
    if (status != IL_OK) {
        assert_null(v);
        return status;
    }
    struct il_matrix m = il_vectors_rows(v);
    assert_int_equal(m.type, IL_F32);
    assert_int_equal(il_side_codec(v), IL_CODEC_F32);
    assert_int_equal(m.dim, STORE_DIM);
    assert_int_equal(m.rows, l->rows);
    for (size_t i = 0; i < m.rows; i++) {
        const int number = i == 0 ? 0 : (int)i + 1; /* 1 was removed */
        assert_string_equal(il_ids_text(il_vectors_ids(v), i), store_id(number));
        assert_memory_equal((const char *)m.data + i * m.stride_bytes,
                            store_row(number, 0), STORE_DIM * sizeof(float));
    }
    il_vectors_close(&v);
    return IL_OK;
}

static void sides_come_from_stores(void **state)
{
    (void)state;
    char path[512];
    snprintf(path, sizeof(path), "%s", unit_path("side"));
    make_store(path, 700, IL_CODEC_F32);
    struct loading l = {.path = path, .rows = 699};
    assert_int_equal(load_side(&l), IL_OK);
    snprintf(path, sizeof(path), "%s", unit_path("small"));
    make_store(path, 9, IL_CODEC_F32);
    l.rows = 8;
    assert_in_range(unit_starve(load_side, &l), 5, 1000);
    for (long k = 1;; k++) {
        unit_fail_io(k, -1, EIO, 0);
        enum il_status status = load_side(&l);
        long calls = unit_fault.calls;
        unit_no_faults();
        if (calls < k)
            break;
        assert_true(status != IL_ENOMEM && k < 1000);
    }
}

static void sides_come_as_they_are_stored(void **state)
{
    (void)state;
    struct il_store_config c = store_config(1);
    struct il_error error = {{0}};
    float mean[STORE_DIM] = {1, 2}, basis[2 * STORE_DIM] = {0};
    struct il_vectors *v = NULL;
    basis[0] = 1;
    basis[STORE_DIM + 1] = 1;
    c.stored_dim = 2;
    c.mean = mean;
    c.basis = basis;
    struct il_store *s = store_open(unit_path("axes"), &c);
    store_put(s, 5, 0);
    STORE_OK(il_store_commit(s, &error));
    il_store_close(&s);
    STORE_OK(il_side_load(&v, unit_path("axes"), IL_IO_AUTO, &error));
    struct il_matrix m = il_vectors_rows(v);
    assert_int_equal(m.dim, 2);
    assert_int_equal(m.rows, 1);
    const float *row = store_row(5, 0), *got = m.data;
    assert_true(got[0] == row[0] - 1 && got[1] == row[1] - 2);
    il_vectors_close(&v);
}

static void sides_that_cannot_be(void **state)
{
    (void)state;
    struct il_error error = {{0}};
    struct il_vectors *v = NULL;
    assert_int_equal(mkdir(unit_path("folder"), 0777), 0);
    assert_int_equal(il_side_load(&v, unit_path("folder"), IL_IO_AUTO, &error),
                     IL_EFORMAT);
    unit_says(&error, "a directory without the MANIFEST of a store");
    assert_int_equal(il_side_load(&v, unit_path("none.npy"), IL_IO_AUTO, &error), IL_EIO);
    unit_says(&error, "No such file");
    struct il_store_config c = store_config(1);
    struct il_store *s = store_open(unit_path("nul"), &c);
    STORE_OK(il_store_put(s, "a\0b", 3, store_row(0, 0), &error));
    STORE_OK(il_store_commit(s, &error));
    il_store_close(&s);
    assert_int_equal(il_side_load(&v, unit_path("nul"), IL_IO_AUTO, &error), IL_EFORMAT);
    unit_says(&error, "nul: id 'a?b' holds a NUL byte");
    assert_null(v);
}

static int is_there(const char *path)
{
    struct stat about;
    return lstat(path, &about) == 0;
}

static void stores_are_discarded(void **state)
{
    (void)state;
    struct il_error error = {{0}};
    char path[512];
    snprintf(path, sizeof(path), "%s", unit_path("gone"));
    STORE_OK(il_store_discard(path, &error));
    make_store(path, 9, IL_CODEC_I8);
    struct il_store_config c = store_config(1);
    c.codec = IL_CODEC_I8;
    struct il_store *s = store_open(path, &c);
    assert_int_equal(il_store_discard(path, &error), IL_ELOCKED);
    unit_says(&error, "gone: locked by process");
    il_store_close(&s);
    assert_true(il_store_exists(path));
    unit_text("gone/note", "mine");
    assert_int_equal(il_store_discard(path, &error), IL_EARG);
    unit_says(&error, "gone: not removed: 'note' in it is no file of a store");
    assert_true(il_store_exists(path));
    assert_int_equal(remove(unit_path("gone/note")), 0);
    STORE_OK(il_store_discard(path, &error));
    assert_false(is_there(path));
    /* Somebody else's directory gets no lock. */
    assert_int_equal(mkdir(path, 0777), 0);
    unit_text("gone/note", "mine");
    assert_int_equal(il_store_discard(path, NULL), IL_EARG);
    assert_false(is_there(unit_path("gone/LOCK")));
    remove(unit_path("gone/note"));
    STORE_OK(il_store_discard(path, &error));
    unit_text("gone", "a file");
    assert_int_equal(il_store_discard(path, &error), IL_EIO);
    remove(path);
}

static void a_discard_that_fails_is_done_again(void **state)
{
    (void)state;
    struct il_error error = {{0}};
    char path[512];
    snprintf(path, sizeof(path), "%s", unit_path("again"));
    for (long k = 1;; k++) {
        make_store(path, 9, IL_CODEC_F32);
        unit_fail_io(k, -1, EIO, 0);
        enum il_status status = il_store_discard(path, &error);
        long calls = unit_fault.calls;
        unit_no_faults();
        if (calls < k) {
            assert_int_equal(status, IL_OK);
            break;
        }
        assert_true(status == IL_EIO && k < 100);
        STORE_OK(il_store_discard(path, &error));
        assert_false(is_there(path));
    }
}

static void stores_get_other_names(void **state)
{
    (void)state;
    struct il_error error = {{0}};
    char from[512], to[512];
    snprintf(from, sizeof(from), "%s", unit_path("from"));
    snprintf(to, sizeof(to), "%s/", unit_path("to"));
    make_store(from, 9, IL_CODEC_F32);
    STORE_OK(il_store_rename(from, to, &error));
    assert_true(il_store_exists(to) && !is_there(from));
    make_store(from, 9, IL_CODEC_F32);
    assert_int_equal(il_store_rename(from, to, &error), IL_EIO);
    assert_true(il_store_exists(from));
    assert_int_equal(il_store_rename(from, "/elsewhere", &error), IL_EARG);
    unit_says(&error, "wanted a name in the directory of");
    snprintf(to, sizeof(to), "%s", unit_path("empty"));
    assert_int_equal(mkdir(to, 0777), 0);
    STORE_OK(il_store_rename(from, to, &error));
    assert_true(il_store_exists(to));
    for (long k = 1; k < 5; k++) {
        il_alloc_fail_at(k);
        assert_int_equal(il_store_rename(to, from, &error), IL_ENOMEM);
        il_alloc_fail_at(0);
    }
    unit_fail_io(1, IL_IO_RENAME, EIO, 0);
    assert_int_equal(il_store_rename(to, from, &error), IL_EIO);
    unit_no_faults();
    assert_true(il_store_exists(to) && !is_there(from));
}

static void axes_of_a_line(void **state)
{
    (void)state;
    struct il_error error = {{0}};
    float x[20], mean[2], basis[2];
    double share = 0;
    for (int i = 0; i < 10; i++) {
        x[2 * i] = (float)(3 * i);
        x[2 * i + 1] = (float)(4 * i);
    }
    STORE_OK(il_axes_fit(10, 2, x, 1, 2, mean, basis, &share, &error));
    assert_true(fabsf(basis[0] - 0.6f) < 1e-6f && fabsf(basis[1] - 0.8f) < 1e-6f);
    assert_true(mean[0] == 13.5f && mean[1] == 18 && share > 0.999999);
    assert_int_equal(il_axes_fit(10, 2, x, 1, 257, mean, basis, &share, &error), IL_EARG);
    unit_says(&error, "257 threads");
    assert_int_equal(il_axes_fit(10, 2, x, 3, 1, mean, basis, &share, &error), IL_EARG);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sinks_write_npy_fvecs_and_json),
        cmocka_unit_test(a_decimal_comma_does_not_reach_json),
        cmocka_unit_test(sinks_refuse_what_they_cannot_write),
        cmocka_unit_test(a_list_of_ids_holds_no_line_end),
        cmocka_unit_test(ids_that_are_no_utf8_are_digits),
        cmocka_unit_test(sinks_fail_cleanly),
        cmocka_unit_test(lists_of_ids),
        cmocka_unit_test(sides_come_from_stores),
        cmocka_unit_test(sides_come_as_they_are_stored),
        cmocka_unit_test(sides_that_cannot_be),
        cmocka_unit_test(stores_are_discarded),
        cmocka_unit_test(a_discard_that_fails_is_done_again),
        cmocka_unit_test(stores_get_other_names),
        cmocka_unit_test(axes_of_a_line),
    };
    return cmocka_run_group_tests(tests, unit_setup, unit_teardown);
}
