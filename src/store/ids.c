/* SPDX-License-Identifier: Apache-2.0 */
/* Document ids: one block with the texts, zero-terminated, one after the other; an array
   of where each begins; a hash table of rows with open addressing. */
#include <isolink/matrix.h>

#include "src/base/base.h"
#include "src/io/file.h"
#include "src/store/ids.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* Room for what is not an id, so that a small file with a long line is reported by its
 * line. */
#define SLACK_BYTES ((uint64_t)1 << 20)
#define SLOT_EMPTY 0u

struct il_ids {
    size_t count;
    char *text;     /* ids, each followed by a zero byte */
    size_t *begin;  /* count + 1 entries; begin[count] is past the last zero byte */
    uint32_t *slot; /* row + 1, or SLOT_EMPTY; NULL: id i is the number i */
    size_t slot_mask;
};

static size_t id_bytes(const struct il_ids *ids, size_t row)
{
    return ids->begin[row + 1] - ids->begin[row] - 1;
}

/* The slot that holds this text, or the empty one where it belongs. */
static size_t find_slot(const struct il_ids *ids, const char *text, size_t bytes)
{
    size_t at = (size_t)il_hash_bytes(text, bytes) & ids->slot_mask;
    while (ids->slot[at] != SLOT_EMPTY) {
        size_t row = ids->slot[at] - 1;
        if (id_bytes(ids, row) == bytes &&
            memcmp(ids->text + ids->begin[row], text, bytes) == 0)
            break;
        at = (at + 1) & ids->slot_mask;
    }
    return at;
}

/* Allocates begin and, when wanted, a table at most two thirds full. */
static enum il_status make_room(struct il_ids *ids, size_t count, int table)
{
    ids->begin = il_alloc(count + 1, sizeof(*ids->begin));
    if (!ids->begin)
        return IL_ENOMEM;
    ids->begin[0] = 0;
    if (!table)
        return IL_OK;
    size_t slots = 16;
    while (slots < count + count / 2)
        slots *= 2;
    ids->slot = il_alloc_zero(slots, sizeof(*ids->slot));
    ids->slot_mask = slots - 1;
    return ids->slot ? IL_OK : IL_ENOMEM;
}

/* One line, without its end: checks it and appends it. The text is moved towards the
   front, over line ends that are done with. */
static enum il_status add_line(struct il_ids *ids, const char *name, const char *line,
                               size_t bytes, struct il_error *error)
{
    size_t row = ids->count;
    if (bytes == 0)
        return il_fail(error, IL_EFORMAT, "%s, line %zu: empty id", name, row + 1);
    if (bytes > IL_ID_BYTES_MAX)
        return il_fail(error, IL_EFORMAT,
                       "%s, line %zu: id of %zu bytes, wanted at most %u", name, row + 1,
                       bytes, IL_ID_BYTES_MAX);
    if (memchr(line, 0, bytes))
        return il_fail(error, IL_EFORMAT, "%s, line %zu: a NUL byte", name, row + 1);
    size_t slot = find_slot(ids, line, bytes);
    if (ids->slot[slot] != SLOT_EMPTY) {
        char shown[80];
        return il_fail(error, IL_EFORMAT,
                       "%s, line %zu: id '%s' repeats that of line %" PRIu32, name,
                       row + 1, il_printable(shown, sizeof(shown), line, bytes),
                       ids->slot[slot]);
    }
    char *to = ids->text + ids->begin[row];
    memmove(to, line, bytes);
    to[bytes] = 0;
    ids->begin[row + 1] = ids->begin[row] + bytes + 1;
    ids->slot[slot] = (uint32_t)row + 1;
    ids->count = row + 1;
    return IL_OK;
}

static enum il_status parse(struct il_ids *ids, const char *name, size_t bytes,
                            size_t rows, struct il_error *error)
{
    const char *at = ids->text, *end = ids->text + bytes;
    if (bytes >= 3 && memcmp(at, "\xef\xbb\xbf", 3) == 0)
        at += 3;
    size_t lines = 0;
    while (at < end) {
        const char *stop = memchr(at, '\n', (size_t)(end - at));
        const char *next = stop ? stop + 1 : end;
        if (!stop)
            stop = end;
        if (stop > at && stop[-1] == '\r')
            stop--;
        lines++;
        /* Past the wanted number lines are only counted, for the message. */
        if (lines <= rows) {
            enum il_status status = add_line(ids, name, at, (size_t)(stop - at), error);
            if (status != IL_OK)
                return status;
        }
        at = next;
    }
    if (lines != rows)
        return il_fail(error, IL_EFORMAT,
                       "%s: %zu ids, wanted %zu (one a line for each row)", name, lines,
                       rows);
    return IL_OK;
}

