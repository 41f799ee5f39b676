/* SPDX-License-Identifier: Apache-2.0 */
/* Sealed segments, the immutable files of a store: see formats/segment.md. */
#ifndef IL_SEGMENT_H
#define IL_SEGMENT_H

#include <isolink/store.h>

#include "src/io/bytes.h"

/** How the bytes of a chunk lie in the file. */
enum il_packing { IL_STORED = 0, IL_ZSTD = 1, IL_SHUFFLED_ZSTD = 2 };

/** Chunks begin at multiples of this, for O_DIRECT and mmap. */
#define IL_SEGMENT_ALIGN 4096u
/** Rows of a block; the same as IL_ROWS of the kernels. */
#define IL_SEGMENT_BLOCK 64u
/** A chunk holds at most this much when it is unpacked: one block of 65,536 f32. */
#define IL_SEGMENT_CHUNK_MAX ((size_t)1 << 24)
/** A row that is not there. */
#define IL_SEGMENT_NONE UINT64_MAX

/** Bytes of a block of 64 rows, without their scales; 0 for an unknown codec. Any thread.
 */
size_t il_codec_block_bytes(enum il_codec codec, size_t dim);

/** 1: each row has a scale, which stands behind the blocks of its chunk. Any thread. */
int il_codec_has_scale(enum il_codec codec);

/**
 * One row of a block, as f32: the stored value, widened exactly, times the scale; b1
 * gives 1 and -1.
 * \param block  il_codec_block_bytes bytes, any alignment; borrowed for the call
 * \param scale  of this row; ignored by codecs without one
 * \param out    dim floats; written
 * Any thread.
 */
void il_codec_row(enum il_codec codec, size_t dim, const void *block, size_t row,
                  float scale, float *out);

/** Receives the file, piece by piece, in order; anything but IL_OK ends the writing. */
typedef enum il_status il_segment_write_fn(void *context, const void *data, size_t bytes,
                                           struct il_error *error);

/** Passes on to the struct il_writer in context. */
enum il_status il_segment_write_file(void *context, const void *data, size_t bytes,
                                     struct il_error *error);

struct il_pool;

/** What a segment is to be. Fill with il_segment_config_init, then set what is needed. */
struct il_segment_config {
    const char *name;    /**< for messages; borrowed until close; default "segment" */
    enum il_codec codec; /**< default IL_CODEC_F32 */
    size_t dim;          /**< coordinates that are stored, 1..IL_DIM_MAX; no default */
    size_t source_dim;   /**< with a basis: length of the rows pushed, dim..IL_DIM_MAX */
    const float *mean;   /**< with a basis: source_dim values */
    const float *basis;  /**< NULL (default), or dim x source_dim: basis (x - mean) is
                            stored for x */
    size_t chunk_bytes;  /**< 1..IL_SEGMENT_CHUNK_MAX; as many blocks as fit, at least
                            one; default 1 MiB */
    int level;           /**< of zstd, 1..19; 0 = store all chunks; default 1 */
    size_t rows_max;     /**< 1..IL_ROWS_MAX; no default */
    size_t id_bytes_max; /**< of all ids together; 0 (default) = 64 a row */
    unsigned char uuid[16];  /**< default 0 */
    unsigned char model[32]; /**< fingerprint of the model; default 0 */
    il_segment_write_fn *write;
    void *context;
    struct il_pool *pool; /**< packs as many chunks at once as it has threads; borrowed
                             until close, used by push and finish. The bytes written are
                             the same. Default NULL: the caller packs */
};

/** Sets the defaults. */
void il_segment_config_init(struct il_segment_config *config);

/** A segment being written. */
struct il_segment_writer;

/**
 * Begins a segment and writes its header.
 *
 * All memory is taken here: up to three chunks for each thread of the pool, two blocks,
 * and for each of rows_max rows 12 bytes and 11 to 22 of the index of ids, besides
 * id_bytes_max; zstd's own comes on top. \param c  copied with mean and basis; name and
 * context are borrowed until close \return IL_OK; IL_EARG when the config is out of
 * range; IL_ENOMEM; what write returns. On failure *out is NULL. One thread per writer.
 */
IL_MUST_CHECK enum il_status il_segment_writer_open(struct il_segment_writer **out,
                                                    const struct il_segment_config *c,
                                                    struct il_error *error);

/**
 * Appends a row.
 *
 * \param id   1 to IL_ID_BYTES_MAX bytes, any; copied
 * \param row  dim floats, source_dim with a basis; copied
 * \return IL_OK; IL_EARG for a bad or repeated id, a coordinate that is not finite or too
 * large for the codec; IL_ELIMIT past rows_max or id_bytes_max: the row is then left out
 * and others may follow. IL_ENOMEM (zstd's) and what write returns: nothing may follow.
 * Cost O(source_dim), O(dim source_dim) with a basis; a block or a chunk now and then.
 */
IL_MUST_CHECK enum il_status il_segment_push(struct il_segment_writer *writer,
                                             const void *id, size_t id_bytes,
                                             const float *row, struct il_error *error);

