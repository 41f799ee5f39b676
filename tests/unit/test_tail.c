/* SPDX-License-Identifier: Apache-2.0 */
/* One file that is followed, through all that happens to files; each run once in one go,
   and once with the source closed and opened again after every call. */
#include <sys/select.h>

#include "tests/unit/tail_run.h"

static struct run r;

/* Runs a case in every mode. */
static void each_mode(void (*test)(struct run_mode mode))
{
    for (size_t i = 0; i < RUN_MODES; i++) {
        test(run_modes[i]);
        /* A fresh folder: cases rename what they like. */
        assert_int_equal(unit_teardown(NULL), 0);
        assert_int_equal(unit_setup(NULL), 0);
    }
}

static void grow_npy(struct run_mode mode)
{
    unsigned char header[128], rows[64];
    const char *path = unit_path("a.npy");
    run_begin(&r, mode, path);
    run_expect(&r, "");
    run_state(&r, IL_TAIL_MISSING, "not there");
    run_npy_header(header, "<f4", 0, RUN_DIM);
    run_add(path, header, 60); /* not whole yet */
    run_expect(&r, "");
    run_state(&r, IL_TAIL_READY, "");
    run_add(path, header + 60, 68);
    run_expect(&r, "");
    run_add_rows(path, 0, 2, 0);
    run_expect(&r, "0=0 1=1 ");
    assert_int_equal(il_tail_dim(r.tail), RUN_DIM);
    size_t bytes = run_rows(rows, 2, 2, 0); /* a row and a half */
    run_add(path, rows, bytes - 7);
    run_expect(&r, "2=2 ");
    assert_int_equal(r.info.lag_bytes, 5);
    run_npy_header(header, "<f4", 900, RUN_DIM); /* the header says more than there is */
    run_over(path, header, sizeof(header));
    run_expect(&r, "");
    run_add(path, rows + bytes - 7, 7);
    run_npy_header(header, "<f4", 1, RUN_DIM);
    run_over(path, header, sizeof(header));
    run_expect(&r, "3=3 ");
    run_add_rows(path, 4, 20, 0);
    run_expect(&r, "4=4 5=5 6=6 7=7 8=8 9=9 10=10 11=11 12=12 13=13 14=14 15=15 16=16 "
                   "17=17 18=18 19=19 20=20 21=21 22=22 23=23 ");
    run_state(&r, IL_TAIL_READY, "");
    assert_int_equal(r.info.rows, 24);
    assert_int_equal(r.info.rotations, 0);
    run_end(&r);
}

static void npy_grows(void **state)
{
    (void)state;
    each_mode(grow_npy);
}

static void take_types(struct run_mode mode)
{
    static const struct {
        const char *type;
        const char *row; /* 2 coordinates, the first is 2 */
        size_t bytes;
    } types[] = {{"<f2", "\x00\x40\x00\x3c", 4},
                 {">f4", "\x40\x00\x00\x00\x3f\x80\x00\x00", 8},
                 {"|i1", "\x02\x01", 2},
                 {"|u1", "\x02\x01", 2},
                 {"<f8", "\0\0\0\0\0\0\0\x40\0\0\0\0\0\0\xf0\x3f", 16}};
    for (size_t i = 0; i < sizeof(types) / sizeof(*types); i++) {
        unsigned char header[128];
        char name[32];
        snprintf(name, sizeof(name), "t%zu.npy", i);
        const char *path = unit_path(name);
        run_npy_header(header, types[i].type, 0, 2);
        run_add(path, header, sizeof(header));
        run_begin(&r, mode, path);
        for (int k = 0; k < 3; k++)
            run_add(path, types[i].row, types[i].bytes);
        run_expect(&r, "0=2 1=2 2=2 ");
        run_add(path, types[i].row, types[i].bytes);
        run_expect(&r, "3=2 ");
        run_end(&r);
    }
}

static void npy_of_all_types(void **state)
{
    (void)state;
    each_mode(take_types);
}

