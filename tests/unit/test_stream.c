/* SPDX-License-Identifier: Apache-2.0 */
/* Streams over a linker that links what the test says. */
#include <math.h>
#include <sys/wait.h>

#include "tests/unit/stream_work.h"

static struct il_error error;

static struct il_stream_info about(const struct il_stream *s)
{
    struct il_stream_info info;
    il_stream_describe(s, &info);
    return info;
}

/* Rows 0 to n - 1 of both sides, each in its own group. */
static void push_all(struct il_stream *s, int n)
{
    for (int i = 0; i < n; i++)
        for (int side = 0; side < 2; side++)
            SW_OK(sw_push(s, side, i, (float)(i + 1), &error));
}

/* A state with a bootstrap behind it. */
static struct il_stream *started(const char *path, struct sw_fold *f, int n)
{
    const struct il_stream_config c = sw_config(f);
    memset(f, 0, sizeof(*f));
    memset(&fake, 0, sizeof(fake));
    struct il_stream *s = sw_open(path, &c);
    push_all(s, n);
    SW_OK(il_stream_commit(s, &error));
    SW_OK(il_stream_bootstrap(s, IL_BOOTSTRAP_COLD, 1, &error));
    return s;
}

static void check_log(const char *path, const struct sw_fold *told)
{
    static struct sw_fold f;
    sw_read(path, &f);
    assert_int_equal(f.seq, told->seq);
    assert_true(sw_same(&f, told));
}

/* Seeds are linked before any bootstrap, as soon as both rows are there. */
static void seeds_are_links(void **state)
{
    (void)state;
    static struct sw_fold f;
    const char *path = unit_path("seeds");
    const struct il_stream_config c = sw_config(&f);
    memset(&f, 0, sizeof(f));
    struct il_stream *s = sw_open(path, &c);
    SW_OK(sw_push(s, 0, 1, 7, &error));
    SW_OK(sw_push(s, 1, 2, 7, &error));
    SW_OK(il_stream_commit(s, &error));
    assert_int_equal(f.seq, 0);
    SW_OK(sw_push(s, 1, 1, 9, &error));
    assert_int_equal(f.seq, 0);
    SW_OK(il_stream_commit(s, &error));
    assert_int_equal(f.seq, 1);
    assert_int_equal(sw_find(&f, "a1", "b1"), 0);
    assert_int_equal(f.link[0].origin, IL_ORIGIN_SEED);
    assert_true(f.link[0].posterior == 1);
    SW_OK(sw_remove(s, 0, 1, &error));
    SW_OK(il_stream_commit(s, &error));
    assert_int_equal(f.seq, 2);
    assert_int_equal(f.count, 0);
    struct il_stream_info info = about(s);
    assert_true(info.rows[0] == 0 && info.rows[1] == 2 && info.removed[0] == 1);
    assert_true(info.links == 0 && info.round == 0 && info.events[2] == 1);
    il_stream_close(&s);
    check_log(path, &f);
}

/* Arrivals are linked by their commit; a better partner and a removed row retract. */
static void arrivals_are_linked(void **state)
{
    (void)state;
    static struct sw_fold f;
    const char *path = unit_path("arrivals");
    struct il_stream *s = started(path, &f, 10);
    assert_int_equal(fake.runs, 1);
    assert_true(fake.seeds == SW_SEEDS && fake.warm == 0 && fake.rows[1] == 10);
    assert_int_equal(f.count, 10);
    assert_int_equal(about(s).round, 1);
    SW_OK(sw_push(s, 0, 20, 21, &error));
    SW_OK(il_stream_commit(s, &error));
    assert_int_equal(f.count, 10);
    SW_OK(sw_push(s, 1, 30, 21, &error));
    SW_OK(il_stream_commit(s, &error));
    assert_true(sw_find(&f, "a20", "b30") < SW_LINKS);
    /* Another row of the same id: the old link falls, a new one is found. */
    SW_OK(sw_push(s, 1, 30, 22, &error));
    SW_OK(sw_push(s, 1, 31, 21, &error));
    SW_OK(il_stream_commit(s, &error));
    assert_true(sw_find(&f, "a20", "b31") < SW_LINKS);
    assert_int_equal(f.count, 11);
    /* Replaced, and linked as before: nothing to tell. */
    const uint64_t seq = f.seq;
    float row[SW_DIM] = {21, 1000};
    SW_OK(il_stream_push(s, 0, "a20", 3, row, NULL, &error));
    SW_OK(il_stream_commit(s, &error));
    assert_int_equal(f.seq, seq);
    SW_OK(sw_remove(s, 0, 20, &error));
    SW_OK(sw_remove(s, 0, 20, &error));
    SW_OK(il_stream_commit(s, &error));
    assert_int_equal(f.seq, seq + 1);
    assert_int_equal(about(s).links, 10);
    il_stream_close(&s);
    check_log(path, &f);
}

