/* SPDX-License-Identifier: Apache-2.0 */
/* Vectors that come from elsewhere than one file. */
#ifndef IL_VECTORS_H
#define IL_VECTORS_H

#include <isolink/store.h>

/** Makes a handle of rows x dim floats of a store, and their ids. The block is of
 * il_alloc; both are given, also on failure. \return IL_OK or IL_ENOMEM */
IL_MUST_CHECK enum il_status il_vectors_make(struct il_vectors **out, float *block,
                                             size_t rows, size_t dim, enum il_codec codec,
                                             struct il_ids *ids);

#endif
