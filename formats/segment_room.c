/* SPDX-License-Identifier: Apache-2.0 */
/* Unpacks chunks that somebody has read, in room of one thread for all segments. */
#include "formats/segment_open.h"

#include "src/base/base.h"

#include <inttypes.h>
#include <stdio.h>

#include <zstd.h>
#include <zstd_errors.h>

/* What kernels read may be words of 64 bits. */
#define KERNEL_ALIGN 8u

struct il_segment_room {
    size_t most;
    unsigned char *raw;    /* an unpacked chunk */
    unsigned char *planes; /* the same before its bytes are in order; or NULL */
    ZSTD_DCtx *zstd;
};

size_t il_segment_room_bytes(size_t most, int shuffled)
{
    /* At most 2^24 bytes a chunk: no sum overflows. */
    IL_ASSERT(most <= IL_SEGMENT_CHUNK_MAX);
    return sizeof(struct il_segment_room) + (shuffled ? 2 : 1) * most +
           IL_SEGMENT_ZSTD_BYTES;
}

enum il_status il_segment_room_open(struct il_segment_room **out, size_t most,
                                    int shuffled, struct il_error *error)
{
    IL_ASSERT(most <= IL_SEGMENT_CHUNK_MAX);
    struct il_segment_room *room = il_alloc_zero(1, sizeof(*room));
    *out = room;
    if (room) {
        *room = (struct il_segment_room){.most = most,
                                         .raw = il_alloc(most, 1),
                                         .planes = shuffled ? il_alloc(most, 1) : NULL,
                                         .zstd = ZSTD_createDCtx()};
        if (room->raw && (room->planes || !shuffled) && room->zstd)
            return IL_OK;
    }
    il_segment_room_close(out);
    il_fail(error, IL_ENOMEM, "no memory to unpack chunks of %zu bytes", most);
    return IL_ENOMEM;
}

void il_segment_room_close(struct il_segment_room **room)
{
    struct il_segment_room *r = *room;
    if (!r)
        return;
    il_free(r->raw);
    il_free(r->planes);
    ZSTD_freeDCtx(r->zstd);
    il_free(r);
    *room = NULL;
}

/* One whole frame that says its size, which must be the chunk's: nothing else is
   unpacked, and never more than there is room for. */
static enum il_status inflate(const struct il_segment_room *room, const char *name,
                              const struct il_segment_chunk *c, const void *stored,
                              void *out, struct il_error *error)
{
    unsigned long long says = ZSTD_getFrameContentSize(stored, c->bytes);
    size_t frame = ZSTD_findFrameCompressedSize(stored, c->bytes);
    if (says != c->raw_bytes || frame != c->bytes)
        return il_fail(error, IL_ECORRUPT,
                       "%s, byte %" PRIu64
                       ": no zstd frame of %zu bytes that unpacks to %zu",
                       name, c->offset, c->bytes, c->raw_bytes);
    size_t got = ZSTD_decompressDCtx(room->zstd, out, c->raw_bytes, stored, c->bytes);
    if (ZSTD_isError(got))
        return il_fail(
            error,
            ZSTD_getErrorCode(got) == ZSTD_error_memory_allocation ? IL_ENOMEM
                                                                   : IL_ECORRUPT,
            "%s, byte %" PRIu64 ": zstd: %s", name, c->offset, ZSTD_getErrorName(got));
    if (got != c->raw_bytes)
        return il_fail(error, IL_ECORRUPT,
                       "%s, byte %" PRIu64 ": unpacked to %zu bytes, wanted %zu", name,
                       c->offset, got, c->raw_bytes);
    return IL_OK;
}

/* Where the unpacked bytes are: out, or stored when they may stay there. */
static enum il_status unpack(const struct il_segment_room *room,
                             const struct il_segment *s, size_t i, const void *stored,
                             unsigned char *out, const unsigned char **where,
                             struct il_error *error)
{
    const struct il_segment_chunk c = il_segment_chunk(s, i);
    const char *name = s->bytes.name;
    char what[40];
    IL_ASSERT(c.raw_bytes <= room->most);
    snprintf(what, sizeof(what), "chunk %zu", i);
    enum il_status status =
        il_check_sum(name, c.offset, what, il_checksum(stored, c.bytes), c.hash, error);
    if (status != IL_OK)
        return status;
    *where = out;
    switch (c.packing) {
    case IL_STORED:
        *where = stored;
        return IL_OK;
    case IL_ZSTD:
        return inflate(room, name, &c, stored, out, error);
    case IL_SHUFFLED_ZSTD:
        break;
    }
    IL_ASSERT(room->planes != NULL);
    status = inflate(room, name, &c, stored, room->planes, error);
    if (status == IL_OK)
        il_segment_unshuffle(il_segment_shuffle_width(s->info.codec), room->planes,
                             c.raw_bytes, out);
    return status;
}

enum il_status il_segment_room_unpack(const struct il_segment_room *room,
                                      const struct il_segment *segment, size_t i,
                                      const void *stored, void *out,
                                      struct il_error *error)
{
    const unsigned char *where = NULL;
    enum il_status status = unpack(room, segment, i, stored, out, &where, error);
    if (status == IL_OK && where != out)
        memcpy(out, where, il_segment_chunk(segment, i).raw_bytes);
    return status;
}

enum il_status il_segment_room_view(struct il_segment_room *room,
                                    const struct il_segment *segment, size_t i,
                                    const void *stored, const unsigned char **out,
                                    struct il_error *error)
{
    enum il_status status = unpack(room, segment, i, stored, room->raw, out, error);
    if (status == IL_OK && (uintptr_t)*out % KERNEL_ALIGN != 0) {
        memcpy(room->raw, *out, il_segment_chunk(segment, i).raw_bytes);
        *out = room->raw;
    }
    return status;
}
