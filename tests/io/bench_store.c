/* SPDX-License-Identifier: Apache-2.0 */
/* What a store costs: bytes on disk, writing, and scans through K1, beside the limits of
 * the machine that are measured in the same rounds: fio's O_DIRECT reading of the same
 * file, zstd and K1 alone, writing and reading memory alone. Speeds of one machine change
 * by the minute, so what counts are the ratios: median, least and most of alternating
 * rounds after one that does not count. `--help` lists the options.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <time.h>
#include <unistd.h>

#include <zstd.h>

#include <isolink/store.h>

#include "simd/simd.h"
#include "src/store/pipeline.h"

#define MIB ((size_t)1 << 20)
#define ROUNDS_MAX 99
#define PATH_MAX_BYTES 4096
/* Blocks that go through K1 at once: their scores stay in the caches. */
#define BLOCKS_AT_ONCE 8u
/* Rows of the sample of generated data that is made afresh; then they repeat, further
   apart than a chunk. */
#define FRESH_ROWS ((size_t)50000)

static const char usage[] =
    "usage: bench_store --dir DIR [--data FILE] [--rows N] [--dim D] [--scan MIB]\n"
    "           [--k ANCHORS] [--chunk KIB] [--threads N] [--slots N] [--rounds N]\n"
    "           [--only size|write|scan|commit|get]\n"
    "Writes files into DIR and removes them. Without --data it takes 100,000 generated\n"
    "rows of 768; a scan reads --scan (512) MiB. --k 64, --chunk 1024, --threads 2,\n"
    "--slots 4, --rounds 5.\n";

struct bench {
    const char *dir, *data, *only;
    size_t rows, dim, scan, k, chunk;
    unsigned threads, slots, rounds;
    float *x;
    char path[PATH_MAX_BYTES], segment_path[PATH_MAX_BYTES];
    struct il_pool *pool;
    float *anchors;   /* packed */
    void *anchors_i8; /* the same in bytes */
    int i8;           /* 1: those are used */
    float **out;      /* scores, of each thread */
    uint64_t sink;
};

static void die(const char *what, const char *why)
{
    fprintf(stderr, "bench_store: %s: %s\n", what, why);
    exit(1);
}

static void must(enum il_status status, const struct il_error *error)
{
    if (status != IL_OK)
        die("failed", error->text);
}

static void *take(size_t count, size_t size)
{
    void *block = il_alloc(count, size);
    if (!block)
        die("memory", "there is too little");
    return block;
}

/* ------------------------------------------------------------------------------ figures
 */

/* Wall clock and processor seconds, of all threads. */
struct spent {
    double wall, cpu;
};

static struct spent now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (struct spent){il_clock_seconds(),
                          (double)t.tv_sec + 1e-9 * (double)t.tv_nsec};
}

static struct spent since(struct spent start)
{
    struct spent end = now();
    return (struct spent){end.wall - start.wall, end.cpu - start.cpu};
}

struct series {
    double value[ROUNDS_MAX];
    unsigned count;
};

static void add(struct series *s, unsigned round, double value)
{
    /* Round 0 does not count. */
    if (round > 0)
        s->value[s->count++] = value;
}

static int by_value(const void *left, const void *right)
{
    double a = *(const double *)left, b = *(const double *)right;
    return (a > b) - (a < b);
}

static double median(struct series *s)
{
    qsort(s->value, s->count, sizeof(double), by_value);
    return s->count ? s->value[s->count / 2] : 0;
}

static void print(const char *name, struct series *s, const char *unit)
{
    double mid = median(s);
    if (s->count)
        printf("  %-44s %8.3f [%.3f-%.3f] %s\n", name, mid, s->value[0],
               s->value[s->count - 1], unit);
}

/* --------------------------------------------------------------------------------- data
 */

/* Clusters of unit rows: centres of their own, four times as far from each other as the
   rows of one lie apart, as of a text encoder. */
