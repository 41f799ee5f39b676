/* SPDX-License-Identifier: Apache-2.0 */
/* The log of a store: what was put and removed since the last segment. See
   formats/log.md. */
#ifndef IL_LOG_H
#define IL_LOG_H

#include <isolink/matrix.h>

#include "src/io/bytes.h"

#define IL_LOG_HEADER_BYTES 64u

enum il_log_kind { IL_LOG_PUT = 1, IL_LOG_REMOVE = 2, IL_LOG_COMMIT = 3 };

/** What a log is; every record depends on it. */
struct il_log_info {
    uint32_t number;
    size_t dim; /**< of rows as they were given */
    unsigned char uuid[16];
    uint64_t salt; /**< of the three above: il_log_salt */
};

/** Sets the salt from the other fields. */
void il_log_salt(struct il_log_info *info);

/** Writes IL_LOG_HEADER_BYTES bytes. */
void il_log_encode_header(const struct il_log_info *info, unsigned char *out);

struct il_log_record {
    enum il_log_kind kind;
    uint64_t offset;         /**< in the log */
    uint64_t synced;         /**< so many bytes of the log were synced before it */
    size_t bytes;            /**< of the whole record */
    const unsigned char *id; /**< of PUT and REMOVE; borrowed from the bytes */
    size_t id_bytes;
    const unsigned char *row; /**< of PUT: dim floats, aligned to 4 */
    uint64_t records;         /**< of COMMIT: since the one before it */
};

/** Bytes of a record. */
size_t il_log_record_bytes(enum il_log_kind kind, size_t id_bytes, size_t dim);
/** Where the row of a PUT begins in its record. */
size_t il_log_row_at(size_t id_bytes);
/** Most bytes of a record of rows of this length. */
size_t il_log_record_max(size_t dim);
/** Writes the record, il_log_record_bytes bytes; r->bytes is not read. */
void il_log_encode(const struct il_log_info *info, const struct il_log_record *r,
                   unsigned char *out);
/** 1: a whole, sound record of this log begins at p; r points into it. */
int il_log_decode(const struct il_log_info *info, const unsigned char *p, size_t bytes,
                  uint64_t offset, struct il_log_record *r);

/** Reads a log from front to back, through a buffer. */
struct il_log_reader {
    struct il_bytes bytes;
    struct il_log_info info;
    uint64_t next;         /**< where the next record begins */
    unsigned char *buffer; /**< the bytes from `from` on; il_alloc'd */
    uint64_t from;
    size_t held, room;
};

/**
 * Checks the header.
 * \param bytes  copied; what it points to is borrowed until close
 * \param wanted number, dim and uuid that the log must have; NULL: any
 * \return IL_OK; IL_EFORMAT: no log; IL_ECORRUPT; IL_EVERSION; IL_EIO; IL_ENOMEM
 */
IL_MUST_CHECK enum il_status il_log_open(struct il_log_reader *out,
                                         const struct il_bytes *bytes,
                                         const struct il_log_info *wanted,
                                         struct il_error *error);
/** Frees; a zeroed one is fine. */
void il_log_close(struct il_log_reader *reader);

/** The next record; *more = 0 where none begins: at the end, or at damage. The record is
 * borrowed until the next call. IL_EIO. */
IL_MUST_CHECK enum il_status il_log_next(struct il_log_reader *reader,
                                         struct il_log_record *r, int *more,
                                         struct il_error *error);

/**
 * Finds the end of the last whole commit, judging what follows it. Leaves the reader at
 * the first record.
 *
 * A tail that is no whole commit is what a killed writer leaves, unless it was synced
 * once: that is so when it begins before `synced`, or when a sound record after it says
 * that it was.
 * \param synced  bytes that must be there, whole: log_synced of the manifest
 * \param end     receives the end of the last whole commit
 * \param rows    receives the number of records before it, commits not counted
 * \return IL_OK; IL_ECORRUPT: names place and what it says; IL_EIO. On IL_ECORRUPT *end
 * and *rows are what can be read.
 */
IL_MUST_CHECK enum il_status il_log_check(struct il_log_reader *reader, uint64_t synced,
                                          uint64_t *end, uint64_t *rows,
                                          struct il_error *error);

#endif
