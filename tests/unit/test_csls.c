/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/unit.h"

#include "src/link/start.h"
#include "tests/unit/linkdata.h"

#define N 257
#define M 123
#define D 14

static void radius_is_the_mean_of_the_nearest(void **state)
{
    (void)state;
    static const size_t samples[] = {0, 1, 2, 3, 50, M};
    struct il_side a, b;
    ld_side_random(&a, N, D, 1);
    ld_side_random(&b, M, D, 2);
    struct il_simd table[4];
    size_t isas = ld_isas(table);
    const struct il_signature sa = {
        .part = {{a.x, D, NULL, D, 0}}, .parts = 1, .scale = 1};
    const struct il_signature sb = {
        .part = {{b.x, D, NULL, D, 0}}, .parts = 1, .scale = 1};
    for (size_t t = 0; t < isas; t++) {
        struct il_frame frame;
        ld_frame_open(&frame, &table[t], 1 + (unsigned)t);
        for (size_t c = 0; c < sizeof(samples) / sizeof(*samples); c++) {
            struct il_panels panels;
            float got[N], plain[N];
            struct il_top3 *near = il_top3_new(N);
            assert_int_equal(il_panels_build(&frame, &sb, NULL, samples[c], &panels),
                             IL_OK);
            assert_int_equal(il_radius(&frame, &sa, NULL, N, &panels, N, got, near),
                             IL_OK);
            assert_int_equal(il_radius(&frame, &sa, NULL, N, &panels, N, plain, NULL),
                             IL_OK);
            assert_memory_equal(got, plain, sizeof(got));
            for (size_t u = 0; u < N; u++) {
                float best[M + 1];
                size_t count = samples[c];
                for (size_t v = 0; v < count; v++) {
                    float s = ld_chain(a.x + u * D, b.x + v * D, D);
                    size_t at = v;
                    for (; at > 0 && s > best[at - 1]; at--)
                        best[at] = best[at - 1];
                    best[at] = s;
                }
                size_t kept = count < IL_RADIUS_NEAREST ? count : IL_RADIUS_NEAREST;
                double sum = 0;
                for (size_t e = 0; e < kept; e++)
                    sum += best[e];
                assert_float_equal(got[u], kept ? sum / (double)kept : 0, 2e-7);
                for (size_t e = 0; e < IL_TOP; e++) {
                    uint32_t v = near[u].index[e];
                    assert_true(e < count ? near[u].value[e] == best[e]
                                          : v == IL_INDEX_NONE);
                    if (e < count)
                        assert_true(ld_chain(a.x + u * D, b.x + v * D, D) == best[e]);
                }
            }
            il_free(near);
            il_panels_free(&panels);
        }
        ld_frame_close(&frame);
    }
    il_side_free(&a);
    il_side_free(&b);
}

/* Values that float adds without rounding. */
static void radius_without_a_neighbour(void **state)
{
    (void)state;
    _Static_assert(IL_RADIUS_NEAREST == 2 && IL_TOP == 3, "the means below");
    struct il_top3 *list = il_top3_new(3);
    il_top3_insert(&list[0], 0.75f, 4);
    il_top3_insert(&list[0], 0.5f, 9);
    il_top3_insert(&list[0], 0.125f, 2);
    il_top3_insert(&list[1], 0.5f, 7);
    assert_true(il_radius_mean(&list[0], IL_INDEX_NONE) == 0.625f);
    assert_true(il_radius_mean(&list[0], 3) == 0.625f);
    assert_true(il_radius_mean(&list[0], 4) == 0.3125f);
    assert_true(il_radius_mean(&list[0], 9) == 0.4375f);
    assert_true(il_radius_mean(&list[0], 2) == 0.625f);
    assert_true(il_radius_mean(&list[1], IL_INDEX_NONE) == 0.5f);
    assert_true(il_radius_mean(&list[1], 7) == 0);
    assert_true(il_radius_mean(&list[2], IL_INDEX_NONE) == 0);
    il_free(list);
}

