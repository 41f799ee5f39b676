/* SPDX-License-Identifier: Apache-2.0 */
/* The vector vocabulary of simd/tmpl/ on NEON (aarch64): 4 floats, 2 doubles. See
   avx512/vec.h. */
#ifndef IL_VEC_NEON_H
#define IL_VEC_NEON_H

#include <arm_neon.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define IL_ISA_FN(name) il_##name##_neon
#define IL_MR IL_MR_NEON
#define IL_NR IL_NR_NEON
#define VL 4
#define VD 2

typedef float32x4_t vf;
typedef uint32x4_t vu;
typedef uint32x4_t vm;
typedef float64x2_t vd;

static inline vf vf_zero(void)
{
    return vdupq_n_f32(0.0f);
}
static inline vf vf_set1(float x)
{
    return vdupq_n_f32(x);
}
static inline vf vf_load(const float *p)
{
    return vld1q_f32(p);
}
static inline void vf_store(float *p, vf x)
{
    vst1q_f32(p, x);
}
static inline vf vf_load_n(const float *p, size_t n)
{
    float lane[VL] = {0};
    memcpy(lane, p, n * sizeof *p);
    return vld1q_f32(lane);
}
static inline void vf_store_n(float *p, vf x, size_t n)
{
    float lane[VL];
    vst1q_f32(lane, x);
    memcpy(p, lane, n * sizeof *p);
}
static inline vf vf_add(vf a, vf b)
{
    return vaddq_f32(a, b);
}
static inline vf vf_sub(vf a, vf b)
{
    return vsubq_f32(a, b);
}
static inline vf vf_mul(vf a, vf b)
{
    return vmulq_f32(a, b);
}
static inline vf vf_div(vf a, vf b)
{
    return vdivq_f32(a, b);
}
static inline vf vf_fma(vf a, vf b, vf c)
{
    return vfmaq_f32(c, a, b);
}
static inline vf vf_sqrt(vf a)
{
    return vsqrtq_f32(a);
}
/* The larger one; max, which must be no NaN, where x is one: fmaxnm gives the number when
 * one operand is a (quiet) NaN. */
static inline vf vf_max_number(vf x, vf max)
{
    return vmaxnmq_f32(x, max);
}
static inline vm vf_gt(vf a, vf b)
{
    return vcgtq_f32(a, b);
}
static inline vm vf_ge(vf a, vf b)
{
    return vcgeq_f32(a, b);
}
static inline vm vf_eq(vf a, vf b)
{
    return vceqq_f32(a, b);
}
static inline vf vf_select(vm m, vf yes, vf no)
{
    return vbslq_f32(m, yes, no);
}
static inline vf vf_at_least(vf a, float floor)
{
    return vf_select(vf_gt(vf_set1(floor), a), vf_set1(floor), a);
}

static inline vf vf_from_bits(vu x)
{
    return vreinterpretq_f32_u32(x);
}
static inline vu vf_bits(vf x)
{
    return vreinterpretq_u32_f32(x);
}
static inline vu vu_set1(uint32_t x)
{
    return vdupq_n_u32(x);
}
static inline vu vu_load(const uint32_t *p)
{
    return vld1q_u32(p);
}
static inline void vu_store(uint32_t *p, vu x)
{
    vst1q_u32(p, x);
}
static inline vm vu_lt(vu a, vu b)
{
    return vcltq_u32(a, b);
}
static inline vu vu_add(vu a, vu b)
{
    return vaddq_u32(a, b);
}
static inline vu vu_or(vu a, vu b)
{
    return vorrq_u32(a, b);
}
static inline vu vu_xor(vu a, vu b)
{
    return veorq_u32(a, b);
}
/* A macro, for n must be a constant. */
#define vu_shl(x, n) vshlq_n_u32(x, n)
static inline vu vu_sub(vu a, vu b)
{
    return vsubq_u32(a, b);
}
static inline vu vu_select(vm m, vu yes, vu no)
{
    return vbslq_u32(m, yes, no);
}