/* Before its commit a row may be replaced and removed. */
static void rows_of_one_commit(void **state)
{
    (void)state;
    static struct sw_fold f;
    const char *path = unit_path("one");
    struct il_stream *s = started(path, &f, 5);
    SW_OK(sw_push(s, 0, 50, 60, &error));
    SW_OK(sw_push(s, 0, 51, 61, &error));
    SW_OK(sw_push(s, 0, 52, 62, &error));
    SW_OK(sw_push(s, 1, 50, 61, &error));
    SW_OK(sw_push(s, 1, 52, 62, &error));
    SW_OK(sw_push(s, 1, 50, 60, &error));
    SW_OK(sw_remove(s, 0, 50, &error));
    SW_OK(sw_remove(s, 0, 3, &error));
    SW_OK(sw_push(s, 0, 3, 4, &error));
    SW_OK(il_stream_commit(s, &error));
    assert_true(sw_find(&f, "a52", "b52") < SW_LINKS);
    assert_int_equal(f.count, 6);
    assert_int_equal(about(s).rows[0], 7);
    assert_int_equal(about(s).rows[1], 7);
    /* What was not committed is gone. */
    SW_OK(sw_push(s, 0, 50, 60, &error));
    il_stream_close(&s);
    const struct il_stream_config c = sw_config(&f);
    s = sw_open(path, &c);
    assert_int_equal(about(s).rows[0], 7);
    il_stream_close(&s);
    check_log(path, &f);
}

static void the_same_row_changes_nothing(void **state)
{
    (void)state;
    static struct sw_fold f;
    for (int codec = IL_CODEC_F32; codec <= IL_CODEC_I8; codec++) {
        const char *path = unit_path(codec == IL_CODEC_F32   ? "same32"
                                     : codec == IL_CODEC_F16 ? "same16"
                                                             : "same8");
        struct il_stream_config c = sw_config(&f);
        float row[SW_DIM] = {0.3f, 0.7f};
        int taken = 0;
        memset(&f, 0, sizeof(f));
        c.codec = (enum il_codec)codec;
        struct il_stream *s = sw_open(path, &c);
        SW_OK(il_stream_push(s, 0, "x", 1, row, NULL, &error));
        SW_OK(il_stream_commit(s, &error));
        SW_OK(il_stream_push(s, 0, "x", 1, row, &taken, &error));
        assert_int_equal(taken, 1);
        struct il_stream_info info = about(s);
        assert_true(info.since == 1 && info.arrivals[0] == 2 && info.rows[0] == 1);
        row[1] = 0.2f;
        SW_OK(il_stream_push(s, 0, "x", 1, row, &taken, &error));
        assert_int_equal(about(s).since, 2);
        il_stream_close(&s);
        /* Another codec than the state's is refused. */
        c.codec = codec == IL_CODEC_I8 ? IL_CODEC_F16 : IL_CODEC_I8;
        assert_int_equal(il_stream_open(&s, path, &c, &error), IL_EARG);
        unit_says(&error, ".store: codec ");
    }
}

