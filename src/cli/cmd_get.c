/* SPDX-License-Identifier: Apache-2.0 */
/* isolink get: rows of a store by their ids. */
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "opts.h"
#include "stores.h"

#define COMMAND "get"

static const char help[] =
    "Examples\n"
    "  isolink get docs.store doc-17 doc-42\n"
    "      {\"id\": \"doc-17\", \"vector\": [..]} a line\n"
    "  isolink get docs.store --ids wanted.txt | isolink import - part.store\n"
    "      a part of a store as a store of its own\n"
    "\n"
    "Usage: isolink get STORE [ID...] [options]\n"
    "  --ids FILE        more ids, one a line; '-' is standard input\n"
    "  --json            the same lines (they are JSON already)\n"
    "  -h, --help        this text\n"
    "\n"
    "Values are the stored ones, brought back through the basis where the store has "
    "one.\n"
    "Ids that the store does not have are named on standard error; the others are\n"
    "printed all the same. An id that begins with '-' follows '--'.\n"
    "\n"
    "Exit status: 0 done, 1 failed, 2 usage, 3 no such store or no such id, 4 damaged\n"
    "store.\n";

static const struct option options[] = {
    {"ids", required_argument, NULL, IL_OPT_IDS},
    {"json", no_argument, NULL, IL_OPT_JSON},
    {"help", no_argument, NULL, 'h'},
    {NULL, 0, NULL, 0},
};

struct get_run {
    const char *path;
    struct il_store *store;
    struct il_sink *sink;
    float *row;
};

static int open_all(struct get_run *run)
{
    struct il_store_config config;
    struct il_store_info info;
    struct il_sink_config to;
    struct il_error error = {""};
    enum il_status status;
    int code;

    il_store_config_init(&config);
    code = il_store_open_say(&run->store, COMMAND, run->path, &config);
    if (code != IL_EXIT_DONE) {
        return code;
    }
    il_store_describe(run->store, &info);
    il_sink_config_init(&to);
    to.kind = IL_KIND_JSONL;
    to.dim = info.dim;
    status = il_sink_open(&run->sink, "-", &to, &error);
    if (status != IL_OK) {
        return il_say_output(COMMAND, status, &error);
    }
    run->row = malloc(info.dim * sizeof(float));
    return run->row != NULL ? IL_EXIT_DONE : il_say_memory(COMMAND);
}

/* Prints every row that is wanted and there. */
static int print_rows(struct get_run *run, struct il_wanted *wanted)
{
    struct il_missing missing = {0};
    struct il_error error = {""};

    for (;;) {
        const void *id = NULL;
        size_t id_bytes = 0;
        int found = 0;
        enum il_status status = il_wanted_next(wanted, &id, &id_bytes, &error);

        if (status != IL_OK) {
            return il_say_status(COMMAND, status, &error);
        }
        if (id == NULL) {
            break;
        }
        status = il_store_get(run->store, id, id_bytes, run->row, &found, &error);
        if (status == IL_EARG && !found) {
            il_missing_say(&missing, COMMAND, run->path, id, id_bytes);
            continue;
        }
        if (status != IL_OK) {
            return il_say_status(COMMAND, status, &error);
        }
        status = il_sink_put(run->sink, 1, run->row, &id, &id_bytes, &error);
        if (status != IL_OK) {
            return il_say_output(COMMAND, status, &error);
        }
    }
    return il_missing_end(&missing, COMMAND, run->path);
}

static int get(const char *path, struct il_wanted *wanted)
{
    struct get_run run = {.path = path};
    struct il_error error = {""};
    int code = open_all(&run);

    if (code == IL_EXIT_DONE) {
        code = print_rows(&run, wanted);
    }
    if (run.sink != NULL) {
        /* Also after a failure: the rows of before it are good. */
        enum il_status status = il_sink_close(&run.sink, &error);

        if (status != IL_OK && code != IL_EXIT_FAILED) {
            code = il_say_output(COMMAND, status, &error);
        }
    }
    il_store_close(&run.store);
    free(run.row);
    return code;
}

int il_cmd_get(int argc, char **argv)
{
    struct il_wanted wanted = {0};
    const char *ids = NULL;
    int option;
    int code;

    while ((option = il_opts_next(argc, argv, ":h", options)) != -1) {
        switch (option) {
        case IL_OPT_IDS:
            ids = optarg;
            break;
        case IL_OPT_JSON:
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
                        "'isolink get --help' shows examples");
        return IL_EXIT_USAGE;
    }
    wanted.operands = argv + optind + 1;
    wanted.count = argc - optind - 1;
    code = il_wanted_open(&wanted, COMMAND, ids);
    if (code == IL_EXIT_DONE) {
        code = get(argv[optind], &wanted);
    }
    il_wanted_close(&wanted);
    return il_stdout_end(COMMAND, code);
}
