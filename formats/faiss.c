/* SPDX-License-Identifier: Apache-2.0 */
#include "formats/faiss.h"

#include "src/base/base.h"

#include <inttypes.h>
#include <string.h>

#define FOURCC_BYTES 4u
/* d, ntotal, two numbers without a meaning, trained, metric. */
#define HEADER_BYTES 33u
#define METRIC_AT 29u
/* Metrics beyond 1 (the inner product is 0, L2 is 1) have an argument. */
#define METRIC_MAX 64u

struct header {
    uint32_t dim;
    uint64_t rows;
    uint64_t end; /* where what follows begins */
};

static int is_one_of(const unsigned char *code, const char *const *known)
{
    for (; *known; known++) {
        if (memcmp(code, *known, FOURCC_BYTES) == 0)
            return 1;
    }
    return 0;
}

static const char *const flat[] = {"IxFI", "IxF2", "IxFl", NULL};
static const char *const mapped[] = {"IxMp", "IxM2", NULL};

int il_faiss_begins(const unsigned char *data, size_t bytes)
{
    return bytes >= FOURCC_BYTES && (is_one_of(data, flat) || is_one_of(data, mapped));
}

static enum il_status read_header(struct header *out, const struct il_bytes *bytes,
                                  uint64_t at, struct il_error *error)
{
    unsigned char p[HEADER_BYTES];
    enum il_status status = il_bytes_read(bytes, at, p, sizeof(p), error);
    if (status != IL_OK)
        return status;
    uint32_t metric = il_load_u32(p + METRIC_AT);
    *out = (struct header){.dim = il_load_u32(p),
                           .rows = il_load_u64(p + 4),
                           .end = at + sizeof(p) + (metric > 1 ? 4 : 0)};
    if (out->dim > INT32_MAX || out->rows > INT64_MAX)
        return il_fail(error, IL_EFORMAT,
                       "%s, byte %" PRIu64 ": %" PRId64 " rows of length %" PRId32
                       ", wanted no negative number",
                       bytes->name, at, (int64_t)out->rows, (int32_t)out->dim);
    if (metric > METRIC_MAX)
        return il_fail(error, IL_EFORMAT,
                       "%s, byte %" PRIu64 ": metric %" PRIu32 ", wanted at most %u",
                       bytes->name, at + METRIC_AT, metric, METRIC_MAX);
    return IL_OK;
}

/* The count of floats that stands before them must be what the header says. */
static enum il_status read_count(const struct header *h, const struct il_bytes *bytes,
                                 struct il_error *error)
{
    unsigned char p[8];
    enum il_status status = il_bytes_read(bytes, h->end, p, sizeof(p), error);
    if (status != IL_OK)
        return status;
    uint64_t count = il_load_u64(p), wanted = 0;
    if (__builtin_mul_overflow(h->rows, (uint64_t)h->dim, &wanted) || count != wanted)
        return il_fail(error, IL_EFORMAT,
                       "%s, byte %" PRIu64 ": %" PRIu64 " floats, wanted %" PRIu64
                       " rows of %" PRIu32,
                       bytes->name, h->end, count, h->rows, h->dim);
    return IL_OK;
}

/* Behind the rows: a count, then the ids. */
static enum il_status read_ids(struct il_layout *out, const struct header *outer,
                               const struct header *inner, const struct il_bytes *bytes,
                               struct il_error *error)
{
    unsigned char p[8];
    uint64_t size = 0, at = 0;
    if (outer->rows != inner->rows || outer->dim != inner->dim)
        return il_fail(error, IL_EFORMAT,
                       "%s: ids of %" PRIu64 " rows of length %" PRIu32
                       " around an index of %" PRIu64 " of length %" PRIu32,
                       bytes->name, outer->rows, outer->dim, inner->rows, inner->dim);
    if (__builtin_mul_overflow(inner->rows * 4, (uint64_t)inner->dim, &size) ||
        __builtin_add_overflow(out->offset, size, &at))
        return il_fail(error, IL_ELIMIT, "%s: %" PRIu64 " rows of length %" PRIu32,
                       bytes->name, inner->rows, inner->dim);
    enum il_status status = il_bytes_read(bytes, at, p, sizeof(p), error);
    if (status != IL_OK)
        return status;
    if (il_load_u64(p) != inner->rows)
        return il_fail(error, IL_EFORMAT,
                       "%s, byte %" PRIu64 ": %" PRIu64 " ids, wanted %" PRIu64
                       ", one for each row",
                       bytes->name, at, il_load_u64(p), inner->rows);
    out->ids_offset = at + sizeof(p);
    out->tail_bytes = sizeof(p) + 8 * inner->rows;
    if (out->tail_bytes > bytes->size - at)
        return il_fail(error, IL_EFORMAT,
                       "%s, byte %" PRIu64 ": %" PRIu64 " bytes of ids, wanted %" PRIu64
                       ": the file is cut short",
                       bytes->name, out->ids_offset, bytes->size - out->ids_offset,
                       8 * inner->rows);
    return IL_OK;
}

enum il_status il_faiss_layout(struct il_layout *out, const struct il_bytes *bytes,
                               struct il_error *error)
{
    unsigned char code[FOURCC_BYTES];
    char shown[16];
    struct header outer = {0}, inner = {0};
    uint64_t at = 0;
    *out = (struct il_layout){.type = IL_F32};
    enum il_status status = il_bytes_read(bytes, 0, code, sizeof(code), error);
    if (status != IL_OK)
        return status;
    int ids = is_one_of(code, mapped);
    if (ids) {
        if (bytes->size == IL_SIZE_UNKNOWN)
            return il_fail(error, IL_EARG,
                           "%s: the ids of a FAISS index lie behind its rows, so it is "
                           "read from a file that is not packed",
                           bytes->name);
        status = read_header(&outer, bytes, FOURCC_BYTES, error);
        at = outer.end;
        if (status == IL_OK)
            status = il_bytes_read(bytes, at, code, sizeof(code), error);
        if (status != IL_OK)
            return status;
    }
    if (!is_one_of(code, flat))
        return il_fail(error, IL_EFORMAT,
                       "%s, byte %" PRIu64
                       ": index '%s', wanted a flat one (IxFI, IxF2 or IxFl, also within "
                       "IxMp or IxM2)",
                       bytes->name, at,
                       il_printable(shown, sizeof(shown), (const char *)code, 4));
    status = read_header(&inner, bytes, at + FOURCC_BYTES, error);
    if (status == IL_OK)
        status = read_count(&inner, bytes, error);
    if (status != IL_OK)
        return status;
    out->offset = inner.end + 8;
    /* Beyond the limits the sizes below could wrap. */
    if (ids && inner.rows <= IL_ROWS_MAX) {
        status = read_ids(out, &outer, &inner, bytes, error);
        if (status != IL_OK)
            return status;
    }
    return il_layout_check(out, bytes, at + FOURCC_BYTES, inner.rows, inner.dim, error);
}
