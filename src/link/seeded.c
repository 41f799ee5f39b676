/* SPDX-License-Identifier: Apache-2.0 */
/* The common part of the methods of the seeds alone: seeds held back, matching, links. */
#include "src/link/seeded.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "src/link/evidence.h"

/* Groups of seeds, each held back once. */
#define GROUPS 5

enum il_status il_space_take(struct il_space *space, int side, size_t rows, size_t k)
{
    space->own[side] = il_alloc(rows * k, sizeof(float));
    space->x[side] = space->own[side];
    space->k = k;
    return space->own[side] ? IL_OK : IL_ENOMEM;
}

void il_space_free(struct il_space *space)
{
    il_free(space->own[0]);
    il_free(space->own[1]);
    memset(space, 0, sizeof *space);
}

enum il_status il_seed_products(struct il_frame *frame, const struct il_side *a,
                                const struct il_side *b, const struct il_anchor *seeds,
                                size_t count, int pick, double *sum)
{
    const struct il_gather ga = {a->x, a->d, a->d, 0}, gb = {b->x, b->d, b->d, 1};
    const struct il_gather *left = pick == 1 ? &gb : &ga, *right = pick ? &gb : &ga;
    memset(sum, 0, left->d * right->d * sizeof *sum);
    frame->multiply_adds += (double)count * (double)left->d * (double)right->d;
    return il_cross_add(frame->simd, *left, *right, seeds, count, sum);
}

/* One run. [0] is side A, [1] is side B. */
struct run {
    struct il_method_job *job;
    struct il_frame *frame;
    const struct il_side *side[2];
    const struct il_seeded_options *options;
    float *radius[2]; /* with CSLS */
    struct il_top3 *list[2];
    struct il_anchor *kept; /* seeds that are not held back */
    uint32_t *rows;         /* of a side, that are looked up */
    uint8_t *seeded[2];     /* of every row: 1 = in a seed */
    size_t proposed, found; /* by seeds held back: mutual pairs; right ones */
};

static enum il_status run_open(struct run *r)
{
    size_t seeds = r->job->seed_count;
    int got = 1;
    for (int side = 0; side < 2; side++) {
        size_t rows = r->side[side]->rows;
        r->radius[side] = il_alloc(rows, sizeof(float));
        r->list[side] = il_top3_new(rows);
        r->seeded[side] = il_alloc_zero(rows, 1);
        got = got && r->radius[side] && r->list[side] && r->seeded[side];
    }
    r->kept = il_alloc(seeds, sizeof *r->kept);
    r->rows = il_alloc(seeds, sizeof *r->rows);
    return got && r->kept && r->rows ? IL_OK : IL_ENOMEM;
}

static void run_close(struct run *r)
{
    for (int side = 0; side < 2; side++) {
        il_free(r->radius[side]);
        il_free(r->list[side]);
        il_free(r->seeded[side]);
    }
    il_free(r->kept);
    il_free(r->rows);
}

/* radius[u] = mean of the `neighbours` largest products of row u with the other side. */
static enum il_status radius_of(struct run *r, const struct il_space *space, int side)
{
    size_t keep = r->options->neighbours, rows = r->side[side]->rows;
    const struct il_side from = {.rows = rows, .d = space->k, .x = space->x[side]};
    const struct il_signature to = {
        .part = {{space->x[!side], space->k, NULL, space->k, 0}}, .parts = 1, .scale = 1};
    uint32_t *index = il_alloc(rows * keep, sizeof *index);
    float *value = il_alloc(rows * keep, sizeof *value);
    struct il_panels panels = {0};
    enum il_status status = index && value ? IL_OK : IL_ENOMEM;
    status = status ? status
                    : il_panels_build(r->frame, &to, NULL, r->side[!side]->rows, &panels);
    status =
        status ? status : il_neighbours_in(r->frame, &from, &panels, keep, index, value);
    for (size_t u = 0; !status && u < rows; u++) {
        float sum = 0;
        size_t count = 0;
        while (count < keep && index[u * keep + count] != IL_INDEX_NONE) {
            sum += value[u * keep + count++];
        }
        r->radius[side][u] = count ? sum / (float)count : 0;
    }
    il_panels_free(&panels);
    il_free(value);
    il_free(index);
    return status;
}

/* How the rows of a side are signed in the space: with CSLS 2 <u, v> - r_u - r_v. */
static struct il_signature sign(const struct run *r, const struct il_space *space,
                                int side, int query)
{
    int csls = r->options->neighbours > 0;
    return (struct il_signature){.part = {{space->x[side], space->k, NULL, space->k, 0}},
                                 .parts = 1,
                                 .scale = csls && query ? 2 : 1,
                                 .tail = !csls   ? IL_TAIL_NONE
                                         : query ? IL_TAIL_A
                                                 : IL_TAIL_B,
                                 .radius = csls ? r->radius[side] : NULL};
}

