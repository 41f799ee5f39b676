/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The kernel table: one entry per hand-tuned routine, filled for the best instruction set
 * of the machine. Every kernel gives the same bits on every instruction set (the order of
 * operations is part of its contract, written at its ref/ twin).
 */
#ifndef IL_SIMD_H
#define IL_SIMD_H

#include <stddef.h>
#include <stdint.h>

enum il_isa { IL_ISA_REF = 0, IL_ISA_NEON = 1, IL_ISA_AVX2 = 2, IL_ISA_AVX512 = 3 };

#define IL_TOP 3
#define IL_INDEX_NONE UINT32_MAX

/**
 * The three best partners of one row or column, best first; equal values: lowest index
 * first. An empty place holds -INFINITY and IL_INDEX_NONE; in its stead any value without
 * an index, in all three places, keeps out the scores below it.
 */
struct il_top3 {
    float value[IL_TOP];
    uint32_t index[IL_TOP];
};

/**
 * One block of the fused matcher K3: rows x columns scores s_ij = <a_i, b_j>, each one
 * fma chain over the k coordinates ascending from +0, never stored; NaN never wins.
 */
struct il_match3_block {
    size_t k;       /* coordinates, >= 1 */
    const float *a; /* rows: panels of il_simd.mr, see pack_f32; 64-byte aligned */
    size_t a_rows;  /* rows in a */
    const float *b; /* columns: panels of il_simd.nr; 64-byte aligned */
    size_t b_rows;  /* columns in b */
    const uint32_t *a_index; /* index to record for row i of a; strictly ascending */
    const uint32_t *b_index; /* the same for column j of b; NULL = j itself */
    struct il_top3 *row;     /* a_rows entries, updated; over b_index */
    struct il_top3 *col;     /* b_rows entries, updated; over a_index */
};

/** The two best partners of one row or column; as il_top3. */
struct il_top2 {
    float value[2];
    uint32_t index[2];
};

#define IL_TOPK_MAX 64

/**
 * One block of match1_f32: scores as in il_match3_block, the best or the two best of
 * every row and column. NaN and -Inf never win. Meant for large blocks: what a row or
 * column costs besides the scan is some 200 scores of the other side per place.
 */
struct il_match1_block {
    size_t k;       /* coordinates, >= 1 */
    size_t top;     /* 1: only the first place of each list is used, 2: both */
    const float *a; /* as in il_match3_block */
    size_t a_rows;
    const float *b;
    size_t b_rows;
    const uint32_t *a_index; /* index to record for row i of a; NULL = i itself */
    const uint32_t *b_index; /* the same for column j of b */
    struct il_top2 *row;     /* a_rows entries, updated; over b_index */
    struct il_top2 *col;     /* b_rows entries, updated; over a_index */
    void *scratch;           /* il_match1_scratch(top, k, a_rows, b_rows) bytes, 64-byte
                                aligned; not shared between threads */
};

/**
 * One block of topk_f32: the top best of every row and, unless col_value is NULL, the
 * best of every column. Scores and what wins as in il_match1_block.
 */
struct il_topk_block {
    size_t k;
    size_t top; /* places of a row, 1..IL_TOPK_MAX */
    const float *a;
    size_t a_rows;
    const float *b;
    size_t b_rows;
    const uint32_t *a_index; /* NULL = i itself */
    const uint32_t *b_index;
    float *row_value; /* a_rows x top, best first, updated; empty: -Inf, IL_INDEX_NONE */
    uint32_t *row_index;
    float *col_value; /* b_rows, updated; or NULL */
    uint32_t *col_index;
    void *scratch; /* il_topk_scratch(top, k, a_rows, b_rows) bytes, 64-byte aligned */
};

/** Rows of a stored block, and anchors of a packed panel: the same everywhere. */
#define IL_ROWS 64
#define IL_ROWS_ANCHORS 6

enum il_i8_side { IL_I8_A = 0, IL_I8_B = 1 };

/**
 * Rows in bytes beside their f32 panels, for the filter of match3_i8. With a tail the
 * last two coordinates are no bytes but an addend of the score: rows of a end in 1, x and
 * rows of b in x, 1. quantise_i8 writes the four arrays and updates the maxima and
 * usable, so that rows may be quantised in pieces; they start as 0, 0, 0 and 1.
 */
