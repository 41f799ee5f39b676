/* SPDX-License-Identifier: Apache-2.0 */
/* isolink link: reads two sides and the seeds, runs, writes the links whole or not at
 * all. */
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "inputs.h"
#include "link_many.h"
#include "opts.h"
#include "progress.h"
#include "report.h"

#define COMMAND "link"

static const char help[] =
    "Examples\n"
    "  isolink link a.npy b.npy --seeds seeds.csv\n"
    "      writes links.csv, best first, and says how far to trust the links\n"
    "  isolink link a.fbin b.npy --a-ids a.txt --b-ids b.txt --seeds s.csv -o - | head\n"
    "      links on standard output, with ids of your own\n"
    "  isolink link a.npy b.npy --seeds s.csv --min-posterior 0.9 --json > report.json\n"
    "      links of posterior 0.9 and more, and the report for a program\n"
    "  isolink link a.npy b.npy --seeds none\n"
    "      no known pairs: refused (exit 5) unless independent starts agree\n"
    "  isolink link a.store b.store c.store --seeds seeds.csv -o out.csv\n"
    "      out-ab.csv, out-ac.csv, out-bc.csv: links of every two, held against each\n"
    "      other; out-contradictions.csv: chains of links that cannot all be right\n"
    "\n"
    "Usage: isolink link A B [C ...] --seeds FILE|none [options]\n"
    "  A, B                  stores (isolink import), or\n"
    "                        .npy .fvecs .bvecs .fbin .f16bin .u8bin .i8bin .jsonl .csv\n"
    "                        .faiss or .safetensors files, also packed (.zst); '-' is\n"
    "                        standard input\n"
    "  --seeds FILE|none     known pairs, CSV: a_id,b_id (of more sides a_id,b_id,c_id,\n"
    "                        ids may be empty); 15 to 30 are a good number.\n"
    "                        Without any, or with fewer than 3, the clusters of both\n"
    "                        sides make the start, which the pairs only test; a file of\n"
    "                        that name is ./none\n"
    "  -o, --output FILE     where the links go; '-' is standard output    [links.csv]\n"
    "  --a-ids, --b-ids FILE ids, one a line        [of the side, or row numbers]\n"
    "  --io IO               how stores are read: auto, uring or pread          [auto]\n"
    "  --min-posterior P     keep links of at least this posterior, 0..1   [best F1]\n"
    "  --method METHOD       geh, or to compare with it geh-published, procrustes,\n"
    "                        ridge, cca, csls, mlp, relative or mini-vec2vec   [geh]\n"
    "  --weighting W         none or gauss; geh-published only                [none]\n"
    "  --views N             views of a round, 2 to 64            [the method's own]\n"
    "  --views global|local  every row of A meets every row of B, or only those of its\n"
    "                        clusters; both options may be given               [auto]\n"
    "  --folds N             folds of a view, 2 to 16             [the method's own]\n"
    "  --seed N              random seed number; equal numbers, equal links      [0]\n"
    "  --threads N           1 to 256; 0 = one per core; never changes the links [0]\n"
    "  --memory SIZE         bound on resident memory, as in 256M; what is large then\n"
    "                        lies in scratch files; never changes the links     [none]\n"
    "  --scratch DIR         where those lie                 [where the links go]\n"
    "  --json[=FILE]         the report as JSON, on standard output or in FILE\n"
    "  -v, --verbose         more in the report: skipped rows by id, threshold\n"
    "  -q, --quiet           errors only\n"
    "  --no-progress         no progress bar (it shows on a terminal only)\n"
    "  -h, --help            this text\n"
    "\n"
    "Exit status: 0 done, 1 failed, 2 usage, 3 bad input, 5 these seeds and sides do\n"
    "not support a bootstrap (the output then holds the seeds alone), 7 the scratch\n"
    "disk is too small, 130 interrupted.\n";

