/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The start: turn 0 signs rows by their similarities to the seeds, whitened by the seeds'
 * Gram matrix; the other turns fit a low-rank map (SVD of the anchors' cross-covariance,
 * singular values to the power 1/4, rank 15 -> 128) on ALL mutual pairs of the turn
 * before: most are wrong, but topically near, and a low-rank map averages that out. Every
 * row is scored by a map that was fitted without the pairs of its own fold, so no pair
 * confirms itself.
 */
#include "src/link/start.h"

#include <math.h>
#include <string.h>

#include "src/link/local.h"
#include "src/linalg/dense.h"

#define FOLDS_MAX 16
/* Rows of the other side that a radius is measured on. */
#define RADIUS_SAMPLE 512
/* Added to the diagonal of the seeds' Gram matrix. */
#define SEED_RIDGE 1.0

/* Seeds that turn 0 uses: with 1,000,000 rows a side 256 take 2 GB. */
#define ZERO_SEEDS_MAX 256
/* The turn that a turn 0 by maps draws its samples as: no other turn has its number. */
#define TURN_CROSS 1000000
/* Singular values below this share of the first are noise of f32 sums. */
#define RANK_FLOOR 1e-6
/* (128 / 15)^(1/12): the default ranks are reached in 12 turns. */
#define RANK_GROWTH 1.19565
/* A start ends when the share of pairs that persist from turn to turn has not grown for
   so many turns, provided that it settled above this share: below it a start may still
   catch on. */
#define PLATEAU 3
#define SETTLED 0.35
/* On large sides pairs that are only topically near persist too, at 0.3 to 0.5, for 5 to
   20 turns until the map is sharp enough to tell partners (0.7 within three turns). */
#define PATIENCE 8
#define CAUGHT 0.6
/* A start whose pairs persist less than this after so many turns has nothing to catch on
   to: noise stays at 0.1, the weakest pair that linked was at 0.2. */
#define HOPELESS 0.15
#define HOPELESS_TURNS 16

void il_start_options_init(struct il_start_options *options)
{
    *options = (struct il_start_options){.turns_min = 8,
                                         .turns_max = 40,
                                         .folds = 2,
                                         .rank_first = 15,
                                         .rank_last = 128,
                                         .seed_weight = 5};
}

/* What the turns of one start share. */
struct start {
    struct il_frame *frame;
    const struct il_side *a, *b;
    const struct il_start_options *options;
    struct il_anchor *anchors; /* of the turn, sorted by fold */
    size_t fold_first[FOLDS_MAX + 1];
    uint8_t *fold;  /* of every row of A */
    uint32_t *rows; /* rows of A, by fold, ascending */
    size_t rows_first[FOLDS_MAX + 1];
    size_t rank;
    double *cross[FOLDS_MAX]; /* d_a x d_b sums of one fold's anchors */
    double *scale[2];         /* of the coordinates of A and B, when whitening */
    uint8_t *seeded[2];       /* of every row: a seed has it */
    float *map_a[FOLDS_MAX], *map_b[FOLDS_MAX];
    size_t map_k[FOLDS_MAX];
    float *radius_a, *radius_b;
    uint32_t *sample_a, *sample_b;
    size_t sample_a_count, sample_b_count;
    struct il_top3 *row, *col;
    atomic_int status;
};

static void cross_task(void *context, size_t f, unsigned thread)
{
    (void)thread;
    struct start *s = context;
    memset(s->cross[f], 0, s->a->d * s->b->d * sizeof *s->cross[f]);
    const struct il_gather ga = {s->a->x, s->a->d, s->a->d, 0};
    const struct il_gather gb = {s->b->x, s->b->d, s->b->d, 1};
    enum il_status status =
        il_cross_add(s->frame->simd, ga, gb, s->anchors + s->fold_first[f],
                     s->fold_first[f + 1] - s->fold_first[f], s->cross[f]);
    if (status) {
        atomic_store(&s->status, status);
    }
}

