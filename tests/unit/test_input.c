/* SPDX-License-Identifier: Apache-2.0 */
#include "src/io/input.h"

#include <zstd.h>

#include "tests/unit/unit.h"

#define BIG ((size_t)3 << 20)

static unsigned char *counted(size_t bytes)
{
    unsigned char *data = malloc(bytes);
    uint32_t state = 1;
    assert_non_null(data);
    for (size_t i = 0; i < bytes; i++) {
        state = state * 1664525u + 1013904223u;
        /* Some order, so that it packs to less, but not to nothing. */
        data[i] = (unsigned char)(state >> 24 & 15);
    }
    return data;
}

static struct made_zst {
    unsigned char *data;
    size_t size;
} pack(const void *data, size_t bytes)
{
    struct made_zst z = {malloc(ZSTD_compressBound(bytes)), 0};
    ZSTD_CCtx *context = ZSTD_createCCtx();
    assert_non_null(z.data);
    ZSTD_CCtx_setParameter(context, ZSTD_c_checksumFlag, 1);
    z.size = ZSTD_compress2(context, z.data, ZSTD_compressBound(bytes), data, bytes);
    assert_false(ZSTD_isError(z.size));
    ZSTD_freeCCtx(context);
    return z;
}

/* Reads to the end by pieces of different sizes and compares. */
static enum il_status read_all(struct il_input *s, const unsigned char *wanted,
                               size_t bytes, struct il_error *error)
{
    static const size_t pieces[] = {1, 7, 1000, 600000, 4096, 2};
    unsigned char *out = malloc(600000);
    size_t at = 0, got = 1;
    enum il_status status = IL_OK;
    for (size_t i = 0; got > 0; i++) {
        size_t piece = pieces[i % 6];
        if (i % 5 == 3) {
            unsigned char *data = NULL;
            status = il_input_look(s, piece, &data, &got, error);
            if (status != IL_OK)
                break;
            assert_true(got >= piece || at + got == bytes);
            assert_int_equal(data[got], 0);
            got = got < piece ? got : piece;
            assert_memory_equal(data, wanted + at, got);
            il_input_take(s, got);
        } else {
            status = il_input_read(s, out, piece, &got, error);
            if (status != IL_OK)
                break;
            assert_memory_equal(out, wanted + at, got);
            assert_true(got == piece || at + got == bytes);
        }
        at += got;
        assert_int_equal(il_input_at(s), at);
    }
    free(out);
    if (status == IL_OK)
        assert_int_equal(at, bytes);
    return status;
}

static void a_file_comes_as_it_is(void **state)
{
    (void)state;
    unsigned char *data = counted(BIG);
    static const size_t sizes[] = {0, 1, 3, 4, 5, 524287, 524288, 524289, BIG};
    for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
        for (int from = 0; from < 3; from++) {
            struct il_input *s = NULL;
            struct il_error error;
            const char *path = unit_put("f", data, sizes[i]);
            enum il_status status =
                from == 0 ? il_input_open(&s, path, &error)
                          : il_input_memory(&s, "f", data, sizes[i], from == 2, &error);
            assert_int_equal(status, IL_OK);
            /* An empty file is read like those of /proc, which say 0 bytes. */
            assert_true(
                il_input_size(s) ==
                (from == 2 || (from == 0 && sizes[i] == 0) ? IL_SIZE_UNKNOWN : sizes[i]));
            assert_int_equal(read_all(s, data, sizes[i], &error), IL_OK);
            il_input_close(&s);
            assert_null(s);
        }
    }
    free(data);
}

static void skipping_goes_forward_only_to_what_is_there(void **state)
{
    (void)state;
    unsigned char *data = counted(BIG);
    struct made_zst z = pack(data, BIG);
    for (int from = 0; from < 3; from++) {
        struct il_input *s = NULL;
        struct il_error error;
        unsigned char *seen = NULL;
        size_t have = 0;
        const char *path =
            from == 2 ? unit_put("s.zst", z.data, z.size) : unit_put("s", data, BIG);
        enum il_status status = from == 1 ? il_input_memory(&s, "s", data, BIG, 1, &error)
                                          : il_input_open(&s, path, &error);
        assert_int_equal(status, IL_OK);
        static const size_t places[] = {0, 2, 3, 10, 700000, 700001, BIG - 3, BIG};
        for (size_t i = 0; i < sizeof(places) / sizeof(*places); i++) {
            assert_int_equal(il_input_skip(s, places[i], &error), IL_OK);
            assert_int_equal(il_input_at(s), places[i]);
            assert_int_equal(il_input_look(s, 1, &seen, &have, &error), IL_OK);
            assert_int_equal(have > 0, places[i] < BIG);
            if (have > 0)
                assert_int_equal(*seen, data[places[i]]);
        }
        assert_int_equal(il_input_skip(s, BIG + 1, &error), IL_EFORMAT);
        unit_says(&error, "byte 3145728: the file ends here, wanted it to go on to byte "
                          "3145729");
        il_input_close(&s);
    }
    free(z.data);
    free(data);
}

