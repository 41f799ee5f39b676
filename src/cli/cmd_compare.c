/* SPDX-License-Identifier: Apache-2.0 */
/* isolink compare: the methods side by side on one pair of sides. */
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "inputs.h"
#include "opts.h"
#include "progress.h"
#include "report_compare.h"
#include "stores.h"

#define COMMAND "compare"

static const char help[] =
    "Examples\n"
    "  isolink compare a.npy b.npy --seeds seeds.csv --truth truth.csv\n"
    "      links the sides by every method and judges the links: one table\n"
    "  isolink compare a.store b.store --seeds seeds.csv --methods geh,procrustes,csls\n"
    "      some methods; without the truth what they say of themselves\n"
    "  isolink compare a.npy b.npy --seeds s.csv --truth t.csv --json | jq -r .best\n"
    "\n"
    "Usage: isolink compare A B --seeds FILE [options]\n"
    "  A, B                  stores (isolink import), or\n"
    "                        .npy .fvecs .bvecs .fbin .f16bin .u8bin .i8bin .jsonl .csv\n"
    "                        .faiss or .safetensors files, also packed (.zst); '-' is\n"
    "                        standard input\n"
    "  --seeds FILE          known pairs, CSV: a_id,b_id; pairs of these documents are\n"
    "                        not judged\n"
    "  --truth FILE          every true pair, CSV: a_id,b_id; without it nothing is\n"
    "                        judged\n"
    "  --methods LIST        names with commas between them                    [all]\n"
    "                        geh, geh-published, procrustes, ridge, cca, csls, mlp,\n"
    "                        relative, mini-vec2vec; see the man page\n"
    "  --a-ids, --b-ids FILE ids, one a line        [of the side, or row numbers]\n"
    "  --io IO               how stores are read: auto, uring or pread          [auto]\n"
    "  --seed N              random seed number                                  [0]\n"
    "  --threads N           1 to 256; 0 = one per core; never changes the links [0]\n"
    "  --json                JSON instead of the table\n"
    "  -q, --quiet           no warnings\n"
    "  --no-progress         no progress bar (it shows on a terminal only)\n"
    "  -h, --help            this text\n"
    "\n"
    "Exit status: 0 done, 1 failed, 2 usage, 3 bad input, 5 every method refused, 130\n"
    "interrupted.\n";

static const struct option options[] = {
    {"seeds", required_argument, NULL, IL_OPT_SEEDS},
    {"truth", required_argument, NULL, IL_OPT_TRUTH},
    {"methods", required_argument, NULL, IL_OPT_METHODS},
    {"a-ids", required_argument, NULL, IL_OPT_A_IDS},
    {"b-ids", required_argument, NULL, IL_OPT_B_IDS},
    {"io", required_argument, NULL, IL_OPT_IO},
    {"seed", required_argument, NULL, IL_OPT_SEED},
    {"threads", required_argument, NULL, IL_OPT_THREADS},
    {"json", no_argument, NULL, IL_OPT_JSON},
    {"quiet", no_argument, NULL, 'q'},
    {"no-progress", no_argument, NULL, IL_OPT_NO_PROGRESS},
    {"help", no_argument, NULL, 'h'},
    {NULL, 0, NULL, 0},
};

struct compare_args {
    struct il_input_paths path;
    const char *truth; /**< NULL: none */
    enum il_method methods[IL_METHODS_MAX];
    size_t method_count;
    bool json;
    bool quiet;
    bool progress;
    bool help;
    struct il_link_config config;
};

/* Names with commas between them; none twice. */
static bool take_methods(struct compare_args *args)
{
    const char *names[IL_METHODS_MAX];
    size_t count = il_opts_methods(names);
    char *list = strdup(optarg);
    bool good = list != NULL;

    args->method_count = 0;
    for (char *at = list; good && at != NULL;) {
        char *comma = strchr(at, ',');

        if (comma != NULL) {
            *comma = 0;
        }
        int index = il_opts_word(COMMAND, "--methods", at, names, count);

        good = index >= 0;
        for (size_t i = 0; good && i < args->method_count; i++) {
            if (args->methods[i] == (enum il_method)index) {
                il_say(COMMAND, "option '--methods' names '%s' twice", at);
                good = false;
            }
        }
        if (good) {
            args->methods[args->method_count++] = (enum il_method)index;
        }
        at = comma != NULL ? comma + 1 : NULL;
    }
    if (list == NULL) {
        il_say_memory(COMMAND);
    }
    free(list);
    return good;
}

static bool take_numbers(int option, struct il_link_config *config)
{
    uint64_t number = 0;

    if (option == IL_OPT_SEED) {
        return il_opts_number(COMMAND, "--seed", optarg, 0, INT64_MAX, &config->seed);
    }
    if (option != IL_OPT_THREADS ||
        !il_opts_number(COMMAND, "--threads", optarg, 0, 256, &number)) {
        return false;
    }
    config->threads = (unsigned)number;
    return true;
}

