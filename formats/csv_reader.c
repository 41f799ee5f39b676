/* SPDX-License-Identifier: Apache-2.0 */
/* Rows of a CSV file: an id, then the coordinates, or an array of them in one field. */
#include "formats/csv.h"
#include "formats/number.h"
#include "formats/text_reader.h"
#include "src/base/base.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

struct csv_reader {
    struct il_reader reader;
    struct il_lines lines;
    struct il_csv_columns columns;
};

/* A row as it lies in the stream. */
struct record {
    char *text;
    size_t bytes; /* without the last line end */
    size_t whole; /* with it; 0: there is none */
    uint64_t line;
    uint64_t lines;
};

/* The next row that is not empty, without going past it. */
static enum il_status next_record(struct csv_reader *r, struct record *out,
                                  struct il_error *error)
{
    struct il_lines *lines = &r->lines;
    for (;;) {
        *out = (struct record){.line = lines->line + 1, .lines = 1};
        size_t from = 0;
        enum il_status status = IL_OK;
        for (;; out->lines++) {
            status =
                il_lines_look(lines, from, &out->text, &out->bytes, &out->whole, error);
            if (status != IL_OK || out->whole == out->bytes ||
                !il_csv_is_open(out->text + from, out->bytes - from, from > 0))
                break;
            from = out->whole;
        }
        if (status != IL_OK || out->whole == 0)
            return status;
        if (out->bytes > 0 && !(out->bytes == 1 && out->text[0] == '\r'))
            return IL_OK;
        il_input_take(lines->stream, out->whole);
        lines->line++;
    }
}

static void take_record(struct csv_reader *r, const struct record *record)
{
    il_input_take(r->lines.stream, record->whole);
    r->lines.line += record->lines;
}

static struct il_json place_of(const struct il_text_line *line, char *text, size_t bytes,
                               struct il_error *error)
{
    return (struct il_json){.at = text,
                            .start = text,
                            .end = text + bytes,
                            .name = line->name,
                            .line = line->line,
                            .error = error};
}

static int is_space(char c)
{
    return c == ' ' || c == '\t';
}

/* The whole field but spaces around it is a number. */
static int is_number(const struct il_csv_field *field, float *out)
{
    const char *at = field->text, *end = field->text + field->bytes;
    while (at < end && is_space(*at))
        at++;
    while (end > at && is_space(end[-1]))
        end--;
    const char *stop = il_number_f32(at, end, out);
    if (!stop)
        stop = il_number_word(at, end, out);
    return stop && stop == end;
}

static enum il_status read_array(struct il_json *json, const struct il_csv_field *field,
                                 size_t dim, float *out, size_t *count)
{
    struct il_json array = *json;
    array.at = json->start + (field->text - json->start);
    array.end = field->text + field->bytes;
    enum il_status status = il_text_vector(&array, dim, out, count);
    if (status != IL_OK)
        return status;
    il_json_peek(&array);
    if (array.at != array.end)
        return il_json_fail(json, array.at, "something follows the vector in its field");
    return IL_OK;
}

static enum il_status not_a_number(const struct il_json *json,
                                   const struct il_csv_field *field)
{
    char what[80], shown[40];
    snprintf(what, sizeof(what), "'%s' is no number",
             il_printable(shown, sizeof(shown), field->text, field->bytes));
    return il_json_fail(json, field->text, what);
}

enum il_status il_csv_line(const struct il_csv_columns *at,
                           const struct il_text_line *line, char *text, size_t bytes,
                           float *out, struct il_text_row *row, struct il_error *error)
{
    struct il_json json = place_of(line, text, bytes, error);
    struct il_csv csv = {
        .name = json.name, .at = text, .end = text + bytes, .line = (size_t)line->line};
    size_t columns = 0, most = line->dim > 0 ? line->dim : IL_DIM_MAX;
    *row = (struct il_text_row){0};
    for (int last = 0; !last; columns++) {
        struct il_csv_field field;
        float value = 0;
        enum il_status status = il_csv_field(&csv, &field, &last, error);
        if (status != IL_OK)
            return status;
        if (columns == at->id) {
            status = il_text_id(&json, field.text, field.text, field.bytes);
            row->id = field.text;
            row->id_bytes = field.bytes;
        } else if (columns == at->vector) {
            status = read_array(&json, &field, line->dim, out, &row->count);
        } else if (at->vector == IL_CSV_NONE) {
            if (!is_number(&field, &value))
                return not_a_number(&json, &field);
            if (row->count < most && out)
                out[row->count] = value;
            if (++row->count > most)
                break;
        }
        if (status != IL_OK)
            return status;
    }
    if ((at->vector != IL_CSV_NONE && columns <= at->vector) ||
        (at->id != IL_CSV_NONE && columns <= at->id)) {
        char what[80];
        snprintf(what, sizeof(what), "%zu columns, the id or the vector is missing",
                 columns);
        return il_json_fail(&json, text, what);
    }
    return il_text_length(&json, text, row->count, line->dim);
}

static struct il_text_line line_of(const struct csv_reader *r,
                                   const struct record *record, size_t dim)
{
    return (struct il_text_line){
        .name = il_input_name(r->lines.stream), .line = record->line, .dim = dim};
}

