/* SPDX-License-Identifier: Apache-2.0 */
/*
 * K-means on the matcher: a centre c is a column with the tail [-|c|^2 / 2, 1], a point a
 * row with the tail [1, -0], so that the best column of a row is its nearest centre and
 * the three best are known to the views that a row may join.
 */
#include "src/link/partition.h"

#include <string.h>

/* The last number is IL_VIEW_NONE. */
#define VIEWS_MAX 65534

void il_partition_options_init(struct il_partition_options *options)
{
    *options = (struct il_partition_options){.pool_min = 16384,
                                             .anchors_max = 1024,
                                             .anchors_min = 8,
                                             .nearest = 2,
                                             .turns = 8,
                                             .replicates = 5};
}

void il_partition_free(struct il_partition *partition)
{
    il_partition_trim(partition);
    il_free(partition->joined[0]);
    il_free(partition->joined[1]);
    memset(partition, 0, sizeof *partition);
}

void il_partition_trim(struct il_partition *partition)
{
    il_free(partition->anchor);
    il_free(partition->anchor_first);
    partition->anchor = NULL;
    partition->anchor_first = NULL;
}

/* What the turns of k-means share. side[0] is A. */
struct kmeans {
    struct il_frame *frame;
    const struct il_side *side[2];
    size_t count, views;
    float *point[2];  /* rows of the anchors, count x d */
    float *centre[2]; /* views x d */
    float *half[2];   /* half the squared length of each centre */
    float *both;      /* sum of half over the sides */
    struct il_top3 *near;
    uint32_t *member; /* anchors by cluster, ascending inside */
    size_t *first;    /* views + 1 */
};

static void kmeans_close(struct kmeans *k)
{
    for (int side = 0; side < 2; side++) {
        il_free(k->point[side]);
        il_free(k->centre[side]);
        il_free(k->half[side]);
    }
    il_free(k->both);
    il_free(k->near);
    il_free(k->member);
    il_free(k->first);
}

static enum il_status kmeans_open(struct kmeans *k, const struct il_anchor *pool)
{
    size_t most = k->count;
    int got = 1;
    for (int side = 0; side < 2; side++) {
        size_t d = k->side[side]->d;
        most = k->side[side]->rows > most ? k->side[side]->rows : most;
        k->point[side] = il_alloc(k->count * d, sizeof(float));
        k->centre[side] = il_alloc(k->views * d, sizeof(float));
        k->half[side] = il_alloc(k->views, sizeof(float));
        got = got && k->point[side] && k->centre[side] && k->half[side];
        for (size_t i = 0; got && i < k->count; i++) {
            size_t row = side ? pool[i].b : pool[i].a;
            memcpy(k->point[side] + i * d, k->side[side]->x + row * d, d * sizeof(float));
        }
    }
    k->both = il_alloc(k->views, sizeof *k->both);
    k->near = il_top3_new(most);
    k->member = il_alloc(k->count, sizeof *k->member);
    k->first = il_alloc(k->views + 1, sizeof *k->first);
    got = got && k->both && k->near && k->member && k->first;
    return got ? IL_OK : IL_ENOMEM;
}

static void measure_centre(struct kmeans *k, size_t c)
{
    for (int side = 0; side < 2; side++) {
        size_t d = k->side[side]->d;
        const float *centre = k->centre[side] + c * d;
        k->half[side][c] = 0.5f * k->frame->simd->dot_f32(centre, centre, d);
    }
    k->both[c] = k->half[0][c] + k->half[1][c];
}

/* Moves one centre to the mean of its members, summed in f64, a few coordinates at a
 * time. */
