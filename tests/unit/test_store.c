/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <math.h>
#include <pthread.h>

#include "tests/unit/test_store.h"
#include "formats/segment.h"

static void rows_survive_close_and_seal(void **state)
{
    (void)state;
    const char *path = unit_path("basic");
    struct il_store_config c = store_config(1);
    struct il_error error = {{0}};
    struct il_store_info info;
    c.model = "model-1";
    struct il_store *s = store_open(path, &c);
    assert_int_equal(store_count(s), 0);
    for (int i = 0; i < 100; i++)
        store_put(s, i, 0);
    assert_int_equal(store_count(s), 100);
    STORE_OK(il_store_commit(s, &error));
    il_store_close(&s);
    assert_null(s);
    s = store_open(path, &c);
    assert_int_equal(store_count(s), 100);
    il_store_describe(s, &info);
    assert_int_equal(info.log_rows, 100);
    assert_int_equal(info.segments, 0);
    assert_string_equal(info.model, "model-1");
    STORE_OK(il_store_seal(s, &error));
    il_store_describe(s, &info);
    assert_int_equal(info.log_rows, 0);
    assert_int_equal(info.segments, 1);
    assert_int_equal(store_count(s), 100);
    for (int i = 0; i < 100; i++)
        assert_int_equal(store_turn(s, i), 0);
    assert_int_equal(store_turn(s, 100), -1);
    il_store_close(&s);
    s = store_reader(path);
    assert_int_equal(store_count(s), 100);
    il_store_close(&s);
}

static void upserts_and_removes(void **state)
{
    (void)state;
    const char *path = unit_path("upsert");
    struct il_store_config c = store_config(1);
    struct il_error error = {{0}};
    struct il_store *s = store_open(path, &c);
    int found = 0;
    for (int i = 0; i < 50; i++)
        store_put(s, i, 0);
    STORE_OK(il_store_seal(s, &error));
    for (int i = 0; i < 50; i += 2)
        store_put(s, i, 1);
    for (int i = 0; i < 50; i += 5) {
        STORE_OK(il_store_remove(s, store_id(i), strlen(store_id(i)), &found, &error));
        assert_int_equal(found, 1);
        STORE_OK(il_store_remove(s, store_id(i), strlen(store_id(i)), &found, &error));
        assert_int_equal(found, 0);
    }
    store_put(s, 5, 2);
    for (int again = 0; again < 4; again++) {
        assert_int_equal(store_count(s), 41);
        for (int i = 0; i < 50; i++)
            assert_int_equal(store_turn(s, i), i == 5       ? 2
                                               : i % 5 == 0 ? -1
                                               : i % 2 == 0 ? 1
                                                            : 0);
        if (again == 0)
            STORE_OK(il_store_commit(s, &error));
        if (again == 1)
            STORE_OK(il_store_seal(s, &error));
        if (again == 2)
            STORE_OK(il_store_compact(s, &error));
        il_store_close(&s);
        s = store_open(path, &c);
    }
    struct il_store_info info;
    il_store_describe(s, &info);
    assert_int_equal(info.segments, 1);
    assert_int_equal(info.deleted, 0);
    il_store_close(&s);
}

static void what_is_not_committed_is_gone(void **state)
{
    (void)state;
    const char *path = unit_path("gone");
    struct il_store_config c = store_config(1);
    struct il_error error = {{0}};
    struct il_store *s = store_open(path, &c);
    store_put(s, 1, 0);
    STORE_OK(il_store_commit(s, &error));
    store_put(s, 1, 1);
    store_put(s, 2, 0);
    assert_int_equal(store_count(s), 2);
    il_store_close(&s);
    s = store_open(path, &c);
    assert_int_equal(store_turn(s, 1), 0);
    assert_int_equal(store_turn(s, 2), -1);
    il_store_close(&s);
}

