/* SPDX-License-Identifier: Apache-2.0 */
/* Rows of the incremental linker: handles, clusters, what comes and what goes. */
#include <math.h>
#include <string.h>

#include "src/link/live_inner.h"

/* Rows that are prepared at once. */
#define SIGN_ROWS 1024

static void side_close(struct il_live *live, struct live_side *s)
{
    void *blocks[] = {s->sig,        s->key,       s->there,        s->radius,
                      s->near,       s->sampled,   s->best,         s->joined,
                      s->looked,     s->around,    s->around_value, s->seed,
                      s->partner,    s->posterior, s->dirty,        s->dirty_row,
                      s->spare,      s->leaving,   s->axes_packed,  s->mark_row,
                      s->mark_order, s->seed_order};
    for (size_t i = 0; i < sizeof blocks / sizeof *blocks; i++) {
        il_free(blocks[i]);
    }
    for (size_t c = 0; s->cluster && c < live->clusters; c++) {
        il_free(s->cluster[c].row);
    }
    il_free(s->cluster);
    for (size_t i = 0; i < IL_VIEWS_MAX * IL_FOLDS_MAX; i++) {
        il_free(s->map_packed[i]);
    }
    il_panels_free(&s->marks);
    il_panels_free(&s->samples);
}

void il_live_close(struct il_live **live)
{
    struct il_live *l = *live;
    if (!l) {
        return;
    }
    for (int side = 0; side < 2; side++) {
        side_close(l, &l->side[side]);
        il_free(l->seed_row[side]);
    }
    for (unsigned t = 0; l->finds && t < il_pool_threads(l->frame.pool); t++) {
        il_free(l->finds[t].find);
    }
    il_free(l->finds);
    il_free(l->half);
    il_free(l->seeds);
    il_free(l->ended);
    il_pool_close(&l->frame.pool);
    il_free(l);
    *live = NULL;
}

static float *pack_floats(const struct il_simd *simd, const float *map, size_t k_in,
                          size_t k_out)
{
    double *wide = il_alloc(k_in * k_out, sizeof *wide);
    float *out = NULL;
    for (size_t i = 0; wide && i < k_in * k_out; i++) {
        wide[i] = map[i];
    }
    if (wide) {
        out = il_map_pack(simd, wide, k_in, k_out);
    }
    il_free(wide);
    return out;
}

/* order: places of count keys (stride apart), ascending by key. */
static uint32_t *order_keys(const uint64_t *keys, size_t stride, size_t count)
{
    struct il_keyed *keyed = il_alloc(count, sizeof *keyed);
    uint32_t *order = il_alloc(count, sizeof *order);
    if (keyed && order) {
        for (size_t i = 0; i < count; i++) {
            keyed[i] = (struct il_keyed){keys[i * stride], (uint32_t)i};
        }
        il_keyed_sort(keyed, count);
        for (size_t i = 0; i < count; i++) {
            order[i] = keyed[i].at;
        }
    } else {
        il_free(order);
        order = NULL;
    }
    il_free(keyed);
    return order;
}

static enum il_status side_open(struct il_live *live, int side)
{
    const struct il_model *m = live->model;
    const struct il_simd *simd = live->frame.simd;
    struct live_side *s = &live->side[side];
    size_t d = m->d[side], cells = d * m->d[!side];
    int got = 1;
    s->axes_packed = pack_floats(simd, m->axes[side], m->dim[side], d);
    for (unsigned i = 0; i < m->views * m->folds; i++) {
        s->map_packed[i] = pack_floats(simd, m->map[side] + i * cells, d, m->d[!side]);
        got = got && s->map_packed[i];
    }
    s->cluster = il_alloc_zero(live->clusters, sizeof *s->cluster);
    s->mark_row = il_alloc(m->landmarks, sizeof *s->mark_row);
    s->mark_order = order_keys(m->mark_key[side], 1, m->landmarks);
    s->seed_order =
        order_keys(side ? &live->seeds->b : &live->seeds->a, 2, live->seed_count);
    live->seed_row[side] = il_alloc(live->seed_count, sizeof(uint32_t));
    if (!got || !s->axes_packed || !s->cluster || !s->mark_row || !s->mark_order ||
        !s->seed_order || !live->seed_row[side]) {
        return IL_ENOMEM;
    }
    for (size_t i = 0; i < m->landmarks; i++) {
        s->mark_row[i] = IL_INDEX_NONE;
    }
    for (size_t i = 0; i < live->seed_count; i++) {
        live->seed_row[side][i] = IL_LIVE_NONE;
    }
    const struct il_signature mark = {
        .part = {{m->mark[side], d, NULL, d, 0}}, .parts = 1, .scale = 1};
    const struct il_signature sample = {
        .part = {{m->sample[side], m->k, NULL, m->k, 0}}, .parts = 1, .scale = 1};
    enum il_status status =
        il_panels_build(&live->frame, &mark, NULL, m->landmarks, &s->marks);
    return status ? status
                  : il_panels_build(&live->frame, &sample, NULL, m->samples[side],
                                    &s->samples);
}

