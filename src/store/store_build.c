/* SPDX-License-Identifier: Apache-2.0 */
/* New segments and new manifests: sealing, bulk import, compaction. Files are written and
   synced first, then their names, then the manifest that names them: whatever happens, a
   manifest never means a file that is not whole. */
#include "src/store/store_inner.h"

#include "src/base/base.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum il_status il_store_number(struct il_store *s, uint32_t *out, struct il_error *error)
{
    if (s->m.next > IL_NUMBER_MAX)
        return il_fail(error, IL_ELIMIT, "%s: all %u numbers of files are used",
                       il_path_tail(s->path), IL_NUMBER_MAX);
    *out = s->m.next++;
    return IL_OK;
}

void il_build_open(struct il_build *b, struct il_store *s, size_t rows_max)
{
    *b = (struct il_build){.store = s, .rows_max = rows_max, .out = {.fd = -1}};
}

static enum il_status write_out(void *context, const void *data, size_t bytes,
                                struct il_error *error)
{
    return il_out_write(context, data, bytes, error);
}

static enum il_status begin_segment(struct il_build *b, struct il_error *error)
{
    struct il_store *s = b->store;
    struct il_segment_config c;
    enum il_status status = il_store_number(s, &b->number, error);
    if (status != IL_OK)
        return status;
    il_store_name(b->number, "seg", b->name);
    il_dir_shown(&s->dir, b->name, b->shown);
    status = il_out_open(&b->out, &s->dir, b->name, b->shown, 1, error);
    if (status != IL_OK)
        return status;
    il_segment_config_init(&c);
    c.name = b->shown;
    c.codec = s->m.codec;
    c.dim = s->m.stored_dim;
    c.source_dim = s->m.dim;
    c.mean = s->mean;
    c.basis = s->basis;
    c.level = s->config.level;
    c.rows_max = b->rows_max;
    /* Room for one id of the greatest length, however few the rows. */
    if (b->rows_max < IL_ID_BYTES_MAX / 64)
        c.id_bytes_max = IL_ID_BYTES_MAX;
    /* Unlike those of other stores by the store's own, and of this one by the number. */
    memcpy(c.uuid, s->m.uuid, sizeof(c.uuid));
    for (int i = 0; i < 4; i++)
        c.uuid[12 + i] ^= (unsigned char)(b->number >> (8 * i));
    memcpy(c.model, s->m.fingerprint, sizeof(c.model));
    c.write = write_out;
    c.context = &b->out;
    return il_segment_writer_open(&b->writer, &c, error);
}

enum il_status il_build_end(struct il_build *b, struct il_error *error)
{
    const struct il_manifest_segment entry = {.number = b->number};
    int missing = 0;
    if (!b->writer)
        return IL_OK;
    if (b->count == b->room) {
        size_t room = b->room ? 2 * b->room : 16;
        void *parts = il_realloc(b->parts, b->count * sizeof(struct il_part *),
                                 room * sizeof(struct il_part *));
        if (!parts)
            return il_fail(error, IL_ENOMEM, "%s: no memory for more segments", b->shown);
        b->parts = parts;
        b->room = room;
    }
    enum il_status status = il_segment_finish(b->writer, error);
    if (status == IL_OK)
        status = il_out_sync(&b->out, error);
    if (status != IL_OK)
        return status;
    il_segment_writer_close(&b->writer);
    il_out_close(&b->out);
    status = il_part_open(&b->parts[b->count], &b->store->dir, &b->store->m, &entry, 1,
                          &missing, error);
    b->count += status == IL_OK;
    return status;
}

/* Begins a segment where there is none, and where the current one is full. */
static enum il_status have_writer(struct il_build *b, int *fresh, struct il_error *error)
{
    *fresh = 0;
    if (b->writer && il_segment_writer_rows(b->writer) == b->rows_max) {
        enum il_status status = il_build_end(b, error);
        if (status != IL_OK)
            return status;
    }
    if (b->writer)
        return IL_OK;
    *fresh = 1;
    return begin_segment(b, error);
}

