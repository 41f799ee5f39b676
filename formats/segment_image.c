/* SPDX-License-Identifier: Apache-2.0 */
/* Rows on their way to the codec, and as they come back from it. */
#include "formats/segment_inner.h"

#include "simd/simd.h"
#include "src/base/base.h"

#include <float.h>
#include <math.h>

#define BLOCK IL_SEGMENT_BLOCK

/* The first value that is not finite or larger than the limit, as a refusal. */
static enum il_status bad_value(const char *name, size_t row, enum il_codec codec,
                                const float *x, size_t dim, float limit,
                                struct il_error *error)
{
    size_t q = 0;
    while (q + 1 < dim && fabsf(x[q]) <= limit)
        q++;
    return il_fail(error, IL_EARG,
                   "%s, row %zu: coordinate %zu is %g, wanted at most %g for %s", name,
                   row, q, (double)x[q], (double)limit, il_codec_text(codec));
}

/* NaN makes the sum NaN, and abs_max passes it over; Inf is above every limit. */
static int values_fit(const float *x, size_t dim, float limit, float *norm, float *max)
{
    float sum = il_simd()->dot_f32(x, x, dim);
    *norm = sqrtf(sum);
    *max = il_simd()->abs_max_f32(x, dim);
    return !isnan(sum) && *max <= limit;
}

enum il_status il_segment_stage(enum il_codec codec, const float *mean_basis,
                                size_t source_dim, size_t dim, const float *x,
                                float *centred, float *out, float *norm, float *max,
                                const char *name, size_t row, struct il_error *error)
{
    const struct il_simd *simd = il_simd();
    const float limit = il_segment_limit(codec);
    float image_norm = 0;
    if (source_dim == 0) {
        if (!values_fit(x, dim, limit, norm, max))
            return bad_value(name, row, codec, x, dim, limit, error);
        memcpy(out, x, dim * sizeof(float));
        return IL_OK;
    }
    if (!values_fit(x, source_dim, FLT_MAX, norm, max))
        return bad_value(name, row, codec, x, source_dim, FLT_MAX, error);
    memcpy(centred, x, source_dim * sizeof(float));
    simd->axpy_f32(-1, mean_basis, centred, source_dim);
    for (size_t q = 0; q < dim; q++)
        out[q] = simd->dot_f32(mean_basis + (q + 1) * source_dim, centred, source_dim);
    if (!values_fit(out, dim, limit, &image_norm, max))
        return bad_value(name, row, codec, out, dim, limit, error);
    return IL_OK;
}

void il_segment_copy_row(enum il_codec codec, size_t dim, const unsigned char *block,
                         size_t r, unsigned char *out, size_t to)
{
    size_t width = 1, steps = dim; /* bytes at a step, and from one step to the next */
    switch (codec) {
    case IL_CODEC_F32:
        width = 4;
        break;
    case IL_CODEC_F16:
        width = 2;
        break;
    case IL_CODEC_I8:
        width = 4;
        steps = (dim + 3) / 4;
        break;
    case IL_CODEC_E4M3:
        break;
    case IL_CODEC_B1:
        width = (dim + 63) / 64 * 8;
        steps = 1;
        break;
    }
    for (size_t i = 0; i < steps; i++)
        memcpy(out + (i * BLOCK + to) * width, block + (i * BLOCK + r) * width, width);
}

struct il_segment_image {
    enum il_codec codec;
    size_t dim, source_dim; /* source_dim 0: no basis */
    float *basis;           /* the mean, then the basis */
    float *centred, *stage, *packed;
    unsigned char *block;
    float scale[BLOCK];
};

enum il_status il_segment_image_open(struct il_segment_image **out, enum il_codec codec,
                                     size_t dim, size_t source_dim, const float *mean,
                                     const float *basis, struct il_error *error)
{
    const size_t source = basis ? source_dim : 0;
    struct il_segment_image *m = il_alloc_zero(1, sizeof(*m));
    *out = m;
    if (m) {
        m->codec = codec;
        m->dim = dim;
        m->source_dim = source;
        m->basis = il_alloc(source * (1 + dim), sizeof(float));
        m->centred = il_alloc(source, sizeof(float));
        m->stage = il_alloc(BLOCK * dim, sizeof(float));
        m->packed = il_alloc(BLOCK * dim, sizeof(float));
        m->block = il_alloc(il_codec_block_bytes(codec, dim), 1);
        if (m->basis && m->centred && m->stage && m->packed && m->block) {
            if (source > 0) {
                memcpy(m->basis, mean, source * sizeof(float));
                memcpy(m->basis + source, basis, source * dim * sizeof(float));
            }
            return IL_OK;
        }
    }
    il_segment_image_close(out);
    return il_fail(error, IL_ENOMEM, "no memory for a block of rows");
}

void il_segment_image_close(struct il_segment_image **image)
{
    struct il_segment_image *m = *image;
    *image = NULL;
    if (!m)
        return;
    il_free(m->basis);
    il_free(m->centred);
    il_free(m->stage);
    il_free(m->packed);
    il_free(m->block);
    il_free(m);
}

enum il_status il_segment_image_rows(struct il_segment_image *m, const float *rows,
                                     size_t count, float *out, struct il_error *error)
{
    const size_t length = m->source_dim > 0 ? m->source_dim : m->dim;
    IL_ASSERT(count >= 1 && count <= BLOCK);
    for (size_t i = 0; i < count; i++) {
        float norm = 0, max = 0;
        enum il_status status = il_segment_stage(
            m->codec, m->basis, m->source_dim, m->dim, rows + i * length, m->centred,
            m->stage + i * m->dim, &norm, &max, "rows", i, error);
        if (status != IL_OK)
            return status;
        m->scale[i] = il_segment_scale(m->codec, max);
    }
    if (!out)
        return IL_OK;
    il_segment_encode_block(m->codec, m->dim, m->stage, count, m->scale, m->packed,
                            m->block);
    for (size_t i = 0; i < count; i++)
        il_codec_row(m->codec, m->dim, m->block, i, m->scale[i], out + i * m->dim);
    return IL_OK;
}
