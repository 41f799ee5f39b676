/* SPDX-License-Identifier: Apache-2.0 */
#include "inputs.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli.h"

static enum il_status load_side(struct il_inputs *in, int side, struct il_error *error)
{
    const struct il_input_paths *path = &in->path;
    enum il_status status =
        path->whole
            ? il_side_load_whole(&in->vectors[side], path->side[side], path->io, error)
            : il_side_load(&in->vectors[side], path->side[side], path->io, error);

    if (status != IL_OK) {
        return status;
    }
    in->rows[side] = il_vectors_rows(in->vectors[side]);
    in->ids[side] = il_vectors_ids(in->vectors[side]);
    if (in->path.ids[side] == NULL && in->ids[side] != NULL) {
        return IL_OK;
    }
    status = in->path.ids[side] != NULL
                 ? il_ids_load(&in->own_ids[side], in->path.ids[side],
                               in->rows[side].rows, error)
                 : il_ids_number(&in->own_ids[side], in->rows[side].rows);
    in->ids[side] = in->own_ids[side];
    return status;
}

/* Sides that cannot be what the command line says. */
static bool sides_agree(const struct il_input_paths *path, const char *command)
{
    if (strcmp(path->side[0], "-") == 0 && strcmp(path->side[1], "-") == 0) {
        il_say(command, "only one of A and B can be standard input");
        return false;
    }
    for (int side = 0; side < 2; side++) {
        if (path->ids[side] != NULL && il_store_exists(path->side[side])) {
            il_say(command, "%s: a store has ids of its own: '--%c-ids %s' is for files",
                   path->side[side], "ab"[side], path -> ids[side]);
            return false;
        }
    }
    return true;
}

int il_inputs_load(struct il_inputs *inputs, const struct il_input_paths *path,
                   const char *command)
{
    struct il_error error = {""};
    enum il_status status = IL_OK;

    inputs->path = *path;
    if (!sides_agree(path, command)) {
        return IL_EXIT_USAGE;
    }
    for (int side = 0; side < 2 && status == IL_OK; side++) {
        status = load_side(inputs, side, &error);
        if (atomic_load(il_cancel_flag()) != 0) {
            return il_say_cancelled(command);
        }
    }
    if (status == IL_OK && path->seeds != NULL) {
        status = il_pairs_load(&inputs->seeds, &inputs->seed_count, path->seeds,
                               inputs->ids[0], inputs->ids[1], &inputs->notes, &error);
    }
    if (status == IL_OK && path->links != NULL) {
        status = il_links_load(&inputs->links, &inputs->link_count, path->links,
                               inputs->ids[0], inputs->ids[1], &inputs->notes, &error);
    }
    if (status != IL_OK) {
        return il_say_status(command, status, &error);
    }
    return IL_EXIT_DONE;
}

size_t il_inputs_seed_lines(const struct il_inputs *inputs)
{
    return inputs->seed_count + inputs->notes.repeated + inputs->notes.contradicting +
           inputs->notes.missing;
}

void il_inputs_warn(const struct il_inputs *inputs, const char *command)
{
    const struct il_pairs_notes *notes = &inputs->notes;
    size_t left_out = il_inputs_seed_lines(inputs) - inputs->seed_count;

    if (left_out == 0) {
        return;
    }
    il_say(command,
           "warning: %s: %zu of %zu seeds left out (%zu with a missing id, %zu repeated, "
           "%zu contradicting); first: %s",
           inputs->path.seeds, left_out, il_inputs_seed_lines(inputs), notes->missing,
           notes->repeated, notes->contradicting, notes->first);
}

void il_inputs_warn_links(const struct il_inputs *inputs, const char *command)
{
    const struct il_pairs_notes *notes = &inputs->notes;
    size_t left_out = notes->repeated + notes->contradicting + notes->missing;

    if (left_out > 0) {
        il_say(command,
               "warning: %s: %zu of %zu links left out (%zu with a missing id, %zu "
               "repeated, %zu contradicting); first: %s",
               inputs->path.links, left_out, inputs->link_count + left_out,
               notes->missing, notes->repeated, notes->contradicting, notes->first);
    }
}

