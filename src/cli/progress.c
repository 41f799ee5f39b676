/* SPDX-License-Identifier: Apache-2.0 */
#include "progress.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#define BAR_MAX 40

static double seconds_now(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

void il_progress_init(struct il_progress *progress, bool wanted)
{
    const char *term = getenv("TERM");
    struct winsize size;

    memset(progress, 0, sizeof *progress);
    progress->on = wanted && isatty(STDERR_FILENO) && term != NULL && term[0] != 0 &&
                   strcmp(term, "dumb") != 0;
    progress->columns = 80;
    if (progress->on && ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) {
        progress->columns = size.ws_col;
    }
}

static void draw(struct il_progress *progress, const char *stage, double share,
                 double now)
{
    char bar[BAR_MAX + 1];
    /* Stage, percent, seconds and brackets take 38 columns; the bar gets the rest. */
    int wide = progress->columns - 38;
    int full;

    wide = wide > BAR_MAX ? BAR_MAX : wide < 0 ? 0 : wide;
    full = (int)(share * wide);
    memset(bar, '.', sizeof bar);
    memset(bar, '#', (size_t)full);
    fprintf(stderr, "\r%-16.16s [%.*s] %3d %% %6.0f s\033[K", stage, wide, bar,
            (int)(100.0 * share), now - progress->start);
    fflush(stderr);
    progress->shown = true;
}

void il_progress_step(void *context, const char *stage, double done, double total)
{
    struct il_progress *progress = context;

    if (!progress->on) {
        return;
    }
    double now = seconds_now();
    if (progress->stage == NULL) {
        progress->start = now;
    }
    if (stage == progress->stage && now - progress->last < 0.1) {
        return;
    }
    double share = total > 0.0 && done > 0.0 ? done / total : 0.0;
    draw(progress, stage, share < 1.0 ? share : 1.0, now);
    progress->stage = stage;
    progress->last = now;
}

void il_progress_clear(struct il_progress *progress)
{
    if (progress->shown) {
        fputs("\r\033[K", stderr);
        fflush(stderr);
        progress->shown = false;
    }
}
