/* SPDX-License-Identifier: Apache-2.0 */
/* Images of prepared rows, and the way back to rows as they are given. */
#include <math.h>
#include <string.h>

#include "src/link/mapping.h"

/* Nearest fitted rows that evidence is taken from. */
#define NEAR 2

enum il_status il_image_open(struct il_image *out, struct il_frame *frame,
                             const float *matrix, const float *centre, size_t pieces,
                             size_t d, size_t k, double width)
{
    *out = (struct il_image){
        .d = d, .k = k, .pieces = pieces, .centre = centre, .width = width};
    double *wide = il_alloc(d * k, sizeof *wide);
    out->half = il_alloc(pieces, sizeof *out->half);
    enum il_status status = wide && out->half ? IL_OK : IL_ENOMEM;
    for (size_t p = 0; p < pieces && !status; p++) {
        for (size_t i = 0; i < d * k; i++) {
            wide[i] = matrix[p * d * k + i];
        }
        if (pieces > 1) {
            const float *c = centre + p * d;
            out->half[p] = 0.5f * frame->simd->dot_f32(c, c, d);
        }
        out->packed[p] = il_map_pack(frame->simd, wide, d, k);
        status = out->packed[p] ? IL_OK : IL_ENOMEM;
    }
    il_free(wide);
    if (status) {
        il_image_close(out);
    }
    return status;
}

void il_image_close(struct il_image *image)
{
    for (size_t p = 0; p < image->pieces; p++) {
        il_free(image->packed[p]);
    }
    il_free(image->half);
    memset(image, 0, sizeof *image);
}

/* What the rows of a block share among the pieces. */
struct blend {
    float *x;             /* the rows, count x d */
    struct il_top3 *near; /* pieces of each, */
    float *weight;        /* and their weights: count x IL_TOP */
    uint32_t *member;     /* rows of a piece, */
    float *share;         /* their weights, */
    float *image;         /* and images */
};

static void blend_close(struct blend *b)
{
    il_free(b->x);
    il_free(b->near);
    il_free(b->weight);
    il_free(b->member);
    il_free(b->share);
    il_free(b->image);
}

static enum il_status blend_open(struct blend *b, size_t count, size_t d, size_t k)
{
    b->x = il_alloc(count * d, sizeof *b->x);
    b->near = il_top3_new(count);
    b->weight = il_alloc(count * IL_TOP, sizeof *b->weight);
    b->member = il_alloc(count, sizeof *b->member);
    b->share = il_alloc(count, sizeof *b->share);
    b->image = il_alloc(count * k, sizeof *b->image);
    return b->x && b->near && b->weight && b->member && b->share && b->image ? IL_OK
                                                                             : IL_ENOMEM;
}

void il_piece_weights(const struct il_top3 *near, double width, double weight[IL_TOP])
{
    double sum = 0;
    for (int e = 0; e < IL_TOP; e++) {
        double below = (double)near->value[e] - (double)near->value[0];
        weight[e] = near->index[e] == IL_INDEX_NONE ? 0
                    : e == 0                        ? 1
                    : width > 0                     ? il_exp(below / width)
                                                    : 0;
        sum += weight[e];
    }
    for (int e = 0; e < IL_TOP && sum > 0; e++) {
        weight[e] /= sum;
    }
}

static void weigh(const struct il_image *image, struct blend *b, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        double weight[IL_TOP];
        il_piece_weights(&b->near[i], image->width, weight);
        for (size_t e = 0; e < IL_TOP; e++) {
            b->weight[i * IL_TOP + e] = (float)weight[e];
        }
    }
}

/* Adds what one piece makes of its rows. */
static enum il_status add_piece(struct il_frame *frame, const struct il_image *image,
                                struct blend *b, size_t piece, size_t count, float *out)
{
    size_t members = 0, k = image->k;
    for (size_t i = 0; i < count; i++) {
        for (size_t e = 0; e < IL_TOP; e++) {
            if (b->near[i].index[e] == piece && b->weight[i * IL_TOP + e] > 0) {
                b->member[members] = (uint32_t)i;
                b->share[members++] = b->weight[i * IL_TOP + e];
            }
        }
    }
    const struct il_part part = {b->x, image->d, image->packed[piece], k, 1};
    enum il_status status =
        members ? il_map_rows(frame, &part, b->member, members, b->image) : IL_OK;
    for (size_t i = 0; i < members && !status; i++) {
        frame->simd->axpy_f32(b->share[i], b->image + i * k, out + b->member[i] * k, k);
    }
    return status;
}

