/* SPDX-License-Identifier: Apache-2.0 */
#include "tail_screen.h"

#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "cli.h"
#include "report.h"
#include "tail_log.h"

#define BLOCK_SECONDS 0.2
#define SPARK_SECONDS 0.5
#define LINE_SECONDS 1.0
#define NEVER 1e9
#define LINE_MAX_BYTES 400

static struct {
    bool block, lines, utf8;
    int shown; /* lines of the block that stand on the terminal */
    double next, spark_next;
    uint64_t spark_arrivals, line_arrivals, line_seq;
    int line_busy;
    struct il_sparks sparks;
} screen;

void il_sparks_add(struct il_sparks *sparks, double value)
{
    sparks->value[sparks->count % IL_SPARKS] = value;
    sparks->count++;
}

void il_sparks_text(const struct il_sparks *sparks, size_t wide, bool utf8, char *out)
{
    static const char ascii[] = " .:-=+*#";
    size_t kept = sparks->count < IL_SPARKS ? sparks->count : IL_SPARKS;
    double most = 0.0;

    wide = wide < kept ? wide : kept;
    for (size_t i = sparks->count - wide; i < sparks->count; i++) {
        most = fmax(most, sparks->value[i % IL_SPARKS]);
    }
    for (size_t i = sparks->count - wide; i < sparks->count; i++) {
        double value = sparks->value[i % IL_SPARKS];
        int level = most > 0.0 && value > 0.0 ? (int)ceil(7.0 * value / most) : 0;

        if (utf8) {
            /* U+2581 to U+2588: one eighth block to the full one. */
            memcpy(out, "\xe2\x96", 2);
            out[2] = (char)(0x81 + level);
            out += 3;
        } else {
            *out++ = ascii[level];
        }
    }
    *out = 0;
}

static bool locale_is_utf8(void)
{
    static const char *const names[] = {"LC_ALL", "LC_CTYPE", "LANG"};

    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const char *value = getenv(names[i]);

        if (value != NULL && value[0] != 0) {
            return strstr(value, "UTF-8") != NULL || strstr(value, "utf8") != NULL;
        }
    }
    return false;
}

/* The cursor goes to the first line of the block, and what is below it vanishes. */
static void clear(void)
{
    if (screen.shown > 0) {
        fprintf(stderr, "\033[%dA\r\033[J", screen.shown);
        screen.shown = 0;
    }
}

void il_screen_init(int wanted)
{
    const char *term = getenv("TERM");
    bool can = isatty(STDERR_FILENO) && term != NULL && term[0] != 0 &&
               strcmp(term, "dumb") != 0;

    memset(&screen, 0, sizeof screen);
    screen.block = wanted != 0 && can;
    screen.lines = wanted == 1 && !can;
    screen.utf8 = locale_is_utf8();
    if (screen.block) {
        il_log_before(clear);
    }
}

bool il_screen_is_block(void)
{
    return screen.block;
}

