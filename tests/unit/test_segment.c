/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>

#include "simd/simd.h"
#include "tests/unit/unit.h"
#include "tests/unit/test_segment.h"

static const enum il_codec codecs[] = {IL_CODEC_F32, IL_CODEC_F16, IL_CODEC_I8,
                                       IL_CODEC_E4M3, IL_CODEC_B1};
#define CODECS (sizeof(codecs) / sizeof(*codecs))

/* Values of a normal distribution's width and, here and there, zeros of both signs and
   small ones. */
static float *some_rows(size_t rows, size_t dim)
{
    struct il_rng rng = il_rng_make(7, rows, dim, IL_FOR_SAMPLE);
    float *x = malloc(rows * dim * sizeof(*x) + 1);
    assert_non_null(x);
    for (size_t i = 0; i < rows * dim; i++) {
        uint64_t r = il_rng_next(&rng);
        x[i] = ((float)(r >> 40) / 0x1p23f - 1) * (r & 16 ? 1 : 0x1p-12f);
        if (r % 31 == 0)
            x[i] = r & 32 ? 0.0f : -0.0f;
    }
    return x;
}

static struct il_segment *opened(const struct segfile *f)
{
    struct il_error error = {{0}};
    struct il_bytes bytes = segfile_bytes(f);
    struct il_segment *s = NULL;
    if (il_segment_open(&s, &bytes, &error) != IL_OK)
        fail_msg("%s", error.text);
    assert_int_equal(il_segment_verify(s, &error), IL_OK);
    return s;
}

/* Half the distance to the next value of a codec, around x in a row with this scale. */
static float half_step(enum il_codec codec, float x, float scale)
{
    switch (codec) {
    case IL_CODEC_F32:
        return 0;
    case IL_CODEC_F16:
        return fmaxf(fabsf(x) * 0x1p-11f, 0x1p-25f);
    case IL_CODEC_I8:
        return scale * 0.50001f;
    case IL_CODEC_E4M3:
        return fmaxf(fabsf(x) * 0x1p-4f, scale * 0x1p-10f);
    case IL_CODEC_B1:
        break;
    }
    return INFINITY;
}

static void check_row(const struct il_segment_decoder *d, enum il_codec codec,
                      const float *x, const float *y, size_t dim)
{
    (void)d;
    float max = il_simd()->abs_max_f32(x, dim), scale = il_segment_scale(codec, max);
    for (size_t q = 0; q < dim; q++) {
        if (codec == IL_CODEC_B1)
            assert_true(y[q] == (x[q] > 0 ? 1.0f : -1.0f));
        else
            assert_true(fabsf(x[q] - y[q]) <= half_step(codec, x[q], scale));
    }
}

static void check_segment(const struct segfile *f, enum il_codec codec, const float *x,
                          size_t rows, size_t dim)
{
    struct il_error error = {{0}};
    struct il_segment *s = opened(f);
    struct il_segment_decoder *d = NULL;
    const struct il_segment_info *info = il_segment_info(s);
    assert_int_equal(info->codec, codec);
    assert_int_equal(info->dim, dim);
    assert_int_equal(info->rows, rows);
    assert_int_equal(il_segment_decoder_open(&d, s, &error), IL_OK);
    float *y = malloc((dim + 1) * sizeof(*y));
    for (size_t i = 0; i < rows; i++) {
        char id[32];
        size_t bytes = 0, length = (size_t)snprintf(id, sizeof(id), "id%zu", i);
        const void *found = il_segment_id(s, i, &bytes);
        assert_int_equal(bytes, length);
        assert_memory_equal(found, id, length);
        assert_int_equal(il_segment_find(s, id, length), i);
        assert_true(il_segment_norm(s, i) ==
                    sqrtf(il_simd()->dot_f32(x + i * dim, x + i * dim, dim)));
        assert_int_equal(il_segment_row(d, i, y, &error), IL_OK);
        check_row(d, codec, x + i * dim, y, dim);
    }
    assert_true(il_segment_find(s, "id", 2) == IL_SEGMENT_NONE);
    assert_true(il_segment_find(s, "", 0) == IL_SEGMENT_NONE);
    assert_int_equal(il_segment_row(d, rows, y, &error), IL_EARG);
    unit_says(&error, "t.seg: row");
    free(y);
    il_segment_decoder_close(&d);
    il_segment_close(&s);
}

