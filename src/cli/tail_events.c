/* SPDX-License-Identifier: Apache-2.0 */
#include "tail_events.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "event_line.h"

/* Written at once: a pipe that can be written takes so much without waiting. */
#define CHUNK_BYTES 4096
#define BUFFER_BYTES (CHUNK_BYTES + IL_EVENT_LINE_MAX)

struct il_event_out {
    const char *path, *state;
    int fd;
    bool regular;
    struct il_events *events;
    uint64_t seq; /* of the last event in the buffer */
    size_t used, at;
    char buffer[BUFFER_BYTES];
};

static enum il_status fail(struct il_error *error, enum il_status status,
                           const char *path, const char *what, const char *why)
{
    snprintf(error->text, sizeof error->text, "%.160s: %s: %s", path, what, why);
    return status;
}

/* Reads the end of a file: cuts what stands behind its last whole line, and takes the
   number of that line. *seq stays when the file is empty. */
static enum il_status find_end(int fd, const char *path, uint64_t *seq,
                               struct il_error *error)
{
    static char tail[2 * IL_EVENT_LINE_MAX];
    struct stat about;
    size_t used = 0;
    off_t from;

    if (fstat(fd, &about) != 0) {
        return fail(error, IL_EIO, path, "cannot examine", strerror(errno));
    }
    from = about.st_size > (off_t)sizeof tail ? about.st_size - (off_t)sizeof tail : 0;
    while (from + (off_t)used < about.st_size) {
        ssize_t got = pread(fd, tail + used, sizeof tail - used, from + (off_t)used);

        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got <= 0) {
            return fail(error, IL_EIO, path, "cannot read",
                        got < 0 ? strerror(errno) : "it was cut short meanwhile");
        }
        used += (size_t)got;
    }
    while (used > 0 && tail[used - 1] != '\n') {
        used--;
    }
    if (used == 0 && from > 0) {
        return fail(error, IL_EFORMAT, path, "its last line",
                    "longer than any event, wanted a file of events");
    }
    if (from + (off_t)used < about.st_size && ftruncate(fd, from + (off_t)used) != 0) {
        return fail(error, IL_EIO, path, "cannot cut its torn last line",
                    strerror(errno));
    }
    if (used == 0) {
        return IL_OK;
    }
    size_t start = used - 1;
    while (start > 0 && tail[start - 1] != '\n') {
        start--;
    }
    *seq = il_event_line_seq(tail + start, used - 1 - start);
    return *seq > 0 ? IL_OK
                    : fail(error, IL_EFORMAT, path, "its last line",
                           "no event; wanted a file that 'isolink tail' wrote");
}

/* Opens the file behind out->path. *seq: the last event that stands in it; stays as it
   was when there is none. */
static enum il_status open_path(struct il_event_out *out, int *fd, bool *regular,
                                uint64_t *seq, struct il_error *error)
{
    struct stat about;
    uint64_t found = 0;
    enum il_status status = IL_OK;

    *fd = strcmp(out->path, "-") == 0
              ? fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3)
              : open(out->path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC | O_NOCTTY, 0666);
    if (*fd < 0 || fstat(*fd, &about) != 0) {
        status = fail(error, IL_EIO, out->path, "cannot write", strerror(errno));
    } else {
        /* Standard output is not ours to cut, whatever lies behind it. */
        *regular = S_ISREG(about.st_mode) && strcmp(out->path, "-") != 0;
        if (*regular) {
            status = find_end(*fd, out->path, &found, error);
        }
    }
    if (status == IL_OK && *regular && found > 0) {
        *seq = found;
    }
    if (status != IL_OK && *fd >= 0) {
        close(*fd);
    }
    return status;
}

enum il_status il_event_out_resume(struct il_event_out *out, struct il_error *error)
{
    il_events_close(&out->events);
    return il_events_open(&out->events, out->state, out->seq, error);
}

struct il_event_out *il_event_out_open(const char *path, const char *state, uint64_t seq,
                                       enum il_status *status, struct il_error *error)
{
    struct il_event_out *out = calloc(1, sizeof *out);

