/* SPDX-License-Identifier: Apache-2.0 */
#include "src/io/dir.h"

#include "src/io/scratch.h"
#include "src/io/sys.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#ifdef IL_FAULTS
#define TELL(...)                                                                        \
    do {                                                                                 \
        if (il_io_watch)                                                                 \
            il_io_watch(&(struct il_io_event){__VA_ARGS__});                             \
    } while (0)
#else
#define TELL(...) ((void)0)
#endif

const char *il_dir_shown(const struct il_dir *dir, const char *name, char *out)
{
    const char *path = il_path_tail(dir->path);
    size_t bytes = strlen(path);
    const char *slash = bytes > 0 && path[bytes - 1] == '/' ? "" : "/";
    snprintf(out, IL_DIR_SHOWN, "%s%s%.80s", path, slash, name);
    return out;
}

static enum il_status fail_at(struct il_error *error, const struct il_dir *dir,
                              const char *name, const char *doing, int number)
{
    char shown[IL_DIR_SHOWN];
    return il_sys_fail(error, il_dir_shown(dir, name, shown), doing, number);
}

enum il_status il_dir_open(struct il_dir *dir, const char *path, struct il_error *error)
{
    *dir = (struct il_dir){.path = path};
    dir->fd = il_sys_open(AT_FDCWD, path, O_RDONLY | O_DIRECTORY, 0);
    if (dir->fd < 0)
        return il_sys_fail(error, path, "cannot open", errno);
    return IL_OK;
}

/* The directory that a path's last part lies in; -1 and errno. */
static int open_parent(const char *path)
{
    size_t bytes = strlen(path);
    while (bytes > 1 && path[bytes - 1] == '/')
        bytes--;
    while (bytes > 0 && path[bytes - 1] != '/')
        bytes--;
    char *parent = il_alloc(bytes + 2, 1);
    if (!parent) {
        errno = ENOMEM;
        return -1;
    }
    memcpy(parent, bytes > 0 ? path : ".", bytes > 0 ? bytes : 1);
    parent[bytes > 0 ? bytes : 1] = 0;
    int fd = il_sys_open(AT_FDCWD, parent, O_RDONLY | O_DIRECTORY, 0);
    int failure = errno;
    il_free(parent);
    errno = failure;
    return fd;
}

enum il_status il_dir_make(const char *path, struct il_error *error)
{
    int failed = IL_SYS_FAULT(IL_IO_MKDIR, NULL) || mkdir(path, 0777) != 0;
    if (failed && errno == EEXIST)
        return IL_OK;
    if (failed)
        return il_sys_fail(error, path, "cannot make this directory", errno);
    int parent = open_parent(path);
    if (parent < 0)
        return il_sys_fail(error, path, "cannot open the directory it is in", errno);
    /* EINVAL: this file system cannot sync directories, and does not need to. */
    failed = il_sys_sync(parent) != 0 && errno != EINVAL;
    int failure = errno;
    close(parent);
    return failed
               ? il_sys_fail(error, path, "cannot sync the directory it is in", failure)
               : IL_OK;
}

void il_dir_close(struct il_dir *dir)
{
    if (dir->fd >= 0)
        close(dir->fd);
    dir->fd = -1;
}

int il_dir_exists(const char *path)
{
    struct stat about;
    return lstat(path, &about) == 0 || errno != ENOENT;
}

enum il_status il_dir_remove_empty(const char *path, struct il_error *error)
{
    if (IL_SYS_FAULT(IL_IO_REMOVE, NULL) || rmdir(path) != 0)
        return il_sys_fail(error, path, "cannot remove this directory", errno);
    return IL_OK;
}

enum il_status il_dir_sync(const struct il_dir *dir, struct il_error *error)
{
    if (il_sys_sync(dir->fd) != 0 && errno != EINVAL)
        return il_sys_fail(error, dir->path, "cannot sync this directory", errno);
    TELL(.call = IL_IO_SYNC);
    return IL_OK;
}

enum il_status il_dir_rename(const struct il_dir *dir, const char *from, const char *to,
                             struct il_error *error)
{
    if (IL_SYS_FAULT(IL_IO_RENAME, NULL) || renameat(dir->fd, from, dir->fd, to) != 0)
        return fail_at(error, dir, to, "cannot rename its temporary file", errno);
    TELL(.call = IL_IO_RENAME, .name = from, .to = to);
    return IL_OK;
}

