/* SPDX-License-Identifier: Apache-2.0 */
/* Codebooks, their assignments, and the vote of these: see unseeded.h. */
#include "src/link/unseeded.h"

#include <math.h>
#include <string.h>

#include "src/link/assign.h"
#include "src/link/kmeans.h"
#include "src/link/start.h"
#include "src/linalg/dense.h"

/* Rows of a side for every centre at least: of fewer, a mean is mostly its noise. */
#define ROWS_PER_CENTRE 8
/* The counter of a codebook's draws: those of the sides must differ. */
#define SIDE_STREAM 1024
/* Squared lengths below this share of the largest are rounding of f32 sums. */
#define NOTHING 1e-10

void il_unseeded_options_init(struct il_unseeded_options *options)
{
    *options = (struct il_unseeded_options){.rows = 4000,
                                            .codebooks = 12,
                                            .centres = 20,
                                            .turns = 12,
                                            .restarts = 30,
                                            .whiten = 1,
                                            .kept = 24};
}

void il_codebooks_free(struct il_codebooks *codebooks)
{
    il_free(codebooks->centre);
    memset(codebooks, 0, sizeof *codebooks);
}

/* Copies rows drawn from a side, ascending. */
static enum il_status draw_rows(const struct il_side *side, size_t count,
                                struct il_rng *rng, float *out)
{
    uint32_t *pick = il_alloc(count, sizeof *pick);
    if (!pick) {
        return IL_ENOMEM;
    }
    il_rng_sample(rng, (uint32_t)side->rows, (uint32_t)count, pick);
    size_t row_bytes = side->d * sizeof *out;
    if (!il_large_gather(side->x, row_bytes, pick, count, out)) {
        for (size_t i = 0; i < count; i++) {
            memcpy(out + i * side->d, side->x + pick[i] * side->d, row_bytes);
        }
    }
    il_free(pick);
    return IL_OK;
}

enum il_status il_codebooks_make(struct il_frame *frame, const struct il_side *side,
                                 int which, const double *scale,
                                 const struct il_unseeded_options *options,
                                 struct il_codebooks *out)
{
    size_t rows = options->rows < side->rows ? options->rows : side->rows;
    *out = (struct il_codebooks){
        .count = options->codebooks, .centres = options->centres, .d = side->d};
    size_t cells = out->centres * out->d;
    float *point = il_alloc(rows * side->d, sizeof *point);
    float *half = il_alloc(out->centres, sizeof *half);
    struct il_top3 *near = il_top3_new(rows);
    out->centre = il_alloc(out->count * cells, sizeof *out->centre);
    enum il_status status = point && half && near && out->centre ? IL_OK : IL_ENOMEM;
    for (size_t r = 0; r < out->count && !status; r++) {
        struct il_rng rng =
            il_rng_make(frame->seed, options->stream, (uint64_t)which * SIDE_STREAM + r,
                        IL_FOR_CODEBOOK);
        const struct il_kmeans k = {.point = point,
                                    .count = rows,
                                    .d = side->d,
                                    .centres = out->centres,
                                    .centre = out->centre + r * cells,
                                    .half = half,
                                    .near = near};
        status = draw_rows(side, rows, &rng, point);
        for (size_t i = 0; i < rows * side->d && scale && !status; i++) {
            point[i] = (float)(point[i] * scale[i % side->d]);
        }
        status = status ? status : il_kmeans_run(frame, &k, options->turns, &rng);
    }
    il_free(near);
    il_free(half);
    il_free(point);
    if (status) {
        il_codebooks_free(out);
    }
    return status;
}

/* Row and column means out of a symmetric n x n matrix: H G H, H = I - 1 1' / n. */
static void centre_products(size_t n, double *g)
{
    double mean[IL_ASSIGN_MAX] = {0}, all = 0;
    for (size_t i = 0; i < n; i++) {
        for (size_t j = 0; j < n; j++) {
            mean[i] += g[i * n + j];
        }
        mean[i] /= (double)n;
        all += mean[i] / (double)n;
    }
    for (size_t i = 0; i < n * n; i++) {
        g[i] += all - (mean[i / n] + mean[i % n]);
    }
}