static void bad_rows_are_counted(void **state)
{
    (void)state;
    static struct sw_fold f;
    struct il_stream_config c = sw_config(&f);
    memset(&f, 0, sizeof(f));
    c.codec = IL_CODEC_F16;
    struct il_stream *s = sw_open(unit_path("bad"), &c);
    const float bad[][SW_DIM] = {{0, 0},     {NAN, 1},          {1, INFINITY},
                                 {1e30f, 1}, {1e-30f, -1e-30f}, {0, -0.0f}};
    int taken = 1;
    for (size_t i = 0; i < 6; i++) {
        SW_OK(il_stream_push(s, 0, "x", 1, bad[i], &taken, &error));
        assert_int_equal(taken, 0);
    }
    assert_int_equal(about(s).refused[0], 6);
    assert_int_equal(about(s).rows[0], 0);
    assert_int_equal(il_stream_push(s, 2, "x", 1, bad[0], NULL, &error), IL_EARG);
    assert_int_equal(il_stream_push(s, 0, "", 0, bad[0], NULL, &error), IL_EARG);
    assert_int_equal(il_stream_remove(s, 0, "x", 1025, NULL, NULL), IL_EARG);
    SW_OK(il_stream_commit(s, &error));
    il_stream_close(&s);
}

static void notes_come_back(void **state)
{
    (void)state;
    static struct sw_fold f;
    const char *path = unit_path("notes");
    const struct il_stream_config c = sw_config(&f);
    char large[4097], name[260];
    size_t bytes = 9;
    memset(&f, 0, sizeof(f));
    memset(large, 'x', sizeof(large));
    memset(name, 'n', sizeof(name));
    name[256] = 0;
    struct il_stream *s = sw_open(path, &c);
    assert_null(il_stream_noted(s, "a", &bytes));
    assert_int_equal(bytes, 0);
    SW_OK(il_stream_note(s, "a", "one", 3, &error));
    SW_OK(il_stream_note(s, "b", large, 4096, &error));
    SW_OK(il_stream_note(s, "c", "gone", 4, &error));
    SW_OK(il_stream_commit(s, &error));
    SW_OK(il_stream_note(s, "a", "two!", 4, &error));
    SW_OK(il_stream_note(s, "c", NULL, 0, &error));
    SW_OK(il_stream_commit(s, &error));
    SW_OK(il_stream_note(s, "a", "lost", 4, &error));
    assert_int_equal(il_stream_note(s, "b", large, 4097, &error), IL_EARG);
    assert_int_equal(il_stream_note(s, "", "x", 1, &error), IL_EARG);
    assert_int_equal(il_stream_note(s, name, "x", 1, &error), IL_EARG);
    assert_int_equal(il_stream_note(s, "isolink.seed", "x", 1, &error), IL_EARG);
    il_stream_close(&s);
    s = sw_open(path, &c);
    assert_memory_equal(il_stream_noted(s, "a", &bytes), "two!", 4);
    assert_int_equal(bytes, 4);
    assert_memory_equal(il_stream_noted(s, "b", &bytes), large, 4096);
    assert_null(il_stream_noted(s, "c", &bytes));
    il_stream_close(&s);
}

