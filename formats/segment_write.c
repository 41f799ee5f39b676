/* SPDX-License-Identifier: Apache-2.0 */
/* Writes segments: rows are staged 64 at a time, encoded into the current chunk, and a
   full chunk leaves; the tables follow at the end. */
#include "formats/segment_inner.h"

#include "simd/simd.h"
#include "src/base/base.h"

#include <inttypes.h>
#include <math.h>

#include <zstd.h>
#include <zstd_errors.h>

#define BLOCK IL_SEGMENT_BLOCK
#define LEVEL_MAX 19
#define CHUNK_DEFAULT ((size_t)1 << 20)
#define ID_DEFAULT 64u

/* A chunk from its first row until it is written. With a pool there are as many as
   threads, so that they are packed at once. */
struct chunk {
    unsigned char *raw;
    unsigned char *planes;     /* NULL: of a codec that is not shuffled */
    unsigned char *compressed; /* NULL: of a segment that is not compressed, */
    ZSTD_CCtx *zstd;           /* this too */
    size_t raw_bytes;
    const unsigned char *data; /* as it will be in the file */
    size_t bytes;
    uint64_t hash;
    size_t failure; /* of zstd; 0: none */
};

struct il_segment_writer {
    struct il_segment_config c;
    struct il_segment_info info; /* rows and chunks grow */
    enum il_status status;       /* not IL_OK: writing has failed, nothing may follow */
    int finished;
    int pushed;      /* rows came by il_segment_push */
    uint64_t offset; /* bytes written */
    uint64_t header_hash;
    size_t block_bytes;
    size_t staged;         /* rows in stage */
    size_t filled;         /* rows encoded into raw */
    float *basis;          /* the mean, then the basis */
    float *centred;        /* the row less the mean */
    float *stage;          /* 64 x dim, row-major */
    float *packed;         /* the same, dimension-major */
    float *scale;          /* of the rows of the chunk */
    struct chunk *chunk;   /* room of them */
    size_t room, full;     /* the first are full, the next is filled */
    unsigned char *chunks; /* the tables, as they will be written */
    unsigned char *norms, *ends, *text, *slots;
    struct id_tables ids;
};

void il_segment_config_init(struct il_segment_config *config)
{
    *config = (struct il_segment_config){.name = "segment",
                                         .codec = IL_CODEC_F32,
                                         .chunk_bytes = CHUNK_DEFAULT,
                                         .level = 1};
}

enum il_status il_segment_write_file(void *context, const void *data, size_t bytes,
                                     struct il_error *error)
{
    return il_writer_put(context, data, bytes, error);
}

static enum il_status out_of_range(const struct il_segment_config *c, const char *what,
                                   uint64_t found, uint64_t low, uint64_t high,
                                   struct il_error *error)
{
    return il_fail(error, IL_EARG, "%s: %s %" PRIu64 ", wanted %" PRIu64 " to %" PRIu64,
                   c->name, what, found, low, high);
}

static enum il_status check_config(const struct il_segment_config *c,
                                   struct il_error *error)
{
    if (!c->write)
        return il_fail(error, IL_EARG, "%s: nothing to write to", c->name);
    if (il_codec_block_bytes(c->codec, 1) == 0)
        return out_of_range(c, "codec", (uint64_t)c->codec, IL_CODEC_F32, IL_CODEC_B1,
                            error);
    if (c->dim < 1 || c->dim > IL_DIM_MAX)
        return out_of_range(c, "row length", c->dim, 1, IL_DIM_MAX, error);
    if (c->basis && (!c->mean || c->source_dim < c->dim || c->source_dim > IL_DIM_MAX))
        return out_of_range(c, "source row length", c->mean ? c->source_dim : 0, c->dim,
                            IL_DIM_MAX, error);
    if (c->chunk_bytes < 1 || c->chunk_bytes > IL_SEGMENT_CHUNK_MAX)
        return out_of_range(c, "chunk bytes", c->chunk_bytes, 1, IL_SEGMENT_CHUNK_MAX,
                            error);
    if (c->level < 0 || c->level > LEVEL_MAX)
        return il_fail(error, IL_EARG, "%s: zstd level %d, wanted 0 to %d", c->name,
                       c->level, LEVEL_MAX);
    if (c->rows_max < 1 || c->rows_max > IL_ROWS_MAX)
        return out_of_range(c, "rows", c->rows_max, 1, IL_ROWS_MAX, error);
    /* A NaN or Inf in it would be in every row. */
    for (size_t i = 0; c->basis && i < c->source_dim * (1 + c->dim); i++) {
        float x = i < c->source_dim ? c->mean[i] : c->basis[i - c->source_dim];
        if (!isfinite(x))
            return il_fail(error, IL_EARG, "%s: a value of the basis is not finite",
                           c->name);
    }
    return IL_OK;
}

