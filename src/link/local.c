/* SPDX-License-Identifier: Apache-2.0 */
/*
 * K-means over the signatures, then the matcher inside every cluster. Rows near a border
 * are kept by joining several clusters and by several partitions; a right pair is lost
 * only where its two rows share none of them.
 */
#include "src/link/local.h"

#include <math.h>
#include <string.h>

#include "src/link/kmeans.h"

/* Rows of the sample per centre, and Lloyd's turns: more changed no link count by more
   than 0.1%. */
#define SAMPLE_PER_CENTRE 48
#define TURNS 6
/* Clusters of a partition: the assignment costs rows x clusters. */
#define CLUSTERS_MAX 4096

void il_local_options_init(struct il_local_options *options)
{
    *options = (struct il_local_options){.rows = 1500, .nearest = 3, .replicates = 1};
}

/* Rows of one side by cluster, ascending inside a cluster. */
struct members {
    uint32_t *row;
    size_t *first; /* clusters + 1 */
};

struct local {
    struct il_frame *frame;
    struct il_signature sig[2];
    size_t rows[2];
    size_t d; /* coordinates of a signature without tail */
    const struct il_local_options *options;
    size_t clusters;
    float *point; /* the sample, sample_count x d */
    size_t sample_count;
    float *centre; /* clusters x d */
    float *half;   /* half the squared length of each centre */
    struct il_top3 *near;
    struct members members[2];
    struct il_top3 *row, *col; /* of one cluster: rows by number, columns by place */
};

static void local_close(struct local *l)
{
    il_free(l->point);
    il_free(l->centre);
    il_free(l->half);
    il_free(l->near);
    il_free(l->row);
    il_free(l->col);
    for (int side = 0; side < 2; side++) {
        il_free(l->members[side].row);
        il_free(l->members[side].first);
    }
}

/* What k-means needs; near has room for the sample and `most` rows. */
static enum il_status cluster_open(struct local *l, size_t most)
{
    most = l->sample_count > most ? l->sample_count : most;
    l->point = il_alloc(l->sample_count * l->d, sizeof *l->point);
    l->centre = il_alloc(l->clusters * l->d, sizeof *l->centre);
    l->half = il_alloc(l->clusters, sizeof *l->half);
    l->near = il_top3_new(most);
    return l->point && l->centre && l->half && l->near ? IL_OK : IL_ENOMEM;
}

static enum il_status local_open(struct local *l)
{
    enum il_status status =
        cluster_open(l, l->rows[0] > l->rows[1] ? l->rows[0] : l->rows[1]);
    l->row = il_top3_new(l->rows[0]);
    l->col = il_top3_new(l->rows[1]);
    int got = !status && l->row && l->col;
    for (int side = 0; side < 2; side++) {
        struct members *m = &l->members[side];
        m->row = il_alloc(l->rows[side] * l->options->nearest, sizeof *m->row);
        m->first = il_alloc(l->clusters + 1, sizeof *m->first);
        got = got && m->row && m->first;
    }
    return got ? IL_OK : IL_ENOMEM;
}

/* The coordinates of one row, parts side by side. */
static void gather(const struct il_signature *s, uint32_t row, float *out)
{
    for (size_t p = 0; p < s->parts; p++) {
        size_t d = s->part[p].d;
        const float *x = s->part[p].x;
        /* a part has rows; said for the analyzer, which loses track of it in the call */
        if (x && !il_large_gather(x, d * sizeof *out, &row, 1, out)) {
            memcpy(out, x + row * d, d * sizeof *out);
        }
        out += d;
    }
}

/* Half of the sample from each side, in turns, so that every stretch holds both. */
static enum il_status take_sample(struct local *l, struct il_rng *rng)
{
    uint32_t *pick = il_alloc(l->sample_count, sizeof *pick);
    if (!pick) {
        return IL_ENOMEM;
    }
    for (int side = 0; side < 2; side++) {
        size_t count = (l->sample_count + (side == 0)) / 2;
        il_rng_sample(rng, (uint32_t)l->rows[side], (uint32_t)count, pick);
        for (size_t i = 0; i < count; i++) {
            if (i % IL_LOOK_ROWS == 0) {
                il_large_look();
            }
            gather(&l->sig[side], pick[i], l->point + (2 * i + (size_t)side) * l->d);
        }
    }
    il_free(pick);
    return IL_OK;
}

