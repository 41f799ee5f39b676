/* SPDX-License-Identifier: Apache-2.0 */
/* il_link_run from outside: arguments, refusals, cancelling, memory, equal results. */
#include "tests/unit/unit.h"

#include <isolink/link.h>

#include "simd/simd.h"
#include "tests/unit/linkdata.h"

static struct ld_pair pair;
static struct il_matrix a, b;

static void open_pair(const struct ld_plan *plan)
{
    ld_open(&pair, plan);
    a = ld_matrix(&pair, 0);
    b = ld_matrix(&pair, 1);
}

static struct il_link_config quick(void)
{
    struct il_link_config config;
    il_link_config_init(&config);
    config.threads = 2;
    return config;
}

static enum il_status run(struct il_linking **out, const struct il_link_config *config,
                          struct il_error *error)
{
    return il_link_run(out, &a, &b, pair.seeds, pair.seed_count, config, error);
}

/* A run that must be refused as IL_EARG, with this in the text. */
static void refused(const struct il_link_config *config, const char *part)
{
    struct il_linking *out = (void *)1;
    struct il_error error = {""};
    assert_int_equal(run(&out, config, &error), IL_EARG);
    assert_null(out);
    unit_says(&error, part);
    assert_int_equal(run(&out, config, NULL), IL_EARG);
}

static void bad_configs(void **state)
{
    (void)state;
    struct ld_plan plan = ld_plan_small();
    open_pair(&plan);
    struct il_link_config c = quick();
    c.struct_bytes--;
    refused(&c, "il_link_config_init");
    c = quick();
    c.method = (enum il_method)99;
    refused(&c, "method 99");
    c.method = (enum il_method) - 1;
    refused(&c, "method -1");
    c = quick();
    c.threads = 257;
    refused(&c, "257 threads");
    c = quick();
    c.views = 1;
    refused(&c, "1 views, wanted 2 to 64");
    c.views = 65;
    refused(&c, "65 views, wanted 2 to 64");
    c = quick();
    c.folds = 1;
    refused(&c, "1 folds, wanted 2 to 16");
    c.folds = 17;
    refused(&c, "17 folds, wanted 2 to 16");
    c = quick();
    c.posterior_min = 1.01;
    refused(&c, "posterior_min 1.01");
    c.posterior_min = NAN;
    refused(&c, "posterior_min");
    ld_close(&pair);
}

static void bad_sides(void **state)
{
    (void)state;
    struct ld_plan plan = ld_plan_small();
    open_pair(&plan);
    struct il_link_config c = quick();
    for (int side = 0; side < 2; side++) {
        struct il_matrix *m = side ? &b : &a, good = *m;
        const char *name = side ? "side B" : "side A";
        struct il_error error = {""};
        struct il_linking *out = (void *)1;
        m->type = (enum il_dtype)5;
        refused(&c, name);
        *m = good;
        m->data = NULL;
        refused(&c, name);
        *m = good;
        m->dim = 0;
        refused(&c, name);
        refused(&c, "dimension 0, wanted 1 to 65536");
        m->dim = IL_DIM_MAX + 1;
        refused(&c, "dimension 65537, wanted 1 to 65536");
        *m = good;
        m->rows = (size_t)IL_ROWS_MAX + 1;
        refused(&c, "2147483648 rows");
        *m = good;
        assert_int_equal(il_link_run(&out, side ? &a : NULL, side ? NULL : &b, pair.seeds,
                                     pair.seed_count, &c, &error),
                         IL_EARG);
        unit_says(&error, name);
        assert_null(out);
    }
    ld_close(&pair);
}

static void bad_seeds(void **state)
{
    (void)state;
    struct ld_plan plan = ld_plan_small();
    open_pair(&plan);
    struct il_link_config c = quick();
    struct il_pair kept = pair.seeds[4];
    pair.seeds[4].a = 360;
    refused(&c, "seed 4: row 360 of side A, which has 360");
    pair.seeds[4].a = UINT64_MAX;
    refused(&c, "seed 4: row 18446744073709551615 of side A");
    pair.seeds[4] = kept;
    pair.seeds[4].b = 330;
    refused(&c, "seed 4: row 330 of side B, which has 330");
    pair.seeds[4] = kept;
    pair.seeds[4].a = pair.seeds[9].a;
    refused(&c, "of side A stands in two seeds");
    pair.seeds[4] = kept;
    pair.seeds[4].b = pair.seeds[9].b;
    refused(&c, "of side B stands in two seeds");
    pair.seeds[4] = pair.seeds[9];
    refused(&c, "stands in two seeds");
    ld_close(&pair);
}

