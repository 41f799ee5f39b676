/* SPDX-License-Identifier: Apache-2.0 */
/* bench_quality: stores and seeds of a draw, one run held against the truth, the tables.
 */
#ifndef IL_BENCH_QUALITY_H
#define IL_BENCH_QUALITY_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <isolink/isolink.h>

/** A stream of random numbers (SplitMix64); equal states, equal numbers. */
struct il_bench_rng {
    uint64_t state;
};

struct il_bench_rng il_bench_rng_make(uint64_t draw, uint64_t purpose);
/** Uniform below n. */
size_t il_bench_below(struct il_bench_rng *rng, size_t n);

/** malloc of count items, zeroed; a benchmark without memory ends with a message. */
void *il_bench_alloc(size_t count, size_t size);

/** Where stores come from: a folder of two stores, or one of aligned rows that is cut. */
struct il_bench_source {
    char folder[400];
    char name[64];
    int cut;        /**< 1: aligned rows, every draw is a cut of its own */
    double overlap; /**< of a cut */
    size_t rows;    /**< documents of a cut, 0 = all */
    struct il_vectors *vectors[2];
    struct il_ids *ids[2]; /**< of a cut: [0] alone */
    struct il_pair *truth; /**< of a folder of two stores */
    size_t truth_count;
    struct il_pair *seeds; /**< seeds.csv, when there is one */
    size_t seed_count;
};

/**
 * Takes "DIR", or with cut "DIR:OVERLAP[:ROWS]", without looking at the files.
 * \return 1; 0 when it is no such thing
 */
int il_bench_source_parse(struct il_bench_source *s, const char *spec, int cut);

/** Reads the files. \return IL_OK, or what the reader of a file says */
enum il_status il_bench_source_open(struct il_bench_source *s, struct il_error *error);

void il_bench_source_close(struct il_bench_source *s);

/** 1 when a document of x is in y too, by id. */
int il_bench_source_related(const struct il_bench_source *x,
                            const struct il_bench_source *y);

/** Two stores of one draw. */
struct il_bench_stores {
    struct il_matrix side[2];
    struct il_pair *truth; /**< in random order */
    size_t truth_count;
    void *copy[2]; /**< rows that were gathered, NULL when borrowed from the source */
};

/** The stores of a draw: those of the folder, or the cut of that number. */
void il_bench_stores_make(struct il_bench_stores *out, const struct il_bench_source *s,
                          uint64_t draw);

/** Stores of a draw without any common document (truth is empty). */
void il_bench_stores_apart(struct il_bench_stores *out, const struct il_bench_source *s,
                           uint64_t draw);

/** Puts Gaussian noise of the same shape in the place of side B. */
void il_bench_stores_noise(struct il_bench_stores *stores, uint64_t draw);

void il_bench_stores_free(struct il_bench_stores *stores);

/** Seeds of a draw. */
struct il_bench_seeds {
    struct il_pair *pair;
    uint8_t *wrong; /**< 1: b is a random row */
    size_t count;
};

/**
 * Draws seeds from the truth; draw 0 takes seeds.csv when it has that number. In wrong of
 * them b is a random row that is no other seed's. \return 1; 0 when the truth or side B
 * is too small
 */
int il_bench_seeds_draw(struct il_bench_seeds *out, const struct il_bench_source *s,
                        const struct il_bench_stores *stores, size_t count, size_t wrong,
                        uint64_t draw);

/** True pairs in the order of a cycle: every a stands with the b of the next. \return as
 * draw */
int il_bench_seeds_shuffled(struct il_bench_seeds *out,
                            const struct il_bench_stores *stores, size_t count);

/** Random rows of both sides. \return as il_bench_seeds_draw */
int il_bench_seeds_random(struct il_bench_seeds *out,
                          const struct il_bench_stores *stores, size_t count,
                          uint64_t draw);

void il_bench_seeds_free(struct il_bench_seeds *seeds);

/** What one draw gave. Shares are 0..1. */
struct il_bench_draw {
    int refused;
    size_t links;     /**< judged: those that touch no seed */
    double precision; /**< 0 without links */
    double recall;
    double f1;
    double best_f1;            /**< best threshold with truth on the same scores */
    double precision_expected; /**< the report's */
    double ece;
    struct il_eval_bin bin[IL_EVAL_BINS]; /**< posterior is the sum here */
    size_t wrong_found, wrong_count;      /**< wrong seeds set aside, wrong seeds */
    size_t good_lost, good_count;         /**< good seeds set aside, good seeds */
    size_t seeds_found, seeds_tested;
    double seconds;
};

/**
 * Runs the linking and judges it as il_eval_files does; a second run with posterior_min =
 * 0 gives the candidates for best_f1. \return IL_OK (also when refused: F1 is 0); what
 * il_link_run says otherwise
 */
enum il_status il_bench_draw_run(struct il_bench_draw *out,
                                 const struct il_bench_stores *stores,
                                 const struct il_bench_seeds *seeds,
                                 const struct il_link_config *config,
                                 struct il_error *error);

/** A line of the quality table. */
struct il_bench_row {
    const struct il_bench_source *source;
    size_t seeds, wrong;
    size_t rows[2];
    size_t draw_count;
    struct il_bench_draw *draw;
};

/** A line of the refusal table. */
struct il_bench_null {
    const char *what;
    const struct il_bench_source *a, *b;
    size_t runs, refused, empty, linked, links_max;
    double seconds;
};

void il_bench_table_head(FILE *out, int name_columns);
void il_bench_table_row(FILE *out, int name_columns, const struct il_bench_row *row);
void il_bench_nulls_head(FILE *out, int name_columns);
void il_bench_nulls_row(FILE *out, int name_columns, const struct il_bench_null *null);

/** Everything as JSON. \return IL_OK, IL_EIO or IL_ENOMEM */
enum il_status il_bench_json(const char *path, const struct il_link_config *config,
                             const struct il_bench_row *row, size_t row_count,
                             const struct il_bench_null *null, size_t null_count,
                             struct il_error *error);

#endif
