/* SPDX-License-Identifier: Apache-2.0 */
#include <isolink/source.h>

#include "tests/unit/sources.h"

#define DICT(type, shape)                                                                \
    "{'descr': '" type "', 'fortran_order': False, 'shape': " shape ", }"

/* A small number as f16. */
static uint16_t half(unsigned i)
{
    unsigned e = 0;
    while (i >> e > 1)
        e++;
    return i == 0 ? 0 : (uint16_t)((e + 15) << 10 | (i - (1u << e)) << (10 - e));
}

/* 5 rows x 3, counting up from 0, as each kind holds them. */
static struct made numbers(const char *kind)
{
    struct made m = {0};
    int vecs = strstr(kind, "vecs") != NULL, bytes = 0;
    if (strcmp(kind, "npy") == 0) {
        m = made_npy(1, DICT("<f4", "(5, 3)"), 0);
    } else if (strcmp(kind, "swapped.npy") == 0) {
        m = made_npy(1, DICT(">f4", "(5, 3)"), 0);
    } else if (strcmp(kind, "f8.npy") == 0) {
        m = made_npy(2, DICT("<f8", "(5, 3)"), 0);
    } else if (!vecs) {
        made_u32(&m, 5);
        made_u32(&m, 3);
    }
    bytes = strcmp(kind, "bvecs") == 0 || strcmp(kind, "u8bin") == 0 ||
            strcmp(kind, "i8bin") == 0;
    for (unsigned i = 0; i < 15; i++) {
        float f = (float)i;
        double d = i;
        uint16_t h = half(i);
        unsigned char b = (unsigned char)i;
        if (vecs && i % 3 == 0)
            made_u32(&m, 3);
        unsigned char *p = (unsigned char *)&f;
        if (strcmp(kind, "f8.npy") == 0)
            made_add(&m, &d, 8);
        else if (strcmp(kind, "swapped.npy") == 0)
            made_add(&m, (unsigned char[]){p[3], p[2], p[1], p[0]}, 4);
        else if (strcmp(kind, "f16bin") == 0)
            made_add(&m, &h, 2);
        else if (bytes)
            made_add(&m, &b, 1);
        else
            made_add(&m, &f, 4);
    }
    return m;
}

static const char *const kinds[] = {"npy",  "swapped.npy", "f8.npy", "fvecs", "bvecs",
                                    "fbin", "f16bin",      "u8bin",  "i8bin"};
#define KINDS (sizeof(kinds) / sizeof(*kinds))

static void is_numbers(const struct got *g)
{
    assert_int_equal(g->dim, 3);
    assert_int_equal(g->rows, 5);
    for (int i = 0; i < 15; i++)
        assert_true(g->data[i] == (float)i);
    assert_int_equal(g->has_ids, 0);
    assert_string_equal(g->ids, "0 1 2 3 4 ");
}

static void each_kind_gives_the_same_rows_in_any_pieces(void **state)
{
    (void)state;
    for (size_t k = 0; k < KINDS; k++) {
        struct made m = numbers(kinds[k]);
        char name[32];
        snprintf(name, sizeof(name), "a.%s", kinds[k]);
        const char *path = unit_put(name, m.data, m.size);
        for (size_t most = 1; most <= 6; most++) {
            struct got g;
            for (int piped = 0; piped < 2; piped++) {
                if (got_bytes(&g, name, m.data, m.size, piped, most, NULL) != IL_OK)
                    fail_msg("%s: %s", name, g.error.text);
                is_numbers(&g);
                got_free(&g);
            }
            assert_int_equal(got_file(&g, path, most, NULL), IL_OK);
            is_numbers(&g);
            got_free(&g);
        }
        free(m.data);
    }
}

