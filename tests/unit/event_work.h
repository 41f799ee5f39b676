/* SPDX-License-Identifier: Apache-2.0 */
/* A run of the log of a state, and what it must leave. */
#ifndef IL_EVENT_WORK_H
#define IL_EVENT_WORK_H

#include "src/stream/event_log.h"
#include "tests/unit/unit.h"

enum { EVENT_COMMITS = 6 };

/* Progress in memory that a child may share with its parent. Commit n (1, 2, ...) holds n
   events of round n, a note "at" of n bytes and, the third, a round and a seed. */
struct event_work {
    volatile int begun, acked;
    struct il_error error;
    char said[400];
};

UNIT void event_said(void *context, int level, const char *text)
{
    struct event_work *w = context;
    assert_int_equal(level, 4);
    snprintf(w->said, sizeof(w->said), "%s", text);
}

/* What playing has seen. */
struct event_seen {
    uint64_t seq;
    int rounds, seeds;
    size_t note; /* bytes of the last */
};

/* Event i of a commit: its posterior tells both. */
UNIT struct il_event event_made(int commit, int i, char a[16], char b[16])
{
    snprintf(a, 16, "a-%d", i);
    snprintf(b, 16, "b-%d", commit);
    return (struct il_event){.kind = (enum il_event_kind)(1 + i % 3),
                             .origin = (enum il_origin)(i % 2),
                             .posterior = commit / 10.0,
                             .round = (uint32_t)commit,
                             .a_id = a,
                             .a_bytes = strlen(a),
                             .b_id = b,
                             .b_bytes = strlen(b)};
}

/* The event of this seq must be what was added. */
UNIT void event_check(const struct il_event *e)
{
    char a[16], b[16];
    int commit = 1;
    uint64_t before = 0;
    for (; before + (uint64_t)commit < e->seq; commit++)
        before += (uint64_t)commit;
    struct il_event wanted = event_made(commit, (int)(e->seq - before), a, b);
    assert_int_equal(e->kind, wanted.kind);
    assert_int_equal(e->origin, wanted.origin);
    assert_int_equal(e->round, wanted.round);
    assert_true(e->posterior == wanted.posterior);
    assert_int_equal(e->a_bytes, wanted.a_bytes);
    assert_int_equal(e->b_bytes, wanted.b_bytes);
    assert_memory_equal(e->a_id, a, e->a_bytes);
    assert_memory_equal(e->b_id, b, e->b_bytes);
    assert_true(e->link_id != 0 && e->time_ns > 1600000000000000000);
}

UNIT enum il_status event_seen_event(void *context, const struct il_event *e)
{
    struct event_seen *seen = context;
    assert_int_equal(e->seq, seen->seq + 1);
    seen->seq = e->seq;
    event_check(e);
    return IL_OK;
}

UNIT enum il_status event_seen_note(void *context, const char *name, const void *data,
                                    size_t bytes)
{
    struct event_seen *seen = context;
    assert_string_equal(name, "at");
    for (size_t i = 0; i < bytes; i++)
        assert_int_equal(((const unsigned char *)data)[i], 'n');
    seen->note = bytes;
    return IL_OK;
}

UNIT enum il_status event_seen_round(void *context, uint32_t round)
{
    struct event_seen *seen = context;
    assert_int_equal(round, 3);
    seen->rounds++;
    return IL_OK;
}

UNIT enum il_status event_seen_seed(void *context, const struct il_stream_seed *seed)
{
    struct event_seen *seen = context;
    assert_true(seed->a_bytes == 2 && seed->b_bytes == 3);
    assert_memory_equal(seed->b_id, "s-b", 3);
    seen->seeds++;
    return IL_OK;
}

UNIT enum il_status event_open(struct il_event_log **log, const struct il_dir *dir,
                               struct event_seen *seen, int *fresh, struct event_work *w)
{
    const struct il_event_log_calls calls = {event_seen_event, event_seen_note,
                                             event_seen_round, event_seen_seed, seen};
    *seen = (struct event_seen){0};
    w->said[0] = 0;
    return il_event_log_open(log, dir, fresh, &calls, event_said, w, &w->error);
}