void il_codebook_products(const struct il_simd *simd, const struct il_codebooks *books,
                          size_t book, double *out)
{
    size_t n = books->centres, d = books->d;
    const float *centre = books->centre + book * n * d;
    double square = 0;
    for (size_t i = 0; i < n; i++) {
        for (size_t j = 0; j <= i; j++) {
            out[i * n + j] = out[j * n + i] =
                simd->dot_f32(centre + i * d, centre + j * d, d);
        }
    }
    centre_products(n, out);
    for (size_t i = 0; i < n * n; i++) {
        square += out[i] * out[i];
    }
    for (size_t i = 0; i < n * n && square > 0; i++) {
        out[i] /= sqrt(square);
    }
}

/* One codebook of A assigned to one of B. */
struct match {
    size_t a, b; /* codebooks */
    double correlation;
    double weight;
    uint32_t p[IL_ASSIGN_MAX];
};

/* What the steps share. */
struct unseeded {
    struct il_frame *frame;
    const struct il_unseeded_options *options;
    struct il_codebooks book[2];
    double *products[2]; /* of every codebook */
    struct match *match; /* all pairs of codebooks, then the best first */
    size_t matches, kept;
};

static void unseeded_close(struct unseeded *u)
{
    for (int side = 0; side < 2; side++) {
        il_codebooks_free(&u->book[side]);
        il_free(u->products[side]);
    }
    il_free(u->match);
}

/* Codebooks of a side and their products; the centres then are in the rows' coordinates
   again. */
static enum il_status open_side(struct unseeded *u, const struct il_side *side, int which)
{
    struct il_codebooks *book = &u->book[which];
    size_t n = u->options->centres, count = u->options->codebooks;
    double *scale = u->options->whiten ? il_alloc(side->d, sizeof *scale) : NULL;
    enum il_status status = scale || !u->options->whiten ? IL_OK : IL_ENOMEM;
    if (scale) {
        il_whitening(side, scale);
    }
    u->products[which] = il_alloc(count * n * n, sizeof(double));
    status = status ? status : u->products[which] ? IL_OK : IL_ENOMEM;
    status = status ? status
                    : il_codebooks_make(u->frame, side, which, scale, u->options, book);
    for (size_t r = 0; r < count && !status; r++) {
        il_codebook_products(u->frame->simd, book, r, u->products[which] + r * n * n);
    }
    for (size_t i = 0; i < count * n * side->d && scale && !status; i++) {
        book->centre[i] = (float)(book->centre[i] / scale[i % side->d]);
    }
    il_free(scale);
    return status;
}

static enum il_status unseeded_open(struct unseeded *u,
                                    const struct il_side *const side[2])
{
    u->matches = u->options->codebooks * u->options->codebooks;
    u->kept = u->options->kept < u->matches ? u->options->kept : u->matches;
    u->match = il_alloc(u->matches, sizeof *u->match);
    enum il_status status = u->match ? open_side(u, side[0], 0) : IL_ENOMEM;
    return status ? status : open_side(u, side[1], 1);
}

static void assign_task(void *context, size_t task, unsigned thread)
{
    (void)thread;
    struct unseeded *u = context;
    size_t n = u->options->centres, cells = n * n;
    struct match *m = &u->match[task];
    struct il_rng rng =
        il_rng_make(u->frame->seed, u->options->stream, task, IL_FOR_ASSIGNMENT);
    m->a = task / u->options->codebooks;
    m->b = task % u->options->codebooks;
    m->correlation = il_assign_quadratic(n, u->products[0] + m->a * cells,
                                         u->products[1] + m->b * cells,
                                         u->options->restarts, &rng, m->p);
}

