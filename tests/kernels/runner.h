/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Kernel test runner in the manner of checkasm: every instruction set of the machine
 * against the reference, bit for bit. libc only, so that one static binary runs under
 * qemu.
 */
#ifndef IL_KERNEL_RUNNER_H
#define IL_KERNEL_RUNNER_H

#include "simd/simd.h"

/** What a family of tests gets: the reference, the table under test, and how much to do.
 */
struct il_kt {
    struct il_simd ref;
    struct il_simd simd;
    int quick;
};

/** Where a buffer lies between its two unreadable pages. */
enum il_kt_place { IL_KT_START, IL_KT_END };

/** Kinds of test values. */
enum il_kt_values {
    IL_KT_RANDOM,  /* uniform in [-1, 1) */
    IL_KT_SPECIAL, /* random, with NaN, Inf, denormals, zeros of both signs, huge and tiny
                    */
    IL_KT_TINY,    /* products underflow to either zero */
    IL_KT_INTEGERS, /* -1, 0, 1: many ties */
    IL_KT_EQUAL,    /* all the same */
    IL_KT_KINDS
};

/**
 * A buffer of the slot (0..15), bytes <= 4 MiB: at the start of its pages, or ending at
 * their end up to the alignment. The bytes around it hold a pattern that il_kt_end_case
 * checks.
 */
void *il_kt_buffer(int slot, size_t bytes, size_t alignment, enum il_kt_place place);

void il_kt_fill_f32(float *x, size_t n, enum il_kt_values kind);
void il_kt_fill_f64(double *x, size_t n, enum il_kt_values kind);
void il_kt_fill_bytes(void *x, size_t n);
uint32_t il_kt_random(void);

/** 1 = same bits; any NaN equals any NaN. */
int il_kt_same_f32(const float *x, const float *y, size_t n);
int il_kt_same_f64(const double *x, const double *y, size_t n);

/** Counts one case: ok, and nothing written around the buffers. Prints a failing one. */
void il_kt_end_case(const struct il_kt *t, int ok, const char *kernel, const char *format,
                    ...) __attribute__((format(printf, 4, 5)));

/** The i-th size to test, 0..130 and primes; SIZE_MAX past the last. */
size_t il_kt_size(const struct il_kt *t, size_t i);

/* The families, one file each. */
void il_kt_vector(const struct il_kt *t);
void il_kt_convert(const struct il_kt *t);
void il_kt_pack(const struct il_kt *t);
void il_kt_gemm(const struct il_kt *t);
void il_kt_match3(const struct il_kt *t);
void il_kt_match1(const struct il_kt *t);
void il_kt_topk(const struct il_kt *t);
void il_kt_match_i8(const struct il_kt *t);
void il_kt_f64(const struct il_kt *t);
void il_kt_rows(const struct il_kt *t);
void il_kt_rows_i8(const struct il_kt *t);
void il_kt_bits(const struct il_kt *t);
void il_kt_table(int *passed, int *failed);

/** What --bench times, and where its figures go besides the table on stdout. */
struct il_kt_bench_options {
    int quick;
    const char *only; /* cases whose "KERNEL ISA" holds this; "" = all */
    const char *json; /* a file of JSON, a line for every row of the table; NULL = none */
};

/** Times the kernels of every instruction set but ref. 0 = the file was not written. */
int il_kt_bench(const struct il_kt_bench_options *options);

#endif
