/* SPDX-License-Identifier: Apache-2.0 */
#include "src/io/ring.h"

#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "tests/unit/unit.h"

#define BYTES ((size_t)300001)

static unsigned char *bytes_of_file; /* BYTES of them */
static char shm_dir[64];             /* "" where there is no tmpfs */
static unsigned logged;
static char log_text[200];

static uint64_t draw_state;

/* 0 .. bound - 1; the quality of the numbers does not matter. */
static uint64_t draw(uint64_t bound)
{
    draw_state = draw_state * 6364136223846793005U + 1442695040888963407U;
    return (draw_state >> 20) % bound;
}

static void take_log(void *context, const char *text)
{
    assert_ptr_equal(context, &logged);
    logged++;
    snprintf(log_text, sizeof(log_text), "%s", text);
}

static struct il_ring_config config_of(enum il_ring_kind kind, size_t block_bytes,
                                       unsigned slots)
{
    logged = 0;
    log_text[0] = 0;
    return (struct il_ring_config){.kind = kind,
                                   .block_bytes = block_bytes,
                                   .slots = slots,
                                   .log = take_log,
                                   .log_context = &logged};
}

static struct il_ring *ring_of(enum il_ring_kind kind, size_t block_bytes, unsigned slots)
{
    struct il_error error;
    struct il_ring *ring = NULL;
    struct il_ring_config config = config_of(kind, block_bytes, slots);
    if (il_ring_open(&ring, &config, &error) != IL_OK)
        fail_msg("%s", error.text);
    return ring;
}

static struct il_ring_about about_of(const struct il_ring *ring)
{
    struct il_ring_about about;
    il_ring_describe(ring, &about);
    return about;
}

/* 1: this machine lets us use io_uring. */
static int uring_here(void)
{
    struct il_ring *ring = ring_of(IL_RING_AUTO, 4096, 1);
    int here = about_of(ring).kind == IL_RING_URING;
    il_ring_close(&ring);
    return here;
}

/* The two backends, or the one that there is; `auto` is that of the machine. */
static unsigned kinds(enum il_ring_kind out[2])
{
    out[0] = IL_RING_PREAD;
    out[1] = IL_RING_URING;
    return uring_here() ? 2 : 1;
}

static struct il_ring_file file_of(const char *path)
{
    struct il_error error;
    struct il_ring_file file;
    if (il_ring_file_open(&file, path, &error) != IL_OK)
        fail_msg("%s", error.text);
    return file;
}

static int setup(void **state)
{
    bytes_of_file = malloc(BYTES);
    for (size_t i = 0; i < BYTES; i++)
        bytes_of_file[i] = (unsigned char)draw(256);
    snprintf(shm_dir, sizeof(shm_dir), "/dev/shm/isolink-unit-XXXXXX");
    if (!mkdtemp(shm_dir))
        shm_dir[0] = 0;
    return unit_setup(state);
}

static int teardown(void **state)
{
    free(bytes_of_file);
    if (shm_dir[0])
        nftw(shm_dir, unit_remove, 16, FTW_DEPTH | FTW_PHYS);
    return unit_teardown(state);
}

/* A file of the first bytes, in our folder or in memory. */
static const char *put(int in_memory, size_t bytes)
{
    static char path[128];
    if (!in_memory)
        return unit_put("random", bytes_of_file, bytes);
    snprintf(path, sizeof(path), "%s/random", shm_dir);
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes_of_file, 1, bytes, file), bytes);
    assert_int_equal(fclose(file), 0);
    return path;
}

struct wanted {
    uint64_t offset;
    size_t bytes;
};

/* Checks one block against the file, which has file_bytes. */
static void check_block(const struct il_ring_block *block, enum il_status status,
                        const struct il_error *error, const struct wanted *wanted,
                        size_t file_bytes)
{
    char text[200];
    assert_int_equal(block->offset, wanted->offset);
    assert_int_equal(block->bytes, wanted->bytes);
    if (wanted->bytes == 0 || wanted->offset + wanted->bytes <= file_bytes) {
        if (status != IL_OK)
            fail_msg("%s", error->text);
        assert_non_null(block->data);
        if (wanted->bytes)
            assert_memory_equal(block->data, bytes_of_file + wanted->offset,
                                wanted->bytes);
        return;
    }
    assert_int_equal(status, IL_EIO);
    assert_null(block->data);
    size_t found = wanted->offset < file_bytes ? file_bytes - wanted->offset : 0;
    snprintf(text, sizeof(text),
             "/random, byte %llu: wanted %zu bytes, found %zu: the file ends",
             (unsigned long long)wanted->offset, wanted->bytes, found);
    unit_says(error, text);
}

