/* SPDX-License-Identifier: Apache-2.0 */
#include "src/io/scan.h"

#include <pthread.h>

#include "tests/unit/unit.h"

#define BYTES ((size_t)200003)
#define SLOTS_MAX 6

static unsigned char bytes_of_file[BYTES];
static struct il_ring_file file;
static uint64_t draw_state;

/* 0 .. bound - 1; the quality of the numbers does not matter. */
static uint64_t draw(uint64_t bound)
{
    draw_state = draw_state * 6364136223846793005U + 1442695040888963407U;
    return (draw_state >> 20) % bound;
}

static unsigned pick_any(unsigned count)
{
    return (unsigned)draw(count);
}

static int setup(void **state)
{
    struct il_error error;
    for (size_t i = 0; i < BYTES; i++)
        bytes_of_file[i] = (unsigned char)draw(256);
    if (unit_setup(state) != 0)
        return -1;
    const char *path = unit_put("scanned", bytes_of_file, BYTES);
    return il_ring_file_open(&file, path, &error) == IL_OK ? 0 : -1;
}

static int teardown(void **state)
{
    il_ring_file_close(&file);
    return unit_teardown(state);
}

/* kind 0 is what the machine has. */
static struct il_ring *ring_of(int plain, size_t block_bytes, unsigned slots)
{
    struct il_error error;
    struct il_ring *ring = NULL;
    struct il_ring_config config = {.kind = plain ? IL_RING_PREAD : IL_RING_AUTO,
                                    .block_bytes = block_bytes,
                                    .slots = slots};
    if (il_ring_open(&ring, &config, &error) != IL_OK)
        fail_msg("%s", error.text);
    return ring;
}

static struct il_scan *scan_of(struct il_ring *ring, const struct il_range *ranges,
                               size_t count)
{
    struct il_error error;
    struct il_scan *scan = NULL;
    if (il_scan_open(&scan, ring, &file, ranges, count, &error) != IL_OK)
        fail_msg("%s", error.text);
    return scan;
}

/* Scans with `held` blocks kept back, given back in any order: all bytes of all ranges
   come in order and stay as they are. */
static void scan_all(struct il_ring *ring, const struct il_range *ranges, size_t count,
                     unsigned held, size_t block_bytes)
{
    struct il_error error;
    struct il_scan *scan = scan_of(ring, ranges, count);
    struct il_scan_block kept[SLOTS_MAX] = {0}, block;
    size_t range = 0;
    uint64_t past = 0, blocks = 0;
    for (;; blocks++) {
        assert_int_equal(il_scan_next(scan, &block, &error), IL_OK);
        if (!block.data)
            break;
        assert_true(range < count);
        assert_int_equal(block.range, range);
        assert_int_equal(block.offset, ranges[range].offset + past);
        assert_true(block.bytes > 0 || ranges[range].bytes == 0);
        assert_true(block.bytes <= block_bytes);
        past += block.bytes;
        /* A range that fits comes whole; others are cut where sectors end. */
        if (past < ranges[range].bytes && block_bytes >= IL_RING_ALIGN)
            assert_int_equal((block.offset + block.bytes) % IL_RING_ALIGN, 0);
        if (ranges[range].bytes <= block_bytes)
            assert_int_equal(past, ranges[range].bytes);
        if (past == ranges[range].bytes) {
            range++;
            past = 0;
        }
        struct il_scan_block *place = held ? &kept[draw(held)] : &block;
        if (held) {
            if (place->data && place->bytes)
                assert_memory_equal(place->data, bytes_of_file + place->offset,
                                    place->bytes);
            il_scan_release(scan, place);
            *place = block;
        } else {
            if (block.bytes)
                assert_memory_equal(block.data, bytes_of_file + block.offset,
                                    block.bytes);
            il_scan_release(scan, place);
        }
    }
    assert_int_equal(range, count);
    assert_int_equal(il_scan_next(scan, &block, &error), IL_OK); /* the end stays */
    assert_null(block.data);
    il_scan_close(&scan);
    assert_null(scan);
}

