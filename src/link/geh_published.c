/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `geh-published`: the method of "Vector Linking via Cross-Model Local Isometric
 * Consistency" (arXiv 2605.31100) as it is summarised, the yardstick of `geh`. L = anchor
 * pool, S = seeds.
 *
 * Round t of 8: g = |L| / |S|; m_t = ceil(m0 (1 + c ln g)) views of s_t = ceil(rho0 |L| /
 * g^0.75) anchors (the exponent, and 8 <= s_t <= 256, are our assumptions), drawn by
 * greedy farthest point sampling on side A from random subsets of the pool. A row's
 * signature in a view is the unit vector of its centred distances sqrt(2 - 2 <p, a_j>) to
 * the view's anchors a_j on its own side. Mutual nearest neighbours of the signatures are
 * the view's votes; they add up over views and rounds (votes.h). Pairs above Otsu's
 * threshold of the posteriors, one to one, and the seeds are the next pool. From pool_min
 * anchors on the views are local (partition.h): the first local round starts the votes
 * anew, for a view of all rows and a replicate are not the same kind of voter.
 *
 * Votes are not out of fold: a pair that is an anchor votes for itself through its own
 * distance, so the posterior is a share of votes rather than a calibrated probability.
 */
#include <math.h>
#include <string.h>

#include "src/link/partition.h"
#include "src/link/start.h"
#include "src/link/votes.h"

#define ROUNDS 8
/* Views of the first round (m0), and their growth with ln g (c). */
#define VIEWS_FIRST 30
#define VIEWS_GROWTH 1.0
/* Share of the pool in a view at g = 1 (rho0). */
#define POOL_SHARE 0.7
#define ANCHORS_MIN 8
#define ANCHORS_MAX 256
/* Anchors of a round that views are drawn from: their 3,000^2 products take 36 MB. */
#define SUBSET_MAX 3000
/* Rows of one task of the signatures; also the length of the f32 chains of the column
 * sums. */
#define BLOCK 256
/* Votes in the buffer (16 MB), and pairs kept for each row of the smaller side. */
#define FRESH_MAX ((size_t)1 << 19)
#define TALLY_PER_ROW 128

/* What all rounds share. [0] is side A, [1] is side B. */
struct run {
    struct il_method_job *job;
    struct il_frame *frame;
    const struct il_side *side[2];
    const struct il_partition_options *options;
    struct il_anchor *pool; /* seeds first */
    size_t pool_count;
    uint8_t *seeded[2]; /* of every row: 1 = in a seed */
    float *sign[2];     /* signatures of the view, grown as needed */
    size_t sign_room[2];
    uint32_t *anchor[2]; /* rows of the view's anchors */
    uint32_t *member[2]; /* rows of a local view */
    struct il_top3 *row, *col;
    struct il_mutual *pairs;
    struct il_votes votes;
    uint32_t views;        /* global views so far = opportunities of every pair */
    uint32_t views_before; /* before this round */
    int local;             /* 1 = views are local from now on */
    struct il_partition *partition; /* replicates so far */
    size_t partitions, partitions_before;
    double *theta; /* of every entry of the tally; -1 = no vote */
    uint8_t *keep;
};

static unsigned replicates_of(const struct run *r)
{
    return r->job->config->views ? r->job->config->views : r->options->replicates;
}

static void run_close(struct run *r)
{
    for (int side = 0; side < 2; side++) {
        il_free(r->seeded[side]);
        il_free(r->sign[side]);
        il_free(r->anchor[side]);
        il_free(r->member[side]);
    }
    for (size_t p = 0; p < r->partitions; p++) {
        il_partition_free(&r->partition[p]);
    }
    il_free(r->partition);
    il_free(r->pool);
    il_free(r->row);
    il_free(r->col);
    il_free(r->pairs);
    il_free(r->theta);
    il_free(r->keep);
    il_votes_free(&r->votes);
}

