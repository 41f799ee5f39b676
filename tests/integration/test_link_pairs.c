/* SPDX-License-Identifier: Apache-2.0 */
/* Generated pairs through the public API alone: two maps, linear plus tanh, of one latent
   Gaussian mixture, 30% in common. Beside each result that of a Procrustes rotation
   fitted on the same seeds. And what must be refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <isolink/isolink.h>

#include "tests/unit/linkdata.h"

static struct ld_plan plan_of(uint64_t draw)
{
    return (struct ld_plan){.rows = {800, 800},
                            .shared = 240,
                            .d = {40, 56},
                            .latent = 12,
                            .clusters = 20,
                            .seeds = 15,
                            .noise = 0.03,
                            .bend = 0.3,
                            .draw = draw};
}

static enum il_status link_matrices(struct il_linking **out, const struct ld_pair *pair,
                                    const struct il_matrix *a, const struct il_matrix *b,
                                    enum il_method method, struct il_error *error)
{
    struct il_link_config config;
    il_link_config_init(&config);
    config.method = method;
    config.threads = 2;
    return il_link_run(out, a, b, pair->seeds, pair->seed_count, &config, error);
}

static enum il_status link_pair(struct il_linking **out, const struct ld_pair *pair,
                                enum il_method method, struct il_error *error)
{
    const struct il_matrix a = ld_matrix(pair, 0), b = ld_matrix(pair, 1);
    return link_matrices(out, pair, &a, &b, method, error);
}

/* ---------------------------------------------------------------------- the baseline */

/* Rows of a side, centred, of length 1, in f64. To be freed. */
static double *centred(const struct ld_pair *pair, int side)
{
    size_t n = pair->rows[side], d = pair->d[side];
    double *x = calloc(n * d, sizeof(*x)), *mean = calloc(d, sizeof(*mean));
    assert_true(x && mean);
    for (size_t i = 0; i < n * d; i++)
        mean[i % d] += pair->x[side][i] / (double)n;
    for (size_t i = 0; i < n; i++) {
        double norm = 0;
        for (size_t k = 0; k < d; k++) {
            x[i * d + k] = pair->x[side][i * d + k] - mean[k];
            norm += x[i * d + k] * x[i * d + k];
        }
        for (size_t k = 0; k < d; k++)
            x[i * d + k] /= sqrt(norm);
    }
    free(mean);
    return x;
}

/* The nearest matrix with singular values 1 (0 stays 0): Newton and Schulz's iteration
   W <- W (3 I - W'W) / 2 on n x m W of norm < 1. */
static void polar(size_t n, size_t m, double *w)
{
    double *gram = calloc(m * m, sizeof(*gram)), *next = calloc(n * m, sizeof(*next)),
           norm = 0;
    assert_true(gram && next);
    for (size_t i = 0; i < n * m; i++)
        norm += w[i] * w[i];
    for (size_t i = 0; i < n * m; i++)
        w[i] /= sqrt(norm);
    for (int turn = 0; turn < 30; turn++) {
        memset(gram, 0, m * m * sizeof(*gram));
        memset(next, 0, n * m * sizeof(*next));
        for (size_t i = 0; i < n; i++)
            for (size_t j = 0; j < m; j++)
                for (size_t k = 0; k < m; k++)
                    gram[j * m + k] -= 0.5 * w[i * m + j] * w[i * m + k];
        for (size_t j = 0; j < m; j++)
            gram[j * m + j] += 1.5;
        for (size_t i = 0; i < n; i++)
            for (size_t j = 0; j < m; j++)
                for (size_t k = 0; k < m; k++)
                    next[i * m + k] += w[i * m + j] * gram[j * m + k];
        memcpy(w, next, n * m * sizeof(*next));
    }
    free(gram);
    free(next);
}