static const struct option options[] = {
    {"seeds", required_argument, NULL, IL_OPT_SEEDS},
    {"output", required_argument, NULL, 'o'},
    {"a-ids", required_argument, NULL, IL_OPT_A_IDS},
    {"b-ids", required_argument, NULL, IL_OPT_B_IDS},
    {"io", required_argument, NULL, IL_OPT_IO},
    {"method", required_argument, NULL, IL_OPT_METHOD},
    {"threads", required_argument, NULL, IL_OPT_THREADS},
    {"seed", required_argument, NULL, IL_OPT_SEED},
    {"views", required_argument, NULL, IL_OPT_VIEWS},
    {"folds", required_argument, NULL, IL_OPT_FOLDS},
    {"min-posterior", required_argument, NULL, IL_OPT_MIN_POSTERIOR},
    {"weighting", required_argument, NULL, IL_OPT_WEIGHTING},
    {"memory", required_argument, NULL, IL_OPT_MEMORY},
    {"scratch", required_argument, NULL, IL_OPT_SCRATCH},
    {"json", optional_argument, NULL, IL_OPT_JSON},
    {"verbose", no_argument, NULL, 'v'},
    {"quiet", no_argument, NULL, 'q'},
    {"no-progress", no_argument, NULL, IL_OPT_NO_PROGRESS},
    {"help", no_argument, NULL, 'h'},
    {NULL, 0, NULL, 0},
};

struct link_args {
    struct il_input_paths path;
    char **side; /**< all of them */
    unsigned sides;
    const char *links; /**< "-": standard output */
    const char *json;  /**< NULL: none; "-": standard output */
    uint64_t memory;   /**< 0: no limit */
    const char *scratch;
    bool quiet;
    bool verbose;
    bool unseeded; /**< --seeds none */
    bool progress;
    bool help;
    struct il_link_config config;
};

/* What a run needs and leaves behind. */
struct link_run {
    struct il_inputs in;
    struct il_progress bar;
    struct il_linking *linking;
    struct il_outcome out;
    char *links_path; /**< resolved, NULL unless a regular file */
    char *json_path;  /**< resolved, NULL unless a regular file */
};

static bool take_unsigned(const char *name, uint64_t min, uint64_t max, unsigned *out)
{
    uint64_t number = 0;

    if (!il_opts_number(COMMAND, name, optarg, min, max, &number)) {
        return false;
    }
    *out = (unsigned)number;
    return true;
}

static bool take_method(struct il_link_config *config)
{
    const char *names[IL_METHODS_MAX];
    size_t count = il_opts_methods(names);
    int index = il_opts_word(COMMAND, "--method", optarg, names, count);

    config->method = index >= 0 ? (enum il_method)index : IL_METHOD_GEH;
    return index >= 0;
}

static bool take_weighting(struct il_link_config *config)
{
    static const char *const weightings[] = {"none", "gauss"};
    int index = il_opts_word(COMMAND, "--weighting", optarg, weightings, 2);

    config->weighting = index == 1;
    return index >= 0;
}

static bool take_seed(struct il_link_config *config)
{
    if (il_opts_number(COMMAND, "--seed", optarg, 0, INT64_MAX, &config->seed)) {
        return true;
    }
    il_say(COMMAND, "the file of known pairs is given by --seeds");
    return false;
}

/* A number of views, or which rows meet. */
static bool take_views(struct il_link_config *config)
{
    static const struct {
        const char *word;
        enum il_scope scope;
    } scopes[] = {
        {"auto", IL_SCOPE_AUTO}, {"global", IL_SCOPE_GLOBAL}, {"local", IL_SCOPE_LOCAL}};

    for (size_t i = 0; i < sizeof scopes / sizeof *scopes; i++) {
        if (strcmp(optarg, scopes[i].word) == 0) {
            config->scope = scopes[i].scope;
            return true;
        }
    }
    if (*optarg < '0' || *optarg > '9') {
        il_say(COMMAND,
               "option '--views' wants auto, global, local or a number from 2 to 64, "
               "got '%s'",
               optarg);
        return false;
    }
    return take_unsigned("--views", 2, 64, &config->views);
}

static bool take_config(int option, struct il_link_config *config)
{
    switch (option) {
    case IL_OPT_METHOD:
        return take_method(config);
    case IL_OPT_THREADS:
        return take_unsigned("--threads", 0, 256, &config->threads);
    case IL_OPT_SEED:
        return take_seed(config);
    case IL_OPT_VIEWS:
        return take_views(config);
    case IL_OPT_FOLDS:
        return take_unsigned("--folds", 2, 16, &config->folds);
    case IL_OPT_MIN_POSTERIOR:
        return il_opts_share(COMMAND, "--min-posterior", optarg, &config->posterior_min);
    case IL_OPT_WEIGHTING:
        return take_weighting(config);
    default:
        return false;
    }
}

