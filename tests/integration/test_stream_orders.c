/* SPDX-License-Identifier: Apache-2.0 */
/* Streams of rows of tests/data/demo, through the public API alone: whatever the order of
   the rows and however often the state was closed, the same links stand after a closing
   cold bootstrap, byte for byte, and the events tell them. Posteriors are those that were
   told last: a bootstrap confirms only what it moves by 0.05 or more. */
#include "tests/unit/unit.h"

#include <isolink/isolink.h>

#define DEMO "tests/data/demo/"
/* Of the rows: so many pairs, and so many rows a side without a partner. */
#define PAIRS 280
#define OTHERS 170
#define ROWS (PAIRS + OTHERS)
#define SEEDS 15
#define NONE UINT32_MAX

/* Rows of the demo that the tests stream; the first SEEDS of either side are pairs that
   are told, up to PAIRS there are pairs that are not. */
static struct {
    struct il_vectors *vectors[2];
    struct il_ids *ids[2];
    struct il_matrix rows[2];
    uint32_t row[2][ROWS];
    struct il_stream_seed seed[SEEDS];
} demo;

static void add_pair(size_t *count, uint8_t *taken[2], struct il_pair pair)
{
    if (*count == PAIRS || taken[0][pair.a] || taken[1][pair.b])
        return;
    taken[0][pair.a] = taken[1][pair.b] = 1;
    demo.row[0][*count] = (uint32_t)pair.a;
    demo.row[1][(*count)++] = (uint32_t)pair.b;
}

/* Rows that are in no pair at all. */
static void add_others(int side, const uint8_t *taken)
{
    size_t count = PAIRS;
    for (size_t i = 0; i < demo.rows[side].rows && count < ROWS; i++)
        if (!taken[i])
            demo.row[side][count++] = (uint32_t)i;
    assert_int_equal(count, ROWS);
}

static int demo_setup(void **state)
{
    static const char *const vectors[] = {DEMO "a.npy", DEMO "b.npy"};
    static const char *const ids[] = {DEMO "a.ids.txt", DEMO "b.ids.txt"};
    struct il_pair *seeds = NULL, *truth = NULL;
    size_t seed_count = 0, truth_count = 0, count = 0;
    uint8_t *taken[2];
    for (int s = 0; s < 2; s++) {
        assert_int_equal(il_vectors_load(&demo.vectors[s], vectors[s], NULL), IL_OK);
        demo.rows[s] = il_vectors_rows(demo.vectors[s]);
        assert_int_equal(il_ids_load(&demo.ids[s], ids[s], demo.rows[s].rows, NULL),
                         IL_OK);
        taken[s] = calloc(demo.rows[s].rows, 1);
        assert_non_null(taken[s]);
    }
    assert_int_equal(il_pairs_load(&seeds, &seed_count, DEMO "seeds.csv", demo.ids[0],
                                   demo.ids[1], NULL, NULL),
                     IL_OK);
    assert_int_equal(il_pairs_load(&truth, &truth_count, DEMO "truth.csv", demo.ids[0],
                                   demo.ids[1], NULL, NULL),
                     IL_OK);
    assert_int_equal(seed_count, SEEDS);
    for (size_t i = 0; i < seed_count; i++)
        add_pair(&count, taken, seeds[i]);
    for (size_t i = 0; i < truth_count; i++)
        add_pair(&count, taken, truth[i]);
    assert_int_equal(count, PAIRS);
    for (size_t i = 0; i < truth_count; i++)
        taken[0][truth[i].a] = taken[1][truth[i].b] = 1;
    for (int s = 0; s < 2; s++) {
        add_others(s, taken[s]);
        free(taken[s]);
    }
    for (size_t i = 0; i < SEEDS; i++) {
        const char *a = il_ids_text(demo.ids[0], demo.row[0][i]);
        const char *b = il_ids_text(demo.ids[1], demo.row[1][i]);
        demo.seed[i] = (struct il_stream_seed){a, b, strlen(a), strlen(b)};
    }
    il_pairs_free(seeds);
    il_pairs_free(truth);
    return unit_setup(state);
}

