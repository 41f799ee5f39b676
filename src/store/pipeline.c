/* SPDX-License-Identifier: Apache-2.0 */
/* Chunks of all parts are numbered through. Workers take the next number, begin to read
 * it and go on with whatever of theirs has arrived:
 *
 *      number --claim--> under way --wait--> held: check, unpack, fn --release--> free
 *
 * A worker claims as many as its ring has buffers, so the queue is bounded and a worker
 * that is busy claims none. When a chunk fails, no later number is claimed or served any
 * more; those before it have all been claimed and are, so the first failure of all is
 * the same for any number of threads. */
#include "src/store/pipeline.h"

#include <pthread.h>

#define THREADS_MAX 256u
#define SLOTS_DEFAULT 4u
/* When the page cache has the file there is no need to be far ahead. */
#define SLOTS_CACHED 2u

struct worker {
    struct il_ring *ring; /* NULL: everything is in memory */
    struct il_segment_room *room;
};

struct il_pipeline {
    struct il_pipeline_config config;
    struct worker *worker; /* config.threads of them */
};

/* What the workers of a run share. */
struct run {
    struct il_pipeline *pipeline;
    const struct il_pipeline_part *parts;
    size_t total; /* chunks of all parts */
    const atomic_int *cancel;
    il_pipeline_fn *fn;
    void *context;
    atomic_size_t next; /* number to be claimed */
    atomic_size_t end;  /* numbers from here on are neither claimed nor served */
    pthread_mutex_t mutex;
    size_t failed; /* guarded by it: number of the first failure, and what it was */
    enum il_status status;
    struct il_error error;
};

void il_pipeline_config_init(struct il_pipeline_config *config)
{
    *config = (struct il_pipeline_config){
        .kind = IL_RING_AUTO, .threads = 1, .slots = SLOTS_DEFAULT, .shuffled = 1};
}

static struct il_ring_config ring_config(const struct il_pipeline_config *c)
{
    unsigned slots = c->cached && c->slots > SLOTS_CACHED ? SLOTS_CACHED : c->slots;
    return (struct il_ring_config){.kind = c->cached ? IL_RING_PREAD : c->kind,
                                   .block_bytes = c->chunk_bytes,
                                   .slots = slots,
                                   .log = c->log,
                                   .log_context = c->log_context};
}

size_t il_pipeline_bytes(const struct il_pipeline_config *config)
{
    if (config->threads < 1 || config->threads > THREADS_MAX || config->chunk_bytes < 1 ||
        config->chunk_bytes > IL_SEGMENT_CHUNK_MAX)
        return 0;
    struct il_ring_config ring = ring_config(config);
    size_t ring_bytes = ring.slots > 0 ? il_ring_bytes(&ring) : 0;
    if (ring.slots > 0 && ring_bytes == 0)
        return 0;
    size_t each = 0, bytes = 0;
    if (il_add_bytes(il_segment_room_bytes(config->chunk_bytes, config->shuffled),
                     sizeof(struct worker) + ring_bytes, &each) != IL_OK ||
        il_mul_bytes(each, config->threads, &bytes) != IL_OK ||
        il_add_bytes(bytes, sizeof(struct il_pipeline), &bytes) != IL_OK)
        return 0;
    return bytes;
}

/* The rings of all workers are of one kind, and one of them tells the log. */
static enum il_status open_workers(struct il_pipeline *p, struct il_error *error)
{
    struct il_ring_config ring = ring_config(&p->config);
    for (unsigned i = 0; i < p->config.threads; i++) {
        struct worker *w = &p->worker[i];
        enum il_status status = IL_OK;
        if (ring.slots > 0)
            status = il_ring_open(&w->ring, &ring, error);
        if (status == IL_OK)
            status = il_segment_room_open(&w->room, p->config.chunk_bytes,
                                          p->config.shuffled, error);
        if (status != IL_OK)
            return status;
        if (i == 0 && ring.slots > 0) {
            struct il_ring_about about;
            il_ring_describe(w->ring, &about);
            if (about.kind == IL_RING_PREAD)
                ring.kind = IL_RING_PREAD;
            ring.log = NULL;
        }
    }
    return IL_OK;
}

