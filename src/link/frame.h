/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The common frame of the linking methods: prepared sides, anchors, signatures and the
 * matcher. A method is one file on top of it, and one row in methods.c.
 */
#ifndef IL_FRAME_H
#define IL_FRAME_H

#include <stdatomic.h>

#include <isolink/link.h>

#include "simd/simd.h"
#include "src/base/base.h"

/* What every step of one run shares. */
struct il_frame {
    const struct il_simd *simd;
    struct il_pool *pool;
    uint64_t seed;
    enum il_scope scope;
    const il_atomic_int *cancel; /* may be NULL */
    il_progress_fn *progress;    /* may be NULL */
    void *progress_context;
    double multiply_adds; /* of matching and maps, counted by the caller thread */
};

/* Pairs of rows from which on rows meet in clusters, unless the scope says otherwise. */
#define IL_LOCAL_PAIRS 3e8

/* 1 when the rows of two sides of these sizes are to meet in clusters only. */
int il_frame_local(const struct il_frame *frame, size_t rows_a, size_t rows_b);

/* 1 when the caller asked the run to stop. */
int il_frame_cancelled(const struct il_frame *frame);

/* Tells the caller how far a stage is; stage is a constant string. */
void il_frame_progress(const struct il_frame *frame, const char *stage, double done,
                       double total);

/* A prepared side: rows usable rows of d coordinates, unit length, packed row-major. */
struct il_side {
    size_t rows;
    size_t d;
    float *x;
    double *spectrum;  /* d eigenvalues, descending; NULL when not rotated */
    size_t dim;        /* coordinates of a row as given */
    float *mean;       /* dim values that were subtracted; NULL when not centred */
    float *axes;       /* dim x d; NULL when not rotated */
    uint32_t *given;   /* usable row -> row as given */
    uint64_t *skipped; /* rows as given that are zero or not finite, ascending */
    size_t skipped_count;
};

void il_side_free(struct il_side *side);

/* Scales a row to length 1 in f64, so that any finite length works. 0 = not usable. */
int il_row_unit(float *x, size_t d);

/*
 * Keeps the usable rows of a matrix (finite, not zero), scales them to length 1,
 * subtracts their mean, scales again, and rotates them to their min(d, columns_max)
 * principal axes (unit rows again when columns were dropped). spectrum receives the
 * eigenvalues of the kept axes. Without rotate the rows stay as they are after the first
 * scaling (the published method).
 */
#define IL_COLUMNS_MAX 256 /* what the methods ask for */

struct il_side_options {
    size_t columns_max;
    int centre;
    int rotate;
};

IL_MUST_CHECK enum il_status il_side_prepare(struct il_frame *frame,
                                             const struct il_matrix *m,
                                             const struct il_side_options *options,
                                             struct il_side *out);

/*
 * Prepares rows that came later as those of a side were that was centred and rotated: the
 * same row gets the same coordinates. mean and packed (il_map_pack of axes) are the
 * side's. place[i] = which row of x the i-th is; IL_INDEX_NONE when it is zero or not
 * finite. x: count x d at most; *kept rows are written.
 */
struct il_axes {
    size_t dim, d;
    const float *mean, *packed;
};
IL_MUST_CHECK enum il_status il_axes_apply(struct il_frame *frame,
                                           const struct il_axes *axes, const float *rows,
                                           size_t count, float *x, uint32_t *place,
                                           size_t *kept);

/* Usable row of a row as given; UINT32_MAX when it was skipped. */
uint32_t il_side_find(const struct il_side *side, uint64_t row);

/* out (d x d) = sum of x x' over the rows. */
IL_MUST_CHECK enum il_status il_covariance(struct il_frame *frame,
                                           const struct il_side *side, double *out);

/* One anchor: a pair of usable rows and its weight in the fits. */
struct il_anchor {
    uint32_t a, b;
    float weight;
};

/*
 * How the rows of one side are signed in a view: up to two parts side by side, each
 * either stored coordinates or their image under a map scaled to unit length; then, for
 * CSLS-corrected scores, two more coordinates: A rows get [.., 1, -r], B rows [.., -r,
 * 1], so that the score of a pair is scale_a scale_b <u, v> - r_u - r_v.
 */
