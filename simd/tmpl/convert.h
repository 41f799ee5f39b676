/* SPDX-License-Identifier: Apache-2.0 */
/* Bodies of the conversions over ISA/vec.h; contract: ref/convert.c. The tail goes
   through a small buffer, for narrow types have no masked loads. */
#include <string.h>

#define CONVERT(name, type, load)                                                        \
    void IL_ISA_FN(name)(const type *x, size_t n, float *out)                            \
    {                                                                                    \
        size_t i = 0;                                                                    \
        for (; i + VL <= n; i += VL) {                                                   \
            vf_store(out + i, load(x + i));                                              \
        }                                                                                \
        if (i < n) {                                                                     \
            type last[VL] = {0};                                                         \
            memcpy(last, x + i, (n - i) * sizeof *x);                                    \
            vf_store_n(out + i, load(last), n - i);                                      \
        }                                                                                \
    }

CONVERT(f16_to_f32, uint16_t, vf_from_f16)
CONVERT(i8_to_f32, int8_t, vf_from_i8)
CONVERT(u8_to_f32, uint8_t, vf_from_u8)
CONVERT(f64_to_f32, double, vf_from_f64)