enum il_status il_pipeline_open(struct il_pipeline **out,
                                const struct il_pipeline_config *config,
                                struct il_error *error)
{
    *out = NULL;
    if (il_pipeline_bytes(config) == 0)
        return il_fail(error, IL_EARG,
                       "scan by %u threads, %u buffers of %zu bytes each: wanted 1 to %u "
                       "threads, buffers of 1 to %zu bytes",
                       config->threads, config->slots, config->chunk_bytes, THREADS_MAX,
                       IL_SEGMENT_CHUNK_MAX);
    enum il_status status = IL_ENOMEM;
    struct il_pipeline *p = il_alloc_zero(1, sizeof(*p));
    if (p) {
        p->config = *config;
        p->worker = il_alloc_zero(config->threads, sizeof(*p->worker));
    }
    if (p && p->worker)
        status = open_workers(p, error);
    else
        il_fail(error, status, "no memory for a scan by %u threads", config->threads);
    if (status != IL_OK)
        il_pipeline_close(&p);
    *out = p;
    return status;
}

void il_pipeline_close(struct il_pipeline **pipeline)
{
    struct il_pipeline *p = *pipeline;
    *pipeline = NULL;
    if (!p)
        return;
    for (unsigned i = 0; p->worker && i < p->config.threads; i++) {
        il_ring_close(&p->worker[i].ring);
        il_segment_room_close(&p->worker[i].room);
    }
    il_free(p->worker);
    il_free(p);
}

void il_pipeline_describe(const struct il_pipeline *pipeline, struct il_ring_about *about)
{
    if (pipeline->worker[0].ring)
        il_ring_describe(pipeline->worker[0].ring, about);
    else
        *about = (struct il_ring_about){.kind = IL_RING_PREAD};
}

/* Remembers the failure of the lowest number. */
static void fail(struct run *run, size_t number, enum il_status status,
                 const struct il_error *error)
{
    pthread_mutex_lock(&run->mutex);
    if (number < run->failed) {
        run->failed = number;
        run->status = status;
        run->error = *error;
        atomic_store(&run->end, number);
    }
    pthread_mutex_unlock(&run->mutex);
}

/* The next number, or the total when there is none. */
static size_t claim(struct run *run)
{
    if (run->cancel && atomic_load(run->cancel) != 0) {
        static const struct il_error cancelled = {"cancelled"};
        /* Below every number, so that nothing is served any more either. */
        fail(run, 0, IL_ECANCEL, &cancelled);
    }
    if (atomic_load(&run->next) >= atomic_load(&run->end))
        return run->total;
    size_t number = atomic_fetch_add(&run->next, 1);
    return number < run->total ? number : run->total;
}

/* Part and chunk of a number below the total. */
static size_t find(const struct run *run, size_t number, size_t *chunk)
{
    size_t part = 0;
    for (;; part++) {
        size_t chunks = il_segment_info(run->parts[part].segment)->chunks;
        if (number < chunks)
            break;
        number -= chunks;
    }
    *chunk = number;
    return part;
}

/* Checks and unpacks a chunk that has been read, and gives it away. */
static void serve(struct run *run, struct worker *w, unsigned thread, size_t number,
                  const unsigned char *stored)
{
    struct il_error error;
    struct il_pipeline_chunk out = {0};
    if (number >= atomic_load(&run->end))
        return;
    out.part = find(run, number, &out.chunk);
    const struct il_segment *s = run->parts[out.part].segment;
    const struct il_segment_chunk c = il_segment_chunk(s, out.chunk);
    out.first = c.first;
    out.rows = c.rows;
    out.blocks = c.blocks;
    enum il_status status =
        il_segment_room_view(w->room, s, out.chunk, stored, &out.data, &error);
    if (status == IL_OK) {
        /* Blocks are multiples of 64 bytes. */
        if (il_codec_has_scale(il_segment_info(s)->codec))
            out.scale = (const float *)(const void *)(out.data + c.scale_at);
        status = run->fn(run->context, thread, &out, &error);
    }
    if (status != IL_OK)
        fail(run, number, status, &error);
}