static int demo_teardown(void **state)
{
    for (int s = 0; s < 2; s++) {
        il_vectors_close(&demo.vectors[s]);
        il_ids_close(&demo.ids[s]);
    }
    return unit_teardown(state);
}

/* --------------------------------------------------------------------------------- fold
 */

/* What stands by the events that came; by rows of the demo. */
struct fold {
    uint32_t *partner[2];
    double *posterior; /* of rows of A, as the next two */
    uint8_t *seed;
    uint64_t *link_id;
    uint64_t seq, links, retracted;
    struct il_event last; /* without its ids */
};

static void fold_open(struct fold *f)
{
    memset(f, 0, sizeof(*f));
    for (int s = 0; s < 2; s++) {
        f->partner[s] = malloc(demo.rows[s].rows * sizeof(uint32_t));
        assert_non_null(f->partner[s]);
        memset(f->partner[s], 0xff, demo.rows[s].rows * sizeof(uint32_t));
    }
    f->posterior = calloc(demo.rows[0].rows, sizeof(double));
    f->seed = calloc(demo.rows[0].rows, 1);
    f->link_id = calloc(demo.rows[0].rows, sizeof(uint64_t));
    assert_true(f->posterior && f->seed && f->link_id);
}

static void fold_close(struct fold *f)
{
    free(f->partner[0]);
    free(f->partner[1]);
    free(f->posterior);
    free(f->seed);
    free(f->link_id);
}

/* Numbered without gaps; a link begins where none stands, and only what stands ends. */
static void fold_event(void *context, const struct il_event *e)
{
    struct fold *f = context;
    size_t a = il_ids_find(demo.ids[0], e->a_id, e->a_bytes);
    size_t b = il_ids_find(demo.ids[1], e->b_id, e->b_bytes);
    assert_true(a != SIZE_MAX && b != SIZE_MAX);
    assert_int_equal(e->seq, f->seq + 1);
    f->seq++;
    f->last = *e;
    if (e->kind == IL_EVENT_LINK) {
        assert_true(f->partner[0][a] == NONE && f->partner[1][b] == NONE);
        f->links++;
    } else {
        assert_true(f->partner[0][a] == b && f->partner[1][b] == a);
        assert_true(f->link_id[a] == e->link_id);
    }
    assert_true(e->posterior >= 0 && e->posterior <= 1);
    int ends = e->kind == IL_EVENT_RETRACT;
    f->partner[0][a] = ends ? NONE : (uint32_t)b;
    f->partner[1][b] = ends ? NONE : (uint32_t)a;
    f->posterior[a] = e->posterior;
    f->seed[a] = e->origin == IL_ORIGIN_SEED;
    f->link_id[a] = e->link_id;
    f->links -= (uint64_t)ends;
    f->retracted += (uint64_t)ends;
}

/* The links that stand, to be freed; told 1: and their posteriors, every bit of them. */
static char *fold_text(const struct fold *f, int told)
{
    char *text = NULL;
    size_t bytes;
    FILE *out = open_memstream(&text, &bytes);
    assert_non_null(out);
    for (size_t a = 0; a < demo.rows[0].rows; a++)
        if (f->partner[0][a] != NONE)
            fprintf(out, "%s,%s,%s,%016llx,%a\n", il_ids_text(demo.ids[0], a),
                    il_ids_text(demo.ids[1], f->partner[0][a]),
                    f->seed[a] ? "seed" : "link", (unsigned long long)f->link_id[a],
                    told ? f->posterior[a] : 0);
    assert_int_equal(fclose(out), 0);
    return text;
}

/* The same bytes; shows the first line that differs, not a thousand. */
static void same_text(const char *what, const char *got, const char *wanted)
{
    const char *x = got, *y = wanted;
    for (size_t line = 1; *x && *y; line++) {
        size_t m = strcspn(x, "\n"), n = strcspn(y, "\n");
        if (m != n || memcmp(x, y, n) != 0)
            fail_msg("%s: link %zu is '%.*s', wanted '%.*s'", what, line, (int)m, x,
                     (int)n, y);
        x += m + (x[m] != 0);
        y += n + (y[n] != 0);
    }
    assert_true(*x == 0 && *y == 0);
}

