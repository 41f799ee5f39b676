/* SPDX-License-Identifier: Apache-2.0 */
#include "src/store/table.h"

#include "tests/unit/unit.h"

/* Opens a table and counts its rows; the ids of the last one are left in `last`. */
static size_t rows_of(const char *text, size_t header_from, struct il_table *t,
                      char *last, size_t room)
{
    struct il_error error = {{0}};
    if (il_table_open(t, unit_text("t", text), header_from, &error) != IL_OK)
        fail_msg("%s", error.text);
    size_t rows = 0;
    for (;;) {
        int more = 0;
        if (il_table_next(t, &more, &error) != IL_OK)
            fail_msg("%s", error.text);
        if (!more)
            break;
        rows++;
        snprintf(last, room, "%.*s>%.*s", (int)t->field[t->a].bytes, t->field[t->a].text,
                 (int)t->field[t->b].bytes, t->field[t->b].text);
    }
    assert_true(rows <= t->rows_max);
    /* The end stays the end. */
    int more = 1;
    assert_int_equal(il_table_next(t, &more, &error), IL_OK);
    assert_int_equal(more, 0);
    return rows;
}

static void headers_are_recognised(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        size_t rows;
        int header;
        size_t a, b, posterior, origin;
    } tried[] = {
        {"", 0, 0, 0, 1, 64, 64},
        {"x,y\n", 1, 0, 0, 1, 64, 64},
        {"a_id,b_id\nx,y\n", 1, 1, 0, 1, 64, 64},
        {"a_id,other\nx,y\n", 1, 1, 0, 1, 64, 64},
        {"a_id ,b_id\nx,y\n", 2, 0, 0, 1, 64, 64},
        {"b_id,origin,posterior,a_id\ny,o,p,x\n", 1, 1, 3, 0, 2, 1},
        {"\"a_id\",\"b_id\"\nx,y\n", 1, 1, 0, 1, 64, 64},
        {"\n\na_id,b_id\nx,y\n", 1, 1, 0, 1, 64, 64},
        {",\n,\n,", 3, 0, 0, 1, 64, 64},
    };
    for (size_t i = 0; i < sizeof(tried) / sizeof(*tried); i++) {
        struct il_table t;
        char last[40] = "x>y";
        assert_int_equal(rows_of(tried[i].text, SIZE_MAX, &t, last, sizeof(last)),
                         tried[i].rows);
        assert_int_equal(t.header, tried[i].header);
        assert_int_equal(t.a, tried[i].a);
        assert_int_equal(t.b, tried[i].b);
        assert_int_equal(t.posterior, tried[i].posterior);
        assert_int_equal(t.origin, tried[i].origin);
        if (i != 8)
            assert_string_equal(last, "x>y");
        il_table_close(&t);
        il_table_close(&t);
    }
}

static void a_header_can_be_required(void **state)
{
    (void)state;
    struct il_error error = {{0}};
    struct il_table t;
    char last[40];
    assert_int_equal(rows_of("x,y\n", 3, &t, last, sizeof(last)), 1);
    il_table_close(&t);
    assert_int_equal(rows_of("a_id,b_id,z\n1,2,3\n", 3, &t, last, sizeof(last)), 1);
    il_table_close(&t);
    assert_int_equal(il_table_open(&t, unit_text("t", "x,y,z\n"), 3, &error), IL_EFORMAT);
    unit_says(&error, "t, line 1: 3 columns and no header");
    assert_null(t.text);
}

static void columns_past_the_last_known_one_are_ignored(void **state)
{
    (void)state;
    char text[1000], last[40];
    size_t used = (size_t)snprintf(text, sizeof(text), "x,y");
    for (int i = 0; i < 100; i++)
        used += (size_t)snprintf(text + used, sizeof(text) - used, ",%d", i);
    struct il_table t;
    assert_int_equal(rows_of(text, SIZE_MAX, &t, last, sizeof(last)), 1);
    assert_string_equal(last, "x>y");
    assert_int_equal(t.line, 1);
    il_table_close(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(headers_are_recognised),
        cmocka_unit_test(a_header_can_be_required),
        cmocka_unit_test(columns_past_the_last_known_one_are_ignored),
    };
    return cmocka_run_group_tests(tests, unit_setup, unit_teardown);
}
