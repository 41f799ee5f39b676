/* SPDX-License-Identifier: Apache-2.0 */
#include "feed.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"

/* Bytes of a batch, but for rows that are longer. */
#define BATCH_BYTES ((size_t)1 << 20)

static const char *shown(const struct il_feed *feed)
{
    return strcmp(feed->path, "-") == 0 ? "standard input" : feed->path;
}

int il_feed_open(struct il_feed *feed, const char *command, const char *path,
                 const struct il_source_config *config, const char *ids)
{
    struct il_error error = {""};
    enum il_status status;

    memset(feed, 0, sizeof *feed);
    feed->path = path;
    feed->list_path = ids;
    status = il_source_open(&feed->source, path, config, &error);
    if (status == IL_OK && ids != NULL) {
        status = il_id_list_open(&feed->list, ids, &error);
    }
    if (status != IL_OK) {
        return il_say_status(command, status, &error);
    }
    feed->dim = il_source_dim(feed->source);
    feed->rows = il_source_rows(feed->source);
    feed->batch = BATCH_BYTES / (feed->dim * sizeof(float));
    feed->batch = feed->batch < 1              ? 1
                  : feed->batch > IL_FEED_ROWS ? IL_FEED_ROWS
                                               : feed->batch;
    feed->block = malloc(feed->batch * feed->dim * sizeof(float));
    return feed->block != NULL ? IL_EXIT_DONE : il_say_memory(command);
}

/* Finite and not zero, told by the bits: exponent of ones, and anything but the sign. */
static bool usable(const float *row, size_t dim)
{
    uint32_t most = 0;

    for (size_t i = 0; i < dim; i++) {
        uint32_t bits;

        memcpy(&bits, &row[i], sizeof bits);
        bits &= 0x7fffffffu;
        most = bits > most ? bits : most;
    }
    return most > 0 && most < 0x7f800000u;
}

void il_feed_leave_out(struct il_feed *feed, const struct il_feed_row *row,
                       const char *why)
{
    if (feed->left_out == 0) {
        snprintf(feed->first, sizeof feed->first, "row %" PRIu64 " (id '%.*s') is %s",
                 row->number, row->id_bytes < 80 ? (int)row->id_bytes : 80,
                 (const char *)row->id, why);
    }
    feed->left_out++;
}

static bool is_zero(const float *row, size_t dim)
{
    for (size_t i = 0; i < dim; i++) {
        if (row[i] != 0.0f) {
            return false;
        }
    }
    return true;
}

/* After the last row: its list of ids must have ended too. */
static int check_end(struct il_feed *feed, const char *command)
{
    struct il_error error = {""};
    const void *id = NULL;
    size_t bytes;
    enum il_status status;

    if (feed->list == NULL) {
        return IL_EXIT_DONE;
    }
    status = il_id_list_next(feed->list, &id, &bytes, &error);
    if (status != IL_OK) {
        return il_say_status(command, status, &error);
    }
    if (id != NULL) {
        il_say(command, "%s: more ids than the %" PRIu64 " rows of %s, wanted one a row",
               feed->list_path, feed->given, shown(feed));
        return IL_EXIT_INPUT;
    }
    return IL_EXIT_DONE;
}

static int next_batch(struct il_feed *feed, const char *command)
{
    struct il_error error = {""};
    enum il_status status =
        il_source_next(feed->source, feed->batch, feed->block, feed->ids, feed->id_bytes,
                       &feed->count, &error);

    feed->at = 0;
    if (status != IL_OK) {
        return il_say_status(command, status, &error);
    }
    feed->end = feed->count == 0;
    return feed->end ? check_end(feed, command) : IL_EXIT_DONE;
}

/* Its id: that of the list, where there is one. */
static int take_id(struct il_feed *feed, const char *command, struct il_feed_row *row)
{
    struct il_error error = {""};
    enum il_status status;

    if (feed->list == NULL) {
        row->id = feed->ids[feed->at];
        row->id_bytes = feed->id_bytes[feed->at];
        return IL_EXIT_DONE;
    }
    status = il_id_list_next(feed->list, &row->id, &row->id_bytes, &error);
    if (status != IL_OK) {
        return il_say_status(command, status, &error);
    }
    if (row->id == NULL) {
        il_say(command,
               "%s: %" PRIu64 " ids, but %s has more rows, wanted one id for each",
               feed->list_path, feed->given, shown(feed));
        return IL_EXIT_INPUT;
    }
    return IL_EXIT_DONE;
}

int il_feed_next(struct il_feed *feed, const char *command, struct il_feed_row *row)
{
    for (;;) {
        int code = IL_EXIT_DONE;

        memset(row, 0, sizeof *row);
        if (feed->at == feed->count && !feed->end) {
            code = next_batch(feed, command);
        }
        if (code != IL_EXIT_DONE || feed->end) {
            return code;
        }
        code = take_id(feed, command, row);
        if (code != IL_EXIT_DONE) {
            return code;
        }
        row->values = feed->block + feed->at * feed->dim;
        row->number = feed->given;
        feed->at++;
        feed->given++;
        if (usable(row->values, feed->dim)) {
            return IL_EXIT_DONE;
        }
        il_feed_leave_out(feed, row,
                          is_zero(row->values, feed->dim) ? "zero" : "not finite");
    }
}

void il_feed_close(struct il_feed *feed)
{
    il_source_close(&feed->source);
    il_id_list_close(&feed->list);
    free(feed->block);
    feed->block = NULL;
}
