/* SPDX-License-Identifier: Apache-2.0 */
/* The loop of the daemon: read, commit, tell, wait. One thread; the bootstraps of the
 * library and the answers to /metrics have theirs. */
#include "tail_loop.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <math.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cli.h"
#include "stores.h"
#include "tail_daemon.h"
#include "tail_log.h"
#include "tail_screen.h"
#include "tail_signal.h"
#include "tail_status.h"

#define COMMAND "tail"
#define BOOTSTRAP_MS 20
#define FULL_MS 1000
/* A reader of --events that takes nothing is waited for so long at the end. */
#define DRAIN_SECONDS 2.0

/* ------------------------------------------------------------------------------ figures
 */

static void look_at_sources(struct il_daemon *d)
{
    for (int side = 0; side < 2; side++) {
        struct il_tail_info *info = &d->figures.tail[side];

        memset(info, 0, sizeof *info);
        info->state = IL_TAIL_MISSING;
        if (d->side[side].tail != NULL) {
            il_tail_describe(d->side[side].tail, info);
        }
    }
}

static void take_figures(struct il_daemon *d, double now)
{
    struct il_tail_figures *f = &d->figures;
    const struct il_tail_figures *before = &d->before;
    uint64_t all;

    f->open = d->stream != NULL;
    if (f->open) {
        il_stream_describe(d->stream, &f->stream);
        for (int side = 0; side < 2; side++) {
            f->arrivals[side] = before->arrivals[side] + f->stream.arrivals[side];
            f->removed[side] = before->removed[side] + f->stream.removed[side];
            f->refused[side] =
                before->refused[side] + f->stream.refused[side] + d->refused[side];
        }
        for (int kind = 0; kind < 3; kind++) {
            f->events[kind] = before->events[kind] + f->stream.events[kind];
        }
    }
    look_at_sources(d);
    all = f->arrivals[0] + f->arrivals[1];
    if (now - d->rate_at >= 0.5) {
        f->rate = (double)(all - d->rate_arrivals) / (now - d->rate_at);
        d->rate_arrivals = all;
        d->rate_at = now;
    }
    if (now - d->resident_at >= 1.0) {
        f->resident_bytes = il_resident_bytes();
        d->resident_at = now;
    }
}

/* Changes when what the status file says does, apart from clocks. */
static uint64_t status_key(const struct il_tail_figures *f)
{
    uint64_t key = f->stream.seq * 31 + f->stream.round;

    for (int side = 0; side < 2; side++) {
        key = key * 31 + f->arrivals[side] + f->removed[side] + f->stream.rows[side];
        key = key * 31 + f->tail[side].lag_bytes + f->tail[side].bad_lines;
        key = key * 31 + (uint64_t)f->tail[side].state;
    }
    return key * 31 + (uint64_t)f->stream.bootstrapping;
}

static void write_status(struct il_daemon *d, double now, bool running)
{
    uint64_t key = status_key(&d->figures);
    int failure;

    /* Only the owner of the state writes into its directory. */
    if (d->stream == NULL ||
        (running && (now - d->status_at < 1.0 ||
                     (key == d->status_key && now - d->status_at < 10.0)))) {
        return;
    }
    failure = il_status_write(d->state, &d->figures, d->started_ns, running);
    if (failure != 0) {
        il_log(IL_LEVEL_DEBUG, "%s/" IL_STATUS_FILE ": %s", d->state, strerror(failure));
    }
    d->status_at = now;
    d->status_key = key;
}

static void tell_systemd(struct il_daemon *d, double now, bool busy)
{
    if (!d->ready && !busy) {
        il_notify_send(&d->notify, "READY=1\nMAINPID=%ld", (long)getpid());
        d->ready = true;
    }
    il_notify_alive(&d->notify, now, busy);
}

/* What is done after each turn; returns the seconds until it is wanted again. */
static double keep_house(struct il_daemon *d, bool busy)
{
    double now = il_seconds_now();

    take_figures(d, now);
    if (d->http != NULL) {
        il_http_set(d->http, &d->figures);
    }
    write_status(d, now, true);
    tell_systemd(d, now, busy);
    return il_screen_draw(&d->figures, now, false);
}

/* ------------------------------------------------------------------------------- events
 */

