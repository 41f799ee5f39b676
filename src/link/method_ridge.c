/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `ridge`: the linear map from A to B by ridge regression on the seeds (Hoerl and Kennard
 * 1970; a linear map between embeddings: Mikolov et al. 2013, arXiv 1309.4168).
 *
 * X, Y: the seeds' rows, k x d_a and k x d_b, sides centred, unit rows, on at most 256
 * principal axes. W = (X'X + lambda I)^-1 X'Y; a pair scores cos(x W, y). lambda
 * minimises the generalised cross-validation of Golub, Heath and Wahba (1979),
 *     GCV(lambda) = |Y - X W|_F^2 / (1 - df / k)^2, df = sum_j l_j / (l_j + lambda),
 * over 17 powers of two around the mean eigenvalue l of X'X. With X'X = V L V' and
 * D = V' X'Y both parts are sums over j:
 *     |Y - X W|^2 = |Y|^2 - sum_j |D_j|^2 (2 / (l_j + lambda) - l_j / (l_j + lambda)^2).
 */
#include <math.h>
#include <string.h>

#include "src/link/seeded.h"
#include "src/linalg/dense.h"

/* lambda = 2^e times the mean eigenvalue, -STEPS <= e <= STEPS: below, the f32 sums of
   |Y - X W|^2 would drown in rounding; above, all images are alike. */
#define STEPS 8

/* Sums over the seeds. Row j of axes is the eigenvector of X'X of values[j], of turned it
   is D_j. */
struct fit {
    size_t da, db, count;
    double *axes, *values, *turned, *cross, *square;
    double length; /* |Y|^2 */
};

static void fit_free(struct fit *f)
{
    il_free(f->axes);
    il_free(f->values);
    il_free(f->turned);
    il_free(f->cross);
    il_free(f->square);
}

static enum il_status fit_open(struct il_frame *frame, const struct il_side *a,
                               const struct il_side *b, const struct il_anchor *seeds,
                               size_t count, struct fit *f)
{
    const struct il_simd *simd = frame->simd;
    size_t da = a->d, db = b->d;
    *f = (struct fit){.da = da, .db = db, .count = count};
    f->axes = il_alloc(da * da, sizeof *f->axes);
    f->values = il_alloc(da, sizeof *f->values);
    f->turned = il_alloc_zero(da * db, sizeof *f->turned);
    f->cross = il_alloc(da * db, sizeof *f->cross);
    f->square = il_alloc(da, sizeof *f->square);
    if (!f->axes || !f->values || !f->turned || !f->cross || !f->square) {
        return IL_ENOMEM;
    }
    enum il_status status = il_seed_products(frame, a, b, seeds, count, 0, f->axes);
    status = status ? status : il_seed_products(frame, a, b, seeds, count, 2, f->cross);
    status = status ? status : il_eigen_symmetric(simd, da, f->axes, f->values);
    for (size_t j = 0; j < da && !status; j++) {
        double *row = f->turned + j * db;
        for (size_t i = 0; i < da; i++) {
            simd->axpy_f64(f->axes[j * da + i], f->cross + i * db, row, db);
        }
        f->square[j] = simd->dot_f64(row, row, db);
        f->values[j] = f->values[j] > 0 ? f->values[j] : 0;
    }
    for (size_t i = 0; i < count && !status; i++) {
        const float *y = b->x + seeds[i].b * db;
        f->length += (double)simd->dot_f32(y, y, db);
    }
    return status;
}

static double cross_validation(const struct fit *f, double lambda)
{
    double rest = f->length, freedom = 0;
    for (size_t j = 0; j < f->da; j++) {
        double l = f->values[j], inverse = 1 / (l + lambda);
        rest -= f->square[j] * inverse * (2 - l * inverse);
        freedom += l * inverse;
    }
    double left = 1 - freedom / (double)f->count;
    return rest / (left * left);
}

/* 0: the seeds' rows are all 0. */
static double choose_lambda(const struct fit *f)
{
    size_t rank = f->count < f->da ? f->count : f->da;
    double trace = 0, best = INFINITY, lambda = 0;
    for (size_t j = 0; j < f->da; j++) {
        trace += f->values[j];
    }
    double tried = trace / (double)rank / (double)(1 << STEPS);
    for (int e = -STEPS; e <= STEPS && tried > 0; e++) {
        double now = cross_validation(f, tried);
        if (now < best) {
            best = now;
            lambda = tried;
        }
        tried *= 2;
    }
    return lambda;
}

static enum il_status embed(struct il_frame *frame, const struct il_side *a,
                            const struct il_side *b, const struct il_anchor *seeds,
                            size_t count, struct il_space *space)
{
    struct fit f;
    float *packed = NULL;
    enum il_status status = fit_open(frame, a, b, seeds, count, &f);
    double lambda = status ? 0 : choose_lambda(&f);
    status = status || lambda > 0 ? status : IL_EBOOTSTRAP;
    if (!status) {
        double *w = f.cross;
        memset(w, 0, a->d * b->d * sizeof *w);
        for (size_t j = 0; j < a->d; j++) {
            double inverse = 1 / (f.values[j] + lambda);
            for (size_t i = 0; i < a->d; i++) {
                frame->simd->axpy_f64(f.axes[j * a->d + i] * inverse, f.turned + j * b->d,
                                      w + i * b->d, b->d);
            }
        }
        packed = il_map_pack(frame->simd, w, a->d, b->d);
        status = packed ? il_space_take(space, 0, a->rows, b->d) : IL_ENOMEM;
    }
    if (!status) {
        const struct il_part part = {a->x, a->d, packed, b->d, 0};
        space->x[1] = b->x;
        status = il_map_rows(frame, &part, NULL, a->rows, space->x[0]);
    }
    il_free(packed);
    fit_free(&f);
    return status;
}

enum il_status il_ridge(struct il_method_job *job, const struct il_side *a,
                        const struct il_side *b)
{
    const struct il_seeded_options options = {.embed = embed};
    return il_seeded_run(job, a, b, &options);
}