static bool take_option(int option, struct link_args *args)
{
    switch (option) {
    case IL_OPT_SEEDS:
        args->unseeded = strcmp(optarg, "none") == 0;
        args->path.seeds = args->unseeded ? NULL : optarg;
        return true;
    case IL_OPT_A_IDS:
        args->path.ids[0] = optarg;
        return true;
    case IL_OPT_B_IDS:
        args->path.ids[1] = optarg;
        return true;
    case IL_OPT_IO:
        return il_opts_io(COMMAND, optarg, &args->path.io);
    case 'o':
        args->links = optarg;
        return true;
    case IL_OPT_JSON:
        args->json = optarg != NULL ? optarg : "-";
        return true;
    case IL_OPT_MEMORY:
        return il_opts_bytes(COMMAND, "--memory", optarg, IL_MEMORY_MIN,
                             (uint64_t)1 << 50, &args->memory);
    case IL_OPT_SCRATCH:
        args->scratch = optarg;
        return true;
    case 'v':
        args->verbose = true;
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
        return take_config(option, &args->config);
    }
}

/* Rules between options. */
static bool args_agree(const struct link_args *args, int operands)
{
    if (operands < 2 || operands > IL_CLOSING_SIDES) {
        il_say(COMMAND,
               "wants two sides, A and B, or up to %d, got %d; 'isolink link --help' "
               "shows examples",
               IL_CLOSING_SIDES, operands);
    } else if (operands > 2 && (args->path.ids[0] != NULL || args->path.ids[1] != NULL)) {
        il_say(COMMAND, "'--a-ids' and '--b-ids' are for two sides; of more sides, "
                        "import files with ids into stores");
    } else if (operands > 2 && strcmp(args->links, "-") == 0) {
        il_say(COMMAND, "'-o -' is for two sides: more make a file of links each");
    } else if (args->path.seeds == NULL && !args->unseeded) {
        il_say(COMMAND, "needs --seeds FILE, the known pairs, or --seeds none");
    } else if (args->unseeded && args->config.method != IL_METHOD_GEH &&
               args->config.method != IL_METHOD_MINI_VEC2VEC) {
        il_say(COMMAND, "'--method %s' needs seeds: '--seeds none' is not for it",
               il_method_text(args->config.method));
    } else if (strcmp(args->links, "-") == 0 && args->json != NULL &&
               strcmp(args->json, "-") == 0) {
        il_say(COMMAND, "'-o -' and '--json' both want standard output; use --json=FILE");
    } else if (args->config.scope != IL_SCOPE_AUTO &&
               args->config.method != IL_METHOD_GEH) {
        il_say(COMMAND, "'--views global' and '--views local' belong to '--method geh'");
    } else if (args->config.weighting != 0 &&
               args->config.method != IL_METHOD_GEH_PUBLISHED) {
        il_say(COMMAND, "'--weighting gauss' belongs to '--method geh-published'");
    } else {
        return true;
    }
    return false;
}

