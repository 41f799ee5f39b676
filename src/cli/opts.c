/* SPDX-License-Identifier: Apache-2.0 */
#include "opts.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"

#define WORD_MAX 32
#define NAMES_MAX 48

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* Edit distance with swaps of neighbours; SIZE_MAX when a word is longer than any of
 * ours. */
static size_t edit_distance(const char *a, const char *b)
{
    size_t cost[3][WORD_MAX + 1];
    size_t a_count = strlen(a);
    size_t b_count = strlen(b);

    if (a_count > WORD_MAX || b_count > WORD_MAX) {
        return SIZE_MAX;
    }
    for (size_t j = 0; j <= b_count; j++) {
        cost[0][j] = j;
    }
    for (size_t i = 1; i <= a_count; i++) {
        size_t *now = cost[i % 3];
        const size_t *before = cost[(i + 2) % 3];

        now[0] = i;
        for (size_t j = 1; j <= b_count; j++) {
            now[j] = least(before[j - 1] + (a[i - 1] != b[j - 1]),
                           least(before[j], now[j - 1]) + 1);
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
                now[j] = least(now[j], cost[(i + 1) % 3][j - 2] + 1);
            }
        }
    }
    return cost[a_count % 3][b_count];
}

const char *il_opts_nearest(const char *text, const char *const *words, size_t count)
{
    const char *best = NULL;
    size_t best_distance = SIZE_MAX;

    for (size_t i = 0; i < count; i++) {
        size_t distance = edit_distance(text, words[i]);

        if (distance < best_distance) {
            best_distance = distance;
            best = words[i];
        }
    }
    /* A third of the letters may be wrong, but never all of a short word. */
    return best != NULL && best_distance <= 1 + strlen(best) / 4 ? best : NULL;
}

static size_t long_names(const struct option *longs, const char **names)
{
    size_t count = 0;

    while (count < NAMES_MAX && longs[count].name != NULL) {
        names[count] = longs[count].name;
        count++;
    }
    return count;
}

static const char *name_of_value(const struct option *longs, int value)
{
    for (size_t i = 0; longs[i].name != NULL; i++) {
        if (longs[i].val == value) {
            return longs[i].name;
        }
    }
    return "?";
}

static void say_unknown_long(const char *command, const char *text,
                             const struct option *longs)
{
    const char *names[NAMES_MAX];
    size_t count = long_names(longs, names);
    size_t text_count = strcspn(text, "=");
    char word[WORD_MAX + 1];
    const char *near = NULL;

    if (text_count > 0 && text_count <= WORD_MAX) {
        memcpy(word, text, text_count);
        word[text_count] = 0;
        for (size_t i = 0; i < count && near == NULL; i++) {
            /* getopt_long takes unique beginnings; one that ends here fits several. */
            near = strncmp(names[i], word, text_count) == 0 ? names[i] : NULL;
        }
        if (near == NULL) {
            near = il_opts_nearest(word, names, count);
        }
    }
    if (near != NULL) {
        il_say(command, "unknown option '--%.*s'; did you mean '--%s'?", (int)text_count,
               text, near);
    } else {
        il_say(command, "unknown option '--%.*s'; 'isolink %s --help' lists the options",
               (int)text_count, text, command);
    }
}

int il_opts_next(int argc, char **argv, const char *shorts, const struct option *longs)
{
    const char *command = argv[0];

    opterr = 0;
    int value = getopt_long(argc, argv, shorts, longs, NULL);
    if (value == ':') {
        if (optopt >= 256) {
            il_say(command, "option '--%s' needs a value", name_of_value(longs, optopt));
        } else {
            il_say(command, "option '-%c' needs a value", optopt);
        }
        return IL_OPT_ERROR;
    }
    if (value != '?') {
        return value;
    }
    const char *text = argv[optind - 1];
    if (optopt == 0 && strncmp(text, "--", 2) == 0) {
        say_unknown_long(command, text + 2, longs);
    } else if (strncmp(text, "--", 2) == 0) {
        il_say(command, "option '--%s' takes no value", name_of_value(longs, optopt));
    } else {
        il_say(command, "unknown option '-%c'; 'isolink %s --help' lists the options",
               optopt, command);
    }
    return IL_OPT_ERROR;
}

