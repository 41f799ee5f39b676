/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A bootstrap that only repeats its own first guess looks sound from inside. So it is
 * started several times, each time without a group of the seeds: only where the two
 * spaces really agree do the starts end with the same pairs and find the seeds that they
 * never saw.
 */
#include "src/link/trials.h"

#include "src/link/method.h"

#include <stdio.h>
#include <string.h>

#define GROUPS 3
/* Two starts agree from this share of common pairs on (starts of unrelated stores stay
   below), and so many more pairs by chance on small sides. */
#define AGREE 0.15
#define AGREE_PAIRS 20.0
/* Seeds held back must be found in a number that chance reaches this seldom, and at
 * least 2. */
#define FOUND_TAIL 1e-4
#define FOUND_MIN 2
/* Rows of A that the starts run on, besides those of seeds: enough links for a map of
   rank 128, and on larger sides most of the time of a run. B stays whole: sampling both
   would thin the overlap. The denser B, the sharper a map must be to tell partners, and
   it is as sharp as its pairs are many: where rows meet in clusters, which is cheap, the
   sample grows with B. */
#define SAMPLE_ROWS 12000
#define SAMPLE_ROWS_LOCAL 400000

/* Without seeds starts must agree on more, as they see nothing that proves them: those of
   unrelated stores agree on 0 to 6% of their pairs, of the weakest pair at hand on 49%
   (28% with half of its common documents), of sides of one corpus without a common
   document on 17 to 62%, which the links have to tell apart (geh.c). */
#define AGREE_UNSEEDED 0.2
/* and of seeds that there are all the same, this share must be found. */
#define FOUND_UNSEEDED 0.25
/* With fewer seeds starts without them are tried where those with them fail. */
#define SEEDS_SURE 8
/* Their streams, so that they draw otherwise than starts with seeds. */
#define STREAM_UNSEEDED 64

static void sample_close(struct il_sample *s)
{
    il_side_free(&s->side);
    il_free(s->row);
    il_free(s->seeds);
}

void il_trials_free(struct il_trials *trials)
{
    sample_close(&trials->sample);
    il_free(trials->pairs);
    memset(trials, 0, sizeof *trials);
}

/* One start: its pairs as partner + 1 of every row of A, and which seeds it held back and
 * found. */
struct trial {
    uint32_t *partner;
    size_t pairs;
    uint64_t held, found; /* bits of the first 64 seeds; more are always used */
};

/* How a start is made. */
struct how {
    uint64_t stream;
    int whiten, local;
    const double *cross; /* NULL: from seeds */
};

static enum il_status trial_run(struct il_frame *frame, const struct il_side *a,
                                const struct il_side *b, const struct il_anchor *seeds,
                                size_t seed_count, const struct how *how,
                                struct il_top3 *row, struct il_top3 *col, struct trial *t)
{
    struct il_start_options options;
    il_start_options_init(&options);
    options.stream = how->stream;
    options.whiten = how->whiten;
    options.local = options.patient = how->local;
    options.cross = how->cross;
    struct il_anchor *used = il_alloc(seed_count, sizeof *used);
    struct il_mutual *pairs =
        il_alloc(a->rows < b->rows ? a->rows : b->rows, sizeof *pairs);
    t->partner = il_alloc_zero(a->rows, sizeof *t->partner);
    enum il_status status = used && pairs && t->partner ? IL_OK : IL_ENOMEM;
    size_t count = 0;
    for (size_t i = 0; i < seed_count && !status; i++) {
        if (i >= 64 || !(t->held >> i & 1)) {
            used[count++] = seeds[i];
        }
    }
    status = status ? status
                    : il_start_run(frame, a, b, used, count, &options, pairs, &t->pairs,
                                   row, col);
    for (size_t i = 0; i < t->pairs && !status; i++) {
        t->partner[pairs[i].a] = pairs[i].b + 1;
    }
    for (size_t i = 0; i < seed_count && i < 64 && !status; i++) {
        for (int e = 0; e < IL_TOP && (t->held >> i & 1); e++) {
            if (row[seeds[i].a].index[e] == seeds[i].b ||
                col[seeds[i].b].index[e] == seeds[i].a) {
                t->found |= (uint64_t)1 << i;
            }
        }
    }
    il_free(pairs);
    il_free(used);
    return status;
}

static double agreement(const struct trial *t, const struct trial *u, size_t rows)
{
    size_t same = 0;
    for (size_t i = 0; i < rows; i++) {
        same += t->partner[i] && t->partner[i] == u->partner[i];
    }
    return t->pairs + u->pairs ? 2 * (double)same / (double)(t->pairs + u->pairs) : 0;
}

/* The pairs that at least two of the chosen trials have (the first such partner of a
 * row). */
