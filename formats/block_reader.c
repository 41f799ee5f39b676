/* SPDX-License-Identifier: Apache-2.0 */
/* Rows behind a header: .npy, .fvecs, .fbin, IndexFlat, safetensors and their like. */
#include "formats/reader.h"
#include "formats/vecs.h"
#include "simd/simd.h"
#include "src/base/base.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* Bytes looked at at once: what lies in them is converted while it is in a cache. */
#define CHUNK_BYTES ((size_t)256 * 1024)
#define IDS_AT_ONCE 512u

struct block_reader {
    struct il_reader reader;
    struct il_input *stream;
    struct il_layout layout;
    uint64_t given; /* rows */
    struct il_bytes ids;
    unsigned char id[IDS_AT_ONCE * 8];
};

enum il_status il_names_add(struct il_names *names, const void *text, size_t bytes,
                            struct il_error *error)
{
    if (names->room - names->bytes < bytes) {
        size_t room = names->room < 4096 ? 4096 : names->room;
        while (room - names->bytes < bytes && room <= SIZE_MAX / 4)
            room *= 2;
        unsigned char *grown = room - names->bytes < bytes
                                   ? NULL
                                   : il_realloc(names->text, names->bytes, room);
        if (!grown)
            return il_fail(error, IL_ENOMEM, "no memory for %zu bytes of ids", room);
        names->text = grown;
        names->room = room;
    }
    if (bytes)
        memcpy(names->text + names->bytes, text, bytes);
    names->bytes += bytes;
    names->length[names->count++] = bytes;
    return IL_OK;
}

enum il_status il_names_add_number(struct il_names *names, int64_t number,
                                   struct il_error *error)
{
    char text[24];
    char *at = text + sizeof(text);
    uint64_t left = number < 0 ? 0 - (uint64_t)number : (uint64_t)number;
    do {
        *--at = (char)('0' + left % 10);
        left /= 10;
    } while (left);
    if (number < 0)
        *--at = '-';
    return il_names_add(names, at, (size_t)(text + sizeof(text) - at), error);
}

static void swap(unsigned char *data, size_t count, size_t size)
{
    for (size_t i = 0; i < count; i++) {
        unsigned char *p = data + i * size;
        for (size_t q = 0; q < size / 2; q++) {
            unsigned char kept = p[q];
            p[q] = p[size - 1 - q];
            p[size - 1 - q] = kept;
        }
    }
}

static void widen(const unsigned char *data, size_t count, float *out)
{
    for (size_t i = 0; i < count; i++) {
        uint32_t bits = (uint32_t)data[2 * i] << 16 | (uint32_t)data[2 * i + 1] << 24;
        memcpy(&out[i], &bits, sizeof(bits));
    }
}

void il_rows_convert(const struct il_layout *l, unsigned char *data, size_t count,
                     float *out)
{
    size_t size = il_dtype_bytes(l->type);
    for (size_t i = 0; i < count; i++) {
        unsigned char *row = data + i * l->stride_bytes + l->lead_bytes;
        if (l->form == IL_FORM_BF16) {
            widen(row, l->dim, out + i * l->dim);
            continue;
        }
        if (l->form == IL_FORM_SWAPPED)
            swap(row, l->dim, size);
        struct il_matrix m = {l->type, 1, l->dim, l->stride_bytes, row};
        il_matrix_to_f32(&m, 0, 1, out + i * l->dim, l->dim);
    }
}

static enum il_status cut_short(const struct block_reader *b, size_t have,
                                struct il_error *error)
{
    const struct il_layout *l = &b->layout;
    if (l->rows == 0)
        return il_fail(error, IL_EFORMAT,
                       "%s, byte %" PRIu64 ": %zu bytes after %" PRIu64
                       " rows, wanted %zu a row (row length %zu)",
                       il_input_name(b->stream), il_input_at(b->stream) - have, have,
                       b->given, l->stride_bytes, l->dim);
    return il_fail(
        error, IL_EFORMAT,
        "%s, byte %" PRIu64 ": %" PRIu64
        " bytes of rows, wanted %zu (%zu rows of %zu %s): the file is cut short",
        il_input_name(b->stream), l->offset, il_input_at(b->stream) - l->offset,
        l->block_bytes, l->rows, l->dim, il_dtype_text(l->type));
}

/* f32 as they lie in memory go straight to the caller. */
static enum il_status read_plain(struct block_reader *b, size_t most, float *rows,
                                 size_t *count, struct il_error *error)
{
    size_t stride = b->layout.stride_bytes, got = 0;
    enum il_status status = il_input_read(b->stream, rows, most * stride, &got, error);
    if (status != IL_OK)
        return status;
    *count = got / stride;
    return got == most * stride ? IL_OK : cut_short(b, got % stride, error);
}

