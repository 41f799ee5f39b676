/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A map from links: of every kind and penalty there are as many fits as folds, each
 * without the links of its fold, and what is chosen and told is how those did.
 */
#include <isolink/map.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "src/link/check.h"
#include "src/link/map_solve.h"

#define FOLDS 5
#define THREADS_MAX 256

/* Penalties that are tried, in mean variances of the fitted rows. */
static const double lambdas[] = {0.001, 0.01, 0.03, 0.1, 0.3, 1, 3, 10};
#define LAMBDAS (sizeof lambdas / sizeof *lambdas)
static const double local_lambdas[] = {0.03, 0.3, 3, 30};
#define LOCAL_LAMBDAS (sizeof local_lambdas / sizeof *local_lambdas)

/* One kind, fitted both ways, with the images of what was held out. */
struct trial {
    enum il_map_kind kind; /* IL_MAP_AUTO: not fitted */
    struct il_map_way way[2];
    struct il_held held[2];
    double lambda[2];
    uint64_t rank[2];
    size_t pieces;
};

struct fitting {
    struct il_map_config config;
    struct il_frame frame;
    struct il_map_sides sides;
    struct il_map_links links;
    struct trial trial[IL_MAP_LOCAL + 1]; /* by kind */
    float *ridge[2]; /* the ridge matrices of all folds that the local ones start from */
    double steps, step; /* progress */
};

void il_map_config_init(struct il_map_config *config)
{
    *config = (struct il_map_config){
        .struct_bytes = sizeof *config, .folds = FOLDS, .columns = IL_COLUMNS_MAX};
}

static enum il_status check_config(const struct il_map_config *c, struct il_error *error)
{
    if (c->struct_bytes != sizeof *c) {
        return il_fail(error, IL_EARG,
                       "config: not made by il_map_config_init of this version");
    }
    if ((unsigned)c->kind > IL_MAP_LOCAL) {
        return il_fail(error, IL_EARG, "config: unknown kind of map %d", (int)c->kind);
    }
    if (c->threads > THREADS_MAX) {
        return il_fail(error, IL_EARG, "config: %u threads, at most %d", c->threads,
                       THREADS_MAX);
    }
    if (c->folds < 2 || c->folds > IL_MAP_FOLDS_MAX) {
        return il_fail(error, IL_EARG, "config: %u folds, wanted 2 to %d", c->folds,
                       IL_MAP_FOLDS_MAX);
    }
    if (c->columns < 1 || c->columns > IL_MAP_COLUMNS_MAX) {
        return il_fail(error, IL_EARG, "config: %zu axes, wanted 1 to %d", c->columns,
                       IL_MAP_COLUMNS_MAX);
    }
    for (int side = 0; side < 2; side++) {
        size_t bytes = c->model[side] ? strlen(c->model[side]) : 0;
        if (bytes >= IL_MAP_MODEL_BYTES) {
            return il_fail(error, IL_EARG,
                           "config: a model's name of %zu bytes, at most %d", bytes,
                           IL_MAP_MODEL_BYTES - 1);
        }
    }
    return IL_OK;
}

/* Links name rows that there are, each once. */
static enum il_status check_links(const struct il_link *links, size_t count,
                                  const struct il_matrix *a, const struct il_matrix *b,
                                  struct il_error *error)
{
    struct il_pair *pairs = il_alloc(count, sizeof *pairs);
    if (!pairs) {
        return il_fail(error, IL_ENOMEM, "map: no memory for %zu links", count);
    }
    enum il_status status = IL_OK;
    for (size_t i = 0; i < count && !status; i++) {
        pairs[i] = (struct il_pair){links[i].a, links[i].b};
        if (!(links[i].posterior >= 0 && links[i].posterior <= 1)) {
            status = il_fail(error, IL_EARG, "link %zu: posterior %g, wanted 0 to 1", i,
                             links[i].posterior);
        }
    }
    status = status ? status : il_check_pairs("link", pairs, count, a, b, error);
    il_free(pairs);
    return status;
}

static int by_rows(const void *x, const void *y)
{
    const struct il_anchor *p = x, *q = y;
    return p->a != q->a ? (p->a > q->a) - (p->a < q->a) : (p->b > q->b) - (p->b < q->b);
}

