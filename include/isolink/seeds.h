/* SPDX-License-Identifier: Apache-2.0 */
/* Known pairs by their ids, for streams: their rows need not be there yet. */
#ifndef ISOLINK_SEEDS_H
#define ISOLINK_SEEDS_H

#include <stddef.h>

#include <isolink/pairs.h>
#include <isolink/status.h>
#include <isolink/stream.h>

#ifdef __cplusplus
extern "C" {
#endif

struct il_seeds;

/**
 * Reads pairs as il_pairs_load does, but compares them with no rows. A pair that comes
 * again, and all pairs of an id that stands in two different ones, are left out and
 * counted; notes->missing stays 0.
 * \param notes  what was left out; may be NULL
 * \return IL_OK (also when every line was left out); IL_EIO; IL_EFORMAT, also for an id
 * of no or more than IL_ID_BYTES_MAX bytes (line named); IL_ENOMEM
 * Cost O(bytes log lines), all pairs in memory. Any thread.
 */
IL_API IL_MUST_CHECK enum il_status il_seeds_load(struct il_seeds **out, const char *path,
                                                  struct il_pairs_notes *notes,
                                                  struct il_error *error);

/** The pairs in file order; borrowed until il_seeds_close. Any thread. */
IL_API const struct il_stream_seed *il_seeds_list(const struct il_seeds *seeds,
                                                  size_t *count);

/** Frees the handle and sets it to NULL; accepts NULL in *seeds. */
IL_API void il_seeds_close(struct il_seeds **seeds);

#ifdef __cplusplus
}
#endif
#endif
