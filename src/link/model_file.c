/* SPDX-License-Identifier: Apache-2.0 */
/* Models as bytes. The numbers are those of formats/model.md. */
#include "src/link/model.h"

#include <inttypes.h>
#include <string.h>

#include "formats/little.h"

#define MAGIC "\x89ILMDL\r\n"
#define VERSION 1u
#define HEADER 128u
#define SECTIONS_MAX 22
#define WRONG_MAX 1000000u
#define CLUSTERS_MAX 4096
#define DIM_MAX 65536u

enum {
    AT_VIEWS = 12,
    AT_FOLDS = 16,
    AT_REPLICATES = 20,
    AT_NEAREST = 24,
    AT_WRONG = 28,
    AT_SEED = 32,
    AT_DIM = 40,
    AT_D = 48,
    AT_ANCHORS = 56,
    AT_SAMPLES = 64,
    AT_CLUSTERS = 80,
    AT_LANDMARKS = 88,
    AT_RECALL = 96,
    AT_ERROR = 104,
    AT_AGREEMENT = 112,
    AT_ZEROS = 120
};

/* One array of a model. */
struct section {
    void **data;
    size_t count, size; /* of elements */
};

static void add_section(struct section *s, size_t *n, void *data, size_t count,
                        size_t size)
{
    s[(*n)++] = (struct section){data, count, size};
}

/* All arrays in the order of the file; returns their number. */
static size_t sections(struct il_model *m, struct section *s)
{
    size_t n = 0;
    for (int side = 0; side < 2; side++) {
        size_t d = m->d[side];
        add_section(s, &n, &m->mean[side], m->dim[side], 4);
        add_section(s, &n, &m->axes[side], m->dim[side] * d, 4);
        add_section(s, &n, &m->map[side], m->d[0] * m->d[1] * m->views * m->folds, 4);
        add_section(s, &n, &m->anchor_key[side], m->anchors, 8);
        add_section(s, &n, &m->anchor_fold[side], m->anchors * m->views, 1);
        add_section(s, &n, &m->sample_key[side], m->samples[side], 8);
        add_section(s, &n, &m->sample[side], m->samples[side] * m->k, 4);
        add_section(s, &n, &m->mark_key[side], m->landmarks, 8);
        add_section(s, &n, &m->mark[side], m->landmarks * d, 4);
        add_section(s, &n, &m->wrong_key[side], m->wrong, 8);
    }
    add_section(s, &n, &m->centre, m->replicates * m->clusters * m->k, 4);
    add_section(s, &n, &m->mark_score, m->landmarks, 4);
    return n;
}

static size_t total_bytes(const struct section *s, size_t count)
{
    size_t bytes = HEADER + 8;
    for (size_t i = 0; i < count; i++) {
        bytes += (size_t)align_to(s[i].count * s[i].size, 8);
    }
    return bytes;
}

static void put_header(const struct il_model *m, unsigned char *p)
{
    store_u64(p, load_u64((const unsigned char *)MAGIC));
    store_u32(p + 8, VERSION);
    store_u32(p + AT_VIEWS, m->views);
    store_u32(p + AT_FOLDS, m->folds);
    store_u32(p + AT_REPLICATES, m->replicates);
    store_u32(p + AT_NEAREST, m->nearest);
    store_u32(p + AT_WRONG, (uint32_t)m->wrong);
    store_u64(p + AT_SEED, m->seed);
    for (int side = 0; side < 2; side++) {
        store_u32(p + AT_DIM + 4 * side, (uint32_t)m->dim[side]);
        store_u32(p + AT_D + 4 * side, (uint32_t)m->d[side]);
        store_u64(p + AT_SAMPLES + 8 * side, m->samples[side]);
    }
    store_u64(p + AT_ANCHORS, m->anchors);
    store_u64(p + AT_CLUSTERS, m->clusters);
    store_u64(p + AT_LANDMARKS, m->landmarks);
    memcpy(p + AT_RECALL, &m->recall, 8);
    memcpy(p + AT_ERROR, &m->recall_error, 8);
    memcpy(p + AT_AGREEMENT, &m->agreement, 8);
}

enum il_status il_model_write(const struct il_model *model, unsigned char **data,
                              size_t *bytes)
{
    struct il_model copy = *model; /* sections() names arrays to fill as well */
    struct section s[SECTIONS_MAX];
    size_t count = sections(&copy, s);
    *bytes = total_bytes(s, count);
    unsigned char *p = il_alloc_zero(*bytes, 1);
    *data = p;
    if (!p) {
        return IL_ENOMEM;
    }
    put_header(model, p);
    size_t at = HEADER;
    for (size_t i = 0; i < count; i++) {
        size_t size = s[i].count * s[i].size;
        if (size) {
            memcpy(p + at, *s[i].data, size);
        }
        at += (size_t)align_to(size, 8);
    }
    store_u64(p + at, il_checksum(p, at));
    return IL_OK;
}

/* The numbers of the header; IL_ECORRUPT unless all are in their range, so that no
   product of them overflows. */