static enum il_status make_chunk(const struct il_segment_writer *w, struct chunk *c)
{
    const size_t bytes = w->info.raw_max;
    const int packs = w->c.level > 0, shuffles = packs && il_codec_shuffled(w->c.codec);
    *c = (struct chunk){.raw = il_alloc(bytes, 1),
                        .planes = shuffles ? il_alloc(bytes, 1) : NULL,
                        .compressed = packs ? il_alloc(bytes, 1) : NULL,
                        .zstd = packs ? ZSTD_createCCtx() : NULL};
    if (!c->raw || (shuffles && !c->planes) || (packs && (!c->compressed || !c->zstd)))
        return IL_ENOMEM;
    return IL_OK;
}

static enum il_status make_room(struct il_segment_writer *w)
{
    const size_t rows = w->c.rows_max, dim = w->c.dim;
    const uint64_t slots = il_segment_slots(rows);
    w->basis = il_alloc(w->info.source_dim * (1 + dim), sizeof(float));
    w->centred = il_alloc(w->info.source_dim, sizeof(float));
    w->stage = il_alloc(BLOCK * dim, sizeof(float));
    w->packed = il_alloc(BLOCK * dim, sizeof(float));
    w->scale = il_alloc(w->info.chunk_rows, sizeof(float));
    w->room = w->c.pool ? il_pool_threads(w->c.pool) : 1;
    w->chunk = il_alloc_zero(w->room, sizeof(*w->chunk));
    enum il_status status = w->chunk ? IL_OK : IL_ENOMEM;
    for (size_t i = 0; status == IL_OK && i < w->room; i++)
        status = make_chunk(w, &w->chunk[i]);
    w->chunks = il_alloc(rows / w->info.chunk_rows + 1, CHUNK_ENTRY);
    w->norms = il_alloc(rows, sizeof(float));
    w->ends = il_alloc(rows + 1, 8);
    w->text = il_alloc(w->c.id_bytes_max, 1);
    w->slots = il_alloc_zero((size_t)slots, SLOT_BYTES);
    if (status != IL_OK || !w->basis || !w->centred || !w->stage || !w->packed ||
        !w->scale || !w->chunks || !w->norms || !w->ends || !w->text || !w->slots)
        return IL_ENOMEM;
    if (w->info.source_dim > 0) {
        memcpy(w->basis, w->c.mean, w->info.source_dim * sizeof(float));
        memcpy(w->basis + w->info.source_dim, w->c.basis,
               w->info.source_dim * dim * sizeof(float));
    }
    store_u64(w->ends, 0);
    w->ids = (struct id_tables){w->ends, w->text, w->slots, slots - 1};
    return IL_OK;
}

static enum il_status put(struct il_segment_writer *w, const void *data, size_t bytes,
                          struct il_error *error)
{
    if (bytes > 0)
        w->status = w->c.write(w->c.context, data, bytes, error);
    w->offset += bytes;
    return w->status;
}

/* Zeros up to a multiple. */
static enum il_status pad(struct il_segment_writer *w, uint64_t multiple,
                          struct il_error *error)
{
    static const unsigned char zeros[IL_SEGMENT_ALIGN];
    return put(w, zeros, (size_t)(align_to(w->offset, multiple) - w->offset), error);
}