/* The links on usable rows, by row; order: 0, 1, ... */
static size_t usable_links(const struct fitting *fit, const struct il_link *links,
                           size_t count, struct il_anchor *out, uint32_t *order)
{
    size_t used = 0;
    for (size_t i = 0; i < count; i++) {
        uint32_t a = il_side_find(&fit->sides.side[0], links[i].a);
        uint32_t b = il_side_find(&fit->sides.side[1], links[i].b);
        if (a != UINT32_MAX && b != UINT32_MAX && links[i].posterior > 0) {
            order[used] = (uint32_t)used;
            out[used++] = (struct il_anchor){a, b, (float)links[i].posterior};
        }
    }
    qsort(out, used, sizeof *out, by_rows);
    return used;
}

/* Shuffles them from that order, so that it does not matter how the links came, and cuts
   them into folds. */
static enum il_status take_links(struct fitting *fit, const struct il_link *links,
                                 size_t count, struct il_error *error)
{
    struct il_map_links *l = &fit->links;
    struct il_anchor *sorted = il_alloc(count, sizeof *sorted);
    uint32_t *order = il_alloc(count, sizeof *order);
    enum il_status status = IL_ENOMEM;
    l->anchor = il_alloc(count, sizeof *l->anchor);
    l->folds = fit->config.folds;
    if (!sorted || !order || !l->anchor) {
        goto out;
    }
    l->count = usable_links(fit, links, count, sorted, order);
    if (l->count < IL_MAP_LINKS_MIN) {
        status = il_fail(error, IL_EBOOTSTRAP,
                         "%zu of %zu links are on usable rows, a map wants at least %d",
                         l->count, count, IL_MAP_LINKS_MIN);
        goto out;
    }
    struct il_rng rng = il_rng_make(fit->frame.seed, 0, 0, IL_FOR_MAP);
    il_rng_shuffle(&rng, order, l->count);
    for (size_t i = 0; i < l->count; i++) {
        l->anchor[i] = sorted[order[i]];
    }
    for (unsigned f = 0; f <= l->folds; f++) {
        l->first[f] = f * l->count / l->folds;
    }
    status = IL_OK;
out:
    il_free(order);
    il_free(sorted);
    return status;
}

static void step(struct fitting *fit)
{
    il_frame_progress(&fit->frame, "fit", ++fit->step, fit->steps);
}

/* Images of the held-out links under (folds + 1) x pieces matrices, and their cosines. */
static enum il_status hold(struct fitting *fit, int way, const float *matrix,
                           const struct il_map_way *shape, size_t pieces,
                           struct il_held *held)
{
    struct il_frame *frame = &fit->frame;
    const struct il_map_links *links = &fit->links;
    const struct il_side *from = &fit->sides.side[way], *to = &fit->sides.side[!way];
    size_t d = from->d, k = to->d;
    uint32_t *rows = il_alloc(links->count, sizeof *rows);
    enum il_status status = rows ? IL_OK : IL_ENOMEM;
    double sum = 0, all = 0;
    for (unsigned f = 0; f < links->folds && !status; f++) {
        struct il_image image = {0};
        size_t first = links->first[f], count = links->first[f + 1] - first;
        for (size_t i = 0; i < count; i++) {
            const struct il_anchor *anchor = &links->anchor[first + i];
            rows[i] = way ? anchor->b : anchor->a;
        }
        status = il_image_open(&image, frame, matrix + f * pieces * d * k, shape->centre,
                               pieces, d, k, shape->width);
        status = status ? status
                        : il_image_rows(frame, &image, from->x, rows, count,
                                        held->image + first * k);
        il_image_close(&image);
    }
    for (size_t i = 0; i < links->count && !status; i++) {
        const struct il_anchor *anchor = &links->anchor[i];
        const float *y = to->x + (way ? anchor->a : anchor->b) * k;
        double cosine = (double)frame->simd->dot_f32(held->image + i * k, y, k);
        held->cosine[i] = cosine < -1 ? -1 : cosine > 1 ? 1 : cosine;
        sum += anchor->weight * held->cosine[i];
        all += anchor->weight;
    }
    held->mean = all > 0 ? sum / all : 0;
    il_free(rows);
    return status;
}

