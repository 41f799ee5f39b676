/* SPDX-License-Identifier: Apache-2.0 */
/* Damaged segments: every bit, every length, every field that lies under a checksum that
   is right, chunks that are no zstd of theirs. */
#include <zstd.h>

#include "tests/unit/unit.h"
#include "formats/segment_open.h"
#include "tests/unit/test_segment.h"

/* Everything that a reader gets out of a segment, in one block. */
static unsigned char *contents(struct il_segment *s, size_t *size, enum il_status *status,
                               struct il_error *error)
{
    const struct il_segment_info *info = il_segment_info(s);
    struct il_segment_decoder *d = NULL;
    unsigned char *all = NULL;
    size_t used = sizeof(*info);
    size_t room = used + info->rows * sizeof(float) + s->table[ID_TEXT].bytes +
                  info->chunks * info->raw_max +
                  info->source_dim * (1 + info->dim) * sizeof(float);
    *status = il_segment_decoder_open(&d, s, error);
    assert_int_equal(*status, IL_OK);
    all = calloc(1, room);
    assert_non_null(all);
    memcpy(all, info, sizeof(*info));
    for (size_t i = 0; i < info->rows; i++) {
        size_t bytes = 0;
        const void *id = il_segment_id(s, i, &bytes);
        float norm = il_segment_norm(s, i);
        memcpy(all + used, id, bytes);
        memcpy(all + used + bytes, &norm, sizeof(norm));
        used += bytes + sizeof(norm);
        uint64_t found = il_segment_find(s, id, bytes);
        if (found != i)
            *status = IL_ECORRUPT;
    }
    if (info->source_dim > 0) {
        float *mean = (float *)malloc(info->source_dim * (1 + info->dim) * sizeof(float));
        il_segment_basis(s, mean, mean + info->source_dim);
        memcpy(all + used, mean, info->source_dim * (1 + info->dim) * sizeof(float));
        used += info->source_dim * (1 + info->dim) * sizeof(float);
        free(mean);
    }
    for (size_t i = 0; *status == IL_OK && i < info->chunks; i++) {
        *status = il_segment_read(d, i, all + used, error);
        used += il_segment_chunk(s, i).raw_bytes;
    }
    assert_true(used <= room);
    il_segment_decoder_close(&d);
    *size = used;
    return all;
}

/* Opens and reads all; NULL when something said no. */
static unsigned char *read_all(const struct segfile *f, size_t *size,
                               struct il_error *error)
{
    struct il_bytes bytes = segfile_bytes(f);
    struct il_segment *s = NULL;
    enum il_status status = il_segment_open(&s, &bytes, error);
    if (status != IL_OK) {
        assert_null(s);
        assert_true(status == IL_ECORRUPT || status == IL_EFORMAT);
        return NULL;
    }
    unsigned char *all = contents(s, size, &status, error);
    if (status != IL_OK) {
        assert_int_equal(status, IL_ECORRUPT);
        free(all);
        all = NULL;
    }
    il_segment_close(&s);
    return all;
}

/* Two rows of a basis; one chunk that is compressed where the codec has planes. */
static struct segfile small(enum il_codec codec)
{
    static const float x[12] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};
    static const float mean[4] = {1, 1, 1, 1};
    struct il_error error = {{0}};
    struct segfile f = {0};
    float basis[3 * 4] = {1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0};
    struct il_segment_config c = segfile_config(&f, codec, 3, 3);
    c.source_dim = 4;
    c.mean = mean;
    c.basis = basis;
    memset(c.uuid, 0x11, sizeof(c.uuid));
    memset(c.model, 0x22, sizeof(c.model));
    assert_int_equal(segfile_fill(&c, x, 3, &error), IL_OK);
    return f;
}

/* Two chunks of one block of 40 coordinates; those of f16 end compressed. */
static struct segfile chunked(enum il_codec codec, int level)
{
    struct il_error error = {{0}};
    struct segfile f = {0};
    struct il_segment_config c = segfile_config(&f, codec, 40, 70);
    float *x = malloc(70 * 40 * sizeof(*x));
    for (size_t i = 0; i < 70 * 40; i++)
        x[i] = (float)(i * 37 % 101) - 50;
    c.chunk_bytes = 1;
    c.level = level;
    assert_int_equal(segfile_fill(&c, x, 70, &error), IL_OK);
    free(x);
    return f;
}

static enum il_status verified(const struct segfile *f, struct il_error *error)
{
    struct il_bytes bytes = segfile_bytes(f);
    struct il_segment *s = NULL;
    enum il_status status = il_segment_open(&s, &bytes, error);
    if (status == IL_OK)
        status = il_segment_verify(s, error);
    il_segment_close(&s);
    return status;
}

