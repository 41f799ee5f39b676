/* SPDX-License-Identifier: Apache-2.0 */
/* Frames of the log of a state: what is written is golden, what is no frame is refused.
 */
#include "formats/event_frame.h"
#include "formats/little.h"
#include "tests/unit/unit.h"

#define GOLDEN "tests/data/stream/events.hex"

/* A log in memory. */
struct made {
    struct il_event_info info;
    unsigned char data[2048];
    size_t size, at; /* at: of the frame in the making */
    uint64_t seq, synced;
};

static struct made make(void)
{
    struct made m = {.size = IL_EVENT_HEADER_BYTES, .synced = IL_EVENT_HEADER_BYTES};
    memset(m.info.uuid, 0xaa, sizeof(m.info.uuid));
    il_event_salt(&m.info);
    il_event_encode_header(&m.info, m.data);
    return m;
}

static void begin(struct made *m)
{
    m->at = m->size;
    m->size += IL_EVENT_FRAME_HEAD;
}

static void add(struct made *m, const struct il_event_record *r)
{
    size_t bytes = il_event_record_bytes(r->kind, r->a_bytes, r->b_bytes);
    assert_true(bytes > 0 && bytes % 8 == 0 && m->size + bytes < sizeof(m->data));
    memset(m->data + m->size, 0x55, bytes);
    il_event_record_encode(r, m->data + m->size);
    m->size += bytes;
}

/* Ends the frame; it holds so many records, so many of them events. */
static void seal(struct made *m, uint32_t records, uint64_t events)
{
    const struct il_event_frame f = {.offset = m->at,
                                     .synced = m->synced,
                                     .bytes = m->size - m->at,
                                     .seq = m->seq,
                                     .time_ns = 1700000000000000000 + (int64_t)m->seq,
                                     .records = records};
    il_event_frame_seal(&m->info, &f, m->data + m->at);
    m->seq += events;
    m->synced = m->size;
}

static struct il_event_record record(enum il_event_record_kind kind, const char *a,
                                     const char *b)
{
    return (struct il_event_record){.kind = kind,
                                    .origin = IL_ORIGIN_LINK,
                                    .round = 2,
                                    .posterior = 0.75,
                                    .a = (const unsigned char *)a,
                                    .a_bytes = strlen(a),
                                    .b = (const unsigned char *)b,
                                    .b_bytes = strlen(b)};
}

static struct made golden(void)
{
    struct made m = make();
    struct il_event_record r;
    begin(&m);
    r = record(IL_RECORD_SEED, "a-1", "b-1");
    add(&m, &r);
    r = record(IL_RECORD_NOTE, "isolink.seed", "\1\1\1\1\1\1\1\1");
    add(&m, &r);
    seal(&m, 2, 0);
    begin(&m);
    r = (struct il_event_record){.kind = IL_RECORD_ROUND, .round = 2};
    add(&m, &r);
    r = record(IL_RECORD_LINK, "a-22", "b-7");
    add(&m, &r);
    r = record(IL_RECORD_RETRACT, "a-1", "b-1");
    r.origin = IL_ORIGIN_SEED;
    r.posterior = 1;
    add(&m, &r);
    r = record(IL_RECORD_NOTE, "gone", "");
    add(&m, &r);
    seal(&m, 4, 2);
    begin(&m);
    seal(&m, 0, 0);
    return m;
}

static void what_is_written_is_golden(void **state)
{
    (void)state;
    static const unsigned char zeros[16];
    static char found[8192];
    struct made m = golden();
    char *at = found;
    at += snprintf(at, 32, "bytes %zu\n", m.size);
    for (size_t i = 0; i < m.size; i += 16) {
        size_t line = m.size - i < 16 ? m.size - i : 16;
        if (memcmp(m.data + i, zeros, line) == 0)
            continue;
        at += snprintf(at, 16, "%08zx ", i);
        for (size_t j = 0; j < line; j++)
            at += snprintf(at, 8, " %02x", m.data[i + j]);
        *at++ = '\n';
    }
    char *wanted = unit_get(GOLDEN, NULL);
    if (!wanted || strcmp(found, wanted) != 0)
        fail_msg(GOLDEN " differs; written:\n%s", found);
    /* The same stands in the specification. */
    char *text = unit_get("formats/events.md", NULL), line[128];
    assert_non_null(text);
    for (const char *p = wanted; *p; p += strlen(line) - 4) {
        snprintf(line, sizeof(line), "    %.*s\n", (int)strcspn(p, "\n"), p);
        if (!strstr(text, line))
            fail_msg("formats/events.md lacks %s", line);
    }
    free(text);
    free(wanted);
}

