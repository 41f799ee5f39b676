/* SPDX-License-Identifier: Apache-2.0 */
/* The published steps of mini-vec2vec, through il_link_run. */
#include "tests/unit/unit.h"

#include <isolink/link.h>

#include "simd/simd.h"
#include "tests/unit/linkdata.h"

static struct ld_plan plan_of(size_t rows)
{
    struct ld_plan plan = ld_plan_small();
    plan.rows[0] = rows;
    plan.rows[1] = rows - rows / 8;
    plan.shared = rows / 2;
    plan.d[0] = 20;
    plan.d[1] = 24;
    plan.seeds = 3;
    return plan;
}

static enum il_status run(const struct ld_pair *pair, size_t seeds, unsigned threads,
                          struct il_linking **out)
{
    struct il_link_config config;
    struct il_error error;
    struct il_matrix a = ld_matrix(pair, 0), b = ld_matrix(pair, 1);
    il_link_config_init(&config);
    config.method = IL_METHOD_MINI_VEC2VEC;
    config.threads = threads;
    return il_link_run(out, &a, &b, pair->seeds, seeds, &config, &error);
}

/* Side B becomes side A turned, in more dimensions, with a little noise: the spaces that
   the method assumes. */
static void turn(struct ld_pair *pair)
{
    struct ld_rng rng = {5};
    size_t da = pair->d[0], db = pair->d[1];
    for (size_t v = 0; v < pair->rows[1]; v++) {
        const float *from = pair->x[0] + pair->partner[1][v] * da;
        float *to = pair->x[1] + v * db;
        for (size_t k = 0; k < db; k++)
            to[k] = (k < da ? from[da - 1 - k] : 0) + (float)(0.02 * ld_normal(&rng));
    }
}

/* Most of what both sides hold is found; seeds keep their rows and are no links. */
static void finds_the_common_documents(void **state)
{
    (void)state;
    for (size_t seeds = 0; seeds <= 3; seeds += 3) {
        struct ld_plan plan = plan_of(400);
        struct ld_pair pair;
        struct il_linking *out = NULL;
        size_t count = 0;
        plan.rows[0] = 440;
        plan.shared = plan.rows[1];
        ld_open(&pair, &plan);
        turn(&pair);
        pair.seed_count = seeds;
        assert_int_equal(run(&pair, seeds, 2, &out), IL_OK);
        const struct il_link *links = il_link_links(out, &count);
        ld_links_sound(links, count, &pair);
        struct ld_judged j = ld_judge(links, count, &pair);
        print_message("%zu seeds: P %.2f R %.2f\n", seeds, j.precision, j.recall);
        assert_int_equal(j.seeds, seeds);
        assert_true(j.recall > 0.8 && j.precision > 0.5);
        il_link_close(&out);
        ld_close(&pair);
    }
}

/* Fewer rows than clusters, one row, none: it ends, and the links are sound. */
static void few_rows_are_no_trouble(void **state)
{
    (void)state;
    static const size_t rows[] = {30, 8, 2, 1};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct ld_plan plan = plan_of(rows[i]);
        struct ld_pair pair;
        struct il_linking *out = NULL;
        size_t count = 0;
        plan.seeds = 0;
        ld_open(&pair, &plan);
        assert_int_equal(run(&pair, 0, 1, &out), IL_OK);
        const struct il_link *links = il_link_links(out, &count);
        ld_links_sound(links, count, &pair);
        assert_true(count <= rows[i]);
        il_link_close(&out);
        ld_close(&pair);
    }
    const float x[4] = {1, 2, 3, 4};
    struct il_matrix none = {IL_F32, 0, 4, 16, NULL}, one = {IL_F32, 1, 4, 16, x};
    struct il_link_config config;
    struct il_linking *out = NULL;
    il_link_config_init(&config);
    config.method = IL_METHOD_MINI_VEC2VEC;
    assert_int_equal(il_link_run(&out, &none, &one, NULL, 0, &config, NULL), IL_OK);
    il_link_close(&out);
}

static void equal_links_on_every_isa_and_thread_count(void **state)
{
    (void)state;
    struct il_simd table[4];
    size_t isas = ld_isas(table), first_count = 0;
    struct ld_plan plan = plan_of(60);
    struct ld_pair pair;
    struct il_linking *first = NULL;
    ld_open(&pair, &plan);
    for (size_t t = 0; t < isas; t++) {
        struct il_linking *out = NULL;
        size_t count = 0;
        ld_use_isa(table[t].isa);
        assert_int_equal(run(&pair, 0, 1 + (unsigned)t, &out), IL_OK);
        const struct il_link *links = il_link_links(out, &count);
        if (t == 0) {
            first = out;
            first_count = count;
            continue;
        }
        const struct il_link *others = il_link_links(first, &first_count);
        assert_int_equal(count, first_count);
        for (size_t i = 0; i < count; i++)
            assert_true(links[i].a == others[i].a && links[i].b == others[i].b &&
                        links[i].posterior == others[i].posterior);
        il_link_close(&out);
    }
    ld_use_isa(IL_ISA_AVX512);
    il_link_close(&first);
    ld_close(&pair);
}

/* Every allocation at first, then in growing steps. */
static void memory_faults_are_told(void **state)
{
    (void)state;
    struct ld_plan plan = plan_of(24);
    struct ld_pair pair;
    ld_open(&pair, &plan);
    for (long k = 1;; k = k < 20 ? k + 1 : k + k / 3) {
        struct il_linking *out = NULL;
        il_alloc_fail_at(k);
        enum il_status status = run(&pair, 0, 1, &out);
        long calls = il_alloc_calls();
        il_alloc_fail_at(0);
        il_link_close(&out);
        if (calls < k) {
            assert_int_equal(status, IL_OK);
            break;
        }
        assert_int_equal(status, IL_ENOMEM);
    }
    ld_close(&pair);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_the_common_documents),
        cmocka_unit_test(few_rows_are_no_trouble),
        cmocka_unit_test(equal_links_on_every_isa_and_thread_count),
        cmocka_unit_test(memory_faults_are_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
