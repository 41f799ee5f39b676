/* SPDX-License-Identifier: Apache-2.0 */
#include "src/cli/links_view.h"

#include "src/cli/event_line.h"
#include "tests/unit/unit.h"

static struct il_event make(uint64_t seq, enum il_event_kind kind, uint64_t link_id,
                            const char *a, const char *b, double posterior)
{
    return (struct il_event){.seq = seq,
                             .time_ns = 1767225599000000005,
                             .link_id = link_id,
                             .kind = kind,
                             .origin = posterior == 1.0 ? IL_ORIGIN_SEED : IL_ORIGIN_LINK,
                             .posterior = posterior,
                             .round = 2,
                             .a_id = a,
                             .b_id = b,
                             .a_bytes = strlen(a),
                             .b_bytes = strlen(b)};
}

static const char *text_of(const struct il_event *event)
{
    static char line[IL_EVENT_LINE_MAX + 1];
    line[il_event_line(line, event)] = 0;
    return line;
}

static void events_become_lines(void **state)
{
    (void)state;
    struct il_event e = make(7, IL_EVENT_LINK, 0xabc, "x \"1\"", "\xc3\xa4", 0.25);
    assert_string_equal(
        text_of(&e),
        "{\"seq\":7,\"time\":\"2025-12-31T23:59:59.000000005Z\",\"event\":\"link\","
        "\"link_id\":\"0000000000000abc\",\"a_id\":\"x \\\"1\\\"\",\"b_id\":\"\xc3\xa4\","
        "\"posterior\":0.250000,\"round\":2,\"origin\":\"link\"}\n");
    e = make(8, IL_EVENT_RETRACT, 1, "\xff\x01", "\x01\xc3", 1.0);
    assert_non_null(strstr(text_of(&e), "\"event\":\"retract\""));
    assert_non_null(strstr(text_of(&e), "\"a_id_hex\":\"ff01\",\"b_id_hex\":\"01c3\""));
    assert_non_null(strstr(text_of(&e), "\"origin\":\"seed\"}"));
}

static void the_longest_line_fits(void **state)
{
    (void)state;
    char id[IL_ID_BYTES_MAX + 1];
    memset(id, 1, sizeof(id) - 1);
    id[sizeof(id) - 1] = 0;
    struct il_event e = make(UINT64_MAX, IL_EVENT_CONFIRM, UINT64_MAX, id, id, 0.5);
    e.time_ns = INT64_MIN;
    e.round = UINT32_MAX;
    assert_true(strlen(text_of(&e)) < IL_EVENT_LINE_MAX);
}

static void lines_give_their_number_back(void **state)
{
    (void)state;
    struct il_event e = make(1234567890123, IL_EVENT_LINK, 1, "a", "b", 0.5);
    const char *line = text_of(&e);
    assert_int_equal(il_event_line_seq(line, strlen(line) - 1), 1234567890123);
    assert_int_equal(il_event_line_seq(line, strlen(line) - 2), 0);
    assert_int_equal(il_event_line_seq("{\"seq\":}", 8), 0);
    assert_int_equal(il_event_line_seq("{\"seq\":12}", 10), 0);
    assert_int_equal(il_event_line_seq("a_id,b_id", 9), 0);
    assert_int_equal(il_event_line_seq("", 0), 0);
}

static void fields_are_quoted_as_csv_wants(void **state)
{
    (void)state;
    static const char *const cases[][2] = {{"plain", "plain"},   {"", "\"\""},
                                           {"a,b", "\"a,b\""},   {"a\"b", "\"a\"\"b\""},
                                           {"a\nb", "\"a\nb\""}, {" a", "\" a\""},
                                           {"a b", "a b"}};
    char out[64];
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        *il_csv_put(out, cases[i][0], strlen(cases[i][0])) = 0;
        assert_string_equal(out, cases[i][1]);
    }
}

static void play(struct il_links_view *view, struct il_event event)
{
    assert_int_equal(il_links_view_play(view, &event), IL_OK);
}

static void what_stands_is_what_was_not_retracted(void **state)
{
    (void)state;
    struct il_links_view view = {0};
    play(&view, make(1, IL_EVENT_LINK, 11, "a1", "b1", 1.0));
    play(&view, make(2, IL_EVENT_LINK, 12, "a2", "b2", 0.5));
    play(&view, make(3, IL_EVENT_LINK, 13, "a3", "b3", 0.75));
    play(&view, make(4, IL_EVENT_RETRACT, 12, "a2", "b2", 0.5));
    play(&view, make(5, IL_EVENT_CONFIRM, 13, "a3", "b3", 0.875));
    assert_int_equal(view.standing, 2);
    assert_int_equal(view.seeds, 1);
    assert_true(view.posterior_sum == 0.875);
    play(&view, make(6, IL_EVENT_LINK, 12, "a2", "b2", 0.875));
    play(&view, make(7, IL_EVENT_LINK, 10, "a2,x", "b9", 0.875));
    assert_int_equal(view.seq, 7);
    const char *path = unit_path("links.csv");
    assert_int_equal(il_links_view_write(&view, "links", path, false), 0);
    unit_expect(path, "a_id,b_id,posterior,link_id,origin\n"
                      "a1,b1,1.000000,000000000000000b,seed\n"
                      "a2,b2,0.875000,000000000000000c,link\n"
                      "\"a2,x\",b9,0.875000,000000000000000a,link\n"
                      "a3,b3,0.875000,000000000000000d,link\n");
    assert_int_equal(il_links_view_write(&view, "links", path, true), 0);
    char *text = unit_get(path, NULL);
    assert_int_equal(strncmp(text, "{\"seq\":1,", 9), 0);
    assert_non_null(strstr(text, "}\n{\"seq\":5,"));
    assert_non_null(strstr(text, "}\n{\"seq\":7,"));
    assert_null(strstr(text, "retract"));
    free(text);
    il_links_view_free(&view);
    assert_int_equal(il_links_view_write(&view, "links", path, false), 0);
    unit_expect(path, "a_id,b_id,posterior,link_id,origin\n");
}

static void many_links_are_found_again(void **state)
{
    (void)state;
    struct il_links_view view = {0};
    for (uint64_t i = 0; i < 20000; i++)
        play(&view, make(i + 1, IL_EVENT_LINK, i * 0x10000, "a", "b", 0.5));
    for (uint64_t i = 0; i < 20000; i += 2)
        play(&view, make(20001 + i, IL_EVENT_RETRACT, i * 0x10000, "a", "b", 0.5));
    assert_int_equal(view.count, 20000);
    assert_int_equal(view.standing, 10000);
    for (size_t i = 0; i < view.count; i++)
        assert_int_equal(view.link[i].ids != NULL, i % 2);
    il_links_view_free(&view);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(events_become_lines),
        cmocka_unit_test(the_longest_line_fits),
        cmocka_unit_test(lines_give_their_number_back),
        cmocka_unit_test(fields_are_quoted_as_csv_wants),
        cmocka_unit_test(what_stands_is_what_was_not_retracted),
        cmocka_unit_test(many_links_are_found_again),
    };
    return cmocka_run_group_tests(tests, unit_setup, unit_teardown);
}
