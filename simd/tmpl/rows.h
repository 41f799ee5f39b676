/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Scores of stored rows over ISA/vec.h; contract: ref/rows.c. A step is one coordinate of
 * ROWS_V vectors of rows and of up to six anchors; the accumulators have names, for gcc
 * keeps arrays of them on the stack. CHUNK coordinates of a block stay in L1 while all
 * anchors pass over them, and the chains go on from the output. Values that are not f32
 * are widened once per chunk, which costs little beside k fma.
 *
 * Each step asks for a piece of the next chunk and of the next panel: without that the
 * first panel waits for memory, which took a third of the time at k = 64.
 *
 * The including file says ROWS_V (4 or 2) and gives rows_widen_i8x4 (VL rows),
 * rows_widen_e4m3 (ROWS_E4M3 values) and what a step does: ROWS_PANEL loads from the
 * panel at a, ROWS_DO(c, x, r) is c plus x times its anchor r.
 */
enum { ROWS_CHUNK = 96, ROWS_STRIP = ROWS_V * VL };

struct rows_step {
    size_t count;       /* coordinates */
    const float *x;     /* row 0 of the strip at the first of them; stride IL_ROWS */
    const float *a;     /* the panel there; stride IL_ROWS_ANCHORS */
    ptrdiff_t a_ahead;  /* from a to what is used after this panel */
    float *c;           /* output of anchor 0 and row 0; stride IL_ROWS */
    int load;           /* 1: the chains go on from c */
    const float *scale; /* NULL, or per row of the strip: the chains end here */
    const char *next;   /* of the next chunk, to fetch next_bytes per coordinate */
    size_t next_bytes;
};

#if ROWS_V == 4
#define ROWS_VECTORS(X, r) X(r, 0) X(r, 1) X(r, 2) X(r, 3)
#else
#define ROWS_VECTORS(X, r) X(r, 0) X(r, 1)
#endif

#define ROWS_1(X) ROWS_VECTORS(X, 0)
#define ROWS_2(X) ROWS_1(X) ROWS_VECTORS(X, 1)
#define ROWS_3(X) ROWS_2(X) ROWS_VECTORS(X, 2)
#define ROWS_4(X) ROWS_3(X) ROWS_VECTORS(X, 3)
#define ROWS_5(X) ROWS_4(X) ROWS_VECTORS(X, 4)
#define ROWS_6(X) ROWS_5(X) ROWS_VECTORS(X, 5)

#define ROWS_ZERO(r, v) vf c##r##_##v = vf_zero();
#define ROWS_LOAD(r, v) c##r##_##v = vf_load(c + (r)*IL_ROWS + (v)*VL);
#define ROWS_X(r, v) const vf x##v = vf_load(x + (v)*VL);
#define ROWS_FMA(r, v) c##r##_##v = ROWS_DO(c##r##_##v, x##v, r);
#define ROWS_SCALE(r, v) c##r##_##v = vf_mul(c##r##_##v, vf_load(s->scale + (v)*VL));
#define ROWS_STORE(r, v) vf_store(c + (r)*IL_ROWS + (v)*VL, c##r##_##v);

/* The first `anchors` of a panel, IL_ROWS_ANCHORS or, for the last panel, fewer. */
#define ROWS_TILE(name, anchors)                                                         \
    __attribute__((noinline)) static void name(const struct rows_step *s)                \
    {                                                                                    \
        const float *x = s->x;                                                           \
        const float *a = s->a;                                                           \
        const ptrdiff_t ahead = s->a_ahead;                                              \
        const char *next = s->next;                                                      \
        const size_t next_bytes = s->next_bytes;                                         \
        float *const c = s->c;                                                           \
        anchors(ROWS_ZERO);                                                              \
        if (s->load) {                                                                   \
            anchors(ROWS_LOAD);                                                          \
        }                                                                                \
        for (size_t q = s->count; q > 0; q--) {                                          \
            __builtin_prefetch(next);                                                    \
            __builtin_prefetch(a + ahead);                                               \
            ROWS_PANEL;                                                                  \
            ROWS_VECTORS(ROWS_X, 0);                                                     \
            anchors(ROWS_FMA);                                                           \
            x += IL_ROWS;                                                                \
            a += IL_ROWS_ANCHORS;                                                        \
            next += next_bytes;                                                          \
        }                                                                                \
        if (s->scale) {                                                                  \
            anchors(ROWS_SCALE);                                                         \
        }                                                                                \
        anchors(ROWS_STORE);                                                             \
    }

ROWS_TILE(tile_rows, ROWS_6)
ROWS_TILE(part_rows_1, ROWS_1)
ROWS_TILE(part_rows_2, ROWS_2)
ROWS_TILE(part_rows_3, ROWS_3)
ROWS_TILE(part_rows_4, ROWS_4)
ROWS_TILE(part_rows_5, ROWS_5)

typedef void rows_tile_fn(const struct rows_step *s);
typedef void rows_widen_fn(const char *x, size_t count, float *out);

/* How values are stored. */
struct rows_type {
    size_t bytes;         /* of a value */
    size_t group;         /* coordinates of a row that lie together */
    rows_widen_fn *widen; /* NULL = the values are f32 */
};

