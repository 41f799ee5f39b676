/* SPDX-License-Identifier: Apache-2.0 */
/* zstd frames unpacked as they come; for src/io/input.c. */
#ifndef IL_UNZST_H
#define IL_UNZST_H

#include <stddef.h>
#include <stdint.h>

#include <isolink/status.h>

/** Gives the next packed bytes, at most `bytes`; *got 0 at the end. */
typedef enum il_status il_unzst_read_fn(void *context, void *out, size_t bytes,
                                        size_t *got, struct il_error *error);

struct il_unzst;

/** \param name  of the packed file, for messages; borrowed. IL_OK or IL_ENOMEM. */
IL_MUST_CHECK enum il_status il_unzst_open(struct il_unzst **out, const char *name,
                                           il_unzst_read_fn *read, void *context,
                                           struct il_error *error);
/** Accepts NULL in *z. */
void il_unzst_close(struct il_unzst **z);

/**
 * Unpacks up to `bytes` bytes; *got is 0 at the end only.
 * \return IL_OK; what read returns; IL_EFORMAT for a frame that is damaged or cut short,
 * with the byte of the packed file; IL_ELIMIT for a window beyond 2^27; IL_ENOMEM
 */
IL_MUST_CHECK enum il_status il_unzst_read(struct il_unzst *z, void *out, size_t bytes,
                                           size_t *got, struct il_error *error);

#endif
