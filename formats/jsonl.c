/* SPDX-License-Identifier: Apache-2.0 */
#include "formats/number.h"
#include "formats/text_reader.h"
#include "src/base/base.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

struct jsonl {
    struct il_reader reader;
    struct il_lines lines;
    char *column; /* NULL: vector or embedding */
};

/* One line as it is read. */
struct object {
    struct il_text_row row;
    int vector; /* 1: seen */
};

/* A string, or the text of a whole number as it stands there. */
static enum il_status read_id(struct il_json *json, struct object *o)
{
    char *text = NULL;
    size_t bytes = 0;
    char c = il_json_peek(json);
    const char *at = json->at;
    enum il_status status = IL_OK;
    if (o->row.id)
        return il_json_fail(json, at, "a second id");
    if (c == '"') {
        status = il_json_string(json, &text, &bytes);
    } else {
        float value = 0;
        const char *stop = il_number_f32(at, json->end, &value);
        size_t length = stop ? (size_t)(stop - at) : 0;
        if (!stop || memchr(at, '.', length) || memchr(at, 'e', length) ||
            memchr(at, 'E', length))
            return il_json_fail(json, at, "an id that is no string and no whole number");
        text = json->at;
        bytes = length;
        json->at += length;
    }
    if (status == IL_OK)
        status = il_text_id(json, at, text, bytes);
    o->row.id = text;
    o->row.id_bytes = bytes;
    return status;
}

/* Named vectors: {"NAME": [..]}. The one that the column names, or the only one. */
static enum il_status read_named(const struct il_text_line *line, struct il_json *json,
                                 float *out, struct object *o)
{
    char *key = NULL;
    size_t key_bytes = 0;
    int more = 0;
    il_json_take(json, '{');
    for (int first = 1;; first = 0) {
        enum il_status status = il_json_member(json, first, &key, &key_bytes, &more);
        if (status != IL_OK || !more)
            return status;
        if (line->column && !il_json_is(key, key_bytes, line->column)) {
            status = il_json_skip(json);
        } else if (o->vector) {
            return il_json_fail(json, key, "a second vector: choose one by its name");
        } else {
            o->vector = 1;
            status = il_text_vector(json, line->dim, out, &o->row.count);
        }
        if (status != IL_OK)
            return status;
    }
}

static enum il_status read_member(const struct il_text_line *line, struct il_json *json,
                                  const char *key, size_t key_bytes, float *out,
                                  struct object *o)
{
    if (il_json_is(key, key_bytes, "id"))
        return read_id(json, o);
    int usual =
        il_json_is(key, key_bytes, "vector") || il_json_is(key, key_bytes, "embedding");
    int named = usual && il_json_peek(json) == '{';
    int wanted = line->column ? il_json_is(key, key_bytes, line->column) : usual;
    if (!named && !wanted)
        return il_json_skip(json);
    if (o->vector)
        return il_json_fail(json, key, "a second vector: choose one by its name");
    if (named)
        return read_named(line, json, out, o);
    o->vector = 1;
    return il_text_vector(json, line->dim, out, &o->row.count);
}

enum il_status il_jsonl_line(const struct il_text_line *line, char *text, size_t bytes,
                             float *out, struct il_text_row *row, struct il_error *error)
{
    struct il_json json = {.at = text,
                           .start = text,
                           .end = text + bytes,
                           .name = line->name,
                           .line = line->line,
                           .error = error};
    struct object o = {0};
    char *key = NULL;
    size_t key_bytes = 0;
    int more = 0;
    if (!il_json_take(&json, '{'))
        return il_json_fail(&json, json.at,
                            "wanted an object: {\"id\": .., \"vector\": "
                            "[..]}");
    for (int first = 1;; first = 0) {
        enum il_status status = il_json_member(&json, first, &key, &key_bytes, &more);
        if (status == IL_OK && more)
            status = read_member(line, &json, key, key_bytes, out, &o);
        if (status != IL_OK)
            return status;
        if (!more)
            break;
    }
    il_json_peek(&json);
    if (json.at != json.end)
        return il_json_fail(&json, json.at,
                            "something follows the object, wanted the end "
                            "of the line");
    if (!o.vector) {
        char what[160], shown[80];
        const char *column = line->column;
        snprintf(what, sizeof(what), "no key \"%s\"%s",
                 column ? il_printable(shown, sizeof(shown), column, strlen(column))
                        : "vector",
                 column ? "" : " and no \"embedding\"");
        return il_json_fail(&json, text, what);
    }
    *row = o.row;
    return IL_OK;
}

