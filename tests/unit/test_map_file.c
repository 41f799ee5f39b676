/* SPDX-License-Identifier: Apache-2.0 */
/* Maps as bytes: golden dumps as test_store_golden.c reads them, damage, and the second
   decoder, tools/decode_map.py. Old goldens are never edited. */
#include <math.h>
#include <sys/wait.h>

#include "formats/map_file.h"
#include "tests/unit/unit.h"

#define GOLDEN "tests/data/map/"

static float *floats(size_t count, float first, float step)
{
    float *out = il_alloc(count, sizeof(*out));
    assert_non_null(out);
    for (size_t i = 0; i < count; i++)
        out[i] = first + step * (float)(i % 7);
    return out;
}

static double *doubles(size_t count, double first, double step)
{
    double *out = il_alloc(count, sizeof(*out));
    assert_non_null(out);
    for (size_t i = 0; i < count; i++)
        out[i] = first + step * (double)i;
    return out;
}

/* Rows of three coordinates on two axes, and of two. */
static struct il_mapping *made(enum il_map_kind kind)
{
    struct il_mapping *m = il_alloc_zero(1, sizeof(*m));
    assert_non_null(m);
    size_t pieces = kind == IL_MAP_LOCAL ? 2 : 1;
    m->info = (struct il_map_info){.kind = kind,
                                   .pieces = pieces,
                                   .folds = 5,
                                   .links = 40,
                                   .weight = 38.5,
                                   .seed = 7,
                                   .dim = {3, 2},
                                   .columns = {2, 2},
                                   .model = {m->model[0], m->model[1]}};
    memcpy(m->model[0], "m-1", 4);
    memcpy(m->model[1], "m-2", 4);
    for (int side = 0; side < 2; side++) {
        m->mean[side] = floats(m->info.dim[side], 0.125f, 0.25f);
        m->axes[side] = floats(m->info.dim[side] * 2, 0.5f, -0.375f);
        struct il_map_way *w = &m->way[side];
        w->matrix = floats(pieces * 4, side ? 0.75f : -1, 0.3125f);
        w->centre = floats(pieces > 1 ? pieces * 2 : 0, -0.5f, 0.5f);
        w->width = pieces > 1 ? 0.25 : 0;
        w->marks = 3;
        w->mark = floats(6, 0.6f, 0.1f);
        w->cosine = floats(3, 0.75f, 0.0625f);
        w->knots = 2;
        w->at = doubles(2, 0, 0.5);
        w->share = doubles(2, 0.25, 0.5);
        m->info.way[side] =
            (struct il_map_figures){.cosine = 0.75,
                                    .residual = {0.1, 0.2, 0.3, 0.4, 0.5},
                                    .judged = 40,
                                    .candidates = 100 + (uint64_t)side,
                                    .recall1 = 0.5,
                                    .recall10 = 0.875,
                                    .suited = 0.9375,
                                    .lambda = kind == IL_MAP_ORTHOGONAL ? 0 : 0.1,
                                    .rank = 2};
    }
    return m;
}

static unsigned char *encoded(enum il_map_kind kind, size_t *bytes)
{
    struct il_mapping *m = made(kind);
    unsigned char *data = NULL;
    assert_int_equal(il_mapping_encode(m, &data, bytes), IL_OK);
    il_mapping_close(&m);
    return data;
}

static const struct golden {
    const char *name;
    enum il_map_kind kind;
} goldens[] = {{"ridge", IL_MAP_RIDGE}, {"local", IL_MAP_LOCAL}};

static void what_is_written_is_golden(void **state)
{
    (void)state;
    for (size_t g = 0; g < 2; g++) {
        static const unsigned char zeros[16];
        static char found[8192];
        char path[64], *at = found;
        size_t bytes = 0;
        unsigned char *data = encoded(goldens[g].kind, &bytes);
        at += snprintf(at, 32, "bytes %zu\n", bytes);
        for (size_t i = 0; i < bytes; i += 16) {
            size_t line = bytes - i < 16 ? bytes - i : 16;
            if (memcmp(data + i, zeros, line) == 0)
                continue;
            at += snprintf(at, 16, "%08zx ", i);
            for (size_t j = 0; j < line; j++)
                at += snprintf(at, 8, " %02x", data[i + j]);
            *at++ = '\n';
        }
        *at = 0;
        snprintf(path, sizeof(path), GOLDEN "%s.hex", goldens[g].name);
        char *wanted = unit_get(path, NULL);
        if (!wanted || strcmp(wanted, found) != 0)
            fail_msg("%s is not what is written:\n%s", path, found);
        free(wanted);
        il_free(data);
    }
}

