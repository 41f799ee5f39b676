/* SPDX-License-Identifier: Apache-2.0 */
#include "src/link/view.h"

#include <string.h>

#include "src/link/local.h"
#include "src/linalg/dense.h"

/* Rows of the other side that a radius is measured on. */
#define RADIUS_SAMPLE 1000

void il_view_free(struct il_view *view)
{
    for (int side = 0; side < 2; side++) {
        il_free(view->fold[side]);
        for (unsigned f = 0; f < IL_FOLDS_MAX; f++) {
            il_free(view->map[side][f]);
        }
    }
    memset(view, 0, sizeof *view);
}

/* Sums over the anchors of one fold. */
struct sums {
    double *g, *h, *c; /* A'wA, B'wB, A'wB */
};

struct fit {
    struct il_frame *frame;
    const struct il_side *a, *b;
    struct il_anchor *anchors; /* by fold */
    size_t first[IL_FOLDS_MAX + 1];
    double ridge;
    struct sums sums[IL_FOLDS_MAX];
    struct il_view *view;
    atomic_int status;
};

static void sums_task(void *context, size_t f, unsigned thread)
{
    (void)thread;
    struct fit *fit = context;
    size_t da = fit->a->d, db = fit->b->d;
    const struct il_simd *simd = fit->frame->simd;
    const struct il_anchor *anchors = fit->anchors + fit->first[f];
    size_t count = fit->first[f + 1] - fit->first[f];
    struct sums *s = &fit->sums[f];
    const struct il_gather ga = {fit->a->x, da, da, 0}, gb = {fit->b->x, db, db, 1};
    enum il_status status = il_cross_add(simd, ga, ga, anchors, count, s->g);
    status = status ? status : il_cross_add(simd, gb, gb, anchors, count, s->h);
    status = status ? status : il_cross_add(simd, ga, gb, anchors, count, s->c);
    if (status) {
        atomic_store(&fit->status, status);
    }
}

/* Task 2 f + side solves for the map of one fold and direction. */
static void solve_task(void *context, size_t task, unsigned thread)
{
    (void)thread;
    struct fit *fit = context;
    size_t f = task / 2, side = task % 2;
    size_t da = fit->a->d, db = fit->b->d;
    size_t n = side ? db : da, m = side ? da : db;
    double *g = il_alloc_zero(n * n, sizeof *g), *c = il_alloc_zero(n * m, sizeof *c);
    enum il_status status = g && c ? IL_OK : IL_ENOMEM;
    for (unsigned o = 0; !status && o < fit->view->folds; o++) {
        const struct sums *s = &fit->sums[o];
        for (size_t i = 0; o != f && i < n * n; i++) {
            g[i] += side ? s->h[i] : s->g[i];
        }
        for (size_t i = 0; o != f && i < da * db; i++) {
            c[side ? i % db * da + i / db : i] += s->c[i];
        }
    }
    double trace = 0;
    for (size_t i = 0; !status && i < n; i++) {
        trace += g[i * n + i];
    }
    if (!status && trace > 0) {
        status =
            il_ridge_solve(fit->frame->simd, n, m, fit->ridge * trace / (double)n, g, c);
    }
    if (!status) {
        fit->view->map[side][f] = il_map_pack(fit->frame->simd, c, n, m);
        status = fit->view->map[side][f] ? IL_OK : IL_ENOMEM;
    }
    if (status) {
        atomic_store(&fit->status, status);
    }
    il_free(c);
    il_free(g);
}

/* Throws the rows into folds; an anchor's rows share one. Sorts the anchors by fold. */
static void draw_folds(struct fit *fit, const struct il_anchor *anchors, size_t count,
                       struct il_rng *rng)
{
    unsigned folds = fit->view->folds;
    for (size_t u = 0; u < fit->a->rows; u++) {
        fit->view->fold[0][u] = (uint8_t)il_rng_below(rng, folds);
    }
    for (size_t v = 0; v < fit->b->rows; v++) {
        fit->view->fold[1][v] = (uint8_t)il_rng_below(rng, folds);
    }
    size_t at[IL_FOLDS_MAX] = {0};
    for (size_t i = 0; i < count; i++) {
        uint8_t f = fit->view->fold[0][anchors[i].a];
        fit->view->fold[1][anchors[i].b] = f;
        at[f]++;
    }
    fit->first[0] = 0;
    for (unsigned f = 0; f < folds; f++) {
        fit->first[f + 1] = fit->first[f] + at[f];
        at[f] = fit->first[f];
    }
    for (size_t i = 0; i < count; i++) {
        fit->anchors[at[fit->view->fold[0][anchors[i].a]]++] = anchors[i];
    }
}

