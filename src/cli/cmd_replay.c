/* SPDX-License-Identifier: Apache-2.0 */
/* isolink replay: the links that stood at an event. */
#include <string.h>

#include "cli.h"
#include "event_line.h"
#include "links_view.h"
#include "opts.h"
#include "report.h"

#define COMMAND "replay"

static const char help[] =
    "Examples\n"
    "  isolink replay live --until 1200 -o then.csv\n"
    "      the links that stood when event 1200 had happened\n"
    "  diff <(isolink replay live --until 1200) <(isolink replay live)\n"
    "      what became of them\n"
    "\n"
    "Usage: isolink replay DIR [options]\n"
    "  --until SEQ           play the events up to this number                 [all]\n"
    "  --format csv|jsonl    of the links                                      [csv]\n"
    "  -o, --output FILE     where they go; '-' is standard output               [-]\n"
    "  -q, --quiet           errors only\n"
    "  -h, --help            this text\n"
    "\n"
    "DIR is the state of 'isolink tail', which may be running.\n"
    "\n"
    "Exit status: 0 done, 1 failed, 2 usage, 3 no such state or not so many events,\n"
    "4 damaged state.\n";

static const struct option options[] = {
    {"until", required_argument, NULL, IL_OPT_UNTIL},
    {"format", required_argument, NULL, IL_OPT_FORMAT},
    {"output", required_argument, NULL, 'o'},
    {"quiet", no_argument, NULL, 'q'},
    {"help", no_argument, NULL, 'h'},
    {NULL, 0, NULL, 0},
};

struct replay_args {
    const char *output;
    uint64_t until;
    bool jsonl, quiet, help;
};

static int read_args(int argc, char **argv, struct replay_args *args)
{
    static const char *const formats[] = {"csv", "jsonl"};
    int option;
    int word;

    *args = (struct replay_args){.output = "-", .until = UINT64_MAX};
    while ((option = il_opts_next(argc, argv, ":ho:q", options)) != -1) {
        switch (option) {
        case IL_OPT_UNTIL:
            if (!il_opts_number(COMMAND, "--until", optarg, 0, INT64_MAX, &args->until)) {
                return IL_EXIT_USAGE;
            }
            break;
        case IL_OPT_FORMAT:
            word = il_opts_word(COMMAND, "--format", optarg, formats, 2);
            if (word < 0) {
                return IL_EXIT_USAGE;
            }
            args->jsonl = word == 1;
            break;
        case 'o':
            args->output = optarg;
            break;
        case 'q':
            args->quiet = true;
            break;
        case 'h':
            args->help = true;
            return IL_EXIT_DONE;
        default:
            return IL_EXIT_USAGE;
        }
    }
    if (argc - optind == 1) {
        return IL_EXIT_DONE;
    }
    il_say(COMMAND, "wants one state, got %d; 'isolink replay --help' shows examples",
           argc - optind);
    return IL_EXIT_USAGE;
}

static int replay(const char *state, const struct replay_args *args)
{
    struct il_links_view view = {0};
    int code = il_links_view_load(&view, COMMAND, state, args->until);

    if (code == IL_EXIT_DONE && args->until != UINT64_MAX && view.seq < args->until) {
        il_say(COMMAND, "%s: its last event is %llu, wanted one up to %llu", state,
               (unsigned long long)view.seq, (unsigned long long)args->until);
        code = IL_EXIT_INPUT;
    }
    if (code == IL_EXIT_DONE) {
        uint64_t links = view.standing;
        uint64_t seq = view.seq;
        int64_t time_ns = view.time_ns;

        code = il_links_view_write(&view, COMMAND, args->output, args->jsonl);
        if (code == IL_EXIT_DONE && !args->quiet) {
            fprintf(stderr, "%-11s %s stood at event %s%s%s\n", "links",
                    il_grouped((size_t)links).text, il_grouped((size_t)seq).text,
                    seq > 0 ? ", " : "", seq > 0 ? il_time_text(time_ns, 0).text : "");
        }
    }
    il_links_view_free(&view);
    return code;
}

int il_cmd_replay(int argc, char **argv)
{
    struct replay_args args;
    int code = read_args(argc, argv, &args);

    if (code != IL_EXIT_DONE) {
        return code;
    }
    if (args.help) {
        fputs(help, stdout);
    } else {
        code = replay(argv[optind], &args);
    }
    return il_stdout_end(COMMAND, code);
}
