/* SPDX-License-Identifier: Apache-2.0 */
/* The numbers are those of formats/map.md. */
#include "formats/map_file.h"

#include "src/base/base.h"

#include <inttypes.h>
#include <math.h>

#define MAGIC "\x89ILMAP\r\n"
#define VERSION 1u
#define HEADER 832u
#define WAY_BYTES 128u
#define SECTIONS_MAX 16
#define FOLDS_MAX 16

enum {
    AT_KIND = 12,
    AT_PIECES = 16,
    AT_FOLDS = 20,
    AT_DIM = 24,
    AT_COLUMNS = 32,
    AT_LINKS = 40,
    AT_WEIGHT = 48,
    AT_SEED = 56,
    AT_MODEL = 64,
    AT_WAY = 576
};

/* Of a direction, from its beginning. */
enum {
    WAY_MARKS = 0,
    WAY_KNOTS = 4,
    WAY_RANK = 8,
    WAY_JUDGED = 12,
    WAY_CANDIDATES = 16,
    WAY_LAMBDA = 24,
    WAY_WIDTH = 32,
    WAY_COSINE = 40,
    WAY_RECALL1 = 48,
    WAY_RECALL10 = 56,
    WAY_RESIDUAL = 64,
    WAY_SUITED = 104,
    WAY_ZEROS = 112
};

/* One array of a map. */
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
static size_t sections(struct il_mapping *m, struct section *s)
{
    const struct il_map_info *info = &m->info;
    size_t n = 0;
    for (int side = 0; side < 2; side++) {
        size_t dim = info->dim[side];
        add_section(s, &n, &m->mean[side], dim, 4);
        add_section(s, &n, &m->axes[side], dim * info->columns[side], 4);
    }
    for (int way = 0; way < 2; way++) {
        struct il_map_way *w = &m->way[way];
        size_t d = info->columns[way], k = info->columns[!way], pieces = info->pieces;
        add_section(s, &n, &w->matrix, pieces * d * k, 4);
        add_section(s, &n, &w->centre, pieces > 1 ? pieces * d : 0, 4);
        add_section(s, &n, &w->mark, w->marks * d, 4);
        add_section(s, &n, &w->cosine, w->marks, 4);
        add_section(s, &n, &w->at, w->knots, 8);
        add_section(s, &n, &w->share, w->knots, 8);
    }
    IL_ASSERT(n == SECTIONS_MAX);
    return n;
}

static size_t total_bytes(const struct section *s, size_t count)
{
    size_t bytes = HEADER + 8;
    for (size_t i = 0; i < count; i++)
        bytes += (size_t)align_to(s[i].count * s[i].size, 8);
    return bytes;
}

static void store_f64(unsigned char *p, double value)
{
    memcpy(p, &value, sizeof(value));
}

static double load_f64(const unsigned char *p)
{
    double value;
    memcpy(&value, p, sizeof(value));
    return value;
}

static void put_way(const struct il_map_way *w, const struct il_map_figures *f,
                    unsigned char *p)
{
    store_u32(p + WAY_MARKS, (uint32_t)w->marks);
    store_u32(p + WAY_KNOTS, (uint32_t)w->knots);
    store_u32(p + WAY_RANK, (uint32_t)f->rank);
    store_u32(p + WAY_JUDGED, (uint32_t)f->judged);
    store_u64(p + WAY_CANDIDATES, f->candidates);
    store_f64(p + WAY_LAMBDA, f->lambda);
    store_f64(p + WAY_WIDTH, w->width);
    store_f64(p + WAY_COSINE, f->cosine);
    store_f64(p + WAY_RECALL1, f->recall1);
    store_f64(p + WAY_RECALL10, f->recall10);
    for (int i = 0; i < IL_MAP_QUANTILES; i++)
        store_f64(p + WAY_RESIDUAL + 8 * i, f->residual[i]);
    store_f64(p + WAY_SUITED, f->suited);
}

