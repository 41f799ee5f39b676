/* SPDX-License-Identifier: Apache-2.0 */
/* Orthogonal Procrustes (Schoenemann 1966), ridge regression (Hoerl and Kennard 1970),
   and ridge regressions of clusters drawn towards that of all links. */
#include "src/link/map_solve.h"

#include <math.h>
#include <string.h>

#include "src/linalg/dense.h"
#include "src/link/local.h"

/* Links of a cluster, about. */
#define CLUSTER_LINKS 500
/* The width of the choice between pieces is the mean step from the nearest centre to the
   last that is listed over this: that one weighs e^-4, or 2%, in the mean. */
#define STEP_WIDTHS 4
/* Links that weigh less in a cluster do not take part in its fit. */
#define WEIGHT_MIN 1e-3

static struct il_gather gather(const struct il_map_sums *s, int source)
{
    /* way 0 maps A to B: its source rows are named by an anchor's a. */
    int side = source ? s->way : !s->way;
    const struct il_side *of = &s->sides->side[side];
    return (struct il_gather){of->x, of->d, of->d, side};
}

/* Tasks report here. */
struct tasks {
    const struct il_map_sums *sums;
    enum il_map_kind kind;
    double lambda;
    float *matrix;
    uint64_t rank;
    const struct il_map_clusters *clusters;
    const float *base;
    const double *lambdas;
    size_t lambda_count;
    atomic_int status;
};

static void tasks_fail(struct tasks *tasks, enum il_status status)
{
    if (status) {
        atomic_store(&tasks->status, status);
    }
}

static void sum_task(void *context, size_t f, unsigned thread)
{
    (void)thread;
    struct tasks *tasks = context;
    const struct il_map_sums *s = tasks->sums;
    const struct il_simd *simd = s->sides->frame->simd;
    const struct il_anchor *anchors = s->links->anchor + s->links->first[f];
    size_t count = s->links->first[f + 1] - s->links->first[f];
    const struct il_gather from = gather(s, 1), to = gather(s, 0);
    enum il_status status = il_cross_add(simd, from, from, anchors, count, s->g[f]);
    tasks_fail(tasks,
               status ? status : il_cross_add(simd, from, to, anchors, count, s->c[f]));
}

enum il_status il_map_sums_open(struct il_map_sums *out, const struct il_map_sides *sides,
                                const struct il_map_links *links, int way)
{
    *out = (struct il_map_sums){.sides = sides,
                                .links = links,
                                .way = way,
                                .d = sides->side[way].d,
                                .k = sides->side[!way].d};
    int got = 1;
    for (unsigned f = 0; f < links->folds; f++) {
        out->g[f] = il_alloc_zero(out->d * out->d, sizeof(double));
        out->c[f] = il_alloc_zero(out->d * out->k, sizeof(double));
        got = got && out->g[f] && out->c[f];
    }
    if (!got) {
        return IL_ENOMEM;
    }
    struct tasks tasks = {.sums = out};
    il_pool_run(sides->frame->pool, links->folds, sum_task, &tasks);
    return (enum il_status)atomic_load(&tasks.status);
}

void il_map_sums_close(struct il_map_sums *sums)
{
    for (unsigned f = 0; f < IL_MAP_FOLDS_MAX; f++) {
        il_free(sums->g[f]);
        il_free(sums->c[f]);
    }
    memset(sums, 0, sizeof *sums);
}

static double trace(const double *g, size_t d)
{
    double sum = 0;
    for (size_t i = 0; i < d; i++) {
        sum += g[i * d + i];
    }
    return sum;
}

/* The sums of all folds but one; f = folds: of all. */
static void add_others(const struct il_map_sums *s, size_t f, double *g, double *c)
{
    for (size_t o = 0; o < s->links->folds; o++) {
        for (size_t i = 0; o != f && i < s->d * s->d; i++) {
            g[i] += s->g[o][i];
        }
        for (size_t i = 0; o != f && i < s->d * s->k; i++) {
            c[i] += s->c[o][i];
        }
    }
}

