/* SPDX-License-Identifier: Apache-2.0 */
/* Pairwise exchange in one fixed order, so that equal random numbers give equal
 * permutations. */
#include "src/link/assign.h"

#include <string.h>

/* An exchange must gain more than rounding can: sums are of this order. */
#define GAIN_MIN 1e-12
/* Sweeps of one restart at most: the sum only rises, so this bounds what rounding and
   huge entries could do, not what happens. */
#define SWEEPS_MAX 1000

/* b in the order of the permutation, kept so that rows lie together. */
struct search {
    size_t n;
    const double *a;
    double b[IL_ASSIGN_MAX * IL_ASSIGN_MAX];
    uint32_t p[IL_ASSIGN_MAX];
};

/* What the sum gains when r and s exchange their partners; both matrices are symmetric.
 */
static double gain(const struct search *s, size_t r, size_t t)
{
    const double *ar = s->a + r * s->n, *at = s->a + t * s->n;
    const double *br = s->b + r * s->n, *bt = s->b + t * s->n;
    double sum = 0;
    for (size_t k = 0; k < s->n; k++) {
        sum += (ar[k] - at[k]) * (bt[k] - br[k]);
    }
    /* The four entries between r and t themselves do not follow that rule. */
    sum -= (ar[r] - at[r]) * (bt[r] - br[r]) + (ar[t] - at[t]) * (bt[t] - br[t]);
    return 2 * sum + (ar[r] - at[t]) * (bt[t] - br[r]);
}

static void exchange(struct search *s, size_t r, size_t t)
{
    uint32_t kept = s->p[r];
    s->p[r] = s->p[t];
    s->p[t] = kept;
    for (size_t k = 0; k < s->n; k++) {
        double b = s->b[r * s->n + k];
        s->b[r * s->n + k] = s->b[t * s->n + k];
        s->b[t * s->n + k] = b;
    }
    for (size_t k = 0; k < s->n; k++) {
        double b = s->b[k * s->n + r];
        s->b[k * s->n + r] = s->b[k * s->n + t];
        s->b[k * s->n + t] = b;
    }
}

/* Exchanges until none gains; returns the sum. */
static double climb(struct search *s, double least)
{
    int moved = 1;
    for (unsigned sweep = 0; moved && sweep < SWEEPS_MAX; sweep++) {
        moved = 0;
        for (size_t r = 0; r < s->n; r++) {
            for (size_t t = r + 1; t < s->n; t++) {
                if (gain(s, r, t) > least) {
                    exchange(s, r, t);
                    moved = 1;
                }
            }
        }
    }
    double sum = 0;
    for (size_t i = 0; i < s->n * s->n; i++) {
        sum += s->a[i] * s->b[i];
    }
    return sum;
}

static double largest(const double *a, size_t n)
{
    double top = 0;
    for (size_t i = 0; i < n * n; i++) {
        double size = a[i] < 0 ? -a[i] : a[i];
        top = size > top ? size : top;
    }
    return top;
}

double il_assign_quadratic(size_t n, const double *a, const double *b, unsigned restarts,
                           struct il_rng *rng, uint32_t *p)
{
    struct search s = {.n = n, .a = a};
    double best = 0;
    IL_ASSERT(n >= 1 && n <= IL_ASSIGN_MAX && restarts >= 1);
    double least = GAIN_MIN * largest(a, n) * largest(b, n);
    for (unsigned i = 0; i < restarts; i++) {
        for (size_t k = 0; k < n; k++) {
            s.p[k] = (uint32_t)k;
        }
        il_rng_shuffle(rng, s.p, n);
        for (size_t r = 0; r < n; r++) {
            for (size_t t = 0; t < n; t++) {
                s.b[r * n + t] = b[s.p[r] * n + s.p[t]];
            }
        }
        double sum = climb(&s, least);
        if (i == 0 || sum > best) {
            best = sum;
            memcpy(p, s.p, n * sizeof *p);
        }
    }
    return best;
}
