/* SPDX-License-Identifier: Apache-2.0 */
/* Three encoders over documents that they share in part: the links of every two, among
   them some that were planted wrong, held against each other. */
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

/* Row r of each side below CORE is document r; the others are its own. */
enum { SIDES = 3, ROWS = 600, CORE = 300, SEEDS = 15, STEP = 12 };

static float *rows[SIDES];
static size_t dim[SIDES] = {40, 56, 48};
static struct il_linking *linking[SIDES];
static struct il_link *links[SIDES];
static struct il_closing_pair pairs[SIDES];

static void make_side(unsigned side)
{
    struct ld_plan plan = {.rows = {ROWS, ROWS},
                           .d = {dim[side], dim[side]},
                           .latent = 12,
                           .clusters = 20,
                           .noise = 0.1,
                           .bend = 0.3,
                           .draw = 5,
                           .encoder = side};
    uint64_t number[ROWS];
    for (uint64_t r = 0; r < ROWS; r++)
        number[r] = r < CORE ? r : r + side * ROWS;
    rows[side] = calloc(ROWS * dim[side], sizeof(float));
    assert_non_null(rows[side]);
    ld_embed(&plan, 0, number, rows[side]);
}

static struct il_matrix matrix(unsigned side)
{
    return (struct il_matrix){.data = rows[side],
                              .rows = ROWS,
                              .dim = dim[side],
                              .stride_bytes = dim[side] * sizeof(float),
                              .type = IL_F32};
}

static void link_pair(size_t i, unsigned x, unsigned y)
{
    struct il_link_config config;
    struct il_error error = {""};
    struct il_pair seeds[SEEDS];
    const struct il_matrix a = matrix(x), b = matrix(y);
    for (uint64_t s = 0; s < SEEDS; s++)
        seeds[s] = (struct il_pair){s * 19, s * 19};
    il_link_config_init(&config);
    config.threads = 2;
    if (il_link_run(&linking[i], &a, &b, seeds, SEEDS, &config, &error) != IL_OK)
        fail_msg("%u %u: %s", x, y, error.text);
    pairs[i] = (struct il_closing_pair){
        .x = x, .y = y, .recall = il_link_report(linking[i])->recall};
    const struct il_link *found = il_link_links(linking[i], &pairs[i].count);
    links[i] = calloc(pairs[i].count, sizeof(*links[i]));
    assert_non_null(links[i]);
    memcpy(links[i], found, pairs[i].count * sizeof(*found));
    pairs[i].links = links[i];
}

static int setup(void **state)
{
    (void)state;
    size_t i = 0;
    for (unsigned side = 0; side < SIDES; side++)
        make_side(side);
    for (unsigned x = 0; x < SIDES; x++)
        for (unsigned y = x + 1; y < SIDES; y++)
            link_pair(i++, x, y);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    for (unsigned i = 0; i < SIDES; i++) {
        il_link_close(&linking[i]);
        free(links[i]);
        free(rows[i]);
    }
    return 0;
}

/* Right links, seeds and those inferred from others included; of the documents that two
   sides share. */
static double f1(const struct il_closing *c, unsigned x, unsigned y)
{
    size_t count = 0, all = 0, right = 0;
    const struct il_closed_link *l = il_closing_links(c, &count);
    for (size_t i = 0; i < count; i++)
        if (l[i].x == x && l[i].y == y && l[i].fate != IL_CLOSING_ASIDE) {
            all++;
            right += l[i].a == l[i].b && l[i].a < CORE;
        }
    return 2.0 * (double)right / (double)(all + CORE);
}

static double f1_alone(size_t i)
{
    size_t right = 0;
    for (size_t k = 0; k < pairs[i].count; k++)
        right += links[i][k].a == links[i][k].b && links[i][k].a < CORE;
    return 2.0 * (double)right / (double)(pairs[i].count + CORE);
}

static struct il_closing *closed(void)
{
    static const size_t count[SIDES] = {ROWS, ROWS, ROWS};
    struct il_error error = {""};
    struct il_closing *c = NULL;
    if (il_closing_run(&c, count, SIDES, pairs, SIDES, &error) != IL_OK)
        fail_msg("%s", error.text);
    return c;
}

/* Links that were right are not made worse. */
static void links_of_runs_stay_good(void **state)
{
    (void)state;
    struct il_closing *c = closed();
    for (size_t i = 0; i < SIDES; i++) {
        double before = f1_alone(i), after = f1(c, pairs[i].x, pairs[i].y);
        print_message("# sides %u %u: F1 %.3f alone, %.3f closed\n", pairs[i].x,
                      pairs[i].y, before, after);
        assert_true(before > 0.8 && after > before - 0.01);
    }
    il_closing_close(&c);
}

/* Two right links, some apart, change their partners; their posteriors stay. */
static size_t plant(size_t *where)
{
    size_t planted = 0;
    for (size_t k = SEEDS; k + 7 < pairs[0].count; k += STEP) {
        struct il_link *p = &links[0][k], *q = &links[0][k + 7];
        if (p->origin == IL_ORIGIN_SEED || q->origin == IL_ORIGIN_SEED || p->a != p->b ||
            q->a != q->b)
            continue;
        const uint64_t kept = p->b;
        p->b = q->b;
        q->b = kept;
        where[planted++] = k;
        where[planted++] = k + 7;
    }
    return planted;
}

static int is_in_a_chain(const struct il_closing *c, const struct il_link *link)
{
    size_t count = 0;
    const struct il_contradiction *k = il_closing_contradictions(c, &count);
    for (size_t i = 0; i < count; i++)
        for (int e = 0; e < 3; e++) {
            const unsigned from = k[i].side[e], to = k[i].side[(e + 1) % 3];
            const uint64_t a = k[i].row[e], b = k[i].row[e + 1];
            if ((from == 0 && to == 1 && a == link->a && b == link->b) ||
                (from == 1 && to == 0 && b == link->a && a == link->b))
                return 1;
        }
    return 0;
}

static void planted_links_are_found(void **state)
{
    (void)state;
    size_t where[ROWS], planted = plant(where), found = 0, aside = 0, count = 0;
    struct il_closing *c = closed();
    const struct il_closed_link *l = il_closing_links(c, &count);
    for (size_t i = 0; i < planted; i++)
        found += (size_t)is_in_a_chain(c, &links[0][where[i]]);
    for (size_t i = 0; i < count; i++)
        aside += l[i].x == 0 && l[i].y == 1 && l[i].fate == IL_CLOSING_ASIDE &&
                 l[i].a != l[i].b;
    print_message("# %zu wrong links planted: %zu contradict, %zu are set aside\n",
                  planted, found, aside);
    assert_true(planted >= 20);
    assert_true(10 * found >= 8 * planted);
    il_closing_close(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(links_of_runs_stay_good),
                                       cmocka_unit_test(planted_links_are_found)};
    return cmocka_run_group_tests_name("closing_pairs", tests, setup, teardown);
}
