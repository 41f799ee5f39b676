/* SPDX-License-Identifier: Apache-2.0 */
/* One-bit signatures for neon; the bodies in tmpl/bits.h. */
#include "../internal.h"

#ifdef IL_SIMD_ARM
#include "vec.h"

#define VB 2
typedef uint64x2_t vb;

static inline vb vb_zero(void)
{
    return vdupq_n_u64(0);
}
static inline vb vb_set1(uint64_t x)
{
    return vdupq_n_u64(x);
}
static inline vb vb_load(const uint64_t *p)
{
    return vld1q_u64(p);
}
static inline vb vb_load_n(const uint64_t *p, size_t n)
{
    (void)n; /* one lane of two */
    return vsetq_lane_u64(*p, vdupq_n_u64(0), 0);
}
static inline vb vb_xor(vb a, vb b)
{
    return veorq_u64(a, b);
}
static inline vb vb_add64(vb a, vb b)
{
    return vaddq_u64(a, b);
}
static inline uint32_t vb_total(vb x)
{
    return (uint32_t)vaddvq_u64(x);
}
static inline void vb_narrow(uint16_t *out, vb x)
{
    out[0] = (uint16_t)vgetq_lane_u64(x, 0);
    out[1] = (uint16_t)vgetq_lane_u64(x, 1);
}

/* Per byte. */
static inline vb count_bytes(vb x)
{
    return vreinterpretq_u64_u8(vcntq_u8(vreinterpretq_u8_u64(x)));
}
static inline vb add_bytes(vb a, vb b)
{
    return vreinterpretq_u64_u8(
        vaddq_u8(vreinterpretq_u8_u64(a), vreinterpretq_u8_u64(b)));
}
static inline vb sum_bytes(vb x)
{
    return vpaddlq_u32(vpaddlq_u16(vpaddlq_u8(vreinterpretq_u8_u64(x))));
}

#define BITS_FN(name) name
#define BITS_KERNEL(name) il_##name##_neon
#define BITS_TARGET
#define BITS_COUNT count_bytes
#define BITS_ADD add_bytes
#define BITS_SUM sum_bytes
#define BITS_MOST 31
#include "../tmpl/bits.h"
#else
typedef int il_not_empty; /* ISO C forbids an empty translation unit */
#endif
