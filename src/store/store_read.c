/* SPDX-License-Identifier: Apache-2.0 */
/* Reading stores: single rows by id, and cursors over all of them. */
#include "src/store/store_inner.h"

#include "simd/simd.h"
#include "src/base/base.h"
#include "src/io/scan.h"

#include <inttypes.h>
#include <string.h>

void il_store_restore(const struct il_store *s, const float *stored, float *out)
{
    const struct il_simd *simd = il_simd();
    const size_t dim = s->m.dim;
    if (!s->basis) {
        memmove(out, stored, dim * sizeof(float));
        return;
    }
    memcpy(out, s->mean, dim * sizeof(float));
    for (size_t q = 0; q < s->m.stored_dim; q++)
        simd->axpy_f32(stored[q], s->basis + q * dim, out, dim);
}

/* A row of a segment, which is held. */
static enum il_status get_sealed(struct il_store *s, struct il_part *part, uint64_t row,
                                 float *out, struct il_error *error)
{
    enum il_status status = IL_OK;
    pthread_mutex_lock(&s->reading);
    if (s->decoder_part != part) {
        il_segment_decoder_close(&s->decoder);
        il_part_drop(&s->decoder_part);
        status = il_segment_decoder_open(&s->decoder, part->segment, error);
        if (status == IL_OK)
            s->decoder_part = il_part_hold(part);
    }
    if (status == IL_OK)
        status = il_segment_row(s->decoder, row, s->stored, error);
    if (status == IL_OK)
        il_store_restore(s, s->stored, out);
    pthread_mutex_unlock(&s->reading);
    return status;
}

/* A row of the log, as a segment would give it; with the mutex. */
static enum il_status get_logged(struct il_store *s, const struct il_log_row *row,
                                 float *out, struct il_error *error)
{
    struct il_log_record record;
    enum il_status status = il_store_fetch(s, row, &record, error);
    float *stored = s->basis ? il_alloc(s->m.stored_dim, sizeof(float)) : out;
    if (status == IL_OK && !stored)
        status =
            il_fail(error, IL_ENOMEM, "%s: no memory for a row", il_path_tail(s->path));
    if (status == IL_OK)
        status = il_segment_image_rows(s->image, (const float *)(const void *)record.row,
                                       1, stored, error);
    if (status == IL_OK)
        il_store_restore(s, stored, out);
    if (s->basis)
        il_free(stored);
    return status;
}

enum il_status il_store_get(struct il_store *s, const void *id, size_t id_bytes,
                            float *out, int *found, struct il_error *error)
{
    struct il_part *part = NULL;
    uint64_t row = IL_SEGMENT_NONE;
    struct il_error own;
    int there = 0;
    if (!error)
        error = &own;
    pthread_mutex_lock(&s->mutex);
    enum il_status status = il_store_check(s, error);
    if (status == IL_OK) {
        struct il_log_row *logged = il_log_index_find(&s->index, id, id_bytes);
        there = logged != NULL;
        if (logged)
            status = get_logged(s, logged, out, error);
        for (size_t i = s->m.count; i-- > 0 && !there;) {
            row = il_part_find(s->parts[i], id, id_bytes);
            there = row != IL_SEGMENT_NONE;
            if (there)
                part = il_part_hold(s->parts[i]);
        }
    }
    pthread_mutex_unlock(&s->mutex);
    if (found)
        *found = there;
    if (status == IL_OK && !there) {
        char shown[80];
        status =
            il_fail(error, IL_EARG, "%s: no row with the id '%s'", il_path_tail(s->path),
                    il_printable(shown, sizeof(shown), id, id_bytes));
    }
    if (part) {
        status = get_sealed(s, part, row, out, error);
        il_part_drop(&part);
    }
    return status;
}

struct il_store_cursor {
    struct il_store *s;
    struct il_part **parts; /* held */
    unsigned char **bits;   /* as they were; NULL: none is deleted */
    size_t count;
    size_t part, chunk; /* where it is; chunk: the one in raw when decoder is there */
    size_t row;         /* next row of the part */
    struct il_segment_decoder *decoder;
    unsigned char *raw;
    float *stored; /* a row, or a block of the log's */
    /* Chunks of the part are read ahead, those with a live row alone. */
    struct il_ring *ring;
    struct il_ring_file file;
    struct il_scan *scan;
    struct il_range *ranges;
    /* The log: what it had, and room for a block of it. */
    struct il_log_file *log;
    struct il_log_row *logged;
    size_t logged_count, logged_next;
    struct il_segment_image *image;
    unsigned char *records;
    float *block; /* rows as they were put */
};

