/* SPDX-License-Identifier: Apache-2.0 */
/* Quality of a stream: links of arrivals beside those of one run over all rows, what is
   said of the precision on the way, and what bootstraps cost. */
#include "bench_stream.h"

#include <stdio.h>
#include <stdlib.h>

/* Rows of a commit: links do not depend on it but by the turns of the calibration. */
#define COMMIT_ROWS 64
/* Times that the estimate is held against the truth. */
#define CHECKS 5
/* Arrivals of the first scenario, as a share of its base. */
#define FEW 0.2

enum scenario { FEW_ALONE, WITH_REFITS, SCENARIOS };

static const char *const scenario_name[SCENARIOS] = {"no refit", "refits"};

struct outcome {
    struct il_replay_verdict full, live; /* on pairs that touch an arrival */
    double off[CHECKS];                  /* |estimated - true precision| */
    size_t offs;
    size_t base, arrivals, boots, refused;
    struct il_spent stream, boots_spent; /* the stream includes its bootstraps */
    struct il_spent warm, cold;          /* over all rows, at the end */
    double warm_f1, cold_f1;             /* after them, on arrivals */
};

/* A bootstrap of the stream's own, with what it took. */
static void bootstrap(struct il_replay *r, struct outcome *out)
{
    struct il_stream_info info;
    il_stream_describe(r->stream, &info);
    struct il_spent start = il_spent_now();
    int done = il_replay_bootstrap(r, info.round ? IL_BOOTSTRAP_WARM : IL_BOOTSTRAP_COLD);
    struct il_spent spent = il_spent_since(start);
    out->boots_spent.wall += spent.wall;
    out->boots_spent.cpu += spent.cpu;
    out->boots++;
    out->refused += !done;
}

/* Without links nothing is claimed. */
static void check_precision(const struct il_replay *r, const struct il_replay_judge *j,
                            struct outcome *out)
{
    struct il_stream_info info;
    struct il_replay_verdict v = il_replay_judge(j, r->partner, r->given, 0);
    il_stream_describe(r->stream, &info);
    if (v.links == 0)
        return;
    double off = info.precision - v.precision;
    out->off[out->offs++] = off < 0 ? -off : off;
}

static void stream_all(const struct il_bench_plan *plan, struct il_replay *r,
                       const struct il_replay_order *order,
                       const struct il_replay_judge *j, int refits, struct outcome *out)
{
    struct il_stream_info info;
    struct il_spent start = il_spent_now();
    size_t arrivals = order->count - order->base, check = 1;
    il_replay_push(r, order, 0, order->base, IL_BENCH_BATCH * 16, NULL);
    bootstrap(r, out);
    size_t fitted = order->base;
    for (size_t i = order->base; i < order->count;) {
        size_t end = i + COMMIT_ROWS < order->count ? i + COMMIT_ROWS : order->count;
        il_replay_push(r, order, i, end, COMMIT_ROWS, NULL);
        i = end;
        il_stream_describe(r->stream, &info);
        if (refits && (double)info.since >= plan->after * (double)fitted) {
            bootstrap(r, out);
            fitted = i;
        }
        for (; check <= CHECKS && (i - order->base) * CHECKS >= check * arrivals; check++)
            check_precision(r, j, out);
    }
    out->stream = il_spent_since(start);
    out->live = il_replay_judge(j, r->partner, r->given, 1);
}

/* What the same rows give at once. */
static void judge_full(const struct il_linking *linking, const struct il_replay_judge *j,
                       struct outcome *out)
{
    size_t count = 0, *partner = il_bench_alloc(j->rows[0], sizeof *partner);
    uint8_t *given = il_bench_alloc(j->rows[0], 1);
    const struct il_link *link = il_link_links(linking, &count);
    for (size_t i = 0; i < j->rows[0]; i++)
        partner[i] = SIZE_MAX;
    for (size_t i = 0; i < count; i++) {
        partner[link[i].a] = (size_t)link[i].b;
        given[link[i].a] = link[i].origin == IL_ORIGIN_SEED;
    }
    out->full = il_replay_judge(j, partner, given, 1);
    free(partner);
    free(given);
}

static void both_bootstraps(struct il_replay *r, const struct il_replay_judge *j,
                            struct outcome *out)
{
    struct il_spent start = il_spent_now();
    il_replay_bootstrap(r, IL_BOOTSTRAP_WARM);
    out->warm = il_spent_since(start);
    out->warm_f1 = il_replay_judge(j, r->partner, r->given, 1).f1;
    start = il_spent_now();
    il_replay_bootstrap(r, IL_BOOTSTRAP_COLD);
    out->cold = il_spent_since(start);
    out->cold_f1 = il_replay_judge(j, r->partner, r->given, 1).f1;
}

