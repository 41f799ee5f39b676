/* SPDX-License-Identifier: Apache-2.0 */
/* Stores: vectors of one model with their document ids, small on disk, never whole in
 * memory, always consistent. One writer, any number of readers. */
#ifndef ISOLINK_STORE_H
#define ISOLINK_STORE_H

#include <stddef.h>
#include <stdint.h>

#include <isolink/matrix.h>
#include <isolink/status.h>

#ifdef __cplusplus
extern "C" {
#endif

/** How a coordinate is stored; the numbers stand in files. */
enum il_codec {
    IL_CODEC_F32 = 1,
    IL_CODEC_F16 = 2,
    IL_CODEC_I8 = 3,   /**< times a scale per row */
    IL_CODEC_E4M3 = 4, /**< OCP e4m3fn, times a scale per row, a power of two */
    IL_CODEC_B1 = 5    /**< 1: above zero */
};

/** Name of a codec as in "f32"; "?" for an unknown one. Any thread. */
IL_API const char *il_codec_text(enum il_codec codec);

/** "f32", "f16", "i8", "fp8" (also "e4m3") or "b1"; IL_EARG for another name. */
IL_API IL_MUST_CHECK enum il_status il_codec_named(const char *name, enum il_codec *out,
                                                   struct il_error *error);

/** When a commit is durable. */
enum il_sync {
    IL_SYNC_ALWAYS = 0,   /**< before commit returns; concurrent commits share one sync */
    IL_SYNC_INTERVAL = 1, /**< at most sync_ms later */
    IL_SYNC_OS = 2        /**< when the operating system likes: survives kill -9 only */
};

/** Who reads files, and how: the I/O backend. */
enum il_io { IL_IO_AUTO = 0, IL_IO_URING = 1, IL_IO_PREAD = 2 };

/** How a store is opened. Fill with il_store_config_init, then change what you want. */
struct il_store_config {
    size_t struct_bytes; /**< sizeof(struct il_store_config): set by init */
    int write;           /**< 1: as the one writer; default 0 */
    int create;          /**< 1: create it where there is none (with write); default 0 */
    /* Of a new store; when it exists already, dim (if not 0) and model (if not NULL) must
       be equal: IL_EARG names both. */
    size_t dim;           /**< coordinates of a row */
    enum il_codec codec;  /**< default IL_CODEC_I8; of new segments */
    size_t stored_dim;    /**< 0 (default): no basis, else 1..dim */
    const float *mean;    /**< with a basis: dim values; copied */
    const float *basis;   /**< with a basis: stored_dim x dim, orthonormal rows; copied */
    const char *model;    /**< name of the model, up to 255 bytes; NULL: "" */
    int level;            /**< of zstd, 0..19; default 1 */
    enum il_sync sync;    /**< default IL_SYNC_ALWAYS */
    unsigned sync_ms;     /**< default 100 */
    size_t log_bytes_max; /**< the log is sealed into a segment beyond this; default 64
                             MiB */
    size_t segment_rows;  /**< most rows of a segment; default 262,144 */
    enum il_io io;        /**< for scans */
    int replace; /**< bulk import: 1: an id that comes again replaces its earlier row;
                    default 0: it is refused */
    /** Is told, one line without its end, what is worth a warning (a torn tail that was
       cut, io_uring that is not to be had); may be NULL. Any of the store's threads. */
    void (*log)(void *context, const char *text);
    void *log_context;
};

IL_API void il_store_config_init(struct il_store_config *config);

struct il_store;

/**
 * Opens a store directory.
 *
 * A writer takes the lock (IL_ELOCKED when another has it, named by its process number),
 * recovers: cuts a torn tail of the log, removes leftovers of writers that were killed.
 * A reader changes nothing and sees one state, that of the last commit before the open,
 * for as long as it is open, whatever a writer does meanwhile.
 * \return IL_OK; IL_EIO; IL_EFORMAT: no store; IL_ECORRUPT: names file, offset, what is
 * lost; IL_EVERSION; IL_ELOCKED; IL_EARG; IL_ENOMEM. On failure *out is NULL
 */
IL_API IL_MUST_CHECK enum il_status il_store_open(struct il_store **out, const char *path,
                                                  const struct il_store_config *config,
                                                  struct il_error *error);

/**
 * Closes; what was not committed is gone. Sets *store to NULL, accepts NULL in it.
 */
IL_API void il_store_close(struct il_store **store);

/** What a store is. */
struct il_store_info {
    const char *path;              /**< borrowed until close, as all texts */
    const char *model;             /**< name */
    unsigned char fingerprint[32]; /**< of the model's name, 0 without one */
    uint64_t generation;           /**< of the manifest */
    enum il_codec codec;
    size_t dim;        /**< of rows as they were given */
    size_t stored_dim; /**< = dim without a basis */
    uint64_t rows;     /**< live: committed, not deleted, not replaced */
    uint64_t deleted;  /**< rows in segments that compact would drop */
    uint64_t log_rows; /**< of the live rows, those still in the log */
    size_t segments;
    uint64_t bytes; /**< on disk, all files */
};
IL_API void il_store_describe(const struct il_store *store, struct il_store_info *out);

/**
 * Adds a row, or replaces the one of the same id (upsert). Visible to il_store_get of
 * this handle at once, durable and visible to others after il_store_commit.
 *
 * \param id   1..IL_ID_BYTES_MAX bytes; copied
 * \param row  info.dim finite floats (that the codec can hold); copied
 * \return IL_OK; IL_EARG; IL_EIO (the writer is then poisoned: every later call returns
 * the same, the last commit stands); IL_ENOMEM
 * Several threads may put, remove and commit on one handle. Cost: a look-up in each
 * segment, until the id is found: O(segments), fewer after il_store_compact.
 */
IL_API IL_MUST_CHECK enum il_status il_store_put(struct il_store *store, const void *id,
                                                 size_t id_bytes, const float *row,
                                                 struct il_error *error);

/** Deletes by id; *found (may be NULL) = whether there was one. Returns as il_store_put.
 */
IL_API IL_MUST_CHECK enum il_status il_store_remove(struct il_store *store,
                                                    const void *id, size_t id_bytes,
                                                    int *found, struct il_error *error);

/** Makes everything that was put or removed before durable, as config.sync says: what
 * this thread did, and what other threads did on the handle up to the call. Concurrent
 * commits of several threads share a sync. */
IL_API IL_MUST_CHECK enum il_status il_store_commit(struct il_store *store,
                                                    struct il_error *error);

/**
 * Bulk import: rows go to new segments directly, past the log, and become visible, all or
 * none, with il_store_bulk_end. Ids replace those of the store; an id that is repeated
 * within the bulk is IL_EARG unless config.replace (then the last row stands; each repeat
 * may end a segment early). Nothing else may be written meanwhile: IL_EARG. Abort, close
 * or a crash leave nothing behind.
 */
IL_API IL_MUST_CHECK enum il_status il_store_bulk_begin(struct il_store *store,
                                                        struct il_error *error);
IL_API IL_MUST_CHECK enum il_status il_store_bulk_put(struct il_store *store,
                                                      const void *id, size_t id_bytes,
                                                      const float *row,
                                                      struct il_error *error);
IL_API IL_MUST_CHECK enum il_status il_store_bulk_end(struct il_store *store,
                                                      struct il_error *error);
IL_API void il_store_bulk_abort(struct il_store *store);

/** Bytes that a bulk import into this store touches for every block of rows, and what it
 * keeps of each row of before; for il_memory_least. Any thread. */
IL_API uint64_t il_store_bulk_bytes(struct il_store *store);

/** 1: the store can hold this row of info.dim values: all are finite, and what is stored
 * of them is not too large for the codec. Any thread. */
IL_API int il_store_holds(struct il_store *store, const float *row);

/** Moves the committed rows of the log into a new segment. */
IL_API IL_MUST_CHECK enum il_status il_store_seal(struct il_store *store,
                                                  struct il_error *error);

/** Writes all live rows into as few segments as may be and drops the old ones; the stored
 * values stay bit for bit. Readers that are open keep theirs. */
IL_API IL_MUST_CHECK enum il_status il_store_compact(struct il_store *store,
                                                     struct il_error *error);

/**
 * Row of an id, of info.dim floats: the stored value, brought back through the basis.
 * \return IL_OK; IL_EARG when there is none (*found 0); IL_ECORRUPT; IL_EIO
 * Cost: look-ups in the mapped tables of the segments, the newest first, until the id is
 * found, so O(segments); and one chunk, in one read where it is not in memory.
 */
IL_API IL_MUST_CHECK enum il_status il_store_get(struct il_store *store, const void *id,
                                                 size_t id_bytes, float *out, int *found,
                                                 struct il_error *error);

/** All live rows, in an order that depends on the store's state alone: segments, then the
 * log. */
struct il_store_cursor;
IL_API IL_MUST_CHECK enum il_status il_store_cursor_open(struct il_store_cursor **out,
                                                         struct il_store *store,
                                                         struct il_error *error);
/**
 * The next rows, at most `most`; there may be fewer before the end, as where the segments
 * end and the log begins.
 * \param stored  1: info.stored_dim coordinates as they are stored; 0: info.dim, brought
 * back through the basis
 * \param rows    most x dim (or stored_dim) floats; written
 * \param ids, id_bytes  most each, may be NULL; the texts are borrowed until the next
 * call \param count   receives the number; 0 at the end \return IL_OK; IL_ECORRUPT;
 * IL_EIO; IL_ENOMEM
 */
IL_API IL_MUST_CHECK enum il_status il_store_cursor_next(struct il_store_cursor *cursor,
                                                         int stored, size_t most,
                                                         float *rows, const void **ids,
                                                         size_t *id_bytes, size_t *count,
                                                         struct il_error *error);
IL_API void il_store_cursor_close(struct il_store_cursor **cursor);

/** What il_store_verify found in one file. */
struct il_store_fault {
    const char *file;   /**< borrowed for the call */
    const char *text;   /**< file, offset, found, wanted */
    uint64_t rows_lost; /**< rows that cannot be read any more; UINT64_MAX: unknown */
};
typedef void il_store_fault_fn(void *context, const struct il_store_fault *fault);

/**
 * Reads every byte of a store directory, also of one that cannot be opened any more, and
 * reports every fault.
 * \return IL_OK: sound; IL_ECORRUPT: at least one fault; IL_EFORMAT: no store; IL_EIO
 */
IL_API IL_MUST_CHECK enum il_status il_store_verify(const char *path,
                                                    il_store_fault_fn *fault,
                                                    void *context,
                                                    struct il_error *error);

/** 1: the path is a directory that holds a store's manifest. */
IL_API int il_store_exists(const char *path);

#ifdef __cplusplus
}
#endif
#endif
