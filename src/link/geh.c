/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The method `geh`: start from the seeds, refine by cross-fitted ridge maps, score once,
 * accept once. Steps and reasons: README.md beside this file.
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "src/link/accept.h"
#include "src/link/method.h"
#include "src/link/model.h"
#include "src/link/trials.h"

/* Rounds of refinement before the scoring round: from the trial starts, and from the
   links of an earlier bootstrap. */
#define REFINE 3
#define REFINE_WARM 1
#define RIDGE 0.1
#define SEED_WEIGHT 5
/* Views of a refining and of the scoring round: the last one gives the posteriors. */
#define VIEWS_REFINE 3
#define VIEWS_SCORE 4
/* Partitions in which the rows of large sides meet. Anchors need not be all; what the
   last round misses is lost: of 200,000 generated pairs one partition finds 86 %, three
   92 %. */
#define REPLICATES_REFINE 1
#define REPLICATES_SCORE 3
#define FOLDS_DEFAULT 5
/* Pairs that go on into a refit: those of more than half of the votes. */
#define VOTE_SHARE 0.5
/* A seed is wrong when its partner is beyond this share of the other side's rows, seen
   from either end: 1 right seed in 100 is, also on the weakest pair measured, and 98
   wrong ones. */
#define WRONG_RANK_SHARE 0.01
#define WRONG_RANK_MIN 10
/* Rows of a side that a seed's partner is ranked among, at most: those of large sides are
   taken evenly. */
#define RANK_ROWS 50000
#define SEEDS_PRIOR 20
/* Links unlike the seeds (z of a rank sum) are chance when they claim little precision
 * too. */
#define UNLIKE_Z 4.0
#define UNLIKE_PRECISION 0.85
/* The same where the number of shared documents may be that of the seeds alone. */
#define UNPROVEN_Z 2.5
/* Without seeds: links of less precision, at the low end of the estimate, are no links.
   Without a common document it is 0.00 to 0.48, with such on 15% of the rows 0.62 to 0.96
   (0.57 on the weakest pair, where the estimate is far too high), on 30% from 0.73 on. */
#define UNSEEDED_PRECISION 0.6

/* State of one run. */
struct geh {
    struct il_method_job *job;
    struct il_frame *frame;
    const struct il_side *a, *b;
    unsigned views, folds, refine;
    int local;
    struct il_mutual *pairs; /* of the last round */
    size_t pair_count;
    uint32_t *votes; /* per pair of the last round */
    struct il_anchor *anchors;
    size_t anchor_count; /* of the last round */
    double recall, recall_error;
    uint32_t *since_b,
        *since; /* per row of A: partner + 1 as an anchor, and since which round */
    uint8_t *touched_a, *touched_b;
    struct il_view view[IL_VIEWS_MAX];
    struct il_scores scores;
    struct il_evidence evidence;
    struct il_acceptance acceptance;
};

static enum il_status geh_open(struct geh *g)
{
    size_t n = g->a->rows, m = g->b->rows, most = n < m ? n : m;
    g->pairs = il_alloc(most, sizeof *g->pairs);
    g->votes = il_alloc(most, sizeof *g->votes);
    g->anchors = il_alloc(most + g->job->seed_count, sizeof *g->anchors);
    g->since_b = il_alloc_zero(n, sizeof *g->since_b);
    g->since = il_alloc_zero(n, sizeof *g->since);
    g->touched_a = il_alloc(n, 1);
    g->touched_b = il_alloc(m, 1);
    return g->pairs && g->votes && g->anchors && g->since_b && g->since && g->touched_a &&
                   g->touched_b
               ? IL_OK
               : IL_ENOMEM;
}

static void views_free(struct geh *g)
{
    for (unsigned v = 0; v < IL_VIEWS_MAX; v++) {
        il_view_free(&g->view[v]);
    }
}

static void geh_close(struct geh *g)
{
    views_free(g);
    il_acceptance_free(&g->acceptance);
    il_evidence_free(&g->evidence);
    il_scores_free(&g->scores);
    il_free(g->touched_b);
    il_free(g->touched_a);
    il_free(g->since);
    il_free(g->since_b);
    il_free(g->anchors);
    il_free(g->votes);
    il_free(g->pairs);
}

