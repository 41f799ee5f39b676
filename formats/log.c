/* SPDX-License-Identifier: Apache-2.0 */
/* Records of the log of a store. The numbers are those of formats/log.md. */
#include "formats/log.h"

#include "formats/little.h"
#include "src/base/base.h"

#include <inttypes.h>

#define LOG_MAGIC "\x89ILLOG\r\n"
#define VERSION 1u
#define BUFFER_BYTES ((size_t)256 * 1024)

enum { AT_DIM = 12, AT_NUMBER = 16, AT_ZERO = 20, AT_UUID = 24, AT_ZEROS = 40 };
enum {
    REC_PLACE = 8,
    REC_SYNCED = 16,
    REC_BYTES = 24,
    REC_ID_BYTES = 28,
    REC_KIND = 30,
    REC_ZERO = 31,
    REC_HEAD = 32,
    REC_ALIGN = 8
};

void il_log_salt(struct il_log_info *info)
{
    unsigned char text[24];
    memcpy(text, info->uuid, 16);
    store_u32(text + 16, info->number);
    store_u32(text + 20, (uint32_t)info->dim);
    info->salt = il_checksum(text, sizeof(text));
}

void il_log_encode_header(const struct il_log_info *info, unsigned char *out)
{
    memset(out, 0, IL_LOG_HEADER_BYTES);
    store_u64(out, load_u64((const unsigned char *)LOG_MAGIC));
    store_u32(out + 8, VERSION);
    store_u32(out + AT_DIM, (uint32_t)info->dim);
    store_u32(out + AT_NUMBER, info->number);
    memcpy(out + AT_UUID, info->uuid, sizeof(info->uuid));
    store_u64(out + IL_LOG_HEADER_BYTES - 8, il_checksum(out, IL_LOG_HEADER_BYTES - 8));
}

/* Where the row begins: behind the id, at a multiple of 4. */
size_t il_log_row_at(size_t id_bytes)
{
    return (size_t)align_to(REC_HEAD + id_bytes, sizeof(float));
}

size_t il_log_record_bytes(enum il_log_kind kind, size_t id_bytes, size_t dim)
{
    size_t bytes = REC_HEAD + 8;
    if (kind == IL_LOG_PUT)
        bytes = il_log_row_at(id_bytes) + dim * sizeof(float);
    else if (kind == IL_LOG_REMOVE)
        bytes = REC_HEAD + id_bytes;
    return (size_t)align_to(bytes, REC_ALIGN);
}

size_t il_log_record_max(size_t dim)
{
    return il_log_record_bytes(IL_LOG_PUT, IL_ID_BYTES_MAX, dim);
}

void il_log_encode(const struct il_log_info *info, const struct il_log_record *r,
                   unsigned char *out)
{
    const size_t bytes = il_log_record_bytes(r->kind, r->id_bytes, info->dim);
    memset(out, 0, REC_HEAD);
    memset(out + bytes - REC_ALIGN, 0, REC_ALIGN);
    store_u64(out + REC_PLACE, info->salt ^ r->offset);
    store_u64(out + REC_SYNCED, r->synced);
    store_u32(out + REC_BYTES, (uint32_t)bytes);
    out[REC_KIND] = (unsigned char)r->kind;
    if (r->kind == IL_LOG_COMMIT) {
        store_u64(out + REC_HEAD, r->records);
    } else {
        out[REC_ID_BYTES] = (unsigned char)r->id_bytes;
        out[REC_ID_BYTES + 1] = (unsigned char)(r->id_bytes >> 8);
        memcpy(out + REC_HEAD, r->id, r->id_bytes);
    }
    if (r->kind == IL_LOG_PUT) {
        memset(out + REC_HEAD + r->id_bytes, 0,
               il_log_row_at(r->id_bytes) - REC_HEAD - r->id_bytes);
        memcpy(out + il_log_row_at(r->id_bytes), r->row, info->dim * sizeof(float));
    }
    store_u64(out, il_checksum(out + 8, bytes - 8));
}

/* Length of the record that p says begins here; 0 when it cannot. */
static size_t stated_bytes(const struct il_log_info *info, const unsigned char *p,
                           uint64_t offset)
{
    const size_t id_bytes = p[REC_ID_BYTES] | (size_t)p[REC_ID_BYTES + 1] << 8;
    const unsigned kind = p[REC_KIND];
    if (load_u64(p + REC_PLACE) != (info->salt ^ offset) || p[REC_ZERO] != 0 ||
        kind < IL_LOG_PUT || kind > IL_LOG_COMMIT || load_u64(p + REC_SYNCED) > offset)
        return 0;
    if (kind == IL_LOG_COMMIT ? id_bytes != 0
                              : id_bytes < 1 || id_bytes > IL_ID_BYTES_MAX)
        return 0;
    size_t bytes = il_log_record_bytes((enum il_log_kind)kind, id_bytes, info->dim);
    return il_load_u32(p + REC_BYTES) == bytes ? bytes : 0;
}

