/* SPDX-License-Identifier: Apache-2.0 */
#include "rows_in.h"

#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "stores.h"

#define BATCH_BYTES ((size_t)4 << 20)

static int open_store(struct il_rows_in *in, const char *command, enum il_io io)
{
    struct il_store_config config;
    struct il_store_info info;
    struct il_error error = {""};
    enum il_status status;
    int code;

    il_store_config_init(&config);
    config.io = io;
    code = il_store_open_say(&in->store, command, in->path, &config);
    if (code != IL_EXIT_DONE) {
        return code;
    }
    il_store_describe(in->store, &info);
    in->dim = info.dim;
    in->rows = info.rows;
    in->model = info.model;
    status = il_store_cursor_open(&in->cursor, in->store, &error);
    return status == IL_OK ? IL_EXIT_DONE : il_say_status(command, status, &error);
}

static int open_file(struct il_rows_in *in, const char *command)
{
    struct il_error error = {""};
    enum il_status status = il_source_open(&in->source, in->path, NULL, &error);

    if (status != IL_OK) {
        return il_say_status(command, status, &error);
    }
    in->dim = il_source_dim(in->source);
    in->rows = il_source_rows(in->source);
    return IL_EXIT_DONE;
}

int il_rows_in_open(struct il_rows_in *in, const char *command, const char *path,
                    enum il_io io)
{
    int code;

    in->path = path;
    in->model = "";
    code = strcmp(path, "-") != 0 && il_store_exists(path) ? open_store(in, command, io)
                                                           : open_file(in, command);
    if (code != IL_EXIT_DONE) {
        return code;
    }
    in->most = BATCH_BYTES / (in->dim * sizeof(float));
    in->most = in->most < 1 ? 1 : in->most > IL_ROWS_IN_MAX ? IL_ROWS_IN_MAX : in->most;
    in->row = malloc(in->most * in->dim * sizeof(float));
    return in->row != NULL ? IL_EXIT_DONE : il_say_memory(command);
}

int il_rows_in_next(struct il_rows_in *in, const char *command)
{
    struct il_error error = {""};
    enum il_status status =
        in->store != NULL ? il_store_cursor_next(in->cursor, 0, in->most, in->row, in->id,
                                                 in->id_bytes, &in->count, &error)
                          : il_source_next(in->source, in->most, in->row, in->id,
                                           in->id_bytes, &in->count, &error);

    if (status != IL_OK) {
        return il_say_status(command, status, &error);
    }
    return atomic_load(il_cancel_flag()) != 0 ? il_say_cancelled(command) : IL_EXIT_DONE;
}

void il_rows_in_close(struct il_rows_in *in)
{
    il_store_cursor_close(&in->cursor);
    il_store_close(&in->store);
    il_source_close(&in->source);
    free(in->row);
    in->row = NULL;
}
