/* SPDX-License-Identifier: Apache-2.0 */
#include "formats/csv.h"

#include "src/base/base.h"

#include <string.h>

void il_csv_open(struct il_csv *csv, const char *name, char *text, size_t bytes)
{
    if (bytes >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0) {
        text += 3;
        bytes -= 3;
    }
    *csv = (struct il_csv){.name = name, .at = text, .end = text + bytes, .line = 1};
}

/* Bytes of the line end at p: 0 when there is none. A CR at the very end counts. */
static size_t line_end(const struct il_csv *csv, const char *p)
{
    if (*p == '\n')
        return 1;
    if (*p == '\r') {
        if (p + 1 == csv->end)
            return 1;
        if (p[1] == '\n')
            return 2;
    }
    return 0;
}

static enum il_status bad(const struct il_csv *csv, size_t line, const char *what,
                          struct il_error *error)
{
    return il_fail(error, IL_EFORMAT, "%s, line %zu: %s", csv->name, line, what);
}

/* From the opening quote; undoes doubled quotes by moving text towards the front. */
static enum il_status quoted(struct il_csv *csv, struct il_csv_field *field,
                             struct il_error *error)
{
    size_t opened = csv->line;
    char *from = csv->at + 1, *to = from;
    field->text = from;
    for (;; from++) {
        if (from == csv->end)
            return bad(csv, opened, "a quote is opened here and never closed", error);
        if (*from == 0)
            return bad(csv, csv->line, "a NUL byte", error);
        if (*from == '"') {
            if (from + 1 == csv->end || from[1] != '"')
                break;
            from++;
        } else if (*from == '\n') {
            csv->line++;
        }
        *to++ = *from;
    }
    field->bytes = (size_t)(to - field->text);
    csv->at = from + 1;
    if (csv->at < csv->end && *csv->at != ',' && line_end(csv, csv->at) == 0)
        return bad(csv, csv->line,
                   "text behind a closing quote, wanted ',' or the end of the line",
                   error);
    return IL_OK;
}

static enum il_status plain(struct il_csv *csv, struct il_csv_field *field,
                            struct il_error *error)
{
    field->text = csv->at;
    while (csv->at < csv->end && *csv->at != ',' && line_end(csv, csv->at) == 0) {
        if (*csv->at == 0)
            return bad(csv, csv->line, "a NUL byte", error);
        csv->at++;
    }
    field->bytes = (size_t)(csv->at - field->text);
    return IL_OK;
}

enum il_status il_csv_field(struct il_csv *csv, struct il_csv_field *field, int *last,
                            struct il_error *error)
{
    *field = (struct il_csv_field){.text = csv->at};
    enum il_status status = csv->at < csv->end && *csv->at == '"'
                                ? quoted(csv, field, error)
                                : plain(csv, field, error);
    *last = 1;
    if (status != IL_OK || csv->at == csv->end)
        return status;
    *last = *csv->at != ',';
    csv->at += *last ? line_end(csv, csv->at) : 1;
    csv->line += (size_t)*last;
    return IL_OK;
}

enum il_status il_csv_row(struct il_csv *csv, struct il_csv_field *fields, size_t room,
                          size_t *count, struct il_error *error)
{
    *count = 0;
    /* Empty lines. */
    while (csv->at < csv->end) {
        size_t bytes = line_end(csv, csv->at);
        if (bytes == 0)
            break;
        csv->at += bytes;
        csv->line++;
    }
    csv->row_line = csv->line;
    for (int last = csv->at == csv->end; !last; ++*count) {
        struct il_csv_field field;
        enum il_status status = il_csv_field(csv, &field, &last, error);
        if (status != IL_OK)
            return status;
        if (*count < room)
            fields[*count] = field;
    }
    return IL_OK;
}

int il_csv_is_open(const char *text, size_t bytes, int inside)
{
    const char *at = text, *end = text + bytes;
    for (;;) {
        if (!inside && at < end && *at == '"') {
            inside = 1;
            at++;
        }
        /* Doubled quotes close and open again: the same for this question. */
        while (inside) {
            at = at < end ? memchr(at, '"', (size_t)(end - at)) : NULL;
            if (!at)
                return 1;
            at++;
            inside = at < end && *at == '"';
            at += inside;
        }
        if (at == end || !memchr(at, '"', (size_t)(end - at)))
            return 0;
        at = memchr(at, ',', (size_t)(end - at));
        if (!at)
            return 0;
        at++;
    }
}

int il_csv_is(const struct il_csv_field *field, const char *text)
{
    return field->bytes == strlen(text) && memcmp(field->text, text, field->bytes) == 0;
}

size_t il_csv_find(const struct il_csv_field *fields, size_t count, const char *text)
{
    size_t i = 0;
    while (i < count && !il_csv_is(&fields[i], text))
        i++;
    return i;
}

int il_csv_needs_quotes(const char *text, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++) {
        if (text[i] == ',' || text[i] == '"' || text[i] == '\n' || text[i] == '\r')
            return 1;
    }
    return 0;
}