/* Seeds that are not set aside, as anchors; marks their rows. Returns their number. */
static size_t seed_anchors(struct geh *g)
{
    size_t count = 0;
    memset(g->touched_a, 0, g->a->rows);
    memset(g->touched_b, 0, g->b->rows);
    for (size_t i = 0; i < g->job->seed_count; i++) {
        if (!g->job->seed_wrong[i]) {
            g->anchors[count] = g->job->seeds[i];
            g->anchors[count++].weight = SEED_WEIGHT;
            g->touched_a[g->job->seeds[i].a] = 1;
            g->touched_b[g->job->seeds[i].b] = 1;
        }
    }
    return count;
}

/* Seeds and the pairs that go on, weighed by their votes; notes since when a pair is an
 * anchor. */
static size_t choose_anchors(struct geh *g, unsigned round, int by_votes)
{
    size_t count = seed_anchors(g);
    for (size_t i = 0; i < g->pair_count; i++) {
        const struct il_mutual *p = &g->pairs[i];
        float weight = by_votes ? (float)g->votes[i] / (float)g->views : 1;
        if (g->touched_a[p->a] || g->touched_b[p->b] || !(weight > (float)VOTE_SHARE)) {
            continue;
        }
        g->anchors[count++] = (struct il_anchor){p->a, p->b, weight};
        if (g->since_b[p->a] != p->b + 1) {
            g->since_b[p->a] = p->b + 1;
            g->since[p->a] = round;
        }
    }
    return count;
}

/* CSLS of a pair in one view: its own images, the mean radii. */
static float view_score(const struct geh *g, const float *image_a, const float *image_b,
                        uint32_t u, uint32_t v)
{
    const struct il_simd *simd = g->frame->simd;
    return simd->dot_f32(image_a + u * g->b->d, g->b->x + v * g->b->d, g->b->d) +
           simd->dot_f32(g->a->x + u * g->a->d, image_b + v * g->a->d, g->a->d) -
           g->scores.radius_a[u] - g->scores.radius_b[v];
}

/* The votes of one view: its images of all rows. */
struct ballot {
    struct geh *g;
    const float *image_a, *image_b;
};

#define VOTE_BLOCK 1024
/* A pair has some ten rows, far apart. */
#define LOOK_PAIRS (IL_LOOK_ROWS / 10)

/* A view votes for a mutual pair when it prefers it to the runners-up of both its rows.
 */
static void vote_task(void *context, size_t task, unsigned thread)
{
    (void)thread;
    const struct ballot *b = context;
    struct geh *g = b->g;
    size_t last = (task + 1) * VOTE_BLOCK;
    last = last < g->pair_count ? last : g->pair_count;
    for (size_t i = task * VOTE_BLOCK; i < last; i++) {
        uint32_t u = g->pairs[i].a, v = g->pairs[i].b;
        if (i % LOOK_PAIRS == 0) {
            il_large_look();
        }
        float own = view_score(g, b->image_a, b->image_b, u, v);
        int best = 1;
        for (int e = 1; e < IL_TOP && best; e++) {
            uint32_t w = g->scores.row[u].index[e], t = g->scores.col[v].index[e];
            best = !(w != IL_INDEX_NONE &&
                     view_score(g, b->image_a, b->image_b, u, w) > own) &&
                   !(t != IL_INDEX_NONE &&
                     view_score(g, b->image_a, b->image_b, t, v) > own);
        }
        g->votes[i] += (uint32_t)best;
    }
}