static enum il_status no_memory(const struct il_store *s, struct il_error *error)
{
    return il_fail(error, IL_ENOMEM, "%s: no memory for a cursor", il_path_tail(s->path));
}

/* The state of the store, with the mutex. */
static enum il_status snapshot(struct il_store_cursor *c, struct il_error *error)
{
    struct il_store *s = c->s;
    c->parts = il_alloc_zero(s->m.count, sizeof(struct il_part *));
    c->bits = il_alloc_zero(s->m.count, sizeof(*c->bits));
    c->logged = il_alloc(s->index.live, sizeof(*c->logged));
    if (!c->parts || !c->bits || !c->logged)
        return no_memory(s, error);
    for (size_t i = 0; i < s->m.count; i++) {
        struct il_part *p = s->parts[i];
        if (p->bits) {
            size_t bytes = il_deletions_bitmap_bytes(p->entry.rows);
            c->bits[i] = il_alloc(bytes, 1);
            if (!c->bits[i])
                return no_memory(s, error);
            memcpy(c->bits[i], p->bits, bytes);
        }
        c->parts[i] = il_part_hold(p);
        c->count++;
    }
    for (size_t i = 0; i < s->index.count; i++)
        if (s->index.rows[i].live)
            c->logged[c->logged_count++] = s->index.rows[i];
    c->log = il_log_file_hold(s->log);
    return IL_OK;
}

/* Buffers for the largest chunk of any part. */
static enum il_status open_ring(struct il_store_cursor *c, struct il_error *error)
{
    struct il_store *s = c->s;
    struct il_ring_config config;
    struct il_ring_about about;
    size_t largest = 1;
    if (c->count == 0)
        return IL_OK;
    il_ring_config_init(&config);
    for (size_t i = 0; i < c->count; i++) {
        size_t bytes = il_segment_info(c->parts[i]->segment)->raw_max;
        largest = bytes > largest ? bytes : largest;
    }
    config.block_bytes = largest;
    config.log = s->config.log;
    config.log_context = s->config.log_context;
    pthread_mutex_lock(&s->mutex);
    config.kind = s->config.io == IL_IO_URING   ? IL_RING_URING
                  : s->config.io == IL_IO_PREAD ? IL_RING_PREAD
                                                : IL_RING_AUTO;
    pthread_mutex_unlock(&s->mutex);
    enum il_status status = il_ring_open(&c->ring, &config, error);
    if (status != IL_OK)
        return status;
    il_ring_describe(c->ring, &about);
    /* What cannot be had is said once. */
    pthread_mutex_lock(&s->mutex);
    if (about.kind == IL_RING_PREAD)
        s->config.io = IL_IO_PREAD;
    pthread_mutex_unlock(&s->mutex);
    return IL_OK;
}

enum il_status il_store_cursor_open(struct il_store_cursor **out, struct il_store *s,
                                    struct il_error *error)
{
    struct il_error own;
    if (!error)
        error = &own;
    struct il_store_cursor *c = il_alloc_zero(1, sizeof(*c));
    *out = c;
    if (!c)
        return no_memory(s, error);
    c->s = s;
    c->file.direct = -1;
    pthread_mutex_lock(&s->mutex);
    enum il_status status = il_store_check(s, error);
    /* The cursor reads the log's file: all that was put must be there. */
    if (status == IL_OK && s->lock_fd >= 0)
        status = il_store_flush(s, error);
    if (status == IL_OK)
        status = snapshot(c, error);
    pthread_mutex_unlock(&s->mutex);
    if (status == IL_OK)
        status = open_ring(c, error);
    if (status == IL_OK) {
        c->stored = il_alloc(IL_SEGMENT_BLOCK * s->m.stored_dim, sizeof(float));
        if (!c->stored)
            status = no_memory(s, error);
    }
    if (status == IL_OK && c->logged_count > 0) {
        c->records = il_alloc(IL_SEGMENT_BLOCK, il_log_record_max(s->m.dim));
        c->block = il_alloc(IL_SEGMENT_BLOCK * s->m.dim, sizeof(float));
        if (!c->records || !c->block)
            status = no_memory(s, error);
        else
            status = il_segment_image_open(&c->image, s->m.codec, s->m.stored_dim,
                                           s->m.dim, s->mean, s->basis, error);
    }
    if (status != IL_OK)
        il_store_cursor_close(out);
    return status;
}

