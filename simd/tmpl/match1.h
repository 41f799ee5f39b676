/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fused matcher that keeps maxima and finds the indexes afterwards; contract:
 * ref/match1.c, ref/topk.c. The register tile is that of ISA/tile.h.
 *
 * A tile only raises maxima: VL of them per row, over a *stretch* of columns (some panels
 * of b), and one per column, over a *group* of GROUP panels of rows. At the end of a
 * stretch or group its maximum is offered to a short list of (maximum, number) of the row
 * or column. The places best scores of a row lie in the places best stretches of it: in
 * the order by (value, lowest index) stretches stand as their best scores do, for they
 * are disjoint and ascend. Stretches are offered in ascending order, so that a strict
 * comparison keeps the lower one of two that are equal.
 *
 * In the end the stretches on the lists are computed once more, in the same order of
 * operations, for all rows that want the same one together, in full tiles: places * width
 * / m of the work. The same for groups and columns.
 */
#include <math.h>
#include <string.h>

enum {
    GROUP = 8,                             /* panels of rows per column maximum */
    GROUP_ROWS = GROUP * IL_MR,            /* 96, 48, 64 */
    ROWS = 2048 / GROUP_ROWS * GROUP_ROWS, /* most rows of a block of a */
    WIDTH_MAX = 512 / IL_NR * IL_NR,       /* most columns of a stretch */
    A_BLOCK_BYTES = 384 << 10,             /* a block of a stays in L2 */
    FILL = 4,
    VECTORS = IL_NR / VL
};

/* Best values and indexes of many rows or columns: list i begins at i * stride. */
struct lists {
    float *value;
    uint32_t *index;
    size_t places, stride;
};

struct match_task {
    size_t k;
    const float *a, *b;
    size_t a_rows, b_rows;
    const uint32_t *a_index, *b_index;
    struct lists row, col;
    void *scratch;
};

struct match_state {
    const struct match_task *t;
    size_t width;             /* columns of a stretch */
    size_t stretches, groups; /* how many there are */
    size_t n_padded;          /* rows of whole vectors */
    size_t m_padded;          /* columns of whole panels */
    float *row_max;           /* ROWS x VL: maxima of the stretch in hand */
    float *row_value;         /* places x n_padded: maxima, best first */
    uint32_t *row_stretch;    /* their stretches */
    float *col_value;         /* places x m_padded */
    uint32_t *col_group;      /* places x m_padded */
    float *packed;            /* k x IL_NR: rows or columns gathered */
    uint32_t *order;          /* rows by stretch, or columns by group */
    size_t *start;            /* where a stretch or group begins in order */
};

/* Widest stretch that pays: looking at it costs about 3 cycles per row and stretch,
   computing it again width * k / (2 VL) per place. */
static size_t stretch_width(const struct match_task *t)
{
    const double cost = (double)t->row.places * (double)t->k / (2.0 * VL);
    size_t width = IL_NR;
    while (width + IL_NR <= (size_t)WIDTH_MAX &&
           (double)width * (double)width * cost < 3.0 * (double)t->b_rows) {
        width += IL_NR;
    }
    return width;
}

static void *take(char **at, size_t count, size_t size)
{
    void *p = *at;
    *at += (count * size + 63) / 64 * 64;
    return p;
}

/* Lays the scratch out; il_match_scratch has the bounds of it. */
static void open_state(struct match_state *s, const struct match_task *t)
{
    char *at = t->scratch;
    s->t = t;
    s->width = stretch_width(t);
    s->stretches = (t->b_rows + s->width - 1) / s->width;
    s->groups = (t->a_rows + GROUP_ROWS - 1) / GROUP_ROWS;
    s->m_padded = (t->b_rows + IL_NR - 1) / IL_NR * IL_NR;
    s->n_padded = (t->a_rows + VL - 1) / VL * VL;
    const size_t row_entries = s->n_padded * t->row.places;
    const size_t col_entries = s->m_padded * t->col.places;
    const size_t most = s->stretches > s->groups ? s->stretches : s->groups;
    s->row_max = take(&at, ROWS * VL, sizeof(float));
    s->row_value = take(&at, row_entries, sizeof(float));
    s->row_stretch = take(&at, row_entries, sizeof(uint32_t));
    s->col_value = take(&at, col_entries, sizeof(float));
    s->col_group = take(&at, col_entries, sizeof(uint32_t));
    s->packed = take(&at, t->k * IL_NR, sizeof(float));
    s->order = take(&at, row_entries > col_entries ? row_entries : col_entries,
                    sizeof(uint32_t));
    s->start = take(&at, most + 1, sizeof(size_t));
    for (size_t i = 0; i < row_entries; i++) {
        s->row_value[i] = -INFINITY;
        s->row_stretch[i] = IL_INDEX_NONE;
    }
    for (size_t i = 0; i < col_entries; i++) {
        s->col_value[i] = -INFINITY;
        s->col_group[i] = IL_INDEX_NONE;
    }
}