static enum il_status votes_count(struct geh *g)
{
    size_t cells_a = g->a->rows * g->b->d, cells_b = g->b->rows * g->a->d;
    float *image_a = il_alloc(cells_a, sizeof *image_a);
    float *image_b = il_alloc(cells_b, sizeof *image_b);
    enum il_status status = image_a && image_b ? IL_OK : IL_ENOMEM;
    memset(g->votes, 0, g->pair_count * sizeof *g->votes);
    for (unsigned v = 0; v < g->views && !status; v++) {
        il_clear(image_a, cells_a * sizeof *image_a);
        il_clear(image_b, cells_b * sizeof *image_b);
        status = il_view_images(g->frame, &g->view[v], g->a, g->b, 0, 1, image_a);
        status = status
                     ? status
                     : il_view_images(g->frame, &g->view[v], g->b, g->a, 1, 1, image_b);
        if (!status) {
            struct ballot ballot = {g, image_a, image_b};
            size_t tasks = (g->pair_count + VOTE_BLOCK - 1) / VOTE_BLOCK;
            il_pool_run(g->frame->pool, tasks, vote_task, &ballot);
        }
    }
    il_free(image_b);
    il_free(image_a);
    return status;
}

/* One round: views fitted on the anchors, scores of all pairs, mutual pairs, votes. */
static enum il_status round_run(struct geh *g, unsigned round, size_t anchor_count)
{
    enum il_status status = IL_OK;
    unsigned replicates = round <= g->refine ? REPLICATES_REFINE : REPLICATES_SCORE;
    views_free(g);
    il_scores_free(&g->scores);
    for (unsigned v = 0; v < g->views && !status; v++) {
        status = il_view_fit(g->frame, g->a, g->b, g->anchors, anchor_count, g->folds,
                             RIDGE, round, v, &g->view[v]);
    }
    status = status ? status
                    : il_scores_run(g->frame, g->a, g->b, g->view, g->views, round,
                                    g->local ? replicates : 0, &g->scores);
    if (!status) {
        g->pair_count =
            il_mutual_pairs(g->scores.row, g->a->rows, g->scores.col, g->pairs);
        status = votes_count(g);
    }
    return status;
}

/* Rank of b among the other side's rows seen from a, or of a seen from b: the better one.
 */
static size_t seed_rank(const struct geh *g, const struct il_anchor *seed)
{
    size_t rank_b = 0, rank_a = 0;
    float own = view_score(g, g->scores.image_a, g->scores.image_b, seed->a, seed->b);
    uint32_t step_a = (uint32_t)((g->a->rows + RANK_ROWS - 1) / RANK_ROWS);
    uint32_t step_b = (uint32_t)((g->b->rows + RANK_ROWS - 1) / RANK_ROWS);
    for (uint32_t v = 0; v < g->b->rows; v += step_b) {
        if (v % IL_LOOK_ROWS < step_b) {
            il_large_look();
        }
        rank_b += view_score(g, g->scores.image_a, g->scores.image_b, seed->a, v) > own;
    }
    for (uint32_t u = 0; u < g->a->rows; u += step_a) {
        if (u % IL_LOOK_ROWS < step_a) {
            il_large_look();
        }
        rank_a += view_score(g, g->scores.image_a, g->scores.image_b, u, seed->b) > own;
    }
    rank_a *= step_a;
    rank_b *= step_b;
    return rank_a < rank_b ? rank_a : rank_b;
}

/* One seed a task: thousands of scores each. */
static void seed_task(void *context, size_t task, unsigned thread)
{
    (void)thread;
    struct geh *g = context;
    size_t less = g->a->rows < g->b->rows ? g->a->rows : g->b->rows;
    double limit = WRONG_RANK_SHARE * (double)less;
    limit = limit > WRONG_RANK_MIN ? limit : WRONG_RANK_MIN;
    g->job->seed_wrong[task] = (double)seed_rank(g, &g->job->seeds[task]) > limit;
}

/* Sets the seeds aside that the maps fitted without them contradict. */
static void seeds_check(struct geh *g)
{
    il_pool_run(g->frame->pool, g->job->seed_count, seed_task, g);
}

static void pairs_to_rows(struct geh *g, const uint32_t *row)
{
    for (size_t i = 0; i < g->pair_count; i++) {
        g->pairs[i].a = row[g->pairs[i].a];
    }
}

