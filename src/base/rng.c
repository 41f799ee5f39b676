/* SPDX-License-Identifier: Apache-2.0 */
/* Counter-based random numbers: number c of a stream is a function of the key and c
   alone. Integer arithmetic only, so every machine draws the same. Not for cryptography.
 */
#include "src/base/base.h"

#include <string.h>

/* 2^64 / golden ratio, odd: the increment of splitmix64 (Steele, Lea, Flood 2014). */
#define WEYL 0x9e3779b97f4a7c15u

/* The finalizer of splitmix64 (Stafford's variant 13): a bijection that mixes every bit.
 */
static uint64_t mix(uint64_t x)
{
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    return x ^ (x >> 31);
}

struct il_rng il_rng_make(uint64_t seed, uint64_t round, uint64_t view,
                          enum il_purpose purpose)
{
    /* Each part enters between two mixings, so (round 1, view 2) and (round 2, view 1)
     * differ. */
    uint64_t key = mix(seed + WEYL);
    key = mix(key ^ (round + WEYL));
    key = mix(key ^ (view + WEYL));
    key = mix(key ^ ((uint64_t)purpose + WEYL));
    return (struct il_rng){.key = key, .counter = 0};
}

uint64_t il_rng_next(struct il_rng *rng)
{
    /* The key enters twice, before and between the mixings: with one mixing two keys a
       multiple of WEYL apart would give the same stream, shifted. */
    uint64_t x = mix(rng->key + ++rng->counter * WEYL);
    return mix(x ^ (rng->key << 32 | rng->key >> 32));
}

uint64_t il_rng_below(struct il_rng *rng, uint64_t bound)
{
    IL_ASSERT(bound >= 1);
    /* Lemire's method: the high half of x * bound is the number, the low half tells
       whether x falls into the 2^64 mod bound surplus values, which are drawn again. */
    for (;;) {
        unsigned __int128 product = (unsigned __int128)il_rng_next(rng) * bound;
        uint64_t low = (uint64_t)product;
        if (low >= bound || low >= (0 - bound) % bound)
            return (uint64_t)(product >> 64);
    }
}

/* Knuth's selection sampling: one pass over the range, ascending by construction. */
static void sample_dense(struct il_rng *rng, uint32_t range, uint32_t count,
                         uint32_t *out)
{
    uint32_t taken = 0;
    for (uint32_t i = 0; taken < count; i++) {
        if (il_rng_below(rng, range - i) < count - taken)
            out[taken++] = i;
    }
}

/* Floyd's sampling into an array that is kept sorted: one draw per number taken. */
static void sample_sparse(struct il_rng *rng, uint32_t range, uint32_t count,
                          uint32_t *out)
{
    for (uint32_t taken = 0; taken < count; taken++) {
        uint32_t top = range - count + taken;
        uint32_t drawn = (uint32_t)il_rng_below(rng, (uint64_t)top + 1);
        uint32_t low = 0, high = taken;
        while (low < high) {
            uint32_t middle = low + (high - low) / 2;
            if (out[middle] < drawn)
                low = middle + 1;
            else
                high = middle;
        }
        if (low < taken && out[low] == drawn) {
            /* Drawn before: take top instead, which is larger than all numbers so far. */
            out[taken] = top;
        } else {
            memmove(out + low + 1, out + low, (size_t)(taken - low) * sizeof(*out));
            out[low] = drawn;
        }
    }
}

void il_rng_sample(struct il_rng *rng, uint32_t range, uint32_t count, uint32_t *out)
{
    IL_ASSERT(count <= range);
    /* The sorted insertion moves count^2 / 4 numbers at about 16 a nanosecond, the pass
       draws up to `range` numbers at about 3 ns: the choice rests on the arguments alone.
     */
    if ((uint64_t)count * count / 64 < (uint64_t)range * 3)
        sample_sparse(rng, range, count, out);
    else
        sample_dense(rng, range, count, out);
}

void il_rng_shuffle(struct il_rng *rng, uint32_t *items, size_t count)
{
    for (size_t i = count; i > 1; i--) {
        size_t j = (size_t)il_rng_below(rng, i);
        uint32_t kept = items[i - 1];
        items[i - 1] = items[j];
        items[j] = kept;
    }
}
