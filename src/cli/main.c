/* SPDX-License-Identifier: Apache-2.0 */
/* isolink: finds the command, and what it has in common with the others. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli.h"
#include "opts.h"
#include "report.h"

static const char help[] =
    "Examples\n"
    "  isolink link a.npy b.npy --seeds seeds.csv -o links.csv\n"
    "      find which rows of a.npy and b.npy belong to the same document\n"
    "  isolink doctor a.npy b.npy --seeds seeds.csv\n"
    "      look at the data first: is it sound, will it work?\n"
    "  isolink eval links.csv truth.csv\n"
    "      measure links against the truth, where it is known\n"
    "  isolink import a.npy a.store --ids a.txt\n"
    "      keep vectors and ids in a quarter of the room; link takes stores too\n"
    "  isolink tail --state live a.jsonl b.jsonl --seeds seeds.csv\n"
    "      link rows as they come, until Ctrl-C\n"
    "\n"
    "isolink finds which vectors of two stores, filled by different embedding models,\n"
    "belong to the same document. It needs the vectors and 15 to 30 known pairs.\n"
    "\n"
    "Usage: isolink COMMAND ... ('isolink COMMAND --help' lists its options)\n"
    "  link       links of two sides, each with the probability that it is right\n"
    "  eval       precision, recall, F1 and reliability of links against the truth\n"
    "  doctor     shapes, bad rows, hubness; go, doubtful or no-go\n"
    "  compare    the methods side by side on one pair of sides\n"
    "  bench      speed of this machine, and of the kernels as shares of its limits\n"
    "  import     rows of a file become a store, or more rows of one\n"
    "  export     rows of a store become a .npy, .fvecs or .jsonl file\n"
    "  info       what a store is\n"
    "  verify     reads every byte of stores and names every fault\n"
    "  get        rows of a store by id\n"
    "  rm         removes rows of a store by id\n"
    "  compact    frees the room of removed and replaced rows\n"
    "  tail       follows growing sources, links what comes, when it comes\n"
    "  status     what a state of tail holds, and how its daemon does\n"
    "  links      links of a state, or its events\n"
    "  replay     links of a state as they stood at an event\n"
    "  map        fits a map between the two spaces on links; applies it\n"
    "  search     rows nearest to queries, of another model too, through a map\n"
    "  diff       documents that only one of two sides has\n"
    "  integrate  the documents of two sides in one store\n"
    "  --version  version, instruction set in use, build; with --json for programs\n"
    "  --help     this text\n"
    "\n"
    "Exit status: 0 done, 1 failed, 2 usage, 3 bad input, 4 damaged data, 5 cannot\n"
    "bootstrap from these seeds, 6 somebody else writes the store, 7 memory or\n"
    "scratch disk do not suffice, 128 + N ended by signal N.\n"
    "ISOLINK_ISA=ref|avx2|avx512|neon lowers the instruction set.\n";

struct command {
    const char *name;
    int (*run)(int argc, char **argv);
};

static const struct command commands[] = {
    {"link", il_cmd_link},     {"eval", il_cmd_eval},
    {"doctor", il_cmd_doctor}, {"compare", il_cmd_compare},
    {"bench", il_cmd_bench},   {"import", il_cmd_import},
    {"export", il_cmd_export}, {"info", il_cmd_info},
    {"verify", il_cmd_verify}, {"get", il_cmd_get},
    {"rm", il_cmd_rm},         {"compact", il_cmd_compact},
    {"tail", il_cmd_tail},     {"status", il_cmd_status},
    {"links", il_cmd_links},   {"replay", il_cmd_replay},
    {"map", il_cmd_map},       {"search", il_cmd_search},
    {"diff", il_cmd_diff},     {"integrate", il_cmd_integrate},
};
#define COMMANDS (sizeof commands / sizeof commands[0])

/* A file opened while 0, 1 or 2 is closed would become a standard stream, and be written
   to. The replacement is opened the wrong way round, so that using it fails instead of
   going nowhere. */
static void open_standard_streams(void)
{
    for (int stream = 0; stream < 3; stream++) {
        if (fcntl(stream, F_GETFD) == -1 && errno == EBADF &&
            open("/dev/null", stream == 0 ? O_WRONLY : O_RDONLY) != stream) {
            _exit(IL_EXIT_FAILED);
        }
    }
}

static int check_isa(void)
{
    struct il_error error = {""};
    enum il_status status = il_isa_check(&error);

    if (status == IL_OK) {
        return IL_EXIT_DONE;
    }
    il_say_status(NULL, status, &error);
    return IL_EXIT_USAGE;
}

static int show_version(int argc, char **argv)
{
    bool json = false;
    int code;

    for (int i = 2; i < argc; i++) {
        if (strcmp(argv[i], "--json") != 0) {
            il_say(NULL, "--version takes --json and nothing else, got '%s'", argv[i]);
            return IL_EXIT_USAGE;
        }
        json = true;
    }
    code = check_isa();
    if (code != IL_EXIT_DONE) {
        return code;
    }
    if (json) {
        char *text = il_report_version_json();

        if (text == NULL) {
            return il_say_memory(NULL);
        }
        fputs(text, stdout);
        free(text);
    } else {
        il_report_version(stdout);
    }
    return il_stdout_end(NULL, IL_EXIT_DONE);
}

static int say_unknown(const char *word)
{
    const char *names[COMMANDS + 2] = {"--version", "--help"};
    const char *near;
    const char *what = word[0] == '-' ? "option" : "command";

    for (size_t i = 0; i < COMMANDS; i++) {
        names[i + 2] = commands[i].name;
    }
    near = il_opts_nearest(word, names, COMMANDS + 2);
    if (near != NULL) {
        il_say(NULL, "unknown %s '%s'; did you mean '%s'?", what, word, near);
    } else {
        il_say(NULL, "unknown %s '%s'; 'isolink --help' lists the commands", what, word);
    }
    return IL_EXIT_USAGE;
}

int main(int argc, char **argv)
{
    open_standard_streams();
    /* A reader that has seen enough, as in '| head', ends us without a message. */
    signal(SIGPIPE, SIG_DFL);
    /* A file size limit then fails as a full disk does, and the temporary file goes. */
    signal(SIGXFSZ, SIG_IGN);
    if (argc < 2) {
        fputs(help, stderr);
        return IL_EXIT_USAGE;
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 ||
        strcmp(argv[1], "help") == 0) {
        fputs(help, stdout);
        return il_stdout_end(NULL, IL_EXIT_DONE);
    }
    if (strcmp(argv[1], "--version") == 0 || strcmp(argv[1], "-V") == 0 ||
        strcmp(argv[1], "version") == 0) {
        return show_version(argc, argv);
    }
    for (size_t i = 0; i < COMMANDS; i++) {
        if (strcmp(argv[1], commands[i].name) == 0) {
            int code = check_isa();

            return code != IL_EXIT_DONE ? code : commands[i].run(argc - 1, argv + 1);
        }
    }
    return say_unknown(argv[1]);
}
