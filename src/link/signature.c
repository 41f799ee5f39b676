/* SPDX-License-Identifier: Apache-2.0 */
/* Signatures of rows in a view, the panels that the matcher reads, and the matcher's
 * threads. */
#include <math.h>
#include <string.h>

#include "src/link/frame.h"

/* Rows that one task signs: with 512 coordinates 0.5 MB, half of a small L2. */
#define BLOCK 240

/* Rows that one task matches: the more of them, the fewer times it goes through the lists
 * of all columns; fewer when that leaves a thread without work. */
#define MATCH_BLOCK_MAX 960
#define MATCH_TASKS_MIN 8 /* per thread */
/* Bytes of columns that it goes through before it looks at the memory: panels of a large
 * cluster are more than a small bound. */
#define MATCH_BYTES ((size_t)8 << 20)

/* Bytes pay from here on; with fewer columns most scores enter some list. */
#define BYTES_K_MIN 16
#define BYTES_ROWS_MIN 1000

size_t il_signature_k(const struct il_signature *s)
{
    size_t k = s->tail == IL_TAIL_NONE ? 0 : 2;
    for (size_t p = 0; p < s->parts; p++) {
        k += s->part[p].k;
    }
    return k;
}

float *il_map_pack(const struct il_simd *simd, const double *map, size_t k_in,
                   size_t k_out)
{
    size_t w = simd->nr, panels = (k_out + w - 1) / w;
    float *out = il_alloc_zero(panels * w * k_in, sizeof *out);
    for (size_t j = 0; out && j < k_out; j++) {
        for (size_t q = 0; q < k_in; q++) {
            out[(j / w * k_in + q) * w + j % w] = (float)map[q * k_out + j];
        }
    }
    return out;
}

float *il_vectors_pack(const struct il_simd *simd, const double *vectors, size_t d,
                       size_t k)
{
    double *map = il_alloc(d * k, sizeof *map);
    float *out = NULL;
    if (map) {
        for (size_t q = 0; q < k; q++) {
            for (size_t i = 0; i < d; i++) {
                map[i * k + q] = vectors[q * d + i];
            }
        }
        out = il_map_pack(simd, map, d, k);
    }
    il_free(map);
    return out;
}

void il_map_unpack(const struct il_simd *simd, const float *packed, size_t k_in,
                   size_t k_out, float *map)
{
    size_t w = simd->nr;
    for (size_t j = 0; j < k_out; j++) {
        for (size_t q = 0; q < k_in; q++) {
            map[q * k_out + j] = packed[(j / w * k_in + q) * w + j % w];
        }
    }
}

/* Scratch of one thread: panels of rows, signed rows; of a match in bytes. */
struct scratch {
    float *panels, *sign;
    float *rows; /* copies of the rows of a block, where they are not used in place */
    struct il_i8_rows bytes;
};

/* Coordinates that become bytes: all but the tail. */
static size_t byte_count(const struct il_signature *s)
{
    return il_signature_k(s) - (s->tail == IL_TAIL_NONE ? 0 : 2);
}

/* Room for rows in bytes, padded to panels of w. The sums only serve the side of a. */
static enum il_status bytes_open(struct il_i8_rows *out, const struct il_signature *sig,
                                 enum il_i8_side side, size_t rows, size_t w)
{
    int tail = sig->tail != IL_TAIL_NONE;
    size_t padded = (rows + w - 1) / w * w;
    *out = (struct il_i8_rows){.side = side, .tail = tail, .usable = 1};
    out->q = il_alloc(padded, il_i8_quads(il_signature_k(sig), tail) * 4);
    out->error = il_alloc(rows, sizeof *out->error);
    out->offset = il_alloc(rows, sizeof *out->offset);
    out->sum = side == IL_I8_A ? il_alloc(rows, sizeof *out->sum) : NULL;
    return out->q && out->error && out->offset && (out->sum || side == IL_I8_B)
               ? IL_OK
               : IL_ENOMEM;
}

static void bytes_close(struct il_i8_rows *bytes)
{
    il_free(bytes->q);
    il_free(bytes->error);
    il_free(bytes->offset);
    il_free(bytes->sum);
    memset(bytes, 0, sizeof *bytes);
}

static size_t part_width_max(const struct il_signature *s)
{
    size_t d = 1;
    for (size_t p = 0; p < s->parts; p++) {
        d = s->part[p].d > d ? s->part[p].d : d;
    }
    return d;
}