static void end_part(struct il_store_cursor *c)
{
    il_segment_decoder_close(&c->decoder);
    il_scan_close(&c->scan);
    il_ring_file_give_back(&c->file);
    il_free(c->ranges);
    c->ranges = NULL;
    il_free(c->raw);
    c->raw = NULL;
}

void il_store_cursor_close(struct il_store_cursor **cursor)
{
    struct il_store_cursor *c = *cursor;
    *cursor = NULL;
    if (!c)
        return;
    end_part(c);
    il_ring_close(&c->ring);
    for (size_t i = 0; i < c->count; i++)
        il_part_drop(&c->parts[i]);
    for (size_t i = 0; c->bits && i < c->count; i++)
        il_free(c->bits[i]);
    il_free(c->parts);
    il_free(c->bits);
    il_free(c->logged);
    il_log_file_drop(&c->log);
    il_segment_image_close(&c->image);
    il_free(c->stored);
    il_free(c->records);
    il_free(c->block);
    il_free(c);
}

/* Begins to read the chunks of a part that have a live row. */
static enum il_status begin_part(struct il_store_cursor *c, struct il_error *error)
{
    const struct il_part *p = c->parts[c->part];
    const struct il_segment_info *info = il_segment_info(p->segment);
    size_t count = 0;
    c->raw = il_alloc(info->raw_max, 1);
    c->ranges = il_alloc(info->chunks, sizeof(*c->ranges));
    if (!c->raw || !c->ranges) {
        no_memory(c->s, error);
        return IL_ENOMEM;
    }
    for (size_t i = 0; i < info->chunks; i++) {
        struct il_segment_chunk k = il_segment_chunk(p->segment, i);
        size_t r = 0;
        while (r < k.rows && il_bit(c->bits[c->part], k.first + r))
            r++;
        if (r < k.rows)
            c->ranges[count++] = (struct il_range){k.offset, k.bytes};
    }
    il_ring_file_borrow(&c->file, &p->file);
    enum il_status status =
        il_scan_open(&c->scan, c->ring, &c->file, c->ranges, count, error);
    c->chunk = SIZE_MAX;
    if (status == IL_OK)
        status = il_segment_decoder_open(&c->decoder, p->segment, error);
    return status;
}

/* Unpacks the chunk that holds the next row: the next one that is read. */
static enum il_status have_chunk(struct il_store_cursor *c, struct il_error *error)
{
    const struct il_part *p = c->parts[c->part];
    const size_t chunk = c->row / il_segment_info(p->segment)->chunk_rows;
    struct il_scan_block block = {0};
    enum il_status status = IL_OK;
    if (c->decoder && c->raw && c->chunk == chunk)
        return IL_OK;
    if (!c->decoder || !c->raw) {
        end_part(c); /* what an earlier call could not begin */
        status = begin_part(c, error);
    }
    if (status == IL_OK)
        status = il_scan_next(c->scan, &block, error);
    if (status != IL_OK)
        return status;
    c->chunk = SIZE_MAX;
    if (!block.data || block.offset != il_segment_chunk(p->segment, chunk).offset) {
        il_fail(error, IL_EARG, "%s: a cursor that failed goes on no more", p->shown);
        return IL_EARG;
    }
    status = il_segment_unpack(c->decoder, chunk, block.data, c->raw, error);
    il_scan_release(c->scan, &block);
    if (status == IL_OK)
        c->chunk = chunk;
    return status;
}

/* Gives a stored row to the caller. */
static void give(const struct il_store_cursor *c, int stored, const float *x, float *out)
{
    if (stored)
        memcpy(out, x, c->s->m.stored_dim * sizeof(float));
    else
        il_store_restore(c->s, x, out);
}

