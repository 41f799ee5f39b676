/* SPDX-License-Identifier: Apache-2.0 */
#include "map_in.h"

#include <string.h>

#include "cli.h"

int il_map_in_load(struct il_map_in *map, const char *command, const char *path)
{
    struct il_error error = {""};
    enum il_status status = il_mapping_load(&map->mapping, path, &error);

    map->path = path;
    if (status != IL_OK) {
        return il_say_status(command, status, &error);
    }
    map->info = il_mapping_info(map->mapping);
    return IL_EXIT_DONE;
}

int il_map_in_check(const struct il_map_in *map, const char *command, int side,
                    const char *path, size_t dim, const char *model, bool force)
{
    const struct il_map_info *info = map->info;
    const char *wanted = info->model[side];

    if (info->dim[side] != dim) {
        il_say(command,
               "%s: rows of %zu coordinates, wanted %zu: %s maps rows of %zu "
               "to rows of %zu%s",
               path, dim, info->dim[side], map->path, info->dim[0], info->dim[1],
               info->dim[!side] == dim ? ", '--reverse' turns it round" : "");
        return IL_EXIT_INPUT;
    }
    if (model[0] != 0 && wanted[0] != 0 && strcmp(model, wanted) != 0 && !force) {
        il_say(command,
               "%s: vectors of the model '%s', wanted '%s', which %s was fitted on; "
               "'--force' takes them all the same",
               path, model, wanted, map->path);
        return IL_EXIT_INPUT;
    }
    return IL_EXIT_DONE;
}

void il_map_in_close(struct il_map_in *map)
{
    il_mapping_close(&map->mapping);
}
