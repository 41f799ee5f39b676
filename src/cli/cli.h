/* SPDX-License-Identifier: Apache-2.0 */
/* What the commands share: exit codes, messages, cancelling, the end of standard output.
 */
#ifndef IL_CLI_H
#define IL_CLI_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <isolink/isolink.h>

/** Exit codes; a signal that ended a run gives 128 + its number. */
enum il_exit {
    IL_EXIT_DONE = 0,
    IL_EXIT_FAILED = 1,    /**< output could not be written, memory is exhausted */
    IL_EXIT_USAGE = 2,     /**< the command line is wrong */
    IL_EXIT_INPUT = 3,     /**< an input file is missing or breaks its format */
    IL_EXIT_DAMAGED = 4,   /**< a file of our own is damaged or too new */
    IL_EXIT_BOOTSTRAP = 5, /**< seeds and sides do not support a bootstrap */
    IL_EXIT_LOCKED = 6,    /**< somebody else holds the store */
    IL_EXIT_LIMIT = 7      /**< memory or scratch disk do not suffice */
};

/* The commands: argv[0] is the command's name; each returns an exit code. */
int il_cmd_link(int argc, char **argv);
int il_cmd_eval(int argc, char **argv);
int il_cmd_doctor(int argc, char **argv);
int il_cmd_compare(int argc, char **argv);
int il_cmd_bench(int argc, char **argv);
int il_cmd_import(int argc, char **argv);
int il_cmd_export(int argc, char **argv);
int il_cmd_info(int argc, char **argv);
int il_cmd_verify(int argc, char **argv);
int il_cmd_compact(int argc, char **argv);
int il_cmd_get(int argc, char **argv);
int il_cmd_rm(int argc, char **argv);
int il_cmd_tail(int argc, char **argv);
int il_cmd_status(int argc, char **argv);
int il_cmd_links(int argc, char **argv);
int il_cmd_replay(int argc, char **argv);
int il_cmd_map(int argc, char **argv);
int il_cmd_search(int argc, char **argv);
int il_cmd_diff(int argc, char **argv);
int il_cmd_integrate(int argc, char **argv);

/** Prints "isolink: COMMAND: text" on stderr, control characters escaped. COMMAND may be
 * NULL. */
void il_say(const char *command, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/** What il_say would print goes there from now on; NULL: to stderr. */
void il_say_to(void (*to)(const char *command, const char *text));

/** Exit code that goes with a status. */
int il_exit_of(enum il_status status);

/** Writes text with control characters as \xNN, so that an id cannot steer a terminal. */
void il_put_text(FILE *stream, const char *text);

/** Says why a library call failed and returns the exit code that goes with it. */
int il_say_status(const char *command, enum il_status status,
                  const struct il_error *error);

/** The same for a call that wrote an output: a refused write is IL_EXIT_FAILED. */
int il_say_output(const char *command, enum il_status status,
                  const struct il_error *error);

/** Says that memory is exhausted, or the scratch disk. \return an exit code */
int il_say_memory(const char *command);

/**
 * Bounds the memory of the process, as --memory and --scratch ask.
 * \param bytes    0: no limit
 * \param scratch  NULL: the directory that `beside` stands in, or the system's own when
 * that is no name of a file ("-") \return an exit code; says why
 */
int il_memory_apply(const char *command, uint64_t bytes, const char *scratch,
                    const char *beside);

/**
 * Refuses when the limit, if there is one, has no room for what is touched all the time.
 * \param bytes  of that \param what  it is for, in words
 * \return IL_EXIT_DONE; IL_EXIT_LIMIT: says which limit has
 */
int il_memory_need(const char *command, uint64_t bytes, const char *what);

/** Warns when the process took more than it was to take. */
void il_memory_check(const char *command);

/** Flushes standard output. \return code, or IL_EXIT_FAILED with a message when bytes
 * were lost. */
int il_stdout_end(const char *command, int code);

/**
 * Makes SIGINT, SIGTERM and SIGHUP set the cancel flag; a second one ends the process at
 * once.
 *
 * A signal that was ignored when the process started stays ignored (nohup, background
 * jobs). The same signal within 0.2 s counts once: timeout(1) and process groups deliver
 * it twice.
 */
void il_cancel_install(void);

/** The flag, for il_link_config.cancel: the number of the signal, 0 when there was none.
 */
const atomic_int *il_cancel_flag(void);

/** Says that a signal ended the command. \return 128 + the signal's number */
int il_say_cancelled(const char *command);

#endif
