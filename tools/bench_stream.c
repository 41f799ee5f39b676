/* SPDX-License-Identifier: Apache-2.0 */
/* What a stream does with arrivals: quality beside one run over all rows, latency,
   bootstraps in the background, growth. `make bench-stream` runs all of it. */
#include "bench_stream.h"

#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <isolink/version.h>

#define SETS_MAX 32

static const char help[] =
    "Usage: bench_stream [options] SET...\n"
    "       bench_stream --all [--quick] [options]\n"
    "  SET               folder with a.npy b.npy a.ids.txt b.ids.txt truth.csv and,\n"
    "                    possibly, seeds.csv (draw 0, when it has the wanted number)\n"
    "  --cut DIR:OVERLAP[:ROWS]\n"
    "                    stores cut from a folder with a.npy b.npy ids.txt, whose rows\n"
    "                    are aligned: another cut for every draw; may be repeated\n"
    "  --only WHAT[,WHAT...]  of quality, latency, background, growth; default: all "
    "four\n"
    "                    quality takes every set, latency and background the largest,\n"
    "                    growth generated pairs\n"
    "  --base X          quality: share of the rows that are there at first   [0.5]\n"
    "  --after X         quality: new rows, as a share of those of the last\n"
    "                    bootstrap, after which the next is due               [0.2]\n"
    "  --draws N         quality: draws of seeds and order                      [1]\n"
    "  --seeds N         known pairs                                           [15]\n"
    "  --arrivals N      latency, background, growth: rows one by one        [1000]\n"
    "  --batches N       latency, growth: batches of 256                        [8]\n"
    "  --sync always|os  latency, background (always): of the commits       [both]\n"
    "  --sizes N[,N...]  growth: rows of each side            [10000,30000,100000]\n"
    "  --dim N           growth: of their rows                                [384]\n"
    "  --memory SIZE     growth: bound of the memory, as 256M                [none]\n"
    "  --threads N       of the links; 0 = one per core                         [0]\n"
    "  --background-threads N  of bootstraps; 0 = half of them                  [0]\n"
    "  --dir DIR         where the states are made, and removed          [/var/tmp]\n"
    "  --json FILE       all numbers, with every draw, as JSON\n"
    "  --all             tests/data/demo and what lies in $ISOLINK_DATA (default\n"
    "                    ../shared/data)\n"
    "  --quick           with --all: small sets and sizes, few arrivals\n"
    "\n"
    "Exit status: 0 done, 1 failed, 2 usage, 3 bad input.\n";

enum { QUALITY = 1, LATENCY = 2, BACKGROUND = 4, GROWTH = 8 };

struct bench {
    struct il_bench_plan plan;
    struct il_bench_source source[SETS_MAX];
    size_t source_count;
    int what, all, quick, sizes_given, arrivals_given;
    const char *dir, *json;
};

/* The folder to be removed at the end, by the process that made it. */
static char work_folder[420];
static pid_t work_owner;

void il_bench_progress(const char *text)
{
    int terminal = isatty(2);
    if (text)
        fprintf(stderr, terminal ? "\r\033[K%.100s" : "%s\n", text);
    else if (terminal)
        fputs("\r\033[K", stderr);
    fflush(stderr);
}

void il_bench_die(int code, const char *what, const char *why)
{
    il_bench_progress(NULL);
    fprintf(stderr, "bench_stream: %s: %s\n", what, why);
    exit(code);
}

void il_bench_must(enum il_status status, const struct il_error *error)
{
    if (status != IL_OK)
        il_bench_die(1, il_status_text(status), error->text);
}

static void clean_up(void)
{
    if (work_folder[0] && work_owner == getpid())
        il_bench_remove(work_folder);
}

static void make_work(struct bench *b)
{
    snprintf(work_folder, sizeof work_folder, "%s/bench_stream-XXXXXX", b->dir);
    if (!mkdtemp(work_folder)) {
        work_folder[0] = 0;
        il_bench_die(1, b->dir, strerror(errno));
    }
    work_owner = getpid();
    memcpy(b->plan.work, work_folder, sizeof work_folder);
    if (atexit(clean_up) != 0)
        il_bench_die(1, work_folder, "it would not be removed");
}

