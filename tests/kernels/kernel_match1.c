/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tests of match1 and topk against sorting: all scores of a row or column in the order
 * (value descending, index ascending), of which the first places are wanted. One block
 * and many, the blocks in any order, so that lists of earlier calls are merged.
 */
#include "runner.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { ROWS_MAX = 1300, VALUES_MAX = 420 * 520, BLOCKS_MAX = 1024, SENTINEL = 77 };

struct shape {
    size_t n, m, k;
    size_t n_step, m_step; /* rows and columns of a block */
    size_t row_top, col_top;
    int topk;  /* the kernel: topk_f32 or match1_f32 */
    int named; /* 1 = indexes are given, 0 = NULL (single block only) */
    enum il_kt_values kind;
    enum il_kt_place place;
};

struct entry {
    float value;
    uint32_t index;
};

/* Lists of one side, place p of list i at i * top + p. */
struct side {
    float value[ROWS_MAX * IL_TOPK_MAX];
    uint32_t index[ROWS_MAX * IL_TOPK_MAX];
};

static float x[VALUES_MAX], y[VALUES_MAX];
static float score[ROWS_MAX * ROWS_MAX];
static struct side want_row, want_col, got_row, got_col;

static uint32_t row_name(const struct shape *h, size_t i)
{
    return (uint32_t)(h->named ? 3 * i + 5 : i);
}

static uint32_t col_name(const struct shape *h, size_t j)
{
    return (uint32_t)(h->named ? 2 * j + 1000000 : j);
}

static int better_first(const void *p, const void *q)
{
    const struct entry *a = p;
    const struct entry *b = q;
    if (a->value != b->value) {
        return a->value > b->value ? -1 : 1;
    }
    return a->index < b->index ? -1 : 1;
}

/* The first top of the count entries, less NaN and -Inf, to list i. */
static void want(struct side *side, size_t i, size_t top, struct entry *e, size_t count)
{
    size_t kept = 0;
    for (size_t p = 0; p < count; p++) {
        if (e[p].value > -INFINITY) {
            e[kept++] = e[p];
        }
    }
    qsort(e, kept, sizeof *e, better_first);
    for (size_t p = 0; p < top; p++) {
        side->value[i * top + p] = p < kept ? e[p].value : -INFINITY;
        side->index[i * top + p] = p < kept ? e[p].index : IL_INDEX_NONE;
    }
}

static void brute(const struct shape *h)
{
    static struct entry e[ROWS_MAX];
    for (size_t i = 0; i < h->n; i++) {
        for (size_t j = 0; j < h->m; j++) {
            float sum = 0.0f;
            for (size_t q = 0; q < h->k; q++) {
                sum = fmaf(x[i * h->k + q], y[j * h->k + q], sum);
            }
            score[i * h->m + j] = sum;
            e[j] = (struct entry){sum, col_name(h, j)};
        }
        want(&want_row, i, h->row_top, e, h->m);
    }
    for (size_t j = 0; j < h->m; j++) {
        for (size_t i = 0; i < h->n; i++) {
            e[i] = (struct entry){score[i * h->m + j], row_name(h, i)};
        }
        want(&want_col, j, h->col_top, e, h->n);
    }
}

/* One block, every input and output between unreadable pages. */
struct buffers {
    size_t n, m;
    float *a, *b;
    uint32_t *a_index, *b_index;
    void *scratch;
};

