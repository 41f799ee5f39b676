/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The 12 x 32 register tile of AVX-512: 24 named accumulators, one macro per row, for gcc
 * keeps arrays of accumulators on the stack (tools/check_spill.sh looks). Per coordinate:
 * 24 fma, 2 loads of b and 12 values of a. Nine of these are broadcast by the fma that
 * use them, twice each, three by a load of their own: 23 loads and 29 instructions beside
 * 12 cycles of fma. With twelve broadcasts to registers it is 14 loads but 38
 * instructions, and 8 to 12 % slower where a core shares its front end (Sapphire Rapids,
 * both compilers); with none it is 26 loads, more than two per cycle. The compilers would
 * join the two reads of a value into one broadcast, hence the assembly statement.
 */
#ifndef IL_TILE_AVX512_H
#define IL_TILE_AVX512_H

#define TILE_ROWS(X) X(0) X(1) X(2) X(3) X(4) X(5) X(6) X(7) X(8) X(9) X(10) X(11)
#define TILE_ROWS_AFTER_0(X) X(1) X(2) X(3) X(4) X(5) X(6) X(7) X(8) X(9) X(10) X(11)
#define TILE_VECTORS(X, r) X(r, 0) X(r, 1)

#define TILE_ZERO(r)                                                                     \
    __m512 c##r##_0 = _mm512_setzero_ps(), c##r##_1 = _mm512_setzero_ps();
#define TILE_LOAD(r)                                                                     \
    c##r##_0 = _mm512_loadu_ps(c + (r)*ld);                                              \
    c##r##_1 = _mm512_loadu_ps(c + (r)*ld + 16);
#define TILE_STORE(r)                                                                    \
    _mm512_storeu_ps(c + (r)*ld, c##r##_0);                                              \
    _mm512_storeu_ps(c + (r)*ld + 16, c##r##_1);
/* c += b times a register, or times a value in memory: statements, for gcc would shuffle
   accumulators between registers, and both would read a value once for two fma. */
#define IL_FMA(c, b, x)                                                                  \
    __asm__ volatile("vfmadd231ps %2, %1, %0" : "+v"(c) : "v"(b), "v"(x))
#define IL_FMA_MEMORY(c, b, value)                                                       \
    __asm__ volatile("vfmadd231ps %2%{1to16%}, %1, %0" : "+v"(c) : "v"(b), "m"(value))
#define TILE_FMA_REGISTER(r)                                                             \
    {                                                                                    \
        const __m512 x = _mm512_set1_ps(a[r]);                                           \
        IL_FMA(c##r##_0, b0, x);                                                         \
        IL_FMA(c##r##_1, b1, x);                                                         \
    }
#define TILE_FMA_MEMORY(r)                                                               \
    IL_FMA_MEMORY(c##r##_0, b0, a[r]);                                                   \
    IL_FMA_MEMORY(c##r##_1, b1, a[r]);
#define TILE_FMA_THREE(r, s, t) TILE_FMA_MEMORY(r) TILE_FMA_MEMORY(s) TILE_FMA_MEMORY(t)
#define TILE_STEP                                                                        \
    {                                                                                    \
        const __m512 b0 = _mm512_load_ps(b), b1 = _mm512_load_ps(b + 16);                \
        TILE_FMA_REGISTER(0)                                                             \
        TILE_FMA_THREE(1, 2, 3)                                                          \
        TILE_FMA_REGISTER(4)                                                             \
        TILE_FMA_THREE(5, 6, 7)                                                          \
        TILE_FMA_REGISTER(8)                                                             \
        TILE_FMA_THREE(9, 10, 11)                                                        \
        a += IL_MR;                                                                      \
        b += IL_NR;                                                                      \
    }
#define TILE_LOOP                                                                        \
    if (k % 2 != 0) {                                                                    \
        TILE_STEP                                                                        \
    }                                                                                    \
    for (size_t q = k / 2; q > 0; q--) {                                                 \
        TILE_STEP TILE_STEP                                                              \
    }

#endif
