/* SPDX-License-Identifier: Apache-2.0 */
/* The input is a segment with the zeros of its pages left out: the first byte says what
   is made right before it is opened (bit 0: the checksums, bit 1: those of chunks too),
   the second how many of the rest are the header (the checksum is the last 8), and then
   16-bit lengths and pieces follow, each for a page of its own, the last the tables and
   the footer. Without that the fuzzer would change zeros and be refused by a checksum. */
#include <string.h>

#include "tests/fuzz/fuzz.h"
#include "tests/unit/test_segment.h"

#define PAGES_MAX 16

/* Lays the pieces out; to be freed. */
static unsigned char *lay_out(const uint8_t *data, size_t size, size_t *out_size)
{
    unsigned char *out = calloc(PAGES_MAX + 1, IL_SEGMENT_ALIGN);
    FUZZ_CHECK(out != NULL);
    size_t header = size > 1 ? data[1] : 0, at = 2, page = 1, end = 0;
    if (size < 2 || header < 8 || header > size - at) {
        *out_size = 0;
        return out;
    }
    memcpy(out, data + at, header - 8);
    memcpy(out + HEADER_HASH_AT, data + at + header - 8, 8);
    end = HEADER_BYTES;
    at += header;
    while (size - at >= 2 && page < PAGES_MAX) {
        size_t piece = data[at] | (size_t)data[at + 1] << 8;
        at += 2;
        if (piece > size - at)
            piece = size - at;
        if (piece > IL_SEGMENT_ALIGN)
            piece = IL_SEGMENT_ALIGN;
        memcpy(out + page * IL_SEGMENT_ALIGN, data + at, piece);
        end = page * IL_SEGMENT_ALIGN + piece;
        at += piece;
        page++;
    }
    *out_size = end;
    return out;
}

/* Whatever was accepted can be read without harm; a refusal says why. */
static void use(struct il_segment *s)
{
    const struct il_segment_info *info = il_segment_info(s);
    struct il_error error = {{0}};
    struct il_segment_decoder *d = NULL;
    FUZZ_CHECK(info->raw_max <= IL_SEGMENT_CHUNK_MAX);
    float *row = malloc(info->dim * sizeof(*row));
    float *basis = malloc(info->source_dim * (1 + info->dim) * sizeof(*row) + 1);
    FUZZ_CHECK(row && basis);
    il_segment_basis(s, basis, basis + info->source_dim);
    FUZZ_CHECK(il_segment_decoder_open(&d, s, &error) == IL_OK);
    int sound = 1;
    for (size_t i = 0; i < info->rows; i++) {
        size_t bytes = 0;
        const void *id = il_segment_id(s, i, &bytes);
        FUZZ_CHECK(bytes >= 1 && bytes <= IL_ID_BYTES_MAX);
        sound &= il_segment_find(s, id, bytes) == i;
        (void)il_segment_norm(s, i);
        if (i % 61 == 0)
            sound &= il_segment_row(d, i, row, &error) == IL_OK;
    }
    enum il_status status = il_segment_verify(s, &error);
    FUZZ_CHECK(status == IL_OK || status == IL_ECORRUPT);
    FUZZ_CHECK(status != IL_OK || sound);
    FUZZ_CHECK(status == IL_OK || error.text[0]);
    il_segment_decoder_close(&d);
    free(row);
    free(basis);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t whole = 0;
    unsigned char *laid = lay_out(data, size, &whole);
    struct segfile f = {.data = malloc(whole + !whole), .size = whole};
    struct il_error error = {{0}};
    struct il_segment *s = NULL;
    FUZZ_CHECK(f.data != NULL);
    memcpy(f.data, laid, whole);
    free(laid);
    if (size > 0 && data[0] & 1)
        segfile_reseal(f.data, f.size, data[0] & 2);
    struct il_bytes bytes = segfile_bytes(&f);
    enum il_status status = il_segment_open(&s, &bytes, &error);
    if (status == IL_OK) {
        use(s);
    } else {
        FUZZ_CHECK(s == NULL && error.text[0]);
        FUZZ_CHECK(status == IL_ECORRUPT || status == IL_EFORMAT ||
                   status == IL_EVERSION);
        FUZZ_CHECK(memchr(error.text, 0, sizeof(error.text)));
    }
    il_segment_close(&s);
    free(f.data);
    return 0;
}
