/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Distances of bit rows; contract: ref/bits.c. Counts are kept as the instruction set
 * gives them (bytes, or whole words) for BITS_MOST words, then summed: a byte holds 31
 * times 8. For the matrix VB rows of b are turned word by word into the lanes of a
 * vector, so that no sum runs across lanes, and eight rows of a pass over them.
 *
 * The including file gives, under names that it may redefine for a second version:
 *   BITS_FN(name) BITS_KERNEL(name) BITS_TARGET   as in tmpl/rows_i8.h
 *   VB, vb           words of a vector and its type, with vb_zero, vb_load, vb_load_n,
 *                    vb_set1, vb_xor, vb_add64, vb_total (sum of lanes), vb_narrow (lanes
 *                    to uint16_t)
 *   BITS_COUNT(x) BITS_ADD(a, b) BITS_SUM(c)      counts, added, per word
 *   BITS_MOST        words whose counts can be added
 */
#ifndef IL_TMPL_BITS_H
#define IL_TMPL_BITS_H

enum { BITS_ROWS = 8, BITS_BLOCK_BYTES = 256 << 10 };

void IL_ISA_FN(sign_bits)(const float *x, size_t n, size_t d, size_t ld, uint64_t *out)
{
    for (size_t i = 0; i < n; i++, x += ld) {
        for (size_t q = 0; q < d; q += 64) {
            const size_t count = d - q < 64 ? d - q : 64;
            uint64_t bits = 0;
            for (size_t at = 0; at < count; at += VL) {
                const float *from = x + q + at;
                const size_t left = count - at;
                const vf v = left < VL ? vf_load_n(from, left) : vf_load(from);
                bits |= (uint64_t)vm_bits(vf_gt(v, vf_zero())) << at;
            }
            *out++ = bits;
        }
    }
}

/* Eight rows of a: pointers, so that those past the end can repeat the last one. */
struct bits_step {
    size_t words;
    const uint64_t *a[BITS_ROWS];
    const uint64_t *b; /* words x VB */
};

#define BITS_8(X) X(0) X(1) X(2) X(3) X(4) X(5) X(6) X(7)
#define BITS_ZERO(r)                                                                     \
    vb c##r = vb_zero();                                                                 \
    const uint64_t *a##r = s->a[r];
#define BITS_STEP(r) c##r = BITS_ADD(c##r, BITS_COUNT(vb_xor(vb_set1(a##r[w]), b)));
#define BITS_STORE(r) vb_narrow(out + (r)*VB, BITS_SUM(c##r));
#endif

BITS_TARGET __attribute__((noinline)) static void
BITS_FN(bits_tile)(const struct bits_step *s, uint16_t *out)
{
    const uint64_t *at = s->b;
    BITS_8(BITS_ZERO)
    for (size_t w = 0; w < s->words; w++) {
        const vb b = vb_load(at);
        BITS_8(BITS_STEP)
        at += VB;
    }
    BITS_8(BITS_STORE)
}

/* Words [w, w + count) of rows [i0, i1) of a against VB rows of b, of which `cols` exist.
 */
static void BITS_FN(bits_strip)(size_t i0, size_t i1, size_t cols, size_t w, size_t count,
                                size_t words, const uint64_t *a, const uint64_t *b,
                                uint16_t *out, size_t ld)
{
    _Alignas(64) uint64_t turned[BITS_MOST * VB];
    _Alignas(64) uint16_t tile[BITS_ROWS * VB];
    struct bits_step step = {.words = count, .b = turned};
    for (size_t i = 0; i < count * VB; i++) {
        const size_t lane = i % VB < cols ? i % VB : cols - 1;
        turned[i] = b[lane * words + w + i / VB];
    }
    for (size_t i = i0; i < i1; i += BITS_ROWS) {
        for (size_t r = 0; r < BITS_ROWS; r++) {
            step.a[r] = a + (i + r < i1 ? i + r : i1 - 1) * words + w;
        }
        BITS_FN(bits_tile)(&step, tile);
        for (size_t r = 0; r < BITS_ROWS && i + r < i1; r++) {
            uint16_t *to = out + (i + r) * ld;
            if (w == 0 && cols == VB) {
                memcpy(to, tile + r * VB, VB * sizeof *to);
                continue;
            }
            for (size_t j = 0; j < cols; j++) {
                to[j] = (uint16_t)((w == 0 ? 0 : to[j]) + tile[r * VB + j]);
            }
        }
    }
}

void BITS_KERNEL(hamming_block)(size_t n, size_t m, size_t words, const uint64_t *a,
                                const uint64_t *b, uint16_t *out, size_t ld)
{
    const size_t fits = BITS_BLOCK_BYTES / sizeof *a / (words > 0 ? words : 1);
    const size_t n_block = (fits < BITS_ROWS ? 1 : fits / BITS_ROWS) * BITS_ROWS;
    for (size_t i = 0; i < n; i += n_block) {
        const size_t i1 = n - i < n_block ? n : i + n_block;
        for (size_t j = 0; j < m; j += VB) {
            const size_t cols = m - j < VB ? m - j : VB;
            size_t w = 0;
            do { /* once even without words, which clears the output */
                const size_t count = words - w < BITS_MOST ? words - w : BITS_MOST;
                BITS_FN(bits_strip)
                (i, i1, cols, w, count, words, a, b + j * words, out + j, ld);
                w += count;
            } while (w < words);
        }
    }
}

BITS_TARGET void BITS_KERNEL(hamming_row)(const uint64_t *x, const uint64_t *rows,
                                          size_t n, size_t words, uint32_t *out)
{
    for (size_t i = 0; i < n; i++, rows += words) {
        vb total = vb_zero();
        for (size_t w = 0; w < words;) {
            vb counts = vb_zero();
            for (size_t v = 0; v < BITS_MOST && w < words; v++, w += VB) {
                const size_t left = words - w;
                const vb diff =
                    left < VB ? vb_xor(vb_load_n(x + w, left), vb_load_n(rows + w, left))
                              : vb_xor(vb_load(x + w), vb_load(rows + w));
                counts = BITS_ADD(counts, BITS_COUNT(diff));
            }
            total = vb_add64(total, BITS_SUM(counts));
        }
        out[i] = vb_total(total);
    }
}

#undef BITS_FN
#undef BITS_KERNEL
#undef BITS_TARGET
#undef BITS_COUNT
#undef BITS_ADD
#undef BITS_SUM
#undef BITS_MOST
