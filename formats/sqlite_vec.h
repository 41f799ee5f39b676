/* SPDX-License-Identifier: Apache-2.0 */
/* Tables of sqlite-vec: see formats/sqlite_vec.md. */
#ifndef IL_SQLITE_VEC_H
#define IL_SQLITE_VEC_H

#include "formats/reader.h"

/** What a database begins with, its zero byte included. */
#define IL_SQLITE_MAGIC "SQLite format 3"
#define IL_SQLITE_MAGIC_BYTES 16u

/**
 * Opens a table of a database for reading, through libsqlite3, in one transaction.
 *
 * libsqlite3 opens the file a second time, itself, because it has to take its locks and
 * to see the log of a writer.
 * \param bytes   the database: its name, its size; without `path` it lies in its memory,
 * which is borrowed
 * \param path    of the file, or NULL
 * \param table   the vec0 table; NULL: the only one
 * \param column  its vector column; NULL: the only one
 * \return IL_OK; IL_EIO; IL_EFORMAT; IL_ELIMIT; IL_ELOCKED; IL_EARG when there is no such
 * table or column, or when isolink was built without libsqlite3; IL_ENOMEM
 */
IL_MUST_CHECK enum il_status
il_sqlite_vec_open(struct il_reader **out, const struct il_bytes *bytes, const char *path,
                   const char *table, const char *column, struct il_error *error);

#endif
