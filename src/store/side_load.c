/* SPDX-License-Identifier: Apache-2.0 */
/* One side of a link, whole in memory: the rows of a store, or of a file. */
#include <isolink/transfer.h>

#include "src/base/base.h"
#include "src/io/dir.h"
#include "src/store/ids.h"
#include "src/store/vectors.h"

#include <string.h>

/* Rows that are asked for at once. */
#define BATCH 256

struct side {
    const char *name;
    int stored; /* 1: coordinates as they are stored */
    enum il_codec codec;
    size_t dim, rows, room; /* room: rows that the block takes */
    float *block;
    char *text; /* ids, each with a zero byte behind it */
    size_t text_bytes, text_room;
    const void *id[BATCH];
    size_t id_bytes[BATCH];
};

/* Takes in the ids of `count` rows that stand behind those of before. */
static enum il_status keep_ids(struct side *s, size_t count, struct il_error *error)
{
    for (size_t i = 0; i < count; i++) {
        const size_t bytes = s->id_bytes[i];
        char shown[80];
        if (memchr(s->id[i], 0, bytes))
            return il_fail(error, IL_EFORMAT,
                           "%s: id '%s' holds a NUL byte, which no list of pairs can "
                           "name",
                           s->name, il_printable(shown, sizeof(shown), s->id[i], bytes));
        if (s->text_room - s->text_bytes < bytes + 1) {
            size_t room = 2 * s->text_room + IL_ID_BYTES_MAX + 1;
            char *grown = il_realloc(s->text, s->text_bytes, room);
            if (!grown)
                return il_fail(error, IL_ENOMEM, "%s: no memory for %zu bytes of ids",
                               s->name, room);
            s->text = grown;
            s->text_room = room;
        }
        memcpy(s->text + s->text_bytes, s->id[i], bytes);
        s->text_bytes += bytes + 1;
        s->text[s->text_bytes - 1] = 0;
    }
    return IL_OK;
}

static enum il_status read_rows(struct side *s, struct il_store_cursor *cursor,
                                struct il_error *error)
{
    for (size_t count = 1; count > 0;) {
        const size_t left = s->room - s->rows, most = left < BATCH ? left : BATCH;
        enum il_status status =
            il_store_cursor_next(cursor, s->stored, most, s->block + s->rows * s->dim,
                                 s->id, s->id_bytes, &count, error);
        if (status == IL_OK)
            status = keep_ids(s, count, error);
        if (status != IL_OK)
            return status;
        s->rows += count;
        /* The room is for one row more than there are, so that the end is seen. */
        IL_ASSERT(s->rows < s->room);
    }
    return IL_OK;
}

static enum il_status read_store(struct side *s, const char *path, enum il_io io,
                                 struct il_error *error)
{
    struct il_store_config config;
    struct il_store *store = NULL;
    struct il_store_cursor *cursor = NULL;
    struct il_store_info info;
    size_t bytes = 0;
    il_store_config_init(&config);
    config.io = io;
    enum il_status status = il_store_open(&store, path, &config, error);
    if (status != IL_OK)
        return status;
    il_store_describe(store, &info);
    s->codec = info.codec;
    s->dim = s->stored ? info.stored_dim : info.dim;
    s->room = (size_t)info.rows + 1;
    /* What a store says was compared with its files when it was opened. */
    if (il_mul_bytes(s->room, s->dim * sizeof(float), &bytes) == IL_OK)
        s->block = il_alloc(bytes, 1);
    if (!s->block)
        status = il_fail(error, IL_ENOMEM, "%s: no memory for %zu rows of %zu", s->name,
                         s->room - 1, s->dim);
    if (status == IL_OK)
        status = il_store_cursor_open(&cursor, store, error);
    if (status == IL_OK)
        status = read_rows(s, cursor, error);
    il_store_cursor_close(&cursor);
    il_store_close(&store);
    return status;
}

static enum il_status load_store(struct il_vectors **out, const char *path, int stored,
                                 enum il_io io, struct il_error *error)
{
    struct side s = {.name = il_path_tail(path), .stored = stored};
    struct il_ids *ids = NULL;
    enum il_status status = read_store(&s, path, io, error);
    if (status == IL_OK) {
        status = il_ids_make(&ids, s.name, s.text, s.rows, error);
        s.text = NULL;
    }
    if (status == IL_OK) {
        status = il_vectors_make(out, s.block, s.rows, s.dim, s.codec, ids);
        s.block = NULL;
        if (status != IL_OK)
            il_fail(error, status, "%s: no memory to read it", s.name);
    }
    il_free(s.text);
    il_free(s.block);
    return status;
}

static enum il_status load_side(struct il_vectors **out, const char *path, int stored,
                                enum il_io io, struct il_error *error)
{
    struct il_dir dir;
    *out = NULL;
    if (strcmp(path, "-") == 0)
        return il_vectors_load(out, path, error);
    if (il_store_exists(path))
        return load_store(out, path, stored, io, error);
    if (il_dir_open(&dir, path, error) != IL_OK)
        return il_vectors_load(out, path, error);
    il_dir_close(&dir);
    return il_fail(error, IL_EFORMAT,
                   "%s: a directory without the MANIFEST of a store; wanted a store or "
                   "a file of vectors",
                   il_path_tail(path));
}

enum il_status il_side_load(struct il_vectors **out, const char *path, enum il_io io,
                            struct il_error *error)
{
    return load_side(out, path, 1, io, error);
}

enum il_status il_side_load_whole(struct il_vectors **out, const char *path,
                                  enum il_io io, struct il_error *error)
{
    return load_side(out, path, 0, io, error);
}
