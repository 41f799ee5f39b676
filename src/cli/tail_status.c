/* SPDX-License-Identifier: Apache-2.0 */
#include "tail_status.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "event_line.h"
#include "json_out.h"

#define PATH_BYTES 4096

static const char *const state_texts[] = {"ready", "missing", "paused", "ended"};

static json_t *sides(const uint64_t *values)
{
    return json_pack("{s:o, s:o}", "a", il_json_whole((size_t)values[0]), "b",
                     il_json_whole((size_t)values[1]));
}

static json_t *source_json(const struct il_tail_figures *figures, int side)
{
    const struct il_tail_info *tail = &figures->tail[side];

    return json_pack("{s:o, s:s, s:o, s:o, s:o, s:o, s:o}", "source",
                     il_json_text(figures->source[side]), "state",
                     (size_t)tail->state < 4 ? state_texts[tail->state] : "?", "why",
                     tail->why[0] != 0 ? il_json_text(tail->why) : json_null(), "rows",
                     il_json_whole((size_t)tail->rows), "bad_lines",
                     il_json_whole((size_t)tail->bad_lines), "rotations",
                     il_json_whole((size_t)tail->rotations), "lag_bytes",
                     il_json_whole((size_t)tail->lag_bytes));
}

static void add_stream(json_t *object, const struct il_stream_info *info)
{
    json_object_set_new(object, "rows", sides(info->rows));
    json_object_set_new(object, "links", il_json_whole((size_t)info->links));
    json_object_set_new(object, "seq", il_json_whole((size_t)info->seq));
    json_object_set_new(object, "round", il_json_whole(info->round));
    json_object_set_new(object, "bootstrapping", json_boolean(info->bootstrapping));
    json_object_set_new(object, "refused",
                        info->refused_bootstrap ? il_json_text(info->why) : json_null());
    json_object_set_new(object, "changed_since", il_json_whole((size_t)info->since));
    json_object_set_new(object, "bootstrap_seconds",
                        il_json_number(info->bootstrap_seconds));
    json_object_set_new(object, "precision",
                        info->round > 0 ? il_json_number(info->precision) : json_null());
    json_object_set_new(object, "shared",
                        info->round > 0 ? il_json_number(info->shared) : json_null());
    json_object_set_new(object, "decoy_rate",
                        info->round > 0 ? il_json_number(info->decoy_rate) : json_null());
    json_object_set_new(object, "anchors", il_json_whole((size_t)info->pool));
}

static char *status_text(const struct il_tail_figures *figures, int64_t started_ns,
                         bool running)
{
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    json_t *object = json_pack(
        "{s:s, s:I, s:b, s:s, s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "schema",
        "isolink-daemon-1", "pid", (json_int_t)getpid(), "running", (int)running,
        "started", il_time_text(started_ns, 0).text, "updated",
        il_time_text((int64_t)now.tv_sec * 1000000000 + now.tv_nsec, 3).text, "arrivals",
        sides(figures->arrivals), "removed", sides(figures->removed), "refused_rows",
        sides(figures->refused), "arrivals_a_second", il_json_number(figures->rate),
        "resident_bytes", il_json_whole((size_t)figures->resident_bytes), "a",
        source_json(figures, 0), "b", source_json(figures, 1));

    if (object != NULL) {
        json_object_set_new(
            object, "events",
            json_pack("{s:o, s:o, s:o}", "link",
                      il_json_whole((size_t)figures->events[0]), "confirm",
                      il_json_whole((size_t)figures->events[1]), "retract",
                      il_json_whole((size_t)figures->events[2])));
    }
    if (object != NULL && figures->open) {
        add_stream(object, &figures->stream);
    }
    return il_json_finish(object);
}

static int write_all(int fd, const char *text)
{
    size_t left = strlen(text);

    while (left > 0) {
        ssize_t put = write(fd, text, left);

        if (put < 0 && errno == EINTR) {
            continue;
        }
        if (put <= 0) {
            return errno != 0 ? errno : EIO;
        }
        text += put;
        left -= (size_t)put;
    }
    return 0;
}

int il_status_write(const char *state, const struct il_tail_figures *figures,
                    int64_t started_ns, bool running)
{
    char path[PATH_BYTES];
    char fresh[PATH_BYTES];
    char *text;
    int failure = 0;
    int fd;

    if (snprintf(path, sizeof path, "%s/" IL_STATUS_FILE, state) >= (int)sizeof path ||
        snprintf(fresh, sizeof fresh, "%s/" IL_STATUS_FILE ".new", state) >=
            (int)sizeof fresh) {
        return ENAMETOOLONG;
    }
    text = status_text(figures, started_ns, running);
    if (text == NULL) {
        return ENOMEM;
    }
    fd = open(fresh, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0666);
    if (fd < 0) {
        failure = errno;
    } else {
        failure = write_all(fd, text);
        if (close(fd) != 0 && failure == 0) {
            failure = errno;
        }
    }
    free(text);
    if (failure == 0 && rename(fresh, path) != 0) {
        failure = errno;
    }
    if (failure != 0 && fd >= 0) {
        unlink(fresh);
    }
    return failure;
}

json_t *il_status_read(const char *state)
{
    char path[PATH_BYTES];
    json_t *object;
    json_t *pid;

    if (snprintf(path, sizeof path, "%s/" IL_STATUS_FILE, state) >= (int)sizeof path) {
        return NULL;
    }
    object = json_load_file(path, JSON_REJECT_DUPLICATES, NULL);
    pid = json_object_get(object, "pid");
    if (!json_is_object(object) || !json_is_integer(pid)) {
        json_decref(object);
        return NULL;
    }
    if (json_is_true(json_object_get(object, "running")) &&
        (json_integer_value(pid) < 1 || json_integer_value(pid) > INT32_MAX ||
         (kill((pid_t)json_integer_value(pid), 0) != 0 && errno != EPERM))) {
        json_object_set_new(object, "running", json_false());
    }
    return object;
}

void il_status_line(const struct il_tail_figures *figures, char *out, size_t room)
{
    const struct il_stream_info *info = &figures->stream;

    snprintf(out, room,
             "status: rows a=%" PRIu64 " b=%" PRIu64 " links=%" PRIu64 " seq=%" PRIu64
             " bootstraps=%u%s precision=%.3f arrivals=%" PRIu64 " refused=%" PRIu64
             " retracted=%" PRIu64 " lag_bytes a=%" PRIu64 " b=%" PRIu64
             " resident_bytes=%" PRIu64,
             info->rows[0], info->rows[1], info->links, info->seq, info->round,
             info->bootstrapping ? "+" : "", info->precision,
             figures->arrivals[0] + figures->arrivals[1],
             figures->refused[0] + figures->refused[1], figures->events[2],
             figures->tail[0].lag_bytes, figures->tail[1].lag_bytes,
             figures->resident_bytes);
}
