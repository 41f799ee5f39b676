/* SPDX-License-Identifier: Apache-2.0 */
#include "link_many.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "inputs.h"
#include "json_out.h"
#include "progress.h"
#include "report.h"

#define PAIRS_MOST (IL_CLOSING_SIDES * (IL_CLOSING_SIDES - 1) / 2)

/* Two of the sides. */
struct pair {
    unsigned x, y;
    char path[PATH_MAX]; /**< of its links */
    struct il_pair *seeds;
    size_t seed_count;
    struct il_linking *linking;
    bool refused;
    struct il_link *closed; /**< what is left, and what was inferred */
    size_t closed_count;
    size_t set_aside, inferred, agree, contradict;
    double precision; /**< estimated, of the links that are no seeds */
};

struct run {
    const char *command;
    struct il_many *many;
    struct il_vectors *vectors[IL_CLOSING_SIDES];
    struct il_matrix rows[IL_CLOSING_SIDES];
    struct il_ids *own_ids[IL_CLOSING_SIDES];
    const struct il_ids *ids[IL_CLOSING_SIDES];
    struct pair pair[PAIRS_MOST];
    size_t pairs;
    char chains_path[PATH_MAX];
    struct il_closing *closing;
};

/* "links.csv" and "ab" make "links-ab.csv". */
static bool name_output(const struct run *run, const char *what, char *out)
{
    const char *links = run->many->links;
    size_t stem = strlen(links);

    if (stem > 4 && strcmp(links + stem - 4, ".csv") == 0) {
        stem -= 4;
    }
    if (stem + strlen(what) + 6 > PATH_MAX) {
        il_say(run->command, "%s: the name is too long", links);
        return false;
    }
    snprintf(out, PATH_MAX, "%.*s-%s.csv", (int)stem, links, what);
    return true;
}

static int plan_output(const struct run *run, const char *what, char *out)
{
    char *resolved = NULL;
    int code = IL_EXIT_DONE;

    if (!name_output(run, what, out)) {
        return IL_EXIT_USAGE;
    }
    for (unsigned side = 0; side < run->many->sides && code == IL_EXIT_DONE; side++) {
        const struct il_input_paths inputs = {
            .side = {run->many->side[side], run->many->side[0]},
            .seeds = run->many->seeds};

        code = il_output_check(run->command, out, &inputs, &resolved);
        free(resolved);
        resolved = NULL;
    }
    return code;
}

/* Names all outputs, and fails now where they could not be written at the end. */
static int plan(struct run *run)
{
    int code = IL_EXIT_DONE;

    for (unsigned x = 0; x < run->many->sides; x++) {
        for (unsigned y = x + 1; y < run->many->sides && code == IL_EXIT_DONE; y++) {
            struct pair *pair = &run->pair[run->pairs++];
            const char what[] = {(char)('a' + x), (char)('a' + y), 0};

            pair->x = x;
            pair->y = y;
            code = plan_output(run, what, pair->path);
        }
    }
    return code == IL_EXIT_DONE ? plan_output(run, "contradictions", run->chains_path)
                                : code;
}

static enum il_status load_side(struct run *run, unsigned side, struct il_error *error)
{
    enum il_status status =
        il_side_load(&run->vectors[side], run->many->side[side], run->many->io, error);

    if (status != IL_OK) {
        return status;
    }
    run->rows[side] = il_vectors_rows(run->vectors[side]);
    run->ids[side] = il_vectors_ids(run->vectors[side]);
    if (run->ids[side] == NULL) {
        status = il_ids_number(&run->own_ids[side], run->rows[side].rows);
        run->ids[side] = run->own_ids[side];
    }
    return status;
}