static enum il_status held_open(struct il_held *held, size_t links, size_t k)
{
    held->image = il_alloc(links * k, sizeof *held->image);
    held->cosine = il_alloc(links, sizeof *held->cosine);
    held->mean = -2;
    return held->image && held->cosine ? IL_OK : IL_ENOMEM;
}

static void held_close(struct il_held *held)
{
    il_free(held->image);
    il_free(held->cosine);
    il_free(held->link);
    il_free(held->rank);
    memset(held, 0, sizeof *held);
}

/* Keeps what was held if it is better than what was kept. */
static int keep_better(struct il_held *best, struct il_held *now)
{
    if (!(now->mean > best->mean)) {
        return 0;
    }
    struct il_held other = *best;
    *best = *now;
    *now = other;
    return 1;
}

/* One way of an orthogonal or a ridge map: the best penalty of those that are tried. */
static enum il_status fit_global(struct fitting *fit, struct trial *t, int way,
                                 const struct il_map_sums *sums)
{
    size_t cells = sums->d * sums->k, tries = t->kind == IL_MAP_RIDGE ? LAMBDAS : 1;
    size_t all = (fit->links.folds + 1) * cells;
    struct il_held now = {0};
    float *matrix = il_alloc(all, sizeof *matrix);
    float *best = il_alloc(all, sizeof *best);
    t->way[way].matrix = il_alloc(cells, sizeof *matrix);
    enum il_status status = matrix && best && t->way[way].matrix ? IL_OK : IL_ENOMEM;
    status = status ? status : held_open(&t->held[way], fit->links.count, sums->k);
    status = status ? status : held_open(&now, fit->links.count, sums->k);
    for (size_t l = 0; l < tries && !status; l++) {
        uint64_t rank = 0;
        double lambda = t->kind == IL_MAP_RIDGE ? lambdas[l] : 0;
        status = il_frame_cancelled(&fit->frame) ? IL_ECANCEL : IL_OK;
        status = status ? status : il_map_solve(sums, t->kind, lambda, matrix, &rank);
        status = status ? status : hold(fit, way, matrix, &t->way[way], 1, &now);
        if (!status && keep_better(&t->held[way], &now)) {
            memcpy(best, matrix, all * sizeof *best);
            t->lambda[way] = lambda;
            t->rank[way] = rank;
        }
        step(fit);
    }
    if (!status) {
        memcpy(t->way[way].matrix, best + all - cells, cells * sizeof *best);
    }
    if (!status && t->kind == IL_MAP_RIDGE) {
        fit->ridge[way] = best;
        best = NULL;
    }
    held_close(&now);
    il_free(best);
    il_free(matrix);
    return status;
}

/* One way of a local map, beside the ridge map of the same links. */
static enum il_status fit_local(struct fitting *fit, struct trial *t, int way,
                                const struct il_map_sums *sums)
{
    struct il_map_clusters clusters = {0};
    struct il_held now = {0};
    enum il_status status = il_map_clusters_open(&clusters, sums);
    size_t one = clusters.count * sums->d * sums->k, each = (fit->links.folds + 1) * one;
    float *matrix = il_alloc(LOCAL_LAMBDAS * each, sizeof *matrix);
    t->way[way].matrix = il_alloc(one, sizeof *matrix);
    t->way[way].centre = clusters.centre;
    t->way[way].width = clusters.width;
    t->pieces = clusters.count;
    clusters.centre = NULL;
    if (!status && (!matrix || !t->way[way].matrix)) {
        status = IL_ENOMEM;
    }
    status = status ? status : held_open(&t->held[way], fit->links.count, sums->k);
    status = status ? status : held_open(&now, fit->links.count, sums->k);
    struct il_map_clusters lent = clusters;
    lent.centre = t->way[way].centre;
    status = status ? status
                    : il_map_solve_local(sums, &lent, fit->ridge[way], local_lambdas,
                                         LOCAL_LAMBDAS, matrix);
    for (size_t l = 0; l < LOCAL_LAMBDAS && !status; l++) {
        const float *of = matrix + l * each;
        status = il_frame_cancelled(&fit->frame) ? IL_ECANCEL : IL_OK;
        status = status ? status : hold(fit, way, of, &t->way[way], t->pieces, &now);
        if (!status && keep_better(&t->held[way], &now)) {
            memcpy(t->way[way].matrix, of + each - one, one * sizeof *matrix);
            t->lambda[way] = local_lambdas[l];
        }
        step(fit);
    }
    t->rank[way] = fit->trial[IL_MAP_RIDGE].rank[way];
    held_close(&now);
    il_map_clusters_close(&clusters);
    il_free(matrix);
    return status;
}

