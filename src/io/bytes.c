/* SPDX-License-Identifier: Apache-2.0 */
#include "src/io/bytes.h"

#include "src/base/base.h"

#include <inttypes.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum il_status il_bytes_read(const struct il_bytes *bytes, uint64_t offset, void *out,
                             size_t count, struct il_error *error)
{
    uint64_t size = bytes->size == IL_SIZE_UNKNOWN ? bytes->memory_bytes : bytes->size;
    if (offset > size || count > size - offset)
        return il_fail(error, IL_EFORMAT,
                       "%s, byte %" PRIu64 ": the file ends at byte %" PRIu64
                       ", wanted %zu bytes",
                       bytes->name, offset, size, count);
    if (!bytes->memory)
        return il_file_read_at(bytes->file, offset, out, count, error);
    if (count)
        memcpy(out, bytes->memory + offset, count);
    return IL_OK;
}

void il_bytes_want(const struct il_bytes *bytes, uint64_t offset, size_t count)
{
    if (!bytes->mapped || count == 0)
        return;
    IL_ASSERT(offset <= bytes->size && count <= bytes->size - offset);
    const uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE), before = offset % page;
    /* A hint: a kernel that does not take it reads by faults. */
    (void)madvise((void *)(uintptr_t)(bytes->memory + offset - before),
                  count + (size_t)before, MADV_WILLNEED);
}