/**
 * Appends a row as it is stored in another segment of the same codec and dim, bit for
 * bit: for merging segments. A writer takes rows by il_segment_push or by this, not by
 * both.
 *
 * \param block  il_codec_block_bytes bytes that hold the row; borrowed for the call
 * \param row    its place there, 0..63
 * \param scale  of the row; ignored by codecs without one
 * \param norm   il_segment_norm of the row
 * \return as il_segment_push; IL_EARG after il_segment_push. Cost O(dim)
 */
IL_MUST_CHECK enum il_status il_segment_push_stored(struct il_segment_writer *writer,
                                                    const void *id, size_t id_bytes,
                                                    const void *block, size_t row,
                                                    float scale, float norm,
                                                    struct il_error *error);

/** Row of an id that was pushed, or IL_SEGMENT_NONE. */
uint64_t il_segment_writer_find(const struct il_segment_writer *writer, const void *id,
                                size_t bytes);
/** Rows pushed. */
size_t il_segment_writer_rows(const struct il_segment_writer *writer);

/**
 * Writes the last chunk, the tables and the footer. Only close may follow. Does not sync:
 * that is the business of whoever gave write.
 * \return IL_OK; IL_ENOMEM; what write returns; after a failed push its status
 */
IL_MUST_CHECK enum il_status il_segment_finish(struct il_segment_writer *writer,
                                               struct il_error *error);

/** Frees the writer and sets it to NULL; accepts NULL in *writer. */
void il_segment_writer_close(struct il_segment_writer **writer);

/** What header and footer say. */
struct il_segment_info {
    enum il_codec codec;
    size_t dim;
    size_t source_dim; /**< 0: no basis */
    size_t rows;
    size_t chunks;
    size_t chunk_rows; /**< of every chunk but the last */
    size_t raw_max;    /**< bytes of the largest chunk when it is unpacked */
    unsigned char uuid[16];
    unsigned char model[32];
};

/** One chunk: rows [first, first + rows), the last block filled up with zeros. */
struct il_segment_chunk {
    size_t first, rows;
    size_t blocks;
    size_t raw_bytes; /**< unpacked: the blocks, then one f32 scale for each of their rows
                         when the codec has scales */
    size_t scale_at;  /**< where those begin; raw_bytes without */
    uint64_t offset;  /**< in the file, a multiple of IL_SEGMENT_ALIGN */
    size_t bytes;     /**< in the file */
    enum il_packing packing;
    uint64_t hash; /**< XXH3-64 of the bytes in the file */
};

/** An open segment. */
struct il_segment;

/**
 * Checks header, footer and tables against each other and against the size of the file,
 * then keeps the tables: from memory they are borrowed, from a file they are read.
 * Nothing is allocated before the sizes are known to be those of the file. Chunks are
 * checked when they are read.
 *
 * \param bytes  copied; what it points to is borrowed until close
 * \return IL_OK; IL_EFORMAT: no segment; IL_ECORRUPT: damaged; IL_EVERSION: of a newer
 * isolink; IL_EIO; IL_ENOMEM. On failure *out is NULL. Any number of threads may use an
 * open segment.
 * Cost O(bytes of the tables), some 40 a row.
 */
IL_MUST_CHECK enum il_status il_segment_open(struct il_segment **out,
                                             const struct il_bytes *bytes,
                                             struct il_error *error);

/** Frees the segment and sets it to NULL; accepts NULL in *segment. */
void il_segment_close(struct il_segment **segment);

/** Borrowed until close. */
const struct il_segment_info *il_segment_info(const struct il_segment *segment);

/** Chunk i < info.chunks. */
struct il_segment_chunk il_segment_chunk(const struct il_segment *segment, size_t i);

/** Row of an id, or IL_SEGMENT_NONE. Touches the tables alone. */
uint64_t il_segment_find(const struct il_segment *segment, const void *id, size_t bytes);

/** Id of a row < info.rows, not zero-terminated; borrowed until close. */
const void *il_segment_id(const struct il_segment *segment, size_t row, size_t *bytes);

/** Length of a row < info.rows as it was pushed, before a basis and the codec. */
float il_segment_norm(const struct il_segment *segment, size_t row);

/** Checksum of the footer, which covers all others: two segments with the same one are
 * the same file. */
uint64_t il_segment_seal(const struct il_segment *segment);

/** Checksum of mean and basis; that of no bytes where there are none. */
uint64_t il_segment_basis_sum(const struct il_segment *segment);

/** Copies mean (source_dim) and basis (dim x source_dim) where there are some. */
void il_segment_basis(const struct il_segment *segment, float *mean, float *basis);

/** Where it lies; borrowed until close. */
const struct il_bytes *il_segment_bytes(const struct il_segment *segment);

/** 1: packed chunks of a codec are unpacked through a second buffer. Any thread. */
int il_codec_shuffled(enum il_codec codec);

/** Memory of zstd for unpacking, at most. */
#define IL_SEGMENT_ZSTD_BYTES ((size_t)160 << 10)

