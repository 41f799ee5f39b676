/* SPDX-License-Identifier: Apache-2.0 */
/* The state of a daemon and its sources. Rows that were read stay with their source until
 * they are committed, so that a state that could not be written (a full disk) is closed,
 * opened again, and gets the same rows once more: the same row again changes nothing. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli.h"
#include "stores.h"
#include "tail_daemon.h"
#include "tail_log.h"

#define BACKOFF_MIN 1.0
#define BACKOFF_MAX 60.0
#define PATH_BYTES 4096

int il_daemon_fail(const struct il_daemon *d, enum il_status status,
                   const struct il_error *error)
{
    struct il_memory_use use;

    (void)d;
    il_memory_describe(&use);
    if (status == IL_ENOMEM && use.trouble[0] != 0) {
        il_log(IL_LEVEL_ERROR, "%s; --scratch takes another directory", use.trouble);
        return IL_EXIT_LIMIT;
    }
    il_log(IL_LEVEL_ERROR, "%s",
           error->text[0] != 0 ? error->text : il_status_text(status));
    return il_exit_of(status);
}

/* ------------------------------------------------------------------------------ sources
 */

static int open_source(struct il_daemon *d, int side, const void *position,
                       size_t position_bytes)
{
    struct il_follow *f = &d->side[side];
    struct il_tail_config config;
    struct il_error error = {""};
    enum il_status status;

    il_tail_close(&f->tail);
    f->count = 0;
    il_tail_config_init(&config);
    config.kind = d->options->kind[side];
    config.column = d->options->column[side];
    config.dim = f->dim;
    config.from_end = d->options->from_end;
    config.log = il_log_text;
    status = il_tail_open(&f->tail, f->path, position_bytes > 0 ? position : NULL,
                          position_bytes, &config, &error);
    if (status != IL_OK) {
        return il_daemon_fail(d, status, &error);
    }
    f->position_bytes = position_bytes;
    if (position_bytes > 0) {
        memcpy(f->position, position, position_bytes);
    }
    return IL_EXIT_DONE;
}

/* A source goes on where the state says; one that stands there already stays open, with
   the rows that it has given. */
static int attach_source(struct il_daemon *d, int side)
{
    struct il_follow *f = &d->side[side];
    size_t bytes = 0;
    const void *note = il_stream_noted(d->stream, f->note, &bytes);

    if (bytes > sizeof f->position) {
        il_log(IL_LEVEL_ERROR, "%s: a position of %zu bytes, wanted at most %zu",
               d->state, bytes, sizeof f->position);
        return IL_EXIT_DAMAGED;
    }
    if (f->tail != NULL && bytes == f->position_bytes &&
        (bytes == 0 || memcmp(note, f->position, bytes) == 0)) {
        return IL_EXIT_DONE;
    }
    if (f->tail != NULL && strcmp(f->path, "-") == 0) {
        /* What was read from it cannot be read again: it stays where it is. */
        f->position_bytes = 0;
        return IL_EXIT_DONE;
    }
    return open_source(d, side, note, bytes);
}

/* -------------------------------------------------------------------------------- state
 */

/* Dimension of a store of the state; 0 when there is none (yet). */
static int store_dim(struct il_daemon *d, int side, size_t *dim)
{
    struct il_store_config config;
    struct il_store_info info;
    struct il_store *store = NULL;
    struct il_error error = {""};
    char path[PATH_BYTES];
    enum il_status status;

    snprintf(path, sizeof path, "%s/%c.store", d->state, "ab"[side]);
    if (!il_store_exists(path)) {
        return IL_EXIT_DONE;
    }
    il_store_config_init(&config);
    status = il_store_open(&store, path, &config, &error);
    if (status != IL_OK) {
        return il_daemon_fail(d, status, &error);
    }
    il_store_describe(store, &info);
    *dim = info.dim;
    il_store_close(&store);
    return IL_EXIT_DONE;
}

static void on_event(void *context, const struct il_event *event)
{
    (void)context;
    if (event->kind == IL_EVENT_RETRACT) {
        il_log(IL_LEVEL_DEBUG, "retracted: %.*s - %.*s", (int)event->a_bytes,
               (const char *)event->a_id, (int)event->b_bytes, (const char *)event->b_id);
    } else if (event->kind == IL_EVENT_LINK) {
        il_log(IL_LEVEL_DEBUG, "linked: %.*s - %.*s, %.3f", (int)event->a_bytes,
               (const char *)event->a_id, (int)event->b_bytes, (const char *)event->b_id,
               event->posterior);
    }
}

