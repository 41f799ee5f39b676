/* SPDX-License-Identifier: Apache-2.0 */
/* Bytes from the first to the last, in bounded memory: from a file, from standard input,
   from memory (tests), each also packed by zstd. What the readers of rows read from. */
#ifndef IL_INPUT_H
#define IL_INPUT_H

#include "src/io/bytes.h"

struct il_input;

/**
 * Opens a stream. "-" is standard input. What begins with the magic of zstd, and every
 * file whose name ends in .zst, is unpacked on the way: windows of at most 2^27 bytes,
 * checksums are checked, several frames follow each other.
 * \param path  copied
 * \return IL_OK; IL_EIO; IL_ENOMEM. One thread per stream.
 */
IL_MUST_CHECK enum il_status il_input_open(struct il_input **out, const char *path,
                                           struct il_error *error);
/** 1 = a stream of this name that begins with these bytes is unpacked. */
int il_input_is_packed(const char *name, const unsigned char *data, size_t bytes);
/** A stream of bytes in memory, which are borrowed until it is closed. With `piped` it
   does not tell its size. */
IL_MUST_CHECK enum il_status il_input_memory(struct il_input **out, const char *name,
                                             const void *data, size_t bytes, int piped,
                                             struct il_error *error);
/** Accepts NULL in *stream. */
void il_input_close(struct il_input **stream);

/** For messages: the file, "standard input", and that it is unpacked, if so. */
const char *il_input_name(const struct il_input *stream);
/** The end of the path, "-" for standard input: what tells the kind of a file. */
const char *il_input_path(const struct il_input *stream);
/** Bytes from first to last, or IL_SIZE_UNKNOWN. */
uint64_t il_input_size(const struct il_input *stream);
/** Number of the next byte, from 0. */
uint64_t il_input_at(const struct il_input *stream);

/**
 * The stream as bytes at offsets, for the readers of headers: all of them when it tells
 * its size, otherwise the first `look`, or less when it ends before (then the size is
 * known after all). Only before anything was taken; valid until the next call that reads.
 * \return as il_input_look
 */
IL_MUST_CHECK enum il_status il_input_bytes(struct il_input *stream, size_t look,
                                            struct il_bytes *out, struct il_error *error);

/**
 * Shows what comes next: at least `bytes` bytes, or all that are left.
 *
 * The buffer grows when it holds fewer, to `bytes` or twice as much, so they must not
 * come from a header that was not compared with anything. \param data  the caller may
 * write to the *have bytes; a zero follows them; borrowed until the next call with this
 * stream \return IL_OK; IL_EIO; IL_EFORMAT and IL_ELIMIT for what zstd refuses; IL_ENOMEM
 */
IL_MUST_CHECK enum il_status il_input_look(struct il_input *stream, size_t bytes,
                                           unsigned char **data, size_t *have,
                                           struct il_error *error);
/** Goes past bytes that were shown. */
void il_input_take(struct il_input *stream, size_t bytes);
/** Copies the next bytes; *got is less than `bytes` at the end only. Returns as
 * il_input_look. */
IL_MUST_CHECK enum il_status il_input_read(struct il_input *stream, void *out,
                                           size_t bytes, size_t *got,
                                           struct il_error *error);
/** Goes to byte number `at`, forward only; IL_EFORMAT when the stream ends before. */
IL_MUST_CHECK enum il_status il_input_skip(struct il_input *stream, uint64_t at,
                                           struct il_error *error);

#endif
