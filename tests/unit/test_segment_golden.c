/* SPDX-License-Identifier: Apache-2.0 */
/* Golden segments, and the second decoder, tools/decode_segment.py, on fresh ones. A
   golden file is a dump: a line "bytes N", then "PLACE  16 BYTES" for every line of the
   file that is not all zero. Old ones are never edited. */
#include <sys/wait.h>

#include "tests/unit/unit.h"
#include "tests/unit/test_segment.h"

#define GOLDEN "tests/data/segment/"

/* 3, 4, 0 has length 5. The other rows hold what each codec rounds. */
static const float rows[3 * 5] = {3,     4,  0, 0,       0,  1, -0.5f, 0.25f,
                                  0.75f, -2, 0, 0x1p-9f, -7, 9, 11.5f};

static const struct golden {
    const char *name;
    enum il_codec codec;
    size_t dim;
    int basis;
    int level;
} goldens[] = {
    {"f32", IL_CODEC_F32, 5, 0, 0},   {"f16", IL_CODEC_F16, 5, 0, 0},
    {"i8", IL_CODEC_I8, 5, 0, 0},     {"e4m3", IL_CODEC_E4M3, 5, 0, 0},
    {"b1", IL_CODEC_B1, 5, 0, 0},     {"basis", IL_CODEC_F32, 2, 1, 0},
    {"zstd", IL_CODEC_F32, 40, 0, 1},
};

static struct segfile written(const struct golden *g)
{
    static const float mean[5] = {1, 1, 1, 1, 1},
                       basis[10] = {1, 0, 0, 0, 0, 0, 0.5f, 0.5f, 0, 0};
    struct il_error error = {{0}};
    struct segfile f = {0};
    struct il_segment_config c = segfile_config(&f, g->codec, g->dim, 3);
    struct il_segment_writer *w = NULL;
    float x[3 * 40] = {0};
    c.level = g->level;
    if (g->basis) {
        c.source_dim = 5;
        c.mean = mean;
        c.basis = basis;
    }
    for (unsigned char i = 0; i < 32; i++)
        c.model[i] = i;
    memset(c.uuid, 0xaa, sizeof(c.uuid));
    const size_t length = g->basis ? c.source_dim : g->dim;
    assert_int_equal(il_segment_writer_open(&w, &c, &error), IL_OK);
    for (size_t i = 0; i < 3; i++) {
        static const char *const ids[] = {"a", "doc-2", "\xc3\xa9\"x"};
        memcpy(x, rows + 5 * i, 5 * sizeof(float));
        for (size_t q = 5; q < length; q++)
            x[q] = (float)(q * (i + 1)) / 8;
        assert_int_equal(il_segment_push(w, ids[i], strlen(ids[i]), x, &error), IL_OK);
    }
    assert_int_equal(il_segment_finish(w, &error), IL_OK);
    il_segment_writer_close(&w);
    return f;
}

/* The dump of a file; to be freed. */
static char *dump(const struct segfile *f)
{
    char *text = malloc(f->size / 16 * 64 + 128), *at = text;
    static const unsigned char zeros[16];
    assert_non_null(text);
    at += snprintf(at, 32, "bytes %zu\n", f->size);
    for (size_t i = 0; i < f->size; i += 16) {
        size_t line = f->size - i < 16 ? f->size - i : 16;
        if (memcmp(f->data + i, zeros, line) == 0)
            continue;
        at += snprintf(at, 16, "%08zx ", i);
        for (size_t j = 0; j < line; j++)
            at += snprintf(at, 8, " %02x", f->data[i + j]);
        *at++ = '\n';
    }
    *at = 0;
    return text;
}

/* The file of a dump. */
static struct segfile undump(const char *text)
{
    struct segfile f = {0};
    char *at = NULL;
    assert_int_equal(strncmp(text, "bytes ", 6), 0);
    f.size = strtoul(text + 6, &at, 10);
    f.data = calloc(1, f.size);
    assert_non_null(f.data);
    while (*at == '\n' && at[1]) {
        size_t place = strtoul(at + 1, &at, 16);
        while (*at == ' ') {
            assert_true(place < f.size);
            f.data[place++] = (unsigned char)strtoul(at, &at, 16);
        }
    }
    return f;
}

static char *golden_text(const struct golden *g)
{
    char path[64];
    snprintf(path, sizeof(path), GOLDEN "%s.hex", g->name);
    char *text = unit_get(path, NULL);
    if (!text)
        fail_msg("%s: missing; the tests run in the top folder", path);
    return text;
}

/* zstd's own output may differ between its versions, so it is not compared. */
static void what_is_written_is_golden(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(goldens) / sizeof(*goldens); i++) {
        const struct golden *g = &goldens[i];
        struct segfile f = written(g);
        char *found = dump(&f), *wanted = golden_text(g);
        if (g->level == 0 && strcmp(found, wanted) != 0)
            fail_msg("%s.hex differs; written:\n%s", g->name, found);
        free(found);
        free(wanted);
        free(f.data);
    }
}