/* Reads all that is wanted, with as many reads under way as fit; each comes once. */
static void read_all(struct il_ring *ring, const struct il_ring_file *file,
                     const struct wanted *wanted, size_t count, size_t file_bytes)
{
    struct il_error error;
    char *seen = calloc(count + 1, 1);
    size_t begun = 0;
    for (size_t done = 0; done < count; done++) {
        struct il_ring_block block;
        while (begun < count && il_ring_room(ring) > 0) {
            assert_int_equal(il_ring_submit(ring, file, wanted[begun].offset,
                                            wanted[begun].bytes, begun, &error),
                             IL_OK);
            begun++;
        }
        enum il_status status = il_ring_wait(ring, &block, &error);
        assert_true(block.tag < count && !seen[block.tag]);
        seen[block.tag] = 1;
        check_block(&block, status, &error, &wanted[block.tag], file_bytes);
        il_ring_release(ring, &block);
    }
    assert_int_equal(il_ring_under_way(ring), 0);
    free(seen);
}

/* A range, often at an edge of a sector or of the file, sometimes beyond its end. */
static struct wanted draw_range(size_t file_bytes, size_t block_bytes)
{
    struct wanted out = {.offset = draw(file_bytes + 1), .bytes = draw(block_bytes + 1)};
    uint64_t how = draw(16);
    if (how < 4)
        out.offset = out.offset / 4096 * 4096;
    if (how % 4 == 1)
        out.bytes = out.bytes / 512 * 512;
    if (how == 5)
        out.bytes = block_bytes;
    if (how == 6)
        out.bytes = 0;
    if (how > 6 && out.offset + out.bytes > file_bytes) /* up to the last byte */
        out.bytes = file_bytes - out.offset;
    if (how == 15)
        out.offset += (uint64_t)1 << draw(60);
    return out;
}

static void both_backends_read_what_the_file_holds(void **state)
{
    (void)state;
    const size_t sizes[] = {0, 1, 511, 4096, 4097, BYTES};
    const size_t blocks[] = {1, 5000, 65536, 131072};
    enum il_ring_kind kind[2];
    unsigned kind_count = kinds(kind);
    for (int in_memory = 0; in_memory <= (shm_dir[0] != 0); in_memory++) {
        for (size_t s = 0; s < sizeof(sizes) / sizeof(sizes[0]); s++) {
            struct il_ring_file file = file_of(put(in_memory, sizes[s]));
            for (unsigned i = 0; i < 4 * kind_count; i++) {
                struct wanted wanted[64];
                size_t block_bytes = blocks[i / kind_count];
                for (int w = 0; w < 64; w++)
                    wanted[w] = draw_range(sizes[s], block_bytes);
                struct il_ring *ring =
                    ring_of(kind[i % kind_count], block_bytes, 1 + (unsigned)draw(9));
                read_all(ring, &file, wanted, 64, sizes[s]);
                if (about_of(ring).kind == IL_RING_URING && file.direct >= 0)
                    assert_true(about_of(ring).direct > 0);
                assert_false(about_of(ring).broken);
                assert_int_equal(logged, 0);
                il_ring_close(&ring);
                assert_null(ring);
            }
            il_ring_file_close(&file);
        }
    }
}

