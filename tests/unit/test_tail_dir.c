/* SPDX-License-Identifier: Apache-2.0 */
/* Directories into which files are dropped; standard input. */
#include <fcntl.h>

#include "tests/unit/tail_run.h"

static struct run r;

static void each_mode(void (*test)(struct run_mode mode))
{
    for (size_t i = 0; i < RUN_MODES; i++) {
        test(run_modes[i]);
        assert_int_equal(unit_teardown(NULL), 0);
        assert_int_equal(unit_setup(NULL), 0);
    }
}

static const char *in(const char *name)
{
    char path[64];
    snprintf(path, sizeof(path), "in/%.60s", name);
    return unit_path(path);
}

static void drop_files(struct run_mode mode)
{
    run_begin(&r, mode, unit_path("in"));
    run_expect(&r, "");
    run_state(&r, IL_TAIL_MISSING, "not there yet");
    assert_int_equal(mkdir(unit_path("in"), 0777), 0);
    run_expect(&r, "");
    run_state(&r, IL_TAIL_READY, "");
    run_add_rows(in("c.fvecs"), 0, 2, 1);
    run_add_rows(in("b.fvecs"), 10, 1, 1);
    run_add_rows(in(".hidden.fvecs"), 99, 1, 1);
    run_add_rows(in("a.fvecs.tmp"), 20, 1, 1);
    run_add_rows(in("a.fvecs.part"), 99, 1, 1);
    run_add_rows(in("a.fvecs~"), 99, 1, 1);
    run_expect(&r, "b.fvecs:0=10 c.fvecs:0=0 c.fvecs:1=1 ");
    assert_int_equal(rename(in("a.fvecs.tmp"), in("a.fvecs")), 0);
    run_add_text(in("d.jsonl"), "{\"id\": \"own\", \"vector\": [7, 1, 1]}\n"
                                "{\"id\": \"last\", \"vector\": [8, 1, 1]}");
    run_expect(&r, "a.fvecs:0=20 own=7 last=8 ");
    run_add_text(in("README"), "nothing of ours");
    run_add_text(in("e.npz"), "PK");
    run_expect(&r, "");
    run_says(&r, "README: passed over: its name says no kind of file");
    run_state(&r, IL_TAIL_READY, "");
    /* The file that is read, and one that was. */
    run_add_text(in("d.jsonl"), "\n{\"id\": \"more\", \"vector\": [9, 1, 1]}\n");
    run_add_rows(in("b.fvecs"), 11, 2, 1);
    run_expect(&r, "more=9 b.fvecs:1=11 b.fvecs:2=12 ");
    assert_int_equal(r.info.rows, 9);
    run_end(&r);
}

static void files_are_dropped(void **state)
{
    (void)state;
    each_mode(drop_files);
}

static void unfinished(struct run_mode mode)
{
    unsigned char rows[64];
    assert_int_equal(mkdir(unit_path("in"), 0777), 0);
    run_begin(&r, mode, unit_path("in"));
    size_t bytes = run_rows(rows, 0, 2, 1);
    run_add(in("a.fvecs"), rows, bytes - 5);
    run_expect(&r, "a.fvecs:0=0 ");
    run_add_rows(in("b.fvecs"), 50, 1, 1);
    run_expect(&r, "b.fvecs:0=50 ");
    run_says(&r, "ends with 11 bytes that are no whole row");
    run_add(in("a.fvecs"), rows + bytes - 5, 5);
    run_expect(&r, "a.fvecs:1=1 ");
    run_add_rows(in("a.fvecs"), 2, 1, 1);
    run_add_rows(in("b.fvecs"), 51, 1, 1);
    run_add_rows(in("c.fvecs"), 60, 1, 1);
    run_drain(&r);
    assert_non_null(strstr(r.got, "a.fvecs:2=2 "));
    assert_non_null(strstr(r.got, "b.fvecs:1=51 "));
    assert_non_null(strstr(r.got, "c.fvecs:0=60 "));
    assert_int_equal(r.info.rows, 6);
    r.got[0] = 0;
    /* Removed, and dropped again. */
    assert_int_equal(unlink(in("b.fvecs")), 0);
    assert_int_equal(unlink(in("c.fvecs")), 0);
    run_expect(&r, "");
    run_state(&r, IL_TAIL_READY, "");
    run_add_rows(in("b.fvecs"), 70, 1, 1);
    run_add_rows(in("c.fvecs"), 80, 1, 1);
    run_expect(&r, "b.fvecs:0=70 c.fvecs:0=80 ");
    run_end(&r);
}

