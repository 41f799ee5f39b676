/* SPDX-License-Identifier: Apache-2.0 */
/* The methods of the seeds alone, on sides where B is a rotation or another linear map of
   A, and the table of methods. */
#include "tests/unit/unit.h"

#include "src/link/seeded.h"
#include "tests/unit/linkdata.h"

/* Those under test. */
static const enum il_method seeded[] = {IL_METHOD_PROCRUSTES, IL_METHOD_RIDGE,
                                        IL_METHOD_CCA,        IL_METHOD_CSLS,
                                        IL_METHOD_MLP,        IL_METHOD_RELATIVE};
#define SEEDED (sizeof(seeded) / sizeof(*seeded))

/* B's shared rows are A's under one map, rows x d and d x e. */
struct plan {
    size_t rows, shared, d, e, seeds;
    int linear; /* 1: any linear map; 0: one that keeps lengths and angles */
    double noise;
    int unrelated; /* 1: B's rows are others, the seeds mean nothing */
};

static struct plan rotated(void)
{
    return (struct plan){.rows = 200, .shared = 150, .d = 12, .e = 16, .seeds = 40};
}

/* d x e rows of random directions, orthonormal where they are to keep lengths. */
static void draw_map(struct ld_rng *rng, const struct plan *plan, double *map)
{
    size_t d = plan->d, e = plan->e;
    for (size_t i = 0; i < d; i++) {
        double length = 0;
        for (size_t k = 0; k < e; k++)
            map[i * e + k] = ld_normal(rng);
        for (size_t j = 0; j < i && !plan->linear; j++) {
            double dot = 0;
            for (size_t k = 0; k < e; k++)
                dot += map[i * e + k] * map[j * e + k];
            for (size_t k = 0; k < e; k++)
                map[i * e + k] -= dot * map[j * e + k];
        }
        for (size_t k = 0; k < e; k++)
            length += map[i * e + k] * map[i * e + k];
        for (size_t k = 0; k < e && !plan->linear; k++)
            map[i * e + k] /= sqrt(length);
    }
}

static void map_row(const struct plan *plan, const double *map, struct ld_rng *rng,
                    const float *x, float *y)
{
    for (size_t k = 0; k < plan->e; k++) {
        double sum = plan->noise * ld_normal(rng);
        for (size_t i = 0; i < plan->d; i++)
            sum += x[i] * map[i * plan->e + k];
        y[k] = (float)sum;
    }
}

static void open_pair(struct ld_pair *pair, const struct plan *plan)
{
    struct ld_rng rng = {23};
    size_t n = plan->rows;
    double *map = calloc(plan->d * plan->e, sizeof(*map));
    float *other = calloc(plan->d, sizeof(*other));
    uint32_t *row = ld_order(&rng, n);
    memset(pair, 0, sizeof(*pair));
    assert_true(map && other);
    draw_map(&rng, plan, map);
    for (int side = 0; side < 2; side++) {
        pair->rows[side] = n;
        pair->d[side] = side ? plan->e : plan->d;
        pair->x[side] = calloc(n * pair->d[side], sizeof(float));
        pair->partner[side] = calloc(n, sizeof(uint32_t));
        assert_true(pair->x[side] && pair->partner[side]);
        memset(pair->partner[side], 0xff, n * sizeof(uint32_t));
    }
    ld_normals(&rng, n * plan->d, 1, pair->x[0]);
    for (size_t i = 0; i < n; i++) {
        int shared = i < plan->shared && !plan->unrelated;
        ld_normals(&rng, plan->d, 1, other);
        map_row(plan, map, &rng, shared ? pair->x[0] + i * plan->d : other,
                pair->x[1] + row[i] * plan->e);
        pair->partner[0][i] = shared ? row[i] : LD_NONE;
        pair->partner[1][row[i]] = shared ? (uint32_t)i : LD_NONE;
    }
    pair->shared = plan->unrelated ? 0 : plan->shared;
    pair->seeds = calloc(plan->seeds + 1, sizeof(*pair->seeds));
    assert_non_null(pair->seeds);
    pair->seed_count = plan->seeds;
    for (size_t i = 0; i < plan->seeds; i++)
        pair->seeds[i] = (struct il_pair){i, row[i]};
    free(row);
    free(other);
    free(map);
}

