/* SPDX-License-Identifier: Apache-2.0 */
#include "src/store/source_kind.h"

#include "formats/bin.h"
#include "formats/faiss.h"
#include "formats/npy.h"
#include "formats/safetensors.h"
#include "formats/sqlite_vec.h"
#include "formats/vecs.h"
#include "src/base/base.h"

#include <string.h>
#include <strings.h>

static const struct {
    const char *name;        /* after --format */
    const char *suffixes[4]; /* without the dot; NULL ends them */
    enum il_kind kind;
    enum il_dtype type; /* of the headers that do not say it */
} kinds[] = {
    {"npy", {"npy"}, IL_KIND_NPY, IL_F32},
    {"fvecs", {"fvecs"}, IL_KIND_FVECS, IL_F32},
    {"bvecs", {"bvecs"}, IL_KIND_BVECS, IL_U8},
    {"fbin", {"fbin"}, IL_KIND_FBIN, IL_F32},
    {"f16bin", {"f16bin"}, IL_KIND_F16BIN, IL_F16},
    {"u8bin", {"u8bin"}, IL_KIND_U8BIN, IL_U8},
    {"i8bin", {"i8bin"}, IL_KIND_I8BIN, IL_I8},
    {"jsonl", {"jsonl", "ndjson"}, IL_KIND_JSONL, IL_F32},
    {"csv", {"csv"}, IL_KIND_CSV, IL_F32},
    {"faiss", {"faiss", "index"}, IL_KIND_FAISS, IL_F32},
    {"safetensors", {"safetensors"}, IL_KIND_SAFETENSORS, IL_F32},
    {"sqlite-vec", {"db", "sqlite", "sqlite3"}, IL_KIND_SQLITE_VEC, IL_F32},
};
#define KINDS (sizeof(kinds) / sizeof(*kinds))

enum il_status il_kind_named(const char *name, enum il_kind *out, struct il_error *error)
{
    char shown[32];
    if (strcmp(name, "auto") == 0) {
        *out = IL_KIND_AUTO;
        return IL_OK;
    }
    for (size_t i = 0; i < KINDS; i++) {
        if (strcmp(name, kinds[i].name) == 0) {
            *out = kinds[i].kind;
            return IL_OK;
        }
    }
    return il_fail(error, IL_EARG,
                   "format '%s', wanted auto, npy, fvecs, bvecs, fbin, f16bin, u8bin, "
                   "i8bin, jsonl, csv, faiss, safetensors or sqlite-vec",
                   il_printable(shown, sizeof(shown), name, strlen(name)));
}

/* Whether name[0 .. length) ends in a dot and this suffix. */
static int ends_in(const char *name, size_t length, const char *suffix)
{
    size_t wanted = strlen(suffix);
    return length > wanted && name[length - wanted - 1] == '.' &&
           strncasecmp(name + length - wanted, suffix, wanted) == 0;
}

enum il_kind il_kind_of_name(const char *name)
{
    size_t length = strlen(name);
    if (ends_in(name, length, "zst"))
        length -= 4;
    for (size_t i = 0; i < KINDS; i++) {
        for (size_t j = 0; j < 4 && kinds[i].suffixes[j]; j++) {
            if (ends_in(name, length, kinds[i].suffixes[j]))
                return kinds[i].kind;
        }
    }
    return IL_KIND_AUTO;
}

enum il_kind il_kind_of_bytes(const unsigned char *data, size_t bytes)
{
    if (bytes >= IL_NPY_MAGIC_BYTES &&
        memcmp(data, IL_NPY_MAGIC, IL_NPY_MAGIC_BYTES) == 0)
        return IL_KIND_NPY;
    if (il_faiss_begins(data, bytes))
        return IL_KIND_FAISS;
    if (il_safetensors_begins(data, bytes))
        return IL_KIND_SAFETENSORS;
    if (bytes >= IL_SQLITE_MAGIC_BYTES &&
        memcmp(data, IL_SQLITE_MAGIC, IL_SQLITE_MAGIC_BYTES) == 0)
        return IL_KIND_SQLITE_VEC;
    size_t at = 0;
    while (at < bytes && strchr(" \t\r\n", data[at]) && data[at])
        at++;
    if (at < bytes && data[at] == '{')
        return IL_KIND_JSONL;
    return IL_KIND_AUTO;
}

enum il_status il_kind_unknown(const char *name, struct il_error *error)
{
    return il_fail(
        error, IL_EFORMAT,
        "%s: unknown kind of file, wanted a name that ends in .npy .fvecs .bvecs .fbin "
        ".f16bin .u8bin .i8bin .jsonl .csv .faiss .safetensors or .sqlite",
        name);
}

enum il_status il_kind_layout(struct il_layout *out, enum il_kind kind,
                              const struct il_bytes *bytes, struct il_error *error)
{
    enum il_dtype type = IL_F32;
    for (size_t i = 0; i < KINDS; i++) {
        if (kinds[i].kind == kind)
            type = kinds[i].type;
    }
    switch (kind) {
    case IL_KIND_NPY:
        return il_npy_layout(out, bytes, error);
    case IL_KIND_FVECS:
    case IL_KIND_BVECS:
        return il_vecs_layout(out, bytes, type, error);
    case IL_KIND_FAISS:
        return il_faiss_layout(out, bytes, error);
    default:
        return il_bin_layout(out, bytes, type, error);
    }
}
