/* SPDX-License-Identifier: Apache-2.0 */
/* What the commands tell: tables for people, JSON for programs. */
#ifndef IL_REPORT_H
#define IL_REPORT_H

#include <stdbool.h>
#include <stdio.h>

#include <isolink/isolink.h>

#include "inputs.h"

/** One link run, as it is reported. Everything is borrowed for the call. */
struct il_outcome {
    const struct il_inputs *inputs;
    const struct il_link_config *config;
    const struct il_link_report *report;
    const struct il_link *links;
    size_t link_count; /**< seeds included */
    const struct il_pair *wrong;
    size_t wrong_count;
    const uint64_t *skipped[2];
    size_t skipped_count[2];
    const char *links_path;
    bool verbose;
};

/** Table of a link run. */
void il_report_link(FILE *stream, const struct il_outcome *outcome);
/** JSON text of a link run, ended by a newline; malloc'd; NULL when memory is exhausted.
 */
char *il_report_link_json(const struct il_outcome *outcome);

/** Table and reliability table of an evaluation. */
void il_report_eval(FILE *stream, const struct il_eval *eval);
char *il_report_eval_json(const struct il_eval *eval);

/** Table and verdict of a look at two sides. */
void il_report_doctor(FILE *stream, const struct il_doctor *doctor,
                      const struct il_inputs *inputs);
char *il_report_doctor_json(const struct il_doctor *doctor,
                            const struct il_inputs *inputs);

/** A number with commas between its thousands: 1234567 as "1,234,567". */
struct il_grouped {
    char text[32];
};
struct il_grouped il_grouped(size_t number);

/** Version, instruction set and how the program was built. */
void il_report_version(FILE *stream);
char *il_report_version_json(void);

/** Largest memory this process has held so far, in bytes. */
double il_peak_bytes(void);

#endif
