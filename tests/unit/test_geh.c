/* SPDX-License-Identifier: Apache-2.0 */
/* The method `geh` without the checks and the sorting around it. */
#include "tests/unit/unit.h"

#include "src/link/method.h"
#include "tests/unit/linkdata.h"

struct world {
    struct il_frame frame;
    struct ld_pair pair;
    struct il_side side[2];
    struct il_anchor *seeds;
    uint8_t wrong[64];
    struct il_link_config config;
    struct il_link_report report;
    struct il_method_job job;
    int steps;
};

static void count_steps(void *context, const char *stage, double done, double total)
{
    struct world *w = context;
    assert_true(stage && *stage && done >= 0 && done <= total);
    w->steps++;
}

static void world_open(struct world *w, const struct ld_plan *plan, unsigned threads)
{
    memset(w, 0, sizeof(*w));
    ld_frame_open(&w->frame, NULL, threads);
    ld_open(&w->pair, plan);
    ld_sides(&w->frame, &w->pair, w->side);
    w->seeds = ld_anchors(&w->pair);
    il_link_config_init(&w->config);
    w->frame.progress = count_steps;
    w->frame.progress_context = w;
    w->job = (struct il_method_job){.frame = &w->frame,
                                    .config = &w->config,
                                    .seeds = w->seeds,
                                    .seed_count = w->pair.seed_count,
                                    .seed_wrong = w->wrong,
                                    .report = &w->report};
}

static enum il_status run(struct world *w)
{
    return il_geh(&w->job, &w->side[0], &w->side[1]);
}

static void world_close(struct world *w)
{
    il_free(w->job.links);
    free(w->seeds);
    ld_sides_free(w->side);
    ld_close(&w->pair);
    ld_frame_close(&w->frame);
}

static void check_links(const struct world *w)
{
    uint8_t taken[2][1000] = {{0}};
    for (size_t i = 0; i < w->pair.seed_count; i++) {
        if (!w->wrong[i])
            taken[0][w->seeds[i].a] = taken[1][w->seeds[i].b] = 1;
    }
    for (size_t i = 0; i < w->job.link_count; i++) {
        const struct il_found *f = &w->job.links[i];
        assert_true(f->a < w->side[0].rows && f->b < w->side[1].rows);
        assert_int_equal(taken[0][f->a]++, 0); /* no row twice, no seed's row */
        assert_int_equal(taken[1][f->b]++, 0);
        assert_true(f->posterior >= 0 && f->posterior <= 1);
        assert_true(f->votes <= f->opportunities && f->opportunities >= 2);
        assert_true(f->round >= 1 && f->round <= w->report.rounds);
        assert_true(f->margin >= 0);
    }
}

static size_t right_links(const struct world *w)
{
    size_t right = 0;
    for (size_t i = 0; i < w->job.link_count; i++)
        right += w->pair.partner[0][w->job.links[i].a] == w->job.links[i].b;
    return right;
}

static void finds_the_links_and_reports(void **state)
{
    (void)state;
    struct ld_plan plan = ld_plan_small();
    struct world w;
    world_open(&w, &plan, 2);
    assert_int_equal(run(&w), IL_OK);
    check_links(&w);
    size_t right = right_links(&w), links = w.job.link_count;
    const struct il_link_report *r = &w.report;
    print_message("%zu links, %zu right, precision said %.3f (%.3f-%.3f), shared %.0f\n",
                  links, right, r->precision, r->precision_low, r->precision_high,
                  r->shared);
    assert_true(right >= 110 && right * 3 > links * 2);
    assert_true(r->precision_low <= r->precision && r->precision <= r->precision_high);
    assert_true(r->precision_low >= 0 && r->precision_high <= 1);
    assert_true(r->shared_low <= r->shared_high && r->shared >= 15);
    assert_true(r->recall > 0 && r->recall <= 1.0001);
    assert_true(r->seeds_found <= r->seeds_tested && r->seeds_found >= 8);
    assert_true(r->agreement > 0 && r->agreement <= 1);
    assert_true(r->decoy_rate >= 0 && r->rounds >= 1 && !r->refused);
    assert_true(r->stages >= 3 && w.steps >= 3);
    for (size_t i = 0; i < r->stages; i++) {
        assert_non_null(r->stage[i].name);
        assert_true(r->stage[i].seconds >= 0 && r->stage[i].multiply_adds >= 0);
        for (size_t j = 0; j < i; j++)
            assert_string_not_equal(r->stage[i].name, r->stage[j].name);
    }
    /* The threshold is the lowest posterior; the precision is the links' mean posterior.
     */
    double least = 1, sum = 0;
    for (size_t i = 0; i < links; i++) {
        least = w.job.links[i].posterior < least ? w.job.links[i].posterior : least;
        sum += w.job.links[i].posterior;
    }
    assert_true(r->threshold <= 1 && r->threshold >= least);
    assert_float_equal(sum / (double)links, r->precision, 0.05);
    world_close(&w);
}

static void wrong_seeds_are_set_aside(void **state)
{
    (void)state;
    struct ld_plan plan = ld_plan_small();
    plan.wrong = 3;
    struct world w;
    world_open(&w, &plan, 2);
    assert_int_equal(run(&w), IL_OK);
    check_links(&w);
    for (size_t i = 0; i < w.pair.seed_count; i++)
        assert_int_equal(w.wrong[i], i < 3);
    assert_true(right_links(&w) >= 100);
    world_close(&w);
}

static void refusal_names_the_evidence(void **state)
{
    (void)state;
    struct ld_plan plan = ld_plan_small();
    plan.noise_b = 1;
    plan.draw = 2;
    struct world w;
    world_open(&w, &plan, 2);
    assert_int_equal(run(&w), IL_EBOOTSTRAP);
    assert_int_equal(w.job.link_count, 0);
    assert_true(w.report.refused && strstr(w.report.why, "seeds"));
    assert_true(strpbrk(w.report.why, "0123456789") != NULL);
    assert_true(w.report.seeds_tested > 0);
    world_close(&w);
}

static void views_and_folds_can_be_chosen(void **state)
{
    (void)state;
    static const unsigned views[] = {2, 3, 9}, folds[] = {2, 16, 3};
    for (int i = 0; i < 3; i++) {
        struct ld_plan plan = ld_plan_small();
        struct world w;
        world_open(&w, &plan, 2);
        w.config.views = views[i];
        w.config.folds = folds[i];
        assert_int_equal(run(&w), IL_OK);
        check_links(&w);
        assert_true(right_links(&w) >= 90);
        for (size_t l = 0; l < w.job.link_count; l++)
            assert_int_equal(w.job.links[l].opportunities, views[i]);
        world_close(&w);
    }
}

static void least_posterior_replaces_the_threshold(void **state)
{
    (void)state;
    static const double least[] = {0, 0.5, 0.9, 1};
    size_t last = SIZE_MAX;
    for (int i = 0; i < 4; i++) {
        struct ld_plan plan = ld_plan_small();
        struct world w;
        world_open(&w, &plan, 2);
        w.config.posterior_min = least[i];
        assert_int_equal(run(&w), IL_OK);
        check_links(&w);
        assert_true(w.job.link_count <= last);
        for (size_t l = 0; l < w.job.link_count; l++)
            assert_true(w.job.links[l].posterior >= least[i]);
        last = w.job.link_count;
        world_close(&w);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_the_links_and_reports),
        cmocka_unit_test(wrong_seeds_are_set_aside),
        cmocka_unit_test(refusal_names_the_evidence),
        cmocka_unit_test(views_and_folds_can_be_chosen),
        cmocka_unit_test(least_posterior_replaces_the_threshold),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
