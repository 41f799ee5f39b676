/* SPDX-License-Identifier: Apache-2.0 */
/* The backend that works everywhere: the kernel reads ahead into its page cache while the
   caller is busy with other blocks, and pread copies from there. */
#include "src/io/ring_impl.h"

#include <fcntl.h>

void il_ring_plain_start(struct il_ring *ring, unsigned index)
{
    const struct il_ring_slot *slot = &ring->slots[index];
    IL_ASSERT(slot->state == IL_SLOT_TAKEN);
    /* Advice may fail: the read then just waits for the disk. */
    (void)posix_fadvise(slot->file->plain.fd, (off_t)slot->offset, (off_t)slot->wanted,
                        POSIX_FADV_WILLNEED);
    il_ring_complete(ring, index, 0);
}
