/* SPDX-License-Identifier: Apache-2.0 */
#include <isolink/source.h>

#include "formats/safetensors.h"
#include "formats/sqlite_vec.h"
#include "formats/text_reader.h"
#include "src/base/base.h"
#include "src/store/source_kind.h"

#include <inttypes.h>
#include <string.h>

/* Longer than any header that is read through il_input_bytes. */
#define LOOK_BYTES ((size_t)16 * 1024)

struct il_source {
    struct il_input *stream;
    struct il_reader *reader;
    uint64_t given;
    struct il_names names;
    enum il_status status; /* once not IL_OK the source has ended */
    struct il_error error;
};

void il_source_config_init(struct il_source_config *config)
{
    *config = (struct il_source_config){.struct_bytes = sizeof(*config)};
}

/* A database is read at its offsets, by libsqlite3. */
static enum il_status open_database(struct il_source *s, const char *path,
                                    const struct il_source_config *config,
                                    struct il_error *error)
{
    struct il_bytes bytes = {.name = il_input_name(s->stream)};
    unsigned char *data = NULL;
    size_t have = 0;
    enum il_status status =
        il_input_look(s->stream, IL_SQLITE_MAGIC_BYTES, &data, &have, error);
    if (status != IL_OK)
        return status;
    if (have < IL_SQLITE_MAGIC_BYTES ||
        memcmp(data, IL_SQLITE_MAGIC, IL_SQLITE_MAGIC_BYTES) != 0)
        return il_fail(error, IL_EFORMAT, "%s, byte 0: no SQLite database", bytes.name);
    if (il_input_size(s->stream) == IL_SIZE_UNKNOWN)
        return il_fail(error, IL_EARG,
                       "%s: a database is read at its offsets, so it must be a file that "
                       "is not packed",
                       bytes.name);
    status = il_input_bytes(s->stream, 0, &bytes, error);
    if (status == IL_OK)
        status = il_sqlite_vec_open(&s->reader, &bytes, path, config->table,
                                    config->column, error);
    return status;
}

/* The kind by name, by the first bytes; opens its reader. */
static enum il_status open_reader(struct il_source *s, const char *path,
                                  const struct il_source_config *config,
                                  struct il_error *error)
{
    const char *name = il_input_path(s->stream);
    enum il_kind kind = config->kind;
    if (kind == IL_KIND_AUTO)
        kind = il_kind_of_name(name);
    if (kind == IL_KIND_AUTO) {
        unsigned char *data = NULL;
        size_t have = 0;
        enum il_status status = il_input_look(s->stream, LOOK_BYTES, &data, &have, error);
        if (status != IL_OK)
            return status;
        kind = il_kind_of_bytes(data, have);
    }
    if (kind == IL_KIND_AUTO)
        return il_kind_unknown(il_input_name(s->stream), error);
    if (kind == IL_KIND_JSONL)
        return il_jsonl_reader_open(&s->reader, s->stream, config->column, error);
    if (kind == IL_KIND_SQLITE_VEC)
        return open_database(s, path, config, error);
    if (kind == IL_KIND_CSV)
        return il_csv_reader_open(&s->reader, s->stream, config->column, error);
    struct il_bytes bytes = {0};
    struct il_layout layout;
    enum il_status status = IL_OK;
    if (kind == IL_KIND_SAFETENSORS) {
        status = il_safetensors_layout(&layout, s->stream, config->table, error);
    } else {
        status = il_input_bytes(s->stream, LOOK_BYTES, &bytes, error);
        /* Ids are read at their offset, which a pipe has not, be it as short as it is. */
        if (kind == IL_KIND_FAISS)
            bytes.size = il_input_size(s->stream);
        if (status == IL_OK)
            status = il_kind_layout(&layout, kind, &bytes, error);
    }
    if (status == IL_OK)
        status = il_block_reader_open(&s->reader, s->stream, &layout, &bytes, error);
    return status;
}

