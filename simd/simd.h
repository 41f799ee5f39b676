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
 * first. An empty place holds -INFINITY and IL_INDEX_NONE.
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
    /* C[i][j] = fma chain over q ascending of a[i][q] b[j][q], from +0 or, when
       accumulate, from the C there; a in panels of mr, b in panels of nr, both 64-byte
       aligned; c n x m, stride ld_c. n, m, k may be 0 */
    void (*gemm_f32)(size_t n, size_t m, size_t k, const float *a, const float *b,
                     float *c, size_t ld_c, int accumulate);
    void (*match3_f32)(const struct il_match3_block *block);

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

#endif
