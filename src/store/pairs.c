/* SPDX-License-Identifier: Apache-2.0 */
#include <isolink/closing.h>
#include <isolink/pairs.h>

#include "formats/csv.h"
#include "src/base/base.h"
#include "src/io/file.h"
#include "src/store/table.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* A line whose ids both exist. */
struct entry {
    struct il_pair pair;
    double posterior;
    enum il_origin origin;
    size_t line;
    int left_out;
};

struct reading {
    int links;      /* 1: posteriors and origins are wanted */
    int some_sides; /* 1: a line with an empty id is about other sides */
    struct entry *entry;
    size_t count;
    struct il_pairs_notes notes;
    size_t first_line; /* that notes.first speaks of; 0 = none yet */
};

static int by_a(const void *x, const void *y)
{
    const struct entry *p = x, *q = y;
    if (p->pair.a != q->pair.a)
        return p->pair.a < q->pair.a ? -1 : 1;
    if (p->pair.b != q->pair.b)
        return p->pair.b < q->pair.b ? -1 : 1;
    return p->line < q->line ? -1 : p->line > q->line;
}

static int by_b(const void *x, const void *y)
{
    const struct entry *p = x, *q = y;
    if (p->pair.b != q->pair.b)
        return p->pair.b < q->pair.b ? -1 : 1;
    return by_a(x, y);
}

static int by_line(const void *x, const void *y)
{
    const struct entry *p = x, *q = y;
    return p->line < q->line ? -1 : p->line > q->line;
}

/* 1: the note about this line becomes the first one; its text is to be written. */
static int is_first(struct reading *r, size_t line)
{
    if (r->first_line != 0 && r->first_line <= line)
        return 0;
    r->first_line = line;
    return 1;
}

static void note(struct reading *r, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void note(struct reading *r, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(r->notes.first, sizeof(r->notes.first), format, args);
    va_end(args);
}

static enum il_status read_entries(struct reading *r, struct il_table *t,
                                   const struct il_ids *a, const struct il_ids *b,
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
        const struct il_csv_field *fa = &t->field[t->a], *fb = &t->field[t->b];
        if (r->some_sides && (fa->bytes == 0 || fb->bytes == 0))
            continue;
        size_t row_a = il_ids_find(a, fa->text, fa->bytes);
        size_t row_b = il_ids_find(b, fb->text, fb->bytes);
        if (row_a == SIZE_MAX || row_b == SIZE_MAX) {
            const struct il_csv_field *lost = row_a == SIZE_MAX ? fa : fb;
            char shown[80];
            r->notes.missing++;
            if (is_first(r, t->line))
                note(r, "line %zu: side %c has no id '%s'", t->line,
                     row_a == SIZE_MAX ? 'A' : 'B',
                     il_printable(shown, sizeof(shown), lost->text, lost->bytes));
            continue;
        }
        struct entry entry = {.pair = {row_a, row_b},
                              .posterior = 1,
                              .origin = IL_ORIGIN_LINK,
                              .line = t->line};
        if (r->links && t->posterior < IL_TABLE_COLUMNS)
            status = il_table_posterior(t, &entry.posterior, error);
        if (status != IL_OK)
            return status;
        if (t->origin < IL_TABLE_COLUMNS && il_csv_is(&t->field[t->origin], "seed"))
            entry.origin = IL_ORIGIN_SEED;
        r->entry[r->count++] = entry;
    }
}

/* Entries sorted by_a: the same pair again is left out, whatever becomes of the first. */
static void drop_repeats(struct reading *r)
{
    if (r->count == 0)
        return;
    size_t last = 0;
    for (size_t i = 1; i < r->count; i++) {
        const struct entry *e = &r->entry[i], *kept = &r->entry[last];
        if (kept->pair.a != e->pair.a || kept->pair.b != e->pair.b) {
            r->entry[++last] = *e;
            continue;
        }
        r->notes.repeated++;
        if (is_first(r, e->line))
            note(r, "line %zu: repeats the pair of line %zu", e->line, kept->line);
    }
    r->count = last + 1;
}

/* Entries sorted so that equal ids of one side are neighbours; each pair occurs once by
 * now. */
static void mark_contradictions(struct reading *r, int side, const struct il_ids *ids)
{
    for (size_t i = 0, end; i < r->count; i = end) {
        uint64_t row = side ? r->entry[i].pair.b : r->entry[i].pair.a;
        for (end = i + 1; end < r->count; end++) {
            if ((side ? r->entry[end].pair.b : r->entry[end].pair.a) != row)
                break;
        }
        if (end - i == 1)
            continue;
        /* The lowest two lines of the group are what a message needs. */
        size_t low = SIZE_MAX, next = SIZE_MAX;
        for (size_t k = i; k < end; k++) {
            size_t line = r->entry[k].line;
            if (line < low) {
                next = low;
                low = line;
            } else if (line < next) {
                next = line;
            }
            r->notes.contradicting += !r->entry[k].left_out;
            r->entry[k].left_out = 1;
        }
        if (is_first(r, low)) {
            char shown[80];
            const char *text = il_ids_text(ids, (size_t)row);
            note(r, "line %zu: id '%s' of side %c stands in another pair on line %zu",
                 low, il_printable(shown, sizeof(shown), text, strlen(text)),
                 side ? 'B' : 'A', next);
        }
    }
}