static void bulk_is_all_or_none(void **state)
{
    (void)state;
    const char *path = unit_path("bulk");
    struct il_store_config c = store_config(1);
    struct il_error error = {{0}};
    c.segment_rows = 64;
    struct il_store *s = store_open(path, &c), *reader = NULL;
    for (int i = 0; i < 10; i++)
        store_put(s, i, 0);
    STORE_OK(il_store_bulk_begin(s, &error));
    assert_int_equal(il_store_put(s, "x", 1, store_row(0, 0), &error), IL_EARG);
    for (int i = 5; i < 300; i++)
        STORE_OK(il_store_bulk_put(s, store_id(i), strlen(store_id(i)), store_row(i, 1),
                                   &error));
    assert_int_equal(
        il_store_bulk_put(s, store_id(5), strlen(store_id(5)), store_row(5, 2), &error),
        IL_EARG);
    unit_says(&error, "id 'id-5' comes twice in this import");
    assert_int_equal(il_store_bulk_put(s, store_id(299), strlen(store_id(299)),
                                       store_row(5, 2), &error),
                     IL_EARG);
    reader = store_reader(path);
    assert_int_equal(store_count(reader), 10);
    STORE_OK(il_store_bulk_end(s, &error));
    assert_int_equal(store_count(reader), 10);
    assert_int_equal(store_count(s), 300);
    il_store_close(&reader);
    STORE_OK(il_store_bulk_begin(s, &error));
    STORE_OK(il_store_bulk_put(s, "y", 1, store_row(5, 2), &error));
    il_store_bulk_abort(s);
    assert_int_equal(store_count(s), 300);
    il_store_close(&s);
    c.replace = 1;
    s = store_open(path, &c);
    assert_int_equal(store_count(s), 300);
    assert_int_equal(store_turn(s, 4), 0);
    assert_int_equal(store_turn(s, 5), 1);
    STORE_OK(il_store_bulk_begin(s, &error));
    for (int turn = 2; turn < 5; turn++)
        for (int i = 0; i < 70; i += 10 - turn)
            STORE_OK(il_store_bulk_put(s, store_id(i), strlen(store_id(i)),
                                       store_row(i, turn), &error));
    STORE_OK(il_store_bulk_end(s, &error));
    assert_int_equal(store_count(s), 300);
    assert_int_equal(store_turn(s, 0), 4);
    assert_int_equal(store_turn(s, 8), 2);
    assert_int_equal(store_turn(s, 7), 3);
    STORE_OK(il_store_compact(s, &error));
    assert_int_equal(store_count(s), 300);
    assert_int_equal(store_turn(s, 0), 4);
    struct il_store_info info;
    il_store_describe(s, &info);
    assert_int_equal(info.segments, 5);
    il_store_close(&s);
}

static void a_second_writer_is_told_who_writes(void **state)
{
    (void)state;
    const char *path = unit_path("locked");
    struct il_store_config c = store_config(1);
    struct il_error error = {{0}};
    struct il_store *s = store_open(path, &c), *other = NULL, *reader = NULL;
    char text[64];
    assert_int_equal(il_store_open(&other, path, &c, &error), IL_ELOCKED);
    assert_null(other);
    snprintf(text, sizeof(text), "locked: locked by process %ld", (long)getpid());
    unit_says(&error, text);
    reader = store_reader(path);
    assert_int_equal(il_store_put(reader, "x", 1, store_row(1, 1), &error), IL_EARG);
    unit_says(&error, "opened for reading");
    assert_int_equal(il_store_commit(reader, &error), IL_EARG);
    il_store_close(&reader);
    il_store_close(&s);
    s = store_open(path, &c);
    il_store_close(&s);
}

