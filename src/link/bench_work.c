/* SPDX-License-Identifier: Apache-2.0 */
/* Problems for every kernel, large enough that what falls on a row or column counts
   little, small enough for the caches that its callers block for. */
#include "src/link/bench_work.h"

#include <string.h>

enum { ROWS = 128, DIM = 384, TOPK = 10 };

static void clear3(struct il_work *w)
{
    for (size_t i = 0; i < w->n; i++)
        il_top3_clear(&w->row3[i]);
    for (size_t j = 0; j < w->m; j++)
        il_top3_clear(&w->col3[j]);
}

static void call_match3(struct il_work *w)
{
    clear3(w);
    w->simd->match3_f32(&(struct il_match3_block){.k = w->k,
                                                  .a = w->a,
                                                  .a_rows = w->n,
                                                  .b = w->b,
                                                  .b_rows = w->m,
                                                  .a_index = w->index,
                                                  .row = w->row3,
                                                  .col = w->col3});
}

static void call_match1(struct il_work *w)
{
    for (size_t i = 0; i < w->n; i++)
        il_topk_clear(w->row2[i].value, w->row2[i].index, 2);
    for (size_t j = 0; j < w->m; j++)
        il_topk_clear(w->col2[j].value, w->col2[j].index, 2);
    w->simd->match1_f32(&(struct il_match1_block){.k = w->k,
                                                  .top = w->top,
                                                  .a = w->a,
                                                  .a_rows = w->n,
                                                  .b = w->b,
                                                  .b_rows = w->m,
                                                  .row = w->row2,
                                                  .col = w->col2,
                                                  .scratch = w->scratch});
}

static void call_topk(struct il_work *w)
{
    il_topk_clear(w->value, w->place, w->n * w->top);
    /* The columns' values and places lie behind those of the rows. */
    il_topk_clear(w->value + w->n * TOPK, w->place + w->n * TOPK, w->m);
    w->simd->topk_f32(&(struct il_topk_block){.k = w->k,
                                              .top = w->top,
                                              .a = w->a,
                                              .a_rows = w->n,
                                              .b = w->b,
                                              .b_rows = w->m,
                                              .row_value = w->value,
                                              .row_index = w->place,
                                              .col_value = w->value + w->n * TOPK,
                                              .col_index = w->place + w->n * TOPK,
                                              .scratch = w->scratch});
}

static void call_gemm(struct il_work *w)
{
    w->simd->gemm_f32(w->n, w->m, w->k, w->a, w->b, w->out, w->m, 0);
}

static void call_dot(struct il_work *w)
{
    for (size_t i = 0; i < w->n; i++)
        w->out[i] = w->simd->dot_f32(w->a + i * w->k, w->b + i * w->k, w->k);
}

static void call_dot_f64(struct il_work *w)
{
    const double *y = w->d64 + w->n * w->k;
    for (size_t i = 0; i < w->n; i++)
        w->out[i] = (float)w->simd->dot_f64(w->d64 + i * w->k, y + i * w->k, w->k);
}

static void call_copy(struct il_work *w)
{
    memcpy(w->out, w->a, w->n * w->k * sizeof(float));
}

static void call_pack(struct il_work *w)
{
    w->simd->pack_f32(w->a, w->n, w->k, w->k, w->simd->nr, w->out);
}

static void call_block_i8(struct il_work *w)
{
    int8_t *out = (int8_t *)w->out;
    for (size_t i = 0; i < w->n; i += IL_ROWS) {
        const size_t rows = w->n - i < IL_ROWS ? w->n - i : IL_ROWS;
        w->simd->block_i8(w->a + i * w->k, rows, w->k, w->k, w->scale + i,
                          out + i / IL_ROWS * il_rows_i8_block(w->k));
    }
}

static void call_pack_rows(struct il_work *w)
{
    w->simd->pack_rows_f32(w->a, w->index, w->n, w->k, w->k, w->simd->nr, w->out);
}

static void call_gather(struct il_work *w)
{
    w->simd->gather_f32(w->a, w->index, w->n, w->k, w->k, 2.0f, w->out, w->k);
}

static void call_normalise(struct il_work *w)
{
    w->simd->normalise_f32(w->out, w->n, w->k, w->k);
}

static void call_axpy(struct il_work *w)
{
    w->simd->axpy_f32(1e-6f, w->a, w->out, w->n * w->k);
}

static void call_scale(struct il_work *w)
{
    w->simd->scale_f32(1.0f, w->out, w->n * w->k);
}

