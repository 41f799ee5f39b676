/* SPDX-License-Identifier: Apache-2.0 */
#include "tail_http.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

/* Port of HOST:PORT for one of the hosts that mean this machine alone; -1: it is none.
 *six 1: of IPv6. */
static long loopback_port(const char *address, int *six)
{
    static const char *const hosts[] = {"127.0.0.1:", "localhost:", "[::1]:"};

    for (size_t i = 0; i < sizeof hosts / sizeof *hosts; i++) {
        size_t skip = strlen(hosts[i]);
        const char *port = address + skip;

        if (strncmp(address, hosts[i], skip) != 0) {
            continue;
        }
        *six = i == 2;
        if (port[0] == 0 || strlen(port) > 5 || port[strspn(port, "0123456789")] != 0) {
            return -1;
        }
        long number = strtol(port, NULL, 10);
        return number <= 65535 ? number : -1;
    }
    return -1;
}

const char *il_http_address_fault(const char *address)
{
    int six = 0;

    if (strncmp(address, "unix:", 5) == 0) {
        return address[5] == 0 ? "no path behind unix:"
               : strlen(address + 5) > 107
                   ? "a path of more than 107 bytes, which no unix socket can have"
                   : NULL;
    }
    return loopback_port(address, &six) >= 0 ? NULL
                                             : "wanted 127.0.0.1:PORT, [::1]:PORT or "
                                               "unix:PATH (other machines reach it "
                                               "through a proxy that asks who they are)";
}

#ifdef IL_NO_MICROHTTPD

int il_http_available(void)
{
    return 0;
}

struct il_http *il_http_open(const char *address, char *why, size_t why_bytes)
{
    (void)address;
    snprintf(why, why_bytes, "this build has no metrics: libmicrohttpd was missing");
    return NULL;
}

unsigned il_http_port(const struct il_http *http)
{
    (void)http;
    return 0;
}

void il_http_set(struct il_http *http, const struct il_tail_figures *figures)
{
    (void)http;
    (void)figures;
}

void il_http_close(struct il_http *http)
{
    (void)http;
}

#else

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <microhttpd.h>

struct il_http {
    struct MHD_Daemon *daemon;
    char path[112]; /* of a unix socket; "" */
    unsigned port;
    pthread_mutex_t mutex;
    struct il_tail_figures figures;
};

int il_http_available(void)
{
    return 1;
}

static enum MHD_Result answer(struct MHD_Connection *connection, unsigned code,
                              const char *text, size_t bytes,
                              enum MHD_ResponseMemoryMode mode)
{
    struct MHD_Response *response =
        MHD_create_response_from_buffer(bytes, (void *)(uintptr_t)text, mode);
    enum MHD_Result result;

    if (response == NULL) {
        if (mode == MHD_RESPMEM_MUST_FREE) {
            free((void *)(uintptr_t)text);
        }
        return MHD_NO;
    }
    MHD_add_response_header(response, "Content-Type",
                            code == MHD_HTTP_OK
                                ? "text/plain; version=0.0.4; charset=utf-8"
                                : "text/plain; charset=utf-8");
    if (code == MHD_HTTP_METHOD_NOT_ALLOWED) {
        MHD_add_response_header(response, "Allow", "GET, HEAD");
    }
    result = MHD_queue_response(connection, code, response);
    MHD_destroy_response(response);
    return result;
}

static enum MHD_Result on_request(void *context, struct MHD_Connection *connection,
                                  const char *url, const char *method,
                                  const char *version, const char *data, size_t *bytes,
                                  void **request)
{
    static const char missing[] = "only /metrics is here\n";
    static const char refused[] = "GET or HEAD, nothing else\n";
    struct il_http *http = context;
    struct il_tail_figures *figures;
    char *text = NULL;
    size_t text_bytes = 0;
    FILE *stream;

    (void)version;
    (void)data;
    (void)request;
    if (strcmp(method, "GET") != 0 && strcmp(method, "HEAD") != 0) {
        *bytes = 0;
        return answer(connection, MHD_HTTP_METHOD_NOT_ALLOWED, refused,
                      sizeof refused - 1, MHD_RESPMEM_PERSISTENT);
    }
    if (strcmp(url, "/metrics") != 0) {
        return answer(connection, MHD_HTTP_NOT_FOUND, missing, sizeof missing - 1,
                      MHD_RESPMEM_PERSISTENT);
    }
    figures = malloc(sizeof *figures);
    stream = figures != NULL ? open_memstream(&text, &text_bytes) : NULL;
    if (stream == NULL) {
        free(figures);
        return MHD_NO;
    }
    pthread_mutex_lock(&http->mutex);
    *figures = http->figures;
    pthread_mutex_unlock(&http->mutex);
    il_metrics_put(stream, figures);
    free(figures);
    if (fclose(stream) != 0) {
        free(text);
        return MHD_NO;
    }
    return answer(connection, MHD_HTTP_OK, text, text_bytes, MHD_RESPMEM_MUST_FREE);
}