static void what_is_no_store_is_left_alone(void **state)
{
    (void)state;
    const char *path = unit_path("other");
    struct il_store_config c = store_config(1);
    struct il_error error = {{0}};
    struct il_store *s = NULL;
    assert_int_equal(mkdir(path, 0700), 0);
    unit_text("other/letter.txt", "dear");
    assert_int_equal(il_store_open(&s, path, &c, &error), IL_EARG);
    unit_says(&error, "'letter.txt' in it: wanted an empty directory");
    unit_expect(unit_path("other/letter.txt"), "dear");
    c.create = 0;
    assert_int_equal(il_store_open(&s, path, &c, &error), IL_EFORMAT);
    unit_says(&error, "no store: no MANIFEST in it");
    assert_int_equal(il_store_exists(path), 0);
    assert_int_equal(il_store_verify(path, NULL, NULL, &error), IL_EFORMAT);
    assert_int_equal(il_store_open(&s, unit_path("none"), &c, &error), IL_EIO);
    assert_null(s);
}

static void the_config_is_checked(void **state)
{
    (void)state;
    const char *path = unit_path("config");
    struct il_error error = {{0}};
    struct il_store *s = NULL;
    struct il_store_config c = store_config(1);
    c.dim = 0;
    assert_int_equal(il_store_open(&s, path, &c, &error), IL_EARG);
    unit_says(&error, "needs the length of its rows");
    c.dim = STORE_DIM;
    c.stored_dim = STORE_DIM + 1;
    assert_int_equal(il_store_open(&s, path, &c, &error), IL_EARG);
    c.stored_dim = 0;
    c.model = "one";
    s = store_open(path, &c);
    il_store_close(&s);
    c.model = "two";
    assert_int_equal(il_store_open(&s, path, &c, &error), IL_EARG);
    unit_says(&error, "of the model 'one', wanted 'two'");
    c.model = NULL;
    c.dim = 9;
    assert_int_equal(il_store_open(&s, path, &c, &error), IL_EARG);
    unit_says(&error, "rows of 8 coordinates, wanted 9");
    c.dim = 0;
    c.level = 20;
    assert_int_equal(il_store_open(&s, path, &c, &error), IL_EARG);
    c.level = 0;
    c.struct_bytes--;
    assert_int_equal(il_store_open(&s, path, &c, &error), IL_EARG);
    c.struct_bytes++;
    s = store_open(path, &c);
    il_store_close(&s);
}

static void bad_rows_and_ids_change_nothing(void **state)
{
    (void)state;
    const char *path = unit_path("bad");
    struct il_store_config c = store_config(1);
    struct il_error error = {{0}};
    char id[IL_ID_BYTES_MAX + 1];
    float row[STORE_DIM] = {1, 2, NAN, 4};
    c.codec = IL_CODEC_F16;
    struct il_store *s = store_open(path, &c);
    memset(id, 0, sizeof(id));
    assert_int_equal(il_store_put(s, id, sizeof(id), store_row(0, 0), &error), IL_EARG);
    assert_int_equal(il_store_put(s, id, 0, store_row(0, 0), &error), IL_EARG);
    assert_int_equal(il_store_remove(s, id, 0, NULL, &error), IL_EARG);
    assert_int_equal(il_store_put(s, "x", 1, row, &error), IL_EARG);
    unit_says(&error, "coordinate 2 is nan");
    row[2] = 70000;
    assert_int_equal(il_store_put(s, "x", 1, row, &error), IL_EARG);
    unit_says(&error, "70000");
    assert_int_equal(il_store_holds(s, row), 0);
    row[2] = 65504;
    assert_int_equal(il_store_holds(s, row), 1);
    assert_int_equal(store_count(s), 0);
    /* The longest id, of zeros alone, and one that is its beginning. */
    STORE_OK(il_store_put(s, id, IL_ID_BYTES_MAX, store_row(1, 0), &error));
    STORE_OK(il_store_put(s, id, 1, store_row(2, 0), &error));
    STORE_OK(il_store_put(s, "\xff\n\"", 3, store_row(3, 0), &error));
    for (int i = 0; i < 2; i++) {
        STORE_OK(il_store_get(s, id, 1, row, NULL, &error));
        assert_memory_equal(row, store_row(2, 0), sizeof(row));
        STORE_OK(il_store_get(s, id, IL_ID_BYTES_MAX, row, NULL, &error));
        assert_memory_equal(row, store_row(1, 0), sizeof(row));
        STORE_OK(il_store_get(s, "\xff\n\"", 3, row, NULL, &error));
        assert_int_equal(store_count(s), 3);
        STORE_OK(il_store_seal(s, &error));
    }
    il_store_close(&s);
}

