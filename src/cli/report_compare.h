/* SPDX-License-Identifier: Apache-2.0 */
/* What isolink compare tells: one table for people, JSON for programs. */
#ifndef IL_REPORT_COMPARE_H
#define IL_REPORT_COMPARE_H

#include "report.h"

/** One method's run. */
struct il_compared {
    struct il_link_report report;
    struct il_eval eval;
    double seconds;    /**< wall time of the run */
    double peak_bytes; /**< largest resident memory meanwhile; 0: not known */
};

/** All of them. Everything is borrowed for the call. */
struct il_comparison {
    const struct il_inputs *inputs;
    const char *truth; /**< NULL: none, eval says nothing */
    const struct il_link_config *config;
    const struct il_compared *method;
    size_t count;
};

void il_report_compare(FILE *stream, const struct il_comparison *all);
/** JSON text, ended by a newline; malloc'd; NULL when memory is exhausted. */
char *il_report_compare_json(const struct il_comparison *all);

#endif