static void grow_fvecs(struct run_mode mode)
{
    unsigned char rows[64];
    const char *path = unit_path("a.fvecs");
    run_begin(&r, mode, path);
    run_add_rows(path, 0, 3, 1);
    run_expect(&r, "0=0 1=1 2=2 ");
    size_t bytes = run_rows(rows, 3, 1, 1);
    for (size_t i = 0; i < bytes; i++) {
        run_expect(&r, "");
        run_add(path, rows + i, 1);
    }
    run_expect(&r, "3=3 ");
    /* A row of another length stops it, what stands before is given. */
    run_add_rows(path, 4, 1, 1);
    rows[0] = 2;
    run_add(path, rows, 12);
    run_expect(&r, "4=4 ");
    run_state(&r, IL_TAIL_PAUSED, "row length 2, wanted 3");
    run_says(&r, "paused");
    /* Mended in its place. */
    assert_int_equal(truncate(path, 5 * 16), 0);
    run_add_rows(path, 5, 1, 1);
    run_expect(&r, "5=5 ");
    run_state(&r, IL_TAIL_READY, "");
    run_end(&r);
}

static void fvecs_grow(void **state)
{
    (void)state;
    each_mode(grow_fvecs);
}

static void grow_fbin(struct run_mode mode)
{
    const uint32_t header[] = {0, RUN_DIM};
    const char *path = unit_path("a.fbin");
    run_begin(&r, mode, path);
    run_add(path, header, 5);
    run_expect(&r, "");
    run_add(path, (const char *)header + 5, 3);
    run_add_rows(path, 7, 2, 0);
    run_expect(&r, "0=7 1=8 ");
    const uint32_t now[] = {2, RUN_DIM};
    run_over(path, now, sizeof(now));
    run_add_rows(path, 9, 1, 0);
    run_expect(&r, "2=9 ");
    run_end(&r);
    /* Bytes. */
    static const char bytes[] = "\x01\0\0\0\x02\0\0\0\x05\xff\x06\xff\x07";
    path = unit_put("a.i8bin", bytes, 13);
    run_begin(&r, mode, path);
    run_expect(&r, "0=5 1=6 ");
    run_add_text(path, "\x01\x09\x01");
    run_expect(&r, "2=7 3=9 ");
    run_end(&r);
    path = unit_put("a.bvecs", "\x02\0\0\0\x05\x01", 6);
    run_begin(&r, mode, path);
    run_add(path, "\x02\0\0\0\xff\x01", 6);
    run_expect(&r, "0=5 1=255 ");
    run_end(&r);
}

static void bins_grow(void **state)
{
    (void)state;
    each_mode(grow_fbin);
}

static void grow_jsonl(struct run_mode mode)
{
    const char *path = unit_path("a.jsonl");
    const char line[] = "{\"id\": \"x\\u0041\", \"vector\": [3, 4]}\n";
    run_begin(&r, mode, path);
    run_add_text(path, "\xef\xbb\xbf\n{\"id\": \"a\", \"vector\": [1, 2]}\n{\"id\": 2,");
    run_expect(&r, "a=1 ");
    run_add_text(path, " \"embedding\": [2.5, 2]}\r\n");
    run_expect(&r, "2=2.5 ");
    for (size_t i = 0; line[i]; i++) {
        run_expect(&r, "");
        run_add(path, line + i, 1);
    }
    run_expect(&r, "xA=3 ");
    run_says(&r, "");
    run_add_text(path, "rubbish\n\n{\"id\": \"b\", \"vector\": [4, 4]}\n[1]\n"
                       "{\"vector\": [5, 5]}\n{\"id\": \"c\", \"vector\": [6, 4]}\n{\"i");
    run_expect(&r, "b=4 c=6 ");
    run_state(&r, IL_TAIL_READY, "");
    assert_int_equal(r.info.bad_lines, 3);
    run_says(&r, "a.jsonl, line 5, column 1");
    assert_int_equal(r.info.lag_bytes, 3);
    run_end(&r);
}

static void jsonl_grows(void **state)
{
    (void)state;
    each_mode(grow_jsonl);
}

