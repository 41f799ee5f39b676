/* SPDX-License-Identifier: Apache-2.0 */
/* Streams: what is pushed, removed, noted and committed. README.md in this folder tells
   the rules. */
#include "src/stream/stream_inner.h"

#include "formats/event_frame.h"
#include "src/base/base.h"
#include "src/store/store_sync.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define BOOTSTRAP_ROWS 300
#define BOOTSTRAP_AFTER 0.2
#define THREADS_MAX 256u
/* Notes of this name are the stream's own. */
#define OWN_NOTES "isolink."

void il_stream_config_init(struct il_stream_config *config)
{
    *config = (struct il_stream_config){.struct_bytes = sizeof(*config),
                                        .codec = IL_CODEC_F32,
                                        .sync = IL_SYNC_ALWAYS,
                                        .sync_ms = 100,
                                        .posterior_min = -1,
                                        .bootstrap_rows = BOOTSTRAP_ROWS,
                                        .bootstrap_after = BOOTSTRAP_AFTER};
}

void il_stream_say(const struct il_stream *s, int level, const char *format, ...)
{
    char text[600];
    va_list arguments;
    if (!s->config.log)
        return;
    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    s->config.log(s->config.log_context, level, text);
}

enum il_status il_stream_fail(struct il_stream *s, enum il_status status,
                              struct il_error *error)
{
    if (s->failed == IL_OK) {
        s->failed = status;
        s->failure = *error;
        return status;
    }
    return il_fail(error, s->failed, "%s", s->failure.text);
}

enum il_status il_stream_no_memory(const struct il_stream *s, struct il_error *error)
{
    return il_fail(error, IL_ENOMEM, "%s: no memory for it", il_path_tail(s->path));
}

static enum il_status check_config(const struct il_stream_config *c,
                                   struct il_error *error)
{
    if (c->struct_bytes != sizeof(*c))
        return il_fail(error, IL_EARG, "config of %zu bytes, wanted %zu: not initialised",
                       c->struct_bytes, sizeof(*c));
    if (c->threads > THREADS_MAX || c->background_threads > THREADS_MAX)
        return il_fail(error, IL_EARG, "%u threads, wanted 0 to %u",
                       c->threads > THREADS_MAX ? c->threads : c->background_threads,
                       THREADS_MAX);
    if (c->posterior_min > 1 || isnan(c->posterior_min))
        return il_fail(error, IL_EARG, "lowest posterior %g, wanted at most 1",
                       c->posterior_min);
    if (!(c->bootstrap_after >= 0) || !(c->bootstrap_seconds >= 0))
        return il_fail(error, IL_EARG,
                       "bootstraps after %g of the rows, %g s, wanted 0 "
                       "or more",
                       c->bootstrap_after, c->bootstrap_seconds);
    if (c->seed_count > 0 && !c->seeds)
        return il_fail(error, IL_EARG, "%zu seeds at no place", c->seed_count);
    return IL_OK;
}

static unsigned half_of(unsigned threads)
{
    threads = threads ? threads : il_cores();
    return threads > 1 ? threads / 2 : 1;
}

enum il_status il_stream_open(struct il_stream **out, const char *path,
                              const struct il_stream_config *c, struct il_error *error)
{
    struct il_error own;
    struct il_stream_config defaults;
    *out = NULL;
    if (!error)
        error = &own;
    il_stream_config_init(&defaults);
    c = c ? c : &defaults;
    enum il_status status = check_config(c, error);
    if (status != IL_OK)
        return status;
    struct il_stream *s = il_alloc_zero(1, sizeof(*s));
    char *copy = il_alloc(strlen(path) + 1, 1);
    if (!s || !copy) {
        il_free(s);
        il_free(copy);
        return il_fail(error, IL_ENOMEM, "%s: no memory to open it", il_path_tail(path));
    }
    memcpy(copy, path, strlen(path) + 1);
    s->path = copy;
    s->lock_fd = s->dir.fd = -1;
    s->config = *c;
    s->config.seeds = NULL;
    s->config.model[0] = s->config.model[1] = NULL;
    if (c->background_threads == 0)
        s->config.background_threads = half_of(c->threads);
    for (int i = 0; i < 2; i++)
        s->side[i].names.free_first = NAME_NONE;
    s->boot_ended = s->synced_at = il_clock_seconds();
    if (c->sync != IL_SYNC_OS && il_pool_open(&s->halves, 2) != IL_OK)
        status = il_stream_no_memory(s, error);
    status = status == IL_OK ? il_stream_recover(s, c, error) : status;
    s->failed = status;
    if (status != IL_OK)
        il_stream_close(&s);
    *out = s;
    return status;
}

