/* SPDX-License-Identifier: Apache-2.0 */
/* A source that is followed step by step, and what it gave, for the tests. */
#ifndef IL_TAIL_RUN_H
#define IL_TAIL_RUN_H

#include <isolink/tail.h>

#include "tests/unit/unit.h"

/* How a run goes: `again` closes the source after every call and opens it at its
   position; so many rows a call. */
struct run_mode {
    int again;
    size_t most;
};

UNIT const struct run_mode run_modes[] = {{0, 1000}, {0, 1}, {1, 1000}, {1, 1}, {1, 3}};
#define RUN_MODES (sizeof(run_modes) / sizeof(*run_modes))

struct run {
    struct run_mode mode;
    char path[512];
    struct il_tail_config config;
    struct il_tail *tail;
    unsigned char position[IL_TAIL_POSITION_MAX];
    size_t position_bytes; /* 0: none yet */
    char got[1 << 16];     /* "id=x id=x -id " of the rows since it was emptied */
    char said[1 << 14];    /* lines of the log */
    struct il_tail_info info;
    void (*arm)(int on);   /* called around calls of the library; or NULL */
    int patient;           /* what fails for want of memory, or by EIO, is tried again */
    enum il_status status; /* of the last call */
    struct il_error error;
};

UNIT void run_say(void *context, int level, const char *text)
{
    struct run *r = context;
    size_t used = strlen(r->said);
    assert_in_range(level, 3, 7);
    snprintf(r->said + used, sizeof(r->said) - used, "%s\n", text);
}

UNIT enum il_status run_open(struct run *r)
{
    const void *position = r->position_bytes > 0 ? r->position : NULL;
    for (int i = 0;; i++) {
        if (r->arm)
            r->arm(1);
        r->status = il_tail_open(&r->tail, r->path, position, r->position_bytes,
                                 &r->config, &r->error);
        if (r->arm)
            r->arm(0);
        if (r->status == IL_OK || !r->patient || i == 3)
            return r->status;
        assert_true(r->status == IL_ENOMEM || r->status == IL_EIO);
        assert_null(r->tail);
    }
}

UNIT void run_begin(struct run *r, struct run_mode mode, const char *path)
{
    memset(r, 0, sizeof(*r));
    r->mode = mode;
    snprintf(r->path, sizeof(r->path), "%s", path);
    il_tail_config_init(&r->config);
    r->config.log = run_say;
    r->config.log_context = r;
    /* Closing an inotify takes the kernel long: those that are opened so often do without
       one. */
    if (mode.again)
        unit_fail_io(1, IL_IO_WATCH, EMFILE, 1);
    else
        unit_no_faults();
    if (run_open(r) != IL_OK)
        fail_msg("open: %s", r->error.text);
}

/* The same, with the library's calls watched over. */
UNIT void run_begin_armed(struct run *r, struct run_mode mode, const char *path,
                          void (*arm)(int on))
{
    memset(r, 0, sizeof(*r));
    r->mode = mode;
    r->arm = arm;
    r->patient = 1;
    snprintf(r->path, sizeof(r->path), "%s", path);
    il_tail_config_init(&r->config);
    r->config.log = run_say;
    r->config.log_context = r;
    if (run_open(r) != IL_OK)
        fail_msg("open: %s", r->error.text);
}

UNIT void run_keep(struct run *r)
{
    r->position_bytes = il_tail_position(r->tail, r->position);
    assert_in_range(r->position_bytes, 1, IL_TAIL_POSITION_MAX);
}

UNIT void run_reopen(struct run *r)
{
    run_keep(r);
    il_tail_close(&r->tail);
    if (run_open(r) != IL_OK)
        fail_msg("open again: %s", r->error.text);
}

/* One call. Returns the number of rows. */
UNIT size_t run_once(struct run *r)
{
    struct il_tail_row rows[1000];
    size_t count = 0;
    if (r->arm)
        r->arm(1);
    r->status = il_tail_next(r->tail, r->mode.most, rows, &count, &r->error);
    if (r->arm)
        r->arm(0);
    assert_true(count <= r->mode.most);
    for (size_t i = 0; i < count; i++) {
        size_t used = strlen(r->got);
        if (rows[i].row)
            snprintf(r->got + used, sizeof(r->got) - used, "%.*s=%g ",
                     (int)rows[i].id_bytes, (const char *)rows[i].id, rows[i].row[0]);
        else
            snprintf(r->got + used, sizeof(r->got) - used, "-%.*s ",
                     (int)rows[i].id_bytes, (const char *)rows[i].id);
    }
    il_tail_describe(r->tail, &r->info);
    return count;
}

