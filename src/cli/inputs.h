/* SPDX-License-Identifier: Apache-2.0 */
/* The two sides, their ids and the seeds, as the commands read them; and where outputs
 * go. */
#ifndef IL_INPUTS_H
#define IL_INPUTS_H

#include <stdbool.h>
#include <stddef.h>

#include <isolink/isolink.h>

/** What the command line names. */
struct il_input_paths {
    const char *side[2];
    const char *ids[2]; /**< NULL: those of the side, or row numbers */
    const char *seeds;  /**< NULL: none */
    enum il_io io;      /**< how stores are read */
    const char *links;  /**< NULL: none */
    bool whole; /**< rows of stores come with all coordinates, not as they are stored */
};

/** What lies in those files; zero it before il_inputs_load, free it with il_inputs_free.
 */
struct il_inputs {
    struct il_input_paths path;
    struct il_vectors *vectors[2];
    struct il_matrix rows[2];
    struct il_ids *own_ids[2];   /**< read or numbered; NULL: they came with the rows */
    const struct il_ids *ids[2]; /**< those, or these */
    struct il_pair *seeds;
    size_t seed_count;
    struct il_link *links;
    size_t link_count;
    struct il_pairs_notes notes; /**< seeds left out, or links: where there are links */
};

/**
 * Reads everything, and says what is wrong.
 * \return an exit code; after a signal that of il_say_cancelled
 */
int il_inputs_load(struct il_inputs *inputs, const struct il_input_paths *path,
                   const char *command);

/** Lines of the seeds file: pairs and left-out lines. */
size_t il_inputs_seed_lines(const struct il_inputs *inputs);

/** Warns about seeds that were left out; says nothing when there are none. */
void il_inputs_warn(const struct il_inputs *inputs, const char *command);

/** The same about links. */
void il_inputs_warn_links(const struct il_inputs *inputs, const char *command);

void il_inputs_free(struct il_inputs *inputs);

/**
 * Checks, before a long run, that a file can be written at its end: it is no directory
 * and none of the inputs, what exists may be written, and its directory takes new files.
 *
 * \param resolved  receives the malloc'd name of the file, a final symbolic link
 * followed; NULL for a device or a pipe \return IL_EXIT_DONE; IL_EXIT_USAGE when it is an
 * input; IL_EXIT_FAILED. Says why.
 */
int il_output_check(const char *command, const char *path,
                    const struct il_input_paths *inputs, char **resolved);

#endif
