/* SPDX-License-Identifier: Apache-2.0 */
/* isolink integrate: the documents of two sides in one store. */
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "event_line.h"
#include "fresh.h"
#include "inputs.h"
#include "map_in.h"
#include "opts.h"
#include "report.h"
#include "stores.h"

#define COMMAND "integrate"
#define BATCH 256

static const char help[] =
    "Examples\n"
    "  isolink integrate a.store b.store --links links.csv --map m.ilm -o both.store\n"
    "      every document of A and B once, as rows of B's model\n"
    "  isolink integrate a.store b.store --links links.csv --map m.ilm -o both.store \\\n"
    "      --provenance where.csv\n"
    "      and which row is whose\n"
    "\n"
    "Usage: isolink integrate A B --links FILE --map MAP -o STORE [options]\n"
    "  A, B                  stores, or files, as 'isolink link' takes them\n"
    "  --links FILE          their links, CSV: a_id,b_id,posterior\n"
    "  --map MAP             a map that was fitted on them\n"
    "  -o, --output STORE    the new store\n"
    "  --provenance FILE     CSV id,a_id,b_id,posterior,confidence: where each row of\n"
    "                        the store comes from\n"
    "  --codec C             f32, f16, i8, fp8 or b1 for a coordinate             [i8]\n"
    "  --a-ids, --b-ids FILE ids, one a line        [of the side, or row numbers]\n"
    "  --force               sides of other models than the map was fitted on\n"
    "  --io IO               how stores are read: auto, uring or pread          [auto]\n"
    "  --threads N           1 to 256; 0 = one per core; never changes a bit       [0]\n"
    "  -q, --quiet           errors only\n"
    "  -h, --help            this text\n"
    "\n"
    "Rows of B keep their vectors and become 'b:ID'; a linked row of A is that row. The\n"
    "other rows of A go through the map and become 'a:ID'; confidence is that of 'map\n"
    "apply'. Rows that are zero or not finite are left out. A and B stay as they are.\n"
    "\n"
    "Exit status: 0 done, 1 failed, 2 usage, 3 bad input, 4 damaged map or store, 130\n"
    "interrupted.\n";

static const struct option options[] = {
    {"links", required_argument, NULL, IL_OPT_LINKS},
    {"map", required_argument, NULL, IL_OPT_MAP},
    {"output", required_argument, NULL, 'o'},
    {"provenance", required_argument, NULL, IL_OPT_PROVENANCE},
    {"codec", required_argument, NULL, IL_OPT_CODEC},
    {"a-ids", required_argument, NULL, IL_OPT_A_IDS},
    {"b-ids", required_argument, NULL, IL_OPT_B_IDS},
    {"force", no_argument, NULL, IL_OPT_FORCE},
    {"io", required_argument, NULL, IL_OPT_IO},
    {"threads", required_argument, NULL, IL_OPT_THREADS},
    {"quiet", no_argument, NULL, 'q'},
    {"help", no_argument, NULL, 'h'},
    {NULL, 0, NULL, 0},
};

struct integrate_args {
    struct il_input_paths path;
    const char *map;
    const char *output;
    const char *provenance; /**< NULL: none */
    enum il_codec codec;
    unsigned threads;
    bool force;
    bool quiet;
    bool help;
};

struct integrate_run {
    struct il_inputs in;
    struct il_map_in map;
    struct il_mapper *mapper;
    struct il_store *store;
    char *fresh; /**< the store in the making */
    char model[2][IL_MODEL_TEXT];
    size_t *link; /**< of every row of B: its link + 1; 0: none */
    bool *linked; /**< of every row of A */
    char *text;   /**< provenance */
    size_t text_bytes;
    FILE *where;
    size_t both, from_a, from_b, left_out;
};

static bool take_codec(struct integrate_args *args)
{
    struct il_error error = {""};

    if (il_codec_named(optarg, &args->codec, &error) == IL_OK) {
        return true;
    }
    il_say(COMMAND, "option '--codec' wants f32, f16, i8, fp8 or b1, got '%s'", optarg);
    return false;
}

static bool take_option(int option, struct integrate_args *args)
{
    uint64_t number = 0;

    switch (option) {
    case IL_OPT_LINKS:
        args->path.links = optarg;
        return true;
    case IL_OPT_MAP:
        args->map = optarg;
        return true;
    case 'o':
        args->output = optarg;
        return true;
    case IL_OPT_PROVENANCE:
        args->provenance = optarg;
        return true;
    case IL_OPT_CODEC:
        return take_codec(args);
    case IL_OPT_A_IDS:
        args->path.ids[0] = optarg;
        return true;
    case IL_OPT_B_IDS:
        args->path.ids[1] = optarg;
        return true;
    case IL_OPT_FORCE:
        args->force = true;
        return true;
    case IL_OPT_IO:
        return il_opts_io(COMMAND, optarg, &args->path.io);
    case IL_OPT_THREADS:
        if (!il_opts_number(COMMAND, "--threads", optarg, 0, 256, &number)) {
            return false;
        }
        args->threads = (unsigned)number;
        return true;
    case 'q':
        args->quiet = true;
        return true;
    case 'h':
        args->help = true;
        return true;
    default:
        return false;
    }
}

