/* SPDX-License-Identifier: Apache-2.0 */
/* --events of tail: the events of a state as lines of JSON, in a file that goes on behind
 * its last whole line, or on standard output. They are read from the state's own log, so
 * that a reader that is slow, gone or out of room costs nothing but its own delay. */
#ifndef IL_TAIL_EVENTS_H
#define IL_TAIL_EVENTS_H

#include <stdbool.h>
#include <stdint.h>

#include <isolink/isolink.h>

struct il_event_out;

/**
 * Opens the output. A file is cut behind its last whole line, which must be an event; a
 * new one begins with the first event of the state. Standard output, pipes and devices
 * begin behind `seq`.
 * \param path   "-": standard output; borrowed
 * \param state  directory of the state, which must be there; borrowed
 * \param seq    last event of the state
 * \return NULL on failure, with *status and error as the library sets them
 */
struct il_event_out *il_event_out_open(const char *path, const char *state, uint64_t seq,
                                       enum il_status *status, struct il_error *error);

/** What became of a pump. */
enum il_pump {
    IL_PUMP_DONE = 0,  /**< everything is written */
    IL_PUMP_LATER = 1, /**< the reader is slow, or the disk is full: call again */
    IL_PUMP_GONE = 2,  /**< nobody reads any more */
    IL_PUMP_FAILED = 3 /**< the log of the state cannot be read: error says why */
};
/** Writes what there is, and what can be written without waiting. */
enum il_pump il_event_out_pump(struct il_event_out *out, struct il_error *error);

/** Opens a file anew by its name, as rotation needs it: it goes on where it stood, a new
 * one behind the last event that was written. \return IL_OK, or why the old one stays */
enum il_status il_event_out_reopen(struct il_event_out *out, struct il_error *error);

/** The state was closed and opened: its log is read from where this output stands. */
enum il_status il_event_out_resume(struct il_event_out *out, struct il_error *error);

/** A descriptor to wait on for room (POLLOUT); -1 for a file. */
int il_event_out_fd(const struct il_event_out *out);

/** Closes; NULL is fine. */
void il_event_out_close(struct il_event_out *out);

#endif
