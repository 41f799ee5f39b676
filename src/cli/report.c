/* SPDX-License-Identifier: Apache-2.0 */
/* Tables for people. Numbers are grouped by commas, shares are printed as they are
 * estimated. */
#include "report.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>
#include <sys/resource.h>

#include "cli.h"

struct il_grouped il_grouped(size_t number)
{
    struct il_grouped out;
    char digits[24];
    int count = snprintf(digits, sizeof digits, "%zu", number);
    int at = 0;

    for (int i = 0; i < count; i++) {
        if (i > 0 && (count - i) % 3 == 0) {
            out.text[at++] = ',';
        }
        out.text[at++] = digits[i];
    }
    out.text[at] = 0;
    return out;
}

/* A name and a text, broken at spaces so that lines stay below 80 columns. */
static void put_wrapped(FILE *stream, const char *name, const char *text)
{
    int column = fprintf(stream, "%-11s", name);
    char word[128];

    while (*text != 0) {
        size_t bytes = strcspn(text, " ");

        bytes = bytes < sizeof word ? bytes : sizeof word - 1;
        memcpy(word, text, bytes);
        word[bytes] = 0;
        if (column > 12 && column + 1 + (int)bytes > 80) {
            column = fprintf(stream, "\n%-11s", "") - 1;
        }
        fputc(' ', stream);
        il_put_text(stream, word);
        column += 1 + (int)bytes;
        text += bytes + (text[bytes] == ' ');
    }
    fputc('\n', stream);
}

static size_t rounded(double number)
{
    return number > 0.0 && number < 1e15 ? (size_t)(number + 0.5) : 0;
}

double il_peak_bytes(void)
{
    struct rusage usage;

    return getrusage(RUSAGE_SELF, &usage) == 0 ? 1024.0 * (double)usage.ru_maxrss : 0.0;
}

static void put_stages(FILE *stream, const struct il_link_report *report)
{
    double total = report->seconds > 0.0 ? report->seconds : 1.0;
    double multiply_adds = 0.0;

    if (report->stages == 0) {
        return;
    }
    fprintf(stream, "%-16s %10s %7s %16s\n", "stage", "seconds", "share",
            "multiply-adds");
    for (size_t i = 0; i < report->stages && i < IL_STAGES_MAX; i++) {
        const struct il_link_stage *stage = &report->stage[i];

        fprintf(stream, "%-16s %10.3f %5.1f %% %16.3g\n", stage->name, stage->seconds,
                100.0 * stage->seconds / total, stage->multiply_adds);
        multiply_adds += stage->multiply_adds;
    }
    fprintf(stream, "%-16s %10.3f %7s %16.3g\n\n", "all", report->seconds, "",
            multiply_adds);
}

/* "A 1,000 x 128 i8": what the rows are in the file, or in the store. */
static void put_side(FILE *stream, const struct il_outcome *out, int side, size_t rows)
{
    int codec = il_side_codec(out->inputs->vectors[side]);

    fprintf(stream, "%c %s x %zu %s", "AB"[side], il_grouped(rows).text,
            out->inputs->rows[side].dim,
            codec != 0 ? il_codec_text((enum il_codec)codec)
                       : il_dtype_text(out->inputs->rows[side].type));
}

static void put_seeds(FILE *stream, const struct il_outcome *out)
{
    const struct il_link_report *report = out->report;

    fprintf(stream, "%-11s %zu given, %zu usable", "seeds",
            il_inputs_seed_lines(out->inputs), report->seeds_usable);
    if (report->seeds_tested > 0) {
        fprintf(stream, "; %zu of %zu tested found again when held out; %zu set aside",
                report->seeds_found, report->seeds_tested, report->seeds_wrong);
    }
    fputc('\n', stream);
    if (report->unseeded) {
        fprintf(stream, "%-11s without seeds; independent starts agree on %.1f %%\n",
                "start", 100.0 * report->agreement);
    }
    for (size_t i = 0; i < out->wrong_count; i++) {
        fprintf(stream, "%-11s   set aside, the other seeds contradict it: ", "");
        il_put_text(stream, il_ids_text(out->inputs->ids[0], (size_t)out->wrong[i].a));
        fputs(" - ", stream);
        il_put_text(stream, il_ids_text(out->inputs->ids[1], (size_t)out->wrong[i].b));
        fputc('\n', stream);
    }
}

