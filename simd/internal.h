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

/* Kernels for what some machines have beyond their instruction set; simd.c asks for it.
 */
#ifdef IL_SIMD_X86
void il_rows_i8i8_avx512vnni(size_t blocks, size_t d, size_t k, const int8_t *x,
                             const void *anchors, int32_t *out);
void il_rows_pack_i8_avx512vnni(const int8_t *x, size_t k, size_t d, size_t ld,
                                void *out);
void il_hamming_row_avx512popcnt(const uint64_t *x, const uint64_t *rows, size_t n,
                                 size_t words, uint32_t *out);
void il_hamming_block_avx512popcnt(size_t n, size_t m, size_t words, const uint64_t *a,
                                   const uint64_t *b, uint16_t *out, size_t ld);
#endif
#ifdef IL_SIMD_ARM
/* clang has the intrinsic of sdot for a single function from version 16 on. */
#if !defined(__clang__) || __clang_major__ >= 16 || defined(__ARM_FEATURE_DOTPROD)
#define IL_SIMD_DOTPROD 1
void il_rows_i8i8_dotprod(size_t blocks, size_t d, size_t k, const int8_t *x,
                          const void *anchors, int32_t *out);
void il_rows_pack_i8_dotprod(const int8_t *x, size_t k, size_t d, size_t ld, void *out);
#endif
#endif

/* Rows in bytes: below TINY squares underflow, so it is added to every length; a HUGE row
   is not filtered; K_MAX coordinates keep sums of bytes in 32 bits. */
#define IL_I8_TINY 1e-16f
#define IL_I8_HUGE 1e15f
#define IL_I8_K_MAX 4096

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
