/* SPDX-License-Identifier: Apache-2.0 */
/* K-means: parts that are there are found, equal points, bits, faults. */
#include "tests/unit/unit.h"

#include "src/link/kmeans.h"

#include "tests/unit/linkdata.h"

#define D 6
#define PARTS 5
#define EACH 40
#define COUNT ((size_t)PARTS * EACH)

struct world {
    struct il_frame frame;
    struct il_kmeans k;
    float *point;
};

static void world_open(struct world *w, const struct il_simd *simd, unsigned threads,
                       double spread)
{
    struct ld_rng rng = {3};
    float part[PARTS][D];
    ld_frame_open(&w->frame, simd, threads);
    w->point = il_alloc(COUNT * D, sizeof(float));
    assert_non_null(w->point);
    for (int p = 0; p < PARTS; p++)
        ld_normals(&rng, D, 3, part[p]);
    for (size_t i = 0; i < COUNT; i++)
        for (size_t q = 0; q < D; q++)
            w->point[i * D + q] = part[i % PARTS][q] + (float)(spread * ld_normal(&rng));
    w->k = (struct il_kmeans){.point = w->point,
                              .count = COUNT,
                              .d = D,
                              .centres = PARTS,
                              .centre = il_alloc(PARTS * D, sizeof(float)),
                              .half = il_alloc(PARTS, sizeof(float)),
                              .near = il_top3_new(COUNT)};
    assert_true(w->k.centre && w->k.half && w->k.near);
}

static void world_close(struct world *w)
{
    il_free(w->k.near);
    il_free(w->k.half);
    il_free(w->k.centre);
    il_free(w->point);
    ld_frame_close(&w->frame);
}

static enum il_status run(struct world *w, uint64_t seed)
{
    struct il_rng rng = il_rng_make(seed, 0, 0, IL_FOR_CODEBOOK);
    return il_kmeans_run(&w->frame, &w->k, 10, &rng);
}

/* Mean squared distance of the points to their centre. */
static double spread_of(const struct world *w)
{
    double sum = 0;
    for (size_t i = 0; i < COUNT; i++) {
        double best = 1e300;
        for (size_t c = 0; c < PARTS; c++) {
            double square = 0;
            for (size_t q = 0; q < D; q++) {
                double x = (double)w->point[i * D + q] - w->k.centre[c * D + q];
                square += x * x;
            }
            best = square < best ? square : best;
        }
        sum += best;
    }
    return sum / (double)COUNT;
}

/* From random points the best of a few runs finds all parts. */
static void finds_the_parts(void **state)
{
    (void)state;
    struct world w;
    double best = 1e300;
    world_open(&w, NULL, 2, 0.1);
    for (uint64_t seed = 0; seed < 20; seed++) {
        assert_int_equal(run(&w, seed), IL_OK);
        double now = spread_of(&w);
        best = now < best ? now : best;
        for (size_t c = 0; c < PARTS; c++)
            assert_true(fabsf(w.k.half[c] -
                              0.5f * w.frame.simd->dot_f32(w.k.centre + c * D,
                                                           w.k.centre + c * D, D)) == 0);
    }
    assert_true(best < 2 * D * 0.1 * 0.1);
    world_close(&w);
}

/* All points equal: one centre has them, the others stay where they were, there too. */
static void equal_points_are_no_trouble(void **state)
{
    (void)state;
    struct world w;
    world_open(&w, NULL, 1, 0);
    for (size_t i = D; i < COUNT * D; i++)
        w.point[i] = w.point[i % D];
    assert_int_equal(run(&w, 1), IL_OK);
    assert_true(spread_of(&w) < 1e-9);
    world_close(&w);
}

static void fewer_points_than_centres_are_refused(void **state)
{
    (void)state;
    struct world w;
    world_open(&w, NULL, 1, 1);
    w.k.count = PARTS - 1;
    assert_int_equal(run(&w, 1), IL_EARG);
    w.k.count = PARTS;
    assert_int_equal(run(&w, 1), IL_OK);
    world_close(&w);
}

static void equal_bits_on_every_isa_and_thread_count(void **state)
{
    (void)state;
    struct il_simd table[4];
    size_t isas = ld_isas(table);
    float first[PARTS * D];
    for (size_t t = 0; t < isas; t++) {
        struct world w;
        world_open(&w, &table[t], 1 + (unsigned)t, 2);
        assert_int_equal(run(&w, 4), IL_OK);
        if (t == 0)
            memcpy(first, w.k.centre, sizeof first);
        assert_memory_equal(first, w.k.centre, sizeof first);
        world_close(&w);
    }
}

static void memory_faults_are_told(void **state)
{
    (void)state;
    struct world w;
    world_open(&w, NULL, 1, 1);
    for (long k = 1;; k++) {
        il_alloc_fail_at(k);
        enum il_status status = run(&w, 1);
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
        cmocka_unit_test(finds_the_parts),
        cmocka_unit_test(equal_points_are_no_trouble),
        cmocka_unit_test(fewer_points_than_centres_are_refused),
        cmocka_unit_test(equal_bits_on_every_isa_and_thread_count),
        cmocka_unit_test(memory_faults_are_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