/* Takes an open table. */
static enum il_status read_all(struct reading *r, struct il_table *table,
                               const struct il_ids *a, const struct il_ids *b,
                               struct il_error *error)
{
    enum il_status status = read_entries(r, table, a, b, error);
    if (status != IL_OK)
        return status;
    qsort(r->entry, r->count, sizeof(*r->entry), by_a);
    drop_repeats(r);
    mark_contradictions(r, 0, a);
    qsort(r->entry, r->count, sizeof(*r->entry), by_b);
    mark_contradictions(r, 1, b);
    qsort(r->entry, r->count, sizeof(*r->entry), by_line);
    return IL_OK;
}

enum il_status il_links_load(struct il_link **out, size_t *count, const char *path,
                             const struct il_ids *a, const struct il_ids *b,
                             struct il_pairs_notes *notes, struct il_error *error)
{
    *out = NULL;
    *count = 0;
    struct reading r = {.links = 1};
    struct il_table table = {0};
    struct il_link *links = NULL;
    enum il_status status = il_table_open(&table, path, SIZE_MAX, error);
    status = status ? status : read_all(&r, &table, a, b, error);
    if (status == IL_OK) {
        links = il_alloc_zero(r.count, sizeof(*links));
        if (!links)
            status = il_fail(error, IL_ENOMEM, "%s: no memory for its pairs", table.name);
    }
    size_t kept = 0;
    for (size_t i = 0; links && i < r.count; i++) {
        const struct entry *e = &r.entry[i];
        if (!e->left_out)
            links[kept++] = (struct il_link){.a = e->pair.a,
                                             .b = e->pair.b,
                                             .posterior = e->posterior,
                                             .origin = e->origin};
    }
    if (status == IL_OK) {
        *out = links;
        *count = kept;
        if (notes)
            *notes = r.notes;
    }
    il_free(r.entry);
    il_table_close(&table);
    return status;
}

void il_links_free(struct il_link *links)
{
    il_free(links);
}

/* Takes an open table, and closes it. */
static enum il_status load(struct il_pair **out, size_t *count, struct il_table *table,
                           const struct il_ids *a, const struct il_ids *b, int some_sides,
                           struct il_pairs_notes *notes, struct il_error *error)
{
    struct reading r = {.some_sides = some_sides};
    struct il_pair *pairs = NULL;
    enum il_status status = read_all(&r, table, a, b, error);
    if (status == IL_OK) {
        pairs = il_alloc(r.count, sizeof(*pairs));
        if (!pairs)
            status =
                il_fail(error, IL_ENOMEM, "%s: no memory for its pairs", table->name);
    }
    size_t kept = 0;
    for (size_t i = 0; pairs && i < r.count; i++)
        if (!r.entry[i].left_out)
            pairs[kept++] = r.entry[i].pair;
    if (status == IL_OK) {
        *out = pairs;
        *count = kept;
        if (notes)
            *notes = r.notes;
    }
    il_free(r.entry);
    il_table_close(table);
    return status;
}

enum il_status il_pairs_load(struct il_pair **out, size_t *count, const char *path,
                             const struct il_ids *a, const struct il_ids *b,
                             struct il_pairs_notes *notes, struct il_error *error)
{
    struct il_table table = {0};
    *out = NULL;
    *count = 0;
    enum il_status status = il_table_open(&table, path, SIZE_MAX, error);
    return status == IL_OK ? load(out, count, &table, a, b, 0, notes, error) : status;
}

enum il_status il_pairs_load_named(struct il_pair **out, size_t *count, const char *path,
                                   const char *a_name, const char *b_name,
                                   const struct il_ids *a, const struct il_ids *b,
                                   struct il_pairs_notes *notes, struct il_error *error)
{
    struct il_table table = {0};
    *out = NULL;
    *count = 0;
    enum il_status status = il_table_open_named(&table, path, a_name, b_name, error);
    return status == IL_OK ? load(out, count, &table, a, b, 1, notes, error) : status;
}

void il_pairs_free(struct il_pair *pairs)
{
    il_free(pairs);
}

/* Longest field: an id of quotes alone, doubled, with quotes around it; and the comma. */
#define FIELD_BYTES_MAX (2 * (size_t)IL_ID_BYTES_MAX + 3)
/* The six numbers and the origin take less. */
#define NUMBERS_BYTES_MAX 160

