/* SPDX-License-Identifier: Apache-2.0 */
/*
 * "mini-vec2vec: Scaling Universal Geometry Alignment with Linear Transformations"
 * (Dar, arXiv 2510.02348), with the numbers of its published code:
 *
 * 1. Rows centred and of unit length (its section 3; here on principal axes, a rotation).
 * 2. Anchors (algorithm 2): 30 times, 20-means of 10,000 random rows of either side; the
 *    permutation of the largest sum of K_A[i][j] K_B[p(i)][p(j)], K = the centred inner
 *    products of the centres, by 2-opt from 30 random permutations; all 600 pairs of
 *    centres together are the anchors.
 * 3. Pseudo-pairs: r(x) = the cosines of x to its side's 600 anchors; a row of A is
 *    paired with the mean of the 50 rows of B whose r has the largest cosine with its
 *    own.
 * 4. W = the orthogonal matrix of the least squared error over those pairs (orthogonal
 *    Procrustes: U V' of the singular vectors of X'Y).
 * 5. Refine-1 (algorithm 3), 100 times: 1,000 random rows of A, each paired with the mean
 *    of the 50 rows of B nearest to its image; W' by Procrustes; W = (W + W') / 2.
 * 6. Refine-2 (algorithm 4), once: 500-means of A; their images under W start a 500-means
 *    of B; W' by Procrustes of the centres; W = (W + W') / 2.
 *
 * Sides of different dimensions meet as if the narrower one had zeros for the missing
 * coordinates. The paper maps rows and does not link: here links are the mutual nearest
 * neighbours of the images by cosine, all of them, ordered by it. It has no acceptance
 * and no refusal: a yardstick.
 */
#include <math.h>
#include <string.h>

#include "src/link/assign.h"
#include "src/link/evidence.h"
#include "src/link/kmeans.h"
#include "src/link/method.h"
#include "src/link/unseeded.h"
#include "src/linalg/dense.h"

#define CODEBOOKS 30
#define CODEBOOK_ROWS 10000
#define CENTRES 20
#define RESTARTS 30
#define TURNS 20
#define NEAREST 50
#define REFINE_1 100
#define REFINE_1_ROWS 1000
#define REFINE_2_CENTRES 500
/* Rows of A whose anchors' cosines lie in memory at a time. */
#define BLOCK 8192
/* Singular values below this share of the first are noise of f32 sums. */
#define FLOOR 1e-6

struct mini {
    struct il_method_job *job;
    struct il_frame *frame;
    const struct il_side *side[2];
    struct il_unseeded_options options;
    size_t anchors;
    double *anchor[2]; /* d x anchors: unit centres, one a column */
    double *w;         /* d_a x d_b */
    double *cross;     /* d_a x d_b */
    atomic_int status;
};

/* w = U V' of c = U s V' (rows x cols): (c c')^(-1/2) c, or of c' where that is less. */
static enum il_status procrustes(const struct il_simd *simd, size_t rows, size_t cols,
                                 const double *c, double *w)
{
    size_t n = rows < cols ? rows : cols, m = rows < cols ? cols : rows;
    double *narrow = il_alloc(n * m, sizeof *narrow),
           *gram = il_alloc(n * n, sizeof *gram);
    double *values = il_alloc(n, sizeof *values), *right = il_alloc(m, sizeof *right);
    enum il_status status = narrow && gram && values && right ? IL_OK : IL_ENOMEM;
    for (size_t i = 0; i < rows && !status; i++) {
        for (size_t j = 0; j < cols; j++) {
            narrow[rows < cols ? i * m + j : j * m + i] = c[i * cols + j];
        }
    }
    for (size_t i = 0; i < n && !status; i++) {
        for (size_t j = 0; j <= i; j++) {
            gram[i * n + j] = gram[j * n + i] =
                simd->dot_f64(narrow + i * m, narrow + j * m, m);
        }
    }
    status = status ? status : il_eigen_symmetric(simd, n, gram, values);
    if (!status) {
        memset(w, 0, rows * cols * sizeof *w);
    }
    for (size_t q = 0; !status && q < n && values[q] > FLOOR * FLOOR * values[0]; q++) {
        const double *left = gram + q * n;
        memset(right, 0, m * sizeof *right);
        for (size_t i = 0; i < n; i++) {
            simd->axpy_f64(left[i] / sqrt(values[q]), narrow + i * m, right, m);
        }
        for (size_t i = 0; i < rows; i++) {
            for (size_t j = 0; j < cols; j++) {
                w[i * cols + j] += rows < cols ? left[i] * right[j] : right[i] * left[j];
            }
        }
    }
    il_free(right);
    il_free(values);
    il_free(gram);
    il_free(narrow);
    return status;
}

