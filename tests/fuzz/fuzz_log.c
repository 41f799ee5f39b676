/* SPDX-License-Identifier: Apache-2.0 */
/* The first byte's bit 0: header and all records, as far as their lengths lead, get
   places and checksums that are right; the second: bytes of it that must be committed, in
   units of 8. The rest is the log. */
#include <string.h>

#include "formats/little.h"
#include "formats/log.h"
#include "tests/fuzz/fuzz.h"

static void reseal(unsigned char *p, size_t bytes)
{
    struct il_log_info info = {0};
    if (bytes < IL_LOG_HEADER_BYTES)
        return;
    store_u64(p + 56, il_checksum(p, 56));
    info.dim = il_load_u32(p + 12);
    info.number = il_load_u32(p + 16);
    memcpy(info.uuid, p + 24, sizeof(info.uuid));
    il_log_salt(&info);
    for (size_t at = IL_LOG_HEADER_BYTES; bytes - at >= 32;) {
        size_t length = il_load_u32(p + at + 24);
        if (length < 32 || length > bytes - at)
            break;
        store_u64(p + at + 8, info.salt ^ at);
        store_u64(p + at, il_checksum(p + at + 8, length - 8));
        at += length;
    }
}

/* Every record up to the end that was found is there, whole. */
static void use(struct il_log_reader *r, uint64_t end, uint64_t records)
{
    struct il_error error = {{0}};
    uint64_t seen = 0;
    while (r->next < end) {
        struct il_log_record record;
        int more = 0;
        FUZZ_CHECK(il_log_next(r, &record, &more, &error) == IL_OK && more);
        FUZZ_CHECK(record.offset + record.bytes == r->next && r->next % 8 == 0);
        FUZZ_CHECK(record.synced <= record.offset);
        if (record.kind == IL_LOG_COMMIT)
            continue;
        FUZZ_CHECK(record.id_bytes >= 1 && record.id_bytes <= IL_ID_BYTES_MAX);
        seen++;
        /* Every byte is there to be read. */
        size_t zeros = 0, row = record.kind == IL_LOG_PUT ? r->info.dim * 4 : 0;
        for (size_t i = 0; i < record.id_bytes; i++)
            zeros += record.id[i] == 0;
        for (size_t i = 0; i < row; i++)
            zeros += record.row[i] == 0;
        FUZZ_CHECK(zeros <= record.id_bytes + row);
    }
    FUZZ_CHECK(r->next == end && seen == records);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct il_error error = {{0}};
    struct il_log_reader r;
    uint64_t end = 0, records = 0;
    if (size < 2)
        return 0;
    size_t bytes = size - 2;
    unsigned char *p = malloc(bytes + !bytes);
    FUZZ_CHECK(p != NULL);
    memcpy(p, data + 2, bytes);
    if (data[0] & 1)
        reseal(p, bytes);
    struct il_bytes in = {.name = "x.log", .size = bytes, .memory = p};
    enum il_status status = il_log_open(&r, &in, NULL, &error);
    if (status == IL_OK) {
        status = il_log_check(&r, (uint64_t)data[1] * 8, &end, &records, &error);
        FUZZ_CHECK(end >= IL_LOG_HEADER_BYTES && end <= bytes);
        use(&r, end, records);
    }
    if (status != IL_OK) {
        FUZZ_CHECK(error.text[0] && memchr(error.text, 0, sizeof(error.text)));
        FUZZ_CHECK(status == IL_ECORRUPT || status == IL_EFORMAT ||
                   status == IL_EVERSION);
    }
    il_log_close(&r);
    free(p);
    return 0;
}
