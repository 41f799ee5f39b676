/* SPDX-License-Identifier: Apache-2.0 */
/* Pairs and links in files: seeds, truth and links as CSV, by document id. */
#ifndef ISOLINK_PAIRS_H
#define ISOLINK_PAIRS_H

#include <stdio.h>

#include <isolink/link.h>
#include <isolink/matrix.h>
#include <isolink/status.h>

#ifdef __cplusplus
extern "C" {
#endif

/** What a reader of pairs noticed and left out; each count is a number of lines. */
struct il_pairs_notes {
    size_t repeated;      /**< the same pair again */
    size_t contradicting; /**< an id that stands in two different pairs: ALL its pairs are
                             left out */
    size_t missing;       /**< an id that the side does not have */
    char first[240];      /**< the first of them in words, "" when there are none */
};

/**
 * Reads pairs "a_id,b_id" from CSV (RFC 4180 quoting; a header line that starts with
 * "a_id" is skipped; more columns are ignored; CRLF and BOM accepted).
 *
 * Lines that name missing ids, repeat a pair or contradict another are left out and
 * counted. \param out     receives malloc'd pairs, in file order; given to the caller
 * (il_pairs_free) \param count   receives their number \param a, b    ids of the two
 * sides; borrowed for the call \param notes   what was left out; may be NULL \return
 * IL_OK (also when every line was left out); IL_EIO; IL_EFORMAT for a line of fewer than
 *         two columns, an open quote or a NUL byte (line named); IL_ENOMEM
 * Cost O(bytes). Any thread.
 */
IL_API IL_MUST_CHECK enum il_status
il_pairs_load(struct il_pair **out, size_t *count, const char *path,
              const struct il_ids *a, const struct il_ids *b,
              struct il_pairs_notes *notes, struct il_error *error);

/**
 * The same of two columns of a file about several sides, whose header names them: a_id,
 * b_id, c_id and so on. A line with an empty id in one of the two is passed over.
 * \return as il_pairs_load; IL_EFORMAT too when the header lacks a column
 */
IL_API IL_MUST_CHECK enum il_status
il_pairs_load_named(struct il_pair **out, size_t *count, const char *path,
                    const char *a_name, const char *b_name, const struct il_ids *a,
                    const struct il_ids *b, struct il_pairs_notes *notes,
                    struct il_error *error);

/** Frees what il_pairs_load gave; accepts NULL. */
IL_API void il_pairs_free(struct il_pair *pairs);

/**
 * Reads links as il_links_write writes them: as il_pairs_load, and of the columns that
 * the header names posterior (1 without one) and origin; the other fields are 0. \param
 * out  receives the links, in file order; given to the caller (il_links_free) \return as
 * il_pairs_load; IL_EFORMAT also for a posterior that is no number from 0 to 1
 */
IL_API IL_MUST_CHECK enum il_status
il_links_load(struct il_link **out, size_t *count, const char *path,
              const struct il_ids *a, const struct il_ids *b,
              struct il_pairs_notes *notes, struct il_error *error);

/** Frees what il_links_load gave; accepts NULL. */
IL_API void il_links_free(struct il_link *links);

/**
 * Writes links as CSV: header
 * a_id,b_id,posterior,votes,opportunities,margin,round,origin, then one line a link in
 * the order given.
 *
 * Ids are quoted where RFC 4180 asks for it. Numbers are printed with a fixed number of
 * digits, so equal links give equal bytes. \param path  file name, or "-" for standard
 * output. A file is written under a temporary name beside it, synced and renamed: it is
 * there whole or not at all. \return IL_OK; IL_EIO with the reason in error; IL_ENOMEM.
 * One thread.
 */
IL_API IL_MUST_CHECK enum il_status
il_links_write(const char *path, const struct il_link *links, size_t count,
               const struct il_ids *a, const struct il_ids *b, struct il_error *error);

/**
 * Writes text to a file as il_links_write does (temporary name, sync, rename), or to
 * standard output for "-". \return IL_OK; IL_EIO; IL_ENOMEM. One thread.
 */
IL_API IL_MUST_CHECK enum il_status il_text_write(const char *path, const char *text,
                                                  size_t text_bytes,
                                                  struct il_error *error);

#ifdef __cplusplus
}
#endif
#endif