static void pause_jsonl(struct run_mode mode)
{
    const char *path = unit_text("a.jsonl", "{\"vector\": [1, 2]}\n{\"vector\": [2, 2]}\n"
                                            "{\"vector\": [3, 2, 1]}\n");
    run_begin(&r, mode, path);
    run_expect(&r, "0=1 1=2 ");
    run_state(&r, IL_TAIL_PAUSED, "line 3, column 12: a vector of 3 numbers");
    run_add_text(path, "{\"vector\": [4, 2]}\n");
    run_expect(&r, "");
    /* Replaced by a file of the same rows without that line. */
    const char *other = unit_text("b", "{\"vector\": [1, 2]}\n{\"vector\": [2, 2]}\n"
                                       "{\"vector\": [5, 2]}\n");
    assert_int_equal(rename(other, path), 0);
    run_expect(&r, "2=5 ");
    run_state(&r, IL_TAIL_READY, "");
    assert_int_equal(r.info.bad_lines, 0);
    assert_int_equal(r.info.rotations, 0);
    run_says(&r, "the same rows up to byte 38");
    /* Again, and replaced by other rows. */
    run_add_text(path, "{\"vector\": [6]}\n");
    run_expect(&r, "");
    run_state(&r, IL_TAIL_PAUSED, "wanted 2");
    other = unit_text("c", "{\"vector\": [7, 2]}\n");
    assert_int_equal(rename(other, path), 0);
    run_expect(&r, "3=7 ");
    run_state(&r, IL_TAIL_READY, "");
    assert_int_equal(r.info.rotations, 1);
    run_says(&r, mode.again ? "at least 16 bytes" : "16 bytes of the old file");
    run_end(&r);
}

static void another_dimension_pauses(void **state)
{
    (void)state;
    each_mode(pause_jsonl);
}

static void grow_csv(struct run_mode mode)
{
    const char *path = unit_path("a.csv");
    run_begin(&r, mode, path);
    run_add_text(path, "text,id,vec");
    run_expect(&r, "");
    run_add_text(path, "tor\n\"some\n\"\"text\"\", long\",a,\"[1, 2]\"\nx,b,\"[2,");
    run_expect(&r, "a=1 ");
    run_add_text(path, " 2]\"\n\"an open\n");
    run_expect(&r, "b=2 ");
    run_add_text(path, "quote\",c,\"[3,3]\"\n,,\n,d,\"[4,1]\"\n");
    run_expect(&r, "c=3 d=4 ");
    assert_int_equal(r.info.bad_lines, 1);
    run_says(&r, "a.csv, line 7");
    run_end(&r);
    /* Without a header, numbers alone. */
    path = unit_text("b.csv", "k1,1,2\n\nk2,3,4\nk3,5");
    run_begin(&r, mode, path);
    run_expect(&r, "k1=1 k2=3 ");
    run_add_text(path, ",6\nk4,1e3,nan\n");
    run_expect(&r, "k3=5 k4=1000 ");
    run_end(&r);
}

static void csv_grows(void **state)
{
    (void)state;
    each_mode(grow_csv);
}

static void long_lines(struct run_mode mode)
{
    const char *path = unit_text("a.jsonl", "{\"vector\": [1, 2]}\n");
    const size_t bytes = (size_t)5 << 20;
    char *text = malloc(bytes);
    assert_non_null(text);
    memset(text, 'x', bytes);
    run_begin(&r, mode, path);
    run_expect(&r, "0=1 ");
    run_add(path, text, bytes);
    run_expect(&r, "");
    run_add(path, text, bytes / 3);
    run_expect(&r, "");
    run_add_text(path, "x\n{\"vector\": [2, 2]}\n");
    run_expect(&r, "1=2 ");
    assert_int_equal(r.info.bad_lines, 1);
    run_says(&r, "line 2: longer than a row can be");
    free(text);
    run_end(&r);
}

static void a_line_too_long_is_passed_over(void **state)
{
    (void)state;
    each_mode(long_lines);
}

