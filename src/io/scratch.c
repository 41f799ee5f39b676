/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The bound on resident memory. Large arrays are shared mappings of nameless files: the
 * linker goes on using pointers, the kernel writes what is old to the disk, and a page
 * that leaves the process is not lost. What the process holds is ours to decide:
 * MADV_DONTNEED on a shared mapping only forgets the page table's entries.
 */
#include <isolink/memory.h>

#include "src/io/scratch.h"
#include "src/io/sys.h"

#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

/* Arrays from here on go to files; what is smaller adds up to little. */
#define LARGE_BYTES ((size_t)1 << 20)
/* Pages are given back when this share of the limit is resident: the rest is what the
   threads may touch until the watch looks again. */
#define RELEASE_SHARE 0.5
#define WATCH_NS 2000000
/* Program, libraries, stacks and small blocks; measured: 12 to 30 MiB. */
#define OWN_BYTES ((size_t)31 << 20)
/* A thread that works looks at most this often. */
#define LOOK_SECONDS 2e-4
/* Large arrays and mapped files at a time: as many mappings as Linux lets a process have.
   The table costs the pages of it that are used. */
#define MAPS_MAX 65536

struct map {
    void *start;
    size_t bytes;
};

/* One per process, as its resident memory is. */
static struct {
    pthread_mutex_t mutex;
    pthread_t watch;
    int active, ending;
    int dir;   /* of the scratch files */
    int statm; /* /proc/self/statm */
    char name[PATH_MAX];
    struct il_memory_use use;
    size_t count; /* of maps */
} limit = {.mutex = PTHREAD_MUTEX_INITIALIZER, .dir = -1, .statm = -1};

static struct map maps[MAPS_MAX]; /* ascending by start; under limit.mutex */

void il_memory_config_init(struct il_memory_config *config)
{
    *config =
        (struct il_memory_config){.struct_bytes = sizeof *config, .scratch = "/var/tmp"};
}

/* Resident bytes of this process; 0 when the system does not say. */
static uint64_t resident(void)
{
    char text[128];
    /* not by il_sys_read_at: its hook is for what may be lost, and this is any thread */
    ptrdiff_t got = pread(limit.statm, text, sizeof text - 1, 0);
    if (got <= 0) {
        return 0;
    }
    text[got] = 0;
    const char *second = strchr(text, ' ');
    return second ? strtoull(second, NULL, 10) * (uint64_t)sysconf(_SC_PAGESIZE) : 0;
}

uint64_t il_memory_least(uint64_t bytes)
{
    /* So large a sum is more than any machine has. */
    double wanted = ((double)bytes + (double)OWN_BYTES) / RELEASE_SHARE;
    uint64_t mib = wanted < 0x1p62 ? ((uint64_t)wanted >> 20) + 1 : (uint64_t)1 << 42;
    return mib << 20 > IL_MEMORY_MIN ? mib << 20 : IL_MEMORY_MIN;
}

/* With the mutex held. */
static void release_pages(void)
{
    for (size_t i = 0; i < limit.count; i++) {
        madvise(maps[i].start, maps[i].bytes, MADV_DONTNEED);
    }
    limit.use.releases++;
}

static _Atomic double looked; /* when, by the clock */

static int looked_lately(void)
{
    double last = atomic_load_explicit(&looked, memory_order_relaxed);
    return il_clock_seconds() - last < LOOK_SECONDS;
}

/* The watch alone would come late where all cores work. Who comes while another one looks
   waits for it: that one may have been put off between looking and giving back. */
static void look(void)
{
    if (looked_lately()) {
        return;
    }
    pthread_mutex_lock(&limit.mutex);
    if (!looked_lately()) {
        atomic_store_explicit(&looked, il_clock_seconds(), memory_order_relaxed);
        if ((double)resident() > RELEASE_SHARE * (double)limit.use.limit_bytes) {
            release_pages();
        }
    }
    pthread_mutex_unlock(&limit.mutex);
}