static enum il_status open_made(struct il_event_reader *r, const struct made *m,
                                struct il_error *error)
{
    struct il_bytes bytes = {.name = "events.log", .size = m->size, .memory = m->data};
    return il_event_reader_open(r, &bytes, error);
}

/* Reads to the end, and judges it; counts frames. */
static enum il_status read_made(const struct made *m, size_t *frames, uint64_t *seq,
                                struct il_error *error)
{
    struct il_event_reader r = {0};
    struct il_event_frame frame;
    uint64_t proof = 0;
    int more = 1;
    *frames = 0;
    error->text[0] = 0;
    enum il_status status = open_made(&r, m, error);
    while (status == IL_OK && more) {
        status = il_event_reader_next(&r, &frame, &more, error);
        *frames += status == IL_OK && more;
    }
    if (status == IL_OK)
        status = il_event_reader_proof(&r, &proof, error);
    if (status == IL_OK && proof > 0)
        status = il_event_damaged(&r, proof, error);
    *seq = r.seq;
    il_event_reader_close(&r);
    return status;
}

static void frames_come_back(void **state)
{
    (void)state;
    struct made m = golden();
    struct il_error error = {{0}};
    struct il_event_reader r = {0};
    struct il_event_frame f;
    struct il_event_record record;
    int more = 0;
    assert_int_equal(open_made(&r, &m, &error), IL_OK);
    assert_int_equal(il_event_reader_next(&r, &f, &more, &error), IL_OK);
    assert_true(more && f.seq == 0 && f.records == 2 && f.synced == 64);
    size_t at = il_event_record_decode(f.data, f.data_bytes, &record);
    assert_true(at > 0 && record.kind == IL_RECORD_SEED && record.a_bytes == 3);
    assert_memory_equal(record.b, "b-1", 3);
    at += il_event_record_decode(f.data + at, f.data_bytes - at, &record);
    assert_int_equal(at, f.data_bytes);
    assert_true(record.kind == IL_RECORD_NOTE && record.b_bytes == 8);
    assert_int_equal(il_event_reader_next(&r, &f, &more, &error), IL_OK);
    assert_true(more && f.seq == 0 && f.records == 4);
    assert_true(f.time_ns == 1700000000000000000);
    at = il_event_record_decode(f.data, f.data_bytes, &record);
    assert_true(record.kind == IL_RECORD_ROUND && record.round == 2);
    at += il_event_record_decode(f.data + at, f.data_bytes - at, &record);
    assert_true(record.kind == IL_RECORD_LINK && record.round == 2);
    assert_true(record.origin == IL_ORIGIN_LINK && record.posterior == 0.75);
    assert_memory_equal(record.a, "a-22b-7", 7);
    assert_int_equal(il_event_reader_next(&r, &f, &more, &error), IL_OK);
    assert_true(more && f.seq == 2 && f.records == 0 && f.synced == f.offset);
    assert_int_equal(il_event_reader_next(&r, &f, &more, &error), IL_OK);
    assert_int_equal(more, 0);
    assert_int_equal(r.seq, 2);
    il_event_reader_close(&r);
}

/* Pinned: it is the same in all versions. */
static void link_ids_are_pinned(void **state)
{
    (void)state;
    assert_true(il_event_link_id("a", 1, "b", 1) == il_checksum("a\0b", 3));
    assert_true(il_event_link_id("ab", 2, "c", 1) != il_event_link_id("a", 1, "bc", 2));
    char hex[32];
    snprintf(hex, sizeof(hex), "%016llx",
             (unsigned long long)il_event_link_id("a-1", 3, "b-1", 3));
    char *text = unit_get("formats/events.md", NULL);
    assert_non_null(text);
    if (!strstr(text, hex))
        fail_msg("formats/events.md lacks %s", hex);
    free(text);
}

/* Cut at each length: the frames before the cut are there. */
static void a_log_cut_anywhere(void **state)
{
    (void)state;
    struct made whole = golden(), m = whole;
    struct il_error error;
    size_t frames = 0;
    uint64_t seq = 0;
    assert_int_equal(read_made(&whole, &frames, &seq, &error), IL_OK);
    assert_int_equal(frames, 3);
    for (m.size = 0; m.size < whole.size; m.size++) {
        enum il_status status = read_made(&m, &frames, &seq, &error);
        assert_int_equal(status, m.size < 64 ? IL_ECORRUPT : IL_OK);
        assert_true(frames < 3 && (status == IL_OK || error.text[0]));
        if (m.size >= whole.size - 64)
            assert_true(frames == 2 && seq == 2);
    }
}

/* Any bit of a log that was closed: found; one of its last frame, which holds nothing,
   makes a tail of it. */
