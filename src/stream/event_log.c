/* SPDX-License-Identifier: Apache-2.0 */
/* The writer's end of the log of a state. What is added gathers in one buffer, behind
   room for the head of a frame; a commit writes the frame by one call and keeps it, so
   that its events can be told once they are durable. */
#include "src/stream/event_log.h"

#include "formats/event_frame.h"
#include "formats/little.h"
#include "src/base/base.h"
#include "src/stream/event_record.h"

#include <inttypes.h>
#include <stdio.h>

#define LOG_NAME IL_EVENT_LOG_NAME
#define LOG_NEW "events.tmp"

/* A frame: head, then records. */
struct frame {
    unsigned char *data;
    size_t bytes, room; /* bytes 0: nothing was added */
    uint32_t records;
};

struct il_event_log {
    struct il_dir dir; /* the caller's */
    char shown[IL_DIR_SHOWN];
    struct il_out out;
    struct il_event_info info;
    struct frame now, last;
    uint64_t seq, next_seq; /* of the last event that was committed, and added */
    uint64_t last_seq;      /* of the event before the frame in `last` */
    int64_t last_time_ns;
    uint64_t synced;
    int attested; /* 1: the last frame is empty, and says that all before it is durable */
    int failed;   /* 1: nobody knows what is on disk */
};

/* A header alone, under another name until it is durable. */
static enum il_status create(struct il_event_log *l, struct il_error *error)
{
    unsigned char header[IL_EVENT_HEADER_BYTES];
    struct il_out out = {.fd = -1};
    enum il_status status = il_dir_remove(&l->dir, LOG_NEW, error);
    if (status == IL_OK)
        status = il_unique(l->info.uuid, sizeof(l->info.uuid), error);
    il_event_salt(&l->info);
    il_event_encode_header(&l->info, header);
    if (status == IL_OK)
        status = il_out_open(&out, &l->dir, LOG_NEW, l->shown, 1, error);
    if (status == IL_OK)
        status = il_out_write(&out, header, sizeof(header), error);
    if (status == IL_OK)
        status = il_out_sync(&out, error);
    il_out_close(&out);
    if (status == IL_OK)
        status = il_dir_rename(&l->dir, LOG_NEW, LOG_NAME, error);
    return status == IL_OK ? il_dir_sync(&l->dir, error) : status;
}

static enum il_status play_record(const struct il_event_log_calls *calls,
                                  const struct il_event_record *r,
                                  const struct il_event *event)
{
    struct il_stream_seed seed = {r->a, r->b, r->a_bytes, r->b_bytes};
    char name[IL_NOTE_NAME_MAX + 1];
    switch (r->kind) {
    case IL_RECORD_NOTE:
        memcpy(name, r->a, r->a_bytes);
        name[r->a_bytes] = 0;
        return calls->note ? calls->note(calls->context, name, r->b, r->b_bytes) : IL_OK;
    case IL_RECORD_ROUND:
        return calls->round ? calls->round(calls->context, r->round) : IL_OK;
    case IL_RECORD_SEED:
        return calls->seed ? calls->seed(calls->context, &seed) : IL_OK;
    default:
        return calls->event ? calls->event(calls->context, event) : IL_OK;
    }
}

static enum il_status play(const struct il_event_log_calls *calls,
                           const struct il_event_frame *frame)
{
    uint64_t seq = frame->seq;
    for (size_t at = 0; at < frame->data_bytes;) {
        struct il_event_record r;
        struct il_event event = {0};
        at += il_event_record_decode(frame->data + at, frame->data_bytes - at, &r);
        if (il_event_of_record(&r, frame->time_ns, seq + 1, &event))
            seq++;
        enum il_status status = play_record(calls, &r, &event);
        if (status != IL_OK)
            return status;
    }
    return IL_OK;
}

static enum il_status cut(struct il_event_log *l, uint64_t end,
                          void (*log)(void *context, int level, const char *text),
                          void *log_context, struct il_error *error)
{
    char text[IL_DIR_SHOWN + 120];
    snprintf(text, sizeof(text),
             "%s, byte %" PRIu64 ": cut %" PRIu64
             " bytes that a writer left before its commit",
             l->shown, end, l->out.bytes - end);
    if (log)
        log(log_context, 4, text);
    return il_out_truncate(&l->out, end, error);
}