/* Calls until nothing comes, twice. */
UNIT void run_drain(struct run *r)
{
    for (int empty = 0, calls = 0; empty < 2; calls++) {
        size_t count = run_once(r);
        if (r->status != IL_OK && !(r->patient && r->status == IL_ENOMEM))
            fail_msg("next: %s", r->error.text);
        assert_true(calls < 5000);
        empty = count == 0 ? empty + 1 : 0;
        if (r->mode.again)
            run_reopen(r);
    }
}

/* Everything that came since the last time must be this. */
UNIT void run_expect_at(struct run *r, const char *wanted, const char *file, int line)
{
    run_drain(r);
    if (strcmp(r->got, wanted) != 0)
        fail_msg(
            "%s:%d (again %d, most %zu): got '%s', wanted '%s'; state %d %s; log:\n%s",
            file, line, r->mode.again, r->mode.most, r->got, wanted, r->info.state,
            r->info.why, r->said);
    r->got[0] = 0;
}
#define run_expect(r, wanted) run_expect_at(r, wanted, __FILE__, __LINE__)

UNIT void run_state_at(struct run *r, enum il_tail_state state, const char *part,
                       const char *file, int line)
{
    if (r->info.state != state || !strstr(r->info.why, part))
        fail_msg("%s:%d (again %d): state %d '%s', wanted %d with '%s'; log:\n%s", file,
                 line, r->mode.again, r->info.state, r->info.why, (int)state, part,
                 r->said);
}
#define run_state(r, state, part) run_state_at(r, state, part, __FILE__, __LINE__)

UNIT void run_says_at(struct run *r, const char *part, const char *file, int line)
{
    if (!strstr(r->said, part))
        fail_msg("%s:%d (again %d): the log lacks '%s':\n%s", file, line, r->mode.again,
                 part, r->said);
    r->said[0] = 0;
}
#define run_says(r, part) run_says_at(r, part, __FILE__, __LINE__)

UNIT void run_end(struct run *r)
{
    il_tail_close(&r->tail);
    assert_null(r->tail);
}

/* Appends bytes without the code under test. */
UNIT void run_add(const char *path, const void *data, size_t bytes)
{
    FILE *file = fopen(path, "ab");
    assert_non_null(file);
    assert_int_equal(fwrite(data, 1, bytes, file), bytes);
    assert_int_equal(fclose(file), 0);
}

UNIT void run_add_text(const char *path, const char *text)
{
    run_add(path, text, strlen(text));
}

#define RUN_DIM 3

/* Rows first .. first + count - 1 of RUN_DIM f32, the number in each coordinate; each
   behind its length when `lead`. */
UNIT size_t run_rows(unsigned char *out, int first, int count, int lead)
{
    unsigned char *p = out;
    for (int i = first; i < first + count; i++) {
        const int32_t dim = RUN_DIM;
        if (lead) {
            memcpy(p, &dim, 4);
            p += 4;
        }
        for (int q = 0; q < RUN_DIM; q++, p += 4) {
            float x = (float)i + (float)q / 8;
            memcpy(p, &x, 4);
        }
    }
    return (size_t)(p - out);
}

UNIT void run_add_rows(const char *path, int first, int count, int lead)
{
    unsigned char bytes[4096];
    run_add(path, bytes, run_rows(bytes, first, count, lead));
}

/* A header of .npy of 128 bytes. */
UNIT void run_npy_header(unsigned char *out, const char *type, int rows, int dim)
{
    memset(out, ' ', 128);
    memcpy(out, "\x93NUMPY\x01\x00\x76\x00", 10);
    int bytes = snprintf((char *)out + 10, 100,
                         "{'descr': '%s', 'fortran_order': False, 'shape': (%d, %d), }",
                         type, rows, dim);
    out[10 + bytes] = ' ';
    out[127] = '\n';
}

/* Writes over the begin of a file. */
UNIT void run_over(const char *path, const void *data, size_t bytes)
{
    FILE *file = fopen(path, "r+b");
    assert_non_null(file);
    assert_int_equal(fwrite(data, 1, bytes, file), bytes);
    assert_int_equal(fclose(file), 0);
}

#endif