enum il_status il_dir_remove(const struct il_dir *dir, const char *name,
                             struct il_error *error)
{
    if (IL_SYS_FAULT(IL_IO_REMOVE, NULL) || unlinkat(dir->fd, name, 0) != 0)
        return errno == ENOENT ? IL_OK
                               : fail_at(error, dir, name, "cannot remove", errno);
    TELL(.call = IL_IO_REMOVE, .name = name);
    return IL_OK;
}

enum il_status il_dir_list(const struct il_dir *dir,
                           int (*each)(void *context, const char *name), void *context,
                           struct il_error *error)
{
    DIR *list = NULL;
    /* A descriptor of its own: reading a directory moves its place. */
    int fd = il_sys_open(dir->fd, ".", O_RDONLY | O_DIRECTORY, 0);
    if (fd >= 0 && !IL_SYS_FAULT(IL_IO_LIST, NULL))
        list = fdopendir(fd);
    if (!list) {
        int failure = errno;
        if (fd >= 0)
            close(fd);
        return il_sys_fail(error, dir->path, "cannot list this directory", failure);
    }
    for (;;) {
        errno = 0;
        struct dirent *e =
            readdir(list); /* a list of our own: no other thread reads it */
        if (!e)
            break;
        if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0 &&
            each(context, e->d_name) != 0)
            break;
    }
    int failure = errno;
    closedir(list);
    return failure ? il_sys_fail(error, dir->path, "cannot list this directory", failure)
                   : IL_OK;
}

/* O_NONBLOCK: a pipe in the place of a file must not make us wait for its writer. */
static int open_regular(const struct il_dir *dir, const char *name, int flags,
                        struct stat *about)
{
    int fd = il_sys_open(dir->fd, name, flags | O_NOFOLLOW | O_NOCTTY | O_NONBLOCK, 0666);
    if (fd < 0)
        return fd;
    if (!IL_SYS_FAULT(IL_IO_STAT, NULL) && fstat(fd, about) == 0) {
        if (S_ISREG(about->st_mode))
            return fd;
        errno = EINVAL;
    }
    int failure = errno;
    close(fd);
    errno = failure;
    return -1;
}

/* Why a file of a store could not be opened, for what is not to be found by its errno. */
static enum il_status open_failed(struct il_error *error, const char *shown)
{
    if (errno == EINVAL || errno == ELOOP || errno == ENXIO || errno == EISDIR)
        return il_fail(error, IL_EIO, "%s: wanted a regular file", il_path_tail(shown));
    return il_sys_fail(error, shown, "cannot open", errno);
}

enum il_status il_dir_file(const struct il_dir *dir, const char *name, const char *shown,
                           struct il_file *file, int *missing, struct il_error *error)
{
    struct stat about;
    *file = (struct il_file){.fd = -1, .name = shown};
    int fd = open_regular(dir, name, O_RDONLY, &about);
    if (missing)
        *missing = fd < 0 && errno == ENOENT;
    if (fd < 0)
        return open_failed(error, shown);
    file->fd = fd;
    file->sized = 1;
    file->size = (uint64_t)about.st_size;
    return IL_OK;
}

enum il_status il_out_open(struct il_out *out, const struct il_dir *dir, const char *name,
                           const char *shown, int fresh, struct il_error *error)
{
    struct stat about;
    *out = (struct il_out){.name = name, .shown = shown};
    out->fd = open_regular(dir, name, O_RDWR | (fresh ? O_CREAT | O_EXCL : 0), &about);
    if (out->fd < 0)
        return open_failed(error, shown);
    out->bytes = (uint64_t)about.st_size;
    if (fresh)
        TELL(.call = IL_IO_OPEN, .name = name);
    return IL_OK;
}

enum il_status il_out_write(struct il_out *out, const void *data, size_t bytes,
                            struct il_error *error)
{
    if (il_sys_write_all_at(out->fd, data, bytes, out->bytes) != 0)
        return il_sys_fail(error, out->shown, "cannot write", errno);
    TELL(.call = IL_IO_WRITE, .name = out->name, .data = data, .bytes = bytes,
         .offset = out->bytes);
    out->bytes += bytes;
    return IL_OK;
}

