/* SPDX-License-Identifier: Apache-2.0 */
/* The bound on resident memory: what is large goes to scratch files, and comes back. */
#include <isolink/memory.h>

#include <sys/mman.h>
#include <sys/resource.h>

#include "src/base/base.h"
#include "src/io/dir.h"
#include "tests/unit/unit.h"

#define MIB ((size_t)1 << 20)

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED 1
#endif
#endif
#ifndef SANITIZED
#define SANITIZED 0
#endif

/* A limit that a sanitizer's own memory does not reach. */
static void limit_to(size_t mib)
{
    struct il_memory_config config;
    struct il_error error = {""};
    il_memory_config_init(&config);
    config.limit_bytes = (SANITIZED ? 64 * mib : mib) * MIB;
    config.scratch = unit_dir;
    assert_int_equal(il_memory_limit(&config, &error), IL_OK);
}

static struct il_memory_use use(void)
{
    struct il_memory_use out;
    il_memory_describe(&out);
    return out;
}

static size_t resident_mib(void)
{
    size_t pages = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    assert_non_null(file);
    assert_int_equal(fscanf(file, "%*u %zu", &pages), 1);
    fclose(file);
    return pages * (size_t)sysconf(_SC_PAGESIZE) / MIB;
}

static void refuses(const struct il_memory_config *config, enum il_status wanted,
                    const char *words)
{
    struct il_error error = {""};
    assert_int_equal(il_memory_limit(config, &error), wanted);
    assert_non_null(strstr(error.text, words));
}

static void limits_that_cannot_be_are_refused(void **state)
{
    (void)state;
    struct il_memory_config config;
    il_memory_config_init(&config);
    config.scratch = unit_dir;
    config.limit_bytes = IL_MEMORY_MIN - 1;
    refuses(&config, IL_ELIMIT, "127 MiB are too few, wanted 128 MiB");
    config.limit_bytes = IL_MEMORY_MIN;
    config.scratch = unit_path("nowhere");
    refuses(&config, IL_EIO, "nowhere: cannot hold scratch files: No such file");
    limit_to(128);
    config.scratch = unit_dir;
    refuses(&config, IL_EARG, "set already");
    il_memory_unlimit();
    il_memory_unlimit();
}

static void what_is_in_use_already_counts(void **state)
{
    (void)state;
    unsigned char *block = il_alloc(100 * MIB, 1);
    assert_non_null(block);
    memset(block, 1, 100 * MIB);
    struct il_memory_config config;
    il_memory_config_init(&config);
    config.scratch = unit_dir;
    config.limit_bytes = IL_MEMORY_MIN;
    refuses(&config, IL_ELIMIT, "MiB are in use already");
    il_free(block);
}

static void large_blocks_lie_in_files(void **state)
{
    (void)state;
    limit_to(128);
    unsigned char *small = il_alloc(1000, 1);
    assert_int_equal(use().scratch_bytes, 0);
    unsigned char *a = il_alloc_zero(3 * MIB, 1), *b = il_alloc(5 * MIB, 1);
    assert_true(use().scratch_bytes >= 8 * MIB && use().scratch_bytes < 9 * MIB);
    assert_int_equal((uintptr_t)a % 64, 0);
    for (size_t i = 0; i < 3 * MIB; i++) {
        assert_int_equal(a[i], 0);
        a[i] = (unsigned char)(i % 251);
    }
    a = il_realloc(a, 3 * MIB, 7 * MIB);
    for (size_t i = 0; i < 3 * MIB; i++) {
        assert_int_equal(a[i], i % 251);
    }
    memset(a + 3 * MIB, 1, 4 * MIB + 64); /* the padding too */
    il_free(b);
    il_free(small);
    il_memory_unlimit();
    assert_int_equal(a[100], 100); /* outlives the limit */
    il_free(a);
    assert_int_equal(use().scratch_bytes, 0);
    assert_true(use().scratch_bytes_max >= 10 * MIB);
    a = il_alloc(3 * MIB, 1); /* from the allocator again */
    assert_int_equal(use().scratch_bytes, 0);
    il_free(a);
}

/* Hot ones stay, up to a share of the limit; their pages are not given back: they would
   be lost. */