/* Decoded and encoded again: the same bytes, so nothing is lost. */
static void what_is_read_is_what_was_written(void **state)
{
    (void)state;
    for (int kind = IL_MAP_ORTHOGONAL; kind <= IL_MAP_LOCAL; kind++) {
        struct il_error error;
        struct il_mapping *m = NULL;
        unsigned char *again = NULL;
        size_t bytes = 0, more = 0;
        unsigned char *data = encoded((enum il_map_kind)kind, &bytes);
        assert_int_equal(il_mapping_decode(&m, data, bytes, "m", &error), IL_OK);
        assert_string_equal(il_mapping_info(m)->model[1], "m-2");
        assert_int_equal(il_mapping_info(m)->kind, kind);
        assert_int_equal(il_mapping_encode(m, &again, &more), IL_OK);
        assert_int_equal(bytes, more);
        assert_memory_equal(data, again, bytes);
        il_free(again);
        il_free(data);
        il_mapping_close(&m);
    }
}

/* Every bit that flips and every length that is cut is seen. */
static void damage_is_seen(void **state)
{
    (void)state;
    struct il_error error;
    struct il_mapping *m = NULL;
    size_t bytes = 0;
    unsigned char *data = encoded(IL_MAP_LOCAL, &bytes);
    for (size_t bit = 0; bit < 8 * bytes; bit++) {
        data[bit / 8] ^= (unsigned char)(1 << bit % 8);
        enum il_status status = il_mapping_decode(&m, data, bytes, "m", &error);
        assert_int_equal(status, bit < 64 ? IL_EFORMAT : IL_ECORRUPT);
        assert_null(m);
        data[bit / 8] ^= (unsigned char)(1 << bit % 8);
    }
    for (size_t cut = 0; cut < bytes; cut++) {
        /* Of exactly the size, so that ASan sees a read past the end. */
        unsigned char *part = malloc(cut + !cut);
        assert_non_null(part);
        memcpy(part, data, cut);
        assert_int_equal(il_mapping_decode(&m, part, cut, "m", &error),
                         cut < 8 ? IL_EFORMAT : IL_ECORRUPT);
        free(part);
    }
    il_free(data);
}

/* A number of four bytes is changed and the checksum made right. */
static void changed(size_t at, uint32_t value, enum il_status wanted, const char *says)
{
    struct il_error error = {""};
    struct il_mapping *m = NULL;
    size_t bytes = 0;
    unsigned char *data = encoded(IL_MAP_RIDGE, &bytes);
    store_u32(data + at, value);
    store_u64(data + bytes - 8, il_checksum(data, bytes - 8));
    assert_int_equal(il_mapping_decode(&m, data, bytes, "m", &error), wanted);
    unit_says(&error, says);
    assert_null(m);
    il_free(data);
}

static void numbers_are_checked(void **state)
{
    (void)state;
    changed(8, 2, IL_EVERSION, "m, byte 8: map version 2");
    changed(8, 0, IL_ECORRUPT, "version 0");
    changed(12, 0, IL_ECORRUPT, "m, byte 12: kind 0, wanted 1 to 3");
    changed(12, 4, IL_ECORRUPT, "kind 4");
    changed(12, 3, IL_ECORRUPT, "m, byte 16: pieces 1, wanted 2 to 32");
    changed(16, 2, IL_ECORRUPT, "pieces 2, wanted 1 to 1");
    changed(20, 1, IL_ECORRUPT, "folds 1");
    changed(24, 0, IL_ECORRUPT, "coordinates of A 0");
    changed(28, 65537, IL_ECORRUPT, "coordinates of B 65537");
    changed(24, 65536, IL_ECORRUPT, "wanted ");
    changed(32, 1025, IL_ECORRUPT, "axes of A 1025");
    changed(40, 0, IL_ECORRUPT, "links 0");
    changed(52, 0x7ff80000, IL_ECORRUPT, "byte 48: nan");
    changed(64 + 252, 0x01000000, IL_ECORRUPT, "reserved byte 1");
    changed(576, 0, IL_ECORRUPT, "fitted rows kept 0");
    changed(576, 2049, IL_ECORRUPT, "fitted rows kept 2049");
    changed(580, 33, IL_ECORRUPT, "knots 33");
    changed(584, 3, IL_ECORRUPT, "rank 3, wanted 0 to 2");
    changed(576 + 52, 0x40000000, IL_ECORRUPT, "byte 624: 2, wanted 0 to 1");
    changed(704 + 112, 1, IL_ECORRUPT, "byte 816: reserved byte 1");
}

