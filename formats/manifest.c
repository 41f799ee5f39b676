/* SPDX-License-Identifier: Apache-2.0 */
/* The small files of a store: manifest, deletions, basis. The numbers are those of
   formats/manifest.md. */
#include "formats/manifest.h"

#include "formats/little.h"
#include "src/base/base.h"

#include <inttypes.h>

#define MANIFEST_MAGIC "\x89ILMAN\r\n"
#define DELETIONS_MAGIC "\x89ILDEL\r\n"
#define BASIS_MAGIC "\x89ILBAS\r\n"
#define VERSION 1u
#define SUM_BYTES 8u

enum {
    AT_CODEC = 12,
    AT_DIM = 16,
    AT_STORED_DIM = 20,
    AT_GENERATION = 24,
    AT_UUID = 32,
    AT_FINGERPRINT = 48,
    AT_BASIS = 80, /* 1: there is one */
    AT_NEXT = 84,
    AT_BASIS_SUM = 88,
    AT_LOG = 96,
    AT_COUNT = 100,
    AT_LOG_SYNCED = 104,
    AT_MODEL_BYTES = 112,
    AT_ZEROS = 116,
    AT_MODEL = 128,
    MANIFEST_HEAD = 384,
    ENTRY_BYTES = 40
};

enum { DEL_SEGMENT = 12, DEL_ROWS = 16, DEL_COUNT = 24, DEL_HEAD = 32 };
enum { BASIS_DIM = 12, BASIS_STORED = 16, BASIS_ZERO = 20, BASIS_HEAD = 32 };

static enum il_status wrong(const char *name, uint64_t at, const char *what,
                            uint64_t found, uint64_t low, uint64_t high,
                            struct il_error *error)
{
    if (low == high)
        return il_fail(error, IL_ECORRUPT,
                       "%s, byte %" PRIu64 ": %s %" PRIu64 ", wanted %" PRIu64, name, at,
                       what, found, low);
    return il_fail(error, IL_ECORRUPT,
                   "%s, byte %" PRIu64 ": %s %" PRIu64 ", wanted %" PRIu64 " to %" PRIu64,
                   name, at, what, found, low, high);
}

/* IL_OK when found lies between low and high. */
static enum il_status check_range(const char *name, uint64_t at, const char *what,
                                  uint64_t found, uint64_t low, uint64_t high,
                                  struct il_error *error)
{
    if (found >= low && found <= high)
        return IL_OK;
    return wrong(name, at, what, found, low, high, error);
}

void il_model_fingerprint(const char *name, unsigned char out[32])
{
    unsigned char text[1 + IL_MODEL_BYTES_MAX];
    size_t bytes = 0;
    memset(out, 0, 32);
    for (; bytes < IL_MODEL_BYTES_MAX && name[bytes]; bytes++)
        text[1 + bytes] = (unsigned char)name[bytes];
    IL_ASSERT(!name[bytes]);
    if (bytes == 0)
        return;
    for (unsigned char i = 0; i < 4; i++) {
        text[0] = i;
        store_u64(out + (size_t)i * 8, il_checksum(text, 1 + bytes));
    }
}

size_t il_manifest_bytes(const struct il_manifest *m)
{
    return MANIFEST_HEAD + m->count * ENTRY_BYTES + SUM_BYTES;
}

void il_manifest_encode(const struct il_manifest *m, unsigned char *out)
{
    const size_t bytes = il_manifest_bytes(m);
    memset(out, 0, bytes);
    store_u64(out, load_u64((const unsigned char *)MANIFEST_MAGIC));
    store_u32(out + 8, VERSION);
    store_u32(out + AT_CODEC, (uint32_t)m->codec);
    store_u32(out + AT_DIM, (uint32_t)m->dim);
    store_u32(out + AT_STORED_DIM, (uint32_t)m->stored_dim);
    store_u64(out + AT_GENERATION, m->generation);
    memcpy(out + AT_UUID, m->uuid, sizeof(m->uuid));
    memcpy(out + AT_FINGERPRINT, m->fingerprint, sizeof(m->fingerprint));
    store_u32(out + AT_BASIS, (uint32_t)m->has_basis);
    store_u32(out + AT_NEXT, m->next);
    store_u64(out + AT_BASIS_SUM, m->basis_sum);
    store_u32(out + AT_LOG, m->log);
    store_u32(out + AT_COUNT, (uint32_t)m->count);
    store_u64(out + AT_LOG_SYNCED, m->log_synced);
    store_u32(out + AT_MODEL_BYTES, (uint32_t)strlen(m->model));
    memcpy(out + AT_MODEL, m->model, strlen(m->model));
    for (size_t i = 0; i < m->count; i++) {
        const struct il_manifest_segment *s = &m->segments[i];
        unsigned char *p = out + MANIFEST_HEAD + i * ENTRY_BYTES;
        store_u32(p, s->number);
        store_u32(p + 4, s->del);
        store_u64(p + 8, s->rows);
        store_u64(p + 16, s->deleted);
        store_u64(p + 24, s->seal);
        store_u64(p + 32, s->del_sum);
    }
    store_u64(out + bytes - SUM_BYTES, il_checksum(out, bytes - SUM_BYTES));
}

