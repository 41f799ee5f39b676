/* SPDX-License-Identifier: Apache-2.0 */
/* Which pairs of the incremental linker are links: evidence, calibration, decisions. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "src/link/live_inner.h"

/* Calibration is due after so large a share of the rows came or went. */
#define CALIBRATE_SHARE 0.05
/* Candidates that a calibration looks at; of more, those with the smallest hash. */
#define CALIBRATE_MOST 50000
/* Pairs of a task. */
#define BLOCK 64

static struct il_scores scores_of(const struct il_live *live)
{
    const struct live_side *a = &live->side[0], *b = &live->side[1];
    return (struct il_scores){.radius_a = a->radius,
                              .radius_b = b->radius,
                              .near_a = a->near,
                              .near_b = b->near,
                              .sampled_a = a->sampled,
                              .sampled_b = b->sampled,
                              .row = a->best,
                              .col = b->best};
}

static struct il_surroundings surroundings_of(const struct il_live *live)
{
    const struct il_model *m = live->model;
    struct il_surroundings s = {.simd = live->frame.simd, .mark_score = m->mark_score};
    for (int side = 0; side < 2; side++) {
        s.d[side] = s.mark_ld[side] = m->d[side];
        s.ld[side] = m->k;
        s.x[side] = il_live_own(live, side, 0);
        s.mark[side] = m->mark[side];
        s.mark_row[side] = live->side[side].mark_row;
        s.around[side] = live->side[side].around;
        s.around_value[side] = live->side[side].around_value;
    }
    return s;
}

/* Looks up the landmarks around rows that have not been looked at yet. */
static enum il_status look_up(struct il_live *live, int side, const uint32_t *rows,
                              size_t count)
{
    const size_t d = live->model->d[side], keep = IL_AROUND_KEEP;
    struct live_side *s = &live->side[side];
    struct il_side batch = {.d = d, .x = il_alloc(count * d, sizeof(float))};
    uint32_t *name = il_alloc(count, sizeof *name);
    uint32_t *index = il_alloc(count * keep, sizeof *index);
    float *value = il_alloc(count * keep, sizeof *value);
    enum il_status status = batch.x && name && index && value ? IL_OK : IL_ENOMEM;
    for (size_t i = 0; i < count && !status; i++) {
        if (!s->looked[rows[i]]) {
            s->looked[rows[i]] = 1;
            name[batch.rows] = rows[i];
            memcpy(batch.x + batch.rows++ * d, il_live_own(live, side, rows[i]),
                   d * sizeof(float));
        }
    }
    if (!status && batch.rows) {
        status = il_neighbours_in(&live->frame, &batch, &s->marks, keep, index, value);
    }
    for (size_t i = 0; i < batch.rows && !status; i++) {
        memcpy(s->around + name[i] * keep, index + i * keep, keep * sizeof *index);
        memcpy(s->around_value + name[i] * keep, value + i * keep, keep * sizeof *value);
    }
    il_free(batch.x);
    il_free(name);
    il_free(index);
    il_free(value);
    return status;
}

#define LOOK_ROWS 4096

/* The same of one end of proposals, some thousands at a time. */
static enum il_status look_up_ends(struct il_live *live, int side,
                                   const struct il_proposal *p, size_t count)
{
    uint32_t rows[LOOK_ROWS];
    enum il_status status = IL_OK;
    for (size_t i = 0; i < count && !status;) {
        size_t some = 0;
        for (; i < count && some < LOOK_ROWS; i++) {
            rows[some++] = side ? p[i].b : p[i].a;
        }
        status = look_up(live, side, rows, some);
    }
    return status;
}

/* The candidate of a row of A: its best, when that prefers it too; IL_INDEX_NONE. */
static uint32_t candidate_of(const struct il_live *live, uint32_t u)
{
    const struct live_side *a = &live->side[0], *b = &live->side[1];
    uint32_t v = a->there[u] ? a->best[u].index[0] : IL_INDEX_NONE;
    return v != IL_INDEX_NONE && b->best[v].index[0] == u ? v : IL_INDEX_NONE;
}