static bool take_option(int option, struct compare_args *args)
{
    switch (option) {
    case IL_OPT_SEEDS:
        args->path.seeds = optarg;
        return true;
    case IL_OPT_TRUTH:
        args->truth = optarg;
        return true;
    case IL_OPT_METHODS:
        return take_methods(args);
    case IL_OPT_A_IDS:
        args->path.ids[0] = optarg;
        return true;
    case IL_OPT_B_IDS:
        args->path.ids[1] = optarg;
        return true;
    case IL_OPT_IO:
        return il_opts_io(COMMAND, optarg, &args->path.io);
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
        return take_numbers(option, &args->config);
    }
}

static int read_args(int argc, char **argv, struct compare_args *args)
{
    const char *names[IL_METHODS_MAX];
    int option;

    memset(args, 0, sizeof *args);
    args->progress = true;
    args->method_count = il_opts_methods(names);
    for (size_t i = 0; i < args->method_count; i++) {
        args->methods[i] = (enum il_method)i;
    }
    il_link_config_init(&args->config);
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
               "wants two sides, A and B, got %d; 'isolink compare --help' shows "
               "examples",
               argc - optind);
        return IL_EXIT_USAGE;
    }
    if (args->path.seeds == NULL) {
        il_say(COMMAND, "needs --seeds FILE, the known pairs");
        return IL_EXIT_USAGE;
    }
    args->path.side[0] = argv[optind];
    args->path.side[1] = argv[optind + 1];
    return IL_EXIT_DONE;
}

/* The truth is read at once, so that what is wrong with it does not wait for a method. */
static int check_truth(const struct compare_args *args, const struct il_inputs *in)
{
    struct il_error error = {""};
    struct il_eval eval;

    if (args->truth == NULL) {
        return IL_EXIT_DONE;
    }
    enum il_status status = il_eval_links(&eval, NULL, 0, in->ids[0], in->ids[1],
                                          args->truth, args->path.seeds, &error);

    return status == IL_OK ? IL_EXIT_DONE : il_say_status(COMMAND, status, &error);
}

/* Runs one method and judges it. */
static int compare_one(struct compare_args *args, const struct il_inputs *in,
                       enum il_method method, struct il_compared *out)
{
    struct il_error error = {""};
    struct il_linking *linking = NULL;
    struct il_progress bar;
    size_t count = 0;
    bool measured = il_memory_measure() != 0;
    double began = il_seconds_now();

    il_progress_init(&bar, args->progress && !args->quiet);
    args->config.method = method;
    args->config.progress = il_progress_step;
    args->config.progress_context = &bar;
    args->config.cancel = il_cancel_flag();
    enum il_status status = il_link_run(&linking, &in->rows[0], &in->rows[1], in->seeds,
                                        in->seed_count, &args->config, &error);

    il_progress_clear(&bar);
    out->seconds = il_seconds_now() - began;
    out->peak_bytes = measured ? il_peak_bytes() : 0.0;
    if (atomic_load(il_cancel_flag()) != 0) {
        il_link_close(&linking);
        return il_say_cancelled(COMMAND);
    }
    if (linking == NULL) {
        return il_say_status(COMMAND, status, &error);
    }
    out->report = *il_link_report(linking);
    if (args->truth != NULL) {
        const struct il_link *links = il_link_links(linking, &count);

        status = il_eval_links(&out->eval, links, count, in->ids[0], in->ids[1],
                               args->truth, args->path.seeds, &error);
    }
    il_link_close(&linking);
    return status == IL_OK || status == IL_EBOOTSTRAP
               ? IL_EXIT_DONE
               : il_say_status(COMMAND, status, &error);
}

static int compare(struct compare_args *args, const struct il_inputs *in)
{
    struct il_compared compared[IL_METHODS_MAX];
    struct il_comparison all = {.inputs = in,
                                .truth = args->truth,
                                .config = &args->config,
                                .method = compared,
                                .count = args->method_count};
    size_t refused = 0;

    memset(compared, 0, sizeof compared);
    for (size_t i = 0; i < args->method_count; i++) {
        int code = compare_one(args, in, args->methods[i], &compared[i]);

        if (code != IL_EXIT_DONE) {
            return code;
        }
        refused += compared[i].report.refused != 0;
    }
    if (args->json) {
        int code = il_json_print(COMMAND, il_report_compare_json(&all));

        if (code != IL_EXIT_DONE) {
            return code;
        }
    } else {
        il_report_compare(stdout, &all);
    }
    return refused == args->method_count ? IL_EXIT_BOOTSTRAP : IL_EXIT_DONE;
}

int il_cmd_compare(int argc, char **argv)
{
    struct compare_args args;
    struct il_inputs in;
    int code = read_args(argc, argv, &args);

    memset(&in, 0, sizeof in);
    if (code != IL_EXIT_DONE) {
        return code;
    }
    if (args.help) {
        fputs(help, stdout);
        return il_stdout_end(COMMAND, IL_EXIT_DONE);
    }
    il_cancel_install();
    code = il_inputs_load(&in, &args.path, COMMAND);
    if (code == IL_EXIT_DONE) {
        if (!args.quiet) {
            il_inputs_warn(&in, COMMAND);
        }
        code = check_truth(&args, &in);
    }
    if (code == IL_EXIT_DONE) {
        code = compare(&args, &in);
    }
    il_inputs_free(&in);
    return il_stdout_end(COMMAND, code);
}
