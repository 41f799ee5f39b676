/* SPDX-License-Identifier: Apache-2.0 */
#include "tail_options.h"

#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "opts.h"
#include "tail_http.h"
#include "tail_log.h"

#define COMMAND "tail"
#define BATCH_DEFAULT 256
#define BATCH_MAX 65536
#define POLL_DEFAULT 1000

static const struct option options[] = {
    {"state", required_argument, NULL, IL_OPT_STATE},
    {"seeds", required_argument, NULL, IL_OPT_SEEDS},
    {"a-format", required_argument, NULL, IL_OPT_A_FORMAT},
    {"b-format", required_argument, NULL, IL_OPT_B_FORMAT},
    {"a-column", required_argument, NULL, IL_OPT_A_COLUMN},
    {"b-column", required_argument, NULL, IL_OPT_B_COLUMN},
    {"a-model", required_argument, NULL, IL_OPT_A_MODEL},
    {"b-model", required_argument, NULL, IL_OPT_B_MODEL},
    {"once", no_argument, NULL, IL_OPT_ONCE},
    {"close", no_argument, NULL, IL_OPT_CLOSE},
    {"from-end", no_argument, NULL, IL_OPT_FROM_END},
    {"events", required_argument, NULL, IL_OPT_EVENTS},
    {"bootstrap-after", required_argument, NULL, IL_OPT_BOOTSTRAP_AFTER},
    {"bootstrap-every", required_argument, NULL, IL_OPT_BOOTSTRAP_EVERY},
    {"bootstrap-rows", required_argument, NULL, IL_OPT_BOOTSTRAP_ROWS},
    {"min-posterior", required_argument, NULL, IL_OPT_MIN_POSTERIOR},
    {"threads", required_argument, NULL, IL_OPT_THREADS},
    {"background-threads", required_argument, NULL, IL_OPT_BACKGROUND_THREADS},
    {"memory", required_argument, NULL, IL_OPT_MEMORY},
    {"scratch", required_argument, NULL, IL_OPT_SCRATCH},
    {"codec", required_argument, NULL, IL_OPT_CODEC},
    {"sync", required_argument, NULL, IL_OPT_SYNC},
    {"io", required_argument, NULL, IL_OPT_IO},
    {"seed", required_argument, NULL, IL_OPT_SEED},
    {"batch", required_argument, NULL, IL_OPT_BATCH},
    {"poll", required_argument, NULL, IL_OPT_POLL},
    {"metrics", required_argument, NULL, IL_OPT_METRICS},
    {"log-json", no_argument, NULL, IL_OPT_LOG_JSON},
    {"log-level", required_argument, NULL, IL_OPT_LOG_LEVEL},
    {"progress", no_argument, NULL, IL_OPT_PROGRESS},
    {"no-progress", no_argument, NULL, IL_OPT_NO_PROGRESS},
    {"config", required_argument, NULL, IL_OPT_CONFIG},
    {"help", no_argument, NULL, 'h'},
    {NULL, 0, NULL, 0},
};

/* An option that is being taken: where it stands, its name there, and its value. */
struct given {
    const char *where, *name, *value;
};

static bool take_unsigned(const struct given *g, uint64_t max, unsigned *out)
{
    uint64_t number = 0;

    if (!il_opts_number(g->where, g->name, g->value, 0, max, &number)) {
        return false;
    }
    *out = (unsigned)number;
    return true;
}

/* "20%", or 0.2. */
static bool take_share(const struct given *g, double *out)
{
    size_t bytes = strlen(g->value);
    char digits[16];

    if (bytes < 2 || g->value[bytes - 1] != '%') {
        return il_opts_share(g->where, g->name, g->value, out);
    }
    snprintf(digits, sizeof digits, "%.*s", (int)(bytes - 1), g->value);
    /* Digits and a point only, as il_opts_share has it. */
    if (bytes - 1 >= sizeof digits || strspn(digits, "0123456789.") != bytes - 1) {
        il_say(g->where, "option '%s' wants a share as in 20%% or 0.2, got '%s'", g->name,
               g->value);
        return false;
    }
    *out = strtod(digits, NULL) / 100.0;
    return true;
}

