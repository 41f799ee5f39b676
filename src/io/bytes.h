/* SPDX-License-Identifier: Apache-2.0 */
/* Bytes at offsets, from a file or from memory: what the format readers read from. */
#ifndef IL_BYTES_H
#define IL_BYTES_H

#include "src/io/file.h"

struct il_bytes {
    const char *name; /**< for messages; borrowed */
    uint64_t size;
    const unsigned char *memory; /**< NULL: read from file; borrowed */
    const struct il_file *file;  /**< sized; borrowed */
};

/** Copies count bytes from offset; IL_EFORMAT past the end, IL_EIO. Any thread. */
IL_MUST_CHECK enum il_status il_bytes_read(const struct il_bytes *bytes, uint64_t offset,
                                           void *out, size_t count,
                                           struct il_error *error);

#endif
