/* SPDX-License-Identifier: Apache-2.0 */
/* Quality of the links over many draws of the seeds, and refusal where there is nothing
   to find. `make bench-quality` runs it over all benchmark pairs. */
#include "bench_quality.h"

#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SOURCES_MAX 64
#define ROWS_MAX 256
#define LIST_MAX 8
#define NULLS_MAX (8 * SOURCES_MAX)

static const char help[] =
    "Usage: bench_quality [options] SET...\n"
    "       bench_quality --all [--quick] [options]\n"
    "  SET               folder with a.npy b.npy a.ids.txt b.ids.txt truth.csv and,\n"
    "                    possibly, seeds.csv (draw 0, when it has the wanted number)\n"
    "  --cut DIR:OVERLAP[:ROWS]\n"
    "                    stores cut from a folder with a.npy b.npy ids.txt, whose rows\n"
    "                    are aligned: another cut for every draw; may be repeated\n"
    "  --draws N         draws of the seeds                                     [5]\n"
    "  --seeds N[,N...]  seeds of a draw; 0: none, a draw then is one of the random\n"
    "                    number (and of the cut)                               [15]\n"
    "  --wrong N[,N...]  of them with a random row of B                         [0]\n"
    "  --method METHOD   as of isolink link                                   [geh]\n"
    "  --threads N       0 = one per core                                       [0]\n"
    "  --nulls N         N runs each with shuffled seeds, A of a set against B of\n"
    "                    another, noise as B, no document in common; 0 = none   [0]\n"
    "  --only-nulls      no quality table\n"
    "  --json FILE       all numbers, with every draw, as JSON\n"
    "  --all             tests/data/demo and what lies in $ISOLINK_DATA (default\n"
    "                    ../shared/data), with 0, 8, 15, 30 seeds, 3 wrong seeds, 20\n"
    "                    nulls with seeds and without\n"
    "  --quick           with --all: small sets, 2 draws, 1 null run each\n"
    "\n"
    "Exit status: 0 done, 1 failed, 2 usage, 3 bad input.\n";

struct list {
    size_t item[LIST_MAX];
    size_t count;
};

struct bench {
    struct il_bench_source source[SOURCES_MAX];
    uint8_t null_source[SOURCES_MAX]; /* 1: the refusal table uses it */
    size_t source_count;
    struct il_bench_row row[ROWS_MAX];
    size_t row_count, rows_done;
    struct il_bench_null null[NULLS_MAX];
    size_t null_count;
    struct list seeds, wrong;
    size_t draws, null_runs;
    int draws_given, nulls_given, all, quick, only_nulls, name_columns;
    const char *json;
    struct il_link_config config;
};

/* One line that the next overwrites on a terminal, lines of a log elsewhere. */
static void progress(const char *text)
{
    int terminal = isatty(2);
    fprintf(stderr, terminal ? "\r\033[K%.100s" : "%s\n", text);
    fflush(stderr);
}

static void progress_clear(void)
{
    if (isatty(2))
        fputs("\r\033[K", stderr);
}

static int fail(int code, const char *what, const char *why)
{
    progress_clear();
    fprintf(stderr, "bench_quality: %s: %s\n", what, why);
    return code;
}

/* --------------------------------------------------------------------------------- plan
 */

/* -1 = too many or no such thing. */
static int add_source(struct bench *b, const char *spec, int cut)
{
    if (b->source_count == SOURCES_MAX ||
        !il_bench_source_parse(&b->source[b->source_count], spec, cut))
        return -1;
    return (int)b->source_count++;
}

static void add_row(struct bench *b, int source, size_t seeds, size_t wrong)
{
    if (b->row_count == ROWS_MAX || source < 0)
        return;
    b->row[b->row_count++] = (struct il_bench_row){
        .source = &b->source[source], .seeds = seeds, .wrong = wrong};
}

