/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Signing and matching of the incremental linker. All scores are taken by dot_f32, one
 * pair at a time, never by the tile kernels: so a pair has the same score whenever, and
 * with whatever other rows, it is met.
 */
#include "src/link/live_inner.h"

#include <stdlib.h>
#include <string.h>

/* Rows of a task: their signatures stay in the second cache while members pass. */
#define GROUP 16
#define SLOTS_MAX (IL_TOP * IL_MODEL_REPLICATES)

/* Fold of a row in a view: that of its anchor, or one drawn by its key. */
static uint8_t fold_of(const struct il_model *m, int side, uint64_t key, unsigned view)
{
    size_t at = il_key_find(m->anchor_key[side], 1, NULL, m->anchors, key);
    if (at < m->anchors) {
        return m->anchor_fold[side][at * m->views + view];
    }
    struct il_rng rng = il_rng_make(m->seed, key, view, IL_FOR_VIEW);
    return (uint8_t)il_rng_below(&rng, m->folds);
}

/* image (count x d[!side], cleared) += the mean images of the rows over all views. */
static enum il_status take_images(struct il_live *live, int side, const uint32_t *rows,
                                  size_t count, const float *x, float *image)
{
    const struct il_model *m = live->model;
    uint8_t *fold = il_alloc(count, 1);
    struct il_view view = {.folds = m->folds};
    struct il_side from = {.rows = count, .d = m->d[side], .x = (float *)(uintptr_t)x};
    const struct il_side to = {.d = m->d[!side]};
    enum il_status status = fold ? IL_OK : IL_ENOMEM;
    view.fold[side] = fold;
    for (unsigned v = 0; v < m->views && !status; v++) {
        for (size_t i = 0; i < count; i++) {
            fold[i] = fold_of(m, side, live->side[side].key[rows[i]], v);
        }
        for (unsigned f = 0; f < m->folds; f++) {
            view.map[side][f] = live->side[side].map_packed[v * m->folds + f];
        }
        status = il_view_images(&live->frame, &view, &from, &to, side,
                                1.0f / (float)m->views, image);
    }
    il_free(fold);
    return status;
}

/* The nearest centres of a row in each partition. */
static void join_clusters(const struct il_live *live, const float *sig, uint32_t *joined)
{
    const struct il_model *m = live->model;
    if (m->clusters == 0) {
        joined[0] = 0;
        return;
    }
    for (unsigned r = 0; r < m->replicates; r++) {
        struct il_top3 near;
        il_top3_clear(&near);
        for (uint32_t c = 0; c < m->clusters; c++) {
            size_t at = r * m->clusters + c;
            float value = live->frame.simd->dot_f32(sig, m->centre + at * m->k, m->k) -
                          live->half[at];
            il_top3_insert(&near, value, (uint32_t)at);
        }
        for (unsigned e = 0; e < m->nearest; e++) {
            joined[r * m->nearest + e] = near.index[e];
        }
    }
}

/* Signatures in the making. */
struct signing {
    struct il_live *live;
    int side;
    const uint32_t *rows;
    size_t count;
    const float *x, *image;
};

static void sign_task(void *context, size_t task, unsigned thread)
{
    (void)thread;
    const struct signing *s = context;
    struct il_live *live = s->live;
    const struct il_model *m = live->model;
    struct live_side *side = &live->side[s->side];
    size_t last = (task + 1) * GROUP < s->count ? (task + 1) * GROUP : s->count;
    for (size_t i = task * GROUP; i < last; i++) {
        uint32_t row = s->rows[i];
        float *sig = side->sig + row * m->k;
        float *own = sig + (s->side ? 0 : m->d[1]), *seen = sig + (s->side ? m->d[1] : 0);
        memcpy(own, s->x + i * m->d[s->side], m->d[s->side] * sizeof *own);
        memcpy(seen, s->image + i * m->d[!s->side], m->d[!s->side] * sizeof *seen);
        struct il_top3 *near = &side->near[row];
        il_top3_clear(near);
        for (size_t j = 0; j < m->samples[!s->side]; j++) {
            const float *other = m->sample[!s->side] + j * m->k;
            il_top3_insert(near, 0.5f * live->frame.simd->dot_f32(sig, other, m->k),
                           (uint32_t)j);
        }
        side->radius[row] = il_radius_mean(near, IL_INDEX_NONE);
        join_clusters(live, sig, side->joined + row * live->slots);
        il_large_look();
    }
}

enum il_status il_live_sign(struct il_live *live, int side, const uint32_t *rows,
                            size_t count, const float *x)
{
    float *image = il_alloc_zero(count * live->model->d[!side], sizeof *image);
    enum il_status status =
        image ? take_images(live, side, rows, count, x, image) : IL_ENOMEM;
    if (!status) {
        struct signing signing = {live, side, rows, count, x, image};
        il_pool_run(live->frame.pool, (count + GROUP - 1) / GROUP, sign_task, &signing);
    }
    il_free(image);
    return status;
}

/* Inserts unless the pair is known: rows may meet in several clusters. */
static int insert_once(struct il_top3 *list, float value, uint32_t index)
{
    for (int e = 0; e < IL_TOP; e++) {
        if (list->index[e] == index) {
            return 0;
        }
    }
    il_top3_insert(list, value, index);
    return 1;
}

