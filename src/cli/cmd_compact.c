/* SPDX-License-Identifier: Apache-2.0 */
/* isolink compact: live rows into as few segments as may be, the room of others back. */
#include "cli.h"
#include "opts.h"
#include "report.h"
#include "stores.h"

#define COMMAND "compact"

static const char help[] =
    "Examples\n"
    "  isolink compact docs.store\n"
    "      frees the room of rows that were removed or replaced\n"
    "\n"
    "Usage: isolink compact STORE [options]\n"
    "  -q, --quiet       errors only\n"
    "  -h, --help        this text\n"
    "\n"
    "Stored values stay bit for bit. Until the end the store is as it was, also when "
    "this\n"
    "is interrupted, and so are readers that are open; it needs the room of a copy.\n"
    "\n"
    "Exit status: 0 done, 1 failed, 2 usage, 3 no such store, 4 damaged store, 6\n"
    "somebody else writes the store.\n";

static const struct option options[] = {
    {"quiet", no_argument, NULL, 'q'},
    {"help", no_argument, NULL, 'h'},
    {NULL, 0, NULL, 0},
};

static void tell(const char *path, const struct il_store_info *before,
                 const struct il_store_info *after)
{
    fprintf(stderr, "%-11s ", "store");
    il_put_text(stderr, path);
    fprintf(stderr, ": %s rows, %s dropped; segments %zu, before %zu; %s, before ",
            il_grouped((size_t)after->rows).text,
            il_grouped((size_t)before->deleted).text, after->segments, before->segments,
            il_size_text((double)after->bytes).text);
    fprintf(stderr, "%s\n", il_size_text((double)before->bytes).text);
}

static int compact(const char *path, bool quiet)
{
    struct il_store_config config;
    struct il_store_info before;
    struct il_store_info after;
    struct il_store *store = NULL;
    struct il_error error = {""};
    enum il_status status;
    int code;

    il_store_config_init(&config);
    config.write = 1;
    code = il_store_open_say(&store, COMMAND, path, &config);
    if (code != IL_EXIT_DONE) {
        return code;
    }
    il_store_describe(store, &before);
    status = il_store_compact(store, &error);
    if (status != IL_OK) {
        code = il_say_output(COMMAND, status, &error);
    } else if (!quiet) {
        il_store_describe(store, &after);
        tell(path, &before, &after);
    }
    il_store_close(&store);
    return code;
}

int il_cmd_compact(int argc, char **argv)
{
    bool quiet = false;
    int option;

    while ((option = il_opts_next(argc, argv, ":hq", options)) != -1) {
        switch (option) {
        case 'q':
            quiet = true;
            break;
        case 'h':
            fputs(help, stdout);
            return il_stdout_end(COMMAND, IL_EXIT_DONE);
        default:
            return IL_EXIT_USAGE;
        }
    }
    if (argc - optind != 1) {
        il_say(COMMAND,
               "wants one store, got %d; 'isolink compact --help' shows examples",
               argc - optind);
        return IL_EXIT_USAGE;
    }
    return compact(argv[optind], quiet);
}
