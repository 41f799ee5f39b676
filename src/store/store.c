/* SPDX-License-Identifier: Apache-2.0 */
/* Opening and closing stores. README.md in this folder tells the rules. */
#include "src/store/store_inner.h"

#include "src/base/base.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#define SEGMENT_ROWS ((size_t)262144)
#define LOG_BYTES ((size_t)64 << 20)
#define BUFFER_BYTES ((size_t)512 * 1024)
/* A reader that loses so many races against writers gives up. */
#define TRIES 100

void il_store_config_init(struct il_store_config *config)
{
    *config = (struct il_store_config){.struct_bytes = sizeof(*config),
                                       .codec = IL_CODEC_I8,
                                       .level = 1,
                                       .sync = IL_SYNC_ALWAYS,
                                       .sync_ms = 100,
                                       .log_bytes_max = LOG_BYTES,
                                       .segment_rows = SEGMENT_ROWS};
}

static void say(const struct il_store *s, const char *text)
{
    if (s->config.log)
        s->config.log(s->config.log_context, text);
}

static enum il_status check_config(const struct il_store_config *c,
                                   struct il_error *error)
{
    if (c->struct_bytes != sizeof(*c))
        return il_fail(error, IL_EARG, "config of %zu bytes, wanted %zu: not initialised",
                       c->struct_bytes, sizeof(*c));
    if (c->create && !c->write)
        return il_fail(error, IL_EARG, "a store is created by a writer only");
    if (c->dim > IL_DIM_MAX)
        return il_fail(error, IL_EARG, "row length %zu, wanted 1 to %u", c->dim,
                       IL_DIM_MAX);
    if (c->codec < IL_CODEC_F32 || c->codec > IL_CODEC_B1)
        return il_fail(error, IL_EARG, "codec %d, wanted %d to %d", (int)c->codec,
                       IL_CODEC_F32, IL_CODEC_B1);
    if (c->level < 0 || c->level > 19)
        return il_fail(error, IL_EARG, "zstd level %d, wanted 0 to 19", c->level);
    if (c->sync < IL_SYNC_ALWAYS || c->sync > IL_SYNC_OS)
        return il_fail(error, IL_EARG, "sync %d, wanted %d to %d", (int)c->sync,
                       IL_SYNC_ALWAYS, IL_SYNC_OS);
    if (c->segment_rows < 1 || c->segment_rows > IL_ROWS_MAX)
        return il_fail(error, IL_EARG, "%zu rows a segment, wanted 1 to %u",
                       c->segment_rows, IL_ROWS_MAX);
    if (c->model && strlen(c->model) > IL_MODEL_BYTES_MAX)
        return il_fail(error, IL_EARG, "model's name of %zu bytes, wanted at most %u",
                       strlen(c->model), IL_MODEL_BYTES_MAX);
    return IL_OK;
}

static enum il_status check_new(const struct il_store_config *c, struct il_error *error)
{
    if (c->dim < 1)
        return il_fail(error, IL_EARG, "a new store needs the length of its rows");
    if (c->stored_dim == 0)
        return IL_OK;
    if (c->stored_dim > c->dim || !c->mean || !c->basis)
        return il_fail(error, IL_EARG,
                       "stored row length %zu, wanted 1 to %zu, with mean and basis",
                       c->stored_dim, c->dim);
    for (size_t i = 0; i < c->dim * (1 + c->stored_dim); i++)
        if (!isfinite(i < c->dim ? c->mean[i] : c->basis[i - c->dim]))
            return il_fail(error, IL_EARG, "a value of the basis is not finite");
    return IL_OK;
}

/* 1: the manifest names this file. */
static int is_named(const struct il_manifest *m, const char *name)
{
    uint32_t number = 0;
    if (strcmp(name, STORE_BASIS) == 0)
        return m->has_basis;
    if (strcmp(name, STORE_MANIFEST) == 0 || strcmp(name, STORE_LOCK) == 0)
        return 1;
    if (strcmp(name, STORE_MANIFEST_NEW) == 0)
        return 0;
    for (int i = 0; i < 8; i++)
        number = number * 10 + (uint32_t)(name[i] - '0');
    if (strcmp(name + 8, ".log") == 0)
        return number == m->log;
    for (size_t i = 0; i < m->count; i++)
        if (number == (name[9] == 's' ? m->segments[i].number : m->segments[i].del))
            return 1;
    return 0;
}