static void put_estimates(FILE *stream, const struct il_link_report *report)
{
    if (isfinite(report->precision)) {
        fprintf(stream, "%-11s %.3f estimated (%.3f to %.3f)\n", "precision",
                report->precision, report->precision_low, report->precision_high);
    } else if (isnan(report->precision_high)) {
        fprintf(stream, "%-11s not estimated by this method\n", "precision");
    } else {
        fprintf(stream,
                "%-11s not estimated by this method; by the seeds held out at most about "
                "%.3f\n",
                "precision", report->precision_high);
    }
    /* The published method does not estimate what is shared. */
    if (report->shared > 0.0) {
        fprintf(stream, "%-11s %.3f estimated\n", "recall", report->recall);
        fprintf(stream, "%-11s %s documents on both sides, estimated (%s to %s)\n",
                "shared", il_grouped(rounded(report->shared)).text,
                il_grouped(rounded(report->shared_low)).text,
                il_grouped(rounded(report->shared_high)).text);
    }
    if (isfinite(report->fit_error)) {
        fprintf(stream,
                "%-11s the seeds' images are %.3f from their partners, root mean square",
                "fit", report->fit_error);
        if (isfinite(report->fit_bound)) {
            fprintf(stream, "; bound %.3f", report->fit_bound);
        }
        fputc('\n', stream);
    }
}

static void put_skipped(FILE *stream, const struct il_outcome *out)
{
    const struct il_link_report *report = out->report;

    if (report->skipped_a + report->skipped_b == 0) {
        return;
    }
    fprintf(stream, "%-11s %s rows of A, %s of B: zero or not finite%s\n", "skipped",
            il_grouped(report->skipped_a).text, il_grouped(report->skipped_b).text,
            out->verbose ? "" : " (--verbose lists them)");
    for (int side = 0; side < 2 && out->verbose; side++) {
        for (size_t i = 0; i < out->skipped_count[side]; i++) {
            uint64_t row = out->skipped[side][i];

            fprintf(stream, "%-11s   %c row %" PRIu64 ": ", "", "AB"[side], row);
            il_put_text(stream, il_ids_text(out->inputs->ids[side], (size_t)row));
            fputc('\n', stream);
        }
    }
}

void il_report_link(FILE *stream, const struct il_outcome *out)
{
    const struct il_link_report *report = out->report;

    put_stages(stream, report);
    fprintf(stream, "%-11s ", "rows");
    put_side(stream, out, 0, report->rows_a);
    fputs(", ", stream);
    put_side(stream, out, 1, report->rows_b);
    fputc('\n', stream);
    put_skipped(stream, out);
    put_seeds(stream, out);
    if (!report->refused) {
        put_estimates(stream, report);
    }
    fprintf(stream, "%-11s %s, and %zu seeds, in ", "links",
            il_grouped(report->links).text, out->link_count - report->links);
    il_put_text(stream, out->links_path);
    fputc('\n', stream);
    if (!report->refused && out->verbose) {
        fprintf(stream, "%-11s posterior >= %.4f\n", "threshold", report->threshold);
        fprintf(stream,
                "%-11s %.4f of the rows without a partner would be linked anyway\n",
                "decoys", report->decoy_rate);
        fprintf(stream, "%-11s %.3f of the pairs, between independent starts\n",
                "agreement", report->agreement);
        fprintf(stream, "%-11s %u\n", "rounds", report->rounds);
    }
    fprintf(stream, "%-11s %.1f s, %s MB of memory at most, %s\n", "used",
            report->seconds, il_grouped(rounded(il_peak_bytes() / 1e6)).text,
            il_isa_text());
    if (!report->refused && report->why[0] != 0) {
        put_wrapped(stream, "why", report->why);
    }
}

