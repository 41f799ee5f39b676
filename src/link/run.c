/* SPDX-License-Identifier: Apache-2.0 */
/* One linking run: checks the arguments, prepares the sides, calls the method, sorts the
 * links. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "src/link/check.h"
#include "src/link/method.h"
#include "src/link/trials.h"

struct il_linking {
    struct il_link *links;
    size_t link_count;
    struct il_pair *wrong;
    size_t wrong_count;
    uint64_t *skipped[2];
    size_t skipped_count[2];
    struct il_link_report report;
};

void il_link_config_init(struct il_link_config *config)
{
    *config =
        (struct il_link_config){.struct_bytes = sizeof *config, .posterior_min = -1};
}

const struct il_link *il_link_links(const struct il_linking *linking, size_t *count)
{
    *count = linking->link_count;
    return linking->links;
}

const struct il_pair *il_link_wrong_seeds(const struct il_linking *linking, size_t *count)
{
    *count = linking->wrong_count;
    return linking->wrong;
}

const uint64_t *il_link_skipped(const struct il_linking *linking, int side, size_t *count)
{
    *count = linking->skipped_count[side != 0];
    return linking->skipped[side != 0];
}

const struct il_link_report *il_link_report(const struct il_linking *linking)
{
    return &linking->report;
}

void il_link_close(struct il_linking **linking)
{
    if (*linking) {
        il_free((*linking)->links);
        il_free((*linking)->wrong);
        il_free((*linking)->skipped[0]);
        il_free((*linking)->skipped[1]);
        il_free(*linking);
        *linking = NULL;
    }
}

void il_stage_add(struct il_method_job *job, const char *name, double since_seconds,
                  double since_multiply_adds)
{
    struct il_link_report *report = job->report;
    double seconds = il_clock_seconds() - since_seconds;
    double multiply_adds = job->frame->multiply_adds - since_multiply_adds;
    size_t at = 0;
    while (at < report->stages && strcmp(report->stage[at].name, name) != 0) {
        at++;
    }
    if (at == IL_STAGES_MAX) {
        return;
    }
    if (at == report->stages) {
        report->stage[report->stages++] = (struct il_link_stage){.name = name};
    }
    report->stage[at].seconds += seconds;
    report->stage[at].multiply_adds += multiply_adds;
}

/* One run in the making: the sides, the seeds on usable rows, the result. */
struct run {
    const struct il_link_config *config;
    struct il_frame frame;
    struct il_side side[2];
    const struct il_pair *given;
    size_t given_count;
    struct il_anchor *seeds;
    size_t *seed_given; /* usable seed -> seed as given */
    size_t seed_count;
    uint8_t *seed_wrong;
    const struct il_warm *warm_given; /* NULL: none */
    struct il_anchor *warm;           /* on usable rows */
    size_t warm_count;
    const uint64_t *const *keys; /* NULL: no model is wanted */
    struct il_model *model;
    struct il_linking *result;
};

/* Links more likely wrong than right start nothing. */
#define WARM_POSTERIOR_MIN 0.5

static enum il_status run_seeds(struct run *run)
{
    run->seeds = il_alloc(run->given_count, sizeof *run->seeds);
    run->seed_given = il_alloc(run->given_count, sizeof *run->seed_given);
    run->seed_wrong = il_alloc_zero(run->given_count, 1);
    if (!run->seeds || !run->seed_given || !run->seed_wrong) {
        return IL_ENOMEM;
    }
    for (size_t i = 0; i < run->given_count; i++) {
        uint32_t a = il_side_find(&run->side[0], run->given[i].a);
        uint32_t b = il_side_find(&run->side[1], run->given[i].b);
        if (a != UINT32_MAX && b != UINT32_MAX) {
            run->seed_given[run->seed_count] = i;
            run->seeds[run->seed_count++] = (struct il_anchor){a, b, 1};
        }
    }
    run->result->report.seeds = run->given_count;
    run->result->report.seeds_usable = run->seed_count;
    return IL_OK;
}

static enum il_status run_warm(struct run *run)
{
    const struct il_warm *given = run->warm_given;
    if (!given) {
        return IL_OK;
    }
    run->warm = il_alloc(given->count, sizeof *run->warm);
    for (size_t i = 0; run->warm && i < given->count; i++) {
        uint32_t a = il_side_find(&run->side[0], given->links[i].a);
        uint32_t b = il_side_find(&run->side[1], given->links[i].b);
        if (a != UINT32_MAX && b != UINT32_MAX &&
            given->links[i].posterior > WARM_POSTERIOR_MIN) {
            run->warm[run->warm_count++] = (struct il_anchor){a, b, 1};
        }
    }
    return run->warm ? IL_OK : IL_ENOMEM;
}

