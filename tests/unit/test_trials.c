/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/unit.h"

#include "src/link/trials.h"
#include "tests/unit/linkdata.h"

struct world {
    struct il_frame frame;
    struct ld_pair pair;
    struct il_side side[2];
    struct il_anchor *seeds;
    struct il_trials trials;
    int unseeded;
};

static void world_open(struct world *w, const struct ld_plan *plan,
                       const struct il_simd *simd, unsigned threads)
{
    memset(w, 0, sizeof(*w));
    ld_frame_open(&w->frame, simd, threads);
    ld_open(&w->pair, plan);
    ld_sides(&w->frame, &w->pair, w->side);
    w->seeds = ld_anchors(&w->pair);
}

static void world_close(struct world *w)
{
    il_trials_free(&w->trials);
    free(w->seeds);
    ld_sides_free(w->side);
    ld_close(&w->pair);
    ld_frame_close(&w->frame);
}

static enum il_status run(struct world *w)
{
    return (w->unseeded ? il_trials_unseeded : il_trials_run)(
        &w->frame, &w->side[0], &w->side[1], w->seeds, w->pair.seed_count, &w->trials);
}

static void check_shape(const struct world *w)
{
    const struct il_trials *t = &w->trials;
    size_t most = w->pair.seed_count < 64 ? w->pair.seed_count : 64;
    assert_true(t->count >= 1 && t->count <= IL_TRIALS_MAX);
    assert_true(t->found <= t->tested && t->tested <= most);
    assert_true(t->agreement >= 0 && t->agreement <= 1 && t->chance >= 0);
    uint8_t taken[1000] = {0};
    for (size_t i = 0; i < t->pair_count; i++) {
        assert_true(t->pairs[i].a < w->pair.rows[0] && t->pairs[i].b < w->pair.rows[1]);
        assert_true(i == 0 || t->pairs[i].a > t->pairs[i - 1].a);
        assert_int_equal(taken[t->pairs[i].b]++, 0);
    }
}

static void sound_on_related_sides(void **state)
{
    (void)state;
    for (uint64_t draw = 1; draw <= 4; draw++) {
        struct ld_plan plan = ld_plan_small();
        plan.draw = draw;
        plan.wrong = draw == 4 ? 3 : 0;
        struct world w;
        world_open(&w, &plan, NULL, 2);
        assert_int_equal(run(&w), IL_OK);
        check_shape(&w);
        size_t right = 0;
        for (size_t i = 0; i < w.trials.pair_count; i++)
            right += w.pair.partner[0][w.trials.pairs[i].a] == w.trials.pairs[i].b;
        print_message("draw %d: %zu trials agree to %.2f, %zu of %zu found, %zu of %zu "
                      "pairs right\n",
                      (int)draw, w.trials.count, w.trials.agreement, w.trials.found,
                      w.trials.tested, right, w.trials.pair_count);
        assert_true(w.trials.sound);
        /* With 3 of 15 wrong a start has 7 right seeds in the mean. */
        size_t enough = plan.wrong ? 30 : 90, times = plan.wrong ? 4 : 2;
        assert_true(w.trials.found * times > w.trials.tested);
        assert_true(right >= enough && right * times > w.trials.pair_count);
        world_close(&w);
    }
}

static void not_sound(struct ld_plan plan, const char *what, uint64_t first,
                      uint64_t last)
{
    for (uint64_t draw = first; draw <= last; draw++) {
        struct world w;
        plan.draw = draw;
        world_open(&w, &plan, NULL, 2);
        assert_int_equal(run(&w), IL_OK);
        check_shape(&w);
        if (w.trials.sound)
            fail_msg("%s, draw %d: agreement %.2f, %zu of %zu seeds found", what,
                     (int)plan.draw, w.trials.agreement, w.trials.found, w.trials.tested);
        world_close(&w);
    }
}

static void not_sound_on_shuffled_seeds(void **state)
{
    (void)state;
    struct ld_plan plan = ld_plan_small();
    plan.shuffle_seeds = 1;
    not_sound(plan, "shuffled", 21, 23);
}

static void not_sound_on_noise(void **state)
{
    (void)state;
    struct ld_plan plan = ld_plan_small();
    plan.noise_b = 1;
    not_sound(plan, "noise", 21, 23);
}

static void not_sound_on_unrelated_sides(void **state)
{
    (void)state;
    struct ld_plan plan = ld_plan_small();
    plan.unrelated = 1;
    not_sound(plan, "unrelated", 21, 23);
}

/* Few rows: what is found by chance grows as 1 / rows, so a fixed number found is no
 * proof. */
static void not_sound_where_chance_finds_seeds(void **state)
{
    (void)state;
    struct ld_plan plan = ld_plan_small();
    plan.unrelated = 1;
    not_sound(plan, "unrelated", 25, 25);
}

static void equal_bits_on_every_isa_and_thread_count(void **state)
{
    (void)state;
    struct il_simd table[4];
    size_t isas = ld_isas(table);
    struct ld_plan plan = ld_plan_small();
    static struct world first;
    for (size_t t = 0; t < isas; t++) {
        struct world w;
        world_open(&w, &plan, &table[t], 1 + (unsigned)t);
        assert_int_equal(run(&w), IL_OK);
        if (t == 0) {
            first = w;
            continue;
        }
        assert_int_equal(w.trials.pair_count, first.trials.pair_count);
        for (size_t i = 0; i < w.trials.pair_count; i++)
            assert_true(w.trials.pairs[i].a == first.trials.pairs[i].a &&
                        w.trials.pairs[i].b == first.trials.pairs[i].b);
        assert_true(w.trials.agreement == first.trials.agreement);
        assert_true(w.trials.found == first.trials.found);
        world_close(&w);
    }
    world_close(&first);
}