/* Writes out events. *later: there are more than could be written. */
static int pump(struct il_daemon *d, bool *later)
{
    struct il_error error = {""};

    *later = false;
    if (d->out == NULL || d->stream == NULL) {
        return IL_EXIT_DONE;
    }
    switch (il_event_out_pump(d->out, &error)) {
    case IL_PUMP_LATER:
        *later = true;
        if (il_event_out_fd(d->out) < 0) {
            il_log(IL_LEVEL_WARNING, "%s: cannot be written now, tried again each second",
                   d->events);
        }
        return IL_EXIT_DONE;
    case IL_PUMP_GONE:
        /* As SIGPIPE would end it, but with everything committed. */
        d->stop = true;
        il_event_out_close(d->out);
        d->out = NULL;
        return IL_EXIT_DONE;
    case IL_PUMP_FAILED:
        il_log(IL_LEVEL_ERROR, "%s", error.text);
        return IL_EXIT_DAMAGED;
    case IL_PUMP_DONE:
    default:
        return IL_EXIT_DONE;
    }
}

/* ------------------------------------------------------------------------------ waiting
 */

static void wait_for(struct il_daemon *d, double seconds, bool later)
{
    struct pollfd wait[4];
    nfds_t count = 0;
    double now = il_seconds_now();

    wait[count++] = (struct pollfd){.fd = il_signals_fd(), .events = POLLIN};
    for (int side = 0; side < 2; side++) {
        const struct il_follow *f = &d->side[side];
        int fd = f->tail != NULL ? il_tail_fd(f->tail) : -1;

        /* One that has given rows which wait for the state would wake us for nothing. */
        if (fd >= 0 && f->count == 0 && d->figures.tail[side].state != IL_TAIL_ENDED) {
            wait[count++] = (struct pollfd){.fd = fd, .events = POLLIN};
        }
    }
    if (later && il_event_out_fd(d->out) >= 0) {
        wait[count++] = (struct pollfd){.fd = il_event_out_fd(d->out), .events = POLLOUT};
    } else if (later) {
        seconds = fmin(seconds, 1e-3 * FULL_MS);
    }
    if (d->figures.stream.bootstrapping && d->stream != NULL) {
        seconds = fmin(seconds, 1e-3 * BOOTSTRAP_MS);
    }
    if (d->trouble) {
        seconds = fmin(seconds, d->retry_at - now);
    }
    if (d->notify.period > 0.0) {
        seconds = fmin(seconds, d->notify.next - now);
    }
    seconds = fmin(fmax(seconds, 0.0), 3600.0);
    (void)poll(wait, count, (int)ceil(1000.0 * seconds));
}

/* ------------------------------------------------------------------------------ signals
 */

static bool same_seeds(const struct il_seeds *x, const struct il_seeds *y)
{
    size_t x_count = 0;
    size_t y_count = 0;
    const struct il_stream_seed *p = x != NULL ? il_seeds_list(x, &x_count) : NULL;
    const struct il_stream_seed *q = y != NULL ? il_seeds_list(y, &y_count) : NULL;

    if (x_count != y_count) {
        return false;
    }
    for (size_t i = 0; i < x_count; i++) {
        if (p[i].a_bytes != q[i].a_bytes || p[i].b_bytes != q[i].b_bytes ||
            memcmp(p[i].a_id, q[i].a_id, p[i].a_bytes) != 0 ||
            memcmp(p[i].b_id, q[i].b_id, p[i].b_bytes) != 0) {
            return false;
        }
    }
    return true;
}

static int load_seeds(const struct il_tail_options *o, struct il_seeds **out)
{
    struct il_pairs_notes notes;
    struct il_error error = {""};
    enum il_status status;

    *out = NULL;
    if (o->seeds == NULL) {
        return IL_EXIT_DONE;
    }
    status = il_seeds_load(out, o->seeds, &notes, &error);
    if (status != IL_OK) {
        return il_say_status(COMMAND, status, &error);
    }
    if (notes.repeated + notes.contradicting > 0) {
        il_log(IL_LEVEL_WARNING,
               "%s: %zu seeds left out (%zu repeated, %zu contradicting); first: %s",
               o->seeds, notes.repeated + notes.contradicting, notes.repeated,
               notes.contradicting, notes.first);
    }
    return IL_EXIT_DONE;
}

