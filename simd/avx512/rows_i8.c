/* SPDX-License-Identifier: Apache-2.0 */
/*
 * i8 rows x i8 anchors for avx512, with and without VNNI. vpdpbusd wants one side
 * unsigned: the anchors are packed plus 128, and 128 times the sum of the row, found once
 * per chunk, is taken off at the start. The rows stay as they are stored. Without VNNI
 * both sides are widened to 16 bits, for vpmaddubsw saturates.
 */
#include "../internal.h"

#ifdef IL_SIMD_X86
#include "vec.h"

#include <string.h>

#define I8_VL 16
typedef __m512i i8_sum;

static inline i8_sum i8_sum_load(const int32_t *p)
{
    return _mm512_loadu_si512(p);
}
static inline void i8_sum_store(int32_t *p, i8_sum x)
{
    _mm512_storeu_si512(p, x);
}
static inline i8_sum i8_sum_add(i8_sum a, i8_sum b)
{
    return _mm512_add_epi32(a, b);
}

static inline __m512i i8_rows(const char *p)
{
    return _mm512_loadu_si512(p);
}
static inline __m512i i8_anchor(const char *p)
{
    int32_t four;
    memcpy(&four, p, sizeof four);
    return _mm512_set1_epi32(four);
}

/* Coordinates 0, 1 and 2, 3 of each row become pairs of 16 bits. */
static void i8_widen(const char *x, size_t groups, char *out)
{
    for (size_t g = 0; g < groups; g++) {
        for (size_t r = 0; r < 4 * IL_ROWS; r += 64) {
            const __m512i w = _mm512_loadu_si512(x + r);
            const __m512i even = _mm512_srai_epi16(_mm512_slli_epi16(w, 8), 8);
            const __m512i odd = _mm512_srai_epi16(w, 8);
            _mm512_storeu_si512(
                out + r,
                _mm512_mask_blend_epi16(0xaaaaaaaau, even, _mm512_slli_epi32(odd, 16)));
            _mm512_storeu_si512(
                out + 4 * IL_ROWS + r,
                _mm512_mask_blend_epi16(0xaaaaaaaau, _mm512_srli_epi32(even, 16), odd));
        }
        x += 4 * IL_ROWS;
        out += 8 * IL_ROWS;
    }
}

#define I8_FN(name) name
#define I8_KERNEL(name) il_##name##_avx512
#define I8_TARGET
#define I8_DIMS 2
#define I8_BYTES 4
#define I8_V 4
#define I8_WORK int16_t
#define I8_ZERO 0
#define I8_ROWS_TYPE __m512i
#define I8_ROWS i8_rows
#define I8_PANEL
#define I8_DO(c, x, r) _mm512_add_epi32(c, _mm512_madd_epi16(x, i8_anchor(a + 4 * (r))))
#define I8_WIDEN i8_widen
#include "../tmpl/rows_i8.h"

#define VNNI __attribute__((target("avx512vnni")))

/* out = -128 times the sum of each row. */
VNNI static void i8_start(const char *x, size_t groups, int32_t *out)
{
    const __m512i weight = _mm512_set1_epi8(-128); /* unsigned: 128 */
    __m512i s0 = _mm512_setzero_si512(), s1 = s0, s2 = s0, s3 = s0;
    for (size_t g = 0; g < groups; g++) {
        s0 = _mm512_dpbusd_epi32(s0, weight, _mm512_loadu_si512(x));
        s1 = _mm512_dpbusd_epi32(s1, weight, _mm512_loadu_si512(x + 64));
        s2 = _mm512_dpbusd_epi32(s2, weight, _mm512_loadu_si512(x + 128));
        s3 = _mm512_dpbusd_epi32(s3, weight, _mm512_loadu_si512(x + 192));
        x += 4 * IL_ROWS;
    }
    _mm512_storeu_si512(out, _mm512_sub_epi32(_mm512_setzero_si512(), s0));
    _mm512_storeu_si512(out + 16, _mm512_sub_epi32(_mm512_setzero_si512(), s1));
    _mm512_storeu_si512(out + 32, _mm512_sub_epi32(_mm512_setzero_si512(), s2));
    _mm512_storeu_si512(out + 48, _mm512_sub_epi32(_mm512_setzero_si512(), s3));
}

#define I8_FN(name) name##_vnni
#define I8_KERNEL(name) il_##name##_avx512vnni
#define I8_TARGET VNNI
#define I8_DIMS 4
#define I8_BYTES 4
#define I8_V 4
#define I8_WORK uint8_t
#define I8_ZERO 128
#define I8_ROWS_TYPE __m512i
#define I8_ROWS i8_rows
#define I8_PANEL
#define I8_DO(c, x, r) _mm512_dpbusd_epi32(c, i8_anchor(a + 4 * (r)), x)
#define I8_START i8_start
#include "../tmpl/rows_i8.h"
#else
typedef int il_not_empty; /* ISO C forbids an empty translation unit */
#endif
