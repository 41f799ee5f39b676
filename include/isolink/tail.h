/* SPDX-License-Identifier: Apache-2.0 */
/* Following sources that grow: files that are appended to, rotated, replaced; directories
 * into which files are dropped; stores; standard input. */
#ifndef ISOLINK_TAIL_H
#define ISOLINK_TAIL_H

#include <stddef.h>
#include <stdint.h>

#include <isolink/source.h>
#include <isolink/status.h>

#ifdef __cplusplus
extern "C" {
#endif

/** Largest position of a source. */
#define IL_TAIL_POSITION_MAX 4096

/** What a source is doing. */
enum il_tail_state {
    IL_TAIL_READY = 0,   /**< it may have more at any time */
    IL_TAIL_MISSING = 1, /**< it is not there (yet, or any more): waited for */
    IL_TAIL_PAUSED = 2,  /**< what it holds cannot be taken (another dimension, damage,
                            cut short below what was consumed): the text says it; goes on
                            when the file is mended or replaced */
    IL_TAIL_ENDED = 3    /**< nothing can come any more: standard input at its end */
};

/** One change of a source. */
struct il_tail_row {
    const void *id; /**< borrowed until the next call; rows of sources without ids: their
                       number in the source, counted over rotations; FILE:NUMBER in a
                       directory */
    size_t id_bytes;
    const float *row; /**< borrowed; NULL: the id was removed (stores) */
};

struct il_tail_config {
    size_t struct_bytes; /**< set by init */
    enum il_kind kind;   /**< default IL_KIND_AUTO; of the files in a directory too */
    const char *column;  /**< as of il_source_config; copied */
    size_t dim;          /**< 0: that of the first row; else others pause the source */
    int from_end;        /**< 1: skip what is there at the first open; default 0 */
    /** As of il_stream_config; rate-limited by the source: the same text at most once a
     * minute. */
    void (*log)(void *context, int level, const char *text);
    void *log_context;
};
IL_API void il_tail_config_init(struct il_tail_config *config);

struct il_tail;

/**
 * Opens a source at a position (NULL: its begin): a file, a directory of files, a store,
 * or "-" for standard input (which cannot be read twice: after a restart rows behind the
 * position are lost, or come again if their writer sends them again). The path need not
 * be there yet. src/stream/TAILING.md says what is done by kind, and the limits. Kinds
 * that cannot be followed (HDF5, .npz, safetensors, FAISS, sqlite-vec, Parquet, .zst) are
 * IL_EARG, and the text says why and what to do instead.
 * \return IL_OK; IL_EARG; IL_EFORMAT: the position is none; IL_EIO; IL_ENOMEM
 * One thread per source.
 */
IL_API IL_MUST_CHECK enum il_status il_tail_open(struct il_tail **out, const char *path,
                                                 const void *position,
                                                 size_t position_bytes,
                                                 const struct il_tail_config *config,
                                                 struct il_error *error);
IL_API void il_tail_close(struct il_tail **tail);

/** 0 until the first row was seen. */
IL_API size_t il_tail_dim(const struct il_tail *tail);

/**
 * The next whole rows, at most `most`; *count 0: none now. Never waits. Trouble with the
 * source is no failure but a state; the rows before it are given first.
 * \return IL_OK; IL_ENOMEM; IL_EIO: of the system, not of this source alone
 */
IL_API IL_MUST_CHECK enum il_status il_tail_next(struct il_tail *tail, size_t most,
                                                 struct il_tail_row *rows, size_t *count,
                                                 struct il_error *error);

/** Where the source stands after the rows given by il_tail_next so far, to be kept once
 * they are durable. Writes at most IL_TAIL_POSITION_MAX bytes; returns their number. */
IL_API size_t il_tail_position(const struct il_tail *tail, void *out);

struct il_tail_info {
    enum il_tail_state state;
    char why[240];      /**< of a paused or missing source */
    uint64_t rows;      /**< given, since the position was the begin */
    uint64_t bad_lines; /**< lines of text that hold no row: passed over and counted */
    uint64_t rotations; /**< files begun after the first */
    uint64_t lag_bytes; /**< behind the position, as far as known */
};
IL_API void il_tail_describe(const struct il_tail *tail, struct il_tail_info *out);

/** A descriptor that becomes readable (poll) when the source may have changed; -1: none
 * is to be had, call il_tail_next now and then. il_tail_next empties it, and may change
 * it: ask again after it. Changes that nobody tells of (network file systems) are found
 * by calls alone, so call now and then in any case. */
IL_API int il_tail_fd(const struct il_tail *tail);

#ifdef __cplusplus
}
#endif
#endif
