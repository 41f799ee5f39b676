/* SPDX-License-Identifier: Apache-2.0 */
#include "import_axes.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "cli.h"
#include "feed.h"

/* Rows of a sample: four for each coordinate, within these bounds. */
#define SAMPLE_MIN 4096
#define SAMPLE_MAX 20000

/* A number of dimensions, or percent of them: 0 when it is neither. */
static size_t read_wanted(const char *text, bool *percent)
{
    size_t digits = strspn(text, "0123456789");
    unsigned long number = digits > 0 && digits < 9 ? strtoul(text, NULL, 10) : 0;

    *percent = text[digits] == '%';
    if (text[digits + *percent] != 0 || (*percent && number > 100)) {
        return 0;
    }
    return number;
}

bool il_axes_check(const char *command, const char *text)
{
    bool percent;

    if (read_wanted(text, &percent) > 0) {
        return true;
    }
    il_say(command,
           "option '--pca' wants a number of coordinates or 1%% to 100%% of them, got "
           "'%s'",
           text);
    return false;
}

/* Rows spread evenly over a source whose length need not be known: every stride-th one;
   when the room is full, every second of them stays and the stride doubles. */
struct sample {
    float *rows;
    size_t count;
    size_t room;
    uint64_t stride;
    uint64_t seen;
};

static void take(struct sample *sample, const float *row, size_t dim)
{
    if (sample->seen++ % sample->stride != 0) {
        return;
    }
    if (sample->count == sample->room) {
        for (size_t i = 1; 2 * i < sample->count; i++) {
            memcpy(sample->rows + i * dim, sample->rows + 2 * i * dim,
                   dim * sizeof(float));
        }
        sample->count = (sample->count + 1) / 2;
        sample->stride *= 2;
        if ((sample->seen - 1) % sample->stride != 0) {
            return;
        }
    }
    memcpy(sample->rows + sample->count * dim, row, dim * sizeof(float));
    sample->count++;
}

/* Twice the rows wanted at most. */
static bool make_sample(struct sample *sample, const struct il_feed *feed)
{
    size_t wanted = 4 * feed->dim;

    wanted = wanted < SAMPLE_MIN ? SAMPLE_MIN : wanted > SAMPLE_MAX ? SAMPLE_MAX : wanted;
    memset(sample, 0, sizeof *sample);
    sample->stride = 1;
    sample->room = 2 * wanted;
    if (feed->rows != UINT64_MAX) {
        sample->stride = feed->rows / wanted > 1 ? feed->rows / wanted : 1;
        sample->room = feed->rows < sample->room ? (size_t)feed->rows + 1 : sample->room;
    }
    sample->rows = il_memory_get(sample->room, feed->dim * sizeof(float));
    return sample->rows != NULL;
}

static int read_sample(struct sample *sample, struct il_feed *feed, const char *command,
                       struct il_progress *bar)
{
    double total = feed->rows != UINT64_MAX ? (double)feed->rows : 0.0;
    struct il_feed_row row;

    if (!make_sample(sample, feed)) {
        return il_say_memory(command);
    }
    for (;;) {
        int code = il_feed_next(feed, command, &row);

        if (atomic_load(il_cancel_flag()) != 0) {
            il_progress_clear(bar);
            return il_say_cancelled(command);
        }
        if (code != IL_EXIT_DONE || row.values == NULL) {
            return code;
        }
        take(sample, row.values, feed->dim);
        il_progress_step(bar, "sample", (double)row.number, total);
    }
}

static int fit(struct il_axes *axes, const char *command, const char *wanted,
               const struct il_feed *feed, const struct sample *sample)
{
    struct il_error error = {""};
    enum il_status status;
    bool percent;
    size_t number = read_wanted(wanted, &percent);

    axes->dim = feed->dim;
    axes->stored_dim = percent ? (feed->dim * number + 99) / 100 : number;
    axes->sampled = sample->count;
    if (axes->stored_dim < 1 || axes->stored_dim > feed->dim) {
        il_say(command, "option '--pca %s': the rows of %s have %zu coordinates only",
               wanted, feed->path, feed->dim);
        return IL_EXIT_USAGE;
    }
    if (sample->count == 0) {
        il_say(command, "%s: no row that is finite and not zero", feed->path);
        return IL_EXIT_INPUT;
    }
    axes->mean = il_memory_get(feed->dim, sizeof(float));
    axes->basis = il_memory_get(axes->stored_dim, feed->dim * sizeof(float));
    if (axes->mean == NULL || axes->basis == NULL) {
        return il_say_memory(command);
    }
    status = il_axes_fit(sample->count, feed->dim, sample->rows, axes->stored_dim, 0,
                         axes->mean, axes->basis, &axes->share, &error);
    return status == IL_OK ? IL_EXIT_DONE : il_say_status(command, status, &error);
}

/* Before anything is read that a bound has no room for. */
static int check_memory(const char *command, const struct il_feed *feed)
{
    char what[96];

    snprintf(what, sizeof what, "--pca of rows of %zu coordinates", feed->dim);
    return il_memory_need(command, il_axes_bytes(feed->dim), what);
}

int il_axes_find(struct il_axes *axes, const char *command, const char *wanted,
                 const char *path, const struct il_source_config *config,
                 struct il_progress *bar)
{
    struct stat info;
    struct il_feed feed;
    struct sample sample = {0};
    int code;

    if (strcmp(path, "-") == 0 || (stat(path, &info) == 0 && !S_ISREG(info.st_mode))) {
        il_say(command,
               "%s: '--pca' reads its source twice, wanted a file: save it first",
               strcmp(path, "-") == 0 ? "standard input" : path);
        return IL_EXIT_USAGE;
    }
    code = il_feed_open(&feed, command, path, config, NULL);
    if (code == IL_EXIT_DONE) {
        code = check_memory(command, &feed);
    }
    if (code == IL_EXIT_DONE) {
        code = read_sample(&sample, &feed, command, bar);
    }
    if (code == IL_EXIT_DONE) {
        code = fit(axes, command, wanted, &feed, &sample);
    }
    il_memory_give(sample.rows);
    il_feed_close(&feed);
    return code;
}

void il_axes_free(struct il_axes *axes)
{
    il_memory_give(axes->mean);
    il_memory_give(axes->basis);
    axes->mean = NULL;
    axes->basis = NULL;
}