/* ------------------------------------------------------------------------- the scan */

/* A maximum is never NaN, and a NaN score hides nothing. */
#define RAISE_ROW_BY(r, v) high = vf_max_number(c##r##_##v, high);
#define RAISE_ROW(r)                                                                     \
    {                                                                                    \
        vf high = vf_load(row_max + VL * (r));                                           \
        TILE_VECTORS(RAISE_ROW_BY, r)                                                    \
        vf_store(row_max + VL * (r), high);                                              \
    }
#define RAISE_COLUMN_BY(r, v) high_##v = vf_max_number(c##r##_##v, high_##v);
#define RAISE_COLUMN(r) TILE_VECTORS(RAISE_COLUMN_BY, r)
#define HIGH_LOAD(r, v) vf high_##v = vf_load(col_max + (v)*VL);
#define HIGH_STORE(r, v) vf_store(col_max + (v)*VL, high_##v);

/* Raises the maxima of IL_MR rows (VL lanes each) and IL_NR columns by a tile. */
__attribute__((noinline)) static void
tile_match1(size_t k, const float *a, const float *b, float *row_max, float *col_max)
{
    TILE_ROWS(TILE_ZERO)
    TILE_LOOP
    TILE_VECTORS(HIGH_LOAD, 0)
    TILE_ROWS(RAISE_COLUMN)
    TILE_ROWS(RAISE_ROW)
    TILE_VECTORS(HIGH_STORE, 0)
}

/* A tile at the edge: its padding must not raise a maximum. A NaN compares false. */
static void match_edge(const struct match_task *t, size_t i, size_t j, float *row_max,
                       float *col_max)
{
    _Alignas(64) float c[IL_MR * IL_NR];
    const size_t rows = t->a_rows - i < IL_MR ? t->a_rows - i : IL_MR;
    const size_t cols = t->b_rows - j < IL_NR ? t->b_rows - j : IL_NR;
    IL_ISA_FN(gemm_f32)
    (IL_MR, IL_NR, t->k, t->a + i * t->k, t->b + j * t->k, c, IL_NR, 0);
    for (size_t r = 0; r < rows; r++) {
        for (size_t x = cols; x < IL_NR; x++) {
            c[r * IL_NR + x] = -INFINITY;
        }
        for (size_t x = 0; x < IL_NR; x += VL) {
            const vf score = vf_load(c + r * IL_NR + x);
            const vf row = vf_load(row_max + r * VL);
            const vf col = vf_load(col_max + x);
            vf_store(row_max + r * VL, vf_select(vf_gt(score, row), score, row));
            vf_store(col_max + x, vf_select(vf_gt(score, col), score, col));
        }
    }
}

/* Offers VL maxima, one each, to VL lists: place p of them stands at p * stride. */
static inline void offer(float *kept, uint32_t *kept_number, size_t places, size_t stride,
                         vf value, vu number)
{
    if (vm_bits(vf_gt(value, vf_load(kept + (places - 1) * stride))) == 0) {
        return;
    }
    vm over = vf_gt(value, vf_load(kept));
    for (size_t p = 0;;) { /* below the place that one takes, all move down */
        const vf old = vf_load(kept);
        const vu old_number = vu_load(kept_number);
        vf_store(kept, vf_select(over, value, old));
        vu_store(kept_number, vu_select(over, number, old_number));
        if (++p == places) {
            break;
        }
        kept += stride;
        kept_number += stride;
        value = vf_select(over, old, value);
        number = vu_select(over, old_number, number);
        over = vm_or(over, vf_gt(value, vf_load(kept)));
    }
}