/* Opened again: the links that stand stand, and nothing is told. */
static void a_state_comes_back(void **state)
{
    (void)state;
    static struct sw_fold f;
    const char *path = unit_path("back");
    struct il_stream *s = started(path, &f, 12);
    SW_OK(sw_push(s, 0, 40, 41, &error));
    SW_OK(sw_push(s, 1, 41, 41, &error));
    SW_OK(il_stream_commit(s, &error));
    const struct il_stream_info before = about(s);
    il_stream_close(&s);
    const uint64_t seq = f.seq;
    struct il_stream_config c = sw_config(&f);
    s = sw_open(path, &c);
    SW_OK(il_stream_commit(s, &error));
    const struct il_stream_info after = about(s);
    assert_int_equal(f.seq, seq);
    assert_int_equal(after.links, before.links);
    assert_int_equal(after.since, before.since);
    assert_int_equal(after.round, 1);
    assert_int_equal(after.seq, seq);
    SW_OK(sw_push(s, 1, 40, 1, &error));
    SW_OK(il_stream_commit(s, &error));
    il_stream_close(&s);
    check_log(path, &f);
    /* Nothing need be said of it, and what is said must agree. */
    il_stream_config_init(&c);
    s = sw_open(path, &c);
    il_stream_close(&s);
    c = sw_config(&f);
    c.dim[1] = 9;
    assert_int_equal(il_stream_open(&s, path, &c, &error), IL_EARG);
    unit_says(&error, "b.store: rows of 2 coordinates, wanted 9");
    c = sw_config(&f);
    c.seed = 6;
    assert_int_equal(il_stream_open(&s, path, &c, &error), IL_EARG);
    unit_says(&error, "random seed number 5, wanted 6");
    c = sw_config(&f);
    c.seed_count--;
    assert_int_equal(il_stream_open(&s, path, &c, &error), IL_EARG);
    unit_says(&error, "4 seeds, of which 1 are not among those given");
    assert_null(s);
}

/* Rows that are durable and events that are not, as after a kill between both: the first
   commit tells what is missing. */
static void missing_events_are_told(void **state)
{
    (void)state;
    static struct sw_fold f;
    const char *path = unit_path("missing");
    struct il_stream *s = started(path, &f, 6);
    il_stream_close(&s);
    struct il_store_config sc;
    struct il_store *store = NULL;
    const float row[SW_DIM] = {77, 1};
    il_store_config_init(&sc);
    sc.write = 1;
    for (int side = 0; side < 2; side++) {
        const char *name = unit_path(side ? "missing/b.store" : "missing/a.store");
        SW_OK(il_store_open(&store, name, &sc, &error));
        SW_OK(il_store_put(store, "new", 3, row, &error));
        SW_OK(il_store_remove(store, side ? "b2" : "a2", 2, NULL, &error));
        SW_OK(il_store_commit(store, &error));
        il_store_close(&store);
    }
    const struct il_stream_config c = sw_config(&f);
    s = sw_open(path, &c);
    assert_true(sw_find(&f, "new", "new") == SW_LINKS);
    SW_OK(il_stream_commit(s, &error));
    assert_true(sw_find(&f, "new", "new") < SW_LINKS);
    assert_true(sw_find(&f, "a2", "b2") == SW_LINKS);
    assert_int_equal(f.count, 6);
    il_stream_close(&s);
    check_log(path, &f);
}

/* Links of sides on which trial starts hardly agree are nothing to start from. */
static void unlike_sides_start_cold(void **state)
{
    (void)state;
    static struct sw_fold f;
    struct il_stream *s = started(unit_path("unlike"), &f, 100);
    fake.unlike = 1;
    SW_OK(il_stream_bootstrap(s, IL_BOOTSTRAP_WARM, 1, &error));
    fake.unlike = 0;
    assert_int_equal(fake.warm, 0);
    SW_OK(il_stream_bootstrap(s, IL_BOOTSTRAP_WARM, 1, &error));
    assert_int_equal(fake.warm, 96);
    il_stream_close(&s);
}

/* A bootstrap confirms what changed by enough, in one frame with its round; the model of
   before is gone. */