/* The published method, fewer than three usable seeds: refused, with nothing but those
   seeds as links. */
static void too_few_seeds(void **state)
{
    (void)state;
    struct ld_plan plan = ld_plan_small();
    open_pair(&plan);
    struct il_link_config c = quick();
    c.method = IL_METHOD_GEH_PUBLISHED;
    for (size_t usable = 0; usable < 3; usable++) {
        struct il_linking *out = NULL;
        struct il_error error = {""};
        pair.seed_count = 5; /* the others are on rows that are no vectors */
        for (size_t i = usable; i < 5; i++)
            pair.x[i % 2][(i % 2 ? pair.seeds[i].b : pair.seeds[i].a) * pair.d[i % 2]] =
                NAN;
        assert_int_equal(run(&out, &c, &error), IL_EBOOTSTRAP);
        assert_non_null(out);
        unit_says(&error, "of 5 seeds are on usable rows");
        const struct il_link_report *r = il_link_report(out);
        assert_true(r->refused && r->seeds == 5 && r->seeds_usable == usable);
        assert_string_equal(r->why, error.text);
        size_t count = 99;
        const struct il_link *links = il_link_links(out, &count);
        assert_int_equal(count, usable);
        ld_links_sound(links, count, &pair);
        assert_int_equal(r->links, 0);
        il_link_close(&out);
        assert_null(out);
        ld_close(&pair);
        open_pair(&plan);
    }
    struct il_linking *out = NULL;
    assert_int_equal(il_link_run(&out, &a, &b, NULL, 0, &c, NULL), IL_EBOOTSTRAP);
    il_link_close(&out);
    il_link_close(&out); /* harmless */
    ld_close(&pair);
}

/* geh without seeds, or with so few that they only test the start. */
static void seeds_are_not_needed(void **state)
{
    (void)state;
    ld_not_for_tsan();
    struct ld_plan plan = ld_plan_small();
    plan.rows[0] = 900;
    plan.rows[1] = 850;
    plan.shared = 500;
    plan.d[0] = 96;
    plan.d[1] = 128;
    open_pair(&plan);
    for (size_t seeds = 0; seeds < 4; seeds++) {
        struct il_link_config c = quick();
        struct il_linking *out = NULL;
        struct il_error error = {""};
        pair.seed_count = seeds;
        enum il_status status = run(&out, &c, &error);
        if (status)
            fail_msg("%zu seeds: %s", seeds, error.text);
        size_t count = 0;
        const struct il_link *links = il_link_links(out, &count);
        const struct il_link_report *r = il_link_report(out);
        struct ld_judged j = ld_judge(links, count, &pair);
        print_message("%zu seeds: %zu links, P %.2f R %.2f, agreement %.2f, %zu of %zu "
                      "found, estimated %.2f\n",
                      seeds, j.links, j.precision, j.recall, r->agreement, r->seeds_found,
                      r->seeds_tested, r->precision);
        ld_links_sound(links, count, &pair);
        assert_true((r->unseeded || seeds >= 3) && !r->refused);
        assert_true(r->seeds_usable == seeds && j.seeds == seeds);
        assert_true(j.f1 > 0.7);
        il_link_close(&out);
    }
    /* Seeds that are wrong, and none is found. */
    pair.seed_count = 2;
    uint64_t kept = pair.seeds[0].b;
    pair.seeds[0].b = pair.seeds[1].b;
    pair.seeds[1].b = kept;
    struct il_linking *out = NULL;
    struct il_error error = {""};
    struct il_link_config c = quick();
    assert_int_equal(run(&out, &c, &error), IL_EBOOTSTRAP);
    unit_says(&error, "found 0 of 2 seeds");
    assert_int_equal(il_link_report(out)->links, 0);
    il_link_close(&out);
    ld_close(&pair);
}

/* Sides about the same subjects, from the same encoders, without a common document:
   starts may agree, the links may not pass. */