static int is_there(const char *data, const char *name)
{
    char path[400];
    snprintf(path, sizeof path, "%s/%s/a.npy", data, name);
    if (access(path, R_OK) == 0)
        return 1;
    printf("absent: %s/%s, left out\n", data, name);
    return 0;
}

static void plan_set(struct bench *b, const char *data, const char *name, int null)
{
    char path[400];
    if (!is_there(data, name))
        return;
    snprintf(path, sizeof path, "%s/%s", data, name);
    int source = add_source(b, path, 0);
    add_row(b, source, 0, 0);
    add_row(b, source, 15, 0);
    add_row(b, source, 15, 3);
    if (source >= 0)
        b->null_source[source] = (uint8_t)null;
}

static void plan_cuts(struct bench *b, const char *data, const char *name)
{
    static const char *const full[] = {"0.15", "0.3", "0.5", "1"};
    static const char *const quick[] = {"0.3:4000"};
    char spec[400];
    if (!is_there(data, name))
        return;
    for (size_t i = 0; i < (b->quick ? 1 : sizeof full / sizeof *full); i++) {
        snprintf(spec, sizeof spec, "%s/%s:%s", data, name, (b->quick ? quick : full)[i]);
        int source = add_source(b, spec, 1);
        add_row(b, source, 0, 0);
        if (!b->quick)
            add_row(b, source, 8, 0);
        add_row(b, source, 15, 0);
        if (!b->quick)
            add_row(b, source, 30, 0);
        add_row(b, source, 15, 3);
        /* Without overlap all cuts of a folder are alike: one of them will do. */
        if (source >= 0)
            b->null_source[source] = b->quick || i == 1;
    }
}

static void plan_all(struct bench *b)
{
    const char *data = getenv("ISOLINK_DATA");
    if (!data || !data[0])
        data = "../shared/data";
    if (!b->draws_given)
        b->draws = b->quick ? 2 : 5;
    if (!b->nulls_given)
        b->null_runs = b->quick ? 1 : 20;
    plan_set(b, "tests/data", "demo", 1);
    plan_set(b, data, "scifact-bow-mlp", 1);
    plan_cuts(b, data, "aligned/debian");
    plan_cuts(b, data, "aligned/acl");
    if (!b->quick) {
        plan_set(b, data, "acl-fasttext", 0);
        plan_set(b, data, "debian-fasttext", 0);
    }
    fflush(stdout);
}

static void plan_given(struct bench *b)
{
    for (size_t s = 0; s < b->source_count; s++) {
        b->null_source[s] = 1;
        for (size_t i = 0; i < b->seeds.count; i++) {
            for (size_t k = 0; k < b->wrong.count; k++)
                add_row(b, (int)s, b->seeds.item[i], b->wrong.item[k]);
        }
    }
}

/* ------------------------------------------------------------------------------ quality
 */

/* Without seeds there is nothing to be drawn but the random number. */
static struct il_link_config config_of(const struct bench *b, size_t seeds, uint64_t draw)
{
    struct il_link_config config = b->config;
    config.seed = seeds ? config.seed : draw;
    return config;
}

static int run_draw(struct bench *b, struct il_bench_row *row, size_t draw)
{
    struct il_bench_stores stores;
    struct il_bench_seeds seeds = {0};
    struct il_error error = {""};
    struct il_bench_draw *out = &row->draw[draw];
    struct il_link_config config = config_of(b, row->seeds, draw);
    char text[200];
    int code = 0;
    il_bench_stores_make(&stores, row->source, draw);
    row->rows[0] = stores.side[0].rows;
    row->rows[1] = stores.side[1].rows;
    if (!il_bench_seeds_draw(&seeds, row->source, &stores, row->seeds, row->wrong,
                             draw)) {
        snprintf(text, sizeof text,
                 "%zu seeds, %zu wrong, cannot be drawn from %zu pairs", row->seeds,
                 row->wrong, stores.truth_count);
        code = fail(2, row->source->name, text);
    } else if (il_bench_draw_run(out, &stores, &seeds, &config, &error) != IL_OK) {
        code = fail(1, row->source->name, error.text);
    } else {
        snprintf(text, sizeof text,
                 "[%zu/%zu] %s, %zu seeds, %zu wrong, draw %zu of %zu: F1 %.1f%s, %.2f s",
                 b->rows_done + 1, b->row_count, row->source->name, row->seeds,
                 row->wrong, draw + 1, row->draw_count, 100 * out->f1,
                 out->refused ? " refused" : "", out->seconds);
        progress(text);
    }
    il_bench_seeds_free(&seeds);
    il_bench_stores_free(&stores);
    return code;
}