bool il_opts_number(const char *command, const char *option, const char *text,
                    uint64_t min, uint64_t max, uint64_t *out)
{
    size_t digits = strspn(text, "0123456789");
    unsigned long long number = 0;
    bool good = digits > 0 && text[digits] == 0;

    if (good) {
        errno = 0;
        number = strtoull(text, NULL, 10);
        good = errno == 0 && number >= min && number <= max;
    }
    if (!good) {
        il_say(command,
               "option '%s' wants a number from %" PRIu64 " to %" PRIu64 ", got '%s'",
               option, min, max, text);
        return false;
    }
    *out = number;
    return true;
}

bool il_opts_bytes(const char *command, const char *option, const char *text,
                   uint64_t min, uint64_t max, uint64_t *out)
{
    static const char units[] = "KMGT";
    size_t digits = strspn(text, "0123456789");
    const char *unit = text[digits] != 0 ? strchr(units, toupper(text[digits])) : NULL;
    unsigned shift = unit != NULL ? 10 * (unsigned)(unit - units + 1) : 0;
    size_t end = digits + (unit != NULL ? 1 : 0);
    bool good = digits > 0 && digits < 16 && text[end] == 0;

    if (good) {
        uint64_t number = strtoull(text, NULL, 10);

        good = number <= UINT64_MAX >> shift;
        number <<= shift;
        good = good && number >= min && number <= max;
        *out = number;
    }
    if (!good) {
        il_say(command,
               "option '%s' wants a number of bytes as in 512M or 2G, at least %" PRIu64
               "M, got '%s'",
               option, (min + (1 << 20) - 1) >> 20, text);
    }
    return good;
}

bool il_opts_share(const char *command, const char *option, const char *text, double *out)
{
    char *end = NULL;
    double number = 0.0;
    /* Digits and a point only: strtod alone would take spaces, hex, "nan" and "inf". */
    bool good = text[0] != 0 && text[strspn(text, "0123456789.")] == 0;

    if (good) {
        number = strtod(text, &end);
        good = end != text && *end == 0 && number >= 0.0 && number <= 1.0;
    }
    if (!good) {
        il_say(command, "option '%s' wants a number from 0 to 1, got '%s'", option, text);
        return false;
    }
    *out = number;
    return true;
}

int il_opts_word(const char *command, const char *option, const char *text,
                 const char *const *words, size_t count)
{
    char list[128] = "";
    size_t used = 0;

    for (size_t i = 0; i < count; i++) {
        if (strcmp(text, words[i]) == 0) {
            return (int)i;
        }
        int wrote = snprintf(list + used, sizeof list - used, "%s%s",
                             i == 0           ? ""
                             : i + 1 == count ? " or "
                                              : ", ",
                             words[i]);
        used = least(used + (size_t)(wrote > 0 ? wrote : 0), sizeof list - 1);
    }
    const char *near = il_opts_nearest(text, words, count);
    il_say(command, "option '%s' wants %s, got '%s'%s%s%s", option, list, text,
           near != NULL ? "; did you mean '" : "", near != NULL ? near : "",
           near != NULL ? "'?" : "");
    return -1;
}

size_t il_opts_methods(const char *names[IL_METHODS_MAX])
{
    size_t count = 0;

    while (count < IL_METHODS_MAX && il_method_text((enum il_method)count) != NULL) {
        names[count] = il_method_text((enum il_method)count);
        count++;
    }
    return count;
}

bool il_opts_io(const char *command, const char *text, enum il_io *out)
{
    static const char *const words[] = {"auto", "uring", "pread"};
    int index = il_opts_word(command, "--io", text, words, 3);

    *out = index == 1 ? IL_IO_URING : index == 2 ? IL_IO_PREAD : IL_IO_AUTO;
    return index >= 0;
}
