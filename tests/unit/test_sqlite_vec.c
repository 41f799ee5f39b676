/* SPDX-License-Identifier: Apache-2.0 */
/* Databases as sqlite-vec lays them out, made by plain SQL. */
#include "tests/unit/sources.h"

#ifdef IL_NO_SQLITE

static void without_libsqlite3_it_is_said(void **state)
{
    (void)state;
    refuses_bytes("t.db", "nothing", 7, IL_EFORMAT, "no SQLite database");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_libsqlite3_it_is_said),
    };
    return cmocka_run_group_tests(tests, unit_setup, unit_teardown);
}

#else

#include <sqlite3.h>

static sqlite3 *create(const char *name)
{
    sqlite3 *db = NULL;
    const char *path = unit_path(name);
    remove(path);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    return db;
}

static void run(sqlite3 *db, const char *sql)
{
    char *said = NULL;
    if (sqlite3_exec(db, sql, NULL, NULL, &said) != SQLITE_OK)
        fail_msg("%s: %s", sql, said);
}

/* What CREATE VIRTUAL TABLE leaves in a file, with one vector column. */
static void make_table(sqlite3 *db, const char *table, const char *arguments,
                       const char *id)
{
    char *sql = sqlite3_mprintf(
        "CREATE TABLE \"%w_info\"(key text primary key, value any);"
        "CREATE TABLE \"%w_chunks\"(chunk_id INTEGER PRIMARY KEY AUTOINCREMENT, size "
        "INTEGER "
        "NOT NULL, validity BLOB NOT NULL, rowids BLOB NOT NULL);"
        "CREATE TABLE \"%w_rowids\"(rowid INTEGER PRIMARY KEY AUTOINCREMENT, %s, "
        "chunk_id INTEGER, chunk_offset INTEGER);"
        "CREATE TABLE \"%w_vector_chunks00\"(rowid PRIMARY KEY, vectors BLOB NOT NULL);"
        "PRAGMA writable_schema = ON;"
        "INSERT INTO sqlite_schema(type, name, tbl_name, rootpage, sql) VALUES('table', "
        "%Q, %Q, 0, 'CREATE VIRTUAL TABLE \"%w\" USING vec0(%q)');"
        "PRAGMA writable_schema = OFF;",
        table, table, table, id, table, table, table, table, arguments);
    run(db, sql);
    sqlite3_free(sql);
}

/* A chunk of 8 places whose bit i of `valid` says whether row number first + i is there.
 */
static void add_chunk(sqlite3 *db, const char *table, int chunk, unsigned char valid,
                      int64_t first, const void *vectors, int bytes)
{
    sqlite3_stmt *s = NULL;
    int64_t rowids[8];
    for (int i = 0; i < 8; i++)
        rowids[i] = valid >> i & 1 ? first + i : 0;
    char *sql =
        sqlite3_mprintf("INSERT INTO \"%w_chunks\" VALUES(%d, 8, ?, ?)", table, chunk);
    assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &s, NULL), SQLITE_OK);
    sqlite3_free(sql);
    sqlite3_bind_blob(s, 1, &valid, 1, SQLITE_STATIC);
    sqlite3_bind_blob(s, 2, rowids, sizeof(rowids), SQLITE_STATIC);
    assert_int_equal(sqlite3_step(s), SQLITE_DONE);
    sqlite3_finalize(s);
    sql = sqlite3_mprintf("INSERT INTO \"%w_vector_chunks00\"(_rowid_, rowid, vectors) "
                          "VALUES(%d, %d, ?)",
                          table, chunk + 5, chunk);
    assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &s, NULL), SQLITE_OK);
    sqlite3_free(sql);
    sqlite3_bind_blob(s, 1, vectors, bytes, SQLITE_STATIC);
    assert_int_equal(sqlite3_step(s), SQLITE_DONE);
    sqlite3_finalize(s);
    for (int i = 0; i < 8; i++) {
        sql = sqlite3_mprintf("INSERT INTO \"%w_rowids\" VALUES(%lld, NULL, %d, %d)",
                              table, (long long)first + i, chunk, i);
        if (valid >> i & 1)
            run(db, sql);
        sqlite3_free(sql);
    }
}