static void call_distance(struct il_work *w)
{
    w->simd->distance_f32(w->out, w->n * w->k);
}

static void call_gauss(struct il_work *w)
{
    w->simd->gauss_f32(w->out, w->n * w->k, 1.0f);
}

static void call_f16(struct il_work *w)
{
    w->simd->f16_to_f32(w->f16, w->n * w->k, w->out);
}

static void call_i8(struct il_work *w)
{
    w->simd->i8_to_f32((const int8_t *)w->f16, w->n * w->k, w->out);
}

static void call_u8(struct il_work *w)
{
    w->simd->u8_to_f32((const uint8_t *)w->f16, w->n * w->k, w->out);
}

static void call_f64(struct il_work *w)
{
    w->simd->f64_to_f32(w->d64, w->n * w->k, w->out);
}

static void call_axpy_f64(struct il_work *w)
{
    w->simd->axpy_f64(1e-6, w->d64, w->d64 + w->n * w->k, w->n * w->k);
}

static void call_rot_f64(struct il_work *w)
{
    w->simd->rot_f64(w->d64, w->d64 + w->n * w->k, w->n * w->k, 0.8, 0.6);
}

static void call_match3_i8(struct il_work *w)
{
    clear3(w);
    w->simd->match3_i8(&(struct il_match_i8_block){.f32 = {.k = w->k,
                                                           .a = w->a,
                                                           .a_rows = w->n,
                                                           .b = w->b,
                                                           .b_rows = w->m,
                                                           .a_index = w->index,
                                                           .row = w->row3,
                                                           .col = w->col3},
                                                   .a_rows = w->rows,
                                                   .a_ld = w->k,
                                                   .a = &w->i8_a,
                                                   .b = &w->i8_b});
}

static void call_rows_f32(struct il_work *w)
{
    w->simd->rows_f32(w->n / IL_ROWS, w->k, w->m, w->a, w->b, w->out);
}

static void call_rows_f16(struct il_work *w)
{
    w->simd->rows_f16(w->n / IL_ROWS, w->k, w->m, w->f16, w->b, w->out);
}

static void call_rows_e4m3(struct il_work *w)
{
    w->simd->rows_e4m3(w->n / IL_ROWS, w->k, w->m, (const uint8_t *)w->f16, w->b, w->out);
}

static void call_rows_i8(struct il_work *w)
{
    w->simd->rows_i8(w->n / IL_ROWS, w->k, w->m, (const int8_t *)w->f16, w->scale, w->b,
                     w->out);
}

static void call_rows_i8i8(struct il_work *w)
{
    w->simd->rows_i8i8(w->n / IL_ROWS, w->k, w->m, (const int8_t *)w->f16, w->packed_i8,
                       (int32_t *)w->out);
}

static void call_rows_pack_i8(struct il_work *w)
{
    w->simd->rows_pack_i8((const int8_t *)w->f16, w->n, w->k, w->k, w->packed_i8);
}

static void call_sign_bits(struct il_work *w)
{
    w->simd->sign_bits(w->a, w->n, w->k, w->k, w->bits_a);
}

static void call_hamming_row(struct il_work *w)
{
    w->simd->hamming_row(w->bits_a, w->bits_b, w->n, w->words, (uint32_t *)w->out);
}

static void call_hamming_block(struct il_work *w)
{
    w->simd->hamming_block(w->n, w->m, w->words, w->bits_a, w->bits_b, (uint16_t *)w->out,
                           w->m);
}

static void call_abs_max(struct il_work *w)
{
    w->scale[0] = w->simd->abs_max_f32(w->a, w->n * w->k);
}

static void call_quantise(struct il_work *w)
{
    w->simd->quantise_i8(w->rows, w->n, w->k, &w->i8_a);
}

/* -------------------------------------------------------------------------------- table
 */

