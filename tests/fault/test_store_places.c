/* SPDX-License-Identifier: Apache-2.0 */
/* Stores where the system itself refuses: a disk that is full, a file system that is read
   only, a directory that takes no new file. Skipped where this process may not make such
   a place. */
#include <fcntl.h>
#include <linux/fs.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mount.h>

#include "tests/fault/store_work.h"

/* Mounts of its own, which nobody else sees. */
static void own_mounts(void)
{
    static int done;
    if (!done && unshare(CLONE_NEWNS) != 0 && unshare(CLONE_NEWUSER | CLONE_NEWNS) != 0)
        skip();
    if (!done && mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0)
        skip();
    done = 1;
}

/* A file system in memory of so many pages; its name. Anew when there is one. */
static const char *tiny_disk(int pages)
{
    const char *path = unit_path("disk");
    char options[64];
    own_mounts();
    snprintf(options, sizeof(options), "size=%ld", pages * sysconf(_SC_PAGESIZE));
    (void)umount2(path, MNT_DETACH);
    if (mkdir(path, 0700) != 0)
        assert_int_equal(errno, EEXIST);
    if (mount("none", path, "tmpfs", 0, options) != 0)
        skip();
    return path;
}

/* The store is sound, one of the states that it may be in, and takes more. */
static void check_state(struct work *w, const char *path, int pages)
{
    struct il_error error = {{0}};
    if (w->acked > 0 && il_store_verify(path, work_fault, &error, NULL) != IL_OK)
        fail_msg("%d pages: verify: %s", pages, error.text);
    int found = work_state(w, path, &error);
    if (found < 0)
        fail_msg("%d pages: state %d of %d to %d: %s", pages, found, w->acked, w->begun,
                 error.text);
    struct il_store_config c = work_config();
    struct il_store *s = store_open(path, &c);
    STORE_OK(il_store_put(s, "more", 4, store_row(1, 1), &error));
    STORE_OK(il_store_seal(s, &error));
    STORE_OK(il_store_compact(s, &error));
    for (int i = 0; i < WORK_IDS; i++)
        assert_int_equal(store_turn(s, i), w->turn[found][i]);
    il_store_close(&s);
}

/* The disk is larger by a page each time, until the run ends on it. */
static void a_full_disk_loses_nothing(void **state)
{
    (void)state;
    static struct work w;
    int refused = 0;
    enum il_status status = IL_EIO;
    for (int pages = 1; status != IL_OK; pages++) {
        char path[600];
        const char *disk = tiny_disk(pages);
        snprintf(path, sizeof(path), "%s/s", disk);
        work_reset(&w);
        status = work_run(&w, path);
        if (status != IL_OK && status != IL_EIO)
            fail_msg("%d pages: status %d: %s", pages, (int)status, w.error.text);
        if (status == IL_EIO)
            unit_says(&w.error, "No space left on device");
        refused += status != IL_OK;
        assert_int_equal(mount("none", disk, "tmpfs", MS_REMOUNT, "size=16m"), 0);
        check_state(&w, path, pages);
        assert_int_equal(umount(disk), 0);
    }
    assert_int_equal(w.acked, w.begun);
    assert_true(refused > 8);
    print_message("# refused on %d sizes\n", refused);
}

static void a_read_only_place_is_for_readers(void **state)
{
    (void)state;
    static struct work w;
    struct il_error error = {{0}};
    struct il_store_config c = work_config();
    struct il_store *s = NULL;
    char path[600];
    const char *disk = tiny_disk(4096);
    snprintf(path, sizeof(path), "%s/s", disk);
    work_reset(&w);
    assert_int_equal(work_run(&w, path), IL_OK);
    assert_int_equal(mount("none", disk, "tmpfs", MS_REMOUNT | MS_RDONLY, NULL), 0);
    STORE_OK(il_store_verify(path, work_fault, &error, &error));
    s = store_reader(path);
    assert_true(work_state_is(s, w.turn[w.begun]));
    il_store_close(&s);
    assert_int_equal(il_store_open(&s, path, &c, &error), IL_EIO);
    unit_says(&error, "Read-only file system");
    assert_null(s);
    snprintf(path, sizeof(path), "%s/new", disk);
    assert_int_equal(il_store_open(&s, path, &c, &error), IL_EIO);
    unit_says(&error, "Read-only file system");
    assert_int_equal(umount(disk), 0);
}

/* Whether a directory takes new files, and lets those that it has go. */
static int set_fixed(const char *path, int fixed)
{
    int flags = 0, fd = open(path, O_RDONLY | O_DIRECTORY);
    assert_true(fd >= 0);
    int failed = ioctl(fd, FS_IOC_GETFLAGS, &flags);
    flags = fixed ? flags | FS_IMMUTABLE_FL : flags & ~FS_IMMUTABLE_FL;
    failed = failed || ioctl(fd, FS_IOC_SETFLAGS, &flags);
    close(fd);
    return !failed;
}

/* The log of a writer that is open is there already: commits go on. What needs a new file
   fails, and nothing that was committed is lost. */
static void a_directory_that_takes_no_file(void **state)
{
    (void)state;
    struct il_error error = {{0}};
    struct il_store_config c = store_config(1);
    char path[600];
    snprintf(path, sizeof(path), "%s", unit_path("fixed"));
    struct il_store *s = store_open(path, &c);
    store_put(s, 1, 0);
    STORE_OK(il_store_commit(s, &error));
    if (!set_fixed(path, 1)) {
        il_store_close(&s);
        skip();
    }
    store_put(s, 2, 0);
    STORE_OK(il_store_commit(s, &error));
    enum il_status seal = il_store_seal(s, &error);
    struct il_error later = {{0}};
    enum il_status put = il_store_put(s, "x", 1, store_row(3, 0), &later);
    il_store_close(&s);
    assert_true(set_fixed(path, 0));
    assert_int_equal(seal, IL_EIO);
    unit_says(&error, "not permitted");
    assert_int_equal(put, IL_EIO); /* poisoned */
    s = store_open(path, &c);
    assert_int_equal(store_turn(s, 1), 0);
    assert_int_equal(store_turn(s, 2), 0);
    STORE_OK(il_store_seal(s, &error));
    il_store_close(&s);
    STORE_OK(il_store_verify(path, work_fault, &error, &error));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_full_disk_loses_nothing),
        cmocka_unit_test(a_read_only_place_is_for_readers),
        cmocka_unit_test(a_directory_that_takes_no_file),
    };
    return cmocka_run_group_tests(tests, unit_setup, unit_teardown);
}
