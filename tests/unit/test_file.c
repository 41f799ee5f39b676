/* SPDX-License-Identifier: Apache-2.0 */
#include <pthread.h>
#include <signal.h>
#include "tests/unit/unit.h"

static void a_file_is_read_whole(void **state)
{
    (void)state;
    struct il_error error;
    unsigned char *text = NULL;
    size_t bytes = 0;
    const char *path = unit_put("whole", "ab\0cd", 5);
    assert_int_equal(il_file_load(path, 5, &text, &bytes, &error), IL_OK);
    assert_int_equal(bytes, 5);
    assert_memory_equal(text, "ab\0cd", 6);
    il_free(text);
    path = unit_text("none", "");
    assert_int_equal(il_file_load(path, 5, &text, &bytes, &error), IL_OK);
    assert_int_equal(bytes, 0);
    assert_int_equal(text[0], 0);
    il_free(text);
}

static void what_cannot_be_read_is_said(void **state)
{
    (void)state;
    struct il_error error;
    unsigned char *text = (void *)1;
    size_t bytes = 0;
    assert_int_equal(il_file_load(unit_path("absent"), 5, &text, &bytes, &error), IL_EIO);
    assert_null(text);
    unit_says(&error, "absent: cannot open: No such file");
    assert_int_equal(il_file_load(unit_dir, 5, &text, &bytes, &error), IL_EIO);
    unit_says(&error, "is a directory");
    const char *path = unit_text("six", "123456");
    assert_int_equal(il_file_load(path, 5, &text, &bytes, &error), IL_ELIMIT);
    unit_says(&error, "more than 5 bytes");
    assert_null(text);
}

/* A sparse file of 2^50 bytes must fail before it is allocated. */
static void a_huge_file_allocates_nothing(void **state)
{
    (void)state;
    struct il_error error;
    unsigned char *text = NULL;
    size_t bytes = 0;
    const char *path = unit_text("sparse", "");
    if (truncate(path, (off_t)1 << 40) != 0)
        skip();
    il_alloc_fail_at(0);
    assert_int_equal(il_file_load(path, 1 << 20, &text, &bytes, &error), IL_ELIMIT);
    assert_int_equal(il_alloc_calls(), 0);
    unlink(path);
}

static void *feed(void *argument)
{
    FILE *pipe = fopen(argument, "wb");
    for (int i = 0; pipe && i < 300000; i++)
        fputc('a' + i % 26, pipe);
    if (pipe)
        fclose(pipe);
    return NULL;
}

static void pipes_are_read_by_growing(void **state)
{
    (void)state;
    struct il_error error;
    unsigned char *text = NULL;
    size_t bytes = 0;
    const char *path = unit_path("fifo");
    assert_int_equal(mkfifo(path, 0600), 0);
    for (int limited = 0; limited < 2; limited++) {
        pthread_t feeder;
        /* The feeder may be cut off by the reader. */
        assert_int_equal(pthread_create(&feeder, NULL, feed, (void *)path), 0);
        enum il_status status =
            il_file_load(path, limited ? 299999 : 300000, &text, &bytes, &error);
        pthread_join(feeder, NULL);
        assert_int_equal(status, limited ? IL_ELIMIT : IL_OK);
        if (limited)
            break;
        assert_int_equal(bytes, 300000);
        for (size_t i = 0; i < bytes; i++)
            assert_int_equal(text[i], 'a' + i % 26);
        il_free(text);
    }
    unlink(path);
}

static void files_of_proc_say_no_size(void **state)
{
    (void)state;
    struct il_error error;
    unsigned char *text = NULL;
    size_t bytes = 0;
    assert_int_equal(il_file_load("/proc/self/status", 1 << 20, &text, &bytes, &error),
                     IL_OK);
    assert_true(bytes > 10 && memcmp(text, "Name:", 5) == 0);
    il_free(text);
}

static void ranges_are_read_exactly(void **state)
{
    (void)state;
    struct il_error error;
    struct il_file file;
    char out[4] = {0};
    const char *path = unit_text("range", "0123456789");
    assert_int_equal(il_file_open(&file, path, &error), IL_OK);
    assert_int_equal(file.size, 10);
    assert_int_equal(il_file_read_at(&file, 3, out, 3, &error), IL_OK);
    assert_string_equal(out, "345");
    assert_int_equal(il_file_read_at(&file, 8, out, 3, &error), IL_EIO);
    unit_says(&error, "byte 10: the file ends here");
    /* Cut by somebody else while it is read. */
    assert_int_equal(truncate(path, 4), 0);
    assert_int_equal(il_file_read_at(&file, 3, out, 3, &error), IL_EIO);
    unit_says(&error, "byte 4: the file ends here, it had 10 bytes");
    il_file_close(&file);
}

