/* SPDX-License-Identifier: Apache-2.0 */
#include "src/cli/tail_status.h"

#include "tests/unit/unit.h"

static void the_status_file_is_whole(void **state)
{
    (void)state;
    struct il_tail_figures f = {.open = 1};
    f.stream.rows[0] = 7;
    f.stream.links = 3;
    f.tail[1].state = IL_TAIL_PAUSED;
    snprintf(f.tail[1].why, sizeof(f.tail[1].why), "row 3: \"x\"");
    snprintf(f.source[1], sizeof(f.source[1]), "b\xff.npy");
    assert_null(il_status_read(unit_dir));
    assert_int_equal(il_status_write(unit_dir, &f, 1767225599000000000, true), 0);
    json_t *object = il_status_read(unit_dir);
    assert_non_null(object);
    assert_true(json_is_true(json_object_get(object, "running")));
    assert_string_equal(json_string_value(json_object_get(object, "started")),
                        "2025-12-31T23:59:59Z");
    json_t *b = json_object_get(object, "b");
    assert_string_equal(json_string_value(json_object_get(b, "state")), "paused");
    assert_string_equal(json_string_value(json_object_get(b, "why")), "row 3: \"x\"");
    json_decref(object);
    assert_int_equal(access(unit_path("status.json.new"), F_OK), -1);
    assert_int_equal(il_status_write(unit_dir, &f, 0, false), 0);
    object = il_status_read(unit_dir);
    assert_true(json_is_false(json_object_get(object, "running")));
    json_decref(object);
}

static void a_daemon_that_is_gone_does_not_run(void **state)
{
    (void)state;
    /* No process has this number: it is above every kernel's largest. */
    unit_text("status.json", "{\"pid\": 2000000000, \"running\": true}");
    json_t *object = il_status_read(unit_dir);
    assert_true(json_is_false(json_object_get(object, "running")));
    json_decref(object);
}

static void what_is_no_status_is_none(void **state)
{
    (void)state;
    static const char *const texts[] = {"", "{", "[]", "{}", "{\"pid\": \"x\"}", "null"};
    for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
        unit_text("status.json", texts[i]);
        assert_null(il_status_read(unit_dir));
    }
}

static void what_cannot_be_written_leaves_nothing(void **state)
{
    (void)state;
    struct il_tail_figures f = {.open = 0};
    assert_int_equal(il_status_write(unit_path("none"), &f, 0, true), ENOENT);
    /* A link that somebody put there is not followed. */
    unit_text("victim", "x");
    assert_int_equal(symlink(unit_path("victim"), unit_path("status.json.new")), 0);
    assert_int_equal(il_status_write(unit_dir, &f, 0, true), ELOOP);
    unit_expect(unit_path("victim"), "x");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_status_file_is_whole),
        cmocka_unit_test(a_daemon_that_is_gone_does_not_run),
        cmocka_unit_test(what_is_no_status_is_none),
        cmocka_unit_test(what_cannot_be_written_leaves_nothing),
    };
    return cmocka_run_group_tests(tests, unit_setup, unit_teardown);
}
