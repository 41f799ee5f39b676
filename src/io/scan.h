/* SPDX-License-Identifier: Apache-2.0 */
/* Ranges of one file read ahead and handed out in order. */
#ifndef IL_SCAN_H
#define IL_SCAN_H

#include "src/io/ring.h"

struct il_range {
    uint64_t offset;
    uint64_t bytes;
};

struct il_scan;

/**
 * Begins to read ranges of a file, as many blocks ahead as the ring has free slots.
 *
 * A range of at most the ring's block_bytes comes as one block, also an empty one; a
 * longer one is cut where reads past the page cache may be, so no byte is read twice.
 * Ranges may overlap and stand in any order. Neighbours are not joined: many small ranges
 * are as many reads.
 * \param ring    nothing under way, no block held; the scan's alone until il_scan_close
 * \param file    borrowed until il_scan_close
 * \param ranges  count of them, borrowed until il_scan_close
 * \return IL_OK; IL_ENOMEM; IL_EARG when the ring is in use. One thread, that of the
 * ring.
 */
IL_MUST_CHECK enum il_status il_scan_open(struct il_scan **out, struct il_ring *ring,
                                          const struct il_ring_file *file,
                                          const struct il_range *ranges, size_t count,
                                          struct il_error *error);

struct il_scan_block {
    size_t range;    /**< index of its range */
    uint64_t offset; /**< in the file */
    size_t bytes;
    const unsigned char *data; /**< borrowed until il_scan_release; NULL at the end */
    struct il_ring_block held; /**< for il_scan_release */
};

/**
 * The next block. Those not yet released stay valid, and may be read by other threads;
 * as long as the caller holds them, fewer are read ahead.
 * \return IL_OK, with data NULL when all have been handed out; what il_ring_wait returns,
 * for the first block in order that cannot be read, and the same again from then on;
 * IL_ELIMIT when the caller holds all slots
 */
IL_MUST_CHECK enum il_status
il_scan_next(struct il_scan *scan, struct il_scan_block *block, struct il_error *error);
/** Gives a block back, in any order; the next read begins at once. NULL data is
 * accepted. */
void il_scan_release(struct il_scan *scan, struct il_scan_block *block);
/** Ends the scan, also before its end: all its blocks are gone, the ring is free for
   another one. Accepts NULL. */
void il_scan_close(struct il_scan **scan);

#endif
