/* SPDX-License-Identifier: Apache-2.0 */
/* Matching inside clusters against matching of all pairs. */
#include "tests/unit/unit.h"

#include "src/link/local.h"

#include "tests/unit/linkdata.h"

#define N 1500
#define M 1400
#define SHARED 900
#define D 12
#define TOPICS 40

/* Rows of topics; row i < SHARED of B is row i of A and a little noise. */
struct world {
    struct il_frame frame;
    float *x[2], *radius[2];
    struct il_signature sig[2];
    struct il_top3 *row, *col;
};

static void world_open(struct world *w, unsigned threads)
{
    static const size_t rows[2] = {N, M};
    struct ld_rng rng = {7};
    float topic[TOPICS][D];
    memset(w, 0, sizeof *w);
    w->frame.simd = il_simd();
    assert_int_equal(il_pool_open(&w->frame.pool, threads), IL_OK);
    for (int t = 0; t < TOPICS; t++)
        ld_normals(&rng, D, 1, topic[t]);
    for (int s = 0; s < 2; s++) {
        w->x[s] = il_alloc(rows[s] * D, sizeof(float));
        w->radius[s] = il_alloc(rows[s], sizeof(float));
        for (size_t i = 0; i < rows[s]; i++) {
            for (size_t k = 0; k < D; k++) {
                float own = (float)(0.4 * ld_normal(&rng));
                w->x[s][i * D + k] = s && i < SHARED ? w->x[0][i * D + k] + 0.02f * own
                                                     : topic[i % TOPICS][k] + own;
            }
            w->radius[s][i] = (float)(0.1 * ld_uniform(&rng));
        }
        w->frame.simd->normalise_f32(w->x[s], rows[s], D, D);
        w->sig[s] = (struct il_signature){.part = {{w->x[s], D, NULL, D, 0}},
                                          .parts = 1,
                                          .scale = s ? 1 : 2,
                                          .tail = s ? IL_TAIL_B : IL_TAIL_A,
                                          .radius = w->radius[s]};
    }
    w->row = il_top3_new(N);
    w->col = il_top3_new(M);
}

static void world_close(struct world *w)
{
    for (int s = 0; s < 2; s++) {
        il_free(w->x[s]);
        il_free(w->radius[s]);
    }
    il_free(w->row);
    il_free(w->col);
    il_pool_close(&w->frame.pool);
}

static enum il_status run(struct world *w, size_t rows, unsigned nearest,
                          unsigned replicates)
{
    const struct il_local_options options = {rows, nearest, replicates};
    for (size_t i = 0; i < N; i++)
        il_top3_clear(&w->row[i]);
    for (size_t j = 0; j < M; j++)
        il_top3_clear(&w->col[j]);
    return il_match_local(&w->frame, &w->sig[0], N, &w->sig[1], M, &options, 1, w->row,
                          w->col);
}

/* No entry twice, best first, and every value that of its pair: an fma chain, tail last.
 */
static void check_lists(const struct world *w, const struct il_top3 *lists, size_t count,
                        int side)
{
    for (size_t i = 0; i < count; i++) {
        for (int e = 0; e < IL_TOP; e++) {
            uint32_t other = lists[i].index[e];
            if (other == IL_INDEX_NONE)
                continue;
            size_t u = side ? other : i, v = side ? i : other;
            float s = 0;
            for (size_t k = 0; k < D; k++)
                s = fmaf(2 * w->x[0][u * D + k], w->x[1][v * D + k], s);
            s = fmaf(1, -w->radius[1][v], s);
            s = fmaf(-w->radius[0][u], 1, s);
            assert_true(lists[i].value[e] == s);
            for (int f = 0; f < e; f++) {
                assert_true(lists[i].index[f] != other);
                assert_true(lists[i].value[f] >= s);
            }
        }
    }
}

/* Without clusters it is the matcher; with few rows a cluster it still finds nearly all
   of what the matcher finds, and never anything else. */
static void finds_what_the_matcher_finds(void **state)
{
    (void)state;
    struct world all, w;
    world_open(&all, 2);
    world_open(&w, 2);
    assert_int_equal(run(&all, 100, 0, 1), IL_OK);
    assert_int_equal(run(&w, 100, 3, 1), IL_OK);
    check_lists(&all, all.row, N, 0);
    check_lists(&w, w.row, N, 0);
    check_lists(&w, w.col, M, 1);
    double madds[2] = {all.frame.multiply_adds, w.frame.multiply_adds};
    size_t same = 0, shared = 0;
    for (uint32_t u = 0; u < N; u++) {
        uint32_t v = all.row[u].index[0];
        assert_true(w.row[u].value[0] <= all.row[u].value[0]);
        if (v == u && all.col[v].index[0] == u) {
            shared++;
            same += w.row[u].index[0] == v && w.col[v].index[0] == u;
        }
    }
    print_message("%zu of %zu mutual pairs kept, %.2f of the multiply-adds\n", same,
                  shared, madds[1] / madds[0]);
    assert_true(shared > 0.9 * SHARED && same > 0.99 * (double)shared);
    assert_true(madds[1] < 0.6 * madds[0]);
    /* Another partition can only add. */
    assert_int_equal(run(&all, 100, 3, 2), IL_OK);
    for (size_t u = 0; u < N; u++)
        assert_true(all.row[u].value[0] >= w.row[u].value[0]);
    check_lists(&all, all.row, N, 0);
    world_close(&w);
    world_close(&all);
}

static void threads_change_nothing(void **state)
{
    (void)state;
    struct world one;
    world_open(&one, 1);
    assert_int_equal(run(&one, 120, 2, 2), IL_OK);
    for (unsigned threads = 2; threads <= 7; threads += 5) {
        struct world w;
        world_open(&w, threads);
        assert_int_equal(run(&w, 120, 2, 2), IL_OK);
        assert_memory_equal(w.row, one.row, N * sizeof *w.row);
        assert_memory_equal(w.col, one.col, M * sizeof *w.col);
        world_close(&w);
    }
    world_close(&one);
}

/* All rows alike: one centre takes them all, and no list is wrong. */
static void equal_rows_meet(void **state)
{
    (void)state;
    struct world w;
    world_open(&w, 2);
    for (int s = 0; s < 2; s++)
        for (size_t i = 1; i < (s ? M : N); i++)
            memcpy(w.x[s] + i * D, w.x[0], D * sizeof(float));
    assert_int_equal(run(&w, 100, 2, 1), IL_OK);
    check_lists(&w, w.row, N, 0);
    for (size_t u = 0; u < N; u++)
        assert_true(w.row[u].index[0] != IL_INDEX_NONE);
    world_close(&w);
}

static enum il_status use(void *context)
{
    return run(context, 120, 2, 1);
}

static void memory_faults_are_told(void **state)
{
    (void)state;
    struct world w;
    world_open(&w, 1);
    assert_true(unit_starve(use, &w) > 20);
    world_close(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_what_the_matcher_finds),
        cmocka_unit_test(threads_change_nothing),
        cmocka_unit_test(equal_rows_meet),
        cmocka_unit_test(memory_faults_are_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
