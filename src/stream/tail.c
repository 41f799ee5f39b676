/* SPDX-License-Identifier: Apache-2.0 */
/* Sources that are followed: what they have in common. */
#include "src/stream/tail_inner.h"

#include "src/base/base.h"
#include "src/store/source_kind.h"
#include "src/store/store_inner.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

/* Rows of a call: 1 MiB of coordinates. */
#define VALUES_MAX ((size_t)256 * 1024)
#define ROWS_MAX ((size_t)4096)
#define SECONDS_BETWEEN 60.0

void il_tail_config_init(struct il_tail_config *config)
{
    *config = (struct il_tail_config){.struct_bytes = sizeof(*config)};
}

static void tell(struct il_tail *t, int level, const char *text)
{
    const uint64_t hash = il_hash_bytes(text, strlen(text));
    const double now = il_clock_seconds();
    if (!t->config.log)
        return;
    for (int i = 0; i < IL_TOLD; i++)
        if (t->told[i].hash == hash && now - t->told[i].at < SECONDS_BETWEEN)
            return;
    t->told[t->told_next++ % IL_TOLD] = (struct il_told){.hash = hash, .at = now};
    t->config.log(t->config.log_context, level, text);
}

void il_tail_say(struct il_tail *t, int level, const char *format, ...)
{
    char text[600];
    va_list values;
    va_start(values, format);
    vsnprintf(text, sizeof(text), format, values);
    va_end(values);
    tell(t, level, text);
}

void il_tail_bad_line(struct il_tail *t, const char *text)
{
    const double now = il_clock_seconds();
    if (t->bad_told != 0 && now - t->bad_told < SECONDS_BETWEEN) {
        t->bad_untold++;
        return;
    }
    if (t->bad_untold > 0)
        il_tail_say(t, 4, "%s: passed over, as were %" PRIu64 " lines before it", text,
                    t->bad_untold);
    else
        il_tail_say(t, 4, "%s: passed over", text);
    t->bad_told = now;
    t->bad_untold = 0;
}

void il_tail_set(struct il_tail *t, enum il_tail_state state, const char *format, ...)
{
    va_list values;
    t->next_state = state;
    va_start(values, format);
    vsnprintf(t->next_why, sizeof(t->next_why), format, values);
    va_end(values);
}

enum il_status il_tail_trouble(struct il_tail *t, enum il_status status,
                               struct il_error *error)
{
    if (status == IL_OK || status == IL_ENOMEM)
        return status;
    il_tail_set(t, IL_TAIL_PAUSED, "%s", error->text);
    return IL_OK;
}

enum il_status il_batch_room(struct il_tail *t, size_t dim, struct il_error *error)
{
    struct il_batch *b = &t->batch;
    IL_ASSERT(dim > 0 && (t->dim == 0 || t->dim == dim));
    size_t most = VALUES_MAX / dim;
    most = most < 1 ? 1 : most > ROWS_MAX ? ROWS_MAX : most;
    b->most = b->most < most ? b->most : most;
    if (b->values_room < b->most * dim) {
        il_free(b->values);
        b->values = il_alloc(b->most * dim, sizeof(float));
        b->values_room = b->values ? b->most * dim : 0;
    }
    if (b->room < b->most) {
        il_free(b->names.length);
        il_free(b->removed);
        b->names.length = il_alloc(b->most, sizeof(size_t));
        b->removed = il_alloc(b->most, 1);
        b->room = b->names.length && b->removed ? b->most : 0;
    }
    if (!b->values || b->room < b->most)
        return il_fail(error, IL_ENOMEM, "%s: no memory for %zu rows",
                       il_path_tail(t->path), b->most);
    t->dim = dim;
    return IL_OK;
}

enum il_status il_batch_add(struct il_tail *t, const void *id, size_t id_bytes,
                            int removed, struct il_error *error)
{
    struct il_batch *b = &t->batch;
    IL_ASSERT(b->count < b->most && b->count < b->room);
    enum il_status status = il_names_add(&b->names, id, id_bytes, error);
    if (status != IL_OK)
        return status;
    b->removed[b->count++] = (unsigned char)removed;
    t->rows += !removed;
    return IL_OK;
}

char *il_tail_join(const char *dir, const char *name)
{
    const size_t room = strlen(dir) + strlen(name) + 2;
    char *out = il_alloc(room, 1);
    if (out)
        snprintf(out, room, "%s/%s", dir, name);
    return out;
}

