/* SPDX-License-Identifier: Apache-2.0 */
#include "src/store/pipeline.h"

#include <fcntl.h>
#include <malloc.h>

#include <zstd.h>

#include "tests/unit/test_segment.h"
#include "tests/unit/unit.h"

#define DIM 21
#define ROWS 700
#define PARTS_MAX 4

static const enum il_codec codecs[] = {IL_CODEC_F32, IL_CODEC_F16, IL_CODEC_I8,
                                       IL_CODEC_E4M3, IL_CODEC_B1};
#define CODECS (sizeof(codecs) / sizeof(*codecs))

static float given[ROWS * DIM];
static int uring_here;

/* A segment, in memory and in a file, and its rows as il_segment_row gives them. */
struct sample {
    struct segfile image;
    struct il_ring_file file;
    char path[512];
    struct il_segment *in_memory, *in_file;
    float *rows;
};

/* Few bits, so that zstd finds something to do; every third row is noise. */
static void fill_given(void)
{
    struct il_rng rng = il_rng_make(3, 1, 4, IL_FOR_SAMPLE);
    for (size_t i = 0; i < ROWS * DIM; i++) {
        uint64_t r = il_rng_next(&rng);
        given[i] = i / DIM % 3 == 0 ? (float)(r >> 40) / 0x1p24f - 0.5f
                                    : (float)(r % 5) / 4 - 0.5f;
    }
}

static void read_rows(struct sample *s)
{
    struct il_error error;
    struct il_segment_decoder *d = NULL;
    const struct il_segment_info *info = il_segment_info(s->in_memory);
    assert_int_equal(il_segment_decoder_open(&d, s->in_memory, &error), IL_OK);
    s->rows = calloc(info->rows * info->dim + 1, sizeof(float));
    for (size_t i = 0; i < info->rows; i++)
        assert_int_equal(il_segment_row(d, i, s->rows + i * DIM, &error), IL_OK);
    il_segment_decoder_close(&d);
}

static struct sample *sample_of(enum il_codec codec, size_t rows, size_t blocks,
                                int level)
{
    static unsigned number;
    char name[32];
    struct il_error error;
    struct sample *s = calloc(1, sizeof(*s));
    struct il_segment_config c = segfile_config(&s->image, codec, DIM, rows ? rows : 1);
    c.level = level;
    c.chunk_bytes = blocks * il_segment_raw_bytes(codec, DIM, 64);
    assert_int_equal(segfile_fill(&c, given, rows, &error), IL_OK);
    snprintf(name, sizeof(name), "s%u.seg", number++);
    snprintf(s->path, sizeof(s->path), "%s",
             unit_put(name, s->image.data, s->image.size));
    assert_int_equal(il_ring_file_open(&s->file, s->path, &error), IL_OK);
    struct il_bytes bytes = segfile_bytes(&s->image);
    assert_int_equal(il_segment_open(&s->in_memory, &bytes, &error), IL_OK);
    struct il_bytes from_file = {
        .name = s->path, .size = s->image.size, .file = &s->file.plain};
    assert_int_equal(il_segment_open(&s->in_file, &from_file, &error), IL_OK);
    read_rows(s);
    return s;
}

static void sample_free(struct sample *s)
{
    il_segment_close(&s->in_memory);
    il_segment_close(&s->in_file);
    il_ring_file_close(&s->file);
    unlink(s->path);
    free(s->image.data);
    free(s->rows);
    free(s);
}

/* What a run gave. */
struct seen {
    const struct il_pipeline_part *parts;
    float *rows[PARTS_MAX];
    atomic_int calls;
    atomic_int busy[8];             /* of each thread: calls at this moment */
    const unsigned char *low, *end; /* data outside is counted */
    atomic_int outside;
    size_t fail_from;        /* of part 0; SIZE_MAX: never */
    int cancel_after;        /* 0: never */
    atomic_int cancel, late; /* late: calls that began when it was set */
};

