/* SPDX-License-Identifier: Apache-2.0 */
#include "src/link/accept.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "src/linalg/dense.h"

/* Turns of the estimate, and how much of the old posterior each keeps. */
#define TURNS 16
#define DAMPING 0.5
/* Newton steps of the logistic fit in a turn: it starts from the last turn's fit. */
#define NEWTON 2
/* Penalty on the logistic weights of standardised features, and their bound. */
#define PENALTY 3.0
#define FEATURE_BOUND 4.0
/* Cross-fitting of the discriminant. */
#define FOLDS 5
/* Candidates that the prior of 1/2 is worth in a posterior. */
#define PRIOR 100.0
/* Candidates on either side of the end of a block over which its posterior passes into
   the next: wide enough for no step, narrow enough where right and false ones part
   sharply. */
#define RAMP 25.0
#define WIDTH (IL_FEATURES + 1)

void il_acceptance_free(struct il_acceptance *a)
{
    il_free(a->posterior);
    il_free(a->score);
    il_free(a->order);
    memset(a, 0, sizeof *a);
}

/* One example: a candidate or a decoy. */
struct example {
    double x[WIDTH]; /* 1, then the standardised features */
    double weight;   /* decoys: false candidates that it stands for */
    double score;
    uint32_t parent; /* candidates: themselves */
    int side;        /* -1 candidate; 0, 1 decoy of that side */
};

/* A candidate and its decoys share a fold; neighbours in row order do not. */
static size_t fold_of(const struct example *x)
{
    return (x->parent * 2654435761u >> 16) % FOLDS;
}

struct ranked;

/* A block of the isotonic regression. */
struct block {
    double false_mass, candidates;
};

struct estimate {
    struct il_frame *frame;
    struct example *example; /* candidates first */
    size_t candidates, count;
    struct ranked *ranked; /* scratch of rank() */
    struct block *block;   /* scratch of calibrate() */
    double *posterior;     /* per candidate */
    double theta[FOLDS][WIDTH];
    double size[2]; /* rows of the sides */
    double recall;
    struct il_judge *judge;
};

static double standard(const struct il_judge *judge, const double *feature, int k)
{
    double t = (feature[k] - judge->mean[k]) / judge->scale[k];
    t = t > FEATURE_BOUND ? FEATURE_BOUND : t;
    return t < -FEATURE_BOUND ? -FEATURE_BOUND : t;
}

static void standardise(struct estimate *e, const struct il_evidence *evidence)
{
    double *mean = e->judge->mean, var[IL_FEATURES] = {0};
    double n = (double)evidence->candidates;
    memset(mean, 0, sizeof e->judge->mean);
    for (size_t i = 0; i < evidence->candidates; i++) {
        for (int k = 0; k < IL_FEATURES; k++) {
            mean[k] += evidence->candidate[i].feature[k] / n;
        }
    }
    for (size_t i = 0; i < evidence->candidates; i++) {
        for (int k = 0; k < IL_FEATURES; k++) {
            double t = evidence->candidate[i].feature[k] - mean[k];
            var[k] += t * t / n;
        }
    }
    for (int k = 0; k < IL_FEATURES; k++) {
        e->judge->scale[k] = sqrt(var[k]) + 1e-9;
    }
    const struct il_proposal *from[3] = {evidence->candidate, evidence->decoy[0],
                                         evidence->decoy[1]};
    const size_t counts[3] = {evidence->candidates, evidence->decoys[0],
                              evidence->decoys[1]};
    for (int group = 0; group < 3; group++) {
        for (size_t i = 0; i < counts[group]; i++) {
            struct example *x = &e->example[e->count++];
            *x = (struct example){.parent = from[group][i].parent, .side = group - 1};
            x->x[0] = 1;
            for (int k = 0; k < IL_FEATURES; k++) {
                x->x[k + 1] = standard(e->judge, from[group][i].feature, k);
            }
        }
    }
}

/* An example in score order. */
struct ranked {
    double score;
    uint32_t index;
};

/* Best first; ties in the order of the examples, candidates before decoys. */
static int by_score(const void *x, const void *y)
{
    const struct ranked *a = x, *b = y;
    if (a->score != b->score) {
        return a->score > b->score ? -1 : 1;
    }
    return (a->index > b->index) - (a->index < b->index);
}

