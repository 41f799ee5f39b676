/* SPDX-License-Identifier: Apache-2.0 */
/* Partitions of the anchors, and the method geh-published with global and with local
 * views. */
#include "tests/unit/unit.h"

#include "src/link/partition.h"

#define D 24
#define N 420
#define M 380
#define SHARED 300
#define SEEDS 12

/* Two sides: the first SHARED rows of A are rows of B too, in another order and with the
   columns permuted, which keeps all distances; a little noise. */
struct world {
    struct il_frame frame;
    struct il_side a, b;
    uint32_t partner[N]; /* row of B; UINT32_MAX = none */
    struct il_anchor anchors[SHARED];
};

static float noise(struct il_rng *rng)
{
    float sum = 0;
    for (int i = 0; i < 6; i++)
        sum += (float)il_rng_below(rng, 1 << 20) / (1 << 20) - 0.5f;
    return sum;
}

static void world_open(struct world *w, unsigned threads)
{
    memset(w, 0, sizeof(*w));
    w->frame.simd = il_simd();
    assert_int_equal(il_pool_open(&w->frame.pool, threads), IL_OK);
    struct il_rng rng = il_rng_make(11, 0, 0, IL_FOR_NULL);
    w->a = (struct il_side){.rows = N, .d = D, .x = il_alloc(N * D, sizeof(float))};
    w->b = (struct il_side){.rows = M, .d = D, .x = il_alloc(M * D, sizeof(float))};
    float topic[8][D];
    uint32_t column[D], row[M];
    for (int t = 0; t < 8; t++)
        for (int k = 0; k < D; k++)
            topic[t][k] = noise(&rng);
    for (uint32_t k = 0; k < D; k++)
        column[k] = k;
    for (uint32_t v = 0; v < M; v++)
        row[v] = v;
    il_rng_shuffle(&rng, column, D);
    il_rng_shuffle(&rng, row, M);
    for (int u = 0; u < N; u++)
        for (int k = 0; k < D; k++)
            w->a.x[u * D + k] = topic[u % 8][k] + 0.8f * noise(&rng);
    for (int i = 0; i < M; i++)
        for (int k = 0; k < D; k++)
            w->b.x[row[i] * D + column[k]] = i < SHARED
                                                 ? w->a.x[i * D + k] + 0.03f * noise(&rng)
                                                 : topic[i % 8][k] + 0.8f * noise(&rng);
    for (uint32_t u = 0; u < N; u++)
        w->partner[u] = u < SHARED ? row[u] : UINT32_MAX;
    for (uint32_t u = 0; u < SHARED; u++)
        w->anchors[u] = (struct il_anchor){u, row[u], 1};
    w->frame.simd->normalise_f32(w->a.x, N, D, D);
    w->frame.simd->normalise_f32(w->b.x, M, D, D);
}

static void world_close(struct world *w)
{
    il_pool_close(&w->frame.pool);
    il_side_free(&w->a);
    il_side_free(&w->b);
}

static struct il_partition_options small_options(void)
{
    struct il_partition_options options;
    il_partition_options_init(&options);
    options.pool_min = 100;
    options.anchors_max = 60;
    options.anchors_min = 4;
    return options;
}

static double distance2(const float *x, const float *y)
{
    double sum = 0;
    for (int k = 0; k < D; k++)
        sum += ((double)x[k] - y[k]) * ((double)x[k] - y[k]);
    return sum;
}

/* Mean of a view's anchors on one side. */
static void view_mean(const struct world *w, const struct il_partition *p, size_t view,
                      int side, float *mean)
{
    double sum[D] = {0};
    size_t count = p->anchor_first[view + 1] - p->anchor_first[view];
    for (size_t i = p->anchor_first[view]; i < p->anchor_first[view + 1]; i++) {
        const struct il_anchor *anchor = &w->anchors[p->anchor[i]];
        const float *x = side ? w->b.x + anchor->b * D : w->a.x + anchor->a * D;
        for (int k = 0; k < D; k++)
            sum[k] += x[k];
    }
    for (int k = 0; k < D; k++)
        mean[k] = (float)(sum[k] / (double)count);
}

