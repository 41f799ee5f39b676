/* SPDX-License-Identifier: Apache-2.0 */
/* One-bit signatures for avx2; the bodies in tmpl/bits.h. */
#include "../internal.h"

#ifdef IL_SIMD_X86
#include "vec.h"

#include <string.h>

#define VB 4
typedef __m256i vb;

static inline vb vb_zero(void)
{
    return _mm256_setzero_si256();
}
static inline vb vb_set1(uint64_t x)
{
    return _mm256_set1_epi64x((long long)x);
}
static inline vb vb_load(const uint64_t *p)
{
    return _mm256_loadu_si256((const __m256i *)p);
}
static inline vb vb_load_n(const uint64_t *p, size_t n)
{
    return _mm256_maskload_epi64((const long long *)p, lanes8(2 * n));
}
static inline vb vb_xor(vb a, vb b)
{
    return _mm256_xor_si256(a, b);
}
static inline vb vb_add64(vb a, vb b)
{
    return _mm256_add_epi64(a, b);
}
static inline uint32_t vb_total(vb x)
{
    const __m128i s =
        _mm_add_epi64(_mm256_castsi256_si128(x), _mm256_extracti128_si256(x, 1));
    return (uint32_t)_mm_cvtsi128_si32(_mm_add_epi64(s, _mm_unpackhi_epi64(s, s)));
}
/* The low 16 bits of each lane to the front of its half, then the halves together. */
static inline void vb_narrow(uint16_t *out, vb x)
{
    const __m128i low = _mm256_castsi256_si128(x);
    const __m128i pairs = _mm_packus_epi32(low, _mm256_extracti128_si256(x, 1));
    const __m128i four = _mm_packus_epi32(pairs, pairs);
    _mm_storel_epi64((__m128i *)out, four);
}

/* Per byte, from a table of the counts of four bits. */
static inline vb count_bytes(vb x)
{
    const vb table = _mm256_setr_epi8(0, 1, 1, 2, 1, 2, 2, 3, 1, 2, 2, 3, 2, 3, 3, 4, 0,
                                      1, 1, 2, 1, 2, 2, 3, 1, 2, 2, 3, 2, 3, 3, 4);
    const vb low = _mm256_set1_epi8(15);
    const vb high = _mm256_and_si256(_mm256_srli_epi16(x, 4), low);
    return _mm256_add_epi8(_mm256_shuffle_epi8(table, _mm256_and_si256(x, low)),
                           _mm256_shuffle_epi8(table, high));
}

#define BITS_FN(name) name
#define BITS_KERNEL(name) il_##name##_avx2
#define BITS_TARGET
#define BITS_COUNT count_bytes
#define BITS_ADD _mm256_add_epi8
#define BITS_SUM(c) _mm256_sad_epu8(c, _mm256_setzero_si256())
#define BITS_MOST 31
#include "../tmpl/bits.h"
#else
typedef int il_not_empty; /* ISO C forbids an empty translation unit */
#endif
