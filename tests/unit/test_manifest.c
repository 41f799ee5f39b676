/* SPDX-License-Identifier: Apache-2.0 */
#include "formats/manifest.h"
#include "formats/little.h"
#include "tests/unit/unit.h"

enum { BYTES = 384 + 2 * 40 + 8 };

static void make(unsigned char *out)
{
    struct il_manifest_segment segments[2] = {
        {.number = 2, .rows = 3, .seal = 5},
        {.number = 4, .del = 6, .rows = 200, .deleted = 2, .seal = 7, .del_sum = 8}};
    struct il_manifest m = {.generation = 1,
                            .codec = IL_CODEC_B1,
                            .dim = IL_DIM_MAX,
                            .stored_dim = 1,
                            .has_basis = 1,
                            .basis_sum = 11,
                            .next = IL_NUMBER_MAX + 1,
                            .log = 7,
                            .log_synced = 64,
                            .count = 2,
                            .segments = segments};
    memset(m.model, 'x', IL_MODEL_BYTES_MAX);
    il_model_fingerprint(m.model, m.fingerprint);
    assert_int_equal(il_manifest_bytes(&m), BYTES);
    il_manifest_encode(&m, out);
}

static void seal(unsigned char *p, size_t bytes)
{
    store_u64(p + bytes - 8, il_checksum(p, bytes - 8));
}

static void limits_come_back(void **state)
{
    (void)state;
    unsigned char data[BYTES];
    struct il_manifest m;
    struct il_error error = {{0}};
    make(data);
    assert_int_equal(il_manifest_decode(&m, "M", data, BYTES, &error), IL_OK);
    assert_int_equal(m.dim, IL_DIM_MAX);
    assert_int_equal(strlen(m.model), IL_MODEL_BYTES_MAX);
    assert_int_equal(m.segments[1].deleted, 2);
    assert_int_equal(m.basis_sum, 11);
    il_manifest_free(&m);
}

static void every_bit_and_length_counts(void **state)
{
    (void)state;
    unsigned char data[BYTES];
    struct il_manifest m;
    struct il_error error;
    make(data);
    for (size_t bit = 0; bit < 8 * BYTES; bit++) {
        data[bit / 8] ^= (unsigned char)(1u << (bit % 8));
        assert_int_not_equal(il_manifest_decode(&m, "M", data, BYTES, &error), IL_OK);
        data[bit / 8] ^= (unsigned char)(1u << (bit % 8));
    }
    for (size_t bytes = 0; bytes < BYTES; bytes++) {
        unsigned char *cut = malloc(bytes + !bytes);
        memcpy(cut, data, bytes);
        assert_int_not_equal(il_manifest_decode(&m, "M", cut, bytes, &error), IL_OK);
        /* With a checksum that is right too. */
        if (bytes >= 24) {
            seal(cut, bytes);
            assert_int_equal(il_manifest_decode(&m, "M", cut, bytes, &error),
                             IL_ECORRUPT);
        }
        free(cut);
    }
}

/* Fields out of their range, under a checksum that is right. */
static void fields_out_of_range(void **state)
{
    (void)state;
    const struct {
        size_t at;
        uint32_t value;
        const char *says;
    } cases[] = {
        {12, 6, "M, byte 12: codec 6, wanted 1 to 5"},
        {16, 65537, "M, byte 16: row length 65537, wanted 1 to 65536"},
        {20, 0, "M, byte 20: stored row length 0, wanted 1 to 65536"},
        {24, 0, "M, byte 24: generation 0"},
        {80, 2, "M, byte 80: mark of a basis 2, wanted 0 to 1"},
        {80, 0, "M, byte 20: stored row length 1, wanted 65536"},
        {84, 100000001, "M, byte 84: next number 100000001"},
        {96, 0, "M, byte 96: number of the log 0, wanted 1 to 99999999"},
        {100, 1000001, "M, byte 100: segments 1000001, wanted 0 to 1000000"},
        {100, 1, "M, byte 100: bytes of the file 472, wanted 432"},
        {112, 256, "M, byte 112: bytes of the model's name 256, wanted 0 to 255"},
        {112, 254, "the fingerprint is not that of the model's name"},
        {116, 1, "M, byte 116: reserved byte 1, wanted 0"},
        {128, 0, "M, byte 128: byte of the model's name 0, wanted 1 to 255"},
        {384, 0, "M, byte 384: number of a segment 0, wanted 1"},
        {384 + 40, 2, "M, byte 424: number of a segment 2, wanted 3"},
        {384 + 44, 0, "M, byte 440: deleted rows 2, wanted 0"},
        {384 + 48, 2, "M, byte 440: deleted rows 2, wanted 1"},
        {384 + 8, 0, "M, byte 392: rows of a segment 0, wanted 1 to 2147483647"},
        {384 + 32, 1, "M, byte 416: checksum of no deletions 1, wanted 0"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        unsigned char data[BYTES];
        struct il_manifest m;
        struct il_error error = {{0}};
        make(data);
        store_u32(data + cases[i].at, cases[i].value);
        seal(data, BYTES);
        assert_int_equal(il_manifest_decode(&m, "M", data, BYTES, &error), IL_ECORRUPT);
        unit_says(&error, cases[i].says);
        assert_null(m.segments);
    }
    unsigned char data[BYTES];
    struct il_manifest m;
    struct il_error error = {{0}};
    make(data);
    store_u32(data + 8, 2);
    seal(data, BYTES);
    assert_int_equal(il_manifest_decode(&m, "M", data, BYTES, &error), IL_EVERSION);
    unit_says(&error, "manifest version 2, wanted at most 1");
}

static enum il_status decode_made(void *context)
{
    struct il_manifest m;
    struct il_error error;
    enum il_status status = il_manifest_decode(&m, "M", context, BYTES, &error);
    il_manifest_free(&m);
    return status;
}

static void without_memory(void **state)
{
    (void)state;
    static unsigned char data[BYTES];
    make(data);
    assert_int_equal(unit_starve(decode_made, data), 1);
}

static void fingerprints_differ(void **state)
{
    (void)state;
    unsigned char a[32], b[32], zero[32] = {0};
    il_model_fingerprint("", a);
    assert_memory_equal(a, zero, 32);
    il_model_fingerprint("model-1", a);
    il_model_fingerprint("model-2", b);
    for (size_t i = 0; i < 4; i++)
        assert_memory_not_equal(a + 8 * i, b + 8 * i, 8);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(limits_come_back),
        cmocka_unit_test(every_bit_and_length_counts),
        cmocka_unit_test(fields_out_of_range),
        cmocka_unit_test(without_memory),
        cmocka_unit_test(fingerprints_differ),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
