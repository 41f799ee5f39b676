/* SPDX-License-Identifier: Apache-2.0 */
/* Multiply-add peak: ten independent chains, enough for a latency of 5 at two a cycle.
   The empty assembly keeps the compiler from taking passes together, and the chains in
   registers. */
#include "src/link/bench_peak.h"

enum { CHAINS = 10 };

/* One body for every type of register: STEP is a multiply-add of a chain, REG the
   constraint of its register. A macro, because a function has one type. */
#define CHAINS_BODY(type, zero)                                                          \
    type c0 = (zero), c1 = (zero), c2 = (zero), c3 = (zero), c4 = (zero), c5 = (zero),   \
         c6 = (zero), c7 = (zero), c8 = (zero), c9 = (zero);                             \
    for (long i = 0; i < passes; i++) {                                                  \
        __asm__ volatile(""                                                              \
                         : "+" REG(c0), "+" REG(c1), "+" REG(c2), "+" REG(c3),           \
                           "+" REG(c4), "+" REG(c5), "+" REG(c6), "+" REG(c7),           \
                           "+" REG(c8), "+" REG(c9));                                    \
        c0 = STEP(c0);                                                                   \
        c1 = STEP(c1);                                                                   \
        c2 = STEP(c2);                                                                   \
        c3 = STEP(c3);                                                                   \
        c4 = STEP(c4);                                                                   \
        c5 = STEP(c5);                                                                   \
        c6 = STEP(c6);                                                                   \
        c7 = STEP(c7);                                                                   \
        c8 = STEP(c8);                                                                   \
        c9 = STEP(c9);                                                                   \
    }                                                                                    \
    __asm__ volatile(""                                                                  \
                     :                                                                   \
                     : REG(c0), REG(c1), REG(c2), REG(c3), REG(c4), REG(c5), REG(c6),    \
                       REG(c7), REG(c8), REG(c9));

#if defined(__x86_64__)
#define REG "x"
#elif defined(__aarch64__)
#define REG "w"
#else
#define REG "m"
#endif
#define STEP(c) ((c)*0.5f + 0.5f)
static __attribute__((noinline)) void chains_scalar(long passes)
{
    CHAINS_BODY(float, 0.0f)
}
#undef STEP

#if defined(__x86_64__) && !defined(IL_REF_ONLY)
#include <immintrin.h>
#define STEP(c) _mm256_fmadd_ps(x, x, (c))
static __attribute__((target("avx2,fma"), noinline)) void chains_avx2(long passes)
{
    const __m256 x = _mm256_set1_ps(0.5f);
    CHAINS_BODY(__m256, _mm256_setzero_ps())
}
#undef STEP
#undef REG
#define REG "v"
#define STEP(c) _mm512_fmadd_ps(x, x, (c))
static __attribute__((target("avx512f"), noinline)) void chains_avx512(long passes)
{
    const __m512 x = _mm512_set1_ps(0.5f);
    CHAINS_BODY(__m512, _mm512_setzero_ps())
}
#undef STEP
#elif defined(__aarch64__) && !defined(IL_REF_ONLY)
#include <arm_neon.h>
#define STEP(c) vfmaq_f32((c), x, x)
static __attribute__((noinline)) void chains_neon(long passes)
{
    const float32x4_t x = vdupq_n_f32(0.5f);
    CHAINS_BODY(float32x4_t, vdupq_n_f32(0.0f))
}
#undef STEP
#endif

double il_peak_run(enum il_isa isa, long passes)
{
    double lanes = 1;

    switch (isa) {
#if defined(__x86_64__) && !defined(IL_REF_ONLY)
    case IL_ISA_AVX512:
        chains_avx512(passes);
        lanes = 16;
        break;
    case IL_ISA_AVX2:
        chains_avx2(passes);
        lanes = 8;
        break;
#elif defined(__aarch64__) && !defined(IL_REF_ONLY)
    case IL_ISA_NEON:
        chains_neon(passes);
        lanes = 4;
        break;
#endif
    default:
        chains_scalar(passes);
        break;
    }
    return 2 * CHAINS * lanes * (double)passes;
}
