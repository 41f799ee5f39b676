/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The doctor: counts what is odd about each side, then asks of the seeds what a link run
 * would ask of them. The verdict on the seeds is that of il_trials_run, so doctor and
 * link run agree.
 */
#include <isolink/doctor.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "src/link/check.h"
#include "src/link/method.h"
#include "src/link/evidence.h"
#include "src/link/trials.h"

/* Those of the link run (run.c), so that the trial starts see the same sides. */

/* Hubness: neighbours counted, and rows of a sample (the search is quadratic). */
#define NEAR 10
#define HUB_SAMPLE 4000
/* Seeds whose similarities are compared: 19,900 pairs of seeds tell enough. */
#define SEED_SAMPLE 200
#define REPAIRINGS 1000
/* Coordinates of one task of the covariance, rows of one task of the hashes. */
#define STRIPE 64
#define HASH_ROWS 4096

/* When the data makes a good pair doubtful. More rows than these that are never linked,
   or that no vector can tell apart, cost more recall than a run would report; */
#define UNUSABLE_MAX 0.05
#define REPEATED_MAX 0.20
/* a few rows that are everybody's neighbour break mutual pairs (text embeddings have 1 to
 * 5); */
#define HUBNESS_MAX 10
/* on so few directions, similarities hardly tell one row from another; */
#define SPREAD_MIN 4
/* and on so few rows chance alone finds 1 of 15 seeds held back: trial starts prove
 * little. */
#define ROWS_MIN 100
/* Sound starts that agree less or find less are weak. */
#define AGREE_WEAK 0.35
#define FOUND_WEAK 0.5
/* Seeds that fit together no better than this share of random re-pairings. */
#define CHANCE_MAX 0.05

/* Keys of the random streams. */
enum { DRAW_HUBS = 1, DRAW_SEEDS = 2, DRAW_REPAIRINGS = 3 };

/* One examination. */
struct exam {
    const struct il_link_config *config;
    struct il_frame frame;
    const struct il_matrix *matrix[2];
    const struct il_pair *given;
    size_t given_count;
    struct il_side side[2]; /* as a link run prepares them */
    struct il_anchor *seeds;
    size_t starts;
    double chance; /* seeds that would be found by chance */
    int sound;
    int unseeded; /* the starts were made without seeds */
    struct il_doctor *out;
};
const char *il_verdict_text(enum il_verdict verdict)
{
    switch (verdict) {
    case IL_GO:
        return "go";
    case IL_DOUBTFUL:
        return "doubtful";
    case IL_NO_GO:
        return "no-go";
    }
    return "?";
}

static const char *row_at(const struct il_matrix *m, size_t row)
{
    return (const char *)m->data + row * m->stride_bytes;
}

static int compare_doubles(const void *x, const void *y)
{
    double a = *(const double *)x, b = *(const double *)y;
    return (a > b) - (a < b);
}

/* Length of a row, NaN when it is not finite: 65,536 squares of f32 neither overflow nor
 * vanish. */
static double row_length(const float *x, size_t d)
{
    double sum = 0;
    for (size_t k = 0; k < d; k++) {
        sum += (double)x[k] * x[k];
    }
    return isfinite(sum) ? sqrt(sum) : NAN;
}

/* Counts bad rows, measures lengths and the mean row: one pass over the rows as f32. */
static enum il_status look_at_rows(const struct il_matrix *m, struct il_doctor_side *out)
{
    size_t usable = 0;
    double total = 0, square = 0;
    float *row = il_alloc(m->dim, sizeof *row);
    double *mean = il_alloc_zero(m->dim, sizeof *mean);
    double *length = il_alloc(m->rows, sizeof *length);
    enum il_status status = row && mean && length ? IL_OK : IL_ENOMEM;
    for (size_t i = 0; i < m->rows && !status; i++) {
        il_matrix_to_f32(m, i, 1, row, m->dim);
        double l = row_length(row, m->dim);
        out->not_finite += isnan(l) != 0;
        out->zero += l == 0;
        if (!(l > 0)) {
            continue;
        }
        length[usable++] = l;
        total += l;
        for (size_t k = 0; k < m->dim; k++) {
            mean[k] += row[k];
        }
    }
    if (!status && usable) {
        for (size_t k = 0; k < m->dim; k++) {
            square += mean[k] * mean[k];
        }
        qsort(length, usable, sizeof *length, compare_doubles);
        out->norm_min = length[0];
        out->norm_median = (length[(usable - 1) / 2] + length[usable / 2]) / 2;
        out->norm_max = length[usable - 1];
        out->mean_share = sqrt(square) / total;
    }
    il_free(length);
    il_free(mean);
    il_free(row);
    return status;
}