static void generate(struct bench *b)
{
    enum { CENTRES = 64 };
    struct il_rng rng = il_rng_make(1, 2, 3, IL_FOR_SAMPLE);
    const struct il_simd *simd = il_simd();
    size_t fresh = b->rows < FRESH_ROWS ? b->rows : FRESH_ROWS;
    float *centre = take(CENTRES * b->dim, sizeof(float));
    b->x = take(b->rows * b->dim, sizeof(float));
    for (size_t i = 0; i < CENTRES + fresh; i++) {
        float *row = i < CENTRES ? centre + i * b->dim : b->x + (i - CENTRES) * b->dim;
        for (size_t q = 0; q < b->dim; q++) {
            uint64_t r = il_rng_next(&rng); /* nearly normal: four of 16 bits */
            row[q] = (float)(r >> 48) + (float)(r >> 32 & 65535) +
                     (float)(r >> 16 & 65535) + (float)(r & 65535) - 131070.0f;
        }
        if (i >= CENTRES)
            simd->axpy_f32(0.5f, centre + il_rng_below(&rng, CENTRES) * b->dim, row,
                           b->dim);
    }
    simd->normalise_f32(b->x, fresh, b->dim, b->dim);
    for (size_t i = fresh; i < b->rows; i++)
        memcpy(b->x + i * b->dim, b->x + (i - fresh) * b->dim, b->dim * sizeof(float));
    il_free(centre);
}

static void load(struct bench *b)
{
    struct il_error error;
    struct il_vectors *vectors = NULL;
    must(il_vectors_load(&vectors, b->data, &error), &error);
    struct il_matrix m = il_vectors_rows(vectors);
    b->dim = m.dim;
    if (b->rows == 0)
        b->rows = m.rows;
    b->x = take(b->rows * b->dim, sizeof(float));
    for (size_t done = 0; done < b->rows;) {
        size_t count = b->rows - done < m.rows ? b->rows - done : m.rows;
        il_matrix_to_f32(&m, 0, count, b->x + done * b->dim, b->dim);
        done += count;
    }
    il_vectors_close(&vectors);
}

/* ----------------------------------------------------------------------------- segments
 */

struct sink {
    struct il_writer *writer; /* NULL: the bytes are dropped */
    uint64_t bytes;
};

static enum il_status into_sink(void *context, const void *data, size_t bytes,
                                struct il_error *error)
{
    struct sink *sink = context;
    sink->bytes += bytes;
    return sink->writer ? il_writer_put(sink->writer, data, bytes, error) : IL_OK;
}

/* Writes `rows` rows, those of x over and over; returns the bytes. */
static uint64_t write_segment(const struct bench *b, enum il_codec codec, size_t rows,
                              const char *path)
{
    struct il_error error;
    struct sink sink = {0};
    struct il_segment_writer *w = NULL;
    struct il_segment_config c;
    il_segment_config_init(&c);
    c.codec = codec;
    c.dim = b->dim;
    c.rows_max = rows;
    c.id_bytes_max = rows * 10;
    c.chunk_bytes = b->chunk;
    c.write = into_sink;
    c.context = &sink;
    c.pool = b->pool;
    if (path)
        must(il_writer_open(&sink.writer, path, &error), &error);
    must(il_segment_writer_open(&w, &c, &error), &error);
    for (size_t i = 0; i < rows; i++) {
        char id[12];
        for (size_t at = 10, left = i; at-- > 0; left /= 10)
            id[at] = (char)('0' + left % 10);
        must(il_segment_push(w, id, 10, b->x + i % b->rows * b->dim, &error), &error);
    }
    must(il_segment_finish(w, &error), &error);
    il_segment_writer_close(&w);
    if (path)
        must(il_writer_close(&sink.writer, &error), &error);
    return sink.bytes;
}

static const enum il_codec codecs[] = {IL_CODEC_F32, IL_CODEC_F16, IL_CODEC_I8,
                                       IL_CODEC_E4M3, IL_CODEC_B1};
#define CODECS (sizeof(codecs) / sizeof(*codecs))

/* Bytes of the chunks alone: what the rows take without ids, norms and their index. */
static double chunk_bytes(const struct il_segment *s)
{
    double sum = 0;
    for (size_t i = 0; i < il_segment_info(s)->chunks; i++)
        sum += (double)il_segment_chunk(s, i).bytes;
    return sum;
}

static void bench_size(const struct bench *b)
{
    double npy = (double)(b->rows * b->dim * sizeof(float) + 128);
    printf("\nbytes on disk of %zu x %zu, ids of 10 bytes, of the f32 .npy's %.1f MB\n",
           b->rows, b->dim, npy * 1e-6);
    for (size_t k = 0; k < CODECS; k++) {
        struct il_error error;
        struct il_file file;
        struct il_segment *s = NULL;
        double bytes = (double)write_segment(b, codecs[k], b->rows, b->segment_path);
        must(il_file_open(&file, b->segment_path, &error), &error);
        struct il_bytes whole = {
            .name = b->segment_path, .size = file.size, .file = &file};
        must(il_segment_open(&s, &whole, &error), &error);
        printf("  %-32s %8.1f MB %6.2f %%, rows alone %6.2f %%\n",
               il_codec_text(codecs[k]), bytes * 1e-6, 100 * bytes / npy,
               100 * chunk_bytes(s) / npy);
        il_segment_close(&s);
        il_file_close(&file);
        unlink(b->segment_path);
    }
    fflush(stdout);
}

