/* SPDX-License-Identifier: Apache-2.0 */
/* The log of a state: its writer, and readers beside it. */
#include <fcntl.h>

#include "tests/unit/event_work.h"

static struct event_work work;

/* A fresh directory. */
static const char *fresh_dir(const char *name)
{
    const char *path = unit_path(name);
    assert_int_equal(mkdir(path, 0700), 0);
    memset(&work, 0, sizeof(work));
    return path;
}

static void what_was_committed_is_played(void **state)
{
    (void)state;
    const char *path = fresh_dir("played");
    if (event_run(&work, path) != IL_OK)
        fail_msg("%s", work.error.text);
    assert_int_equal(work.acked, EVENT_COMMITS);
    assert_int_equal(event_check_left(&work, path, "whole", 0), EVENT_COMMITS);
}

static uint64_t told;

static void tell(void *context, const struct il_event *e)
{
    assert_ptr_equal(context, &told);
    assert_int_equal(e->seq, ++told);
    event_check(e);
}

/* Events are told as they were added, and only those of the last frame. */
static void events_are_told(void **state)
{
    (void)state;
    struct il_dir dir;
    struct il_event_log *log = NULL;
    struct event_seen seen;
    int fresh = 0;
    assert_int_equal(il_dir_open(&dir, fresh_dir("told"), &work.error), IL_OK);
    assert_int_equal(event_open(&log, &dir, &seen, &fresh, &work), IL_OK);
    assert_int_equal(fresh, 1);
    told = 0;
    assert_int_equal(il_event_log_pending(log), 0);
    assert_int_equal(il_event_log_commit(log, 1, &work.error), IL_OK);
    il_event_log_tell(log, tell, &told);
    assert_int_equal(told, 0);
    for (int n = 1; n <= 4; n++) {
        assert_int_equal(event_commit(&work, log, n), IL_OK);
        il_event_log_tell(log, tell, &told);
        assert_int_equal(told, event_total(n));
        assert_int_equal(il_event_log_seq(log), event_total(n));
    }
    assert_int_equal(il_event_log_commit(log, 1, &work.error), IL_OK);
    il_event_log_tell(log, tell, &told);
    assert_int_equal(told, event_total(4));
    /* What is not committed is gone. */
    char a[16], b[16];
    struct il_event e = event_made(5, 1, a, b);
    assert_int_equal(il_event_log_add(log, &e), IL_OK);
    assert_int_equal(e.seq, event_total(4) + 1);
    assert_int_equal(il_event_log_pending(log), 1);
    il_event_log_close(&log);
    assert_int_equal(event_open(&log, &dir, &seen, &fresh, &work), IL_OK);
    assert_int_equal(seen.seq, event_total(4));
    assert_int_equal(fresh, 0);
    e.posterior = 1.5;
    assert_int_equal(il_event_log_add(log, &e), IL_EARG);
    e.posterior = 1;
    e.a_bytes = 0;
    assert_int_equal(il_event_log_add(log, &e), IL_EARG);
    assert_int_equal(il_event_log_note(log, "", "x", 1), IL_EARG);
    assert_int_equal(il_event_log_round(log, 0), IL_EARG);
    assert_int_equal(il_event_log_pending(log), 0);
    il_event_log_close(&log);
    il_dir_close(&dir);
}

/* The next event of a reader, or 0. */
static uint64_t next_seq(struct il_events *events)
{
    struct il_event e;
    int found = 0;
    if (il_events_next(events, &e, &found, &work.error) != IL_OK)
        fail_msg("%s", work.error.text);
    if (found)
        event_check(&e);
    return found ? e.seq : 0;
}

