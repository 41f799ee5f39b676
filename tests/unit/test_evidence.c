/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/unit.h"

#include "src/link/evidence.h"
#include "tests/unit/linkdata.h"

#define N 83
#define M 71
#define D 6

/* Random similarities of all pairs, and what il_scores_run would give for them: radii
   over all of the other side, the lists behind them, the three best by CSLS. */
struct world {
    struct il_frame frame;
    struct il_side side[2];
    struct il_scores scores;
    float s[N][M], csls[N][M];
};

/* S of row i of one side and row j of the other. */
static double similarity(const struct world *w, int side, uint32_t i, uint32_t j)
{
    return side ? w->s[j][i] : w->s[i][j];
}

/* Radius of row i of a side: the mean of its IL_RADIUS_NEAREST most similar rows of the
   other side when row `gone` is not there. */
static double radius(const struct world *w, int side, uint32_t i, uint32_t gone)
{
    double sum = 0;
    uint32_t used[IL_RADIUS_NEAREST] = {0};
    for (int e = 0; e < IL_RADIUS_NEAREST; e++) {
        uint32_t at = LD_NONE;
        for (uint32_t j = 0; j < (side ? N : M); j++) {
            int taken = j == gone;
            for (int k = 0; k < e; k++)
                taken |= used[k] == j;
            if (!taken &&
                (at == LD_NONE || similarity(w, side, i, j) > similarity(w, side, i, at)))
                at = j;
        }
        used[e] = at;
        sum += similarity(w, side, i, at);
    }
    return sum / IL_RADIUS_NEAREST;
}

static void world_open(struct world *w, uint64_t draw)
{
    struct ld_rng rng = {draw};
    memset(w, 0, sizeof(*w));
    ld_frame_open(&w->frame, NULL, 2);
    ld_side_random(&w->side[0], N, D, draw + 1);
    ld_side_random(&w->side[1], M, D, draw + 2);
    w->scores.radius_a = il_alloc(N, sizeof(float));
    w->scores.radius_b = il_alloc(M, sizeof(float));
    w->scores.near_a = il_top3_new(N);
    w->scores.near_b = il_top3_new(M);
    w->scores.row = il_top3_new(N);
    w->scores.col = il_top3_new(M);
    for (uint32_t u = 0; u < N; u++) {
        for (uint32_t v = 0; v < M; v++) {
            w->s[u][v] = (float)(0.5 * ld_normal(&rng) + (u == v && u < 50 ? 1 : 0));
            il_top3_insert(&w->scores.near_a[u], w->s[u][v], v);
            il_top3_insert(&w->scores.near_b[v], w->s[u][v], u);
        }
    }
    for (uint32_t u = 0; u < N; u++)
        w->scores.radius_a[u] = (float)radius(w, 0, u, LD_NONE);
    for (uint32_t v = 0; v < M; v++)
        w->scores.radius_b[v] = (float)radius(w, 1, v, LD_NONE);
    for (uint32_t u = 0; u < N; u++) {
        for (uint32_t v = 0; v < M; v++) {
            w->csls[u][v] =
                2 * w->s[u][v] - w->scores.radius_a[u] - w->scores.radius_b[v];
            il_top3_insert(&w->scores.row[u], w->csls[u][v], v);
            il_top3_insert(&w->scores.col[v], w->csls[u][v], u);
        }
    }
}

static void world_close(struct world *w)
{
    il_scores_free(&w->scores);
    ld_sides_free(w->side);
    ld_frame_close(&w->frame);
}

static void collect(struct world *w, struct il_evidence *e)
{
    assert_int_equal(
        il_evidence_collect(&w->frame, &w->side[0], &w->side[1], &w->scores, e), IL_OK);
}

/* Best column of row u (side 0) or best row of column v (side 1) but for two. */
static uint32_t best(struct world *w, int side, uint32_t of, uint32_t not1, uint32_t not2)
{
    uint32_t at = LD_NONE;
    for (uint32_t i = 0; i < (side ? N : M); i++) {
        float x = side ? w->csls[i][of] : w->csls[of][i];
        if (i == not1 || i == not2)
            continue;
        if (at == LD_NONE || x > (side ? w->csls[at][of] : w->csls[of][at]))
            at = i;
    }
    return at;
}