/* The fields before the segments. */
static enum il_status decode_head(struct il_manifest *m, const char *name,
                                  const unsigned char *p, struct il_error *error)
{
    const uint32_t codec = il_load_u32(p + AT_CODEC), basis = il_load_u32(p + AT_BASIS);
    const uint32_t model_bytes = il_load_u32(p + AT_MODEL_BYTES);
    m->codec = (enum il_codec)codec;
    m->dim = il_load_u32(p + AT_DIM);
    m->stored_dim = il_load_u32(p + AT_STORED_DIM);
    m->generation = load_u64(p + AT_GENERATION);
    memcpy(m->uuid, p + AT_UUID, sizeof(m->uuid));
    memcpy(m->fingerprint, p + AT_FINGERPRINT, sizeof(m->fingerprint));
    m->has_basis = basis != 0;
    m->next = il_load_u32(p + AT_NEXT);
    m->basis_sum = load_u64(p + AT_BASIS_SUM);
    m->log = il_load_u32(p + AT_LOG);
    m->count = il_load_u32(p + AT_COUNT);
    m->log_synced = load_u64(p + AT_LOG_SYNCED);
    const struct {
        uint64_t at;
        const char *what;
        uint64_t found, low, high;
    } ranges[] = {
        {AT_CODEC, "codec", codec, IL_CODEC_F32, IL_CODEC_B1},
        {AT_DIM, "row length", m->dim, 1, IL_DIM_MAX},
        {AT_STORED_DIM, "stored row length", m->stored_dim, basis ? 1 : m->dim, m->dim},
        {AT_GENERATION, "generation", m->generation, 1, UINT64_MAX},
        {AT_BASIS, "mark of a basis", basis, 0, 1},
        {AT_NEXT, "next number", m->next, 2, IL_NUMBER_MAX + 1},
        {AT_BASIS_SUM, "checksum of no basis", basis ? 0 : m->basis_sum, 0, 0},
        {AT_LOG, "number of the log", m->log, 1, (uint64_t)m->next - 1},
        {AT_COUNT, "segments", m->count, 0, IL_SEGMENTS_MAX},
        {AT_MODEL_BYTES, "bytes of the model's name", model_bytes, 0, IL_MODEL_BYTES_MAX},
    };
    for (size_t i = 0; i < sizeof(ranges) / sizeof(*ranges); i++) {
        enum il_status status =
            check_range(name, ranges[i].at, ranges[i].what, ranges[i].found,
                        ranges[i].low, ranges[i].high, error);
        if (status != IL_OK)
            return status;
    }
    memcpy(m->model, p + AT_MODEL, model_bytes);
    m->model[model_bytes] = 0;
    if (strlen(m->model) != model_bytes)
        return wrong(name, AT_MODEL + strlen(m->model), "byte of the model's name", 0, 1,
                     255, error);
    unsigned char fingerprint[32];
    il_model_fingerprint(m->model, fingerprint);
    if (memcmp(fingerprint, m->fingerprint, sizeof(fingerprint)) != 0)
        return il_fail(error, IL_ECORRUPT,
                       "%s, byte %d: the fingerprint is not that of the model's name",
                       name, AT_FINGERPRINT);
    enum il_status status =
        il_check_zeros(name, p + AT_ZEROS, AT_MODEL - AT_ZEROS, AT_ZEROS, error);
    if (status != IL_OK)
        return status;
    return il_check_zeros(name, p + AT_MODEL + model_bytes,
                          MANIFEST_HEAD - AT_MODEL - model_bytes, AT_MODEL + model_bytes,
                          error);
}

