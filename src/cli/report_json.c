/* SPDX-License-Identifier: Apache-2.0 */
/* JSON for programs: one object a command, with a "schema" that changes when a field
 * does. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "report.h"

/* Numbers that were never estimated are NaN in C and null in JSON. */
static json_t *number(double value)
{
    return isfinite(value) ? json_real(value) : json_null();
}

static json_t *whole(size_t value)
{
    return json_integer((json_int_t)value);
}

/* Ids and file names may be any bytes; those that are no UTF-8 become '?'. */
static json_t *text(const char *value)
{
    json_t *out = json_string(value);

    if (out == NULL) {
        char *copy = strdup(value);

        for (unsigned char *at = (unsigned char *)copy; at != NULL && *at != 0; at++) {
            *at = *at < 0x80 ? *at : '?';
        }
        out = copy != NULL ? json_string(copy) : NULL;
        free(copy);
    }
    return out;
}

/* Prints an object and releases it; NULL when anything of it could not be made. */
static char *finish(json_t *object)
{
    size_t flags = JSON_INDENT(2) | JSON_REAL_PRECISION(9);
    size_t bytes = object != NULL ? json_dumpb(object, NULL, 0, flags) : 0;
    char *out = bytes > 0 ? malloc(bytes + 2) : NULL;

    if (out != NULL && json_dumpb(object, out, bytes, flags) == bytes) {
        out[bytes] = '\n';
        out[bytes + 1] = 0;
    } else {
        free(out);
        out = NULL;
    }
    json_decref(object);
    return out;
}

static json_t *side_json(const struct il_outcome *out, int side)
{
    const struct il_inputs *in = out->inputs;
    json_t *object =
        json_pack("{s:o, s:o, s:o, s:o, s:o}", "file", text(in->path.side[side]), "rows",
                  whole(in->rows[side].rows), "dim", whole(in->rows[side].dim), "type",
                  text(il_dtype_text(in->rows[side].type)), "skipped",
                  whole(out->skipped_count[side]));

    if (object != NULL && out->verbose) {
        json_t *list = json_array();

        for (size_t i = 0; i < out->skipped_count[side]; i++) {
            size_t row = (size_t)out->skipped[side][i];

            json_array_append_new(list, text(il_ids_text(in->ids[side], row)));
        }
        json_object_set_new(object, "skipped_ids", list);
    }
    return object;
}

static json_t *seeds_json(const struct il_outcome *out)
{
    const struct il_inputs *in = out->inputs;
    json_t *aside = json_array();

    for (size_t i = 0; i < out->wrong_count; i++) {
        const char *a_id = il_ids_text(in->ids[0], (size_t)out->wrong[i].a);
        const char *b_id = il_ids_text(in->ids[1], (size_t)out->wrong[i].b);

        json_array_append_new(
            aside, json_pack("{s:o, s:o}", "a_id", text(a_id), "b_id", text(b_id)));
    }
    return json_pack(
        "{s:o, s:o, s:{s:o, s:o, s:o}, s:o, s:o, s:o, s:o}", "file", text(in->path.seeds),
        "given", whole(il_inputs_seed_lines(in)), "left_out", "missing",
        whole(in->notes.missing), "repeated", whole(in->notes.repeated), "contradicting",
        whole(in->notes.contradicting), "usable", whole(out->report->seeds_usable),
        "tested", whole(out->report->seeds_tested), "found",
        whole(out->report->seeds_found), "set_aside", aside);
}

/* The published method does not estimate what is shared. */
static json_t *estimate_json(const struct il_link_report *report)
{
    if (report->refused) {
        return json_null();
    }
    json_t *range =
        json_pack("[o, o]", number(report->shared_low), number(report->shared_high));
    json_t *object = json_pack("{s:o, s:[o, o]}", "precision", number(report->precision),
                               "precision_range", number(report->precision_low),
                               number(report->precision_high));

    if (report->shared > 0.0) {
        json_object_set_new(object, "recall", number(report->recall));
        json_object_set_new(object, "shared", number(report->shared));
        json_object_set_new(object, "shared_range", range);
    } else {
        json_decref(range);
        json_object_set_new(object, "recall", json_null());
        json_object_set_new(object, "shared", json_null());
        json_object_set_new(object, "shared_range", json_null());
    }
    return object;
}