/* Rows to come are linked from seeds alone: a stream waits until there are enough. */
static enum il_status trials_run(struct geh *g, struct il_trials *trials)
{
    struct il_method_job *job = g->job;
    enum il_status status = (job->keys ? il_trials_run : il_trials_any)(
        g->frame, g->a, g->b, job->seeds, job->seed_count, trials);
    job->report->unseeded = trials->unseeded;
    return status ? status : il_trials_report(trials, job->report);
}

/* Trial starts, then some turns from what they agree on, with all seeds: on all rows, or
   where rows meet in clusters only on the sample that the trials saw. */
static enum il_status start(struct geh *g)
{
    struct il_trials trials = {0};
    struct il_top3 *row = il_top3_new(g->a->rows), *col = il_top3_new(g->b->rows);
    struct il_start_options options;
    il_start_options_init(&options);
    options.resume = 1;
    options.local = g->local;
    options.turns_min = 4;
    options.folds = 3;
    options.rank_first = options.rank_last;
    enum il_status status = row && col ? IL_OK : IL_ENOMEM;
    status = status ? status : trials_run(g, &trials);
    if (!status) {
        g->pair_count = trials.pair_count;
        memcpy(g->pairs, trials.pairs, trials.pair_count * sizeof *g->pairs);
        if (!g->local) {
            pairs_to_rows(g, trials.sample.row);
        }
        status = il_start_run(g->frame, g->local ? &trials.sample.side : g->a, g->b,
                              g->local ? trials.sample.seeds : g->job->seeds,
                              g->job->seed_count, &options, g->pairs, &g->pair_count, row,
                              col);
    }
    if (!status && g->local) {
        pairs_to_rows(g, trials.sample.row);
    }
    il_trials_free(&trials);
    il_free(col);
    il_free(row);
    return status;
}

/* 1 when this candidate is a seed that was not set aside. */
static int is_seed(const struct geh *g, const struct il_proposal *p)
{
    for (size_t i = 0; g->touched_a[p->a] && g->touched_b[p->b] && i < g->job->seed_count;
         i++) {
        const struct il_anchor *s = &g->job->seeds[i];
        if (!g->job->seed_wrong[i] && s->a == p->a && s->b == p->b) {
            return 1;
        }
    }
    return 0;
}

/* z of the rank sum (Mann and Whitney 1947) of the seeds found again, scored by maps
   without themselves, against the accepted links, which count by their posteriors. Right
   links score like seeds: z is about 0 then. */
static double seeds_above_links(struct geh *g)
{
    const struct il_acceptance *acc = &g->acceptance;
    double seeds = 0, links = 0, squares = 0, above = 0;
    (void)seed_anchors(g);
    for (size_t i = g->evidence.candidates; i-- > 0;) {
        const struct il_proposal *p = &g->evidence.candidate[acc->order[i]];
        double weight = acc->posterior[acc->order[i]];
        if (is_seed(g, p)) {
            seeds += 1;
            above += links;
        } else if (i < acc->accepted) {
            links += weight;
            squares += weight * weight;
        }
    }
    if (!(seeds > 0 && links > 0)) {
        return 0;
    }
    double count = links * links / squares;
    return (above / (seeds * links) - 0.5) /
           sqrt((seeds + count + 1) / (12 * seeds * count));
}

/* The starts find the seeds where both sides hold them, even when they share nothing
   else: then the links are what chance leaves, and score far below the seeds. */
static enum il_status check_links(struct geh *g)
{
    struct il_link_report *r = g->job->report;
    double z = seeds_above_links(g);
    int unlike = z >= UNLIKE_Z && g->acceptance.precision <= UNLIKE_PRECISION;
    int unproven =
        z >= UNPROVEN_Z && g->acceptance.shared_low <= (double)g->job->seed_count;
    if (!unlike && !unproven) {
        return IL_OK;
    }
    r->refused = 1;
    snprintf(r->why, sizeof r->why,
             "the seeds fit (%zu of %zu found again when held out), but the %zu links "
             "found score far "
             "below them (rank sum z = %.1f, 0 expected) at an estimated precision of "
             "%.2f: the sides "
             "seem to share next to nothing but the seeds",
             r->seeds_found, r->seeds_tested, g->acceptance.accepted, z,
             g->acceptance.precision);
    return IL_EBOOTSTRAP;
}