static enum il_status run_open(struct run *r)
{
    const struct il_method_job *job = r->job;
    size_t n = r->side[0]->rows, m = r->side[1]->rows, least = n < m ? n : m;
    size_t wide = r->options->anchors_max;
    wide = wide > ANCHORS_MAX ? wide : ANCHORS_MAX;
    int got = 1;
    for (int side = 0; side < 2; side++) {
        r->seeded[side] = il_alloc_zero(r->side[side]->rows, 1);
        r->anchor[side] = il_alloc(wide, sizeof(uint32_t));
        r->member[side] = il_alloc(r->side[side]->rows, sizeof(uint32_t));
        got = got && r->seeded[side] && r->anchor[side] && r->member[side];
    }
    r->pool = il_alloc(job->seed_count + least, sizeof *r->pool);
    r->row = il_top3_new(n);
    r->col = il_top3_new(m);
    r->pairs = il_alloc(least, sizeof *r->pairs);
    r->partition = il_alloc((size_t)ROUNDS * replicates_of(r), sizeof *r->partition);
    if (!got || !r->pool || !r->row || !r->col || !r->pairs || !r->partition) {
        return IL_ENOMEM;
    }
    for (size_t i = 0; i < job->seed_count; i++) {
        r->pool[r->pool_count++] = job->seeds[i];
        r->seeded[0][job->seeds[i].a] = 1;
        r->seeded[1][job->seeds[i].b] = 1;
    }
    return il_votes_open(&r->votes, m, FRESH_MAX, least * TALLY_PER_ROW);
}

/* out (count x k) = products of the rows (NULL: all) with the k anchors of their side. */
static enum il_status products(struct run *r, int side, const uint32_t *rows,
                               size_t count, const uint32_t *anchor, size_t k, float *out)
{
    const struct il_side *s = r->side[side];
    size_t nr = r->frame->simd->nr;
    float *gathered = il_alloc(k * s->d, sizeof *gathered);
    float *map = il_alloc((k + nr - 1) / nr * nr * s->d, sizeof *map);
    enum il_status status = gathered && map ? IL_OK : IL_ENOMEM;
    for (size_t j = 0; !status && j < k; j++) {
        memcpy(gathered + j * s->d, s->x + anchor[j] * s->d, s->d * sizeof *gathered);
    }
    if (!status) {
        r->frame->simd->pack_f32(gathered, k, s->d, s->d, nr, map);
        const struct il_part part = {s->x, s->d, map, k, 1};
        status = il_map_rows(r->frame, &part, rows, count, out);
    }
    il_free(map);
    il_free(gathered);
    return status;
}

/* Lower median of positive floats, whose bits are ordered like them: a byte at a time. */
static float median_positive(const float *x, size_t count)
{
    size_t rank = (count - 1) / 2;
    uint32_t prefix = 0; /* the median's bytes so far */
    for (int shift = 24; shift >= 0; shift -= 8) {
        size_t hist[256] = {0};
        for (size_t i = 0; i < count; i++) {
            uint32_t bits;
            memcpy(&bits, &x[i], sizeof bits);
            hist[bits >> shift & 255] += (uint64_t)bits >> (shift + 8) == prefix;
        }
        uint32_t byte = 0;
        while (hist[byte] <= rank) {
            rank -= hist[byte++];
        }
        prefix = prefix << 8 | byte;
    }
    float median;
    memcpy(&median, &prefix, sizeof median);
    return median;
}

/* Width of the Gaussian weighting: the median distance between two anchors of the view.
 */
static enum il_status weighting_width(struct run *r, int side, size_t k, float *width)
{
    const struct il_simd *simd = r->frame->simd;
    float *apart = il_alloc(k * k, sizeof *apart);
    if (!apart) {
        return IL_ENOMEM;
    }
    enum il_status status =
        products(r, side, r->anchor[side], k, r->anchor[side], k, apart);
    size_t count = 0;
    for (size_t i = 0; i < k * k; i++) {
        if (i / k != i % k) {
            apart[count++] = apart[i];
        }
    }
    simd->distance_f32(apart, count);
    *width = count ? median_positive(apart, count) : 1;
    il_free(apart);
    return status;
}