/* All frames; what follows the last one is cut when it is a writer's tail. */
static enum il_status read_all(struct il_event_log *l, struct il_event_reader *r,
                               const struct il_event_log_calls *calls, int *fresh,
                               struct il_error *error)
{
    struct il_event_frame frame = {0};
    uint64_t proof = 0;
    int more = 1;
    *fresh = 1;
    for (;;) {
        enum il_status status = il_event_reader_next(r, &frame, &more, error);
        if (status != IL_OK || !more) {
            if (status == IL_OK)
                status = il_event_reader_proof(r, &proof, error);
            if (status == IL_OK && proof > 0)
                status = il_event_damaged(r, proof, error);
            return status;
        }
        *fresh = *fresh && frame.records == 0;
        l->attested = frame.records == 0 && frame.synced == frame.offset;
        if (calls)
            status = play(calls, &frame);
        if (status != IL_OK)
            return status;
    }
}

static enum il_status open_file(struct il_event_log *l, struct il_error *error)
{
    struct il_file file;
    int missing = 0;
    enum il_status status =
        il_dir_file(&l->dir, LOG_NAME, l->shown, &file, &missing, error);
    if (status == IL_OK)
        il_file_close(&file);
    else if (missing)
        status = create(l, error);
    return status == IL_OK ? il_out_open(&l->out, &l->dir, LOG_NAME, l->shown, 0, error)
                           : status;
}

enum il_status il_event_log_open(struct il_event_log **out, const struct il_dir *dir,
                                 int *fresh, const struct il_event_log_calls *calls,
                                 void (*log)(void *context, int level, const char *text),
                                 void *log_context, struct il_error *error)
{
    struct il_event_reader r = {0};
    struct il_event_log *l = il_alloc_zero(1, sizeof(*l));
    *out = NULL;
    if (!l)
        return il_fail(error, IL_ENOMEM, "no memory for the log of events");
    l->dir = *dir;
    l->out.fd = -1;
    il_dir_shown(dir, LOG_NAME, l->shown);
    enum il_status status = open_file(l, error);
    struct il_file file = {
        .fd = l->out.fd, .sized = 1, .size = l->out.bytes, .name = l->shown};
    struct il_bytes bytes = {.name = l->shown, .size = file.size, .file = &file};
    if (status == IL_OK)
        status = il_event_reader_open(&r, &bytes, error);
    if (status == IL_OK)
        status = read_all(l, &r, calls, fresh, error);
    l->info = r.info;
    l->seq = l->next_seq = r.seq;
    l->synced = r.synced;
    const uint64_t end = r.next;
    if (status == IL_OK && end < l->out.bytes) {
        l->attested = 0;
        status = cut(l, end, log, log_context, error);
    }
    /* What a writer of before did not sync is made to last, before more comes. */
    if (status == IL_OK && !l->attested) {
        status = il_out_sync(&l->out, error);
        l->synced = end;
    }
    il_event_reader_close(&r);
    l->failed = status != IL_OK;
    if (status != IL_OK)
        il_event_log_close(&l);
    *out = l;
    return status;
}

static enum il_status make_room(struct il_event_log *l, size_t more)
{
    struct frame *f = &l->now;
    const size_t used = f->bytes ? f->bytes : IL_EVENT_FRAME_HEAD;
    if (more <= f->room && used <= f->room - more)
        return IL_OK;
    size_t room = 2 * f->room + more + 4096;
    void *grown = il_realloc(f->data, f->bytes, room);
    if (!grown)
        return IL_ENOMEM;
    f->data = grown;
    f->room = room;
    return IL_OK;
}

static enum il_status add(struct il_event_log *l, const struct il_event_record *r)
{
    const size_t bytes = il_event_record_bytes(r->kind, r->a_bytes, r->b_bytes);
    if (bytes == 0 || l->now.records == UINT32_MAX)
        return IL_EARG;
    enum il_status status = make_room(l, bytes);
    if (status != IL_OK)
        return status;
    if (l->now.bytes == 0)
        l->now.bytes = IL_EVENT_FRAME_HEAD;
    il_event_record_encode(r, l->now.data + l->now.bytes);
    l->now.bytes += bytes;
    l->now.records++;
    return IL_OK;
}

enum il_status il_event_log_add(struct il_event_log *l, struct il_event *event)
{
    const struct il_event_record r = {.kind = (enum il_event_record_kind)event->kind,
                                      .origin = event->origin,
                                      .round = event->round,
                                      .posterior = event->posterior,
                                      .a = event->a_id,
                                      .a_bytes = event->a_bytes,
                                      .b = event->b_id,
                                      .b_bytes = event->b_bytes};
    if (event->kind < IL_EVENT_LINK || event->kind > IL_EVENT_RETRACT ||
        event->origin < IL_ORIGIN_SEED || event->origin > IL_ORIGIN_LINK ||
        !(event->posterior >= 0 && event->posterior <= 1))
        return IL_EARG;
    enum il_status status = add(l, &r);
    if (status == IL_OK)
        event->seq = ++l->next_seq;
    return status;
}