static int is_wrong(const struct il_model *m, const struct il_pair *seed)
{
    int found = 0;
    for (size_t i = 0; i < m->wrong && !found; i++) {
        found = m->wrong_key[0][i] == seed->a && m->wrong_key[1][i] == seed->b;
    }
    return found;
}

static enum il_status live_open(struct il_live *live, const struct il_live_config *config)
{
    const struct il_model *m = live->model;
    enum il_status status = il_pool_open(&live->frame.pool, config->threads);
    if (status) {
        return status;
    }
    live->finds = il_alloc_zero(il_pool_threads(live->frame.pool), sizeof *live->finds);
    live->seeds = il_alloc(config->seed_count + 1, sizeof *live->seeds);
    live->half = il_alloc(live->clusters, sizeof *live->half);
    if (!live->finds || !live->seeds || !live->half) {
        return IL_ENOMEM;
    }
    for (size_t i = 0; i < config->seed_count; i++) {
        if (!is_wrong(m, &config->seeds[i])) {
            live->seeds[live->seed_count++] = config->seeds[i];
        }
    }
    for (size_t c = 0; m->clusters && c < live->clusters; c++) {
        const float *x = m->centre + c * m->k;
        live->half[c] = 0.5f * live->frame.simd->dot_f32(x, x, m->k);
    }
    for (int side = 0; side < 2 && !status; side++) {
        status = side_open(live, side);
    }
    return status;
}

enum il_status il_live_open(struct il_live **out, const struct il_model *model,
                            const struct il_live_config *config)
{
    struct il_live *live = il_alloc_zero(1, sizeof *live);
    *out = NULL;
    if (!live) {
        return IL_ENOMEM;
    }
    live->model = model;
    live->frame.simd = il_simd();
    live->frame.seed = model->seed;
    live->posterior_min = config->posterior_min;
    live->slots = model->clusters ? model->replicates * model->nearest : 1;
    live->clusters = model->clusters ? model->replicates * model->clusters : 1;
    live->threshold = INFINITY;
    live->threshold_posterior = 1;
    enum il_status status = live_open(live, config);
    if (status) {
        il_live_close(&live);
    }
    *out = live;
    return status;
}

/* Grows one array; the block stays as it is when that fails. */
static int grow(void *array, size_t size, size_t from, size_t to)
{
    void **block = array;
    void *grown = il_realloc(*block, from * size, to * size);
    if (grown) {
        *block = grown;
    }
    return grown != NULL;
}

enum il_status il_live_reserve(struct il_live *live, int side, size_t more)
{
    struct live_side *s = &live->side[side];
    const struct il_model *m = live->model;
    size_t from = s->room, need = s->used + more;
    if (need <= from) {
        return IL_OK;
    }
    size_t to = from + from / 4 > need ? from + from / 4 : need + 64;
    int got = to < IL_LIVE_NONE - 1 && grow(&s->sig, m->k * sizeof(float), from, to) &&
              grow(&s->key, sizeof *s->key, from, to) && grow(&s->there, 1, from, to) &&
              grow(&s->radius, sizeof *s->radius, from, to) &&
              grow(&s->near, sizeof *s->near, from, to) &&
              grow(&s->sampled, sizeof *s->sampled, from, to) &&
              grow(&s->best, sizeof *s->best, from, to) &&
              grow(&s->joined, live->slots * sizeof(uint32_t), from, to) &&
              grow(&s->looked, 1, from, to) &&
              grow(&s->around, IL_AROUND_KEEP * sizeof(uint32_t), from, to) &&
              grow(&s->around_value, IL_AROUND_KEEP * sizeof(float), from, to) &&
              grow(&s->seed, sizeof *s->seed, from, to) &&
              grow(&s->partner, sizeof *s->partner, from, to) &&
              grow(&s->posterior, sizeof *s->posterior, from, to) &&
              grow(&s->dirty, 1, from, to) &&
              grow(&s->dirty_row, sizeof *s->dirty_row, from, to) &&
              grow(&s->spare, sizeof *s->spare, from, to) &&
              grow(&s->leaving, sizeof *s->leaving, from, to);
    s->room = got ? to : from;
    return got ? IL_OK : IL_ENOMEM;
}

