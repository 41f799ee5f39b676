/* SPDX-License-Identifier: Apache-2.0 */
/* isolink export: the rows of a store as a file of another program's format. */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "cli.h"
#include "inputs.h"
#include "opts.h"
#include "progress.h"
#include "report.h"
#include "stores.h"

#define COMMAND "export"
#define BATCH 256
#define BATCH_BYTES ((size_t)1 << 20)

static const char help[] =
    "Examples\n"
    "  isolink export docs.store docs.npy --ids docs.txt\n"
    "      the rows as numpy reads them, their ids one a line\n"
    "  isolink export docs.store - | jq -r .id\n"
    "      {\"id\": \"..\", \"vector\": [..]} a line, on standard output\n"
    "\n"
    "Usage: isolink export STORE OUT [options]\n"
    "  OUT               .npy, .fvecs or .jsonl; '-' is standard output\n"
    "  --format F        npy, fvecs or jsonl     [the name says it; jsonl for '-']\n"
    "  --ids FILE        also write the ids, one a line; they stand in no .npy or\n"
    "                    .fvecs file\n"
    "  --io IO           how the store is read: auto, uring or pread          [auto]\n"
    "  -q, --quiet       errors only\n"
    "  --no-progress     no progress bar (it shows on a terminal only)\n"
    "  -h, --help        this text\n"
    "\n"
    "Rows are f32 of all coordinates, brought back through the basis where the store "
    "has\n"
    "one. OUT is written whole or not at all. An id that is no UTF-8 becomes\n"
    "{\"id_hex\": \"..\", ..} in JSONL, its bytes in hexadecimal digits.\n"
    "\n"
    "Exit status: 0 done, 1 failed, 2 usage, 3 bad input, 4 damaged store, 130\n"
    "interrupted.\n";

static const struct option options[] = {
    {"format", required_argument, NULL, IL_OPT_FORMAT},
    {"ids", required_argument, NULL, IL_OPT_IDS},
    {"io", required_argument, NULL, IL_OPT_IO},
    {"quiet", no_argument, NULL, 'q'},
    {"no-progress", no_argument, NULL, IL_OPT_NO_PROGRESS},
    {"help", no_argument, NULL, 'h'},
    {NULL, 0, NULL, 0},
};

struct export_args {
    const char *store;
    const char *out; /**< "-": standard output */
    const char *ids; /**< NULL: none */
    enum il_kind kind;
    enum il_io io;
    bool quiet;
    bool progress;
    bool help;
};

struct export_run {
    struct il_store *store;
    struct il_store_info info;
    struct il_store_cursor *cursor;
    struct il_sink *sink;
    struct il_progress bar;
    float *rows;
    const void *ids[BATCH];
    size_t id_bytes[BATCH];
};

static bool take_format(struct export_args *args)
{
    static const char *const words[] = {"npy", "fvecs", "jsonl"};
    static const enum il_kind kinds[] = {IL_KIND_NPY, IL_KIND_FVECS, IL_KIND_JSONL};
    int index = il_opts_word(COMMAND, "--format", optarg, words, 3);

    if (index >= 0) {
        args->kind = kinds[index];
    }
    return index >= 0;
}

