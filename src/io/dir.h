/* SPDX-License-Identifier: Apache-2.0 */
/* Files of one directory, by their names in it: whatever happens to the path, and without
   following symbolic links. For stores. */
#ifndef IL_DIR_H
#define IL_DIR_H

#include "src/io/file.h"

/** A name for messages: the end of the directory's path, '/', the name of the file. */
#define IL_DIR_SHOWN 256

struct il_dir {
    int fd;
    const char *path; /**< borrowed until close */
};

/**
 * Opens a directory, following links on the way to it. \param path borrowed until close
 * \return IL_OK; IL_EIO
 */
IL_MUST_CHECK enum il_status il_dir_open(struct il_dir *dir, const char *path,
                                         struct il_error *error);
/** Makes a directory where there is none, and syncs the one that it lies in. IL_EIO. */
IL_MUST_CHECK enum il_status il_dir_make(const char *path, struct il_error *error);
/** A closed one (fd -1) is fine. */
void il_dir_close(struct il_dir *dir);
/** 0: there is nothing of this name; 1: something, or nobody may say. */
int il_dir_exists(const char *path);
/** Removes an empty directory. IL_EIO. */
IL_MUST_CHECK enum il_status il_dir_remove_empty(const char *path,
                                                 struct il_error *error);
/** Writes the name of a file for messages; at most IL_DIR_SHOWN bytes. Returns out. */
const char *il_dir_shown(const struct il_dir *dir, const char *name, char *out);

/** Makes renames, new and removed names durable. IL_EIO. */
IL_MUST_CHECK enum il_status il_dir_sync(const struct il_dir *dir,
                                         struct il_error *error);
/** Gives a file another name, over what had it. IL_EIO. */
IL_MUST_CHECK enum il_status il_dir_rename(const struct il_dir *dir, const char *from,
                                           const char *to, struct il_error *error);
/** Removes a file; one that is not there is fine. IL_EIO. */
IL_MUST_CHECK enum il_status il_dir_remove(const struct il_dir *dir, const char *name,
                                           struct il_error *error);
/** Calls each with every name but . and .. until it returns other than 0. IL_EIO;
 * IL_ENOMEM. */
IL_MUST_CHECK enum il_status il_dir_list(const struct il_dir *dir,
                                         int (*each)(void *context, const char *name),
                                         void *context, struct il_error *error);

/**
 * Opens a regular file for reading; file->sized is 1, also when it is empty.
 * \param shown    for messages; borrowed until close
 * \param missing  receives 1 when there is none (and IL_EIO), else 0; may be NULL
 * \return IL_OK; IL_EIO, also for anything but a regular file
 */
IL_MUST_CHECK enum il_status il_dir_file(const struct il_dir *dir, const char *name,
                                         const char *shown, struct il_file *file,
                                         int *missing, struct il_error *error);

/** A file that is written at its end. */
struct il_out {
    int fd;            /**< also for reading */
    const char *name;  /**< in the directory, */
    const char *shown; /**< and for messages; both borrowed until close */
    uint64_t bytes;    /**< where the next write goes */
};
/**
 * Opens a file for writing and reading: a new one, IL_EIO when there is one; with an
 * existing one writes go to its end.
 */
IL_MUST_CHECK enum il_status il_out_open(struct il_out *out, const struct il_dir *dir,
                                         const char *name, const char *shown, int fresh,
                                         struct il_error *error);
/** Appends. IL_EIO: nothing may follow but close. */
IL_MUST_CHECK enum il_status il_out_write(struct il_out *out, const void *data,
                                          size_t bytes, struct il_error *error);
/** Makes what was written durable. IL_EIO: nothing may follow but close. */
IL_MUST_CHECK enum il_status il_out_sync(struct il_out *out, struct il_error *error);
/** Cuts the file. IL_EIO. */
IL_MUST_CHECK enum il_status il_out_truncate(struct il_out *out, uint64_t bytes,
                                             struct il_error *error);
/** A closed one (fd -1) is fine. What counts was synced before: no error. */
void il_out_close(struct il_out *out);

/**
 * Opens or makes a file and locks it for this open file alone, until it is closed.
 * \param fd      receives it; -1 unless IL_OK
 * \param holder  receives the number that the holder wrote there with il_dir_lock_sign, 0
 * without one
 * \return IL_OK; IL_ELOCKED when somebody has it (the text is the caller's); IL_EIO
 */
IL_MUST_CHECK enum il_status il_dir_lock(const struct il_dir *dir, const char *name,
                                         int *fd, long *holder, struct il_error *error);
/** Writes this process's number into a lock, or empties it before it is closed: for
 * messages only, so failures are of no account. */
void il_dir_lock_sign(int fd, int sign);

/** A regular file, mapped for reading only. Whoever maps a file answers for it: that
   nobody cuts it short, which would end the process. */
struct il_map {
    const unsigned char *data; /**< NULL: not mapped, or empty */
    size_t bytes;
};
/** IL_EIO; IL_ENOMEM. */
IL_MUST_CHECK enum il_status il_map_open(struct il_map *map, const struct il_file *file,
                                         struct il_error *error);
/** A zeroed one is fine. */
void il_map_close(struct il_map *map);

/** Fills with random bytes, for names that must be unlike all others. IL_EIO. */
IL_MUST_CHECK enum il_status il_unique(void *out, size_t bytes, struct il_error *error);

#endif