static void radius_of_some_rows_leaves_the_others(void **state)
{
    (void)state;
    struct il_side a, b;
    ld_side_random(&a, N, D, 1);
    ld_side_random(&b, M, D, 2);
    struct il_frame frame;
    ld_frame_open(&frame, NULL, 1);
    const struct il_signature sa = {
        .part = {{a.x, D, NULL, D, 0}}, .parts = 1, .scale = 1};
    const struct il_signature sb = {
        .part = {{b.x, D, NULL, D, 0}}, .parts = 1, .scale = 1};
    static const uint32_t rows[] = {3, 4, 100, 256};
    struct il_panels panels;
    float all[N], some[N];
    for (size_t u = 0; u < N; u++)
        some[u] = 99;
    assert_int_equal(il_panels_build(&frame, &sb, NULL, M, &panels), IL_OK);
    assert_int_equal(il_radius(&frame, &sa, NULL, N, &panels, N, all, NULL), IL_OK);
    assert_int_equal(il_radius(&frame, &sa, rows, 4, &panels, N, some, NULL), IL_OK);
    for (size_t u = 0; u < N; u++) {
        int in = u == 3 || u == 4 || u == 100 || u == 256;
        assert_true(some[u] == (in ? all[u] : 99));
    }
    il_panels_free(&panels);
    ld_frame_close(&frame);
    il_side_free(&a);
    il_side_free(&b);
}

static void mutual_pairs_equal_brute_force(void **state)
{
    (void)state;
    struct ld_rng rng = {3};
    for (int turn = 0; turn < 40; turn++) {
        /* Few different values: many ties, which go to the lowest index. */
        static float s[N][M];
        size_t n = 1 + ld_next(&rng) % N, m = 1 + ld_next(&rng) % M;
        struct il_top3 *row = il_top3_new(n), *col = il_top3_new(m);
        for (uint32_t u = 0; u < n; u++) {
            for (uint32_t v = 0; v < m; v++) {
                s[u][v] = (float)(ld_next(&rng) % (turn % 2 ? 5 : 100000));
                il_top3_insert(&row[u], s[u][v], v);
                il_top3_insert(&col[v], s[u][v], u);
            }
        }
        struct il_mutual out[N];
        size_t count = il_mutual_pairs(row, n, col, out), at = 0;
        for (uint32_t u = 0; u < n; u++) {
            uint32_t best = 0, back = 0;
            for (uint32_t v = 1; v < m; v++)
                best = s[u][v] > s[u][best] ? v : best;
            for (uint32_t w = 1; w < n; w++)
                back = s[w][best] > s[back][best] ? w : back;
            if (back != u)
                continue;
            assert_true(at < count);
            assert_int_equal(out[at].a, u);
            assert_int_equal(out[at].b, best);
            assert_true(out[at].score == s[u][best]);
            at++;
        }
        assert_int_equal(at, count);
        il_free(row);
        il_free(col);
    }
}

static void rows_without_partner_pair_with_nobody(void **state)
{
    (void)state;
    struct il_top3 *row = il_top3_new(3), *col = il_top3_new(2);
    struct il_mutual out[3];
    il_top3_insert(&row[2], 1, 1);
    il_top3_insert(&col[1], 1, 2);
    assert_int_equal(il_mutual_pairs(row, 3, col, out), 1);
    assert_true(out[0].a == 2 && out[0].b == 1);
    assert_int_equal(il_mutual_pairs(row, 0, col, out), 0);
    il_free(row);
    il_free(col);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(radius_is_the_mean_of_the_nearest),
        cmocka_unit_test(radius_without_a_neighbour),
        cmocka_unit_test(radius_of_some_rows_leaves_the_others),
        cmocka_unit_test(mutual_pairs_equal_brute_force),
        cmocka_unit_test(rows_without_partner_pair_with_nobody),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
