/* SPDX-License-Identifier: Apache-2.0 */
/* The only file that calls the allocator of the C library. */
#include "src/base/base.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#ifdef __GLIBC__
#include <malloc.h>
#endif

/* One cache line, and the width of the widest vector register. The padding lets a kernel
   read a whole register at the end of a block. */
#define BLOCK_ALIGN ((size_t)64)
#define CLEAR_BYTES ((size_t)4 << 20)

enum il_status il_mul_bytes(size_t a, size_t b, size_t *out)
{
    return __builtin_mul_overflow(a, b, out) ? IL_ELIMIT : IL_OK;
}

enum il_status il_add_bytes(size_t a, size_t b, size_t *out)
{
    return __builtin_add_overflow(a, b, out) ? IL_ELIMIT : IL_OK;
}

#ifdef IL_FAULTS
static atomic_long calls;
static atomic_long fail_at; /* 0 = never */

void il_alloc_fail_at(long k)
{
    atomic_store(&calls, 0);
    atomic_store(&fail_at, k);
}

long il_alloc_calls(void)
{
    return atomic_load(&calls);
}

static int refused(void)
{
    return atomic_fetch_add(&calls, 1) + 1 == atomic_load(&fail_at);
}
#else
static int refused(void)
{
    return 0;
}
#endif

/* Who gives large blocks, if anybody does; who takes those back that are left; and how
   many there are, so that others cost nothing. */
static _Atomic(const struct il_large *) giver, taker;
static atomic_size_t taken;

void il_large_set(const struct il_large *large)
{
    if (large) {
        atomic_store(&taker, large);
    }
    atomic_store(&giver, large);
}

void il_large_look(void)
{
    const struct il_large *large = atomic_load_explicit(&giver, memory_order_relaxed);
    if (large)
        large->look();
}

int il_large_gather(const void *block, size_t row_bytes, const uint32_t *rows,
                    size_t count, void *out)
{
    const struct il_large *large = atomic_load_explicit(&giver, memory_order_relaxed);
    return large ? large->gather(block, row_bytes, rows, count, out) : 0;
}

void il_clear(void *block, size_t bytes)
{
    unsigned char *at = block;
    for (size_t done = 0; done < bytes; done += CLEAR_BYTES) {
        size_t left = bytes - done;
        memset(at + done, 0, left < CLEAR_BYTES ? left : CLEAR_BYTES);
        il_large_look();
    }
}

/* A block of bytes, cleared when *cleared says so. */
static void *get(size_t count, size_t size, int hot, int *cleared)
{
    size_t bytes = 0;
    if (il_mul_bytes(count, size, &bytes) != IL_OK)
        return NULL;
    /* aligned_alloc wants a multiple of the alignment; this rounds up and adds the
     * padding. */
    if (bytes > (size_t)PTRDIFF_MAX - 2 * BLOCK_ALIGN)
        return NULL;
    bytes = (bytes + 2 * BLOCK_ALIGN - 1) / BLOCK_ALIGN * BLOCK_ALIGN;
    if (refused())
        return NULL;
    const struct il_large *large = atomic_load_explicit(&giver, memory_order_relaxed);
    *cleared = large && bytes >= large->bytes_min;
    if (!*cleared)
        return aligned_alloc(BLOCK_ALIGN, bytes);
    void *block = large->get(bytes, hot);
    atomic_fetch_add(&taken, block != NULL);
    return block;
}

void *il_alloc(size_t count, size_t size)
{
    int cleared;
    return get(count, size, 0, &cleared);
}

void *il_alloc_hot(size_t count, size_t size)
{
    int cleared;
    return get(count, size, 1, &cleared);
}

void *il_alloc_zero(size_t count, size_t size)
{
    int cleared = 0;
    void *block = get(count, size, 0, &cleared);
    if (block && !cleared)
        memset(block, 0, count * size); /* get has checked the product */
    return block;
}

void *il_realloc(void *block, size_t old_bytes, size_t new_bytes)
{
    /* realloc would lose the alignment. */
    void *grown = il_alloc(new_bytes, 1);
    if (!grown)
        return NULL;
    size_t kept = old_bytes < new_bytes ? old_bytes : new_bytes;
    if (block && kept)
        memcpy(grown, block, kept);
    il_free(block);
    return grown;
}

void il_free(void *block)
{
    if (block && atomic_load_explicit(&taken, memory_order_relaxed) &&
        atomic_load(&taker)->put(block)) {
        atomic_fetch_sub(&taken, 1);
        return;
    }
    free(block);
}

void il_trim(void)
{
#ifdef __GLIBC__
    (void)malloc_trim(0);
#endif
}