static void files_that_grow_and_go(void **state)
{
    (void)state;
    each_mode(unfinished);
}

static void bad_file(struct run_mode mode)
{
    assert_int_equal(mkdir(unit_path("in"), 0777), 0);
    run_begin(&r, mode, unit_path("in"));
    run_add_rows(in("a.fvecs"), 0, 1, 1);
    run_expect(&r, "a.fvecs:0=0 ");
    run_add_text(in("b.jsonl"), "{\"vector\": [1, 2]}\n");
    run_add_rows(in("c.fvecs"), 2, 1, 1);
    run_expect(&r, "");
    run_state(&r, IL_TAIL_PAUSED, "a vector of 2 numbers, wanted 3");
    run_add_text(in("new"), "{\"vector\": [1, 2, 3]}\n");
    assert_int_equal(rename(in("new"), in("b.jsonl")), 0);
    run_expect(&r, "b.jsonl:0=1 c.fvecs:0=2 ");
    run_state(&r, IL_TAIL_READY, "");
    run_end(&r);
}

static void a_bad_file_pauses_until_it_is_replaced(void **state)
{
    (void)state;
    each_mode(bad_file);
}

/* More files than are known one by one, some of them removed, one with a low name. */
static void many(struct run_mode mode)
{
    char name[48];
    assert_int_equal(mkdir(unit_path("in"), 0777), 0);
    run_begin(&r, mode, unit_path("in"));
    for (int i = 0; i < 300; i++) {
        snprintf(name, sizeof(name), "n%03d.fvecs", i);
        run_add_rows(in(name), i, 1, 1);
        if (i == 150)
            run_drain(&r);
    }
    run_drain(&r);
    assert_int_equal(r.info.rows, 300);
    assert_non_null(strstr(r.got, "n299.fvecs:0=299 "));
    r.got[0] = 0;
    for (int i = 0; i < 300; i += 7) {
        snprintf(name, sizeof(name), "n%03d.fvecs", i);
        assert_int_equal(unlink(in(name)), 0);
    }
    run_expect(&r, "");
    run_add_rows(in("z.fvecs"), 9, 1, 1);
    run_expect(&r, "z.fvecs:0=9 ");
    if (!mode.again) {
        run_add_rows(in("a.fvecs"), 8, 1, 1);
        run_expect(&r, "a.fvecs:0=8 ");
    }
    run_keep(&r);
    il_tail_close(&r.tail);
    for (int i = 0; i < 60; i++) {
        snprintf(name, sizeof(name), "b%03d.fvecs", i);
        run_add_rows(in(name), i, 1, 1);
    }
    run_add_rows(in("zz.fvecs"), 10, 1, 1);
    assert_int_equal(run_open(&r), IL_OK);
    run_expect(&r, "zz.fvecs:0=10 ");
    run_says(&r, "came while nobody followed, and are passed over");
    run_end(&r);
}

static void more_files_than_are_known(void **state)
{
    (void)state;
    each_mode(many);
}

static void at_end(void **state)
{
    (void)state;
    assert_int_equal(mkdir(unit_path("in"), 0777), 0);
    run_add_rows(in("m.fvecs"), 1, 1, 1);
    run_begin(&r, run_modes[3], unit_path("in"));
    run_end(&r);
    r.config.from_end = 1;
    assert_int_equal(run_open(&r), IL_OK);
    run_expect(&r, "");
    run_add_rows(in("n.fvecs"), 2, 1, 1);
    run_expect(&r, "n.fvecs:0=2 ");
    run_end(&r);
}

