/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `cca`: canonical correlation analysis of the seeds (Hotelling 1936), regularised (Vinod
 * 1976); for embeddings Faruqui and Dyer 2014.
 *
 * X, Y: the seeds' rows, k x d_a and k x d_b, sides centred, unit rows, on at most 256
 * principal axes. S_x = X'X / k is drawn to a multiple of the identity by the shrinkage
 * of Ledoit and Wolf (2004): S = (1 - p) S_x + p m I with m = tr S_x / d and p = min(1,
 * sum_i |x_i x_i' - S_x|_F^2 / (k^2 |S_x - m I|_F^2)), so that few seeds are trusted
 * little; likewise S_y. From S^(-1/2) (X'Y / k) T^(-1/2) = U R V' the coordinates of a
 * row are (U' S^(-1/2) x) R^(1/2) and (V' T^(-1/2) y) R^(1/2): the means of the latent
 * variable given either row, in the probabilistic reading of Bach and Jordan (2005). The
 * correlations R weigh the components, so none has to be cut off. A pair scores the
 * cosine of both.
 */
#include <math.h>
#include <string.h>

#include "src/link/seeded.h"
#include "src/linalg/dense.h"

/* Correlations below this share of the first are noise of f32 sums. */
#define RANK_FLOOR 1e-6

/* One side: axes of its seeds' covariance, one a row, and the S^(-1/2) along them. */
struct whitening {
    size_t d;
    double *axes, *factor;
};

static void whitening_free(struct whitening *w)
{
    il_free(w->axes);
    il_free(w->factor);
}

/* p of Ledoit and Wolf. fourth: the sum of |x_i|^4; |x x' - S|^2 sums to it less
   k |S|^2. */
static double shrinkage(const double *s, size_t d, size_t count, double fourth)
{
    double square = 0, trace = 0;
    for (size_t i = 0; i < d * d; i++) {
        square += s[i] * s[i];
    }
    for (size_t i = 0; i < d; i++) {
        trace += s[i * d + i];
    }
    double k = (double)count, apart = square - trace * trace / (double)d;
    double error = (fourth - k * square) / (k * k);
    return error < apart ? (error > 0 ? error / apart : 0) : 1;
}

/* IL_EBOOTSTRAP: the seeds' rows are all 0. */
static enum il_status whitening_fit(struct il_frame *frame, const struct il_side *a,
                                    const struct il_side *b,
                                    const struct il_anchor *seeds, size_t count, int pick,
                                    struct whitening *w)
{
    const struct il_side *side = pick ? b : a;
    size_t d = side->d;
    double fourth = 0, mean = 0;
    *w = (struct whitening){.d = d};
    w->axes = il_alloc(d * d, sizeof *w->axes);
    w->factor = il_alloc(d, sizeof *w->factor);
    enum il_status status = w->axes && w->factor ? IL_OK : IL_ENOMEM;
    status = status ? status : il_seed_products(frame, a, b, seeds, count, pick, w->axes);
    for (size_t i = 0; i < count && !status; i++) {
        const float *x = side->x + (pick ? seeds[i].b : seeds[i].a) * d;
        double square = (double)frame->simd->dot_f32(x, x, d);
        fourth += square * square;
    }
    for (size_t i = 0; i < d * d && !status; i++) {
        w->axes[i] /= (double)count;
        mean += i % (d + 1) ? 0 : w->axes[i] / (double)d;
    }
    double p = status ? 0 : shrinkage(w->axes, d, count, fourth);
    status = status || mean > 0 ? status : IL_EBOOTSTRAP;
    status = status ? status : il_eigen_symmetric(frame->simd, d, w->axes, w->factor);
    for (size_t j = 0; j < d && !status; j++) {
        double value = w->factor[j] > 0 ? w->factor[j] : 0;
        double drawn = (1 - p) * value + p * mean;
        /* Without shrinkage a direction that no seed has is left out. */
        w->factor[j] = drawn > RANK_FLOOR * mean ? 1 / sqrt(drawn) : 0;
    }
    return status;
}

/* M = S^(-1/2) (X'Y / k) T^(-1/2) on the axes of both sides; the side of fewer
   coordinates has the rows. */
static enum il_status correlations(struct il_frame *frame, const struct il_side *a,
                                   const struct il_side *b, const struct il_anchor *seeds,
                                   size_t count, const struct whitening w[2], double *out)
{
    const struct il_simd *simd = frame->simd;
    size_t da = a->d, db = b->d;
    double *cross = il_alloc(da * db, sizeof *cross);
    double *row = il_alloc(db, sizeof *row);
    enum il_status status = cross && row ? IL_OK : IL_ENOMEM;
    status = status ? status : il_seed_products(frame, a, b, seeds, count, 2, cross);
    for (size_t i = 0; i < da && !status; i++) {
        memset(row, 0, db * sizeof *row);
        for (size_t q = 0; q < da; q++) {
            simd->axpy_f64(w[0].axes[i * da + q] * w[0].factor[i] / (double)count,
                           cross + q * db, row, db);
        }
        for (size_t j = 0; j < db; j++) {
            out[da < db ? i * db + j : j * da + i] =
                w[1].factor[j] * simd->dot_f64(row, w[1].axes + j * db, db);
        }
    }
    il_free(row);
    il_free(cross);
    return status;
}

/* Signs the rows of a side: k vectors on its axes, one a row, weighed. */
static enum il_status sign_side(struct il_frame *frame, const struct il_side *side,
                                const struct whitening *w, const double *vectors,
                                const double *values, size_t k, float *out)
{
    size_t d = side->d;
    double *map = il_alloc_zero(k * d, sizeof *map);
    float *packed = NULL;
    for (size_t q = 0; q < k && map; q++) {
        for (size_t j = 0; j < d; j++) {
            double weight = vectors[q * d + j] * w->factor[j] * sqrt(values[q]);
            frame->simd->axpy_f64(weight, w->axes + j * d, map + q * d, d);
        }
    }
    packed = map ? il_vectors_pack(frame->simd, map, d, k) : NULL;
    enum il_status status = packed ? IL_OK : IL_ENOMEM;
    if (!status) {
        const struct il_part part = {side->x, d, packed, k, 0};
        status = il_map_rows(frame, &part, NULL, side->rows, out);
    }
    il_free(packed);
    il_free(map);
    return status;
}

static enum il_status components(struct il_frame *frame, const struct il_side *a,
                                 const struct il_side *b, const struct il_anchor *seeds,
                                 size_t count, const struct whitening w[2],
                                 struct il_space *space)
{
    size_t da = a->d, db = b->d, n = da < db ? da : db, m = da < db ? db : da;
    const struct il_svd_options options = {.rank = count < n ? count : n,
                                           .floor = RANK_FLOOR};
    double *c = il_alloc(da * db, sizeof *c), *work = il_alloc(n * n + n, sizeof *work);
    double *left = il_alloc(options.rank * n, sizeof *left);
    double *right = il_alloc(options.rank * m, sizeof *right);
    double *values = il_alloc(options.rank, sizeof *values);
    size_t k = 0;
    enum il_status status = c && work && left && right && values ? IL_OK : IL_ENOMEM;
    status = status ? status : correlations(frame, a, b, seeds, count, w, c);
    if (!status) {
        k = il_svd(frame->simd, n, m, c, &options, work, left, right, values, &status);
        status = status || k ? status : IL_EBOOTSTRAP;
    }
    status = status ? status : il_space_take(space, 0, a->rows, k);
    status = status ? status : il_space_take(space, 1, b->rows, k);
    status = status ? status
                    : sign_side(frame, a, &w[0], da < db ? left : right, values, k,
                                space->x[0]);
    status = status ? status
                    : sign_side(frame, b, &w[1], da < db ? right : left, values, k,
                                space->x[1]);
    il_free(values);
    il_free(right);
    il_free(left);
    il_free(work);
    il_free(c);
    return status;
}

static enum il_status embed(struct il_frame *frame, const struct il_side *a,
                            const struct il_side *b, const struct il_anchor *seeds,
                            size_t count, struct il_space *space)
{
    struct whitening w[2] = {{0}, {0}};
    enum il_status status = whitening_fit(frame, a, b, seeds, count, 0, &w[0]);
    status = status ? status : whitening_fit(frame, a, b, seeds, count, 1, &w[1]);
    status = status ? status : components(frame, a, b, seeds, count, w, space);
    whitening_free(&w[1]);
    whitening_free(&w[0]);
    return status;
}

enum il_status il_cca(struct il_method_job *job, const struct il_side *a,
                      const struct il_side *b)
{
    const struct il_seeded_options options = {.embed = embed};
    return il_seeded_run(job, a, b, &options);
}