/* What a proposal must say: CSLS above the next best column of its row, above the next
   best row of its column, and the radii. */
struct wanted {
    uint32_t a, b, parent;
    double csls, next[2], radius[2];
};

static void expect(const struct world *w, const struct il_proposal *p,
                   const struct wanted *x)
{
    assert_int_equal(p->a, x->a);
    assert_int_equal(p->b, x->b);
    assert_int_equal(p->parent, x->parent);
    assert_float_equal(p->feature[IL_F_CSLS], x->csls, 2e-6);
    assert_float_equal(p->feature[IL_F_COSINE], w->s[x->a][x->b], 2e-6);
    assert_float_equal(p->feature[IL_F_ROW_MARGIN], x->csls - x->next[0], 2e-6);
    assert_float_equal(p->feature[IL_F_COL_MARGIN], x->csls - x->next[1], 2e-6);
    assert_float_equal(p->feature[IL_F_RADIUS_A], x->radius[0], 1e-6);
    assert_float_equal(p->feature[IL_F_RADIUS_B], x->radius[1], 1e-6);
}

/*
 * The pair (own, gone) taken apart: `gone`, of the other side, is deleted from the matrix
 * and every radius of own's side measured again without it. x: what own then links to.
 * Returns whether that one prefers own too, to the rivals among the three best of its own
 * list (all that il_scores keeps), and adds to *missed when a rival beyond them would
 * have changed that.
 */
static int without(struct world *w, int side, uint32_t own, uint32_t gone,
                   struct wanted *x, size_t *missed)
{
    uint32_t count = side ? M : N, to = LD_NONE, next = LD_NONE;
    double own_radius = radius(w, side, own, gone), rival = -1e9, any = -1e9;
    const float *other_radius = side ? w->scores.radius_a : w->scores.radius_b;
    for (uint32_t j = 0; j < (side ? N : M); j++) {
        double s = 2 * similarity(w, side, own, j) - other_radius[j];
        if (j == gone)
            continue;
        if (to == LD_NONE || s > 2 * similarity(w, side, own, to) - other_radius[to])
            next = to, to = j;
        else if (next == LD_NONE ||
                 s > 2 * similarity(w, side, own, next) - other_radius[next])
            next = j;
    }
    const struct il_top3 *list = side ? &w->scores.row[to] : &w->scores.col[to];
    for (uint32_t i = 0; i < count; i++) {
        if (i == own)
            continue;
        double s =
            2 * similarity(w, side, i, to) - radius(w, side, i, gone) - other_radius[to];
        any = s > any ? s : any;
        for (int e = 0; e < IL_TOP; e++)
            rival = list->index[e] == i && s > rival ? s : rival;
    }
    x->a = side ? to : own;
    x->b = side ? own : to;
    x->csls = 2 * similarity(w, side, own, to) - own_radius - other_radius[to];
    x->next[side] = 2 * similarity(w, side, own, next) - own_radius - other_radius[next];
    x->next[!side] = rival;
    x->radius[side] = own_radius;
    x->radius[!side] = other_radius[to];
    *missed += (x->csls > any) != (x->csls > rival);
    return x->csls > rival;
}