static void rotate(struct run_mode mode)
{
    const char *path = unit_path("a.fvecs"), *old = unit_path("a.fvecs.1");
    run_begin(&r, mode, path);
    run_add_rows(path, 0, 2, 1);
    run_expect(&r, "0=0 1=1 ");
    run_add_rows(path, 2, 2, 1); /* not read before the file is renamed */
    assert_int_equal(rename(path, old), 0);
    run_expect(&r, "2=2 3=3 ");
    run_state(&r, IL_TAIL_MISSING, "not there");
    run_add_rows(old, 4, 1, 1);
    run_expect(&r, "4=4 ");
    run_add_rows(old, 5, 1, 1);
    run_add_rows(path, 100, 2, 1);
    run_expect(&r, "5=5 6=100 7=101 ");
    run_state(&r, IL_TAIL_READY, "");
    assert_int_equal(r.info.rotations, 1);
    /* Its writer has not noticed yet. */
    run_add_rows(old, 6, 2, 1);
    run_add_rows(path, 102, 1, 1);
    run_expect(&r, "8=6 9=7 10=102 ");
    /* And once more. */
    assert_int_equal(rename(path, unit_path("a.fvecs.2")), 0);
    run_add_rows(path, 200, 1, 1);
    run_expect(&r, "11=200 ");
    assert_int_equal(r.info.rotations, 2);
    assert_int_equal(r.info.rows, 12);
    run_end(&r);
}

static void rotation_by_rename(void **state)
{
    (void)state;
    each_mode(rotate);
}

/* The same, but the last line of the old file has no end. */
static void rotate_text(struct run_mode mode)
{
    const char *path = unit_path("a.jsonl"), *old = unit_path("a.jsonl.1");
    run_begin(&r, mode, path);
    run_add_text(path, "{\"vector\": [0]}\n{\"vector\": [1]}");
    run_expect(&r, "0=0 ");
    assert_int_equal(rename(path, old), 0);
    run_add_text(path, "{\"vector\": [10]}\n");
    run_expect(&r, "1=1 2=10 ");
    run_add_text(old, "\n{\"vector\": [2]}\n{\"vec");
    run_expect(&r, "3=2 ");
    assert_int_equal(rename(path, unit_path("a.jsonl.2")), 0);
    run_add_text(path, "{\"vector\": [20]}\n");
    run_expect(&r, "4=20 ");
    /* What was cut is said in one way or another. */
    assert_true(r.info.bad_lines == 1 || strstr(r.said, "5 bytes"));
    assert_int_equal(r.info.rows, 5);
    run_end(&r);
}

static void rotation_of_text(void **state)
{
    (void)state;
    each_mode(rotate_text);
}

static void rotate_down(struct run_mode mode)
{
    const char *path = unit_path("a.fvecs"), *old = unit_path("old");
    run_begin(&r, mode, path);
    run_add_rows(path, 0, 3, 1);
    run_expect(&r, "0=0 1=1 2=2 ");
    run_add_rows(path, 3, 1, 1);
    run_expect(&r, "3=3 ");
    /* While it is down: renamed, and found by its number. */
    run_keep(&r);
    il_tail_close(&r.tail);
    run_add_rows(path, 4, 2, 1);
    assert_int_equal(rename(path, old), 0);
    run_add_rows(path, 50, 1, 1);
    assert_int_equal(run_open(&r), IL_OK);
    run_expect(&r, "4=4 5=5 6=50 ");
    run_says(&r, "was rotated; the rest of the old file is read first");
    /* Renamed out of sight. */
    run_keep(&r);
    il_tail_close(&r.tail);
    run_add_rows(path, 51, 1, 1);
    assert_int_equal(mkdir(unit_path("sub"), 0777), 0);
    assert_int_equal(rename(path, unit_path("sub/x")), 0);
    run_add_rows(path, 60, 1, 1);
    assert_int_equal(run_open(&r), IL_OK);
    run_expect(&r, "7=60 ");
    run_says(&r, "is gone, another has its name");
    assert_int_equal(r.info.rotations, 2);
    /* Copied, by who does not keep numbers: the same rows. */
    run_keep(&r);
    il_tail_close(&r.tail);
    const char *copy = unit_path("copy");
    run_add_rows(copy, 60, 1, 1);
    run_add_rows(copy, 61, 1, 1);
    assert_int_equal(rename(copy, path), 0);
    assert_int_equal(run_open(&r), IL_OK);
    run_expect(&r, "8=61 ");
    run_says(&r, "another file with the same rows");
    run_end(&r);
}

