/* SPDX-License-Identifier: Apache-2.0 */
/* A whole source read from bytes, as a file and as a pipe; both must agree. */
#ifndef IL_FUZZ_SOURCE_H
#define IL_FUZZ_SOURCE_H

#include <string.h>

#include "src/store/source_kind.h"
#include "tests/fuzz/fuzz.h"

#define FUZZ_MOST 3u

/* Rows up to the first that is refused; a sum of them and of their ids. */
static inline enum il_status fuzz_source_once(const char *name, const uint8_t *data,
                                              size_t size, int piped, uint64_t *sum)
{
    struct il_error error = {{0}};
    struct il_input *stream = NULL;
    struct il_source *source = NULL;
    float *rows = NULL;
    enum il_status status = il_input_memory(&stream, name, data, size, piped, &error);
    if (status == IL_OK)
        status = il_source_of_input(&source, stream, NULL, &error);
    *sum = 0;
    if (status == IL_OK) {
        size_t dim = il_source_dim(source), count = FUZZ_MOST;
        FUZZ_CHECK(dim >= 1 && dim <= IL_DIM_MAX);
        rows = malloc(FUZZ_MOST * dim * sizeof(*rows));
        FUZZ_CHECK(rows != NULL);
        while (status == IL_OK && count == FUZZ_MOST) {
            const void *ids[FUZZ_MOST];
            size_t bytes[FUZZ_MOST];
            status = il_source_next(source, FUZZ_MOST, rows, ids, bytes, &count, &error);
            FUZZ_CHECK(count <= FUZZ_MOST);
            for (size_t i = 0; i < count * dim; i++) {
                uint32_t bits;
                memcpy(&bits, &rows[i], sizeof(bits));
                *sum = *sum * 31 + bits;
            }
            for (size_t i = 0; i < count; i++) {
                FUZZ_CHECK(bytes[i] >= 1 && bytes[i] <= IL_ID_BYTES_MAX);
                for (size_t j = 0; j < bytes[i]; j++)
                    *sum = *sum * 31 + ((const unsigned char *)ids[i])[j];
            }
        }
    }
    if (status != IL_OK)
        fuzz_check_refusal(status, &error);
    free(rows);
    il_source_close(&source);
    return status;
}

static inline void fuzz_source(const char *name, const uint8_t *data, size_t size)
{
    uint64_t sum[2];
    enum il_status status[2];
    for (int piped = 0; piped < 2; piped++)
        status[piped] = fuzz_source_once(name, data, size, piped, &sum[piped]);
    FUZZ_CHECK(status[0] == status[1]);
    FUZZ_CHECK(status[0] != IL_OK || sum[0] == sum[1]);
}

#endif
