/* SPDX-License-Identifier: Apache-2.0 */
/* Streams on a machine whose wall clock jumps by a year, forth and back: nothing but the
   times of events follows it. */
#include <sys/syscall.h>
#include <time.h>

#include "tests/unit/stream_work.h"

enum { YEAR = 365 * 24 * 3600, STEPS = 6 };

static struct il_error error;
static time_t jump;

/* In the place of libc's. */
int clock_gettime(clockid_t clock, struct timespec *now)
{
    int status = (int)syscall(SYS_clock_gettime, clock, now);
    if (status == 0 && clock == CLOCK_REALTIME)
        now->tv_sec += jump;
    return status;
}

/* Times of the last event of every commit. */
struct times {
    struct sw_fold fold;
    int64_t last;
};

static void note_time(void *context, const struct il_event *e)
{
    struct times *t = context;
    t->last = e->time_ns;
    sw_event(&t->fold, e);
}

static int64_t wall_ns(void)
{
    struct timespec now;
    assert_int_equal(clock_gettime(CLOCK_REALTIME, &now), 0);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

/* Rows come, one is replaced, one goes, the state is opened again; before each step the
   clock is set. A bootstrap is due after an hour, never here. */
static void run(const char *path, const time_t *jumps, struct times *t)
{
    struct il_stream_config c = sw_config(NULL);
    struct il_stream_info info;
    memset(t, 0, sizeof(*t));
    memset(&fake, 0, sizeof(fake));
    c.event = note_time;
    c.event_context = t;
    c.bootstrap_seconds = 3600;
    c.sync = IL_SYNC_INTERVAL;
    c.sync_ms = 3600 * 1000;
    jump = 0;
    struct il_stream *s = sw_open(path, &c);
    for (int step = 0; step < STEPS; step++) {
        jump = jumps[step];
        const int64_t before = wall_ns();
        const uint64_t seq = t->fold.seq;
        for (int i = 8 * step; i < 8 * step + 8; i++)
            for (int side = 0; side < 2; side++)
                SW_OK(sw_push(s, side, i, (float)(i + 1), &error));
        if (step > 1)
            SW_OK(sw_remove(s, step % 2, 8 * step - 3, &error));
        SW_OK(il_stream_commit(s, &error));
        if (step == 0)
            SW_OK(il_stream_bootstrap(s, IL_BOOTSTRAP_COLD, 1, &error));
        assert_true(t->fold.seq > seq);
        assert_true(t->last >= before && t->last <= wall_ns());
        if (step == 3) {
            il_stream_close(&s);
            s = sw_open(path, &c);
        }
    }
    il_stream_describe(s, &info);
    assert_int_equal(info.round, 1);
    assert_int_equal(info.bootstrapping, 0);
    assert_int_equal(fake.runs, 1);
    il_stream_close(&s);
    jump = 0;
}

static void jumps_of_a_year(void **state)
{
    (void)state;
    static const time_t still[STEPS] = {0};
    static const time_t wild[STEPS] = {0, YEAR, -YEAR, 0, -YEAR, YEAR};
    static struct times plain, jumped;
    static struct sw_fold log;
    run(unit_path("still"), still, &plain);
    run(unit_path("wild"), wild, &jumped);
    assert_int_equal(plain.fold.seq, jumped.fold.seq);
    assert_true(sw_same(&plain.fold, &jumped.fold));
    sw_read(unit_path("wild"), &log);
    assert_int_equal(log.seq, jumped.fold.seq);
    assert_true(sw_same(&log, &jumped.fold));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(jumps_of_a_year)};
    return cmocka_run_group_tests_name("stream_clock", tests, unit_setup, unit_teardown);
}
