/* SPDX-License-Identifier: Apache-2.0 */
#include "src/io/file.h"

#include "src/io/sys.h"

#include <fcntl.h>
#include <inttypes.h>
#include <sys/stat.h>
#include <unistd.h>

#define GROW_BYTES ((size_t)64 * 1024)
/* Of one read, so that a bound on memory can be kept in between. */
#define PIECE_BYTES ((size_t)8 << 20)

enum il_status il_file_open(struct il_file *file, const char *path,
                            struct il_error *error)
{
    *file = (struct il_file){.fd = -1, .name = il_path_tail(path)};
    int fd = il_sys_open(AT_FDCWD, path, O_RDONLY, 0);
    if (fd < 0)
        return il_sys_fail(error, path, "cannot open", errno);
    struct stat about;
    if (IL_SYS_FAULT(IL_IO_STAT, NULL) || fstat(fd, &about) != 0) {
        enum il_status status = il_sys_fail(error, path, "cannot examine", errno);
        close(fd);
        return status;
    }
    if (S_ISDIR(about.st_mode)) {
        close(fd);
        return il_fail(error, IL_EIO, "%s: is a directory, wanted a file", file->name);
    }
    file->fd = fd;
    /* Files of /proc are regular and say 0 bytes: they are read like pipes. */
    if (S_ISREG(about.st_mode) && about.st_size > 0) {
        file->sized = 1;
        file->size = (uint64_t)about.st_size;
    }
    return IL_OK;
}

enum il_status il_file_stdin(struct il_file *file, struct il_error *error)
{
    /* A descriptor of its own, so that closing the file leaves standard input open. */
    *file = (struct il_file){.fd = -1, .name = "standard input"};
    int fd =
        IL_SYS_FAULT(IL_IO_OPEN, NULL) ? -1 : fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 0);
    if (fd < 0)
        return il_sys_fail(error, file->name, "cannot open", errno);
    struct stat about;
    if (IL_SYS_FAULT(IL_IO_STAT, NULL) || fstat(fd, &about) != 0) {
        enum il_status status = il_sys_fail(error, file->name, "cannot examine", errno);
        close(fd);
        return status;
    }
    if (S_ISDIR(about.st_mode)) {
        close(fd);
        return il_fail(error, IL_EIO, "%s: is a directory, wanted a file", file->name);
    }
    file->fd = fd;
    return IL_OK;
}

void il_file_close(struct il_file *file)
{
    if (file->fd >= 0)
        close(file->fd);
    file->fd = -1;
}

enum il_status il_file_read_at(const struct il_file *file, uint64_t offset, void *out,
                               size_t bytes, struct il_error *error)
{
    IL_ASSERT(file->sized);
    unsigned char *at = out;
    while (bytes > 0) {
        size_t piece = bytes < PIECE_BYTES ? bytes : PIECE_BYTES;
        ptrdiff_t got = il_sys_read_at(file->fd, at, piece, offset);
        il_large_look();
        if (got < 0)
            return il_sys_fail(error, file->name, "cannot read", errno);
        if (got == 0)
            return il_fail(error, IL_EIO,
                           "%s, byte %" PRIu64 ": the file ends here, it had %" PRIu64
                           " bytes when it was opened",
                           file->name, offset, file->size);
        at += got;
        offset += (uint64_t)got;
        bytes -= (size_t)got;
    }
    return IL_OK;
}

enum il_status il_file_measure(struct il_file *file, struct il_error *error)
{
    struct stat about;
    IL_ASSERT(file->sized);
    if (IL_SYS_FAULT(IL_IO_STAT, NULL) || fstat(file->fd, &about) != 0)
        return il_sys_fail(error, file->name, "cannot examine", errno);
    file->size = (uint64_t)about.st_size;
    return IL_OK;
}

enum il_status il_file_sync(const struct il_file *file, struct il_error *error)
{
    /* Where nothing can be written nothing waits to be: EROFS, EINVAL. */
    if (il_sys_sync(file->fd) != 0 && errno != EROFS && errno != EINVAL)
        return il_sys_fail(error, file->name, "cannot sync", errno);
    return IL_OK;
}

static enum il_status too_long(const struct il_file *file, uint64_t bytes_max,
                               struct il_error *error)
{
    return il_fail(error, IL_ELIMIT, "%s: more than %" PRIu64 " bytes", file->name,
                   bytes_max);
}

/* A pipe does not say how long it is: the block doubles. */
static enum il_status read_growing(const struct il_file *file, uint64_t bytes_max,
                                   unsigned char **out, size_t *bytes,
                                   struct il_error *error)
{
    enum il_status status = IL_OK;
    size_t room = GROW_BYTES, used = 0;
    unsigned char *block = il_alloc(room, 1);
    if (!block) {
        status =
            il_fail(error, IL_ENOMEM, "%s: no memory for %zu bytes", file->name, room);
        goto out;
    }
    for (;;) {
        if (used + 1 == room) { /* one byte is kept for the zero */
            unsigned char *grown =
                room <= SIZE_MAX / 2 ? il_realloc(block, used, 2 * room) : NULL;
            if (!grown) {
                status = il_fail(error, IL_ENOMEM, "%s: no memory past byte %zu",
                                 file->name, used);
                goto out;
            }
            block = grown;
            room *= 2;
        }
        ptrdiff_t got = il_sys_read(file->fd, block + used, room - 1 - used);
        if (got < 0) {
            status = il_sys_fail(error, file->name, "cannot read", errno);
            goto out;
        }
        if (got == 0)
            break;
        used += (size_t)got;
        if (used > bytes_max) {
            status = too_long(file, bytes_max, error);
            goto out;
        }
    }
    block[used] = 0;
    *out = block;
    *bytes = used;
    block = NULL;
out:
    il_free(block);
    return status;
}

enum il_status il_file_read_all(const struct il_file *file, uint64_t bytes_max,
                                unsigned char **out, size_t *bytes,
                                struct il_error *error)
{
    *out = NULL;
    *bytes = 0;
    if (!file->sized)
        return read_growing(file, bytes_max, out, bytes, error);
    if (file->size > bytes_max || file->size >= SIZE_MAX)
        return too_long(file, bytes_max, error);
    size_t size = (size_t)file->size;
    unsigned char *block = il_alloc(size + 1, 1);
    if (!block)
        return il_fail(error, IL_ENOMEM, "%s: no memory for %zu bytes", file->name, size);
    enum il_status status = il_file_read_at(file, 0, block, size, error);
    if (status != IL_OK) {
        il_free(block);
        return status;
    }
    block[size] = 0;
    *out = block;
    *bytes = size;
    return IL_OK;
}

enum il_status il_file_load(const char *path, uint64_t bytes_max, unsigned char **out,
                            size_t *bytes, struct il_error *error)
{
    *out = NULL;
    *bytes = 0;
    struct il_file file;
    enum il_status status = il_file_open(&file, path, error);
    if (status != IL_OK)
        return status;
    status = il_file_read_all(&file, bytes_max, out, bytes, error);
    il_file_close(&file);
    return status;
}