/* Rows 1, 3, 4 and 101: (10, 11), (30, 31), (40, 41), (1010, 1011). */
static const char *make_floats(const char *name)
{
    sqlite3 *db = create(name);
    float vectors[16];
    make_table(db, "v", "embedding float[2] distance_metric=cosine, +note text", "id");
    for (int i = 0; i < 16; i++)
        vectors[i] = (float)(10 * (i / 2 + 1) + i % 2);
    add_chunk(db, "v", 1, 0x0d, 1, vectors, sizeof(vectors));
    for (int i = 0; i < 16; i++)
        vectors[i] = (float)(10 * (i / 2 + 101) + i % 2);
    add_chunk(db, "v", 2, 0x00, 50, vectors, sizeof(vectors));
    add_chunk(db, "v", 3, 0x01, 101, vectors, sizeof(vectors));
    sqlite3_close(db);
    return unit_path(name);
}

static void is_floats(const struct got *g, const char *ids)
{
    static const float wanted[] = {10, 11, 30, 31, 40, 41, 1010, 1011};
    assert_int_equal(g->rows, 4);
    assert_int_equal(g->dim, 2);
    assert_memory_equal(g->data, wanted, sizeof(wanted));
    assert_string_equal(g->ids, ids);
}

static void valid_rows_come_in_order(void **state)
{
    (void)state;
    const char *path = make_floats("v.db");
    size_t bytes = 0;
    char *data = unit_get(path, &bytes);
    for (size_t most = 1; most <= 5; most++) {
        struct got g;
        if (got_file(&g, path, most, NULL) != IL_OK)
            fail_msg("%s", g.error.text);
        is_floats(&g, "1 3 4 101 ");
        got_free(&g);
        if (got_bytes(&g, "unknown", data, bytes, 0, most, NULL) != IL_OK)
            fail_msg("%s", g.error.text);
        is_floats(&g, "1 3 4 101 ");
        got_free(&g);
    }
    struct got g;
    assert_int_equal(got_bytes(&g, "-", data, bytes, 1, 1, NULL), IL_EARG);
    unit_says(&g.error, "-: a database is read at its offsets");
    free(data);
}

static void texts_are_ids_where_there_are_some(void **state)
{
    (void)state;
    const char *path = make_floats("t.db");
    sqlite3 *db = NULL;
    struct got g;
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    run(db, "UPDATE v_rowids SET id = 'doc-' || rowid");
    sqlite3_close(db);
    assert_int_equal(got_file(&g, path, 3, NULL), IL_OK);
    is_floats(&g, "doc-1 doc-3 doc-4 doc-101 ");
    got_free(&g);
}

/* A writer's log that was not yet moved into the file is seen. */
static void the_log_of_a_writer_is_read(void **state)
{
    (void)state;
    const char *path = make_floats("w.db");
    sqlite3 *db = NULL;
    struct got g;
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    run(db, "PRAGMA journal_mode = WAL; PRAGMA wal_autocheckpoint = 0;"
            "UPDATE v_rowids SET id = 'w' || rowid");
    assert_int_equal(got_file(&g, path, 3, NULL), IL_OK);
    is_floats(&g, "w1 w3 w4 w101 ");
    got_free(&g);
    sqlite3_close(db);
}

static void bytes_and_bits(void **state)
{
    (void)state;
    struct got g;
    sqlite3 *db = create("b.db");
    make_table(db, "v", "e int8[2]", "id");
    static const signed char i8[16] = {-1, 2, 3, -128};
    add_chunk(db, "v", 1, 0x03, 1, i8, 16);
    sqlite3_close(db);
    assert_int_equal(got_file(&g, unit_path("b.db"), 3, NULL), IL_OK);
    assert_true(g.rows == 2 && g.data[0] == -1 && g.data[1] == 2 && g.data[3] == -128);
    got_free(&g);
    db = create("b.db");
    make_table(db, "v", "e BIT[ 8 ]", "id");
    static const unsigned char bits[8] = {0x81, 0x02};
    add_chunk(db, "v", 1, 0x03, 1, bits, 8);
    sqlite3_close(db);
    assert_int_equal(got_file(&g, unit_path("b.db"), 3, NULL), IL_OK);
    static const float wanted[] = {1, -1, -1, -1, -1, -1, -1, 1, -1, 1, -1};
    assert_int_equal(g.dim, 8);
    assert_memory_equal(g.data, wanted, sizeof(wanted));
    got_free(&g);
}