int il_text_is_blank(const char *text, size_t bytes)
{
    size_t i = 0;
    while (i < bytes && (text[i] == ' ' || text[i] == '\t' || text[i] == '\r'))
        i++;
    return i == bytes;
}

/* The next line that is not empty; *whole 0: there is none. */
static enum il_status next_line(struct jsonl *r, char **text, size_t *bytes,
                                size_t *whole, struct il_error *error)
{
    for (;;) {
        enum il_status status = il_lines_look(&r->lines, 0, text, bytes, whole, error);
        if (status != IL_OK || *whole == 0)
            return status;
        r->lines.line++;
        if (!il_text_is_blank(*text, *bytes))
            return IL_OK;
        il_input_take(r->lines.stream, *whole);
    }
}

/* What the line that is shown is to be read as. */
static struct il_text_line line_of(const struct jsonl *r)
{
    return (struct il_text_line){.name = il_input_name(r->lines.stream),
                                 .line = r->lines.line,
                                 .column = r->column,
                                 .dim = r->reader.dim};
}

static enum il_status next(struct il_reader *reader, size_t most, float *rows,
                           struct il_names *names, size_t *count, struct il_error *error)
{
    struct jsonl *r = (struct jsonl *)reader;
    for (*count = 0; *count < most; ++*count) {
        struct il_text_row o = {0};
        char *text = NULL;
        size_t bytes = 0, whole = 0;
        enum il_status status = next_line(r, &text, &bytes, &whole, error);
        if (status != IL_OK || whole == 0)
            return status;
        const struct il_text_line line = line_of(r);
        status =
            il_jsonl_line(&line, text, bytes, rows + *count * reader->dim, &o, error);
        if (status == IL_OK && (o.id != NULL) != reader->has_ids)
            status = il_fail(error, IL_EFORMAT, "%s, line %" PRIu64 ": %s",
                             il_input_name(r->lines.stream), r->lines.line,
                             o.id ? "an id, but the first line had none"
                                  : "no key \"id\", but the first line had one");
        if (status == IL_OK && names && o.id)
            status = il_names_add(names, o.id, o.id_bytes, error);
        if (status != IL_OK)
            return status;
        il_input_take(r->lines.stream, whole);
    }
    return IL_OK;
}

static void reader_close(struct il_reader *reader)
{
    struct jsonl *r = (struct jsonl *)reader;
    il_free(r->column);
    il_free(r);
}

/* The first line says how long rows are and whether they have ids. It is read from a
   copy: reading changes it, and it comes again. */
static enum il_status read_first(struct jsonl *r, struct il_error *error)
{
    struct il_text_row o = {0};
    char *text = NULL;
    size_t bytes = 0, whole = 0;
    enum il_status status = next_line(r, &text, &bytes, &whole, error);
    if (status != IL_OK)
        return status;
    const char *name = il_input_name(r->lines.stream);
    if (whole == 0)
        return il_fail(error, IL_EFORMAT, "%s: 0 rows, wanted at least 1", name);
    char *copy = il_alloc(bytes + 1, 1);
    if (!copy)
        return il_fail(error, IL_ENOMEM, "%s: no memory for a line of %zu bytes", name,
                       bytes);
    memcpy(copy, text, bytes);
    copy[bytes] = 0;
    const struct il_text_line line = line_of(r);
    status = il_jsonl_line(&line, copy, bytes, NULL, &o, error);
    il_free(copy);
    if (status != IL_OK)
        return status;
    r->lines.line--;
    r->lines.bytes_max = IL_LINE_BYTES_MAX(o.count);
    r->reader.dim = o.count;
    r->reader.has_ids = o.id != NULL;
    return IL_OK;
}

enum il_status il_jsonl_reader_open(struct il_reader **out, struct il_input *stream,
                                    const char *column, struct il_error *error)
{
    *out = NULL;
    size_t column_bytes = column ? strlen(column) + 1 : 0;
    struct jsonl *r = il_alloc_zero(1, sizeof(*r));
    char *kept = r && column ? il_alloc(column_bytes, 1) : NULL;
    if (!r || (column && !kept)) {
        il_free(r);
        return il_fail(error, IL_ENOMEM, "%s: no memory to read it",
                       il_input_name(stream));
    }
    if (column)
        memcpy(kept, column, column_bytes);
    r->column = kept;
    r->reader =
        (struct il_reader){.rows = UINT64_MAX, .next = next, .close = reader_close};
    enum il_status status = il_lines_begin(&r->lines, stream, error);
    if (status == IL_OK)
        status = read_first(r, error);
    if (status != IL_OK) {
        reader_close(&r->reader);
        return status;
    }
    *out = &r->reader;
    return IL_OK;
}