static int read_args(int argc, char **argv, struct integrate_args *args)
{
    int option;

    memset(args, 0, sizeof *args);
    args->codec = IL_CODEC_I8;
    args->path.whole = true;
    while ((option = il_opts_next(argc, argv, ":ho:q", options)) != -1) {
        if (option == IL_OPT_ERROR || !take_option(option, args)) {
            return IL_EXIT_USAGE;
        }
        if (args->help) {
            return IL_EXIT_DONE;
        }
    }
    if (argc - optind != 2) {
        il_say(COMMAND,
               "wants two sides, A and B, got %d; 'isolink integrate --help' shows "
               "examples",
               argc - optind);
    } else if (args->path.links == NULL || args->map == NULL || args->output == NULL) {
        il_say(COMMAND, "needs --links FILE, --map MAP and -o STORE");
    } else {
        args->path.side[0] = argv[optind];
        args->path.side[1] = argv[optind + 1];
        return IL_EXIT_DONE;
    }
    return IL_EXIT_USAGE;
}

static int load_all(const struct integrate_args *args, struct integrate_run *run)
{
    char *resolved = NULL;
    int code = il_fresh_check(COMMAND, args->output, "");

    if (code == IL_EXIT_DONE && args->provenance != NULL &&
        strcmp(args->provenance, "-") != 0) {
        code = il_output_check(COMMAND, args->provenance, &args->path, &resolved);
        free(resolved);
    }
    if (code == IL_EXIT_DONE) {
        code = il_map_in_load(&run->map, COMMAND, args->map);
    }
    if (code == IL_EXIT_DONE) {
        code = il_inputs_load(&run->in, &args->path, COMMAND);
    }
    for (int side = 0; side < 2 && code == IL_EXIT_DONE; side++) {
        const char *path = args->path.side[side];

        code = il_store_model(COMMAND, path, args->path.io, run->model[side]);
        if (code == IL_EXIT_DONE) {
            code = il_map_in_check(&run->map, COMMAND, side, path, run->in.rows[side].dim,
                                   run->model[side], args->force);
        }
    }
    if (code == IL_EXIT_DONE && !args->quiet) {
        il_inputs_warn_links(&run->in, COMMAND);
    }
    return code;
}

/* Which rows are linked, and room for the provenance. */
static int mark_links(struct integrate_run *run)
{
    run->link = calloc(run->in.rows[1].rows, sizeof *run->link);
    run->linked = calloc(run->in.rows[0].rows, sizeof *run->linked);
    run->where = open_memstream(&run->text, &run->text_bytes);
    if (run->link == NULL || run->linked == NULL || run->where == NULL) {
        return il_say_memory(COMMAND);
    }
    for (size_t i = 0; i < run->in.link_count; i++) {
        run->link[run->in.links[i].b] = i + 1;
        run->linked[run->in.links[i].a] = true;
    }
    fputs("id,a_id,b_id,posterior,confidence\n", run->where);
    return IL_EXIT_DONE;
}

static int open_store(const struct integrate_args *args, struct integrate_run *run)
{
    const char *model = run->model[1][0] != 0 ? run->model[1] : run->map.info->model[1];
    struct il_store_config config;
    struct il_error error = {""};
    enum il_status status;
    int code = il_fresh_name(COMMAND, args->output, &run->fresh);

    if (code != IL_EXIT_DONE) {
        return code;
    }
    il_store_config_init(&config);
    config.write = 1;
    config.create = 1;
    config.dim = run->in.rows[1].dim;
    config.codec = args->codec;
    config.model = model;
    status = il_store_open(&run->store, run->fresh, &config, &error);
    status = status == IL_OK ? il_store_bulk_begin(run->store, &error) : status;
    if (status == IL_OK) {
        status = il_mapper_open(&run->mapper, run->map.mapping, 0, args->threads, &error);
    }
    return status == IL_OK ? IL_EXIT_DONE : il_say_output(COMMAND, status, &error);
}

static void put_field(FILE *to, const char *id)
{
    char field[2 * IL_ID_BYTES_MAX + 8];
    char *end = id[0] != 0 ? il_csv_put(field, id, strlen(id)) : field;

    fwrite(field, 1, (size_t)(end - field), to);
    fputc(',', to);
}

static bool is_usable(const float *row, size_t dim)
{
    bool some = false;

    for (size_t i = 0; i < dim; i++) {
        /* Not finite: the difference is NaN. */
        if (row[i] - row[i] != 0.0f) {
            return false;
        }
        some = some || row[i] != 0.0f;
    }
    return some;
}

