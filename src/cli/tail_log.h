/* SPDX-License-Identifier: Apache-2.0 */
/* Messages of a daemon on standard error: levels, three forms, repeats held back. */
#ifndef IL_TAIL_LOG_H
#define IL_TAIL_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/** Levels as in syslog. */
enum il_level {
    IL_LEVEL_ERROR = 3,
    IL_LEVEL_WARNING = 4,
    IL_LEVEL_INFO = 6,
    IL_LEVEL_DEBUG = 7
};

enum il_log_form {
    IL_LOG_PLAIN = 0,  /**< "isolink: tail: text", for a terminal */
    IL_LOG_LOGFMT = 1, /**< time=.. level=.. msg=".." */
    IL_LOG_JSON = 2    /**< one object a line */
};

/** Says from where on messages are printed, and how. Any time, one thread. With the
 * journal behind standard error, lines begin with their priority, as in "<6>". */
void il_log_set(int level, enum il_log_form form);

/** Prints a message. The same text comes at most once a minute; the next one then says
 * how often it was held back. Any thread. */
void il_log(int level, const char *format, ...) __attribute__((format(printf, 2, 3)));
/** The same, as the library calls it; context is not used. */
void il_log_text(void *context, int level, const char *text);

/** Something that must be off the terminal while a message is printed. Called with
 * standard error locked; before any other thread prints. */
void il_log_before(void (*clear)(void));

/** Standard error for one thread alone. */
void il_log_lock(void);
void il_log_unlock(void);

/* What lies below, for tests. */

#define IL_LOG_KEPT 32
struct il_log_repeats {
    struct {
        uint64_t hash;
        double time;
        unsigned held;
    } entry[IL_LOG_KEPT];
    size_t next;
};
/** Whether a text is to be printed now; *held = how often it was not since it was. */
bool il_log_admit(struct il_log_repeats *repeats, const char *text, double now,
                  unsigned *held);

/** Writes one line. priority: with "<N>" before it. */
void il_log_put(FILE *stream, enum il_log_form form, bool priority, int level,
                int64_t time_ns, const char *text, unsigned held);

/** Level of "error", "warning", "info" or "debug"; -1 for another word. */
int il_level_named(const char *name);

#endif
