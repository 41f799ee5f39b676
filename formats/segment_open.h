/* SPDX-License-Identifier: Apache-2.0 */
/* An open segment; for formats/segment_read.c and segment_chunk.c alone. */
#ifndef IL_SEGMENT_OPEN_H
#define IL_SEGMENT_OPEN_H

#include "formats/segment_inner.h"

struct il_segment {
    struct il_bytes bytes;
    struct il_segment_info info;
    uint64_t header_hash;
    struct table table[TABLES];
    uint64_t table_hash[TABLES];
    const unsigned char *data[TABLES]; /* into block, or into bytes.memory */
    struct id_tables ids;
    unsigned char *block; /* the tables of a file; NULL from memory */
};

/* IL_ECORRUPT unless found, which stands at a place or was computed of what lies there,
   is the wanted one. */
enum il_status il_segment_check_hash(const struct il_bytes *b, uint64_t at,
                                     const char *what, uint64_t found, uint64_t wanted,
                                     struct il_error *error);

/* IL_ECORRUPT at the first byte that is not zero; at: place of p in the file. */
enum il_status il_segment_check_zeros(const struct il_bytes *b, const unsigned char *p,
                                      size_t bytes, uint64_t at, struct il_error *error);

#endif
