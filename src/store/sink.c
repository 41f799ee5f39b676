/* SPDX-License-Identifier: Apache-2.0 */
/* Rows written one after the other to a file of another program's format. */
#include <isolink/transfer.h>

#include "src/base/base.h"
#include "src/io/file.h"
#include "src/store/source_kind.h"

#include <inttypes.h>
#include <locale.h>
#include <stdio.h>
#include <string.h>

/* Longest number of nine digits: -1.23456789e-38, and a comma. */
#define NUMBER_BYTES 20
/* What stands in a line beside id and numbers. */
#define FRAME_BYTES 64
/* An id of control bytes alone, each as \u00XX; one in hexadecimal digits takes less. */
#define ID_BYTES (6 * (size_t)IL_ID_BYTES_MAX)
#define NPY_HEADER_MAX 192

struct il_sink {
    enum il_kind kind;
    size_t dim;
    uint64_t rows, came;
    struct il_writer *writer;
    struct il_writer *ids; /* NULL: none */
    locale_t plain;        /* where the decimal point is one; 0 unless needed */
    char *line;            /* of JSONL */
    char name[176];        /* for messages */
};

void il_sink_config_init(struct il_sink_config *config)
{
    *config =
        (struct il_sink_config){.struct_bytes = sizeof(*config), .rows = UINT64_MAX};
}

/* The kind that is wanted, or that the name says. */
static enum il_status find_kind(enum il_kind *kind, const char *path,
                                struct il_error *error)
{
    size_t length = strlen(path);
    if (*kind == IL_KIND_AUTO && strcmp(path, "-") == 0)
        *kind = IL_KIND_JSONL;
    if (*kind == IL_KIND_AUTO && (length < 4 || strcmp(path + length - 4, ".zst") != 0))
        *kind = il_kind_of_name(path);
    if (*kind == IL_KIND_NPY || *kind == IL_KIND_FVECS || *kind == IL_KIND_JSONL)
        return IL_OK;
    return il_fail(error, IL_EARG,
                   "%s: no kind of file that can be written, wanted a name that ends in "
                   ".npy, .fvecs or .jsonl, or a format that is given",
                   il_path_tail(path));
}

/* As numpy writes it: padded with spaces to a multiple of 64 bytes. */
static enum il_status npy_header(struct il_sink *s, struct il_error *error)
{
    char header[NPY_HEADER_MAX] = "\x93NUMPY\x01";
    int used = snprintf(header + 10, sizeof(header) - 10,
                        "{'descr': '<f4', 'fortran_order': False, 'shape': (%" PRIu64
                        ", %zu), }",
                        s->rows, s->dim);
    IL_ASSERT(used > 0 && used < 128);
    size_t bytes = (10 + (size_t)used + 1 + 63) / 64 * 64;
    memset(header + 10 + used, ' ', bytes - 11 - (size_t)used);
    header[bytes - 1] = '\n';
    header[8] = (char)((bytes - 10) & 255);
    header[9] = (char)((bytes - 10) >> 8);
    return il_writer_put(s->writer, header, bytes, error);
}

static enum il_status open_sink(struct il_sink *s, const char *path,
                                const struct il_sink_config *c, struct il_error *error)
{
    enum il_status status = IL_OK;
    if (s->kind == IL_KIND_JSONL) {
        s->plain = newlocale(LC_NUMERIC_MASK, "C", (locale_t)0);
        s->line = il_alloc(s->dim * NUMBER_BYTES + ID_BYTES + FRAME_BYTES, 1);
        if (!s->plain || !s->line)
            return il_fail(error, IL_ENOMEM, "%s: no memory to write it", s->name);
    }
    status = il_writer_open(&s->writer, path, error);
    if (status == IL_OK && c->ids)
        status = il_writer_open(&s->ids, c->ids, error);
    if (status == IL_OK && s->kind == IL_KIND_NPY)
        status = npy_header(s, error);
    return status;
}

enum il_status il_sink_open(struct il_sink **out, const char *path,
                            const struct il_sink_config *config, struct il_error *error)
{
    *out = NULL;
    if (config->struct_bytes != sizeof(*config))
        return il_fail(error, IL_EARG, "a configuration of %zu bytes, wanted %zu",
                       config->struct_bytes, sizeof(*config));
    enum il_kind kind = config->kind;
    enum il_status status = find_kind(&kind, path, error);
    if (status != IL_OK)
        return status;
    if (config->dim < 1 || config->dim > IL_DIM_MAX)
        return il_fail(error, IL_EARG, "row length %zu, wanted 1 to %u", config->dim,
                       IL_DIM_MAX);
    if (kind == IL_KIND_NPY && config->rows == UINT64_MAX)
        return il_fail(error, IL_EARG, "%s: its first bytes need the number of rows",
                       il_path_tail(path));
    struct il_sink *s = il_alloc_zero(1, sizeof(*s));
    if (!s)
        return il_fail(error, IL_ENOMEM, "%s: no memory to write it", il_path_tail(path));
    s->kind = kind;
    s->dim = config->dim;
    s->rows = config->rows;
    snprintf(s->name, sizeof(s->name), "%s",
             strcmp(path, "-") == 0 ? "standard output" : il_path_tail(path));
    status = open_sink(s, path, config, error);
    if (status != IL_OK)
        il_sink_abort(&s);
    *out = s;
    return status;
}

/* Bytes of the UTF-8 character that begins here, 0 when there is none: no longer form
   than needed, no surrogate, nothing past U+10FFFF. */
