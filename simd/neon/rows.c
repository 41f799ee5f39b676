/* SPDX-License-Identifier: Apache-2.0 */
/* Scores of stored rows for neon: 16 rows x 6 anchors, and the widening; the rest in
 * tmpl/rows.h. */
#include "../internal.h"

#ifdef IL_SIMD_ARM
#include "vec.h"

/* Four coordinates of 4 rows: byte j of each lane to out[j IL_ROWS ..]. */
static inline void rows_widen_i8x4(const int8_t *x, float *out)
{
    const int32x4_t w = vreinterpretq_s32_s8(vld1q_s8(x));
    const int32x4_t b0 = vshrq_n_s32(vshlq_n_s32(w, 24), 24);
    const int32x4_t b1 = vshrq_n_s32(vshlq_n_s32(w, 16), 24);
    const int32x4_t b2 = vshrq_n_s32(vshlq_n_s32(w, 8), 24);
    const int32x4_t b3 = vshrq_n_s32(w, 24);
    vf_store(out, vcvtq_f32_s32(b0));
    vf_store(out + IL_ROWS, vcvtq_f32_s32(b1));
    vf_store(out + 2 * IL_ROWS, vcvtq_f32_s32(b2));
    vf_store(out + 3 * IL_ROWS, vcvtq_f32_s32(b3));
}

/* By way of f16, as avx512/rows.c. */
static inline void rows_widen_e4m3(const uint8_t *x, float *out)
{
    const int16x8_t w = vmovl_s8(vld1_s8((const int8_t *)x));
    const uint16x8_t shifted = vreinterpretq_u16_s16(vshlq_n_s16(w, 7));
    const uint16x8_t half = vandq_u16(shifted, vdupq_n_u16(0xbf80));
    const uint16x8_t nan = vceqq_s16(vorrq_s16(w, vdupq_n_s16(~127)), vdupq_n_s16(-1));
    const uint16x8_t all = vorrq_u16(half, vandq_u16(nan, vdupq_n_u16(0x7e00)));
    const float16x8_t value = vreinterpretq_f16_u16(all);
    const vf up = vf_set1(256.0f);
    vf_store(out, vf_mul(vcvt_f32_f16(vget_low_f16(value)), up));
    vf_store(out + VL, vf_mul(vcvt_high_f32_f16(value), up));
}
#define ROWS_E4M3 8

#define ROWS_V 4
/* The anchors feed the fma from lanes of two registers: repeated, they would not fit. */
#define ROWS_PANEL                                                                       \
    const float32x4_t a0 = vld1q_f32(a);                                                 \
    const float32x2_t a1 = vld1_f32(a + 4);
#define ROWS_DO(c, x, r)                                                                 \
    ((r) < 4 ? vfmaq_laneq_f32(c, x, a0, (r)&3) : vfmaq_lane_f32(c, x, a1, (r)&1))
#include "../tmpl/rows.h"
#else
typedef int il_not_empty; /* ISO C forbids an empty translation unit */
#endif