static void fill_config(const struct il_daemon *d, struct il_stream_config *config)
{
    const struct il_tail_options *o = d->options;

    il_stream_config_init(config);
    for (int side = 0; side < 2; side++) {
        config->dim[side] = d->side[side].dim;
        config->model[side] = o->model[side];
    }
    config->codec = o->codec;
    if (d->seeds != NULL) {
        config->seeds = il_seeds_list(d->seeds, &config->seed_count);
    }
    config->seed = o->seed;
    config->threads = o->threads;
    config->background_threads = o->background_threads;
    config->sync = o->sync;
    config->sync_ms = o->sync_ms;
    config->io = o->io;
    config->posterior_min = o->posterior_min;
    config->bootstrap_rows = (size_t)o->bootstrap_rows;
    config->bootstrap_after = o->bootstrap_after;
    config->bootstrap_seconds = (double)o->bootstrap_seconds;
    config->event = on_event;
    config->log = il_log_text;
}

static int open_output(struct il_daemon *d)
{
    struct il_error error = {""};
    struct il_stream_info info;
    enum il_status status = IL_OK;

    if (d->events == NULL) {
        return IL_EXIT_DONE;
    }
    il_stream_describe(d->stream, &info);
    if (d->out != NULL) {
        status = il_event_out_resume(d->out, &error);
    } else {
        d->out = il_event_out_open(d->events, d->state, info.seq, &status, &error);
    }
    return status == IL_OK ? IL_EXIT_DONE : il_daemon_fail(d, status, &error);
}

bool il_daemon_is_full(const char *text)
{
    return strstr(text, strerror(ENOSPC)) != NULL ||
           strstr(text, strerror(EDQUOT)) != NULL;
}

static int open_state(struct il_daemon *d)
{
    struct il_stream_config config;
    struct il_error error = {""};
    enum il_status status;
    int code = IL_EXIT_DONE;

    fill_config(d, &config);
    status = il_stream_open(&d->stream, d->state, &config, &error);
    if (status == IL_EIO && d->trouble) {
        return il_daemon_trouble(d, status, &error);
    }
    if (status != IL_OK) {
        code = il_daemon_fail(d, status, &error);
        /* What is there and cannot be read or written is no mistake of the input. */
        return status != IL_EIO                ? code
               : il_daemon_is_full(error.text) ? IL_EXIT_LIMIT
                                               : IL_EXIT_FAILED;
    }
    for (int side = 0; side < 2 && code == IL_EXIT_DONE; side++) {
        code = attach_source(d, side);
    }
    if (code == IL_EXIT_DONE) {
        code = open_output(d);
    }
    if (code == IL_EXIT_DONE && d->trouble) {
        il_log(IL_LEVEL_INFO, "%s: open again, going on", d->state);
    }
    d->trouble = false;
    return code;
}

int il_daemon_open(struct il_daemon *d)
{
    int code = IL_EXIT_DONE;

    for (int side = 0; side < 2 && code == IL_EXIT_DONE; side++) {
        struct il_follow *f = &d->side[side];

        if (f->dim == 0) {
            code = store_dim(d, side, &f->dim);
        }
        if (f->dim == 0 && f->tail != NULL) {
            f->dim = il_tail_dim(f->tail);
        }
    }
    if (code != IL_EXIT_DONE) {
        return code;
    }
    if (d->side[0].dim > 0 && d->side[1].dim > 0) {
        return open_state(d);
    }
    /* No state before the first row of either side has said how long rows are. */
    for (int side = 0; side < 2 && code == IL_EXIT_DONE; side++) {
        if (d->side[side].tail == NULL) {
            code = open_source(d, side, NULL, 0);
        }
    }
    return code;
}

void il_daemon_close_state(struct il_daemon *d)
{
    struct il_tail_figures *before = &d->before;
    struct il_stream_info info;

    if (d->stream == NULL) {
        return;
    }
    il_stream_describe(d->stream, &info);
    for (int side = 0; side < 2; side++) {
        before->arrivals[side] += info.arrivals[side];
        before->removed[side] += info.removed[side];
        before->refused[side] += info.refused[side];
    }
    for (int kind = 0; kind < 3; kind++) {
        before->events[kind] += info.events[kind];
    }
    il_stream_close(&d->stream);
}

