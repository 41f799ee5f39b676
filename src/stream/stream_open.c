/* SPDX-License-Identifier: Apache-2.0 */
/* Opening a state: a new one, or what a writer left, whenever it ended. */
#include "src/stream/stream_inner.h"

#include "formats/little.h"
#include "src/base/base.h"
#include "src/stream/event_record.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define SEED_NOTE "isolink.seed"
#define CHANGES_NOTE "isolink.changes"
#define READ_ROWS 256
#define MODEL_BYTES_MAX ((uint64_t)1 << 34)

static void store_says(void *context, const char *text)
{
    il_stream_say(context, 4, "%s", text);
}

static enum il_status take_lock(struct il_stream *s, struct il_error *error)
{
    long holder = 0;
    enum il_status status =
        il_dir_lock(&s->dir, STREAM_LOCK, &s->lock_fd, &holder, error);
    if (status == IL_ELOCKED)
        return il_fail(error, IL_ELOCKED, "%s: locked by process %ld, which links it",
                       il_path_tail(s->path), holder);
    if (status == IL_OK)
        il_dir_lock_sign(s->lock_fd, 1);
    return status;
}

/* Is there a log? What cannot be seen is not taken for what is not there. */
static enum il_status look_for(const struct il_dir *dir, int *there,
                               struct il_error *error)
{
    char shown[IL_DIR_SHOWN];
    struct il_file file;
    int missing = 0;
    enum il_status status =
        il_dir_file(dir, IL_EVENT_LOG_NAME, il_dir_shown(dir, IL_EVENT_LOG_NAME, shown),
                    &file, &missing, error);
    if (status == IL_OK)
        il_file_close(&file);
    *there = status == IL_OK;
    return missing ? IL_OK : status;
}

/* *there: 1: the state exists. */
static enum il_status open_dir(struct il_stream *s, const struct il_stream_config *c,
                               int *there, struct il_error *error)
{
    const int may_be_new = c->dim[0] > 0 && c->dim[1] > 0 && c->seed_count > 0;
    enum il_status status = IL_OK;
    if (!may_be_new && !il_dir_exists(s->path))
        return il_fail(error, IL_EARG,
                       "%s: no state; a new one needs both row lengths and seeds",
                       il_path_tail(s->path));
    if (may_be_new)
        status = il_dir_make(s->path, error);
    if (status == IL_OK)
        status = il_dir_open(&s->dir, s->path, error);
    if (status == IL_OK)
        status = look_for(&s->dir, there, error);
    /* Nothing is made in what is no state. */
    if (status == IL_OK && !*there && !may_be_new)
        return il_fail(error, IL_EARG,
                       "%s: no state: no " IL_EVENT_LOG_NAME " in it; a new one needs "
                       "both row lengths and seeds",
                       il_path_tail(s->path));
    if (status == IL_OK)
        status = take_lock(s, error);
    /* Somebody else may have made it before this process had the lock. */
    return status == IL_OK ? look_for(&s->dir, there, error) : status;
}

static enum il_status open_store(struct il_stream *s, int number,
                                 const struct il_stream_config *c, int there,
                                 struct il_error *error)
{
    struct il_stream_side *x = &s->side[number];
    struct il_store_config store;
    struct il_store_info info;
    const size_t room = strlen(s->path) + 16;
    il_store_config_init(&store);
    store.write = 1;
    /* A store of a state that exists is there or lost: an empty one would not be it. */
    store.create = !there;
    store.dim = c->dim[number];
    store.model = c->model[number];
    store.codec = c->codec;
    store.sync = c->sync;
    store.sync_ms = c->sync_ms;
    store.io = c->io;
    store.log = store_says;
    store.log_context = s;
    x->path = il_alloc(room, 1);
    if (!x->path)
        return il_stream_no_memory(s, error);
    snprintf(x->path, room, "%s/%c.store", s->path, 'a' + number);
    enum il_status status = il_store_open(&x->store, x->path, &store, error);
    if (status != IL_OK)
        return status;
    il_store_describe(x->store, &info);
    if (c->codec != IL_CODEC_F32 && c->codec != info.codec)
        return il_fail(error, IL_EARG, "%s: codec %s, wanted %s", il_path_tail(x->path),
                       il_codec_text(info.codec), il_codec_text(c->codec));
    if (info.stored_dim != info.dim)
        return il_fail(error, IL_EARG, "%s: a store with a basis, wanted one without",
                       il_path_tail(x->path));
    x->dim = info.dim;
    x->row = il_alloc(x->dim, sizeof(float));
    x->other = il_alloc(x->dim, sizeof(float));
    if (!x->row || !x->other)
        return il_stream_no_memory(s, error);
    return il_segment_image_open(&x->image, info.codec, x->dim, x->dim, NULL, NULL,
                                 error);
}

