/* SPDX-License-Identifier: Apache-2.0 */
#include "src/io/grow.h"

#include "src/io/sys.h"

#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#define WATCHED                                                                          \
    (IN_MODIFY | IN_CLOSE_WRITE | IN_MOVED_TO | IN_MOVED_FROM | IN_CREATE | IN_DELETE |  \
     IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR)

static void describe(struct il_about *out, const struct stat *about)
{
    *out = (struct il_about){.thing = S_ISREG(about->st_mode)   ? IL_THING_FILE
                                      : S_ISDIR(about->st_mode) ? IL_THING_DIR
                                                                : IL_THING_OTHER,
                             .dev = (uint64_t)about->st_dev,
                             .ino = (uint64_t)about->st_ino,
                             .size = (uint64_t)about->st_size,
                             .links = (uint64_t)about->st_nlink};
}

/* What errno says of a name that leads nowhere. */
static int is_missing(void)
{
    return errno == ENOENT || errno == ENOTDIR;
}

enum il_status il_about_path(struct il_about *out, const char *path,
                             struct il_error *error)
{
    struct stat about;
    *out = (struct il_about){0};
    if (IL_SYS_FAULT(IL_IO_STAT, NULL) || stat(path, &about) != 0) {
        const int loop = errno == ELOOP; /* links that lead nowhere */
        out->thing = loop ? IL_THING_OTHER : IL_THING_NONE;
        return is_missing() || loop ? IL_OK
                                    : il_sys_fail(error, path, "cannot examine", errno);
    }
    describe(out, &about);
    return IL_OK;
}

enum il_status il_about_file(struct il_about *out, const struct il_file *file,
                             struct il_error *error)
{
    struct stat about;
    *out = (struct il_about){0};
    if (IL_SYS_FAULT(IL_IO_STAT, NULL) || fstat(file->fd, &about) != 0)
        return il_sys_fail(error, file->name, "cannot examine", errno);
    describe(out, &about);
    return IL_OK;
}

enum il_status il_grow_open(struct il_file *file, const char *path, const char *shown,
                            struct il_about *about, struct il_error *error)
{
    *about = (struct il_about){0};
    *file = (struct il_file){.fd = -1, .name = shown};
    int fd = il_sys_open(AT_FDCWD, path, O_RDONLY | O_NONBLOCK | O_NOCTTY, 0);
    if (fd < 0 && errno == ENXIO) { /* a socket, or a pipe that nobody reads */
        about->thing = IL_THING_OTHER;
        return IL_OK;
    }
    if (fd < 0)
        return is_missing() ? IL_OK : il_sys_fail(error, shown, "cannot open", errno);
    file->fd = fd;
    file->sized = 1;
    enum il_status status = il_about_file(about, file, error);
    file->size = about->size;
    if (status != IL_OK || about->thing != IL_THING_FILE)
        il_file_close(file);
    return status;
}

enum il_status il_grow_read(const struct il_file *file, uint64_t offset, void *out,
                            size_t bytes, size_t *got, struct il_error *error)
{
    unsigned char *at = out;
    *got = 0;
    while (*got < bytes) {
        ptrdiff_t some = il_sys_read_at(file->fd, at + *got, bytes - *got, offset + *got);
        if (some < 0)
            return il_sys_fail(error, file->name, "cannot read", errno);
        if (some == 0)
            break;
        *got += (size_t)some;
    }
    return IL_OK;
}

enum il_status il_grow_take(const struct il_file *file, void *out, size_t bytes,
                            size_t *got, int *ended, struct il_error *error)
{
    struct pollfd wanted = {.fd = file->fd, .events = POLLIN};
    *got = 0;
    *ended = 0;
    /* POLLHUP without POLLIN: a pipe that was closed, whose end read tells. */
    if (poll(&wanted, 1, 0) <= 0)
        return IL_OK;
    ptrdiff_t some = il_sys_read(file->fd, out, bytes);
    if (some < 0)
        return il_sys_fail(error, file->name, "cannot read", errno);
    *got = (size_t)some;
    *ended = some == 0;
    return IL_OK;
}

void il_watch_open(struct il_watch *watch)
{
    *watch = (struct il_watch){.fd = -1, .what = -1};
    if (!IL_SYS_FAULT(IL_IO_WATCH, NULL))
        watch->fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
}

void il_watch_begin(struct il_watch *watch, const char *path)
{
    if (watch->fd < 0 || watch->what >= 0 || IL_SYS_FAULT(IL_IO_WATCH, NULL))
        return;
    watch->what = inotify_add_watch(watch->fd, path, WATCHED);
}

void il_watch_empty(struct il_watch *watch)
{
    union {
        struct inotify_event first; /* for its alignment */
        char bytes[4096];
    } told;
    while (watch->fd >= 0) {
        ssize_t got = read(watch->fd, told.bytes, sizeof(told.bytes));
        if (got <= 0)
            return;
        for (size_t at = 0; at + sizeof(told.first) <= (size_t)got;) {
            struct inotify_event event;
            memcpy(&event, told.bytes + at, sizeof(event));
            at += sizeof(event) + event.len;
            if (event.wd != watch->what)
                continue;
            /* The name may lead to another directory now. */
            if (event.mask & IN_MOVE_SELF)
                (void)inotify_rm_watch(watch->fd, watch->what);
            if (event.mask & (IN_MOVE_SELF | IN_IGNORED))
                watch->what = -1;
        }
    }
}

void il_watch_close(struct il_watch *watch)
{
    if (watch->fd >= 0)
        close(watch->fd);
    *watch = (struct il_watch){.fd = -1, .what = -1};
}
