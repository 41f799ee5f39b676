/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/unit.h"

#include "src/link/start.h"
#include "tests/unit/linkdata.h"

/* One start and what it gave. */
struct outcome {
    enum il_status status;
    struct il_mutual pairs[400];
    size_t count;
    struct il_top3 *row, *col;
};

struct world {
    struct il_frame frame;
    struct ld_pair pair;
    struct il_side side[2];
    struct il_anchor *seeds;
};

static void world_open(struct world *w, const struct ld_plan *plan,
                       const struct il_simd *simd, unsigned threads)
{
    ld_frame_open(&w->frame, simd, threads);
    ld_open(&w->pair, plan);
    ld_sides(&w->frame, &w->pair, w->side);
    w->seeds = ld_anchors(&w->pair);
}

static void world_close(struct world *w)
{
    free(w->seeds);
    ld_sides_free(w->side);
    ld_close(&w->pair);
    ld_frame_close(&w->frame);
}

static struct outcome run(struct world *w, const struct il_start_options *options)
{
    struct outcome o = {.count = 0};
    o.row = il_top3_new(w->side[0].rows);
    o.col = il_top3_new(w->side[1].rows);
    o.status = o.row && o.col ? il_start_run(&w->frame, &w->side[0], &w->side[1],
                                             w->seeds, w->pair.seed_count, options,
                                             o.pairs, &o.count, o.row, o.col)
                              : IL_ENOMEM;
    return o;
}

static void outcome_free(struct outcome *o)
{
    il_free(o->row);
    il_free(o->col);
}

static size_t right_pairs(const struct world *w, const struct outcome *o)
{
    size_t right = 0;
    for (size_t i = 0; i < o->count; i++)
        right += w->pair.partner[0][o->pairs[i].a] == o->pairs[i].b;
    return right;
}

/* One start of 15 seeds: half of the pairs in the mean, and one draw may be unlucky (the
   trials run several). */
static void a_few_seeds_find_the_others(void **state)
{
    (void)state;
    double mean = 0, share = 0;
    for (uint64_t draw = 1; draw <= 24; draw++) {
        struct ld_plan plan = ld_plan_small();
        plan.draw = draw;
        struct world w;
        world_open(&w, &plan, NULL, 2);
        struct il_start_options options;
        il_start_options_init(&options);
        struct outcome o = run(&w, &options);
        assert_int_equal(o.status, IL_OK);
        size_t right = right_pairs(&w, &o),
               again = il_mutual_pairs(o.row, 360, o.col, o.pairs);
        assert_true(right >= 30 && o.count >= 100);
        mean += (double)right / 24;
        share += (double)right / (double)o.count / 24;
        /* The pairs are those of the lists, ascending in a. */
        assert_int_equal(again, o.count);
        for (size_t i = 1; i < o.count; i++)
            assert_true(o.pairs[i].a > o.pairs[i - 1].a);
        outcome_free(&o);
        world_close(&w);
    }
    print_message("24 draws: %.1f of 200 right, %.3f of the pairs\n", mean, share);
    assert_true(mean >= 100 && share >= 0.5);
}

/* From noise nothing settles: starts that throw other folds end with other pairs. */
static void noise_does_not_confirm_itself(void **state)
{
    (void)state;
    struct ld_plan plan = ld_plan_small();
    plan.noise_b = 1;
    struct world w;
    world_open(&w, &plan, NULL, 2);
    struct il_start_options options;
    il_start_options_init(&options);
    struct outcome first = run(&w, &options);
    options.stream = 1;
    struct outcome second = run(&w, &options);
    size_t same = 0, seeds = w.pair.seed_count;
    for (size_t i = 0; i < first.count; i++)
        for (size_t j = 0; j < second.count; j++)
            same += first.pairs[i].a == second.pairs[j].a &&
                    first.pairs[i].b == second.pairs[j].b;
    print_message("noise: %zu and %zu pairs, %zu in common\n", first.count, second.count,
                  same);
    assert_true(first.count > 20 && same <= seeds + first.count / 4);
    outcome_free(&first);
    outcome_free(&second);
    world_close(&w);
}

static void resume_goes_on_from_given_pairs(void **state)
{
    (void)state;
    struct ld_plan plan = ld_plan_small();
    struct world w;
    world_open(&w, &plan, NULL, 2);
    struct il_start_options options;
    il_start_options_init(&options);
    options.resume = 1;
    options.turns_min = options.turns_max = 2;
    options.rank_first = options.rank_last;
    struct il_anchor anchors[400];
    size_t count = ld_true_anchors(&w.pair, anchors);
    struct outcome o = {.count = count};
    o.row = il_top3_new(360);
    o.col = il_top3_new(330);
    for (size_t i = 0; i < count; i++)
        o.pairs[i] = (struct il_mutual){anchors[i].a, anchors[i].b, 0};
    assert_int_equal(il_start_run(&w.frame, &w.side[0], &w.side[1], w.seeds, 15, &options,
                                  o.pairs, &o.count, o.row, o.col),
                     IL_OK);
    /* Two turns are not enough from seeds alone with this rank, but from the truth. */
    assert_true(right_pairs(&w, &o) > 160);
    outcome_free(&o);
    world_close(&w);
}

