/* SPDX-License-Identifier: Apache-2.0 */
/* isolink diff: which documents only one of two sides has. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "event_line.h"
#include "inputs.h"
#include "map_in.h"
#include "opts.h"
#include "report.h"
#include "stores.h"

#define COMMAND "diff"
#define BATCH 512

static const char help[] =
    "Examples\n"
    "  isolink diff a.store b.store --links links.csv --map m.ilm --recall 0.86 \\\n"
    "      -o alone.csv\n"
    "      before a cut-over: what B lacks, and what A lacks\n"
    "  isolink diff a.store b.store --links links.csv --map m.ilm --recall 0.86 |\n"
    "      awk -F, '$1 == \"a\" && $3 > 0.9'\n"
    "\n"
    "Usage: isolink diff A B --links FILE --map MAP --recall R [options]\n"
    "  A, B                  stores, or files, as 'isolink link' takes them\n"
    "  --links FILE          their links, CSV: a_id,b_id,posterior\n"
    "  --map MAP             a map that was fitted on them\n"
    "  --recall R            share of the common documents that are linked, above 0 to\n"
    "                        1: what the report of 'isolink link' estimates\n"
    "  -o, --output FILE     where the rows go; '-' is standard output            [-]\n"
    "  --a-ids, --b-ids FILE ids, one a line        [of the side, or row numbers]\n"
    "  --force               sides of other models than the map was fitted on\n"
    "  --io IO               how stores are read: auto, uring or pread          [auto]\n"
    "  --threads N           1 to 256; 0 = one per core; never changes a bit       [0]\n"
    "  -q, --quiet           no summary\n"
    "  -h, --help            this text\n"
    "\n"
    "CSV side,id,confidence,nearest,score: every row without a link, the estimated\n"
    "probability that the other side has no counterpart, and the row there that is\n"
    "nearest through the map. The number of them rests on the recall, which row it is "
    "on\n"
    "how links score and what linked rows find beside their partners; counterparts that\n"
    "were missed are harder to tell than those that were found. No proof: look at the\n"
    "nearest row.\n"
    "\n"
    "Exit status: 0 done, 1 failed, 2 usage, 3 bad input, 4 damaged map or store, 5 too\n"
    "few links, 130 interrupted.\n";

static const struct option options[] = {
    {"links", required_argument, NULL, IL_OPT_LINKS},
    {"map", required_argument, NULL, IL_OPT_MAP},
    {"recall", required_argument, NULL, IL_OPT_RECALL},
    {"output", required_argument, NULL, 'o'},
    {"a-ids", required_argument, NULL, IL_OPT_A_IDS},
    {"b-ids", required_argument, NULL, IL_OPT_B_IDS},
    {"force", no_argument, NULL, IL_OPT_FORCE},
    {"io", required_argument, NULL, IL_OPT_IO},
    {"threads", required_argument, NULL, IL_OPT_THREADS},
    {"quiet", no_argument, NULL, 'q'},
    {"help", no_argument, NULL, 'h'},
    {NULL, 0, NULL, 0},
};

struct diff_args {
    struct il_input_paths path;
    const char *map;
    const char *output;
    double recall; /**< below 0: not given */
    unsigned threads;
    bool force;
    bool quiet;
    bool help;
};

/* One side: its rows searched on the other. */
struct diff_side {
    struct il_diff_row *row;
    uint32_t *nearest;
    double *alone;
    struct il_diff_estimate estimate;
};

struct diff_run {
    struct il_inputs in;
    struct il_map_in map;
    struct diff_side side[2];
};

static bool take_option(int option, struct diff_args *args)
{
    uint64_t number = 0;

    switch (option) {
    case IL_OPT_LINKS:
        args->path.links = optarg;
        return true;
    case IL_OPT_MAP:
        args->map = optarg;
        return true;
    case IL_OPT_RECALL:
        return il_opts_share(COMMAND, "--recall", optarg, &args->recall);
    case 'o':
        args->output = optarg;
        return true;
    case IL_OPT_A_IDS:
        args->path.ids[0] = optarg;
        return true;
    case IL_OPT_B_IDS:
        args->path.ids[1] = optarg;
        return true;
    case IL_OPT_FORCE:
        args->force = true;
        return true;
    case IL_OPT_IO:
        return il_opts_io(COMMAND, optarg, &args->path.io);
    case IL_OPT_THREADS:
        if (!il_opts_number(COMMAND, "--threads", optarg, 0, 256, &number)) {
            return false;
        }
        args->threads = (unsigned)number;
        return true;
    case 'q':
        args->quiet = true;
        return true;
    case 'h':
        args->help = true;
        return true;
    default:
        return false;
    }
}