static void close_side(struct il_stream_side *x)
{
    il_store_close(&x->store);
    il_segment_image_close(&x->image);
    il_names_free(&x->names);
    il_free(x->batch.names);
    il_free(x->batch.keys);
    il_free(x->batch.handles);
    il_free(x->batch.rows);
    il_free(x->journal.items);
    il_free(x->row);
    il_free(x->other);
    il_free(x->path);
}

static enum il_status write_notes(struct il_stream *s, struct il_error *error)
{
    for (size_t i = 0; i < s->note_count; i++) {
        struct il_note *note = &s->notes[i];
        if (!note->pending)
            continue;
        if (il_event_log_note(s->log, note->name, note->data, note->bytes) != IL_OK)
            return il_stream_no_memory(s, error);
        note->pending = 0;
    }
    return IL_OK;
}

/* With syncs at intervals: rows that were committed, then the notes on them. */
static void settle_notes(struct il_stream *s)
{
    struct il_error error;
    if (s->failed != IL_OK || s->config.sync != IL_SYNC_INTERVAL || s->side[0].dirty ||
        s->side[1].dirty || s->uncommitted_notes)
        return;
    for (int i = 0; i < 2; i++)
        if (il_store_sync(s->side[i].store, &error) != IL_OK)
            return;
    if (write_notes(s, &error) != IL_OK ||
        il_event_log_commit(s->log, 1, &error) != IL_OK)
        il_stream_say(s, 4, "%s", error.text);
}

void il_stream_close(struct il_stream **stream)
{
    struct il_stream *s = *stream;
    *stream = NULL;
    if (!s)
        return;
    il_stream_boot_stop(s);
    settle_notes(s);
    il_pool_close(&s->halves);
    il_live_close(&s->live);
    il_model_free(&s->model);
    il_event_log_close(&s->log);
    for (int i = 0; i < 2; i++)
        close_side(&s->side[i]);
    if (s->lock_fd >= 0) {
        struct il_file lock = {.fd = s->lock_fd};
        il_dir_lock_sign(s->lock_fd, 0);
        il_file_close(&lock);
    }
    il_dir_close(&s->dir);
    il_free(s->seeds);
    il_free(s->seed_keys);
    il_free(s->notes);
    il_free(s->verdicts);
    il_free(s->path);
    il_free(s);
}

/* Arguments of a push or a remove, and whether the stream takes any. */
static enum il_status check_call(struct il_stream *s, int side, size_t id_bytes,
                                 struct il_error *error)
{
    if (s->failed != IL_OK)
        return il_stream_fail(s, s->failed, error);
    if (side != 0 && side != 1)
        return il_fail(error, IL_EARG, "%s: side %d, wanted 0 or 1",
                       il_path_tail(s->path), side);
    if (id_bytes < 1 || id_bytes > IL_ID_BYTES_MAX)
        return il_fail(error, IL_EARG, "%s: id of %zu bytes, wanted 1 to %u",
                       il_path_tail(s->path), id_bytes, IL_ID_BYTES_MAX);
    return IL_OK;
}

/* 1: a row that can be linked; x->row is then what the store gives back. */
static int usable(struct il_stream_side *x, const float *row)
{
    struct il_error ignored;
    int any = 0;
    for (size_t q = 0; q < x->dim; q++) {
        if (!isfinite(row[q]))
            return 0;
        any |= row[q] != 0;
    }
    if (!any || il_segment_image_rows(x->image, row, 1, x->row, &ignored) != IL_OK)
        return 0;
    any = 0;
    for (size_t q = 0; q < x->dim; q++)
        any |= x->row[q] != 0;
    return any;
}

