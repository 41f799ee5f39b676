/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/test_store.h"

static void rows_survive_close_and_seal(void **state)
{
    (void)state;
    const char *path = unit_path("basic");
    struct il_store_config c = store_config(1);
    struct il_error error = {{0}};
    struct il_store_info info;
    c.model = "model-1";
    struct il_store *s = store_open(path, &c);
    assert_int_equal(store_count(s), 0);
    for (int i = 0; i < 100; i++)
        store_put(s, i, 0);
    assert_int_equal(store_count(s), 100);
    STORE_OK(il_store_commit(s, &error));
    il_store_close(&s);
    assert_null(s);
    s = store_open(path, &c);
    assert_int_equal(store_count(s), 100);
    il_store_describe(s, &info);
    assert_int_equal(info.log_rows, 100);
    assert_int_equal(info.segments, 0);
    assert_string_equal(info.model, "model-1");
    STORE_OK(il_store_seal(s, &error));
    il_store_describe(s, &info);
    assert_int_equal(info.log_rows, 0);
    assert_int_equal(info.segments, 1);
    assert_int_equal(store_count(s), 100);
    for (int i = 0; i < 100; i++)
        assert_int_equal(store_turn(s, i), 0);
    assert_int_equal(store_turn(s, 100), -1);
    il_store_close(&s);
    s = store_reader(path);
    assert_int_equal(store_count(s), 100);
    il_store_close(&s);
}

static void upserts_and_removes(void **state)
{
    (void)state;
    const char *path = unit_path("upsert");
    struct il_store_config c = store_config(1);
    struct il_error error = {{0}};
    struct il_store *s = store_open(path, &c);
    int found = 0;
    for (int i = 0; i < 50; i++)
        store_put(s, i, 0);
    STORE_OK(il_store_seal(s, &error));
    for (int i = 0; i < 50; i += 2)
        store_put(s, i, 1);
    for (int i = 0; i < 50; i += 5) {
        STORE_OK(il_store_remove(s, store_id(i), strlen(store_id(i)), &found, &error));
        assert_int_equal(found, 1);
        STORE_OK(il_store_remove(s, store_id(i), strlen(store_id(i)), &found, &error));
        assert_int_equal(found, 0);
    }
    store_put(s, 5, 2);
    for (int again = 0; again < 4; again++) {
        assert_int_equal(store_count(s), 41);
        for (int i = 0; i < 50; i++)
            assert_int_equal(store_turn(s, i), i == 5       ? 2
                                               : i % 5 == 0 ? -1
                                               : i % 2 == 0 ? 1
                                                            : 0);
        if (again == 0)
            STORE_OK(il_store_commit(s, &error));
        if (again == 1)
            STORE_OK(il_store_seal(s, &error));
        if (again == 2)
            STORE_OK(il_store_compact(s, &error));
        il_store_close(&s);
        s = store_open(path, &c);
    }
    struct il_store_info info;
    il_store_describe(s, &info);
    assert_int_equal(info.segments, 1);
    assert_int_equal(info.deleted, 0);
    il_store_close(&s);
}

static void what_is_not_committed_is_gone(void **state)
{
    (void)state;
    const char *path = unit_path("gone");
    struct il_store_config c = store_config(1);
    struct il_error error = {{0}};
    struct il_store *s = store_open(path, &c);
    store_put(s, 1, 0);
    STORE_OK(il_store_commit(s, &error));
    store_put(s, 1, 1);
    store_put(s, 2, 0);
    assert_int_equal(store_count(s), 2);
    il_store_close(&s);
    s = store_open(path, &c);
    assert_int_equal(store_turn(s, 1), 0);
    assert_int_equal(store_turn(s, 2), -1);
    il_store_close(&s);
}

static void bulk_is_all_or_none(void **state)
{
    (void)state;
    const char *path = unit_path("bulk");
    struct il_store_config c = store_config(1);
    struct il_error error = {{0}};
    c.segment_rows = 64;
    struct il_store *s = store_open(path, &c), *reader = NULL;
    for (int i = 0; i < 10; i++)
        store_put(s, i, 0);
    STORE_OK(il_store_bulk_begin(s, &error));
    assert_int_equal(il_store_put(s, "x", 1, store_row(0, 0), &error), IL_EARG);
    for (int i = 5; i < 300; i++)
        STORE_OK(il_store_bulk_put(s, store_id(i), strlen(store_id(i)), store_row(i, 1),
                                   &error));
    assert_int_equal(
        il_store_bulk_put(s, store_id(5), strlen(store_id(5)), store_row(5, 2), &error),
        IL_EARG);
    unit_says(&error, "id 'id-5' comes twice in this import");
    assert_int_equal(il_store_bulk_put(s, store_id(299), strlen(store_id(299)),
                                       store_row(5, 2), &error),
                     IL_EARG);
    reader = store_reader(path);
    assert_int_equal(store_count(reader), 10);
    STORE_OK(il_store_bulk_end(s, &error));
    assert_int_equal(store_count(reader), 10);
    assert_int_equal(store_count(s), 300);
    il_store_close(&reader);
    STORE_OK(il_store_bulk_begin(s, &error));
    STORE_OK(il_store_bulk_put(s, "y", 1, store_row(5, 2), &error));
    il_store_bulk_abort(s);
    assert_int_equal(store_count(s), 300);
    il_store_close(&s);
    c.replace = 1;
    s = store_open(path, &c);
    assert_int_equal(store_count(s), 300);
    assert_int_equal(store_turn(s, 4), 0);
    assert_int_equal(store_turn(s, 5), 1);
    STORE_OK(il_store_bulk_begin(s, &error));
    for (int turn = 2; turn < 5; turn++)
        for (int i = 0; i < 70; i += 10 - turn)
            STORE_OK(il_store_bulk_put(s, store_id(i), strlen(store_id(i)),
                                       store_row(i, turn), &error));
    STORE_OK(il_store_bulk_end(s, &error));
    assert_int_equal(store_count(s), 300);
    assert_int_equal(store_turn(s, 0), 4);
    assert_int_equal(store_turn(s, 8), 2);
    assert_int_equal(store_turn(s, 7), 3);
    STORE_OK(il_store_compact(s, &error));
    assert_int_equal(store_count(s), 300);
    assert_int_equal(store_turn(s, 0), 4);
    struct il_store_info info;
    il_store_describe(s, &info);
    assert_int_equal(info.segments, 5);
    il_store_close(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_survive_close_and_seal),
        cmocka_unit_test(upserts_and_removes),
        cmocka_unit_test(what_is_not_committed_is_gone),
        cmocka_unit_test(bulk_is_all_or_none),
    };
    return cmocka_run_group_tests(tests, unit_setup, unit_teardown);
}
