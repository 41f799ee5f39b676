/* SPDX-License-Identifier: Apache-2.0 */
/* JSON for programs: one object a command, with a "schema" that changes when a field
 * does. */
#include "json_out.h"
#include "report.h"

static json_t *side_json(const struct il_outcome *out, int side)
{
    const struct il_inputs *in = out->inputs;
    int codec = il_side_codec(in->vectors[side]);
    json_t *object = json_pack(
        "{s:o, s:o, s:o, s:o, s:o, s:o}", "file", il_json_text(in->path.side[side]),
        "rows", il_json_whole(in->rows[side].rows), "dim",
        il_json_whole(in->rows[side].dim), "type",
        il_json_text(il_dtype_text(in->rows[side].type)), "codec",
        codec != 0 ? il_json_text(il_codec_text((enum il_codec)codec)) : json_null(),
        "skipped", il_json_whole(out->skipped_count[side]));

    if (object != NULL && out->verbose) {
        json_t *list = json_array();

        for (size_t i = 0; i < out->skipped_count[side]; i++) {
            size_t row = (size_t)out->skipped[side][i];

            json_array_append_new(list, il_json_text(il_ids_text(in->ids[side], row)));
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

        json_array_append_new(aside, json_pack("{s:o, s:o}", "a_id", il_json_text(a_id),
                                               "b_id", il_json_text(b_id)));
    }
    return json_pack("{s:o, s:o, s:{s:o, s:o, s:o}, s:o, s:o, s:o, s:o}", "file",
                     in->path.seeds != NULL ? il_json_text(in->path.seeds) : json_null(),
                     "given", il_json_whole(il_inputs_seed_lines(in)), "left_out",
                     "missing", il_json_whole(in->notes.missing), "repeated",
                     il_json_whole(in->notes.repeated), "contradicting",
                     il_json_whole(in->notes.contradicting), "usable",
                     il_json_whole(out->report->seeds_usable), "tested",
                     il_json_whole(out->report->seeds_tested), "found",
                     il_json_whole(out->report->seeds_found), "set_aside", aside);
}

/* The published method does not estimate what is shared. */
static json_t *estimate_json(const struct il_link_report *report)
{
    if (report->refused) {
        return json_null();
    }
    json_t *range = json_pack("[o, o]", il_json_number(report->shared_low),
                              il_json_number(report->shared_high));
    json_t *object =
        json_pack("{s:o, s:[o, o]}", "precision", il_json_number(report->precision),
                  "precision_range", il_json_number(report->precision_low),
                  il_json_number(report->precision_high));

    if (report->shared > 0.0) {
        json_object_set_new(object, "recall", il_json_number(report->recall));
        json_object_set_new(object, "shared", il_json_number(report->shared));
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

        json_array_append_new(
            list, json_pack("{s:o, s:o, s:o}", "name", il_json_text(stage->name),
                            "seconds", il_json_number(stage->seconds), "multiply_adds",
                            il_json_number(stage->multiply_adds)));
    }
    return list;
}

char *il_report_link_json(const struct il_outcome *out)
{
    const struct il_link_report *report = out->report;
    json_t *links =
        json_pack("{s:o, s:o, s:o, s:o}", "file", il_json_text(out->links_path), "count",
                  il_json_whole(report->links), "seeds",
                  il_json_whole(out->link_count - report->links), "threshold",
                  report->refused ? json_null() : il_json_number(report->threshold));
    struct il_memory_use memory;

    il_memory_describe(&memory);
    json_t *used = json_pack(
        "{s:o, s:o, s:o, s:o, s:o, s:o}", "seconds", il_json_number(report->seconds),
        "peak_rss_bytes", il_json_whole((size_t)il_peak_bytes()), "memory_limit_bytes",
        memory.limit_bytes ? il_json_whole((size_t)memory.limit_bytes) : json_null(),
        "scratch_bytes_max", il_json_whole((size_t)memory.scratch_bytes_max), "isa",
        il_json_text(il_isa_text()), "threads", il_json_whole(out->config->threads));
    json_t *object =
        json_pack("{s:s, s:s, s:s, s:o, s:s, s:o, s:o, s:o, s:o, s:o, s:o}", "schema",
                  "isolink-link-1", "version", IL_VERSION, "status",
                  report->refused ? "refused" : "linked", "why",
                  il_json_text(report->why), "method", il_method_text(report->method),
                  "seed", il_json_whole((size_t)out->config->seed), "a",
                  side_json(out, 0), "b", side_json(out, 1), "seeds", seeds_json(out),
                  "links", links, "estimate", estimate_json(report));

    if (object != NULL) {
        json_object_set_new(object, "decoy_rate", il_json_number(report->decoy_rate));
        json_object_set_new(object, "agreement", il_json_number(report->agreement));
        json_object_set_new(object, "fit_error", il_json_number(report->fit_error));
        json_object_set_new(object, "fit_bound", il_json_number(report->fit_bound));
        json_object_set_new(object, "unseeded", json_boolean(report->unseeded));
        json_object_set_new(object, "rounds", il_json_whole(report->rounds));
        json_object_set_new(object, "scope",
                            il_json_text(report->local ? "local" : "global"));
        json_object_set_new(object, "used", used);
        json_object_set_new(object, "stages", stages_json(report));
    } else {
        json_decref(used);
    }
    return il_json_finish(object);
}

char *il_report_eval_json(const struct il_eval *eval)
{
    json_t *bins = json_array();

    for (size_t i = 0; i < IL_EVAL_BINS && eval->posterior_known; i++) {
        const struct il_eval_bin *bin = &eval->bin[i];

        json_array_append_new(
            bins,
            json_pack("{s:o, s:o, s:o, s:o, s:o}", "low", il_json_number(bin->low),
                      "high", il_json_number(bin->high), "links",
                      il_json_whole(bin->links), "right", il_json_whole(bin->right),
                      "posterior",
                      bin->links > 0 ? il_json_number(bin->posterior) : json_null()));
    }
    int known = eval->posterior_known;
    return il_json_finish(
        json_pack("{s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "schema",
                  "isolink-eval-1", "links", il_json_whole(eval->links), "truth",
                  il_json_whole(eval->truth), "right", il_json_whole(eval->right),
                  "seeds_left_out", il_json_whole(eval->seeds_left_out), "precision",
                  il_json_number(eval->precision), "recall", il_json_number(eval->recall),
                  "f1", il_json_number(eval->f1), "precision_expected",
                  known ? il_json_number(eval->precision_expected) : json_null(), "ece",
                  known ? il_json_number(eval->ece) : json_null(), "bins", bins));
}

static json_t *doctor_side_json(const struct il_doctor_side *side, const char *path)
{
    json_t *object =
        json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "file", il_json_text(path),
                  "rows", il_json_whole(side->rows), "dim", il_json_whole(side->dim),
                  "type", il_json_text(il_dtype_text(side->type)), "not_finite",
                  il_json_whole(side->not_finite), "zero", il_json_whole(side->zero),
                  "duplicates", il_json_whole(side->duplicates));

    if (object != NULL) {
        json_object_set_new(object, "norm_min", il_json_number(side->norm_min));
        json_object_set_new(object, "norm_median", il_json_number(side->norm_median));
        json_object_set_new(object, "norm_max", il_json_number(side->norm_max));
        json_object_set_new(object, "mean_share", il_json_number(side->mean_share));
        json_object_set_new(object, "effective_dim", il_json_number(side->effective_dim));
        json_object_set_new(object, "hubness", il_json_number(side->hubness));
        json_object_set_new(object, "hub_max", il_json_number(side->hub_max));
        json_object_set_new(object, "sampled", il_json_whole(side->sampled));
    }
    return object;
}