void il_live_mark(struct il_live *live, int side, uint32_t row)
{
    struct live_side *s = &live->side[side];
    if (!s->dirty[row]) {
        s->dirty[row] = 1;
        s->dirty_row[s->dirty_count++] = row;
    }
}

/* A handle for a row, with all that its key alone says. */
static uint32_t begin_row(struct il_live *live, int side, uint64_t key)
{
    struct live_side *s = &live->side[side];
    const struct il_model *m = live->model;
    uint32_t row = s->spare_count ? s->spare[--s->spare_count] : (uint32_t)s->used++;
    s->key[row] = key;
    s->there[row] = 1;
    s->looked[row] = s->dirty[row] = 0;
    s->partner[row] = IL_LIVE_NONE;
    s->posterior[row] = 0;
    s->rows++;
    il_top3_clear(&s->best[row]);
    size_t at = il_key_find(m->sample_key[side], 1, NULL, m->samples[side], key);
    s->sampled[row] = at < m->samples[side] ? (uint32_t)at : LIVE_NO_SAMPLE;
    const uint64_t *seed_keys = side ? &live->seeds->b : &live->seeds->a;
    at = il_key_find(seed_keys, 2, s->seed_order, live->seed_count, key);
    s->seed[row] = at < live->seed_count ? s->seed_order[at] : IL_LIVE_NONE;
    if (s->seed[row] != IL_LIVE_NONE) {
        live->seed_row[side][s->seed[row]] = row;
        uint32_t other = live->seed_row[!side][s->seed[row]];
        if (other != IL_LIVE_NONE) {
            il_live_mark(live, !side, other);
        }
    }
    at = il_key_find(m->mark_key[side], 1, s->mark_order, m->landmarks, key);
    if (at < m->landmarks) {
        s->mark_row[s->mark_order[at]] = row;
    }
    return row;
}

static enum il_status join_members(struct il_live *live, int side, uint32_t row)
{
    struct live_side *s = &live->side[side];
    for (size_t e = 0; e < live->slots; e++) {
        uint32_t c = s->joined[row * live->slots + e];
        if (c == IL_INDEX_NONE) {
            continue;
        }
        struct live_members *members = &s->cluster[c];
        if (members->count == members->room) {
            uint32_t room = members->room ? 2 * members->room : 16;
            if (!grow(&members->row, sizeof *members->row, members->room, room)) {
                return IL_ENOMEM;
            }
            members->room = room;
        }
        members->row[members->count++] = row;
    }
    return IL_OK;
}

/* Prepares, signs and enters up to SIGN_ROWS rows; rows[] gets the handles of those that
   can be used, *kept their number. */
static enum il_status enter_rows(struct il_live *live, int side, size_t count,
                                 const uint64_t *keys, const float *given,
                                 uint32_t *handles, uint32_t *rows, size_t *kept)
{
    const struct il_model *m = live->model;
    struct live_side *s = &live->side[side];
    const struct il_axes axes = {m->dim[side], m->d[side], m->mean[side], s->axes_packed};
    float *x = il_alloc(count * m->d[side], sizeof *x);
    enum il_status status = x ? il_live_reserve(live, side, count) : IL_ENOMEM;
    *kept = 0;
    status = status ? status
                    : il_axes_apply(&live->frame, &axes, given, count, x, handles, kept);
    for (size_t i = 0; i < count && !status; i++) {
        if (handles[i] != IL_INDEX_NONE) {
            uint32_t row = begin_row(live, side, keys[i]);
            rows[handles[i]] = row;
            handles[i] = row;
        }
    }
    status = status ? status : il_live_sign(live, side, rows, *kept, x);
    for (size_t i = 0; i < *kept && !status; i++) {
        status = join_members(live, side, rows[i]);
    }
    il_free(x);
    return status;
}

enum il_status il_live_add(struct il_live *live, int side, size_t count,
                           const uint64_t *keys, const float *rows, uint32_t *handles)
{
    uint32_t *fresh = il_alloc(count, sizeof *fresh);
    size_t total = 0;
    enum il_status status = fresh ? IL_OK : IL_ENOMEM;
    for (size_t i = 0; i < count && !status; i += SIGN_ROWS) {
        size_t part = count - i < SIGN_ROWS ? count - i : SIGN_ROWS, kept;
        status = enter_rows(live, side, part, keys + i, rows + i * live->model->dim[side],
                            handles + i, fresh + total, &kept);
        total += kept;
    }
    status = status ? status : il_live_match(live, side, fresh, total, 1);
    live->changes += total;
    il_free(fresh);
    return status;
}