/* Blocks and chunks, a basis where there is one, a bit for each row of before. */
static void a_bulk_import_says_what_it_touches(void **state)
{
    (void)state;
    struct il_error error = {{0}};
    struct il_store_config c = store_config(1);
    static float basis[600 * 600];
    struct il_store *s = store_open(unit_path("touch"), &c);
    const uint64_t plain = il_store_bulk_bytes(s), mib = (uint64_t)1 << 20;
    assert_in_range(plain, 3 * mib, 4 * mib);
    store_put(s, 1, 0);
    STORE_OK(il_store_seal(s, &error));
    assert_true(il_store_bulk_bytes(s) > plain);
    il_store_close(&s);
    c.dim = c.stored_dim = 600;
    c.mean = basis + 1;
    c.basis = basis;
    for (size_t q = 0; q < 600; q++)
        basis[q * 600 + q] = 1;
    s = store_open(unit_path("touch-axes"), &c);
    assert_true(il_store_bulk_bytes(s) > plain + sizeof(basis));
    il_store_close(&s);
}

/* Values of all rows, in the order of the cursor; to be freed. */
static float *all_rows(struct il_store *s, int stored, size_t length, size_t rows)
{
    struct il_error error = {{0}};
    struct il_store_cursor *c = NULL;
    float *out = calloc(rows, length * sizeof(float));
    size_t all = 0, n = 0;
    STORE_OK(il_store_cursor_open(&c, s, &error));
    do {
        STORE_OK(il_store_cursor_next(c, stored, rows - all < 13 ? rows - all + 1 : 13,
                                      out + all * length, NULL, NULL, &n, &error));
        all += n;
    } while (n > 0 && all < rows);
    assert_int_equal(all, rows);
    il_store_cursor_close(&c);
    return out;
}

/* Adds a row, removes it, and makes one segment of all. */
static void compact_to_one(struct il_store **s, const char *path,
                           struct il_store_config *c)
{
    struct il_error error = {{0}};
    struct il_store_info info;
    STORE_OK(il_store_put(*s, "extra", 5, store_row(9, 9), &error));
    STORE_OK(il_store_seal(*s, &error));
    il_store_close(s);
    c->segment_rows = 1000;
    *s = store_open(path, c);
    STORE_OK(il_store_remove(*s, "extra", 5, NULL, &error));
    STORE_OK(il_store_compact(*s, &error));
    il_store_describe(*s, &info);
    assert_int_equal(info.segments, 1);
}

/* What is read stays bit for bit the same: from the log, sealed, compacted; with and
   without a basis. */