void il_whitening(const struct il_side *side, double *scale)
{
    double top = 0;
    memset(scale, 0, side->d * sizeof *scale);
    for (size_t i = 0; i < side->rows; i++) {
        if (i % IL_LOOK_ROWS == 0) {
            il_large_look();
        }
        for (size_t k = 0; k < side->d; k++) {
            scale[k] += (double)side->x[i * side->d + k] * side->x[i * side->d + k];
        }
    }
    for (size_t k = 0; k < side->d; k++) {
        top = scale[k] > top ? scale[k] : top;
    }
    for (size_t k = 0; k < side->d; k++) {
        scale[k] = top > 0 ? 1 / sqrt(sqrt(scale[k] / top + 1e-4)) : 1;
    }
}

/* rows x d: every row times scale. */
static void scale_rows(double *x, size_t rows, size_t d, const double *scale)
{
    for (size_t i = 0; i < rows * d; i++) {
        x[i] *= scale[i % d];
    }
}

/* c (rows of the narrower side x columns of the wider one) and the factors of its
   singular vectors in the whitened coordinates of both sides. */
static void whiten_cross(const struct start *s, double *c)
{
    size_t da = s->a->d, db = s->b->d, n = da < db ? da : db, m = da < db ? db : da;
    const double *narrow = s->scale[da >= db], *wide = s->scale[da < db];
    scale_rows(c, n, m, wide);
    for (size_t i = 0; i < n * m; i++) {
        c[i] *= narrow[i / m];
    }
}

static void fit_task(void *context, size_t f, unsigned thread)
{
    (void)thread;
    struct start *s = context;
    size_t da = s->a->d, db = s->b->d, n = da < db ? da : db, m = da < db ? db : da;
    size_t rank = s->rank < n ? s->rank : n;
    const struct il_svd_options svd = {.rank = rank, .floor = RANK_FLOOR, .quarter = 1};
    double *c = il_alloc_zero(n * m, sizeof *c);
    double *work = il_alloc(n * n + n, sizeof *work);
    double *left = il_alloc(n * rank, sizeof *left),
           *right = il_alloc(m * rank, sizeof *right);
    enum il_status status = c && work && left && right ? IL_OK : IL_ENOMEM;
    for (size_t g = 0; g < s->options->folds && !status; g++) {
        for (size_t i = 0; i < da && g != f; i++) {
            for (size_t j = 0; j < db; j++) {
                c[da < db ? i * m + j : j * m + i] += s->cross[g][i * db + j];
            }
        }
    }
    if (!status && s->options->whiten) {
        whiten_cross(s, c);
    }
    if (!status) {
        s->map_k[f] =
            il_svd(s->frame->simd, n, m, c, &svd, work, left, right, NULL, &status);
    }
    if (!status && s->options->whiten) {
        scale_rows(left, s->map_k[f], n, s->scale[da >= db]);
        scale_rows(right, s->map_k[f], m, s->scale[da < db]);
    }
    if (!status && s->map_k[f]) {
        s->map_a[f] =
            il_vectors_pack(s->frame->simd, da < db ? left : right, da, s->map_k[f]);
        s->map_b[f] =
            il_vectors_pack(s->frame->simd, da < db ? right : left, db, s->map_k[f]);
        status = s->map_a[f] && s->map_b[f] ? IL_OK : IL_ENOMEM;
    }
    if (status) {
        atomic_store(&s->status, status);
    }
    il_free(right);
    il_free(left);
    il_free(work);
    il_free(c);
}

