/* SPDX-License-Identifier: Apache-2.0 */
/* zstd frames, in front of rows that need no header. */
#include "tests/fuzz/fuzz_source.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_source("fuzz.fvecs.zst", data, size);
    return 0;
}
