/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>

#include "tests/unit/sources.h"

static void accepts(const char *text, size_t rows, size_t dim, const char *ids)
{
    for (size_t most = 1; most <= 3; most++) {
        struct got g;
        if (got_bytes(&g, "t.jsonl", text, strlen(text), (int)most & 1, most, NULL) !=
            IL_OK)
            fail_msg("%s: %s", text, g.error.text);
        assert_int_equal(g.rows, rows);
        assert_int_equal(g.dim, dim);
        assert_string_equal(g.ids, ids);
        for (size_t i = 0; i < rows * dim; i++)
            assert_true(g.data[i] == (float)i);
        got_free(&g);
    }
}

static void refuses(const char *text, const char *says)
{
    refuses_bytes("t.jsonl", text, strlen(text), IL_EFORMAT, says);
}

static void lines_become_rows(void **state)
{
    (void)state;
    accepts("{\"id\":\"a\",\"vector\":[0,1]}\n{\"id\":\"b\",\"vector\":[2,3]}\n", 2, 2,
            "a b ");
    /* No end of the last line; CR LF; empty lines; a BOM; other keys, any order. */
    accepts("\xef\xbb\xbf\r\n \n{\"vector\": [ 0 , 1.0 ] , \"id\" : 7}\r\n\r\n"
            "{\"x\":{\"vector\":[9]},\"id\":-8,\"y\":[1,{}],\"vector\":[2e0,0.3E1]}\r\n",
            2, 2, "7 -8 ");
    accepts("{\"vector\":[0]}\n{\"vector\":[1]}\n{\"vector\":[2]}", 3, 1, "0 1 2 ");
    accepts("{\"id\":\"\\u0061\\\"\\u00e9\",\"vector\":[0]}", 1, 1, "a\"\xc3\xa9 ");
    accepts("{\"id\":123456789012345678901234567890,\"vector\":[0]}", 1, 1,
            "123456789012345678901234567890 ");
}

static void exports_of_other_stores_are_read(void **state)
{
    (void)state;
    accepts("{\"id\":\"5c56c793-69f3-4fbf-87e6-c4bf54c28c26\",\"payload\":{\"city\":"
            "\"Berlin\",\"n\":[1,2,{\"a\":null}]},\"vector\":[0,1]}\n",
            1, 2, "5c56c793-69f3-4fbf-87e6-c4bf54c28c26 ");
    accepts("{\"id\":1,\"vector\":{\"image\":[0,1]},\"payload\":null}\n", 1, 2, "1 ");
    accepts("{\"id\":\"a\",\"embedding\":[0,1],\"document\":\"text\",\"metadata\":{}}\n",
            1, 2, "a ");
}

static void a_vector_may_be_chosen(void **state)
{
    (void)state;
    static const char text[] =
        "{\"id\":1,\"vector\":{\"a\":[9],\"b\":[0,1]},\"c\":[2,3,4]}\n";
    struct got g;
    struct il_source_config config;
    il_source_config_init(&config);
    refuses(text, "t.jsonl, line 1, column 28: a second vector: choose one by its name");
    config.column = "b";
    assert_int_equal(got_bytes(&g, "t.jsonl", text, strlen(text), 0, 1, &config), IL_OK);
    assert_int_equal(g.dim, 2);
    got_free(&g);
    config.column = "c";
    assert_int_equal(got_bytes(&g, "t.jsonl", text, strlen(text), 0, 1, &config), IL_OK);
    assert_int_equal(g.dim, 3);
    got_free(&g);
    config.column = "\x1b";
    assert_int_equal(got_bytes(&g, "t.jsonl", text, strlen(text), 0, 1, &config),
                     IL_EFORMAT);
    unit_says(&g.error, "line 1, column 1: no key \"?\"");
    refuses("{\"vector\":[1],\"embedding\":[2]}", "a second vector");
}