static void rotation_while_nobody_followed(void **state)
{
    (void)state;
    each_mode(rotate_down);
}

static void cut_and_copy(struct run_mode mode)
{
    const char *path = unit_path("a.jsonl");
    run_begin(&r, mode, path);
    run_add_text(path, "{\"vector\": [10]}\n{\"vector\": [11]}\n{\"vector\": [12]}\n");
    run_expect(&r, "0=10 1=11 2=12 ");
    /* copytruncate, noticed while the file is empty */
    assert_int_equal(truncate(path, 0), 0);
    run_expect(&r, "");
    run_state(&r, IL_TAIL_READY, "");
    run_says(&r, "was cut to nothing");
    run_add_text(path, "{\"vector\": [20]}\n");
    run_expect(&r, "3=20 ");
    assert_int_equal(r.info.rotations, 1);
    run_says(&r, "something else than before");
    /* and unnoticed: shorter, as long, longer */
    assert_int_equal(truncate(path, 0), 0);
    run_add_text(path, "{\"vector\": [3]}\n");
    run_expect(&r, "4=3 ");
    assert_int_equal(truncate(path, 0), 0);
    run_add_text(path, "{\"vector\": [4]}\n");
    run_expect(&r, "5=4 ");
    assert_int_equal(truncate(path, 0), 0);
    run_add_text(path, "{\"vector\": [5]}\n{\"vector\": [6]}\n");
    run_expect(&r, "6=5 7=6 ");
    assert_int_equal(r.info.rotations, 4);
    assert_int_equal(r.info.rows, 8);
    run_end(&r);
}

static void copytruncate(void **state)
{
    (void)state;
    each_mode(cut_and_copy);
}

static void cut_short(struct run_mode mode)
{
    const char *path = unit_path("a.fvecs");
    run_begin(&r, mode, path);
    run_add_rows(path, 0, 100, 1);
    run_drain(&r);
    r.got[0] = 0;
    for (int rows = 99; rows > 0; rows -= 14) {
        assert_int_equal(truncate(path, rows * 16 + 3), 0);
        run_expect(&r, "");
        run_state(&r, IL_TAIL_PAUSED, "but was read up to byte 1600 already");
    }
    run_says(&r, "paused");
    /* Mended. */
    assert_int_equal(truncate(path, 16), 0);
    run_add_rows(path, 1, 101, 1);
    run_expect(&r, "100=100 101=101 ");
    run_state(&r, IL_TAIL_READY, "");
    assert_int_equal(r.info.rotations, 0);
    /* The begin is as it was, the rest is not. */
    assert_int_equal(truncate(path, 50 * 16), 0);
    run_add_rows(path, 500, 40, 1);
    run_expect(&r, "");
    run_state(&r, IL_TAIL_PAUSED, "already");
    run_add_rows(path, 540, 20, 1);
    run_drain(&r);
    assert_int_equal(r.info.rotations, 1);
    assert_int_equal(r.info.rows, 102 + 110);
    run_end(&r);
}

static void cut_short_is_not_waited_out(void **state)
{
    (void)state;
    each_mode(cut_short);
}

static void vanish(struct run_mode mode)
{
    const char *path = unit_path("a.fvecs"), *away = unit_path("away");
    run_begin(&r, mode, path);
    run_add_rows(path, 0, 2, 1);
    run_expect(&r, "0=0 1=1 ");
    assert_int_equal(rename(path, away), 0);
    run_expect(&r, "");
    run_state(&r, IL_TAIL_MISSING, "not there");
    run_says(&r, "not there");
    assert_int_equal(rename(away, path), 0);
    run_add_rows(path, 2, 1, 1);
    run_expect(&r, "2=2 ");
    run_state(&r, IL_TAIL_READY, "");
    assert_int_equal(unlink(path), 0);
    run_expect(&r, "");
    run_state(&r, IL_TAIL_MISSING, "not there");
    run_add_rows(path, 30, 2, 1);
    run_expect(&r, "3=30 4=31 ");
    run_state(&r, IL_TAIL_READY, "");
    /* A directory, a pipe in its place. */
    assert_int_equal(unlink(path), 0);
    assert_int_equal(mkdir(path, 0777), 0);
    run_expect(&r, "");
    assert_true(r.info.state != IL_TAIL_READY);
    assert_int_equal(rmdir(path), 0);
    assert_int_equal(mkfifo(path, 0666), 0);
    run_expect(&r, "");
    assert_true(r.info.state != IL_TAIL_READY);
    assert_int_equal(unlink(path), 0);
    run_add_rows(path, 40, 1, 1);
    run_expect(&r, "5=40 ");
    run_state(&r, IL_TAIL_READY, "");
    run_end(&r);
}

