/* SPDX-License-Identifier: Apache-2.0 */
/* Search against sorting: all cosines of a query, and what comes out of the lists. */
#include <isolink/search.h>

#include "src/link/frame.h"
#include "tests/unit/unit.h"
#include "tests/unit/linkdata.h"

#define ROWS 3000
#define QUERIES 37
#define D 19

struct data {
    float *rows, *queries;
};

static struct data open_data(void)
{
    struct ld_rng rng = {77};
    struct data d = {calloc(ROWS * D, sizeof(float)), calloc(QUERIES * D, sizeof(float))};
    assert_true(d.rows && d.queries);
    ld_normals(&rng, ROWS * D, 2, d.rows);
    ld_normals(&rng, QUERIES * D, 3, d.queries);
    return d;
}

static void close_data(struct data *d)
{
    free(d->rows);
    free(d->queries);
}

static struct il_search *opened(const struct data *d, size_t queries, size_t top,
                                unsigned threads)
{
    struct il_search_config config;
    struct il_search *s = NULL;
    struct il_error error = {""};
    il_search_config_init(&config);
    config.top = top;
    config.threads = threads;
    if (il_search_open(&s, d->queries, queries, D, &config, &error) != IL_OK)
        fail_msg("%s", error.text);
    return s;
}

/* Rows in steps of `step`, each with its number as id when ids are wanted. */
static void add_rows(struct il_search *s, const struct data *d, size_t step, int ids)
{
    static char text[ROWS][8];
    const void *id[ROWS];
    size_t id_bytes[ROWS];
    struct il_error error;
    for (size_t i = 0; i < ROWS; i++) {
        id_bytes[i] = (size_t)snprintf(text[i], sizeof(text[i]), "d%zu", i);
        id[i] = text[i];
    }
    for (size_t at = 0; at < ROWS; at += step) {
        size_t count = ROWS - at < step ? ROWS - at : step;
        assert_int_equal(il_search_add(s, d->rows + at * D, count, ids ? id + at : NULL,
                                       ids ? id_bytes + at : NULL, &error),
                         IL_OK);
    }
}

/* The cosine as the kernels have it: a chain over rows of length 1. */
static float cosine(const float *x, const float *y)
{
    float a[D], b[D];
    memcpy(a, x, sizeof(a));
    memcpy(b, y, sizeof(b));
    return il_row_unit(a, D) && il_row_unit(b, D) ? ld_chain(a, b, D) : -2;
}

static void check(const struct il_search *s, const struct data *d, size_t q, size_t top,
                  int ids)
{
    struct il_hit hit[IL_SEARCH_TOP_MAX];
    float score[ROWS];
    size_t count = il_search_hits(s, q, hit);
    assert_int_equal(count, top);
    for (size_t i = 0; i < ROWS; i++)
        score[i] = cosine(d->queries + q * D, d->rows + i * D);
    for (size_t e = 0; e < count; e++) {
        size_t best = 0;
        for (size_t i = 1; i < ROWS; i++)
            best = score[i] > score[best] ? i : best;
        assert_int_equal(hit[e].row, best);
        assert_memory_equal(&hit[e].score, &score[best], sizeof(float));
        score[best] = -3;
        char wanted[8];
        int bytes = snprintf(wanted, sizeof(wanted), "d%zu", best);
        if (!ids) {
            assert_null(hit[e].id);
            continue;
        }
        assert_int_equal(hit[e].id_bytes, bytes);
        assert_memory_equal(hit[e].id, wanted, (size_t)bytes);
    }
}

static void the_best_rows_are_found(void **state)
{
    (void)state;
    struct il_simd table[4];
    const enum il_isa best = il_simd()->isa;
    size_t isas = ld_isas(table);
    struct data d = open_data();
    for (size_t i = 0; i < isas; i++) {
        ld_use_isa(table[i].isa);
        for (unsigned threads = 1; threads <= 3; threads++) {
            struct il_search *s = opened(&d, QUERIES, 10, threads);
            add_rows(s, &d, threads == 1 ? ROWS : 123, threads != 2);
            for (size_t q = 0; q < QUERIES; q += 6)
                check(s, &d, q, 10, threads != 2);
            il_search_close(&s);
        }
    }
    ld_use_isa(best);
    close_data(&d);
}

static void one_query_and_many(void **state)
{
    (void)state;
    struct data d = open_data();
    const size_t tops[] = {1, 3, IL_SEARCH_TOP_MAX};
    for (size_t i = 0; i < 3; i++) {
        struct il_search *s = opened(&d, i == 1 ? QUERIES : 1, tops[i], 2);
        add_rows(s, &d, 500, 1);
        check(s, &d, 0, tops[i], 1);
        il_search_close(&s);
    }
    close_data(&d);
}