static void check_padding(const struct il_pipeline_chunk *c)
{
    for (size_t i = c->rows; c->scale && i < c->blocks * IL_SEGMENT_BLOCK; i++)
        assert_true(c->scale[i] == 0);
}

static enum il_status take(void *context, unsigned thread,
                           const struct il_pipeline_chunk *c, struct il_error *error)
{
    struct seen *seen = context;
    const struct il_segment *s = seen->parts[c->part].segment;
    const struct il_segment_info *info = il_segment_info(s);
    const struct il_segment_chunk wanted = il_segment_chunk(s, c->chunk);
    assert_true(thread < 8 && atomic_fetch_add(&seen->busy[thread], 1) == 0);
    if (atomic_load(&seen->cancel) != 0)
        atomic_fetch_add(&seen->late, 1);
    int calls = atomic_fetch_add(&seen->calls, 1) + 1;
    assert_int_equal(c->first, wanted.first);
    assert_int_equal(c->rows, wanted.rows);
    assert_int_equal(c->blocks, wanted.blocks);
    assert_int_equal((uintptr_t)c->data % 8, 0);
    assert_true((c->scale != NULL) == il_codec_has_scale(info->codec));
    check_padding(c);
    if (c->data < seen->low || c->data >= seen->end)
        atomic_fetch_add(&seen->outside, 1);
    size_t block = il_codec_block_bytes(info->codec, info->dim);
    for (size_t i = 0; i < c->rows; i++)
        il_codec_row(info->codec, info->dim, c->data + i / 64 * block, i % 64,
                     c->scale ? c->scale[i] : 1,
                     seen->rows[c->part] + (c->first + i) * info->dim);
    if (calls == seen->cancel_after)
        atomic_store(&seen->cancel, 1);
    atomic_fetch_sub(&seen->busy[thread], 1);
    if (c->part == 0 && c->chunk >= seen->fail_from)
        return il_fail(error, IL_ELIMIT, "chunk %zu is not wanted", c->chunk);
    return IL_OK;
}

static void seen_init(struct seen *seen, const struct il_pipeline_part *parts,
                      size_t count)
{
    *seen = (struct seen){.parts = parts, .fail_from = SIZE_MAX};
    for (size_t i = 0; i < count; i++) {
        size_t rows = il_segment_info(parts[i].segment)->rows;
        seen->rows[i] = malloc((rows * DIM + 1) * sizeof(float));
        memset(seen->rows[i], 0xff, rows * DIM * sizeof(float));
    }
}

static void seen_free(struct seen *seen)
{
    for (size_t i = 0; i < PARTS_MAX; i++)
        free(seen->rows[i]);
}

enum { PREAD, CACHED, URING, MEMORY, WAYS };

static struct il_pipeline_config config_of(int way, unsigned threads, unsigned slots)
{
    struct il_pipeline_config c;
    il_pipeline_config_init(&c);
    c.kind = way == PREAD ? IL_RING_PREAD : way == URING ? IL_RING_URING : IL_RING_AUTO;
    c.cached = way == CACHED;
    c.threads = threads;
    c.slots = way == MEMORY ? 0 : slots;
    c.chunk_bytes = 1 << 20;
    return c;
}

static struct il_pipeline *pipeline_of(const struct il_pipeline_config *c)
{
    struct il_error error;
    struct il_pipeline *p = NULL;
    if (il_pipeline_open(&p, c, &error) != IL_OK)
        fail_msg("%s", error.text);
    return p;
}

static struct il_pipeline_part part_of(const struct sample *s, int way)
{
    if (way == MEMORY)
        return (struct il_pipeline_part){.segment = s->in_memory};
    return (struct il_pipeline_part){.segment = s->in_file, .file = &s->file};
}

