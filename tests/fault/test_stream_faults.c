/* SPDX-License-Identifier: Apache-2.0 */
/* Streams, and the log of a state, whose writer ends or is refused something at each of
   its calls. FULL=1 in the environment tries every place. */
#include <limits.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "tests/unit/event_work.h"
#include "tests/unit/stream_work.h"

enum { RUN_ROWS = 64 };

/* Progress of the run, shared with the parent. turn: of the row of each id and side that
   a commit has made durable, -1 none; next: that the commit under way will. */
struct progress {
    int turn[2][RUN_ROWS], next[2][RUN_ROWS];
    volatile int begun, acked; /* commits */
    int noted[16];             /* rows that the note of a commit speaks of */
    struct il_error error;
};

static int full;

static int setup(void **state)
{
    full = getenv("FULL") != NULL && *getenv("FULL");
    if (access("/dev/shm", W_OK) == 0)
        setenv("TMPDIR", "/dev/shm", 1);
    return unit_setup(state);
}

static void wipe(const char *path)
{
    if (access(path, F_OK) == 0)
        assert_int_equal(nftw(path, unit_remove, 16, FTW_DEPTH | FTW_PHYS), 0);
}

static void reset(struct progress *p)
{
    memset(p, 0, sizeof(*p));
    memset(p->turn, 0xff, sizeof(p->turn));
    memset(p->next, 0xff, sizeof(p->next));
}

/* Groups of rows: turn 0 pairs a_i with b_i; turn 1 moves a row to the group of the next
   one, and so takes its partner away or gives it another. */
static float group_of(int number, int turn)
{
    return (float)(number + 1 + (turn > 0));
}

static enum il_status put(struct progress *p, struct il_stream *s, int from, int to,
                          int turn, int sides)
{
    enum il_status status = IL_OK;
    for (int i = from; i < to; i++)
        for (int side = 0; side < 2; side++) {
            if (status != IL_OK || !(sides >> side & 1))
                continue;
            p->next[side][i] = turn;
            status = sw_push(s, side, i, group_of(i, turn), &p->error);
        }
    return status;
}

static enum il_status drop(struct progress *p, struct il_stream *s, int side, int i)
{
    p->next[side][i] = -1;
    return sw_remove(s, side, i, &p->error);
}

/* With a note that says how many commits there are. */
static enum il_status commit(struct progress *p, struct il_stream *s)
{
    char text[16];
    snprintf(text, sizeof(text), "%d", p->begun + 1);
    enum il_status status = il_stream_note(s, "commits", text, strlen(text), &p->error);
    if (status != IL_OK)
        return status;
    p->begun++;
    status = il_stream_commit(s, &p->error);
    if (status == IL_OK) {
        memcpy(p->turn, p->next, sizeof(p->turn));
        p->acked = p->begun;
    }
    return status;
}

static enum il_status bootstrap(struct progress *p, struct il_stream *s)
{
    return il_stream_bootstrap(s, IL_BOOTSTRAP_WARM, 1, &p->error);
}

/* Everything that a writer of a state does. */
static enum il_status run(struct progress *p, const char *path, struct sw_fold *f)
{
    const struct il_stream_config c = sw_config(f);
    struct il_stream *s = NULL;
    enum il_status status = il_stream_open(&s, path, &c, &p->error);
    if (status == IL_OK)
        status = put(p, s, 0, 8, 0, 3);
    if (status == IL_OK)
        status = commit(p, s);
    if (status == IL_OK)
        status = bootstrap(p, s);
    if (status == IL_OK)
        status = put(p, s, 8, 12, 0, 3);
    if (status == IL_OK)
        status = put(p, s, 5, 7, 1, 1);
    if (status == IL_OK)
        status = drop(p, s, 1, 2);
    if (status == IL_OK)
        status = commit(p, s);
    if (status == IL_OK)
        status = bootstrap(p, s);
    il_stream_close(&s);
    if (status == IL_OK)
        status = il_stream_open(&s, path, &c, &p->error);
    if (status == IL_OK)
        status = put(p, s, 12, 14, 0, 3);
    if (status == IL_OK)
        status = drop(p, s, 0, 9);
    if (status == IL_OK)
        status = commit(p, s);
    il_stream_close(&s);
    return status;
}