static void nothing_in_common_is_refused_without_seeds(void **state)
{
    (void)state;
    ld_not_for_tsan();
    for (uint64_t draw = 1; draw <= 3; draw++) {
        struct ld_plan plan = ld_plan_small();
        plan.rows[0] = 700;
        plan.rows[1] = 650;
        plan.d[0] = 96;
        plan.d[1] = 128;
        plan.unrelated = 1;
        plan.draw = draw;
        open_pair(&plan);
        struct il_link_config c = quick();
        struct il_linking *out = NULL;
        struct il_error error = {""};
        assert_int_equal(il_link_run(&out, &a, &b, NULL, 0, &c, &error), IL_EBOOTSTRAP);
        print_message("draw %d: %s\n", (int)draw, error.text);
        unit_says(&error, "without seeds");
        assert_int_equal(il_link_report(out)->links, 0);
        il_link_close(&out);
        ld_close(&pair);
    }
}

static void empty_sides_are_refused(void **state)
{
    (void)state;
    const float x[4] = {1, 2, 3, 4};
    a = (struct il_matrix){IL_F32, 0, 4, 16, NULL};
    b = (struct il_matrix){IL_F32, 1, 4, 16, x};
    for (int method = 0; method < 2; method++) {
        struct il_link_config c = quick();
        c.method = (enum il_method)method;
        struct il_linking *out = NULL;
        assert_int_equal(il_link_run(&out, &a, &b, NULL, 0, &c, NULL), IL_EBOOTSTRAP);
        il_link_close(&out);
        assert_int_equal(il_link_run(&out, &b, &b, NULL, 0, &c, NULL), IL_EBOOTSTRAP);
        il_link_close(&out);
    }
}

static void skipped_rows_are_listed(void **state)
{
    (void)state;
    struct ld_plan plan = ld_plan_small();
    open_pair(&plan);
    uint64_t seed_row = pair.seeds[7].a;
    pair.x[0][seed_row * pair.d[0] + 1] = INFINITY;
    for (size_t v = 3; v < pair.rows[1]; v += 50) {
        int is_seed = 0;
        for (size_t i = 0; i < pair.seed_count; i++)
            is_seed |= pair.seeds[i].b == v;
        v += (size_t)is_seed;
        memset(pair.x[1] + v * pair.d[1], 0, pair.d[1] * sizeof(float));
    }
    for (int method = 0; method < 2; method++) {
        struct il_link_config c = quick();
        c.method = (enum il_method)method;
        struct il_linking *out = NULL;
        assert_int_equal(run(&out, &c, NULL), IL_OK);
        size_t na = 0, nb = 0, count = 0;
        const uint64_t *sa = il_link_skipped(out, 0, &na),
                       *sb = il_link_skipped(out, 1, &nb);
        const struct il_link *links = il_link_links(out, &count);
        const struct il_link_report *r = il_link_report(out);
        assert_int_equal(na, 1);
        assert_int_equal(sa[0], seed_row);
        assert_int_equal(nb, 7);
        assert_true(r->skipped_a == 1 && r->skipped_b == 7);
        assert_true(r->rows_a == pair.rows[0] && r->rows_b == pair.rows[1]);
        assert_true(r->seeds == 15 && r->seeds_usable == 14);
        ld_links_sound(links, count, &pair);
        for (size_t s = 0; s < nb; s++) {
            assert_true(s == 0 || sb[s] > sb[s - 1]);
            assert_true(pair.x[1][sb[s] * pair.d[1]] == 0);
            for (size_t i = 0; i < count; i++)
                assert_true(links[i].b != sb[s] && links[i].a != seed_row);
        }
        /* Rows are those of the caller, not of the packed sides. */
        assert_true(ld_judge(links, count, &pair).right > 60);
        il_link_close(&out);
    }
    ld_close(&pair);
}