enum il_status il_build_push(struct il_build *b, const void *id, size_t id_bytes,
                             const float *row, struct il_error *error)
{
    /* The look-ups of ids touch a page here and there of every mapped segment. */
    il_large_look();
    for (;;) {
        int fresh = 0;
        enum il_status status = have_writer(b, &fresh, error);
        if (status != IL_OK)
            return status;
        status = il_segment_push(b->writer, id, id_bytes, row, error);
        /* No room for its id: a new segment has some. */
        if (status != IL_ELIMIT || fresh)
            return status;
        status = il_build_end(b, error);
        if (status != IL_OK)
            return status;
    }
}

enum il_status il_build_push_stored(struct il_build *b, const void *id, size_t id_bytes,
                                    const void *block, size_t row, float scale,
                                    float norm, struct il_error *error)
{
    for (;;) {
        int fresh = 0;
        enum il_status status = have_writer(b, &fresh, error);
        if (status != IL_OK)
            return status;
        status = il_segment_push_stored(b->writer, id, id_bytes, block, row, scale, norm,
                                        error);
        if (status != IL_ELIMIT || fresh)
            return status;
        status = il_build_end(b, error);
        if (status != IL_OK)
            return status;
    }
}

/* A file that cannot be removed is in no manifest: the next writer tries again. */
static void try_remove(const struct il_dir *dir, uint32_t number, const char *ending)
{
    char name[STORE_NAME];
    struct il_error ignored;
    il_store_name(number, ending, name);
    if (il_dir_remove(dir, name, &ignored) != IL_OK)
        return;
}

void il_build_close(struct il_build *b)
{
    /* When a call failed nobody knows which manifest is on disk: it may name them. */
    const int ours = b->store && b->store->poison == IL_OK;
    if (b->out.fd >= 0) {
        il_out_close(&b->out);
        if (ours)
            try_remove(&b->store->dir, b->number, "seg");
    }
    il_segment_writer_close(&b->writer);
    for (size_t i = 0; i < b->count; i++) {
        if (ours)
            try_remove(&b->store->dir, b->parts[i]->entry.number, "seg");
        il_part_drop(&b->parts[i]);
    }
    il_free(b->parts);
    *b = (struct il_build){.out = {.fd = -1}};
}

enum il_status il_store_write_manifest(const struct il_dir *dir,
                                       const struct il_manifest *m,
                                       struct il_error *error)
{
    size_t bytes = il_manifest_bytes(m);
    unsigned char *data = il_alloc(bytes, 1);
    if (!data)
        return il_fail(error, IL_ENOMEM, "%s: no memory for a manifest",
                       il_path_tail(dir->path));
    il_manifest_encode(m, data);
    enum il_status status = il_store_save(dir, STORE_MANIFEST_NEW, data, bytes, error);
    if (status == IL_OK)
        status = il_dir_rename(dir, STORE_MANIFEST_NEW, STORE_MANIFEST, error);
    if (status == IL_OK)
        status = il_dir_sync(dir, error);
    il_free(data);
    return status;
}

/* The entry of a part in the next manifest; writes its deletions where they changed. */
static enum il_status next_entry(struct il_store *s, const struct il_part *p,
                                 struct il_manifest_segment *out, struct il_error *error)
{
    *out = p->entry;
    if (!p->changed)
        return IL_OK;
    char name[STORE_NAME];
    size_t bytes = il_deletions_bytes(p->entry.rows);
    enum il_status status = il_store_number(s, &out->del, error);
    if (status != IL_OK)
        return status;
    unsigned char *data = il_alloc(bytes, 1);
    if (!data) {
        il_fail(error, IL_ENOMEM, "%s: no memory to write its deletions", p->shown);
        return IL_ENOMEM;
    }
    il_deletions_encode(p->entry.number, p->entry.rows, p->bits, data);
    out->deleted = p->deleted;
    /* The sum of the whole is the last field. */
    memcpy(&out->del_sum, data + bytes - sizeof(out->del_sum), sizeof(out->del_sum));
    il_store_name(out->del, "del", name);
    status = il_store_save(&s->dir, name, data, bytes, error);
    il_free(data);
    return status;
}

/* Removes the files of before that the manifest no longer names, and takes the new parts
   in. parts are as many as the manifest has segments. */