enum il_status il_ids_load(struct il_ids **out, const char *path, size_t rows,
                           struct il_error *error)
{
    *out = NULL;
    const char *name = il_path_tail(path);
    if (rows > IL_ROWS_MAX)
        return il_fail(error, IL_ELIMIT, "%s: %zu rows, wanted at most %u", name, rows,
                       IL_ROWS_MAX);
    unsigned char *text = NULL;
    size_t bytes = 0;
    /* Longer than this it cannot be a list of `rows` ids (CR LF included). */
    uint64_t bytes_max = (uint64_t)rows * (IL_ID_BYTES_MAX + 2) + SLACK_BYTES;
    enum il_status status = il_file_load(path, bytes_max, &text, &bytes, error);
    if (status == IL_ELIMIT)
        return il_fail(error, IL_EFORMAT,
                       "%s: more than %" PRIu64 " bytes, too long for %zu ids", name,
                       bytes_max, rows);
    if (status != IL_OK)
        return status;
    struct il_ids *ids = il_alloc_zero(1, sizeof(*ids));
    if (!ids) {
        il_free(text);
        return il_fail(error, IL_ENOMEM, "%s: no memory for %zu ids", name, rows);
    }
    ids->text = (char *)text;
    status = make_room(ids, rows, 1);
    if (status != IL_OK)
        il_fail(error, status, "%s: no memory for %zu ids", name, rows);
    else
        status = parse(ids, name, bytes, rows, error);
    if (status != IL_OK)
        il_ids_close(&ids);
    *out = ids;
    return status;
}

enum il_status il_ids_make(struct il_ids **out, const char *name, char *text, size_t rows,
                           struct il_error *error)
{
    *out = NULL;
    struct il_ids *ids = il_alloc_zero(1, sizeof(*ids));
    if (!ids)
        il_free(text);
    else
        ids->text = text;
    if (!ids || make_room(ids, rows, 1) != IL_OK) {
        il_ids_close(&ids);
        return il_fail(error, IL_ENOMEM, "%s: no memory for %zu ids", name, rows);
    }
    for (size_t row = 0; row < rows; row++) {
        const char *id = text + ids->begin[row];
        size_t bytes = strlen(id), slot = find_slot(ids, id, bytes);
        if (ids->slot[slot] != SLOT_EMPTY) {
            char shown[80];
            enum il_status status = il_fail(
                error, IL_EFORMAT, "%s: id '%s' of row %zu repeats that of row %" PRIu32,
                name, il_printable(shown, sizeof(shown), id, bytes), row,
                ids->slot[slot] - 1);
            il_ids_close(&ids);
            return status;
        }
        ids->begin[row + 1] = ids->begin[row] + bytes + 1;
        ids->slot[slot] = (uint32_t)row + 1;
        ids->count = row + 1;
    }
    *out = ids;
    return IL_OK;
}

enum il_status il_ids_number(struct il_ids **out, size_t rows)
{
    *out = NULL;
    if (rows > IL_ROWS_MAX)
        return IL_ENOMEM;
    struct il_ids *ids = il_alloc_zero(1, sizeof(*ids));
    if (!ids)
        return IL_ENOMEM;
    /* Ten digits and a zero byte. */
    ids->text = il_alloc(rows, 11);
    if (!ids->text || make_room(ids, rows, 0) != IL_OK) {
        il_ids_close(&ids);
        return IL_ENOMEM;
    }
    size_t used = 0;
    for (size_t i = 0; i < rows; i++) {
        int printed = snprintf(ids->text + used, 11, "%zu", i);
        used += (size_t)printed + 1;
        ids->begin[i + 1] = used;
    }
    ids->count = rows;
    *out = ids;
    return IL_OK;
}

size_t il_ids_count(const struct il_ids *ids)
{
    return ids->count;
}

const char *il_ids_text(const struct il_ids *ids, size_t row)
{
    IL_ASSERT(row < ids->count);
    return ids->text + ids->begin[row];
}

/* "0" .. "count - 1" in the one way they are written. */
static size_t find_number(const struct il_ids *ids, const char *text, size_t bytes)
{
    size_t value = 0;
    if (bytes == 0 || bytes > 10 || (bytes > 1 && text[0] == '0'))
        return SIZE_MAX;
    for (size_t i = 0; i < bytes; i++) {
        if (text[i] < '0' || text[i] > '9')
            return SIZE_MAX;
        value = value * 10 + (size_t)(text[i] - '0');
    }
    return value < ids->count ? value : SIZE_MAX;
}

size_t il_ids_find(const struct il_ids *ids, const char *text, size_t text_bytes)
{
    if (!ids->slot)
        return find_number(ids, text, text_bytes);
    size_t row = ids->slot[find_slot(ids, text, text_bytes)];
    return row == SLOT_EMPTY ? SIZE_MAX : row - 1;
}

void il_ids_close(struct il_ids **ids)
{
    if (!*ids)
        return;
    il_free((*ids)->text);
    il_free((*ids)->begin);
    il_free((*ids)->slot);
    il_free(*ids);
    *ids = NULL;
}
