/* SPDX-License-Identifier: Apache-2.0 */
/* JSON objects for programs: values that are always valid, and the text of an object. */
#ifndef IL_JSON_OUT_H
#define IL_JSON_OUT_H

#include <stddef.h>

#include <jansson.h>

/** A number; null for one that was never estimated (NaN). */
json_t *il_json_number(double value);

/** A whole number. */
json_t *il_json_whole(size_t value);

/** A text of any bytes; in one that is no UTF-8 every byte above 127 becomes '?'. */
json_t *il_json_text(const char *value);

/** Prints an object, ended by a newline, and releases it. \return malloc'd; NULL when
 * anything of it could not be made */
char *il_json_finish(json_t *object);

#endif
