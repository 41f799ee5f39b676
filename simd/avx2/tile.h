/* SPDX-License-Identifier: Apache-2.0 */
/* The 6 x 16 register tile of AVX2: 12 named accumulators of the 16 registers. See
   avx512/tile.h. */
#ifndef IL_TILE_AVX2_H
#define IL_TILE_AVX2_H

#define TILE_ROWS(X) X(0) X(1) X(2) X(3) X(4) X(5)
#define TILE_ROWS_AFTER_0(X) X(1) X(2) X(3) X(4) X(5)
#define TILE_VECTORS(X, r) X(r, 0) X(r, 1)

#define TILE_ZERO(r)                                                                     \
    __m256 c##r##_0 = _mm256_setzero_ps(), c##r##_1 = _mm256_setzero_ps();
#define TILE_LOAD(r)                                                                     \
    c##r##_0 = _mm256_loadu_ps(c + (r)*ld);                                              \
    c##r##_1 = _mm256_loadu_ps(c + (r)*ld + 8);
#define TILE_STORE(r)                                                                    \
    _mm256_storeu_ps(c + (r)*ld, c##r##_0);                                              \
    _mm256_storeu_ps(c + (r)*ld + 8, c##r##_1);
#define TILE_FMA(r)                                                                      \
    {                                                                                    \
        const __m256 x = _mm256_broadcast_ss(a + (r));                                   \
        c##r##_0 = _mm256_fmadd_ps(x, b0, c##r##_0);                                     \
        c##r##_1 = _mm256_fmadd_ps(x, b1, c##r##_1);                                     \
    }
#define TILE_LOOP                                                                        \
    for (size_t q = 0; q < k; q++) {                                                     \
        const __m256 b0 = _mm256_load_ps(b), b1 = _mm256_load_ps(b + 8);                 \
        TILE_ROWS(TILE_FMA)                                                              \
        a += IL_MR;                                                                      \
        b += IL_NR;                                                                      \
    }

#endif
