/* SPDX-License-Identifier: Apache-2.0 */
/* Signatures of one bit per coordinate (K5): the definition. Integers, so no order. */
#include "../internal.h"

#include <string.h>

void il_sign_bits_ref(const float *x, size_t n, size_t d, size_t ld, uint64_t *out)
{
    const size_t words = (d + 63) / 64;
    for (size_t i = 0; i < n; i++) {
        for (size_t w = 0; w < words; w++) {
            uint64_t bits = 0;
            for (size_t q = 64 * w; q < d && q < 64 * (w + 1); q++) {
                bits |= (uint64_t)(x[i * ld + q] > 0.0f) << q % 64;
            }
            out[i * words + w] = bits;
        }
    }
}

static uint32_t distance(const uint64_t *x, const uint64_t *y, size_t words)
{
    uint32_t count = 0;
    for (size_t w = 0; w < words; w++) {
        count += (uint32_t)__builtin_popcountll(x[w] ^ y[w]);
    }
    return count;
}

void il_hamming_row_ref(const uint64_t *x, const uint64_t *rows, size_t n, size_t words,
                        uint32_t *out)
{
    for (size_t i = 0; i < n; i++) {
        out[i] = distance(x, rows + i * words, words);
    }
}

void il_hamming_block_ref(size_t n, size_t m, size_t words, const uint64_t *a,
                          const uint64_t *b, uint16_t *out, size_t ld)
{
    for (size_t i = 0; i < n; i++) {
        for (size_t j = 0; j < m; j++) {
            out[i * ld + j] = (uint16_t)distance(a + i * words, b + j * words, words);
        }
    }
}
