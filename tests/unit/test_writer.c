/* SPDX-License-Identifier: Apache-2.0 */
#include <pthread.h>
#include "tests/unit/unit.h"

/* Larger than the writer's buffer, so that writes happen before the end too. */
#define LARGE (700 * 1000)

static enum il_status write_text(const char *path, const char *text, size_t bytes,
                                 struct il_error *error)
{
    struct il_writer *writer = NULL;
    enum il_status status = il_writer_open(&writer, path, error);
    if (status == IL_OK)
        status = il_writer_put(writer, text, bytes, error);
    if (status == IL_OK)
        status = il_writer_close(&writer, error);
    il_writer_abort(&writer);
    return status;
}

static void a_file_appears_whole(void **state)
{
    (void)state;
    struct il_error error;
    const char *path = unit_path("new");
    struct il_writer *writer = NULL;
    assert_int_equal(il_writer_open(&writer, path, &error), IL_OK);
    assert_int_equal(il_writer_put(writer, "one ", 4, &error), IL_OK);
    assert_int_equal(il_writer_put(writer, "", 0, &error), IL_OK);
    assert_int_equal(access(path, F_OK), -1);
    assert_int_equal(unit_temps(), 1);
    assert_int_equal(il_writer_put(writer, "two", 3, &error), IL_OK);
    assert_int_equal(il_writer_close(&writer, &error), IL_OK);
    assert_null(writer);
    unit_expect(path, "one two");
    assert_int_equal(unit_temps(), 0);
}

static void an_abort_leaves_nothing(void **state)
{
    (void)state;
    struct il_error error;
    const char *path = unit_text("kept", "old");
    struct il_writer *writer = NULL;
    assert_int_equal(il_writer_open(&writer, path, &error), IL_OK);
    assert_int_equal(il_writer_put(writer, "new", 3, &error), IL_OK);
    il_writer_abort(&writer);
    assert_null(writer);
    unit_expect(path, "old");
    assert_int_equal(unit_temps(), 0);
    il_writer_abort(&writer);
}

static void large_contents_arrive_whole(void **state)
{
    (void)state;
    struct il_error error;
    const char *path = unit_path("large");
    char *text = malloc(LARGE);
    size_t bytes = 0;
    for (size_t i = 0; i < LARGE; i++)
        text[i] = (char)('a' + i % 23);
    static const size_t steps[] = {1, 1000, 262143, 262144, 262145, LARGE};
    for (size_t s = 0; s < sizeof(steps) / sizeof(*steps); s++) {
        struct il_writer *writer = NULL;
        assert_int_equal(il_writer_open(&writer, path, &error), IL_OK);
        for (size_t i = 0; i < LARGE; i += steps[s]) {
            size_t part = LARGE - i < steps[s] ? LARGE - i : steps[s];
            assert_int_equal(il_writer_put(writer, text + i, part, &error), IL_OK);
        }
        assert_int_equal(il_writer_close(&writer, &error), IL_OK);
        char *got = unit_get(path, &bytes);
        assert_int_equal(bytes, LARGE);
        assert_memory_equal(got, text, LARGE);
        free(got);
    }
    free(text);
}

static void permissions_of_the_target_are_kept(void **state)
{
    (void)state;
    struct il_error error;
    struct stat about;
    const char *path = unit_text("private", "old");
    assert_int_equal(chmod(path, 0600), 0);
    assert_int_equal(write_text(path, "new", 3, &error), IL_OK);
    assert_int_equal(stat(path, &about), 0);
    assert_int_equal(about.st_mode & 0777, 0600);
    mode_t mask = umask(027);
    assert_int_equal(write_text(unit_path("masked"), "new", 3, &error), IL_OK);
    umask(mask);
    assert_int_equal(stat(unit_path("masked"), &about), 0);
    assert_int_equal(about.st_mode & 0777, 0640);
}

static void links_are_followed_not_replaced(void **state)
{
    (void)state;
    struct il_error error;
    struct stat about;
    const char *path = unit_text("real", "old"), *link = unit_path("link");
    assert_int_equal(symlink(path, link), 0);
    assert_int_equal(write_text(link, "new", 3, &error), IL_OK);
    unit_expect(path, "new");
    assert_int_equal(lstat(link, &about), 0);
    assert_true(S_ISLNK(about.st_mode));
    unlink(path);
    assert_int_equal(write_text(link, "new", 3, &error), IL_EIO);
    unit_says(&error, "leads nowhere");
    unlink(link);
}

static void names_without_folder_work(void **state)
{
    (void)state;
    struct il_error error;
    char before[4096];
    assert_non_null(getcwd(before, sizeof(before)));
    assert_int_equal(chdir(unit_dir), 0);
    assert_int_equal(write_text("bare", "x", 1, &error), IL_OK);
    unit_expect("bare", "x");
    assert_int_equal(chdir(before), 0);
    /* A name of the greatest length: the temporary one must not be longer. */
    char name[256];
    memset(name, 'n', 255);
    name[255] = 0;
    assert_int_equal(write_text(unit_path(name), "x", 1, &error), IL_OK);
    assert_int_equal(unit_temps(), 0);
}