/* Draws the folds of a turn and sorts rows and anchors by fold. */
static void draw_folds(struct start *s, unsigned turn, const struct il_anchor *anchors,
                       size_t count)
{
    struct il_rng rng =
        il_rng_make(s->frame->seed, s->options->stream, turn, IL_FOR_FOLDS);
    unsigned folds = s->options->folds;
    size_t at[FOLDS_MAX] = {0}, to[FOLDS_MAX] = {0};
    for (size_t u = 0; u < s->a->rows; u++) {
        s->fold[u] = (uint8_t)il_rng_below(&rng, folds);
        at[s->fold[u]]++;
    }
    for (size_t i = 0; i < count; i++) {
        to[s->fold[anchors[i].a]]++;
    }
    s->rows_first[0] = s->fold_first[0] = 0;
    for (unsigned f = 0; f < folds; f++) {
        s->rows_first[f + 1] = s->rows_first[f] + at[f];
        s->fold_first[f + 1] = s->fold_first[f] + to[f];
        at[f] = s->rows_first[f];
        to[f] = s->fold_first[f];
    }
    for (size_t u = 0; u < s->a->rows; u++) {
        s->rows[at[s->fold[u]]++] = (uint32_t)u;
    }
    for (size_t i = 0; i < count; i++) {
        s->anchors[to[s->fold[anchors[i].a]]++] = anchors[i];
    }
}

/* Radii of both sides under two plain signatures, each against a sample of the other
 * side: of the rows of A that `fold` signs, into radius_a, and of all rows of B. */
static enum il_status radii(struct start *s, const struct il_signature *sa,
                            const struct il_signature *sb,
                            const struct il_signature *fold, const uint32_t *rows,
                            size_t count, size_t lists, float *radius_a)
{
    struct il_panels pa = {0}, pb = {0};
    enum il_status status =
        il_panels_build(s->frame, sb, s->sample_b, s->sample_b_count, &pb);
    status = status ? status
                    : il_radius(s->frame, fold, rows, count, &pb, lists, radius_a, NULL);
    status = status ? status
                    : il_panels_build(s->frame, sa, s->sample_a, s->sample_a_count, &pa);
    status = status ? status
                    : il_radius(s->frame, sb, NULL, s->b->rows, &pa, s->b->rows,
                                s->radius_b, NULL);
    il_panels_free(&pa);
    il_panels_free(&pb);
    return status;
}

static enum il_status match_fold_local(struct start *s, unsigned fold,
                                       const uint32_t *rows, size_t count);

/* Matches the rows of one fold against all of B under the fold's maps. */
static enum il_status match_fold(struct start *s, unsigned f)
{
    const uint32_t *rows = s->rows + s->rows_first[f];
    size_t count = s->rows_first[f + 1] - s->rows_first[f];
    if (count == 0 || s->map_k[f] == 0) {
        return IL_OK;
    }
    if (s->options->local) {
        return match_fold_local(s, f, rows, count);
    }
    struct il_signature sa = {.part = {{s->a->x, s->a->d, s->map_a[f], s->map_k[f], 0}},
                              .parts = 1,
                              .scale = 1,
                              .radius = s->radius_a};
    struct il_signature sb = {.part = {{s->b->x, s->b->d, s->map_b[f], s->map_k[f], 0}},
                              .parts = 1,
                              .scale = 1,
                              .radius = s->radius_b};
    enum il_status status = radii(s, &sa, &sb, &sa, rows, count, s->a->rows, s->radius_a);
    sa.tail = IL_TAIL_A;
    sa.scale = 2;
    sb.tail = IL_TAIL_B;
    struct il_panels panels = {0};
    status = status ? status : il_panels_build(s->frame, &sb, NULL, s->b->rows, &panels);
    status =
        status ? status : il_match(s->frame, &sa, rows, count, &panels, s->row, s->col);
    il_panels_free(&panels);
    return status;
}

/* Signs rows of a side (NULL: all), one after the other. NULL when memory is exhausted.
 */
static float *sign_side(struct start *s, const struct il_side *side, const float *map,
                        size_t k, const uint32_t *rows, size_t count)
{
    float *out = il_alloc(count * k, sizeof *out);
    const struct il_part part = {side->x, side->d, map, k, 0};
    if (out && il_map_rows(s->frame, &part, rows, count, out)) {
        il_free(out);
        return NULL;
    }
    return out;
}