struct sweep {
    struct il_store *s;
    char foreign[64]; /* the first name that is not ours */
    size_t removed;
    enum il_status status;
    struct il_error *error;
};

static int sweep_one(void *context, const char *name)
{
    struct sweep *w = context;
    if (!il_store_own_name(name)) {
        il_printable(w->foreign, sizeof(w->foreign), name, strlen(name));
        return 0;
    }
    if (is_named(&w->s->m, name))
        return 0;
    w->status = il_dir_remove(&w->s->dir, name, w->error);
    w->removed++;
    return w->status != IL_OK;
}

/* Removes what killed writers left: files of ours that no manifest names. */
static enum il_status sweep(struct il_store *s, struct sweep *w, struct il_error *error)
{
    *w = (struct sweep){.s = s, .error = error};
    enum il_status status = il_dir_list(&s->dir, sweep_one, w, error);
    return status == IL_OK ? w->status : status;
}

/* A basis, an empty log, then the manifest. */
static enum il_status create(struct il_store *s, const struct il_store_config *c,
                             struct il_error *error)
{
    struct sweep w;
    struct il_log_file *log = NULL;
    enum il_status status = check_new(c, error);
    if (status == IL_OK)
        status = sweep(s, &w, error);
    if (status == IL_OK && w.foreign[0])
        status = il_fail(error, IL_EARG,
                         "%s: no store, but '%s' in it: wanted an empty directory",
                         il_path_tail(s->path), w.foreign);
    if (status != IL_OK)
        return status;
    s->m = (struct il_manifest){.generation = 1,
                                .codec = c->codec,
                                .dim = c->dim,
                                .stored_dim = c->stored_dim ? c->stored_dim : c->dim,
                                .has_basis = c->stored_dim > 0,
                                .next = 1,
                                .log_synced = IL_LOG_HEADER_BYTES};
    snprintf(s->m.model, sizeof(s->m.model), "%s", c->model ? c->model : "");
    il_model_fingerprint(s->m.model, s->m.fingerprint);
    status = il_unique(s->m.uuid, sizeof(s->m.uuid), error);
    if (status == IL_OK && s->m.has_basis) {
        size_t bytes = il_basis_bytes(c->dim, c->stored_dim);
        unsigned char *data = il_alloc(bytes, 1);
        if (!data)
            return il_fail(error, IL_ENOMEM, "%s: no memory for its basis",
                           il_path_tail(s->path));
        s->m.basis_sum = il_basis_encode(c->dim, c->stored_dim, c->mean, c->basis, data);
        status = il_store_save(&s->dir, STORE_BASIS, data, bytes, error);
        il_free(data);
    }
    if (status == IL_OK)
        status = il_store_new_log(s, &log, error);
    if (status == IL_OK) {
        s->m.log = log->info.number;
        status = il_dir_sync(&s->dir, error);
    }
    if (status == IL_OK)
        status = il_store_write_manifest(&s->dir, &s->m, error);
    il_log_file_drop(&log);
    il_manifest_free(&s->m);
    return status;
}

static enum il_status load_manifest(struct il_store *s, struct il_manifest *m,
                                    int *missing, struct il_error *error)
{
    char shown[IL_DIR_SHOWN];
    unsigned char *data = NULL;
    size_t bytes = 0;
    *m = (struct il_manifest){0};
    enum il_status status =
        il_store_load(&s->dir, STORE_MANIFEST, &data, &bytes, missing, error);
    if (status == IL_OK)
        status = il_manifest_decode(m, il_dir_shown(&s->dir, STORE_MANIFEST, shown), data,
                                    bytes, error);
    il_free(data);
    return status;
}