static void wrong_seeds_are_found_and_set_aside(void **state)
{
    (void)state;
    struct ld_plan plan = ld_plan_small();
    plan.wrong = 3;
    open_pair(&plan);
    struct il_link_config c = quick();
    struct il_linking *out = NULL;
    assert_int_equal(run(&out, &c, NULL), IL_OK);
    size_t wrong_count = 0, count = 0;
    const struct il_pair *wrong = il_link_wrong_seeds(out, &wrong_count);
    const struct il_link *links = il_link_links(out, &count);
    assert_int_equal(wrong_count, 3);
    assert_int_equal(il_link_report(out)->seeds_wrong, 3);
    for (size_t i = 0; i < 3; i++) /* in the order given */
        assert_true(wrong[i].a == pair.seeds[i].a && wrong[i].b == pair.seeds[i].b);
    ld_links_sound(links, count, &pair);
    assert_int_equal(ld_judge(links, count, &pair).seeds, 12);
    il_link_close(&out);
    ld_close(&pair);
}

static void right_seeds_stay(void **state)
{
    (void)state;
    for (uint64_t draw = 1; draw <= 3; draw++) {
        struct ld_plan plan = ld_plan_small();
        plan.draw = draw;
        open_pair(&plan);
        struct il_link_config c = quick();
        struct il_linking *out = NULL;
        assert_int_equal(run(&out, &c, NULL), IL_OK);
        size_t count = 0;
        const struct il_link *links = il_link_links(out, &count);
        assert_true(il_link_report(out)->seeds_wrong <= 1);
        ld_links_sound(links, count, &pair);
        il_link_close(&out);
        ld_close(&pair);
    }
}

static void least_posterior_is_kept(void **state)
{
    (void)state;
    struct ld_plan plan = ld_plan_small();
    open_pair(&plan);
    for (int method = 0; method < 2; method++) {
        size_t last = SIZE_MAX;
        for (int step = 0; step <= 4; step++) {
            struct il_link_config c = quick();
            c.method = (enum il_method)method;
            c.views = method ? 2 : 0;
            c.posterior_min = 0.25 * step;
            struct il_linking *out = NULL;
            assert_int_equal(run(&out, &c, NULL), IL_OK);
            size_t count = 0;
            const struct il_link *links = il_link_links(out, &count);
            ld_links_sound(links, count, &pair);
            for (size_t i = 0; i < count; i++)
                assert_true(links[i].posterior >= c.posterior_min);
            assert_true(count <= last);
            last = count;
            il_link_close(&out);
        }
    }
    ld_close(&pair);
}

/* Stops a run at its n-th progress call. */
struct brake {
    il_atomic_int cancel;
    int left;
};

static void brake_step(void *context, const char *stage, double done, double total)
{
    struct brake *brake = context;
    (void)stage;
    assert_true(done <= total);
    if (brake->left-- == 0)
        atomic_store(&brake->cancel, 1);
}

static void cancel_ends_the_run(void **state)
{
    (void)state;
    struct ld_plan plan = ld_plan_small();
    open_pair(&plan);
    for (int method = 0; method < 2; method++) {
        for (int left = -1; left < 3; left++) {
            struct brake brake = {.left = left};
            atomic_init(&brake.cancel, left < 0);
            struct il_link_config c = quick();
            c.method = (enum il_method)method;
            c.cancel = &brake.cancel;
            c.progress = brake_step;
            c.progress_context = &brake;
            struct il_linking *out = (void *)1;
            struct il_error error = {""};
            assert_int_equal(run(&out, &c, &error), IL_ECANCEL);
            assert_null(out);
            assert_true(error.text[0] != 0);
        }
    }
    ld_close(&pair);
}

/* Every allocation at first, then in growing steps, each of both methods. */
static void memory_faults_leave_nothing(void **state)
{
    (void)state;
    struct ld_plan plan = ld_plan_small();
    plan.rows[0] = plan.rows[1] = 70;
    plan.shared = 60;
    plan.d[0] = 8;
    plan.d[1] = 10;
    plan.latent = 6;
    plan.bend = 0.1;
    open_pair(&plan);
    for (int method = 0; method < 2; method++) {
        struct il_link_config c = quick();
        c.method = (enum il_method)method;
        c.threads = 1;
        struct il_linking *out = NULL;
        for (long k = 1;; k = k < 25 ? k + 1 : k + k / 6) {
            struct il_error error = {""};
            il_alloc_fail_at(k);
            enum il_status status = run(&out, &c, &error);
            long calls = il_alloc_calls();
            il_alloc_fail_at(0);
            if (calls < k) {
                assert_int_equal(status, IL_OK);
                il_link_close(&out);
                break;
            }
            assert_int_equal(status, IL_ENOMEM);
            assert_null(out);
            assert_true(error.text[0] != 0);
        }
    }
    ld_close(&pair);
}