void il_report_eval(FILE *stream, const struct il_eval *eval)
{
    fprintf(stream, "%-18s %.4f   %s of %s links are right\n", "precision",
            eval->precision, il_grouped(eval->right).text, il_grouped(eval->links).text);
    fprintf(stream, "%-18s %.4f   %s of %s true pairs are linked\n", "recall",
            eval->recall, il_grouped(eval->right).text, il_grouped(eval->truth).text);
    fprintf(stream, "%-18s %.4f\n", "F1", eval->f1);
    fprintf(stream, "%-18s %s lines of the links file (never judged)\n", "seeds left out",
            il_grouped(eval->seeds_left_out).text);
    if (!eval->posterior_known) {
        fprintf(stream,
                "\nThe links file has no posterior column: no reliability table.\n");
        return;
    }
    fprintf(stream, "%-18s %.4f   mean posterior\n", "expected precision",
            eval->precision_expected);
    fprintf(stream, "%-18s %.4f   expected calibration error\n\n", "calibration",
            eval->ece);
    fprintf(stream, "%-12s %9s %9s %12s %15s\n", "posterior", "links", "right",
            "share right", "mean posterior");
    for (size_t i = 0; i < IL_EVAL_BINS; i++) {
        const struct il_eval_bin *bin = &eval->bin[i];

        fprintf(stream, "%.2f - %.2f  %9zu %9zu", bin->low, bin->high, bin->links,
                bin->right);
        if (bin->links > 0) {
            fprintf(stream, " %12.4f %15.4f", (double)bin->right / (double)bin->links,
                    bin->posterior);
        } else {
            fprintf(stream, " %12s %15s", "-", "-");
        }
        fputc('\n', stream);
    }
}

static void put_counts(FILE *stream, const char *name, size_t a, size_t b)
{
    fprintf(stream, "%-34s %12s %12s\n", name, il_grouped(a).text, il_grouped(b).text);
}

static void put_numbers(FILE *stream, const char *name, double a, double b)
{
    fprintf(stream, "%-34s %12.4g %12.4g\n", name, a, b);
}

static void put_doctor_seeds(FILE *stream, const struct il_doctor *doctor,
                             const struct il_inputs *inputs)
{
    fprintf(stream, "\n%-34s %zu given, %zu usable\n", "seeds",
            il_inputs_seed_lines(inputs), doctor->seeds_usable);
    fprintf(stream, "%-34s %.3f (re-paired at random: %.3f reach it)\n",
            "agreement of the seeds", doctor->seed_agreement,
            doctor->seed_agreement_chance);
    fprintf(stream, "%-34s %zu of %zu\n", "seeds found again when held out",
            doctor->seeds_found, doctor->seeds_tested);
    fprintf(stream, "%-34s %.3f\n", "agreement of independent starts",
            doctor->start_agreement);
}

void il_report_doctor(FILE *stream, const struct il_doctor *doctor,
                      const struct il_inputs *inputs)
{
    const struct il_doctor_side *a = &doctor->side[0];
    const struct il_doctor_side *b = &doctor->side[1];

    fprintf(stream, "%-34s %12s %12s\n", "", "A", "B");
    put_counts(stream, "rows", a->rows, b->rows);
    put_counts(stream, "dimension", a->dim, b->dim);
    fprintf(stream, "%-34s %12s %12s\n", "type", il_dtype_text(a->type),
            il_dtype_text(b->type));
    put_counts(stream, "rows with NaN or Inf", a->not_finite, b->not_finite);
    put_counts(stream, "zero rows", a->zero, b->zero);
    put_counts(stream, "repeated rows", a->duplicates, b->duplicates);
    put_numbers(stream, "shortest row", a->norm_min, b->norm_min);
    put_numbers(stream, "median length", a->norm_median, b->norm_median);
    put_numbers(stream, "longest row", a->norm_max, b->norm_max);
    put_numbers(stream, "mean row / mean length", a->mean_share, b->mean_share);
    put_numbers(stream, "effective dimension", a->effective_dim, b->effective_dim);
    put_numbers(stream, "hubness (skewness of 10-NN counts)", a->hubness, b->hubness);
    put_numbers(stream, "largest hub / 10", a->hub_max, b->hub_max);
    put_counts(stream, "rows sampled for hubness", a->sampled, b->sampled);
    if (doctor->seeds_given) {
        put_doctor_seeds(stream, doctor, inputs);
    }
    fprintf(stream, "\n%-11s %s\n", "verdict", il_verdict_text(doctor->verdict));
    put_wrapped(stream, "based on", doctor->why);
}
