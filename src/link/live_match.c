/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Signing and matching of the incremental linker. All scores of pairs are taken by
 * dot_f32, one pair at a time, never by the tile kernels, whose sums have another order:
 * so a pair has the same score whenever, and with whatever other rows, it is met.
 */
#include "src/link/live_inner.h"

#include <stdlib.h>
#include <string.h>

/* Rows of a task: their signatures stay in the second cache while members pass. */
#define GROUP 16
/* Members that are fetched before they are met. */
#define AHEAD 2
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

/* Signatures in the making, and what is near them in the model's sample. */
struct signing {
    struct il_live *live;
    int side;
    const uint32_t *rows;
    size_t count;
    float *sig; /* count x k */
    uint32_t *index;
    float *value;
};

static enum il_status signing_open(struct signing *s)
{
    size_t k = s->live->model->k;
    s->sig = il_alloc(s->count * k, sizeof *s->sig);
    s->index = il_alloc(s->count * IL_TOP, sizeof *s->index);
    s->value = il_alloc(s->count * IL_TOP, sizeof *s->value);
    return s->sig && s->index && s->value ? IL_OK : IL_ENOMEM;
}

static void signing_close(struct signing *s)
{
    il_free(s->sig);
    il_free(s->index);
    il_free(s->value);
}

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
        memcpy(side->sig + row * m->k, s->sig + i * m->k, m->k * sizeof *s->sig);
        struct il_top3 *near = &side->near[row];
        il_top3_clear(near);
        for (size_t e = 0; e < IL_TOP; e++) {
            il_top3_insert(near, 0.5f * s->value[i * IL_TOP + e],
                           s->index[i * IL_TOP + e]);
        }
        side->radius[row] = il_radius_mean(near, IL_INDEX_NONE);
        join_clusters(live, s->sig + i * m->k, side->joined + row * live->slots);
        il_large_look();
    }
}

enum il_status il_live_sign(struct il_live *live, int side, const uint32_t *rows,
                            size_t count, const float *x)
{
    const struct il_model *m = live->model;
    const size_t own = m->d[side], other = m->d[!side];
    struct signing s = {.live = live, .side = side, .rows = rows, .count = count};
    float *image = il_alloc_zero(count * other, sizeof *image);
    enum il_status status = image ? signing_open(&s) : IL_ENOMEM;
    status = status ? status : take_images(live, side, rows, count, x, image);
    for (size_t i = 0; i < count && !status; i++) {
        float *sig = s.sig + i * m->k;
        memcpy(sig + (side ? 0 : m->d[1]), x + i * own, own * sizeof *sig);
        memcpy(sig + (side ? m->d[1] : 0), image + i * other, other * sizeof *sig);
    }
    if (!status && count) {
        const struct il_side signed_rows = {.rows = count, .d = m->k, .x = s.sig};
        status = il_neighbours_in(&live->frame, &signed_rows, &live->side[!side].samples,
                                  IL_TOP, s.index, s.value);
    }
    if (!status) {
        il_pool_run(live->frame.pool, (count + GROUP - 1) / GROUP, sign_task, &s);
    }
    signing_close(&s);
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

/* A row in a cluster that it joined, and the list that gets what it meets there. */
struct visit {
    uint32_t cluster, row;
    struct il_top3 *list;
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

/* Members lie anywhere in memory, each in lines that follow one another. */
static void fetch(const float *sig, size_t k)
{
    for (size_t q = 0; q < k; q += 64 / sizeof *sig) {
        __builtin_prefetch(sig + q);
    }
}

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
        if (i + AHEAD < members->count) {
            fetch(other->sig + members->row[i + AHEAD] * k, k);
        }
        if (i % IL_LOOK_ROWS == 0) {
            il_large_look();
        }
        for (size_t j = 0; j < count; j++) {
            uint32_t row = visit[j].row;
            float both = live->frame.simd->dot_f32(own->sig + row * k, sig, k);
            /* always A's radius first: the sum must not depend on who came last */
            float value = m->side ? both - other->radius[met] - own->radius[row]
                                  : both - own->radius[row] - other->radius[met];
            if (enters(visit[j].list, value)) {
                insert_once(visit[j].list, value, met);
            }
            if (m->tell && enters(&other->best[met], value)) {
                find_add(live, finds, met, row, value);
            }
        }
    }
}

/* The visits of some of the rows, each with the row's own list. Returns their number. */
static size_t take_visits(const struct matching *m, size_t first, size_t last,
                          struct visit *visit)
{
    const struct live_side *own = &m->live->side[m->side];
    size_t slots = m->live->slots, visits = 0;
    for (size_t i = first; i < last; i++) {
        const uint32_t row = m->rows[i], *joined = own->joined + row * slots;
        for (size_t e = 0; e < slots; e++) {
            if (joined[e] != IL_INDEX_NONE) {
                visit[visits++] = (struct visit){joined[e], row, &own->best[row]};
            }
        }
    }
    return visits;
}

static void match_task(void *context, size_t task, unsigned thread)
{
    const struct matching *m = context;
    struct visit visit[GROUP * SLOTS_MAX];
    size_t first = task * GROUP;
    size_t last = first + GROUP < m->count ? first + GROUP : m->count;
    size_t visits = take_visits(m, first, last, visit);
    qsort(visit, visits, sizeof *visit, by_cluster);
    for (size_t i = 0, next; i < visits; i = next) {
        for (next = i; next < visits && visit[next].cluster == visit[i].cluster; next++) {
        }
        meet(m, visit + i, next - i, &m->live->finds[thread]);
    }
}

struct few {
    const struct matching *m;
    const struct visit *visit;
};

static void visit_task(void *context, size_t task, unsigned thread)
{
    const struct few *few = context;
    meet(few->m, few->visit + task, 1, &few->m->live->finds[thread]);
}

/* Fewer groups than threads: each visit is a task, with a list of its own, so that a
   single row is matched by all threads. The lists end the same. */
static enum il_status match_few(const struct matching *m)
{
    struct live_side *own = &m->live->side[m->side];
    size_t most = m->count * m->live->slots;
    struct visit *visit = il_alloc(most, sizeof *visit);
    struct il_top3 *list = il_alloc(most, sizeof *list);
    if (visit && list) {
        const struct few few = {m, visit};
        size_t visits = take_visits(m, 0, m->count, visit);
        for (size_t i = 0; i < visits; i++) {
            il_top3_clear(&list[i]);
            visit[i].list = &list[i];
        }
        il_pool_run(m->live->frame.pool, visits, visit_task, (void *)(uintptr_t)&few);
        for (size_t i = 0; i < visits; i++) {
            for (int e = 0; e < IL_TOP && list[i].index[e] != IL_INDEX_NONE; e++) {
                insert_once(&own->best[visit[i].row], list[i].value[e], list[i].index[e]);
            }
        }
    }
    enum il_status status = visit && list ? IL_OK : IL_ENOMEM;
    il_free(visit);
    il_free(list);
    return status;
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
            (struct visit){live->side[side].joined[rows[i] * live->slots], rows[i], NULL};
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
        size_t tasks = (chunk + GROUP - 1) / GROUP;
        struct matching m = {live, side, tell, rows + i, chunk};
        if (tasks >= il_pool_threads(live->frame.pool)) {
            il_pool_run(live->frame.pool, tasks, match_task, &m);
        } else if (match_few(&m)) {
            atomic_store(&live->status, IL_ENOMEM);
        }
        hand_out(live, !side);
    }
    return (enum il_status)atomic_load(&live->status);
}
