/* SPDX-License-Identifier: Apache-2.0 */
/* What the readers of .jsonl and .csv share: lines of a stream, arrays of numbers, ids.
 */
#ifndef IL_TEXT_READER_H
#define IL_TEXT_READER_H

#include "formats/json.h"
#include "formats/reader.h"

/** Readers of texts, opened on a stream that stands at its beginning; `column` names the
 * vectors (NULL: the usual names) and is copied. Return as il_source_open does. */
IL_MUST_CHECK enum il_status il_jsonl_reader_open(struct il_reader **out,
                                                  struct il_input *stream,
                                                  const char *column,
                                                  struct il_error *error);
IL_MUST_CHECK enum il_status il_csv_reader_open(struct il_reader **out,
                                                struct il_input *stream,
                                                const char *column,
                                                struct il_error *error);

/** Most bytes of a line: what numbers take at most, and 1 MiB for all else. */
#define IL_LINE_BYTES_MAX(dim) ((size_t)(dim)*32 + ((size_t)1 << 20))

/** Lines of a stream under way. */
struct il_lines {
    struct il_input *stream;
    uint64_t line;    /**< number of the one shown last, from 1 */
    size_t bytes_max; /**< of a line */
};

/**
 * Shows the next line without going past it, or a longer part when a line end is within
 * a field: up to the first line end that is not among the first `from` bytes.
 * \param text   the bytes before that line end; may be written to
 * \param whole  bytes with it, to be taken; 0: the stream has ended
 * \return as il_input_look; IL_EFORMAT for too long a line
 */
IL_MUST_CHECK enum il_status il_lines_look(struct il_lines *lines, size_t from,
                                           char **text, size_t *bytes, size_t *whole,
                                           struct il_error *error);

/** A BOM at the beginning of the stream is taken. */
IL_MUST_CHECK enum il_status
il_lines_begin(struct il_lines *lines, struct il_input *stream, struct il_error *error);

/**
 * Reads [1, 2, ...] of a text.
 * \param dim  wanted; 0: any number of 1 to IL_DIM_MAX
 * \param out  dim floats, or NULL: they are only counted
 */
IL_MUST_CHECK enum il_status il_text_vector(struct il_json *json, size_t dim, float *out,
                                            size_t *count);

/** "wanted at least a coordinate", "rows of ...": the length of a row against dim. */
IL_MUST_CHECK enum il_status il_text_length(const struct il_json *json, const char *at,
                                            size_t count, size_t dim);

/** An id of 1 to IL_ID_BYTES_MAX bytes, none of them NUL, or IL_EFORMAT. */
IL_MUST_CHECK enum il_status il_text_id(const struct il_json *json, const char *at,
                                        const char *text, size_t bytes);

/* Single rows, for whoever finds the lines himself. */

/** Where a row stands and what it must be. */
struct il_text_line {
    const char *name;   /**< of the file, for messages */
    uint64_t line;      /**< number, from 1 */
    const char *column; /**< of the vector; NULL: the usual names */
    size_t dim;         /**< wanted; 0: any, the coordinates are only counted */
};

/** What it held. */
struct il_text_row {
    const char *id; /**< NULL: it has none; in the text, not zero-terminated */
    size_t id_bytes;
    size_t count; /**< of coordinates */
};

/** 1: nothing but spaces, tabs and CR. */
int il_text_is_blank(const char *text, size_t bytes);

/**
 * Reads a row of .jsonl.
 * \param text  the line without its end; is changed; the byte behind it may be read and
 * is no digit
 * \param out   dim floats, or NULL: the coordinates are only counted
 * \return IL_OK; IL_EFORMAT or IL_ELIMIT with name, line and column
 */
IL_MUST_CHECK enum il_status il_jsonl_line(const struct il_text_line *line, char *text,
                                           size_t bytes, float *out,
                                           struct il_text_row *row,
                                           struct il_error *error);

/** Which columns of a .csv hold what. */
#define IL_CSV_NONE SIZE_MAX
struct il_csv_columns {
    size_t id;     /**< or IL_CSV_NONE */
    size_t vector; /**< of the array; IL_CSV_NONE: all but the id are coordinates */
};

/** Judges the first row of a .csv: *header 1 when it is a header, 0 when it is a row.
 * Parameters and returns as il_jsonl_line. */
IL_MUST_CHECK enum il_status il_csv_header(const struct il_text_line *line, char *text,
                                           size_t bytes, struct il_csv_columns *out,
                                           int *header, struct il_error *error);
/** Reads a row of .csv, as il_jsonl_line; line->column is not used. */
IL_MUST_CHECK enum il_status il_csv_line(const struct il_csv_columns *at,
                                         const struct il_text_line *line, char *text,
                                         size_t bytes, float *out,
                                         struct il_text_row *row, struct il_error *error);

#endif