static void equal_bits_on_every_isa_and_thread_count(void **state)
{
    (void)state;
    struct il_simd table[4];
    size_t isas = ld_isas(table);
    struct ld_plan plan = ld_plan_small();
    struct outcome first = {.count = 0};
    for (size_t t = 0; t < 3 * isas; t++) {
        struct world w;
        world_open(&w, &plan, &table[t / 3], 1 + (unsigned)t % 3);
        struct il_start_options options;
        il_start_options_init(&options);
        options.turns_min = options.turns_max = 4;
        struct outcome o = run(&w, &options);
        assert_int_equal(o.status, IL_OK);
        if (t == 0) {
            first = o;
        } else {
            assert_int_equal(o.count, first.count);
            for (size_t i = 0; i < o.count; i++)
                assert_memory_equal(&o.pairs[i], &first.pairs[i], sizeof(o.pairs[i]));
            ld_top3_equal(o.row, first.row, 360);
            ld_top3_equal(o.col, first.col, 330);
            outcome_free(&o);
        }
        world_close(&w);
    }
    outcome_free(&first);
}

/* More seeds than turn 0 takes: some of them begin, all of them are anchors. */
static void many_seeds_begin_with_some(void **state)
{
    (void)state;
    struct ld_plan plan = {.rows = {400, 400},
                           .shared = 380,
                           .d = {20, 24},
                           .latent = 12,
                           .clusters = 10,
                           .seeds = 300,
                           .noise = 0.02,
                           .bend = 0.2,
                           .draw = 5};
    struct world w;
    struct il_start_options options;
    il_start_options_init(&options);
    world_open(&w, &plan, NULL, 2);
    struct outcome o = run(&w, &options);
    assert_int_equal(o.status, IL_OK);
    print_message("%zu of %zu pairs right, 380 shared\n", right_pairs(&w, &o), o.count);
    assert_true(right_pairs(&w, &o) > 250);
    outcome_free(&o);
    world_close(&w);
}

/* Sides of enough rows for clusters, coordinates whitened in the fits: finds the pairs,
   with equal bytes for every number of threads. */
static void large_sides_start_in_clusters(void **state)
{
    (void)state;
    struct ld_plan plan = {.rows = {5200, 5000},
                           .shared = 2600,
                           .d = {20, 24},
                           .latent = 12,
                           .clusters = 60,
                           .seeds = 25,
                           .noise = 0.02,
                           .bend = 0.2,
                           .draw = 3};
    struct il_start_options options;
    struct il_mutual *pairs[2] = {NULL};
    size_t count[2] = {0}, right = 0;
    il_start_options_init(&options);
    options.local = options.whiten = options.patient = 1;
    for (int run = 0; run < 2; run++) {
        struct world w;
        world_open(&w, &plan, NULL, run ? 3 : 1);
        struct il_top3 *row = il_top3_new(5200), *col = il_top3_new(5000);
        pairs[run] = il_alloc(5000, sizeof **pairs);
        assert_int_equal(il_start_run(&w.frame, &w.side[0], &w.side[1], w.seeds,
                                      w.pair.seed_count, &options, pairs[run],
                                      &count[run], row, col),
                         IL_OK);
        for (size_t i = 0; i < count[run] && !run; i++)
            right += w.pair.partner[0][pairs[run][i].a] == pairs[run][i].b;
        il_free(row);
        il_free(col);
        world_close(&w);
    }
    print_message("%zu of %zu pairs right, 2600 shared\n", right, count[0]);
    assert_true(right > 1300);
    assert_int_equal(count[0], count[1]);
    assert_memory_equal(pairs[0], pairs[1], count[0] * sizeof **pairs);
    il_free(pairs[0]);
    il_free(pairs[1]);
}

static void tiny_sides(void **state)
{
    (void)state;
    for (size_t rows = 3; rows <= 20; rows++) {
        struct ld_plan plan = ld_plan_small();
        plan.rows[0] = plan.rows[1] = plan.shared = rows;
        plan.d[0] = 1 + rows % 3;
        plan.seeds = 3;
        struct world w;
        world_open(&w, &plan, NULL, 1);
        struct il_start_options options;
        il_start_options_init(&options);
        options.folds = 16;
        struct outcome o = run(&w, &options);
        assert_int_equal(o.status, IL_OK);
        assert_true(o.count <= rows);
        outcome_free(&o);
        world_close(&w);
    }
}

static void cancel_stops_it(void **state)
{
    (void)state;
    struct ld_plan plan = ld_plan_small();
    struct world w;
    world_open(&w, &plan, NULL, 2);
    il_atomic_int cancel;
    atomic_init(&cancel, 1);
    w.frame.cancel = &cancel;
    struct il_start_options options;
    il_start_options_init(&options);
    struct outcome o = run(&w, &options);
    assert_int_equal(o.status, IL_ECANCEL);
    outcome_free(&o);
    world_close(&w);
}

static enum il_status use(void *context)
{
    struct il_start_options options;
    il_start_options_init(&options);
    options.turns_min = options.turns_max = 2;
    struct outcome o = run(context, &options);
    outcome_free(&o);
    return o.status;
}

static void memory_faults_are_told(void **state)
{
    (void)state;
    struct ld_plan plan = ld_plan_small();
    plan.rows[0] = plan.rows[1] = plan.shared = 60;
    struct world w;
    world_open(&w, &plan, NULL, 2);
    assert_true(unit_starve(use, &w) > 50);
    world_close(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_few_seeds_find_the_others),
        cmocka_unit_test(noise_does_not_confirm_itself),
        cmocka_unit_test(resume_goes_on_from_given_pairs),
        cmocka_unit_test(equal_bits_on_every_isa_and_thread_count),
        cmocka_unit_test(many_seeds_begin_with_some),
        cmocka_unit_test(large_sides_start_in_clusters),
        cmocka_unit_test(tiny_sides),
        cmocka_unit_test(cancel_stops_it),
        cmocka_unit_test(memory_faults_are_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
