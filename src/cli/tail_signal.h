/* SPDX-License-Identifier: Apache-2.0 */
/* Signals of a daemon: they are remembered and wake the loop. */
#ifndef IL_TAIL_SIGNAL_H
#define IL_TAIL_SIGNAL_H

/** What was asked for; bits. */
enum il_asked {
    IL_ASKED_STOP = 1,      /**< SIGTERM, SIGINT */
    IL_ASKED_RELOAD = 2,    /**< SIGHUP */
    IL_ASKED_BOOTSTRAP = 4, /**< SIGUSR1 */
    IL_ASKED_STATUS = 8     /**< SIGUSR2 */
};

/**
 * Takes the signals; SIGPIPE is ignored from now on. A second SIGINT ends the process at
 * once with 130 (within 0.2 s it counts as the same). SIGINT and SIGHUP that were ignored
 * at the start stay so (nohup, background jobs).
 * \return 0, or -1 with errno set
 */
int il_signals_install(void);

/** A descriptor that is readable when something was asked for. */
int il_signals_fd(void);

/** What was asked for since the last call. */
unsigned il_signals_take(void);

#endif