/* Equal links, votes and posteriors, to the last bit, whatever the threads and the ISA.
 */
static void equal_links_on_every_isa_and_thread_count(void **state)
{
    (void)state;
    struct il_simd table[4];
    size_t isas = ld_isas(table);
    enum il_isa own = il_simd()->isa;
    struct ld_plan plan = ld_plan_small();
    open_pair(&plan);
    for (int method = 0; method < 2; method++) {
        struct il_linking *first = NULL;
        size_t first_count = 0, count = 0;
        /* Every instruction set on one thread, then the best one on two and three. */
        for (unsigned threads = 1; threads <= 3; threads++) {
            for (size_t t = threads == 1 ? 0 : isas - 1; t < isas; t++) {
                struct il_link_config c = quick();
                c.method = (enum il_method)method;
                c.threads = threads;
                c.views = method ? 2 : 0; /* the published method's own are many */
                struct il_linking *out = NULL;
                ld_use_isa(table[t].isa);
                assert_string_equal(il_isa_text(), il_isa_name(table[t].isa));
                assert_int_equal(run(&out, &c, NULL), IL_OK);
                const struct il_link *links = il_link_links(out, &count);
                if (!first) {
                    first = out;
                    first_count = count;
                    assert_true(count > 100);
                    continue;
                }
                const struct il_link_report *r = il_link_report(first),
                                            *s = il_link_report(out);
                assert_int_equal(count, first_count);
                ld_links_equal(il_link_links(first, &first_count), links, count);
                assert_memory_equal(&r->precision, &s->precision, sizeof(double));
                assert_memory_equal(&r->shared, &s->shared, sizeof(double));
                assert_memory_equal(&r->threshold, &s->threshold, sizeof(double));
                il_link_close(&out);
            }
        }
        il_link_close(&first);
    }
    ld_use_isa(own);
    ld_close(&pair);
}

static void seed_number_changes_the_draws(void **state)
{
    (void)state;
    struct ld_plan plan = ld_plan_small();
    open_pair(&plan);
    struct il_link_config c = quick();
    struct il_linking *out[2] = {NULL, NULL};
    double sum[2] = {0, 0};
    for (int i = 0; i < 2; i++) {
        size_t count = 0;
        c.seed = (uint64_t)i;
        assert_int_equal(run(&out[i], &c, NULL), IL_OK);
        const struct il_link *links = il_link_links(out[i], &count);
        for (size_t l = 0; l < count; l++)
            sum[i] += (double)links[l].margin;
        assert_true(ld_judge(links, count, &pair).right > 100);
        il_link_close(&out[i]);
    }
    assert_true(sum[0] != sum[1]);
    ld_close(&pair);
}

static void defaults(void **state)
{
    (void)state;
    struct il_link_config c;
    memset(&c, 0xff, sizeof(c));
    il_link_config_init(&c);
    assert_int_equal(c.struct_bytes, sizeof(c));
    assert_int_equal(c.method, IL_METHOD_GEH);
    assert_true(c.threads == 0 && c.seed == 0 && c.views == 0 && c.folds == 0);
    assert_true(c.posterior_min < 0 && !c.weighting && !c.progress && !c.cancel);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults),
        cmocka_unit_test(bad_configs),
        cmocka_unit_test(bad_sides),
        cmocka_unit_test(bad_seeds),
        cmocka_unit_test(too_few_seeds),
        cmocka_unit_test(seeds_are_not_needed),
        cmocka_unit_test(nothing_in_common_is_refused_without_seeds),
        cmocka_unit_test(empty_sides_are_refused),
        cmocka_unit_test(skipped_rows_are_listed),
        cmocka_unit_test(wrong_seeds_are_found_and_set_aside),
        cmocka_unit_test(right_seeds_stay),
        cmocka_unit_test(least_posterior_is_kept),
        cmocka_unit_test(cancel_ends_the_run),
        cmocka_unit_test(memory_faults_leave_nothing),
        cmocka_unit_test(equal_links_on_every_isa_and_thread_count),
        cmocka_unit_test(seed_number_changes_the_draws),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