static void every_codec_gives_its_rows_back(void **state)
{
    (void)state;
    static const size_t dims[] = {1, 2, 3, 4, 5, 63, 64, 65, 130};
    static const size_t counts[] = {0, 1, 2, 63, 64, 65, 150, 300};
    struct il_error error = {{0}};
    for (size_t k = 0; k < CODECS; k++)
        for (size_t i = 0; i < sizeof(dims) / sizeof(*dims); i++)
            for (size_t j = 0; j < sizeof(counts) / sizeof(*counts); j++)
                for (int level = 0; level <= 1; level++) {
                    struct segfile f = {0};
                    struct il_segment_config c =
                        segfile_config(&f, codecs[k], dims[i], 300);
                    c.level = level;
                    /* Two blocks a chunk: one to three chunks, whole and in part. */
                    c.chunk_bytes = 2 * il_segment_raw_bytes(codecs[k], dims[i], 64);
                    float *x = some_rows(counts[j], dims[i]);
                    assert_int_equal(segfile_fill(&c, x, counts[j], &error), IL_OK);
                    check_segment(&f, codecs[k], x, counts[j], dims[i]);
                    free(x);
                    free(f.data);
                }
}

/* Blocks go to the kernels as they are read: the scores must be the chains of fma over
   the values that il_codec_row gives. */
static void kernels_read_chunks_as_they_lie(void **state)
{
    (void)state;
    enum { ROWS = 150, DIM = 37, K = 7 };
    struct il_error error = {{0}};
    const struct il_simd *t = il_simd();
    float *x = some_rows(ROWS, DIM), *anchors = some_rows(K, DIM);
    float packed[12 * DIM], out[3 * K * 64], row[DIM];
    t->pack_f32(anchors, K, DIM, DIM, IL_ROWS_ANCHORS, packed);
    for (size_t k = 0; codecs[k] != IL_CODEC_B1; k++) {
        struct segfile f = {0};
        struct il_segment_config c = segfile_config(&f, codecs[k], DIM, ROWS);
        assert_int_equal(segfile_fill(&c, x, ROWS, &error), IL_OK);
        struct il_segment *s = opened(&f);
        struct il_segment_decoder *d = NULL;
        assert_int_equal(il_segment_decoder_open(&d, s, &error), IL_OK);
        struct il_segment_chunk chunk = il_segment_chunk(s, 0);
        assert_int_equal(chunk.blocks, 3);
        unsigned char *raw = il_alloc(chunk.raw_bytes, 1);
        assert_int_equal(il_segment_read(d, 0, raw, &error), IL_OK);
        const float *scale = (const float *)(void *)(raw + chunk.scale_at);
        if (codecs[k] == IL_CODEC_F32)
            t->rows_f32(3, DIM, K, (float *)(void *)raw, packed, out);
        else if (codecs[k] == IL_CODEC_F16)
            t->rows_f16(3, DIM, K, (uint16_t *)(void *)raw, packed, out);
        else if (codecs[k] == IL_CODEC_E4M3)
            t->rows_e4m3(3, DIM, K, raw, packed, out);
        else
            t->rows_i8(3, DIM, K, (int8_t *)raw, scale, packed, out);
        for (size_t i = 0; i < 192; i++)
            for (size_t a = 0; a < K; a++) {
                il_codec_row(codecs[k], DIM, raw + i / 64 * (chunk.scale_at / 3), i % 64,
                             1, row);
                float sum = 0;
                for (size_t q = 0; q < DIM; q++)
                    sum = fmaf(row[q], anchors[a * DIM + q], sum);
                if (codecs[k] == IL_CODEC_I8)
                    sum *= scale[i];
                assert_true(out[i / 64 * K * 64 + a * 64 + i % 64] == sum);
                if (i >= ROWS)
                    assert_true(sum == 0);
            }
        il_free(raw);
        il_segment_decoder_close(&d);
        il_segment_close(&s);
        free(f.data);
    }
    free(x);
    free(anchors);
}