/* Mutual nearest neighbours under the rotation that fits the seeds best. */
static struct ld_judged procrustes(const struct ld_pair *pair)
{
    size_t n = pair->rows[0], m = pair->rows[1], da = pair->d[0], db = pair->d[1],
           count = 0;
    double *a = centred(pair, 0), *b = centred(pair, 1);
    double *w = calloc(da * db, sizeof(*w)), *best_b = calloc(m, sizeof(*best_b));
    uint32_t *to_b = calloc(n, sizeof(*to_b)), *to_a = calloc(m, sizeof(*to_a));
    struct il_link *links = calloc(n, sizeof(*links));
    assert_true(w && best_b && to_b && to_a && links);
    for (size_t s = 0; s < pair->seed_count; s++)
        for (size_t i = 0; i < da; i++)
            for (size_t j = 0; j < db; j++)
                w[i * db + j] +=
                    a[pair->seeds[s].a * da + i] * b[pair->seeds[s].b * db + j];
    polar(da, db, w);
    for (size_t v = 0; v < m; v++)
        best_b[v] = -9;
    for (size_t u = 0; u < n; u++) {
        double image[64] = {0}, best = -9;
        for (size_t i = 0; i < da; i++)
            for (size_t j = 0; j < db; j++)
                image[j] += a[u * da + i] * w[i * db + j];
        for (size_t v = 0; v < m; v++) {
            double s = 0;
            for (size_t j = 0; j < db; j++)
                s += image[j] * b[v * db + j];
            if (s > best)
                best = s, to_b[u] = (uint32_t)v;
            if (s > best_b[v])
                best_b[v] = s, to_a[v] = (uint32_t)u;
        }
    }
    for (size_t u = 0; u < n; u++) {
        int seed = 0;
        for (size_t s = 0; s < pair->seed_count; s++)
            seed |= pair->seeds[s].a == u || pair->seeds[s].b == to_b[u];
        if (to_a[to_b[u]] == u && !seed)
            links[count++] =
                (struct il_link){.a = u, .b = to_b[u], .origin = IL_ORIGIN_LINK};
    }
    struct ld_judged j = ld_judge(links, count, pair);
    free(a);
    free(b);
    free(w);
    free(best_b);
    free(to_b);
    free(to_a);
    free(links);
    return j;
}

/* ------------------------------------------------------------------------- the tests */

static void finds_the_common_documents(void **state)
{
    (void)state;
    double f1 = 0, precision = 0, recall = 0, said = 0, base = 0;
    for (uint64_t draw = 1; draw <= 3; draw++) {
        struct ld_plan plan = plan_of(draw);
        struct ld_pair pair;
        struct il_linking *out = NULL;
        struct il_error error = {""};
        size_t count = 0;
        ld_open(&pair, &plan);
        if (link_pair(&out, &pair, IL_METHOD_GEH, &error) != IL_OK)
            fail_msg("draw %d: %s", (int)draw, error.text);
        const struct il_link *links = il_link_links(out, &count);
        const struct il_link_report *r = il_link_report(out);
        struct ld_judged j = ld_judge(links, count, &pair), p = procrustes(&pair);
        print_message("draw %d  geh: P %.3f (said %.3f, %.3f-%.3f) R %.3f F1 %.3f   "
                      "Procrustes: P %.3f R %.3f F1 %.3f\n",
                      (int)draw, j.precision, r->precision, r->precision_low,
                      r->precision_high, j.recall, j.f1, p.precision, p.recall, p.f1);
        ld_links_sound(links, count, &pair);
        assert_true(j.f1 > p.f1);
        f1 += j.f1 / 3, precision += j.precision / 3, recall += j.recall / 3;
        said += r->precision / 3, base += p.f1 / 3;
        il_link_close(&out);
        ld_close(&pair);
    }
    print_message("mean: P %.3f (said %.3f) R %.3f F1 %.3f, Procrustes F1 %.3f\n",
                  precision, said, recall, f1, base);
    assert_true(precision >= 0.70 && recall >= 0.60);
    assert_true(f1 >= base + 0.2);
    assert_true(fabs(said - precision) <= 0.12);
}

/* A run that must end without links beyond the seeds, and say why. */
static void refused(struct ld_plan plan, const char *what)
{
    for (uint64_t draw = 1; draw <= 3; draw++) {
        struct ld_pair pair;
        struct il_linking *out = NULL;
        struct il_error error = {""};
        size_t count = 0;
        plan.draw = draw;
        ld_open(&pair, &plan);
        enum il_status status = link_pair(&out, &pair, IL_METHOD_GEH, &error);
        assert_non_null(out);
        const struct il_link *links = il_link_links(out, &count);
        if (status != IL_EBOOTSTRAP)
            fail_msg("%s, draw %d: status %d and %zu links", what, (int)draw, (int)status,
                     count);
        assert_true(count <= pair.seed_count);
        for (size_t i = 0; i < count; i++)
            assert_int_equal(links[i].origin, IL_ORIGIN_SEED);
        assert_true(il_link_report(out)->refused);
        assert_true(strstr(error.text, "seeds") && strpbrk(error.text, "0123456789"));
        il_link_close(&out);
        ld_close(&pair);
    }
}

static void shuffled_seeds_are_refused(void **state)
{
    (void)state;
    struct ld_plan plan = plan_of(1);
    plan.rows[0] = plan.rows[1] = 500;
    plan.shuffle_seeds = 1;
    refused(plan, "shuffled seeds");
}

static void noise_is_refused(void **state)
{
    (void)state;
    struct ld_plan plan = plan_of(1);
    plan.rows[0] = plan.rows[1] = 500;
    plan.noise_b = 1;
    refused(plan, "noise");
}

