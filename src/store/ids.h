/* SPDX-License-Identifier: Apache-2.0 */
/* Ids that come from elsewhere than a file of ids. */
#ifndef IL_IDS_H
#define IL_IDS_H

#include <isolink/matrix.h>

/**
 * Makes ids of texts that lie one after the other, each with a zero byte behind it, none
 * of them empty.
 * \param name  of the file they came with, for messages
 * \param text  block of il_alloc, which is given, also on failure
 * \return IL_OK; IL_EFORMAT when an id is repeated, with both rows; IL_ENOMEM
 */
IL_MUST_CHECK enum il_status il_ids_make(struct il_ids **out, const char *name,
                                         char *text, size_t rows, struct il_error *error);

#endif
