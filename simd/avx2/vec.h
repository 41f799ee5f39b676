/* SPDX-License-Identifier: Apache-2.0 */
/* The vector vocabulary of simd/tmpl/ on AVX2 + FMA: 8 floats, 4 doubles. See
 * avx512/vec.h. */
#ifndef IL_VEC_AVX2_H
#define IL_VEC_AVX2_H

#include <immintrin.h>
#include <stddef.h>
#include <stdint.h>

#define IL_ISA_FN(name) il_##name##_avx2
#define IL_MR IL_MR_AVX2
#define IL_NR IL_NR_AVX2
#define VL 8
#define VD 4

typedef __m256 vf;
typedef __m256i vu;
typedef __m256 vm;
typedef __m256d vd;

/* The window at 8 - n holds n ones, then zeros: masks of n lanes, also of doubles by
 * pairs. */
static const int32_t lane_window[16] = {-1, -1, -1, -1, -1, -1, -1, -1,
                                        0,  0,  0,  0,  0,  0,  0,  0};

static inline __m256i lanes8(size_t n)
{
    return _mm256_loadu_si256((const __m256i *)(lane_window + 8 - n));
}

static inline vf vf_zero(void)
{
    return _mm256_setzero_ps();
}
static inline vf vf_set1(float x)
{
    return _mm256_set1_ps(x);
}
static inline vf vf_load(const float *p)
{
    return _mm256_loadu_ps(p);
}
static inline void vf_store(float *p, vf x)
{
    _mm256_storeu_ps(p, x);
}
static inline vf vf_load_n(const float *p, size_t n)
{
    return _mm256_maskload_ps(p, lanes8(n));
}
static inline void vf_store_n(float *p, vf x, size_t n)
{
    _mm256_maskstore_ps(p, lanes8(n), x);
}
static inline vf vf_add(vf a, vf b)
{
    return _mm256_add_ps(a, b);
}
static inline vf vf_sub(vf a, vf b)
{
    return _mm256_sub_ps(a, b);
}
static inline vf vf_mul(vf a, vf b)
{
    return _mm256_mul_ps(a, b);
}
static inline vf vf_div(vf a, vf b)
{
    return _mm256_div_ps(a, b);
}
static inline vf vf_fma(vf a, vf b, vf c)
{
    return _mm256_fmadd_ps(a, b, c);
}
static inline vf vf_sqrt(vf a)
{
    return _mm256_sqrt_ps(a);
}
static inline vf vf_at_least(vf a, float floor)
{
    return _mm256_max_ps(_mm256_set1_ps(floor), a);
}
/* The larger one; max, which must be no NaN, where x is one: vmaxps gives its second
 * operand when either is NaN. */
static inline vf vf_max_number(vf x, vf max)
{
    return _mm256_max_ps(x, max);
}
static inline vm vf_gt(vf a, vf b)
{
    return _mm256_cmp_ps(a, b, _CMP_GT_OQ);
}
static inline vm vf_ge(vf a, vf b)
{
    return _mm256_cmp_ps(a, b, _CMP_GE_OQ);
}
static inline vm vf_eq(vf a, vf b)
{
    return _mm256_cmp_ps(a, b, _CMP_EQ_OQ);
}
static inline vf vf_select(vm m, vf yes, vf no)
{
    return _mm256_blendv_ps(no, yes, m);
}

static inline vf vf_from_bits(vu x)
{
    return _mm256_castsi256_ps(x);
}
static inline vu vf_bits(vf x)
{
    return _mm256_castps_si256(x);
}
static inline vu vu_set1(uint32_t x)
{
    return _mm256_set1_epi32((int32_t)x);
}
static inline vu vu_load(const uint32_t *p)
{
    return _mm256_loadu_si256((const __m256i *)p);
}
static inline void vu_store(uint32_t *p, vu x)
{
    _mm256_storeu_si256((__m256i *)p, x);
}
/* There is no unsigned compare: flipping the top bits makes the signed one right. */
static inline vm vu_lt(vu a, vu b)
{
    const __m256i top = _mm256_set1_epi32(INT32_MIN);
    return _mm256_castsi256_ps(
        _mm256_cmpgt_epi32(_mm256_xor_si256(b, top), _mm256_xor_si256(a, top)));
}
static inline vu vu_add(vu a, vu b)
{
    return _mm256_add_epi32(a, b);
}
static inline vu vu_or(vu a, vu b)
{
    return _mm256_or_si256(a, b);
}
static inline vu vu_xor(vu a, vu b)
{
    return _mm256_xor_si256(a, b);
}
/* A macro, for n must be a constant. */
#define vu_shl(x, n) _mm256_slli_epi32(x, n)
static inline vu vu_select(vm m, vu yes, vu no)
{
    return _mm256_blendv_epi8(no, yes, _mm256_castps_si256(m));
}