/* A known pair; *fresh 1: not known yet. One that contradicts an earlier one is left
   out. */
static enum il_status add_seed(struct il_stream *s, const struct il_stream_seed *seed,
                               int *fresh, struct il_error *error)
{
    struct il_known known;
    *fresh = 0;
    enum il_status status =
        il_names_intern(&s->side[0].names, seed->a_id, seed->a_bytes, &known.a);
    if (status == IL_OK)
        status = il_names_intern(&s->side[1].names, seed->b_id, seed->b_bytes, &known.b);
    if (status == IL_ELIMIT)
        return il_fail(error, IL_ELIMIT, "%s: two ids of the seeds have one hash",
                       il_path_tail(s->path));
    if (status != IL_OK)
        return il_stream_no_memory(s, error);
    struct il_name *a = &s->side[0].names.names[known.a];
    struct il_name *b = &s->side[1].names.names[known.b];
    if (a->flags & NAME_SEED || b->flags & NAME_SEED) {
        for (size_t i = 0; i < s->seed_count; i++)
            if (s->seeds[i].a == known.a && s->seeds[i].b == known.b)
                return IL_OK;
        char shown[80];
        il_stream_say(s, 4, "a seed of '%s' contradicts an earlier one, left out",
                      il_printable(shown, sizeof(shown), seed->a_id, seed->a_bytes));
        return IL_OK;
    }
    if (s->seed_count == s->seed_room) {
        size_t room = 2 * s->seed_room + 64;
        void *seeds = il_realloc(s->seeds, s->seed_count * sizeof(*s->seeds),
                                 room * sizeof(*s->seeds));
        s->seeds = seeds ? seeds : s->seeds;
        void *keys = il_realloc(s->seed_keys, s->seed_count * sizeof(*s->seed_keys),
                                room * sizeof(*s->seed_keys));
        s->seed_keys = keys ? keys : s->seed_keys;
        if (!seeds || !keys)
            return il_stream_no_memory(s, error);
        s->seed_room = room;
    }
    a->flags |= NAME_SEED;
    b->flags |= NAME_SEED;
    s->seeds[s->seed_count] = known;
    s->seed_keys[s->seed_count++] = (struct il_pair){a->key, b->key};
    *fresh = 1;
    return IL_OK;
}

/* Playing the log. */
struct play {
    struct il_stream *s;
    struct il_error *error;
    uint64_t seed; /* random seed number */
};

static enum il_status play_event(void *context, const struct il_event *event)
{
    struct play *p = context;
    enum il_status status = il_stream_fold(p->s, event);
    if (status == IL_ELIMIT)
        return il_fail(p->error, IL_ELIMIT, "%s: two ids of its events have one hash",
                       il_path_tail(p->s->path));
    return status == IL_OK ? IL_OK : il_stream_no_memory(p->s, p->error);
}

static enum il_status play_note(void *context, const char *name, const void *data,
                                size_t bytes)
{
    struct play *p = context;
    if (strcmp(name, SEED_NOTE) == 0) {
        p->seed = bytes == 8 ? load_u64(data) : 0;
        return IL_OK;
    }
    if (strcmp(name, CHANGES_NOTE) == 0) {
        il_stream_noted_changes(p->s, data, bytes);
        return IL_OK;
    }
    return il_stream_keep_note(p->s, name, data, bytes, 0) == IL_OK
               ? IL_OK
               : il_stream_no_memory(p->s, p->error);
}

static enum il_status play_round(void *context, uint32_t round)
{
    struct play *p = context;
    p->s->round = round;
    return IL_OK;
}

static enum il_status play_seed(void *context, const struct il_stream_seed *seed)
{
    struct play *p = context;
    int fresh = 0;
    return add_seed(p->s, seed, &fresh, p->error);
}