static enum il_log_form log_form(const struct il_tail_options *o)
{
    /* Whoever wants to see figures is a person. */
    return o->log_json                                 ? IL_LOG_JSON
           : o->progress == 1 || isatty(STDERR_FILENO) ? IL_LOG_PLAIN
                                                       : IL_LOG_LOGFMT;
}

/* Opens the state with other options and seeds; false: it must be opened with the old
   ones. */
static bool open_changed(struct il_daemon *d, int *code)
{
    il_daemon_close_state(d);
    *code = il_daemon_open(d);
    return *code == IL_EXIT_DONE;
}

static int apply(struct il_daemon *d, struct il_tail_options *wanted,
                 struct il_seeds *seeds)
{
    struct il_tail_options *old_options = d->options;
    struct il_seeds *old_seeds = d->seeds;
    bool reopen = il_tail_options_reopen(d->options, wanted) ||
                  (seeds != NULL && !same_seeds(d->seeds, seeds));
    int code = IL_EXIT_DONE;

    d->options = wanted;
    d->seeds = seeds != NULL ? seeds : old_seeds;
    if (reopen && d->stream != NULL && !open_changed(d, &code)) {
        il_log(IL_LEVEL_ERROR, "the new configuration does not work, the old one stays");
        d->options = old_options;
        d->seeds = old_seeds;
        il_seeds_close(&seeds);
        return open_changed(d, &code) ? -1 : code;
    }
    if (d->seeds != old_seeds) {
        il_seeds_close(&old_seeds);
    }
    il_log_set(wanted->log_level, log_form(wanted));
    il_log(IL_LEVEL_INFO, "configuration loaded%s",
           reopen ? ", the state was opened anew with it" : "");
    return IL_EXIT_DONE;
}

static int reload(struct il_daemon *d)
{
    struct il_tail_options wanted;
    struct il_seeds *seeds = NULL;
    struct il_error error = {""};
    const char *fixed = NULL;
    int code;

    il_notify_reloading(&d->notify);
    code = il_tail_options_read(&wanted, d->argc, d->argv);
    if (code == IL_EXIT_DONE) {
        fixed = il_tail_options_fixed(d->options, &wanted);
        code = fixed != NULL ? IL_EXIT_USAGE : load_seeds(&wanted, &seeds);
    }
    if (fixed != NULL) {
        il_log(IL_LEVEL_ERROR, "'%s' cannot change while the daemon runs", fixed);
    }
    if (code != IL_EXIT_DONE) {
        il_log(IL_LEVEL_ERROR, "the old configuration stays");
        il_tail_options_free(&wanted);
        il_notify_send(&d->notify, "READY=1");
        return IL_EXIT_DONE;
    }
    /* Texts of the state's own name and of its sources were copied at the start. */
    struct il_tail_options *place = malloc(sizeof *place);
    if (place == NULL) {
        il_tail_options_free(&wanted);
        il_seeds_close(&seeds);
        return il_daemon_fail(d, IL_ENOMEM, &error);
    }
    *place = wanted;
    struct il_tail_options *old = d->options;
    code = apply(d, place, seeds);
    old = d->options == place ? old : place;
    il_tail_options_free(old);
    free(old);
    if (d->out != NULL && il_event_out_reopen(d->out, &error) != IL_OK) {
        il_log(IL_LEVEL_ERROR, "%s", error.text);
    }
    il_notify_send(&d->notify, "READY=1");
    return code < 0 ? IL_EXIT_DONE : code;
}

static int ask_bootstrap(struct il_daemon *d, enum il_bootstrap how)
{
    struct il_error error = {""};
    enum il_status status;

    if (d->stream == NULL) {
        il_log(IL_LEVEL_WARNING, "no bootstrap: there are no rows yet");
        return IL_EXIT_DONE;
    }
    status = il_stream_bootstrap(d->stream, how, 0, &error);
    if (status == IL_OK) {
        return IL_EXIT_DONE;
    }
    if (status != IL_EBOOTSTRAP && status != IL_EARG) {
        return il_daemon_trouble(d, status, &error);
    }
    il_log(IL_LEVEL_WARNING, "no bootstrap: %s", error.text);
    return how == IL_BOOTSTRAP_COLD ? IL_EXIT_BOOTSTRAP : IL_EXIT_DONE;
}

