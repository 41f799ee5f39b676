/* SPDX-License-Identifier: Apache-2.0 */
/* The exponential in one fixed order of operations: libm's differs between releases and
   machines in the last bit, which must never reach a link. */
#include <math.h>

#include "src/base/base.h"

double il_exp(double x)
{
    if (!(x > -700)) {
        return 0;
    }
    x = x < 700 ? x : 700;
    /* x = k ln 2 + r, |r| <= ln 2 / 2; ln 2 in two parts so that r keeps its digits. */
    double k = floor(x * 1.4426950408889634 + 0.5);
    double r = (x - k * 0.693147180369123816490) - k * 1.90821492927058770002e-10;
    /* Taylor to r^13: the rest is below 2^-53 for |r| <= 0.347. */
    double sum = 1;
    for (int i = 13; i > 0; i--) {
        sum = 1 + r * sum / i;
    }
    return ldexp(sum, (int)k);
}