static int run_table(struct bench *b)
{
    il_bench_table_head(stdout, b->name_columns);
    for (b->rows_done = 0; b->rows_done < b->row_count; b->rows_done++) {
        struct il_bench_row *row = &b->row[b->rows_done];
        row->draw = il_bench_alloc(b->draws, sizeof *row->draw);
        row->draw_count = b->draws;
        for (size_t draw = 0; draw < b->draws; draw++) {
            int code = run_draw(b, row, draw);
            if (code != 0)
                return code;
        }
        progress_clear();
        il_bench_table_row(stdout, b->name_columns, row);
    }
    return 0;
}

/* ------------------------------------------------------------------------------ refusal
 */

enum null_kind { NULL_SHUFFLED, NULL_OTHER, NULL_NOISE, NULL_APART, NULL_KINDS };

/* Stores and seeds of one run; 0 = they cannot be made. */
static int null_make(size_t count, const struct il_bench_null *n, enum null_kind kind,
                     uint64_t draw, struct il_bench_stores *stores,
                     struct il_bench_stores *other, struct il_bench_seeds *seeds)
{
    if (kind == NULL_APART)
        il_bench_stores_apart(stores, n->a, draw);
    else
        il_bench_stores_make(stores, n->a, draw);
    if (kind == NULL_SHUFFLED)
        return il_bench_seeds_shuffled(seeds, stores, count);
    if (kind == NULL_NOISE)
        il_bench_stores_noise(stores, draw);
    if (kind == NULL_OTHER) {
        il_bench_stores_make(other, n->b, draw);
        stores->side[1] = other->side[1];
        stores->truth_count = 0;
    }
    return il_bench_seeds_random(seeds, stores, count, draw);
}

static int null_run(const struct bench *b, struct il_bench_null *n, enum null_kind kind,
                    size_t count, uint64_t draw)
{
    struct il_bench_stores stores = {0}, other = {0};
    struct il_bench_seeds seeds = {0};
    struct il_linking *linking = NULL;
    struct il_error error = {""};
    struct il_link_config config = config_of(b, count, draw);
    char text[200];
    int code = 0;
    if (!null_make(count, n, kind, draw, &stores, &other, &seeds)) {
        code = fail(2, n->a->name, "too few rows for that many seeds");
        goto out;
    }
    enum il_status status = il_link_run(&linking, &stores.side[0], &stores.side[1],
                                        seeds.pair, seeds.count, &config, &error);
    if (status != IL_OK && status != IL_EBOOTSTRAP) {
        code = fail(1, n->a->name, error.text);
        goto out;
    }
    const struct il_link_report *report = il_link_report(linking);
    n->runs++;
    n->refused += status == IL_EBOOTSTRAP;
    n->linked += report->links > 0;
    n->empty += status == IL_OK && report->links == 0;
    n->links_max = report->links > n->links_max ? report->links : n->links_max;
    n->seconds += report->seconds;
    snprintf(text, sizeof text, "%s, %s, run %zu of %zu: %s, %zu links, %.2f s", n->what,
             n->a->name, n->runs, b->null_runs,
             status == IL_OK ? "not refused" : "refused", report->links, report->seconds);
    progress(text);
out:
    il_link_close(&linking);
    il_bench_seeds_free(&seeds);
    il_bench_stores_free(&stores);
    il_bench_stores_free(&other);
    return code;
}

