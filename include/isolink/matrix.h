/* SPDX-License-Identifier: Apache-2.0 */
/* Vectors as they lie in memory and in files: borrowed rows, owned vectors, document ids.
 */
#ifndef ISOLINK_MATRIX_H
#define ISOLINK_MATRIX_H

#include <stddef.h>
#include <stdint.h>

#include <isolink/status.h>

#ifdef __cplusplus
extern "C" {
#endif

/** How one coordinate is stored. */
enum il_dtype { IL_F32 = 0, IL_F16 = 1, IL_F64 = 2, IL_I8 = 3, IL_U8 = 4 };

/** Largest dimension of a row, and the largest number of rows of one side. */
#define IL_DIM_MAX 65536u
#define IL_ROWS_MAX 0x7fffffffu

/** Borrowed rows: row i starts at (const char *)data + i * stride_bytes and holds dim
 * coordinates. */
struct il_matrix {
    enum il_dtype type;
    size_t rows;
    size_t dim;
    size_t stride_bytes;
    const void *data;
};

/** Bytes of one coordinate of this type; 0 for an unknown type. Any thread. */
IL_API size_t il_dtype_bytes(enum il_dtype type);

/** Name of a type as in "f32"; "?" for an unknown one. Any thread. */
IL_API const char *il_dtype_text(enum il_dtype type);

/**
 * Copies rows [first, first + count) of a matrix to f32, row-major, stride ld elements.
 *
 * Exact for f16, i8 and u8; f64 is rounded to nearest even.
 * \param out  count x m->dim floats, stride ld >= m->dim elements; written; caller's
 * Cost O(count dim), no allocation. Any thread.
 */
IL_API void il_matrix_to_f32(const struct il_matrix *m, size_t first, size_t count,
                             float *out, size_t ld);

/** Vectors of one side, read from a file and owned by this handle. */
struct il_vectors;

/**
 * Reads a vector file whole, of any kind that il_source_open reads (source.h).
 *
 * .npy, .fvecs, .bvecs, .fbin, .f16bin, .u8bin and .i8bin files keep the type that they
 * have; other kinds, what is packed and what comes through a pipe become f32. Headers
 * are checked against the size of the file before anything is allocated; where the size
 * is not known the memory grows with the rows that come. \param out    receives the
 * handle; NULL on failure; freed by il_vectors_close \param path   file name; "-":
 * standard input; copied \param error  receives the reason on failure: file, byte or
 * line, found, wanted \return IL_OK; IL_EIO; IL_EFORMAT; IL_ELIMIT past IL_DIM_MAX or
 * IL_ROWS_MAX; IL_EARG; IL_ENOMEM Cost one read of the file, one allocation of its data
 * (twice while it grows). One thread per handle.
 */
IL_API IL_MUST_CHECK enum il_status
il_vectors_load(struct il_vectors **out, const char *path, struct il_error *error);

/** The rows; borrowed until il_vectors_close. Any thread. */
IL_API struct il_matrix il_vectors_rows(const struct il_vectors *vectors);

/** Frees the handle and sets it to NULL; accepts NULL in *vectors. */
IL_API void il_vectors_close(struct il_vectors **vectors);

/** Document ids of one side: id i belongs to row i. Byte strings of 1 to 1,024 bytes,
 * unique. */
struct il_ids;

#define IL_ID_BYTES_MAX 1024u

/**
 * Reads ids, one a line (LF or CRLF; the last line may lack its end; an UTF-8 BOM is
 * skipped).
 *
 * \param rows  number of ids wanted; another number is IL_EFORMAT
 * \return IL_OK; IL_EIO; IL_EFORMAT for an empty, overlong or repeated id (both lines are
 * named), a NUL byte or another number of lines; IL_ENOMEM Cost O(bytes). One thread per
 * handle.
 */
IL_API IL_MUST_CHECK enum il_status il_ids_load(struct il_ids **out, const char *path,
                                                size_t rows, struct il_error *error);

/** Ids "0" .. "rows - 1". \return IL_OK or IL_ENOMEM. */
IL_API IL_MUST_CHECK enum il_status il_ids_number(struct il_ids **out, size_t rows);

/** Number of ids. Any thread. */
IL_API size_t il_ids_count(const struct il_ids *ids);

/** The ids that came with the rows, or NULL when the file had none; borrowed until
 * il_vectors_close. Any thread. */
IL_API const struct il_ids *il_vectors_ids(const struct il_vectors *vectors);

/** Id of a row, zero-terminated; borrowed until il_ids_close. row < il_ids_count(). Any
 * thread. */
IL_API const char *il_ids_text(const struct il_ids *ids, size_t row);

/** Row of an id, or SIZE_MAX when there is none. Expected O(length). Any thread. */
IL_API size_t il_ids_find(const struct il_ids *ids, const char *text, size_t text_bytes);

/** Frees the handle and sets it to NULL; accepts NULL in *ids. */
IL_API void il_ids_close(struct il_ids **ids);

#ifdef __cplusplus
}
#endif
#endif