static enum il_status consensus(const struct trial *trial, size_t count, uint64_t chosen,
                                const struct il_side *a, const struct il_side *b,
                                struct il_trials *out)
{
    uint8_t *taken = il_alloc_zero(b->rows, 1);
    out->pairs = il_alloc(a->rows < b->rows ? a->rows : b->rows, sizeof *out->pairs);
    enum il_status status = taken && out->pairs ? IL_OK : IL_ENOMEM;
    for (size_t u = 0; u < a->rows && !status; u++) {
        uint32_t best = 0;
        for (size_t i = 0; i < count && !best; i++) {
            for (size_t j = i + 1; j < count && !best; j++) {
                if (chosen >> i & chosen >> j & 1 && trial[i].partner[u] &&
                    trial[i].partner[u] == trial[j].partner[u]) {
                    best = trial[i].partner[u];
                }
            }
        }
        if (best && !taken[best - 1]) {
            taken[best - 1] = 1;
            out->pairs[out->pair_count++] = (struct il_mutual){(uint32_t)u, best - 1, 0};
        }
    }
    il_free(taken);
    return status;
}

/* Finds the start that agrees best with another, and all that agree with it half as well.
 */
static uint64_t choose(const struct trial *trial, size_t count, size_t rows,
                       struct il_trials *out)
{
    double with[IL_TRIALS_MAX][IL_TRIALS_MAX] = {{0}};
    size_t pivot = 0;
    out->agreement = 0;
    for (size_t i = 0; i < count; i++) {
        for (size_t j = 0; j < count; j++) {
            with[i][j] = i == j ? 0 : agreement(&trial[i], &trial[j], rows);
            if (with[i][j] > out->agreement) {
                out->agreement = with[i][j];
                pivot = i;
            }
        }
    }
    uint64_t chosen = (uint64_t)1 << pivot;
    for (size_t j = 0; j < count; j++) {
        if (with[pivot][j] > 0.5 * out->agreement) {
            chosen |= (uint64_t)1 << j;
        }
    }
    return chosen;
}

/* Chance that a Poisson variable of this mean reaches count. */
static double poisson_tail(double mean, size_t count)
{
    double term = il_exp(-mean), below = 0;
    for (size_t k = 0; k < count; k++) {
        below += term;
        term *= mean / (double)(k + 1);
    }
    return 1 - below;
}

/* Seeds that the chosen starts held back and found, and whether that and their agreement
 * suffice. */
static void judge(const struct trial *trial, size_t count, uint64_t chosen, size_t rows,
                  struct il_trials *out)
{
    uint64_t held = 0, found = 0;
    double chances = 0;
    for (size_t i = 0; i < count; i++) {
        if (chosen >> i & 1) {
            held |= trial[i].held;
            found |= trial[i].found;
            chances += (double)__builtin_popcountll(trial[i].held);
        }
    }
    out->tested = (size_t)__builtin_popcountll(held);
    out->found = (size_t)__builtin_popcountll(found);
    /* A seed is found among the three best of either of its rows. */
    out->chance = rows ? chances * 2 * IL_TOP / (double)rows : 0;
    if (out->unseeded) {
        out->sound = rows &&
                     out->agreement >= AGREE_UNSEEDED + AGREE_PAIRS / (double)rows &&
                     (double)out->found >= FOUND_UNSEEDED * (double)out->tested;
        return;
    }
    out->sound = rows && out->agreement >= AGREE + AGREE_PAIRS / (double)rows &&
                 out->found >= FOUND_MIN &&
                 poisson_tail(out->chance, out->found) < FOUND_TAIL;
}

/* Throws the first 64 seeds into groups. */
static void draw_groups(const struct il_frame *frame, size_t seed_count, uint64_t round,
                        uint64_t held[GROUPS])
{
    struct il_rng rng = il_rng_make(frame->seed, round, 0, IL_FOR_SEED_GROUPS);
    uint32_t order[64];
    size_t count = seed_count < 64 ? seed_count : 64;
    for (size_t i = 0; i < count; i++) {
        order[i] = (uint32_t)i;
    }
    il_rng_shuffle(&rng, order, count);
    memset(held, 0, GROUPS * sizeof *held);
    for (size_t i = 0; i < count; i++) {
        held[i % GROUPS] |= (uint64_t)1 << order[i];
    }
}

/* Position of a row in the ascending list. */
static uint32_t position(const uint32_t *list, size_t count, uint32_t row)
{
    size_t low = 0;
    while (count > 1) {
        size_t half = count / 2;
        low += list[low + half] <= row ? half : 0;
        count -= half;
    }
    return (uint32_t)low;
}

