/* SPDX-License-Identifier: Apache-2.0 */
#include "formats/little.h"

#include "src/base/base.h"

#include <inttypes.h>

#ifdef IL_XXH_DISPATCH
#include <xxh_x86dispatch.h> /* XXH3_64bits is then that of the machine */
#else
#include <xxhash.h>
#endif

uint64_t il_checksum(const void *data, size_t bytes)
{
    return XXH3_64bits(data, bytes);
}

enum il_status il_check_zeros(const char *name, const unsigned char *p, size_t bytes,
                              uint64_t at, struct il_error *error)
{
    for (size_t i = 0; i < bytes; i++)
        if (p[i] != 0)
            return il_fail(error, IL_ECORRUPT,
                           "%s, byte %" PRIu64 ": reserved byte %u, wanted 0", name,
                           at + i, p[i]);
    return IL_OK;
}

enum il_status il_check_sum(const char *name, uint64_t at, const char *what,
                            uint64_t found, uint64_t wanted, struct il_error *error)
{
    if (found == wanted)
        return IL_OK;
    return il_fail(error, IL_ECORRUPT,
                   "%s, byte %" PRIu64 ": checksum of %s %016" PRIx64
                   ", wanted %016" PRIx64,
                   name, at, what, found, wanted);
}

enum il_status il_check_frame(const char *name, const unsigned char *p, size_t bytes,
                              size_t least, const char *magic, const char *what,
                              uint32_t version, struct il_error *error)
{
    IL_ASSERT(least >= 24);
    if (bytes < 8 || memcmp(p, magic, 8) != 0)
        return il_fail(error, IL_EFORMAT, "%s, byte 0: no %s, wanted its magic there",
                       name, what);
    if (bytes < 24)
        return il_fail(error, IL_ECORRUPT,
                       "%s: %zu bytes, wanted at least %zu: the file is cut short", name,
                       bytes, least);
    enum il_status status = il_check_sum(name, bytes - 8, what, load_u64(p + bytes - 8),
                                         il_checksum(p, bytes - 8), error);
    if (status != IL_OK)
        return status;
    uint32_t found = il_load_u32(p + 8);
    if (found > version)
        return il_fail(error, IL_EVERSION,
                       "%s, byte 8: %s version %" PRIu32 ", wanted at most %" PRIu32
                       ": it was written by a newer isolink",
                       name, what, found, version);
    if (found < 1 || bytes < least)
        return il_fail(error, IL_ECORRUPT,
                       "%s: %s version %" PRIu32 " with %zu bytes, wanted 1 and %zu",
                       name, what, found, bytes, least);
    return IL_OK;
}
