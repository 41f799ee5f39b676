/* SPDX-License-Identifier: Apache-2.0 */
/* The daemon: takes what its sources have, links it, tells what became of it. */
#ifndef IL_TAIL_LOOP_H
#define IL_TAIL_LOOP_H

#include "tail_options.h"

/**
 * Runs until it is stopped, or with once until nothing more is there.
 * \param options     of the start; what they hold is given, unless memory is exhausted
 * \param argc, argv  the command line, which is read again when the configuration is
 * \return an exit code
 */
int il_tail_run(const struct il_tail_options *options, int argc, char **argv);

#endif