static enum il_status scratch_open(struct scratch *s, const struct il_simd *simd,
                                   const struct il_signature *sig, size_t block)
{
    size_t rows = (block + simd->mr - 1) / simd->mr * simd->mr;
    size_t k = il_signature_k(sig);
    size_t wide = part_width_max(sig) > k ? part_width_max(sig) : k;
    s->panels = il_alloc_hot(rows * wide, sizeof(float));
    s->sign = il_alloc_hot((rows + simd->nr) * k, sizeof(float));
    s->rows = il_alloc_hot(rows * part_width_max(sig), sizeof(float));
    return s->panels && s->sign && s->rows ? IL_OK : IL_ENOMEM;
}

static void scratch_close(struct scratch *s)
{
    il_free(s->panels);
    il_free(s->sign);
    il_free(s->rows);
    bytes_close(&s->bytes);
}

/* out (stride ld) = scale times the part's coordinates of count rows. */
static void sign_part(const struct il_simd *simd, const struct il_part *part,
                      const uint32_t *rows, size_t first, size_t count, float scale,
                      struct scratch *s, float *out, size_t ld)
{
    const float *x = rows ? part->x : part->x + first * part->d;
    const uint32_t *names = rows ? rows + first : NULL;
    size_t d = part->d;
    if (names && il_large_gather(x, d * sizeof *x, names, count, s->rows)) {
        x = s->rows;
        names = NULL;
    }
    if (!part->map) {
        simd->gather_f32(x, names, count, d, d, scale, out, ld);
        return;
    }
    if (names) {
        simd->pack_rows_f32(x, names, count, d, d, simd->mr, s->panels);
    } else {
        simd->pack_f32(x, count, d, d, simd->mr, s->panels);
    }
    simd->gemm_f32(count, part->k, d, s->panels, part->map, out, ld, 0);
    if (!part->raw) {
        simd->normalise_f32(out, count, part->k, ld);
    }
    for (size_t i = 0; i < count && scale != 1.0f; i++) {
        simd->scale_f32(scale, out + i * ld, part->k);
    }
}

static void sign_rows(const struct il_simd *simd, const struct il_signature *sig,
                      const uint32_t *rows, size_t first, size_t count, struct scratch *s,
                      float *out)
{
    size_t ld = il_signature_k(sig), at = 0;
    for (size_t p = 0; p < sig->parts; p++) {
        sign_part(simd, &sig->part[p], rows, first, count, sig->scale, s, out + at, ld);
        at += sig->part[p].k;
        il_large_look();
    }
    for (size_t i = 0; i < count && sig->tail != IL_TAIL_NONE; i++) {
        float r = sig->radius ? sig->radius[rows ? rows[first + i] : first + i] : 0;
        out[i * ld + at] = sig->tail == IL_TAIL_A ? 1 : -r;
        out[i * ld + at + 1] = sig->tail == IL_TAIL_A ? -r : 1;
    }
}

/* Shared by the tasks of one build, map or match. */
struct job {
    struct il_frame *frame;
    const struct il_signature *sig;
    const uint32_t *rows;
    size_t count;
    float *out;
    const struct il_panels *panels;
    struct il_top3 *row;
    struct il_top3 *col;  /* threads x panels->rows */
    size_t block;         /* rows of a task */
    atomic_int cancelled; /* 1: some task did nothing, whatever the flag says by now */
    float largest[256];   /* coordinate that a thread met in a build */
    struct scratch scratch[256];
};

/* Rows of a task, a multiple of unit and about `most` at most, such that the threads get
   equally many: 1,500 rows in tasks of 240 leave one of two threads idle for a quarter of
   the time. */
static size_t even_block(const struct il_frame *frame, size_t count, size_t most,
                         size_t unit)
{
    size_t threads = il_pool_threads(frame->pool);
    size_t tasks = (count + most - 1) / most;
    tasks = (tasks + threads - 1) / threads * threads;
    size_t block = tasks ? (count + tasks - 1) / tasks : unit;
    return (block + unit - 1) / unit * unit;
}