static void arguments_are_checked(void **state)
{
    (void)state;
    struct il_error error;
    struct il_ring_block block;
    struct il_ring *ring = NULL;
    struct il_ring_config config;
    il_ring_config_init(&config);
    assert_int_equal(config.kind, IL_RING_AUTO);
    assert_int_equal(config.slots * config.block_bytes, 4 << 20);
    assert_true(il_ring_bytes(&config) >= 4 << 20);
    assert_true(il_ring_bytes(&config) < 5 << 20);
    const struct il_ring_config bad[] = {
        {.kind = IL_RING_PREAD, .block_bytes = 0, .slots = 1},
        {.kind = IL_RING_PREAD, .block_bytes = ((size_t)1 << 29) + 1, .slots = 1},
        {.kind = IL_RING_PREAD, .block_bytes = 1, .slots = 0},
        {.kind = IL_RING_PREAD, .block_bytes = 1, .slots = 1025},
        {.kind = (enum il_ring_kind)3, .block_bytes = 1, .slots = 1},
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_int_equal(il_ring_bytes(&bad[i]), 0);
        assert_int_equal(il_ring_open(&ring, &bad[i], &error), IL_EARG);
        assert_null(ring);
    }
    il_ring_close(&ring);

    struct il_ring_file file = file_of(put(0, 100));
    ring = ring_of(IL_RING_PREAD, 50, 2);
    assert_int_equal(il_ring_wait(ring, &block, &error), IL_EARG);
    assert_int_equal(il_ring_submit(ring, &file, 0, 51, 0, &error), IL_EARG);
    unit_says(&error, "/random, byte 0: wanted 51 bytes at once");
    assert_int_equal(il_ring_submit(ring, &file, INT64_MAX, 1, 0, &error), IL_EARG);
    assert_int_equal(il_ring_submit(ring, &file, UINT64_MAX, 0, 0, &error), IL_EARG);
    for (unsigned i = 0; i < 2; i++) {
        assert_int_equal(il_ring_room(ring), 2 - i);
        assert_int_equal(il_ring_submit(ring, &file, 0, 50, i, &error), IL_OK);
    }
    assert_int_equal(il_ring_submit(ring, &file, 0, 1, 9, &error), IL_ELIMIT);
    unit_says(&error, "all 2 slots");
    il_ring_close(&ring);
    il_ring_file_close(&file);
    assert_int_equal(il_ring_file_open(&file, unit_path("absent"), &error), IL_EIO);
    unit_says(&error, "absent: cannot open");
    assert_int_equal(il_ring_file_open(&file, unit_dir, &error), IL_EIO);

    enum il_ring_kind kind;
    assert_int_equal(il_ring_kind_named("auto", &kind, &error), IL_OK);
    assert_int_equal(kind, IL_RING_AUTO);
    assert_int_equal(il_ring_kind_named("uring", &kind, &error), IL_OK);
    assert_int_equal(kind, IL_RING_URING);
    assert_int_equal(il_ring_kind_named("pread", &kind, &error), IL_OK);
    assert_int_equal(kind, IL_RING_PREAD);
    assert_int_equal(il_ring_kind_named("mmap", &kind, &error), IL_EARG);
    unit_says(&error, "'mmap': wanted auto, uring or pread");
}

static unsigned pick_last(unsigned count)
{
    return count - 1;
}

static unsigned pick_any(unsigned count)
{
    return (unsigned)draw(count);
}

static void reads_complete_in_any_order(void **state)
{
    (void)state;
    struct il_error error;
    enum il_ring_kind kind[2];
    unsigned kind_count = kinds(kind);
    struct il_ring_file file = file_of(put(0, BYTES));
    for (unsigned i = 0; i < kind_count; i++) {
        struct il_ring *ring = ring_of(kind[i], 4096, 8);
        struct wanted wanted[64];
        for (int w = 0; w < 64; w++)
            wanted[w] = draw_range(BYTES, 4096);
        il_ring_pick = pick_any;
        read_all(ring, &file, wanted, 64, BYTES);
        /* The pread backend completes in the order of submission. */
        if (kind[i] == IL_RING_PREAD) {
            il_ring_pick = pick_last;
            for (unsigned w = 0; w < 8; w++)
                assert_int_equal(il_ring_submit(ring, &file, w, 1, w, &error), IL_OK);
            for (unsigned w = 8; w-- > 0;) {
                struct il_ring_block block;
                assert_int_equal(il_ring_wait(ring, &block, &error), IL_OK);
                assert_int_equal(block.tag, w);
                il_ring_release(ring, &block);
            }
        }
        il_ring_pick = NULL;
        il_ring_close(&ring);
    }
    il_ring_file_close(&file);
}

