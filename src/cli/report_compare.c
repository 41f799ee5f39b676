/* SPDX-License-Identifier: Apache-2.0 */
#include "report_compare.h"

#include <math.h>
#include <string.h>

#include "cli.h"
#include "json_out.h"

/* The method of the largest F1, the first of equals; -1 without truth or where nothing is
   right. */
static int best_of(const struct il_comparison *all)
{
    int best = -1;

    for (size_t i = 0; i < all->count && all->truth != NULL; i++) {
        double f1 = all->method[i].eval.f1;

        if (f1 > (best >= 0 ? all->method[best].eval.f1 : 0.0)) {
            best = (int)i;
        }
    }
    return best;
}

static void put_head(FILE *stream, const struct il_comparison *all)
{
    fprintf(stream, "%-15s %9s", "method", "links");
    if (all->truth != NULL) {
        fprintf(stream, " %9s %7s %7s %7s", "precision", "recall", "F1", "best F1");
    }
    fprintf(stream, " %9s %9s %8s %7s\n", "estimated", "held out", "seconds", "MB");
}

/* The precision that a method says it has: "-" for none, "<0.21" for a bound. */
static void put_estimate(FILE *stream, const struct il_link_report *report)
{
    char text[64] = "-";

    if (!report->refused && report->links > 0 && !isnan(report->precision_high)) {
        int known = isfinite(report->precision);

        snprintf(text, sizeof text, "%s%.3f", known ? "" : "<",
                 known ? report->precision : report->precision_high);
    }
    fprintf(stream, " %9s", text);
    snprintf(text, sizeof text, "-");
    if (report->seeds_tested > 0) {
        snprintf(text, sizeof text, "%zu of %zu", report->seeds_found,
                 report->seeds_tested);
    }
    fprintf(stream, " %9s", text);
}

static void put_method(FILE *stream, const struct il_comparison *all, size_t i, int best)
{
    const struct il_compared *m = &all->method[i];
    const char *name = il_method_text(m->report.method);

    fprintf(stream, "%-15s ", name);
    if (m->report.refused) {
        fprintf(stream, "%9s", "refused");
    } else {
        fprintf(stream, "%9s", il_grouped(m->report.links).text);
    }
    if (all->truth != NULL && m->report.refused) {
        fprintf(stream, " %9s %7s %7s %7s", "-", "-", "-", "-");
    } else if (all->truth != NULL) {
        fprintf(stream, " %9.4f %7.4f %7.4f %7.4f", m->eval.precision, m->eval.recall,
                m->eval.f1, m->eval.f1_best);
    }
    put_estimate(stream, &m->report);
    fprintf(stream, " %8.2f", m->seconds);
    if (m->peak_bytes > 0.0) {
        fprintf(stream, " %7s", il_grouped((size_t)(m->peak_bytes / 1e6 + 0.5)).text);
    } else {
        fprintf(stream, " %7s", "-");
    }
    fprintf(stream, "%s\n", (int)i == best ? "  best" : "");
}

void il_report_compare(FILE *stream, const struct il_comparison *all)
{
    int best = best_of(all);

    put_head(stream, all);
    for (size_t i = 0; i < all->count; i++) {
        put_method(stream, all, i, best);
    }
    fputc('\n', stream);
    for (size_t i = 0; i < all->count; i++) {
        const struct il_link_report *report = &all->method[i].report;

        if (report->refused) {
            fprintf(stream, "%s refused: ", il_method_text(report->method));
            il_put_text(stream, report->why);
            fputc('\n', stream);
        }
    }
    fputs("estimated: precision as the method says it, without the truth; <: it says\n"
          "  no more than that it is at most about so much\n"
          "held out: seeds found by maps that were fitted without them\n"
          "MB: largest resident memory while the method ran, the sides included\n",
          stream);
    if (all->truth != NULL) {
        fputs(
            "best F1: at the best threshold in retrospect; best: of the methods, by F1\n",
            stream);
    }
}

static json_t *side_json(const struct il_inputs *in, int side)
{
    return json_pack("{s:o, s:o, s:o}", "file", il_json_text(in->path.side[side]), "rows",
                     il_json_whole(in->rows[side].rows), "dim",
                     il_json_whole(in->rows[side].dim));
}

static json_t *method_json(const struct il_comparison *all, const struct il_compared *m)
{
    const struct il_link_report *r = &m->report;
    int linked = !r->refused, judged = linked && all->truth != NULL;
    double range[2] = {linked ? r->precision_low : NAN, linked ? r->precision_high : NAN};
    json_t *object =
        json_pack("{s:s, s:s, s:o, s:o, s:o, s:o, s:o, s:o}", "method",
                  il_method_text(r->method), "status", linked ? "linked" : "refused",
                  "why", il_json_text(r->why), "links", il_json_whole(r->links),
                  "precision", il_json_number(judged ? m->eval.precision : NAN), "recall",
                  il_json_number(judged ? m->eval.recall : NAN), "f1",
                  il_json_number(judged ? m->eval.f1 : NAN), "f1_best",
                  il_json_number(judged ? m->eval.f1_best : NAN));

    if (object != NULL) {
        json_object_set_new(object, "estimate",
                            json_pack("{s:o, s:[o, o]}", "precision",
                                      il_json_number(linked ? r->precision : NAN),
                                      "precision_range", il_json_number(range[0]),
                                      il_json_number(range[1])));
        json_object_set_new(object, "seeds_tested", il_json_whole(r->seeds_tested));
        json_object_set_new(object, "seeds_found", il_json_whole(r->seeds_found));
        json_object_set_new(object, "fit_error", il_json_number(r->fit_error));
        json_object_set_new(object, "fit_bound", il_json_number(r->fit_bound));
        json_object_set_new(object, "seconds", il_json_number(m->seconds));
        json_object_set_new(object, "peak_rss_bytes",
                            m->peak_bytes > 0.0 ? il_json_whole((size_t)m->peak_bytes)
                                                : json_null());
    }
    return object;
}

char *il_report_compare_json(const struct il_comparison *all)
{
    const struct il_inputs *in = all->inputs;
    int best = best_of(all);
    json_t *list = json_array();

    for (size_t i = 0; i < all->count; i++) {
        json_array_append_new(list, method_json(all, &all->method[i]));
    }
    json_t *seeds = json_pack("{s:o, s:o, s:o}", "file", il_json_text(in->path.seeds),
                              "given", il_json_whole(il_inputs_seed_lines(in)), "used",
                              il_json_whole(in->seed_count));
    json_t *truth = json_null();

    if (all->truth != NULL) {
        truth = json_pack("{s:o, s:o}", "file", il_json_text(all->truth), "pairs",
                          il_json_whole(all->count ? all->method[0].eval.truth : 0));
    }
    return il_json_finish(
        json_pack("{s:s, s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:s, s:o, s:o}", "schema",
                  "isolink-compare-1", "version", IL_VERSION, "a", side_json(in, 0), "b",
                  side_json(in, 1), "seeds", seeds, "truth", truth, "seed",
                  il_json_whole((size_t)all->config->seed), "threads",
                  il_json_whole(all->config->threads), "isa", il_isa_text(), "best",
                  best >= 0 ? json_string(il_method_text(all->method[best].report.method))
                            : json_null(),
                  "methods", list));
}