static void centre_task(void *context, size_t c, unsigned thread)
{
    (void)thread;
    enum { WIDTH = 64 };
    struct kmeans *k = context;
    size_t count = k->first[c + 1] - k->first[c];
    const uint32_t *member = k->member + k->first[c];
    for (int side = 0; side < 2 && count; side++) {
        size_t d = k->side[side]->d;
        for (size_t from = 0; from < d; from += WIDTH) {
            size_t width = d - from < WIDTH ? d - from : WIDTH;
            double sum[WIDTH] = {0};
            for (size_t i = 0; i < count; i++) {
                const float *point = k->point[side] + member[i] * d + from;
                for (size_t q = 0; q < width; q++) {
                    sum[q] += point[q];
                }
            }
            for (size_t q = 0; q < width; q++) {
                k->centre[side][c * d + from + q] = (float)(sum[q] / (double)count);
            }
        }
    }
    measure_centre(k, c);
}

/* Nearest centres of every anchor, then the anchors by cluster. */
static enum il_status assign(struct kmeans *k)
{
    struct il_signature point = {.parts = 2};
    struct il_signature centre = {.parts = 2, .radius = k->both};
    for (int side = 0; side < 2; side++) {
        size_t d = k->side[side]->d;
        point.part[side] = (struct il_part){k->point[side], d, NULL, d, 0};
        centre.part[side] = (struct il_part){k->centre[side], d, NULL, d, 0};
    }
    enum il_status status =
        il_nearest(k->frame, &point, k->count, &centre, NULL, k->views, k->near);
    if (status) {
        return status;
    }
    memset(k->first, 0, (k->views + 1) * sizeof *k->first);
    for (size_t i = 0; i < k->count; i++) {
        IL_ASSERT(k->near[i].index[0] < k->views); /* rows of a side are finite */
        k->first[k->near[i].index[0] + 1]++;
    }
    for (size_t c = 0; c < k->views; c++) {
        k->first[c + 1] += k->first[c];
    }
    for (size_t i = 0; i < k->count; i++) {
        k->member[k->first[k->near[i].index[0]]++] = (uint32_t)i;
    }
    /* The loop has moved every start to the next one's. */
    memmove(k->first + 1, k->first, k->views * sizeof *k->first);
    k->first[0] = 0;
    return IL_OK;
}

static enum il_status kmeans_run(struct kmeans *k, unsigned turns, struct il_rng *rng)
{
    uint32_t *pick = il_alloc(k->views, sizeof *pick);
    if (!pick) {
        return IL_ENOMEM;
    }
    il_rng_sample(rng, (uint32_t)k->count, (uint32_t)k->views, pick);
    for (size_t c = 0; c < k->views; c++) {
        for (int side = 0; side < 2; side++) {
            size_t d = k->side[side]->d;
            memcpy(k->centre[side] + c * d, k->point[side] + pick[c] * d,
                   d * sizeof(float));
        }
        measure_centre(k, c);
    }
    il_free(pick);
    enum il_status status = assign(k);
    for (unsigned t = 0; t < turns && !status; t++) {
        il_pool_run(k->frame->pool, k->views, centre_task, k);
        status = assign(k);
    }
    return status;
}

/* The anchors of every view; opens (lists) the views that have enough of them. */
static enum il_status take_anchors(struct kmeans *k,
                                   const struct il_partition_options *options,
                                   struct il_rng *rng, struct il_partition *out,
                                   uint32_t *open, size_t *open_count)
{
    out->anchor = il_alloc(k->count, sizeof *out->anchor);
    out->anchor_first = il_alloc(k->views + 1, sizeof *out->anchor_first);
    uint32_t *pick = il_alloc(options->anchors_max, sizeof *pick);
    enum il_status status = out->anchor && out->anchor_first && pick ? IL_OK : IL_ENOMEM;
    size_t at = 0;
    for (size_t c = 0; c < k->views && !status; c++) {
        const uint32_t *member = k->member + k->first[c];
        size_t count = k->first[c + 1] - k->first[c];
        out->anchor_first[c] = at;
        if (count < options->anchors_min) {
            continue;
        }
        if (count > options->anchors_max) {
            il_rng_sample(rng, (uint32_t)count, (uint32_t)options->anchors_max, pick);
            for (size_t i = 0; i < options->anchors_max; i++) {
                out->anchor[at++] = member[pick[i]];
            }
        } else {
            memcpy(out->anchor + at, member, count * sizeof *member);
            at += count;
        }
        if (at > out->anchor_first[c]) {
            open[(*open_count)++] = (uint32_t)c;
        }
    }
    if (!status) {
        out->anchor_first[k->views] = at;
    }
    il_free(pick);
    return status;
}