/* Moves the assignments of the largest correlation to the front, the first of equals
 * first. */
static void best_first(struct unseeded *u)
{
    for (size_t i = 0; i < u->kept; i++) {
        size_t best = i;
        for (size_t j = i + 1; j < u->matches; j++) {
            if (u->match[j].correlation > u->match[best].correlation) {
                best = j;
            }
        }
        struct match found = u->match[best];
        memmove(&u->match[i + 1], &u->match[i], (best - i) * sizeof found);
        u->match[i] = found;
    }
}

/* out (centres x d) = centres of a codebook in the order of p (NULL: as they are) less
 * their mean. */
static void centred(const struct il_codebooks *books, size_t book, const uint32_t *p,
                    float *out)
{
    size_t n = books->centres, d = books->d;
    const float *centre = books->centre + book * n * d;
    for (size_t k = 0; k < d; k++) {
        double mean = 0;
        for (size_t c = 0; c < n; c++) {
            mean += centre[c * d + k];
        }
        for (size_t c = 0; c < n; c++) {
            size_t from = p ? p[c] : c;
            out[c * d + k] = (float)(centre[from * d + k] - mean / (double)n);
        }
    }
}

/* The centres of one assignment, matched and centred: what its cross-covariance is of. */
struct matched {
    float *x[2];
};

static double inner(const struct il_simd *simd, size_t n, const size_t d[2],
                    const struct matched *t, const struct matched *u)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++) {
        for (size_t j = 0; j < n; j++) {
            sum += (double)simd->dot_f32(t->x[0] + i * d[0], u->x[0] + j * d[0], d[0]) *
                   simd->dot_f32(t->x[1] + i * d[1], u->x[1] + j * d[1], d[1]);
        }
    }
    return sum;
}

struct vote {
    struct unseeded *u;
    const struct matched *matched;
    double *product; /* kept x kept: inner products of the cross-covariances */
};

/* One row of the lower triangle a task. */
static void vote_task(void *context, size_t t, unsigned thread)
{
    (void)thread;
    struct vote *v = context;
    size_t n = v->u->options->centres, kept = v->u->kept;
    const size_t d[2] = {v->u->book[0].d, v->u->book[1].d};
    for (size_t w = 0; w <= t; w++) {
        v->product[t * kept + w] = v->product[w * kept + t] =
            inner(v->u->frame->simd, n, d, &v->matched[t], &v->matched[w]);
    }
}

/* Length of a cross-covariance by its products; 0 where it is mere rounding, as of
   centres that are all equal. */
static double length_of(const double *product, size_t kept, size_t t)
{
    double top = 0, own = product[t * (kept + 1)];
    for (size_t i = 0; i < kept; i++) {
        top = product[i * (kept + 1)] > top ? product[i * (kept + 1)] : top;
    }
    return own > NOTHING * top ? sqrt(own) : 0;
}

static void cosines(const double *product, size_t kept, double *cosine)
{
    for (size_t i = 0; i < kept * kept; i++) {
        double x = length_of(product, kept, i / kept);
        double y = length_of(product, kept, i % kept);
        double value = x > 0 && y > 0 ? product[i] / x / y : 0;
        cosine[i] = value < -1 ? -1 : value > 1 ? 1 : value;
    }
}

/* Weights of the assignments by their agreement: the leading eigenvector of the cosines;
 *agreement = its value, as a share of what full agreement gives. */