static int take_signals(struct il_daemon *d)
{
    unsigned asked = il_signals_take();
    int code = IL_EXIT_DONE;
    char text[512];

    if ((asked & IL_ASKED_STOP) != 0 && !d->stop) {
        il_log(IL_LEVEL_INFO, "asked to end");
        d->stop = true;
    }
    if ((asked & IL_ASKED_STATUS) != 0) {
        take_figures(d, il_seconds_now());
        il_status_line(&d->figures, text, sizeof text);
        il_log(IL_LEVEL_INFO, "%s", text);
    }
    if ((asked & IL_ASKED_RELOAD) != 0 && !d->stop) {
        code = reload(d);
    }
    if ((asked & IL_ASKED_BOOTSTRAP) != 0 && !d->stop && code == IL_EXIT_DONE) {
        code = ask_bootstrap(d, IL_BOOTSTRAP_WARM);
    }
    return code;
}

/* ----------------------------------------------------------------------------- the loop
 */

/* One turn: what the sources have is linked and told. *idle: nothing was there. */
static int turn(struct il_daemon *d, bool *idle, bool *later)
{
    bool worked = false;
    double now = il_seconds_now();
    int code = il_daemon_read(d, now);

    if (code == IL_EXIT_DONE && d->stream == NULL &&
        (!d->trouble || now >= d->retry_at)) {
        code = il_daemon_open(d);
    }
    if (code == IL_EXIT_DONE && d->stream != NULL) {
        code = il_daemon_commit(d, &worked);
    }
    *idle = !worked;
    return code == IL_EXIT_DONE ? pump(d, later) : code;
}

static bool all_ended(const struct il_daemon *d)
{
    return d->figures.tail[0].state == IL_TAIL_ENDED &&
           d->figures.tail[1].state == IL_TAIL_ENDED;
}

static int run(struct il_daemon *d)
{
    int code = IL_EXIT_DONE;

    while (code == IL_EXIT_DONE) {
        bool idle = true;
        bool later = false;
        double wait;

        code = take_signals(d);
        if (code == IL_EXIT_DONE) {
            code = turn(d, &idle, &later);
        }
        wait = keep_house(d, false);
        if (d->stop && !d->trouble) {
            break;
        }
        if (code == IL_EXIT_DONE && d->stop) {
            code = d->full ? IL_EXIT_LIMIT : IL_EXIT_FAILED;
        }
        if (idle && !later && (d->options->once || all_ended(d)) &&
            !(d->stream != NULL && d->figures.stream.bootstrapping)) {
            break;
        }
        if (code == IL_EXIT_DONE && idle) {
            wait_for(d, fmin(wait, 1e-3 * (double)d->options->poll_ms), later);
        }
    }
    return code;
}

/* Commits until no bootstrap runs any more. */
static int await_bootstrap(struct il_daemon *d)
{
    int code = IL_EXIT_DONE;

    while (code == IL_EXIT_DONE && d->stream != NULL) {
        struct il_error error = {""};
        bool later = false;
        double wait = keep_house(d, true);

        if (!d->figures.stream.bootstrapping) {
            break;
        }
        wait_for(d, fmin(wait, 1e-3 * BOOTSTRAP_MS), false);
        (void)il_signals_take();
        enum il_status status = il_stream_commit(d->stream, &error);
        code = status == IL_OK ? pump(d, &later) : il_daemon_trouble(d, status, &error);
    }
    return code;
}

/* The closing bootstrap, from the seeds alone. */
static int close_links(struct il_daemon *d)
{
    int code = await_bootstrap(d);

    d->stop = true;
    if (code == IL_EXIT_DONE) {
        il_log(IL_LEVEL_INFO, "closing bootstrap over all rows");
        code = ask_bootstrap(d, IL_BOOTSTRAP_COLD);
    }
    if (code == IL_EXIT_DONE) {
        code = await_bootstrap(d);
    }
    if (code == IL_EXIT_DONE && d->stream != NULL &&
        d->figures.stream.refused_bootstrap) {
        il_log(IL_LEVEL_ERROR, "cannot bootstrap: %s", d->figures.stream.why);
        code =
            il_daemon_is_full(d->figures.stream.why) ? IL_EXIT_LIMIT : IL_EXIT_BOOTSTRAP;
    }
    return code;
}