enum il_status il_out_sync(struct il_out *out, struct il_error *error)
{
    if (il_sys_sync(out->fd) != 0)
        return il_sys_fail(error, out->shown, "cannot sync", errno);
    TELL(.call = IL_IO_SYNC, .name = out->name);
    return IL_OK;
}

enum il_status il_out_truncate(struct il_out *out, uint64_t bytes, struct il_error *error)
{
    for (;;) {
        int result =
            IL_SYS_FAULT(IL_IO_TRUNCATE, NULL) ? -1 : ftruncate(out->fd, (off_t)bytes);
        if (result == 0)
            break;
        if (errno != EINTR)
            return il_sys_fail(error, out->shown, "cannot cut", errno);
    }
    TELL(.call = IL_IO_TRUNCATE, .name = out->name, .offset = bytes);
    out->bytes = bytes;
    return IL_OK;
}

void il_out_close(struct il_out *out)
{
    if (out->fd >= 0)
        close(out->fd);
    out->fd = -1;
}

enum il_status il_dir_lock(const struct il_dir *dir, const char *name, int *fd,
                           long *holder, struct il_error *error)
{
    struct stat about;
    char shown[IL_DIR_SHOWN], text[24] = "";
    *holder = 0;
    *fd = open_regular(dir, name, O_RDWR | O_CREAT, &about);
    if (*fd < 0)
        return open_failed(error, il_dir_shown(dir, name, shown));
    if (!IL_SYS_FAULT(IL_IO_LOCK, NULL) && flock(*fd, LOCK_EX | LOCK_NB) == 0)
        return IL_OK;
    int failure = errno;
    ptrdiff_t got = il_sys_read_at(*fd, text, sizeof(text) - 1, 0);
    if (got > 0)
        *holder = strtol(text, NULL, 10);
    close(*fd);
    *fd = -1;
    if (failure == EWOULDBLOCK)
        return il_fail(error, IL_ELOCKED, "%s: somebody else writes",
                       il_path_tail(dir->path));
    return fail_at(error, dir, name, "cannot lock", failure);
}

void il_dir_lock_sign(int fd, int sign)
{
    char text[24];
    int bytes = snprintf(text, sizeof(text), "%ld\n", (long)getpid());
    if (ftruncate(fd, 0) == 0 && sign && bytes > 0 &&
        pwrite(fd, text, (size_t)bytes, 0) != bytes)
        errno = 0;
}

enum il_status il_map_open(struct il_map *map, const struct il_file *file,
                           struct il_error *error)
{
    *map = (struct il_map){0};
    if (file->size > PTRDIFF_MAX)
        return il_fail(error, IL_EIO, "%s: too long to be mapped", file->name);
    if (file->size == 0)
        return IL_OK;
    void *data = MAP_FAILED;
    if (!IL_SYS_FAULT(IL_IO_MAP, NULL))
        data = mmap(NULL, (size_t)file->size, PROT_READ, MAP_SHARED, file->fd, 0);
    if (data == MAP_FAILED && errno == ENOMEM)
        return il_fail(error, IL_ENOMEM, "%s: no room to map it", file->name);
    if (data == MAP_FAILED)
        return il_sys_fail(error, file->name, "cannot map", errno);
    *map = (struct il_map){.data = data, .bytes = (size_t)file->size};
    il_scratch_watch(data, map->bytes);
    return IL_OK;
}

void il_map_close(struct il_map *map)
{
    if (map->data) {
        void *start = (void *)(uintptr_t)map->data;
        il_scratch_forget(start);
        munmap(start, map->bytes);
    }
    *map = (struct il_map){0};
}

enum il_status il_unique(void *out, size_t bytes, struct il_error *error)
{
    ptrdiff_t got = -1;
    do {
        got = IL_SYS_FAULT(IL_IO_READ, NULL) ? -1 : getrandom(out, bytes, 0);
    } while (got < 0 && errno == EINTR);
    if (got < 0 || (size_t)got < bytes)
        return il_sys_fail(error, "getrandom", "no random bytes", errno);
    return IL_OK;
}