static void held_blocks_stay_as_they_are(void **state)
{
    (void)state;
    struct il_error error;
    enum il_ring_kind kind[2];
    unsigned kind_count = kinds(kind);
    struct il_ring_file file = file_of(put(0, BYTES));
    for (unsigned i = 0; i < kind_count; i++) {
        struct il_ring *ring = ring_of(kind[i], 8192, 4);
        struct il_ring_block held[3], block;
        for (unsigned h = 0; h < 3; h++)
            assert_int_equal(il_ring_submit(ring, &file, 7777 * h, 8000, h, &error),
                             IL_OK);
        for (unsigned h = 0; h < 3; h++)
            assert_int_equal(il_ring_wait(ring, &held[h], &error), IL_OK);
        for (unsigned round = 0; round < 50; round++) {
            assert_int_equal(il_ring_room(ring), 1);
            assert_int_equal(il_ring_submit(ring, &file, 100 * round, 8192, 9, &error),
                             IL_OK);
            assert_int_equal(il_ring_wait(ring, &block, &error), IL_OK);
            assert_memory_equal(block.data, bytes_of_file + 100 * round, 8192);
            il_ring_release(ring, &block);
            il_ring_release(ring, &block); /* harmless */
        }
        for (unsigned h = 0; h < 3; h++)
            assert_memory_equal(held[h].data, bytes_of_file + held[h].offset, 8000);
        il_ring_close(&ring);
    }
    il_ring_file_close(&file);
}

static void a_ring_is_used_again_after_reads_were_dropped(void **state)
{
    (void)state;
    struct il_error error;
    enum il_ring_kind kind[2];
    unsigned kind_count = kinds(kind);
    struct il_ring_file file = file_of(put(0, BYTES));
    for (unsigned i = 0; i < kind_count; i++) {
        struct il_ring *ring = ring_of(kind[i], 65536, 5);
        for (unsigned round = 0; round < 20; round++) {
            struct il_ring_block block;
            struct wanted wanted[12];
            for (unsigned w = 0; w < 5; w++)
                assert_int_equal(il_ring_submit(ring, &file, 50000 * w, 50000, w, &error),
                                 IL_OK);
            for (unsigned w = 0; w < round % 4; w++)
                assert_int_equal(il_ring_wait(ring, &block, &error), IL_OK);
            il_ring_discard(ring);
            assert_int_equal(il_ring_room(ring), 5);
            assert_int_equal(il_ring_under_way(ring), 0);
            for (int w = 0; w < 12; w++)
                wanted[w] = draw_range(BYTES, 65536);
            read_all(ring, &file, wanted, 12, BYTES);
        }
        /* And closed while the kernel still reads. */
        for (unsigned w = 0; w < 5; w++)
            assert_int_equal(il_ring_submit(ring, &file, 50000 * w, 50000, w, &error),
                             IL_OK);
        il_ring_close(&ring);
    }
    il_ring_file_close(&file);
}

static void a_file_cut_meanwhile_ends_where_it_does(void **state)
{
    (void)state;
    enum il_ring_kind kind[2];
    unsigned kind_count = kinds(kind);
    const struct wanted wanted[] = {{0, 4096}, {9000, 1000}, {9001, 1000},
                                    {9999, 1}, {10000, 1},   {50000, 4096}};
    for (unsigned i = 0; i < kind_count; i++) {
        const char *path = put(0, BYTES);
        struct il_ring_file file = file_of(path);
        assert_int_equal(truncate(path, 10000), 0);
        struct il_ring *ring = ring_of(kind[i], 4096, 3);
        read_all(ring, &file, wanted, 6, 10000);
        il_ring_close(&ring);
        il_ring_file_close(&file);
    }
}

static void what_is_no_plain_file_is_tried_or_refused(void **state)
{
    (void)state;
    struct il_error error;
    struct il_ring_block block;
    enum il_ring_kind kind[2];
    unsigned kind_count = kinds(kind);
    struct il_ring_file proc = file_of("/proc/self/status");
    assert_int_equal(proc.direct, -1);
    const char *path = unit_path("fifo");
    assert_int_equal(mkfifo(path, 0600), 0);
    int writer = open(path, O_RDWR | O_CLOEXEC); /* so that nobody waits */
    struct il_ring_file fifo = file_of(path);
    for (unsigned i = 0; i < kind_count; i++) {
        struct il_ring *ring = ring_of(kind[i], 4096, 1);
        assert_int_equal(il_ring_submit(ring, &proc, 0, 5, 1, &error), IL_OK);
        assert_int_equal(il_ring_wait(ring, &block, &error), IL_OK);
        assert_memory_equal(block.data, "Name:", 5);
        il_ring_release(ring, &block);
        if (kind[i] == IL_RING_PREAD) { /* io_uring would wait for bytes */
            assert_int_equal(il_ring_submit(ring, &fifo, 0, 5, 2, &error), IL_OK);
            assert_int_equal(il_ring_wait(ring, &block, &error), IL_EIO);
            assert_int_equal(block.tag, 2);
            unit_says(&error, "fifo, byte 0: wanted 5 bytes, found 0: cannot read: ");
        }
        il_ring_close(&ring);
    }
    close(writer);
    il_ring_file_close(&fifo);
    il_ring_file_close(&proc);
    unlink(path);
}