static void open_buffers(struct buffers *u, const struct il_simd *s,
                         const struct shape *h, size_t i, size_t j)
{
    u->n = h->n - i < h->n_step ? h->n - i : h->n_step;
    u->m = h->m - j < h->m_step ? h->m - j : h->m_step;
    const size_t a_rows = (u->n + s->mr - 1) / s->mr * s->mr;
    const size_t b_rows = (u->m + s->nr - 1) / s->nr * s->nr;
    const size_t bytes = h->topk ? il_topk_scratch(h->row_top, h->k, u->n, u->m)
                                 : il_match1_scratch(h->row_top, h->k, u->n, u->m);
    u->a = il_kt_buffer(0, a_rows * h->k * sizeof(float), 64, h->place);
    u->b = il_kt_buffer(1, b_rows * h->k * sizeof(float), 64, h->place);
    u->a_index = il_kt_buffer(2, u->n * sizeof(uint32_t), sizeof(uint32_t), h->place);
    u->b_index = il_kt_buffer(3, u->m * sizeof(uint32_t), sizeof(uint32_t), h->place);
    u->scratch = il_kt_buffer(4, bytes, 64, h->place);
    il_kt_fill_bytes(u->scratch, bytes < 4096 ? bytes : 4096);
    for (size_t r = 0; r < u->n; r++) {
        u->a_index[r] = row_name(h, i + r);
    }
    for (size_t c = 0; c < u->m; c++) {
        u->b_index[c] = col_name(h, j + c);
    }
    s->pack_f32(x + i * h->k, u->n, h->k, h->k, s->mr, u->a);
    s->pack_f32(y + j * h->k, u->m, h->k, h->k, s->nr, u->b);
}

static void topk_block(const struct il_simd *s, const struct shape *h, size_t i, size_t j)
{
    struct buffers u;
    open_buffers(&u, s, h, i, j);
    const size_t top = h->row_top;
    const size_t bytes = u.n * top * sizeof(float);
    struct il_topk_block block = {
        .k = h->k,
        .top = top,
        .a = u.a,
        .a_rows = u.n,
        .b = u.b,
        .b_rows = u.m,
        .a_index = h->named ? u.a_index : NULL,
        .b_index = h->named ? u.b_index : NULL,
        .row_value = il_kt_buffer(5, bytes, sizeof(float), h->place),
        .row_index = il_kt_buffer(6, bytes, sizeof(float), h->place),
        .scratch = u.scratch,
    };
    const size_t col_bytes = u.m * h->col_top * sizeof(float);
    if (h->col_top > 0) {
        block.col_value = il_kt_buffer(7, col_bytes, sizeof(float), h->place);
        block.col_index = il_kt_buffer(8, col_bytes, sizeof(float), h->place);
        memcpy(block.col_value, got_col.value + j, col_bytes);
        memcpy(block.col_index, got_col.index + j, col_bytes);
    }
    memcpy(block.row_value, got_row.value + i * top, bytes);
    memcpy(block.row_index, got_row.index + i * top, bytes);
    s->topk_f32(&block);
    memcpy(got_row.value + i * top, block.row_value, bytes);
    memcpy(got_row.index + i * top, block.row_index, bytes);
    if (h->col_top > 0) {
        memcpy(got_col.value + j, block.col_value, col_bytes);
        memcpy(got_col.index + j, block.col_index, col_bytes);
    }
}

/* Lists to and from struct il_top2; with one place the second must stay as it is. */
static void give(struct il_top2 *t, const struct side *side, size_t i, size_t n,
                 size_t top)
{
    for (size_t r = 0; r < n; r++) {
        for (size_t p = 0; p < 2; p++) {
            t[r].value[p] = p < top ? side->value[(i + r) * top + p] : SENTINEL;
            t[r].index[p] = p < top ? side->index[(i + r) * top + p] : SENTINEL;
        }
    }
}

static int fetch(const struct il_top2 *t, struct side *side, size_t i, size_t n,
                 size_t top)
{
    int ok = 1;
    for (size_t r = 0; r < n; r++) {
        for (size_t p = 0; p < top; p++) {
            side->value[(i + r) * top + p] = t[r].value[p];
            side->index[(i + r) * top + p] = t[r].index[p];
        }
        ok &= top == 2 || (t[r].value[1] == SENTINEL && t[r].index[1] == SENTINEL);
    }
    return ok;
}

