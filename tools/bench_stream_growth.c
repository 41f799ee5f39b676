/* SPDX-License-Identifier: Apache-2.0 */
/* What an arrival costs as the base grows, on pairs of gen_pair, which lies beside this
   program. Every size runs in a process of its own, so that its peak of memory is its
   own and the bound of --memory holds from the start. */
#include "bench_stream.h"

#include <errno.h>
#include <math.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define READ_ROWS 256
#define COMMIT_ROWS 4096
/* The first arrivals find cold caches. */
#define WARM_UP 16

extern char **environ;

/* What a size gave, as its process hands it over. */
struct grown {
    uint64_t rows, base, arrivals, links;
    int refused;
    double load_seconds;
    struct il_spent boot;
    double p50_us, p99_us, cpu_us; /* of an arrival by itself */
    double batch_us;               /* of one in a batch */
    double rss_mib;                /* the most */
};

/* A side as its file is read: the last `held` rows, but the seeds', are kept back. */
struct growing {
    struct il_stream *stream;
    const char *folder;
    size_t rows, held, dim;
    float *row[2];     /* held x dim: kept back */
    size_t *number[2]; /* of them */
    size_t kept[2];
    uint8_t *seed[2];
    struct il_error error;
};

static void push(struct growing *g, int side, size_t number, const float *row)
{
    char id[24];
    int bytes = snprintf(id, sizeof id, "%zu", number);
    il_bench_must(
        il_stream_push(g->stream, side, id, (size_t)bytes, row, NULL, &g->error),
        &g->error);
}

static void commit(struct growing *g)
{
    il_bench_must(il_stream_commit(g->stream, &g->error), &g->error);
}

static void load_side(struct growing *g, int side)
{
    struct il_source *source = NULL;
    char path[600];
    float *rows = il_bench_alloc(READ_ROWS * g->dim, sizeof *rows);
    size_t count = 0, number = 0;
    snprintf(path, sizeof path, "%s/%c.npy", g->folder, 'a' + side);
    il_bench_must(il_source_open(&source, path, NULL, &g->error), &g->error);
    do {
        il_bench_must(
            il_source_next(source, READ_ROWS, rows, NULL, NULL, &count, &g->error),
            &g->error);
        for (size_t i = 0; i < count; i++, number++) {
            if (number + g->held < g->rows || g->seed[side][number]) {
                push(g, side, number, rows + i * g->dim);
                continue;
            }
            size_t at = g->kept[side]++;
            g->number[side][at] = number;
            memcpy(g->row[side] + at * g->dim, rows + i * g->dim, g->dim * sizeof *rows);
        }
        if (number % COMMIT_ROWS == 0 || count == 0)
            commit(g);
    } while (count);
    il_source_close(&source);
    free(rows);
}

/* Arrival number i: sides in turns. */
static void arrive(struct growing *g, size_t i)
{
    int side = (int)(i % 2);
    push(g, side, g->number[side][i / 2], g->row[side] + i / 2 * g->dim);
}

static void measure(const struct il_bench_plan *plan, struct growing *g,
                    struct grown *out)
{
    struct il_series times = {0};
    struct il_stream_info info;
    size_t kept = g->kept[0] < g->kept[1] ? 2 * g->kept[0] : 2 * g->kept[1], i = 0;
    struct il_spent start = il_spent_now();
    enum il_status status =
        il_stream_bootstrap(g->stream, IL_BOOTSTRAP_COLD, 1, &g->error);
    out->boot = il_spent_since(start);
    out->refused = status == IL_EBOOTSTRAP;
    if (!out->refused)
        il_bench_must(status, &g->error);
    for (; i < WARM_UP && i < kept; i++) {
        arrive(g, i);
        commit(g);
    }
    start = il_spent_now();
    size_t first = i;
    for (; i < first + plan->arrivals && i < kept; i++) {
        struct il_spent one = il_spent_now();
        arrive(g, i);
        commit(g);
        il_series_add(&times, 1e6 * il_spent_since(one).wall);
    }
    out->arrivals = times.count;
    if (times.count)
        out->cpu_us = 1e6 * il_spent_since(start).cpu / (double)times.count;
    out->p50_us = il_series_quantile(&times, 0.5);
    out->p99_us = il_series_quantile(&times, 0.99);
    il_series_free(&times);
    start = il_spent_now();
    for (first = i; i < kept; i++) {
        arrive(g, i);
        if ((i + 1 - first) % IL_BENCH_BATCH == 0 || i + 1 == kept)
            commit(g);
    }
    if (i > first)
        out->batch_us = 1e6 * il_spent_since(start).wall / (double)(i - first);
    il_stream_describe(g->stream, &info);
    out->links = info.links;
}