static void partition_is_consistent(void **state)
{
    (void)state;
    struct world w;
    world_open(&w, 2);
    struct il_partition_options options = small_options();
    options.anchors_max = 50;
    options.anchors_min = 1;
    struct il_partition p;
    assert_int_equal(
        il_partition_build(&w.frame, &w.a, &w.b, w.anchors, SHARED, &options, 1, 0, &p),
        IL_OK);
    assert_int_equal(p.views, 6);
    /* No anchor twice, no view too large, ascending inside a view. */
    int seen[SHARED] = {0}, capped = 0;
    for (size_t v = 0; v < p.views; v++) {
        size_t first = p.anchor_first[v], end = p.anchor_first[v + 1];
        assert_true(end >= first && end - first <= options.anchors_max);
        capped |= end - first == options.anchors_max;
        for (size_t i = first; i < end; i++) {
            assert_true(p.anchor[i] < SHARED && !seen[p.anchor[i]]++);
            assert_true(i == first || p.anchor[i] > p.anchor[i - 1]);
        }
    }
    /* Rows join distinct views, as members() lists them; the first is the nearest centre,
       up to the sampling of large clusters. */
    uint32_t member[N];
    for (int side = 0; side < 2; side++) {
        size_t rows = side ? M : N, total = 0, nearest = 0;
        for (size_t v = 0; v < p.views; v++) {
            size_t count = il_partition_members(&p, side, v, member);
            total += count;
            for (size_t i = 0; i < count; i++) {
                const uint16_t *j = p.joined[side] + 2 * member[i];
                assert_true((j[0] == v) != (j[1] == v));
            }
        }
        assert_int_equal(total, 2 * rows);
        float mean[8][D];
        for (size_t v = 0; v < p.views; v++)
            view_mean(&w, &p, v, side, mean[v]);
        for (size_t i = 0; i < rows; i++) {
            const float *x = (side ? w.b.x : w.a.x) + i * D;
            size_t best = 0;
            for (size_t v = 1; v < p.views; v++)
                best = distance2(x, mean[v]) < distance2(x, mean[best]) ? v : best;
            nearest += p.joined[side][2 * i] == best;
        }
        assert_true(nearest >= (capped ? rows * 9 / 10 : rows - 1));
    }
    il_partition_trim(&p);
    assert_null(p.anchor);
    for (uint32_t u = 0; u < N; u += 7) {
        for (uint32_t v = 0; v < M; v++) {
            int met = 0;
            for (int e = 0; e < 4; e++)
                met |= p.joined[0][2 * u + e / 2] == p.joined[1][2 * v + e % 2];
            assert_int_equal(il_partition_meets(&p, u, v), met);
        }
    }
    il_partition_free(&p);
    world_close(&w);
}

static void partners_meet(void **state)
{
    (void)state;
    struct world w;
    world_open(&w, 1);
    const struct il_partition_options options = small_options();
    struct il_partition p;
    assert_int_equal(
        il_partition_build(&w.frame, &w.a, &w.b, w.anchors, SHARED, &options, 1, 0, &p),
        IL_OK);
    size_t met = 0;
    for (uint32_t u = 0; u < SHARED; u++)
        met += (size_t)il_partition_meets(&p, u, w.partner[u]);
    assert_true(met >= SHARED * 95 / 100);
    il_partition_free(&p);
    world_close(&w);
}

/* Replicates differ; the number of threads and the instruction set change nothing. */
static void replicates_are_reproducible(void **state)
{
    (void)state;
    const struct il_partition_options options = small_options();
    struct il_simd ref;
    il_simd_init(&ref, IL_ISA_REF);
    uint16_t first[2 * N];
    int differ = 0;
    for (int turn = 0; turn < 4; turn++) {
        struct world w;
        world_open(&w, turn == 1 ? 3 : 1);
        w.frame.simd = turn == 2 ? &ref : w.frame.simd;
        struct il_partition p;
        assert_int_equal(il_partition_build(&w.frame, &w.a, &w.b, w.anchors, SHARED,
                                            &options, 1, turn == 3, &p),
                         IL_OK);
        if (turn == 0)
            memcpy(first, p.joined[0], sizeof(first));
        else if (turn < 3)
            assert_memory_equal(first, p.joined[0], sizeof(first));
        else
            differ = memcmp(first, p.joined[0], sizeof(first)) != 0;
        il_partition_free(&p);
        world_close(&w);
    }
    assert_true(differ);
}

