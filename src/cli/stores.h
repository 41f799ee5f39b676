/* SPDX-License-Identifier: Apache-2.0 */
/* What the commands of the store share: opening one, lists of ids, tables and JSON. */
#ifndef IL_STORES_H
#define IL_STORES_H

#include <stdbool.h>

#include <isolink/isolink.h>

/**
 * Opens a store, and says what is wrong or worth a warning.
 * \param config  log and its context are set here
 * \return an exit code; a store that is not there is IL_EXIT_INPUT, one that cannot be
 * written IL_EXIT_FAILED
 */
int il_store_open_say(struct il_store **out, const char *command, const char *path,
                      struct il_store_config *config);

/** Longest name of a model, and a zero byte. */
#define IL_MODEL_TEXT 256

/** The model of a store, "" where the path is none. \param model IL_MODEL_TEXT bytes
 * \return an exit code; says what is wrong */
int il_store_model(const char *command, const char *path, enum il_io io, char *model);

/** Ids of a command line: the operands first, then those of a file. */
struct il_wanted {
    char **operands;
    int count;
    struct il_id_list *list; /**< NULL: none */
};

/** Opens the file, if there is one. \return an exit code; says what is wrong */
int il_wanted_open(struct il_wanted *wanted, const char *command, const char *path);

/** The next id; *id is NULL at the end. Borrowed until the next call. */
enum il_status il_wanted_next(struct il_wanted *wanted, const void **id, size_t *id_bytes,
                              struct il_error *error);
void il_wanted_close(struct il_wanted *wanted);

/** Ids that a store does not have: each is named, up to a few, then they are counted. */
struct il_missing {
    size_t count;
};
void il_missing_say(struct il_missing *missing, const char *command, const char *path,
                    const void *id, size_t id_bytes);
/** Says how many there were, when not all were named. \return IL_EXIT_INPUT, or
 * IL_EXIT_DONE when there were none */
int il_missing_end(const struct il_missing *missing, const char *command,
                   const char *path);

/** Bytes as rows of f32 would take them. */
double il_f32_bytes(uint64_t rows, size_t dim);

/** Bytes as "512 bytes", "1.53 MB", "2.10 GB": 10^6 and 10^9. */
struct il_size {
    char text[48];
};
struct il_size il_size_text(double bytes);

/** Seconds of a clock that only goes forward. */
double il_seconds_now(void);

/** Prints a JSON text that may be NULL and frees it. \return IL_EXIT_DONE, or that of
 * exhausted memory */
int il_json_print(const char *command, char *text);

#endif