static void *watch_main(void *argument)
{
    (void)argument;
    const struct timespec pause = {.tv_nsec = WATCH_NS};
    for (;;) {
        pthread_mutex_lock(&limit.mutex);
        int ending = limit.ending;
        pthread_mutex_unlock(&limit.mutex);
        if (ending) {
            return NULL;
        }
        look();
        nanosleep(&pause, NULL);
    }
}

/* With the mutex held: first entry at or after start. */
static size_t find(const void *start)
{
    size_t low = 0, high = limit.count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if ((uintptr_t)maps[middle].start < (uintptr_t)start) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

/* A nameless file with all its blocks. -1 with errno. */
static int scratch_file(size_t bytes)
{
    int fd = il_sys_open(limit.dir, ".", O_TMPFILE | O_RDWR, 0600);
    if (fd < 0 && (errno == EOPNOTSUPP || errno == EISDIR || errno == ENOENT)) {
        /* no O_TMPFILE on this file system */
        char name[64];
        snprintf(name, sizeof name, ".isolink-scratch-%ld-%zu", (long)getpid(),
                 limit.count);
        fd = il_sys_open(limit.dir, name, O_RDWR | O_CREAT | O_EXCL, 0600);
        if (fd >= 0) {
            unlinkat(limit.dir, name, 0);
        }
    }
    if (fd < 0) {
        return -1;
    }
    int failed = il_sys_reserve(fd, bytes);
    if (failed) {
        int number = errno;
        close(fd);
        errno = number;
        return -1;
    }
    return fd;
}

static void trouble(size_t bytes, int number)
{
    char buffer[64];
    struct statvfs about;
    double free_mib = fstatvfs(limit.dir, &about) == 0
                          ? (double)about.f_bavail * (double)about.f_frsize / (1 << 20)
                          : 0;
    snprintf(limit.use.trouble, sizeof limit.use.trouble,
             "%.80s: %zu MiB of scratch more: %s (%.0f MiB are free, %.0f MiB in use)",
             il_path_tail(limit.name), bytes >> 20,
             strerror_r(number, buffer, sizeof buffer), free_mib,
             (double)limit.use.scratch_bytes / (1 << 20));
}

/* With the mutex held and room for one more. */
static void enter(void *start, size_t bytes)
{
    size_t at = find(start);
    memmove(maps + at + 1, maps + at, (limit.count - at) * sizeof *maps);
    maps[at] = (struct map){start, bytes};
    limit.count++;
}

/* With the mutex held. Returns its bytes; 0: there is none. */
static size_t leave(void *start)
{
    size_t at = find(start);
    if (at == limit.count || maps[at].start != start) {
        return 0;
    }
    size_t bytes = maps[at].bytes;
    limit.count--;
    memmove(maps + at, maps + at + 1, (limit.count - at) * sizeof *maps);
    return bytes;
}

void il_scratch_watch(void *start, size_t bytes)
{
    pthread_mutex_lock(&limit.mutex);
    if (limit.count < MAPS_MAX) {
        enter(start, bytes);
    }
    pthread_mutex_unlock(&limit.mutex);
}

void il_scratch_forget(void *start)
{
    pthread_mutex_lock(&limit.mutex);
    leave(start);
    pthread_mutex_unlock(&limit.mutex);
}

static void *large_get(size_t bytes)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    bytes = (bytes + page - 1) / page * page;
    void *start = MAP_FAILED;
    pthread_mutex_lock(&limit.mutex);
    errno = EMFILE;
    int fd = limit.count < MAPS_MAX ? scratch_file(bytes) : -1;
    if (fd >= 0) {
        start = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    }
    if (start == MAP_FAILED) {
        trouble(bytes, errno);
    } else {
        enter(start, bytes);
        limit.use.scratch_bytes += bytes;
        if (limit.use.scratch_bytes > limit.use.scratch_bytes_max) {
            limit.use.scratch_bytes_max = limit.use.scratch_bytes;
        }
    }
    pthread_mutex_unlock(&limit.mutex);
    if (fd >= 0) {
        close(fd); /* the mapping keeps the file */
    }
    return start == MAP_FAILED ? NULL : start;
}

