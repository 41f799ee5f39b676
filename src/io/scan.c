/* SPDX-License-Identifier: Apache-2.0 */
#include "src/io/scan.h"

#include "src/base/base.h"

/* A block that is being read or waits for those before it. Blocks are numbered in their
   order, number n stands in cell n % slots: never more are ahead than there are slots. */
struct cell {
    struct il_ring_block block;
    size_t range;
    int done;
    enum il_status status;
    struct il_error error;
};

struct il_scan {
    struct il_ring *ring;
    const struct il_ring_file *file;
    const struct il_range *ranges;
    size_t count;
    size_t range;   /* the next read is in this one, */
    uint64_t past;  /* after so many bytes of it */
    uint64_t begun; /* number of the next read */
    uint64_t given; /* number of the next block to hand out */
    size_t block_bytes;
    unsigned slots;
    enum il_status status; /* once not IL_OK the scan has ended */
    struct il_error error;
    struct cell *cells; /* slots of them */
};

enum il_status il_scan_open(struct il_scan **out, struct il_ring *ring,
                            const struct il_ring_file *file,
                            const struct il_range *ranges, size_t count,
                            struct il_error *error)
{
    *out = NULL;
    struct il_ring_about about;
    il_ring_describe(ring, &about);
    if (il_ring_room(ring) != about.slots)
        return il_fail(error, IL_EARG, "%s: the ring is in use", file->plain.name);
    struct il_scan *scan = il_alloc_zero(1, sizeof(*scan));
    struct cell *cells = il_alloc_zero(about.slots, sizeof(*cells));
    if (!scan || !cells) {
        il_free(cells);
        il_free(scan);
        return il_fail(error, IL_ENOMEM, "%s: no memory to read it", file->plain.name);
    }
    *scan = (struct il_scan){.ring = ring,
                             .file = file,
                             .ranges = ranges,
                             .count = count,
                             .block_bytes = about.block_bytes,
                             .slots = about.slots,
                             .status = IL_OK,
                             .cells = cells};
    *out = scan;
    return IL_OK;
}

/* Bytes of the next block: what is left of the range, or up to the last place where an
   aligned read may end. */
static size_t cut(const struct il_scan *scan, uint64_t offset, uint64_t left)
{
    if (left <= scan->block_bytes)
        return (size_t)left;
    size_t over = (size_t)((offset + scan->block_bytes) % IL_RING_ALIGN);
    /* Blocks shorter than a unit are read as they are. */
    return over < scan->block_bytes ? scan->block_bytes - over : scan->block_bytes;
}

/* Begins reads until no slot is free or all have begun. */
static void read_ahead(struct il_scan *scan)
{
    while (scan->range < scan->count && il_ring_room(scan->ring) > 0) {
        const struct il_range *range = &scan->ranges[scan->range];
        uint64_t left = range->bytes - scan->past;
        /* The ring refuses what is out of reach; this keeps the sum from wrapping. */
        uint64_t offset = range->offset <= UINT64_MAX - scan->past
                              ? range->offset + scan->past
                              : UINT64_MAX;
        size_t bytes = cut(scan, offset, left);
        IL_ASSERT(scan->begun - scan->given < scan->slots);
        struct cell *cell = &scan->cells[scan->begun % scan->slots];
        *cell = (struct cell){.range = scan->range};
        enum il_status status = il_ring_submit(scan->ring, scan->file, offset, bytes,
                                               scan->begun, &cell->error);
        scan->begun++;
        if (status != IL_OK) {
            /* Said when its turn comes: the blocks before it are whole. */
            cell->done = 1;
            cell->status = status;
            scan->range = scan->count;
        } else if (bytes == left) {
            scan->range++;
            scan->past = 0;
        } else {
            scan->past += bytes;
        }
    }
}

/* Waits for any block and puts it into its cell. */
static void collect(struct il_scan *scan)
{
    struct il_ring_block block;
    struct il_error error;
    enum il_status status = il_ring_wait(scan->ring, &block, &error);
    IL_ASSERT(block.tag >= scan->given && block.tag < scan->begun);
    struct cell *cell = &scan->cells[block.tag % scan->slots];
    cell->block = block;
    cell->status = status;
    cell->done = 1;
    if (status != IL_OK) {
        cell->error = error;
        /* What comes after it will not be handed out. Its slot is free already, so the
           cells would no longer suffice either. */
        scan->range = scan->count;
    }
}

enum il_status il_scan_next(struct il_scan *scan, struct il_scan_block *block,
                            struct il_error *error)
{
    *block = (struct il_scan_block){0};
    if (scan->status == IL_OK) {
        read_ahead(scan);
        if (scan->given == scan->begun) {
            if (scan->range == scan->count)
                return IL_OK;
            return il_fail(error, IL_ELIMIT, "%s: all %u blocks are held",
                           scan->file->plain.name, scan->slots);
        }
        struct cell *cell = &scan->cells[scan->given % scan->slots];
        while (!cell->done)
            collect(scan);
        if (cell->status == IL_OK) {
            scan->given++;
            *block = (struct il_scan_block){.range = cell->range,
                                            .offset = cell->block.offset,
                                            .bytes = cell->block.bytes,
                                            .data = cell->block.data,
                                            .held = cell->block};
            return IL_OK;
        }
        scan->status = cell->status;
        scan->error = cell->error;
    }
    return il_fail(error, scan->status, "%s", scan->error.text);
}

void il_scan_release(struct il_scan *scan, struct il_scan_block *block)
{
    block->data = NULL;
    il_ring_release(scan->ring, &block->held);
    if (scan->status == IL_OK)
        read_ahead(scan);
}

void il_scan_close(struct il_scan **scan)
{
    struct il_scan *s = *scan;
    *scan = NULL;
    if (!s)
        return;
    il_ring_discard(s->ring);
    il_free(s->cells);
    il_free(s);
}