static void gone_and_back(void **state)
{
    (void)state;
    each_mode(vanish);
}

static void reuse(struct run_mode mode)
{
    /* The same number for other contents: what a reused one looks like. */
    const char *path = unit_path("a.fvecs");
    run_begin(&r, mode, path);
    run_add_rows(path, 0, 20, 1);
    run_drain(&r);
    r.got[0] = 0;
    run_keep(&r);
    il_tail_close(&r.tail);
    assert_int_equal(truncate(path, 0), 0);
    run_add_rows(path, 300, 20, 1);
    assert_int_equal(run_open(&r), IL_OK);
    run_drain(&r);
    assert_non_null(strstr(r.got, "20=300 21=301 "));
    assert_non_null(strstr(r.got, "39=319 "));
    assert_int_equal(r.info.rows, 40);
    run_says(&r, "its number reused");
    run_end(&r);
}

static void number_of_a_file_reused(void **state)
{
    (void)state;
    each_mode(reuse);
}

static void at_end(struct run_mode mode)
{
    const char *path = unit_path("a.fvecs");
    run_add_rows(path, 0, 5, 1);
    run_begin(&r, mode, path);
    run_end(&r);
    r.config.from_end = 1;
    assert_int_equal(run_open(&r), IL_OK);
    run_add_rows(path, 5, 1, 1);
    run_expect(&r, "5=5 ");
    assert_int_equal(r.info.rows, 1);
    run_add_rows(path, 6, 1, 1);
    run_expect(&r, "6=6 ");
    run_end(&r);
    path = unit_text("a.jsonl", "{\"vector\": [1]}\n{\"vector\": [2]}\n{\"vec");
    run_begin(&r, mode, path);
    run_end(&r);
    r.config.from_end = 1;
    assert_int_equal(run_open(&r), IL_OK);
    run_add_text(path, "tor\": [3]}\n");
    run_expect(&r, "2=3 ");
    run_end(&r);
    /* What was not there is not passed over. */
    path = unit_path("b.fvecs");
    run_begin(&r, mode, path);
    run_end(&r);
    r.config.from_end = 1;
    assert_int_equal(run_open(&r), IL_OK);
    run_add_rows(path, 9, 1, 1);
    run_expect(&r, "0=9 ");
    run_end(&r);
}

static void from_the_end(void **state)
{
    (void)state;
    each_mode(at_end);
}

static void what_cannot_be_followed(void **state)
{
    (void)state;
    static const char *const names[] = {"a.npz",     "a.h5",        "a.hdf5",
                                        "a.parquet", "a.faiss",     "a.sqlite",
                                        "a.npy.zst", "a.jsonl.zst", "a.safetensors"};
    struct il_tail *tail = NULL;
    struct il_error error;
    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
        assert_int_equal(il_tail_open(&tail, unit_path(names[i]), NULL, 0, NULL, &error),
                         IL_EARG);
        assert_null(tail);
        unit_says(&error, "cannot be followed");
    }
    struct il_tail_config c;
    il_tail_config_init(&c);
    c.dim = 70000;
    assert_int_equal(il_tail_open(&tail, "x.npy", NULL, 0, &c, &error), IL_EARG);
    /* Found out by its bytes. */
    const char *path = unit_text("unnamed", "IxFI and what follows");
    run_begin(&r, run_modes[0], path);
    run_expect(&r, "");
    run_state(&r, IL_TAIL_PAUSED, "FAISS");
    run_end(&r);
    path = unit_text("unknown", "nothing that we know");
    run_begin(&r, run_modes[0], path);
    run_expect(&r, "");
    run_state(&r, IL_TAIL_PAUSED, "unknown kind");
    run_end(&r);
    path = unit_text("json", "{\"vector\": [1]}\n");
    run_begin(&r, run_modes[0], path);
    run_expect(&r, "0=1 ");
    run_end(&r);
}