/* A reader sees frames when they are whole, also when they come byte by byte. */
static void a_reader_follows(void **state)
{
    (void)state;
    const char *path = fresh_dir("followed");
    struct il_dir dir;
    struct il_event_log *log = NULL;
    struct il_events *events = NULL, *since = NULL;
    struct event_seen seen;
    int fresh = 0;
    assert_int_equal(il_dir_open(&dir, path, &work.error), IL_OK);
    assert_int_equal(event_open(&log, &dir, &seen, &fresh, &work), IL_OK);
    assert_int_equal(il_events_open(&events, path, 0, &work.error), IL_OK);
    assert_int_equal(il_events_open(&since, path, 2, &work.error), IL_OK);
    assert_int_equal(next_seq(events), 0);
    assert_int_equal(event_commit(&work, log, 1), IL_OK);
    assert_int_equal(next_seq(events), 1);
    assert_int_equal(next_seq(events), 0);
    assert_int_equal(event_commit(&work, log, 2), IL_OK);
    assert_int_equal(next_seq(events), 2);
    assert_int_equal(next_seq(events), 3);
    assert_int_equal(next_seq(events), 0);
    assert_int_equal(next_seq(since), 3);
    il_event_log_close(&log);
    assert_int_equal(next_seq(events), 0);

    /* The third commit, into a copy of the log that grows under the reader. */
    size_t before = 0, after = 0;
    char *file = unit_get(unit_path("followed/events.log"), &before);
    free(file);
    assert_int_equal(event_open(&log, &dir, &seen, &fresh, &work), IL_OK);
    assert_int_equal(event_commit(&work, log, 3), IL_OK);
    file = unit_get(unit_path("followed/events.log"), &after);
    il_event_log_close(&log);
    int fd = open(unit_path("followed/events.log"), O_WRONLY | O_TRUNC);
    assert_true(fd >= 0 && after > before);
    assert_int_equal(write(fd, file, before), before);
    for (size_t i = before; i < after; i++) {
        assert_int_equal(next_seq(events), 0);
        assert_int_equal(write(fd, file + i, 1), 1);
    }
    for (uint64_t seq = 4; seq <= 6; seq++) {
        assert_int_equal(next_seq(events), seq);
        assert_int_equal(next_seq(since), seq);
    }
    close(fd);
    free(file);
    il_events_close(&events);
    il_events_close(&since);
    il_dir_close(&dir);
}

/* A killed writer's tail: passed over by a reader, cut and told by the next writer, and
   the reader goes on behind it. */
static void a_torn_tail_is_cut(void **state)
{
    (void)state;
    const char *path = fresh_dir("torn");
    struct il_dir dir;
    struct il_event_log *log = NULL;
    struct il_events *events = NULL;
    struct event_seen seen;
    int fresh = 0;
    assert_int_equal(il_dir_open(&dir, path, &work.error), IL_OK);
    assert_int_equal(event_open(&log, &dir, &seen, &fresh, &work), IL_OK);
    for (int n = 1; n <= 2; n++)
        assert_int_equal(event_commit(&work, log, n), IL_OK);
    il_event_log_close(&log);
    size_t bytes = 0;
    char *file = unit_get(unit_path("torn/events.log"), &bytes);
    /* The closing frame is cut short, then comes what a disk may bring. */
    file = realloc(file, bytes + 500);
    assert_non_null(file);
    memset(file + bytes - 30, 0x5a, 530);
    unit_put("torn/events.log", file, bytes + 500);
    free(file);
    assert_int_equal(il_events_open(&events, path, 0, &work.error), IL_OK);
    for (uint64_t seq = 1; seq <= 3; seq++)
        assert_int_equal(next_seq(events), seq);
    assert_int_equal(next_seq(events), 0);
    assert_int_equal(event_open(&log, &dir, &seen, &fresh, &work), IL_OK);
    assert_non_null(strstr(work.said, "torn/events.log, byte "));
    assert_non_null(strstr(work.said, "cut 564 bytes"));
    assert_int_equal(event_commit(&work, log, 3), IL_OK);
    for (uint64_t seq = 4; seq <= 6; seq++)
        assert_int_equal(next_seq(events), seq);
    il_event_log_close(&log);
    il_events_close(&events);
    il_dir_close(&dir);
}