/* A name that fills its room has no end. */
static void names_end(void **state)
{
    (void)state;
    struct il_error error = {""};
    struct il_mapping *m = NULL;
    size_t bytes = 0;
    unsigned char *data = encoded(IL_MAP_RIDGE, &bytes);
    memset(data + 320, 'x', 256);
    store_u64(data + bytes - 8, il_checksum(data, bytes - 8));
    assert_int_equal(il_mapping_decode(&m, data, bytes, "m", &error), IL_ECORRUPT);
    unit_says(&error, "byte 320: a name of 256 bytes");
    il_free(data);
}

static void knots_ascend(void **state)
{
    (void)state;
    struct il_error error = {""};
    struct il_mapping *m = made(IL_MAP_RIDGE), *read = NULL;
    unsigned char *data = NULL;
    size_t bytes = 0;
    m->way[1].share[0] = 0.875;
    assert_int_equal(il_mapping_encode(m, &data, &bytes), IL_OK);
    assert_int_equal(il_mapping_decode(&read, data, bytes, "m", &error), IL_ECORRUPT);
    unit_says(&error, "knot 1 of the confidence");
    il_free(data);
    il_mapping_close(&m);
}

static enum il_status decode_made(void *context)
{
    struct il_error error;
    struct il_mapping *m = NULL;
    const size_t *bytes = context;
    enum il_status status = il_mapping_decode(
        &m, (const unsigned char *)context + sizeof(*bytes), *bytes, "m", &error);
    il_mapping_close(&m);
    return status;
}

static void no_memory_is_said(void **state)
{
    (void)state;
    size_t bytes = 0;
    unsigned char *data = encoded(IL_MAP_LOCAL, &bytes);
    unsigned char *both = malloc(sizeof(bytes) + bytes);
    assert_non_null(both);
    memcpy(both, &bytes, sizeof(bytes));
    memcpy(both + sizeof(bytes), data, bytes);
    assert_int_equal(unit_starve(decode_made, both), 17);
    free(both);
    il_free(data);
}

static void put_floats(FILE *to, const char *name, const float *x, size_t count)
{
    fputs(name, to);
    for (size_t i = 0; i < count; i++)
        fprintf(to, " %.9g", (double)x[i]);
    fputc('\n', to);
}

static void put_doubles(FILE *to, const char *name, const double *x, size_t count)
{
    fputs(name, to);
    for (size_t i = 0; i < count; i++)
        fprintf(to, " %.17g", x[i]);
    fputc('\n', to);
}

/* What the second decoder should print. */
static void dump(FILE *to, const struct il_mapping *m)
{
    const struct il_map_info *info = &m->info;
    fprintf(to, "map %s pieces=%zu folds=%u links=%d weight=%.17g seed=%d\n",
            il_map_kind_text(info->kind), info->pieces, info->folds, (int)info->links,
            info->weight, (int)info->seed);
    for (int side = 0; side < 2; side++) {
        fprintf(to, "side %c dim=%zu axes=%zu model=%s\n", "AB"[side], info -> dim[side],
                info -> columns[side], info -> model[side]);
        put_floats(to, "mean", m->mean[side], info->dim[side]);
        put_floats(to, "axes", m->axes[side], info->dim[side] * info->columns[side]);
    }
    for (int i = 0; i < 2; i++) {
        const struct il_map_figures *f = &info->way[i];
        const struct il_map_way *w = &m->way[i];
        size_t d = info->columns[i], k = info->columns[!i], p = info->pieces;
        const double figures[] = {f->lambda,      w->width,       f->cosine,
                                  f->recall1,     f->recall10,    f->residual[0],
                                  f->residual[1], f->residual[2], f->residual[3],
                                  f->residual[4], f->suited};
        fprintf(to, "way %d rank=%d judged=%d among=%d\n", i, (int)f->rank,
                (int)f->judged, (int)f->candidates);
        put_doubles(to, "figures", figures, 11);
        put_floats(to, "matrix", w->matrix, p * d * k);
        put_floats(to, "centre", w->centre, p > 1 ? p * d : 0);
        put_floats(to, "mark", w->mark, w->marks * d);
        put_floats(to, "known", w->cosine, w->marks);
        put_doubles(to, "at", w->at, w->knots);
        put_doubles(to, "share", w->share, w->knots);
    }
}

