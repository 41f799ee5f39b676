/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/unit.h"

static void products_and_sums_are_checked(void **state)
{
    (void)state;
    size_t out = 0;
    assert_int_equal(il_mul_bytes(3, 4, &out), IL_OK);
    assert_int_equal(out, 12);
    assert_int_equal(il_mul_bytes(SIZE_MAX, 1, &out), IL_OK);
    assert_int_equal(il_mul_bytes(SIZE_MAX / 2 + 1, 2, &out), IL_ELIMIT);
    assert_int_equal(il_add_bytes(SIZE_MAX - 1, 1, &out), IL_OK);
    assert_true(out == SIZE_MAX);
    assert_int_equal(il_add_bytes(SIZE_MAX, 1, &out), IL_ELIMIT);
}

static void impossible_sizes_give_null(void **state)
{
    (void)state;
    assert_null(il_alloc(SIZE_MAX, 2));
    assert_null(il_alloc(SIZE_MAX, 1));
    assert_null(il_alloc_zero(SIZE_MAX / 8, 8));
    /* The rounding and the padding must not wrap either. */
    for (size_t i = 0; i < 200; i++)
        assert_null(il_alloc(SIZE_MAX - i, 1));
}

static void blocks_are_aligned_and_padded(void **state)
{
    (void)state;
    for (size_t bytes = 0; bytes < 300; bytes++) {
        unsigned char *block = il_alloc(bytes, 1);
        assert_non_null(block);
        assert_int_equal((uintptr_t)block % 64, 0);
        memset(block, 1, bytes + 64);
        il_free(block);
        block = il_alloc_zero(bytes, 1);
        for (size_t i = 0; i < bytes; i++)
            assert_int_equal(block[i], 0);
        il_free(block);
    }
    il_free(NULL);
}

static void realloc_keeps_what_fits(void **state)
{
    (void)state;
    unsigned char *block = il_realloc(NULL, 0, 100);
    assert_non_null(block);
    for (unsigned i = 0; i < 100; i++)
        block[i] = (unsigned char)i;
    block = il_realloc(block, 100, 5000);
    assert_non_null(block);
    for (unsigned i = 0; i < 100; i++)
        assert_int_equal(block[i], i);
    assert_int_equal((uintptr_t)block % 64, 0);
    block = il_realloc(block, 5000, 10);
    assert_int_equal(block[9], 9);
    /* A failure leaves the old block. */
    assert_null(il_realloc(block, 10, SIZE_MAX));
    assert_int_equal(block[9], 9);
    il_free(block);
}

static void the_fault_hook_fails_one_call(void **state)
{
    (void)state;
    il_alloc_fail_at(2);
    void *first = il_alloc(1, 1), *second = il_alloc(1, 1), *third = il_alloc(1, 1);
    assert_non_null(first);
    assert_null(second);
    assert_non_null(third);
    assert_int_equal(il_alloc_calls(), 3);
    il_alloc_fail_at(0);
    il_free(first);
    il_free(third);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(products_and_sums_are_checked),
        cmocka_unit_test(impossible_sizes_give_null),
        cmocka_unit_test(blocks_are_aligned_and_padded),
        cmocka_unit_test(realloc_keeps_what_fits),
        cmocka_unit_test(the_fault_hook_fails_one_call),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