static bool take_sync(const struct given *g, struct il_tail_options *o)
{
    const char *ms = g->value;

    if (strcmp(ms, "always") == 0) {
        o->sync = IL_SYNC_ALWAYS;
        return true;
    }
    if (strcmp(ms, "os") == 0) {
        o->sync = IL_SYNC_OS;
        return true;
    }
    if (strncmp(ms, "interval=", 9) != 0) {
        il_say(g->where,
               "option '%s' wants always, interval=MILLISECONDS or os, got '%s'", g->name,
               g->value);
        return false;
    }
    struct given number = {g->where, g->name, ms + 9};
    o->sync = IL_SYNC_INTERVAL;
    return take_unsigned(&number, 60000, &o->sync_ms);
}

static bool take_named(const struct given *g, enum il_kind *kind, enum il_codec *codec)
{
    struct il_error error = {""};
    enum il_status status = kind != NULL ? il_kind_named(g->value, kind, &error)
                                         : il_codec_named(g->value, codec, &error);

    if (status != IL_OK) {
        il_say(g->where, "option '%s': %s", g->name, error.text);
    }
    return status == IL_OK;
}

static bool take_level(const struct given *g, int *level)
{
    int number = il_level_named(g->value);

    if (number < 0) {
        il_say(g->where, "option '%s' wants error, warning, info or debug, got '%s'",
               g->name, g->value);
        return false;
    }
    *level = number;
    return true;
}

static bool take_metrics(const struct given *g, struct il_tail_options *o)
{
    const char *fault = il_http_address_fault(g->value);

    if (fault == NULL && !il_http_available()) {
        fault = "this build has no metrics: libmicrohttpd was missing when it was made";
    }
    if (fault != NULL) {
        il_say(g->where, "option '%s': '%s': %s", g->name, g->value, fault);
        return false;
    }
    o->metrics = g->value;
    return true;
}

/* Options that are texts. NULL: it is none of these. */
static const char **text_of(struct il_tail_options *o, int option)
{
    switch (option) {
    case IL_OPT_STATE:
        return &o->state;
    case IL_OPT_SEEDS:
        return &o->seeds;
    case IL_OPT_A_SOURCE:
        return &o->source[0];
    case IL_OPT_B_SOURCE:
        return &o->source[1];
    case IL_OPT_A_COLUMN:
        return &o->column[0];
    case IL_OPT_B_COLUMN:
        return &o->column[1];
    case IL_OPT_A_MODEL:
        return &o->model[0];
    case IL_OPT_B_MODEL:
        return &o->model[1];
    case IL_OPT_EVENTS:
        return &o->events;
    case IL_OPT_SCRATCH:
        return &o->scratch;
    case IL_OPT_CONFIG:
        return &o->config;
    default:
        return NULL;
    }
}

static bool take_number(const struct given *g, struct il_tail_options *o, int option)
{
    switch (option) {
    case IL_OPT_BOOTSTRAP_AFTER:
        return take_share(g, &o->bootstrap_after);
    case IL_OPT_BOOTSTRAP_EVERY:
        return il_opts_number(g->where, g->name, g->value, 0, 1000000000,
                              &o->bootstrap_seconds);
    case IL_OPT_BOOTSTRAP_ROWS:
        return il_opts_number(g->where, g->name, g->value, 3, IL_ROWS_MAX,
                              &o->bootstrap_rows);
    case IL_OPT_MIN_POSTERIOR:
        return il_opts_share(g->where, g->name, g->value, &o->posterior_min);
    case IL_OPT_THREADS:
        return take_unsigned(g, 256, &o->threads);
    case IL_OPT_BACKGROUND_THREADS:
        return take_unsigned(g, 256, &o->background_threads);
    case IL_OPT_MEMORY:
        return il_opts_bytes(g->where, g->name, g->value, IL_MEMORY_MIN,
                             (uint64_t)1 << 50, &o->memory);
    case IL_OPT_SEED:
        return il_opts_number(g->where, g->name, g->value, 0, INT64_MAX, &o->seed);
    case IL_OPT_BATCH:
        return il_opts_number(g->where, g->name, g->value, 1, BATCH_MAX, &o->batch);
    case IL_OPT_POLL:
        return il_opts_number(g->where, g->name, g->value, 10, 3600000, &o->poll_ms);
    default:
        return false;
    }
}

static bool take_option(const struct given *g, struct il_tail_options *o, int option)
{
    const char **text = text_of(o, option);

    if (text != NULL) {
        *text = g->value;
        return true;
    }
    switch (option) {
    case IL_OPT_A_FORMAT:
        return take_named(g, &o->kind[0], NULL);
    case IL_OPT_B_FORMAT:
        return take_named(g, &o->kind[1], NULL);
    case IL_OPT_CODEC:
        return take_named(g, NULL, &o->codec);
    case IL_OPT_SYNC:
        return take_sync(g, o);
    case IL_OPT_IO:
        return il_opts_io(g->where, g->value, &o->io);
    case IL_OPT_METRICS:
        return take_metrics(g, o);
    case IL_OPT_LOG_LEVEL:
        return take_level(g, &o->log_level);
    default:
        return take_number(g, o, option);
    }
}