struct hashing {
    const struct il_matrix *m;
    size_t row_bytes;
    uint64_t *hash;
};

static void hash_task(void *context, size_t task, unsigned thread)
{
    (void)thread;
    struct hashing *h = context;
    size_t first = task * HASH_ROWS, last = first + HASH_ROWS;
    for (size_t i = first; i < last && i < h->m->rows; i++) {
        h->hash[i] = il_hash_bytes(row_at(h->m, i), h->row_bytes);
    }
}

/* Rows whose stored bytes an earlier row has: open addressing, slots hold row + 1. */
static enum il_status count_repeated(struct il_frame *frame, const struct il_matrix *m,
                                     struct il_doctor_side *out)
{
    size_t slots = 16, rows = m->rows;
    while (slots < 2 * rows) {
        slots *= 2;
    }
    struct hashing h = {m, il_dtype_bytes(m->type) * m->dim, NULL};
    uint32_t *slot = il_alloc_zero(slots, sizeof *slot);
    h.hash = il_alloc(rows, sizeof *h.hash);
    enum il_status status = slot && h.hash ? IL_OK : IL_ENOMEM;
    if (!status) {
        il_pool_run(frame->pool, (rows + HASH_ROWS - 1) / HASH_ROWS, hash_task, &h);
    }
    for (size_t i = 0; i < rows && !status; i++) {
        size_t at = (size_t)h.hash[i] & (slots - 1);
        int same = 0;
        for (; slot[at] && !same; at = (at + 1) & (slots - 1)) {
            size_t other = slot[at] - 1;
            same = h.hash[other] == h.hash[i] &&
                   memcmp(row_at(m, other), row_at(m, i), h.row_bytes) == 0;
        }
        if (same) {
            out->duplicates++;
        } else {
            slot[at] = (uint32_t)i + 1;
        }
    }
    il_free(h.hash);
    il_free(slot);
    return status;
}

/* Sums over the covariance, by coordinate: its diagonal, and the squares right of it,
 * twice. */
struct spread {
    const struct il_frame *frame;
    const struct il_side *side;
    double *diagonal, *squares;
    atomic_int status;
};

static void spread_stripe(void *context, size_t task, unsigned thread)
{
    (void)thread;
    struct spread *s = context;
    const struct il_side *side = s->side;
    size_t first = task * STRIPE, wide = side->d - first;
    size_t width = wide < STRIPE ? wide : STRIPE;
    if (il_frame_cancelled(s->frame)) {
        return;
    }
    const struct il_gather a = {side->x + first, width, side->d, 0};
    const struct il_gather b = {side->x + first, wide, side->d, 0};
    double *c = il_alloc_zero(width * wide, sizeof *c);
    enum il_status status =
        c ? il_cross_add(s->frame->simd, a, b, NULL, side->rows, c) : IL_ENOMEM;
    for (size_t i = 0; i < width && !status; i++) {
        double own = c[i * wide + i], sum = own * own;
        for (size_t j = i + 1; j < wide; j++) {
            sum += 2 * c[i * wide + j] * c[i * wide + j];
        }
        s->diagonal[first + i] = own;
        s->squares[first + i] = sum;
    }
    if (status) {
        atomic_store(&s->status, status);
    }
    il_free(c);
}