    if (out == NULL) {
        *status = fail(error, IL_ENOMEM, path, "cannot be written", "no memory");
        return NULL;
    }
    out->path = path;
    out->state = state;
    out->fd = -1;
    *status = open_path(out, &out->fd, &out->regular, &out->seq, error);
    if (*status != IL_OK) {
        free(out);
        return NULL;
    }
    if (!out->regular) {
        out->seq = seq;
    } else if (out->seq > seq) {
        snprintf(error->text, sizeof error->text,
                 "%.160s: its last event is %" PRIu64 ", that of %.160s is %" PRIu64
                 "; wanted a file of this state",
                 path, out->seq, state, seq);
        *status = IL_EFORMAT;
    }
    if (*status == IL_OK) {
        *status = il_event_out_resume(out, error);
    }
    if (*status != IL_OK) {
        il_event_out_close(out);
        return NULL;
    }
    return out;
}

/* Whether a write of a chunk would not wait; also when it would fail at once. */
static bool has_room(const struct il_event_out *out)
{
    struct pollfd wait = {.fd = out->fd, .events = POLLOUT};

    return out->regular || poll(&wait, 1, 0) == 1;
}

/* Writes from the buffer; DONE when it is empty. */
static enum il_pump write_buffer(struct il_event_out *out)
{
    while (out->at < out->used) {
        size_t left = out->used - out->at;
        ssize_t put;

        if (!has_room(out)) {
            return IL_PUMP_LATER;
        }
        put = write(out->fd, out->buffer + out->at,
                    left < CHUNK_BYTES ? left : CHUNK_BYTES);
        if (put < 0 && errno == EINTR) {
            continue;
        }
        if (put <= 0) {
            return errno == EPIPE ? IL_PUMP_GONE : IL_PUMP_LATER;
        }
        out->at += (size_t)put;
    }
    out->used = 0;
    out->at = 0;
    return IL_PUMP_DONE;
}

/* Fills an empty buffer with whole lines. */
static enum il_status fill_buffer(struct il_event_out *out, struct il_error *error)
{
    struct il_event event;
    int found = 1;

    while (out->used < CHUNK_BYTES) {
        enum il_status status = il_events_next(out->events, &event, &found, error);

        if (status != IL_OK || !found) {
            return status;
        }
        if (event.seq > out->seq) {
            out->used += il_event_line(out->buffer + out->used, &event);
            out->seq = event.seq;
        }
    }
    return IL_OK;
}

enum il_pump il_event_out_pump(struct il_event_out *out, struct il_error *error)
{
    for (;;) {
        enum il_pump pump = write_buffer(out);

        if (pump != IL_PUMP_DONE) {
            return pump;
        }
        if (fill_buffer(out, error) != IL_OK && out->used == 0) {
            return IL_PUMP_FAILED;
        }
        if (out->used == 0) {
            return IL_PUMP_DONE;
        }
    }
}

enum il_status il_event_out_reopen(struct il_event_out *out, struct il_error *error)
{
    uint64_t seq = 0;
    bool regular = false;
    enum il_status status;
    int fd = -1;

    if (!out->regular) {
        return IL_OK;
    }
    /* Whole lines first: the new file begins with one. */
    if (write_buffer(out) != IL_PUMP_DONE) {
        return fail(error, IL_EIO, out->path, "stays open", "it could not be written");
    }
    status = open_path(out, &fd, &regular, &seq, error);
    if (status != IL_OK) {
        return status;
    }
    close(out->fd);
    out->fd = fd;
    out->regular = regular;
    return IL_OK;
}

int il_event_out_fd(const struct il_event_out *out)
{
    return out->regular || out->at == out->used ? -1 : out->fd;
}

void il_event_out_close(struct il_event_out *out)
{
    if (out == NULL) {
        return;
    }
    il_events_close(&out->events);
    if (out->fd >= 0) {
        close(out->fd);
    }
    free(out);
}