/* The next live row of the segments; *more 0 when there is none. */
static enum il_status next_sealed(struct il_store_cursor *c, int stored, float *out,
                                  const void **id, size_t *id_bytes, int *more,
                                  struct il_error *error)
{
    *more = 0;
    while (c->part < c->count) {
        struct il_part *p = c->parts[c->part];
        const struct il_segment_info *info = il_segment_info(p->segment);
        while (c->row < info->rows && il_bit(c->bits[c->part], c->row))
            c->row++;
        if (c->row == info->rows) {
            end_part(c);
            c->part++;
            c->row = 0;
            continue;
        }
        enum il_status status = have_chunk(c, error);
        if (status != IL_OK)
            return status;
        struct il_segment_chunk k = il_segment_chunk(p->segment, c->chunk);
        size_t at = c->row - k.first;
        float scale = 1;
        if (il_codec_has_scale(info->codec))
            memcpy(&scale, c->raw + k.scale_at + at * sizeof(scale), sizeof(scale));
        float *x = stored || !c->s->basis ? out : c->stored;
        il_codec_row(info->codec, info->dim,
                     c->raw + at / IL_SEGMENT_BLOCK *
                                  il_codec_block_bytes(info->codec, info->dim),
                     at % IL_SEGMENT_BLOCK, scale, x);
        if (x != out)
            give(c, stored, x, out);
        *id = il_segment_id(p->segment, c->row, id_bytes);
        c->row++;
        *more = 1;
        return IL_OK;
    }
    return IL_OK;
}

/* At most a block of rows of the log. */
static enum il_status next_logged(struct il_store_cursor *c, int stored, size_t most,
                                  float *rows, const void **ids, size_t *id_bytes,
                                  size_t *count, struct il_error *error)
{
    const size_t dim = c->s->m.dim, stored_dim = c->s->m.stored_dim;
    const size_t length = stored ? stored_dim : dim, room = il_log_record_max(dim);
    size_t left = c->logged_count - c->logged_next;
    size_t n = left < most ? left : most;
    if (n > IL_SEGMENT_BLOCK)
        n = IL_SEGMENT_BLOCK;
    struct il_file file = {.fd = c->log->out.fd, .sized = 1, .name = c->log->shown};
    for (size_t i = 0; i < n; i++) {
        const struct il_log_row *row = &c->logged[c->logged_next + i];
        unsigned char *p = c->records + i * room;
        size_t bytes = il_log_record_bytes(IL_LOG_PUT, row->id_bytes, dim);
        struct il_log_record r;
        enum il_status status = il_file_read_at(&file, row->offset, p, bytes, error);
        if (status != IL_OK)
            return status;
        if (!il_log_decode(&c->log->info, p, bytes, row->offset, &r))
            return il_fail(error, IL_ECORRUPT,
                           "%s, byte %" PRIu64 ": a record is not what it was when the "
                           "store was opened",
                           c->log->shown, row->offset);
        memcpy(c->block + i * dim, r.row, dim * sizeof(float));
        if (ids) {
            ids[i] = r.id;
            id_bytes[i] = r.id_bytes;
        }
    }
    enum il_status status =
        n > 0 ? il_segment_image_rows(c->image, c->block, n, c->stored, error) : IL_OK;
    if (status != IL_OK)
        return status;
    for (size_t i = 0; i < n; i++)
        give(c, stored, c->stored + i * stored_dim, rows + i * length);
    c->logged_next += n;
    *count = n;
    return IL_OK;
}

enum il_status il_store_cursor_next(struct il_store_cursor *c, int stored, size_t most,
                                    float *rows, const void **ids, size_t *id_bytes,
                                    size_t *count, struct il_error *error)
{
    const size_t length = stored ? c->s->m.stored_dim : c->s->m.dim;
    size_t n = 0;
    *count = 0;
    while (n < most) {
        const void *id = NULL;
        size_t bytes = 0;
        int more = 0;
        enum il_status status =
            next_sealed(c, stored, rows + n * length, &id, &bytes, &more, error);
        if (status != IL_OK)
            return status;
        if (!more)
            break;
        if (ids) {
            ids[n] = id;
            id_bytes[n] = bytes;
        }
        n++;
    }
    *count = n;
    if (n > 0)
        return IL_OK;
    return next_logged(c, stored, most, rows, ids, id_bytes, count, error);
}