/* Begins to read chunks until the ring is full or there are no more. Those that lie in
   memory are served at once. */
static void begin_reads(struct run *run, struct worker *w, unsigned thread)
{
    while (!w->ring || il_ring_room(w->ring) > 0) {
        size_t chunk = 0, number = claim(run);
        if (number == run->total)
            return;
        const struct il_pipeline_part *part = &run->parts[find(run, number, &chunk)];
        const struct il_segment_chunk c = il_segment_chunk(part->segment, chunk);
        if (!part->file) {
            serve(run, w, thread, number,
                  il_segment_bytes(part->segment)->memory + c.offset);
            continue;
        }
        struct il_error error;
        enum il_status status =
            il_ring_submit(w->ring, part->file, c.offset, c.bytes, number, &error);
        if (status != IL_OK)
            fail(run, number, status, &error);
    }
}

static void work(void *context, size_t task, unsigned thread)
{
    struct run *run = context;
    struct worker *w = &run->pipeline->worker[thread];
    (void)task;
    begin_reads(run, w, thread);
    while (w->ring && il_ring_under_way(w->ring) > 0) {
        struct il_error error;
        struct il_ring_block block;
        enum il_status status = il_ring_wait(w->ring, &block, &error);
        if (status == IL_OK)
            serve(run, w, thread, (size_t)block.tag, block.data);
        else
            fail(run, (size_t)block.tag, status, &error);
        il_ring_release(w->ring, &block);
        begin_reads(run, w, thread);
    }
}

static enum il_status check_parts(const struct il_pipeline *p,
                                  const struct il_pipeline_part *parts, size_t count,
                                  size_t *total, struct il_error *error)
{
    for (size_t i = 0; i < count; i++) {
        const struct il_segment_info *info = il_segment_info(parts[i].segment);
        const struct il_bytes *bytes = il_segment_bytes(parts[i].segment);
        if (info->raw_max > p->config.chunk_bytes)
            return il_fail(error, IL_EARG, "%s: chunks of %zu bytes, wanted at most %zu",
                           bytes->name, info->raw_max, p->config.chunk_bytes);
        if (il_codec_shuffled(info->codec) && !p->config.shuffled)
            return il_fail(error, IL_EARG, "%s: codec %s, the scan has no room for it",
                           bytes->name, il_codec_text(info->codec));
        if (parts[i].file ? !p->worker[0].ring : !bytes->memory)
            return il_fail(error, IL_EARG, "%s: %s", bytes->name,
                           parts[i].file ? "the scan has no room to read a file"
                                         : "neither in memory nor given a file");
        *total += info->chunks;
    }
    return IL_OK;
}

enum il_status il_pipeline_run(struct il_pipeline *pipeline, struct il_pool *pool,
                               const struct il_pipeline_part *parts, size_t count,
                               const atomic_int *cancel, il_pipeline_fn *fn,
                               void *context, struct il_error *error)
{
    struct run run = {.pipeline = pipeline,
                      .parts = parts,
                      .cancel = cancel,
                      .fn = fn,
                      .context = context,
                      .failed = SIZE_MAX,
                      .status = IL_OK};
    unsigned threads = pool ? il_pool_threads(pool) : 1;
    if (threads > pipeline->config.threads)
        return il_fail(error, IL_EARG, "scan by %u threads, opened for %u", threads,
                       pipeline->config.threads);
    enum il_status status = check_parts(pipeline, parts, count, &run.total, error);
    if (status != IL_OK)
        return status;
    if (pthread_mutex_init(&run.mutex, NULL) != 0)
        return il_fail(error, IL_ENOMEM, "no memory for the lock of a scan");
    atomic_init(&run.next, 0);
    atomic_init(&run.end, run.total);
    if (threads > 1)
        il_pool_run(pool, threads, work, &run);
    else
        work(&run, 0, 0);
    pthread_mutex_destroy(&run.mutex);
    if (run.status != IL_OK)
        return il_fail(error, run.status, "%s", run.error.text);
    return IL_OK;
}
