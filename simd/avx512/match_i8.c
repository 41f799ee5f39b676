/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Matcher in bytes for avx512 with VNNI; body in tmpl/match_i8.h. The bytes of b are
 * stored + 128, for vpdpbusd wants one side without sign. Only the tile needs more than
 * the flags of this folder; simd.c looks for VNNI before it offers match3_i8.
 */
#include "../internal.h"

#ifdef IL_SIMD_X86
#include "../tmpl/list_x86.h"
#include "tile.h"
#include "vec.h"

enum { IL_I8_BIAS = 128, EXACT = 8 };

#include "../tmpl/match_i8.h"

/* Four bytes of a row of a. */
typedef int32_t __attribute__((may_alias)) bytes4;

/* sum += quads of b (no sign) times quads of a, in a register or in memory; statements,
   for gcc 12 moves the sums of its own intrinsic through memory. Broadcasts: see tile.h.
 */
#define I8_DPBUSD(sum, b, a)                                                             \
    __asm__ volatile("vpdpbusd %2, %1, %0" : "+v"(sum) : "v"(b), "v"(a))
#define I8_DPBUSD_MEMORY(sum, b, quad)                                                   \
    __asm__ volatile("vpdpbusd %2%{1to16%}, %1, %0" : "+v"(sum) : "v"(b), "m"(quad))

#define I8_START(r)                                                                      \
    __m512i c##r##_0 = _mm512_add_epi32(start_0, _mm512_set1_epi32(row_start[r]));       \
    __m512i c##r##_1 = _mm512_add_epi32(start_1, _mm512_set1_epi32(row_start[r]));