static void values_stay_through_seal_and_compact(void **state)
{
    (void)state;
    enum { ROWS = 150, STORED = 5 };
    float mean[STORE_DIM], basis[STORED * STORE_DIM] = {0};
    for (int q = 0; q < STORE_DIM; q++)
        mean[q] = (float)q / 8;
    /* Not the axes: pairs of them at 45 degrees. */
    for (int q = 0; q < STORED; q++) {
        basis[q * STORE_DIM + q] = q < 4 ? 0.70710677f : 1;
        if (q < 4)
            basis[q * STORE_DIM + (q ^ 1)] = q & 1 ? -0.70710677f : 0.70710677f;
    }
    for (int codec = IL_CODEC_F32; codec <= IL_CODEC_B1; codec++)
        for (size_t stored = 0; stored <= STORED; stored += STORED) {
            char name[32];
            struct il_store_config c = store_config(1);
            struct il_error error = {{0}};
            snprintf(name, sizeof(name), "codec-%d-%zu", codec, stored);
            const char *path = unit_path(name);
            c.codec = (enum il_codec)codec;
            c.stored_dim = stored;
            c.mean = mean;
            c.basis = basis;
            c.segment_rows = 40;
            struct il_store *s = store_open(path, &c);
            for (int i = 0; i < ROWS; i++)
                store_put(s, i, 1);
            size_t length = stored ? stored : STORE_DIM;
            float *first[2] = {all_rows(s, 0, STORE_DIM, ROWS),
                               all_rows(s, 1, length, ROWS)};
            if (codec == IL_CODEC_F32 && !stored)
                assert_memory_equal(first[0] + 3 * STORE_DIM, store_row(3, 1),
                                    STORE_DIM * sizeof(float));
            if (codec == IL_CODEC_F32 && stored) {
                /* Coordinate 4 is kept, 5 is that of the mean. */
                assert_true(fabsf(first[0][4] - store_row(0, 1)[4]) < 1e-5f);
                assert_true(first[0][5] == mean[5]);
            }
            for (int turn = 0; turn < 3; turn++) {
                if (turn == 0)
                    STORE_OK(il_store_commit(s, &error));
                if (turn == 1)
                    STORE_OK(il_store_seal(s, &error));
                if (turn == 2)
                    compact_to_one(&s, path, &c);
                assert_int_equal(store_count(s), ROWS);
                float *now[2] = {all_rows(s, 0, STORE_DIM, ROWS),
                                 all_rows(s, 1, length, ROWS)};
                assert_memory_equal(now[0], first[0], ROWS * STORE_DIM * sizeof(float));
                assert_memory_equal(now[1], first[1], ROWS * length * sizeof(float));
                free(now[0]);
                free(now[1]);
            }
            free(first[0]);
            free(first[1]);
            il_store_close(&s);
            assert_int_equal(il_store_verify(path, NULL, NULL, &error), IL_OK);
        }
}

/* A reader and a cursor that were open before keep their rows, files gone or not. */
static void readers_keep_what_they_opened(void **state)
{
    (void)state;
    const char *path = unit_path("snapshot");
    struct il_store_config c = store_config(1);
    struct il_error error = {{0}};
    struct il_store *s = store_open(path, &c);
    for (int i = 0; i < 100; i++)
        store_put(s, i, 0);
    STORE_OK(il_store_seal(s, &error));
    for (int i = 90; i < 110; i++)
        store_put(s, i, 1);
    STORE_OK(il_store_commit(s, &error));
    struct il_store *reader = store_reader(path);
    struct il_store_cursor *cursor = NULL;
    STORE_OK(il_store_cursor_open(&cursor, s, &error));
    for (int i = 0; i < 110; i += 2)
        STORE_OK(il_store_remove(s, store_id(i), strlen(store_id(i)), NULL, &error));
    for (int i = 1; i < 110; i += 2)
        store_put(s, i, 2);
    STORE_OK(il_store_compact(s, &error));
    assert_int_equal(store_count(s), 55);
    assert_int_equal(store_count(reader), 110);
    for (int i = 0; i < 110; i++) {
        assert_int_equal(store_turn(reader, i), i < 90 ? 0 : 1);
        assert_int_equal(store_turn(s, i), i % 2 ? 2 : -1);
    }
    float rows[200 * STORE_DIM];
    size_t all = 0, n = 0;
    do {
        STORE_OK(il_store_cursor_next(cursor, 0, 50, rows, NULL, NULL, &n, &error));
        all += n;
    } while (n > 0);
    assert_int_equal(all, 110);
    il_store_cursor_close(&cursor);
    il_store_close(&reader);
    il_store_close(&s);
}

struct lines {
    int count;
    char last[300];
};

static void take_line(void *context, const char *text)
{
    struct lines *l = context;
    l->count++;
    snprintf(l->last, sizeof(l->last), "%s", text);
}

/* Path of the only log of a store. */
static const char *log_of(const char *path)
{
    static char out[700];
    DIR *dir = opendir(path);
    assert_non_null(dir);
    out[0] = 0;
    for (struct dirent *e = readdir(dir); e; e = readdir(dir))
        if (strstr(e->d_name, ".log"))
            snprintf(out, sizeof(out), "%s/%s", path, e->d_name);
    closedir(dir);
    assert_true(out[0]);
    return out;
}