static enum il_status load_basis(struct il_store *s, int *missing, struct il_error *error)
{
    char shown[IL_DIR_SHOWN];
    unsigned char *data = NULL;
    size_t bytes = 0;
    if (!s->m.has_basis)
        return IL_OK;
    enum il_status status =
        il_store_load(&s->dir, STORE_BASIS, &data, &bytes, missing, error);
    if (status == IL_OK) {
        s->mean = il_alloc(s->m.dim, sizeof(float));
        s->basis = il_alloc(s->m.dim * s->m.stored_dim, sizeof(float));
        if (!s->mean || !s->basis)
            status = il_fail(error, IL_ENOMEM, "%s: no memory for its basis",
                             il_path_tail(s->path));
        else
            status = il_basis_decode(il_dir_shown(&s->dir, STORE_BASIS, shown), data,
                                     bytes, &s->m, s->mean, s->basis, error);
    }
    il_free(data);
    return status;
}

/* Opens the log's file; a reader's is not written. */
static enum il_status open_log(struct il_store *s, int *missing, struct il_error *error)
{
    struct il_log_file *f = il_alloc_zero(1, sizeof(*f));
    s->log = f;
    if (!f)
        return il_fail(error, IL_ENOMEM, "%s: no memory for its log",
                       il_path_tail(s->path));
    atomic_init(&f->refs, 1);
    f->out.fd = -1;
    f->info.number = s->m.log;
    f->info.dim = s->m.dim;
    memcpy(f->info.uuid, s->m.uuid, sizeof(f->info.uuid));
    il_log_salt(&f->info);
    il_store_name(s->m.log, "log", f->name);
    il_dir_shown(&s->dir, f->name, f->shown);
    struct il_file file;
    enum il_status status =
        il_dir_file(&s->dir, f->name, f->shown, &file, missing, error);
    if (status != IL_OK)
        return status;
    if (s->lock_fd < 0) {
        f->out = (struct il_out){.fd = file.fd, .shown = f->shown, .bytes = file.size};
        return IL_OK;
    }
    il_file_close(&file);
    return il_out_open(&f->out, &s->dir, f->name, f->shown, 0, error);
}

/* Reads the committed records into the index. */
static enum il_status replay(struct il_store *s, struct il_log_reader *r, uint64_t end,
                             struct il_error *error)
{
    while (r->next < end) {
        struct il_log_record record;
        struct il_part *part = NULL;
        uint64_t row = 0;
        int more = 0;
        enum il_status status = il_log_next(r, &record, &more, error);
        if (status == IL_OK && !more)
            status = il_fail(error, IL_ECORRUPT,
                             "%s, byte %" PRIu64 ": changed while "
                             "it was read",
                             s->log->shown, r->next);
        if (status == IL_OK && record.kind != IL_LOG_COMMIT)
            status = il_store_ready(s, record.id, record.id_bytes, &part, &row, error);
        if (status != IL_OK)
            return status;
        if (record.kind != IL_LOG_COMMIT)
            il_store_apply(s, record.kind, record.id, record.id_bytes, record.offset,
                           part, row);
    }
    return IL_OK;
}

static enum il_status load_log(struct il_store *s, int *missing, struct il_error *error)
{
    struct il_log_reader r = {0};
    uint64_t end = 0, records = 0;
    enum il_status status = open_log(s, missing, error);
    if (status != IL_OK)
        return status;
    struct il_file file = {.fd = s->log->out.fd,
                           .sized = 1,
                           .size = s->log->out.bytes,
                           .name = s->log->shown};
    struct il_bytes bytes = {.name = s->log->shown, .size = file.size, .file = &file};
    status = il_log_open(&r, &bytes, &s->log->info, error);
    if (status == IL_EFORMAT)
        status = IL_ECORRUPT;
    if (status == IL_OK)
        status = il_log_check(&r, s->m.log_synced, &end, &records, error);
    if (status == IL_OK)
        status = replay(s, &r, end, error);
    il_log_close(&r);
    s->active_at = s->committed = s->written = s->synced = end;
    if (status != IL_OK || s->lock_fd < 0)
        return status;
    if (end < file.size) {
        char text[IL_DIR_SHOWN + 120];
        snprintf(text, sizeof(text),
                 "%s, byte %" PRIu64 ": cut %" PRIu64
                 " bytes that a writer left before its commit",
                 s->log->shown, end, file.size - end);
        say(s, text);
        status = il_out_truncate(&s->log->out, end, error);
    }
    /* What an unsynced writer of before committed is made to last, before more comes. */
    if (status == IL_OK && (end < file.size || end > s->m.log_synced))
        status = il_out_sync(&s->log->out, error);
    return status;
}