/* ------------------------------------------------------------------------------ writing
 */

/* Reads all rows once: as many sums as hide the latency of additions. */
static double read_memory(struct bench *b)
{
    double start = il_clock_seconds();
    b->sink += (uint64_t)il_simd()->abs_max_f32(b->x, b->rows * b->dim);
    return il_clock_seconds() - start;
}

/* Writes and syncs as many bytes that lie in memory. */
static double write_disk(struct bench *b, uint64_t bytes)
{
    struct il_error error;
    struct il_writer *w = NULL;
    double start = il_clock_seconds();
    must(il_writer_open(&w, b->path, &error), &error);
    for (uint64_t done = 0; done < bytes; done += MIB) {
        size_t count = bytes - done < MIB ? (size_t)(bytes - done) : MIB;
        must(il_writer_put(w, (const char *)b->x + done, count, &error), &error);
    }
    must(il_writer_close(&w, &error), &error);
    return il_clock_seconds() - start;
}

/* The limit of an import is the slower of two things that nobody can do without: to read
   the rows once, and to write what is stored of them. */
static void bench_write(struct bench *b)
{
    double input = (double)(b->rows * b->dim * sizeof(float));
    printf("\nwriting %zu x %zu f32, %.0f MB; %u rounds\n", b->rows, b->dim, input * 1e-6,
           b->rounds);
    for (size_t k = 0; k < CODECS; k++) {
        struct series push = {0}, whole = {0}, memory = {0}, disk = {0}, share = {0};
        struct series of_memory = {0}, input_share = {0}, cpu = {0};
        for (unsigned r = 0; r <= b->rounds; r++) {
            struct spent begin = now();
            uint64_t bytes = write_segment(b, codecs[k], b->rows, NULL);
            struct spent dropped = since(begin);
            double read = read_memory(b), write = write_disk(b, bytes);
            begin = now();
            write_segment(b, codecs[k], b->rows, b->path);
            double import = since(begin).wall;
            double limit = read > write ? read : write;
            add(&push, r, input * 1e-9 / dropped.wall);
            add(&cpu, r, input * 1e-9 / dropped.cpu);
            add(&whole, r, input * 1e-9 / import);
            add(&memory, r, input * 1e-9 / read);
            add(&disk, r, (double)bytes * 1e-9 / write);
            add(&of_memory, r, read / dropped.wall);
            add(&share, r, limit / import);
            double slower = (double)bytes / write < input / read ? (double)bytes / write
                                                                 : input / read;
            add(&input_share, r, input / import / slower);
        }
        printf(" %s\n", il_codec_text(codecs[k]));
        print("il_segment_push, nothing written", &push, "GB/s of input");
        print("  the same, of processor time", &cpu, "GB/s of input");
        print("reading the input once from memory", &memory, "GB/s");
        print("writing and syncing the output alone", &disk, "GB/s of output");
        print("il_segment_push to disk, synced", &whole, "GB/s of input");
        print("  push of one reading of memory", &of_memory, "");
        print("  to disk, of the slower limit's time", &share, "");
        print("  to disk, input/s of the slower limit's B/s", &input_share, "");
        fflush(stdout);
    }
}

/* -------------------------------------------------------------------------------- scans
 */

struct scan {
    struct bench *b;
    struct il_ring_file file;
    unsigned char *map; /* the same file */
    struct il_segment *in_file, *in_memory;
    unsigned char *raw; /* all chunks, unpacked, one after the other */
    uint64_t raw_bytes, file_bytes;
};

/* K1: f32 anchors give the rows' products, i8 anchors those of their bytes. */
static void rows_i8(struct bench *b, unsigned thread, const unsigned char *data,
                    const float *scale, size_t blocks)
{
    const struct il_simd *simd = il_simd();
    const size_t block = il_codec_block_bytes(IL_CODEC_I8, b->dim);
    for (size_t i = 0; i < blocks; i += BLOCKS_AT_ONCE) {
        size_t count = blocks - i < BLOCKS_AT_ONCE ? blocks - i : BLOCKS_AT_ONCE;
        const int8_t *x = (const int8_t *)data + i * block;
        if (b->i8)
            simd->rows_i8i8(count, b->dim, b->k, x, b->anchors_i8,
                            (int32_t *)(void *)b->out[thread]);
        else
            simd->rows_i8(count, b->dim, b->k, x, scale + i * IL_ROWS, b->anchors,
                          b->out[thread]);
    }
}

