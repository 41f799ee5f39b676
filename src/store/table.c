/* SPDX-License-Identifier: Apache-2.0 */
#include "src/store/table.h"

#include "src/base/base.h"
#include "src/io/file.h"

#include <string.h>

#define BYTES_MAX ((uint64_t)1 << 36)

/* Takes the columns from a header. 1 = it is one. */
static int take_header(struct il_table *t)
{
    size_t seen = t->fields < IL_TABLE_COLUMNS ? t->fields : IL_TABLE_COLUMNS;
    size_t a = il_csv_find(t->field, seen, "a_id");
    size_t b = il_csv_find(t->field, seen, "b_id");
    size_t posterior = il_csv_find(t->field, seen, "posterior");
    size_t origin = il_csv_find(t->field, seen, "origin");
    if (a == seen || (b == seen && a != 0))
        return 0;
    t->a = a;
    if (b < seen)
        t->b = b;
    if (posterior < seen)
        t->posterior = posterior;
    if (origin < seen)
        t->origin = origin;
    return 1;
}

static size_t max2(size_t x, size_t y)
{
    return x > y ? x : y;
}

/* Whether the current row has all columns that are wanted. */
static enum il_status check_columns(const struct il_table *t, struct il_error *error)
{
    size_t wanted = max2(t->a, t->b) + 1;
    if (t->posterior < IL_TABLE_COLUMNS)
        wanted = max2(wanted, t->posterior + 1);
    if (t->origin < IL_TABLE_COLUMNS)
        wanted = max2(wanted, t->origin + 1);
    if (t->fields >= wanted)
        return IL_OK;
    return il_fail(
        error, IL_EFORMAT,
        "%s, line %zu: %zu column%s, wanted at least %zu, separated by commas%s", t->name,
        t->line, t->fields, t->fields == 1 ? "" : "s", wanted,
        t->header ? "" : " (a_id,b_id)");
}

static enum il_status read_row(struct il_table *t, struct il_error *error)
{
    enum il_status status =
        il_csv_row(&t->csv, t->field, IL_TABLE_COLUMNS, &t->fields, error);
    t->line = t->csv.row_line;
    return status;
}

enum il_status il_table_next(struct il_table *t, int *more, struct il_error *error)
{
    *more = 0;
    if (!t->pending) {
        enum il_status status = read_row(t, error);
        if (status != IL_OK)
            return status;
    }
    t->pending = 0;
    if (t->fields == 0)
        return IL_OK;
    *more = 1;
    return check_columns(t, error);
}

static enum il_status look_at_first(struct il_table *t, size_t header_from,
                                    struct il_error *error)
{
    enum il_status status = read_row(t, error);
    if (status != IL_OK || t->fields == 0)
        return status;
    t->header = take_header(t);
    if (t->header)
        return check_columns(t, error);
    t->pending = 1;
    if (t->fields >= header_from)
        return il_fail(
            error, IL_EFORMAT,
            "%s, line %zu: %zu columns and no header, wanted one that names a_id and "
            "b_id",
            t->name, t->line, t->fields);
    return IL_OK;
}

/* The file in memory, no row read yet. */
static enum il_status load(struct il_table *t, const char *path, struct il_error *error)
{
    *t = (struct il_table){.name = il_path_tail(path),
                           .b = 1,
                           .posterior = IL_TABLE_COLUMNS,
                           .origin = IL_TABLE_COLUMNS};
    unsigned char *text = NULL;
    size_t bytes = 0;
    enum il_status status = il_file_load(path, BYTES_MAX, &text, &bytes, error);
    if (status != IL_OK)
        return status;
    t->text = (char *)text;
    size_t ends = 0;
    for (size_t i = 0; i < bytes; i++)
        ends += text[i] == '\n';
    /* A row is at least a comma and the end of the line. */
    t->rows_max = ends < bytes / 2 ? ends + 1 : bytes / 2 + 1;
    il_csv_open(&t->csv, t->name, t->text, bytes);
    return IL_OK;
}