static void flip_all_bits(struct segfile f)
{
    struct il_error error = {{0}};
    size_t size = 0, refused = 0;
    unsigned char *good = read_all(&f, &size, &error);
    assert_non_null(good);
    assert_int_equal(verified(&f, &error), IL_OK);
    for (size_t bit = 0; bit < 8 * f.size; bit++) {
        size_t found = 0;
        f.data[bit / 8] ^= (unsigned char)(1 << bit % 8);
        error.text[0] = 0;
        unsigned char *all = read_all(&f, &found, &error);
        refused += all == NULL;
        if (all) {
            assert_int_equal(found, size);
            assert_memory_equal(all, good, size);
        } else {
            unit_says(&error, "t.seg");
        }
        free(all);
        /* No bit is without meaning to verify. */
        assert_true(verified(&f, &error) != IL_OK);
        unit_says(&error, "t.seg");
        f.data[bit / 8] ^= (unsigned char)(1 << bit % 8);
    }
    assert_true(refused > 8 * (HEADER_BYTES + FOOTER_BYTES));
    free(good);
    free(f.data);
}

static void every_bit_counts(void **state)
{
    (void)state;
    flip_all_bits(small(IL_CODEC_I8));
    flip_all_bits(chunked(IL_CODEC_F16, 1));
}

static void every_length_is_refused(void **state)
{
    (void)state;
    struct segfile whole = small(IL_CODEC_F32);
    for (size_t size = 0; size < whole.size + 300; size++) {
        struct segfile cut = {.data = calloc(1, size + !size), .size = size};
        struct il_error error = {{0}};
        size_t found = 0;
        memcpy(cut.data, whole.data, size < whole.size ? size : whole.size);
        unsigned char *all = read_all(&cut, &found, &error);
        assert_true((all != NULL) == (size == whole.size));
        if (!all)
            unit_says(&error, "t.seg");
        free(all);
        free(cut.data);
    }
    free(whole.data);
}

/* Where a lie is told, in which file, and what the reader says. Places below zero count
   from the end of the file, that is in the footer and the tables. */
struct lie {
    long at;
    unsigned bytes;
    uint64_t value;
    enum il_status status;
    const char *says;
};

static void tell(struct segfile f, const struct lie *lie, int chunks)
{
    struct il_error error = {{0}};
    struct segfile g = {.data = malloc(f.size), .size = f.size};
    memcpy(g.data, f.data, f.size);
    unsigned char *p = lie->at < 0 ? g.data + g.size + lie->at : g.data + lie->at;
    unsigned char value[8];
    store_u64(value, lie->value);
    memcpy(p, value, lie->bytes);
    /* Without a right checksum it is damage, and said to be. */
    if (lie->at < 0 || lie->at >= (long)SEGMENT_MAGIC_BYTES) {
        assert_int_equal(verified(&g, &error), IL_ECORRUPT);
    }
    segfile_reseal(g.data, g.size, chunks);
    enum il_status status = verified(&g, &error);
    if (status != lie->status)
        fail_msg("'%s' at %ld: status %d: %s", lie->says, lie->at, status, error.text);
    unit_says(&error, "t.seg, byte ");
    unit_says(&error, lie->says);
    free(g.data);
}

