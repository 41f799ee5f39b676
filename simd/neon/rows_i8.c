/* SPDX-License-Identifier: Apache-2.0 */
/* i8 rows x i8 anchors for neon: by sdot where the machine has it, else widened to 16
 * bits. */
#include "../internal.h"

#ifdef IL_SIMD_ARM
#include "vec.h"

#define I8_VL 4
typedef int32x4_t i8_sum;

static inline i8_sum i8_sum_load(const int32_t *p)
{
    return vld1q_s32(p);
}
static inline void i8_sum_store(int32_t *p, i8_sum x)
{
    vst1q_s32(p, x);
}
static inline i8_sum i8_sum_add(i8_sum a, i8_sum b)
{
    return vaddq_s32(a, b);
}

static inline int16x4_t i8_rows_wide(const char *p)
{
    return vld1_s16((const int16_t *)(const void *)p);
}
static inline int16x4_t i8_two_wide(const char *p)
{
    return vreinterpret_s16_s32(vld1_dup_s32((const int32_t *)(const void *)p));
}

/* Four coordinates of each row, apart and in 16 bits. */
static void i8_widen(const char *x, size_t groups, char *out)
{
    int16_t *to = (int16_t *)(void *)out;
    for (size_t g = 0; g < groups; g++) {
        for (size_t r = 0; r < IL_ROWS; r += 8) {
            const int8x8x4_t w = vld4_s8((const int8_t *)x + 4 * r);
            vst1q_s16(to + r, vmovl_s8(w.val[0]));
            vst1q_s16(to + IL_ROWS + r, vmovl_s8(w.val[1]));
            vst1q_s16(to + 2 * IL_ROWS + r, vmovl_s8(w.val[2]));
            vst1q_s16(to + 3 * IL_ROWS + r, vmovl_s8(w.val[3]));
        }
        x += 4 * IL_ROWS;
        to += 4 * IL_ROWS;
    }
}

#define I8_FN(name) name
#define I8_KERNEL(name) il_##name##_neon
#define I8_TARGET
#define I8_DIMS 1
#define I8_BYTES 2
#define I8_V 4
#define I8_WORK int16_t
#define I8_ZERO 0
#define I8_ROWS_TYPE int16x4_t
#define I8_ROWS i8_rows_wide
#define I8_PANEL                                                                         \
    const int16x4_t a0 = i8_rows_wide(a);                                                \
    const int16x4_t a1 = i8_two_wide(a + 8);
#define I8_DO(c, x, r)                                                                   \
    ((r) < 4 ? vmlal_lane_s16(c, x, a0, (r)&3) : vmlal_lane_s16(c, x, a1, (r)&1))
#define I8_WIDEN i8_widen
#include "../tmpl/rows_i8.h"

#ifdef IL_SIMD_DOTPROD
#define DOTPROD __attribute__((target("arch=armv8.2-a+dotprod")))

static inline int8x16_t i8_rows(const char *p)
{
    return vld1q_s8((const int8_t *)p);
}

#define I8_FN(name) name##_dotprod
#define I8_KERNEL(name) il_##name##_dotprod
#define I8_TARGET DOTPROD
#define I8_DIMS 4
#define I8_BYTES 4
#define I8_V 4
#define I8_WORK int8_t
#define I8_ZERO 0
#define I8_ROWS_TYPE int8x16_t
#define I8_ROWS i8_rows
#define I8_PANEL                                                                         \
    const int8x16_t a0 = i8_rows(a);                                                     \
    const int8x8_t a1 = vld1_s8((const int8_t *)a + 16);
#define I8_DO(c, x, r)                                                                   \
    ((r) < 4 ? vdotq_laneq_s32(c, x, a0, (r)&3) : vdotq_lane_s32(c, x, a1, (r)&1))
#include "../tmpl/rows_i8.h"
#endif
#else
typedef int il_not_empty; /* ISO C forbids an empty translation unit */
#endif