static enum il_status score(void *context, unsigned thread,
                            const struct il_pipeline_chunk *c, struct il_error *error)
{
    (void)error;
    rows_i8(context, thread, c->data, c->scale, c->blocks);
    return IL_OK;
}

static void open_scan(struct scan *s, struct bench *b)
{
    struct il_error error;
    struct stat about;
    size_t row_bytes = b->dim + 4;
    write_segment(b, IL_CODEC_I8, b->scan / row_bytes, b->segment_path);
    *s = (struct scan){.b = b};
    must(il_ring_file_open(&s->file, b->segment_path, &error), &error);
    if (fstat(s->file.plain.fd, &about) != 0)
        die(b->segment_path, strerror(errno));
    s->file_bytes = (uint64_t)about.st_size;
    s->map = mmap(NULL, (size_t)about.st_size, PROT_READ, MAP_SHARED | MAP_POPULATE,
                  s->file.plain.fd, 0);
    if (s->map == MAP_FAILED)
        die(b->segment_path, strerror(errno));
    struct il_bytes bytes = {.name = b->segment_path, .size = s->file_bytes};
    bytes.memory = s->map;
    must(il_segment_open(&s->in_memory, &bytes, &error), &error);
    bytes.memory = NULL;
    bytes.file = &s->file.plain;
    must(il_segment_open(&s->in_file, &bytes, &error), &error);
    const struct il_segment_info *info = il_segment_info(s->in_memory);
    s->raw = take(info->chunks, info->raw_max);
}

static void close_scan(struct scan *s)
{
    il_segment_close(&s->in_file);
    il_segment_close(&s->in_memory);
    munmap(s->map, (size_t)s->file_bytes);
    il_ring_file_close(&s->file);
    il_free(s->raw);
}

/* Unpacks every chunk, on one thread: zstd and nothing else, no checksum. */
static struct spent zstd_alone(struct scan *s)
{
    const struct il_segment_info *info = il_segment_info(s->in_memory);
    ZSTD_DCtx *zstd = ZSTD_createDCtx();
    if (!zstd)
        die("zstd", "no memory");
    struct spent start = now();
    s->raw_bytes = 0;
    for (size_t i = 0; i < info->chunks; i++) {
        struct il_segment_chunk c = il_segment_chunk(s->in_memory, i);
        unsigned char *out = s->raw + i * info->raw_max;
        if (c.packing == IL_STORED)
            memcpy(out, s->map + c.offset, c.bytes);
        else if (ZSTD_decompressDCtx(zstd, out, c.raw_bytes, s->map + c.offset,
                                     c.bytes) != c.raw_bytes)
            die("zstd", "a chunk is damaged");
        s->raw_bytes += c.raw_bytes;
    }
    struct spent spent = since(start);
    ZSTD_freeDCtx(zstd);
    return spent;
}

static struct spent k1_alone(struct scan *s)
{
    const struct il_segment_info *info = il_segment_info(s->in_memory);
    struct spent start = now();
    for (size_t i = 0; i < info->chunks; i++) {
        struct il_segment_chunk c = il_segment_chunk(s->in_memory, i);
        const unsigned char *data = s->raw + i * info->raw_max;
        rows_i8(s->b, 0, data, (const float *)(const void *)(data + c.scale_at),
                c.blocks);
    }
    return since(start);
}

enum { COLD, MAPPED, CACHED };

static struct spent scan(struct scan *s, int way)
{
    struct il_error error;
    struct il_pipeline *p = NULL;
    struct il_pipeline_config c;
    struct il_pipeline_part part = {.segment = way == MAPPED ? s->in_memory : s->in_file,
                                    .file = way == MAPPED ? NULL : &s->file};
    il_pipeline_config_init(&c);
    c.cached = way == CACHED;
    c.threads = s->b->threads;
    c.slots = way == MAPPED ? 0 : s->b->slots;
    c.chunk_bytes = il_segment_info(part.segment)->raw_max;
    c.shuffled = 0;
    must(il_pipeline_open(&p, &c, &error), &error);
    struct spent start = now();
    must(il_pipeline_run(p, s->b->pool, &part, 1, NULL, score, s->b, &error), &error);
    struct spent spent = since(start);
    il_pipeline_close(&p);
    return spent;
}