static int read_args(int argc, char **argv, struct diff_args *args)
{
    int option;

    memset(args, 0, sizeof *args);
    args->output = "-";
    args->recall = -1;
    args->path.whole = true;
    while ((option = il_opts_next(argc, argv, ":ho:q", options)) != -1) {
        if (option == IL_OPT_ERROR || !take_option(option, args)) {
            return IL_EXIT_USAGE;
        }
        if (args->help) {
            return IL_EXIT_DONE;
        }
    }
    if (argc - optind != 2) {
        il_say(COMMAND,
               "wants two sides, A and B, got %d; 'isolink diff --help' shows examples",
               argc - optind);
    } else if (args->path.links == NULL || args->map == NULL || args->recall < 0) {
        il_say(COMMAND, "needs --links FILE, --map MAP and --recall R");
    } else if (args->recall == 0.0) {
        il_say(COMMAND, "option '--recall' wants a number above 0");
    } else {
        args->path.side[0] = argv[optind];
        args->path.side[1] = argv[optind + 1];
        return IL_EXIT_DONE;
    }
    return IL_EXIT_USAGE;
}

static int load_all(const struct diff_args *args, struct diff_run *run)
{
    char *resolved = NULL;
    int code = IL_EXIT_DONE;

    if (strcmp(args->output, "-") != 0) {
        code = il_output_check(COMMAND, args->output, &args->path, &resolved);
        free(resolved);
    }
    if (code == IL_EXIT_DONE) {
        code = il_map_in_load(&run->map, COMMAND, args->map);
    }
    if (code == IL_EXIT_DONE) {
        code = il_inputs_load(&run->in, &args->path, COMMAND);
    }
    for (int side = 0; side < 2 && code == IL_EXIT_DONE; side++) {
        const char *path = args->path.side[side];
        char model[IL_MODEL_TEXT];

        code = il_store_model(COMMAND, path, args->path.io, model);
        if (code == IL_EXIT_DONE) {
            code = il_map_in_check(&run->map, COMMAND, side, path, run->in.rows[side].dim,
                                   model, args->force);
        }
    }
    if (code == IL_EXIT_DONE && !args->quiet) {
        il_inputs_warn_links(&run->in, COMMAND);
    }
    return code;
}

static bool side_open(struct diff_run *run, int side)
{
    struct diff_side *s = &run->side[side];
    size_t rows = run->in.rows[side].rows;

    s->row = calloc(rows, sizeof *s->row);
    s->nearest = calloc(rows, sizeof *s->nearest);
    s->alone = malloc(rows * sizeof *s->alone);
    return s->row != NULL && s->nearest != NULL && s->alone != NULL;
}

/* All rows of a side as rows of the other one's space; to be freed. */
static float *map_side(struct diff_run *run, int side, unsigned threads,
                       struct il_error *error, enum il_status *status)
{
    const struct il_matrix *from = &run->in.rows[side];
    size_t dim = run->in.rows[!side].dim;
    struct il_mapper *mapper = NULL;
    float *rows = malloc(BATCH * from->dim * sizeof *rows);
    float *out = malloc(from->rows * dim * sizeof *out);

    *status = rows != NULL && out != NULL ? IL_OK : IL_ENOMEM;
    if (*status == IL_OK) {
        *status = il_mapper_open(&mapper, run->map.mapping, side, threads, error);
    }
    for (size_t at = 0; at < from->rows && *status == IL_OK; at += BATCH) {
        size_t count = from->rows - at < BATCH ? from->rows - at : BATCH;

        il_matrix_to_f32(from, at, count, rows, from->dim);
        *status = il_mapper_rows(mapper, rows, count, out + at * dim, NULL, NULL);
    }
    il_mapper_close(&mapper);
    free(rows);
    return out;
}

/* The two best of every row. */
static enum il_status search_side(struct diff_run *run, int side, unsigned threads,
                                  struct il_search **search, struct il_error *error)
{
    const struct il_matrix *to = &run->in.rows[!side];
    struct il_search_config config;
    enum il_status status;
    float *query = map_side(run, side, threads, error, &status);
    float *rows = malloc(BATCH * to->dim * sizeof *rows);

    il_search_config_init(&config);
    config.top = 2;
    config.threads = threads;
    config.cancel = il_cancel_flag();
    status = status == IL_OK && rows == NULL ? IL_ENOMEM : status;
    if (status == IL_OK) {
        status = il_search_open(search, query, run->in.rows[side].rows, to->dim, &config,
                                error);
    }
    for (size_t at = 0; at < to->rows && status == IL_OK; at += BATCH) {
        size_t count = to->rows - at < BATCH ? to->rows - at : BATCH;

        il_matrix_to_f32(to, at, count, rows, to->dim);
        status = il_search_add(*search, rows, count, NULL, NULL, error);
    }
    free(rows);
    free(query);
    return status;
}