/* What clusters need: the rows of the fold alone, one after the other. */
struct fold_rows {
    float *x, *radius;
    struct il_top3 *row, *col;
};

/* Brings the lists of a fold's rows back to row numbers: they are ascending in the fold,
   so ties stay as they are. */
static void spread_lists(struct start *s, const struct fold_rows *f, const uint32_t *rows,
                         size_t count)
{
    for (size_t i = 0; i < count; i++) {
        s->row[rows[i]] = f->row[i];
    }
    for (size_t v = 0; v < s->b->rows; v++) {
        const struct il_top3 *from = &f->col[v];
        for (int e = 0; e < IL_TOP && from->index[e] != IL_INDEX_NONE; e++) {
            il_top3_insert(&s->col[v], from->value[e], rows[from->index[e]]);
        }
    }
}

/* match_fold for a side B of very many rows: the signatures of both sides lie in one
   space, so rows may meet in its clusters. */
static enum il_status match_fold_local(struct start *s, unsigned fold,
                                       const uint32_t *rows, size_t count)
{
    size_t k = s->map_k[fold];
    float *xb = sign_side(s, s->b, s->map_b[fold], k, NULL, s->b->rows);
    struct fold_rows f = {.x = sign_side(s, s->a, s->map_a[fold], k, rows, count),
                          .radius = il_alloc(count, sizeof *f.radius),
                          .row = il_top3_new(count),
                          .col = il_top3_new(s->b->rows)};
    int got = xb && f.x && f.radius && f.row && f.col;
    const struct il_signature all = {
        .part = {{s->a->x, s->a->d, s->map_a[fold], k, 0}}, .parts = 1, .scale = 1};
    struct il_signature sa = {.part = {{f.x, k, NULL, k, 0}}, .parts = 1, .scale = 1};
    struct il_signature sb = {.part = {{xb, k, NULL, k, 0}}, .parts = 1, .scale = 1};
    enum il_status status =
        got ? radii(s, &all, &sb, &sa, NULL, count, count, f.radius) : IL_ENOMEM;
    sa.scale = 2;
    sa.tail = IL_TAIL_A;
    sa.radius = f.radius;
    sb.tail = IL_TAIL_B;
    sb.radius = s->radius_b;
    struct il_local_options options;
    il_local_options_init(&options);
    status = status ? status
                    : il_match_local(s->frame, &sa, count, &sb, s->b->rows, &options,
                                     s->options->stream, f.row, f.col);
    if (!status) {
        spread_lists(s, &f, rows, count);
    }
    il_free(f.col);
    il_free(f.row);
    il_free(f.radius);
    il_free(f.x);
    il_free(xb);
    return status;
}

/* The rows that the radii of a turn are measured on. */
static void draw_samples(struct start *s, uint64_t turn)
{
    struct il_rng rng =
        il_rng_make(s->frame->seed, s->options->stream, turn, IL_FOR_RADIUS);
    il_rng_sample(&rng, (uint32_t)s->a->rows, (uint32_t)s->sample_a_count, s->sample_a);
    il_rng_sample(&rng, (uint32_t)s->b->rows, (uint32_t)s->sample_b_count, s->sample_b);
}

static void drop_maps(struct start *s, unsigned f)
{
    il_free(s->map_a[f]);
    il_free(s->map_b[f]);
    s->map_a[f] = s->map_b[f] = NULL;
    s->map_k[f] = 0;
}

static enum il_status turn_run(struct start *s, unsigned turn,
                               const struct il_anchor *anchors, size_t count)
{
    draw_folds(s, turn, anchors, count);
    draw_samples(s, turn);
    atomic_store(&s->status, IL_OK);
    il_pool_run(s->frame->pool, s->options->folds, cross_task, s);
    if (!atomic_load(&s->status)) {
        il_pool_run(s->frame->pool, s->options->folds, fit_task, s);
    }
    enum il_status status = (enum il_status)atomic_load(&s->status);
    for (size_t u = 0; u < s->a->rows; u++) {
        il_top3_clear(&s->row[u]);
    }
    for (size_t v = 0; v < s->b->rows; v++) {
        il_top3_clear(&s->col[v]);
    }
    for (unsigned f = 0; f < s->options->folds; f++) {
        status = status ? status : match_fold(s, f);
        drop_maps(s, f);
    }
    return status;
}