static enum il_status blend_rows(struct il_frame *frame, const struct il_image *image,
                                 const float *x, const uint32_t *rows, size_t count,
                                 float *out)
{
    struct blend b = {0};
    size_t d = image->d, k = image->k;
    enum il_status status = blend_open(&b, count, d, k);
    if (!status) {
        const struct il_signature point = {.part = {{b.x, d, NULL, d, 0}}, .parts = 1};
        const struct il_signature centre = {
            .part = {{image->centre, d, NULL, d, 0}}, .parts = 1, .radius = image->half};
        frame->simd->gather_f32(x, rows, count, d, d, 1, b.x, d);
        status = il_nearest(frame, &point, count, &centre, NULL, image->pieces, b.near);
    }
    if (!status) {
        weigh(image, &b, count);
        memset(out, 0, count * k * sizeof *out);
    }
    for (size_t p = 0; p < image->pieces && !status; p++) {
        status = add_piece(frame, image, &b, p, count, out);
    }
    if (!status) {
        frame->simd->normalise_f32(out, count, k, k);
    }
    blend_close(&b);
    return status;
}

enum il_status il_image_rows(struct il_frame *frame, const struct il_image *image,
                             const float *x, const uint32_t *rows, size_t count,
                             float *out)
{
    if (image->pieces > 1) {
        return blend_rows(frame, image, x, rows, count, out);
    }
    const struct il_part part = {x, image->d, image->packed[0], image->k, 0};
    return il_map_rows(frame, &part, rows, count, out);
}

enum il_status il_lift_open(struct il_lift *out, struct il_frame *frame,
                            const float *mean, const float *axes, size_t dim, size_t k)
{
    *out = (struct il_lift){.k = k, .dim = dim, .mean = mean};
    double *back = il_alloc(k * dim, sizeof *back);
    for (size_t i = 0; back && i < dim; i++) {
        for (size_t q = 0; q < k; q++) {
            back[q * dim + i] = axes[i * k + q];
        }
    }
    out->rest = 1 - (double)frame->simd->dot_f32(mean, mean, dim);
    out->rest = out->rest > 0 ? out->rest : 0;
    out->packed = back ? il_map_pack(frame->simd, back, k, dim) : NULL;
    il_free(back);
    return out->packed ? IL_OK : IL_ENOMEM;
}

void il_lift_close(struct il_lift *lift)
{
    il_free(lift->packed);
    memset(lift, 0, sizeof *lift);
}

/* |mean + r v| = 1 for the direction v of length 1: r = -<mean, v> + (<mean, v>^2 + 1 -
   |mean|^2)^(1/2). */
enum il_status il_lift_rows(struct il_frame *frame, const struct il_lift *lift,
                            const float *z, size_t count, float *out)
{
    const struct il_simd *simd = frame->simd;
    size_t dim = lift->dim;
    const struct il_part part = {z, lift->k, lift->packed, dim, 0};
    enum il_status status = il_map_rows(frame, &part, NULL, count, out);
    for (size_t i = 0; i < count && !status; i++) {
        float *row = out + i * dim;
        double along = (double)simd->dot_f32(lift->mean, row, dim);
        simd->scale_f32((float)(sqrt(along * along + lift->rest) - along), row, dim);
        simd->axpy_f32(1, lift->mean, row, dim);
    }
    if (!status) {
        simd->normalise_f32(out, count, dim, dim);
    }
    return status;
}

enum il_status il_marks_open(struct il_marks *out, struct il_frame *frame,
                             const struct il_map_way *way, size_t d)
{
    const struct il_signature marks = {
        .part = {{way->mark, d, NULL, d, 0}}, .parts = 1, .scale = 1};
    *out = (struct il_marks){.way = way, .d = d};
    return il_panels_build(frame, &marks, NULL, way->marks, &out->panels);
}

void il_marks_close(struct il_marks *marks)
{
    il_panels_free(&marks->panels);
    memset(marks, 0, sizeof *marks);
}

enum il_status il_marks_evidence(struct il_frame *frame, const struct il_marks *marks,
                                 const float *x, size_t count, const uint32_t *gone,
                                 double *out)
{
    const struct il_signature rows = {
        .part = {{x, marks->d, NULL, marks->d, 0}}, .parts = 1, .scale = 1};
    struct il_top3 *near = il_top3_new(count);
    enum il_status status = near ? IL_OK : IL_ENOMEM;
    status =
        status ? status : il_match(frame, &rows, NULL, count, &marks->panels, near, NULL);
    for (size_t i = 0; i < count && !status; i++) {
        double sum = 0;
        int taken = 0;
        for (int e = 0; e < IL_TOP && taken < NEAR; e++) {
            uint32_t mark = near[i].index[e];
            if (mark != IL_INDEX_NONE && !(gone && gone[i] == mark)) {
                sum += (double)near[i].value[e] * fmax(marks->way->cosine[mark], 0);
                taken++;
            }
        }
        out[i] = taken ? sum / taken : 0;
    }
    il_free(near);
    return status;
}

double il_map_confidence(const struct il_map_way *way, double evidence)
{
    size_t last = way->knots - 1, k = 0;
    if (!(evidence > way->at[0])) {
        return way->share[0];
    }
    if (evidence >= way->at[last]) {
        return way->share[last];
    }
    while (evidence > way->at[k + 1]) {
        k++;
    }
    double part = (evidence - way->at[k]) / (way->at[k + 1] - way->at[k]);
    return way->share[k] + part * (way->share[k + 1] - way->share[k]);
}
