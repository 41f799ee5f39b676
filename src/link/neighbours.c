/* SPDX-License-Identifier: Apache-2.0 */
/* Nearest targets inside one side. */
#include "src/link/evidence.h"

/* Rows of a task, at most and at least: topk_f32 wants large blocks, the threads a task
   each. */
#define ROWS 960
#define ROWS_LEAST 48
#define THREADS_MAX 256

struct search {
    size_t rows; /* of a task */
    struct il_frame *frame;
    const struct il_side *side;
    const struct il_panels *panels;
    size_t keep;
    uint32_t *index;
    float *value;
    float *packed[THREADS_MAX]; /* rows of a task */
    void *scratch[THREADS_MAX];
    atomic_int cancelled;
};

static void search_task(void *context, size_t task, unsigned thread)
{
    struct search *s = context;
    const struct il_simd *simd = s->frame->simd;
    size_t d = s->side->d, first = task * s->rows;
    if (il_frame_cancelled(s->frame)) {
        atomic_store(&s->cancelled, 1);
        return;
    }
    size_t count = s->side->rows - first < s->rows ? s->side->rows - first : s->rows;
    const struct il_topk_block block = {.k = d,
                                        .top = s->keep,
                                        .a = s->packed[thread],
                                        .a_rows = count,
                                        .b = s->panels->data,
                                        .b_rows = s->panels->rows,
                                        .row_value = s->value + first * s->keep,
                                        .row_index = s->index + first * s->keep,
                                        .scratch = s->scratch[thread]};
    simd->pack_f32(s->side->x + first * d, count, d, d, simd->mr, s->packed[thread]);
    il_topk_clear(block.row_value, block.row_index, count * s->keep);
    simd->topk_f32(&block);
}

static size_t rows_of_task(size_t rows, unsigned threads)
{
    size_t part = (rows + threads - 1) / threads;
    part = part < ROWS ? part : ROWS;
    return part > ROWS_LEAST ? part : ROWS_LEAST;
}

enum il_status il_neighbours_in(struct il_frame *frame, const struct il_side *side,
                                const struct il_panels *targets, size_t keep,
                                uint32_t *index, float *value)
{
    unsigned threads = il_pool_threads(frame->pool);
    size_t rows = rows_of_task(side->rows, threads), count = targets->rows;
    struct search *s = il_alloc_zero(1, sizeof *s);
    enum il_status status = s ? IL_OK : IL_ENOMEM;
    for (unsigned t = 0; t < threads && !status; t++) {
        s->packed[t] = il_alloc((rows + frame->simd->mr) * side->d, sizeof(float));
        s->scratch[t] = il_alloc(il_topk_scratch(keep, side->d, rows, count), 1);
        status = s->packed[t] && s->scratch[t] ? IL_OK : IL_ENOMEM;
    }
    if (!status) {
        s->rows = rows;
        s->frame = frame;
        s->side = side;
        s->panels = targets;
        s->keep = keep;
        s->index = index;
        s->value = value;
        il_pool_run(frame->pool, (side->rows + rows - 1) / rows, search_task, s);
        frame->multiply_adds += (double)side->rows * (double)count * (double)side->d;
        status = atomic_load(&s->cancelled) ? IL_ECANCEL : IL_OK;
    }
    for (unsigned t = 0; s && t < threads; t++) {
        il_free(s->packed[t]);
        il_free(s->scratch[t]);
    }
    il_free(s);
    return status;
}

enum il_status il_neighbours(struct il_frame *frame, const struct il_side *side,
                             const uint32_t *targets, size_t count, size_t keep,
                             uint32_t *index, float *value)
{
    const struct il_signature plain = {
        .part = {{side->x, side->d, NULL, side->d, 0}}, .parts = 1, .scale = 1};
    struct il_panels panels = {0};
    enum il_status status = il_panels_build(frame, &plain, targets, count, &panels);
    status = status ? status : il_neighbours_in(frame, side, &panels, keep, index, value);
    il_panels_free(&panels);
    return status;
}
