/* SPDX-License-Identifier: Apache-2.0 */
/* A look at two sides before they are linked: is the data sound, will a bootstrap work?
 */
#ifndef ISOLINK_DOCTOR_H
#define ISOLINK_DOCTOR_H

#include <stddef.h>

#include <isolink/link.h>
#include <isolink/matrix.h>
#include <isolink/status.h>

#ifdef __cplusplus
extern "C" {
#endif

/** What one side looks like. */
struct il_doctor_side {
    size_t rows, dim;
    enum il_dtype type;
    size_t not_finite; /**< rows with NaN or Inf */
    size_t zero;       /**< rows of length 0 */
    size_t duplicates; /**< rows that repeat an earlier row bit for bit */
    double norm_min, norm_median, norm_max; /**< lengths of the usable rows */
    double
        mean_share; /**< |mean row| / mean length: 0 = centred, near 1 = a narrow cone */
    double effective_dim; /**< (sum of the covariance's eigenvalues)^2 / sum of their
                             squares */
    double hubness; /**< skewness of how often a row is among the 10 nearest of others */
    double hub_max; /**< largest such count, divided by 10 */
    size_t sampled; /**< rows that hubness was measured on */
};

enum il_verdict { IL_GO = 0, IL_DOUBTFUL = 1, IL_NO_GO = 2 };

struct il_doctor {
    struct il_doctor_side side[2];
    int seeds_given; /**< 0: the fields below are empty, the verdict rests on the data
                        alone */
    size_t seeds_usable;
    double seed_agreement; /**< rank correlation of the seeds' similarities on the two
                              sides */
    double seed_agreement_chance; /**< share of random re-pairings of the seeds that reach
                                     it */
    size_t seeds_tested;          /**< seeds held out once */
    size_t seeds_found;     /**< of them found again by a start that never saw them */
    double start_agreement; /**< share of pairs on which independent starts agree */
    enum il_verdict verdict;
    char why[400]; /**< what the verdict rests on, in words */
};

/** Name of a verdict: "go", "doubtful", "no-go". Any thread. */
IL_API const char *il_verdict_text(enum il_verdict verdict);

/**
 * Examines two sides and, when seeds are given, whether their spaces agree locally.
 *
 * \param a, b, seeds, config  as in il_link_run; seeds may be NULL (count 0)
 * \return IL_OK; IL_EARG; IL_ENOMEM; IL_ECANCEL
 * Cost: hubness O(s^2 d) on a sample of s <= 4,000 rows a side; with seeds the starts of
 * a link run. Uses its own threads; different calls may run at once.
 */
IL_API IL_MUST_CHECK enum il_status
il_doctor_run(struct il_doctor *out, const struct il_matrix *a, const struct il_matrix *b,
              const struct il_pair *seeds, size_t seed_count,
              const struct il_link_config *config, struct il_error *error);

#ifdef __cplusplus
}
#endif
#endif
