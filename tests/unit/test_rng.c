/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/unit.h"

static void equal_keys_give_equal_streams(void **state)
{
    (void)state;
    struct il_rng x = il_rng_make(7, 1, 2, IL_FOR_VIEW);
    struct il_rng y = il_rng_make(7, 1, 2, IL_FOR_VIEW);
    for (int i = 0; i < 100; i++)
        assert_true(il_rng_next(&x) == il_rng_next(&y));
}

/* Links rest on these numbers: another generator would change every result. */
static void the_stream_is_pinned(void **state)
{
    (void)state;
    struct il_rng x = il_rng_make(0, 0, 0, IL_FOR_FOLDS);
    uint64_t first = il_rng_next(&x), second = il_rng_next(&x);
    assert_true(first == 0xbd03ccf9242852f8u);
    assert_true(second == 0x34471b55c3329df6u);
}

static void each_part_of_the_key_matters(void **state)
{
    (void)state;
    uint64_t seen[4 * 4 * 4 * 4];
    size_t count = 0;
    for (uint64_t s = 0; s < 4; s++)
        for (uint64_t r = 0; r < 4; r++)
            for (uint64_t v = 0; v < 4; v++)
                for (int p = 1; p <= 4; p++) {
                    struct il_rng x = il_rng_make(s, r, v, (enum il_purpose)p);
                    seen[count++] = il_rng_next(&x);
                }
    for (size_t i = 0; i < count; i++)
        for (size_t k = 0; k < i; k++)
            assert_true(seen[i] != seen[k]);
}

static void below_is_even_and_in_range(void **state)
{
    (void)state;
    struct il_rng x = il_rng_make(1, 0, 0, IL_FOR_SAMPLE);
    size_t count[7] = {0};
    for (int i = 0; i < 70000; i++)
        count[il_rng_below(&x, 7)]++;
    /* 10,000 each, standard deviation 93: six of them. */
    for (int i = 0; i < 7; i++)
        assert_in_range(count[i], 9440, 10560);
    for (int i = 0; i < 100; i++)
        assert_true(il_rng_below(&x, 1) == 0);
    /* A bound above 2^63 rejects almost every second number and must still end. */
    for (int i = 0; i < 100; i++)
        assert_true(il_rng_below(&x, (1ull << 63) + 1) <= 1ull << 63);
}

/* Of 4 random numbers 3 are wanted: without drawing again, every third one would come
   twice as often. */
static void below_has_no_bias(void **state)
{
    (void)state;
    struct il_rng x = il_rng_make(5, 0, 0, IL_FOR_SAMPLE);
    size_t thirds = 0;
    for (int i = 0; i < 30000; i++)
        thirds += il_rng_below(&x, 3ull << 62) % 3 == 0;
    assert_in_range(thirds, 9500, 10500);
}

static void samples_are_ascending_and_distinct(void **state)
{
    (void)state;
    static const struct {
        uint32_t range, count;
    } tried[] = {{0, 0},         {1, 0},           {1, 1},       {10, 10},
                 {10, 3},        {1000, 1},        {100000, 50}, {100000, 20000},
                 {30000, 30000}, {UINT32_MAX, 100}};
    static uint32_t out[30000];
    struct il_rng x = il_rng_make(2, 0, 0, IL_FOR_SAMPLE);
    for (size_t t = 0; t < sizeof(tried) / sizeof(*tried); t++) {
        il_rng_sample(&x, tried[t].range, tried[t].count, out);
        for (uint32_t i = 0; i < tried[t].count; i++) {
            assert_true(out[i] < tried[t].range);
            assert_true(i == 0 || out[i] > out[i - 1]);
        }
    }
}

/* Both ways of drawing take each number equally often. */
static void samples_are_even(void **state)
{
    (void)state;
    size_t sparse[20] = {0}, dense[2000] = {0};
    static uint32_t out[1600];
    struct il_rng x = il_rng_make(3, 0, 0, IL_FOR_SAMPLE);
    for (int i = 0; i < 20000; i++) {
        il_rng_sample(&x, 20, 5, out);
        for (int k = 0; k < 5; k++)
            sparse[out[k]]++;
    }
    for (int i = 0; i < 20; i++)
        assert_in_range(sparse[i], 4630, 5370); /* 5,000, deviation 61 */
    for (int i = 0; i < 500; i++) {
        il_rng_sample(&x, 2000, 1600, out);
        for (int k = 0; k < 1600; k++)
            dense[out[k]]++;
    }
    for (int i = 0; i < 2000; i++)
        assert_in_range(dense[i], 345, 455); /* 400, deviation 9 */
}

static void shuffle_permutes(void **state)
{
    (void)state;
    struct il_rng x = il_rng_make(4, 0, 0, IL_FOR_NULL);
    size_t at_front[6] = {0};
    for (int run = 0; run < 6000; run++) {
        uint32_t items[6] = {0, 1, 2, 3, 4, 5}, sum = 0;
        il_rng_shuffle(&x, items, 6);
        for (int i = 0; i < 6; i++)
            sum |= 1u << items[i];
        assert_int_equal(sum, 63);
        at_front[items[0]]++;
    }
    for (int i = 0; i < 6; i++)
        assert_in_range(at_front[i], 820, 1180);
    il_rng_shuffle(&x, NULL, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(equal_keys_give_equal_streams),
        cmocka_unit_test(the_stream_is_pinned),
        cmocka_unit_test(each_part_of_the_key_matters),
        cmocka_unit_test(below_is_even_and_in_range),
        cmocka_unit_test(below_has_no_bias),
        cmocka_unit_test(samples_are_ascending_and_distinct),
        cmocka_unit_test(samples_are_even),
        cmocka_unit_test(shuffle_permutes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
