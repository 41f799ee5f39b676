/* SPDX-License-Identifier: Apache-2.0 */
#include "src/cli/tail_screen.h"

#include "tests/unit/unit.h"

static void bars_are_scaled_to_the_largest(void **state)
{
    (void)state;
    struct il_sparks sparks = {0};
    char text[3 * IL_SPARKS + 1];
    il_sparks_text(&sparks, 10, false, text);
    assert_string_equal(text, "");
    for (int i = 0; i < 8; i++)
        il_sparks_add(&sparks, 100.0 * i);
    il_sparks_text(&sparks, 8, false, text);
    assert_string_equal(text, " .:-=+*#");
    il_sparks_text(&sparks, 2, true, text);
    assert_string_equal(text, "\xe2\x96\x87\xe2\x96\x88");
    for (int i = 0; i < 2 * IL_SPARKS; i++)
        il_sparks_add(&sparks, 0.0);
    il_sparks_text(&sparks, IL_SPARKS, true, text);
    assert_int_equal(strlen(text), 3 * IL_SPARKS);
    assert_int_equal(strspn(text, "\xe2\x96\x81"), 3 * IL_SPARKS);
}

static char *block(const struct il_tail_figures *f, int columns, int *lines)
{
    struct il_sparks sparks = {.value = {1, 2, 3}, .count = 3};
    char *text = NULL;
    size_t bytes = 0;
    FILE *stream = open_memstream(&text, &bytes);
    *lines = il_screen_lines(stream, f, &sparks, columns, true, "\n");
    fclose(stream);
    return text;
}

static void the_block_has_as_many_lines_as_it_says(void **state)
{
    (void)state;
    struct il_tail_figures f = {.rate = 1234.4};
    int lines = 0, counted = 0;
    f.arrivals[0] = 1000;
    f.arrivals[1] = 234567;
    f.stream.links = 812;
    f.stream.round = 2;
    f.stream.precision = 0.861;
    f.tail[0].state = IL_TAIL_PAUSED;
    snprintf(f.tail[0].why, sizeof(f.tail[0].why),
             "row 7: 96 numbers\x1b[2J, wanted 128");
    char *text = block(&f, 80, &lines);
    for (const char *at = text; *at; at++)
        counted += *at == '\n';
    assert_int_equal(lines, counted);
    assert_non_null(strstr(text, "235,567"));
    assert_non_null(strstr(text, "1,234 /s"));
    assert_non_null(strstr(text, "812"));
    assert_non_null(strstr(text, "0.861"));
    assert_non_null(strstr(text, "PAUSED: row 7: 96 numbers?[2J"));
    free(text);
}

static void lines_are_cut_at_the_width(void **state)
{
    (void)state;
    struct il_tail_figures f = {0};
    int lines = 0;
    f.stream.refused_bootstrap = 1;
    memset(f.stream.why, 'w', sizeof(f.stream.why) - 1);
    char *text = block(&f, 40, &lines);
    int column = 0;
    for (const char *at = text; *at; at++) {
        column = *at == '\n' ? 0 : column + ((*at & 0xc0) != 0x80);
        assert_true(column < 40);
    }
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bars_are_scaled_to_the_largest),
        cmocka_unit_test(the_block_has_as_many_lines_as_it_says),
        cmocka_unit_test(lines_are_cut_at_the_width),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
