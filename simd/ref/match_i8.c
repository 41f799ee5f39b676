/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rows in bytes and the matcher that filters with them: the definition.
 *
 * abs_max_f32 is exact. quantise_i8: q = x / scale, as x times the reciprocal, rounded to
 * nearest even and kept within +-127 (0 for NaN); error and norm of a row are square
 * roots of fma chains over the coordinates ascending, of x - scale q (one fma) and of x,
 * widened by what these roundings can lose.
 *
 * match3_i8 gives the lists of match3_f32 because a score is left out only when it cannot
 * enter them. With a = s_a p + d and b = s_b q + e the inner product is
 *
 *   <a, b> = s_a s_b <p, q> + <d, b> + <s_a p, e>
 *         <= s_a s_b <p, q> + |d| max|b| + max|s_a p| |e|
 *
 * by Cauchy and Schwarz, with the true lengths of the rests d and e. To that come the
 * addends of the tails and what the f32 chain can round. In units of s_a s_b every term
 * belongs to the row or to the column alone and is rounded up to an integer, so that one
 * sum of integers bounds the score from above; it is held against the entry scores in
 * the same units, rounded down. Pairs that pass get their f32 chain as in match3_f32.
 * Where the lengths are not finite, or the units too small for 32 bits, nothing is
 * filtered. Which pairs pass is not part of the contract.
 */
#include "score.h"

#include <math.h>

static int32_t quantise(float x, float inverse)
{
    float t = x * inverse;
    t = t > 127.0f ? 127.0f : t < -127.0f ? -127.0f : t;
    return t == t ? (int32_t)lrintf(t) : 0;
}

float il_abs_max_f32_ref(const float *x, size_t n)
{
    float max = 0.0f;
    for (size_t i = 0; i < n; i++) {
        max = fabsf(x[i]) > max ? fabsf(x[i]) : max;
    }
    return max;
}

static float widen(float square, size_t k)
{
    return sqrtf(square) * (1.0f + (float)(k + 8) * 0x1p-22f) + IL_I8_TINY;
}

/* x: the row's first coordinate in a panel of width w; q: its first byte. */
static void quantise_row(const float *x, size_t k, size_t w, size_t row, int8_t *q,
                         struct il_i8_rows *out)
{
    const size_t count = k - (out->tail ? 2 : 0);
    const float inverse = 1.0f / out->scale;
    float norm2 = 0.0f, error2 = 0.0f, offset = 0.0f;
    int32_t sum = 0;
    for (size_t c = 0; c < il_i8_quads(k, out->tail) * 4; c++) {
        const float v = c < count ? x[c * w] : 0.0f;
        const int32_t byte = quantise(v, inverse);
        const float error = fmaf(-out->scale, (float)byte, v);
        norm2 = fmaf(v, v, norm2);
        error2 = fmaf(error, error, error2);
        sum += byte;
        q[c / 4 * w * 4 + c % 4] = (int8_t)byte;
    }
    const float norm = widen(norm2, k), error = widen(error2, k);
    if (out->tail) {
        offset = x[(out->side == IL_I8_A ? k - 1 : k - 2) * w];
        out->usable &= x[(out->side == IL_I8_A ? k - 2 : k - 1) * w] == 1.0f;
    }
    const float far = fabsf(offset);
    out->error[row] = error;
    out->offset[row] = offset;
    if (out->sum != NULL) {
        out->sum[row] = sum;
    }
    out->usable &= norm <= IL_I8_HUGE && error <= IL_I8_HUGE && far <= IL_I8_HUGE;
    out->norm_max = norm > out->norm_max ? norm : out->norm_max;
    out->error_max = error > out->error_max ? error : out->error_max;
    out->offset_max = far > out->offset_max ? far : out->offset_max;
}

void il_quantise_i8_ref(const float *panels, size_t n, size_t k, struct il_i8_rows *out)
{
    const size_t w = out->side == IL_I8_A ? IL_MR_REF : IL_NR_REF;
    const size_t bytes = il_i8_quads(k, out->tail) * 4;
    for (size_t i = 0; i < n; i++) {
        quantise_row(panels + i / w * w * k + i % w, k, w, i,
                     out->q + i / w * w * bytes + i % w * 4, out);
    }
}

/* What turns scores into integer bounds; unit = 0: nothing is filtered. */
struct plan {
    double unit, row_weight, col_weight, slack;
};

static struct plan plan(const struct il_match_i8_block *t)
{
    const struct il_i8_rows *a = t->a, *b = t->b;
    struct plan p = {0};
    const double a_size = (double)a->norm_max + (double)a->error_max;
    const double b_size = (double)b->norm_max + (double)b->error_max;
    const double reach = a_size * b_size + (double)a->offset_max + (double)b->offset_max;
    if (!a->usable || !b->usable || !(a->scale >= IL_I8_TINY) ||
        !(b->scale >= IL_I8_TINY) || t->f32.k > IL_I8_K_MAX) {
        return p;
    }
    p.unit = (double)a->scale * (double)b->scale;
    p.row_weight = (double)b->norm_max;
    p.col_weight = a_size;
    p.slack = ((double)(t->f32.k + 4) * 0x1p-23 * reach + 1e-30) / p.unit + 1.0;
    return p;
}

static int32_t byte_dot(const struct il_match_i8_block *t, size_t i, size_t j)
{
    const size_t quads = il_i8_quads(t->f32.k, t->a->tail);
    const int8_t *x = t->a->q + (i / IL_MR_REF * quads * IL_MR_REF + i % IL_MR_REF) * 4;
    const int8_t *y = t->b->q + (j / IL_NR_REF * quads * IL_NR_REF + j % IL_NR_REF) * 4;
    int32_t sum = 0;
    for (size_t c = 0; c < quads * 4; c++) {
        sum += x[c / 4 * IL_MR_REF * 4 + c % 4] * y[c / 4 * IL_NR_REF * 4 + c % 4];
    }
    return sum;
}

/* 0: the score (i, j) is below the third entries of both lists. */
static int passes(const struct il_match_i8_block *t, const struct plan *p, size_t i,
                  size_t j)
{
    if (p->unit == 0.0) {
        return 1;
    }
    const double row =
        ((double)t->a->error[i] * p->row_weight + (double)t->a->offset[i]) / p->unit;
    const double col =
        ((double)t->b->error[j] * p->col_weight + (double)t->b->offset[j]) / p->unit;
    const double bound = byte_dot(t, i, j) + ceil(row + p->slack) + ceil(col);
    const double row_entry = (double)t->f32.row[i].value[IL_TOP - 1];
    const double col_entry = (double)t->f32.col[j].value[IL_TOP - 1];
    return bound >= floor(row_entry / p->unit) - 1.0 ||
           bound >= floor(col_entry / p->unit) - 1.0;
}

void il_match3_i8_ref(const struct il_match_i8_block *t)
{
    const struct plan p = plan(t);
    for (size_t i = 0; i < t->f32.a_rows; i++) {
        for (size_t j = 0; j < t->f32.b_rows; j++) {
            if (!passes(t, &p, i, j)) {
                continue;
            }
            const float score = il_score_ref(t->f32.a, i, t->f32.b, j, t->f32.k, 0.0f);
            il_top3_insert(&t->f32.row[i], score,
                           t->f32.b_index ? t->f32.b_index[j] : (uint32_t)j);
            il_top3_insert(&t->f32.col[j], score, t->f32.a_index[i]);
        }
    }
}
