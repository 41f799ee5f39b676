/* SPDX-License-Identifier: Apache-2.0 */
/* The fault hook in front of the system calls; for src/io alone. */
#ifndef IL_SYS_H
#define IL_SYS_H

#include "src/base/base.h"
#include "src/io/file.h"

#include <errno.h>
#include <stddef.h>

#ifdef IL_FAULTS
/* 1: the call fails, errno is set. A short transfer lowers *bytes. */
static inline int il_sys_fault(enum il_io_call call, size_t *bytes)
{
    int verdict = il_io_hook ? il_io_hook(call) : 0;
    if (verdict > 0) {
        errno = verdict;
        return 1;
    }
    if (verdict == IL_IO_SHORT && bytes && *bytes > 1)
        *bytes = 1;
    return 0;
}
#define IL_SYS_FAULT(call, bytes) il_sys_fault(call, bytes)
#else
#define IL_SYS_FAULT(call, bytes) 0
#endif

/* Linux transfers at most this much in one call; larger requests come back short. */
#define IL_SYS_TRANSFER_MAX ((size_t)0x7ffff000)

/* Retries when a signal interrupts and waits when a descriptor is non-blocking. These
   return as the system calls do, with errno set. */
int il_sys_open(int dir, const char *path, int flags, unsigned mode);
ptrdiff_t il_sys_read(int fd, void *out, size_t bytes);
ptrdiff_t il_sys_read_at(int fd, void *out, size_t bytes, uint64_t offset);
/* Writes all bytes; 0 or -1. */
int il_sys_write_all_at(int fd, const void *data, size_t bytes, uint64_t offset);
int il_sys_write_all(int fd, const void *data, size_t bytes);
int il_sys_sync(int fd);
/* Blocks on the disk for the first bytes of a file, which reads as zeros; 0 or -1. */
int il_sys_reserve(int fd, size_t bytes);

/* "NAME: DOING: REASON OF THE SYSTEM", IL_EIO. */
enum il_status il_sys_fail(struct il_error *error, const char *name, const char *doing,
                           int number);

#endif