static void take_over(struct il_store *s, struct il_manifest *next,
                      struct il_part **parts, struct il_log_file *log)
{
    for (size_t i = 0; i < s->m.count; i++) {
        struct il_part *old = s->parts[i];
        size_t k = 0;
        while (k < next->count && parts[k] != old)
            k++;
        if (k == next->count)
            try_remove(&s->dir, old->entry.number, "seg");
        if (old->entry.del != 0 &&
            (k == next->count || next->segments[k].del != old->entry.del))
            try_remove(&s->dir, old->entry.del, "del");
        if (k == next->count)
            il_part_drop(&s->parts[i]);
    }
    for (size_t i = 0; i < next->count; i++) {
        parts[i]->entry = next->segments[i];
        parts[i]->changed = 0;
    }
    il_free(s->parts);
    s->parts = parts;
    if (s->log != log) {
        try_remove(&s->dir, s->m.log, "log");
        il_log_file_drop(&s->log);
        s->log = log;
        il_log_index_free(&s->index);
        s->active_at = s->committed = s->written = s->synced = IL_LOG_HEADER_BYTES;
        s->since = 0;
    }
    il_manifest_free(&s->m);
    s->m = *next;
    *next = (struct il_manifest){0};
    pthread_cond_broadcast(&s->changed);
}

/* parts, then those that were built; without the ones that have no live row, whose files
   go. */
enum il_status il_store_publish(struct il_store *s, struct il_part **parts, size_t count,
                                struct il_log_file *log, uint64_t log_synced,
                                struct il_error *error)
{
    struct il_manifest next = s->m;
    struct il_part **kept = il_alloc(count, sizeof(struct il_part *));
    enum il_status status = IL_OK;
    next.count = 0;
    next.segments = il_alloc(count, sizeof(*next.segments));
    if (!kept || !next.segments) {
        status = IL_ENOMEM;
        il_fail(error, status, "%s: no memory for a manifest", il_path_tail(s->path));
    }
    for (size_t i = 0; status == IL_OK && i < count; i++) {
        if (parts[i]->deleted == parts[i]->entry.rows)
            continue;
        kept[next.count] = parts[i];
        status = next_entry(s, parts[i], &next.segments[next.count], error);
        next.count++;
    }
    if (status == IL_OK && next.count > IL_SEGMENTS_MAX)
        status = il_fail(error, IL_ELIMIT, "%s: more than %u segments",
                         il_path_tail(s->path), IL_SEGMENTS_MAX);
    next.generation++;
    next.next = s->m.next;
    next.log = log->info.number;
    next.log_synced = log_synced;
    if (status == IL_OK)
        status = il_dir_sync(&s->dir, error);
    if (status == IL_OK)
        status = il_store_write_manifest(&s->dir, &next, error);
    if (status != IL_OK) {
        il_free(kept);
        il_free(next.segments);
        return status;
    }
    /* New parts that nothing of is left are no old ones: take_over does not see them. */
    for (size_t i = 0; i < count; i++) {
        int old = 0;
        for (size_t k = 0; k < s->m.count && !old; k++)
            old = s->parts[k] == parts[i];
        if (!old && parts[i]->deleted == parts[i]->entry.rows) {
            try_remove(&s->dir, parts[i]->entry.number, "seg");
            il_part_drop(&parts[i]);
        }
    }
    take_over(s, &next, kept, log);
    return IL_OK;
}

enum il_status il_store_new_log(struct il_store *s, struct il_log_file **out,
                                struct il_error *error)
{
    unsigned char header[IL_LOG_HEADER_BYTES];
    struct il_log_file *f = il_alloc_zero(1, sizeof(*f));
    *out = NULL;
    if (!f)
        return il_fail(error, IL_ENOMEM, "%s: no memory for a log",
                       il_path_tail(s->path));
    atomic_init(&f->refs, 1);
    f->out.fd = -1;
    f->info.dim = s->m.dim;
    memcpy(f->info.uuid, s->m.uuid, sizeof(f->info.uuid));
    enum il_status status = il_store_number(s, &f->info.number, error);
    il_log_salt(&f->info);
    il_store_name(f->info.number, "log", f->name);
    il_dir_shown(&s->dir, f->name, f->shown);
    il_log_encode_header(&f->info, header);
    if (status == IL_OK)
        status = il_out_open(&f->out, &s->dir, f->name, f->shown, 1, error);
    if (status == IL_OK)
        status = il_out_write(&f->out, header, sizeof(header), error);
    if (status == IL_OK)
        status = il_out_sync(&f->out, error);
    if (status != IL_OK)
        il_log_file_drop(&f);
    *out = f;
    return status;
}

