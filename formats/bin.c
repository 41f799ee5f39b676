/* SPDX-License-Identifier: Apache-2.0 */
#include "formats/bin.h"

#include "src/base/base.h"

#include <inttypes.h>

#define HEADER_BYTES 8u

enum il_status il_bin_layout(struct il_layout *out, const struct il_bytes *bytes,
                             enum il_dtype type, struct il_error *error)
{
    *out = (struct il_layout){.type = type, .offset = HEADER_BYTES};
    unsigned char header[HEADER_BYTES];
    if (bytes->size < HEADER_BYTES)
        return il_fail(error, IL_EFORMAT,
                       "%s: %" PRIu64 " bytes, wanted a header of %u (rows, row length)",
                       bytes->name, bytes->size, HEADER_BYTES);
    enum il_status status = il_bytes_read(bytes, 0, header, sizeof(header), error);
    if (status != IL_OK)
        return status;
    return il_layout_check(out, bytes, 0, il_load_u32(header), il_load_u32(header + 4),
                           error);
}
