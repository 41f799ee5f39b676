/* SPDX-License-Identifier: Apache-2.0 */
/* isolink search: the rows of a store that are nearest to queries, by cosine, exactly. */
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "event_line.h"
#include "inputs.h"
#include "json_out.h"
#include "map_in.h"
#include "opts.h"
#include "progress.h"
#include "rows_in.h"

#define COMMAND "search"

static const char help[] =
    "Examples\n"
    "  isolink search b.store queries.npy -k 10\n"
    "      the ten rows of largest cosine for each query\n"
    "  isolink search b.store queries_of_a.npy --map m.ilm -k 10\n"
    "      queries of another model, through a map\n"
    "\n"
    "Usage: isolink search STORE QUERY [options]\n"
    "  STORE, QUERY      stores, or files, as 'isolink import' takes them; one of them\n"
    "                    may be '-', standard input\n"
    "  --map MAP         queries of the model A of a map, rows of its B\n"
    "  --reverse         queries of its B, rows of its A\n"
    "  --force           rows of other models than the map was fitted on\n"
    "  -k N              rows for each query, 1 to 64                           [10]\n"
    "  --json            a line of JSON for each query, not CSV\n"
    "  --io IO           how stores are read: auto, uring or pread            [auto]\n"
    "  --threads N       1 to 256; 0 = one per core; never changes a bit         [0]\n"
    "  --no-progress     no progress bar (it shows on a terminal only)\n"
    "  -h, --help        this text\n"
    "\n"
    "CSV on standard output: query,rank,id,score, queries in their order; score is the\n"
    "cosine. Queries are held in memory, rows are not. Rows and queries that are zero "
    "or\n"
    "not finite find nothing and are not found.\n"
    "\n"
    "Exit status: 0 done, 1 failed, 2 usage, 3 bad input, 4 damaged map or store, 130\n"
    "interrupted.\n";

static const struct option options[] = {
    {"map", required_argument, NULL, IL_OPT_MAP},
    {"reverse", no_argument, NULL, IL_OPT_REVERSE},
    {"force", no_argument, NULL, IL_OPT_FORCE},
    {"json", no_argument, NULL, IL_OPT_JSON},
    {"io", required_argument, NULL, IL_OPT_IO},
    {"threads", required_argument, NULL, IL_OPT_THREADS},
    {"no-progress", no_argument, NULL, IL_OPT_NO_PROGRESS},
    {"help", no_argument, NULL, 'h'},
    {NULL, 0, NULL, 0},
};

struct search_args {
    const char *store;
    const char *query;
    const char *map; /**< NULL: none */
    enum il_io io;
    struct il_search_config config;
    bool reverse;
    bool force;
    bool json;
    bool progress;
    bool help;
};

/* All queries, as rows of the store's space. */
struct queries {
    size_t count, room;
    float *row;
    char *text; /**< their ids, one behind the other */
    size_t text_bytes, text_room;
    size_t *id_bytes;
};

struct search_run {
    struct il_map_in map;
    struct il_mapper *mapper;
    struct il_rows_in query;
    struct il_rows_in store;
    struct queries all;
    struct il_search *search;
    struct il_progress bar;
};

static bool take_option(int option, struct search_args *args)
{
    uint64_t number = 0;

    switch (option) {
    case IL_OPT_MAP:
        args->map = optarg;
        return true;
    case IL_OPT_REVERSE:
        args->reverse = true;
        return true;
    case IL_OPT_FORCE:
        args->force = true;
        return true;
    case IL_OPT_JSON:
        args->json = true;
        return true;
    case 'k':
        if (!il_opts_number(COMMAND, "-k", optarg, 1, IL_SEARCH_TOP_MAX, &number)) {
            return false;
        }
        args->config.top = (size_t)number;
        return true;
    case IL_OPT_IO:
        return il_opts_io(COMMAND, optarg, &args->io);
    case IL_OPT_THREADS:
        if (!il_opts_number(COMMAND, "--threads", optarg, 0, 256, &number)) {
            return false;
        }
        args->config.threads = (unsigned)number;
        return true;
    case IL_OPT_NO_PROGRESS:
        args->progress = false;
        return true;
    case 'h':
        args->help = true;
        return true;
    default:
        return false;
    }
}