static void wrong_lines_are_named(void **state)
{
    (void)state;
    static const char good[] = "{\"id\":\"a\",\"vector\":[1,2]}\n";
    static const struct {
        const char *line, *says;
    } tried[] = {
        {"{\"id\":\"b\",\"vector\":[1]}", "t.jsonl, line 3, column 20: a vector of 1 "
                                          "numbers, wanted 2"},
        {"{\"id\":\"b\",\"vector\":[1,2,3]}", "a vector of 3 numbers or more, wanted 2"},
        {"{\"id\":\"b\",\"vector\":[]}", "a vector of no numbers"},
        {"{\"id\":\"b\",\"vector\":[1,]}", "column 23: wanted a number"},
        {"{\"id\":\"b\",\"vector\":[1 2]}", "column 23: wanted ',' or ']'"},
        {"{\"id\":\"b\",\"vector\":[1,\"2\"]}", "column 23: wanted a number"},
        {"{\"id\":\"b\",\"vector\":[1,null]}", "wanted a number"},
        {"{\"id\":\"b\",\"vector\":[[1,2]]}", "wanted a number"},
        {"{\"id\":\"b\",\"vector\":null}", "wanted a vector: [1, 2, ...]"},
        {"{\"id\":\"b\",\"vector\":\"AAAA\"}", "wanted a vector"},
        {"{\"id\":\"b\"}", "line 3, column 1: no key \"vector\" and no \"embedding\""},
        {"{\"vector\":[1,2]}", "t.jsonl, line 3: no key \"id\", but the first line had"},
        {"{\"id\":\"\",\"vector\":[1,2]}", "column 7: an empty id"},
        {"{\"id\":1.0,\"vector\":[1,2]}", "an id that is no string and no whole number"},
        {"{\"id\":1e3,\"vector\":[1,2]}", "an id that is no string"},
        {"{\"id\":null,\"vector\":[1,2]}", "an id that is no string"},
        {"{\"id\":[1],\"vector\":[1,2]}", "an id that is no string"},
        {"{\"id\":\"x\\u0000\",\"vector\":[1,2]}", "a NUL byte in an id"},
        {"{\"id\":1,\"id\":2,\"vector\":[1,2]}", "column 14: a second id"},
        {"{\"id\":1,\"vector\":[1,2],\"vector\":[1,2]}", "a second vector"},
        {"[1,2]", "column 1: wanted an object"},
        {"{\"id\":1,\"vector\":[1,2]} x", "column 25: something follows the object"},
        {"{\"id\":1,\"vector\":[1,2]}{}", "something follows"},
        {"{\"id\":1,\"vector\":[1,2]", "column 23: wanted ',' or '}'"},
        {"{\"id\":1 \"vector\":[1,2]}", "wanted ',' or '}'"},
        {"{\"id\":\"a", "a string is opened here"},
    };
    for (size_t i = 0; i < sizeof(tried) / sizeof(*tried); i++) {
        char text[256];
        snprintf(text, sizeof(text), "%s%s%s\n", good, "\n", tried[i].line);
        refuses(text, tried[i].says);
    }
    refuses("", "t.jsonl: 0 rows, wanted at least 1");
    refuses("\n \n", "0 rows");
    refuses("{\"vector\":[1]}\n{\"id\":1,\"vector\":[1]}\n",
            "line 2: an id, but the first line had none");
    char nul[] = "{\"id\":\"a*b\",\"vector\":[1]}";
    *strchr(nul, '*') = 0;
    refuses_bytes("t.jsonl", nul, sizeof(nul) - 1, IL_EFORMAT, "a control byte");
}

static void not_finite_numbers_pass(void **state)
{
    (void)state;
    struct got g;
    static const char text[] = "{\"vector\":[NaN,Infinity,-Infinity,1e999,1e-999,-0]}";
    assert_int_equal(got_bytes(&g, "t.jsonl", text, strlen(text), 0, 1, NULL), IL_OK);
    assert_true(isnan(g.data[0]) && g.data[1] == INFINITY && g.data[2] == -INFINITY);
    assert_true(g.data[3] == INFINITY && g.data[4] == 0 && signbit(g.data[5]));
    got_free(&g);
}

static void limits(void **state)
{
    (void)state;
    struct got g;
    size_t bytes_of_numbers = 2 * (size_t)(IL_DIM_MAX - 1);
    char *line = malloc(bytes_of_numbers + 20);
    char *at = line + 12;
    memcpy(line, "{\"vector\":[1", 12);
    for (size_t i = 1; i < IL_DIM_MAX; i++, at += 2)
        memcpy(at, ",2", 2);
    memcpy(at, "]}", 2);
    assert_int_equal(got_bytes(&g, "t.jsonl", line, (size_t)(at + 2 - line), 1, 1, NULL),
                     IL_OK);
    assert_int_equal(g.dim, IL_DIM_MAX);
    got_free(&g);
    memcpy(at, ",2]}", 4);
    refuses_bytes("t.jsonl", line, (size_t)(at + 4 - line), IL_ELIMIT,
                  "a vector of more than 65536 numbers");
    free(line);
    /* An id of 1,024 bytes and one of 1,025. */
    for (size_t bytes = 1024; bytes <= 1025; bytes++) {
        char text[1200] = "{\"vector\":[0],\"id\":\"";
        memset(text + strlen(text), 'x', bytes);
        strncat(text, "\"}", 3);
        enum il_status status = got_bytes(&g, "t.jsonl", text, strlen(text), 0, 1, NULL);
        assert_int_equal(status, bytes == 1024 ? IL_OK : IL_EFORMAT);
        if (status != IL_OK)
            unit_says(&g.error, "an id of 1025 bytes, wanted at most 1024");
        got_free(&g);
    }
}