struct assigning {
    struct mini *m;
    struct il_codebooks book[2];
};

/* Assigns one codebook and writes its pairs of centres as anchors. */
static void assign_task(void *context, size_t r, unsigned thread)
{
    (void)thread;
    struct assigning *s = context;
    struct mini *m = s->m;
    size_t n = s->book[0].centres;
    double products[2][CENTRES * CENTRES];
    uint32_t p[CENTRES];
    struct il_rng rng = il_rng_make(m->frame->seed, 0, r, IL_FOR_ASSIGNMENT);
    for (int side = 0; side < 2; side++) {
        il_codebook_products(m->frame->simd, &s->book[side], r, products[side]);
    }
    (void)il_assign_quadratic(n, products[0], products[1], RESTARTS, &rng, p);
    for (size_t c = 0; c < n; c++) {
        for (int side = 0; side < 2; side++) {
            size_t d = s->book[side].d, at = r * n + (side ? p[c] : c);
            float *centre = s->book[side].centre + at * d;
            m->frame->simd->normalise_f32(centre, 1, d, d);
            for (size_t k = 0; k < d; k++) {
                m->anchor[side][k * m->anchors + r * n + c] = centre[k];
            }
        }
    }
}

static enum il_status make_anchors(struct mini *m)
{
    struct assigning s = {.m = m};
    enum il_status status = IL_OK;
    for (int side = 0; side < 2 && !status; side++) {
        m->anchor[side] =
            il_alloc(m->side[side]->d * m->anchors, sizeof *m->anchor[side]);
        status = m->anchor[side] ? il_codebooks_make(m->frame, m->side[side], side, NULL,
                                                     &m->options, &s.book[side])
                                 : IL_ENOMEM;
    }
    if (!status) {
        il_pool_run(m->frame->pool, m->options.codebooks, assign_task, &s);
    }
    il_codebooks_free(&s.book[1]);
    il_codebooks_free(&s.book[0]);
    return status;
}

/* mean[i] = the mean of the rows of B in list i; count x d_b. */
static void mean_rows(const struct mini *m, const uint32_t *index, size_t keep,
                      size_t count, float *mean)
{
    size_t d = m->side[1]->d;
    memset(mean, 0, count * d * sizeof *mean);
    for (size_t i = 0; i < count; i++) {
        size_t found = 0;
        for (size_t e = 0; e < keep && index[i * keep + e] != IL_INDEX_NONE; e++) {
            m->frame->simd->axpy_f32(1, m->side[1]->x + index[i * keep + e] * d,
                                     mean + i * d, d);
            found++;
        }
        m->frame->simd->scale_f32(found ? 1.0f / (float)found : 0, mean + i * d, d);
    }
}

/* Pairs rows of A (x: count x d_a; image: count x k) with the mean of the nearest of
   targets; adds them to the cross-covariance. */
