/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/fuzz/fuzz_source.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct il_input *stream = NULL;
    struct il_source *source = NULL;
    struct il_error error = {{0}};
    size_t count = 0;
    if (il_input_memory(&stream, "fuzz.db", data, size, 0, &error) != IL_OK)
        return 0;
    enum il_status status = il_source_of_input(&source, stream, NULL, &error);
    /* libsqlite3 has refusals of its own kinds; all must say why. */
    FUZZ_CHECK(status == IL_OK || error.text[0]);
    if (status == IL_OK) {
        float *row = malloc(il_source_dim(source) * sizeof(*row));
        const void *id[1];
        size_t id_bytes[1];
        do {
            status = il_source_next(source, 1, row, id, id_bytes, &count, &error);
            FUZZ_CHECK(status == IL_OK || error.text[0]);
        } while (status == IL_OK && count == 1);
        free(row);
    }
    il_source_close(&source);
    return 0;
}
