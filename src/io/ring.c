/* SPDX-License-Identifier: Apache-2.0 */
#include "src/io/ring.h"

#include "src/io/ring_impl.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Linux takes buffers of up to 1 GiB and, before 5.13, 1024 of them. */
#define BLOCK_MAX ((size_t)1 << 29)
#define SLOTS_MAX 1024U
#define BLOCK_DEFAULT ((size_t)1 << 20)
#define SLOTS_DEFAULT 4U
#define LOG_BYTES 160

#ifdef IL_FAULTS
unsigned (*il_ring_pick)(unsigned count);
#endif

enum il_status il_ring_kind_named(const char *name, enum il_ring_kind *out,
                                  struct il_error *error)
{
    static const char *const names[] = {"auto", "uring", "pread"};
    for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (strcmp(name, names[i]) == 0) {
            *out = (enum il_ring_kind)i;
            return IL_OK;
        }
    }
    char printable[40];
    return il_fail(error, IL_EARG, "way to read '%s': wanted auto, uring or pread",
                   il_printable(printable, sizeof(printable), name, strlen(name)));
}

void il_ring_config_init(struct il_ring_config *config)
{
    *config = (struct il_ring_config){
        .kind = IL_RING_AUTO, .block_bytes = BLOCK_DEFAULT, .slots = SLOTS_DEFAULT};
}

static int valid(const struct il_ring_config *config)
{
    return (unsigned)config->kind <= IL_RING_PREAD && config->block_bytes >= 1 &&
           config->block_bytes <= BLOCK_MAX && config->slots >= 1 &&
           config->slots <= SLOTS_MAX;
}

/* A range that begins just before an aligned offset takes one unit more than its length
   rounded up. */
static size_t room_bytes(const struct il_ring_config *config)
{
    return (config->block_bytes + IL_RING_ALIGN - 1) / IL_RING_ALIGN * IL_RING_ALIGN +
           IL_RING_ALIGN;
}

size_t il_ring_bytes(const struct il_ring_config *config)
{
    if (!valid(config))
        return 0;
    /* At most 2^10 rooms of 2^29 + 2^12 bytes: fits where size_t has 64 bits, and is
       said to be impossible where it has not. */
    size_t each = 0, bytes = 0;
    if (il_add_bytes(room_bytes(config), sizeof(struct il_ring_slot), &each) != IL_OK ||
        il_add_bytes(each, 2 * sizeof(unsigned), &each) != IL_OK ||
        il_mul_bytes(each, config->slots, &bytes) != IL_OK ||
        il_add_bytes(bytes, sizeof(struct il_ring) + IL_RING_ALIGN, &bytes) != IL_OK)
        return 0;
    return bytes;
}

/* The same file once more, past the page cache. Whatever is in the way of that, an
   ordinary read works. */
static int open_direct(const struct il_ring_file *file, const char *path)
{
    _Alignas(4096) unsigned char probe[4096];
    struct stat plain, other;
    int fd = il_sys_open(AT_FDCWD, path, O_RDONLY | O_DIRECT | O_NONBLOCK | O_NOCTTY, 0);
    if (fd < 0)
        return -1;
    /* The name may lead to another file by now. */
    if (fstat(file->plain.fd, &plain) == 0 && fstat(fd, &other) == 0 &&
        plain.st_dev == other.st_dev && plain.st_ino == other.st_ino &&
        il_sys_read_at(fd, probe, sizeof(probe), 0) >= 0)
        return fd;
    close(fd);
    return -1;
}

enum il_status il_ring_file_open(struct il_ring_file *file, const char *path,
                                 struct il_error *error)
{
    file->direct = -1;
    enum il_status status = il_file_open(&file->plain, path, error);
    if (status == IL_OK && file->plain.sized)
        file->direct = open_direct(file, path);
    return status;
}

void il_ring_file_borrow(struct il_ring_file *file, const struct il_file *open)
{
    char path[32];
    IL_ASSERT(open->sized);
    file->plain = *open;
    snprintf(path, sizeof(path), "/proc/self/fd/%d", open->fd);
    file->direct = open_direct(file, path);
}

void il_ring_file_give_back(struct il_ring_file *file)
{
    if (file->direct >= 0)
        close(file->direct);
    file->direct = -1;
}

void il_ring_file_close(struct il_ring_file *file)
{
    if (file->direct >= 0)
        close(file->direct);
    file->direct = -1;
    il_file_close(&file->plain);
}

void il_ring_say(const struct il_ring *ring, const char *text, int number)
{
    if (!ring->config.log)
        return;
    char buffer[LOG_BYTES / 2], line[LOG_BYTES];
    snprintf(line, sizeof(line), "%s (%s)", text,
             strerror_r(number, buffer, sizeof(buffer)));
    ring->config.log(ring->config.log_context, line);
}

