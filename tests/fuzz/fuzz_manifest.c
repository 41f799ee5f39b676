/* SPDX-License-Identifier: Apache-2.0 */
/* The first byte says what the rest is: 0 a manifest, 1 deletions, 2 a basis; with bit 7
   its checksum is made right, without which the fuzzer would get no further. */
#include <string.h>

#include "formats/little.h"
#include "formats/manifest.h"
#include "tests/fuzz/fuzz.h"

/* What was accepted is written back as it was. */
static enum il_status try_manifest(const unsigned char *p, size_t bytes,
                                   struct il_error *error)
{
    struct il_manifest m;
    enum il_status status = il_manifest_decode(&m, "MANIFEST", p, bytes, error);
    if (status == IL_OK) {
        unsigned char *again = malloc(il_manifest_bytes(&m));
        FUZZ_CHECK(again && il_manifest_bytes(&m) == bytes);
        il_manifest_encode(&m, again);
        FUZZ_CHECK(memcmp(again, p, bytes) == 0);
        free(again);
    } else {
        FUZZ_CHECK(m.segments == NULL);
    }
    il_manifest_free(&m);
    return status;
}

static enum il_status try_deletions(const unsigned char *p, size_t bytes,
                                    struct il_error *error)
{
    struct il_manifest_segment wanted = {.number = 4, .rows = 200, .deleted = 2};
    const unsigned char *bits = NULL;
    if (bytes >= 8)
        wanted.del_sum = load_u64(p + bytes - 8);
    enum il_status status = il_deletions_decode("x.del", p, bytes, &wanted, &bits, error);
    if (status == IL_OK) {
        unsigned char *again = malloc(bytes);
        FUZZ_CHECK(again && bytes == il_deletions_bytes(200));
        il_deletions_encode(4, 200, bits, again);
        FUZZ_CHECK(memcmp(again, p, bytes) == 0);
        free(again);
    }
    return status;
}

static enum il_status try_basis(const unsigned char *p, size_t bytes,
                                struct il_error *error)
{
    struct il_manifest wanted = {.dim = 5, .stored_dim = 2};
    float mean[5], basis[10];
    if (bytes >= 40)
        wanted.basis_sum = il_checksum(p + 32, bytes - 40);
    return il_basis_decode("basis", p, bytes, &wanted, mean, basis, error);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct il_error error = {{0}};
    enum il_status status = IL_OK;
    if (size < 1)
        return 0;
    /* Of exactly the size, so that ASan sees a read past the end. */
    size_t bytes = size - 1;
    unsigned char *p = malloc(bytes + !bytes);
    FUZZ_CHECK(p != NULL);
    memcpy(p, data + 1, bytes);
    if (data[0] & 0x80 && bytes >= 8)
        store_u64(p + bytes - 8, il_checksum(p, bytes - 8));
    switch (data[0] & 3) {
    case 0:
        status = try_manifest(p, bytes, &error);
        break;
    case 1:
        status = try_deletions(p, bytes, &error);
        break;
    default:
        status = try_basis(p, bytes, &error);
        break;
    }
    if (status != IL_OK) {
        FUZZ_CHECK(error.text[0] && memchr(error.text, 0, sizeof(error.text)));
        FUZZ_CHECK(status == IL_ECORRUPT || status == IL_EFORMAT ||
                   status == IL_EVERSION);
    }
    free(p);
    return 0;
}
