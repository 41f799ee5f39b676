/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `mlp`: a network of one hidden layer from A to B, trained on the seeds.
 *
 * Sides centred, unit rows, on at most 256 principal axes. f(x) = V relu(W x + b) + c
 * with 128 hidden units; loss |f(x) - y|^2 / 2, mean over a batch. Adam (Kingma and Ba
 * 2015, arXiv 1412.6980, algorithm 1, its own constants) with decoupled weight decay
 * (Loshchilov and Hutter 2019), 500 steps on all seeds, or on 32 of them drawn anew each
 * step where there are more. Start: uniform, variance 2 / d of W (He et al. 2015), 1 /
 * 128 of V. A pair scores cos(f(x), y). Nothing was tuned: these are the constants that
 * the papers give.
 *
 * One thread and a fixed order of sums, so that equal seeds give equal bits everywhere.
 */
#include <math.h>
#include <string.h>

#include "src/link/seeded.h"

#define HIDDEN 128
#define STEPS 500
#define BATCH 32
#define RATE 1e-3f
#define MOMENT_1 0.9f
#define MOMENT_2 0.999f
#define TINY 1e-8f
#define DECAY 0.01f

/* Parameters one after the other, w (HIDDEN x da), b, v (db x HIDDEN), c; beside them
   their gradients and both moments. */
struct net {
    const struct il_simd *simd;
    size_t da, db, count;
    float *w, *b, *v, *c;
    float *slope, *first, *second;
    float hidden[HIDDEN], back[HIDDEN];
    float *out; /* db */
};

static size_t place_b(const struct net *t)
{
    return HIDDEN * t->da;
}

static size_t place_v(const struct net *t)
{
    return place_b(t) + HIDDEN;
}

static size_t place_c(const struct net *t)
{
    return place_v(t) + HIDDEN * t->db;
}

static void net_free(struct net *t)
{
    il_free(t->w);
    il_free(t->slope);
    il_free(t->first);
    il_free(t->second);
    il_free(t->out);
}

/* -1 <= x < 1 */
static float draw(struct il_rng *rng)
{
    return (float)(il_rng_next(rng) >> 40) * 0x1p-23f - 1;
}

static enum il_status net_open(struct net *t, const struct il_frame *frame, size_t da,
                               size_t db)
{
    *t = (struct net){.simd = frame->simd, .da = da, .db = db};
    t->count = place_c(t) + db;
    t->w = il_alloc_zero(t->count, sizeof *t->w);
    t->slope = il_alloc(t->count, sizeof *t->slope);
    t->first = il_alloc_zero(t->count, sizeof *t->first);
    t->second = il_alloc_zero(t->count, sizeof *t->second);
    t->out = il_alloc(db, sizeof *t->out);
    if (!t->w || !t->slope || !t->first || !t->second || !t->out) {
        return IL_ENOMEM;
    }
    t->b = t->w + place_b(t);
    t->v = t->w + place_v(t);
    t->c = t->w + place_c(t);
    struct il_rng rng = il_rng_make(frame->seed, 0, 0, IL_FOR_WEIGHTS);
    /* The variance of a uniform number within r of 0 is r^2 / 3. */
    float wide_w = sqrtf(6 / (float)da), wide_v = sqrtf(3.0f / HIDDEN);
    for (size_t i = 0; i < HIDDEN * da; i++) {
        t->w[i] = wide_w * draw(&rng);
    }
    for (size_t i = 0; i < db * HIDDEN; i++) {
        t->v[i] = wide_v * draw(&rng);
    }
    return IL_OK;
}

/* Adds the slope of one seed's loss, times share. */
static void learn(struct net *t, const float *x, const float *y, float share)
{
    const struct il_simd *simd = t->simd;
    float *slope_v = t->slope + place_v(t), *slope_b = t->slope + place_b(t);
    for (size_t j = 0; j < HIDDEN; j++) {
        float sum = simd->dot_f32(t->w + j * t->da, x, t->da) + t->b[j];
        t->hidden[j] = sum > 0 ? sum : 0;
        t->back[j] = 0;
    }
    for (size_t l = 0; l < t->db; l++) {
        float *row = t->v + l * HIDDEN;
        float error = share * (simd->dot_f32(row, t->hidden, HIDDEN) + t->c[l] - y[l]);
        simd->axpy_f32(error, t->hidden, slope_v + l * HIDDEN, HIDDEN);
        simd->axpy_f32(error, row, t->back, HIDDEN);
        t->slope[place_c(t) + l] += error;
    }
    for (size_t j = 0; j < HIDDEN; j++) {
        if (t->hidden[j] > 0) {
            simd->axpy_f32(t->back[j], x, t->slope + j * t->da, t->da);
            slope_b[j] += t->back[j];
        }
    }
}