/* Lets every row of one side join the open views whose centres on that side are nearest.
 */
static enum il_status join_side(struct kmeans *k, int side, const uint32_t *open,
                                size_t open_count, struct il_partition *out)
{
    size_t rows = k->side[side]->rows, d = k->side[side]->d;
    out->joined[side] = il_alloc(rows * out->nearest, sizeof(uint16_t));
    if (!out->joined[side]) {
        return IL_ENOMEM;
    }
    const struct il_signature row = {.part = {{k->side[side]->x, d, NULL, d, 0}},
                                     .parts = 1};
    const struct il_signature centre = {
        .part = {{k->centre[side], d, NULL, d, 0}}, .parts = 1, .radius = k->half[side]};
    enum il_status status =
        il_nearest(k->frame, &row, rows, &centre, open, open_count, k->near);
    for (size_t i = 0; i < rows && !status; i++) {
        for (unsigned e = 0; e < out->nearest; e++) {
            uint32_t view = k->near[i].index[e];
            out->joined[side][i * out->nearest + e] =
                view == IL_INDEX_NONE ? IL_VIEW_NONE : (uint16_t)view;
        }
    }
    return status;
}

enum il_status il_partition_build(struct il_frame *frame, const struct il_side *a,
                                  const struct il_side *b, const struct il_anchor *pool,
                                  size_t count,
                                  const struct il_partition_options *options,
                                  uint64_t round, uint64_t replicate,
                                  struct il_partition *out)
{
    memset(out, 0, sizeof *out);
    if (count == 0 || count > UINT32_MAX || options->anchors_max == 0 ||
        options->nearest == 0 || options->nearest > IL_TOP) {
        return IL_EARG;
    }
    struct kmeans k = {.frame = frame,
                       .side = {a, b},
                       .count = count,
                       .views = (count - 1) / options->anchors_max + 1};
    if (k.views > VIEWS_MAX) {
        return IL_ELIMIT;
    }
    struct il_rng rng = il_rng_make(frame->seed, round, replicate, IL_FOR_PARTITION);
    *out = (struct il_partition){
        .views = k.views, .nearest = options->nearest, .rows = {a->rows, b->rows}};
    size_t open_count = 0;
    uint32_t *open = il_alloc(k.views, sizeof *open);
    enum il_status status = open ? kmeans_open(&k, pool) : IL_ENOMEM;
    status = status ? status : kmeans_run(&k, options->turns, &rng);
    status = status ? status : take_anchors(&k, options, &rng, out, open, &open_count);
    for (int side = 0; side < 2 && !status; side++) {
        status = join_side(&k, side, open, open_count, out);
    }
    kmeans_close(&k);
    il_free(open);
    if (status) {
        il_partition_free(out);
    }
    return status;
}

size_t il_partition_members(const struct il_partition *partition, int side, size_t view,
                            uint32_t *out)
{
    size_t count = 0, nearest = partition->nearest;
    const uint16_t *joined = partition->joined[side];
    for (size_t i = 0; i < partition->rows[side]; i++) {
        int in = 0;
        for (size_t e = 0; e < nearest; e++) {
            in |= joined[i * nearest + e] == view;
        }
        if (in) {
            out[count++] = (uint32_t)i;
        }
    }
    return count;
}

int il_partition_meets(const struct il_partition *partition, uint32_t a, uint32_t b)
{
    size_t nearest = partition->nearest;
    const uint16_t *of_a = partition->joined[0] + a * nearest;
    const uint16_t *of_b = partition->joined[1] + b * nearest;
    int met = 0;
    for (size_t e = 0; e < nearest; e++) {
        for (size_t f = 0; f < nearest; f++) {
            met |= of_a[e] == of_b[f] && of_a[e] != IL_VIEW_NONE;
        }
    }
    return met;
}