/* Bytes a second of fio's reading of the file; 0: there is no fio, or no such engine. */
static double fio(const struct bench *b)
{
    char command[2 * PATH_MAX_BYTES], line[8192];
    double speed = 0;
    snprintf(command, sizeof(command),
             "fio --name=r --filename='%s' --readonly --rw=read --bs=1M --iodepth=4 "
             "--ioengine=io_uring --direct=1 --output-format=terse --terse-version=3 "
             "2>/dev/null",
             b->segment_path);
    FILE *pipe = popen(command, "r");
    while (pipe && fgets(line, sizeof(line), pipe)) {
        /* Field 7 of a line "3;fio-...": KiB a second. */
        char *at = line;
        for (int field = 1; field < 7 && at; field++)
            at = strchr(at, ';') ? strchr(at, ';') + 1 : NULL;
        if (at && strncmp(line, "3;", 2) == 0)
            speed = 1024 * strtod(at, NULL);
    }
    if (pipe)
        pclose(pipe);
    return speed;
}

/* The pages that the mapping holds would stay. */
static void drop(struct scan *s)
{
    if (madvise(s->map, (size_t)s->file_bytes, MADV_DONTNEED) != 0 ||
        posix_fadvise(s->file.plain.fd, 0, 0, POSIX_FADV_DONTNEED) != 0)
        die("page cache", strerror(errno));
}

static void fetch(struct scan *s)
{
    for (uint64_t at = 0; at < s->file_bytes; at += 4096)
        s->b->sink += s->map[at];
}

static void bench_cold(struct scan *s)
{
    struct series own = {0}, peer = {0}, share = {0};
    const double chunks = chunk_bytes(s->in_file);
    for (unsigned r = 0; r <= s->b->rounds; r++) {
        double theirs = 0, ours = 0;
        for (unsigned turn = 0; turn < 2; turn++) {
            drop(s);
            if ((turn + r) % 2)
                theirs = fio(s->b);
            else
                ours = chunks / scan(s, COLD).wall;
        }
        add(&own, r, ours * 1e-6);
        if (theirs > 0) {
            add(&peer, r, theirs * 1e-6);
            add(&share, r, ours / theirs);
        }
    }
    printf(" cold, past the page cache%s\n",
           s->file.direct < 0 ? ": not to be had here, buffered" : "");
    print("scan + K1", &own, "MB/s of the file");
    print("fio, io_uring, O_DIRECT, 1 MiB x 4", &peer, "MB/s");
    if (peer.count == 0)
        printf("  fio with io_uring is not to be had here (apt-get install fio)\n");
    print("  of fio", &share, "");
    fflush(stdout);
}

static void bench_cached(struct scan *s)
{
    struct series zstd = {0}, k1 = {0}, speed[2] = {{{0}, 0}}, share[2] = {{{0}, 0}};
    struct series cpu[2] = {{{0}, 0}}, limit = {0};
    static const char *const names[2] = {"scan + K1, mapped", "scan + K1, pread"};
    static const char *const shares[2] = {"  mapped, of threads / (1/zstd + 1/K1)",
                                          "  pread, of threads / (1/zstd + 1/K1)"};
    static const char *const cpus[2] = {"  mapped, the same of processor time",
                                        "  pread, the same of processor time"};
    fetch(s);
    for (unsigned r = 0; r <= s->b->rounds; r++) {
        struct spent z = zstd_alone(s), k = k1_alone(s);
        double gb = (double)s->raw_bytes * 1e-9;
        add(&zstd, r, gb / z.wall);
        add(&k1, r, gb / k.wall);
        add(&limit, r, s->b->threads * (double)s->file_bytes * 1e-6 / (z.wall + k.wall));
        for (int way = 0; way < 2; way++) {
            struct spent own = scan(s, way ? CACHED : MAPPED);
            add(&speed[way], r, gb / own.wall);
            add(&share[way], r, (z.wall + k.wall) / s->b->threads / own.wall);
            add(&cpu[way], r, (z.cpu + k.cpu) / own.cpu);
        }
    }
    printf(" from the page cache\n");
    print("zstd alone, 1 thread", &zstd, "GB/s unpacked");
    print("K1 alone, 1 thread", &k1, "GB/s");
    print("threads / (1/zstd + 1/K1)", &limit, "MB/s of the file");
    for (int way = 0; way < 2; way++) {
        print(names[way], &speed[way], "GB/s");
        print(shares[way], &share[way], "");
        print(cpus[way], &cpu[way], "");
    }
    fflush(stdout);
}

