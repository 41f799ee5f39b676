/* SPDX-License-Identifier: Apache-2.0 */
#include "src/store/vectors.h"

#include <isolink/transfer.h>

#include "formats/vecs.h"
#include "src/base/base.h"
#include "src/store/ids.h"
#include "src/store/source_kind.h"

#include <string.h>

/* Rows asked of a source at once, in coordinates: 1 MiB. */
#define AT_ONCE ((size_t)256 * 1024)
#define MAGIC_BYTES 8u

struct il_vectors {
    struct il_matrix rows;
    unsigned char *block; /* the rows as they lie in the file, or as f32 */
    struct il_ids *ids;   /* NULL: there are none */
    int codec;            /* of the store; 0: of a file */
};

/* The kind when the file can be read as one block; IL_KIND_AUTO: as a source. */
static enum il_status find_kind(enum il_kind *out, const struct il_file *file,
                                struct il_error *error)
{
    unsigned char magic[MAGIC_BYTES];
    *out = IL_KIND_AUTO;
    if (!file->sized || file->size < MAGIC_BYTES)
        return IL_OK;
    enum il_status status = il_file_read_at(file, 0, magic, sizeof(magic), error);
    if (status != IL_OK || il_input_is_packed(file->name, magic, sizeof(magic)))
        return status;
    enum il_kind kind = il_kind_of_name(file->name);
    if (kind == IL_KIND_AUTO)
        kind = il_kind_of_bytes(magic, sizeof(magic));
    if (kind >= IL_KIND_NPY && kind <= IL_KIND_I8BIN)
        *out = kind;
    return IL_OK;
}

/* The block of a file, as it lies there. */
static enum il_status read_block(struct il_vectors *v, const struct il_layout *layout,
                                 const struct il_bytes *bytes, struct il_error *error)
{
    v->block = il_alloc(layout->block_bytes, 1);
    if (!v->block)
        return il_fail(error, IL_ENOMEM, "%s: no memory for %zu bytes", bytes->name,
                       layout->block_bytes);
    enum il_status status =
        il_bytes_read(bytes, layout->offset, v->block, layout->block_bytes, error);
    if (status == IL_OK && layout->lead_bytes > 0)
        status = il_vecs_check(layout, v->block, 0, layout->rows, bytes->name, error);
    v->rows = (struct il_matrix){.type = layout->type,
                                 .rows = layout->rows,
                                 .dim = layout->dim,
                                 .stride_bytes = layout->stride_bytes,
                                 .data = v->block + layout->lead_bytes};
    return status;
}

/* What grows while a source is read. */
struct growing {
    size_t room; /* rows in the block */
    char *text;  /* of ids, each with a zero byte behind it */
    size_t text_bytes, text_room;
    const void **ids; /* of one call, at_once each */
    size_t *id_bytes;
    size_t at_once;
};

static enum il_status grow_rows(struct il_vectors *v, struct growing *g, uint64_t rows,
                                int sure, const char *name, struct il_error *error)
{
    size_t row_bytes = v->rows.dim * sizeof(float), bytes = 0;
    if (g->room - v->rows.rows >= g->at_once)
        return IL_OK;
    size_t room = 2 * g->room + g->at_once;
    /* One row more than there are, so that the end is seen. */
    if (rows <= IL_ROWS_MAX && (sure || room > rows + g->at_once))
        room = (size_t)rows + g->at_once;
    unsigned char *grown = NULL;
    if (il_mul_bytes(room, row_bytes, &bytes) == IL_OK)
        grown = il_realloc(v->block, v->rows.rows * row_bytes, bytes);
    if (!grown)
        return il_fail(error, IL_ENOMEM, "%s: no memory for %zu rows", name, room);
    v->block = grown;
    g->room = room;
    return IL_OK;
}

static enum il_status keep_ids(struct growing *g, size_t count, const char *name,
                               struct il_error *error)
{
    for (size_t i = 0; i < count; i++) {
        size_t wanted = g->id_bytes[i] + 1;
        if (!g->text || g->text_room - g->text_bytes < wanted) {
            size_t room = 2 * g->text_room + IL_ID_BYTES_MAX + 1;
            char *grown = il_realloc(g->text, g->text_bytes, room);
            if (!grown)
                return il_fail(error, IL_ENOMEM, "%s: no memory for %zu bytes of ids",
                               name, room);
            g->text = grown;
            g->text_room = room;
        }
        memcpy(g->text + g->text_bytes, g->ids[i], g->id_bytes[i]);
        g->text_bytes += wanted;
        g->text[g->text_bytes - 1] = 0;
    }
    return IL_OK;
}

