/* SPDX-License-Identifier: Apache-2.0 */
/* isolink map apply: rows of one model as rows of the other. */
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "cmd_map.h"
#include "inputs.h"
#include "map_in.h"
#include "opts.h"
#include "progress.h"
#include "report.h"
#include "rows_in.h"

#define COMMAND "map apply"

static const char help[] =
    "Examples\n"
    "  isolink map apply m.ilm a.store -o a_in_b.npy --ids ids.txt\n"
    "      every row of A as a row of B, of length 1\n"
    "  isolink map apply m.ilm new.jsonl -o - --reverse | head -n 1\n"
    "      the other way, as JSONL\n"
    "\n"
    "Usage: isolink map apply MAP IN -o OUT [options]\n"
    "  IN                a store, or a file, as 'isolink import' takes it; '-' is\n"
    "                    standard input\n"
    "  -o, --output OUT  .npy, .fvecs or .jsonl; '-' is standard output, JSONL\n"
    "  --reverse         from the space of B to that of A\n"
    "  --confidence FILE also write the confidence of each row, rows of one number:\n"
    "                    .npy, .fvecs or .jsonl\n"
    "  --ids FILE        also write the ids, one a line\n"
    "  --force           rows of another model than the map was fitted on\n"
    "  --io IO           how a store is read: auto, uring or pread            [auto]\n"
    "  --threads N       1 to 256; 0 = one per core; never changes a bit         [0]\n"
    "  -q, --quiet       errors only\n"
    "  --no-progress     no progress bar (it shows on a terminal only)\n"
    "  -h, --help        this text\n"
    "\n"
    "Confidence: the share of held-out links like this row whose partner was among the\n"
    "first ten that the map finds. It says whether the counterpart would be found if it\n"
    "is there, not whether there is one. A row that is zero or not finite has no image:\n"
    "zeros, confidence 0.\n"
    "\n"
    "Exit status: 0 done, 1 failed, 2 usage, 3 bad input, 4 damaged map or store, 130\n"
    "interrupted.\n";

static const struct option options[] = {
    {"output", required_argument, NULL, 'o'},
    {"reverse", no_argument, NULL, IL_OPT_REVERSE},
    {"confidence", required_argument, NULL, IL_OPT_CONFIDENCE},
    {"ids", required_argument, NULL, IL_OPT_IDS},
    {"force", no_argument, NULL, IL_OPT_FORCE},
    {"io", required_argument, NULL, IL_OPT_IO},
    {"threads", required_argument, NULL, IL_OPT_THREADS},
    {"quiet", no_argument, NULL, 'q'},
    {"no-progress", no_argument, NULL, IL_OPT_NO_PROGRESS},
    {"help", no_argument, NULL, 'h'},
    {NULL, 0, NULL, 0},
};

struct apply_args {
    const char *map;
    const char *in;
    const char *out;
    const char *confidence; /**< NULL: none */
    const char *ids;        /**< NULL: none */
    enum il_io io;
    unsigned threads;
    bool reverse;
    bool force;
    bool quiet;
    bool progress;
    bool help;
};

struct apply_run {
    struct il_map_in map;
    struct il_rows_in in;
    struct il_mapper *mapper;
    struct il_sink *out;
    struct il_sink *confidence;
    struct il_progress bar;
    float *rows; /**< images of a batch */
    float sure[IL_ROWS_IN_MAX];
    double mean; /**< sum of confidences */
    uint64_t done, lost;
};

