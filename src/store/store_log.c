/* SPDX-License-Identifier: Apache-2.0 */
/* Puts and removes through the log. Records gather in a buffer; one thread at a time, the
   leader, writes and syncs what has gathered, without the mutex, while others fill the
   second buffer and wait for the next turn: so concurrent commits share a sync. Before it
   begins, the leader waits for as many as shared the last one, no longer than that took:
   else half of the writers would come too late for every other sync. */
#include "src/store/store_inner.h"

#include "src/base/base.h"
#include "src/store/store_sync.h"

#include <inttypes.h>
#include <string.h>
#include <time.h>

/* Longest wait of a leader. */
#define GATHER_SECONDS_MAX 0.01

enum il_status il_store_check(const struct il_store *s, struct il_error *error)
{
    if (s->poison == IL_OK)
        return IL_OK;
    return il_fail(error, s->poison, "%s", s->poison_error.text);
}

enum il_status il_store_poison(struct il_store *s, enum il_status status,
                               struct il_error *error)
{
    if (s->poison == IL_OK) {
        s->poison = status;
        s->poison_error = *error;
    }
    pthread_cond_broadcast(&s->changed);
    return status;
}

/* Writes the buffer, and syncs; the mutex is let go meanwhile unless hold. Nobody leads.
 */
static enum il_status lead(struct il_store *s, int sync, int hold, struct il_error *error)
{
    struct il_error own = {{0}};
    IL_ASSERT(!s->leading && s->flying_bytes == 0);
    unsigned char *full = s->active;
    s->active = s->flying;
    s->flying = full;
    s->flying_bytes = s->active_bytes;
    s->active_at += s->active_bytes;
    s->active_bytes = 0;
    s->leading = 1;
    s->group = s->gathered;
    s->gathered = 0;
    const double start = il_clock_seconds();
    const uint64_t end = s->active_at;
    struct il_log_file *log = s->log;
    if (!hold)
        pthread_mutex_unlock(&s->mutex);
    enum il_status status = IL_OK;
    if (s->flying_bytes > 0)
        status = il_out_write(&log->out, s->flying, s->flying_bytes, &own);
    if (status == IL_OK && sync)
        status = il_out_sync(&log->out, &own);
    if (!hold)
        pthread_mutex_lock(&s->mutex);
    s->leading = 0;
    if (status != IL_OK) {
        /* The bytes stay where il_store_fetch finds them. */
        il_store_poison(s, status, &own);
        return il_store_check(s, error);
    }
    s->flying_bytes = 0;
    s->written = end;
    if (sync) {
        s->synced = end;
        s->sync_seconds = il_clock_seconds() - start;
    }
    pthread_cond_broadcast(&s->changed);
    return IL_OK;
}

/* So many seconds from now, by the clock of the conditions. */
static struct timespec after(double seconds)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    double ns = (double)until.tv_nsec + 1e9 * seconds;
    until.tv_sec += (time_t)(ns / 1e9);
    until.tv_nsec = (long)(ns - 1e9 * (double)(long)(ns / 1e9));
    return until;
}

/* Lets the writers of the last turn come again before the next one. */
static void gather(struct il_store *s)
{
    const double most =
        s->sync_seconds < GATHER_SECONDS_MAX ? s->sync_seconds : GATHER_SECONDS_MAX;
    const struct timespec until = after(most);
    s->gathering = 1;
    while (s->gathered < s->group && s->poison == IL_OK &&
           pthread_cond_timedwait(&s->arrived, &s->mutex, &until) == 0)
        ;
    s->gathering = 0;
    if (s->gathered < s->group)
        s->group = s->gathered; /* the others are gone */
}

enum il_status il_store_room(struct il_store *s, size_t bytes, struct il_error *error)
{
    for (;;) {
        enum il_status status = il_store_check(s, error);
        if (status != IL_OK)
            return status;
        if (bytes <= s->buffer_bytes - s->active_bytes)
            return IL_OK;
        if (s->leading) {
            pthread_cond_wait(&s->changed, &s->mutex);
        } else {
            status = lead(s, 0, 0, error);
            if (status != IL_OK)
                return status;
        }
    }
}

