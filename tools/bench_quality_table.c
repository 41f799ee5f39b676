/* SPDX-License-Identifier: Apache-2.0 */
/* The tables of bench_quality, as text and as JSON. */
#include "bench_quality.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include <isolink/version.h>

/* Points of F1 within which a draw counts as like the median one. */
#define NEAR_MEDIAN 0.05

/* A line of the quality table, over its draws. What is said of links (gap, estimate, ECE)
   is the mean of the draws that gave links. */
struct summary {
    double f1, f1_min, f1_max, precision, recall;
    double best, gap;
    double expected, error, error_max, ece, ece_pooled;
    double near_median, seeds_found, seeds_tested, seconds;
    size_t wrong_found, wrong_count, good_lost, good_count, refused;
    size_t linked; /* draws that gave links */
    struct il_eval_bin bin[IL_EVAL_BINS];
};

static int compare_doubles(const void *x, const void *y)
{
    double a = *(const double *)x, b = *(const double *)y;
    return (a > b) - (a < b);
}

static double median(double *value, size_t count)
{
    if (count == 0)
        return 0;
    qsort(value, count, sizeof *value, compare_doubles);
    return (value[(count - 1) / 2] + value[count / 2]) / 2;
}

static double absolute(double x)
{
    return x < 0 ? -x : x;
}

static void pool_bins(struct summary *s, const struct il_bench_row *row)
{
    double links = 0;
    for (size_t i = 0; i < IL_EVAL_BINS; i++) {
        s->bin[i] = (struct il_eval_bin){.low = (double)i / IL_EVAL_BINS,
                                         .high = (double)(i + 1) / IL_EVAL_BINS};
        for (size_t d = 0; d < row->draw_count; d++) {
            s->bin[i].links += row->draw[d].bin[i].links;
            s->bin[i].right += row->draw[d].bin[i].right;
            s->bin[i].posterior += row->draw[d].bin[i].posterior;
        }
        links += (double)s->bin[i].links;
    }
    for (size_t i = 0; i < IL_EVAL_BINS; i++) {
        struct il_eval_bin *bin = &s->bin[i];
        if (bin->links == 0)
            continue;
        s->ece_pooled += absolute((double)bin->right - bin->posterior) / links;
        bin->posterior /= (double)bin->links;
    }
}

static void add_draw(struct summary *s, const struct il_bench_draw *d, double share)
{
    s->f1 += d->f1 * share;
    s->f1_min = d->f1 < s->f1_min ? d->f1 : s->f1_min;
    s->f1_max = d->f1 > s->f1_max ? d->f1 : s->f1_max;
    s->precision += d->precision * share;
    s->recall += d->recall * share;
    s->seeds_found += (double)d->seeds_found * share;
    s->seeds_tested += (double)d->seeds_tested * share;
    s->wrong_found += d->wrong_found;
    s->wrong_count += d->wrong_count;
    s->good_lost += d->good_lost;
    s->good_count += d->good_count;
    s->refused += (size_t)d->refused;
    if (d->refused || d->links == 0)
        return;
    double error = absolute(d->precision_expected - d->precision);
    s->linked++;
    s->best += d->best_f1;
    s->gap += d->best_f1 - d->f1;
    s->expected += d->precision_expected;
    s->error += error;
    s->error_max = error > s->error_max ? error : s->error_max;
    s->ece += d->ece;
}

static struct summary summarise(const struct il_bench_row *row)
{
    struct summary s = {.f1_min = 1};
    size_t draws = row->draw_count;
    double *value = il_bench_alloc(draws, sizeof *value);
    for (size_t d = 0; d < draws; d++) {
        add_draw(&s, &row->draw[d], 1 / (double)draws);
        value[d] = row->draw[d].f1;
    }
    double middle = median(value, draws);
    for (size_t d = 0; d < draws; d++) {
        /* A draw at 5.0 points is within: the sums are not exact. */
        int near = absolute(row->draw[d].f1 - middle) <= NEAR_MEDIAN + 1e-9;
        s.near_median += near / (double)draws;
        value[d] = row->draw[d].seconds;
    }
    s.seconds = median(value, draws);
    free(value);
    if (s.linked) {
        double linked = (double)s.linked;
        s.best /= linked;
        s.gap /= linked;
        s.expected /= linked;
        s.error /= linked;
        s.ece /= linked;
    }
    pool_bins(&s, row);
    return s;
}

/* --------------------------------------------------------------------------------- text
 */

