/* SPDX-License-Identifier: Apache-2.0 */
/* What the writer and the reader of the log of a state share. */
#ifndef IL_EVENT_RECORD_H
#define IL_EVENT_RECORD_H

#include "formats/event_frame.h"

#define IL_EVENT_LOG_NAME "events.log"

/* 1: the record is an event, which *out then is; its texts are those of the record. */
int il_event_of_record(const struct il_event_record *r, int64_t time_ns, uint64_t seq,
                       struct il_event *out);

#endif