static void run_scenario(const struct il_bench_plan *plan,
                         const struct il_bench_stores *stores,
                         const struct il_bench_seeds *seeds,
                         const struct il_linking *linking, enum scenario scenario,
                         uint64_t draw, struct outcome *out)
{
    size_t rows = stores->side[0].rows + stores->side[1].rows;
    double base = scenario == FEW_ALONE ? 1 / (1 + FEW) : plan->base;
    struct il_replay_order order;
    struct il_replay_judge judge;
    struct il_replay replay;
    il_replay_order_make(&order, stores, seeds, (size_t)(base * (double)rows), draw);
    il_replay_judge_open(&judge, stores, seeds, &order);
    *out = (struct outcome){.base = order.base, .arrivals = order.count - order.base};
    judge_full(linking, &judge, out);
    il_replay_open(&replay, plan, stores, seeds, IL_SYNC_OS);
    stream_all(plan, &replay, &order, &judge, scenario == WITH_REFITS, out);
    if (scenario == WITH_REFITS)
        both_bootstraps(&replay, &judge, out);
    il_replay_close(&replay);
    il_replay_judge_close(&judge);
    il_replay_order_free(&order);
}

static void run_draw(const struct il_bench_plan *plan,
                     const struct il_bench_source *source, uint64_t draw,
                     struct outcome outcome[SCENARIOS])
{
    struct il_bench_stores stores;
    struct il_bench_seeds seeds = {0};
    struct il_linking *linking = NULL;
    struct il_link_config config;
    struct il_error error = {""};
    char text[200];
    il_bench_stores_make(&stores, source, draw);
    if (!il_bench_seeds_draw(&seeds, source, &stores, plan->seeds, 0, draw))
        il_bench_die(2, source->name, "too few true pairs for that many seeds");
    il_link_config_init(&config);
    config.threads = plan->threads;
    snprintf(text, sizeof text, "quality: %s, draw %zu of %zu: all rows at once",
             source->name, (size_t)draw + 1, plan->draws);
    il_bench_progress(text);
    enum il_status status = il_link_run(&linking, &stores.side[0], &stores.side[1],
                                        seeds.pair, seeds.count, &config, &error);
    if (status != IL_EBOOTSTRAP)
        il_bench_must(status, &error);
    for (int i = 0; i < SCENARIOS; i++) {
        snprintf(text, sizeof text, "quality: %s, draw %zu of %zu: stream, %s",
                 source->name, (size_t)draw + 1, plan->draws, scenario_name[i]);
        il_bench_progress(text);
        run_scenario(plan, &stores, &seeds, linking, (enum scenario)i, draw, &outcome[i]);
    }
    il_link_close(&linking);
    il_bench_seeds_free(&seeds);
    il_bench_stores_free(&stores);
}

/* ------------------------------------------------------------------------------- tables
 */

static const char legend[] =
    "Arrivals: rows on both sides in random order after a base, commits of 64; percent,\n"
    "over pairs that touch an arrival, seeds left out; mean over the draws of order and\n"
    "seeds\n"
    "  base      rows there at first, of both sides; arr.: then one after the other;\n"
    "            no refit: one bootstrap over the base alone; refits: a warm bootstrap\n"
    "            whenever so many rows are new as --after says (boots: of both kinds)\n"
    "  full      F1 of one run over all rows; F1 P R: of the links that stand at the "
    "end\n"
    "  points    F1 - full, mean and worst draw\n"
    "  err       |estimated - true precision| of all links that stand, at five times on\n"
    "            the way, mean and largest\n"
    "  warm      processor seconds of a warm bootstrap over all rows at the end, as "
    "cold\n"
    "            (warm/: its share); F1w F1c: F1 after them\n"
    "  sec       wall time of the stream with its bootstraps\n"
    "  refd      bootstraps refused\n\n";

static void print_head(const struct il_bench_plan *plan)
{
    fputs(legend, stdout);
    printf("%-*s %-8s %7s %7s %6s %6s %6s %6s %6s %6s %5s %5s %5s %7s %7s %6s %6s %6s "
           "%7s %4s\n",
           plan->name_columns, "set", "scenario", "base", "arr.", "full", "F1", "points",
           "worst", "P", "R", "err", "max", "boots", "warm", "cold", "warm/", "F1w",
           "F1c", "sec", "refd");
    fflush(stdout);
}

/* Means over the draws. */
struct summary {
    double full, f1, points, worst, precision, recall, off, off_max;
    double boots, warm, cold, warm_f1, cold_f1, seconds, offs, base, arrivals;
    size_t refused;
};

