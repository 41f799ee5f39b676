/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/unit.h"

#include "src/link/votes.h"

#define ROWS 37
#define COLUMNS 41

static void votes_add_up(void **state)
{
    (void)state;
    /* Whatever the size of the buffer, the tally is the table of a naive count. */
    static const size_t rooms[] = {1, 2, 7, 64, 5000};
    for (size_t r = 0; r < sizeof(rooms) / sizeof(*rooms); r++) {
        static uint32_t count[ROWS][COLUMNS], late[ROWS][COLUMNS];
        static float sum[ROWS][COLUMNS];
        memset(count, 0, sizeof(count));
        memset(late, 0, sizeof(late));
        memset(sum, 0, sizeof(sum));
        struct il_votes votes;
        assert_int_equal(il_votes_open(&votes, COLUMNS, rooms[r], 100000), IL_OK);
        struct il_rng rng = il_rng_make(1, 2, 3, IL_FOR_NULL);
        for (unsigned round = 1; round <= 3; round++) {
            votes.round = round;
            memset(late, 0, sizeof(late));
            for (int i = 0; i < 700; i++) {
                uint32_t a = (uint32_t)il_rng_below(&rng, ROWS);
                uint32_t b = (uint32_t)il_rng_below(&rng, COLUMNS);
                float margin = (float)il_rng_below(&rng, 1000) / 1024;
                assert_int_equal(il_votes_add(&votes, a, b, margin), IL_OK);
                count[a][b]++;
                sum[a][b] = late[a][b]++ ? sum[a][b] + margin : margin;
            }
            assert_int_equal(il_votes_flush(&votes), IL_OK);
            assert_int_equal(votes.fresh_count, 0);
        }
        size_t at = 0;
        for (uint32_t a = 0; a < ROWS; a++) {
            for (uint32_t b = 0; b < COLUMNS; b++) {
                if (!count[a][b])
                    continue;
                const struct il_tally *t = &votes.tally[at++];
                assert_int_equal(t->key, (uint64_t)a * COLUMNS + b);
                assert_int_equal(t->votes, count[a][b]);
                if (late[a][b])
                    assert_true(il_tally_margin(t) == sum[a][b] / (float)late[a][b]);
            }
        }
        assert_int_equal(at, votes.count);
        il_votes_free(&votes);
    }
}

static void keys_do_not_overflow(void **state)
{
    (void)state;
    struct il_votes votes;
    assert_int_equal(il_votes_open(&votes, UINT32_MAX, 4, 4), IL_OK);
    assert_int_equal(il_votes_add(&votes, UINT32_MAX - 1, UINT32_MAX - 1, 0), IL_OK);
    assert_int_equal(il_votes_flush(&votes), IL_OK);
    assert_int_equal(votes.tally[0].key / UINT32_MAX, UINT32_MAX - 1);
    assert_int_equal(votes.tally[0].key % UINT32_MAX, UINT32_MAX - 1);
    il_votes_free(&votes);
}

static void rare_pairs_go_first(void **state)
{
    (void)state;
    struct il_votes votes;
    assert_int_equal(il_votes_open(&votes, 100, 1000, 3), IL_OK);
    /* Pair (i, i) has i + 1 votes: of five pairs the three of most votes stay. */
    for (uint32_t i = 0; i < 5; i++)
        for (uint32_t v = 0; v <= i; v++)
            assert_int_equal(il_votes_add(&votes, i, i, 0), IL_OK);
    assert_int_equal(il_votes_flush(&votes), IL_OK);
    assert_int_equal(votes.count, 3);
    for (uint32_t i = 0; i < 3; i++) {
        assert_int_equal(votes.tally[i].key, (i + 2) * 101);
        assert_int_equal(votes.tally[i].votes, i + 3);
    }
    il_votes_free(&votes);
}

static void restart_keeps_promoted_pairs(void **state)
{
    (void)state;
    struct il_votes votes;
    assert_int_equal(il_votes_open(&votes, 10, 8, 100), IL_OK);
    for (uint32_t i = 0; i < 6; i++)
        assert_int_equal(il_votes_add(&votes, i, i, 1), IL_OK);
    assert_int_equal(il_votes_flush(&votes), IL_OK);
    votes.tally[1].promoted = 2;
    votes.tally[4].promoted = 1;
    il_votes_restart(&votes);
    assert_int_equal(votes.count, 2);
    assert_int_equal(votes.tally[0].key, 11);
    assert_int_equal(votes.tally[1].key, 44);
    assert_int_equal(votes.tally[0].votes, 0);
    assert_int_equal(votes.tally[0].promoted, 2);
    il_votes_free(&votes);
}

static void posterior_is_the_beta_mean(void **state)
{
    (void)state;
    assert_true(il_posterior(0, 0) == 0.5);
    assert_true(il_posterior(3, 8) == 0.4);
    assert_true(il_posterior(30, 30) == 31.0 / 32.0);
}

