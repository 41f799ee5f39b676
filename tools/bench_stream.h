/* SPDX-License-Identifier: Apache-2.0 */
/* bench_stream: replays of a draw through a stream, held against the truth. What fails
 * ends the program with a message: a benchmark has nobody to give an error to. */
#ifndef IL_BENCH_STREAM_H
#define IL_BENCH_STREAM_H

#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include <isolink/isolink.h>
#include <isolink/memory.h>
#include <isolink/stream.h>

#include "bench_quality.h"

#define IL_BENCH_SIZES_MAX 8

/** What the options say. */
struct il_bench_plan {
    char work[420]; /**< folder of the states, of this run alone, removed at its end */
    double base;    /**< share of the rows that are there at first */
    double after;   /**< share of new rows after which a bootstrap is due */
    size_t draws, seeds;
    size_t arrivals, batches; /**< one by one; batches of IL_BENCH_BATCH */
    unsigned threads, background_threads;
    enum il_sync sync[2];
    size_t sync_count;
    size_t size[IL_BENCH_SIZES_MAX]; /**< of generated sides, ascending */
    size_t size_count;
    size_t dim;            /**< of their rows */
    uint64_t memory_bytes; /**< 0: no bound */
    int name_columns;
};
#define IL_BENCH_BATCH 256

/* bench_stream.c */

/** Ends the program with "bench_stream: WHAT: WHY". */
void il_bench_die(int code, const char *what, const char *why) __attribute__((noreturn));
/** The same, when a call of the library failed. */
void il_bench_must(enum il_status status, const struct il_error *error);
/** A line that the next overwrites on a terminal; NULL: none any more. */
void il_bench_progress(const char *text);

/* bench_stream_replay.c */

/** Wall clock and processor seconds of all threads. */
struct il_spent {
    double wall, cpu;
};
struct il_spent il_spent_now(void);
struct il_spent il_spent_since(struct il_spent start);

/** Removes a folder and what is in it, as far as that can be done. */
void il_bench_remove(const char *folder);

/** Values of which quantiles are wanted. */
struct il_series {
    double *value;
    size_t count, room;
};
void il_series_add(struct il_series *s, double value);
/** The least value that a share q of all do not exceed; 0 without values. Sorts. */
double il_series_quantile(struct il_series *s, double q);
double il_series_mean(const struct il_series *s);
void il_series_free(struct il_series *s);

/** A row by its side and number. */
struct il_replay_row {
    uint32_t side, row;
};

/** The rows of a draw in an order: those of the base, then the arrivals. */
struct il_replay_order {
    struct il_replay_row *row;
    size_t base, count;
};
/** A random order, the same for equal arguments; rows of seeds are of the base, which
 * may grow by that. */
void il_replay_order_make(struct il_replay_order *out,
                          const struct il_bench_stores *stores,
                          const struct il_bench_seeds *seeds, size_t base, uint64_t draw);
void il_replay_order_free(struct il_replay_order *order);

/** A stream, and the links that stand by its events. Ids are the numbers of rows. */
struct il_replay {
    struct il_stream *stream;
    struct il_stream_config config;
    const struct il_bench_stores *stores;
    char path[480];
    size_t *partner; /**< row of B for every row of A, SIZE_MAX: none */
    uint8_t *given;  /**< 1: that link is a seed */
    uint64_t seq;
    size_t events;
    float *row;
    char (*id)[2][24]; /**< of the seeds */
    struct il_stream_seed *seed;
};
/** Makes a state with no rows, that never bootstraps by itself. sync as of a stream. */
void il_replay_open(struct il_replay *r, const struct il_bench_plan *plan,
                    const struct il_bench_stores *stores,
                    const struct il_bench_seeds *seeds, enum il_sync sync);
/** Closes and opens again; \return seconds of the opening. */
double il_replay_reopen(struct il_replay *r, enum il_sync sync);
/** Closes it and removes the state. */
void il_replay_close(struct il_replay *r);
/** Pushes rows [from, to) of an order, a commit every `batch` rows and at the end; the
 * milliseconds of each go to `times` (may be NULL). */
void il_replay_push(struct il_replay *r, const struct il_replay_order *order, size_t from,
                    size_t to, size_t batch, struct il_series *times);
/** Removes them again, in one commit. */
void il_replay_forget(struct il_replay *r, const struct il_replay_order *order,
                      size_t from, size_t to);
/** A bootstrap that is waited for. \return 1; 0: refused */
int il_replay_bootstrap(struct il_replay *r, enum il_bootstrap how);

/** Who is whose partner, and which pairs count. */
struct il_replay_judge {
    size_t rows[2];
    size_t *partner;     /**< true row of B, SIZE_MAX: none */
    uint8_t *seed[2];    /**< rows of seeds: their pairs never count */
    uint8_t *arrival[2]; /**< rows that came after the base */
};
struct il_replay_verdict {
    size_t links, right, truth;
    double precision, recall, f1;
};
void il_replay_judge_open(struct il_replay_judge *j, const struct il_bench_stores *stores,
                          const struct il_bench_seeds *seeds,
                          const struct il_replay_order *order);
void il_replay_judge_close(struct il_replay_judge *j);
/** Judges links (partner and given as of a replay); arrivals 1: pairs that touch one. */
struct il_replay_verdict il_replay_judge(const struct il_replay_judge *j,
                                         const size_t *partner, const uint8_t *given,
                                         int arrivals);

/* The sub-benches: each prints its table and returns it as JSON. */

/** bench_stream_quality.c: F1 on arrivals, precision, cost of bootstraps. */
json_t *il_bench_stream_quality(const struct il_bench_plan *plan,
                                const struct il_bench_source *const *source,
                                size_t count);
/** bench_stream_latency.c: from arrival to event. */
json_t *il_bench_stream_latency(const struct il_bench_plan *plan,
                                const struct il_bench_source *source);
/** The same while a bootstrap runs, and without. */
json_t *il_bench_stream_background(const struct il_bench_plan *plan,
                                   const struct il_bench_source *source);
/** bench_stream_growth.c: cost of an arrival as the base grows. */
json_t *il_bench_stream_growth(const struct il_bench_plan *plan);

#endif
