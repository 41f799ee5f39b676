/* SPDX-License-Identifier: Apache-2.0 */
#include "src/base/base.h"

#include <time.h>

double il_clock_seconds(void)
{
    struct timespec now = {0};
    /* Cannot fail on Linux for this clock; zero would only spoil a report. */
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

int64_t il_clock_wall_ns(void)
{
    struct timespec now = {0};
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}