static enum il_status put_header(struct il_segment_writer *w, struct il_error *error)
{
    unsigned char p[HEADER_BYTES] = {0};
    store_u64(p, load_u64((const unsigned char *)SEGMENT_MAGIC));
    store_u32(p + HEADER_VERSION, SEGMENT_VERSION);
    store_u32(p + HEADER_CODEC, (uint32_t)w->info.codec);
    store_u32(p + HEADER_LAYOUT, SEGMENT_LAYOUT);
    store_u32(p + HEADER_DIM, (uint32_t)w->info.dim);
    store_u32(p + HEADER_SOURCE_DIM, (uint32_t)w->info.source_dim);
    store_u32(p + HEADER_CHUNK_ROWS, (uint32_t)w->info.chunk_rows);
    memcpy(p + HEADER_UUID, w->c.uuid, sizeof(w->c.uuid));
    memcpy(p + HEADER_MODEL, w->c.model, sizeof(w->c.model));
    w->header_hash = il_checksum(p, HEADER_HASH_AT);
    store_u64(p + HEADER_HASH_AT, w->header_hash);
    return put(w, p, sizeof(p), error);
}

enum il_status il_segment_writer_open(struct il_segment_writer **out,
                                      const struct il_segment_config *c,
                                      struct il_error *error)
{
    *out = NULL;
    enum il_status status = check_config(c, error);
    if (status != IL_OK)
        return status;
    struct il_segment_writer *w = il_alloc_zero(1, sizeof(*w));
    if (!w)
        return il_fail(error, IL_ENOMEM, "%s: no memory to write it", c->name);
    w->c = *c;
    if (w->c.id_bytes_max == 0)
        w->c.id_bytes_max = (size_t)ID_DEFAULT * c->rows_max;
    w->block_bytes = il_codec_block_bytes(c->codec, c->dim);
    size_t block_raw = il_segment_raw_bytes(c->codec, c->dim, BLOCK);
    size_t blocks = c->chunk_bytes > block_raw ? c->chunk_bytes / block_raw : 1;
    w->info = (struct il_segment_info){.codec = c->codec,
                                       .dim = c->dim,
                                       .source_dim = c->basis ? c->source_dim : 0,
                                       .chunk_rows = blocks * BLOCK,
                                       .raw_max = blocks * block_raw};
    status = make_room(w);
    if (status != IL_OK)
        il_fail(error, status, "%s: no memory to write %zu rows", c->name, c->rows_max);
    else
        status = put_header(w, error);
    if (status != IL_OK)
        il_segment_writer_close(&w);
    *out = w;
    return status;
}

void il_segment_writer_close(struct il_segment_writer **writer)
{
    struct il_segment_writer *w = *writer;
    if (!w)
        return;
    for (size_t i = 0; w->chunk && i < w->room; i++) {
        il_free(w->chunk[i].raw);
        il_free(w->chunk[i].planes);
        il_free(w->chunk[i].compressed);
        ZSTD_freeCCtx(w->chunk[i].zstd);
    }
    void *blocks[] = {w->basis,  w->centred, w->stage, w->packed, w->scale, w->chunk,
                      w->chunks, w->norms,   w->ends,  w->text,   w->slots};
    for (size_t i = 0; i < sizeof(blocks) / sizeof(*blocks); i++)
        il_free(blocks[i]);
    il_free(w);
    *writer = NULL;
}

/* Makes a chunk smaller where that saves a page of the file. */
static void pack_chunk(const struct il_segment_writer *w, struct chunk *c)
{
    const size_t width = il_segment_shuffle_width(w->info.codec);
    const unsigned char *from = c->raw;
    c->data = c->raw;
    c->bytes = c->raw_bytes;
    c->failure = 0;
    if (c->zstd && c->raw_bytes > IL_SEGMENT_ALIGN) {
        if (width > 1) {
            il_segment_shuffle(width, c->raw, c->raw_bytes, c->planes);
            from = c->planes;
        }
        size_t room = (c->raw_bytes - 1) / IL_SEGMENT_ALIGN * IL_SEGMENT_ALIGN;
        size_t got = ZSTD_compressCCtx(c->zstd, c->compressed, room, from, c->raw_bytes,
                                       w->c.level);
        if (!ZSTD_isError(got)) {
            c->data = c->compressed;
            c->bytes = got;
        } else if (ZSTD_getErrorCode(got) != ZSTD_error_dstSize_tooSmall) {
            c->failure = got;
        }
    }
    c->hash = il_checksum(c->data, c->bytes);
}

