/* SPDX-License-Identifier: Apache-2.0 */
/* Fused matcher for neon: the tile and its filter; blocking and lists in tmpl/match3.h.
 */
#include "../internal.h"

#ifdef IL_SIMD_ARM
#include "list_neon.h"
#include "tile.h"
#include "vec.h"

/* tile_match is defined below, beside its macros; the shared body calls it. */
static int tile_match(size_t k, const float *a, const float *b, const float *row_min,
                      const float *col_min, float *c);

#include "../tmpl/match3.h"

/* fmax gives NaN when either operand is NaN: a NaN passes the filter and hides nothing.
 */
#define FILTER_ROW(r)                                                                    \
    rows = vandq_u32(rows, vcltq_f32(vmaxq_f32(vmaxq_f32(c##r##_0, c##r##_1), c##r##_2), \
                                     vdupq_n_f32(row_min[r])));
#define FILTER_COLUMN(r)                                                                 \
    high_0 = vmaxq_f32(c##r##_0, high_0);                                                \
    high_1 = vmaxq_f32(c##r##_1, high_1);                                                \
    high_2 = vmaxq_f32(c##r##_2, high_2);

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
    float32x4_t high_0 = c0_0, high_1 = c0_1, high_2 = c0_2;
    TILE_ROWS_AFTER_0(FILTER_COLUMN)
    uint32x4_t rows = vdupq_n_u32(UINT32_MAX);
    TILE_ROWS(FILTER_ROW)
    uint32x4_t cols = vcltq_f32(high_0, vld1q_f32(col_min));
    cols = vandq_u32(cols, vcltq_f32(high_1, vld1q_f32(col_min + 4)));
    cols = vandq_u32(cols, vcltq_f32(high_2, vld1q_f32(col_min + 8)));
    return (vminvq_u32(rows) == 0 ? HIT_ROWS : 0) |
           (vminvq_u32(cols) == 0 ? HIT_COLS : 0);
}
#else
typedef int il_not_empty; /* ISO C forbids an empty translation unit */
#endif