/* Rows that get better and better: ids are forgotten again, and the last ones are there.
 */
static void ids_of_rows_that_are_found_no_more(void **state)
{
    (void)state;
    struct data d = open_data();
    for (size_t i = 0; i < ROWS; i++)
        for (size_t j = 0; j < D; j++)
            d.rows[i * D + j] =
                d.queries[j] + (float)(ROWS - i) / 1000 * (j % 2 ? 1.f : -1.f);
    struct il_search *s = opened(&d, 1, 2, 1);
    add_rows(s, &d, 1, 1);
    check(s, &d, 0, 2, 1);
    il_search_close(&s);
    close_data(&d);
}

static void equal_rows_come_in_their_order(void **state)
{
    (void)state;
    struct data d = open_data();
    struct il_hit hit[4];
    for (size_t i = 0; i < 3; i++)
        memcpy(d.rows + (2999 - 1000 * i) * D, d.queries, D * sizeof(float));
    struct il_search *s = opened(&d, 1, 4, 3);
    add_rows(s, &d, 700, 0);
    assert_int_equal(il_search_hits(s, 0, hit), 4);
    assert_int_equal(hit[0].row, 999);
    assert_int_equal(hit[1].row, 1999);
    assert_int_equal(hit[2].row, 2999);
    il_search_close(&s);
    close_data(&d);
}

static void rows_and_queries_without_direction(void **state)
{
    (void)state;
    struct data d = open_data();
    struct il_hit hit[8];
    struct il_error error;
    memset(d.queries, 0, D * sizeof(float));
    memset(d.rows, 0, D * sizeof(float));
    d.rows[D + 2] = NAN;
    d.rows[2 * D + 2] = INFINITY;
    struct il_search *s = opened(&d, 2, 8, 1);
    assert_int_equal(il_search_hits(s, 1, hit), 0);
    assert_int_equal(il_search_add(s, d.rows, 5, NULL, NULL, &error), IL_OK);
    assert_int_equal(il_search_hits(s, 0, hit), 0);
    assert_int_equal(il_search_hits(s, 1, hit), 2);
    assert_true(hit[0].row + hit[1].row == 7);
    il_search_close(&s);
    close_data(&d);
}

static void refused(size_t count, size_t dim, size_t top, unsigned threads,
                    const char *says)
{
    struct il_search_config config;
    struct il_search *s = NULL;
    struct il_error error = {""};
    const float query[4] = {1, 2, 3, 4};
    il_search_config_init(&config);
    config.top = top;
    config.threads = threads;
    assert_int_equal(il_search_open(&s, query, count, dim, &config, &error), IL_EARG);
    unit_says(&error, says);
    assert_null(s);
}

static void arguments_are_checked(void **state)
{
    (void)state;
    refused(0, 4, 1, 1, "0 queries");
    refused(1, 0, 1, 1, "of 0 coordinates");
    refused(1, 65537, 1, 1, "65537");
    refused(1, 4, 0, 1, "0 rows wanted");
    refused(1, 4, 65, 1, "65 rows wanted");
    refused(1, 4, 1, 257, "257 threads");
    struct data d = open_data();
    struct il_search_config config;
    struct il_search *s = NULL;
    struct il_error error = {""};
    il_atomic_int cancel = 1;
    il_search_config_init(&config);
    config.cancel = &cancel;
    assert_int_equal(il_search_open(&s, d.queries, 1, D, &config, &error), IL_OK);
    assert_int_equal(il_search_add(s, d.rows, 5, NULL, NULL, &error), IL_ECANCEL);
    il_search_close(&s);
    il_search_close(&s);
    close_data(&d);
}

static enum il_status starved(void *context)
{
    struct data *d = context;
    struct il_search_config config;
    struct il_search *s = NULL;
    struct il_error error;
    const void *id[] = {"a", "b", "c"};
    const size_t id_bytes[] = {1, 1, 1};
    il_search_config_init(&config);
    config.threads = 1;
    enum il_status status = il_search_open(&s, d->queries, 3, D, &config, &error);
    if (status == IL_OK)
        status = il_search_add(s, d->rows, 3, id, id_bytes, &error);
    il_search_close(&s);
    return status;
}

static void no_memory_is_said(void **state)
{
    (void)state;
    struct data d = open_data();
    assert_true(unit_starve(starved, &d) > 10);
    close_data(&d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_best_rows_are_found),
        cmocka_unit_test(one_query_and_many),
        cmocka_unit_test(ids_of_rows_that_are_found_no_more),
        cmocka_unit_test(equal_rows_come_in_their_order),
        cmocka_unit_test(rows_and_queries_without_direction),
        cmocka_unit_test(arguments_are_checked),
        cmocka_unit_test(no_memory_is_said),
    };
    return cmocka_run_group_tests(tests, unit_setup, unit_teardown);
}