/* Options without a value; false: it is none of these. */
static bool take_flag(struct il_tail_options *o, int option, bool on)
{
    switch (option) {
    case IL_OPT_ONCE:
        o->once = on;
        return true;
    case IL_OPT_CLOSE:
        o->close = on;
        return true;
    case IL_OPT_FROM_END:
        o->from_end = on;
        return true;
    case IL_OPT_LOG_JSON:
        o->log_json = on;
        return true;
    case IL_OPT_PROGRESS:
        o->progress = on;
        return true;
    case IL_OPT_NO_PROGRESS:
        o->progress = 0;
        return true;
    case 'h':
        o->help = true;
        return true;
    default:
        return false;
    }
}

/* ---------------------------------------------------------------------------- the file
 */

/* Keys that only the file has, for what the command line gives as operands. */
static const struct option sources[] = {
    {"a-source", required_argument, NULL, IL_OPT_A_SOURCE},
    {"b-source", required_argument, NULL, IL_OPT_B_SOURCE},
};

static const struct option *find_key(const char *key)
{
    for (size_t i = 0; i < sizeof sources / sizeof *sources; i++) {
        if (strcmp(sources[i].name, key) == 0) {
            return &sources[i];
        }
    }
    for (size_t i = 0; options[i].name != NULL; i++) {
        int value = options[i].val;

        if (strcmp(options[i].name, key) == 0 && value != 'h' && value != IL_OPT_CONFIG &&
            value != IL_OPT_NO_PROGRESS) {
            return &options[i];
        }
    }
    return NULL;
}

static bool say_unknown(const char *where, const char *key)
{
    const char *names[sizeof options / sizeof *options + 2];
    size_t count = 0;
    const char *near;

    for (size_t i = 0; options[i].name != NULL; i++) {
        if (find_key(options[i].name) != NULL) {
            names[count++] = options[i].name;
        }
    }
    names[count++] = sources[0].name;
    names[count++] = sources[1].name;
    near = il_opts_nearest(key, names, count);
    if (near != NULL) {
        il_say(where, "unknown key '%s'; did you mean '%s'?", key, near);
    } else {
        il_say(where, "unknown key '%s'; the keys are the long options of 'isolink tail'",
               key);
    }
    return false;
}

static bool on_key(void *context, const char *where, const char *key, const char *value)
{
    static const char *const words[] = {"true", "false", "yes", "no"};
    const struct option *option = find_key(key);
    const struct given given = {where, key, value};
    int word;

    if (option == NULL) {
        return say_unknown(where, key);
    }
    if (option->has_arg != no_argument) {
        return take_option(&given, context, option->val);
    }
    word = il_opts_word(where, key, value, words, sizeof words / sizeof *words);
    return word >= 0 && take_flag(context, option->val, word == 0 || word == 2);
}

/* ------------------------------------------------------------------------- the command
 * line */

static int read_line(struct il_tail_options *o, int argc, char **argv)
{
    int option;

    optind = 0; /* begins anew: the line is read more than once */
    while ((option = il_opts_next(argc, argv, ":h", options)) != -1) {
        char name[40] = "";
        struct given given = {COMMAND, name, optarg};

        for (size_t i = 0; options[i].name != NULL; i++) {
            if (options[i].val == option) {
                snprintf(name, sizeof name, "--%s", options[i].name);
            }
        }
        if (option == IL_OPT_ERROR ||
            (!take_flag(o, option, true) && !take_option(&given, o, option))) {
            return IL_EXIT_USAGE;
        }
        if (o->help) {
            return IL_EXIT_DONE;
        }
    }
    if (argc - optind == 2) {
        o->source[0] = argv[optind];
        o->source[1] = argv[optind + 1];
    } else if (argc - optind != 0) {
        il_say(COMMAND,
               "wants two sources, A_SRC and B_SRC, got %d; 'isolink tail --help' shows "
               "examples",
               argc - optind);
        return IL_EXIT_USAGE;
    }
    return IL_EXIT_DONE;
}

static bool has_state(const char *state)
{
    char path[4096];
    int bytes = snprintf(path, sizeof path, "%s/a.store", state);

    return bytes > 0 && bytes < (int)sizeof path && il_store_exists(path);
}