static void what_cannot_be_written_is_said(void **state)
{
    (void)state;
    struct il_error error;
    assert_int_equal(write_text(unit_path("no/such/x"), "x", 1, &error), IL_EIO);
    unit_says(&error, "cannot open its directory: No such file");
    assert_int_equal(write_text(unit_dir, "x", 1, &error), IL_EIO);
    unit_says(&error, "is a directory");
    assert_int_equal(write_text("", "x", 1, &error), IL_EIO);
    assert_int_equal(write_text(unit_path("new/"), "x", 1, &error), IL_EIO);
    const char *file = unit_text("plain", "x");
    char below[600];
    snprintf(below, sizeof(below), "%s/x", file);
    assert_int_equal(write_text(below, "x", 1, &error), IL_EIO);
    unit_says(&error, "Not a directory");
    if (geteuid() == 0)
        return; /* root may write everywhere */
    assert_int_equal(chmod(file, 0400), 0);
    assert_int_equal(write_text(file, "x", 1, &error), IL_EIO);
    unit_says(&error, "Permission denied");
    mkdir(unit_path("closed"), 0500);
    assert_int_equal(write_text(unit_path("closed/x"), "x", 1, &error), IL_EIO);
    unit_says(&error, "Permission denied");
}

static void *drain(void *argument)
{
    char *text = unit_get(argument, NULL);
    return text;
}

static void devices_and_pipes_are_written_straight(void **state)
{
    (void)state;
    struct il_error error;
    struct stat about;
    assert_int_equal(write_text("/dev/null", "x", 1, &error), IL_OK);
    assert_int_equal(stat("/dev/null", &about), 0);
    assert_true(S_ISCHR(about.st_mode));
    const char *path = unit_path("fifo");
    assert_int_equal(mkfifo(path, 0600), 0);
    pthread_t reader;
    void *text = NULL;
    assert_int_equal(pthread_create(&reader, NULL, drain, (void *)path), 0);
    assert_int_equal(write_text(path, "through", 7, &error), IL_OK);
    pthread_join(reader, &text);
    assert_string_equal(text, "through");
    free(text);
    assert_int_equal(stat(path, &about), 0);
    assert_true(S_ISFIFO(about.st_mode));
}

static void a_full_device_is_an_error(void **state)
{
    (void)state;
    struct il_error error;
    if (access("/dev/full", W_OK) != 0)
        skip();
    assert_int_equal(write_text("/dev/full", "x", 1, &error), IL_EIO);
    unit_says(&error, "/dev/full: cannot write: No space left");
}

static void standard_output_is_written_to_its_descriptor(void **state)
{
    (void)state;
    struct il_error error;
    const char *path = unit_path("out");
    fflush(stdout);
    int kept = dup(STDOUT_FILENO);
    assert_non_null(freopen(path, "wb", stdout));
    enum il_status status = write_text("-", "data", 4, &error);
    /* Still open afterwards. */
    enum il_status again = write_text("-", "more", 4, &error);
    fflush(stdout);
    dup2(kept, STDOUT_FILENO);
    close(kept);
    assert_int_equal(status, IL_OK);
    assert_int_equal(again, IL_OK);
    unit_expect(path, "datamore");
}

/* Every call of the operating system fails once: an error, no temporary file, the old
   target. The one exception is the sync of the directory, when the new file is there. */
static void each_failing_call_leaves_the_old_file(void **state)
{
    (void)state;
    static const int verdicts[] = {EIO, ENOSPC, EROFS};
    struct il_error error;
    char *text = calloc(1, LARGE);
    memset(text, 'n', LARGE - 1);
    for (size_t v = 0; v < 3; v++) {
        size_t new_ones = 0;
        for (long k = 1;; k++) {
            const char *path = unit_text("target", "old");
            unit_fail_io(k, -1, verdicts[v], 0);
            enum il_status status = write_text(path, text, LARGE - 1, &error);
            unit_no_faults();
            assert_int_equal(unit_temps(), 0);
            char *now = unit_get(path, NULL);
            if (unit_fault.calls < k) {
                assert_int_equal(status, IL_OK);
                assert_string_equal(now, text);
                /* stat, two opens, write, sync, close, rename, sync of the directory */
                assert_true(k > 8);
                free(now);
                break;
            }
            assert_int_equal(status, IL_EIO);
            if (strcmp(now, "old") != 0) {
                assert_string_equal(now, text);
                unit_says(&error, "written whole");
                new_ones++;
            }
            free(now);
        }
        assert_int_equal(new_ones, 1);
    }
    free(text);
}