static void leave_members(struct il_live *live, int side, uint32_t row)
{
    struct live_side *s = &live->side[side];
    for (size_t e = 0; e < live->slots; e++) {
        uint32_t c = s->joined[row * live->slots + e];
        if (c == IL_INDEX_NONE) {
            continue;
        }
        struct live_members *members = &s->cluster[c];
        for (uint32_t i = 0; i < members->count; i++) {
            if (members->row[i] == row) {
                members->row[i] = members->row[--members->count];
                break;
            }
        }
    }
}

/* Ends the link of a row that goes; it is told by the next settle. */
static enum il_status end_link(struct il_live *live, int side, uint32_t row)
{
    uint32_t other = live->side[side].partner[row];
    if (other == IL_LIVE_NONE) {
        return IL_OK;
    }
    if (live->ended_count == live->ended_room) {
        size_t room = live->ended_room ? 2 * live->ended_room : 64;
        if (!grow(&live->ended, sizeof *live->ended, live->ended_room, room)) {
            return IL_ENOMEM;
        }
        live->ended_room = room;
    }
    uint32_t a = side ? other : row, b = side ? row : other;
    live->ended[live->ended_count++] =
        (struct il_live_change){.a = a,
                                .b = b,
                                .linked = 0,
                                .seed = live->side[0].seed[a] != IL_LIVE_NONE,
                                .posterior = live->side[0].posterior[a]};
    live->side[0].partner[a] = live->side[1].partner[b] = IL_LIVE_NONE;
    return IL_OK;
}

/* Matches again the rows of a side that had a row of the other one in their lists. */
static enum il_status mend_lists(struct il_live *live, int side, uint32_t gone)
{
    struct live_side *s = &live->side[side];
    size_t count = 0;
    for (int pass = 0; pass < 2; pass++) {
        uint32_t *rows = pass ? il_alloc(count, sizeof *rows) : NULL;
        if (pass && !rows) {
            return IL_ENOMEM;
        }
        count = 0;
        for (uint32_t u = 0; u < s->used; u++) {
            int had = 0;
            for (int e = 0; e < IL_TOP; e++) {
                had |= s->best[u].index[e] == gone;
            }
            if (had && s->there[u]) {
                if (pass) {
                    rows[count] = u;
                    il_top3_clear(&s->best[u]);
                }
                count++;
            }
        }
        enum il_status status = pass ? il_live_match(live, side, rows, count, 0) : IL_OK;
        il_free(rows);
        if (status || count == 0) {
            return status;
        }
    }
    return IL_OK;
}

enum il_status il_live_remove(struct il_live *live, int side, uint32_t handle)
{
    struct live_side *s = &live->side[side];
    const struct il_model *m = live->model;
    enum il_status status = end_link(live, side, handle);
    if (status) {
        return status;
    }
    leave_members(live, side, handle);
    s->there[handle] = 0;
    s->rows--;
    il_top3_clear(&s->best[handle]);
    if (s->seed[handle] != IL_LIVE_NONE &&
        live->seed_row[side][s->seed[handle]] == handle) {
        live->seed_row[side][s->seed[handle]] = IL_LIVE_NONE;
    }
    size_t at =
        il_key_find(m->mark_key[side], 1, s->mark_order, m->landmarks, s->key[handle]);
    if (at < m->landmarks && s->mark_row[s->mark_order[at]] == handle) {
        s->mark_row[s->mark_order[at]] = IL_INDEX_NONE;
    }
    s->leaving[s->leaving_count++] = handle;
    live->changes++;
    return mend_lists(live, !side, handle);
}

void il_live_links(const struct il_live *live, il_live_change_fn *each, void *context)
{
    const struct live_side *s = &live->side[0];
    for (uint32_t u = 0; u < s->used; u++) {
        if (s->there[u] && s->partner[u] != IL_LIVE_NONE) {
            const struct il_live_change change = {.a = u,
                                                  .b = s->partner[u],
                                                  .linked = 1,
                                                  .seed = s->seed[u] != IL_LIVE_NONE,
                                                  .posterior = s->posterior[u]};
            each(context, &change);
        }
    }
}

static void count_link(void *context, const struct il_live_change *change)
{
    struct il_live_info *info = context;
    info->links++;
    info->precision += change->seed ? 0 : change->posterior;
    info->seeds += (uint64_t)change->seed;
}

void il_live_describe(const struct il_live *live, struct il_live_info *out)
{
    *out = (struct il_live_info){.rows = {live->side[0].rows, live->side[1].rows},
                                 .shared = live->shared,
                                 .decoy_rate = live->decoy_rate,
                                 .threshold = live->threshold_posterior,
                                 .calibrations = live->calibrations};
    il_live_links(live, count_link, out);
    uint64_t judged = out->links - out->seeds;
    out->precision = judged ? out->precision / (double)judged : 0;
}