enum il_status il_event_log_note(struct il_event_log *l, const char *name,
                                 const void *data, size_t bytes)
{
    const struct il_event_record r = {.kind = IL_RECORD_NOTE,
                                      .a = (const unsigned char *)name,
                                      .a_bytes = strlen(name),
                                      .b = data,
                                      .b_bytes = bytes};
    return add(l, &r);
}

enum il_status il_event_log_round(struct il_event_log *l, uint32_t round)
{
    const struct il_event_record r = {.kind = IL_RECORD_ROUND, .round = round};
    return round > 0 ? add(l, &r) : IL_EARG;
}

enum il_status il_event_log_seed(struct il_event_log *l,
                                 const struct il_stream_seed *seed)
{
    const struct il_event_record r = {.kind = IL_RECORD_SEED,
                                      .a = seed->a_id,
                                      .a_bytes = seed->a_bytes,
                                      .b = seed->b_id,
                                      .b_bytes = seed->b_bytes};
    return add(l, &r);
}

int il_event_log_pending(const struct il_event_log *l)
{
    return l->now.bytes > 0;
}

/* Writes the frame in the making; it needs room for a head. */
static enum il_status write_frame(struct il_event_log *l, int64_t time_ns,
                                  struct il_error *error)
{
    const struct il_event_frame f = {.offset = l->out.bytes,
                                     .synced = l->synced,
                                     .bytes = l->now.bytes,
                                     .seq = l->seq,
                                     .time_ns = time_ns,
                                     .records = l->now.records};
    il_event_frame_seal(&l->info, &f, l->now.data);
    return il_out_write(&l->out, l->now.data, l->now.bytes, error);
}

enum il_status il_event_log_commit(struct il_event_log *l, int sync,
                                   struct il_error *error)
{
    enum il_status status = IL_OK;
    if (l->failed)
        return il_fail(error, IL_EIO, "%s: an earlier write failed", l->shown);
    l->last.bytes = 0;
    l->last.records = 0;
    if (l->now.bytes > 0) {
        const struct frame written = l->now;
        l->last_time_ns = il_clock_wall_ns();
        status = write_frame(l, l->last_time_ns, error);
        l->attested = 0;
        l->now = l->last;
        l->last = written;
        l->last_seq = l->seq;
        l->seq = l->next_seq;
    }
    if (status == IL_OK && sync && l->synced < l->out.bytes && !l->attested) {
        status = il_out_sync(&l->out, error);
        l->synced = l->out.bytes;
    }
    l->failed = status != IL_OK;
    return status;
}

void il_event_log_tell(const struct il_event_log *l, il_event_fn *event, void *context)
{
    uint64_t seq = l->last_seq;
    if (!event || l->failed)
        return;
    for (size_t at = IL_EVENT_FRAME_HEAD; at < l->last.bytes;) {
        struct il_event_record r;
        struct il_event e;
        at += il_event_record_decode(l->last.data + at, l->last.bytes - at, &r);
        if (il_event_of_record(&r, l->last_time_ns, seq + 1, &e)) {
            seq++;
            event(context, &e);
        }
    }
}

uint64_t il_event_log_seq(const struct il_event_log *l)
{
    return l->seq;
}

/* Says, in an empty frame, that all is durable: so damage is told from a tail. It need
   not be durable itself. */
static void attest(struct il_event_log *l)
{
    struct il_error error;
    l->now.bytes = 0;
    l->now.records = 0;
    if (l->synced < l->out.bytes && il_out_sync(&l->out, &error) != IL_OK)
        return;
    l->synced = l->out.bytes;
    if (make_room(l, IL_EVENT_FRAME_HEAD) != IL_OK)
        return;
    l->now.bytes = IL_EVENT_FRAME_HEAD;
    if (write_frame(l, il_clock_wall_ns(), &error) != IL_OK)
        return; /* a tail, which the next writer cuts */
}

void il_event_log_close(struct il_event_log **log)
{
    struct il_event_log *l = *log;
    *log = NULL;
    if (!l)
        return;
    if (!l->failed && !l->attested)
        attest(l);
    il_out_close(&l->out);
    il_free(l->now.data);
    il_free(l->last.data);
    il_free(l);
}
