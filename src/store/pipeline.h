/* SPDX-License-Identifier: Apache-2.0 */
/* Scans of sealed segments: chunks are read ahead, checked, unpacked and given to a
   function, on as many threads as a pool has, in memory that is fixed beforehand. */
#ifndef IL_PIPELINE_H
#define IL_PIPELINE_H

#include <stdatomic.h>

#include "formats/segment.h"
#include "src/base/base.h"
#include "src/io/ring.h"

/** What a pipeline is made for. Fill with il_pipeline_config_init, then set threads and
    chunk_bytes. */
struct il_pipeline_config {
    enum il_ring_kind kind; /**< default IL_RING_AUTO */
    int cached; /**< 1: through the page cache, by pread, whatever the kind: for files
                   that are likely to be there; default 0 */
    unsigned threads; /**< 1..256, those of the pool at most; default 1 */
    unsigned slots;   /**< buffers of each thread: one that it works on, the others being
                         read, 1..1024; default 4. 0: all segments lie in memory */
    size_t chunk_bytes; /**< largest il_segment_info.raw_max, 1..IL_SEGMENT_CHUNK_MAX */
    int shuffled; /**< 1 (default): segments may be of a codec that is il_codec_shuffled
                   */
    /** Is told, in one line without its end, what is slower than it could be; or NULL.
        Any of the threads. */
    void (*log)(void *context, const char *text);
    void *log_context; /**< borrowed until close */
};

void il_pipeline_config_init(struct il_pipeline_config *config);

/** Memory of a pipeline, which allocates nothing after it is open; the few pages that
    io_uring shares with us come on top. 0 when the config is not valid. */
size_t il_pipeline_bytes(const struct il_pipeline_config *config);

struct il_pipeline;

/** \return IL_OK; IL_EARG; IL_ENOMEM; IL_EIO when the kind is uring and cannot be had */
IL_MUST_CHECK enum il_status il_pipeline_open(struct il_pipeline **out,
                                              const struct il_pipeline_config *config,
                                              struct il_error *error);
/** Frees the pipeline and sets it to NULL; accepts NULL in *pipeline. */
void il_pipeline_close(struct il_pipeline **pipeline);

/** A segment to be scanned. */
struct il_pipeline_part {
    const struct il_segment *segment; /**< borrowed for the run */
    /** The file that holds it; borrowed for the run. NULL: the segment lies in memory (a
        mapped file, say), where its chunks are read with no copy. */
    const struct il_ring_file *file;
};

/** An unpacked chunk: rows [first, first + rows) of its segment. */
struct il_pipeline_chunk {
    size_t part;  /**< which of the parts, */
    size_t chunk; /**< and which chunk of it */
    size_t first, rows;
    size_t blocks;             /**< of 64 rows, the last one filled up with zeros */
    const unsigned char *data; /**< the blocks, aligned to 8; borrowed for the call */
    const float *scale;        /**< of each row of the blocks; NULL for codecs without */
};

/**
 * Takes a chunk. May be called on all threads at once, in any order of the chunks, each
 * of them once: whatever must not depend on threads is kept by chunk or by row.
 * \param thread  0..threads - 1: calls of one number do not overlap
 * \return anything but IL_OK, with a text in error, ends the run
 */
typedef enum il_status il_pipeline_fn(void *context, unsigned thread,
                                      const struct il_pipeline_chunk *chunk,
                                      struct il_error *error);

/**
 * Gives every chunk of every part to fn.
 *
 * There is no thread that only reads: each worker has a ring of its own, begins reads
 * when it has room for them, and works on what has arrived. So it reads no faster than
 * it works, and whoever is faster does more.
 * \param pool    of at most config.threads threads; the caller is one of them. NULL: the
 * caller alone
 * \param cancel  may be NULL; when it is not zero the run ends soon with IL_ECANCEL
 * \return IL_OK; of all failures that of the first chunk in the order of parts and
 * chunks, whatever the number of threads: IL_EIO, IL_ECORRUPT (both name the file, the
 * offset and what is wrong), IL_ENOMEM (zstd's), what fn returned; IL_ECANCEL; IL_EARG
 * when the pool or a segment is larger than the config said, or a segment neither in
 * memory nor given a file
 */
IL_MUST_CHECK enum il_status il_pipeline_run(struct il_pipeline *pipeline,
                                             struct il_pool *pool,
                                             const struct il_pipeline_part *parts,
                                             size_t count, const atomic_int *cancel,
                                             il_pipeline_fn *fn, void *context,
                                             struct il_error *error);

/** For reports: how the first thread reads. kind is pread with slots 0 when everything is
    in memory. */
void il_pipeline_describe(const struct il_pipeline *pipeline,
                          struct il_ring_about *about);

#endif
