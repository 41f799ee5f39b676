/* SPDX-License-Identifier: Apache-2.0 */
/* Opens segments: header, footer and tables are checked against each other and against
   the size of the file; and answers what stands in the tables. */
#include "formats/segment_inner.h"

#include "formats/segment_open.h"
#include "src/base/base.h"

#include <inttypes.h>

/* Names the file and the place: "FILE, byte 4088: WHAT found, wanted wanted". */
static enum il_status damaged(const struct il_bytes *b, uint64_t at, const char *what,
                              uint64_t found, uint64_t wanted, struct il_error *error)
{
    return il_fail(error, IL_ECORRUPT,
                   "%s, byte %" PRIu64 ": %s %" PRIu64 ", wanted %" PRIu64, b->name, at,
                   what, found, wanted);
}

static enum il_status outside(const struct il_bytes *b, uint64_t at, const char *what,
                              uint64_t found, uint64_t low, uint64_t high,
                              struct il_error *error)
{
    return il_fail(error, IL_ECORRUPT,
                   "%s, byte %" PRIu64 ": %s %" PRIu64 ", wanted %" PRIu64 " to %" PRIu64,
                   b->name, at, what, found, low, high);
}

/* The fields of a header whose checksum is right. */
static enum il_status parse_header(struct il_segment *s, const unsigned char *p,
                                   struct il_error *error)
{
    const struct il_bytes *b = &s->bytes;
    struct il_segment_info *info = &s->info;
    uint32_t codec = il_load_u32(p + HEADER_CODEC);
    uint32_t layout = il_load_u32(p + HEADER_LAYOUT);
    info->codec = (enum il_codec)codec;
    info->dim = il_load_u32(p + HEADER_DIM);
    info->source_dim = il_load_u32(p + HEADER_SOURCE_DIM);
    info->chunk_rows = il_load_u32(p + HEADER_CHUNK_ROWS);
    memcpy(info->uuid, p + HEADER_UUID, sizeof(info->uuid));
    memcpy(info->model, p + HEADER_MODEL, sizeof(info->model));
    if (codec < IL_CODEC_F32 || codec > IL_CODEC_B1)
        return outside(b, HEADER_CODEC, "codec", codec, IL_CODEC_F32, IL_CODEC_B1, error);
    if (layout != SEGMENT_LAYOUT)
        return damaged(b, HEADER_LAYOUT, "layout", layout, SEGMENT_LAYOUT, error);
    if (info->dim < 1 || info->dim > IL_DIM_MAX)
        return outside(b, HEADER_DIM, "row length", info->dim, 1, IL_DIM_MAX, error);
    if (info->source_dim != 0 &&
        (info->source_dim < info->dim || info->source_dim > IL_DIM_MAX))
        return outside(b, HEADER_SOURCE_DIM, "source row length", info->source_dim,
                       info->dim, IL_DIM_MAX, error);
    /* So many rows of so many bytes each fit into 64 bits, so the product is exact. */
    if (info->chunk_rows < IL_SEGMENT_BLOCK || info->chunk_rows % IL_SEGMENT_BLOCK != 0 ||
        info->chunk_rows > IL_SEGMENT_CHUNK_MAX ||
        il_segment_raw_bytes(info->codec, info->dim, info->chunk_rows) >
            IL_SEGMENT_CHUNK_MAX)
        return il_fail(error, IL_ECORRUPT,
                       "%s, byte %d: %zu rows a chunk, wanted a multiple of %u that "
                       "takes at most %zu bytes",
                       b->name, HEADER_CHUNK_ROWS, info->chunk_rows, IL_SEGMENT_BLOCK,
                       IL_SEGMENT_CHUNK_MAX);
    return il_check_zeros(b->name, p + HEADER_USED, HEADER_HASH_AT - HEADER_USED,
                          HEADER_USED, error);
}

static enum il_status read_header(struct il_segment *s, struct il_error *error)
{
    unsigned char p[HEADER_BYTES];
    const struct il_bytes *b = &s->bytes;
    enum il_status status;
    if (b->size >= SEGMENT_MAGIC_BYTES) {
        status = il_bytes_read(b, 0, p, SEGMENT_MAGIC_BYTES, error);
        if (status != IL_OK)
            return status;
    }
    if (b->size < SEGMENT_MAGIC_BYTES ||
        memcmp(p, SEGMENT_MAGIC, SEGMENT_MAGIC_BYTES) != 0)
        return il_fail(error, IL_EFORMAT,
                       "%s, byte 0: no segment, wanted \\x89ILSEG\\r\\n there", b->name);
    if (b->size < HEADER_BYTES + FOOTER_BYTES)
        return il_fail(error, IL_ECORRUPT,
                       "%s: %" PRIu64 " bytes, wanted at least %u: the file is cut short",
                       b->name, b->size, HEADER_BYTES + FOOTER_BYTES);
    status = il_bytes_read(b, 0, p, sizeof(p), error);
    if (status != IL_OK)
        return status;
    s->header_hash = il_checksum(p, HEADER_HASH_AT);
    status = il_check_sum(b->name, HEADER_HASH_AT, "the header",
                          load_u64(p + HEADER_HASH_AT), s->header_hash, error);
    if (status != IL_OK)
        return status;
    uint32_t version = il_load_u32(p + HEADER_VERSION);
    if (version > SEGMENT_VERSION)
        return il_fail(error, IL_EVERSION,
                       "%s, byte %d: segment version %" PRIu32
                       ", wanted at most %u: it was written by a newer isolink",
                       b->name, HEADER_VERSION, version, SEGMENT_VERSION);
    if (version < 1)
        return damaged(b, HEADER_VERSION, "segment version", version, 1, error);
    return parse_header(s, p, error);
}