/* Standard input from a pipe; the far end is returned. */
static int pipe_in(int *kept)
{
    int ends[2];
    *kept = dup(STDIN_FILENO);
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(dup2(ends[0], STDIN_FILENO), STDIN_FILENO);
    close(ends[0]);
    return ends[1];
}

static void put(int fd, const char *text, size_t bytes)
{
    assert_int_equal(write(fd, text, bytes), bytes);
}

static void standard_input(void **state)
{
    (void)state;
    int kept, fd = pipe_in(&kept);
    run_begin(&r, run_modes[0], "-");
    assert_true(il_tail_fd(r.tail) >= 0);
    run_expect(&r, "");
    run_state(&r, IL_TAIL_READY, "");
    const char *lines = "{\"vector\": [1]}\n{\"vector\": [2]}\nrubbish\n{\"vector\": [3";
    put(fd, lines, strlen(lines));
    run_expect(&r, "0=1 1=2 ");
    assert_int_equal(r.info.bad_lines, 1);
    put(fd, "]}\n{\"vector\": [4]}", 18);
    run_expect(&r, "2=3 ");
    run_keep(&r);
    close(fd);
    run_expect(&r, "3=4 ");
    run_state(&r, IL_TAIL_ENDED, "at its end");
    run_expect(&r, "");
    run_end(&r);
    /* Numbers go on, what was read is gone. */
    dup2(kept, STDIN_FILENO);
    close(kept);
    fd = pipe_in(&kept);
    assert_int_equal(run_open(&r), IL_OK);
    put(fd, "{\"vector\": [5]}\n", 16);
    run_expect(&r, "3=5 ");
    close(fd);
    run_end(&r);
    dup2(kept, STDIN_FILENO);
    close(kept);
    /* Rows of bytes, and a row that is cut. */
    fd = pipe_in(&kept);
    run_begin(&r, run_modes[1], "-");
    run_end(&r);
    r.config.kind = IL_KIND_FVECS;
    assert_int_equal(run_open(&r), IL_OK);
    unsigned char rows[64];
    size_t bytes = run_rows(rows, 0, 3, 1);
    put(fd, (const char *)rows, 3);
    run_expect(&r, "");
    put(fd, (const char *)rows + 3, bytes - 8);
    run_expect(&r, "0=0 1=1 ");
    close(fd);
    run_expect(&r, "");
    run_state(&r, IL_TAIL_ENDED, "");
    run_says(&r, "11 bytes that are no whole row");
    run_end(&r);
    dup2(kept, STDIN_FILENO);
    close(kept);
}

static void positions_of_others(void **state)
{
    (void)state;
    run_add_rows(unit_path("x.fvecs"), 0, 1, 1);
    run_begin(&r, run_modes[0], unit_path("x.fvecs"));
    run_drain(&r);
    run_keep(&r);
    run_end(&r);
    snprintf(r.path, sizeof(r.path), "-");
    assert_int_equal(run_open(&r), IL_EFORMAT);
    unit_says(&r.error, "position of a file or directory, wanted one of standard input");
    /* A directory where a file was. */
    snprintf(r.path, sizeof(r.path), "%s", unit_path("in"));
    assert_true(mkdir(r.path, 0777) == 0 || errno == EEXIST);
    assert_int_equal(run_open(&r), IL_OK);
    r.got[0] = 0;
    run_expect(&r, "");
    assert_true(r.info.state != IL_TAIL_READY);
    run_end(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(files_are_dropped),
        cmocka_unit_test(files_that_grow_and_go),
        cmocka_unit_test(a_bad_file_pauses_until_it_is_replaced),
        cmocka_unit_test(more_files_than_are_known),
        cmocka_unit_test(at_end),
        cmocka_unit_test(standard_input),
        cmocka_unit_test(positions_of_others),
    };
    return cmocka_run_group_tests(tests, unit_setup, unit_teardown);
}