/* ---- faults */

static const struct wanted fault_ranges[] = {
    {0, 4096}, {4097, 6000}, {100000, 4096}, {BYTES - 1000, 1000}, {777, 20}, {65536, 1}};
#define FAULT_RANGES (sizeof(fault_ranges) / sizeof(fault_ranges[0]))

/* Opens a ring, reads the ranges, closes; returns how many failed, all in words. */
static unsigned read_with_faults(enum il_ring_kind kind, const struct il_ring_file *file,
                                 const char *reason, struct il_ring_about *about)
{
    struct il_error error;
    struct il_ring *ring = ring_of(kind, 8192, 3);
    unsigned failed = 0;
    size_t begun = 0;
    for (size_t done = 0; done < FAULT_RANGES; done++) {
        struct il_ring_block block;
        for (; begun < FAULT_RANGES && il_ring_room(ring) > 0; begun++)
            assert_int_equal(il_ring_submit(ring, file, fault_ranges[begun].offset,
                                            fault_ranges[begun].bytes, begun, &error),
                             IL_OK);
        enum il_status status = il_ring_wait(ring, &block, &error);
        const struct wanted *wanted = &fault_ranges[block.tag];
        if (status == IL_OK) {
            check_block(&block, status, &error, wanted, BYTES);
        } else {
            char text[100];
            assert_int_equal(status, IL_EIO);
            snprintf(text, sizeof(text), "random, byte %llu: wanted %zu bytes, found ",
                     (unsigned long long)wanted->offset, wanted->bytes);
            unit_says(&error, text);
            unit_says(&error, reason);
            failed++;
        }
        il_ring_release(ring, &block);
    }
    *about = about_of(ring);
    il_ring_close(&ring);
    return failed;
}

static void each_failing_call_costs_one_range_or_none(void **state)
{
    (void)state;
    const struct {
        int verdict;
        unsigned failed_max; /* of the ranges */
        const char *reason;
    } fault[] = {{EIO, 1, "cannot read: Input/output error"},
                 {EPERM, 1, "cannot read: Operation not permitted"},
                 {EINTR, 0, ""},
                 {EAGAIN, 0, ""},
                 {IL_IO_SHORT, 0, ""}};
    const enum il_ring_kind kind[2] = {IL_RING_PREAD, IL_RING_AUTO};
    for (int in_memory = 0; in_memory <= (shm_dir[0] != 0); in_memory++) {
        struct il_ring_file file = file_of(put(in_memory, BYTES));
        for (unsigned i = 0; i < 2 * 2 * 5; i++) {
            unsigned f = i / 4, seen = 0;
            int only = i & 2 ? IL_IO_READ : -1;
            for (long k = 1;; k++) {
                struct il_ring_about about;
                unit_fail_io(k, only, fault[f].verdict, 0);
                unsigned failed =
                    read_with_faults(kind[i % 2], &file, fault[f].reason, &about);
                long calls = unit_fault.calls;
                unit_no_faults();
                assert_true(failed <= fault[f].failed_max);
                assert_true(logged <= 1);
                seen += failed;
                if (calls < k) {
                    assert_int_equal(failed, 0);
                    assert_true(k > (long)FAULT_RANGES);
                    break;
                }
            }
            /* Every range had its turn, unless the number of other calls, which is a
               matter of timing, changed in between. */
            if (only == IL_IO_READ)
                assert_int_equal(seen, FAULT_RANGES * fault[f].failed_max);
        }
        il_ring_file_close(&file);
    }
}

static void faults_that_stay_are_survived_or_said(void **state)
{
    (void)state;
    struct il_ring_about about;
    const enum il_ring_kind kind[2] = {IL_RING_PREAD, IL_RING_AUTO};
    struct il_ring_file file = file_of(put(0, BYTES));
    for (unsigned i = 0; i < 2; i++) {
        for (long k = 1; k <= 12; k++) {
            unit_fail_io(k, IL_IO_READ, IL_IO_SHORT, 1);
            assert_int_equal(read_with_faults(kind[i], &file, "", &about), 0);
            unit_fail_io(k, IL_IO_READ, EIO, 1);
            unsigned failed = read_with_faults(kind[i], &file, "cannot read", &about);
            assert_int_equal(failed, k > 6 ? 0 : 7 - k);
            unit_fail_io(k, -1, EIO, 1);
            read_with_faults(kind[i], &file, "cannot read", &about);
            unit_no_faults();
        }
    }
    il_ring_file_close(&file);
}

