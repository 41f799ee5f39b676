/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Another store: what was put and removed in it. Its log is read record by record, up to
 * the last commit. When a new manifest comes, the rest of the old log is read first (its
 * file is held open), then the old state is compared with the new one: segments have
 * numbers that are never used again, so only new ones are read.
 */
#include "src/stream/tail_inner.h"

#include "formats/little.h"
#include "src/base/base.h"
#include "src/store/store_inner.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define REST_BYTES 72u
#define MANIFEST_HEAD 48u
#define GENERATION_AT 24u

/* What is being read. */
enum phase {
    PHASE_GONE, /* ids that the old state has and the new one has not */
    PHASE_ROWS, /* rows of new segments */
    PHASE_LOG
};

struct il_tail_store {
    /* Of the position. */
    unsigned char uuid[16];
    uint32_t known;   /* segments below this number were read, */
    uint32_t segment; /* and of this one (0: of none) */
    uint64_t row;     /* so many rows */
    uint32_t log;     /* number of the log; 0: none was opened yet */
    uint64_t place;   /* in it: a record begins here */
    uint64_t count;   /* segments below `known` that the manifest named, */
    uint64_t sum;     /* and the sum of the checksums of their numbers */
    /* Of this process. */
    struct il_store *s;   /* the state that is given, or was */
    struct il_store *old; /* what was given before it; NULL: nothing, or unknown */
    enum phase phase;
    size_t gone_part; /* of PHASE_GONE: part of old, or of its log */
    uint64_t gone_row;
    struct il_segment_decoder *decoder; /* of the segment that is read */
    struct il_part *decoder_part;
    float *row_stored, *row_old;
    uint64_t end; /* of the last commit in the log */
    uint64_t log_size;
    int to_end; /* what is there is passed over */
    int shrunk; /* the log lost records that were read: its writer lost power */
};

enum il_status il_tail_store_open(struct il_tail *t, struct il_error *error)
{
    t->store = il_alloc_zero(1, sizeof(*t->store));
    if (!t->store)
        return il_fail(error, IL_ENOMEM, "%s: no memory to follow it",
                       il_path_tail(t->path));
    t->store->to_end = t->fresh;
    t->fresh = 0;
    return IL_OK;
}

static void end_segment(struct il_tail_store *w)
{
    il_segment_decoder_close(&w->decoder);
    il_part_drop(&w->decoder_part);
}

static void close_old(struct il_tail_store *w)
{
    il_store_close(&w->old);
    il_free(w->row_old);
    w->row_old = NULL;
}

void il_tail_store_close(struct il_tail *t)
{
    struct il_tail_store *w = t->store;
    if (!w)
        return;
    end_segment(w);
    close_old(w);
    il_store_close(&w->s);
    il_free(w->row_stored);
    il_free(w);
    t->store = NULL;
}

/* The next segment of the state from number `from` on; NULL: none. */
static struct il_part *part_from(const struct il_store *s, uint32_t from)
{
    for (size_t i = 0; i < s->m.count; i++)
        if (s->m.segments[i].number >= from)
            return s->parts[i];
    return NULL;
}

static void sum_segments(const struct il_manifest *m, uint32_t below, uint64_t *count,
                         uint64_t *sum)
{
    *count = *sum = 0;
    for (size_t i = 0; i < m->count && m->segments[i].number < below; i++) {
        unsigned char number[4];
        store_u32(number, m->segments[i].number);
        *sum += il_checksum(number, sizeof(number));
        ++*count;
    }
}

/* 1: the store has a live row of this id. */
static int has_id(const struct il_store *s, const void *id, size_t id_bytes)
{
    if (il_log_index_find(&s->index, id, id_bytes))
        return 1;
    for (size_t i = s->m.count; i-- > 0;)
        if (il_part_find(s->parts[i], id, id_bytes) != IL_SEGMENT_NONE)
            return 1;
    return 0;
}

/* Another store has the name, or nobody knows what was read of this one. */
static void begin_anew(struct il_tail *t, const char *why)
{
    struct il_tail_store *w = t->store;
    il_tail_say(t, 4, "%s: %s: all of its rows are read again", il_path_tail(t->path),
                why);
    w->known = w->segment = w->log = 0;
    w->row = w->place = w->count = w->sum = 0;
}

