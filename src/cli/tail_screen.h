/* SPDX-License-Identifier: Apache-2.0 */
/* What a person sees of a running daemon: a block of lines on a terminal that is drawn
 * over itself, plain lines elsewhere. */
#ifndef IL_TAIL_SCREEN_H
#define IL_TAIL_SCREEN_H

#include <stdbool.h>
#include <stdio.h>

#include "tail_metrics.h"

#define IL_SPARKS 40

/** Arrivals of the last moments, a bar each. */
struct il_sparks {
    double value[IL_SPARKS];
    size_t count; /**< that were added; the last IL_SPARKS are kept */
};
void il_sparks_add(struct il_sparks *sparks, double value);
/** Writes the last `wide` of them as bars scaled to the largest; utf8: as block elements,
 * else as ASCII. out: 3 * wide + 1 bytes. */
void il_sparks_text(const struct il_sparks *sparks, size_t wide, bool utf8, char *out);

/** Prepares; `wanted` 1 always, 0 never, -1 on a terminal only. On a terminal that can
 * move its cursor it is a block, elsewhere a plain line now and then. */
void il_screen_init(int wanted);
/** Whether standard error is a terminal with a block. */
bool il_screen_is_block(void);

/** Draws when it is time to, or in any case when `force`. Returns in how many seconds it
 * wants to be asked again (a large number when never). */
double il_screen_draw(const struct il_tail_figures *figures, double now, bool force);

/** Leaves the block where it is and goes on below it. */
void il_screen_end(void);

/** Writes the lines of the block, each ended by `end`; for tests. Returns their number.
 */
int il_screen_lines(FILE *stream, const struct il_tail_figures *figures,
                    const struct il_sparks *sparks, int columns, bool utf8,
                    const char *end);

#endif