/* Evidence in the making, and the rows that were taken away for the decoys. */
struct gathering {
    struct il_live *live;
    struct il_evidence evidence;
    uint32_t *gone[2];
    struct il_surroundings around;
    struct il_proposal *proposal; /* of the task */
    const uint32_t *without;
    int side;
    size_t count;
};

static void look_task(void *context, size_t task, unsigned thread)
{
    (void)thread;
    struct gathering *g = context;
    size_t last = (task + 1) * BLOCK < g->count ? (task + 1) * BLOCK : g->count;
    for (size_t i = task * BLOCK; i < last; i++) {
        il_evidence_look(&g->around, &g->proposal[i], g->side,
                         g->without ? g->without[i] : IL_INDEX_NONE);
    }
    il_large_look();
}

static enum il_status look_at(struct gathering *g, struct il_proposal *proposal,
                              size_t count, const uint32_t *without, int side)
{
    enum il_status status = look_up_ends(g->live, 0, proposal, count);
    status = status ? status : look_up_ends(g->live, 1, proposal, count);
    g->around = surroundings_of(g->live);
    g->proposal = proposal;
    g->count = count;
    g->without = without;
    g->side = side;
    if (!status) {
        il_pool_run(g->live->frame.pool, (count + BLOCK - 1) / BLOCK, look_task, g);
    }
    return status;
}

/* A number that says whether a row is looked at: the same whenever it came. */
static uint64_t lot(const struct il_live *live, uint32_t u)
{
    struct il_rng rng =
        il_rng_make(live->model->seed, live->side[0].key[u], 0, IL_FOR_SAMPLE);
    return il_rng_next(&rng);
}

/* Rows of A that have a candidate, in the order of their keys, so that it does not matter
   when they came. Of very many a share. */
static enum il_status take_rows(const struct il_live *live, struct il_keyed **out,
                                size_t *count, double *share)
{
    const struct live_side *a = &live->side[0];
    size_t all = 0;
    for (uint32_t u = 0; u < a->used; u++) {
        all += candidate_of(live, u) != IL_INDEX_NONE;
    }
    *share = all > CALIBRATE_MOST ? (double)CALIBRATE_MOST / (double)all : 1;
    *count = 0;
    *out = il_alloc(all, sizeof **out);
    for (uint32_t u = 0; *out && u < a->used; u++) {
        if (candidate_of(live, u) != IL_INDEX_NONE &&
            (*share >= 1 || (double)lot(live, u) < *share * 0x1p64)) {
            (*out)[(*count)++] = (struct il_keyed){a->key[u], u};
        }
    }
    if (*out) {
        il_keyed_sort(*out, *count);
    }
    return *out ? IL_OK : IL_ENOMEM;
}

/* Candidates and decoys of all rows, or of the share that a calibration looks at. */
static enum il_status gather(struct gathering *g, double *share)
{
    struct il_live *live = g->live;
    const struct il_scores scores = scores_of(live);
    struct il_evidence *e = &g->evidence;
    struct il_keyed *row = NULL;
    size_t rows = 0;
    enum il_status status = take_rows(live, &row, &rows, share);
    int got = !status;
    e->candidate = il_alloc(rows, sizeof *e->candidate);
    for (int side = 0; side < 2; side++) {
        e->decoy[side] = il_alloc(rows, sizeof *e->decoy[side]);
        g->gone[side] = il_alloc(rows, sizeof *g->gone[side]);
        got = got && e->decoy[side] && g->gone[side];
    }
    status = got && e->candidate ? IL_OK : IL_ENOMEM;
    for (size_t i = 0; i < rows && !status; i++) {
        uint32_t u = row[i].at, v = candidate_of(live, u);
        uint32_t parent = (uint32_t)e->candidates++;
        il_evidence_candidate(&scores, u, v, parent, &e->candidate[parent]);
        il_evidence_decoys(&scores, u, v, parent, e, g->gone);
    }
    il_free(row);
    status = status ? status : look_at(g, e->candidate, e->candidates, NULL, 0);
    status = status ? status : look_at(g, e->decoy[0], e->decoys[0], g->gone[0], 1);
    return status ? status : look_at(g, e->decoy[1], e->decoys[1], g->gone[1], 0);
}

