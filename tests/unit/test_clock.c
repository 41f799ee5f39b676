/* SPDX-License-Identifier: Apache-2.0 */
#include <time.h>

#include "tests/unit/unit.h"

static void the_clock_never_goes_back(void **state)
{
    (void)state;
    double last = il_clock_seconds();
    assert_true(last > 0);
    for (int i = 0; i < 1000; i++) {
        double now = il_clock_seconds();
        assert_true(now >= last);
        last = now;
    }
}

static void it_counts_seconds(void **state)
{
    (void)state;
    double start = il_clock_seconds();
    usleep(20000);
    double passed = il_clock_seconds() - start;
    assert_true(passed >= 0.019 && passed < 20);
}

static void the_wall_clock_is_that_of_the_system(void **state)
{
    (void)state;
    const int64_t before = (int64_t)time(NULL) * 1000000000;
    const int64_t now = il_clock_wall_ns();
    assert_true(now >= before - 1000000000 && now < before + 100000000000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_clock_never_goes_back),
        cmocka_unit_test(it_counts_seconds),
        cmocka_unit_test(the_wall_clock_is_that_of_the_system),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