static enum il_status run_once(int way, unsigned threads, unsigned slots,
                               struct seen *seen, size_t count, struct il_error *error)
{
    struct il_pool *pool = NULL;
    struct il_pipeline_config c = config_of(way, threads, slots);
    struct il_pipeline *p = pipeline_of(&c);
    assert_int_equal(il_pool_open(&pool, threads), IL_OK);
    enum il_status status =
        il_pipeline_run(p, pool, seen->parts, count, &seen->cancel, take, seen, error);
    il_pool_close(&pool);
    il_pipeline_close(&p);
    assert_null(p);
    return status;
}

static int has_way(int way)
{
    return way != URING || uring_here;
}

static void check_sample(const struct sample *s)
{
    for (int way = 0; way < WAYS; way++)
        for (unsigned threads = 1; has_way(way) && threads <= 4; threads++) {
            struct seen seen;
            struct il_error error = {{0}};
            struct il_pipeline_part part = part_of(s, way);
            const struct il_segment_info *info = il_segment_info(part.segment);
            if (threads > info->chunks + 1)
                continue;
            seen_init(&seen, &part, 1);
            if (run_once(way, threads, 1 + threads, &seen, 1, &error) != IL_OK)
                fail_msg("%s", error.text);
            assert_int_equal(atomic_load(&seen.calls), info->chunks);
            assert_memory_equal(seen.rows[0], s->rows, info->rows * DIM * sizeof(float));
            seen_free(&seen);
        }
}

static void every_codec_and_chunk_size_gives_its_rows(void **state)
{
    (void)state;
    static const size_t counts[] = {0, 1, 65, ROWS};
    for (size_t k = 0; k < CODECS; k++)
        for (size_t i = 0; i < sizeof(counts) / sizeof(*counts); i++)
            for (size_t blocks = 1; blocks <= 4; blocks += 1 + blocks / 2)
                for (int level = 0; level <= 1; level++) {
                    struct sample *s = sample_of(codecs[k], counts[i], blocks, level);
                    check_sample(s);
                    sample_free(s);
                }
}

static void parts_follow_each_other(void **state)
{
    (void)state;
    struct sample *s[PARTS_MAX] = {
        sample_of(IL_CODEC_I8, ROWS, 1, 1), sample_of(IL_CODEC_F32, 0, 1, 1),
        sample_of(IL_CODEC_F16, 200, 2, 1), sample_of(IL_CODEC_I8, 70, 1, 0)};
    for (int way = 0; way < WAYS; way++)
        for (unsigned threads = 1; has_way(way) && threads <= 4; threads++) {
            struct seen seen;
            struct il_error error = {{0}};
            struct il_pipeline_part parts[PARTS_MAX];
            size_t chunks = 0;
            for (size_t i = 0; i < PARTS_MAX; i++) {
                /* The last one lies in memory in any case. */
                parts[i] = part_of(s[i], i == PARTS_MAX - 1 ? MEMORY : way);
                chunks += il_segment_info(parts[i].segment)->chunks;
            }
            seen_init(&seen, parts, PARTS_MAX);
            if (run_once(way, threads, 4, &seen, PARTS_MAX, &error) != IL_OK)
                fail_msg("%s", error.text);
            assert_int_equal(atomic_load(&seen.calls), chunks);
            for (size_t i = 0; i < PARTS_MAX; i++)
                assert_memory_equal(seen.rows[i], s[i]->rows,
                                    il_segment_info(parts[i].segment)->rows * DIM *
                                        sizeof(float));
            seen_free(&seen);
        }
    for (size_t i = 0; i < PARTS_MAX; i++)
        sample_free(s[i]);
}

