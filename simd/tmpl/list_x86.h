/* SPDX-License-Identifier: Apache-2.0 */
/* il_top3_insert for x86 without branches, for where a score goes is not predictable. */
#ifndef IL_LIST_X86_H
#define IL_LIST_X86_H

#include <immintrin.h>

/*
 * In registers: values v0 v1 v2 -, indexes i0 i1 i2 -. The candidate beats a suffix of
 * the list; its first place takes the candidate, the others the entry before. Memory is
 * read and written in the same two pieces (16 + 8 bytes), so that the next insert's loads
 * are forwarded.
 */
static inline void list_insert(struct il_top3 *t, float v, uint32_t i)
{
    const __m128i low = _mm_loadu_si128((const __m128i *)(const void *)t);
    const __m128i high = _mm_loadl_epi64((const __m128i *)(const void *)(t->index + 1));
    const __m128 value = _mm_castsi128_ps(low);
    const __m128i index = _mm_alignr_epi8(high, low, 12);
    const __m128 candidate = _mm_set1_ps(v);
    const __m128i named = _mm_set1_epi32((int32_t)i);
    const __m128i top = _mm_set1_epi32(INT32_MIN); /* makes the signed compare unsigned */
    const __m128i lower =
        _mm_cmpgt_epi32(_mm_xor_si128(index, top), _mm_xor_si128(named, top));
    const __m128 ties =
        _mm_and_ps(_mm_cmpeq_ps(candidate, value), _mm_castsi128_ps(lower));
    const __m128 over = _mm_or_ps(_mm_cmpgt_ps(candidate, value), ties);
    const __m128i over_before = _mm_slli_si128(_mm_castps_si128(over), 4);
    __m128 new_value = _mm_blendv_ps(value, candidate, over);
    __m128i new_index = _mm_blendv_epi8(index, named, _mm_castps_si128(over));
    new_value = _mm_blendv_ps(new_value, _mm_castsi128_ps(_mm_slli_si128(low, 4)),
                              _mm_castsi128_ps(over_before));
    new_index = _mm_blendv_epi8(new_index, _mm_slli_si128(index, 4), over_before);
    const __m128i first_index_last = _mm_shuffle_epi32(new_index, 0);
    _mm_storeu_si128((__m128i *)(void *)t, _mm_blend_epi16(_mm_castps_si128(new_value),
                                                           first_index_last, 0xc0));
    _mm_storel_epi64((__m128i *)(void *)(t->index + 1), _mm_srli_si128(new_index, 4));
}

#endif
