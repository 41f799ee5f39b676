/* SPDX-License-Identifier: Apache-2.0 */
/* The incremental linker: what is linked does not depend on what came when. */
#include "tests/unit/unit.h"

#include "src/link/live.h"
#include "simd/simd.h"
#include "tests/unit/linkdata.h"

/* A pair of which the first rows of both sides were there at the bootstrap. */
struct world {
    struct ld_pair pair;
    size_t base[2];
    uint64_t *key[2];
    struct il_pair seeds[64]; /* by key */
    struct il_model *model;
};

static uint64_t key_of(int side, size_t row)
{
    struct ld_rng rng = {row * 2 + (size_t)side + 7};
    return ld_next(&rng);
}

static struct il_link_config quick(void)
{
    struct il_link_config config;
    il_link_config_init(&config);
    config.threads = 2;
    return config;
}

/* Seeds first, so that they are in every base. */
static void seeds_first(struct ld_pair *pair)
{
    for (size_t i = 0; i < pair->seed_count; i++) {
        for (int side = 0; side < 2; side++) {
            uint64_t *at = side ? &pair->seeds[i].b : &pair->seeds[i].a;
            size_t d = pair->d[side], row = (size_t)*at;
            for (size_t k = 0; k < d; k++) {
                float t = pair->x[side][i * d + k];
                pair->x[side][i * d + k] = pair->x[side][row * d + k];
                pair->x[side][row * d + k] = t;
            }
            uint32_t *partner = pair->partner[side], other = partner[i];
            partner[i] = partner[row];
            partner[row] = other;
            if (partner[i] != LD_NONE)
                pair->partner[!side][partner[i]] = (uint32_t)i;
            if (partner[row] != LD_NONE)
                pair->partner[!side][partner[row]] = (uint32_t)row;
            for (size_t j = i + 1; j < pair->seed_count; j++) {
                uint64_t *later = side ? &pair->seeds[j].b : &pair->seeds[j].a;
                if (*later == i)
                    *later = row;
            }
            *at = i;
        }
    }
}

static void world_open(struct world *w, const struct ld_plan *plan, double share)
{
    memset(w, 0, sizeof(*w));
    ld_open(&w->pair, plan);
    seeds_first(&w->pair);
    for (int side = 0; side < 2; side++) {
        w->base[side] = (size_t)(share * (double)w->pair.rows[side]);
        w->key[side] = calloc(w->pair.rows[side], sizeof(uint64_t));
        for (size_t i = 0; i < w->pair.rows[side]; i++)
            w->key[side][i] = key_of(side, i);
    }
    for (size_t i = 0; i < w->pair.seed_count; i++)
        w->seeds[i] = (struct il_pair){key_of(0, w->pair.seeds[i].a),
                                       key_of(1, w->pair.seeds[i].b)};
    struct il_matrix a = ld_matrix(&w->pair, 0), b = ld_matrix(&w->pair, 1);
    a.rows = w->base[0];
    b.rows = w->base[1];
    struct il_link_config config = quick();
    struct il_linking *linking;
    struct il_error error = {""};
    const uint64_t *const keys[2] = {w->key[0], w->key[1]};
    enum il_status status =
        il_link_model(&linking, &w->model, &a, &b, keys, w->pair.seeds,
                      w->pair.seed_count, NULL, &config, &error);
    if (status)
        fail_msg("%s", error.text);
    il_link_close(&linking);
}

static void world_close(struct world *w)
{
    il_model_free(&w->model);
    free(w->key[0]);
    free(w->key[1]);
    ld_close(&w->pair);
}

/* A live linker, and what it told: partner of each row of A by row, LD_NONE. */
struct run {
    struct world *w;
    struct il_live *live;
    uint32_t *handle[2]; /* of each row, IL_LIVE_NONE */
    uint32_t *row[2];    /* of each handle */
    uint32_t *told;
    size_t links, ends;
};

static void told(void *context, const struct il_live_change *change)
{
    struct run *r = context;
    uint32_t a = r->row[0][change->a], b = r->row[1][change->b];
    if (change->linked) {
        assert_int_equal(r->told[a], LD_NONE);
        assert_true(change->posterior >= 0 && change->posterior <= 1);
        r->told[a] = b;
        r->links++;
    } else {
        assert_int_equal(r->told[a], b);
        r->told[a] = LD_NONE;
        r->ends++;
    }
}

