/* SPDX-License-Identifier: Apache-2.0 */
/* Golden manifests, deletions, bases and logs: dumps as test_segment_golden.c reads them.
   Old ones are never edited. */
#include <sys/wait.h>

#include "tests/unit/test_store.h"
#include "formats/little.h"
#include "formats/log.h"
#include "formats/manifest.h"

#define GOLDEN "tests/data/store/"

/* A file in memory. */
struct blob {
    unsigned char data[2048];
    size_t size;
};

static void fill_uuid(unsigned char uuid[16])
{
    memset(uuid, 0xaa, 16);
}

static struct il_manifest manifest(struct il_manifest_segment segments[2])
{
    struct il_manifest m = {.generation = 9,
                            .codec = IL_CODEC_I8,
                            .dim = 5,
                            .stored_dim = 2,
                            .model = "m-1",
                            .has_basis = 1,
                            .next = 8,
                            .log = 7,
                            .log_synced = 288,
                            .count = 2,
                            .segments = segments};
    unsigned char bitmap[32] = {1};
    bitmap[130 / 8] = 1 << (130 % 8);
    static struct blob b;
    fill_uuid(m.uuid);
    il_model_fingerprint(m.model, m.fingerprint);
    const float mean[5] = {1, 2, 3, 4, 5}, basis[10] = {1, 0, 0, 0, 0, 0, 0, 1};
    m.basis_sum = il_basis_encode(5, 2, mean, basis, b.data);
    segments[0] =
        (struct il_manifest_segment){.number = 2, .rows = 3, .seal = 0x0123456789abcdef};
    segments[1] = (struct il_manifest_segment){
        .number = 4, .del = 6, .rows = 200, .deleted = 2, .seal = 0xfedcba9876543210};
    il_deletions_encode(4, 200, bitmap, b.data);
    segments[1].del_sum = load_u64(b.data + il_deletions_bytes(200) - 8);
    return m;
}

static void write_manifest(struct blob *b)
{
    struct il_manifest_segment segments[2];
    struct il_manifest m = manifest(segments);
    b->size = il_manifest_bytes(&m);
    il_manifest_encode(&m, b->data);
}

static void write_deletions(struct blob *b)
{
    unsigned char bitmap[32] = {1};
    bitmap[130 / 8] = 1 << (130 % 8);
    b->size = il_deletions_bytes(200);
    il_deletions_encode(4, 200, bitmap, b->data);
}

static void write_basis(struct blob *b)
{
    const float mean[5] = {1, 2, 3, 4, 5}, basis[10] = {1, 0, 0, 0, 0, 0, 0, 1};
    b->size = il_basis_bytes(5, 2);
    (void)il_basis_encode(5, 2, mean, basis, b->data);
}

static void add_record(struct blob *b, const struct il_log_info *info,
                       enum il_log_kind kind, const char *id, const float *row,
                       uint64_t records, uint64_t synced)
{
    struct il_log_record r = {.kind = kind,
                              .offset = b->size,
                              .synced = synced,
                              .id = (const unsigned char *)id,
                              .id_bytes = id ? strlen(id) : 0,
                              .row = (const unsigned char *)row,
                              .records = records};
    il_log_encode(info, &r, b->data + b->size);
    b->size += il_log_record_bytes(kind, r.id_bytes, info->dim);
}

static struct il_log_info log_info(void)
{
    struct il_log_info info = {.number = 7, .dim = 3};
    fill_uuid(info.uuid);
    il_log_salt(&info);
    return info;
}

static void write_log(struct blob *b)
{
    const float x[2][3] = {{1, 0.5f, -2}, {3, 4, 0}};
    struct il_log_info info = log_info();
    il_log_encode_header(&info, b->data);
    b->size = IL_LOG_HEADER_BYTES;
    add_record(b, &info, IL_LOG_PUT, "a", x[0], 0, 64);
    add_record(b, &info, IL_LOG_COMMIT, NULL, NULL, 1, 64);
    uint64_t synced = b->size;
    add_record(b, &info, IL_LOG_REMOVE, "a", NULL, 0, synced);
    add_record(b, &info, IL_LOG_PUT, "doc-2", x[1], 0, synced);
    add_record(b, &info, IL_LOG_COMMIT, NULL, NULL, 2, synced);
}