static void rank(struct estimate *e, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        e->ranked[i] = (struct ranked){e->example[i].score, (uint32_t)i};
    }
    qsort(e->ranked, count, sizeof *e->ranked, by_score);
}

/* Before the first turn the better half, by the four score features, counts as right. */
static void first_guess(struct estimate *e)
{
    for (size_t i = 0; i < e->candidates; i++) {
        const double *x = e->example[i].x + 1;
        e->example[i].score =
            x[IL_F_COSINE] + x[IL_F_CSLS] + x[IL_F_ROW_MARGIN] + x[IL_F_COL_MARGIN];
    }
    rank(e, e->candidates);
    for (size_t i = 0; i < e->candidates; i++) {
        e->posterior[e->ranked[i].index] = i <= e->candidates / 2 ? 1 : 0;
    }
}

/* Weighs the decoys: together those of one side stand for half of the expected false
 * candidates. */
static void weigh(struct estimate *e)
{
    double right = 0;
    for (size_t i = 0; i < e->candidates; i++) {
        right += e->posterior[i];
        e->example[i].weight = e->posterior[i];
    }
    for (size_t i = e->candidates; i < e->count; i++) {
        struct example *d = &e->example[i];
        double alone = e->size[d->side] - right / e->recall;
        alone = alone > 0 ? alone : 0;
        d->weight = right > 0 ? 0.5 * alone / right * e->posterior[d->parent] : 0;
    }
}

/* Adds one example to the slope and (lower triangle) the Hessian of the log likelihood.
 */
static void add_example(const struct example *x, const double *theta, double *slope,
                        double *hessian)
{
    double t = 0;
    for (int k = 0; k < WIDTH; k++) {
        t += theta[k] * x->x[k];
    }
    t = t > 30 ? 30 : t < -30 ? -30 : t;
    double p = 1 / (1 + il_exp(-t));
    double w = x->weight * p * (1 - p) + 1e-9;
    double r = x->weight * ((x->side < 0 ? 1 : 0) - p);
    for (int k = 0; k < WIDTH; k++) {
        slope[k] += r * x->x[k];
        double wk = w * x->x[k];
        for (int j = 0; j <= k; j++) {
            hessian[k * WIDTH + j] += wk * x->x[j];
        }
    }
}

/* A few Newton steps of the penalised logistic fit, candidates (1) against decoys (0), on
   the examples of the other folds; then the scores of this fold's. */
static void fit_task(void *context, size_t fold, unsigned thread)
{
    (void)thread;
    struct estimate *e = context;
    double *theta = e->theta[fold];
    for (int step = 0; step < NEWTON; step++) {
        double hessian[WIDTH * WIDTH] = {0}, slope[WIDTH] = {0};
        for (size_t i = 0; i < e->count; i++) {
            if (fold_of(&e->example[i]) != fold) {
                add_example(&e->example[i], theta, slope, hessian);
            }
        }
        for (int k = 0; k < WIDTH; k++) {
            double penalty = k ? PENALTY : 1e-6;
            slope[k] -= penalty * theta[k];
            hessian[k * WIDTH + k] += penalty;
        }
        if (il_ridge_solve(e->frame->simd, WIDTH, 1, 0, hessian, slope)) {
            break; /* not positive definite: keep the last fit */
        }
        for (int k = 0; k < WIDTH; k++) {
            theta[k] += slope[k];
        }
    }
    for (size_t i = 0; i < e->count; i++) {
        struct example *x = &e->example[i];
        if (fold_of(x) == fold) {
            x->score = 0;
            for (int k = 0; k < WIDTH; k++) {
                x->score += theta[k] * x->x[k];
            }
        }
    }
}

/*
 * Isotonic regression of the false share on the score (pool adjacent violators, Ayer et
 * al. 1955): going down in score the ratio false / candidates may only rise. Leaves the
 * blocks that hold candidates and returns their number.
 */
static size_t pool_blocks(struct estimate *e)
{
    size_t top = 0, kept = 0;
    for (size_t i = 0; i < e->count; i++) {
        const struct example *x = &e->example[e->ranked[i].index];
        int decoy = x->side >= 0;
        e->block[top++] = (struct block){decoy ? x->weight : 0, decoy ? 0 : 1};
        while (top > 1) {
            struct block *p = &e->block[top - 2], *q = &e->block[top - 1];
            if (p->false_mass * q->candidates < q->false_mass * p->candidates) {
                break;
            }
            p->false_mass += q->false_mass;
            p->candidates += q->candidates;
            top--;
        }
    }
    for (size_t k = 0; k < top; k++) {
        if (e->block[k].candidates > 0) {
            e->block[kept++] = e->block[k];
        }
    }
    return kept;
}