/* Encodes one row and gives it back. */
static void through(enum il_codec codec, const float *x, size_t dim, float *y)
{
    float scale = il_segment_scale(codec, il_simd()->abs_max_f32(x, dim));
    float *packed = il_alloc(64 * dim, sizeof(float));
    unsigned char *block = il_alloc(il_codec_block_bytes(codec, dim), 1);
    il_segment_encode_block(codec, dim, x, 1, &scale, packed, block);
    il_codec_row(codec, dim, block, 0, il_codec_has_scale(codec) ? scale : 1, y);
    il_free(packed);
    il_free(block);
}

/* All finite values stay; half way between two the one with the even bits wins. */
static void f16_is_rounded_to_nearest_even(void **state)
{
    (void)state;
    enum { COUNT = 0x7c00 };
    uint16_t bits[COUNT];
    float *x = malloc(3 * COUNT * sizeof(*x)), *y = malloc(3 * COUNT * sizeof(*y));
    float *v = malloc((COUNT + 1) * sizeof(*v));
    for (size_t i = 0; i < COUNT; i++)
        bits[i] = (uint16_t)i;
    il_simd()->f16_to_f32(bits, COUNT, v);
    v[COUNT] = 65536;
    for (size_t i = 0; i < COUNT; i++) {
        x[3 * i] = i % 2 ? v[i] : -v[i];
        float middle = (v[i] + v[i + 1]) / 2;
        x[3 * i + 1] = i == COUNT - 1 ? nextafterf(middle, 0) : middle;
        x[3 * i + 2] = nextafterf(middle, 0);
    }
    for (size_t i = 0; i < 3 * COUNT; i += 3 * 1024)
        through(IL_CODEC_F16, x + i, 3 * 1024, y + i);
    for (size_t i = 0; i < COUNT; i++) {
        assert_true(y[3 * i] == x[3 * i] && !signbit(y[3 * i]) == !signbit(x[3 * i]));
        assert_true(y[3 * i + 1] == (i % 2 && i < COUNT - 1 ? v[i + 1] : v[i]));
        assert_true(y[3 * i + 2] == v[i]);
    }
    free(x);
    free(y);
    free(v);
}

static void e4m3_is_rounded_to_nearest_even(void **state)
{
    (void)state;
    enum { COUNT = 0x7f };
    float v[COUNT + 1], x[3 * COUNT], y[3 * COUNT];
    unsigned char block[64] = {0};
    for (size_t i = 0; i < COUNT; i++) {
        block[0] = (unsigned char)i;
        il_codec_row(IL_CODEC_E4M3, 1, block, 0, 1, v + i);
    }
    assert_true(v[COUNT - 1] == 448);
    /* The scale of a row whose largest value is 448 is 1. */
    for (size_t i = 0; i < COUNT; i++) {
        float middle = i < COUNT - 1 ? (v[i] + v[i + 1]) / 2 : 448;
        x[3 * i] = i % 2 ? v[i] : -v[i];
        x[3 * i + 1] = middle;
        x[3 * i + 2] = nextafterf(middle, 0);
    }
    through(IL_CODEC_E4M3, x, 3 * COUNT, y);
    for (size_t i = 0; i < COUNT; i++) {
        assert_true(y[3 * i] == x[3 * i] && !signbit(y[3 * i]) == !signbit(x[3 * i]));
        assert_true(y[3 * i + 1] == (i % 2 && i < COUNT - 1 ? v[i + 1] : v[i]));
        assert_true(y[3 * i + 2] == v[i]);
    }
}

