/* SPDX-License-Identifier: Apache-2.0 */
/* isolink status: what a state holds, and what the daemon that has it says of itself. */
#include <inttypes.h>
#include <string.h>

#include "cli.h"
#include "event_line.h"
#include "json_out.h"
#include "links_view.h"
#include "opts.h"
#include "report.h"
#include "stores.h"
#include "tail_status.h"

#define COMMAND "status"
#define PATH_BYTES 4096

static const char help[] =
    "Examples\n"
    "  isolink status live\n"
    "      rows, links, sources and how far behind they are\n"
    "  isolink status live --json | jq .daemon.b.lag_bytes\n"
    "\n"
    "Usage: isolink status DIR [options]\n"
    "  --json            JSON instead of the table\n"
    "  -h, --help        this text\n"
    "\n"
    "DIR is the state of 'isolink tail'. What it holds is read from its files, also "
    "while\n"
    "a daemon has it; what the daemon says of itself is at most a second old.\n"
    "\n"
    "Exit status: 0 done, 1 failed, 2 usage, 3 no such state, 4 damaged state.\n";

static const struct option options[] = {
    {"json", no_argument, NULL, IL_OPT_JSON},
    {"help", no_argument, NULL, 'h'},
    {NULL, 0, NULL, 0},
};

/* A side as its store has it. */
struct side {
    uint64_t rows;
    size_t dim;
    enum il_codec codec;
    char model[256];
    uint64_t bytes;
};

static int look_at_side(const char *state, int which, struct side *side)
{
    struct il_store_config config;
    struct il_store_info info;
    struct il_store *store = NULL;
    char path[PATH_BYTES];
    int code;

    if (snprintf(path, sizeof path, "%s/%c.store", state, "ab"[which]) >=
        (int)sizeof path) {
        il_say(COMMAND, "the name of the state is too long");
        return IL_EXIT_USAGE;
    }
    il_store_config_init(&config);
    code = il_store_open_say(&store, COMMAND, path, &config);
    if (code == IL_EXIT_DONE) {
        il_store_describe(store, &info);
        *side = (struct side){
            .rows = info.rows, .dim = info.dim, .codec = info.codec, .bytes = info.bytes};
        snprintf(side->model, sizeof side->model, "%s", info.model);
        il_store_close(&store);
    }
    return code;
}

static json_t *side_json(const struct side *side)
{
    return json_pack(
        "{s:o, s:o, s:s, s:o, s:o}", "rows", il_json_whole((size_t)side->rows), "dim",
        il_json_whole(side->dim), "codec", il_codec_text(side->codec), "model",
        il_json_text(side->model), "bytes", il_json_whole((size_t)side->bytes));
}

static double expected(const struct il_links_view *view)
{
    uint64_t found = view->standing - view->seeds;

    return found > 0 ? view->posterior_sum / (double)found : 0.0;
}

static char *status_json(const char *state, const struct side *sides,
                         const struct il_links_view *view, json_t *daemon)
{
    json_t *object = json_pack(
        "{s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "schema", "isolink-status-1", "state",
        il_json_text(state), "a", side_json(&sides[0]), "b", side_json(&sides[1]),
        "links", il_json_whole((size_t)view->standing), "seeds",
        il_json_whole((size_t)view->seeds), "seq", il_json_whole((size_t)view->seq),
        "round", il_json_whole(view->round));

    if (object != NULL) {
        json_object_set_new(object, "last_event",
                            view->seq > 0
                                ? json_string(il_time_text(view->time_ns, 9).text)
                                : json_null());
        json_object_set_new(object, "expected_precision",
                            view->standing > view->seeds ? il_json_number(expected(view))
                                                         : json_null());
        json_object_set_new(object, "daemon",
                            daemon != NULL ? json_incref(daemon) : json_null());
    }
    return il_json_finish(object);
}

