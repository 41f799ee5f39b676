/* SPDX-License-Identifier: Apache-2.0 */
/* Sums of votes in sorted arrays, the posterior, Otsu's threshold, one pair a row and
 * column. */
#include "src/link/votes.h"

#include <string.h>

#define BINS 256

enum il_status il_votes_open(struct il_votes *votes, uint64_t columns, size_t fresh_max,
                             size_t tally_max)
{
    IL_ASSERT(fresh_max >= 1);
    IL_ASSERT(tally_max >= 1);
    *votes = (struct il_votes){
        .columns = columns, .fresh_max = fresh_max, .tally_max = tally_max, .round = 1};
    votes->fresh = il_alloc(fresh_max, sizeof *votes->fresh);
    votes->spare = il_alloc(fresh_max, sizeof *votes->spare);
    if (!votes->fresh || !votes->spare) {
        il_votes_free(votes);
        return IL_ENOMEM;
    }
    return IL_OK;
}

void il_votes_free(struct il_votes *votes)
{
    il_free(votes->tally);
    il_free(votes->fresh);
    il_free(votes->spare);
    memset(votes, 0, sizeof *votes);
}

enum il_status il_votes_add(struct il_votes *votes, uint32_t a, uint32_t b, float margin)
{
    IL_ASSERT(b < votes->columns);
    enum il_status status = IL_OK;
    if (votes->fresh_count == votes->fresh_max) {
        status = il_votes_flush(votes);
    }
    if (!status) {
        votes->fresh[votes->fresh_count++] =
            (struct il_vote){a * votes->columns + b, margin};
    }
    return status;
}

/* Merges the sorted runs [first, middle) and [middle, end); of equal keys the left one
 * first. */
static void merge_runs(const struct il_vote *from, size_t first, size_t middle,
                       size_t end, struct il_vote *to)
{
    size_t i = first, j = middle;
    /* Views propose their pairs in ascending order: most runs of few votes are in order.
     */
    if (middle >= end || from[middle - 1].key <= from[middle].key) {
        memcpy(to + first, from + first, (end - first) * sizeof *to);
        return;
    }
    for (size_t k = first; k < end; k++) {
        int left = j == end || (i < middle && from[i].key <= from[j].key);
        to[k] = left ? from[i++] : from[j++];
    }
}

/* Bottom-up merge sort by key: stable, and the same on every machine, unlike qsort. */
static void sort_fresh(struct il_votes *votes)
{
    size_t count = votes->fresh_count;
    for (size_t width = 1; width < count; width *= 2) {
        for (size_t first = 0; first < count; first += 2 * width) {
            size_t middle = count - first < width ? count : first + width;
            size_t end = count - first < 2 * width ? count : first + 2 * width;
            merge_runs(votes->fresh, first, middle, end, votes->spare);
        }
        struct il_vote *sorted = votes->spare;
        votes->spare = votes->fresh;
        votes->fresh = sorted;
    }
}

static void tally_vote(struct il_tally *tally, float margin, uint32_t round)
{
    if (tally->margin_round != round) {
        tally->margin_round = round;
        tally->margin_votes = 0;
        tally->margin_sum = 0;
    }
    tally->votes++;
    tally->margin_votes++;
    tally->margin_sum += margin;
}

/* Drops the pairs of fewest votes until tally_max are left. */
static void drop_rare(struct il_votes *votes)
{
    for (uint32_t rare = 1; votes->count > votes->tally_max; rare++) {
        size_t kept = 0;
        for (size_t i = 0; i < votes->count; i++) {
            if (votes->tally[i].votes > rare) {
                votes->tally[kept++] = votes->tally[i];
            }
        }
        votes->count = kept;
    }
}

