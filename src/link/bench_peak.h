/* SPDX-License-Identifier: Apache-2.0 */
/* The limits that kernels are measured against. */
#ifndef IL_BENCH_PEAK_H
#define IL_BENCH_PEAK_H

#include "simd/simd.h"

/**
 * Runs independent chains of multiply-adds in registers for so many passes.
 *
 * \return the floating point operations that this was, f32, two a multiply-add; with
 * IL_ISA_REF, and in builds without the instruction set, those of scalar multiplications
 * and additions
 * The machine must have the instruction set. Any thread.
 */
double il_peak_run(enum il_isa isa, long passes);

/**
 * The same for products of bytes that are added up in 32 bits, by the best instructions
 * of this machine and instruction set: vpdpbusd or sdot where il_simd.match3_i8 has them,
 * else the pairs of products that widen on the way (vpmaddubsw, smull).
 *
 * \return the integer operations that this was, two a product
 */
double il_peak_run_i8(enum il_isa isa, long passes);

#endif