/* A million levels, and a line without end: refused soon, in little memory. */
static void hostile_lines_cost_little(void **state)
{
    (void)state;
    static const char begin[] = "{\"vector\":[1]}\n{\"x\":";
    size_t bytes = 1000000;
    char *text = malloc(bytes + sizeof(begin));
    memcpy(text, begin, sizeof(begin) - 1);
    memset(text + sizeof(begin) - 1, '[', bytes);
    refuses_bytes("t.jsonl", text, bytes + sizeof(begin) - 1, IL_EFORMAT,
                  "line 2, column 70: objects or arrays inside each other");
    memset(text, '[', bytes);
    refuses_bytes("t.jsonl", text, bytes, IL_EFORMAT, "wanted an object");
    free(text);
    bytes = 8 << 20;
    text = malloc(bytes + sizeof(begin));
    memcpy(text, begin, sizeof(begin) - 1);
    memset(text + sizeof(begin) - 1, ' ', bytes);
    refuses_bytes("t.jsonl", text, bytes, IL_EFORMAT,
                  "line 2: longer than 1048608 bytes");
    memset(text, 'x', bytes);
    refuses_bytes("t.jsonl", text, bytes, IL_EFORMAT,
                  "line 1: longer than 3145728 bytes");
    free(text);
}

static void a_line_may_be_longer_than_a_buffer(void **state)
{
    (void)state;
    struct made m = {0};
    char *filler = malloc(900000);
    memset(filler, 'x', 900000);
    for (int i = 0; i < 3; i++) {
        char line[64];
        snprintf(line, sizeof(line), "{\"vector\":[%d],\"id\":\"n%d\",\"t\":\"", i, i);
        made_add(&m, line, strlen(line));
        made_add(&m, filler, 900000);
        made_add(&m, "\"}\n", 3);
    }
    struct got g;
    assert_int_equal(got_bytes(&g, "t.jsonl", m.data, m.size, 1, 2, NULL), IL_OK);
    assert_int_equal(g.rows, 3);
    assert_string_equal(g.ids, "n0 n1 n2 ");
    assert_true(g.data[2] == 2);
    got_free(&g);
    free(filler);
    free(m.data);
}

static void it_is_known_by_its_first_byte(void **state)
{
    (void)state;
    struct got g;
    static const char text[] = " \n{\"vector\":[1]}";
    assert_int_equal(got_bytes(&g, "-", text, strlen(text), 1, 1, NULL), IL_OK);
    got_free(&g);
    assert_int_equal(il_kind_of_name("a.jsonl.zst"), IL_KIND_JSONL);
    assert_int_equal(il_kind_of_name("a.ndjson"), IL_KIND_JSONL);
}

/* Any cut leaves rows that are whole, or is refused: nothing is made up. */
static void every_cut_is_refused_or_ends_between_lines(void **state)
{
    (void)state;
    static const char text[] = "{\"id\":\"a\\u0041\",\"vector\":[1.5,-2e-3],\"x\":[{}]}\n"
                               "{\"id\":2,\"vector\":[3,4]}\n";
    const char *second = strchr(text, '\n') + 1;
    for (size_t kept = 0; kept <= strlen(text); kept++) {
        struct got g;
        enum il_status status = got_bytes(&g, "t.jsonl", text, kept, 1, 2, NULL);
        size_t first = (size_t)(second - text);
        int whole = kept == first || kept == first - 1 || kept + 1 >= strlen(text);
        assert_int_equal(status, whole ? IL_OK : IL_EFORMAT);
        if (status == IL_OK)
            assert_int_equal(g.rows, kept > first ? 2 : 1);
        got_free(&g);
    }
}

static void faults(void **state)
{
    (void)state;
    char *path = strdup(unit_text("f.jsonl", "{\"id\":\"a\",\"vector\":[1,2]}\n"
                                             "{\"id\":\"b\",\"vector\":[3,4]}\n"));
    faults_are_reported(path, 2, 4);
    assert_int_equal(unit_starve(starved_file, path), 6);
    free(path);
    struct il_source *s = NULL;
    struct il_source_config config;
    il_source_config_init(&config);
    config.column = "vector";
    for (long k = 1;; k++) {
        struct il_error error;
        il_alloc_fail_at(k);
        enum il_status status = il_source_open(&s, unit_path("f.jsonl"), &config, &error);
        long calls = il_alloc_calls();
        il_alloc_fail_at(0);
        il_source_close(&s);
        if (calls < k) {
            assert_int_equal(status, IL_OK);
            break;
        }
        assert_int_equal(status, IL_ENOMEM);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_become_rows),
        cmocka_unit_test(exports_of_other_stores_are_read),
        cmocka_unit_test(a_vector_may_be_chosen),
        cmocka_unit_test(wrong_lines_are_named),
        cmocka_unit_test(not_finite_numbers_pass),
        cmocka_unit_test(limits),
        cmocka_unit_test(hostile_lines_cost_little),
        cmocka_unit_test(a_line_may_be_longer_than_a_buffer),
        cmocka_unit_test(it_is_known_by_its_first_byte),
        cmocka_unit_test(every_cut_is_refused_or_ends_between_lines),
        cmocka_unit_test(faults),
    };
    return cmocka_run_group_tests(tests, unit_setup, unit_teardown);
}
