/* SPDX-License-Identifier: Apache-2.0 */
/* Scores of stored rows for avx2: 16 rows x 6 anchors, and the widening; the rest in
 * tmpl/rows.h. */
#include "../internal.h"

#ifdef IL_SIMD_X86
#include "vec.h"

/* Four coordinates of 8 rows: byte j of each lane to out[j IL_ROWS ..]. */
static inline void rows_widen_i8x4(const int8_t *x, float *out)
{
    const __m256i w = _mm256_loadu_si256((const __m256i *)x);
    const __m256i b0 = _mm256_srai_epi32(_mm256_slli_epi32(w, 24), 24);
    const __m256i b1 = _mm256_srai_epi32(_mm256_slli_epi32(w, 16), 24);
    const __m256i b2 = _mm256_srai_epi32(_mm256_slli_epi32(w, 8), 24);
    const __m256i b3 = _mm256_srai_epi32(w, 24);
    vf_store(out, _mm256_cvtepi32_ps(b0));
    vf_store(out + IL_ROWS, _mm256_cvtepi32_ps(b1));
    vf_store(out + 2 * IL_ROWS, _mm256_cvtepi32_ps(b2));
    vf_store(out + 3 * IL_ROWS, _mm256_cvtepi32_ps(b3));
}

/* By way of f16, as avx512/rows.c. */
static inline void rows_widen_e4m3(const uint8_t *x, float *out)
{
    const __m256i w = _mm256_cvtepi8_epi16(_mm_loadu_si128((const __m128i *)x));
    const __m256i half =
        _mm256_and_si256(_mm256_slli_epi16(w, 7), _mm256_set1_epi16((short)0xbf80));
    const __m256i nan = _mm256_cmpeq_epi16(_mm256_or_si256(w, _mm256_set1_epi16(~127)),
                                           _mm256_set1_epi16(-1));
    const __m256i all =
        _mm256_or_si256(half, _mm256_and_si256(nan, _mm256_set1_epi16(0x7e00)));
    const vf up = vf_set1(256.0f);
    vf_store(out, vf_mul(_mm256_cvtph_ps(_mm256_castsi256_si128(all)), up));
    vf_store(out + VL, vf_mul(_mm256_cvtph_ps(_mm256_extracti128_si256(all, 1)), up));
}
#define ROWS_E4M3 16

#define ROWS_V 2
#define ROWS_PANEL
#define ROWS_DO(c, x, r) vf_fma(vf_set1(a[r]), x, c)
#include "../tmpl/rows.h"
#else
typedef int il_not_empty; /* ISO C forbids an empty translation unit */
#endif
