/* SPDX-License-Identifier: Apache-2.0 */
/* The matrix of products of the centred rows is summed in batches: within a batch as the
   chains of gemm_f32, the batches in f64 in their order. Every element is summed by one
   thread, so the number of threads changes nothing. */
#include "src/linalg/pca.h"

#include "simd/simd.h"
#include "src/linalg/dense.h"

#include <math.h>
#include <string.h>

/* Rows of a batch: short enough for f32 chains, long enough that adding them up in f64
   costs little. */
#define BATCH 512u
/* Rows of the matrix that one task sums: a multiple of every mr and nr. */
#define STRIPE 96u
/* Room for a vector that ends the last panel. */
#define PANEL_MAX 64u

struct pca {
    const struct il_simd *simd;
    struct il_pool *pool;
    size_t rows, dim, ld;
    const float *x, *mean;
    size_t first, batch; /* rows of the batch */
    float *a, *b;        /* the batch, centred, in panels of mr and of nr coordinates */
    float *c;            /* dim x dim: products of the batch */
    double *sum;         /* dim x dim, the upper triangle */
};

static void run(struct il_pool *pool, size_t tasks, il_task_fn *fn, void *context)
{
    if (pool) {
        il_pool_run(pool, tasks, fn, context);
        return;
    }
    for (size_t task = 0; task < tasks; task++)
        fn(context, task, 0);
}

/* One panel of the transposed batch: w coordinates of every row, less the mean. */
static void pack_panel(const struct pca *p, size_t w, size_t panel, float *out)
{
    const size_t from = panel * w;
    const size_t count = p->dim - from < w ? p->dim - from : w;
    const float *mean = p->mean + from;
    for (size_t i = 0; i < p->batch; i++, out += w) {
        const float *row = p->x + (p->first + i) * p->ld + from;
        for (size_t q = 0; q < count; q++)
            out[q] = row[q] - mean[q];
        memset(out + count, 0, (w - count) * sizeof(*out));
    }
}

static void pack_task(void *context, size_t task, unsigned thread)
{
    const struct pca *p = context;
    const size_t mr = p->simd->mr, nr = p->simd->nr, panels = (p->dim + mr - 1) / mr;
    (void)thread;
    if (task < panels)
        pack_panel(p, mr, task, p->a + task * mr * p->batch);
    else
        pack_panel(p, nr, task - panels, p->b + (task - panels) * nr * p->batch);
}

/* Products of a stripe of coordinates with all from its first on. */
static void sum_task(void *context, size_t task, unsigned thread)
{
    const struct pca *p = context;
    const size_t dim = p->dim, first = task * STRIPE;
    const size_t rows = dim - first < STRIPE ? dim - first : STRIPE;
    (void)thread;
    p->simd->gemm_f32(rows, dim - first, p->batch, p->a + first * p->batch,
                      p->b + first * p->batch, p->c + first * dim + first, dim, 0);
    for (size_t i = first; i < first + rows; i++) {
        const float *c = p->c + i * dim;
        double *sum = p->sum + i * dim;
        for (size_t j = i; j < dim; j++)
            sum[j] += (double)c[j];
    }
}

/* Means in f64, the rows in their order. IL_EARG: not finite, or so large that squares
   would not be. */
static enum il_status find_mean(const struct pca *p, double *sum, float *mean,
                                struct il_error *error)
{
    memset(sum, 0, p->dim * sizeof(*sum));
    for (size_t i = 0; i < p->rows; i++) {
        const float *row = p->x + i * p->ld;
        if (i % IL_LOOK_ROWS == 0)
            il_large_look();
        float length2 = p->simd->dot_f32(row, row, p->dim);
        if (!isfinite(length2))
            return il_fail(error, IL_EARG,
                           "principal axes: row %zu of the sample is not finite or its "
                           "values are too large",
                           i);
        for (size_t q = 0; q < p->dim; q++)
            sum[q] += (double)row[q];
    }
    for (size_t q = 0; q < p->dim; q++)
        mean[q] = (float)(sum[q] / (double)p->rows);
    return IL_OK;
}