struct il_i8_rows {
    enum il_i8_side side; /* decides the width of the panels */
    int tail;             /* 1: as above */
    float scale;          /* > 0; abs_max_f32 / 127 loses least */
    int8_t *q; /* panels as those of f32, il_i8_quads x 4 bytes a row; 64-byte aligned */
    float *error;                          /* per row: no shorter than row - scale * q */
    float *offset;                         /* per row: the x of the tail; 0 without */
    int32_t *sum;                          /* per row: the sum of its q */
    float norm_max, error_max, offset_max; /* of all rows, rounded up */
    int usable;                            /* 0: NaN, Inf, huge, or not such a tail */
};

/** Quads of coordinates per row in il_i8_rows.q. */
static inline size_t il_i8_quads(size_t k, int tail)
{
    const size_t count = k - (tail ? 2u : 0u);
    return (count + 3) / 4;
}

/** match3_f32 with the same rows in bytes: equal lists, for less work. */
struct il_match_i8_block {
    struct il_match3_block f32;
    const float *a_rows; /* the rows of a once more, row-major, stride a_ld */
    size_t a_ld;
    const struct il_i8_rows *a, *b; /* of the same k and tail; a_rows, b_rows rows */
};

struct il_simd {
    enum il_isa isa;
    size_t mr, nr; /* rows, columns of the register tile = widths of the packed panels */

    /* sum of x_i y_i in 64 striped lanes, one fma each, halving tree, + 0.0f */
    float (*dot_f32)(const float *x, const float *y, size_t n);
    /* out[i] = (float)x[i]; exact (f64: nearest even) */
    void (*f16_to_f32)(const uint16_t *x, size_t n, float *out);
    void (*i8_to_f32)(const int8_t *x, size_t n, float *out);
    void (*u8_to_f32)(const uint8_t *x, size_t n, float *out);
    void (*f64_to_f32)(const double *x, size_t n, float *out);
    /* y[i] = fma(a, x[i], y[i]) */
    void (*axpy_f32)(float a, const float *x, float *y, size_t n);
    /* x[i] = a * x[i] */
    void (*scale_f32)(float a, float *x, size_t n);
    /* in place: every row r of n x d to length 1: r *= 1 / max(sqrt(dot(r, r)), 1e-9);
       ld >= d; a row with NaN becomes NaN */
    void (*normalise_f32)(float *x, size_t n, size_t d, size_t ld);
    /* in place: x[i] = sqrt(max(2 - 2 x[i], 1e-9)), NaN stays: distance of unit rows from
       their product */
    void (*distance_f32)(float *x, size_t n);
    /* in place: x[i] = exp(-x[i]^2 / (2 width^2)), the bits of SLEEF's finz_ expf u10;
       never NULL, also in builds without SLEEF */
    void (*gauss_f32)(float *x, size_t n, float width);

    /* rows x k row-major (stride ld) -> panels of w rows, coordinate-major:
       out[(p k + q) w + r] = x[(p w + r) ld + q], rows past n are 0.
       out: ceil(n / w) w k floats */
    void (*pack_f32)(const float *x, size_t n, size_t k, size_t ld, size_t w, float *out);
    /* The same of rows[0], .. rows[n - 1] of x, anywhere and in any order */
    void (*pack_rows_f32)(const float *x, const uint32_t *rows, size_t n, size_t k,
                          size_t ld, size_t w, float *out);
    /* out[i ld + q] = scale * x[r ld_x + q], q < d, of rows r = rows[i], anywhere and in
       any order; rows NULL: r = i. ld_x, ld >= d; out may not overlap x */
    void (*gather_f32)(const float *x, const uint32_t *rows, size_t n, size_t d,
                       size_t ld_x, float scale, float *out, size_t ld);
    /* n <= IL_ROWS rows of k coordinates (stride ld) -> one i8 block as rows_i8 takes it:
       x / scale[i], rounded to f32, then to the nearest integer, ties to even; 0 for rows
       past n and coordinates past k. scale: n, from 2^-126 to 2^121, and no quotient may
       be 127.5 or more in size. out: il_rows_i8_block(k) bytes, any alignment */
    void (*block_i8)(const float *x, size_t n, size_t k, size_t ld, const float *scale,
                     int8_t *out);
    /* C[i][j] = fma chain over q ascending of a[i][q] b[j][q], from +0 or, when
       accumulate, from the C there; a in panels of mr, b in panels of nr, both 64-byte
       aligned; c n x m, stride ld_c. n, m, k may be 0 */
    void (*gemm_f32)(size_t n, size_t m, size_t k, const float *a, const float *b,
                     float *c, size_t ld_c, int accumulate);
    void (*match3_f32)(const struct il_match3_block *block);
    void (*match1_f32)(const struct il_match1_block *block);
    void (*topk_f32)(const struct il_topk_block *block);

