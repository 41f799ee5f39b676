/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tests of the fused matcher against brute force with il_top3_insert: one block and many,
 * the blocks in any order, so that ties meet lists which hold higher and lower indexes.
 */
#include "runner.h"

#include <math.h>
#include <string.h>

enum { SIZE_MAX_TEST = 1300, BLOCKS_MAX = 1024 };

struct shape {
    size_t n, m, k;
    size_t n_step, m_step; /* rows and columns of a block */
    int named; /* 1 = columns get b_index, 0 = NULL (single column block only) */
    enum il_kt_values kind;
    enum il_kt_place place;
};

static float x[SIZE_MAX_TEST * 64];
static float y[SIZE_MAX_TEST * 64];
static struct il_top3 want_row[SIZE_MAX_TEST];
static struct il_top3 want_col[SIZE_MAX_TEST];
static struct il_top3 got_row[SIZE_MAX_TEST];
static struct il_top3 got_col[SIZE_MAX_TEST];

static uint32_t row_name(size_t i)
{
    return (uint32_t)(3 * i + 5);
}

static uint32_t col_name(const struct shape *h, size_t j)
{
    return h->named ? (uint32_t)(2 * j + 1000000) : (uint32_t)j;
}

static void brute(const struct shape *h)
{
    for (size_t i = 0; i < h->n; i++) {
        for (size_t j = 0; j < h->m; j++) {
            float sum = 0.0f;
            for (size_t q = 0; q < h->k; q++) {
                sum = fmaf(x[i * h->k + q], y[j * h->k + q], sum);
            }
            il_top3_insert(want_row + i, sum, col_name(h, j));
            il_top3_insert(want_col + j, sum, row_name(i));
        }
    }
}

/* One block, every input and output between unreadable pages. */
static void match_block(const struct il_simd *s, const struct shape *h, size_t i,
                        size_t j)
{
    const size_t n = h->n - i < h->n_step ? h->n - i : h->n_step;
    const size_t m = h->m - j < h->m_step ? h->m - j : h->m_step;
    const size_t a_bytes = (n + s->mr - 1) / s->mr * s->mr * h->k * sizeof(float);
    const size_t b_bytes = (m + s->nr - 1) / s->nr * s->nr * h->k * sizeof(float);
    float *a = il_kt_buffer(0, a_bytes, 64, h->place);
    float *b = il_kt_buffer(1, b_bytes, 64, h->place);
    uint32_t *a_index = il_kt_buffer(2, n * sizeof *a_index, sizeof *a_index, h->place);
    uint32_t *b_index = il_kt_buffer(3, m * sizeof *b_index, sizeof *b_index, h->place);
    struct il_top3 *row = il_kt_buffer(4, n * sizeof *row, sizeof(float), h->place);
    struct il_top3 *col = il_kt_buffer(5, m * sizeof *col, sizeof(float), h->place);
    for (size_t r = 0; r < n; r++) {
        a_index[r] = row_name(i + r);
    }
    for (size_t c = 0; c < m; c++) {
        b_index[c] = col_name(h, j + c);
    }
    s->pack_f32(x + i * h->k, n, h->k, h->k, s->mr, a);
    s->pack_f32(y + j * h->k, m, h->k, h->k, s->nr, b);
    memcpy(row, got_row + i, n * sizeof *row);
    memcpy(col, got_col + j, m * sizeof *col);
    const struct il_match3_block block = {
        .k = h->k,
        .a = a,
        .a_rows = n,
        .b = b,
        .b_rows = m,
        .a_index = a_index,
        .b_index = h->named ? b_index : NULL,
        .row = row,
        .col = col,
    };
    s->match3_f32(&block);
    memcpy(got_row + i, row, n * sizeof *row);
    memcpy(got_col + j, col, m * sizeof *col);
}

static void begin_at_third(struct il_top3 *list, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const float least = list[i].value[IL_TOP - 1];
        il_top3_clear(list + i);
        for (int e = 0; e < IL_TOP; e++) {
            list[i].value[e] = least;
        }
    }
}

