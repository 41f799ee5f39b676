/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The log of a state: events, notes and what a bootstrap changes, in frames that are
 * there whole or not at all (formats/events.md). One writer, readers at any time.
 */
#ifndef IL_EVENT_LOG_H
#define IL_EVENT_LOG_H

#include <isolink/stream.h>

#include "src/io/dir.h"

struct il_event_log;

/* What a reader or the recovering writer is told, in the order of the log. NULL: not
 * wanted. Texts are borrowed for the call. Returning other than IL_OK ends the reading
 * with it. */
struct il_event_log_calls {
    enum il_status (*event)(void *context, const struct il_event *event);
    enum il_status (*note)(void *context, const char *name, const void *data,
                           size_t bytes);
    /* From here on a model file counts: round (1, 2, ...). */
    enum il_status (*round)(void *context, uint32_t round);
    enum il_status (*seed)(void *context, const struct il_stream_seed *seed);
    void *context;
};

/* Opens the log as its one writer (the caller holds the lock of the directory), makes it
 * where there is none, cuts a torn tail (and says so to `log`), plays all of it; *fresh
 * 1: nothing is in it. IL_EIO; IL_EFORMAT; IL_EVERSION; IL_ECORRUPT; IL_ENOMEM. */
IL_MUST_CHECK enum il_status
il_event_log_open(struct il_event_log **out, const struct il_dir *dir, int *fresh,
                  const struct il_event_log_calls *calls,
                  void (*log)(void *context, int level, const char *text),
                  void *log_context, struct il_error *error);
/* What was added and not committed is gone. */
void il_event_log_close(struct il_event_log **log);

/* Adds to the frame in the making. event->seq is set here. IL_ENOMEM; IL_EARG. */
IL_MUST_CHECK enum il_status il_event_log_add(struct il_event_log *log,
                                              struct il_event *event);
IL_MUST_CHECK enum il_status il_event_log_note(struct il_event_log *log, const char *name,
                                               const void *data, size_t bytes);
IL_MUST_CHECK enum il_status il_event_log_round(struct il_event_log *log, uint32_t round);
IL_MUST_CHECK enum il_status il_event_log_seed(struct il_event_log *log,
                                               const struct il_stream_seed *seed);
/* 1: the frame in the making holds something. */
int il_event_log_pending(const struct il_event_log *log);
/* Writes the frame, and syncs it and those before when `sync`. IL_EIO: only close may
 * follow. An empty one writes nothing. */
IL_MUST_CHECK enum il_status il_event_log_commit(struct il_event_log *log, int sync,
                                                 struct il_error *error);
/* Tells the events of the frame that was committed last, as they were added. */
void il_event_log_tell(const struct il_event_log *log, il_event_fn *event, void *context);
/* seq of the last event. */
uint64_t il_event_log_seq(const struct il_event_log *log);

#endif
