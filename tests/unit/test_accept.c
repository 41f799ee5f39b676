/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/unit.h"

#include "src/link/accept.h"
#include "tests/unit/linkdata.h"

/* Proposals of a made-up round: `right` right candidates; every row without counterpart
   proposes a false one, and every candidate taken apart a decoy, with chance `rate` and
   features of one and the same distribution. */
struct world {
    struct il_evidence e;
    uint8_t *is_right;
    size_t right, rows;
};

static void draw_features(struct ld_rng *rng, double shift, double *feature)
{
    for (int k = 0; k < IL_FEATURES; k++)
        feature[k] = ld_normal(rng) + (k < 4 ? shift : k > 8 ? 0.4 * shift : 0);
}

static void world_open(struct world *w, size_t right, size_t rows, double rate,
                       double shift, uint64_t draw)
{
    struct ld_rng rng = {draw};
    size_t most = 2 * rows + 1;
    memset(w, 0, sizeof(*w));
    w->right = right;
    w->rows = rows;
    w->is_right = calloc(most, 1);
    w->e.candidate = il_alloc_zero(most, sizeof(struct il_proposal));
    w->e.decoy[0] = il_alloc_zero(most, sizeof(struct il_proposal));
    w->e.decoy[1] = il_alloc_zero(most, sizeof(struct il_proposal));
    /* Right and false ones mixed; a false candidate takes a row of A and one of B. */
    for (size_t i = 0; i < rows; i++) {
        int is_right = (i + 1) * right / rows > i * right / rows;
        if (!is_right && ld_uniform(&rng) >= rate)
            continue;
        uint32_t c = (uint32_t)w->e.candidates++;
        w->is_right[c] = (uint8_t)is_right;
        w->e.candidate[c].a = w->e.candidate[c].b = (uint32_t)i;
        w->e.candidate[c].parent = c;
        draw_features(&rng, is_right ? shift : 0, w->e.candidate[c].feature);
        for (int d = 0; d < 2; d++) {
            if (ld_uniform(&rng) >= rate)
                continue;
            struct il_proposal *p = &w->e.decoy[d][w->e.decoys[d]++];
            p->parent = c;
            draw_features(&rng, 0, p->feature);
        }
    }
}

static void world_close(struct world *w)
{
    il_evidence_free(&w->e);
    free(w->is_right);
}

/* Every right pair of a world is a candidate: recall 1, and it is known. */
static void accept_at(const struct world *w, double recall, double recall_error,
                      struct il_acceptance *acc)
{
    struct il_frame frame;
    ld_frame_open(&frame, NULL, 2);
    assert_int_equal(
        il_accept(&frame, &w->e, w->rows, w->rows, recall, recall_error, acc), IL_OK);
    ld_frame_close(&frame);
}

static void accept(const struct world *w, struct il_acceptance *acc)
{
    accept_at(w, 1, 0, acc);
}

static double true_precision(const struct world *w, const struct il_acceptance *acc)
{
    size_t right = 0;
    for (size_t i = 0; i < acc->accepted; i++)
        right += w->is_right[acc->order[i]];
    return acc->accepted ? (double)right / (double)acc->accepted : 0;
}

static void check_shape(const struct world *w, const struct il_acceptance *acc)
{
    uint8_t *seen = calloc(w->e.candidates + 1, 1);
    assert_non_null(seen);
    assert_true(acc->accepted <= w->e.candidates);
    for (size_t i = 0; i < w->e.candidates; i++) {
        uint32_t c = acc->order[i];
        assert_true(c < w->e.candidates && !seen[c]++);
        assert_true(acc->posterior[c] >= 0 && acc->posterior[c] <= 1);
        if (i > 0) {
            uint32_t better = acc->order[i - 1];
            assert_true(acc->score[better] >= acc->score[c]);
            if (acc->posterior[better] < acc->posterior[c])
                fail_msg(
                    "place %zu of %zu: posterior %.17g after %.17g, scores %.17g and "
                    "%.17g",
                    i, w->e.candidates, acc->posterior[c], acc->posterior[better],
                    acc->score[c], acc->score[better]);
        }
    }
    assert_true(0 <= acc->precision_low && acc->precision_low <= acc->precision);
    assert_true(acc->precision <= acc->precision_high && acc->precision_high <= 1);
    assert_true(0 <= acc->shared_low && acc->shared_low <= acc->shared);
    assert_true(acc->shared <= acc->shared_high);
    assert_true(acc->decoy_rate >= 0);
    free(seen);
}