/* The rows of the log, in the order in which their ids came. */
static enum il_status build_log(struct il_store *s, struct il_build *b,
                                struct il_error *error)
{
    enum il_status status = IL_OK;
    for (size_t i = 0; status == IL_OK && i < s->index.count; i++) {
        const struct il_log_row *row = &s->index.rows[i];
        struct il_log_record record;
        if (!row->live)
            continue;
        status = il_store_fetch(s, row, &record, error);
        if (status == IL_OK)
            status = il_build_push(b, record.id, record.id_bytes,
                                   (const float *)(const void *)record.row, error);
    }
    return status == IL_OK ? il_build_end(b, error) : status;
}

/* The parts of before and those that were built become the store. */
static enum il_status publish_both(struct il_store *s, struct il_build *b, int old,
                                   struct il_log_file *log, struct il_error *error)
{
    size_t before = old ? s->m.count : 0, count = before + b->count;
    struct il_part **all = il_alloc(count, sizeof(struct il_part *));
    if (!all)
        return il_fail(error, IL_ENOMEM, "%s: no memory for its segments",
                       il_path_tail(s->path));
    if (before > 0)
        memcpy(all, s->parts, before * sizeof(struct il_part *));
    if (b->count > 0)
        memcpy(all + before, b->parts, b->count * sizeof(struct il_part *));
    enum il_status status = il_store_publish(
        s, all, count, log, log == s->log ? s->synced : IL_LOG_HEADER_BYTES, error);
    if (status == IL_OK)
        b->count = 0; /* given */
    il_free(all);
    return status;
}

/* What ends a call that writes files. Without memory, or at a damaged chunk, it stops
   with the store as it was; after a write or sync that failed nobody knows what is on
   disk. */
static enum il_status after(struct il_store *s, enum il_status status,
                            struct il_error *error)
{
    return status == IL_EIO ? il_store_poison(s, status, error) : status;
}

enum il_status il_store_seal_now(struct il_store *s, struct il_error *error)
{
    struct il_build b;
    struct il_log_file *log = NULL;
    enum il_status status = il_store_settle(s, 1, error);
    if (status != IL_OK || s->active_at == IL_LOG_HEADER_BYTES)
        return status;
    size_t rows =
        s->index.live < s->config.segment_rows ? s->index.live : s->config.segment_rows;
    il_build_open(&b, s, rows);
    status = build_log(s, &b, error);
    if (status == IL_OK)
        status = il_store_new_log(s, &log, error);
    if (status == IL_OK)
        status = publish_both(s, &b, 1, log, error);
    if (status != IL_OK)
        il_log_file_drop(&log);
    status = after(s, status, error);
    il_build_close(&b);
    return status;
}

/* Live rows of a part, bit for bit. */
static enum il_status copy_part(struct il_build *b, const struct il_part *p,
                                struct il_error *error)
{
    const struct il_segment_info *info = il_segment_info(p->segment);
    const size_t block = il_codec_block_bytes(info->codec, info->dim);
    struct il_segment_decoder *d = NULL;
    unsigned char *raw = il_alloc(info->raw_max, 1);
    enum il_status status = IL_OK;
    if (!raw) {
        status = IL_ENOMEM;
        il_fail(error, status, "%s: no memory for a chunk", p->shown);
    }
    if (status == IL_OK)
        status = il_segment_decoder_open(&d, p->segment, error);
    for (size_t i = 0; status == IL_OK && i < info->chunks; i++) {
        struct il_segment_chunk c = il_segment_chunk(p->segment, i);
        status = il_segment_read(d, i, raw, error);
        for (size_t r = 0; status == IL_OK && r < c.rows; r++) {
            size_t id_bytes = 0, row = c.first + r;
            float scale = 1;
            if (il_bit(p->bits, row))
                continue;
            const void *id = il_segment_id(p->segment, row, &id_bytes);
            if (il_codec_has_scale(info->codec))
                memcpy(&scale, raw + c.scale_at + r * sizeof(scale), sizeof(scale));
            status = il_build_push_stored(
                b, id, id_bytes, raw + r / IL_SEGMENT_BLOCK * block, r % IL_SEGMENT_BLOCK,
                scale, il_segment_norm(p->segment, row), error);
        }
    }
    il_segment_decoder_close(&d);
    il_free(raw);
    return status;
}