/* The kernel stops taking requests at each call: whatever was under way, all bytes come,
   and the log has one line. */
static void io_uring_that_breaks_leaves_the_rest_to_pread(void **state)
{
    (void)state;
    struct il_ring_about about;
    if (!uring_here())
        skip();
    struct il_ring_file file = file_of(put(0, BYTES));
    const int verdict[] = {EPERM, ENOSYS, EBADF};
    unsigned broken = 0;
    for (int i = 0; i < 6; i++) {
        for (long k = 1;; k++) {
            unit_fail_io(k, IL_IO_RING_ENTER, verdict[i / 2], i % 2);
            assert_int_equal(read_with_faults(IL_RING_AUTO, &file, "", &about), 0);
            long calls = unit_fault.calls;
            unit_no_faults();
            if (calls < k)
                break;
            assert_int_equal(logged, 1);
            assert_int_equal(about.kind, k == 1 ? IL_RING_PREAD : IL_RING_URING);
            assert_int_equal(about.broken, k > 1);
            broken += (unsigned)about.broken;
        }
        assert_int_equal(logged, 0);
    }
    assert_true(broken > 6);
    /* Resources that never come back. */
    unit_fail_io(3, IL_IO_RING_ENTER, EAGAIN, 1);
    assert_int_equal(read_with_faults(IL_RING_AUTO, &file, "", &about), 0);
    assert_true(about.broken);
    unit_no_faults();
    il_ring_file_close(&file);
}

static void a_refusal_is_said_once(void **state)
{
    (void)state;
    struct il_error error;
    struct il_ring_about about;
    struct il_ring_file file = file_of(put(0, BYTES));
    const int reason[] = {EPERM, ENOSYS, EACCES, ENOMEM, EMFILE};
    for (unsigned i = 0; i < 5; i++) {
        char text[100];
        unit_fail_io(1, IL_IO_RING_SETUP, reason[i], 0);
        assert_int_equal(read_with_faults(IL_RING_AUTO, &file, "", &about), 0);
        assert_int_equal(about.kind, IL_RING_PREAD);
        assert_int_equal(logged, 1);
        if (unit_fault.calls) { /* this build has io_uring */
            snprintf(text, sizeof(text), "io_uring cannot be used, reading by pread (%s)",
                     strerror(reason[i]));
            assert_string_equal(log_text, text);
        }
        /* Whoever insists on it gets an error instead. */
        unit_fail_io(1, IL_IO_RING_SETUP, reason[i], 0);
        struct il_ring *ring = NULL;
        struct il_ring_config config = config_of(IL_RING_URING, 4096, 2);
        assert_int_equal(il_ring_open(&ring, &config, &error), IL_EIO);
        unit_says(&error, "io_uring: cannot be used: ");
        assert_null(ring);
        assert_int_equal(logged, 0);
    }
    if (uring_here()) {
        unit_fail_io(1, IL_IO_RING_REGISTER, ENOMEM, 0);
        assert_int_equal(read_with_faults(IL_RING_AUTO, &file, "", &about), 0);
        assert_int_equal(about.kind, IL_RING_URING);
        assert_false(about.registered);
        assert_string_equal(
            log_text,
            "io_uring: reading without registered buffers (Cannot allocate memory)");
        assert_int_equal(logged, 1);
    }
    unit_no_faults();
    /* Without a log nothing is said, and all else is the same. */
    struct il_ring *ring = NULL;
    struct il_ring_config config = config_of(IL_RING_AUTO, 4096, 2);
    config.log = NULL;
    unit_fail_io(1, IL_IO_RING_SETUP, EPERM, 0);
    assert_int_equal(il_ring_open(&ring, &config, &error), IL_OK);
    unit_no_faults();
    il_ring_close(&ring);
    il_ring_file_close(&file);
}

static void every_failing_call_of_opening_is_survived_or_said(void **state)
{
    (void)state;
    struct il_error error;
    struct il_ring_file file;
    const char *path = put(0, BYTES);
    for (long k = 1;; k++) {
        unit_fail_io(k, -1, EIO, 0);
        enum il_status status = il_ring_file_open(&file, path, &error);
        long calls = unit_fault.calls;
        unit_no_faults();
        if (status == IL_OK) {
            assert_true(k >= 3);
            if (k <= 4 && calls >= k) /* open, stat, and the two of the direct way */
                assert_int_equal(file.direct, -1);
            il_ring_file_close(&file);
        } else {
            assert_int_equal(status, IL_EIO);
            assert_true(k < 3);
            unit_says(&error, "random: cannot ");
        }
        if (calls < k)
            break;
    }
}

