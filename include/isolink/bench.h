/* SPDX-License-Identifier: Apache-2.0 */
/* How fast this machine is, and how near to its limits the kernels come. */
#ifndef ISOLINK_BENCH_H
#define ISOLINK_BENCH_H

#include <stddef.h>

#include <isolink/status.h>

#ifdef __cplusplus
extern "C" {
#endif

/** What is measured. Fill with il_bench_config_init, then change what you want. */
struct il_bench_config {
    size_t struct_bytes; /**< sizeof(struct il_bench_config): set by the init */
    unsigned threads;    /**< 1..256; 0 (default) = one per available core */
    int quick; /**< 1: about a second, small problems; default 0: some seconds */
};

/** Sets every field to its default. Any thread. */
IL_API void il_bench_config_init(struct il_bench_config *config);

/** What a rate counts. */
enum il_bench_unit {
    IL_BENCH_FLOPS = 0, /**< floating point operations; a multiply-add is two */
    IL_BENCH_BYTES = 1, /**< bytes read and written */
    IL_BENCH_OPS = 2 /**< operations on integers or bits, two where a multiply-add is */
};

/** One line: a limit of the machine, or a kernel beside its limit. */
struct il_bench_line {
    const char *name;        /**< constant, as in "match3_f32" */
    const char *isa;         /**< constant */
    enum il_bench_unit unit; /**< of rate and peak */
    size_t rows, columns, k; /**< of the problem; columns 0 = works row by row */
    unsigned threads;        /**< that ran it at once, each on a problem of this size */
    double rate;             /**< units a second, of all threads; median of the rounds */
    double peak;             /**< the limit, measured in the same rounds; median */
    double share;            /**< rate / limit; median of the rounds' own shares */
    double share_min, share_max; /**< least and largest share of a round */
};

#define IL_BENCH_PEAKS_MAX 16
#define IL_BENCH_KERNELS_MAX 128

struct il_bench {
    const char *isa;       /**< the instruction set in use */
    const char *available; /**< those of this machine, as in "ref avx2 avx512" */
    unsigned threads;      /**< threads of the lines that have more than one */
    double seconds;        /**< wall time of all */
    double processor;      /**< share of that time that the cores were free for the
                              timings: other load took the rest */
    size_t peaks;          /**< rate = the limit itself, share 1 */
    struct il_bench_line peak[IL_BENCH_PEAKS_MAX];
    size_t kernels;
    struct il_bench_line kernel[IL_BENCH_KERNELS_MAX];
};

/**
 * Measures the multiply-add peaks of every available instruction set, the copying speed,
 * and each kernel of the instruction set in use beside the one of them that limits it.
 *
 * The peaks are those of independent multiply-add chains in registers (of a
 * multiplication and an addition for "ref"): of f32, and of bytes that are added up in 32
 * bits ("multiply-add i8"), by the best instructions that this machine has. The limit of
 * a kernel of f64 or of bits follows from the peak of f32 and from how many fit an
 * instruction. The copying speed is that of memcpy between blocks of the size that the
 * kernel works on. All are measured again around every round of a kernel, so a machine
 * that changes its clock moves the rates more than the shares. Rates are per second of
 * processor time, so that other load disturbs little. A kernel that this machine has not
 * got (match3_i8 without products of bytes) has no line.
 * \param config  copied; NULL = defaults
 * \return IL_OK; IL_EARG; IL_ENOMEM
 * Cost: some seconds, some 20 MB a thread. Uses its own threads; runs at one time disturb
 * each other. Not deterministic.
 */
IL_API IL_MUST_CHECK enum il_status il_bench_run(struct il_bench *out,
                                                 const struct il_bench_config *config,
                                                 struct il_error *error);

#ifdef __cplusplus
}
#endif
#endif
