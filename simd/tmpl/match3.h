/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Blocking and lists of the fused matcher around tile_match; contract: ref/match3.c.
 *
 * COLS columns at a time have their lists spread out on the stack, so that a whole vector
 * of columns is updated at once; rows keep their il_top3. Beside each list stands its
 * entry score: the lowest score that can still enter. That is the third value where a
 * later tie can win by its index, else the next float above it, so that equal scores do
 * not stop every tile. Within a call indexes only ascend, so that a third entry with an
 * index below the next one wins all ties.
 */
#include <math.h>
#include <string.h>

enum {
    COLS = 1024 / IL_NR * IL_NR, /* columns with spread-out lists: 28 KiB of stack */
    ROWS = 2048 / IL_MR * IL_MR, /* most rows of a block of a */
    A_BLOCK_BYTES = 384 << 10,   /* a block of a stays in L2, one panel of b in L1 */
    VECTORS = IL_NR / VL         /* vectors per row of a tile */
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
    _Alignas(64) float col_min[COLS]; /* entry score per column, +Inf in padding */
    float col_value[IL_TOP][COLS];
    uint32_t col_index[IL_TOP][COLS];
    float row_min[ROWS]; /* entry score per row of the block of a */
    const struct il_match3_block *block;
    size_t i0, i1, j0, j1; /* rows and columns in hand */
};

/* The next float above x; -0 counts as +0, +Inf stays. */
static inline float next_above(float x)
{
    uint32_t bits;
    float out = x + 0.0f;
    memcpy(&bits, &out, sizeof bits);
    bits += out < 0.0f ? UINT32_MAX : 1u;
    memcpy(&out, &bits, sizeof out);
    return x == INFINITY ? x : out;
}

static inline vf vf_next_above(vf x)
{
    const vf y = vf_add(x, vf_zero());
    const vu step = vu_select(vf_gt(vf_zero(), y), vu_set1(UINT32_MAX), vu_set1(1));
    const vf above = vf_from_bits(vu_add(vf_bits(y), step));
    return vf_select(vf_eq(x, vf_set1(INFINITY)), x, above);
}

/* Lowest score that can enter the list when the candidates to come have indexes >= next.
 */
static inline float entry_score(const struct il_top3 *t, uint32_t next)
{
    const float third = t->value[IL_TOP - 1];
    return t->index[IL_TOP - 1] < next ? next_above(third) : third;
}

static inline uint32_t b_index(const struct il_match3_block *t, size_t j)
{
    return t->b_index ? t->b_index[j] : (uint32_t)j;
}

/* The lists of VL columns in registers. */
struct lists {
    vf v0, v1, v2;
    vu i0, i1, i2;
};

static inline vm beats(vf v, vu i, vf kept, vu kept_index)
{
    return vm_or(vf_gt(v, kept), vm_and(vf_eq(v, kept), vu_lt(i, kept_index)));
}

/* il_top3_insert for VL columns, one score each, all of the same row. */
static inline void insert_vector(struct lists *t, vf v, vu i)
{
    const vm over_0 = beats(v, i, t->v0, t->i0);
    const vm over_1 = beats(v, i, t->v1, t->i1);
    const vm over_2 = beats(v, i, t->v2, t->i2);
    t->v2 = vf_select(over_1, t->v1, vf_select(over_2, v, t->v2));
    t->i2 = vu_select(over_1, t->i1, vu_select(over_2, i, t->i2));
    t->v1 = vf_select(over_0, t->v0, vf_select(over_1, v, t->v1));
    t->i1 = vu_select(over_0, t->i0, vu_select(over_1, i, t->i1));
    t->v0 = vf_select(over_0, v, t->v0);
    t->i0 = vu_select(over_0, i, t->i0);
}

/* Offers the rows in hit (a bit each) of vector v of the tile's columns to their lists.
 */
