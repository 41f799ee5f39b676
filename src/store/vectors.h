/* SPDX-License-Identifier: Apache-2.0 */
/* Vectors from any source of bytes, for il_vectors_load and for tests. */
#ifndef IL_VECTORS_H
#define IL_VECTORS_H

#include <isolink/matrix.h>

#include "src/io/bytes.h"

/**
 * Reads vectors from bytes; bytes->name decides the format, or the magic of .npy when it
 * tells nothing. \return as il_vectors_load
 */
IL_MUST_CHECK enum il_status il_vectors_read(struct il_vectors **out,
                                             const struct il_bytes *bytes,
                                             struct il_error *error);

#endif