static enum il_status sample_open(struct il_frame *frame, const struct il_side *a,
                                  const struct il_side *b, const struct il_anchor *seeds,
                                  size_t seed_count, int local, struct il_sample *s)
{
    size_t d = a->d;
    size_t count = local ? b->rows / 2 : SAMPLE_ROWS;
    count = count < SAMPLE_ROWS ? SAMPLE_ROWS : count;
    count = count < SAMPLE_ROWS_LOCAL ? count : SAMPLE_ROWS_LOCAL;
    count = count < a->rows ? count : a->rows;
    struct il_rng rng = il_rng_make(frame->seed, 0, 0, IL_FOR_SAMPLE);
    uint8_t *taken = il_alloc_zero(a->rows, 1);
    s->row = il_alloc(count + seed_count, sizeof *s->row);
    s->seeds = il_alloc(seed_count, sizeof *s->seeds);
    s->side.x = il_alloc((count + seed_count) * d, sizeof *s->side.x);
    if (!taken || !s->row || !s->seeds || !s->side.x) {
        il_free(taken);
        return IL_ENOMEM;
    }
    il_rng_sample(&rng, (uint32_t)a->rows, (uint32_t)count, s->row);
    for (size_t i = 0; i < count; i++) {
        taken[s->row[i]] = 1;
    }
    for (size_t i = 0; i < seed_count; i++) {
        taken[seeds[i].a] = 1;
    }
    s->side.d = d;
    for (size_t u = 0; u < a->rows; u++) {
        if (u % IL_LOOK_ROWS == 0) {
            il_large_look();
        }
        if (taken[u]) {
            s->row[s->side.rows] = (uint32_t)u;
            memcpy(s->side.x + s->side.rows++ * d, a->x + u * d, d * sizeof *a->x);
        }
    }
    for (size_t i = 0; i < seed_count; i++) {
        s->seeds[i] = seeds[i];
        s->seeds[i].a = position(s->row, s->side.rows, seeds[i].a);
    }
    il_free(taken);
    return IL_OK;
}

/*
 * Whether the starts of a round whiten. On large sides that makes them catch on at all
 * (200,000 generated rows) or twice as soon (50,000); on the weakest pair at hand, of
 * 3,000 rows, it keeps them from it. So rounds differ, and the likelier way comes first.
 */
static int whiten_in(uint64_t round, int local)
{
    return local ? round != 1 : round == 1;
}

/* What the starts of all rounds share. */
struct series {
    struct il_frame *frame;
    const struct il_side *a, *b; /* the sample of A, all of B */
    const struct il_anchor *seeds;
    size_t seed_count;
    int local;
    double *cross; /* of the start under way; NULL: from seeds */
    struct il_top3 *row, *col;
    struct trial trial[IL_TRIALS_MAX];
    struct il_trials *out;
};

/* One start of a round; held: the seeds that it may not see. */
static enum il_status series_start(struct series *s, uint64_t round, uint64_t held)
{
    struct trial *t = &s->trial[s->out->count++];
    struct how how = {.stream = s->out->count,
                      .whiten = whiten_in(round, s->local),
                      .local = s->local,
                      .cross = s->cross};
    enum il_status status = IL_OK;
    t->held = held;
    if (s->cross) {
        struct il_unseeded_options options;
        il_unseeded_options_init(&options);
        how.stream = options.stream = how.stream + STREAM_UNSEEDED;
        status = il_unseeded_cross(s->frame, s->a, s->b, &options, s->cross,
                                   &s->out->clusters);
    }
    if (s->cross && s->out->clusters.centres < IL_UNSEEDED_CENTRES_MIN) {
        t->partner = il_alloc_zero(s->a->rows, sizeof *t->partner);
        return status ? status : t->partner ? IL_OK : IL_ENOMEM;
    }
    return status ? status
                  : trial_run(s->frame, s->a, s->b, s->seeds, s->seed_count, &how, s->row,
                              s->col, t);
}

/* Three starts, and what all so far say. */
static enum il_status series_round(struct series *s, uint64_t round, uint64_t *chosen)
{
    size_t less = s->a->rows < s->b->rows ? s->a->rows : s->b->rows;
    uint64_t held[GROUPS];
    enum il_status status = IL_OK;
    draw_groups(s->frame, s->seed_count, round, held);
    for (int g = 0; g < GROUPS && !status; g++) {
        /* Without seeds, those that there are only test. */
        status = series_start(s, round, s->cross ? held[0] | held[1] | held[2] : held[g]);
        /* One part in four is left for the turns that follow the trials. */
        il_frame_progress(s->frame, "start", (double)s->out->count,
                          (double)((round + 1) * GROUPS + 1));
    }
    if (!status) {
        *chosen = choose(s->trial, s->out->count, s->a->rows, s->out);
        judge(s->trial, s->out->count, *chosen, less, s->out);
    }
    return status;
}