/* The sum of a matrix's eigenvalues is its trace, that of their squares the sum of its
 * squares. */
static enum il_status measure_spread(struct il_frame *frame, const struct il_side *side,
                                     struct il_doctor_side *out)
{
    struct spread s = {.frame = frame, .side = side};
    double trace = 0, square = 0;
    s.diagonal = il_alloc_zero(side->d, sizeof *s.diagonal);
    s.squares = il_alloc_zero(side->d, sizeof *s.squares);
    enum il_status status = s.diagonal && s.squares ? IL_OK : IL_ENOMEM;
    if (!status) {
        il_pool_run(frame->pool, (side->d + STRIPE - 1) / STRIPE, spread_stripe, &s);
        status = (enum il_status)atomic_load(&s.status);
    }
    for (size_t k = 0; k < side->d && !status; k++) {
        trace += s.diagonal[k];
        square += s.squares[k];
    }
    out->effective_dim = square > 0 ? trace * trace / square : 0;
    il_free(s.squares);
    il_free(s.diagonal);
    return status;
}

/* Skewness and maximum of how often each row of the sample is among the NEAR nearest of
 * others. */
static enum il_status count_hubs(const struct il_side *sample, const uint32_t *near,
                                 struct il_doctor_side *out)
{
    size_t n = sample->rows;
    double *times = il_alloc_zero(n, sizeof *times);
    double mean = 0, second = 0, third = 0, most = 0;
    if (!times) {
        return IL_ENOMEM;
    }
    for (size_t i = 0; i < n; i++) {
        /* One more than NEAR are listed, for the row itself is one of them, or its twin
         * is. */
        for (size_t e = 0, seen = 0; e < NEAR + 1 && seen < NEAR; e++) {
            uint32_t j = near[i * (NEAR + 1) + e];
            if (j != IL_INDEX_NONE && j != i) {
                times[j]++;
                seen++;
            }
        }
    }
    for (size_t i = 0; i < n; i++) {
        mean += times[i] / (double)n;
        most = times[i] > most ? times[i] : most;
    }
    for (size_t i = 0; i < n; i++) {
        double off = times[i] - mean;
        second += off * off / (double)n;
        third += off * off * off / (double)n;
    }
    /* Equal counts differ from their mean by rounding alone. */
    out->hubness = second > 1e-9 ? third / (second * sqrt(second)) : 0;
    out->hub_max = most / NEAR;
    il_free(times);
    return IL_OK;
}

static enum il_status measure_hubs(struct il_frame *frame, const struct il_side *side,
                                   int which, struct il_doctor_side *out)
{
    size_t n = side->rows < HUB_SAMPLE ? side->rows : HUB_SAMPLE;
    struct il_rng rng = il_rng_make(frame->seed, (uint64_t)which, DRAW_HUBS, IL_FOR_NULL);
    struct il_side sample = {.rows = n, .d = side->d};
    uint32_t *rows = il_alloc(n, sizeof *rows);
    uint32_t *near = il_alloc(n * (NEAR + 1), sizeof *near);
    float *value = il_alloc(n * (NEAR + 1), sizeof *value);
    sample.x = il_alloc(n * side->d, sizeof *sample.x);
    enum il_status status = rows && near && value && sample.x ? IL_OK : IL_ENOMEM;
    if (!status) {
        il_rng_sample(&rng, (uint32_t)side->rows, (uint32_t)n, rows);
        for (size_t i = 0; i < n; i++) {
            memcpy(sample.x + i * side->d, side->x + rows[i] * side->d,
                   side->d * sizeof *sample.x);
        }
        status = il_neighbours(frame, &sample, NULL, n, NEAR + 1, near, value);
    }
    status = status ? status : count_hubs(&sample, near, out);
    out->sampled = n;
    il_free(sample.x);
    il_free(value);
    il_free(near);
    il_free(rows);
    return status;
}

static enum il_status cancelled(const struct exam *e)
{
    return il_frame_cancelled(&e->frame) ? IL_ECANCEL : IL_OK;
}