/* 1: a score would enter a list, as far as its last place tells. */
static int enters(const struct il_top3 *list, float value)
{
    return value >= list->value[IL_TOP - 1];
}

static void find_add(struct il_live *live, struct live_finds *finds, uint32_t row,
                     uint32_t found, float value)
{
    if (finds->count == finds->room) {
        size_t room = finds->room ? 2 * finds->room : 4096;
        struct live_find *grown =
            il_realloc(finds->find, finds->room * sizeof *grown, room * sizeof *grown);
        if (!grown) {
            atomic_store(&live->status, IL_ENOMEM);
            return;
        }
        finds->find = grown;
        finds->room = room;
    }
    finds->find[finds->count++] = (struct live_find){row, found, value};
}

/* A row of a group in a cluster that it joined. */
struct visit {
    uint32_t cluster, row;
};

static int by_cluster(const void *x, const void *y)
{
    const struct visit *a = x, *b = y;
    if (a->cluster != b->cluster) {
        return a->cluster < b->cluster ? -1 : 1;
    }
    return (a->row > b->row) - (a->row < b->row);
}

struct matching {
    struct il_live *live;
    int side, tell;
    const uint32_t *rows;
    size_t count;
};

/* Some rows of a group with all members of one cluster. */
static void meet(const struct matching *m, const struct visit *visit, size_t count,
                 struct live_finds *finds)
{
    struct il_live *live = m->live;
    struct live_side *own = &live->side[m->side], *other = &live->side[!m->side];
    const struct live_members *members = &other->cluster[visit[0].cluster];
    size_t k = live->model->k;
    for (uint32_t i = 0; i < members->count; i++) {
        uint32_t met = members->row[i];
        const float *sig = other->sig + met * k;
        if (i % IL_LOOK_ROWS == 0) {
            il_large_look();
        }
        for (size_t j = 0; j < count; j++) {
            uint32_t row = visit[j].row;
            float both = live->frame.simd->dot_f32(own->sig + row * k, sig, k);
            /* always A's radius first: the sum must not depend on who came last */
            float value = m->side ? both - other->radius[met] - own->radius[row]
                                  : both - own->radius[row] - other->radius[met];
            if (enters(&own->best[row], value)) {
                insert_once(&own->best[row], value, met);
            }
            if (m->tell && enters(&other->best[met], value)) {
                find_add(live, finds, met, row, value);
            }
        }
    }
}

static void match_task(void *context, size_t task, unsigned thread)
{
    const struct matching *m = context;
    struct visit visit[GROUP * SLOTS_MAX];
    size_t first = task * GROUP, visits = 0;
    size_t last = first + GROUP < m->count ? first + GROUP : m->count;
    for (size_t i = first; i < last; i++) {
        const uint32_t *joined =
            m->live->side[m->side].joined + m->rows[i] * m->live->slots;
        for (size_t e = 0; e < m->live->slots; e++) {
            if (joined[e] != IL_INDEX_NONE) {
                visit[visits++] = (struct visit){joined[e], m->rows[i]};
            }
        }
    }
    qsort(visit, visits, sizeof *visit, by_cluster);
    for (size_t i = 0, next; i < visits; i = next) {
        for (next = i; next < visits && visit[next].cluster == visit[i].cluster; next++) {
        }
        meet(m, visit + i, next - i, &m->live->finds[thread]);
    }
}

/* Hands what was found to the rows that it was found for. The lists end the same in any
   order. */
static void hand_out(struct il_live *live, int side)
{
    for (unsigned t = 0; t < il_pool_threads(live->frame.pool); t++) {
        struct live_finds *finds = &live->finds[t];
        for (size_t i = 0; i < finds->count; i++) {
            const struct live_find *f = &finds->find[i];
            struct il_top3 *list = &live->side[side].best[f->row];
            if (enters(list, f->value) && insert_once(list, f->value, f->found)) {
                il_live_mark(live, side, f->row);
            }
        }
        finds->count = 0;
    }
}

enum il_status il_live_match(struct il_live *live, int side, uint32_t *rows, size_t count,
                             int tell)
{
    struct visit *order = il_alloc(count, sizeof *order);
    if (!order) {
        return IL_ENOMEM;
    }
    /* Neighbours together: a task reads each member once for all its rows. */
    for (size_t i = 0; i < count; i++) {
        order[i] =
            (struct visit){live->side[side].joined[rows[i] * live->slots], rows[i]};
    }
    if (count) {
        qsort(order, count, sizeof *order, by_cluster);
    }
    for (size_t i = 0; i < count; i++) {
        rows[i] = order[i].row;
        il_live_mark(live, side, rows[i]);
    }
    il_free(order);
    for (size_t i = 0; i < count && !atomic_load(&live->status); i += LIVE_CHUNK) {
        size_t chunk = count - i < LIVE_CHUNK ? count - i : LIVE_CHUNK;
        struct matching m = {live, side, tell, rows + i, chunk};
        il_pool_run(live->frame.pool, (chunk + GROUP - 1) / GROUP, match_task, &m);
        hand_out(live, !side);
    }
    return (enum il_status)atomic_load(&live->status);
}
