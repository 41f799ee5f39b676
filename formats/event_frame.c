/* SPDX-License-Identifier: Apache-2.0 */
/* Frames of the log of a state. The numbers are those of formats/events.md. */
#include "formats/event_frame.h"

#include "formats/little.h"
#include "src/base/base.h"

#include <inttypes.h>

#define EVENT_MAGIC "\x89ILEVT\r\n"
#define VERSION 1u
#define SCAN_BYTES ((size_t)256 * 1024)

enum { AT_ZERO = 12, AT_UUID = 16, AT_ZEROS = 32 };
enum {
    HEAD_PLACE = 8,
    HEAD_SYNCED = 16,
    HEAD_BYTES = 24,
    HEAD_SUM = 32,
    HEAD_SEQ = 40,
    HEAD_TIME = 48,
    HEAD_RECORDS = 56,
    HEAD_ZERO = 60,
    FRAME_ALIGN = 8
};
/* Records: kind, origin, bytes of a, bytes of b, zero; then as formats/events.md says. */
enum { REC_ORIGIN = 1, REC_A = 2, REC_B = 4, REC_ROUND = 4, REC_ZERO = 6, REC_HEAD = 8 };
enum { EVENT_POSTERIOR = 8, EVENT_ROUND = 16, EVENT_HEAD = 20 };

void il_event_salt(struct il_event_info *info)
{
    info->salt = il_checksum(info->uuid, sizeof(info->uuid));
}

void il_event_encode_header(const struct il_event_info *info, unsigned char *out)
{
    memset(out, 0, IL_EVENT_HEADER_BYTES);
    store_u64(out, load_u64((const unsigned char *)EVENT_MAGIC));
    store_u32(out + 8, VERSION);
    memcpy(out + AT_UUID, info->uuid, sizeof(info->uuid));
    store_u64(out + IL_EVENT_HEADER_BYTES - 8,
              il_checksum(out, IL_EVENT_HEADER_BYTES - 8));
}

uint64_t il_event_link_id(const void *a_id, size_t a_bytes, const void *b_id,
                          size_t b_bytes)
{
    unsigned char text[2 * IL_ID_BYTES_MAX + 1];
    IL_ASSERT(a_bytes <= IL_ID_BYTES_MAX && b_bytes <= IL_ID_BYTES_MAX);
    memcpy(text, a_id, a_bytes);
    text[a_bytes] = 0;
    memcpy(text + a_bytes + 1, b_id, b_bytes);
    return il_checksum(text, a_bytes + 1 + b_bytes);
}

static size_t load_u16(const unsigned char *p)
{
    return p[0] | (size_t)p[1] << 8;
}

static void store_u16(unsigned char *p, size_t value)
{
    p[0] = (unsigned char)value;
    p[1] = (unsigned char)(value >> 8);
}

static int is_event(enum il_event_record_kind kind)
{
    return kind >= IL_RECORD_LINK && kind <= IL_RECORD_RETRACT;
}

size_t il_event_record_bytes(enum il_event_record_kind kind, size_t a_bytes,
                             size_t b_bytes)
{
    size_t bytes = 0;
    if (kind == IL_RECORD_ROUND)
        return a_bytes == 0 && b_bytes == 0 ? REC_HEAD : 0;
    if (kind == IL_RECORD_NOTE) {
        if (a_bytes >= 1 && a_bytes <= IL_NOTE_NAME_MAX && b_bytes <= IL_NOTE_BYTES_MAX)
            bytes = REC_HEAD + a_bytes + b_bytes;
    } else if ((is_event(kind) || kind == IL_RECORD_SEED) && a_bytes >= 1 &&
               a_bytes <= IL_ID_BYTES_MAX && b_bytes >= 1 && b_bytes <= IL_ID_BYTES_MAX) {
        bytes = (is_event(kind) ? EVENT_HEAD : REC_HEAD) + a_bytes + b_bytes;
    }
    return (size_t)align_to(bytes, FRAME_ALIGN);
}

