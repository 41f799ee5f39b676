/* SPDX-License-Identifier: Apache-2.0 */
/* Files that grow while they are read: what is there now, what the system says of a name,
   and who tells that something changed. */
#ifndef IL_GROW_H
#define IL_GROW_H

#include "src/io/file.h"

/** What a name or an open file is. */
enum il_thing { IL_THING_NONE = 0, IL_THING_FILE, IL_THING_DIR, IL_THING_OTHER };
struct il_about {
    enum il_thing thing;
    uint64_t dev, ino, size;
    uint64_t links; /**< names that it has; 0: removed */
};

/** Looks at a name, through symbolic links. What is not there is IL_THING_NONE and IL_OK.
 * IL_EIO. */
IL_MUST_CHECK enum il_status il_about_path(struct il_about *out, const char *path,
                                           struct il_error *error);
/** Looks at an open file. IL_EIO. */
IL_MUST_CHECK enum il_status
il_about_file(struct il_about *out, const struct il_file *file, struct il_error *error);

/**
 * Opens a regular file for reading, without ever waiting; file->sized is 1, also when it
 * is empty. What is not there, or is no regular file, stays closed (fd -1): about->thing
 * says it, IL_OK.
 * \param shown  for messages; borrowed until il_file_close
 * \return IL_OK; IL_EIO
 */
IL_MUST_CHECK enum il_status il_grow_open(struct il_file *file, const char *path,
                                          const char *shown, struct il_about *about,
                                          struct il_error *error);
/** Reads what there is at an offset, up to `bytes`; *got is less at the end only. IL_EIO.
 */
IL_MUST_CHECK enum il_status il_grow_read(const struct il_file *file, uint64_t offset,
                                          void *out, size_t bytes, size_t *got,
                                          struct il_error *error);
/** Reads what has come by a pipe, without waiting. *ended 1: nothing can come any more.
 * IL_EIO. */
IL_MUST_CHECK enum il_status il_grow_take(const struct il_file *file, void *out,
                                          size_t bytes, size_t *got, int *ended,
                                          struct il_error *error);

/** A descriptor that becomes readable when something in a directory changed. */
struct il_watch {
    int fd;   /**< -1: the system has none to give */
    int what; /**< number of the watched directory; -1: none is watched */
};
/** Needs il_watch_close. */
void il_watch_open(struct il_watch *watch);
/** Begins to watch a directory unless one is watched. When that is not possible nobody
 * is told: who watches must look now and then anyway. */
void il_watch_begin(struct il_watch *watch, const char *path);
/** Takes what was told; notices that the directory itself went. */
void il_watch_empty(struct il_watch *watch);
void il_watch_close(struct il_watch *watch);

#endif