static void put_header(const struct il_mapping *m, unsigned char *p)
{
    const struct il_map_info *info = &m->info;
    store_u64(p, load_u64((const unsigned char *)MAGIC));
    store_u32(p + 8, VERSION);
    store_u32(p + AT_KIND, (uint32_t)info->kind);
    store_u32(p + AT_PIECES, (uint32_t)info->pieces);
    store_u32(p + AT_FOLDS, info->folds);
    store_u64(p + AT_LINKS, info->links);
    store_f64(p + AT_WEIGHT, info->weight);
    store_u64(p + AT_SEED, info->seed);
    for (int side = 0; side < 2; side++) {
        store_u32(p + AT_DIM + 4 * side, (uint32_t)info->dim[side]);
        store_u32(p + AT_COLUMNS + 4 * side, (uint32_t)info->columns[side]);
        memcpy(p + AT_MODEL + IL_MAP_MODEL_BYTES * side, m->model[side],
               IL_MAP_MODEL_BYTES);
        put_way(&m->way[side], &info->way[side], p + AT_WAY + (size_t)side * WAY_BYTES);
    }
}

enum il_status il_mapping_encode(const struct il_mapping *mapping, unsigned char **data,
                                 size_t *bytes)
{
    struct il_mapping copy = *mapping; /* sections() names arrays to fill as well */
    struct section s[SECTIONS_MAX];
    size_t count = sections(&copy, s), at = HEADER;
    *bytes = total_bytes(s, count);
    unsigned char *p = il_alloc_zero(*bytes, 1);
    *data = p;
    if (!p)
        return IL_ENOMEM;
    put_header(mapping, p);
    for (size_t i = 0; i < count; i++) {
        size_t size = s[i].count * s[i].size;
        if (size)
            memcpy(p + at, *s[i].data, size);
        at += (size_t)align_to(size, 8);
    }
    store_u64(p + at, il_checksum(p, at));
    return IL_OK;
}

/* A number of a header and its range. */
struct number {
    const char *what;
    uint64_t found, least, most, at;
};

static enum il_status check_numbers(const struct number *n, size_t count,
                                    const char *name, struct il_error *error)
{
    for (size_t i = 0; i < count; i++)
        if (n[i].found < n[i].least || n[i].found > n[i].most)
            return il_fail(error, IL_ECORRUPT,
                           "%s, byte %" PRIu64 ": %s %" PRIu64 ", wanted %" PRIu64
                           " to %" PRIu64,
                           name, n[i].at, n[i].what, n[i].found, n[i].least, n[i].most);
    return IL_OK;
}

/* IL_ECORRUPT unless it lies in its range; NaN does not. */
static enum il_status check_real(double found, double least, double most, size_t at,
                                 const char *name, struct il_error *error)
{
    if (found >= least && found <= most)
        return IL_OK;
    return il_fail(error, IL_ECORRUPT, "%s, byte %zu: %g, wanted %g to %g", name, at,
                   found, least, most);
}