static void headers_that_lie(void **state)
{
    (void)state;
    static const struct lie lies[] = {
        {0, 1, 'I', IL_EFORMAT, "byte 0: no segment, wanted"},
        {6, 1, '\n', IL_EFORMAT, "no segment"},
        {HEADER_VERSION, 4, 2, IL_EVERSION,
         "byte 8: segment version 2, wanted at most 1"},
        {HEADER_VERSION, 4, 0, IL_ECORRUPT, "segment version 0, wanted 1"},
        {HEADER_CODEC, 4, 0, IL_ECORRUPT, "byte 12: codec 0, wanted 1 to 5"},
        {HEADER_CODEC, 4, 6, IL_ECORRUPT, "codec 6"},
        {HEADER_CODEC, 4, 1, IL_ECORRUPT, "bytes of a stored chunk"},
        {HEADER_LAYOUT, 4, 2, IL_ECORRUPT, "byte 16: layout 2, wanted 1"},
        {HEADER_DIM, 4, 0, IL_ECORRUPT, "byte 20: row length 0"},
        {HEADER_DIM, 4, 65537, IL_ECORRUPT, "row length 65537, wanted 1 to 65536"},
        {HEADER_DIM, 4, 2, IL_ECORRUPT, "bytes of a table"},
        {HEADER_DIM, 4, 5, IL_ECORRUPT, "byte 24: source row length 4, wanted 5 to"},
        {HEADER_SOURCE_DIM, 4, 65537, IL_ECORRUPT, "source row length 65537"},
        {HEADER_SOURCE_DIM, 4, 0, IL_ECORRUPT, "bytes of a table 64, wanted 0"},
        {HEADER_CHUNK_ROWS, 4, 0, IL_ECORRUPT, "byte 28: 0 rows a chunk"},
        {HEADER_CHUNK_ROWS, 4, 65, IL_ECORRUPT, "65 rows a chunk, wanted a multiple"},
        {HEADER_CHUNK_ROWS, 4, 0xffffffc0, IL_ECORRUPT, "4294967232 rows a chunk"},
        {HEADER_USED, 1, 1, IL_ECORRUPT, "byte 80: reserved byte 1, wanted 0"},
        {HEADER_HASH_AT - 1, 1, 128, IL_ECORRUPT, "byte 4087: reserved byte 128"},
    };
    struct segfile f = small(IL_CODEC_I8);
    for (size_t i = 0; i < sizeof(lies) / sizeof(*lies); i++)
        tell(f, lies + i, 0);
    free(f.data);
}

static void footers_that_lie(void **state)
{
    (void)state;
#define FOOT(field) ((long)(field) - (long)FOOTER_BYTES)
#define TABLE(t, field) FOOT(FOOTER_TABLES + (t)*TABLE_ENTRY + (field))
    static const struct lie lies[] = {
        {FOOT(0), 1, 'X', IL_ECORRUPT, "no footer, wanted ILSEGEND there"},
        {FOOT(FOOTER_ROWS), 8, 4, IL_ECORRUPT, "bytes of a table 12, wanted 16"},
        {FOOT(FOOTER_ROWS), 8, 0, IL_ECORRUPT, "chunks 1, wanted 0"},
        {FOOT(FOOTER_ROWS), 8, (uint64_t)1 << 31, IL_ECORRUPT, "rows 2147483648"},
        {FOOT(FOOTER_ROWS), 8, UINT64_MAX, IL_ECORRUPT, "rows 18446744073709551615"},
        {FOOT(FOOTER_CHUNKS), 8, 2, IL_ECORRUPT, "chunks 2, wanted 1"},
        {FOOT(FOOTER_FILE), 8, 1, IL_ECORRUPT, "file size 1, wanted"},
        {TABLE(BASIS, 0), 8, 0, IL_ECORRUPT, "offset of the tables 0"},
        {TABLE(BASIS, 0), 8, 4097, IL_ECORRUPT, "offset of the tables 4097"},
        {TABLE(BASIS, 0), 8, 4096, IL_ECORRUPT, "offset of a table"},
        {TABLE(BASIS, 0), 8, UINT64_MAX - 4095, IL_ECORRUPT, "offset of a table"},
        {TABLE(BASIS, 8), 8, 0, IL_ECORRUPT, "bytes of a table 0, wanted 64"},
        {TABLE(CHUNKS, 8), 8, 48, IL_ECORRUPT, "bytes of a table 48, wanted 24"},
        {TABLE(NORMS, 0), 8, 8192, IL_ECORRUPT, "offset of a table 8192"},
        {TABLE(ID_TEXT, 8), 8, 1, IL_ECORRUPT, "reserved byte 100, wanted 0"},
        {TABLE(ID_TEXT, 8), 8, 10, IL_ECORRUPT, "end of the ids 9, wanted 10"},
        {TABLE(ID_TEXT, 8), 8, UINT64_MAX, IL_ECORRUPT, "bytes of a table"},
        {TABLE(ID_SLOTS, 8), 8, 0, IL_ECORRUPT, "bytes of a table 0, wanted 64"},
        {FOOT(FOOTER_USED), 1, 1, IL_ECORRUPT, "reserved byte 1, wanted 0"},
        {FOOT(FOOTER_HASH_AT - 1), 1, 1, IL_ECORRUPT, "reserved byte 1, wanted 0"},
    };
    struct segfile f = small(IL_CODEC_I8);
    for (size_t i = 0; i < sizeof(lies) / sizeof(*lies); i++)
        tell(f, lies + i, 0);
    free(f.data);
}

static long table_at(const struct segfile *f, size_t t)
{
    return (long)load_u64(f->data + f->size - FOOTER_BYTES + FOOTER_TABLES +
                          t * TABLE_ENTRY);
}

