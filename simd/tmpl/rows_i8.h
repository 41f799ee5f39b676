/* SPDX-License-Identifier: Apache-2.0 */
/*
 * i8 rows x i8 anchors; contract: ref/rows_i8.c. As tmpl/rows.h, but a step is I8_DIMS
 * coordinates and takes I8_BYTES of every row and anchor. The including file gives, under
 * names that begin with I8_ and are undefined at the end, so that one file can hold two
 * versions:
 *   I8_FN(name)      names of this version's own functions; I8_KERNEL(name) of its
 * kernels I8_TARGET        attribute of what uses instructions above the folder's, or
 * nothing I8_DIMS I8_BYTES I8_V (vectors of I8_VL rows in a tile, 4 or 2) I8_WORK type of
 * a packed value; I8_ZERO what packs the value 0, I8_DIMS each i8_sum           type of
 * I8_VL sums, with i8_sum_load, _store, _add I8_ROWS(p)       vector of rows; I8_PANEL
 * what loads from the panel at a; I8_DO(c, x, r)   c plus the products of x and the
 * panel's anchor r I8_WIDEN(x, count, out)    block to what I8_ROWS reads, or undefined:
 * the block itself I8_START(x, groups, out)   IL_ROWS sums to begin with, or undefined: 0
 */
#ifndef IL_TMPL_ROWS_I8_H
#define IL_TMPL_ROWS_I8_H

enum { I8_CHUNK = 128 }; /* steps */

struct i8_step {
    size_t count;         /* steps */
    const char *x;        /* row 0 of the strip; stride I8_BYTES IL_ROWS */
    const char *a;        /* panel; stride I8_BYTES IL_ROWS_ANCHORS */
    ptrdiff_t a_ahead;    /* from a to what is used after this panel */
    int32_t *c;           /* output of anchor 0 and row 0; stride IL_ROWS */
    int load;             /* 1: goes on from c */
    const int32_t *start; /* per row of the strip, added */
    const char *next;     /* of the next chunk, to fetch next_bytes per step */
    size_t next_bytes;
};

struct i8_job {
    size_t blocks, d, k;
    const int8_t *x;
    const char *anchors;
    int32_t *out;
};

typedef void i8_tile_fn(const struct i8_step *s);

#define I8_1(X) I8_VECTORS(X, 0)
#define I8_2(X) I8_1(X) I8_VECTORS(X, 1)
#define I8_3(X) I8_2(X) I8_VECTORS(X, 2)
#define I8_4(X) I8_3(X) I8_VECTORS(X, 3)
#define I8_5(X) I8_4(X) I8_VECTORS(X, 4)
#define I8_6(X) I8_5(X) I8_VECTORS(X, 5)

#define I8_BEGIN(r, v) i8_sum c##r##_##v = i8_sum_load(s->start + (v)*I8_VL);
#define I8_LOAD(r, v)                                                                    \
    c##r##_##v = i8_sum_add(c##r##_##v, i8_sum_load(c + (r)*IL_ROWS + (v)*I8_VL));
#define I8_X(r, v) const I8_ROWS_TYPE x##v = I8_ROWS(x + (v)*I8_VL * I8_BYTES);
#define I8_STEP(r, v) c##r##_##v = I8_DO(c##r##_##v, x##v, r);
#define I8_STORE(r, v) i8_sum_store(c + (r)*IL_ROWS + (v)*I8_VL, c##r##_##v);

/* The first `anchors` of a panel, IL_ROWS_ANCHORS or, for the last panel, fewer. */
#define I8_TILE(name, anchors)                                                           \
    I8_TARGET __attribute__((noinline)) static void name(const struct i8_step *s)        \
    {                                                                                    \
        const char *x = s->x;                                                            \
        const char *a = s->a;                                                            \
        const ptrdiff_t ahead = s->a_ahead;                                              \
        const char *next = s->next;                                                      \
        const size_t next_bytes = s->next_bytes;                                         \
        int32_t *const c = s->c;                                                         \
        anchors(I8_BEGIN);                                                               \
        if (s->load) {                                                                   \
            anchors(I8_LOAD);                                                            \
        }                                                                                \
        for (size_t q = s->count; q > 0; q--) {                                          \
            __builtin_prefetch(next);                                                    \
            __builtin_prefetch(a + ahead);                                               \
            I8_PANEL;                                                                    \
            I8_VECTORS(I8_X, 0);                                                         \
            anchors(I8_STEP);                                                            \
            x += I8_BYTES * IL_ROWS;                                                     \
            a += I8_BYTES * IL_ROWS_ANCHORS;                                             \
            next += next_bytes;                                                          \
        }                                                                                \
        anchors(I8_STORE);                                                               \
    }
#endif

#if I8_V == 4
#define I8_VECTORS(X, r) X(r, 0) X(r, 1) X(r, 2) X(r, 3)
#else
#define I8_VECTORS(X, r) X(r, 0) X(r, 1)
#endif

