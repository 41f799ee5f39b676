/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Blocking of the fused matcher around tile_match; contract: ref/match3.c.
 *
 * COLS columns at a time have their lists spread out on the stack, so that a whole vector
 * of columns is updated at once; rows keep their il_top3. A score is looked at only when
 * it reaches the entry score of its row or column (match_lists.h).
 */
#include "match_lists.h"

enum {
    ROWS = 2048 / IL_MR * IL_MR, /* most rows of a block of a */
    A_BLOCK_BYTES = 384 << 10    /* a block of a stays in L2, one panel of b in L1 */
};

/* What tile_match answers: whether some score may enter a row's or a column's list. */
enum { HIT_ROWS = 1, HIT_COLS = 2 };

/* A computed tile, at row i and column j. */
struct match3_tile {
    _Alignas(64) float score[IL_MR * IL_NR];
    size_t i, j, rows, cols;
};

struct match3_state {
    struct match3_tile tile[2];
    struct columns cols;
    float row_min[ROWS]; /* entry score per row of the block of a */
    const struct il_match3_block *block;
    size_t i0, i1, j0, j1; /* rows and columns in hand */
};

/* Padding never enters: its entry score is +Inf and its scores are 0 or NaN. */
static void update_cols(struct match3_state *s, const struct match3_tile *tile)
{
    const size_t at = tile->j - s->j0;
    IL_UNROLL
    for (size_t v = 0; v < VECTORS; v++) {
        const vf min = vf_load(s->cols.min + at + v * VL);
        const float *score = tile->score + v * VL;
        uint32_t hit = 0;
        IL_UNROLL
        for (size_t r = 0; r < IL_MR; r++) {
            const vm enters = vf_ge(vf_load(score + r * IL_NR), min);
            hit |= (uint32_t)(vm_bits(enters) != 0) << r;
        }
        hit &= (1u << tile->rows) - 1u;
        if (hit != 0) {
            offer_to_columns(&s->cols, at + v * VL, score, hit,
                             s->block->a_index + tile->i);
        }
    }
}

/* All rows are looked at before any is updated: one unpredictable loop instead of a
   branch each. */
static void update_rows(struct match3_state *s, const struct match3_tile *tile)
{
    const uint32_t inside = tile->cols < IL_NR ? (1u << tile->cols) - 1u : UINT32_MAX;
    float *row_min = s->row_min + (tile->i - s->i0);
    uint32_t hits[IL_MR];
    uint32_t rows = 0;
    IL_UNROLL
    for (size_t r = 0; r < IL_MR; r++) {
        hits[r] = row_hits(tile->score + r * IL_NR, row_min[r]) & inside;
        rows |= (uint32_t)(hits[r] != 0) << r;
    }
    for (rows &= (1u << tile->rows) - 1u; rows != 0; rows &= rows - 1) {
        const size_t r = (size_t)__builtin_ctz(rows);
        row_min[r] = offer_to_row(s->block, s->block->row + tile->i + r,
                                  tile->score + r * IL_NR, hits[r], tile->j);
    }
}

static void load_rows(struct match3_state *s)
{
    const uint32_t first = b_index(s->block, s->j0);
    const size_t n = s->i1 - s->i0;
    for (size_t r = 0; r < n; r++) {
        s->row_min[r] = entry_score(s->block->row + s->i0 + r, first);
    }
    for (size_t r = n; r % IL_MR != 0; r++) {
        s->row_min[r] = INFINITY;
    }
}

static inline void update(struct match3_state *s, const struct match3_tile *tile, int hit)
{
    if (hit & HIT_ROWS) {
        update_rows(s, tile);
    }
    if (hit & HIT_COLS) {
        update_cols(s, tile);
    }
}

/*
 * Rows i0..i1 against columns j0..j1: one panel of b at a time stays in L1. The lists are
 * updated one tile late, when the answer of the filter is long known: a wrong guess of
 * the branches then costs only itself, while the processor still works off the fma of the
 * next tile. An entry score that is one tile old is lower or equal, which is safe.
 */
static void match_block(struct match3_state *s)
{
    const struct il_match3_block *t = s->block;
    const size_t k = t->k;
    size_t turn = 0;
    int before = 0;
    for (size_t j = s->j0; j < s->j1; j += IL_NR) {
        for (size_t i = s->i0; i < s->i1; i += IL_MR) {
            struct match3_tile *tile = &s->tile[turn];
            tile->i = i;
            tile->j = j;
            tile->rows = s->i1 - i < IL_MR ? s->i1 - i : IL_MR;
            tile->cols = s->j1 - j < IL_NR ? s->j1 - j : IL_NR;
            const int hit =
                tile_match(k, t->a + i * k, t->b + j * k, s->row_min + (i - s->i0),
                           s->cols.min + (j - s->j0), tile->score);
            turn ^= 1;
            update(s, &s->tile[turn], before);
            before = hit;
        }
    }
    update(s, &s->tile[turn ^ 1], before);
}

void IL_ISA_FN(match3_f32)(const struct il_match3_block *t)
{
    struct match3_state s;
    const size_t fits = A_BLOCK_BYTES / sizeof(float) / t->k / IL_MR * IL_MR;
    const size_t rows_min = 8 * IL_MR; /* below that, b comes from L3 too often */
    const size_t step = fits > ROWS ? ROWS : fits < rows_min ? rows_min : fits;
    s.block = t;
    if (t->a_rows == 0) {
        return;
    }
    for (s.j0 = 0; s.j0 < t->b_rows; s.j0 = s.j1) {
        s.j1 = t->b_rows - s.j0 < COLS ? t->b_rows : s.j0 + COLS;
        load_columns(&s.cols, t, s.j0, s.j1);
        for (s.i0 = 0; s.i0 < t->a_rows; s.i0 = s.i1) {
            s.i1 = t->a_rows - s.i0 < step ? t->a_rows : s.i0 + step;
            load_rows(&s);
            match_block(&s);
        }
        store_columns(&s.cols, t, s.j0, s.j1);
    }
}