/* Products -> signatures, in blocks of rows. */
struct signing {
    const struct il_simd *simd;
    float *x;
    size_t count, k;
    float width; /* of the weighting; 0 = none */
    float *sum;  /* column sums of every block */
    float *mean;
};

static void distance_task(void *context, size_t task, unsigned thread)
{
    (void)thread;
    struct signing *s = context;
    size_t first = task * BLOCK;
    size_t count = s->count - first < BLOCK ? s->count - first : BLOCK;
    float *sum = s->sum + task * s->k;
    s->simd->distance_f32(s->x + first * s->k, count * s->k);
    if (s->width > 0) {
        s->simd->gauss_f32(s->x + first * s->k, count * s->k, s->width);
    }
    memset(sum, 0, s->k * sizeof *sum);
    for (size_t i = first; i < first + count; i++) {
        s->simd->axpy_f32(1, s->x + i * s->k, sum, s->k);
    }
}

static void centre_task(void *context, size_t task, unsigned thread)
{
    (void)thread;
    struct signing *s = context;
    size_t first = task * BLOCK;
    size_t count = s->count - first < BLOCK ? s->count - first : BLOCK;
    for (size_t i = first; i < first + count; i++) {
        s->simd->axpy_f32(-1, s->mean, s->x + i * s->k, s->k);
    }
    s->simd->normalise_f32(s->x + first * s->k, count, s->k, s->k);
}

/* Signs rows (NULL: all) of one side by their distances to the view's k anchors. */
static enum il_status sign_side(struct run *r, int side, const uint32_t *rows,
                                size_t count, size_t k)
{
    if (count * k > r->sign_room[side]) {
        il_free(r->sign[side]);
        r->sign_room[side] = count * k;
        r->sign[side] = il_alloc(count * k, sizeof(float));
    }
    size_t blocks = (count + BLOCK - 1) / BLOCK;
    struct signing s = {
        .simd = r->frame->simd, .x = r->sign[side], .count = count, .k = k};
    s.sum = il_alloc(blocks * k, sizeof *s.sum);
    s.mean = il_alloc(k, sizeof *s.mean);
    enum il_status status = s.x && s.sum && s.mean ? IL_OK : IL_ENOMEM;
    if (!s.x) {
        r->sign_room[side] = 0;
    }
    if (!status && r->job->config->weighting) {
        status = weighting_width(r, side, k, &s.width);
    }
    status = status ? status : products(r, side, rows, count, r->anchor[side], k, s.x);
    if (!status) {
        il_pool_run(r->frame->pool, blocks, distance_task, &s);
        for (size_t j = 0; j < k; j++) {
            double sum = 0;
            for (size_t block = 0; block < blocks; block++) {
                sum += s.sum[block * k + j];
            }
            s.mean[j] = (float)(sum / (double)count);
        }
        il_pool_run(r->frame->pool, blocks, centre_task, &s);
    }
    il_free(s.mean);
    il_free(s.sum);
    return status;
}

/* Matches rows of A against rows of B (NULL: all of the side) in the view of the k
   anchors in r->anchor. row[] goes by position among the rows of A and holds rows of B;
   col[] goes by position among the rows of B and holds positions among the rows of A. */
static enum il_status match_view(struct run *r, uint32_t *const rows[2],
                                 const size_t count[2], size_t k, struct il_top3 *row,
                                 struct il_top3 *col)
{
    struct il_signature s[2];
    enum il_status status = IL_OK;
    for (int side = 0; side < 2 && !status; side++) {
        status = sign_side(r, side, rows[side], count[side], k);
        s[side] = (struct il_signature){
            .part = {{r->sign[side], k, NULL, k, 0}}, .parts = 1, .scale = 1};
    }
    struct il_panels panels = {0};
    status = status ? status : il_panels_build(r->frame, &s[1], NULL, count[1], &panels);
    panels.index = rows[1];
    status =
        status ? status : il_match(r->frame, &s[0], NULL, count[0], &panels, row, col);
    il_panels_free(&panels);
    return status;
}