static enum il_status check_seed(const struct il_stream_seed *seed, size_t number,
                                 struct il_error *error)
{
    if (seed->a_bytes >= 1 && seed->a_bytes <= IL_ID_BYTES_MAX && seed->b_bytes >= 1 &&
        seed->b_bytes <= IL_ID_BYTES_MAX)
        return IL_OK;
    return il_fail(error, IL_EARG, "seed %zu: ids of %zu and %zu bytes, wanted 1 to %u",
                   number, seed->a_bytes, seed->b_bytes, IL_ID_BYTES_MAX);
}

/* Seeds that are given: those of before must be among them, new ones are written. of: for
   each name of A before, its seed. */
static enum il_status add_seeds(struct il_stream *s, const struct il_stream_config *c,
                                uint32_t *of, struct il_error *error)
{
    const size_t before = s->seed_count, names = s->side[0].names.count;
    size_t again = 0;
    for (size_t i = 0; i < names; i++)
        of[i] = NAME_NONE;
    for (size_t k = 0; k < before; k++)
        of[s->seeds[k].a] = (uint32_t)k;
    for (size_t i = 0; i < c->seed_count; i++) {
        const struct il_stream_seed *seed = &c->seeds[i];
        int fresh = 0;
        enum il_status status = check_seed(seed, i, error);
        if (status != IL_OK)
            return status;
        const uint32_t a =
            il_names_find(&s->side[0].names, seed->a_id, seed->a_bytes, NULL);
        const uint32_t b =
            il_names_find(&s->side[1].names, seed->b_id, seed->b_bytes, NULL);
        if (a < names && of[a] != NAME_NONE && s->seeds[of[a]].b == b) {
            of[a] = NAME_NONE; /* counted once, also when it is given twice */
            again++;
            continue;
        }
        status = add_seed(s, seed, &fresh, error);
        if (status == IL_OK && fresh && il_event_log_seed(s->log, seed) != IL_OK)
            status = il_stream_no_memory(s, error);
        if (status != IL_OK)
            return status;
    }
    if (c->seed_count > 0 && again < before)
        return il_fail(error, IL_EARG,
                       "%s: %zu seeds, of which %zu are not among those given: they may "
                       "only become more",
                       il_path_tail(s->path), before, before - again);
    return IL_OK;
}

static enum il_status take_seeds(struct il_stream *s, const struct il_stream_config *c,
                                 struct il_error *error)
{
    uint32_t *of = il_alloc(s->side[0].names.count, sizeof(*of));
    enum il_status status =
        of ? add_seeds(s, c, of, error) : il_stream_no_memory(s, error);
    il_free(of);
    return status;
}

static enum il_status open_log(struct il_stream *s, const struct il_stream_config *c,
                               struct il_error *error)
{
    struct play p = {s, error, 0};
    const struct il_event_log_calls calls = {play_event, play_note, play_round, play_seed,
                                             &p};
    unsigned char seed[8];
    int fresh = 0;
    enum il_status status = il_event_log_open(
        &s->log, &s->dir, &fresh, &calls, s->config.log, s->config.log_context, error);
    if (status != IL_OK)
        return status;
    if (fresh && (c->dim[0] == 0 || c->dim[1] == 0 || c->seed_count == 0))
        return il_fail(error, IL_EARG,
                       "%s: an empty state, which needs both row lengths and seeds",
                       il_path_tail(s->path));
    if (!fresh && c->seed != 0 && c->seed != p.seed)
        return il_fail(error, IL_EARG,
                       "%s: random seed number %" PRIu64 ", wanted %" PRIu64,
                       il_path_tail(s->path), p.seed, c->seed);
    s->config.seed = fresh ? c->seed : p.seed;
    status = take_seeds(s, c, error);
    store_u64(seed, s->config.seed);
    if (status == IL_OK && fresh)
        status = il_event_log_note(s->log, SEED_NOTE, seed, sizeof(seed));
    return status == IL_OK && il_event_log_pending(s->log)
               ? il_event_log_commit(s->log, 1, error)
               : status;
}