static void pack_task(void *context, size_t task, unsigned thread)
{
    struct il_segment_writer *w = context;
    (void)thread;
    pack_chunk(w, &w->chunk[task]);
}

static enum il_status put_chunk(struct il_segment_writer *w, const struct chunk *c,
                                struct il_error *error)
{
    enum il_packing packing = IL_STORED;
    if (c->failure)
        return w->status = il_fail(error, IL_ENOMEM, "%s: zstd: %s", w->c.name,
                                   ZSTD_getErrorName(c->failure));
    if (c->data == c->compressed)
        packing = il_codec_shuffled(w->info.codec) ? IL_SHUFFLED_ZSTD : IL_ZSTD;
    enum il_status status = pad(w, IL_SEGMENT_ALIGN, error);
    if (status != IL_OK)
        return status;
    unsigned char *entry = w->chunks + w->info.chunks * CHUNK_ENTRY;
    store_u64(entry, w->offset);
    store_u32(entry + 8, (uint32_t)c->bytes);
    store_u32(entry + 12, (uint32_t)packing);
    store_u64(entry + 16, c->hash);
    w->info.chunks++;
    return put(w, c->data, c->bytes, error);
}

/* Packs the full chunks, all at once, and writes them in their order. */
static enum il_status put_chunks(struct il_segment_writer *w, struct il_error *error)
{
    enum il_status status = IL_OK;
    if (w->c.pool && w->full > 1)
        il_pool_run(w->c.pool, w->full, pack_task, w);
    else
        for (size_t i = 0; i < w->full; i++)
            pack_chunk(w, &w->chunk[i]);
    for (size_t i = 0; status == IL_OK && i < w->full; i++)
        status = put_chunk(w, &w->chunk[i], error);
    w->full = 0;
    return status;
}

/* Ends the chunk that is being filled: its scales stand behind the blocks. */
static void end_chunk(struct il_segment_writer *w)
{
    struct chunk *c = &w->chunk[w->full++];
    const size_t rows = w->filled;
    c->raw_bytes = il_segment_raw_bytes(w->info.codec, w->info.dim, rows);
    if (il_codec_has_scale(w->info.codec)) {
        size_t padded = (size_t)align_to(rows, BLOCK);
        memset(w->scale + rows, 0, (padded - rows) * sizeof(float));
        memcpy(c->raw + c->raw_bytes - padded * sizeof(float), w->scale,
               padded * sizeof(float));
    }
    w->filled = 0;
}

/* Goes on to the next chunk when this one is full, and writes them when all are. */
static enum il_status next_chunk(struct il_segment_writer *w, struct il_error *error)
{
    if (w->filled < w->info.chunk_rows)
        return IL_OK;
    end_chunk(w);
    return w->full == w->room ? put_chunks(w, error) : IL_OK;
}

/* Encodes the staged rows behind those of the chunk. */
static enum il_status flush_stage(struct il_segment_writer *w, struct il_error *error)
{
    if (w->staged == 0)
        return IL_OK;
    il_segment_encode_block(w->info.codec, w->info.dim, w->stage, w->staged,
                            w->scale + w->filled, w->packed,
                            w->chunk[w->full].raw + w->filled / BLOCK * w->block_bytes);
    w->filled += w->staged;
    w->staged = 0;
    return next_chunk(w, error);
}