static int match1_block(const struct il_simd *s, const struct shape *h, size_t i,
                        size_t j)
{
    struct buffers u;
    open_buffers(&u, s, h, i, j);
    struct il_match1_block block = {
        .k = h->k,
        .top = h->row_top,
        .a = u.a,
        .a_rows = u.n,
        .b = u.b,
        .b_rows = u.m,
        .a_index = h->named ? u.a_index : NULL,
        .b_index = h->named ? u.b_index : NULL,
        .row = il_kt_buffer(5, u.n * sizeof(struct il_top2), sizeof(float), h->place),
        .col = il_kt_buffer(6, u.m * sizeof(struct il_top2), sizeof(float), h->place),
        .scratch = u.scratch,
    };
    give(block.row, &got_row, i, u.n, h->row_top);
    give(block.col, &got_col, j, u.m, h->col_top);
    s->match1_f32(&block);
    const int rows_ok = fetch(block.row, &got_row, i, u.n, h->row_top);
    return fetch(block.col, &got_col, j, u.m, h->col_top) && rows_ok;
}

static void run(const struct il_kt *t, const struct shape *h)
{
    static uint32_t order[BLOCKS_MAX];
    const size_t across = (h->m + h->m_step - 1) / h->m_step;
    const size_t blocks = (h->n + h->n_step - 1) / h->n_step * across;
    const size_t row_bytes = h->n * h->row_top * sizeof(float);
    const size_t col_bytes = h->m * h->col_top * sizeof(float);
    int ok = 1;
    brute(h);
    il_topk_clear(got_row.value, got_row.index, h->n * h->row_top);
    il_topk_clear(got_col.value, got_col.index, h->m * h->col_top);
    for (size_t i = 0; i < blocks; i++) { /* a random permutation, built by insertion */
        const size_t at = il_kt_random() % (i + 1);
        order[i] = order[at];
        order[at] = (uint32_t)i;
    }
    for (size_t b = 0; b < blocks; b++) {
        const size_t i = order[b] / across * h->n_step;
        const size_t j = order[b] % across * h->m_step;
        if (h->topk) {
            topk_block(&t->simd, h, i, j);
        } else {
            ok &= match1_block(&t->simd, h, i, j);
        }
    }
    ok = ok && memcmp(want_row.value, got_row.value, row_bytes) == 0 &&
         memcmp(want_row.index, got_row.index, row_bytes) == 0 &&
         memcmp(want_col.value, got_col.value, col_bytes) == 0 &&
         memcmp(want_col.index, got_col.index, col_bytes) == 0;
    il_kt_end_case(t, ok, h->topk ? "topk_f32" : "match1_f32",
                   "n %zu, m %zu, k %zu, top %zu, blocks of %zu x %zu, values %d", h->n,
                   h->m, h->k, h->row_top, h->n_step, h->m_step, h->kind);
}

static void fill(const struct shape *h)
{
    il_kt_fill_f32(x, h->n * h->k, h->kind);
    il_kt_fill_f32(y, h->m * h->k, h->kind);
    if (h->kind == IL_KT_RANDOM && h->n > 3 && h->m > 3) { /* twins: ties */
        memcpy(x + (h->n - 1) * h->k, x, h->k * sizeof(float));
        memcpy(y + (h->m / 2) * h->k, y, h->k * sizeof(float));
        memcpy(y + (h->m - 1) * h->k, x, h->k * sizeof(float));
    }
}

/* Lists of one, two or, for topk, up to 64 places, and for topk in every third turn none
   of columns. */
static void set_top(struct shape *h, size_t turn)
{
    static const size_t tops[] = {1, 2, 3, 5, 10, 16, 31, 64};
    h->row_top = h->topk ? tops[turn % 8] : 1 + turn % 2;
    h->col_top = h->topk ? turn % 3 != 0 : h->row_top;
}