/* Without seeds only the links themselves can show that the sides share documents, and
   not just subjects: where no document is on both sides, starts agree all the same, on
   the nearest of each kind. So the low end of the estimates must speak for the links. */
static enum il_status check_unseeded(struct geh *g)
{
    struct il_link_report *r = g->job->report;
    const struct il_acceptance *acc = &g->acceptance;
    if (!r->unseeded || (acc->precision_low >= UNSEEDED_PRECISION &&
                         acc->shared_low > (double)g->job->seed_count)) {
        return IL_OK;
    }
    r->refused = 1;
    snprintf(r->why, sizeof r->why,
             "starts without seeds agree on %.1f%% of their pairs, but sides of the same "
             "subjects without a common document may do so too, and the %zu links found "
             "do not tell: estimated precision %.2f to %.2f, %.0f to %.0f documents on "
             "both sides; known pairs would help",
             100 * r->agreement, acc->accepted, acc->precision_low, acc->precision_high,
             acc->shared_low, acc->shared_high);
    return IL_EBOOTSTRAP;
}

/* The accepted candidates as links. */
static enum il_status result(struct geh *g)
{
    struct il_method_job *job = g->job;
    const struct il_acceptance *acc = &g->acceptance;
    size_t count = acc->accepted;
    if (job->config->posterior_min >= 0) {
        count = 0;
        while (count < g->evidence.candidates &&
               acc->posterior[acc->order[count]] >= job->config->posterior_min) {
            count++;
        }
    }
    job->links = il_alloc(count, sizeof *job->links);
    if (!job->links) {
        return IL_ENOMEM;
    }
    size_t seeds = seed_anchors(g);
    double right = 0;
    for (size_t i = 0; i < count; i++) {
        uint32_t c = acc->order[i];
        const struct il_proposal *p = &g->evidence.candidate[c];
        if (g->touched_a[p->a] || g->touched_b[p->b]) {
            continue;
        }
        double row = p->feature[IL_F_ROW_MARGIN], col = p->feature[IL_F_COL_MARGIN];
        int kept = g->since_b[p->a] == p->b + 1;
        job->links[job->link_count++] =
            (struct il_found){.a = p->a,
                              .b = p->b,
                              .posterior = acc->posterior[c],
                              .votes = g->votes[c],
                              .opportunities = g->views,
                              .margin = (float)(row < col ? row : col),
                              .round = kept ? g->since[p->a] : g->refine + 2};
        right += acc->posterior[c];
        job->report->threshold = acc->posterior[c];
    }
    struct il_link_report *r = job->report;
    double links = (double)job->link_count;
    double half = (acc->precision_high - acc->precision_low) / 2;
    r->precision = links > 0 ? right / links : 0;
    r->precision_low = r->precision > half ? r->precision - half : 0;
    r->precision_high = r->precision + half < 1 ? r->precision + half : 1;
    r->shared = acc->shared > (double)seeds ? acc->shared : (double)seeds;
    r->shared_low = acc->shared_low;
    r->shared_high = acc->shared_high;
    r->recall = r->shared > 0 ? (right + (double)seeds) / r->shared : 0;
    r->decoy_rate = acc->decoy_rate;
    r->rounds = g->refine + 2;
    return IL_OK;
}

static enum il_status refine_and_score(struct geh *g)
{
    enum il_status status = IL_OK;
    for (unsigned round = 1; round <= g->refine + 1 && !status; round++) {
        double seconds = il_clock_seconds(), madds = g->frame->multiply_adds;
        size_t anchors = choose_anchors(g, round, round > 1);
        int refine = round <= g->refine;
        g->views = refine ? VIEWS_REFINE : VIEWS_SCORE;
        g->views = g->job->config->views ? g->job->config->views : g->views;
        status = round_run(g, round, anchors);
        g->anchor_count = anchors;
        if (!status) {
            seeds_check(g);
        }
        il_stage_add(g->job, refine ? "refine" : "score", seconds, madds);
        il_frame_progress(g->frame, refine ? "refine" : "score", round, g->refine + 1);
    }
    return status;
}