/* Posterior of a block: 1 - F / C, drawn a little to 1/2 so that it is never quite 1. */
static double block_posterior(const struct block *b)
{
    double ratio = b->false_mass / b->candidates;
    return 1 - ((ratio < 1 ? ratio : 1) * PRIOR + 0.5) / (PRIOR + 1);
}

/* Half of the stretch over which the posterior passes from block k to the next. */
static double ramp(const struct estimate *e, size_t blocks, size_t k)
{
    if (k + 1 >= blocks) {
        return 0;
    }
    double less = e->block[k].candidates < e->block[k + 1].candidates
                      ? e->block[k].candidates
                      : e->block[k + 1].candidates;
    return less / 2 < RAMP ? less / 2 : RAMP;
}

/*
 * The posterior as a function of the score: that of the isotonic block, with a linear
 * passage around the ends of blocks, in the order of the candidates. The old posterior
 * keeps the share `damping`.
 */
static void calibrate(struct estimate *e, double damping)
{
    rank(e, e->count);
    size_t blocks = pool_blocks(e), k = 0;
    double at = 0.5, end = blocks ? e->block[0].candidates : 0, last = 1;
    for (size_t i = 0; i < e->count && blocks; i++) {
        uint32_t index = e->ranked[i].index;
        if (index >= e->candidates) {
            continue;
        }
        double half = ramp(e, blocks, k);
        while (k + 1 < blocks && at > end + half) {
            end += e->block[++k].candidates;
            half = ramp(e, blocks, k);
        }
        double p = block_posterior(&e->block[k]);
        if (half > 0 && at > end - half) {
            double next = block_posterior(&e->block[k + 1]);
            p += (next - p) * (at - end + half) / (2 * half);
        }
        /* Rounding at the end of a block must not make it rise. */
        p = p < last ? p : last;
        last = p;
        e->posterior[index] = damping * e->posterior[index] + (1 - damping) * p;
        at += 1;
    }
}

/* Orders the candidates and takes the prefix of the largest estimated F1. */
static void choose(struct estimate *e, struct il_acceptance *out)
{
    double all = 0, right = 0, best = -1;
    rank(e, e->candidates);
    for (size_t i = 0; i < e->candidates; i++) {
        out->order[i] = e->ranked[i].index;
        out->score[i] = e->example[i].score;
        out->posterior[i] = e->posterior[i];
        all += e->posterior[i];
    }
    /* Never more shared documents than rows. */
    double least = e->size[0] < e->size[1] ? e->size[0] : e->size[1];
    all = all / e->recall < least ? all / e->recall : least;
    for (size_t i = 0; i < e->candidates; i++) {
        right += e->posterior[out->order[i]];
        double f1 = 2 * right / ((double)(i + 1) + all);
        if (f1 > best) {
            best = f1;
            out->accepted = i + 1;
            out->precision = right / (double)(i + 1);
        }
    }
    out->shared = all;
}

/* Keeps for pairs to come what the turns have learnt. */
static void keep_judge(const struct estimate *e, const struct il_acceptance *out)
{
    struct il_judge *judge = e->judge;
    size_t knots = e->candidates < IL_JUDGE_KNOTS ? e->candidates : IL_JUDGE_KNOTS;
    for (int k = 0; k < WIDTH; k++) {
        judge->theta[k] = 0;
        for (int fold = 0; fold < FOLDS; fold++) {
            judge->theta[k] += e->theta[fold][k] / FOLDS;
        }
    }
    for (size_t i = 0; i < knots; i++) {
        uint32_t c = out->order[i * (e->candidates - 1) / (knots > 1 ? knots - 1 : 1)];
        judge->score[i] = out->score[c];
        judge->posterior[i] = out->posterior[c];
    }
    judge->knots = knots;
}

