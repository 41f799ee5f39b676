/* SPDX-License-Identifier: Apache-2.0 */
/* isolink map: finds its command, and says what a map is. */
#include "cmd_map.h"

#include <string.h>

#include "cli.h"
#include "map_in.h"
#include "opts.h"
#include "report_map.h"
#include "stores.h"

#define COMMAND "map"
#define INFO "map info"

static const char help[] =
    "Examples\n"
    "  isolink map fit a.store b.store --links links.csv -o m.ilm\n"
    "      a map from the space of A to that of B, and back, fitted on the links\n"
    "  isolink map info m.ilm\n"
    "      how far to trust it, by links that it was not fitted on\n"
    "  isolink map apply m.ilm a.store -o a_in_b.npy --confidence sure.npy\n"
    "      every row of A as the model of B would have made it\n"
    "\n"
    "Usage: isolink map COMMAND ... ('isolink map COMMAND --help' lists its options)\n"
    "  fit        fits a map on links\n"
    "  info       what a map is, and how well it does\n"
    "  apply      rows of a store or a file through a map\n"
    "  -h, --help this text\n"
    "\n"
    "Exit status: 0 done, 1 failed, 2 usage, 3 bad input, 4 damaged map or store, 5\n"
    "too few links, 130 interrupted.\n";

static const char info_help[] =
    "Examples\n"
    "  isolink map info m.ilm\n"
    "  isolink map info m.ilm --json | jq .a_to_b.recall_at_10\n"
    "\n"
    "Usage: isolink map info MAP [options]\n"
    "  --json            JSON instead of the table\n"
    "  -h, --help        this text\n"
    "\n"
    "All figures are of links that were held out of the fit, in folds, weighted by "
    "their\n"
    "posteriors; a wrong link counts as a miss. cosine, residual: image and partner, "
    "both\n"
    "less the mean row of the side and on its kept axes (chance is 0 and 1.414). found:\n"
    "the partner by its cosine among the rows as given. suits: rows of confidence 0.5 "
    "and\n"
    "more ('isolink map apply --help' says what that is).\n"
    "\n"
    "Exit status: 0 done, 1 failed, 2 usage, 3 no such map, 4 damaged map.\n";

static const struct option info_options[] = {
    {"json", no_argument, NULL, IL_OPT_JSON},
    {"help", no_argument, NULL, 'h'},
    {NULL, 0, NULL, 0},
};

int il_cmd_map_info(int argc, char **argv)
{
    struct il_map_in map = {0};
    bool json = false;
    int option;
    int code;

    while ((option = il_opts_next(argc, argv, ":h", info_options)) != -1) {
        switch (option) {
        case IL_OPT_JSON:
            json = true;
            break;
        case 'h':
            fputs(info_help, stdout);
            return il_stdout_end(INFO, IL_EXIT_DONE);
        default:
            return IL_EXIT_USAGE;
        }
    }
    if (argc - optind != 1) {
        il_say(INFO, "wants one map, got %d; 'isolink map info --help' shows examples",
               argc - optind);
        return IL_EXIT_USAGE;
    }
    code = il_map_in_load(&map, INFO, argv[optind]);
    if (code == IL_EXIT_DONE && json) {
        code = il_json_print(INFO, il_report_map_json(map.info));
    } else if (code == IL_EXIT_DONE) {
        il_report_map(stdout, map.info);
    }
    il_map_in_close(&map);
    return il_stdout_end(INFO, code);
}

int il_cmd_map(int argc, char **argv)
{
    static const struct {
        const char *name;
        char full[16];
        int (*run)(int argc, char **argv);
    } commands[] = {{"fit", "map fit", il_cmd_map_fit},
                    {"info", INFO, il_cmd_map_info},
                    {"apply", "map apply", il_cmd_map_apply}};
    static const char *const names[] = {"fit", "info", "apply", "--help"};
    const char *near;

    if (argc < 2) {
        il_say(COMMAND, "wants fit, info or apply; 'isolink map --help' shows examples");
        return IL_EXIT_USAGE;
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0) {
        fputs(help, stdout);
        return il_stdout_end(COMMAND, IL_EXIT_DONE);
    }
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) {
        if (strcmp(argv[1], commands[i].name) == 0) {
            char full[sizeof commands[i].full];

            memcpy(full, commands[i].full, sizeof full);
            argv[1] = full;
            return commands[i].run(argc - 1, argv + 1);
        }
    }
    near = il_opts_nearest(argv[1], names, sizeof names / sizeof *names);
    if (near != NULL) {
        il_say(COMMAND, "unknown command '%s'; did you mean '%s'?", argv[1], near);
    } else {
        il_say(COMMAND, "unknown command '%s', wanted fit, info or apply", argv[1]);
    }
    return IL_EXIT_USAGE;
}