static void sum_batches(struct pca *p)
{
    const size_t dim = p->dim, mr = p->simd->mr, nr = p->simd->nr;
    const size_t panels = (dim + mr - 1) / mr + (dim + nr - 1) / nr;
    for (p->first = 0; p->first < p->rows; p->first += p->batch) {
        p->batch = p->rows - p->first < BATCH ? p->rows - p->first : BATCH;
        run(p->pool, panels, pack_task, p);
        run(p->pool, (dim + STRIPE - 1) / STRIPE, sum_task, p);
    }
    for (size_t i = 0; i < dim; i++)
        for (size_t j = 0; j < i; j++)
            p->sum[i * dim + j] = p->sum[j * dim + i];
}

/* The axes, rounded once, and what they explain. */
static void give_axes(const struct pca *p, const double *values, size_t keep,
                      float *basis, double *share)
{
    double all = 0, kept = 0;
    for (size_t i = 0; i < p->dim; i++) {
        /* Rounding may leave them just below zero. */
        double value = fmax(values[i], 0);
        all += value;
        kept += i < keep ? value : 0;
    }
    *share = all > 0 ? kept / all : 1;
    for (size_t i = 0; i < keep * p->dim; i++)
        basis[i] = (float)p->sum[i];
}

static enum il_status check_sizes(size_t rows, size_t dim, size_t keep,
                                  struct il_error *error)
{
    if (dim > IL_PCA_DIM_MAX)
        return il_fail(error, IL_ELIMIT,
                       "principal axes: rows of %zu coordinates, wanted at most %u", dim,
                       IL_PCA_DIM_MAX);
    if (rows == 0 || keep == 0 || keep > dim)
        return il_fail(error, IL_EARG,
                       "principal axes: %zu axes of %zu rows of %zu coordinates, wanted "
                       "at least one and as many as coordinates at most",
                       keep, rows, dim);
    return IL_OK;
}

uint64_t il_pca_bytes(size_t dim)
{
    const uint64_t square = (uint64_t)dim * dim;
    uint64_t batches = 2 * (uint64_t)(dim + PANEL_MAX) * BATCH * sizeof(float) +
                       square * (sizeof(float) + sizeof(double));
    /* The matrix, which becomes the axes, and what il_eigen_symmetric takes. */
    uint64_t axes = 2 * square * sizeof(double) + 7 * (uint64_t)dim * sizeof(double);
    return batches > axes ? batches : axes;
}

enum il_status il_pca_fit(struct il_pool *pool, size_t rows, size_t dim, size_t ld,
                          const float *x, size_t keep, float *mean, float *basis,
                          double *share, struct il_error *error)
{
    enum il_status status = check_sizes(rows, dim, keep, error);
    if (status != IL_OK)
        return status;
    struct pca p = {.simd = il_simd(),
                    .pool = pool,
                    .rows = rows,
                    .dim = dim,
                    .ld = ld,
                    .x = x,
                    .mean = mean,
                    .a = il_alloc((dim + PANEL_MAX) * BATCH, sizeof(float)),
                    .b = il_alloc((dim + PANEL_MAX) * BATCH, sizeof(float)),
                    .c = il_alloc(dim * dim, sizeof(float)),
                    .sum = il_alloc_zero(dim * dim, sizeof(double))};
    double *values = il_alloc(dim, sizeof(*values));
    IL_ASSERT(p.simd->mr <= PANEL_MAX && p.simd->nr <= PANEL_MAX);
    IL_ASSERT(STRIPE % p.simd->mr == 0 && STRIPE % p.simd->nr == 0);
    if (!p.a || !p.b || !p.c || !p.sum || !values)
        status = IL_ENOMEM;
    else
        status = find_mean(&p, values, mean, error);
    if (status == IL_OK) {
        sum_batches(&p);
        /* Room that the factorisation can use. */
        il_free(p.a);
        il_free(p.b);
        il_free(p.c);
        p.a = p.b = p.c = NULL;
        status = il_eigen_symmetric(p.simd, dim, p.sum, values);
        if (status == IL_EARG)
            il_fail(error, status, "principal axes: the sample's values are too large");
    }
    if (status == IL_OK)
        give_axes(&p, values, keep, basis, share);
    if (status == IL_ENOMEM)
        il_fail(error, status, "principal axes: no memory for %zu coordinates", dim);
    il_free(p.a);
    il_free(p.b);
    il_free(p.c);
    il_free(p.sum);
    il_free(values);
    return status;
}