static enum il_status refuse_row(struct il_stream *s, int side, const void *id,
                                 size_t id_bytes, const char *why)
{
    char shown[80];
    s->side[side].refused++;
    il_stream_say(s, 7, "side %c: row '%s' refused: %s", 'A' + side,
                  il_printable(shown, sizeof(shown), id, id_bytes), why);
    return IL_OK;
}

static enum il_status keep_row(struct il_stream *s, int side, uint32_t name,
                               const void *id, size_t id_bytes, const float *row,
                               struct il_error *error)
{
    struct il_stream_side *x = &s->side[side];
    enum il_status status = IL_OK;
    if (x->names.names[name].flags & NAME_ROW) {
        status = il_store_get(x->store, id, id_bytes, x->other, NULL, error);
        if (status != IL_OK)
            return status;
        if (memcmp(x->other, x->row, x->dim * sizeof(float)) == 0)
            return IL_OK;
    }
    status = il_store_put(x->store, id, id_bytes, row, error);
    if (status == IL_OK)
        status = il_stream_batch_add(s, side, name, x->row, error);
    if (status != IL_OK)
        return status;
    x->rows += !(x->names.names[name].flags & NAME_ROW);
    x->names.names[name].flags |= NAME_ROW;
    x->dirty = 1;
    return il_stream_changed(s, side, name, error);
}

enum il_status il_stream_push(struct il_stream *s, int side, const void *id,
                              size_t id_bytes, const float *row, int *taken,
                              struct il_error *error)
{
    struct il_error own;
    uint32_t name = NAME_NONE;
    if (!error)
        error = &own;
    if (taken)
        *taken = 0;
    enum il_status status = check_call(s, side, id_bytes, error);
    if (status != IL_OK)
        return status;
    struct il_stream_side *x = &s->side[side];
    x->arrivals++;
    if (!usable(x, row))
        return refuse_row(s, side, id, id_bytes, "zero, not finite or too large");
    status = il_names_intern(&x->names, id, id_bytes, &name);
    if (status == IL_ELIMIT)
        return refuse_row(s, side, id, id_bytes, "another id has its hash");
    if (status == IL_ENOMEM)
        status = il_stream_no_memory(s, error);
    else
        status = keep_row(s, side, name, id, id_bytes, row, error);
    if (status != IL_OK)
        return il_stream_fail(s, status, error);
    if (taken)
        *taken = 1;
    return IL_OK;
}

static enum il_status drop_row(struct il_stream *s, int side, uint32_t name,
                               const void *id, size_t id_bytes, struct il_error *error)
{
    struct il_stream_side *x = &s->side[side];
    struct il_name *at = &x->names.names[name];
    enum il_status status = il_store_remove(x->store, id, id_bytes, NULL, error);
    if (status != IL_OK)
        return status;
    if (at->flags & NAME_PENDING) {
        il_stream_batch_drop(s, side, name);
    } else if (s->live && at->handle != IL_LIVE_NONE) {
        if (il_live_remove(s->live, side, at->handle) != IL_OK)
            return il_stream_no_memory(s, error);
        at->handle = IL_LIVE_NONE;
    }
    at->flags &= (uint8_t)~NAME_ROW;
    x->rows--;
    x->removed++;
    x->names.dropped++;
    x->dirty = 1;
    return il_stream_changed(s, side, name, error);
}

enum il_status il_stream_remove(struct il_stream *s, int side, const void *id,
                                size_t id_bytes, int *found, struct il_error *error)
{
    struct il_error own;
    if (!error)
        error = &own;
    if (found)
        *found = 0;
    enum il_status status = check_call(s, side, id_bytes, error);
    if (status != IL_OK)
        return status;
    const struct il_names *names = &s->side[side].names;
    const uint32_t name = il_names_find(names, id, id_bytes, NULL);
    if (name == NAME_NONE || !(names->names[name].flags & NAME_ROW))
        return IL_OK;
    status = drop_row(s, side, name, id, id_bytes, error);
    if (status != IL_OK)
        return il_stream_fail(s, status, error);
    if (found)
        *found = 1;
    return IL_OK;
}

