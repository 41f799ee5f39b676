/* SPDX-License-Identifier: Apache-2.0 */
/* isolink tail: follows two sources and links what comes, when it comes. */
#include "cli.h"
#include "tail_loop.h"
#include "tail_options.h"

#define COMMAND "tail"

static const char help[] =
    "Examples\n"
    "  isolink tail --state live a.jsonl b.jsonl --seeds seeds.csv\n"
    "      follows two growing files until Ctrl-C; go on later with the same line\n"
    "  isolink tail --state live a.jsonl b.npy --seeds seeds.csv --once --close\n"
    "      takes what is there, links it as 'isolink link' would, ends (cron)\n"
    "  some-program | isolink tail --state live - b.store --seeds s.csv --events - | jq\n"
    "      rows on standard input, the other side a store; links come out as JSON\n"
    "  isolink tail --config /etc/isolink/docs.conf --metrics 127.0.0.1:9464\n"
    "      as a service: options in a file, figures for Prometheus\n"
    "\n"
    "Usage: isolink tail --state DIR A_SRC B_SRC --seeds FILE [options]\n"
    "  A_SRC, B_SRC          .npy .fvecs .bvecs .fbin .f16bin .u8bin .i8bin .jsonl .csv\n"
    "                        files that grow, a directory into which files are dropped,\n"
    "                        a store, or '-': standard input\n"
    "  --state DIR           rows, links, positions; made when it is not there\n"
    "  --seeds FILE          known pairs, CSV: a_id,b_id; their rows may come later\n"
    "  --a-format, --b-format F    what a source is, when its name does not say it\n"
    "  --a-column, --b-column C    column or key of the vectors\n"
    "  --a-model, --b-model NAME   the embedding models; the state remembers them\n"
    "  --from-end            at the first start skip what is there already\n"
    "  --once                take what is there, end\n"
    "  --close               a last bootstrap at the end: the links then depend on rows\n"
    "                        and seeds alone, not on what came when\n"
    "  --events FILE         each event as a line of JSON; '-' is standard output\n"
    "  --min-posterior P     keep links of at least this posterior       [best F1]\n"
    "  --bootstrap-after P   again when so many rows came or went, 20% or 0.2; 0 never\n"
    "                                                                        [20%]\n"
    "  --bootstrap-every S   or after so many seconds with any change, 0 never   [0]\n"
    "  --bootstrap-rows N    the first one at so many rows of either side      [300]\n"
    "  --threads N           of linking; 0 = one per core                        [0]\n"
    "  --background-threads N      of bootstraps; 0 = half of the cores          [0]\n"
    "  --memory SIZE, --scratch DIR    as of isolink link                     [none]\n"
    "  --codec C             of the rows: f32, f16, i8, fp8, b1; a new state    [f32]\n"
    "  --sync WHEN           always, interval=MS or os                       [always]\n"
    "  --batch N             rows of a side in one commit                      [256]\n"
    "  --poll MS             look at the sources so often at least            [1000]\n"
    "  --io IO, --seed N     as of isolink link\n"
    "  --metrics ADDR        127.0.0.1:PORT or unix:PATH; GET /metrics        [none]\n"
    "  --log-level L         error, warning, info or debug                    [info]\n"
    "  --log-json            messages as JSON\n"
    "  --progress            figures on standard error; the default on a terminal\n"
    "  --no-progress         no such figures\n"
    "  --config FILE         lines KEY = VALUE, KEY a long option; the command line "
    "wins\n"
    "  -h, --help            this text\n"
    "\n"
    "SIGTERM and SIGINT: the batch is committed, exit 0; a second SIGINT ends at once.\n"
    "SIGHUP: file, seeds and --events are opened anew. SIGUSR1: bootstrap. SIGUSR2: log\n"
    "the figures.\n"
    "\n"
    "Exit status: 0 done, 1 failed, 2 usage, 3 bad input (--once: also a source that is\n"
    "missing or paused), 4 damaged state, 5 --close: no bootstrap from these seeds,\n"
    "6 somebody else has the state, 7 memory or disk do not suffice, 130 interrupted\n"
    "twice.\n";

int il_cmd_tail(int argc, char **argv)
{
    struct il_tail_options options;
    int code = il_tail_options_read(&options, argc, argv);

    if (code == IL_EXIT_DONE && options.help) {
        fputs(help, stdout);
        code = il_stdout_end(COMMAND, IL_EXIT_DONE);
        il_tail_options_free(&options);
        return code;
    }
    if (code != IL_EXIT_DONE) {
        il_tail_options_free(&options);
        return code;
    }
    return il_tail_run(&options, argc, argv);
}
