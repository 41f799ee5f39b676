/* SPDX-License-Identifier: Apache-2.0 */
/* Scores of stored rows for avx512: 64 rows x 6 anchors, and the widening; the rest in
 * tmpl/rows.h. Per coordinate 4 loads, 6 broadcasts and 24 fma. */
#include "../internal.h"

#ifdef IL_SIMD_X86
#include "vec.h"

/* Four coordinates of 16 rows: byte j of each lane to out[j IL_ROWS ..]. */
static inline void rows_widen_i8x4(const int8_t *x, float *out)
{
    const __m512i w = _mm512_loadu_si512(x);
    const __m512i b0 = _mm512_srai_epi32(_mm512_slli_epi32(w, 24), 24);
    const __m512i b1 = _mm512_srai_epi32(_mm512_slli_epi32(w, 16), 24);
    const __m512i b2 = _mm512_srai_epi32(_mm512_slli_epi32(w, 8), 24);
    const __m512i b3 = _mm512_srai_epi32(w, 24);
    vf_store(out, _mm512_cvtepi32_ps(b0));
    vf_store(out + IL_ROWS, _mm512_cvtepi32_ps(b1));
    vf_store(out + 2 * IL_ROWS, _mm512_cvtepi32_ps(b2));
    vf_store(out + 3 * IL_ROWS, _mm512_cvtepi32_ps(b3));
}

/* Exponent and fraction moved to their places in an f16, from the byte with its sign
 * repeated, give the value times 2^-8, of denormals too; all ones, which would be finite,
 * becomes NaN. */
static inline void rows_widen_e4m3(const uint8_t *x, float *out)
{
    const __m512i w = _mm512_cvtepi8_epi16(_mm256_loadu_si256((const __m256i *)x));
    const __m512i half =
        _mm512_and_si512(_mm512_slli_epi16(w, 7), _mm512_set1_epi16((short)0xbf80));
    const __mmask32 nan = _mm512_cmpeq_epi16_mask(
        _mm512_or_si512(w, _mm512_set1_epi16(~127)), _mm512_set1_epi16(-1));
    const __m512i all = _mm512_mask_blend_epi16(nan, half, _mm512_set1_epi16(0x7e00));
    const __m256i high = _mm512_extracti64x4_epi64(all, 1);
    const vf up = vf_set1(256.0f);
    vf_store(out, vf_mul(_mm512_cvtph_ps(_mm512_castsi512_si256(all)), up));
    vf_store(out + VL, vf_mul(_mm512_cvtph_ps(high), up));
}
#define ROWS_E4M3 32

#define ROWS_V 4
#define ROWS_PANEL
#define ROWS_DO(c, x, r) vf_fma(vf_set1(a[r]), x, c)
#include "../tmpl/rows.h"
#else
typedef int il_not_empty; /* ISO C forbids an empty translation unit */
#endif