enum il_status il_votes_flush(struct il_votes *votes)
{
    if (votes->fresh_count == 0) {
        return IL_OK;
    }
    sort_fresh(votes);
    const struct il_vote *fresh = votes->fresh;
    size_t fresh_keys = 1, i = 0, j = 0, count = 0;
    for (size_t f = 1; f < votes->fresh_count; f++) {
        fresh_keys += fresh[f].key != fresh[f - 1].key;
    }
    struct il_tally *merged = il_alloc(votes->count + fresh_keys, sizeof *merged);
    if (!merged) {
        return IL_ENOMEM;
    }
    while (i < votes->count || j < votes->fresh_count) {
        if (j == votes->fresh_count ||
            (i < votes->count && votes->tally[i].key <= fresh[j].key)) {
            merged[count] = votes->tally[i++];
        } else {
            merged[count] = (struct il_tally){.key = fresh[j].key};
        }
        for (; j < votes->fresh_count && fresh[j].key == merged[count].key; j++) {
            tally_vote(&merged[count], fresh[j].margin, votes->round);
        }
        count++;
    }
    il_free(votes->tally);
    votes->tally = merged;
    votes->count = count;
    votes->fresh_count = 0;
    drop_rare(votes);
    return IL_OK;
}

void il_votes_restart(struct il_votes *votes)
{
    size_t kept = 0;
    for (size_t i = 0; i < votes->count; i++) {
        if (votes->tally[i].promoted) {
            votes->tally[kept] = votes->tally[i];
            votes->tally[kept].votes = votes->tally[kept].opportunities = 0;
            kept++;
        }
    }
    votes->count = kept;
    votes->fresh_count = 0;
}

double il_posterior(uint32_t votes, uint32_t opportunities)
{
    IL_ASSERT(votes <= opportunities);
    return (1.0 + votes) / (2.0 + opportunities);
}

float il_tally_margin(const struct il_tally *tally)
{
    return tally->margin_votes ? tally->margin_sum / (float)tally->margin_votes : 0;
}

/* Bin of the largest variance between the classes; hist holds count values in all. */
static size_t otsu_bin(const size_t *hist, size_t count, double low, double step)
{
    double total = 0, w = 0, mu = 0, most = 0;
    for (size_t k = 0; k < BINS; k++) {
        total += (double)hist[k] / (double)count * (low + ((double)k + 0.5) * step);
    }
    size_t best = 0;
    for (size_t k = 0, below = 0; k < BINS; k++) {
        double share = (double)hist[k] / (double)count;
        below += hist[k];
        w += share;
        mu += share * (low + ((double)k + 0.5) * step);
        double apart = total * w - mu;
        /* Whole numbers tell that a class is empty; w may miss 1 by rounding. */
        double s = below > 0 && below < count ? apart * apart / (w * (1 - w)) : 0;
        if (s > most) {
            most = s;
            best = k;
        }
    }
    return best;
}

double il_otsu(const double *values, size_t count)
{
    double low = 0, high = 0;
    size_t used = 0, hist[BINS] = {0};
    for (size_t i = 0; i < count; i++) {
        if (values[i] >= 0) {
            low = used == 0 || values[i] < low ? values[i] : low;
            high = used == 0 || values[i] > high ? values[i] : high;
            used++;
        }
    }
    if (used == 0 || low == high) {
        return high;
    }
    double step = (high - low) / BINS;
    for (size_t i = 0; i < count; i++) {
        if (values[i] >= 0) {
            size_t bin = (size_t)((values[i] - low) / step);
            hist[bin < BINS ? bin : BINS - 1]++;
        }
    }
    return low + ((double)otsu_bin(hist, used, low, step) + 0.5) * step;
}

enum il_status il_one_to_one(const struct il_tally *tally, size_t count, size_t rows,
                             size_t columns, const double *score, uint8_t *keep)
{
    /* Entry that leads each row and each column, + 1; 0 = none yet. */
    size_t *row = il_alloc_zero(rows, sizeof *row),
           *col = il_alloc_zero(columns, sizeof *col);
    enum il_status status = row && col ? IL_OK : IL_ENOMEM;
    for (size_t i = 0; !status && i < count; i++) {
        size_t a = tally[i].key / columns, b = tally[i].key % columns;
        IL_ASSERT(a < rows);
        /* Ascending keys: an equal score later on does not displace the lower key. */
        if (keep[i] && (row[a] == 0 || score[i] > score[row[a] - 1])) {
            row[a] = i + 1;
        }
        if (keep[i] && (col[b] == 0 || score[i] > score[col[b] - 1])) {
            col[b] = i + 1;
        }
    }
    for (size_t i = 0; !status && i < count; i++) {
        size_t a = tally[i].key / columns, b = tally[i].key % columns;
        keep[i] = keep[i] && row[a] == i + 1 && col[b] == i + 1;
    }
    il_free(col);
    il_free(row);
    return status;
}