static enum il_status open_and_read(void *context)
{
    struct il_ring *ring = NULL;
    struct il_ring_block block;
    struct il_ring_config config = config_of(IL_RING_AUTO, 4096, 2);
    enum il_status status = il_ring_open(&ring, &config, NULL);
    if (status == IL_OK)
        status = il_ring_submit(ring, context, 5, 500, 1, NULL);
    if (status == IL_OK)
        status = il_ring_wait(ring, &block, NULL);
    il_ring_close(&ring);
    return status;
}

static void no_memory_leaks_nothing(void **state)
{
    (void)state;
    struct il_ring_file file = file_of(put(0, BYTES));
    assert_true(unit_starve(open_and_read, &file) >= 4);
    il_ring_file_close(&file);
}

/* ---- threads and processes */

static void *submit_and_end(void *context)
{
    struct il_ring *ring = ((void **)context)[0];
    struct il_ring_file *file = ((void **)context)[1];
    for (unsigned i = 0; i < 8; i++) {
        if (il_ring_submit(ring, file, 4096 * i, 4096, i, NULL) != IL_OK)
            return ring;
    }
    return NULL;
}

/* The kernel gives up the reads of a thread that ends. */
static void reads_of_a_thread_that_ended_still_come(void **state)
{
    (void)state;
    struct il_error error;
    struct il_ring_file file = file_of(put(0, BYTES));
    for (unsigned round = 0; round < 20; round++) {
        struct il_ring *ring = ring_of(IL_RING_AUTO, 4096, 8);
        void *context[2] = {ring, &file}, *result = NULL;
        pthread_t thread;
        assert_int_equal(pthread_create(&thread, NULL, submit_and_end, context), 0);
        pthread_join(thread, &result);
        assert_null(result);
        for (unsigned i = 0; i < 8; i++) {
            struct il_ring_block block;
            assert_int_equal(il_ring_wait(ring, &block, &error), IL_OK);
            assert_memory_equal(block.data, bytes_of_file + block.offset, 4096);
        }
        il_ring_close(&ring);
    }
    il_ring_file_close(&file);
}

/* From here on a system call fails in this process, as under the filters of containers.
   0 where filters cannot be had. */
static int forbid(unsigned call, unsigned number)
{
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, call, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | number),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {.len = 4, .filter = code};
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
           prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

#define CANNOT_TEST 255
/* In a child: no cmocka there, the line that failed is its result. */
#define NEED(e)                                                                          \
    do {                                                                                 \
        if (!(e))                                                                        \
            return __LINE__;                                                             \
    } while (0)

static struct {
    unsigned call, number;
    int late; /* the filter comes when reads are under way */
    int limited;
    struct il_ring_file file;
} child;

/* Reads by a ring that was opened under the filter, or before it. */
static int read_forbidden(struct il_ring_about *about)
{
    struct il_error error;
    struct il_ring *ring = NULL;
    struct il_ring_config config = config_of(IL_RING_AUTO, 5000, 4);
    if (child.limited) {
        const struct rlimit none = {0, 0};
        if (setrlimit(RLIMIT_MEMLOCK, &none) != 0 ||
            (geteuid() == 0 && setuid(65534) != 0))
            return CANNOT_TEST;
    } else if (!child.late && !forbid(child.call, child.number)) {
        return CANNOT_TEST;
    }
    NEED(il_ring_open(&ring, &config, &error) == IL_OK);
    for (unsigned round = 0; round < 30; round++) {
        struct il_ring_block block;
        for (unsigned i = 0; i < 4; i++)
            NEED(il_ring_submit(ring, &child.file, 4999 * (round + i), 5000, i, &error) ==
                 IL_OK);
        if (round == 5 && child.late && !forbid(child.call, child.number))
            return CANNOT_TEST;
        for (unsigned i = 0; i < 4; i++) {
            NEED(il_ring_wait(ring, &block, &error) == IL_OK);
            NEED(memcmp(block.data, bytes_of_file + block.offset, 5000) == 0);
            il_ring_release(ring, &block);
        }
    }
    *about = about_of(ring);
    il_ring_close(&ring);
    return 0;
}