static void a_bit_anywhere(void **state)
{
    (void)state;
    struct made m = golden();
    struct il_error error;
    for (size_t bit = 0; bit < 8 * m.size; bit++) {
        size_t frames = 0;
        uint64_t seq = 0;
        m.data[bit / 8] ^= (unsigned char)(1u << (bit % 8));
        enum il_status status = read_made(&m, &frames, &seq, &error);
        if (bit / 8 >= m.size - 64)
            assert_true(status == IL_OK && frames == 2 && seq == 2);
        else if (status != IL_ECORRUPT && !(bit < 64 && status == IL_EFORMAT))
            fail_msg("bit %zu: status %d", bit, (int)status);
        m.data[bit / 8] ^= (unsigned char)(1u << (bit % 8));
    }
}

/* Frames with right checksums that no writer makes. */
static void impossible_frames(void **state)
{
    (void)state;
    struct il_error error;
    struct il_event_record r = record(IL_RECORD_LINK, "a", "b");
    size_t frames = 0;
    uint64_t seq = 0;
    struct made m = make();
    begin(&m);
    add(&m, &r);
    seal(&m, 2, 1);
    assert_int_equal(read_made(&m, &frames, &seq, &error), IL_ECORRUPT);
    unit_says(&error, "events.log, byte 120: frame of 2 records, wanted the 1");
    m = make();
    m.seq = 3;
    begin(&m);
    add(&m, &r);
    seal(&m, 1, 1);
    assert_int_equal(read_made(&m, &frames, &seq, &error), IL_ECORRUPT);
    unit_says(&error, "byte 104: goes on after event 3, wanted 0");
    static const struct {
        size_t at;
        unsigned char value;
    } wrong[] = {{0, 0}, {0, 7}, {1, 2}, {2, 0}, {3, 9}, {6, 1}, {15, 0x7f}, {23, 1}};
    for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
        m = make();
        begin(&m);
        add(&m, &r);
        m.data[128 + wrong[i].at] = wrong[i].value;
        seal(&m, 1, 1);
        if (read_made(&m, &frames, &seq, &error) != IL_ECORRUPT)
            fail_msg("byte %zu of a record may be %u", wrong[i].at, wrong[i].value);
        unit_says(&error, "byte 128: kind");
    }
    m = make();
    m.data[8] = 2;
    store_u64(m.data + 56, il_checksum(m.data, 56));
    assert_int_equal(read_made(&m, &frames, &seq, &error), IL_EVERSION);
    unit_says(&error, "event log version 2, wanted at most 1");
}

/* A frame of another log, or from another place of this one, is none. */
static void strangers_are_no_frames(void **state)
{
    (void)state;
    struct made m = make(), other = make();
    struct il_error error;
    struct il_event_record r = record(IL_RECORD_LINK, "a", "b");
    size_t frames = 0;
    uint64_t seq = 0;
    memset(other.info.uuid, 1, sizeof(other.info.uuid));
    il_event_salt(&other.info);
    begin(&other);
    add(&other, &r);
    seal(&other, 1, 1);
    memcpy(m.data + 64, other.data + 64, other.size - 64);
    m.size = other.size;
    assert_int_equal(read_made(&m, &frames, &seq, &error), IL_OK);
    assert_int_equal(frames, 0);
    m = make();
    begin(&m);
    add(&m, &r);
    seal(&m, 1, 1);
    memcpy(m.data + m.size, m.data + 64, m.size - 64);
    m.size += m.size - 64;
    assert_int_equal(read_made(&m, &frames, &seq, &error), IL_OK);
    assert_int_equal(frames, 1);
}

static void records_that_cannot_be(void **state)
{
    (void)state;
    assert_int_equal(il_event_record_bytes(IL_RECORD_LINK, 0, 1), 0);
    assert_int_equal(il_event_record_bytes(IL_RECORD_LINK, 1, 1025), 0);
    assert_int_equal(il_event_record_bytes(IL_RECORD_LINK, 1024, 1024), 2072);
    assert_int_equal(il_event_record_bytes(IL_RECORD_NOTE, 256, 0), 0);
    assert_int_equal(il_event_record_bytes(IL_RECORD_NOTE, 255, 4097), 0);
    assert_int_equal(il_event_record_bytes(IL_RECORD_NOTE, 8, 4096), 4112);
    assert_int_equal(il_event_record_bytes((enum il_event_record_kind)9, 1, 1), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_written_is_golden),
        cmocka_unit_test(frames_come_back),
        cmocka_unit_test(link_ids_are_pinned),
        cmocka_unit_test(a_log_cut_anywhere),
        cmocka_unit_test(a_bit_anywhere),
        cmocka_unit_test(impossible_frames),
        cmocka_unit_test(strangers_are_no_frames),
        cmocka_unit_test(records_that_cannot_be),
    };
    return cmocka_run_group_tests(tests, unit_setup, unit_teardown);
}
