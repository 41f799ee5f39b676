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

/* Arrays from here on count; what is smaller adds up to little. */
#define LARGE_BYTES ((size_t)1 << 20)
/* What is hot stays in memory: so much of the limit in all. A page of a file that is
   written anew after it was given back costs microseconds. */
#define KEPT_SHARE 0.2
/* Files that stay open, for the rows that are copied out of them; some hundred of the
   1,024 that a process may have. */
#define FILES_MAX 256
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
    int kept; /* no file: its pages cannot be given back */
    int fd;   /* of the scratch file; -1: none, or it is closed */
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
    size_t kept_bytes;
    unsigned files; /* open ones */
    size_t count;   /* of maps */
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
        if (!maps[i].kept) {
            madvise(maps[i].start, maps[i].bytes, MADV_DONTNEED);
        }
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
static void enter(struct map map)
{
    size_t at = find(map.start);
    memmove(maps + at + 1, maps + at, (limit.count - at) * sizeof *maps);
    maps[at] = map;
    limit.count++;
}

/* With the mutex held. Returns the entry that was there; of 0 bytes: there was none. */
static struct map leave(void *start)
{
    size_t at = find(start);
    struct map map = {.fd = -1};
    if (at < limit.count && maps[at].start == start) {
        map = maps[at];
        limit.count--;
        memmove(maps + at, maps + at + 1, (limit.count - at) * sizeof *maps);
    }
    return map;
}

void il_scratch_watch(void *start, size_t bytes)
{
    pthread_mutex_lock(&limit.mutex);
    if (limit.count < MAPS_MAX) {
        enter((struct map){start, bytes, 0, -1});
    }
    pthread_mutex_unlock(&limit.mutex);
}

void il_scratch_forget(void *start)
{
    pthread_mutex_lock(&limit.mutex);
    leave(start);
    pthread_mutex_unlock(&limit.mutex);
}

/* With the mutex held: a cleared mapping of a new file; start MAP_FAILED with errno. */
static struct map map_file(size_t bytes)
{
    struct map map = {.start = MAP_FAILED, .bytes = bytes, .fd = scratch_file(bytes)};
    if (map.fd < 0) {
        return map;
    }
    map.start = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, map.fd, 0);
    if (map.start == MAP_FAILED || limit.files == FILES_MAX) {
        int number = errno;
        close(map.fd); /* the mapping keeps the file */
        map.fd = -1;
        errno = number;
    }
    limit.files += map.fd >= 0;
    return map;
}

static void *large_get(size_t bytes, int hot)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    bytes = (bytes + page - 1) / page * page;
    struct map map = {.start = MAP_FAILED, .bytes = bytes, .fd = -1};
    pthread_mutex_lock(&limit.mutex);
    map.kept = hot && (double)(limit.kept_bytes + bytes) <=
                          KEPT_SHARE * (double)limit.use.limit_bytes;
    errno = EMFILE;
    if (limit.count < MAPS_MAX && map.kept) {
        map.start =
            mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    } else if (limit.count < MAPS_MAX) {
        map = map_file(bytes);
    }
    if (map.start == MAP_FAILED) {
        trouble(bytes, errno);
        map.start = NULL;
    } else {
        enter(map);
        limit.kept_bytes += map.kept ? bytes : 0;
        limit.use.scratch_bytes += map.kept ? 0 : bytes;
        if (limit.use.scratch_bytes > limit.use.scratch_bytes_max) {
            limit.use.scratch_bytes_max = limit.use.scratch_bytes;
        }
    }
    pthread_mutex_unlock(&limit.mutex);
    return map.start;
}

static int large_put(void *block)
{
    pthread_mutex_lock(&limit.mutex);
    struct map map = leave(block);
    limit.kept_bytes -= map.kept ? map.bytes : 0;
    limit.use.scratch_bytes -= map.kept ? 0 : map.bytes;
    if (map.bytes && map.fd >= 0) {
        limit.files--;
        close(map.fd);
    }
    pthread_mutex_unlock(&limit.mutex);
    if (map.bytes) {
        munmap(block, map.bytes);
    }
    return map.bytes != 0;
}

/* A fault maps 64 KiB around a row, of which the bound then gives back as much of what is
   needed; a copy out of the page cache leaves no page behind. What cannot be read that
   way is copied from the mapping. */
static int large_gather(const void *block, size_t row_bytes, const uint32_t *rows,
                        size_t count, void *out)
{
    unsigned char *to = out;
    pthread_mutex_lock(&limit.mutex);
    size_t at = find(block);
    int fd = at < limit.count && maps[at].start == block ? maps[at].fd : -1;
    pthread_mutex_unlock(&limit.mutex);
    for (size_t i = 0; fd >= 0 && i < count; i++, to += row_bytes) {
        uint64_t offset = (uint64_t)rows[i] * row_bytes;
        /* not by il_sys_read_at: it cannot fail other than as a fault would */
        if (pread(fd, to, row_bytes, (off_t)offset) != (ssize_t)row_bytes) {
            memcpy(to, (const unsigned char *)block + offset, row_bytes);
        }
    }
    return fd >= 0;
}

static const struct il_large large = {LARGE_BYTES, large_get, large_put, look,
                                      large_gather};

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

int il_memory_measure(void)
{
    int fd = il_sys_open(AT_FDCWD, "/proc/self/clear_refs", O_WRONLY | O_CLOEXEC, 0);
    il_trim();
    if (fd < 0) {
        return 0;
    }
    int done = il_sys_write_all(fd, "5", 1) == 0;
    close(fd);
    return done;
}
