/* SPDX-License-Identifier: Apache-2.0 */
/* New stores: made under a name of their own, so that what is there is whole. */
#ifndef IL_FRESH_H
#define IL_FRESH_H

#include <isolink/isolink.h>

/** A new store takes the place of nothing, or of an empty directory. \return an exit
 * code; says what is there */
int il_fresh_check(const char *command, const char *path, const char *if_store);

/**
 * The name that a store is made under; clears what a command that was killed left there.
 * \param out  receives it, malloc'd; NULL on failure
 * \return an exit code; says what is wrong
 */
int il_fresh_name(const char *command, const char *path, char **out);

#endif