static void hot_blocks_stay_in_memory(void **state)
{
    (void)state;
    enum { MOST = 64 };
    unsigned char *block[MOST];
    size_t count = 0;
    if (SANITIZED) {
        skip(); /* a share of so large a limit takes minutes to write */
    }
    limit_to(128);
    const size_t bytes = use().limit_bytes / 40;
    for (; count < MOST && use().scratch_bytes == 0; count++) {
        block[count] = il_alloc_hot(bytes, 1);
        assert_non_null(block[count]);
        memset(block[count], (int)count + 1, bytes);
    }
    assert_in_range(count, 6, 9);
    uint64_t before = use().releases;
    for (int i = 0; i < 100 && use().releases == before; i++) {
        unsigned char *more = il_alloc(4 * bytes, 20);
        assert_non_null(more);
        il_clear(more, 80 * bytes);
        il_free(more);
    }
    assert_true(use().releases > before);
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(block[i][0], i + 1);
        assert_int_equal(block[i][bytes / 2], i + 1);
        il_free(block[i]);
    }
    /* What is free again counts no more. */
    block[0] = il_alloc_hot(bytes, 1);
    assert_int_equal(use().scratch_bytes, 0);
    il_free(block[0]);
    il_memory_unlimit();
}

/* Rows here and there come as they are, past the mapping; only those of large blocks, and
   from as many as there may be. */
static void rows_are_gathered_past_the_mapping(void **state)
{
    (void)state;
    enum { ROWS = 4096, LENGTH = 300, BLOCKS = 300 };
    static const uint32_t rows[] = {4095, 0, 17, 17, 4000};
    static uint32_t *block[BLOCKS], out[5 * LENGTH];
    uint32_t *small = il_alloc(100, 1);
    limit_to(128);
    assert_int_equal(il_large_gather(small, 4, rows, 1, out), 0);
    for (size_t b = 0; b < BLOCKS; b++) {
        block[b] = il_alloc(b == 0 ? ROWS * LENGTH : (size_t)1 << 18, sizeof(uint32_t));
        assert_non_null(block[b]);
    }
    for (uint32_t i = 0; i < ROWS * LENGTH; i++)
        block[0][i] = i;
    assert_int_equal(il_large_gather(block[0], LENGTH * 4, rows, 5, out), 1);
    for (size_t i = 0; i < 5; i++)
        for (uint32_t q = 0; q < LENGTH; q++)
            assert_int_equal(out[i * LENGTH + q], rows[i] * LENGTH + q);
    /* From the middle of one it is as from none; so it is without an open file. */
    assert_int_equal(il_large_gather(block[0] + LENGTH, LENGTH * 4, rows, 1, out), 0);
    block[BLOCKS - 1][0] = 7;
    assert_int_equal(il_large_gather(block[BLOCKS - 1], 4, rows + 1, 1, out), 0);
    assert_int_equal(block[BLOCKS - 1][0], 7);
    for (size_t b = 0; b < BLOCKS; b++)
        il_free(block[b]);
    /* Their files are closed: others may stay open. */
    block[0] = il_alloc((size_t)1 << 18, sizeof(uint32_t));
    assert_int_equal(il_large_gather(block[0], 4, rows, 1, out), 1);
    il_free(block[0]);
    il_memory_unlimit();
    il_free(small);
    assert_int_equal(il_large_gather(out, 4, rows, 1, out), 0);
}

/* Three times the limit is written and read back. */
static void resident_memory_stays_below(void **state)
{
    (void)state;
    enum { WORDS = 384 * 1024 * 128 };
    limit_to(128);
    uint64_t *block = il_alloc(WORDS, sizeof *block);
    assert_non_null(block);
    size_t most = 0;
    for (size_t i = 0; i < WORDS; i++) {
        block[i] = i * 0x9e3779b97f4a7c15u;
        if (i % MIB == 0) {
            il_large_look();
            size_t now = resident_mib();
            most = now > most ? now : most;
        }
    }
    uint64_t wrong = 0;
    for (size_t i = 0; i < WORDS; i++) {
        wrong += block[i] != i * 0x9e3779b97f4a7c15u;
    }
    assert_int_equal(wrong, 0);
    if (!SANITIZED) {
        assert_true(most < 128);
        assert_true(use().releases >= 3);
    }
    il_free(block);
    il_memory_unlimit();
}

