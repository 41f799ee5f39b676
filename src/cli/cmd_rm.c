/* SPDX-License-Identifier: Apache-2.0 */
/* isolink rm: removes rows of a store by their ids, in one commit. */
#include "cli.h"
#include "opts.h"
#include "report.h"
#include "stores.h"

#define COMMAND "rm"

static const char help[] =
    "Examples\n"
    "  isolink rm docs.store doc-17 doc-42\n"
    "  isolink rm docs.store --ids gone.txt && isolink compact docs.store\n"
    "      removes many, then frees their room\n"
    "\n"
    "Usage: isolink rm STORE [ID...] [options]\n"
    "  --ids FILE        more ids, one a line; '-' is standard input\n"
    "  -q, --quiet       errors only\n"
    "  -h, --help        this text\n"
    "\n"
    "All rows go in one commit: all of them, or none when it fails or is interrupted.\n"
    "Ids that the store does not have are named on standard error; the others go all "
    "the\n"
    "same. An id that begins with '-' follows '--'.\n"
    "\n"
    "Exit status: 0 done, 1 failed, 2 usage, 3 no such store or no such id, 4 damaged\n"
    "store, 6 somebody else writes the store.\n";

static const struct option options[] = {
    {"ids", required_argument, NULL, IL_OPT_IDS},
    {"quiet", no_argument, NULL, 'q'},
    {"help", no_argument, NULL, 'h'},
    {NULL, 0, NULL, 0},
};

/* Removes every row that is wanted and there; counts them. */
static int remove_rows(struct il_store *store, const char *path, struct il_wanted *wanted,
                       struct il_missing *missing, size_t *removed)
{
    struct il_error error = {""};
    enum il_status status;

    for (;;) {
        const void *id = NULL;
        size_t id_bytes = 0;
        int found = 0;

        status = il_wanted_next(wanted, &id, &id_bytes, &error);
        if (status != IL_OK) {
            return il_say_status(COMMAND, status, &error);
        }
        if (id == NULL) {
            break;
        }
        status = il_store_remove(store, id, id_bytes, &found, &error);
        if (status != IL_OK) {
            return il_say_output(COMMAND, status, &error);
        }
        if (found) {
            *removed += 1;
        } else {
            il_missing_say(missing, COMMAND, path, id, id_bytes);
        }
    }
    status = il_store_commit(store, &error);
    return status == IL_OK ? IL_EXIT_DONE : il_say_output(COMMAND, status, &error);
}

static int rm(const char *path, struct il_wanted *wanted, bool quiet)
{
    struct il_store_config config;
    struct il_missing missing = {0};
    struct il_store *store = NULL;
    struct il_store_info info;
    size_t removed = 0;
    int code;

    il_store_config_init(&config);
    config.write = 1;
    code = il_store_open_say(&store, COMMAND, path, &config);
    if (code == IL_EXIT_DONE) {
        code = remove_rows(store, path, wanted, &missing, &removed);
    }
    if (code == IL_EXIT_DONE) {
        il_store_describe(store, &info);
        if (!quiet) {
            fprintf(stderr, "%-11s %s rows of ", "removed", il_grouped(removed).text);
            il_put_text(stderr, path);
            fprintf(stderr, ", which has %s now\n", il_grouped((size_t)info.rows).text);
        }
        code = il_missing_end(&missing, COMMAND, path);
    }
    il_store_close(&store);
    return code;
}

int il_cmd_rm(int argc, char **argv)
{
    struct il_wanted wanted = {0};
    const char *ids = NULL;
    bool quiet = false;
    int option;
    int code;

    while ((option = il_opts_next(argc, argv, ":hq", options)) != -1) {
        switch (option) {
        case IL_OPT_IDS:
            ids = optarg;
            break;
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
    if (argc - optind < (ids != NULL ? 1 : 2)) {
        il_say(COMMAND, "wants a store and ids, STORE ID... or STORE --ids FILE; "
                        "'isolink rm --help' shows examples");
        return IL_EXIT_USAGE;
    }
    wanted.operands = argv + optind + 1;
    wanted.count = argc - optind - 1;
    code = il_wanted_open(&wanted, COMMAND, ids);
    if (code == IL_EXIT_DONE) {
        code = rm(argv[optind], &wanted, quiet);
    }
    il_wanted_close(&wanted);
    return code;
}