static int check(const struct il_tail_options *o)
{
    const char *a = o->source[0];
    const char *b = o->source[1];

    if (a == NULL || b == NULL) {
        il_say(COMMAND, "wants two sources, A_SRC and B_SRC; 'isolink tail --help' shows "
                        "examples");
    } else if (o->state == NULL || o->state[0] == 0) {
        il_say(COMMAND, "needs --state DIR, where rows and links are kept");
    } else if (strlen(o->state) > 3800) {
        il_say(COMMAND, "the path after --state is too long");
    } else if (strcmp(a, b) == 0) {
        il_say(COMMAND, "A_SRC and B_SRC are the same, '%s'", a);
    } else if (o->seeds == NULL && !has_state(o->state)) {
        il_say(COMMAND, "a new state needs --seeds FILE, the known pairs");
    } else if (o->events != NULL && o->events[0] == 0) {
        il_say(COMMAND, "the name after --events is empty");
    } else {
        return IL_EXIT_DONE;
    }
    return IL_EXIT_USAGE;
}

static void set_defaults(struct il_tail_options *o)
{
    struct il_stream_config config;

    il_stream_config_init(&config);
    memset(o, 0, sizeof *o);
    o->codec = config.codec;
    o->sync = config.sync;
    o->sync_ms = config.sync_ms;
    o->io = config.io;
    o->seed = config.seed;
    o->posterior_min = config.posterior_min;
    o->bootstrap_after = config.bootstrap_after;
    o->bootstrap_rows = config.bootstrap_rows;
    o->batch = BATCH_DEFAULT;
    o->poll_ms = POLL_DEFAULT;
    o->log_level = IL_LEVEL_INFO;
    o->progress = -1;
}

int il_tail_options_read(struct il_tail_options *o, int argc, char **argv)
{
    int code;

    set_defaults(o);
    code = read_line(o, argc, argv);
    if (code != IL_EXIT_DONE || o->help) {
        return code;
    }
    if (o->config != NULL) {
        const char *path = o->config;

        set_defaults(o);
        code = il_config_load(&o->file, COMMAND, path, on_key, o);
        if (code == IL_EXIT_DONE) {
            code = read_line(o, argc, argv);
        }
    }
    return code == IL_EXIT_DONE ? check(o) : code;
}

void il_tail_options_free(struct il_tail_options *o)
{
    il_config_free(&o->file);
}

/* ----------------------------------------------------------------------------- changes
 */

static bool same(const char *x, const char *y)
{
    return x == y || (x != NULL && y != NULL && strcmp(x, y) == 0);
}

const char *il_tail_options_fixed(const struct il_tail_options *now,
                                  const struct il_tail_options *wanted)
{
    static const char *const names[][2] = {{"a-source", "b-source"},
                                           {"a-column", "b-column"},
                                           {"a-model", "b-model"},
                                           {"a-format", "b-format"}};

    for (int side = 0; side < 2; side++) {
        const bool equal[] = {same(now->source[side], wanted->source[side]),
                              same(now->column[side], wanted->column[side]),
                              same(now->model[side], wanted->model[side]),
                              now->kind[side] == wanted->kind[side]};

        for (size_t i = 0; i < sizeof equal / sizeof *equal; i++) {
            if (!equal[i]) {
                return names[i][side];
            }
        }
    }
    return !same(now->state, wanted->state)       ? "state"
           : !same(now->events, wanted->events)   ? "events"
           : !same(now->metrics, wanted->metrics) ? "metrics"
           : !same(now->scratch, wanted->scratch) ? "scratch"
           : now->memory != wanted->memory        ? "memory"
           : now->codec != wanted->codec          ? "codec"
           : now->seed != wanted->seed            ? "seed"
           : now->once != wanted->once            ? "once"
           : now->progress != wanted->progress    ? "progress"
                                                  : NULL;
}

bool il_tail_options_reopen(const struct il_tail_options *now,
                            const struct il_tail_options *wanted)
{
    return now->threads != wanted->threads ||
           now->background_threads != wanted->background_threads ||
           now->sync != wanted->sync || now->sync_ms != wanted->sync_ms ||
           now->io != wanted->io || now->posterior_min != wanted->posterior_min ||
           now->bootstrap_after != wanted->bootstrap_after ||
           now->bootstrap_rows != wanted->bootstrap_rows ||
           now->bootstrap_seconds != wanted->bootstrap_seconds;
}
