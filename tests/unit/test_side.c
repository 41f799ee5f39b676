/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/unit.h"

#include "src/link/frame.h"
#include "tests/unit/linkdata.h"

#define ROWS 700
#define D 37

static float data[ROWS * D];

static void fill(uint64_t draw)
{
    struct ld_rng rng = {draw};
    ld_normals(&rng, ROWS * D, 1, data);
    /* Axes of different weight and a common offset, so that centre and spectrum show. */
    for (size_t i = 0; i < ROWS * D; i++)
        data[i] = (float)(data[i] / (1.0 + 0.2 * (double)(i % D)) + 0.3);
}

static struct il_matrix matrix(size_t rows)
{
    return (struct il_matrix){IL_F32, rows, D, D * sizeof(float), data};
}

static double dot(const float *x, const float *y, size_t d)
{
    double sum = 0;
    for (size_t k = 0; k < d; k++)
        sum += (double)x[k] * y[k];
    return sum;
}

/* What the comment of il_side_prepare says, in f64, for finite rows. */
static void unit_centre_unit(size_t rows, int centre, double *out)
{
    double mean[D] = {0};
    for (int turn = 0; turn <= centre; turn++) {
        for (size_t i = 0; i < rows; i++) {
            double norm = 0;
            for (size_t k = 0; k < D; k++) {
                double *x = &out[i * D + k];
                *x = turn ? *x - mean[k] / (double)rows : data[i * D + k];
                norm += *x * *x;
            }
            for (size_t k = 0; k < D; k++)
                out[i * D + k] /= sqrt(norm);
        }
        for (size_t i = 0; i < rows * D && !turn; i++)
            mean[i % D] += out[i];
    }
}

static void usable_rows_are_kept(void **state)
{
    (void)state;
    struct il_frame frame;
    ld_frame_open(&frame, NULL, 1);
    const struct il_side_options plain = {256, 0, 0};
    fill(1);
    float *row = data;
    memset(row, 0, D * sizeof(float)); /* 0: zero */
    row[2 * D + 5] = NAN;              /* 2 */
    row[4 * D] = INFINITY;             /* 4 */
    row[5 * D + D - 1] = -INFINITY;    /* 5 */
    for (size_t k = 0; k < D; k++) {
        row[1 * D + k] = k % 2 ? 3e38f : -3e38f;   /* huge: its square is not f32 */
        row[3 * D + k] = k % 2 ? 1e-38f : -1e-38f; /* tiny: its square is 0 */
        row[6 * D + k] = k == 7 ? 1e-45f : 0;      /* the smallest of all */
        row[7 * D + k] = k == 7 ? -0.0f : 0;       /* 7: zero too */
    }
    struct il_matrix m = matrix(10);
    struct il_side side;
    assert_int_equal(il_side_prepare(&frame, &m, &plain, &side), IL_OK);
    static const uint32_t given[] = {1, 3, 6, 8, 9};
    static const uint64_t skipped[] = {0, 2, 4, 5, 7};
    assert_int_equal(side.rows, 5);
    assert_int_equal(side.d, D);
    assert_null(side.spectrum);
    assert_memory_equal(side.given, given, sizeof(given));
    assert_int_equal(side.skipped_count, 5);
    assert_memory_equal(side.skipped, skipped, sizeof(skipped));
    for (size_t i = 0; i < 5; i++)
        assert_float_equal(dot(side.x + i * D, side.x + i * D, D), 1, 1e-6);
    for (size_t k = 0; k < D; k++) {
        float wanted = (k % 2 ? 1 : -1) / sqrtf(D);
        assert_float_equal(side.x[k], wanted, 1e-7);
        assert_float_equal(side.x[D + k], wanted, 1e-7);
        assert_true(side.x[2 * D + k] == (k == 7));
    }
    il_side_free(&side);
    ld_frame_close(&frame);
}

static void nothing_usable(void **state)
{
    (void)state;
    struct il_frame frame;
    ld_frame_open(&frame, NULL, 2);
    for (int rotate = 0; rotate < 2; rotate++) {
        for (size_t rows = 0; rows < 4; rows += 3) {
            const struct il_side_options options = {256, rotate, rotate};
            memset(data, 0, sizeof(data));
            struct il_matrix m = matrix(rows);
            struct il_side side;
            assert_int_equal(il_side_prepare(&frame, &m, &options, &side), IL_OK);
            assert_int_equal(side.rows, 0);
            assert_int_equal(side.skipped_count, rows);
            il_side_free(&side);
        }
    }
    ld_frame_close(&frame);
}

