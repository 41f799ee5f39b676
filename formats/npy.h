/* SPDX-License-Identifier: Apache-2.0 */
/* .npy: see formats/npy.md. */
#ifndef IL_NPY_H
#define IL_NPY_H

#include "formats/layout.h"

#define IL_NPY_MAGIC "\x93NUMPY"
#define IL_NPY_MAGIC_BYTES 6u

/** Reads the header. \return IL_OK; IL_EFORMAT; IL_ELIMIT; IL_EIO. No allocation. Any
 * thread. */
IL_MUST_CHECK enum il_status il_npy_layout(struct il_layout *out,
                                           const struct il_bytes *bytes,
                                           struct il_error *error);

#endif
