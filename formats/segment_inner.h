/* SPDX-License-Identifier: Apache-2.0 */
/* What writer and reader of segments share; for formats/segment*.c alone. The numbers are
   those of formats/segment.md. */
#ifndef IL_SEGMENT_INNER_H
#define IL_SEGMENT_INNER_H

#include "formats/little.h"
#include "formats/segment.h"

#define SEGMENT_MAGIC "\x89ILSEG\r\n"
#define SEGMENT_END "ILSEGEND"
#define SEGMENT_MAGIC_BYTES 8u
#define SEGMENT_VERSION 1u
#define SEGMENT_LAYOUT 1u

/* The header: a page, its checksum at the end. */
#define HEADER_BYTES IL_SEGMENT_ALIGN
#define HEADER_HASH_AT (HEADER_BYTES - 8u)
enum {
    HEADER_VERSION = 8,
    HEADER_CODEC = 12,
    HEADER_LAYOUT = 16,
    HEADER_DIM = 20,
    HEADER_SOURCE_DIM = 24,
    HEADER_CHUNK_ROWS = 28,
    HEADER_UUID = 32,
    HEADER_MODEL = 48,
    HEADER_USED = 80
};

/* The footer: the last bytes of the file. */
#define FOOTER_BYTES 256u
#define FOOTER_HASH_AT (FOOTER_BYTES - 8u)
enum {
    FOOTER_ROWS = 8,
    FOOTER_CHUNKS = 16,
    FOOTER_FILE = 24,
    FOOTER_HEADER_HASH = 32,
    FOOTER_TABLES = 40,
    FOOTER_USED = 184
};

/* The tables, in the order of the file; each has an entry of offset, bytes, checksum. */
enum { BASIS, CHUNKS, NORMS, ID_ENDS, ID_TEXT, ID_SLOTS, TABLES };
#define TABLE_ENTRY 24u
#define TABLE_ALIGN 64u
#define CHUNK_ENTRY 24u
#define SLOT_BYTES 8u

struct table {
    uint64_t offset, bytes;
};

/* Bytes of an unpacked chunk of these rows, scales included. */
size_t il_segment_raw_bytes(enum il_codec codec, size_t dim, size_t rows);

/* Sizes of the tables but ID_TEXT, which is given, from info. */
void il_segment_table_sizes(const struct il_segment_info *info, uint64_t text_bytes,
                            uint64_t size[TABLES]);

/* Slots of the index of ids: the smallest power of two with room for a third more. */
static inline uint64_t il_segment_slots(uint64_t rows)
{
    uint64_t slots = 2;
    while (slots < rows + rows / 3 + 1)
        slots *= 2;
    return slots;
}

/* A slot: the upper half of the id's hash, and the row plus one; 0 = empty. */
static inline uint32_t slot_tag(const unsigned char *slot)
{
    return il_load_u32(slot);
}
static inline uint32_t slot_row(const unsigned char *slot)
{
    return il_load_u32(slot + 4);
}

/* Tables of ids, as they lie in the file. */
struct id_tables {
    const unsigned char *ends, *text, *slots;
    uint64_t slot_mask;
};

/* The slot that holds an id, or the empty one where it belongs. A damaged table gives an
   end at slot_mask + 1 steps, and rows that must be checked. */
uint64_t il_segment_slot(const struct id_tables *ids, uint64_t rows, const void *id,
                         size_t bytes, uint64_t hash);

/* Turns 64 rows of dim floats, row-major, into a block; rows from `rows` on are zero.
   scale: one for each row, ignored without. packed: room for 64 x dim floats, used by
   all codecs but f32. */
void il_segment_encode_block(enum il_codec codec, size_t dim, const float *x, size_t rows,
                             const float *scale, float *packed, unsigned char *out);

/* Copies row r of a block to row `to` of another one. */
void il_segment_copy_row(enum il_codec codec, size_t dim, const unsigned char *block,
                         size_t r, unsigned char *out, size_t to);

/* The row as it is given to the codec, in out, its length and largest magnitude; IL_EARG
   naming file and row when a value is not finite or too large. source_dim 0: no basis.
   centred: room for source_dim floats. */
enum il_status il_segment_stage(enum il_codec codec, const float *mean_basis,
                                size_t source_dim, size_t dim, const float *x,
                                float *centred, float *out, float *norm, float *max,
                                const char *name, size_t row, struct il_error *error);

/* The scale of a row whose largest magnitude is this. */
float il_segment_scale(enum il_codec codec, float abs_max);

/* Largest magnitude of a coordinate. */
float il_segment_limit(enum il_codec codec);

/* Bytes of each value, all first bytes first: width 2 or 4, bytes a multiple of 64 width.
   Input and output do not overlap. */
void il_segment_shuffle(size_t width, const unsigned char *x, size_t bytes,
                        unsigned char *out);
void il_segment_unshuffle(size_t width, const unsigned char *x, size_t bytes,
                          unsigned char *out);

/* Width that chunks of a codec are shuffled by; 1 = they are not. */
static inline size_t il_segment_shuffle_width(enum il_codec codec)
{
    return codec == IL_CODEC_F32 ? 4 : codec == IL_CODEC_F16 ? 2 : 1;
}

#endif