static void rows_are_centred_and_of_length_one(void **state)
{
    (void)state;
    static double wanted[ROWS * D];
    struct il_frame frame;
    ld_frame_open(&frame, NULL, 2);
    for (int centre = 0; centre < 2; centre++) {
        const struct il_side_options options = {256, centre, 0};
        fill(2);
        unit_centre_unit(ROWS, centre, wanted);
        struct il_matrix m = matrix(ROWS);
        struct il_side side;
        assert_int_equal(il_side_prepare(&frame, &m, &options, &side), IL_OK);
        assert_int_equal(side.rows, ROWS);
        for (size_t i = 0; i < ROWS * D; i++)
            assert_float_equal(side.x[i], wanted[i], 2e-6);
        il_side_free(&side);
    }
    ld_frame_close(&frame);
}

/* Rotated to all axes: inner products stay, and axis k carries spectrum[k]. */
static void rotation_keeps_inner_products(void **state)
{
    (void)state;
    static double wanted[ROWS * D];
    struct il_frame frame;
    ld_frame_open(&frame, NULL, 2);
    const struct il_side_options options = {256, 1, 1};
    fill(3);
    unit_centre_unit(ROWS, 1, wanted);
    struct il_matrix m = matrix(ROWS);
    struct il_side side;
    assert_int_equal(il_side_prepare(&frame, &m, &options, &side), IL_OK);
    assert_int_equal(side.d, D);
    for (size_t i = 0; i < ROWS; i += 7) {
        for (size_t j = 0; j <= i; j += 11) {
            double sum = 0;
            for (size_t k = 0; k < D; k++)
                sum += wanted[i * D + k] * wanted[j * D + k];
            assert_float_equal(dot(side.x + i * D, side.x + j * D, D), sum, 5e-6);
        }
    }
    double trace = 0;
    for (size_t k = 0; k < D; k++) {
        double on_axis = 0, across = 0;
        for (size_t i = 0; i < ROWS; i++) {
            on_axis += (double)side.x[i * D + k] * side.x[i * D + k] / ROWS;
            across += k ? (double)side.x[i * D + k] * side.x[i * D + k - 1] / ROWS : 0;
        }
        assert_float_equal(side.spectrum[k], on_axis, 1e-6);
        assert_float_equal(across, 0, 1e-6);
        assert_true(side.spectrum[k] >= 0 &&
                    (k == 0 || side.spectrum[k - 1] >= side.spectrum[k]));
        trace += side.spectrum[k];
    }
    assert_float_equal(trace, 1, 1e-5);
    assert_true(side.spectrum[0] > 3 * side.spectrum[D - 1]);
    il_side_free(&side);
    ld_frame_close(&frame);
}

static void columns_are_dropped_from_the_end(void **state)
{
    (void)state;
    struct il_frame frame;
    ld_frame_open(&frame, NULL, 1);
    const struct il_side_options all = {256, 1, 1}, few = {9, 1, 1};
    fill(4);
    struct il_matrix m = matrix(200);
    struct il_side whole, cut;
    assert_int_equal(il_side_prepare(&frame, &m, &all, &whole), IL_OK);
    assert_int_equal(il_side_prepare(&frame, &m, &few, &cut), IL_OK);
    assert_int_equal(cut.d, 9);
    for (size_t i = 0; i < cut.rows; i++) {
        const float *x = whole.x + i * D, *y = cut.x + i * 9;
        assert_float_equal(dot(y, y, 9), 1, 1e-5);
        double norm = sqrt(dot(x, x, 9));
        for (size_t k = 0; k < 9; k++)
            assert_float_equal(y[k], x[k] / norm, 1e-5);
    }
    assert_memory_equal(cut.spectrum, whole.spectrum, 9 * sizeof(double));
    il_side_free(&whole);
    il_side_free(&cut);
    ld_frame_close(&frame);
}

/* All rows equal: the centre takes everything away; nothing may become NaN. */
static void equal_rows_stay_finite(void **state)
{
    (void)state;
    struct il_frame frame;
    ld_frame_open(&frame, NULL, 1);
    const struct il_side_options options = {256, 1, 1};
    for (size_t i = 0; i < ROWS * D; i++)
        data[i] = (float)(i % D) + 1;
    for (size_t rows = 1; rows < 60; rows += 29) {
        struct il_matrix m = matrix(rows);
        struct il_side side;
        assert_int_equal(il_side_prepare(&frame, &m, &options, &side), IL_OK);
        assert_int_equal(side.rows, rows);
        for (size_t i = 0; i < rows * side.d; i++)
            assert_true(isfinite(side.x[i]));
        il_side_free(&side);
    }
    ld_frame_close(&frame);
}

