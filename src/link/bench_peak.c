/* SPDX-License-Identifier: Apache-2.0 */
/* Multiply-add peaks: independent chains in registers. There must be more of them than
   the latency times what starts in a cycle (5 times 2 on x86, 4 times 4 on ARM): vpdpbusd
   on 512 bits reaches 85 % of its rate with ten chains and all of it with fourteen
   (Sapphire Rapids). Where a step is several instructions, ten are enough. */
#include "src/link/bench_peak.h"

#include <stdatomic.h>

#if defined(__x86_64__) && !defined(IL_REF_ONLY)
#define PEAK_X86 1
#include <immintrin.h>
#elif defined(__aarch64__) && !defined(IL_REF_ONLY)
#define PEAK_ARM 1
#include <arm_neon.h>
/* As in simd/internal.h: clang has the intrinsic for a single function from 16 on. */
#if !defined(__clang__) || __clang_major__ >= 16 || defined(__ARM_FEATURE_DOTPROD)
#define PEAK_DOTPROD 1
#endif
#endif

#define EACH_10(X) X(0) X(1) X(2) X(3) X(4) X(5) X(6) X(7) X(8) X(9)
#define EACH_14(X) EACH_10(X) X(10) X(11) X(12) X(13)
#define EACH_20(X) EACH_14(X) X(14) X(15) X(16) X(17) X(18) X(19)

/* Registers of floats and of integers. */
#if defined(__x86_64__)
#define REG "v"
#define REG_INT "r"
#elif defined(__aarch64__)
#define REG "w"
#define REG_INT "r"
#else
#define REG "m"
#define REG_INT "m"
#endif

/* STEP is a multiply-add of chain n. What it leaves is hidden from the compiler, or it
   would take passes together and drop chains that nobody reads. A macro, because a
   function has one type. */
#define HIDE(reg, value) __asm__ volatile("" : "+" reg(value))
#define START(n) __typeof__(x) c##n = x;
#define CHAINS_RUN(chains, lanes)                                                        \
    EACH_##chains(START);                                                                \
    for (long pass = 0; pass < passes; pass++) {                                         \
        EACH_##chains(STEP)                                                              \
    }                                                                                    \
    return 2.0 * (chains) * (lanes) * (double)passes;

