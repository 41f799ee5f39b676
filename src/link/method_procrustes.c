/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `procrustes`: the orthogonal map that brings the seeds of A nearest to those of B
 * (Schoenemann 1966; for embeddings Xing et al. 2015, Smith et al. 2017).
 *
 * X, Y: the seeds' rows, k x d_a and k x d_b, sides centred, unit rows, on at most 256
 * principal axes, the narrower side thought to be padded by zeros. X'Y = U S V';
 * W = U V' minimises |X W - Y|_F over the orthogonal maps; a pair scores cos(x W, y),
 * here as cos(U'x, V'y). Where k seeds span fewer directions than there are, W is free on
 * the rest: every choice there is a minimiser, and noise. The singular vectors of 0 are
 * left out, so that rows are compared along the directions that the seeds determine.
 *
 * Error bound, after "When Embedding Models Meet: Procrustes Bounds and Applications"
 * (Maystre et al. 2025, arXiv 2510.13406), which shows that an orthogonal map fits well
 * wherever both sides have nearly the same inner products. What is printed is derived
 * here. With G = X X' and H = Y Y', |X'Y|_* = |G^(1/2) H^(1/2)|_* >= tr G^(1/2) H^(1/2),
 * so min_W |X W - Y|_F^2 = tr G + tr H - 2 |X'Y|_* <= |G^(1/2) - H^(1/2)|_F^2
 *                        <= |G - H|_* <= sqrt(r) |G - H|_F,
 * the second step by Powers and Stoermer (1970), r = min(k, d_a + d_b) >= rank of G - H.
 * fit_error is the left, fit_bound the right side, each divided by k and under a root:
 * the root mean square distance of a seed's image from its partner, both of length 1. It
 * holds for the seeds, on which W was fitted, and for no other row.
 */
#include <math.h>
#include <string.h>

#include "src/link/seeded.h"
#include "src/linalg/dense.h"

/* Singular values below this share of the first are noise of f32 sums. */
#define RANK_FLOOR 1e-6
/* Seeds that the bound is computed for, at most: all pairs of them are compared. */
#define BOUND_SEEDS_MAX 2048

/* Singular vectors of the seeds' cross-covariance, one a row: left of A, right of B. */
struct svd {
    double *left, *right, *values;
    size_t rank;
};

static void svd_free(struct svd *svd)
{
    il_free(svd->left);
    il_free(svd->right);
    il_free(svd->values);
}

static enum il_status svd_fit(struct il_frame *frame, const struct il_side *a,
                              const struct il_side *b, const struct il_anchor *seeds,
                              size_t count, struct svd *out)
{
    size_t da = a->d, db = b->d, n = da < db ? da : db, m = da < db ? db : da;
    const struct il_svd_options options = {.rank = count < n ? count : n,
                                           .floor = RANK_FLOOR};
    double *sum = il_alloc(da * db, sizeof *sum), *c = il_alloc(da * db, sizeof *c);
    double *work = il_alloc(n * n + n, sizeof *work);
    memset(out, 0, sizeof *out);
    out->left = il_alloc(options.rank * da, sizeof *out->left);
    out->right = il_alloc(options.rank * db, sizeof *out->right);
    out->values = il_alloc(options.rank, sizeof *out->values);
    enum il_status status =
        sum && c && work && out->left && out->right && out->values ? IL_OK : IL_ENOMEM;
    status = status ? status : il_seed_products(frame, a, b, seeds, count, 2, sum);
    if (!status) {
        for (size_t i = 0; i < da * db; i++) {
            c[da < db ? i : i % db * da + i / db] = sum[i];
        }
        out->rank =
            il_svd(frame->simd, n, m, c, &options, work, da < db ? out->left : out->right,
                   da < db ? out->right : out->left, out->values, &status);
    }
    il_free(work);
    il_free(c);
    il_free(sum);
    return status ? status : out->rank ? IL_OK : IL_EBOOTSTRAP;
}

/* Signs the rows of a side along the singular vectors of it, one a row. */
static enum il_status sign_side(struct il_frame *frame, const struct il_side *side,
                                const double *vectors, size_t rank, float *out)
{
    float *packed = il_vectors_pack(frame->simd, vectors, side->d, rank);
    const struct il_part part = {side->x, side->d, packed, rank, 0};
    enum il_status status =
        packed ? il_map_rows(frame, &part, NULL, side->rows, out) : IL_ENOMEM;
    il_free(packed);
    return status;
}

enum il_status il_procrustes_embed(struct il_frame *frame, const struct il_side *a,
                                   const struct il_side *b, const struct il_anchor *seeds,
                                   size_t count, struct il_space *space)
{
    struct svd svd;
    enum il_status status = svd_fit(frame, a, b, seeds, count, &svd);
    status = status ? status : il_space_take(space, 0, a->rows, svd.rank);
    status = status ? status : il_space_take(space, 1, b->rows, svd.rank);
    status = status ? status : sign_side(frame, a, svd.left, svd.rank, space->x[0]);
    status = status ? status : sign_side(frame, b, svd.right, svd.rank, space->x[1]);
    svd_free(&svd);
    return status;
}

/* |G - H|_F^2: the inner products of every two seeds, on either side. x: the seeds' rows
   of A, then of B. */
static double products_apart(const struct il_simd *simd, const double *x, size_t count,
                             size_t da, size_t db)
{
    const double *y = x + count * da;
    double sum = 0;
    for (size_t i = 0; i < count; i++) {
        for (size_t j = 0; j <= i; j++) {
            double apart = simd->dot_f64(x + i * da, x + j * da, da) -
                           simd->dot_f64(y + i * db, y + j * db, db);
            sum += (i == j ? 1 : 2) * apart * apart;
        }
    }
    return sum;
}

enum il_status il_procrustes_bound(struct il_method_job *job, const struct il_side *a,
                                   const struct il_side *b)
{
    size_t count = job->seed_count, da = a->d, db = b->d;
    size_t rank = count < da + db ? count : da + db;
    struct svd svd = {0};
    if (count > BOUND_SEEDS_MAX) {
        return IL_OK;
    }
    double *x = il_alloc(count * (da + db), sizeof *x), lengths = 0;
    enum il_status status = x ? IL_OK : IL_ENOMEM;
    for (size_t i = 0; i < count && !status; i++) {
        for (size_t k = 0; k < da; k++) {
            x[i * da + k] = a->x[job->seeds[i].a * da + k];
        }
        for (size_t k = 0; k < db; k++) {
            x[count * da + i * db + k] = b->x[job->seeds[i].b * db + k];
        }
    }
    status = status ? status : svd_fit(job->frame, a, b, job->seeds, count, &svd);
    if (!status) {
        lengths = job->frame->simd->dot_f64(x, x, count * (da + db));
        for (size_t q = 0; q < svd.rank; q++) {
            lengths -= 2 * svd.values[q];
        }
        double apart = products_apart(job->frame->simd, x, count, da, db);
        job->report->fit_error = sqrt(lengths > 0 ? lengths / (double)count : 0);
        job->report->fit_bound = sqrt(sqrt((double)rank * apart) / (double)count);
    }
    svd_free(&svd);
    il_free(x);
    return status;
}

enum il_status il_procrustes(struct il_method_job *job, const struct il_side *a,
                             const struct il_side *b)
{
    const struct il_seeded_options options = {.embed = il_procrustes_embed};
    enum il_status status = il_seeded_run(job, a, b, &options);
    return status ? status : il_procrustes_bound(job, a, b);
}