static enum il_status series_run(struct series *s)
{
    struct il_trials *out = s->out;
    uint64_t chosen = 0;
    enum il_status status = IL_OK;
    for (uint64_t round = 0; out->count + GROUPS <= IL_TRIALS_MAX && !status; round++) {
        status = series_round(s, round, &chosen);
        /* New groups help where some seeds are wrong, not where nothing was found at all.
         */
        if (out->sound ||
            (!s->local && (s->cross || out->found == 0) && out->agreement < AGREE / 2)) {
            break;
        }
    }
    return status ? status : consensus(s->trial, out->count, chosen, s->a, s->b, out);
}

static enum il_status trials_run(struct il_frame *frame, const struct il_side *a,
                                 const struct il_side *b, const struct il_anchor *seeds,
                                 size_t seed_count, int unseeded, struct il_trials *out)
{
    memset(out, 0, sizeof *out);
    out->unseeded = unseeded;
    struct series s = {.frame = frame,
                       .a = &out->sample.side,
                       .b = b,
                       .seed_count = seed_count,
                       .local = il_frame_local(frame, a->rows, b->rows),
                       .out = out};
    enum il_status status =
        sample_open(frame, a, b, seeds, seed_count, s.local, &out->sample);
    s.seeds = out->sample.seeds;
    s.row = il_top3_new(out->sample.side.rows);
    s.col = il_top3_new(b->rows);
    s.cross = unseeded ? il_alloc(a->d * b->d, sizeof *s.cross) : NULL;
    status = status                                     ? status
             : s.row && s.col && (s.cross || !unseeded) ? IL_OK
                                                        : IL_ENOMEM;
    status = status ? status : series_run(&s);
    for (size_t i = 0; i < out->count; i++) {
        il_free(s.trial[i].partner);
    }
    il_free(s.cross);
    il_free(s.col);
    il_free(s.row);
    if (status) {
        il_trials_free(out);
    }
    return status;
}

enum il_status il_trials_run(struct il_frame *frame, const struct il_side *a,
                             const struct il_side *b, const struct il_anchor *seeds,
                             size_t seed_count, struct il_trials *out)
{
    return trials_run(frame, a, b, seeds, seed_count, 0, out);
}

enum il_status il_trials_unseeded(struct il_frame *frame, const struct il_side *a,
                                  const struct il_side *b, const struct il_anchor *seeds,
                                  size_t seed_count, struct il_trials *out)
{
    return trials_run(frame, a, b, seeds, seed_count, 1, out);
}

enum il_status il_trials_any(struct il_frame *frame, const struct il_side *a,
                             const struct il_side *b, const struct il_anchor *seeds,
                             size_t seed_count, struct il_trials *out)
{
    enum il_status status = IL_OK;
    memset(out, 0, sizeof *out);
    if (seed_count >= IL_SEEDS_MIN) {
        status = il_trials_run(frame, a, b, seeds, seed_count, out);
    }
    if (!status && !out->sound && seed_count < SEEDS_SURE) {
        il_trials_free(out);
        status = il_trials_unseeded(frame, a, b, seeds, seed_count, out);
    }
    return status;
}

/* Why starts without seeds are not to be trusted. */
static void explain_unseeded(const struct il_trials *t, struct il_link_report *r)
{
    char seeds[120] = "";
    if (t->tested > 0) {
        snprintf(seeds, sizeof seeds, ", and found %zu of %zu seeds (%.1f by chance)",
                 t->found, t->tested, t->chance);
    }
    if (t->clusters.centres < IL_UNSEEDED_CENTRES_MIN) {
        snprintf(r->why, sizeof r->why,
                 "no bootstrap without seeds: the smaller side has too few rows to be "
                 "matched by its clusters; at least %d seeds are needed",
                 IL_SEEDS_MIN);
        return;
    }
    snprintf(r->why, sizeof r->why,
             "no bootstrap without seeds: %zu independent starts agree on %.1f%% of "
             "their pairs at most%s; either the sides share no documents, or their "
             "spaces do not agree well enough to do without known pairs",
             t->count, 100 * t->agreement, seeds);
}

enum il_status il_trials_report(const struct il_trials *t, struct il_link_report *r)
{
    r->seeds_tested = t->tested;
    r->seeds_found = t->found;
    r->agreement = t->agreement;
    if (t->sound) {
        return IL_OK;
    }
    r->refused = 1;
    if (t->unseeded) {
        explain_unseeded(t, r);
        return IL_EBOOTSTRAP;
    }
    snprintf(r->why, sizeof r->why,
             "no bootstrap from these seeds: %zu starts from different parts of the "
             "seeds agree on "
             "%.1f%% of their pairs at most, and found %zu of %zu seeds held back (%.1f "
             "by chance); "
             "either the seeds are wrong, or the sides share no documents, or their "
             "spaces do not "
             "agree locally",
             t->count, 100 * t->agreement, t->found, t->tested, t->chance);
    return IL_EBOOTSTRAP;
}
