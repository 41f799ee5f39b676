/* SPDX-License-Identifier: Apache-2.0 */
#include "formats/bin.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const enum il_dtype types[] = {IL_F32, IL_F16, IL_U8, IL_I8};
    struct il_bytes bytes = {
        .name = "fuzz.bin", .size = size, .memory = data ? data : (const uint8_t *)""};
    for (size_t i = 0; i < sizeof(types) / sizeof(*types); i++) {
        struct il_error error = {{0}};
        struct il_layout layout;
        enum il_status status = il_bin_layout(&layout, &bytes, types[i], &error);
        if (status == IL_OK)
            free(fuzz_read_rows(&layout, &bytes));
        else
            fuzz_check_refusal(status, &error);
    }
    return 0;
}