I8_TILE(I8_FN(tile_rows_i8), I8_6)
I8_TILE(I8_FN(part_rows_1), I8_1)
I8_TILE(I8_FN(part_rows_2), I8_2)
I8_TILE(I8_FN(part_rows_3), I8_3)
I8_TILE(I8_FN(part_rows_4), I8_4)
I8_TILE(I8_FN(part_rows_5), I8_5)

/* Steps [g, g + count) of `steps` of one block, all anchors. */
static void I8_FN(rows_chunk)(const struct i8_job *j, size_t g, size_t steps,
                              struct i8_step step, int32_t *out)
{
    static i8_tile_fn *const tiles[] = {I8_FN(part_rows_1), I8_FN(part_rows_2),
                                        I8_FN(part_rows_3), I8_FN(part_rows_4),
                                        I8_FN(part_rows_5), I8_FN(tile_rows_i8)};
    const size_t w = IL_ROWS_ANCHORS;
    const char *x = step.x;
    const int32_t *start = step.start;
    const int last = g + step.count == steps;
    for (size_t p = 0; p < j->k; p += w) {
        const size_t rest = j->k - p;
        const char *panel = j->anchors + (p * steps + g * w) * I8_BYTES;
        const char *after = panel + w * steps * I8_BYTES;
        if (rest <= w) {
            after = j->anchors + (last ? 0 : (g + step.count) * w * I8_BYTES);
        }
        step.a = panel;
        step.a_ahead = after - panel;
        for (size_t r = 0; r < IL_ROWS; r += I8_V * I8_VL) {
            step.x = x + r * I8_BYTES;
            step.start = start + r;
            step.c = out + p * IL_ROWS + r;
            tiles[(rest < w ? rest : w) - 1](&step);
            step.next += step.count * step.next_bytes;
        }
    }
}

static void I8_FN(rows_run)(const struct i8_job *j)
{
    const size_t groups = (j->d + 3) / 4;
    const size_t steps = groups * (4 / I8_DIMS);
    const size_t tiles =
        (j->k + IL_ROWS_ANCHORS - 1) / IL_ROWS_ANCHORS * (IL_ROWS / (I8_V * I8_VL));
    const size_t bytes = I8_DIMS * IL_ROWS; /* of a step, as stored */
#ifdef I8_WIDEN
    _Alignas(64) char wide[I8_CHUNK * I8_BYTES * IL_ROWS];
#endif
    _Alignas(64) int32_t start[IL_ROWS] = {0};
    for (size_t b = 0; b < j->blocks && j->k > 0; b++) {
        const char *block = (const char *)j->x + b * groups * 4 * IL_ROWS;
        size_t g = 0;
        do { /* once even for d = 0, which clears the output */
            struct i8_step step = {.load = g > 0, .start = start};
            step.count = steps - g < I8_CHUNK ? steps - g : I8_CHUNK;
            step.x = block + g * bytes;
            step.next = g + step.count < steps ? step.x + step.count * bytes
                        : b + 1 < j->blocks    ? block + steps * bytes
                                               : block;
            step.next_bytes = (bytes + tiles - 1) / tiles;
#ifdef I8_START
            I8_START(step.x, step.count, start);
#endif
#ifdef I8_WIDEN
            I8_WIDEN(step.x, step.count * I8_DIMS / 4, wide);
            step.x = wide;
#endif
            I8_FN(rows_chunk)(j, g, steps, step, j->out + b * j->k * IL_ROWS);
            g += step.count;
        } while (g < steps);
    }
}

void I8_KERNEL(rows_i8i8)(size_t blocks, size_t d, size_t k, const int8_t *x,
                          const void *anchors, int32_t *out)
{
    const struct i8_job job = {
        .blocks = blocks, .d = d, .k = k, .x = x, .anchors = anchors, .out = out};
    I8_FN(rows_run)(&job);
}

void I8_KERNEL(rows_pack_i8)(const int8_t *x, size_t k, size_t d, size_t ld, void *out)
{
    const size_t padded = (d + 3) / 4 * 4;
    I8_WORK *to = out;
    for (size_t p = 0; p < k; p += IL_ROWS_ANCHORS) {
        for (size_t q = 0; q < padded; q += I8_DIMS) {
            for (size_t a = p; a < p + IL_ROWS_ANCHORS; a++) {
                for (size_t i = q; i < q + I8_DIMS; i++) {
                    const int value = a < k && i < d ? x[a * ld + i] : 0;
                    *to++ = (I8_WORK)(value + I8_ZERO);
                }
            }
        }
    }
}

#undef I8_FN
#undef I8_KERNEL
#undef I8_TARGET
#undef I8_DIMS
#undef I8_BYTES
#undef I8_V
#undef I8_WORK
#undef I8_ZERO
#undef I8_ROWS
#undef I8_ROWS_TYPE
#undef I8_PANEL
#undef I8_DO
#undef I8_WIDEN
#undef I8_START
#undef I8_VECTORS
