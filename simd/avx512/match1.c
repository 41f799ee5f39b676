/* SPDX-License-Identifier: Apache-2.0 */
/* Matchers that keep maxima, for avx512: the tile; blocking and lists in tmpl/match1.h.
 */
#include "../internal.h"

#ifdef IL_SIMD_X86
#include "tile.h"
#include "vec.h"

/* tile_match1 is defined below, beside its macros; the shared body calls it. */
static void tile_match1(size_t k, const float *a, const float *b, float *row_max,
                        float *col_max);

#include "../tmpl/match1.h"
#include "../tmpl/topk.h"

/* vmaxps gives its second operand when either is NaN, so the maximum stands there: it is
   never NaN, and a NaN score hides nothing. */
#define RAISE_ROW(r)                                                                     \
    _mm512_store_ps(                                                                     \
        row_max + 16 * (r),                                                              \
        _mm512_max_ps(c##r##_1,                                                          \
                      _mm512_max_ps(c##r##_0, _mm512_load_ps(row_max + 16 * (r)))));
#define RAISE_COLUMN(r)                                                                  \
    high_0 = _mm512_max_ps(c##r##_0, high_0);                                            \
    high_1 = _mm512_max_ps(c##r##_1, high_1);

/* Raises the maxima of 12 rows (16 lanes each) and of 32 columns by the tile's scores. */
__attribute__((noinline)) static void
tile_match1(size_t k, const float *a, const float *b, float *row_max, float *col_max)
{
    TILE_ROWS(TILE_ZERO)
    TILE_LOOP
    __m512 high_0 = _mm512_load_ps(col_max), high_1 = _mm512_load_ps(col_max + 16);
    TILE_ROWS(RAISE_COLUMN)
    TILE_ROWS(RAISE_ROW)
    _mm512_store_ps(col_max, high_0);
    _mm512_store_ps(col_max + 16, high_1);
}
#else
typedef int il_not_empty; /* ISO C forbids an empty translation unit */
#endif
