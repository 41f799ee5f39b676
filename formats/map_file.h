/* SPDX-License-Identifier: Apache-2.0 */
/* Maps between the spaces of two models, in memory and as bytes. See formats/map.md. */
#ifndef IL_MAP_FILE_H
#define IL_MAP_FILE_H

#include <isolink/map.h>

#include "formats/little.h"

/* Bounds of a file's numbers. */
#define IL_MAP_COLUMNS_MAX 1024
#define IL_MAP_PIECES_MAX 32
#define IL_MAP_MARKS_MAX 2048
#define IL_MAP_KNOTS_MAX 32
#define IL_MAP_MODEL_BYTES 256 /* a name of at most 255, zeros behind it */

/* One direction: rows of d coordinates become rows of k. */
struct il_map_way {
    float *matrix; /* pieces x d x k */
    float *centre; /* pieces x d; nothing in it when there is one piece */
    double width;  /* of the choice between pieces: t of isolink/map.h */
    size_t marks;  /* fitted rows that are kept */
    float *mark;   /* marks x d */
    float *cosine; /* of image and partner of each, held out */
    size_t knots;
    double *at;    /* knots: evidence, ascending */
    double *share; /* knots: confidence there, not descending; linear between */
};

struct il_mapping {
    struct il_map_info info; /* the names of models are those below */
    char model[2][IL_MAP_MODEL_BYTES];
    float *mean[2]; /* dim */
    float *axes[2]; /* dim x columns */
    struct il_map_way way[2];
};

/** Bytes of a map, drawn from il_alloc. IL_ENOMEM. */
IL_MUST_CHECK enum il_status il_mapping_encode(const struct il_mapping *mapping,
                                               unsigned char **data, size_t *bytes);

/** A map from bytes; memory is asked for after sizes were compared. \param name for
 * messages \return IL_OK; IL_EFORMAT; IL_ECORRUPT; IL_EVERSION; IL_ENOMEM */
IL_MUST_CHECK enum il_status il_mapping_decode(struct il_mapping **out,
                                               const unsigned char *data, size_t bytes,
                                               const char *name, struct il_error *error);

#endif