struct il_part {
    const float *x; /* rows, stride d */
    size_t d;
    const float *map; /* panels (nr) of the transposed map, k of them; NULL = the rows
                         themselves */
    size_t k;         /* coordinates of the part; = d without a map */
    int raw;          /* 1: the image is not scaled to unit length */
};

enum il_tail { IL_TAIL_NONE = 0, IL_TAIL_A = 1, IL_TAIL_B = 2 };

struct il_signature {
    struct il_part part[2];
    size_t parts;
    float scale; /* every coordinate of the parts is multiplied by it */
    enum il_tail tail;
    const float *radius; /* per row, for the tail; NULL = 0 */
};

/* Coordinates of a signature. */
size_t il_signature_k(const struct il_signature *s);

/* Columns ready for the matcher. rows NULL = all; index[j] is recorded for column j. */
struct il_panels {
    float *data;
    size_t rows, k;
    const uint32_t *index;   /* NULL = j itself; borrowed */
    struct il_i8_rows bytes; /* the same rows for match3_i8; q NULL: none */
};

IL_MUST_CHECK enum il_status il_panels_build(struct il_frame *frame,
                                             const struct il_signature *s,
                                             const uint32_t *rows, size_t count,
                                             struct il_panels *out);
void il_panels_free(struct il_panels *panels);

/*
 * Matches count rows of side A (rows NULL = 0 .. count - 1) against panels. row[u] (u =
 * row number) and, unless NULL, col[j] (j = position in the panels) are updated, not
 * cleared.
 */
IL_MUST_CHECK enum il_status il_match(struct il_frame *frame,
                                      const struct il_signature *s, const uint32_t *rows,
                                      size_t count, const struct il_panels *panels,
                                      struct il_top3 *row, struct il_top3 *col);

/* A list that takes scores of at least `least` only: those below it cannot enter what it
   is going to be merged with. */
void il_top3_begin(struct il_top3 *list, float least);

/*
 * near[i] = the IL_TOP nearest centres of point i, by the largest <x, c> - |c|^2 / 2; the
 * radius of a centre is its |c|^2 / 2, tails and scales are set here. open: the centres
 * to choose from, by number; NULL = 0 .. centre_count - 1.
 */
IL_MUST_CHECK enum il_status il_nearest(struct il_frame *frame,
                                        const struct il_signature *points, size_t count,
                                        const struct il_signature *centres,
                                        const uint32_t *open, size_t centre_count,
                                        struct il_top3 *near);

/* Allocates and clears count lists. NULL when memory is exhausted. */
struct il_top3 *il_top3_new(size_t count);

/* Packs a row-major k_in x k_out map (f64) as the panels that il_part.map wants. NULL: no
 * memory. */
float *il_map_pack(const struct il_simd *simd, const double *map, size_t k_in,
                   size_t k_out);

/* The same of k vectors of d coordinates, one a row: the map takes the product with each.
 */
float *il_vectors_pack(const struct il_simd *simd, const double *vectors, size_t d,
                       size_t k);

/* The f32 map again, k_in x k_out row-major. */
void il_map_unpack(const struct il_simd *simd, const float *packed, size_t k_in,
                   size_t k_out, float *map);

/* out[i] = unit image of row rows[i] (NULL: i) under the part's map; count x k, stride k.
 */
IL_MUST_CHECK enum il_status il_map_rows(struct il_frame *frame,
                                         const struct il_part *part, const uint32_t *rows,
                                         size_t count, float *out);

/*
 * C += A' diag(w) B, f64, d_a x d_b, over the anchors; anchors NULL = over rows 0 ..
 * count - 1 of both, weight 1. Sums of 1,024 anchors are one f32 chain, added in f64. One
 * thread.
 */
struct il_gather {
    const float *x;
    size_t d;  /* columns taken */
    size_t ld; /* stride */
    int pick;  /* 0: the anchor's a names the row, 1: its b */
};
IL_MUST_CHECK enum il_status il_cross_add(const struct il_simd *simd, struct il_gather a,
                                          struct il_gather b,
                                          const struct il_anchor *anchors, size_t count,
                                          double *c);

#endif