/* One line, cut at the width of the terminal (bars of three bytes count once). */
static int put_line(FILE *stream, int columns, const char *end, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

static int put_line(FILE *stream, int columns, const char *end, const char *format, ...)
{
    char text[LINE_MAX_BYTES];
    int column = 0;
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    for (const char *at = text; *at != 0; at++) {
        unsigned char byte = (unsigned char)*at;

        column += (byte & 0xc0) != 0x80;
        if (column >= columns) {
            break;
        }
        fputc(byte < 0x20 || byte == 0x7f ? '?' : byte, stream);
    }
    fputs(end, stream);
    return 1;
}

static void bootstrap_text(const struct il_tail_figures *figures, char *out, size_t room)
{
    const struct il_stream_info *info = &figures->stream;

    if (info->bootstrapping) {
        snprintf(out, room, "%s bootstrap is running",
                 info->round == 0 ? "the first" : "a");
    } else if (info->refused_bootstrap) {
        snprintf(out, room, "the last bootstrap was refused: %s", info->why);
    } else if (info->round == 0) {
        snprintf(out, room, "no bootstrap yet: too few rows or seeds");
    } else {
        snprintf(out, room, "bootstrap %u, %.1f s; %s rows changed since", info->round,
                 info->bootstrap_seconds, il_grouped((size_t)info->since).text);
    }
}

static int put_source(FILE *stream, const struct il_tail_figures *figures, int side,
                      int columns, const char *end)
{
    const struct il_tail_info *tail = &figures->tail[side];
    char bad[64] = "";

    if (tail->state == IL_TAIL_MISSING || tail->state == IL_TAIL_PAUSED) {
        return put_line(stream, columns, end, "  source %c    %s: %s", "AB"[side],
                        tail -> state == IL_TAIL_MISSING ? "missing" : "PAUSED",
                        tail->why[0] != 0 ? tail->why : figures->source[side]);
    }
    if (tail->bad_lines > 0) {
        snprintf(bad, sizeof bad, ", %s bad lines",
                 il_grouped((size_t)tail->bad_lines).text);
    }
    return put_line(stream, columns, end, "  source %c    %s rows, %s bytes behind%s%s",
                    "AB"[side], il_grouped((size_t)figures->stream.rows[side]).text,
                    il_grouped((size_t)tail->lag_bytes).text, bad,
                    tail->state == IL_TAIL_ENDED ? ", ended" : "");
}

int il_screen_lines(FILE *stream, const struct il_tail_figures *figures,
                    const struct il_sparks *sparks, int columns, bool utf8,
                    const char *end)
{
    const struct il_stream_info *info = &figures->stream;
    char bars[3 * IL_SPARKS + 1];
    char bootstrap[sizeof info->why + 64];
    int count = 0;
    int wide = columns - 44;

    wide = wide < 0 ? 0 : wide > IL_SPARKS ? IL_SPARKS : wide;
    il_sparks_text(sparks, (size_t)wide, utf8, bars);
    bootstrap_text(figures, bootstrap, sizeof bootstrap);
    count +=
        put_line(stream, columns, end, "  arrivals    %10s  %9s /s  %s",
                 il_grouped((size_t)(figures->arrivals[0] + figures->arrivals[1])).text,
                 il_grouped((size_t)(figures->rate + 0.5)).text, bars);
    count += put_line(stream, columns, end, "  links       %10s  %9s made, %s retracted",
                      il_grouped((size_t)info->links).text,
                      il_grouped((size_t)figures->events[0]).text,
                      il_grouped((size_t)figures->events[2]).text);
    if (info->round > 0) {
        count += put_line(
            stream, columns, end,
            "  precision   %10.3f  estimated; about %s documents on both "
            "sides",
            info->precision,
            il_grouped(info->shared > 0.0 ? (size_t)(info->shared + 0.5) : 0).text);
    } else {
        count += put_line(stream, columns, end, "  precision   %10s", "-");
    }
    count += put_line(stream, columns, end, "  bootstrap   %s", bootstrap);
    for (int side = 0; side < 2; side++) {
        count += put_source(stream, figures, side, columns, end);
    }
    return count;
}

static void draw_block(const struct il_tail_figures *figures)
{
    struct winsize size;
    int columns = 80;

    if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) {
        columns = size.ws_col;
    }
    il_log_lock();
    if (screen.shown > 0) {
        fprintf(stderr, "\033[%dA\r", screen.shown);
    }
    screen.shown = il_screen_lines(stderr, figures, &screen.sparks, columns, screen.utf8,
                                   "\033[K\n");
    fflush(stderr);
    il_log_unlock();
}

/* A plain line, when anything happened since the last one. */
static void draw_line(const struct il_tail_figures *figures)
{
    const struct il_stream_info *info = &figures->stream;
    uint64_t arrivals = figures->arrivals[0] + figures->arrivals[1];
    char precision[32] = "-";

    if (arrivals == screen.line_arrivals && info->seq == screen.line_seq &&
        info->bootstrapping == screen.line_busy) {
        return;
    }
    screen.line_arrivals = arrivals;
    screen.line_seq = info->seq;
    screen.line_busy = info->bootstrapping;
    if (info->round > 0) {
        snprintf(precision, sizeof precision, "%.3f", info->precision);
    }
    il_log_lock();
    fprintf(stderr,
            "arrivals %8" PRIu64 "  %6.0f /s  links %7" PRIu64 "  retracted %6" PRIu64
            "  precision %s  bootstrap %u%s\n",
            arrivals, figures->rate, info->links, figures->events[2], precision,
            info->round, info->bootstrapping ? "+" : "");
    fflush(stderr);
    il_log_unlock();
}

double il_screen_draw(const struct il_tail_figures *figures, double now, bool force)
{
    uint64_t arrivals = figures->arrivals[0] + figures->arrivals[1];

    if (!screen.block && !screen.lines) {
        return NEVER;
    }
    if (now >= screen.spark_next) {
        il_sparks_add(&screen.sparks, (double)(arrivals - screen.spark_arrivals));
        screen.spark_arrivals = arrivals;
        screen.spark_next = now + SPARK_SECONDS;
    }
    if (force || now >= screen.next) {
        screen.next = now + (screen.block ? BLOCK_SECONDS : LINE_SECONDS);
        if (screen.block) {
            draw_block(figures);
        } else {
            draw_line(figures);
        }
    }
    return fmin(screen.next, screen.spark_next) - now;
}

void il_screen_end(void)
{
    il_log_lock();
    screen.shown = 0;
    il_log_unlock();
    screen.block = false;
    screen.lines = false;
}
