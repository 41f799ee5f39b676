/* SPDX-License-Identifier: Apache-2.0 */
/* Files that appear whole or not at all: temporary name, write, fsync, rename, fsync of
   the directory. */
#include "src/io/sys.h"

#include <fcntl.h>
#include <limits.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define BUFFER_BYTES ((size_t)256 * 1024)
/* Names left by killed runs that had the same process number, all tried before giving up.
 */
#define TEMP_TRIES 100
/* So much is written before the disk is told to begin: far less than is left to the sync
   at the end, far more than a disk takes at once. */
#define WRITE_BACK_BYTES ((uint64_t)4 << 20)

struct il_writer {
    int fd;
    int owned;     /* fd is ours to close */
    int dir;       /* directory of the target, -1 when written straight */
    int dir_syncs; /* the directory could be opened for reading, so it can be synced */
    char temp[64]; /* name within dir; "" = no temporary file */
    char *base;    /* name of the target within dir, points into path */
    char *path;    /* the target, symbolic links resolved; malloc'd by us */
    size_t used;   /* bytes in buffer */
    unsigned char *buffer;
    uint64_t written; /* bytes given to the system, */
    uint64_t begun;   /* and of those, told to go to the disk */
};

static void discard(struct il_writer *w)
{
    if (w->owned && w->fd >= 0)
        close(w->fd);
    if (w->temp[0])
        unlinkat(w->dir, w->temp, 0);
    if (w->dir >= 0)
        close(w->dir);
    il_free(w->buffer);
    il_free(w->path);
    il_free(w);
}

/* Resolves a symbolic link into w->path, so that the file it names is replaced, not the
   link. *mode receives the permission bits of an existing file, -1 for a new one;
   *straight 1 for a device or a pipe. */
static enum il_status resolve(struct il_writer *w, const char *path, int *mode,
                              int *straight, struct il_error *error)
{
    struct stat about, link;
    char *real = NULL;
    *mode = -1;
    *straight = 0;
    if (IL_SYS_FAULT(IL_IO_STAT, NULL))
        return il_sys_fail(error, path, "cannot examine", errno);
    int exists = stat(path, &about) == 0;
    if (!exists && errno != ENOENT)
        return il_sys_fail(error, path, "cannot write", errno);
    int is_link = lstat(path, &link) == 0 && S_ISLNK(link.st_mode);
    if (!exists && is_link)
        return il_fail(error, IL_EIO, "%s: a symbolic link that leads nowhere",
                       il_path_tail(path));
    if (exists && S_ISDIR(about.st_mode))
        return il_fail(error, IL_EIO, "%s: is a directory, wanted a file",
                       il_path_tail(path));
    if (exists) {
        *straight = !S_ISREG(about.st_mode);
        *mode = (int)(about.st_mode & 0777);
        /* The rename would replace a file that its owner has closed for writing. */
        if (faccessat(AT_FDCWD, path, W_OK, AT_EACCESS) != 0)
            return il_sys_fail(error, path, "cannot write", errno);
    }
    if (is_link && !*straight) {
        real = realpath(path, NULL);
        if (!real)
            return il_sys_fail(error, path, "cannot resolve", errno);
        path = real;
    }
    size_t bytes = strlen(path) + 1;
    w->path = il_alloc(bytes, 1);
    if (w->path)
        memcpy(w->path, path, bytes);
    free(real);
    return w->path ? IL_OK : il_fail(error, IL_ENOMEM, "no memory for a file name");
}

/* Opens the directory of the target and a new file in it. */
static enum il_status open_temp(struct il_writer *w, int mode, struct il_error *error)
{
    static atomic_uint number;
    char *slash = strrchr(w->path, '/');
    w->base = slash ? slash + 1 : w->path;
    if (!*w->base)
        return il_fail(error, IL_EIO, "%s: no file name", il_path_tail(w->path));
    const char *dir = ".";
    if (slash == w->path) {
        dir = "/";
    } else if (slash) {
        *slash = 0;
        dir = w->path;
    }
    w->dir = il_sys_open(AT_FDCWD, dir, O_RDONLY | O_DIRECTORY, 0);
    w->dir_syncs = w->dir >= 0;
    /* A directory that may be written but not listed cannot be synced either. */
    if (w->dir < 0 && errno == EACCES)
        w->dir = il_sys_open(AT_FDCWD, dir, O_PATH | O_DIRECTORY, 0);
    int failure = errno;
    if (slash && slash != w->path)
        *slash = '/';
    if (w->dir < 0)
        return il_sys_fail(error, w->path, "cannot open its directory", failure);
    for (int i = 0; i < TEMP_TRIES; i++) {
        snprintf(w->temp, sizeof(w->temp), ".isolink-%ld-%u.tmp", (long)getpid(),
                 atomic_fetch_add(&number, 1));
        w->fd =
            il_sys_open(w->dir, w->temp, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0666);
        if (w->fd >= 0 || errno != EEXIST)
            break;
    }
    if (w->fd < 0) {
        failure = errno;
        w->temp[0] = 0; /* not ours */
        return il_sys_fail(error, w->path, "cannot write into its directory", failure);
    }
    w->owned = 1;
    /* A failure only means other permission bits than before; the contents matter more.
     */
    if (mode >= 0 && fchmod(w->fd, (mode_t)mode) != 0)
        errno = 0;
    return IL_OK;
}

