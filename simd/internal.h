/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Shared by simd.c and the per-ISA folders only: which instruction sets this build holds,
 * and the prototypes il_KERNEL_ISA of every kernel.
 */
#ifndef IL_SIMD_INTERNAL_H
#define IL_SIMD_INTERNAL_H

#include "simd.h"

#if defined(__x86_64__) && !defined(IL_REF_ONLY)
#define IL_SIMD_X86 1
#endif
#if defined(__aarch64__) && !defined(IL_REF_ONLY)
#define IL_SIMD_ARM 1
#endif

/* Fully unrolls a short loop: without it gcc -O2 keeps accumulator arrays on the stack.
 */
#if defined(__clang__)
#define IL_UNROLL _Pragma("clang loop unroll(full)")
#else
#define IL_UNROLL _Pragma("GCC unroll 16")
#endif

#define IL_KERNEL(name, ret, args) ret il_##name##_ref args;
#include "kernels.def"
#undef IL_KERNEL

#ifdef IL_SIMD_X86
#define IL_KERNEL(name, ret, args)                                                       \
    ret il_##name##_avx2 args;                                                           \
    ret il_##name##_avx512 args;
#include "kernels.def"
#undef IL_KERNEL
#endif

#ifdef IL_SIMD_ARM
#define IL_KERNEL(name, ret, args) ret il_##name##_neon args;
#include "kernels.def"
#undef IL_KERNEL
#endif

/* Register tiles (rows x columns), the widths of the packed panels. */
enum {
    IL_MR_REF = 4,
    IL_NR_REF = 8,
    IL_MR_NEON = 8,
    IL_NR_NEON = 12,
    IL_MR_AVX2 = 6,
    IL_NR_AVX2 = 16,
    IL_MR_AVX512 = 12,
    IL_NR_AVX512 = 32
};

#endif
