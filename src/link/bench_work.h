/* SPDX-License-Identifier: Apache-2.0 */
/* What il_bench_run times: every kernel of the table, and problems for them. */
#ifndef IL_BENCH_WORK_H
#define IL_BENCH_WORK_H

#include <isolink/bench.h>

#include "simd/simd.h"
#include "src/base/base.h"

enum { IL_WORK_BLOCKS = 32 };

/** A problem of one thread: n rows, m columns (0 = row by row), k coordinates. What a
    kernel does not use may be unset. */
struct il_work {
    const struct il_simd *simd;
    size_t n, m, k, top;
    size_t words;    /* of 64 bits in a row of signs */
    float *a, *b;    /* packed in panels; stored blocks and anchors; n x k rows, m = 0 */
    float *rows;     /* n x k: those of a; FLAT: a in panels of mr */
    float *out;      /* n x m, and n x k */
    double *d64;     /* two blocks of n x k */
    uint16_t *f16;   /* n x k; its bytes serve the narrower types too */
    float *scale;    /* n */
    void *packed_i8; /* m anchors */
    uint64_t *bits_a, *bits_b;
    uint32_t *index; /* n */
    struct il_top3 *row3, *col3;
    struct il_top2 *row2, *col2;
    float *value; /* n lists, then the columns */
    uint32_t *place;
    struct il_i8_rows i8_a, i8_b;
    void *scratch;
    double seconds; /* of the last timing */
    void *block[IL_WORK_BLOCKS];
    size_t blocks;
    int failed; /* 1: an allocation was refused */
};

/** How the rows of a problem lie in memory. */
enum il_work_kind {
    IL_WORK_FLAT,   /* row-major, m = 0 */
    IL_WORK_PANELS, /* packed, a of mr rows and b of nr */
    IL_WORK_STORED, /* blocks of IL_ROWS against anchors */
    IL_WORK_BITS    /* signs */
};

/** What limits a kernel: the multiply-add peak of its type, or the copying speed. */
enum il_work_limit {
    IL_WORK_F32,
    IL_WORK_F64,
    IL_WORK_I8,
    IL_WORK_ONE_BIT,
    IL_WORK_COPY,
    IL_WORK_LIMITS
};

/** One kernel on one problem. */
struct il_work_kernel {
    const char *name;
    void (*call)(struct il_work *work);
    enum il_work_kind kind;
    enum il_work_limit limit;
    double each;    /* operations of n x m x k, or bytes of n x k */
    size_t n, m, k; /* largest problem */
    size_t top;     /* places of a list */
};

/** All of them; the count goes to count. */
const struct il_work_kernel *il_work_kernels(size_t *count);
/** 0: this machine has not got it (match3_i8 wants products of bytes). */
int il_work_available(const struct il_work_kernel *kernel);
/** memcpy, the limit of kernels that move data; its problem suits those of kind flat. */
const struct il_work_kernel *il_work_copying(void);

/** Allocates and fills a problem of n x m; number: another one for every thread.
    IL_ENOMEM. */
IL_MUST_CHECK enum il_status il_work_open(struct il_work *work,
                                          const struct il_work_kernel *kernel, size_t n,
                                          size_t m, unsigned number);
/** Frees it; a zeroed one is accepted. */
void il_work_close(struct il_work *work);

#endif
