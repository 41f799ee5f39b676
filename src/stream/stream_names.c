/* SPDX-License-Identifier: Apache-2.0 */
/* The ids of a side in plain arrays: names, their texts one behind the other, a table of
   slots. A name keeps its number for as long as anybody needs it. */
#include "src/stream/stream_inner.h"

#include "formats/little.h"
#include "src/base/base.h"

/* So few rows may go before it is looked which names are left over. */
#define SWEEP_MIN 4096

static size_t slot_of(const struct il_names *n, uint64_t key)
{
    size_t at = (size_t)key & (n->slot_count - 1);
    while (n->slots[at] != 0 && n->names[n->slots[at] - 1].key != key)
        at = (at + 1) & (n->slot_count - 1);
    return at;
}

uint32_t il_names_find_key(const struct il_names *n, uint64_t key)
{
    if (n->slot_count == 0)
        return NAME_NONE;
    const uint32_t slot = n->slots[slot_of(n, key)];
    return slot ? slot - 1 : NAME_NONE;
}

uint32_t il_names_find(const struct il_names *n, const void *id, size_t id_bytes,
                       int *clash)
{
    const uint32_t name = il_names_find_key(n, il_checksum(id, id_bytes));
    int other = name != NAME_NONE && (n->names[name].id_bytes != id_bytes ||
                                      memcmp(il_name_text(n, name), id, id_bytes) != 0);
    if (clash)
        *clash = other;
    return other ? NAME_NONE : name;
}

static int grow_slots(struct il_names *n, size_t count)
{
    uint32_t *slots = il_alloc_zero(count, sizeof(*slots));
    if (!slots)
        return 0;
    il_free(n->slots);
    n->slots = slots;
    n->slot_count = count;
    for (size_t i = 0; i < n->count; i++)
        if (n->names[i].id_bytes > 0)
            slots[slot_of(n, n->names[i].key)] = (uint32_t)i + 1;
    return 1;
}

static enum il_status reserve(struct il_names *n, size_t id_bytes)
{
    if (n->free_count == 0 && n->count >= IL_ROWS_MAX)
        return IL_ELIMIT;
    if (n->free_count == 0 && n->count == n->room) {
        size_t room = n->room ? n->room * 2 : 64;
        void *names =
            il_realloc(n->names, n->count * sizeof(*n->names), room * sizeof(*n->names));
        if (!names)
            return IL_ENOMEM;
        n->names = names;
        n->room = room;
    }
    if (id_bytes > n->text_room - n->text_used) {
        size_t room = n->text_room * 2 + 4096;
        void *text = il_realloc(n->text, n->text_used, room);
        if (!text)
            return IL_ENOMEM;
        n->text = text;
        n->text_room = room;
    }
    if ((n->count - n->free_count + 1) * 2 > n->slot_count &&
        !grow_slots(n, n->slot_count ? n->slot_count * 2 : 128))
        return IL_ENOMEM;
    return IL_OK;
}

enum il_status il_names_intern(struct il_names *n, const void *id, size_t id_bytes,
                               uint32_t *out)
{
    int clash = 0;
    *out = il_names_find(n, id, id_bytes, &clash);
    if (*out != NAME_NONE || clash)
        return clash ? IL_ELIMIT : IL_OK;
    enum il_status status = reserve(n, id_bytes);
    if (status != IL_OK)
        return status;
    uint32_t name = n->free_first;
    if (n->free_count > 0) {
        n->free_first = n->names[name].next;
        n->free_count--;
    } else {
        name = (uint32_t)n->count++;
    }
    n->names[name] = (struct il_name){.key = il_checksum(id, id_bytes),
                                      .text_at = n->text_used,
                                      .handle = IL_LIVE_NONE,
                                      .partner = NAME_NONE,
                                      .id_bytes = (uint16_t)id_bytes};
    memcpy(n->text + n->text_used, id, id_bytes);
    n->text_used += id_bytes;
    n->slots[slot_of(n, n->names[name].key)] = name + 1;
    *out = name;
    return IL_OK;
}

enum il_status il_names_handle(struct il_names *n, uint32_t name, uint32_t handle)
{
    if (handle == IL_LIVE_NONE)
        return IL_OK;
    if (handle >= n->handle_room) {
        size_t room = 2 * (size_t)handle + 64;
        void *grown = il_realloc(n->by_handle, n->handle_room * sizeof(*n->by_handle),
                                 room * sizeof(*n->by_handle));
        if (!grown)
            return IL_ENOMEM;
        n->by_handle = grown;
        n->handle_room = room;
    }
    n->by_handle[handle] = name;
    return IL_OK;
}

enum il_status il_names_sweep(struct il_names *n)
{
    const size_t used = n->count - n->free_count;
    if (n->dropped < SWEEP_MIN || n->dropped < used / 2)
        return IL_OK;
    unsigned char *text = il_alloc(n->text_used + 1, 1);
    if (!text)
        return IL_ENOMEM;
    size_t text_used = 0;
    for (size_t i = 0; i < n->count; i++) {
        struct il_name *name = &n->names[i];
        if (name->id_bytes == 0)
            continue;
        if (name->flags == 0 && name->partner == NAME_NONE) {
            *name = (struct il_name){.next = n->free_first};
            n->free_first = (uint32_t)i;
            n->free_count++;
            continue;
        }
        memcpy(text + text_used, n->text + name->text_at, name->id_bytes);
        name->text_at = text_used;
        text_used += name->id_bytes;
    }
    il_free(n->text);
    n->text = text;
    n->text_room = n->text_used + 1;
    n->text_used = text_used;
    n->dropped = 0;
    memset(n->slots, 0, n->slot_count * sizeof(*n->slots));
    for (size_t i = 0; i < n->count; i++)
        if (n->names[i].id_bytes > 0)
            n->slots[slot_of(n, n->names[i].key)] = (uint32_t)i + 1;
    return IL_OK;
}

void il_names_free(struct il_names *n)
{
    il_free(n->names);
    il_free(n->text);
    il_free(n->slots);
    il_free(n->by_handle);
    *n = (struct il_names){0};
}

enum il_status il_list_add(struct il_list *list, uint32_t item)
{
    if (list->count == list->room) {
        size_t room = list->room ? list->room * 2 : 64;
        void *items = il_realloc(list->items, list->count * sizeof(*list->items),
                                 room * sizeof(*list->items));
        if (!items)
            return IL_ENOMEM;
        list->items = items;
        list->room = room;
    }
    list->items[list->count++] = item;
    return IL_OK;
}