/* Offers the maxima of a group to the lists of IL_NR columns. */
static void offer_group(struct match_state *s, size_t j, const float *col_max,
                        uint32_t group)
{
    for (size_t x = 0; x < IL_NR; x += VL) {
        offer(s->col_value + j + x, s->col_group + j + x, s->t->col.places, s->m_padded,
              vf_load(col_max + x), vu_set1(group));
    }
}

/* Offers the maxima of a stretch to the lists of rows i0..i1 and starts them anew. */
static void offer_stretch(struct match_state *s, size_t i0, size_t i1, uint32_t number)
{
    const vf none = vf_set1(-INFINITY);
    for (size_t i = i0; i < i1; i += VL) {
        float *max = s->row_max + (i - i0) * VL;
        vf lanes[VL];
        IL_UNROLL
        for (size_t r = 0; r < VL; r++) {
            lanes[r] = vf_load(max + r * VL);
            vf_store(max + r * VL, none);
        }
        vf_transpose(lanes);
        IL_UNROLL
        for (size_t w = VL / 2; w > 0; w /= 2) {
            IL_UNROLL
            for (size_t r = 0; r < w; r++) {
                lanes[r] =
                    vf_select(vf_gt(lanes[r], lanes[r + w]), lanes[r], lanes[r + w]);
            }
        }
        offer(s->row_value + i, s->row_stretch + i, s->t->row.places, s->n_padded,
              lanes[0], vu_set1(number));
    }
}

/* Rows i0..i1, a multiple of GROUP_ROWS but for the last block, against the columns
   j0..j1 of a stretch: one panel of b at a time stays in L1. */
static void scan_stretch(struct match_state *s, size_t i0, size_t i1, size_t j0,
                         size_t j1)
{
    const struct match_task *t = s->t;
    const size_t k = t->k;
    const size_t tiles = (i1 - i0 + IL_MR - 1) / IL_MR;
    const size_t ahead = (k * IL_NR + tiles - 1) / tiles; /* floats per tile */
    for (size_t j = j0; j < j1; j += IL_NR) {
        const float *next = t->b + (j + IL_NR < s->m_padded ? j + IL_NR : j) * k;
        for (size_t g = i0; g < i1; g += GROUP_ROWS) {
            const size_t end = i1 - g < GROUP_ROWS ? i1 : g + GROUP_ROWS;
            _Alignas(64) float col_max[IL_NR];
            for (size_t x = 0; x < IL_NR; x += VL) {
                vf_store(col_max + x, vf_set1(-INFINITY));
            }
            for (size_t i = g; i < end; i += IL_MR) {
                float *row_max = s->row_max + (i - i0) * VL;
                for (size_t x = 0; x < ahead; x += 16) { /* lines of the next panel */
                    __builtin_prefetch(next + x, 0, 2);
                }
                next += ahead;
                if (end - i >= IL_MR && t->b_rows - j >= IL_NR) {
                    tile_match1(k, t->a + i * k, t->b + j * k, row_max, col_max);
                } else {
                    match_edge(t, i, j, row_max, col_max);
                }
            }
            if (t->col.places > 0) {
                offer_group(s, j, col_max, (uint32_t)(g / GROUP_ROWS));
            }
        }
    }
}

static void scan(struct match_state *s)
{
    const struct match_task *t = s->t;
    const size_t fits = A_BLOCK_BYTES / sizeof(float) / t->k / GROUP_ROWS * GROUP_ROWS;
    const size_t step = fits > ROWS ? ROWS : fits < GROUP_ROWS ? GROUP_ROWS : fits;
    for (size_t i = 0; i < ROWS * VL; i++) {
        s->row_max[i] = -INFINITY;
    }
    for (size_t i0 = 0; i0 < t->a_rows; i0 += step) {
        const size_t i1 = t->a_rows - i0 < step ? t->a_rows : i0 + step;
        for (size_t j0 = 0; j0 < t->b_rows; j0 += s->width) {
            const size_t j1 = t->b_rows - j0 < s->width ? t->b_rows : j0 + s->width;
            scan_stretch(s, i0, i1, j0, j1);
            offer_stretch(s, i0, i1, (uint32_t)(j0 / s->width));
        }
    }
}