static enum il_status get_way(struct il_mapping *m, int way, const unsigned char *p,
                              size_t at, const char *name, struct il_error *error)
{
    struct il_map_way *w = &m->way[way];
    struct il_map_figures *f = &m->info.way[way];
    size_t least =
        m->info.columns[0] < m->info.columns[1] ? m->info.columns[0] : m->info.columns[1];
    w->marks = il_load_u32(p + WAY_MARKS);
    w->knots = il_load_u32(p + WAY_KNOTS);
    f->rank = il_load_u32(p + WAY_RANK);
    f->judged = il_load_u32(p + WAY_JUDGED);
    f->candidates = load_u64(p + WAY_CANDIDATES);
    f->lambda = load_f64(p + WAY_LAMBDA);
    w->width = load_f64(p + WAY_WIDTH);
    f->cosine = load_f64(p + WAY_COSINE);
    f->recall1 = load_f64(p + WAY_RECALL1);
    f->recall10 = load_f64(p + WAY_RECALL10);
    for (int i = 0; i < IL_MAP_QUANTILES; i++)
        f->residual[i] = load_f64(p + WAY_RESIDUAL + 8 * i);
    f->suited = load_f64(p + WAY_SUITED);
    const struct number number[] = {
        {"fitted rows kept", w->marks, 1, IL_MAP_MARKS_MAX, at + WAY_MARKS},
        {"knots", w->knots, 1, IL_MAP_KNOTS_MAX, at + WAY_KNOTS},
        {"rank", f->rank, 0, least, at + WAY_RANK}};
    enum il_status status =
        check_numbers(number, sizeof(number) / sizeof(*number), name, error);
    const struct {
        double value, least, most;
        size_t at;
    } real[] = {{f->lambda, 0, 1e300, WAY_LAMBDA}, {w->width, 0, 1e300, WAY_WIDTH},
                {f->cosine, -1, 1, WAY_COSINE},    {f->recall1, 0, 1, WAY_RECALL1},
                {f->recall10, 0, 1, WAY_RECALL10}, {f->suited, 0, 1, WAY_SUITED}};
    for (size_t i = 0; i < sizeof(real) / sizeof(*real) && !status; i++)
        status = check_real(real[i].value, real[i].least, real[i].most, at + real[i].at,
                            name, error);
    for (size_t i = 0; i < IL_MAP_QUANTILES && !status; i++)
        status =
            check_real(f->residual[i], 0, 2.5, at + WAY_RESIDUAL + 8 * i, name, error);
    return status ? status
                  : il_check_zeros(name, p + WAY_ZEROS, WAY_BYTES - WAY_ZEROS,
                                   at + WAY_ZEROS, error);
}

/* A name, and nothing but zeros behind it. */
static enum il_status get_model(struct il_mapping *m, int side, const unsigned char *p,
                                const char *name, struct il_error *error)
{
    size_t at = AT_MODEL + (size_t)side * IL_MAP_MODEL_BYTES;
    memcpy(m->model[side], p + at, IL_MAP_MODEL_BYTES);
    size_t bytes = strnlen(m->model[side], IL_MAP_MODEL_BYTES);
    if (bytes == IL_MAP_MODEL_BYTES)
        return il_fail(error, IL_ECORRUPT,
                       "%s, byte %zu: a name of %zu bytes, wanted 255 at most", name, at,
                       bytes);
    m->info.model[side] = m->model[side];
    return il_check_zeros(name, p + at + bytes, IL_MAP_MODEL_BYTES - bytes, at + bytes,
                          error);
}

/* The numbers of the header; IL_ECORRUPT unless all are in their range, so that no
   product of them overflows. */
static enum il_status get_header(struct il_mapping *m, const unsigned char *p,
                                 const char *name, struct il_error *error)
{
    struct il_map_info *info = &m->info;
    uint32_t kind = il_load_u32(p + AT_KIND);
    info->pieces = il_load_u32(p + AT_PIECES);
    info->folds = il_load_u32(p + AT_FOLDS);
    info->links = load_u64(p + AT_LINKS);
    info->weight = load_f64(p + AT_WEIGHT);
    info->seed = load_u64(p + AT_SEED);
    for (int side = 0; side < 2; side++) {
        info->dim[side] = il_load_u32(p + AT_DIM + 4 * side);
        info->columns[side] = il_load_u32(p + AT_COLUMNS + 4 * side);
    }
    size_t pieces_most = kind == IL_MAP_LOCAL ? IL_MAP_PIECES_MAX : 1;
    const struct number number[] = {
        {"kind", kind, IL_MAP_ORTHOGONAL, IL_MAP_LOCAL, AT_KIND},
        {"pieces", info->pieces, kind == IL_MAP_LOCAL ? 2 : 1, pieces_most, AT_PIECES},
        {"folds", info->folds, 2, FOLDS_MAX, AT_FOLDS},
        {"coordinates of A", info->dim[0], 1, IL_DIM_MAX, AT_DIM},
        {"coordinates of B", info->dim[1], 1, IL_DIM_MAX, AT_DIM + 4},
        {"axes of A", info->columns[0], 1, IL_MAP_COLUMNS_MAX, AT_COLUMNS},
        {"axes of B", info->columns[1], 1, IL_MAP_COLUMNS_MAX, AT_COLUMNS + 4},
        {"links", info->links, 1, IL_ROWS_MAX, AT_LINKS}};
    enum il_status status =
        check_numbers(number, sizeof(number) / sizeof(*number), name, error);
    info->kind = (enum il_map_kind)kind;
    if (!status)
        status = check_real(info->weight, 0, IL_ROWS_MAX, AT_WEIGHT, name, error);
    for (int side = 0; side < 2 && !status; side++)
        status = get_model(m, side, p, name, error);
    for (int way = 0; way < 2 && !status; way++) {
        size_t at = AT_WAY + (size_t)way * WAY_BYTES;
        status = get_way(m, way, p + at, at, name, error);
    }
    return status;
}