static void solve_task(void *context, size_t f, unsigned thread)
{
    (void)thread;
    struct tasks *tasks = context;
    const struct il_map_sums *s = tasks->sums;
    const struct il_simd *simd = s->sides->frame->simd;
    size_t d = s->d, k = s->k, rank = d < k ? d : k;
    double *g = il_alloc_zero(d * d, sizeof *g), *c = il_alloc_zero(d * k, sizeof *c);
    double *w = il_alloc(d * k, sizeof *w);
    enum il_status status = g && c && w ? IL_OK : IL_ENOMEM;
    const double *solved = c;
    if (!status) {
        add_others(s, f, g, c);
    }
    if (!status && tasks->kind == IL_MAP_ORTHOGONAL) {
        status = il_polar_factor(simd, d, k, c, w, &rank);
        solved = w;
    } else if (!status) {
        double ridge = tasks->lambda * trace(g, d) / (double)d;
        status = ridge > 0 ? il_ridge_solve(simd, d, k, ridge, g, c) : IL_OK;
    }
    for (size_t i = 0; i < d * k && !status; i++) {
        tasks->matrix[f * d * k + i] = (float)solved[i];
    }
    if (f == s->links->folds) {
        tasks->rank = rank;
    }
    tasks_fail(tasks, status);
    il_free(w);
    il_free(c);
    il_free(g);
}

enum il_status il_map_solve(const struct il_map_sums *sums, enum il_map_kind kind,
                            double lambda, float *matrix, uint64_t *rank)
{
    struct tasks tasks = {.sums = sums, .kind = kind, .lambda = lambda, .matrix = matrix};
    il_pool_run(sums->sides->frame->pool, sums->links->folds + 1, solve_task, &tasks);
    *rank = tasks.rank;
    return (enum il_status)atomic_load(&tasks.status);
}

static struct il_local_options cluster_options(size_t links)
{
    struct il_local_options options;
    il_local_options_init(&options);
    options.nearest = 1;
    options.rows = CLUSTER_LINKS;
    if (links / CLUSTER_LINKS > IL_MAP_PIECES_MAX) {
        options.rows = (links + IL_MAP_PIECES_MAX - 1) / IL_MAP_PIECES_MAX;
    }
    return options;
}

size_t il_map_cluster_count(size_t links)
{
    const struct il_local_options options = cluster_options(links);
    return il_local_clusters(links, links, &options);
}

/* From the nearest centre to the last that is listed. */
static double mean_step(const struct il_top3 *near, size_t count)
{
    double sum = 0;
    for (size_t i = 0; i < count; i++) {
        int last = IL_TOP - 1;
        while (last > 0 && near[i].index[last] == IL_INDEX_NONE) {
            last--;
        }
        sum += (double)near[i].value[0] - (double)near[i].value[last];
    }
    return count ? sum / (double)count : 0;
}

enum il_status il_map_clusters_open(struct il_map_clusters *out,
                                    const struct il_map_sums *sums)
{
    struct il_frame *frame = sums->sides->frame;
    const struct il_side *from = &sums->sides->side[sums->way];
    size_t count = sums->links->count, d = sums->d;
    const struct il_local_options options = cluster_options(count);
    memset(out, 0, sizeof *out);
    out->count = il_map_cluster_count(count);
    out->centre = il_alloc(out->count * d, sizeof *out->centre);
    out->near = il_top3_new(count);
    float *x = il_alloc(count * d, sizeof *x);
    float *half = il_alloc(out->count, sizeof *half);
    enum il_status status = out->centre && out->near && x && half ? IL_OK : IL_ENOMEM;
    for (size_t i = 0; i < count && !status; i++) {
        const struct il_anchor *anchor = &sums->links->anchor[i];
        memcpy(x + i * d, from->x + (sums->way ? anchor->b : anchor->a) * d,
               d * sizeof *x);
    }
    const struct il_signature rows = {.part = {{x, d, NULL, d, 0}}, .parts = 1};
    const struct il_signature centres = {
        .part = {{out->centre, d, NULL, d, 0}}, .parts = 1, .radius = half};
    status = status ? status
                    : il_local_centres(frame, &rows, count, &rows, count, &options,
                                       (uint64_t)sums->way, out->centre);
    for (size_t c = 0; c < out->count && !status; c++) {
        const float *centre = out->centre + c * d;
        half[c] = 0.5f * frame->simd->dot_f32(centre, centre, d);
    }
    status = status
                 ? status
                 : il_nearest(frame, &rows, count, &centres, NULL, out->count, out->near);
    out->width = status ? 0 : mean_step(out->near, count) / STEP_WIDTHS;
    il_free(half);
    il_free(x);
    return status;
}

void il_map_clusters_close(struct il_map_clusters *clusters)
{
    il_free(clusters->centre);
    il_free(clusters->near);
    memset(clusters, 0, sizeof *clusters);
}