static enum il_status job_run(struct job *job, il_task_fn *fn, size_t block)
{
    const struct il_simd *simd = job->frame->simd;
    enum il_status status = IL_OK;
    unsigned threads = il_pool_threads(job->frame->pool);
    for (unsigned t = 0; t < threads && !status; t++) {
        status = scratch_open(&job->scratch[t], simd, job->sig, block);
        if (!status && job->panels && job->panels->bytes.q) {
            status =
                bytes_open(&job->scratch[t].bytes, job->sig, IL_I8_A, block, simd->mr);
        }
    }
    job->block = block;
    if (!status) {
        il_pool_run(job->frame->pool, (job->count + block - 1) / block, fn, job);
    }
    for (unsigned t = 0; t < threads; t++) {
        scratch_close(&job->scratch[t]);
    }
    for (size_t p = 0; p < job->sig->parts; p++) {
        const struct il_part *part = &job->sig->part[p];
        job->frame->multiply_adds +=
            part->map ? (double)job->count * (double)part->d * (double)part->k : 0;
    }
    return status;
}

/* Tasks of a build are whole panels, so that they write apart. */
static size_t build_block(const struct il_simd *simd)
{
    return BLOCK / simd->nr ? BLOCK / simd->nr * simd->nr : simd->nr;
}

/* Largest coordinate, without the tail, of count signed rows. */
static float largest_of(const struct il_simd *simd, const struct il_signature *sig,
                        const float *sign, size_t count)
{
    size_t k = il_signature_k(sig);
    float largest = 0;
    for (size_t i = 0; i < count; i++) {
        float own = simd->abs_max_f32(sign + i * k, byte_count(sig));
        largest = own > largest ? own : largest;
    }
    return largest;
}

/* Any scale will do for rows of zeros. */
static float scale_of(float largest)
{
    return largest > 0 ? largest / 127 : 1;
}

static void build_task(void *context, size_t task, unsigned thread)
{
    struct job *job = context;
    const struct il_simd *simd = job->frame->simd;
    size_t first = task * job->block, k = il_signature_k(job->sig);
    size_t count = job->count - first < job->block ? job->count - first : job->block;
    struct scratch *s = &job->scratch[thread];
    sign_rows(simd, job->sig, job->rows, first, count, s, s->sign);
    simd->pack_f32(s->sign, count, k, k, simd->nr, job->out + first * k);
    float largest = largest_of(simd, job->sig, s->sign, count);
    job->largest[thread] =
        largest > job->largest[thread] ? largest : job->largest[thread];
}

/* The bytes of a build's panels, by the threads that made them. */
static void quantise_task(void *context, size_t task, unsigned thread)
{
    struct job *job = context;
    size_t first = task * job->block, k = il_signature_k(job->sig);
    size_t count = job->count - first < job->block ? job->count - first : job->block;
    const struct il_i8_rows *all = &job->panels->bytes;
    struct il_i8_rows *part = &job->scratch[thread].bytes;
    part->q = all->q + first * il_i8_quads(k, all->tail) * 4;
    part->error = all->error + first;
    part->offset = all->offset + first;
    job->frame->simd->quantise_i8(job->out + first * k, count, k, part);
}

/* The panels once more in bytes, where the machine multiplies them and it pays. One scale
 * for all, from the largest coordinate, so that scores compare as integers. */
static enum il_status build_bytes(struct job *job, struct il_panels *out)
{
    unsigned threads = il_pool_threads(job->frame->pool);
    const struct il_simd *simd = job->frame->simd;
    float largest = 0;
    if (!simd->match3_i8 || simd->isa == IL_ISA_REF || out->rows < BYTES_ROWS_MIN ||
        byte_count(job->sig) < BYTES_K_MIN) {
        return IL_OK;
    }
    enum il_status status =
        bytes_open(&out->bytes, job->sig, IL_I8_B, out->rows, simd->nr);
    if (status) {
        return status;
    }
    for (unsigned t = 0; t < threads; t++) {
        largest = job->largest[t] > largest ? job->largest[t] : largest;
    }
    out->bytes.scale = scale_of(largest);
    for (unsigned t = 0; t < threads; t++) {
        job->scratch[t].bytes = out->bytes;
    }
    job->panels = out;
    il_pool_run(job->frame->pool, (job->count + job->block - 1) / job->block,
                quantise_task, job);
    for (unsigned t = 0; t < threads; t++) {
        const struct il_i8_rows *part = &job->scratch[t].bytes;
        struct il_i8_rows *all = &out->bytes;
        all->usable &= part->usable;
        all->norm_max = part->norm_max > all->norm_max ? part->norm_max : all->norm_max;
        all->error_max =
            part->error_max > all->error_max ? part->error_max : all->error_max;
        all->offset_max =
            part->offset_max > all->offset_max ? part->offset_max : all->offset_max;
    }
    return IL_OK;
}

