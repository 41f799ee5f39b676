/* SPDX-License-Identifier: Apache-2.0 */
/* One-bit signatures for avx512, with and without vpopcntq; the bodies in tmpl/bits.h. */
#include "../internal.h"

#ifdef IL_SIMD_X86
#include "vec.h"

#include <string.h>

#define VB 8
typedef __m512i vb;

static inline vb vb_zero(void)
{
    return _mm512_setzero_si512();
}
static inline vb vb_set1(uint64_t x)
{
    return _mm512_set1_epi64((long long)x);
}
static inline vb vb_load(const uint64_t *p)
{
    return _mm512_loadu_si512(p);
}
static inline vb vb_load_n(const uint64_t *p, size_t n)
{
    return _mm512_maskz_loadu_epi64(lanes8(n), p);
}
static inline vb vb_xor(vb a, vb b)
{
    return _mm512_xor_si512(a, b);
}
static inline vb vb_add64(vb a, vb b)
{
    return _mm512_add_epi64(a, b);
}
static inline uint32_t vb_total(vb x)
{
    return (uint32_t)_mm512_reduce_add_epi64(x);
}
static inline void vb_narrow(uint16_t *out, vb x)
{
    _mm_storeu_si128((__m128i *)out, _mm512_cvtepi64_epi16(x));
}

/* Per byte, from a table of the counts of four bits. */
static inline vb count_bytes(vb x)
{
    const vb table = _mm512_broadcast_i32x4(
        _mm_setr_epi8(0, 1, 1, 2, 1, 2, 2, 3, 1, 2, 2, 3, 2, 3, 3, 4));
    const vb low = _mm512_set1_epi8(15);
    const vb high = _mm512_and_si512(_mm512_srli_epi16(x, 4), low);
    return _mm512_add_epi8(_mm512_shuffle_epi8(table, _mm512_and_si512(x, low)),
                           _mm512_shuffle_epi8(table, high));
}

#define BITS_FN(name) name
#define BITS_KERNEL(name) il_##name##_avx512
#define BITS_TARGET
#define BITS_COUNT count_bytes
#define BITS_ADD _mm512_add_epi8
#define BITS_SUM(c) _mm512_sad_epu8(c, _mm512_setzero_si512())
#define BITS_MOST 31
#include "../tmpl/bits.h"

#define BITS_FN(name) name##_popcnt
#define BITS_KERNEL(name) il_##name##_avx512popcnt
#define BITS_TARGET __attribute__((target("avx512vpopcntdq")))
#define BITS_COUNT _mm512_popcnt_epi64
#define BITS_ADD _mm512_add_epi64
#define BITS_SUM(c) (c)
#define BITS_MOST 128
#include "../tmpl/bits.h"
#else
typedef int il_not_empty; /* ISO C forbids an empty translation unit */
#endif