/* After a restart: what of the state that is there now was read before? */
static void find_again(struct il_tail *t)
{
    struct il_tail_store *w = t->store;
    const struct il_manifest *m = &w->s->m;
    uint64_t count = 0, sum = 0;
    if (w->log == 0)
        return;
    if (memcmp(w->uuid, m->uuid, sizeof(w->uuid)) != 0) {
        begin_anew(t, "another store than the one that was followed");
        t->rotations++;
        return;
    }
    sum_segments(m, w->known, &count, &sum);
    if (count != w->count || sum != w->sum) {
        begin_anew(t, "compacted while nobody followed; what was removed before that is "
                      "not told");
        return;
    }
    if (w->segment != 0 && !(part_from(w->s, w->segment) &&
                             part_from(w->s, w->segment)->entry.number == w->segment)) {
        w->segment = 0;
        w->row = 0;
    }
    if (w->log != m->log)
        il_tail_say(
            t, 4,
            "%s: its log was sealed while nobody followed; rows of it come again, "
            "and those that were only in it and were removed are not told",
            il_path_tail(t->path));
}

/* Begins with what there is; until all that is gone was told, the position names the log
   of before. */
static void begin_state(struct il_tail *t)
{
    struct il_tail_store *w = t->store;
    const struct il_manifest *m = &w->s->m;
    if (w->old && memcmp(w->old->m.uuid, m->uuid, sizeof(m->uuid)) != 0) {
        begin_anew(t, "another store than the one that was followed");
        t->rotations++;
    }
    if (!w->old)
        find_again(t);
    if (!w->old && w->to_end) {
        w->known = m->next;
        w->log = m->log;
        w->place = w->s->committed;
    }
    /* What is removed stands in the log; only what became of a log that is no more must
       be found otherwise. */
    w->phase = PHASE_ROWS;
    if ((w->log != m->log && (w->old || w->log != 0)) || w->shrunk)
        w->phase = PHASE_GONE;
    if (w->log == 0 && !w->old) {
        w->log = m->log;
        w->place = IL_LOG_HEADER_BYTES;
    }
    w->gone_part = 0;
    w->gone_row = 0;
    w->end = 0;
    w->log_size = 0;
    w->to_end = w->shrunk = 0;
    memcpy(w->uuid, m->uuid, sizeof(w->uuid));
    sum_segments(m, w->known, &w->count, &w->sum);
}

/* Opens the state that is there now; w->old is what was given before. */
static enum il_status open_state(struct il_tail *t, struct il_error *error)
{
    struct il_tail_store *w = t->store;
    enum il_status status = il_store_open(&w->s, t->path, NULL, error);
    if (status != IL_OK)
        return status;
    const struct il_manifest *m = &w->s->m;
    if (t->dim != 0 && t->dim != m->dim) {
        status = il_fail(error, IL_EFORMAT,
                         "%s: rows of %zu coordinates, wanted %zu: another dimension",
                         il_path_tail(t->path), m->dim, t->dim);
        il_store_close(&w->s);
        return status;
    }
    if (!w->row_stored)
        w->row_stored = il_alloc(2 * m->dim, sizeof(float));
    if (!w->row_stored) {
        il_store_close(&w->s);
        return il_fail(error, IL_ENOMEM, "%s: no memory for a row",
                       il_path_tail(t->path));
    }
    begin_state(t);
    return IL_OK;
}

/* Tells of an id of the old state that the new one has not. */
static enum il_status tell_gone(struct il_tail *t, const void *id, size_t id_bytes,
                                struct il_error *error)
{
    if (has_id(t->store->s, id, id_bytes))
        return IL_OK;
    return il_batch_add(t, id, id_bytes, 1, error);
}

/* The next id of the old state's log; *more 0: there is none. */
static enum il_status give_gone_log(struct il_tail *t, int *more, struct il_error *error)
{
    struct il_tail_store *w = t->store;
    const struct il_log_index *index = &w->old->index;
    *more = w->gone_row < index->count;
    if (!*more || !index->rows[w->gone_row].live)
        return IL_OK;
    const struct il_log_row *r = &index->rows[w->gone_row];
    return tell_gone(t, index->text + r->text_at, r->id_bytes, error);
}

/* The next id of a segment: that it had in the old state, or, when that is not known,
   that was deleted since it was written. */
static enum il_status give_gone_row(struct il_tail *t, const struct il_part *p, int *more,
                                    struct il_error *error)
{
    struct il_tail_store *w = t->store;
    size_t id_bytes = 0;
    *more = w->gone_row < p->entry.rows && (w->old || p->entry.number < w->known);
    if (!*more || (il_bit(p->bits, w->gone_row) != 0) == (w->old != NULL))
        return IL_OK;
    const void *id = il_segment_id(p->segment, (size_t)w->gone_row, &id_bytes);
    return tell_gone(t, id, id_bytes, error);
}