static void clear_lists(struct run *r)
{
    for (size_t u = 0; u < r->side[0]->rows; u++) {
        il_top3_clear(&r->row[u]);
    }
    for (size_t v = 0; v < r->side[1]->rows; v++) {
        il_top3_clear(&r->col[v]);
    }
}

/* Value of a list's second best; -1, the lowest cosine, without any. */
static float second_best(const struct il_top3 *list)
{
    return list->index[1] != IL_INDEX_NONE ? list->value[1] : -1;
}

/* One vote for every mutual pair of the lists. */
static enum il_status vote(struct run *r)
{
    enum il_status status = IL_OK;
    size_t count = il_mutual_pairs(r->row, r->side[0]->rows, r->col, r->pairs);
    for (size_t i = 0; i < count && !status; i++) {
        const struct il_mutual *p = &r->pairs[i];
        float by_row = second_best(&r->row[p->a]), by_col = second_best(&r->col[p->b]);
        status = il_votes_add(&r->votes, p->a, p->b,
                              p->score - (by_row > by_col ? by_row : by_col));
    }
    return status;
}

/* ln x for x >= 1: 2 atanh((f - 1) / (f + 1)) + e ln 2, x = f 2^e. libm's own log may
   differ by machine, and a view more or less changes the links. */
static double ln(double x)
{
    int e = 0;
    double f = 2 * frexp(x, &e);
    double z = (f - 1) / (f + 1), power = z, sum = 0;
    /* z < 1/3: 20 terms leave an error below 1e-19. */
    for (int k = 1; k < 40; k += 2) {
        sum += power / k;
        power *= z * z;
    }
    return 2 * sum + (e - 1) * 0.693147180559945309417;
}

/* Number of views of a round and their anchors. */
static void schedule(const struct run *r, size_t *views, size_t *anchors)
{
    double first = r->job->config->views ? r->job->config->views : VIEWS_FIRST;
    double size = (double)r->pool_count, g = size / (double)r->job->seed_count;
    *views = (size_t)ceil(first * (1 + VIEWS_GROWTH * ln(g)));
    size_t k = (size_t)ceil(POOL_SHARE * size / sqrt(sqrt(g * g * g)));
    k = k < ANCHORS_MIN ? ANCHORS_MIN : k;
    k = k > ANCHORS_MAX ? ANCHORS_MAX : k;
    *anchors = k < r->pool_count ? k : r->pool_count;
}

/* Anchors that the views of one round are drawn from. */
struct subset {
    size_t count;
    uint32_t *at;    /* pool positions, ascending */
    uint32_t *row_a; /* their rows of A */
    float *gram;     /* count x count: their products on side A */
    uint32_t *from;  /* room for the random part of one view */
    float *near;     /* likewise: largest product with an anchor that is taken */
};

static void subset_close(struct subset *s)
{
    il_free(s->at);
    il_free(s->row_a);
    il_free(s->gram);
    il_free(s->from);
    il_free(s->near);
}

static enum il_status subset_open(struct run *r, uint64_t round, struct subset *s)
{
    size_t count = r->pool_count < SUBSET_MAX ? r->pool_count : SUBSET_MAX;
    *s = (struct subset){.count = count};
    s->at = il_alloc(count, sizeof *s->at);
    s->row_a = il_alloc(count, sizeof *s->row_a);
    s->gram = il_alloc(count * count, sizeof *s->gram);
    s->from = il_alloc(count, sizeof *s->from);
    s->near = il_alloc(count, sizeof *s->near);
    if (!s->at || !s->row_a || !s->gram || !s->from || !s->near) {
        return IL_ENOMEM;
    }
    struct il_rng rng = il_rng_make(r->frame->seed, round, 0, IL_FOR_SAMPLE);
    il_rng_sample(&rng, (uint32_t)r->pool_count, (uint32_t)count, s->at);
    for (size_t i = 0; i < count; i++) {
        s->row_a[i] = r->pool[s->at[i]].a;
    }
    return products(r, 0, s->row_a, count, s->row_a, count, s->gram);
}