int il_log_decode(const struct il_log_info *info, const unsigned char *p, size_t bytes,
                  uint64_t offset, struct il_log_record *r)
{
    size_t wanted = bytes >= REC_HEAD ? stated_bytes(info, p, offset) : 0;
    if (wanted == 0 || wanted > bytes || load_u64(p) != il_checksum(p + 8, wanted - 8))
        return 0;
    *r = (struct il_log_record){.kind = (enum il_log_kind)p[REC_KIND],
                                .offset = offset,
                                .synced = load_u64(p + REC_SYNCED),
                                .bytes = wanted,
                                .id_bytes = p[REC_ID_BYTES] | (size_t)p[REC_ID_BYTES + 1]
                                                                  << 8};
    if (r->kind == IL_LOG_COMMIT)
        r->records = load_u64(p + REC_HEAD);
    else
        r->id = p + REC_HEAD;
    if (r->kind == IL_LOG_PUT)
        r->row = p + il_log_row_at(r->id_bytes);
    return 1;
}

static enum il_status check_header(const char *name, const unsigned char *p,
                                   const struct il_log_info *wanted,
                                   struct il_log_info *found, struct il_error *error)
{
    enum il_status status =
        il_check_frame(name, p, IL_LOG_HEADER_BYTES, IL_LOG_HEADER_BYTES, LOG_MAGIC,
                       "log", VERSION, error);
    if (status != IL_OK)
        return status;
    found->dim = il_load_u32(p + AT_DIM);
    found->number = il_load_u32(p + AT_NUMBER);
    memcpy(found->uuid, p + AT_UUID, sizeof(found->uuid));
    if (found->dim < 1 || found->dim > IL_DIM_MAX)
        return il_fail(error, IL_ECORRUPT, "%s, byte %d: row length %zu, wanted 1 to %u",
                       name, AT_DIM, found->dim, IL_DIM_MAX);
    if (wanted && (wanted->dim != found->dim || wanted->number != found->number ||
                   memcmp(wanted->uuid, found->uuid, sizeof(found->uuid)) != 0))
        return il_fail(error, IL_ECORRUPT,
                       "%s, byte %d: log %" PRIu32 " of rows of %zu, wanted %" PRIu32
                       " of %zu of this store",
                       name, AT_DIM, found->number, found->dim, wanted->number,
                       wanted->dim);
    status = il_check_zeros(name, p + AT_ZERO, AT_UUID - AT_ZERO, AT_ZERO, error);
    if (status == IL_OK)
        status = il_check_zeros(name, p + AT_ZEROS, IL_LOG_HEADER_BYTES - 8 - AT_ZEROS,
                                AT_ZEROS, error);
    return status;
}

enum il_status il_log_open(struct il_log_reader *out, const struct il_bytes *bytes,
                           const struct il_log_info *wanted, struct il_error *error)
{
    unsigned char p[IL_LOG_HEADER_BYTES];
    *out = (struct il_log_reader){.bytes = *bytes, .next = IL_LOG_HEADER_BYTES};
    if (bytes->size < IL_LOG_HEADER_BYTES)
        return il_fail(error, IL_ECORRUPT,
                       "%s: %" PRIu64 " bytes, wanted at least %u: the file is cut short",
                       bytes->name, bytes->size, IL_LOG_HEADER_BYTES);
    enum il_status status = il_bytes_read(bytes, 0, p, sizeof(p), error);
    if (status == IL_OK)
        status = check_header(bytes->name, p, wanted, &out->info, error);
    if (status != IL_OK)
        return status;
    il_log_salt(&out->info);
    /* A record, and so much that it is seldom moved; never more than the file. */
    size_t most = il_log_record_max(out->info.dim);
    out->room = most > BUFFER_BYTES ? most : BUFFER_BYTES;
    if (out->room > bytes->size)
        out->room = (size_t)bytes->size;
    out->buffer = il_alloc(out->room, 1);
    if (!out->buffer)
        return il_fail(error, IL_ENOMEM, "%s: no memory to read it", bytes->name);
    return IL_OK;
}

