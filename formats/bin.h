/* SPDX-License-Identifier: Apache-2.0 */
/* .fbin .f16bin .u8bin .i8bin: see formats/bin.md. */
#ifndef IL_BIN_H
#define IL_BIN_H

#include "formats/layout.h"

/** Reads the header. \return IL_OK; IL_EFORMAT; IL_ELIMIT; IL_EIO. Any thread. */
IL_MUST_CHECK enum il_status il_bin_layout(struct il_layout *out,
                                           const struct il_bytes *bytes,
                                           enum il_dtype type, struct il_error *error);

#endif