static const struct golden {
    const char *name;
    void (*write)(struct blob *b);
} goldens[] = {{"manifest", write_manifest},
               {"del", write_deletions},
               {"basis", write_basis},
               {"log", write_log}};

static void what_is_written_is_golden(void **state)
{
    (void)state;
    for (size_t g = 0; g < sizeof(goldens) / sizeof(*goldens); g++) {
        static struct blob b;
        static const unsigned char zeros[16];
        static char found[8192];
        char path[64], *at = found;
        memset(&b, 0, sizeof(b));
        goldens[g].write(&b);
        at += snprintf(at, 32, "bytes %zu\n", b.size);
        for (size_t i = 0; i < b.size; i += 16) {
            size_t line = b.size - i < 16 ? b.size - i : 16;
            if (memcmp(b.data + i, zeros, line) == 0)
                continue;
            at += snprintf(at, 16, "%08zx ", i);
            for (size_t j = 0; j < line; j++)
                at += snprintf(at, 8, " %02x", b.data[i + j]);
            *at++ = '\n';
        }
        *at = 0;
        snprintf(path, sizeof(path), GOLDEN "%s.hex", goldens[g].name);
        char *wanted = unit_get(path, NULL);
        if (!wanted || strcmp(found, wanted) != 0)
            fail_msg("%s.hex differs; written:\n%s", goldens[g].name, found);
        free(wanted);
    }
}

/* The bytes of a golden file. */
static struct blob golden_bytes(const char *name)
{
    struct blob b = {.size = 0};
    char path[64], *at = NULL;
    snprintf(path, sizeof(path), GOLDEN "%s.hex", name);
    char *text = unit_get(path, NULL);
    if (!text || strncmp(text, "bytes ", 6) != 0)
        fail_msg("%s: missing; the tests run in the top folder", path);
    b.size = strtoul(text + 6, &at, 10);
    while (*at == '\n' && at[1]) {
        size_t place = strtoul(at + 1, &at, 16);
        while (*at == ' ') {
            assert_true(place < b.size && b.size < sizeof(b.data));
            b.data[place++] = (unsigned char)strtoul(at, &at, 16);
        }
    }
    free(text);
    return b;
}

static void golden_files_are_read(void **state)
{
    (void)state;
    struct il_error error = {{0}};
    struct il_manifest_segment segments[2];
    struct il_manifest wanted = manifest(segments), m;
    struct blob b = golden_bytes("manifest");
    if (il_manifest_decode(&m, "MANIFEST", b.data, b.size, &error) != IL_OK)
        fail_msg("%s", error.text);
    assert_memory_equal(m.segments, segments, sizeof(segments));
    assert_string_equal(m.model, "m-1");
    assert_int_equal(m.generation, 9);
    assert_int_equal(m.log_synced, wanted.log_synced);
    assert_int_equal(m.basis_sum, wanted.basis_sum);

    const unsigned char *bitmap = NULL;
    b = golden_bytes("del");
    if (il_deletions_decode("x.del", b.data, b.size, &segments[1], &bitmap, &error) !=
        IL_OK)
        fail_msg("%s", error.text);
    assert_int_equal(bitmap[16], 4);
    assert_int_equal(
        il_deletions_decode("x.del", b.data, b.size, &segments[0], &bitmap, &error),
        IL_ECORRUPT);

    float mean[5], basis[10];
    b = golden_bytes("basis");
    if (il_basis_decode("basis", b.data, b.size, &m, mean, basis, &error) != IL_OK)
        fail_msg("%s", error.text);
    assert_true(mean[4] == 5 && basis[7] == 1);
    il_manifest_free(&m);

    struct il_log_info info = log_info();
    struct il_log_reader r;
    uint64_t end = 0, records = 0;
    b = golden_bytes("log");
    struct il_bytes bytes = {.name = "x.log", .size = b.size, .memory = b.data};
    if (il_log_open(&r, &bytes, &info, &error) != IL_OK ||
        il_log_check(&r, b.size, &end, &records, &error) != IL_OK)
        fail_msg("%s", error.text);
    assert_int_equal(end, b.size);
    assert_int_equal(records, 3);
    il_log_close(&r);
}

