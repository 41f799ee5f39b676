/* SPDX-License-Identifier: Apache-2.0 */
#include "tail_metrics.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const double bounds[IL_ARRIVAL_BOUNDS] = {
    0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0};

void il_histogram_add(struct il_histogram *histogram, double value, uint64_t times)
{
    size_t class = 0;

    while (class < IL_ARRIVAL_BOUNDS && value > bounds[class]) {
        class ++;
    }
    histogram->count[class] += times;
    histogram->sum += value * (double)times;
}

uint64_t il_resident_bytes(void)
{
    FILE *file = fopen("/proc/self/statm", "r");
    uint64_t resident = 0;
    char line[128];

    if (file == NULL) {
        return 0;
    }
    /* Pages: all, resident, and others. */
    if (fgets(line, sizeof line, file) != NULL && strchr(line, ' ') != NULL) {
        resident = strtoull(strchr(line, ' '), NULL, 10);
    }
    fclose(file);
    return resident * (uint64_t)sysconf(_SC_PAGESIZE);
}

static void put_head(FILE *stream, const char *name, const char *type, const char *help)
{
    fprintf(stream, "# HELP isolink_%s %s\n# TYPE isolink_%s %s\n", name, help, name,
            type);
}

static void put_whole(FILE *stream, const char *name, const char *type, uint64_t value,
                      const char *help)
{
    put_head(stream, name, type, help);
    fprintf(stream, "isolink_%s %" PRIu64 "\n", name, value);
}

static void put_number(FILE *stream, const char *name, double value, const char *help)
{
    put_head(stream, name, "gauge", help);
    if (isfinite(value)) {
        fprintf(stream, "isolink_%s %.9g\n", name, value);
    } else {
        fprintf(stream, "isolink_%s NaN\n", name);
    }
}

static void put_sides(FILE *stream, const char *name, const char *type,
                      const uint64_t *values, const char *help)
{
    put_head(stream, name, type, help);
    for (int side = 0; side < 2; side++) {
        fprintf(stream, "isolink_%s{side=\"%c\"} %" PRIu64 "\n", name, "ab"[side],
                values[side]);
    }
}

/* A label's value: backslash, quote and line end are escaped. */
static void put_label(FILE *stream, const char *text)
{
    for (; *text != 0; text++) {
        if (*text == '\\' || *text == '"') {
            fputc('\\', stream);
        }
        if (*text == '\n') {
            fputs("\\n", stream);
        } else {
            fputc(*text, stream);
        }
    }
}

static void put_sources(FILE *stream, const char *name, const char *type,
                        const struct il_tail_figures *figures, const uint64_t *values,
                        const char *help)
{
    put_head(stream, name, type, help);
    for (int side = 0; side < 2; side++) {
        fprintf(stream, "isolink_%s{side=\"%c\",source=\"", name, "ab"[side]);
        put_label(stream, figures->source[side]);
        fprintf(stream, "\"} %" PRIu64 "\n", values[side]);
    }
}

static void put_histogram(FILE *stream, const struct il_histogram *histogram)
{
    uint64_t count = 0;

    put_head(stream, "arrival_seconds", "histogram",
             "Seconds from reading a row to its events being durable.");
    for (size_t i = 0; i < IL_ARRIVAL_BOUNDS; i++) {
        count += histogram->count[i];
        fprintf(stream, "isolink_arrival_seconds_bucket{le=\"%.9g\"} %" PRIu64 "\n",
                bounds[i], count);
    }
    count += histogram->count[IL_ARRIVAL_BOUNDS];
    fprintf(stream,
            "isolink_arrival_seconds_bucket{le=\"+Inf\"} %" PRIu64 "\n"
            "isolink_arrival_seconds_sum %.9g\nisolink_arrival_seconds_count %" PRIu64
            "\n",
            count, histogram->sum, count);
}

static void put_stream(FILE *stream, const struct il_tail_figures *figures)
{
    const struct il_stream_info *info = &figures->stream;

    put_sides(stream, "rows", "gauge", info->rows, "Rows that are there.");
    put_whole(stream, "links", "gauge", info->links,
              "Links that stand, known pairs included.");
    put_whole(stream, "event_seq", "counter", info->seq, "Number of the last event.");
    put_whole(stream, "pool_anchors", "gauge", info->pool,
              "Anchors of the last bootstrap.");
    put_number(stream, "decoy_rate", info->decoy_rate,
               "Share of rows without a partner that would be linked anyway, estimated.");
    put_number(stream, "precision_estimate", info->precision,
               "Estimated precision of the links that stand.");
    put_number(stream, "shared_estimate", info->shared,
               "Estimated number of documents on both sides.");
    put_number(stream, "bootstrap_seconds", info->bootstrap_seconds,
               "Seconds of the last bootstrap.");
    put_whole(stream, "bootstraps_total", "counter", info->round,
              "Bootstraps that were taken over since the state was made.");
    put_whole(stream, "bootstrapping", "gauge", info->bootstrapping != 0,
              "1: a bootstrap is running.");
    put_whole(stream, "bootstrap_refused", "gauge", info->refused_bootstrap != 0,
              "1: the last bootstrap was refused.");
}

void il_metrics_put(FILE *stream, const struct il_tail_figures *figures)
{
    const struct il_tail_info *tail = figures->tail;
    const uint64_t lag[2] = {tail[0].lag_bytes, tail[1].lag_bytes};
    const uint64_t bad[2] = {tail[0].bad_lines, tail[1].bad_lines};
    const uint64_t turned[2] = {tail[0].rotations, tail[1].rotations};
    const uint64_t paused[2] = {tail[0].state == IL_TAIL_PAUSED,
                                tail[1].state == IL_TAIL_PAUSED};
    const uint64_t missing[2] = {tail[0].state == IL_TAIL_MISSING,
                                 tail[1].state == IL_TAIL_MISSING};

    put_head(stream, "build_info", "gauge", "1; what is running.");
    fprintf(stream, "isolink_build_info{version=\"%s\",isa=\"%s\"} 1\n", IL_VERSION,
            il_isa_text());
    put_whole(stream, "open", "gauge", figures->open != 0, "1: the state is open.");
    put_sides(stream, "arrivals_total", "counter", figures->arrivals, "Rows that came.");
    put_sides(stream, "removed_rows_total", "counter", figures->removed,
              "Rows that were removed.");
    put_sides(stream, "refused_rows_total", "counter", figures->refused,
              "Rows that are zero or not finite, or have no good id.");
    put_whole(stream, "links_total", "counter", figures->events[0], "Links that began.");
    put_whole(stream, "confirmations_total", "counter", figures->events[1],
              "Links whose posterior a bootstrap changed.");
    put_whole(stream, "retractions_total", "counter", figures->events[2],
              "Links that ended.");
    put_histogram(stream, &figures->arrival);
    put_sources(stream, "source_lag_bytes", "gauge", figures, lag,
                "Bytes of a source that were not read yet.");
    put_sources(stream, "source_paused", "gauge", figures, paused,
                "1: what the source holds cannot be taken.");
    put_sources(stream, "source_missing", "gauge", figures, missing,
                "1: the source is not there.");
    put_sources(stream, "source_bad_lines_total", "counter", figures, bad,
                "Lines that hold no row.");
    put_sources(stream, "source_rotations_total", "counter", figures, turned,
                "Files that were begun after the first.");
    put_whole(stream, "resident_memory_bytes", "gauge", figures->resident_bytes,
              "Resident memory.");
    if (figures->open) {
        put_stream(stream, figures);
    }
}