static int large_put(void *block)
{
    pthread_mutex_lock(&limit.mutex);
    size_t bytes = leave(block);
    limit.use.scratch_bytes -= bytes;
    pthread_mutex_unlock(&limit.mutex);
    if (bytes) {
        munmap(block, bytes);
    }
    return bytes != 0;
}

static const struct il_large large = {LARGE_BYTES, large_get, large_put, look};

static enum il_status open_scratch(const struct il_memory_config *config,
                                   struct il_error *error)
{
    snprintf(limit.name, sizeof limit.name, "%s", config->scratch);
    limit.dir = il_sys_open(AT_FDCWD, limit.name, O_RDONLY | O_DIRECTORY, 0);
    if (limit.dir < 0) {
        return il_sys_fail(error, limit.name, "cannot hold scratch files", errno);
    }
    limit.statm = il_sys_open(AT_FDCWD, "/proc/self/statm", O_RDONLY, 0);
    if (limit.statm < 0) {
        return il_sys_fail(error, "/proc/self/statm", "cannot bound the memory", errno);
    }
    int fd = scratch_file(LARGE_BYTES);
    if (fd < 0) {
        return il_sys_fail(error, limit.name, "cannot hold scratch files", errno);
    }
    close(fd);
    return IL_OK;
}

static void close_scratch(void)
{
    if (limit.dir >= 0) {
        close(limit.dir);
    }
    if (limit.statm >= 0) {
        close(limit.statm);
    }
    limit.dir = limit.statm = -1;
}

enum il_status il_memory_limit(const struct il_memory_config *config,
                               struct il_error *error)
{
    if (limit.active || config->struct_bytes != sizeof *config || !config->scratch) {
        return il_fail(error, IL_EARG, "memory: a limit is set already, or no config");
    }
    if (config->limit_bytes < IL_MEMORY_MIN) {
        return il_fail(error, IL_ELIMIT, "memory: %llu MiB are too few, wanted %llu MiB",
                       (unsigned long long)(config->limit_bytes >> 20),
                       (unsigned long long)(IL_MEMORY_MIN >> 20));
    }
    memset(&limit.use, 0, sizeof limit.use);
    limit.use.limit_bytes = config->limit_bytes;
    enum il_status status = open_scratch(config, error);
    uint64_t now = status ? 0 : resident();
    if (!status && (double)now > RELEASE_SHARE * (double)config->limit_bytes) {
        status =
            il_fail(error, IL_ELIMIT,
                    "memory: %llu MiB are in use already, wanted a limit of %llu "
                    "MiB or more",
                    (unsigned long long)(now >> 20),
                    (unsigned long long)((double)now / RELEASE_SHARE / (1 << 20)) + 1);
    }
    limit.ending = 0;
    if (!status && pthread_create(&limit.watch, NULL, watch_main, NULL) != 0) {
        status = il_fail(error, IL_ENOMEM, "memory: no thread to watch it");
    }
    if (status) {
        close_scratch();
        return status;
    }
    limit.active = 1;
    il_large_set(&large);
    return IL_OK;
}

void *il_memory_get(size_t count, size_t size)
{
    return il_alloc(count, size);
}

void il_memory_give(void *block)
{
    il_free(block);
}

void il_memory_describe(struct il_memory_use *out)
{
    pthread_mutex_lock(&limit.mutex);
    *out = limit.use;
    pthread_mutex_unlock(&limit.mutex);
}

void il_memory_unlimit(void)
{
    if (!limit.active) {
        return;
    }
    il_large_set(NULL);
    pthread_mutex_lock(&limit.mutex);
    limit.ending = 1;
    pthread_mutex_unlock(&limit.mutex);
    pthread_join(limit.watch, NULL);
    close_scratch();
    limit.active = 0;
}
