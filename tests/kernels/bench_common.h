/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the benches of the kernels share: cases that are timed in turns beside a peak of
 * the machine, and where their figures go.
 */
#ifndef IL_KERNEL_BENCH_H
#define IL_KERNEL_BENCH_H

#include <stdio.h>

#include "runner.h"

enum { IL_KT_CASES_MAX = 8 };

/** What a case is measured against: multiply-add chains in registers. */
enum il_kt_limit { IL_KT_NO_LIMIT, IL_KT_F32, IL_KT_I8 };

/** One kernel on one problem of n rows, m columns or anchors, k coordinates. */
struct il_kt_case {
    const char *kernel;
    void (*prepare)(void *data); /* before every run, not timed; NULL = nothing */
    void (*run)(void *data);
    double work; /* units of a run */
    const char *unit;
    enum il_kt_limit limit;
};

/** Cases on the same data; n, m, k are as they are printed. */
struct il_kt_group {
    const struct il_simd *simd;
    size_t n, m, k;
    int rounds; /* 1..16 */
    void *data;
    size_t count;
    struct il_kt_case cases[IL_KT_CASES_MAX];
};

/** A bench in progress. */
struct il_kt_bencher {
    const struct il_kt_bench_options *options;
    FILE *json; /* NULL = none */
};

/** Adds a case, unless --only leaves it out. */
void il_kt_add(const struct il_kt_bencher *bencher, struct il_kt_group *group,
               struct il_kt_case one);

/** Times the cases in turns, in rounds after one that warms up; a row of the table and a
    line of JSON each. */
void il_kt_run(const struct il_kt_bencher *bencher, const struct il_kt_group *group);

/** Memory of zeros, 64-byte aligned; ends the program when there is none. */
void *il_kt_take(size_t bytes);

/** The parts of the bench, for one instruction set. */
void il_kt_bench_match(const struct il_kt_bencher *bencher, const struct il_simd *simd);
void il_kt_bench_rows(const struct il_kt_bencher *bencher, const struct il_simd *simd);

#endif
