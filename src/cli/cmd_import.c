/* SPDX-License-Identifier: Apache-2.0 */
/* isolink import: rows of a file become a store, or more rows of one; all or none. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "cli.h"
#include "feed.h"
#include "fresh.h"
#include "import_axes.h"
#include "opts.h"
#include "progress.h"
#include "report_store.h"
#include "stores.h"

#define COMMAND "import"

static const char help[] =
    "Examples\n"
    "  isolink import docs.npy docs.store --ids docs.txt --model all-MiniLM-L6-v2\n"
    "      a quarter of the size of the .npy, and every byte is checked when it is read\n"
    "  isolink import docs.npy docs.store --ids docs.txt --pca 50% --codec f16\n"
    "      half of the coordinates, those of the principal axes\n"
    "  zcat new.jsonl.gz | isolink import - docs.store --append --replace\n"
    "      more rows, or newer ones, {\"id\": \"..\", \"vector\": [..]} a line\n"
    "\n"
    "Usage: isolink import SRC STORE [options]\n"
    "  SRC               a file of vectors, also packed (.zst); '-' is standard input\n"
    "  STORE             the directory of the store; made unless --append\n"
    "  --ids FILE        ids, one a line          [those of SRC, else row numbers]\n"
    "  --codec C         f32, f16, i8, fp8 or b1 for a coordinate               [i8]\n"
    "  --pca N|P%        keep N coordinates, or P percent of them      [all of them]\n"
    "  --model NAME      the embedding model; a store holds vectors of one\n"
    "  --append          add to STORE, which must be there\n"
    "  --replace         a row replaces an earlier one of the same id     [refused]\n"
    "  --on-bad skip|fail  rows that are zero, not finite or too large for C  [skip]\n"
    "  --format F        what SRC is: npy, fvecs, bvecs, fbin, f16bin, u8bin, i8bin,\n"
    "                    jsonl, csv, faiss, safetensors or sqlite-vec\n"
    "                                             [its name or its first bytes say it]\n"
    "  --table T         tensor or table, when SRC has several\n"
    "  --column C        column or key of the vectors, when SRC has several\n"
    "  --memory SIZE     bound on resident memory, as in 256M; never changes the store\n"
    "  --scratch DIR     where large arrays lie then            [beside the store]\n"
    "  --json            the report as JSON on standard output\n"
    "  -q, --quiet       errors only\n"
    "  --no-progress     no progress bar (it shows on a terminal only)\n"
    "  -h, --help        this text\n"
    "\n"
    "The import is all or nothing: a new store is made as STORE.new and renamed at the\n"
    "end; one that is added to stays as it was until the end.\n"
    "\n"
    "Exit status: 0 done, 1 failed, 2 usage, 3 bad input, 4 damaged store, 6 somebody\n"
    "else writes the store, 7 the bound on memory or the scratch disk is too small, 130\n"
    "interrupted.\n";

static const struct option options[] = {
    {"ids", required_argument, NULL, IL_OPT_IDS},
    {"codec", required_argument, NULL, IL_OPT_CODEC},
    {"pca", required_argument, NULL, IL_OPT_PCA},
    {"model", required_argument, NULL, IL_OPT_MODEL},
    {"append", no_argument, NULL, IL_OPT_APPEND},
    {"replace", no_argument, NULL, IL_OPT_REPLACE},
    {"on-bad", required_argument, NULL, IL_OPT_ON_BAD},
    {"format", required_argument, NULL, IL_OPT_FORMAT},
    {"table", required_argument, NULL, IL_OPT_TABLE},
    {"column", required_argument, NULL, IL_OPT_COLUMN},
    {"memory", required_argument, NULL, IL_OPT_MEMORY},
    {"scratch", required_argument, NULL, IL_OPT_SCRATCH},
    {"json", no_argument, NULL, IL_OPT_JSON},
    {"quiet", no_argument, NULL, 'q'},
    {"no-progress", no_argument, NULL, IL_OPT_NO_PROGRESS},
    {"help", no_argument, NULL, 'h'},
    {NULL, 0, NULL, 0},
};

struct import_args {
    const char *source;
    const char *store;
    const char *ids;
    const char *pca;   /**< NULL: all coordinates */
    const char *model; /**< NULL: none, or that of the store */
    uint64_t memory;   /**< 0: no limit */
    const char *scratch;
    enum il_codec codec;
    bool codec_given;
    bool append;
    bool replace;
    bool strict; /**< a bad row ends the import */
    bool json;
    bool quiet;
    bool progress;
    bool help;
    struct il_source_config config;
};