static void the_buffer_grows_when_more_is_looked_at(void **state)
{
    (void)state;
    unsigned char *data = counted(BIG), *seen = NULL;
    struct il_input *s = NULL;
    struct il_error error;
    size_t have = 0;
    assert_int_equal(il_input_memory(&s, "g", data, BIG, 1, &error), IL_OK);
    assert_int_equal(il_input_skip(s, 10, &error), IL_OK);
    assert_int_equal(il_input_look(s, BIG - 100, &seen, &have, &error), IL_OK);
    assert_true(have >= BIG - 100);
    assert_memory_equal(seen, data + 10, BIG - 100);
    il_alloc_fail_at(1);
    assert_int_equal(il_input_look(s, BIG + 100, &seen, &have, &error), IL_ENOMEM);
    il_alloc_fail_at(0);
    unit_says(&error, "g: no memory for 6291256 bytes");
    il_input_close(&s);
    free(data);
}

static void packed_files_are_unpacked(void **state)
{
    (void)state;
    unsigned char *data = counted(BIG);
    static const size_t sizes[] = {0, 1, 5, 131072, 524288, BIG};
    for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
        struct made_zst z = pack(data, sizes[i]);
        static const char *const names[] = {"p.npy.zst", "P.ZST", "p.bin"};
        for (int n = 0; n < 3; n++) {
            struct il_input *s = NULL;
            struct il_error error;
            const char *path = unit_put(names[n], z.data, z.size);
            assert_int_equal(il_input_open(&s, path, &error), IL_OK);
            assert_true(il_input_size(s) == IL_SIZE_UNKNOWN);
            assert_non_null(strstr(il_input_name(s), " (unpacked)"));
            assert_null(strstr(il_input_path(s), " (unpacked)"));
            if (read_all(s, data, sizes[i], &error) != IL_OK)
                fail_msg("%s", error.text);
            il_input_close(&s);
        }
        free(z.data);
    }
    free(data);
}

static void frames_may_follow_each_other(void **state)
{
    (void)state;
    unsigned char *data = counted(1000);
    struct made_zst one = pack(data, 600), two = pack(data + 600, 400);
    unsigned char all[4096];
    size_t size = 0;
    memcpy(all, one.data, one.size);
    size += one.size;
    /* A frame that is to be skipped, and an empty one. */
    memcpy(all + size, "\x50\x2a\x4d\x18\x03\0\0\0abc", 11);
    size += 11;
    struct made_zst none = pack("", 0);
    memcpy(all + size, none.data, none.size);
    size += none.size;
    memcpy(all + size, two.data, two.size);
    size += two.size;
    struct il_input *s = NULL;
    struct il_error error;
    assert_int_equal(il_input_memory(&s, "m.zst", all, size, 0, &error), IL_OK);
    assert_int_equal(read_all(s, data, 1000, &error), IL_OK);
    il_input_close(&s);
    /* Something else behind the last frame. */
    memcpy(all + size, "garbage", 7);
    assert_int_equal(il_input_memory(&s, "m.zst", all, size + 7, 0, &error), IL_OK);
    assert_int_equal(read_all(s, data, 1000, &error), IL_EFORMAT);
    char wanted[80];
    snprintf(wanted, sizeof(wanted), "m.zst, byte %zu: wanted a zstd frame", size);
    unit_says(&error, wanted);
    il_input_close(&s);
    free(one.data);
    free(two.data);
    free(none.data);
    free(data);
}

static enum il_status try_packed(const void *packed, size_t size, const void *wanted,
                                 size_t bytes, struct il_error *error)
{
    struct il_input *s = NULL;
    unsigned char *copy = malloc(size + !size);
    memcpy(copy, packed, size);
    enum il_status status = il_input_memory(&s, "d.zst", copy, size, 0, error);
    unsigned char *seen = NULL;
    size_t have = 0;
    if (status == IL_OK)
        status = il_input_look(s, bytes + 1, &seen, &have, error);
    if (status == IL_OK && (have != bytes || memcmp(seen, wanted, bytes) != 0))
        fail_msg("damage of a frame was not seen");
    il_input_close(&s);
    free(copy);
    return status;
}

static void every_cut_of_a_frame_is_refused_with_its_byte(void **state)
{
    (void)state;
    unsigned char *data = counted(3000);
    struct made_zst z = pack(data, 3000);
    struct il_error error;
    for (size_t kept = 0; kept < z.size; kept++) {
        char wanted[80];
        assert_int_equal(try_packed(z.data, kept, data, 3000, &error), IL_EFORMAT);
        snprintf(wanted, sizeof(wanted), "d.zst, byte %zu: the file ends inside", kept);
        unit_says(&error,
                  kept == 0 ? "d.zst: the file is empty, wanted a zstd frame" : wanted);
    }
    assert_int_equal(try_packed(z.data, z.size, data, 3000, &error), IL_OK);
    free(z.data);
    free(data);
}

