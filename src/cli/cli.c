/* SPDX-License-Identifier: Apache-2.0 */
#include "cli.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

void il_put_text(FILE *stream, const char *text)
{
    for (const unsigned char *at = (const unsigned char *)text; *at != 0; at++) {
        if (*at < 0x20 || *at == 0x7f) {
            fprintf(stream, "\\x%02x", *at);
        } else {
            fputc(*at, stream);
        }
    }
}

static void (*say_to)(const char *command, const char *text);

void il_say_to(void (*to)(const char *command, const char *text))
{
    say_to = to;
}

void il_say(const char *command, const char *format, ...)
{
    char text[2048];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (say_to != NULL) {
        say_to(command, text);
        return;
    }
    flockfile(stderr);
    fputs("isolink: ", stderr);
    if (command != NULL) {
        fprintf(stderr, "%s: ", command);
    }
    il_put_text(stderr, text);
    fputc('\n', stderr);
    funlockfile(stderr);
}

int il_exit_of(enum il_status status)
{
    switch (status) {
    case IL_OK:
        return IL_EXIT_DONE;
    case IL_EARG:
        return IL_EXIT_USAGE;
    case IL_EIO:
    case IL_EFORMAT:
    case IL_ELIMIT:
        return IL_EXIT_INPUT;
    case IL_ECORRUPT:
    case IL_EVERSION:
        return IL_EXIT_DAMAGED;
    case IL_EBOOTSTRAP:
        return IL_EXIT_BOOTSTRAP;
    case IL_ELOCKED:
        return IL_EXIT_LOCKED;
    case IL_ENOMEM:
    case IL_ECANCEL:
    default:
        return IL_EXIT_FAILED;
    }
}

int il_say_status(const char *command, enum il_status status,
                  const struct il_error *error)
{
    struct il_memory_use use;

    il_memory_describe(&use);
    if (status == IL_ENOMEM && use.trouble[0] != 0) {
        il_say(command, "%s; --scratch takes another directory", use.trouble);
        return IL_EXIT_LIMIT;
    }
    /* Within a bound it is the bound that does not suffice. */
    int code =
        status == IL_ENOMEM && use.limit_bytes > 0 ? IL_EXIT_LIMIT : il_exit_of(status);
    if (error != NULL && error->text[0] != 0) {
        il_say(command, "%s", error->text);
    } else {
        il_say(command, "%s", il_status_text(status));
    }
    return code;
}

int il_say_output(const char *command, enum il_status status,
                  const struct il_error *error)
{
    int code = il_say_status(command, status, error);

    return status == IL_EIO ? IL_EXIT_FAILED : code;
}

int il_say_memory(const char *command)
{
    return il_say_status(command, IL_ENOMEM, NULL);
}

int il_stdout_end(const char *command, int code)
{
    errno = 0;
    if (fflush(stdout) != 0 || ferror(stdout)) {
        il_say(command, "standard output: %s",
               errno != 0 ? strerror(errno) : "a write failed");
        return IL_EXIT_FAILED;
    }
    return code;
}

static atomic_int cancel_flag;
static struct timespec cancel_time;

/* Only async-signal-safe calls: clock_gettime, _exit and a lock-free atomic. */
static void on_signal(int number)
{
    struct timespec now;
    int first = 0;

    clock_gettime(CLOCK_MONOTONIC, &now);
    if (atomic_compare_exchange_strong(&cancel_flag, &first, number)) {
        cancel_time = now;
        return;
    }
    double since = (double)(now.tv_sec - cancel_time.tv_sec) +
                   1e-9 * (double)(now.tv_nsec - cancel_time.tv_nsec);
    if (since >= 0.2) {
        _exit(128 + number);
    }
}

void il_cancel_install(void)
{
    static const int numbers[] = {SIGINT, SIGTERM, SIGHUP};
    struct sigaction action;

    memset(&action, 0, sizeof action);
    action.sa_handler = on_signal;
    action.sa_flags = SA_RESTART;
    /* One handler at a time, so that cancel_time is whole when the second one reads it.
     */
    sigemptyset(&action.sa_mask);
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        sigaddset(&action.sa_mask, numbers[i]);
    }
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        struct sigaction old;

        if (sigaction(numbers[i], NULL, &old) == 0 && old.sa_handler != SIG_IGN) {
            sigaction(numbers[i], &action, NULL);
        }
    }
}

const atomic_int *il_cancel_flag(void)
{
    return &cancel_flag;
}

int il_say_cancelled(const char *command)
{
    int number = atomic_load(&cancel_flag);

    il_say(command, "ended by signal %d (%s); nothing was written", number,
           number == SIGINT    ? "interrupt"
           : number == SIGTERM ? "terminate"
                               : "hang-up");
    return 128 + number;
}