/* --------------------------------------------------------------------------------- sets
 */

/* 0 = too many or no such thing. */
static int add_source(struct bench *b, const char *spec, int cut)
{
    if (b->source_count == SETS_MAX ||
        !il_bench_source_parse(&b->source[b->source_count], spec, cut))
        return 0;
    b->source_count++;
    return 1;
}

static void plan_set(struct bench *b, const char *data, const char *name, const char *cut)
{
    char path[400];
    snprintf(path, sizeof path, "%s/%s/a.npy", data, name);
    if (access(path, R_OK) != 0) {
        printf("absent: %s/%s, left out\n", data, name);
        return;
    }
    snprintf(path, sizeof path, "%s/%s%s", data, name, cut);
    add_source(b, path, cut[0] != 0);
}

static void plan_all(struct bench *b)
{
    const char *data = getenv("ISOLINK_DATA");
    if (!data || !data[0])
        data = "../shared/data";
    plan_set(b, "tests/data", "demo", "");
    if (b->quick) {
        plan_set(b, data, "aligned/debian", ":0.3:4000");
    } else {
        plan_set(b, data, "scifact-bow-mlp", "");
        plan_set(b, data, "aligned/debian", ":0.3");
        plan_set(b, data, "aligned/acl", ":0.3");
        plan_set(b, data, "acl-fasttext", "");
        plan_set(b, data, "debian-fasttext", "");
    }
    if (b->quick && !b->sizes_given) {
        b->plan.size[0] = 3000;
        b->plan.size[1] = 10000;
        b->plan.size_count = 2;
    }
    if (b->quick && !b->arrivals_given)
        b->plan.arrivals = 200;
    fflush(stdout);
}

static size_t rows_of(const struct il_bench_source *s)
{
    size_t rows = il_vectors_rows(s->vectors[0]).rows;
    return s->cut && s->rows ? s->rows : rows;
}

static const struct il_bench_source *largest(const struct bench *b)
{
    const struct il_bench_source *best = &b->source[0];
    for (size_t i = 1; i < b->source_count; i++) {
        if (rows_of(&b->source[i]) > rows_of(best))
            best = &b->source[i];
    }
    return best;
}

/* ---------------------------------------------------------------------------- arguments
 */

static int take_number(size_t *out, const char *text, size_t least, size_t most)
{
    char *end = NULL;
    errno = 0;
    unsigned long long value = strtoull(text, &end, 10);
    if (text[0] < '0' || text[0] > '9' || *end || errno || value < least || value > most)
        return 0;
    *out = (size_t)value;
    return 1;
}

static int take_threads(unsigned *out, const char *text)
{
    size_t value = 0;
    if (!take_number(&value, text, 0, 256))
        return 0;
    *out = (unsigned)value;
    return 1;
}

static int take_share(double *out, const char *text)
{
    char *end = NULL;
    double value = strtod(text, &end);
    if (end == text || *end || !(value > 0 && value < 1))
        return 0;
    *out = value;
    return 1;
}

/* Ascending numbers. */
static int take_sizes(struct il_bench_plan *plan, const char *text)
{
    plan->size_count = 0;
    while (plan->size_count < IL_BENCH_SIZES_MAX) {
        char one[24];
        size_t bytes = strcspn(text, ","), *size = &plan->size[plan->size_count];
        if (bytes >= sizeof one)
            return 0;
        memcpy(one, text, bytes);
        one[bytes] = 0;
        if (!take_number(size, one, 1000, 100000000) ||
            (plan->size_count && size[-1] >= *size))
            return 0;
        plan->size_count++;
        if (text[bytes] == 0)
            return 1;
        text += bytes + 1;
    }
    return 0;
}