struct rows_job {
    const struct rows_type *type;
    size_t blocks, d, k;
    const void *x;
    const float *scale; /* NULL, or one per row */
    const float *anchors;
    float *out;
};

/* Coordinates [q, q + count) of one block, all anchors. */
static void rows_chunk(const struct rows_job *j, size_t q, struct rows_step step,
                       const float *scale, float *out)
{
    static rows_tile_fn *const tiles[] = {part_rows_1, part_rows_2, part_rows_3,
                                          part_rows_4, part_rows_5, tile_rows};
    const size_t w = IL_ROWS_ANCHORS;
    const float *x = step.x;
    const int last = q + step.count == j->d;
    for (size_t p = 0; p < j->k; p += w) {
        const size_t rest = j->k - p;
        const float *panel = j->anchors + p * j->d + q * w;
        const float *after = panel + w * j->d;
        if (rest <= w) {
            after = last ? j->anchors : j->anchors + (q + step.count) * w;
        }
        step.a = panel;
        step.a_ahead = after - panel;
        for (size_t r = 0; r < IL_ROWS; r += ROWS_STRIP) {
            step.x = x + r;
            step.c = out + p * IL_ROWS + r;
            step.scale = last && scale ? scale + r : NULL;
            tiles[(rest < w ? rest : w) - 1](&step);
            step.next += step.count * step.next_bytes;
        }
    }
}

static void rows_run(const struct rows_job *j)
{
    _Alignas(64) float wide[ROWS_CHUNK * IL_ROWS];
    const size_t tiles =
        (j->k + IL_ROWS_ANCHORS - 1) / IL_ROWS_ANCHORS * (IL_ROWS / ROWS_STRIP);
    const size_t group = j->type->group;
    const size_t row_bytes = IL_ROWS * j->type->bytes;
    const size_t block_bytes = (j->d + group - 1) / group * group * row_bytes;
    for (size_t b = 0; b < j->blocks && j->k > 0; b++) {
        const char *block = (const char *)j->x + b * block_bytes;
        size_t q = 0;
        do { /* once even for d = 0, which clears the output */
            const char *x = block + q * row_bytes;
            struct rows_step step = {.load = q > 0};
            step.count = j->d - q < ROWS_CHUNK ? j->d - q : ROWS_CHUNK;
            step.next = q + step.count < j->d ? x + step.count * row_bytes
                        : b + 1 < j->blocks   ? block + block_bytes
                                              : block;
            step.next_bytes = (row_bytes + tiles - 1) / tiles;
            step.x = wide;
            if (j->type->widen) {
                j->type->widen(x, step.count, wide);
            } else {
                step.x = (const float *)(const void *)x;
            }
            rows_chunk(j, q, step, j->scale ? j->scale + b * IL_ROWS : NULL,
                       j->out + b * j->k * IL_ROWS);
            q += step.count;
        } while (q < j->d);
    }
}

static void widen_f16(const char *x, size_t count, float *out)
{
    const uint16_t *from = (const uint16_t *)(const void *)x;
    for (size_t i = 0; i < count * IL_ROWS; i += VL) {
        vf_store(out + i, vf_from_f16(from + i));
    }
}

static void widen_e4m3(const char *x, size_t count, float *out)
{
    const uint8_t *from = (const uint8_t *)x;
    for (size_t i = 0; i < count * IL_ROWS; i += ROWS_E4M3) {
        rows_widen_e4m3(from + i, out + i);
    }
}

/* Whole groups of four coordinates: out has room, for ROWS_CHUNK is a multiple. */
static void widen_i8(const char *x, size_t count, float *out)
{
    const int8_t *from = (const int8_t *)x;
    for (size_t q = 0; q < count; q += 4) {
        for (size_t r = 0; r < IL_ROWS; r += VL) {
            rows_widen_i8x4(from + 4 * r, out + r);
        }
        from += 4 * IL_ROWS;
        out += 4 * IL_ROWS;
    }
}

static const struct rows_type type_f32 = {4, 1, NULL};
static const struct rows_type type_f16 = {2, 1, widen_f16};
static const struct rows_type type_e4m3 = {1, 1, widen_e4m3};
static const struct rows_type type_i8 = {1, 4, widen_i8};

void IL_ISA_FN(rows_f32)(size_t blocks, size_t d, size_t k, const float *x,
                         const float *anchors, float *out)
{
    rows_run(&(struct rows_job){&type_f32, blocks, d, k, x, NULL, anchors, out});
}

void IL_ISA_FN(rows_f16)(size_t blocks, size_t d, size_t k, const uint16_t *x,
                         const float *anchors, float *out)
{
    rows_run(&(struct rows_job){&type_f16, blocks, d, k, x, NULL, anchors, out});
}

void IL_ISA_FN(rows_e4m3)(size_t blocks, size_t d, size_t k, const uint8_t *x,
                          const float *anchors, float *out)
{
    rows_run(&(struct rows_job){&type_e4m3, blocks, d, k, x, NULL, anchors, out});
}

void IL_ISA_FN(rows_i8)(size_t blocks, size_t d, size_t k, const int8_t *x,
                        const float *scale, const float *anchors, float *out)
{
    rows_run(&(struct rows_job){&type_i8, blocks, d, k, x, scale, anchors, out});
}
