/* SPDX-License-Identifier: Apache-2.0 */
/* Preparation of a side: usable rows, centre, unit length, principal axes. */
#include <math.h>
#include <string.h>

#include "src/link/frame.h"
#include "src/linalg/dense.h"

/* Rows that one task works on; also the length of the f32 chains of the covariance. */
#define BLOCK 1024

int il_frame_cancelled(const struct il_frame *frame)
{
    return frame->cancel && atomic_load_explicit(frame->cancel, memory_order_relaxed);
}

int il_frame_local(const struct il_frame *frame, size_t rows_a, size_t rows_b)
{
    return frame->scope == IL_SCOPE_LOCAL ||
           (frame->scope == IL_SCOPE_AUTO &&
            (double)rows_a * (double)rows_b > IL_LOCAL_PAIRS);
}

void il_frame_progress(const struct il_frame *frame, const char *stage, double done,
                       double total)
{
    if (frame->progress) {
        frame->progress(frame->progress_context, stage, done, total);
    }
}

void il_side_free(struct il_side *side)
{
    il_free(side->x);
    il_free(side->spectrum);
    il_free(side->mean);
    il_free(side->axes);
    il_free(side->given);
    il_free(side->skipped);
    memset(side, 0, sizeof *side);
}

int il_row_unit(float *x, size_t d)
{
    double top = 0;
    for (size_t k = 0; k < d; k++) {
        if (!isfinite(x[k])) {
            return 0;
        }
        top = fabs((double)x[k]) > top ? fabs((double)x[k]) : top;
    }
    if (!(top > 0)) {
        return 0;
    }
    double sum = 0;
    for (size_t k = 0; k < d; k++) {
        double t = x[k] / top;
        sum += t * t;
    }
    double scale = 1 / sqrt(sum);
    for (size_t k = 0; k < d; k++) {
        x[k] = (float)(x[k] / top * scale);
    }
    return 1;
}

/* Copies the usable rows, each of length 1, and lists the others. */
static enum il_status take_rows(const struct il_matrix *m, struct il_side *out)
{
    out->dim = out->d = m->dim;
    out->x = il_alloc(m->rows * m->dim, sizeof *out->x);
    out->given = il_alloc(m->rows, sizeof *out->given);
    out->skipped = il_alloc(m->rows, sizeof *out->skipped);
    if (!out->x || !out->given || !out->skipped) {
        return IL_ENOMEM;
    }
    for (size_t i = 0; i < m->rows; i++) {
        float *row = out->x + out->rows * m->dim;
        if (i % IL_LOOK_ROWS == 0) {
            il_large_look();
        }
        il_matrix_to_f32(m, i, 1, row, m->dim);
        if (il_row_unit(row, m->dim)) {
            out->given[out->rows++] = (uint32_t)i;
        } else {
            out->skipped[out->skipped_count++] = i;
        }
    }
    return IL_OK;
}

/* Unit rows less their mean, unit again. */
static void centre_block(const struct il_simd *simd, const float *mean, size_t d,
                         float *x, size_t count)
{
    for (size_t u = 0; u < count; u++) {
        simd->axpy_f32(-1, mean, x + u * d, d);
    }
    simd->normalise_f32(x, count, d, d);
}

static enum il_status centre_rows(const struct il_simd *simd, struct il_side *side)
{
    size_t d = side->d;
    double *mean = il_alloc_zero(d, sizeof *mean);
    side->mean = il_alloc(d, sizeof *side->mean);
    if (!mean || !side->mean) {
        il_free(mean);
        return IL_ENOMEM;
    }
    for (size_t i = 0; i < side->rows; i++) {
        if (i % IL_LOOK_ROWS == 0) {
            il_large_look();
        }
        for (size_t k = 0; k < d; k++) {
            mean[k] += side->x[i * d + k];
        }
    }
    for (size_t k = 0; k < d; k++) {
        side->mean[k] = side->rows ? (float)(mean[k] / (double)side->rows) : 0;
    }
    for (size_t i = 0; i < side->rows; i += BLOCK) {
        size_t last = i + BLOCK < side->rows ? i + BLOCK : side->rows;
        centre_block(simd, side->mean, d, side->x + i * d, last - i);
        il_large_look();
    }
    il_free(mean);
    return IL_OK;
}

/* One stripe of axes of the covariance a task. */
struct covariance {
    const struct il_simd *simd;
    const struct il_side *side;
    size_t stripe;
    double *out;
    atomic_int status;
};

