/* SPDX-License-Identifier: Apache-2.0 */
/* What is said of a map. */
#ifndef IL_REPORT_MAP_H
#define IL_REPORT_MAP_H

#include <stdio.h>

#include <isolink/isolink.h>

/** Table of a map. */
void il_report_map(FILE *stream, const struct il_map_info *info);
/** JSON text, ended by a newline; malloc'd; NULL when memory is exhausted. */
char *il_report_map_json(const struct il_map_info *info);

#endif