static enum il_status pair_rows(struct mini *m, const float *x, const float *image,
                                size_t k, size_t count, const struct il_panels *targets)
{
    size_t keep = targets->rows < NEAREST ? targets->rows : NEAREST;
    size_t da = m->side[0]->d, db = m->side[1]->d;
    const struct il_side side = {.rows = count, .d = k, .x = (float *)(uintptr_t)image};
    uint32_t *index = il_alloc(count * keep, sizeof *index);
    float *value = il_alloc(count * keep, sizeof *value);
    float *mean = il_alloc(count * db, sizeof *mean);
    enum il_status status = index && value && mean ? IL_OK : IL_ENOMEM;
    status =
        status ? status : il_neighbours_in(m->frame, &side, targets, keep, index, value);
    if (!status) {
        mean_rows(m, index, keep, count, mean);
        const struct il_gather a = {x, da, da, 0}, b = {mean, db, db, 1};
        status = il_cross_add(m->frame->simd, a, b, NULL, count, m->cross);
    }
    il_free(mean);
    il_free(value);
    il_free(index);
    return status;
}

static void clear_cross(struct mini *m)
{
    memset(m->cross, 0, m->side[0]->d * m->side[1]->d * sizeof *m->cross);
}

/* W of the pseudo-pairs. */
static enum il_status first_map(struct mini *m)
{
    size_t da = m->side[0]->d, db = m->side[1]->d, n = m->side[0]->rows, k = m->anchors;
    float *packed[2] = {il_map_pack(m->frame->simd, m->anchor[0], da, k),
                        il_map_pack(m->frame->simd, m->anchor[1], db, k)};
    float *image = il_alloc((n < BLOCK ? n : BLOCK) * k, sizeof *image);
    struct il_panels panels = {0};
    enum il_status status = packed[0] && packed[1] && image ? IL_OK : IL_ENOMEM;
    const struct il_signature b = {
        .part = {{m->side[1]->x, db, packed[1], k, 0}}, .parts = 1, .scale = 1};
    status =
        status ? status : il_panels_build(m->frame, &b, NULL, m->side[1]->rows, &panels);
    clear_cross(m);
    for (size_t i = 0; i < n && !status; i += BLOCK) {
        size_t count = n - i < BLOCK ? n - i : BLOCK;
        const float *x = m->side[0]->x + i * da;
        const struct il_part part = {x, da, packed[0], k, 0};
        status = il_map_rows(m->frame, &part, NULL, count, image);
        status = status ? status : pair_rows(m, x, image, k, count, &panels);
    }
    il_panels_free(&panels);
    il_free(image);
    il_free(packed[1]);
    il_free(packed[0]);
    return status ? status : procrustes(m->frame->simd, da, db, m->cross, m->w);
}

/* W = (W + W') / 2, W' by Procrustes of the cross-covariance. */
static enum il_status blend(struct mini *m)
{
    size_t cells = m->side[0]->d * m->side[1]->d;
    double *w = il_alloc(cells, sizeof *w);
    enum il_status status =
        w ? procrustes(m->frame->simd, m->side[0]->d, m->side[1]->d, m->cross, w)
          : IL_ENOMEM;
    for (size_t i = 0; i < cells && !status; i++) {
        m->w[i] = 0.5 * m->w[i] + 0.5 * w[i];
    }
    il_free(w);
    return status;
}

/* Unit images of rows of d_a coordinates under W. */
static enum il_status map_rows(struct mini *m, const float *x, size_t count, float *out)
{
    size_t da = m->side[0]->d, db = m->side[1]->d;
    float *packed = il_map_pack(m->frame->simd, m->w, da, db);
    const struct il_part part = {x, da, packed, db, 0};
    enum il_status status =
        packed ? il_map_rows(m->frame, &part, NULL, count, out) : IL_ENOMEM;
    il_free(packed);
    return status;
}