static enum il_status open_source(struct il_source **out, struct il_input *stream,
                                  const char *path, const struct il_source_config *config,
                                  struct il_error *error)
{
    struct il_source_config defaults;
    il_source_config_init(&defaults);
    struct il_source *s = il_alloc_zero(1, sizeof(*s));
    *out = NULL;
    if (!s) {
        enum il_status status =
            il_fail(error, IL_ENOMEM, "%s: no memory to read it", il_input_name(stream));
        il_input_close(&stream);
        return status;
    }
    s->stream = stream;
    enum il_status status = open_reader(s, path, config ? config : &defaults, error);
    if (status != IL_OK)
        il_source_close(&s);
    *out = s;
    return status;
}

enum il_status il_source_of_input(struct il_source **out, struct il_input *stream,
                                  const struct il_source_config *config,
                                  struct il_error *error)
{
    return open_source(out, stream, NULL, config, error);
}

enum il_status il_source_open(struct il_source **out, const char *path,
                              const struct il_source_config *config,
                              struct il_error *error)
{
    *out = NULL;
    struct il_input *stream = NULL;
    if (config && config->struct_bytes != sizeof(*config))
        return il_fail(error, IL_EARG, "a configuration of %zu bytes, wanted %zu",
                       config->struct_bytes, sizeof(*config));
    enum il_status status = il_input_open(&stream, path, error);
    if (status != IL_OK)
        return status;
    return open_source(out, stream, path, config, error);
}

void il_source_close(struct il_source **source)
{
    struct il_source *s = *source;
    *source = NULL;
    if (!s)
        return;
    if (s->reader)
        s->reader->close(s->reader);
    il_input_close(&s->stream);
    il_free(s->names.text);
    il_free(s);
}

size_t il_source_dim(const struct il_source *source)
{
    return source->reader->dim;
}

uint64_t il_source_rows(const struct il_source *source)
{
    return source->reader->rows;
}

int il_source_is_sized(const struct il_source *source)
{
    return source->stream && il_input_size(source->stream) != IL_SIZE_UNKNOWN;
}

int il_source_has_ids(const struct il_source *source)
{
    return source->reader->has_ids;
}

/* Ids for rows that have none, and the addresses of all. */
static enum il_status finish_names(struct il_source *s, size_t count, const void **ids,
                                   struct il_error *error)
{
    for (size_t i = 0; i < count && !s->reader->has_ids; i++) {
        enum il_status status =
            il_names_add_number(&s->names, (int64_t)(s->given + i), error);
        if (status != IL_OK)
            return status;
    }
    IL_ASSERT(s->names.count == count);
    const unsigned char *at = s->names.text;
    for (size_t i = 0; i < count; i++) {
        ids[i] = at;
        at += s->names.length[i];
    }
    return IL_OK;
}

static enum il_status next(struct il_source *s, size_t most, float *rows,
                           const void **ids, size_t *id_bytes, size_t *count,
                           struct il_error *error)
{
    s->names.bytes = s->names.count = 0;
    s->names.length = id_bytes;
    enum il_status status =
        s->reader->next(s->reader, most, rows, ids ? &s->names : NULL, count, error);
    if (status == IL_OK && *count > IL_ROWS_MAX - s->given)
        status = il_fail(error, IL_ELIMIT, "%s: more than %u rows",
                         il_input_name(s->stream), IL_ROWS_MAX);
    if (status == IL_OK && ids)
        status = finish_names(s, *count, ids, error);
    s->given += *count;
    return status;
}

enum il_status il_source_next(struct il_source *source, size_t most, float *rows,
                              const void **ids, size_t *id_bytes, size_t *count,
                              struct il_error *error)
{
    struct il_source *s = source;
    *count = 0;
    if (most == 0 || (ids && !id_bytes))
        return il_fail(error, IL_EARG, "no room for rows or for the lengths of ids");
    if (s->status == IL_OK) {
        s->status = next(s, most, rows, ids, id_bytes, count, &s->error);
        if (s->status == IL_OK)
            return IL_OK;
        *count = 0;
    }
    return il_fail(error, s->status, "%s", s->error.text);
}