/* Runs the second decoder, tools/decode_store.py; -1 when there is no python3. Its output
   is to be freed. */
static int decode(const char *path, char **out)
{
    char command[1400];
    const char *to = unit_path("decoded.txt");
    snprintf(command, sizeof(command),
             "command -v python3 >/dev/null || exit 77; "
             "python3 tools/decode_store.py %s >%s 2>&1",
             path, to);
    int status = system(command);
    assert_true(WIFEXITED(status));
    *out = unit_get(to, NULL);
    return WEXITSTATUS(status) == 77 ? -1 : WEXITSTATUS(status);
}

/* A store with segments, deletions, a basis and a log: the second decoder finds the rows
   that the cursor gives, and damage. */
static void the_second_decoder_agrees(void **state)
{
    (void)state;
    const char *path = unit_path("fresh");
    struct il_store_config c = store_config(1);
    struct il_error error = {{0}};
    float basis[2 * STORE_DIM] = {1}, mean[STORE_DIM] = {0};
    basis[STORE_DIM + 1] = 1;
    c.segment_rows = 30;
    c.stored_dim = 2;
    c.mean = mean;
    c.basis = basis;
    c.model = "name of \"a\" model";
    struct il_store *s = store_open(path, &c);
    for (int turn = 0; turn < 4; turn++) {
        for (int i = turn * 20; i < 50 + turn * 30; i++)
            store_put(s, i, turn);
        STORE_OK(il_store_remove(s, store_id(21 * turn), strlen(store_id(21 * turn)),
                                 NULL, &error));
        STORE_OK(turn < 3 ? il_store_seal(s, &error) : il_store_commit(s, &error));
    }
    il_store_close(&s);
    char *out = NULL;
    int code = decode(path, &out);
    if (code == -1) {
        free(out);
        skip();
    }
    if (code != 0)
        fail_msg("exit code %d: %s", code, out);
    s = store_reader(path);
    size_t rows = store_count(s), found = 0;
    struct il_store_cursor *cursor = NULL;
    float row[STORE_DIM];
    const void *id = NULL;
    size_t bytes = 0, n = 0;
    STORE_OK(il_store_cursor_open(&cursor, s, &error));
    for (;;) {
        char line[64];
        STORE_OK(il_store_cursor_next(cursor, 0, 1, row, &id, &bytes, &n, &error));
        if (n == 0)
            break;
        snprintf(line, sizeof(line), " \"%.*s\"\n", (int)bytes, (const char *)id);
        if (!strstr(out, line))
            fail_msg("the second decoder lacks%s", line);
    }
    for (const char *at = out; (at = strstr(at, " \"id-")) != NULL; at++)
        found++;
    assert_int_equal(found, rows);
    assert_non_null(strstr(out, "model=name of \"a\" model"));
    il_store_cursor_close(&cursor);
    il_store_close(&s);
    free(out);
    FILE *file = fopen(unit_path("fresh/MANIFEST"), "r+");
    assert_non_null(file);
    fseek(file, 130, SEEK_SET);
    fputc('N', file);
    fclose(file);
    assert_int_equal(decode(path, &out), 4);
    assert_non_null(strstr(out, "damaged: checksum of the manifest"));
    free(out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_written_is_golden),
        cmocka_unit_test(golden_files_are_read),
        cmocka_unit_test(the_second_decoder_agrees),
    };
    return cmocka_run_group_tests(tests, unit_setup, unit_teardown);
}
