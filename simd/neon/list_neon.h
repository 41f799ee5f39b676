/* SPDX-License-Identifier: Apache-2.0 */
/* il_top3_insert for neon without branches, for where a score goes is not predictable. */
#ifndef IL_LIST_NEON_H
#define IL_LIST_NEON_H

#include <arm_neon.h>

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

#endif