static json_t *stages_json(const struct il_link_report *report)
{
    json_t *list = json_array();

    for (size_t i = 0; i < report->stages && i < IL_STAGES_MAX; i++) {
        const struct il_link_stage *stage = &report->stage[i];

        json_array_append_new(list,
                              json_pack("{s:o, s:o, s:o}", "name", text(stage->name),
                                        "seconds", number(stage->seconds),
                                        "multiply_adds", number(stage->multiply_adds)));
    }
    return list;
}

char *il_report_link_json(const struct il_outcome *out)
{
    const struct il_link_report *report = out->report;
    json_t *links =
        json_pack("{s:o, s:o, s:o, s:o}", "file", text(out->links_path), "count",
                  whole(report->links), "seeds", whole(out->link_count - report->links),
                  "threshold", report->refused ? json_null() : number(report->threshold));
    struct il_memory_use memory;

    il_memory_describe(&memory);
    json_t *used =
        json_pack("{s:o, s:o, s:o, s:o, s:o, s:o}", "seconds", number(report->seconds),
                  "peak_rss_bytes", whole((size_t)il_peak_bytes()), "memory_limit_bytes",
                  memory.limit_bytes ? whole((size_t)memory.limit_bytes) : json_null(),
                  "scratch_bytes_max", whole((size_t)memory.scratch_bytes_max), "isa",
                  text(il_isa_text()), "threads", whole(out->config->threads));
    json_t *object = json_pack(
        "{s:s, s:s, s:s, s:o, s:s, s:o, s:o, s:o, s:o, s:o, s:o}", "schema",
        "isolink-link-1", "version", IL_VERSION, "status",
        report->refused ? "refused" : "linked", "why", text(report->why), "method",
        il_method_text(report->method), "seed", whole((size_t)out->config->seed), "a",
        side_json(out, 0), "b", side_json(out, 1), "seeds", seeds_json(out), "links",
        links, "estimate", estimate_json(report));

    if (object != NULL) {
        json_object_set_new(object, "decoy_rate", number(report->decoy_rate));
        json_object_set_new(object, "agreement", number(report->agreement));
        json_object_set_new(object, "rounds", whole(report->rounds));
        json_object_set_new(object, "scope", text(report->local ? "local" : "global"));
        json_object_set_new(object, "used", used);
        json_object_set_new(object, "stages", stages_json(report));
    } else {
        json_decref(used);
    }
    return finish(object);
}

char *il_report_eval_json(const struct il_eval *eval)
{
    json_t *bins = json_array();

    for (size_t i = 0; i < IL_EVAL_BINS && eval->posterior_known; i++) {
        const struct il_eval_bin *bin = &eval->bin[i];

        json_array_append_new(
            bins, json_pack("{s:o, s:o, s:o, s:o, s:o}", "low", number(bin->low), "high",
                            number(bin->high), "links", whole(bin->links), "right",
                            whole(bin->right), "posterior",
                            bin->links > 0 ? number(bin->posterior) : json_null()));
    }
    int known = eval->posterior_known;
    return finish(json_pack("{s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}",
                            "schema", "isolink-eval-1", "links", whole(eval->links),
                            "truth", whole(eval->truth), "right", whole(eval->right),
                            "seeds_left_out", whole(eval->seeds_left_out), "precision",
                            number(eval->precision), "recall", number(eval->recall), "f1",
                            number(eval->f1), "precision_expected",
                            known ? number(eval->precision_expected) : json_null(), "ece",
                            known ? number(eval->ece) : json_null(), "bins", bins));
}

