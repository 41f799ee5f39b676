/* SPDX-License-Identifier: Apache-2.0 */
/* isolink verify: reads every byte of stores and names every fault. */
#include <inttypes.h>
#include <stdlib.h>

#include "cli.h"
#include "json_out.h"
#include "opts.h"
#include "stores.h"

#define COMMAND "verify"

static const char help[] =
    "Examples\n"
    "  isolink verify docs.store\n"
    "  isolink verify *.store --json | jq -c '.stores[] | select(.sound | not)'\n"
    "\n"
    "Usage: isolink verify STORE... [options]\n"
    "  --json            JSON instead of lines\n"
    "  -q, --quiet       faults only\n"
    "  -h, --help        this text\n"
    "\n"
    "Reads every byte and compares it with its checksum, also in a store that cannot be\n"
    "opened any more. Each fault is a line on standard error: file, byte, what was "
    "found\n"
    "and wanted, how many rows are lost. Nothing is changed; writers may go on.\n"
    "\n"
    "Exit status: 0 all sound, 1 failed, 2 usage, 3 no store, 4 damaged.\n";

static const struct option options[] = {
    {"json", no_argument, NULL, IL_OPT_JSON},
    {"quiet", no_argument, NULL, 'q'},
    {"help", no_argument, NULL, 'h'},
    {NULL, 0, NULL, 0},
};

struct verify_args {
    bool json;
    bool quiet;
};

/* What is found in one store. */
struct verify_run {
    size_t faults;
    json_t *list; /**< NULL unless --json */
};

static void on_fault(void *context, const struct il_store_fault *fault)
{
    struct verify_run *run = context;

    run->faults++;
    if (run->list != NULL) {
        json_array_append_new(
            run->list, json_pack("{s:o, s:o, s:o}", "file", il_json_text(fault->file),
                                 "text", il_json_text(fault->text), "rows_lost",
                                 fault->rows_lost != UINT64_MAX
                                     ? il_json_whole((size_t)fault->rows_lost)
                                     : json_null()));
    }
    if (fault->rows_lost == 0) {
        il_say(COMMAND, "%s; no row is lost", fault->text);
    } else if (fault->rows_lost == UINT64_MAX) {
        il_say(COMMAND, "%s; how many rows are lost is not known", fault->text);
    } else {
        il_say(COMMAND, "%s; rows lost: %" PRIu64, fault->text, fault->rows_lost);
    }
}

/* One store; appends to stores, which may be NULL. */
static int verify(const char *path, const struct verify_args *args, json_t *stores)
{
    struct verify_run run = {0, stores != NULL ? json_array() : NULL};
    struct il_error error = {""};
    enum il_status status = il_store_verify(path, on_fault, &run, &error);
    int code = IL_EXIT_DONE;

    if (status == IL_ECORRUPT && run.faults > 0) {
        il_say(COMMAND, "%s: damaged, %zu %s", path, run.faults,
               run.faults == 1 ? "fault" : "faults");
        code = IL_EXIT_DAMAGED;
    } else if (status != IL_OK) {
        code = il_say_status(COMMAND, status, &error);
    } else if (!args->quiet && !args->json) {
        il_put_text(stdout, path);
        fputs(": sound\n", stdout);
    }
    if (stores != NULL) {
        json_array_append_new(stores, json_pack("{s:o, s:b, s:o, s:o}", "store",
                                                il_json_text(path), "sound",
                                                status == IL_OK, "error",
                                                status == IL_OK || run.faults > 0
                                                    ? json_null()
                                                    : il_json_text(error.text),
                                                "faults", run.list));
    }
    return code;
}

/* Damage outweighs whatever else went wrong. */
static int worse(int a, int b)
{
    return a == IL_EXIT_DAMAGED || b == IL_EXIT_DONE ? a : b;
}

static int verify_all(char **paths, int count, const struct verify_args *args)
{
    json_t *stores = args->json ? json_array() : NULL;
    int code = IL_EXIT_DONE;

    if (args->json && stores == NULL) {
        return il_say_memory(COMMAND);
    }
    for (int i = 0; i < count; i++) {
        code = worse(code, verify(paths[i], args, stores));
    }
    if (args->json) {
        json_t *object =
            json_pack("{s:s, s:o}", "schema", "isolink-verify-1", "stores", stores);

        code = worse(code, il_json_print(COMMAND, il_json_finish(object)));
    }
    return code;
}

int il_cmd_verify(int argc, char **argv)
{
    struct verify_args args = {false, false};
    int option;

    while ((option = il_opts_next(argc, argv, ":hq", options)) != -1) {
        switch (option) {
        case IL_OPT_JSON:
            args.json = true;
            break;
        case 'q':
            args.quiet = true;
            break;
        case 'h':
            fputs(help, stdout);
            return il_stdout_end(COMMAND, IL_EXIT_DONE);
        default:
            return IL_EXIT_USAGE;
        }
    }
    if (argc - optind < 1) {
        il_say(COMMAND,
               "wants at least one store; 'isolink verify --help' shows examples");
        return IL_EXIT_USAGE;
    }
    return il_stdout_end(COMMAND, verify_all(argv + optind, argc - optind, &args));
}