static enum il_status load_seeds(struct run *run, struct pair *pair,
                                 struct il_error *error)
{
    const char a[] = {(char)('a' + pair->x), '_', 'i', 'd', 0};
    const char b[] = {(char)('a' + pair->y), '_', 'i', 'd', 0};
    struct il_pairs_notes notes = {0};
    enum il_status status =
        il_pairs_load_named(&pair->seeds, &pair->seed_count, run->many->seeds, a, b,
                            run->ids[pair->x], run->ids[pair->y], &notes, error);
    size_t left_out = notes.missing + notes.repeated + notes.contradicting;

    if (status == IL_OK && left_out > 0) {
        il_say(run->command, "warning: %s, %s and %s: %zu seeds left out; first: %s",
               run->many->seeds, a, b, left_out, notes.first);
    }
    return status;
}

static int load(struct run *run)
{
    struct il_error error = {""};
    enum il_status status = IL_OK;
    int streams = 0;

    for (unsigned side = 0; side < run->many->sides; side++) {
        streams += strcmp(run->many->side[side], "-") == 0;
    }
    if (streams > 1) {
        il_say(run->command, "only one of the sides can be standard input");
        return IL_EXIT_USAGE;
    }

    for (unsigned side = 0; side < run->many->sides && status == IL_OK; side++) {
        status = load_side(run, side, &error);
        if (atomic_load(il_cancel_flag()) != 0) {
            return il_say_cancelled(run->command);
        }
    }
    for (size_t i = 0; run->many->seeds != NULL && i < run->pairs && status == IL_OK;
         i++) {
        status = load_seeds(run, &run->pair[i], &error);
    }
    return status == IL_OK ? IL_EXIT_DONE : il_say_status(run->command, status, &error);
}

static int link_pair(struct run *run, struct pair *pair)
{
    struct il_link_config *config = &run->many->config;
    struct il_error error = {""};
    struct il_progress bar;
    enum il_status status;

    il_progress_init(&bar, run->many->progress && !run->many->quiet);
    config->progress = il_progress_step;
    config->progress_context = &bar;
    config->cancel = il_cancel_flag();
    status = il_link_run(&pair->linking, &run->rows[pair->x], &run->rows[pair->y],
                         pair->seeds, pair->seed_count, config, &error);
    il_progress_clear(&bar);
    if (atomic_load(il_cancel_flag()) != 0) {
        return il_say_cancelled(run->command);
    }
    if (pair->linking == NULL) {
        return il_say_status(run->command, status, &error);
    }
    pair->refused = status != IL_OK;
    if (pair->refused) {
        il_say(run->command, "%c and %c: cannot bootstrap: %s", 'A' + pair->x,
               'A' + pair->y, il_link_report(pair->linking)->why);
    }
    return IL_EXIT_DONE;
}

static int close_pairs(struct run *run)
{
    struct il_closing_pair given[PAIRS_MOST];
    size_t rows[IL_CLOSING_SIDES];
    struct il_error error = {""};
    enum il_status status;

    for (unsigned side = 0; side < run->many->sides; side++) {
        rows[side] = run->rows[side].rows;
    }
    for (size_t i = 0; i < run->pairs; i++) {
        const struct pair *pair = &run->pair[i];

        given[i] = (struct il_closing_pair){
            .x = pair->x,
            .y = pair->y,
            .recall = pair->refused ? 0 : il_link_report(pair->linking)->recall};
        given[i].links = il_link_links(pair->linking, &given[i].count);
    }
    status =
        il_closing_run(&run->closing, rows, run->many->sides, given, run->pairs, &error);
    return status == IL_OK ? IL_EXIT_DONE : il_say_status(run->command, status, &error);
}

static int by_rows(const void *x, const void *y)
{
    const struct il_link *p = x, *q = y;

    return p->a != q->a ? (p->a > q->a) - (p->a < q->a) : (p->b > q->b) - (p->b < q->b);
}

/* The links of a pair as the closing leaves them, best first; `own` are those of its run,
   by rows: votes and margins are theirs. */