static void stored_chunks_are_not_copied(void **state)
{
    (void)state;
    struct sample *s = sample_of(IL_CODEC_F32, ROWS, 1, 0);
    struct il_error error;
    struct seen seen;
    /* The image of the test is aligned to 16 only by luck: one that surely is. */
    unsigned char *aligned = il_alloc(s->image.size + 1, 1);
    for (size_t shift = 0; shift <= 1; shift++) {
        struct il_segment *segment = NULL;
        memcpy(aligned + shift, s->image.data, s->image.size);
        struct il_bytes bytes = {
            .name = "m", .size = s->image.size, .memory = aligned + shift};
        assert_int_equal(il_segment_open(&segment, &bytes, &error), IL_OK);
        struct il_pipeline_part part = {.segment = segment};
        seen_init(&seen, &part, 1);
        seen.low = aligned;
        seen.end = aligned + s->image.size;
        assert_int_equal(run_once(MEMORY, 2, 0, &seen, 1, &error), IL_OK);
        /* Where the kernels could not read them they are. */
        assert_int_equal(atomic_load(&seen.outside),
                         shift ? il_segment_info(segment)->chunks : 0);
        assert_memory_equal(seen.rows[0], s->rows, ROWS * DIM * sizeof(float));
        seen_free(&seen);
        il_segment_close(&segment);
    }
    il_free(aligned);
    sample_free(s);
}

static void first_damage_is_reported_whatever_the_threads(void **state)
{
    (void)state;
    struct sample *s = sample_of(IL_CODEC_I8, ROWS, 1, 1);
    const struct il_segment_chunk c = il_segment_chunk(s->in_file, 4);
    char text[64];
    snprintf(text, sizeof(text), ", byte %llu: checksum of chunk 4 ",
             (unsigned long long)c.offset);
    int fd = open(s->path, O_WRONLY);
    assert_true(fd >= 0);
    for (size_t i = 4; i < 9; i += 2) {
        const struct il_segment_chunk at = il_segment_chunk(s->in_file, i);
        unsigned char byte = s->image.data[at.offset + 9] ^ 4;
        assert_int_equal(pwrite(fd, &byte, 1, (off_t)(at.offset + 9)), 1);
        s->image.data[at.offset + 9] = byte;
    }
    assert_int_equal(fsync(fd), 0);
    close(fd);
    for (int round = 0; round < 10; round++)
        for (int way = 0; way < WAYS; way++)
            for (unsigned threads = 1; has_way(way) && threads <= 4; threads++) {
                struct seen seen;
                struct il_error error = {{0}};
                struct il_pipeline_part part = part_of(s, way);
                seen_init(&seen, &part, 1);
                assert_int_equal(run_once(way, threads, 3, &seen, 1, &error),
                                 IL_ECORRUPT);
                unit_says(&error, way == MEMORY ? "t.seg" : s->path);
                unit_says(&error, text);
                /* All rows before it have come. */
                assert_memory_equal(seen.rows[0], s->rows, c.first * DIM * sizeof(float));
                seen_free(&seen);
            }
    sample_free(s);
}

static void first_refusal_of_the_caller_is_reported(void **state)
{
    (void)state;
    struct sample *s = sample_of(IL_CODEC_B1, ROWS, 1, 1);
    for (int round = 0; round < 10; round++)
        for (int way = 0; way < WAYS; way++)
            for (unsigned threads = 1; has_way(way) && threads <= 4; threads++) {
                struct seen seen;
                struct il_error error = {{0}};
                struct il_pipeline_part part = part_of(s, way);
                seen_init(&seen, &part, 1);
                seen.fail_from = 3;
                assert_int_equal(run_once(way, threads, 3, &seen, 1, &error), IL_ELIMIT);
                assert_string_equal(error.text, "chunk 3 is not wanted");
                /* And what the threads had claimed by then, with 3 buffers each. */
                assert_true(atomic_load(&seen.calls) <= 3 + 3 * (int)threads);
                seen_free(&seen);
            }
    sample_free(s);
}

