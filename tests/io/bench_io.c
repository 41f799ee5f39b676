/* SPDX-License-Identifier: Apache-2.0 */
/* Both backends of the ring beside threads that read the same file with O_DIRECT, as many
 * as reads are under way. Alternating rounds, the file dropped from the page cache before
 * each reading; speeds of one machine change by the minute, so what counts is the ratio
 * to the threads of the same round: median, least and most. `--help` lists the options.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "src/base/base.h"
#include "src/io/scan.h"

#define MIB ((size_t)1 << 20)
#define KIB ((size_t)1 << 10)
#define ROUNDS_MAX 99
#define DEPTH_MAX 64

static const char usage[] =
    "usage: bench_io --dir DIR [--size MIB] [--block KIB] [--depth N] [--rounds N]\n"
    "Writes a file of --size (1024) into DIR and removes it. Without --block and "
    "--depth\n"
    "it takes 1024 x 4 and 128 x 16. --rounds 5, after one that does not count.\n";

struct bench {
    const char *dir;
    size_t size, block;
    unsigned depth, rounds;
    struct il_ring_file file;
    atomic_size_t next; /* of the threads: the block to read next */
};

enum { THREADS, URING, URING_SCAN, PREAD, PREAD_SCAN, BUFFERED, METHODS };
static const char *const names[METHODS] = {"O_DIRECT, threads", "ring, uring",
                                           "scan, uring",       "ring, pread",
                                           "scan, pread",       "read(2), buffered"};

static void die(const char *what, const char *why)
{
    fprintf(stderr, "bench_io: %s: %s\n", what, why);
    exit(1);
}

/* Blocks in any order, each whole but the last. */
static void *read_direct(void *context)
{
    struct bench *b = context;
    unsigned char *buffer = aligned_alloc(IL_RING_ALIGN, b->block);
    if (!buffer)
        die("threads", "no memory");
    for (;;) {
        size_t at = atomic_fetch_add(&b->next, 1) * b->block;
        if (at >= b->size)
            break;
        if (pread(b->file.direct, buffer, b->block, (off_t)at) <= 0)
            die("threads", strerror(errno));
    }
    free(buffer);
    return NULL;
}

static void run_threads(struct bench *b)
{
    pthread_t threads[DEPTH_MAX];
    atomic_store(&b->next, 0);
    for (unsigned i = 0; i < b->depth; i++) {
        if (pthread_create(&threads[i], NULL, read_direct, b) != 0)
            die("threads", "cannot start one");
    }
    for (unsigned i = 0; i < b->depth; i++)
        pthread_join(threads[i], NULL);
}

static void run_buffered(struct bench *b)
{
    unsigned char *buffer = malloc(b->block);
    if (!buffer)
        die("read", "no memory");
    for (size_t at = 0; at < b->size; at += b->block) {
        if (pread(b->file.plain.fd, buffer, b->block, (off_t)at) <= 0)
            die("read", strerror(errno));
    }
    free(buffer);
}

static void run_scan(struct bench *b, struct il_ring *ring)
{
    struct il_error error;
    struct il_scan *scan = NULL;
    struct il_scan_block block = {0};
    const struct il_range whole = {0, b->size};
    if (il_scan_open(&scan, ring, &b->file, &whole, 1, &error) != IL_OK)
        die("scan", error.text);
    do {
        if (il_scan_next(scan, &block, &error) != IL_OK)
            die("scan", error.text);
        il_scan_release(scan, &block);
    } while (block.bytes);
    il_scan_close(&scan);
}

static void run_ring(struct bench *b, struct il_ring *ring)
{
    struct il_error error;
    size_t begun = 0;
    do {
        struct il_ring_block block;
        for (; begun < b->size && il_ring_room(ring); begun += b->block) {
            size_t bytes = b->size - begun < b->block ? b->size - begun : b->block;
            if (il_ring_submit(ring, &b->file, begun, bytes, 0, &error) != IL_OK)
                die("ring", error.text);
        }
        if (il_ring_wait(ring, &block, &error) != IL_OK)
            die("ring", error.text);
        il_ring_release(ring, &block);
    } while (begun < b->size || il_ring_under_way(ring));
}

static double processor_seconds(void)
{
    struct rusage used;
    getrusage(RUSAGE_SELF, &used);
    return (double)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) +
           1e-6 * (double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec);
}

/* MB/s of one reading; *processor in seconds. 0: not on this machine. */
static double measure(struct bench *b, int method, double *processor)
{
    struct il_error error;
    struct il_ring *ring = NULL;
    if (method == THREADS && b->file.direct < 0)
        return 0;
    if (method > THREADS && method < BUFFERED) {
        struct il_ring_config config = {.kind = method < PREAD ? IL_RING_URING
                                                               : IL_RING_PREAD,
                                        .block_bytes = b->block,
                                        .slots = b->depth};
        if (il_ring_open(&ring, &config, &error) != IL_OK)
            return 0;
    }
    posix_fadvise(b->file.plain.fd, 0, 0, POSIX_FADV_DONTNEED);
    double start = il_clock_seconds(), before = processor_seconds();
    if (method == THREADS)
        run_threads(b);
    else if (method == BUFFERED)
        run_buffered(b);
    else if (method == URING_SCAN || method == PREAD_SCAN)
        run_scan(b, ring);
    else
        run_ring(b, ring);
    double seconds = il_clock_seconds() - start;
    *processor = processor_seconds() - before;
    il_ring_close(&ring);
    return 1e-6 * (double)b->size / seconds;
}

