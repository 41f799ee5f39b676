/* SPDX-License-Identifier: Apache-2.0 */
/* A linker for the tests of streams that links what a test says, at once: rows with the
   same first coordinate, of each side the one with the lowest key. It stands in the place
   of src/link/run.c, model*.c and live*.c, which are then not linked in. A bootstrap is
   refused with fewer than three seeds; the posterior of its links is the number of rows
   of A, of 1,000. */
#ifndef IL_FAKE_LIVE_H
#define IL_FAKE_LIVE_H

#include "src/link/live.h"
#include "tests/unit/unit.h"

enum { FAKE_ROWS = 512 };

struct il_linking {
    struct il_link_report report;
};

struct il_model {
    size_t dim[2];
    double posterior;
};

struct fake_row {
    uint64_t key;
    float group; /* 0: none is here */
};

struct fake_link {
    uint32_t a, b;
    int seed;
};

struct il_live {
    const struct il_model *model;
    struct il_pair seeds[64];
    size_t seed_count;
    struct fake_row row[2][FAKE_ROWS];
    uint32_t leaving[2][FAKE_ROWS]; /* numbers that come again after the next settle */
    size_t leaving_count[2], used[2];
    struct fake_link links[FAKE_ROWS];
    size_t link_count;
    uint64_t calibrations;
};

/* What bootstraps were given. */
static struct {
    int runs;
    size_t warm, seeds, rows[2];
    int wait; /* 1: it ends when `go` is set, or is cancelled */
    atomic_int go;
    int unlike; /* trial starts agreed on little */
} fake;

void il_link_config_init(struct il_link_config *config)
{
    *config = (struct il_link_config){.struct_bytes = sizeof(*config)};
}

const struct il_link_report *il_link_report(const struct il_linking *linking)
{
    return &linking->report;
}

void il_link_close(struct il_linking **linking)
{
    il_free(*linking);
    *linking = NULL;
}

enum il_status il_link_model(struct il_linking **out, struct il_model **model,
                             const struct il_matrix *a, const struct il_matrix *b,
                             const uint64_t *const keys[2], const struct il_pair *seeds,
                             size_t seed_count, const struct il_warm *warm,
                             const struct il_link_config *config, struct il_error *error)
{
    (void)keys;
    *model = NULL;
    fake.runs++;
    fake.warm = warm ? warm->count : 0;
    fake.seeds = seed_count;
    fake.rows[0] = a->rows;
    fake.rows[1] = b->rows;
    while (fake.wait && !atomic_load(&fake.go)) {
        if (atomic_load(config->cancel))
            return il_fail(error, IL_ECANCEL, "fake: cancelled");
        usleep(100);
    }
    *out = il_alloc_zero(1, sizeof(**out));
    if (!*out)
        return il_fail(error, IL_ENOMEM, "fake: no memory");
    for (size_t i = 0; i < seed_count; i++)
        if (seeds[i].a >= a->rows || seeds[i].b >= b->rows)
            return il_fail(error, IL_EARG, "fake: a seed is no row");
    if (seed_count < 3)
        return il_fail(error, IL_EBOOTSTRAP, "fake: %zu seeds", seed_count);
    *model = il_alloc_zero(1, sizeof(**model));
    if (!*model)
        return il_fail(error, IL_ENOMEM, "fake: no memory");
    **model = (struct il_model){{a->dim, b->dim}, (double)a->rows / 1000};
    return IL_OK;
}

void il_model_free(struct il_model **model)
{
    il_free(*model);
    *model = NULL;
}

size_t il_model_dim(const struct il_model *model, int side)
{
    return model->dim[side];
}

double il_model_agreement(const struct il_model *model)
{
    (void)model;
    return fake.unlike ? 0.5 : 0.8;
}

size_t il_model_anchors(const struct il_model *model)
{
    return (size_t)(1000 * model->posterior);
}

enum il_status il_model_write(const struct il_model *model, unsigned char **data,
                              size_t *bytes)
{
    *bytes = sizeof(*model);
    *data = il_alloc(*bytes, 1);
    if (!*data)
        return IL_ENOMEM;
    memcpy(*data, model, *bytes);
    return IL_OK;
}

enum il_status il_model_read(struct il_model **out, const unsigned char *data,
                             size_t bytes, const char *name, struct il_error *error)
{
    *out = NULL;
    if (bytes != sizeof(**out))
        return il_fail(error, IL_ECORRUPT, "%s: %zu bytes", name, bytes);
    *out = il_alloc(bytes, 1);
    if (!*out)
        return il_fail(error, IL_ENOMEM, "%s: no memory", name);
    memcpy(*out, data, bytes);
    return IL_OK;
}

enum il_status il_live_open(struct il_live **out, const struct il_model *model,
                            const struct il_live_config *config)
{
    struct il_live *l = il_alloc_zero(1, sizeof(*l));
    *out = l;
    if (!l)
        return IL_ENOMEM;
    l->model = model;
    assert_true(config->seed_count <= 64);
    memcpy(l->seeds, config->seeds, config->seed_count * sizeof(*l->seeds));
    l->seed_count = config->seed_count;
    return IL_OK;
}

void il_live_close(struct il_live **live)
{
    il_free(*live);
    *live = NULL;
}