/* What the judge wants to know of every row. A row that finds nothing scores -1. */
static enum il_status take_hits(struct diff_run *run, int side,
                                const struct il_search *search)
{
    struct diff_side *s = &run->side[side];
    size_t rows = run->in.rows[side].rows;
    uint64_t *partner = malloc(rows * sizeof *partner);

    if (partner == NULL) {
        return IL_ENOMEM;
    }
    for (size_t i = 0; i < rows; i++) {
        partner[i] = UINT64_MAX;
    }
    for (size_t i = 0; i < run->in.link_count; i++) {
        const struct il_link *link = &run->in.links[i];
        size_t row = (size_t)(side ? link->b : link->a);

        partner[row] = side ? link->a : link->b;
        s->row[row].linked = 1;
        s->row[row].posterior = link->posterior;
    }
    for (size_t i = 0; i < rows; i++) {
        struct il_hit hit[2] = {{.score = -1}, {.score = -1}};
        size_t count = il_search_hits(search, i, hit);

        s->nearest[i] = count > 0 ? (uint32_t)hit[0].row : UINT32_MAX;
        s->row[i].best = hit[0].score;
        s->row[i].rest =
            count > 0 && hit[0].row == partner[i] ? hit[1].score : hit[0].score;
    }
    free(partner);
    return IL_OK;
}

static int judge_side(const struct diff_args *args, struct diff_run *run, int side)
{
    struct il_search *search = NULL;
    struct diff_side *s = &run->side[side];
    struct il_error error = {""};
    enum il_status status = IL_ENOMEM;
    double right = 0.0;

    if (side_open(run, side)) {
        status = search_side(run, side, args->threads, &search, &error);
    }
    if (status == IL_OK) {
        status = take_hits(run, side, search);
    }
    if (status == IL_OK) {
        for (size_t i = 0; i < run->in.link_count; i++) {
            right += run->in.links[i].posterior;
        }
        status =
            il_diff_judge(s->row, run->in.rows[side].rows, right * (1 / args->recall - 1),
                          s->alone, &s->estimate, &error);
    }
    il_search_close(&search);
    if (atomic_load(il_cancel_flag()) != 0) {
        return il_say_cancelled(COMMAND);
    }
    return status == IL_OK ? IL_EXIT_DONE : il_say_status(COMMAND, status, &error);
}

static void put_side(FILE *to, const struct diff_run *run, int side)
{
    const struct diff_side *s = &run->side[side];
    char field[2 * IL_ID_BYTES_MAX + 2];

    for (size_t i = 0; i < run->in.rows[side].rows; i++) {
        if (s->row[i].linked) {
            continue;
        }
        const char *id = il_ids_text(run->in.ids[side], i);
        uint32_t near = s->nearest[i];
        char *end = il_csv_put(field, id, strlen(id));
        fprintf(to, "%c,%.*s,%s,", "ab"[side], (int)(end - field), field,
                il_fixed(s->alone[i]).text);
        if (near != UINT32_MAX) {
            id = il_ids_text(run->in.ids[!side], near);
            end = il_csv_put(field, id, strlen(id));
            fwrite(field, 1, (size_t)(end - field), to);
        }
        fprintf(to, ",%s\n", il_fixed((double)s->row[i].best).text);
    }
}

/* The rows, whole or not at all. */
static int write_rows(const struct diff_args *args, const struct diff_run *run)
{
    struct il_error error = {""};
    enum il_status status = IL_ENOMEM;
    char *text = NULL;
    size_t bytes = 0;
    FILE *to = open_memstream(&text, &bytes);

    if (to != NULL) {
        fputs("side,id,confidence,nearest,score\n", to);
        put_side(to, run, 0);
        put_side(to, run, 1);
        if (fclose(to) == 0) {
            status = il_text_write(args->output, text, bytes, &error);
        }
    }
    free(text);
    return status == IL_OK ? IL_EXIT_DONE : il_say_output(COMMAND, status, &error);
}

static void tell(const struct diff_run *run)
{
    for (int side = 0; side < 2; side++) {
        const struct il_diff_estimate *e = &run->side[side].estimate;

        fprintf(stderr,
                "side %c      %s rows, %s without a link; about %s of them in %c "
                "alone\n",
                "AB"[side], il_grouped(run->in.rows[side].rows).text,
                il_grouped(e->unlinked).text, il_grouped((size_t)llrint(e->alone)).text,
                "AB"[side]);
    }
    fprintf(stderr, "links       %s, about %s of them wrong by their posteriors\n",
            il_grouped(run->in.link_count).text,
            il_grouped((size_t)llrint(run->side[0].estimate.wrong)).text);
}

int il_cmd_diff(int argc, char **argv)
{
    struct diff_args args;
    struct diff_run run;
    int code = read_args(argc, argv, &args);

    memset(&run, 0, sizeof run);
    if (code != IL_EXIT_DONE) {
        return code;
    }
    if (args.help) {
        fputs(help, stdout);
        return il_stdout_end(COMMAND, IL_EXIT_DONE);
    }
    il_cancel_install();
    code = load_all(&args, &run);
    for (int side = 0; side < 2 && code == IL_EXIT_DONE; side++) {
        code = judge_side(&args, &run, side);
    }
    if (code == IL_EXIT_DONE) {
        code = write_rows(&args, &run);
    }
    if (code == IL_EXIT_DONE && !args.quiet) {
        tell(&run);
    }
    for (int side = 0; side < 2; side++) {
        free(run.side[side].row);
        free(run.side[side].nearest);
        free(run.side[side].alone);
    }
    il_inputs_free(&run.in);
    il_map_in_close(&run.map);
    return il_stdout_end(COMMAND, code);
}