/* x M of one side: M = (A A' + w I)^-1 A transposed, columns centred, unit rows. */
static enum il_status seed_signature(struct il_frame *frame, const struct il_side *side,
                                     const struct il_anchor *seeds, size_t count,
                                     int pick, float *out)
{
    size_t d = side->d;
    double *gram = il_alloc_zero(count * count, sizeof *gram);
    double *rows = il_alloc(count * d, sizeof *rows),
           *mean = il_alloc_zero(count, sizeof *mean);
    float *map = NULL;
    enum il_status status = gram && rows && mean ? IL_OK : IL_ENOMEM;
    for (size_t i = 0; !status && i < count; i++) {
        const float *x = side->x + (pick ? seeds[i].b : seeds[i].a) * d;
        for (size_t k = 0; k < d; k++) {
            rows[i * d + k] = x[k];
        }
        for (size_t j = 0; j <= i; j++) {
            gram[i * count + j] = gram[j * count + i] =
                frame->simd->dot_f64(rows + i * d, rows + j * d, d);
        }
    }
    status =
        status ? status : il_ridge_solve(frame->simd, count, d, SEED_RIDGE, gram, rows);
    map = status ? NULL : il_vectors_pack(frame->simd, rows, d, count);
    status = status ? status : map ? IL_OK : IL_ENOMEM;
    const struct il_part part = {side->x, d, map, count, 1};
    status = status ? status : il_map_rows(frame, &part, NULL, side->rows, out);
    for (size_t i = 0; !status && i < side->rows; i++) {
        for (size_t k = 0; k < count; k++) {
            mean[k] += out[i * count + k];
        }
    }
    for (size_t i = 0; !status && i < side->rows; i++) {
        for (size_t k = 0; k < count; k++) {
            out[i * count + k] -= (float)(mean[k] / (double)side->rows);
        }
    }
    if (!status) {
        frame->simd->normalise_f32(out, side->rows, count, count);
    }
    il_free(map);
    il_free(mean);
    il_free(rows);
    il_free(gram);
    return status;
}

/* Signatures have a coordinate per seed: of many seeds, some evenly. Later turns use all.
 */
static enum il_status turn_zero(struct start *s, const struct il_anchor *all,
                                size_t all_count)
{
    struct il_anchor seeds[ZERO_SEEDS_MAX];
    size_t count = all_count < ZERO_SEEDS_MAX ? all_count : ZERO_SEEDS_MAX;
    for (size_t i = 0; i < count; i++) {
        seeds[i] = all[i * all_count / count];
    }
    float *fa = il_alloc(s->a->rows * count, sizeof *fa);
    float *fb = il_alloc(s->b->rows * count, sizeof *fb);
    enum il_status status = fa && fb ? IL_OK : IL_ENOMEM;
    status = status ? status : seed_signature(s->frame, s->a, seeds, count, 0, fa);
    status = status ? status : seed_signature(s->frame, s->b, seeds, count, 1, fb);
    const struct il_signature sa = {
        .part = {{fa, count, NULL, count, 0}}, .parts = 1, .scale = 1};
    const struct il_signature sb = {
        .part = {{fb, count, NULL, count, 0}}, .parts = 1, .scale = 1};
    struct il_local_options local;
    il_local_options_init(&local);
    local.nearest = s->options->local ? local.nearest : 0;
    status = status ? status
                    : il_match_local(s->frame, &sa, s->a->rows, &sb, s->b->rows, &local,
                                     s->options->stream, s->row, s->col);
    il_free(fb);
    il_free(fa);
    return status;
}