/* Rows, chunks and where the tables lie, from a footer whose checksum is right. */
static enum il_status parse_footer(struct il_segment *s, const unsigned char *p,
                                   uint64_t base, struct il_error *error)
{
    const struct il_bytes *b = &s->bytes;
    uint64_t rows = load_u64(p + FOOTER_ROWS), chunks = load_u64(p + FOOTER_CHUNKS);
    uint64_t file = load_u64(p + FOOTER_FILE), size[TABLES];
    if (file != b->size)
        return damaged(b, base + FOOTER_FILE, "file size", file, b->size, error);
    if (load_u64(p + FOOTER_HEADER_HASH) != s->header_hash)
        return il_fail(error, IL_ECORRUPT,
                       "%s, byte %" PRIu64 ": the footer belongs to another header",
                       b->name, base + FOOTER_HEADER_HASH);
    if (rows > IL_ROWS_MAX)
        return outside(b, base + FOOTER_ROWS, "rows", rows, 0, IL_ROWS_MAX, error);
    s->info.rows = (size_t)rows;
    s->info.chunks = (size_t)((rows + s->info.chunk_rows - 1) / s->info.chunk_rows);
    if (chunks != s->info.chunks)
        return damaged(b, base + FOOTER_CHUNKS, "chunks", chunks, s->info.chunks, error);
    size_t most = rows < s->info.chunk_rows ? s->info.rows : s->info.chunk_rows;
    s->info.raw_max = il_segment_raw_bytes(s->info.codec, s->info.dim, most);
    il_segment_table_sizes(&s->info,
                           load_u64(p + FOOTER_TABLES + ID_TEXT * TABLE_ENTRY + 8), size);
    /* Each ends where the next begins and the last where the footer does. None is larger
       than the file, so the sums fit. */
    uint64_t end = 0;
    for (unsigned t = 0; t < TABLES; t++) {
        uint64_t at = FOOTER_TABLES + t * TABLE_ENTRY;
        uint64_t offset = load_u64(p + at), bytes = load_u64(p + at + 8);
        if (bytes != size[t] || bytes > base)
            return damaged(b, base + at + 8, "bytes of a table", bytes,
                           size[t] > base ? base : size[t], error);
        if (t == 0 && (offset % IL_SEGMENT_ALIGN != 0 || offset < HEADER_BYTES))
            return damaged(b, base + at, "offset of the tables", offset,
                           align_to(offset, IL_SEGMENT_ALIGN), error);
        if (t > 0 && offset != align_to(end, TABLE_ALIGN))
            return damaged(b, base + at, "offset of a table", offset,
                           align_to(end, TABLE_ALIGN), error);
        if (offset > base || bytes > base - offset)
            return outside(b, base + at, "offset of a table", offset, 0, base - bytes,
                           error);
        end = offset + bytes;
        s->table[t] = (struct table){offset, bytes};
        s->table_hash[t] = load_u64(p + at + 16);
    }
    if (align_to(end, TABLE_ALIGN) != base)
        return damaged(b, base, "end of the tables", align_to(end, TABLE_ALIGN), base,
                       error);
    return il_check_zeros(b->name, p + FOOTER_USED, FOOTER_HASH_AT - FOOTER_USED,
                          base + FOOTER_USED, error);
}

static enum il_status read_footer(struct il_segment *s, struct il_error *error)
{
    unsigned char p[FOOTER_BYTES];
    const struct il_bytes *b = &s->bytes;
    const uint64_t base = b->size - FOOTER_BYTES;
    enum il_status status = il_bytes_read(b, base, p, sizeof(p), error);
    if (status != IL_OK)
        return status;
    if (memcmp(p, SEGMENT_END, SEGMENT_MAGIC_BYTES) != 0)
        return il_fail(error, IL_ECORRUPT,
                       "%s, byte %" PRIu64 ": no footer, wanted " SEGMENT_END
                       " there: the file is cut short, longer or damaged",
                       b->name, base);
    status =
        il_check_sum(b->name, base + FOOTER_HASH_AT, "the footer",
                     load_u64(p + FOOTER_HASH_AT), il_checksum(p, FOOTER_HASH_AT), error);
    s->seal = load_u64(p + FOOTER_HASH_AT);
    return status != IL_OK ? status : parse_footer(s, p, base, error);
}

