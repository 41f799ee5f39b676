/* SPDX-License-Identifier: Apache-2.0 */
/* Where the rows of a vector file lie: what the header of each format comes down to. */
#ifndef IL_LAYOUT_H
#define IL_LAYOUT_H

#include <isolink/matrix.h>

#include "src/io/bytes.h"

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "the vector formats are little-endian and are used as they lie in memory"
#endif

/** Row i holds dim coordinates from file offset + i * stride_bytes + lead_bytes. */
struct il_layout {
    enum il_dtype type;
    size_t rows;
    size_t dim;
    uint64_t offset;
    size_t stride_bytes;
    size_t lead_bytes;
    size_t block_bytes; /**< rows * stride_bytes */
};

/**
 * Checks rows and dim of a header and, with them, the size of the file; fills rows, dim
 * and block_bytes. Nothing is allocated, so a lying header costs nothing.
 *
 * \param out   type, offset and lead_bytes are set; the rest is written
 * \param at    where the header says it, for messages
 * \return IL_OK; IL_EFORMAT for no rows, no coordinates or another file size; IL_ELIMIT
 */
IL_MUST_CHECK enum il_status il_layout_check(struct il_layout *out,
                                             const struct il_bytes *bytes, uint64_t at,
                                             uint64_t rows, uint64_t dim,
                                             struct il_error *error);

/** Little-endian u32 at p. */
static inline uint32_t il_load_u32(const unsigned char *p)
{
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 |
           (uint32_t)p[3] << 24;
}

#endif
