/* SPDX-License-Identifier: Apache-2.0 */
/* What a map is worth, from links that its fit did not see. */
#include <isolink/search.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "src/link/mapping.h"

/* Links whose partners are searched for, and the rows that they are searched among. */
#define JUDGED_MAX 1000
#define CANDIDATES_MAX 20000
/* Rows that go through the search at once. */
#define BATCH 256
#define FOUND_TOP 10
/* Bins of the confidence: about 50 links each where there are 1,000. */
#define BINS 20
/* Rows of a side that tell how many it suits. */
#define SUIT_ROWS 4096

static uint32_t partner(const struct il_anchor *anchor, int way)
{
    return way ? anchor->a : anchor->b;
}

static uint32_t source(const struct il_anchor *anchor, int way)
{
    return way ? anchor->b : anchor->a;
}

/* The rows that partners are searched among: all, or a sample and the partners. */
static enum il_status choose_candidates(const struct il_map_sides *sides,
                                        const struct il_map_links *links, int way,
                                        const struct il_held *held, uint8_t *taken)
{
    const struct il_side *to = &sides->side[!way];
    if (to->rows <= CANDIDATES_MAX) {
        memset(taken, 1, to->rows);
        return IL_OK;
    }
    uint32_t *pick = il_alloc(CANDIDATES_MAX, sizeof *pick);
    if (!pick) {
        return IL_ENOMEM;
    }
    struct il_rng rng =
        il_rng_make(sides->frame->seed, (uint64_t)way, 0, IL_FOR_MAP_SAMPLE);
    memset(taken, 0, to->rows);
    il_rng_sample(&rng, (uint32_t)to->rows, CANDIDATES_MAX, pick);
    for (size_t i = 0; i < CANDIDATES_MAX; i++) {
        taken[pick[i]] = 1;
    }
    for (size_t i = 0; i < held->judged; i++) {
        taken[partner(&links->anchor[held->link[i]], way)] = 1;
    }
    il_free(pick);
    return IL_OK;
}

/* The candidates as they were given go through the search; number[v] receives the place
   of usable row v among them. */
static enum il_status add_candidates(const struct il_map_sides *sides, int way,
                                     const uint8_t *taken, uint32_t *number,
                                     struct il_search *search, uint64_t *count)
{
    const struct il_matrix *given = sides->given[!way];
    const struct il_side *to = &sides->side[!way];
    struct il_error error;
    float *rows = il_alloc(BATCH * given->dim, sizeof *rows);
    enum il_status status = rows ? IL_OK : IL_ENOMEM;
    size_t waiting = 0;
    *count = 0;
    for (size_t v = 0; v <= to->rows && !status; v++) {
        if (waiting == BATCH || (v == to->rows && waiting)) {
            status = il_search_add(search, rows, waiting, NULL, NULL, &error);
            waiting = 0;
        }
        if (v < to->rows && taken[v]) {
            number[v] = (uint32_t)(*count)++;
            il_matrix_to_f32(given, to->given[v], 1, rows + waiting++ * given->dim,
                             given->dim);
        }
    }
    il_free(rows);
    return status;
}

/* Images of the judged links as rows of the other side. */
static enum il_status lift_judged(const struct il_map_sides *sides, int way,
                                  const struct il_held *held, float *out)
{
    const struct il_side *to = &sides->side[!way];
    struct il_lift lift = {0};
    float *z = il_alloc(held->judged * to->d, sizeof *z);
    enum il_status status = z ? IL_OK : IL_ENOMEM;
    for (size_t i = 0; i < held->judged && !status; i++) {
        memcpy(z + i * to->d, held->image + held->link[i] * to->d, to->d * sizeof *z);
    }
    status = status
                 ? status
                 : il_lift_open(&lift, sides->frame, to->mean, to->axes, to->dim, to->d);
    status = status ? status : il_lift_rows(sides->frame, &lift, z, held->judged, out);
    il_lift_close(&lift);
    il_free(z);
    return status;
}

/* The places of the partners, and the shares found. */
static void rank_judged(const struct il_map_links *links, int way,
                        const struct il_search *search, const uint32_t *number,
                        struct il_held *held)
{
    struct il_hit hit[FOUND_TOP];
    double all = 0, first = 0, ten = 0;
    for (size_t i = 0; i < held->judged; i++) {
        const struct il_anchor *anchor = &links->anchor[held->link[i]];
        uint32_t wanted = number[partner(anchor, way)];
        size_t found = il_search_hits(search, i, hit), place = 0;
        while (place < found && hit[place].row != wanted) {
            place++;
        }
        held->rank[i] = place == found ? 0 : place == 0 ? 1 : 2;
        all += anchor->weight;
        first += held->rank[i] == 1 ? anchor->weight : 0;
        ten += held->rank[i] ? anchor->weight : 0;
    }
    held->recall1 = all > 0 ? first / all : 0;
    held->recall10 = all > 0 ? ten / all : 0;
}

