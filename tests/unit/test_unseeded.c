/* SPDX-License-Identifier: Apache-2.0 */
/* The cross-covariance that a start without seeds begins with, against that of the true
   pairs. */
#include "tests/unit/unit.h"

#include "src/link/unseeded.h"
#include "tests/unit/linkdata.h"

struct world {
    struct il_frame frame;
    struct ld_pair pair;
    struct il_side side[2];
    struct il_unseeded_options options;
    double *cross;
    struct il_unseeded out;
};

static struct ld_plan plan_of(uint64_t draw)
{
    struct ld_plan plan = ld_plan_small();
    plan.rows[0] = 900;
    plan.rows[1] = 800;
    plan.shared = 400;
    plan.d[0] = 96;
    plan.d[1] = 128;
    plan.draw = draw;
    return plan;
}

static void world_open(struct world *w, const struct ld_plan *plan,
                       const struct il_simd *simd, unsigned threads)
{
    memset(w, 0, sizeof(*w));
    ld_frame_open(&w->frame, simd, threads);
    ld_open(&w->pair, plan);
    ld_sides(&w->frame, &w->pair, w->side);
    il_unseeded_options_init(&w->options);
    w->options.stream = 1;
    w->cross = il_alloc(w->side[0].d * w->side[1].d, sizeof *w->cross);
    assert_non_null(w->cross);
}

static void world_close(struct world *w)
{
    il_free(w->cross);
    ld_sides_free(w->side);
    ld_close(&w->pair);
    ld_frame_close(&w->frame);
}

static enum il_status run(struct world *w)
{
    return il_unseeded_cross(&w->frame, &w->side[0], &w->side[1], &w->options, w->cross,
                             &w->out);
}

/* Cosine of the matrix with the cross-covariance of the true pairs. */
static double truth_cosine(const struct world *w)
{
    size_t da = w->side[0].d, db = w->side[1].d;
    struct il_anchor *true_pair = calloc(w->pair.shared + 1, sizeof *true_pair);
    double *truth = calloc(da * db, sizeof *truth), inner = 0, x = 0, y = 0;
    assert_true(true_pair && truth);
    size_t count = ld_true_anchors(&w->pair, true_pair);
    const struct il_gather a = {w->side[0].x, da, da, 0}, b = {w->side[1].x, db, db, 1};
    assert_int_equal(il_cross_add(w->frame.simd, a, b, true_pair, count, truth), IL_OK);
    for (size_t i = 0; i < da * db; i++) {
        inner += truth[i] * w->cross[i];
        x += truth[i] * truth[i];
        y += w->cross[i] * w->cross[i];
    }
    free(truth);
    free(true_pair);
    return x > 0 && y > 0 ? inner / sqrt(x * y) : 0;
}

static void is_near_that_of_the_true_pairs(void **state)
{
    (void)state;
    for (uint64_t draw = 1; draw <= 2; draw++) {
        struct ld_plan plan = plan_of(draw);
        struct world w;
        world_open(&w, &plan, NULL, 2);
        assert_int_equal(run(&w), IL_OK);
        double cosine = truth_cosine(&w);
        print_message("draw %d: correlation %.3f, agreement %.3f, cosine %.3f\n",
                      (int)draw, w.out.correlation, w.out.agreement, cosine);
        assert_int_equal(w.out.centres, 20);
        assert_true(w.out.correlation <= 1 + 1e-9 && w.out.agreement <= 1 + 1e-9);
        assert_true(cosine > 0.7);
        world_close(&w);
    }
}

/* Codebooks: as many as wanted, each centre a mean of rows, so no longer than 1; the
   products centred and of length 1. */
static void codebooks_hold_means_of_rows(void **state)
{
    (void)state;
    struct ld_plan plan = plan_of(1);
    struct world w;
    struct il_codebooks books;
    double products[20 * 20];
    world_open(&w, &plan, NULL, 2);
    w.options.codebooks = 3;
    assert_int_equal(il_codebooks_make(&w.frame, &w.side[0], 0, NULL, &w.options, &books),
                     IL_OK);
    assert_true(books.count == 3 && books.centres == 20 && books.d == w.side[0].d);
    for (size_t c = 0; c < books.count * books.centres; c++) {
        const float *x = books.centre + c * books.d;
        float square = w.frame.simd->dot_f32(x, x, books.d);
        assert_true(square > 0.01f && square < 1.001f);
    }
    assert_memory_not_equal(books.centre, books.centre + 20 * books.d,
                            20 * books.d * sizeof(float));
    il_codebook_products(w.frame.simd, &books, 1, products);
    double square = 0;
    for (size_t i = 0; i < 20; i++) {
        double sum = 0;
        for (size_t j = 0; j < 20; j++) {
            sum += products[i * 20 + j];
            square += products[i * 20 + j] * products[i * 20 + j];
            assert_true(products[i * 20 + j] == products[j * 20 + i]);
        }
        assert_true(fabs(sum) < 1e-6);
    }
    assert_true(fabs(square - 1) < 1e-9);
    il_codebooks_free(&books);
    world_close(&w);
}

