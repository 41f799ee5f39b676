/* SPDX-License-Identifier: Apache-2.0 */
/* isolink links: the links of a state, or its events. */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cli.h"
#include "event_line.h"
#include "links_view.h"
#include "opts.h"

#define COMMAND "links"
#define FOLLOW_NS 100000000

static const char help[] =
    "Examples\n"
    "  isolink links live -o links.csv\n"
    "      the links that stand, best first, for 'isolink eval' among others\n"
    "  isolink links live --since 0 | jq -c 'select(.event == \"retract\")'\n"
    "      everything that ever happened\n"
    "  isolink links live --since 1200 --follow\n"
    "      what happened behind event 1200, and what happens from now on\n"
    "\n"
    "Usage: isolink links DIR [options]\n"
    "  --since SEQ           the events behind this number, as JSONL\n"
    "  --follow              with --since: wait for more\n"
    "  --format csv|jsonl    of the links that stand                           [csv]\n"
    "  -o, --output FILE     where they go; '-' is standard output               [-]\n"
    "  -h, --help            this text\n"
    "\n"
    "DIR is the state of 'isolink tail', which may be running. Columns of the CSV:\n"
    "a_id,b_id,posterior,link_id,origin. They depend on the links alone: after\n"
    "'isolink tail --close' the same rows and seeds give the same bytes.\n"
    "\n"
    "Exit status: 0 done, 1 failed, 2 usage, 3 no such state, 4 damaged state.\n";

static const struct option options[] = {
    {"since", required_argument, NULL, IL_OPT_SINCE},
    {"follow", no_argument, NULL, IL_OPT_FOLLOW},
    {"format", required_argument, NULL, IL_OPT_FORMAT},
    {"output", required_argument, NULL, 'o'},
    {"help", no_argument, NULL, 'h'},
    {NULL, 0, NULL, 0},
};

struct links_args {
    const char *output;
    uint64_t since;
    bool events; /**< --since was given */
    bool follow, help;
    bool jsonl, format;
};

static bool take_option(int option, struct links_args *args)
{
    static const char *const formats[] = {"csv", "jsonl"};
    int word;

    switch (option) {
    case IL_OPT_SINCE:
        args->events = true;
        return il_opts_number(COMMAND, "--since", optarg, 0, INT64_MAX, &args->since);
    case IL_OPT_FOLLOW:
        args->follow = true;
        return true;
    case IL_OPT_FORMAT:
        word = il_opts_word(COMMAND, "--format", optarg, formats, 2);
        args->jsonl = word == 1;
        args->format = true;
        return word >= 0;
    case 'o':
        args->output = optarg;
        return true;
    case 'h':
        args->help = true;
        return true;
    default:
        return false;
    }
}

static int read_args(int argc, char **argv, struct links_args *args)
{
    int option;

    memset(args, 0, sizeof *args);
    args->output = "-";
    while ((option = il_opts_next(argc, argv, ":ho:", options)) != -1) {
        if (option == IL_OPT_ERROR || !take_option(option, args)) {
            return IL_EXIT_USAGE;
        }
        if (args->help) {
            return IL_EXIT_DONE;
        }
    }
    if (argc - optind != 1) {
        il_say(COMMAND, "wants one state, got %d; 'isolink links --help' shows examples",
               argc - optind);
    } else if (args->follow && !args->events) {
        il_say(COMMAND, "'--follow' belongs to '--since SEQ'");
    } else if (args->events && args->format && !args->jsonl) {
        il_say(COMMAND, "events are JSONL: '--since' goes without '--format csv'");
    } else if (args->events && strcmp(args->output, "-") != 0) {
        il_say(COMMAND, "events go to standard output: '--since' goes without '-o'");
    } else {
        return IL_EXIT_DONE;
    }
    return IL_EXIT_USAGE;
}

/* The events behind a number. Each line is flushed when there is no other to follow. */
static int put_events(const char *state, uint64_t since, bool follow)
{
    static char line[IL_EVENT_LINE_MAX];
    const struct timespec pause = {.tv_nsec = FOLLOW_NS};
    struct il_events *events = NULL;
    struct il_event event;
    struct il_error error = {""};
    enum il_status status = il_events_open(&events, state, since, &error);

    while (status == IL_OK && !ferror(stdout)) {
        int found = 0;

        status = il_events_next(events, &event, &found, &error);
        if (status == IL_OK && found) {
            fwrite(line, 1, il_event_line(line, &event), stdout);
        } else if (status == IL_OK && follow) {
            fflush(stdout);
            nanosleep(&pause, NULL);
        } else {
            break;
        }
    }
    il_events_close(&events);
    return status == IL_OK ? IL_EXIT_DONE : il_say_status(COMMAND, status, &error);
}

int il_cmd_links(int argc, char **argv)
{
    struct il_links_view view = {0};
    struct links_args args;
    int code = read_args(argc, argv, &args);

    if (code != IL_EXIT_DONE) {
        return code;
    }
    if (args.help) {
        fputs(help, stdout);
    } else if (args.events) {
        code = put_events(argv[optind], args.since, args.follow);
    } else {
        code = il_links_view_load(&view, COMMAND, argv[optind], UINT64_MAX);
        if (code == IL_EXIT_DONE) {
            code = il_links_view_write(&view, COMMAND, args.output, args.jsonl);
        }
        il_links_view_free(&view);
    }
    return il_stdout_end(COMMAND, code);
}