static void a_cancelled_run_ends(void **state)
{
    (void)state;
    struct sample *s = sample_of(IL_CODEC_I8, ROWS, 1, 1);
    for (int way = 0; way < WAYS; way++)
        for (unsigned threads = 1; has_way(way) && threads <= 4; threads++)
            for (int after = 0; after < 3; after++) {
                struct seen seen;
                struct il_error error = {{0}};
                struct il_pipeline_part part = part_of(s, way);
                seen_init(&seen, &part, 1);
                seen.cancel_after = after;
                atomic_store(&seen.cancel, after == 0);
                assert_int_equal(run_once(way, threads, 3, &seen, 1, &error), IL_ECANCEL);
                /* Of each other thread what it had claimed by then, and no more. */
                assert_true(atomic_load(&seen.late) < (int)threads);
                assert_true(after > 0 || atomic_load(&seen.calls) == 0);
                seen_free(&seen);
            }
    sample_free(s);
}

/* Faults of reads, counted over all threads. */
static atomic_long fault_calls, fault_at;
static int fault_ever;

static int fault_hook(enum il_io_call call)
{
    if (call != IL_IO_READ)
        return 0;
    long calls = atomic_fetch_add(&fault_calls, 1) + 1, at = atomic_load(&fault_at);
    return calls == at || (fault_ever && calls > at) ? EIO : 0;
}

/* Every read fails once, and from then on for ever: the run ends with the words of the
   system, and a later one on the same pipeline succeeds. */
static void a_failed_read_is_said(void **state)
{
    (void)state;
    struct sample *s = sample_of(IL_CODEC_F16, ROWS, 1, 1);
    struct il_pipeline_part part = part_of(s, PREAD);
    const int chunks = (int)il_segment_info(part.segment)->chunks;
    for (int way = 0; way < MEMORY; way++)
        for (unsigned threads = 1; has_way(way) && threads <= 4; threads++) {
            struct il_pool *pool = NULL;
            struct il_pipeline_config c = config_of(way, threads, 3);
            struct il_pipeline *p = pipeline_of(&c);
            assert_int_equal(il_pool_open(&pool, threads), IL_OK);
            for (int at = 1; at <= 2 * chunks; at++) {
                struct seen seen;
                struct il_error error = {{0}};
                fault_ever = at > chunks;
                atomic_store(&fault_calls, 0);
                atomic_store(&fault_at, fault_ever ? at - chunks : at);
                seen_init(&seen, &part, 1);
                il_io_hook = fault_hook;
                enum il_status status =
                    il_pipeline_run(p, pool, &part, 1, NULL, take, &seen, &error);
                il_io_hook = NULL;
                assert_int_equal(status, IL_EIO);
                unit_says(&error, s->path);
                unit_says(&error, "cannot read");
                assert_true(atomic_load(&seen.calls) < chunks);
                seen_free(&seen);
            }
            struct seen seen;
            struct il_error error = {{0}};
            seen_init(&seen, &part, 1);
            assert_int_equal(
                il_pipeline_run(p, pool, &part, 1, NULL, take, &seen, &error), IL_OK);
            assert_memory_equal(seen.rows[0], s->rows, ROWS * DIM * sizeof(float));
            seen_free(&seen);
            il_pool_close(&pool);
            il_pipeline_close(&p);
        }
    sample_free(s);
}

struct starved {
    struct il_pool *pool;
    struct seen *seen;
    int way;
};

static enum il_status open_and_run(void *context)
{
    struct starved *t = context;
    struct il_error error = {{0}};
    struct il_pipeline *p = NULL;
    struct il_pipeline_config c = config_of(t->way, 3, 2);
    if (t->way == URING)
        c.kind = IL_RING_AUTO;
    enum il_status status = il_pipeline_open(&p, &c, &error);
    if (status != IL_OK) {
        assert_null(p);
        unit_says(&error, "");
        assert_true(error.text[0] != 0);
        return status;
    }
    long calls = il_alloc_calls();
    status = il_pipeline_run(p, t->pool, t->seen->parts, 1, NULL, take, t->seen, &error);
    assert_int_equal(il_alloc_calls(), calls);
    il_pipeline_close(&p);
    return status;
}

