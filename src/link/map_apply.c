/* SPDX-License-Identifier: Apache-2.0 */
/* Rows through one direction of a map; maps from and to files. */
#include <isolink/map.h>

#include <math.h>
#include <string.h>

#include "src/io/file.h"
#include "src/link/mapping.h"

/* Rows that are worked on at once. */
#define BLOCK 512
/* Files of maps are far smaller: 32 pieces of 1,024 x 1,024 both ways are 256 MiB. */
#define FILE_BYTES_MAX ((uint64_t)4 << 30)

struct il_mapper {
    struct il_frame frame;
    const struct il_mapping *mapping;
    int way;
    struct il_axes axes;
    float *packed; /* axes of the rows that come */
    struct il_image image;
    struct il_lift lift;
    struct il_marks marks;
    float *x, *z, *rows; /* a block: prepared, images, and those as rows */
    uint32_t *place;
    double *evidence;
};

enum il_status il_mapping_save(const struct il_mapping *mapping, const char *path,
                               struct il_error *error)
{
    unsigned char *data = NULL;
    size_t bytes = 0;
    struct il_writer *writer = NULL;
    if (il_mapping_encode(mapping, &data, &bytes) != IL_OK) {
        return il_fail(error, IL_ENOMEM, "%s: no memory to write it", il_path_tail(path));
    }
    enum il_status status = il_writer_open(&writer, path, error);
    status = status ? status : il_writer_put(writer, data, bytes, error);
    status = status ? status : il_writer_close(&writer, error);
    il_writer_abort(&writer);
    il_free(data);
    return status;
}

enum il_status il_mapping_load(struct il_mapping **out, const char *path,
                               struct il_error *error)
{
    unsigned char *data = NULL;
    size_t bytes = 0;
    *out = NULL;
    enum il_status status = il_file_load(path, FILE_BYTES_MAX, &data, &bytes, error);
    status =
        status ? status : il_mapping_decode(out, data, bytes, il_path_tail(path), error);
    il_free(data);
    return status;
}

static enum il_status mapper_rooms(struct il_mapper *m, size_t d, size_t k, size_t dim)
{
    m->x = il_alloc(BLOCK * d, sizeof *m->x);
    m->z = il_alloc(BLOCK * k, sizeof *m->z);
    m->rows = il_alloc(BLOCK * dim, sizeof *m->rows);
    m->place = il_alloc(BLOCK, sizeof *m->place);
    m->evidence = il_alloc(BLOCK, sizeof *m->evidence);
    return m->x && m->z && m->rows && m->place && m->evidence ? IL_OK : IL_ENOMEM;
}

static enum il_status mapper_axes(struct il_mapper *m, size_t dim, size_t d)
{
    const float *given = m->mapping->axes[m->way];
    double *axes = il_alloc(dim * d, sizeof *axes);
    for (size_t i = 0; axes && i < dim * d; i++) {
        axes[i] = given[i];
    }
    m->packed = axes ? il_map_pack(m->frame.simd, axes, dim, d) : NULL;
    m->axes = (struct il_axes){dim, d, m->mapping->mean[m->way], m->packed};
    il_free(axes);
    return m->packed ? IL_OK : IL_ENOMEM;
}

enum il_status il_mapper_open(struct il_mapper **out, const struct il_mapping *mapping,
                              int reverse, unsigned threads, struct il_error *error)
{
    *out = NULL;
    if (threads > 256) {
        return il_fail(error, IL_EARG, "map: %u threads, at most 256", threads);
    }
    struct il_mapper *m = il_alloc_zero(1, sizeof *m);
    enum il_status status = m ? il_pool_open(&m->frame.pool, threads) : IL_ENOMEM;
    if (!status) {
        const struct il_map_info *info = &mapping->info;
        m->frame.simd = il_simd();
        m->mapping = mapping;
        m->way = reverse != 0;
        const struct il_map_way *way = &mapping->way[m->way];
        size_t dim = info->dim[!m->way], d = info->columns[m->way];
        size_t k = info->columns[!m->way];
        status = mapper_rooms(m, d, k, dim);
        status = status ? status : mapper_axes(m, info->dim[m->way], d);
        status = status ? status
                        : il_image_open(&m->image, &m->frame, way->matrix, way->centre,
                                        info->pieces, d, k, way->width);
        status = status ? status
                        : il_lift_open(&m->lift, &m->frame, mapping->mean[!m->way],
                                       mapping->axes[!m->way], dim, k);
        status = status ? status : il_marks_open(&m->marks, &m->frame, way, d);
    }
    if (status) {
        il_mapper_close(&m);
        return il_fail(error, status, "map: no memory to apply it");
    }
    *out = m;
    return IL_OK;
}

void il_mapper_close(struct il_mapper **mapper)
{
    struct il_mapper *m = *mapper;
    *mapper = NULL;
    if (!m) {
        return;
    }
    il_marks_close(&m->marks);
    il_lift_close(&m->lift);
    il_image_close(&m->image);
    il_pool_close(&m->frame.pool);
    il_free(m->packed);
    il_free(m->x);
    il_free(m->z);
    il_free(m->rows);
    il_free(m->place);
    il_free(m->evidence);
    il_free(m);
}

/* At most BLOCK rows; the images of the usable ones are spread to their places. */
static enum il_status map_block(struct il_mapper *m, const float *rows, size_t count,
                                float *out, float *confidence, size_t *lost)
{
    size_t kept = 0, dim = m->lift.dim;
    enum il_status status =
        il_axes_apply(&m->frame, &m->axes, rows, count, m->x, m->place, &kept);
    status =
        status ? status : il_image_rows(&m->frame, &m->image, m->x, NULL, kept, m->z);
    status = status ? status : il_lift_rows(&m->frame, &m->lift, m->z, kept, m->rows);
    if (!status && confidence) {
        status = il_marks_evidence(&m->frame, &m->marks, m->x, kept, NULL, m->evidence);
    }
    for (size_t i = 0; i < count && !status; i++) {
        uint32_t at = m->place[i];
        if (at == IL_INDEX_NONE) {
            memset(out + i * dim, 0, dim * sizeof *out);
        } else {
            memcpy(out + i * dim, m->rows + at * dim, dim * sizeof *out);
        }
        if (confidence) {
            confidence[i] = at == IL_INDEX_NONE
                                ? 0
                                : (float)il_map_confidence(m->marks.way, m->evidence[at]);
        }
    }
    *lost += count - kept;
    return status;
}

enum il_status il_mapper_rows(struct il_mapper *mapper, const float *rows, size_t count,
                              float *out, float *confidence, size_t *lost)
{
    size_t from = mapper->axes.dim, to = mapper->lift.dim, without = 0;
    enum il_status status = IL_OK;
    for (size_t at = 0; at < count && !status; at += BLOCK) {
        size_t some = count - at < BLOCK ? count - at : BLOCK;
        status = map_block(mapper, rows + at * from, some, out + at * to,
                           confidence ? confidence + at : NULL, &without);
    }
    if (lost) {
        *lost = without;
    }
    return status;
}