/* Fits the kinds that are wanted, both ways, and looks how they retrieve. */
static enum il_status fit_kinds(struct fitting *fit, struct il_error *error)
{
    enum il_map_kind wanted = fit->config.kind;
    size_t clusters = il_map_cluster_count(fit->links.count);
    if (wanted == IL_MAP_LOCAL && clusters < 2) {
        return il_fail(error, IL_EBOOTSTRAP,
                       "%zu links are too few for the clusters of a local map",
                       fit->links.count);
    }
    int local = clusters >= 2 && (wanted == IL_MAP_AUTO || wanted == IL_MAP_LOCAL);
    int orthogonal = wanted == IL_MAP_AUTO || wanted == IL_MAP_ORTHOGONAL;
    int ridge = wanted != IL_MAP_ORTHOGONAL;
    size_t tries = (orthogonal ? 1 : 0) + (ridge ? LAMBDAS : 0);
    fit->steps = 2.0 * (double)(tries + (local ? LOCAL_LAMBDAS : 0));
    enum il_status status = IL_OK;
    for (int way = 0; way < 2 && !status; way++) {
        struct il_map_sums sums;
        struct trial *t = fit->trial;
        status = il_map_sums_open(&sums, &fit->sides, &fit->links, way);
        if (!status && orthogonal) {
            t[IL_MAP_ORTHOGONAL].kind = IL_MAP_ORTHOGONAL;
            t[IL_MAP_ORTHOGONAL].pieces = 1;
            status = fit_global(fit, &t[IL_MAP_ORTHOGONAL], way, &sums);
        }
        if (!status && ridge) {
            t[IL_MAP_RIDGE].kind = IL_MAP_RIDGE;
            t[IL_MAP_RIDGE].pieces = 1;
            status = fit_global(fit, &t[IL_MAP_RIDGE], way, &sums);
        }
        if (!status && local) {
            t[IL_MAP_LOCAL].kind = IL_MAP_LOCAL;
            status = fit_local(fit, &t[IL_MAP_LOCAL], way, &sums);
        }
        il_map_sums_close(&sums);
    }
    return status;
}

/* Retrieval of a trial, both ways and places together, and its standard error. */
static double retrieval(const struct trial *t, double *error)
{
    double sum = 0, variance = 0;
    for (int way = 0; way < 2; way++) {
        const struct il_held *h = &t->held[way];
        const double share[] = {h->recall1, h->recall10};
        for (int i = 0; i < 2; i++) {
            sum += share[i];
            variance += share[i] * (1 - share[i]) / (double)h->judged;
        }
    }
    *error = sqrt(variance);
    return sum;
}

/* The simplest kind within one standard error of the best. */
static enum il_status choose(struct fitting *fit, struct trial **out)
{
    double best = -1, least = 0;
    enum il_status status = IL_OK;
    for (int kind = IL_MAP_ORTHOGONAL; kind <= IL_MAP_LOCAL && !status; kind++) {
        struct trial *t = &fit->trial[kind];
        int asked = fit->config.kind == IL_MAP_AUTO || (int)fit->config.kind == kind;
        double error = 0;
        if (t->kind == IL_MAP_AUTO || !asked) {
            continue;
        }
        for (int way = 0; way < 2 && !status; way++) {
            status = il_map_judge(&fit->sides, &fit->links, way, &t->held[way]);
        }
        double now = status ? 0 : retrieval(t, &error);
        if (!status && now > best) {
            best = now;
            least = now - error;
        }
    }
    *out = NULL;
    for (int kind = IL_MAP_LOCAL; kind >= IL_MAP_ORTHOGONAL && !status; kind--) {
        struct trial *t = &fit->trial[kind];
        double error;
        if (t->held[0].rank && t->held[1].rank && retrieval(t, &error) >= least) {
            *out = t;
        }
    }
    return status;
}