static void unload(struct il_store *s)
{
    for (size_t i = 0; s->parts && i < s->m.count; i++)
        il_part_drop(&s->parts[i]);
    il_free(s->parts);
    s->parts = NULL;
    il_log_index_free(&s->index);
    il_log_file_drop(&s->log);
    il_free(s->mean);
    il_free(s->basis);
    s->mean = s->basis = NULL;
    il_manifest_free(&s->m);
}

/* What the manifest in s->m names. */
static enum il_status load_rest(struct il_store *s, int *missing, struct il_error *error)
{
    s->parts = il_alloc_zero(s->m.count, sizeof(struct il_part *));
    if (!s->parts)
        return il_fail(error, IL_ENOMEM, "%s: no memory for %zu segments",
                       il_path_tail(s->path), s->m.count);
    enum il_status status = load_basis(s, missing, error);
    for (size_t i = 0; status == IL_OK && i < s->m.count; i++)
        status = il_part_open(&s->parts[i], &s->dir, &s->m, &s->m.segments[i], 0, missing,
                              error);
    if (status == IL_OK)
        status = load_log(s, missing, error);
    return status;
}

/* One state of the store. A file that is gone, though the manifest named it: a writer was
   faster, and there is a newer manifest. */
static enum il_status load(struct il_store *s, struct il_error *error)
{
    uint64_t last = 0;
    for (int i = 0;; i++) {
        struct il_manifest m;
        int missing = 0;
        enum il_status status = load_manifest(s, &m, &missing, error);
        if (status != IL_OK)
            return missing ? il_fail(error, IL_EFORMAT,
                                     "%s: no store: no " STORE_MANIFEST " in it",
                                     il_path_tail(s->path))
                           : status;
        int same = m.generation == last;
        last = m.generation;
        s->m = m;
        status = load_rest(s, &missing, error);
        if (status == IL_OK)
            return IL_OK;
        if (!missing)
            return status;
        if (same || s->lock_fd >= 0 || i == TRIES)
            return IL_ECORRUPT; /* the text says which */
        unload(s);
    }
}

/* What the caller believes of a store that exists. */
static enum il_status check_existing(const struct il_store *s,
                                     const struct il_store_config *c,
                                     struct il_error *error)
{
    if (c->dim != 0 && c->dim != s->m.dim)
        return il_fail(error, IL_EARG, "%s: rows of %zu coordinates, wanted %zu",
                       il_path_tail(s->path), s->m.dim, c->dim);
    if (c->model && strcmp(c->model, s->m.model) != 0)
        return il_fail(error, IL_EARG, "%s: of the model '%s', wanted '%s'",
                       il_path_tail(s->path), s->m.model, c->model);
    return IL_OK;
}

static enum il_status make_room(struct il_store *s, struct il_error *error)
{
    const size_t record = il_log_record_max(s->m.dim);
    s->buffer_bytes = record > BUFFER_BYTES ? record : BUFFER_BYTES;
    s->stored = il_alloc(s->m.stored_dim, sizeof(float));
    s->record = il_alloc(record, 1);
    if (s->lock_fd >= 0) {
        s->active = il_alloc(s->buffer_bytes, 1);
        s->flying = il_alloc(s->buffer_bytes, 1);
    }
    if (!s->stored || !s->record || (s->lock_fd >= 0 && (!s->active || !s->flying)))
        return il_fail(error, IL_ENOMEM, "%s: no memory for its buffers",
                       il_path_tail(s->path));
    return il_segment_image_open(&s->image, s->m.codec, s->m.stored_dim, s->m.dim,
                                 s->mean, s->basis, error);
}

