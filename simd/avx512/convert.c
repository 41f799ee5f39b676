/* SPDX-License-Identifier: Apache-2.0 */
/* The kernels of ref/convert.c for avx512: the shared body at this instruction set's
 * width. */
#include "../internal.h"

#ifdef IL_SIMD_X86
#include "vec.h"

#include "../tmpl/convert.h"
#else
typedef int il_not_empty; /* ISO C forbids an empty translation unit */
#endif