static void wanted_dimension(void **state)
{
    (void)state;
    const char *path = unit_path("dim.fvecs");
    run_add_rows(path, 0, 1, 1);
    run_begin(&r, run_modes[0], path);
    run_end(&r);
    r.config.dim = 5;
    assert_int_equal(run_open(&r), IL_OK);
    run_expect(&r, "");
    run_state(&r, IL_TAIL_PAUSED, "rows of 3 coordinates, wanted 5");
    run_keep(&r);
    run_end(&r);
    r.config.dim = 4;
    assert_int_equal(run_open(&r), IL_EARG);
}

static void positions(void **state)
{
    (void)state;
    const char *path = unit_path("position.fvecs");
    run_add_rows(path, 0, 3, 1);
    run_begin(&r, run_modes[0], path);
    run_drain(&r);
    run_keep(&r);
    run_end(&r);
    /* The same rows, the same position. */
    unsigned char kept[IL_TAIL_POSITION_MAX];
    memcpy(kept, r.position, sizeof(kept));
    assert_int_equal(run_open(&r), IL_OK);
    run_keep(&r);
    assert_memory_equal(kept, r.position, r.position_bytes);
    run_end(&r);
    const size_t bytes = r.position_bytes;
    for (size_t i = 0; i < bytes; i++) {
        r.position[i] ^= 1u << (i % 8);
        assert_int_equal(run_open(&r), IL_EFORMAT);
        assert_null(r.tail);
        assert_true(strstr(r.error.text, "position") != NULL);
        r.position[i] = kept[i];
        r.position_bytes = i + 1 < bytes ? i + 1 : bytes + 1;
        assert_int_equal(run_open(&r), IL_EFORMAT);
        r.position_bytes = bytes;
    }
    assert_int_equal(run_open(&r), IL_OK);
    run_end(&r);
}

static uint64_t draw_state;

/* 0 .. bound - 1; the quality of the numbers does not matter. */
static unsigned draw(unsigned bound)
{
    draw_state = draw_state * 6364136223846793005U + 1442695040888963407U;
    return (unsigned)(draw_state >> 33) % bound;
}

/* Rows first .. last - 1 must have come, each once, in any order of files. */
static void check_all(int last, unsigned seed)
{
    static unsigned char seen[4096];
    memset(seen, 0, sizeof(seen));
    int count = 0;
    for (char *at = r.got; *at; count++) {
        int number = 0;
        float value = 0;
        assert_int_equal(sscanf(at, "%d=%f", &number, &value), 2);
        if (number != count || seen[(int)value]++)
            fail_msg("seed %u: row %d comes as number %d, %d times", seed, (int)value,
                     number, seen[(int)value]);
        at = strchr(at, ' ') + 1;
    }
    if (count != last)
        fail_msg("seed %u: %d rows, wanted %d; log:\n%s", seed, count, last, r.said);
}

/* What may happen to a file in any order, its rows numbered on and on. */
static void change(const char *path, const char *old, const char *copy, int *row)
{
    unsigned char bytes[64];
    size_t whole = 0;
    switch (draw(6)) {
    case 0: /* a row in two pieces, and a look in between */
        whole = run_rows(bytes, *row, 1, 1);
        run_add(path, bytes, whole / 2);
        run_drain(&r);
        run_add(path, bytes + whole / 2, whole - whole / 2);
        ++*row;
        break;
    case 1:            /* rotated, its writer late */
        run_drain(&r); /* the one that was rotated before is overwritten */
        assert_int_equal(rename(path, old), 0);
        run_add_rows(path, (*row)++, 1, 1);
        run_drain(&r);
        run_add_rows(old, (*row)++, 1, 1);
        break;
    case 2: /* cut when all was read */
        run_drain(&r);
        assert_int_equal(truncate(path, 0), 0);
        break;
    case 3: /* copied, longer, over itself */
        run_drain(&r);
        {
            size_t size = 0;
            char *text = unit_get(path, &size);
            unit_put("copy", text, size);
            free(text);
        }
        run_add_rows(copy, (*row)++, 1, 1);
        assert_int_equal(rename(copy, path), 0);
        break;
    case 4: /* gone and back */
        assert_int_equal(rename(path, copy), 0);
        run_drain(&r);
        run_add_rows(copy, (*row)++, 1, 1);
        assert_int_equal(rename(copy, path), 0);
        break;
    default:
        break;
    }
    run_add_rows(path, *row, 2, 1);
    *row += 2;
}