static void a_disk_that_stays_full_leaves_the_old_file(void **state)
{
    (void)state;
    struct il_error error;
    char *text = calloc(1, LARGE);
    const char *path = unit_text("target", "old");
    for (long k = 1; k <= 2; k++) {
        struct il_writer *writer = NULL;
        unit_fail_io(k, IL_IO_WRITE, ENOSPC, 1);
        assert_int_equal(il_writer_open(&writer, path, &error), IL_OK);
        enum il_status status = IL_OK;
        for (int i = 0; i < 3 && status == IL_OK; i++)
            status = il_writer_put(writer, text, 200000, &error);
        if (status == IL_OK)
            status = il_writer_close(&writer, &error);
        il_writer_abort(&writer);
        unit_no_faults();
        assert_int_equal(status, IL_EIO);
        unit_says(&error, "No space left");
        unit_expect(path, "old");
        assert_int_equal(unit_temps(), 0);
    }
    free(text);
}

static void a_failed_sync_is_not_tried_again(void **state)
{
    (void)state;
    struct il_error error;
    const char *path = unit_text("target", "old");
    unit_fail_io(1, IL_IO_SYNC, EIO, 0);
    assert_int_equal(write_text(path, "new", 3, &error), IL_EIO);
    assert_int_equal(unit_fault.calls, 1);
    unit_no_faults();
    unit_expect(path, "old");
    /* A file system that cannot sync folders: the second sync is the folder's. */
    unit_fail_io(2, IL_IO_SYNC, EINVAL, 0);
    assert_int_equal(write_text(path, "new", 3, &error), IL_OK);
    unit_no_faults();
}

static void interruptions_and_short_writes_are_not_seen(void **state)
{
    (void)state;
    struct il_error error;
    static const struct {
        int call, verdict, ever;
    } tried[] = {{IL_IO_WRITE, EINTR, 0},       {IL_IO_WRITE, EAGAIN, 0},
                 {IL_IO_WRITE, IL_IO_SHORT, 1}, {IL_IO_OPEN, EINTR, 0},
                 {IL_IO_SYNC, EINTR, 0},        {IL_IO_CLOSE, EINTR, 0}};
    const char *path = unit_path("smooth");
    for (size_t t = 0; t < sizeof(tried) / sizeof(*tried); t++) {
        for (long k = 1; k <= 3; k++) {
            unit_fail_io(k, tried[t].call, tried[t].verdict, tried[t].ever);
            assert_int_equal(write_text(path, "0123456789", 10, &error), IL_OK);
            unit_no_faults();
            unit_expect(path, "0123456789");
            unlink(path);
        }
    }
}

static void a_left_over_temporary_file_is_no_obstacle(void **state)
{
    (void)state;
    struct il_error error;
    const char *path = unit_path("busy");
    unit_fail_io(2, IL_IO_OPEN, EEXIST, 0);
    assert_int_equal(write_text(path, "x", 1, &error), IL_OK);
    unit_fail_io(2, IL_IO_OPEN, EEXIST, 1);
    assert_int_equal(write_text(path, "x", 1, &error), IL_EIO);
    unit_says(&error, "File exists");
    unit_no_faults();
    /* A folder that may be written but not listed. */
    unit_fail_io(1, IL_IO_OPEN, EACCES, 0);
    assert_int_equal(write_text(path, "y", 1, &error), IL_OK);
    unit_no_faults();
    unit_expect(path, "y");
}

static enum il_status write_one(void *context)
{
    return write_text(context, "x", 1, NULL);
}

static void no_memory_leaks_nothing(void **state)
{
    (void)state;
    assert_int_equal(unit_starve(write_one, (void *)unit_path("m")), 3);
    assert_int_equal(unit_temps(), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_file_appears_whole),
        cmocka_unit_test(an_abort_leaves_nothing),
        cmocka_unit_test(large_contents_arrive_whole),
        cmocka_unit_test(permissions_of_the_target_are_kept),
        cmocka_unit_test(links_are_followed_not_replaced),
        cmocka_unit_test(names_without_folder_work),
        cmocka_unit_test(what_cannot_be_written_is_said),
        cmocka_unit_test(devices_and_pipes_are_written_straight),
        cmocka_unit_test(a_full_device_is_an_error),
        cmocka_unit_test(standard_output_is_written_to_its_descriptor),
        cmocka_unit_test(each_failing_call_leaves_the_old_file),
        cmocka_unit_test(a_disk_that_stays_full_leaves_the_old_file),
        cmocka_unit_test(a_failed_sync_is_not_tried_again),
        cmocka_unit_test(interruptions_and_short_writes_are_not_seen),
        cmocka_unit_test(a_left_over_temporary_file_is_no_obstacle),
        cmocka_unit_test(no_memory_leaks_nothing),
    };
    return cmocka_run_group_tests(tests, unit_setup, unit_teardown);
}