/* Reads or borrows the tables and checks their checksums and the zeros behind each. */
static enum il_status load_tables(struct il_segment *s, struct il_error *error)
{
    static const char *const what[TABLES] = {"the basis", "the chunk table",
                                             "the norms", "the ends of ids",
                                             "the ids",   "the index of ids"};
    const struct il_bytes *b = &s->bytes;
    const uint64_t begin = s->table[0].offset, end = b->size - FOOTER_BYTES;
    const unsigned char *tables = b->memory ? b->memory + begin : NULL;
    if (!tables) {
        s->block = il_alloc((size_t)(end - begin), 1);
        if (!s->block)
            return il_fail(error, IL_ENOMEM,
                           "%s: no memory for %" PRIu64 " bytes of tables", b->name,
                           end - begin);
        enum il_status status =
            il_bytes_read(b, begin, s->block, (size_t)(end - begin), error);
        if (status != IL_OK)
            return status;
        tables = s->block;
    }
    for (int t = 0; t < TABLES; t++) {
        const unsigned char *data = tables + (s->table[t].offset - begin);
        uint64_t stop = s->table[t].offset + s->table[t].bytes;
        uint64_t next = align_to(stop, TABLE_ALIGN);
        il_large_look();
        enum il_status status = il_check_sum(b->name, s->table[t].offset, what[t],
                                             il_checksum(data, (size_t)s->table[t].bytes),
                                             s->table_hash[t], error);
        if (status == IL_OK)
            status = il_check_zeros(b->name, data + s->table[t].bytes,
                                    (size_t)(next - stop), stop, error);
        if (status != IL_OK)
            return status;
        s->data[t] = data;
    }
    s->ids = (struct id_tables){s->data[ID_ENDS], s->data[ID_TEXT], s->data[ID_SLOTS],
                                s->table[ID_SLOTS].bytes / SLOT_BYTES - 1};
    return IL_OK;
}

/* Chunks follow each other from the header to the tables. */
static enum il_status check_chunks(const struct il_segment *s, struct il_error *error)
{
    const struct il_bytes *b = &s->bytes;
    const unsigned width = (unsigned)il_segment_shuffle_width(s->info.codec);
    uint64_t offset = HEADER_BYTES;
    for (size_t i = 0; i < s->info.chunks; i++) {
        struct il_segment_chunk c = il_segment_chunk(s, i);
        uint64_t at = s->table[CHUNKS].offset + i * CHUNK_ENTRY;
        uint32_t packing = (uint32_t)c.packing;
        if (c.offset != offset)
            return damaged(b, at, "offset of a chunk", c.offset, offset, error);
        if (packing != IL_STORED && packing != (width > 1 ? IL_SHUFFLED_ZSTD : IL_ZSTD))
            return damaged(b, at + 12, "packing of a chunk", packing,
                           width > 1 ? IL_SHUFFLED_ZSTD : IL_ZSTD, error);
        if (packing == IL_STORED && c.bytes != c.raw_bytes)
            return damaged(b, at + 8, "bytes of a stored chunk", c.bytes, c.raw_bytes,
                           error);
        if (packing != IL_STORED && (c.bytes < 1 || c.bytes >= c.raw_bytes))
            return outside(b, at + 8, "bytes of a packed chunk", c.bytes, 1,
                           c.raw_bytes - 1, error);
        /* Both are far below 2^63. */
        offset = align_to(offset + c.bytes, IL_SEGMENT_ALIGN);
        if (offset > s->table[0].offset)
            break;
    }
    if (offset != s->table[0].offset)
        return damaged(b, s->table[CHUNKS].offset, "end of the chunks", offset,
                       s->table[0].offset, error);
    return IL_OK;
}