#define STEP(n)                                                                          \
    c##n = c##n * x + x;                                                                 \
    HIDE(REG, c##n);
static __attribute__((noinline)) double chains_scalar(long passes)
{
    float x = 0.5f;
    CHAINS_RUN(14, 1)
}
#undef STEP

/* The factor is hidden too, or its square would leave the loop. */
#define STEP(n)                                                                          \
    HIDE(REG_INT, x);                                                                    \
    c##n += x * x;                                                                       \
    HIDE(REG_INT, c##n);
static __attribute__((noinline)) double chains_scalar_i8(long passes)
{
    uint32_t x = 1;
    CHAINS_RUN(10, 1)
}
#undef STEP

#ifdef PEAK_X86
#define STEP(n)                                                                          \
    c##n = _mm256_fmadd_ps(x, x, c##n);                                                  \
    HIDE(REG, c##n);
static __attribute__((target("avx2,fma"), noinline)) double chains_avx2(long passes)
{
    __m256 x = _mm256_set1_ps(0.5f);
    CHAINS_RUN(14, 8)
}
#undef STEP
#define STEP(n)                                                                          \
    c##n = _mm512_fmadd_ps(x, x, c##n);                                                  \
    HIDE(REG, c##n);
static __attribute__((target("avx512f"), noinline)) double chains_avx512(long passes)
{
    __m512 x = _mm512_set1_ps(0.5f);
    CHAINS_RUN(20, 16)
}
#undef STEP

/* The steps in bytes are statements: nothing of them leaves the loop, gcc 12 moves no sum
   through memory as with its intrinsic of vpdpbusd, and assemblers know instructions that
   compilers must be told to allow. */
#define STEP(n) __asm__ volatile("%{vex%} vpdpbusd %1, %1, %0" : "+x"(c##n) : "x"(x));
static __attribute__((target("avx2"), noinline)) double chains_avx2_vnni(long passes)
{
    __m256i x = _mm256_set1_epi8(1);
    CHAINS_RUN(14, 32)
}
#undef STEP
#define STEP(n) __asm__ volatile("vpdpbusd %1, %1, %0" : "+v"(c##n) : "v"(x));
static __attribute__((target("avx512f"), noinline)) double chains_avx512_vnni(long passes)
{
    __m512i x = _mm512_set1_epi8(1);
    CHAINS_RUN(20, 64)
}
#undef STEP
/* Bytes to sums of two in 16 bits, these to sums of two in 32. */
#define STEP(n)                                                                          \
    __asm__ volatile("vpmaddubsw %2, %2, %1\n\t"                                         \
                     "vpmaddwd %3, %1, %1\n\t"                                           \
                     "vpaddd %1, %0, %0"                                                 \
                     : "+v"(c##n), "=&v"(pairs)                                          \
                     : "v"(x), "v"(ones));
static __attribute__((target("avx2"), noinline)) double chains_avx2_i8(long passes)
{
    __m256i x = _mm256_set1_epi8(1), ones = _mm256_set1_epi16(1), pairs;
    CHAINS_RUN(10, 32)
}
static __attribute__((target("avx512f,avx512bw"), noinline)) double
chains_avx512_i8(long passes)
{
    __m512i x = _mm512_set1_epi8(1), ones = _mm512_set1_epi16(1), pairs;
    CHAINS_RUN(10, 64)
}
#undef STEP
#endif

#ifdef PEAK_ARM
#define STEP(n)                                                                          \
    c##n = vfmaq_f32(c##n, x, x);                                                        \
    HIDE(REG, c##n);
static __attribute__((noinline)) double chains_neon(long passes)
{
    float32x4_t x = vdupq_n_f32(0.5f);
    CHAINS_RUN(20, 4)
}
#undef STEP
#ifdef PEAK_DOTPROD
#define STEP(n)                                                                          \
    c##n = vdotq_s32(c##n, vreinterpretq_s8_s32(x), vreinterpretq_s8_s32(x));            \
    HIDE(REG, c##n);
static __attribute__((target("arch=armv8.2-a+dotprod"), noinline)) double
chains_neon_dot(long passes)
{
    int32x4_t x = vdupq_n_s32(0x01010101);
    CHAINS_RUN(20, 16)
}
#undef STEP
#endif
#define STEP(n)                                                                          \
    __asm__ volatile("smull %1.8h, %2.8b, %2.8b\n\t"                                     \
                     "smlal2 %1.8h, %2.16b, %2.16b\n\t"                                  \
                     "sadalp %0.4s, %1.8h"                                               \
                     : "+w"(c##n), "=&w"(pairs)                                          \
                     : "w"(x));
static __attribute__((noinline)) double chains_neon_i8(long passes)
{
    int8x16_t x = vdupq_n_s8(1), pairs;
    CHAINS_RUN(10, 16)
}
#undef STEP
#endif

double il_peak_run(enum il_isa isa, long passes)
{
    switch (isa) {
#ifdef PEAK_X86
    case IL_ISA_AVX512:
        return chains_avx512(passes);
    case IL_ISA_AVX2:
        return chains_avx2(passes);
#endif
#ifdef PEAK_ARM
    case IL_ISA_NEON:
        return chains_neon(passes);
#endif
    default:
        return chains_scalar(passes);
    }
}

#if defined(PEAK_X86) || defined(PEAK_DOTPROD)
/* 1: the machine multiplies bytes and adds the products up in one instruction. The kernel
   table knows; what it said is kept, for to ask the processor takes a while on virtual
   machines. */
static int multiplies_bytes(enum il_isa isa)
{
    static atomic_int answer[IL_ISA_AVX512 + 1]; /* 0: not asked, 1: no, 2: yes */
    int known = atomic_load_explicit(&answer[isa], memory_order_relaxed);
    if (known == 0) {
        struct il_simd table;
        il_simd_init(&table, isa);
        known = table.isa == isa && table.match3_i8 != NULL ? 2 : 1;
        atomic_store_explicit(&answer[isa], known, memory_order_relaxed);
    }
    return known == 2;
}
#endif

double il_peak_run_i8(enum il_isa isa, long passes)
{
    switch (isa) {
#ifdef PEAK_X86
    case IL_ISA_AVX512:
        return multiplies_bytes(isa) ? chains_avx512_vnni(passes)
                                     : chains_avx512_i8(passes);
    case IL_ISA_AVX2:
        return multiplies_bytes(isa) ? chains_avx2_vnni(passes) : chains_avx2_i8(passes);
#endif
#ifdef PEAK_ARM
    case IL_ISA_NEON:
#ifdef PEAK_DOTPROD
        if (multiplies_bytes(isa))
            return chains_neon_dot(passes);
#endif
        return chains_neon_i8(passes);
#endif
    default:
        return chains_scalar_i8(passes);
    }
}
