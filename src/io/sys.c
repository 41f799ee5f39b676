/* SPDX-License-Identifier: Apache-2.0 */
#include "src/io/sys.h"

#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#ifdef IL_FAULTS
int (*il_io_hook)(enum il_io_call call);
void (*il_io_watch)(const struct il_io_event *event);
#endif

enum il_status il_sys_fail(struct il_error *error, const char *name, const char *doing,
                           int number)
{
    char buffer[128];
    const char *reason = strerror_r(number, buffer, sizeof(buffer));
    return il_fail(error, IL_EIO, "%s: %s: %s", il_path_tail(name), doing, reason);
}

/* 1: the failed call is worth another try. */
static int again(int fd, short events)
{
    if (errno == EINTR)
        return 1;
    if (errno != EAGAIN && errno != EWOULDBLOCK)
        return 0;
    struct pollfd wanted = {.fd = fd, .events = events};
    return poll(&wanted, 1, -1) >= 0 || errno == EINTR;
}

int il_sys_open(int dir, const char *path, int flags, unsigned mode)
{
    for (;;) {
        int fd = IL_SYS_FAULT(IL_IO_OPEN, NULL)
                     ? -1
                     : openat(dir, path, flags | O_CLOEXEC, mode);
        if (fd >= 0 || errno != EINTR)
            return fd;
    }
}

ptrdiff_t il_sys_read(int fd, void *out, size_t bytes)
{
    for (;;) {
        size_t wanted = bytes < IL_SYS_TRANSFER_MAX ? bytes : IL_SYS_TRANSFER_MAX;
        ptrdiff_t got = IL_SYS_FAULT(IL_IO_READ, &wanted) ? -1 : read(fd, out, wanted);
        if (got >= 0 || !again(fd, POLLIN))
            return got;
    }
}

ptrdiff_t il_sys_read_at(int fd, void *out, size_t bytes, uint64_t offset)
{
    for (;;) {
        size_t wanted = bytes < IL_SYS_TRANSFER_MAX ? bytes : IL_SYS_TRANSFER_MAX;
        ptrdiff_t got = IL_SYS_FAULT(IL_IO_READ, &wanted)
                            ? -1
                            : pread(fd, out, wanted, (off_t)offset);
        if (got >= 0 || !again(fd, POLLIN))
            return got;
    }
}

/* offset NULL: where the descriptor stands. */
static int write_all(int fd, const char *at, size_t bytes, const uint64_t *offset)
{
    uint64_t place = offset ? *offset : 0;
    while (bytes > 0) {
        size_t wanted = bytes < IL_SYS_TRANSFER_MAX ? bytes : IL_SYS_TRANSFER_MAX;
        ptrdiff_t put = -1;
        if (!IL_SYS_FAULT(IL_IO_WRITE, &wanted))
            put = offset ? pwrite(fd, at, wanted, (off_t)place) : write(fd, at, wanted);
        if (put < 0) {
            if (again(fd, POLLOUT))
                continue;
            return -1;
        }
        if (put == 0) {
            /* No progress and no reason: POSIX allows it, a loop must not. */
            errno = EIO;
            return -1;
        }
        at += put;
        place += (uint64_t)put;
        bytes -= (size_t)put;
    }
    return 0;
}

int il_sys_write_all(int fd, const void *data, size_t bytes)
{
    return write_all(fd, data, bytes, NULL);
}

int il_sys_write_all_at(int fd, const void *data, size_t bytes, uint64_t offset)
{
    return write_all(fd, data, bytes, &offset);
}

int il_sys_sync(int fd)
{
    /* Only an interruption is tried again: after another failure the kernel may have
       dropped the pages, and a second fsync would report success for data that is lost.
     */
    for (;;) {
        int result = IL_SYS_FAULT(IL_IO_SYNC, NULL) ? -1 : fsync(fd);
        if (result == 0 || errno != EINTR)
            return result;
    }
}

int il_sys_reserve(int fd, size_t bytes)
{
    for (;;) {
        int result =
            IL_SYS_FAULT(IL_IO_WRITE, NULL) ? -1 : fallocate(fd, 0, 0, (off_t)bytes);
        if (result == 0 || (errno != EINTR && errno != EOPNOTSUPP))
            return result;
        if (errno == EOPNOTSUPP) {
            errno = posix_fallocate(fd, 0, (off_t)bytes); /* writes the blocks */
            return errno ? -1 : 0;
        }
    }
}
