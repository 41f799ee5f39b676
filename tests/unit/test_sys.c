/* SPDX-License-Identifier: Apache-2.0 */
#include "src/io/sys.h"

#include <fcntl.h>
#include <pthread.h>

#include "tests/unit/unit.h"

#define BYTES 300000

static void *drain(void *argument)
{
    static char text[BYTES + 1];
    size_t got = 0;
    for (;;) {
        ptrdiff_t part = il_sys_read(*(int *)argument, text + got, sizeof(text) - got);
        if (part <= 0)
            break;
        got += (size_t)part;
        usleep(100);
    }
    for (size_t i = 0; i < got; i++) {
        if (text[i] != 'x')
            return (void *)(uintptr_t)1;
    }
    return (void *)(uintptr_t)got;
}

/* Real EAGAIN and real short transfers, on both ends of a pipe. */
static void non_blocking_descriptors_are_waited_for(void **state)
{
    (void)state;
    int end[2];
    assert_int_equal(pipe2(end, O_NONBLOCK | O_CLOEXEC), 0);
    pthread_t reader;
    assert_int_equal(pthread_create(&reader, NULL, drain, &end[0]), 0);
    char *text = malloc(BYTES);
    memset(text, 'x', BYTES);
    assert_int_equal(il_sys_write_all(end[1], text, BYTES), 0);
    close(end[1]);
    void *got = NULL;
    pthread_join(reader, &got);
    assert_int_equal((uintptr_t)got, BYTES);
    close(end[0]);
    free(text);
}

static void errors_keep_their_number(void **state)
{
    (void)state;
    char out[4];
    assert_int_equal(il_sys_read(-1, out, 4), -1);
    assert_int_equal(errno, EBADF);
    assert_int_equal(il_sys_read_at(-1, out, 4, 0), -1);
    assert_int_equal(errno, EBADF);
    assert_int_equal(il_sys_write_all(-1, out, 4), -1);
    assert_int_equal(errno, EBADF);
    assert_int_equal(il_sys_write_all(-1, out, 0), 0);
    assert_int_equal(il_sys_sync(-1), -1);
    assert_int_equal(errno, EBADF);
    assert_int_equal(il_sys_open(AT_FDCWD, unit_path("none"), O_RDONLY, 0), -1);
    assert_int_equal(errno, ENOENT);
}

static void descriptors_are_not_inherited(void **state)
{
    (void)state;
    int fd = il_sys_open(AT_FDCWD, "/dev/null", O_RDONLY, 0);
    assert_true(fd >= 0);
    assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
    close(fd);
}

static void failures_are_put_into_words(void **state)
{
    (void)state;
    struct il_error error;
    assert_int_equal(il_sys_fail(&error, "x.csv", "cannot write", ENOSPC), IL_EIO);
    assert_string_equal(error.text, "x.csv: cannot write: No space left on device");
    assert_int_equal(il_sys_fail(NULL, "x", "y", EIO), IL_EIO);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(non_blocking_descriptors_are_waited_for),
        cmocka_unit_test(errors_keep_their_number),
        cmocka_unit_test(descriptors_are_not_inherited),
        cmocka_unit_test(failures_are_put_into_words),
    };
    return cmocka_run_group_tests(tests, unit_setup, unit_teardown);
}
