/* SPDX-License-Identifier: Apache-2.0 */
/* A draw as a stream: the order of the rows, the links that stand by the events, and the
   judge. That the events are numbered without gaps, and end only what has begun, is
   checked on the way. */
#include "bench_stream.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* For the random numbers: no purpose of bench_quality_sets.c. */
#define FOR_ORDER 100
#define NONE SIZE_MAX

static double seconds_of(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

struct il_spent il_spent_now(void)
{
    return (struct il_spent){seconds_of(CLOCK_MONOTONIC),
                             seconds_of(CLOCK_PROCESS_CPUTIME_ID)};
}

struct il_spent il_spent_since(struct il_spent start)
{
    struct il_spent end = il_spent_now();
    return (struct il_spent){end.wall - start.wall, end.cpu - start.cpu};
}

/* ------------------------------------------------------------------------------- series
 */

void il_series_add(struct il_series *s, double value)
{
    if (s->count == s->room) {
        size_t room = 2 * s->room + 256;
        double *grown = il_bench_alloc(room, sizeof *grown);
        if (s->count)
            memcpy(grown, s->value, s->count * sizeof *grown);
        free(s->value);
        s->value = grown;
        s->room = room;
    }
    s->value[s->count++] = value;
}

static int by_value(const void *left, const void *right)
{
    double a = *(const double *)left, b = *(const double *)right;
    return (a > b) - (a < b);
}

double il_series_quantile(struct il_series *s, double q)
{
    if (s->count == 0)
        return 0;
    qsort(s->value, s->count, sizeof *s->value, by_value);
    double exact = q * (double)s->count;
    size_t place = (size_t)exact;
    place += (double)place < exact;
    return s->value[place ? place - 1 : 0];
}

double il_series_mean(const struct il_series *s)
{
    double sum = 0;
    for (size_t i = 0; i < s->count; i++)
        sum += s->value[i];
    return s->count ? sum / (double)s->count : 0;
}

void il_series_free(struct il_series *s)
{
    free(s->value);
    *s = (struct il_series){0};
}

/* -------------------------------------------------------------------------------- order
 */

void il_replay_order_make(struct il_replay_order *out,
                          const struct il_bench_stores *stores,
                          const struct il_bench_seeds *seeds, size_t base, uint64_t draw)
{
    struct il_bench_rng rng = il_bench_rng_make(draw, FOR_ORDER);
    size_t count = stores->side[0].rows + stores->side[1].rows, first = 0;
    struct il_replay_row *row = il_bench_alloc(count, sizeof *row);
    uint8_t *seed[2];
    for (uint32_t side = 0; side < 2; side++) {
        seed[side] = il_bench_alloc(stores->side[side].rows, 1);
        for (size_t i = 0; i < seeds->count; i++)
            seed[side][side ? seeds->pair[i].b : seeds->pair[i].a] = 1;
        for (size_t i = 0; i < stores->side[side].rows; i++)
            row[first++] = (struct il_replay_row){side, (uint32_t)i};
    }
    for (size_t i = count; i > 1; i--) {
        size_t j = il_bench_below(&rng, i);
        struct il_replay_row kept = row[j];
        row[j] = row[i - 1];
        row[i - 1] = kept;
    }
    first = 0;
    for (size_t i = 0; i < count; i++) {
        struct il_replay_row kept = row[i];
        if (!seed[kept.side][kept.row])
            continue;
        row[i] = row[first];
        row[first++] = kept;
    }
    free(seed[0]);
    free(seed[1]);
    base = base > first ? base : first;
    *out = (struct il_replay_order){row, base < count ? base : count, count};
}

void il_replay_order_free(struct il_replay_order *order)
{
    free(order->row);
    *order = (struct il_replay_order){0};
}

/* ------------------------------------------------------------------------------- stream
 */

/* Row of an id of ours; NONE: it is none. */
static size_t row_of(const void *id, size_t bytes, size_t rows)
{
    const char *digit = id;
    size_t row = 0;
    for (size_t i = 0; i < bytes && row < rows; i++) {
        if (digit[i] < '0' || digit[i] > '9')
            return NONE;
        row = 10 * row + (size_t)(digit[i] - '0');
    }
    return bytes && row < rows ? row : NONE;
}

static void fold(void *context, const struct il_event *event)
{
    struct il_replay *r = context;
    size_t a = row_of(event->a_id, event->a_bytes, r->stores->side[0].rows);
    size_t b = row_of(event->b_id, event->b_bytes, r->stores->side[1].rows);
    if (event->seq != ++r->seq)
        il_bench_die(1, r->path, "an event is missing, or came twice");
    if (a == NONE || b == NONE)
        il_bench_die(1, r->path, "an event of a row that was never pushed");
    if (r->partner[a] != (event->kind == IL_EVENT_LINK ? NONE : b))
        il_bench_die(1, r->path, "an event that does not fit the links before it");
    r->events++;
    if (event->kind == IL_EVENT_RETRACT)
        r->partner[a] = NONE;
    else
        r->partner[a] = b;
    r->given[a] = event->origin == IL_ORIGIN_SEED;
}

static void open_state(struct il_replay *r)
{
    struct il_error error = {""};
    il_bench_must(il_stream_open(&r->stream, r->path, &r->config, &error), &error);
}

void il_replay_open(struct il_replay *r, const struct il_bench_plan *plan,
                    const struct il_bench_stores *stores,
                    const struct il_bench_seeds *seeds, enum il_sync sync)
{
    static unsigned number;
    size_t rows = stores->side[0].rows, dim[2];
    *r = (struct il_replay){.stores = stores};
    snprintf(r->path, sizeof r->path, "%s/state-%u", plan->work, number++);
    r->partner = il_bench_alloc(rows, sizeof *r->partner);
    r->given = il_bench_alloc(rows, 1);
    for (size_t i = 0; i < rows; i++)
        r->partner[i] = NONE;
    r->id = il_bench_alloc(seeds->count, sizeof *r->id);
    r->seed = il_bench_alloc(seeds->count, sizeof *r->seed);
    for (size_t i = 0; i < seeds->count; i++) {
        struct il_stream_seed *seed = &r->seed[i];
        seed->a_id = r->id[i][0];
        seed->b_id = r->id[i][1];
        seed->a_bytes = (size_t)snprintf(r->id[i][0], sizeof r->id[i][0], "%llu",
                                         (unsigned long long)seeds->pair[i].a);
        seed->b_bytes = (size_t)snprintf(r->id[i][1], sizeof r->id[i][1], "%llu",
                                         (unsigned long long)seeds->pair[i].b);
    }
    il_stream_config_init(&r->config);
    for (int side = 0; side < 2; side++)
        r->config.dim[side] = dim[side] = stores->side[side].dim;
    r->row = il_bench_alloc(dim[0] > dim[1] ? dim[0] : dim[1], sizeof *r->row);
    r->config.seeds = r->seed;
    r->config.seed_count = seeds->count;
    r->config.threads = plan->threads;
    r->config.background_threads = plan->background_threads;
    r->config.sync = sync;
    /* The bench says when. */
    r->config.bootstrap_rows = SIZE_MAX;
    r->config.bootstrap_after = 0;
    r->config.event = fold;
    r->config.event_context = r;
    open_state(r);
}

double il_replay_reopen(struct il_replay *r, enum il_sync sync)
{
    il_stream_close(&r->stream);
    struct il_spent start = il_spent_now();
    r->config.sync = sync;
    open_state(r);
    return il_spent_since(start).wall;
}

static int remove_one(const char *path, const struct stat *s, int flag, struct FTW *ftw)
{
    (void)s;
    (void)flag;
    (void)ftw;
    return remove(path);
}

void il_bench_remove(const char *folder)
{
    nftw(folder, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

void il_replay_close(struct il_replay *r)
{
    il_stream_close(&r->stream);
    il_bench_remove(r->path);
    free(r->partner);
    free(r->given);
    free(r->row);
    free(r->id);
    free(r->seed);
}

static void push_row(struct il_replay *r, struct il_replay_row at)
{
    struct il_error error = {""};
    char id[24];
    int taken = 0, bytes = snprintf(id, sizeof id, "%u", at.row);
    const struct il_matrix *side = &r->stores->side[at.side];
    il_matrix_to_f32(side, at.row, 1, r->row, side->dim);
    il_bench_must(il_stream_push(r->stream, (int)at.side, id, (size_t)bytes, r->row,
                                 &taken, &error),
                  &error);
}

void il_replay_push(struct il_replay *r, const struct il_replay_order *order, size_t from,
                    size_t to, size_t batch, struct il_series *times)
{
    struct il_error error = {""};
    for (size_t i = from; i < to;) {
        struct il_spent start = il_spent_now();
        for (size_t end = to - i < batch ? to : i + batch; i < end; i++)
            push_row(r, order->row[i]);
        il_bench_must(il_stream_commit(r->stream, &error), &error);
        if (times)
            il_series_add(times, 1e3 * il_spent_since(start).wall);
    }
}

void il_replay_forget(struct il_replay *r, const struct il_replay_order *order,
                      size_t from, size_t to)
{
    struct il_error error = {""};
    char id[24];
    for (size_t i = from; i < to; i++) {
        int bytes = snprintf(id, sizeof id, "%u", order->row[i].row);
        il_bench_must(il_stream_remove(r->stream, (int)order->row[i].side, id,
                                       (size_t)bytes, NULL, &error),
                      &error);
    }
    il_bench_must(il_stream_commit(r->stream, &error), &error);
}

int il_replay_bootstrap(struct il_replay *r, enum il_bootstrap how)
{
    struct il_error error = {""};
    enum il_status status = il_stream_bootstrap(r->stream, how, 1, &error);
    if (status != IL_EBOOTSTRAP)
        il_bench_must(status, &error);
    return status == IL_OK;
}

/* ---------------------------------------------------------------------------- judgement
 */

void il_replay_judge_open(struct il_replay_judge *j, const struct il_bench_stores *stores,
                          const struct il_bench_seeds *seeds,
                          const struct il_replay_order *order)
{
    for (int side = 0; side < 2; side++) {
        j->rows[side] = stores->side[side].rows;
        j->seed[side] = il_bench_alloc(j->rows[side], 1);
        j->arrival[side] = il_bench_alloc(j->rows[side], 1);
        for (size_t i = 0; i < seeds->count; i++)
            j->seed[side][side ? seeds->pair[i].b : seeds->pair[i].a] = 1;
    }
    j->partner = il_bench_alloc(j->rows[0], sizeof *j->partner);
    for (size_t i = 0; i < j->rows[0]; i++)
        j->partner[i] = NONE;
    for (size_t i = 0; i < stores->truth_count; i++)
        j->partner[stores->truth[i].a] = (size_t)stores->truth[i].b;
    for (size_t i = order->base; i < order->count; i++)
        j->arrival[order->row[i].side][order->row[i].row] = 1;
}

void il_replay_judge_close(struct il_replay_judge *j)
{
    free(j->partner);
    for (int side = 0; side < 2; side++) {
        free(j->seed[side]);
        free(j->arrival[side]);
    }
}

/* 1: the pair counts. */
static int counts(const struct il_replay_judge *j, size_t a, size_t b, int arrivals)
{
    return b != NONE && !j->seed[0][a] && !j->seed[1][b] &&
           (!arrivals || j->arrival[0][a] || j->arrival[1][b]);
}

struct il_replay_verdict il_replay_judge(const struct il_replay_judge *j,
                                         const size_t *partner, const uint8_t *given,
                                         int arrivals)
{
    struct il_replay_verdict v = {0};
    for (size_t a = 0; a < j->rows[0]; a++) {
        v.truth += (size_t)counts(j, a, j->partner[a], arrivals);
        if (given[a] || !counts(j, a, partner[a], arrivals))
            continue;
        v.links++;
        v.right += partner[a] == j->partner[a];
    }
    v.precision = v.links ? (double)v.right / (double)v.links : 0;
    v.recall = v.truth ? (double)v.right / (double)v.truth : 0;
    v.f1 = v.right ? 2 * (double)v.right / (double)(v.links + v.truth) : 0;
    return v;
}
