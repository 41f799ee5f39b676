/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Product of packed rows over ISA/tile.h; contract: ref/gemm.c. A panel of b comes from
 * L1, or past some 300 coordinates from L2, which is as fast; A_BLOCK_BYTES of a stay in
 * L2. C is passed over once per block of coordinates (equal blocks, K_BLOCK at most), and
 * the chain goes on from it.
 */
#include <string.h>

enum { K_BLOCK = 512, A_BLOCK_BYTES = 384 << 10 };

struct gemm_tile {
    size_t k, rows, cols; /* of this tile: coordinates, rows and columns inside C */
    const float *a, *b;
    float *c;
    size_t ld;
    int load;
};

/* A whole tile of C; goes on from C where load is set. */
__attribute__((noinline)) static void tile_gemm(size_t k, const float *a, const float *b,
                                                float *c, size_t ld, int load)
{
    TILE_ROWS(TILE_ZERO)
    if (load) {
        TILE_ROWS(TILE_LOAD)
    }
    TILE_LOOP
    TILE_ROWS(TILE_STORE)
}

/* Whole tiles go straight to C, those at the edges through a buffer. */
static void gemm_one(const struct gemm_tile *t)
{
    _Alignas(64) float edge[IL_MR * IL_NR];
    if (t->rows == IL_MR && t->cols == IL_NR) {
        tile_gemm(t->k, t->a, t->b, t->c, t->ld, t->load);
        return;
    }
    if (t->load) {
        memset(edge, 0, sizeof edge);
        for (size_t r = 0; r < t->rows; r++) {
            memcpy(edge + r * IL_NR, t->c + r * t->ld, t->cols * sizeof(float));
        }
    }
    tile_gemm(t->k, t->a, t->b, edge, IL_NR, t->load);
    for (size_t r = 0; r < t->rows; r++) {
        memcpy(t->c + r * t->ld, edge + r * IL_NR, t->cols * sizeof(float));
    }
}

void IL_ISA_FN(gemm_f32)(size_t n, size_t m, size_t k, const float *a, const float *b,
                         float *c, size_t ld_c, int accumulate)
{
    const size_t blocks = k > K_BLOCK ? (k + K_BLOCK - 1) / K_BLOCK : 1;
    const size_t k_block = (k + blocks - 1) / blocks;
    const size_t fits = A_BLOCK_BYTES / sizeof(float) / (k_block > 0 ? k_block : 1);
    const size_t n_block = (fits < IL_MR ? 1 : fits / IL_MR) * IL_MR;
    size_t q = 0;
    do { /* once even for k = 0, which clears C */
        const size_t count = k - q < k_block ? k - q : k_block;
        for (size_t i0 = 0; i0 < n; i0 += n_block) {
            const size_t i1 = n - i0 < n_block ? n : i0 + n_block;
            for (size_t j = 0; j < m; j += IL_NR) {
                for (size_t i = i0; i < i1; i += IL_MR) {
                    const struct gemm_tile tile = {
                        .k = count,
                        .rows = n - i < IL_MR ? n - i : IL_MR,
                        .cols = m - j < IL_NR ? m - j : IL_NR,
                        .a = a + i * k + q * IL_MR,
                        .b = b + j * k + q * IL_NR,
                        .c = c + i * ld_c + j,
                        .ld = ld_c,
                        .load = accumulate || q > 0,
                    };
                    gemm_one(&tile);
                }
            }
        }
        q += count;
    } while (q < k);
}