static enum il_status open_backend(struct il_ring *ring, struct il_error *error)
{
    ring->about.kind = IL_RING_PREAD;
    if (ring->config.kind == IL_RING_PREAD)
        return IL_OK;
    int refused = 0;
    enum il_status status = il_uring_open(ring, &refused);
    if (status != IL_OK)
        return il_fail(error, status, "io_uring: %s", il_status_text(status));
    if (!refused) {
        ring->about.kind = IL_RING_URING;
        return IL_OK;
    }
    if (ring->config.kind == IL_RING_URING)
        return il_sys_fail(error, "io_uring", "cannot be used", refused);
    il_ring_say(ring, "io_uring cannot be used, reading by pread", refused);
    return IL_OK;
}

enum il_status il_ring_open(struct il_ring **out, const struct il_ring_config *config,
                            struct il_error *error)
{
    *out = NULL;
    size_t bytes = il_ring_bytes(config);
    if (bytes == 0)
        return il_fail(error, IL_EARG,
                       "ring of %u x %zu bytes: wanted 1 to %u slots, blocks of 1 to %zu",
                       config->slots, config->block_bytes, SLOTS_MAX, BLOCK_MAX);
    enum il_status status = IL_OK;
    struct il_ring *ring = il_alloc_zero(1, sizeof(*ring));
    if (!ring)
        goto no_memory;
    ring->config = *config;
    ring->about.slots = config->slots;
    ring->about.block_bytes = config->block_bytes;
    ring->room_bytes = room_bytes(config);
    ring->slots = il_alloc_zero(config->slots, sizeof(ring->slots[0]));
    ring->free = il_alloc(config->slots, 2 * sizeof(ring->free[0]));
    ring->memory = il_alloc(config->slots * ring->room_bytes + IL_RING_ALIGN, 1);
    if (!ring->slots || !ring->free || !ring->memory)
        goto no_memory;
    ring->ready = ring->free + config->slots;
    size_t past = (uintptr_t)ring->memory % IL_RING_ALIGN;
    ring->rooms = ring->memory + (past ? IL_RING_ALIGN - past : 0);
    for (unsigned i = 0; i < config->slots; i++) {
        ring->slots[i].room = ring->rooms + i * ring->room_bytes;
        ring->free[i] = config->slots - 1 - i;
    }
    ring->free_count = config->slots;
    status = open_backend(ring, error);
    goto out;
no_memory:
    status = il_fail(error, IL_ENOMEM, "no memory for %u blocks of %zu bytes",
                     config->slots, config->block_bytes);
out:
    if (status != IL_OK)
        il_ring_close(&ring);
    *out = ring;
    return status;
}

void il_ring_close(struct il_ring **ring)
{
    struct il_ring *r = *ring;
    *ring = NULL;
    if (!r)
        return;
    if (r->uring) {
        il_ring_discard(r);
        il_uring_close(r);
    }
    il_free(r->memory);
    il_free(r->free);
    il_free(r->slots);
    il_free(r);
}

unsigned il_ring_room(const struct il_ring *ring)
{
    return ring->free_count;
}

unsigned il_ring_under_way(const struct il_ring *ring)
{
    return ring->taken + ring->ready_count;
}

enum il_status il_ring_submit(struct il_ring *ring, const struct il_ring_file *file,
                              uint64_t offset, size_t bytes, uint64_t tag,
                              struct il_error *error)
{
    /* An aligned read reaches further than the range. */
    const uint64_t offset_max = (uint64_t)INT64_MAX - BLOCK_MAX - 2 * IL_RING_ALIGN;
    if (bytes > ring->config.block_bytes || offset > offset_max)
        return il_fail(error, IL_EARG,
                       "%s, byte %" PRIu64 ": wanted %zu bytes at once, at most %zu are "
                       "read, up to byte %" PRIu64,
                       file->plain.name, offset, bytes, ring->config.block_bytes,
                       offset_max);
    if (ring->free_count == 0)
        return il_fail(error, IL_ELIMIT, "%s, byte %" PRIu64 ": all %u slots are in use",
                       file->plain.name, offset, ring->config.slots);
    unsigned index = ring->free[--ring->free_count];
    struct il_ring_slot *slot = &ring->slots[index];
    IL_ASSERT(slot->state == IL_SLOT_FREE);
    *slot = (struct il_ring_slot){.state = IL_SLOT_TAKEN,
                                  .wanted = bytes,
                                  .offset = offset,
                                  .tag = tag,
                                  .file = file,
                                  .room = slot->room,
                                  .data = slot->room + offset % IL_RING_ALIGN};
    ring->taken++;
    if (bytes == 0)
        il_ring_complete(ring, index, 0);
    else if (ring->uring && !ring->about.broken)
        il_uring_start(ring, index);
    else
        il_ring_plain_start(ring, index);
    return IL_OK;
}