static enum il_status decode_segment(struct il_manifest *m, const char *name, size_t i,
                                     const unsigned char *p, struct il_error *error)
{
    struct il_manifest_segment *s = &m->segments[i];
    const uint64_t at = MANIFEST_HEAD + (uint64_t)i * ENTRY_BYTES;
    *s = (struct il_manifest_segment){.number = il_load_u32(p),
                                      .del = il_load_u32(p + 4),
                                      .rows = load_u64(p + 8),
                                      .deleted = load_u64(p + 16),
                                      .seal = load_u64(p + 24),
                                      .del_sum = load_u64(p + 32)};
    enum il_status status =
        check_range(name, at, "number of a segment", s->number,
                    i > 0 ? (uint64_t)s[-1].number + 1 : 1, (uint64_t)m->next - 1, error);
    if (status == IL_OK)
        status = check_range(name, at + 4, "number of deletions", s->del, 0,
                             (uint64_t)m->next - 1, error);
    if (status == IL_OK)
        status = check_range(name, at + 8, "rows of a segment", s->rows, 1, IL_ROWS_MAX,
                             error);
    if (status == IL_OK)
        status = check_range(name, at + 16, "deleted rows", s->deleted, s->del ? 1 : 0,
                             s->del ? s->rows - 1 : 0, error);
    if (status == IL_OK && !s->del)
        status = check_range(name, at + 32, "checksum of no deletions", s->del_sum, 0, 0,
                             error);
    return status;
}

enum il_status il_manifest_decode(struct il_manifest *m, const char *name,
                                  const unsigned char *p, size_t bytes,
                                  struct il_error *error)
{
    *m = (struct il_manifest){0};
    enum il_status status = il_check_frame(name, p, bytes, MANIFEST_HEAD + SUM_BYTES,
                                           MANIFEST_MAGIC, "manifest", VERSION, error);
    if (status == IL_OK)
        status = decode_head(m, name, p, error);
    if (status == IL_OK && bytes != il_manifest_bytes(m))
        status = wrong(name, AT_COUNT, "bytes of the file", bytes, il_manifest_bytes(m),
                       il_manifest_bytes(m), error);
    if (status == IL_OK && m->count > 0) {
        m->segments = il_alloc(m->count, sizeof(*m->segments));
        if (!m->segments) {
            status = IL_ENOMEM;
            il_fail(error, status, "%s: no memory for %zu segments", name, m->count);
        }
    }
    for (size_t i = 0; status == IL_OK && i < m->count; i++)
        status = decode_segment(m, name, i, p + MANIFEST_HEAD + i * ENTRY_BYTES, error);
    if (status != IL_OK)
        il_manifest_free(m);
    return status;
}

void il_manifest_free(struct il_manifest *m)
{
    il_free(m->segments);
    *m = (struct il_manifest){0};
}

size_t il_deletions_bitmap_bytes(uint64_t rows)
{
    return (size_t)((rows + 63) / 64 * 8);
}

size_t il_deletions_bytes(uint64_t rows)
{
    return DEL_HEAD + il_deletions_bitmap_bytes(rows) + SUM_BYTES;
}

static uint64_t count_bits(const unsigned char *bitmap, size_t bytes)
{
    uint64_t count = 0;
    for (size_t i = 0; i < bytes; i += 8)
        count += (uint64_t)__builtin_popcountll(load_u64(bitmap + i));
    return count;
}

void il_deletions_encode(uint32_t segment, uint64_t rows, const unsigned char *bitmap,
                         unsigned char *out)
{
    const size_t bits = il_deletions_bitmap_bytes(rows);
    memset(out, 0, DEL_HEAD);
    store_u64(out, load_u64((const unsigned char *)DELETIONS_MAGIC));
    store_u32(out + 8, VERSION);
    store_u32(out + DEL_SEGMENT, segment);
    store_u64(out + DEL_ROWS, rows);
    store_u64(out + DEL_COUNT, count_bits(bitmap, bits));
    memcpy(out + DEL_HEAD, bitmap, bits);
    store_u64(out + DEL_HEAD + bits, il_checksum(out, DEL_HEAD + bits));
}