static enum il_status check_id(const struct il_segment_writer *w, const void *id,
                               size_t bytes, struct il_error *error)
{
    const size_t row = w->info.rows;
    if (row == w->c.rows_max)
        return il_fail(error, IL_ELIMIT, "%s: more than %zu rows", w->c.name, row);
    if (bytes < 1 || bytes > IL_ID_BYTES_MAX)
        return il_fail(error, IL_EARG, "%s, row %zu: id of %zu bytes, wanted 1 to %u",
                       w->c.name, row, bytes, IL_ID_BYTES_MAX);
    if (bytes > w->c.id_bytes_max - load_u64(w->ends + row * 8))
        return il_fail(error, IL_ELIMIT, "%s, row %zu: more than %zu bytes of ids",
                       w->c.name, row, w->c.id_bytes_max);
    uint64_t at = il_segment_slot(&w->ids, row, id, bytes, il_checksum(id, bytes));
    uint32_t taken = slot_row(w->slots + at * SLOT_BYTES);
    char shown[80];
    if (taken != 0)
        return il_fail(error, IL_EARG,
                       "%s, row %zu: id '%s' repeats that of row %" PRIu32, w->c.name,
                       row, il_printable(shown, sizeof(shown), id, bytes), taken - 1);
    return IL_OK;
}

/* Enters a row into the index of ids. */
static void index_id(struct il_segment_writer *w, size_t row)
{
    uint64_t begin = load_u64(w->ends + row * 8), end = load_u64(w->ends + row * 8 + 8);
    const unsigned char *id = w->text + begin;
    size_t bytes = (size_t)(end - begin);
    uint64_t hash = il_checksum(id, bytes);
    uint64_t at = il_segment_slot(&w->ids, row, id, bytes, hash);
    store_u32(w->slots + at * SLOT_BYTES, (uint32_t)(hash >> 32));
    store_u32(w->slots + at * SLOT_BYTES + 4, (uint32_t)row + 1);
}

/* Id and length of the row that is next; it is counted with that. */
static void enter_id(struct il_segment_writer *w, const void *id, size_t id_bytes,
                     float norm)
{
    const size_t at = w->info.rows;
    uint64_t begin = load_u64(w->ends + at * 8);
    memcpy(w->text + begin, id, id_bytes);
    store_u64(w->ends + at * 8 + 8, begin + id_bytes);
    memcpy(w->norms + at * sizeof(norm), &norm, sizeof(norm));
    index_id(w, at);
    w->info.rows++;
}

enum il_status il_segment_push(struct il_segment_writer *w, const void *id,
                               size_t id_bytes, const float *row, struct il_error *error)
{
    const size_t at = w->info.rows;
    float norm = 0, max = 0;
    IL_ASSERT(!w->finished);
    if (w->status != IL_OK)
        return il_fail(error, w->status, "%s: writing it has failed before", w->c.name);
    if (at > 0 && !w->pushed)
        return il_fail(error, IL_EARG, "%s: a row after stored ones", w->c.name);
    enum il_status status = check_id(w, id, id_bytes, error);
    if (status == IL_OK)
        status = il_segment_stage(
            w->info.codec, w->basis, w->info.source_dim, w->info.dim, row, w->centred,
            w->stage + w->staged * w->info.dim, &norm, &max, w->c.name, at, error);
    if (status != IL_OK)
        return status;
    w->pushed = 1;
    if (il_codec_has_scale(w->info.codec))
        w->scale[w->filled + w->staged] = il_segment_scale(w->info.codec, max);
    enter_id(w, id, id_bytes, norm);
    w->staged++;
    return w->staged == BLOCK ? flush_stage(w, error) : IL_OK;
}

