/* SPDX-License-Identifier: Apache-2.0 */
/* Sources: rows with their ids, read one after the other from files of other programs. */
#ifndef ISOLINK_SOURCE_H
#define ISOLINK_SOURCE_H

#include <stddef.h>
#include <stdint.h>

#include <isolink/matrix.h>
#include <isolink/status.h>

#ifdef __cplusplus
extern "C" {
#endif

/** What a source holds; IL_KIND_AUTO: the end of its name says it, or its first bytes. */
enum il_kind {
    IL_KIND_AUTO = 0,
    IL_KIND_NPY,
    IL_KIND_FVECS,
    IL_KIND_BVECS,
    IL_KIND_FBIN,
    IL_KIND_F16BIN,
    IL_KIND_U8BIN,
    IL_KIND_I8BIN,
    IL_KIND_JSONL,       /**< {"id": .., "vector": [..]} a line */
    IL_KIND_CSV,         /**< id, then the coordinates, or an array in quotes */
    IL_KIND_FAISS,       /**< IndexFlat, also below an IndexIDMap */
    IL_KIND_SAFETENSORS, /**< one 2-d tensor */
    IL_KIND_SQLITE_VEC /**< a vec0 table of sqlite-vec, read through its shadow tables */
};

/** How a source is read. Fill with il_source_config_init, then change what you want. */
struct il_source_config {
    size_t struct_bytes; /**< sizeof(struct il_source_config): set by init */
    enum il_kind kind;   /**< default IL_KIND_AUTO */
    const char *table;  /**< tensor or table of a file with several; NULL: the only one */
    const char *column; /**< vector column of a table; NULL: the only one */
};

/** Sets every field to its default. Any thread. */
IL_API void il_source_config_init(struct il_source_config *config);

/** "auto", "npy", "fvecs", ...: what stands after --format; IL_EARG for another name. Any
 * thread. */
IL_API IL_MUST_CHECK enum il_status il_kind_named(const char *name, enum il_kind *out,
                                                  struct il_error *error);

/** Rows of one file that are read in order. */
struct il_source;

/**
 * Opens a source. "-" is standard input; a name that ends in .zst is unpacked on the way,
 * and so is what begins as zstd does. What can only be read at its offsets (sqlite-vec,
 * the ids of a FAISS index) cannot come so: IL_EARG says it.
 *
 * Memory is O(one row + buffers) whatever the size of the file, and asked for only after
 * the header was compared with the size.
 * \param path    copied
 * \param config  NULL = defaults; its texts are copied
 * \return IL_OK; IL_EIO; IL_EFORMAT; IL_ELIMIT; IL_EARG; IL_ENOMEM. *out NULL on failure.
 * One thread per source.
 */
IL_API IL_MUST_CHECK enum il_status il_source_open(struct il_source **out,
                                                   const char *path,
                                                   const struct il_source_config *config,
                                                   struct il_error *error);
/** Closes and sets *source to NULL; accepts NULL in it. */
IL_API void il_source_close(struct il_source **source);

/** Coordinates of a row; known after open. */
IL_API size_t il_source_dim(const struct il_source *source);
/** Rows, or UINT64_MAX when only the end of the stream will tell. */
IL_API uint64_t il_source_rows(const struct il_source *source);
/** 1: rows have ids of their own; 0: il_source_next gives their numbers from 0, as text.
 */
IL_API int il_source_has_ids(const struct il_source *source);

/**
 * The next rows, at most `most`, as f32.
 * \param rows          most x dim floats; written
 * \param ids, id_bytes most each, both may be NULL; texts (any bytes but NUL, 1 to
 * IL_ID_BYTES_MAX of them, not zero-terminated) borrowed until the next call
 * \param count         receives the number; fewer than `most` at the end only, 0 after it
 * \return IL_OK; IL_EIO; IL_EFORMAT with file, line or byte, found and wanted; IL_ELIMIT;
 * IL_ENOMEM; IL_EARG. What failed once fails again, with the same text. Values are not
 * judged: NaN passes. That ids are unique is not checked.
 */
IL_API IL_MUST_CHECK enum il_status il_source_next(struct il_source *source, size_t most,
                                                   float *rows, const void **ids,
                                                   size_t *id_bytes, size_t *count,
                                                   struct il_error *error);

#ifdef __cplusplus
}
#endif
#endif