static void run_open(struct run *r, struct world *w, unsigned threads)
{
    *r = (struct run){.w = w};
    const struct il_live_config config = {threads, -1, w->seeds, w->pair.seed_count};
    assert_int_equal(il_live_open(&r->live, w->model, &config), IL_OK);
    for (int side = 0; side < 2; side++) {
        size_t rows = w->pair.rows[side];
        r->handle[side] = calloc(rows, sizeof(uint32_t));
        r->row[side] = calloc(2 * rows, sizeof(uint32_t));
        for (size_t i = 0; i < rows; i++)
            r->handle[side][i] = IL_LIVE_NONE;
    }
    r->told = calloc(w->pair.rows[0], sizeof(uint32_t));
    for (size_t i = 0; i < w->pair.rows[0]; i++)
        r->told[i] = LD_NONE;
}

static void run_close(struct run *r)
{
    il_live_close(&r->live);
    for (int side = 0; side < 2; side++) {
        free(r->handle[side]);
        free(r->row[side]);
    }
    free(r->told);
}

static void add(struct run *r, int side, const uint32_t *rows, size_t count)
{
    size_t d = r->w->pair.d[side];
    float *x = calloc(count * d + 1, sizeof(*x));
    uint64_t *keys = calloc(count + 1, sizeof(*keys));
    uint32_t *handles = calloc(count + 1, sizeof(*handles));
    for (size_t i = 0; i < count; i++) {
        memcpy(x + i * d, r->w->pair.x[side] + rows[i] * d, d * sizeof(*x));
        keys[i] = key_of(side, rows[i]);
    }
    assert_int_equal(il_live_add(r->live, side, count, keys, x, handles), IL_OK);
    for (size_t i = 0; i < count; i++) {
        r->handle[side][rows[i]] = handles[i];
        if (handles[i] != IL_LIVE_NONE)
            r->row[side][handles[i]] = rows[i];
    }
    free(x);
    free(keys);
    free(handles);
}

static void drop(struct run *r, int side, uint32_t row)
{
    assert_int_equal(il_live_remove(r->live, side, r->handle[side][row]), IL_OK);
    r->handle[side][row] = IL_LIVE_NONE;
}

static void settle(struct run *r, int calibrate)
{
    assert_int_equal(il_live_settle(r->live, calibrate, told, r), IL_OK);
}

static void add_range(struct run *r, int side, size_t from, size_t to)
{
    uint32_t *rows = calloc(to - from + 1, sizeof(*rows));
    for (size_t i = from; i < to; i++)
        rows[i - from] = (uint32_t)i;
    add(r, side, rows, to - from);
    free(rows);
}

static void add_all(struct run *r)
{
    add_range(r, 0, 0, r->w->pair.rows[0]);
    add_range(r, 1, 0, r->w->pair.rows[1]);
    settle(r, 1);
}

struct fold {
    struct run *r;
    size_t count;
};

static void compare_link(void *context, const struct il_live_change *change)
{
    struct fold *f = context;
    assert_int_equal(f->r->told[f->r->row[0][change->a]], f->r->row[1][change->b]);
    f->count++;
}

/* What was told adds up to what stands. */
static void adds_up(struct run *r)
{
    struct fold f = {r, 0};
    il_live_links(r->live, compare_link, &f);
    assert_int_equal(f.count, r->links - r->ends);
    struct il_live_info info;
    il_live_describe(r->live, &info);
    assert_int_equal(info.links, f.count);
}

static void assert_same_links(const struct run *x, const struct run *y)
{
    assert_memory_equal(x->told, y->told, x->w->pair.rows[0] * sizeof(uint32_t));
}

/* Right links and links. */
static void count_right(const struct run *r, size_t *right, size_t *links)
{
    *right = *links = 0;
    for (size_t i = 0; i < r->w->pair.rows[0]; i++) {
        *links += r->told[i] != LD_NONE;
        *right += r->told[i] != LD_NONE && r->told[i] == r->w->pair.partner[0][i];
    }
}

/* Large enough that the local scope is not a matter of these tests. */
static struct ld_plan plan_of_tests(void)
{
    struct ld_plan plan = ld_plan_small();
    plan.rows[0] = 700;
    plan.rows[1] = 640;
    plan.shared = 420;
    return plan;
}

static void arrivals_are_linked(void **state)
{
    (void)state;
    struct ld_plan plan = plan_of_tests();
    struct world w;
    struct run r;
    size_t right, links, before;
    world_open(&w, &plan, 0.6);
    run_open(&r, &w, 2);
    add_range(&r, 0, 0, w.base[0]);
    add_range(&r, 1, 0, w.base[1]);
    settle(&r, 1);
    count_right(&r, &before, &links);
    assert_true(before * 10 > links * 8);
    add_range(&r, 0, w.base[0], w.pair.rows[0]);
    add_range(&r, 1, w.base[1], w.pair.rows[1]);
    settle(&r, 0);
    adds_up(&r);
    count_right(&r, &right, &links);
    assert_true(right * 10 > links * 8 && right * 10 > w.pair.shared * 7);
    assert_true(right > before + before / 2);
    run_close(&r);
    world_close(&w);
}