static enum il_status calibrate(struct il_live *live)
{
    struct gathering g = {.live = live};
    struct il_acceptance acc = {0};
    double share = 1;
    enum il_status status = gather(&g, &share);
    if (!status) {
        status = il_accept(&live->frame, &g.evidence,
                           (size_t)((double)live->side[0].rows * share),
                           (size_t)((double)live->side[1].rows * share),
                           live->model->recall, live->model->recall_error, &acc);
    }
    if (!status) {
        size_t last = acc.accepted;
        live->judge = acc.judge;
        live->threshold = last ? acc.threshold : INFINITY;
        live->threshold_posterior = last ? acc.posterior[acc.order[last - 1]] : 1;
        live->shared = acc.shared / share;
        live->decoy_rate = acc.decoy_rate;
        live->changes = 0;
        live->calibrations++;
    }
    il_acceptance_free(&acc);
    il_evidence_free(&g.evidence);
    il_free(g.gone[0]);
    il_free(g.gone[1]);
    return status;
}

static int calibration_due(const struct il_live *live)
{
    double rows = (double)(live->side[0].rows + live->side[1].rows);
    return live->calibrations == 0 || (double)live->changes > CALIBRATE_SHARE * rows;
}

/* What is to be decided: rows of A, each with the partner that it should have. */
struct decision {
    uint32_t a, b; /* b IL_LIVE_NONE: no link */
    double posterior;
    int judged; /* the evidence is to decide; else a seed, or nothing */
};

/* Rows of A whose link may have changed; each once, ascending. */
static enum il_status concerned(struct il_live *live, int all, struct decision **out,
                                size_t *count)
{
    struct live_side *a = &live->side[0], *b = &live->side[1];
    struct decision *d = NULL;
    size_t most = all ? a->used : a->dirty_count + 2 * b->dirty_count;
    for (size_t i = 0, last = b->dirty_count; i < last && !all; i++) {
        uint32_t v = b->dirty_row[i];
        if (b->there[v] && b->best[v].index[0] != IL_INDEX_NONE) {
            il_live_mark(live, 0, b->best[v].index[0]);
        }
        if (b->partner[v] != IL_LIVE_NONE) {
            il_live_mark(live, 0, b->partner[v]);
        }
        if (b->seed[v] != IL_LIVE_NONE && live->seed_row[0][b->seed[v]] != IL_LIVE_NONE) {
            il_live_mark(live, 0, live->seed_row[0][b->seed[v]]);
        }
    }
    most = most > a->dirty_count ? most : a->dirty_count;
    d = il_alloc(most, sizeof *d);
    *out = d;
    *count = 0;
    if (!d) {
        return IL_ENOMEM;
    }
    for (size_t i = 0; i < (all ? a->used : a->dirty_count); i++) {
        uint32_t u = all ? (uint32_t)i : a->dirty_row[i];
        if (a->there[u]) {
            d[(*count)++] = (struct decision){.a = u, .b = IL_LIVE_NONE};
        }
    }
    return IL_OK;
}

/* Judges the candidates among the decisions. */
static enum il_status judge(struct il_live *live, struct decision *d, size_t count)
{
    const struct il_scores scores = scores_of(live);
    struct gathering g = {.live = live};
    size_t judged = 0;
    struct il_proposal *p = il_alloc(count, sizeof *p);
    if (!p) {
        return IL_ENOMEM;
    }
    for (size_t i = 0; i < count; i++) {
        uint32_t u = d[i].a, v = candidate_of(live, u);
        uint32_t seed = live->side[0].seed[u];
        if (seed != IL_LIVE_NONE) {
            d[i].b = live->seed_row[1][seed];
            d[i].posterior = 1;
        } else if (v != IL_INDEX_NONE && live->side[1].seed[v] == IL_LIVE_NONE) {
            d[i].judged = 1;
            il_evidence_candidate(&scores, u, v, 0, &p[judged++]);
        }
    }
    enum il_status status = look_up_ends(live, 0, p, judged);
    status = status ? status : look_up_ends(live, 1, p, judged);
    if (!status) {
        g.around = surroundings_of(live);
        g.proposal = p;
        g.count = judged;
        il_pool_run(live->frame.pool, (judged + BLOCK - 1) / BLOCK, look_task, &g);
    }
    for (size_t i = 0, at = 0; i < count && !status; i++) {
        double score = 0;
        if (!d[i].judged) {
            continue;
        }
        d[i].posterior = il_judge_pair(&live->judge, p[at].feature, &score);
        int linked = live->posterior_min >= 0 ? d[i].posterior >= live->posterior_min
                                              : score >= live->threshold;
        d[i].b = linked ? p[at].b : IL_LIVE_NONE;
        at++;
    }
    il_free(p);
    return status;
}