static struct summary summarise(const struct outcome (*draw)[SCENARIOS], size_t draws,
                                enum scenario scenario)
{
    struct summary s = {.worst = 1};
    double share = 1 / (double)draws;
    for (size_t d = 0; d < draws; d++) {
        const struct outcome *o = &draw[d][scenario];
        double points = o->live.f1 - o->full.f1;
        s.full += share * o->full.f1;
        s.f1 += share * o->live.f1;
        s.points += share * points;
        s.worst = points < s.worst ? points : s.worst;
        s.precision += share * o->live.precision;
        s.recall += share * o->live.recall;
        for (size_t i = 0; i < o->offs; i++) {
            s.off += o->off[i];
            s.off_max = o->off[i] > s.off_max ? o->off[i] : s.off_max;
        }
        s.offs += (double)o->offs;
        s.boots += share * (double)o->boots;
        s.warm += share * o->warm.cpu;
        s.cold += share * o->cold.cpu;
        s.warm_f1 += share * o->warm_f1;
        s.cold_f1 += share * o->cold_f1;
        s.seconds += share * o->stream.wall;
        s.base += share * (double)o->base;
        s.arrivals += share * (double)o->arrivals;
        s.refused += o->refused;
    }
    s.off = s.offs > 0 ? s.off / s.offs : 0;
    return s;
}

static void print_row(const struct il_bench_plan *plan, const char *name,
                      enum scenario scenario, const struct summary *s)
{
    printf("%-*s %-8s %7.0f %7.0f %6.1f %6.1f %6.1f %6.1f %6.1f %6.1f %5.1f %5.1f %5.1f ",
           plan->name_columns, name, scenario_name[scenario], s->base, s->arrivals,
           100 * s->full, 100 * s->f1, 100 * s->points, 100 * s->worst,
           100 * s->precision, 100 * s->recall, 100 * s->off, 100 * s->off_max, s->boots);
    if (scenario == WITH_REFITS)
        printf("%7.2f %7.2f %6.1f %6.1f %6.1f ", s->warm, s->cold,
               s->cold > 0 ? 100 * s->warm / s->cold : 0, 100 * s->warm_f1,
               100 * s->cold_f1);
    else
        printf("%7s %7s %6s %6s %6s ", "-", "-", "-", "-", "-");
    printf("%7.1f %4zu\n", s->seconds, s->refused);
    fflush(stdout);
}

static json_t *verdict_json(const struct il_replay_verdict *v)
{
    return json_pack("{sI sI sI sf sf sf}", "links", (json_int_t)v->links, "right",
                     (json_int_t)v->right, "truth", (json_int_t)v->truth, "precision",
                     v->precision, "recall", v->recall, "f1", v->f1);
}

static json_t *outcome_json(const struct outcome *o)
{
    json_t *offs = json_array();
    for (size_t i = 0; i < o->offs; i++)
        json_array_append_new(offs, json_real(o->off[i]));
    return json_pack(
        "{sI sI so so so sI sI sf sf sf sf sf sf sf}", "base", (json_int_t)o->base,
        "arrivals", (json_int_t)o->arrivals, "full", verdict_json(&o->full), "stream",
        verdict_json(&o->live), "precision_errors", offs, "bootstraps",
        (json_int_t)o->boots, "refused", (json_int_t)o->refused, "seconds",
        o->stream.wall, "cpu_seconds", o->stream.cpu, "bootstrap_cpu_seconds",
        o->boots_spent.cpu, "warm_cpu_seconds", o->warm.cpu, "cold_cpu_seconds",
        o->cold.cpu, "warm_f1", o->warm_f1, "cold_f1", o->cold_f1);
}

static json_t *row_json(const char *name, enum scenario scenario, const struct summary *s,
                        const struct outcome (*draw)[SCENARIOS], size_t draws)
{
    json_t *all = json_array();
    for (size_t d = 0; d < draws; d++)
        json_array_append_new(all, outcome_json(&draw[d][scenario]));
    return json_pack("{ss ss sf sf sf sf sf sf so}", "set", name, "scenario",
                     scenario_name[scenario], "full_f1", s->full, "f1", s->f1, "points",
                     s->points, "points_worst", s->worst, "precision_error", s->off,
                     "precision_error_max", s->off_max, "draws", all);
}

json_t *il_bench_stream_quality(const struct il_bench_plan *plan,
                                const struct il_bench_source *const *source, size_t count)
{
    json_t *rows = json_array();
    struct outcome(*draw)[SCENARIOS] = il_bench_alloc(plan->draws, sizeof *draw);
    print_head(plan);
    for (size_t i = 0; i < count; i++) {
        for (size_t d = 0; d < plan->draws; d++)
            run_draw(plan, source[i], d, draw[d]);
        il_bench_progress(NULL);
        for (int k = 0; k < SCENARIOS; k++) {
            enum scenario scenario = (enum scenario)k;
            const struct outcome(*done)[SCENARIOS] =
                (const struct outcome(*)[SCENARIOS])draw;
            struct summary s = summarise(done, plan->draws, scenario);
            print_row(plan, source[i]->name, scenario, &s);
            json_array_append_new(
                rows, row_json(source[i]->name, scenario, &s, done, plan->draws));
        }
    }
    free(draw);
    return rows;
}