/* ------------------------------------------------------------------------ the indexes */

/* Sorts the entries of lists i0..i1 by their numbers (stretches, groups) into s->order,
   lists ascending within one; entry p of list i is number[i + p * stride]. */
static void sort_entries(struct match_state *s, const uint32_t *number, size_t i0,
                         size_t i1, size_t places, size_t stride, size_t numbers)
{
    size_t sum = 0;
    memset(s->start, 0, (numbers + 1) * sizeof *s->start);
    for (size_t i = i0; i < i1; i++) {
        for (size_t p = 0; p < places; p++) {
            const uint32_t x = number[i + p * stride];
            if (x != IL_INDEX_NONE) {
                s->start[x + 1]++;
            }
        }
    }
    for (size_t x = 0; x <= numbers; x++) {
        sum += s->start[x];
        s->start[x] = sum;
    }
    for (size_t i = i0; i < i1; i++) {
        for (size_t p = 0; p < places; p++) {
            const uint32_t x = number[i + p * stride];
            if (x != IL_INDEX_NONE) {
                s->order[s->start[x]++] = (uint32_t)i;
            }
        }
    }
    /* each start has moved to the next one's */
    memmove(s->start + 1, s->start, numbers * sizeof *s->start);
    s->start[0] = 0;
}

/* Gathers count rows of panels of width w into one panel; the others become 0. */
static void gather(float *out, const float *panels, size_t w, size_t k,
                   const uint32_t *rows, size_t count)
{
    for (size_t r = 0; r < count; r++) {
        const float *x = panels + rows[r] / w * w * k + rows[r] % w;
        for (size_t q = 0; q < k; q++) {
            out[q * w + r] = x[q * w];
        }
    }
    for (size_t q = 0; count < w && q < k; q++) {
        memset(out + q * w + count, 0, (w - count) * sizeof *out);
    }
}

/* Lowest score of interest for a list: there are places scores of at least known. */
static inline float entry_score(const struct lists *l, size_t i, float known)
{
    const float last = l->value[i * l->stride + l->places - 1];
    return last > known ? last : known;
}

static inline void insert(const struct lists *l, size_t i, float value, uint32_t index)
{
    il_topk_insert(l->value + i * l->stride, l->index + i * l->stride, l->places, value,
                   index);
}

static inline uint32_t name(const uint32_t *index, size_t i)
{
    return index ? index[i] : (uint32_t)i;
}

/* Offers the scores c of columns j0..j1 to the list of row i. */
static void finish_row(const struct match_state *s, size_t i, const float *c, size_t j0,
                       size_t j1)
{
    const struct lists *l = &s->t->row;
    const float known = s->row_value[(l->places - 1) * s->n_padded + i];
    float low = entry_score(l, i, known);
    for (size_t j = j0; j < j1; j += VL) {
        const vf score = vf_load(c + (j - j0));
        uint32_t hit = vm_bits(vf_ge(score, vf_set1(low)));
        if (j1 - j < VL) {
            hit &= (1u << (j1 - j)) - 1u;
        }
        for (; hit != 0; hit &= hit - 1) {
            const size_t x = j + (size_t)__builtin_ctz(hit);
            insert(l, i, c[x - j0], name(s->t->b_index, x));
            low = entry_score(l, i, known);
        }
    }
}

/* Rows i0..i1, which should stay in the cache while they are gathered. */
static void finish_rows(struct match_state *s, size_t i0, size_t i1)
{
    const struct match_task *t = s->t;
    _Alignas(64) float c[IL_MR * WIDTH_MAX];
    sort_entries(s, s->row_stretch, i0, i1, t->row.places, s->n_padded, s->stretches);
    for (size_t x = 0; x < s->stretches; x++) {
        const size_t j0 = x * s->width;
        const size_t j1 = t->b_rows - j0 < s->width ? t->b_rows : j0 + s->width;
        const size_t padded = (j1 - j0 + IL_NR - 1) / IL_NR * IL_NR;
        for (size_t at = s->start[x]; at < s->start[x + 1]; at += IL_MR) {
            const size_t left = s->start[x + 1] - at;
            const size_t count = left < IL_MR ? left : IL_MR;
            gather(s->packed, t->a, IL_MR, t->k, s->order + at, count);
            IL_ISA_FN(gemm_f32)
            (IL_MR, padded, t->k, s->packed, t->b + j0 * t->k, c, WIDTH_MAX, 0);
            for (size_t r = 0; r < count; r++) {
                finish_row(s, s->order[at + r], c + r * WIDTH_MAX, j0, j1);
            }
        }
    }
}