static bool take_option(int option, struct apply_args *args)
{
    uint64_t number = 0;

    switch (option) {
    case 'o':
        args->out = optarg;
        return true;
    case IL_OPT_REVERSE:
        args->reverse = true;
        return true;
    case IL_OPT_CONFIDENCE:
        args->confidence = optarg;
        return true;
    case IL_OPT_IDS:
        args->ids = optarg;
        return true;
    case IL_OPT_FORCE:
        args->force = true;
        return true;
    case IL_OPT_IO:
        return il_opts_io(COMMAND, optarg, &args->io);
    case IL_OPT_THREADS:
        if (!il_opts_number(COMMAND, "--threads", optarg, 0, 256, &number)) {
            return false;
        }
        args->threads = (unsigned)number;
        return true;
    case 'q':
        args->quiet = true;
        return true;
    case IL_OPT_NO_PROGRESS:
        args->progress = false;
        return true;
    case 'h':
        args->help = true;
        return true;
    default:
        return false;
    }
}

static bool args_agree(const struct apply_args *args, int operands)
{
    const char *const out[] = {args->out, args->confidence, args->ids};

    if (operands != 2) {
        il_say(COMMAND,
               "wants a map and rows, MAP IN, got %d; 'isolink map apply --help' shows "
               "examples",
               operands);
        return false;
    }
    if (args->out == NULL) {
        il_say(COMMAND, "needs -o OUT, the file that the rows go to");
        return false;
    }
    for (int i = 0; i < 3; i++) {
        for (int j = i + 1; j < 3; j++) {
            if (out[i] != NULL && out[j] != NULL && strcmp(out[i], out[j]) == 0) {
                il_say(COMMAND, "%s: two outputs cannot go to one file", out[i]);
                return false;
            }
        }
    }
    return true;
}

static int read_args(int argc, char **argv, struct apply_args *args)
{
    int option;

    memset(args, 0, sizeof *args);
    args->progress = true;
    while ((option = il_opts_next(argc, argv, ":ho:q", options)) != -1) {
        if (option == IL_OPT_ERROR || !take_option(option, args)) {
            return IL_EXIT_USAGE;
        }
        if (args->help) {
            return IL_EXIT_DONE;
        }
    }
    if (!args_agree(args, argc - optind)) {
        return IL_EXIT_USAGE;
    }
    args->map = argv[optind];
    args->in = argv[optind + 1];
    return IL_EXIT_DONE;
}

/* Fails before the rows are read where it would fail after it. */
static int check_outputs(const struct apply_args *args)
{
    const struct il_input_paths inputs = {.side = {args->in, args->map}};
    const char *const paths[] = {args->out, args->confidence, args->ids};
    int code = IL_EXIT_DONE;

    for (int i = 0; i < 3 && code == IL_EXIT_DONE; i++) {
        char *resolved = NULL;

        if (paths[i] != NULL && strcmp(paths[i], "-") != 0) {
            code = il_output_check(COMMAND, paths[i], &inputs, &resolved);
        }
        free(resolved);
    }
    return code;
}

static int open_sink(struct il_sink **out, const char *path, size_t dim, uint64_t rows,
                     const char *ids)
{
    struct il_sink_config config;
    struct il_error error = {""};
    enum il_status status;

    il_sink_config_init(&config);
    config.dim = dim;
    config.rows = rows;
    config.ids = ids;
    status = il_sink_open(out, path, &config, &error);
    return status == IL_OK ? IL_EXIT_DONE : il_say_output(COMMAND, status, &error);
}

static int open_all(const struct apply_args *args, struct apply_run *run)
{
    int from = args->reverse;
    struct il_error error = {""};
    enum il_status status;
    size_t dim;
    int code = il_map_in_load(&run->map, COMMAND, args->map);

    if (code == IL_EXIT_DONE) {
        code = il_rows_in_open(&run->in, COMMAND, args->in, args->io);
    }
    if (code == IL_EXIT_DONE) {
        code = il_map_in_check(&run->map, COMMAND, from, args->in, run->in.dim,
                               run->in.model, args->force);
    }
    if (code != IL_EXIT_DONE) {
        return code;
    }
    status = il_mapper_open(&run->mapper, run->map.mapping, args->reverse, args->threads,
                            &error);
    if (status != IL_OK) {
        return il_say_status(COMMAND, status, &error);
    }
    dim = run->map.info->dim[!from];
    run->rows = malloc(run->in.most * dim * sizeof(float));
    if (run->rows == NULL) {
        return il_say_memory(COMMAND);
    }
    code = open_sink(&run->out, args->out, dim, run->in.rows, args->ids);
    if (code == IL_EXIT_DONE && args->confidence != NULL) {
        code = open_sink(&run->confidence, args->confidence, 1, run->in.rows, NULL);
    }
    return code;
}

