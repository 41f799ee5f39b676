/* SPDX-License-Identifier: Apache-2.0 */
/* Sums over anchors: A' diag(w) B on the tile kernel. */
#include <string.h>

#include "src/link/frame.h"

/* Anchors of one f32 chain; longer sums are added in f64, so 10^6 anchors lose no digits.
 */
#define CHAIN 1024

/* Writes count gathered rows as panels of w columns: out[(p count + q) w + r] = row q,
   column p w + r, times its weight when weigh is set. copy: room for a row. */
static void pack_columns(const struct il_gather *g, const struct il_anchor *anchors,
                         size_t first, size_t count, int weigh, size_t w, float *copy,
                         float *out)
{
    size_t panels = (g->d + w - 1) / w;
    for (size_t q = 0; q < count; q++) {
        size_t at = first + q;
        float weight = 1;
        if (anchors) {
            at = g->pick ? anchors[first + q].b : anchors[first + q].a;
            weight = anchors[first + q].weight;
        }
        const float *row = g->x + at * g->ld;
        const uint32_t name = (uint32_t)at;
        if (anchors && il_large_gather(g->x, g->ld * sizeof *row, &name, 1, copy)) {
            row = copy;
        }
        if (q % IL_LOOK_ROWS == 0) {
            il_large_look();
        }
        for (size_t p = 0; p < panels; p++) {
            float *to = out + (p * count + q) * w;
            size_t width = g->d - p * w < w ? g->d - p * w : w;
            memcpy(to, row + p * w, width * sizeof *to);
            memset(to + width, 0, (w - width) * sizeof *to);
            for (size_t r = 0; weigh && r < width; r++) {
                to[r] *= weight;
            }
        }
    }
}

enum il_status il_cross_add(const struct il_simd *simd, struct il_gather a,
                            struct il_gather b, const struct il_anchor *anchors,
                            size_t count, double *c)
{
    size_t wide_a = (a.d + simd->mr - 1) / simd->mr * simd->mr;
    size_t wide_b = (b.d + simd->nr - 1) / simd->nr * simd->nr;
    float *pa = il_alloc_hot(wide_a * CHAIN, sizeof *pa);
    float *pb = il_alloc_hot(wide_b * CHAIN, sizeof *pb);
    float *sum = il_alloc_hot(a.d * b.d, sizeof *sum);
    float *copy = il_alloc(a.ld > b.ld ? a.ld : b.ld, sizeof *copy);
    enum il_status status = pa && pb && sum && copy ? IL_OK : IL_ENOMEM;
    for (size_t first = 0; !status && first < count; first += CHAIN) {
        size_t k = count - first < CHAIN ? count - first : CHAIN;
        pack_columns(&a, anchors, first, k, anchors != NULL, simd->mr, copy, pa);
        pack_columns(&b, anchors, first, k, 0, simd->nr, copy, pb);
        simd->gemm_f32(a.d, b.d, k, pa, pb, sum, b.d, 0);
        for (size_t i = 0; i < a.d * b.d; i++) {
            c[i] += sum[i];
        }
    }
    il_free(copy);
    il_free(sum);
    il_free(pb);
    il_free(pa);
    return status;
}
