/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "formats/csv.h"
#include "tests/fuzz/fuzz.h"

#define ROOM 4

/* Rows and fields of a text, read with room for some of the fields. The text is a fresh
   copy of exactly its size, so that ASan sees a read past its end. */
static size_t read_all(const uint8_t *data, size_t size, size_t room)
{
    char *text = malloc(size ? size : 1);
    FUZZ_CHECK(text != NULL);
    if (size)
        memcpy(text, data, size);
    struct il_csv csv;
    struct il_csv_field fields[ROOM];
    struct il_error error = {{0}};
    size_t total = 0, line = 0;
    il_csv_open(&csv, "fuzz.csv", text, size);
    for (;;) {
        size_t count = 0;
        enum il_status status = il_csv_row(&csv, fields, room, &count, &error);
        if (status != IL_OK) {
            fuzz_check_refusal(status, &error);
            break;
        }
        if (count == 0) {
            FUZZ_CHECK(csv.at == csv.end);
            break;
        }
        FUZZ_CHECK(csv.row_line > line);
        line = csv.row_line;
        for (size_t i = 0; i < count && i < room; i++) {
            FUZZ_CHECK(fields[i].text >= text && fields[i].bytes <= size);
            FUZZ_CHECK(fields[i].text + fields[i].bytes <= text + size);
            FUZZ_CHECK(!memchr(fields[i].text, 0, fields[i].bytes));
        }
        total += count + 1;
    }
    free(text);
    return total;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    FUZZ_CHECK(read_all(data, size, 0) == read_all(data, size, ROOM));
    return 0;
}