enum il_status il_map_judge(const struct il_map_sides *sides,
                            const struct il_map_links *links, int way,
                            struct il_held *held)
{
    const struct il_side *to = &sides->side[!way];
    struct il_search_config config;
    struct il_search *search = NULL;
    struct il_error error;
    held->judged = links->count < JUDGED_MAX ? links->count : JUDGED_MAX;
    held->link = il_alloc(held->judged, sizeof *held->link);
    held->rank = il_alloc(held->judged, 1);
    float *query = il_alloc(held->judged * to->dim, sizeof *query);
    uint8_t *taken = il_alloc(to->rows, 1);
    uint32_t *number = il_alloc(to->rows, sizeof *number);
    enum il_status status =
        held->link && held->rank && query && taken && number ? IL_OK : IL_ENOMEM;
    for (size_t i = 0; i < held->judged && !status; i++) {
        held->link[i] = (uint32_t)(i * links->count / held->judged);
    }
    status = status ? status : choose_candidates(sides, links, way, held, taken);
    status = status ? status : lift_judged(sides, way, held, query);
    il_search_config_init(&config);
    config.top = FOUND_TOP;
    config.threads = sides->threads;
    config.cancel = sides->frame->cancel;
    status = status
                 ? status
                 : il_search_open(&search, query, held->judged, to->dim, &config, &error);
    status = status
                 ? status
                 : add_candidates(sides, way, taken, number, search, &held->candidates);
    if (!status) {
        rank_judged(links, way, search, number, held);
    }
    if (search) {
        il_search_close(&search);
    }
    il_free(number);
    il_free(taken);
    il_free(query);
    return status;
}

/* A number with a weight, or a judged link: evidence and whether it was found. */
struct weighed {
    double value, weight;
    uint32_t link;
    int found;
};

static int by_value(const void *x, const void *y)
{
    const struct weighed *p = x, *q = y;
    if (p->value != q->value) {
        return p->value < q->value ? -1 : 1;
    }
    return (p->link > q->link) - (p->link < q->link);
}

/* Quantiles of the residuals (2 - 2 cosine)^(1/2). */
static enum il_status residuals(const struct il_map_links *links,
                                const struct il_held *held, double *out)
{
    static const double shares[] = IL_MAP_QUANTILE_SHARES;
    struct weighed *list = il_alloc(links->count, sizeof *list);
    double all = 0, below = 0;
    if (!list) {
        return IL_ENOMEM;
    }
    for (size_t i = 0; i < links->count; i++) {
        double left = 2 - 2 * held->cosine[i];
        list[i] = (struct weighed){left > 0 ? sqrt(left) : 0, links->anchor[i].weight,
                                   (uint32_t)i, 0};
        all += list[i].weight;
    }
    qsort(list, links->count, sizeof *list, by_value);
    size_t i = 0;
    for (size_t q = 0; q < IL_MAP_QUANTILES; q++) {
        while (i + 1 < links->count && below + list[i].weight < shares[q] * all) {
            below += list[i++].weight;
        }
        out[q] = list[i].value;
    }
    il_free(list);
    return IL_OK;
}

/* Keeps fitted rows with their held-out cosines; mark[i] = the mark that link i became.
 */
static enum il_status keep_marks(const struct il_map_sides *sides,
                                 const struct il_map_links *links, int way,
                                 const struct il_held *held, struct il_map_way *out,
                                 uint32_t *mark)
{
    const struct il_side *from = &sides->side[way];
    size_t d = from->d;
    out->marks = links->count < IL_MAP_MARKS_MAX ? links->count : IL_MAP_MARKS_MAX;
    out->mark = il_alloc(out->marks * d, sizeof *out->mark);
    out->cosine = il_alloc(out->marks, sizeof *out->cosine);
    if (!out->mark || !out->cosine) {
        return IL_ENOMEM;
    }
    for (size_t i = 0; i < links->count; i++) {
        mark[i] = IL_INDEX_NONE;
    }
    for (size_t k = 0; k < out->marks; k++) {
        size_t i = k * links->count / out->marks;
        mark[i] = (uint32_t)k;
        memcpy(out->mark + k * d, from->x + source(&links->anchor[i], way) * d,
               d * sizeof *out->mark);
        out->cosine[k] = (float)held->cosine[i];
    }
    return IL_OK;
}

/* A bin of judged links, or several that were pooled. */
struct bin {
    double at, weight, found;
};

static double share_of(const struct bin *bin)
{
    /* Half a link each way: no bin promises 0 or 1. */
    return (bin->found + 0.5) / (bin->weight + 1);
}

/* The share found as a rising function of the evidence: bins of equal numbers, neighbours
   that fall are pooled. */