static void rows_are_known_or_not(void **state)
{
    (void)state;
    for (size_t k = 0; k < KINDS; k++) {
        struct made m = numbers(kinds[k]);
        char name[32];
        snprintf(name, sizeof(name), "r.%s", kinds[k]);
        struct il_source *s = NULL;
        struct il_error error;
        assert_int_equal(il_source_open(&s, unit_put(name, m.data, m.size), NULL, &error),
                         IL_OK);
        assert_int_equal(il_source_rows(s), 5);
        il_source_close(&s);
        il_source_close(&s);
        free(m.data);
    }
    /* Longer than what is looked at of a pipe: only the end tells the rows. */
    struct made m = {0};
    for (int i = 0; i < 2; i++) {
        made_u32(&m, 60000);
        made_zeros(&m, 240000);
    }
    struct il_input *stream = NULL;
    struct il_source *s = NULL;
    struct il_error error;
    assert_int_equal(il_input_memory(&stream, "x.fvecs", m.data, m.size, 1, &error),
                     IL_OK);
    assert_int_equal(il_source_of_input(&s, stream, NULL, &error), IL_OK);
    assert_true(il_source_rows(s) == UINT64_MAX);
    il_source_close(&s);
    free(m.data);
}

static void a_kind_that_is_given_wins(void **state)
{
    (void)state;
    struct il_source_config config;
    struct got g;
    struct made m = numbers("fvecs");
    il_source_config_init(&config);
    config.kind = IL_KIND_FVECS;
    assert_int_equal(got_bytes(&g, "x.npy", m.data, m.size, 0, 4, &config), IL_OK);
    is_numbers(&g);
    got_free(&g);
    config.struct_bytes = 1;
    assert_int_equal(got_file(&g, "x.npy", 4, &config), IL_EARG);
    free(m.data);
}

static void kinds_have_names(void **state)
{
    (void)state;
    enum il_kind kind = IL_KIND_AUTO;
    struct il_error error;
    static const struct {
        const char *name;
        enum il_kind kind;
    } named[] = {{"npy", IL_KIND_NPY},       {"fvecs", IL_KIND_FVECS},
                 {"bvecs", IL_KIND_BVECS},   {"fbin", IL_KIND_FBIN},
                 {"f16bin", IL_KIND_F16BIN}, {"u8bin", IL_KIND_U8BIN},
                 {"i8bin", IL_KIND_I8BIN},   {"auto", IL_KIND_AUTO}};
    for (size_t i = 0; i < sizeof(named) / sizeof(*named); i++) {
        assert_int_equal(il_kind_named(named[i].name, &kind, &error), IL_OK);
        assert_int_equal(kind, named[i].kind);
    }
    assert_int_equal(il_kind_named("NPY\x1b", &kind, &error), IL_EARG);
    unit_says(&error, "format 'NPY?', wanted auto, npy");
    assert_int_equal(il_kind_of_name("a.b/C.Npy.zst"), IL_KIND_NPY);
    assert_int_equal(il_kind_of_name("npy"), IL_KIND_AUTO);
    assert_int_equal(il_kind_of_name(".zst"), IL_KIND_AUTO);
    assert_int_equal(il_kind_of_name(""), IL_KIND_AUTO);
}

static void every_cut_is_refused(void **state)
{
    (void)state;
    for (size_t k = 0; k < KINDS; k++) {
        struct made m = numbers(kinds[k]);
        char name[32];
        snprintf(name, sizeof(name), "c.%s", kinds[k]);
        if (!strstr(kinds[k], "vecs"))
            refuses_every_cut(name, m.data, m.size);
        free(m.data);
    }
    /* .fvecs says nothing of its end: whole rows are a file of their own. */
    struct made m = numbers("fvecs");
    for (size_t kept = 0; kept < m.size; kept++) {
        struct got g;
        enum il_status status = got_bytes(&g, "c.fvecs", m.data, kept, 1, 2, NULL);
        assert_int_equal(status, kept % 16 == 0 && kept > 0 ? IL_OK : IL_EFORMAT);
        assert_true(status != IL_OK || g.rows == kept / 16);
        got_free(&g);
    }
    free(m.data);
}

