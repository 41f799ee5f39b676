/* SPDX-License-Identifier: Apache-2.0 */
/* Kinds of files: their names, how to tell them, who reads them. For source.c and
 * vectors.c. */
#ifndef IL_SOURCE_KIND_H
#define IL_SOURCE_KIND_H

#include <isolink/source.h>

#include "formats/reader.h"

/** The kind that the end of a name says, also before .zst; IL_KIND_AUTO when it says
 * none. */
enum il_kind il_kind_of_name(const char *name);

/** The kind that the first bytes say, or IL_KIND_AUTO. */
enum il_kind il_kind_of_bytes(const unsigned char *data, size_t bytes);

/** 1 = the rows that the source tells were compared with the size of its file. */
int il_source_is_sized(const struct il_source *source);

/** "unknown kind of file, wanted ...": IL_EFORMAT. */
enum il_status il_kind_unknown(const char *name, struct il_error *error);

/** Header of a kind whose rows lie in one block: from .npy to .i8bin, .faiss. */
IL_MUST_CHECK enum il_status il_kind_layout(struct il_layout *out, enum il_kind kind,
                                            const struct il_bytes *bytes,
                                            struct il_error *error);

/** Opens a source on a stream, for tests; the stream is given. NULL config: defaults. */
IL_MUST_CHECK enum il_status il_source_of_input(struct il_source **out,
                                                struct il_input *stream,
                                                const struct il_source_config *config,
                                                struct il_error *error);

#endif