/* ------------------------------------------------------------------------------- stream
 */

/* own 1: it bootstraps in the background whenever it wants. */
static struct il_stream *start(const char *name, unsigned threads, int own,
                               struct fold *f)
{
    struct il_stream_config config;
    struct il_stream *stream = NULL;
    struct il_error error = {""};
    il_stream_config_init(&config);
    for (int s = 0; s < 2; s++)
        config.dim[s] = demo.rows[s].dim;
    config.seeds = demo.seed;
    config.seed_count = SEEDS;
    config.threads = threads;
    config.background_threads = threads;
    config.sync = IL_SYNC_OS;
    if (!own) {
        config.bootstrap_rows = SIZE_MAX;
        config.bootstrap_after = 0;
    }
    config.event = fold_event;
    config.event_context = f;
    if (il_stream_open(&stream, unit_path(name), &config, &error) != IL_OK)
        fail_msg("%s", error.text);
    return stream;
}

static void put(struct il_stream *stream, int side, uint32_t row, const float *vector)
{
    struct il_error error = {""};
    const char *id = il_ids_text(demo.ids[side], row);
    float own[256];
    int taken = 0;
    assert_true(demo.rows[side].dim <= 256);
    if (!vector)
        il_matrix_to_f32(&demo.rows[side], row, 1, own, demo.rows[side].dim);
    if (il_stream_push(stream, side, id, strlen(id), vector ? vector : own, &taken,
                       &error) != IL_OK)
        fail_msg("%s", error.text);
    assert_int_equal(taken, 1);
}

static void drop(struct il_stream *stream, int side, uint32_t row)
{
    struct il_error error = {""};
    const char *id = il_ids_text(demo.ids[side], row);
    int found = 0;
    if (il_stream_remove(stream, side, id, strlen(id), &found, &error) != IL_OK)
        fail_msg("%s", error.text);
    assert_int_equal(found, 1);
}

static void commit(struct il_stream *stream)
{
    struct il_error error = {""};
    if (il_stream_commit(stream, &error) != IL_OK)
        fail_msg("%s", error.text);
}

static void bootstrap(struct il_stream *stream, enum il_bootstrap how)
{
    struct il_error error = {""};
    if (il_stream_bootstrap(stream, how, 1, &error) != IL_OK)
        fail_msg("%s", error.text);
}

/* The events that lie on the disk, told from a number on, are those that were told. */
static void events_are(const char *name, const struct fold *f)
{
    struct il_events *events = NULL;
    struct il_event event;
    struct il_error error = {""};
    struct fold read;
    int found = 1;
    fold_open(&read);
    if (il_events_open(&events, unit_path(name), 0, &error) != IL_OK)
        fail_msg("%s", error.text);
    while (found) {
        if (il_events_next(events, &event, &found, &error) != IL_OK)
            fail_msg("%s", error.text);
        if (found)
            fold_event(&read, &event);
    }
    il_events_close(&events);
    char *own = fold_text(&read, 1), *told = fold_text(f, 1);
    same_text(name, own, told);
    assert_int_equal(read.seq, f->seq);
    free(own);
    free(told);
    fold_close(&read);
    /* From the middle. */
    uint64_t since = f->seq / 2, next = since;
    if (il_events_open(&events, unit_path(name), since, &error) != IL_OK)
        fail_msg("%s", error.text);
    for (found = 1; found;) {
        if (il_events_next(events, &event, &found, &error) != IL_OK)
            fail_msg("%s", error.text);
        if (found)
            assert_int_equal(event.seq, ++next);
    }
    assert_int_equal(next, f->seq);
    il_events_close(&events);
}