char *il_report_doctor_json(const struct il_doctor *doctor,
                            const struct il_inputs *inputs)
{
    json_t *seeds = json_null();

    if (doctor->seeds_given) {
        seeds = json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "file",
                          il_json_text(inputs->path.seeds), "given",
                          il_json_whole(il_inputs_seed_lines(inputs)), "usable",
                          il_json_whole(doctor->seeds_usable), "agreement",
                          il_json_number(doctor->seed_agreement), "agreement_chance",
                          il_json_number(doctor->seed_agreement_chance), "tested",
                          il_json_whole(doctor->seeds_tested), "found",
                          il_json_whole(doctor->seeds_found), "start_agreement",
                          il_json_number(doctor->start_agreement));
    }
    return il_json_finish(json_pack(
        "{s:s, s:s, s:o, s:o, s:o, s:o}", "schema", "isolink-doctor-1", "verdict",
        il_verdict_text(doctor->verdict), "why", il_json_text(doctor->why), "a",
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

static json_t *methods_json(void)
{
    json_t *list = json_array();

    for (int i = 0; il_method_text((enum il_method)i) != NULL; i++) {
        json_array_append_new(list, json_string(il_method_text((enum il_method)i)));
    }
    return list;
}

char *il_report_version_json(void)
{
    return il_json_finish(json_pack(
        "{s:s, s:s, s:s, s:s, s:s, s:b, s:b, s:s, s:o}", "schema", "isolink-version-1",
        "version", IL_VERSION, "isa", il_isa_text(), "machine", MACHINE, "compiler",
        COMPILER, "assertions", ASSERTIONS, "ref_only", REF_ONLY, "flags", IL_BUILD_FLAGS,
        "methods", methods_json()));
}