static void bench_scan(struct bench *b)
{
    struct scan s;
    size_t panels = (b->k + IL_ROWS_ANCHORS - 1) / IL_ROWS_ANCHORS * IL_ROWS_ANCHORS;
    b->anchors = take(panels * b->dim, sizeof(float));
    b->out = take(b->threads, sizeof(*b->out));
    for (unsigned i = 0; i < b->threads; i++)
        b->out[i] = take(BLOCKS_AT_ONCE * IL_ROWS * b->k, sizeof(float));
    il_simd()->pack_f32(b->x, b->k, b->dim, b->dim, IL_ROWS_ANCHORS, b->anchors);
    int8_t *bytes = take(b->k * b->dim, 1);
    for (size_t i = 0; i < b->k * b->dim; i++)
        bytes[i] = (int8_t)(fmaxf(fminf(b->x[i], 0.25f), -0.25f) * 508);
    b->anchors_i8 = take(il_rows_i8_packed(b->k, b->dim), 1);
    il_simd()->rows_pack_i8(bytes, b->k, b->dim, b->dim, b->anchors_i8);
    il_free(bytes);
    open_scan(&s, b);
    const struct il_segment_info *info = il_segment_info(s.in_file);
    printf("\nscan + K1 of %zu x %zu i8, k = %zu, %u threads, %zu chunks of %zu KiB, "
           "%.0f MB; %u rounds\n",
           info->rows, b->dim, b->k, b->threads, info->chunks, info->raw_max >> 10,
           (double)s.file_bytes * 1e-6, b->rounds);
    for (b->i8 = 0; b->i8 < 2; b->i8++) {
        printf("%s",
               b->i8 ? "anchors in bytes (rows_i8i8)\n" : "f32 anchors (rows_i8)\n");
        bench_cold(&s);
        bench_cached(&s);
    }
    close_scan(&s);
    unlink(b->segment_path);
    for (unsigned i = 0; i < b->threads; i++)
        il_free(b->out[i]);
    il_free(b->out);
    il_free(b->anchors);
    il_free(b->anchors_i8);
}

/* -------------------------------------------------------------------------------- begin
 */

/* ----------------------------------------------------------------------------- commits
 */

enum { WRITERS = 64, COMMIT_MS = 1500 };

struct writers {
    const struct bench *bench;
    struct il_store *store;
    double until;
    atomic_size_t next, rows;
};

/* A row a commit, as fast as it goes. */
static void *write_rows(void *argument)
{
    struct writers *w = argument;
    struct il_error error = {{0}};
    while (il_clock_seconds() < w->until) {
        uint64_t id = atomic_fetch_add(&w->next, 1);
        const float *row = w->bench->x + id % w->bench->rows * w->bench->dim;
        must(il_store_put(w->store, &id, sizeof(id), row, &error), &error);
        must(il_store_commit(w->store, &error), &error);
        atomic_fetch_add(&w->rows, 1);
    }
    return NULL;
}

static void remove_store(const char path[PATH_MAX_BYTES + 16])
{
    char command[PATH_MAX_BYTES + 32];
    int length = snprintf(command, sizeof(command), "rm -rf '%s'", path);
    if (length >= (int)sizeof(command) || system(command) != 0)
        die(path, "cannot be removed");
}

/* Rows a second of so many threads on one store. */
static double commits(const struct bench *b, unsigned threads)
{
    char path[PATH_MAX_BYTES + 16];
    struct il_error error = {{0}};
    struct il_store_config config;
    pthread_t handle[WRITERS];
    struct writers w = {.bench = b};
    snprintf(path, sizeof(path), "%s/bench.store", b->dir);
    remove_store(path);
    il_store_config_init(&config);
    config.write = config.create = 1;
    config.dim = b->dim;
    must(il_store_open(&w.store, path, &config, &error), &error);
    double start = il_clock_seconds();
    w.until = start + COMMIT_MS * 1e-3;
    for (unsigned t = 0; t < threads; t++)
        if (pthread_create(&handle[t], NULL, write_rows, &w) != 0)
            die("threads", "cannot start them");
    for (unsigned t = 0; t < threads; t++)
        pthread_join(handle[t], NULL);
    double seconds = il_clock_seconds() - start;
    il_store_close(&w.store);
    remove_store(path);
    return (double)atomic_load(&w.rows) / seconds;
}

