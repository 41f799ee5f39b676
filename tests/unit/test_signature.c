/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/unit.h"

#include "src/link/frame.h"
#include "tests/unit/linkdata.h"

#define ROWS 500
#define DA 19
#define DB 11
#define K 13

static float x[ROWS * DA], y[ROWS * DB], radius[ROWS];
static double map[DA * K];

static void fill(void)
{
    struct ld_rng rng = {12};
    ld_normals(&rng, ROWS * DA, 1, x);
    ld_normals(&rng, ROWS * DB, 1, y);
    ld_normals(&rng, ROWS, 0.3, radius);
    for (size_t i = 0; i < DA * K; i++)
        map[i] = ld_normal(&rng);
}

/* What one row's signature should be, in f64 where it is computed. */
static void expected(const struct il_signature *s, int mapped, size_t row, double *out)
{
    size_t at = 0;
    for (size_t p = 0; p < s->parts; p++) {
        const struct il_part *part = &s->part[p];
        double norm = 0;
        for (size_t j = 0; j < part->k; j++) {
            double sum = 0;
            for (size_t q = 0; q < part->d && part->map; q++)
                sum += (double)part->x[row * part->d + q] * (float)map[q * K + j];
            out[at + j] = part->map ? sum : part->x[row * part->d + j];
            norm += out[at + j] * out[at + j];
        }
        for (size_t j = 0; j < part->k; j++)
            out[at + j] *=
                s->scale / (mapped && part->map && !part->raw ? sqrt(norm) : 1);
        at += part->k;
    }
    if (s->tail != IL_TAIL_NONE) {
        out[at] = s->tail == IL_TAIL_A ? 1 : -radius[row];
        out[at + 1] = s->tail == IL_TAIL_A ? -radius[row] : 1;
    }
}

/* Signatures of all kinds: raw rows, maps, two parts, scales, tails. */
static size_t kinds(const float *packed, struct il_signature out[8])
{
    const struct il_part plain = {y, DB, NULL, DB, 0}, image = {x, DA, packed, K, 0};
    struct il_part raw = image;
    raw.raw = 1;
    const struct il_signature all[] = {
        {.part = {plain}, .parts = 1, .scale = 1},
        {.part = {image}, .parts = 1, .scale = 1},
        {.part = {raw}, .parts = 1, .scale = 1},
        {.part = {image, plain}, .parts = 2, .scale = 0.5f},
        {.part = {plain, image},
         .parts = 2,
         .scale = 2,
         .tail = IL_TAIL_A,
         .radius = radius},
        {.part = {image}, .parts = 1, .scale = 1, .tail = IL_TAIL_B, .radius = radius},
    };
    memcpy(out, all, sizeof(all));
    return sizeof(all) / sizeof(*all);
}

static void coordinates_are_counted(void **state)
{
    (void)state;
    struct il_signature s[8];
    static const size_t wanted[] = {DB, K, K, K + DB, K + DB + 2, K + 2};
    size_t count = kinds(x, s);
    for (size_t i = 0; i < count; i++)
        assert_int_equal(il_signature_k(&s[i]), wanted[i]);
}

static void maps_are_packed(void **state)
{
    (void)state;
    struct il_simd table[4];
    size_t isas = ld_isas(table);
    fill();
    for (size_t t = 0; t < isas; t++) {
        size_t w = table[t].nr;
        float *packed = il_map_pack(&table[t], map, DA, K);
        assert_non_null(packed);
        for (size_t j = 0; j < (K + w - 1) / w * w; j++)
            for (size_t q = 0; q < DA; q++)
                assert_true(packed[(j / w * DA + q) * w + j % w] ==
                            (j < K ? (float)map[q * K + j] : 0));
        il_free(packed);
    }
}

static void panels_hold_the_signatures(void **state)
{
    (void)state;
    static const size_t counts[] = {0, 1, 31, 32, 33, 239, 240, 241, ROWS};
    struct il_frame frame;
    ld_frame_open(&frame, NULL, 2);
    fill();
    struct ld_rng rng = {4};
    uint32_t *rows = ld_order(&rng, ROWS);
    float *packed = il_map_pack(frame.simd, map, DA, K);
    struct il_signature s[8];
    size_t kind_count = kinds(packed, s), nr = frame.simd->nr;
    for (size_t i = 0; i < kind_count; i++) {
        for (size_t c = 0; c < 2 * sizeof(counts) / sizeof(*counts); c++) {
            size_t count = counts[c / 2], k = il_signature_k(&s[i]);
            const uint32_t *chosen = c % 2 ? rows : NULL;
            struct il_panels panels;
            assert_int_equal(il_panels_build(&frame, &s[i], chosen, count, &panels),
                             IL_OK);
            assert_int_equal(panels.rows, count);
            assert_int_equal(panels.k, k);
            for (size_t r = 0; r < (count + nr - 1) / nr * nr; r++) {
                double wanted[K + DB + 2] = {0};
                if (r < count)
                    expected(&s[i], 1, chosen ? chosen[r] : r, wanted);
                for (size_t q = 0; q < k; q++)
                    assert_float_equal(panels.data[(r / nr * k + q) * nr + r % nr],
                                       wanted[q], 4e-6);
            }
            il_panels_free(&panels);
            assert_null(panels.data);
        }
    }
    il_free(packed);
    free(rows);
    ld_frame_close(&frame);
}