/* Posterior bins against the truth: sum of |right - expected| over bins, as a share. */
static double calibration_error(const struct world *w, const struct il_acceptance *acc)
{
    double expected[10] = {0}, right[10] = {0}, error = 0;
    for (size_t i = 0; i < w->e.candidates; i++) {
        int bin = acc->posterior[i] >= 1 ? 9 : (int)(acc->posterior[i] * 10);
        expected[bin] += acc->posterior[i];
        right[bin] += w->is_right[i];
    }
    for (int b = 0; b < 10; b++)
        error += fabs(expected[b] - right[b]) / (double)w->e.candidates;
    return error;
}

static void estimates_are_near_the_truth(void **state)
{
    (void)state;
    static const struct {
        size_t right, rows;
        double rate, shift, precision_off, shared_off;
    } cases[] = {
        /* Shared comes out high where right candidates are rare, since a block of more
           decoys than candidates counts as 0, not below: over 40 draws +5, +2, +1, +18%.
         */
        {900, 3000, 0.5, 1.3, 0.03, 0.10},
        {900, 3000, 0.3, 1.0, 0.03, 0.08},
        {1500, 3000, 0.6, 1.0, 0.03, 0.10},
        {450, 3000, 0.4, 1.5, 0.06, 0.30},
    };
    for (size_t c = 0; c < sizeof(cases) / sizeof(*cases); c++) {
        double precision = 0, truth = 0, shared = 0, calibration = 0;
        for (uint64_t draw = 1; draw <= 4; draw++) {
            struct world w;
            struct il_acceptance acc;
            world_open(&w, cases[c].right, cases[c].rows, cases[c].rate, cases[c].shift,
                       draw + 10 * c);
            accept(&w, &acc);
            check_shape(&w, &acc);
            precision += acc.precision / 4;
            truth += true_precision(&w, &acc) / 4;
            shared += acc.shared / 4;
            calibration += calibration_error(&w, &acc) / 4;
            il_acceptance_free(&acc);
            world_close(&w);
        }
        print_message("case %zu: precision %.3f, true %.3f; shared %.0f of %zu; "
                      "calibration error %.3f\n",
                      c, precision, truth, shared, cases[c].right, calibration);
        assert_true(fabs(precision - truth) <= cases[c].precision_off);
        assert_true(fabs(shared / (double)cases[c].right - 1) <= cases[c].shared_off);
        assert_true(calibration <= 0.09);
    }
}

/* The posterior is a monotone function of the score: il_geh keeps a prefix of the order
   when a least posterior is asked for. */
static void posterior_falls_with_the_score(void **state)
{
    (void)state;
    double worst = 0;
    for (uint64_t draw = 1; draw <= 4; draw++) {
        struct world w;
        struct il_acceptance acc;
        world_open(&w, 300, 900, 0.5, 1, draw);
        accept(&w, &acc);
        double least = 1;
        for (size_t i = 0; i < w.e.candidates; i++) {
            double p = acc.posterior[acc.order[i]];
            worst = p - least > worst ? p - least : worst;
            least = p < least ? p : least;
        }
        il_acceptance_free(&acc);
        world_close(&w);
    }
    if (worst > 0)
        fail_msg("a candidate of lower score has a posterior higher by %g", worst);
}

static void all_right(void **state)
{
    (void)state;
    struct world w;
    struct il_acceptance acc;
    world_open(&w, 800, 800, 0.4, 1.5, 5);
    accept(&w, &acc);
    check_shape(&w, &acc);
    print_message("all right: %zu of 800, precision %.3f\n", acc.accepted, acc.precision);
    assert_true(acc.accepted >= 790 && acc.precision >= 0.97);
    il_acceptance_free(&acc);
    world_close(&w);
}