static int take_memory(uint64_t *out, const char *text)
{
    char *end = NULL;
    errno = 0;
    unsigned long long value = strtoull(text, &end, 10);
    unsigned shift = *end == 'K' ? 10 : *end == 'M' ? 20 : *end == 'G' ? 30 : 0;
    if (text[0] < '0' || text[0] > '9' || errno || value > UINT64_MAX >> shift ||
        end[shift > 0])
        return 0;
    *out = (uint64_t)value << shift;
    return 1;
}

static int take_sync(struct il_bench_plan *plan, const char *text)
{
    int os = strcmp(text, "os") == 0;
    plan->sync[0] = os ? IL_SYNC_OS : IL_SYNC_ALWAYS;
    plan->sync_count = 1;
    return os || strcmp(text, "always") == 0;
}

static int take_what(int *what, const char *text)
{
    static const struct {
        const char *name;
        int flag;
    } parts[] = {{"quality", QUALITY},
                 {"latency", LATENCY},
                 {"background", BACKGROUND},
                 {"growth", GROWTH}};
    *what = 0;
    for (;;) {
        size_t bytes = strcspn(text, ","), i = 0;
        while (i < 4 && (strlen(parts[i].name) != bytes ||
                         strncmp(parts[i].name, text, bytes) != 0))
            i++;
        if (i == 4)
            return 0;
        *what |= parts[i].flag;
        if (text[bytes] == 0)
            return 1;
        text += bytes + 1;
    }
}

static const struct option options[] = {
    {"cut", required_argument, NULL, 'c'},
    {"only", required_argument, NULL, 'o'},
    {"base", required_argument, NULL, 'b'},
    {"after", required_argument, NULL, 'f'},
    {"draws", required_argument, NULL, 'd'},
    {"seeds", required_argument, NULL, 's'},
    {"arrivals", required_argument, NULL, 'n'},
    {"batches", required_argument, NULL, 'B'},
    {"sync", required_argument, NULL, 'y'},
    {"sizes", required_argument, NULL, 'z'},
    {"dim", required_argument, NULL, 'D'},
    {"memory", required_argument, NULL, 'm'},
    {"threads", required_argument, NULL, 't'},
    {"background-threads", required_argument, NULL, 'T'},
    {"dir", required_argument, NULL, 'w'},
    {"json", required_argument, NULL, 'j'},
    {"all", no_argument, NULL, 'a'},
    {"quick", no_argument, NULL, 'q'},
    {"help", no_argument, NULL, 'h'},
    {NULL, 0, NULL, 0},
};

/* 1 = taken. */
static int take_option(struct bench *b, int option)
{
    struct il_bench_plan *plan = &b->plan;
    switch (option) {
    case 'c':
        return add_source(b, optarg, 1);
    case 'o':
        return take_what(&b->what, optarg);
    case 'b':
        return take_share(&plan->base, optarg);
    case 'f':
        return take_share(&plan->after, optarg);
    case 'd':
        return take_number(&plan->draws, optarg, 1, 1000);
    case 's':
        return take_number(&plan->seeds, optarg, 3, 100000);
    case 'n':
        b->arrivals_given = 1;
        return take_number(&plan->arrivals, optarg, 1, 10000000);
    case 'B':
        return take_number(&plan->batches, optarg, 1, 100000);
    case 'y':
        return take_sync(plan, optarg);
    case 'z':
        b->sizes_given = 1;
        return take_sizes(plan, optarg);
    case 'D':
        return take_number(&plan->dim, optarg, 8, IL_DIM_MAX);
    case 'm':
        return take_memory(&plan->memory_bytes, optarg);
    case 't':
        return take_threads(&plan->threads, optarg);
    case 'T':
        return take_threads(&plan->background_threads, optarg);
    case 'w':
        b->dir = optarg;
        return strlen(optarg) < 380;
    case 'j':
        b->json = optarg;
        return 1;
    case 'a':
        return b->all = 1;
    case 'q':
        return b->quick = 1;
    default:
        return 0;
    }
}

