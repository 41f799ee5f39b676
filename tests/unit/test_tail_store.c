/* SPDX-License-Identifier: Apache-2.0 */
/* A store that is followed: puts and removals, seals, bulk imports, compaction. */
#include "tests/unit/tail_run.h"
#include "tests/unit/test_store.h"

static struct run r;
static struct il_store *s;
static struct il_error error;

/* Each case has its folder. */
static int begin_case(void **state)
{
    return unit_setup(state);
}

static int end_case(void **state)
{
    il_store_close(&s);
    return unit_teardown(state);
}

static void each_mode(void (*test)(struct run_mode mode))
{
    for (size_t i = 0; i < RUN_MODES; i++) {
        test(run_modes[i]);
        assert_int_equal(end_case(NULL), 0);
        assert_int_equal(begin_case(NULL), 0);
    }
}

static void open_writer(void)
{
    struct il_store_config c = store_config(1);
    s = store_open(unit_path("s"), &c);
}

/* Puts a row whose first coordinate is x. */
static void put(const char *id, float x)
{
    float row[STORE_DIM] = {x, 1};
    STORE_OK(il_store_put(s, id, strlen(id), row, &error));
}

static void del(const char *id)
{
    int found = 0;
    STORE_OK(il_store_remove(s, id, strlen(id), &found, &error));
    assert_int_equal(found, 1);
}

static void commit(void)
{
    STORE_OK(il_store_commit(s, &error));
}

static void bulk(const char *id, float x, const char *id2, float x2)
{
    float row[STORE_DIM] = {x, 1};
    STORE_OK(il_store_bulk_begin(s, &error));
    STORE_OK(il_store_bulk_put(s, id, strlen(id), row, &error));
    row[0] = x2;
    STORE_OK(il_store_bulk_put(s, id2, strlen(id2), row, &error));
    STORE_OK(il_store_bulk_end(s, &error));
}

static void follow_log(struct run_mode mode)
{
    run_begin(&r, mode, unit_path("s"));
    run_expect(&r, "");
    run_state(&r, IL_TAIL_MISSING, "");
    open_writer();
    run_expect(&r, "");
    run_state(&r, IL_TAIL_READY, "");
    put("a", 1);
    put("b", 2);
    run_expect(&r, ""); /* not committed */
    commit();
    run_expect(&r, "a=1 b=2 ");
    put("a", 3);
    del("b");
    put("c", 4);
    commit();
    run_expect(&r, "a=3 -b c=4 ");
    /* A writer that closes writes a manifest. */
    il_store_close(&s);
    run_expect(&r, "");
    open_writer();
    put("d", 5);
    commit();
    run_expect(&r, "d=5 ");
    il_store_close(&s);
    open_writer();
    del("d");
    commit();
    run_expect(&r, "-d ");
    run_state(&r, IL_TAIL_READY, "");
    assert_int_equal(r.info.rows, 5);
    run_end(&r);
}

static void the_log_is_followed(void **state)
{
    (void)state;
    each_mode(follow_log);
}

static void follow_begin(struct run_mode mode)
{
    open_writer();
    bulk("a", 1, "b", 2);
    bulk("c", 3, "d", 4);
    put("e", 5);
    put("a", 6);
    del("d");
    commit();
    run_begin(&r, mode, unit_path("s"));
    run_expect(&r, "b=2 c=3 e=5 a=6 -d ");
    STORE_OK(il_store_seal(s, &error));
    bulk("f", 7, "b", 8);
    run_drain(&r);
    /* After a restart rows of a log that was sealed come again, all else once. */
    if (mode.again)
        assert_non_null(strstr(r.got, "f=7 b=8 "));
    else
        assert_string_equal(r.got, "f=7 b=8 ");
    run_end(&r);
}

static void what_is_there_comes_first(void **state)
{
    (void)state;
    each_mode(follow_begin);
}