static void odd_pools(void **state)
{
    (void)state;
    struct world w;
    world_open(&w, 2);
    struct il_partition_options options = small_options();
    struct il_partition p;
    enum il_status status =
        il_partition_build(&w.frame, &w.a, &w.b, w.anchors, 0, &options, 1, 0, &p);
    assert_int_equal(status, IL_EARG);
    options.nearest = IL_TOP + 1;
    status = il_partition_build(&w.frame, &w.a, &w.b, w.anchors, 9, &options, 1, 0, &p);
    assert_int_equal(status, IL_EARG);
    options.nearest = 2;
    /* One view: every row joins it, and nothing else. */
    status = il_partition_build(&w.frame, &w.a, &w.b, w.anchors, 9, &options, 1, 0, &p);
    assert_int_equal(status, IL_OK);
    assert_int_equal(p.views, 1);
    assert_int_equal(p.joined[0][0], 0);
    assert_int_equal(p.joined[0][1], IL_VIEW_NONE);
    assert_true(il_partition_meets(&p, 3, 5));
    il_partition_free(&p);
    /* All anchors alike: all go to the lowest of the equal centres. */
    struct il_anchor same[40];
    for (int i = 0; i < 40; i++)
        same[i] = w.anchors[0];
    options.anchors_max = 10;
    status = il_partition_build(&w.frame, &w.a, &w.b, same, 40, &options, 1, 0, &p);
    assert_int_equal(status, IL_OK);
    assert_int_equal(p.views, 4);
    assert_int_equal(p.anchor_first[1], 10);
    assert_int_equal(p.anchor_first[4], 10);
    il_partition_free(&p);
    /* Too few anchors for any view: nobody meets. */
    options.anchors_min = 1000;
    status =
        il_partition_build(&w.frame, &w.a, &w.b, w.anchors, SHARED, &options, 1, 0, &p);
    assert_int_equal(status, IL_OK);
    assert_false(il_partition_meets(&p, 0, w.partner[0]));
    il_partition_free(&p);
    world_close(&w);
}

static enum il_status starved_build(void *context)
{
    struct world *w = context;
    const struct il_partition_options options = small_options();
    struct il_partition p;
    enum il_status status = il_partition_build(&w->frame, &w->a, &w->b, w->anchors,
                                               SHARED, &options, 1, 0, &p);
    if (!status)
        il_partition_free(&p);
    return status;
}

static void memory_faults_are_told(void **state)
{
    (void)state;
    struct world w;
    world_open(&w, 1);
    assert_true(unit_starve(starved_build, &w) > 20);
    world_close(&w);
}

/* ------------------------------------------------------------------------------ the
 * method */

struct outcome {
    enum il_status status;
    size_t right, links;
    struct il_found found[N];
    struct il_link_report report;
};

static void run_method(struct world *w, const struct il_link_config *config,
                       const struct il_partition_options *options, struct outcome *out)
{
    memset(out, 0, sizeof(*out));
    struct il_method_job job = {.frame = &w->frame,
                                .config = config,
                                .seeds = w->anchors,
                                .seed_count = SEEDS,
                                .report = &out->report};
    out->status = il_geh_published_with(&job, &w->a, &w->b, options);
    out->links = job.link_count;
    for (size_t i = 0; i < job.link_count && !out->status; i++) {
        const struct il_found *f = &job.links[i];
        out->found[i] = *f;
        out->right += w->partner[f->a] == f->b;
        assert_true(f->a >= SEEDS && f->votes <= f->opportunities);
        assert_true(f->posterior == (1.0 + f->votes) / (2.0 + f->opportunities));
        assert_true(f->round >= 1 && f->round <= out->report.rounds);
        assert_true(f->margin >= 0 && f->margin <= 2);
    }
    il_free(job.links);
}

static struct il_link_config quick_config(void)
{
    struct il_link_config config = {
        .struct_bytes = sizeof(config), .posterior_min = -1, .views = 4};
    return config;
}

static void assert_good(const struct outcome *out)
{
    assert_int_equal(out->status, IL_OK);
    assert_true(out->right * 100 >= (SHARED - SEEDS) * 85);
    assert_true(out->right * 100 >= out->links * 85);
    assert_true(out->report.precision > 0.5 && out->report.precision <= 1);
    assert_true(out->report.precision_low <= out->report.precision);
    assert_true(out->report.precision_high >= out->report.precision);
    assert_int_equal(out->report.rounds, 8);
}