/* The closing bootstrap; the links, to be freed. */
static char *finish(const char *name, struct il_stream **stream, struct fold *f)
{
    struct il_stream_info info;
    bootstrap(*stream, IL_BOOTSTRAP_COLD);
    il_stream_describe(*stream, &info);
    char *text = fold_text(f, 0);
    assert_int_equal(info.rows[0], ROWS);
    assert_int_equal(info.rows[1], ROWS);
    assert_int_equal(info.seq, f->seq);
    assert_int_equal(info.links, f->links);
    assert_true(info.links > SEEDS + 100);
    assert_int_equal(info.since, 0);
    il_stream_close(stream);
    assert_null(*stream);
    events_are(name, f);
    return text;
}

/* The rows in an order: of both sides in turns, or at random behind the first. */
static uint32_t order[2 * ROWS];

static void order_rows(uint64_t shuffled, uint64_t first)
{
    for (uint32_t i = 0; i < 2 * ROWS; i++)
        order[i] = i;
    for (uint64_t i = 2 * ROWS, s = shuffled; shuffled && i > first + 1; i--) {
        s = s * 6364136223846793005u + 1442695040888963407u;
        uint64_t j = first + (s >> 33) % (i - first);
        uint32_t kept = order[j];
        order[j] = order[i - 1];
        order[i - 1] = kept;
    }
}

static void put_ordered(struct il_stream *stream, size_t from, size_t to, size_t batch)
{
    for (size_t i = from; i < to; i++) {
        put(stream, (int)(order[i] % 2), demo.row[order[i] % 2][order[i] / 2], NULL);
        if ((i + 1) % batch == 0)
            commit(stream);
    }
    commit(stream);
}

/* ------------------------------------------------------------------------------- orders
 */

static char *all_at_once(const char *name, unsigned threads)
{
    struct fold f;
    fold_open(&f);
    struct il_stream *stream = start(name, threads, 0, &f);
    order_rows(0, 0);
    put_ordered(stream, 0, 2 * ROWS, 2 * ROWS);
    char *text = finish(name, &stream, &f);
    fold_close(&f);
    return text;
}

static char *one_by_one(const char *name, unsigned threads)
{
    struct fold f;
    fold_open(&f);
    struct il_stream *stream = start(name, threads, 1, &f);
    order_rows(0, 0);
    put_ordered(stream, 0, 2 * ROWS, 1);
    char *text = finish(name, &stream, &f);
    fold_close(&f);
    return text;
}

static char *in_pieces(const char *name, uint64_t shuffled, size_t pieces)
{
    struct fold f;
    fold_open(&f);
    struct il_stream *stream = start(name, 2, 1, &f);
    order_rows(shuffled, 0);
    for (size_t p = 0; p < pieces; p++) {
        size_t from = 2 * ROWS * p / pieces, to = 2 * ROWS * (p + 1) / pieces;
        put_ordered(stream, from, to, 37);
        if (p + 1 == pieces)
            break;
        /* What was pushed and not committed is gone, and comes again. */
        put(stream, (int)(order[to] % 2), demo.row[order[to] % 2][order[to] / 2], NULL);
        il_stream_close(&stream);
        stream = start(name, 2, 1, &f);
    }
    char *text = finish(name, &stream, &f);
    fold_close(&f);
    return text;
}

static void every_way_ends_alike(void **state)
{
    (void)state;
    char *wanted = all_at_once("once", 1), *got = one_by_one("one", 3);
    same_text("one by one", got, wanted);
    free(got);
    got = in_pieces("shuffled", 7, 1);
    same_text("shuffled", got, wanted);
    free(got);
    got = in_pieces("reopened", 11, 6);
    same_text("reopened", got, wanted);
    free(got);
    free(wanted);
}