/* The process that follows lives on: nothing comes twice, nothing is lost. */
static void exact_while_it_lives(void **state)
{
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        run_begin(&r, run_modes[i], unit_path("s"));
        open_writer();
        put("a", 1);
        put("b", 2);
        put("c", 3);
        commit();
        run_expect(&r, "a=1 b=2 c=3 ");
        put("d", 4);
        put("b", 5);
        del("c");
        commit();
        STORE_OK(il_store_seal(s, &error)); /* its rows are read from the old log */
        put("e", 6);
        commit();
        run_expect(&r, "d=4 b=5 -c e=6 ");
        STORE_OK(il_store_seal(s, &error));
        run_expect(&r, "");
        del("a");
        put("d", 7);
        commit();
        STORE_OK(il_store_seal(s, &error));
        STORE_OK(il_store_compact(s, &error));
        run_expect(&r, "-a d=7 ");
        bulk("b", 8, "x", 9);
        run_expect(&r, "b=8 x=9 ");
        /* Several states at once, not looked at in between. */
        del("b");
        commit();
        STORE_OK(il_store_seal(s, &error));
        put("y", 10);
        del("x");
        commit();
        STORE_OK(il_store_compact(s, &error));
        put("y", 11);
        put("b", 12);
        commit();
        STORE_OK(il_store_seal(s, &error));
        put("z", 13);
        commit();
        run_drain(&r);
        /* One by one or as a difference: in the end the same. */
        assert_non_null(strstr(r.got, "-x "));
        assert_non_null(strstr(r.got, "y=11 "));
        assert_non_null(strstr(r.got, "b=12 "));
        assert_non_null(strstr(r.got, "z=13 "));
        assert_null(strstr(r.got, "d="));
        assert_null(strstr(r.got, "e="));
        r.got[0] = 0;
        run_expect(&r, "");
        run_state(&r, IL_TAIL_READY, "");
        run_end(&r);
        assert_int_equal(end_case(NULL), 0);
        assert_int_equal(begin_case(NULL), 0);
    }
}

/* Down while the log is sealed or all is compacted: rows come again, loudly; rows of
   segments that are still there do not. */
static void sealed_while_down(void **state)
{
    (void)state;
    open_writer();
    bulk("a", 1, "b", 2);
    put("c", 3);
    commit();
    run_begin(&r, run_modes[0], unit_path("s"));
    run_expect(&r, "a=1 b=2 c=3 ");
    run_keep(&r);
    il_tail_close(&r.tail);
    del("a");
    put("d", 4);
    commit();
    STORE_OK(il_store_seal(s, &error));
    put("e", 5);
    commit();
    assert_int_equal(run_open(&r), IL_OK);
    run_expect(&r, "-a c=3 d=4 e=5 ");
    run_says(&r, "its log was sealed while nobody followed");
    run_keep(&r);
    il_tail_close(&r.tail);
    STORE_OK(il_store_compact(s, &error));
    assert_int_equal(run_open(&r), IL_OK);
    run_expect(&r, "b=2 c=3 d=4 e=5 ");
    run_says(&r, "compacted while nobody followed");
    run_expect(&r, "");
    run_end(&r);
    il_store_close(&s);
}

static void another_store(void **state)
{
    (void)state;
    run_begin(&r, run_modes[0], unit_path("s"));
    run_end(&r);
    r.config.dim = STORE_DIM + 1;
    open_writer();
    put("a", 1);
    commit();
    il_store_close(&s);
    assert_int_equal(run_open(&r), IL_OK);
    run_expect(&r, "");
    run_state(&r, IL_TAIL_PAUSED, "another dimension");
    run_end(&r);
    r.config.dim = 0;
    assert_int_equal(run_open(&r), IL_OK);
    run_expect(&r, "a=1 ");
    assert_int_equal(rename(unit_path("s"), unit_path("away")), 0);
    run_expect(&r, "");
    run_state(&r, IL_TAIL_MISSING, "no store there any more");
    open_writer();
    put("n", 2);
    commit();
    run_expect(&r, "-a n=2 ");
    run_says(&r, "another store");
    run_end(&r);
    il_store_close(&s);
}

static void at_end(void **state)
{
    (void)state;
    open_writer();
    bulk("p", 1, "q", 2);
    put("o", 3);
    commit();
    run_begin(&r, run_modes[4], unit_path("s"));
    run_end(&r);
    r.config.from_end = 1;
    assert_int_equal(run_open(&r), IL_OK);
    run_expect(&r, "");
    put("t", 4);
    commit();
    run_expect(&r, "t=4 ");
    run_end(&r);
    il_store_close(&s);
}

int main(void)
{
#define CASE(f) cmocka_unit_test_setup_teardown(f, begin_case, end_case)
    const struct CMUnitTest tests[] = {
        CASE(the_log_is_followed),  CASE(what_is_there_comes_first),
        CASE(exact_while_it_lives), CASE(sealed_while_down),
        CASE(another_store),        CASE(at_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