/*
 * Draws k anchors into r->anchor: greedy farthest point sampling on side A in a random
 * part of the subset (4 k anchors, 0.9 of a small subset), which is what makes the views
 * differ. Equally far: the first. Returns k, less when the part is smaller.
 */
static size_t draw_view(struct run *r, struct subset *s, uint64_t round, uint64_t view,
                        size_t k)
{
    struct il_rng rng = il_rng_make(r->frame->seed, round, view, IL_FOR_VIEW);
    size_t part = s->count > 100 ? 4 * k : s->count * 9 / 10;
    part = part < k ? k : part;
    part = part > s->count ? s->count : part;
    k = k < part ? k : part;
    il_rng_sample(&rng, (uint32_t)s->count, (uint32_t)part, s->from);
    for (size_t i = 0; i < part; i++) {
        s->near[i] = -INFINITY;
    }
    size_t next = (size_t)il_rng_below(&rng, part);
    for (size_t j = 0; j < k; j++) {
        const struct il_anchor *taken = &r->pool[s->at[s->from[next]]];
        const float *product = s->gram + s->from[next] * s->count;
        r->anchor[0][j] = taken->a;
        r->anchor[1][j] = taken->b;
        s->near[next] = INFINITY; /* never again */
        float far = INFINITY;
        for (size_t i = 0; i < part; i++) {
            float p = product[s->from[i]];
            s->near[i] = p > s->near[i] ? p : s->near[i];
            if (s->near[i] < far) {
                far = s->near[i];
                next = i;
            }
        }
    }
    return k;
}

static void progress(const struct run *r, uint64_t round, double share)
{
    if (r->job->config->progress) {
        r->job->config->progress(r->job->config->progress_context, "views",
                                 (double)(round - 1) + share, ROUNDS);
    }
}

static enum il_status round_global(struct run *r, uint64_t round)
{
    struct subset subset;
    size_t views = 0, anchors = 0;
    schedule(r, &views, &anchors);
    enum il_status status = subset_open(r, round, &subset);
    uint32_t *const all[2] = {NULL, NULL};
    const size_t count[2] = {r->side[0]->rows, r->side[1]->rows};
    for (size_t view = 0; view < views && !status; view++) {
        if (il_frame_cancelled(r->frame)) {
            status = IL_ECANCEL;
            break;
        }
        progress(r, round, (double)view / (double)views);
        size_t k = draw_view(r, &subset, round, view, anchors);
        clear_lists(r);
        status = match_view(r, all, count, k, r->row, r->col);
        status = status ? status : vote(r);
        r->views++;
    }
    subset_close(&subset);
    return status;
}

/* Enters a result of one local view into the list of all: a partner met in several views
   stands there once, with its best value. */
static void insert_once(struct il_top3 *list, float value, uint32_t index)
{
    int e = 0;
    while (e < IL_TOP && list->index[e] != index) {
        e++;
    }
    if (e < IL_TOP && value <= list->value[e]) {
        return;
    }
    for (; e + 1 < IL_TOP; e++) { /* takes the poorer value out */
        list->value[e] = list->value[e + 1];
        list->index[e] = list->index[e + 1];
    }
    if (e < IL_TOP) {
        list->value[e] = -INFINITY;
        list->index[e] = IL_INDEX_NONE;
    }
    il_top3_insert(list, value, index);
}

/* Matches the rows that joined one local view and enters the results into the global
 * lists. */