static const char legend[] =
    "Over the draws of the seeds; percent, seeds left out of all counts, a refused draw\n"
    "counts as F1 0.\n"
    "  rows      of A and B (a cut: every draw is a cut of its own)\n"
    "  seeds     given; wrong: of them with a random row of B\n"
    "  F1 P R    mean, with the smallest and the largest F1\n"
    "  best      F1 at the best threshold with truth on the same scores; gap to F1 "
    "(mean\n"
    "            of the draws with links, as the next four)\n"
    "  est       the report's estimated precision; err: |estimated - true|, mean and "
    "max\n"
    "  ECE       expected calibration error of the posteriors, 10 bins, 0 to 1\n"
    "  in5       draws within 5 points of the median F1\n"
    "  found     wrong seeds set aside, of all wrong ones; lost: right seeds set aside\n"
    "  again     seeds found again by maps that never saw them, of those tested (mean)\n"
    "  sec       median wall time of a run; refd: draws refused\n\n";

void il_bench_table_head(FILE *out, int name_columns)
{
    fputs(legend, out);
    fprintf(out,
            "%-*s %13s %5s %5s  %-18s %5s %5s %6s %5s %6s %5s %5s %6s %5s %6s %7s %10s "
            "%7s %6s\n",
            name_columns, "set", "rows", "seeds", "wrong", "F1 mean (min-max)", "P", "R",
            "best", "gap", "est", "err", "max", "ECE", "in5", "found", "lost", "again",
            "sec", "refd");
    fflush(out);
}

/* "3/5", or "-" of none. */
static const char *of(char text[static 24], size_t part, size_t all)
{
    snprintf(text, 24, all ? "%zu/%zu" : "-", part, all);
    return text;
}

/* A number, or "-" when there is nothing it could speak of. */
static const char *number(char text[static 24], const char *format, double value,
                          int known)
{
    if (known)
        snprintf(text, 24, format, value);
    else
        snprintf(text, 24, "-");
    return text;
}

void il_bench_table_row(FILE *out, int name_columns, const struct il_bench_row *row)
{
    struct summary s = summarise(row);
    char rows[48], f1[40], again[40], found[24], lost[24], refused[24];
    char best[24], gap[24], expected[24], error[24], error_max[24], ece[24];
    int linked = s.linked > 0;
    snprintf(rows, sizeof rows, "%zu/%zu", row->rows[0], row->rows[1]);
    snprintf(f1, sizeof f1, "%5.1f (%.1f-%.1f)", 100 * s.f1, 100 * s.f1_min,
             100 * s.f1_max);
    snprintf(again, sizeof again, "%.1f/%.1f", s.seeds_found, s.seeds_tested);
    fprintf(
        out,
        "%-*s %13s %5zu %5zu  %-18s %5.1f %5.1f %6s %5s %6s %5s %5s %6s %5.0f %6s %7s "
        "%10s %7.2f %6s\n",
        name_columns, row->source->name, rows, row->seeds, row->wrong, f1,
        100 * s.precision, 100 * s.recall, number(best, "%.1f", 100 * s.best, linked),
        number(gap, "%.1f", 100 * s.gap, linked),
        number(expected, "%.1f", 100 * s.expected, linked),
        number(error, "%.1f", 100 * s.error, linked),
        number(error_max, "%.1f", 100 * s.error_max, linked),
        number(ece, "%.3f", s.ece, linked), 100 * s.near_median,
        of(found, s.wrong_found, s.wrong_count), of(lost, s.good_lost, s.good_count),
        again, s.seconds, of(refused, s.refused, row->draw_count));
    fflush(out);
}

void il_bench_nulls_head(FILE *out, int name_columns)
{
    fprintf(out,
            "\nInputs with nothing to find: every run should be refused.\n"
            "  empty   not refused, yet no link beyond the seeds\n"
            "  linked  runs that gave links; most: the largest number of them in a run\n"
            "  sec     mean wall time of a run\n\n"
            "%-24s %-*s %-*s %5s %8s %6s %7s %6s %7s\n",
            "what", name_columns, "A", name_columns, "B", "runs", "refused", "empty",
            "linked", "most", "sec");
    fflush(out);
}

void il_bench_nulls_row(FILE *out, int name_columns, const struct il_bench_null *null)
{
    fprintf(out, "%-24s %-*s %-*s %5zu %8zu %6zu %7zu %6zu %7.2f\n", null->what,
            name_columns, null->a->name, name_columns, null->b ? null->b->name : "-",
            null->runs, null->refused, null->empty, null->linked, null->links_max,
            null->runs ? null->seconds / (double)null->runs : 0);
    fflush(out);
}