/* The best of the other side for rows of a side (NULL: all, and theirs for all rows of
   the other side): r->list. */
static enum il_status match(struct run *r, const struct il_space *space, int side,
                            const uint32_t *rows, size_t count)
{
    const struct il_signature from = sign(r, space, side, 1);
    const struct il_signature to = sign(r, space, !side, 0);
    struct il_panels panels = {0};
    enum il_status status =
        il_panels_build(r->frame, &to, NULL, r->side[!side]->rows, &panels);
    status = status ? status
                    : il_match(r->frame, &from, rows, count, &panels, r->list[side],
                               rows ? NULL : r->list[!side]);
    il_panels_free(&panels);
    return status;
}

/* 1: the rows of these seeds are all 0 on a side, and no method learns from them. */
static int all_zero(const struct run *r, const struct il_anchor *seeds, size_t count,
                    int side)
{
    const struct il_side *s = r->side[side];
    float largest = 0;
    for (size_t i = 0; i < count; i++) {
        size_t row = side ? seeds[i].b : seeds[i].a;
        float own = r->frame->simd->abs_max_f32(s->x + row * s->d, s->d);
        largest = own > largest ? own : largest;
    }
    return !(largest > 0);
}

/* The space of some seeds and, with CSLS, the radii in it; no lists yet. */
static enum il_status space_open(struct run *r, const struct il_anchor *seeds,
                                 size_t count, struct il_space *space)
{
    if (all_zero(r, seeds, count, 0) || all_zero(r, seeds, count, 1)) {
        return IL_EBOOTSTRAP;
    }
    enum il_status status =
        r->options->embed(r->frame, r->side[0], r->side[1], seeds, count, space);
    for (int side = 0; side < 2 && !status; side++) {
        for (size_t u = 0; u < r->side[side]->rows; u++) {
            il_top3_clear(&r->list[side][u]);
        }
        if (r->options->neighbours) {
            status = radius_of(r, space, side);
        }
    }
    return !status && il_frame_cancelled(r->frame) ? IL_ECANCEL : status;
}

static int compare_rows(const void *x, const void *y)
{
    uint32_t a = *(const uint32_t *)x, b = *(const uint32_t *)y;
    return (a > b) - (a < b);
}

/* Matches the rows of one side in r->rows, each once and ascending. */
static enum il_status match_rows(struct run *r, const struct il_space *space, int side,
                                 size_t count)
{
    size_t kept = 0;
    qsort(r->rows, count, sizeof *r->rows, compare_rows);
    for (size_t i = 0; i < count; i++) {
        if (kept == 0 || r->rows[kept - 1] != r->rows[i]) {
            r->rows[kept++] = r->rows[i];
        }
    }
    return kept ? match(r, space, side, r->rows, kept) : IL_OK;
}

/* Marks the rows of seeds. */
static void mark(struct run *r, const struct il_anchor *seeds, size_t count)
{
    for (int side = 0; side < 2; side++) {
        memset(r->seeded[side], 0, r->side[side]->rows);
    }
    for (size_t i = 0; i < count; i++) {
        r->seeded[0][seeds[i].a] = 1;
        r->seeded[1][seeds[i].b] = 1;
    }
}

/* Holds back every groups-th seed from g on, and looks what the others make of them. */
static enum il_status test_group(struct run *r, size_t g, size_t groups)
{
    const struct il_anchor *seeds = r->job->seeds;
    size_t all = r->job->seed_count, count = 0, held = 0;
    struct il_space space = {0};
    for (size_t i = 0; i < all; i++) {
        if (i % groups == g) {
            r->rows[held++] = seeds[i].a;
        } else {
            r->kept[count++] = seeds[i];
        }
    }
    enum il_status status = space_open(r, r->kept, count, &space);
    status = status ? status : match_rows(r, &space, 0, held);
    held = 0;
    for (size_t i = g; i < all && !status; i += groups) {
        uint32_t v = r->list[0][seeds[i].a].index[0];
        if (v != IL_INDEX_NONE) {
            r->rows[held++] = v;
        }
    }
    status = status ? status : match_rows(r, &space, 1, held);
    il_space_free(&space);
    if (status) {
        /* fewer seeds may say nothing where all of them do */
        return status == IL_EBOOTSTRAP ? IL_OK : status;
    }
    mark(r, r->kept, count);
    for (size_t i = g; i < all; i += groups) {
        uint32_t u = seeds[i].a, v = r->list[0][u].index[0];
        if (v != IL_INDEX_NONE && !r->seeded[1][v] && r->list[1][v].index[0] == u) {
            r->proposed++;
            r->found += v == seeds[i].b;
        }
    }
    return IL_OK;
}