/* What the child has to say; its line when it failed. */
struct verdict {
    int line;
    unsigned logged;
    struct il_ring_about about;
    char text[200];
};

static struct verdict read_in_child(void)
{
    struct verdict verdict = {0};
    int ends[2], status = 0;
    assert_int_equal(pipe(ends), 0);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        verdict.line = read_forbidden(&verdict.about);
        verdict.logged = logged;
        snprintf(verdict.text, sizeof(verdict.text), "%s", log_text);
        _exit(write(ends[1], &verdict, sizeof(verdict)) != sizeof(verdict));
    }
    close(ends[1]);
    assert_int_equal(read(ends[0], &verdict, sizeof(verdict)), sizeof(verdict));
    close(ends[0]);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    return verdict;
}

static void forbid_in_child(unsigned call, unsigned number, int late)
{
    child.call = call;
    child.number = number;
    child.late = late;
}

static void filters_that_forbid_io_uring_mean_pread(void **state)
{
    (void)state;
    const unsigned reasons[] = {EPERM, ENOSYS, EACCES, ENOMEM};
    child.file = file_of(put(0, BYTES));
    child.limited = 0;
    int here = uring_here();
    int can_test = 1;
    /* At the setup, and a filter that lets only the setup pass. */
    for (unsigned i = 0; i < 8 && can_test; i++) {
        forbid_in_child(i < 4 ? SYS_io_uring_setup : SYS_io_uring_enter, reasons[i % 4],
                        0);
        struct verdict v = read_in_child();
        can_test = v.line != CANNOT_TEST;
        if (!can_test)
            break;
        assert_int_equal(v.line, 0);
        assert_int_equal(v.about.kind, IL_RING_PREAD);
        assert_int_equal(v.logged, 1);
        if (here)
            assert_non_null(strstr(v.text, strerror((int)reasons[i % 4])));
    }
    if (here && can_test) {
        forbid_in_child(SYS_io_uring_register, EPERM, 0);
        struct verdict v = read_in_child();
        assert_int_equal(v.line, 0);
        assert_int_equal(v.about.kind, IL_RING_URING);
        assert_false(v.about.registered);
        assert_int_equal(v.logged, 1);
        /* In the middle of a run, reads under way. */
        forbid_in_child(SYS_io_uring_enter, EPERM, 1);
        v = read_in_child();
        assert_int_equal(v.line, 0);
        assert_true(v.about.broken);
        assert_int_equal(v.logged, 1);
    }
    il_ring_file_close(&child.file);
    if (!can_test)
        skip();
}

static void memory_that_may_not_be_locked_is_no_obstacle(void **state)
{
    (void)state;
    if (!uring_here())
        skip();
    child.file = file_of(put(0, BYTES));
    child.limited = 1;
    struct verdict v = read_in_child();
    child.limited = 0;
    il_ring_file_close(&child.file);
    if (v.line == CANNOT_TEST)
        skip();
    assert_int_equal(v.line, 0);
    assert_int_equal(v.logged, 1);
    /* Older kernels count the ring itself too. */
    if (v.about.kind == IL_RING_URING) {
        assert_false(v.about.registered);
        assert_false(v.about.broken);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_backends_read_what_the_file_holds),
        cmocka_unit_test(arguments_are_checked),
        cmocka_unit_test(reads_complete_in_any_order),
        cmocka_unit_test(held_blocks_stay_as_they_are),
        cmocka_unit_test(a_ring_is_used_again_after_reads_were_dropped),
        cmocka_unit_test(a_file_cut_meanwhile_ends_where_it_does),
        cmocka_unit_test(what_is_no_plain_file_is_tried_or_refused),
        cmocka_unit_test(each_failing_call_costs_one_range_or_none),
        cmocka_unit_test(faults_that_stay_are_survived_or_said),
        cmocka_unit_test(io_uring_that_breaks_leaves_the_rest_to_pread),
        cmocka_unit_test(a_refusal_is_said_once),
        cmocka_unit_test(every_failing_call_of_opening_is_survived_or_said),
        cmocka_unit_test(no_memory_leaks_nothing),
        cmocka_unit_test(reads_of_a_thread_that_ended_still_come),
        cmocka_unit_test(filters_that_forbid_io_uring_mean_pread),
        cmocka_unit_test(memory_that_may_not_be_locked_is_no_obstacle),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
