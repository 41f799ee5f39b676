/* SPDX-License-Identifier: Apache-2.0 */
/* i8 rows x i8 anchors for avx2: both sides in 16 bits, for vpmaddubsw saturates. */
#include "../internal.h"

#ifdef IL_SIMD_X86
#include "vec.h"

#include <string.h>

#define I8_VL 8
typedef __m256i i8_sum;

static inline i8_sum i8_sum_load(const int32_t *p)
{
    return _mm256_loadu_si256((const __m256i *)p);
}
static inline void i8_sum_store(int32_t *p, i8_sum x)
{
    _mm256_storeu_si256((__m256i *)p, x);
}
static inline i8_sum i8_sum_add(i8_sum a, i8_sum b)
{
    return _mm256_add_epi32(a, b);
}

static inline __m256i i8_rows(const char *p)
{
    return _mm256_loadu_si256((const __m256i *)p);
}
static inline __m256i i8_anchor(const char *p)
{
    int32_t pair;
    memcpy(&pair, p, sizeof pair);
    return _mm256_set1_epi32(pair);
}

/* Coordinates 0, 1 and 2, 3 of each row become pairs of 16 bits. */
static void i8_widen(const char *x, size_t groups, char *out)
{
    for (size_t g = 0; g < groups; g++) {
        for (size_t r = 0; r < 4 * IL_ROWS; r += 32) {
            const __m256i w = i8_rows(x + r);
            const __m256i even = _mm256_srai_epi16(_mm256_slli_epi16(w, 8), 8);
            const __m256i odd = _mm256_srai_epi16(w, 8);
            const __m256i first =
                _mm256_blend_epi16(even, _mm256_slli_epi32(odd, 16), 0xaa);
            const __m256i second =
                _mm256_blend_epi16(_mm256_srli_epi32(even, 16), odd, 0xaa);
            _mm256_storeu_si256((__m256i *)(out + r), first);
            _mm256_storeu_si256((__m256i *)(out + 4 * IL_ROWS + r), second);
        }
        x += 4 * IL_ROWS;
        out += 8 * IL_ROWS;
    }
}

#define I8_FN(name) name
#define I8_KERNEL(name) il_##name##_avx2
#define I8_TARGET
#define I8_DIMS 2
#define I8_BYTES 4
#define I8_V 2
#define I8_WORK int16_t
#define I8_ZERO 0
#define I8_ROWS_TYPE __m256i
#define I8_ROWS i8_rows
#define I8_PANEL
#define I8_DO(c, x, r) _mm256_add_epi32(c, _mm256_madd_epi16(x, i8_anchor(a + 4 * (r))))
#define I8_WIDEN i8_widen
#include "../tmpl/rows_i8.h"
#else
typedef int il_not_empty; /* ISO C forbids an empty translation unit */
#endif
