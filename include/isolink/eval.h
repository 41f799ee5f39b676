/* SPDX-License-Identifier: Apache-2.0 */
/* Links against the truth: precision, recall, F1 and how far the posteriors can be
 * trusted. */
#ifndef ISOLINK_EVAL_H
#define ISOLINK_EVAL_H

#include <stddef.h>

#include <isolink/link.h>
#include <isolink/matrix.h>
#include <isolink/status.h>

#ifdef __cplusplus
extern "C" {
#endif

#define IL_EVAL_BINS 10

/** Links whose posterior lies in [low, high). The last bin includes 1. */
struct il_eval_bin {
    double low, high;
    size_t links;
    size_t right;
    double posterior; /**< mean posterior of the links in the bin; 0 when it is empty */
};

struct il_eval {
    size_t links;          /**< links judged: lines of the links file that are no seeds */
    size_t truth;          /**< pairs of the truth that are no seeds */
    size_t right;          /**< links that stand in the truth */
    size_t seeds_left_out; /**< lines of the links file left out as seeds */
    double precision;      /**< right / links; 0 when there are none */
    double recall;         /**< right / truth; 0 when there is none */
    double f1;             /**< harmonic mean; 0 when both are 0 */
    double f1_best; /**< largest F1 of the first links, in the order listed: where they
                       stand best first, that of the best threshold in retrospect */
    double precision_expected; /**< mean posterior of the links */
    double ece; /**< expected calibration error: sum over bins of links/all |right/links -
                   mean posterior| */
    int posterior_known; /**< 0 when the links file has no posterior column: the bins are
                            empty then */
    struct il_eval_bin bin[IL_EVAL_BINS];
};

/**
 * Judges links against the truth, by id.
 *
 * Seeds are excluded on both sides: lines of the links file with origin "seed", and the
 * pairs of seeds_path (a pair counts as a seed when its a_id or its b_id is one of a
 * seed's). A line that repeats a pair counts once (of links, the first); an id may have
 * several partners. \param links_path  CSV with at least a_id,b_id; the columns posterior
 * and origin are used when the header names them \param truth_path  CSV with a_id,b_id
 * \param seeds_path  CSV with a_id,b_id, or NULL
 * \return IL_OK; IL_EIO; IL_EFORMAT with file and line; IL_ENOMEM
 * Cost O(bytes), all pairs in memory. Any thread.
 */
IL_API IL_MUST_CHECK enum il_status
il_eval_files(struct il_eval *out, const char *links_path, const char *truth_path,
              const char *seeds_path, struct il_error *error);

/**
 * The same for links of a run: their ids are those of the rows.
 * \param links  count of them, as il_link_links gives them: best first; borrowed
 * \param a, b   ids of the sides' rows; borrowed for the call
 * Everything else as il_eval_files.
 */
IL_API IL_MUST_CHECK enum il_status
il_eval_links(struct il_eval *out, const struct il_link *links, size_t count,
              const struct il_ids *a, const struct il_ids *b, const char *truth_path,
              const char *seeds_path, struct il_error *error);

#ifdef __cplusplus
}
#endif
#endif