static void bootstraps_confirm(void **state)
{
    (void)state;
    static struct sw_fold f;
    const char *path = unit_path("confirm");
    struct il_stream *s = started(path, &f, 100);
    assert_int_equal(access(unit_path("confirm/model-00000001.ilm"), F_OK), 0);
    assert_true(f.link[sw_find(&f, "a50", "b50")].posterior == 0.1);
    const uint64_t seq = f.seq;
    SW_OK(il_stream_bootstrap(s, IL_BOOTSTRAP_WARM, 1, &error));
    assert_int_equal(fake.warm, 96);
    assert_int_equal(f.seq, seq);
    for (int i = 200; i < 300; i++)
        SW_OK(sw_push(s, 0, i, (float)i + 1, &error));
    SW_OK(il_stream_commit(s, &error));
    SW_OK(il_stream_bootstrap(s, IL_BOOTSTRAP_COLD, 1, &error));
    assert_int_equal(fake.warm, 0);
    assert_int_equal(f.seq, seq + 96);
    assert_true(f.link[sw_find(&f, "a50", "b50")].posterior == 0.2);
    const struct il_stream_info info = about(s);
    assert_true(info.round == 3 && info.events[1] == 96 && info.since == 0);
    assert_true(info.pool == 200 && info.precision == 0.2);
    assert_int_equal(access(unit_path("confirm/model-00000003.ilm"), F_OK), 0);
    assert_int_equal(access(unit_path("confirm/model-00000002.ilm"), F_OK), -1);
    /* A small change is told by a cold one only. */
    SW_OK(sw_push(s, 0, 300, 301, &error));
    SW_OK(il_stream_commit(s, &error));
    SW_OK(il_stream_bootstrap(s, IL_BOOTSTRAP_WARM, 1, &error));
    assert_true(f.link[sw_find(&f, "a50", "b50")].posterior == 0.2);
    SW_OK(il_stream_bootstrap(s, IL_BOOTSTRAP_COLD, 1, &error));
    assert_true(f.link[sw_find(&f, "a50", "b50")].posterior == 0.201);
    /* Uncommitted rows. */
    SW_OK(sw_push(s, 0, 1, 900, &error));
    assert_int_equal(il_stream_bootstrap(s, IL_BOOTSTRAP_COLD, 1, &error), IL_EARG);
    il_stream_close(&s);
    check_log(path, &f);
}

/* Bootstraps of a commit: the first at enough rows, the next after enough changes; what
   changes while one runs is brought to it. */
static void bootstraps_in_the_background(void **state)
{
    (void)state;
    static struct sw_fold f;
    const char *path = unit_path("background");
    struct il_stream_config c = sw_config(&f);
    memset(&f, 0, sizeof(f));
    memset(&fake, 0, sizeof(fake));
    c.bootstrap_rows = 8;
    c.bootstrap_after = 0.5;
    fake.wait = 1;
    struct il_stream *s = sw_open(path, &c);
    push_all(s, 7);
    SW_OK(il_stream_commit(s, &error));
    assert_int_equal(about(s).bootstrapping, 0);
    push_all(s, 8);
    SW_OK(il_stream_commit(s, &error));
    assert_int_equal(about(s).bootstrapping, 1);
    assert_int_equal(f.count, SW_SEEDS);
    /* While it runs: a row goes, one is replaced, one comes and goes, two come. */
    SW_OK(sw_remove(s, 0, 5, &error));
    SW_OK(sw_push(s, 1, 6, 500, &error));
    SW_OK(sw_push(s, 0, 9, 77, &error));
    SW_OK(il_stream_commit(s, &error));
    SW_OK(sw_remove(s, 0, 9, &error));
    SW_OK(sw_push(s, 0, 10, 500, &error));
    SW_OK(sw_push(s, 1, 11, 6, &error));
    SW_OK(il_stream_commit(s, &error));
    assert_int_equal(about(s).round, 0);
    atomic_store(&fake.go, 1);
    for (int i = 0; i < 5000 && about(s).round == 0; i++) {
        usleep(1000);
        SW_OK(il_stream_commit(s, &error));
    }
    assert_int_equal(about(s).round, 1);
    assert_true(sw_find(&f, "a10", "b6") < SW_LINKS);
    assert_true(sw_find(&f, "a7", "b7") < SW_LINKS);
    assert_true(sw_find(&f, "a5", NULL) == SW_LINKS);
    assert_true(sw_find(&f, "a6", NULL) == SW_LINKS);
    assert_int_equal(f.count, 7);
    /* 6 changes since it began, of the 16 rows it began with; 8 are due. */
    assert_int_equal(about(s).since, 6);
    assert_int_equal(fake.runs, 1);
    SW_OK(sw_push(s, 0, 12, 600, &error));
    SW_OK(il_stream_commit(s, &error));
    assert_int_equal(about(s).bootstrapping, 0);
    SW_OK(sw_push(s, 0, 13, 601, &error));
    SW_OK(il_stream_commit(s, &error));
    assert_int_equal(about(s).bootstrapping, 1);
    SW_OK(il_stream_bootstrap(s, IL_BOOTSTRAP_COLD, 1, &error));
    assert_int_equal(about(s).round, 3);
    assert_int_equal(fake.runs, 3);
    il_stream_close(&s);
    check_log(path, &f);
}

