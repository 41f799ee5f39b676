/* SPDX-License-Identifier: Apache-2.0 */
#include "formats/log.h"
#include "formats/little.h"
#include "tests/unit/unit.h"

/* A log in memory; the block is of exactly the size. */
struct made {
    struct il_log_info info;
    unsigned char *data;
    size_t size;
};

static void add_bytes(struct made *m, const void *data, size_t bytes)
{
    m->data = realloc(m->data, m->size + bytes);
    assert_non_null(m->data);
    memcpy(m->data + m->size, data, bytes);
    m->size += bytes;
}

static void add(struct made *m, enum il_log_kind kind, const char *id, float x,
                uint64_t records, uint64_t synced)
{
    unsigned char out[256];
    float row[3] = {x, 1, 2};
    struct il_log_record r = {.kind = kind,
                              .offset = m->size,
                              .synced = synced,
                              .id = (const unsigned char *)id,
                              .id_bytes = id ? strlen(id) : 0,
                              .row = (const unsigned char *)row,
                              .records = records};
    memset(out, 0x55, sizeof(out));
    il_log_encode(&m->info, &r, out);
    add_bytes(m, out, il_log_record_bytes(kind, r.id_bytes, 3));
}

static struct made make(void)
{
    struct made m = {.info = {.number = 3, .dim = 3}};
    unsigned char header[IL_LOG_HEADER_BYTES];
    memset(m.info.uuid, 7, sizeof(m.info.uuid));
    il_log_salt(&m.info);
    il_log_encode_header(&m.info, header);
    add_bytes(&m, header, sizeof(header));
    return m;
}

static enum il_status check(const struct made *m, uint64_t synced, uint64_t *end,
                            uint64_t *records, struct il_error *error)
{
    struct il_bytes bytes = {.name = "t.log", .size = m->size, .memory = m->data};
    struct il_log_reader r = {0};
    *end = *records = 0;
    enum il_status status = il_log_open(&r, &bytes, &m->info, error);
    if (status == IL_OK)
        status = il_log_check(&r, synced, end, records, error);
    il_log_close(&r);
    return status;
}

/* Puts of ids of all lengths up to the alignment come back as they were. */
static void records_come_back(void **state)
{
    (void)state;
    struct made m = make();
    struct il_error error = {{0}};
    const char *ids[] = {"a", "ab", "abc", "abcd", "abcde", "abcdef", "abcdefg"};
    for (size_t i = 0; i < 7; i++)
        add(&m, i % 3 == 2 ? IL_LOG_REMOVE : IL_LOG_PUT, ids[i], (float)i, 0, 64);
    add(&m, IL_LOG_COMMIT, NULL, 0, 7, 64);
    struct il_bytes bytes = {.name = "t.log", .size = m.size, .memory = m.data};
    struct il_log_reader r;
    struct il_log_record record;
    int more = 0;
    assert_int_equal(il_log_open(&r, &bytes, NULL, &error), IL_OK);
    for (size_t i = 0; i < 7; i++) {
        assert_int_equal(il_log_next(&r, &record, &more, &error), IL_OK);
        assert_int_equal(more, 1);
        assert_int_equal(record.kind, i % 3 == 2 ? IL_LOG_REMOVE : IL_LOG_PUT);
        assert_int_equal(record.id_bytes, i + 1);
        assert_memory_equal(record.id, ids[i], i + 1);
        assert_int_equal(record.bytes % 8, 0);
        if (record.kind == IL_LOG_PUT)
            assert_true(load_f32(record.row) == (float)i);
        else
            assert_null(record.row);
    }
    assert_int_equal(il_log_next(&r, &record, &more, &error), IL_OK);
    assert_int_equal(record.kind, IL_LOG_COMMIT);
    assert_int_equal(record.records, 7);
    assert_int_equal(il_log_next(&r, &record, &more, &error), IL_OK);
    assert_int_equal(more, 0);
    il_log_close(&r);
    free(m.data);
}

static void only_whole_commits_count(void **state)
{
    (void)state;
    struct made m = make();
    struct il_error error = {{0}};
    uint64_t end = 0, records = 0;
    add(&m, IL_LOG_PUT, "a", 1, 0, 64);
    assert_int_equal(check(&m, 64, &end, &records, &error), IL_OK);
    assert_int_equal(end, 64);
    assert_int_equal(records, 0);
    add(&m, IL_LOG_COMMIT, NULL, 0, 1, 64);
    const uint64_t whole = m.size;
    add(&m, IL_LOG_PUT, "b", 1, 0, whole);
    assert_int_equal(check(&m, whole, &end, &records, &error), IL_OK);
    assert_int_equal(end, whole);
    assert_int_equal(records, 1);
    /* The manifest knows of more. */
    assert_int_equal(check(&m, whole + 8, &end, &records, &error), IL_ECORRUPT);
    unit_says(&error, "wanted whole commits up to byte");
    free(m.data);
}

