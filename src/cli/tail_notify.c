/* SPDX-License-Identifier: Apache-2.0 */
#include "tail_notify.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define MESSAGE_MAX 512

/* Connects a datagram socket to a path, or to an abstract name that begins with '@'. */
static int connect_to(const char *name)
{
    struct sockaddr_un address;
    size_t bytes = strlen(name);
    int fd;

    memset(&address, 0, sizeof address);
    if ((name[0] != '/' && name[0] != '@') || bytes >= sizeof address.sun_path) {
        return -1;
    }
    address.sun_family = AF_UNIX;
    memcpy(address.sun_path, name, bytes);
    if (name[0] == '@') {
        address.sun_path[0] = 0;
    }
    fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd >= 0 &&
        connect(fd, (const struct sockaddr *)&address,
                (socklen_t)(offsetof(struct sockaddr_un, sun_path) + bytes)) != 0) {
        close(fd);
        return -1;
    }
    return fd;
}

/* A whole number of an environment variable; 0 when there is none. */
static uint64_t number_of(const char *name)
{
    const char *text = getenv(name);

    if (text == NULL || text[0] == 0 || strlen(text) > 18 ||
        text[strspn(text, "0123456789")] != 0) {
        return 0;
    }
    return strtoull(text, NULL, 10);
}

void il_notify_open(struct il_notify *notify)
{
    const char *name = getenv("NOTIFY_SOCKET");
    uint64_t pid = number_of("WATCHDOG_PID");

    memset(notify, 0, sizeof *notify);
    notify->fd = name != NULL ? connect_to(name) : -1;
    if (notify->fd >= 0 && (pid == 0 || pid == (uint64_t)getpid())) {
        notify->period = 0.5e-6 * (double)number_of("WATCHDOG_USEC");
    }
}

void il_notify_close(struct il_notify *notify)
{
    if (notify->fd >= 0) {
        close(notify->fd);
    }
    notify->fd = -1;
}

bool il_notify_send(const struct il_notify *notify, const char *format, ...)
{
    char text[MESSAGE_MAX];
    va_list args;
    int bytes;

    if (notify->fd < 0) {
        return false;
    }
    va_start(args, format);
    bytes = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    bytes = bytes < (int)sizeof text ? bytes : (int)sizeof text - 1;
    return bytes > 0 && send(notify->fd, text, (size_t)bytes, MSG_NOSIGNAL) == bytes;
}

void il_notify_reloading(const struct il_notify *notify)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    il_notify_send(notify, "RELOADING=1\nMONOTONIC_USEC=%" PRId64,
                   (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000);
}

void il_notify_alive(struct il_notify *notify, double now, bool busy)
{
    if (notify->fd < 0) {
        return;
    }
    if (notify->period > 0.0 && now >= notify->next) {
        il_notify_send(notify, "WATCHDOG=1");
        notify->next = now + notify->period;
    }
    if (busy && now >= notify->again) {
        il_notify_send(notify, "EXTEND_TIMEOUT_USEC=30000000");
        notify->again = now + 10.0;
    }
}