/* Sources that --once could not read to their end. */
static int judge_sources(const struct il_daemon *d)
{
    int code = IL_EXIT_DONE;

    for (int side = 0; side < 2 && d->options->once && !d->stop; side++) {
        const struct il_tail_info *tail = &d->figures.tail[side];

        if (tail->state == IL_TAIL_MISSING || tail->state == IL_TAIL_PAUSED) {
            il_log(IL_LEVEL_ERROR, "%s: %s%s%s", d->side[side].path,
                   tail->state == IL_TAIL_MISSING ? "is missing" : "is paused",
                   tail->why[0] != 0 ? ": " : "", tail->why);
            code = IL_EXIT_INPUT;
        }
    }
    if (code == IL_EXIT_DONE && d->options->once && d->stream == NULL && !d->trouble) {
        il_log(IL_LEVEL_WARNING,
               "no state was made: it needs a row of either side to begin with");
    }
    return code;
}

static int finish(struct il_daemon *d, int code)
{
    double until;
    bool later = true;

    if (code == IL_EXIT_DONE) {
        code = judge_sources(d);
    }
    il_notify_send(&d->notify, "STOPPING=1");
    if (d->options->close && d->stream != NULL &&
        (code == IL_EXIT_DONE || code == IL_EXIT_INPUT)) {
        int closing = close_links(d);

        code = closing != IL_EXIT_DONE ? closing : code;
    }
    until = il_seconds_now() + DRAIN_SECONDS;
    while (later && il_seconds_now() < until && pump(d, &later) == IL_EXIT_DONE) {
        if (later) {
            wait_for(d, 0.1, later);
        }
    }
    take_figures(d, il_seconds_now());
    bool block = il_screen_is_block();
    (void)il_screen_draw(&d->figures, il_seconds_now(), true);
    il_screen_end();
    write_status(d, il_seconds_now(), false);
    if (code == IL_EXIT_DONE && d->stream != NULL && !block) {
        char text[512];

        il_status_line(&d->figures, text, sizeof text);
        il_log(IL_LEVEL_INFO, "ended; %s", text);
    }
    return code;
}

/* -------------------------------------------------------------------------------- start
 */

/* Messages of the command line's functions go the way of all others. */
static void say_to_log(const char *command, const char *text)
{
    if (command == NULL || strcmp(command, COMMAND) == 0) {
        il_log(IL_LEVEL_ERROR, "%s", text);
        return;
    }
    il_log(IL_LEVEL_ERROR, "%s: %s",
           strncmp(command, COMMAND ": ", strlen(COMMAND ": ")) == 0
               ? command + strlen(COMMAND ": ")
               : command,
           text);
}

/* The path from the root, so that a position is found again from another directory. */
static char *whole_path(const char *path)
{
    char *real;
    char here[PATH_MAX];
    char *out = NULL;

    if (strcmp(path, "-") == 0) {
        return strdup(path);
    }
    real = realpath(path, NULL);
    if (real != NULL || path[0] == '/' || getcwd(here, sizeof here) == NULL) {
        return real != NULL ? real : strdup(path);
    }
    return asprintf(&out, "%s/%s", here, path) >= 0 ? out : NULL;
}

/* "a /data/a.jsonl"; of a long path the end, and a number for all of it. */
static bool name_note(struct il_follow *f, int side)
{
    char *path = whole_path(f->path);
    uint64_t hash = 0xcbf29ce484222325u;
    size_t bytes;

    if (path == NULL) {
        return false;
    }
    bytes = strlen(path);
    for (size_t i = 0; i < bytes; i++) {
        hash = (hash ^ (unsigned char)path[i]) * 0x100000001b3u;
    }
    if (bytes <= 160) {
        snprintf(f->note, sizeof f->note, "%c %s", "ab"[side], path);
    } else {
        snprintf(f->note, sizeof f->note, "%c %016" PRIx64 " %s", "ab"[side], hash,
                 path + bytes - 140);
    }
    free(path);
    return true;
}