/* Their pages are given back with those of the scratch files. */
static void mapped_files_count_too(void **state)
{
    (void)state;
    enum { BYTES = 400 << 20 };
    struct il_error error;
    struct il_file file;
    struct il_map map;
    const char *path = unit_text("mapped", "x");
    assert_int_equal(truncate(path, BYTES), 0);
    assert_int_equal(il_file_open(&file, path, &error), IL_OK);
    assert_int_equal(il_map_open(&map, &file, &error), IL_OK);
    limit_to(128);
    size_t most = 0, sum = 0;
    for (size_t i = 0; i < BYTES; i += 4096) {
        sum += map.data[i];
        if (i % MIB == 0) {
            il_large_look();
            size_t now = resident_mib();
            most = now > most ? now : most;
        }
    }
    assert_int_equal(sum, 'x');
    if (!SANITIZED) {
        assert_true(most < 128);
    }
    void *place = (void *)(uintptr_t)map.data;
    il_map_close(&map);
    il_file_close(&file);
    /* It is watched no more: what is at its place now keeps its pages. */
    unsigned char *own = mmap(place, MIB, PROT_READ | PROT_WRITE,
                              MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
    assert_ptr_equal(own, place);
    memset(own, 7, MIB);
    uint64_t before = use().releases;
    unsigned char *block = il_alloc(200 * MIB, 1);
    assert_non_null(block);
    il_clear(block, 200 * MIB);
    assert_true(SANITIZED || use().releases > before);
    assert_int_equal(own[MIB / 2], 7);
    munmap(own, MIB);
    il_free(block);
    il_memory_unlimit();
}

static void the_least_limit_has_room(void **state)
{
    (void)state;
    assert_int_equal(il_memory_least(0), IL_MEMORY_MIN);
    assert_true(il_memory_least(100 * MIB) >= 200 * MIB);
    assert_int_equal(il_memory_least(100 * MIB) % MIB, 0);
    assert_true(il_memory_least(UINT64_MAX) > (uint64_t)1 << 60);
    limit_to(128);
    unsigned char *room = il_memory_get(3, MIB);
    assert_non_null(room);
    assert_true(use().scratch_bytes >= 3 * MIB);
    memset(room, 1, 3 * MIB);
    il_memory_give(room);
    il_memory_give(NULL);
    assert_int_equal(use().scratch_bytes, 0);
    il_memory_unlimit();
}

static int full(enum il_io_call call)
{
    return call == IL_IO_WRITE ? ENOSPC : 0;
}

static void a_full_disk_is_no_memory(void **state)
{
    (void)state;
    limit_to(128);
    il_io_hook = full;
    assert_null(il_alloc(3 * MIB, 1));
    il_io_hook = NULL;
    assert_non_null(strstr(use().trouble, "3 MiB of scratch more: No space left"));
    void *block = il_alloc(3 * MIB, 1);
    assert_non_null(block);
    il_free(block);
    il_memory_unlimit();
}

/* Room is reserved: what cannot be had is refused before it is touched. */
static void more_than_the_disk_is_refused(void **state)
{
    (void)state;
    limit_to(128);
    assert_null(il_alloc((size_t)1 << 50, 1));
    assert_true(use().trouble[0] != 0);
    il_memory_unlimit();
}

/* Where the system can, the peak of earlier work is forgotten. */
static void the_peak_is_measured_anew(void **state)
{
    (void)state;
    struct rusage before, after;
    unsigned char *block = il_alloc(300 * MIB, 1);
    assert_non_null(block);
    memset(block, 1, 300 * MIB);
    il_free(block);
    assert_int_equal(getrusage(RUSAGE_SELF, &before), 0);
    unit_fail_io(1, IL_IO_OPEN, EACCES, 0);
    assert_int_equal(il_memory_measure(), 0);
    unit_fail_io(1, IL_IO_WRITE, EIO, 0);
    assert_int_equal(il_memory_measure(), 0);
    unit_no_faults();
    int can = il_memory_measure();
    assert_int_equal(getrusage(RUSAGE_SELF, &after), 0);
#ifndef SANITIZED /* they keep what is freed */
    if (can)
        assert_true(after.ru_maxrss < before.ru_maxrss - 200 * 1024);
#endif
    (void)can;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(limits_that_cannot_be_are_refused),
        cmocka_unit_test(what_is_in_use_already_counts),
        cmocka_unit_test(large_blocks_lie_in_files),
        cmocka_unit_test(hot_blocks_stay_in_memory),
        cmocka_unit_test(rows_are_gathered_past_the_mapping),
        cmocka_unit_test(resident_memory_stays_below),
        cmocka_unit_test(mapped_files_count_too),
        cmocka_unit_test(the_least_limit_has_room),
        cmocka_unit_test(a_full_disk_is_no_memory),
        cmocka_unit_test(more_than_the_disk_is_refused),
        cmocka_unit_test(the_peak_is_measured_anew),
    };
    return cmocka_run_group_tests_name("scratch", tests, unit_setup, unit_teardown);
}