/* Best first: seeds, then links by posterior, margin and row numbers. */
static int compare_links(const void *x, const void *y)
{
    const struct il_link *p = x, *q = y;
    if (p->origin != q->origin) {
        return p->origin == IL_ORIGIN_SEED ? -1 : 1;
    }
    if (p->posterior != q->posterior) {
        return p->posterior > q->posterior ? -1 : 1;
    }
    if (p->margin != q->margin) {
        return p->margin > q->margin ? -1 : 1;
    }
    return p->a != q->a ? (p->a > q->a) - (p->a < q->a) : (p->b > q->b) - (p->b < q->b);
}

static enum il_status run_result(struct run *run, const struct il_method_job *job)
{
    struct il_linking *out = run->result;
    out->links = il_alloc(run->seed_count + job->link_count, sizeof *out->links);
    out->wrong = il_alloc(run->seed_count, sizeof *out->wrong);
    if (!out->links || !out->wrong) {
        return IL_ENOMEM;
    }
    for (size_t i = 0; i < run->seed_count; i++) {
        struct il_pair pair = run->given[run->seed_given[i]];
        if (run->seed_wrong[i]) {
            out->wrong[out->wrong_count++] = pair;
            continue;
        }
        out->links[out->link_count++] = (struct il_link){
            .a = pair.a, .b = pair.b, .posterior = 1, .origin = IL_ORIGIN_SEED};
    }
    for (size_t i = 0; i < job->link_count; i++) {
        const struct il_found *f = &job->links[i];
        out->links[out->link_count++] =
            (struct il_link){.a = run->side[0].given[f->a],
                             .b = run->side[1].given[f->b],
                             .posterior = f->posterior,
                             .votes = f->votes,
                             .opportunities = f->opportunities,
                             .margin = f->margin,
                             .round = f->round,
                             .origin = IL_ORIGIN_LINK};
    }
    if (out->link_count) {
        qsort(out->links, out->link_count, sizeof *out->links, compare_links);
    }
    for (int side = 0; side < 2; side++) {
        out->skipped[side] = run->side[side].skipped;
        out->skipped_count[side] = run->side[side].skipped_count;
        run->side[side].skipped = NULL;
    }
    out->report.skipped_a = out->skipped_count[0];
    out->report.skipped_b = out->skipped_count[1];
    out->report.seeds_wrong = out->wrong_count;
    out->report.links = job->link_count;
    return IL_OK;
}

static enum il_status refuse_few(struct il_link_report *report)
{
    report->refused = 1;
    snprintf(report->why, sizeof report->why,
             "%zu of %zu seeds are on usable rows, at least %d are needed",
             report->seeds_usable, report->seeds, IL_SEEDS_MIN);
    return IL_EBOOTSTRAP;
}

/* A method may have no refusal of its own: the trial starts of `geh` decide for it too.
 */
static enum il_status check_bootstrap(struct run *run, const struct il_matrix *a,
                                      const struct il_matrix *b,
                                      struct il_method_job *job)
{
    const struct il_side_options options = {IL_COLUMNS_MAX, 1, 1};
    struct il_side side[2] = {{0}, {0}};
    struct il_trials trials = {0};
    double seconds = il_clock_seconds(), madds = run->frame.multiply_adds;
    enum il_status status = il_side_prepare(&run->frame, a, &options, &side[0]);
    status = status ? status : il_side_prepare(&run->frame, b, &options, &side[1]);
    status = status ? status
                    : il_trials_run(&run->frame, &side[0], &side[1], run->seeds,
                                    run->seed_count, &trials);
    status = status ? status : il_trials_report(&trials, job->report);
    il_trials_free(&trials);
    il_side_free(&side[1]);
    il_side_free(&side[0]);
    il_stage_add(job, "start", seconds, madds);
    return status;
}

static enum il_status run_row(struct run *run, const struct il_method_row *row,
                              const struct il_matrix *a, const struct il_matrix *b,
                              struct il_method_job *job)
{
    enum il_status status = row->trials ? check_bootstrap(run, a, b, job) : IL_OK;
    return status ? status : row->run(job, &run->side[0], &run->side[1]);
}