static enum il_status get_header(struct il_model *m, const unsigned char *p,
                                 const char *name, struct il_error *error)
{
    m->views = il_load_u32(p + AT_VIEWS);
    m->folds = il_load_u32(p + AT_FOLDS);
    m->replicates = il_load_u32(p + AT_REPLICATES);
    m->nearest = il_load_u32(p + AT_NEAREST);
    m->wrong = il_load_u32(p + AT_WRONG);
    m->seed = load_u64(p + AT_SEED);
    for (int side = 0; side < 2; side++) {
        m->dim[side] = il_load_u32(p + AT_DIM + 4 * side);
        m->d[side] = il_load_u32(p + AT_D + 4 * side);
        m->samples[side] = load_u64(p + AT_SAMPLES + 8 * side);
    }
    m->k = m->d[0] + m->d[1];
    m->anchors = load_u64(p + AT_ANCHORS);
    m->clusters = load_u64(p + AT_CLUSTERS);
    m->landmarks = load_u64(p + AT_LANDMARKS);
    memcpy(&m->recall, p + AT_RECALL, 8);
    memcpy(&m->recall_error, p + AT_ERROR, 8);
    memcpy(&m->agreement, p + AT_AGREEMENT, 8);
    const struct {
        const char *what;
        uint64_t found, least, most;
    } number[] = {{"views", m->views, 1, IL_VIEWS_MAX},
                  {"folds", m->folds, 2, IL_FOLDS_MAX},
                  {"replicates", m->replicates, 1, IL_MODEL_REPLICATES},
                  {"nearest", m->nearest, 1, IL_TOP},
                  {"wrong seeds", m->wrong, 0, WRONG_MAX},
                  {"dim of A", m->dim[0], 1, DIM_MAX},
                  {"dim of B", m->dim[1], 1, DIM_MAX},
                  {"columns of A", m->d[0], 1, IL_COLUMNS_MAX},
                  {"columns of B", m->d[1], 1, IL_COLUMNS_MAX},
                  {"samples of A", m->samples[0], 1, IL_MODEL_SAMPLES},
                  {"samples of B", m->samples[1], 1, IL_MODEL_SAMPLES},
                  {"anchors", m->anchors, 0, UINT32_MAX},
                  {"clusters", m->clusters, 0, CLUSTERS_MAX},
                  {"landmarks", m->landmarks, 0, IL_MODEL_LANDMARKS}};
    for (size_t i = 0; i < sizeof number / sizeof *number; i++) {
        if (number[i].found < number[i].least || number[i].found > number[i].most) {
            return il_fail(error, IL_ECORRUPT,
                           "%s: %s: found %" PRIu64 ", wanted %" PRIu64 " to %" PRIu64,
                           name, number[i].what, number[i].found, number[i].least,
                           number[i].most);
        }
    }
    if (!(m->recall > 0 && m->recall <= 1 && m->recall_error >= 0)) {
        return il_fail(error, IL_ECORRUPT, "%s: recall: found %g, wanted 0 to 1", name,
                       m->recall);
    }
    if (!(m->agreement >= 0 && m->agreement <= 1)) {
        return il_fail(error, IL_ECORRUPT, "%s: agreement: found %g, wanted 0 to 1", name,
                       m->agreement);
    }
    return il_check_zeros(name, p + AT_ZEROS, HEADER - AT_ZEROS, AT_ZEROS, error);
}

static enum il_status get_sections(struct il_model *m, const unsigned char *p,
                                   size_t bytes, const char *name, struct il_error *error)
{
    struct section s[SECTIONS_MAX];
    size_t count = sections(m, s), at = HEADER, wanted = total_bytes(s, count);
    if (bytes != wanted) {
        return il_fail(error, IL_ECORRUPT,
                       "%s: found %zu bytes, wanted %zu by its header", name, bytes,
                       wanted);
    }
    for (size_t i = 0; i < count; i++) {
        size_t size = s[i].count * s[i].size;
        *s[i].data = il_alloc(s[i].count, s[i].size);
        if (!*s[i].data) {
            return il_fail(error, IL_ENOMEM, "%s: no memory to read it", name);
        }
        memcpy(*s[i].data, p + at, size);
        at += (size_t)align_to(size, 8);
    }
    for (int side = 0; side < 2; side++) {
        for (size_t i = 0; i < m->anchors * m->views; i++) {
            if (m->anchor_fold[side][i] >= m->folds) {
                return il_fail(error, IL_ECORRUPT, "%s: fold %u of %u", name,
                               m->anchor_fold[side][i], m->folds);
            }
        }
    }
    return IL_OK;
}

enum il_status il_model_read(struct il_model **out, const unsigned char *data,
                             size_t bytes, const char *name, struct il_error *error)
{
    *out = NULL;
    enum il_status status =
        il_check_frame(name, data, bytes, HEADER + 8, MAGIC, "model", VERSION, error);
    if (status) {
        return status;
    }
    struct il_model *m = il_alloc_zero(1, sizeof *m);
    if (!m) {
        return il_fail(error, IL_ENOMEM, "%s: no memory to read it", name);
    }
    status = get_header(m, data, name, error);
    status = status ? status : get_sections(m, data, bytes, name, error);
    if (status) {
        il_model_free(&m);
    }
    *out = m;
    return status;
}