/* A batch through the map. */
static int put_batch(struct apply_run *run)
{
    struct il_rows_in *in = &run->in;
    struct il_error error = {""};
    size_t lost = 0;
    enum il_status status =
        il_mapper_rows(run->mapper, in->row, in->count, run->rows, run->sure, &lost);

    if (status != IL_OK) {
        return il_say_status(COMMAND, status, &error);
    }
    status = il_sink_put(run->out, in->count, run->rows, in->id, in->id_bytes, &error);
    if (status == IL_OK && run->confidence != NULL) {
        status = il_sink_put(run->confidence, in->count, run->sure, in->id, in->id_bytes,
                             &error);
    }
    for (size_t i = 0; i < in->count; i++) {
        run->mean += (double)run->sure[i];
    }
    run->lost += lost;
    run->done += in->count;
    return status == IL_OK ? IL_EXIT_DONE : il_say_output(COMMAND, status, &error);
}

static int close_sinks(struct apply_run *run)
{
    struct il_error error = {""};
    enum il_status status = IL_OK;

    if (run->confidence != NULL) {
        status = il_sink_close(&run->confidence, &error);
    }
    if (status == IL_OK) {
        status = il_sink_close(&run->out, &error);
    }
    return status == IL_OK ? IL_EXIT_DONE : il_say_output(COMMAND, status, &error);
}

static int map_rows(const struct apply_args *args, struct apply_run *run)
{
    double total = run->in.rows != UINT64_MAX ? (double)run->in.rows : 0.0;
    int code = IL_EXIT_DONE;

    do {
        code = il_rows_in_next(&run->in, COMMAND);
        if (code == IL_EXIT_DONE && run->in.count > 0) {
            code = put_batch(run);
        }
        il_progress_step(&run->bar, "map", (double)run->done, total);
    } while (code == IL_EXIT_DONE && run->in.count > 0);
    il_progress_clear(&run->bar);
    if (code == IL_EXIT_DONE) {
        code = close_sinks(run);
    }
    if (code == IL_EXIT_DONE && !args->quiet && run->lost > 0) {
        il_say(COMMAND, "warning: %s: %zu of %zu rows are zero or not finite: no image",
               args->in, (size_t)run->lost, (size_t)run->done);
    }
    return code;
}

static void tell(const struct apply_args *args, const struct apply_run *run)
{
    fprintf(stderr, "rows        %s x %zu f32 in ", il_grouped((size_t)run->done).text,
            run->map.info->dim[!args->reverse]);
    il_put_text(stderr, strcmp(args->out, "-") != 0 ? args->out : "standard output");
    fprintf(stderr, "; mean confidence %.3f\n",
            run->done > 0 ? run->mean / (double)run->done : 0.0);
}

int il_cmd_map_apply(int argc, char **argv)
{
    struct apply_args args;
    static struct apply_run run;
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
    il_progress_init(&run.bar, args.progress && !args.quiet);
    code = check_outputs(&args);
    if (code == IL_EXIT_DONE) {
        code = open_all(&args, &run);
    }
    if (code == IL_EXIT_DONE) {
        code = map_rows(&args, &run);
    }
    if (code == IL_EXIT_DONE && !args.quiet) {
        tell(&args, &run);
    }
    il_sink_abort(&run.out);
    il_sink_abort(&run.confidence);
    il_mapper_close(&run.mapper);
    il_rows_in_close(&run.in);
    il_map_in_close(&run.map);
    free(run.rows);
    return il_stdout_end(COMMAND, code);
}
