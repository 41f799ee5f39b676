/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/sources.h"

#define DATA "tests/data/source/"

static void real_files_are_read(void **state)
{
    (void)state;
    static const struct {
        const char *path, *ids;
    } files[] = {{DATA "ip.faiss", "0 1 2 3 4 "},
                 {DATA "l2.faiss", "0 1 2 3 4 "},
                 {DATA "lp.faiss", "0 1 2 3 4 "},
                 {DATA "ids.faiss", "7 -1 9000000000 0 42 "},
                 {DATA "ids2.faiss", "7 -1 9000000000 0 42 "}};
    for (size_t f = 0; f < sizeof(files) / sizeof(*files); f++) {
        for (size_t most = 1; most <= 6; most++) {
            struct got g;
            if (got_file(&g, files[f].path, most, NULL) != IL_OK)
                fail_msg("%s", g.error.text);
            assert_int_equal(g.rows, 5);
            assert_int_equal(g.dim, 3);
            assert_int_equal(g.has_ids, f > 2);
            for (int i = 0; i < 15; i++)
                assert_true(g.data[i] == (float)i);
            assert_string_equal(g.ids, files[f].ids);
            got_free(&g);
        }
    }
}

/* Under another name, from a pipe: rows pass, ids cannot. */
static void pipes_have_no_ids(void **state)
{
    (void)state;
    struct got g;
    size_t bytes = 0;
    char *data = unit_get(DATA "l2.faiss", &bytes);
    assert_non_null(data);
    assert_int_equal(got_bytes(&g, "-", data, bytes, 1, 2, NULL), IL_OK);
    assert_int_equal(g.rows, 5);
    got_free(&g);
    free(data);
    data = unit_get(DATA "ids.faiss", &bytes);
    assert_int_equal(got_bytes(&g, "x", data, bytes, 0, 2, NULL), IL_OK);
    assert_string_equal(g.ids, "7 -1 9000000000 0 42 ");
    got_free(&g);
    assert_int_equal(got_bytes(&g, "x", data, bytes, 1, 2, NULL), IL_EARG);
    unit_says(&g.error, "x: the ids of a FAISS index lie behind its rows");
    free(data);
}

static void every_cut_is_refused(void **state)
{
    (void)state;
    static const char *const paths[] = {DATA "ids.faiss", DATA "lp.faiss"};
    for (int p = 0; p < 2; p++) {
        size_t bytes = 0;
        char *data = unit_get(paths[p], &bytes);
        for (size_t kept = 0; kept < bytes + 1; kept++) {
            struct got g;
            char *longer = calloc(1, bytes + 1);
            memcpy(longer, data, bytes);
            size_t size = kept < bytes ? kept : bytes + 1;
            assert_int_equal(got_bytes(&g, "c.faiss", longer, size, 0, 2, NULL),
                             IL_EFORMAT);
            got_free(&g);
            free(longer);
        }
        if (p == 1)
            refuses_every_cut("c.faiss", data, bytes);
        free(data);
    }
}

/* Each byte of the headers set to each value: never more than a refusal, and rows only
   where the byte has no meaning here. */
static void hostile_headers(void **state)
{
    (void)state;
    size_t bytes = 0;
    char *data = unit_get(DATA "ids.faiss", &bytes);
    size_t header = 2 * 37 + 8;
    for (size_t at = 0; at < header; at++) {
        for (int value = 0; value < 256; value++) {
            struct got g;
            char kept = data[at];
            data[at] = (char)value;
            enum il_status status = got_bytes(&g, "h.faiss", data, bytes, 0, 3, NULL);
            assert_true(status == IL_OK || status == IL_EFORMAT || status == IL_ELIMIT);
            if (status == IL_OK)
                assert_int_equal(g.rows, 5);
            got_free(&g);
            data[at] = kept;
        }
    }
    /* Counts that wrap when they are multiplied. */
    static const struct {
        size_t at;
        const char *bytes;
        size_t count;
        const char *says;
    } wrong[] = {
        {37, "IxHN", 4, "byte 37: index 'IxHN', wanted a flat one"},
        {0, "IxPQ", 4, "byte 0: index 'IxPQ'"},
        {4, "\x04\0\0\0", 4,
         "ids of 5 rows of length 4 around an index of 5 of length 3"},
        {41, "\xff\xff\xff\xff", 4, "byte 41: 5 rows of length -1"},
        {45, "\0\0\0\0\0\0\0\x80", 8, "wanted no negative number"},
        {45, "\0\0\0\0\0\0\0\x40", 8, "floats, wanted 4611686018427387904 rows of 3"},
        {70, "\x41\0\0\0", 4, "byte 70: metric 65, wanted at most 64"},
        {74, "\x10\0\0\0", 4, "byte 74: 16 floats, wanted 5 rows of 3"},
        {142, "\x04\0\0\0", 4, "byte 142: 4 ids, wanted 5"},
    };
    for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
        struct got g;
        char *copy = malloc(bytes);
        memcpy(copy, data, bytes);
        memcpy(copy + wrong[i].at, wrong[i].bytes, wrong[i].count);
        enum il_status status = got_bytes(&g, "h.faiss", copy, bytes, 0, 3, NULL);
        if (status != IL_EFORMAT || !strstr(g.error.text, wrong[i].says))
            fail_msg("status %d, '%s' lacks '%s'", status, g.error.text, wrong[i].says);
        got_free(&g);
        free(copy);
    }
    free(data);
}

static void faults(void **state)
{
    (void)state;
    faults_are_reported(DATA "ids.faiss", 5, 8);
    assert_int_equal(unit_starve(starved_file, (void *)DATA "ids.faiss"), 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(real_files_are_read),
        cmocka_unit_test(pipes_have_no_ids),
        cmocka_unit_test(every_cut_is_refused),
        cmocka_unit_test(hostile_headers),
        cmocka_unit_test(faults),
    };
    return cmocka_run_group_tests(tests, unit_setup, unit_teardown);
}
