/* SPDX-License-Identifier: Apache-2.0 */
/* Three and more sides: links of every two of them, held against each other. */
#ifndef ISOLINK_CLOSING_H
#define ISOLINK_CLOSING_H

#include <stddef.h>
#include <stdint.h>

#include <isolink/link.h>
#include <isolink/matrix.h>
#include <isolink/status.h>

#ifdef __cplusplus
extern "C" {
#endif

/** Most sides of a closing. */
#define IL_CLOSING_SIDES 16

/** Links between two of the sides. */
struct il_closing_pair {
    unsigned x, y; /**< sides, x < y; no two pairs have the same */
    const struct il_link
        *links; /**< a is a row of x, b of y; each row in one link at most; borrowed */
    size_t count;
    double recall; /**< estimated share of their documents that is linked, 0..1 */
};

/** What became of a link. */
enum il_closing_fate {
    IL_CLOSING_KEPT = 0,
    IL_CLOSING_ASIDE = 1, /**< the weakest of a chain that contradicts itself */
    IL_CLOSING_INFERRED =
        2 /**< of no pair's run: two kept links of a third side say it */
};

/** A link between two sides, after it was held against the others. */
struct il_closed_link {
    unsigned x, y; /**< sides, x < y */
    uint64_t a, b; /**< rows of x and y */
    double posterior;
    double before;              /**< its posterior alone; 0 of an inferred one */
    unsigned agree, contradict; /**< third sides whose links say the same, another */
    enum il_closing_fate fate;
    enum il_origin origin;
};

/** Three links that cannot all be right: row[0] - row[1] - row[2] - row[3] lie on the
 * sides side[0], side[1], side[2], side[0], and the first row is not the last. */
struct il_contradiction {
    unsigned side[3];
    uint64_t row[4];
    unsigned weakest; /**< 0, 1, 2: the link that is set aside */
};

struct il_closing;

/**
 * Holds the links of several sides against each other.
 *
 * Equal documents are an equivalence: when a links to b and b to c, then a is c's
 * document too. For a link and a third side whose two links make a chain, let c be the
 * product of the chain's two posteriors. Errors of encoders are not independent: a link
 * and a chain may well be wrong the same way. So u, the share of what is wrong that shows
 * as a contradiction, is taken from the data, for each pair and third side: the number of
 * contradictions by the sum of (1 - posterior) + (1 - c). A wrong link is contradicted
 * with the probability u, a right one with u (1 - c): agreement multiplies the odds of a
 * link by (1 - u (1 - c)) / (1 - u), a contradiction by 1 - c. Of every chain that
 * contradicts itself the link of the lowest posterior is set aside (the chains of the
 * weakest links first; one that is broken by then needs nothing more; seeds go last);
 * what those links said of others counts no more. Where two kept links make a chain and
 * neither end has a link of its own, the third is inferred: its odds are c / (1 - c)
 * times 1 - recall, since the pair's own run did not find it; inferred from 0.5 on, one
 * to one, best first.
 * \param rows   of each side
 * \param sides  3..IL_CLOSING_SIDES
 * \param pairs  pair_count of them, borrowed for the call
 * \return IL_OK; IL_EARG: a row out of range or linked twice, a pair twice; IL_ENOMEM
 * Cost O(sides^2 rows). The result does not depend on the order of pairs or links. Any
 * thread.
 */
IL_API IL_MUST_CHECK enum il_status il_closing_run(struct il_closing **out,
                                                   const size_t *rows, unsigned sides,
                                                   const struct il_closing_pair *pairs,
                                                   size_t pair_count,
                                                   struct il_error *error);

/** All links, by sides, then best first; those that were set aside behind the others of
 * their sides. Borrowed. */
IL_API const struct il_closed_link *il_closing_links(const struct il_closing *closing,
                                                     size_t *count);
/** By sides and rows; borrowed. */
IL_API const struct il_contradiction *
il_closing_contradictions(const struct il_closing *closing, size_t *count);

struct il_closing_report {
    size_t agreements; /**< links and third sides that say the same */
    size_t chains;     /**< that contradict themselves */
    size_t set_aside;  /**< links */
    size_t inferred;   /**< links */
    double shown;      /**< share of what should be wrong that contradicts */
};
IL_API void il_closing_describe(const struct il_closing *closing,
                                struct il_closing_report *out);
/**
 * Writes contradictions as CSV: header
 * side_1,id_1,side_2,id_2,side_3,id_3,side_4,id_4,set_aside; sides are A, B, C ..,
 * set_aside is 1, 2 or 3: the link between the first two ids, the next two, the last two.
 * \param path  as of il_links_write \param ids  those of each side; every row has one
 * \return IL_OK; IL_EIO; IL_ENOMEM. One thread.
 */
IL_API IL_MUST_CHECK enum il_status
il_contradictions_write(const char *path, const struct il_contradiction *chains,
                        size_t count, const struct il_ids *const *ids,
                        struct il_error *error);

/** Frees and sets to NULL; accepts NULL in *closing. */
IL_API void il_closing_close(struct il_closing **closing);

#ifdef __cplusplus
}
#endif
#endif