static int copy_names(struct il_daemon *d)
{
    const struct il_tail_options *o = d->options;
    bool good;

    d->state = strdup(o->state);
    d->events = o->events != NULL ? strdup(o->events) : NULL;
    good = d->state != NULL && (o->events == NULL || d->events != NULL);
    for (int side = 0; side < 2 && good; side++) {
        struct il_follow *f = &d->side[side];
        size_t bytes = strlen(o->source[side]);
        size_t skip = bytes < IL_SOURCE_NAME_MAX ? 0 : bytes - (IL_SOURCE_NAME_MAX - 1);

        f->path = strdup(o->source[side]);
        good = f->path != NULL && name_note(f, side);
        snprintf(d->figures.source[side], IL_SOURCE_NAME_MAX, "%s",
                 o->source[side] + skip);
    }
    return good ? IL_EXIT_DONE : il_say_memory(COMMAND);
}

static int open_metrics(struct il_daemon *d)
{
    char why[200] = "";

    if (d->options->metrics == NULL) {
        return IL_EXIT_DONE;
    }
    d->http = il_http_open(d->options->metrics, why, sizeof why);
    if (d->http == NULL) {
        il_log(IL_LEVEL_ERROR, "--metrics %s: %s", d->options->metrics, why);
        return IL_EXIT_FAILED;
    }
    if (il_http_port(d->http) != 0) {
        il_log(IL_LEVEL_INFO, "metrics on port %u of this machine, path /metrics",
               il_http_port(d->http));
    }
    return IL_EXIT_DONE;
}

static int start(struct il_daemon *d)
{
    const struct il_tail_options *o = d->options;
    char beside[PATH_MAX];
    struct timespec now;
    int code;

    clock_gettime(CLOCK_REALTIME, &now);
    d->started_ns = (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
    d->rate_at = il_seconds_now();
    snprintf(beside, sizeof beside, "%s/x", o->state);
    code = il_memory_apply(COMMAND, o->memory, o->scratch, beside);
    if (code != IL_EXIT_DONE) {
        return code;
    }
    if (il_signals_install() != 0) {
        il_say(COMMAND, "signals: %s", strerror(errno));
        return IL_EXIT_FAILED;
    }
    il_screen_init(o->once && o->progress < 0 ? 0 : o->progress);
    il_log_set(o->log_level, log_form(o));
    il_say_to(say_to_log);
    code = copy_names(d);
    if (code == IL_EXIT_DONE) {
        code = load_seeds(o, &d->seeds);
    }
    if (code == IL_EXIT_DONE) {
        code = open_metrics(d);
    }
    if (code == IL_EXIT_DONE) {
        il_notify_alive(&d->notify, il_seconds_now(), true);
        code = il_daemon_open(d);
    }
    if (code == IL_EXIT_DONE) {
        il_log(IL_LEVEL_INFO, "following %s and %s%s", d->side[0].path, d->side[1].path,
               d->stream == NULL ? "; waiting for the first row of each" : "");
    }
    return code;
}

static void free_daemon(struct il_daemon *d)
{
    il_http_close(d->http);
    il_event_out_close(d->out);
    il_stream_close(&d->stream);
    for (int side = 0; side < 2; side++) {
        il_tail_close(&d->side[side].tail);
        free(d->side[side].rows);
        free(d->side[side].path);
    }
    il_seeds_close(&d->seeds);
    il_notify_close(&d->notify);
    il_tail_options_free(d->options);
    free(d->options);
    free(d->state);
    free(d->events);
    il_say_to(NULL);
}

int il_tail_run(const struct il_tail_options *options, int argc, char **argv)
{
    struct il_daemon *d = calloc(1, sizeof *d);
    int code;

    if (d == NULL || (d->options = malloc(sizeof *d->options)) == NULL) {
        free(d);
        return il_say_memory(COMMAND);
    }
    *d->options = *options;
    d->argc = argc;
    d->argv = argv;
    il_notify_open(&d->notify);
    code = start(d);
    if (code == IL_EXIT_DONE) {
        code = finish(d, run(d));
    }
    free_daemon(d);
    free(d);
    il_memory_check(COMMAND);
    il_memory_unlimit();
    return code;
}
