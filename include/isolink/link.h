/* SPDX-License-Identifier: Apache-2.0 */
/* Linking: which rows of two sides belong to the same document, from a few known pairs.
 */
#ifndef ISOLINK_LINK_H
#define ISOLINK_LINK_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
#include <atomic>
/** A flag that another thread or a signal handler may set. */
typedef std::atomic<int> il_atomic_int;
#else
#include <stdatomic.h>
typedef atomic_int il_atomic_int;
#endif

#include <isolink/matrix.h>
#include <isolink/status.h>

#ifdef __cplusplus
extern "C" {
#endif

/** Row a of side A and row b of side B. */
struct il_pair {
    uint64_t a;
    uint64_t b;
};

/** How the links are found; src/link/README.md describes each. */
enum il_method {
    IL_METHOD_GEH = 0, /**< cross-fitted maps, decoys, one acceptance at the end */
    IL_METHOD_GEH_PUBLISHED =
        1, /**< distance signatures and accumulated votes, as published */
    /* One fit on the seeds alone, then mutual nearest neighbours: */
    IL_METHOD_PROCRUSTES = 2,  /**< orthogonal map */
    IL_METHOD_RIDGE = 3,       /**< ridge regression */
    IL_METHOD_CCA = 4,         /**< regularised canonical correlation analysis */
    IL_METHOD_CSLS = 5,        /**< orthogonal map, CSLS in place of the cosine */
    IL_METHOD_MLP = 6,         /**< network of one hidden layer */
    IL_METHOD_RELATIVE = 7,    /**< cosines to the seeds as coordinates */
    IL_METHOD_MINI_VEC2VEC = 8 /**< clusters matched without seeds, as published */
};

/** Where a link comes from. */
enum il_origin {
    IL_ORIGIN_SEED = 0,
    IL_ORIGIN_LINK = 1,
    IL_ORIGIN_INFERRED = 2 /**< two links of a third side say it: closing.h */
};

/** Which pairs of rows are scored. */
enum il_scope {
    IL_SCOPE_AUTO = 0,   /**< local where global would be dear: src/link/README.md */
    IL_SCOPE_GLOBAL = 1, /**< every row of A with every row of B */
    IL_SCOPE_LOCAL = 2   /**< rows that share a cluster; cost grows with n, not n m */
};

/** One link. */
struct il_link {
    uint64_t a;       /**< row of side A */
    uint64_t b;       /**< row of side B */
    double posterior; /**< estimated probability that the link is right, 0..1; 1 for a
                         seed; of methods that estimate no precision what the seeds held
                         back allow to say, the same for all links, rather too high */
    uint32_t votes; /**< views that proposed the pair without having been fitted on it */
    uint32_t opportunities; /**< views that could have proposed it */
    float margin; /**< score minus the better of the row's and the column's second best */
    uint32_t round; /**< round in which the pair first became an anchor; 0 for a seed */
    enum il_origin origin;
};

/** A side of the progress report: called between steps, from the thread that called run.
 */
typedef void il_progress_fn(void *context, const char *stage, double done, double total);

/** What a run needs to know. Fill with il_link_config_init, then change what you want. */
struct il_link_config {
    size_t struct_bytes; /**< sizeof(struct il_link_config): set by il_link_config_init */
    enum il_method method; /**< default IL_METHOD_GEH */
    unsigned threads; /**< 1..256; 0 (default) = one per available core; never changes the
                         links */
    uint64_t seed;    /**< random seed number; default 0 */
    unsigned
        views; /**< views of a scoring round, 2..64; 0 (default) = the method's own */
    unsigned folds;       /**< folds of a view, 2..16; 0 (default) = the method's own */
    double posterior_min; /**< keep links with at least this posterior instead of the
                             threshold of the largest estimated F1; 0..1; below 0
                             (default) = not set */
    int weighting; /**< geh-published: 1 = Gaussian weighting of the distances; default 0
                    */
    il_progress_fn *progress; /**< may be NULL */
    void *progress_context;
    enum il_scope scope; /**< geh: default IL_SCOPE_AUTO */
    const il_atomic_int
        *cancel; /**< may be NULL; when non-zero the run ends soon with IL_ECANCEL */
};

/**
 * Name of a method, as in "geh". The methods are numbered from 0 without a gap.
 * \return a constant; NULL when there is no method of this number. Any thread.
 */
IL_API const char *il_method_text(enum il_method method);

/** Sets every field to its default. Any thread. */
IL_API void il_link_config_init(struct il_link_config *config);

/** One stage of a run. */
struct il_link_stage {
    const char *name;     /**< constant */
    double seconds;       /**< wall time */
    double multiply_adds; /**< of its matching and its maps */
};

#define IL_STAGES_MAX 12

/** What a run says of itself. All numbers are estimates from the vectors alone. */
struct il_link_report {
    enum il_method method;
    size_t rows_a, rows_b;       /**< rows given */
    size_t skipped_a, skipped_b; /**< rows that are zero or not finite: never linked */
    size_t seeds;                /**< seeds given */
    size_t seeds_usable;         /**< of them on usable rows */
    size_t seeds_wrong;  /**< usable seeds that the other seeds contradict: set aside */
    size_t seeds_tested; /**< seeds that were held out once */
    size_t seeds_found;  /**< of them linked by maps that never saw them */
    size_t links;        /**< accepted, without seeds */
    double precision;    /**< estimated precision of the links; NaN: the method estimates
                            none, the range is all that it knows */
    double precision_low, precision_high; /**< its range */
    double shared;                  /**< estimated number of documents on both sides */
    double shared_low, shared_high; /**< its range */
    double recall;                  /**< estimated share of the shared documents linked */
    double decoy_rate; /**< share of rows without partner that would be linked anyway */
    double agreement;  /**< share of pairs on which independent starts agree */
    int unseeded;      /**< 1: the start used no seeds; those given only tested it */
    double threshold;  /**< lowest posterior accepted */
    double fit_error;  /**< root mean square distance of the seeds' images from their
                          partners, all of length 1; NaN: not known to the method */
    double fit_bound;  /**< what it is at most, by the inner products of the seeds on
                          either side; NaN: not known, or above 2,048 seeds */
    unsigned rounds;   /**< rounds run */
    int local;         /**< 1: the local scope was taken */
    int refused;       /**< 1: no bootstrap is possible, `why` says so */
    char why[400];     /**< why the run ended as it did, with the evidence */
    double seconds;    /**< wall time of the run */
    size_t stages;
    struct il_link_stage stage[IL_STAGES_MAX];
};

/** A linking: holds the result of one run. */
struct il_linking;

/**
 * Finds the links of two sides.
 *
 * Method and equations: src/link/README.md; the frame is that of "Vector Linking via
 * Cross-Model Local Isometric Consistency" (arXiv 2605.31100). Equal inputs, config and
 * version give equal links on every instruction set and for every number of threads.
 * \param out     receives the handle, also on IL_EBOOTSTRAP (its links are the seeds
 * alone, its report names the evidence); NULL on other failures; freed by il_link_close
 * \param a, b    the sides; any types, any (also different) dimensions; borrowed for the
 * call \param seeds   known pairs; borrowed for the call; rows in range, no row twice.
 * May be none (seed_count 0, seeds NULL): geh then starts from the clusters of both
 * sides, and goes on only when independent starts agree and the links show common
 * documents. Fewer than 3 on usable rows, and fewer than 8 whose starts fail, only test
 * such a start. geh-published wants 3, mini-vec2vec none \param config  copied; NULL =
 * defaults \param error receives the reason on failure \return IL_OK; IL_EBOOTSTRAP when
 * seeds or sides do not support a bootstrap; IL_EARG; IL_ENOMEM; IL_ECANCEL Cost O(views
 * n m (d_a + d_b)) time, O((n + m)(d_a + d_b)) memory, never n x m. Uses its own threads;
 * different calls may run at once. Does not remove exact duplicates: they end as links of
 * low posterior or none.
 */
IL_API IL_MUST_CHECK enum il_status
il_link_run(struct il_linking **out, const struct il_matrix *a, const struct il_matrix *b,
            const struct il_pair *seeds, size_t seed_count,
            const struct il_link_config *config, struct il_error *error);

/** Links, best first, seeds included; borrowed until il_link_close. Any thread. */
IL_API const struct il_link *il_link_links(const struct il_linking *linking,
                                           size_t *count);

/** Seeds set aside as wrong, in input order; borrowed until il_link_close. Any thread. */
IL_API const struct il_pair *il_link_wrong_seeds(const struct il_linking *linking,
                                                 size_t *count);

/** Skipped rows (zero or not finite) of side A (side = 0) or B (1), ascending; borrowed.
 */
IL_API const uint64_t *il_link_skipped(const struct il_linking *linking, int side,
                                       size_t *count);

/** The report; borrowed until il_link_close. Any thread. */
IL_API const struct il_link_report *il_link_report(const struct il_linking *linking);

/** Frees the handle and sets it to NULL; accepts NULL in *linking. */
IL_API void il_link_close(struct il_linking **linking);

/** Name of the instruction set in use: "ref", "avx2", "avx512" or "neon". Any thread. */
IL_API const char *il_isa_text(void);

/**
 * Checks ISOLINK_ISA. \return IL_OK, or IL_EARG when it names no instruction set (the
 * text says which there are) or one that this machine lacks. Any thread.
 */
IL_API IL_MUST_CHECK enum il_status il_isa_check(struct il_error *error);

#ifdef __cplusplus
}
#endif
#endif
