/* SPDX-License-Identifier: Apache-2.0 */
/* CSV (RFC 4180) read in place from memory: fields are slices of the text, nothing is
 * allocated. */
#ifndef IL_CSV_H
#define IL_CSV_H

#include <stddef.h>

#include <isolink/status.h>

struct il_csv {
    const char *name; /**< for messages; borrowed */
    char *at, *end;
    size_t line;     /**< line of `at`, from 1 */
    size_t row_line; /**< line where the last row began */
};

/** A field without its quotes; borrowed from the text given to il_csv_open. May hold any
   byte but NUL; not zero-terminated. */
struct il_csv_field {
    const char *text;
    size_t bytes;
};

/** Begins with text, which is changed while it is read (doubled quotes are undone in
   place) and must live as long as the fields. A BOM is skipped. */
void il_csv_open(struct il_csv *csv, const char *name, char *text, size_t bytes);

/**
 * Reads the next row that is not empty.
 *
 * Ends of line: LF, CR LF, the end of the text. A quote inside an unquoted field is taken
 * as it is. \param fields  receives the first `room` fields; further ones are parsed and
 * dropped \param count   receives the number of fields in the row, dropped ones included;
 * 0 = no more rows \return IL_OK; IL_EFORMAT for an open quote, text behind a closing
 * quote or a NUL byte
 */
IL_MUST_CHECK enum il_status il_csv_row(struct il_csv *csv, struct il_csv_field *fields,
                                        size_t room, size_t *count,
                                        struct il_error *error);

/**
 * Reads one field, where one begins; what il_csv_row does for a whole row.
 * \param last  receives 1 when it was the last of its row; then the line end is taken
 * \return as il_csv_row
 */
IL_MUST_CHECK enum il_status il_csv_field(struct il_csv *csv, struct il_csv_field *field,
                                          int *last, struct il_error *error);

/** 1 = a quote is open at the end of these bytes, which are the beginning of a row, or
 * with `inside` go on where a quote was open. */
int il_csv_is_open(const char *text, size_t bytes, int inside);

/** 1 = the field holds exactly this text. */
int il_csv_is(const struct il_csv_field *field, const char *text);

/** Index of the field that holds exactly this text, or count. */
size_t il_csv_find(const struct il_csv_field *fields, size_t count, const char *text);

/** 1 = RFC 4180 wants quotes around a field with these bytes. */
int il_csv_needs_quotes(const char *text, size_t bytes);

#endif