static void rows_are_mapped(void **state)
{
    (void)state;
    static float out[ROWS * K], again[ROWS * K];
    struct ld_rng rng = {6};
    uint32_t *rows = ld_order(&rng, ROWS);
    struct il_simd table[4];
    size_t isas = ld_isas(table);
    fill();
    for (int raw = 0; raw < 2; raw++) {
        for (size_t t = 0; t < isas; t++) {
            struct il_frame frame;
            ld_frame_open(&frame, &table[t], 1 + (unsigned)t);
            float *packed = il_map_pack(&table[t], map, DA, K);
            const struct il_part part = {x, DA, packed, K, raw};
            const struct il_signature s = {.part = {part}, .parts = 1, .scale = 1};
            assert_int_equal(il_map_rows(&frame, &part, rows, ROWS, t ? again : out),
                             IL_OK);
            if (t)
                assert_memory_equal(out, again, sizeof(out));
            for (size_t i = 0; i < ROWS && t == 0; i++) {
                double wanted[K];
                expected(&s, 1, rows[i], wanted);
                for (size_t j = 0; j < K; j++)
                    assert_float_equal(out[i * K + j], wanted[j], raw ? 2e-5 : 2e-6);
            }
            assert_int_equal(il_map_rows(&frame, &part, NULL, 3, again), IL_OK);
            il_free(packed);
            ld_frame_close(&frame);
        }
    }
    free(rows);
}

/* Two signatures side by side as plain rows, for the brute force. */
static void plain_rows(size_t rows, size_t d, const float *from, enum il_tail tail,
                       float scale, float *out)
{
    for (size_t i = 0; i < rows; i++) {
        for (size_t q = 0; q < d; q++)
            out[i * (d + 2) + q] = scale * from[i * d + q];
        out[i * (d + 2) + d] = tail == IL_TAIL_A ? 1 : -radius[i];
        out[i * (d + 2) + d + 1] = tail == IL_TAIL_A ? -radius[i] : 1;
    }
}

/* The lists of some rows against all columns, pair by pair. */
static void brute_match(const uint32_t *some, size_t count, size_t n, const float *left,
                        size_t m, const float *right, struct il_top3 *row,
                        struct il_top3 *col)
{
    for (size_t i = 0; i < n; i++)
        il_top3_clear(&row[i]);
    for (size_t j = 0; j < m; j++)
        il_top3_clear(&col[j]);
    for (size_t c = 0; c < count; c++) {
        for (uint32_t j = 0; j < m; j++) {
            float s = ld_chain(left + some[c] * (DB + 2), right + j * (DB + 2), DB + 2);
            if (isnan(s))
                continue;
            il_top3_insert(&row[some[c]], s, j);
            il_top3_insert(&col[j], s, some[c]);
        }
    }
}

/* The lists of the matcher are those of the full matrix, bit for bit. */
static void matching_equals_brute_force(void **state)
{
    (void)state;
    enum { N = 491, M = 263 };
    static float left[N * (DB + 2)], right[M * (DB + 2)];
    static struct il_top3 row[N], col[M], want_row[N], want_col[M];
    struct il_simd table[4];
    size_t isas = ld_isas(table);
    fill();
    memcpy(y + 100 * DB, y + 30 * DB, 40 * DB * sizeof(float)); /* ties */
    memcpy(radius + 100, radius + 30, 40 * sizeof(float));
    y[7 * DB + 2] = NAN; /* never wins */
    plain_rows(N, DB, y, IL_TAIL_A, 2, left);
    plain_rows(M, DB, y, IL_TAIL_B, 1, right);
    uint32_t some[N];
    size_t count = 0;
    for (uint32_t u = 0; u < N; u++)
        if (u % 5 != 3)
            some[count++] = u;
    const struct il_signature sa = {.part = {{y, DB, NULL, DB, 0}},
                                    .parts = 1,
                                    .scale = 2,
                                    .tail = IL_TAIL_A,
                                    .radius = radius};
    const struct il_signature sb = {.part = {{y, DB, NULL, DB, 0}},
                                    .parts = 1,
                                    .scale = 1,
                                    .tail = IL_TAIL_B,
                                    .radius = radius};
    brute_match(some, count, N, left, M, right, want_row, want_col);
    for (size_t t = 0; t < 3 * isas; t++) {
        struct il_frame frame;
        ld_frame_open(&frame, &table[t / 3], 1 + (unsigned)t % 3);
        struct il_panels panels;
        assert_int_equal(il_panels_build(&frame, &sb, NULL, M, &panels), IL_OK);
        for (size_t i = 0; i < N; i++)
            il_top3_clear(&row[i]);
        for (size_t j = 0; j < M; j++)
            il_top3_clear(&col[j]);
        /* In two calls: the lists are updated, not cleared. */
        assert_int_equal(il_match(&frame, &sa, some, 300, &panels, row, col), IL_OK);
        assert_int_equal(
            il_match(&frame, &sa, some + 300, count - 300, &panels, row, col), IL_OK);
        ld_top3_equal(row, want_row, N);
        ld_top3_equal(col, want_col, M);
        /* Without columns the rows are the same; an index renames the columns. */
        uint32_t name[M];
        for (uint32_t j = 0; j < M; j++)
            name[j] = 10 * j + 3;
        panels.index = name;
        for (size_t i = 0; i < N; i++)
            il_top3_clear(&row[i]);
        assert_int_equal(il_match(&frame, &sa, some, count, &panels, row, NULL), IL_OK);
        for (size_t i = 0; i < N; i++)
            for (int e = 0; e < IL_TOP; e++)
                assert_int_equal(row[i].index[e], want_row[i].index[e] == IL_INDEX_NONE
                                                      ? IL_INDEX_NONE
                                                      : name[want_row[i].index[e]]);
        il_panels_free(&panels);
        ld_frame_close(&frame);
    }
}