/* The next set that shares no document with this one, or NULL. */
static const struct il_bench_source *unrelated(const struct bench *b, size_t source)
{
    for (size_t i = 1; i < b->source_count; i++) {
        size_t other = (source + i) % b->source_count;
        if (b->null_source[other] &&
            !il_bench_source_related(&b->source[source], &b->source[other]))
            return &b->source[other];
    }
    return NULL;
}

static int run_nulls(struct bench *b, size_t count)
{
    static const char *const with[NULL_KINDS] = {
        [NULL_SHUFFLED] = "shuffled seeds",
        [NULL_OTHER] = "another set, any seeds",
        [NULL_NOISE] = "noise as B, any seeds",
        [NULL_APART] = "no overlap, any seeds",
    };
    static const char *const without[NULL_KINDS] = {
        [NULL_OTHER] = "another set, no seeds",
        [NULL_NOISE] = "noise as B, no seeds",
        [NULL_APART] = "no overlap, no seeds",
    };
    for (int kind = 0; kind < NULL_KINDS; kind++) {
        const char *what = (count ? with : without)[kind];
        for (size_t s = 0; s < b->source_count; s++) {
            const struct il_bench_source *a = &b->source[s];
            if (!b->null_source[s] || !what)
                continue;
            struct il_bench_null *n = &b->null[b->null_count];
            *n = (struct il_bench_null){.what = what, .a = a, .b = a};
            if (kind == NULL_NOISE)
                n->b = NULL;
            if (kind == NULL_OTHER) {
                n->b = unrelated(b, s);
                if (!n->b) {
                    printf("%-24s %s: left out, no set without its documents is given\n",
                           what, a->name);
                    continue;
                }
            }
            for (uint64_t draw = 0; draw < b->null_runs; draw++) {
                int code = null_run(b, n, (enum null_kind)kind, count, draw);
                if (code != 0)
                    return code;
            }
            progress_clear();
            il_bench_nulls_row(stdout, b->name_columns, n);
            b->null_count++;
        }
    }
    return 0;
}

/* ---------------------------------------------------------------------------- arguments
 */

static int take_list(struct list *list, const char *text)
{
    list->count = 0;
    while (list->count < LIST_MAX) {
        char *end = NULL;
        errno = 0;
        unsigned long value = strtoul(text, &end, 10);
        if (end == text || errno || *text == '-' || value > 1000000)
            return 0;
        list->item[list->count++] = value;
        if (*end == 0)
            return 1;
        if (*end != ',')
            return 0;
        text = end + 1;
    }
    return 0;
}

static int take_number(size_t *out, const char *text)
{
    struct list list;
    if (!take_list(&list, text) || list.count != 1)
        return 0;
    *out = list.item[0];
    return 1;
}

static int take_method(enum il_method *out, const char *text)
{
    for (int i = 0; il_method_text((enum il_method)i); i++) {
        if (strcmp(text, il_method_text((enum il_method)i)) == 0) {
            *out = (enum il_method)i;
            return 1;
        }
    }
    return 0;
}

static const struct option options[] = {
    {"draws", required_argument, NULL, 'd'},
    {"seeds", required_argument, NULL, 's'},
    {"wrong", required_argument, NULL, 'w'},
    {"method", required_argument, NULL, 'm'},
    {"threads", required_argument, NULL, 't'},
    {"nulls", required_argument, NULL, 'n'},
    {"json", required_argument, NULL, 'j'},
    {"cut", required_argument, NULL, 'c'},
    {"only-nulls", no_argument, NULL, 'o'},
    {"all", no_argument, NULL, 'a'},
    {"quick", no_argument, NULL, 'q'},
    {"help", no_argument, NULL, 'h'},
    {NULL, 0, NULL, 0},
};

