/* SPDX-License-Identifier: Apache-2.0 */
#include "src/io/dir.h"

#include <fcntl.h>

#include "tests/unit/unit.h"

static struct il_dir open_dir(const char *path)
{
    struct il_dir dir;
    struct il_error error = {{0}};
    if (il_dir_open(&dir, path, &error) != IL_OK)
        fail_msg("%s", error.text);
    return dir;
}

static void files_are_written_renamed_and_removed(void **state)
{
    (void)state;
    const char *path = unit_path("made");
    struct il_error error = {{0}};
    struct il_out out;
    struct il_file file;
    char shown[IL_DIR_SHOWN];
    int missing = 0;
    assert_int_equal(il_dir_make(path, &error), IL_OK);
    assert_int_equal(il_dir_make(path, &error), IL_OK);
    struct il_dir dir = open_dir(path);
    il_dir_shown(&dir, "a", shown);
    assert_int_equal(il_out_open(&out, &dir, "a", shown, 1, &error), IL_OK);
    assert_int_equal(il_out_write(&out, "hello ", 6, &error), IL_OK);
    assert_int_equal(il_out_write(&out, "world", 5, &error), IL_OK);
    assert_int_equal(out.bytes, 11);
    assert_int_equal(il_out_sync(&out, &error), IL_OK);
    il_out_close(&out);
    il_out_close(&out);
    /* A new file is not written over one that is there. */
    assert_int_equal(il_out_open(&out, &dir, "a", shown, 1, &error), IL_EIO);
    unit_says(&error, "File exists");
    assert_int_equal(il_out_open(&out, &dir, "a", shown, 0, &error), IL_OK);
    assert_int_equal(il_out_truncate(&out, 6, &error), IL_OK);
    assert_int_equal(il_out_write(&out, "dir", 3, &error), IL_OK);
    il_out_close(&out);
    unit_expect(unit_path("made/a"), "hello dir");
    assert_int_equal(il_dir_rename(&dir, "a", "b", &error), IL_OK);
    assert_int_equal(il_dir_sync(&dir, &error), IL_OK);
    assert_int_equal(il_dir_file(&dir, "a", shown, &file, &missing, &error), IL_EIO);
    assert_int_equal(missing, 1);
    assert_int_equal(il_dir_file(&dir, "b", shown, &file, &missing, &error), IL_OK);
    assert_int_equal(missing, 0);
    assert_int_equal(file.size, 9);
    struct il_map map;
    assert_int_equal(il_map_open(&map, &file, &error), IL_OK);
    assert_memory_equal(map.data, "hello dir", 9);
    il_map_close(&map);
    il_map_close(&map);
    il_file_close(&file);
    assert_int_equal(il_dir_remove(&dir, "b", &error), IL_OK);
    assert_int_equal(il_dir_remove(&dir, "b", &error), IL_OK);
    il_dir_close(&dir);
    il_dir_close(&dir);
}

static void only_regular_files_are_opened(void **state)
{
    (void)state;
    struct il_dir dir = open_dir(unit_dir);
    struct il_error error = {{0}};
    struct il_file file;
    struct il_out out;
    unit_text("real", "x");
    assert_int_equal(symlink("real", unit_path("link")), 0);
    assert_int_equal(mkfifo(unit_path("pipe"), 0600), 0);
    const char *names[] = {"link", "pipe", "."};
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(il_dir_file(&dir, names[i], names[i], &file, NULL, &error),
                         IL_EIO);
        unit_says(&error, "wanted a regular file");
        assert_int_equal(il_out_open(&out, &dir, names[i], names[i], 0, &error), IL_EIO);
    }
    unit_text("empty", "");
    struct il_map map;
    assert_int_equal(il_dir_file(&dir, "empty", "empty", &file, NULL, &error), IL_OK);
    assert_int_equal(file.sized, 1);
    assert_int_equal(il_map_open(&map, &file, &error), IL_OK);
    assert_null(map.data);
    il_file_close(&file);
    il_dir_close(&dir);
    assert_int_equal(il_dir_open(&dir, unit_path("real"), &error), IL_EIO);
}

static int count_names(void *context, const char *name)
{
    size_t *count = context;
    assert_int_not_equal(name[0], '.');
    ++*count;
    return *count == 3;
}

static void names_are_listed_until_told_to_stop(void **state)
{
    (void)state;
    const char *path = unit_path("list");
    struct il_error error = {{0}};
    size_t count = 0;
    assert_int_equal(il_dir_make(path, &error), IL_OK);
    unit_text("list/a", "");
    unit_text("list/b", "");
    struct il_dir dir = open_dir(path);
    for (int again = 0; again < 2; again++) {
        count = 0;
        assert_int_equal(il_dir_list(&dir, count_names, &count, &error), IL_OK);
        assert_int_equal(count, 2);
    }
    unit_text("list/c", "");
    unit_text("list/d", "");
    count = 0;
    assert_int_equal(il_dir_list(&dir, count_names, &count, &error), IL_OK);
    assert_int_equal(count, 3);
    il_dir_close(&dir);
}

static void a_lock_has_one_holder(void **state)
{
    (void)state;
    struct il_dir dir = open_dir(unit_dir);
    struct il_error error = {{0}};
    int fd = -1, other = -1;
    long holder = 0;
    assert_int_equal(il_dir_lock(&dir, "lock", &fd, &holder, &error), IL_OK);
    il_dir_lock_sign(fd, 1);
    assert_int_equal(il_dir_lock(&dir, "lock", &other, &holder, &error), IL_ELOCKED);
    assert_int_equal(holder, getpid());
    assert_int_equal(other, -1);
    il_dir_lock_sign(fd, 0);
    assert_int_equal(il_dir_lock(&dir, "lock", &other, &holder, &error), IL_ELOCKED);
    assert_int_equal(holder, 0);
    close(fd);
    assert_int_equal(il_dir_lock(&dir, "lock", &fd, &holder, &error), IL_OK);
    close(fd);
    il_dir_close(&dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(files_are_written_renamed_and_removed),
        cmocka_unit_test(only_regular_files_are_opened),
        cmocka_unit_test(names_are_listed_until_told_to_stop),
        cmocka_unit_test(a_lock_has_one_holder),
    };
    return cmocka_run_group_tests(tests, unit_setup, unit_teardown);
}
