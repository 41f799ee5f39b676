/* SPDX-License-Identifier: Apache-2.0 */
/* What the parts of the daemon share: tail_loop.c, which decides what is done when, and
 * tail_state.c, which does it to the state and its sources. */
#ifndef IL_TAIL_DAEMON_H
#define IL_TAIL_DAEMON_H

#include <stdbool.h>

#include <isolink/isolink.h>

#include "tail_events.h"
#include "tail_http.h"
#include "tail_metrics.h"
#include "tail_notify.h"
#include "tail_options.h"

/** One source. */
struct il_follow {
    char *path;
    char note[256]; /**< name of its position in the state */
    struct il_tail *tail;
    struct il_tail_row *rows; /**< `room` of them */
    size_t room;
    size_t count;   /**< rows that were read and are not committed */
    double read_at; /**< when */
    size_t dim;     /**< of the state; 0: none yet */
    size_t position_bytes;
    unsigned char position[IL_TAIL_POSITION_MAX]; /**< as the state has it */
};

struct il_daemon {
    struct il_tail_options *options; /**< those that count now */
    int argc;
    char **argv;
    char *state;
    char *events;
    struct il_seeds *seeds;
    struct il_stream *stream; /**< NULL: no rows yet, or trouble */
    struct il_follow side[2];
    struct il_event_out *out;
    struct il_http *http;
    struct il_notify notify;

    struct il_tail_figures figures;
    struct il_tail_figures before; /**< counts of states that were closed */
    uint64_t refused[2];           /**< rows whose id cannot be taken */
    int64_t started_ns;
    double rate_at, resident_at, status_at;
    uint64_t rate_arrivals;
    uint64_t status_key;

    bool stop;       /**< asked to end */
    bool trouble;    /**< the state was closed because it could not be written */
    bool full;       /**< because the disk is full */
    double retry_at; /**< when it is opened again */
    double backoff;
    bool ready; /**< systemd was told */
};

/** Logs what went wrong and returns its exit code. */
int il_daemon_fail(const struct il_daemon *d, enum il_status status,
                   const struct il_error *error);

/** Whether a text says that a disk is full. */
bool il_daemon_is_full(const char *text);

/** Opens the state where it is there or both dimensions are known, and the sources at the
 * positions it has. Without a state: the sources, at their begin.
 * \return an exit code; IL_EXIT_DONE also when it is to be tried again later */
int il_daemon_open(struct il_daemon *d);
/** Closes the state; keeps the sources and its counts. */
void il_daemon_close_state(struct il_daemon *d);

/** Reads what the sources have, a batch each. */
int il_daemon_read(struct il_daemon *d, double now);
/** Pushes it, notes the positions, commits. *worked: there was something. */
int il_daemon_commit(struct il_daemon *d, bool *worked);
/** After a call of the library failed: closes the state to try again, or gives up.
 * \return an exit code; IL_EXIT_DONE: again at retry_at */
int il_daemon_trouble(struct il_daemon *d, enum il_status status,
                      const struct il_error *error);

#endif