/* All at once, one by one in any order, on any number of threads. */
static void order_does_not_matter(void **state)
{
    (void)state;
    struct ld_plan plan = plan_of_tests();
    struct world w;
    struct run all, each;
    world_open(&w, &plan, 0.6);
    run_open(&all, &w, 3);
    add_all(&all);
    run_open(&each, &w, 1);
    size_t n = w.pair.rows[0], both = n + w.pair.rows[1];
    struct ld_rng rng = {5};
    uint32_t *order = ld_order(&rng, both);
    for (size_t i = 0; i < both; i++) {
        uint32_t row = order[i] < n ? order[i] : order[i] - (uint32_t)n;
        add(&each, order[i] >= n, &row, 1);
        if (i % 7 == 0)
            settle(&each, 0);
    }
    settle(&each, 1);
    adds_up(&each);
    assert_same_links(&all, &each);
    free(order);
    run_close(&all);
    run_close(&each);
    world_close(&w);
}

/* Rows that went, and those that came again, leave no trace. */
static void removing_is_as_never_there(void **state)
{
    (void)state;
    struct ld_plan plan = plan_of_tests();
    struct world w;
    struct run some, more;
    world_open(&w, &plan, 0.6);
    size_t n = w.pair.rows[0], m = w.pair.rows[1];
    run_open(&some, &w, 2);
    add_range(&some, 0, 40, n);
    add_range(&some, 1, 0, m - 50);
    settle(&some, 1);
    run_open(&more, &w, 2);
    add_all(&more);
    for (uint32_t i = 0; i < 40; i++)
        drop(&more, 0, i);
    settle(&more, 0);
    adds_up(&more);
    for (uint32_t i = 0; i < 50; i++)
        drop(&more, 1, (uint32_t)(m - 1 - i));
    for (uint32_t i = 60; i < 90; i++)
        drop(&more, 0, i);
    settle(&more, 0);
    add_range(&more, 0, 60, 90);
    settle(&more, 1);
    adds_up(&more);
    assert_same_links(&some, &more);
    run_close(&some);
    run_close(&more);
    world_close(&w);
}

static void seeds_are_links_while_both_are_there(void **state)
{
    (void)state;
    struct ld_plan plan = plan_of_tests();
    struct world w;
    struct run r;
    world_open(&w, &plan, 0.6);
    run_open(&r, &w, 2);
    add_all(&r);
    for (uint32_t i = 0; i < w.pair.seed_count; i++)
        assert_int_equal(r.told[i], i);
    drop(&r, 1, 3);
    drop(&r, 0, 4);
    settle(&r, 0);
    assert_int_equal(r.told[3], LD_NONE);
    assert_int_equal(r.told[4], LD_NONE);
    add_range(&r, 1, 3, 4);
    settle(&r, 0);
    assert_int_equal(r.told[3], 3);
    adds_up(&r);
    run_close(&r);
    world_close(&w);
}

/* Seeds that the bootstrap set aside do not come back as links. */
static void wrong_seeds_are_no_links(void **state)
{
    (void)state;
    struct ld_plan plan = plan_of_tests();
    plan.wrong = 2;
    struct world w;
    struct run r;
    world_open(&w, &plan, 0.6);
    run_open(&r, &w, 2);
    add_all(&r);
    for (uint32_t i = 0; i < w.pair.seed_count; i++)
        assert_int_equal(r.told[i] == i, w.pair.partner[0][i] == i);
    adds_up(&r);
    run_close(&r);
    world_close(&w);
}

static void bad_rows_have_no_handle(void **state)
{
    (void)state;
    struct ld_plan plan = plan_of_tests();
    struct world w;
    struct run r;
    world_open(&w, &plan, 0.6);
    run_open(&r, &w, 2);
    memset(w.pair.x[0] + 20 * w.pair.d[0], 0, w.pair.d[0] * sizeof(float));
    w.pair.x[0][22 * w.pair.d[0]] = NAN;
    w.pair.x[0][23 * w.pair.d[0] + 1] = INFINITY;
    add_all(&r);
    assert_int_equal(r.handle[0][20], IL_LIVE_NONE);
    assert_int_equal(r.handle[0][22], IL_LIVE_NONE);
    assert_int_equal(r.handle[0][23], IL_LIVE_NONE);
    assert_true(r.handle[0][21] != IL_LIVE_NONE);
    struct il_live_info info;
    il_live_describe(r.live, &info);
    assert_int_equal(info.rows[0], w.pair.rows[0] - 3);
    run_close(&r);
    world_close(&w);
}