/* One step of Adam; power_1 and power_2 are the moments' constants to the step's power.
 */
static void step(struct net *t, float power_1, float power_2)
{
    for (size_t i = 0; i < t->count; i++) {
        float g = t->slope[i];
        t->first[i] = MOMENT_1 * t->first[i] + (1 - MOMENT_1) * g;
        t->second[i] = MOMENT_2 * t->second[i] + (1 - MOMENT_2) * g * g;
        float mean = t->first[i] / (1 - power_1), square = t->second[i] / (1 - power_2);
        t->w[i] -= RATE * (mean / (sqrtf(square) + TINY) + DECAY * t->w[i]);
    }
}

static enum il_status train(struct net *t, struct il_frame *frame,
                            const struct il_side *a, const struct il_side *b,
                            const struct il_anchor *seeds, size_t count)
{
    struct il_rng rng = il_rng_make(frame->seed, 1, 0, IL_FOR_WEIGHTS);
    float power_1 = 1, power_2 = 1;
    size_t batch = count < BATCH ? count : BATCH;
    for (int s = 0; s < STEPS; s++) {
        if (il_frame_cancelled(frame)) {
            return IL_ECANCEL;
        }
        memset(t->slope, 0, t->count * sizeof *t->slope);
        for (size_t i = 0; i < batch; i++) {
            size_t at = count > BATCH ? il_rng_below(&rng, count) : i;
            learn(t, a->x + seeds[at].a * t->da, b->x + seeds[at].b * t->db,
                  1 / (float)batch);
        }
        power_1 *= MOMENT_1;
        power_2 *= MOMENT_2;
        step(t, power_1, power_2);
    }
    frame->multiply_adds +=
        (double)STEPS * (double)batch * HIDDEN * (2 * (double)t->da + 3 * (double)t->db);
    return IL_OK;
}

/* out (rows x k) = the layer's weights (k x d) times every row, plus its offset. */
static enum il_status layer(struct il_frame *frame, const float *x, size_t rows, size_t d,
                            const float *weight, const float *offset, size_t k, int relu,
                            float *out)
{
    size_t nr = frame->simd->nr;
    float *map = il_alloc((k + nr - 1) / nr * nr * d, sizeof *map);
    if (!map) {
        return IL_ENOMEM;
    }
    frame->simd->pack_f32(weight, k, d, d, nr, map);
    const struct il_part part = {x, d, map, k, 1};
    enum il_status status = il_map_rows(frame, &part, NULL, rows, out);
    for (size_t u = 0; u < rows && !status; u++) {
        float *row = out + u * k;
        if (u % IL_LOOK_ROWS == 0) {
            il_large_look();
        }
        for (size_t j = 0; j < k; j++) {
            row[j] += offset[j];
            row[j] = relu && !(row[j] > 0) ? 0 : row[j];
        }
    }
    il_free(map);
    return status;
}

static enum il_status embed(struct il_frame *frame, const struct il_side *a,
                            const struct il_side *b, const struct il_anchor *seeds,
                            size_t count, struct il_space *space)
{
    struct net net;
    float *hidden = il_alloc(a->rows * HIDDEN, sizeof *hidden);
    enum il_status status = net_open(&net, frame, a->d, b->d);
    status = hidden ? status : IL_ENOMEM;
    status = status ? status : il_space_take(space, 0, a->rows, b->d);
    space->x[1] = b->x;
    status = status ? status : train(&net, frame, a, b, seeds, count);
    status = status ? status
                    : layer(frame, a->x, a->rows, a->d, net.w, net.b, HIDDEN, 1, hidden);
    status = status ? status
                    : layer(frame, hidden, a->rows, HIDDEN, net.v, net.c, b->d, 0,
                            space->x[0]);
    if (!status) {
        frame->simd->normalise_f32(space->x[0], a->rows, b->d, b->d);
    }
    net_free(&net);
    il_free(hidden);
    return status;
}

enum il_status il_mlp(struct il_method_job *job, const struct il_side *a,
                      const struct il_side *b)
{
    const struct il_seeded_options options = {.embed = embed};
    return il_seeded_run(job, a, b, &options);
}