static struct il_kmeans kmeans_of(const struct local *l)
{
    return (struct il_kmeans){.point = l->point,
                              .count = l->sample_count,
                              .d = l->d,
                              .centres = l->clusters,
                              .centre = l->centre,
                              .half = l->half,
                              .near = l->near};
}

static enum il_status cluster(struct local *l, struct il_rng *rng)
{
    const struct il_kmeans k = kmeans_of(l);
    enum il_status status = take_sample(l, rng);
    return status ? status : il_kmeans_run(l->frame, &k, TURNS, rng);
}

/* Sorts the rows of a side by the clusters that they join. */
static enum il_status join(struct local *l, int side)
{
    struct members *m = &l->members[side];
    const struct il_kmeans k = kmeans_of(l);
    enum il_status status =
        il_kmeans_nearest(l->frame, &k, &l->sig[side], l->rows[side], l->near);
    memset(m->first, 0, (l->clusters + 1) * sizeof *m->first);
    for (int pass = 0; pass < 2 && !status; pass++) {
        for (size_t i = 0; i < l->rows[side]; i++) {
            for (unsigned e = 0; e < l->options->nearest; e++) {
                uint32_t c = l->near[i].index[e];
                if (c == IL_INDEX_NONE) {
                    break;
                }
                if (pass) {
                    m->row[m->first[c]++] = (uint32_t)i;
                } else {
                    m->first[c + 1]++;
                }
            }
        }
        for (size_t c = 0; c < l->clusters && !pass; c++) {
            m->first[c + 1] += m->first[c];
        }
    }
    /* The second pass has moved every start to the next one's. */
    memmove(m->first + 1, m->first, l->clusters * sizeof *m->first);
    m->first[0] = 0;
    return status;
}

/* Adds the entries of a list that `to` does not hold: a pair may meet in several
 * clusters. */
static void merge(struct il_top3 *to, const struct il_top3 *from)
{
    for (int e = 0; e < IL_TOP && from->index[e] != IL_INDEX_NONE; e++) {
        int known = 0;
        for (int i = 0; i < IL_TOP; i++) {
            known |= to->index[i] == from->index[e];
        }
        if (!known) {
            il_top3_insert(to, from->value[e], from->index[e]);
        }
    }
}

/* The lists of a cluster go into those of all rows: its rows first, then its columns. */
struct merging {
    const struct local *l;
    const uint32_t *rows, *cols;
    size_t n, m;
    struct il_top3 *row, *col;
};

#define MERGE_BLOCK 512

static void merge_task(void *context, size_t task, unsigned thread)
{
    (void)thread;
    const struct merging *g = context;
    size_t all = g->n + g->m, last = (task + 1) * MERGE_BLOCK;
    last = last < all ? last : all;
    for (size_t i = task * MERGE_BLOCK; i < last; i++) {
        if (i < g->n) {
            merge(&g->row[g->rows[i]], &g->l->row[g->rows[i]]);
        } else {
            merge(&g->col[g->cols[i - g->n]], &g->l->col[i - g->n]);
        }
    }
}

static enum il_status match_cluster(struct local *l, size_t c, struct il_top3 *row,
                                    struct il_top3 *col)
{
    const uint32_t *rows = l->members[0].row + l->members[0].first[c];
    const uint32_t *cols = l->members[1].row + l->members[1].first[c];
    size_t n = l->members[0].first[c + 1] - l->members[0].first[c];
    size_t m = l->members[1].first[c + 1] - l->members[1].first[c];
    struct il_panels panels = {0};
    if (n == 0 || m == 0) {
        return IL_OK;
    }
    for (size_t i = 0; i < n; i++) {
        il_top3_begin(&l->row[rows[i]], row[rows[i]].value[IL_TOP - 1]);
    }
    for (size_t j = 0; j < m; j++) {
        il_top3_begin(&l->col[j], col[cols[j]].value[IL_TOP - 1]);
    }
    enum il_status status = il_panels_build(l->frame, &l->sig[1], cols, m, &panels);
    panels.index = cols;
    status = status ? status
                    : il_match(l->frame, &l->sig[0], rows, n, &panels, l->row, l->col);
    il_panels_free(&panels);
    if (!status) {
        struct merging g = {l, rows, cols, n, m, row, col};
        il_pool_run(l->frame->pool, (n + m + MERGE_BLOCK - 1) / MERGE_BLOCK, merge_task,
                    &g);
    }
    return status;
}

