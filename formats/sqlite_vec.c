/* SPDX-License-Identifier: Apache-2.0 */
#include "formats/sqlite_vec.h"

#include "src/base/base.h"

#ifdef IL_NO_SQLITE

enum il_status il_sqlite_vec_open(struct il_reader **out, const struct il_bytes *bytes,
                                  const char *path, const char *table, const char *column,
                                  struct il_error *error)
{
    (void)path;
    (void)table;
    (void)column;
    *out = NULL;
    return il_fail(error, IL_EARG, "%s: this isolink was built without libsqlite3",
                   bytes->name);
}

#else

#include <inttypes.h>
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

/* Vector columns of a table, in sqlite-vec. */
#define COLUMNS_MAX 16u
#define CHUNK_ROWS_MAX ((int64_t)1 << 20)
#define LOCKED_MS 2000
/* 1024 rows of the largest dimension, and what stands beside them. */
#define VALUE_BYTES_MAX ((1 << 28) + (1 << 16))

enum element { FLOAT32, INT8, BIT };

struct column {
    const char *name; /* in the text of the schema */
    size_t name_bytes;
    enum element element;
    uint64_t dim;
};

struct sqlite_vec {
    struct il_reader reader;
    char name[192]; /* of the file */
    sqlite3 *db;
    sqlite3_stmt *chunks;  /* at the chunk under way */
    sqlite3_stmt *vectors; /* where its vectors are */
    sqlite3_stmt *ids;     /* id of a row */
    sqlite3_blob *blob;    /* vectors of the chunk; NULL: none is under way */
    char *vectors_table;
    enum element element;
    size_t row_bytes;
    int64_t chunk; /* its id, */
    int64_t size;  /* its places for rows, */
    int64_t at;    /* and the next of them */
    uint64_t given;
    unsigned char *row; /* as it lies in the file */
};

static enum il_status refuse(const struct sqlite_vec *s, int code, struct il_error *error)
{
    enum il_status status = IL_EFORMAT;
    switch (code & 0xff) {
    case SQLITE_NOMEM:
        status = IL_ENOMEM;
        break;
    case SQLITE_IOERR:
    case SQLITE_CANTOPEN:
    case SQLITE_PERM:
    case SQLITE_READONLY:
        status = IL_EIO;
        break;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        status = IL_ELOCKED;
        break;
    default:
        break;
    }
    return il_fail(error, status, "%s: cannot read the database: %s", s->name,
                   s->db ? sqlite3_errmsg(s->db) : sqlite3_errstr(code));
}

static enum il_status no_memory(const struct sqlite_vec *s, struct il_error *error)
{
    return il_fail(error, IL_ENOMEM, "%s: no memory to read it", s->name);
}

/* A statement; %w stands for the name of the table. */
static enum il_status prepare(struct sqlite_vec *s, sqlite3_stmt **out, char *sql,
                              struct il_error *error)
{
    if (!sql)
        return no_memory(s, error);
    int code = sqlite3_prepare_v2(s->db, sql, -1, out, NULL);
    sqlite3_free(sql);
    return code == SQLITE_OK ? IL_OK : refuse(s, code, error);
}

/* Nothing in the file may run. That no value is longer than the file libsqlite3 sees to;
   the limit is for values that a schema could make up. */