int il_daemon_trouble(struct il_daemon *d, enum il_status status,
                      const struct il_error *error)
{
    if (status != IL_EIO) {
        return il_daemon_fail(d, status, error);
    }
    il_daemon_close_state(d);
    d->full = il_daemon_is_full(error->text);
    if (d->options->once || d->stop) {
        il_log(IL_LEVEL_ERROR, "%s; the last commit stands%s", error->text,
               d->full ? ": make room on the disk of the state and start again" : "");
        return d->full ? IL_EXIT_LIMIT : IL_EXIT_FAILED;
    }
    d->backoff = d->trouble ? 2.0 * d->backoff : BACKOFF_MIN;
    d->backoff = d->backoff < BACKOFF_MAX ? d->backoff : BACKOFF_MAX;
    d->retry_at = il_seconds_now() + d->backoff;
    d->trouble = true;
    il_log(IL_LEVEL_ERROR, "%s; the last commit stands, the next try comes soon%s",
           error->text,
           d->full ? ": make room on the disk of the state, then it goes on by itself"
                   : "");
    return IL_EXIT_DONE;
}

/* --------------------------------------------------------------------------------- rows
 */

int il_daemon_read(struct il_daemon *d, double now)
{
    for (int side = 0; side < 2; side++) {
        struct il_follow *f = &d->side[side];
        struct il_error error = {""};
        enum il_status status;

        if (f->tail == NULL || f->count > 0) {
            continue;
        }
        if (f->room < d->options->batch) {
            free(f->rows);
            f->rows = malloc((size_t)d->options->batch * sizeof *f->rows);
            f->room = f->rows != NULL ? (size_t)d->options->batch : 0;
            if (f->rows == NULL) {
                return il_daemon_fail(d, IL_ENOMEM, &error);
            }
        }
        status =
            il_tail_next(f->tail, (size_t)d->options->batch, f->rows, &f->count, &error);
        if (status != IL_OK) {
            return il_daemon_fail(d, status, &error);
        }
        f->read_at = now;
    }
    return IL_EXIT_DONE;
}

static enum il_status push_rows(struct il_daemon *d, int side, struct il_error *error)
{
    const struct il_follow *f = &d->side[side];

    for (size_t i = 0; i < f->count; i++) {
        const struct il_tail_row *row = &f->rows[i];
        enum il_status status =
            row->row != NULL
                ? il_stream_push(d->stream, side, row->id, row->id_bytes, row->row, NULL,
                                 error)
                : il_stream_remove(d->stream, side, row->id, row->id_bytes, NULL, error);

        if (status == IL_EARG) {
            /* An id that no row can have: this row is passed over. */
            d->refused[side]++;
            il_log(IL_LEVEL_WARNING, "%s: a row is passed over: %s", f->path,
                   error->text);
        } else if (status != IL_OK) {
            return status;
        }
    }
    return IL_OK;
}

/* Notes where a source stands, when that is not where the state has it. */
static enum il_status note_position(struct il_daemon *d, int side,
                                    unsigned char *position, size_t *bytes,
                                    struct il_error *error)
{
    const struct il_follow *f = &d->side[side];

    *bytes = il_tail_position(f->tail, position);
    if (*bytes == f->position_bytes && memcmp(position, f->position, *bytes) == 0) {
        return IL_OK;
    }
    return il_stream_note(d->stream, f->note, position, *bytes, error);
}

int il_daemon_commit(struct il_daemon *d, bool *worked)
{
    static unsigned char position[2][IL_TAIL_POSITION_MAX];
    size_t bytes[2] = {0, 0};
    struct il_error error = {""};
    enum il_status status = IL_OK;

    *worked = d->side[0].count > 0 || d->side[1].count > 0;
    for (int side = 0; side < 2 && status == IL_OK; side++) {
        status = push_rows(d, side, &error);
        if (status == IL_OK) {
            status = note_position(d, side, position[side], &bytes[side], &error);
        }
    }
    if (status == IL_OK) {
        status = il_stream_commit(d->stream, &error);
    }
    if (status != IL_OK) {
        *worked = false;
        return il_daemon_trouble(d, status, &error);
    }
    double now = il_seconds_now();
    for (int side = 0; side < 2; side++) {
        struct il_follow *f = &d->side[side];

        if (f->count > 0) {
            il_histogram_add(&d->figures.arrival, now - f->read_at, f->count);
        }
        f->count = 0;
        f->position_bytes = bytes[side];
        memcpy(f->position, position[side], bytes[side]);
    }
    return IL_EXIT_DONE;
}