static enum il_status match_local(struct run *r, const struct il_partition *p,
                                  size_t view)
{
    const uint32_t *anchor = p->anchor + p->anchor_first[view];
    size_t k = p->anchor_first[view + 1] - p->anchor_first[view], count[2];
    for (int side = 0; side < 2; side++) {
        count[side] = il_partition_members(p, side, view, r->member[side]);
    }
    if (k == 0 || count[0] == 0 || count[1] == 0) {
        return IL_OK;
    }
    for (size_t j = 0; j < k; j++) {
        r->anchor[0][j] = r->pool[anchor[j]].a;
        r->anchor[1][j] = r->pool[anchor[j]].b;
    }
    struct il_top3 *row = il_top3_new(count[0]), *col = il_top3_new(count[1]);
    enum il_status status = row && col ? IL_OK : IL_ENOMEM;
    status = status ? status : match_view(r, r->member, count, k, row, col);
    for (size_t i = 0; i < count[0] && !status; i++) {
        for (int e = 0; e < IL_TOP && row[i].index[e] != IL_INDEX_NONE; e++) {
            insert_once(&r->row[r->member[0][i]], row[i].value[e], row[i].index[e]);
        }
    }
    for (size_t j = 0; j < count[1] && !status; j++) {
        for (int e = 0; e < IL_TOP && col[j].index[e] != IL_INDEX_NONE; e++) {
            insert_once(&r->col[r->member[1][j]], col[j].value[e],
                        r->member[0][col[j].index[e]]);
        }
    }
    il_free(col);
    il_free(row);
    return status;
}

static enum il_status round_local(struct run *r, uint64_t round)
{
    enum il_status status = IL_OK;
    unsigned replicates = replicates_of(r);
    for (unsigned replicate = 0; replicate < replicates && !status; replicate++) {
        struct il_partition *p = &r->partition[r->partitions];
        status = il_partition_build(r->frame, r->side[0], r->side[1], r->pool,
                                    r->pool_count, r->options, round, replicate, p);
        if (status) {
            break;
        }
        r->partitions++;
        clear_lists(r);
        for (size_t view = 0; view < p->views && !status; view++) {
            progress(r, round,
                     (replicate + (double)view / (double)p->views) / (double)replicates);
            status = il_frame_cancelled(r->frame) ? IL_ECANCEL : match_local(r, p, view);
        }
        il_partition_trim(p);
        status = status ? status : vote(r);
    }
    return status;
}

/* Views, or replicates, that could have proposed the pair: so far, or before this round.
 */
static uint32_t opportunities(const struct run *r, uint64_t key, int before)
{
    if (!r->local) {
        return before ? r->views_before : r->views;
    }
    uint32_t count = 0;
    size_t partitions = before ? r->partitions_before : r->partitions;
    for (size_t p = 0; p < partitions; p++) {
        count += (uint32_t)il_partition_meets(&r->partition[p],
                                              (uint32_t)(key / r->votes.columns),
                                              (uint32_t)(key % r->votes.columns));
    }
    return count;
}

/* Posteriors, threshold and one-to-one choice: r->keep marks the pairs to promote. */
static enum il_status choose(struct run *r, int last)
{
    enum il_status status = il_votes_flush(&r->votes);
    size_t count = r->votes.count;
    il_free(r->theta);
    il_free(r->keep);
    r->theta = il_alloc(count, sizeof *r->theta);
    r->keep = il_alloc(count, 1);
    status = status ? status : r->theta && r->keep ? IL_OK : IL_ENOMEM;
    if (status) {
        return status;
    }
    for (size_t i = 0; i < count; i++) {
        struct il_tally *t = &r->votes.tally[i];
        t->opportunities = opportunities(r, t->key, 0);
        r->theta[i] = t->votes ? il_posterior(t->votes, t->opportunities) : -1;
    }
    double least = r->job->config->posterior_min;
    int given = last && least >= 0;
    double threshold = given ? least : il_otsu(r->theta, count);
    for (size_t i = 0; i < count; i++) {
        uint64_t key = r->votes.tally[i].key;
        int enough = given ? r->theta[i] >= threshold : r->theta[i] > threshold;
        r->keep[i] = enough && !r->seeded[0][key / r->votes.columns] &&
                     !r->seeded[1][key % r->votes.columns];
    }
    return il_one_to_one(r->votes.tally, count, r->side[0]->rows, r->side[1]->rows,
                         r->theta, r->keep);
}

