/* SPDX-License-Identifier: Apache-2.0 */
#include "formats/vecs.h"

#include "src/base/base.h"

#include <inttypes.h>

#define LEAD_BYTES 4u

enum il_status il_vecs_layout(struct il_layout *out, const struct il_bytes *bytes,
                              enum il_dtype type, struct il_error *error)
{
    *out = (struct il_layout){.type = type, .lead_bytes = LEAD_BYTES};
    unsigned char lead[LEAD_BYTES];
    if (bytes->size == 0)
        return il_fail(error, IL_EFORMAT,
                       "%s: 0 rows (the file is empty), wanted at least 1", bytes->name);
    enum il_status status = il_bytes_read(bytes, 0, lead, sizeof(lead), error);
    if (status != IL_OK)
        return status;
    uint32_t dim = il_load_u32(lead);
    /* The field is signed: a negative length is named as such, not as a huge one. */
    if (dim > INT32_MAX)
        return il_fail(error, IL_EFORMAT,
                       "%s, byte 0: row length %" PRId64 ", wanted 1 to %u", bytes->name,
                       (int64_t)dim - ((int64_t)1 << 32), IL_DIM_MAX);
    if (bytes->size == IL_SIZE_UNKNOWN) {
        status = il_layout_check(out, bytes, 0, 1, dim, error);
        out->rows = 0;
        out->block_bytes = 0;
        return status;
    }
    uint64_t stride = LEAD_BYTES + (uint64_t)dim * il_dtype_bytes(type);
    uint64_t rows = bytes->size / stride;
    uint64_t rest = bytes->size % stride;
    /* A row length past the limit is a clearer complaint than the rest that it leaves. */
    if (rest != 0 && dim >= 1 && dim <= IL_DIM_MAX)
        return il_fail(error, IL_EFORMAT,
                       "%s, byte %" PRIu64 ": %" PRIu64 " bytes after %" PRIu64
                       " rows, wanted %" PRIu64 " a row (row length %" PRIu32 ")",
                       bytes->name, bytes->size - rest, rest, rows, stride, dim);
    return il_layout_check(out, bytes, 0, rows > 0 ? rows : 1, dim, error);
}

enum il_status il_vecs_check(const struct il_layout *layout, const unsigned char *block,
                             uint64_t first, size_t count, const char *name,
                             struct il_error *error)
{
    for (size_t i = 0; i < count; i++) {
        uint32_t dim = il_load_u32(block + i * layout->stride_bytes);
        if (dim != layout->dim)
            return il_fail(error, IL_EFORMAT,
                           "%s, byte %" PRIu64 ": row length %" PRId64
                           ", wanted %zu (row %" PRIu64 ")",
                           name, (first + i) * layout->stride_bytes,
                           dim > INT32_MAX ? (int64_t)dim - ((int64_t)1 << 32)
                                           : (int64_t)dim,
                           layout->dim, first + i);
    }
    return IL_OK;
}
