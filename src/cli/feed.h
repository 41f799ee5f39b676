/* SPDX-License-Identifier: Apache-2.0 */
/* The usable rows of a source, a batch at a time. */
#ifndef IL_FEED_H
#define IL_FEED_H

#include <stdbool.h>

#include <isolink/isolink.h>

#define IL_FEED_ROWS 256

/** Zero it, open it, close it. */
struct il_feed {
    const char *path;
    struct il_source *source;
    struct il_id_list *list; /**< ids of their own file; NULL: those of the source */
    const char *list_path;
    size_t dim;
    uint64_t rows; /**< of the source; UINT64_MAX: not known yet */
    size_t batch;
    float *block;
    const void *ids[IL_FEED_ROWS];
    size_t id_bytes[IL_FEED_ROWS];
    size_t count;      /**< rows of the batch */
    size_t at;         /**< next row of the batch */
    uint64_t given;    /**< rows before it, unusable ones too */
    uint64_t left_out; /**< rows that were zero or not finite, and the caller's */
    char first[200];   /**< the first of them in words */
    bool end;
};

/** A row: borrowed until the next call. */
struct il_feed_row {
    const float *values; /**< NULL: there are no more */
    const void *id;
    size_t id_bytes;
    uint64_t number; /**< from 0, unusable rows counted */
};

/** \param ids  file of ids, one a line; NULL: the source's own \return an exit code; says
 * what is wrong */
int il_feed_open(struct il_feed *feed, const char *command, const char *path,
                 const struct il_source_config *config, const char *ids);

/** The next row that is finite and not zero; others are counted. \return an exit code;
 * says what is wrong */
int il_feed_next(struct il_feed *feed, const char *command, struct il_feed_row *row);

/** Counts a row that the caller leaves out; the first one is kept in words, "row 3 (id
 * 'x') is WHY". */
void il_feed_leave_out(struct il_feed *feed, const struct il_feed_row *row,
                       const char *why);

void il_feed_close(struct il_feed *feed);

#endif