/* A model that was written and read judges as the one that was not. */
static void model_as_bytes(void **state)
{
    (void)state;
    struct ld_plan plan = plan_of_tests();
    struct world w;
    struct run x, y;
    unsigned char *data, *again;
    size_t bytes, more;
    struct il_error error = {""};
    world_open(&w, &plan, 0.6);
    run_open(&x, &w, 2);
    add_all(&x);
    assert_int_equal(il_model_write(w.model, &data, &bytes), IL_OK);
    struct il_model *own = w.model, *read = NULL;
    assert_int_equal(il_model_read(&read, data, bytes, "m", &error), IL_OK);
    assert_int_equal(il_model_write(read, &again, &more), IL_OK);
    assert_int_equal(bytes, more);
    assert_memory_equal(data, again, bytes);
    w.model = read;
    run_open(&y, &w, 2);
    add_all(&y);
    assert_same_links(&x, &y);
    run_close(&x);
    run_close(&y);
    il_model_free(&own);
    il_free(data);
    il_free(again);
    world_close(&w);
}

static void damaged_models_are_refused(void **state)
{
    (void)state;
    struct ld_plan plan = plan_of_tests();
    struct world w;
    unsigned char *data;
    size_t bytes;
    struct il_model *read = NULL;
    struct il_error error = {""};
    world_open(&w, &plan, 0.6);
    assert_int_equal(il_model_write(w.model, &data, &bytes), IL_OK);
    for (size_t i = 0; i < bytes; i += i < 256 ? 1 : bytes / 97) {
        unsigned char was = data[i];
        data[i] ^= 0x10;
        assert_int_not_equal(il_model_read(&read, data, bytes, "m", &error), IL_OK);
        assert_null(read);
        data[i] = was;
        assert_int_not_equal(il_model_read(&read, data, i, "m", &error), IL_OK);
        assert_null(read);
    }
    il_free(data);
    world_close(&w);
}

/* A start from the links that stand needs no trials and finds no less. */
static void warm_starts(void **state)
{
    (void)state;
    struct ld_plan plan = plan_of_tests();
    struct world w;
    world_open(&w, &plan, 1);
    struct il_matrix a = ld_matrix(&w.pair, 0), b = ld_matrix(&w.pair, 1);
    struct il_link_config config = quick();
    struct il_linking *cold, *warm;
    struct il_model *model = NULL;
    struct il_error error = {""};
    const uint64_t *const keys[2] = {w.key[0], w.key[1]};
    assert_int_equal(
        il_link_run(&cold, &a, &b, w.pair.seeds, w.pair.seed_count, &config, &error),
        IL_OK);
    struct il_warm from;
    from.links = il_link_links(cold, &from.count);
    assert_int_equal(il_link_model(&warm, &model, &a, &b, keys, w.pair.seeds,
                                   w.pair.seed_count, &from, &config, &error),
                     IL_OK);
    const struct il_link_report *report = il_link_report(warm);
    assert_true(report->rounds < il_link_report(cold)->rounds);
    assert_true(report->links * 20 > il_link_report(cold)->links * 19);
    assert_int_equal(report->seeds_tested, w.pair.seed_count);
    assert_true(il_model_anchors(model) > w.pair.seed_count);
    il_model_free(&model);
    il_link_close(&warm);
    il_link_close(&cold);
    world_close(&w);
}

/* Memory may run out at any call: it is told, and nothing is lost but the linker. */
static enum il_status use(void *context)
{
    struct world *w = context;
    struct il_live *live = NULL;
    const struct il_live_config config = {1, -1, w->seeds, w->pair.seed_count};
    uint32_t *handles = malloc(w->pair.rows[0] * sizeof(*handles));
    enum il_status status = il_live_open(&live, w->model, &config);
    for (int side = 0; side < 2 && !status; side++)
        status = il_live_add(live, side, 120, w->key[side], w->pair.x[side], handles);
    status = status ? status : il_live_settle(live, 1, NULL, NULL);
    status = status ? status : il_live_remove(live, 1, handles[7]);
    status = status ? status : il_live_settle(live, 0, NULL, NULL);
    il_live_close(&live);
    free(handles);
    return status;
}

static void memory_faults_are_told(void **state)
{
    (void)state;
    struct ld_plan plan = plan_of_tests();
    struct world w;
    world_open(&w, &plan, 0.6);
    assert_true(unit_starve(use, &w) > 50);
    world_close(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(arrivals_are_linked),
        cmocka_unit_test(order_does_not_matter),
        cmocka_unit_test(removing_is_as_never_there),
        cmocka_unit_test(seeds_are_links_while_both_are_there),
        cmocka_unit_test(wrong_seeds_are_no_links),
        cmocka_unit_test(bad_rows_have_no_handle),
        cmocka_unit_test(model_as_bytes),
        cmocka_unit_test(damaged_models_are_refused),
        cmocka_unit_test(warm_starts),
        cmocka_unit_test(memory_faults_are_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
