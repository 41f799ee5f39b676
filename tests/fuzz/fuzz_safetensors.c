/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/fuzz/fuzz_source.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_source("fuzz.safetensors", data, size);
    return 0;
}
