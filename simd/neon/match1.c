/* SPDX-License-Identifier: Apache-2.0 */
/* Matchers that keep maxima, for neon: the tile; blocking and lists in tmpl/match1.h. */
#include "../internal.h"

#ifdef IL_SIMD_ARM
#include "tile.h"
#include "vec.h"

/* tile_match1 is defined below, beside its macros; the shared body calls it. */
static void tile_match1(size_t k, const float *a, const float *b, float *row_max,
                        float *col_max);

#include "../tmpl/match1.h"
#include "../tmpl/topk.h"

/* fmaxnm gives the number when one operand is a (quiet) NaN; the maximum never is one. */
#define RAISE_ROW(r)                                                                     \
    {                                                                                    \
        float32x4_t high = vmaxnmq_f32(c##r##_0, vld1q_f32(row_max + 4 * (r)));          \
        high = vmaxnmq_f32(c##r##_1, high);                                              \
        vst1q_f32(row_max + 4 * (r), vmaxnmq_f32(c##r##_2, high));                       \
    }
#define RAISE_COLUMN(r)                                                                  \
    high_0 = vmaxnmq_f32(c##r##_0, high_0);                                              \
    high_1 = vmaxnmq_f32(c##r##_1, high_1);                                              \
    high_2 = vmaxnmq_f32(c##r##_2, high_2);

/* Raises the maxima of 8 rows (4 lanes each) and of 12 columns by the tile's scores. */
__attribute__((noinline)) static void
tile_match1(size_t k, const float *a, const float *b, float *row_max, float *col_max)
{
    TILE_ROWS(TILE_ZERO)
    TILE_LOOP
    float32x4_t high_0 = vld1q_f32(col_max), high_1 = vld1q_f32(col_max + 4),
                high_2 = vld1q_f32(col_max + 8);
    TILE_ROWS(RAISE_COLUMN)
    TILE_ROWS(RAISE_ROW)
    vst1q_f32(col_max, high_0);
    vst1q_f32(col_max + 4, high_1);
    vst1q_f32(col_max + 8, high_2);
}
#else
typedef int il_not_empty; /* ISO C forbids an empty translation unit */
#endif