/* One row, and its line of the provenance. */
static int put_row(struct integrate_run *run, int side, size_t row, const float *values,
                   double confidence)
{
    const char *id = il_ids_text(run->in.ids[side], row);
    const struct il_link *link = NULL;
    struct il_error error = {""};
    char name[IL_ID_BYTES_MAX + 3];
    enum il_status status;

    if (!is_usable(values, run->in.rows[1].dim)) {
        run->left_out++;
        return IL_EXIT_DONE;
    }
    if (side == 1 && run->link[row] > 0) {
        link = &run->in.links[run->link[row] - 1];
    }
    snprintf(name, sizeof name, "%c:%s", "ab"[side], id);
    status = il_store_bulk_put(run->store, name, strlen(name), values, &error);
    if (status != IL_OK) {
        return il_say_output(COMMAND, status, &error);
    }
    put_field(run->where, name);
    put_field(run->where, side == 0      ? id
                          : link != NULL ? il_ids_text(run->in.ids[0], link->a)
                                         : "");
    put_field(run->where, side == 1 ? id : "");
    fprintf(run->where, "%s,%s\n", link != NULL ? il_fixed(link->posterior).text : "",
            il_fixed(confidence).text);
    run->both += link != NULL;
    run->from_b += side == 1 && link == NULL;
    run->from_a += side == 0;
    return IL_EXIT_DONE;
}

/* The rows of a side: of B as they are, of A through the map. */
static int put_side(struct integrate_run *run, int side)
{
    const struct il_matrix *from = &run->in.rows[side];
    size_t dim = run->in.rows[1].dim;
    float *rows = malloc(BATCH * from->dim * sizeof *rows);
    float *image = malloc(BATCH * dim * sizeof *image);
    float sure[BATCH];
    int code = IL_EXIT_DONE;

    if (rows == NULL || image == NULL) {
        free(rows);
        free(image);
        return il_say_memory(COMMAND);
    }
    for (size_t at = 0; at < from->rows && code == IL_EXIT_DONE; at += BATCH) {
        size_t count = from->rows - at < BATCH ? from->rows - at : BATCH;

        il_matrix_to_f32(from, at, count, rows, from->dim);
        if (side == 0 &&
            il_mapper_rows(run->mapper, rows, count, image, sure, NULL) != IL_OK) {
            code = il_say_memory(COMMAND);
        }
        for (size_t i = 0; i < count && code == IL_EXIT_DONE; i++) {
            if (side == 1) {
                code = put_row(run, 1, at + i, rows + i * dim, 1.0);
            } else if (!run->linked[at + i]) {
                code = put_row(run, 0, at + i, image + i * dim, (double)sure[i]);
            }
        }
        if (code == IL_EXIT_DONE && atomic_load(il_cancel_flag()) != 0) {
            code = il_say_cancelled(COMMAND);
        }
    }
    free(rows);
    free(image);
    return code;
}

/* The store under its name; the provenance before it, so that no store lacks it. */
static int finish(const struct integrate_args *args, struct integrate_run *run)
{
    struct il_error error = {""};
    enum il_status status = il_store_bulk_end(run->store, &error);
    bool whole = fclose(run->where) == 0;

    run->where = NULL;
    il_store_close(&run->store);
    if (status == IL_OK && !whole) {
        return il_say_memory(COMMAND);
    }
    if (status == IL_OK && args->provenance != NULL) {
        status = il_text_write(args->provenance, run->text, run->text_bytes, &error);
    }
    if (status == IL_OK) {
        status = il_store_rename(run->fresh, args->output, &error);
    }
    if (status != IL_OK) {
        return il_say_output(COMMAND, status, &error);
    }
    free(run->fresh);
    run->fresh = NULL;
    return IL_EXIT_DONE;
}

static int integrate(const struct integrate_args *args, struct integrate_run *run)
{
    int code = load_all(args, run);

    code = code == IL_EXIT_DONE ? mark_links(run) : code;
    code = code == IL_EXIT_DONE ? open_store(args, run) : code;
    code = code == IL_EXIT_DONE ? put_side(run, 1) : code;
    code = code == IL_EXIT_DONE ? put_side(run, 0) : code;
    if (code == IL_EXIT_DONE && run->both + run->from_a + run->from_b == 0) {
        il_say(COMMAND, "no row of either side is finite and not zero");
        code = IL_EXIT_INPUT;
    }
    return code == IL_EXIT_DONE ? finish(args, run) : code;
}

static void clean_up(struct integrate_run *run)
{
    struct il_error error = {""};

    il_store_close(&run->store);
    if (run->fresh != NULL && il_store_discard(run->fresh, &error) != IL_OK) {
        il_say(COMMAND, "warning: %s", error.text);
    }
    if (run->where != NULL) {
        fclose(run->where);
    }
    il_mapper_close(&run->mapper);
    il_inputs_free(&run->in);
    il_map_in_close(&run->map);
    free(run->fresh);
    free(run->link);
    free(run->linked);
    free(run->text);
}

int il_cmd_integrate(int argc, char **argv)
{
    struct integrate_args args;
    struct integrate_run run;
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
    code = integrate(&args, &run);
    if (code == IL_EXIT_DONE && !args.quiet) {
        fprintf(stderr, "rows        %s on both sides, ", il_grouped(run.both).text);
        fprintf(stderr, "%s of A alone, ", il_grouped(run.from_a).text);
        fprintf(stderr, "%s of B alone; ", il_grouped(run.from_b).text);
        fprintf(stderr, "%s left out\n", il_grouped(run.left_out).text);
    }
    clean_up(&run);
    return il_stdout_end(COMMAND, code);
}