/* Expected: otsu() of the numpy reference on the same lists. */
static void otsu_agrees_with_the_reference(void **state)
{
    (void)state;
    static double values[5001];
    for (int i = 0; i < 60; i++)
        values[i] = i < 40 ? 0.1 * (i % 2) : 0.9 + 0.1 * (i % 2);
    assert_float_equal(il_otsu(values, 60), 0.099609375, 1e-12);
    for (int i = 0; i < 500; i++)
        values[i] = (1.0 + i * i * 7919LL % 31) / (2 + 33);
    assert_float_equal(il_otsu(values, 500), 0.3145089285714286, 1e-12);
    for (int i = 0; i < 5000; i++)
        values[i] = (1.0 + (long long)i * i * i % 97 * (i % 3)) / (2 + 300);
    assert_float_equal(il_otsu(values, 5000), 0.20322847682119205, 1e-12);
    /* Left out: a vote-less pair has a score below 0. */
    values[5000] = -1;
    assert_true(il_otsu(values, 5001) == il_otsu(values, 5000));
}

static void otsu_of_few_values(void **state)
{
    (void)state;
    const double one[] = {0.25, 0.25, 0.25}, none[] = {-1, -1};
    assert_true(il_otsu(NULL, 0) == 0);
    assert_true(il_otsu(none, 2) == 0);
    assert_true(il_otsu(one, 3) == 0.25);
    const double two[] = {0.25, 0.5};
    double t = il_otsu(two, 2);
    assert_true(t >= 0.25 && t < 0.5);
}

/* The best of all thresholds between values, straight from the definition. */
static void otsu_is_the_best_split(void **state)
{
    (void)state;
    struct il_rng rng = il_rng_make(5, 0, 0, IL_FOR_NULL);
    for (int turn = 0; turn < 50; turn++) {
        double values[200], best = -1, limit = 0;
        for (int i = 0; i < 200; i++)
            values[i] = (double)il_rng_below(&rng, 257) / 256;
        values[0] = 0; /* so that the bins are [k / 256, (k + 1) / 256) */
        values[1] = 1;
        for (int k = 0; k < 256; k++) {
            double low = 0, high = 0, n = 0;
            for (int i = 0; i < 200; i++) {
                int bin = values[i] == 1 ? 255 : (int)(values[i] * 256);
                n += bin <= k;
                *(bin <= k ? &low : &high) += (bin + 0.5) / 256;
            }
            double apart = n && n < 200 ? low / n - high / (200 - n) : 0;
            double s = n * (200 - n) * apart * apart;
            if (s > best * (1 + 1e-9)) {
                best = s;
                limit = (k + 0.5) / 256;
            }
        }
        assert_true(il_otsu(values, 200) == limit);
    }
}

static void one_to_one_is_first_of_row_and_column(void **state)
{
    (void)state;
    struct il_rng rng = il_rng_make(6, 0, 0, IL_FOR_NULL);
    for (int turn = 0; turn < 100; turn++) {
        struct il_tally tally[ROWS * COLUMNS];
        double score[ROWS * COLUMNS];
        uint8_t keep[ROWS * COLUMNS], given[ROWS * COLUMNS];
        size_t count = 0;
        for (uint64_t key = 0; key < ROWS * COLUMNS; key++) {
            if (il_rng_below(&rng, 4))
                continue;
            tally[count] = (struct il_tally){.key = key};
            score[count] = (double)il_rng_below(&rng, 9); /* many ties */
            given[count] = keep[count] = il_rng_below(&rng, 5) != 0;
            count++;
        }
        assert_int_equal(il_one_to_one(tally, count, ROWS, COLUMNS, score, keep), IL_OK);
        for (size_t i = 0; i < count; i++) {
            int first = given[i];
            for (size_t j = 0; j < count; j++) {
                int same = tally[i].key / COLUMNS == tally[j].key / COLUMNS ||
                           tally[i].key % COLUMNS == tally[j].key % COLUMNS;
                if (same && given[j] &&
                    (score[j] > score[i] || (score[j] == score[i] && j < i)))
                    first = 0;
            }
            assert_int_equal(keep[i], first);
        }
    }
}

static enum il_status use_all(void *context)
{
    (void)context;
    struct il_votes votes;
    enum il_status status = il_votes_open(&votes, 9, 4, 1000);
    if (status)
        return status;
    for (uint32_t i = 0; i < 30 && !status; i++)
        status = il_votes_add(&votes, i % 7, i % 9, 0);
    status = status ? status : il_votes_flush(&votes);
    double score[30] = {0};
    uint8_t keep[30] = {0};
    if (!status)
        status = il_one_to_one(votes.tally, votes.count, 7, 9, score, keep);
    il_votes_free(&votes);
    return status;
}

static void memory_faults_are_told(void **state)
{
    (void)state;
    assert_true(unit_starve(use_all, NULL) >= 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(votes_add_up),
        cmocka_unit_test(keys_do_not_overflow),
        cmocka_unit_test(rare_pairs_go_first),
        cmocka_unit_test(restart_keeps_promoted_pairs),
        cmocka_unit_test(posterior_is_the_beta_mean),
        cmocka_unit_test(otsu_agrees_with_the_reference),
        cmocka_unit_test(otsu_of_few_values),
        cmocka_unit_test(otsu_is_the_best_split),
        cmocka_unit_test(one_to_one_is_first_of_row_and_column),
        cmocka_unit_test(memory_faults_are_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
