/* SPDX-License-Identifier: Apache-2.0 */
#include "stores.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cli.h"
#include "report.h"

/* Ids that are named when many are missing. */
#define NAMED_MAX 10

static void on_log(void *context, const char *text)
{
    il_say(context, "warning: %s", text);
}

int il_store_open_say(struct il_store **out, const char *command, const char *path,
                      struct il_store_config *config)
{
    struct il_error error = {""};
    enum il_status status;

    config->log = on_log;
    config->log_context = (void *)(uintptr_t)command;
    status = il_store_open(out, path, config, &error);
    if (status == IL_OK) {
        return IL_EXIT_DONE;
    }
    return config->write && il_store_exists(path)
               ? il_say_output(command, status, &error)
               : il_say_status(command, status, &error);
}

int il_store_model(const char *command, const char *path, enum il_io io, char *model)
{
    struct il_store_config config;
    struct il_store_info info;
    struct il_store *store = NULL;
    int code;

    model[0] = 0;
    if (strcmp(path, "-") == 0 || !il_store_exists(path)) {
        return IL_EXIT_DONE;
    }
    il_store_config_init(&config);
    config.io = io;
    code = il_store_open_say(&store, command, path, &config);
    if (code == IL_EXIT_DONE) {
        il_store_describe(store, &info);
        snprintf(model, IL_MODEL_TEXT, "%s", info.model);
    }
    il_store_close(&store);
    return code;
}

int il_wanted_open(struct il_wanted *wanted, const char *command, const char *path)
{
    struct il_error error = {""};
    enum il_status status = IL_OK;

    if (path != NULL) {
        status = il_id_list_open(&wanted->list, path, &error);
    }
    return status == IL_OK ? IL_EXIT_DONE : il_say_status(command, status, &error);
}

enum il_status il_wanted_next(struct il_wanted *wanted, const void **id, size_t *id_bytes,
                              struct il_error *error)
{
    *id = NULL;
    *id_bytes = 0;
    if (wanted->count > 0) {
        *id = *wanted->operands;
        *id_bytes = strlen(*wanted->operands);
        wanted->operands++;
        wanted->count--;
        return IL_OK;
    }
    return wanted->list != NULL ? il_id_list_next(wanted->list, id, id_bytes, error)
                                : IL_OK;
}

void il_wanted_close(struct il_wanted *wanted)
{
    il_id_list_close(&wanted->list);
}

void il_missing_say(struct il_missing *missing, const char *command, const char *path,
                    const void *id, size_t id_bytes)
{
    if (missing->count < NAMED_MAX) {
        il_say(command, "%s: no row with the id '%.*s'", path, (int)id_bytes,
               (const char *)id);
    }
    missing->count++;
}

int il_missing_end(const struct il_missing *missing, const char *command,
                   const char *path)
{
    if (missing->count > NAMED_MAX) {
        il_say(command, "%s: no row with %zu of the ids, the first %d are named above",
               path, missing->count, NAMED_MAX);
    }
    return missing->count > 0 ? IL_EXIT_INPUT : IL_EXIT_DONE;
}

double il_f32_bytes(uint64_t rows, size_t dim)
{
    return (double)rows * (double)dim * sizeof(float);
}

struct il_size il_size_text(double bytes)
{
    struct il_size out;

    if (bytes < 1e5) {
        snprintf(out.text, sizeof out.text, "%s bytes", il_grouped((size_t)bytes).text);
    } else if (bytes < 1e9) {
        snprintf(out.text, sizeof out.text, "%.2f MB", bytes / 1e6);
    } else {
        snprintf(out.text, sizeof out.text, "%.2f GB", bytes / 1e9);
    }
    return out;
}

double il_seconds_now(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

int il_json_print(const char *command, char *text)
{
    if (text == NULL) {
        return il_say_memory(command);
    }
    fputs(text, stdout);
    free(text);
    return IL_EXIT_DONE;
}
