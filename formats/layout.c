/* SPDX-License-Identifier: Apache-2.0 */
#include "formats/layout.h"

#include "simd/simd.h"
#include "src/base/base.h"

#include <inttypes.h>
#include <string.h>

size_t il_dtype_bytes(enum il_dtype type)
{
    switch (type) {
    case IL_F32:
        return 4;
    case IL_F16:
        return 2;
    case IL_F64:
        return 8;
    case IL_I8:
    case IL_U8:
        return 1;
    }
    return 0;
}

const char *il_dtype_text(enum il_dtype type)
{
    switch (type) {
    case IL_F32:
        return "f32";
    case IL_F16:
        return "f16";
    case IL_F64:
        return "f64";
    case IL_I8:
        return "i8";
    case IL_U8:
        return "u8";
    }
    return "?";
}

static enum il_status check_shape(const struct il_bytes *bytes, uint64_t at,
                                  uint64_t rows, uint64_t dim, struct il_error *error)
{
    if (rows == 0 && !bytes->growing)
        return il_fail(error, IL_EFORMAT,
                       "%s, byte %" PRIu64 ": 0 rows, wanted at least 1", bytes->name,
                       at);
    if (dim == 0)
        return il_fail(error, IL_EFORMAT,
                       "%s, byte %" PRIu64 ": rows of length 0, wanted 1 to %u",
                       bytes->name, at, IL_DIM_MAX);
    if (dim > IL_DIM_MAX)
        return il_fail(error, IL_ELIMIT,
                       "%s, byte %" PRIu64 ": row length %" PRIu64 ", wanted at most %u",
                       bytes->name, at, dim, IL_DIM_MAX);
    if (rows > IL_ROWS_MAX)
        return il_fail(error, IL_ELIMIT,
                       "%s, byte %" PRIu64 ": %" PRIu64 " rows, wanted at most %u",
                       bytes->name, at, rows, IL_ROWS_MAX);
    return IL_OK;
}

enum il_status il_layout_check(struct il_layout *out, const struct il_bytes *bytes,
                               uint64_t at, uint64_t rows, uint64_t dim,
                               struct il_error *error)
{
    IL_ASSERT(out->offset <= bytes->size && out->tail_bytes <= bytes->size - out->offset);
    IL_ASSERT(il_dtype_bytes(out->type) > 0);
    enum il_status status = check_shape(bytes, at, rows, dim, error);
    if (status != IL_OK)
        return status;
    out->rows = (size_t)rows;
    out->dim = (size_t)dim;
    out->stride_bytes = out->lead_bytes + out->dim * il_dtype_bytes(out->type);
    /* Only a 32-bit size_t can overflow here: 2^31 rows of 2^19 bytes are 2^50. */
    if (il_mul_bytes(out->rows, out->stride_bytes, &out->block_bytes) != IL_OK)
        return il_fail(error, IL_ELIMIT,
                       "%s: %zu rows of %zu bytes do not fit into memory", bytes->name,
                       out->rows, out->stride_bytes);
    if (bytes->size == IL_SIZE_UNKNOWN)
        return IL_OK;
    uint64_t found = bytes->size - out->offset - out->tail_bytes;
    if (found != out->block_bytes)
        return il_fail(
            error, IL_EFORMAT,
            "%s, byte %" PRIu64 ": %" PRIu64 " bytes of rows, wanted %zu (%zu rows of "
            "%zu %s): the file is %s",
            bytes->name, out->offset, found, out->block_bytes, out->rows, out->dim,
            il_dtype_text(out->type),
            found < out->block_bytes ? "cut short" : "longer than its header says");
    return IL_OK;
}

void il_matrix_to_f32(const struct il_matrix *m, size_t first, size_t count, float *out,
                      size_t ld)
{
    IL_ASSERT(first <= m->rows && count <= m->rows - first);
    IL_ASSERT(ld >= m->dim);
    const struct il_simd *simd = il_simd();
    for (size_t i = 0; i < count; i++) {
        const void *row = (const char *)m->data + (first + i) * m->stride_bytes;
        float *to = out + i * ld;
        switch (m->type) {
        case IL_F32:
            memcpy(to, row, m->dim * sizeof(*to));
            break;
        case IL_F16:
            simd->f16_to_f32(row, m->dim, to);
            break;
        case IL_F64:
            simd->f64_to_f32(row, m->dim, to);
            break;
        case IL_I8:
            simd->i8_to_f32(row, m->dim, to);
            break;
        case IL_U8:
            simd->u8_to_f32(row, m->dim, to);
            break;
        }
    }
}