static int by_value(const void *left, const void *right)
{
    double a = *(const double *)left, b = *(const double *)right;
    return (a > b) - (a < b);
}

static void compare(struct bench *b)
{
    double speed[METHODS][ROUNDS_MAX], ratio[METHODS][ROUNDS_MAX];
    double processor[METHODS][ROUNDS_MAX];
    for (unsigned r = 0; r <= b->rounds; r++) {
        unsigned to = r ? r - 1 : 0; /* the first is written over */
        /* Another one first each time, as each may profit from what the one before it
           left in caches below this machine. */
        for (unsigned i = 0; i < METHODS; i++) {
            unsigned m = (i + r) % METHODS;
            speed[m][to] = measure(b, (int)m, &processor[m][to]);
        }
        for (int m = 0; m < METHODS; m++)
            ratio[m][to] = speed[THREADS][to] > 0 ? speed[m][to] / speed[THREADS][to] : 0;
    }
    printf("\n%zu MiB, blocks of %zu KiB, depth %u, %u rounds\n", b->size / MIB,
           b->block / KIB, b->depth, b->rounds);
    printf("%-18s %22s %28s %8s\n", "", "MB/s", "of the threads' MB/s", "s/GB");
    for (int m = 0; m < METHODS; m++) {
        qsort(speed[m], b->rounds, sizeof(double), by_value);
        qsort(ratio[m], b->rounds, sizeof(double), by_value);
        qsort(processor[m], b->rounds, sizeof(double), by_value);
        unsigned mid = b->rounds / 2, last = b->rounds - 1;
        if (speed[m][0] <= 0)
            printf("%-18s not to be had here\n", names[m]);
        else
            printf("%-18s %7.0f [%6.0f-%6.0f] %12.3f [%.3f-%.3f] %8.3f\n", names[m],
                   speed[m][mid], speed[m][0], speed[m][last], ratio[m][mid], ratio[m][0],
                   ratio[m][last], 1e9 * processor[m][mid] / (double)b->size);
    }
    fflush(stdout);
}

/* Writes the file and opens it; its name is gone before anything is measured. */
static void make_file(struct bench *b)
{
    char path[4096];
    struct il_error error;
    snprintf(path, sizeof(path), "%s/isolink-bench-XXXXXX", b->dir);
    int fd = mkstemp(path);
    unsigned char *buffer = malloc(MIB);
    if (fd < 0 || !buffer)
        die(path, strerror(errno));
    uint64_t x = 1;
    for (size_t done = 0; done < b->size; done += MIB) {
        for (size_t i = 0; i < MIB; i += sizeof(x)) { /* nothing compresses it */
            x = x * 6364136223846793005U + 1442695040888963407U;
            memcpy(buffer + i, &x, sizeof(x));
        }
        if (write(fd, buffer, MIB) != (ssize_t)MIB) {
            unlink(path);
            die(path, strerror(errno));
        }
    }
    free(buffer);
    int failed = fsync(fd) != 0;
    enum il_status status = il_ring_file_open(&b->file, path, &error);
    unlink(path);
    close(fd);
    if (failed || status != IL_OK)
        die(path, failed ? strerror(errno) : error.text);
    b->file.plain.name = "the file";
}

static size_t number(const char *text, size_t least, size_t most)
{
    char *end = NULL;
    unsigned long long value = strtoull(text, &end, 10);
    if (*end || value < least || value > most) {
        fprintf(stderr, "bench_io: '%s': wanted %zu to %zu\n", text, least, most);
        exit(2);
    }
    return (size_t)value;
}

int main(int argc, char **argv)
{
    static const struct option options[] = {{"dir", required_argument, NULL, 'd'},
                                            {"size", required_argument, NULL, 's'},
                                            {"block", required_argument, NULL, 'b'},
                                            {"depth", required_argument, NULL, 'q'},
                                            {"rounds", required_argument, NULL, 'r'},
                                            {"help", no_argument, NULL, 'h'},
                                            {0}};
    struct bench b = {.size = 1024 * MIB, .rounds = 5, .file = {.direct = -1}};
    for (int c; (c = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        if (c == 'd')
            b.dir = optarg;
        else if (c == 's')
            b.size = number(optarg, 1, 1 << 20) * MIB;
        else if (c == 'b')
            b.block = number(optarg, 4, 1 << 18) / 4 * 4 * KIB;
        else if (c == 'q')
            b.depth = (unsigned)number(optarg, 1, DEPTH_MAX);
        else if (c == 'r')
            b.rounds = (unsigned)number(optarg, 1, ROUNDS_MAX);
        else {
            fputs(usage, c == 'h' ? stdout : stderr);
            return c == 'h' ? 0 : 2;
        }
    }
    if (!b.dir || optind != argc) {
        fputs(usage, stderr);
        return 2;
    }
    make_file(&b);
    if (b.file.direct < 0)
        fprintf(stderr, "bench_io: %s has no O_DIRECT: no ratios\n", b.dir);
    int given = b.block || b.depth;
    b.block = b.block ? b.block : MIB;
    b.depth = b.depth ? b.depth : 4;
    compare(&b);
    if (!given) {
        b.block = 128 * KIB;
        b.depth = 16;
        compare(&b);
    }
    il_ring_file_close(&b.file);
    return 0;
}