#define I8_DOT_REGISTER(r)                                                               \
    {                                                                                    \
        const __m512i x = _mm512_set1_epi32(quad[r]);                                    \
        I8_DPBUSD(c##r##_0, b0, x);                                                      \
        I8_DPBUSD(c##r##_1, b1, x);                                                      \
    }
#define I8_DOT_MEMORY(r)                                                                 \
    I8_DPBUSD_MEMORY(c##r##_0, b0, quad[r]);                                             \
    I8_DPBUSD_MEMORY(c##r##_1, b1, quad[r]);
#define I8_DOT_THREE(r, s, t) I8_DOT_MEMORY(r) I8_DOT_MEMORY(s) I8_DOT_MEMORY(t)
#define I8_STEP                                                                          \
    {                                                                                    \
        const __m512i b0 = _mm512_load_si512(b), b1 = _mm512_load_si512(b + 64);         \
        I8_DOT_REGISTER(0)                                                               \
        I8_DOT_THREE(1, 2, 3)                                                            \
        I8_DOT_REGISTER(4)                                                               \
        I8_DOT_THREE(5, 6, 7)                                                            \
        I8_DOT_REGISTER(8)                                                               \
        I8_DOT_THREE(9, 10, 11)                                                          \
        quad += IL_MR;                                                                   \
        b += 4 * IL_NR;                                                                  \
    }
#define I8_STORE(r)                                                                      \
    _mm512_store_si512(c + (r)*IL_NR, c##r##_0);                                         \
    _mm512_store_si512(c + (r)*IL_NR + 16, c##r##_1);
#define I8_ROW(r)                                                                        \
    low = _mm512_mask_cmplt_epi32_mask(low, _mm512_max_epi32(c##r##_0, c##r##_1),        \
                                       _mm512_set1_epi32(row_threshold[r]));
#define I8_COLUMN(r)                                                                     \
    high_0 = _mm512_max_epi32(c##r##_0, high_0);                                         \
    high_1 = _mm512_max_epi32(c##r##_1, high_1);

__attribute__((noinline)) static int
tile_match_i8(size_t quads, const int8_t *a, const int8_t *b, const int32_t *row_start,
              const int32_t *row_threshold, const int32_t *col_start,
              const int32_t *col_threshold, int32_t *c)
{
    const __m512i start_0 = _mm512_load_si512(col_start);
    const __m512i start_1 = _mm512_load_si512(col_start + 16);
    const bytes4 *quad = (const bytes4 *)(const void *)a;
    TILE_ROWS(I8_START)
    if (quads % 2 != 0) {
        I8_STEP
    }
    for (size_t q = quads / 2; q > 0; q--) {
        I8_STEP I8_STEP
    }
    __m512i high_0 = c0_0, high_1 = c0_1;
    TILE_ROWS_AFTER_0(I8_COLUMN)
    __mmask16 low = 0xffffu;
    TILE_ROWS(I8_ROW)
    low = _mm512_mask_cmplt_epi32_mask(low, high_0, _mm512_load_si512(col_threshold));
    low =
        _mm512_mask_cmplt_epi32_mask(low, high_1, _mm512_load_si512(col_threshold + 16));
    if (low == 0xffffu) {
        return 0;
    }
    TILE_ROWS(I8_STORE)
    return 1;
}

static uint32_t rows_that_pass(const int32_t *c, const int32_t *row_threshold,
                               const int32_t *col_threshold)
{
    const __m512i col_0 = _mm512_load_si512(col_threshold);
    const __m512i col_1 = _mm512_load_si512(col_threshold + 16);
    uint32_t rows = 0;
    IL_UNROLL
    for (size_t r = 0; r < IL_MR; r++) {
        const __m512i row = _mm512_set1_epi32(row_threshold[r]);
        const __m512i least_0 = _mm512_min_epi32(row, col_0);
        const __m512i least_1 = _mm512_min_epi32(row, col_1);
        const __mmask16 hit =
            _mm512_cmpge_epi32_mask(_mm512_load_si512(c + r * IL_NR), least_0) |
            _mm512_cmpge_epi32_mask(_mm512_load_si512(c + r * IL_NR + 16), least_1);
        rows |= (uint32_t)(hit != 0) << r;
    }
    return rows;
}

#define ROWS_4(X) X(0) X(1) X(2) X(3)
#define ROWS_8(X) ROWS_4(X) X(4) X(5) X(6) X(7)
#define EXACT_POINTER(r) const float *x##r = x[r];
#define EXACT_FMA(r)                                                                     \
    {                                                                                    \
        const __m512 v = _mm512_set1_ps(x##r[q]);                                        \
        c##r##_0 = _mm512_fmadd_ps(v, b0, c##r##_0);                                     \
        c##r##_1 = _mm512_fmadd_ps(v, b1, c##r##_1);                                     \
    }
#define EXACT_TILE(ROWS_N)                                                               \
    ROWS_N(EXACT_POINTER)                                                                \
    ROWS_N(TILE_ZERO)                                                                    \
    for (size_t q = 0; q < k; q++) {                                                     \
        const __m512 b0 = _mm512_load_ps(b), b1 = _mm512_load_ps(b + 16);                \
        ROWS_N(EXACT_FMA)                                                                \
        b += IL_NR;                                                                      \
    }                                                                                    \
    ROWS_N(TILE_STORE)

__attribute__((noinline)) static void tile_exact_4(size_t k, const float *const *x,
                                                   const float *b, float *c)
{
    const size_t ld = IL_NR;
    EXACT_TILE(ROWS_4)
}

__attribute__((noinline)) static void tile_exact_8(size_t k, const float *const *x,
                                                   const float *b, float *c)
{
    const size_t ld = IL_NR;
    EXACT_TILE(ROWS_8)
}

/* Half the rows take half the time: the fma, not their latency, is the limit of both. */
static void exact_rows(size_t k, size_t count, const float *const *x, const float *b,
                       float *c)
{
    if (count <= 4) {
        tile_exact_4(k, x, b, c);
    } else {
        tile_exact_8(k, x, b, c);
    }
}
#else
typedef int il_not_empty; /* ISO C forbids an empty translation unit */
#endif