static int by_row(const void *x, const void *y)
{
    const struct il_live_change *a = x, *b = y;
    if (a->linked != b->linked) {
        return a->linked ? 1 : -1;
    }
    return a->a != b->a ? (a->a > b->a) - (a->a < b->a) : (a->b > b->b) - (a->b < b->b);
}

static struct il_live_change ending(const struct il_live *live, uint32_t u)
{
    const struct live_side *a = &live->side[0];
    return (struct il_live_change){.a = u,
                                   .b = a->partner[u],
                                   .seed = a->seed[u] != IL_LIVE_NONE,
                                   .posterior = a->posterior[u]};
}

/* Makes the decisions true and tells what they change. */
static enum il_status apply(struct il_live *live, const struct decision *d, size_t count,
                            il_live_change_fn *change, void *context)
{
    struct live_side *a = &live->side[0], *b = &live->side[1];
    struct il_live_change *list = il_alloc(2 * count + live->ended_count, sizeof *list);
    size_t changes = live->ended_count;
    if (!list) {
        return IL_ENOMEM;
    }
    if (changes) {
        memcpy(list, live->ended, changes * sizeof *list);
    }
    for (size_t i = 0; i < count; i++) {
        if (a->partner[d[i].a] != IL_LIVE_NONE && a->partner[d[i].a] != d[i].b) {
            list[changes++] = ending(live, d[i].a);
            b->partner[a->partner[d[i].a]] = IL_LIVE_NONE;
            a->partner[d[i].a] = IL_LIVE_NONE;
        }
    }
    for (size_t i = 0; i < count; i++) {
        if (d[i].b == IL_LIVE_NONE) {
            continue;
        }
        if (a->partner[d[i].a] == IL_LIVE_NONE) {
            a->partner[d[i].a] = d[i].b;
            b->partner[d[i].b] = d[i].a;
            list[changes++] =
                (struct il_live_change){.a = d[i].a,
                                        .b = d[i].b,
                                        .linked = 1,
                                        .seed = a->seed[d[i].a] != IL_LIVE_NONE,
                                        .posterior = d[i].posterior};
        }
        a->posterior[d[i].a] = d[i].posterior;
    }
    if (changes) {
        qsort(list, changes, sizeof *list, by_row);
    }
    for (size_t i = 0; i < changes && change; i++) {
        change(context, &list[i]);
    }
    il_free(list);
    live->ended_count = 0;
    return IL_OK;
}

/* Nothing is dirty any more, and who left may come again under another name. */
static void clean(struct il_live *live)
{
    for (int side = 0; side < 2; side++) {
        struct live_side *s = &live->side[side];
        for (size_t i = 0; i < s->dirty_count; i++) {
            s->dirty[s->dirty_row[i]] = 0;
        }
        for (size_t i = 0; i < s->leaving_count; i++) {
            s->spare[s->spare_count++] = s->leaving[i];
        }
        s->dirty_count = s->leaving_count = 0;
    }
}

enum il_status il_live_settle(struct il_live *live, int calibrate_now,
                              il_live_change_fn *change, void *context)
{
    struct decision *d = NULL;
    size_t count = 0;
    int all = calibrate_now || calibration_due(live);
    enum il_status status = all ? calibrate(live) : IL_OK;
    status = status ? status : concerned(live, all, &d, &count);
    status = status ? status : judge(live, d, count);
    status = status ? status : apply(live, d, count, change, context);
    if (!status) {
        clean(live);
    }
    il_free(d);
    return status;
}