static int read_args(int argc, char **argv, struct search_args *args)
{
    int option;

    memset(args, 0, sizeof *args);
    args->progress = true;
    il_search_config_init(&args->config);
    while ((option = il_opts_next(argc, argv, ":hk:", options)) != -1) {
        if (option == IL_OPT_ERROR || !take_option(option, args)) {
            return IL_EXIT_USAGE;
        }
        if (args->help) {
            return IL_EXIT_DONE;
        }
    }
    if (argc - optind != 2) {
        il_say(COMMAND,
               "wants rows and queries, STORE QUERY, got %d; 'isolink search --help' "
               "shows examples",
               argc - optind);
    } else if (args->map == NULL && (args->reverse || args->force)) {
        il_say(COMMAND, "'%s' belongs to '--map MAP'",
               args->reverse ? "--reverse" : "--force");
    } else if (strcmp(argv[optind], "-") == 0 && strcmp(argv[optind + 1], "-") == 0) {
        il_say(COMMAND, "only one of STORE and QUERY can be standard input");
    } else {
        args->store = argv[optind];
        args->query = argv[optind + 1];
        return IL_EXIT_DONE;
    }
    return IL_EXIT_USAGE;
}

/* Sides of the map, or of one space. */
static int check_spaces(const struct search_args *args, struct search_run *run)
{
    const struct il_rows_in *q = &run->query;
    const struct il_rows_in *s = &run->store;
    int from = args->reverse;
    int code = IL_EXIT_DONE;

    if (args->map == NULL && q->dim != s->dim) {
        il_say(COMMAND,
               "%s: queries of %zu coordinates, but rows of %s have %zu; '--map' takes "
               "queries of another model",
               q->path, q->dim, s->path, s->dim);
        return IL_EXIT_INPUT;
    }
    if (args->map != NULL) {
        code = il_map_in_check(&run->map, COMMAND, from, q->path, q->dim, q->model,
                               args->force);
    }
    if (code == IL_EXIT_DONE && args->map != NULL) {
        code = il_map_in_check(&run->map, COMMAND, !from, s->path, s->dim, s->model,
                               args->force);
    }
    return code;
}

static int open_all(const struct search_args *args, struct search_run *run)
{
    struct il_error error = {""};
    enum il_status status = IL_OK;
    int code = IL_EXIT_DONE;

    if (args->map != NULL) {
        code = il_map_in_load(&run->map, COMMAND, args->map);
    }
    if (code == IL_EXIT_DONE) {
        code = il_rows_in_open(&run->query, COMMAND, args->query, args->io);
    }
    if (code == IL_EXIT_DONE) {
        code = il_rows_in_open(&run->store, COMMAND, args->store, args->io);
    }
    if (code == IL_EXIT_DONE) {
        code = check_spaces(args, run);
    }
    if (code == IL_EXIT_DONE && args->map != NULL) {
        status = il_mapper_open(&run->mapper, run->map.mapping, args->reverse,
                                args->config.threads, &error);
    }
    return status == IL_OK ? code : il_say_status(COMMAND, status, &error);
}

/* Room for the rows and ids of a batch. */
static bool make_room(struct queries *all, const struct il_rows_in *in, size_t dim)
{
    size_t bytes = 0;

    for (size_t i = 0; i < in->count; i++) {
        bytes += in->id_bytes[i];
    }
    if (all->room - all->count < in->count) {
        size_t room = 2 * all->room + IL_ROWS_IN_MAX;
        float *row = realloc(all->row, room * dim * sizeof *row);
        size_t *lengths =
            row != NULL ? realloc(all->id_bytes, room * sizeof *all->id_bytes) : NULL;

        all->row = row != NULL ? row : all->row;
        all->id_bytes = lengths != NULL ? lengths : all->id_bytes;
        if (lengths == NULL) {
            return false;
        }
        all->room = room;
    }
    if (all->text_room - all->text_bytes < bytes) {
        size_t room = 2 * all->text_room + bytes;
        char *text = realloc(all->text, room);

        if (text == NULL) {
            return false;
        }
        all->text = text;
        all->text_room = room;
    }
    return true;
}

