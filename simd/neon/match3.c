/* SPDX-License-Identifier: Apache-2.0 */
/* Fused matcher for neon: the tile and its filter; blocking and lists in tmpl/match3.h.
 */
#include "../internal.h"

#ifdef IL_SIMD_ARM
#include "tile.h"
#include "vec.h"

/* tile_match is defined below, beside its macros; the shared body calls it. */
static int tile_match(size_t k, const float *a, const float *b, const float *row_min,
                      const float *col_min, float *c);

/* As in tmpl/list_x86.h: values v0 v1 v2 - and indexes i0 i1 i2 -, a suffix moves down by
 * one. */
static inline void list_insert(struct il_top3 *t, float v, uint32_t i)
{
    const float32x4_t value = vld1q_f32(t->value); /* its last lane is index[0] */
    const uint32x4_t low = vreinterpretq_u32_f32(value);
    const uint32x4_t high = vcombine_u32(vld1_u32(t->index + 1), vdup_n_u32(0));
    const uint32x4_t index = vextq_u32(low, high, 3);
    const float32x4_t candidate = vdupq_n_f32(v);
    const uint32x4_t named = vdupq_n_u32(i);
    const uint32x4_t ties =
        vandq_u32(vceqq_f32(candidate, value), vcltq_u32(named, index));
    const uint32x4_t over = vorrq_u32(vcgtq_f32(candidate, value), ties);
    const uint32x4_t zero = vdupq_n_u32(0);
    const uint32x4_t over_before = vextq_u32(zero, over, 3);
    uint32x4_t new_value = vbslq_u32(over, vreinterpretq_u32_f32(candidate), low);
    uint32x4_t new_index = vbslq_u32(over, named, index);
    new_value = vbslq_u32(over_before, vextq_u32(zero, low, 3), new_value);
    new_index = vbslq_u32(over_before, vextq_u32(zero, index, 3), new_index);
    new_value = vcopyq_laneq_u32(new_value, 3, new_index, 0);
    vst1q_f32(t->value, vreinterpretq_f32_u32(new_value));
    vst1_u32(t->index + 1, vget_low_u32(vextq_u32(new_index, new_index, 1)));
}

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