/* Where the texts of a record begin. */
static size_t texts_at(enum il_event_record_kind kind)
{
    return is_event(kind) ? EVENT_HEAD : REC_HEAD;
}

void il_event_record_encode(const struct il_event_record *r, unsigned char *out)
{
    const size_t bytes = il_event_record_bytes(r->kind, r->a_bytes, r->b_bytes);
    const size_t at = texts_at(r->kind);
    IL_ASSERT(bytes > 0);
    memset(out, 0, bytes);
    out[0] = (unsigned char)r->kind;
    if (r->kind == IL_RECORD_ROUND) {
        store_u32(out + REC_ROUND, r->round);
        return;
    }
    store_u16(out + REC_A, r->a_bytes);
    store_u16(out + REC_B, r->b_bytes);
    if (is_event(r->kind)) {
        out[REC_ORIGIN] = (unsigned char)r->origin;
        memcpy(out + EVENT_POSTERIOR, &r->posterior, sizeof(r->posterior));
        store_u32(out + EVENT_ROUND, r->round);
    }
    memcpy(out + at, r->a, r->a_bytes);
    if (r->b_bytes)
        memcpy(out + at + r->a_bytes, r->b, r->b_bytes);
}

/* The values of an event; 0 when they cannot be. */
static int decode_event(const unsigned char *p, struct il_event_record *r)
{
    r->origin = (enum il_origin)p[REC_ORIGIN];
    memcpy(&r->posterior, p + EVENT_POSTERIOR, sizeof(r->posterior));
    r->round = il_load_u32(p + EVENT_ROUND);
    return p[REC_ORIGIN] <= IL_ORIGIN_LINK && r->posterior >= 0 && r->posterior <= 1;
}

size_t il_event_record_decode(const unsigned char *p, size_t bytes,
                              struct il_event_record *r)
{
    if (bytes < REC_HEAD)
        return 0;
    *r = (struct il_event_record){.kind = (enum il_event_record_kind)p[0]};
    if (r->kind == IL_RECORD_ROUND) {
        r->round = il_load_u32(p + REC_ROUND);
        return p[1] == 0 && p[2] == 0 && p[3] == 0 && r->round > 0 ? REC_HEAD : 0;
    }
    r->a_bytes = load_u16(p + REC_A);
    r->b_bytes = load_u16(p + REC_B);
    const size_t wanted = il_event_record_bytes(r->kind, r->a_bytes, r->b_bytes);
    if (wanted == 0 || wanted > bytes || load_u16(p + REC_ZERO) != 0)
        return 0;
    if (is_event(r->kind) ? !decode_event(p, r) : p[REC_ORIGIN] != 0)
        return 0;
    r->a = p + texts_at(r->kind);
    r->b = r->a + r->a_bytes;
    for (const unsigned char *q = r->b + r->b_bytes; q < p + wanted; q++)
        if (*q != 0)
            return 0;
    return wanted;
}

void il_event_frame_seal(const struct il_event_info *info, const struct il_event_frame *f,
                         unsigned char *p)
{
    IL_ASSERT(f->offset % FRAME_ALIGN == 0 && f->bytes % FRAME_ALIGN == 0);
    store_u64(p + HEAD_PLACE, info->salt ^ f->offset);
    store_u64(p + HEAD_SYNCED, f->synced);
    store_u64(p + HEAD_BYTES, f->bytes);
    store_u64(p + HEAD_SUM, il_checksum(p + IL_EVENT_FRAME_HEAD,
                                        (size_t)f->bytes - IL_EVENT_FRAME_HEAD));
    store_u64(p + HEAD_SEQ, f->seq);
    store_u64(p + HEAD_TIME, (uint64_t)f->time_ns);
    store_u32(p + HEAD_RECORDS, f->records);
    store_u32(p + HEAD_ZERO, 0);
    store_u64(p, il_checksum(p + 8, IL_EVENT_FRAME_HEAD - 8));
}