/* 0: the help was wanted. */
static int read_args(struct bench *b, int argc, char **argv)
{
    int option;
    while ((option = getopt_long(argc, argv, "h", options, NULL)) != -1) {
        if (option == 'h') {
            fputs(help, stdout);
            return 0;
        }
        if (option == '?')
            exit(2);
        if (!take_option(b, option))
            il_bench_die(2, optarg ? optarg : "option", "no such value; see --help");
    }
    for (; optind < argc; optind++) {
        if (!add_source(b, argv[optind], 0))
            il_bench_die(2, argv[optind], "too long, or too many sets");
    }
    if (b->all && b->source_count)
        il_bench_die(2, "--all", "takes no sets");
    if (b->quick && !b->all)
        il_bench_die(2, "--quick", "goes with --all");
    if (b->all)
        plan_all(b);
    if (b->source_count == 0 && b->what != GROWTH)
        il_bench_die(2, "sets", "none; see --help");
    return 1;
}

/* ---------------------------------------------------------------------------------- run
 */

static void open_sources(struct bench *b)
{
    struct il_error error = {""};
    for (size_t i = 0; i < b->source_count; i++) {
        if (il_bench_source_open(&b->source[i], &error) != IL_OK)
            il_bench_die(3, "input", error.text);
        int columns = (int)strlen(b->source[i].name);
        b->plan.name_columns =
            columns > b->plan.name_columns ? columns : b->plan.name_columns;
    }
}

static void close_sources(struct bench *b)
{
    for (size_t i = 0; i < b->source_count; i++)
        il_bench_source_close(&b->source[i]);
}

static json_t *run(struct bench *b)
{
    const struct il_bench_source *source[SETS_MAX];
    json_t *all = json_pack("{ss ss}", "version", IL_VERSION, "isa", il_isa_text());
    for (size_t i = 0; i < b->source_count; i++)
        source[i] = &b->source[i];
    if (b->what & QUALITY)
        json_object_set_new(all, "quality",
                            il_bench_stream_quality(&b->plan, source, b->source_count));
    if (b->what & LATENCY)
        json_object_set_new(all, "latency",
                            il_bench_stream_latency(&b->plan, largest(b)));
    if (b->what & BACKGROUND)
        json_object_set_new(all, "background",
                            il_bench_stream_background(&b->plan, largest(b)));
    /* What they take would count as memory of the growth. */
    close_sources(b);
    if (b->what & GROWTH)
        json_object_set_new(all, "growth", il_bench_stream_growth(&b->plan));
    return all;
}

static void write_json(const char *path, const json_t *all)
{
    struct il_error error = {""};
    char *text = json_dumps(all, JSON_INDENT(2) | JSON_REAL_PRECISION(6));
    if (!text)
        il_bench_die(1, path, "no memory for the report");
    il_bench_must(il_text_write(path, text, strlen(text), &error), &error);
    free(text);
}

int main(int argc, char **argv)
{
    struct bench *b = il_bench_alloc(1, sizeof *b);
    struct il_error error = {""};
    b->dir = "/var/tmp";
    b->what = QUALITY | LATENCY | BACKGROUND | GROWTH;
    b->plan = (struct il_bench_plan){.base = 0.5,
                                     .after = 0.2,
                                     .draws = 1,
                                     .seeds = 15,
                                     .arrivals = 1000,
                                     .batches = 8,
                                     .sync = {IL_SYNC_ALWAYS, IL_SYNC_OS},
                                     .sync_count = 2,
                                     .size = {10000, 30000, 100000},
                                     .size_count = 3,
                                     .dim = 384,
                                     .name_columns = 4};
    if (il_isa_check(&error) != IL_OK)
        il_bench_die(2, "ISOLINK_ISA", error.text);
    if (read_args(b, argc, argv)) {
        make_work(b);
        if (b->what != GROWTH)
            open_sources(b);
        json_t *all = run(b);
        if (b->json)
            write_json(b->json, all);
        json_decref(all);
    }
    close_sources(b);
    free(b);
    if (fflush(stdout) != 0 || ferror(stdout))
        il_bench_die(1, "output", strerror(errno));
    return 0;
}