static enum il_status read_rows(struct il_vectors *v, struct growing *g,
                                struct il_source *source, const char *name,
                                struct il_error *error)
{
    v->rows.type = IL_F32;
    v->rows.dim = il_source_dim(source);
    v->rows.stride_bytes = v->rows.dim * sizeof(float);
    g->at_once = AT_ONCE / v->rows.dim > 0 ? AT_ONCE / v->rows.dim : 1;
    int has_ids = il_source_has_ids(source);
    if (has_ids) {
        g->ids = il_alloc(g->at_once, sizeof(*g->ids));
        g->id_bytes = il_alloc(g->at_once, sizeof(*g->id_bytes));
        if (!g->ids || !g->id_bytes)
            return il_fail(error, IL_ENOMEM, "%s: no memory for ids", name);
    }
    for (size_t count = g->at_once; count == g->at_once;) {
        enum il_status status = grow_rows(v, g, il_source_rows(source),
                                          il_source_is_sized(source), name, error);
        if (status == IL_OK)
            status =
                il_source_next(source, g->at_once,
                               (float *)(void *)v->block + v->rows.rows * v->rows.dim,
                               has_ids ? g->ids : NULL, g->id_bytes, &count, error);
        if (status == IL_OK && has_ids)
            status = keep_ids(g, count, name, error);
        if (status != IL_OK)
            return status;
        v->rows.rows += count;
    }
    v->rows.data = v->block;
    return IL_OK;
}

/* Any kind, row by row. */
static enum il_status read_source(struct il_vectors *v, const char *path,
                                  struct il_error *error)
{
    struct il_source *source = NULL;
    struct growing g = {0};
    const char *name = il_path_tail(path);
    enum il_status status = il_source_open(&source, path, NULL, error);
    if (status == IL_OK)
        status = read_rows(v, &g, source, name, error);
    if (status == IL_OK && g.ids) {
        status = il_ids_make(&v->ids, name, g.text, v->rows.rows, error);
        g.text = NULL;
    }
    il_free(g.text);
    il_free((void *)g.ids);
    il_free(g.id_bytes);
    il_source_close(&source);
    return status;
}

enum il_status il_vectors_load(struct il_vectors **out, const char *path,
                               struct il_error *error)
{
    *out = NULL;
    struct il_file file = {.fd = -1};
    struct il_layout layout = {0};
    struct il_vectors *v = NULL;
    enum il_kind kind = IL_KIND_AUTO;
    enum il_status status = IL_OK;
    if (strcmp(path, "-") != 0) {
        status = il_file_open(&file, path, error);
        if (status == IL_OK)
            status = find_kind(&kind, &file, error);
    }
    struct il_bytes bytes = {.name = file.name, .size = file.size, .file = &file};
    if (status == IL_OK && kind != IL_KIND_AUTO)
        status = il_kind_layout(&layout, kind, &bytes, error);
    if (status != IL_OK)
        goto out;
    v = il_alloc_zero(1, sizeof(*v));
    if (!v)
        status = il_fail(error, IL_ENOMEM, "%s: no memory to read it", file.name);
    else if (kind != IL_KIND_AUTO && layout.form == IL_FORM_PLAIN)
        status = read_block(v, &layout, &bytes, error);
    else
        status = read_source(v, path, error);
out:
    il_file_close(&file);
    if (status != IL_OK)
        il_vectors_close(&v);
    *out = v;
    return status;
}

enum il_status il_vectors_make(struct il_vectors **out, float *block, size_t rows,
                               size_t dim, enum il_codec codec, struct il_ids *ids)
{
    struct il_vectors *v = il_alloc_zero(1, sizeof(*v));
    *out = v;
    if (!v) {
        il_free(block);
        il_ids_close(&ids);
        return IL_ENOMEM;
    }
    v->block = (unsigned char *)block;
    v->ids = ids;
    v->codec = (int)codec;
    v->rows = (struct il_matrix){.type = IL_F32,
                                 .rows = rows,
                                 .dim = dim,
                                 .stride_bytes = dim * sizeof(float),
                                 .data = block};
    return IL_OK;
}

struct il_matrix il_vectors_rows(const struct il_vectors *vectors)
{
    return vectors->rows;
}

int il_side_codec(const struct il_vectors *side)
{
    return side->codec;
}

const struct il_ids *il_vectors_ids(const struct il_vectors *vectors)
{
    return vectors->ids;
}

void il_vectors_close(struct il_vectors **vectors)
{
    if (!*vectors)
        return;
    il_ids_close(&(*vectors)->ids);
    il_free((*vectors)->block);
    il_free(*vectors);
    *vectors = NULL;
}