/* Cut at each length: what was committed before the cut is there. */
static void a_log_cut_anywhere(void **state)
{
    (void)state;
    struct made m = make();
    struct il_error error = {{0}};
    uint64_t ends[4] = {64}, end = 0, records = 0;
    for (uint64_t i = 1; i < 4; i++) {
        add(&m, IL_LOG_PUT, "id", 1, 0, ends[i - 1]);
        add(&m, IL_LOG_COMMIT, NULL, 0, 1, ends[i - 1]);
        ends[i] = m.size;
    }
    const size_t all = m.size;
    for (size_t size = 0; size <= all; size++) {
        struct made cut = m;
        cut.data = malloc(size + !size);
        memcpy(cut.data, m.data, size);
        cut.size = size;
        enum il_status status = check(&cut, 64, &end, &records, &error);
        assert_int_equal(status, size < 64 ? IL_ECORRUPT : IL_OK);
        for (uint64_t i = 0; status == IL_OK && i < 4; i++)
            if (ends[i] <= size)
                assert_true(end >= ends[i] && records >= i);
        if (status == IL_OK)
            assert_true(end <= size);
        free(cut.data);
    }
    free(m.data);
}

/* Any bit of what was synced: found, by what came after it. A bit of the last commit
   makes a tail of it. */
static void a_bit_anywhere(void **state)
{
    (void)state;
    struct made m = make();
    struct il_error error = {{0}};
    uint64_t ends[4] = {64}, end = 0, records = 0;
    for (uint64_t i = 1; i < 4; i++) {
        add(&m, IL_LOG_PUT, "id", 1, 0, ends[i - 1]);
        add(&m, IL_LOG_COMMIT, NULL, 0, 1, ends[i - 1]);
        ends[i] = m.size;
    }
    for (size_t bit = 0; bit < 8 * m.size; bit++) {
        m.data[bit / 8] ^= (unsigned char)(1u << (bit % 8));
        enum il_status status = check(&m, 64, &end, &records, &error);
        if (bit / 8 < ends[2])
            assert_true(status == IL_ECORRUPT || (bit < 64 && status == IL_EFORMAT));
        else
            assert_int_equal(status, IL_OK);
        if (bit / 8 >= ends[2])
            assert_int_equal(end, ends[2]);
        assert_true(status == IL_OK || error.text[0]);
        /* With what the manifest says it is damage too. */
        assert_int_not_equal(check(&m, m.size, &end, &records, &error), IL_OK);
        m.data[bit / 8] ^= (unsigned char)(1u << (bit % 8));
    }
    free(m.data);
}

/* Records of another log, or of another place of this one, are none. */
static void strangers_are_no_records(void **state)
{
    (void)state;
    struct made m = make(), other = make();
    struct il_error error = {{0}};
    uint64_t end = 0, records = 0;
    other.info.number = 4;
    il_log_salt(&other.info);
    add(&other, IL_LOG_PUT, "x", 1, 0, 64);
    add(&other, IL_LOG_COMMIT, NULL, 0, 1, 64);
    add_bytes(&m, other.data + 64, other.size - 64);
    assert_int_equal(check(&m, 64, &end, &records, &error), IL_OK);
    assert_int_equal(end, 64);
    m.size = 64;
    add(&m, IL_LOG_PUT, "x", 1, 0, 64);
    add(&m, IL_LOG_COMMIT, NULL, 0, 1, 64);
    const size_t whole = m.size;
    unsigned char *copy = malloc(whole);
    memcpy(copy, m.data, whole);
    add_bytes(&m, copy + 64, whole - 64);
    free(copy);
    assert_int_equal(check(&m, whole, &end, &records, &error), IL_OK);
    assert_int_equal(end, whole);
    m.info.dim = 4;
    assert_int_equal(check(&m, whole, &end, &records, &error), IL_ECORRUPT);
    unit_says(&error, "t.log, byte 12: log 3 of rows of 3, wanted 3 of 4");
    free(m.data);
    free(other.data);
}

static void a_newer_version_is_told(void **state)
{
    (void)state;
    struct made m = make();
    struct il_error error = {{0}};
    uint64_t end = 0, records = 0;
    m.data[8] = 2;
    store_u64(m.data + 56, il_checksum(m.data, 56));
    assert_int_equal(check(&m, 64, &end, &records, &error), IL_EVERSION);
    unit_says(&error, "log version 2, wanted at most 1: it was written by a newer");
    free(m.data);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(records_come_back),
        cmocka_unit_test(only_whole_commits_count),
        cmocka_unit_test(a_log_cut_anywhere),
        cmocka_unit_test(a_bit_anywhere),
        cmocka_unit_test(strangers_are_no_records),
        cmocka_unit_test(a_newer_version_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