static enum il_status next(struct il_reader *reader, size_t most, float *rows,
                           struct il_names *names, size_t *count, struct il_error *error)
{
    struct csv_reader *r = (struct csv_reader *)reader;
    for (*count = 0; *count < most; ++*count) {
        struct record record;
        struct il_text_row row = {0};
        enum il_status status = next_record(r, &record, error);
        if (status != IL_OK || record.whole == 0)
            return status;
        const struct il_text_line line = line_of(r, &record, reader->dim);
        status = il_csv_line(&r->columns, &line, record.text, record.bytes,
                             rows + *count * reader->dim, &row, error);
        if (status == IL_OK && names && row.id)
            status = il_names_add(names, row.id, row.id_bytes, error);
        if (status != IL_OK)
            return status;
        take_record(r, &record);
    }
    return IL_OK;
}

enum il_status il_csv_header(const struct il_text_line *line, char *text, size_t bytes,
                             struct il_csv_columns *out, int *header,
                             struct il_error *error)
{
    struct il_json json = place_of(line, text, bytes, error);
    struct il_csv csv = {
        .name = json.name, .at = text, .end = text + bytes, .line = (size_t)line->line};
    const char *column = line->column;
    size_t columns = 0, id = IL_CSV_NONE, vector = IL_CSV_NONE;
    int first_is_vector = 0, second_is_array = 0;
    *header = 1;
    for (int last = 0; !last; columns++) {
        struct il_csv_field field;
        float value = 0;
        enum il_status status = il_csv_field(&csv, &field, &last, error);
        if (status != IL_OK)
            return status;
        int array = field.bytes > 0 && field.text[0] == '[';
        if (columns == 1 && (array || is_number(&field, &value))) {
            *header = 0;
            second_is_array = array;
        }
        int named = column
                        ? il_csv_is(&field, column)
                        : il_csv_is(&field, "vector") || il_csv_is(&field, "embedding");
        if (named && vector != IL_CSV_NONE)
            return il_json_fail(&json, field.text,
                                "a second column of vectors: choose one by its name");
        if (named)
            vector = columns;
        if (il_csv_is(&field, "id") && id == IL_CSV_NONE)
            id = columns;
        first_is_vector = vector == 0;
    }
    if (columns < 2)
        return il_json_fail(&json, text, "1 column, wanted an id and coordinates");
    if (column && (!*header || vector == IL_CSV_NONE))
        return il_json_fail(&json, text, "no column of the name that was given");
    out->id = *header && id != IL_CSV_NONE ? id : first_is_vector ? IL_CSV_NONE : 0;
    out->vector = *header ? vector : second_is_array ? 1 : IL_CSV_NONE;
    return IL_OK;
}

/* Calls for a row that comes again, on a copy: reading changes it. */
static enum il_status copy_record(const struct csv_reader *r, struct record *record,
                                  char **copy, struct il_error *error)
{
    *copy = il_alloc(record->bytes + 1, 1);
    if (!*copy)
        return il_fail(error, IL_ENOMEM, "%s: no memory for a line of %zu bytes",
                       il_input_name(r->lines.stream), record->bytes);
    memcpy(*copy, record->text, record->bytes);
    (*copy)[record->bytes] = 0;
    record->text = *copy;
    return IL_OK;
}

/* Header and first row, which say how the others look. */
static enum il_status read_first(struct csv_reader *r, const char *column,
                                 struct il_error *error)
{
    struct record record;
    char *copy = NULL;
    size_t dim = 0;
    int header = 0;
    enum il_status status = next_record(r, &record, error);
    if (status != IL_OK || record.whole == 0)
        goto out;
    status = copy_record(r, &record, &copy, error);
    if (status == IL_OK) {
        struct il_text_line line = line_of(r, &record, 0);
        line.column = column;
        status =
            il_csv_header(&line, record.text, record.bytes, &r->columns, &header, error);
    }
    il_free(copy);
    copy = NULL;
    if (status != IL_OK)
        goto out;
    if (header)
        take_record(r, &record);
    status = next_record(r, &record, error);
    if (status != IL_OK || record.whole == 0)
        goto out;
    status = copy_record(r, &record, &copy, error);
    if (status == IL_OK) {
        const struct il_text_line line = line_of(r, &record, 0);
        struct il_text_row row = {0};
        status =
            il_csv_line(&r->columns, &line, record.text, record.bytes, NULL, &row, error);
        dim = status == IL_OK ? row.count : 0;
    }
    il_free(copy);
    r->reader.dim = dim;
    r->reader.has_ids = r->columns.id != IL_CSV_NONE;
    r->lines.bytes_max = IL_LINE_BYTES_MAX(dim);
out:
    if (status == IL_OK && dim == 0)
        return il_fail(error, IL_EFORMAT, "%s: 0 rows, wanted at least 1",
                       il_input_name(r->lines.stream));
    return status;
}

static void reader_close(struct il_reader *reader)
{
    il_free(reader);
}

enum il_status il_csv_reader_open(struct il_reader **out, struct il_input *stream,
                                  const char *column, struct il_error *error)
{
    *out = NULL;
    struct csv_reader *r = il_alloc_zero(1, sizeof(*r));
    if (!r)
        return il_fail(error, IL_ENOMEM, "%s: no memory to read it",
                       il_input_name(stream));
    r->reader =
        (struct il_reader){.rows = UINT64_MAX, .next = next, .close = reader_close};
    enum il_status status = il_lines_begin(&r->lines, stream, error);
    if (status == IL_OK)
        status = read_first(r, column, error);
    if (status != IL_OK) {
        il_free(r);
        return status;
    }
    *out = &r->reader;
    return IL_OK;
}