static char *put_id(char *to, const char *id)
{
    int quote = il_csv_needs_quotes(id, strlen(id));
    if (quote)
        *to++ = '"';
    for (; *id; id++) {
        if (*id == '"')
            *to++ = '"';
        *to++ = *id;
    }
    if (quote)
        *to++ = '"';
    *to++ = ',';
    return to;
}

/* Six digits behind the point, rounded to nearest even, with '.' in every locale (printf
   asks the locale of the program). */
static void fixed6(char *to, size_t room, double value)
{
    if (isnan(value)) {
        snprintf(to, room, "nan");
        return;
    }
    /* Past this the product below would not fit into 63 bits; no score or posterior gets
     * there. */
    if (value > 1e12 || value < -1e12) {
        snprintf(to, room, value > 0 ? "inf" : "-inf");
        return;
    }
    long long millionths = llrint(value * 1e6);
    unsigned long long size = millionths < 0 ? 0 - (unsigned long long)millionths
                                             : (unsigned long long)millionths;
    snprintf(to, room, "%s%llu.%06llu", millionths < 0 ? "-" : "", size / 1000000,
             size % 1000000);
}

static size_t print_link(char *line, const struct il_link *link, const char *a,
                         const char *b)
{
    char posterior[32], margin[32];
    fixed6(posterior, sizeof(posterior), link->posterior);
    fixed6(margin, sizeof(margin), (double)link->margin);
    char *to = put_id(put_id(line, a), b);
    static const char *const origin[] = {"seed", "link", "inferred"};
    int printed =
        snprintf(to, NUMBERS_BYTES_MAX, "%s,%u,%u,%s,%u,%s\n", posterior, link->votes,
                 link->opportunities, margin, link->round, origin[link->origin]);
    IL_ASSERT(printed > 0 && printed < NUMBERS_BYTES_MAX);
    return (size_t)(to - line) + (size_t)printed;
}

enum il_status il_links_write(const char *path, const struct il_link *links, size_t count,
                              const struct il_ids *a, const struct il_ids *b,
                              struct il_error *error)
{
    static const char header[] =
        "a_id,b_id,posterior,votes,opportunities,margin,round,origin\n";
    char line[2 * FIELD_BYTES_MAX + NUMBERS_BYTES_MAX];
    for (size_t i = 0; i < count; i++) {
        if (links[i].a >= il_ids_count(a) || links[i].b >= il_ids_count(b))
            return il_fail(error, IL_EARG, "link %zu: a row that has no id", i);
    }
    struct il_writer *writer = NULL;
    enum il_status status = il_writer_open(&writer, path, error);
    if (status != IL_OK)
        return status;
    status = il_writer_put(writer, header, sizeof(header) - 1, error);
    for (size_t i = 0; i < count && status == IL_OK; i++) {
        size_t bytes = print_link(line, &links[i], il_ids_text(a, (size_t)links[i].a),
                                  il_ids_text(b, (size_t)links[i].b));
        status = il_writer_put(writer, line, bytes, error);
    }
    if (status == IL_OK)
        status = il_writer_close(&writer, error);
    il_writer_abort(&writer);
    return status;
}

static size_t print_chain(char *line, const struct il_contradiction *chain,
                          const struct il_ids *const *ids)
{
    char *to = line;
    for (int e = 0; e < 4; e++) {
        unsigned side = chain->side[e % 3];
        *to++ = (char)('A' + side);
        *to++ = ',';
        to = put_id(to, il_ids_text(ids[side], (size_t)chain->row[e]));
    }
    *to++ = (char)('1' + chain->weakest);
    *to++ = '\n';
    return (size_t)(to - line);
}

enum il_status il_contradictions_write(const char *path,
                                       const struct il_contradiction *chains,
                                       size_t count, const struct il_ids *const *ids,
                                       struct il_error *error)
{
    static const char header[] =
        "side_1,id_1,side_2,id_2,side_3,id_3,side_4,id_4,set_aside\n";
    char line[4 * FIELD_BYTES_MAX + 16];
    struct il_writer *writer = NULL;
    enum il_status status = il_writer_open(&writer, path, error);
    if (status != IL_OK)
        return status;
    status = il_writer_put(writer, header, sizeof(header) - 1, error);
    for (size_t i = 0; i < count && status == IL_OK; i++)
        status = il_writer_put(writer, line, print_chain(line, &chains[i], ids), error);
    if (status == IL_OK)
        status = il_writer_close(&writer, error);
    il_writer_abort(&writer);
    return status;
}

enum il_status il_text_write(const char *path, const char *text, size_t text_bytes,
                             struct il_error *error)
{
    struct il_writer *writer = NULL;
    enum il_status status = il_writer_open(&writer, path, error);
    if (status != IL_OK)
        return status;
    status = il_writer_put(writer, text, text_bytes, error);
    if (status == IL_OK)
        status = il_writer_close(&writer, error);
    il_writer_abort(&writer);
    return status;
}