static void no_memory_is_said_and_only_at_open(void **state)
{
    (void)state;
    struct sample *s = sample_of(IL_CODEC_F32, 130, 1, 1);
    for (int way = 0; way < WAYS; way++) {
        struct seen seen;
        struct starved t = {.seen = &seen, .way = way};
        struct il_pipeline_part part = part_of(s, way);
        if (!has_way(way))
            continue;
        seen_init(&seen, &part, 1);
        assert_int_equal(il_pool_open(&t.pool, 3), IL_OK);
        assert_true(unit_starve(open_and_run, &t) >= 3);
        il_pool_close(&t.pool);
        seen_free(&seen);
    }
    sample_free(s);
}

static void memory_is_what_was_said(void **state)
{
    (void)state;
    ZSTD_DCtx *zstd = ZSTD_createDCtx();
    assert_true(ZSTD_sizeof_DCtx(zstd) <= IL_SEGMENT_ZSTD_BYTES);
    ZSTD_freeDCtx(zstd);
#ifndef __SANITIZE_ADDRESS__
    for (unsigned threads = 1; threads <= 4; threads++)
        for (unsigned slots = 0; slots <= 5; slots++)
            for (int shuffled = 0; shuffled <= 1; shuffled++) {
                struct il_pipeline_config c = config_of(PREAD, threads, slots);
                c.shuffled = shuffled;
                struct mallinfo2 before = mallinfo2();
                struct il_pipeline *p = pipeline_of(&c);
                struct mallinfo2 after = mallinfo2();
                size_t used = after.uordblks + after.hblkhd;
                used -= before.uordblks + before.hblkhd;
                /* Each block has a header and is padded; large ones to pages. */
                assert_true(used <= il_pipeline_bytes(&c) + 8 * 8192 * threads);
                il_pipeline_close(&p);
            }
#endif
}

static void arguments_are_checked(void **state)
{
    (void)state;
    struct il_error error;
    struct il_pipeline *p = NULL;
    struct il_pipeline_config good = config_of(PREAD, 2, 2), bad[6];
    for (size_t i = 0; i < 6; i++)
        bad[i] = good;
    bad[0].threads = 0;
    bad[1].threads = 257;
    bad[2].chunk_bytes = 0;
    bad[3].chunk_bytes = IL_SEGMENT_CHUNK_MAX + 1;
    bad[4].slots = 1025;
    bad[5].kind = (enum il_ring_kind)3;
    for (size_t i = 0; i < 6; i++) {
        assert_int_equal(il_pipeline_bytes(&bad[i]), 0);
        assert_int_equal(il_pipeline_open(&p, &bad[i], &error), IL_EARG);
        unit_says(&error, "wanted 1 to 256 threads");
        assert_null(p);
    }
    struct sample *s = sample_of(IL_CODEC_F32, 70, 2, 1);
    struct il_pipeline_part file = part_of(s, PREAD), memory = part_of(s, MEMORY);
    struct il_pipeline_part nowhere = {.segment = s->in_file};
    struct il_pool *pool = NULL;
    assert_int_equal(il_pool_open(&pool, 3), IL_OK);
    p = pipeline_of(&good);
    if (il_pool_threads(pool) == 3) {
        assert_int_equal(il_pipeline_run(p, pool, &file, 1, NULL, take, NULL, &error),
                         IL_EARG);
        unit_says(&error, "3 threads, opened for 2");
    }
    assert_int_equal(il_pipeline_run(p, NULL, &nowhere, 1, NULL, take, NULL, &error),
                     IL_EARG);
    unit_says(&error, "neither in memory nor given a file");
    assert_int_equal(il_pipeline_run(p, NULL, NULL, 0, NULL, take, NULL, &error), IL_OK);
    il_pipeline_close(&p);
    good.chunk_bytes = 100;
    p = pipeline_of(&good);
    assert_int_equal(il_pipeline_run(p, NULL, &file, 1, NULL, take, NULL, &error),
                     IL_EARG);
    unit_says(&error, "chunks of 10752 bytes, wanted at most 100");
    il_pipeline_close(&p);
    good.chunk_bytes = 1 << 20;
    good.shuffled = 0;
    good.slots = 0;
    p = pipeline_of(&good);
    assert_int_equal(il_pipeline_run(p, NULL, &memory, 1, NULL, take, NULL, &error),
                     IL_EARG);
    unit_says(&error, "codec f32, the scan has no room for it");
    il_pipeline_close(&p);
    good.shuffled = 1;
    p = pipeline_of(&good);
    assert_int_equal(il_pipeline_run(p, NULL, &file, 1, NULL, take, NULL, &error),
                     IL_EARG);
    unit_says(&error, "no room to read a file");
    struct il_ring_about about;
    il_pipeline_describe(p, &about);
    assert_true(about.kind == IL_RING_PREAD && about.slots == 0);
    il_pipeline_close(&p);
    il_pool_close(&pool);
    sample_free(s);
}