/* What a run needs. */
struct import_run {
    struct il_feed feed;
    struct il_axes axes;
    struct il_progress bar;
    struct il_store *store;
    struct il_store_info before;
    char *fresh; /**< name of a new store until it is whole; NULL: append */
    float *row;  /**< of an id that the store has */
    struct il_import_report report;
};

static bool take_codec(struct import_args *args)
{
    struct il_error error = {""};

    args->codec_given = true;
    if (il_codec_named(optarg, &args->codec, &error) == IL_OK) {
        return true;
    }
    il_say(COMMAND, "option '--codec' wants f32, f16, i8, fp8 or b1, got '%s'", optarg);
    return false;
}

static bool take_format(struct import_args *args)
{
    struct il_error error = {""};

    if (il_kind_named(optarg, &args->config.kind, &error) == IL_OK) {
        return true;
    }
    il_say(COMMAND, "option '--format': %s", error.text);
    return false;
}

static bool take_on_bad(struct import_args *args)
{
    static const char *const words[] = {"skip", "fail"};
    int index = il_opts_word(COMMAND, "--on-bad", optarg, words, 2);

    args->strict = index == 1;
    return index >= 0;
}

static bool take_rule(int option, struct import_args *args)
{
    switch (option) {
    case IL_OPT_APPEND:
        args->append = true;
        return true;
    case IL_OPT_REPLACE:
        args->replace = true;
        return true;
    case IL_OPT_ON_BAD:
        return take_on_bad(args);
    case IL_OPT_FORMAT:
        return take_format(args);
    case IL_OPT_TABLE:
        args->config.table = optarg;
        return true;
    case IL_OPT_COLUMN:
        args->config.column = optarg;
        return true;
    default:
        return false;
    }
}

static bool take_option(int option, struct import_args *args)
{
    switch (option) {
    case IL_OPT_IDS:
        args->ids = optarg;
        return true;
    case IL_OPT_CODEC:
        return take_codec(args);
    case IL_OPT_PCA:
        args->pca = optarg;
        return il_axes_check(COMMAND, optarg);
    case IL_OPT_MODEL:
        args->model = optarg;
        return true;
    case IL_OPT_MEMORY:
        return il_opts_bytes(COMMAND, "--memory", optarg, IL_MEMORY_MIN,
                             (uint64_t)1 << 50, &args->memory);
    case IL_OPT_SCRATCH:
        args->scratch = optarg;
        return true;
    case IL_OPT_JSON:
        args->json = true;
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
        return take_rule(option, args);
    }
}

/* Rules between options. */
static bool args_agree(const struct import_args *args, int operands)
{
    if (operands != 2) {
        il_say(COMMAND,
               "wants a file and a store, SRC STORE, got %d; 'isolink import --help' "
               "shows examples",
               operands);
    } else if (args->append && args->pca != NULL) {
        il_say(COMMAND, "'--pca' belongs to a new store: one that is there keeps its "
                        "coordinates");
    } else if (args->ids != NULL && strcmp(args->ids, "-") == 0 &&
               strcmp(args->source, "-") == 0) {
        il_say(COMMAND, "rows and ids cannot both come from standard input");
    } else if (args->store[0] == 0) {
        il_say(COMMAND, "the name of the store is empty");
    } else {
        return true;
    }
    return false;
}

static int read_args(int argc, char **argv, struct import_args *args)
{
    int option;

    memset(args, 0, sizeof *args);
    args->codec = IL_CODEC_I8;
    args->progress = true;
    il_source_config_init(&args->config);
    while ((option = il_opts_next(argc, argv, ":hq", options)) != -1) {
        if (option == IL_OPT_ERROR || !take_option(option, args)) {
            return IL_EXIT_USAGE;
        }
        if (args->help) {
            return IL_EXIT_DONE;
        }
    }
    if (argc - optind == 2) {
        args->source = argv[optind];
        args->store = argv[optind + 1];
    }
    return args_agree(args, argc - optind) ? IL_EXIT_DONE : IL_EXIT_USAGE;
}

static int open_new(const struct import_args *args, struct import_run *run)
{
    struct il_store_config config;
    struct il_error error = {""};
    enum il_status status;

    il_store_config_init(&config);
    config.write = 1;
    config.create = 1;
    config.dim = run->feed.dim;
    config.codec = args->codec;
    config.stored_dim = run->axes.stored_dim;
    config.mean = run->axes.mean;
    config.basis = run->axes.basis;
    config.model = args->model;
    config.replace = args->replace;
    status = il_store_open(&run->store, run->fresh, &config, &error);
    return status == IL_OK ? IL_EXIT_DONE : il_say_output(COMMAND, status, &error);
}