/* Removes a socket that nobody listens at any more; other files stay. */
static void remove_stale(const struct sockaddr_un *address)
{
    struct stat about;
    int fd;

    if (lstat(address->sun_path, &about) != 0 || !S_ISSOCK(about.st_mode)) {
        return;
    }
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return;
    }
    if (connect(fd, (const struct sockaddr *)address, sizeof *address) != 0 &&
        errno == ECONNREFUSED) {
        unlink(address->sun_path);
    }
    close(fd);
}

static int listen_unix(struct il_http *http, const char *path)
{
    struct sockaddr_un address;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    if (fd < 0) {
        return -1;
    }
    memset(&address, 0, sizeof address);
    address.sun_family = AF_UNIX;
    snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    remove_stale(&address);
    if (bind(fd, (const struct sockaddr *)&address, sizeof address) != 0) {
        close(fd);
        return -1;
    }
    snprintf(http->path, sizeof http->path, "%s", path);
    return fd;
}

static int listen_port(struct il_http *http, long port, int six)
{
    struct sockaddr_in6 address6;
    struct sockaddr_in address4;
    struct sockaddr *address = (struct sockaddr *)&address4;
    socklen_t bytes = sizeof address4;
    int one = 1;
    int fd =
        socket(six ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    if (fd < 0) {
        return -1;
    }
    memset(&address4, 0, sizeof address4);
    memset(&address6, 0, sizeof address6);
    address4.sin_family = AF_INET;
    address4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address4.sin_port = htons((uint16_t)port);
    address6.sin6_family = AF_INET6;
    address6.sin6_addr = in6addr_loopback;
    address6.sin6_port = address4.sin_port;
    if (six) {
        address = (struct sockaddr *)&address6;
        bytes = sizeof address6;
    }
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(fd, address, bytes) != 0 || getsockname(fd, address, &bytes) != 0) {
        close(fd);
        return -1;
    }
    http->port = ntohs(six ? address6.sin6_port : address4.sin_port);
    return fd;
}

struct il_http *il_http_open(const char *address, char *why, size_t why_bytes)
{
    struct il_http *http = calloc(1, sizeof *http);
    int six = 0;
    int fd;

    if (http == NULL) {
        snprintf(why, why_bytes, "no memory");
        return NULL;
    }
    pthread_mutex_init(&http->mutex, NULL);
    fd = strncmp(address, "unix:", 5) == 0
             ? listen_unix(http, address + 5)
             : listen_port(http, loopback_port(address, &six), six);
    if (fd < 0 || listen(fd, 16) != 0) {
        snprintf(why, why_bytes, "%s", strerror(errno));
    } else {
        http->daemon = MHD_start_daemon(
            MHD_USE_INTERNAL_POLLING_THREAD, 0, NULL, NULL, on_request, http,
            MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_CONNECTION_LIMIT, 16U,
            MHD_OPTION_CONNECTION_TIMEOUT, 10U, MHD_OPTION_END);
        if (http->daemon != NULL) {
            return http;
        }
        snprintf(why, why_bytes, "libmicrohttpd cannot start");
    }
    if (fd >= 0) {
        close(fd);
    }
    il_http_close(http);
    return NULL;
}

unsigned il_http_port(const struct il_http *http)
{
    return http->port;
}

void il_http_set(struct il_http *http, const struct il_tail_figures *figures)
{
    pthread_mutex_lock(&http->mutex);
    http->figures = *figures;
    pthread_mutex_unlock(&http->mutex);
}

void il_http_close(struct il_http *http)
{
    if (http == NULL) {
        return;
    }
    if (http->daemon != NULL) {
        MHD_stop_daemon(http->daemon);
    }
    if (http->path[0] != 0) {
        unlink(http->path);
    }
    pthread_mutex_destroy(&http->mutex);
    free(http);
}

#endif