static void a_torn_tail_is_cut_with_a_word(void **state)
{
    (void)state;
    const char *path = unit_path("torn");
    struct il_store_config c = store_config(1);
    struct il_error error = {{0}};
    struct lines lines = {0};
    struct il_store *s = store_open(path, &c);
    store_put(s, 1, 0);
    STORE_OK(il_store_commit(s, &error));
    il_store_close(&s);
    const char *log = log_of(path);
    int fd = open(log, O_RDWR | O_APPEND);
    assert_int_equal(write(fd, "torn in the middle", 18), 18);
    close(fd);
    /* A reader does not mind, and does not write. */
    s = store_reader(path);
    assert_int_equal(store_count(s), 1);
    il_store_close(&s);
    c.log = take_line;
    c.log_context = &lines;
    s = store_open(path, &c);
    assert_int_equal(lines.count, 1);
    assert_non_null(strstr(lines.last, "cut 18 bytes that a writer left"));
    assert_int_equal(store_turn(s, 1), 0);
    store_put(s, 2, 0);
    STORE_OK(il_store_commit(s, &error));
    il_store_close(&s);
    s = store_open(path, &c);
    assert_int_equal(lines.count, 1);
    assert_int_equal(store_count(s), 2);
    il_store_close(&s);
}

/* The first of two commits is damaged, before the writer could close: not a torn tail, as
   what came later says that it was synced. */
static void damage_in_the_middle_is_no_torn_tail(void **state)
{
    (void)state;
    const char *path = unit_path("middle");
    struct il_store_config c = store_config(1);
    struct il_error error = {{0}};
    struct il_store *s = store_open(path, &c), *reader = NULL;
    for (int i = 0; i < 3; i++) {
        store_put(s, i, 0);
        STORE_OK(il_store_commit(s, &error));
    }
    int fd = open(log_of(path), O_RDWR);
    unsigned char byte = 0;
    assert_int_equal(pread(fd, &byte, 1, 64 + 40), 1);
    byte ^= 4;
    assert_int_equal(pwrite(fd, &byte, 1, 64 + 40), 1);
    assert_int_equal(il_store_open(&reader, path, NULL, &error), IL_ECORRUPT);
    unit_says(&error, "byte 64: no sound record, but one at byte ");
    assert_int_equal(il_store_verify(path, NULL, NULL, &error), IL_ECORRUPT);
    byte ^= 4;
    assert_int_equal(pwrite(fd, &byte, 1, 64 + 40), 1);
    close(fd);
    il_store_close(&s);
}

static void a_failed_sync_poisons(void **state)
{
    (void)state;
    const char *path = unit_path("poison");
    struct il_store_config c = store_config(1);
    struct il_error error = {{0}};
    struct il_store *s = store_open(path, &c);
    float row[STORE_DIM];
    store_put(s, 1, 0);
    STORE_OK(il_store_commit(s, &error));
    store_put(s, 2, 0);
    unit_fail_io(1, IL_IO_SYNC, EIO, 0);
    assert_int_equal(il_store_commit(s, &error), IL_EIO);
    unit_no_faults();
    unit_says(&error, "cannot sync");
    for (int i = 0; i < 2; i++) {
        assert_int_equal(il_store_commit(s, &error), IL_EIO);
        assert_int_equal(il_store_put(s, "x", 1, store_row(1, 1), &error), IL_EIO);
        assert_int_equal(il_store_seal(s, &error), IL_EIO);
        assert_int_equal(il_store_compact(s, &error), IL_EIO);
        assert_int_equal(il_store_bulk_begin(s, &error), IL_EIO);
        assert_int_equal(il_store_get(s, "id-1", 4, row, NULL, &error), IL_EIO);
        unit_says(&error, "cannot sync");
    }
    il_store_close(&s);
    s = store_open(path, &c);
    assert_int_equal(store_turn(s, 1), 0);
    il_store_close(&s);
}

