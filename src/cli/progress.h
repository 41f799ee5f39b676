/* SPDX-License-Identifier: Apache-2.0 */
/* A bar on stderr: only on a terminal that can overwrite a line, gone when the run ends.
 */
#ifndef IL_PROGRESS_H
#define IL_PROGRESS_H

#include <stdbool.h>

struct il_progress {
    bool on;
    bool shown;   /**< a bar stands on the line */
    int columns;  /**< width of the terminal */
    double start; /**< when the first step was reported */
    double last;  /**< when the bar was drawn last */
    const char *stage;
};

/** Prepares a bar; it stays off unless wanted, stderr is a terminal and TERM is not dumb.
 */
void il_progress_init(struct il_progress *progress, bool wanted);

/** Draws a step, at most ten times a second; an il_progress_fn: context is the bar. */
void il_progress_step(void *context, const char *stage, double done, double total);

/** Takes the bar off the line. Call before printing anything else. */
void il_progress_clear(struct il_progress *progress);

#endif