static size_t character(const unsigned char *p, size_t bytes)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    if (p[0] < 0x80)
        return 1;
    size_t n = p[0] >= 0xf0 ? 4 : p[0] >= 0xe0 ? 3 : 2;
    if (p[0] < 0xc0 || p[0] > 0xf7 || n > bytes)
        return 0;
    uint32_t c = p[0] & (0x7fu >> n);
    for (size_t i = 1; i < n; i++) {
        if ((p[i] & 0xc0) != 0x80)
            return 0;
        c = c << 6 | (p[i] & 0x3fu);
    }
    return c < least[n] || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff) ? 0 : n;
}

static int is_text(const unsigned char *id, size_t bytes)
{
    for (size_t i = 0; i < bytes;) {
        size_t n = character(id + i, bytes - i);
        if (n == 0)
            return 0;
        i += n;
    }
    return 1;
}

/* Without the zero byte behind it. */
static char *put_text(char *to, const char *text)
{
    while (*text)
        *to++ = *text++;
    return to;
}

/* "id": "..", or "id_hex": "..". */
static char *put_id(char *to, const unsigned char *id, size_t bytes)
{
    static const char digits[] = "0123456789abcdef";
    const int text = is_text(id, bytes);
    to = put_text(to, text ? "\"id\": \"" : "\"id_hex\": \"");
    for (size_t i = 0; i < bytes; i++) {
        if (text && id[i] >= 0x20 && id[i] != 0x7f) {
            if (id[i] == '"' || id[i] == '\\')
                *to++ = '\\';
            *to++ = (char)id[i];
            continue;
        }
        if (text)
            to = put_text(to, "\\u00");
        *to++ = digits[id[i] >> 4];
        *to++ = digits[id[i] & 15];
    }
    *to++ = '"';
    return to;
}

static enum il_status put_json(struct il_sink *s, const float *row, const void *id,
                               size_t id_bytes, struct il_error *error)
{
    char *to = s->line;
    *to++ = '{';
    to = put_id(to, id, id_bytes);
    to = put_text(to, ", \"vector\": [");
    locale_t before = uselocale(s->plain);
    for (size_t q = 0; q < s->dim; q++)
        to += snprintf(to, NUMBER_BYTES, "%s%.9g", q > 0 ? "," : "", (double)row[q]);
    uselocale(before);
    to = put_text(to, "]}\n");
    return il_writer_put(s->writer, s->line, (size_t)(to - s->line), error);
}

static enum il_status put_fvecs(struct il_sink *s, const float *row,
                                struct il_error *error)
{
    const uint32_t dim = (uint32_t)s->dim;
    enum il_status status = il_writer_put(s->writer, &dim, sizeof(dim), error);
    return status == IL_OK ? il_writer_put(s->writer, row, s->dim * sizeof(*row), error)
                           : status;
}

static enum il_status put_listed(struct il_sink *s, const void *id, size_t bytes,
                                 struct il_error *error)
{
    char shown[80];
    if (memchr(id, '\n', bytes) || memchr(id, 0, bytes) ||
        ((const char *)id)[bytes - 1] == '\r')
        return il_fail(error, IL_EFORMAT,
                       "%s, row %" PRIu64 ": id '%s' holds a line end or a NUL byte: no "
                       "list of ids can hold it, JSONL can",
                       s->name, s->came, il_printable(shown, sizeof(shown), id, bytes));
    enum il_status status = il_writer_put(s->ids, id, bytes, error);
    return status == IL_OK ? il_writer_put(s->ids, "\n", 1, error) : status;
}

enum il_status il_sink_put(struct il_sink *sink, size_t count, const float *rows,
                           const void **ids, const size_t *id_bytes,
                           struct il_error *error)
{
    struct il_sink *s = sink;
    enum il_status status = IL_OK;
    if (count > s->rows - s->came)
        return il_fail(error, IL_EARG, "%s: more rows than the %" PRIu64 " told", s->name,
                       s->rows);
    if ((s->kind == IL_KIND_JSONL || s->ids) && !ids)
        return il_fail(error, IL_EARG, "%s: wanted the ids of the rows", s->name);
    for (size_t i = 0; status == IL_OK && i < count; i++) {
        const float *row = rows + i * s->dim;
        if (s->ids)
            status = put_listed(s, ids[i], id_bytes[i], error);
        if (status == IL_OK && s->kind == IL_KIND_JSONL)
            status = put_json(s, row, ids[i], id_bytes[i], error);
        else if (status == IL_OK && s->kind == IL_KIND_FVECS)
            status = put_fvecs(s, row, error);
        else if (status == IL_OK)
            status = il_writer_put(s->writer, row, s->dim * sizeof(*row), error);
        s->came += status == IL_OK;
    }
    return status;
}

enum il_status il_sink_close(struct il_sink **sink, struct il_error *error)
{
    struct il_sink *s = *sink;
    enum il_status status = IL_OK;
    if (s->rows != UINT64_MAX && s->came != s->rows)
        status = il_fail(error, IL_EARG, "%s: %" PRIu64 " rows, but %" PRIu64 " told",
                         s->name, s->came, s->rows);
    if (status == IL_OK && s->ids)
        status = il_writer_close(&s->ids, error);
    if (status == IL_OK)
        status = il_writer_close(&s->writer, error);
    il_sink_abort(sink);
    return status;
}

void il_sink_abort(struct il_sink **sink)
{
    struct il_sink *s = *sink;
    *sink = NULL;
    if (!s)
        return;
    il_writer_abort(&s->writer);
    il_writer_abort(&s->ids);
    if (s->plain)
        freelocale(s->plain);
    il_free(s->line);
    il_free(s);
}
