/* SPDX-License-Identifier: Apache-2.0 */
/* The methods on the real pair of tests/data/demo, through the public API alone: files
   in, links and report out, judged by the truth. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <isolink/isolink.h>

#include "tests/unit/linkdata.h"

#define DEMO "tests/data/demo/"

/* The demo as a pair of linkdata.h, so that the same judge serves. */
struct demo {
    struct il_vectors *vectors[2];
    struct il_ids *ids[2];
    struct il_matrix rows[2];
    struct ld_pair pair;
};

static void demo_open(struct demo *d)
{
    static const char *const rows[] = {DEMO "a.npy", DEMO "b.npy"};
    static const char *const ids[] = {DEMO "a.ids.txt", DEMO "b.ids.txt"};
    struct il_pairs_notes notes;
    struct il_pair *truth = NULL;
    size_t count = 0;
    memset(d, 0, sizeof(*d));
    for (int s = 0; s < 2; s++) {
        assert_int_equal(il_vectors_load(&d->vectors[s], rows[s], NULL), IL_OK);
        d->rows[s] = il_vectors_rows(d->vectors[s]);
        assert_int_equal(il_ids_load(&d->ids[s], ids[s], d->rows[s].rows, NULL), IL_OK);
        d->pair.rows[s] = d->rows[s].rows;
        d->pair.partner[s] = malloc(d->rows[s].rows * sizeof(uint32_t));
        assert_non_null(d->pair.partner[s]);
        memset(d->pair.partner[s], 0xff, d->rows[s].rows * sizeof(uint32_t));
    }
    assert_int_equal(il_pairs_load(&d->pair.seeds, &d->pair.seed_count, DEMO "seeds.csv",
                                   d->ids[0], d->ids[1], &notes, NULL),
                     IL_OK);
    assert_int_equal(notes.repeated + notes.contradicting + notes.missing, 0);
    assert_int_equal(il_pairs_load(&truth, &count, DEMO "truth.csv", d->ids[0], d->ids[1],
                                   &notes, NULL),
                     IL_OK);
    for (size_t i = 0; i < count; i++) {
        d->pair.partner[0][truth[i].a] = (uint32_t)truth[i].b;
        d->pair.partner[1][truth[i].b] = (uint32_t)truth[i].a;
    }
    d->pair.shared = count;
    il_pairs_free(truth);
    assert_true(d->pair.seed_count == 15 && count > 1000);
}

static void demo_close(struct demo *d)
{
    for (int s = 0; s < 2; s++) {
        il_vectors_close(&d->vectors[s]);
        il_ids_close(&d->ids[s]);
        free(d->pair.partner[s]);
    }
    il_pairs_free(d->pair.seeds);
}

/* Links the demo; checks the order, the F1, and how honest the report is. */
static void link_and_judge(enum il_method method, unsigned views, double f1_min,
                           double off_max)
{
    struct demo d;
    struct il_link_config config;
    struct il_linking *out = NULL;
    struct il_error error = {""};
    size_t count = 0, bins = 0;
    demo_open(&d);
    il_link_config_init(&config);
    config.method = method;
    config.threads = 2;
    config.views = views;
    if (il_link_run(&out, &d.rows[0], &d.rows[1], d.pair.seeds, d.pair.seed_count,
                    &config, &error) != IL_OK)
        fail_msg("%s", error.text);
    const struct il_link *links = il_link_links(out, &count);
    const struct il_link_report *r = il_link_report(out);
    struct ld_judged j = ld_judge(links, count, &d.pair);
    print_message("method %d: %zu links, P %.3f R %.3f F1 %.3f; P said %.3f (%.3f-%.3f), "
                  "shared said %.0f of %zu; %.1f s\n",
                  (int)method, j.links, j.precision, j.recall, j.f1, r->precision,
                  r->precision_low, r->precision_high, r->shared, d.pair.shared,
                  r->seconds);
    ld_links_sound(links, count, &d.pair);
    assert_int_equal(r->links, j.links);
    assert_int_equal(r->seeds_wrong, 0);
    assert_int_equal(j.seeds, 15);
    assert_true(j.f1 >= f1_min);
    assert_true(fabs(r->precision - j.precision) <= off_max);
    assert_true(r->precision_low <= j.precision + 0.03 &&
                j.precision <= r->precision_high + 0.03);
    /* Posterior bins of tenths against the truth. */
    double expected[10] = {0}, right[10] = {0}, error_sum = 0;
    for (size_t i = 0; i < count; i++) {
        int bin = links[i].posterior >= 1 ? 9 : (int)(links[i].posterior * 10);
        if (links[i].origin == IL_ORIGIN_SEED)
            continue;
        expected[bin] += links[i].posterior;
        right[bin] += d.pair.partner[0][links[i].a] == links[i].b;
    }
    for (int b = 0; b < 10; b++) {
        error_sum += fabs(expected[b] - right[b]) / (double)j.links;
        bins += expected[b] > 0;
    }
    print_message("calibration error %.3f over %zu bins\n", error_sum, bins);
    assert_true(error_sum <= off_max + 0.02);
    il_link_close(&out);
    demo_close(&d);
}

static void geh_links_the_demo(void **state)
{
    (void)state;
    link_and_judge(IL_METHOD_GEH, 0, 0.80, 0.06);
}

static void geh_published_links_the_demo(void **state)
{
    (void)state;
    /* The reference reaches 0.72 with its own, many more views. */
    link_and_judge(IL_METHOD_GEH_PUBLISHED, 6, 0.60, 0.15);
}

/* Fitted on 15 seeds alone; a network learns next to nothing from so few. */
static void methods_of_the_seeds_link_the_demo(void **state)
{
    (void)state;
    static const struct {
        enum il_method method;
        double precision, recall; /* at least */
    } wanted[] = {{IL_METHOD_PROCRUSTES, 0.40, 0.52},
                  {IL_METHOD_RIDGE, 0.40, 0.03},
                  {IL_METHOD_CCA, 0.36, 0.45},
                  {IL_METHOD_CSLS, 0.33, 0.60},
                  {IL_METHOD_MLP, 0, 0},
                  {IL_METHOD_RELATIVE, 0.40, 0.46}};
    struct demo d;
    demo_open(&d);
    for (size_t i = 0; i < sizeof(wanted) / sizeof(*wanted); i++) {
        struct il_link_config config;
        struct il_linking *out = NULL;
        size_t count = 0;
        il_link_config_init(&config);
        config.method = wanted[i].method;
        config.threads = 2;
        assert_int_equal(il_link_run(&out, &d.rows[0], &d.rows[1], d.pair.seeds,
                                     d.pair.seed_count, &config, NULL),
                         IL_OK);
        const struct il_link *links = il_link_links(out, &count);
        const struct il_link_report *r = il_link_report(out);
        struct ld_judged j = ld_judge(links, count, &d.pair);
        print_message("%s: %zu links, P %.3f R %.3f F1 %.3f, P said <= %.3f\n",
                      il_method_text(wanted[i].method), j.links, j.precision, j.recall,
                      j.f1, r->precision_high);
        ld_links_sound(links, count, &d.pair);
        assert_true(j.precision >= wanted[i].precision && j.recall >= wanted[i].recall);
        assert_true(isnan(r->precision) && j.precision <= r->precision_high);
        assert_true(r->seeds_tested == 15 && r->seeds_found < 15);
        il_link_close(&out);
    }
    demo_close(&d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(geh_links_the_demo),
        cmocka_unit_test(geh_published_links_the_demo),
        cmocka_unit_test(methods_of_the_seeds_link_the_demo),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
