/* SPDX-License-Identifier: Apache-2.0 */
/* Rows of a store or of a file, in order and a batch at a time. */
#ifndef IL_ROWS_IN_H
#define IL_ROWS_IN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <isolink/isolink.h>

/** Rows of a batch, at most. */
#define IL_ROWS_IN_MAX 512

/** Zero it before il_rows_in_open. */
struct il_rows_in {
    const char *path;
    size_t dim;
    uint64_t rows;     /**< UINT64_MAX: only the end will tell */
    const char *model; /**< of a store; "" otherwise; borrowed until close */
    struct il_store *store;
    struct il_store_cursor *cursor;
    struct il_source *source;
    size_t most; /**< rows of a batch */
    /** The batch: count x dim, all coordinates of a store's rows; ids are those of the
     * rows, or their numbers. Borrowed until the next call. */
    size_t count;
    float *row;
    const void *id[IL_ROWS_IN_MAX];
    size_t id_bytes[IL_ROWS_IN_MAX];
};

/** Opens. \return an exit code; says what is wrong */
int il_rows_in_open(struct il_rows_in *in, const char *command, const char *path,
                    enum il_io io);

/** The next batch; count is 0 at the end. \return an exit code, after a signal that of
 * il_say_cancelled */
int il_rows_in_next(struct il_rows_in *in, const char *command);

void il_rows_in_close(struct il_rows_in *in);

#endif