static enum il_status refine_1(struct mini *m)
{
    size_t da = m->side[0]->d, db = m->side[1]->d, n = m->side[0]->rows;
    size_t count = n < REFINE_1_ROWS ? n : REFINE_1_ROWS;
    uint32_t *pick = il_alloc(count, sizeof *pick);
    float *x = il_alloc(count * da, sizeof *x), *image = il_alloc(count * db, sizeof *x);
    const struct il_signature plain = {
        .part = {{m->side[1]->x, db, NULL, db, 0}}, .parts = 1, .scale = 1};
    struct il_panels panels = {0};
    enum il_status status = pick && x && image ? IL_OK : IL_ENOMEM;
    status = status ? status
                    : il_panels_build(m->frame, &plain, NULL, m->side[1]->rows, &panels);
    for (uint64_t t = 0; t < REFINE_1 && !status; t++) {
        struct il_rng rng = il_rng_make(m->frame->seed, t, 0, IL_FOR_SAMPLE);
        il_rng_sample(&rng, (uint32_t)n, (uint32_t)count, pick);
        for (size_t i = 0; i < count; i++) {
            memcpy(x + i * da, m->side[0]->x + pick[i] * da, da * sizeof *x);
        }
        clear_cross(m);
        status = map_rows(m, x, count, image);
        status = status ? status : pair_rows(m, x, image, db, count, &panels);
        status = status ? status : blend(m);
        il_frame_progress(m->frame, "refine", (double)t + 1, REFINE_1 + 1);
    }
    il_panels_free(&panels);
    il_free(image);
    il_free(x);
    il_free(pick);
    return status;
}

static enum il_status refine_2(struct mini *m)
{
    size_t least = m->side[0]->rows;
    least = least < m->side[1]->rows ? least : m->side[1]->rows;
    size_t n = least < REFINE_2_CENTRES ? least : REFINE_2_CENTRES;
    float *half = il_alloc(n, sizeof *half);
    struct il_kmeans k[2];
    enum il_status status = half ? IL_OK : IL_ENOMEM;
    for (int s = 0; s < 2; s++) {
        const struct il_side *side = m->side[s];
        k[s] = (struct il_kmeans){.point = side->x,
                                  .count = side->rows,
                                  .d = side->d,
                                  .centres = n,
                                  .centre = il_alloc(n * side->d, sizeof(float)),
                                  .half = half,
                                  .near = il_top3_new(side->rows),
                                  .started = s};
        status = k[s].centre && k[s].near ? status : IL_ENOMEM;
    }
    struct il_rng rng = il_rng_make(m->frame->seed, 0, 0, IL_FOR_CODEBOOK);
    status = status ? status : il_kmeans_run(m->frame, &k[0], TURNS, &rng);
    status = status ? status : map_rows(m, k[0].centre, n, k[1].centre);
    status = status ? status : il_kmeans_run(m->frame, &k[1], TURNS, &rng);
    if (!status) {
        const struct il_gather a = {k[0].centre, k[0].d, k[0].d, 0};
        const struct il_gather b = {k[1].centre, k[1].d, k[1].d, 1};
        clear_cross(m);
        status = il_cross_add(m->frame->simd, a, b, NULL, n, m->cross);
    }
    for (int s = 0; s < 2; s++) {
        il_free(k[s].near);
        il_free(k[s].centre);
    }
    il_free(half);
    return status ? status : blend(m);
}

/* Mutual pairs of the images, but for rows of seeds. */
static enum il_status take_links(struct mini *m, const struct il_mutual *pairs,
                                 size_t count)
{
    struct il_method_job *job = m->job;
    uint8_t *taken[2] = {il_alloc_zero(m->side[0]->rows, 1),
                         il_alloc_zero(m->side[1]->rows, 1)};
    /* Not estimated. */
    job->report->precision = NAN;
    job->report->precision_low = job->report->precision_high = NAN;
    job->links = il_alloc(count, sizeof *job->links);
    enum il_status status = taken[0] && taken[1] && job->links ? IL_OK : IL_ENOMEM;
    for (size_t i = 0; i < job->seed_count && !status; i++) {
        taken[0][job->seeds[i].a] = taken[1][job->seeds[i].b] = 1;
    }
    for (size_t i = 0; i < count && !status; i++) {
        double order = 0.5 + 0.5 * (double)pairs[i].score;
        order = order < 0 ? 0 : order > 1 ? 1 : order;
        if (taken[0][pairs[i].a] || taken[1][pairs[i].b] ||
            !(order >= job->config->posterior_min)) {
            continue;
        }
        job->links[job->link_count++] = (struct il_found){.a = pairs[i].a,
                                                          .b = pairs[i].b,
                                                          .posterior = order,
                                                          .votes = 1,
                                                          .opportunities = 1,
                                                          .round = 1};
    }
    il_free(taken[1]);
    il_free(taken[0]);
    return status;
}

