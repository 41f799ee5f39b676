/* SPDX-License-Identifier: Apache-2.0 */
/* Product of packed rows for avx512: the tile; blocking in tmpl/gemm.h. */
#include "../internal.h"

#ifdef IL_SIMD_X86
#include "vec.h"

#include "tile.h"

/* A whole 12 x 32 tile of C; goes on from C where load is set. */
__attribute__((noinline)) static void tile_gemm(size_t k, const float *a, const float *b,
                                                float *c, size_t ld, int load)
{
    TILE_ROWS(TILE_ZERO)
    if (load) {
        TILE_ROWS(TILE_LOAD)
    }
    TILE_LOOP
    TILE_ROWS(TILE_STORE)
}

#include "../tmpl/gemm.h"
#else
typedef int il_not_empty; /* ISO C forbids an empty translation unit */
#endif