static void ranges_come_in_order_whatever_completes_first(void **state)
{
    (void)state;
    const size_t blocks[] = {1000, 4096, 5000, 20000, 300000};
    for (unsigned i = 0; i < 2 * 2 * 5; i++) {
        size_t block_bytes = blocks[i / 4];
        unsigned slots = 1 + (unsigned)draw(SLOTS_MAX);
        struct il_ring *ring = ring_of(i % 2, block_bytes, slots);
        il_ring_pick = i & 2 ? pick_any : NULL;
        for (unsigned round = 0; round < 6; round++) {
            struct il_range ranges[20];
            for (unsigned r = 0; r < 20; r++) {
                ranges[r].offset = draw(BYTES);
                if (round % 2)
                    ranges[r].offset = ranges[r].offset / 4096 * 4096;
                ranges[r].bytes = draw(8) ? draw(BYTES - ranges[r].offset) : 0;
                if (draw(2))
                    ranges[r].bytes /= 100;
            }
            scan_all(ring, ranges, round ? 20 : 0, (unsigned)draw(slots), block_bytes);
            assert_int_equal(il_ring_room(ring), slots);
        }
        const struct il_range whole = {0, BYTES};
        scan_all(ring, &whole, 1, 0, block_bytes);
        il_ring_pick = NULL;
        il_ring_close(&ring);
    }
}

static void no_byte_is_read_twice(void **state)
{
    (void)state;
    struct il_error error;
    struct il_ring_about about;
    struct il_scan_block block;
    struct il_ring *ring = ring_of(0, 10000, 3);
    const struct il_range range = {5, 100000};
    struct il_scan *scan = scan_of(ring, &range, 1);
    /* 8192 bytes a block but for the ends: 10000 is no multiple of a sector. */
    uint64_t wanted = 5;
    for (unsigned n = 0; n < 12; n++) {
        assert_int_equal(il_scan_next(scan, &block, &error), IL_OK);
        assert_int_equal(block.offset, wanted);
        wanted = n < 11 ? 8192 * (n + 1) : 100005;
        assert_int_equal(block.offset + block.bytes, wanted);
        il_scan_release(scan, &block);
    }
    assert_int_equal(il_scan_next(scan, &block, &error), IL_OK);
    assert_null(block.data);
    il_ring_describe(ring, &about);
    if (about.kind == IL_RING_URING && file.direct >= 0)
        assert_int_equal(about.direct, 12);
    il_scan_close(&scan);
    il_ring_close(&ring);
}

static void blocks_before_a_failure_are_handed_out(void **state)
{
    (void)state;
    struct il_error error;
    struct il_scan_block block;
    const struct il_range ranges[] = {{0, 3000}, {3000, 9000}, {BYTES - 10, 11},
                                      {0, 4000}, {0, 4000},    {0, 4000}};
    const struct il_range far[] = {{7, 3}, {UINT64_MAX - 5, 8192 * 3}, {0, 1}};
    for (int i = 0; i < 4; i++) {
        struct il_ring *ring = ring_of(i % 2, 4096, 4);
        struct il_scan *scan = scan_of(ring, ranges, 6);
        il_ring_pick = i & 2 ? pick_any : NULL;
        uint64_t got = 0;
        while (il_scan_next(scan, &block, &error) == IL_OK) {
            assert_int_equal(block.offset, got);
            got += block.bytes;
            il_scan_release(scan, &block);
        }
        assert_int_equal(got, 12000);
        for (int again = 0; again < 2; again++) {
            unit_says(&error,
                      "scanned, byte 199993: wanted 11 bytes, found 10: the file ends");
            memset(&error, 0, sizeof(error));
            assert_int_equal(il_scan_next(scan, &block, &error), IL_EIO);
            assert_null(block.data);
        }
        il_scan_release(scan, &block);
        il_scan_close(&scan);
        scan = scan_of(ring, far, 3);
        assert_int_equal(il_scan_next(scan, &block, &error), IL_OK);
        assert_int_equal(block.bytes, 3);
        assert_int_equal(il_scan_next(scan, &block, &error), IL_EARG);
        unit_says(&error, "scanned, byte 18446744073709551610: wanted");
        il_scan_close(&scan);
        il_ring_pick = NULL;
        il_ring_close(&ring);
    }
}

static void a_caller_that_holds_all_blocks_is_told(void **state)
{
    (void)state;
    struct il_error error;
    struct il_scan_block first, second, third;
    const struct il_range whole = {0, BYTES};
    struct il_ring *ring = ring_of(0, 4096, 2);
    struct il_scan *scan = scan_of(ring, &whole, 1), *other = NULL;
    assert_int_equal(il_scan_next(scan, &first, &error), IL_OK);
    assert_int_equal(il_scan_open(&other, ring, &file, &whole, 1, &error), IL_EARG);
    unit_says(&error, "the ring is in use");
    assert_int_equal(il_scan_next(scan, &second, &error), IL_OK);
    assert_int_equal(il_scan_next(scan, &third, &error), IL_ELIMIT);
    unit_says(&error, "scanned: all 2 blocks are held");
    assert_null(third.data);
    assert_memory_equal(first.data, bytes_of_file, 4096);
    assert_memory_equal(second.data, bytes_of_file + 4096, 4096);
    il_scan_release(scan, &first);
    assert_int_equal(il_scan_next(scan, &third, &error), IL_OK);
    assert_memory_equal(third.data, bytes_of_file + 8192, 4096);
    /* Closed in the middle, blocks held and read. */
    il_scan_close(&scan);
    il_scan_close(&scan);
    assert_int_equal(il_ring_room(ring), 2);
    scan_all(ring, &whole, 1, 1, 4096);
    il_ring_close(&ring);
}

