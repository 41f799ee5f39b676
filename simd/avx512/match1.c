/* SPDX-License-Identifier: Apache-2.0 */
/* Matchers that keep maxima, for avx512: tmpl/match1.h with the tile of tile.h. */
#include "../internal.h"

#ifdef IL_SIMD_X86
#include "tile.h"
#include "vec.h"

#include "../tmpl/match1.h"
#include "../tmpl/topk.h"
#else
typedef int il_not_empty; /* ISO C forbids an empty translation unit */
#endif