/* The same commits on one thread and on three, step by step: every event is the same. */
static void threads_change_no_event(void **state)
{
    (void)state;
    static const char *const name[2] = {"thread-1", "thread-3"};
    struct fold f[2];
    char *text[2];
    for (int i = 0; i < 2; i++) {
        fold_open(&f[i]);
        struct il_stream *stream = start(name[i], i ? 3 : 1, 0, &f[i]);
        order_rows(3, 2 * SEEDS);
        put_ordered(stream, 0, ROWS * 3 / 2, 2 * ROWS);
        bootstrap(stream, IL_BOOTSTRAP_COLD);
        put_ordered(stream, ROWS * 3 / 2, ROWS * 7 / 4, 11);
        bootstrap(stream, IL_BOOTSTRAP_WARM);
        put_ordered(stream, ROWS * 7 / 4, 2 * ROWS, 11);
        text[i] = fold_text(&f[i], 1);
        il_stream_close(&stream);
        events_are(name[i], &f[i]);
    }
    same_text("threads", text[0], text[1]);
    assert_int_equal(f[0].seq, f[1].seq);
    assert_int_equal(f[0].retracted, f[1].retracted);
    for (int i = 0; i < 2; i++) {
        free(text[i]);
        fold_close(&f[i]);
    }
}

/* --------------------------------------------------------------------------------
 * changes
 */

/* A link that is no seed and surely right: the pair of the highest posterior. */
static size_t surest(const struct fold *f)
{
    size_t best = SIZE_MAX;
    for (size_t i = SEEDS; i < PAIRS; i++) {
        size_t a = demo.row[0][i];
        if (f->partner[0][a] == demo.row[1][i] &&
            (best == SIZE_MAX || f->posterior[a] > f->posterior[demo.row[0][best]]))
            best = i;
    }
    assert_true(best != SIZE_MAX);
    return best;
}

static void changes_retract(void **state)
{
    (void)state;
    struct fold f;
    float other[256];
    fold_open(&f);
    struct il_stream *stream = start("changes", 2, 0, &f);
    order_rows(0, 0);
    put_ordered(stream, 0, 2 * ROWS, 2 * ROWS);
    bootstrap(stream, IL_BOOTSTRAP_COLD);
    size_t pair = surest(&f);
    uint32_t a = demo.row[0][pair], b = demo.row[1][pair];
    uint64_t link_id = f.link_id[a], seq = f.seq;

    /* The same row again changes nothing. */
    put(stream, 0, a, NULL);
    commit(stream);
    assert_int_equal(f.seq, seq);

    /* Another vector under its id: the link ends. */
    il_matrix_to_f32(&demo.rows[0], demo.row[0][0], 1, other, demo.rows[0].dim);
    for (size_t q = 0; q < demo.rows[0].dim; q++)
        other[q] = -other[q];
    put(stream, 0, a, other);
    commit(stream);
    assert_true(f.seq > seq);
    assert_true(f.partner[0][a] != b);

    /* The old one comes back: so does the link, under its number. */
    put(stream, 0, a, NULL);
    commit(stream);
    assert_int_equal(f.partner[0][a], b);
    assert_true(f.link_id[a] == link_id);

    /* The other row goes and comes back, across a reopening. */
    drop(stream, 1, b);
    commit(stream);
    assert_true(f.partner[0][a] != b && f.partner[1][b] == NONE);
    il_stream_close(&stream);
    stream = start("changes", 2, 0, &f);
    /* All rows were judged again, which may end or begin a link; then there is no more
       to tell. */
    commit(stream);
    assert_true(f.partner[0][a] != b && f.partner[1][b] == NONE);
    seq = f.seq;
    commit(stream);
    assert_int_equal(f.seq, seq);
    put(stream, 1, b, NULL);
    commit(stream);
    assert_int_equal(f.partner[0][a], b);
    assert_true(f.link_id[a] == link_id);

    /* A seed ends only with its rows. */
    a = demo.row[0][0];
    b = demo.row[1][0];
    assert_true(f.partner[0][a] == b && f.seed[a]);
    drop(stream, 0, a);
    commit(stream);
    assert_true(f.partner[0][a] == NONE && f.partner[1][b] == NONE);
    put(stream, 0, a, NULL);
    commit(stream);
    assert_true(f.partner[0][a] == b && f.seed[a]);

    il_stream_close(&stream);
    events_are("changes", &f);
    fold_close(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_way_ends_alike),
        cmocka_unit_test(threads_change_no_event),
        cmocka_unit_test(changes_retract),
    };
    return cmocka_run_group_tests(tests, demo_setup, demo_teardown);
}
