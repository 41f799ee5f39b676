/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Quantiser and matcher in bytes over ISA/vec.h; contract: ref/match_i8.c. The folder's
 * match_i8.c brings, before this file, IL_I8_BIAS and EXACT; and defines, after it and
 * beside their macros, the functions that are declared first.
 *
 * Rows that pass wait in a queue until EXACT of them share one pass over the f32 panel of
 * b, or the panel ends. What waits is in ascending order, so indexes only ascend at every
 * list, as in match3.h. A threshold that is some tiles old is lower or equal: safe.
 */
#include "match_lists.h"

/* Upper bounds of a tile: quads of coordinates, all started at the sum of the starts of
   row and column. Tells whether one reaches its row's or column's threshold, and stores
   them only then. */
static int tile_match_i8(size_t quads, const int8_t *a, const int8_t *b,
                         const int32_t *row_start, const int32_t *row_threshold,
                         const int32_t *col_start, const int32_t *col_threshold,
                         int32_t *c);

/* Which rows of a stored tile hold such a bound, a bit each. */
static uint32_t rows_that_pass(const int32_t *c, const int32_t *row_threshold,
                               const int32_t *col_threshold);

/* EXACT rows of f32, given by pointers, times a panel of b: the bits of gemm_f32. Those
   from count on may be left out. */
static void exact_rows(size_t k, size_t count, const float *const *x, const float *b,
                       float *c);

enum {
    ROWS = 2048 / IL_MR * IL_MR, /* most rows of a block of a */
    A_BLOCK_BYTES = 384 << 10,   /* a block of a, floats and bytes, stays in L2 */
    PADDING = -(1 << 29),        /* start of rows and columns in padding: never passes */
    LIMIT_MAX = 1 << 27          /* largest bound: sums of three stay in 32 bits */
};

struct match_i8_state {
    _Alignas(64) int32_t bound[2][IL_MR * IL_NR];
    _Alignas(64) float score[EXACT * IL_NR];
    struct columns cols;
    _Alignas(64) int32_t col_start[COLS];
    _Alignas(64) int32_t col_threshold[COLS];
    int32_t row_start[ROWS], row_threshold[ROWS];
    float row_min[ROWS]; /* entry scores */
    size_t queue[EXACT + IL_MR];
    size_t queued;
    const struct il_match_i8_block *t;
    size_t i0, i1, j0, j1;        /* rows and columns in hand */
    float per_unit;               /* bounds per score: 1 / (scale of a * scale of b) */
    float limit;                  /* no score and no bound is farther from 0 */
    float row_weight, col_weight; /* what an error of a row, a column counts */
    int32_t row_slack, col_slack;
};

float IL_ISA_FN(abs_max_f32)(const float *x, size_t n)
{
    vf max = vf_zero();
    float out[VL];
    for (size_t i = 0; i < n; i += VL) {
        const vf v = n - i < VL ? vf_load_n(x + i, n - i) : vf_load(x + i);
        const vf size = vf_select(vf_gt(vf_zero(), v), vf_sub(vf_zero(), v), v);
        max = vf_select(vf_gt(size, max), size, max);
    }
    vf_store(out, max);
    for (size_t i = 1; i < VL; i++) {
        out[0] = out[i] > out[0] ? out[i] : out[0];
    }
    return out[0];
}

/* Sums over the coordinates of VL rows. */
struct quantised {
    vf norm2, error2;
    vu sum;
};

/* One coordinate of VL rows: returns q + 128, which is 1..255. */
static inline vu quantise_vector(vf x, float scale, float inverse, struct quantised *s)
{
    const vf high = vf_set1(127.0f);
    vf t = vf_at_least(vf_mul(x, vf_set1(inverse)), -127.0f);
    t = vf_select(vf_gt(t, high), high, t);
    t = vf_select(vf_eq(t, t), t, vf_zero());
    const vu q = vf_round(t);
    const vf error = vf_fma(vf_set1(-scale), vu_to_float(q), x);
    s->norm2 = vf_fma(x, x, s->norm2);
    s->error2 = vf_fma(error, error, s->error2);
    s->sum = vu_add(s->sum, q);
    return vu_add(q, vu_set1(128));
}

/* Bytes 0..3 of each lane, from the low ones of four vectors. */
static inline vu quad_bytes(vu u0, vu u1, vu u2, vu u3, uint32_t flip)
{
    const vu low = vu_or(u0, vu_shl(u1, 8));
    const vu high = vu_or(u2, vu_shl(u3, 8));
    return vu_xor(vu_or(low, vu_shl(high, 16)), vu_set1(flip));
}

