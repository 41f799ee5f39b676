/* SPDX-License-Identifier: Apache-2.0 */
/* The io_uring backend. Without SQPOLL, which takes a core, and without IOPOLL, which
   many devices refuse.
 *
 * Each read goes to the kernel when it is submitted. The kernel may stop taking requests
 * in the middle of a run (a seccomp filter set late, exhausted limits): what it has taken
 * by then still completes, and the completions lie in memory that it shares with us; what
 * it has not taken is left to pread, as is all that follows. */
#include "src/io/ring_impl.h"

#ifdef IL_NO_URING

enum il_status il_uring_open(struct il_ring *ring, int *refused)
{
    (void)ring;
    *refused = ENOSYS;
    return IL_OK;
}

/* Never called: there is no ring->uring. */
void il_uring_start(struct il_ring *ring, unsigned index)
{
    il_ring_plain_start(ring, index);
}

void il_uring_collect(struct il_ring *ring, int wait)
{
    (void)ring;
    (void)wait;
}

void il_uring_close(struct il_ring *ring)
{
    (void)ring;
}

#else

#include <liburing.h>
#include <sys/uio.h>
#include <time.h>

/* Refusals for want of resources in a row before the kernel counts as broken: about a
   second. */
#define REFUSALS_MAX 1000U
#define NAP_NS 1000000L

struct il_uring {
    struct io_uring ring;
    uint64_t queued;   /* requests so far; their numbers begin at 1 */
    unsigned refusals; /* in a row */
};

static void nap(void)
{
    struct timespec time = {.tv_nsec = NAP_NS};
    /* Woken early is as good. */
    (void)nanosleep(&time, NULL);
}

/* Hands over what is queued and waits for `wait` completions; 0 or -errno. */
static int enter(struct il_uring *u, unsigned wait)
{
    if (IL_SYS_FAULT(IL_IO_RING_ENTER, NULL))
        return -errno;
    int result = io_uring_submit_and_wait(&u->ring, wait);
    return result < 0 ? result : 0;
}

/* One empty request there and back: a kernel or a filter may allow the setup alone. */
static int probe(struct il_uring *u)
{
    struct io_uring_sqe *sqe = io_uring_get_sqe(&u->ring);
    if (!sqe)
        return EIO;
    io_uring_prep_nop(sqe);
    for (;;) {
        struct io_uring_cqe *cqe = NULL;
        int result = enter(u, 1);
        if (result < 0 && result != -EINTR)
            return -result;
        if (io_uring_peek_cqe(&u->ring, &cqe) != 0)
            continue;
        result = cqe->res;
        io_uring_cqe_seen(&u->ring, cqe);
        return result < 0 ? -result : 0;
    }
}

/* 0 or an errno. */
static int register_buffers(struct il_ring *ring, struct iovec *vectors)
{
    for (unsigned i = 0; i < ring->config.slots; i++)
        vectors[i] =
            (struct iovec){.iov_base = ring->slots[i].room, .iov_len = ring->room_bytes};
    if (IL_SYS_FAULT(IL_IO_RING_REGISTER, NULL))
        return errno;
    return -io_uring_register_buffers(&ring->uring->ring, vectors, ring->config.slots);
}

enum il_status il_uring_open(struct il_ring *ring, int *refused)
{
    enum il_status status = IL_OK;
    struct il_uring *u = il_alloc_zero(1, sizeof(*u));
    struct iovec *vectors = il_alloc(ring->config.slots, sizeof(*vectors));
    if (!u || !vectors) {
        status = IL_ENOMEM;
        goto out;
    }
    *refused = IL_SYS_FAULT(IL_IO_RING_SETUP, NULL)
                   ? errno
                   : -io_uring_queue_init(ring->config.slots, &u->ring, 0);
    if (*refused)
        goto out;
    *refused = probe(u);
    if (*refused) {
        io_uring_queue_exit(&u->ring);
        goto out;
    }
    ring->uring = u;
    u = NULL;
    int failure = register_buffers(ring, vectors);
    ring->about.registered = failure == 0;
    if (failure)
        il_ring_say(ring, "io_uring: reading without registered buffers", failure);
out:
    il_free(vectors);
    il_free(u);
    return status;
}

