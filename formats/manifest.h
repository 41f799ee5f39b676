/* SPDX-License-Identifier: Apache-2.0 */
/* The small files of a store: manifest, deletions, basis. See formats/manifest.md. */
#ifndef IL_MANIFEST_H
#define IL_MANIFEST_H

#include <isolink/store.h>

#include "src/io/bytes.h"

/** Most bytes of a model's name. */
#define IL_MODEL_BYTES_MAX 255u
/** Numbers of files are 1 to this: eight digits. */
#define IL_NUMBER_MAX 99999999u
/** Most segments of a store, so that a manifest is never more than 64 MiB. */
#define IL_SEGMENTS_MAX 1000000u

struct il_manifest_segment {
    uint32_t number;  /**< of its file */
    uint32_t del;     /**< number of its file of deletions; 0: nothing is deleted */
    uint64_t rows;    /**< 1 or more */
    uint64_t deleted; /**< fewer than rows; 0 without del */
    uint64_t seal;    /**< il_segment_seal of the file */
    uint64_t del_sum; /**< checksum of the file of deletions; 0 without */
};

struct il_manifest {
    uint64_t generation; /**< from 1, one more with every manifest */
    unsigned char uuid[16];
    enum il_codec codec;
    size_t dim, stored_dim;
    char model[IL_MODEL_BYTES_MAX + 1]; /**< zero-terminated */
    unsigned char fingerprint[32];
    int has_basis;
    uint64_t basis_sum;  /**< il_segment_basis_sum; 0 without */
    uint32_t next;       /**< no file has had this number or a greater one */
    uint32_t log;        /**< number of the log */
    uint64_t log_synced; /**< so many bytes of it are whole commits, and synced */
    size_t count;
    struct il_manifest_segment *segments; /**< count of them, il_alloc'd; NULL when 0 */
};

/** Fingerprint of a model's name: see formats/manifest.md. Any thread. */
void il_model_fingerprint(const char *name, unsigned char out[32]);

/** Bytes of a manifest. */
size_t il_manifest_bytes(const struct il_manifest *m);
/** Writes il_manifest_bytes bytes. */
void il_manifest_encode(const struct il_manifest *m, unsigned char *out);
/**
 * Reads a manifest. Nothing is allocated before its size is known to be right.
 * \param p  the whole file; borrowed for the call
 * \return IL_OK; IL_EFORMAT: no manifest; IL_ECORRUPT; IL_EVERSION; IL_ENOMEM. On failure
 * *m is zero. Free with il_manifest_free.
 */
IL_MUST_CHECK enum il_status il_manifest_decode(struct il_manifest *m, const char *name,
                                                const unsigned char *p, size_t bytes,
                                                struct il_error *error);
/** Frees; a zeroed one is fine. */
void il_manifest_free(struct il_manifest *m);

/** Bytes of the bitmap of a segment: whole words of 64 rows. */
size_t il_deletions_bitmap_bytes(uint64_t rows);
/** Bytes of a file of deletions. */
size_t il_deletions_bytes(uint64_t rows);
/** Writes il_deletions_bytes bytes; bit r % 8 of byte r / 8 of the bitmap is set when row
 * r is deleted, bits past the last row are 0. */
void il_deletions_encode(uint32_t segment, uint64_t rows, const unsigned char *bitmap,
                         unsigned char *out);
/**
 * Checks a file of deletions against what the manifest says.
 * \param bitmap  receives its place in p
 * \return IL_OK; IL_EFORMAT; IL_ECORRUPT; IL_EVERSION
 */
IL_MUST_CHECK enum il_status il_deletions_decode(const char *name, const unsigned char *p,
                                                 size_t bytes,
                                                 const struct il_manifest_segment *wanted,
                                                 const unsigned char **bitmap,
                                                 struct il_error *error);

/** Bytes of a file of a basis. */
size_t il_basis_bytes(size_t dim, size_t stored_dim);
/** Writes il_basis_bytes bytes; returns the basis_sum of the manifest. */
uint64_t il_basis_encode(size_t dim, size_t stored_dim, const float *mean,
                         const float *basis, unsigned char *out);
/**
 * Checks a file of a basis against what the manifest says and copies the values.
 * \param mean   dim floats; written
 * \param basis  stored_dim x dim floats; written
 * \return IL_OK; IL_EFORMAT; IL_ECORRUPT; IL_EVERSION
 */
IL_MUST_CHECK enum il_status il_basis_decode(const char *name, const unsigned char *p,
                                             size_t bytes,
                                             const struct il_manifest *wanted,
                                             float *mean, float *basis,
                                             struct il_error *error);

#endif