static int ends_in(const char *name, const char *suffix)
{
    size_t bytes = strlen(name), wanted = strlen(suffix);
    return bytes >= wanted && strcasecmp(name + bytes - wanted, suffix) == 0;
}

const char *il_tail_unfit(const char *name, enum il_kind kind)
{
    if (ends_in(name, ".zst"))
        return "a packed file cannot be followed, nothing tells its unfinished end: "
               "write it unpacked, or import it";
    if (kind == IL_KIND_AUTO && (ends_in(name, ".h5") || ends_in(name, ".hdf5")))
        return "HDF5 cannot be followed, its parts move while it is written: write .npy "
               "or .fvecs";
    if (kind == IL_KIND_AUTO && (ends_in(name, ".npz") || ends_in(name, ".parquet")))
        return "it cannot be followed, its index comes last: write .npy, .fvecs or "
               ".jsonl";
    switch (kind) {
    case IL_KIND_FAISS:
        return "a FAISS index cannot be followed, it is written as a whole: import it, "
               "or "
               "write .npy or .fvecs";
    case IL_KIND_SAFETENSORS:
        return "safetensors cannot be followed, the header fixes the rows: import it, or "
               "write .npy or .fvecs";
    case IL_KIND_SQLITE_VEC:
        return "a table of sqlite-vec cannot be followed, old rows change anywhere: "
               "import it, or write .jsonl";
    default:
        return NULL;
    }
}

/* The directory that a path lies in. */
static char *parent_of(const char *path)
{
    size_t bytes = strlen(path);
    while (bytes > 1 && path[bytes - 1] == '/')
        bytes--;
    while (bytes > 0 && path[bytes - 1] != '/')
        bytes--;
    while (bytes > 1 && path[bytes - 1] == '/')
        bytes--;
    const char *from = bytes > 0 ? path : ".";
    bytes = bytes > 0 ? bytes : 1;
    char *out = il_alloc(bytes + 1, 1);
    if (!out)
        return NULL;
    memcpy(out, from, bytes);
    out[bytes] = 0;
    return out;
}

static enum il_status check_config(const char *path, const struct il_tail_config *c,
                                   struct il_error *error)
{
    if (c->struct_bytes != sizeof(*c))
        return il_fail(error, IL_EARG, "config of %zu bytes, wanted %zu: not initialised",
                       c->struct_bytes, sizeof(*c));
    if (c->dim > IL_DIM_MAX)
        return il_fail(error, IL_EARG, "row length %zu, wanted 0 to %u", c->dim,
                       IL_DIM_MAX);
    if (c->kind < IL_KIND_AUTO || c->kind > IL_KIND_SQLITE_VEC)
        return il_fail(error, IL_EARG, "kind %d of a source, wanted %d to %d",
                       (int)c->kind, IL_KIND_AUTO, IL_KIND_SQLITE_VEC);
    struct il_about about;
    struct il_error own;
    enum il_kind kind = c->kind;
    if (kind == IL_KIND_AUTO)
        kind = il_kind_of_name(path);
    const char *unfit = il_tail_unfit(path, kind);
    /* A directory may be called what it likes. */
    if (unfit && c->kind == IL_KIND_AUTO && il_about_path(&about, path, &own) == IL_OK &&
        about.thing == IL_THING_DIR)
        return IL_OK;
    return unfit ? il_fail(error, IL_EARG, "%s: %s", il_path_tail(path), unfit) : IL_OK;
}

/* What is there is passed over. */
static enum il_status begin_at_end(struct il_tail *t, struct il_error *error)
{
    struct il_about about;
    enum il_status status = il_about_path(&about, t->path, error);
    if (status == IL_OK && about.thing == IL_THING_FILE)
        t->now.mark.skip_to = about.size;
    t->fresh = status == IL_OK && about.thing == IL_THING_DIR;
    return status;
}

static enum il_status begin(struct il_tail *t, const void *position, size_t bytes,
                            struct il_error *error)
{
    enum il_status status = IL_OK;
    if (strcmp(t->path, "-") == 0) {
        t->what = IL_TAIL_PIPE;
        t->now.piped = 1;
        status = il_file_stdin(&t->now.file, error);
        if (status != IL_OK)
            return status;
        snprintf(t->now.shown, sizeof(t->now.shown), "standard input");
    } else {
        il_watch_open(&t->watch);
    }
    if (position)
        return il_position_get(t, position, bytes, error);
    if (t->config.from_end && t->what != IL_TAIL_PIPE)
        status = begin_at_end(t, error);
    return status;
}