/* Turn 0 without seeds: all rows, by the maps of the cross-covariance given. It stands
   as the sum of fold 0, so that it is what the maps of fold 1 are fitted on. */
static enum il_status turn_cross(struct start *s)
{
    size_t cells = s->a->d * s->b->d;
    for (unsigned f = 1; f < s->options->folds; f++) {
        memset(s->cross[f], 0, cells * sizeof *s->cross[f]);
    }
    memcpy(s->cross[0], s->options->cross, cells * sizeof *s->cross[0]);
    for (size_t u = 0; u < s->a->rows; u++) {
        s->rows[u] = (uint32_t)u;
    }
    s->rows_first[1] = 0;
    s->rows_first[2] = s->a->rows;
    s->rank = s->options->rank_first;
    draw_samples(s, TURN_CROSS);
    atomic_store(&s->status, IL_OK);
    fit_task(s, 1, 0);
    enum il_status status = (enum il_status)atomic_load(&s->status);
    status = status ? status : match_fold(s, 1);
    drop_maps(s, 1);
    return status;
}

/* Seeds plus the mutual pairs that touch no seed. */
static size_t pairs_to_anchors(const struct start *s, const struct il_anchor *seeds,
                               size_t seed_count, const struct il_mutual *pairs,
                               size_t pair_count, struct il_anchor *out)
{
    size_t count = 0;
    for (size_t i = 0; i < seed_count; i++) {
        out[count] = seeds[i];
        out[count++].weight = s->options->seed_weight;
    }
    for (size_t i = 0; i < pair_count; i++) {
        if (!s->seeded[0][pairs[i].a] && !s->seeded[1][pairs[i].b]) {
            out[count++] = (struct il_anchor){pairs[i].a, pairs[i].b, 1};
        }
    }
    return count;
}

static enum il_status start_open(struct start *s, size_t anchors_max)
{
    size_t n = s->a->rows, m = s->b->rows;
    s->sample_a_count = n < RADIUS_SAMPLE ? n : RADIUS_SAMPLE;
    s->sample_b_count = m < RADIUS_SAMPLE ? m : RADIUS_SAMPLE;
    s->anchors = il_alloc(anchors_max, sizeof *s->anchors);
    s->fold = il_alloc(n, 1);
    s->rows = il_alloc(n, sizeof *s->rows);
    s->radius_a = il_alloc(n, sizeof *s->radius_a);
    s->radius_b = il_alloc(m, sizeof *s->radius_b);
    s->sample_a = il_alloc(s->sample_a_count, sizeof *s->sample_a);
    s->sample_b = il_alloc(s->sample_b_count, sizeof *s->sample_b);
    int got = s->anchors && s->fold && s->rows && s->radius_a && s->radius_b &&
              s->sample_a && s->sample_b;
    for (int side = 0; side < 2; side++) {
        const struct il_side *of = side ? s->b : s->a;
        s->scale[side] = il_alloc(of->d, sizeof(double));
        s->seeded[side] = il_alloc_zero(of->rows, 1);
        got = got && s->scale[side] && s->seeded[side];
        if (got && s->options->whiten) {
            il_whitening(of, s->scale[side]);
        }
    }
    for (unsigned f = 0; f < s->options->folds; f++) {
        s->cross[f] = il_alloc(s->a->d * s->b->d, sizeof *s->cross[f]);
        got = got && s->cross[f];
    }
    return got ? IL_OK : IL_ENOMEM;
}

static void start_close(struct start *s)
{
    for (unsigned f = 0; f < s->options->folds; f++) {
        il_free(s->cross[f]);
    }
    for (int side = 0; side < 2; side++) {
        il_free(s->scale[side]);
        il_free(s->seeded[side]);
    }
    il_free(s->sample_b);
    il_free(s->sample_a);
    il_free(s->radius_b);
    il_free(s->radius_a);
    il_free(s->rows);
    il_free(s->fold);
    il_free(s->anchors);
}

/* Share of the pairs that the turn before had too; remembers these. last[u] = v + 1, or
 * 0. */
