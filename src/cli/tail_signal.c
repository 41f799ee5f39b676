/* SPDX-License-Identifier: Apache-2.0 */
#include "tail_signal.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

static int wake_fd = -1;
static atomic_uint asked;
/* Milliseconds of the first SIGINT; 0: there was none. */
static atomic_llong interrupted;

/* Only async-signal-safe calls: clock_gettime, write, _exit and lock-free atomics. */
static void on_signal(int number)
{
    const uint64_t one = 1;
    const int before = errno;
    struct timespec now;

    if (number == SIGINT) {
        long long first = 0;

        clock_gettime(CLOCK_MONOTONIC, &now);
        long long ms = 1 + (long long)now.tv_sec * 1000 + now.tv_nsec / 1000000;
        if (!atomic_compare_exchange_strong(&interrupted, &first, ms) &&
            ms - first >= 200) {
            _exit(128 + SIGINT);
        }
    }
    atomic_fetch_or(&asked, number == SIGHUP    ? IL_ASKED_RELOAD
                            : number == SIGUSR1 ? IL_ASKED_BOOTSTRAP
                            : number == SIGUSR2 ? IL_ASKED_STATUS
                                                : IL_ASKED_STOP);
    /* It fails only when the counter is full: then the loop is awake anyway. */
    ssize_t put = write(wake_fd, &one, sizeof one);
    (void)put;
    errno = before;
}

int il_signals_install(void)
{
    static const int numbers[] = {SIGTERM, SIGINT, SIGHUP, SIGUSR1, SIGUSR2};
    struct sigaction action;
    struct sigaction old;

    wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (wake_fd < 0) {
        return -1;
    }
    memset(&action, 0, sizeof action);
    sigemptyset(&action.sa_mask);
    action.sa_handler = SIG_IGN;
    sigaction(SIGPIPE, &action, NULL);
    action.sa_handler = on_signal;
    action.sa_flags = SA_RESTART;
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        const int number = numbers[i];

        if ((number == SIGINT || number == SIGHUP) &&
            sigaction(number, NULL, &old) == 0 && old.sa_handler == SIG_IGN) {
            continue;
        }
        if (sigaction(number, &action, NULL) != 0) {
            return -1;
        }
    }
    return 0;
}

int il_signals_fd(void)
{
    return wake_fd;
}

unsigned il_signals_take(void)
{
    uint64_t count;
    /* The descriptor first: what is asked for in between wakes the loop again. */
    ssize_t got = read(wake_fd, &count, sizeof count);

    (void)got;
    return atomic_exchange(&asked, 0);
}