static void scales_hold_at_the_ends_of_f32(void **state)
{
    (void)state;
    static const float sizes[] = {0,      0x1p-149f, 0x1p-126f,       0x1p-120f,
                                  447.9f, 448.001f,  0x1.fffffep126f, 0x1p127f};
    for (size_t k = 0; k < CODECS; k++) {
        if (!il_codec_has_scale(codecs[k]))
            continue;
        for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
            float x[3] = {sizes[i], -sizes[i] / 2, 0}, y[3];
            float scale = il_segment_scale(codecs[k], sizes[i]);
            through(codecs[k], x, 3, y);
            assert_true(isnormal(scale));
            for (size_t q = 0; q < 3; q++)
                assert_true(isfinite(y[q]) &&
                            fabsf(x[q] - y[q]) <= half_step(codecs[k], x[q], scale));
        }
    }
}

static void a_basis_is_applied_and_kept(void **state)
{
    (void)state;
    static const float mean[3] = {1, 2, 3}, basis[6] = {1, 0, 2, 0, -1, 0.5f};
    static const float x[6] = {3, 4, 0, 1, 2, 3};
    struct il_error error = {{0}};
    struct segfile f = {0};
    struct il_segment_config c = segfile_config(&f, IL_CODEC_F32, 2, 2);
    c.source_dim = 3;
    c.mean = mean;
    c.basis = basis;
    assert_int_equal(segfile_fill(&c, x, 2, &error), IL_OK);
    struct il_segment *s = opened(&f);
    struct il_segment_decoder *d = NULL;
    float y[2], kept_mean[3], kept_basis[6];
    assert_int_equal(il_segment_decoder_open(&d, s, &error), IL_OK);
    assert_int_equal(il_segment_row(d, 0, y, &error), IL_OK);
    assert_true(y[0] == 2 - 6 && y[1] == -2 - 1.5f);
    assert_int_equal(il_segment_row(d, 1, y, &error), IL_OK);
    assert_true(y[0] == 0 && y[1] == 0);
    assert_true(il_segment_norm(s, 0) == 5);
    assert_int_equal(il_segment_info(s)->source_dim, 3);
    il_segment_basis(s, kept_mean, kept_basis);
    assert_memory_equal(kept_mean, mean, sizeof(mean));
    assert_memory_equal(kept_basis, basis, sizeof(basis));
    il_segment_decoder_close(&d);
    il_segment_close(&s);
    free(f.data);
}

static void rows_max_leaves_no_trace(void **state)
{
    (void)state;
    struct il_error error = {{0}};
    float *x = some_rows(100, 5);
    struct segfile a = {0}, b = {0};
    struct il_segment_config c = segfile_config(&a, IL_CODEC_I8, 5, 100);
    assert_int_equal(segfile_fill(&c, x, 100, &error), IL_OK);
    c.context = &b;
    c.rows_max = 5000;
    c.id_bytes_max = 1 << 20;
    assert_int_equal(segfile_fill(&c, x, 100, &error), IL_OK);
    assert_int_equal(a.size, b.size);
    assert_memory_equal(a.data, b.data, a.size);
    free(a.data);
    free(b.data);
    free(x);
}

/* One block a chunk, so that some pools have more threads than there are chunks left. */
static void threads_leave_no_trace(void **state)
{
    (void)state;
    enum { ROWS = 64 * 9 + 5, DIM = 70 };
    struct il_error error = {{0}};
    float *x = some_rows(ROWS, DIM);
    for (size_t k = 0; k < CODECS; k++)
        for (int level = 0; level <= 1; level++) {
            struct segfile a = {0};
            struct il_segment_config c = segfile_config(&a, codecs[k], DIM, ROWS);
            c.chunk_bytes = 1;
            c.level = level;
            assert_int_equal(segfile_fill(&c, x, ROWS, &error), IL_OK);
            for (unsigned threads = 1; threads <= 4; threads++) {
                struct segfile b = {0};
                struct il_pool *pool = NULL;
                assert_int_equal(il_pool_open(&pool, threads), IL_OK);
                c.context = &b;
                c.pool = pool;
                assert_int_equal(segfile_fill(&c, x, ROWS, &error), IL_OK);
                assert_int_equal(a.size, b.size);
                assert_memory_equal(a.data, b.data, a.size);
                free(b.data);
                /* And a write that fails in the middle of what is packed at once. */
                b = (struct segfile){.fail_at = 6};
                assert_int_equal(segfile_fill(&c, x, ROWS, &error), IL_EIO);
                assert_memory_equal(a.data, b.data, b.size);
                il_pool_close(&pool);
                free(b.data);
            }
            free(a.data);
        }
    free(x);
}