/* Confidence is looked up between knots. */
static enum il_status check_knots(const struct il_map_way *w, const char *name,
                                  struct il_error *error)
{
    for (size_t i = 0; i < w->knots; i++) {
        int good = isfinite(w->at[i]) && w->share[i] >= 0 && w->share[i] <= 1;
        if (i > 0)
            good = good && w->at[i] > w->at[i - 1] && w->share[i] >= w->share[i - 1];
        if (!good)
            return il_fail(error, IL_ECORRUPT,
                           "%s: knot %zu of the confidence at %g is %g, wanted them to "
                           "ascend from 0 to 1",
                           name, i, w->at[i], w->share[i]);
    }
    return IL_OK;
}

static enum il_status get_sections(struct il_mapping *m, const unsigned char *p,
                                   size_t bytes, const char *name, struct il_error *error)
{
    struct section s[SECTIONS_MAX];
    size_t count = sections(m, s), at = HEADER, wanted = total_bytes(s, count);
    if (bytes != wanted)
        return il_fail(error, IL_ECORRUPT,
                       "%s: found %zu bytes, wanted %zu by its header", name, bytes,
                       wanted);
    for (size_t i = 0; i < count; i++) {
        size_t size = s[i].count * s[i].size;
        *s[i].data = il_alloc(s[i].count, s[i].size);
        if (!*s[i].data)
            return il_fail(error, IL_ENOMEM, "%s: no memory to read it", name);
        memcpy(*s[i].data, p + at, size);
        size_t end = at + (size_t)align_to(size, 8);
        enum il_status status =
            il_check_zeros(name, p + at + size, end - at - size, at + size, error);
        if (status)
            return status;
        at = end;
    }
    enum il_status status = check_knots(&m->way[0], name, error);
    return status ? status : check_knots(&m->way[1], name, error);
}

enum il_status il_mapping_decode(struct il_mapping **out, const unsigned char *data,
                                 size_t bytes, const char *name, struct il_error *error)
{
    *out = NULL;
    enum il_status status =
        il_check_frame(name, data, bytes, HEADER + 8, MAGIC, "map", VERSION, error);
    if (status)
        return status;
    struct il_mapping *m = il_alloc_zero(1, sizeof(*m));
    if (!m)
        return il_fail(error, IL_ENOMEM, "%s: no memory to read it", name);
    status = get_header(m, data, name, error);
    status = status ? status : get_sections(m, data, bytes, name, error);
    if (status)
        il_mapping_close(&m);
    *out = m;
    return status;
}

void il_mapping_close(struct il_mapping **mapping)
{
    struct il_mapping *m = *mapping;
    *mapping = NULL;
    if (!m)
        return;
    struct section s[SECTIONS_MAX];
    size_t count = sections(m, s);
    for (size_t i = 0; i < count; i++)
        il_free(*s[i].data);
    il_free(m);
}

const struct il_map_info *il_mapping_info(const struct il_mapping *mapping)
{
    return &mapping->info;
}

const char *il_map_kind_text(enum il_map_kind kind)
{
    static const char *const texts[] = {"auto", "orthogonal", "ridge", "local"};
    return (unsigned)kind <= IL_MAP_LOCAL ? texts[kind] : "?";
}
