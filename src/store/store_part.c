/* SPDX-License-Identifier: Apache-2.0 */
/* Files of a store: names, segments that are open, small files, the index of the log. */
#include "src/store/store_inner.h"

#include "src/base/base.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

void il_store_name(uint32_t number, const char *ending, char *out)
{
    snprintf(out, STORE_NAME, "%08" PRIu32 ".%.3s", number % (IL_NUMBER_MAX + 1), ending);
}

int il_store_own_name(const char *name)
{
    if (strcmp(name, STORE_MANIFEST) == 0 || strcmp(name, STORE_MANIFEST_NEW) == 0 ||
        strcmp(name, STORE_BASIS) == 0 || strcmp(name, STORE_LOCK) == 0)
        return 1;
    return strlen(name) == 12 && strspn(name, "0123456789") == 8 &&
           (strcmp(name + 8, ".seg") == 0 || strcmp(name + 8, ".del") == 0 ||
            strcmp(name + 8, ".log") == 0);
}

enum il_status il_store_load(const struct il_dir *dir, const char *name,
                             unsigned char **out, size_t *bytes, int *missing,
                             struct il_error *error)
{
    char shown[IL_DIR_SHOWN];
    struct il_file file;
    *out = NULL;
    *bytes = 0;
    enum il_status status =
        il_dir_file(dir, name, il_dir_shown(dir, name, shown), &file, missing, error);
    if (status != IL_OK)
        return status;
    status = il_file_read_all(&file, STORE_SMALL_MAX, out, bytes, error);
    il_file_close(&file);
    return status;
}

enum il_status il_store_save(const struct il_dir *dir, const char *name, const void *data,
                             size_t bytes, struct il_error *error)
{
    char shown[IL_DIR_SHOWN];
    struct il_out out;
    enum il_status status =
        il_out_open(&out, dir, name, il_dir_shown(dir, name, shown), 1, error);
    if (status != IL_OK)
        return status;
    status = il_out_write(&out, data, bytes, error);
    if (status == IL_OK)
        status = il_out_sync(&out, error);
    il_out_close(&out);
    return status;
}

enum il_status il_part_check(const struct il_segment *segment, const char *shown,
                             const struct il_manifest *m,
                             const struct il_manifest_segment *entry,
                             struct il_error *error)
{
    const struct il_segment_info *info = il_segment_info(segment);
    if (info->codec != m->codec || info->dim != m->stored_dim ||
        info->source_dim != (m->has_basis ? m->dim : 0))
        return il_fail(error, IL_ECORRUPT,
                       "%s, byte 12: %s, %zu of %zu coordinates, wanted %s, %zu of %zu",
                       shown, il_codec_text(info->codec), info->dim, info->source_dim,
                       il_codec_text(m->codec), m->stored_dim,
                       m->has_basis ? m->dim : (size_t)0);
    if (memcmp(info->model, m->fingerprint, sizeof(info->model)) != 0)
        return il_fail(error, IL_ECORRUPT,
                       "%s, byte 48: fingerprint of another model than the store's",
                       shown);
    if (m->has_basis && il_segment_basis_sum(segment) != m->basis_sum)
        return il_fail(error, IL_ECORRUPT, "%s: another basis than the store's", shown);
    if (info->rows != entry->rows || il_segment_seal(segment) != entry->seal)
        return il_fail(error, IL_ECORRUPT,
                       "%s: %zu rows, seal %016" PRIx64 ", wanted %" PRIu64
                       " rows and %016" PRIx64 ": another file than the manifest means",
                       shown, info->rows, il_segment_seal(segment), entry->rows,
                       entry->seal);
    return IL_OK;
}

static enum il_status load_deletions(struct il_part *p, const struct il_dir *dir,
                                     int *missing, struct il_error *error)
{
    char name[STORE_NAME], shown[IL_DIR_SHOWN];
    unsigned char *data = NULL;
    const unsigned char *bits = NULL;
    size_t bytes = 0;
    il_store_name(p->entry.del, "del", name);
    enum il_status status = il_store_load(dir, name, &data, &bytes, missing, error);
    if (status == IL_OK)
        status = il_deletions_decode(il_dir_shown(dir, name, shown), data, bytes,
                                     &p->entry, &bits, error);
    if (status == IL_OK)
        status = il_part_reserve(p, error);
    if (status == IL_OK) {
        memcpy(p->bits, bits, il_deletions_bitmap_bytes(p->entry.rows));
        p->deleted = p->entry.deleted;
    }
    il_free(data);
    return status;
}

enum il_status il_part_open(struct il_part **out, const struct il_dir *dir,
                            const struct il_manifest *m,
                            const struct il_manifest_segment *entry, int fresh,
                            int *missing, struct il_error *error)
{
    char name[STORE_NAME];
    *missing = 0;
    struct il_part *p = il_alloc_zero(1, sizeof(*p));
    *out = NULL;
    if (!p)
        return il_fail(error, IL_ENOMEM, "no memory to open a segment");
    atomic_init(&p->refs, 1);
    p->entry = *entry;
    p->file.fd = -1;
    il_store_name(entry->number, "seg", name);
    il_dir_shown(dir, name, p->shown);
    enum il_status status = il_dir_file(dir, name, p->shown, &p->file, missing, error);
    if (status == IL_OK)
        status = il_map_open(&p->map, &p->file, error);
    if (status == IL_OK) {
        struct il_bytes bytes = {.name = p->shown,
                                 .size = p->file.size,
                                 .memory = p->map.data,
                                 .file = &p->file,
                                 .mapped = 1};
        status = il_segment_open(&p->segment, &bytes, error);
        /* It was there when the manifest was written. */
        if (status == IL_EFORMAT)
            status = IL_ECORRUPT;
    }
    if (status == IL_OK && fresh) {
        p->entry.rows = il_segment_info(p->segment)->rows;
        p->entry.seal = il_segment_seal(p->segment);
    }
    if (status == IL_OK)
        status = il_part_check(p->segment, p->shown, m, &p->entry, error);
    if (status == IL_OK && p->entry.del != 0)
        status = load_deletions(p, dir, missing, error);
    if (status != IL_OK)
        il_part_drop(&p);
    *out = p;
    return status;
}