/* Runs the second decoder; -1 when there is no python3. */
static int decode(const char *path, const char *rows, const char *to)
{
    char command[1400];
    snprintf(command, sizeof(command),
             "command -v python3 >/dev/null || exit 77; "
             "python3 tools/decode_map.py %s %s >%s 2>&1",
             path, rows, to);
    int status = system(command);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status) == 77 ? -1 : WEXITSTATUS(status);
}

static void the_second_decoder_reads_the_same(void **state)
{
    (void)state;
    for (size_t g = 0; g < 2; g++) {
        struct il_mapping *m = made(goldens[g].kind);
        struct il_error error;
        const char *path = unit_path("m.ilm"), *to = unit_path("found");
        FILE *file = fopen(unit_path("wanted"), "w");
        assert_non_null(file);
        dump(file, m);
        fclose(file);
        assert_int_equal(il_mapping_save(m, path, &error), IL_OK);
        int code = decode(path, "", to);
        char *wanted = unit_get(unit_path("wanted"), NULL);
        if (code >= 0) {
            unit_expect(to, wanted);
            assert_int_equal(code, 0);
        }
        free(wanted);
        il_mapping_close(&m);
    }
}

static void the_second_decoder_maps_the_same(void **state)
{
    (void)state;
    const float row[4][3] = {{1, 2, -3}, {0.5f, 0.25f, 4}, {-1, 0.125f, 0.5f}, {3, 3, 1}};
    const char *rows = unit_text("rows.csv", "1,2,-3\n0.5,0.25,4\n-1,0.125,0.5\n3,3,1\n");
    for (size_t g = 0; g < 2; g++) {
        struct il_mapping *m = made(goldens[g].kind);
        struct il_mapper *mapper = NULL;
        struct il_error error;
        const char *path = unit_path("m.ilm"), *to = unit_path("images");
        float out[4][2];
        assert_int_equal(il_mapping_save(m, path, &error), IL_OK);
        assert_int_equal(il_mapper_open(&mapper, m, 0, 1, &error), IL_OK);
        assert_int_equal(il_mapper_rows(mapper, row[0], 4, out[0], NULL, NULL), IL_OK);
        if (decode(path, rows, to) >= 0) {
            char *text = unit_get(to, NULL), *at = text;
            for (int i = 0; i < 4; i++) {
                double x = 0, y = 0;
                int used = 0;
                if (sscanf(at, "row %lf %lf\n%n", &x, &y, &used) != 2)
                    fail_msg("row %d: '%s'", i, at);
                assert_true(fabs(x - (double)out[i][0]) < 1e-6);
                assert_true(fabs(y - (double)out[i][1]) < 1e-6);
                at += used;
            }
            free(text);
        }
        il_mapper_close(&mapper);
        il_mapping_close(&m);
    }
}

static void the_second_decoder_sees_damage(void **state)
{
    (void)state;
    size_t bytes = 0;
    unsigned char *data = encoded(IL_MAP_RIDGE, &bytes);
    data[900] ^= 1;
    const char *path = unit_put("bad.ilm", data, bytes), *to = unit_path("said");
    int code = decode(path, "", to);
    assert_true(code == 4 || code == -1);
    il_free(data);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_written_is_golden),
        cmocka_unit_test(what_is_read_is_what_was_written),
        cmocka_unit_test(damage_is_seen),
        cmocka_unit_test(numbers_are_checked),
        cmocka_unit_test(names_end),
        cmocka_unit_test(knots_ascend),
        cmocka_unit_test(no_memory_is_said),
        cmocka_unit_test(the_second_decoder_reads_the_same),
        cmocka_unit_test(the_second_decoder_maps_the_same),
        cmocka_unit_test(the_second_decoder_sees_damage),
    };
    return cmocka_run_group_tests(tests, unit_setup, unit_teardown);
}