/* Few rows: fewer centres; too few: nothing, told. */
static void few_rows_give_fewer_centres(void **state)
{
    (void)state;
    static const size_t rows[] = {1, 31, 32, 100, 160};
    static const size_t centres[] = {0, 3, 4, 12, 20};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct ld_plan plan = plan_of(1);
        plan.rows[1] = rows[i];
        plan.shared = plan.seeds = 1;
        struct world w;
        world_open(&w, &plan, NULL, 1);
        assert_int_equal(run(&w), IL_OK);
        assert_int_equal(w.out.centres, centres[i]);
        double all = 0;
        for (size_t k = 0; k < w.side[0].d * w.side[1].d; k++)
            all += fabs(w.cross[k]);
        assert_true(isfinite(all) && (all > 0) == (centres[i] >= 4));
        world_close(&w);
    }
}

/* All rows of a side equal, or nearly all: finite, no structure made up. */
static void equal_rows_are_no_trouble(void **state)
{
    (void)state;
    for (int most = 0; most < 2; most++) {
        struct ld_plan plan = plan_of(2);
        struct world w;
        world_open(&w, &plan, NULL, 2);
        size_t d = w.side[1].d, from = most ? 50 : 1;
        for (size_t i = from; i < w.side[1].rows; i++)
            memcpy(w.side[1].x + i * d, w.side[1].x, d * sizeof(float));
        assert_int_equal(run(&w), IL_OK);
        for (size_t k = 0; k < w.side[0].d * d; k++)
            assert_true(isfinite(w.cross[k]));
        world_close(&w);
    }
}

static void equal_bits_on_every_isa_and_thread_count(void **state)
{
    (void)state;
    struct il_simd table[4];
    size_t isas = ld_isas(table);
    struct ld_plan plan = plan_of(3);
    static struct world first;
    for (size_t t = 0; t < isas; t++) {
        struct world w;
        world_open(&w, &plan, &table[t], 1 + (unsigned)t);
        assert_int_equal(run(&w), IL_OK);
        if (t == 0) {
            first = w;
            continue;
        }
        assert_memory_equal(w.cross, first.cross,
                            w.side[0].d * w.side[1].d * sizeof *w.cross);
        assert_true(w.out.correlation == first.out.correlation);
        assert_true(w.out.agreement == first.out.agreement);
        world_close(&w);
    }
    world_close(&first);
}

static void other_streams_draw_otherwise(void **state)
{
    (void)state;
    struct ld_plan plan = plan_of(1);
    struct world w[2];
    for (int i = 0; i < 2; i++) {
        world_open(&w[i], &plan, NULL, 1);
        w[i].options.stream = (uint64_t)i;
        assert_int_equal(run(&w[i]), IL_OK);
    }
    assert_memory_not_equal(w[0].cross, w[1].cross,
                            w[0].side[0].d * w[0].side[1].d * sizeof *w[0].cross);
    world_close(&w[1]);
    world_close(&w[0]);
}

static void memory_faults_are_told(void **state)
{
    (void)state;
    struct ld_plan plan = plan_of(1);
    plan.rows[0] = plan.rows[1] = 60;
    plan.shared = 40;
    plan.d[0] = plan.d[1] = 8;
    struct world w;
    world_open(&w, &plan, NULL, 1);
    w.options.codebooks = 2;
    for (long k = 1;; k = k < 40 ? k + 1 : k + k / 4) {
        il_alloc_fail_at(k);
        enum il_status status = run(&w);
        long calls = il_alloc_calls();
        il_alloc_fail_at(0);
        if (calls < k) {
            assert_int_equal(status, IL_OK);
            break;
        }
        assert_int_equal(status, IL_ENOMEM);
    }
    world_close(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(is_near_that_of_the_true_pairs),
        cmocka_unit_test(codebooks_hold_means_of_rows),
        cmocka_unit_test(few_rows_give_fewer_centres),
        cmocka_unit_test(equal_rows_are_no_trouble),
        cmocka_unit_test(equal_bits_on_every_isa_and_thread_count),
        cmocka_unit_test(other_streams_draw_otherwise),
        cmocka_unit_test(memory_faults_are_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