static void every_call_that_fails_is_reported(void **state)
{
    (void)state;
    struct il_error error;
    unsigned char *text = NULL;
    size_t bytes = 0;
    const char *paths[2] = {unit_text("k", "0123456789"), "/proc/self/status"};
    for (int p = 0; p < 2; p++) {
        for (long k = 1;; k++) {
            unit_fail_io(k, -1, EIO, 0);
            enum il_status status =
                il_file_load(paths[p], 1 << 20, &text, &bytes, &error);
            unit_no_faults();
            if (unit_fault.calls < k) {
                assert_int_equal(status, IL_OK);
                assert_true(k >= 4); /* open, stat, read */
                il_free(text);
                break;
            }
            assert_int_equal(status, IL_EIO);
            assert_null(text);
            unit_says(&error, "Input/output error");
        }
    }
}

static void interruptions_and_short_reads_are_not_seen(void **state)
{
    (void)state;
    struct il_error error;
    unsigned char *text = NULL;
    size_t bytes = 0;
    const char *path = unit_text("short", "0123456789");
    static const int verdicts[] = {EINTR, EAGAIN, IL_IO_SHORT};
    for (size_t v = 0; v < 3; v++) {
        for (long k = 1; k < 20; k++) {
            unit_fail_io(k, IL_IO_READ, verdicts[v], verdicts[v] == IL_IO_SHORT);
            assert_int_equal(il_file_load(path, 100, &text, &bytes, &error), IL_OK);
            assert_string_equal((char *)text, "0123456789");
            il_free(text);
        }
    }
    unit_fail_io(1, IL_IO_OPEN, EINTR, 0);
    assert_int_equal(il_file_load(path, 100, &text, &bytes, &error), IL_OK);
    il_free(text);
    unit_no_faults();
}

static enum il_status load_one(void *context)
{
    unsigned char *text = NULL;
    size_t bytes = 0;
    enum il_status status = il_file_load(context, 1 << 20, &text, &bytes, NULL);
    il_free(text);
    return status;
}

static void no_memory_leaks_nothing(void **state)
{
    (void)state;
    assert_int_equal(unit_starve(load_one, (void *)unit_text("m", "x")), 1);
    assert_int_equal(unit_starve(load_one, (void *)"/proc/self/status"), 1);
}

/* A file that grows, and is cut, under its reader. */
static void growing_files_are_measured(void **state)
{
    (void)state;
    struct il_error error;
    struct il_file file;
    const char *path = unit_text("grows", "12345");
    assert_int_equal(il_file_open(&file, path, &error), IL_OK);
    unit_text("grows", "1234567");
    assert_int_equal(file.size, 5);
    assert_int_equal(il_file_measure(&file, &error), IL_OK);
    assert_int_equal(file.size, 7);
    assert_int_equal(il_file_sync(&file, &error), IL_OK);
    assert_int_equal(truncate(path, 2), 0);
    assert_int_equal(il_file_measure(&file, &error), IL_OK);
    assert_int_equal(file.size, 2);
    unit_fail_io(1, IL_IO_STAT, EIO, 0);
    assert_int_equal(il_file_measure(&file, &error), IL_EIO);
    unit_says(&error, "grows: cannot examine");
    unit_fail_io(1, IL_IO_SYNC, EIO, 0);
    assert_int_equal(il_file_sync(&file, &error), IL_EIO);
    unit_says(&error, "grows: cannot sync");
    /* Where nothing can be written nothing waits. */
    unit_fail_io(1, IL_IO_SYNC, EROFS, 0);
    assert_int_equal(il_file_sync(&file, &error), IL_OK);
    unit_no_faults();
    il_file_close(&file);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_file_is_read_whole),
        cmocka_unit_test(what_cannot_be_read_is_said),
        cmocka_unit_test(a_huge_file_allocates_nothing),
        cmocka_unit_test(pipes_are_read_by_growing),
        cmocka_unit_test(files_of_proc_say_no_size),
        cmocka_unit_test(ranges_are_read_exactly),
        cmocka_unit_test(every_call_that_fails_is_reported),
        cmocka_unit_test(interruptions_and_short_reads_are_not_seen),
        cmocka_unit_test(no_memory_leaks_nothing),
        cmocka_unit_test(growing_files_are_measured),
    };
    /* The reader may hang up while the feeder still writes. */
    signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, unit_setup, unit_teardown);
}