static enum il_status guard(struct sqlite_vec *s, struct il_error *error)
{
    static const int off[] = {SQLITE_DBCONFIG_TRUSTED_SCHEMA,
                              SQLITE_DBCONFIG_ENABLE_TRIGGER, SQLITE_DBCONFIG_ENABLE_VIEW,
                              SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION};
    int code = sqlite3_db_config(s->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    for (size_t i = 0; i < sizeof(off) / sizeof(*off) && code == SQLITE_OK; i++)
        code = sqlite3_db_config(s->db, off[i], 0, NULL);
    sqlite3_limit(s->db, SQLITE_LIMIT_LENGTH, VALUE_BYTES_MAX);
    sqlite3_busy_timeout(s->db, LOCKED_MS);
    if (code == SQLITE_OK)
        code =
            sqlite3_exec(s->db, "PRAGMA mmap_size = 0; PRAGMA cell_size_check = 1; BEGIN",
                         NULL, NULL, NULL);
    return code == SQLITE_OK ? IL_OK : refuse(s, code, error);
}

static enum il_status open_database(struct sqlite_vec *s, const struct il_bytes *bytes,
                                    const char *path, struct il_error *error)
{
    int flags = SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_PRIVATECACHE;
    int code = path ? sqlite3_open_v2(path, &s->db, flags, NULL)
                    : sqlite3_open_v2(":memory:", &s->db,
                                      SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL);
    /* Not written to: the database is read-only. */
    if (code == SQLITE_OK && !path)
        code = sqlite3_deserialize(s->db, "main", (unsigned char *)bytes->memory,
                                   (sqlite3_int64)bytes->size, (sqlite3_int64)bytes->size,
                                   SQLITE_DESERIALIZE_READONLY);
    return code == SQLITE_OK ? guard(s, error) : refuse(s, code, error);
}

static const char *skip_space(const char *at)
{
    while (*at == ' ' || *at == '\t' || *at == '\n' || *at == '\r')
        at++;
    return at;
}

static int is_word(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           c == '_';
}

static const char *skip_word(const char *at)
{
    while (is_word(*at))
        at++;
    return at;
}

/* NAME TYPE[DIM]: 1 when that is what the argument is. */
static int read_column(const char *at, struct column *out)
{
    static const struct {
        const char *begins;
        enum element element;
    } types[] = {
        {"float", FLOAT32}, {"f32", FLOAT32}, {"int8", INT8}, {"i8", INT8}, {"bit", BIT}};
    const char *end = skip_word(at);
    *out = (struct column){.name = at, .name_bytes = (size_t)(end - at)};
    at = skip_space(end);
    for (size_t i = 0; i < sizeof(types) / sizeof(*types); i++) {
        if (strncasecmp(at, types[i].begins, strlen(types[i].begins)) != 0)
            continue;
        out->element = types[i].element;
        at = skip_space(skip_word(at));
        if (*at != '[')
            return 0;
        at = skip_space(at + 1);
        for (; *at >= '0' && *at <= '9' && out->dim <= IL_DIM_MAX; at++)
            out->dim = out->dim * 10 + (uint64_t)(*at - '0');
        return out->name_bytes > 0 && out->dim > 0;
    }
    return 0;
}

/* The arguments of vec0 in the text of a virtual table, from '(' on; NULL: another one.
 */
static const char *find_arguments(const char *sql)
{
    for (const char *at = sql; *at; at++) {
        if (strncasecmp(at, "using", 5) != 0)
            continue;
        const char *module = skip_space(at + 5);
        const char *arguments = skip_space(skip_word(module));
        if (strncasecmp(module, "vec0", 4) == 0 && skip_word(module) == module + 4 &&
            *arguments == '(')
            return arguments;
    }
    return NULL;
}

/* Its vector columns, or none. */
static size_t read_columns(const char *sql, struct column *out)
{
    const char *at = find_arguments(sql);
    size_t count = 0;
    int depth = 0;
    for (; at && *at; at++) {
        depth += (*at == '(') - (*at == ')');
        if (depth == 0)
            break;
        if (depth == 1 && (*at == '(' || *at == ',') && count < COLUMNS_MAX &&
            read_column(skip_space(at + 1), &out[count]))
            count++;
    }
    return count;
}

/* The column that is named, or the only one; its number in *index. */
static enum il_status choose_column(const struct sqlite_vec *s, const char *sql,
                                    const char *wanted, struct column *out, size_t *index,
                                    struct il_error *error)
{
    struct column columns[COLUMNS_MAX];
    size_t count = sql ? read_columns(sql, columns) : 0;
    char shown[80];
    for (size_t i = 0; i < count; i++) {
        if (wanted ? strlen(wanted) == columns[i].name_bytes &&
                         memcmp(wanted, columns[i].name, columns[i].name_bytes) == 0
                   : count == 1) {
            *out = columns[i];
            *index = i;
            return IL_OK;
        }
    }
    if (wanted)
        return il_fail(error, IL_EARG, "%s: no vector column '%s'", s->name,
                       il_printable(shown, sizeof(shown), wanted, strlen(wanted)));
    return il_fail(error, count > 0 ? IL_EARG : IL_EFORMAT, "%s: %zu vector columns%s",
                   s->name, count,
                   count > 0 ? ": choose one by its name" : ", wanted at least 1");
}

/* What the schema says of the table of vectors: its name and its text, to be freed by
   sqlite3_free. */
static enum il_status choose_table(struct sqlite_vec *s, const char *wanted, char **name,
                                   char **sql, struct il_error *error)
{
    sqlite3_stmt *all = NULL;
    char shown[80];
    int code = sqlite3_prepare_v2(s->db,
                                  "SELECT name, sql FROM sqlite_schema WHERE type = "
                                  "'table' AND sql LIKE 'CREATE VIRTUAL TABLE%'",
                                  -1, &all, NULL);
    enum il_status status = code == SQLITE_OK ? IL_OK : refuse(s, code, error);
    while (status == IL_OK && (code = sqlite3_step(all)) == SQLITE_ROW) {
        struct column columns[COLUMNS_MAX];
        const char *this_name = (const char *)sqlite3_column_text(all, 0);
        const char *this_sql = (const char *)sqlite3_column_text(all, 1);
        if (!this_name || !this_sql)
            status = no_memory(s, error);
        else if (wanted ? strcmp(this_name, wanted) != 0
                        : read_columns(this_sql, columns) == 0)
            continue;
        else if (*name)
            status = il_fail(error, IL_EARG,
                             "%s: several tables of vectors, as '%s': choose one by its "
                             "name",
                             s->name,
                             il_printable(shown, sizeof(shown), *name, strlen(*name)));
        else {
            *name = sqlite3_mprintf("%s", this_name);
            *sql = sqlite3_mprintf("%s", this_sql);
            if (!*name || !*sql)
                status = no_memory(s, error);
        }
    }
    if (status == IL_OK && code != SQLITE_DONE)
        status = refuse(s, code, error);
    sqlite3_finalize(all);
    if (status != IL_OK || *name)
        return status;
    return il_fail(error, wanted ? IL_EARG : IL_EFORMAT, "%s: no vec0 table %s%s%s",
                   s->name, wanted ? "'" : "of sqlite-vec",
                   wanted ? il_printable(shown, sizeof(shown), wanted, strlen(wanted))
                          : "",
                   wanted ? "'" : "");
}

/* The three tables behind it must be tables, no views and nothing that a module makes. */
static enum il_status check_shadows(struct sqlite_vec *s, const char *name, size_t index,
                                    struct il_error *error)
{
    sqlite3_stmt *count = NULL;
    s->vectors_table = sqlite3_mprintf("%s_vector_chunks%02d", name, (int)index);
    if (!s->vectors_table)
        return no_memory(s, error);
    enum il_status status =
        prepare(s, &count,
                sqlite3_mprintf("SELECT count(*) FROM sqlite_schema WHERE type = 'table' "
                                "AND sql LIKE 'CREATE TABLE%%' AND name IN "
                                "('%q_chunks', '%q_rowids', '%q')",
                                name, name, s->vectors_table),
                error);
    if (status == IL_OK && sqlite3_step(count) != SQLITE_ROW)
        status = refuse(s, sqlite3_errcode(s->db), error);
    else if (status == IL_OK && sqlite3_column_int(count, 0) != 3)
        status = il_fail(error, IL_EFORMAT,
                         "%s: a table is missing, wanted _chunks, _rowids and "
                         "_vector_chunks%02d behind the vec0 table",
                         s->name, (int)index);
    sqlite3_finalize(count);
    return status;
}

static enum il_status prepare_all(struct sqlite_vec *s, const char *name,
                                  struct il_error *error)
{
    /* By _rowid_ where that is the key, so that no sorting and no scan is ever needed. */
    enum il_status status = prepare(
        s, &s->chunks,
        sqlite3_mprintf("SELECT chunk_id, size, validity, rowids FROM \"%w_chunks\" "
                        "ORDER BY _rowid_",
                        name),
        error);
    if (status == IL_OK)
        status = prepare(
            s, &s->ids,
            sqlite3_mprintf("SELECT id FROM \"%w_rowids\" WHERE _rowid_ = ?", name),
            error);
    if (status == IL_OK)
        status = prepare(s, &s->vectors,
                         sqlite3_mprintf("SELECT _rowid_ FROM \"%w\" WHERE rowid = ?",
                                         s->vectors_table),
                         error);
    return status;
}

static enum il_status bad_chunk(const struct sqlite_vec *s, const char *what,
                                int64_t found, int64_t wanted, struct il_error *error)
{
    return il_fail(error, IL_EFORMAT,
                   "%s, chunk %" PRId64 ": %s of %" PRId64 " bytes, wanted %" PRId64,
                   s->name, s->chunk, what, found, wanted);
}

/* The vectors of the chunk that `chunks` stands at. */
static enum il_status open_blob(struct sqlite_vec *s, struct il_error *error)
{
    sqlite3_reset(s->vectors);
    int code = sqlite3_bind_int64(s->vectors, 1, s->chunk);
    if (code == SQLITE_OK)
        code = sqlite3_step(s->vectors);
    if (code == SQLITE_DONE)
        return il_fail(error, IL_EFORMAT,
                       "%s, chunk %" PRId64 ": its vectors are missing", s->name,
                       s->chunk);
    if (code == SQLITE_ROW)
        code = sqlite3_blob_open(s->db, "main", s->vectors_table, "vectors",
                                 sqlite3_column_int64(s->vectors, 0), 0, &s->blob);
    return code == SQLITE_OK ? IL_OK : refuse(s, code, error);
}

/* The next chunk, if there is one: its sizes against each other. */
static enum il_status next_chunk(struct sqlite_vec *s, int *more, struct il_error *error)
{
    int code = sqlite3_step(s->chunks);
    *more = code == SQLITE_ROW;
    if (code == SQLITE_DONE)
        return IL_OK;
    if (code != SQLITE_ROW)
        return refuse(s, code, error);
    s->chunk = sqlite3_column_int64(s->chunks, 0);
    s->size = sqlite3_column_int64(s->chunks, 1);
    s->at = 0;
    if (s->size < 8 || s->size > CHUNK_ROWS_MAX || s->size % 8 != 0)
        return il_fail(error, IL_EFORMAT,
                       "%s, chunk %" PRId64 ": %" PRId64 " places, wanted 8 to %" PRId64
                       ", a multiple of 8",
                       s->name, s->chunk, s->size, CHUNK_ROWS_MAX);
    /* Both as blobs first: the pointers then stay until the next step. */
    const void *validity = sqlite3_column_blob(s->chunks, 2);
    const void *rowids = sqlite3_column_blob(s->chunks, 3);
    int validity_bytes = sqlite3_column_bytes(s->chunks, 2);
    int rowids_bytes = sqlite3_column_bytes(s->chunks, 3);
    if (!validity || validity_bytes != s->size / 8)
        return bad_chunk(s, "a bitmap", validity_bytes, s->size / 8, error);
    if (!rowids || rowids_bytes != s->size * 8)
        return bad_chunk(s, "row numbers", rowids_bytes, s->size * 8, error);
    enum il_status status = open_blob(s, error);
    if (status != IL_OK)
        return status;
    int64_t wanted = s->size * (int64_t)s->row_bytes;
    if (sqlite3_blob_bytes(s->blob) != wanted)
        return bad_chunk(s, "vectors", sqlite3_blob_bytes(s->blob), wanted, error);
    return IL_OK;
}

static enum il_status add_id(struct sqlite_vec *s, int64_t rowid, struct il_names *names,
                             struct il_error *error)
{
    sqlite3_reset(s->ids);
    int code = sqlite3_bind_int64(s->ids, 1, rowid);
    if (code == SQLITE_OK)
        code = sqlite3_step(s->ids);
    if (code == SQLITE_DONE)
        return il_fail(error, IL_EFORMAT,
                       "%s, chunk %" PRId64 ": row %" PRId64 " is not in _rowids",
                       s->name, s->chunk, rowid);
    if (code != SQLITE_ROW)
        return refuse(s, code, error);
    if (sqlite3_column_type(s->ids, 0) == SQLITE_NULL)
        return il_names_add_number(names, rowid, error);
    const void *text = sqlite3_column_text(s->ids, 0);
    int bytes = sqlite3_column_bytes(s->ids, 0);
    if (!text)
        return no_memory(s, error);
    if (bytes < 1 || bytes > (int)IL_ID_BYTES_MAX || memchr(text, 0, (size_t)bytes))
        return il_fail(error, IL_EFORMAT,
                       "%s, row %" PRId64 ": an id of %d bytes, wanted 1 to %u and no "
                       "NUL byte",
                       s->name, rowid, bytes, IL_ID_BYTES_MAX);
    return il_names_add(names, text, (size_t)bytes, error);
}

/* The row at a place of the chunk. */
static enum il_status read_row(struct sqlite_vec *s, int64_t at, float *out,
                               struct il_error *error)
{
    size_t dim = s->reader.dim;
    void *to = s->element == FLOAT32 ? (void *)out : s->row;
    int code = sqlite3_blob_read(s->blob, to, (int)s->row_bytes,
                                 (int)(at * (int64_t)s->row_bytes));
    if (code != SQLITE_OK)
        return refuse(s, code, error);
    for (size_t i = 0; i < dim && s->element == INT8; i++)
        out[i] = (float)(signed char)s->row[i];
    for (size_t i = 0; i < dim && s->element == BIT; i++)
        out[i] = s->row[i / 8] >> i % 8 & 1 ? 1.0f : -1.0f;
    return IL_OK;
}

static enum il_status next(struct il_reader *reader, size_t most, float *rows,
                           struct il_names *names, size_t *count, struct il_error *error)
{
    struct sqlite_vec *s = (struct sqlite_vec *)reader;
    *count = 0;
    while (*count < most) {
        enum il_status status = IL_OK;
        if (!s->blob) {
            int more = 0;
            status = next_chunk(s, &more, error);
            if (status != IL_OK)
                return status;
            if (!more)
                break;
        }
        const unsigned char *validity = sqlite3_column_blob(s->chunks, 2);
        const unsigned char *rowids = sqlite3_column_blob(s->chunks, 3);
        for (; s->at < s->size && *count < most; s->at++) {
            if (!(validity[s->at / 8] >> s->at % 8 & 1))
                continue;
            status = read_row(s, s->at, rows + *count * reader->dim, error);
            if (status == IL_OK && names)
                status =
                    add_id(s, (int64_t)il_load_u64(rowids + 8 * s->at), names, error);
            if (status != IL_OK)
                return status;
            ++*count;
        }
        if (s->at == s->size) {
            sqlite3_blob_close(s->blob);
            s->blob = NULL;
        }
    }
    s->given += *count;
    if (s->given == 0)
        return il_fail(error, IL_EFORMAT, "%s: 0 rows, wanted at least 1", s->name);
    return IL_OK;
}

static void reader_close(struct il_reader *reader)
{
    struct sqlite_vec *s = (struct sqlite_vec *)reader;
    sqlite3_blob_close(s->blob);
    sqlite3_finalize(s->chunks);
    sqlite3_finalize(s->vectors);
    sqlite3_finalize(s->ids);
    sqlite3_free(s->vectors_table);
    sqlite3_close(s->db);
    il_free(s->row);
    il_free(s);
}

static enum il_status set_column(struct sqlite_vec *s, const struct column *column,
                                 struct il_error *error)
{
    if (column->dim > IL_DIM_MAX)
        return il_fail(error, IL_ELIMIT, "%s: row length beyond %u", s->name, IL_DIM_MAX);
    if (column->element == BIT && column->dim % 8 != 0)
        return il_fail(error, IL_EFORMAT,
                       "%s: %" PRIu64 " bits a row, wanted a multiple of 8", s->name,
                       column->dim);
    s->reader.dim = (size_t)column->dim;
    s->element = column->element;
    s->row_bytes = column->element == FLOAT32 ? 4 * s->reader.dim
                   : column->element == INT8  ? s->reader.dim
                                              : s->reader.dim / 8;
    /* Sizes of a chunk are told in an int. */
    s->row = il_alloc(s->row_bytes, 1);
    return s->row ? IL_OK : no_memory(s, error);
}

enum il_status il_sqlite_vec_open(struct il_reader **out, const struct il_bytes *bytes,
                                  const char *path, const char *table, const char *column,
                                  struct il_error *error)
{
    struct column chosen = {0};
    char *name = NULL, *sql = NULL;
    size_t index = 0;
    *out = NULL;
    struct sqlite_vec *s = il_alloc_zero(1, sizeof(*s));
    if (!s)
        return il_fail(error, IL_ENOMEM, "%s: no memory to read it", bytes->name);
    s->reader = (struct il_reader){
        .rows = UINT64_MAX, .has_ids = 1, .next = next, .close = reader_close};
    snprintf(s->name, sizeof(s->name), "%s", bytes->name);
    enum il_status status = open_database(s, bytes, path, error);
    if (status == IL_OK)
        status = choose_table(s, table, &name, &sql, error);
    if (status == IL_OK)
        status = choose_column(s, sql, column, &chosen, &index, error);
    if (status == IL_OK)
        status = set_column(s, &chosen, error);
    if (status == IL_OK)
        status = check_shadows(s, name, index, error);
    if (status == IL_OK)
        status = prepare_all(s, name, error);
    sqlite3_free(name);
    sqlite3_free(sql);
    if (status != IL_OK)
        reader_close(&s->reader);
    else
        *out = &s->reader;
    return status;
}

#endif
