/* SPDX-License-Identifier: Apache-2.0 */
/* --memory and --scratch of the commands. */
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "report.h"

/* Directory that a name stands in, malloc'd. NULL without memory. */
static char *folder_of(const char *path)
{
    size_t bytes = strlen(path);

    while (bytes > 1 && path[bytes - 1] == '/') {
        bytes--;
    }
    while (bytes > 0 && path[bytes - 1] != '/') {
        bytes--;
    }
    if (bytes == 0) {
        return strdup(".");
    }
    return strndup(path, bytes);
}

int il_memory_apply(const char *command, uint64_t bytes, const char *scratch,
                    const char *beside)
{
    struct il_memory_config config;
    struct il_error error = {""};
    char *folder = NULL;

    if (bytes == 0) {
        return IL_EXIT_DONE;
    }
    il_memory_config_init(&config);
    config.limit_bytes = bytes;
    if (scratch != NULL) {
        config.scratch = scratch;
    } else if (strcmp(beside, "-") != 0 && strncmp(beside, "/dev/", 5) != 0) {
        folder = folder_of(beside);
        if (folder == NULL) {
            return il_say_memory(command);
        }
        config.scratch = folder;
    }
    enum il_status status = il_memory_limit(&config, &error);
    free(folder);
    if (status == IL_OK) {
        return IL_EXIT_DONE;
    }
    (void)il_say_output(command, status, &error);
    return status == IL_ELIMIT ? IL_EXIT_LIMIT : IL_EXIT_FAILED;
}

int il_memory_need(const char *command, uint64_t bytes, const char *what)
{
    struct il_memory_use use;
    uint64_t least = il_memory_least(bytes);

    il_memory_describe(&use);
    if (use.limit_bytes == 0 || use.limit_bytes >= least) {
        return IL_EXIT_DONE;
    }
    il_say(command, "%s: needs '--memory %lluM' or more, got %lluM", what,
           (unsigned long long)(least >> 20),
           (unsigned long long)(use.limit_bytes >> 20));
    return IL_EXIT_LIMIT;
}

void il_memory_check(const char *command)
{
    struct il_memory_use use;
    uint64_t peak = (uint64_t)il_peak_bytes();

    il_memory_describe(&use);
    if (use.limit_bytes != 0 && peak > use.limit_bytes) {
        il_say(command, "warning: took %llu MiB of memory, more than --memory allowed",
               (unsigned long long)(peak >> 20));
    }
}
