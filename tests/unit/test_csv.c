/* SPDX-License-Identifier: Apache-2.0 */
#include "formats/csv.h"
#include "tests/unit/unit.h"

/* Rows of a text as "line:field|field;", fields past the third not shown. On an error the
   message ends the text. */
static void expect(const void *data, size_t bytes, const char *wanted)
{
    static char got[4096];
    char *text = malloc(bytes ? bytes : 1);
    struct il_csv csv;
    struct il_csv_field field[3];
    struct il_error error;
    size_t at = 0;
    memcpy(text, data, bytes);
    got[0] = 0;
    il_csv_open(&csv, "t.csv", text, bytes);
    for (;;) {
        size_t count = 0;
        enum il_status status = il_csv_row(&csv, field, 3, &count, &error);
        if (status != IL_OK) {
            assert_int_equal(status, IL_EFORMAT);
            snprintf(got + at, sizeof(got) - at, "%s", error.text);
            break;
        }
        if (count == 0)
            break;
        at += (size_t)snprintf(got + at, sizeof(got) - at, "%zu:", csv.row_line);
        for (size_t i = 0; i < count && i < 3; i++)
            at += (size_t)snprintf(got + at, sizeof(got) - at, "%s%.*s", i ? "|" : "",
                                   (int)field[i].bytes, field[i].text);
        at += (size_t)snprintf(got + at, sizeof(got) - at, "%s;", count > 3 ? "|+" : "");
    }
    free(text);
    assert_string_equal(got, wanted);
}

#define EXPECT(text, wanted) expect(text, sizeof(text) - 1, wanted)

static void plain_rows(void **state)
{
    (void)state;
    EXPECT("", "");
    EXPECT("a", "1:a;");
    EXPECT("a\n", "1:a;");
    EXPECT("a,b\nc,d\n", "1:a|b;2:c|d;");
    EXPECT("a,b\nc,d", "1:a|b;2:c|d;");
    EXPECT(" a , b ", "1: a | b ;");
    EXPECT("a,b,c,d,e\n", "1:a|b|c|+;");
    EXPECT(",\n,,\n", "1:|;2:||;");
    EXPECT("a,", "1:a|;");
    EXPECT(",", "1:|;");
}

static void line_ends_and_marks(void **state)
{
    (void)state;
    EXPECT("a,b\r\nc,d\r\n", "1:a|b;2:c|d;");
    EXPECT("a,b\r", "1:a|b;");
    EXPECT("a\rb,c\n", "1:a\rb|c;");
    EXPECT("\xef\xbb\xbf"
           "a,b\n",
           "1:a|b;");
    EXPECT("\xef\xbb\xbf", "");
    EXPECT("\xef\xbb", "1:\xef\xbb;");
    EXPECT("\n\r\n\na,b\n\n\nc,d\n\n", "4:a|b;7:c|d;");
}

static void quotes(void **state)
{
    (void)state;
    EXPECT("\"a\",\"b\"\n", "1:a|b;");
    EXPECT("\"a,b\",c\r\nd", "1:a,b|c;2:d;");
    EXPECT("\"say \"\"hi\"\"\",x\n", "1:say \"hi\"|x;");
    EXPECT("\"\"\"\"\n", "1:\";");
    EXPECT("\"\",\"\"\n", "1:|;");
    EXPECT("\"\"", "1:;");
    EXPECT("\"two\nlines\",x\ny\n", "1:two\nlines|x;3:y;");
    EXPECT("\"two\r\nlines\",x\r\ny\r\n", "1:two\r\nlines|x;3:y;");
    EXPECT("a\"b,c\"\n", "1:a\"b|c\";");
    EXPECT("\"a\"\r", "1:a;");
}

static void broken_quotes_and_nul_are_errors(void **state)
{
    (void)state;
    EXPECT("a,b\n\"open,b\nmore\n",
           "1:a|b;t.csv, line 2: a quote is opened here and never closed");
    EXPECT("\"", "t.csv, line 1: a quote is opened here and never closed");
    EXPECT("\"a\"\"", "t.csv, line 1: a quote is opened here and never closed");
    EXPECT("a\n\"a\"b,c\n",
           "1:a;t.csv, line 2: text behind a closing quote, wanted ',' or "
           "the end of the line");
    EXPECT("\"a\" ,c\n",
           "t.csv, line 1: text behind a closing quote, wanted ',' or the end "
           "of the line");
    EXPECT("\"a\"\rb\n",
           "t.csv, line 1: text behind a closing quote, wanted ',' or the end "
           "of the line");
    EXPECT("a\nb\0,c\n", "1:a;t.csv, line 2: a NUL byte");
    EXPECT("\"a\n\0\",c\n", "t.csv, line 2: a NUL byte");
}

static void fields_are_found_by_name(void **state)
{
    (void)state;
    struct il_csv_field f[3] = {{"a_id", 4}, {"b", 1}, {"b_id2", 5}};
    assert_int_equal(il_csv_find(f, 3, "a_id"), 0);
    assert_int_equal(il_csv_find(f, 3, "b"), 1);
    assert_int_equal(il_csv_find(f, 3, "b_id"), 3);
    assert_int_equal(il_csv_find(f, 0, "b_id"), 0);
    assert_int_equal(il_csv_needs_quotes("plain text'", 11), 0);
    assert_int_equal(il_csv_needs_quotes("a,b", 3), 1);
    assert_int_equal(il_csv_needs_quotes("a\"b", 3), 1);
    assert_int_equal(il_csv_needs_quotes("a\r", 2), 1);
    assert_int_equal(il_csv_needs_quotes("\n", 1), 1);
    assert_int_equal(il_csv_needs_quotes("", 0), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plain_rows),
        cmocka_unit_test(line_ends_and_marks),
        cmocka_unit_test(quotes),
        cmocka_unit_test(broken_quotes_and_nul_are_errors),
        cmocka_unit_test(fields_are_found_by_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