/* The next pool: seeds and chosen pairs. */
static void promote(struct run *r, uint32_t round)
{
    r->pool_count = r->job->seed_count;
    for (size_t i = 0; i < r->votes.count; i++) {
        struct il_tally *t = &r->votes.tally[i];
        if (r->keep[i]) {
            t->promoted = t->promoted ? t->promoted : round;
            r->pool[r->pool_count++] =
                (struct il_anchor){(uint32_t)(t->key / r->votes.columns),
                                   (uint32_t)(t->key % r->votes.columns), 1};
        }
    }
}

/* theta of a pair from the votes of the last round alone. */
static double posterior_last(const struct run *r, const struct il_tally *t)
{
    uint32_t votes = t->margin_round == ROUNDS ? t->margin_votes : 0;
    return il_posterior(votes, t->opportunities - opportunities(r, t->key, 1));
}

/*
 * The links, and what the report says of them. Precision: their mean posterior. Its range
 * spans that and the mean posterior by the last round's views alone: the early views are
 * poorer than the pool that came out (so the first is mostly too low), the last ones know
 * the links as anchors (so the second is mostly too high). On inputs where the bootstrap
 * failed both are too high. The number of shared documents is not estimated: the sum of
 * all posteriors misses it by a quarter.
 */
static enum il_status finish(struct run *r)
{
    struct il_method_job *job = r->job;
    struct il_link_report *report = job->report;
    size_t count = r->pool_count - job->seed_count;
    job->links = il_alloc(count, sizeof *job->links);
    if (!job->links) {
        return IL_ENOMEM;
    }
    double sum = 0, sum_last = 0, least = 1;
    for (size_t i = 0; i < r->votes.count; i++) {
        const struct il_tally *t = &r->votes.tally[i];
        if (r->keep[i]) {
            job->links[job->link_count++] =
                (struct il_found){.a = (uint32_t)(t->key / r->votes.columns),
                                  .b = (uint32_t)(t->key % r->votes.columns),
                                  .posterior = r->theta[i],
                                  .votes = t->votes,
                                  .opportunities = t->opportunities,
                                  .margin = il_tally_margin(t),
                                  .round = t->promoted};
            sum += r->theta[i];
            sum_last += posterior_last(r, t);
            least = r->theta[i] < least ? r->theta[i] : least;
        }
    }
    double all = count ? sum / (double)count : 0,
           late = count ? sum_last / (double)count : 0;
    report->rounds = ROUNDS;
    report->precision = all;
    report->precision_low = all < late ? all : late;
    report->precision_high = all < late ? late : all;
    report->threshold = count ? least : 0;
    return IL_OK;
}

enum il_status il_geh_published_with(struct il_method_job *job, const struct il_side *a,
                                     const struct il_side *b,
                                     const struct il_partition_options *options)
{
    struct il_partition_options defaults;
    il_partition_options_init(&defaults);
    job->links = NULL;
    job->link_count = 0;
    if (job->seed_count == 0 ||
        (job->config->weighting && !job->frame->simd->gauss_f32)) {
        return IL_EARG;
    }
    struct run r = {.job = job,
                    .frame = job->frame,
                    .side = {a, b},
                    .options = options ? options : &defaults};
    enum il_status status = run_open(&r);
    for (uint32_t round = 1; round <= ROUNDS && !status; round++) {
        double seconds = il_clock_seconds(), madds = job->frame->multiply_adds;
        if (!r.local && r.pool_count >= r.options->pool_min) {
            r.local = 1;
            il_votes_restart(&r.votes);
        }
        r.votes.round = round;
        r.views_before = r.views;
        r.partitions_before = r.partitions;
        status = r.local ? round_local(&r, round) : round_global(&r, round);
        status = status ? status : choose(&r, round == ROUNDS);
        if (!status) {
            promote(&r, round);
            progress(&r, round, 1);
            il_stage_add(job, r.local ? "local views" : "views", seconds, madds);
        }
    }
    status = status ? status : finish(&r);
    run_close(&r);
    return status;
}

enum il_status il_geh_published(struct il_method_job *job, const struct il_side *a,
                                const struct il_side *b)
{
    return il_geh_published_with(job, a, b, NULL);
}