/* Closed while a bootstrap runs: it is cancelled, and nothing comes of it. */
static void closing_ends_a_bootstrap(void **state)
{
    (void)state;
    static struct sw_fold f;
    const char *path = unit_path("closing");
    struct il_stream *s = started(path, &f, 6);
    fake.wait = 1;
    SW_OK(il_stream_bootstrap(s, IL_BOOTSTRAP_WARM, 0, &error));
    SW_OK(il_stream_bootstrap(s, IL_BOOTSTRAP_WARM, 0, &error));
    il_stream_close(&s);
    const struct il_stream_config c = sw_config(&f);
    s = sw_open(path, &c);
    assert_int_equal(about(s).round, 1);
    il_stream_close(&s);
    check_log(path, &f);
}

/* Refused: all stays, it is told, and tried again only after enough changes. */
static void refused_bootstraps(void **state)
{
    (void)state;
    static struct sw_fold f;
    const char *path = unit_path("refused");
    struct il_stream_config c = sw_config(&f);
    memset(&f, 0, sizeof(f));
    memset(&fake, 0, sizeof(fake));
    struct il_stream *s = sw_open(path, &c);
    assert_int_equal(il_stream_bootstrap(s, IL_BOOTSTRAP_COLD, 1, &error), IL_EBOOTSTRAP);
    unit_says(&error, "side A has no rows");
    push_all(s, 2);
    for (int i = 10; i < 18; i++)
        SW_OK(sw_push(s, 0, i, 1, &error));
    SW_OK(il_stream_commit(s, &error));
    assert_int_equal(il_stream_bootstrap(s, IL_BOOTSTRAP_COLD, 1, &error), IL_EBOOTSTRAP);
    unit_says(&error, "fake: 2 seeds");
    struct il_stream_info info = about(s);
    assert_true(info.refused_bootstrap && info.round == 0 && f.count == 2);
    assert_string_equal(info.why, "fake: 2 seeds");
    assert_int_equal(fake.runs, 1);
    /* 12 rows: due after 3 changes, not before; also when it was opened anew. */
    SW_OK(sw_push(s, 0, 18, 1, &error));
    SW_OK(il_stream_commit(s, &error));
    il_stream_close(&s);
    s = sw_open(path, &c);
    SW_OK(sw_push(s, 0, 19, 1, &error));
    SW_OK(il_stream_commit(s, &error));
    assert_int_equal(about(s).bootstrapping, 0);
    assert_int_equal(about(s).refused_bootstrap, 1);
    SW_OK(sw_push(s, 0, 2, 3, &error));
    SW_OK(sw_push(s, 1, 2, 3, &error));
    SW_OK(il_stream_commit(s, &error));
    SW_OK(il_stream_bootstrap(s, IL_BOOTSTRAP_COLD, 1, &error));
    info = about(s);
    assert_true(!info.refused_bootstrap && info.round >= 1 && !info.why[0]);
    il_stream_close(&s);
    check_log(path, &f);
}

