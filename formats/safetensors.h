/* SPDX-License-Identifier: Apache-2.0 */
/* safetensors: see formats/safetensors.md. */
#ifndef IL_SAFETENSORS_H
#define IL_SAFETENSORS_H

#include "formats/layout.h"
#include "src/io/input.h"

/** 1 = the first bytes are a length and an object. */
int il_safetensors_begins(const unsigned char *data, size_t bytes);

/**
 * Reads the header and goes past it; where the rows of a tensor lie.
 * \param table  name of the tensor; NULL: the only one of 2 dimensions
 * \return IL_OK; IL_EFORMAT; IL_ELIMIT; IL_EIO; IL_EARG when there is no such tensor;
 * IL_ENOMEM. Memory is that of the header while it is read.
 */
IL_MUST_CHECK enum il_status il_safetensors_layout(struct il_layout *out,
                                                   struct il_input *stream,
                                                   const char *table,
                                                   struct il_error *error);

#endif
