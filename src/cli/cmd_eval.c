/* SPDX-License-Identifier: Apache-2.0 */
/* isolink eval: links against the truth. */
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "opts.h"
#include "report.h"

#define COMMAND "eval"

static const char help[] =
    "Examples\n"
    "  isolink eval links.csv truth.csv\n"
    "      precision, recall, F1, and how far the posteriors can be trusted\n"
    "  isolink eval links.csv truth.csv --seeds seeds.csv --json | jq .f1\n"
    "\n"
    "Usage: isolink eval LINKS TRUTH [options]\n"
    "  LINKS            CSV with a_id,b_id; the columns posterior and origin are used\n"
    "                   when the header names them\n"
    "  TRUTH            CSV with a_id,b_id: every true pair\n"
    "  --seeds FILE     CSV with a_id,b_id: pairs of these documents are not judged\n"
    "                   (lines of origin 'seed' never are)\n"
    "  --json           JSON instead of the table\n"
    "  -h, --help       this text\n"
    "\n"
    "Exit status: 0 done, 1 failed, 2 usage, 3 bad input.\n";

static const struct option options[] = {
    {"seeds", required_argument, NULL, IL_OPT_SEEDS},
    {"json", no_argument, NULL, IL_OPT_JSON},
    {"help", no_argument, NULL, 'h'},
    {NULL, 0, NULL, 0},
};

struct eval_args {
    const char *links;
    const char *truth;
    const char *seeds;
    bool json;
    bool help;
};

static int read_args(int argc, char **argv, struct eval_args *args)
{
    int option;

    memset(args, 0, sizeof *args);
    while ((option = il_opts_next(argc, argv, ":h", options)) != -1) {
        switch (option) {
        case IL_OPT_SEEDS:
            args->seeds = optarg;
            break;
        case IL_OPT_JSON:
            args->json = true;
            break;
        case 'h':
            args->help = true;
            return IL_EXIT_DONE;
        default:
            return IL_EXIT_USAGE;
        }
    }
    if (argc - optind != 2) {
        il_say(COMMAND,
               "wants two files, the links and the truth, got %d; 'isolink eval --help' "
               "shows examples",
               argc - optind);
        return IL_EXIT_USAGE;
    }
    args->links = argv[optind];
    args->truth = argv[optind + 1];
    return IL_EXIT_DONE;
}

int il_cmd_eval(int argc, char **argv)
{
    struct eval_args args;
    struct il_eval eval;
    struct il_error error = {""};
    enum il_status status;
    int code = read_args(argc, argv, &args);

    if (code != IL_EXIT_DONE) {
        return code;
    }
    if (args.help) {
        fputs(help, stdout);
        return il_stdout_end(COMMAND, IL_EXIT_DONE);
    }
    status = il_eval_files(&eval, args.links, args.truth, args.seeds, &error);
    if (status != IL_OK) {
        return il_say_status(COMMAND, status, &error);
    }
    if (args.json) {
        char *text = il_report_eval_json(&eval);

        if (text == NULL) {
            return il_say_memory(COMMAND);
        }
        fputs(text, stdout);
        free(text);
    } else {
        il_report_eval(stdout, &eval);
    }
    return il_stdout_end(COMMAND, IL_EXIT_DONE);
}
