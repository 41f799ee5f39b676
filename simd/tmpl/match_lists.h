/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Lists of the fused matchers (match3.h, match_i8.h) over ISA/vec.h and list_insert.
 *
 * Beside each list stands its entry score: the lowest score that can still enter. That is
 * the third value where a later tie can win by its index, else the next float above it,
 * so that equal scores do not stop every tile. Within a call indexes only ascend, so that
 * a third entry with an index below the next one wins all ties.
 */
#ifndef IL_MATCH_LISTS_H
#define IL_MATCH_LISTS_H

#include <math.h>
#include <string.h>

enum {
    COLS = 1024 / IL_NR * IL_NR, /* columns with spread-out lists: 28 KiB of stack */
    VECTORS = IL_NR / VL         /* vectors per row of a tile */
};

/* The lists of COLS columns spread out, so that a vector of columns is updated at once.
 */
struct columns {
    _Alignas(64) float min[COLS]; /* entry score per column, +Inf in padding */
    float value[IL_TOP][COLS];
    uint32_t index[IL_TOP][COLS];
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

/*
 * Offers rows of scores, those in hit (a bit each), to the lists of the VL columns from
 * at. score: the first of these columns in row 0, rows are IL_NR apart; index: of row 0
 * ff.
 */
static void offer_to_columns(struct columns *c, size_t at, const float *score,
                             uint32_t hit, const uint32_t *index)
{
    uint32_t last = 0;
    struct lists t = {
        vf_load(c->value[0] + at), vf_load(c->value[1] + at), vf_load(c->value[2] + at),
        vu_load(c->index[0] + at), vu_load(c->index[1] + at), vu_load(c->index[2] + at),
    };
    do {
        const size_t r = (size_t)__builtin_ctz(hit);
        last = index[r];
        insert_vector(&t, vf_load(score + r * IL_NR), vu_set1(last));
        hit &= hit - 1;
    } while (hit != 0);
    vf_store(c->value[0] + at, t.v0);
    vf_store(c->value[1] + at, t.v1);
    vf_store(c->value[2] + at, t.v2);
    vu_store(c->index[0] + at, t.i0);
    vu_store(c->index[1] + at, t.i1);
    vu_store(c->index[2] + at, t.i2);
    const vm no_ties = vu_lt(t.i2, vu_set1(last + 1));
    vf_store(c->min + at, vf_select(no_ties, vf_next_above(t.v2), t.v2));
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

/*
 * Offers the columns in hit (a bit each, not 0) of a row of scores, at column j, to the
 * row's list; returns its new entry score. After an insert the rest is looked at again,
 * for the first scores of an empty list all pass.
 */
static inline float offer_to_row(const struct il_match3_block *block,
                                 struct il_top3 *list, const float *score, uint32_t hit,
                                 size_t j)
{
    for (;;) {
        const size_t c = (size_t)__builtin_ctz(hit);
        const uint32_t index = b_index(block, j + c);
        list_insert(list, score[c], index);
        const float min = entry_score(list, index + 1);
        hit &= hit - 1;
        if (hit != 0) {
            hit &= row_hits(score, min);
        }
        if (hit == 0) {
            return min;
        }
    }
}

static void load_columns(struct columns *c, const struct il_match3_block *block,
                         size_t j0, size_t j1)
{
    const uint32_t first = block->a_index[0];
    const size_t m = j1 - j0;
    for (size_t j = 0; j < m; j++) {
        const struct il_top3 *t = block->col + j0 + j;
        for (size_t p = 0; p < IL_TOP; p++) {
            c->value[p][j] = t->value[p];
            c->index[p][j] = t->index[p];
        }
        c->min[j] = entry_score(t, first);
    }
    for (size_t j = m; j % IL_NR != 0; j++) {
        for (size_t p = 0; p < IL_TOP; p++) {
            c->value[p][j] = INFINITY;
            c->index[p][j] = 0;
        }
        c->min[j] = INFINITY;
    }
}

static void store_columns(const struct columns *c, const struct il_match3_block *block,
                          size_t j0, size_t j1)
{
    for (size_t j = 0; j < j1 - j0; j++) {
        struct il_top3 *t = block->col + j0 + j;
        for (size_t p = 0; p < IL_TOP; p++) {
            t->value[p] = c->value[p][j];
            t->index[p] = c->index[p][j];
        }
    }
}

#endif