/* 1: a sound head of this log stands at p, the bytes at this offset. */
static int head_at(const struct il_event_info *info, const unsigned char *p,
                   uint64_t offset, struct il_event_frame *f)
{
    if (load_u64(p + HEAD_PLACE) != (info->salt ^ offset) ||
        load_u64(p) != il_checksum(p + 8, IL_EVENT_FRAME_HEAD - 8))
        return 0;
    *f = (struct il_event_frame){.offset = offset,
                                 .synced = load_u64(p + HEAD_SYNCED),
                                 .bytes = load_u64(p + HEAD_BYTES),
                                 .seq = load_u64(p + HEAD_SEQ),
                                 .time_ns = (int64_t)load_u64(p + HEAD_TIME),
                                 .records = il_load_u32(p + HEAD_RECORDS)};
    return f->synced <= offset && f->bytes >= IL_EVENT_FRAME_HEAD &&
           f->bytes % FRAME_ALIGN == 0 && il_load_u32(p + HEAD_ZERO) == 0;
}

static enum il_status check_header(const char *name, const unsigned char *p,
                                   struct il_event_info *info, struct il_error *error)
{
    enum il_status status =
        il_check_frame(name, p, IL_EVENT_HEADER_BYTES, IL_EVENT_HEADER_BYTES, EVENT_MAGIC,
                       "event log", VERSION, error);
    if (status == IL_OK)
        status = il_check_zeros(name, p + AT_ZERO, AT_UUID - AT_ZERO, AT_ZERO, error);
    if (status == IL_OK)
        status = il_check_zeros(name, p + AT_ZEROS, IL_EVENT_HEADER_BYTES - 8 - AT_ZEROS,
                                AT_ZEROS, error);
    memcpy(info->uuid, p + AT_UUID, sizeof(info->uuid));
    il_event_salt(info);
    return status;
}

enum il_status il_event_reader_open(struct il_event_reader *out,
                                    const struct il_bytes *bytes, struct il_error *error)
{
    unsigned char p[IL_EVENT_HEADER_BYTES];
    *out = (struct il_event_reader){
        .bytes = *bytes, .next = IL_EVENT_HEADER_BYTES, .synced = IL_EVENT_HEADER_BYTES};
    if (bytes->size < IL_EVENT_HEADER_BYTES)
        return il_fail(error, IL_ECORRUPT,
                       "%s: %" PRIu64 " bytes, wanted at least %u: the file is cut short",
                       bytes->name, bytes->size, IL_EVENT_HEADER_BYTES);
    enum il_status status = il_bytes_read(bytes, 0, p, sizeof(p), error);
    return status == IL_OK ? check_header(bytes->name, p, &out->info, error) : status;
}

void il_event_reader_close(struct il_event_reader *reader)
{
    il_free(reader->buffer);
    *reader = (struct il_event_reader){0};
}

static enum il_status make_room(struct il_event_reader *r, size_t bytes,
                                struct il_error *error)
{
    if (bytes <= r->room)
        return IL_OK;
    size_t room = bytes > SCAN_BYTES ? bytes : SCAN_BYTES;
    il_free(r->buffer);
    r->room = 0;
    r->buffer = il_alloc(room, 1);
    if (!r->buffer)
        return il_fail(error, IL_ENOMEM, "%s: no memory for %zu bytes of it",
                       r->bytes.name, room);
    r->room = room;
    return IL_OK;
}