static void a_state_has_one_owner(void **state)
{
    (void)state;
    static struct sw_fold f;
    const char *path = unit_path("owned");
    const struct il_stream_config c = sw_config(&f);
    struct il_stream *s = sw_open(path, &c), *other = NULL;
    char wanted[64];
    assert_int_equal(il_stream_open(&other, path, &c, &error), IL_ELOCKED);
    snprintf(wanted, sizeof(wanted), "owned: locked by process %ld", (long)getpid());
    unit_says(&error, wanted);
    il_stream_close(&s);
    s = sw_open(path, &c);
    il_stream_close(&s);
}

static void what_is_no_state(void **state)
{
    (void)state;
    struct il_stream *s = NULL;
    struct il_stream_config c;
    il_stream_config_init(&c);
    assert_int_equal(il_stream_open(&s, unit_path("nothing"), &c, &error), IL_EARG);
    unit_says(&error, "no state; a new one needs both row lengths and seeds");
    assert_int_equal(access(unit_path("nothing"), F_OK), -1);
    assert_int_equal(mkdir(unit_path("empty"), 0700), 0);
    assert_int_equal(il_stream_open(&s, unit_path("empty"), &c, NULL), IL_EARG);
    assert_int_equal(access(unit_path("empty/LOCK"), F_OK), -1);
    c.threads = 257;
    assert_int_equal(il_stream_open(&s, unit_path("empty"), &c, &error), IL_EARG);
    c = (struct il_stream_config){0};
    assert_int_equal(il_stream_open(&s, unit_path("empty"), &c, &error), IL_EARG);
    unit_says(&error, "not initialised");
    /* A state whose store is gone is damaged, not new. */
    static struct sw_fold f;
    s = started(unit_path("lost"), &f, 4);
    il_stream_close(&s);
    assert_int_equal(rename(unit_path("lost/a.store"), unit_path("away")), 0);
    c = sw_config(&f);
    assert_int_not_equal(il_stream_open(&s, unit_path("lost"), &c, &error), IL_OK);
    unit_says(&error, "lost/a.store");
    assert_int_equal(rename(unit_path("away"), unit_path("lost/a.store")), 0);
    assert_int_equal(unlink(unit_path("lost/model-00000001.ilm")), 0);
    assert_int_equal(il_stream_open(&s, unit_path("lost"), &c, &error), IL_ECORRUPT);
    unit_says(&error, "model-00000001.ilm: missing, but the log names round 1");
}

/* Ids come and go: names that nobody needs are forgotten, the others keep working. */
static void names_are_forgotten(void **state)
{
    (void)state;
    static struct sw_fold f;
    const char *path = unit_path("turnover");
    struct il_stream_config c = sw_config(&f);
    c.sync = IL_SYNC_OS;
    memset(&f, 0, sizeof(f));
    struct il_stream *s = sw_open(path, &c);
    push_all(s, 4);
    for (int round = 0; round < 12; round++) {
        for (int i = 0; i < 1000; i++)
            SW_OK(sw_push(s, 0, 1000 * (round + 1) + i, 5, &error));
        SW_OK(il_stream_commit(s, &error));
        for (int i = 0; i < 1000; i++)
            if (i != 500)
                SW_OK(sw_remove(s, 0, 1000 * (round + 1) + i, &error));
        SW_OK(il_stream_commit(s, &error));
    }
    assert_int_equal(about(s).rows[0], 16);
    for (int round = 0; round < 12; round++)
        SW_OK(sw_remove(s, 0, 1000 * (round + 1) + 500, &error));
    SW_OK(il_stream_commit(s, &error));
    assert_int_equal(about(s).rows[0], 4);
    SW_OK(il_stream_bootstrap(s, IL_BOOTSTRAP_COLD, 1, &error));
    assert_int_equal(f.count, 4);
    il_stream_close(&s);
    check_log(path, &f);
}

