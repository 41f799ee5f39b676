/* SPDX-License-Identifier: Apache-2.0 */
/* Many ranges of files, read at once into a fixed number of buffers: by io_uring, past
   the page cache where the file system lets it, or by pread. Both give the same bytes and
   the same messages. */
#ifndef IL_RING_H
#define IL_RING_H

#include "src/io/file.h"

/** Offsets, lengths and addresses of reads past the page cache are multiples of this:
   enough for sectors of 512 and of 4096 bytes. */
#define IL_RING_ALIGN ((size_t)4096)

enum il_ring_kind {
    IL_RING_AUTO, /**< io_uring; pread, after one message, where that is not to be had */
    IL_RING_URING,
    IL_RING_PREAD
};

/** "auto", "uring" or "pread"; IL_EARG for another name. */
IL_MUST_CHECK enum il_status il_ring_kind_named(const char *name, enum il_ring_kind *out,
                                                struct il_error *error);

struct il_ring_config {
    enum il_ring_kind kind;
    size_t block_bytes; /**< the longest range, 1 .. 2^29 */
    unsigned slots;     /**< buffers: reads under way and blocks held, 1 .. 1024 */
    /** Is told, in one line without its end, what is slower than it could be; or NULL. */
    void (*log)(void *context, const char *text);
    void *log_context; /**< borrowed until il_ring_close */
};

/** auto, 1 MiB x 4, no log: what the disk of PERFORMANCE.md needs, and one block more for
   each that the caller holds while the others are read. */
void il_ring_config_init(struct il_ring_config *config);

/** Memory of a ring, which allocates nothing after it is open: buffers and tables; the
   few pages that io_uring shares with us come on top. 0 when the config is not valid. */
size_t il_ring_bytes(const struct il_ring_config *config);

/** A file open for the reads of any number of rings. */
struct il_ring_file {
    struct il_file plain;
    int direct; /**< the same file past the page cache; -1: its file system refuses that
                 */
};

/** Opens, returns as il_file_open does. path is borrowed until il_ring_file_close. */
IL_MUST_CHECK enum il_status il_ring_file_open(struct il_ring_file *file,
                                               const char *path, struct il_error *error);
/**
 * Takes a sized file that is open already, also one without a name any more.
 * \param open  its descriptor is borrowed until il_ring_file_give_back
 */
void il_ring_file_borrow(struct il_ring_file *file, const struct il_file *open);
/** Closes what il_ring_file_borrow opened; a zeroed one with direct -1 is fine. Not while
 * reads of it are under way. */
void il_ring_file_give_back(struct il_ring_file *file);
/** Not while reads of it are under way. */
void il_ring_file_close(struct il_ring_file *file);

struct il_ring;

/**
 * Opens a ring and allocates its buffers. Tries io_uring, with one empty request, when
 * the kind is not pread; where the memory may not be locked, without registered buffers.
 *
 * A ring belongs to one thread at a time. Not handed on while reads are under way: the
 * kernel gives up the reads of a thread that ends (they are then done by pread).
 * \return IL_OK; IL_EARG; IL_ENOMEM; IL_EIO when the kind is uring and cannot be had
 */
IL_MUST_CHECK enum il_status il_ring_open(struct il_ring **out,
                                          const struct il_ring_config *config,
                                          struct il_error *error);
/** Waits for what the kernel still writes, then frees all buffers; accepts NULL. */
void il_ring_close(struct il_ring **ring);

/** Free slots: how many more reads can be submitted now. */
unsigned il_ring_room(const struct il_ring *ring);
/** Reads submitted and not yet waited for. */
unsigned il_ring_under_way(const struct il_ring *ring);

/**
 * Begins to read bytes from offset.
 * \param file  borrowed until the read has been waited for
 * \param tag   comes back with the block
 * \return IL_OK; IL_EARG past block_bytes or 2^63; IL_ELIMIT when no slot is free. What
 * is wrong with the file is said by il_ring_wait.
 */
IL_MUST_CHECK enum il_status il_ring_submit(struct il_ring *ring,
                                            const struct il_ring_file *file,
                                            uint64_t offset, size_t bytes, uint64_t tag,
                                            struct il_error *error);

/** A range that has been read. */
struct il_ring_block {
    uint64_t tag;
    uint64_t offset;
    size_t bytes;
    const unsigned char
        *data; /**< borrowed until il_ring_release; NULL after a failure */
    unsigned slot;
};

/**
 * Waits for any of the reads under way; their order is not defined.
 * \return IL_OK, the block is the caller's until il_ring_release; IL_EIO when the range
 * cannot be read or the file ends in it: the text names file, offset, wanted and found
 * bytes, block->tag the read, and its slot is free again; IL_EARG when nothing is under
 * way (block->tag is then 0)
 */
IL_MUST_CHECK enum il_status
il_ring_wait(struct il_ring *ring, struct il_ring_block *block, struct il_error *error);
/** Gives a block back; nothing to do after a failure, or for the second time. */
void il_ring_release(struct il_ring *ring, struct il_ring_block *block);
/** Drops all reads under way and takes all blocks back. */
void il_ring_discard(struct il_ring *ring);

/** For reports: what a ring is, and what it did so far. */
struct il_ring_about {
    enum il_ring_kind kind; /**< uring or pread */
    unsigned slots;         /**< as in the config, */
    size_t block_bytes;     /**< this too */
    int registered;         /**< the kernel knows the buffers */
    int broken;             /**< io_uring failed later: pread from then on */
    uint64_t direct;        /**< reads begun past the page cache */
    uint64_t resumed;       /**< reads of io_uring that pread brought to their end */
};
void il_ring_describe(const struct il_ring *ring, struct il_ring_about *about);

#ifdef IL_FAULTS
/* Calls that il_io_hook is asked about beyond enum il_io_call. Reads of both backends are
   IL_IO_READ; a short one of io_uring is made so when it completes. */
#define IL_IO_RING_SETUP ((enum il_io_call)100)
#define IL_IO_RING_REGISTER ((enum il_io_call)101)
#define IL_IO_RING_ENTER ((enum il_io_call)102)
/** Tests only: which of `count` complete reads, in the order of their completion, is
   handed out next (below count). With it il_ring_wait first waits for all reads. */
extern unsigned (*il_ring_pick)(unsigned count);
#endif

#endif
