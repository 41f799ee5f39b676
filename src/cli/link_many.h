/* SPDX-License-Identifier: Apache-2.0 */
/* isolink link with three and more sides. */
#ifndef IL_LINK_MANY_H
#define IL_LINK_MANY_H

#include <stdbool.h>

#include <isolink/isolink.h>

/** What the command line asks for. */
struct il_many {
    char **side;
    unsigned sides;
    const char *seeds; /**< NULL: none */
    const char *links; /**< links-ab.csv, links-ac.csv .. are named after it */
    const char *json;  /**< NULL: none; "-": standard output */
    bool quiet;
    bool progress;
    enum il_io io;
    struct il_link_config config;
};

/** Links every two of the sides, holds the links against each other, writes and reports.
 * \return an exit code; says what is wrong */
int il_link_many(const char *command, struct il_many *many);

#endif
