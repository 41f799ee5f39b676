/* SPDX-License-Identifier: Apache-2.0 */
/* What every layer above uses: error texts, checked sizes, memory, threads, random
 * numbers, time. */
#ifndef IL_BASE_H
#define IL_BASE_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <isolink/status.h>

#ifdef IL_DEBUG
#include <assert.h>
#define IL_ASSERT(e) assert(e)
#else
#define IL_ASSERT(e) ((void)sizeof(e))
#endif

/** Writes a formatted text into error (which may be NULL) and returns status. */
enum il_status il_fail(struct il_error *error, enum il_status status, const char *format,
                       ...) __attribute__((format(printf, 3, 4)));

/** The last 160 bytes of a path, so that the reason behind it still fits into an error
 * text. */
const char *il_path_tail(const char *path);
/** Copies text for a message: control bytes become '?', a long text ends in "...".
   Returns out, zero-terminated; out_bytes >= 8. */
const char *il_printable(char *out, size_t out_bytes, const char *text,
                         size_t text_bytes);
/** Hash of a byte string for tables in memory: never stored, may differ between versions.
 */
uint64_t il_hash_bytes(const void *data, size_t bytes);

/** *out = a * b; returns IL_ELIMIT when it does not fit. */
IL_MUST_CHECK enum il_status il_mul_bytes(size_t a, size_t b, size_t *out);
/** *out = a + b; returns IL_ELIMIT when it does not fit. */
IL_MUST_CHECK enum il_status il_add_bytes(size_t a, size_t b, size_t *out);

/** count * size bytes, 64-byte aligned, padded by 64 bytes, not cleared; NULL when that
 * fails. */
void *il_alloc(size_t count, size_t size);
/** The same, cleared. */
void *il_alloc_zero(size_t count, size_t size);
/** Grows or shrinks a block of il_alloc: the first old_bytes are kept. NULL leaves the
 * old block. */
void *il_realloc(void *block, size_t old_bytes, size_t new_bytes);
void il_free(void *block);

/** As il_alloc, for what is touched over and over, here and there: under a bound on
 * memory it stays there as far as there is room, where other blocks come and go. */
void *il_alloc_hot(size_t count, size_t size);

/** Another giver of large blocks; see src/io/scratch.c. */
struct il_large {
    size_t bytes_min; /**< blocks from here on come from it */
    /** cleared, aligned to pages; NULL = none to be had; hot: of il_alloc_hot */
    void *(*get)(size_t bytes, int hot);
    int (*put)(void *block); /**< 1: it was its own, and is free; else 0 */
    void (*look)(void);      /**< at whether too much is resident; any thread */
    /** see il_large_gather; 0: it is not its own, nothing was copied */
    int (*gather)(const void *block, size_t row_bytes, const uint32_t *rows, size_t count,
                  void *out);
};
/** Takes effect for later blocks; NULL = none, what it gave stays its own. large must
 * live as long as the process. Any thread. */
void il_large_set(const struct il_large *large);
/** Long loops over large blocks call this now and then; the pool does between tasks. */
void il_large_look(void);
/** How often loops over rows do: the kernel maps 64 KiB around a row that is touched. */
#define IL_LOOK_ROWS 128
/** Copies rows[0 .. count - 1] of row_bytes each from a block to out. Of a large block
 * the pages around the rows do not become resident, which cost more than the copy. Any
 * thread. \return 0: nothing was copied, as the block is no large one: use it directly */
int il_large_gather(const void *block, size_t row_bytes, const uint32_t *rows,
                    size_t count, void *out);
/** Gives freed memory back to the system, as far as the C library can. */
void il_trim(void);
/** memset to 0, of any length. */
void il_clear(void *block, size_t bytes);

#ifdef IL_FAULTS
/** Tests only: call k (from 1) of the three above fails once; 0 = none. Counts anew from
 * here. */
void il_alloc_fail_at(long k);
/** Calls since il_alloc_fail_at. */
long il_alloc_calls(void);
#endif

/** A pool of threads that runs numbered tasks; which thread runs which is not defined. */
struct il_pool;
/** threads 1..256, the caller included; 0 = il_cores(). Where the system refuses a thread
   the pool has fewer: ask il_pool_threads. IL_EARG; IL_ENOMEM. */
IL_MUST_CHECK enum il_status il_pool_open(struct il_pool **out, unsigned threads);
unsigned il_pool_threads(const struct il_pool *pool);
typedef void il_task_fn(void *context, size_t task, unsigned thread);
/** Runs fn(context, 0 .. tasks - 1, thread) and returns when all are done. One caller at
   a time; the caller works too (as thread 0). */
void il_pool_run(struct il_pool *pool, size_t tasks, il_task_fn *fn, void *context);
void il_pool_close(struct il_pool **pool);

/** Number of cores this process may use, >= 1. */
unsigned il_cores(void);

/** Counter-based random numbers: equal keys give equal streams, whatever ran before. */
struct il_rng {
    uint64_t key;
    uint64_t counter;
};
/** What a stream is for; part of its key. */
enum il_purpose {
    IL_FOR_FOLDS = 1,
    IL_FOR_RADIUS = 2,
    IL_FOR_VIEW = 3,
    IL_FOR_SEED_GROUPS = 4,
    IL_FOR_SAMPLE = 5,
    IL_FOR_PARTITION = 6,
    IL_FOR_NULL = 7,
    IL_FOR_LOCAL = 8,
    IL_FOR_LANDMARKS = 9,
    IL_FOR_WEIGHTS = 10,
    IL_FOR_MAP = 11,
    IL_FOR_MAP_SAMPLE = 12,
    IL_FOR_CODEBOOK = 13,
    IL_FOR_ASSIGNMENT = 14
};
struct il_rng il_rng_make(uint64_t seed, uint64_t round, uint64_t view,
                          enum il_purpose purpose);
uint64_t il_rng_next(struct il_rng *rng);
/** Uniform in 0 .. bound - 1 without bias; bound >= 1. */
uint64_t il_rng_below(struct il_rng *rng, uint64_t bound);
/** Writes count distinct numbers of 0 .. range - 1, ascending (count <= range). */
void il_rng_sample(struct il_rng *rng, uint32_t range, uint32_t count, uint32_t *out);
/** Random order of the items. */
void il_rng_shuffle(struct il_rng *rng, uint32_t *items, size_t count);

/** e^x within 2 units in the last place, the same bits everywhere; 0 below -700, e^700
 * above 700. */
double il_exp(double x);

/** Monotonic seconds. */
double il_clock_seconds(void);
/** Nanoseconds since 1970 UTC, as the system believes: to be shown, never for order. */
int64_t il_clock_wall_ns(void);

#endif
