/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/unit.h"

#include <math.h>

/* Distance from the true value in units in the last place of it. */
static double error_ulp(double x)
{
    long double wanted = expl((long double)x);
    double near = (double)wanted;
    double ulp = nextafter(near, INFINITY) - near;
    return (double)(fabsl((long double)il_exp(x) - wanted) / (long double)ulp);
}

static void within_two_ulp(void **state)
{
    (void)state;
    double worst = 0;
    struct il_rng rng = il_rng_make(1, 0, 0, IL_FOR_NULL);
    for (int i = 0; i < 200000; i++) {
        double t = (double)(il_rng_next(&rng) >> 11) * 0x1p-53;
        double wide = error_ulp(1400 * t - 700 + 1e-9), narrow = error_ulp(4 * t - 2);
        worst = wide > worst ? wide : worst;
        worst = narrow > worst ? narrow : worst;
    }
    /* The ends of the reduced argument: halves of ln 2. */
    for (int k = -1009; k < 1009; k++) {
        double t = error_ulp((k + 0.5) * 0.69314718055994531);
        worst = t > worst ? t : worst;
    }
    if (!(worst <= 2))
        fail_msg("off by %.3f units in the last place", worst);
}

static void special_values(void **state)
{
    (void)state;
    const double top = il_exp(700);
    assert_true(il_exp(0) == 1 && il_exp(-0.0) == 1);
    assert_true(il_exp(0x1p-60) == 1 && il_exp(-0x1p-60) == 1);
    assert_true(il_exp(5e-324) == 1);
    assert_true(il_exp(-INFINITY) == 0 && !signbit(il_exp(-INFINITY)));
    assert_true(il_exp(-700) == 0 && il_exp(-1e300) == 0);
    assert_true(il_exp(nextafter(-700, 0)) > 0);
    assert_true(isfinite(top) && error_ulp(700) <= 2);
    assert_true(il_exp(INFINITY) == top && il_exp(1e300) == top && il_exp(701) == top);
    assert_true(il_exp(NAN) == 0); /* a score that is no number weighs nothing */
}

static void ascends(void **state)
{
    (void)state;
    double last = 0;
    for (int i = -70000; i <= 70000; i++) {
        double y = il_exp(i * 0.01);
        assert_true(y >= last && (i <= -70000 || y > last));
        last = y;
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(within_two_ulp),
        cmocka_unit_test(special_values),
        cmocka_unit_test(ascends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