/* Candidates and decoys from the whole matrix, deletion and radii by brute force. */
static void proposals_equal_the_full_matrix(void **state)
{
    (void)state;
    size_t all = 0, missed = 0, changed = 0;
    for (uint64_t draw = 1; draw <= 20; draw++) {
        struct world w;
        struct il_evidence e;
        world_open(&w, draw * 10);
        collect(&w, &e);
        size_t at = 0, decoys[2] = {0};
        for (uint32_t u = 0; u < N; u++) {
            uint32_t v = best(&w, 0, u, LD_NONE, LD_NONE);
            if (best(&w, 1, v, LD_NONE, LD_NONE) != u)
                continue;
            assert_true(at < e.candidates);
            uint32_t y = best(&w, 0, u, v, LD_NONE), x = best(&w, 1, v, u, LD_NONE);
            expect(&w, &e.candidate[at],
                   &(struct wanted){u,
                                    v,
                                    (uint32_t)at,
                                    w.csls[u][v],
                                    {w.csls[u][y], w.csls[x][v]},
                                    {w.scores.radius_a[u], w.scores.radius_b[v]}});
            for (int side = 0; side < 2; side++) {
                struct wanted d = {.parent = (uint32_t)at};
                int is = without(&w, side, side ? v : u, side ? u : v, &d, &missed);
                if (is) {
                    assert_true(decoys[side] < e.decoys[side]);
                    expect(&w, &e.decoy[side][decoys[side]++], &d);
                }
                /* Where the radii of before would have said otherwise. */
                changed += is != (side ? best(&w, 0, x, LD_NONE, LD_NONE) == v
                                       : best(&w, 1, y, LD_NONE, LD_NONE) == u);
                all++;
            }
            at++;
        }
        assert_int_equal(at, e.candidates);
        assert_int_equal(decoys[0], e.decoys[0]);
        assert_int_equal(decoys[1], e.decoys[1]);
        assert_true(at > 20);
        il_evidence_free(&e);
        world_close(&w);
    }
    print_message("%zu pairs taken apart; %zu decoys depend on the radii without the "
                  "partner, %zu on rivals beyond the lists\n",
                  all, changed, missed);
    assert_true(changed * 20 > all && missed * 50 < all);
}

/* Few links (no more than are looked at), in plain sums: what lies around a candidate. */
static void surroundings_of_a_small_case(void **state)
{
    (void)state;
    struct world w;
    struct il_evidence e;
    world_open(&w, 5);
    for (uint32_t u = 0; u < N; u++)
        il_top3_clear(&w.scores.row[u]);
    for (uint32_t v = 0; v < M; v++)
        il_top3_clear(&w.scores.col[v]);
    for (uint32_t i = 0; i < 7; i++) { /* links (i, 2 i), alone in their lists */
        il_top3_insert(&w.scores.row[i], 0.5f + 0.1f * (float)i, 2 * i);
        il_top3_insert(&w.scores.col[2 * i], 0.5f + 0.1f * (float)i, i);
    }
    collect(&w, &e);
    assert_int_equal(e.candidates, 7);
    assert_int_equal(e.decoys[0] + e.decoys[1], 0);
    const float *a = w.side[0].x, *b = w.side[1].x;
    for (uint32_t i = 0; i < 7; i++) {
        const double *f = e.candidate[i].feature;
        double x = 0, y = 0, xx = 0, yy = 0, xy = 0, dd = 0, score = 0;
        for (uint32_t j = 0; j < 7; j++) {
            if (j == i)
                continue; /* its own link tells a pair nothing */
            double p = ld_chain(a + i * D, a + j * D, D);
            double q = ld_chain(b + 2 * i * D, b + 2 * j * D, D);
            x += p / 6, y += q / 6;
            xx += p * p / 6, yy += q * q / 6, xy += p * q / 6;
            dd += (p - q) * (p - q) / 6;
            score += e.candidate[j].feature[IL_F_COSINE] / 6;
        }
        assert_true(f[IL_F_ROW_MARGIN] == 0 &&
                    f[IL_F_COL_MARGIN] == 0); /* no second best */
        assert_float_equal(f[IL_F_DENSITY_A], x, 1e-6);
        assert_float_equal(f[IL_F_DENSITY_B], y, 1e-6);
        assert_float_equal(f[IL_F_LOCAL_A], score, 1e-6);
        assert_float_equal(f[IL_F_LOCAL_B], score, 1e-6);
        assert_float_equal(f[IL_F_DISTORTION], sqrt(dd), 1e-6);
        assert_float_equal(f[IL_F_CONSISTENCY],
                           (xy - x * y) / sqrt((xx - x * x) * (yy - y * y)), 1e-5);
    }
    il_evidence_free(&e);
    world_close(&w);
}

/* A decoy must look as if the row taken away had never been there: whatever that row's
   vector is, not one bit of the decoy's evidence changes. */
