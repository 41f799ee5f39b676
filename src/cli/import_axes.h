/* SPDX-License-Identifier: Apache-2.0 */
/* The basis of a new store, from a sample of the rows that it will hold. */
#ifndef IL_IMPORT_AXES_H
#define IL_IMPORT_AXES_H

#include <isolink/isolink.h>

#include "progress.h"

/** Zero it, fit it, free it. */
struct il_axes {
    size_t dim;
    size_t stored_dim;
    float *mean;
    float *basis;
    size_t sampled; /**< rows */
    double share;   /**< of the variance that the basis keeps */
};

/** Reads "50%" or "64". Says what is wrong and returns false. */
bool il_axes_check(const char *command, const char *text);

/**
 * Reads a file once and finds its axes. \param wanted as on the command line, checked
 * \return an exit code; says what is wrong
 */
int il_axes_find(struct il_axes *axes, const char *command, const char *wanted,
                 const char *path, const struct il_source_config *config,
                 struct il_progress *bar);

void il_axes_free(struct il_axes *axes);

#endif
