/* SPDX-License-Identifier: Apache-2.0 */
#include <stdatomic.h>
#include "tests/unit/unit.h"

#define TASKS 20000

struct tally {
    unsigned char done[TASKS]; /* plain on purpose: TSan must see no race */
    atomic_uint inside[256];
    unsigned threads;
};

static void count_task(void *context, size_t task, unsigned thread)
{
    struct tally *tally = context;
    /* No assert_*: it would jump out of a worker. */
    if (thread >= tally->threads || atomic_fetch_add(&tally->inside[thread], 1) != 0)
        abort();
    tally->done[task]++;
    atomic_fetch_sub(&tally->inside[thread], 1);
}

static void each_task_runs_once(void **state)
{
    (void)state;
    static struct tally tally;
    for (unsigned threads = 1; threads <= 5; threads++) {
        struct il_pool *pool = NULL;
        assert_int_equal(il_pool_open(&pool, threads), IL_OK);
        assert_int_equal(il_pool_threads(pool), threads);
        memset(&tally, 0, sizeof(tally));
        tally.threads = threads;
        il_pool_run(pool, TASKS, count_task, &tally);
        for (size_t i = 0; i < TASKS; i++)
            assert_int_equal(tally.done[i], 1);
        il_pool_close(&pool);
        assert_null(pool);
    }
}

static void many_short_runs_see_each_others_writes(void **state)
{
    (void)state;
    static struct tally tally;
    struct il_pool *pool = NULL;
    assert_int_equal(il_pool_open(&pool, 4), IL_OK);
    memset(&tally, 0, sizeof(tally));
    tally.threads = 4;
    for (size_t run = 0; run < 2000; run++) {
        size_t tasks = run % 7;
        il_pool_run(pool, tasks, count_task, &tally);
        for (size_t i = 0; i < tasks; i++) {
            assert_int_equal(tally.done[i], 1);
            tally.done[i] = 0;
        }
    }
    il_pool_close(&pool);
}

static atomic_uint looks;

static void count_look(void)
{
    atomic_fetch_add(&looks, 1);
}

static void *none_to_get(size_t bytes, int hot)
{
    (void)bytes;
    (void)hot;
    return NULL;
}

static int none_to_gather(const void *block, size_t row_bytes, const uint32_t *rows,
                          size_t count, void *out)
{
    (void)block;
    (void)row_bytes;
    (void)rows;
    (void)count;
    (void)out;
    return 0;
}

static int none_to_put(void *block)
{
    (void)block;
    return 0;
}

/* One thread looked at nothing: only the threads of a pool did. */
static void memory_is_looked_at_after_each_task(void **state)
{
    (void)state;
    static const struct il_large large = {SIZE_MAX, none_to_get, none_to_put, count_look,
                                          none_to_gather};
    static struct tally tally;
    for (unsigned threads = 1; threads <= 3; threads += 2) {
        struct il_pool *pool = NULL;
        assert_int_equal(il_pool_open(&pool, threads), IL_OK);
        memset(&tally, 0, sizeof(tally));
        tally.threads = threads;
        atomic_store(&looks, 0);
        il_large_set(&large);
        il_pool_run(pool, 10, count_task, &tally);
        il_large_set(NULL);
        assert_int_equal(atomic_load(&looks), 10);
        il_pool_close(&pool);
    }
}

static void zero_threads_means_the_cores(void **state)
{
    (void)state;
    struct il_pool *pool = NULL;
    assert_true(il_cores() >= 1);
    assert_int_equal(il_pool_open(&pool, 0), IL_OK);
    assert_int_equal(il_pool_threads(pool), il_cores() < 256 ? il_cores() : 256);
    il_pool_close(&pool);
    il_pool_close(&pool);
}

static void bad_requests_leave_null(void **state)
{
    (void)state;
    struct il_pool *pool = (void *)1;
    assert_int_equal(il_pool_open(&pool, 257), IL_EARG);
    assert_null(pool);
    il_alloc_fail_at(1);
    assert_int_equal(il_pool_open(&pool, 2), IL_ENOMEM);
    il_alloc_fail_at(0);
    assert_null(pool);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_task_runs_once),
        cmocka_unit_test(many_short_runs_see_each_others_writes),
        cmocka_unit_test(memory_is_looked_at_after_each_task),
        cmocka_unit_test(zero_threads_means_the_cores),
        cmocka_unit_test(bad_requests_leave_null),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
