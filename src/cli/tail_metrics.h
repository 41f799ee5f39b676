/* SPDX-License-Identifier: Apache-2.0 */
/* The figures of a running daemon, and their text for Prometheus (format 0.0.4). */
#ifndef IL_TAIL_METRICS_H
#define IL_TAIL_METRICS_H

#include <stdio.h>

#include <isolink/isolink.h>

/** Finite bounds of the histogram; one more class lies above them. */
#define IL_ARRIVAL_BOUNDS 14

struct il_histogram {
    uint64_t count[IL_ARRIVAL_BOUNDS + 1]; /**< of each class alone */
    double sum;
};
/** Adds a value as often as `times`. */
void il_histogram_add(struct il_histogram *histogram, double value, uint64_t times);

#define IL_SOURCE_NAME_MAX 256

/** What is known at one moment; holds no pointers. */
struct il_tail_figures {
    int open; /**< 1: the state is open, `stream` says of it what it is */
    struct il_stream_info stream;
    /* Since the daemon began, whatever happened to the state meanwhile. */
    uint64_t arrivals[2], removed[2], refused[2];
    uint64_t events[3];
    struct il_histogram arrival; /**< seconds from reading a row to its events */
    char source[2][IL_SOURCE_NAME_MAX];
    struct il_tail_info tail[2];
    uint64_t resident_bytes;
    double rate; /**< arrivals a second, lately */
};

/** Resident memory of this process; 0 where the system does not say. */
uint64_t il_resident_bytes(void);

/** Writes all metrics. */
void il_metrics_put(FILE *stream, const struct il_tail_figures *figures);

#endif