enum il_status il_tail_open(struct il_tail **out, const char *path, const void *position,
                            size_t position_bytes, const struct il_tail_config *config,
                            struct il_error *error)
{
    struct il_error own;
    struct il_tail_config defaults;
    *out = NULL;
    if (!error)
        error = &own;
    il_tail_config_init(&defaults);
    const struct il_tail_config *c = config ? config : &defaults;
    enum il_status status = check_config(path, c, error);
    if (status != IL_OK)
        return status;
    struct il_tail *t = il_alloc_zero(1, sizeof(*t));
    if (!t)
        return il_fail(error, IL_ENOMEM, "%s: no memory to follow it",
                       il_path_tail(path));
    const size_t path_bytes = strlen(path) + 1;
    const size_t column_bytes = c->column ? strlen(c->column) + 1 : 0;
    t->config = *c;
    t->config.column = NULL;
    t->dim = c->dim;
    t->watch = (struct il_watch){.fd = -1, .what = -1};
    t->path = il_alloc(path_bytes, 1);
    t->parent = parent_of(path);
    t->column = c->column ? il_alloc(column_bytes, 1) : NULL;
    il_flow_init(&t->now, il_path_tail(path));
    il_flow_init(&t->before, il_path_tail(path));
    if (!t->path || !t->parent || (c->column && !t->column)) {
        status =
            il_fail(error, IL_ENOMEM, "%s: no memory to follow it", il_path_tail(path));
        goto out;
    }
    memcpy(t->path, path, path_bytes);
    if (c->column)
        memcpy(t->column, c->column, column_bytes);
    status = begin(t, position, position_bytes, error);
out:
    if (status != IL_OK)
        il_tail_close(&t);
    *out = t;
    return status;
}

void il_tail_close(struct il_tail **tail)
{
    struct il_tail *t = *tail;
    *tail = NULL;
    if (!t)
        return;
    il_tail_dir_close(t);
    il_tail_store_close(t);
    il_flow_close(&t->now);
    il_flow_close(&t->before);
    il_watch_close(&t->watch);
    il_free(t->batch.values);
    il_free(t->batch.names.text);
    il_free(t->batch.names.length);
    il_free(t->batch.removed);
    il_free(t->path);
    il_free(t->parent);
    il_free(t->column);
    il_free(t);
}

size_t il_tail_dim(const struct il_tail *tail)
{
    return tail->dim;
}

static int each_name(void *context, const char *name)
{
    int *files = context;
    *files += !il_tail_is_leftover(name) && !il_store_own_name(name);
    return *files > 0;
}

/* A directory is a store when it holds a manifest; one without a file may become a
   store. */
static enum il_status find_what_dir(struct il_tail *t, struct il_error *error)
{
    struct il_dir dir = {.fd = -1};
    enum il_status status = IL_OK;
    int files = 0;
    if (il_store_exists(t->path)) {
        status = il_tail_store_open(t, error);
        t->what = status == IL_OK ? IL_TAIL_STORE : IL_TAIL_UNKNOWN;
        return status;
    }
    status = il_dir_open(&dir, t->path, error);
    if (status == IL_OK)
        status = il_dir_list(&dir, each_name, &files, error);
    il_dir_close(&dir);
    if (status != IL_OK || files == 0)
        return status;
    status = il_tail_dir_open(t, error);
    t->what = status == IL_OK ? IL_TAIL_DIR : IL_TAIL_UNKNOWN;
    return status;
}

static enum il_status find_what(struct il_tail *t, struct il_error *error)
{
    struct il_about about;
    enum il_status status = il_about_path(&about, t->path, error);
    if (status != IL_OK)
        return status;
    if (about.thing == IL_THING_NONE)
        il_tail_set(t, IL_TAIL_MISSING, "%s: not there yet", il_path_tail(t->path));
    if (about.thing == IL_THING_OTHER)
        return il_fail(error, IL_EARG,
                       "%s: wanted a file, a directory, or - for standard input",
                       il_path_tail(t->path));
    if (about.thing == IL_THING_FILE)
        t->what = IL_TAIL_FILE;
    if (about.thing == IL_THING_DIR)
        status = find_what_dir(t, error);
    /* What comes later was not there at the first open. */
    if (status == IL_OK && t->what != IL_TAIL_DIR)
        t->fresh = 0;
    /* The names in it matter from now on. */
    if (t->what == IL_TAIL_DIR || t->what == IL_TAIL_STORE) {
        il_watch_close(&t->watch);
        il_watch_open(&t->watch);
        il_watch_begin(&t->watch, t->path);
    }
    return status;
}