static enum il_status check_ids(const struct il_segment *s, struct il_error *error)
{
    const struct il_bytes *b = &s->bytes;
    uint64_t before = load_u64(s->ids.ends), used = 0;
    if (before != 0)
        return damaged(b, s->table[ID_ENDS].offset, "begin of the ids", before, 0, error);
    for (size_t row = 0; row < s->info.rows; row++) {
        uint64_t end = load_u64(s->ids.ends + row * 8 + 8);
        if (end <= before || end - before > IL_ID_BYTES_MAX ||
            end > s->table[ID_TEXT].bytes)
            return outside(b, s->table[ID_ENDS].offset + row * 8 + 8, "end of an id", end,
                           before + 1, before + IL_ID_BYTES_MAX, error);
        before = end;
    }
    if (before != s->table[ID_TEXT].bytes)
        return damaged(b, s->table[ID_ENDS].offset + s->info.rows * 8, "end of the ids",
                       before, s->table[ID_TEXT].bytes, error);
    for (uint64_t i = 0; i <= s->ids.slot_mask; i++) {
        const unsigned char *slot = s->ids.slots + i * SLOT_BYTES;
        used += slot_row(slot) != 0;
        if (slot_row(slot) == 0 && slot_tag(slot) != 0)
            return damaged(b, s->table[ID_SLOTS].offset + i * SLOT_BYTES,
                           "hash in an empty slot", slot_tag(slot), 0, error);
        if (slot_row(slot) > s->info.rows)
            return outside(b, s->table[ID_SLOTS].offset + i * SLOT_BYTES + 4,
                           "row of a slot", slot_row(slot), 0, s->info.rows, error);
    }
    if (used != s->info.rows)
        return damaged(b, s->table[ID_SLOTS].offset, "rows in the index of ids", used,
                       s->info.rows, error);
    return IL_OK;
}

enum il_status il_segment_open(struct il_segment **out, const struct il_bytes *bytes,
                               struct il_error *error)
{
    struct il_segment found = {.bytes = *bytes};
    *out = NULL;
    enum il_status status = read_header(&found, error);
    if (status == IL_OK)
        status = read_footer(&found, error);
    if (status != IL_OK)
        return status;
    struct il_segment *s = il_alloc(1, sizeof(*s));
    if (!s)
        return il_fail(error, IL_ENOMEM, "%s: no memory to open it", bytes->name);
    *s = found;
    status = load_tables(s, error);
    if (status == IL_OK)
        status = check_chunks(s, error);
    if (status == IL_OK)
        status = check_ids(s, error);
    if (status != IL_OK)
        il_segment_close(&s);
    *out = s;
    return status;
}

void il_segment_close(struct il_segment **segment)
{
    if (!*segment)
        return;
    il_free((*segment)->block);
    il_free(*segment);
    *segment = NULL;
}

const struct il_segment_info *il_segment_info(const struct il_segment *s)
{
    return &s->info;
}

const struct il_bytes *il_segment_bytes(const struct il_segment *s)
{
    return &s->bytes;
}

struct il_segment_chunk il_segment_chunk(const struct il_segment *s, size_t i)
{
    IL_ASSERT(i < s->info.chunks);
    const unsigned char *entry = s->data[CHUNKS] + i * CHUNK_ENTRY;
    struct il_segment_chunk c = {.first = i * s->info.chunk_rows};
    size_t left = s->info.rows - c.first;
    c.rows = left < s->info.chunk_rows ? left : s->info.chunk_rows;
    c.blocks = (c.rows + IL_SEGMENT_BLOCK - 1) / IL_SEGMENT_BLOCK;
    c.raw_bytes = il_segment_raw_bytes(s->info.codec, s->info.dim, c.rows);
    c.scale_at = c.blocks * il_codec_block_bytes(s->info.codec, s->info.dim);
    c.offset = load_u64(entry);
    c.bytes = il_load_u32(entry + 8);
    c.packing = (enum il_packing)il_load_u32(entry + 12);
    c.hash = load_u64(entry + 16);
    return c;
}

uint64_t il_segment_find(const struct il_segment *s, const void *id, size_t bytes)
{
    uint64_t at =
        il_segment_slot(&s->ids, s->info.rows, id, bytes, il_checksum(id, bytes));
    uint64_t row = slot_row(s->ids.slots + at * SLOT_BYTES);
    return row > 0 ? row - 1 : IL_SEGMENT_NONE;
}

const void *il_segment_id(const struct il_segment *s, size_t row, size_t *bytes)
{
    IL_ASSERT(row < s->info.rows);
    uint64_t begin = load_u64(s->ids.ends + row * 8);
    *bytes = (size_t)(load_u64(s->ids.ends + row * 8 + 8) - begin);
    return s->ids.text + begin;
}

float il_segment_norm(const struct il_segment *s, size_t row)
{
    IL_ASSERT(row < s->info.rows);
    return load_f32(s->data[NORMS] + row * sizeof(float));
}

uint64_t il_segment_seal(const struct il_segment *s)
{
    return s->seal;
}

uint64_t il_segment_basis_sum(const struct il_segment *s)
{
    return s->table_hash[BASIS];
}

void il_segment_basis(const struct il_segment *s, float *mean, float *basis)
{
    size_t bytes = s->info.source_dim * sizeof(float);
    if (bytes == 0)
        return;
    memcpy(mean, s->data[BASIS], bytes);
    memcpy(basis, s->data[BASIS] + bytes, bytes * s->info.dim);
}
