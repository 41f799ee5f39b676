/* SPDX-License-Identifier: Apache-2.0 */
/* Exact search: the rows of largest cosine, over rows that come in order and are not
 * kept.
 */
#ifndef ISOLINK_SEARCH_H
#define ISOLINK_SEARCH_H

#include <stddef.h>
#include <stdint.h>

#include <isolink/link.h>
#include <isolink/status.h>

#ifdef __cplusplus
extern "C" {
#endif

/** Most rows that are found for a query. */
#define IL_SEARCH_TOP_MAX 64

/** Fill with il_search_config_init, then change what you want. */
struct il_search_config {
    size_t struct_bytes; /**< sizeof(struct il_search_config): set by init */
    size_t top;          /**< rows wanted, 1..IL_SEARCH_TOP_MAX; default 10 */
    unsigned threads;    /**< 1..256; 0 (default) = one per core; never changes a bit */
    const il_atomic_int *cancel; /**< may be NULL; non-zero: ends with IL_ECANCEL */
};

IL_API void il_search_config_init(struct il_search_config *config);

/** A row that was found. */
struct il_hit {
    uint64_t row;   /**< its number, from 0, in the order of il_search_add */
    float score;    /**< cosine of query and row */
    const char *id; /**< NULL when rows came without; not zero-terminated; borrowed until
                       the next il_search_add or close */
    size_t id_bytes;
};

struct il_search;

/**
 * Begins a search. \param queries count x dim floats; copied
 * \param config  NULL = defaults
 * \return IL_OK; IL_EARG; IL_ENOMEM. *out NULL on failure. One thread per search.
 * Memory: O(count (dim + top threads)), whatever the number of rows.
 */
IL_API IL_MUST_CHECK enum il_status
il_search_open(struct il_search **out, const float *queries, size_t count, size_t dim,
               const struct il_search_config *config, struct il_error *error);
/**
 * Looks at the next rows. A row that is zero or not finite is never found.
 * \param rows  count x dim floats; borrowed for the call
 * \param ids, id_bytes  count each, or NULL; of rows that are found they are copied
 * \return IL_OK; IL_ELIMIT past IL_ROWS_MAX rows; IL_ENOMEM; IL_ECANCEL
 * Cost O(count queries dim).
 */
IL_API IL_MUST_CHECK enum il_status
il_search_add(struct il_search *search, const float *rows, size_t count,
              const void *const *ids, const size_t *id_bytes, struct il_error *error);
/**
 * The best rows of a query so far, best first, equal scores in the order they came.
 * \param hits  room for config.top; written
 * \return their number; 0 for a query that is zero or not finite
 */
IL_API size_t il_search_hits(const struct il_search *search, size_t query,
                             struct il_hit *hits);
IL_API void il_search_close(struct il_search **search);

#ifdef __cplusplus
}
#endif
#endif