enum il_status il_deletions_decode(const char *name, const unsigned char *p, size_t bytes,
                                   const struct il_manifest_segment *wanted,
                                   const unsigned char **bitmap, struct il_error *error)
{
    const size_t size = il_deletions_bytes(wanted->rows);
    const size_t bits = il_deletions_bitmap_bytes(wanted->rows);
    enum il_status status = il_check_frame(name, p, bytes, DEL_HEAD + SUM_BYTES,
                                           DELETIONS_MAGIC, "deletions", VERSION, error);
    if (status == IL_OK)
        status = check_range(name, 0, "bytes of the file", bytes, size, size, error);
    if (status == IL_OK)
        status = il_check_sum(name, bytes - SUM_BYTES, "the file in the manifest",
                              wanted->del_sum, load_u64(p + bytes - SUM_BYTES), error);
    if (status == IL_OK)
        status = check_range(name, DEL_SEGMENT, "number of the segment",
                             il_load_u32(p + DEL_SEGMENT), wanted->number, wanted->number,
                             error);
    if (status == IL_OK)
        status = check_range(name, DEL_ROWS, "rows", load_u64(p + DEL_ROWS), wanted->rows,
                             wanted->rows, error);
    if (status == IL_OK)
        status = check_range(name, DEL_COUNT, "deleted rows", load_u64(p + DEL_COUNT),
                             wanted->deleted, wanted->deleted, error);
    if (status == IL_OK)
        status = check_range(name, DEL_HEAD, "bits of the bitmap",
                             count_bits(p + DEL_HEAD, bits), wanted->deleted,
                             wanted->deleted, error);
    if (status != IL_OK)
        return status;
    if (wanted->rows % 64 != 0 &&
        load_u64(p + DEL_HEAD + bits - 8) >> (wanted->rows % 64) != 0)
        return il_fail(error, IL_ECORRUPT, "%s, byte %zu: a row past the last is deleted",
                       name, DEL_HEAD + bits - 8);
    *bitmap = p + DEL_HEAD;
    return IL_OK;
}

static size_t basis_values(size_t dim, size_t stored_dim)
{
    return dim * (1 + stored_dim) * sizeof(float);
}

size_t il_basis_bytes(size_t dim, size_t stored_dim)
{
    return BASIS_HEAD + basis_values(dim, stored_dim) + SUM_BYTES;
}

uint64_t il_basis_encode(size_t dim, size_t stored_dim, const float *mean,
                         const float *basis, unsigned char *out)
{
    const size_t values = basis_values(dim, stored_dim);
    memset(out, 0, BASIS_HEAD);
    store_u64(out, load_u64((const unsigned char *)BASIS_MAGIC));
    store_u32(out + 8, VERSION);
    store_u32(out + BASIS_DIM, (uint32_t)dim);
    store_u32(out + BASIS_STORED, (uint32_t)stored_dim);
    memcpy(out + BASIS_HEAD, mean, dim * sizeof(float));
    memcpy(out + BASIS_HEAD + dim * sizeof(float), basis, values - dim * sizeof(float));
    store_u64(out + BASIS_HEAD + values, il_checksum(out, BASIS_HEAD + values));
    return il_checksum(out + BASIS_HEAD, values);
}

enum il_status il_basis_decode(const char *name, const unsigned char *p, size_t bytes,
                               const struct il_manifest *wanted, float *mean,
                               float *basis, struct il_error *error)
{
    const size_t size = il_basis_bytes(wanted->dim, wanted->stored_dim);
    const size_t values = basis_values(wanted->dim, wanted->stored_dim);
    enum il_status status = il_check_frame(name, p, bytes, BASIS_HEAD + SUM_BYTES,
                                           BASIS_MAGIC, "basis", VERSION, error);
    if (status == IL_OK)
        status = check_range(name, 0, "bytes of the file", bytes, size, size, error);
    if (status == IL_OK)
        status = check_range(name, BASIS_DIM, "row length", il_load_u32(p + BASIS_DIM),
                             wanted->dim, wanted->dim, error);
    if (status == IL_OK)
        status = check_range(name, BASIS_STORED, "stored row length",
                             il_load_u32(p + BASIS_STORED), wanted->stored_dim,
                             wanted->stored_dim, error);
    if (status == IL_OK)
        status = il_check_zeros(name, p + BASIS_ZERO, BASIS_HEAD - BASIS_ZERO, BASIS_ZERO,
                                error);
    if (status == IL_OK)
        status =
            il_check_sum(name, BASIS_HEAD, "the values in the manifest",
                         wanted->basis_sum, il_checksum(p + BASIS_HEAD, values), error);
    if (status != IL_OK)
        return status;
    memcpy(mean, p + BASIS_HEAD, wanted->dim * sizeof(float));
    memcpy(basis, p + BASIS_HEAD + wanted->dim * sizeof(float),
           values - wanted->dim * sizeof(float));
    return IL_OK;
}
