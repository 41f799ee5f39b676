/* SPDX-License-Identifier: Apache-2.0 */
#include "src/link/model.h"

#include <stdlib.h>
#include <string.h>

#include "src/link/local.h"

/* The partitions are drawn as those of this round. */
#define ROUND_LIVE 1000

void il_model_free(struct il_model **model)
{
    struct il_model *m = *model;
    if (!m) {
        return;
    }
    for (int side = 0; side < 2; side++) {
        il_free(m->mean[side]);
        il_free(m->axes[side]);
        il_free(m->map[side]);
        il_free(m->anchor_key[side]);
        il_free(m->anchor_fold[side]);
        il_free(m->sample_key[side]);
        il_free(m->sample[side]);
        il_free(m->mark_key[side]);
        il_free(m->mark[side]);
        il_free(m->wrong_key[side]);
    }
    il_free(m->centre);
    il_free(m->mark_score);
    il_free(m);
    *model = NULL;
}

size_t il_model_dim(const struct il_model *model, int side)
{
    return model->dim[side];
}

size_t il_model_anchors(const struct il_model *model)
{
    return model->anchors;
}

double il_model_agreement(const struct il_model *model)
{
    return model->agreement;
}

static float *copy_floats(const float *from, size_t count)
{
    float *out = il_alloc(count, sizeof *out);
    if (out) {
        memcpy(out, from, count * sizeof *out);
    }
    return out;
}

static uint64_t key_of(const struct il_model_parts *p, int side, uint32_t row)
{
    const struct il_side *s = side ? p->b : p->a;
    return p->keys[side][s->given[row]];
}

static enum il_status take_side(struct il_model *m, const struct il_frame *frame,
                                const struct il_model_parts *p, int side)
{
    const struct il_side *s = side ? p->b : p->a;
    size_t cells = m->d[side] * m->d[!side];
    m->mean[side] = copy_floats(s->mean, m->dim[side]);
    m->axes[side] = copy_floats(s->axes, m->dim[side] * m->d[side]);
    m->map[side] = il_alloc(cells * m->views * m->folds, sizeof(float));
    if (!m->mean[side] || !m->axes[side] || !m->map[side]) {
        return IL_ENOMEM;
    }
    for (unsigned v = 0; v < m->views; v++) {
        for (unsigned f = 0; f < m->folds; f++) {
            il_map_unpack(frame->simd, p->views[v].map[side][f], m->d[side], m->d[!side],
                          m->map[side] + (v * m->folds + f) * cells);
        }
    }
    return IL_OK;
}

static int by_key(const void *x, const void *y)
{
    const struct il_keyed *a = x, *b = y;
    if (a->key != b->key) {
        return a->key < b->key ? -1 : 1;
    }
    return (a->at > b->at) - (a->at < b->at);
}

void il_keyed_sort(struct il_keyed *keyed, size_t count)
{
    if (count) {
        qsort(keyed, count, sizeof *keyed, by_key);
    }
}

size_t il_key_find(const uint64_t *keys, size_t stride, const uint32_t *order,
                   size_t count, uint64_t key)
{
    size_t low = 0, high = count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (keys[(order ? order[middle] : middle) * stride] < key) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low < count && keys[(order ? order[low] : low) * stride] == key ? low : count;
}

static enum il_status take_anchors(struct il_model *m, const struct il_model_parts *p,
                                   int side)
{
    struct il_keyed *order = il_alloc(m->anchors, sizeof *order);
    m->anchor_key[side] = il_alloc(m->anchors, sizeof(uint64_t));
    m->anchor_fold[side] = il_alloc(m->anchors * m->views, 1);
    enum il_status status =
        order && m->anchor_key[side] && m->anchor_fold[side] ? IL_OK : IL_ENOMEM;
    for (size_t i = 0; i < m->anchors && !status; i++) {
        const struct il_anchor *anchor = &p->anchors[i];
        uint32_t row = side ? anchor->b : anchor->a;
        order[i] = (struct il_keyed){key_of(p, side, row), (uint32_t)i};
    }
    if (!status) {
        il_keyed_sort(order, m->anchors);
    }
    for (size_t i = 0; i < m->anchors && !status; i++) {
        m->anchor_key[side][i] = order[i].key;
        for (unsigned v = 0; v < m->views; v++) {
            m->anchor_fold[side][i * m->views + v] =
                p->views[v].fold[0][p->anchors[order[i].at].a];
        }
    }
    il_free(order);
    return status;
}

/* The signature of a row: parts side by side. */
static void signature(const struct il_model *m, const struct il_model_parts *p, int side,
                      uint32_t row, float *out)
{
    const float *first = side ? p->b->x : p->scores->image_a;
    const float *second = side ? p->scores->image_b : p->a->x;
    memcpy(out, first + row * m->d[1], m->d[1] * sizeof *out);
    memcpy(out + m->d[1], second + row * m->d[0], m->d[0] * sizeof *out);
}