/* Links next to cluster c that are not of fold f, weighed as a row is shared out. */
static size_t members(const struct tasks *tasks, size_t c, size_t f,
                      struct il_anchor *out)
{
    const struct il_map_links *links = tasks->sums->links;
    size_t count = 0;
    for (size_t o = 0; o < links->folds; o++) {
        for (size_t i = links->first[o]; o != f && i < links->first[o + 1]; i++) {
            const struct il_top3 *near = &tasks->clusters->near[i];
            double weight[IL_TOP];
            il_piece_weights(near, tasks->clusters->width, weight);
            for (int e = 0; e < IL_TOP; e++) {
                if (near->index[e] == c && weight[e] >= WEIGHT_MIN) {
                    out[count] = links->anchor[i];
                    out[count++].weight *= (float)weight[e];
                }
            }
        }
    }
    return count;
}

/* What a task of a cluster works on. */
struct cluster_work {
    double *g, *c;         /* sums of the members; c becomes the residual's */
    double *factor, *step; /* copies that a solution destroys */
    struct il_anchor *anchor;
};

static enum il_status work_open(struct cluster_work *w, size_t d, size_t k, size_t links)
{
    w->g = il_alloc_zero(d * d, sizeof *w->g);
    w->c = il_alloc_zero(d * k, sizeof *w->c);
    w->factor = il_alloc(d * d, sizeof *w->factor);
    w->step = il_alloc(d * k, sizeof *w->step);
    w->anchor = il_alloc(links, sizeof *w->anchor);
    return w->g && w->c && w->factor && w->step && w->anchor ? IL_OK : IL_ENOMEM;
}

static void work_close(struct cluster_work *w)
{
    il_free(w->g);
    il_free(w->c);
    il_free(w->factor);
    il_free(w->step);
    il_free(w->anchor);
}

/* X_c'w (Y_c - X_c W), and the sums that it is solved with. */
static enum il_status cluster_sums(const struct tasks *tasks, size_t c, size_t f,
                                   struct cluster_work *w)
{
    const struct il_map_sums *s = tasks->sums;
    const struct il_simd *simd = s->sides->frame->simd;
    const struct il_gather from = gather(s, 1), to = gather(s, 0);
    size_t d = s->d, k = s->k, count = members(tasks, c, f, w->anchor);
    const float *base = tasks->base + f * d * k;
    enum il_status status = il_cross_add(simd, from, from, w->anchor, count, w->g);
    status = status ? status : il_cross_add(simd, from, to, w->anchor, count, w->c);
    for (size_t i = 0; i < d * k && !status; i++) {
        w->step[i] = base[i];
    }
    for (size_t i = 0; i < d && !status; i++) {
        for (size_t j = 0; j < d; j++) {
            simd->axpy_f64(-w->g[i * d + j], w->step + j * k, w->c + i * k, k);
        }
    }
    return status;
}

/* Task: cluster c of fold f, for every lambda. */
static void cluster_task(void *context, size_t task, unsigned thread)
{
    (void)thread;
    struct tasks *tasks = context;
    const struct il_map_sums *s = tasks->sums;
    size_t d = s->d, k = s->k, clusters = tasks->clusters->count;
    size_t folds = s->links->folds + 1, f = task / clusters, c = task % clusters;
    struct cluster_work w = {0};
    enum il_status status = work_open(&w, d, k, s->links->count);
    status = status ? status : cluster_sums(tasks, c, f, &w);
    for (size_t l = 0; l < tasks->lambda_count && !status; l++) {
        float *out = tasks->matrix + ((l * folds + f) * clusters + c) * d * k;
        double ridge = tasks->lambdas[l] * trace(w.g, d) / (double)d;
        memcpy(w.factor, w.g, d * d * sizeof *w.g);
        memcpy(w.step, w.c, d * k * sizeof *w.c);
        status = ridge > 0 ? il_ridge_solve(s->sides->frame->simd, d, k, ridge, w.factor,
                                            w.step)
                           : IL_OK;
        for (size_t i = 0; i < d * k && !status; i++) {
            out[i] = (float)(tasks->base[f * d * k + i] + w.step[i]);
        }
    }
    tasks_fail(tasks, status);
    work_close(&w);
}

enum il_status il_map_solve_local(const struct il_map_sums *sums,
                                  const struct il_map_clusters *clusters,
                                  const float *base, const double *lambda, size_t lambdas,
                                  float *matrix)
{
    struct tasks tasks = {.sums = sums,
                          .clusters = clusters,
                          .base = base,
                          .lambdas = lambda,
                          .lambda_count = lambdas,
                          .matrix = matrix};
    il_pool_run(sums->sides->frame->pool, (sums->links->folds + 1) * clusters->count,
                cluster_task, &tasks);
    return (enum il_status)atomic_load(&tasks.status);
}
