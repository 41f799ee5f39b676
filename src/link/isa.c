/* SPDX-License-Identifier: Apache-2.0 */
/* The instruction set in use, for the public API. */
#include <stdlib.h>

#include <isolink/link.h>

#include "simd/simd.h"
#include "src/base/base.h"

const char *il_isa_text(void)
{
    return il_isa_name(il_simd()->isa);
}

enum il_status il_isa_check(struct il_error *error)
{
    if (il_simd_env_ok()) {
        return IL_OK;
    }
    return il_fail(
        error, IL_EARG,
        "ISOLINK_ISA=%s: this machine has no instruction set of that name, only: %s",
        getenv("ISOLINK_ISA"), il_simd_available());
}