static void tables_that_lie(void **state)
{
    (void)state;
    struct segfile f = small(IL_CODEC_I8);
    const long chunks = table_at(&f, CHUNKS), ends = table_at(&f, ID_ENDS),
               slots = table_at(&f, ID_SLOTS), norms = table_at(&f, NORMS);
    size_t taken = 0;
    while (slot_row(f.data + slots + taken * SLOT_BYTES) == 0)
        taken++;
    const long slot = slots + (long)taken * (long)SLOT_BYTES;
    const uint32_t row = slot_row(f.data + slot);
    const struct lie lies[] = {
        {chunks, 8, 8192, IL_ECORRUPT, "offset of a chunk 8192, wanted 4096"},
        {chunks + 8, 4, 0, IL_ECORRUPT, "bytes of a stored chunk 0, wanted 512"},
        {chunks + 8, 4, 5000, IL_ECORRUPT, "bytes of a stored chunk 5000"},
        {chunks + 12, 4, 3, IL_ECORRUPT, "packing of a chunk 3"},
        {chunks + 12, 4, 2, IL_ECORRUPT, "packing of a chunk 2, wanted 1"},
        {chunks + 12, 4, 1, IL_ECORRUPT, "bytes of a packed chunk 512, wanted 1 to 511"},
        {chunks + 16, 8, 7, IL_ECORRUPT, "byte 4096: checksum of chunk 0"},
        {chunks + CHUNK_ENTRY, 1, 1, IL_ECORRUPT, "reserved byte 1"},
        {norms + 12, 1, 1, IL_ECORRUPT, "reserved byte 1"},
        {ends, 8, 1, IL_ECORRUPT, "begin of the ids 1, wanted 0"},
        {ends + 8, 8, 0, IL_ECORRUPT, "end of an id 0, wanted 1 to 1024"},
        {ends + 8, 8, UINT64_MAX, IL_ECORRUPT, "end of an id 18446744073709551615"},
        {ends + 8, 8, 9, IL_ECORRUPT, "end of an id 6, wanted 10"},
        {ends + 24, 8, 8, IL_ECORRUPT, "end of the ids 8, wanted 9"},
        {ends + 24, 8, 10, IL_ECORRUPT, "end of an id 10"},
        {slot, 8, 0, IL_ECORRUPT, "rows in the index of ids 2, wanted 3"},
        {slot + 4, 4, 0, IL_ECORRUPT, "hash in an empty slot"},
        {slot + 4, 4, 4, IL_ECORRUPT, "row of a slot 4, wanted 0 to 3"},
        {slot + 4, 4, row % 3 + 1, IL_ECORRUPT, "leads to"},
        {slot, 4, 12345, IL_ECORRUPT, "leads to no row"},
    };
    for (size_t i = 0; i < sizeof(lies) / sizeof(*lies); i++)
        tell(f, lies + i, 0);
    /* Two rows with one id: "id1" becomes "id0". */
    const struct lie twice = {table_at(&f, ID_TEXT) + 5, 1, '0', IL_ECORRUPT, "leads to"};
    tell(f, &twice, 0);
    free(f.data);
}

/* A table without an empty slot and without the id must not be searched for ever. */
static void a_full_index_ends_the_search(void **state)
{
    (void)state;
    unsigned char slots[4 * SLOT_BYTES], ends[16] = {0}, text[1] = {'x'};
    store_u64(ends + 8, 1);
    for (unsigned i = 0; i < 4; i++) {
        store_u32(slots + i * SLOT_BYTES, 5);
        store_u32(slots + i * SLOT_BYTES + 4, i + 1);
    }
    struct id_tables ids = {ends, text, slots, 3};
    assert_true(il_segment_slot(&ids, 1, "y", 1, (uint64_t)5 << 32 | 2) <= 3);
}

/* Puts bytes in place of those of the first chunk, with a checksum that is right. */
static enum il_status with_chunk(const struct segfile *f, const void *data, size_t bytes,
                                 struct il_error *error)
{
    struct segfile g = {.data = malloc(f->size), .size = f->size};
    memcpy(g.data, f->data, f->size);
    long chunks = table_at(&g, CHUNKS);
    assert_true(bytes <= IL_SEGMENT_ALIGN);
    memset(g.data + HEADER_BYTES, 0, IL_SEGMENT_ALIGN);
    memcpy(g.data + HEADER_BYTES, data, bytes);
    store_u32(g.data + chunks + 8, (uint32_t)bytes);
    segfile_reseal(g.data, g.size, 1);
    enum il_status status = verified(&g, error);
    free(g.data);
    return status;
}

