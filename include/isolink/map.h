/* SPDX-License-Identifier: Apache-2.0 */
/* Maps: rows of one model as the other model would have made them, fitted on links. */
#ifndef ISOLINK_MAP_H
#define ISOLINK_MAP_H

#include <stddef.h>
#include <stdint.h>

#include <isolink/link.h>
#include <isolink/matrix.h>
#include <isolink/status.h>

#ifdef __cplusplus
extern "C" {
#endif

/** Form of a map; the numbers stand in files. */
enum il_map_kind {
    IL_MAP_AUTO = 0,       /**< the simplest of those that retrieve best, held out */
    IL_MAP_ORTHOGONAL = 1, /**< a rotation (of the rank that the links span) */
    IL_MAP_RIDGE = 2,      /**< least squares with a penalty */
    IL_MAP_LOCAL = 3       /**< ridge maps of clusters, drawn towards that of all rows */
};

/** "orthogonal", "ridge", "local"; "auto". Any thread. */
IL_API const char *il_map_kind_text(enum il_map_kind kind);

/** Fewest links that a map is fitted on: with fewer, what is held out says nothing. */
#define IL_MAP_LINKS_MIN 20

/** How a map is fitted. Fill with il_map_config_init, then change what you want. */
struct il_map_config {
    size_t struct_bytes;   /**< sizeof(struct il_map_config): set by init */
    enum il_map_kind kind; /**< default IL_MAP_AUTO */
    unsigned threads; /**< 1..256; 0 (default) = one per core; never changes the map */
    uint64_t seed;    /**< random seed number; default 0 */
    unsigned folds;   /**< 2..16; default 5 */
    size_t columns;   /**< principal axes of a side that are kept, 1..1024; default 256 */
    const char *model[2];     /**< names of the models, up to 255 bytes; NULL: "" */
    il_progress_fn *progress; /**< may be NULL */
    void *progress_context;
    const il_atomic_int *cancel; /**< may be NULL; non-zero: ends with IL_ECANCEL */
};

IL_API void il_map_config_init(struct il_map_config *config);

/** Share of residuals below each of il_map_figures.residual. */
#define IL_MAP_QUANTILES 5
#define IL_MAP_QUANTILE_SHARES                                                           \
    {                                                                                    \
        0.05, 0.25, 0.5, 0.75, 0.95                                                      \
    }

/**
 * How good one direction of a map is: every figure is of links that the fit did not see
 * (folds), each link with the weight of its posterior. A wrong link counts as a miss.
 */
struct il_map_figures {
    double cosine; /**< mean cosine of image and partner, both less the mean row of the
                      side and on its kept axes: 0 is chance */
    double residual[IL_MAP_QUANTILES]; /**< quantiles of |image - partner|, unit rows,
                                          likewise: 0 to 2, sqrt 2 is chance */
    uint64_t judged;     /**< links whose partner was searched for, at most 1,000 */
    uint64_t candidates; /**< rows that it was searched among, at most 20,000 */
    double recall1;      /**< share of them found first, by the cosine of rows as given */
    double recall10;     /**< share of them found among the first ten */
    double suited;       /**< share of the side's rows of confidence 0.5 and more */
    double lambda;       /**< penalty, in mean variances of the fitted rows; 0: none */
    uint64_t rank;       /**< of the matrix that all rows share */
};

/** What a map is. */
struct il_map_info {
    enum il_map_kind kind;
    size_t pieces;        /**< matrices of a direction: 1 unless local */
    unsigned folds;       /**< of the links, held out one after the other */
    uint64_t links;       /**< fitted on */
    double weight;        /**< the sum of their posteriors */
    uint64_t seed;        /**< random seed number */
    size_t dim[2];        /**< coordinates of a row of A, of B */
    size_t columns[2];    /**< axes kept */
    const char *model[2]; /**< names of the models, "" where not known; borrowed */
    struct il_map_figures way[2]; /**< from A to B, from B to A */
};

/** A map between the spaces of two models, both ways. */
struct il_mapping;

/**
 * Fits a map on links.
 *
 * Rows are prepared as by il_link_run: of length 1, less the mean of their side, of
 * length 1, on the side's principal axes (x of A, y of B; the axes are those of all rows,
 * not of the linked ones alone). Over the links, weighted by posterior:
 *
 *     orthogonal   W = U V', X'wY = U S V' (Schoenemann 1966)
 *     ridge        W = (X'wX + lambda tr/d I)^-1 X'wY
 *     local        W_c = W + (X_c'wX_c + lambda tr/d I)^-1 X_c'w (Y_c - X_c W), X_c the
 *                  rows next to centre c of a k-means; a row is shared out among the
 *                  three nearest, in the fit as in its image, by weights in proportion
 *                  to exp((s_c - s_1) / t), s_c = <x, c> - |c|^2 / 2
 *
 * x W is scaled to length 1, turned back to the other side's coordinates, and put on the
 * unit sphere where the ray from the mean row meets it: what an image is compared with by
 * its cosine are rows of the other store as they are. Lambda is chosen by the mean cosine
 * of held-out links; the kind, when it is IL_MAP_AUTO, by recall at 1 and at 10 of
 * held-out links: the simplest within one standard error of the best.
 *
 * \param out    receives the map; NULL on failure; freed by il_mapping_close
 * \param a, b   the sides; borrowed for the call
 * \param links  rows in range, no row twice; seeds weigh 1; borrowed for the call
 * \param config NULL = defaults; copied
 * \return IL_OK; IL_EBOOTSTRAP: fewer than IL_MAP_LINKS_MIN links on usable rows, or too
 * few for the kind that is wanted; IL_EARG; IL_ENOMEM; IL_ECANCEL
 * Cost O((n + m) d^2 + d^3) for the axes, O(links columns^2) and some solutions of order
 * columns for each fold and lambda. Equal inputs, config and version give equal bytes on
 * every instruction set and number of threads.
 */
IL_API IL_MUST_CHECK enum il_status
il_mapping_fit(struct il_mapping **out, const struct il_matrix *a,
               const struct il_matrix *b, const struct il_link *links, size_t count,
               const struct il_map_config *config, struct il_error *error);

/** Frees the map and sets it to NULL; accepts NULL in *mapping. */
IL_API void il_mapping_close(struct il_mapping **mapping);

/** What it is; borrowed until il_mapping_close. Any thread. */
IL_API const struct il_map_info *il_mapping_info(const struct il_mapping *mapping);

/** Writes a map to a file, whole or not at all (formats/map.md); "-" is standard output.
 * \return IL_OK; IL_EIO; IL_ENOMEM */
IL_API IL_MUST_CHECK enum il_status il_mapping_save(const struct il_mapping *mapping,
                                                    const char *path,
                                                    struct il_error *error);
/** Reads a map. \return IL_OK; IL_EIO; IL_EFORMAT: no map; IL_ECORRUPT; IL_EVERSION;
 * IL_ENOMEM. *out NULL on failure */
IL_API IL_MUST_CHECK enum il_status
il_mapping_load(struct il_mapping **out, const char *path, struct il_error *error);

/** One direction of a map, ready for rows. */
struct il_mapper;

/**
 * Opens a direction. \param reverse 0: rows of A become rows of B; 1: the other way
 * \param mapping  borrowed until il_mapper_close
 * \param threads  0: one per core; never changes a bit
 * \return IL_OK; IL_EARG; IL_ENOMEM. *out NULL on failure. One thread per mapper.
 */
IL_API IL_MUST_CHECK enum il_status il_mapper_open(struct il_mapper **out,
                                                   const struct il_mapping *mapping,
                                                   int reverse, unsigned threads,
                                                   struct il_error *error);
/**
 * Maps rows.
 *
 * Confidence is the share of held-out links, like this row, whose partner was among the
 * first ten of il_map_figures.candidates rows. "Like" is a number, evidence: the mean
 * over the two nearest fitted rows (of at most 2,048 that are kept) of the cosine to it
 * times the held-out cosine of image and partner there; the share is a monotone function
 * of it (isotonic over bins of held-out links). So it says whether the counterpart would
 * be found if it is there, not whether there is one.
 *
 * \param rows  count x dim floats of the space it maps from
 * \param out   count x dim floats of the other space, of length 1; written; a row that is
 * zero or not finite has no image: zeros, and confidence 0
 * \param confidence  count floats, 0 to 1; may be NULL
 * \param lost  receives the number of rows without image; may be NULL
 * \return IL_OK; IL_ENOMEM. O(count dim columns) time.
 */
IL_API IL_MUST_CHECK enum il_status il_mapper_rows(struct il_mapper *mapper,
                                                   const float *rows, size_t count,
                                                   float *out, float *confidence,
                                                   size_t *lost);
IL_API void il_mapper_close(struct il_mapper **mapper);

#ifdef __cplusplus
}
#endif
#endif