void il_uring_close(struct il_ring *ring)
{
    IL_ASSERT(ring->taken == 0);
    io_uring_queue_exit(&ring->uring->ring);
    il_free(ring->uring);
    ring->uring = NULL;
}

/* Leaves to pread what the kernel has not taken, which are the last requests queued. */
static void break_off(struct il_ring *ring, int failure)
{
    struct il_uring *u = ring->uring;
    IL_ASSERT(!ring->about.broken);
    ring->about.broken = 1;
    il_ring_say(ring, "io_uring failed, reading by pread", failure);
    uint64_t accepted = u->queued - io_uring_sq_ready(&u->ring);
    for (unsigned i = 0; i < ring->config.slots; i++) {
        const struct il_ring_slot *slot = &ring->slots[i];
        if (slot->state == IL_SLOT_TAKEN && slot->number > accepted)
            il_ring_complete(ring, i, 0);
    }
}

/* Judges what enter returned. */
static void entered(struct il_ring *ring, int result)
{
    struct il_uring *u = ring->uring;
    if (result == 0) {
        u->refusals = 0;
    } else if (result == -EAGAIN || result == -EBUSY) {
        if (++u->refusals == REFUSALS_MAX)
            break_off(ring, -result);
        else if (u->refusals > 1)
            nap();
    } else if (result != -EINTR) {
        break_off(ring, -result);
    }
}

void il_uring_start(struct il_ring *ring, unsigned index)
{
    struct il_uring *u = ring->uring;
    struct il_ring_slot *slot = &ring->slots[index];
    IL_ASSERT(slot->state == IL_SLOT_TAKEN && slot->wanted > 0);
    size_t allowed = slot->wanted;
    if (IL_SYS_FAULT(IL_IO_READ, &allowed)) {
        il_ring_complete(ring, index, -errno);
        return;
    }
    slot->cut = allowed < slot->wanted;
    /* There are as many entries as slots. */
    struct io_uring_sqe *sqe = io_uring_get_sqe(&u->ring);
    IL_ASSERT(sqe != NULL);
    slot->number = ++u->queued;
    int fd = slot->file->plain.fd;
    size_t bytes = slot->wanted;
    if (slot->file->direct >= 0) {
        fd = slot->file->direct;
        slot->skip = slot->offset % IL_RING_ALIGN;
        bytes = (slot->skip + bytes + IL_RING_ALIGN - 1) / IL_RING_ALIGN * IL_RING_ALIGN;
        ring->about.direct++;
    }
    IL_ASSERT(bytes <= ring->room_bytes);
    unsigned char *to = slot->data - slot->skip;
    uint64_t from = slot->offset - slot->skip;
    if (ring->about.registered)
        io_uring_prep_read_fixed(sqe, fd, to, (unsigned)bytes, from, (int)index);
    else
        io_uring_prep_read(sqe, fd, to, (unsigned)bytes, from);
    io_uring_sqe_set_data64(sqe, index);
    entered(ring, enter(u, 0));
}

void il_uring_collect(struct il_ring *ring, int wait)
{
    struct il_uring *u = ring->uring;
    unsigned before = ring->ready_count;
    for (;;) {
        struct io_uring_cqe *cqe = NULL;
        while (io_uring_peek_cqe(&u->ring, &cqe) == 0) {
            unsigned index = (unsigned)io_uring_cqe_get_data64(cqe);
            long result = cqe->res;
            io_uring_cqe_seen(&u->ring, cqe);
            IL_ASSERT(index < ring->config.slots);
            il_ring_complete(ring, index, result);
        }
        if (!wait || ring->taken == 0 || ring->ready_count > before)
            return;
        /* The kernel still completes what it took when it takes no more. */
        if (ring->about.broken)
            nap();
        else
            entered(ring, enter(u, 1));
    }
}

#endif
