/* SPDX-License-Identifier: Apache-2.0 */
/* isolink map fit: two sides and their links become a map. */
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "cmd_map.h"
#include "inputs.h"
#include "map_in.h"
#include "opts.h"
#include "progress.h"
#include "report_map.h"
#include "stores.h"

#define COMMAND "map fit"

static const char help[] =
    "Examples\n"
    "  isolink map fit a.store b.store --links links.csv -o m.ilm\n"
    "      the form of map and its penalty are chosen by links that are held out\n"
    "  isolink map fit a.npy b.npy --a-ids a.txt --b-ids b.txt --links links.csv \\\n"
    "      --kind orthogonal -o turn.ilm\n"
    "\n"
    "Usage: isolink map fit A B --links FILE -o MAP [options]\n"
    "  A, B                  stores, or files, as 'isolink link' takes them\n"
    "  --links FILE          links, CSV: a_id,b_id,posterior (the weight); at least 20\n"
    "  -o, --output MAP      where the map goes\n"
    "  --kind KIND           orthogonal, ridge, local or auto                   [auto]\n"
    "  --a-ids, --b-ids FILE ids, one a line        [of the side, or row numbers]\n"
    "  --a-model, --b-model NAME\n"
    "                        names of the models              [those of the stores]\n"
    "  --axes N              principal axes of a side that are kept, 1 to 1024   [256]\n"
    "  --folds N             folds of the links that are held out, 2 to 16         [5]\n"
    "  --io IO               how stores are read: auto, uring or pread          [auto]\n"
    "  --seed N              random seed number                                    [0]\n"
    "  --threads N           1 to 256; 0 = one per core; never changes the map     [0]\n"
    "  --json                what 'isolink map info --json' says, on standard output\n"
    "  -q, --quiet           errors only\n"
    "  --no-progress         no progress bar (it shows on a terminal only)\n"
    "  -h, --help            this text\n"
    "\n"
    "orthogonal: a rotation. ridge: least squares with a penalty. local: ridge maps of\n"
    "clusters, from about 1,000 links on. auto: the simplest within one standard error\n"
    "of the best retrieval of held-out links.\n"
    "\n"
    "Exit status: 0 done, 1 failed, 2 usage, 3 bad input, 4 damaged store, 5 too few\n"
    "links, 130 interrupted.\n";

static const struct option options[] = {
    {"links", required_argument, NULL, IL_OPT_LINKS},
    {"output", required_argument, NULL, 'o'},
    {"kind", required_argument, NULL, IL_OPT_KIND},
    {"a-ids", required_argument, NULL, IL_OPT_A_IDS},
    {"b-ids", required_argument, NULL, IL_OPT_B_IDS},
    {"a-model", required_argument, NULL, IL_OPT_A_MODEL},
    {"b-model", required_argument, NULL, IL_OPT_B_MODEL},
    {"axes", required_argument, NULL, IL_OPT_AXES},
    {"folds", required_argument, NULL, IL_OPT_FOLDS},
    {"io", required_argument, NULL, IL_OPT_IO},
    {"seed", required_argument, NULL, IL_OPT_SEED},
    {"threads", required_argument, NULL, IL_OPT_THREADS},
    {"json", no_argument, NULL, IL_OPT_JSON},
    {"quiet", no_argument, NULL, 'q'},
    {"no-progress", no_argument, NULL, IL_OPT_NO_PROGRESS},
    {"help", no_argument, NULL, 'h'},
    {NULL, 0, NULL, 0},
};

struct fit_args {
    struct il_input_paths path;
    const char *output;
    const char *model[2]; /**< NULL: that of the store */
    struct il_map_config config;
    bool json;
    bool quiet;
    bool progress;
    bool help;
};

struct fit_run {
    struct il_inputs in;
    struct il_progress bar;
    struct il_mapping *mapping;
    char model[2][IL_MODEL_TEXT];
};

static bool take_config(int option, struct il_map_config *config)
{
    static const char *const kinds[] = {"auto", "orthogonal", "ridge", "local"};
    uint64_t number = 0;
    bool good = true;
    int word;

    switch (option) {
    case IL_OPT_KIND:
        word = il_opts_word(COMMAND, "--kind", optarg, kinds, 4);
        config->kind = word >= 0 ? (enum il_map_kind)word : IL_MAP_AUTO;
        return word >= 0;
    case IL_OPT_AXES:
        good = il_opts_number(COMMAND, "--axes", optarg, 1, 1024, &number);
        config->columns = (size_t)number;
        return good;
    case IL_OPT_FOLDS:
        good = il_opts_number(COMMAND, "--folds", optarg, 2, 16, &number);
        config->folds = (unsigned)number;
        return good;
    case IL_OPT_THREADS:
        good = il_opts_number(COMMAND, "--threads", optarg, 0, 256, &number);
        config->threads = (unsigned)number;
        return good;
    case IL_OPT_SEED:
        return il_opts_number(COMMAND, "--seed", optarg, 0, INT64_MAX, &config->seed);
    default:
        return false;
    }
}