/* Rows of the stores: those of the last commit, or of the one that was under way, which
   may be there for a side or a part of it. */
static void check_rows(const struct progress *p, const char *path, const char *what,
                       long k)
{
    for (int side = 0; side < 2; side++) {
        char name[600];
        struct il_store *store = NULL;
        struct il_error error = {{0}};
        struct il_store_config c;
        il_store_config_init(&c);
        snprintf(name, sizeof(name), "%s/%c.store", path, 'a' + side);
        if (il_store_open(&store, name, &c, &error) != IL_OK)
            fail_msg("%s %ld: %s", what, k, error.text);
        for (int i = 0; i < RUN_ROWS; i++) {
            float row[SW_DIM] = {0};
            char id[16];
            int found = 0, turn = -1;
            snprintf(id, sizeof(id), "%c%d", 'a' + side, i);
            (void)!il_store_get(store, id, strlen(id), row, &found, &error);
            if (found)
                turn = row[0] == group_of(i, 0) ? 0 : 1;
            if (turn != p->turn[side][i] &&
                (p->begun == p->acked || turn != p->next[side][i]))
                fail_msg("%s %ld: row %s is of turn %d, wanted %d", what, k, id, turn,
                         p->turn[side][i]);
        }
        il_store_close(&store);
    }
}

/* The state opens, misses no event and tells none twice; the note is that of a commit
   whose rows are there; and it ends as one that was never hurt. */
static void check_left(struct progress *p, const char *path, const char *what, long k)
{
    static struct sw_fold before, told, after;
    struct il_error error = {{0}};
    struct il_stream *s = NULL;
    size_t bytes = 0;
    struct progress done;
    memset(&before, 0, sizeof(before));
    if (access(unit_path("x/events.log"), F_OK) == 0)
        sw_read(path, &before);
    else
        assert_int_equal(p->acked, 0);
    told = before;
    told.told = 0;
    const struct il_stream_config c = sw_config(&told);
    if (il_stream_open(&s, path, &c, &error) != IL_OK)
        fail_msg("%s %ld: %s", what, k, error.text);
    const char *note = il_stream_noted(s, "commits", &bytes);
    const int commits = note ? (int)strtol(note, NULL, 10) : 0;
    if (commits < p->acked || commits > p->begun)
        fail_msg("%s %ld: note of %d commits, of %d to %d", what, k, commits, p->acked,
                 p->begun);
    if (commits == p->begun && p->begun > p->acked) {
        memcpy(p->turn, p->next, sizeof(p->turn));
        p->acked = p->begun;
    }
    check_rows(p, path, what, k);
    SW_OK(il_stream_commit(s, &error));
    il_stream_close(&s);
    sw_read(path, &after);
    if (after.seq != told.seq || !sw_same(&after, &told))
        fail_msg("%s %ld: told up to event %d, the log ends at %d", what, k,
                 (int)told.seq, (int)after.seq);
    /* The same run over it: rows that are there change nothing, and the links are those
       of a run that was not hurt. */
    static struct sw_fold whole;
    static int known;
    if (!known) {
        memset(&whole, 0, sizeof(whole));
        reset(&done);
        wipe(unit_path("whole"));
        assert_int_equal(run(&done, unit_path("whole"), &whole), IL_OK);
        known = 1;
    }
    reset(&done);
    if (run(&done, path, &told) != IL_OK)
        fail_msg("%s %ld: run again: %s", what, k, done.error.text);
    if (!sw_same(&told, &whole))
        fail_msg("%s %ld: other links than without: %zu, wanted %zu", what, k, told.count,
                 whole.count);
}

static long crash_at, crash_calls;

static int crash_hook(enum il_io_call call)
{
    (void)call;
    if (++crash_calls == crash_at)
        _exit(64);
    return 0;
}

