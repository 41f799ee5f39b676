/* SPDX-License-Identifier: Apache-2.0 */
/* Maps: with bit 7 of the first byte the checksum is made right, without which the fuzzer
   would get no further. What is accepted is written back as it was, and maps a row. */
#include <string.h>

#include "formats/map_file.h"
#include "src/base/base.h"
#include "tests/fuzz/fuzz.h"

static void map_a_row(const struct il_mapping *m, int way)
{
    struct il_error error;
    struct il_mapper *mapper = NULL;
    size_t dim = il_mapping_info(m)->dim[way], other = il_mapping_info(m)->dim[!way];
    float *row = calloc(dim, sizeof(*row)), *out = malloc(other * sizeof(*out));
    float sure = 2;
    FUZZ_CHECK(row && out);
    row[0] = 1;
    FUZZ_CHECK(il_mapper_open(&mapper, m, way, 1, &error) == IL_OK);
    FUZZ_CHECK(il_mapper_rows(mapper, row, 1, out, &sure, NULL) == IL_OK);
    FUZZ_CHECK(sure >= 0 && sure <= 1);
    il_mapper_close(&mapper);
    free(out);
    free(row);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct il_error error = {{0}};
    struct il_mapping *m = NULL;
    if (size < 1)
        return 0;
    /* Of exactly the size, so that ASan sees a read past the end. */
    size_t bytes = size - 1;
    unsigned char *p = malloc(bytes + !bytes);
    FUZZ_CHECK(p != NULL);
    memcpy(p, data + 1, bytes);
    if (data[0] & 0x80 && bytes >= 8)
        store_u64(p + bytes - 8, il_checksum(p, bytes - 8));
    enum il_status status = il_mapping_decode(&m, p, bytes, "m", &error);
    if (status == IL_OK) {
        unsigned char *again = NULL;
        size_t more = 0;
        FUZZ_CHECK(il_mapping_encode(m, &again, &more) == IL_OK && more == bytes);
        FUZZ_CHECK(memcmp(again, p, bytes) == 0);
        il_free(again);
        map_a_row(m, 0);
        map_a_row(m, 1);
    } else {
        FUZZ_CHECK(m == NULL);
        FUZZ_CHECK(error.text[0] && memchr(error.text, 0, sizeof(error.text)));
        FUZZ_CHECK(status == IL_ECORRUPT || status == IL_EFORMAT ||
                   status == IL_EVERSION);
    }
    il_mapping_close(&m);
    free(p);
    return 0;
}
