/* SPDX-License-Identifier: Apache-2.0 */
/* Fused matcher for avx2: the tile and its filter; blocking and lists in tmpl/match3.h.
 */
#include "../internal.h"

#ifdef IL_SIMD_X86
#include "../tmpl/list_x86.h"
#include "tile.h"
#include "vec.h"

/* tile_match is defined below, beside its macros; the shared body calls it. */
static int tile_match(size_t k, const float *a, const float *b, const float *row_min,
                      const float *col_min, float *c);

#include "../tmpl/match3.h"

/* How NaN fares in this filter: see avx512/match3.c, the operand order is the same. */
#define FILTER_ROW(r)                                                                    \
    rows = _mm256_and_ps(rows,                                                           \
                         _mm256_cmp_ps(_mm256_max_ps(c##r##_0, c##r##_1),                \
                                       _mm256_broadcast_ss(row_min + (r)), _CMP_LT_OQ));
#define FILTER_COLUMN(r)                                                                 \
    high_0 = _mm256_max_ps(c##r##_0, high_0);                                            \
    high_1 = _mm256_max_ps(c##r##_1, high_1);

/* Stores the tile to c; tells by HIT_ROWS, HIT_COLS where a score may belong into a list.
 */
__attribute__((noinline)) static int tile_match(size_t k, const float *a, const float *b,
                                                const float *row_min,
                                                const float *col_min, float *c)
{
    const size_t ld = IL_NR;
    TILE_ROWS(TILE_ZERO)
    TILE_LOOP
    TILE_ROWS(TILE_STORE)
    __m256 high_0 = c0_0, high_1 = c0_1;
    TILE_ROWS_AFTER_0(FILTER_COLUMN)
    __m256 rows = _mm256_castsi256_ps(_mm256_set1_epi32(-1));
    TILE_ROWS(FILTER_ROW)
    const __m256 cols =
        _mm256_and_ps(_mm256_cmp_ps(high_0, _mm256_load_ps(col_min), _CMP_LT_OQ),
                      _mm256_cmp_ps(high_1, _mm256_load_ps(col_min + 8), _CMP_LT_OQ));
    return (_mm256_movemask_ps(rows) != 0xff ? HIT_ROWS : 0) |
           (_mm256_movemask_ps(cols) != 0xff ? HIT_COLS : 0);
}
#else
typedef int il_not_empty; /* ISO C forbids an empty translation unit */
#endif
