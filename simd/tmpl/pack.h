/* SPDX-License-Identifier: Apache-2.0 */
/* Body of the packing over ISA/vec.h: VL rows x VL coordinates at a time, transposed in
   registers. Contract: ref/pack.c. */

/* Rows [0, rows) of x, coordinates [0, count), to lanes [0, lanes) of out, whose stride
 * is w. */
static inline void pack_square(const float *x, size_t rows, size_t count, size_t ld,
                               size_t w, size_t lanes, float *out)
{
    vf r[VL];
    IL_UNROLL
    for (size_t i = 0; i < VL; i++) {
        r[i] = vf_zero();
        if (i < rows) {
            r[i] = count == VL ? vf_load(x + i * ld) : vf_load_n(x + i * ld, count);
        }
    }
    vf_transpose(r);
    IL_UNROLL
    for (size_t q = 0; q < VL; q++) {
        if (q < count) {
            if (lanes == VL) {
                vf_store(out + q * w, r[q]);
            } else {
                vf_store_n(out + q * w, r[q], lanes);
            }
        }
    }
}

void IL_ISA_FN(pack_f32)(const float *x, size_t n, size_t k, size_t ld, size_t w,
                         float *out)
{
    for (size_t i = 0; i < n; i += w, out += w * k) {
        for (size_t lane = 0; lane < w; lane += VL) {
            const size_t lanes = w - lane < VL ? w - lane : VL;
            const size_t left = n - i > lane ? n - i - lane : 0;
            const size_t rows = left < lanes ? left : lanes;
            const float *from = rows > 0 ? x + (i + lane) * ld : x;
            for (size_t q = 0; q < k; q += VL) {
                const size_t count = k - q < VL ? k - q : VL;
                pack_square(from + q, rows, count, ld, w, lanes, out + q * w + lane);
            }
        }
    }
}
