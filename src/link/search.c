/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Exact search on the fused matcher: queries are packed once, rows come in pieces that
 * are scaled, packed and scored, and only the lists of the best and the ids in them stay.
 */
#include <isolink/search.h>

#include <isolink/matrix.h>

#include <math.h>
#include <string.h>

#include "src/link/frame.h"

/* Bytes of packed rows of a piece. */
#define PIECE_BYTES ((size_t)4 << 20)
#define THREADS_MAX 256
/* Starts of blocks are multiples of this many panels, so that every one is aligned. */
#define PANELS 16

/* The id of a row that was found. */
struct kept {
    uint32_t row;
    uint32_t bytes;
    size_t at; /* in the text */
};

struct il_search {
    const struct il_simd *simd;
    struct il_pool *pool;
    const il_atomic_int *cancel;
    size_t dim, top, queries;
    size_t block;            /* queries of a task */
    size_t stripes;          /* parts of a piece, each with lists of its own */
    uint8_t *usable;         /* per query */
    float *panels;           /* queries */
    float *value;            /* stripes x queries x top */
    uint32_t *index;         /* the same */
    size_t piece;            /* rows of a piece, at most */
    float *unit;             /* the piece: rows of length 1, */
    float *columns;          /* packed */
    uint32_t *number;        /* of each row of the piece */
    uint8_t *wanted;         /* 1: it is found */
    unsigned char **scratch; /* per thread */
    uint64_t rows;
    struct kept *kept; /* by row, ascending */
    size_t kept_count, kept_room;
    char *text;
    size_t text_bytes, text_room;
    int ids; /* 1: rows came with ids */
    /* of the piece at hand */
    const float *given;
    size_t count;
};

void il_search_config_init(struct il_search_config *config)
{
    *config = (struct il_search_config){.struct_bytes = sizeof *config, .top = 10};
}

static size_t up(size_t value, size_t multiple)
{
    return (value + multiple - 1) / multiple * multiple;
}

static enum il_status check_config(const struct il_search_config *c, size_t count,
                                   size_t dim, struct il_error *error)
{
    if (c->struct_bytes != sizeof *c) {
        return il_fail(error, IL_EARG,
                       "config: not made by il_search_config_init of this version");
    }
    if (c->top < 1 || c->top > IL_SEARCH_TOP_MAX) {
        return il_fail(error, IL_EARG, "search: %zu rows wanted, 1 to %d can be had",
                       c->top, IL_SEARCH_TOP_MAX);
    }
    if (dim < 1 || dim > IL_DIM_MAX || count < 1 || count > IL_ROWS_MAX) {
        return il_fail(error, IL_EARG,
                       "search: %zu queries of %zu coordinates, wanted 1 to %u of 1 to "
                       "%u",
                       count, dim, IL_ROWS_MAX, IL_DIM_MAX);
    }
    if (c->threads > THREADS_MAX) {
        return il_fail(error, IL_EARG, "search: %u threads, at most %d", c->threads,
                       THREADS_MAX);
    }
    return IL_OK;
}

/* Queries of length 1, packed. Those that have no direction are zeros. */
static enum il_status take_queries(struct il_search *s, const float *queries)
{
    float *unit = il_alloc(s->queries * s->dim, sizeof *unit);
    if (!unit) {
        return IL_ENOMEM;
    }
    memcpy(unit, queries, s->queries * s->dim * sizeof *unit);
    for (size_t q = 0; q < s->queries; q++) {
        s->usable[q] = (uint8_t)il_row_unit(unit + q * s->dim, s->dim);
        if (!s->usable[q]) {
            memset(unit + q * s->dim, 0, s->dim * sizeof *unit);
        }
    }
    s->simd->pack_f32(unit, s->queries, s->dim, s->dim, s->simd->mr, s->panels);
    il_free(unit);
    return IL_OK;
}

static enum il_status search_alloc(struct il_search *s)
{
    const struct il_simd *simd = s->simd;
    unsigned threads = il_pool_threads(s->pool);
    size_t wide = PANELS * simd->nr;
    s->block = PANELS * simd->mr;
    /* Few queries: the rows are shared out instead. */
    s->stripes = s->queries < 2 * threads * s->block ? threads : 1;
    s->piece = up(PIECE_BYTES / (s->dim * sizeof(float)), wide * s->stripes);
    s->piece = s->piece ? s->piece : wide * s->stripes;
    size_t lists = s->stripes * s->queries * s->top;
    s->usable = il_alloc(s->queries, 1);
    s->panels = il_alloc(up(s->queries, simd->mr) * s->dim, sizeof(float));
    s->value = il_alloc(lists, sizeof(float));
    s->index = il_alloc(lists, sizeof(uint32_t));
    s->unit = il_alloc(s->piece * s->dim, sizeof(float));
    s->columns = il_alloc(s->piece * s->dim, sizeof(float));
    s->number = il_alloc(s->piece, sizeof(uint32_t));
    s->wanted = il_alloc(s->piece, 1);
    s->scratch = il_alloc_zero(threads, sizeof *s->scratch);
    int got = s->usable && s->panels && s->value && s->index && s->unit && s->columns &&
              s->number && s->wanted && s->scratch;
    for (unsigned t = 0; got && t < threads; t++) {
        s->scratch[t] = il_alloc(il_topk_scratch(s->top, s->dim, s->block, s->piece), 1);
        got = s->scratch[t] != NULL;
    }
    if (got) {
        il_topk_clear(s->value, s->index, lists);
    }
    return got ? IL_OK : IL_ENOMEM;
}