static enum il_status take_lock(struct il_store *s, struct il_error *error)
{
    long holder = 0;
    enum il_status status = il_dir_lock(&s->dir, STORE_LOCK, &s->lock_fd, &holder, error);
    if (status == IL_ELOCKED)
        return il_fail(error, IL_ELOCKED, "%s: locked by process %ld, which writes it",
                       il_path_tail(s->path), holder);
    if (status == IL_OK)
        il_dir_lock_sign(s->lock_fd, 1);
    return status;
}

/* Is there a manifest? What cannot be seen is not taken for what is not there: a store is
   created in its place. */
static enum il_status look_for(const struct il_dir *dir, int *there,
                               struct il_error *error)
{
    char shown[IL_DIR_SHOWN];
    struct il_file file;
    int missing = 0;
    enum il_status status =
        il_dir_file(dir, STORE_MANIFEST, il_dir_shown(dir, STORE_MANIFEST, shown), &file,
                    &missing, error);
    if (status == IL_OK)
        il_file_close(&file);
    *there = status == IL_OK;
    return missing ? IL_OK : status;
}

static enum il_status open_store(struct il_store *s, const struct il_store_config *c,
                                 struct il_error *error)
{
    struct sweep w;
    enum il_status status = IL_OK;
    if (c->create) {
        status = il_dir_make(s->path, error);
        if (status != IL_OK)
            return status;
    }
    status = il_dir_open(&s->dir, s->path, error);
    if (status != IL_OK)
        return status;
    /* Nothing is made in what is no store. */
    int there = 0;
    status = look_for(&s->dir, &there, error);
    if (status == IL_OK && !there && !c->create)
        return il_fail(error, IL_EFORMAT, "%s: no store: no " STORE_MANIFEST " in it",
                       il_path_tail(s->path));
    if (status == IL_OK && c->write)
        status = take_lock(s, error);
    /* Somebody else may have created it before this process had the lock. */
    if (status == IL_OK && c->create)
        status = look_for(&s->dir, &there, error);
    if (status == IL_OK && !there)
        status = create(s, c, error);
    if (status == IL_OK)
        status = load(s, error);
    if (status == IL_OK)
        status = check_existing(s, c, error);
    if (status == IL_OK && c->write) {
        status = sweep(s, &w, error);
        if (status == IL_OK && w.removed > 0)
            say(s, "removed files that a writer left unfinished");
    }
    if (status == IL_OK)
        status = make_room(s, error);
    if (status == IL_OK && c->write && c->sync == IL_SYNC_INTERVAL)
        status = il_store_start_ticker(s, error);
    return status;
}

/* All but what was written. */
static void dispose(struct il_store *s)
{
    il_store_stop_ticker(s);
    if (s->bulk) {
        il_build_close(s->bulk);
        il_free(s->bulk);
    }
    il_segment_decoder_close(&s->decoder);
    il_part_drop(&s->decoder_part);
    unload(s);
    il_segment_image_close(&s->image);
    il_free(s->stored);
    il_free(s->record);
    il_free(s->active);
    il_free(s->flying);
    if (s->lock_fd >= 0) {
        struct il_file lock = {.fd = s->lock_fd};
        il_dir_lock_sign(s->lock_fd, 0);
        il_file_close(&lock);
    }
    il_dir_close(&s->dir);
    pthread_cond_destroy(&s->changed);
    pthread_cond_destroy(&s->arrived);
    pthread_mutex_destroy(&s->mutex);
    pthread_mutex_destroy(&s->reading);
    il_free(s->path);
    il_free(s);
}

