/* SPDX-License-Identifier: Apache-2.0 */
/* Pairs of sides that share documents, for the tests of linking: two maps, linear plus
   tanh, of one latent Gaussian mixture, and noise. The upper part needs the public API
   only; with src/link/frame.h included before there are frames and prepared sides too.
   To be included after cmocka.h. */
#ifndef IL_LINKDATA_H
#define IL_LINKDATA_H

#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <isolink/link.h>

/* Not every test uses all of these. */
#define LD __attribute__((unused)) static

#define LD_NONE UINT32_MAX

/* Ends a test of minutes under TSan, whose threads others show. */
LD void ld_not_for_tsan(void)
{
#ifdef __SANITIZE_THREAD__
    skip();
#endif
}

/* splitmix64: the tests do not lean on the random numbers of the library. */
struct ld_rng {
    uint64_t state;
};

LD uint64_t ld_next(struct ld_rng *rng)
{
    uint64_t z = (rng->state += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

/* 0 <= x < 1 */
LD double ld_uniform(struct ld_rng *rng)
{
    return (double)(ld_next(rng) >> 11) * 0x1p-53;
}

/* Nearly normal: Irwin and Hall's sum, the same on every machine. */
LD double ld_normal(struct ld_rng *rng)
{
    double sum = -6;
    for (int i = 0; i < 12; i++)
        sum += ld_uniform(rng);
    return sum;
}

LD void ld_normals(struct ld_rng *rng, size_t count, double scale, float *out)
{
    for (size_t i = 0; i < count; i++)
        out[i] = (float)(scale * ld_normal(rng));
}

LD uint32_t *ld_order(struct ld_rng *rng, size_t count)
{
    uint32_t *order = calloc(count + 1, sizeof(*order));
    assert_non_null(order);
    for (size_t i = 0; i < count; i++) {
        size_t j = (size_t)(ld_next(rng) % (i + 1));
        order[i] = order[j];
        order[j] = (uint32_t)i;
    }
    return order;
}

struct ld_plan {
    size_t rows[2], shared, d[2], latent, clusters, seeds;
    size_t wrong;       /* of the seeds */
    double noise, bend; /* weight of the tanh part */
    uint64_t draw;
    uint64_t encoder;  /* other encoders over the same documents */
    int noise_b;       /* side B is noise */
    int unrelated;     /* side B is about other documents */
    int shuffle_seeds; /* every seed is wrong */
};

LD struct ld_plan ld_plan_small(void)
{
    return (struct ld_plan){.rows = {360, 330},
                            .shared = 200,
                            .d = {24, 20},
                            .latent = 10,
                            .clusters = 12,
                            .seeds = 15,
                            .noise = 0.03,
                            .bend = 0.3,
                            .draw = 1};
}

struct ld_pair {
    size_t rows[2], d[2];
    float *x[2];
    uint32_t *partner[2]; /* true partner of every row of A, of B; LD_NONE = none */
    size_t shared;
    struct il_pair *seeds; /* the first `wrong` are wrong */
    size_t seed_count, wrong;
};

/* A document's place in the latent space. */
LD void ld_document(const struct ld_plan *plan, const float *centres, uint64_t number,
                    double *out)
{
    struct ld_rng rng = {plan->draw * 1000003u + number * 7919u};
    const float *centre = centres + ld_next(&rng) % plan->clusters * plan->latent;
    for (size_t k = 0; k < plan->latent; k++)
        out[k] = centre[k] + 0.7 * ld_normal(&rng);
}

LD void ld_embed(const struct ld_plan *plan, int side, const uint64_t *number, float *x)
{
    size_t k = plan->latent, d = plan->d[side];
    struct ld_rng common = {plan->draw + 11},
                  own = {plan->draw * 31 + 101 + plan->encoder * 977 + (unsigned)side};
    float *centres = calloc(plan->clusters * k, sizeof(*centres));
    float *w = calloc(d * k, sizeof(*w)), *v = calloc(d * k, sizeof(*v));
    double *z = calloc(k, sizeof(*z));
    assert_true(centres && w && v && z);
    ld_normals(&common, plan->clusters * k, 1, centres);
    ld_normals(&own, d * k, 1 / sqrt((double)k), w);
    ld_normals(&own, d * k, 1 / sqrt((double)k), v);
    for (size_t i = 0; i < plan->rows[side]; i++) {
        ld_document(plan, centres, number[i], z);
        for (size_t j = 0; j < d; j++) {
            double linear = 0, bent = 0;
            for (size_t c = 0; c < k; c++) {
                linear += w[j * k + c] * z[c];
                bent += v[j * k + c] * z[c];
            }
            double y = linear + plan->bend * tanh(bent) + plan->noise * ld_normal(&own);
            x[i * d + j] = (float)(side && plan->noise_b ? ld_normal(&own) : y);
        }
    }
    free(centres);
    free(w);
    free(v);
    free(z);
}

LD void ld_open(struct ld_pair *pair, const struct ld_plan *plan)
{
    struct ld_rng rng = {plan->draw * 17 + 5};
    uint32_t *row[2];
    memset(pair, 0, sizeof(*pair));
    for (int side = 0; side < 2; side++) {
        size_t n = plan->rows[side];
        row[side] = ld_order(&rng, n); /* row of the side's i-th document */
        uint64_t *number = calloc(n + 1, sizeof(*number));
        pair->rows[side] = n;
        pair->d[side] = plan->d[side];
        pair->x[side] = calloc(n * plan->d[side] + 1, sizeof(float));
        pair->partner[side] = calloc(n + 1, sizeof(uint32_t));
        assert_true(number && pair->x[side] && pair->partner[side]);
        for (size_t i = 0; i < n; i++) {
            uint64_t other = side && (i >= plan->shared || plan->unrelated) ? 1000000 : 0;
            number[row[side][i]] = i + other;
            pair->partner[side][i] = LD_NONE;
        }
        ld_embed(plan, side, number, pair->x[side]);
        free(number);
    }
    int real = !plan->noise_b && !plan->unrelated;
    pair->shared = real ? plan->shared : 0;
    for (size_t i = 0; i < pair->shared; i++) {
        pair->partner[0][row[0][i]] = row[1][i];
        pair->partner[1][row[1][i]] = row[0][i];
    }
    uint32_t *order = ld_order(&rng, plan->shared);
    pair->seeds = calloc(plan->seeds + 1, sizeof(*pair->seeds));
    assert_non_null(pair->seeds);
    pair->seed_count = plan->seeds;
    pair->wrong = plan->shuffle_seeds ? plan->seeds : plan->wrong;
    for (size_t i = 0; i < plan->seeds; i++) {
        size_t other = plan->shuffle_seeds ? (i + 1) % plan->seeds
                       : i < plan->wrong   ? plan->seeds + i
                                           : i;
        pair->seeds[i] = (struct il_pair){row[0][order[i]], row[1][order[other]]};
    }
    free(order);
    free(row[0]);
    free(row[1]);
}

LD void ld_close(struct ld_pair *pair)
{
    for (int side = 0; side < 2; side++) {
        free(pair->x[side]);
        free(pair->partner[side]);
    }
    free(pair->seeds);
    memset(pair, 0, sizeof(*pair));
}

LD struct il_matrix ld_matrix(const struct ld_pair *pair, int side)
{
    return (struct il_matrix){IL_F32, pair->rows[side], pair->d[side],
                              pair->d[side] * sizeof(float), pair->x[side]};
}

/* Links against the truth, seeds left out. */
struct ld_judged {
    size_t links, right, seeds;
    double precision, recall, f1;
};

LD struct ld_judged ld_judge(const struct il_link *links, size_t count,
                             const struct ld_pair *pair)
{
    struct ld_judged j = {0};
    size_t truth = pair->shared;
    for (size_t i = 0; i < count; i++) {
        int right = pair->partner[0][links[i].a] == links[i].b;
        if (links[i].origin == IL_ORIGIN_SEED) {
            j.seeds++;
            continue;
        }
        j.links++;
        j.right += (size_t)right;
    }
    for (size_t i = 0; i < pair->seed_count; i++)
        truth -= pair->partner[0][pair->seeds[i].a] != LD_NONE;
    j.precision = j.links ? (double)j.right / (double)j.links : 0;
    j.recall = truth ? (double)j.right / (double)truth : 0;
    double sum = j.precision + j.recall;
    j.f1 = sum > 0 ? 2 * j.precision * j.recall / sum : 0;
    return j;
}

/* What every run must keep: order, seeds first and marked, no row in two links. */
LD void ld_links_sound(const struct il_link *links, size_t count,
                       const struct ld_pair *pair)
{
    uint8_t *taken[2] = {calloc(pair->rows[0] + 1, 1), calloc(pair->rows[1] + 1, 1)};
    assert_true(taken[0] && taken[1]);
    for (size_t i = 0; i < count; i++) {
        const struct il_link *l = &links[i];
        assert_true(l->a < pair->rows[0] && l->b < pair->rows[1]);
        assert_int_equal(taken[0][l->a]++, 0);
        assert_int_equal(taken[1][l->b]++, 0);
        assert_true(l->posterior >= 0 && l->posterior <= 1);
        assert_true(l->votes <= l->opportunities);
        int given = 0;
        for (size_t s = 0; s < pair->seed_count; s++)
            given |= pair->seeds[s].a == l->a && pair->seeds[s].b == l->b;
        if (l->origin == IL_ORIGIN_SEED) {
            assert_true(given && l->posterior == 1 && l->round == 0);
        } else {
            assert_int_equal(l->origin, IL_ORIGIN_LINK);
            assert_true(!given && l->round >= 1);
        }
        if (i == 0)
            continue;
        assert_true(l[-1].origin <= l->origin);
        if (l[-1].origin == l->origin)
            assert_true(l[-1].posterior >= l->posterior);
        if (l[-1].origin == l->origin && l[-1].posterior == l->posterior)
            assert_true(l[-1].margin >= l->margin);
    }
    free(taken[0]);
    free(taken[1]);
}

/* Equal to the last bit, field by field (the struct has padding). */
LD void ld_links_equal(const struct il_link *x, const struct il_link *y, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        assert_memory_equal(&x[i].a, &y[i].a, sizeof(x->a));
        assert_memory_equal(&x[i].b, &y[i].b, sizeof(x->b));
        assert_memory_equal(&x[i].posterior, &y[i].posterior, sizeof(x->posterior));
        assert_memory_equal(&x[i].votes, &y[i].votes, sizeof(x->votes));
        assert_memory_equal(&x[i].opportunities, &y[i].opportunities,
                            sizeof(x->opportunities));
        assert_memory_equal(&x[i].margin, &y[i].margin, sizeof(x->margin));
        assert_memory_equal(&x[i].round, &y[i].round, sizeof(x->round));
        assert_memory_equal(&x[i].origin, &y[i].origin, sizeof(x->origin));
    }
}

/* ------------------------------------------------------------- kernels, frames, sides */

#ifdef IL_SIMD_H

/* The tables of the instruction sets that this machine has; returns their number. */
LD size_t ld_isas(struct il_simd out[4])
{
    size_t count = 0;
    for (int isa = IL_ISA_REF; isa <= IL_ISA_AVX512; isa++) {
        il_simd_init(&out[count], (enum il_isa)isa);
        count += (int)out[count].isa == isa;
    }
    return count;
}

/* Makes the table that il_link_run takes that of one instruction set: the object behind
   the pointer is not const. No run may be on. */
LD void ld_use_isa(enum il_isa isa)
{
    il_simd_init((struct il_simd *)(uintptr_t)il_simd(), isa);
}

#endif

#ifdef IL_FRAME_H

LD void ld_frame_open(struct il_frame *frame, const struct il_simd *simd,
                      unsigned threads)
{
    memset(frame, 0, sizeof(*frame));
    frame->simd = simd ? simd : il_simd();
    assert_int_equal(il_pool_open(&frame->pool, threads), IL_OK);
}

LD void ld_frame_close(struct il_frame *frame)
{
    il_pool_close(&frame->pool);
}

/* Both sides as `geh` gets them. */
LD void ld_sides(struct il_frame *frame, const struct ld_pair *pair,
                 struct il_side side[2])
{
    const struct il_side_options options = {256, 1, 1};
    for (int s = 0; s < 2; s++) {
        struct il_matrix m = ld_matrix(pair, s);
        assert_int_equal(il_side_prepare(frame, &m, &options, &side[s]), IL_OK);
        assert_int_equal(side[s].rows, pair->rows[s]);
    }
}

LD void ld_sides_free(struct il_side side[2])
{
    il_side_free(&side[0]);
    il_side_free(&side[1]);
}

/* A side of random unit rows. */
LD void ld_side_random(struct il_side *side, size_t rows, size_t d, uint64_t draw)
{
    struct ld_rng rng = {draw};
    *side = (struct il_side){.rows = rows, .d = d};
    side->x = il_alloc(rows * d, sizeof(float));
    assert_non_null(side->x);
    ld_normals(&rng, rows * d, 1, side->x);
    il_simd()->normalise_f32(side->x, rows, d, d);
}

/* The seeds as anchors of weight 1 (every row usable). To be freed with free(). */
LD struct il_anchor *ld_anchors(const struct ld_pair *pair)
{
    struct il_anchor *out = calloc(pair->seed_count + 1, sizeof(*out));
    assert_non_null(out);
    for (size_t i = 0; i < pair->seed_count; i++)
        out[i] =
            (struct il_anchor){(uint32_t)pair->seeds[i].a, (uint32_t)pair->seeds[i].b, 1};
    return out;
}

/* All true pairs as anchors; returns their number. out: room for `shared`. */
LD size_t ld_true_anchors(const struct ld_pair *pair, struct il_anchor *out)
{
    size_t count = 0;
    for (size_t u = 0; u < pair->rows[0]; u++)
        if (pair->partner[0][u] != LD_NONE)
            out[count++] = (struct il_anchor){(uint32_t)u, pair->partner[0][u], 1};
    return count;
}

/* The matcher's chain of one pair: fma over the coordinates ascending, from +0. */
LD float ld_chain(const float *x, const float *y, size_t k)
{
    float sum = 0;
    for (size_t i = 0; i < k; i++)
        sum = fmaf(x[i], y[i], sum);
    return sum;
}

LD void ld_top3_equal(const struct il_top3 *x, const struct il_top3 *y, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        assert_memory_equal(x[i].index, y[i].index, sizeof(x->index));
        assert_memory_equal(x[i].value, y[i].value, sizeof(x->value));
    }
}

#endif

#endif