static void in_any_order(void **state)
{
    (void)state;
    for (unsigned seed = 1; seed <= 60; seed++) {
        char path[512], old[512], copy[512]; /* for more than eight calls */
        int row = 0;
        snprintf(path, sizeof(path), "%s", unit_path("any.fvecs"));
        snprintf(old, sizeof(old), "%s", unit_path("any.1"));
        snprintf(copy, sizeof(copy), "%s", unit_path("copy"));
        draw_state = seed;
        run_begin(&r, run_modes[seed % RUN_MODES], path);
        run_add_rows(path, row++, 1, 1);
        run_drain(&r);
        for (int i = 0; i < 12; i++) {
            change(path, old, copy, &row);
            if (draw(3))
                run_drain(&r);
            if (draw(3) == 0)
                run_reopen(&r);
        }
        run_drain(&r);
        check_all(row, seed);
        run_end(&r);
        unlink(path);
        unlink(old);
        unlink(copy);
    }
}

static void told_when_it_changes(void **state)
{
    (void)state;
    const char *path = unit_path("told.fvecs");
    run_begin(&r, run_modes[0], path);
    run_expect(&r, "");
    int fd = il_tail_fd(r.tail);
    if (fd < 0)
        skip();
    struct timeval none = {0, 0};
    fd_set set;
    for (int i = 0; i < 3; i++) {
        FD_ZERO(&set);
        FD_SET(fd, &set);
        none = (struct timeval){0, 0};
        assert_int_equal(select(fd + 1, &set, NULL, NULL, &none), 0);
        run_add_rows(path, i, 1, 1);
        FD_ZERO(&set);
        FD_SET(fd, &set);
        none = (struct timeval){0, 0};
        assert_int_equal(select(fd + 1, &set, NULL, NULL, &none), 1);
        r.got[0] = 0;
        run_drain(&r);
        assert_true(r.got[0]);
    }
    run_end(&r);
    /* Where the system tells nothing, calls find everything. */
    run_begin(&r, run_modes[2], path);
    assert_int_equal(il_tail_fd(r.tail), -1);
    run_expect(&r, "0=0 1=1 2=2 ");
    assert_int_equal(il_tail_fd(r.tail), -1);
    run_add_rows(path, 3, 1, 1);
    run_expect(&r, "3=3 ");
    unit_no_faults();
    run_end(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(npy_grows),
        cmocka_unit_test(npy_of_all_types),
        cmocka_unit_test(fvecs_grow),
        cmocka_unit_test(bins_grow),
        cmocka_unit_test(jsonl_grows),
        cmocka_unit_test(another_dimension_pauses),
        cmocka_unit_test(csv_grows),
        cmocka_unit_test(a_line_too_long_is_passed_over),
        cmocka_unit_test(rotation_by_rename),
        cmocka_unit_test(rotation_of_text),
        cmocka_unit_test(rotation_while_nobody_followed),
        cmocka_unit_test(copytruncate),
        cmocka_unit_test(cut_short_is_not_waited_out),
        cmocka_unit_test(gone_and_back),
        cmocka_unit_test(number_of_a_file_reused),
        cmocka_unit_test(from_the_end),
        cmocka_unit_test(what_cannot_be_followed),
        cmocka_unit_test(wanted_dimension),
        cmocka_unit_test(positions),
        cmocka_unit_test(in_any_order),
        cmocka_unit_test(told_when_it_changes),
    };
    return cmocka_run_group_tests(tests, unit_setup, unit_teardown);
}
