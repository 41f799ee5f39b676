/* SPDX-License-Identifier: Apache-2.0 */
/* All file access of the library: whole and ranged reads, and files that appear whole or
   not at all. Every system call that can fail in practice passes a fault hook (built with
   IL_FAULTS). */
#ifndef IL_FILE_H
#define IL_FILE_H

#include <stddef.h>
#include <stdint.h>

#include <isolink/status.h>

/** A file open for reading. */
struct il_file {
    int fd;
    int sized;        /**< 1: a regular file that says its size; ranged reads work */
    uint64_t size;    /**< bytes when it was opened; 0 unless sized */
    const char *name; /**< for messages; borrowed from the path given to open */
};

/**
 * Opens a file for reading.
 * \param path  borrowed until il_file_close
 * \return IL_OK; IL_EIO (also for a directory). One thread per file.
 */
IL_MUST_CHECK enum il_status il_file_open(struct il_file *file, const char *path,
                                          struct il_error *error);
/** Standard input, as a file that is not sized. \return IL_OK; IL_EIO. */
IL_MUST_CHECK enum il_status il_file_stdin(struct il_file *file, struct il_error *error);
void il_file_close(struct il_file *file);

/** Reads exactly `bytes` bytes from `offset` of a sized file; IL_EIO, also when it ends
 * early. */
IL_MUST_CHECK enum il_status il_file_read_at(const struct il_file *file, uint64_t offset,
                                             void *out, size_t bytes,
                                             struct il_error *error);

/** Asks a sized file anew how long it is: it may grow under its reader. IL_EIO. */
IL_MUST_CHECK enum il_status il_file_measure(struct il_file *file,
                                             struct il_error *error);
/** Makes durable what a reader has seen of a file that another process writes. IL_EIO. */
IL_MUST_CHECK enum il_status il_file_sync(const struct il_file *file,
                                          struct il_error *error);

/**
 * Reads the rest of a file, sized or not, into a block of il_alloc; one zero byte follows
 * it. \return IL_OK; IL_EIO; IL_ELIMIT past bytes_max; IL_ENOMEM
 */
IL_MUST_CHECK enum il_status il_file_read_all(const struct il_file *file,
                                              uint64_t bytes_max, unsigned char **out,
                                              size_t *bytes, struct il_error *error);

/** Opens, reads whole, closes. Returns as il_file_open and il_file_read_all do. */
IL_MUST_CHECK enum il_status il_file_load(const char *path, uint64_t bytes_max,
                                          unsigned char **out, size_t *bytes,
                                          struct il_error *error);

/** A file being written. */
struct il_writer;

/**
 * Begins to write a file: under a temporary name in the directory of the target, so that
 * the rename stays within one file system. A target that exists and is no regular file (a
 * device, a pipe) is written straight; "-" is standard output. A symbolic link is
 * followed, never replaced. The permission bits of an existing file are kept. \return
 * IL_OK; IL_EIO; IL_ENOMEM. On failure *out is NULL and nothing is left behind.
 */
IL_MUST_CHECK enum il_status il_writer_open(struct il_writer **out, const char *path,
                                            struct il_error *error);
/** Appends bytes. IL_EIO: the writer can only be closed or aborted then. */
IL_MUST_CHECK enum il_status il_writer_put(struct il_writer *writer, const void *data,
                                           size_t bytes, struct il_error *error);
/**
 * Writes what is left, syncs, renames, syncs the directory and frees the writer. On
 * IL_EIO the temporary file is gone and the target as before, but for a failed sync of
 * the directory: then the target is new and whole, and the text says so.
 */
IL_MUST_CHECK enum il_status il_writer_close(struct il_writer **writer,
                                             struct il_error *error);
/** Gives up: removes the temporary file, frees the writer; accepts NULL in *writer. */
void il_writer_abort(struct il_writer **writer);

#ifdef IL_FAULTS
enum il_io_call {
    IL_IO_OPEN,
    IL_IO_STAT,
    IL_IO_READ,
    IL_IO_WRITE,
    IL_IO_SYNC,
    IL_IO_CLOSE,
    IL_IO_RENAME,
    IL_IO_REMOVE,
    IL_IO_TRUNCATE,
    IL_IO_MKDIR,
    IL_IO_LIST,
    IL_IO_LOCK,
    IL_IO_MAP,
    IL_IO_WATCH
};
#define IL_IO_SHORT (-1)
/** Tests only, asked before each call: 0 = go on, > 0 = fail with this errno, IL_IO_SHORT
   = a read or write of at most one byte. NULL = no faults. */
extern int (*il_io_hook)(enum il_io_call call);

/** What changed in a directory of src/io/dir.h. */
struct il_io_event {
    enum il_io_call call;  /**< OPEN: created; WRITE, TRUNCATE, RENAME, REMOVE; SYNC: of
                              the file, of the directory when name is NULL */
    const char *name, *to; /**< in the directory; to: of RENAME */
    const void *data;      /**< of WRITE */
    uint64_t offset;       /**< of WRITE; of TRUNCATE the new size */
    size_t bytes;
};
/** Tests only, told after each call that worked; NULL = nobody. */
extern void (*il_io_watch)(const struct il_io_event *event);
#endif

#endif
