/* SPDX-License-Identifier: Apache-2.0 */
/* Bytes at offsets, from a file or from memory: what the format readers read from. */
#ifndef IL_BYTES_H
#define IL_BYTES_H

#include "src/io/file.h"

/** The size of bytes of which only the beginning is here. */
#define IL_SIZE_UNKNOWN UINT64_MAX

struct il_bytes {
    const char *name;            /**< for messages; borrowed */
    uint64_t size;               /**< or IL_SIZE_UNKNOWN */
    size_t memory_bytes;         /**< in memory when the size is not known */
    const unsigned char *memory; /**< NULL: read from file; borrowed */
    const struct il_file *file;  /**< sized; borrowed */
    int mapped;                  /**< 1: memory is a file that is mapped, as a whole */
    int growing; /**< 1: rows are still being added, the number in a header lags, 0 too */
};

/** Copies count bytes from offset; IL_EFORMAT past the end (or past what is here of bytes
   whose size is not known); IL_EIO. Any thread. */
IL_MUST_CHECK enum il_status il_bytes_read(const struct il_bytes *bytes, uint64_t offset,
                                           void *out, size_t count,
                                           struct il_error *error);

/** These bytes of a mapped file are wanted now: what is not in memory is read at once, in
   one go, where faults would read more or less of it than that. Any thread. */
void il_bytes_want(const struct il_bytes *bytes, uint64_t offset, size_t count);

#endif