enum il_status il_live_add(struct il_live *l, int side, size_t count,
                           const uint64_t *keys, const float *rows, uint32_t *handles)
{
    for (size_t i = 0; i < count; i++) {
        uint32_t at = 0;
        for (size_t k = 0; k < l->used[side]; k++)
            if (l->row[side][k].group != 0 && l->row[side][k].key == keys[i])
                fail_msg("a key comes twice");
        /* Numbers of rows that left are not given before the next settle. */
        for (int taken = 1; taken; at += (uint32_t)taken) {
            taken = l->row[side][at].group != 0;
            for (size_t k = 0; k < l->leaving_count[side]; k++)
                taken |= l->leaving[side][k] == at;
        }
        assert_true(at < FAKE_ROWS);
        l->row[side][at] = (struct fake_row){keys[i], rows[i * l->model->dim[side]]};
        if (at >= l->used[side])
            l->used[side] = at + 1;
        handles[i] = at;
    }
    return IL_OK;
}

enum il_status il_live_remove(struct il_live *l, int side, uint32_t handle)
{
    if (handle >= l->used[side] || l->row[side][handle].group == 0)
        fail_msg("handle %u of no row is removed", handle);
    l->row[side][handle].group = 0;
    l->leaving[side][l->leaving_count[side]++] = handle;
    return IL_OK;
}

/* The row of a side with this key, or group, or FAKE_ROWS. */
static uint32_t fake_find(const struct il_live *l, int side, const uint64_t *key,
                          float group)
{
    uint32_t found = FAKE_ROWS;
    for (uint32_t i = 0; i < l->used[side]; i++) {
        const struct fake_row *r = &l->row[side][i];
        if (r->group == 0 || (key ? r->key != *key : r->group != group))
            continue;
        if (found == FAKE_ROWS || r->key < l->row[side][found].key)
            found = i;
    }
    return found;
}

/* All links, by handle of A. */
static size_t fake_judge(const struct il_live *l, struct fake_link *out)
{
    size_t count = 0;
    for (uint32_t a = 0; a < l->used[0]; a++) {
        const struct fake_row *r = &l->row[0][a];
        uint32_t b = FAKE_ROWS;
        int seed = 0;
        if (r->group == 0)
            continue;
        for (size_t i = 0; i < l->seed_count && !seed; i++)
            if (l->seeds[i].a == r->key) {
                b = fake_find(l, 1, &l->seeds[i].b, 0);
                seed = b < FAKE_ROWS;
            }
        if (!seed && fake_find(l, 0, NULL, r->group) == a) {
            b = fake_find(l, 1, NULL, r->group);
            for (size_t i = 0; b < FAKE_ROWS && i < l->seed_count; i++)
                if (l->seeds[i].b == l->row[1][b].key &&
                    fake_find(l, 0, &l->seeds[i].a, 0) < FAKE_ROWS)
                    b = FAKE_ROWS;
        }
        if (b < FAKE_ROWS)
            out[count++] = (struct fake_link){a, b, seed};
    }
    return count;
}

static int fake_has(const struct fake_link *links, size_t count, struct fake_link link)
{
    for (size_t i = 0; i < count; i++)
        if (links[i].a == link.a && links[i].b == link.b)
            return 1;
    return 0;
}

static void fake_tell(const struct il_live *l, const struct fake_link *link, int linked,
                      il_live_change_fn *change, void *context)
{
    change(context,
           &(struct il_live_change){.a = link->a,
                                    .b = link->b,
                                    .linked = linked,
                                    .seed = link->seed,
                                    .posterior = link->seed ? 1 : l->model->posterior});
}

enum il_status il_live_settle(struct il_live *l, int calibrate, il_live_change_fn *change,
                              void *context)
{
    static _Thread_local struct fake_link now[FAKE_ROWS];
    const size_t count = fake_judge(l, now);
    l->calibrations += calibrate != 0;
    for (int side = 0; side < 2; side++)
        for (size_t i = 0; i < l->link_count; i++)
            for (size_t k = 0; k < l->leaving_count[side]; k++)
                if ((side ? l->links[i].b : l->links[i].a) == l->leaving[side][k])
                    assert_false(fake_has(now, count, l->links[i]));
    for (size_t i = 0; i < l->link_count; i++)
        if (!fake_has(now, count, l->links[i]))
            fake_tell(l, &l->links[i], 0, change, context);
    for (size_t i = 0; i < count; i++)
        if (!fake_has(l->links, l->link_count, now[i]))
            fake_tell(l, &now[i], 1, change, context);
    memcpy(l->links, now, count * sizeof(*now));
    l->link_count = count;
    l->leaving_count[0] = l->leaving_count[1] = 0;
    return IL_OK;
}

void il_live_links(const struct il_live *l, il_live_change_fn *each, void *context)
{
    for (size_t i = 0; i < l->link_count; i++)
        fake_tell(l, &l->links[i], 1, each, context);
}

void il_live_describe(const struct il_live *l, struct il_live_info *out)
{
    *out = (struct il_live_info){.links = l->link_count,
                                 .precision = l->model->posterior,
                                 .calibrations = l->calibrations};
}

#endif