static int read_args(int argc, char **argv, struct link_args *args)
{
    int option;

    memset(args, 0, sizeof *args);
    args->links = "links.csv";
    args->progress = true;
    il_link_config_init(&args->config);
    while ((option = il_opts_next(argc, argv, ":ho:qv", options)) != -1) {
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
    args->side = argv + optind;
    args->sides = (unsigned)(argc - optind);
    args->path.side[0] = argv[optind];
    args->path.side[1] = argv[optind + 1];
    return IL_EXIT_DONE;
}

/* Fails before the long run where it would fail after it. */
static int check_outputs(const struct link_args *args, struct link_run *run)
{
    int code = IL_EXIT_DONE;

    if (strcmp(args->links, "-") != 0) {
        code = il_output_check(COMMAND, args->links, &args->path, &run->links_path);
    }
    if (code == IL_EXIT_DONE && args->json != NULL && strcmp(args->json, "-") != 0) {
        code = il_output_check(COMMAND, args->json, &args->path, &run->json_path);
    }
    if (code == IL_EXIT_DONE && run->links_path != NULL && run->json_path != NULL &&
        strcmp(run->links_path, run->json_path) == 0) {
        il_say(COMMAND, "%s: links and report cannot go to one file", args->json);
        code = IL_EXIT_USAGE;
    }
    return code;
}

static void take_result(struct link_run *run)
{
    struct il_outcome *out = &run->out;

    out->report = il_link_report(run->linking);
    out->links = il_link_links(run->linking, &out->link_count);
    out->wrong = il_link_wrong_seeds(run->linking, &out->wrong_count);
    for (int side = 0; side < 2; side++) {
        out->skipped[side] =
            il_link_skipped(run->linking, side, &out->skipped_count[side]);
    }
}

static int link_sides(struct link_args *args, struct link_run *run)
{
    struct il_error error = {""};
    enum il_status status;

    il_progress_init(&run->bar, args->progress && !args->quiet);
    args->config.progress = il_progress_step;
    args->config.progress_context = &run->bar;
    args->config.cancel = il_cancel_flag();
    status = il_link_run(&run->linking, &run->in.rows[0], &run->in.rows[1], run->in.seeds,
                         run->in.seed_count, &args->config, &error);
    il_progress_clear(&run->bar);
    if (atomic_load(il_cancel_flag()) != 0) {
        return il_say_cancelled(COMMAND);
    }
    if (run->linking == NULL) {
        return il_say_status(COMMAND, status, &error);
    }
    take_result(run);
    return status == IL_OK ? IL_EXIT_DONE : IL_EXIT_BOOTSTRAP;
}

/* The last line on stderr, also when quiet: why there are no links. */
static void say_refused(const struct il_outcome *out)
{
    const struct il_pairs_notes *notes = &out->inputs->notes;
    size_t given = il_inputs_seed_lines(out->inputs);
    char left_out[160] = "";

    if (given > out->inputs->seed_count) {
        snprintf(
            left_out, sizeof left_out,
            " (of %zu given: %zu with a missing id, %zu repeated, %zu contradicting)",
            given, notes->missing, notes->repeated, notes->contradicting);
    }
    il_say(COMMAND, "cannot bootstrap: %s%s; %s holds %zu seeds and no links",
           out->report->why, left_out, out->links_path, out->link_count);
}

static int write_json(const struct link_args *args, const struct il_outcome *out)
{
    struct il_error error = {""};
    enum il_status status;
    char *text = il_report_link_json(out);

    if (text == NULL) {
        return il_say_memory(COMMAND);
    }
    status = il_text_write(args->json, text, strlen(text), &error);
    free(text);
    return status == IL_OK ? IL_EXIT_DONE : il_say_output(COMMAND, status, &error);
}

/* Links first, then what is said of them. Returns code, or why writing failed. */
static int write_results(const struct link_args *args, struct link_run *run, int code)
{
    struct il_outcome *out = &run->out;
    struct il_error error = {""};
    enum il_status status;

    out->inputs = &run->in;
    out->config = &args->config;
    out->verbose = args->verbose;
    out->links_path = strcmp(args->links, "-") != 0 ? args->links : "standard output";
    status = il_links_write(args->links, out->links, out->link_count, run->in.ids[0],
                            run->in.ids[1], &error);
    if (status != IL_OK) {
        return il_say_output(COMMAND, status, &error);
    }
    if (args->json != NULL) {
        int json_code = write_json(args, out);

        if (json_code != IL_EXIT_DONE) {
            return json_code;
        }
    }
    if (!args->quiet) {
        il_report_link(stderr, out);
    }
    if (code == IL_EXIT_BOOTSTRAP) {
        say_refused(out);
    }
    return code;
}

/* Three and more sides. */
static int link_many(const struct link_args *args)
{
    struct il_many many = {.side = args->side,
                           .sides = args->sides,
                           .seeds = args->path.seeds,
                           .links = args->links,
                           .json = args->json,
                           .quiet = args->quiet,
                           .progress = args->progress,
                           .io = args->path.io,
                           .config = args->config};
    int code = il_memory_apply(COMMAND, args->memory, args->scratch, args->links);

    if (code == IL_EXIT_DONE) {
        code = il_link_many(COMMAND, &many);
    }
    il_memory_check(COMMAND);
    il_memory_unlimit();
    return il_stdout_end(COMMAND, code);
}

int il_cmd_link(int argc, char **argv)
{
    struct link_args args;
    struct link_run run;
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
    if (args.sides > 2) {
        return link_many(&args);
    }
    code = check_outputs(&args, &run);
    if (code == IL_EXIT_DONE) {
        code = il_memory_apply(COMMAND, args.memory, args.scratch, args.links);
    }
    if (code == IL_EXIT_DONE) {
        code = il_inputs_load(&run.in, &args.path, COMMAND);
    }
    if (code == IL_EXIT_DONE) {
        if (!args.quiet) {
            il_inputs_warn(&run.in, COMMAND);
        }
        code = link_sides(&args, &run);
        if (code == IL_EXIT_DONE || code == IL_EXIT_BOOTSTRAP) {
            code = write_results(&args, &run, code);
        }
    }
    il_memory_check(COMMAND);
    il_link_close(&run.linking);
    il_inputs_free(&run.in);
    il_memory_unlimit();
    free(run.links_path);
    free(run.json_path);
    return il_stdout_end(COMMAND, code);
}