enum il_status il_writer_open(struct il_writer **out, const char *path,
                              struct il_error *error)
{
    *out = NULL;
    struct il_writer *w = il_alloc_zero(1, sizeof(*w));
    if (!w)
        return il_fail(error, IL_ENOMEM, "%s: no memory to write it", il_path_tail(path));
    w->fd = w->dir = -1;
    enum il_status status = IL_OK;
    w->buffer = il_alloc(BUFFER_BYTES, 1);
    if (!w->buffer) {
        status =
            il_fail(error, IL_ENOMEM, "%s: no memory to write it", il_path_tail(path));
        goto out;
    }
    if (strcmp(path, "-") == 0) {
        w->fd = STDOUT_FILENO;
    } else {
        int mode, straight;
        status = resolve(w, path, &mode, &straight, error);
        if (status != IL_OK)
            goto out;
        if (straight) {
            w->fd = il_sys_open(AT_FDCWD, w->path, O_WRONLY | O_NOCTTY, 0);
            w->owned = 1;
            if (w->fd < 0)
                status = il_sys_fail(error, path, "cannot open", errno);
        } else {
            status = open_temp(w, mode, error);
        }
    }
out:
    if (status != IL_OK)
        discard(w);
    else
        *out = w;
    return status;
}

static const char *name_of(const struct il_writer *w)
{
    return w->path ? w->path : "standard output";
}

static enum il_status write_out(struct il_writer *w, const void *data, size_t bytes,
                                struct il_error *error)
{
    if (il_sys_write_all(w->fd, data, bytes) != 0)
        return il_sys_fail(error, name_of(w), "cannot write", errno);
    w->written += bytes;
    /* The disk works while the next bytes are made. Advice: what is wrong is said by the
       sync at the end. */
    if (w->temp[0] && w->written - w->begun >= WRITE_BACK_BYTES) {
        (void)sync_file_range(w->fd, (off_t)w->begun, (off_t)(w->written - w->begun),
                              SYNC_FILE_RANGE_WRITE);
        w->begun = w->written;
    }
    return IL_OK;
}

static enum il_status flush(struct il_writer *w, struct il_error *error)
{
    size_t used = w->used;
    w->used = 0;
    return write_out(w, w->buffer, used, error);
}

enum il_status il_writer_put(struct il_writer *w, const void *data, size_t bytes,
                             struct il_error *error)
{
    if (bytes > BUFFER_BYTES - w->used) {
        enum il_status status = flush(w, error);
        if (status != IL_OK)
            return status;
    }
    if (bytes >= BUFFER_BYTES)
        return write_out(w, data, bytes, error);
    if (bytes)
        memcpy(w->buffer + w->used, data, bytes);
    w->used += bytes;
    return IL_OK;
}

/* Closes the file so that an error of a network file system is still seen. */
static enum il_status finish_fd(struct il_writer *w, struct il_error *error)
{
    int fd = w->fd;
    w->fd = -1;
    int failed = IL_SYS_FAULT(IL_IO_CLOSE, NULL);
    int failure = errno;
    if (close(fd) != 0) {
        failed = 1;
        failure = errno;
    }
    /* Linux has closed the descriptor even when it says EINTR. */
    if (failed && failure != EINTR)
        return il_sys_fail(error, name_of(w), "cannot close", failure);
    return IL_OK;
}

static enum il_status publish(struct il_writer *w, struct il_error *error)
{
    if (IL_SYS_FAULT(IL_IO_RENAME, NULL) ||
        renameat(w->dir, w->temp, w->dir, w->base) != 0)
        return il_sys_fail(error, w->path, "cannot rename its temporary file", errno);
    w->temp[0] = 0;
    /* EINVAL: this file system cannot sync directories, and does not need to. */
    if (w->dir_syncs && il_sys_sync(w->dir) != 0 && errno != EINVAL)
        return il_sys_fail(error, w->path, "written whole, but cannot sync its directory",
                           errno);
    return IL_OK;
}

enum il_status il_writer_close(struct il_writer **writer, struct il_error *error)
{
    struct il_writer *w = *writer;
    *writer = NULL;
    enum il_status status = flush(w, error);
    if (status != IL_OK)
        goto out;
    if (w->temp[0] && il_sys_sync(w->fd) != 0) {
        status = il_sys_fail(error, w->path, "cannot sync", errno);
        goto out;
    }
    if (w->owned)
        status = finish_fd(w, error);
    if (status == IL_OK && w->temp[0])
        status = publish(w, error);
out:
    discard(w);
    return status;
}

void il_writer_abort(struct il_writer **writer)
{
    if (*writer)
        discard(*writer);
    *writer = NULL;
}
