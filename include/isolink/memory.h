/* SPDX-License-Identifier: Apache-2.0 */
/* A bound on the memory of the process: what is large lies in scratch files instead. */
#ifndef ISOLINK_MEMORY_H
#define ISOLINK_MEMORY_H

#include <stddef.h>
#include <stdint.h>

#include <isolink/status.h>

#ifdef __cplusplus
extern "C" {
#endif

/** Fill with il_memory_config_init, then set limit_bytes. */
struct il_memory_config {
    size_t struct_bytes;  /**< set by il_memory_config_init */
    uint64_t limit_bytes; /**< of resident memory, at least IL_MEMORY_MIN */
    const char *scratch;  /**< directory of the scratch files, on a disk; default
                             /var/tmp; copied */
};

/** The least limit: program, threads and the window on the scratch files. Whatever the
 * number of rows. */
#define IL_MEMORY_MIN ((uint64_t)128 << 20)

IL_API void il_memory_config_init(struct il_memory_config *config);

/**
 * Bounds the resident memory of the process from now on.
 *
 * Every large array that the library asks for afterwards, but for a few that are touched
 * all the time, is a mapping of a nameless scratch file, whose room on the disk is
 * reserved at once, so that a full disk is IL_ENOMEM and never a signal. A thread watches
 * the resident memory, and before it reaches the limit the mapped pages are given back,
 * those of open stores too: they stay in the file and in the page cache, as far as the
 * system has room for it, and come back when they are touched. Results are the same bytes
 * as without a limit; slower as far as the pages have to come from the disk. A disk that
 * fails to read back its pages ends the process by SIGBUS.
 *
 * Process-wide, as resident memory is: one limit at a time, set before the threads that
 * work. Memory that others than the library take is counted but cannot be given back.
 * \return IL_OK; IL_EARG: below IL_MEMORY_MIN, or set already; IL_EIO: the directory is
 * not usable; IL_ELIMIT: the process has used more than the limit already, the text says
 * how much; IL_ENOMEM
 */
IL_API IL_MUST_CHECK enum il_status il_memory_limit(const struct il_memory_config *config,
                                                    struct il_error *error);

/**
 * The least limit under which so many bytes can be touched over and over: they, program
 * and threads stay below the share of it at which pages are given back. At least
 * IL_MEMORY_MIN, whole MiB. Any thread.
 */
IL_API uint64_t il_memory_least(uint64_t bytes);

/**
 * Room for a program that uses the library, beside what the library takes: under a limit
 * large room lies in a scratch file too.
 * \return count * size bytes, 64-byte aligned, not cleared, for il_memory_give; NULL when
 * there are none: il_memory_describe then says why, if it was the scratch disk. Any
 * thread
 */
IL_API void *il_memory_get(size_t count, size_t size);
/** Accepts NULL. Any thread. */
IL_API void il_memory_give(void *block);

/**
 * Starts the measure of the largest resident memory anew (ru_maxrss of getrusage, VmHWM
 * of Linux), after giving back to the system what was freed: then it tells what came
 * since. \return 1; 0 where the system cannot, and the measure goes on as it was. Any
 * thread.
 */
IL_API int il_memory_measure(void);

/** What a limit has cost so far. All 0 without one. */
struct il_memory_use {
    uint64_t limit_bytes;
    uint64_t scratch_bytes;     /**< in scratch files now */
    uint64_t scratch_bytes_max; /**< at most so far */
    uint64_t releases;          /**< times that pages were given back */
    char trouble[200];          /**< why a large array could not be had; "" */
};
IL_API void il_memory_describe(struct il_memory_use *out);

/** Ends the watch; arrays that are still there stay valid. Nothing without a limit. */
IL_API void il_memory_unlimit(void);

#ifdef __cplusplus
}
#endif
#endif