static enum il_status load_model(struct il_stream *s, struct il_error *error)
{
    char name[STREAM_MODEL_NAME], shown[IL_DIR_SHOWN];
    struct il_file file;
    unsigned char *data = NULL;
    size_t bytes = 0;
    int missing = 0;
    if (s->round == 0)
        return IL_OK;
    il_stream_model_name(s->round, name);
    il_dir_shown(&s->dir, name, shown);
    enum il_status status = il_dir_file(&s->dir, name, shown, &file, &missing, error);
    if (missing)
        return il_fail(error, IL_ECORRUPT,
                       "%s: missing, but the log names round %" PRIu32, shown, s->round);
    if (status != IL_OK)
        return status;
    status = il_file_read_all(&file, MODEL_BYTES_MAX, &data, &bytes, error);
    il_file_close(&file);
    if (status == IL_OK)
        status = il_model_read(&s->model, data, bytes, shown, error);
    il_free(data);
    for (int i = 0; status == IL_OK && i < 2; i++)
        if (il_model_dim(s->model, i) != s->side[i].dim)
            status = il_fail(error, IL_ECORRUPT,
                             "%s: rows of %zu coordinates on side %c, wanted %zu", shown,
                             il_model_dim(s->model, i), 'A' + i, s->side[i].dim);
    if (status != IL_OK)
        return status;
    const struct il_live_config c = {.threads = s->config.threads,
                                     .posterior_min = s->config.posterior_min,
                                     .seeds = s->seed_keys,
                                     .seed_count = s->seed_count};
    return il_live_open(&s->live, s->model, &c) == IL_OK ? IL_OK
                                                         : il_stream_no_memory(s, error);
}

static enum il_status take_rows(struct il_stream *s, int side, const float *rows,
                                const void *const *ids, const size_t *bytes, size_t count,
                                struct il_error *error)
{
    struct il_stream_side *x = &s->side[side];
    for (size_t i = 0; i < count; i++) {
        uint32_t name = NAME_NONE;
        enum il_status status = il_names_intern(&x->names, ids[i], bytes[i], &name);
        if (status == IL_ELIMIT)
            return il_fail(error, IL_ELIMIT, "%s: two ids have one hash",
                           il_path_tail(x->path));
        if (status != IL_OK)
            return il_stream_no_memory(s, error);
        x->names.names[name].flags |= NAME_ROW;
        x->rows++;
        status = il_stream_batch_add(s, side, name, rows + i * x->dim, error);
        if (status != IL_OK)
            return status;
    }
    return IL_OK;
}

static enum il_status load_rows(struct il_stream *s, int side, struct il_error *error)
{
    struct il_stream_side *x = &s->side[side];
    struct il_store_cursor *cursor = NULL;
    const void *ids[READ_ROWS];
    size_t bytes[READ_ROWS], count = 1;
    float *rows = il_alloc(READ_ROWS * x->dim, sizeof(float));
    enum il_status status = rows ? il_store_cursor_open(&cursor, x->store, error)
                                 : il_stream_no_memory(s, error);
    while (status == IL_OK && count > 0) {
        status =
            il_store_cursor_next(cursor, 0, READ_ROWS, rows, ids, bytes, &count, error);
        if (status == IL_OK)
            status = take_rows(s, side, rows, ids, bytes, count, error);
    }
    if (status == IL_OK)
        status = il_stream_batch_flush(s, side, error);
    il_store_cursor_close(&cursor);
    il_free(rows);
    return status;
}

/* Models that no log names, or no more. */
static int sweep_one(void *context, const char *name)
{
    struct il_stream *s = context;
    struct il_error error;
    char keep[STREAM_MODEL_NAME];
    il_stream_model_name(s->round, keep);
    const int numbered =
        strlen(name) == strlen(keep) && strncmp(name, "model-", 6) == 0 &&
        strspn(name + 6, "0123456789") == 8 && strcmp(name + 14, ".ilm") == 0;
    if (strcmp(name, STREAM_MODEL_NEW) != 0 && (!numbered || strcmp(name, keep) == 0))
        return 0;
    if (il_dir_remove(&s->dir, name, &error) != IL_OK)
        il_stream_say(s, 4, "%s", error.text);
    return 0;
}

enum il_status il_stream_recover(struct il_stream *s, const struct il_stream_config *c,
                                 struct il_error *error)
{
    int there = 0;
    enum il_status status = open_dir(s, c, &there, error);
    for (int i = 0; status == IL_OK && i < 2; i++)
        status = open_store(s, i, c, there, error);
    if (status == IL_OK)
        status = open_log(s, c, error);
    if (status == IL_OK)
        status = load_model(s, error);
    for (int i = 0; status == IL_OK && i < 2; i++)
        status = load_rows(s, i, error);
    if (status == IL_OK)
        status = il_dir_list(&s->dir, sweep_one, s, error);
    /* What the rows say now and the log does not: told by the first commit. */
    return status == IL_OK ? il_stream_settle(s, 1, 0, error) : status;
}