static inline vm vm_and(vm a, vm b)
{
    return _mm256_and_ps(a, b);
}
static inline vm vm_or(vm a, vm b)
{
    return _mm256_or_ps(a, b);
}
static inline uint32_t vm_bits(vm m)
{
    return (uint32_t)_mm256_movemask_ps(m);
}

static inline vu vf_round(vf x)
{
    return _mm256_cvtps_epi32(x);
}
static inline vf vu_to_float(vu q)
{
    return _mm256_cvtepi32_ps(q);
}
static inline vu vu_half(vu q)
{
    return _mm256_srai_epi32(q, 1);
}
static inline vu vu_sub(vu a, vu b)
{
    return _mm256_sub_epi32(a, b);
}
static inline vf vu_pow2(vu q)
{
    return vf_from_bits(
        _mm256_slli_epi32(_mm256_add_epi32(q, _mm256_set1_epi32(127)), 23));
}

static inline vf vf_from_f16(const uint16_t *p)
{
    return _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)p));
}
static inline vf vf_from_i8(const int8_t *p)
{
    return _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(_mm_loadl_epi64((const __m128i *)p)));
}
static inline vf vf_from_u8(const uint8_t *p)
{
    return _mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(_mm_loadl_epi64((const __m128i *)p)));
}
static inline vf vf_from_f64(const double *p)
{
    const __m128 low = _mm256_cvtpd_ps(_mm256_loadu_pd(p));
    const __m128 high = _mm256_cvtpd_ps(_mm256_loadu_pd(p + 4));
    return _mm256_insertf128_ps(_mm256_castps128_ps256(low), high, 1);
}

static inline vd vd_zero(void)
{
    return _mm256_setzero_pd();
}
static inline vd vd_set1(double x)
{
    return _mm256_set1_pd(x);
}
static inline vd vd_load(const double *p)
{
    return _mm256_loadu_pd(p);
}
static inline void vd_store(double *p, vd x)
{
    _mm256_storeu_pd(p, x);
}
static inline vd vd_load_n(const double *p, size_t n)
{
    return _mm256_maskload_pd(p, lanes8(2 * n));
}
static inline void vd_store_n(double *p, vd x, size_t n)
{
    _mm256_maskstore_pd(p, lanes8(2 * n), x);
}
static inline vd vd_add(vd a, vd b)
{
    return _mm256_add_pd(a, b);
}
static inline vd vd_mul(vd a, vd b)
{
    return _mm256_mul_pd(a, b);
}
static inline vd vd_fma(vd a, vd b, vd c)
{
    return _mm256_fmadd_pd(a, b, c);
}
static inline vd vd_fmsub(vd a, vd b, vd c)
{
    return _mm256_fmsub_pd(a, b, c);
}

/* The VL x VL transposition of the rows in r, in place. */
static inline void vf_transpose(vf r[VL])
{
    __m256 t[VL];
    IL_UNROLL
    for (int i = 0; i < VL; i += 4) { /* 4 x 4 inside each half */
        const __m256 a = _mm256_unpacklo_ps(r[i], r[i + 1]);
        const __m256 b = _mm256_unpackhi_ps(r[i], r[i + 1]);
        const __m256 c = _mm256_unpacklo_ps(r[i + 2], r[i + 3]);
        const __m256 d = _mm256_unpackhi_ps(r[i + 2], r[i + 3]);
        t[i] = _mm256_shuffle_ps(a, c, 0x44);
        t[i + 1] = _mm256_shuffle_ps(a, c, 0xee);
        t[i + 2] = _mm256_shuffle_ps(b, d, 0x44);
        t[i + 3] = _mm256_shuffle_ps(b, d, 0xee);
    }
    IL_UNROLL
    for (int i = 0; i < 4; i++) { /* then the halves */
        r[i] = _mm256_permute2f128_ps(t[i], t[i + 4], 0x20);
        r[i + 4] = _mm256_permute2f128_ps(t[i], t[i + 4], 0x31);
    }
}

#ifndef IL_NO_SLEEF
__m256 Sleef_finz_expf8_u10avx2(__m256 x);
#define VF_SLEEF_EXP Sleef_finz_expf8_u10avx2
#endif

#endif