static void other_types_and_strides(void **state)
{
    (void)state;
    static double wide[20 * (D + 3)];
    struct il_frame frame;
    ld_frame_open(&frame, NULL, 1);
    fill(6);
    for (size_t i = 0; i < 20; i++)
        for (size_t k = 0; k < D; k++)
            wide[i * (D + 3) + k] = data[i * D + k];
    wide[4 * (D + 3)] = 1e300; /* finite, but not as f32 */
    const struct il_matrix f32 = matrix(20);
    const struct il_matrix f64 = {IL_F64, 20, D, (D + 3) * sizeof(double), wide};
    const struct il_side_options plain = {256, 0, 0};
    struct il_side x, y;
    assert_int_equal(il_side_prepare(&frame, &f32, &plain, &x), IL_OK);
    assert_int_equal(il_side_prepare(&frame, &f64, &plain, &y), IL_OK);
    assert_int_equal(y.skipped_count, 1);
    assert_int_equal(y.skipped[0], 4);
    assert_memory_equal(x.x, y.x, 4 * D * sizeof(float));
    assert_memory_equal(x.x + 5 * D, y.x + 4 * D, 15 * D * sizeof(float));
    il_side_free(&x);
    il_side_free(&y);
    ld_frame_close(&frame);
}

static void covariance_is_the_sum(void **state)
{
    (void)state;
    static double out[D * D];
    struct il_frame frame;
    ld_frame_open(&frame, NULL, 2);
    struct il_side side;
    ld_side_random(&side, ROWS, D, 8);
    assert_int_equal(il_covariance(&frame, &side, out), IL_OK);
    for (size_t i = 0; i < D; i++) {
        for (size_t j = 0; j < D; j++) {
            double sum = 0;
            for (size_t r = 0; r < ROWS; r++)
                sum += (double)side.x[r * D + i] * side.x[r * D + j];
            assert_float_equal(out[i * D + j], sum, 1e-4);
            assert_true(out[i * D + j] == out[j * D + i]);
        }
    }
    il_side_free(&side);
    ld_frame_close(&frame);
}

static void equal_bits_on_every_isa_and_thread_count(void **state)
{
    (void)state;
    struct il_simd table[4];
    size_t isas = ld_isas(table);
    const struct il_side_options options = {25, 1, 1};
    struct il_side first = {0};
    fill(7);
    struct il_matrix m = matrix(ROWS);
    for (size_t t = 0; t < isas; t++) {
        for (unsigned threads = 1; threads <= 3; threads++) {
            struct il_frame frame;
            ld_frame_open(&frame, &table[t], threads);
            struct il_side side;
            assert_int_equal(il_side_prepare(&frame, &m, &options, &side), IL_OK);
            if (!first.x) {
                first = side;
            } else {
                assert_memory_equal(first.x, side.x, ROWS * 25 * sizeof(float));
                assert_memory_equal(first.spectrum, side.spectrum, 25 * sizeof(double));
                il_side_free(&side);
            }
            ld_frame_close(&frame);
        }
    }
    il_side_free(&first);
}

static enum il_status prepare(void *context)
{
    const struct il_side_options options = {25, 1, 1};
    struct il_matrix m = matrix(50);
    struct il_side side;
    enum il_status status = il_side_prepare(context, &m, &options, &side);
    if (status)
        assert_null(side.x);
    il_side_free(&side);
    return status;
}

static void memory_faults_are_told(void **state)
{
    (void)state;
    struct il_frame frame;
    ld_frame_open(&frame, NULL, 1);
    fill(9);
    assert_true(unit_starve(prepare, &frame) > 10);
    ld_frame_close(&frame);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(usable_rows_are_kept),
        cmocka_unit_test(nothing_usable),
        cmocka_unit_test(rows_are_centred_and_of_length_one),
        cmocka_unit_test(rotation_keeps_inner_products),
        cmocka_unit_test(columns_are_dropped_from_the_end),
        cmocka_unit_test(equal_rows_stay_finite),
        cmocka_unit_test(other_types_and_strides),
        cmocka_unit_test(covariance_is_the_sum),
        cmocka_unit_test(equal_bits_on_every_isa_and_thread_count),
        cmocka_unit_test(memory_faults_are_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