/** Room of one thread to unpack chunks of any segments. */
struct il_segment_room;

/** Memory of such a room, which allocates nothing after it is open. */
size_t il_segment_room_bytes(size_t most, int shuffled);

/**
 * \param most      largest il_segment_info.raw_max, up to IL_SEGMENT_CHUNK_MAX
 * \param shuffled  1: for codecs that are il_codec_shuffled too
 * \return IL_OK; IL_ENOMEM
 */
IL_MUST_CHECK enum il_status il_segment_room_open(struct il_segment_room **out,
                                                  size_t most, int shuffled,
                                                  struct il_error *error);
/** Frees the room and sets it to NULL; accepts NULL in *room. */
void il_segment_room_close(struct il_segment_room **room);

/**
 * Unpacks chunk i of any segment from bytes that the caller has read (chunk.bytes of them
 * from chunk.offset); stored chunks are not copied.
 * \param out  receives where its chunk.raw_bytes are, aligned to 8: in stored, or in the
 * room until the next call
 * \return as il_segment_unpack. One thread per room.
 */
IL_MUST_CHECK enum il_status il_segment_room_view(struct il_segment_room *room,
                                                  const struct il_segment *segment,
                                                  size_t i, const void *stored,
                                                  const unsigned char **out,
                                                  struct il_error *error);

/** What one thread needs to read chunks and rows. */
struct il_segment_decoder;

/** \return IL_OK; IL_ENOMEM. Takes up to four chunks of memory, and zstd's own. */
IL_MUST_CHECK enum il_status il_segment_decoder_open(struct il_segment_decoder **out,
                                                     const struct il_segment *segment,
                                                     struct il_error *error);
/** Frees the decoder and sets it to NULL; accepts NULL in *decoder. */
void il_segment_decoder_close(struct il_segment_decoder **decoder);

/**
 * Unpacks chunk i from bytes that the caller has read (chunk.bytes of them from
 * chunk.offset), for scans that do their own reading.
 * \param out  chunk.raw_bytes; written, undefined on failure; aligned to 8 when kernels
 * are to read it; may not overlap stored
 * \return IL_OK; IL_ECORRUPT when the checksum or what zstd gives is wrong; IL_ENOMEM
 */
IL_MUST_CHECK enum il_status il_segment_unpack(const struct il_segment_decoder *decoder,
                                               size_t i, const void *stored, void *out,
                                               struct il_error *error);

/** Reads and unpacks chunk i. Returns as il_segment_unpack does, or IL_EIO. */
IL_MUST_CHECK enum il_status il_segment_read(const struct il_segment_decoder *decoder,
                                             size_t i, void *out, struct il_error *error);

/**
 * One row as f32, as il_codec_row. The decoder keeps the chunk it read last, so that rows
 * of one chunk cost one read.
 * \param out  dim floats; written
 * \return IL_OK; IL_EARG when there is no such row; as il_segment_read
 */
IL_MUST_CHECK enum il_status il_segment_row(struct il_segment_decoder *decoder,
                                            uint64_t row, float *out,
                                            struct il_error *error);

/**
 * Reads every byte: all chunks are sound, what lies between them is zero, every id is
 * found under its own row and no other.
 * \return IL_OK; IL_ECORRUPT with the first fault; IL_EIO; IL_ENOMEM
 */
IL_MUST_CHECK enum il_status il_segment_verify(const struct il_segment *segment,
                                               struct il_error *error);

/** One chunk of il_segment_verify, and what lies behind it up to the next. */
IL_MUST_CHECK enum il_status il_segment_verify_chunk(struct il_segment_decoder *decoder,
                                                     size_t i, struct il_error *error);
/** The rest of il_segment_verify: the ids. */
IL_MUST_CHECK enum il_status il_segment_verify_ids(const struct il_segment *segment,
                                                   struct il_error *error);

/** Rows as they would be read back from a segment, without writing one. */
struct il_segment_image;

/**
 * \param mean, basis  as in struct il_segment_config; borrowed until close
 * \param source_dim   length of the rows; = dim without a basis
 * \return IL_OK; IL_ENOMEM. One thread per image.
 */
IL_MUST_CHECK enum il_status il_segment_image_open(struct il_segment_image **out,
                                                   enum il_codec codec, size_t dim,
                                                   size_t source_dim, const float *mean,
                                                   const float *basis,
                                                   struct il_error *error);
/** Frees the image and sets it to NULL; accepts NULL in *image. */
void il_segment_image_close(struct il_segment_image **image);

/**
 * \param rows   1..IL_SEGMENT_BLOCK of source_dim floats, one after the other
 * \param out    rows of dim floats: what il_segment_row would give; NULL: only check
 * \return IL_OK; IL_EARG when il_segment_push would refuse a row: names it by its number
 */
IL_MUST_CHECK enum il_status il_segment_image_rows(struct il_segment_image *image,
                                                   const float *rows, size_t count,
                                                   float *out, struct il_error *error);

#endif