static struct il_link_config config_of(enum il_method method)
{
    struct il_link_config config;
    il_link_config_init(&config);
    config.method = method;
    config.threads = 2;
    return config;
}

static enum il_status run(struct il_linking **out, const struct ld_pair *pair,
                          const struct il_link_config *config, struct il_error *error)
{
    struct il_matrix a = ld_matrix(pair, 0), b = ld_matrix(pair, 1);
    return il_link_run(out, &a, &b, pair->seeds, pair->seed_count, config, error);
}

/* Links a pair by one method; the links are sound. */
static struct ld_judged judged(enum il_method method, const struct ld_pair *pair,
                               struct il_link_report *report)
{
    struct il_link_config config = config_of(method);
    struct il_linking *out = NULL;
    size_t count = 0;
    assert_int_equal(run(&out, pair, &config, NULL), IL_OK);
    const struct il_link *links = il_link_links(out, &count);
    ld_links_sound(links, count, pair);
    struct ld_judged j = ld_judge(links, count, pair);
    *report = *il_link_report(out);
    print_message("%s: %zu links, P %.3f R %.3f, at most %.3f, %zu of %zu seeds, fit "
                  "%.4f <= %.4f\n",
                  il_method_text(method), j.links, j.precision, j.recall,
                  report->precision_high, report->seeds_found, report->seeds_tested,
                  report->fit_error, report->fit_bound);
    il_link_close(&out);
    return j;
}

static void the_table_has_no_gap(void **state)
{
    (void)state;
    int count = 0;
    while (il_method_text((enum il_method)count))
        count++;
    assert_int_equal(count, 3 + SEEDED);
    for (int i = 0; i < count; i++) {
        const struct il_method_row *row = il_method_find((enum il_method)i);
        assert_true(row && row->run && (int)row->method == i);
        for (int j = 0; j < i; j++)
            assert_string_not_equal(row->name, il_method_text((enum il_method)j));
    }
    assert_null(il_method_text((enum il_method) - 1));
    assert_string_equal(il_method_text(IL_METHOD_GEH), "geh");
    assert_string_equal(il_method_text(IL_METHOD_PROCRUSTES), "procrustes");
}

static void a_rotation_is_found_back(void **state)
{
    (void)state;
    struct plan plan = rotated();
    struct ld_pair pair;
    open_pair(&pair, &plan);
    for (size_t i = 0; i < SEEDED; i++) {
        struct il_link_report r;
        struct ld_judged j = judged(seeded[i], &pair, &r);
        assert_true(j.recall > 0.9 && j.precision > 0.75);
        assert_true(r.seeds_tested == 40 && r.seeds_found >= 36);
        /* Not estimated, but bounded, and the bound is one. */
        assert_true(isnan(r.precision) && r.precision_low == 0);
        assert_true(r.threshold <= r.precision_high);
        assert_true(r.precision_high >= j.precision && r.precision_high <= 1);
        assert_true(r.shared == 0 && r.rounds == 1 && !r.refused);
    }
    ld_close(&pair);
}

static void the_wider_side_may_be_a(void **state)
{
    (void)state;
    struct plan plan = rotated();
    plan.seeds = 20;
    struct ld_pair pair, turned;
    open_pair(&pair, &plan);
    turned = pair;
    for (int side = 0; side < 2; side++) {
        turned.x[side] = pair.x[!side];
        turned.d[side] = pair.d[!side];
        turned.partner[side] = pair.partner[!side];
    }
    for (size_t i = 0; i < pair.seed_count; i++)
        turned.seeds[i] = (struct il_pair){pair.seeds[i].b, pair.seeds[i].a};
    for (size_t i = 0; i < SEEDED; i++) {
        struct il_link_report r;
        double least = seeded[i] == IL_METHOD_MLP ? 0.5 : 0.95;
        assert_true(judged(seeded[i], &turned, &r).recall > least);
    }
    ld_close(&pair);
}