static json_t *doctor_side_json(const struct il_doctor_side *side, const char *path)
{
    json_t *object =
        json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "file", text(path), "rows",
                  whole(side->rows), "dim", whole(side->dim), "type",
                  text(il_dtype_text(side->type)), "not_finite", whole(side->not_finite),
                  "zero", whole(side->zero), "duplicates", whole(side->duplicates));

    if (object != NULL) {
        json_object_set_new(object, "norm_min", number(side->norm_min));
        json_object_set_new(object, "norm_median", number(side->norm_median));
        json_object_set_new(object, "norm_max", number(side->norm_max));
        json_object_set_new(object, "mean_share", number(side->mean_share));
        json_object_set_new(object, "effective_dim", number(side->effective_dim));
        json_object_set_new(object, "hubness", number(side->hubness));
        json_object_set_new(object, "hub_max", number(side->hub_max));
        json_object_set_new(object, "sampled", whole(side->sampled));
    }
    return object;
}

char *il_report_doctor_json(const struct il_doctor *doctor,
                            const struct il_inputs *inputs)
{
    json_t *seeds = json_null();

    if (doctor->seeds_given) {
        seeds = json_pack(
            "{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "file", text(inputs->path.seeds),
            "given", whole(il_inputs_seed_lines(inputs)), "usable",
            whole(doctor->seeds_usable), "agreement", number(doctor->seed_agreement),
            "agreement_chance", number(doctor->seed_agreement_chance), "tested",
            whole(doctor->seeds_tested), "found", whole(doctor->seeds_found),
            "start_agreement", number(doctor->start_agreement));
    }
    return finish(json_pack(
        "{s:s, s:s, s:o, s:o, s:o, s:o}", "schema", "isolink-doctor-1", "verdict",
        il_verdict_text(doctor->verdict), "why", text(doctor->why), "a",
        doctor_side_json(&doctor->side[0], inputs->path.side[0]), "b",
        doctor_side_json(&doctor->side[1], inputs->path.side[1]), "seeds", seeds));
}

/* The Makefile may pass its flags: -DIL_BUILD_FLAGS='"-O2 ..."'. */
#ifndef IL_BUILD_FLAGS
#define IL_BUILD_FLAGS "not recorded"
#endif

#if defined(__clang__)
#define COMPILER "clang " __clang_version__
#elif defined(__GNUC__)
#define COMPILER "gcc " __VERSION__
#else
#define COMPILER "unknown compiler"
#endif

#if defined(__x86_64__)
#define MACHINE "x86-64"
#elif defined(__aarch64__)
#define MACHINE "aarch64"
#else
#define MACHINE "other machine"
#endif

#ifdef IL_DEBUG
#define ASSERTIONS 1
#else
#define ASSERTIONS 0
#endif

#ifdef IL_REF_ONLY
#define REF_ONLY 1
#else
#define REF_ONLY 0
#endif

void il_report_version(FILE *stream)
{
    fprintf(stream, "isolink %s\n", IL_VERSION);
    fprintf(stream, "instruction set %s (ISOLINK_ISA lowers it)%s\n", il_isa_text(),
            REF_ONLY ? ", built with the reference kernels only" : "");
    fprintf(stream, "built for %s by %s, assertions %s\n", MACHINE, COMPILER,
            ASSERTIONS ? "on" : "off");
    fprintf(stream, "flags %s\n", IL_BUILD_FLAGS);
}

char *il_report_version_json(void)
{
    return finish(json_pack("{s:s, s:s, s:s, s:s, s:s, s:b, s:b, s:s, s:[s, s]}",
                            "schema", "isolink-version-1", "version", IL_VERSION, "isa",
                            il_isa_text(), "machine", MACHINE, "compiler", COMPILER,
                            "assertions", ASSERTIONS, "ref_only", REF_ONLY, "flags",
                            IL_BUILD_FLAGS, "methods", "geh", "geh-published"));
}