static void exit_at_every_call(void **state)
{
    (void)state;
    struct progress *p =
        mmap(NULL, sizeof(*p), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_true(p != MAP_FAILED);
    const char *path = unit_path("x");
    char kept[512];
    snprintf(kept, sizeof(kept), "%s", path);
    long k = 1;
    for (;; k += full ? 1 : 7) {
        wipe(kept);
        reset(p);
        pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0) {
            static struct sw_fold f;
            crash_at = k;
            il_io_hook = crash_hook;
            _exit(run(p, kept, &f) == IL_OK ? 0 : 1);
        }
        int status = 0;
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_true(WIFEXITED(status));
        if (WEXITSTATUS(status) == 0)
            break;
        assert_int_equal(WEXITSTATUS(status), 64);
        check_left(p, kept, "exit at call", k);
    }
    assert_int_equal(p->acked, 3);
    assert_true(k > 150);
    print_message("# %ld calls\n", k);
    munmap(p, sizeof(*p));
}

static void errors_at_every_call(void **state)
{
    (void)state;
    static struct progress p;
    static struct sw_fold f;
    char path[512];
    const int verdicts[] = {EIO, ENOSPC};
    snprintf(path, sizeof(path), "%s", unit_path("x"));
    for (int ever = 0; ever < 2; ever++)
        for (int v = 0; v < 2; v++) {
            long calls = LONG_MAX;
            for (long k = 1 + 3 * v; k <= calls; k += full ? 1 : 23) {
                wipe(path);
                reset(&p);
                memset(&f, 0, sizeof(f));
                unit_fail_io(k, -1, verdicts[v], ever);
                enum il_status status = run(&p, path, &f);
                calls = unit_fault.calls;
                unit_no_faults();
                if (status != IL_OK && (status != IL_EIO || !p.error.text[0]))
                    fail_msg("error at call %ld: status %d: %s", k, (int)status,
                             p.error.text);
                check_left(&p, path, "error at call", k);
            }
        }
}

static void memory_fails_at_every_call(void **state)
{
    (void)state;
    static struct progress p;
    static struct sw_fold f;
    char path[512];
    snprintf(path, sizeof(path), "%s", unit_path("x"));
    for (long k = 1, calls = LONG_MAX; k <= calls; k += full ? 1 : 11) {
        wipe(path);
        reset(&p);
        memset(&f, 0, sizeof(f));
        il_alloc_fail_at(k);
        enum il_status status = run(&p, path, &f);
        calls = il_alloc_calls();
        il_alloc_fail_at(0);
        if (status != IL_OK && status != IL_ENOMEM)
            fail_msg("allocation %ld: status %d: %s", k, (int)status, p.error.text);
        check_left(&p, path, "allocation", k);
    }
}

/* The log alone, at every place. */

static void log_dir(const char *path)
{
    wipe(path);
    assert_int_equal(mkdir(path, 0700), 0);
}

static void the_log_at_every_call(void **state)
{
    (void)state;
    static struct event_work w;
    char path[512];
    const int verdicts[] = {EIO, ENOSPC, IL_IO_SHORT};
    snprintf(path, sizeof(path), "%s", unit_path("log"));
    for (int ever = 0; ever < 2; ever++)
        for (int v = 0; v < 3; v++)
            for (long k = 1, calls = LONG_MAX; k <= calls; k++) {
                log_dir(path);
                memset(&w, 0, sizeof(w));
                unit_fail_io(k, -1, verdicts[v], ever);
                enum il_status status = event_run(&w, path);
                calls = unit_fault.calls;
                unit_no_faults();
                if (verdicts[v] == IL_IO_SHORT)
                    assert_int_equal(status, IL_OK);
                else if (status != IL_OK && status != IL_EIO)
                    fail_msg("call %ld: status %d: %s", k, (int)status, w.error.text);
                event_check_left(&w, path, "log, call", k);
            }
}

static void the_log_ends_at_every_call(void **state)
{
    (void)state;
    struct event_work *w =
        mmap(NULL, sizeof(*w), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_true(w != MAP_FAILED);
    char path[512];
    snprintf(path, sizeof(path), "%s", unit_path("log"));
    for (long k = 1;; k++) {
        log_dir(path);
        memset(w, 0, sizeof(*w));
        pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0) {
            crash_at = k;
            il_io_hook = crash_hook;
            _exit(event_run(w, path) == IL_OK ? 0 : 1);
        }
        int status = 0;
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_true(WIFEXITED(status) && WEXITSTATUS(status) != 1);
        if (WEXITSTATUS(status) == 0)
            break;
        event_check_left(w, path, "log, exit", k);
        assert_true(k < 1000);
    }
    munmap(w, sizeof(*w));
}

