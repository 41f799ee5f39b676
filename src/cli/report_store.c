/* SPDX-License-Identifier: Apache-2.0 */
#include "report_store.h"

#include <inttypes.h>
#include <string.h>

#include "cli.h"
#include "json_out.h"
#include "report.h"
#include "stores.h"

/* Bytes on disk as a share of the rows in f32; 0 for an empty store. */
static double share_of_f32(const struct il_store_info *info)
{
    double bytes = il_f32_bytes(info->rows, info->dim);

    return bytes > 0.0 ? (double)info->bytes / bytes : 0.0;
}

static void put_model(FILE *stream, const char *model)
{
    if (model[0] != 0) {
        fputs(", model ", stream);
        il_put_text(stream, model);
    }
}

static void put_dims(FILE *stream, const struct il_store_info *info)
{
    if (info->stored_dim != info->dim) {
        fprintf(stream, "%zu of %zu", info->stored_dim, info->dim);
    } else {
        fprintf(stream, "%zu", info->dim);
    }
}

void il_report_import(FILE *stream, const struct il_import_report *report)
{
    const struct il_store_info *info = &report->info;
    double bytes = il_f32_bytes(report->rows, info->dim);

    fprintf(stream, "%-11s %s x ", report->appended ? "added" : "rows",
            il_grouped((size_t)report->rows).text);
    put_dims(stream, info);
    fprintf(stream, " %s", il_codec_text(info->codec));
    put_model(stream, report->model);
    if (report->sampled > 0) {
        fprintf(stream, ", %.1f %% of the variance of %s rows", 100.0 * report->share,
                il_grouped(report->sampled).text);
    }
    if (report->replaced > 0) {
        fprintf(stream, ", %s of them in the place of earlier rows",
                il_grouped((size_t)report->replaced).text);
    }
    fprintf(stream, "\n%-11s ", "store");
    il_put_text(stream, report->store);
    fprintf(stream, ": %s rows, %s, %.1f %% of f32; %.2f s, %.0f MB/s of f32\n",
            il_grouped((size_t)info->rows).text, il_size_text((double)info->bytes).text,
            100.0 * share_of_f32(info), report->seconds,
            report->seconds > 0.0 ? bytes / 1e6 / report->seconds : 0.0);
}

char *il_report_import_json(const struct il_import_report *report)
{
    const struct il_store_info *info = &report->info;
    struct il_memory_use memory;
    json_t *object =
        json_pack("{s:s, s:o, s:o, s:b, s:o, s:o, s:o, s:o, s:s, s:o, s:o, s:o}",
                  "schema", "isolink-import-1", "source", il_json_text(report->source),
                  "store", il_json_text(report->store), "appended", (int)report->appended,
                  "rows", il_json_whole((size_t)report->rows), "replaced",
                  il_json_whole((size_t)report->replaced), "left_out",
                  il_json_whole((size_t)report->left_out), "store_rows",
                  il_json_whole((size_t)info->rows), "codec", il_codec_text(info->codec),
                  "dim", il_json_whole(info->dim), "stored_dim",
                  il_json_whole(info->stored_dim), "model", il_json_text(report->model));

    if (object != NULL) {
        json_object_set_new(object, "bytes", il_json_whole((size_t)info->bytes));
        json_object_set_new(object, "share_of_f32", il_json_number(share_of_f32(info)));
        json_object_set_new(object, "variance_kept",
                            report->sampled > 0 ? il_json_number(report->share)
                                                : json_null());
        json_object_set_new(object, "seconds", il_json_number(report->seconds));
        il_memory_describe(&memory);
        json_object_set_new(object, "peak_rss_bytes",
                            il_json_whole((size_t)il_peak_bytes()));
        json_object_set_new(object, "memory_limit_bytes",
                            memory.limit_bytes > 0
                                ? il_json_whole((size_t)memory.limit_bytes)
                                : json_null());
        json_object_set_new(object, "scratch_bytes_max",
                            il_json_whole((size_t)memory.scratch_bytes_max));
    }
    return il_json_finish(object);
}

static void put_number(FILE *stream, const char *name, uint64_t number)
{
    fprintf(stream, "%-11s %s\n", name, il_grouped((size_t)number).text);
}

void il_report_info(FILE *stream, const char *path, const struct il_store_info *info)
{
    fprintf(stream, "%-11s ", "store");
    il_put_text(stream, path);
    fprintf(stream, "\n%-11s ", "model");
    il_put_text(stream, info->model[0] != 0 ? info->model : "-");
    fputc('\n', stream);
    put_number(stream, "rows", info->rows);
    fprintf(stream, "%-11s ", "dimension");
    put_dims(stream, info);
    fprintf(stream, "%s\n%-11s %s\n",
            info->stored_dim != info->dim ? ", on principal axes" : "", "codec",
            il_codec_text(info->codec));
    fprintf(stream, "%-11s %s", "size", il_size_text((double)info->bytes).text);
    if (info->rows > 0) {
        fprintf(stream, ", %.1f %% of f32", 100.0 * share_of_f32(info));
    }
    fputc('\n', stream);
    put_number(stream, "segments", info->segments);
    fprintf(stream, "%-11s %s%s\n", "deleted", il_grouped((size_t)info->deleted).text,
            info->deleted > 0 ? " rows still take room ('isolink compact' frees it)"
                              : "");
    fprintf(stream, "%-11s %s rows\n", "log", il_grouped((size_t)info->log_rows).text);
    put_number(stream, "generation", info->generation);
}

char *il_report_info_json(const char *path, const struct il_store_info *info)
{
    char hex[2 * sizeof info->fingerprint + 1];

    for (size_t i = 0; i < sizeof info->fingerprint; i++) {
        snprintf(hex + 2 * i, 3, "%02x", info->fingerprint[i]);
    }
    json_t *object = json_pack(
        "{s:s, s:o, s:o, s:s, s:o, s:o, s:o, s:s, s:o, s:o}", "schema", "isolink-info-1",
        "store", il_json_text(path), "model", il_json_text(info->model),
        "model_fingerprint", hex, "rows", il_json_whole((size_t)info->rows), "dim",
        il_json_whole(info->dim), "stored_dim", il_json_whole(info->stored_dim), "codec",
        il_codec_text(info->codec), "bytes", il_json_whole((size_t)info->bytes),
        "share_of_f32",
        info->rows > 0 ? il_json_number(share_of_f32(info)) : json_null());

    if (object != NULL) {
        json_object_set_new(object, "segments", il_json_whole(info->segments));
        json_object_set_new(object, "deleted", il_json_whole((size_t)info->deleted));
        json_object_set_new(object, "log_rows", il_json_whole((size_t)info->log_rows));
        json_object_set_new(object, "generation",
                            il_json_whole((size_t)info->generation));
    }
    return il_json_finish(object);
}
