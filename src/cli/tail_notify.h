/* SPDX-License-Identifier: Apache-2.0 */
/* What systemd is told by a service of Type=notify (sd_notify(3)), without libsystemd. */
#ifndef IL_TAIL_NOTIFY_H
#define IL_TAIL_NOTIFY_H

#include <stdbool.h>

struct il_notify {
    int fd;        /**< -1: nobody wants to be told */
    double period; /**< seconds between two signs of life; 0: none are wanted */
    double next;   /**< when the next one is due */
    double again;  /**< when more time may be asked for again */
};

/** Looks at NOTIFY_SOCKET, WATCHDOG_USEC and WATCHDOG_PID. A socket that cannot be had is
 * none: the service works the same. */
void il_notify_open(struct il_notify *notify);
void il_notify_close(struct il_notify *notify);

/** Sends one message, as in "READY=1\nSTATUS=..."; false when nobody was told. */
bool il_notify_send(const struct il_notify *notify, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/** The service was told to load its configuration anew; READY=1 says that it has. */
void il_notify_reloading(const struct il_notify *notify);

/**
 * A sign of life, when it is due: half of what the watchdog allows has passed.
 * \param now   il_seconds_now
 * \param busy  1: starting or ending takes long: half a minute more is asked for
 */
void il_notify_alive(struct il_notify *notify, double now, bool busy);

#endif