static const struct il_work_kernel kernels[] = {
    {"match3_f32", call_match3, IL_WORK_PANELS, IL_WORK_F32, 2, 4096, 4096, 16, 0},
    {"match3_f32", call_match3, IL_WORK_PANELS, IL_WORK_F32, 2, 4096, 4096, 64, 0},
    {"match3_f32", call_match3, IL_WORK_PANELS, IL_WORK_F32, 2, 2048, 2048, 256, 0},
    {"match1_f32, 1 best", call_match1, IL_WORK_PANELS, IL_WORK_F32, 2, 4096, 4096, 16,
     1},
    {"match1_f32, 1 best", call_match1, IL_WORK_PANELS, IL_WORK_F32, 2, 4096, 4096, 64,
     1},
    {"match1_f32, 1 best", call_match1, IL_WORK_PANELS, IL_WORK_F32, 2, 2048, 2048, 256,
     1},
    {"match1_f32, 2 best", call_match1, IL_WORK_PANELS, IL_WORK_F32, 2, 4096, 4096, 64,
     2},
    {"topk_f32, 10 best", call_topk, IL_WORK_PANELS, IL_WORK_F32, 2, 4096, 4096, 64,
     TOPK},
    {"match3_i8", call_match3_i8, IL_WORK_PANELS, IL_WORK_I8, 2, 4096, 4096, 64, 0},
    {"match3_i8", call_match3_i8, IL_WORK_PANELS, IL_WORK_I8, 2, 2048, 2048, 256, 0},
    {"gemm_f32", call_gemm, IL_WORK_PANELS, IL_WORK_F32, 2, 960, 1024, 64, 0},
    {"gemm_f32", call_gemm, IL_WORK_PANELS, IL_WORK_F32, 2, 960, 1024, DIM, 0},
    {"rows_f32", call_rows_f32, IL_WORK_STORED, IL_WORK_F32, 2, 2048, 64, DIM, 0},
    {"rows_f16", call_rows_f16, IL_WORK_STORED, IL_WORK_F32, 2, 2048, 64, DIM, 0},
    {"rows_e4m3", call_rows_e4m3, IL_WORK_STORED, IL_WORK_F32, 2, 2048, 64, DIM, 0},
    {"rows_i8", call_rows_i8, IL_WORK_STORED, IL_WORK_F32, 2, 2048, 64, DIM, 0},
    {"rows_i8i8", call_rows_i8i8, IL_WORK_STORED, IL_WORK_I8, 2, 2048, 64, DIM, 0},
    {"hamming_block", call_hamming_block, IL_WORK_BITS, IL_WORK_ONE_BIT, 2, 1024, 1024,
     DIM, 0},
    {"dot_f32", call_dot, IL_WORK_FLAT, IL_WORK_F32, 2, ROWS, 0, DIM, 0},
    {"dot_f64", call_dot_f64, IL_WORK_FLAT, IL_WORK_F64, 2, ROWS, 0, DIM, 0},
    {"pack_f32", call_pack, IL_WORK_FLAT, IL_WORK_COPY, 8, ROWS, 0, DIM, 0},
    {"block_i8", call_block_i8, IL_WORK_FLAT, IL_WORK_COPY, 5, ROWS, 0, DIM, 0},
    {"pack_rows_f32", call_pack_rows, IL_WORK_FLAT, IL_WORK_COPY, 8, ROWS, 0, DIM, 0},
    {"gather_f32", call_gather, IL_WORK_FLAT, IL_WORK_COPY, 8, ROWS, 0, DIM, 0},
    {"normalise_f32", call_normalise, IL_WORK_FLAT, IL_WORK_COPY, 8, ROWS, 0, DIM, 0},
    {"axpy_f32", call_axpy, IL_WORK_FLAT, IL_WORK_COPY, 12, ROWS, 0, DIM, 0},
    {"scale_f32", call_scale, IL_WORK_FLAT, IL_WORK_COPY, 8, ROWS, 0, DIM, 0},
    {"distance_f32", call_distance, IL_WORK_FLAT, IL_WORK_COPY, 8, ROWS, 0, DIM, 0},
    {"gauss_f32", call_gauss, IL_WORK_FLAT, IL_WORK_COPY, 8, ROWS, 0, DIM, 0},
    {"abs_max_f32", call_abs_max, IL_WORK_FLAT, IL_WORK_COPY, 4, ROWS, 0, DIM, 0},
    {"quantise_i8", call_quantise, IL_WORK_FLAT, IL_WORK_COPY, 5, ROWS, 0, DIM, 0},
    {"rows_pack_i8", call_rows_pack_i8, IL_WORK_FLAT, IL_WORK_COPY, 2, ROWS, 0, DIM, 0},
    {"sign_bits", call_sign_bits, IL_WORK_FLAT, IL_WORK_COPY, 4.125, ROWS, 0, DIM, 0},
    {"hamming_row", call_hamming_row, IL_WORK_FLAT, IL_WORK_COPY, 0.125, ROWS, 0, DIM, 0},
    {"f16_to_f32", call_f16, IL_WORK_FLAT, IL_WORK_COPY, 6, ROWS, 0, DIM, 0},
    {"i8_to_f32", call_i8, IL_WORK_FLAT, IL_WORK_COPY, 5, ROWS, 0, DIM, 0},
    {"u8_to_f32", call_u8, IL_WORK_FLAT, IL_WORK_COPY, 5, ROWS, 0, DIM, 0},
    {"f64_to_f32", call_f64, IL_WORK_FLAT, IL_WORK_COPY, 12, ROWS, 0, DIM, 0},
    {"axpy_f64", call_axpy_f64, IL_WORK_FLAT, IL_WORK_COPY, 24, ROWS, 0, DIM, 0},
    {"rot_f64", call_rot_f64, IL_WORK_FLAT, IL_WORK_COPY, 32, ROWS, 0, DIM, 0},
};
_Static_assert(2 * sizeof kernels / sizeof *kernels <= IL_BENCH_KERNELS_MAX,
               "a line for one thread and one for all");