uint64_t il_store_append(struct il_store *s, enum il_log_kind kind, const void *id,
                         size_t id_bytes, const float *row)
{
    struct il_log_record r = {.kind = kind,
                              .offset = s->active_at + s->active_bytes,
                              .synced = s->synced,
                              .id = id,
                              .id_bytes = id_bytes,
                              .row = (const unsigned char *)row,
                              .records = s->since};
    size_t bytes = il_log_record_bytes(kind, id_bytes, s->m.dim);
    IL_ASSERT(bytes <= s->buffer_bytes - s->active_bytes);
    il_log_encode(&s->log->info, &r, s->active + s->active_bytes);
    s->active_bytes += bytes;
    s->since = kind == IL_LOG_COMMIT ? 0 : s->since + 1;
    if (kind == IL_LOG_COMMIT)
        s->committed = s->active_at + s->active_bytes;
    return r.offset;
}

/* Ends what was put with a record of a commit. */
static enum il_status end_commit(struct il_store *s, struct il_error *error)
{
    enum il_status status =
        il_store_room(s, il_log_record_bytes(IL_LOG_COMMIT, 0, 0), error);
    if (status == IL_OK && s->since > 0)
        il_store_append(s, IL_LOG_COMMIT, NULL, 0, NULL);
    return status;
}

enum il_status il_store_settle(struct il_store *s, int sync, struct il_error *error)
{
    enum il_status status = end_commit(s, error);
    while (status == IL_OK && s->leading) {
        pthread_cond_wait(&s->changed, &s->mutex);
        status = il_store_check(s, error);
    }
    /* Others may have put something while this thread waited. */
    if (status == IL_OK && s->since > 0 &&
        il_log_record_bytes(IL_LOG_COMMIT, 0, 0) > s->buffer_bytes - s->active_bytes)
        status = lead(s, 0, 1, error);
    if (status == IL_OK && s->since > 0)
        il_store_append(s, IL_LOG_COMMIT, NULL, 0, NULL);
    if (status == IL_OK && (s->active_bytes > 0 || (sync && s->synced < s->active_at)))
        status = lead(s, sync, 1, error);
    return status;
}

enum il_status il_store_flush(struct il_store *s, struct il_error *error)
{
    enum il_status status = il_store_check(s, error);
    while (status == IL_OK && s->leading) {
        pthread_cond_wait(&s->changed, &s->mutex);
        status = il_store_check(s, error);
    }
    return status == IL_OK && s->active_bytes > 0 ? lead(s, 0, 1, error) : status;
}

enum il_status il_store_fetch(struct il_store *s, const struct il_log_row *row,
                              struct il_log_record *out, struct il_error *error)
{
    const uint64_t flying_at = s->active_at - s->flying_bytes;
    size_t bytes = il_log_record_bytes(IL_LOG_PUT, row->id_bytes, s->m.dim);
    if (row->offset >= s->active_at) {
        memcpy(s->record, s->active + (size_t)(row->offset - s->active_at), bytes);
    } else if (row->offset >= flying_at) {
        memcpy(s->record, s->flying + (size_t)(row->offset - flying_at), bytes);
    } else {
        /* Its size may change under the leader, and is not needed. */
        struct il_file file = {.fd = s->log->out.fd, .sized = 1, .name = s->log->shown};
        enum il_status status =
            il_file_read_at(&file, row->offset, s->record, bytes, error);
        if (status != IL_OK)
            return status;
    }
    if (!il_log_decode(&s->log->info, s->record, bytes, row->offset, out))
        return il_fail(error, IL_ECORRUPT,
                       "%s, byte %" PRIu64 ": a record is not what it was when the "
                       "store was opened",
                       s->log->shown, row->offset);
    return IL_OK;
}