/* Rows of both files are equal, bit for bit. */
static void golden_files_are_read(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(goldens) / sizeof(*goldens); i++) {
        char *text = golden_text(&goldens[i]);
        struct segfile f[2] = {undump(text), written(&goldens[i])};
        float y[2][3][40];
        for (size_t k = 0; k < 2; k++) {
            struct il_bytes bytes = segfile_bytes(&f[k]);
            struct il_error error = {{0}};
            struct il_segment *s = NULL;
            struct il_segment_decoder *d = NULL;
            if (il_segment_open(&s, &bytes, &error) != IL_OK ||
                il_segment_verify(s, &error) != IL_OK)
                fail_msg("%s: %s", goldens[i].name, error.text);
            assert_int_equal(il_segment_chunk(s, 0).packing != IL_STORED,
                             goldens[i].level > 0);
            assert_int_equal(il_segment_find(s, "doc-2", 5), 1);
            assert_int_equal(il_segment_info(s)->model[31], 31);
            assert_int_equal(il_segment_info(s)->uuid[15], 0xaa);
            assert_int_equal(il_segment_decoder_open(&d, s, &error), IL_OK);
            for (size_t row = 0; row < 3; row++)
                assert_int_equal(il_segment_row(d, row, y[k][row], &error), IL_OK);
            il_segment_decoder_close(&d);
            il_segment_close(&s);
            free(f[k].data);
        }
        for (size_t row = 0; row < 3; row++)
            assert_memory_equal(y[0][row], y[1][row], goldens[i].dim * sizeof(float));
        free(text);
    }
}

/* Runs the second decoder; -1 when there is no python3. Its output is borrowed. */
static int decode(const char *path, const char *option, char **out)
{
    char command[1400];
    const char *to = unit_path("decoded.csv");
    snprintf(command, sizeof(command),
             "command -v python3 >/dev/null || exit 77; "
             "python3 tools/decode_segment.py %s %s >%s 2>&1",
             option, path, to);
    int status = system(command);
    assert_true(WIFEXITED(status));
    *out = unit_get(to, NULL);
    return WEXITSTATUS(status) == 77 ? -1 : WEXITSTATUS(status);
}

/* The rows of a segment against the CSV of the second decoder: equal values. */
static void compare(const struct segfile *f, const char *csv)
{
    struct il_bytes bytes = segfile_bytes(f);
    struct il_error error = {{0}};
    struct il_segment *s = NULL;
    struct il_segment_decoder *d = NULL;
    assert_int_equal(il_segment_open(&s, &bytes, &error), IL_OK);
    assert_int_equal(il_segment_decoder_open(&d, s, &error), IL_OK);
    const struct il_segment_info *info = il_segment_info(s);
    float *y = malloc(info->dim * sizeof(*y));
    char *at = (char *)(uintptr_t)csv;
    for (size_t row = 0; row < info->rows; row++) {
        char id[32];
        size_t length = (size_t)snprintf(id, sizeof(id), "\"id%zu\",", row);
        assert_int_equal(strncmp(at, id, length), 0);
        assert_true(strtod(at + length, &at) == (double)il_segment_norm(s, row));
        assert_int_equal(il_segment_row(d, row, y, &error), IL_OK);
        for (size_t q = 0; q < info->dim; q++) {
            assert_int_equal(*at, ',');
            assert_true((float)strtod(at + 1, &at) == y[q]);
        }
        assert_int_equal(*at++, '\n');
    }
    assert_int_equal(*at, 0);
    free(y);
    il_segment_decoder_close(&d);
    il_segment_close(&s);
}

/* Several chunks of each codec, stored and, where the program zstd is there, compressed.
 */
static void the_second_decoder_agrees(void **state)
{
    (void)state;
    enum { ROWS = 150, DIM = 41 };
    static float x[ROWS * DIM];
    const int has_zstd = system("command -v zstd >/dev/null") == 0;
    for (size_t i = 0; i < ROWS * DIM; i++)
        x[i] = (float)((long)(i * 193 % 997) - 400) / 512;
    for (int codec = IL_CODEC_F32; codec <= IL_CODEC_B1; codec++)
        for (int level = 0; level <= has_zstd; level++) {
            struct il_error error = {{0}};
            struct segfile f = {0};
            struct il_segment_config c =
                segfile_config(&f, (enum il_codec)codec, DIM, ROWS);
            c.level = level;
            c.chunk_bytes = 2 * il_segment_raw_bytes(c.codec, DIM, 64);
            assert_int_equal(segfile_fill(&c, x, ROWS, &error), IL_OK);
            char *out = NULL;
            const char *path = unit_put("fresh.seg", f.data, f.size);
            int code = decode(path, "", &out);
            if (code == -1) {
                free(out);
                free(f.data);
                skip();
            }
            if (code != 0)
                fail_msg("exit code %d: %s", code, out);
            compare(&f, out);
            free(out);
            /* It finds damage too. */
            f.data[HEADER_BYTES + 5] ^= 1;
            path = unit_put("fresh.seg", f.data, f.size);
            assert_int_equal(decode(path, "--summary", &out), 4);
            assert_non_null(strstr(out, "damaged: checksum of chunk 0"));
            free(out);
            free(f.data);
        }
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