enum il_status il_search_open(struct il_search **out, const float *queries, size_t count,
                              size_t dim, const struct il_search_config *config,
                              struct il_error *error)
{
    struct il_search_config defaults;
    il_search_config_init(&defaults);
    config = config ? config : &defaults;
    *out = NULL;
    enum il_status status = check_config(config, count, dim, error);
    if (status) {
        return status;
    }
    struct il_search *s = il_alloc_zero(1, sizeof *s);
    status = s ? il_pool_open(&s->pool, config->threads) : IL_ENOMEM;
    if (!status) {
        s->simd = il_simd();
        s->cancel = config->cancel;
        s->dim = dim;
        s->top = config->top;
        s->queries = count;
        status = search_alloc(s);
    }
    status = status ? status : take_queries(s, queries);
    if (status) {
        il_search_close(&s);
        return il_fail(error, status, "search: no memory for %zu queries of %zu", count,
                       dim);
    }
    *out = s;
    return IL_OK;
}

void il_search_close(struct il_search **search)
{
    struct il_search *s = *search;
    *search = NULL;
    if (!s) {
        return;
    }
    for (unsigned t = 0; s->scratch && t < il_pool_threads(s->pool); t++) {
        il_free(s->scratch[t]);
    }
    il_pool_close(&s->pool);
    il_free(s->scratch);
    il_free(s->usable);
    il_free(s->panels);
    il_free(s->value);
    il_free(s->index);
    il_free(s->unit);
    il_free(s->columns);
    il_free(s->number);
    il_free(s->wanted);
    il_free(s->kept);
    il_free(s->text);
    il_free(s);
}

/* Scales and packs so many columns. A row without direction becomes NaN, which never
   wins. */
static void pack_task(void *context, size_t task, unsigned thread)
{
    (void)thread;
    struct il_search *s = context;
    size_t width = PANELS * s->simd->nr, first = task * width;
    size_t count = s->count - first < width ? s->count - first : width;
    float *unit = s->unit + first * s->dim;
    memcpy(unit, s->given + first * s->dim, count * s->dim * sizeof *unit);
    for (size_t i = 0; i < count; i++) {
        s->number[first + i] = (uint32_t)(s->rows + first + i);
        if (!il_row_unit(unit + i * s->dim, s->dim)) {
            for (size_t q = 0; q < s->dim; q++) {
                unit[i * s->dim + q] = NAN;
            }
        }
    }
    s->simd->pack_f32(unit, count, s->dim, s->dim, s->simd->nr,
                      s->columns + first * s->dim);
}

/* A block of queries against a stripe of the piece. */
static void score_task(void *context, size_t task, unsigned thread)
{
    struct il_search *s = context;
    size_t stripe = task % s->stripes, query = task / s->stripes * s->block;
    size_t width = up((s->count + s->stripes - 1) / s->stripes, PANELS * s->simd->nr);
    size_t first = stripe * width;
    if (first >= s->count) {
        return;
    }
    size_t list = (stripe * s->queries + query) * s->top;
    const struct il_topk_block block = {
        .k = s->dim,
        .top = s->top,
        .a = s->panels + query * s->dim,
        .a_rows = s->queries - query < s->block ? s->queries - query : s->block,
        .b = s->columns + first * s->dim,
        .b_rows = s->count - first < width ? s->count - first : width,
        .b_index = s->number + first,
        .row_value = s->value + list,
        .row_index = s->index + list,
        .scratch = s->scratch[thread]};
    s->simd->topk_f32(&block);
}

static struct kept *find_kept(const struct il_search *s, uint32_t row)
{
    size_t low = 0, high = s->kept_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (s->kept[middle].row < row) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low < s->kept_count && s->kept[low].row == row ? &s->kept[low] : NULL;
}