static void covariance_stripe(void *context, size_t task, unsigned thread)
{
    (void)thread;
    struct covariance *c = context;
    const struct il_side *side = c->side;
    size_t d = side->d, first = task * c->stripe;
    size_t width = d - first < c->stripe ? d - first : c->stripe;
    const struct il_gather a = {side->x + first, width, d, 0};
    const struct il_gather b = {side->x, d, d, 0};
    enum il_status status =
        il_cross_add(c->simd, a, b, NULL, side->rows, c->out + first * d);
    if (status) {
        atomic_store(&c->status, status);
    }
}

enum il_status il_covariance(struct il_frame *frame, const struct il_side *side,
                             double *out)
{
    memset(out, 0, side->d * side->d * sizeof *out);
    size_t stripe = 4 * frame->simd->mr;
    struct covariance c = {frame->simd, side, stripe, out, 0};
    il_pool_run(frame->pool, (side->d + stripe - 1) / stripe, covariance_stripe, &c);
    frame->multiply_adds += (double)side->rows * (double)side->d * (double)side->d;
    return (enum il_status)atomic_load(&c.status);
}

/* Replaces the rows by their coordinates on the first columns principal axes. */
static enum il_status rotate(struct il_frame *frame, struct il_side *side, size_t columns)
{
    size_t d = side->d;
    double *axes = il_alloc(d * d, sizeof *axes);
    double *map = il_alloc(d * columns, sizeof *map);
    float *rotated = il_alloc(side->rows * columns, sizeof *rotated);
    float *packed = NULL;
    side->spectrum = il_alloc(d, sizeof *side->spectrum);
    side->axes = il_alloc(d * columns, sizeof *side->axes);
    enum il_status status = IL_ENOMEM;
    if (!axes || !map || !rotated || !side->spectrum || !side->axes) {
        goto out;
    }
    status = il_covariance(frame, side, axes);
    status = status ? status : il_eigen_symmetric(frame->simd, d, axes, side->spectrum);
    if (status) {
        goto out;
    }
    for (size_t i = 0; i < d; i++) {
        side->spectrum[i] /= side->rows ? (double)side->rows : 1;
        for (size_t k = 0; k < columns; k++) {
            map[i * columns + k] = axes[k * d + i];
            side->axes[i * columns + k] = (float)axes[k * d + i];
        }
    }
    packed = il_map_pack(frame->simd, map, d, columns);
    status = packed ? IL_OK : IL_ENOMEM;
    const struct il_part part = {side->x, d, packed, columns, 0};
    status = status ? status : il_map_rows(frame, &part, NULL, side->rows, rotated);
    if (!status) {
        il_free(side->x);
        side->x = rotated;
        side->d = columns;
        rotated = NULL;
    }
out:
    il_free(packed);
    il_free(rotated);
    il_free(map);
    il_free(axes);
    return status;
}

enum il_status il_side_prepare(struct il_frame *frame, const struct il_matrix *m,
                               const struct il_side_options *options, struct il_side *out)
{
    memset(out, 0, sizeof *out);
    enum il_status status = take_rows(m, out);
    if (!status && options->centre) {
        status = centre_rows(frame->simd, out);
    }
    if (!status && options->rotate) {
        size_t columns = m->dim < options->columns_max ? m->dim : options->columns_max;
        status = rotate(frame, out, columns);
    }
    if (status) {
        il_side_free(out);
    }
    return status;
}

enum il_status il_axes_apply(struct il_frame *frame, const struct il_axes *axes,
                             const float *rows, size_t count, float *x, uint32_t *place,
                             size_t *kept)
{
    size_t dim = axes->dim;
    float *unit = il_alloc(count * dim, sizeof *unit);
    *kept = 0;
    if (!unit) {
        return IL_ENOMEM;
    }
    for (size_t i = 0; i < count; i++) {
        float *to = unit + *kept * dim;
        memcpy(to, rows + i * dim, dim * sizeof *to);
        place[i] = il_row_unit(to, dim) ? (uint32_t)(*kept)++ : IL_INDEX_NONE;
    }
    centre_block(frame->simd, axes->mean, dim, unit, *kept);
    const struct il_part part = {unit, dim, axes->packed, axes->d, 0};
    enum il_status status = il_map_rows(frame, &part, NULL, *kept, x);
    il_free(unit);
    return status;
}

uint32_t il_side_find(const struct il_side *side, uint64_t row)
{
    size_t low = 0, high = side->rows;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (side->given[middle] < row) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low < side->rows && side->given[low] == row ? (uint32_t)low : UINT32_MAX;
}
