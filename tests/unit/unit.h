/* SPDX-License-Identifier: Apache-2.0 */
/* What the unit tests share: a folder of their own, files in it, faults. Built with
   IL_FAULTS. */
#ifndef IL_UNIT_H
#define IL_UNIT_H

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <dirent.h>
#include <ftw.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "src/base/base.h"
#include "src/io/file.h"

/* Not every test uses all of these. */
#define UNIT __attribute__((unused)) static

static char unit_dir[256];

/* Group setup: a fresh folder. */
UNIT int unit_setup(void **state)
{
    (void)state;
    const char *base = getenv("TMPDIR");
    snprintf(unit_dir, sizeof(unit_dir), "%s/isolink-unit-XXXXXX", base ? base : "/tmp");
    return mkdtemp(unit_dir) ? 0 : -1;
}

static int unit_remove(const char *path, const struct stat *s, int flag, struct FTW *ftw)
{
    (void)s;
    (void)flag;
    (void)ftw;
    return remove(path);
}

/* Group teardown: removes it. */
UNIT int unit_teardown(void **state)
{
    (void)state;
    return nftw(unit_dir, unit_remove, 16, FTW_DEPTH | FTW_PHYS);
}

/* Path of a file in the folder; valid until eight more calls. */
UNIT const char *unit_path(const char *name)
{
    static char path[8][512];
    static unsigned next;
    char *out = path[next++ % 8];
    snprintf(out, sizeof(path[0]), "%s/%s", unit_dir, name);
    return out;
}

/* Writes a file without the code under test; returns its path. */
UNIT const char *unit_put(const char *name, const void *data, size_t bytes)
{
    const char *path = unit_path(name);
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(data, 1, bytes, file), bytes);
    assert_int_equal(fclose(file), 0);
    return path;
}

UNIT const char *unit_text(const char *name, const char *text)
{
    return unit_put(name, text, strlen(text));
}

/* Contents of a file, zero-terminated; to be freed. NULL when there is none. */
UNIT char *unit_get(const char *path, size_t *bytes)
{
    FILE *file = fopen(path, "rb");
    if (!file)
        return NULL;
    char *text = malloc(1 << 22);
    assert_non_null(text);
    size_t got = fread(text, 1, (1 << 22) - 1, file);
    text[got] = 0;
    if (bytes)
        *bytes = got;
    fclose(file);
    return text;
}

UNIT void unit_expect(const char *path, const char *wanted)
{
    char *text = unit_get(path, NULL);
    assert_non_null(text);
    assert_string_equal(text, wanted);
    free(text);
}

/* Files in the folder whose names hold ".tmp". */
UNIT size_t unit_temps(void)
{
    DIR *dir = opendir(unit_dir);
    assert_non_null(dir);
    size_t found = 0;
    for (struct dirent *e = readdir(dir); e; e = readdir(dir))
        found += strstr(e->d_name, ".tmp") != NULL;
    closedir(dir);
    return found;
}

/* A text that must stand in a message; prints both when it does not. */
UNIT void unit_says(const struct il_error *error, const char *part)
{
    if (!strstr(error->text, part))
        fail_msg("message '%s' lacks '%s'", error->text, part);
}

/* Faults of system calls: call number `at` (from 1, counting those of kind `only`, or all
   when it is below 0) gets the verdict; with `ever` every call from there on. */
static struct {
    long at, calls;
    int only, verdict, ever;
} unit_fault;

static int unit_hook(enum il_io_call call)
{
    if (unit_fault.only >= 0 && (int)call != unit_fault.only)
        return 0;
    unit_fault.calls++;
    if (unit_fault.ever ? unit_fault.calls >= unit_fault.at
                        : unit_fault.calls == unit_fault.at)
        return unit_fault.verdict;
    return 0;
}

UNIT void unit_fail_io(long at, int only, int verdict, int ever)
{
    unit_fault.at = at;
    unit_fault.calls = 0;
    unit_fault.only = only;
    unit_fault.verdict = verdict;
    unit_fault.ever = ever;
    il_io_hook = unit_hook;
}

UNIT void unit_no_faults(void)
{
    il_io_hook = NULL;
    il_alloc_fail_at(0);
}

/* Runs a step that opens, uses and closes things with its k-th allocation failing, for
   k = 1, 2, ... until none fails any more: every run before must end in IL_ENOMEM. LSan
   sees what a failed run leaves behind. Returns the number of allocations. */
UNIT long unit_starve(enum il_status (*step)(void *context), void *context)
{
    for (long k = 1;; k++) {
        il_alloc_fail_at(k);
        enum il_status status = step(context);
        long calls = il_alloc_calls();
        il_alloc_fail_at(0);
        if (calls < k) {
            assert_int_equal(status, IL_OK);
            return k - 1;
        }
        assert_int_equal(status, IL_ENOMEM);
    }
}

#endif
