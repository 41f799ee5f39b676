/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>

#include "tests/unit/sources.h"

static void accepts(const char *text, size_t rows, size_t dim, const char *ids)
{
    for (size_t most = 1; most <= 3; most++) {
        struct got g;
        if (got_bytes(&g, "t.csv", text, strlen(text), (int)most & 1, most, NULL) !=
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
    refuses_bytes("t.csv", text, strlen(text), IL_EFORMAT, says);
}

static void ids_and_columns(void **state)
{
    (void)state;
    accepts("a,0,1\nb,2,3\n", 2, 2, "a b ");
    accepts("id,x,y\na,0,1\nb,2,3", 2, 2, "a b ");
    accepts("x,id,y\r\n0,a,1\r\n\r\n2,b,3\r\n", 2, 2, "a b ");
    accepts("\xef\xbb\xbfname,x\n7, 0 \n8,\"1\"\n9,2.0e0\n", 3, 1, "7 8 9 ");
    accepts("\"a,\"\"b\",0\n\"c\nd\",1\n\"e\",2\n", 3, 1, "a,\"b c\nd e ");
}

static void an_array_in_one_field(void **state)
{
    (void)state;
    accepts("a,\"[0,1]\"\nb,\"[2, 3]\"\n", 2, 2, "a b ");
    accepts("id,text,embedding\na,\"x, y\",\"[0,1]\"\nb,,\"[ 2,3 ]\"\n", 2, 2, "a b ");
    accepts("vector,id\n\"[0,1]\",a\n\"[2,3]\",b\n", 2, 2, "a b ");
    accepts("vector,text\n\"[0,1]\",a\n\"[2,3]\",b\n", 2, 2, "0 1 ");
    accepts("a,[0]\nb,[1]\n", 2, 1, "a b ");
}

static void a_column_may_be_chosen(void **state)
{
    (void)state;
    static const char text[] = "id,p,q\na,\"[9]\",\"[0,1]\"\n";
    struct got g;
    struct il_source_config config;
    il_source_config_init(&config);
    config.column = "q";
    if (got_bytes(&g, "t.csv", text, strlen(text), 0, 1, &config) != IL_OK)
        fail_msg("%s", g.error.text);
    assert_int_equal(g.dim, 2);
    got_free(&g);
    config.column = "r";
    assert_int_equal(got_bytes(&g, "t.csv", text, strlen(text), 0, 1, &config),
                     IL_EFORMAT);
    unit_says(&g.error, "t.csv, line 1, column 1: no column of the name");
    refuses("id,vector,embedding\na,\"[9]\",\"[0,1]\"\n", "a second column of vectors");
}

static void wrong_rows_are_named(void **state)
{
    (void)state;
    static const struct {
        const char *row, *says;
    } tried[] = {
        {"c,1", "t.csv, line 4, column 1: a vector of 1 numbers, wanted 2"},
        {"c,1,2,3", "a vector of 3 numbers or more, wanted 2"},
        {"c,1,x", "t.csv, line 4, column 5: 'x' is no number"},
        {"c,1,", "column 5: '' is no number"},
        {"c,1,2 3", "'2 3' is no number"},
        {"c,1,0x10", "'0x10' is no number"},
        {",1,2", "column 1: an empty id"},
        {"c", "a vector of no numbers"},
        {"c,1,\"2\"x", "line 4: text behind a closing quote"},
        {"\"c,1,2", "t.csv, line 4: a quote is opened here and never closed"},
        {"c,1,[2]", "'[2]' is no number"},
    };
    for (size_t i = 0; i < sizeof(tried) / sizeof(*tried); i++) {
        char text[256];
        snprintf(text, sizeof(text), "\"a\nb\",1,2\n\n%s\n", tried[i].row);
        refuses(text, tried[i].says);
    }
    refuses("", "t.csv: 0 rows, wanted at least 1");
    refuses("\n\r\n", "0 rows");
    refuses("id,x\n", "0 rows");
    refuses("a\nb\n", "1 column, wanted an id and coordinates");
    refuses("a,\"[1,2]\"\nb,\"[1,2\"\n", "wanted ',' or ']'");
    refuses("a,\"[1,2]\"\nb,\"[1,2]3\"\n", "something follows the vector");
    refuses("a,\"[1,2]\"\nb\n", "line 2, column 1: 1 columns, the id or the vector");
    refuses("id,x,y\na,b,c\n", "line 2, column 3: 'b' is no number");
    refuses_bytes("t.csv", "a\0b,1\n", 6, IL_EFORMAT, "a NUL byte");
}

static void not_finite_numbers_pass(void **state)
{
    (void)state;
    struct got g;
    static const char text[] = "a,nan,inf,-Infinity,1e999\n";
    assert_int_equal(got_bytes(&g, "t.csv", text, strlen(text), 0, 1, NULL), IL_OK);
    assert_true(isnan(g.data[0]) && g.data[1] == INFINITY && g.data[2] == -INFINITY &&
                g.data[3] == INFINITY);
    got_free(&g);
}

static void hostile_files_cost_little(void **state)
{
    (void)state;
    size_t bytes = 8 << 20;
    char *text = malloc(bytes);
    memset(text, '"', bytes);
    memcpy(text, "a,1\nb,", 6);
    refuses_bytes("t.csv", text, bytes, IL_EFORMAT, "line 2: longer than 1048608 bytes");
    memset(text, ',', bytes);
    refuses_bytes("t.csv", text, bytes, IL_EFORMAT, "line 1: longer than 3145728 bytes");
    /* An open quote over very many lines: each is looked at once. */
    memset(text, '\n', bytes);
    memcpy(text, "a,1\n\"", 5);
    double begun = il_clock_seconds();
    refuses_bytes("t.csv", text, 1000000, IL_EFORMAT, "line 2: a quote is opened here");
    refuses_bytes("t.csv", text, bytes, IL_EFORMAT, "line 2: longer than");
    assert_true(il_clock_seconds() - begun < 10);
    free(text);
    text = malloc(400000);
    memcpy(text, "a", 1);
    for (size_t i = 0; i < 65537; i++)
        memcpy(text + 1 + 2 * i, ",1", 2);
    refuses_bytes("t.csv", text, 1 + 2 * 65537, IL_ELIMIT, "more than 65536 numbers");
    free(text);
}

static void faults(void **state)
{
    (void)state;
    char *path = strdup(unit_text("f.csv", "id,x,y\na,1,2\nb,3,4\n"));
    faults_are_reported(path, 2, 4);
    assert_int_equal(unit_starve(starved_file, path), 7);
    free(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ids_and_columns),
        cmocka_unit_test(an_array_in_one_field),
        cmocka_unit_test(a_column_may_be_chosen),
        cmocka_unit_test(wrong_rows_are_named),
        cmocka_unit_test(not_finite_numbers_pass),
        cmocka_unit_test(hostile_files_cost_little),
        cmocka_unit_test(faults),
    };
    return cmocka_run_group_tests(tests, unit_setup, unit_teardown);
}