static double persistence(const struct il_mutual *pairs, size_t count, uint32_t *last,
                          size_t rows)
{
    size_t same = 0;
    for (size_t i = 0; i < count; i++) {
        same += last[pairs[i].a] == pairs[i].b + 1;
    }
    memset(last, 0, rows * sizeof *last);
    for (size_t i = 0; i < count; i++) {
        last[pairs[i].a] = pairs[i].b + 1;
    }
    return count ? (double)same / (double)count : 0;
}

/* Rank of a turn: grows geometrically over RANK_TURNS turns. Multiplications only: the
   result must not depend on libm. */
static size_t rank_of_turn(const struct il_start_options *o, unsigned turn)
{
    double rank = (double)o->rank_first;
    for (unsigned t = 0; t < turn && rank < (double)o->rank_last; t++) {
        rank *= RANK_GROWTH;
    }
    return rank < (double)o->rank_last ? (size_t)(rank + 0.5) : o->rank_last;
}

/* All the turns; pairs of the last one are left in out. */
static enum il_status run_turns(struct start *s, const struct il_anchor *seeds,
                                size_t seed_count, struct il_anchor *anchors,
                                uint32_t *last, struct il_mutual *out, size_t *out_count)
{
    const struct il_start_options *o = s->options;
    double best = 0;
    unsigned best_turn = 0;
    enum il_status status = IL_OK;
    (void)persistence(out, *out_count, last, s->a->rows);
    for (unsigned t = 0; t < o->turns_max && !status; t++) {
        size_t count = pairs_to_anchors(s, seeds, seed_count, out, *out_count, anchors);
        s->rank = rank_of_turn(o, t);
        status = turn_run(s, t, anchors, count);
        if (status) {
            break;
        }
        *out_count = il_mutual_pairs(s->row, s->a->rows, s->col, out);
        double now = persistence(out, *out_count, last, s->a->rows);
        if (now > best + 0.02) {
            best = now;
            best_turn = t;
        }
        unsigned wait = !o->patient ? PLATEAU : best >= CAUGHT ? 2 : PATIENCE;
        int settled = t + 1 >= o->turns_min && t >= best_turn + wait && best >= SETTLED;
        if (settled || (t + 1 >= HOPELESS_TURNS && best < HOPELESS)) {
            break;
        }
    }
    return status;
}

enum il_status il_start_run(struct il_frame *frame, const struct il_side *a,
                            const struct il_side *b, const struct il_anchor *seeds,
                            size_t seed_count, const struct il_start_options *options,
                            struct il_mutual *out, size_t *out_count,
                            struct il_top3 *row_out, struct il_top3 *col_out)
{
    struct start s = {.frame = frame,
                      .a = a,
                      .b = b,
                      .options = options,
                      .row = row_out,
                      .col = col_out};
    size_t most = (a->rows < b->rows ? a->rows : b->rows) + seed_count;
    struct il_anchor *anchors = il_alloc(most, sizeof *anchors);
    uint32_t *last = il_alloc_zero(a->rows, sizeof *last);
    enum il_status status = anchors && last ? start_open(&s, most) : IL_ENOMEM;
    for (size_t i = 0; i < seed_count && !status; i++) {
        s.seeded[0][seeds[i].a] = s.seeded[1][seeds[i].b] = 1;
    }
    if (!status && !options->resume) {
        for (size_t u = 0; u < a->rows; u++) {
            il_top3_clear(&s.row[u]);
        }
        for (size_t v = 0; v < b->rows; v++) {
            il_top3_clear(&s.col[v]);
        }
        status = options->cross ? turn_cross(&s) : turn_zero(&s, seeds, seed_count);
        *out_count = status ? 0 : il_mutual_pairs(s.row, a->rows, s.col, out);
    }
    status =
        status ? status : run_turns(&s, seeds, seed_count, anchors, last, out, out_count);
    start_close(&s);
    il_free(last);
    il_free(anchors);
    return status;
}
