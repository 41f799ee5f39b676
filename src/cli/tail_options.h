/* SPDX-License-Identifier: Apache-2.0 */
/* What isolink tail is told: by its command line, and by a file below it. */
#ifndef IL_TAIL_OPTIONS_H
#define IL_TAIL_OPTIONS_H

#include <stdbool.h>

#include <isolink/isolink.h>

#include "tail_config.h"

/** Texts are borrowed from the command line or from `file`. */
struct il_tail_options {
    const char *state;
    const char *source[2];
    const char *seeds;     /**< NULL: those that the state has */
    const char *column[2]; /**< NULL: the only one */
    const char *model[2];  /**< NULL: that of the state, or "" */
    const char *events;    /**< NULL: none; "-": standard output */
    const char *metrics;   /**< NULL: none */
    const char *config;    /**< NULL: none */
    const char *scratch;
    enum il_kind kind[2];
    enum il_codec codec;
    enum il_sync sync;
    unsigned sync_ms;
    enum il_io io;
    unsigned threads, background_threads;
    uint64_t memory; /**< 0: no limit */
    uint64_t seed;
    double posterior_min; /**< below 0: not set */
    double bootstrap_after;
    uint64_t bootstrap_seconds;
    uint64_t bootstrap_rows; /**< 0: the default */
    uint64_t batch;          /**< rows of a side in one commit */
    uint64_t poll_ms;
    int log_level;
    int progress; /**< 1, 0; -1: on a terminal */
    bool log_json, once, close, from_end, help;
    struct il_config_file file;
};

/**
 * Reads the command line, and the file that it names: what the command line says wins.
 * \return an exit code; says what is wrong. The options are to be freed in any case
 */
int il_tail_options_read(struct il_tail_options *options, int argc, char **argv);
void il_tail_options_free(struct il_tail_options *options);

/** Name of an option that differs and cannot change while the daemon runs; NULL: all that
 * differ can. */
const char *il_tail_options_fixed(const struct il_tail_options *now,
                                  const struct il_tail_options *wanted);
/** 1: what differs takes effect when the state is opened again. */
bool il_tail_options_reopen(const struct il_tail_options *now,
                            const struct il_tail_options *wanted);

#endif
