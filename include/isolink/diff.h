/* SPDX-License-Identifier: Apache-2.0 */
/* Which rows of a side have no counterpart on the other: from links and from what a map
 * finds. */
#ifndef ISOLINK_DIFF_H
#define ISOLINK_DIFF_H

#include <stddef.h>

#include <isolink/status.h>

#ifdef __cplusplus
extern "C" {
#endif

/** What is known of a row, searched through a map among the rows of the other side. */
struct il_diff_row {
    int linked;       /**< 1: it has a link */
    double posterior; /**< of the link, 0..1 */
    float best;       /**< score of the row that was found first */
    float rest;       /**< of a linked row: of the first that is not its partner */
};

struct il_diff_estimate {
    size_t unlinked;
    double alone; /**< of them, estimated number without counterpart */
    double wrong; /**< estimated number of wrong links */
};

/**
 * For every row the estimated probability that the other side has no counterpart of it.
 *
 * A linked row: 1 - posterior. A row without link: linked rows say how the best score is
 * distributed where there is a counterpart (best), and what rows find that have none
 * (rest: the counterpart looked away from); both weighted by posterior, in bins of equal
 * numbers. The probability follows by Bayes from the share of unlinked rows that have a
 * counterpart, the share being the one under which `missed` of them are expected to, and
 * is made to fall with the score. So the sum over rows is right when `missed` is; which
 * rows they are is less sure, as counterparts that were not linked are harder to find
 * than those that show the distribution.
 *
 * \param missed   estimated number of unlinked rows with a counterpart, as from the
 * recall that il_link_run estimates; 0 or more
 * \param alone    count probabilities; written
 * \return IL_OK; IL_EBOOTSTRAP: fewer than 20 links; IL_EARG; IL_ENOMEM. Cost O(count log
 * count). Any thread.
 */
IL_API IL_MUST_CHECK enum il_status
il_diff_judge(const struct il_diff_row *rows, size_t count, double missed, double *alone,
              struct il_diff_estimate *estimate, struct il_error *error);

#ifdef __cplusplus
}
#endif
#endif