void il_inputs_free(struct il_inputs *inputs)
{
    il_pairs_free(inputs->seeds);
    inputs->seeds = NULL;
    il_links_free(inputs->links);
    inputs->links = NULL;
    for (int side = 0; side < 2; side++) {
        il_ids_close(&inputs->own_ids[side]);
        il_vectors_close(&inputs->vectors[side]);
    }
}

/* The name behind a final symbolic link, or a copy of path. NULL with errno set. */
static char *follow(const char *path)
{
    struct stat info;

    if (lstat(path, &info) == 0 && S_ISLNK(info.st_mode)) {
        return realpath(path, NULL);
    }
    return strdup(path);
}

/* Creates a file beside path and removes it again. Returns 0 or an errno value. */
static int try_directory(const char *path)
{
    static const char name[] = ".isolink-XXXXXX";
    const char *slash = strrchr(path, '/');
    size_t folder_bytes = slash == NULL ? 0 : (size_t)(slash - path) + 1;
    char probe[PATH_MAX];
    int file;

    if (folder_bytes + sizeof name > sizeof probe) {
        return ENAMETOOLONG;
    }
    memcpy(probe, path, folder_bytes);
    memcpy(probe + folder_bytes, name, sizeof name);
    file = mkstemp(probe);
    if (file < 0) {
        return errno;
    }
    unlink(probe);
    close(file);
    return 0;
}

/* The input that is the same file as the one described, or NULL. */
static const char *same_input(const struct stat *info,
                              const struct il_input_paths *inputs)
{
    const char *const paths[] = {inputs->side[0], inputs->side[1], inputs->ids[0],
                                 inputs->ids[1],  inputs->seeds,   inputs->links};
    struct stat other;

    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
        if (paths[i] != NULL && stat(paths[i], &other) == 0 &&
            other.st_dev == info->st_dev && other.st_ino == info->st_ino) {
            return paths[i];
        }
    }
    return NULL;
}

/* A device or a pipe is written to as it is; a regular file is replaced, so it must be
   writable, must be no input, and its directory must take a new file. */
static int check_regular(const char *command, const char *path,
                         const struct il_input_paths *inputs, const char *resolved)
{
    struct stat info;

    if (stat(resolved, &info) == 0) {
        const char *same = same_input(&info, inputs);

        if (same != NULL) {
            il_say(command, "%s: the output would replace the input %s", path, same);
            return IL_EXIT_USAGE;
        }
        if (access(resolved, W_OK) != 0) {
            il_say(command, "%s: cannot be replaced: %s", path, strerror(errno));
            return IL_EXIT_FAILED;
        }
    }
    int number = try_directory(resolved);
    if (number != 0) {
        il_say(command, "%s: cannot be written: %s", path, strerror(number));
        return IL_EXIT_FAILED;
    }
    return IL_EXIT_DONE;
}

int il_output_check(const char *command, const char *path,
                    const struct il_input_paths *inputs, char **resolved)
{
    struct stat info;

    *resolved = NULL;
    if (path[0] == 0) {
        il_say(command, "the name of the output file is empty");
        return IL_EXIT_USAGE;
    }
    if (stat(path, &info) == 0 && !S_ISREG(info.st_mode)) {
        int number = S_ISDIR(info.st_mode) ? EISDIR : access(path, W_OK) != 0 ? errno : 0;

        if (number != 0) {
            il_say(command, "%s: cannot be written: %s", path, strerror(number));
            return IL_EXIT_FAILED;
        }
        return IL_EXIT_DONE;
    }
    *resolved = follow(path);
    if (*resolved == NULL) {
        il_say(command, "%s: cannot be written: %s", path, strerror(errno));
        return IL_EXIT_FAILED;
    }
    return check_regular(command, path, inputs, *resolved);
}