static void empty_matches(void **state)
{
    (void)state;
    struct il_frame frame;
    ld_frame_open(&frame, NULL, 2);
    fill();
    const struct il_signature s = {
        .part = {{y, DB, NULL, DB, 0}}, .parts = 1, .scale = 1};
    struct il_panels panels;
    struct il_top3 *lists = il_top3_new(4);
    assert_int_equal(il_panels_build(&frame, &s, NULL, 0, &panels), IL_OK);
    assert_int_equal(il_match(&frame, &s, NULL, 4, &panels, lists, lists), IL_OK);
    il_panels_free(&panels);
    assert_int_equal(il_panels_build(&frame, &s, NULL, 4, &panels), IL_OK);
    assert_int_equal(il_match(&frame, &s, NULL, 0, &panels, lists, lists), IL_OK);
    for (int i = 0; i < 4; i++)
        for (int e = 0; e < IL_TOP; e++)
            assert_true(lists[i].index[e] == IL_INDEX_NONE &&
                        lists[i].value[e] == -INFINITY);
    il_panels_free(&panels);
    il_free(lists);
    ld_frame_close(&frame);
}

static void cancel_is_seen(void **state)
{
    (void)state;
    il_atomic_int cancel;
    atomic_init(&cancel, 0);
    struct il_frame frame;
    ld_frame_open(&frame, NULL, 2);
    frame.cancel = &cancel;
    fill();
    const struct il_signature s = {
        .part = {{y, DB, NULL, DB, 0}}, .parts = 1, .scale = 1};
    struct il_panels panels;
    struct il_top3 *row = il_top3_new(ROWS);
    assert_int_equal(il_panels_build(&frame, &s, NULL, ROWS, &panels), IL_OK);
    assert_int_equal(il_frame_cancelled(&frame), 0);
    assert_int_equal(il_match(&frame, &s, NULL, ROWS, &panels, row, NULL), IL_OK);
    atomic_store(&cancel, 1);
    assert_int_equal(il_frame_cancelled(&frame), 1);
    assert_int_equal(il_match(&frame, &s, NULL, ROWS, &panels, row, NULL), IL_ECANCEL);
    il_panels_free(&panels);
    il_free(row);
    ld_frame_close(&frame);
}

static enum il_status use(void *context)
{
    struct il_frame *frame = context;
    float out[9 * K];
    struct il_panels panels = {0};
    float *packed = il_map_pack(frame->simd, map, DA, K);
    struct il_top3 *row = il_top3_new(9), *col = il_top3_new(9);
    enum il_status status = packed && row && col ? IL_OK : IL_ENOMEM;
    const struct il_part part = {x, DA, packed, K, 0};
    const struct il_signature s = {.part = {part}, .parts = 1, .scale = 1};
    status = status ? status : il_panels_build(frame, &s, NULL, 9, &panels);
    status = status ? status : il_match(frame, &s, NULL, 9, &panels, row, col);
    status = status ? status : il_map_rows(frame, &part, NULL, 9, out);
    il_panels_free(&panels);
    il_free(packed);
    il_free(row);
    il_free(col);
    return status;
}

static void memory_faults_are_told(void **state)
{
    (void)state;
    struct il_frame frame;
    ld_frame_open(&frame, NULL, 2);
    fill();
    assert_true(unit_starve(use, &frame) > 10);
    ld_frame_close(&frame);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(coordinates_are_counted),
        cmocka_unit_test(maps_are_packed),
        cmocka_unit_test(panels_hold_the_signatures),
        cmocka_unit_test(rows_are_mapped),
        cmocka_unit_test(matching_equals_brute_force),
        cmocka_unit_test(empty_matches),
        cmocka_unit_test(cancel_is_seen),
        cmocka_unit_test(memory_faults_are_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
