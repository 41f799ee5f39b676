/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the ring share; for src/io/ring*.c alone.
 *
 *      free --submit--> taken --complete--> ready --wait--> held --release--> free
 *
 * A backend moves slots from taken to ready. Whatever is then missing of a range is read
 * by pread in il_ring_wait: all of it in the pread backend, what io_uring did not bring
 * in the other. So there is one place where reads are resumed and failures are worded.
 */
#ifndef IL_RING_IMPL_H
#define IL_RING_IMPL_H

#include "src/io/ring.h"
#include "src/io/sys.h"

enum il_ring_slot_state { IL_SLOT_FREE, IL_SLOT_TAKEN, IL_SLOT_READY, IL_SLOT_HELD };

struct il_ring_slot {
    enum il_ring_slot_state state;
    int failure;   /* errno of the read; 0 = none */
    int cut;       /* a fault: one byte at most is taken as read */
    size_t wanted; /* bytes of the range */
    size_t have;   /* bytes of it that are in data */
    size_t skip;   /* bytes before the range that an aligned read brings too */
    uint64_t offset;
    uint64_t tag;
    uint64_t number; /* of its io_uring request, from 1 as they were queued; 0 = none */
    const struct il_ring_file *file;
    unsigned char *room; /* IL_RING_ALIGNed */
    unsigned char *data; /* the range, at its offset modulo IL_RING_ALIGN in room */
};

struct il_uring;

struct il_ring {
    struct il_ring_config config;
    struct il_ring_about about;
    struct il_ring_slot *slots; /* config.slots of them */
    unsigned *free;             /* a stack */
    unsigned free_count;
    unsigned *ready; /* in the order of completion */
    unsigned ready_count;
    unsigned taken;         /* slots in that state */
    unsigned char *memory;  /* of il_alloc; the rooms lie in it */
    unsigned char *rooms;   /* config.slots of room_bytes, IL_RING_ALIGNed */
    size_t room_bytes;      /* block_bytes and the ends of an aligned read */
    struct il_uring *uring; /* NULL: pread */
};

/* Tells the log. */
void il_ring_say(const struct il_ring *ring, const char *text, int number);
/* A taken slot's read has come to an end: result is its bytes or -errno. */
void il_ring_complete(struct il_ring *ring, unsigned index, long result);

/* pread: the kernel is asked to read ahead, the slot is ready with nothing in it. */
void il_ring_plain_start(struct il_ring *ring, unsigned index);

/* IL_OK with ring->uring set, or with *refused, an errno; IL_ENOMEM. */
IL_MUST_CHECK enum il_status il_uring_open(struct il_ring *ring, int *refused);
void il_uring_start(struct il_ring *ring, unsigned index);
/* Collects what is complete; with `wait`, and slots taken, at least one. */
void il_uring_collect(struct il_ring *ring, int wait);
/* No slot is taken. */
void il_uring_close(struct il_ring *ring);

#endif
