/* SPDX-License-Identifier: Apache-2.0 */
/* Product of packed rows for avx2: tmpl/gemm.h with the tile of tile.h. */
#include "../internal.h"

#ifdef IL_SIMD_X86
#include "tile.h"
#include "vec.h"

#include "../tmpl/gemm.h"
#else
typedef int il_not_empty; /* ISO C forbids an empty translation unit */
#endif