/* Synced at intervals: notes are written by the commit that syncs, or by the close. */
static void notes_wait_for_their_sync(void **state)
{
    (void)state;
    static struct sw_fold f;
    const char *path = unit_path("interval");
    struct il_stream_config c = sw_config(&f);
    size_t bytes = 0;
    memset(&f, 0, sizeof(f));
    c.sync = IL_SYNC_INTERVAL;
    c.sync_ms = 1000000;
    struct il_stream *s = sw_open(path, &c);
    push_all(s, 2);
    SW_OK(il_stream_note(s, "at", "2", 1, &error));
    SW_OK(il_stream_commit(s, &error));
    assert_int_equal(f.count, 2);
    char *log = unit_get(unit_path("interval/events.log"), &bytes);
    assert_null(memmem(log, bytes, "at2", 3));
    free(log);
    SW_OK(il_stream_note(s, "late", "x", 1, &error));
    SW_OK(il_stream_commit(s, &error));
    il_stream_close(&s);
    s = sw_open(path, &c);
    assert_memory_equal(il_stream_noted(s, "at", &bytes), "2", 1);
    assert_non_null(il_stream_noted(s, "late", &bytes));
    il_stream_close(&s);
}

/* tools/decode_events.py, written from the specification alone, on a log with everything
   in it. */
static void the_second_decoder_agrees(void **state)
{
    (void)state;
    static struct sw_fold f;
    const char *path = unit_path("decoded");
    char command[1400], last[64], *out = NULL;
    struct il_stream *s = started(path, &f, 10);
    SW_OK(sw_remove(s, 0, 7, &error));
    SW_OK(il_stream_note(s, "at", "12", 2, &error));
    SW_OK(il_stream_commit(s, &error));
    for (int turn = 0; turn < 2; turn++) {
        snprintf(command, sizeof(command),
                 "command -v python3 >/dev/null || exit 77; "
                 "python3 tools/decode_events.py %s/events.log >%s 2>&1",
                 path, unit_path("decoded.txt"));
        int status = system(command);
        assert_true(WIFEXITED(status));
        if (WEXITSTATUS(status) == 77) {
            il_stream_close(&s);
            skip();
        }
        out = unit_get(unit_path("decoded.txt"), NULL);
        if (turn == 1)
            break;
        assert_int_equal(WEXITSTATUS(status), 0);
        snprintf(last, sizeof(last), "\nevents=%d links=9 tail=0\n", (int)f.seq);
        assert_non_null(strstr(out, last));
        assert_non_null(strstr(out, "\nround 1\n"));
        assert_non_null(strstr(out, "\nnote \"at\" 2 bytes\n"));
        assert_non_null(strstr(out, "seed \"a3\" \"b3\"\n"));
        assert_non_null(strstr(out, " \"a7\" \"b7\" posterior=0.010000 round=1"));
        free(out);
        il_stream_close(&s);
        FILE *file = fopen(unit_path("decoded/events.log"), "r+");
        assert_non_null(file);
        fseek(file, 200, SEEK_SET);
        fputc('N', file);
        fclose(file);
    }
    assert_non_null(strstr(out, "damaged: byte 64: no frame, one at "));
    free(out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(seeds_are_links),
        cmocka_unit_test(arrivals_are_linked),
        cmocka_unit_test(rows_of_one_commit),
        cmocka_unit_test(the_same_row_changes_nothing),
        cmocka_unit_test(bad_rows_are_counted),
        cmocka_unit_test(notes_come_back),
        cmocka_unit_test(a_state_comes_back),
        cmocka_unit_test(missing_events_are_told),
        cmocka_unit_test(unlike_sides_start_cold),
        cmocka_unit_test(bootstraps_confirm),
        cmocka_unit_test(bootstraps_in_the_background),
        cmocka_unit_test(closing_ends_a_bootstrap),
        cmocka_unit_test(refused_bootstraps),
        cmocka_unit_test(a_state_has_one_owner),
        cmocka_unit_test(what_is_no_state),
        cmocka_unit_test(names_are_forgotten),
        cmocka_unit_test(notes_wait_for_their_sync),
        cmocka_unit_test(the_second_decoder_agrees),
    };
    return cmocka_run_group_tests(tests, unit_setup, unit_teardown);
}
