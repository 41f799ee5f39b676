/* SPDX-License-Identifier: Apache-2.0 */
/* Unpacks the chunks of an open segment, gives single rows, and verifies every byte. */
#include "formats/segment_open.h"

#include "src/base/base.h"

#include <inttypes.h>

struct il_segment_decoder {
    const struct il_segment *segment;
    struct il_segment_room *room;
    unsigned char *stored, *kept; /* a chunk each */
    size_t kept_chunk;            /* SIZE_MAX: none */
};

enum il_status il_segment_decoder_open(struct il_segment_decoder **out,
                                       const struct il_segment *segment,
                                       struct il_error *error)
{
    const size_t bytes = segment->info.raw_max;
    const int shuffled = il_codec_shuffled(segment->info.codec);
    struct il_segment_decoder *d = il_alloc_zero(1, sizeof(*d));
    *out = d;
    if (d) {
        *d = (struct il_segment_decoder){.segment = segment,
                                         .stored = il_alloc(bytes, 1),
                                         .kept = il_alloc(bytes, 1),
                                         .kept_chunk = SIZE_MAX};
        if (d->stored && d->kept &&
            il_segment_room_open(&d->room, bytes, shuffled, NULL) == IL_OK)
            return IL_OK;
    }
    il_segment_decoder_close(out);
    il_fail(error, IL_ENOMEM, "%s: no memory to unpack its chunks", segment->bytes.name);
    return IL_ENOMEM;
}

void il_segment_decoder_close(struct il_segment_decoder **decoder)
{
    struct il_segment_decoder *d = *decoder;
    if (!d)
        return;
    il_segment_room_close(&d->room);
    il_free(d->stored);
    il_free(d->kept);
    il_free(d);
    *decoder = NULL;
}

enum il_status il_segment_unpack(const struct il_segment_decoder *d, size_t i,
                                 const void *stored, void *out, struct il_error *error)
{
    return il_segment_room_unpack(d->room, d->segment, i, stored, out, error);
}

enum il_status il_segment_read(const struct il_segment_decoder *d, size_t i, void *out,
                               struct il_error *error)
{
    const struct il_bytes *b = &d->segment->bytes;
    struct il_segment_chunk c = il_segment_chunk(d->segment, i);
    const unsigned char *stored = d->stored;
    if (b->memory) {
        il_bytes_want(b, c.offset, c.bytes);
        stored = b->memory + c.offset;
    } else {
        enum il_status status = il_bytes_read(b, c.offset, d->stored, c.bytes, error);
        if (status != IL_OK)
            return status;
    }
    return il_segment_unpack(d, i, stored, out, error);
}

enum il_status il_segment_row(struct il_segment_decoder *d, uint64_t row, float *out,
                              struct il_error *error)
{
    const struct il_segment_info *info = &d->segment->info;
    if (row >= info->rows)
        return il_fail(error, IL_EARG, "%s: row %" PRIu64 ", wanted below %zu",
                       d->segment->bytes.name, row, info->rows);
    size_t i = (size_t)row / info->chunk_rows;
    struct il_segment_chunk c = il_segment_chunk(d->segment, i);
    if (d->kept_chunk != i) {
        d->kept_chunk = SIZE_MAX;
        enum il_status status = il_segment_read(d, i, d->kept, error);
        if (status != IL_OK)
            return status;
        d->kept_chunk = i;
    }
    size_t at = (size_t)row - c.first;
    float scale = 1;
    if (il_codec_has_scale(info->codec))
        scale = load_f32(d->kept + c.scale_at + at * sizeof(float));
    il_codec_row(info->codec, info->dim,
                 d->kept +
                     at / IL_SEGMENT_BLOCK * il_codec_block_bytes(info->codec, info->dim),
                 at % IL_SEGMENT_BLOCK, scale, out);
    return IL_OK;
}

/* The bytes between the end of a chunk, or of the header, and what follows. */
static enum il_status verify_gap(const struct il_segment *s, uint64_t begin, uint64_t end,
                                 struct il_error *error)
{
    unsigned char gap[IL_SEGMENT_ALIGN];
    IL_ASSERT(end - begin < IL_SEGMENT_ALIGN);
    size_t bytes = (size_t)(end - begin);
    enum il_status status = il_bytes_read(&s->bytes, begin, gap, bytes, error);
    if (status == IL_OK)
        status = il_check_zeros(s->bytes.name, gap, bytes, begin, error);
    return status;
}

/* As many slots are in use as there are rows; so when every row is found under its id,
   no id stands twice and no slot is left over. */
enum il_status il_segment_verify_ids(const struct il_segment *s, struct il_error *error)
{
    for (size_t row = 0; row < s->info.rows; row++) {
        size_t bytes = 0;
        const void *id = il_segment_id(s, row, &bytes);
        uint64_t found = il_segment_find(s, id, bytes);
        if (found != row)
            return il_fail(error, IL_ECORRUPT,
                           "%s, byte %" PRIu64 ": the id of row %zu leads to %s",
                           s->bytes.name, s->table[ID_SLOTS].offset, row,
                           found == IL_SEGMENT_NONE ? "no row" : "another row");
    }
    return IL_OK;
}

enum il_status il_segment_verify_chunk(struct il_segment_decoder *d, size_t i,
                                       struct il_error *error)
{
    struct il_segment_chunk c = il_segment_chunk(d->segment, i);
    uint64_t end = c.offset + c.bytes;
    d->kept_chunk = SIZE_MAX;
    enum il_status status = il_segment_read(d, i, d->kept, error);
    if (status == IL_OK)
        status = verify_gap(d->segment, end, align_to(end, IL_SEGMENT_ALIGN), error);
    return status;
}

enum il_status il_segment_verify(const struct il_segment *s, struct il_error *error)
{
    struct il_segment_decoder *d = NULL;
    enum il_status status = il_segment_decoder_open(&d, s, error);
    for (size_t i = 0; status == IL_OK && i < s->info.chunks; i++)
        status = il_segment_verify_chunk(d, i, error);
    il_segment_decoder_close(&d);
    return status == IL_OK ? il_segment_verify_ids(s, error) : status;
}