/* All queries come into memory, through the map where there is one. */
static int read_queries(struct search_run *run)
{
    struct queries *all = &run->all;
    struct il_rows_in *in = &run->query;
    size_t dim = run->store.dim;
    int code = IL_EXIT_DONE;

    do {
        code = il_rows_in_next(in, COMMAND);
        if (code != IL_EXIT_DONE) {
            return code;
        }
        if (!make_room(all, in, dim)) {
            return il_say_memory(COMMAND);
        }
        float *to = all->row + all->count * dim;
        if (run->mapper == NULL) {
            memcpy(to, in->row, in->count * dim * sizeof *to);
        } else if (il_mapper_rows(run->mapper, in->row, in->count, to, NULL, NULL) !=
                   IL_OK) {
            return il_say_memory(COMMAND);
        }
        for (size_t i = 0; i < in->count; i++) {
            memcpy(all->text + all->text_bytes, in->id[i], in->id_bytes[i]);
            all->text_bytes += in->id_bytes[i];
            all->id_bytes[all->count++] = in->id_bytes[i];
        }
    } while (in->count > 0);
    return code;
}

static int look_at_rows(struct search_run *run)
{
    struct il_rows_in *in = &run->store;
    struct il_error error = {""};
    double total = in->rows != UINT64_MAX ? (double)in->rows : 0.0;
    double done = 0.0;
    int code = IL_EXIT_DONE;

    do {
        code = il_rows_in_next(in, COMMAND);
        if (code == IL_EXIT_DONE) {
            enum il_status status = il_search_add(run->search, in->row, in->count, in->id,
                                                  in->id_bytes, &error);

            if (status == IL_ECANCEL) {
                code = il_say_cancelled(COMMAND);
            } else if (status != IL_OK) {
                code = il_say_status(COMMAND, status, &error);
            }
        }
        done += (double)in->count;
        il_progress_step(&run->bar, "search", done, total);
    } while (code == IL_EXIT_DONE && in->count > 0);
    il_progress_clear(&run->bar);
    return code;
}

static void put_csv(const struct il_hit *hit, size_t count, const char *id,
                    size_t id_bytes)
{
    char field[2 * IL_ID_BYTES_MAX + 2];

    for (size_t i = 0; i < count; i++) {
        char *end = il_csv_put(field, id, id_bytes);

        fwrite(field, 1, (size_t)(end - field), stdout);
        printf(",%zu,", i + 1);
        end = il_csv_put(field, hit[i].id, hit[i].id_bytes);
        fwrite(field, 1, (size_t)(end - field), stdout);
        printf(",%s\n", il_fixed((double)hit[i].score).text);
    }
}

static void put_json(const struct il_hit *hit, size_t count, const char *id,
                     size_t id_bytes)
{
    char text[6 * IL_ID_BYTES_MAX + 2];
    char *end = il_json_put(text, id, id_bytes);

    printf("{\"query\": %.*s, \"hits\": [", (int)(end - text), text);
    for (size_t i = 0; i < count; i++) {
        end = il_json_put(text, hit[i].id, hit[i].id_bytes);
        printf("%s{\"id\": %.*s, \"score\": %s}", i > 0 ? ", " : "", (int)(end - text),
               text, il_fixed((double)hit[i].score).text);
    }
    puts("]}");
}

static int search(struct search_args *args, struct search_run *run)
{
    struct il_hit hit[IL_SEARCH_TOP_MAX];
    struct il_error error = {""};
    enum il_status status;
    const char *id;
    int code = open_all(args, run);

    if (code == IL_EXIT_DONE) {
        code = read_queries(run);
    }
    if (code != IL_EXIT_DONE) {
        return code;
    }
    if (run->all.count > 0) {
        args->config.cancel = il_cancel_flag();
        status = il_search_open(&run->search, run->all.row, run->all.count,
                                run->store.dim, &args->config, &error);
        if (status != IL_OK) {
            return il_say_status(COMMAND, status, &error);
        }
        code = look_at_rows(run);
    }
    if (code != IL_EXIT_DONE) {
        return code;
    }
    if (!args->json) {
        puts("query,rank,id,score");
    }
    id = run->all.text;
    for (size_t q = 0; q < run->all.count; q++) {
        size_t count = il_search_hits(run->search, q, hit);

        (args->json ? put_json : put_csv)(hit, count, id, run->all.id_bytes[q]);
        id += run->all.id_bytes[q];
    }
    return code;
}

int il_cmd_search(int argc, char **argv)
{
    struct search_args args;
    static struct search_run run;
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
    il_progress_init(&run.bar, args.progress);
    code = search(&args, &run);
    il_search_close(&run.search);
    il_mapper_close(&run.mapper);
    il_rows_in_close(&run.query);
    il_rows_in_close(&run.store);
    il_map_in_close(&run.map);
    free(run.all.row);
    free(run.all.text);
    free(run.all.id_bytes);
    return il_stdout_end(COMMAND, code);
}