enum il_status il_store_open(struct il_store **out, const char *path,
                             const struct il_store_config *config, struct il_error *error)
{
    struct il_error own;
    struct il_store_config defaults;
    pthread_condattr_t clock;
    *out = NULL;
    if (!error)
        error = &own;
    il_store_config_init(&defaults);
    const struct il_store_config *c = config ? config : &defaults;
    enum il_status status = check_config(c, error);
    if (status != IL_OK)
        return status;
    struct il_store *s = il_alloc_zero(1, sizeof(*s));
    char *copy = il_alloc(strlen(path) + 1, 1);
    if (!s || !copy) {
        il_free(s);
        il_free(copy);
        return il_fail(error, IL_ENOMEM, "%s: no memory to open it", il_path_tail(path));
    }
    memcpy(copy, path, strlen(path) + 1);
    s->path = copy;
    s->config = *c;
    s->config.model = NULL;
    s->config.mean = s->config.basis = NULL;
    s->lock_fd = s->dir.fd = -1;
    pthread_mutex_init(&s->mutex, NULL);
    pthread_mutex_init(&s->reading, NULL);
    pthread_condattr_init(&clock);
    pthread_condattr_setclock(&clock, CLOCK_MONOTONIC);
    pthread_cond_init(&s->changed, &clock);
    pthread_cond_init(&s->arrived, &clock);
    pthread_condattr_destroy(&clock);
    status = open_store(s, c, error);
    if (status != IL_OK)
        dispose(s);
    else
        *out = s;
    return status;
}

/* Leaves a log that ends with a commit, and a manifest that says where: so that damage is
   told from a tail. What fails here is told anew by the next open. */
static void settle_log(struct il_store *s)
{
    struct il_error error;
    if (s->log->out.bytes > s->committed &&
        il_out_truncate(&s->log->out, s->committed, &error) != IL_OK)
        return;
    if (s->m.log_synced == s->committed)
        return;
    if (s->synced < s->committed && il_out_sync(&s->log->out, &error) != IL_OK)
        return;
    s->m.generation++;
    s->m.log_synced = s->committed;
    if (il_store_write_manifest(&s->dir, &s->m, &error) != IL_OK)
        say(s, error.text);
}

void il_store_close(struct il_store **store)
{
    struct il_store *s = *store;
    *store = NULL;
    if (!s)
        return;
    il_store_stop_ticker(s);
    /* A commit returns when its records are in the file: nothing of it is in the buffer.
     */
    if (s->lock_fd >= 0 && s->poison == IL_OK)
        settle_log(s);
    dispose(s);
}

int il_store_exists(const char *path)
{
    struct il_dir dir;
    struct il_error error;
    int there = 0;
    if (il_dir_open(&dir, path, &error) != IL_OK)
        return 0;
    if (look_for(&dir, &there, &error) != IL_OK)
        there = 0;
    il_dir_close(&dir);
    return there;
}

void il_store_describe(const struct il_store *store, struct il_store_info *out)
{
    /* The mutex is no part of what the caller sees. */
    struct il_store *s = (struct il_store *)(uintptr_t)store;
    pthread_mutex_lock(&s->mutex);
    *out = (struct il_store_info){.path = s->path,
                                  .model = s->m.model,
                                  .generation = s->m.generation,
                                  .codec = s->m.codec,
                                  .dim = s->m.dim,
                                  .stored_dim = s->m.stored_dim,
                                  .rows = s->index.live,
                                  .log_rows = s->index.live,
                                  .segments = s->m.count,
                                  .bytes = il_manifest_bytes(&s->m) + s->written};
    memcpy(out->fingerprint, s->m.fingerprint, sizeof(out->fingerprint));
    if (s->m.has_basis)
        out->bytes += il_basis_bytes(s->m.dim, s->m.stored_dim);
    for (size_t i = 0; i < s->m.count; i++) {
        const struct il_part *p = s->parts[i];
        out->rows += p->entry.rows - p->deleted;
        out->deleted += p->deleted;
        out->bytes += p->file.size;
        if (p->entry.del != 0)
            out->bytes += il_deletions_bytes(p->entry.rows);
    }
    pthread_mutex_unlock(&s->mutex);
}
