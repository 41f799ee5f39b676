/* SPDX-License-Identifier: Apache-2.0 */
/* isolink bench: the machine's limits, and the kernels beside them. */
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "cli.h"
#include "opts.h"

#define COMMAND "bench"

static const char help[] =
    "Examples\n"
    "  isolink bench\n"
    "      how fast is this machine, and how near to its limits do the kernels come?\n"
    "  ISOLINK_ISA=avx2 isolink bench --json\n"
    "      the same for a lower instruction set, for programs\n"
    "\n"
    "Usage: isolink bench [options]\n"
    "  --quick          about a second: small problems, less certain figures\n"
    "  --threads N      1 to 256; 0 (default) = one per available core; every kernel\n"
    "                   runs on one thread, and on N at once\n"
    "  --json           JSON instead of the table\n"
    "  -h, --help       this text\n"
    "\n"
    "A kernel that multiplies is compared with the multiply-add peak of its instruction\n"
    "set, of i8 when it multiplies bytes, one that moves data with the copying speed,\n"
    "which those that read more than they write can pass.\n"
    "\n"
    "Exit status: 0 done, 1 failed, 2 usage.\n";

static const struct option options[] = {
    {"quick", no_argument, NULL, IL_OPT_QUICK},
    {"threads", required_argument, NULL, IL_OPT_THREADS},
    {"json", no_argument, NULL, IL_OPT_JSON},
    {"help", no_argument, NULL, 'h'},
    {NULL, 0, NULL, 0},
};

struct bench_args {
    struct il_bench_config config;
    bool json;
    bool help;
};

static int read_args(int argc, char **argv, struct bench_args *args)
{
    uint64_t threads = 0;
    int option;

    memset(args, 0, sizeof *args);
    il_bench_config_init(&args->config);
    while ((option = il_opts_next(argc, argv, ":h", options)) != -1) {
        switch (option) {
        case IL_OPT_QUICK:
            args->config.quick = 1;
            break;
        case IL_OPT_THREADS:
            if (!il_opts_number(COMMAND, "--threads", optarg, 0, 256, &threads)) {
                return IL_EXIT_USAGE;
            }
            args->config.threads = (unsigned)threads;
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
    if (argc != optind) {
        il_say(COMMAND, "wants no files, got '%s'; 'isolink bench --help' shows examples",
               argv[optind]);
        return IL_EXIT_USAGE;
    }
    return IL_EXIT_DONE;
}

/* ------------------------------------------------------------------------------- table
 */

static void put_rate(FILE *stream, const struct il_bench_line *line)
{
    static const char *const units[] = {"Gflop/s", "GB/s", "Gop/s"};

    fprintf(stream, " %8.1f %-7s", line->rate / 1e9, units[line->unit]);
}

/* What was worked on, as in "4096 x 4096 x 64". */
static void put_size(FILE *stream, const struct il_bench_line *line)
{
    char size[64] = "";

    if (line->columns > 0) {
        snprintf(size, sizeof size, "%zu x %zu x %zu", line->rows, line->columns,
                 line->k);
    } else if (line->rows > 0) {
        snprintf(size, sizeof size, "%zu x %zu", line->rows, line->k);
    }
    fprintf(stream, " %-18s", size);
}

static void put_table(FILE *stream, const struct il_bench *bench)
{
    fprintf(stream, "instruction set  %s (this machine has %s; ISOLINK_ISA lowers it)\n",
            bench->isa, bench->available);
    fprintf(stream, "%-24s %-18s %7s %12s\n", "limit", "rows x dim", "threads", "speed");
    for (size_t i = 0; i < bench->peaks; i++) {
        const struct il_bench_line *line = &bench->peak[i];
        char name[48];

        snprintf(name, sizeof name, "%s%s%s", line->name,
                 line->unit != IL_BENCH_BYTES ? ", " : "",
                 line->unit != IL_BENCH_BYTES ? line->isa : "");
        fprintf(stream, "%-24s", name);
        put_size(stream, line);
        fprintf(stream, " %7u", line->threads);
        put_rate(stream, line);
        fputc('\n', stream);
    }
    fprintf(stream, "\n%-24s %-18s %7s %12s %12s\n", "kernel", "rows x cols x dim",
            "threads", "speed", "of limit");
    for (size_t i = 0; i < bench->kernels; i++) {
        const struct il_bench_line *line = &bench->kernel[i];

        fprintf(stream, "%-24s", line->name);
        put_size(stream, line);
        fprintf(stream, " %7u", line->threads);
        put_rate(stream, line);
        fprintf(stream, " %6.1f %%\n", 100.0 * line->share);
    }
    fprintf(stream, "\nmeasured in %.1f s", bench->seconds);
    if (bench->processor < 0.9) {
        fprintf(stream,
                "; other load took %.0f %% of the cores, speeds are per processor time",
                100.0 * (1.0 - bench->processor));
    }
    fputc('\n', stream);
}

/* -------------------------------------------------------------------------------- JSON
 */

static json_t *line_json(const struct il_bench_line *line)
{
    static const char *const units[] = {"flop", "byte", "op"};

    return json_pack("{s:s, s:s, s:s, s:I, s:I, s:I, s:I, s:f, s:f, s:f, s:f, s:f}",
                     "name", line->name, "isa", line->isa, "unit", units[line->unit],
                     "rows", (json_int_t)line->rows, "columns", (json_int_t)line->columns,
                     "k", (json_int_t)line->k, "threads", (json_int_t)line->threads,
                     "per_second", line->rate, "limit", line->peak, "share", line->share,
                     "share_min", line->share_min, "share_max", line->share_max);
}

static json_t *lines_json(const struct il_bench_line *line, size_t count)
{
    json_t *list = json_array();

    for (size_t i = 0; i < count; i++) {
        json_array_append_new(list, line_json(&line[i]));
    }
    return list;
}

/* "ref avx2" as a list of names. */
static json_t *names_json(const char *names)
{
    json_t *list = json_array();

    while (*names != 0) {
        size_t bytes = strcspn(names, " ");

        json_array_append_new(list, json_stringn(names, bytes));
        names += bytes;
        names += strspn(names, " ");
    }
    return list;
}

/* false = memory is exhausted. */
static bool put_json(FILE *stream, const struct il_bench *bench)
{
    size_t flags = JSON_INDENT(2) | JSON_REAL_PRECISION(9);
    json_t *object =
        json_pack("{s:s, s:s, s:s, s:o, s:I, s:f, s:f, s:o, s:o}", "schema",
                  "isolink-bench-1", "version", IL_VERSION, "isa", bench->isa,
                  "available", names_json(bench->available), "threads",
                  (json_int_t)bench->threads, "seconds", bench->seconds, "processor",
                  bench->processor, "limits", lines_json(bench->peak, bench->peaks),
                  "kernels", lines_json(bench->kernel, bench->kernels));
    char *text = object != NULL ? json_dumps(object, flags) : NULL;

    json_decref(object);
    if (text == NULL) {
        return false;
    }
    fputs(text, stream);
    fputc('\n', stream);
    free(text);
    return true;
}

int il_cmd_bench(int argc, char **argv)
{
    struct bench_args args;
    struct il_bench bench;
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
    status = il_bench_run(&bench, &args.config, &error);
    if (status != IL_OK) {
        return il_say_status(COMMAND, status, &error);
    }
    if (!args.json) {
        put_table(stdout, &bench);
    } else if (!put_json(stdout, &bench)) {
        return il_say_memory(COMMAND);
    }
    return il_stdout_end(COMMAND, IL_EXIT_DONE);
}