/* 1 = taken. */
static int take_option(struct bench *b, int option)
{
    size_t threads = 0;
    switch (option) {
    case 'd':
        b->draws_given = 1;
        return take_number(&b->draws, optarg) && b->draws > 0;
    case 's':
        return take_list(&b->seeds, optarg);
    case 'w':
        return take_list(&b->wrong, optarg);
    case 'm':
        return take_method(&b->config.method, optarg);
    case 't':
        if (!take_number(&threads, optarg))
            return 0;
        b->config.threads = (unsigned)threads;
        return 1;
    case 'n':
        b->nulls_given = 1;
        return take_number(&b->null_runs, optarg);
    case 'j':
        b->json = optarg;
        return 1;
    case 'c':
        return add_source(b, optarg, 1) >= 0;
    case 'o':
        return b->only_nulls = 1;
    case 'a':
        return b->all = 1;
    case 'q':
        return b->quick = 1;
    default:
        return 0;
    }
}

/* -1 = go on, otherwise an exit code. */
static int read_args(struct bench *b, int argc, char **argv)
{
    int option;
    while ((option = getopt_long(argc, argv, "h", options, NULL)) != -1) {
        if (option == 'h') {
            fputs(help, stdout);
            return 0;
        }
        if (option == '?')
            return 2;
        if (!take_option(b, option))
            return fail(2, optarg ? optarg : "option", "no such value; see --help");
    }
    for (; optind < argc; optind++) {
        if (add_source(b, argv[optind], 0) < 0)
            return fail(2, argv[optind], "too long, or too many sets");
    }
    if (b->all && b->source_count)
        return fail(2, "--all", "takes no sets");
    if (b->quick && !b->all)
        return fail(2, "--quick", "goes with --all");
    if (b->all)
        plan_all(b);
    else
        plan_given(b);
    if (b->source_count == 0)
        return fail(2, "sets", "none; see --help");
    return -1;
}

static int run(struct bench *b)
{
    struct il_error error = {""};
    int code = 0;
    for (size_t i = 0; i < b->source_count; i++) {
        enum il_status status = il_bench_source_open(&b->source[i], &error);
        if (status)
            return fail(3, "input", error.text);
        int columns = (int)strlen(b->source[i].name);
        b->name_columns = columns > b->name_columns ? columns : b->name_columns;
    }
    if (!b->only_nulls)
        code = run_table(b);
    if (code == 0 && b->null_runs) {
        il_bench_nulls_head(stdout, b->name_columns);
        code = run_nulls(b, b->seeds.item[0]);
        if (code == 0 && b->all)
            code = run_nulls(b, 0);
    }
    size_t rows = b->only_nulls ? 0 : b->row_count;
    if (code == 0 && b->json &&
        il_bench_json(b->json, &b->config, b->row, rows, b->null, b->null_count, &error))
        code = fail(1, "json", error.text);
    if (code == 0 && (fflush(stdout) != 0 || ferror(stdout)))
        code = fail(1, "output", strerror(errno));
    return code;
}

int main(int argc, char **argv)
{
    struct bench *b = il_bench_alloc(1, sizeof *b);
    struct il_error error = {""};
    b->draws = 5;
    b->seeds = (struct list){.item = {15}, .count = 1};
    b->wrong = (struct list){.item = {0}, .count = 1};
    b->name_columns = 4;
    il_link_config_init(&b->config);
    int code = il_isa_check(&error) ? fail(2, "ISOLINK_ISA", error.text) : -1;
    if (code < 0)
        code = read_args(b, argc, argv);
    if (code < 0)
        code = run(b);
    for (size_t i = 0; i < b->source_count; i++)
        il_bench_source_close(&b->source[i]);
    for (size_t i = 0; i < b->row_count; i++)
        free(b->row[i].draw);
    free(b);
    return code;
}
