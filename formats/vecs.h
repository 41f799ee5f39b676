/* SPDX-License-Identifier: Apache-2.0 */
/* .fvecs .bvecs: see formats/vecs.md. */
#ifndef IL_VECS_H
#define IL_VECS_H

#include "formats/layout.h"

/** Reads the first row's length and the size (when it is known). \return IL_OK;
 * IL_EFORMAT; IL_ELIMIT; IL_EIO. */
IL_MUST_CHECK enum il_status il_vecs_layout(struct il_layout *out,
                                            const struct il_bytes *bytes,
                                            enum il_dtype type, struct il_error *error);

/** Checks the length that stands before each of count rows, the first of which is number
 * `first` of the file. IL_EFORMAT names the row. */
IL_MUST_CHECK enum il_status il_vecs_check(const struct il_layout *layout,
                                           const unsigned char *block, uint64_t first,
                                           size_t count, const char *name,
                                           struct il_error *error);

#endif
