/* SPDX-License-Identifier: Apache-2.0 */
/* isolink info: what a store is. */
#include "cli.h"
#include "opts.h"
#include "report_store.h"
#include "stores.h"

#define COMMAND "info"

static const char help[] =
    "Examples\n"
    "  isolink info docs.store\n"
    "      model, rows, codec, size on disk, what compact would free\n"
    "  isolink info docs.store --json | jq .rows\n"
    "\n"
    "Usage: isolink info STORE [options]\n"
    "  --json            JSON instead of the table\n"
    "  -h, --help        this text\n"
    "\n"
    "Only the tables are read: 'isolink verify' reads every byte.\n"
    "\n"
    "Exit status: 0 done, 1 failed, 2 usage, 3 no such store, 4 damaged store.\n";

static const struct option options[] = {
    {"json", no_argument, NULL, IL_OPT_JSON},
    {"help", no_argument, NULL, 'h'},
    {NULL, 0, NULL, 0},
};

static int describe(const char *path, bool json)
{
    struct il_store_config config;
    struct il_store_info info;
    struct il_store *store = NULL;
    int code;

    il_store_config_init(&config);
    code = il_store_open_say(&store, COMMAND, path, &config);
    if (code != IL_EXIT_DONE) {
        return code;
    }
    il_store_describe(store, &info);
    if (json) {
        code = il_json_print(COMMAND, il_report_info_json(path, &info));
    } else {
        il_report_info(stdout, path, &info);
    }
    il_store_close(&store);
    return code;
}

int il_cmd_info(int argc, char **argv)
{
    bool json = false;
    int option;

    while ((option = il_opts_next(argc, argv, ":h", options)) != -1) {
        switch (option) {
        case IL_OPT_JSON:
            json = true;
            break;
        case 'h':
            fputs(help, stdout);
            return il_stdout_end(COMMAND, IL_EXIT_DONE);
        default:
            return IL_EXIT_USAGE;
        }
    }
    if (argc - optind != 1) {
        il_say(COMMAND, "wants one store, got %d; 'isolink info --help' shows examples",
               argc - optind);
        return IL_EXIT_USAGE;
    }
    return il_stdout_end(COMMAND, describe(argv[optind], json));
}