static enum il_status read_converted(struct block_reader *b, size_t most, float *rows,
                                     size_t *count, struct il_error *error)
{
    const struct il_layout *l = &b->layout;
    size_t stride = l->stride_bytes;
    size_t at_once = CHUNK_BYTES / stride > 0 ? CHUNK_BYTES / stride : 1;
    while (*count < most) {
        unsigned char *data = NULL;
        size_t have = 0, wanted = most - *count < at_once ? most - *count : at_once;
        enum il_status status =
            il_input_look(b->stream, wanted * stride, &data, &have, error);
        if (status != IL_OK)
            return status;
        size_t whole = have / stride < wanted ? have / stride : wanted;
        if (l->lead_bytes > 0 && whole > 0) {
            status = il_vecs_check(l, data, b->given + *count, whole,
                                   il_input_name(b->stream), error);
            if (status != IL_OK)
                return status;
        }
        il_rows_convert(l, data, whole, rows + *count * l->dim);
        il_input_take(b->stream, whole * stride);
        *count += whole;
        if (whole == wanted)
            continue;
        if (l->rows == 0 && have % stride == 0)
            break;
        size_t rest = have - whole * stride;
        il_input_take(b->stream, rest);
        b->given += *count;
        return cut_short(b, rest, error);
    }
    return IL_OK;
}

/* The ids of the next count rows. */
static enum il_status add_ids(struct block_reader *b, size_t count,
                              struct il_names *names, struct il_error *error)
{
    for (size_t i = 0; i < count; i++) {
        uint64_t row = b->given + i;
        size_t in = (size_t)(row % IDS_AT_ONCE);
        if (in == 0 || i == 0) {
            uint64_t left = b->layout.rows - (row - in);
            size_t some = left < IDS_AT_ONCE ? (size_t)left : IDS_AT_ONCE;
            enum il_status status = il_bytes_read(
                &b->ids, b->layout.ids_offset + (row - in) * 8, b->id, some * 8, error);
            if (status != IL_OK)
                return status;
        }
        enum il_status status =
            il_names_add_number(names, (int64_t)il_load_u64(b->id + 8 * in), error);
        if (status != IL_OK)
            return status;
    }
    return IL_OK;
}

/* After the last row nothing may come but what the header announced. */
static enum il_status check_end(struct block_reader *b, struct il_error *error)
{
    const struct il_layout *l = &b->layout;
    unsigned char *data = NULL;
    size_t have = 0;
    /* The size of a file was compared when it was opened. */
    if (l->rows == 0 || il_input_size(b->stream) != IL_SIZE_UNKNOWN)
        return IL_OK;
    uint64_t end = l->offset + l->block_bytes + l->tail_bytes;
    enum il_status status = il_input_skip(b->stream, end, error);
    if (status == IL_OK)
        status = il_input_look(b->stream, 1, &data, &have, error);
    if (status != IL_OK || have == 0)
        return status;
    return il_fail(
        error, IL_EFORMAT,
        "%s, byte %" PRIu64 ": the file goes on, wanted its end after %zu rows "
        "of %zu %s: it is longer than its header says",
        il_input_name(b->stream), end, l->rows, l->dim, il_dtype_text(l->type));
}

static enum il_status next(struct il_reader *reader, size_t most, float *rows,
                           struct il_names *names, size_t *count, struct il_error *error)
{
    struct block_reader *b = (struct block_reader *)reader;
    const struct il_layout *l = &b->layout;
    *count = 0;
    if (l->rows > 0 && most > l->rows - b->given)
        most = (size_t)(l->rows - b->given);
    if (most == 0)
        return IL_OK;
    int plain = l->type == IL_F32 && l->form == IL_FORM_PLAIN && l->lead_bytes == 0;
    enum il_status status = plain ? read_plain(b, most, rows, count, error)
                                  : read_converted(b, most, rows, count, error);
    if (status == IL_OK && names && reader->has_ids)
        status = add_ids(b, *count, names, error);
    b->given += *count;
    if (status == IL_OK && b->given == l->rows)
        status = check_end(b, error);
    return status;
}

static void reader_close(struct il_reader *reader)
{
    il_free(reader);
}

enum il_status il_block_reader_open(struct il_reader **out, struct il_input *stream,
                                    const struct il_layout *layout,
                                    const struct il_bytes *ids, struct il_error *error)
{
    *out = NULL;
    enum il_status status = il_input_skip(stream, layout->offset, error);
    if (status != IL_OK)
        return status;
    struct block_reader *b = il_alloc_zero(1, sizeof(*b));
    if (!b)
        return il_fail(error, IL_ENOMEM, "%s: no memory to read it",
                       il_input_name(stream));
    b->reader = (struct il_reader){.dim = layout->dim,
                                   .rows = layout->rows > 0 ? layout->rows : UINT64_MAX,
                                   .has_ids = layout->ids_offset > 0,
                                   .next = next,
                                   .close = reader_close};
    b->stream = stream;
    b->layout = *layout;
    if (ids)
        b->ids = *ids;
    *out = &b->reader;
    return IL_OK;
}
