/* SPDX-License-Identifier: Apache-2.0 */
/* Readers: rows, and their ids, one after the other. One for each kind of file, all with
 * the same face; src/store/source.c chooses. */
#ifndef IL_READER_H
#define IL_READER_H

#include "formats/layout.h"
#include "src/io/input.h"

/** Texts of ids that one call of next collects. */
struct il_names {
    unsigned char *text; /**< one after the other; of il_alloc */
    size_t bytes, room;  /**< used of it, and all of it */
    size_t *length;      /**< of each; there is room for as many as rows are wanted */
    size_t count;
};

/** Appends an id, which is copied. IL_OK; IL_ENOMEM. */
IL_MUST_CHECK enum il_status il_names_add(struct il_names *names, const void *text,
                                          size_t bytes, struct il_error *error);
/** Appends a number as text. */
IL_MUST_CHECK enum il_status il_names_add_number(struct il_names *names, int64_t number,
                                                 struct il_error *error);

/** What every reader begins with. It does not own the stream it reads from. */
struct il_reader {
    size_t dim;
    uint64_t rows; /**< UINT64_MAX: only the end will tell */
    int has_ids;
    /**
     * The next rows, at most `most` (at least 1).
     * \param rows   most x dim floats; written
     * \param names  NULL: ids are not wanted. Otherwise empty; gets one of each row
     * when has_ids
     * \param count  0 at the end
     */
    enum il_status (*next)(struct il_reader *reader, size_t most, float *rows,
                           struct il_names *names, size_t *count, struct il_error *error);
    void (*close)(struct il_reader *reader);
};

/**
 * Rows that lie in one block, after one another: all formats with a header. The stream
 * stands before or at layout->offset.
 * \param ids  where the ids are read from, when layout->ids_offset is set; may be NULL
 * otherwise; what it refers to is borrowed
 */
IL_MUST_CHECK enum il_status il_block_reader_open(struct il_reader **out,
                                                  struct il_input *stream,
                                                  const struct il_layout *layout,
                                                  const struct il_bytes *ids,
                                                  struct il_error *error);

/** Rows as they lie in a file, stride_bytes each, as f32. The bytes may be written to. */
void il_rows_convert(const struct il_layout *layout, unsigned char *data, size_t count,
                     float *out);

#endif
