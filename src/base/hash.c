/* SPDX-License-Identifier: Apache-2.0 */
#include "src/base/base.h"

#include <string.h>

/* Folds the 128-bit product, as wyhash does: one multiplication mixes 16 bytes. */
static uint64_t fold(uint64_t a, uint64_t b)
{
    unsigned __int128 product = (unsigned __int128)a * b;
    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

uint64_t il_hash_bytes(const void *data, size_t bytes)
{
    /* Odd constants from the digits of pi; their only task is to be neither small nor
     * alike. */
    const uint64_t k0 = 0x243f6a8885a308d3u, k1 = 0x13198a2e03707345u;
    const unsigned char *at = data;
    size_t left = bytes;
    uint64_t hash = k0 ^ bytes;
    uint64_t word[2];
    while (left > 16) {
        memcpy(word, at, 16);
        hash = fold(word[0] ^ k1, word[1] ^ hash);
        at += 16;
        left -= 16;
    }
    word[0] = word[1] = 0;
    if (left)
        memcpy(word, at, left);
    hash = fold(word[0] ^ k1, word[1] ^ hash);
    return fold(hash ^ k0, k1);
}
