/* SPDX-License-Identifier: Apache-2.0 */
/* What fitting a map and applying it share; see isolink/map.h. */
#ifndef IL_MAPPING_H
#define IL_MAPPING_H

#include "formats/map_file.h"
#include "src/link/frame.h"

/* The matrices of one direction, packed: prepared rows of d coordinates become images of
   k. */
struct il_image {
    size_t d, k, pieces;
    float *packed[IL_MAP_PIECES_MAX];
    const float *centre; /* pieces x d; borrowed */
    float *half;         /* half the squared length of each */
    double width;
};
/* matrix: pieces x d x k; centre is borrowed, NULL for one piece. */
IL_MUST_CHECK enum il_status il_image_open(struct il_image *out, struct il_frame *frame,
                                           const float *matrix, const float *centre,
                                           size_t pieces, size_t d, size_t k,
                                           double width);
void il_image_close(struct il_image *image);

/* Weights of the pieces next to a row: they add up to 1 (0 when there is none). */
void il_piece_weights(const struct il_top3 *near, double width, double weight[IL_TOP]);

/* out[i] = unit image of row rows[i] (NULL: i) of x, stride d; count x k. */
IL_MUST_CHECK enum il_status il_image_rows(struct il_frame *frame,
                                           const struct il_image *image, const float *x,
                                           const uint32_t *rows, size_t count,
                                           float *out);

/* The way from unit images back to rows of length 1 as they are given. */
struct il_lift {
    size_t k, dim;
    const float *mean; /* borrowed */
    double rest;       /* 1 - |mean|^2 */
    float *packed;     /* k x dim */
};
IL_MUST_CHECK enum il_status il_lift_open(struct il_lift *out, struct il_frame *frame,
                                          const float *mean, const float *axes,
                                          size_t dim, size_t k);
void il_lift_close(struct il_lift *lift);
/* z: count x k unit rows; out: count x dim. */
IL_MUST_CHECK enum il_status il_lift_rows(struct il_frame *frame,
                                          const struct il_lift *lift, const float *z,
                                          size_t count, float *out);

/* Fitted rows to compare with. */
struct il_marks {
    const struct il_map_way *way;
    size_t d;
    struct il_panels panels;
};
IL_MUST_CHECK enum il_status il_marks_open(struct il_marks *out, struct il_frame *frame,
                                           const struct il_map_way *way, size_t d);
void il_marks_close(struct il_marks *marks);
/* out[i] = evidence of row i of x, as isolink/map.h has it; gone[i] is a mark that does
   not count (NULL, IL_INDEX_NONE: all do). */
IL_MUST_CHECK enum il_status il_marks_evidence(struct il_frame *frame,
                                               const struct il_marks *marks,
                                               const float *x, size_t count,
                                               const uint32_t *gone, double *out);
/* Confidence that goes with an evidence. */
double il_map_confidence(const struct il_map_way *way, double evidence);

/* Links of a map in the making: by usable rows, in random order, so that every stretch of
   them is a sample; fold f has those of first[f] to first[f + 1]. */
struct il_map_links {
    struct il_anchor *anchor;
    size_t count;
    unsigned folds;
    size_t first[17];
};

/* Held-out images of all links in one direction, and how they did. */
struct il_held {
    float *image;   /* links x k */
    double *cosine; /* links: of image and partner */
    double mean;    /* weighted mean of them */
    /* of the links that are judged: every so-manieth */
    size_t judged;
    uint32_t *link;
    uint8_t *rank; /* 1: found first, 2: among the first ten, 0: not */
    uint64_t candidates;
    double recall1, recall10;
};

/* The sides of a fit as given and as prepared. */
struct il_map_sides {
    struct il_frame *frame;
    unsigned threads;
    const struct il_matrix *given[2];
    struct il_side side[2];
};

/* Searches for the partners of the judged links by their held-out images. */
IL_MUST_CHECK enum il_status il_map_judge(const struct il_map_sides *sides,
                                          const struct il_map_links *links, int way,
                                          struct il_held *held);

/* Keeps fitted rows, calibrates the confidence, fills in the figures. */
IL_MUST_CHECK enum il_status il_map_calibrate(const struct il_map_sides *sides,
                                              const struct il_map_links *links, int way,
                                              const struct il_held *held,
                                              struct il_map_way *out,
                                              struct il_map_figures *figures);

#endif
