/* SPDX-License-Identifier: Apache-2.0 */
/* One draw: links the stores and holds the links against the truth. Seeds are left out on
   both sides, as in il_eval_files: whatever touches a seed's row is not judged. */
#include "bench_quality.h"

#include <stdlib.h>

struct judge {
    size_t *partner;  /* true row of B for every row of A, SIZE_MAX = none */
    uint8_t *seed[2]; /* rows that stand in a seed */
    size_t truth;     /* pairs to find */
};

static void judge_open(struct judge *j, const struct il_bench_stores *stores,
                       const struct il_bench_seeds *seeds)
{
    size_t rows = stores->side[0].rows;
    j->partner = il_bench_alloc(rows, sizeof *j->partner);
    j->seed[0] = il_bench_alloc(rows, 1);
    j->seed[1] = il_bench_alloc(stores->side[1].rows, 1);
    j->truth = 0;
    for (size_t i = 0; i < seeds->count; i++) {
        j->seed[0][seeds->pair[i].a] = 1;
        j->seed[1][seeds->pair[i].b] = 1;
    }
    for (size_t i = 0; i < rows; i++)
        j->partner[i] = SIZE_MAX;
    for (size_t i = 0; i < stores->truth_count; i++) {
        struct il_pair pair = stores->truth[i];
        j->partner[pair.a] = (size_t)pair.b;
        j->truth += !j->seed[0][pair.a] && !j->seed[1][pair.b];
    }
}

static void judge_close(struct judge *j)
{
    free(j->partner);
    free(j->seed[0]);
    free(j->seed[1]);
}

/* -1 = not judged, 0 = wrong, 1 = right. */
static int judge_link(const struct judge *j, const struct il_link *link)
{
    if (link->origin == IL_ORIGIN_SEED || j->seed[0][link->a] || j->seed[1][link->b])
        return -1;
    return j->partner[link->a] == link->b;
}

static double f1(size_t right, size_t links, size_t truth)
{
    return right ? 2 * (double)right / (double)(links + truth) : 0;
}

static void judge_links(const struct judge *j, const struct il_linking *linking,
                        struct il_bench_draw *out)
{
    size_t count, right = 0;
    const struct il_link *link = il_link_links(linking, &count);
    for (size_t i = 0; i < count; i++) {
        int verdict = judge_link(j, &link[i]);
        if (verdict < 0)
            continue;
        size_t at = (size_t)(link[i].posterior * IL_EVAL_BINS);
        struct il_eval_bin *bin = &out->bin[at < IL_EVAL_BINS ? at : IL_EVAL_BINS - 1];
        bin->links++;
        bin->right += (size_t)verdict;
        bin->posterior += link[i].posterior;
        out->links++;
        right += (size_t)verdict;
    }
    for (size_t i = 0; i < IL_EVAL_BINS && out->links; i++) {
        double gap = (double)out->bin[i].right - out->bin[i].posterior;
        out->ece += (gap < 0 ? -gap : gap) / (double)out->links;
    }
    out->precision = out->links ? (double)right / (double)out->links : 0;
    out->recall = j->truth ? (double)right / (double)j->truth : 0;
    out->f1 = f1(right, out->links, j->truth);
}

/* The best first so many of all candidates. */
static double best_f1(const struct judge *j, const struct il_linking *linking)
{
    size_t count, right = 0, links = 0;
    const struct il_link *link = il_link_links(linking, &count);
    double best = 0;
    for (size_t i = 0; i < count; i++) {
        int verdict = judge_link(j, &link[i]);
        if (verdict < 0)
            continue;
        right += (size_t)verdict;
        double now = f1(right, ++links, j->truth);
        best = now > best ? now : best;
    }
    return best;
}

static void count_wrong_seeds(const struct il_bench_seeds *seeds,
                              const struct il_linking *linking, struct il_bench_draw *out)
{
    size_t count;
    const struct il_pair *aside = il_link_wrong_seeds(linking, &count);
    for (size_t i = 0; i < seeds->count; i++) {
        int found = 0;
        for (size_t k = 0; k < count && !found; k++)
            found = aside[k].a == seeds->pair[i].a;
        out->wrong_count += seeds->wrong[i];
        out->good_count += !seeds->wrong[i];
        out->wrong_found += found && seeds->wrong[i];
        out->good_lost += found && !seeds->wrong[i];
    }
}

enum il_status il_bench_draw_run(struct il_bench_draw *out,
                                 const struct il_bench_stores *stores,
                                 const struct il_bench_seeds *seeds,
                                 const struct il_link_config *config,
                                 struct il_error *error)
{
    struct il_linking *linking = NULL;
    struct il_link_config all = *config;
    struct judge j;
    *out = (struct il_bench_draw){0};
    for (size_t i = 0; i < IL_EVAL_BINS; i++) {
        out->bin[i].low = (double)i / IL_EVAL_BINS;
        out->bin[i].high = (double)(i + 1) / IL_EVAL_BINS;
    }
    judge_open(&j, stores, seeds);
    enum il_status status = il_link_run(&linking, &stores->side[0], &stores->side[1],
                                        seeds->pair, seeds->count, config, error);
    out->refused = status == IL_EBOOTSTRAP;
    if (status == IL_OK || out->refused) {
        const struct il_link_report *report = il_link_report(linking);
        judge_links(&j, linking, out);
        count_wrong_seeds(seeds, linking, out);
        out->precision_expected = report->precision;
        out->seeds_found = report->seeds_found;
        out->seeds_tested = report->seeds_tested;
        out->seconds = report->seconds;
        status = IL_OK;
    }
    il_link_close(&linking);
    if (status == IL_OK && !out->refused && j.truth) {
        all.posterior_min = 0;
        status = il_link_run(&linking, &stores->side[0], &stores->side[1], seeds->pair,
                             seeds->count, &all, error);
        if (status == IL_OK)
            out->best_f1 = best_f1(&j, linking);
        il_link_close(&linking);
    }
    judge_close(&j);
    return status;
}
