/* SPDX-License-Identifier: Apache-2.0 */
/* From an arrival to its events: push and commit of one row, of batches, and of one row
   while a bootstrap runs beside it. */
#include "bench_stream.h"

#include <stdio.h>
#include <stdlib.h>

/* Bootstraps that arrivals are measured beside, at most. */
#define BOOTS_MAX 20

/* A set as a stream whose base is linked and whose arrivals wait. */
struct ready {
    struct il_bench_stores stores;
    struct il_bench_seeds seeds;
    struct il_replay_order order;
    struct il_replay replay;
    size_t singles, batches; /* arrivals one by one; batches */
    double boot_seconds;
};

static void ready_open(struct ready *w, const struct il_bench_plan *plan,
                       const struct il_bench_source *source, const char *what)
{
    char text[200];
    snprintf(text, sizeof text, "%s: %s: base and bootstrap", what, source->name);
    il_bench_progress(text);
    *w = (struct ready){.singles = plan->arrivals, .batches = plan->batches};
    il_bench_stores_make(&w->stores, source, 0);
    if (!il_bench_seeds_draw(&w->seeds, source, &w->stores, plan->seeds, 0, 0))
        il_bench_die(2, source->name, "too few true pairs for that many seeds");
    size_t rows = w->stores.side[0].rows + w->stores.side[1].rows;
    /* The base stays the larger part. */
    if (w->singles > rows / 4)
        w->singles = rows / 4;
    if (w->batches * IL_BENCH_BATCH > rows / 4)
        w->batches = rows / 4 / IL_BENCH_BATCH;
    size_t most = w->singles > w->batches * IL_BENCH_BATCH ? w->singles
                                                           : w->batches * IL_BENCH_BATCH;
    il_replay_order_make(&w->order, &w->stores, &w->seeds, rows - most, 0);
    il_replay_open(&w->replay, plan, &w->stores, &w->seeds, IL_SYNC_OS);
    il_replay_push(&w->replay, &w->order, 0, w->order.base, IL_BENCH_BATCH * 16, NULL);
    struct il_spent start = il_spent_now();
    if (!il_replay_bootstrap(&w->replay, IL_BOOTSTRAP_COLD))
        il_bench_die(1, source->name, "the base does not support a bootstrap");
    w->boot_seconds = il_spent_since(start).wall;
}

static void ready_close(struct ready *w)
{
    il_replay_close(&w->replay);
    il_replay_order_free(&w->order);
    il_bench_seeds_free(&w->seeds);
    il_bench_stores_free(&w->stores);
}

static void print_base(const struct ready *w, const struct il_bench_source *source,
                       const struct il_bench_plan *plan)
{
    size_t rows[2] = {0, 0};
    for (size_t i = 0; i < w->order.base; i++)
        rows[w->order.row[i].side]++;
    printf("%s, base %zu x %zu rows of %zu and %zu dimensions; threads %u (0: one per "
           "core); bootstrap %.1f s; states in %s\n",
           source->name, rows[0], rows[1], w->stores.side[0].dim, w->stores.side[1].dim,
           plan->threads, w->boot_seconds, plan->work);
}

static const char *sync_text(enum il_sync sync)
{
    return sync == IL_SYNC_ALWAYS ? "always" : "os";
}

/* ------------------------------------------------------------------------------ latency
 */

static json_t *latency_row(struct ready *w, enum il_sync sync, size_t batch, size_t count,
                           double reopened)
{
    struct il_series times = {0};
    size_t first = w->order.base, events = w->replay.events;
    char text[120];
    snprintf(text, sizeof text, "latency: sync %s, batches of %zu", sync_text(sync),
             batch);
    il_bench_progress(text);
    struct il_spent start = il_spent_now();
    il_replay_push(&w->replay, &w->order, first, first + count, batch, &times);
    struct il_spent spent = il_spent_since(start);
    events = w->replay.events - events;
    double p50 = il_series_quantile(&times, 0.5), p90 = il_series_quantile(&times, 0.9);
    double p99 = il_series_quantile(&times, 0.99), max = il_series_quantile(&times, 1);
    double rate = spent.wall > 0 ? (double)count / spent.wall : 0;
    double cpu_us = count ? 1e6 * spent.cpu / (double)count : 0;
    il_bench_progress(NULL);
    printf("%-7s %6zu %9zu %8.3f %8.3f %8.3f %8.3f %10.0f %8.0f %8zu %8.2f\n",
           sync_text(sync), batch, count, p50, p90, p99, max, rate, cpu_us, events,
           reopened);
    fflush(stdout);
    il_series_free(&times);
    start = il_spent_now();
    il_replay_forget(&w->replay, &w->order, first, first + count);
    double removal_us = count ? 1e6 * il_spent_since(start).wall / (double)count : 0;
    return json_pack("{ss sI sI sf sf sf sf sf sf sI sf sf}", "sync", sync_text(sync),
                     "batch", (json_int_t)batch, "arrivals", (json_int_t)count, "p50_ms",
                     p50, "p90_ms", p90, "p99_ms", p99, "max_ms", max, "per_second", rate,
                     "cpu_us", cpu_us, "events", (json_int_t)events, "reopen_seconds",
                     reopened, "removal_us", removal_us);
}