static void progress(const struct exam *e, const char *stage, double done, double total)
{
    if (e->config->progress) {
        e->config->progress(e->config->progress_context, stage, done, total);
    }
}

/* The data of one side, without a look at the other: the same with and without seeds. */
static enum il_status examine_side(struct exam *e, int which)
{
    const struct il_matrix *m = e->matrix[which];
    const struct il_side_options options = {.columns_max = m->dim, .centre = 1};
    struct il_doctor_side *out = &e->out->side[which];
    struct il_side side = {0};
    out->rows = m->rows;
    out->dim = m->dim;
    out->type = m->type;
    enum il_status status = look_at_rows(m, out);
    status = status ? status : cancelled(e);
    status = status ? status : count_repeated(&e->frame, m, out);
    status = status ? status : cancelled(e);
    status = status ? status : il_side_prepare(&e->frame, m, &options, &side);
    status = status ? status : measure_spread(&e->frame, &side, out);
    status = status ? status : cancelled(e);
    status = status ? status : measure_hubs(&e->frame, &side, which, out);
    status = status ? status : cancelled(e);
    il_side_free(&side);
    return status;
}

static enum il_status take_seeds(struct exam *e)
{
    e->seeds = il_alloc(e->given_count, sizeof *e->seeds);
    if (!e->seeds) {
        return IL_ENOMEM;
    }
    for (size_t i = 0; i < e->given_count; i++) {
        uint32_t a = il_side_find(&e->side[0], e->given[i].a);
        uint32_t b = il_side_find(&e->side[1], e->given[i].b);
        if (a != UINT32_MAX && b != UINT32_MAX) {
            e->seeds[e->out->seeds_usable++] = (struct il_anchor){a, b, 1};
        }
    }
    return IL_OK;
}

/* The similarity of two seeds on one side. */
struct likeness {
    float value;
    uint32_t i, j;
};

static int compare_likeness(const void *x, const void *y)
{
    const struct likeness *p = x, *q = y;
    return (p->value > q->value) - (p->value < q->value);
}

/* rank (count x count, symmetric): twice the rank of every pair's similarity, from 0.
   Ties share the mean of their ranks, which doubled is a whole number, so that all sums
   are exact. */
static void rank_pairs(const struct il_simd *simd, const struct il_side *side, int which,
                       const struct il_anchor *seeds, size_t count, struct likeness *pair,
                       uint32_t *rank)
{
    size_t pairs = 0;
    for (uint32_t i = 0; i < count; i++) {
        const float *x = side->x + (which ? seeds[i].b : seeds[i].a) * side->d;
        for (uint32_t j = i + 1; j < count; j++) {
            const float *y = side->x + (which ? seeds[j].b : seeds[j].a) * side->d;
            pair[pairs++] = (struct likeness){simd->dot_f32(x, y, side->d), i, j};
        }
    }
    qsort(pair, pairs, sizeof *pair, compare_likeness);
    for (size_t first = 0, last; first < pairs; first = last + 1) {
        for (last = first;
             last + 1 < pairs && pair[last + 1].value == pair[first].value;) {
            last++;
        }
        for (size_t p = first; p <= last; p++) {
            rank[pair[p].i * count + pair[p].j] = (uint32_t)(first + last);
            rank[pair[p].j * count + pair[p].i] = (uint32_t)(first + last);
        }
    }
}

/* Sum of the products of the ranks, seed i of A paired with seed order[i] of B. */
static uint64_t rank_product(const uint32_t *rank_a, const uint32_t *rank_b,
                             const uint32_t *order, size_t count)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < count; i++) {
        const uint32_t *a = rank_a + i * count, *b = rank_b + order[i] * count;
        for (size_t j = i + 1; j < count; j++) {
            sum += (uint64_t)a[j] * b[order[j]];
        }
    }
    return sum;
}