enum il_status il_store_ready(struct il_store *s, const void *id, size_t id_bytes,
                              struct il_part **part, uint64_t *row,
                              struct il_error *error)
{
    *part = NULL;
    *row = IL_SEGMENT_NONE;
    if (il_log_index_reserve(&s->index, id_bytes) != IL_OK)
        return il_fail(error, IL_ENOMEM, "%s: no memory for the index of the log",
                       s->log->shown);
    if (il_log_index_find(&s->index, id, id_bytes))
        return IL_OK; /* no segment has it any more */
    for (size_t i = s->m.count; i-- > 0;) {
        uint64_t found = il_part_find(s->parts[i], id, id_bytes);
        if (found == IL_SEGMENT_NONE)
            continue;
        *part = s->parts[i];
        *row = found;
        return il_part_reserve(s->parts[i], error);
    }
    return IL_OK;
}

int il_store_apply(struct il_store *s, enum il_log_kind kind, const void *id,
                   size_t id_bytes, uint64_t offset, struct il_part *part, uint64_t row)
{
    struct il_log_row *old = il_log_index_find(&s->index, id, id_bytes);
    if (part)
        il_part_delete(part, row);
    if (kind == IL_LOG_PUT)
        il_log_index_put(&s->index, id, id_bytes, offset);
    else if (old)
        il_log_index_remove(&s->index, old);
    return old || part;
}

/* With the mutex: may this thread write? */
static enum il_status may_write(struct il_store *s, struct il_error *error)
{
    if (s->lock_fd < 0)
        return il_fail(error, IL_EARG, "%s: opened for reading", il_path_tail(s->path));
    if (s->bulk)
        return il_fail(error, IL_EARG, "%s: a bulk import is under way",
                       il_path_tail(s->path));
    return il_store_check(s, error);
}

static enum il_status check_id_bytes(const struct il_store *s, size_t bytes,
                                     struct il_error *error)
{
    if (bytes >= 1 && bytes <= IL_ID_BYTES_MAX)
        return IL_OK;
    return il_fail(error, IL_EARG, "%s: id of %zu bytes, wanted 1 to %u",
                   il_path_tail(s->path), bytes, IL_ID_BYTES_MAX);
}

enum il_status il_store_put(struct il_store *s, const void *id, size_t id_bytes,
                            const float *row, struct il_error *error)
{
    struct il_error own;
    struct il_part *part = NULL;
    uint64_t old = 0;
    if (!error)
        error = &own;
    enum il_status status = check_id_bytes(s, id_bytes, error);
    if (status != IL_OK)
        return status;
    pthread_mutex_lock(&s->mutex);
    status = may_write(s, error);
    if (status == IL_OK)
        status = il_segment_image_rows(s->image, row, 1, NULL, error);
    if (status == IL_OK)
        status =
            il_store_room(s, il_log_record_bytes(IL_LOG_PUT, id_bytes, s->m.dim), error);
    if (status == IL_OK)
        status = il_store_ready(s, id, id_bytes, &part, &old, error);
    if (status == IL_OK) {
        uint64_t offset = il_store_append(s, IL_LOG_PUT, id, id_bytes, row);
        il_store_apply(s, IL_LOG_PUT, id, id_bytes, offset, part, old);
    }
    pthread_mutex_unlock(&s->mutex);
    return status;
}

enum il_status il_store_remove(struct il_store *s, const void *id, size_t id_bytes,
                               int *found, struct il_error *error)
{
    struct il_error own;
    struct il_part *part = NULL;
    uint64_t old = 0;
    int there = 0;
    if (!error)
        error = &own;
    enum il_status status = check_id_bytes(s, id_bytes, error);
    if (status == IL_OK) {
        pthread_mutex_lock(&s->mutex);
        status = may_write(s, error);
        if (status == IL_OK)
            status = il_store_room(
                s, il_log_record_bytes(IL_LOG_REMOVE, id_bytes, s->m.dim), error);
        if (status == IL_OK)
            status = il_store_ready(s, id, id_bytes, &part, &old, error);
        there = status == IL_OK && (part || il_log_index_find(&s->index, id, id_bytes));
        if (there) {
            il_store_append(s, IL_LOG_REMOVE, id, id_bytes, NULL);
            il_store_apply(s, IL_LOG_REMOVE, id, id_bytes, 0, part, old);
        }
        pthread_mutex_unlock(&s->mutex);
    }
    if (found)
        *found = there;
    return status;
}