double il_judge_pair(const struct il_judge *judge, const double *feature, double *score)
{
    size_t low = 0, high = judge->knots;
    double sum = judge->theta[0];
    for (int k = 0; k < IL_FEATURES; k++) {
        sum += judge->theta[k + 1] * standard(judge, feature, k);
    }
    *score = sum;
    while (low < high) { /* the first knot that is not above the score */
        size_t middle = low + (high - low) / 2;
        if (judge->score[middle] > sum) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    if (judge->knots == 0) {
        return 0;
    }
    if (low == 0 || low == judge->knots) {
        return judge->posterior[low ? low - 1 : 0];
    }
    double width = judge->score[low - 1] - judge->score[low];
    double share = (sum - judge->score[low]) / width;
    return judge->posterior[low] +
           share * (judge->posterior[low - 1] - judge->posterior[low]);
}

/* Decoys above the threshold: their rate, and how far two sides and their small number
   leave the false links open. */
static void range(const struct estimate *e, double recall_error,
                  struct il_acceptance *out)
{
    if (out->accepted == 0) {
        return;
    }
    double threshold = out->threshold = out->score[out->order[out->accepted - 1]];
    double mass[2] = {0}, square = 0, all[2] = {0}, every = 0;
    for (size_t i = e->candidates; i < e->count; i++) {
        const struct example *d = &e->example[i];
        all[d->side] += d->weight;
        every += d->weight * d->weight;
        if (d->score >= threshold) {
            mass[d->side] += d->weight;
            square += d->weight * d->weight;
        }
    }
    double accepted = (double)out->accepted;
    double spread = 2 * sqrt(square) + fabs(mass[0] - mass[1]) + 1;
    out->precision_low = out->precision - spread / accepted;
    out->precision_high = out->precision + spread / accepted;
    out->precision_low = out->precision_low > 0 ? out->precision_low : 0;
    out->precision_high = out->precision_high < 1 ? out->precision_high : 1;
    double wide = 2 * sqrt(every) + fabs(all[0] - all[1]) + 1;
    double right = out->shared * e->recall,
           least = e->size[0] < e->size[1] ? e->size[0] : e->size[1];
    double recall_low = e->recall - 2 * recall_error,
           recall_high = e->recall + 2 * recall_error;
    out->shared_low =
        right > wide ? (right - wide) / (recall_high < 1 ? recall_high : 1) : 0;
    out->shared_high = (right + wide) / (recall_low > 0.05 ? recall_low : 0.05);
    out->shared_high = out->shared_high < least ? out->shared_high : least;
    double alone = e->size[0] + e->size[1] - 2 * out->shared;
    out->decoy_rate = alone > 0 ? 2 * (mass[0] + mass[1]) / alone : 0;
}

static enum il_status estimate_open(struct estimate *e,
                                    const struct il_evidence *evidence,
                                    struct il_acceptance *out)
{
    size_t count = evidence->candidates + evidence->decoys[0] + evidence->decoys[1];
    e->example = il_alloc(count, sizeof *e->example);
    e->ranked = il_alloc(count, sizeof *e->ranked);
    e->block = il_alloc(count, sizeof *e->block);
    e->posterior = il_alloc(evidence->candidates, sizeof *e->posterior);
    out->posterior = il_alloc(evidence->candidates, sizeof *out->posterior);
    out->score = il_alloc(evidence->candidates, sizeof *out->score);
    out->order = il_alloc(evidence->candidates, sizeof *out->order);
    return e->example && e->ranked && e->block && e->posterior && out->posterior &&
                   out->score && out->order
               ? IL_OK
               : IL_ENOMEM;
}

enum il_status il_accept(struct il_frame *frame, const struct il_evidence *evidence,
                         size_t rows_a, size_t rows_b, double recall, double recall_error,
                         struct il_acceptance *out)
{
    struct estimate e = {.frame = frame,
                         .candidates = evidence->candidates,
                         .size = {(double)rows_a, (double)rows_b},
                         .recall = recall,
                         .judge = &out->judge};
    memset(out, 0, sizeof *out);
    enum il_status status = estimate_open(&e, evidence, out);
    if (!status && e.candidates) {
        standardise(&e, evidence);
        first_guess(&e);
        for (int turn = 0; turn < TURNS; turn++) {
            weigh(&e);
            il_pool_run(frame->pool, FOLDS, fit_task, &e);
            calibrate(&e, turn + 1 < TURNS ? DAMPING : 0);
        }
        choose(&e, out);
        keep_judge(&e, out);
        range(&e, recall_error, out);
    }
    il_free(e.example);
    il_free(e.ranked);
    il_free(e.block);
    il_free(e.posterior);
    if (status) {
        il_acceptance_free(out);
    }
    return status;
}
