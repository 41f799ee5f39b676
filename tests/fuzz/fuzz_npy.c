/* SPDX-License-Identifier: Apache-2.0 */
#include "formats/npy.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct il_bytes bytes = {
        .name = "fuzz.npy", .size = size, .memory = data ? data : (const uint8_t *)""};
    struct il_error error = {{0}};
    struct il_layout layout;
    enum il_status status = il_npy_layout(&layout, &bytes, &error);
    if (status == IL_OK)
        free(fuzz_read_rows(&layout, &bytes));
    else
        fuzz_check_refusal(status, &error);
    return 0;
}