/* Tells of ids that are there no more. */
static enum il_status give_gone(struct il_tail *t, struct il_error *error)
{
    struct il_tail_store *w = t->store;
    const struct il_store *from = w->old ? w->old : w->s;
    const size_t parts = from->m.count + (w->old != NULL);
    struct il_batch *b = &t->batch;
    enum il_status status = IL_OK;
    while (status == IL_OK && b->count < b->most && w->gone_part < parts) {
        int more = 0;
        status = w->gone_part == from->m.count
                     ? give_gone_log(t, &more, error)
                     : give_gone_row(t, from->parts[w->gone_part], &more, error);
        if (status == IL_OK && more) {
            w->gone_row++;
        } else if (status == IL_OK) {
            w->gone_part++;
            w->gone_row = 0;
        }
    }
    if (status == IL_OK && w->gone_part == parts) {
        w->phase = PHASE_ROWS;
        w->log = w->s->m.log;
        w->place = IL_LOG_HEADER_BYTES;
    }
    return status;
}

/* A live row of a new segment. *news 0: the old state had the same. */
static enum il_status read_row(struct il_tail *t, struct il_part *p, uint64_t row,
                               float *out, int *news, struct il_error *error)
{
    struct il_tail_store *w = t->store;
    enum il_status status = IL_OK;
    *news = 1;
    if (w->decoder_part != p) {
        end_segment(w);
        status = il_segment_decoder_open(&w->decoder, p->segment, error);
        if (status != IL_OK)
            return status;
        w->decoder_part = il_part_hold(p);
    }
    status = il_segment_row(w->decoder, row, w->row_stored, error);
    if (status != IL_OK)
        return status;
    il_store_restore(w->s, w->row_stored, out);
    size_t id_bytes = 0;
    const void *id = il_segment_id(p->segment, (size_t)row, &id_bytes);
    if (!w->old || !has_id(w->old, id, id_bytes))
        return IL_OK;
    if (!w->row_old)
        w->row_old = il_alloc(w->s->m.dim, sizeof(float));
    if (!w->row_old)
        return il_fail(error, IL_ENOMEM, "%s: no memory for a row",
                       il_path_tail(t->path));
    status = il_store_get(w->old, id, id_bytes, w->row_old, NULL, error);
    if (status == IL_OK)
        *news = memcmp(w->row_old, out, w->s->m.dim * sizeof(float)) != 0;
    return status;
}

static enum il_status give_rows(struct il_tail *t, struct il_error *error)
{
    struct il_tail_store *w = t->store;
    struct il_batch *b = &t->batch;
    enum il_status status = IL_OK;
    while (status == IL_OK && b->count < b->most) {
        struct il_part *p =
            part_from(w->s, w->segment > w->known ? w->segment : w->known);
        if (!p)
            break;
        if (p->entry.number != w->segment) {
            w->segment = p->entry.number;
            w->row = 0;
        }
        if (w->row == p->entry.rows) {
            w->known = p->entry.number + 1;
            sum_segments(&w->s->m, w->known, &w->count, &w->sum);
            continue;
        }
        int news = 0;
        if (!il_bit(p->bits, w->row))
            status = read_row(t, p, w->row, il_batch_row(t), &news, error);
        size_t id_bytes = 0;
        const void *id = il_segment_id(p->segment, (size_t)w->row, &id_bytes);
        if (status == IL_OK && news)
            status = il_batch_add(t, id, id_bytes, 0, error);
        w->row += status == IL_OK;
    }
    if (status != IL_OK || b->count == b->most)
        return status;
    end_segment(w);
    close_old(w);
    w->known = w->s->m.next > w->known ? w->s->m.next : w->known;
    w->segment = 0;
    w->row = 0;
    sum_segments(&w->s->m, w->known, &w->count, &w->sum);
    w->phase = PHASE_LOG;
    return IL_OK;
}