static void run(const struct il_kt *t, const struct shape *h)
{
    for (size_t i = 0; i < h->n; i++) {
        il_top3_clear(want_row + i);
    }
    for (size_t j = 0; j < h->m; j++) {
        il_top3_clear(want_col + j);
    }
    memcpy(got_row, want_row, sizeof got_row);
    memcpy(got_col, want_col, sizeof got_col);
    brute(h);
    static uint32_t order[BLOCKS_MAX];
    const size_t across = (h->m + h->m_step - 1) / h->m_step;
    const size_t blocks = (h->n + h->n_step - 1) / h->n_step * across;
    for (size_t i = 0; i < blocks; i++) { /* a random permutation, built by insertion */
        const size_t at = il_kt_random() % (i + 1);
        order[i] = order[at];
        order[at] = (uint32_t)i;
    }
    int ok = 1;
    for (int known = 0; known < 2; known++) {
        for (size_t i = 0; i < blocks; i++) {
            match_block(&t->simd, h, order[i] / across * h->n_step,
                        order[i] % across * h->m_step);
        }
        ok &= memcmp(want_row, got_row, h->n * sizeof *got_row) == 0 &&
              memcmp(want_col, got_col, h->m * sizeof *got_col) == 0;
        /* once more, from lists that begin at the third best: it and the two above enter
         */
        begin_at_third(got_row, h->n);
        begin_at_third(got_col, h->m);
    }
    il_kt_end_case(t, ok, "match3_f32",
                   "n %zu, m %zu, k %zu, blocks of %zu x %zu, values %d", h->n, h->m,
                   h->k, h->n_step, h->m_step, h->kind);
}

static void fill(const struct shape *h)
{
    il_kt_fill_f32(x, h->n * h->k, h->kind);
    il_kt_fill_f32(y, h->m * h->k, h->kind);
    if (h->kind == IL_KT_RANDOM && h->n > 3 &&
        h->m > 3) { /* twins: ties among random values */
        memcpy(x + (h->n - 1) * h->k, x, h->k * sizeof(float));
        memcpy(y + (h->m / 2) * h->k, y, h->k * sizeof(float));
        memcpy(y + (h->m - 1) * h->k, x, h->k * sizeof(float));
    }
}

void il_kt_match3(const struct il_kt *t)
{
    for (size_t i = 0; il_kt_size(t, i) != SIZE_MAX; i++) {
        for (int kind = 0; kind < IL_KT_KINDS; kind++) {
            struct shape h = {.kind = (enum il_kt_values)kind, .named = kind != 2};
            h.n = il_kt_size(t, i) + 1;
            h.m = 1 + il_kt_random() % 130;
            h.k = 1 + il_kt_random() % 12;
            h.n_step = h.n;
            h.m_step = h.m;
            h.place = i % 2 ? IL_KT_END : IL_KT_START;
            fill(&h);
            run(t, &h);
            h.named = 1;
            h.n_step = 1 + il_kt_random() % h.n;
            h.m_step = 1 + il_kt_random() % h.m;
            if ((h.n / h.n_step + 1) * (h.m / h.m_step + 1) < 200) {
                run(t, &h);
            }
            h.n = 1 + il_kt_random() % 60;
            h.m = il_kt_size(t, i) + 1;
            h.k = 16; /* the panels then end exactly at the unreadable page */
            h.n_step = h.n;
            h.m_step = h.m;
            h.place = IL_KT_END;
            fill(&h);
            run(t, &h);
        }
    }
    /* more than one block of rows and of columns inside a call */
    const size_t large = t->quick ? 560 : 1300;
    for (int kind = 0; kind < IL_KT_KINDS; kind++) {
        const struct shape wide = {
            large / 4, large, 3, large, large, 1, (enum il_kt_values)kind, IL_KT_END};
        const struct shape deep = {
            large / 2, 90, 60, large, 90, 0, (enum il_kt_values)kind, IL_KT_START};
        const struct shape both = {
            large, large / 4, 5, 97, 45, 1, (enum il_kt_values)kind, IL_KT_END};
        fill(&wide);
        run(t, &wide);
        fill(&deep);
        run(t, &deep);
        fill(&both);
        run(t, &both);
    }
}