enum il_status il_panels_build(struct il_frame *frame, const struct il_signature *s,
                               const uint32_t *rows, size_t count, struct il_panels *out)
{
    size_t k = il_signature_k(s), nr = frame->simd->nr;
    size_t padded = (count + nr - 1) / nr * nr;
    memset(out, 0, sizeof *out);
    struct job *job = il_alloc_zero(1, sizeof *job);
    out->data = il_alloc(padded * k, sizeof *out->data);
    out->rows = count;
    out->k = k;
    enum il_status status = job && out->data ? IL_OK : IL_ENOMEM;
    if (!status) {
        *job = (struct job){
            .frame = frame, .sig = s, .rows = rows, .count = count, .out = out->data};
        status = job_run(job, build_task,
                         even_block(frame, count, build_block(frame->simd), nr));
        status = status ? status : build_bytes(job, out);
    }
    il_free(job);
    if (status) {
        il_panels_free(out);
    }
    return status;
}

void il_panels_free(struct il_panels *panels)
{
    il_free(panels->data);
    bytes_close(&panels->bytes);
    memset(panels, 0, sizeof *panels);
}

static void map_task(void *context, size_t task, unsigned thread)
{
    struct job *job = context;
    size_t first = task * job->block, k = il_signature_k(job->sig);
    size_t count = job->count - first < job->block ? job->count - first : job->block;
    sign_rows(job->frame->simd, job->sig, job->rows, first, count, &job->scratch[thread],
              job->out + first * k);
}

enum il_status il_map_rows(struct il_frame *frame, const struct il_part *part,
                           const uint32_t *rows, size_t count, float *out)
{
    const struct il_signature s = {.part = {*part}, .parts = 1, .scale = 1};
    struct job *job = il_alloc_zero(1, sizeof *job);
    if (!job) {
        return IL_ENOMEM;
    }
    *job =
        (struct job){.frame = frame, .sig = &s, .rows = rows, .count = count, .out = out};
    enum il_status status =
        job_run(job, map_task, even_block(frame, count, BLOCK, frame->simd->mr));
    il_free(job);
    return status;
}

/* The rows that a task signed and packed, in bytes. */
static void quantise_rows(const struct job *job, struct scratch *s, size_t count)
{
    const struct il_simd *simd = job->frame->simd;
    s->bytes.norm_max = s->bytes.error_max = s->bytes.offset_max = 0;
    s->bytes.usable = 1;
    s->bytes.scale = scale_of(largest_of(simd, job->sig, s->sign, count));
    simd->quantise_i8(s->panels, count, il_signature_k(job->sig), &s->bytes);
}

/* Columns of a piece, whole panels. Without names columns are counted from 0 in each:
   then all are one piece. */
static size_t match_piece(const struct il_panels *panels, size_t nr)
{
    size_t columns = MATCH_BYTES / (panels->k * sizeof(float)) / nr * nr;
    return !panels->index ? panels->rows + 1 : columns > nr ? columns : nr;
}

/* count columns from one on; the lists of the rows go on from those before. */
static void match_columns(const struct job *job, unsigned thread, size_t at, size_t count,
                          struct il_match_i8_block *block, struct il_i8_rows *bytes)
{
    const struct il_simd *simd = job->frame->simd;
    const struct il_panels *all = job->panels;
    block->f32.b = all->data + at * all->k;
    block->f32.b_rows = all->rows - at < count ? all->rows - at : count;
    block->f32.b_index = all->index ? all->index + at : NULL;
    block->f32.col = job->col + thread * all->rows + at;
    if (!all->bytes.q) {
        simd->match3_f32(&block->f32);
        return;
    }
    *bytes = all->bytes;
    bytes->q += at * il_i8_quads(all->k, bytes->tail) * 4;
    bytes->error += at;
    bytes->offset += at;
    block->b = bytes;
    simd->match3_i8(block);
}