static bool take_option(int option, struct fit_args *args)
{
    switch (option) {
    case IL_OPT_LINKS:
        args->path.links = optarg;
        return true;
    case 'o':
        args->output = optarg;
        return true;
    case IL_OPT_A_IDS:
        args->path.ids[0] = optarg;
        return true;
    case IL_OPT_B_IDS:
        args->path.ids[1] = optarg;
        return true;
    case IL_OPT_A_MODEL:
        args->model[0] = optarg;
        return true;
    case IL_OPT_B_MODEL:
        args->model[1] = optarg;
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
        return take_config(option, &args->config);
    }
}

static bool args_agree(const struct fit_args *args, int operands)
{
    for (int side = 0; side < 2; side++) {
        if (args->model[side] != NULL && strlen(args->model[side]) >= IL_MODEL_TEXT) {
            il_say(COMMAND, "option '--%c-model' wants a name of at most %d bytes",
                   "ab"[side], IL_MODEL_TEXT - 1);
            return false;
        }
    }
    if (operands != 2) {
        il_say(
            COMMAND,
            "wants two sides, A and B, got %d; 'isolink map fit --help' shows examples",
            operands);
    } else if (args->path.links == NULL) {
        il_say(COMMAND, "needs --links FILE, the links that it is fitted on");
    } else if (args->output == NULL) {
        il_say(COMMAND, "needs -o MAP, the file that the map goes to");
    } else if (args->json && strcmp(args->output, "-") == 0) {
        il_say(COMMAND, "'-o -' and '--json' both want standard output");
    } else {
        return true;
    }
    return false;
}

static int read_args(int argc, char **argv, struct fit_args *args)
{
    int option;

    memset(args, 0, sizeof *args);
    args->progress = true;
    args->path.whole = true;
    il_map_config_init(&args->config);
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
    args->path.side[0] = argv[optind];
    args->path.side[1] = argv[optind + 1];
    return IL_EXIT_DONE;
}

/* The models: as the command line has them, or the stores. */
static int find_models(const struct fit_args *args, struct fit_run *run)
{
    int code = IL_EXIT_DONE;

    for (int side = 0; side < 2 && code == IL_EXIT_DONE; side++) {
        if (args->model[side] != NULL) {
            snprintf(run->model[side], IL_MODEL_TEXT, "%s", args->model[side]);
        } else {
            code = il_store_model(COMMAND, args->path.side[side], args->path.io,
                                  run->model[side]);
        }
    }
    return code;
}

static int fit_map(struct fit_args *args, struct fit_run *run)
{
    const struct il_inputs *in = &run->in;
    struct il_error error = {""};
    enum il_status status;

    if (in->link_count == 0 && in->notes.missing > 0) {
        il_say(COMMAND, "%s: no link names ids of both sides; first: %s",
               args->path.links, in->notes.first);
        return IL_EXIT_INPUT;
    }
    args->config.model[0] = run->model[0];
    args->config.model[1] = run->model[1];
    args->config.progress = il_progress_step;
    args->config.progress_context = &run->bar;
    args->config.cancel = il_cancel_flag();
    status = il_mapping_fit(&run->mapping, &in->rows[0], &in->rows[1], in->links,
                            in->link_count, &args->config, &error);
    il_progress_clear(&run->bar);
    if (atomic_load(il_cancel_flag()) != 0) {
        return il_say_cancelled(COMMAND);
    }
    if (status != IL_OK) {
        return il_say_status(COMMAND, status, &error);
    }
    status = il_mapping_save(run->mapping, args->output, &error);
    return status == IL_OK ? IL_EXIT_DONE : il_say_output(COMMAND, status, &error);
}

static int fit(struct fit_args *args, struct fit_run *run)
{
    char *resolved = NULL;
    int code = IL_EXIT_DONE;

    il_progress_init(&run->bar, args->progress && !args->quiet);
    if (strcmp(args->output, "-") != 0) {
        code = il_output_check(COMMAND, args->output, &args->path, &resolved);
        free(resolved);
    }
    if (code == IL_EXIT_DONE) {
        code = find_models(args, run);
    }
    if (code == IL_EXIT_DONE) {
        code = il_inputs_load(&run->in, &args->path, COMMAND);
    }
    if (code == IL_EXIT_DONE && !args->quiet) {
        il_inputs_warn_links(&run->in, COMMAND);
    }
    if (code == IL_EXIT_DONE) {
        code = fit_map(args, run);
    }
    if (code == IL_EXIT_DONE && !args->quiet) {
        il_report_map(stderr, il_mapping_info(run->mapping));
    }
    if (code == IL_EXIT_DONE && args->json) {
        code = il_json_print(COMMAND, il_report_map_json(il_mapping_info(run->mapping)));
    }
    il_mapping_close(&run->mapping);
    il_inputs_free(&run->in);
    return code;
}

int il_cmd_map_fit(int argc, char **argv)
{
    struct fit_args args;
    struct fit_run run;
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
    return il_stdout_end(COMMAND, fit(&args, &run));
}
