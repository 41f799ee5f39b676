/* SPDX-License-Identifier: Apache-2.0 */
/* The links that a state's events leave standing. */
#ifndef IL_LINKS_VIEW_H
#define IL_LINKS_VIEW_H

#include <stdbool.h>

#include <isolink/isolink.h>

/** A link that stands: its last event, with ids of its own. */
struct il_standing {
    struct il_event event; /**< a_id, b_id point into `ids` */
    unsigned char *ids;    /**< NULL: retracted */
};

struct il_links_view {
    struct il_standing *link; /**< `count` of them, in the order of their first event */
    size_t count, room;
    size_t *slot; /**< hash table of link_id: number in `link`, plus one */
    size_t slots; /**< a power of two; 0: none yet */
    uint64_t seq; /**< of the last event that was played */
    int64_t time_ns;
    uint32_t round;       /**< of the last event */
    uint64_t standing;    /**< links that stand, seeds included */
    uint64_t seeds;       /**< of them, known pairs */
    double posterior_sum; /**< of those that are not */
};

/** Plays one event. IL_ENOMEM. */
enum il_status il_links_view_play(struct il_links_view *view,
                                  const struct il_event *event);
/** Reads a state up to `until` (UINT64_MAX: all). \return an exit code; says what is
 * wrong. Zero the view before; free it in any case. */
int il_links_view_load(struct il_links_view *view, const char *command, const char *state,
                       uint64_t until);
void il_links_view_free(struct il_links_view *view);

/**
 * Writes the links that stand: CSV, best first (equal posteriors by a_id, b_id), or JSONL
 * in the order of their last events.
 * \param path  "-": standard output; a file is written whole or not at all
 * \return an exit code; says what is wrong
 */
int il_links_view_write(struct il_links_view *view, const char *command, const char *path,
                        bool jsonl);

#endif