/* A refused row leaves the segment as if it had not been tried. */
static void bad_rows_are_left_out(void **state)
{
    (void)state;
    static const struct {
        enum il_codec codec;
        float value;
        const char *says;
    } tried[] = {{IL_CODEC_F32, NAN, "row 1: coordinate 2 is nan"},
                 {IL_CODEC_F32, INFINITY, "coordinate 2 is inf"},
                 {IL_CODEC_F16, -INFINITY, "coordinate 2 is -inf"},
                 {IL_CODEC_F16, 65520, "coordinate 2 is 65520, wanted at most"},
                 {IL_CODEC_I8, NAN, "coordinate 2 is nan"},
                 {IL_CODEC_E4M3, 0x1.8p127f, "for e4m3"},
                 {IL_CODEC_B1, NAN, "for b1"}};
    static const float good[4] = {1, 2, 3, 4}, other[4] = {2, 3, 4, 5};
    static char long_id[IL_ID_BYTES_MAX + 1];
    for (size_t i = 0; i < sizeof(tried) / sizeof(*tried); i++) {
        struct segfile f = {0}, g = {0};
        struct il_error error = {{0}};
        struct il_segment_writer *w = NULL;
        struct il_segment_config c = segfile_config(&f, tried[i].codec, 4, 2);
        c.id_bytes_max = 1026;
        float bad[4] = {1, 2, tried[i].value, 4};
        assert_int_equal(il_segment_writer_open(&w, &c, &error), IL_OK);
        assert_int_equal(il_segment_push(w, "id0", 3, good, &error), IL_OK);
        assert_int_equal(il_segment_push(w, "id1", 3, bad, &error), IL_EARG);
        unit_says(&error, "t.seg, row 1: ");
        unit_says(&error, tried[i].says);
        assert_int_equal(il_segment_push(w, "id0", 3, other, &error), IL_EARG);
        unit_says(&error, "id 'id0' repeats that of row 0");
        assert_int_equal(il_segment_push(w, "", 0, other, &error), IL_EARG);
        assert_int_equal(il_segment_push(w, long_id, sizeof(long_id), other, &error),
                         IL_EARG);
        unit_says(&error, "id of 1025 bytes, wanted 1 to 1024");
        assert_int_equal(il_segment_push(w, long_id, sizeof(long_id) - 1, other, &error),
                         IL_ELIMIT);
        unit_says(&error, "more than 1026 bytes of ids");
        assert_int_equal(il_segment_push(w, "id1", 3, other, &error), IL_OK);
        assert_int_equal(il_segment_push(w, "id2", 3, other, &error), IL_ELIMIT);
        unit_says(&error, "more than 2 rows");
        assert_int_equal(il_segment_finish(w, &error), IL_OK);
        il_segment_writer_close(&w);
        float both[8];
        memcpy(both, good, sizeof(good));
        memcpy(both + 4, other, sizeof(other));
        c.context = &g;
        assert_int_equal(segfile_fill(&c, both, 2, &error), IL_OK);
        assert_int_equal(f.size, g.size);
        assert_memory_equal(f.data, g.data, g.size);
        free(f.data);
        free(g.data);
    }
}

