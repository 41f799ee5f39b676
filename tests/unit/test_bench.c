/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/unit.h"

#include <isolink/bench.h>
#include <isolink/link.h>

static struct il_bench bench;

static struct il_bench_config quick(unsigned threads)
{
    struct il_bench_config config;
    il_bench_config_init(&config);
    assert_int_equal(config.threads, 0);
    assert_int_equal(config.quick, 0);
    config.quick = 1;
    config.threads = threads;
    return config;
}

static void check_line(const struct il_bench_line *line)
{
    assert_true(line->name && line->name[0] && line->isa && line->isa[0]);
    assert_true(line->unit >= IL_BENCH_FLOPS && line->unit <= IL_BENCH_OPS);
    assert_true(line->rate > 0 && line->rate < 1e15);
    assert_true(line->peak > 0 && line->peak < 1e15);
    assert_true(line->share > 0);
    assert_true(line->share_min <= line->share && line->share <= line->share_max);
}

static void lines_come_for_one_and_for_all_threads(void **state)
{
    (void)state;
    struct il_error error = {""};
    for (unsigned threads = 1; threads <= 3; threads += 2) {
        struct il_bench_config config = quick(threads);
        assert_int_equal(il_bench_run(&bench, &config, &error), IL_OK);
        assert_int_equal(bench.threads, threads);
        assert_string_equal(bench.isa, il_isa_text());
        assert_non_null(strstr(bench.available, bench.isa));
        assert_true(bench.peaks >= 2 && bench.peaks <= IL_BENCH_PEAKS_MAX);
        assert_true(bench.kernels >= 20 && bench.kernels <= IL_BENCH_KERNELS_MAX);
        assert_true(bench.seconds > 0 && bench.processor > 0);
        unsigned step = threads == 1 ? 1 : 2;
        assert_int_equal(bench.kernels % step, 0);
        for (size_t i = 0; i < bench.peaks; i++)
            check_line(&bench.peak[i]);
        for (size_t i = 0; i < bench.kernels; i++) {
            check_line(&bench.kernel[i]);
            assert_true(bench.kernel[i].rows > 0 && bench.kernel[i].k > 0);
            assert_int_equal(bench.kernel[i].threads, i % step ? threads : 1);
            assert_string_equal(bench.kernel[i].isa, bench.isa);
        }
    }
}

static void bad_configs_are_refused(void **state)
{
    (void)state;
    struct il_error error = {""};
    struct il_bench_config config = quick(257);
    assert_int_equal(il_bench_run(&bench, &config, &error), IL_EARG);
    assert_non_null(strstr(error.text, "257"));
    config = quick(1);
    config.struct_bytes--;
    assert_int_equal(il_bench_run(&bench, &config, &error), IL_EARG);
    assert_non_null(strstr(error.text, "config"));
}

/* The pool's, the work's and the first kernel's allocations fail, one a run. */
static void memory_runs_out(void **state)
{
    (void)state;
    struct il_error error = {""};
    struct il_bench_config config = quick(2);
    il_alloc_fail_at(0);
    assert_int_equal(il_bench_run(&bench, &config, &error), IL_OK);
    long calls = il_alloc_calls();
    for (long fail = 1; fail <= 40 && fail <= calls; fail += 3) {
        il_alloc_fail_at(fail);
        assert_int_equal(il_bench_run(&bench, &config, &error), IL_ENOMEM);
    }
    il_alloc_fail_at(0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_come_for_one_and_for_all_threads),
        cmocka_unit_test(bad_configs_are_refused),
        cmocka_unit_test(memory_runs_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