static enum il_status fit_open(struct fit *fit, size_t count)
{
    size_t da = fit->a->d, db = fit->b->d;
    fit->anchors = il_alloc(count, sizeof *fit->anchors);
    fit->view->fold[0] = il_alloc(fit->a->rows, 1);
    fit->view->fold[1] = il_alloc(fit->b->rows, 1);
    int got = fit->anchors && fit->view->fold[0] && fit->view->fold[1];
    for (unsigned f = 0; f < fit->view->folds; f++) {
        fit->sums[f].g = il_alloc_zero(da * da, sizeof(double));
        fit->sums[f].h = il_alloc_zero(db * db, sizeof(double));
        fit->sums[f].c = il_alloc_zero(da * db, sizeof(double));
        got = got && fit->sums[f].g && fit->sums[f].h && fit->sums[f].c;
    }
    return got ? IL_OK : IL_ENOMEM;
}

enum il_status il_view_fit(struct il_frame *frame, const struct il_side *a,
                           const struct il_side *b, const struct il_anchor *anchors,
                           size_t count, unsigned folds, double ridge, uint64_t round,
                           uint64_t number, struct il_view *out)
{
    memset(out, 0, sizeof *out);
    out->folds = folds;
    struct fit fit = {.frame = frame, .a = a, .b = b, .ridge = ridge, .view = out};
    enum il_status status = fit_open(&fit, count);
    if (!status) {
        struct il_rng rng = il_rng_make(frame->seed, round, number, IL_FOR_VIEW);
        draw_folds(&fit, anchors, count, &rng);
        il_pool_run(frame->pool, folds, sums_task, &fit);
        status = (enum il_status)atomic_load(&fit.status);
    }
    if (!status) {
        il_pool_run(frame->pool, 2 * folds, solve_task, &fit);
        status = (enum il_status)atomic_load(&fit.status);
    }
    for (unsigned f = 0; f < folds; f++) {
        il_free(fit.sums[f].g);
        il_free(fit.sums[f].h);
        il_free(fit.sums[f].c);
    }
    il_free(fit.anchors);
    if (status) {
        il_view_free(out);
    }
    return status;
}

/* Images of some rows, to be added where their rows are. */
struct images {
    const struct il_simd *simd;
    const uint32_t *rows;
    size_t count, k;
    const float *image;
    float weight;
    float *out;
};

#define IMAGES_BLOCK 1024

static void images_task(void *context, size_t task, unsigned thread)
{
    (void)thread;
    const struct images *m = context;
    size_t last =
        (task + 1) * IMAGES_BLOCK < m->count ? (task + 1) * IMAGES_BLOCK : m->count;
    for (size_t i = task * IMAGES_BLOCK; i < last; i++) {
        m->simd->axpy_f32(m->weight, m->image + i * m->k, m->out + m->rows[i] * m->k,
                          m->k);
    }
}

enum il_status il_view_images(struct il_frame *frame, const struct il_view *view,
                              const struct il_side *from, const struct il_side *to,
                              int side, float weight, float *out)
{
    size_t n = from->rows, k = to->d;
    uint32_t *rows = il_alloc(n, sizeof *rows);
    float *image = il_alloc(n * k, sizeof *image);
    enum il_status status = rows && image ? IL_OK : IL_ENOMEM;
    for (unsigned f = 0; f < view->folds && !status; f++) {
        size_t count = 0;
        for (size_t u = 0; u < n; u++) {
            if (view->fold[side][u] == f) {
                rows[count++] = (uint32_t)u;
            }
        }
        if (count == 0) {
            continue;
        }
        const struct il_part part = {from->x, from->d, view->map[side][f], k, 0};
        status = il_map_rows(frame, &part, rows, count, image);
        if (!status) {
            struct images add = {frame->simd, rows, count, k, image, weight, out};
            il_pool_run(frame->pool, (count + IMAGES_BLOCK - 1) / IMAGES_BLOCK,
                        images_task, &add);
        }
    }
    il_free(image);
    il_free(rows);
    return status;
}