static void configs_out_of_range_are_refused(void **state)
{
    (void)state;
    static const float values[6] = {1, 2, 3, 4, 5, NAN};
    struct segfile f = {0};
    const struct il_segment_config good = segfile_config(&f, IL_CODEC_F32, 2, 2);
    struct {
        struct il_segment_config c;
        const char *says;
    } tried[12];
    size_t n = 0;
#define TRY(field, value, text)                                                          \
    tried[n].c = good, tried[n].c.field = (value), tried[n++].says = (text)
    TRY(dim, 0, "row length 0, wanted 1 to 65536");
    TRY(dim, 65537, "row length 65537");
    TRY(codec, (enum il_codec)0, "codec 0, wanted 1 to 5");
    TRY(codec, (enum il_codec)6, "codec 6");
    TRY(chunk_bytes, 0, "chunk bytes 0");
    TRY(chunk_bytes, IL_SEGMENT_CHUNK_MAX + 1, "chunk bytes 16777217");
    TRY(level, 20, "zstd level 20, wanted 0 to 19");
    TRY(rows_max, 0, "rows 0");
    TRY(rows_max, (size_t)IL_ROWS_MAX + 1, "rows 2147483648");
    TRY(write, NULL, "nothing to write to");
    TRY(basis, values, "source row length 0, wanted 2 to 65536");
    TRY(basis, values, "not finite");
#undef TRY
    tried[n - 1].c.mean = values;
    tried[n - 1].c.source_dim = 2;
    tried[n - 1].c.basis = values + 2;
    for (size_t i = 0; i < n; i++) {
        struct il_error error = {{0}};
        struct il_segment_writer *w = NULL;
        assert_int_equal(il_segment_writer_open(&w, &tried[i].c, &error), IL_EARG);
        assert_null(w);
        unit_says(&error, tried[i].says);
    }
    assert_null(f.data);
}

static void a_failed_write_ends_the_segment(void **state)
{
    (void)state;
    float *x = some_rows(130, 3);
    for (long at = 1;; at++) {
        struct segfile f = {.fail_at = at};
        struct il_error error = {{0}};
        struct il_segment_writer *w = NULL;
        struct il_segment_config c = segfile_config(&f, IL_CODEC_F32, 3, 130);
        c.chunk_bytes = 1;
        enum il_status status = il_segment_writer_open(&w, &c, &error);
        for (size_t i = 0; status == IL_OK && i < 130; i++) {
            char id = (char)(i + 1);
            status = il_segment_push(w, &id, 1, x + 3 * i, &error);
        }
        if (status == IL_OK)
            status = il_segment_finish(w, &error);
        long calls = f.calls;
        if (status != IL_OK) {
            assert_int_equal(status, IL_EIO);
            assert_string_equal(error.text, "segfile: no room");
            if (w) {
                assert_int_equal(il_segment_push(w, "z", 1, x, &error), IL_EIO);
                unit_says(&error, "has failed before");
                assert_int_equal(il_segment_finish(w, &error), IL_EIO);
            }
            assert_int_equal(f.calls, calls);
        }
        il_segment_writer_close(&w);
        free(f.data);
        if (calls < at) {
            assert_true(at > 10);
            break;
        }
    }
    free(x);
}

/* Writes, opens and reads a segment; all memory is asked for on the way. */
static enum il_status whole_life(void *context)
{
    static const float x[6] = {1, 2, 3, 4, 5, 6}, mean[3], basis[6] = {1, 0, 0, 0, 1, 0};
    struct il_error error = {{0}};
    struct segfile f = {0};
    struct il_segment_config c = segfile_config(&f, IL_CODEC_I8, 2, 2);
    struct il_segment *s = NULL;
    struct il_segment_decoder *d = NULL;
    struct il_file file = {0};
    float y[2];
    (void)context;
    c.source_dim = 3;
    c.mean = mean;
    c.basis = basis;
    enum il_status status = segfile_fill(&c, x, 2, &error);
    const char *path = status == IL_OK ? unit_put("life.seg", f.data, f.size) : NULL;
    if (status == IL_OK)
        status = il_file_open(&file, path, &error);
    struct il_bytes bytes = {.name = "life.seg", .size = f.size, .file = &file};
    if (status == IL_OK)
        status = il_segment_open(&s, &bytes, &error);
    if (status == IL_OK)
        status = il_segment_verify(s, &error);
    if (status == IL_OK)
        status = il_segment_decoder_open(&d, s, &error);
    if (status == IL_OK)
        status = il_segment_row(d, 1, y, &error);
    if (status == IL_OK)
        assert_true(fabsf(y[0] - 4) < 0.02f && fabsf(y[1] - 5) < 0.02f);
    else
        assert_true(error.text[0] != 0);
    il_segment_decoder_close(&d);
    il_segment_close(&s);
    if (path)
        il_file_close(&file);
    free(f.data);
    return status;
}