static int open_old(const struct import_args *args, struct import_run *run)
{
    struct il_store_config config;
    int code;

    if (!il_store_exists(args->store)) {
        il_say(COMMAND, "%s: no store to append to; without '--append' it is made",
               args->store);
        return IL_EXIT_INPUT;
    }
    il_store_config_init(&config);
    config.write = 1;
    config.replace = args->replace;
    code = il_store_open_say(&run->store, COMMAND, args->store, &config);
    if (code == IL_EXIT_DONE) {
        il_store_describe(run->store, &run->before);
    }
    return code;
}

/* A store keeps what it was made with. */
static int check_old(const struct import_args *args, const struct import_run *run)
{
    const struct il_store_info *info = &run->before;

    if (info->dim != run->feed.dim) {
        il_say(COMMAND, "%s: rows of %zu coordinates, but those of %s have %zu",
               args->source, run->feed.dim, args->store, info->dim);
    } else if (args->model != NULL && strcmp(args->model, info->model) != 0) {
        il_say(COMMAND, "%s: holds vectors of the model '%s', '--model' says '%s'",
               args->store, info->model, args->model);
    } else if (args->codec_given && args->codec != info->codec) {
        il_say(COMMAND, "%s: its codec is %s, '--codec' says %s", args->store,
               il_codec_text(info->codec), il_codec_text(args->codec));
    } else {
        return IL_EXIT_DONE;
    }
    return IL_EXIT_INPUT;
}

static int open_all(struct import_args *args, struct import_run *run)
{
    int code = IL_EXIT_DONE;

    if (args->append) {
        code = open_old(args, run);
    } else {
        code = il_fresh_check(COMMAND, args->store, "; '--append' adds to it");
        if (code == IL_EXIT_DONE) {
            code = il_fresh_name(COMMAND, args->store, &run->fresh);
        }
    }
    if (code == IL_EXIT_DONE && args->pca != NULL) {
        code = il_axes_find(&run->axes, COMMAND, args->pca, args->source, &args->config,
                            &run->bar);
    }
    if (code == IL_EXIT_DONE) {
        code = il_feed_open(&run->feed, COMMAND, args->source, &args->config, args->ids);
    }
    if (code != IL_EXIT_DONE) {
        return code;
    }
    if (args->append) {
        run->row = malloc(run->feed.dim * sizeof(float));
        return run->row != NULL ? check_old(args, run) : il_say_memory(COMMAND);
    }
    return open_new(args, run);
}

/* Without --replace an id that the store has is refused. */
static int check_id(const struct import_args *args, struct import_run *run,
                    const struct il_feed_row *row)
{
    struct il_error error = {""};
    int found = 0;
    enum il_status status;

    if (!args->append || args->replace) {
        return IL_EXIT_DONE;
    }
    status = il_store_get(run->store, row->id, row->id_bytes, run->row, &found, &error);
    if (found) {
        il_say(COMMAND,
               "%s, row %" PRIu64 ": %s has a row with the id '%.*s' already; "
               "'--replace' replaces it, '--ids' gives other ids",
               args->source, row->number, args->store, (int)row->id_bytes,
               (const char *)row->id);
        return IL_EXIT_INPUT;
    }
    return status == IL_EARG ? IL_EXIT_DONE : il_say_output(COMMAND, status, &error);
}

static int put_row(const struct import_args *args, struct import_run *run,
                   const struct il_feed_row *row)
{
    struct il_error error = {""};
    enum il_status status;
    int code = check_id(args, run, row);

    if (code != IL_EXIT_DONE) {
        return code;
    }
    status = il_store_bulk_put(run->store, row->id, row->id_bytes, row->values, &error);
    if (status == IL_EARG && !args->strict && !il_store_holds(run->store, row->values)) {
        il_feed_leave_out(&run->feed, row, "too large for the codec");
        return IL_EXIT_DONE;
    }
    if (status == IL_EARG) {
        il_say(COMMAND, "%s, row %" PRIu64 ": %s", args->source, row->number, error.text);
        return IL_EXIT_INPUT;
    }
    return status == IL_OK ? IL_EXIT_DONE : il_say_output(COMMAND, status, &error);
}