static void a_table_may_be_chosen(void **state)
{
    (void)state;
    struct got g;
    struct il_source_config config;
    il_source_config_init(&config);
    const char *path = make_floats("c.db");
    sqlite3 *db = NULL;
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    make_table(db, "other \"using", "a float[1]", "id TEXT UNIQUE NOT NULL");
    run(db, "CREATE VIRTUAL TABLE words USING fts5(t)");
    sqlite3_close(db);
    assert_int_equal(got_file(&g, path, 3, NULL), IL_EARG);
    unit_says(&g.error, "c.db: several tables of vectors");
    config.table = "v";
    config.column = "embedding";
    assert_int_equal(got_file(&g, path, 3, &config), IL_OK);
    is_floats(&g, "1 3 4 101 ");
    got_free(&g);
    config.column = "note";
    assert_int_equal(got_file(&g, path, 3, &config), IL_EARG);
    unit_says(&g.error, "no vector column 'note'");
    config.table = "words";
    assert_int_equal(got_file(&g, path, 3, &config), IL_EARG);
    config.table = "w";
    assert_int_equal(got_file(&g, path, 3, &config), IL_EARG);
    unit_says(&g.error, "no vec0 table 'w'");
    config.table = "other \"using";
    config.column = NULL;
    assert_int_equal(got_file(&g, path, 3, &config), IL_EFORMAT);
    unit_says(&g.error, "c.db: 0 rows");
    got_free(&g);
}

static void what_does_not_fit_is_refused(void **state)
{
    (void)state;
    static const struct {
        const char *sql, *says;
    } tried[] = {
        {"UPDATE v_chunks SET size = 16", "chunk 1: a bitmap of 1 bytes, wanted 2"},
        {"UPDATE v_chunks SET size = 0", "chunk 1: 0 places, wanted 8 to"},
        {"UPDATE v_chunks SET size = -8", "chunk 1: -8 places"},
        {"UPDATE v_chunks SET size = 1 << 40", "places, wanted 8 to 1048576"},
        {"UPDATE v_chunks SET size = 'x'", "chunk 1: 0 places"},
        {"UPDATE v_chunks SET rowids = x'00'", "row numbers of 1 bytes, wanted 64"},
        {"UPDATE v_chunks SET validity = zeroblob(1)", "0 rows, wanted at least 1"},
        {"UPDATE v_vector_chunks00 SET vectors = x'00'", "vectors of 1 bytes, wanted 64"},
        {"UPDATE v_vector_chunks00 SET vectors = 7", "cannot read the database"},
        {"DELETE FROM v_vector_chunks00", "chunk 1: its vectors are missing"},
        {"DELETE FROM v_rowids", "row 1 is not in _rowids"},
        {"UPDATE v_rowids SET id = ''", "row 1: an id of 0 bytes"},
        {"UPDATE v_rowids SET id = zeroblob(2000)", "row 1: an id of"},
        {"DROP TABLE v_rowids", "a table is missing"},
        {"ALTER TABLE v_chunks RENAME TO c; CREATE VIEW v_chunks AS SELECT * FROM c",
         "a table is missing"},
        {"DELETE FROM v_chunks", "0 rows, wanted at least 1"},
    };
    for (size_t i = 0; i < sizeof(tried) / sizeof(*tried); i++) {
        struct got g;
        sqlite3 *db = NULL;
        const char *path = make_floats("w.db");
        assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
        run(db, tried[i].sql);
        sqlite3_close(db);
        enum il_status status = got_file(&g, path, 2, NULL);
        if (status != IL_EFORMAT)
            fail_msg("%s: status %d (%s)", tried[i].sql, status, g.error.text);
        unit_says(&g.error, tried[i].says);
        got_free(&g);
    }
    struct got g;
    sqlite3 *db = create("e.db");
    make_table(db, "v", "e float[65537]", "id");
    make_table(db, "b", "e bit[7]", "id");
    run(db, "CREATE TABLE t(x)");
    sqlite3_close(db);
    struct il_source_config config;
    il_source_config_init(&config);
    config.table = "v";
    assert_int_equal(got_file(&g, unit_path("e.db"), 2, &config), IL_ELIMIT);
    config.table = "b";
    assert_int_equal(got_file(&g, unit_path("e.db"), 2, &config), IL_EFORMAT);
    unit_says(&g.error, "7 bits a row");
    refuses_bytes("e.db", "SQLite format", 13, IL_EFORMAT, "no SQLite database");
}

