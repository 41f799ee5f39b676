/* SPDX-License-Identifier: Apache-2.0 */
/* A CSV file of pairs in memory: which of its columns hold the ids. For pairs.c and
 * eval.c. */
#ifndef IL_TABLE_H
#define IL_TABLE_H

#include "formats/csv.h"

/* Columns that a header can name within. */
#define IL_TABLE_COLUMNS 64

struct il_table {
    const char *name; /**< for messages; borrowed from the path */
    char *text;       /**< the file; fields point into it */
    size_t rows_max;  /**< there are no more rows than this */
    struct il_csv csv;
    int header;  /**< 1: the first row named the columns */
    int pending; /**< 1: the current row was read but not yet given by next */
    size_t a, b; /**< columns of a_id and b_id */
    size_t posterior,
        origin; /**< their columns, or IL_TABLE_COLUMNS when there are none */
    struct il_csv_field field[IL_TABLE_COLUMNS]; /**< of the current row */
    size_t fields; /**< of the current row, at most IL_TABLE_COLUMNS of them in field */
    size_t line;   /**< of the current row */
};

/**
 * Reads a file and looks at its first row. A row that names both a_id and b_id, or begins
 * with a_id, is the header and decides the columns; without one they are the first two.
 * \param path         borrowed until il_table_close
 * \param header_from  a file whose first row has at least this many fields must have a
 * header; SIZE_MAX = never \return IL_OK; IL_EIO; IL_EFORMAT; IL_ELIMIT past 64 GiB;
 * IL_ENOMEM
 */
IL_MUST_CHECK enum il_status il_table_open(struct il_table *table, const char *path,
                                           size_t header_from, struct il_error *error);

/**
 * The same of a file whose header names two other columns, as b_id and c_id: those are
 * then a and b. IL_EFORMAT when it names none of them, or but one.
 */
IL_MUST_CHECK enum il_status il_table_open_named(struct il_table *table, const char *path,
                                                 const char *a_name, const char *b_name,
                                                 struct il_error *error);

/** Next row; *more = 0 at the end. IL_EFORMAT when it lacks a wanted column. */
IL_MUST_CHECK enum il_status il_table_next(struct il_table *table, int *more,
                                           struct il_error *error);

/** The posterior of the current row; the header must name its column. IL_EFORMAT: none.
 */
IL_MUST_CHECK enum il_status il_table_posterior(const struct il_table *table, double *out,
                                                struct il_error *error);

/** Frees; a zeroed table is fine. */
void il_table_close(struct il_table *table);

#endif