static const struct il_work_kernel copying = {
    "copy", call_copy, IL_WORK_FLAT, IL_WORK_COPY, 8, ROWS, 0, DIM, 0};

const struct il_work_kernel *il_work_kernels(size_t *count)
{
    *count = sizeof kernels / sizeof *kernels;
    return kernels;
}

int il_work_available(const struct il_work_kernel *kernel)
{
    return kernel->call != call_match3_i8 || il_simd()->match3_i8 != NULL;
}

const struct il_work_kernel *il_work_copying(void)
{
    return &copying;
}

/* -------------------------------------------------------------------------------- memory
 */

static void *take(struct il_work *w, size_t count, size_t size)
{
    void *block = il_alloc(count, size);
    IL_ASSERT(w->blocks < IL_WORK_BLOCKS);
    w->failed |= block == NULL;
    w->block[w->blocks++] = block;
    return block;
}

void il_work_close(struct il_work *w)
{
    for (size_t i = 0; i < w->blocks; i++)
        il_free(w->block[i]);
    *w = (struct il_work){0};
}

static void take_i8(struct il_work *w, struct il_i8_rows *rows, size_t padded)
{
    rows->q = take(w, padded * il_i8_quads(w->k, 0), 4);
    rows->error = take(w, padded, sizeof(float));
    rows->offset = take(w, padded, sizeof(float));
    rows->sum = take(w, padded, sizeof(int32_t));
}

/* Pages that a kernel does not touch cost nothing, so all kinds get all but the
   products. */
static void take_all(struct il_work *w, int products)
{
    size_t n = w->n, m = w->m, k = w->k, lists = n + m;
    size_t padded = (n > m ? n : m) + 64; /* room for the last panel */
    size_t match = il_match1_scratch(2, k, n, m), top = il_topk_scratch(TOPK, k, n, m);
    size_t out = products && n * m > padded * k ? n * m : padded * k;

    w->words = (k + 63) / 64;
    w->a = take(w, padded * k, sizeof(float));
    w->b = take(w, padded * k, sizeof(float));
    w->rows = take(w, padded * k, sizeof(float));
    w->out = take(w, out, sizeof(float));
    w->d64 = take(w, 2 * n * k, sizeof(double));
    w->f16 = take(w, padded * k, sizeof(uint16_t));
    w->scale = take(w, n, sizeof(float));
    w->packed_i8 = take(w, il_rows_i8_packed(padded, k), 1);
    w->bits_a = take(w, padded * w->words, sizeof(uint64_t));
    w->bits_b = take(w, padded * w->words, sizeof(uint64_t));
    w->index = take(w, lists, sizeof(uint32_t));
    w->row3 = take(w, lists, sizeof(struct il_top3));
    w->col3 = take(w, lists, sizeof(struct il_top3));
    w->row2 = take(w, lists, sizeof(struct il_top2));
    w->col2 = take(w, lists, sizeof(struct il_top2));
    w->value = take(w, lists * TOPK, sizeof(float));
    w->place = take(w, lists * TOPK, sizeof(uint32_t));
    w->scratch = take(w, match > top ? match : top, 1);
    take_i8(w, &w->i8_a, padded);
    take_i8(w, &w->i8_b, padded);
}

/* -------------------------------------------------------------------------------- values
 */

