/* SPDX-License-Identifier: Apache-2.0 */
/* The 8 x 12 register tile of NEON: 24 named accumulators of the 32 registers; a comes as
   two vectors whose lanes feed the fma. See avx512/tile.h. */
#ifndef IL_TILE_NEON_H
#define IL_TILE_NEON_H

#define TILE_ROWS(X) X(0) X(1) X(2) X(3) X(4) X(5) X(6) X(7)
#define TILE_ROWS_AFTER_0(X) X(1) X(2) X(3) X(4) X(5) X(6) X(7)
#define TILE_VECTORS(X, r) X(r, 0) X(r, 1) X(r, 2)

#define TILE_ZERO(r)                                                                     \
    float32x4_t c##r##_0 = vdupq_n_f32(0.0f), c##r##_1 = c##r##_0, c##r##_2 = c##r##_0;
#define TILE_LOAD(r)                                                                     \
    c##r##_0 = vld1q_f32(c + (r)*ld);                                                    \
    c##r##_1 = vld1q_f32(c + (r)*ld + 4);                                                \
    c##r##_2 = vld1q_f32(c + (r)*ld + 8);
#define TILE_STORE(r)                                                                    \
    vst1q_f32(c + (r)*ld, c##r##_0);                                                     \
    vst1q_f32(c + (r)*ld + 4, c##r##_1);                                                 \
    vst1q_f32(c + (r)*ld + 8, c##r##_2);
#define TILE_FMA(r)                                                                      \
    c##r##_0 = vfmaq_laneq_f32(c##r##_0, b0, (r) < 4 ? a0 : a1, (r)&3);                  \
    c##r##_1 = vfmaq_laneq_f32(c##r##_1, b1, (r) < 4 ? a0 : a1, (r)&3);                  \
    c##r##_2 = vfmaq_laneq_f32(c##r##_2, b2, (r) < 4 ? a0 : a1, (r)&3);
#define TILE_LOOP                                                                        \
    for (size_t q = 0; q < k; q++) {                                                     \
        const float32x4_t a0 = vld1q_f32(a), a1 = vld1q_f32(a + 4);                      \
        const float32x4_t b0 = vld1q_f32(b), b1 = vld1q_f32(b + 4),                      \
                          b2 = vld1q_f32(b + 8);                                         \
        TILE_ROWS(TILE_FMA)                                                              \
        a += IL_MR;                                                                      \
        b += IL_NR;                                                                      \
    }

#endif
