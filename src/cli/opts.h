/* SPDX-License-Identifier: Apache-2.0 */
/* Options: getopt_long with messages of our own, checked numbers, suggestions for typos.
 */
#ifndef IL_OPTS_H
#define IL_OPTS_H

#include <getopt.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <isolink/link.h>
#include <isolink/store.h>

/** What il_opts_next returns after it has printed a message. */
#define IL_OPT_ERROR 1

/** Values of long options without a letter. */
enum il_opt {
    IL_OPT_SEEDS = 256,
    IL_OPT_A_IDS,
    IL_OPT_B_IDS,
    IL_OPT_METHOD,
    IL_OPT_THREADS,
    IL_OPT_SEED,
    IL_OPT_VIEWS,
    IL_OPT_FOLDS,
    IL_OPT_MIN_POSTERIOR,
    IL_OPT_WEIGHTING,
    IL_OPT_JSON,
    IL_OPT_MEMORY,
    IL_OPT_SCRATCH,
    IL_OPT_NO_PROGRESS,
    IL_OPT_QUICK,
    IL_OPT_VERSION,
    IL_OPT_IDS,
    IL_OPT_CODEC,
    IL_OPT_PCA,
    IL_OPT_MODEL,
    IL_OPT_APPEND,
    IL_OPT_REPLACE,
    IL_OPT_FORMAT,
    IL_OPT_TABLE,
    IL_OPT_COLUMN,
    IL_OPT_ON_BAD,
    IL_OPT_IO,
    IL_OPT_STATE,
    IL_OPT_A_SOURCE,
    IL_OPT_B_SOURCE,
    IL_OPT_A_FORMAT,
    IL_OPT_B_FORMAT,
    IL_OPT_A_COLUMN,
    IL_OPT_B_COLUMN,
    IL_OPT_A_MODEL,
    IL_OPT_B_MODEL,
    IL_OPT_ONCE,
    IL_OPT_CLOSE,
    IL_OPT_FROM_END,
    IL_OPT_EVENTS,
    IL_OPT_BOOTSTRAP_AFTER,
    IL_OPT_BOOTSTRAP_EVERY,
    IL_OPT_BOOTSTRAP_ROWS,
    IL_OPT_BACKGROUND_THREADS,
    IL_OPT_SYNC,
    IL_OPT_BATCH,
    IL_OPT_POLL,
    IL_OPT_METRICS,
    IL_OPT_LOG_JSON,
    IL_OPT_LOG_LEVEL,
    IL_OPT_CONFIG,
    IL_OPT_PROGRESS,
    IL_OPT_SINCE,
    IL_OPT_UNTIL,
    IL_OPT_FOLLOW,
    IL_OPT_TRUTH,
    IL_OPT_METHODS,
    IL_OPT_LINKS,
    IL_OPT_KIND,
    IL_OPT_AXES,
    IL_OPT_REVERSE,
    IL_OPT_CONFIDENCE,
    IL_OPT_FORCE,
    IL_OPT_MAP,
    IL_OPT_RECALL,
    IL_OPT_PROVENANCE
};

/**
 * Next option of a command line; argv[0] is the command's name.
 *
 * \param shorts  as for getopt_long, starting with ':'
 * \return the option's value, -1 at the end (optind is then the first operand), or
 * IL_OPT_ERROR
 */
int il_opts_next(int argc, char **argv, const char *shorts, const struct option *longs);

/** Reads a decimal number in [min, max]: digits only. Says what is wrong and returns
 * false. */
bool il_opts_number(const char *command, const char *option, const char *text,
                    uint64_t min, uint64_t max, uint64_t *out);

/** Reads a number of bytes in [min, max]: digits, then K, M, G or T for powers of 1,024.
 * Says what is wrong and returns false. */
bool il_opts_bytes(const char *command, const char *option, const char *text,
                   uint64_t min, uint64_t max, uint64_t *out);

/** Reads a number in [0, 1]. Says what is wrong and returns false. */
bool il_opts_share(const char *command, const char *option, const char *text,
                   double *out);

/** Index of text among count words, or -1 after a message that lists them and names the
 * one that may have been meant. */
int il_opts_word(const char *command, const char *option, const char *text,
                 const char *const *words, size_t count);

/** Most methods that a command line may name. */
#define IL_METHODS_MAX 16

/** The names of the methods, by number. \return how many there are */
size_t il_opts_methods(const char *names[IL_METHODS_MAX]);

/** Reads the value of --io: auto, uring or pread. Says what is wrong and returns false.
 */
bool il_opts_io(const char *command, const char *text, enum il_io *out);

/** The word nearest to text by edit distance, or NULL when none is near enough to be
 * meant. */
const char *il_opts_nearest(const char *text, const char *const *words, size_t count);

#endif
