/* SPDX-License-Identifier: Apache-2.0 */
/* The limit that kernels are measured against. */
#ifndef IL_BENCH_PEAK_H
#define IL_BENCH_PEAK_H

#include "simd/simd.h"

/**
 * Runs independent chains of multiply-adds in registers for so many passes.
 *
 * \return the floating point operations that this was, f32; with IL_ISA_REF, and in
 * builds without the instruction set, those of scalar multiplications and additions
 * The machine must have the instruction set.
 */
double il_peak_run(enum il_isa isa, long passes);

#endif
