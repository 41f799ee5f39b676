/* SPDX-License-Identifier: Apache-2.0 */
/* --config of tail: lines KEY = VALUE, comments, sections [a] and [b]. */
#ifndef IL_TAIL_CONFIG_H
#define IL_TAIL_CONFIG_H

#include <stdbool.h>
#include <stddef.h>

/** A file in memory; values point into it. Zero it before il_config_load. */
struct il_config_file {
    char *text;
    const char *path; /**< borrowed */
};

/**
 * Is told every key in the order of the file.
 * \param where  "tail: FILE, line N", for messages
 * \param key    in section [a] with "a-" before it, in [b] with "b-"
 * \param value  "" when there is none; valid while the file is loaded
 * \return false to end, after it has said why
 */
typedef bool il_config_fn(void *context, const char *where, const char *key,
                          const char *value);

/**
 * Reads a file: empty lines; comments, which begin with '#' or ';'; [a], [b]; KEY =
 * VALUE, the value also between double quotes. A key may stand once.
 * \return an exit code; says what is wrong with file and line
 */
int il_config_load(struct il_config_file *file, const char *command, const char *path,
                   il_config_fn *each, void *context);
/** Frees the text. */
void il_config_free(struct il_config_file *file);

#endif
