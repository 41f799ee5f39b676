/* SPDX-License-Identifier: Apache-2.0 */
/* Segments made in memory, for the tests and the fuzz target. */
#ifndef IL_TEST_SEGMENT_H
#define IL_TEST_SEGMENT_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "formats/segment_inner.h"

#define SEGFILE __attribute__((unused)) static

/* The block is of exactly the size, so that ASan sees a read past the end. */
struct segfile {
    unsigned char *data;
    size_t size;
    long calls, fail_at; /* of the write function; fail_at 0: never */
};

SEGFILE enum il_status segfile_write(void *context, const void *data, size_t bytes,
                                     struct il_error *error)
{
    struct segfile *f = context;
    if (++f->calls == f->fail_at) {
        snprintf(error->text, sizeof(error->text), "segfile: no room");
        return IL_EIO;
    }
    unsigned char *grown = realloc(f->data, f->size + bytes);
    if (!grown)
        abort();
    memcpy(grown + f->size, data, bytes);
    f->data = grown;
    f->size += bytes;
    return IL_OK;
}

SEGFILE struct il_segment_config segfile_config(struct segfile *f, enum il_codec codec,
                                                size_t dim, size_t rows_max)
{
    struct il_segment_config c;
    il_segment_config_init(&c);
    c.name = "t.seg";
    c.codec = codec;
    c.dim = dim;
    c.rows_max = rows_max;
    c.write = segfile_write;
    c.context = f;
    return c;
}

/* Rows with the ids "id0", "id1", ... */
SEGFILE enum il_status segfile_fill(const struct il_segment_config *c, const float *x,
                                    size_t rows, struct il_error *error)
{
    struct il_segment_writer *w = NULL;
    enum il_status status = il_segment_writer_open(&w, c, error);
    size_t dim = c->basis ? c->source_dim : c->dim;
    for (size_t i = 0; status == IL_OK && i < rows; i++) {
        char id[32];
        int bytes = snprintf(id, sizeof(id), "id%zu", i);
        status = il_segment_push(w, id, (size_t)bytes, x + i * dim, error);
    }
    if (status == IL_OK)
        status = il_segment_finish(w, error);
    il_segment_writer_close(&w);
    return status;
}

SEGFILE struct il_bytes segfile_bytes(const struct segfile *f)
{
    return (struct il_bytes){.name = "t.seg",
                             .size = f->size,
                             .memory = f->data ? f->data : (const unsigned char *)""};
}

/* Makes the checksums right again, where they lie within the file: of the chunks too when
   chunks is not 0. */
SEGFILE void segfile_reseal(unsigned char *data, size_t size, int chunks)
{
    if (size < HEADER_BYTES + FOOTER_BYTES)
        return;
    const size_t base = size - FOOTER_BYTES;
    unsigned char *footer = data + base;
    uint64_t table = load_u64(footer + FOOTER_TABLES + CHUNKS * TABLE_ENTRY);
    uint64_t count = load_u64(footer + FOOTER_CHUNKS);
    for (uint64_t i = 0; chunks && i < count && i < size; i++) {
        uint64_t at = table + i * CHUNK_ENTRY;
        if (at >= base || at + CHUNK_ENTRY > base)
            break;
        uint64_t offset = load_u64(data + at), bytes = il_load_u32(data + at + 8);
        if (offset < size && bytes <= size - offset)
            store_u64(data + at + 16, il_checksum(data + offset, (size_t)bytes));
    }
    for (size_t t = 0; t < TABLES; t++) {
        unsigned char *entry = footer + FOOTER_TABLES + t * TABLE_ENTRY;
        uint64_t offset = load_u64(entry), bytes = load_u64(entry + 8);
        if (offset < size && bytes <= size - offset)
            store_u64(entry + 16, il_checksum(data + offset, (size_t)bytes));
    }
    uint64_t header = il_checksum(data, HEADER_HASH_AT);
    store_u64(data + HEADER_HASH_AT, header);
    store_u64(footer + FOOTER_HEADER_HASH, header);
    store_u64(footer + FOOTER_HASH_AT, il_checksum(footer, FOOTER_HASH_AT));
}

#endif