static enum il_status read_more(struct il_tail *t, struct il_error *error)
{
    enum il_status status = IL_OK;
    if (t->what == IL_TAIL_UNKNOWN)
        status = find_what(t, error);
    if (status != IL_OK)
        return status;
    switch (t->what) {
    case IL_TAIL_FILE:
        return il_tail_file_next(t, error);
    case IL_TAIL_DIR:
        return il_tail_dir_next(t, error);
    case IL_TAIL_STORE:
        return il_tail_store_next(t, error);
    case IL_TAIL_PIPE:
        return il_tail_pipe_next(t, error);
    default:
        return IL_OK;
    }
}

/* Tells when the source stops or goes on. */
static void change_state(struct il_tail *t)
{
    const int same = t->state == t->next_state &&
                     (t->state == IL_TAIL_READY || strcmp(t->why, t->next_why) == 0);
    const int was = t->state != IL_TAIL_READY;
    t->state = t->next_state;
    memcpy(t->why, t->next_why, sizeof(t->why));
    if (same)
        return;
    if (t->state == IL_TAIL_PAUSED)
        il_tail_say(t, 3, "%s: paused: %s", il_path_tail(t->path), t->why);
    else if (t->state == IL_TAIL_MISSING)
        il_tail_say(t, 4, "%s", t->why);
    else if (t->state == IL_TAIL_READY && was)
        il_tail_say(t, 6, "%s: goes on", il_path_tail(t->path));
}

enum il_status il_tail_next(struct il_tail *tail, size_t most, struct il_tail_row *rows,
                            size_t *count, struct il_error *error)
{
    struct il_tail *t = tail;
    struct il_batch *b = &t->batch;
    struct il_error own;
    *count = 0;
    if (!error)
        error = &own;
    if (most == 0)
        return IL_OK;
    b->most = most;
    b->count = b->names.count = b->names.bytes = 0;
    t->next_state = IL_TAIL_READY;
    t->next_why[0] = 0;
    if (t->what != IL_TAIL_PIPE) {
        il_watch_empty(&t->watch);
        il_watch_begin(&t->watch, t->what == IL_TAIL_DIR || t->what == IL_TAIL_STORE
                                      ? t->path
                                      : t->parent);
    }
    enum il_status status = il_tail_trouble(t, read_more(t, error), error);
    change_state(t);
    /* Rows that are in the batch are behind the position: they must be given, whatever
       came after them. */
    if (status != IL_OK && b->count == 0)
        return status;
    const unsigned char *id = b->names.text;
    for (size_t i = 0; i < b->count; i++) {
        rows[i] =
            (struct il_tail_row){.id = id,
                                 .id_bytes = b->names.length[i],
                                 .row = b->removed[i] ? NULL : b->values + i * t->dim};
        id += b->names.length[i];
    }
    *count = b->count;
    return IL_OK;
}

int il_tail_fd(const struct il_tail *tail)
{
    if (tail->what == IL_TAIL_PIPE)
        return tail->state == IL_TAIL_ENDED ? -1 : tail->now.file.fd;
    return tail->watch.what >= 0 ? tail->watch.fd : -1;
}

void il_tail_describe(const struct il_tail *tail, struct il_tail_info *out)
{
    const struct il_tail *t = tail;
    *out = (struct il_tail_info){.state = t->state,
                                 .rows = t->rows,
                                 .bad_lines = t->bad_lines,
                                 .rotations = t->rotations};
    memcpy(out->why, t->why, sizeof(out->why));
    const struct il_mark *marks[] = {&t->now.mark, &t->before.mark};
    for (int i = 0; i < 2; i++)
        if (marks[i]->seen > marks[i]->offset)
            out->lag_bytes += marks[i]->seen - marks[i]->offset;
    if (t->what == IL_TAIL_STORE)
        out->lag_bytes += il_tail_store_lag(t);
}