static void put_side(const struct side *side, int which)
{
    printf("rows %c      %s x %zu %s", "AB"[which], il_grouped((size_t)side->rows).text,
           side->dim, il_codec_text(side->codec));
    if (side->model[0] != 0) {
        fputs(", model ", stdout);
        il_put_text(stdout, side->model);
    }
    printf(", %s\n", il_size_text((double)side->bytes).text);
}

static const char *text_in(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));

    return text != NULL ? text : "";
}

static size_t whole_in(const json_t *object, const char *key)
{
    json_int_t number = json_integer_value(json_object_get(object, key));

    return number > 0 ? (size_t)number : 0;
}

static void put_source(const json_t *daemon, int which)
{
    const json_t *source = json_object_get(daemon, which == 0 ? "a" : "b");

    printf("source %c    ", "AB"[which]);
    il_put_text(stdout, text_in(source, "source"));
    printf(": %s, %s bytes behind", text_in(source, "state"),
           il_grouped(whole_in(source, "lag_bytes")).text);
    if (whole_in(source, "bad_lines") > 0) {
        printf(", %s bad lines", il_grouped(whole_in(source, "bad_lines")).text);
    }
    if (text_in(source, "why")[0] != 0) {
        fputs("\n              ", stdout);
        il_put_text(stdout, text_in(source, "why"));
    }
    fputc('\n', stdout);
}

static void put_daemon(const json_t *daemon)
{
    const json_t *pid = json_object_get(daemon, "pid");
    const json_t *refused = json_object_get(daemon, "refused");
    bool running = json_is_true(json_object_get(daemon, "running"));

    if (daemon == NULL) {
        puts("daemon      none has had this state yet");
        return;
    }
    printf("daemon      %s %lld, %s ", running ? "process" : "none runs; the last was",
           (long long)json_integer_value(pid), running ? "since" : "seen");
    il_put_text(stdout, text_in(daemon, running ? "started" : "updated"));
    fputc('\n', stdout);
    if (running && json_is_true(json_object_get(daemon, "bootstrapping"))) {
        puts("bootstrap   is running");
    }
    if (json_is_string(refused)) {
        fputs("bootstrap   refused: ", stdout);
        il_put_text(stdout, json_string_value(refused));
        fputc('\n', stdout);
    }
    put_source(daemon, 0);
    put_source(daemon, 1);
}

static void put_table(const char *state, const struct side *sides,
                      const struct il_links_view *view, const json_t *daemon)
{
    fputs("state       ", stdout);
    il_put_text(stdout, state);
    fputc('\n', stdout);
    put_side(&sides[0], 0);
    put_side(&sides[1], 1);
    printf("links       %s, and %s seeds",
           il_grouped((size_t)(view->standing - view->seeds)).text,
           il_grouped((size_t)view->seeds).text);
    if (view->standing > view->seeds) {
        printf("; expected precision %.3f", expected(view));
    }
    printf("\nevents      %s", il_grouped((size_t)view->seq).text);
    if (view->seq > 0) {
        printf(", the last at %s, bootstrap %u", il_time_text(view->time_ns, 0).text,
               view->round);
    }
    fputc('\n', stdout);
    put_daemon(daemon);
}

static int show(const char *state, bool json)
{
    struct il_links_view view = {0};
    struct side sides[2];
    json_t *daemon = NULL;
    int code = il_links_view_load(&view, COMMAND, state, UINT64_MAX);

    memset(sides, 0, sizeof sides);
    for (int which = 0; which < 2 && code == IL_EXIT_DONE; which++) {
        code = look_at_side(state, which, &sides[which]);
    }
    if (code == IL_EXIT_DONE) {
        daemon = il_status_read(state);
        if (json) {
            code = il_json_print(COMMAND, status_json(state, sides, &view, daemon));
        } else {
            put_table(state, sides, &view, daemon);
        }
    }
    json_decref(daemon);
    il_links_view_free(&view);
    return code;
}

int il_cmd_status(int argc, char **argv)
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
        il_say(COMMAND, "wants one state, got %d; 'isolink status --help' shows examples",
               argc - optind);
        return IL_EXIT_USAGE;
    }
    return il_stdout_end(COMMAND, show(argv[optind], json));
}
