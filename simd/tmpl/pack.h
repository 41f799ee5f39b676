/* SPDX-License-Identifier: Apache-2.0 */
/* Body of the packing over ISA/vec.h: VL rows x VL coordinates at a time, transposed in
   registers. Contract: ref/pack.c. */

/* Coordinates [q, q + count) of the given rows to lanes [0, lanes) of out, whose stride
 * is w; lanes without a row become 0. */
static inline void pack_square(const float *const *row, size_t rows, size_t q0,
                               size_t count, size_t w, size_t lanes, float *out)
{
    vf r[VL];
    IL_UNROLL
    for (size_t i = 0; i < VL; i++) {
        r[i] = vf_zero();
        if (i < rows) {
            r[i] = count == VL ? vf_load(row[i] + q0) : vf_load_n(row[i] + q0, count);
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

/* Rows in their order, or those that names say. They may lie far apart, in an order that
   no hardware sees through: the lines of the next VL rows are fetched on the way. */
static void pack(const float *x, const uint32_t *names, size_t n, size_t k, size_t ld,
                 size_t w, float *out)
{
    const float *row[VL], *next[VL];
    for (size_t i = 0; i < n; i += w, out += w * k) {
        for (size_t lane = 0; lane < w; lane += VL) {
            const size_t lanes = w - lane < VL ? w - lane : VL;
            const size_t first = i + lane;
            const size_t left = n > first ? n - first : 0;
            const size_t rows = left < lanes ? left : lanes;
            const size_t after = left - rows < VL ? left - rows : VL;
            for (size_t r = 0; r < rows; r++) {
                row[r] = x + (names ? names[first + r] : first + r) * ld;
            }
            for (size_t r = 0; names && r < after; r++) {
                next[r] = x + names[first + rows + r] * ld;
            }
            for (size_t q = 0; q < k; q += VL) {
                const size_t count = k - q < VL ? k - q : VL;
                for (size_t r = 0; names && r < after; r++) {
                    __builtin_prefetch(next[r] + q);
                }
                pack_square(row, rows, q, count, w, lanes, out + q * w + lane);
            }
        }
    }
}

void IL_ISA_FN(pack_f32)(const float *x, size_t n, size_t k, size_t ld, size_t w,
                         float *out)
{
    pack(x, NULL, n, k, ld, w, out);
}

void IL_ISA_FN(pack_rows_f32)(const float *x, const uint32_t *rows, size_t n, size_t k,
                              size_t ld, size_t w, float *out)
{
    pack(x, rows, n, k, ld, w, out);
}

/* Rows on their way while one is copied: with fewer the latency of memory shows, with
   more they push each other out. */
#define AHEAD 4

void IL_ISA_FN(gather_f32)(const float *x, const uint32_t *rows, size_t n, size_t d,
                           size_t ld_x, float scale, float *out, size_t ld)
{
    const vf factor = vf_set1(scale);
    for (size_t i = 0; i < n; i++) {
        const float *from = x + (rows ? rows[i] : i) * ld_x;
        const float *later = rows && i + AHEAD < n ? x + rows[i + AHEAD] * ld_x : from;
        float *to = out + i * ld;
        size_t q = 0;
        for (; q + VL <= d; q += VL) {
            __builtin_prefetch(later + q);
            vf_store(to + q, vf_mul(factor, vf_load(from + q)));
        }
        if (q < d) {
            __builtin_prefetch(later + q);
            vf_store_n(to + q, vf_mul(factor, vf_load_n(from + q, d - q)), d - q);
        }
    }
}