static enum il_status test(struct run *r)
{
    struct il_link_report *report = r->job->report;
    size_t groups = r->job->seed_count < GROUPS ? r->job->seed_count : GROUPS;
    enum il_status status = IL_OK;
    double seconds = il_clock_seconds(), madds = r->frame->multiply_adds;
    for (size_t g = 0; g < groups && !status; g++) {
        status = test_group(r, g, groups);
        il_frame_progress(r->frame, "test", (double)(g + 1), (double)groups);
    }
    report->seeds_tested = r->job->seed_count;
    report->seeds_found = r->found;
    il_stage_add(r->job, "test", seconds, madds);
    return status;
}

/*
 * What the links are worth, as far as the seeds held back tell. They are rows with a
 * partner: of the pairs proposed for them the share `right` is right, of links in general
 * less, as rows without a partner get wrong ones only. And no more links can be right
 * than the share of documents found again of those that the smaller side has. unsure: 1
 * for Laplace's estimate of both shares, 1/2 when nothing is known; 0 for as much as they
 * can be, as if the next one were right.
 */
static double worth(const struct run *r, size_t links, int unsure)
{
    size_t n = r->side[0]->rows, m = r->side[1]->rows, seeds = r->job->seed_count;
    double least = (double)((n < m ? n : m) - seeds), more = unsure ? 2 : 1;
    double right = (double)(r->found + 1) / ((double)r->proposed + more);
    double recall = (double)(r->found + 1) / ((double)seeds + more);
    double share = links ? recall * least / (double)links : 1;
    return right < share ? right : share;
}

/* Score of a list's second best; without any the least that a score may be. */
static float second_best(const struct run *r, const struct il_top3 *list)
{
    float least = r->options->neighbours ? -4 : -1;
    return list->index[1] != IL_INDEX_NONE ? list->value[1] : least;
}

static enum il_status result(struct run *r)
{
    struct il_method_job *job = r->job;
    size_t n = r->side[0]->rows, m = r->side[1]->rows, least = n < m ? n : m;
    struct il_mutual *pairs = il_alloc(least, sizeof *pairs);
    job->links = il_alloc(least, sizeof *job->links);
    if (!pairs || !job->links) {
        il_free(pairs);
        return IL_ENOMEM;
    }
    mark(r, job->seeds, job->seed_count);
    size_t count = il_mutual_pairs(r->list[0], n, r->list[1], pairs);
    for (size_t i = 0; i < count; i++) {
        const struct il_mutual *p = &pairs[i];
        float by_row = second_best(r, &r->list[0][p->a]);
        float by_col = second_best(r, &r->list[1][p->b]);
        if (!r->seeded[0][p->a] && !r->seeded[1][p->b]) {
            job->links[job->link_count++] = (struct il_found){
                .a = p->a,
                .b = p->b,
                .votes = 1,
                .opportunities = 1,
                .margin = p->score - (by_row > by_col ? by_row : by_col),
                .round = 1};
        }
    }
    il_free(pairs);
    double posterior = worth(r, job->link_count, 1);
    job->report->precision = NAN; /* not estimated */
    job->report->precision_high = worth(r, job->link_count, 0);
    job->report->threshold = posterior;
    for (size_t i = 0; i < job->link_count; i++) {
        job->links[i].posterior = posterior;
    }
    if (job->config->posterior_min > posterior) {
        job->link_count = 0;
    }
    job->report->rounds = 1;
    return IL_OK;
}

enum il_status il_seeded_run(struct il_method_job *job, const struct il_side *a,
                             const struct il_side *b,
                             const struct il_seeded_options *options)
{
    struct run r = {.job = job, .frame = job->frame, .side = {a, b}, .options = options};
    struct il_space space = {0};
    enum il_status status = run_open(&r);
    status = status ? status : test(&r);
    double seconds = il_clock_seconds(), madds = job->frame->multiply_adds;
    status = status ? status : space_open(&r, job->seeds, job->seed_count, &space);
    il_stage_add(job, "fit", seconds, madds);
    if (status == IL_EBOOTSTRAP) {
        job->report->refused = 1;
        snprintf(
            job->report->why, sizeof job->report->why,
            "the %zu usable seeds say nothing: their rows do not differ from the mean "
            "row of their side",
            job->seed_count);
    }
    seconds = il_clock_seconds();
    madds = job->frame->multiply_adds;
    status = status ? status : match(&r, &space, 0, NULL, a->rows);
    status = status ? status : result(&r);
    il_stage_add(job, "match", seconds, madds);
    il_frame_progress(job->frame, "match", 1, 1);
    il_space_free(&space);
    run_close(&r);
    return status;
}
