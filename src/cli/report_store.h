/* SPDX-License-Identifier: Apache-2.0 */
/* What the commands of the store tell: lines for people, JSON for programs. */
#ifndef IL_REPORT_STORE_H
#define IL_REPORT_STORE_H

#include <stdbool.h>
#include <stdio.h>

#include <isolink/isolink.h>

/** One import, as it is reported. Texts are borrowed for the call. */
struct il_import_report {
    const char *source;
    const char *store;
    bool appended;
    uint64_t rows;             /**< that were put */
    uint64_t replaced;         /**< of them, in the place of earlier ones */
    uint64_t left_out;         /**< zero, not finite or too large for the codec */
    size_t sampled;            /**< rows that the basis was found from; 0: no basis */
    double share;              /**< of their variance that it keeps */
    double seconds;            /**< from the start of the program */
    struct il_store_info info; /**< afterwards; its texts are not valid any more */
    char model[256];
};
void il_report_import(FILE *stream, const struct il_import_report *report);
/** JSON text, ended by a newline; malloc'd; NULL when memory is exhausted. So are all
 * below. */
char *il_report_import_json(const struct il_import_report *report);

/** What a store is; path: as it was given. */
void il_report_info(FILE *stream, const char *path, const struct il_store_info *info);
char *il_report_info_json(const char *path, const struct il_store_info *info);

#endif