void il_scores_free(struct il_scores *scores)
{
    il_free(scores->image_a);
    il_free(scores->image_b);
    il_free(scores->radius_a);
    il_free(scores->radius_b);
    il_free(scores->near_a);
    il_free(scores->near_b);
    il_free(scores->row);
    il_free(scores->col);
    memset(scores, 0, sizeof *scores);
}

/* radius[u] of one side under the plain scores, measured on a sample of the other side.
 */
static enum il_status radius_side(struct il_frame *frame, const struct il_signature *s,
                                  size_t rows, const struct il_signature *other,
                                  size_t other_rows, struct il_rng *rng, float *radius,
                                  struct il_top3 *nearest)
{
    size_t count = other_rows < RADIUS_SAMPLE ? other_rows : RADIUS_SAMPLE;
    uint32_t *sample = il_alloc(count, sizeof *sample);
    struct il_panels panels = {0};
    enum il_status status = sample ? IL_OK : IL_ENOMEM;
    if (!status) {
        il_rng_sample(rng, (uint32_t)other_rows, (uint32_t)count, sample);
        status = il_panels_build(frame, other, sample, count, &panels);
        panels.index = sample; /* the lists name rows, not places in the sample */
    }
    status =
        status ? status : il_radius(frame, s, NULL, rows, &panels, rows, radius, nearest);
    il_panels_free(&panels);
    il_free(sample);
    return status;
}

static enum il_status scores_match(struct il_frame *frame, const struct il_side *a,
                                   const struct il_side *b, uint64_t round,
                                   unsigned replicates, struct il_scores *out)
{
    struct il_signature sa = {
        .part = {{out->image_a, b->d, NULL, b->d, 0}, {a->x, a->d, NULL, a->d, 0}},
        .parts = 2,
        .scale = 0.5f,
        .radius = out->radius_a};
    struct il_signature sb = {
        .part = {{b->x, b->d, NULL, b->d, 0}, {out->image_b, a->d, NULL, a->d, 0}},
        .parts = 2,
        .scale = 1,
        .radius = out->radius_b};
    struct il_rng rng = il_rng_make(frame->seed, round, 0, IL_FOR_RADIUS);
    enum il_status status =
        radius_side(frame, &sa, a->rows, &sb, b->rows, &rng, out->radius_a, out->near_a);
    status = status ? status
                    : radius_side(frame, &sb, b->rows, &sa, a->rows, &rng, out->radius_b,
                                  out->near_b);
    sa.scale = 1; /* 2 S */
    sa.tail = IL_TAIL_A;
    sb.tail = IL_TAIL_B;
    struct il_local_options options;
    il_local_options_init(&options);
    options.nearest = replicates ? options.nearest : 0;
    options.replicates = replicates;
    return status ? status
                  : il_match_local(frame, &sa, a->rows, &sb, b->rows, &options, round,
                                   out->row, out->col);
}

enum il_status il_scores_run(struct il_frame *frame, const struct il_side *a,
                             const struct il_side *b, const struct il_view *views,
                             size_t view_count, uint64_t round, unsigned replicates,
                             struct il_scores *out)
{
    memset(out, 0, sizeof *out);
    out->image_a = il_alloc_zero(a->rows * b->d, sizeof *out->image_a);
    out->image_b = il_alloc_zero(b->rows * a->d, sizeof *out->image_b);
    out->radius_a = il_alloc(a->rows, sizeof *out->radius_a);
    out->radius_b = il_alloc(b->rows, sizeof *out->radius_b);
    out->near_a = il_top3_new(a->rows);
    out->near_b = il_top3_new(b->rows);
    out->row = il_top3_new(a->rows);
    out->col = il_top3_new(b->rows);
    enum il_status status = out->image_a && out->image_b && out->radius_a &&
                                    out->radius_b && out->near_a && out->near_b &&
                                    out->row && out->col
                                ? IL_OK
                                : IL_ENOMEM;
    float weight = 1.0f / (float)view_count;
    for (size_t r = 0; r < view_count && !status; r++) {
        status = il_view_images(frame, &views[r], a, b, 0, weight, out->image_a);
        status = status ? status
                        : il_view_images(frame, &views[r], b, a, 1, weight, out->image_b);
    }
    status = status ? status : scores_match(frame, a, b, round, replicates, out);
    if (status) {
        il_scores_free(out);
    }
    return status;
}