/* Opens the log as far as it goes now, and finds its last commit. */
static enum il_status open_log(struct il_tail *t, struct il_log_reader *r,
                               const struct il_file *file, struct il_error *error)
{
    struct il_tail_store *w = t->store;
    const struct il_bytes bytes = {.name = file->name, .size = file->size, .file = file};
    enum il_status status = il_log_open(r, &bytes, &w->s->log->info, error);
    if (w->end < w->place)
        w->end = w->place;
    r->next = w->end;
    for (int more = file->size > w->log_size; status == IL_OK && more;) {
        struct il_log_record record;
        status = il_log_next(r, &record, &more, error);
        if (status == IL_OK && more && record.kind == IL_LOG_COMMIT)
            w->end = r->next;
    }
    /* What follows the last commit is looked at again when there is more of it. */
    if (status == IL_OK)
        w->log_size = file->size;
    r->next = w->place;
    return status;
}

/* The state that is held takes part in what the log says behind its opening. */
static enum il_status follow(struct il_store *s, const struct il_log_record *r,
                             struct il_error *error)
{
    struct il_part *part = NULL;
    uint64_t row = 0;
    if (r->offset < s->active_at)
        return IL_OK;
    enum il_status status = il_store_ready(s, r->id, r->id_bytes, &part, &row, error);
    if (status != IL_OK)
        return status;
    (void)il_store_apply(s, r->kind, r->id, r->id_bytes, r->offset, part, row);
    /* Where il_store_get looks for it. */
    s->active_at = s->committed = s->written = s->synced = r->offset + r->bytes;
    return IL_OK;
}

static enum il_status give_record(struct il_tail *t, const struct il_log_record *r,
                                  struct il_error *error)
{
    struct il_store *s = t->store->s;
    float *put = t->store->row_stored + s->m.dim;
    if (r->kind == IL_LOG_COMMIT)
        return IL_OK;
    enum il_status status = IL_OK;
    if (r->kind == IL_LOG_PUT) {
        /* As a segment would give it: so it stays the same row when the log is sealed. */
        memcpy(put, r->row, s->m.dim * sizeof(float));
        status = il_segment_image_rows(s->image, put, 1, t->store->row_stored, error);
        if (status == IL_OK)
            il_store_restore(s, t->store->row_stored, il_batch_row(t));
    }
    if (status == IL_OK)
        status = follow(s, r, error);
    if (status == IL_OK)
        status = il_batch_add(t, r->id, r->id_bytes, r->kind == IL_LOG_REMOVE, error);
    return status;
}

static enum il_status give_log(struct il_tail *t, struct il_error *error)
{
    struct il_tail_store *w = t->store;
    struct il_batch *b = &t->batch;
    struct il_log_file *log = w->s->log;
    struct il_log_reader r = {0};
    struct il_about about;
    struct il_file file = {.fd = log->out.fd, .sized = 1, .name = log->shown};
    enum il_status status = il_about_file(&about, &file, error);
    if (status != IL_OK || (about.size == w->log_size && w->place >= w->end))
        return status;
    w->shrunk = about.size < w->place;
    if (w->shrunk) {
        il_tail_say(t, 4,
                    "%s: ends at byte %" PRIu64 ", but was read up to byte %" PRIu64
                    " (power was lost?): read again",
                    log->shown, about.size, w->place);
        return IL_OK;
    }
    file.size = about.size;
    status = open_log(t, &r, &file, error);
    while (status == IL_OK && b->count < b->most && w->place < w->end) {
        struct il_log_record record;
        int more = 0;
        status = il_log_next(&r, &record, &more, error);
        if (status == IL_OK && !more)
            status = il_fail(error, IL_ECORRUPT, "%s, byte %" PRIu64 ": no sound record",
                             w->s->log->shown, w->place);
        if (status == IL_OK)
            status = give_record(t, &record, error);
        if (status == IL_OK)
            w->place = r.next;
    }
    il_log_close(&r);
    return status;
}

/* The generation of the manifest that is there; 0: there is none. */
static enum il_status look_at_manifest(struct il_tail *t, uint64_t *generation,
                                       int *other, struct il_error *error)
{
    unsigned char p[MANIFEST_HEAD];
    struct il_dir dir = {.fd = -1};
    struct il_file file = {.fd = -1};
    struct il_about about;
    int missing = 0;
    *generation = 0;
    *other = 0;
    enum il_status status = il_about_path(&about, t->path, error);
    if (status != IL_OK || about.thing == IL_THING_NONE)
        return status;
    status = il_dir_open(&dir, t->path, error);
    if (status == IL_OK)
        status =
            il_dir_file(&dir, STORE_MANIFEST, STORE_MANIFEST, &file, &missing, error);
    if (status == IL_OK)
        status = il_file_read_at(&file, 0, p, sizeof(p), error);
    il_file_close(&file);
    il_dir_close(&dir);
    if (status != IL_OK)
        return missing ? IL_OK : status;
    *generation = load_u64(p + GENERATION_AT);
    *other = memcmp(p + GENERATION_AT + 8, t->store->uuid, 16) != 0;
    return IL_OK;
}

