/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/unit.h"

#include "src/link/view.h"
#include "tests/unit/linkdata.h"

#define RIDGE 0.1

/* A small pair with its true pairs as anchors of different weights. */
struct world {
    struct il_frame frame;
    struct ld_pair pair;
    struct il_side side[2];
    struct il_anchor anchors[1000];
    size_t count;
};

static void world_open(struct world *w, const struct il_simd *simd, unsigned threads)
{
    struct ld_plan plan = ld_plan_small();
    struct ld_rng rng = {3};
    ld_frame_open(&w->frame, simd, threads);
    ld_open(&w->pair, &plan);
    ld_sides(&w->frame, &w->pair, w->side);
    w->count = ld_true_anchors(&w->pair, w->anchors);
    for (size_t i = 0; i < w->count; i++)
        w->anchors[i].weight = (float)(0.5 + ld_uniform(&rng));
}

static void world_close(struct world *w)
{
    ld_sides_free(w->side);
    ld_close(&w->pair);
    ld_frame_close(&w->frame);
}

static enum il_status fit(struct world *w, unsigned folds, uint64_t number,
                          struct il_view *out)
{
    return il_view_fit(&w->frame, &w->side[0], &w->side[1], w->anchors, w->count, folds,
                       RIDGE, 1, number, out);
}

/* Coordinate (q, j) of a packed map. */
static double map_at(const struct il_simd *simd, const float *map, size_t k_in, size_t q,
                     size_t j)
{
    size_t w = simd->nr;
    return map[(j / w * k_in + q) * w + j % w];
}

static void folds_keep_anchors_together(void **state)
{
    (void)state;
    struct world w;
    world_open(&w, NULL, 2);
    for (unsigned folds = 2; folds <= IL_FOLDS_MAX; folds += 7) {
        struct il_view view, other;
        size_t size[2][IL_FOLDS_MAX] = {{0}};
        assert_int_equal(fit(&w, folds, 0, &view), IL_OK);
        assert_int_equal(fit(&w, folds, 1, &other), IL_OK);
        assert_int_equal(view.folds, folds);
        for (size_t i = 0; i < w.count; i++)
            assert_int_equal(view.fold[0][w.anchors[i].a], view.fold[1][w.anchors[i].b]);
        for (int side = 0; side < 2; side++) {
            for (size_t u = 0; u < w.side[side].rows; u++) {
                assert_true(view.fold[side][u] < folds);
                size[side][view.fold[side][u]]++;
            }
            for (unsigned f = 0; f < folds; f++)
                assert_true(size[side][f] * folds * 2 > w.side[side].rows / 2);
        }
        assert_memory_not_equal(view.fold[0], other.fold[0], w.side[0].rows);
        il_view_free(&view);
        il_view_free(&other);
    }
    world_close(&w);
}

/* (G + ridge tr(G)/d I) W = C over the anchors of the other folds, plain sums. */
static void maps_solve_the_ridge_equations(void **state)
{
    (void)state;
    struct world w;
    world_open(&w, NULL, 2);
    struct il_view view;
    assert_int_equal(fit(&w, 3, 0, &view), IL_OK);
    for (int s = 0; s < 2; s++) {
        const struct il_side *from = &w.side[s], *to = &w.side[!s];
        size_t n = from->d, m = to->d;
        for (unsigned f = 0; f < 3; f++) {
            static double g[32 * 32], c[32 * 32];
            double trace = 0, worst = 0, size = 0;
            memset(g, 0, sizeof(g));
            memset(c, 0, sizeof(c));
            for (size_t i = 0; i < w.count; i++) {
                const struct il_anchor *p = &w.anchors[i];
                const float *x = from->x + (s ? p->b : p->a) * n;
                const float *y = to->x + (s ? p->a : p->b) * m;
                if (view.fold[0][p->a] == f)
                    continue;
                for (size_t q = 0; q < n; q++) {
                    for (size_t j = 0; j < n; j++)
                        g[q * n + j] += (double)p->weight * x[q] * x[j];
                    for (size_t j = 0; j < m; j++)
                        c[q * m + j] += (double)p->weight * x[q] * y[j];
                }
            }
            for (size_t q = 0; q < n; q++)
                trace += g[q * n + q];
            for (size_t q = 0; q < n; q++) {
                for (size_t j = 0; j < m; j++) {
                    double sum = -c[q * m + j];
                    for (size_t i = 0; i < n; i++)
                        sum += (g[q * n + i] + (i == q ? RIDGE * trace / (double)n : 0)) *
                               map_at(w.frame.simd, view.map[s][f], n, i, j);
                    worst = fabs(sum) > worst ? fabs(sum) : worst;
                    size = fabs(c[q * m + j]) > size ? fabs(c[q * m + j]) : size;
                }
            }
            assert_true(size > 0 && worst < 1e-4 * size);
        }
    }
    il_view_free(&view);
    world_close(&w);
}

/* The point of cross-fitting: whatever partners the anchors of a fold have, the map that
   scores the fold stays the same, to the bit. */