/* With the mutex. */
static enum il_status compact(struct il_store *s, struct il_error *error)
{
    struct il_build b;
    uint64_t rows = 0, deleted = 0;
    enum il_status status = il_store_seal_now(s, error);
    if (status != IL_OK)
        return status;
    for (size_t i = 0; i < s->m.count; i++) {
        rows += s->parts[i]->entry.rows - s->parts[i]->deleted;
        deleted += s->parts[i]->deleted;
    }
    const uint64_t most = s->config.segment_rows;
    if (deleted == 0 && s->m.count <= (rows + most - 1) / most)
        return IL_OK;
    il_build_open(&b, s, (size_t)(rows < most ? rows : most));
    for (size_t i = 0; status == IL_OK && i < s->m.count; i++)
        status = copy_part(&b, s->parts[i], error);
    if (status == IL_OK)
        status = il_build_end(&b, error);
    if (status == IL_OK)
        status = publish_both(s, &b, 0, s->log, error);
    status = after(s, status, error);
    il_build_close(&b);
    return status;
}

/* May this thread write? */
static enum il_status may_write(struct il_store *s, int bulk, struct il_error *error)
{
    if (s->lock_fd < 0)
        return il_fail(error, IL_EARG, "%s: opened for reading", il_path_tail(s->path));
    if (bulk != (s->bulk != NULL))
        return il_fail(error, IL_EARG, "%s: %s bulk import is under way",
                       il_path_tail(s->path), bulk ? "no" : "a");
    return il_store_check(s, error);
}

enum il_status il_store_compact(struct il_store *s, struct il_error *error)
{
    struct il_error own;
    if (!error)
        error = &own;
    pthread_mutex_lock(&s->mutex);
    enum il_status status = may_write(s, 0, error);
    if (status == IL_OK)
        status = compact(s, error);
    pthread_mutex_unlock(&s->mutex);
    return status;
}

enum il_status il_store_bulk_begin(struct il_store *s, struct il_error *error)
{
    struct il_error own;
    if (!error)
        error = &own;
    pthread_mutex_lock(&s->mutex);
    enum il_status status = may_write(s, 0, error);
    /* The log is played over the segments: it must be empty when new ones come. */
    if (status == IL_OK)
        status = il_store_seal_now(s, error);
    if (status == IL_OK) {
        s->bulk = il_alloc(1, sizeof(*s->bulk));
        if (!s->bulk)
            status = il_fail(error, IL_ENOMEM, "%s: no memory for a bulk import",
                             il_path_tail(s->path));
        else
            il_build_open(s->bulk, s, s->config.segment_rows);
    }
    pthread_mutex_unlock(&s->mutex);
    return status;
}

/* An id that came before in the bulk: refuses it, or finds the earlier row. */
static enum il_status find_in_bulk(struct il_store *s, const void *id, size_t id_bytes,
                                   struct il_part **part, uint64_t *row,
                                   struct il_error *error)
{
    struct il_build *b = s->bulk;
    char shown[80];
    enum il_status status = IL_OK;
    int again =
        b->writer && il_segment_writer_find(b->writer, id, id_bytes) != IL_SEGMENT_NONE;
    /* An id stands once in a segment. */
    if (again && s->config.replace)
        status = il_build_end(b, error);
    if (status != IL_OK)
        return status;
    *part = NULL;
    for (size_t i = b->count; i-- > 0 && !*part;) {
        *row = il_part_find(b->parts[i], id, id_bytes);
        if (*row != IL_SEGMENT_NONE)
            *part = b->parts[i];
    }
    if ((again || *part) && !s->config.replace)
        return il_fail(error, IL_EARG, "%s: id '%s' comes twice in this import",
                       il_path_tail(s->path),
                       il_printable(shown, sizeof(shown), id, id_bytes));
    return *part ? il_part_reserve(*part, error) : IL_OK;
}