static void decoys_do_not_see_the_row_taken_away(void **state)
{
    (void)state;
    struct world w;
    struct il_evidence e;
    size_t seen[2] = {0};
    world_open(&w, 77);
    collect(&w, &e);
    for (int side = 0; side < 2; side++) {
        for (size_t i = 0; i < e.decoys[side]; i++) {
            const struct il_proposal *d = &e.decoy[side][i], *c = &e.candidate[d->parent];
            /* decoy[0]: the row of B went; decoy[1]: that of A */
            float *gone = side ? w.side[0].x + c->a * D : w.side[1].x + c->b * D;
            float kept[D];
            struct il_evidence again;
            memcpy(kept, gone, sizeof(kept));
            /* As near to the decoy's own row as can be, so that it would count. */
            memcpy(gone, side ? w.side[0].x + d->a * D : w.side[1].x + d->b * D,
                   sizeof(kept));
            collect(&w, &again);
            assert_int_equal(again.decoys[side], e.decoys[side]);
            assert_memory_equal(again.decoy[side][i].feature, d->feature,
                                sizeof(d->feature));
            il_evidence_free(&again);
            memcpy(gone, kept, sizeof(kept));
            seen[side]++;
        }
    }
    assert_true(seen[0] >= 3 && seen[1] >= 3);
    il_evidence_free(&e);
    world_close(&w);
}

/* On a pair with structure the maps, matcher and evidence together: right candidates lie
   in more consistent surroundings than decoys. */
static void right_candidates_are_more_consistent(void **state)
{
    (void)state;
    struct il_frame frame;
    struct ld_plan plan = ld_plan_small();
    struct ld_pair pair;
    struct il_side side[2];
    struct il_anchor anchors[1000];
    struct il_view view;
    struct il_scores scores;
    struct il_evidence e;
    ld_frame_open(&frame, NULL, 2);
    ld_open(&pair, &plan);
    ld_sides(&frame, &pair, side);
    size_t count = ld_true_anchors(&pair, anchors);
    assert_int_equal(
        il_view_fit(&frame, &side[0], &side[1], anchors, count, 4, 0.1, 1, 0, &view),
        IL_OK);
    assert_int_equal(il_scores_run(&frame, &side[0], &side[1], &view, 1, 1, 0, &scores),
                     IL_OK);
    assert_int_equal(il_evidence_collect(&frame, &side[0], &side[1], &scores, &e), IL_OK);
    double mean[2][IL_FEATURES] = {{0}}, spread = 0;
    size_t decoys = e.decoys[0] + e.decoys[1], right = 0;
    for (size_t i = 0; i < e.candidates; i++) {
        const struct il_proposal *p = &e.candidate[i];
        if (pair.partner[0][p->a] != p->b)
            continue;
        right++;
        for (int k = 0; k < IL_FEATURES; k++)
            mean[0][k] += p->feature[k];
    }
    for (int k = 0; k < IL_FEATURES; k++)
        mean[0][k] /= (double)right;
    for (int d = 0; d < 2; d++)
        for (size_t i = 0; i < e.decoys[d]; i++)
            for (int k = 0; k < IL_FEATURES; k++)
                mean[1][k] += e.decoy[d][i].feature[k] / (double)decoys;
    for (int d = 0; d < 2; d++)
        for (size_t i = 0; i < e.decoys[d]; i++) {
            double off = e.decoy[d][i].feature[IL_F_CSLS] - mean[1][IL_F_CSLS];
            spread += off * off / (double)decoys;
        }
    spread = sqrt(spread);
    print_message("CSLS: %zu right candidates %.3f, %zu decoys %.3f (spread %.3f)\n",
                  right, mean[0][IL_F_CSLS], decoys, mean[1][IL_F_CSLS], spread);
    assert_true(right > 150 && e.decoys[0] > 5 && e.decoys[1] > 5);
    assert_true(mean[0][IL_F_CONSISTENCY] > mean[1][IL_F_CONSISTENCY]);
    assert_true(mean[0][IL_F_DISTORTION] < mean[1][IL_F_DISTORTION]);
    assert_true(mean[0][IL_F_CSLS] > mean[1][IL_F_CSLS] + 2 * spread);
    il_evidence_free(&e);
    il_scores_free(&scores);
    il_view_free(&view);
    ld_sides_free(side);
    ld_close(&pair);
    ld_frame_close(&frame);
}

/* What the acceptance rests on: a row without counterpart proposes a false candidate as
   often as a row proposes a decoy once its partner is gone, and the two look alike. The
   radius of the row must not remember the partner: it would be larger, the decoy's CSLS
   smaller and its pair less often mutual. */