    /* K1: rows stored in blocks of IL_ROWS, dimension-major, against k anchors.
       Coordinate q of row r of a block is x[q IL_ROWS + r]; in i8 blocks x[q / 4 (4
       IL_ROWS) + 4 r + q % 4], so that a row's groups of four lie together and a block
       has il_rows_i8_block(d) bytes; those past d are ignored. Blocks follow each other
       and need the alignment of their values only. All IL_ROWS rows of a block are read
       and answered: out[b k IL_ROWS + a IL_ROWS + r] is the score of anchor a for row r
       of block b. anchors: pack_f32 with w = IL_ROWS_ANCHORS, on every instruction set;
       any alignment. The score is one fma chain over q ascending from +0 of the stored
       value, widened exactly, times the anchor's; e4m3 is OCP e4m3fn. Of rows_i8 the
       finished chain is multiplied by scale[b IL_ROWS + r]. blocks, d, k may be 0. 33 KiB
       of stack */
    void (*rows_f32)(size_t blocks, size_t d, size_t k, const float *x,
                     const float *anchors, float *out);
    void (*rows_f16)(size_t blocks, size_t d, size_t k, const uint16_t *x,
                     const float *anchors, float *out);
    void (*rows_e4m3)(size_t blocks, size_t d, size_t k, const uint8_t *x,
                      const float *anchors, float *out);
    void (*rows_i8)(size_t blocks, size_t d, size_t k, const int8_t *x,
                    const float *scale, const float *anchors, float *out);
    /* The same with i8 anchors packed by this table's rows_pack_i8, 4-byte aligned: sums
       of the products, exact for d <= 131071, modulo 2^32 above */
    void (*rows_i8i8)(size_t blocks, size_t d, size_t k, const int8_t *x,
                      const void *anchors, int32_t *out);
    /* k anchors x d, row-major with stride ld -> what this table's rows_i8i8 takes; out:
       il_rows_i8_packed(k, d) bytes at most */
    void (*rows_pack_i8)(const int8_t *x, size_t k, size_t d, size_t ld, void *out);

    /* K5: bit q % 64 of word q / 64 of row i is set when x[i ld + q] > 0; so it is clear
       for zeros of both signs and for NaN. Bits past d are clear. out: n ceil(d / 64)
       words */
    void (*sign_bits)(const float *x, size_t n, size_t d, size_t ld, uint64_t *out);
    /* out[i] = bits in which x differs from row i of n rows of words words */
    void (*hamming_row)(const uint64_t *x, const uint64_t *rows, size_t n, size_t words,
                        uint32_t *out);
    /* out[i ld + j] = bits in which row i of a (n rows) differs from row j of b (m rows);
       words <= 1023, so that it fits; n, m, words may be 0. 16 KiB of stack */
    void (*hamming_block)(size_t n, size_t m, size_t words, const uint64_t *a,
                          const uint64_t *b, uint16_t *out, size_t ld);

    /* largest |x|, 0 for n = 0; NaN is passed over */
    float (*abs_max_f32)(const float *x, size_t n);
    /* n rows in panels (of k coordinates, tail included) to bytes; see il_i8_rows */
    void (*quantise_i8)(const float *panels, size_t n, size_t k, struct il_i8_rows *out);
    /* the lists of match3_f32, bit for bit; NULL where the machine multiplies no bytes */
    void (*match3_i8)(const struct il_match_i8_block *block);

    /* f64 helpers of the small factorisations; the dot in 16 striped lanes, fma, halving
       tree, + 0.0 */
    double (*dot_f64)(const double *x, const double *y, size_t n);
    /* y = fma(a, x, y) */
    void (*axpy_f64)(double a, const double *x, double *y, size_t n);
    /* plane rotation: t = c x - s y; y = s x + c y; x = t; as fma(c, x, -(s y)) and
       fma(s, x, c y) */
    void (*rot_f64)(double *x, double *y, size_t n, double c, double s);
};

/** Fills a table with the machine's best kernels up to isa_max. Any thread. */
void il_simd_init(struct il_simd *table, enum il_isa isa_max);

/**
 * The same without what some machines of an instruction set have beyond it (VNNI and
 * vpopcntq of avx512, sdot of neon): the tests reach those kernels so. Any thread.
 */