struct il_part *il_part_hold(struct il_part *part)
{
    atomic_fetch_add(&part->refs, 1);
    return part;
}

void il_part_drop(struct il_part **part)
{
    struct il_part *p = *part;
    *part = NULL;
    if (!p || atomic_fetch_sub(&p->refs, 1) > 1)
        return;
    il_segment_close(&p->segment);
    il_map_close(&p->map);
    il_file_close(&p->file);
    il_free(p->bits);
    il_free(p);
}

uint64_t il_part_find(const struct il_part *p, const void *id, size_t id_bytes)
{
    uint64_t row = il_segment_find(p->segment, id, id_bytes);
    return row != IL_SEGMENT_NONE && il_bit(p->bits, row) ? IL_SEGMENT_NONE : row;
}

enum il_status il_part_reserve(struct il_part *p, struct il_error *error)
{
    if (!p->bits)
        p->bits = il_alloc_zero(il_deletions_bitmap_bytes(p->entry.rows), 1);
    return p->bits
               ? IL_OK
               : il_fail(error, IL_ENOMEM, "%s: no memory for its deletions", p->shown);
}

void il_part_delete(struct il_part *p, uint64_t row)
{
    IL_ASSERT(p->bits && row < p->entry.rows && !il_bit(p->bits, row));
    p->bits[row / 8] |= (unsigned char)(1u << (row % 8));
    p->deleted++;
    p->changed = 1;
}

struct il_log_file *il_log_file_hold(struct il_log_file *file)
{
    atomic_fetch_add(&file->refs, 1);
    return file;
}

void il_log_file_drop(struct il_log_file **file)
{
    struct il_log_file *f = *file;
    *file = NULL;
    if (!f || atomic_fetch_sub(&f->refs, 1) > 1)
        return;
    il_out_close(&f->out);
    il_free(f);
}

/* The slot of an id: its own, or the free one where it belongs. */
static size_t slot_of(const struct il_log_index *x, const void *id, size_t id_bytes)
{
    size_t at = (size_t)il_hash_bytes(id, id_bytes) & (x->slot_count - 1);
    while (x->slots[at] != 0) {
        const struct il_log_row *row = &x->rows[x->slots[at] - 1];
        if (row->id_bytes == id_bytes &&
            memcmp(x->text + row->text_at, id, id_bytes) == 0)
            break;
        at = (at + 1) & (x->slot_count - 1);
    }
    return at;
}

static int grow_slots(struct il_log_index *x)
{
    size_t count = x->slot_count ? x->slot_count * 2 : 64;
    uint32_t *slots = il_alloc_zero(count, sizeof(*slots));
    if (!slots)
        return 0;
    il_free(x->slots);
    x->slots = slots;
    x->slot_count = count;
    for (size_t i = 0; i < x->count; i++)
        slots[slot_of(x, x->text + x->rows[i].text_at, x->rows[i].id_bytes)] =
            (uint32_t)i + 1;
    return 1;
}

enum il_status il_log_index_reserve(struct il_log_index *x, size_t id_bytes)
{
    if (x->count >= IL_ROWS_MAX)
        return IL_ENOMEM;
    if (x->count == x->room) {
        size_t room = x->room ? x->room * 2 : 64;
        void *rows =
            il_realloc(x->rows, x->count * sizeof(*x->rows), room * sizeof(*x->rows));
        if (!rows)
            return IL_ENOMEM;
        x->rows = rows;
        x->room = room;
    }
    if (id_bytes > x->text_room - x->text_used) {
        size_t room = x->text_room * 2 + 4096;
        void *text = il_realloc(x->text, x->text_used, room);
        if (!text)
            return IL_ENOMEM;
        x->text = text;
        x->text_room = room;
    }
    if ((x->count + 1) * 2 > x->slot_count && !grow_slots(x))
        return IL_ENOMEM;
    return IL_OK;
}

void il_log_index_put(struct il_log_index *x, const void *id, size_t id_bytes,
                      uint64_t offset)
{
    size_t at = slot_of(x, id, id_bytes);
    if (x->slots[at] == 0) {
        memcpy(x->text + x->text_used, id, id_bytes);
        x->rows[x->count] =
            (struct il_log_row){.text_at = x->text_used, .id_bytes = (uint32_t)id_bytes};
        x->text_used += id_bytes;
        x->slots[at] = (uint32_t)++x->count;
    }
    struct il_log_row *row = &x->rows[x->slots[at] - 1];
    x->live += !row->live;
    row->live = 1;
    row->offset = offset;
}

struct il_log_row *il_log_index_find(const struct il_log_index *x, const void *id,
                                     size_t id_bytes)
{
    if (x->slot_count == 0)
        return NULL;
    size_t at = slot_of(x, id, id_bytes);
    if (x->slots[at] == 0 || !x->rows[x->slots[at] - 1].live)
        return NULL;
    return &x->rows[x->slots[at] - 1];
}

void il_log_index_remove(struct il_log_index *x, struct il_log_row *row)
{
    IL_ASSERT(row->live);
    row->live = 0;
    x->live--;
}

void il_log_index_free(struct il_log_index *x)
{
    il_free(x->rows);
    il_free(x->text);
    il_free(x->slots);
    *x = (struct il_log_index){0};
}