/* Every size for rows, then for columns; one block, then many. */
static void test_sizes(const struct il_kt *t, int topk)
{
    for (size_t i = (size_t)topk; il_kt_size(t, i) != SIZE_MAX; i += 1 + (size_t)topk) {
        for (int kind = (int)(i / 2 % 2); kind < IL_KT_KINDS; kind += 2) {
            struct shape h = {.kind = (enum il_kt_values)kind, .topk = topk};
            set_top(&h, i + (size_t)kind);
            h.named = kind != 2;
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
            if (i % 2 == 0 && (h.n / h.n_step + 1) * (h.m / h.m_step + 1) < 200) {
                run(t, &h);
            }
            if (i % 4 >= 2) {
                continue;
            }
            h.n = 1 + il_kt_random() % 60;
            h.m = il_kt_size(t, i) + 1;
            h.k = kind == IL_KT_SPECIAL ? 1 : 16; /* panels end at the unreadable page */
            h.n_step = h.n;
            h.m_step = h.m;
            h.place = IL_KT_END;
            fill(&h);
            run(t, &h);
        }
    }
}

/* Many stretches, groups and blocks of rows inside a call; a tiny k makes wide ones. */
static void test_large(const struct il_kt *t, int topk)
{
    const size_t large = t->quick ? 560 : 1300;
    const size_t shapes[][5] = {
        {large / 4, large, 3, large, large},     {large / 2, 90, 60, large, 90},
        {large, large / 4, 5, 97, 145},          {410, 130, 512, 410, 130},
        {large / 2, large / 2, 1, large, large},
    };
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        for (int kind = 0; kind < IL_KT_KINDS; kind++) {
            if (i == 3 && (t->quick || topk || kind != IL_KT_RANDOM)) {
                continue;
            }
            struct shape h = {.n = shapes[i][0],
                              .m = shapes[i][1],
                              .k = shapes[i][2],
                              .n_step = shapes[i][3],
                              .m_step = shapes[i][4],
                              .topk = topk,
                              .named = i != 1,
                              .kind = (enum il_kt_values)kind,
                              .place = kind % 2 ? IL_KT_START : IL_KT_END};
            fill(&h);
            for (size_t turn = 0; turn < 2; turn++) {
                set_top(&h, turn + 4 * (i % 2));
                run(t, &h);
            }
        }
    }
}

/* Nothing to do, and nothing to find: no rows, no columns, only NaN, only -Inf. */
static void test_empty(const struct il_kt *t, int topk)
{
    const float none[] = {NAN, -INFINITY};
    for (size_t v = 0; v < 2; v++) {
        struct shape h = {.n = 50,
                          .m = 100,
                          .k = 1,
                          .n_step = 50,
                          .m_step = 100,
                          .topk = topk,
                          .named = 1,
                          .place = IL_KT_END};
        set_top(&h, 1);
        for (size_t i = 0; i < h.m; i++) {
            x[i] = 1.0f;
            y[i] = none[v];
        }
        run(t, &h);
        y[70] = -1e30f; /* one score that counts, behind many that do not */
        run(t, &h);
    }
    for (size_t v = 0; v < 2; v++) {
        struct shape h = {.k = 3, .topk = topk, .named = 1, .place = IL_KT_END};
        set_top(&h, 0);
        *(v ? &h.n : &h.m) = 9;
        h.n_step = 9;
        h.m_step = 9;
        il_topk_clear(got_row.value, got_row.index, 9);
        il_topk_clear(got_col.value, got_col.index, 9);
        if (topk) {
            topk_block(&t->simd, &h, 0, 0);
        } else {
            (void)match1_block(&t->simd, &h, 0, 0);
        }
        il_kt_end_case(
            t, got_row.index[0] == IL_INDEX_NONE && got_col.index[0] == IL_INDEX_NONE,
            topk ? "topk_f32" : "match1_f32", "%zu x %zu", h.n, h.m);
    }
}

void il_kt_match1(const struct il_kt *t)
{
    test_sizes(t, 0);
    test_large(t, 0);
    test_empty(t, 0);
}

void il_kt_topk(const struct il_kt *t)
{
    test_sizes(t, 1);
    test_large(t, 1);
    test_empty(t, 1);
}