static void all_right_without_decoys(void **state)
{
    (void)state;
    struct world w;
    struct il_acceptance acc;
    world_open(&w, 300, 300, 0, 1.5, 6);
    assert_int_equal(w.e.decoys[0] + w.e.decoys[1], 0);
    accept(&w, &acc);
    check_shape(&w, &acc);
    assert_true(acc.accepted >= 297 && acc.precision >= 0.97);
    il_acceptance_free(&acc);
    world_close(&w);
}

static void all_false(void **state)
{
    (void)state;
    for (uint64_t draw = 1; draw <= 3; draw++) {
        struct world w;
        struct il_acceptance acc;
        world_open(&w, 0, 2000, 0.4, 0, draw);
        accept(&w, &acc);
        check_shape(&w, &acc);
        print_message(
            "all false: %zu accepted of %zu, precision %.3f (%.3f-%.3f), shared "
            "%.0f (%.0f-%.0f)\n",
            acc.accepted, w.e.candidates, acc.precision, acc.precision_low,
            acc.precision_high, acc.shared, acc.shared_low, acc.shared_high);
        /* Nothing tells candidates from decoys: few are expected to be right, and that
           there may be none at all is said. */
        assert_true((double)acc.accepted * acc.precision <=
                    0.15 * (double)w.e.candidates);
        assert_true(acc.shared_low <= 0.02 * (double)w.e.candidates);
        il_acceptance_free(&acc);
        world_close(&w);
    }
}

static void few_candidates(void **state)
{
    (void)state;
    for (size_t rows = 0; rows <= 6; rows++) {
        struct world w;
        struct il_acceptance acc;
        world_open(&w, rows, rows, 0.5, 1, rows);
        assert_int_equal(w.e.candidates, rows);
        accept(&w, &acc);
        check_shape(&w, &acc);
        if (rows == 0)
            assert_true(acc.accepted == 0 && acc.precision == 0 && acc.shared == 0);
        il_acceptance_free(&acc);
        assert_null(acc.posterior);
        world_close(&w);
    }
}

/* One feature constant, one enormous: no division by zero, no overflow. */
static void odd_features(void **state)
{
    (void)state;
    struct world w;
    struct il_acceptance acc;
    world_open(&w, 200, 400, 0.5, 1.5, 9);
    for (size_t i = 0; i < w.e.candidates; i++) {
        w.e.candidate[i].feature[IL_F_RADIUS_A] = 0.25;
        w.e.candidate[i].feature[IL_F_RADIUS_B] *= 1e30;
    }
    for (int d = 0; d < 2; d++)
        for (size_t i = 0; i < w.e.decoys[d]; i++)
            w.e.decoy[d][i].feature[IL_F_RADIUS_A] = 0.25;
    accept(&w, &acc);
    check_shape(&w, &acc);
    assert_true(fabs(acc.precision - true_precision(&w, &acc)) < 0.15);
    il_acceptance_free(&acc);
    world_close(&w);
}

/* Only every second right pair is a candidate: a recall of 0.5 is told, and then shared
   is right; what is left open about the recall widens its range and nothing else. */
