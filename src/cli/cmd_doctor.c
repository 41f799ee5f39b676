/* SPDX-License-Identifier: Apache-2.0 */
/* isolink doctor: is the data sound, and will a bootstrap work? */
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "inputs.h"
#include "opts.h"
#include "progress.h"
#include "report.h"

#define COMMAND "doctor"

static const char help[] =
    "Examples\n"
    "  isolink doctor a.npy b.npy --seeds seeds.csv\n"
    "      shapes, bad rows, hubs, and go / doubtful / no-go with what it is based on\n"
    "  isolink doctor a.npy b.npy --seeds seeds.csv --json | jq -r .verdict\n"
    "\n"
    "Usage: isolink doctor A B [options]\n"
    "  A, B                  stores (isolink import), or\n"
    "                        .npy .fvecs .bvecs .fbin .f16bin .u8bin .i8bin .jsonl .csv\n"
    "                        .faiss or .safetensors files, also packed (.zst); '-' is\n"
    "                        standard input\n"
    "  --seeds FILE          known pairs, CSV: a_id,b_id; without: the data alone\n"
    "  --a-ids, --b-ids FILE ids, one a line        [of the side, or row numbers]\n"
    "  --io IO               how stores are read: auto, uring or pread          [auto]\n"
    "  --seed N              random seed number                                  [0]\n"
    "  --threads N           1 to 256; 0 = one per core                          [0]\n"
    "  --json                JSON instead of the table\n"
    "  -q, --quiet           no warnings\n"
    "  --no-progress         no progress bar (it shows on a terminal only)\n"
    "  -h, --help            this text\n"
    "\n"
    "Exit status: 0 go or doubtful, 1 failed, 2 usage, 3 bad input, 5 no-go.\n";

static const struct option options[] = {
    {"seeds", required_argument, NULL, IL_OPT_SEEDS},
    {"a-ids", required_argument, NULL, IL_OPT_A_IDS},
    {"b-ids", required_argument, NULL, IL_OPT_B_IDS},
    {"io", required_argument, NULL, IL_OPT_IO},
    {"threads", required_argument, NULL, IL_OPT_THREADS},
    {"seed", required_argument, NULL, IL_OPT_SEED},
    {"json", no_argument, NULL, IL_OPT_JSON},
    {"quiet", no_argument, NULL, 'q'},
    {"no-progress", no_argument, NULL, IL_OPT_NO_PROGRESS},
    {"help", no_argument, NULL, 'h'},
    {NULL, 0, NULL, 0},
};

struct doctor_args {
    struct il_input_paths path;
    bool json;
    bool quiet;
    bool progress;
    bool help;
    struct il_link_config config;
};

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

static bool take_option(int option, struct doctor_args *args)
{
    switch (option) {
    case IL_OPT_SEEDS:
        args->path.seeds = optarg;
        return true;
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

static int read_args(int argc, char **argv, struct doctor_args *args)
{
    int option;

    memset(args, 0, sizeof *args);
    args->progress = true;
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
               "wants two sides, A and B, got %d; 'isolink doctor --help' shows "
               "examples",
               argc - optind);
        return IL_EXIT_USAGE;
    }
    args->path.side[0] = argv[optind];
    args->path.side[1] = argv[optind + 1];
    return IL_EXIT_DONE;
}

static int examine(struct doctor_args *args, const struct il_inputs *in)
{
    struct il_doctor doctor;
    struct il_error error = {""};
    struct il_progress bar;
    enum il_status status;

    il_progress_init(&bar, args->progress && !args->quiet);
    args->config.progress = il_progress_step;
    args->config.progress_context = &bar;
    args->config.cancel = il_cancel_flag();
    status = il_doctor_run(&doctor, &in->rows[0], &in->rows[1], in->seeds, in->seed_count,
                           &args->config, &error);
    il_progress_clear(&bar);
    if (atomic_load(il_cancel_flag()) != 0) {
        return il_say_cancelled(COMMAND);
    }
    if (status != IL_OK) {
        return il_say_status(COMMAND, status, &error);
    }
    if (args->json) {
        char *text = il_report_doctor_json(&doctor, in);

        if (text == NULL) {
            return il_say_memory(COMMAND);
        }
        fputs(text, stdout);
        free(text);
    } else {
        il_report_doctor(stdout, &doctor, in);
    }
    return doctor.verdict == IL_NO_GO ? IL_EXIT_BOOTSTRAP : IL_EXIT_DONE;
}

int il_cmd_doctor(int argc, char **argv)
{
    struct doctor_args args;
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
        code = examine(&args, &in);
    }
    il_inputs_free(&in);
    return il_stdout_end(COMMAND, code);
}