json_t *il_bench_stream_latency(const struct il_bench_plan *plan,
                                const struct il_bench_source *source)
{
    struct ready w;
    json_t *rows = json_array();
    ready_open(&w, plan, source, "latency");
    il_bench_progress(NULL);
    fputs(
        "\nFrom the push of a row (of the first of a batch) until its commit is durable "
        "and\nits events are told, milliseconds. The same arrivals in every line: they "
        "are\nremoved in between. cpu: processor microseconds of an arrival; reopen: "
        "seconds\nto open the state.\n\n",
        stdout);
    print_base(&w, source, plan);
    printf("%-7s %6s %9s %8s %8s %8s %8s %10s %8s %8s %8s\n", "sync", "batch", "arrivals",
           "p50", "p90", "p99", "max", "/s", "cpu, us", "events", "reopen");
    fflush(stdout);
    for (size_t i = 0; i < plan->sync_count; i++) {
        il_bench_progress("latency: opening the state again");
        double reopened = il_replay_reopen(&w.replay, plan->sync[i]);
        json_array_append_new(rows,
                              latency_row(&w, plan->sync[i], 1, w.singles, reopened));
        json_array_append_new(rows, latency_row(&w, plan->sync[i], IL_BENCH_BATCH,
                                                w.batches * IL_BENCH_BATCH, reopened));
    }
    json_t *out =
        json_pack("{ss sI sf so}", "set", source->name, "base", (json_int_t)w.order.base,
                  "bootstrap_seconds", w.boot_seconds, "rows", rows);
    ready_close(&w);
    return out;
}

/* --------------------------------------------------------------------------- background
 */

/* Arrivals while one bootstrap runs; the commit that takes it over is the last, and goes
   to `taken` instead. Returns the arrivals. */
static size_t beside_one(struct ready *w, struct il_series *times,
                         struct il_series *taken)
{
    struct il_stream_info info;
    struct il_error error = {""};
    struct il_series one = {0};
    size_t first = w->order.base, i = 0;
    il_bench_must(il_stream_bootstrap(w->replay.stream, IL_BOOTSTRAP_WARM, 0, &error),
                  &error);
    do {
        size_t row = first + i++ % w->singles;
        one.count = 0;
        il_replay_push(&w->replay, &w->order, row, row + 1, 1, &one);
        il_stream_describe(w->replay.stream, &info);
        il_series_add(info.bootstrapping ? times : taken, one.value[0]);
        /* All of them are there: they come anew. */
        if (i % w->singles == 0)
            il_replay_forget(&w->replay, &w->order, first, first + w->singles);
    } while (info.bootstrapping);
    il_series_free(&one);
    if (info.refused_bootstrap)
        il_bench_die(1, "background", info.why);
    il_replay_forget(&w->replay, &w->order, first, first + i % w->singles);
    return i;
}

static json_t *background_row(const char *what, struct il_series *times, size_t boots)
{
    double p50 = il_series_quantile(times, 0.5), p99 = il_series_quantile(times, 0.99);
    double max = il_series_quantile(times, 1);
    printf("%-28s %9zu %10zu %8.3f %8.3f %8.3f\n", what, times->count, boots, p50, p99,
           max);
    fflush(stdout);
    return json_pack("{ss sI sI sf sf sf}", "what", what, "commits",
                     (json_int_t)times->count, "bootstraps", (json_int_t)boots, "p50_ms",
                     p50, "p99_ms", p99, "max_ms", max);
}

json_t *il_bench_stream_background(const struct il_bench_plan *plan,
                                   const struct il_bench_source *source)
{
    struct ready w;
    struct il_series alone = {0}, beside = {0}, taken = {0};
    json_t *rows = json_array();
    size_t boots = 0;
    ready_open(&w, plan, source, "background");
    if (w.singles == 0)
        il_bench_die(2, source->name, "too few rows for an arrival");
    il_replay_reopen(&w.replay, plan->sync[0]);
    il_bench_progress("background: arrivals without a bootstrap");
    il_replay_push(&w.replay, &w.order, w.order.base, w.order.base + w.singles, 1,
                   &alone);
    il_replay_forget(&w.replay, &w.order, w.order.base, w.order.base + w.singles);
    while (beside.count < w.singles && boots < BOOTS_MAX) {
        char text[120];
        snprintf(text, sizeof text, "background: bootstrap %zu, %zu of %zu arrivals",
                 ++boots, beside.count, w.singles);
        il_bench_progress(text);
        beside_one(&w, &beside, &taken);
    }
    il_bench_progress(NULL);
    printf("\nOne row a commit, sync %s, milliseconds from push to told events, while "
           "warm\nbootstraps run beside it and without; the commits that take a result "
           "over apart.\n\n",
           sync_text(plan->sync[0]));
    print_base(&w, source, plan);
    printf("%-28s %9s %10s %8s %8s %8s\n", "", "commits", "bootstraps", "p50", "p99",
           "max");
    json_array_append_new(rows, background_row("without", &alone, 0));
    json_array_append_new(rows, background_row("while one runs", &beside, boots));
    json_array_append_new(rows, background_row("that takes one over", &taken, boots));
    double without = il_series_quantile(&alone, 0.99);
    double ratio = without > 0 ? il_series_quantile(&beside, 0.99) / without : 0;
    printf("p99 while one runs: %.2f times that without\n", ratio);
    json_t *out = json_pack("{ss sI ss sf so}", "set", source->name, "base",
                            (json_int_t)w.order.base, "sync", sync_text(plan->sync[0]),
                            "p99_ratio", ratio, "rows", rows);
    il_series_free(&alone);
    il_series_free(&beside);
    il_series_free(&taken);
    ready_close(&w);
    return out;
}
