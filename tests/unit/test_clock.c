/* SPDX-License-Identifier: Apache-2.0 */
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_clock_never_goes_back),
        cmocka_unit_test(it_counts_seconds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