/* Offers rows x IL_NR scores, row i0 first, to the lists of the columns named. */
static void finish_group(const struct match_state *s, const uint32_t *cols, size_t count,
                         const float *c, size_t i0, size_t rows)
{
    const struct match_task *t = s->t;
    const size_t last = (t->col.places - 1) * s->m_padded;
    _Alignas(64) float low[IL_NR];
    for (size_t x = 0; x < IL_NR; x++) {
        low[x] = x < count ? entry_score(&t->col, cols[x], s->col_value[last + cols[x]])
                           : INFINITY;
    }
    const uint32_t inside = count < IL_NR ? (1u << count) - 1u : UINT32_MAX;
    for (size_t r = 0; r < rows; r++) {
        uint32_t hit = 0;
        for (size_t v = 0; v < VECTORS; v++) {
            const vf score = vf_load(c + r * IL_NR + v * VL);
            hit |= vm_bits(vf_ge(score, vf_load(low + v * VL))) << (v * VL);
        }
        for (hit &= inside; hit != 0; hit &= hit - 1) {
            const size_t x = (size_t)__builtin_ctz(hit);
            const size_t j = cols[x];
            insert(&t->col, j, c[r * IL_NR + x], name(t->a_index, i0 + r));
            low[x] = entry_score(&t->col, j, s->col_value[last + j]);
        }
    }
}

static void finish_cols(struct match_state *s)
{
    const struct match_task *t = s->t;
    _Alignas(64) float c[GROUP_ROWS * IL_NR];
    sort_entries(s, s->col_group, 0, t->b_rows, t->col.places, s->m_padded, s->groups);
    for (size_t g = 0; g < s->groups; g++) {
        const size_t i0 = g * GROUP_ROWS;
        const size_t rows = t->a_rows - i0 < GROUP_ROWS ? t->a_rows - i0 : GROUP_ROWS;
        for (size_t at = s->start[g]; at < s->start[g + 1]; at += IL_NR) {
            const size_t left = s->start[g + 1] - at;
            const size_t count = left < IL_NR ? left : IL_NR;
            gather(s->packed, t->b, IL_NR, t->k, s->order + at, count);
            IL_ISA_FN(gemm_f32)
            (rows, IL_NR, t->k, t->a + i0 * t->k, s->packed, c, IL_NR, 0);
            finish_group(s, s->order + at, count, c, i0, rows);
        }
    }
}

static void match_run(const struct match_task *t)
{
    struct match_state s;
    if (t->a_rows == 0 || t->b_rows == 0) {
        return;
    }
    open_state(&s, t);
    scan(&s);
    /* so many rows at a time that a stretch is wanted by FILL tiles of them */
    const size_t step = (s.stretches / t->row.places + 1) * FILL * IL_MR;
    for (size_t i = 0; i < t->a_rows; i += step) {
        finish_rows(&s, i, t->a_rows - i < step ? t->a_rows : i + step);
    }
    if (t->col.places > 0) {
        finish_cols(&s);
    }
}

void IL_ISA_FN(match1_f32)(const struct il_match1_block *x)
{
    if (x->a_rows == 0 || x->b_rows == 0) {
        return;
    }
    const struct match_task t = {
        .k = x->k,
        .a = x->a,
        .b = x->b,
        .a_rows = x->a_rows,
        .b_rows = x->b_rows,
        .a_index = x->a_index,
        .b_index = x->b_index,
        .row = {x->row->value, x->row->index, x->top, sizeof *x->row / sizeof(float)},
        .col = {x->col->value, x->col->index, x->top, sizeof *x->col / sizeof(float)},
        .scratch = x->scratch,
    };
    match_run(&t);
}
