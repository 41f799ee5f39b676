/* SPDX-License-Identifier: Apache-2.0 */
/* The vector vocabulary of simd/tmpl/ on AVX-512: 16 floats, 8 doubles. vf floats, vu
   indexes, vm lane masks, vd doubles; _n forms touch the first n lanes only, 1 <= n <=
   lanes. */
#ifndef IL_VEC_AVX512_H
#define IL_VEC_AVX512_H

#include <immintrin.h>
#include <stddef.h>
#include <stdint.h>

#define IL_ISA_FN(name) il_##name##_avx512
#define IL_MR IL_MR_AVX512
#define IL_NR IL_NR_AVX512
#define VL 16
#define VD 8

typedef __m512 vf;
typedef __m512i vu;
typedef __mmask16 vm;
typedef __m512d vd;

static inline __mmask16 lanes16(size_t n)
{
    return (__mmask16)((1u << n) - 1u);
}
static inline __mmask8 lanes8(size_t n)
{
    return (__mmask8)((1u << n) - 1u);
}

static inline vf vf_zero(void)
{
    return _mm512_setzero_ps();
}
static inline vf vf_set1(float x)
{
    return _mm512_set1_ps(x);
}
static inline vf vf_load(const float *p)
{
    return _mm512_loadu_ps(p);
}
static inline void vf_store(float *p, vf x)
{
    _mm512_storeu_ps(p, x);
}
static inline vf vf_load_n(const float *p, size_t n)
{
    return _mm512_maskz_loadu_ps(lanes16(n), p);
}
static inline void vf_store_n(float *p, vf x, size_t n)
{
    _mm512_mask_storeu_ps(p, lanes16(n), x);
}
static inline vf vf_add(vf a, vf b)
{
    return _mm512_add_ps(a, b);
}
static inline vf vf_sub(vf a, vf b)
{
    return _mm512_sub_ps(a, b);
}
static inline vf vf_mul(vf a, vf b)
{
    return _mm512_mul_ps(a, b);
}
static inline vf vf_div(vf a, vf b)
{
    return _mm512_div_ps(a, b);
}
static inline vf vf_fma(vf a, vf b, vf c)
{
    return _mm512_fmadd_ps(a, b, c);
}
static inline vf vf_sqrt(vf a)
{
    return _mm512_sqrt_ps(a);
}
/* a < floor ? floor : a; NaN stays. */
static inline vf vf_at_least(vf a, float floor)
{
    return _mm512_max_ps(_mm512_set1_ps(floor), a);
}
/* The larger one; max, which must be no NaN, where x is one: vmaxps gives its second
 * operand when either is NaN. */
static inline vf vf_max_number(vf x, vf max)
{
    return _mm512_max_ps(x, max);
}
static inline vm vf_gt(vf a, vf b)
{
    return _mm512_cmp_ps_mask(a, b, _CMP_GT_OQ);
}
static inline vm vf_ge(vf a, vf b)
{
    return _mm512_cmp_ps_mask(a, b, _CMP_GE_OQ);
}
static inline vm vf_eq(vf a, vf b)
{
    return _mm512_cmp_ps_mask(a, b, _CMP_EQ_OQ);
}
static inline vf vf_select(vm m, vf yes, vf no)
{
    return _mm512_mask_mov_ps(no, m, yes);
}

static inline vu vu_set1(uint32_t x)
{
    return _mm512_set1_epi32((int32_t)x);
}
static inline vu vu_load(const uint32_t *p)
{
    return _mm512_loadu_si512(p);
}
static inline void vu_store(uint32_t *p, vu x)
{
    _mm512_storeu_si512(p, x);
}
static inline vm vu_lt(vu a, vu b)
{
    return _mm512_cmplt_epu32_mask(a, b);
}
static inline vu vu_add(vu a, vu b)
{
    return _mm512_add_epi32(a, b);
}
static inline vu vu_or(vu a, vu b)
{
    return _mm512_or_si512(a, b);
}
static inline vu vu_xor(vu a, vu b)
{
    return _mm512_xor_si512(a, b);
}
/* A macro, for n must be a constant. */
#define vu_shl(x, n) _mm512_slli_epi32(x, n)
static inline vu vu_select(vm m, vu yes, vu no)
{
    return _mm512_mask_mov_epi32(no, m, yes);
}
static inline vf vf_from_bits(vu x)
{
    return _mm512_castsi512_ps(x);
}
static inline vu vf_bits(vf x)
{
    return _mm512_castps_si512(x);
}

static inline vm vm_and(vm a, vm b)
{
    return (vm)(a & b);
}
static inline vm vm_or(vm a, vm b)
{
    return (vm)(a | b);
}
static inline uint32_t vm_bits(vm m)
{
    return m;
}

