/* SPDX-License-Identifier: Apache-2.0 */
/* An open segment; for formats/segment_read.c, _chunk.c and _room.c alone. */
#ifndef IL_SEGMENT_OPEN_H
#define IL_SEGMENT_OPEN_H

#include "formats/segment_inner.h"

struct il_segment {
    struct il_bytes bytes;
    struct il_segment_info info;
    uint64_t header_hash, seal; /* checksums of header and footer */
    struct table table[TABLES];
    uint64_t table_hash[TABLES];
    const unsigned char *data[TABLES]; /* into block, or into bytes.memory */
    struct id_tables ids;
    unsigned char *block; /* the tables of a file; NULL from memory */
};

/* il_segment_unpack, in a room. */
enum il_status il_segment_room_unpack(const struct il_segment_room *room,
                                      const struct il_segment *segment, size_t i,
                                      const void *stored, void *out,
                                      struct il_error *error);

#endif