void il_ring_complete(struct il_ring *ring, unsigned index, long result)
{
    struct il_ring_slot *slot = &ring->slots[index];
    IL_ASSERT(slot->state == IL_SLOT_TAKEN && ring->taken > 0);
    IL_ASSERT(ring->ready_count < ring->config.slots);
    if (result < 0) {
        slot->failure = (int)-result;
    } else {
        size_t got = (size_t)result;
        if (slot->cut && got > 1)
            got = 1;
        got = got > slot->skip ? got - slot->skip : 0;
        slot->have = got < slot->wanted ? got : slot->wanted;
    }
    slot->state = IL_SLOT_READY;
    ring->taken--;
    ring->ready[ring->ready_count++] = index;
}

static void make_free(struct il_ring *ring, unsigned index)
{
    IL_ASSERT(ring->slots[index].state != IL_SLOT_TAKEN);
    IL_ASSERT(ring->free_count < ring->config.slots);
    ring->slots[index].state = IL_SLOT_FREE;
    ring->free[ring->free_count++] = index;
}

/* Takes the next ready slot. */
static unsigned next_ready(struct il_ring *ring)
{
    if (ring->uring && ring->taken > 0)
        il_uring_collect(ring, ring->ready_count == 0);
    unsigned at = 0;
#ifdef IL_FAULTS
    if (il_ring_pick) {
        while (ring->taken > 0)
            il_uring_collect(ring, 1);
        at = il_ring_pick(ring->ready_count);
    }
#endif
    IL_ASSERT(at < ring->ready_count);
    unsigned index = ring->ready[at];
    ring->ready_count--;
    memmove(ring->ready + at, ring->ready + at + 1,
            (ring->ready_count - at) * sizeof(ring->ready[0]));
    return index;
}

/* What says more about io_uring than about the file: pread tries these again, and fails
   with a reason of its own where there is one. */
static int says_little(int failure)
{
    return failure == EINTR || failure == EAGAIN || failure == ENOMEM ||
           failure == EINVAL || failure == EOPNOTSUPP || failure == ECANCELED ||
           failure == EBUSY || failure == ENOBUFS || failure == EFAULT;
}

/* Reads what is missing of a range. */
static enum il_status finish(struct il_ring *ring, struct il_ring_slot *slot,
                             struct il_error *error)
{
    const struct il_file *file = &slot->file->plain;
    if (slot->number && slot->have < slot->wanted)
        ring->about.resumed++;
    int failure = says_little(slot->failure) ? 0 : slot->failure;
    while (failure == 0 && slot->have < slot->wanted) {
        ptrdiff_t got =
            il_sys_read_at(file->fd, slot->data + slot->have, slot->wanted - slot->have,
                           slot->offset + slot->have);
        if (got < 0)
            failure = errno;
        else if (got == 0)
            return il_fail(error, IL_EIO,
                           "%s, byte %" PRIu64
                           ": wanted %zu bytes, found %zu: the file ends",
                           file->name, slot->offset, slot->wanted, slot->have);
        else
            slot->have += (size_t)got;
    }
    if (failure == 0)
        return IL_OK;
    char buffer[128];
    return il_fail(error, IL_EIO,
                   "%s, byte %" PRIu64 ": wanted %zu bytes, found %zu: cannot read: %s",
                   file->name, slot->offset, slot->wanted, slot->have,
                   strerror_r(failure, buffer, sizeof(buffer)));
}

enum il_status il_ring_wait(struct il_ring *ring, struct il_ring_block *block,
                            struct il_error *error)
{
    *block = (struct il_ring_block){0};
    if (il_ring_under_way(ring) == 0)
        return il_fail(error, IL_EARG, "ring: nothing is being read");
    unsigned index = next_ready(ring);
    struct il_ring_slot *slot = &ring->slots[index];
    IL_ASSERT(slot->state == IL_SLOT_READY);
    *block = (struct il_ring_block){
        .tag = slot->tag, .offset = slot->offset, .bytes = slot->wanted, .slot = index};
    enum il_status status = finish(ring, slot, error);
    if (status != IL_OK) {
        make_free(ring, index);
        return status;
    }
    slot->state = IL_SLOT_HELD;
    block->data = slot->data;
    return IL_OK;
}

void il_ring_release(struct il_ring *ring, struct il_ring_block *block)
{
    if (!block->data)
        return;
    IL_ASSERT(block->slot < ring->config.slots);
    IL_ASSERT(ring->slots[block->slot].state == IL_SLOT_HELD);
    block->data = NULL;
    make_free(ring, block->slot);
}

void il_ring_discard(struct il_ring *ring)
{
    while (ring->taken > 0)
        il_uring_collect(ring, 1);
    ring->ready_count = 0;
    for (unsigned i = 0; i < ring->config.slots; i++) {
        if (ring->slots[i].state != IL_SLOT_FREE)
            make_free(ring, i);
    }
}

void il_ring_describe(const struct il_ring *ring, struct il_ring_about *about)
{
    *about = ring->about;
}
