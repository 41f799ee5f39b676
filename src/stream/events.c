/* SPDX-License-Identifier: Apache-2.0 */
/* Reading the events of a state, also while somebody writes: what is given is durable,
   and a tail that a writer has not ended is passed over until it is. */
#include "src/stream/event_record.h"

#include "src/base/base.h"
#include "src/io/dir.h"

#include <stdio.h>
#include <string.h>

struct il_events {
    char shown[IL_DIR_SHOWN];
    struct il_file file;
    struct il_event_reader reader;
    uint64_t since;
    struct il_event_frame frame; /* the one that is given */
    size_t at;                   /* of the next record in it */
    uint64_t seq;                /* of the last event before that record */
    uint64_t durable;            /* so many bytes of the log are, as far as known */
};

const char *il_event_text(enum il_event_kind kind)
{
    switch (kind) {
    case IL_EVENT_LINK:
        return "link";
    case IL_EVENT_CONFIRM:
        return "confirm";
    case IL_EVENT_RETRACT:
        return "retract";
    }
    return "?";
}

int il_event_of_record(const struct il_event_record *r, int64_t time_ns, uint64_t seq,
                       struct il_event *out)
{
    if (r->kind > IL_RECORD_RETRACT)
        return 0;
    *out =
        (struct il_event){.seq = seq,
                          .time_ns = time_ns,
                          .link_id = il_event_link_id(r->a, r->a_bytes, r->b, r->b_bytes),
                          .kind = (enum il_event_kind)r->kind,
                          .origin = r->origin,
                          .posterior = r->posterior,
                          .round = r->round,
                          .a_id = r->a,
                          .b_id = r->b,
                          .a_bytes = r->a_bytes,
                          .b_bytes = r->b_bytes};
    return 1;
}

static enum il_status open_log(struct il_events *e, const char *path,
                               struct il_error *error)
{
    struct il_dir dir;
    int missing = 0;
    enum il_status status = il_dir_open(&dir, path, error);
    if (status != IL_OK)
        return status;
    il_dir_shown(&dir, IL_EVENT_LOG_NAME, e->shown);
    status = il_dir_file(&dir, IL_EVENT_LOG_NAME, e->shown, &e->file, &missing, error);
    il_dir_close(&dir);
    if (missing)
        return il_fail(error, IL_EFORMAT, "%s: no state: no " IL_EVENT_LOG_NAME " in it",
                       il_path_tail(path));
    if (status != IL_OK)
        return status;
    struct il_bytes bytes = {.name = e->shown, .size = e->file.size, .file = &e->file};
    return il_event_reader_open(&e->reader, &bytes, error);
}

enum il_status il_events_open(struct il_events **out, const char *path, uint64_t since,
                              struct il_error *error)
{
    struct il_error own;
    *out = NULL;
    if (!error)
        error = &own;
    struct il_events *e = il_alloc_zero(1, sizeof(*e));
    if (!e)
        return il_fail(error, IL_ENOMEM, "%s: no memory to read it", il_path_tail(path));
    e->file.fd = -1;
    e->since = since;
    enum il_status status = open_log(e, path, error);
    if (status != IL_OK)
        il_events_close(&e);
    *out = e;
    return status;
}

void il_events_close(struct il_events **events)
{
    struct il_events *e = *events;
    *events = NULL;
    if (!e)
        return;
    il_event_reader_close(&e->reader);
    il_file_close(&e->file);
    il_free(e);
}

/* The next frame as the file is now; *more 0: none. */
static enum il_status look(struct il_events *e, int *more, struct il_error *error)
{
    *more = 0;
    enum il_status status = il_file_measure(&e->file, error);
    e->reader.bytes.size = e->file.size;
    if (status == IL_OK)
        status = il_event_reader_next(&e->reader, &e->frame, more, error);
    if (status != IL_EIO || e->file.size == 0)
        return status;
    /* A new writer may have cut the tail that was being read. */
    const uint64_t size = e->file.size;
    struct il_error again;
    if (il_file_measure(&e->file, &again) != IL_OK || e->file.size == size)
        return status;
    e->reader.bytes.size = e->file.size;
    return il_event_reader_next(&e->reader, &e->frame, more, error);
}

/* Where no frame begins: nothing yet, or damage. The place is looked at again after a
   proof was found, as a writer may have cut its tail and gone on there meanwhile. */
static enum il_status judge(struct il_events *e, int *more, struct il_error *error)
{
    uint64_t proof = 0;
    enum il_status status = il_event_reader_proof(&e->reader, &proof, error);
    if (status != IL_OK || proof == 0)
        return status;
    status = look(e, more, error);
    return status == IL_OK && !*more ? il_event_damaged(&e->reader, proof, error)
                                     : status;
}

static enum il_status next_frame(struct il_events *e, int *more, struct il_error *error)
{
    enum il_status status = look(e, more, error);
    if (status == IL_OK && !*more && e->reader.next < e->file.size)
        status = judge(e, more, error);
    if (status != IL_OK || !*more)
        return status;
    e->at = 0;
    e->seq = e->frame.seq;
    /* Its writer may not have synced it yet. All that is in the file is, after this. */
    if (e->durable < e->reader.synced)
        e->durable = e->reader.synced;
    if (e->durable < e->reader.next && e->frame.records > 0) {
        status = il_file_sync(&e->file, error);
        e->durable = e->file.size;
    }
    if (status != IL_OK)
        *more = 0;
    return status;
}

enum il_status il_events_next(struct il_events *e, struct il_event *event, int *found,
                              struct il_error *error)
{
    struct il_error own;
    *found = 0;
    if (!error)
        error = &own;
    for (;;) {
        while (e->at < e->frame.data_bytes) {
            struct il_event_record r;
            const unsigned char *p = e->frame.data + e->at;
            e->at += il_event_record_decode(p, e->frame.data_bytes - e->at, &r);
            if (!il_event_of_record(&r, e->frame.time_ns, e->seq + 1, event))
                continue;
            if (++e->seq > e->since) {
                *found = 1;
                return IL_OK;
            }
        }
        int more = 0;
        e->frame.data_bytes = e->at = 0;
        enum il_status status = next_frame(e, &more, error);
        if (status != IL_OK || !more)
            return status;
    }
}
