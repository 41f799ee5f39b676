/* SPDX-License-Identifier: Apache-2.0 */
/* Rows of one length behind a header, or each behind its length: what is whole is taken,
   whatever the header says of their number. */
#include "src/stream/tail_inner.h"

#include "formats/little.h"
#include "formats/npy.h"
#include "formats/vecs.h"
#include "src/base/base.h"
#include "src/store/source_kind.h"

#include <inttypes.h>
#include <string.h>

/* Enough for most headers of .npy; the longest that is read. */
#define HEADER_BYTES 256u
#define HEADER_BYTES_MAX 10240u
/* Rows are taken in pieces of so many bytes. */
#define PIECE ((size_t)256 * 1024)

/* Bytes of the header, or of as much of it as says how long it is; 0: what there is
   cannot be one, the parser says why. */
static size_t header_bytes(const struct il_flow *f, const unsigned char *p, size_t have)
{
    if (f->mark.kind == IL_KIND_FVECS || f->mark.kind == IL_KIND_BVECS)
        return 4;
    if (f->mark.kind != IL_KIND_NPY)
        return 8;
    size_t magic = have < IL_NPY_MAGIC_BYTES ? have : IL_NPY_MAGIC_BYTES;
    if (memcmp(p, IL_NPY_MAGIC, magic) != 0)
        return 0;
    if (have < 12)
        return 12;
    size_t bytes =
        p[6] == 1 ? 10 + (p[8] | (size_t)p[9] << 8) : 12 + (size_t)il_load_u32(p + 8);
    return bytes > HEADER_BYTES_MAX ? 0 : bytes;
}

enum il_status il_rows_begin(struct il_flow *f, int *ready, struct il_error *error)
{
    unsigned char header[HEADER_BYTES_MAX];
    unsigned char *data = header;
    size_t have = 0, wanted = HEADER_BYTES;
    *ready = 0;
    enum il_status status = IL_OK;
    /* Of a file that is compared, the place that was reached is not its begin. */
    for (int i = 0; i < 2; i++) {
        status = f->piped ? il_flow_look(f, wanted, &data, &have, error)
                          : il_grow_read(&f->file, 0, header, wanted, &have, error);
        if (status != IL_OK)
            return status;
        wanted = have == 0 ? 1 : header_bytes(f, data, have);
        if (wanted <= have)
            break;
    }
    if (have < wanted)
        return IL_OK;
    const struct il_bytes bytes = {.name = f->shown,
                                   .size = IL_SIZE_UNKNOWN,
                                   .memory = data,
                                   .memory_bytes = have,
                                   .growing = 1};
    status = il_kind_layout(&f->layout, f->mark.kind, &bytes, error);
    if (status != IL_OK) {
        f->layout = (struct il_layout){0};
        return status;
    }
    if (f->mark.offset == 0) {
        f->mark.base = f->layout.offset;
        f->mark.offset = f->layout.offset;
    }
    *ready = 1;
    return IL_OK;
}

/* The next rows: how many of those at data are sound. */
static size_t count_sound(const struct il_flow *f, const unsigned char *data,
                          size_t count)
{
    size_t sound = 0;
    if (f->layout.lead_bytes == 0)
        return count;
    while (sound < count &&
           il_load_u32(data + sound * f->layout.stride_bytes) == f->layout.dim)
        sound++;
    return sound;
}

static enum il_status give(struct il_tail *t, struct il_flow *f, unsigned char *data,
                           size_t count, struct il_error *error)
{
    const size_t stride = f->layout.stride_bytes;
    for (size_t i = 0; i < count; i++) {
        unsigned char *row = data + i * stride;
        float *out = il_batch_row(t);
        enum il_status status = il_flow_give(t, f, NULL, 0, error);
        if (status != IL_OK)
            return status;
        /* Before they are converted in their place. */
        il_flow_take(f, row, stride);
        il_rows_convert(&f->layout, row, 1, out);
    }
    return IL_OK;
}

/* Rows that were there before somebody began to follow. */
static enum il_status pass_over(struct il_tail *t, struct il_flow *f,
                                struct il_error *error)
{
    struct il_mark *m = &f->mark;
    const uint64_t end = m->skip_to < f->size ? m->skip_to : f->size;
    if (f->piped || end <= m->offset)
        return IL_OK;
    const uint64_t rows = (end - m->offset) / f->layout.stride_bytes;
    enum il_status status =
        rows > 0 ? il_flow_jump(f, rows * f->layout.stride_bytes, error) : IL_OK;
    if (status == IL_OK) {
        m->rows += rows;
        t->number += f->name ? 0 : rows;
        m->skip_to = 0;
    }
    return status;
}

enum il_status il_rows_next(struct il_tail *t, struct il_flow *f, struct il_error *error)
{
    struct il_batch *b = &t->batch;
    struct il_layout *l = &f->layout;
    int ready = 1;
    enum il_status status = IL_OK;
    if (l->dim == 0)
        status = il_rows_begin(f, &ready, error);
    if (status != IL_OK || !ready)
        return status;
    if (t->dim != 0 && t->dim != l->dim)
        return il_fail(error, IL_EFORMAT,
                       "%s: rows of %zu coordinates, wanted %zu: another dimension",
                       f->shown, l->dim, t->dim);
    status = pass_over(t, f, error);
    if (status == IL_OK)
        status = il_batch_room(t, l->dim, error);
    while (status == IL_OK && b->count < b->most) {
        unsigned char *data = NULL;
        size_t have = 0, most = PIECE / l->stride_bytes > 0 ? PIECE / l->stride_bytes : 1;
        most = most < b->most - b->count ? most : b->most - b->count;
        status = il_flow_look(f, most * l->stride_bytes, &data, &have, error);
        if (status != IL_OK)
            return status;
        /* A shorter row would wait for ever to become one of the right length. */
        if (have < l->stride_bytes)
            return l->lead_bytes > 0 && have >= l->lead_bytes
                       ? il_vecs_check(l, data, f->mark.rows, 1, f->shown, error)
                       : IL_OK;
        size_t whole = have / l->stride_bytes < most ? have / l->stride_bytes : most;
        size_t sound = count_sound(f, data, whole);
        const uint64_t row = f->mark.rows + sound;
        status = give(t, f, data, sound, error);
        if (status == IL_OK && sound < whole)
            status =
                il_vecs_check(l, data + sound * l->stride_bytes, row, 1, f->shown, error);
    }
    return status;
}