/* Every row of the source. */
static int put_rows(const struct import_args *args, struct import_run *run)
{
    struct il_feed *feed = &run->feed;
    double total = feed->rows != UINT64_MAX ? (double)feed->rows : 0.0;
    struct il_feed_row row;

    for (;;) {
        int code = il_feed_next(feed, COMMAND, &row);

        if (code == IL_EXIT_DONE && atomic_load(il_cancel_flag()) != 0) {
            il_progress_clear(&run->bar);
            return il_say_cancelled(COMMAND);
        }
        if (code == IL_EXIT_DONE && args->strict && feed->left_out > 0) {
            il_say(COMMAND, "%s: %s: wanted finite numbers, not all of them 0",
                   args->source, feed->first);
            return IL_EXIT_INPUT;
        }
        if (code != IL_EXIT_DONE || row.values == NULL) {
            return code;
        }
        code = put_row(args, run, &row);
        if (code != IL_EXIT_DONE) {
            return code;
        }
        run->report.rows = feed->given - feed->left_out;
        il_progress_step(&run->bar, "import", (double)row.number, total);
    }
}

/* Makes the rows visible, and a new store under its name. */
static int finish(const struct import_args *args, struct import_run *run)
{
    struct il_error error = {""};
    enum il_status status = il_store_bulk_end(run->store, &error);

    if (status == IL_OK) {
        il_store_describe(run->store, &run->report.info);
        run->report.replaced =
            run->before.rows + run->report.rows - run->report.info.rows;
        snprintf(run->report.model, sizeof run->report.model, "%s",
                 run->report.info.model);
    }
    il_store_close(&run->store);
    if (status == IL_OK && run->fresh != NULL) {
        status = il_store_rename(run->fresh, args->store, &error);
    }
    if (status != IL_OK) {
        return il_say_output(COMMAND, status, &error);
    }
    free(run->fresh);
    run->fresh = NULL;
    return IL_EXIT_DONE;
}

static int import(const struct import_args *args, struct import_run *run)
{
    struct il_error error = {""};
    char what[96];
    enum il_status status;
    int code;

    snprintf(what, sizeof what, "an import of rows of %zu coordinates", run->feed.dim);
    code = il_memory_need(COMMAND, il_store_bulk_bytes(run->store), what);
    if (code != IL_EXIT_DONE) {
        return code;
    }
    status = il_store_bulk_begin(run->store, &error);
    if (status != IL_OK) {
        return il_say_output(COMMAND, status, &error);
    }
    code = put_rows(args, run);
    if (code == IL_EXIT_DONE && run->report.rows == 0) {
        il_say(COMMAND, "%s: no row that is finite and not zero%s", args->source,
               run->feed.left_out > 0 ? " and that the codec can hold" : "");
        code = IL_EXIT_INPUT;
    }
    if (code != IL_EXIT_DONE) {
        il_store_bulk_abort(run->store);
        return code;
    }
    return finish(args, run);
}

/* What a failed import of a new store made. */
static void clean_up(struct import_run *run)
{
    struct il_error error = {""};

    il_store_close(&run->store);
    if (run->fresh != NULL && il_store_discard(run->fresh, &error) != IL_OK) {
        il_say(COMMAND, "warning: %s", error.text);
    }
    free(run->fresh);
    free(run->row);
    il_feed_close(&run->feed);
    il_axes_free(&run->axes);
}

static int tell(const struct import_args *args, struct import_run *run)
{
    struct il_import_report *report = &run->report;
    const struct il_feed *feed = &run->feed;

    report->source = args->source;
    report->store = args->store;
    report->appended = args->append;
    report->left_out = feed->left_out;
    report->sampled = run->axes.sampled;
    report->share = run->axes.share;
    if (!args->quiet && feed->left_out > 0) {
        il_say(COMMAND,
               "warning: %s: %" PRIu64 " of %" PRIu64
               " rows left out, zero, not finite or too large for the codec; first: %s",
               args->source, feed->left_out, feed->given, feed->first);
    }
    if (!args->quiet) {
        il_report_import(stderr, report);
    }
    return args->json ? il_json_print(COMMAND, il_report_import_json(report))
                      : IL_EXIT_DONE;
}

int il_cmd_import(int argc, char **argv)
{
    struct import_args args;
    struct import_run run;
    double start = il_seconds_now();
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
    code = il_memory_apply(COMMAND, args.memory, args.scratch, args.store);
    if (code == IL_EXIT_DONE) {
        code = open_all(&args, &run);
    }
    if (code == IL_EXIT_DONE) {
        code = import(&args, &run);
    }
    il_progress_clear(&run.bar);
    if (code == IL_EXIT_DONE) {
        run.report.seconds = il_seconds_now() - start;
        code = tell(&args, &run);
    }
    il_memory_check(COMMAND);
    clean_up(&run);
    il_memory_unlimit();
    return il_stdout_end(COMMAND, code);
}