uint64_t il_store_bulk_bytes(struct il_store *s)
{
    const uint64_t chunk_min = (uint64_t)1 << 20;
    pthread_mutex_lock(&s->mutex);
    const uint64_t dim = s->m.dim, stored = s->m.stored_dim;
    uint64_t block = IL_SEGMENT_BLOCK * stored * sizeof(float);
    uint64_t chunk = block > chunk_min ? block : chunk_min;
    /* Rows staged twice, a chunk as it is, shuffled and packed, and a row on its way. */
    uint64_t bytes = 2 * block + 3 * chunk + 3 * dim * sizeof(float);
    if (s->basis)
        bytes += dim * (1 + stored) * sizeof(float);
    /* A bit each, as soon as one of a segment is replaced. */
    for (size_t i = 0; i < s->m.count; i++)
        bytes += il_deletions_bitmap_bytes(s->m.segments[i].rows);
    pthread_mutex_unlock(&s->mutex);
    return bytes;
}

int il_store_holds(struct il_store *s, const float *row)
{
    struct il_error ignored;
    pthread_mutex_lock(&s->mutex);
    int holds = il_segment_image_rows(s->image, row, 1, NULL, &ignored) == IL_OK;
    pthread_mutex_unlock(&s->mutex);
    return holds;
}

enum il_status il_store_bulk_put(struct il_store *s, const void *id, size_t id_bytes,
                                 const float *row, struct il_error *error)
{
    struct il_error own;
    struct il_part *part = NULL;
    uint64_t old = 0;
    if (!error)
        error = &own;
    pthread_mutex_lock(&s->mutex);
    enum il_status status = may_write(s, 1, error);
    if (status == IL_OK)
        status = find_in_bulk(s, id, id_bytes, &part, &old, error);
    if (status == IL_OK)
        status = il_build_push(s->bulk, id, id_bytes, row, error);
    if (status == IL_OK && part)
        il_part_delete(part, old);
    pthread_mutex_unlock(&s->mutex);
    return status;
}

/* Rows of the store that the import replaces. */
static enum il_status replace_in_store(struct il_store *s, struct il_error *error)
{
    struct il_build *b = s->bulk;
    for (size_t i = 0; i < b->count; i++)
        for (size_t row = 0; row < b->parts[i]->entry.rows; row++) {
            size_t bytes = 0;
            const void *id = il_segment_id(b->parts[i]->segment, row, &bytes);
            il_large_look();
            for (size_t k = s->m.count; k-- > 0;) {
                uint64_t old = il_part_find(s->parts[k], id, bytes);
                if (old == IL_SEGMENT_NONE)
                    continue;
                enum il_status status = il_part_reserve(s->parts[k], error);
                if (status != IL_OK)
                    return status;
                il_part_delete(s->parts[k], old);
                break;
            }
        }
    return IL_OK;
}

enum il_status il_store_bulk_end(struct il_store *s, struct il_error *error)
{
    struct il_error own;
    if (!error)
        error = &own;
    pthread_mutex_lock(&s->mutex);
    enum il_status status = may_write(s, 1, error);
    if (status == IL_OK) {
        status = il_build_end(s->bulk, error);
        if (status == IL_OK && s->bulk->count > 0) {
            status = replace_in_store(s, error);
            if (status == IL_OK)
                status = publish_both(s, s->bulk, 1, s->log, error);
            /* Rows may be marked that are not replaced: this handle must go no further.
             */
            if (status != IL_OK)
                il_store_poison(s, status, error);
        }
    }
    if (s->bulk) {
        il_build_close(s->bulk);
        il_free(s->bulk);
        s->bulk = NULL;
    }
    pthread_mutex_unlock(&s->mutex);
    return status;
}

void il_store_bulk_abort(struct il_store *s)
{
    pthread_mutex_lock(&s->mutex);
    if (s->bulk) {
        il_build_close(s->bulk);
        il_free(s->bulk);
        s->bulk = NULL;
    }
    pthread_mutex_unlock(&s->mutex);
}