/* The log is moved into a segment when it is full. */
static void a_full_log_is_sealed(void **state)
{
    (void)state;
    const char *path = unit_path("full");
    struct il_store_config c = store_config(1);
    struct il_error error = {{0}};
    struct il_store_info info;
    c.log_bytes_max = 2000;
    struct il_store *s = store_open(path, &c);
    for (int i = 0; i < 200; i++) {
        store_put(s, i, 0);
        if (i % 10 == 9)
            STORE_OK(il_store_commit(s, &error));
    }
    il_store_describe(s, &info);
    assert_true(info.segments >= 5 && info.log_rows < 50);
    assert_int_equal(store_count(s), 200);
    il_store_close(&s);
    s = store_open(path, &c);
    assert_int_equal(store_count(s), 200);
    il_store_close(&s);
}

/* More than the buffer of the log holds, before one commit. */
static void a_commit_larger_than_the_buffer(void **state)
{
    (void)state;
    const char *path = unit_path("large");
    struct il_store_config c = store_config(1);
    struct il_error error = {{0}};
    enum { LONG = 3000, ROWS = 100 };
    static float row[LONG];
    c.dim = LONG;
    struct il_store *s = store_open(path, &c);
    for (int i = 0; i < ROWS; i++) {
        row[7] = (float)i;
        STORE_OK(il_store_put(s, store_id(i), strlen(store_id(i)), row, &error));
    }
    for (int turn = 0; turn < 2; turn++) {
        for (int i = 0; i < ROWS; i++) {
            STORE_OK(
                il_store_get(s, store_id(i), strlen(store_id(i)), row, NULL, &error));
            assert_true(row[7] == (float)i);
        }
        STORE_OK(il_store_commit(s, &error));
        il_store_close(&s);
        s = store_open(path, &c);
    }
    il_store_close(&s);
}

enum { THREADS = 6, EACH = 60 };

struct writer {
    struct il_store *s;
    int first;
};

static void *write_rows(void *argument)
{
    struct writer *w = argument;
    for (int i = w->first; i < w->first + EACH; i++) {
        struct il_error error;
        store_put(w->s, i, 0);
        if (i % 3 == 0)
            STORE_OK(il_store_commit(w->s, &error));
        if (i % 7 == 0)
            assert_int_equal(store_turn(w->s, i), 0);
    }
    struct il_error error;
    STORE_OK(il_store_commit(w->s, &error));
    return NULL;
}

static long syncs;

static int count_syncs(enum il_io_call call)
{
    if (call == IL_IO_SYNC) {
        __atomic_add_fetch(&syncs, 1, __ATOMIC_RELAXED);
        usleep(1000); /* a disk that takes its time */
    }
    return 0;
}

static void threads_share_syncs(void **state)
{
    (void)state;
    for (int mode = 0; mode < 4; mode++) {
        char name[16];
        snprintf(name, sizeof(name), "threads-%d", mode);
        const char *path = unit_path(name);
        struct il_store_config c = store_config(1);
        struct writer w[THREADS];
        pthread_t thread[THREADS];
        c.sync = mode == 3 ? IL_SYNC_ALWAYS : (enum il_sync)mode;
        c.sync_ms = 2;
        if (mode == 3)
            c.log_bytes_max = 4000; /* seals in between */
        /* Before the store has threads of its own, and until they are gone. */
        il_io_hook = count_syncs;
        struct il_store *s = store_open(path, &c);
        syncs = 0;
        for (int i = 0; i < THREADS; i++) {
            w[i] = (struct writer){s, 1000 * i};
            assert_int_equal(pthread_create(&thread[i], NULL, write_rows, &w[i]), 0);
        }
        for (int i = 0; i < THREADS; i++)
            pthread_join(thread[i], NULL);
        /* 20 or more commits of each thread. */
        if (mode == 0)
            assert_true(syncs > 0 && syncs < THREADS * EACH / 3);
        if (mode == IL_SYNC_OS)
            assert_int_equal(syncs, 0);
        assert_int_equal(store_count(s), THREADS * EACH);
        il_store_close(&s);
        il_io_hook = NULL;
        s = store_reader(path);
        assert_int_equal(store_count(s), THREADS * EACH);
        il_store_close(&s);
    }
}