static enum il_status take_samples(struct il_model *m, const struct il_frame *frame,
                                   const struct il_model_parts *p, int side)
{
    size_t rows = side ? p->b->rows : p->a->rows;
    size_t count = rows < IL_MODEL_SAMPLES ? rows : IL_MODEL_SAMPLES;
    uint32_t *pick = il_alloc(count, sizeof *pick);
    struct il_keyed *order = il_alloc(count, sizeof *order);
    m->samples[side] = count;
    m->sample_key[side] = il_alloc(count, sizeof(uint64_t));
    m->sample[side] = il_alloc(count * m->k, sizeof(float));
    enum il_status status =
        pick && order && m->sample_key[side] && m->sample[side] ? IL_OK : IL_ENOMEM;
    if (!status) {
        struct il_rng rng =
            il_rng_make(frame->seed, ROUND_LIVE, (uint64_t)side, IL_FOR_RADIUS);
        il_rng_sample(&rng, (uint32_t)rows, (uint32_t)count, pick);
        for (size_t i = 0; i < count; i++) {
            order[i] = (struct il_keyed){key_of(p, side, pick[i]), pick[i]};
        }
        il_keyed_sort(order, count);
    }
    for (size_t i = 0; i < count && !status; i++) {
        m->sample_key[side][i] = order[i].key;
        signature(m, p, side, order[i].at, m->sample[side] + i * m->k);
    }
    il_free(order);
    il_free(pick);
    return status;
}

static enum il_status take_landmarks(struct il_model *m, const struct il_frame *frame,
                                     const struct il_model_parts *p)
{
    size_t all = p->evidence->candidates;
    size_t count = all < IL_MODEL_LANDMARKS ? all : IL_MODEL_LANDMARKS;
    uint32_t *pick = il_alloc(count, sizeof *pick);
    m->landmarks = count;
    m->mark_score = il_alloc(count, sizeof(float));
    enum il_status status = pick && m->mark_score ? IL_OK : IL_ENOMEM;
    if (!status) {
        struct il_rng rng = il_rng_make(frame->seed, ROUND_LIVE, 0, IL_FOR_LANDMARKS);
        il_rng_sample(&rng, (uint32_t)all, (uint32_t)count, pick);
    }
    for (int side = 0; side < 2 && !status; side++) {
        const struct il_side *s = side ? p->b : p->a;
        m->mark_key[side] = il_alloc(count, sizeof(uint64_t));
        m->mark[side] = il_alloc(count * m->d[side], sizeof(float));
        status = m->mark_key[side] && m->mark[side] ? IL_OK : IL_ENOMEM;
        for (size_t i = 0; i < count && !status; i++) {
            const struct il_proposal *c = &p->evidence->candidate[pick[i]];
            uint32_t row = side ? c->b : c->a;
            m->mark_key[side][i] = key_of(p, side, row);
            m->mark_score[i] = (float)c->feature[IL_F_COSINE];
            memcpy(m->mark[side] + i * m->d[side], s->x + row * m->d[side],
                   m->d[side] * sizeof(float));
        }
    }
    il_free(pick);
    return status;
}

/* A seed that the maps contradict is no link of rows to come either. */
static enum il_status take_wrong(struct il_model *m, const struct il_model_parts *p)
{
    for (size_t i = 0; i < p->seed_count; i++) {
        m->wrong += p->seed_wrong[i];
    }
    for (int side = 0; side < 2; side++) {
        size_t at = 0;
        m->wrong_key[side] = il_alloc(m->wrong, sizeof(uint64_t));
        if (!m->wrong_key[side]) {
            return IL_ENOMEM;
        }
        for (size_t i = 0; i < p->seed_count; i++) {
            if (p->seed_wrong[i]) {
                m->wrong_key[side][at++] =
                    key_of(p, side, side ? p->seeds[i].b : p->seeds[i].a);
            }
        }
    }
    return IL_OK;
}

static enum il_status take_centres(struct il_model *m, struct il_frame *frame,
                                   const struct il_model_parts *p)
{
    size_t da = m->d[0], db = m->d[1];
    const struct il_signature sa = {
        .part = {{p->scores->image_a, db, NULL, db, 0}, {p->a->x, da, NULL, da, 0}},
        .parts = 2};
    const struct il_signature sb = {
        .part = {{p->b->x, db, NULL, db, 0}, {p->scores->image_b, da, NULL, da, 0}},
        .parts = 2};
    struct il_local_options options;
    il_local_options_init(&options);
    options.rows = IL_MODEL_CLUSTER_ROWS;
    options.replicates = IL_MODEL_REPLICATES;
    m->replicates = options.replicates;
    m->nearest = options.nearest;
    m->clusters = il_local_clusters(p->a->rows, p->b->rows, &options);
    if (m->clusters == 0) {
        return IL_OK;
    }
    m->centre = il_alloc(m->replicates * m->clusters * m->k, sizeof *m->centre);
    return m->centre ? il_local_centres(frame, &sa, p->a->rows, &sb, p->b->rows, &options,
                                        ROUND_LIVE, m->centre)
                     : IL_ENOMEM;
}

enum il_status il_model_make(struct il_model **out, struct il_frame *frame,
                             const struct il_model_parts *parts)
{
    struct il_model *m = il_alloc_zero(1, sizeof *m);
    *out = NULL;
    if (!m) {
        return IL_ENOMEM;
    }
    *m = (struct il_model){.dim = {parts->a->dim, parts->b->dim},
                           .d = {parts->a->d, parts->b->d},
                           .k = parts->a->d + parts->b->d,
                           .views = parts->view_count,
                           .folds = parts->views[0].folds,
                           .anchors = parts->anchor_count,
                           .recall = parts->recall,
                           .recall_error = parts->recall_error,
                           .agreement = parts->agreement,
                           .seed = frame->seed};
    enum il_status status = IL_OK;
    for (int side = 0; side < 2 && !status; side++) {
        status = take_side(m, frame, parts, side);
        status = status ? status : take_anchors(m, parts, side);
        status = status ? status : take_samples(m, frame, parts, side);
    }
    status = status ? status : take_landmarks(m, frame, parts);
    status = status ? status : take_wrong(m, parts);
    status = status ? status : take_centres(m, frame, parts);
    if (status) {
        il_model_free(&m);
    }
    *out = m;
    return status;
}
