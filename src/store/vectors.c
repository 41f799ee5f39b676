/* SPDX-License-Identifier: Apache-2.0 */
#include "src/store/vectors.h"

#include "formats/bin.h"
#include "formats/npy.h"
#include "formats/vecs.h"
#include "simd/simd.h"
#include "src/base/base.h"

#include <string.h>
#include <strings.h>

/* What a pipe may bring: it is held twice while its block grows. */
#define PIPE_BYTES_MAX ((uint64_t)1 << 36)

struct il_vectors {
    struct il_matrix rows;
    unsigned char *block; /* the rows as they lie in the file */
};

enum family { NPY, VECS, BIN };

static const struct format {
    const char *suffix;
    enum family family;
    enum il_dtype type; /* NPY: the header says it */
} formats[] = {
    {".npy", NPY, IL_F32},  {".fvecs", VECS, IL_F32}, {".bvecs", VECS, IL_U8},
    {".fbin", BIN, IL_F32}, {".f16bin", BIN, IL_F16}, {".u8bin", BIN, IL_U8},
    {".i8bin", BIN, IL_I8},
};

static enum il_status find_format(const struct format **out, const struct il_bytes *bytes,
                                  struct il_error *error)
{
    size_t length = strlen(bytes->name);
    for (size_t i = 0; i < sizeof(formats) / sizeof(*formats); i++) {
        size_t suffix = strlen(formats[i].suffix);
        if (length >= suffix &&
            strcasecmp(bytes->name + length - suffix, formats[i].suffix) == 0) {
            *out = &formats[i];
            return IL_OK;
        }
    }
    /* Only .npy says in its first bytes what it is. */
    unsigned char magic[IL_NPY_MAGIC_BYTES];
    if (bytes->size >= sizeof(magic)) {
        enum il_status status = il_bytes_read(bytes, 0, magic, sizeof(magic), error);
        if (status != IL_OK)
            return status;
        if (memcmp(magic, IL_NPY_MAGIC, sizeof(magic)) == 0) {
            *out = &formats[0];
            return IL_OK;
        }
    }
    return il_fail(
        error, IL_EFORMAT,
        "%s: unknown kind of file, wanted a name that ends in .npy .fvecs .bvecs .fbin "
        ".f16bin .u8bin or .i8bin",
        bytes->name);
}

static enum il_status read_layout(struct il_layout *out, const struct format *format,
                                  const struct il_bytes *bytes, struct il_error *error)
{
    switch (format->family) {
    case NPY:
        return il_npy_layout(out, bytes, error);
    case VECS:
        return il_vecs_layout(out, bytes, format->type, error);
    case BIN:
        break;
    }
    return il_bin_layout(out, bytes, format->type, error);
}

enum il_status il_vectors_read(struct il_vectors **out, const struct il_bytes *bytes,
                               struct il_error *error)
{
    *out = NULL;
    const struct format *format = NULL;
    struct il_layout layout;
    struct il_vectors *v = NULL;
    enum il_status status = find_format(&format, bytes, error);
    if (status != IL_OK)
        goto out;
    status = read_layout(&layout, format, bytes, error);
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
    if (format->family == VECS) {
        status = il_vecs_check(&layout, v->block, bytes->name, error);
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

void il_matrix_to_f32(const struct il_matrix *m, size_t first, size_t count, float *out,
                      size_t ld)
{
    IL_ASSERT(first <= m->rows && count <= m->rows - first);
    IL_ASSERT(ld >= m->dim);
    const struct il_simd *simd = il_simd();
    for (size_t i = 0; i < count; i++) {
        const void *row = (const char *)m->data + (first + i) * m->stride_bytes;
        float *to = out + i * ld;
        switch (m->type) {
        case IL_F32:
            memcpy(to, row, m->dim * sizeof(*to));
            break;
        case IL_F16:
            simd->f16_to_f32(row, m->dim, to);
            break;
        case IL_F64:
            simd->f64_to_f32(row, m->dim, to);
            break;
        case IL_I8:
            simd->i8_to_f32(row, m->dim, to);
            break;
        case IL_U8:
            simd->u8_to_f32(row, m->dim, to);
            break;
        }
    }
}