static bool take_option(int option, struct export_args *args)
{
    switch (option) {
    case IL_OPT_FORMAT:
        return take_format(args);
    case IL_OPT_IDS:
        args->ids = optarg;
        return true;
    case IL_OPT_IO:
        return il_opts_io(COMMAND, optarg, &args->io);
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

static int read_args(int argc, char **argv, struct export_args *args)
{
    int option;

    memset(args, 0, sizeof *args);
    args->progress = true;
    while ((option = il_opts_next(argc, argv, ":hq", options)) != -1) {
        if (option == IL_OPT_ERROR || !take_option(option, args)) {
            return IL_EXIT_USAGE;
        }
        if (args->help) {
            return IL_EXIT_DONE;
        }
    }
    if (argc - optind != 2) {
        il_say(COMMAND,
               "wants a store and a file, STORE OUT, got %d; 'isolink export --help' "
               "shows examples",
               argc - optind);
        return IL_EXIT_USAGE;
    }
    args->store = argv[optind];
    args->out = argv[optind + 1];
    if (args->ids != NULL && strcmp(args->ids, args->out) == 0) {
        il_say(COMMAND, "%s: rows and ids cannot go to one file", args->out);
        return IL_EXIT_USAGE;
    }
    return IL_EXIT_DONE;
}

/* Fails before the store is read where it would fail after it. */
static int check_outputs(const struct export_args *args)
{
    const struct il_input_paths none = {.io = IL_IO_AUTO};
    const char *const paths[] = {args->out, args->ids};
    int code = IL_EXIT_DONE;

    for (int i = 0; i < 2 && code == IL_EXIT_DONE; i++) {
        char *resolved = NULL;

        if (paths[i] != NULL && strcmp(paths[i], "-") != 0) {
            code = il_output_check(COMMAND, paths[i], &none, &resolved);
        }
        free(resolved);
    }
    return code;
}

static int open_all(const struct export_args *args, struct export_run *run)
{
    struct il_store_config config;
    struct il_sink_config to;
    struct il_error error = {""};
    enum il_status status;
    int code;

    il_store_config_init(&config);
    config.io = args->io;
    code = il_store_open_say(&run->store, COMMAND, args->store, &config);
    if (code != IL_EXIT_DONE) {
        return code;
    }
    il_store_describe(run->store, &run->info);
    il_sink_config_init(&to);
    to.kind = args->kind;
    to.dim = run->info.dim;
    to.rows = run->info.rows;
    to.ids = args->ids;
    status = il_sink_open(&run->sink, args->out, &to, &error);
    if (status != IL_OK) {
        return il_say_output(COMMAND, status, &error);
    }
    status = il_store_cursor_open(&run->cursor, run->store, &error);
    return status == IL_OK ? IL_EXIT_DONE : il_say_status(COMMAND, status, &error);
}

static int copy_rows(struct export_run *run)
{
    struct il_error error = {""};
    size_t most = BATCH_BYTES / (run->info.dim * sizeof(float));
    size_t count = 1;
    double done = 0.0;

    most = most < 1 ? 1 : most > BATCH ? BATCH : most;
    run->rows = malloc(most * run->info.dim * sizeof(float));
    if (run->rows == NULL) {
        return il_say_memory(COMMAND);
    }
    while (count > 0) {
        enum il_status status = il_store_cursor_next(
            run->cursor, 0, most, run->rows, run->ids, run->id_bytes, &count, &error);

        if (status != IL_OK) {
            return il_say_status(COMMAND, status, &error);
        }
        status =
            il_sink_put(run->sink, count, run->rows, run->ids, run->id_bytes, &error);
        if (status != IL_OK) {
            return il_say_output(COMMAND, status, &error);
        }
        if (atomic_load(il_cancel_flag()) != 0) {
            il_progress_clear(&run->bar);
            return il_say_cancelled(COMMAND);
        }
        done += (double)count;
        il_progress_step(&run->bar, "export", done, (double)run->info.rows);
    }
    return IL_EXIT_DONE;
}

static int export_rows(const struct export_args *args, struct export_run *run)
{
    struct il_error error = {""};
    enum il_status status;
    int code = open_all(args, run);

    if (code == IL_EXIT_DONE) {
        code = copy_rows(run);
    }
    il_progress_clear(&run->bar);
    if (code == IL_EXIT_DONE) {
        status = il_sink_close(&run->sink, &error);
        code = status == IL_OK ? IL_EXIT_DONE : il_say_output(COMMAND, status, &error);
    }
    if (code == IL_EXIT_DONE && !args->quiet) {
        fprintf(stderr, "%-11s %s x %zu f32 in ", "rows",
                il_grouped((size_t)run->info.rows).text, run->info.dim);
        il_put_text(stderr, strcmp(args->out, "-") != 0 ? args->out : "standard output");
        if (args->ids != NULL) {
            fputs(", ids in ", stderr);
            il_put_text(stderr,
                        strcmp(args->ids, "-") != 0 ? args->ids : "standard output");
        }
        fputc('\n', stderr);
    }
    il_sink_abort(&run->sink);
    il_store_cursor_close(&run->cursor);
    il_store_close(&run->store);
    free(run->rows);
    return code;
}

int il_cmd_export(int argc, char **argv)
{
    struct export_args args;
    struct export_run run;
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
        code = export_rows(&args, &run);
    }
    return il_stdout_end(COMMAND, code);
}