static void update_lists(struct match3_state *s, const struct match3_tile *tile,
                         uint32_t hit, size_t v)
{
    const size_t at = tile->j - s->j0 + v * VL;
    uint32_t index = 0;
    struct lists t = {
        vf_load(s->col_value[0] + at), vf_load(s->col_value[1] + at),
        vf_load(s->col_value[2] + at), vu_load(s->col_index[0] + at),
        vu_load(s->col_index[1] + at), vu_load(s->col_index[2] + at),
    };
    do {
        const size_t r = (size_t)__builtin_ctz(hit);
        index = s->block->a_index[tile->i + r];
        insert_vector(&t, vf_load(tile->score + r * IL_NR + v * VL), vu_set1(index));
        hit &= hit - 1;
    } while (hit != 0);
    vf_store(s->col_value[0] + at, t.v0);
    vf_store(s->col_value[1] + at, t.v1);
    vf_store(s->col_value[2] + at, t.v2);
    vu_store(s->col_index[0] + at, t.i0);
    vu_store(s->col_index[1] + at, t.i1);
    vu_store(s->col_index[2] + at, t.i2);
    const vm no_ties = vu_lt(t.i2, vu_set1(index + 1));
    vf_store(s->col_min + at, vf_select(no_ties, vf_next_above(t.v2), t.v2));
}

/* Padding never enters: its entry score is +Inf and its scores are 0 or NaN. */
static void update_cols(struct match3_state *s, const struct match3_tile *tile)
{
    IL_UNROLL
    for (size_t v = 0; v < VECTORS; v++) {
        const vf min = vf_load(s->col_min + (tile->j - s->j0) + v * VL);
        uint32_t hit = 0;
        IL_UNROLL
        for (size_t r = 0; r < IL_MR; r++) {
            const vm enters = vf_ge(vf_load(tile->score + r * IL_NR + v * VL), min);
            hit |= (uint32_t)(vm_bits(enters) != 0) << r;
        }
        hit &= (1u << tile->rows) - 1u;
        if (hit != 0) {
            update_lists(s, tile, hit, v);
        }
    }
}

/* The columns (a bit each) of a row of scores that reach min. */
static inline uint32_t row_hits(const float *score, float min)
{
    uint32_t hit = 0;
    IL_UNROLL
    for (size_t v = 0; v < VECTORS; v++) {
        hit |= vm_bits(vf_ge(vf_load(score + v * VL), vf_set1(min))) << (v * VL);
    }
    return hit;
}

/* All rows are looked at before any is updated: one unpredictable loop instead of a
   branch each. After an insert the rest is looked at again, for the first scores of an
   empty list all pass. */
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
        const float *score = tile->score + r * IL_NR;
        struct il_top3 *list = s->block->row + tile->i + r;
        uint32_t hit = hits[r];
        for (;;) {
            const size_t c = (size_t)__builtin_ctz(hit);
            const uint32_t index = b_index(s->block, tile->j + c);
            list_insert(list, score[c], index);
            row_min[r] = entry_score(list, index + 1);
            hit &= hit - 1;
            if (hit == 0) {
                break;
            }
            hit &= row_hits(score, row_min[r]);
            if (hit == 0) {
                break;
            }
        }
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

static void load_cols(struct match3_state *s)
{
    const uint32_t first = s->block->a_index[0];
    const size_t m = s->j1 - s->j0;
    for (size_t j = 0; j < m; j++) {
        const struct il_top3 *t = s->block->col + s->j0 + j;
        for (size_t p = 0; p < IL_TOP; p++) {
            s->col_value[p][j] = t->value[p];
            s->col_index[p][j] = t->index[p];
        }
        s->col_min[j] = entry_score(t, first);
    }
    for (size_t j = m; j % IL_NR != 0; j++) {
        for (size_t p = 0; p < IL_TOP; p++) {
            s->col_value[p][j] = INFINITY;
            s->col_index[p][j] = 0;
        }
        s->col_min[j] = INFINITY;
    }
}

static void store_cols(const struct match3_state *s)
{
    for (size_t j = 0; j < s->j1 - s->j0; j++) {
        struct il_top3 *t = s->block->col + s->j0 + j;
        for (size_t p = 0; p < IL_TOP; p++) {
            t->value[p] = s->col_value[p][j];
            t->index[p] = s->col_index[p][j];
        }
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
                           s->col_min + (j - s->j0), tile->score);
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
        load_cols(&s);
        for (s.i0 = 0; s.i0 < t->a_rows; s.i0 = s.i1) {
            s.i1 = t->a_rows - s.i0 < step ? t->a_rows : s.i0 + step;
            load_rows(&s);
            match_block(&s);
        }
        store_cols(&s);
    }
}