/* Where the beginning that is looked at does not show the end. */
static void a_long_pipe_that_ends_early_or_late_is_refused(void **state)
{
    (void)state;
    struct got g;
    struct made m = made_npy(1, DICT("<f4", "(100, 100)"), 40000);
    assert_int_equal(got_bytes(&g, "p.npy", m.data, m.size, 1, 7, NULL), IL_OK);
    assert_int_equal(g.rows, 100);
    got_free(&g);
    assert_int_equal(got_bytes(&g, "p.npy", m.data, m.size - 1, 1, 7, NULL), IL_EFORMAT);
    unit_says(&g.error, "p.npy, byte 128: 39999 bytes of rows, wanted 40000 (100 rows of "
                        "100 f32): the file is cut short");
    got_free(&g);
    made_zeros(&m, 1);
    assert_int_equal(got_bytes(&g, "p.npy", m.data, m.size, 1, 7, NULL), IL_EFORMAT);
    unit_says(&g.error, "p.npy, byte 40128: the file goes on, wanted its end after 100 "
                        "rows of 100 f32: it is longer than its header says");
    got_free(&g);
    free(m.data);
    m = made_npy(1, DICT("<f8", "(100, 100)"), 79999);
    assert_int_equal(got_bytes(&g, "p.npy", m.data, m.size, 1, 64, NULL), IL_EFORMAT);
    unit_says(&g.error, "79999 bytes of rows, wanted 80000");
    got_free(&g);
    free(m.data);
    m = (struct made){0};
    for (int i = 0; i < 3; i++) {
        made_u32(&m, i < 2 ? 10000 : 9999);
        made_zeros(&m, 10000);
    }
    assert_int_equal(got_bytes(&g, "p.bvecs", m.data, m.size, 1, 2, NULL), IL_EFORMAT);
    unit_says(&g.error, "p.bvecs, byte 20008: row length 9999, wanted 10000 (row 2)");
    got_free(&g);
    assert_int_equal(got_bytes(&g, "p.bvecs", m.data, m.size - 10, 1, 2, NULL),
                     IL_EFORMAT);
    unit_says(&g.error, "p.bvecs, byte 20008: 9994 bytes after 2 rows, wanted 10004 a "
                        "row");
    got_free(&g);
    free(m.data);
}

/* A pipe that promises 2^31 rows costs nothing but what comes. */
static void a_lying_pipe_allocates_no_more_than_another(void **state)
{
    (void)state;
    struct got g;
    struct made m = made_npy(1, DICT("<f4", "(2147483647, 65536)"), 40000);
    struct il_input *stream = NULL;
    struct il_source *s = NULL;
    il_alloc_fail_at(0);
    assert_int_equal(il_input_memory(&stream, "l.npy", m.data, m.size, 1, &g.error),
                     IL_OK);
    assert_int_equal(il_source_of_input(&s, stream, NULL, &g.error), IL_OK);
    assert_int_equal(il_alloc_calls(), 4);
    float *rows = malloc(65536 * sizeof(*rows));
    size_t count = 9;
    assert_int_equal(il_source_next(s, 1, rows, NULL, NULL, &count, &g.error),
                     IL_EFORMAT);
    unit_says(&g.error, "40000 bytes of rows, wanted 562949953");
    assert_int_equal(count, 0);
    free(rows);
    il_source_close(&s);
    free(m.data);
}

static void what_is_no_source_is_refused(void **state)
{
    (void)state;
    struct got g;
    refuses_bytes("x.txt", "1 2 3", 5, IL_EFORMAT,
                  "x.txt: unknown kind of file, wanted a name that ends in .npy");
    refuses_bytes("x", "", 0, IL_EFORMAT, "x: unknown kind of file");
    refuses_bytes("x.npy", "", 0, IL_EFORMAT, "x.npy: the file is empty");
    refuses_bytes("x.fvecs", "", 0, IL_EFORMAT, "x.fvecs: 0 rows (the file is empty)");
    refuses_bytes("x.fbin", "1234567", 7, IL_EFORMAT, "x.fbin: 7 bytes, wanted a header");
    refuses_bytes("x.fvecs", "\xff\xff\xff\xff", 4, IL_EFORMAT, "row length -1");
    refuses_bytes("x.fbin", "\1\0\0\0\0\0\1\1", 8, IL_ELIMIT, "row length 16842752");
    assert_int_equal(got_file(&g, unit_path("absent.npy"), 1, NULL), IL_EIO);
    unit_says(&g.error, "absent.npy: cannot open: No such file");
    assert_int_equal(got_file(&g, unit_dir, 1, NULL), IL_EIO);
    unit_says(&g.error, "is a directory");
}

