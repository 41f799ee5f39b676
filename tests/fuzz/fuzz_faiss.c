/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/fuzz/fuzz_source.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint64_t sum = 0;
    /* Ids cannot come through a pipe, rows can. */
    if (size >= 4 && (memcmp(data, "IxMp", 4) == 0 || memcmp(data, "IxM2", 4) == 0))
        (void)!fuzz_source_once("fuzz.faiss", data, size, 0, &sum);
    else
        fuzz_source("fuzz.faiss", data, size);
    return 0;
}