static void method_finds_the_links(void **state)
{
    (void)state;
    struct world w;
    world_open(&w, 2);
    struct il_link_config config = quick_config();
    static struct outcome global, local, again;
    run_method(&w, &config, NULL, &global);
    assert_good(&global);
    assert_string_equal(global.report.stage[0].name, "views");
    const struct il_partition_options options = small_options();
    run_method(&w, &config, &options, &local);
    assert_good(&local);
    /* The last round was local: opportunities are replicates, at most 7 rounds of 4. */
    for (size_t i = 0; i < local.links; i++)
        assert_true(local.found[i].opportunities <= 28);
    world_close(&w);
    world_open(&w, 1);
    run_method(&w, &config, &options, &again);
    assert_memory_equal(local.found, again.found, sizeof(local.found));
    if (w.frame.simd->gauss_f32) {
        config.weighting = 1;
        run_method(&w, &config, NULL, &again);
        assert_good(&again);
        struct il_simd bare = *w.frame.simd;
        bare.gauss_f32 = NULL;
        w.frame.simd = &bare;
        run_method(&w, &config, NULL, &again);
        assert_int_equal(again.status, IL_EARG);
    }
    world_close(&w);
}

static void least_posterior_replaces_otsu(void **state)
{
    (void)state;
    struct world w;
    world_open(&w, 2);
    struct il_link_config config = quick_config();
    static struct outcome all, few;
    config.posterior_min = 0;
    run_method(&w, &config, NULL, &all);
    config.posterior_min = 0.9;
    run_method(&w, &config, NULL, &few);
    assert_true(few.links > 0 && few.links < all.links);
    for (size_t i = 0; i < few.links; i++)
        assert_true(few.found[i].posterior >= 0.9);
    for (size_t i = 0; i < all.links; i++) { /* one to one */
        for (size_t j = i + 1; j < all.links; j++) {
            assert_int_not_equal(all.found[i].a, all.found[j].a);
            assert_int_not_equal(all.found[i].b, all.found[j].b);
        }
    }
    world_close(&w);
}

/* Cancels after a number of progress calls. */
struct brake {
    atomic_int cancel;
    int left;
    double last;
};

static void brake_progress(void *context, const char *stage, double done, double total)
{
    struct brake *brake = context;
    assert_string_equal(stage, "views");
    assert_true(done >= brake->last && done <= total);
    brake->last = done;
    if (brake->left-- == 0)
        atomic_store(&brake->cancel, 1);
}

static void cancel_stops_the_run(void **state)
{
    (void)state;
    const struct il_partition_options options = small_options();
    for (int left = 0; left < 200; left += 37) {
        struct world w;
        world_open(&w, 1);
        struct brake brake = {.left = left};
        w.frame.cancel = &brake.cancel;
        struct il_link_config config = quick_config();
        config.progress = brake_progress;
        config.progress_context = &brake;
        static struct outcome out;
        run_method(&w, &config, &options, &out);
        assert_int_equal(out.status, brake.left < 0 ? IL_ECANCEL : IL_OK);
        assert_true(out.status == IL_OK || out.links == 0);
        world_close(&w);
    }
}

static void tiny_sides(void **state)
{
    (void)state;
    struct world w;
    world_open(&w, 2);
    struct il_link_config config = quick_config();
    static struct outcome out;
    w.a.rows = SEEDS + 1; /* all but one row of A are seeds */
    run_method(&w, &config, NULL, &out);
    assert_int_equal(out.status, IL_OK);
    assert_true(out.links <= 1);
    w.a.rows = N;
    struct il_method_job job = {
        .frame = &w.frame, .config = &config, .report = &out.report};
    assert_int_equal(il_geh_published(&job, &w.a, &w.b), IL_EARG);
    world_close(&w);
}

static void method_survives_memory_faults(void **state)
{
    (void)state;
    struct world w;
    world_open(&w, 1);
    const struct il_partition_options options = small_options();
    struct il_link_config config = quick_config();
    config.views = 2;
    w.a.rows = 200; /* all rows shared: local views from the second or third round on */
    static struct outcome out;
    for (long k = 1;; k = k < 40 ? k + 1 : k + k / 6) {
        il_alloc_fail_at(k);
        run_method(&w, &config, &options, &out);
        long calls = il_alloc_calls();
        il_alloc_fail_at(0);
        if (calls < k)
            break;
        assert_int_equal(out.status, IL_ENOMEM);
        assert_int_equal(out.links, 0);
    }
    assert_int_equal(out.status, IL_OK);
    world_close(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(partition_is_consistent),
        cmocka_unit_test(partners_meet),
        cmocka_unit_test(replicates_are_reproducible),
        cmocka_unit_test(odd_pools),
        cmocka_unit_test(memory_faults_are_told),
        cmocka_unit_test(method_finds_the_links),
        cmocka_unit_test(least_posterior_replaces_otsu),
        cmocka_unit_test(cancel_stops_the_run),
        cmocka_unit_test(tiny_sides),
        cmocka_unit_test(method_survives_memory_faults),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