/* Waits until the log has been written, or synced, up to target; leads when nobody does.
   A seal has moved the rows when the log is another one. */
static enum il_status wait_for(struct il_store *s, uint64_t target, int sync,
                               struct il_error *error)
{
    const uint32_t log = s->m.log;
    while (s->m.log == log && (sync ? s->synced : s->written) < target) {
        enum il_status status = il_store_check(s, error);
        if (status != IL_OK)
            return status;
        if (s->leading || s->gathering)
            pthread_cond_wait(&s->changed, &s->mutex);
        else if (sync && s->gathered < s->group) {
            gather(s);
            /* Who needed room may have led meanwhile, and others have seen its end and
               waited on for this thread. */
            if (s->leading || s->m.log != log || s->synced >= target)
                pthread_cond_broadcast(&s->changed);
        } else
            status = lead(s, sync, 0, error);
        if (status != IL_OK)
            return status;
    }
    return IL_OK;
}

enum il_status il_store_commit(struct il_store *s, struct il_error *error)
{
    struct il_error own;
    const int sync = s->config.sync == IL_SYNC_ALWAYS;
    if (!error)
        error = &own;
    pthread_mutex_lock(&s->mutex);
    enum il_status status = may_write(s, error);
    if (status == IL_OK && s->active_at + s->active_bytes > s->config.log_bytes_max)
        status = il_store_seal_now(s, error);
    else if (status == IL_OK) {
        status = end_commit(s, error);
        if (status == IL_OK) {
            if (++s->gathered >= s->group && s->gathering)
                pthread_cond_signal(&s->arrived);
            status = wait_for(s, s->committed, sync, error);
        }
    }
    pthread_mutex_unlock(&s->mutex);
    return status;
}

enum il_status il_store_seal(struct il_store *s, struct il_error *error)
{
    struct il_error own;
    if (!error)
        error = &own;
    pthread_mutex_lock(&s->mutex);
    enum il_status status = may_write(s, error);
    if (status == IL_OK)
        status = il_store_seal_now(s, error);
    pthread_mutex_unlock(&s->mutex);
    return status;
}

enum il_status il_store_sync(struct il_store *s, struct il_error *error)
{
    pthread_mutex_lock(&s->mutex);
    enum il_status status = may_write(s, error);
    if (status == IL_OK)
        status = il_store_settle(s, 1, error);
    pthread_mutex_unlock(&s->mutex);
    return status;
}

/* Syncs what was committed, every sync_ms. */
static void *tick(void *argument)
{
    struct il_store *s = argument;
    struct il_error error;
    pthread_mutex_lock(&s->mutex);
    while (!s->stop && s->poison == IL_OK) {
        const struct timespec until = after(1e-3 * (double)s->config.sync_ms);
        while (!s->stop && pthread_cond_timedwait(&s->changed, &s->mutex, &until) == 0)
            ;
        /* A failure poisons, and ends the loop. */
        if (!s->stop && !s->leading && s->poison == IL_OK && s->synced < s->committed &&
            lead(s, 1, 0, &error) != IL_OK)
            break;
    }
    pthread_mutex_unlock(&s->mutex);
    return NULL;
}

enum il_status il_store_start_ticker(struct il_store *s, struct il_error *error)
{
    if (pthread_create(&s->ticker, NULL, tick, s) != 0)
        return il_fail(error, IL_ENOMEM, "%s: no thread to sync it",
                       il_path_tail(s->path));
    s->ticking = 1;
    return IL_OK;
}

void il_store_stop_ticker(struct il_store *s)
{
    if (!s->ticking)
        return;
    pthread_mutex_lock(&s->mutex);
    s->stop = 1;
    pthread_cond_broadcast(&s->changed);
    pthread_mutex_unlock(&s->mutex);
    pthread_join(s->ticker, NULL);
    s->ticking = 0;
}