static void no_anchor_reaches_the_map_of_its_own_fold(void **state)
{
    (void)state;
    struct world w;
    world_open(&w, NULL, 1);
    struct il_view before, after;
    assert_int_equal(fit(&w, 4, 0, &before), IL_OK);
    uint32_t last = LD_NONE, first = 0;
    for (size_t i = 0; i < w.count; i++) { /* rotate the partners inside fold 2 */
        if (before.fold[0][w.anchors[i].a] != 2)
            continue;
        if (last == LD_NONE)
            first = w.anchors[i].b;
        else
            w.anchors[last].b = w.anchors[i].b;
        last = (uint32_t)i;
    }
    w.anchors[last].b = first;
    assert_int_equal(fit(&w, 4, 0, &after), IL_OK);
    size_t da = w.side[0].d, db = w.side[1].d, differ = 0;
    for (unsigned f = 0; f < 4; f++) {
        for (size_t q = 0; q < da; q++) {
            for (size_t j = 0; j < db; j++) {
                const struct il_simd *simd = w.frame.simd;
                int same = map_at(simd, before.map[0][f], da, q, j) ==
                               map_at(simd, after.map[0][f], da, q, j) &&
                           map_at(simd, before.map[1][f], db, j, q) ==
                               map_at(simd, after.map[1][f], db, j, q);
                assert_true(f != 2 || same);
                differ += !same;
            }
        }
    }
    assert_true(differ > da * db);
    il_view_free(&before);
    il_view_free(&after);
    world_close(&w);
}

static void images_are_added_with_their_weight(void **state)
{
    (void)state;
    struct world w;
    world_open(&w, NULL, 2);
    struct il_view view;
    assert_int_equal(fit(&w, 3, 0, &view), IL_OK);
    for (int s = 0; s < 2; s++) {
        const struct il_side *from = &w.side[s], *to = &w.side[!s];
        size_t n = from->d, m = to->d;
        float *out = calloc(from->rows * m, sizeof(*out));
        assert_non_null(out);
        for (size_t i = 0; i < from->rows * m; i++)
            out[i] = 2;
        assert_int_equal(il_view_images(&w.frame, &view, from, to, s, 0.25f, out), IL_OK);
        for (size_t u = 0; u < from->rows; u++) {
            double image[32], norm = 0;
            for (size_t j = 0; j < m; j++) {
                image[j] = 0;
                for (size_t q = 0; q < n; q++)
                    image[j] +=
                        from->x[u * n + q] *
                        map_at(w.frame.simd, view.map[s][view.fold[s][u]], n, q, j);
                norm += image[j] * image[j];
            }
            for (size_t j = 0; j < m; j++)
                assert_float_equal(out[u * m + j], 2 + 0.25 * image[j] / sqrt(norm),
                                   2e-6);
        }
        free(out);
    }
    il_view_free(&view);
    world_close(&w);
}

static void fit_and_score(struct world *w, unsigned views, struct il_scores *scores)
{
    struct il_view view[4];
    for (unsigned v = 0; v < views; v++)
        assert_int_equal(fit(w, 3, v, &view[v]), IL_OK);
    assert_int_equal(
        il_scores_run(&w->frame, &w->side[0], &w->side[1], view, views, 1, 0, scores),
        IL_OK);
    for (unsigned v = 0; v < views; v++)
        il_view_free(&view[v]);
}

/* S(u, v) in f64 from the images. */
static double similarity(const struct world *w, const struct il_scores *s, size_t u,
                         size_t v)
{
    size_t da = w->side[0].d, db = w->side[1].d;
    double sum = 0;
    for (size_t k = 0; k < db; k++)
        sum += (double)s->image_a[u * db + k] * w->side[1].x[v * db + k];
    for (size_t k = 0; k < da; k++)
        sum += (double)w->side[0].x[u * da + k] * s->image_b[v * da + k];
    return sum / 2;
}

static void mean_images_and_radii(void **state)
{
    (void)state;
    struct world w;
    world_open(&w, NULL, 2);
    struct il_scores scores;
    fit_and_score(&w, 3, &scores);
    float *image = calloc(w.side[0].rows * w.side[1].d, sizeof(*image));
    assert_non_null(image);
    for (unsigned v = 0; v < 3; v++) {
        struct il_view view;
        assert_int_equal(fit(&w, 3, v, &view), IL_OK);
        assert_int_equal(
            il_view_images(&w.frame, &view, &w.side[0], &w.side[1], 0, 1.0f / 3, image),
            IL_OK);
        il_view_free(&view);
    }
    assert_memory_equal(image, scores.image_a,
                        w.side[0].rows * w.side[1].d * sizeof(float));
    free(image);
    /* Fewer rows than the sample: the radius is over all of the other side. */
    for (int s = 0; s < 2; s++) {
        for (size_t u = 0; u < w.side[s].rows; u++) {
            double best[3] = {-9, -9, -9}, sum = 0;
            for (size_t v = 0; v < w.side[!s].rows; v++) {
                double x = similarity(&w, &scores, s ? v : u, s ? u : v);
                int at = x > best[0] ? 0 : x > best[1] ? 1 : x > best[2] ? 2 : 3;
                for (int e = 2; e > at; e--)
                    best[e] = best[e - 1];
                if (at < 3)
                    best[at] = x;
            }
            const struct il_top3 *near = s ? &scores.near_b[u] : &scores.near_a[u];
            for (int e = 0; e < 3; e++) {
                uint32_t v = near->index[e];
                assert_true(v < w.side[!s].rows);
                assert_float_equal(near->value[e], best[e], 2e-6);
                assert_float_equal(similarity(&w, &scores, s ? v : u, s ? u : v), best[e],
                                   2e-6);
                sum += e < IL_RADIUS_NEAREST ? best[e] / IL_RADIUS_NEAREST : 0;
            }
            assert_float_equal(s ? scores.radius_b[u] : scores.radius_a[u], sum, 2e-6);
        }
    }
    il_scores_free(&scores);
    world_close(&w);
}

