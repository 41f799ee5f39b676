/* SPDX-License-Identifier: Apache-2.0 */
/* A map from a file, and whether rows are of the spaces that it knows. */
#ifndef IL_MAP_IN_H
#define IL_MAP_IN_H

#include <stdbool.h>
#include <stddef.h>

#include <isolink/isolink.h>

/** Zero it before il_map_in_load. */
struct il_map_in {
    const char *path;
    struct il_mapping *mapping;
    const struct il_map_info *info;
};

/** Loads. \return an exit code; says what is wrong */
int il_map_in_load(struct il_map_in *map, const char *command, const char *path);

/**
 * Refuses rows that cannot be of a side of the map.
 * \param side   0: A, 1: B
 * \param path   of the rows
 * \param model  their model, "" where it is not known
 * \param force  another model is no reason
 * \return IL_EXIT_DONE; IL_EXIT_INPUT: says what was found and wanted
 */
int il_map_in_check(const struct il_map_in *map, const char *command, int side,
                    const char *path, size_t dim, const char *model, bool force);

void il_map_in_close(struct il_map_in *map);

#endif
