/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Matcher in bytes for neon with the dot product instructions; body in tmpl/match_i8.h.
 * Only the tile needs more than the flags of this folder; simd.c looks for them before it
 * offers match3_i8.
 */
#include "../internal.h"

#ifdef IL_SIMD_ARM
#include "list_neon.h"
#include "tile.h"
#include "vec.h"

enum { IL_I8_BIAS = 0, EXACT = 4 }; /* sdot multiplies signed bytes: no bias */

#include "../tmpl/match_i8.h"

#define I8_START(r)                                                                      \
    int32x4_t c##r##_0 = vaddq_s32(start_0, vdupq_n_s32(row_start[r]));                  \
    int32x4_t c##r##_1 = vaddq_s32(start_1, vdupq_n_s32(row_start[r]));                  \
    int32x4_t c##r##_2 = vaddq_s32(start_2, vdupq_n_s32(row_start[r]));
/* sum += quads of b times quad lane of a. The tile has a target of its own: a directive
   inside the statement would hold for the rest of the file. A compiler that knows no sdot
   gets what simd.c does not offer. */
#ifdef IL_SIMD_DOTPROD
#define DOTPROD __attribute__((target("arch=armv8.2-a+dotprod")))
#define I8_SDOT(sum, b, a, lane)                                                         \
    __asm__("sdot %0.4s, %1.16b, %2.4b[%c3]" : "+w"(sum) : "w"(b), "w"(a), "i"(lane))
#else
#define DOTPROD
static inline int32x4_t dot_quads(int32x4_t sum, int8x16_t b, int32x4_t quad)
{
    const int8x16_t x = vreinterpretq_s8_s32(quad);
    const int16x8_t low = vmull_s8(vget_low_s8(b), vget_low_s8(x));
    return vpadalq_s16(sum, vpaddq_s16(low, vmull_high_s8(b, x)));
}
#define I8_SDOT(sum, b, a, lane)                                                         \
    sum = dot_quads(sum, b, vdupq_laneq_s32(vreinterpretq_s32_s8(a), lane))
#endif
#define I8_DOT(r)                                                                        \
    I8_SDOT(c##r##_0, b0, (r) < 4 ? a0 : a1, (r)&3);                                     \
    I8_SDOT(c##r##_1, b1, (r) < 4 ? a0 : a1, (r)&3);                                     \
    I8_SDOT(c##r##_2, b2, (r) < 4 ? a0 : a1, (r)&3);
#define I8_STORE(r)                                                                      \
    vst1q_s32(c + (r)*IL_NR, c##r##_0);                                                  \
    vst1q_s32(c + (r)*IL_NR + 4, c##r##_1);                                              \
    vst1q_s32(c + (r)*IL_NR + 8, c##r##_2);
#define I8_ROW(r)                                                                        \
    low = vandq_u32(low, vcltq_s32(vmaxq_s32(vmaxq_s32(c##r##_0, c##r##_1), c##r##_2),   \
                                   vdupq_n_s32(row_threshold[r])));
#define I8_COLUMN(r)                                                                     \
    high_0 = vmaxq_s32(c##r##_0, high_0);                                                \
    high_1 = vmaxq_s32(c##r##_1, high_1);                                                \
    high_2 = vmaxq_s32(c##r##_2, high_2);

DOTPROD __attribute__((noinline)) static int
tile_match_i8(size_t quads, const int8_t *a, const int8_t *b, const int32_t *row_start,
              const int32_t *row_threshold, const int32_t *col_start,
              const int32_t *col_threshold, int32_t *c)
{
    const int32x4_t start_0 = vld1q_s32(col_start), start_1 = vld1q_s32(col_start + 4),
                    start_2 = vld1q_s32(col_start + 8);
    TILE_ROWS(I8_START)
    for (size_t q = 0; q < quads; q++) {
        const int8x16_t a0 = vld1q_s8(a), a1 = vld1q_s8(a + 16);
        const int8x16_t b0 = vld1q_s8(b), b1 = vld1q_s8(b + 16), b2 = vld1q_s8(b + 32);
        TILE_ROWS(I8_DOT)
        a += 4 * IL_MR;
        b += 4 * IL_NR;
    }
    int32x4_t high_0 = c0_0, high_1 = c0_1, high_2 = c0_2;
    TILE_ROWS_AFTER_0(I8_COLUMN)
    uint32x4_t low = vcltq_s32(high_0, vld1q_s32(col_threshold));
    low = vandq_u32(low, vcltq_s32(high_1, vld1q_s32(col_threshold + 4)));
    low = vandq_u32(low, vcltq_s32(high_2, vld1q_s32(col_threshold + 8)));
    TILE_ROWS(I8_ROW)
    if (vminvq_u32(low) != 0) {
        return 0;
    }
    TILE_ROWS(I8_STORE)
    return 1;
}

static uint32_t rows_that_pass(const int32_t *c, const int32_t *row_threshold,
                               const int32_t *col_threshold)
{
    uint32_t rows = 0;
    IL_UNROLL
    for (size_t r = 0; r < IL_MR; r++) {
        const int32x4_t row = vdupq_n_s32(row_threshold[r]);
        uint32x4_t hit = vdupq_n_u32(0);
        IL_UNROLL
        for (size_t v = 0; v < VECTORS; v++) {
            const int32x4_t least = vminq_s32(row, vld1q_s32(col_threshold + 4 * v));
            hit = vorrq_u32(hit, vcgeq_s32(vld1q_s32(c + r * IL_NR + 4 * v), least));
        }
        rows |= (uint32_t)(vmaxvq_u32(hit) != 0) << r;
    }
    return rows;
}

#define EXACT_ROWS(X) X(0) X(1) X(2) X(3)
#define EXACT_FMA(r)                                                                     \
    {                                                                                    \
        const float32x4_t v = vdupq_n_f32(x##r[q]);                                      \
        c##r##_0 = vfmaq_f32(c##r##_0, v, b0);                                           \
        c##r##_1 = vfmaq_f32(c##r##_1, v, b1);                                           \
        c##r##_2 = vfmaq_f32(c##r##_2, v, b2);                                           \
    }

__attribute__((noinline)) static void tile_exact_4(size_t k, const float *const *x,
                                                   const float *b, float *c)
{
    const size_t ld = IL_NR;
    const float *x0 = x[0], *x1 = x[1], *x2 = x[2], *x3 = x[3];
    EXACT_ROWS(TILE_ZERO)
    for (size_t q = 0; q < k; q++) {
        const float32x4_t b0 = vld1q_f32(b), b1 = vld1q_f32(b + 4), b2 = vld1q_f32(b + 8);
        EXACT_ROWS(EXACT_FMA)
        b += IL_NR;
    }
    EXACT_ROWS(TILE_STORE)
}

/* count is not looked at: fewer than EXACT rows take as long, by the latency of fma. */
static void exact_rows(size_t k, size_t count, const float *const *x, const float *b,
                       float *c)
{
    (void)count;
    tile_exact_4(k, x, b, c);
}
#else
typedef int il_not_empty; /* ISO C forbids an empty translation unit */
#endif
