/* SPDX-License-Identifier: Apache-2.0 */
/* Known pairs by their ids alone. */
#include <isolink/seeds.h>

#include "src/base/base.h"
#include "src/store/table.h"

#include <stdlib.h>
#include <string.h>

/* A line of the file. */
struct entry {
    struct il_stream_seed seed;
    size_t line;
    int left_out;
};

struct il_seeds {
    struct il_table table; /* ids point into its text */
    struct il_stream_seed *list;
    size_t count;
};

struct reading {
    struct entry *entry;
    size_t count;
    struct il_pairs_notes notes;
    size_t first_line; /* that notes.first speaks of; 0 = none yet */
};

static int compare(const void *x, size_t x_bytes, const void *y, size_t y_bytes)
{
    int order = memcmp(x, y, x_bytes < y_bytes ? x_bytes : y_bytes);
    if (order != 0)
        return order;
    return x_bytes < y_bytes ? -1 : x_bytes > y_bytes;
}

static int same_a(const struct entry *p, const struct entry *q)
{
    return compare(p->seed.a_id, p->seed.a_bytes, q->seed.a_id, q->seed.a_bytes);
}

static int same_b(const struct entry *p, const struct entry *q)
{
    return compare(p->seed.b_id, p->seed.b_bytes, q->seed.b_id, q->seed.b_bytes);
}

static int by_line(const void *x, const void *y)
{
    const struct entry *p = x, *q = y;
    return p->line < q->line ? -1 : p->line > q->line;
}

static int by_a(const void *x, const void *y)
{
    int order = same_a(x, y);
    if (order == 0)
        order = same_b(x, y);
    return order != 0 ? order : by_line(x, y);
}

static int by_b(const void *x, const void *y)
{
    int order = same_b(x, y);
    return order != 0 ? order : by_a(x, y);
}

/* 1: the note about this line becomes the first one; its text is to be written. */
static int is_first(struct reading *r, size_t line)
{
    if (r->first_line != 0 && r->first_line <= line)
        return 0;
    r->first_line = line;
    return 1;
}

static enum il_status check_id(const struct il_table *t, const struct il_csv_field *id,
                               struct il_error *error)
{
    if (id->bytes >= 1 && id->bytes <= IL_ID_BYTES_MAX)
        return IL_OK;
    return il_fail(error, IL_EFORMAT, "%s, line %zu: an id of %zu bytes, wanted 1 to %u",
                   t->name, t->line, id->bytes, IL_ID_BYTES_MAX);
}

static enum il_status read_entries(struct reading *r, struct il_table *t,
                                   struct il_error *error)
{
    r->entry = il_alloc(t->rows_max, sizeof(*r->entry));
    if (!r->entry)
        return il_fail(error, IL_ENOMEM, "%s: no memory for its pairs", t->name);
    for (;;) {
        int more = 0;
        enum il_status status = il_table_next(t, &more, error);
        if (status != IL_OK || !more)
            return status;
        const struct il_csv_field *a = &t->field[t->a], *b = &t->field[t->b];
        status = check_id(t, a, error);
        if (status == IL_OK)
            status = check_id(t, b, error);
        if (status != IL_OK)
            return status;
        r->entry[r->count++] = (struct entry){
            .seed = {a->text, b->text, a->bytes, b->bytes}, .line = t->line};
    }
}

/* Entries sorted by_a: the same pair again is left out, whatever becomes of the first. */
static void drop_repeats(struct reading *r)
{
    size_t kept = 0;
    for (size_t i = 0; i < r->count; i++) {
        struct entry *e = &r->entry[i], *last = &r->entry[kept > 0 ? kept - 1 : 0];
        if (kept == 0 || same_a(last, e) != 0 || same_b(last, e) != 0) {
            r->entry[kept++] = *e;
            continue;
        }
        r->notes.repeated++;
        if (is_first(r, e->line))
            snprintf(r->notes.first, sizeof(r->notes.first),
                     "line %zu: repeats the pair of line %zu", e->line, last->line);
    }
    r->count = kept;
}

/* Entries sorted so that equal ids of one side are neighbours; each pair occurs once by
 * now. */
static void mark_contradictions(struct reading *r, int side)
{
    for (size_t i = 0, end; i < r->count; i = end) {
        const struct entry *e = &r->entry[i];
        /* The lowest two lines of the group are what a message needs. */
        size_t low = e->line, next = SIZE_MAX;
        for (end = i + 1; end < r->count; end++) {
            const struct entry *other = &r->entry[end];
            if ((side ? same_b(e, other) : same_a(e, other)) != 0)
                break;
            next = other->line < low ? low : other->line < next ? other->line : next;
            low = other->line < low ? other->line : low;
        }
        if (end - i == 1)
            continue;
        for (size_t k = i; k < end; k++) {
            r->notes.contradicting += !r->entry[k].left_out;
            r->entry[k].left_out = 1;
        }
        if (is_first(r, low)) {
            char shown[80];
            snprintf(
                r->notes.first, sizeof(r->notes.first),
                "line %zu: id '%s' of side %c stands in another pair on line %zu", low,
                il_printable(shown, sizeof(shown), side ? e->seed.b_id : e->seed.a_id,
                             side ? e->seed.b_bytes : e->seed.a_bytes),
                side ? 'B' : 'A', next);
        }
    }
}

static enum il_status load(struct il_seeds *seeds, struct reading *r, const char *path,
                           struct il_error *error)
{
    enum il_status status = il_table_open(&seeds->table, path, SIZE_MAX, error);
    if (status == IL_OK)
        status = read_entries(r, &seeds->table, error);
    if (status != IL_OK)
        return status;
    qsort(r->entry, r->count, sizeof(*r->entry), by_a);
    drop_repeats(r);
    mark_contradictions(r, 0);
    qsort(r->entry, r->count, sizeof(*r->entry), by_b);
    mark_contradictions(r, 1);
    qsort(r->entry, r->count, sizeof(*r->entry), by_line);
    seeds->list = il_alloc(r->count, sizeof(*seeds->list));
    if (!seeds->list)
        return il_fail(error, IL_ENOMEM, "%s: no memory for its pairs",
                       seeds->table.name);
    for (size_t i = 0; i < r->count; i++) {
        if (!r->entry[i].left_out)
            seeds->list[seeds->count++] = r->entry[i].seed;
    }
    return IL_OK;
}

enum il_status il_seeds_load(struct il_seeds **out, const char *path,
                             struct il_pairs_notes *notes, struct il_error *error)
{
    *out = NULL;
    struct reading r = {0};
    struct il_seeds *seeds = il_alloc_zero(1, sizeof(*seeds));
    if (!seeds)
        return il_fail(error, IL_ENOMEM, "%s: no memory for its pairs",
                       il_path_tail(path));
    enum il_status status = load(seeds, &r, path, error);
    il_free(r.entry);
    if (status != IL_OK) {
        il_seeds_close(&seeds);
        return status;
    }
    if (notes)
        *notes = r.notes;
    *out = seeds;
    return IL_OK;
}

const struct il_stream_seed *il_seeds_list(const struct il_seeds *seeds, size_t *count)
{
    *count = seeds->count;
    return seeds->list;
}

void il_seeds_close(struct il_seeds **seeds)
{
    if (*seeds) {
        il_free((*seeds)->list);
        il_table_close(&(*seeds)->table);
        il_free(*seeds);
    }
    *seeds = NULL;
}