static void open_growing(const struct il_bench_plan *plan, struct growing *g,
                         const char *state)
{
    struct il_stream_config config;
    struct il_ids *ids = NULL;
    struct il_pair *pair = NULL;
    size_t count = 0;
    char path[600];
    il_bench_must(il_ids_number(&ids, g->rows), &g->error);
    snprintf(path, sizeof path, "%s/seeds.csv", g->folder);
    il_bench_must(il_pairs_load(&pair, &count, path, ids, ids, NULL, &g->error),
                  &g->error);
    struct il_stream_seed *seed = il_bench_alloc(count, sizeof *seed);
    for (int side = 0; side < 2; side++) {
        g->seed[side] = il_bench_alloc(g->rows, 1);
        g->row[side] = il_bench_alloc(g->held * g->dim, sizeof(float));
        g->number[side] = il_bench_alloc(g->held, sizeof(size_t));
        for (size_t i = 0; i < count; i++)
            g->seed[side][side ? pair[i].b : pair[i].a] = 1;
    }
    for (size_t i = 0; i < count; i++) {
        const char *a = il_ids_text(ids, pair[i].a), *b = il_ids_text(ids, pair[i].b);
        seed[i] = (struct il_stream_seed){a, b, strlen(a), strlen(b)};
    }
    il_stream_config_init(&config);
    config.dim[0] = config.dim[1] = g->dim;
    config.seeds = seed;
    config.seed_count = count;
    config.threads = plan->threads;
    config.background_threads = plan->background_threads;
    config.sync = IL_SYNC_OS;
    config.bootstrap_rows = SIZE_MAX;
    config.bootstrap_after = 0;
    il_bench_must(il_stream_open(&g->stream, state, &config, &g->error), &g->error);
    free(seed);
    il_pairs_free(pair);
    il_ids_close(&ids);
}

static void run_size(const struct il_bench_plan *plan, const char *folder, size_t rows,
                     struct grown *out)
{
    struct growing g = {.folder = folder, .rows = rows, .dim = plan->dim};
    struct il_memory_config memory;
    struct rusage used;
    char state[600];
    if (plan->memory_bytes) {
        il_memory_config_init(&memory);
        memory.limit_bytes = plan->memory_bytes;
        memory.scratch = plan->work;
        il_bench_must(il_memory_limit(&memory, &g.error), &g.error);
    }
    g.held = (plan->arrivals + WARM_UP + plan->batches * IL_BENCH_BATCH) / 2;
    if (g.held > rows / 4)
        g.held = rows / 4;
    snprintf(state, sizeof state, "%s/state", folder);
    open_growing(plan, &g, state);
    struct il_spent start = il_spent_now();
    load_side(&g, 0);
    load_side(&g, 1);
    *out = (struct grown){.rows = rows, .base = 2 * rows - g.kept[0] - g.kept[1]};
    out->load_seconds = il_spent_since(start).wall;
    measure(plan, &g, out);
    il_stream_close(&g.stream);
    for (int side = 0; side < 2; side++) {
        free(g.seed[side]);
        free(g.row[side]);
        free(g.number[side]);
    }
    getrusage(RUSAGE_SELF, &used);
    out->rss_mib = (double)used.ru_maxrss / 1024;
}

/* ---------------------------------------------------------------------------- processes
 */

static void wait_for(pid_t child, const char *what)
{
    int state = 0;
    while (waitpid(child, &state, 0) < 0) {
        if (errno != EINTR)
            il_bench_die(1, what, strerror(errno));
    }
    if (!WIFEXITED(state) || WEXITSTATUS(state) != 0)
        il_bench_die(1, what, "it failed");
}

static void generate(const struct il_bench_plan *plan, const char *folder, size_t rows)
{
    char own[400], program[420], rows_text[24], dim[24], seeds[24];
    ssize_t bytes = readlink("/proc/self/exe", own, sizeof own - 1);
    if (bytes < 0)
        il_bench_die(1, "gen_pair", "no way to find it");
    own[bytes] = 0;
    char *slash = strrchr(own, '/');
    if (slash)
        *slash = 0;
    snprintf(program, sizeof program, "%s/gen_pair", own);
    snprintf(rows_text, sizeof rows_text, "%zu", rows);
    snprintf(dim, sizeof dim, "%zu", plan->dim);
    snprintf(seeds, sizeof seeds, "%zu", plan->seeds);
    char copy[480];
    snprintf(copy, sizeof copy, "%s", folder);
    char *const arguments[] = {program, (char[]){"--rows"},  rows_text, (char[]){"--dim"},
                               dim,     (char[]){"--seeds"}, seeds,     copy,
                               NULL};
    pid_t child = 0;
    int failed = posix_spawn(&child, program, NULL, NULL, arguments, environ);
    if (failed)
        il_bench_die(1, program, strerror(failed));
    wait_for(child, "gen_pair");
}

