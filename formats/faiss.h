/* SPDX-License-Identifier: Apache-2.0 */
/* IndexFlat of FAISS: see formats/faiss.md. */
#ifndef IL_FAISS_H
#define IL_FAISS_H

#include "formats/layout.h"

/** 1 = the first bytes are those of an index that il_faiss_layout may know. */
int il_faiss_begins(const unsigned char *data, size_t bytes);

/** Reads the header. \return IL_OK; IL_EFORMAT; IL_ELIMIT; IL_EIO; IL_EARG when the ids
 * lie behind rows that cannot be skipped (bytes of a size that is not known). No
 * allocation. */
IL_MUST_CHECK enum il_status il_faiss_layout(struct il_layout *out,
                                             const struct il_bytes *bytes,
                                             struct il_error *error);

#endif