static void chunks_that_are_no_zstd_of_theirs(void **state)
{
    (void)state;
    enum { RAW = 40 * 64 * 2 };
    static unsigned char raw[4 * RAW], packed[2 * RAW];
    struct segfile f = chunked(IL_CODEC_F16, 1);
    struct il_error error = {{0}};
    assert_int_equal(il_load_u32(f.data + table_at(&f, CHUNKS) + 12), IL_SHUFFLED_ZSTD);
    size_t size = ZSTD_compress(packed, sizeof(packed), raw, RAW, 1);
    assert_int_equal(with_chunk(&f, packed, size, &error), IL_OK);
    /* Frames of other sizes, the largest a small bomb. */
    for (size_t wrong = 0; wrong <= 4 * RAW; wrong += RAW / 2) {
        size = ZSTD_compress(packed, sizeof(packed), raw, wrong, 1);
        enum il_status wanted = wrong == RAW ? IL_OK : IL_ECORRUPT;
        assert_int_equal(with_chunk(&f, packed, size, &error), wanted);
        unit_says(&error, wrong == RAW ? "" : "byte 4096: no zstd frame of");
    }
    /* Two frames, of the right size together; a byte behind; a frame cut short. */
    size = ZSTD_compress(packed, sizeof(packed), raw, RAW / 2, 1);
    memcpy(packed + size, packed, size);
    assert_int_equal(with_chunk(&f, packed, 2 * size, &error), IL_ECORRUPT);
    size = ZSTD_compress(packed, sizeof(packed), raw, RAW, 1);
    packed[size] = 0;
    assert_int_equal(with_chunk(&f, packed, size + 1, &error), IL_ECORRUPT);
    assert_int_equal(with_chunk(&f, packed, size - 1, &error), IL_ECORRUPT);
    assert_int_equal(with_chunk(&f, "no zstd", 7, &error), IL_ECORRUPT);
    /* A frame that does not say its size. */
    ZSTD_CCtx *zstd = ZSTD_createCCtx();
    ZSTD_CCtx_setParameter(zstd, ZSTD_c_contentSizeFlag, 0);
    size = ZSTD_compress2(zstd, packed, sizeof(packed), raw, RAW);
    assert_false(ZSTD_isError(size));
    assert_int_equal(with_chunk(&f, packed, size, &error), IL_ECORRUPT);
    ZSTD_freeCCtx(zstd);
    /* The right frame around damaged blocks. */
    for (size_t i = 0; i < RAW; i++)
        raw[i] = (unsigned char)(i * i >> 3 & 7);
    size = ZSTD_compress(packed, sizeof(packed), raw, RAW, 1);
    assert_int_equal(with_chunk(&f, packed, size, &error), IL_OK);
    for (size_t i = 8; i < size; i++) {
        packed[i] ^= 0x55;
        enum il_status status = with_chunk(&f, packed, size, &error);
        assert_true(status == IL_OK || status == IL_ECORRUPT);
        packed[i] ^= 0x55;
    }
    free(f.data);
}

/* 16 MiB of row length and 2^31 rows in a file of some KB cost nothing. */
static void headers_ask_for_no_memory(void **state)
{
    (void)state;
    struct segfile f = small(IL_CODEC_F32);
    struct il_error error = {{0}};
    struct il_segment *s = NULL;
    unsigned char *footer = f.data + f.size - FOOTER_BYTES;
    store_u32(f.data + HEADER_DIM, 65536);
    store_u32(f.data + HEADER_SOURCE_DIM, 65536);
    store_u64(footer + FOOTER_ROWS, 0x7fffffff);
    store_u64(footer + FOOTER_CHUNKS, ((uint64_t)0x7fffffff + 63) / 64);
    store_u32(f.data + HEADER_CHUNK_ROWS, 64);
    segfile_reseal(f.data, f.size, 0);
    struct il_bytes bytes = segfile_bytes(&f);
    il_alloc_fail_at(0);
    assert_int_equal(il_segment_open(&s, &bytes, &error), IL_ECORRUPT);
    assert_int_equal(il_alloc_calls(), 0);
    unit_says(&error, "bytes of a table");
    free(f.data);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_bit_counts),
        cmocka_unit_test(every_length_is_refused),
        cmocka_unit_test(headers_that_lie),
        cmocka_unit_test(footers_that_lie),
        cmocka_unit_test(tables_that_lie),
        cmocka_unit_test(a_full_index_ends_the_search),
        cmocka_unit_test(chunks_that_are_no_zstd_of_theirs),
        cmocka_unit_test(headers_ask_for_no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