static inline vm vm_and(vm a, vm b)
{
    return vandq_u32(a, b);
}
static inline vm vm_or(vm a, vm b)
{
    return vorrq_u32(a, b);
}
static inline uint32_t vm_bits(vm m)
{
    static const uint32_t weight[VL] = {1, 2, 4, 8};
    return vaddvq_u32(vandq_u32(m, vld1q_u32(weight)));
}

/* The integers of the exp twin are signed; the conversions saturate, which is as good as
   wrapping, for the lanes concerned are dropped. */
static inline vu vf_round(vf x)
{
    return vreinterpretq_u32_s32(vcvtnq_s32_f32(x));
}
static inline vf vu_to_float(vu q)
{
    return vcvtq_f32_s32(vreinterpretq_s32_u32(q));
}
static inline vu vu_half(vu q)
{
    return vreinterpretq_u32_s32(vshrq_n_s32(vreinterpretq_s32_u32(q), 1));
}
static inline vf vu_pow2(vu q)
{
    return vf_from_bits(vshlq_n_u32(vaddq_u32(q, vdupq_n_u32(127)), 23));
}

static inline vf vf_from_f16(const uint16_t *p)
{
    return vcvt_f32_f16(vreinterpret_f16_u16(vld1_u16(p)));
}
static inline vf vf_from_i8(const int8_t *p)
{
    int32_t word;
    memcpy(&word, p, sizeof word);
    const int8x8_t x = vreinterpret_s8_s32(vdup_n_s32(word));
    return vcvtq_f32_s32(vmovl_s16(vget_low_s16(vmovl_s8(x))));
}
static inline vf vf_from_u8(const uint8_t *p)
{
    uint32_t word;
    memcpy(&word, p, sizeof word);
    const uint8x8_t x = vreinterpret_u8_u32(vdup_n_u32(word));
    return vcvtq_f32_u32(vmovl_u16(vget_low_u16(vmovl_u8(x))));
}
static inline vf vf_from_f64(const double *p)
{
    return vcvt_high_f32_f64(vcvt_f32_f64(vld1q_f64(p)), vld1q_f64(p + 2));
}

static inline vd vd_zero(void)
{
    return vdupq_n_f64(0.0);
}
static inline vd vd_set1(double x)
{
    return vdupq_n_f64(x);
}
static inline vd vd_load(const double *p)
{
    return vld1q_f64(p);
}
static inline void vd_store(double *p, vd x)
{
    vst1q_f64(p, x);
}
static inline vd vd_load_n(const double *p, size_t n)
{
    return n == VD ? vld1q_f64(p) : vsetq_lane_f64(*p, vdupq_n_f64(0.0), 0);
}
static inline void vd_store_n(double *p, vd x, size_t n)
{
    if (n == VD) {
        vst1q_f64(p, x);
    } else {
        *p = vgetq_lane_f64(x, 0);
    }
}
static inline vd vd_add(vd a, vd b)
{
    return vaddq_f64(a, b);
}
static inline vd vd_mul(vd a, vd b)
{
    return vmulq_f64(a, b);
}
static inline vd vd_fma(vd a, vd b, vd c)
{
    return vfmaq_f64(c, a, b);
}
static inline vd vd_fmsub(vd a, vd b, vd c)
{
    return vfmaq_f64(vnegq_f64(c), a, b);
}

/* The VL x VL transposition of the rows in r, in place. */
static inline void vf_transpose(vf r[VL])
{
    const float32x4x2_t a = vtrnq_f32(r[0], r[1]);
    const float32x4x2_t b = vtrnq_f32(r[2], r[3]);
    r[0] = vcombine_f32(vget_low_f32(a.val[0]), vget_low_f32(b.val[0]));
    r[1] = vcombine_f32(vget_low_f32(a.val[1]), vget_low_f32(b.val[1]));
    r[2] = vcombine_f32(vget_high_f32(a.val[0]), vget_high_f32(b.val[0]));
    r[3] = vcombine_f32(vget_high_f32(a.val[1]), vget_high_f32(b.val[1]));
}

#endif
