/* SPDX-License-Identifier: Apache-2.0 */
#include "tail_log.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "cli.h"
#include "event_line.h"
#include "stores.h"

#define TEXT_MAX 1024
#define REPEAT_SECONDS 60.0

static struct {
    atomic_int level, form;
    atomic_bool journal;
    void (*before)(void);
    pthread_mutex_t print; /* standard error */
    pthread_mutex_t mutex; /* of repeats */
    struct il_log_repeats repeats;
} state = {.level = IL_LEVEL_INFO,
           .print = PTHREAD_MUTEX_INITIALIZER,
           .mutex = PTHREAD_MUTEX_INITIALIZER};

void il_log_lock(void)
{
    pthread_mutex_lock(&state.print);
}

void il_log_unlock(void)
{
    pthread_mutex_unlock(&state.print);
}

static const char *level_text(int level)
{
    return level <= IL_LEVEL_ERROR     ? "error"
           : level == IL_LEVEL_WARNING ? "warning"
           : level <= IL_LEVEL_INFO    ? "info"
                                       : "debug";
}

int il_level_named(const char *name)
{
    static const int levels[] = {IL_LEVEL_ERROR, IL_LEVEL_WARNING, IL_LEVEL_INFO,
                                 IL_LEVEL_DEBUG};

    for (size_t i = 0; i < sizeof levels / sizeof *levels; i++) {
        if (strcmp(name, level_text(levels[i])) == 0) {
            return levels[i];
        }
    }
    return -1;
}

/* Whether standard error goes to the journal: it says by device and inode which stream is
   its own. */
static bool is_journal(void)
{
    const char *named = getenv("JOURNAL_STREAM");
    struct stat about;
    char own[64];

    if (named == NULL || fstat(STDERR_FILENO, &about) != 0) {
        return false;
    }
    snprintf(own, sizeof own, "%ju:%ju", (uintmax_t)about.st_dev,
             (uintmax_t)about.st_ino);
    return strcmp(named, own) == 0;
}

void il_log_set(int level, enum il_log_form form)
{
    atomic_store(&state.journal, is_journal());
    atomic_store(&state.level, level);
    atomic_store(&state.form, (int)form);
}

void il_log_before(void (*clear)(void))
{
    state.before = clear;
}

/* FNV-1a: any hash does. */
static uint64_t hash_text(const char *text)
{
    uint64_t hash = 0xcbf29ce484222325u;

    for (; *text != 0; text++) {
        hash = (hash ^ (unsigned char)*text) * 0x100000001b3u;
    }
    return hash;
}

bool il_log_admit(struct il_log_repeats *repeats, const char *text, double now,
                  unsigned *held)
{
    uint64_t hash = hash_text(text);

    *held = 0;
    for (size_t i = 0; i < IL_LOG_KEPT; i++) {
        if (repeats->entry[i].hash != hash) {
            continue;
        }
        if (now - repeats->entry[i].time < REPEAT_SECONDS) {
            repeats->entry[i].held++;
            return false;
        }
        *held = repeats->entry[i].held;
        repeats->entry[i].held = 0;
        repeats->entry[i].time = now;
        return true;
    }
    repeats->entry[repeats->next].hash = hash;
    repeats->entry[repeats->next].time = now;
    repeats->entry[repeats->next].held = 0;
    repeats->next = (repeats->next + 1) % IL_LOG_KEPT;
    return true;
}

void il_log_put(FILE *stream, enum il_log_form form, bool priority, int level,
                int64_t time_ns, const char *text, unsigned held)
{
    char quoted[6 * TEXT_MAX + 2];
    size_t bytes = strlen(text);
    struct il_time_text time = il_time_text(time_ns, 3);

    bytes = bytes < TEXT_MAX ? bytes : TEXT_MAX;
    if (priority) {
        fprintf(stream, "<%d>", level);
    }
    if (form == IL_LOG_PLAIN) {
        fprintf(stream, "isolink: tail: %s",
                level <= IL_LEVEL_ERROR     ? "error: "
                : level <= IL_LEVEL_WARNING ? "warning: "
                                            : "");
        il_put_text(stream, text);
        if (held > 0) {
            fprintf(stream, " (%u times more before)", held);
        }
        fputc('\n', stream);
        return;
    }
    int used = (int)(il_json_put(quoted, text, bytes) - quoted);
    if (form == IL_LOG_JSON) {
        fprintf(stream, "{\"time\":\"%s\",\"level\":\"%s\",\"msg\":%.*s", time.text,
                level_text(level), used, quoted);
        if (held > 0) {
            fprintf(stream, ",\"repeated\":%u", held);
        }
        fputs("}\n", stream);
        return;
    }
    fprintf(stream, "time=%s level=%s msg=%.*s", time.text, level_text(level), used,
            quoted);
    if (held > 0) {
        fprintf(stream, " repeated=%u", held);
    }
    fputc('\n', stream);
}

void il_log_text(void *context, int level, const char *text)
{
    struct timespec now;
    unsigned held = 0;
    bool admitted;

    (void)context;
    if (level > atomic_load(&state.level)) {
        return;
    }
    pthread_mutex_lock(&state.mutex);
    admitted = il_log_admit(&state.repeats, text, il_seconds_now(), &held);
    pthread_mutex_unlock(&state.mutex);
    if (!admitted) {
        return;
    }
    clock_gettime(CLOCK_REALTIME, &now);
    il_log_lock();
    if (state.before != NULL) {
        state.before();
    }
    il_log_put(stderr, (enum il_log_form)atomic_load(&state.form),
               atomic_load(&state.journal), level,
               (int64_t)now.tv_sec * 1000000000 + now.tv_nsec, text, held);
    fflush(stderr);
    il_log_unlock();
}

void il_log(int level, const char *format, ...)
{
    char text[TEXT_MAX];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    il_log_text(NULL, level, text);
}
