/* SPDX-License-Identifier: Apache-2.0 */
#include "formats/vecs.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const enum il_dtype types[] = {IL_F32, IL_U8};
    struct il_bytes bytes = {
        .name = "fuzz.fvecs", .size = size, .memory = data ? data : (const uint8_t *)""};
    for (size_t i = 0; i < sizeof(types) / sizeof(*types); i++) {
        struct il_error error = {{0}};
        struct il_layout layout;
        enum il_status status = il_vecs_layout(&layout, &bytes, types[i], &error);
        if (status == IL_OK) {
            unsigned char *block = fuzz_read_rows(&layout, &bytes);
            status = il_vecs_check(&layout, block, 0, layout.rows, bytes.name, &error);
            free(block);
        }
        if (status != IL_OK)
            fuzz_check_refusal(status, &error);
    }
    return 0;
}