static void take_closed(struct pair *pair, const struct il_closed_link *closed,
                        size_t count, const struct il_link *own, size_t own_count)
{
    double sum = 0;
    size_t judged = 0;

    for (size_t i = 0; i < count; i++) {
        const struct il_closed_link *from = &closed[i];
        struct il_link link = {.a = from->a, .b = from->b, .origin = IL_ORIGIN_INFERRED};
        const struct il_link *was =
            own_count > 0 ? bsearch(&link, own, own_count, sizeof link, by_rows) : NULL;

        pair->agree += from->agree;
        pair->contradict += from->contradict;
        pair->set_aside += from->fate == IL_CLOSING_ASIDE;
        pair->inferred += from->fate == IL_CLOSING_INFERRED;
        if (from->fate == IL_CLOSING_ASIDE) {
            continue;
        }
        link = was != NULL ? *was : link;
        link.posterior = from->posterior;
        sum += link.origin == IL_ORIGIN_SEED ? 0 : link.posterior;
        judged += link.origin != IL_ORIGIN_SEED;
        pair->closed[pair->closed_count++] = link;
    }
    pair->precision = judged > 0 ? sum / (double)judged : 0;
}

static int split_closed(struct run *run)
{
    size_t count = 0;
    size_t at = 0;
    const struct il_closed_link *all = il_closing_links(run->closing, &count);

    for (size_t i = 0; i < run->pairs; i++) {
        struct pair *pair = &run->pair[i];
        size_t first = at;
        size_t own_count = 0;
        const struct il_link *links = il_link_links(pair->linking, &own_count);
        struct il_link *own = malloc((own_count + 1) * sizeof *own);

        while (at < count && all[at].x == pair->x && all[at].y == pair->y) {
            at++;
        }
        pair->closed = malloc((at - first + 1) * sizeof *pair->closed);
        if (own == NULL || pair->closed == NULL) {
            free(own);
            return il_say_memory(run->command);
        }
        memcpy(own, links, own_count * sizeof *own);
        qsort(own, own_count, sizeof *own, by_rows);
        take_closed(pair, all + first, at - first, own, own_count);
        free(own);
    }
    return IL_EXIT_DONE;
}

static int write_links(struct run *run)
{
    struct il_error error = {""};
    enum il_status status = IL_OK;
    size_t count = 0;

    for (size_t i = 0; i < run->pairs && status == IL_OK; i++) {
        const struct pair *pair = &run->pair[i];

        status = il_links_write(pair->path, pair->closed, pair->closed_count,
                                run->ids[pair->x], run->ids[pair->y], &error);
    }
    if (status == IL_OK) {
        const struct il_contradiction *chains =
            il_closing_contradictions(run->closing, &count);

        status =
            il_contradictions_write(run->chains_path, chains, count, run->ids, &error);
    }
    return status == IL_OK ? IL_EXIT_DONE : il_say_output(run->command, status, &error);
}

static void put_table(FILE *stream, const struct run *run)
{
    struct il_closing_report report;

    il_closing_describe(run->closing, &report);
    fprintf(stream, "sides   %10s %10s %10s %12s %10s %10s  %s\n", "links", "precision",
            "agree", "contradict", "set aside", "inferred", "file");
    for (size_t i = 0; i < run->pairs; i++) {
        const struct pair *pair = &run->pair[i];
        char precision[16] = "-";

        if (!pair->refused || pair->inferred > 0) {
            snprintf(precision, sizeof precision, "%.3f", pair->precision);
        }
        fprintf(stream, "%c %c     %10s %10s %10s %12s %10s %10s  ", 'A' + pair->x,
                'A' + pair->y, il_grouped(pair->closed_count).text, precision,
                il_grouped(pair->agree).text, il_grouped(pair->contradict).text,
                il_grouped(pair->set_aside).text, il_grouped(pair->inferred).text);
        il_put_text(stream, pair->path);
        fputs(pair->refused ? " (no bootstrap)\n" : "\n", stream);
    }
    fprintf(stream,
            "%s chains of three links contradict themselves: their weakest were set "
            "aside, ",
            il_grouped(report.chains).text);
    il_put_text(stream, run->chains_path);
    fprintf(stream,
            " names them\n%.0f%% of the links that should be wrong, by their posteriors, "
            "show in them\n",
            100 * report.shown);
}

