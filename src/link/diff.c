/* SPDX-License-Identifier: Apache-2.0 */
/* Rows without counterpart: a mixture of two distributions that linked rows show. */
#include <isolink/diff.h>

#include <stdlib.h>

#include "src/base/base.h"

#define BINS 20
#define LINKS_MIN 20
#define TURNS 60

struct bins {
    size_t count;
    float edge[BINS];     /* the least score of a bin; that of the first does not count */
    double with[BINS];    /* share of rows with a counterpart whose best score is here */
    double without[BINS]; /* the same of rows without */
    double found[BINS];   /* unlinked rows */
    double alone[BINS];   /* probability */
};

static int ascending(const void *x, const void *y)
{
    float a = *(const float *)x, b = *(const float *)y;
    return (a > b) - (a < b);
}

static size_t bin_of(const struct bins *b, float score)
{
    size_t at = b->count - 1;
    while (at > 0 && score < b->edge[at]) {
        at--;
    }
    return at;
}

/* Bins of equal numbers of all best scores. */
static enum il_status cut_bins(struct bins *b, const struct il_diff_row *rows,
                               size_t count)
{
    float *sorted = il_alloc(count, sizeof *sorted);
    if (!sorted) {
        return IL_ENOMEM;
    }
    for (size_t i = 0; i < count; i++) {
        sorted[i] = rows[i].best;
    }
    qsort(sorted, count, sizeof *sorted, ascending);
    b->count = 1;
    b->edge[0] = sorted[0];
    for (size_t q = 1; q < BINS; q++) {
        float edge = sorted[q * count / BINS];
        if (edge > b->edge[b->count - 1]) {
            b->edge[b->count++] = edge;
        }
    }
    il_free(sorted);
    return IL_OK;
}

/* Both distributions; no bin is impossible. */
static void fill_bins(struct bins *b, const struct il_diff_row *rows, size_t count)
{
    double all = 0;
    for (size_t k = 0; k < b->count; k++) {
        b->with[k] = b->without[k] = 1.0 / (double)b->count;
    }
    for (size_t i = 0; i < count; i++) {
        if (rows[i].linked) {
            b->with[bin_of(b, rows[i].best)] += rows[i].posterior;
            b->without[bin_of(b, rows[i].rest)] += rows[i].posterior;
            all += rows[i].posterior;
        } else {
            b->found[bin_of(b, rows[i].best)] += 1;
        }
    }
    for (size_t k = 0; k < b->count; k++) {
        b->with[k] /= all + 1;
        b->without[k] /= all + 1;
    }
}

static double alone_in(const struct bins *b, size_t k, double share)
{
    double with = share * b->with[k], without = (1 - share) * b->without[k];
    return without / (with + without);
}

/* The share of unlinked rows with a counterpart under which as many of them as were
   missed are expected to have one. */
static double find_share(const struct bins *b, double missed)
{
    double low = 0, high = 1;
    for (int turn = 0; turn < TURNS; turn++) {
        double share = (low + high) / 2, with = 0;
        for (size_t k = 0; k < b->count; k++) {
            with += b->found[k] * (1 - alone_in(b, k, share));
        }
        if (with < missed) {
            low = share;
        } else {
            high = share;
        }
    }
    return (low + high) / 2;
}

/* Probabilities that fall with the score: neighbours that rise are pooled. */
static void pool(struct bins *b)
{
    double sum[BINS], weight[BINS];
    size_t size[BINS], used = 0;
    for (size_t k = 0; k < b->count; k++) {
        weight[used] = b->found[k] + 1e-9;
        sum[used] = weight[used] * b->alone[k];
        size[used++] = 1;
        while (used > 1 &&
               sum[used - 1] / weight[used - 1] > sum[used - 2] / weight[used - 2]) {
            sum[used - 2] += sum[used - 1];
            weight[used - 2] += weight[used - 1];
            size[used - 2] += size[used - 1];
            used--;
        }
    }
    for (size_t p = 0, k = 0; p < used; p++) {
        for (size_t i = 0; i < size[p]; i++) {
            b->alone[k++] = sum[p] / weight[p];
        }
    }
}

static size_t count_links(const struct il_diff_row *rows, size_t count)
{
    size_t links = 0;
    for (size_t i = 0; i < count; i++) {
        links += rows[i].linked && rows[i].posterior > 0;
    }
    return links;
}

enum il_status il_diff_judge(const struct il_diff_row *rows, size_t count, double missed,
                             double *alone, struct il_diff_estimate *estimate,
                             struct il_error *error)
{
    struct bins b = {0};
    size_t links = count_links(rows, count);
    *estimate = (struct il_diff_estimate){0};
    if (links < LINKS_MIN) {
        return il_fail(error, IL_EBOOTSTRAP, "%zu links, wanted at least %d", links,
                       LINKS_MIN);
    }
    if (!(missed >= 0)) {
        return il_fail(error, IL_EARG, "%g missed links, wanted 0 or more", missed);
    }
    if (cut_bins(&b, rows, count) != IL_OK) {
        return il_fail(error, IL_ENOMEM, "no memory for %zu rows", count);
    }
    fill_bins(&b, rows, count);
    for (size_t k = 0; k < b.count; k++) {
        estimate->unlinked += (size_t)b.found[k];
    }
    double share = find_share(&b, missed);
    for (size_t k = 0; k < b.count; k++) {
        b.alone[k] = alone_in(&b, k, share);
    }
    pool(&b);
    for (size_t i = 0; i < count; i++) {
        alone[i] =
            rows[i].linked ? 1 - rows[i].posterior : b.alone[bin_of(&b, rows[i].best)];
        estimate->alone += rows[i].linked ? 0 : alone[i];
        estimate->wrong += rows[i].linked ? alone[i] : 0;
    }
    return IL_OK;
}