/* VL or fewer rows of one panel; x and q at their first lane. */
static void quantise_lanes(const struct il_i8_rows *out, const float *x, size_t count,
                           size_t lanes, size_t w, uint32_t *q, struct quantised *s)
{
    const float inverse = 1.0f / out->scale;
    const uint32_t flip = out->side == IL_I8_B && IL_I8_BIAS != 0 ? 0 : 0x80808080u;
    for (size_t c = 0; c < count; c += 4) {
        vu u[4];
        IL_UNROLL
        for (size_t p = 0; p < 4; p++) {
            u[p] = vu_set1(128);
            if (c + p < count) {
                const float *from = x + (c + p) * w;
                const vf v = lanes < VL ? vf_load_n(from, lanes) : vf_load(from);
                u[p] = quantise_vector(v, out->scale, inverse, s);
            }
        }
        const vf bytes = vf_from_bits(quad_bytes(u[0], u[1], u[2], u[3], flip));
        float *to = (float *)(void *)(q + c / 4 * w);
        if (lanes < VL) {
            vf_store_n(to, bytes, lanes);
        } else {
            vf_store(to, bytes);
        }
    }
}

/* What a row needs beside its bytes. x: its first coordinate in the panel. */
static void quantise_row(struct il_i8_rows *out, size_t row, const float *x, size_t k,
                         size_t w, float norm2, float error2)
{
    const float up = 1.0f + (float)(k + 8) * 0x1p-22f;
    const float norm = sqrtf(norm2) * up + IL_I8_TINY;
    const float error = sqrtf(error2) * up + IL_I8_TINY;
    float offset = 0.0f;
    if (out->tail) {
        const size_t at = out->side == IL_I8_A ? k - 1 : k - 2;
        const size_t one = out->side == IL_I8_A ? k - 2 : k - 1;
        offset = x[at * w];
        out->usable &= x[one * w] == 1.0f;
    }
    out->error[row] = error;
    out->offset[row] = offset;
    /* False for NaN too. */
    out->usable &=
        norm <= IL_I8_HUGE && error <= IL_I8_HUGE && fabsf(offset) <= IL_I8_HUGE;
    out->norm_max = norm > out->norm_max ? norm : out->norm_max;
    out->error_max = error > out->error_max ? error : out->error_max;
    out->offset_max = fabsf(offset) > out->offset_max ? fabsf(offset) : out->offset_max;
}

void IL_ISA_FN(quantise_i8)(const float *panels, size_t n, size_t k,
                            struct il_i8_rows *out)
{
    const size_t w = out->side == IL_I8_A ? IL_MR : IL_NR;
    const size_t count = k - (out->tail ? 2 : 0);
    const size_t quads = il_i8_quads(k, out->tail);
    for (size_t i = 0; i < n; i += w) {
        const float *x = panels + i * k;
        uint32_t *q = (uint32_t *)(void *)(out->q + i * quads * 4);
        for (size_t lane = 0; lane < w; lane += VL) {
            const size_t lanes = w - lane < VL ? w - lane : VL;
            struct quantised s = {vf_zero(), vf_zero(), vu_set1(0)};
            float norm2[VL], error2[VL];
            uint32_t sum[VL];
            quantise_lanes(out, x + lane, count, lanes, w, q + lane, &s);
            vf_store(norm2, s.norm2);
            vf_store(error2, s.error2);
            vu_store(sum, s.sum);
            for (size_t r = 0; r < lanes && i + lane + r < n; r++) {
                if (out->sum != NULL) {
                    out->sum[i + lane + r] = (int32_t)sum[r];
                }
                quantise_row(out, i + lane + r, x + lane + r, k, w, norm2[r], error2[r]);
            }
        }
    }
}

/* 0: no bounds for these rows; see ref/match_i8.c. */
static int plan(struct match_i8_state *s)
{
    const struct il_i8_rows *a = s->t->a, *b = s->t->b;
    if (!a->usable || !b->usable || !(a->scale >= IL_I8_TINY) ||
        !(b->scale >= IL_I8_TINY)) {
        return 0;
    }
    const double unit = (double)a->scale * (double)b->scale;
    const double a_size = (double)a->norm_max + (double)a->error_max;
    const double b_size = (double)b->norm_max + (double)b->error_max;
    const double reach = a_size * b_size + (double)a->offset_max + (double)b->offset_max;
    const double rounding = (double)(s->t->f32.k + 4) * 0x1p-23 * reach + 1e-30;
    const double limit = 1.01 * (2.0 * reach + rounding) / unit + 16.0;
    if (!(limit < LIMIT_MAX) || s->t->f32.k > IL_I8_K_MAX) {
        return 0;
    }
    const double slack = ceil(limit * 0x1p-20) + 2.0;
    s->per_unit = (float)(1.0 / unit);
    s->limit = (float)limit;
    s->row_weight = b->norm_max;
    s->col_weight = (float)(a_size * (1.0 + 1e-6));
    s->row_slack = (int32_t)(slack + ceil(rounding / unit) + 1.0);
    s->col_slack = (int32_t)slack;
    return 1;
}

