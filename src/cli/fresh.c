/* SPDX-License-Identifier: Apache-2.0 */
#include "fresh.h"

#include <dirent.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "cli.h"

#define FRESH ".new"

/* True when a directory holds anything, or nobody may look. */
static bool is_filled(const char *path)
{
    DIR *list = opendir(path);
    struct dirent *entry;
    bool filled = list == NULL;

    while (list != NULL && !filled && (entry = readdir(list)) != NULL) {
        filled = strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
    }
    if (list != NULL) {
        closedir(list);
    }
    return filled;
}

int il_fresh_check(const char *command, const char *path, const char *if_store)
{
    struct stat info;

    if (il_store_exists(path)) {
        il_say(command, "%s: there is a store already%s", path, if_store);
        return IL_EXIT_USAGE;
    }
    if (lstat(path, &info) == 0 && (!S_ISDIR(info.st_mode) || is_filled(path))) {
        il_say(command, "%s: there already, and no store: wanted a new name", path);
        return IL_EXIT_USAGE;
    }
    return IL_EXIT_DONE;
}

int il_fresh_name(const char *command, const char *path, char **out)
{
    struct il_error error = {""};
    size_t bytes = strlen(path);
    enum il_status status;

    while (bytes > 1 && path[bytes - 1] == '/') {
        bytes--;
    }
    *out = malloc(bytes + sizeof FRESH);
    if (*out == NULL) {
        return il_say_memory(command);
    }
    memcpy(*out, path, bytes);
    memcpy(*out + bytes, FRESH, sizeof FRESH);
    status = il_store_discard(*out, &error);
    if (status != IL_OK) {
        /* It is not the caller's to remove at the end either. */
        free(*out);
        *out = NULL;
        return il_say_output(command, status, &error);
    }
    return IL_EXIT_DONE;
}