static int refuse_rings(enum il_io_call call)
{
    return call == IL_IO_RING_SETUP ? EPERM : 0;
}

static void count_line(void *context, const char *text)
{
    assert_non_null(strstr(text, "reading by pread"));
    ++*(int *)context;
}

static void without_io_uring_one_line_is_logged(void **state)
{
    (void)state;
    int lines = 0;
    struct il_error error;
    struct il_ring_about about;
    struct sample *s = sample_of(IL_CODEC_I8, ROWS, 1, 1);
    struct il_pipeline_part part = part_of(s, PREAD);
    struct il_pipeline_config c = config_of(PREAD, 4, 3);
    struct il_pool *pool = NULL;
    struct seen seen;
    c.kind = IL_RING_AUTO;
    c.log = count_line;
    c.log_context = &lines;
    seen_init(&seen, &part, 1);
    assert_int_equal(il_pool_open(&pool, 4), IL_OK);
    il_io_hook = refuse_rings;
    struct il_pipeline *p = pipeline_of(&c);
    assert_int_equal(il_pipeline_run(p, pool, &part, 1, NULL, take, &seen, &error),
                     IL_OK);
    il_io_hook = NULL;
    assert_int_equal(lines, 1);
    il_pipeline_describe(p, &about);
    assert_int_equal(about.kind, IL_RING_PREAD);
    assert_memory_equal(seen.rows[0], s->rows, ROWS * DIM * sizeof(float));
    seen_free(&seen);
    il_pool_close(&pool);
    il_pipeline_close(&p);
    sample_free(s);
}

static int setup(void **state)
{
    struct il_error error;
    struct il_ring *ring = NULL;
    struct il_ring_config c = {.kind = IL_RING_URING, .block_bytes = 4096, .slots = 1};
    uring_here = il_ring_open(&ring, &c, &error) == IL_OK;
    il_ring_close(&ring);
    fill_given();
    return unit_setup(state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_codec_and_chunk_size_gives_its_rows),
        cmocka_unit_test(parts_follow_each_other),
        cmocka_unit_test(stored_chunks_are_not_copied),
        cmocka_unit_test(first_damage_is_reported_whatever_the_threads),
        cmocka_unit_test(first_refusal_of_the_caller_is_reported),
        cmocka_unit_test(a_cancelled_run_ends),
        cmocka_unit_test(a_failed_read_is_said),
        cmocka_unit_test(no_memory_is_said_and_only_at_open),
        cmocka_unit_test(memory_is_what_was_said),
        cmocka_unit_test(arguments_are_checked),
        cmocka_unit_test(without_io_uring_one_line_is_logged),
    };
    return cmocka_run_group_tests(tests, setup, unit_teardown);
}
