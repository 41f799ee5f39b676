/* SPDX-License-Identifier: Apache-2.0 */
/* Bodies of the packing over ISA/vec.h: VL rows x VL coordinates at a time, transposed in
   registers. Contract: ref/pack.c. */
#include <string.h>

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

/* Row times 1 / scale differs from row / scale by less than 127 2^-22. So both round to
   the same integer unless the product is nearer than that to the middle of two, which
   happens to one value of 8,000: only then is there a division. */
#define NEAR_MIDDLE (0.5f - 0x1p-14f)

/* Bytes of four coordinates of VL rows, whose scales are in the lanes. */
static inline vu block_word(const vf *x, vf scale, vf inverse)
{
    vu q[4];
    vf off = vf_zero();
    IL_UNROLL
    for (size_t p = 0; p < 4; p++) {
        const vf t = vf_mul(x[p], inverse);
        q[p] = vf_round(t);
        const vf rest = vf_sub(t, vu_to_float(q[p]));
        off = vf_max_number(vf_mul(rest, rest), off);
    }
    if (vm_bits(vf_gt(off, vf_set1(NEAR_MIDDLE * NEAR_MIDDLE))) != 0) {
        IL_UNROLL
        for (size_t p = 0; p < 4; p++) {
            q[p] = vf_round(vf_div(x[p], scale));
        }
    }
    /* 1..255, so that nothing of a sign is above the byte. */
    IL_UNROLL
    for (size_t p = 0; p < 4; p++) {
        q[p] = vu_add(q[p], vu_set1(128));
    }
    const vu low = vu_or(q[0], vu_shl(q[1], 8));
    const vu high = vu_or(q[2], vu_shl(q[3], 8));
    return vu_xor(vu_or(low, vu_shl(high, 16)), vu_set1(0x80808080u));
}

/* VL rows from row first on; out: the bytes of their first coordinates. */
static void block_rows(const float *x, size_t rows, size_t k, size_t ld,
                       const float *scale, float *out)
{
    float square[VL * VL], of_row[VL];
    const float *row[VL];
    for (size_t r = 0; r < VL; r++) {
        of_row[r] = r < rows ? scale[r] : 1.0f;
        row[r] = x + (r < rows ? r * ld : 0);
    }
    const vf scales = vf_load(of_row), inverse = vf_div(vf_set1(1.0f), scales);
    for (size_t q = 0; q < k; q += VL) {
        const size_t count = k - q < VL ? k - q : VL;
        pack_square(row, rows, q, count, VL, VL, square);
        if (count < VL) {
            memset(square + count * VL, 0, (VL - count) * VL * sizeof *square);
        }
        for (size_t p = 0; p < count; p += 4, out += IL_ROWS) {
            vf word[4];
            IL_UNROLL
            for (size_t i = 0; i < 4; i++) {
                word[i] = vf_load(square + (p + i) * VL);
            }
            vf_store(out, vf_from_bits(block_word(word, scales, inverse)));
        }
    }
}

void IL_ISA_FN(block_i8)(const float *x, size_t n, size_t k, size_t ld,
                         const float *scale, int8_t *out)
{
    for (size_t i = 0; i < IL_ROWS; i += VL) {
        const size_t left = n > i ? n - i : 0;
        block_rows(left ? x + i * ld : x, left < VL ? left : VL, k, ld, scale + i,
                   (float *)(void *)(out + 4 * i));
    }
}