enum il_status il_segment_push_stored(struct il_segment_writer *w, const void *id,
                                      size_t id_bytes, const void *block, size_t row,
                                      float scale, float norm, struct il_error *error)
{
    IL_ASSERT(!w->finished && row < BLOCK);
    if (w->status != IL_OK)
        return il_fail(error, w->status, "%s: writing it has failed before", w->c.name);
    if (w->pushed)
        return il_fail(error, IL_EARG, "%s: stored rows after others", w->c.name);
    enum il_status status = check_id(w, id, id_bytes, error);
    if (status != IL_OK)
        return status;
    unsigned char *out = w->chunk[w->full].raw + w->filled / BLOCK * w->block_bytes;
    if (w->filled % BLOCK == 0)
        memset(out, 0, w->block_bytes);
    il_segment_copy_row(w->info.codec, w->info.dim, block, row, out, w->filled % BLOCK);
    if (il_codec_has_scale(w->info.codec))
        w->scale[w->filled] = scale;
    enter_id(w, id, id_bytes, norm);
    w->filled++;
    return next_chunk(w, error);
}

uint64_t il_segment_writer_find(const struct il_segment_writer *w, const void *id,
                                size_t bytes)
{
    uint64_t at =
        il_segment_slot(&w->ids, w->info.rows, id, bytes, il_checksum(id, bytes));
    uint64_t row = slot_row(w->slots + at * SLOT_BYTES);
    return row > 0 ? row - 1 : IL_SEGMENT_NONE;
}

size_t il_segment_writer_rows(const struct il_segment_writer *w)
{
    return w->info.rows;
}

/* The index has room for rows_max: shrinks it to what the rows there are need, in the
   order of the rows, so that equal rows give equal bytes. */
static void rebuild_index(struct il_segment_writer *w)
{
    uint64_t slots = il_segment_slots(w->info.rows);
    if (slots == w->ids.slot_mask + 1)
        return;
    w->ids.slot_mask = slots - 1;
    memset(w->slots, 0, (size_t)slots * SLOT_BYTES);
    for (size_t row = 0; row < w->info.rows; row++)
        index_id(w, row);
}

/* The tables; their entries go into the footer. */
static enum il_status put_tables(struct il_segment_writer *w, unsigned char *footer,
                                 struct il_error *error)
{
    uint64_t size[TABLES];
    const void *data[TABLES] = {w->basis, w->chunks, w->norms,
                                w->ends,  w->text,   w->slots};
    il_segment_table_sizes(&w->info, load_u64(w->ends + w->info.rows * 8), size);
    enum il_status status = pad(w, IL_SEGMENT_ALIGN, error);
    for (int t = 0; status == IL_OK && t < TABLES; t++) {
        status = pad(w, TABLE_ALIGN, error);
        if (status != IL_OK)
            break;
        unsigned char *entry = footer + FOOTER_TABLES + (size_t)t * TABLE_ENTRY;
        store_u64(entry, w->offset);
        store_u64(entry + 8, size[t]);
        store_u64(entry + 16, il_checksum(data[t], (size_t)size[t]));
        status = put(w, data[t], (size_t)size[t], error);
    }
    return status;
}

enum il_status il_segment_finish(struct il_segment_writer *w, struct il_error *error)
{
    unsigned char footer[FOOTER_BYTES] = {0};
    IL_ASSERT(!w->finished);
    if (w->status != IL_OK)
        return il_fail(error, w->status, "%s: writing it has failed before", w->c.name);
    enum il_status status = flush_stage(w, error);
    if (status == IL_OK && w->filled > 0)
        end_chunk(w);
    if (status == IL_OK)
        status = put_chunks(w, error);
    if (status != IL_OK)
        return status;
    rebuild_index(w);
    status = put_tables(w, footer, error);
    if (status == IL_OK)
        status = pad(w, TABLE_ALIGN, error);
    if (status != IL_OK)
        return status;
    store_u64(footer, load_u64((const unsigned char *)SEGMENT_END));
    store_u64(footer + FOOTER_ROWS, w->info.rows);
    store_u64(footer + FOOTER_CHUNKS, w->info.chunks);
    store_u64(footer + FOOTER_FILE, w->offset + FOOTER_BYTES);
    store_u64(footer + FOOTER_HEADER_HASH, w->header_hash);
    store_u64(footer + FOOTER_HASH_AT, il_checksum(footer, FOOTER_HASH_AT));
    w->finished = put(w, footer, sizeof(footer), error) == IL_OK;
    return w->status;
}