/* Damage before the end: the writer refuses, a reader says where. */
static void damage_is_told(void **state)
{
    (void)state;
    const char *path = fresh_dir("damaged");
    struct il_dir dir;
    struct il_event_log *log = NULL;
    struct il_events *events = NULL;
    struct il_event e;
    struct event_seen seen;
    int fresh = 0, found = 1;
    assert_int_equal(event_run(&work, path), IL_OK);
    int fd = open(unit_path("damaged/events.log"), O_RDWR);
    unsigned char byte = 0;
    assert_int_equal(pread(fd, &byte, 1, 300), 1);
    byte ^= 4;
    assert_int_equal(pwrite(fd, &byte, 1, 300), 1);
    close(fd);
    assert_int_equal(il_dir_open(&dir, path, &work.error), IL_OK);
    assert_int_equal(event_open(&log, &dir, &seen, &fresh, &work), IL_ECORRUPT);
    assert_null(log);
    unit_says(&work.error, "damaged/events.log, byte ");
    unit_says(&work.error, "no sound frame, but the one at byte");
    assert_int_equal(il_events_open(&events, path, 0, &work.error), IL_OK);
    enum il_status status = IL_OK;
    while (status == IL_OK && found)
        status = il_events_next(events, &e, &found, &work.error);
    assert_int_equal(status, IL_ECORRUPT);
    il_events_close(&events);
    /* Nothing was cut. */
    assert_int_equal(event_open(&log, &dir, &seen, &fresh, &work), IL_ECORRUPT);
    il_dir_close(&dir);
}

static void what_is_no_log(void **state)
{
    (void)state;
    struct il_events *events = NULL;
    const char *path = fresh_dir("none");
    assert_int_equal(il_events_open(&events, path, 0, &work.error), IL_EFORMAT);
    unit_says(&work.error, "no state: no events.log in it");
    assert_int_equal(il_events_open(&events, unit_path("nowhere"), 0, &work.error),
                     IL_EIO);
    unit_text("none/events.log", "");
    assert_int_equal(il_events_open(&events, path, 0, &work.error), IL_ECORRUPT);
    unit_says(&work.error, "0 bytes, wanted at least 64");
    unit_text("none/events.log", "a text that is longer than a header, and is no log, "
                                 "whatever its name may say of it");
    assert_int_equal(il_events_open(&events, path, 0, NULL), IL_EFORMAT);
    assert_null(events);
}

static enum il_status starved_run(void *context)
{
    const char *path = unit_path("starved");
    struct event_work *w = context;
    struct il_events *events = NULL;
    struct il_event e;
    int found = 1;
    unlink(unit_path("starved/events.log"));
    enum il_status status = event_run(w, path);
    if (status == IL_OK)
        status = il_events_open(&events, path, 0, &w->error);
    while (status == IL_OK && found)
        status = il_events_next(events, &e, &found, &w->error);
    il_events_close(&events);
    return status;
}

static void memory_fails_at_every_call(void **state)
{
    (void)state;
    fresh_dir("starved");
    assert_true(unit_starve(starved_run, &work) > 8);
}

static void kinds_have_names(void **state)
{
    (void)state;
    assert_string_equal(il_event_text(IL_EVENT_LINK), "link");
    assert_string_equal(il_event_text(IL_EVENT_CONFIRM), "confirm");
    assert_string_equal(il_event_text(IL_EVENT_RETRACT), "retract");
    assert_string_equal(il_event_text((enum il_event_kind)9), "?");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_committed_is_played),
        cmocka_unit_test(events_are_told),
        cmocka_unit_test(a_reader_follows),
        cmocka_unit_test(a_torn_tail_is_cut),
        cmocka_unit_test(damage_is_told),
        cmocka_unit_test(what_is_no_log),
        cmocka_unit_test(memory_fails_at_every_call),
        cmocka_unit_test(kinds_have_names),
    };
    return cmocka_run_group_tests(tests, unit_setup, unit_teardown);
}