/* At the end of what is known: is there a newer state? */
static enum il_status look_for_more(struct il_tail *t, int *again, struct il_error *error)
{
    struct il_tail_store *w = t->store;
    uint64_t generation = 0;
    int other = 0;
    *again = 0;
    enum il_status status = look_at_manifest(t, &generation, &other, error);
    if (status != IL_OK)
        return status;
    if (generation == 0) {
        il_tail_set(t, IL_TAIL_MISSING, "%s: no store there any more",
                    il_path_tail(t->path));
        return IL_OK;
    }
    if (generation == w->s->m.generation && !other && !w->shrunk)
        return IL_OK;
    /* What came to the log before it was sealed. */
    status = give_log(t, error);
    if (status != IL_OK || t->batch.count > 0)
        return status;
    w->old = w->s;
    w->s = NULL;
    *again = 1;
    return IL_OK;
}

/* Opens what is there now; when that is not possible the state of before stays. */
static enum il_status reopen(struct il_tail *t, struct il_error *error)
{
    struct il_tail_store *w = t->store;
    if (!w->old && !il_store_exists(t->path)) {
        il_tail_set(t, IL_TAIL_MISSING, "%s: no store there", il_path_tail(t->path));
        return IL_OK;
    }
    enum il_status status = open_state(t, error);
    if (status != IL_OK && w->old) {
        w->s = w->old;
        w->old = NULL;
    }
    return status;
}

static enum il_status give(struct il_tail *t, struct il_error *error)
{
    struct il_tail_store *w = t->store;
    if (!w->s)
        return IL_OK;
    enum il_status status = il_batch_room(t, w->s->m.dim, error);
    if (status == IL_OK && w->phase == PHASE_GONE)
        status = give_gone(t, error);
    if (status == IL_OK && w->phase == PHASE_ROWS && t->batch.count < t->batch.most)
        status = give_rows(t, error);
    if (status == IL_OK && w->phase == PHASE_LOG && t->batch.count < t->batch.most)
        status = give_log(t, error);
    return status;
}

enum il_status il_tail_store_next(struct il_tail *t, struct il_error *error)
{
    struct il_tail_store *w = t->store;
    enum il_status status = IL_OK;
    int again = 1;
    for (int turn = 0; status == IL_OK && again && turn < 2; turn++) {
        again = 0;
        if (!w->s)
            status = reopen(t, error);
        if (status != IL_OK || !w->s)
            return status;
        status = give(t, error);
        if (status == IL_OK && t->batch.count == 0)
            status = look_for_more(t, &again, error);
    }
    return status;
}

uint64_t il_tail_store_lag(const struct il_tail *t)
{
    const struct il_tail_store *w = t->store;
    return w && w->end > w->place ? w->end - w->place : 0;
}

size_t il_tail_store_put(const struct il_tail *t, unsigned char *out)
{
    const struct il_tail_store *w = t->store;
    memset(out, 0, REST_BYTES);
    memcpy(out, w->uuid, 16);
    store_u32(out + 16, w->known);
    store_u32(out + 20, w->segment);
    store_u64(out + 24, w->row);
    store_u32(out + 32, w->log);
    store_u32(out + 36, (uint32_t)w->to_end);
    store_u64(out + 40, w->place);
    store_u64(out + 48, w->count);
    store_u64(out + 56, w->sum);
    return REST_BYTES;
}

enum il_status il_tail_store_get(struct il_tail *t, const unsigned char *p, size_t bytes,
                                 struct il_error *error)
{
    if (bytes != REST_BYTES || il_load_u32(p + 36) > 1 || load_u64(p + 64) != 0)
        return il_position_bad(error, 64, "no place in a store");
    enum il_status status = il_tail_store_open(t, error);
    if (status != IL_OK || !t->store)
        return status;
    struct il_tail_store *w = t->store;
    memcpy(w->uuid, p, 16);
    w->known = il_load_u32(p + 16);
    w->segment = il_load_u32(p + 20);
    w->row = load_u64(p + 24);
    w->log = il_load_u32(p + 32);
    w->to_end = (int)il_load_u32(p + 36);
    w->place = load_u64(p + 40);
    w->count = load_u64(p + 48);
    w->sum = load_u64(p + 56);
    return IL_OK;
}