/* A frame with a right checksum that was made by no writer of this version. */
static enum il_status check_records(struct il_event_reader *r,
                                    const struct il_event_frame *f,
                                    struct il_error *error)
{
    const char *name = r->bytes.name;
    uint64_t events = 0;
    uint32_t records = 0;
    if (f->seq != r->seq)
        return il_fail(error, IL_ECORRUPT,
                       "%s, byte %" PRIu64 ": goes on after event %" PRIu64
                       ", wanted %" PRIu64,
                       name, f->offset + HEAD_SEQ, f->seq, r->seq);
    for (size_t at = 0; at < f->data_bytes; records++) {
        struct il_event_record record;
        size_t bytes = il_event_record_decode(f->data + at, f->data_bytes - at, &record);
        if (bytes == 0)
            return il_fail(error, IL_ECORRUPT,
                           "%s, byte %" PRIu64
                           ": kind %u, wanted a whole record of kind 1 to 6",
                           name, f->offset + IL_EVENT_FRAME_HEAD + at, f->data[at]);
        events += is_event(record.kind) ? 1 : 0;
        at += bytes;
    }
    if (records != f->records)
        return il_fail(error, IL_ECORRUPT,
                       "%s, byte %" PRIu64 ": frame of %" PRIu32
                       " records, wanted the %" PRIu32 " that are in it",
                       name, f->offset + HEAD_RECORDS, f->records, records);
    r->seq += events;
    return IL_OK;
}

enum il_status il_event_reader_next(struct il_event_reader *r,
                                    struct il_event_frame *frame, int *more,
                                    struct il_error *error)
{
    unsigned char head[IL_EVENT_FRAME_HEAD];
    struct il_event_frame f;
    const uint64_t at = r->next;
    *more = 0;
    if (at > r->bytes.size || r->bytes.size - at < IL_EVENT_FRAME_HEAD)
        return IL_OK;
    enum il_status status = il_bytes_read(&r->bytes, at, head, sizeof(head), error);
    if (status != IL_OK || !head_at(&r->info, head, at, &f) ||
        f.bytes > r->bytes.size - at)
        return status;
    f.data_bytes = (size_t)f.bytes - IL_EVENT_FRAME_HEAD;
    status = make_room(r, f.data_bytes, error);
    if (status == IL_OK)
        status = il_bytes_read(&r->bytes, at + IL_EVENT_FRAME_HEAD, r->buffer,
                               f.data_bytes, error);
    if (status != IL_OK ||
        il_checksum(r->buffer, f.data_bytes) != load_u64(head + HEAD_SUM))
        return status;
    f.data = r->buffer;
    status = check_records(r, &f, error);
    if (status != IL_OK)
        return status;
    r->next = at + f.bytes;
    if (f.synced > r->synced)
        r->synced = f.synced;
    *frame = f;
    *more = 1;
    return IL_OK;
}

enum il_status il_event_reader_proof(struct il_event_reader *r, uint64_t *proof,
                                     struct il_error *error)
{
    const uint64_t place = r->next;
    *proof = 0;
    enum il_status status = make_room(r, SCAN_BYTES, error);
    for (uint64_t at = place + FRAME_ALIGN; status == IL_OK;) {
        const uint64_t left = at < r->bytes.size ? r->bytes.size - at : 0;
        const size_t held = left < SCAN_BYTES ? (size_t)left : SCAN_BYTES;
        if (held < IL_EVENT_FRAME_HEAD)
            break;
        status = il_bytes_read(&r->bytes, at, r->buffer, held, error);
        size_t i = 0;
        for (; status == IL_OK && held - i >= IL_EVENT_FRAME_HEAD; i += FRAME_ALIGN) {
            struct il_event_frame f;
            if (head_at(&r->info, r->buffer + i, at + i, &f) && f.synced > place) {
                *proof = at + i;
                return IL_OK;
            }
        }
        at += i;
    }
    return status;
}

enum il_status il_event_damaged(const struct il_event_reader *r, uint64_t proof,
                                struct il_error *error)
{
    return il_fail(error, IL_ECORRUPT,
                   "%s, byte %" PRIu64 ": no sound frame, but the one at byte %" PRIu64
                   " was written when this one was synced",
                   r->bytes.name, r->next, proof);
}
