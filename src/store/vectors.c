/* SPDX-License-Identifier: Apache-2.0 */
#include "src/store/vectors.h"

#include "formats/vecs.h"
#include "src/base/base.h"
#include "src/store/source_kind.h"

/* What a pipe may bring: it is held twice while its block grows. */
#define PIPE_BYTES_MAX ((uint64_t)1 << 36)

struct il_vectors {
    struct il_matrix rows;
    unsigned char *block; /* the rows as they lie in the file */
};

/* Only .npy says in its first bytes what it is. */
static enum il_status find_kind(enum il_kind *out, const struct il_bytes *bytes,
                                struct il_error *error)
{
    unsigned char magic[8];
    size_t have = bytes->size < sizeof(magic) ? (size_t)bytes->size : sizeof(magic);
    *out = il_kind_of_name(bytes->name);
    if (*out != IL_KIND_AUTO)
        return IL_OK;
    enum il_status status = il_bytes_read(bytes, 0, magic, have, error);
    if (status != IL_OK)
        return status;
    *out = il_kind_of_bytes(magic, have);
    return *out != IL_KIND_AUTO ? IL_OK : il_kind_unknown(bytes->name, error);
}

enum il_status il_vectors_read(struct il_vectors **out, const struct il_bytes *bytes,
                               struct il_error *error)
{
    *out = NULL;
    enum il_kind kind = IL_KIND_AUTO;
    struct il_layout layout;
    struct il_vectors *v = NULL;
    enum il_status status = find_kind(&kind, bytes, error);
    if (status != IL_OK)
        goto out;
    status = il_kind_layout(&layout, kind, bytes, error);
    if (status != IL_OK)
        goto out;
    v = il_alloc_zero(1, sizeof(*v));
    if (v)
        v->block = il_alloc(layout.block_bytes, 1);
    if (!v || !v->block) {
        status = il_fail(error, IL_ENOMEM, "%s: no memory for %zu bytes", bytes->name,
                         layout.block_bytes);
        goto out;
    }
    status = il_bytes_read(bytes, layout.offset, v->block, layout.block_bytes, error);
    if (status != IL_OK)
        goto out;
    if (kind == IL_KIND_FVECS || kind == IL_KIND_BVECS) {
        status = il_vecs_check(&layout, v->block, 0, layout.rows, bytes->name, error);
        if (status != IL_OK)
            goto out;
    }
    v->rows = (struct il_matrix){.type = layout.type,
                                 .rows = layout.rows,
                                 .dim = layout.dim,
                                 .stride_bytes = layout.stride_bytes,
                                 .data = v->block + layout.lead_bytes};
    *out = v;
    v = NULL;
out:
    il_vectors_close(&v);
    return status;
}

enum il_status il_vectors_load(struct il_vectors **out, const char *path,
                               struct il_error *error)
{
    *out = NULL;
    struct il_file file;
    unsigned char *memory = NULL;
    enum il_status status = il_file_open(&file, path, error);
    if (status != IL_OK)
        return status;
    struct il_bytes bytes = {.name = file.name, .size = file.size, .file = &file};
    if (!file.sized) {
        size_t size = 0;
        status = il_file_read_all(&file, PIPE_BYTES_MAX, &memory, &size, error);
        if (status != IL_OK)
            goto out;
        bytes.memory = memory;
        bytes.size = size;
    }
    status = il_vectors_read(out, &bytes, error);
out:
    il_free(memory);
    il_file_close(&file);
    return status;
}

struct il_matrix il_vectors_rows(const struct il_vectors *vectors)
{
    return vectors->rows;
}

void il_vectors_close(struct il_vectors **vectors)
{
    if (!*vectors)
        return;
    il_free((*vectors)->block);
    il_free(*vectors);
    *vectors = NULL;
}
