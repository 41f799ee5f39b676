/* SPDX-License-Identifier: Apache-2.0 */
/* Stores as directories: removing one, giving one another name. */
#include <isolink/transfer.h>

#include "src/base/base.h"
#include "src/store/store_inner.h"

#include <string.h>

struct look {
    const struct il_dir *dir;
    int remove;       /* 0: only look */
    char foreign[64]; /* the first name that is not ours */
    enum il_status status;
    struct il_error *error;
};

static int look_at(void *context, const char *name)
{
    struct look *l = context;
    if (!il_store_own_name(name)) {
        il_printable(l->foreign, sizeof(l->foreign), name, strlen(name));
        return 1;
    }
    /* The lock is held until all else is gone. */
    if (l->remove && strcmp(name, STORE_LOCK) != 0)
        l->status = il_dir_remove(l->dir, name, l->error);
    return l->status != IL_OK;
}

/* IL_EARG when something there is not ours. */
static enum il_status look(const struct il_dir *dir, struct il_error *error)
{
    struct look l = {.dir = dir, .error = error};
    enum il_status status = il_dir_list(dir, look_at, &l, error);
    if (status == IL_OK && l.foreign[0])
        return il_fail(error, IL_EARG,
                       "%s: not removed: '%s' in it is no file of a store",
                       il_path_tail(dir->path), l.foreign);
    return status;
}

/* With the lock. The manifest goes first: what is left of a removal that was killed is no
   store. */
static enum il_status remove_files(const struct il_dir *dir, struct il_error *error)
{
    struct look l = {.dir = dir, .remove = 1, .error = error};
    enum il_status status = look(dir, error);
    if (status == IL_OK)
        status = il_dir_remove(dir, STORE_MANIFEST, error);
    if (status == IL_OK)
        status = il_dir_sync(dir, error);
    if (status == IL_OK)
        status = il_dir_list(dir, look_at, &l, error);
    if (status == IL_OK)
        status = l.status;
    return status == IL_OK ? il_dir_remove(dir, STORE_LOCK, error) : status;
}

enum il_status il_store_discard(const char *path, struct il_error *error)
{
    struct il_dir dir;
    struct il_error own;
    int fd = -1;
    long holder = 0;
    if (!error)
        error = &own;
    if (!il_dir_exists(path))
        return IL_OK;
    enum il_status status = il_dir_open(&dir, path, error);
    if (status != IL_OK)
        return status;
    /* Before a lock is put there, too: the directory may be somebody else's. */
    status = look(&dir, error);
    if (status == IL_OK)
        status = il_dir_lock(&dir, STORE_LOCK, &fd, &holder, error);
    if (status == IL_ELOCKED)
        status = il_fail(error, IL_ELOCKED, "%s: locked by process %ld, which writes it",
                         il_path_tail(path), holder);
    if (status == IL_OK)
        status = remove_files(&dir, error);
    if (fd >= 0) {
        struct il_file lock = {.fd = fd};
        il_file_close(&lock);
    }
    il_dir_close(&dir);
    return status == IL_OK ? il_dir_remove_empty(path, error) : status;
}

/* Splits a path: the directory that it lies in, a copy that is given, and its last part,
   without slashes at the end. */
static char *split(const char *path, const char **name, size_t *name_bytes)
{
    size_t end = strlen(path);
    while (end > 1 && path[end - 1] == '/')
        end--;
    size_t begin = end;
    while (begin > 0 && path[begin - 1] != '/')
        begin--;
    *name = path + begin;
    *name_bytes = end - begin;
    const char *from = begin > 0 ? path : ".";
    size_t bytes = begin > 0 ? begin : 1;
    char *parent = il_alloc(bytes + 1, 1);
    if (parent) {
        memcpy(parent, from, bytes);
        parent[bytes] = 0;
    }
    return parent;
}

static char *copy(const char *text, size_t bytes)
{
    char *out = il_alloc(bytes + 1, 1);
    if (out) {
        memcpy(out, text, bytes);
        out[bytes] = 0;
    }
    return out;
}

enum il_status il_store_rename(const char *from, const char *to, struct il_error *error)
{
    const char *name[2];
    size_t bytes[2];
    struct il_error own;
    struct il_dir dir = {.fd = -1};
    enum il_status status = IL_OK;
    if (!error)
        error = &own;
    char *parent[2] = {split(from, &name[0], &bytes[0]), split(to, &name[1], &bytes[1])};
    char *last[2] = {copy(name[0], bytes[0]), copy(name[1], bytes[1])};
    if (!parent[0] || !parent[1] || !last[0] || !last[1])
        status = il_fail(error, IL_ENOMEM, "%s: no memory for a name", il_path_tail(to));
    else if (strcmp(parent[0], parent[1]) != 0 || !*last[0] || !*last[1])
        status = il_fail(error, IL_EARG, "%s: wanted a name in the directory of %s",
                         il_path_tail(to), il_path_tail(from));
    if (status == IL_OK)
        status = il_dir_open(&dir, parent[1], error);
    if (status == IL_OK)
        status = il_dir_rename(&dir, last[0], last[1], error);
    if (status == IL_OK)
        status = il_dir_sync(&dir, error);
    il_dir_close(&dir);
    for (int i = 0; i < 2; i++) {
        il_free(parent[i]);
        il_free(last[i]);
    }
    return status;
}