/* round to nearest even and 2^q of integral q in [-126, 127], for the exp twin */
static inline vu vf_round(vf x)
{
    return _mm512_cvtps_epi32(x);
}
static inline vf vu_to_float(vu q)
{
    return _mm512_cvtepi32_ps(q);
}
static inline vu vu_half(vu q)
{
    return _mm512_srai_epi32(q, 1);
}
static inline vu vu_sub(vu a, vu b)
{
    return _mm512_sub_epi32(a, b);
}
static inline vf vu_pow2(vu q)
{
    return vf_from_bits(
        _mm512_slli_epi32(_mm512_add_epi32(q, _mm512_set1_epi32(127)), 23));
}

static inline vf vf_from_f16(const uint16_t *p)
{
    return _mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *)p));
}
static inline vf vf_from_i8(const int8_t *p)
{
    return _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(_mm_loadu_si128((const __m128i *)p)));
}
static inline vf vf_from_u8(const uint8_t *p)
{
    return _mm512_cvtepi32_ps(_mm512_cvtepu8_epi32(_mm_loadu_si128((const __m128i *)p)));
}
static inline vf vf_from_f64(const double *p)
{
    const __m256 low = _mm512_cvtpd_ps(_mm512_loadu_pd(p));
    const __m256 high = _mm512_cvtpd_ps(_mm512_loadu_pd(p + 8));
    return _mm512_insertf32x8(_mm512_castps256_ps512(low), high, 1);
}

static inline vd vd_zero(void)
{
    return _mm512_setzero_pd();
}
static inline vd vd_set1(double x)
{
    return _mm512_set1_pd(x);
}
static inline vd vd_load(const double *p)
{
    return _mm512_loadu_pd(p);
}
static inline void vd_store(double *p, vd x)
{
    _mm512_storeu_pd(p, x);
}
static inline vd vd_load_n(const double *p, size_t n)
{
    return _mm512_maskz_loadu_pd(lanes8(n), p);
}
static inline void vd_store_n(double *p, vd x, size_t n)
{
    _mm512_mask_storeu_pd(p, lanes8(n), x);
}
static inline vd vd_add(vd a, vd b)
{
    return _mm512_add_pd(a, b);
}
static inline vd vd_mul(vd a, vd b)
{
    return _mm512_mul_pd(a, b);
}
static inline vd vd_fma(vd a, vd b, vd c)
{
    return _mm512_fmadd_pd(a, b, c);
}
static inline vd vd_fmsub(vd a, vd b, vd c)
{
    return _mm512_fmsub_pd(a, b, c);
}

/* The VL x VL transposition of the rows in r, in place. */
static inline void vf_transpose(vf r[VL])
{
    __m512 t[VL];
    IL_UNROLL
    for (int i = 0; i < VL; i += 4) { /* 4 x 4 inside each quarter */
        const __m512 a = _mm512_unpacklo_ps(r[i], r[i + 1]);
        const __m512 b = _mm512_unpackhi_ps(r[i], r[i + 1]);
        const __m512 c = _mm512_unpacklo_ps(r[i + 2], r[i + 3]);
        const __m512 d = _mm512_unpackhi_ps(r[i + 2], r[i + 3]);
        t[i] = _mm512_shuffle_ps(a, c, 0x44);
        t[i + 1] = _mm512_shuffle_ps(a, c, 0xee);
        t[i + 2] = _mm512_shuffle_ps(b, d, 0x44);
        t[i + 3] = _mm512_shuffle_ps(b, d, 0xee);
    }
    IL_UNROLL
    for (int i = 0; i < 4; i++) { /* then the quarters */
        const __m512 a = _mm512_shuffle_f32x4(t[i], t[i + 4], 0x88);
        const __m512 b = _mm512_shuffle_f32x4(t[i], t[i + 4], 0xdd);
        const __m512 c = _mm512_shuffle_f32x4(t[i + 8], t[i + 12], 0x88);
        const __m512 d = _mm512_shuffle_f32x4(t[i + 8], t[i + 12], 0xdd);
        r[i] = _mm512_shuffle_f32x4(a, c, 0x88);
        r[i + 8] = _mm512_shuffle_f32x4(a, c, 0xdd);
        r[i + 4] = _mm512_shuffle_f32x4(b, d, 0x88);
        r[i + 12] = _mm512_shuffle_f32x4(b, d, 0xdd);
    }
}

#ifndef IL_NO_SLEEF
__m512 Sleef_finz_expf16_u10avx512f(__m512 x);
#define VF_SLEEF_EXP Sleef_finz_expf16_u10avx512f
#endif

#endif