static void unrelated_sides_are_refused(void **state)
{
    (void)state;
    struct ld_plan plan = plan_of(1);
    plan.rows[0] = plan.rows[1] = 500;
    plan.unrelated = 1;
    refused(plan, "unrelated");
}

/* Side B is side A in another order: nearly everything must be linked, and said to be
 * right. */
static void identical_sides_link_everything(void **state)
{
    (void)state;
    struct ld_plan plan = plan_of(4);
    plan.rows[0] = plan.rows[1] = plan.shared = 600;
    struct ld_pair pair;
    struct il_linking *out = NULL;
    size_t count = 0;
    ld_open(&pair, &plan);
    pair.d[1] = pair.d[0];
    pair.x[1] = realloc(pair.x[1], pair.rows[1] * pair.d[1] * sizeof(float));
    assert_non_null(pair.x[1]);
    for (size_t u = 0; u < pair.rows[0]; u++)
        memcpy(pair.x[1] + pair.partner[0][u] * pair.d[1], pair.x[0] + u * pair.d[0],
               pair.d[0] * sizeof(float));
    assert_int_equal(link_pair(&out, &pair, IL_METHOD_GEH, NULL), IL_OK);
    const struct il_link *links = il_link_links(out, &count);
    struct ld_judged j = ld_judge(links, count, &pair);
    print_message("identical: %zu of 585 linked, %zu right, precision said %.3f\n",
                  j.links, j.right, il_link_report(out)->precision);
    assert_true(j.right >= 575 && j.links - j.right <= 3);
    assert_true(il_link_report(out)->precision >= 0.95);
    assert_int_equal(il_link_report(out)->seeds_wrong, 0);
    il_link_close(&out);
    ld_close(&pair);
}

/* f32 -> f16, to nearest even; magnitudes of 2^-14 to 65,504, smaller ones become 0. */
static uint16_t half(float x)
{
    uint32_t bits;
    memcpy(&bits, &x, sizeof(bits));
    uint32_t sign = bits >> 16 & 0x8000, body = bits & 0x7fffffff;
    body += 0xfff + (body >> 13 & 1);
    return (uint16_t)(body < 0x38800000 ? sign : sign | (body - 0x38000000) >> 13);
}

/* The links hardly depend on how the coordinates are stored. */
static void other_types_are_accepted(void **state)
{
    (void)state;
    struct ld_plan plan = plan_of(5);
    plan.shared = 400;
    struct ld_pair pair;
    struct il_linking *plain = NULL, *out = NULL;
    size_t plain_count = 0, count = 0, same = 0;
    ld_open(&pair, &plan);
    size_t na = pair.rows[0] * pair.d[0], nb = pair.rows[1] * pair.d[1];
    uint16_t *a = calloc(na, sizeof(*a));
    int8_t *b = calloc(nb, sizeof(*b));
    assert_true(a && b);
    for (size_t i = 0; i < na; i++)
        a[i] = half(pair.x[0][i]);
    for (size_t i = 0; i < nb; i++) { /* 24 steps to the unit: no coordinate is above 5 */
        double x = 24 * pair.x[1][i];
        b[i] = (int8_t)lrint(x > 127 ? 127 : x < -127 ? -127 : x);
    }
    const struct il_matrix ma = {IL_F16, pair.rows[0], pair.d[0], pair.d[0] * 2, a};
    const struct il_matrix mb = {IL_I8, pair.rows[1], pair.d[1], pair.d[1], b};
    assert_int_equal(link_pair(&plain, &pair, IL_METHOD_GEH, NULL), IL_OK);
    assert_int_equal(link_matrices(&out, &pair, &ma, &mb, IL_METHOD_GEH, NULL), IL_OK);
    const struct il_link *x = il_link_links(plain, &plain_count);
    const struct il_link *y = il_link_links(out, &count);
    ld_links_sound(y, count, &pair);
    for (size_t i = 0; i < plain_count; i++)
        for (size_t j = 0; j < count; j++)
            same += x[i].a == y[j].a && x[i].b == y[j].b;
    print_message("f32 and f32: %zu links, f16 and i8: %zu, in common %zu\n", plain_count,
                  count, same);
    assert_true(same * 10 >= plain_count * 8 && same * 10 >= count * 8);
    assert_true(ld_judge(y, count, &pair).f1 >=
                ld_judge(x, plain_count, &pair).f1 - 0.08);
    il_link_close(&plain);
    il_link_close(&out);
    free(a);
    free(b);
    ld_close(&pair);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_the_common_documents),
        cmocka_unit_test(shuffled_seeds_are_refused),
        cmocka_unit_test(noise_is_refused),
        cmocka_unit_test(unrelated_sides_are_refused),
        cmocka_unit_test(identical_sides_link_everything),
        cmocka_unit_test(other_types_are_accepted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