static enum il_status match_all(struct il_frame *frame, const struct il_signature *a,
                                size_t n, const struct il_signature *b, size_t m,
                                struct il_top3 *row, struct il_top3 *col)
{
    struct il_panels panels = {0};
    enum il_status status = il_panels_build(frame, b, NULL, m, &panels);
    status = status ? status : il_match(frame, a, NULL, n, &panels, row, col);
    il_panels_free(&panels);
    return status;
}

/* Clusters of a partition, and the rows that k-means sees; 0 when all rows meet. */
static size_t cluster_count(size_t n, size_t m, const struct il_local_options *options,
                            size_t *sample)
{
    size_t least = n < m ? n : m;
    double mean = sqrt((double)n * (double)m) * options->nearest;
    size_t clusters = (size_t)(mean / (double)options->rows);
    clusters = clusters < CLUSTERS_MAX ? clusters : CLUSTERS_MAX;
    *sample = 2 * (clusters * SAMPLE_PER_CENTRE / 2);
    *sample = *sample < 2 * least ? *sample : 2 * least;
    /* Each row meets nearest^2 / clusters of the other side, a replicate. */
    size_t dear = (size_t)options->nearest * options->nearest * options->replicates;
    return clusters <= dear || *sample < clusters ? 0 : clusters;
}

/* What both calls below begin with. */
static struct local local_make(struct il_frame *frame, const struct il_signature *a,
                               size_t n, const struct il_signature *b, size_t m,
                               const struct il_local_options *options)
{
    struct local l = {
        .frame = frame, .sig = {*a, *b}, .rows = {n, m}, .options = options};
    l.clusters = cluster_count(n, m, options, &l.sample_count);
    for (size_t p = 0; p < a->parts; p++) {
        l.d += a->part[p].d;
    }
    return l;
}

size_t il_local_clusters(size_t n, size_t m, const struct il_local_options *options)
{
    size_t sample;
    return cluster_count(n, m, options, &sample);
}

enum il_status il_local_centres(struct il_frame *frame, const struct il_signature *a,
                                size_t n, const struct il_signature *b, size_t m,
                                const struct il_local_options *options, uint64_t round,
                                float *centre)
{
    struct local l = local_make(frame, a, n, b, m, options);
    size_t cells = l.clusters * l.d;
    enum il_status status = cluster_open(&l, 0);
    for (unsigned r = 0; r < options->replicates && !status; r++) {
        struct il_rng rng = il_rng_make(frame->seed, round, r, IL_FOR_LOCAL);
        status = cluster(&l, &rng);
        if (!status) {
            memcpy(centre + r * cells, l.centre, cells * sizeof *centre);
        }
    }
    local_close(&l);
    return status;
}

enum il_status il_match_local(struct il_frame *frame, const struct il_signature *a,
                              size_t n, const struct il_signature *b, size_t m,
                              const struct il_local_options *options, uint64_t round,
                              struct il_top3 *row, struct il_top3 *col)
{
    struct local l = local_make(frame, a, n, b, m, options);
    if (l.clusters == 0) {
        return match_all(frame, a, n, b, m, row, col);
    }
    enum il_status status = local_open(&l);
    for (unsigned r = 0; r < options->replicates && !status; r++) {
        struct il_rng rng = il_rng_make(frame->seed, round, r, IL_FOR_LOCAL);
        status = cluster(&l, &rng);
        for (int side = 0; side < 2 && !status; side++) {
            status = join(&l, side);
        }
        for (size_t c = 0; c < l.clusters && !status; c++) {
            status = match_cluster(&l, c, row, col);
        }
    }
    local_close(&l);
    return status;
}