static void arguments_are_checked(void **state)
{
    (void)state;
    struct il_source *s = NULL;
    struct il_error error;
    struct made m = numbers("npy");
    const char *path = unit_put("a.npy", m.data, m.size);
    float rows[3];
    size_t count = 1;
    const void *id[1];
    assert_int_equal(il_source_open(&s, path, NULL, &error), IL_OK);
    assert_int_equal(il_source_next(s, 0, rows, NULL, NULL, &count, &error), IL_EARG);
    assert_int_equal(count, 0);
    assert_int_equal(il_source_next(s, 1, rows, id, NULL, &count, &error), IL_EARG);
    assert_int_equal(il_source_next(s, 1, rows, NULL, NULL, &count, &error), IL_OK);
    assert_int_equal(count, 1);
    il_source_close(&s);
    free(m.data);
}

/* Standard input, replaced by the output of cat. */
static enum il_status through_a_pipe(struct got *g, const char *path,
                                     const struct il_source_config *config)
{
    char command[700];
    snprintf(command, sizeof(command), "cat '%s'", path);
    FILE *pipe = popen(command, "r");
    assert_non_null(pipe);
    int kept = dup(STDIN_FILENO);
    dup2(fileno(pipe), STDIN_FILENO);
    enum il_status status = got_file(g, "-", 2, config);
    dup2(kept, STDIN_FILENO);
    close(kept);
    pclose(pipe);
    return status;
}

static void standard_input_is_read(void **state)
{
    (void)state;
    struct got g;
    struct il_source_config config;
    il_source_config_init(&config);
    struct made m = numbers("npy");
    const char *path = unit_put("in", m.data, m.size);
    if (through_a_pipe(&g, path, NULL) != IL_OK)
        fail_msg("%s", g.error.text);
    is_numbers(&g);
    got_free(&g);
    free(m.data);
    m = numbers("bvecs");
    path = unit_put("in", m.data, m.size);
    assert_int_equal(through_a_pipe(&g, path, NULL), IL_EFORMAT);
    unit_says(&g.error, "standard input: unknown kind of file");
    config.kind = IL_KIND_BVECS;
    assert_int_equal(through_a_pipe(&g, path, &config), IL_OK);
    is_numbers(&g);
    got_free(&g);
    free(m.data);
    unit_fail_io(1, IL_IO_STAT, EACCES, 0);
    assert_int_equal(got_file(&g, "-", 2, NULL), IL_EIO);
    unit_says(&g.error, "standard input: cannot examine");
    unit_fail_io(1, IL_IO_OPEN, EMFILE, 0);
    assert_int_equal(got_file(&g, "-", 2, NULL), IL_EIO);
    unit_no_faults();
    unit_says(&g.error, "standard input: cannot open");
}

static void failing_calls_are_reported_and_short_ones_resumed(void **state)
{
    (void)state;
    struct made m = numbers("npy");
    faults_are_reported(unit_put("f.npy", m.data, m.size), 5, 5);
    free(m.data);
    m = numbers("bvecs");
    faults_are_reported(unit_put("f.bvecs", m.data, m.size), 5, 5);
    free(m.data);
}

static void no_memory_leaks_nothing(void **state)
{
    (void)state;
    struct made m = numbers("npy");
    char *path = strdup(unit_put("m.npy", m.data, m.size));
    assert_int_equal(unit_starve(starved_file, path), 5);
    free(path);
    free(m.data);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_kind_gives_the_same_rows_in_any_pieces),
        cmocka_unit_test(rows_are_known_or_not),
        cmocka_unit_test(a_kind_that_is_given_wins),
        cmocka_unit_test(kinds_have_names),
        cmocka_unit_test(every_cut_is_refused),
        cmocka_unit_test(a_long_pipe_that_ends_early_or_late_is_refused),
        cmocka_unit_test(a_lying_pipe_allocates_no_more_than_another),
        cmocka_unit_test(what_is_no_source_is_refused),
        cmocka_unit_test(arguments_are_checked),
        cmocka_unit_test(standard_input_is_read),
        cmocka_unit_test(failing_calls_are_reported_and_short_ones_resumed),
        cmocka_unit_test(no_memory_leaks_nothing),
    };
    return cmocka_run_group_tests(tests, unit_setup, unit_teardown);
}