static void run_apart(const struct il_bench_plan *plan, const char *folder, size_t rows,
                      struct grown *out)
{
    int ends[2];
    if (pipe(ends) != 0)
        il_bench_die(1, "pipe", strerror(errno));
    fflush(NULL);
    pid_t child = fork();
    if (child < 0)
        il_bench_die(1, "fork", strerror(errno));
    if (child == 0) {
        run_size(plan, folder, rows, out);
        _exit(write(ends[1], out, sizeof *out) == (ssize_t)sizeof *out ? 0 : 1);
    }
    close(ends[1]);
    ssize_t got = read(ends[0], out, sizeof *out);
    close(ends[0]);
    wait_for(child, "growth");
    if (got != (ssize_t)sizeof *out)
        il_bench_die(1, "growth", "a result is short");
}

/* --------------------------------------------------------------------------------- table
 */

static const char legend[] =
    "\nAn arrival on generated pairs: commits of one row, sync os; microseconds, wall\n"
    "clock and processor (cpu); batch: of one in commits of 256; RSS: the most, of the\n"
    "whole run with its bootstrap, MiB; boot: processor seconds of it. Below a line the\n"
    "exponents, log(cost 2 / cost 1) / log(rows 2 / rows 1), of p50, cpu, batch.\n\n";

static double exponent(const struct grown *from, const struct grown *to, double before,
                       double after)
{
    if (!(before > 0 && after > 0))
        return 0;
    return log(after / before) / log((double)to->rows / (double)from->rows);
}

/* Where nothing was linked an arrival costs nothing. */
static void print_exponents(const char *what, const struct grown *from,
                            const struct grown *to)
{
    if (from->refused || to->refused)
        return;
    printf("%-20s p50 %.2f   cpu %.2f   batch %.2f\n", what,
           exponent(from, to, from->p50_us, to->p50_us),
           exponent(from, to, from->cpu_us, to->cpu_us),
           exponent(from, to, from->batch_us, to->batch_us));
}

static json_t *grown_json(const struct grown *g)
{
    return json_pack("{sI sI sI sI sb sf sf sf sf sf sf sf sf}", "rows",
                     (json_int_t)g->rows, "base", (json_int_t)g->base, "arrivals",
                     (json_int_t)g->arrivals, "links", (json_int_t)g->links, "refused",
                     g->refused, "load_seconds", g->load_seconds, "bootstrap_seconds",
                     g->boot.wall, "bootstrap_cpu_seconds", g->boot.cpu, "p50_us",
                     g->p50_us, "p99_us", g->p99_us, "cpu_us", g->cpu_us, "batch_us",
                     g->batch_us, "rss_mib", g->rss_mib);
}

json_t *il_bench_stream_growth(const struct il_bench_plan *plan)
{
    struct grown grown[IL_BENCH_SIZES_MAX];
    json_t *rows = json_array();
    char folder[480], text[120];
    fputs(legend, stdout);
    printf("%10s %9s %9s %9s %9s %9s %9s %9s %9s %8s\n", "rows a side", "arrivals", "p50",
           "p99", "cpu", "batch", "load, s", "boot", "links", "RSS");
    for (size_t i = 0; i < plan->size_count; i++) {
        struct grown *g = &grown[i];
        snprintf(folder, sizeof folder, "%s/pair-%zu", plan->work, plan->size[i]);
        snprintf(text, sizeof text, "growth: %zu rows a side", plan->size[i]);
        il_bench_progress(text);
        generate(plan, folder, plan->size[i]);
        run_apart(plan, folder, plan->size[i], g);
        il_bench_remove(folder);
        il_bench_progress(NULL);
        printf("%11zu %9zu %9.0f %9.0f %9.0f %9.0f %9.1f %9.1f %9zu %8.0f%s\n",
               (size_t)g->rows, (size_t)g->arrivals, g->p50_us, g->p99_us, g->cpu_us,
               g->batch_us, g->load_seconds, g->boot.cpu, (size_t)g->links, g->rss_mib,
               g->refused ? "  refused: nothing was linked" : "");
        snprintf(text, sizeof text, "  since the last");
        if (i > 0)
            print_exponents(text, &grown[i - 1], g);
        fflush(stdout);
        json_array_append_new(rows, grown_json(g));
    }
    if (plan->size_count > 2)
        print_exponents("  first to last", &grown[0], &grown[plan->size_count - 1]);
    return json_pack("{sI sI so}", "dim", (json_int_t)plan->dim, "memory_bytes",
                     (json_int_t)plan->memory_bytes, "rows", rows);
}