/* Spearman's rank correlation of the similarities, and how many re-pairings reach it. */
static void correlate(struct exam *e, const uint32_t *rank_a, const uint32_t *rank_b,
                      uint32_t *order, size_t count)
{
    double pairs = (double)count * (double)(count - 1) / 2;
    double total = pairs * (pairs - 1); /* of the doubled ranks */
    for (uint32_t i = 0; i < count; i++) {
        order[i] = i;
    }
    uint64_t own = rank_product(rank_a, rank_b, order, count);
    double aa =
        pairs * (double)rank_product(rank_a, rank_a, order, count) - total * total;
    double bb =
        pairs * (double)rank_product(rank_b, rank_b, order, count) - total * total;
    if (!(aa > 0 && bb > 0)) {
        return;
    }
    struct il_rng rng = il_rng_make(e->frame.seed, 0, DRAW_REPAIRINGS, IL_FOR_NULL);
    size_t reached = 0;
    for (int t = 0; t < REPAIRINGS; t++) {
        il_rng_shuffle(&rng, order, count);
        reached += rank_product(rank_a, rank_b, order, count) >= own;
    }
    e->out->seed_agreement = (pairs * (double)own - total * total) / sqrt(aa * bb);
    e->out->seed_agreement_chance = (double)reached / REPAIRINGS;
}

static enum il_status compare_seeds(struct exam *e)
{
    size_t all = e->out->seeds_usable, count = all < SEED_SAMPLE ? all : SEED_SAMPLE;
    struct il_rng rng = il_rng_make(e->frame.seed, 0, DRAW_SEEDS, IL_FOR_NULL);
    struct il_anchor *seeds = il_alloc(count, sizeof *seeds);
    uint32_t *order = il_alloc(count, sizeof *order);
    uint32_t *rank_a = il_alloc_zero(count * count, sizeof *rank_a);
    uint32_t *rank_b = il_alloc_zero(count * count, sizeof *rank_b);
    struct likeness *pair = il_alloc(count * count / 2, sizeof *pair);
    enum il_status status =
        seeds && order && rank_a && rank_b && pair ? IL_OK : IL_ENOMEM;
    if (!status) {
        il_rng_sample(&rng, (uint32_t)all, (uint32_t)count, order);
        for (size_t i = 0; i < count; i++) {
            seeds[i] = e->seeds[order[i]];
        }
        rank_pairs(e->frame.simd, &e->side[0], 0, seeds, count, pair, rank_a);
        rank_pairs(e->frame.simd, &e->side[1], 1, seeds, count, pair, rank_b);
        correlate(e, rank_a, rank_b, order, count);
    }
    il_free(pair);
    il_free(rank_b);
    il_free(rank_a);
    il_free(order);
    il_free(seeds);
    return status;
}

/* The starts of a link run, on sides prepared as it does. */
static enum il_status examine_seeds(struct exam *e)
{
    const struct il_side_options options = {IL_COLUMNS_MAX, 1, 1};
    struct il_trials trials = {0};
    enum il_status status = IL_OK;
    for (int which = 0; which < 2 && !status; which++) {
        status = il_side_prepare(&e->frame, e->matrix[which], &options, &e->side[which]);
        status = status ? status : cancelled(e);
    }
    status = status ? status : take_seeds(e);
    /* What too few seeds do not contradict, any re-pairing reaches. */
    e->out->seed_agreement_chance = 1;
    if (!status && e->out->seeds_usable >= IL_SEEDS_MIN) {
        status = compare_seeds(e);
    }
    status = status ? status
                    : il_trials_any(&e->frame, &e->side[0], &e->side[1], e->seeds,
                                    e->out->seeds_usable, &trials);
    e->starts = trials.count;
    e->chance = trials.chance;
    e->sound = trials.sound;
    e->unseeded = trials.unseeded;
    e->out->seeds_tested = trials.tested;
    e->out->seeds_found = trials.found;
    e->out->start_agreement = trials.agreement;
    il_trials_free(&trials);
    return status;
}

