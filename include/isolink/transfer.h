/* SPDX-License-Identifier: Apache-2.0 */
/* Between stores, files and memory: what import, export and link are made of. */
#ifndef ISOLINK_TRANSFER_H
#define ISOLINK_TRANSFER_H

#include <stddef.h>
#include <stdint.h>

#include <isolink/matrix.h>
#include <isolink/source.h>
#include <isolink/status.h>
#include <isolink/store.h>

#ifdef __cplusplus
extern "C" {
#endif

/**
 * Reads one side whole, for il_link_run: a store, or a file as il_vectors_load does.
 *
 * Of a store come the live rows as their stored coordinates, and their ids: a basis is
 * linear, so links do not need the way back.
 * \param out   receives the handle; il_vectors_rows and il_vectors_ids give what it holds
 * \param path  "-" is standard input
 * \param io    how a store is read
 * \return IL_OK; what il_store_open and il_vectors_load return; IL_EFORMAT also for an id
 * that holds a NUL byte, which no list of pairs can name. *out NULL on failure. One
 * thread
 */
IL_API IL_MUST_CHECK enum il_status il_side_load(struct il_vectors **out,
                                                 const char *path, enum il_io io,
                                                 struct il_error *error);

/** The same, but rows of a store come with all coordinates, brought back through the
 * basis where it has one: for what is done in the space of the model itself. */
IL_API IL_MUST_CHECK enum il_status il_side_load_whole(struct il_vectors **out,
                                                       const char *path, enum il_io io,
                                                       struct il_error *error);

/** What the rows of a side were stored as: an enum il_codec, or 0 when they came from a
 * file. Any thread. */
IL_API int il_side_codec(const struct il_vectors *side);

/** A list of ids, one a line, that is read in order. */
struct il_id_list;

/**
 * Opens a list of ids: LF or CRLF, the last line may lack its end, an UTF-8 BOM is
 * skipped; "-" and .zst as in il_source_open. Memory is O(one id). \param path copied
 * \return IL_OK; IL_EIO; IL_EFORMAT; IL_ENOMEM. *out NULL on failure. One thread per
 * list.
 */
IL_API IL_MUST_CHECK enum il_status
il_id_list_open(struct il_id_list **out, const char *path, struct il_error *error);
/**
 * The next id. \param id receives 1 to IL_ID_BYTES_MAX bytes, none of them NUL, borrowed
 * until the next call; NULL at the end
 * \return IL_OK; IL_EFORMAT for an empty line, an overlong id or a NUL byte (line named);
 * IL_EIO; IL_ENOMEM. That ids are unique is not checked.
 */
IL_API IL_MUST_CHECK enum il_status il_id_list_next(struct il_id_list *list,
                                                    const void **id, size_t *id_bytes,
                                                    struct il_error *error);
/** Closes and sets *list to NULL; accepts NULL in it. */
IL_API void il_id_list_close(struct il_id_list **list);

/** Where rows are written to, and how. Fill with il_sink_config_init. */
struct il_sink_config {
    size_t struct_bytes; /**< sizeof(struct il_sink_config): set by init */
    enum il_kind kind;   /**< IL_KIND_NPY, _FVECS or _JSONL; default IL_KIND_AUTO: the end
                            of the name says it; JSONL on standard output */
    size_t dim;          /**< coordinates of a row, 1..IL_DIM_MAX */
    uint64_t rows;   /**< how many will come; default UINT64_MAX: unknown (not .npy) */
    const char *ids; /**< file for the ids, one a line; default NULL: none */
};

/** Sets every field to its default. Any thread. */
IL_API void il_sink_config_init(struct il_sink_config *config);

/** A file that rows are written to, one after the other. */
struct il_sink;

/**
 * Begins to write a file: whole under a temporary name beside it, synced and renamed by
 * il_sink_close, as il_links_write does; "-" is standard output.
 *
 * .npy and .fvecs hold f32. A line of JSONL is {"id": "..", "vector": [..]}; an id that
 * is no UTF-8 is {"id_hex": "..", ..}, its bytes as hexadecimal digits. Nine significant
 * digits bring every f32 back bit for bit.
 * \param path    borrowed for the call
 * \param config  its texts are borrowed for the call
 * \return IL_OK; IL_EARG for another kind; IL_EIO; IL_ENOMEM. One thread per sink.
 */
IL_API IL_MUST_CHECK enum il_status il_sink_open(struct il_sink **out, const char *path,
                                                 const struct il_sink_config *config,
                                                 struct il_error *error);
/**
 * Appends rows. \param rows count x dim floats \param ids, id_bytes count each; may be
 * NULL for .npy and .fvecs without a list of ids
 * \return IL_OK; IL_EIO; IL_EFORMAT for an id that a list of ids cannot hold: a line end
 * or a NUL byte; IL_EARG for more rows than were told
 */
IL_API IL_MUST_CHECK enum il_status il_sink_put(struct il_sink *sink, size_t count,
                                                const float *rows, const void **ids,
                                                const size_t *id_bytes,
                                                struct il_error *error);
/**
 * Makes the files whole and frees the sink, also on failure. \return IL_OK; IL_EIO;
 * IL_EARG for fewer rows than were told: nothing is there then
 */
IL_API IL_MUST_CHECK enum il_status il_sink_close(struct il_sink **sink,
                                                  struct il_error *error);
/** Gives up: no file changes. Accepts NULL in *sink. */
IL_API void il_sink_abort(struct il_sink **sink);

/**
 * The `keep` directions in which rows vary most, for the basis of a new store.
 *
 * \param x        rows x dim finite floats, row-major
 * \param keep     1..dim
 * \param threads  0: one per core; never changes a bit of the result
 * \param mean     dim floats; written
 * \param basis    keep x dim floats; written: orthonormal rows
 * \param share    receives the part of the variance that the basis keeps, 0..1
 * \return IL_OK; IL_EARG; IL_ELIMIT for more than 8,192 coordinates; IL_ENOMEM
 * Cost O(rows dim^2 + dim^3) time, il_axes_bytes beside the rows.
 */
IL_API IL_MUST_CHECK enum il_status il_axes_fit(size_t rows, size_t dim, const float *x,
                                                size_t keep, unsigned threads,
                                                float *mean, float *basis, double *share,
                                                struct il_error *error);

/** Bytes that il_axes_fit touches over and over, for il_memory_least. Any thread. */
IL_API uint64_t il_axes_bytes(size_t dim);

/**
 * Removes a store: its files, then its directory.
 *
 * Takes the writer's lock first. Something else in the directory is IL_EARG and nothing
 * is removed; no directory at all is fine. Readers that are open keep what they have.
 * \return IL_OK; IL_ELOCKED; IL_EARG; IL_EIO; IL_ENOMEM
 */
IL_API IL_MUST_CHECK enum il_status il_store_discard(const char *path,
                                                     struct il_error *error);

/**
 * Gives a store that is closed another name in the same directory, durably. \param to
 * must be nothing or an empty directory
 * \return IL_OK; IL_EARG when the directories differ; IL_EIO: then it has its old name,
 * but for a failed sync of the directory
 */
IL_API IL_MUST_CHECK enum il_status il_store_rename(const char *from, const char *to,
                                                    struct il_error *error);

#ifdef __cplusplus
}
#endif
#endif