/* Rows of unit length, near enough to normal. */
static void fill_rows(const struct il_work *w, struct il_rng *rng, float *x, size_t rows)
{
    for (size_t i = 0; i < rows * w->k; i++) {
        uint64_t bits = il_rng_next(rng);
        int32_t sum = (int32_t)((bits & 0xffff) + (bits >> 16 & 0xffff) +
                                (bits >> 32 & 0xffff) + (bits >> 48));
        x[i] = (float)(sum - 2 * 0xffff);
    }
    w->simd->normalise_f32(x, rows, w->k, w->k);
}

static void quantise(const struct il_work *w, struct il_i8_rows *rows,
                     enum il_i8_side side, const float *panels, size_t count)
{
    float largest = w->simd->abs_max_f32(panels, count * w->k);
    rows->side = side;
    rows->tail = 0;
    rows->scale = largest > 0 ? largest / 127 : 1;
    rows->norm_max = rows->error_max = rows->offset_max = 0;
    rows->usable = 1;
    w->simd->quantise_i8(panels, count, w->k, rows);
}

static void fill_panels(struct il_work *w, struct il_rng *rng)
{
    const struct il_simd *s = w->simd;
    fill_rows(w, rng, w->rows, w->n);
    s->pack_f32(w->rows, w->n, w->k, w->k, s->mr, w->a);
    fill_rows(w, rng, w->out, w->m);
    s->pack_f32(w->out, w->m, w->k, w->k, s->nr, w->b);
    quantise(w, &w->i8_a, IL_I8_A, w->a, w->n);
    quantise(w, &w->i8_b, IL_I8_B, w->b, w->m);
    for (size_t i = 0; i < w->n; i++)
        w->index[i] = (uint32_t)i;
}

/* Values of every type; any layout of them will do. */
static void fill_stored(struct il_work *w, struct il_rng *rng, size_t anchors)
{
    fill_rows(w, rng, w->out, anchors);
    w->simd->pack_f32(w->out, anchors, w->k, w->k, IL_ROWS_ANCHORS, w->b);
    fill_rows(w, rng, w->a, w->n);
    for (size_t i = 0; i < w->n * w->k; i++)
        w->f16[i] = 0x3555; /* a third */
    for (size_t i = 0; i < w->n; i++)
        w->scale[i] = 0.01f;
    w->simd->rows_pack_i8((const int8_t *)w->f16, anchors, w->k, w->k, w->packed_i8);
}

static void fill_flat(struct il_work *w, struct il_rng *rng)
{
    size_t count = w->n * w->k;
    fill_stored(w, rng, w->n);
    fill_rows(w, rng, w->b, w->n);
    memcpy(w->out, w->b, count * sizeof(float));
    for (size_t i = 0; i < count; i++) {
        w->d64[i] = (double)w->a[i];
        w->d64[count + i] = (double)w->b[i];
    }
    for (size_t i = 0; i < w->n; i++)
        w->index[i] = (uint32_t)(i * 37 % w->n); /* no order */
    w->simd->pack_f32(w->a, w->n, w->k, w->k, w->simd->mr, w->rows);
    quantise(w, &w->i8_a, IL_I8_A, w->rows, w->n);
}

static void fill_bits(struct il_work *w, struct il_rng *rng)
{
    for (size_t i = 0; i < w->n * w->words; i++)
        w->bits_a[i] = il_rng_next(rng);
    for (size_t i = 0; i < (w->m ? w->m : w->n) * w->words; i++)
        w->bits_b[i] = il_rng_next(rng);
}

enum il_status il_work_open(struct il_work *w, const struct il_work_kernel *kernel,
                            size_t n, size_t m, unsigned number)
{
    struct il_rng rng = il_rng_make(0, 0, number, IL_FOR_SAMPLE);

    *w = (struct il_work){
        .simd = il_simd(), .n = n, .m = m, .k = kernel->k, .top = kernel->top};
    take_all(w, kernel->call == call_gemm || kernel->kind != IL_WORK_PANELS);
    if (w->failed) {
        il_work_close(w);
        return IL_ENOMEM;
    }
    if (kernel->kind == IL_WORK_PANELS)
        fill_panels(w, &rng);
    else if (kernel->kind == IL_WORK_STORED)
        fill_stored(w, &rng, m);
    else if (kernel->kind == IL_WORK_FLAT)
        fill_flat(w, &rng);
    if (kernel->kind == IL_WORK_FLAT || kernel->kind == IL_WORK_BITS)
        fill_bits(w, &rng);
    return IL_OK;
}