static size_t pool_bins(const struct weighed *list, size_t count, struct bin *bin)
{
    size_t bins = count < BINS ? count : BINS, used = 0;
    for (size_t b = 0; b < bins; b++) {
        struct bin now = {0};
        for (size_t i = b * count / bins; i < (b + 1) * count / bins; i++) {
            now.at += list[i].weight * list[i].value;
            now.weight += list[i].weight;
            now.found += list[i].found ? list[i].weight : 0;
        }
        bin[used++] = now;
        while (used > 1 && share_of(&bin[used - 1]) <= share_of(&bin[used - 2])) {
            bin[used - 2].at += bin[used - 1].at;
            bin[used - 2].weight += bin[used - 1].weight;
            bin[used - 2].found += bin[used - 1].found;
            used--;
        }
    }
    return used;
}

/* Below the least evidence of held-out links nothing is known: confidence falls to 0. */
static enum il_status make_knots(const struct weighed *list, size_t count,
                                 struct il_map_way *out)
{
    struct bin bin[BINS];
    size_t bins = pool_bins(list, count, bin);
    out->at = il_alloc(bins + 1, sizeof *out->at);
    out->share = il_alloc(bins + 1, sizeof *out->share);
    out->knots = 0;
    if (!out->at || !out->share) {
        return IL_ENOMEM;
    }
    out->at[out->knots] = out->share[out->knots] = 0;
    out->knots++;
    for (size_t b = 0; b < bins; b++) {
        double at = bin[b].weight > 0 ? bin[b].at / bin[b].weight : 0;
        if (at > out->at[out->knots - 1]) {
            out->at[out->knots] = at;
            out->share[out->knots] = share_of(&bin[b]);
            out->knots++;
        }
    }
    return IL_OK;
}

static enum il_status calibrate(const struct il_map_sides *sides,
                                const struct il_map_links *links, int way,
                                const struct il_held *held, const struct il_marks *marks,
                                const uint32_t *mark, struct il_map_way *out)
{
    const struct il_side *from = &sides->side[way];
    size_t d = from->d, count = held->judged;
    float *x = il_alloc(count * d, sizeof *x);
    uint32_t *gone = il_alloc(count, sizeof *gone);
    double *evidence = il_alloc(count, sizeof *evidence);
    struct weighed *list = il_alloc(count, sizeof *list);
    enum il_status status = x && gone && evidence && list ? IL_OK : IL_ENOMEM;
    for (size_t i = 0; i < count && !status; i++) {
        uint32_t link = held->link[i];
        gone[i] = mark[link];
        memcpy(x + i * d, from->x + source(&links->anchor[link], way) * d, d * sizeof *x);
    }
    status = status ? status
                    : il_marks_evidence(sides->frame, marks, x, count, gone, evidence);
    for (size_t i = 0; i < count && !status; i++) {
        list[i] = (struct weighed){evidence[i], links->anchor[held->link[i]].weight,
                                   (uint32_t)i, held->rank[i] != 0};
    }
    if (!status) {
        qsort(list, count, sizeof *list, by_value);
        status = make_knots(list, count, out);
    }
    il_free(list);
    il_free(evidence);
    il_free(gone);
    il_free(x);
    return status;
}

/* Share of the side's rows that get a confidence of a half. */
static enum il_status measure_suited(const struct il_map_sides *sides, int way,
                                     const struct il_marks *marks, double *share)
{
    const struct il_side *from = &sides->side[way];
    size_t count = from->rows < SUIT_ROWS ? from->rows : SUIT_ROWS, d = from->d, good = 0;
    float *x = il_alloc(count * d, sizeof *x);
    double *evidence = il_alloc(count, sizeof *evidence);
    enum il_status status = x && evidence ? IL_OK : IL_ENOMEM;
    for (size_t i = 0; i < count && !status; i++) {
        memcpy(x + i * d, from->x + i * from->rows / count * d, d * sizeof *x);
    }
    status = status ? status
                    : il_marks_evidence(sides->frame, marks, x, count, NULL, evidence);
    for (size_t i = 0; i < count && !status; i++) {
        good += il_map_confidence(marks->way, evidence[i]) >= 0.5;
    }
    *share = (double)good / (double)count;
    il_free(evidence);
    il_free(x);
    return status;
}

enum il_status il_map_calibrate(const struct il_map_sides *sides,
                                const struct il_map_links *links, int way,
                                const struct il_held *held, struct il_map_way *out,
                                struct il_map_figures *figures)
{
    struct il_marks marks = {0};
    uint32_t *mark = il_alloc(links->count, sizeof *mark);
    enum il_status status = mark ? IL_OK : IL_ENOMEM;
    status = status ? status : keep_marks(sides, links, way, held, out, mark);
    status =
        status ? status : il_marks_open(&marks, sides->frame, out, sides->side[way].d);
    status = status ? status : calibrate(sides, links, way, held, &marks, mark, out);
    status = status ? status : measure_suited(sides, way, &marks, &figures->suited);
    status = status ? status : residuals(links, held, figures->residual);
    figures->cosine = held->mean;
    figures->judged = held->judged;
    figures->candidates = held->candidates;
    figures->recall1 = held->recall1;
    figures->recall10 = held->recall10;
    il_marks_close(&marks);
    il_free(mark);
    return status;
}