/* The lists of the fused matcher against the whole n x m matrix: the three best of every
   row and column to the bit, the scores themselves against f64. */
static void three_best_equal_the_full_matrix(void **state)
{
    (void)state;
    struct il_simd table[4];
    size_t isas = ld_isas(table);
    struct il_scores first = {0};
    for (size_t t = 0; t < 2 * isas; t++) {
        struct world w;
        world_open(&w, &table[t / 2], t % 2 ? 3 : 1);
        struct il_scores s;
        fit_and_score(&w, 2, &s);
        size_t n = w.side[0].rows, m = w.side[1].rows, da = w.side[0].d, db = w.side[1].d;
        if (t == 0) {
            struct il_top3 *row = il_top3_new(n), *col = il_top3_new(m);
            float x[66], y[66];
            for (uint32_t u = 0; u < n; u++) {
                memcpy(x, s.image_a + u * db, db * sizeof(float));
                memcpy(x + db, w.side[0].x + u * da, da * sizeof(float));
                x[db + da] = 1;
                x[db + da + 1] = -s.radius_a[u];
                for (uint32_t v = 0; v < m; v++) {
                    memcpy(y, w.side[1].x + v * db, db * sizeof(float));
                    memcpy(y + db, s.image_b + v * da, da * sizeof(float));
                    y[db + da] = -s.radius_b[v];
                    y[db + da + 1] = 1;
                    float csls = ld_chain(x, y, da + db + 2);
                    assert_float_equal(csls,
                                       2 * similarity(&w, &s, u, v) - s.radius_a[u] -
                                           s.radius_b[v],
                                       2e-6);
                    il_top3_insert(&row[u], csls, v);
                    il_top3_insert(&col[v], csls, u);
                }
            }
            ld_top3_equal(s.row, row, n);
            ld_top3_equal(s.col, col, m);
            il_free(row);
            il_free(col);
            first = s;
        } else {
            ld_top3_equal(first.row, s.row, n);
            ld_top3_equal(first.col, s.col, m);
            assert_memory_equal(first.image_a, s.image_a, n * db * sizeof(float));
            assert_memory_equal(first.image_b, s.image_b, m * da * sizeof(float));
            ld_top3_equal(first.near_a, s.near_a, n);
            ld_top3_equal(first.near_b, s.near_b, m);
            assert_memory_equal(first.radius_a, s.radius_a, n * sizeof(float));
            assert_memory_equal(first.radius_b, s.radius_b, m * sizeof(float));
            il_scores_free(&s);
        }
        world_close(&w);
    }
    il_scores_free(&first);
}

/* Out-of-fold maps of the true pairs find most of them again. */
static void right_pairs_are_mutual(void **state)
{
    (void)state;
    struct world w;
    world_open(&w, NULL, 2);
    struct il_scores s;
    fit_and_score(&w, 4, &s);
    size_t right = 0;
    for (size_t i = 0; i < w.count; i++)
        right += s.row[w.anchors[i].a].index[0] == w.anchors[i].b &&
                 s.col[w.anchors[i].b].index[0] == w.anchors[i].a;
    assert_true(right * 10 > w.count * 8);
    il_scores_free(&s);
    world_close(&w);
}

static enum il_status use(void *context)
{
    struct world *w = context;
    struct il_view view = {0};
    struct il_scores scores = {0};
    enum il_status status = fit(w, 2, 0, &view);
    status = status ? status
                    : il_scores_run(&w->frame, &w->side[0], &w->side[1], &view, 1, 1, 0,
                                    &scores);
    il_view_free(&view);
    il_scores_free(&scores);
    return status;
}

static void memory_faults_are_told(void **state)
{
    (void)state;
    struct world w;
    world_open(&w, NULL, 2);
    assert_true(unit_starve(use, &w) > 30);
    world_close(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(folds_keep_anchors_together),
        cmocka_unit_test(maps_solve_the_ridge_equations),
        cmocka_unit_test(no_anchor_reaches_the_map_of_its_own_fold),
        cmocka_unit_test(images_are_added_with_their_weight),
        cmocka_unit_test(mean_images_and_radii),
        cmocka_unit_test(three_best_equal_the_full_matrix),
        cmocka_unit_test(right_pairs_are_mutual),
        cmocka_unit_test(memory_faults_are_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
