/* SPDX-License-Identifier: Apache-2.0 */
/* The pair of tests/data/demo as a stream, through the public API alone: half of it
   first, then arrivals, kill, bootstraps; the links judged by the truth. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <ftw.h>
#include <unistd.h>

#include <cmocka.h>

#include <isolink/isolink.h>

#define DEMO "tests/data/demo/"
#define NONE UINT32_MAX

static char folder[256];

/* The demo, and what the events have told. */
static struct demo {
    struct il_vectors *vectors[2];
    struct il_ids *ids[2];
    struct il_matrix rows[2];
    struct il_stream_seed seeds[64];
    size_t seed_count, shared;
    uint32_t *truth; /* row of B of each row of A */
    uint32_t *order[2];
} demo;

struct told {
    uint32_t *partner;
    uint64_t seq;
    size_t links;
};

static uint64_t next_random(uint64_t *state)
{
    uint64_t z = (*state += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

/* Seeds first, the others in an order of their own. */
static void make_order(int side, const struct il_pair *seeds, uint64_t draw)
{
    const size_t n = demo.rows[side].rows;
    uint32_t *order = demo.order[side];
    for (size_t i = 0; i < n; i++)
        order[i] = (uint32_t)i;
    for (size_t i = n; i-- > 1;) {
        const size_t j = (size_t)(next_random(&draw) % (i + 1));
        const uint32_t swap = order[i];
        order[i] = order[j];
        order[j] = swap;
    }
    for (size_t s = 0; s < demo.seed_count; s++) {
        const uint64_t row = side ? seeds[s].b : seeds[s].a;
        size_t at = 0;
        while (order[at] != row)
            at++;
        order[at] = order[s];
        order[s] = (uint32_t)row;
    }
}

static int open_demo(void **state)
{
    static const char *const rows[] = {DEMO "a.npy", DEMO "b.npy"};
    static const char *const ids[] = {DEMO "a.ids.txt", DEMO "b.ids.txt"};
    struct il_pairs_notes notes;
    struct il_pair *pairs = NULL;
    size_t count = 0;
    (void)state;
    const char *base = getenv("TMPDIR");
    snprintf(folder, sizeof(folder), "%s/isolink-stream-XXXXXX", base ? base : "/tmp");
    assert_non_null(mkdtemp(folder));
    for (int s = 0; s < 2; s++) {
        assert_int_equal(il_vectors_load(&demo.vectors[s], rows[s], NULL), IL_OK);
        demo.rows[s] = il_vectors_rows(demo.vectors[s]);
        assert_int_equal(il_ids_load(&demo.ids[s], ids[s], demo.rows[s].rows, NULL),
                         IL_OK);
        demo.order[s] = calloc(demo.rows[s].rows, sizeof(uint32_t));
        assert_non_null(demo.order[s]);
    }
    demo.truth = malloc(demo.rows[0].rows * sizeof(uint32_t));
    assert_non_null(demo.truth);
    memset(demo.truth, 0xff, demo.rows[0].rows * sizeof(uint32_t));
    assert_int_equal(il_pairs_load(&pairs, &count, DEMO "truth.csv", demo.ids[0],
                                   demo.ids[1], &notes, NULL),
                     IL_OK);
    for (size_t i = 0; i < count; i++)
        demo.truth[pairs[i].a] = (uint32_t)pairs[i].b;
    demo.shared = count;
    il_pairs_free(pairs);
    assert_int_equal(il_pairs_load(&pairs, &count, DEMO "seeds.csv", demo.ids[0],
                                   demo.ids[1], &notes, NULL),
                     IL_OK);
    assert_true(count == 15);
    for (size_t i = 0; i < count; i++) {
        const char *a = il_ids_text(demo.ids[0], (size_t)pairs[i].a);
        const char *b = il_ids_text(demo.ids[1], (size_t)pairs[i].b);
        demo.seeds[i] = (struct il_stream_seed){a, b, strlen(a), strlen(b)};
    }
    demo.seed_count = count;
    make_order(0, pairs, 1);
    make_order(1, pairs, 2);
    il_pairs_free(pairs);
    return 0;
}

static int remove_one(const char *path, const struct stat *s, int flag, struct FTW *ftw)
{
    (void)s;
    (void)flag;
    (void)ftw;
    return remove(path);
}

static int close_demo(void **state)
{
    (void)state;
    for (int s = 0; s < 2; s++) {
        il_vectors_close(&demo.vectors[s]);
        il_ids_close(&demo.ids[s]);
        free(demo.order[s]);
    }
    free(demo.truth);
    return nftw(folder, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static void tell(void *context, const struct il_event *e)
{
    struct told *t = context;
    assert_int_equal(e->seq, ++t->seq);
    const size_t a = il_ids_find(demo.ids[0], e->a_id, e->a_bytes);
    const size_t b = il_ids_find(demo.ids[1], e->b_id, e->b_bytes);
    assert_true(a != SIZE_MAX && b != SIZE_MAX);
    if (e->kind == IL_EVENT_LINK) {
        assert_int_equal(t->partner[a], NONE);
        t->partner[a] = (uint32_t)b;
        t->links++;
        return;
    }
    assert_int_equal(t->partner[a], b);
    if (e->kind == IL_EVENT_RETRACT) {
        t->partner[a] = NONE;
        t->links--;
    }
}

static struct told told_open(void)
{
    struct told t = {.partner = malloc(demo.rows[0].rows * sizeof(uint32_t))};
    assert_non_null(t.partner);
    memset(t.partner, 0xff, demo.rows[0].rows * sizeof(uint32_t));
    return t;
}

static struct il_stream *open_state(const char *name, struct told *t, double after)
{
    struct il_stream_config c;
    struct il_stream *s = NULL;
    struct il_error error = {{0}};
    char path[300];
    il_stream_config_init(&c);
    for (int side = 0; side < 2; side++)
        c.dim[side] = demo.rows[side].dim;
    c.seeds = demo.seeds;
    c.seed_count = demo.seed_count;
    c.threads = c.background_threads = 2;
    c.bootstrap_after = after;
    c.bootstrap_rows = after > 0 ? 600 : IL_ROWS_MAX;
    c.event = tell;
    c.event_context = t;
    c.sync = IL_SYNC_OS;
    snprintf(path, sizeof(path), "%s/%s", folder, name);
    if (il_stream_open(&s, path, &c, &error) != IL_OK)
        fail_msg("%s", error.text);
    return s;
}

/* Rows from to `to` of each side's order. */
static void push(struct il_stream *s, size_t from, size_t to, size_t batch)
{
    struct il_error error = {{0}};
    float row[512];
    for (size_t i = from; i < to; i++) {
        for (int side = 0; side < 2; side++) {
            const struct il_matrix *m = &demo.rows[side];
            if (i >= m->rows)
                continue;
            const uint32_t number = demo.order[side][i];
            const char *id = il_ids_text(demo.ids[side], number);
            int taken = 0;
            il_matrix_to_f32(m, number, 1, row, m->dim);
            if (il_stream_push(s, side, id, strlen(id), row, &taken, &error) != IL_OK)
                fail_msg("%s", error.text);
            assert_int_equal(taken, 1);
        }
        if (((i + 1) % batch == 0 || i + 1 == to) && il_stream_commit(s, &error) != IL_OK)
            fail_msg("%s", error.text);
    }
}

static void bootstrap(struct il_stream *s, enum il_bootstrap how)
{
    struct il_error error = {{0}};
    if (il_stream_bootstrap(s, how, 1, &error) != IL_OK)
        fail_msg("%s", error.text);
}

/* F1 of the links that stand, seeds left out. */
static double judge(const struct told *t, const struct il_stream *s, const char *when)
{
    struct il_stream_info info;
    size_t right = 0, links = t->links - demo.seed_count;
    for (size_t a = 0; a < demo.rows[0].rows; a++)
        right += t->partner[a] != NONE && t->partner[a] == demo.truth[a];
    right -= demo.seed_count;
    il_stream_describe(s, &info);
    assert_int_equal(info.links, t->links);
    assert_int_equal(info.seq, t->seq);
    const double precision = links ? (double)right / (double)links : 0;
    const double recall = (double)right / (double)(demo.shared - demo.seed_count);
    const double f1 = right ? 2 * precision * recall / (precision + recall) : 0;
    print_message("%s: round %u, %zu links, P %.3f R %.3f F1 %.3f; P said %.3f\n", when,
                  info.round, links, precision, recall, f1, info.precision);
    return f1;
}

/* Half, a bootstrap, the rest as arrivals: what is linked then, and after a closing
   bootstrap the same as by all at once, and as by a state that was left and opened. */
static void the_demo_arrives(void **state)
{
    (void)state;
    const size_t rows = demo.rows[0].rows, half = rows / 2;
    struct told t = told_open(), all = told_open();
    struct il_stream *s = open_state("arrives", &t, 0);
    push(s, 0, half, 500);
    assert_int_equal(t.links, demo.seed_count);
    bootstrap(s, IL_BOOTSTRAP_COLD);
    (void)judge(&t, s, "half");
    push(s, half, rows - 300, 256);
    il_stream_close(&s);
    const uint64_t seq = t.seq;
    s = open_state("arrives", &t, 0);
    push(s, rows - 300, rows, 7);
    assert_true(t.seq >= seq);
    const double arrived = judge(&t, s, "arrived");
    bootstrap(s, IL_BOOTSTRAP_COLD);
    const double cold = judge(&t, s, "cold");
    il_stream_close(&s);
    s = open_state("at once", &all, 0);
    push(s, 0, rows, rows);
    bootstrap(s, IL_BOOTSTRAP_COLD);
    assert_true(judge(&all, s, "at once") == cold);
    assert_memory_equal(all.partner, t.partner, rows * sizeof(*t.partner));
    il_stream_close(&s);
    assert_true(cold > 0.8 && arrived > cold - 0.06);
    free(t.partner);
    free(all.partner);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_demo_arrives),
    };
    return cmocka_run_group_tests(tests, open_demo, close_demo);
}