static void memory_runs_out(void **state)
{
    (void)state;
    assert_true(unit_starve(whole_life, NULL) > 20);
}

/* The same through files: what il_writer wrote, and every read that fails. */
static void files_are_read_as_memory_is(void **state)
{
    (void)state;
    struct il_error error = {{0}};
    struct il_writer *writer = NULL;
    struct segfile f = {0};
    const char *path = unit_path("f.seg");
    float *x = some_rows(200, 9);
    struct il_segment_config c = segfile_config(&f, IL_CODEC_F16, 9, 200);
    assert_int_equal(segfile_fill(&c, x, 200, &error), IL_OK);
    assert_int_equal(il_writer_open(&writer, path, &error), IL_OK);
    c.write = il_segment_write_file;
    c.context = writer;
    assert_int_equal(segfile_fill(&c, x, 200, &error), IL_OK);
    assert_int_equal(il_writer_close(&writer, &error), IL_OK);
    size_t size = 0;
    char *data = unit_get(path, &size);
    assert_int_equal(size, f.size);
    assert_memory_equal(data, f.data, size);
    free(data);
    long reads = 0;
    for (long at = 1; at == 1 || reads >= at - 1; at++) {
        struct il_file file;
        struct il_segment *s = NULL;
        assert_int_equal(il_file_open(&file, path, &error), IL_OK);
        struct il_bytes bytes = {.name = "f.seg", .size = file.size, .file = &file};
        unit_fail_io(at, IL_IO_READ, EIO, 0);
        enum il_status status = il_segment_open(&s, &bytes, &error);
        if (status == IL_OK)
            status = il_segment_verify(s, &error);
        reads = unit_fault.calls;
        unit_no_faults();
        assert_int_equal(status, reads < at ? IL_OK : IL_EIO);
        il_segment_close(&s);
        il_file_close(&file);
        if (reads < at)
            break;
    }
    assert_true(reads >= 4);
    free(f.data);
    free(x);
}

static void codecs_have_names(void **state)
{
    (void)state;
    static const char *const names[] = {"f32", "f16", "i8", "e4m3", "b1"};
    for (size_t k = 0; k < CODECS; k++)
        assert_string_equal(il_codec_text(codecs[k]), names[k]);
    assert_string_equal(il_codec_text((enum il_codec)9), "?");
    assert_int_equal(il_codec_block_bytes((enum il_codec)9, 4), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_codec_gives_its_rows_back),
        cmocka_unit_test(kernels_read_chunks_as_they_lie),
        cmocka_unit_test(f16_is_rounded_to_nearest_even),
        cmocka_unit_test(e4m3_is_rounded_to_nearest_even),
        cmocka_unit_test(scales_hold_at_the_ends_of_f32),
        cmocka_unit_test(a_basis_is_applied_and_kept),
        cmocka_unit_test(rows_max_leaves_no_trace),
        cmocka_unit_test(threads_leave_no_trace),
        cmocka_unit_test(bad_rows_are_left_out),
        cmocka_unit_test(configs_out_of_range_are_refused),
        cmocka_unit_test(a_failed_write_ends_the_segment),
        cmocka_unit_test(memory_runs_out),
        cmocka_unit_test(files_are_read_as_memory_is),
        cmocka_unit_test(codecs_have_names),
    };
    return cmocka_run_group_tests(tests, unit_setup, unit_teardown);
}
