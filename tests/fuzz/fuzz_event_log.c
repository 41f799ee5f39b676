/* SPDX-License-Identifier: Apache-2.0 */
/* The first byte's bit 0: header and all frames, as far as their lengths lead, get
   places, checksums and a seq that are right. The rest is the log. */
#include <string.h>

#include "formats/event_frame.h"
#include "formats/little.h"
#include "tests/fuzz/fuzz.h"

/* Events among the records, as far as they are sound. */
static uint64_t count_events(const unsigned char *p, size_t bytes)
{
    uint64_t events = 0;
    struct il_event_record r;
    for (size_t at = 0, length = 1; at < bytes && length > 0; at += length) {
        length = il_event_record_decode(p + at, bytes - at, &r);
        events += length > 0 && r.kind <= IL_RECORD_RETRACT;
    }
    return events;
}

static void reseal(unsigned char *p, size_t bytes)
{
    struct il_event_info info;
    uint64_t seq = 0;
    if (bytes < IL_EVENT_HEADER_BYTES)
        return;
    store_u64(p + 56, il_checksum(p, 56));
    memcpy(info.uuid, p + 16, sizeof(info.uuid));
    il_event_salt(&info);
    for (size_t at = IL_EVENT_HEADER_BYTES; bytes - at >= IL_EVENT_FRAME_HEAD;) {
        struct il_event_frame f = {.offset = at,
                                   .synced = load_u64(p + at + 16),
                                   .bytes = load_u64(p + at + 24),
                                   .seq = seq,
                                   .records = il_load_u32(p + at + 56)};
        if (f.bytes < IL_EVENT_FRAME_HEAD || f.bytes % 8 != 0 || f.bytes > bytes - at)
            break;
        il_event_frame_seal(&info, &f, p + at);
        seq += count_events(p + at + IL_EVENT_FRAME_HEAD,
                            (size_t)f.bytes - IL_EVENT_FRAME_HEAD);
        at += (size_t)f.bytes;
    }
}

/* Every byte of a frame is there to be read, and its records are sound. */
static void use(const struct il_event_frame *f, const struct il_event_reader *r)
{
    size_t zeros = 0, texts = 0;
    uint32_t records = 0;
    FUZZ_CHECK(f->offset + f->bytes == r->next && r->next % 8 == 0);
    FUZZ_CHECK(f->synced <= f->offset && r->next <= r->bytes.size);
    for (size_t at = 0; at < f->data_bytes; records++) {
        struct il_event_record e;
        size_t length = il_event_record_decode(f->data + at, f->data_bytes - at, &e);
        FUZZ_CHECK(length > 0 && length <= f->data_bytes - at);
        for (size_t i = 0; i < e.a_bytes; i++)
            zeros += e.a[i] == 0;
        for (size_t i = 0; i < e.b_bytes; i++)
            zeros += e.b[i] == 0;
        texts += e.a_bytes + e.b_bytes;
        at += length;
    }
    FUZZ_CHECK(zeros <= texts && records == f->records);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct il_error error = {{0}};
    struct il_event_reader r;
    struct il_event_frame f;
    uint64_t proof = 0;
    int more = 1;
    if (size < 1)
        return 0;
    const size_t bytes = size - 1;
    unsigned char *p = malloc(bytes + !bytes);
    FUZZ_CHECK(p != NULL);
    memcpy(p, data + 1, bytes);
    if (data[0] & 1)
        reseal(p, bytes);
    struct il_bytes in = {.name = "events.log", .size = bytes, .memory = p};
    enum il_status status = il_event_reader_open(&r, &in, &error);
    while (status == IL_OK && more) {
        status = il_event_reader_next(&r, &f, &more, &error);
        if (status == IL_OK && more)
            use(&f, &r);
    }
    if (status == IL_OK)
        status = il_event_reader_proof(&r, &proof, &error);
    if (status == IL_OK && proof > 0) {
        FUZZ_CHECK(proof > r.next && proof < bytes);
        status = il_event_damaged(&r, proof, &error);
    }
    if (status != IL_OK) {
        FUZZ_CHECK(error.text[0] && memchr(error.text, 0, sizeof(error.text)));
        FUZZ_CHECK(status == IL_ECORRUPT || status == IL_EFORMAT ||
                   status == IL_EVERSION);
    }
    il_event_reader_close(&r);
    free(p);
    return 0;
}