/* Forgets the ids of rows that are found no more. */
static enum il_status prune(struct il_search *s)
{
    size_t lists = s->stripes * s->queries * s->top, count = 0, bytes = 0;
    uint8_t *live = il_alloc_zero(s->kept_count, 1);
    if (!live) {
        return IL_ENOMEM;
    }
    for (size_t i = 0; i < lists; i++) {
        const struct kept *k =
            s->index[i] != IL_INDEX_NONE ? find_kept(s, s->index[i]) : NULL;
        if (k) {
            live[k - s->kept] = 1;
        }
    }
    for (size_t i = 0; i < s->kept_count; i++) {
        struct kept k = s->kept[i];
        if (live[i]) {
            memmove(s->text + bytes, s->text + k.at, k.bytes);
            s->kept[count++] = (struct kept){k.row, k.bytes, bytes};
            bytes += k.bytes;
        }
    }
    s->kept_count = count;
    s->text_bytes = bytes;
    il_free(live);
    return IL_OK;
}

static enum il_status keep_room(struct il_search *s, size_t bytes)
{
    if (s->kept_count == s->kept_room) {
        size_t room = 2 * s->kept_room + 1024;
        struct kept *grown =
            il_realloc(s->kept, s->kept_count * sizeof *grown, room * sizeof *grown);
        if (!grown) {
            return IL_ENOMEM;
        }
        s->kept = grown;
        s->kept_room = room;
    }
    if (s->text_room - s->text_bytes < bytes) {
        size_t room = 2 * s->text_room + bytes + 1024;
        char *grown = il_realloc(s->text, s->text_bytes, room);
        if (!grown) {
            return IL_ENOMEM;
        }
        s->text = grown;
        s->text_room = room;
    }
    return IL_OK;
}

/* Copies the ids of the rows of the piece that are found. */
static enum il_status keep_ids(struct il_search *s, const void *const *ids,
                               const size_t *id_bytes)
{
    size_t lists = s->stripes * s->queries * s->top;
    memset(s->wanted, 0, s->count);
    for (size_t i = 0; i < lists; i++) {
        if (s->index[i] != IL_INDEX_NONE && s->index[i] >= s->rows) {
            s->wanted[s->index[i] - s->rows] = 1;
        }
    }
    for (size_t i = 0; i < s->count; i++) {
        if (!s->wanted[i]) {
            continue;
        }
        enum il_status status = keep_room(s, id_bytes[i]);
        if (status) {
            return status;
        }
        memcpy(s->text + s->text_bytes, ids[i], id_bytes[i]);
        s->kept[s->kept_count++] =
            (struct kept){(uint32_t)(s->rows + i), (uint32_t)id_bytes[i], s->text_bytes};
        s->text_bytes += id_bytes[i];
    }
    return s->kept_count > 2 * lists + 1024 ? prune(s) : IL_OK;
}

enum il_status il_search_add(struct il_search *search, const float *rows, size_t count,
                             const void *const *ids, const size_t *id_bytes,
                             struct il_error *error)
{
    struct il_search *s = search;
    if (count > IL_ROWS_MAX - s->rows) {
        return il_fail(error, IL_ELIMIT, "search: more than %u rows", IL_ROWS_MAX);
    }
    for (size_t at = 0; at < count; at += s->count) {
        if (s->cancel && atomic_load_explicit(s->cancel, memory_order_relaxed)) {
            return il_fail(error, IL_ECANCEL, "search: cancelled");
        }
        size_t width = PANELS * s->simd->nr;
        s->count = count - at < s->piece ? count - at : s->piece;
        s->given = rows + at * s->dim;
        il_pool_run(s->pool, (s->count + width - 1) / width, pack_task, s);
        il_pool_run(s->pool, (s->queries + s->block - 1) / s->block * s->stripes,
                    score_task, s);
        if (ids && keep_ids(s, ids + at, id_bytes + at) != IL_OK) {
            return il_fail(error, IL_ENOMEM, "search: no memory for ids");
        }
        s->ids |= ids != NULL;
        s->rows += s->count;
    }
    return IL_OK;
}

size_t il_search_hits(const struct il_search *search, size_t query, struct il_hit *hits)
{
    const struct il_search *s = search;
    float value[IL_SEARCH_TOP_MAX];
    uint32_t index[IL_SEARCH_TOP_MAX];
    size_t count = 0;
    il_topk_clear(value, index, s->top);
    for (size_t t = 0; t < s->stripes && s->usable[query]; t++) {
        size_t list = (t * s->queries + query) * s->top;
        for (size_t e = 0; e < s->top && s->index[list + e] != IL_INDEX_NONE; e++) {
            il_topk_insert(value, index, s->top, s->value[list + e], s->index[list + e]);
        }
    }
    for (; count < s->top && index[count] != IL_INDEX_NONE; count++) {
        const struct kept *k = s->ids ? find_kept(s, index[count]) : NULL;
        hits[count] = (struct il_hit){.row = index[count],
                                      .score = value[count],
                                      .id = k ? s->text + k->at : NULL,
                                      .id_bytes = k ? k->bytes : 0};
    }
    return count;
}