static void each_failing_call_is_said_in_its_place(void **state)
{
    (void)state;
    const int verdict[] = {EIO, IL_IO_SHORT, EINTR};
    const struct il_range ranges[] = {{100, 30000}, {7, 0}, {90000, 5000}};
    for (unsigned i = 0; i < 2 * 3; i++) {
        for (long k = 1;; k++) {
            struct il_error error;
            struct il_scan_block block;
            enum il_status status;
            unit_fail_io(k, -1, verdict[i / 2], 0);
            struct il_ring *ring = ring_of(i % 2, 8192, 3);
            struct il_scan *scan = scan_of(ring, ranges, 3);
            uint64_t got = 0;
            while ((status = il_scan_next(scan, &block, &error)) == IL_OK && block.data) {
                if (block.bytes)
                    assert_memory_equal(block.data, bytes_of_file + block.offset,
                                        block.bytes);
                got += block.bytes;
                il_scan_release(scan, &block);
            }
            il_scan_close(&scan);
            il_ring_close(&ring);
            long calls = unit_fault.calls;
            unit_no_faults();
            if (status == IL_OK) {
                assert_int_equal(got, 35000);
            } else {
                assert_int_equal(status, IL_EIO);
                assert_int_equal(verdict[i / 2], EIO);
                unit_says(&error, "scanned, byte ");
                unit_says(&error, "cannot read: Input/output error");
            }
            if (calls < k)
                break;
        }
    }
}

static enum il_status open_scan(void *context)
{
    const struct il_range whole = {0, BYTES};
    struct il_scan_block block;
    struct il_scan *scan = NULL;
    enum il_status status = il_scan_open(&scan, context, &file, &whole, 1, NULL);
    if (status == IL_OK)
        status = il_scan_next(scan, &block, NULL);
    il_scan_close(&scan);
    return status;
}

static void no_memory_leaks_nothing(void **state)
{
    (void)state;
    struct il_ring *ring = ring_of(0, 4096, 2);
    assert_int_equal(unit_starve(open_scan, ring), 2);
    il_ring_close(&ring);
}

struct part {
    const struct il_scan_block *block;
    uint64_t sum;
};

static void *add_up(void *context)
{
    struct part *part = context;
    for (size_t i = 0; i < part->block->bytes; i++)
        part->sum += part->block->data[i];
    return NULL;
}

/* What decoding will do: workers read blocks while the next ones are read. */
static void other_threads_may_read_held_blocks(void **state)
{
    (void)state;
    struct il_error error;
    const struct il_range whole = {0, BYTES};
    uint64_t sum = 0, wanted = 0;
    for (size_t i = 0; i < BYTES; i++)
        wanted += bytes_of_file[i];
    for (int plain = 0; plain < 2; plain++) {
        struct il_ring *ring = ring_of(plain, 8192, 4);
        struct il_scan *scan = scan_of(ring, &whole, 1);
        struct il_scan_block block[2] = {0};
        sum = 0;
        for (int more = 1; more;) {
            pthread_t thread[2];
            struct part part[2];
            for (int t = 0; t < 2; t++) {
                assert_int_equal(il_scan_next(scan, &block[t], &error), IL_OK);
                more = block[t].data != NULL;
                part[t] = (struct part){.block = &block[t]};
                assert_int_equal(pthread_create(&thread[t], NULL, add_up, &part[t]), 0);
            }
            for (int t = 0; t < 2; t++) {
                pthread_join(thread[t], NULL);
                sum += part[t].sum;
                il_scan_release(scan, &block[t]);
            }
        }
        assert_int_equal(sum, wanted);
        il_scan_close(&scan);
        il_ring_close(&ring);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ranges_come_in_order_whatever_completes_first),
        cmocka_unit_test(no_byte_is_read_twice),
        cmocka_unit_test(blocks_before_a_failure_are_handed_out),
        cmocka_unit_test(a_caller_that_holds_all_blocks_is_told),
        cmocka_unit_test(each_failing_call_is_said_in_its_place),
        cmocka_unit_test(no_memory_leaks_nothing),
        cmocka_unit_test(other_threads_may_read_held_blocks),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