static void every_flipped_bit_of_a_frame_is_seen(void **state)
{
    (void)state;
    unsigned char *data = counted(300);
    struct made_zst z = pack(data, 300);
    struct il_error error;
    size_t seen = 0;
    for (size_t bit = 0; bit < 8 * z.size; bit++) {
        z.data[bit / 8] ^= (unsigned char)(1u << bit % 8);
        enum il_status status = try_packed(z.data, z.size, data, 300, &error);
        z.data[bit / 8] ^= (unsigned char)(1u << bit % 8);
        /* Some bits of a frame have no meaning: try_packed has compared what came. */
        if (status == IL_OK)
            continue;
        assert_true(status == IL_EFORMAT || status == IL_ELIMIT);
        unit_says(&error, "d.zst, byte ");
        seen++;
    }
    assert_true(seen > 8 * z.size - 16);
    free(z.data);
    free(data);
}

static void a_window_beyond_the_cap_is_refused(void **state)
{
    (void)state;
    struct il_error error;
    /* A frame header with a window of 2^28 bytes, then an empty last block. */
    const unsigned char wide[] = {0x28, 0xb5, 0x2f, 0xfd, 0x00, 18 << 3, 1, 0, 0};
    assert_int_equal(try_packed(wide, sizeof(wide), "", 0, &error), IL_ELIMIT);
    unit_says(&error, "d.zst, byte 0: a zstd frame with a window of more than 2^27");
    const unsigned char fits[] = {0x28, 0xb5, 0x2f, 0xfd, 0x00, 17 << 3, 1, 0, 0};
    assert_int_equal(try_packed(fits, sizeof(fits), "", 0, &error), IL_OK);
}

static void what_is_not_packed_is_said(void **state)
{
    (void)state;
    struct il_error error;
    assert_int_equal(try_packed("abcdefgh", 8, "", 0, &error), IL_EFORMAT);
    unit_says(&error, "d.zst, byte 0: wanted a zstd frame (28 b5 2f fd)");
}

static enum il_status open_and_read(void *path)
{
    struct il_input *s = NULL;
    struct il_error error;
    unsigned char *seen = NULL;
    size_t have = 0;
    enum il_status status = il_input_open(&s, path, &error);
    if (status == IL_OK)
        status = il_input_look(s, 100, &seen, &have, &error);
    il_input_close(&s);
    return status;
}

static void no_memory_leaks_nothing(void **state)
{
    (void)state;
    unsigned char *data = counted(100);
    struct made_zst z = pack(data, 100);
    char *path = strdup(unit_put("n.zst", z.data, z.size));
    assert_int_equal(unit_starve(open_and_read, path), 4);
    free(path);
    free(z.data);
    struct il_input *s = NULL;
    struct il_error error;
    for (long k = 1; k < 3; k++) {
        il_alloc_fail_at(k);
        assert_int_equal(il_input_memory(&s, "n", data, 100, 0, &error), IL_ENOMEM);
        assert_null(s);
    }
    il_alloc_fail_at(0);
    free(data);
}

static void failing_reads_are_reported(void **state)
{
    (void)state;
    unsigned char *data = counted(BIG);
    struct made_zst z = pack(data, BIG);
    const char *paths[] = {unit_put("e.zst", z.data, z.size), unit_put("e", data, BIG)};
    for (int p = 0; p < 2; p++) {
        for (long k = 1;; k++) {
            struct il_input *s = NULL;
            struct il_error error;
            unit_fail_io(k, IL_IO_READ, EIO, 0);
            enum il_status status = il_input_open(&s, paths[p], &error);
            if (status == IL_OK)
                status = read_all(s, data, BIG, &error);
            il_input_close(&s);
            unit_no_faults();
            if (unit_fault.calls < k) {
                assert_int_equal(status, IL_OK);
                assert_true(k > 4);
                break;
            }
            assert_int_equal(status, IL_EIO);
            unit_says(&error, ": cannot read: Input/output error");
        }
        struct il_input *s = NULL;
        struct il_error error;
        unit_fail_io(1, IL_IO_READ, IL_IO_SHORT, 0);
        assert_int_equal(il_input_open(&s, paths[p], &error), IL_OK);
        assert_int_equal(read_all(s, data, BIG, &error), IL_OK);
        unit_no_faults();
        il_input_close(&s);
    }
    free(z.data);
    free(data);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_file_comes_as_it_is),
        cmocka_unit_test(skipping_goes_forward_only_to_what_is_there),
        cmocka_unit_test(the_buffer_grows_when_more_is_looked_at),
        cmocka_unit_test(packed_files_are_unpacked),
        cmocka_unit_test(frames_may_follow_each_other),
        cmocka_unit_test(every_cut_of_a_frame_is_refused_with_its_byte),
        cmocka_unit_test(every_flipped_bit_of_a_frame_is_seen),
        cmocka_unit_test(a_window_beyond_the_cap_is_refused),
        cmocka_unit_test(what_is_not_packed_is_said),
        cmocka_unit_test(no_memory_leaks_nothing),
        cmocka_unit_test(failing_reads_are_reported),
    };
    return cmocka_run_group_tests(tests, unit_setup, unit_teardown);
}