/* Bounds that scores >= min reach, for VL entry scores. */
static inline vu thresholds(const struct match_i8_state *s, vf min)
{
    const vf high = vf_set1(s->limit);
    vf x = vf_at_least(vf_mul(min, vf_set1(s->per_unit)), -s->limit);
    x = vf_select(vf_gt(x, high), high, x);
    return vu_add(vf_round(x), vu_set1((uint32_t)-s->col_slack));
}

static inline int32_t row_threshold(const struct match_i8_state *s, float min)
{
    float x = min * s->per_unit;
    x = x > -s->limit ? x : -s->limit;
    x = x < s->limit ? x : s->limit;
    return (int32_t)x - s->col_slack;
}

static void start_rows(struct match_i8_state *s)
{
    const uint32_t first = b_index(&s->t->f32, s->j0);
    const struct il_i8_rows *a = s->t->a;
    const size_t n = s->i1 - s->i0;
    for (size_t r = 0; r < n; r++) {
        const size_t i = s->i0 + r;
        const float own = fmaf(a->error[i], s->row_weight, a->offset[i]) * s->per_unit;
        s->row_min[r] = entry_score(s->t->f32.row + i, first);
        s->row_threshold[r] = row_threshold(s, s->row_min[r]);
        s->row_start[r] = (int32_t)own + s->row_slack - IL_I8_BIAS * a->sum[i];
    }
    for (size_t r = n; r % IL_MR != 0; r++) {
        s->row_min[r] = INFINITY;
        s->row_threshold[r] = row_threshold(s, INFINITY);
        s->row_start[r] = PADDING;
    }
}

static void start_columns(struct match_i8_state *s)
{
    const struct il_i8_rows *b = s->t->b;
    const size_t m = s->j1 - s->j0;
    const vf weight = vf_set1(s->col_weight), unit = vf_set1(s->per_unit);
    load_columns(&s->cols, &s->t->f32, s->j0, s->j1);
    for (size_t j = 0; j < m; j += VL) {
        const size_t at = s->j0 + j;
        const int part = m - j < VL;
        const vf error = part ? vf_load_n(b->error + at, m - j) : vf_load(b->error + at);
        const vf offset =
            part ? vf_load_n(b->offset + at, m - j) : vf_load(b->offset + at);
        const vu own = vf_round(vf_mul(vf_fma(error, weight, offset), unit));
        vu_store((uint32_t *)s->col_start + j,
                 vu_add(own, vu_set1((uint32_t)s->col_slack)));
        vu_store((uint32_t *)s->col_threshold + j,
                 thresholds(s, vf_load(s->cols.min + j)));
    }
    for (size_t j = m; j % IL_NR != 0; j++) {
        s->col_start[j] = PADDING;
        s->col_threshold[j] = row_threshold(s, INFINITY);
    }
}

/* Offers computed rows of scores to all lists; those from count on are copies of the
 * first.
 */
static void offer_scores(struct match_i8_state *s, const size_t *rows, size_t count,
                         size_t j)
{
    const uint32_t inside = s->j1 - j < IL_NR ? (1u << (s->j1 - j)) - 1u : UINT32_MAX;
    const uint32_t real = (1u << count) - 1u;
    uint32_t index[EXACT], hits[EXACT], enter = 0;
    IL_UNROLL
    for (size_t r = 0; r < EXACT; r++) {
        index[r] = s->t->f32.a_index[rows[r]];
        hits[r] = row_hits(s->score + r * IL_NR, s->row_min[rows[r] - s->i0]) & inside;
        enter |= (uint32_t)(hits[r] != 0) << r;
    }
    IL_UNROLL
    for (size_t v = 0; v < VECTORS; v++) {
        const size_t at = j - s->j0 + v * VL;
        const vf min = vf_load(s->cols.min + at);
        uint32_t hit = 0;
        IL_UNROLL
        for (size_t r = 0; r < EXACT; r++) {
            const vm enters = vf_ge(vf_load(s->score + r * IL_NR + v * VL), min);
            hit |= (uint32_t)(vm_bits(enters) != 0) << r;
        }
        hit &= real;
        if (hit != 0) {
            offer_to_columns(&s->cols, at, s->score + v * VL, hit, index);
            vu_store((uint32_t *)s->col_threshold + at,
                     thresholds(s, vf_load(s->cols.min + at)));
        }
    }
    for (enter &= real; enter != 0; enter &= enter - 1) {
        const size_t r = (size_t)__builtin_ctz(enter);
        const float min = offer_to_row(&s->t->f32, s->t->f32.row + rows[r],
                                       s->score + r * IL_NR, hits[r], j);
        s->row_min[rows[r] - s->i0] = min;
        s->row_threshold[rows[r] - s->i0] = row_threshold(s, min);
    }
}