static enum il_status run_method(struct run *run, const struct il_matrix *a,
                                 const struct il_matrix *b)
{
    struct il_link_report *report = &run->result->report;
    const struct il_method_row *row = il_method_find(run->config->method);
    struct il_method_job job = {
        .frame = &run->frame, .config = run->config, .report = report};
    double seconds = il_clock_seconds();
    enum il_status status = il_side_prepare(&run->frame, a, &row->sides, &run->side[0]);
    status =
        status ? status : il_side_prepare(&run->frame, b, &row->sides, &run->side[1]);
    status = status ? status : run_seeds(run);
    status = status ? status : run_warm(run);
    il_stage_add(&job, "prepare", seconds, 0);
    if (!status) {
        job.seeds = run->seeds;
        job.seed_count = run->seed_count;
        job.seed_wrong = run->seed_wrong;
        job.warm = run->warm;
        job.warm_count = run->warm_count;
        job.warm_agreement = run->warm_given ? run->warm_given->agreement : 0;
        job.keys = run->keys;
        /* A model for a stream needs seeds to be calibrated by. */
        int few = run->seed_count < IL_SEEDS_MIN && (!row->seedless || run->keys);
        status = few ? refuse_few(report) : run_row(run, row, a, b, &job);
    }
    if (!status || status == IL_EBOOTSTRAP) {
        enum il_status made = run_result(run, &job);
        status = made ? made : status;
    }
    il_free(job.links);
    run->model = job.model;
    return status;
}

static void run_close(struct run *run)
{
    il_pool_close(&run->frame.pool);
    il_side_free(&run->side[0]);
    il_side_free(&run->side[1]);
    il_free(run->seeds);
    il_free(run->seed_given);
    il_free(run->seed_wrong);
    il_free(run->warm);
}

static enum il_status link_run(struct il_linking **out, struct il_model **model,
                               const struct il_matrix *a, const struct il_matrix *b,
                               struct run run, struct il_error *error)
{
    const struct il_link_config *config = run.config;
    const struct il_pair *seeds = run.given;
    size_t seed_count = run.given_count;
    *out = NULL;
    *model = NULL;
    enum il_status status = il_check_config(config, error);
    status = status ? status : il_check_sides(a, b, error);
    status = status ? status : il_check_pairs("seed", seeds, seed_count, a, b, error);
    if (status) {
        return status;
    }
    double began = il_clock_seconds();
    run.frame = (struct il_frame){.simd = il_simd(),
                                  .seed = config->seed,
                                  .scope = config->scope,
                                  .cancel = config->cancel,
                                  .progress = config->progress,
                                  .progress_context = config->progress_context};
    run.result = il_alloc_zero(1, sizeof *run.result);
    status = run.result ? il_pool_open(&run.frame.pool,
                                       config->threads ? config->threads : il_cores())
                        : IL_ENOMEM;
    if (!status) {
        run.result->report.method = config->method;
        run.result->report.fit_error = run.result->report.fit_bound = NAN;
        run.result->report.rows_a = a->rows;
        run.result->report.rows_b = b->rows;
        status = run_method(&run, a, b);
        run.result->report.seconds = il_clock_seconds() - began;
    }
    run_close(&run);
    if (status) {
        il_model_free(&run.model);
    }
    *model = run.model;
    if (status && status != IL_EBOOTSTRAP) {
        il_link_close(&run.result);
        return il_fail(error, status, "link: %s", il_status_text(status));
    }
    if (status) {
        (void)il_fail(error, status, "%s", run.result->report.why);
    }
    *out = run.result;
    return status;
}

enum il_status il_link_run(struct il_linking **out, const struct il_matrix *a,
                           const struct il_matrix *b, const struct il_pair *seeds,
                           size_t seed_count, const struct il_link_config *config,
                           struct il_error *error)
{
    struct il_link_config defaults;
    struct il_model *model;
    il_link_config_init(&defaults);
    const struct run run = {
        .config = config ? config : &defaults, .given = seeds, .given_count = seed_count};
    return link_run(out, &model, a, b, run, error);
}

enum il_status il_link_model(struct il_linking **out, struct il_model **model,
                             const struct il_matrix *a, const struct il_matrix *b,
                             const uint64_t *const keys[2], const struct il_pair *seeds,
                             size_t seed_count, const struct il_warm *warm,
                             const struct il_link_config *config, struct il_error *error)
{
    const struct run run = {.config = config,
                            .given = seeds,
                            .given_count = seed_count,
                            .warm_given = warm,
                            .keys = keys};
    return link_run(out, model, a, b, run, error);
}
