/* SPDX-License-Identifier: Apache-2.0 */
/* What writer and reader of segments share: sizes, the index of ids, byte planes. */
#include "formats/segment_inner.h"

#include "simd/simd.h"
#include "src/base/base.h"

_Static_assert(IL_SEGMENT_BLOCK == IL_ROWS, "blocks are read by the kernels as they lie");
_Static_assert(FOOTER_TABLES + TABLES * TABLE_ENTRY == FOOTER_USED, "footer");

const char *il_codec_text(enum il_codec codec)
{
    switch (codec) {
    case IL_CODEC_F32:
        return "f32";
    case IL_CODEC_F16:
        return "f16";
    case IL_CODEC_I8:
        return "i8";
    case IL_CODEC_E4M3:
        return "e4m3";
    case IL_CODEC_B1:
        return "b1";
    }
    return "?";
}

enum il_status il_codec_named(const char *name, enum il_codec *out,
                              struct il_error *error)
{
    for (int c = IL_CODEC_F32; c <= IL_CODEC_B1; c++)
        if (strcmp(name, il_codec_text((enum il_codec)c)) == 0 ||
            (c == IL_CODEC_E4M3 && strcmp(name, "fp8") == 0)) {
            *out = (enum il_codec)c;
            return IL_OK;
        }
    char shown[80];
    return il_fail(error, IL_EARG, "codec '%s', wanted f32, f16, i8, fp8 or b1",
                   il_printable(shown, sizeof(shown), name, strlen(name)));
}

size_t il_codec_block_bytes(enum il_codec codec, size_t dim)
{
    IL_ASSERT(dim <= IL_DIM_MAX);
    switch (codec) {
    case IL_CODEC_F32:
        return dim * IL_SEGMENT_BLOCK * 4;
    case IL_CODEC_F16:
        return dim * IL_SEGMENT_BLOCK * 2;
    case IL_CODEC_I8:
        return il_rows_i8_block(dim);
    case IL_CODEC_E4M3:
        return dim * IL_SEGMENT_BLOCK;
    case IL_CODEC_B1:
        return (dim + 63) / 64 * 8 * IL_SEGMENT_BLOCK;
    }
    return 0;
}

int il_codec_has_scale(enum il_codec codec)
{
    return codec == IL_CODEC_I8 || codec == IL_CODEC_E4M3;
}

int il_codec_shuffled(enum il_codec codec)
{
    return il_segment_shuffle_width(codec) > 1;
}

size_t il_segment_raw_bytes(enum il_codec codec, size_t dim, size_t rows)
{
    size_t block = il_codec_block_bytes(codec, dim);
    if (il_codec_has_scale(codec))
        block += IL_SEGMENT_BLOCK * sizeof(float);
    return (rows + IL_SEGMENT_BLOCK - 1) / IL_SEGMENT_BLOCK * block;
}

void il_segment_table_sizes(const struct il_segment_info *info, uint64_t text_bytes,
                            uint64_t size[TABLES])
{
    size[BASIS] = (uint64_t)info->source_dim * (1 + info->dim) * sizeof(float);
    size[CHUNKS] = (uint64_t)info->chunks * CHUNK_ENTRY;
    size[NORMS] = (uint64_t)info->rows * sizeof(float);
    size[ID_ENDS] = ((uint64_t)info->rows + 1) * 8;
    size[ID_TEXT] = text_bytes;
    size[ID_SLOTS] = il_segment_slots(info->rows) * SLOT_BYTES;
}

/* 1: row's id is this one. Ends are in order, or the segment would not be open. */
static int same_id(const struct id_tables *ids, uint64_t row, const void *id,
                   size_t bytes)
{
    uint64_t begin = load_u64(ids->ends + row * 8);
    uint64_t end = load_u64(ids->ends + row * 8 + 8);
    return end - begin == bytes && memcmp(ids->text + begin, id, bytes) == 0;
}

uint64_t il_segment_slot(const struct id_tables *ids, uint64_t rows, const void *id,
                         size_t bytes, uint64_t hash)
{
    uint64_t at = hash & ids->slot_mask;
    for (uint64_t step = 0; step <= ids->slot_mask; step++) {
        const unsigned char *slot = ids->slots + at * SLOT_BYTES;
        uint64_t row = slot_row(slot);
        if (row == 0)
            break;
        if (slot_tag(slot) == (uint32_t)(hash >> 32) && row <= rows &&
            same_id(ids, row - 1, id, bytes))
            break;
        at = (at + 1) & ids->slot_mask;
    }
    return at;
}

/* The inner loops have a fixed length, so that gcc -O2 makes vectors of them. */
#define RUN 64

void il_segment_shuffle(size_t width, const unsigned char *x, size_t bytes,
                        unsigned char *out)
{
    const size_t count = bytes / width;
    IL_ASSERT(bytes % (RUN * width) == 0 && (width == 2 || width == 4));
    for (size_t p = 0; p < width; p++) {
        unsigned char *plane = out + p * count;
        for (size_t i = 0; i < count; i += RUN) {
            const unsigned char *from = x + i * width + p;
            if (width == 4) {
                for (size_t j = 0; j < RUN; j++)
                    plane[i + j] = from[4 * j];
            } else {
                for (size_t j = 0; j < RUN; j++)
                    plane[i + j] = from[2 * j];
            }
        }
    }
}

void il_segment_unshuffle(size_t width, const unsigned char *x, size_t bytes,
                          unsigned char *out)
{
    const size_t count = bytes / width;
    IL_ASSERT(bytes % (RUN * width) == 0 && (width == 2 || width == 4));
    for (size_t i = 0; i < count; i += RUN) {
        const unsigned char *p0 = x + i, *p1 = p0 + count;
        if (width == 2) {
            uint16_t run[RUN];
            for (size_t j = 0; j < RUN; j++)
                run[j] = (uint16_t)(p0[j] | p1[j] << 8);
            memcpy(out + 2 * i, run, sizeof(run));
        } else {
            const unsigned char *p2 = p1 + count, *p3 = p2 + count;
            uint32_t run[RUN];
            for (size_t j = 0; j < RUN; j++)
                run[j] = (uint32_t)p0[j] | (uint32_t)p1[j] << 8 | (uint32_t)p2[j] << 16 |
                         (uint32_t)p3[j] << 24;
            memcpy(out + 4 * i, run, sizeof(run));
        }
    }
}