enum il_status il_table_open(struct il_table *t, const char *path, size_t header_from,
                             struct il_error *error)
{
    enum il_status status = load(t, path, error);
    if (status == IL_OK)
        status = look_at_first(t, header_from, error);
    if (status != IL_OK)
        il_table_close(t);
    return status;
}

/* The first row has to name both columns. */
static enum il_status take_named(struct il_table *t, const char *a_name,
                                 const char *b_name, struct il_error *error)
{
    enum il_status status = read_row(t, error);
    if (status != IL_OK)
        return status;
    size_t seen = t->fields < IL_TABLE_COLUMNS ? t->fields : IL_TABLE_COLUMNS;
    t->a = il_csv_find(t->field, seen, a_name);
    t->b = il_csv_find(t->field, seen, b_name);
    t->header = 1;
    if (t->a < seen && t->b < seen)
        return IL_OK;
    return il_fail(error, IL_EFORMAT, "%s, line 1: no column '%s', wanted %s and %s",
                   t->name, t->a == seen ? a_name : b_name, a_name, b_name);
}

enum il_status il_table_open_named(struct il_table *t, const char *path,
                                   const char *a_name, const char *b_name,
                                   struct il_error *error)
{
    enum il_status status = load(t, path, error);
    if (status == IL_OK)
        status = take_named(t, a_name, b_name, error);
    if (status != IL_OK)
        il_table_close(t);
    return status;
}

void il_table_close(struct il_table *t)
{
    il_free(t->text);
    t->text = NULL;
}

static const char *digits(const char *at, const char *end, double *value, int *exponent,
                          int step)
{
    for (; at < end && *at >= '0' && *at <= '9'; at++) {
        /* Digits past what a double holds only move the point. */
        if (*value < 1e15) {
            *value = *value * 10 + (*at - '0');
            *exponent -= step;
        } else {
            *exponent += 1 - step;
        }
    }
    return at;
}

/* A number 0..1 in decimal, as in "0.25", "1", "2.5e-3"; strtod would obey the locale.
   1 = it is one. */
static int parse_posterior(const struct il_csv_field *field, double *out)
{
    const char *at = field->text, *end = at + field->bytes;
    double value = 0;
    int exponent = 0, given = 0;
    if (field->bytes == 0 || field->bytes > 64)
        return 0;
    const char *start = at;
    at = digits(at, end, &value, &exponent, 0);
    size_t seen = (size_t)(at - start);
    if (at < end && *at == '.') {
        start = ++at;
        at = digits(at, end, &value, &exponent, 1);
        seen += (size_t)(at - start);
    }
    if (seen == 0)
        return 0;
    if (at < end && (*at == 'e' || *at == 'E')) {
        int minus = 0;
        if (++at < end && (*at == '-' || *at == '+'))
            minus = *at++ == '-';
        start = at;
        for (; at < end && *at >= '0' && *at <= '9'; at++)
            given = given < 1000 ? given * 10 + (*at - '0') : given;
        if (at == start)
            return 0;
        exponent += minus ? -given : given;
    }
    /* One division by an exact power of ten is the common case and rounds once. */
    double power = 1;
    for (int i = exponent < 0 ? -exponent : exponent; i > 0 && power < 1e300; i--)
        power *= 10;
    value = exponent < 0 ? value / power : value * power;
    *out = value;
    return at == end && value >= 0 && value <= 1;
}

enum il_status il_table_posterior(const struct il_table *t, double *out,
                                  struct il_error *error)
{
    const struct il_csv_field *field = &t->field[t->posterior];
    char shown[40];
    if (parse_posterior(field, out))
        return IL_OK;
    return il_fail(error, IL_EFORMAT, "%s, line %zu: posterior '%s', wanted 0 to 1",
                   t->name, t->line,
                   il_printable(shown, sizeof(shown), field->text, field->bytes));
}