static void cancel_stops_it(void **state)
{
    (void)state;
    struct ld_plan plan = ld_plan_small();
    struct world w;
    il_atomic_int cancel;
    atomic_init(&cancel, 1);
    world_open(&w, &plan, NULL, 1);
    w.frame.cancel = &cancel;
    assert_int_equal(run(&w), IL_ECANCEL);
    assert_null(w.trials.pairs);
    world_close(&w);
}

/* Every allocation at first, then in growing steps. */
static void memory_faults_are_told(void **state)
{
    (void)state;
    struct ld_plan plan = ld_plan_small();
    plan.rows[0] = plan.rows[1] = 50;
    plan.shared = 40;
    plan.d[0] = plan.d[1] = 8;
    struct world w;
    world_open(&w, &plan, NULL, 1);
    for (long k = 1;; k = k < 20 ? k + 1 : k + k / 4) {
        il_alloc_fail_at(k);
        enum il_status status = run(&w);
        long calls = il_alloc_calls();
        il_alloc_fail_at(0);
        il_trials_free(&w.trials);
        if (calls < k) {
            assert_int_equal(status, IL_OK);
            break;
        }
        assert_int_equal(status, IL_ENOMEM);
    }
    world_close(&w);
}

static struct ld_plan plan_unseeded(uint64_t draw)
{
    struct ld_plan plan = ld_plan_small();
    plan.rows[0] = 900;
    plan.rows[1] = 800;
    plan.shared = 400;
    plan.d[0] = 96;
    plan.d[1] = 128;
    plan.seeds = 4;
    plan.draw = draw;
    return plan;
}

/* Starts that see no seed agree, are right, and find the seeds. */
static void sound_without_seeds_on_related_sides(void **state)
{
    (void)state;
    ld_not_for_tsan();
    for (uint64_t draw = 1; draw <= 2; draw++) {
        struct ld_plan plan = plan_unseeded(draw);
        struct world w;
        world_open(&w, &plan, NULL, 2);
        w.unseeded = 1;
        assert_int_equal(run(&w), IL_OK);
        size_t right = 0;
        for (size_t i = 0; i < w.trials.pair_count; i++)
            right += w.pair.partner[0][w.trials.pairs[i].a] == w.trials.pairs[i].b;
        print_message("draw %d: %zu trials agree to %.2f, %zu of %zu found, %zu of %zu "
                      "pairs right\n",
                      (int)draw, w.trials.count, w.trials.agreement, w.trials.found,
                      w.trials.tested, right, w.trials.pair_count);
        assert_true(w.trials.sound && w.trials.unseeded);
        assert_int_equal(w.trials.tested, 4);
        assert_true(w.trials.found >= 2);
        assert_true(right >= 200 && right * 2 > w.trials.pair_count);
        il_trials_free(&w.trials);
        world_close(&w);
    }
}

static void not_sound_without_seeds(void **state)
{
    (void)state;
    ld_not_for_tsan();
    for (int kind = 0; kind < 2; kind++) {
        for (uint64_t draw = 31; draw <= 32; draw++) {
            struct ld_plan plan = plan_unseeded(draw);
            plan.noise_b = kind == 0;
            plan.seeds = kind ? 2 : 0;
            plan.shuffle_seeds = kind; /* related sides, seeds that are wrong */
            struct world w;
            world_open(&w, &plan, NULL, 2);
            w.unseeded = 1;
            assert_int_equal(run(&w), IL_OK);
            print_message("kind %d, draw %d: %.2f\n", kind, (int)draw,
                          w.trials.agreement);
            assert_int_equal(w.trials.sound, 0);
            world_close(&w);
        }
    }
}

/* Seeds come first, and starts without them where they are few and fail. */
static void few_seeds_have_a_second_try(void **state)
{
    (void)state;
    ld_not_for_tsan();
    static const size_t seeds[] = {2, 7, 8};
    for (size_t i = 0; i < sizeof seeds / sizeof *seeds; i++) {
        struct ld_plan plan = plan_unseeded(1);
        plan.seeds = seeds[i];
        plan.shuffle_seeds = seeds[i] >= 7;
        struct world w;
        world_open(&w, &plan, NULL, 2);
        assert_int_equal(il_trials_any(&w.frame, &w.side[0], &w.side[1], w.seeds,
                                       w.pair.seed_count, &w.trials),
                         IL_OK);
        assert_int_equal(w.trials.unseeded, seeds[i] < 8);
        assert_int_equal(w.trials.sound, seeds[i] < 7);
        world_close(&w);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sound_on_related_sides),
        cmocka_unit_test(not_sound_on_shuffled_seeds),
        cmocka_unit_test(not_sound_on_noise),
        cmocka_unit_test(not_sound_on_unrelated_sides),
        cmocka_unit_test(not_sound_where_chance_finds_seeds),
        cmocka_unit_test(sound_without_seeds_on_related_sides),
        cmocka_unit_test(not_sound_without_seeds),
        cmocka_unit_test(few_seeds_have_a_second_try),
        cmocka_unit_test(equal_bits_on_every_isa_and_thread_count),
        cmocka_unit_test(cancel_stops_it),
        cmocka_unit_test(memory_faults_are_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