/* Appends of as many bytes as so many rows take, and a sync each: syncs a second. */
static double syncs(const struct bench *b, unsigned rows)
{
    int fd = open(b->path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    size_t count = 0, bytes = rows * b->dim * sizeof(float);
    double start = il_clock_seconds();
    if (fd < 0)
        die(b->path, strerror(errno));
    while (il_clock_seconds() - start < COMMIT_MS * 1e-3) {
        if (write(fd, b->x, bytes) != (ssize_t)bytes || fsync(fd) != 0)
            die(b->path, strerror(errno));
        count++;
    }
    double seconds = il_clock_seconds() - start;
    close(fd);
    unlink(b->path);
    return (double)count / seconds;
}

static void bench_commit(const struct bench *b)
{
    static struct series one, all, alone, bound, share, share_one;
    if (b->rows < WRITERS)
        die("rows", "too few");
    for (unsigned r = 0; r <= b->rounds; r++) {
        double single = syncs(b, 1), group = syncs(b, WRITERS);
        double rows_one = commits(b, 1), rows = commits(b, WRITERS);
        add(&alone, r, single);
        add(&bound, r, WRITERS * group);
        add(&one, r, rows_one);
        add(&all, r, rows);
        add(&share_one, r, rows_one / single);
        add(&share, r, rows / (WRITERS * group));
    }
    printf("commits, a row each, sync always, dim %zu\n", b->dim);
    print("append of a row and fsync alone", &alone, "a second");
    print("one writer", &one, "rows/s");
    print("one writer, share of that", &share_one, "");
    print("64 rows an append and fsync alone", &bound, "rows/s");
    print("64 writers", &all, "rows/s");
    print("64 writers, share of that", &share, "(goal 0.8)");
}

/* ------------------------------------------------------------------------ rows by id
 */

/* As many different chunks as a series takes. */
enum { GETS = ROUNDS_MAX };

/* What the process has read so far, and all that has been read of the file's disk. */
struct reads {
    double disk, faults, kib, ms;
};

static struct reads reads_now(dev_t device)
{
    char path[64];
    struct rusage used;
    struct reads out = {.ms = 1e3 * il_clock_seconds()};
    unsigned long long done = 0;
    snprintf(path, sizeof(path), "/sys/dev/block/%u:%u/stat", major(device),
             minor(device));
    FILE *file = fopen(path, "r");
    if (file && fscanf(file, "%llu", &done) == 1)
        out.disk = (double)done;
    if (file)
        fclose(file);
    if (getrusage(RUSAGE_SELF, &used) == 0) {
        out.faults = (double)used.ru_majflt;
        out.kib = (double)used.ru_inblock / 2;
    }
    return out;
}

static void fill_store(const struct bench *b, const char *path)
{
    struct il_error error = {{0}};
    struct il_store_config config;
    struct il_store *s = NULL;
    il_store_config_init(&config);
    config.write = config.create = 1;
    config.dim = b->dim;
    must(il_store_open(&s, path, &config, &error), &error);
    must(il_store_bulk_begin(s, &error), &error);
    for (size_t i = 0; i < b->rows; i++) {
        uint64_t id = i;
        must(il_store_bulk_put(s, &id, sizeof(id), b->x + i * b->dim, &error), &error);
    }
    must(il_store_bulk_end(s, &error), &error);
    il_store_close(&s);
}

/* Takes the segments out of the page cache, but for the pages that are mapped. */
static dev_t forget(const char *path)
{
    char name[PATH_MAX_BYTES + 64];
    struct stat about = {0};
    for (unsigned number = 0;; number++) {
        snprintf(name, sizeof(name), "%s/%08u.seg", path, number);
        int fd = open(name, O_RDONLY);
        if (fd < 0 && number > 9)
            return about.st_dev;
        if (fd < 0)
            continue;
        if (fstat(fd, &about) != 0 || posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED) != 0)
            die(name, strerror(errno));
        close(fd);
    }
}

static void get_rows(const struct bench *b, struct il_store *s, dev_t device,
                     const char *name)
{
    struct series disk = {{0}, 0}, faults = {{0}, 0}, kib = {{0}, 0}, ms = {{0}, 0};
    struct il_error error = {{0}};
    float *row = take(b->dim, sizeof(float));
    for (unsigned i = 0; i < GETS; i++) {
        uint64_t id = i * (b->rows / GETS) + b->rows / GETS / 2;
        struct reads before = reads_now(device);
        must(il_store_get(s, &id, sizeof(id), row, NULL, &error), &error);
        struct reads after = reads_now(device);
        add(&disk, 1, after.disk - before.disk);
        add(&faults, 1, after.faults - before.faults);
        add(&kib, 1, after.kib - before.kib);
        add(&ms, 1, after.ms - before.ms);
    }
    il_free(row);
    printf(" %s\n", name);
    print("reads of the disk, of any process", &disk, "a row");
    print("faults that read", &faults, "a row");
    print("read from the disk", &kib, "KiB a row");
    print("time", &ms, "ms a row");
}