static void false_candidates_are_like_decoys(void **state)
{
    (void)state;
    double rate[2] = {0}, csls[2] = {0}, radius[2] = {0}, count[2] = {0};
    for (uint64_t draw = 1; draw <= 3; draw++) {
        struct ld_plan plan = {.rows = {500, 500},
                               .shared = 150,
                               .d = {40, 56},
                               .latent = 12,
                               .clusters = 20,
                               .seeds = 15,
                               .noise = 0.03,
                               .bend = 0.3};
        struct ld_pair pair;
        struct il_frame frame;
        struct il_side side[2];
        struct il_anchor anchors[200];
        struct il_view view;
        struct il_scores scores;
        struct il_evidence e;
        plan.draw = draw;
        ld_frame_open(&frame, NULL, 2);
        ld_open(&pair, &plan);
        ld_sides(&frame, &pair, side);
        size_t n = ld_true_anchors(&pair, anchors), right = 0;
        assert_int_equal(
            il_view_fit(&frame, &side[0], &side[1], anchors, n, 5, 0.1, 1, 0, &view),
            IL_OK);
        assert_int_equal(
            il_scores_run(&frame, &side[0], &side[1], &view, 1, 1, 0, &scores), IL_OK);
        assert_int_equal(il_evidence_collect(&frame, &side[0], &side[1], &scores, &e),
                         IL_OK);
        for (size_t i = 0; i < e.candidates; i++) {
            const struct il_proposal *p = &e.candidate[i];
            right += pair.partner[0][p->a] == p->b;
            if (pair.partner[0][p->a] != LD_NONE || pair.partner[1][p->b] != LD_NONE)
                continue;
            count[0] += 1, rate[0] += 1.0 / 350 / 3;
            csls[0] += p->feature[IL_F_CSLS];
            radius[0] += p->feature[IL_F_RADIUS_A] + p->feature[IL_F_RADIUS_B];
        }
        for (int d = 0; d < 2; d++) {
            for (size_t i = 0; i < e.decoys[d]; i++) {
                const struct il_proposal *p = &e.decoy[d][i],
                                         *c = &e.candidate[p->parent];
                if (pair.partner[0][c->a] != c->b)
                    continue;
                count[1] += 1, rate[1] += 0.5 / (double)right / 3;
                csls[1] += p->feature[IL_F_CSLS];
                radius[1] += p->feature[IL_F_RADIUS_A] + p->feature[IL_F_RADIUS_B];
            }
        }
        il_evidence_free(&e);
        il_scores_free(&scores);
        il_view_free(&view);
        ld_sides_free(side);
        ld_close(&pair);
        ld_frame_close(&frame);
    }
    print_message(
        "false candidates: %.2f a row, CSLS %.3f, radii %.3f; decoys: %.2f a row, "
        "CSLS %.3f, radii %.3f\n",
        rate[0], csls[0] / count[0], radius[0] / count[0] / 2, rate[1],
        csls[1] / count[1], radius[1] / count[1] / 2);
    assert_true(fabs(rate[1] / rate[0] - 1) < 0.2);
    assert_true(fabs(csls[0] / count[0] - csls[1] / count[1]) < 0.02);
}

static enum il_status use(void *context)
{
    struct world *w = context;
    struct il_evidence e;
    enum il_status status =
        il_evidence_collect(&w->frame, &w->side[0], &w->side[1], &w->scores, &e);
    if (status)
        assert_true(!e.candidate && !e.decoy[0] && !e.decoy[1]);
    il_evidence_free(&e);
    return status;
}

static void memory_faults_are_told(void **state)
{
    (void)state;
    struct world w;
    world_open(&w, 3);
    assert_true(unit_starve(use, &w) > 15);
    world_close(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(proposals_equal_the_full_matrix),
        cmocka_unit_test(surroundings_of_a_small_case),
        cmocka_unit_test(decoys_do_not_see_the_row_taken_away),
        cmocka_unit_test(right_candidates_are_more_consistent),
        cmocka_unit_test(false_candidates_are_like_decoys),
        cmocka_unit_test(memory_faults_are_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