/* Computes and offers the rows at the head of the queue, at most EXACT. */
static void compute_queue(struct match_i8_state *s, size_t j)
{
    const size_t count = s->queued < EXACT ? s->queued : EXACT;
    size_t rows[EXACT];
    const float *x[EXACT];
    for (size_t r = 0; r < EXACT; r++) {
        rows[r] = s->queue[r < count ? r : 0];
        x[r] = s->t->a_rows + rows[r] * s->t->a_ld;
    }
    exact_rows(s->t->f32.k, count, x, s->t->f32.b + j * s->t->f32.k, s->score);
    offer_scores(s, rows, count, j);
    s->queued -= count;
    for (size_t r = 0; r < s->queued; r++) {
        s->queue[r] = s->queue[r + count];
    }
}

/* The floats of a panel or row on their way before they are wanted. */
static inline void prefetch(const float *x, size_t n)
{
    for (size_t q = 0; q < n; q += 16) {
        __builtin_prefetch(x + q, 0, 3);
    }
}

/* The rows of the tile at row i and column j that pass wait for their turn. */
static void enqueue(struct match_i8_state *s, const int32_t *bound, size_t i, size_t j)
{
    uint32_t rows = rows_that_pass(bound, s->row_threshold + (i - s->i0),
                                   s->col_threshold + (j - s->j0));
    for (; rows != 0; rows &= rows - 1) {
        const size_t r = i + (size_t)__builtin_ctz(rows);
        s->queue[s->queued++] = r;
        prefetch(s->t->a_rows + r * s->t->a_ld, s->t->f32.k);
    }
    while (s->queued >= EXACT) {
        compute_queue(s, j);
    }
}

/* Rows i0..i1 against columns j0..j1. As in match3.h, what a tile found is used one tile
   late. */
static void match_block_i8(struct match_i8_state *s)
{
    const size_t k = s->t->f32.k;
    const size_t quads = il_i8_quads(k, s->t->a->tail);
    const size_t panel = IL_NR * k;
    const size_t tiles = (s->i1 - s->i0 + IL_MR - 1) / IL_MR;
    const size_t share = panel / tiles + 16;
    for (size_t j = s->j0; j < s->j1; j += IL_NR) {
        const int8_t *b = s->t->b->q + j * quads * 4;
        const size_t at = j - s->j0;
        const float *next = s->t->f32.b + (j + IL_NR) * k;
        size_t turn = 0, fetched = j + IL_NR < s->t->f32.b_rows ? 0 : panel;
        int before = 0;
        for (size_t i = s->i0; i < s->i1; i += IL_MR) {
            const size_t r = i - s->i0;
            const int hit =
                tile_match_i8(quads, s->t->a->q + i * quads * 4, b, s->row_start + r,
                              s->row_threshold + r, s->col_start + at,
                              s->col_threshold + at, s->bound[turn]);
            turn ^= 1;
            for (size_t to = fetched + share; fetched < to && fetched < panel;
                 fetched += 16) {
                __builtin_prefetch(next + fetched, 0, 2);
            }
            if (before) {
                enqueue(s, s->bound[turn], i - IL_MR, j);
            }
            before = hit;
        }
        if (before) {
            enqueue(s, s->bound[turn ^ 1], s->i0 + (s->i1 - s->i0 - 1) / IL_MR * IL_MR,
                    j);
        }
        if (s->queued > 0) {
            compute_queue(s, j);
        }
    }
}

void IL_ISA_FN(match3_i8)(const struct il_match_i8_block *t)
{
    struct match_i8_state s;
    const size_t fits = A_BLOCK_BYTES / 5 / t->f32.k / IL_MR * IL_MR;
    const size_t rows_min = 8 * IL_MR;
    const size_t step = fits > ROWS ? ROWS : fits < rows_min ? rows_min : fits;
    s.t = t;
    s.queued = 0;
    if (t->f32.a_rows == 0) {
        return;
    }
    if (!plan(&s)) {
        IL_ISA_FN(match3_f32)(&t->f32);
        return;
    }
    for (s.j0 = 0; s.j0 < t->f32.b_rows; s.j0 = s.j1) {
        s.j1 = t->f32.b_rows - s.j0 < COLS ? t->f32.b_rows : s.j0 + COLS;
        start_columns(&s);
        for (s.i0 = 0; s.i0 < t->f32.a_rows; s.i0 = s.i1) {
            s.i1 = t->f32.a_rows - s.i0 < step ? t->f32.a_rows : s.i0 + step;
            start_rows(&s);
            match_block_i8(&s);
        }
        store_columns(&s.cols, &t->f32, s.j0, s.j1);
    }
}