/* Adds a reason; one that would not fit is left out whole. */
static void say(struct il_doctor *out, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void say(struct il_doctor *out, const char *format, ...)
{
    size_t used = strlen(out->why), left = sizeof out->why - used;
    const char *between = used ? "; " : "";
    va_list arguments;
    va_start(arguments, format);
    int wrote = snprintf(out->why + used, left, "%s", between);
    int more =
        vsnprintf(out->why + used + wrote, left - (size_t)wrote, format, arguments);
    va_end(arguments);
    if (more < 0 || (size_t)wrote + (size_t)more >= left) {
        memset(out->why + used, 0, left);
    }
}

/* Says what is wrong with a side; returns 1 when something is. */
static int judge_side(struct il_doctor *out, int which)
{
    const struct il_doctor_side *s = &out->side[which];
    char name = which ? 'B' : 'A';
    size_t unusable = s->not_finite + s->zero, usable = s->rows - unusable;
    double rows = s->rows ? (double)s->rows : 1;
    int few = usable < ROWS_MIN;
    int bad = (double)unusable > UNUSABLE_MAX * rows;
    int repeated = (double)s->duplicates > REPEATED_MAX * rows;
    int hubs = s->hubness > HUBNESS_MAX;
    /* Of too few rows the directions are not worth a word. */
    int flat = !few && s->effective_dim < SPREAD_MIN;
    if (bad) {
        say(out, "side %c: %zu of %zu rows (%.1f%%) are zero or not finite", name,
            unusable, s->rows, 100 * (double)unusable / rows);
    }
    if (repeated) {
        say(out, "side %c: %zu of %zu rows (%.1f%%) repeat an earlier row", name,
            s->duplicates, s->rows, 100 * (double)s->duplicates / rows);
    }
    if (few) {
        say(out, "side %c: %zu usable rows are too few for a sure judgement", name,
            usable);
    }
    if (hubs) {
        say(out, "side %c: a few rows are near to most others (hubness %.1f, above %d)",
            name, s->hubness, HUBNESS_MAX);
    }
    if (flat) {
        say(out, "side %c: the rows spread over %.1f effective dimensions only", name,
            s->effective_dim);
    }
    return bad || repeated || few || hubs || flat;
}

/* No-go: what the starts found, and whether the seeds themselves are to blame. */
static void say_unsound(const struct exam *e)
{
    struct il_doctor *out = e->out;
    int together = out->seed_agreement_chance <= CHANCE_MAX;
    say(out,
        "%zu starts from different parts of the seeds agree on %.1f%% of their pairs at "
        "most and find %zu of %zu seeds held back (%.1f by chance)",
        e->starts, 100 * out->start_agreement, out->seeds_found, out->seeds_tested,
        e->chance);
    if (together) {
        say(out,
            "the seeds do fit together (rank correlation %.2f; %.1f%% of random "
            "re-pairings reach it): more seeds may help",
            out->seed_agreement, 100 * out->seed_agreement_chance);
    } else {
        say(out,
            "the seeds fit together no better than chance (rank correlation %.2f; %.1f%% "
            "of "
            "random re-pairings reach it): are they right, and do the sides share "
            "documents?",
            out->seed_agreement, 100 * out->seed_agreement_chance);
    }
}

/* Too few seeds to start from, or their starts failed: what starts without them say. */
static enum il_verdict judge_unseeded(const struct exam *e)
{
    struct il_doctor *out = e->out;
    int apart = out->start_agreement < AGREE_WEAK;
    say(out,
        "of %zu usable seeds (of %zu) no start can be made; %zu starts without seeds "
        "agree on %.1f%% of their pairs%s and find %zu of %zu seeds (%.1f by chance)",
        out->seeds_usable, e->given_count, e->starts, 100 * out->start_agreement,
        !e->sound ? " at most"
        : apart   ? ", which is little,"
                  : "",
        out->seeds_found, out->seeds_tested, e->chance);
    return !e->sound ? IL_NO_GO : apart ? IL_DOUBTFUL : IL_GO;
}

static enum il_verdict judge_seeds(const struct exam *e)
{
    struct il_doctor *out = e->out;
    if (e->unseeded) {
        return judge_unseeded(e);
    }
    if (!e->sound) {
        say_unsound(e);
        return IL_NO_GO;
    }
    int apart = out->start_agreement < AGREE_WEAK;
    int lost = (double)out->seeds_found < FOUND_WEAK * (double)out->seeds_tested;
    say(out,
        "starts from different parts of the seeds agree on %.1f%% of their pairs%s and "
        "find %zu of %zu seeds held back%s (%.1f by chance)",
        100 * out->start_agreement, apart ? ", which is little," : "", out->seeds_found,
        out->seeds_tested, lost ? ", fewer than half" : "", e->chance);
    return apart || lost ? IL_DOUBTFUL : IL_GO;
}

static void judge(struct exam *e)
{
    struct il_doctor *out = e->out;
    out->verdict = out->seeds_given ? judge_seeds(e) : IL_GO;
    for (int which = 0; which < 2 && !out->seeds_given; which++) {
        const struct il_doctor_side *s = &out->side[which];
        size_t usable = s->rows - s->not_finite - s->zero;
        if (usable < IL_SEEDS_MIN) {
            say(out, "side %c: %zu usable rows cannot carry the %d seeds that are needed",
                which ? 'B' : 'A', usable, IL_SEEDS_MIN);
            out->verdict = IL_NO_GO;
        }
    }
    int trouble = judge_side(out, 0);
    trouble = judge_side(out, 1) || trouble;
    if (trouble && out->verdict == IL_GO) {
        out->verdict = IL_DOUBTFUL;
    }
    if (!trouble && out->verdict == IL_GO) {
        say(out, "nothing is wrong with the rows");
    }
    if (!out->seeds_given && out->verdict != IL_NO_GO) {
        say(out,
            "without seeds nothing is known of how the sides fit together ('isolink link "
            "--seeds none' tries)");
    }
}

static enum il_status examine(struct exam *e)
{
    double total = e->out->seeds_given ? 3 : 2;
    enum il_status status = IL_OK;
    for (int which = 0; which < 2 && !status; which++) {
        status = examine_side(e, which);
        if (!status) {
            progress(e, which ? "side B" : "side A", which + 1, total);
        }
    }
    if (!status && e->out->seeds_given) {
        status = examine_seeds(e);
        if (!status) {
            progress(e, "seeds", total, total);
        }
    }
    if (!status) {
        judge(e);
    }
    return status;
}

enum il_status il_doctor_run(struct il_doctor *out, const struct il_matrix *a,
                             const struct il_matrix *b, const struct il_pair *seeds,
                             size_t seed_count, const struct il_link_config *config,
                             struct il_error *error)
{
    struct il_link_config defaults;
    il_link_config_init(&defaults);
    config = config ? config : &defaults;
    memset(out, 0, sizeof *out);
    enum il_status status = il_check_config(config, error);
    status = status ? status : il_check_sides(a, b, error);
    if (!status && !seeds && seed_count) {
        status = il_fail(error, IL_EARG, "seeds: %zu announced, none given", seed_count);
    }
    status = status ? status : il_check_pairs("seed", seeds, seed_count, a, b, error);
    if (status) {
        return status;
    }
    /* A list that came out empty is still one: a link run would refuse it. */
    out->seeds_given = seeds != NULL;
    struct exam e = {.config = config,
                     .matrix = {a, b},
                     .given = seeds,
                     .given_count = seed_count,
                     .out = out};
    e.frame = (struct il_frame){
        .simd = il_simd(), .seed = config->seed, .cancel = config->cancel};
    status = il_pool_open(&e.frame.pool, config->threads ? config->threads : il_cores());
    status = status ? status : examine(&e);
    il_pool_close(&e.frame.pool);
    il_side_free(&e.side[0]);
    il_side_free(&e.side[1]);
    il_free(e.seeds);
    if (status) {
        memset(out, 0, sizeof *out);
        return il_fail(error, status, "doctor: %s", il_status_text(status));
    }
    return IL_OK;
}
