/* SPDX-License-Identifier: Apache-2.0 */
/* Fused matcher for avx512: the tile and its filter; blocking and lists in tmpl/match3.h.
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

/*
 * The filter keeps a mask of lanes that are below their threshold, ordered compare: a NaN
 * that reaches it counts as a pass. vmaxps gives its second operand when either is NaN:
 * in a row, a NaN of the left half vanishes and one of the right half passes; down a
 * column, the running maximum is the second operand, so that a NaN in row 0 sticks and
 * passes and one in any other row vanishes. So no number is ever hidden behind a NaN.
 */
#define FILTER_ROW(r)                                                                    \
    rows = _mm512_mask_cmp_ps_mask(rows, _mm512_max_ps(c##r##_0, c##r##_1),              \
                                   _mm512_set1_ps(row_min[r]), _CMP_LT_OQ);
#define FILTER_COLUMN(r)                                                                 \
    high_0 = _mm512_max_ps(c##r##_0, high_0);                                            \
    high_1 = _mm512_max_ps(c##r##_1, high_1);

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
    __m512 high_0 = c0_0, high_1 = c0_1;
    TILE_ROWS_AFTER_0(FILTER_COLUMN)
    __mmask16 rows = 0xffffu;
    TILE_ROWS(FILTER_ROW)
    __mmask16 cols = _mm512_cmp_ps_mask(high_0, _mm512_load_ps(col_min), _CMP_LT_OQ);
    cols =
        _mm512_mask_cmp_ps_mask(cols, high_1, _mm512_load_ps(col_min + 16), _CMP_LT_OQ);
    return (rows != 0xffffu ? HIT_ROWS : 0) | (cols != 0xffffu ? HIT_COLS : 0);
}
#else
typedef int il_not_empty; /* ISO C forbids an empty translation unit */
#endif