static enum il_status link_rows(struct mini *m)
{
    size_t n = m->side[0]->rows, rows = m->side[1]->rows, db = m->side[1]->d;
    float *image = il_alloc(n * db, sizeof *image);
    struct il_mutual *pairs = il_alloc(n < rows ? n : rows, sizeof *pairs);
    struct il_top3 *row = il_top3_new(n), *col = il_top3_new(rows);
    struct il_panels panels = {0};
    const struct il_signature a = {
        .part = {{image, db, NULL, db, 0}}, .parts = 1, .scale = 1};
    const struct il_signature b = {
        .part = {{m->side[1]->x, db, NULL, db, 0}}, .parts = 1, .scale = 1};
    enum il_status status = image && pairs && row && col ? IL_OK : IL_ENOMEM;
    status = status ? status : map_rows(m, m->side[0]->x, n, image);
    status = status ? status : il_panels_build(m->frame, &b, NULL, rows, &panels);
    status = status ? status : il_match(m->frame, &a, NULL, n, &panels, row, col);
    status = status ? status : take_links(m, pairs, il_mutual_pairs(row, n, col, pairs));
    il_panels_free(&panels);
    il_free(col);
    il_free(row);
    il_free(pairs);
    il_free(image);
    return status;
}

static enum il_status mini_open(struct mini *m)
{
    size_t cells = m->side[0]->d * m->side[1]->d;
    il_unseeded_options_init(&m->options);
    m->options.rows = CODEBOOK_ROWS;
    m->options.codebooks = CODEBOOKS;
    m->options.turns = TURNS;
    m->options.centres = CENTRES;
    for (int s = 0; s < 2; s++) {
        size_t rows = m->side[s]->rows;
        m->options.centres = rows < m->options.centres ? rows : m->options.centres;
    }
    m->anchors = CODEBOOKS * m->options.centres;
    m->w = il_alloc(cells, sizeof *m->w);
    m->cross = il_alloc(cells, sizeof *m->cross);
    return m->w && m->cross ? IL_OK : IL_ENOMEM;
}

enum il_status il_mini_vec2vec(struct il_method_job *job, const struct il_side *a,
                               const struct il_side *b)
{
    struct mini m = {.job = job, .frame = job->frame, .side = {a, b}};
    double seconds = il_clock_seconds(), madds = job->frame->multiply_adds;
    if (a->rows == 0 || b->rows == 0) {
        return IL_OK;
    }
    enum il_status status = mini_open(&m);
    status = status ? status : make_anchors(&m);
    status = status ? status : first_map(&m);
    il_stage_add(job, "start", seconds, madds);
    seconds = il_clock_seconds();
    madds = job->frame->multiply_adds;
    status = status ? status : refine_1(&m);
    status = status ? status : refine_2(&m);
    il_stage_add(job, "refine", seconds, madds);
    seconds = il_clock_seconds();
    madds = job->frame->multiply_adds;
    status = status ? status : link_rows(&m);
    il_stage_add(job, "link", seconds, madds);
    job->report->rounds = REFINE_1 + 1;
    il_free(m.cross);
    il_free(m.w);
    il_free(m.anchor[1]);
    il_free(m.anchor[0]);
    return status;
}
