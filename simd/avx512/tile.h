/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The 12 x 32 register tile of AVX-512: 24 named accumulators, one macro per row, for gcc
 * keeps arrays of accumulators on the stack (tools/check_spill.sh looks). Per coordinate:
 * 2 loads of b, 12 broadcasts of a and 24 fma, which keeps both fma units busy and both
 * load ports below that.
 */
#ifndef IL_TILE_AVX512_H
#define IL_TILE_AVX512_H

#define TILE_ROWS(X) X(0) X(1) X(2) X(3) X(4) X(5) X(6) X(7) X(8) X(9) X(10) X(11)
#define TILE_ROWS_AFTER_0(X) X(1) X(2) X(3) X(4) X(5) X(6) X(7) X(8) X(9) X(10) X(11)

#define TILE_ZERO(r)                                                                     \
    __m512 c##r##_0 = _mm512_setzero_ps(), c##r##_1 = _mm512_setzero_ps();
#define TILE_LOAD(r)                                                                     \
    c##r##_0 = _mm512_loadu_ps(c + (r)*ld);                                              \
    c##r##_1 = _mm512_loadu_ps(c + (r)*ld + 16);
#define TILE_STORE(r)                                                                    \
    _mm512_storeu_ps(c + (r)*ld, c##r##_0);                                              \
    _mm512_storeu_ps(c + (r)*ld + 16, c##r##_1);
#define TILE_FMA(r)                                                                      \
    {                                                                                    \
        const __m512 x = _mm512_set1_ps(a[r]);                                           \
        c##r##_0 = _mm512_fmadd_ps(x, b0, c##r##_0);                                     \
        c##r##_1 = _mm512_fmadd_ps(x, b1, c##r##_1);                                     \
    }
#define TILE_LOOP                                                                        \
    for (size_t q = 0; q < k; q++) {                                                     \
        const __m512 b0 = _mm512_load_ps(b), b1 = _mm512_load_ps(b + 16);                \
        TILE_ROWS(TILE_FMA)                                                              \
        a += IL_MR;                                                                      \
        b += IL_NR;                                                                      \
    }

#endif
