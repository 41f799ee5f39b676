/* SPDX-License-Identifier: Apache-2.0 */
/* What the fuzz targets share. */
#ifndef IL_FUZZ_H
#define IL_FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "formats/layout.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Stays on in every build: a broken promise is as much a finding as a bad access. */
#define FUZZ_CHECK(e)                                                                    \
    do {                                                                                 \
        if (!(e))                                                                        \
            abort();                                                                     \
    } while (0)

/* Checks what a reader promised about an accepted file, then reads the rows as the
   library does. The block is the caller's. */
static inline unsigned char *fuzz_read_rows(const struct il_layout *l,
                                            const struct il_bytes *bytes)
{
    struct il_error error = {{0}};
    FUZZ_CHECK(l->rows >= 1 && l->rows <= IL_ROWS_MAX);
    FUZZ_CHECK(l->dim >= 1 && l->dim <= IL_DIM_MAX);
    FUZZ_CHECK(l->stride_bytes == l->lead_bytes + l->dim * il_dtype_bytes(l->type));
    FUZZ_CHECK(l->block_bytes == l->rows * l->stride_bytes);
    FUZZ_CHECK(l->offset + l->block_bytes == bytes->size);
    unsigned char *block = malloc(l->block_bytes);
    FUZZ_CHECK(block != NULL);
    FUZZ_CHECK(il_bytes_read(bytes, l->offset, block, l->block_bytes, &error) == IL_OK);
    return block;
}

/* A refusal must say why, within its buffer. */
static inline void fuzz_check_refusal(enum il_status status, const struct il_error *error)
{
    FUZZ_CHECK(status == IL_EFORMAT || status == IL_ELIMIT);
    size_t length = 0;
    while (length < sizeof(error->text) && error->text[length])
        length++;
    FUZZ_CHECK(length > 0 && length < sizeof(error->text));
}

#endif