/* --------------------------------------------------------------------------------- JSON
 */

static json_t *bins_json(const struct il_eval_bin *bin)
{
    json_t *bins = json_array();
    for (size_t i = 0; i < IL_EVAL_BINS; i++)
        json_array_append_new(
            bins, json_pack("{sf sf sI sI sf}", "low", bin[i].low, "high", bin[i].high,
                            "links", (json_int_t)bin[i].links, "right",
                            (json_int_t)bin[i].right, "posterior", bin[i].posterior));
    return bins;
}

static json_t *draws_json(const struct il_bench_row *row)
{
    json_t *draws = json_array();
    for (size_t i = 0; i < row->draw_count; i++) {
        const struct il_bench_draw *d = &row->draw[i];
        json_array_append_new(
            draws,
            json_pack("{sb sI sf sf sf sf sf sf sI sI sI sI sf}", "refused", d->refused,
                      "links", (json_int_t)d->links, "precision", d->precision, "recall",
                      d->recall, "f1", d->f1, "best_f1", d->best_f1, "precision_expected",
                      d->precision_expected, "ece", d->ece, "wrong_found",
                      (json_int_t)d->wrong_found, "good_lost", (json_int_t)d->good_lost,
                      "seeds_found", (json_int_t)d->seeds_found, "seeds_tested",
                      (json_int_t)d->seeds_tested, "seconds", d->seconds));
    }
    return draws;
}

/* A mean over the draws with links; null when there are none. */
static json_t *known(const struct summary *s, double value)
{
    return s->linked ? json_real(value) : json_null();
}

static json_t *row_json(const struct il_bench_row *row)
{
    struct summary s = summarise(row);
    return json_pack(
        "{ss ss sI sI sI sI sf sf sf sf sf so so so so so so sf sf sI sI sI sI sf sf sf "
        "sI "
        "so so}",
        "set", row->source->name, "folder", row->source->folder, "rows_a",
        (json_int_t)row->rows[0], "rows_b", (json_int_t)row->rows[1], "seeds",
        (json_int_t)row->seeds, "wrong", (json_int_t)row->wrong, "f1", s.f1, "f1_min",
        s.f1_min, "f1_max", s.f1_max, "precision", s.precision, "recall", s.recall,
        "best_f1", known(&s, s.best), "gap", known(&s, s.gap), "precision_expected",
        known(&s, s.expected), "precision_error", known(&s, s.error),
        "precision_error_max", known(&s, s.error_max), "ece", known(&s, s.ece),
        "ece_pooled", s.ece_pooled, "near_median", s.near_median, "wrong_found",
        (json_int_t)s.wrong_found, "wrong_count", (json_int_t)s.wrong_count, "good_lost",
        (json_int_t)s.good_lost, "good_count", (json_int_t)s.good_count, "seeds_found",
        s.seeds_found, "seeds_tested", s.seeds_tested, "seconds", s.seconds, "refused",
        (json_int_t)s.refused, "bins", bins_json(s.bin), "draws", draws_json(row));
}

static json_t *null_json(const struct il_bench_null *n)
{
    return json_pack("{ss ss ss? sI sI sI sI sI sf}", "what", n->what, "a", n->a->name,
                     "b", n->b ? n->b->name : NULL, "runs", (json_int_t)n->runs,
                     "refused", (json_int_t)n->refused, "empty", (json_int_t)n->empty,
                     "linked", (json_int_t)n->linked, "links_max",
                     (json_int_t)n->links_max, "seconds", n->seconds);
}

enum il_status il_bench_json(const char *path, const struct il_link_config *config,
                             const struct il_bench_row *row, size_t row_count,
                             const struct il_bench_null *null, size_t null_count,
                             struct il_error *error)
{
    json_t *rows = json_array(), *nulls = json_array();
    for (size_t i = 0; i < row_count; i++)
        json_array_append_new(rows, row_json(&row[i]));
    for (size_t i = 0; i < null_count; i++)
        json_array_append_new(nulls, null_json(&null[i]));
    json_t *all = json_pack("{ss ss ss so so}", "version", IL_VERSION, "method",
                            il_method_text(config->method), "isa", il_isa_text(), "sets",
                            rows, "nulls", nulls);
    char *text = all ? json_dumps(all, JSON_INDENT(2) | JSON_REAL_PRECISION(6)) : NULL;
    enum il_status status = IL_ENOMEM;
    snprintf(error->text, sizeof error->text, "%s: no memory for the report", path);
    if (text)
        status = il_text_write(path, text, strlen(text), error);
    free(text);
    json_decref(all);
    return status;
}