static struct il_note *find_note(const struct il_stream *s, const char *name)
{
    for (size_t i = 0; i < s->note_count; i++)
        if (strcmp(s->notes[i].name, name) == 0)
            return &s->notes[i];
    return NULL;
}

enum il_status il_stream_keep_note(struct il_stream *s, const char *name,
                                   const void *data, size_t bytes, int pending)
{
    struct il_note *note = find_note(s, name);
    if (!note) {
        void *grown = il_realloc(s->notes, s->note_count * sizeof(*s->notes),
                                 (s->note_count + 1) * sizeof(*s->notes));
        if (!grown)
            return IL_ENOMEM;
        s->notes = grown;
        note = &s->notes[s->note_count++];
        *note = (struct il_note){.bytes = 0};
        snprintf(note->name, sizeof(note->name), "%s", name);
    }
    if (bytes)
        memcpy(note->data, data, bytes);
    note->bytes = bytes;
    note->pending = pending;
    return IL_OK;
}

enum il_status il_stream_note(struct il_stream *s, const char *name, const void *data,
                              size_t bytes, struct il_error *error)
{
    struct il_error own;
    if (!error)
        error = &own;
    if (s->failed != IL_OK)
        return il_stream_fail(s, s->failed, error);
    const size_t name_bytes = strlen(name);
    if (name_bytes < 1 || name_bytes > IL_NOTE_NAME_MAX ||
        strncmp(name, OWN_NOTES, strlen(OWN_NOTES)) == 0)
        return il_fail(error, IL_EARG,
                       "note '%.80s': wanted a name of 1 to %u bytes that does not begin "
                       "with " OWN_NOTES,
                       name, IL_NOTE_NAME_MAX);
    if (bytes > IL_NOTE_BYTES_MAX)
        return il_fail(error, IL_EARG, "note '%.80s': %zu bytes, wanted at most %u", name,
                       bytes, IL_NOTE_BYTES_MAX);
    const struct il_note *old = find_note(s, name);
    if (old ? old->bytes == bytes && (!bytes || memcmp(old->data, data, bytes) == 0)
            : bytes == 0)
        return IL_OK;
    s->uncommitted_notes = 1;
    return il_stream_keep_note(s, name, data, bytes, 1) == IL_OK
               ? IL_OK
               : il_stream_no_memory(s, error);
}

const void *il_stream_noted(const struct il_stream *s, const char *name, size_t *bytes)
{
    const struct il_note *note = find_note(s, name);
    *bytes = note ? note->bytes : 0;
    return note && note->bytes ? note->data : NULL;
}

enum il_status il_stream_publish(struct il_stream *s, int sync, struct il_error *error)
{
    enum il_status status = il_event_log_commit(s->log, sync, error);
    if (status == IL_OK)
        il_event_log_tell(s->log, s->config.event, s->config.event_context);
    return status;
}

/* 1: what this commit writes is synced; with intervals, when the last sync is old. */
static int syncs_now(struct il_stream *s)
{
    if (s->config.sync != IL_SYNC_INTERVAL)
        return s->config.sync == IL_SYNC_ALWAYS;
    return il_clock_seconds() - s->synced_at >= 1e-3 * (double)s->config.sync_ms;
}

/* The two halves of a commit. */
struct halves {
    struct il_stream *s;
    int sync;
    enum il_status status[2];
    struct il_error error[2];
};

/* Rows reach their stores. */
static enum il_status store_rows(struct il_stream *s, int sync, struct il_error *error)
{
    enum il_status status = IL_OK;
    for (int i = 0; status == IL_OK && i < 2; i++)
        if (s->side[i].dirty)
            status = il_store_commit(s->side[i].store, error);
    /* A note must not last longer than the rows that it speaks of. */
    for (int i = 0;
         status == IL_OK && s->config.sync == IL_SYNC_INTERVAL && sync && i < 2; i++)
        status = il_store_sync(s->side[i].store, error);
    return status;
}