void il_simd_init_plain(struct il_simd *table, enum il_isa isa_max);

/**
 * The process's table: the best instruction set, lowered by
 * ISOLINK_ISA=ref|neon|avx2|avx512. An unknown name or one that this machine lacks gives
 * ref; il_simd_env_ok tells. Any thread.
 */
const struct il_simd *il_simd(void);

/** 1 = ISOLINK_ISA is unset or names an instruction set of this machine. Any thread. */
int il_simd_env_ok(void);

/** Name of an instruction set: "ref", "neon", "avx2", "avx512". Any thread. */
const char *il_isa_name(enum il_isa isa);

/** The instruction sets that this machine has, as in "ref avx2 avx512". Any thread. */
const char *il_simd_available(void);

/** Bytes of an i8 block: d up to a multiple of four. Sizes are not checked for overflow.
 */
static inline size_t il_rows_i8_block(size_t d)
{
    return (d + 3) / 4 * 4 * IL_ROWS;
}

/** Bytes for rows_pack_i8 on any instruction set. Sizes are not checked for overflow. */
static inline size_t il_rows_i8_packed(size_t k, size_t d)
{
    return (k + IL_ROWS_ANCHORS - 1) / IL_ROWS_ANCHORS * IL_ROWS_ANCHORS *
           ((d + 3) / 4 * 4) * sizeof(int16_t);
}

/** Empties a list. */
static inline void il_top3_clear(struct il_top3 *t)
{
    for (int i = 0; i < IL_TOP; i++) {
        t->value[i] = -__builtin_inff();
        t->index[i] = IL_INDEX_NONE;
    }
}

/** Inserts (value, index) where it belongs: only when value is larger than a kept one, or
    equal with a lower index. For the merge of lists too. */
static inline void il_top3_insert(struct il_top3 *t, float value, uint32_t index)
{
    int at = IL_TOP;
    while (at > 0 && (value > t->value[at - 1] ||
                      (value == t->value[at - 1] && index < t->index[at - 1]))) {
        at--;
    }
    for (int i = IL_TOP - 1; i > at; i--) {
        t->value[i] = t->value[i - 1];
        t->index[i] = t->index[i - 1];
    }
    if (at < IL_TOP) {
        t->value[at] = value;
        t->index[at] = index;
    }
}

/** Empties a list of places. */
static inline void il_topk_clear(float *value, uint32_t *index, size_t places)
{
    for (size_t i = 0; i < places; i++) {
        value[i] = -__builtin_inff();
        index[i] = IL_INDEX_NONE;
    }
}

/** Inserts (v, i) where it belongs, as il_top3_insert; -Inf is not kept. For the merge of
    lists too. */
static inline void il_topk_insert(float *value, uint32_t *index, size_t places, float v,
                                  uint32_t i)
{
    size_t at = places;
    while (at > 0 && v > -__builtin_inff() &&
           (v > value[at - 1] || (v == value[at - 1] && i < index[at - 1]))) {
        at--;
    }
    for (size_t p = places; at < places && p-- > at + 1;) {
        value[p] = value[p - 1];
        index[p] = index[p - 1];
    }
    if (at < places) {
        value[at] = v;
        index[at] = i;
    }
}

/* Bytes of scratch on any instruction set: maxima of a block of rows, two lists per row
   and column, one of them sorted, a panel, and the starts of the sorted pieces. */
static inline size_t il_match_scratch(size_t row_top, size_t col_top, size_t k, size_t n,
                                      size_t m)
{
    const size_t rows = (n + 15) * row_top;
    const size_t cols = (m + 31) * col_top;
    const size_t sorted = rows > cols ? rows : cols;
    return 2048 * 16 * sizeof(float) + 8 * (rows + cols) + 4 * sorted +
           32 * k * sizeof(float) + (n / 32 + m / 8 + 3) * sizeof(size_t) + 8 * 64;
}

/** Bytes of scratch for match1_f32 of n x m. Sizes are not checked for overflow. */
static inline size_t il_match1_scratch(size_t top, size_t k, size_t n, size_t m)
{
    return il_match_scratch(top, top, k, n, m);
}

/** Bytes of scratch for topk_f32 of n x m. Sizes are not checked for overflow. */
static inline size_t il_topk_scratch(size_t top, size_t k, size_t n, size_t m)
{
    return il_match_scratch(top, 1, k, n, m);
}

#endif