static void match_task(void *context, size_t task, unsigned thread)
{
    struct job *job = context;
    const struct il_simd *simd = job->frame->simd;
    size_t first = task * job->block, k = il_signature_k(job->sig);
    size_t count = job->count - first < job->block ? job->count - first : job->block;
    if (il_frame_cancelled(job->frame)) {
        atomic_store(&job->cancelled, 1);
        return;
    }
    struct scratch *s = &job->scratch[thread];
    sign_rows(simd, job->sig, job->rows, first, count, s, s->sign);
    simd->pack_f32(s->sign, count, k, k, simd->mr, s->panels);
    struct il_top3 row[MATCH_BLOCK_MAX];
    uint32_t index[MATCH_BLOCK_MAX];
    for (size_t i = 0; i < count; i++) {
        index[i] = job->rows ? job->rows[first + i] : (uint32_t)(first + i);
        row[i] = job->row[index[i]];
    }
    struct il_match_i8_block block = {
        .f32 = {.k = k, .a = s->panels, .a_rows = count, .a_index = index, .row = row},
        .a_rows = s->sign,
        .a_ld = k,
        .a = &s->bytes};
    if (job->panels->bytes.q) {
        quantise_rows(job, s, count);
    }
    const size_t piece = match_piece(job->panels, simd->nr);
    for (size_t at = 0; at < job->panels->rows; at += piece) {
        struct il_i8_rows bytes;
        match_columns(job, thread, at, piece, &block, &bytes);
        il_large_look();
    }
    for (size_t i = 0; i < count; i++) {
        job->row[index[i]] = row[i];
    }
}

/* Rows of a task: a multiple of BLOCK, or fewer where rows are few. */
static size_t match_block(const struct il_frame *frame, size_t count)
{
    size_t share = count / (il_pool_threads(frame->pool) * MATCH_TASKS_MIN) / BLOCK;
    size_t block = share * BLOCK < MATCH_BLOCK_MAX ? share * BLOCK : MATCH_BLOCK_MAX;
    return share ? block : even_block(frame, count, BLOCK, frame->simd->mr);
}

struct il_top3 *il_top3_new(size_t count)
{
    struct il_top3 *lists = il_alloc_hot(count, sizeof *lists);
    for (size_t i = 0; lists && i < count; i++) {
        il_top3_clear(&lists[i]);
    }
    return lists;
}

void il_top3_begin(struct il_top3 *list, float least)
{
    il_top3_clear(list);
    for (int e = 0; e < IL_TOP; e++) {
        list->value[e] = least;
    }
}

enum il_status il_match(struct il_frame *frame, const struct il_signature *s,
                        const uint32_t *rows, size_t count,
                        const struct il_panels *panels, struct il_top3 *row,
                        struct il_top3 *col)
{
    unsigned threads = il_pool_threads(frame->pool);
    struct job *job = il_alloc_zero(1, sizeof *job);
    struct il_top3 *each = il_top3_new(threads * panels->rows);
    enum il_status status = job && each ? IL_OK : IL_ENOMEM;
    for (size_t j = 0; each && j < threads * panels->rows; j++) {
        /* what is known already stays out; so does everything when nobody asks */
        il_top3_begin(&each[j], col ? col[j % panels->rows].value[IL_TOP - 1] : INFINITY);
    }
    if (!status) {
        *job = (struct job){.frame = frame,
                            .sig = s,
                            .rows = rows,
                            .count = count,
                            .panels = panels,
                            .row = row,
                            .col = each};
        status = job_run(job, match_task, match_block(frame, count));
        if (!status && (atomic_load(&job->cancelled) || il_frame_cancelled(frame))) {
            status = IL_ECANCEL;
        }
    }
    for (unsigned t = 0; t < threads && !status && col; t++) {
        for (size_t j = 0; j < panels->rows; j++) {
            const struct il_top3 *from = &each[t * panels->rows + j];
            for (int e = 0; e < IL_TOP && from->index[e] != IL_INDEX_NONE; e++) {
                il_top3_insert(&col[j], from->value[e], from->index[e]);
            }
        }
    }
    frame->multiply_adds += (double)count * (double)panels->rows * (double)panels->k;
    il_free(each);
    il_free(job);
    return status;
}

enum il_status il_nearest(struct il_frame *frame, const struct il_signature *points,
                          size_t count, const struct il_signature *centres,
                          const uint32_t *open, size_t centre_count, struct il_top3 *near)
{
    struct il_signature point = *points, centre = *centres;
    struct il_panels panels = {0};
    point.scale = centre.scale = 1;
    point.tail = IL_TAIL_A;
    point.radius = NULL;
    centre.tail = IL_TAIL_B;
    for (size_t i = 0; i < count; i++) {
        il_top3_clear(&near[i]);
    }
    if (centre_count == 0) {
        return IL_OK;
    }
    enum il_status status = il_panels_build(frame, &centre, open, centre_count, &panels);
    panels.index = open;
    status = status ? status : il_match(frame, &point, NULL, count, &panels, near, NULL);
    il_panels_free(&panels);
    return status;
}
