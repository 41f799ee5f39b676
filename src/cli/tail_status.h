/* SPDX-License-Identifier: Apache-2.0 */
/* What a daemon says of itself in a file of its state, for isolink status. */
#ifndef IL_TAIL_STATUS_H
#define IL_TAIL_STATUS_H

#include <stdbool.h>

#include <jansson.h>

#include "tail_metrics.h"

/** Name of the file in the directory of the state. */
#define IL_STATUS_FILE "status.json"

/**
 * Writes the file whole or not at all. It need not survive a loss of power, so nothing is
 * synced.
 * \param started_ns  when the daemon began, ns since 1970
 * \param running     false: the daemon ends
 * \return 0, or an errno
 */
int il_status_write(const char *state, const struct il_tail_figures *figures,
                    int64_t started_ns, bool running);

/** The object of the file, with "running" false when its process is gone; NULL when there
 * is no such file, or none that can be read. To be released. */
json_t *il_status_read(const char *state);

/** The same figures in one line, for the log. out: 512 bytes. */
void il_status_line(const struct il_tail_figures *figures, char *out, size_t room);

#endif