/* Power is lost: of what was written since the last sync a prefix, sectors or nothing is
   on the disk. One file that grows at its end, so its bytes are all that matters. */
enum { POWER_EVENTS = 200, POWER_BYTES = 1 << 16 };
static struct power {
    struct il_io_event e;
    unsigned char *data;
    int acked, begun;
} power[POWER_EVENTS];
static size_t power_count;
static struct event_work power_work;

static void record(const struct il_io_event *e)
{
    struct power *to = &power[power_count++];
    assert_true(power_count < POWER_EVENTS);
    *to = (struct power){.e = *e, .acked = power_work.acked, .begun = power_work.begun};
    if (e->call == IL_IO_WRITE) {
        to->data = malloc(e->bytes);
        assert_non_null(to->data);
        memcpy(to->data, e->data, e->bytes);
    }
}

/* The file as it may be before event i; without 1: as if nothing was ever synced. */
static size_t disk_at(size_t i, unsigned variant, int without, unsigned char *out)
{
    struct il_rng rng = il_rng_make(i, variant, 0, IL_FOR_SAMPLE);
    size_t bytes = 0, synced = 0;
    for (size_t k = 0; k < i; k++)
        if (power[k].e.call == IL_IO_SYNC && power[k].e.name && !without)
            synced = k;
    for (size_t k = 0; k < i; k++) {
        const struct il_io_event *e = &power[k].e;
        if (e->call != IL_IO_WRITE)
            continue;
        for (size_t at = 0; at < e->bytes; at += 64) {
            const size_t piece = e->bytes - at < 64 ? e->bytes - at : 64;
            if (k > synced && (variant == 1 || (variant > 1 && il_rng_below(&rng, 2))))
                continue;
            const size_t end = (size_t)e->offset + at + piece;
            assert_true(end < POWER_BYTES);
            if (end > bytes) {
                memset(out + bytes, 0, end - bytes);
                bytes = end;
            }
            memcpy(out + e->offset + at, power[k].data + at, piece);
        }
    }
    return bytes;
}

static void lost_power_loses_no_commit(void **state)
{
    (void)state;
    static unsigned char bytes[POWER_BYTES];
    char path[512];
    size_t renamed = 0, lost = 0;
    snprintf(path, sizeof(path), "%s", unit_path("power"));
    log_dir(path);
    il_io_watch = record;
    assert_int_equal(event_run(&power_work, path), IL_OK);
    il_io_watch = NULL;
    for (size_t i = 0; i < power_count; i++)
        if (power[i].e.call == IL_IO_RENAME)
            renamed = i + 2; /* and the sync of the directory */
    assert_true(renamed > 0);
    for (size_t i = renamed; i < power_count; i++)
        for (unsigned variant = 0; variant < (full ? 60 : 6); variant++) {
            struct event_work w = {.acked = power[i].acked, .begun = power[i].begun};
            size_t size = disk_at(i, variant, 0, bytes);
            log_dir(unit_path("disk"));
            unit_put("disk/events.log", bytes, size);
            event_check_left(&w, unit_path("disk"), "power, event", (long)i);
            /* With no sync there is something to lose. */
            lost += disk_at(i, variant, 1, bytes) < size;
        }
    assert_true(lost > 10);
    for (size_t i = 0; i < power_count; i++)
        free(power[i].data);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(exit_at_every_call),
        cmocka_unit_test(errors_at_every_call),
        cmocka_unit_test(memory_fails_at_every_call),
        cmocka_unit_test(the_log_at_every_call),
        cmocka_unit_test(the_log_ends_at_every_call),
        cmocka_unit_test(lost_power_loses_no_commit),
    };
    return cmocka_run_group_tests(tests, setup, unit_teardown);
}
