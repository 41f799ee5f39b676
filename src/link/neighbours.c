/* SPDX-License-Identifier: Apache-2.0 */
/* Nearest targets inside one side, on the tile kernel. */
#include "src/link/evidence.h"

/* Rows of a task and targets of one tile buffer: 240 x 512 floats stay in the L2 cache.
 */
#define ROWS 240
#define COLUMNS 512
#define THREADS_MAX 256

struct search {
    struct il_frame *frame;
    const struct il_side *side;
    const struct il_panels *panels;
    size_t keep;
    uint32_t *index;
    float *value;
    float *scratch[THREADS_MAX]; /* packed rows, then the tile buffer */
};

static void insert(struct search *s, size_t row, float value, uint32_t target)
{
    float *v = s->value + row * s->keep;
    uint32_t *t = s->index + row * s->keep;
    size_t at = s->keep - 1;
    for (; at > 0 && value > v[at - 1]; at--) {
        v[at] = v[at - 1];
        t[at] = t[at - 1];
    }
    v[at] = value;
    t[at] = target;
}

static void search_task(void *context, size_t task, unsigned thread)
{
    struct search *s = context;
    const struct il_simd *simd = s->frame->simd;
    size_t d = s->side->d, first = task * ROWS;
    size_t count = s->side->rows - first < ROWS ? s->side->rows - first : ROWS;
    float *packed = s->scratch[thread];
    float *tile = packed + (ROWS + simd->mr) * d;
    /* Whole panels a step. */
    size_t step = COLUMNS / simd->nr * simd->nr;
    simd->pack_f32(s->side->x + first * d, count, d, d, simd->mr, packed);
    for (size_t i = 0; i < count * s->keep; i++) {
        s->value[first * s->keep + i] = -__builtin_inff();
        s->index[first * s->keep + i] = IL_INDEX_NONE;
    }
    for (size_t j = 0; j < s->panels->rows; j += step) {
        size_t width = s->panels->rows - j < step ? s->panels->rows - j : step;
        simd->gemm_f32(count, width, d, packed, s->panels->data + j * d, tile, COLUMNS,
                       0);
        for (size_t i = 0; i < count; i++) {
            const float *last = s->value + (first + i) * s->keep + s->keep - 1;
            for (size_t q = 0; q < width; q++) {
                if (tile[i * COLUMNS + q] > *last) {
                    insert(s, first + i, tile[i * COLUMNS + q], (uint32_t)(j + q));
                }
            }
        }
    }
}

enum il_status il_neighbours(struct il_frame *frame, const struct il_side *side,
                             const uint32_t *targets, size_t count, size_t keep,
                             uint32_t *index, float *value)
{
    const struct il_signature plain = {
        .part = {{side->x, side->d, NULL, side->d, 0}}, .parts = 1, .scale = 1};
    struct il_panels panels = {0};
    unsigned threads = il_pool_threads(frame->pool);
    struct search *s = il_alloc_zero(1, sizeof *s);
    enum il_status status = s ? IL_OK : IL_ENOMEM;
    status = status ? status : il_panels_build(frame, &plain, targets, count, &panels);
    for (unsigned t = 0; t < threads && !status; t++) {
        size_t floats = (ROWS + frame->simd->mr) * side->d + ROWS * COLUMNS;
        s->scratch[t] = il_alloc(floats, sizeof(float));
        status = s->scratch[t] ? IL_OK : IL_ENOMEM;
    }
    if (!status) {
        s->frame = frame;
        s->side = side;
        s->panels = &panels;
        s->keep = keep;
        s->index = index;
        s->value = value;
        il_pool_run(frame->pool, (side->rows + ROWS - 1) / ROWS, search_task, s);
        frame->multiply_adds += (double)side->rows * (double)count * (double)side->d;
    }
    for (unsigned t = 0; s && t < threads; t++) {
        il_free(s->scratch[t]);
    }
    il_free(s);
    il_panels_free(&panels);
    return status;
}