UNIT enum il_status event_commit(struct event_work *w, struct il_event_log *log, int n)
{
    enum il_status status = IL_OK;
    for (int i = 1; status == IL_OK && i <= n; i++) {
        char a[16], b[16];
        struct il_event e = event_made(n, i, a, b);
        status = il_event_log_add(log, &e);
    }
    if (status == IL_OK && n == 3)
        status = il_event_log_round(log, 3);
    if (status == IL_OK && n == 3) {
        struct il_stream_seed seed = {"sa", "s-b", 2, 3};
        status = il_event_log_seed(log, &seed);
    }
    if (status == IL_OK)
        status = il_event_log_note(log, "at", "nnnnnnnnnn", (size_t)n);
    if (status != IL_OK)
        return status;
    w->begun = n;
    status = il_event_log_commit(log, 1, &w->error);
    if (status == IL_OK)
        w->acked = n;
    return status;
}

/* All commits, closed and opened anew after the third. */
UNIT enum il_status event_run(struct event_work *w, const char *path)
{
    struct il_dir dir = {.fd = -1};
    struct event_seen seen;
    enum il_status status = il_dir_open(&dir, path, &w->error);
    for (int from = 1; status == IL_OK && from <= EVENT_COMMITS; from += 3) {
        struct il_event_log *log = NULL;
        int fresh = 0;
        status = event_open(&log, &dir, &seen, &fresh, w);
        for (int n = from; status == IL_OK && n < from + 3; n++)
            status = event_commit(w, log, n);
        il_event_log_close(&log);
    }
    il_dir_close(&dir);
    return status;
}

/* Events of the first n commits. */
UNIT uint64_t event_total(int n)
{
    return (uint64_t)n * (uint64_t)(n + 1) / 2;
}

/* The log is one of the states from acked to begun, for the writer and for a reader, and
   takes more. Returns which. */
UNIT int event_check_left(struct event_work *w, const char *path, const char *what,
                          long k)
{
    struct il_dir dir;
    struct event_seen seen;
    struct il_event_log *log = NULL;
    struct il_events *events = NULL;
    struct il_event e;
    uint64_t last = 0;
    int fresh = 0, found = 1, state = 0;
    if (il_events_open(&events, path, 0, &w->error) == IL_OK) {
        while (found) {
            if (il_events_next(events, &e, &found, &w->error) != IL_OK)
                fail_msg("%s %ld: reader: %s", what, k, w->error.text);
            if (found) {
                assert_int_equal(e.seq, ++last);
                event_check(&e);
            }
        }
    } else {
        assert_int_equal(w->acked, 0);
    }
    il_events_close(&events);
    assert_int_equal(il_dir_open(&dir, path, &w->error), IL_OK);
    if (event_open(&log, &dir, &seen, &fresh, w) != IL_OK)
        fail_msg("%s %ld: %s", what, k, w->error.text);
    while (event_total(state) < seen.seq)
        state++;
    if (event_total(state) != seen.seq || state < w->acked || state > w->begun ||
        seen.note != (size_t)state || seen.rounds != (state >= 3) ||
        seen.seeds != (state >= 3) || last != seen.seq || fresh != (state == 0))
        fail_msg("%s %ld: %d events, note %zu, state %d of %d to %d", what, k,
                 (int)seen.seq, seen.note, state, w->acked, w->begun);
    assert_int_equal(event_commit(w, log, state + 1), IL_OK);
    il_event_log_close(&log);
    assert_int_equal(event_open(&log, &dir, &seen, &fresh, w), IL_OK);
    assert_int_equal(seen.seq, event_total(state + 1));
    assert_string_equal(w->said, "");
    il_event_log_close(&log);
    il_dir_close(&dir);
    return state;
}

#endif