static json_t *pair_json(const struct pair *pair)
{
    const char sides[] = {(char)('A' + pair->x), (char)('A' + pair->y), 0};
    const struct il_link_report *report = il_link_report(pair->linking);

    return json_pack(
        "{s:o, s:b, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "sides",
        il_json_text(sides), "refused", (int)pair->refused, "why",
        il_json_text(report->why), "links", il_json_whole(pair->closed_count),
        "precision", il_json_number(pair->precision), "alone",
        il_json_whole(report->links), "agree", il_json_whole(pair->agree), "contradict",
        il_json_whole(pair->contradict), "set_aside", il_json_whole(pair->set_aside),
        "inferred", il_json_whole(pair->inferred), "file", il_json_text(pair->path));
}

static int write_json(const struct run *run)
{
    struct il_closing_report report;
    struct il_error error = {""};
    json_t *pairs = json_array();
    enum il_status status;
    char *text;

    il_closing_describe(run->closing, &report);
    for (size_t i = 0; i < run->pairs; i++) {
        json_array_append_new(pairs, pair_json(&run->pair[i]));
    }
    text = il_json_finish(json_pack(
        "{s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "schema",
        il_json_text("isolink-link-many-1"), "pairs", pairs, "chains",
        il_json_whole(report.chains), "set_aside", il_json_whole(report.set_aside),
        "inferred", il_json_whole(report.inferred), "shown", il_json_number(report.shown),
        "contradictions", il_json_text(run->chains_path)));
    if (text == NULL) {
        return il_say_memory(run->command);
    }
    status = il_text_write(run->many->json, text, strlen(text), &error);
    free(text);
    return status == IL_OK ? IL_EXIT_DONE : il_say_output(run->command, status, &error);
}

/* All outputs. IL_EXIT_BOOTSTRAP when no two sides could be linked. */
static int write_results(struct run *run)
{
    size_t refused = 0;
    int code = split_closed(run);

    for (size_t i = 0; i < run->pairs; i++) {
        refused += run->pair[i].refused;
    }
    if (code == IL_EXIT_DONE) {
        code = write_links(run);
    }
    if (code == IL_EXIT_DONE && run->many->json != NULL) {
        code = write_json(run);
    }
    if (code == IL_EXIT_DONE && !run->many->quiet) {
        put_table(stderr, run);
    }
    return code == IL_EXIT_DONE && refused == run->pairs ? IL_EXIT_BOOTSTRAP : code;
}

static void run_free(struct run *run)
{
    il_closing_close(&run->closing);
    for (size_t i = 0; i < run->pairs; i++) {
        il_link_close(&run->pair[i].linking);
        il_pairs_free(run->pair[i].seeds);
        free(run->pair[i].closed);
    }
    for (unsigned side = 0; side < run->many->sides; side++) {
        il_ids_close(&run->own_ids[side]);
        il_vectors_close(&run->vectors[side]);
    }
    free(run);
}

int il_link_many(const char *command, struct il_many *many)
{
    struct run *run = calloc(1, sizeof *run);
    int code;

    if (run == NULL) {
        return il_say_memory(command);
    }
    run->command = command;
    run->many = many;
    code = plan(run);
    code = code == IL_EXIT_DONE ? load(run) : code;
    for (size_t i = 0; i < run->pairs && code == IL_EXIT_DONE; i++) {
        code = link_pair(run, &run->pair[i]);
    }
    code = code == IL_EXIT_DONE ? close_pairs(run) : code;
    code = code == IL_EXIT_DONE ? write_results(run) : code;
    run_free(run);
    return code;
}