/* Rows are linked, in memory: the events of it wait for their frame. */
static enum il_status link_rows(struct il_stream *s, struct il_error *error)
{
    enum il_status status = IL_OK;
    for (int i = 0; status == IL_OK && i < 2; i++)
        status = il_stream_batch_flush(s, i, error);
    return status == IL_OK ? il_stream_settle(s, 0, 0, error) : status;
}

static void half_task(void *context, size_t task, unsigned thread)
{
    (void)thread;
    struct halves *h = context;
    h->status[task] = task == 0 ? store_rows(h->s, h->sync, &h->error[0])
                                : link_rows(h->s, &h->error[1]);
}

/* Both halves: at once where the disk is waited for, which takes as long as a row. */
static enum il_status take_rows(struct il_stream *s, int sync, struct il_error *error)
{
    struct halves h = {.s = s, .sync = sync};
    if (sync && s->halves) {
        il_pool_run(s->halves, 2, half_task, &h);
    } else {
        half_task(&h, 0, 0);
        if (h.status[0] == IL_OK)
            half_task(&h, 1, 0);
    }
    for (int i = 0; i < 2; i++) {
        if (h.status[i] != IL_OK) {
            *error = h.error[i];
            return h.status[i];
        }
        s->side[i].dirty = 0;
    }
    return IL_OK;
}

/* Rows first, then what is said of them. */
static enum il_status commit(struct il_stream *s, struct il_error *error)
{
    const int sync = syncs_now(s), interval = s->config.sync == IL_SYNC_INTERVAL;
    const int rows = s->side[0].dirty || s->side[1].dirty;
    enum il_status status = rows ? take_rows(s, sync, error) : IL_OK;
    /* Rows of commits before this one. */
    if (status == IL_OK && !rows)
        status = store_rows(s, sync, error);
    s->uncommitted_notes = 0;
    if (status == IL_OK && (!interval || sync))
        status = write_notes(s, error);
    if (status == IL_OK && (rows || il_event_log_pending(s->log)))
        status = il_stream_note_changes(s, error);
    if (status == IL_OK)
        status = il_stream_publish(s, sync, error);
    if (sync)
        s->synced_at = il_clock_seconds();
    for (int i = 0; status == IL_OK && i < 2; i++)
        if (il_names_sweep(&s->side[i].names) != IL_OK)
            status = il_stream_no_memory(s, error);
    return status;
}

enum il_status il_stream_commit(struct il_stream *s, struct il_error *error)
{
    struct il_error own;
    if (!error)
        error = &own;
    if (s->failed != IL_OK)
        return il_stream_fail(s, s->failed, error);
    enum il_status status = commit(s, error);
    if (status != IL_OK)
        return il_stream_fail(s, status, error);
    return il_stream_turn(s, error);
}

void il_stream_describe(const struct il_stream *s, struct il_stream_info *out)
{
    *out = (struct il_stream_info){.seq = il_event_log_seq(s->log),
                                   .links = s->links,
                                   .round = s->round,
                                   .bootstrapping = s->boot != NULL,
                                   .refused_bootstrap = s->refused,
                                   .since = il_stream_since(s),
                                   .bootstrap_seconds = s->boot_seconds};
    memcpy(out->events, s->events, sizeof(out->events));
    memcpy(out->why, s->why, sizeof(out->why));
    for (int i = 0; i < 2; i++) {
        out->rows[i] = s->side[i].rows;
        out->refused[i] = s->side[i].refused;
        out->arrivals[i] = s->side[i].arrivals;
        out->removed[i] = s->side[i].removed;
    }
    if (!s->live)
        return;
    struct il_live_info live;
    il_live_describe(s->live, &live);
    out->precision = live.precision;
    out->shared = live.shared;
    out->decoy_rate = live.decoy_rate;
    out->pool = il_model_anchors(s->model);
}