/* A linear map that bends angles: for ridge and cca, which know no other. */
static void a_linear_map_is_found_back(void **state)
{
    (void)state;
    struct plan plan = rotated();
    plan.linear = 1;
    plan.e = 12;
    plan.noise = 0.02;
    struct ld_pair pair;
    open_pair(&pair, &plan);
    struct il_link_report r;
    double ridge = judged(IL_METHOD_RIDGE, &pair, &r).f1;
    double cca = judged(IL_METHOD_CCA, &pair, &r).f1;
    double procrustes = judged(IL_METHOD_PROCRUSTES, &pair, &r).f1;
    assert_true(ridge > 0.85 && cca > 0.7 && ridge > procrustes);
    ld_close(&pair);
}

/* On sides that share nothing no method claims much. */
static void nothing_is_claimed_of_unrelated_sides(void **state)
{
    (void)state;
    struct plan plan = rotated();
    plan.unrelated = 1;
    plan.seeds = 20;
    struct ld_pair pair;
    open_pair(&pair, &plan);
    for (size_t i = 0; i < SEEDED; i++) {
        struct il_link_report r;
        (void)judged(seeded[i], &pair, &r);
        assert_true(r.seeds_found <= 2 && r.precision_high < 0.35);
    }
    ld_close(&pair);
}

static void the_bound_holds(void **state)
{
    (void)state;
    struct il_link_report r;
    for (int step = 0; step < 4; step++) {
        struct plan plan = rotated();
        plan.shared = plan.rows;
        plan.seeds = step % 2 ? 8 : 60;
        plan.noise = step < 2 ? 0 : 0.15;
        struct ld_pair pair;
        open_pair(&pair, &plan);
        (void)judged(IL_METHOD_PROCRUSTES, &pair, &r);
        assert_true(r.fit_error <= r.fit_bound + 1e-3);
        assert_true(step > 1 ? r.fit_error > 0.01 : r.fit_error < 2e-3);
        (void)judged(IL_METHOD_RIDGE, &pair, &r);
        assert_true(isnan(r.fit_error) && isnan(r.fit_bound));
        ld_close(&pair);
    }
}

/* ------------------------------------------------- the decisions of the full matrix */

struct world {
    struct il_frame frame;
    struct ld_pair pair;
    struct il_side side[2];
    struct il_anchor *seeds;
};