/* Every cut at a page, and some within; flips of each byte of the first page's header. */
static void damage_is_never_more_than_a_refusal(void **state)
{
    (void)state;
    const char *path = make_floats("d.db");
    size_t bytes = 0;
    char *data = unit_get(path, &bytes);
    for (size_t kept = 0; kept < bytes; kept += 509) {
        struct got g;
        enum il_status status = got_bytes(&g, "d.db", data, kept, 0, 2, NULL);
        assert_true(status != IL_OK || g.rows == 4);
        got_free(&g);
    }
    for (size_t at = 0; at < bytes; at += at < 200 ? 1 : 97) {
        for (int bit = 0; bit < 8; bit++) {
            struct got g;
            data[at] = (char)(data[at] ^ 1 << bit);
            enum il_status status = got_bytes(&g, "d.db", data, bytes, 0, 2, NULL);
            assert_true(status != IL_OK || g.dim <= IL_DIM_MAX);
            got_free(&g);
            data[at] = (char)(data[at] ^ 1 << bit);
        }
    }
    free(data);
}

static sqlite3_mem_methods plain_memory;
static long memory_calls, memory_fail_at;

static void *failing_malloc(int bytes)
{
    return ++memory_calls == memory_fail_at ? NULL : plain_memory.xMalloc(bytes);
}

static void *failing_realloc(void *block, int bytes)
{
    return ++memory_calls == memory_fail_at ? NULL : plain_memory.xRealloc(block, bytes);
}

static void no_memory_leaks_nothing(void **state)
{
    (void)state;
    char *path = strdup(make_floats("m.db"));
    assert_true(unit_starve(starved_file, path) >= 5);
    /* The same for the memory of libsqlite3, which does not need all that it asks for. */
    sqlite3_shutdown();
    assert_int_equal(sqlite3_config(SQLITE_CONFIG_GETMALLOC, &plain_memory), SQLITE_OK);
    sqlite3_mem_methods failing = plain_memory;
    failing.xMalloc = failing_malloc;
    failing.xRealloc = failing_realloc;
    assert_int_equal(sqlite3_config(SQLITE_CONFIG_MALLOC, &failing), SQLITE_OK);
    assert_int_equal(sqlite3_initialize(), SQLITE_OK);
    long refused = 0;
    for (memory_fail_at = 1;; memory_fail_at++) {
        struct got g;
        memory_calls = 0;
        enum il_status status = got_file(&g, path, 3, NULL);
        int ended = memory_calls < memory_fail_at;
        assert_true(status == IL_OK || status == IL_ENOMEM);
        if (status == IL_OK)
            is_floats(&g, "1 3 4 101 ");
        refused += status != IL_OK;
        got_free(&g);
        if (ended)
            break;
    }
    assert_true(refused > 50);
    memory_fail_at = 0;
    sqlite3_shutdown();
    assert_int_equal(sqlite3_config(SQLITE_CONFIG_MALLOC, &plain_memory), SQLITE_OK);
    free(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(valid_rows_come_in_order),
        cmocka_unit_test(texts_are_ids_where_there_are_some),
        cmocka_unit_test(the_log_of_a_writer_is_read),
        cmocka_unit_test(bytes_and_bits),
        cmocka_unit_test(a_table_may_be_chosen),
        cmocka_unit_test(what_does_not_fit_is_refused),
        cmocka_unit_test(damage_is_never_more_than_a_refusal),
        cmocka_unit_test(no_memory_leaks_nothing),
    };
    return cmocka_run_group_tests(tests, unit_setup, unit_teardown);
}

#endif
