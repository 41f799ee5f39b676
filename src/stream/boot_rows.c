/* SPDX-License-Identifier: Apache-2.0 */
/* The rows of a bootstrap: a store as it is now, read by a reader of its own and brought
   into the order of the ids. */
#include "src/stream/stream_boot.h"

#include "formats/little.h"
#include "src/base/base.h"

#define READ_ROWS 256

/* An id and where it was read. */
struct place {
    size_t text_at;
    uint32_t bytes, row;
};

struct read {
    struct il_boot_side *side;
    struct il_store *store;
    struct il_store_cursor *cursor;
    struct place *places, *other;
    unsigned char *text;
    size_t text_used, text_room;
};

static enum il_status no_memory(struct il_boot *b)
{
    return il_fail(&b->error, IL_ENOMEM, "bootstrap: no memory for the rows");
}

static enum il_status keep_id(struct il_boot *b, struct read *r, const void *id,
                              size_t bytes, size_t row)
{
    if (bytes > r->text_room - r->text_used) {
        size_t room = r->text_room * 2 + 65536;
        void *text = il_realloc(r->text, r->text_used, room);
        if (!text)
            return no_memory(b);
        r->text = text;
        r->text_room = room;
    }
    memcpy(r->text + r->text_used, id, bytes);
    r->places[row] = (struct place){r->text_used, (uint32_t)bytes, (uint32_t)row};
    r->side->keys[row] = il_checksum(id, bytes);
    r->text_used += bytes;
    return IL_OK;
}

static enum il_status read_rows(struct il_boot *b, struct read *r, size_t rows)
{
    struct il_boot_side *side = r->side;
    const void *ids[READ_ROWS];
    size_t bytes[READ_ROWS], count = 0;
    while (side->rows < rows) {
        const size_t left = rows - side->rows;
        enum il_status status = il_store_cursor_next(
            r->cursor, 0, left < READ_ROWS ? left : READ_ROWS,
            side->data + side->rows * side->dim, ids, bytes, &count, &b->error);
        for (size_t i = 0; status == IL_OK && i < count; i++)
            status = keep_id(b, r, ids[i], bytes[i], side->rows + i);
        if (status != IL_OK)
            return status;
        if (count == 0)
            break;
        side->rows += count;
        il_large_look();
        if (atomic_load(&b->cancel))
            return il_fail(&b->error, IL_ECANCEL, "bootstrap: cancelled");
    }
    return IL_OK;
}

static int comes_before(const struct read *r, const struct place *x,
                        const struct place *y)
{
    const size_t shared = x->bytes < y->bytes ? x->bytes : y->bytes;
    const int order = memcmp(r->text + x->text_at, r->text + y->text_at, shared);
    return order ? order < 0 : x->bytes < y->bytes;
}

/* Merges upwards from runs of one: everything is read and written in order, also where it
   lies in a scratch file. */
static void sort_places(struct read *r)
{
    const size_t n = r->side->rows;
    for (size_t run = 1; run < n; run *= 2) {
        for (size_t from = 0; from < n; from += 2 * run) {
            size_t middle = n - from < run ? n : from + run;
            size_t end = n - from < 2 * run ? n : from + 2 * run;
            size_t i = from, j = middle;
            for (size_t k = from; k < end; k++) {
                int left = i < middle &&
                           (j == end || !comes_before(r, &r->places[j], &r->places[i]));
                r->other[k] = left ? r->places[i++] : r->places[j++];
            }
            il_large_look();
        }
        struct place *swap = r->places;
        r->places = r->other;
        r->other = swap;
    }
}

/* Moves row places[i].row to i, along the cycles. */
static void order_rows(struct read *r, float *row)
{
    struct il_boot_side *side = r->side;
    const size_t bytes = side->dim * sizeof(float);
    for (size_t first = 0; first < side->rows; first++) {
        if (r->places[first].row == first)
            continue;
        const uint64_t key = side->keys[first];
        size_t to = first;
        memcpy(row, side->data + first * side->dim, bytes);
        for (;;) {
            const size_t from = r->places[to].row;
            r->places[to].row = (uint32_t)to;
            if (from == first)
                break;
            memcpy(side->data + to * side->dim, side->data + from * side->dim, bytes);
            side->keys[to] = side->keys[from];
            to = from;
        }
        memcpy(side->data + to * side->dim, row, bytes);
        side->keys[to] = key;
        if (first % IL_LOOK_ROWS == 0)
            il_large_look();
    }
}

static size_t slot_of(const struct il_boot_side *side, uint64_t key)
{
    size_t at = (size_t)key & (side->slot_count - 1);
    while (side->slots[at] != 0 && side->keys[side->slots[at] - 1] != key)
        at = (at + 1) & (side->slot_count - 1);
    return at;
}

uint32_t il_boot_find(const struct il_boot_side *side, uint64_t key)
{
    const uint32_t slot = side->slots[slot_of(side, key)];
    return slot ? slot - 1 : NAME_NONE;
}

static enum il_status index_keys(struct il_boot *b, struct il_boot_side *side)
{
    for (side->slot_count = 64; side->slot_count < 2 * side->rows;)
        side->slot_count *= 2;
    side->slots = il_alloc_zero(side->slot_count, sizeof(*side->slots));
    if (!side->slots)
        return no_memory(b);
    for (size_t i = 0; i < side->rows; i++)
        side->slots[slot_of(side, side->keys[i])] = (uint32_t)i + 1;
    return IL_OK;
}

static enum il_status open_rows(struct il_boot *b, struct read *r, size_t *rows)
{
    struct il_store_config c;
    struct il_store_info info;
    struct il_boot_side *side = r->side;
    il_store_config_init(&c);
    c.io = b->stream->config.io;
    enum il_status status = il_store_open(&r->store, side->path, &c, &b->error);
    if (status == IL_OK)
        status = il_store_cursor_open(&r->cursor, r->store, &b->error);
    if (status != IL_OK)
        return status;
    il_store_describe(r->store, &info);
    *rows = (size_t)info.rows;
    side->data = il_alloc(*rows + 1, side->dim * sizeof(float)); /* and one to swap */
    side->keys = il_alloc(*rows, sizeof(*side->keys));
    r->places = il_alloc(*rows, sizeof(*r->places));
    r->other = il_alloc(*rows, sizeof(*r->other));
    return side->data && side->keys && r->places && r->other ? IL_OK : no_memory(b);
}

enum il_status il_boot_load(struct il_boot *b, int number)
{
    struct il_boot_side *side = &b->side[number];
    struct read r = {.side = side};
    size_t rows = 0;
    side->path = b->stream->side[number].path;
    side->dim = b->stream->side[number].dim;
    enum il_status status = open_rows(b, &r, &rows);
    if (status == IL_OK)
        status = read_rows(b, &r, rows);
    il_store_cursor_close(&r.cursor);
    il_store_close(&r.store);
    if (status == IL_OK) {
        sort_places(&r);
        order_rows(&r, side->data + rows * side->dim);
        status = index_keys(b, side);
    }
    il_free(r.places);
    il_free(r.other);
    il_free(r.text);
    return status;
}

void il_boot_drop_rows(struct il_boot_side *side)
{
    il_free(side->data);
    il_free(side->slots);
    side->data = NULL;
    side->slots = NULL;
}