static void world_open(struct world *w, const struct plan *plan)
{
    memset(w, 0, sizeof(*w));
    ld_frame_open(&w->frame, NULL, 2);
    open_pair(&w->pair, plan);
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

/* Mean of the ten largest. */
static double top_mean(const double *x, size_t count, size_t step)
{
    double top[10], sum = 0;
    for (size_t i = 0; i < 10; i++)
        top[i] = -INFINITY;
    for (size_t i = 0; i < count; i++) {
        double value = x[i * step];
        for (size_t e = 0; e < 10; e++) {
            if (value > top[e]) {
                double swap = top[e];
                top[e] = value;
                value = swap;
            }
        }
    }
    for (size_t i = 0; i < 10; i++)
        sum += top[i] / 10;
    return sum;
}

/* The scores of all pairs, rows of A x rows of B. */
static double *full_matrix(const struct world *w, const struct il_space *space, int csls)
{
    size_t n = w->side[0].rows, m = w->side[1].rows;
    double *s = calloc(n * m, sizeof(*s)), *r = calloc(n + m, sizeof(*r));
    assert_true(s && r);
    for (size_t i = 0; i < n * m; i++)
        s[i] = (double)ld_chain(space->x[0] + i / m * space->k,
                                space->x[1] + i % m * space->k, space->k);
    for (size_t i = 0; i < n + m && csls; i++)
        r[i] = i < n ? top_mean(s + i * m, m, 1) : top_mean(s + (i - n), n, m);
    for (size_t i = 0; i < n * m && csls; i++)
        s[i] = 2 * s[i] - r[i / m] - r[n + i % m];
    free(r);
    return s;
}

static size_t best_in(const double *s, size_t count, size_t step)
{
    size_t best = 0;
    for (size_t i = 1; i < count; i++)
        best = s[i * step] > s[best * step] ? i : best;
    return best;
}

static void links_are_those_of_the_full_matrix(void **state)
{
    (void)state;
    struct plan plan = rotated();
    plan.noise = 0.4;
    plan.seeds = 10;
    struct world w;
    world_open(&w, &plan);
    for (int csls = 0; csls < 2; csls++) {
        struct il_space space = {0};
        assert_int_equal(il_procrustes_embed(&w.frame, &w.side[0], &w.side[1], w.seeds,
                                             w.pair.seed_count, &space),
                         IL_OK);
        double *s = full_matrix(&w, &space, csls);
        size_t n = plan.rows, m = plan.rows, wanted = 0, count = 0;
        struct il_link_config config =
            config_of(csls ? IL_METHOD_CSLS : IL_METHOD_PROCRUSTES);
        struct il_linking *out = NULL;
        assert_int_equal(run(&out, &w.pair, &config, NULL), IL_OK);
        const struct il_link *links = il_link_links(out, &count);
        for (size_t u = 0; u < n; u++) {
            size_t v = best_in(s + u * m, m, 1);
            int seed = 0;
            for (size_t i = 0; i < w.pair.seed_count; i++)
                seed |= w.pair.seeds[i].a == u || w.pair.seeds[i].b == v;
            wanted += !seed && best_in(s + v, n, m) == u;
        }
        assert_int_equal(wanted, il_link_report(out)->links);
        for (size_t i = 0; i < count; i++) {
            if (links[i].origin == IL_ORIGIN_SEED)
                continue;
            assert_int_equal(best_in(s + links[i].a * m, m, 1), links[i].b);
            assert_int_equal(best_in(s + links[i].b, n, m), links[i].a);
            assert_true(links[i].margin >= 0);
        }
        il_link_close(&out);
        free(s);
        il_space_free(&space);
    }
    world_close(&w);
}

/* ----------------------------------------------------------------------- equal bits */

static void equal_on_every_isa_and_thread_count(void **state)
{
    (void)state;
    struct il_simd table[4];
    size_t isas = ld_isas(table);
    enum il_isa own = il_simd()->isa;
    struct plan plan = rotated();
    plan.noise = 0.2;
    struct ld_pair pair;
    open_pair(&pair, &plan);
    for (size_t i = 0; i < SEEDED; i++) {
        struct il_linking *first = NULL;
        size_t first_count = 0, count = 0;
        pair.seed_count = seeded[i] == IL_METHOD_MLP ? 5 : plan.seeds; /* it is slow */
        for (unsigned threads = 1; threads <= 3; threads++) {
            for (size_t t = threads == 1 ? 0 : isas - 1; t < isas; t++) {
                struct il_link_config config = config_of(seeded[i]);
                struct il_linking *out = NULL;
                config.threads = threads;
                ld_use_isa(table[t].isa);
                assert_int_equal(run(&out, &pair, &config, NULL), IL_OK);
                const struct il_link *links = il_link_links(out, &count);
                if (!first) {
                    first = out;
                    first_count = count;
                    assert_true(count > (seeded[i] == IL_METHOD_MLP ? 20 : 100));
                    continue;
                }
                const struct il_link_report *r = il_link_report(first),
                                            *s = il_link_report(out);
                assert_int_equal(count, first_count);
                ld_links_equal(il_link_links(first, &first_count), links, count);
                assert_memory_equal(&r->precision_high, &s->precision_high,
                                    sizeof(double));
                assert_memory_equal(&r->fit_error, &s->fit_error, sizeof(double));
                assert_memory_equal(&r->fit_bound, &s->fit_bound, sizeof(double));
                il_link_close(&out);
            }
        }
        il_link_close(&first);
    }
    ld_use_isa(own);
    ld_close(&pair);
}

/* ------------------------------------------------------------------------ bad input */

static void few_seeds_are_refused(void **state)
{
    (void)state;
    struct plan plan = rotated();
    struct ld_pair pair;
    open_pair(&pair, &plan);
    pair.seed_count = 2;
    for (size_t i = 0; i < SEEDED; i++) {
        struct il_link_config config = config_of(seeded[i]);
        struct il_linking *out = NULL;
        struct il_error error = {""};
        assert_int_equal(run(&out, &pair, &config, &error), IL_EBOOTSTRAP);
        unit_says(&error, "at least 3");
        il_link_close(&out);
    }
    pair.seed_count = 3; /* the least */
    for (size_t i = 0; i < SEEDED; i++) {
        struct il_link_report r;
        (void)judged(seeded[i], &pair, &r);
        assert_int_equal(r.seeds_tested, 3);
    }
    ld_close(&pair);
}

/* One coordinate on either side, or more seeds than coordinates. */
static void one_coordinate(void **state)
{
    (void)state;
    for (size_t d = 1; d <= 2; d++) {
        struct plan plan = rotated();
        plan.d = d;
        plan.e = d == 1 ? 1 : 3;
        plan.seeds = 12;
        struct ld_pair pair;
        open_pair(&pair, &plan);
        for (size_t i = 0; i < SEEDED; i++) {
            struct il_link_report r;
            (void)judged(seeded[i], &pair, &r);
        }
        ld_close(&pair);
    }
}

/* Seeds whose rows are all equal fit a map of one direction, and no more. */
static void equal_seed_rows(void **state)
{
    (void)state;
    struct plan plan = rotated();
    plan.seeds = 12;
    struct ld_pair pair;
    open_pair(&pair, &plan);
    for (size_t i = 1; i < plan.seeds; i++)
        memcpy(pair.x[0] + pair.seeds[i].a * plan.d, pair.x[0] + pair.seeds[0].a * plan.d,
               plan.d * sizeof(float));
    for (size_t i = 0; i < SEEDED; i++) {
        struct il_link_report r;
        struct ld_judged j = judged(seeded[i], &pair, &r);
        assert_true(j.recall < 0.5 && r.precision_low == 0);
    }
    ld_close(&pair);
}

/* Every row of a side the same: centred, nothing is left of it. */
static void equal_rows_are_refused(void **state)
{
    (void)state;
    struct plan plan = rotated();
    struct ld_pair pair;
    open_pair(&pair, &plan);
    for (size_t i = 0; i < plan.rows * plan.d; i++)
        pair.x[0][i] = 1;
    for (size_t i = 0; i < SEEDED; i++) {
        struct il_link_config config = config_of(seeded[i]);
        struct il_linking *out = NULL;
        struct il_error error = {""};
        size_t count = 0;
        assert_int_equal(run(&out, &pair, &config, &error), IL_EBOOTSTRAP);
        unit_says(&error, "say nothing");
        (void)il_link_links(out, &count);
        assert_int_equal(count, pair.seed_count);
        assert_true(il_link_report(out)->refused);
        il_link_close(&out);
    }
    ld_close(&pair);
}

/* Sides of nothing but seeds: no links, no bound above 1. */
static void sides_of_seeds_alone(void **state)
{
    (void)state;
    struct plan plan = rotated();
    plan.rows = plan.shared = plan.seeds = 5;
    struct ld_pair pair;
    open_pair(&pair, &plan);
    for (size_t i = 0; i < SEEDED; i++) {
        struct il_link_report r;
        struct ld_judged j = judged(seeded[i], &pair, &r);
        assert_true(j.links == 0 && r.links == 0 && r.precision_high <= 1);
    }
    ld_close(&pair);
}

static void least_posterior_keeps_all_or_none(void **state)
{
    (void)state;
    struct plan plan = rotated();
    struct ld_pair pair;
    open_pair(&pair, &plan);
    for (size_t i = 0; i < 2; i++) { /* the code is the same for all */
        struct il_link_report r;
        struct ld_judged j = judged(seeded[i], &pair, &r);
        for (int step = 0; step < 2; step++) {
            struct il_link_config config = config_of(seeded[i]);
            struct il_linking *out = NULL;
            config.posterior_min = step ? 1 : r.threshold;
            assert_int_equal(run(&out, &pair, &config, NULL), IL_OK);
            assert_int_equal(il_link_report(out)->links, step ? 0 : j.links);
            il_link_close(&out);
        }
    }
    ld_close(&pair);
}

static void a_scope_is_refused(void **state)
{
    (void)state;
    struct plan plan = rotated();
    struct ld_pair pair;
    open_pair(&pair, &plan);
    struct il_link_config config = config_of(IL_METHOD_RIDGE);
    struct il_linking *out = NULL;
    struct il_error error = {""};
    config.scope = IL_SCOPE_LOCAL;
    assert_int_equal(run(&out, &pair, &config, &error), IL_EARG);
    unit_says(&error, "not for the method ridge");
    ld_close(&pair);
}

static void stop(void *context, const char *stage, double done, double total)
{
    (void)stage;
    assert_true(done <= total);
    atomic_store((il_atomic_int *)context, 1);
}

static void cancel_ends_the_run(void **state)
{
    (void)state;
    struct plan plan = rotated();
    struct ld_pair pair;
    open_pair(&pair, &plan);
    for (size_t i = 0; i < SEEDED; i++) {
        for (int before = 0; before < 2; before++) {
            il_atomic_int cancel;
            struct il_link_config config = config_of(seeded[i]);
            struct il_linking *out = (void *)1;
            atomic_init(&cancel, before);
            config.cancel = &cancel;
            config.progress = stop;
            config.progress_context = &cancel;
            assert_int_equal(run(&out, &pair, &config, NULL), IL_ECANCEL);
            assert_null(out);
        }
    }
    ld_close(&pair);
}

static void memory_faults_leave_nothing(void **state)
{
    (void)state;
    struct plan plan = {.rows = 30, .shared = 25, .d = 3, .e = 4, .seeds = 6};
    struct ld_pair pair;
    open_pair(&pair, &plan);
    for (size_t i = 0; i < SEEDED; i++) {
        struct il_link_config config = config_of(seeded[i]);
        struct il_linking *out = NULL;
        config.threads = 1;
        for (long k = 1;; k = k < 25 ? k + 1 : k + k / 6) {
            il_alloc_fail_at(k);
            enum il_status status = run(&out, &pair, &config, NULL);
            long calls = il_alloc_calls();
            il_alloc_fail_at(0);
            if (calls < k) {
                assert_int_equal(status, IL_OK);
                il_link_close(&out);
                break;
            }
            assert_int_equal(status, IL_ENOMEM);
            assert_null(out);
        }
    }
    ld_close(&pair);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_table_has_no_gap),
        cmocka_unit_test(a_rotation_is_found_back),
        cmocka_unit_test(the_wider_side_may_be_a),
        cmocka_unit_test(a_linear_map_is_found_back),
        cmocka_unit_test(nothing_is_claimed_of_unrelated_sides),
        cmocka_unit_test(the_bound_holds),
        cmocka_unit_test(links_are_those_of_the_full_matrix),
        cmocka_unit_test(equal_on_every_isa_and_thread_count),
        cmocka_unit_test(few_seeds_are_refused),
        cmocka_unit_test(one_coordinate),
        cmocka_unit_test(equal_seed_rows),
        cmocka_unit_test(equal_rows_are_refused),
        cmocka_unit_test(sides_of_seeds_alone),
        cmocka_unit_test(least_posterior_keeps_all_or_none),
        cmocka_unit_test(a_scope_is_refused),
        cmocka_unit_test(cancel_ends_the_run),
        cmocka_unit_test(memory_faults_leave_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