void il_log_close(struct il_log_reader *reader)
{
    il_free(reader->buffer);
    *reader = (struct il_log_reader){0};
}

/* The bytes at an offset, `bytes` or up to the end of the file; *held receives how many
   there are. bytes <= room. */
static enum il_status look(struct il_log_reader *r, uint64_t offset, size_t bytes,
                           const unsigned char **p, size_t *held, struct il_error *error)
{
    uint64_t left = offset < r->bytes.size ? r->bytes.size - offset : 0;
    if (bytes > left)
        bytes = (size_t)left;
    if (offset < r->from || offset - r->from > r->held ||
        bytes > r->held - (size_t)(offset - r->from)) {
        size_t wanted = left < r->room ? (size_t)left : r->room;
        r->held = 0;
        enum il_status status =
            il_bytes_read(&r->bytes, offset, r->buffer, wanted, error);
        if (status != IL_OK)
            return status;
        r->from = offset;
        r->held = wanted;
    }
    *p = r->buffer + (size_t)(offset - r->from);
    *held = r->held - (size_t)(offset - r->from);
    return IL_OK;
}

/* Is there a record at this place? */
static enum il_status record_at(struct il_log_reader *r, uint64_t offset,
                                struct il_log_record *record, int *more,
                                struct il_error *error)
{
    const unsigned char *p = NULL;
    size_t held = 0;
    *more = 0;
    enum il_status status = look(r, offset, REC_HEAD, &p, &held, error);
    if (status != IL_OK || held < REC_HEAD)
        return status;
    size_t bytes = stated_bytes(&r->info, p, offset);
    if (bytes == 0 || bytes > r->bytes.size - offset)
        return IL_OK;
    status = look(r, offset, bytes, &p, &held, error);
    if (status == IL_OK)
        *more = il_log_decode(&r->info, p, held, offset, record);
    return status;
}

enum il_status il_log_next(struct il_log_reader *r, struct il_log_record *record,
                           int *more, struct il_error *error)
{
    enum il_status status = record_at(r, r->next, record, more, error);
    if (status == IL_OK && *more)
        r->next += record->bytes;
    return status;
}

/* Looks behind a place where no record begins for one that says the place was synced. */
static enum il_status was_synced(struct il_log_reader *r, uint64_t place, uint64_t *proof,
                                 struct il_error *error)
{
    enum il_status status = IL_OK;
    *proof = 0;
    for (uint64_t at = place + REC_ALIGN; at < r->bytes.size; at += REC_ALIGN) {
        struct il_log_record record;
        int more = 0;
        status = record_at(r, at, &record, &more, error);
        if (status != IL_OK)
            return status;
        if (more && record.synced > place) {
            *proof = at;
            return IL_OK;
        }
    }
    return IL_OK;
}

enum il_status il_log_check(struct il_log_reader *r, uint64_t synced, uint64_t *end,
                            uint64_t *rows, struct il_error *error)
{
    const char *name = r->bytes.name;
    struct il_log_record record;
    uint64_t since = 0, proof = 0;
    int more = 1;
    *end = IL_LOG_HEADER_BYTES;
    *rows = 0;
    r->next = IL_LOG_HEADER_BYTES;
    for (;;) {
        enum il_status status = il_log_next(r, &record, &more, error);
        if (status != IL_OK)
            return status;
        if (!more)
            break;
        since++;
        if (record.kind != IL_LOG_COMMIT)
            continue;
        if (record.records != since - 1) {
            r->next = IL_LOG_HEADER_BYTES;
            return il_fail(error, IL_ECORRUPT,
                           "%s, byte %" PRIu64 ": commit of %" PRIu64
                           " records, wanted %" PRIu64,
                           name, record.offset, record.records, since - 1);
        }
        *end = r->next;
        *rows += record.records;
        since = 0;
    }
    const uint64_t stop = r->next;
    r->next = IL_LOG_HEADER_BYTES;
    if (*end < synced)
        return il_fail(error, IL_ECORRUPT,
                       "%s, byte %" PRIu64
                       ": no sound record, wanted whole commits up to byte %" PRIu64,
                       name, stop, synced);
    enum il_status status = was_synced(r, stop, &proof, error);
    if (status == IL_OK && proof > 0)
        return il_fail(error, IL_ECORRUPT,
                       "%s, byte %" PRIu64 ": no sound record, but one at byte %" PRIu64
                       " was written when this one was synced",
                       name, stop, proof);
    return status;
}