/* Accepts with the recall that the seeds show: every seed was scored by maps fitted
   without it. SEEDS_PRIOR found ones are added: a recall from 15 seeds alone is off by
   0.1, and too low a recall makes the estimate run away upwards (scifact: off by 3.9
   points in the mean with 20, by 7 with 1). */
static enum il_status accept(struct geh *g)
{
    double right = 0, found = 0;
    for (size_t i = 0; i < g->job->seed_count; i++) {
        const struct il_anchor *s = &g->job->seeds[i];
        if (!g->job->seed_wrong[i]) {
            right += 1;
            found += g->scores.row[s->a].index[0] == s->b &&
                     g->scores.col[s->b].index[0] == s->a;
        }
    }
    double smooth = (found + 1) / (right + 2);
    g->recall = (found + SEEDS_PRIOR) / (right + SEEDS_PRIOR);
    g->recall_error = sqrt(smooth * (1 - smooth) / (right + 3));
    if (g->job->warm) { /* no trials: every seed is tested once, here */
        g->job->report->agreement = g->job->warm_agreement;
        g->job->report->seeds_tested = (size_t)right;
        g->job->report->seeds_found = (size_t)found;
    }
    return il_accept(g->frame, &g->evidence, g->a->rows, g->b->rows, g->recall,
                     g->recall_error, &g->acceptance);
}

/* What rows to come need. The anchors must still be those of the last round. */
static enum il_status keep_model(struct geh *g)
{
    const struct il_model_parts parts = {.a = g->a,
                                         .b = g->b,
                                         .keys = g->job->keys,
                                         .views = g->view,
                                         .view_count = g->views,
                                         .anchors = g->anchors,
                                         .anchor_count = g->anchor_count,
                                         .scores = &g->scores,
                                         .evidence = &g->evidence,
                                         .recall = g->recall,
                                         .recall_error = g->recall_error,
                                         .agreement = g->job->report->agreement,
                                         .seeds = g->job->seeds,
                                         .seed_count = g->job->seed_count,
                                         .seed_wrong = g->job->seed_wrong};
    return g->job->keys ? il_model_make(&g->job->model, g->frame, &parts) : IL_OK;
}

/* The pairs of an earlier bootstrap stand for a start. */
static void start_warm(struct geh *g)
{
    g->pair_count = g->job->warm_count;
    for (size_t i = 0; i < g->pair_count; i++) {
        g->pairs[i] = (struct il_mutual){.a = g->job->warm[i].a, .b = g->job->warm[i].b};
    }
}

enum il_status il_geh(struct il_method_job *job, const struct il_side *a,
                      const struct il_side *b)
{
    struct geh *g = il_alloc_zero(1, sizeof *g);
    if (!g) {
        return IL_ENOMEM;
    }
    *g = (struct geh){.job = job,
                      .frame = job->frame,
                      .a = a,
                      .b = b,
                      .folds = job->config->folds ? job->config->folds : FOLDS_DEFAULT};
    g->local = il_frame_local(job->frame, a->rows, b->rows);
    job->report->local = g->local;
    double seconds = il_clock_seconds(), madds = job->frame->multiply_adds;
    enum il_status status = geh_open(g);
    g->refine = job->warm ? REFINE_WARM : REFINE;
    if (!status && job->warm) {
        start_warm(g);
    }
    status = status || job->warm ? status : start(g);
    il_stage_add(job, "start", seconds, madds);
    il_frame_progress(g->frame, "start", 1, 1);
    status = status ? status : refine_and_score(g);
    seconds = il_clock_seconds();
    madds = job->frame->multiply_adds;
    status =
        status ? status : il_evidence_collect(g->frame, a, b, &g->scores, &g->evidence);
    status = status ? status : accept(g);
    status = status ? status : keep_model(g);
    status = status ? status : check_links(g);
    status = status ? status : check_unseeded(g);
    status = status ? status : result(g);
    il_stage_add(job, "accept", seconds, madds);
    geh_close(g);
    il_free(g);
    return status;
}