static void bench_get(const struct bench *b)
{
    char path[PATH_MAX_BYTES + 16];
    struct il_error error = {{0}};
    struct il_store_config config;
    struct il_store_info info;
    struct il_store *s = NULL;
    if (b->rows < GETS)
        die("rows", "too few");
    snprintf(path, sizeof(path), "%s/bench.store", b->dir);
    remove_store(path);
    fill_store(b, path);
    il_store_config_init(&config);
    must(il_store_open(&s, path, &config, &error), &error);
    dev_t device = forget(path);
    il_store_describe(s, &info);
    printf("\nrows by id of a store of %zu x %zu i8, %zu segments, %.0f MB; %u rows of "
           "different chunks\n",
           b->rows, b->dim, info.segments, (double)info.bytes * 1e-6, GETS);
    get_rows(b, s, device, "cold: tables are mapped, no chunk is in memory");
    get_rows(b, s, device, "warm: the same rows again");
    il_store_close(&s);
    remove_store(path);
}

static size_t number(const char *text, size_t least, size_t most)
{
    char *end = NULL;
    unsigned long long value = strtoull(text, &end, 10);
    if (*end || value < least || value > most) {
        fprintf(stderr, "bench_store: '%s': wanted %zu to %zu\n", text, least, most);
        exit(2);
    }
    return (size_t)value;
}

static int parse(struct bench *b, int c, const char *text)
{
    switch (c) {
    case 'd':
        b->dir = text;
        return 1;
    case 'f':
        b->data = text;
        return 1;
    case 'n':
        b->rows = number(text, 64, 1u << 30);
        return 1;
    case 'm':
        b->dim = number(text, 1, IL_DIM_MAX);
        return 1;
    case 's':
        b->scan = number(text, 1, 1u << 20) * MIB;
        return 1;
    case 'k':
        b->k = number(text, 1, 4096);
        return 1;
    case 'c':
        b->chunk = number(text, 4, IL_SEGMENT_CHUNK_MAX >> 10) << 10;
        return 1;
    case 't':
        b->threads = (unsigned)number(text, 1, 256);
        return 1;
    case 'q':
        b->slots = (unsigned)number(text, 1, 64);
        return 1;
    case 'r':
        b->rounds = (unsigned)number(text, 1, ROUNDS_MAX);
        return 1;
    case 'o':
        b->only = text;
        return 1;
    default:
        return 0;
    }
}

int main(int argc, char **argv)
{
    static const struct option options[] = {{"dir", required_argument, NULL, 'd'},
                                            {"data", required_argument, NULL, 'f'},
                                            {"rows", required_argument, NULL, 'n'},
                                            {"dim", required_argument, NULL, 'm'},
                                            {"scan", required_argument, NULL, 's'},
                                            {"k", required_argument, NULL, 'k'},
                                            {"chunk", required_argument, NULL, 'c'},
                                            {"threads", required_argument, NULL, 't'},
                                            {"slots", required_argument, NULL, 'q'},
                                            {"rounds", required_argument, NULL, 'r'},
                                            {"only", required_argument, NULL, 'o'},
                                            {"help", no_argument, NULL, 'h'},
                                            {0}};
    struct bench b = {.dim = 768,
                      .scan = 512 * MIB,
                      .k = 64,
                      .chunk = MIB,
                      .threads = 2,
                      .slots = 4,
                      .rounds = 5,
                      .only = ""};
    for (int c; (c = getopt_long(argc, argv, "", options, NULL)) != -1;)
        if (!parse(&b, c, optarg)) {
            fputs(usage, c == 'h' ? stdout : stderr);
            return c == 'h' ? 0 : 2;
        }
    if (!b.dir || optind != argc) {
        fputs(usage, stderr);
        return 2;
    }
    snprintf(b.path, sizeof(b.path), "%s/bench_store.tmp", b.dir);
    snprintf(b.segment_path, sizeof(b.segment_path), "%s/bench_store.seg", b.dir);
    if (il_pool_open(&b.pool, b.threads) != IL_OK || il_pool_threads(b.pool) != b.threads)
        die("threads", "cannot start them");
    if (b.data) {
        load(&b);
    } else {
        b.rows = b.rows ? b.rows : 100000;
        generate(&b);
    }
    if (!*b.only || strcmp(b.only, "size") == 0)
        bench_size(&b);
    if (!*b.only || strcmp(b.only, "write") == 0)
        bench_write(&b);
    if (!*b.only || strcmp(b.only, "scan") == 0)
        bench_scan(&b);
    if (!*b.only || strcmp(b.only, "commit") == 0)
        bench_commit(&b);
    if (!*b.only || strcmp(b.only, "get") == 0)
        bench_get(&b);
    unlink(b.path);
    il_pool_close(&b.pool);
    il_free(b.x);
    return b.sink == 1; /* so that what only reads is not left out */
}
