/* SPDX-License-Identifier: Apache-2.0 */
/* Where the rows of a vector file lie: what the header of each format comes down to. */
#ifndef IL_LAYOUT_H
#define IL_LAYOUT_H

#include <isolink/matrix.h>

#include "src/io/bytes.h"

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "the vector formats are little-endian and are used as they lie in memory"
#endif

/** How coordinates of a type lie in the file. */
enum il_form {
    IL_FORM_PLAIN = 0,   /**< as in memory */
    IL_FORM_SWAPPED = 1, /**< big-endian */
    IL_FORM_BF16 = 2     /**< the type is IL_F16: the upper halves of f32 */
};

/** Row i holds dim coordinates from file offset + i * stride_bytes + lead_bytes. */
struct il_layout {
    enum il_dtype type;
    enum il_form form;
    size_t rows; /**< 0: only the end of the stream will tell */
    size_t dim;
    uint64_t offset;
    size_t stride_bytes;
    size_t lead_bytes;
    size_t block_bytes;  /**< rows * stride_bytes */
    uint64_t tail_bytes; /**< that follow the rows */
    uint64_t ids_offset; /**< of rows i64 that are the ids; 0: there are none */
};

/**
 * Checks rows and dim of a header and, with them, the size of the file (when it is
 * known); fills rows, dim and block_bytes. Nothing is allocated, so a lying header costs
 * nothing.
 *
 * \param out   type, form, offset, lead_bytes and tail_bytes are set; the rest is written
 * \param at    where the header says it, for messages
 * \return IL_OK; IL_EFORMAT for no rows, no coordinates or another file size; IL_ELIMIT
 */
IL_MUST_CHECK enum il_status il_layout_check(struct il_layout *out,
                                             const struct il_bytes *bytes, uint64_t at,
                                             uint64_t rows, uint64_t dim,
                                             struct il_error *error);

/** Little-endian u64 at p. */
static inline uint64_t il_load_u64(const unsigned char *p)
{
    uint64_t value = 0;
    for (int i = 7; i >= 0; i--)
        value = value << 8 | p[i];
    return value;
}

/** Little-endian u32 at p. */
static inline uint32_t il_load_u32(const unsigned char *p)
{
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 |
           (uint32_t)p[3] << 24;
}

#endif