/* Takes over one side's preparation. */
static void take_side(struct fitting *fit, int side, struct il_mapping *m)
{
    struct il_side *from = &fit->sides.side[side];
    m->mean[side] = from->mean;
    m->axes[side] = from->axes;
    from->mean = from->axes = NULL;
    m->info.dim[side] = from->dim;
    m->info.columns[side] = from->d;
    if (fit->config.model[side]) {
        memcpy(m->model[side], fit->config.model[side], strlen(fit->config.model[side]));
    }
    m->info.model[side] = m->model[side];
}

static enum il_status make(struct fitting *fit, struct trial *t, struct il_mapping **out)
{
    struct il_mapping *m = il_alloc_zero(1, sizeof *m);
    *out = m;
    if (!m) {
        return IL_ENOMEM;
    }
    m->info.kind = t->kind;
    m->info.pieces = t->pieces;
    m->info.folds = fit->links.folds;
    m->info.links = fit->links.count;
    m->info.seed = fit->config.seed;
    for (size_t i = 0; i < fit->links.count; i++) {
        m->info.weight += fit->links.anchor[i].weight;
    }
    enum il_status status = IL_OK;
    for (int way = 0; way < 2; way++) {
        m->way[way] = t->way[way];
        t->way[way] = (struct il_map_way){0};
        m->info.way[way].lambda = t->lambda[way];
        m->info.way[way].rank = t->rank[way];
        status = status ? status
                        : il_map_calibrate(&fit->sides, &fit->links, way, &t->held[way],
                                           &m->way[way], &m->info.way[way]);
    }
    take_side(fit, 0, m);
    take_side(fit, 1, m);
    return status;
}

static enum il_status run(struct fitting *fit, const struct il_link *links, size_t count,
                          struct il_mapping **out, struct il_error *error)
{
    const struct il_side_options options = {fit->config.columns, 1, 1};
    struct trial *best = NULL;
    enum il_status status = IL_OK;
    for (int side = 0; side < 2 && !status; side++) {
        status = il_side_prepare(&fit->frame, fit->sides.given[side], &options,
                                 &fit->sides.side[side]);
    }
    status = status ? status : take_links(fit, links, count, error);
    status = status ? status : fit_kinds(fit, error);
    status = status ? status : choose(fit, &best);
    return status || !best ? status : make(fit, best, out);
}

static void close_all(struct fitting *fit)
{
    for (int kind = 0; kind <= IL_MAP_LOCAL; kind++) {
        for (int way = 0; way < 2; way++) {
            held_close(&fit->trial[kind].held[way]);
            il_free(fit->trial[kind].way[way].matrix);
            il_free(fit->trial[kind].way[way].centre);
        }
    }
    for (int side = 0; side < 2; side++) {
        il_free(fit->ridge[side]);
        il_side_free(&fit->sides.side[side]);
    }
    il_free(fit->links.anchor);
    il_pool_close(&fit->frame.pool);
}

enum il_status il_mapping_fit(struct il_mapping **out, const struct il_matrix *a,
                              const struct il_matrix *b, const struct il_link *links,
                              size_t count, const struct il_map_config *config,
                              struct il_error *error)
{
    struct fitting fit = {.sides = {.given = {a, b}}};
    struct il_error why = {""};
    *out = NULL;
    il_map_config_init(&fit.config);
    fit.config = config ? *config : fit.config;
    enum il_status status = check_config(&fit.config, error);
    status = status ? status : il_check_sides(a, b, error);
    status = status ? status : check_links(links, count, a, b, error);
    if (status) {
        return status;
    }
    fit.frame = (struct il_frame){.simd = il_simd(),
                                  .seed = fit.config.seed,
                                  .cancel = fit.config.cancel,
                                  .progress = fit.config.progress,
                                  .progress_context = fit.config.progress_context};
    fit.sides.frame = &fit.frame;
    fit.sides.threads = fit.config.threads;
    status = il_pool_open(&fit.frame.pool, fit.config.threads);
    status = status ? status : run(&fit, links, count, out, &why);
    close_all(&fit);
    if (status) {
        il_mapping_close(out);
        return il_fail(error, status, "map: %s",
                       why.text[0] ? why.text : il_status_text(status));
    }
    return IL_OK;
}