struct stress {
    const char *path;
    int stop;
};

/* Opens again and again while a writer compacts: one commit or the next, never a mix. */
static void *read_states(void *argument)
{
    struct stress *t = argument;
    while (!__atomic_load_n(&t->stop, __ATOMIC_RELAXED)) {
        struct il_store *s = store_reader(t->path);
        int turn = store_turn(s, 0);
        for (int i = 1; i < 40; i++)
            if (store_turn(s, i) != turn)
                fail_msg("row %d is not of turn %d", i, turn);
        il_store_close(&s);
        struct il_error error;
        if (il_store_verify(t->path, NULL, NULL, &error) != IL_OK)
            fail_msg("verify: %s", error.text);
    }
    return NULL;
}

static void readers_while_a_writer_compacts(void **state)
{
    (void)state;
    const char *path = unit_path("stress");
    struct il_store_config c = store_config(1);
    struct il_error error = {{0}};
    struct stress t = {.path = path};
    pthread_t thread[2];
    c.segment_rows = 16;
    struct il_store *s = store_open(path, &c);
    for (int turn = 0; turn < 60; turn++) {
        for (int i = 0; i < 40; i++)
            store_put(s, i, turn);
        STORE_OK(il_store_commit(s, &error));
        if (turn == 0)
            for (int i = 0; i < 2; i++)
                assert_int_equal(pthread_create(&thread[i], NULL, read_states, &t), 0);
        if (turn % 2)
            STORE_OK(il_store_seal(s, &error));
        if (turn % 5 == 4)
            STORE_OK(il_store_compact(s, &error));
    }
    __atomic_store_n(&t.stop, 1, __ATOMIC_RELAXED);
    for (int i = 0; i < 2; i++)
        pthread_join(thread[i], NULL);
    il_store_close(&s);
}

static void codecs_have_names(void **state)
{
    (void)state;
    enum il_codec codec = IL_CODEC_F32;
    struct il_error error = {{0}};
    assert_int_equal(il_codec_named("fp8", &codec, &error), IL_OK);
    assert_int_equal(codec, IL_CODEC_E4M3);
    assert_int_equal(il_codec_named("e4m3", &codec, &error), IL_OK);
    assert_int_equal(il_codec_named("b1", &codec, &error), IL_OK);
    assert_int_equal(codec, IL_CODEC_B1);
    assert_int_equal(il_codec_named("i7", &codec, &error), IL_EARG);
    unit_says(&error, "codec 'i7', wanted f32, f16, i8, fp8 or b1");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_survive_close_and_seal),
        cmocka_unit_test(upserts_and_removes),
        cmocka_unit_test(what_is_not_committed_is_gone),
        cmocka_unit_test(bulk_is_all_or_none),
        cmocka_unit_test(a_second_writer_is_told_who_writes),
        cmocka_unit_test(what_is_no_store_is_left_alone),
        cmocka_unit_test(the_config_is_checked),
        cmocka_unit_test(bad_rows_and_ids_change_nothing),
        cmocka_unit_test(a_bulk_import_says_what_it_touches),
        cmocka_unit_test(values_stay_through_seal_and_compact),
        cmocka_unit_test(readers_keep_what_they_opened),
        cmocka_unit_test(a_torn_tail_is_cut_with_a_word),
        cmocka_unit_test(damage_in_the_middle_is_no_torn_tail),
        cmocka_unit_test(a_failed_sync_poisons),
        cmocka_unit_test(a_full_log_is_sealed),
        cmocka_unit_test(a_commit_larger_than_the_buffer),
        cmocka_unit_test(threads_share_syncs),
        cmocka_unit_test(readers_while_a_writer_compacts),
        cmocka_unit_test(codecs_have_names),
    };
    return cmocka_run_group_tests(tests, unit_setup, unit_teardown);
}