static void recall_scales_shared(void **state)
{
    (void)state;
    double shared = 0;
    for (uint64_t draw = 1; draw <= 4; draw++) {
        struct world w;
        struct il_acceptance acc, vague;
        world_open(&w, 600, 3000, 0.4, 1.5, draw);
        /* 600 of the 2,400 rows that are no right candidates hold a missed pair: rows
           with a counterpart propose nothing in its place. */
        size_t kept = 0, cut = 0;
        uint32_t *now = malloc(w.e.candidates * sizeof(*now));
        assert_non_null(now);
        for (size_t i = 0; i < w.e.candidates; i++) {
            now[i] = LD_NONE;
            if (!w.is_right[i] && cut++ % 4 == 0)
                continue;
            now[i] = (uint32_t)kept;
            w.is_right[kept] = w.is_right[i];
            w.e.candidate[kept] = w.e.candidate[i];
            w.e.candidate[kept].parent = (uint32_t)kept;
            kept++;
        }
        w.e.candidates = kept;
        for (int d = 0; d < 2; d++) {
            size_t left = 0;
            for (size_t k = 0; k < w.e.decoys[d]; k++) {
                struct il_proposal p = w.e.decoy[d][k];
                if (now[p.parent] != LD_NONE) {
                    p.parent = now[p.parent];
                    w.e.decoy[d][left++] = p;
                }
            }
            w.e.decoys[d] = left;
        }
        free(now);
        accept_at(&w, 0.5, 0, &acc);
        accept_at(&w, 0.5, 0.1, &vague);
        check_shape(&w, &acc);
        check_shape(&w, &vague);
        shared += acc.shared / 4;
        assert_int_equal(acc.accepted, vague.accepted);
        assert_true(acc.precision == vague.precision && acc.shared == vague.shared);
        assert_true(vague.shared_low < acc.shared_low);
        assert_true(vague.shared_high > acc.shared_high);
        il_acceptance_free(&acc);
        il_acceptance_free(&vague);
        world_close(&w);
    }
    print_message("recall 0.5: shared %.0f of 1200\n", shared);
    assert_true(fabs(shared / 1200 - 1) < 0.10);
}

static void equal_bits_on_every_isa_and_thread_count(void **state)
{
    (void)state;
    struct il_simd table[4];
    size_t isas = ld_isas(table);
    struct world w;
    struct il_acceptance acc[4];
    world_open(&w, 300, 900, 0.5, 1, 3);
    for (size_t t = 0; t < isas; t++) {
        struct il_frame frame;
        ld_frame_open(&frame, &table[t], 1 + (unsigned)t);
        assert_int_equal(il_accept(&frame, &w.e, w.rows, w.rows, 0.9, 0.05, &acc[t]),
                         IL_OK);
        ld_frame_close(&frame);
        size_t bytes = w.e.candidates * sizeof(double);
        assert_int_equal(acc[0].accepted, acc[t].accepted);
        assert_memory_equal(acc[0].posterior, acc[t].posterior, bytes);
        assert_memory_equal(acc[0].score, acc[t].score, bytes);
        assert_memory_equal(acc[0].order, acc[t].order, bytes / 2);
        assert_memory_equal(&acc[0].precision, &acc[t].precision, sizeof(double));
        assert_memory_equal(&acc[0].shared_high, &acc[t].shared_high, sizeof(double));
    }
    for (size_t t = 0; t < isas; t++)
        il_acceptance_free(&acc[t]);
    world_close(&w);
}

struct starving {
    struct world w;
    struct il_frame frame;
};

static enum il_status use(void *context)
{
    struct starving *s = context;
    struct il_acceptance acc;
    enum il_status status =
        il_accept(&s->frame, &s->w.e, s->w.rows, s->w.rows, 1, 0, &acc);
    if (status)
        assert_true(!acc.posterior && !acc.score && !acc.order);
    il_acceptance_free(&acc);
    return status;
}

static void memory_faults_are_told(void **state)
{
    (void)state;
    struct starving s;
    world_open(&s.w, 20, 40, 0.5, 1, 3);
    ld_frame_open(&s.frame, NULL, 1);
    assert_true(unit_starve(use, &s) >= 7);
    ld_frame_close(&s.frame);
    world_close(&s.w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(estimates_are_near_the_truth),
        cmocka_unit_test(posterior_falls_with_the_score),
        cmocka_unit_test(all_right),
        cmocka_unit_test(all_right_without_decoys),
        cmocka_unit_test(all_false),
        cmocka_unit_test(few_candidates),
        cmocka_unit_test(odd_features),
        cmocka_unit_test(recall_scales_shared),
        cmocka_unit_test(equal_bits_on_every_isa_and_thread_count),
        cmocka_unit_test(memory_faults_are_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