static enum il_status weigh(struct unseeded *u, const struct matched *matched,
                            double *agreement)
{
    size_t kept = u->kept;
    double *product = il_alloc(kept * kept, sizeof *product);
    double *cosine = il_alloc(kept * kept, sizeof *cosine);
    double *values = il_alloc(kept, sizeof *values);
    enum il_status status = product && cosine && values ? IL_OK : IL_ENOMEM;
    if (!status) {
        struct vote vote = {u, matched, product};
        il_pool_run(u->frame->pool, kept, vote_task, &vote);
        cosines(product, kept, cosine);
        status = il_eigen_symmetric(u->frame->simd, kept, cosine, values);
    }
    double sum = 0;
    for (size_t t = 0; t < kept && !status; t++) {
        sum += cosine[t]; /* the first row is the leading eigenvector */
    }
    for (size_t t = 0; t < kept && !status; t++) {
        double length = length_of(product, kept, t);
        double weight = sum < 0 ? -cosine[t] : cosine[t];
        u->match[t].weight = weight > 0 && length > 0 ? weight / length : 0;
    }
    *agreement = status || kept == 0 ? 0 : values[0] / (double)kept;
    il_free(values);
    il_free(cosine);
    il_free(product);
    return status;
}

/* cross += weight x[0]' x[1]. */
static void add_cross(const struct il_simd *simd, size_t n, const size_t d[2],
                      const struct matched *m, double weight, double *cross, double *row)
{
    for (size_t c = 0; c < n && weight > 0; c++) {
        for (size_t j = 0; j < d[1]; j++) {
            row[j] = m->x[1][c * d[1] + j];
        }
        for (size_t i = 0; i < d[0]; i++) {
            simd->axpy_f64(weight * m->x[0][c * d[0] + i], row, cross + i * d[1], d[1]);
        }
    }
}

/* The vote, and the weighted sum. */
static enum il_status sum_cross(struct unseeded *u, double *cross, double *agreement)
{
    size_t n = u->options->centres, kept = u->kept;
    const size_t d[2] = {u->book[0].d, u->book[1].d};
    struct matched *matched = il_alloc(kept, sizeof *matched);
    float *cells = il_alloc(kept * n * (d[0] + d[1]), sizeof *cells);
    double *row = il_alloc(d[1], sizeof *row);
    enum il_status status = matched && cells && row ? IL_OK : IL_ENOMEM;
    for (size_t t = 0; t < kept && !status; t++) {
        matched[t].x[0] = cells + t * n * (d[0] + d[1]);
        matched[t].x[1] = matched[t].x[0] + n * d[0];
        centred(&u->book[0], u->match[t].a, NULL, matched[t].x[0]);
        centred(&u->book[1], u->match[t].b, u->match[t].p, matched[t].x[1]);
    }
    status = status ? status : weigh(u, matched, agreement);
    for (size_t t = 0; t < kept && !status; t++) {
        add_cross(u->frame->simd, n, d, &matched[t], u->match[t].weight, cross, row);
    }
    il_free(row);
    il_free(cells);
    il_free(matched);
    return status;
}

enum il_status il_unseeded_cross(struct il_frame *frame, const struct il_side *a,
                                 const struct il_side *b,
                                 const struct il_unseeded_options *options, double *cross,
                                 struct il_unseeded *out)
{
    struct il_unseeded_options fitting = *options;
    size_t least = a->rows < b->rows ? a->rows : b->rows;
    size_t most = least / ROWS_PER_CENTRE;
    fitting.centres = fitting.centres < most ? fitting.centres : most;
    *out = (struct il_unseeded){.centres = fitting.centres};
    memset(cross, 0, a->d * b->d * sizeof *cross);
    if (fitting.centres < IL_UNSEEDED_CENTRES_MIN) {
        return IL_OK;
    }
    IL_ASSERT(fitting.centres <= IL_ASSIGN_MAX && fitting.codebooks <= SIDE_STREAM);
    struct unseeded u = {.frame = frame, .options = &fitting};
    const struct il_side *const side[2] = {a, b};
    enum il_status status = unseeded_open(&u, side);
    if (!status) {
        il_pool_run(frame->pool, u.matches, assign_task, &u);
        best_first(&u);
        out->correlation = u.match[0].correlation;
        status = sum_cross(&u, cross, &out->agreement);
    }
    unseeded_close(&u);
    return status;
}
