/* SPDX-License-Identifier: Apache-2.0 */
/* Rows of .jsonl and .csv: a line is taken when its end is there. */
#include "src/stream/tail_inner.h"

#include "formats/csv.h"
#include "src/base/base.h"

#include <inttypes.h>
#include <string.h>

/* A row as it lies in the file. */
struct record {
    unsigned char *data;
    size_t bytes; /* without the end of its last line */
    size_t whole; /* with it; 0: there is none that is whole */
    uint64_t lines;
    int tail;     /* it has no end, but nothing follows */
    int too_long; /* or rather the part of it that there is */
};

/* Looks for the end of the row among what is shown; 1: found. */
static int find_end(const struct il_flow *f, size_t have, struct record *r)
{
    const char *text = (const char *)r->data;
    size_t from = 0;
    r->lines = 0;
    for (;;) {
        const char *stop = have > from ? memchr(text + from, '\n', have - from) : NULL;
        if (!stop)
            return 0;
        r->bytes = (size_t)(stop - text);
        r->lines++;
        if (f->mark.kind != IL_KIND_CSV || (f->mark.flags & IL_MARK_CUTTING) ||
            !il_csv_is_open(text + from, r->bytes - from, from > 0))
            break;
        from = r->bytes + 1;
    }
    r->whole = r->bytes + 1;
    return 1;
}

static enum il_status find_record(const struct il_tail *t, struct il_flow *f,
                                  struct record *r, struct il_error *error)
{
    const size_t most = IL_LINE_BYTES_MAX(t->dim > 0 ? t->dim : IL_DIM_MAX);
    size_t wanted = 1, have = 0;
    *r = (struct record){0};
    for (;;) {
        enum il_status status = il_flow_look(f, wanted, &r->data, &have, error);
        if (status != IL_OK)
            return status;
        if (find_end(f, have, r)) {
            r->too_long = r->bytes > most;
            return IL_OK;
        }
        if (have > most) {
            r->bytes = r->whole = have;
            r->too_long = 1;
            return IL_OK;
        }
        if (have < wanted)
            break;
        wanted = 2 * have > most + 1 ? most + 1 : 2 * have;
    }
    if (have > 0 && (f->piped ? f->ended : f->final)) {
        r->tail = 1;
        r->lines++;
        r->bytes = r->whole = have;
    }
    return IL_OK;
}

static void take(struct il_flow *f, const struct record *r)
{
    f->mark.lines += r->lines;
    il_flow_take(f, r->data, r->whole);
}

/* A copy of the row, which reading may change. */
static enum il_status copy_of(struct il_flow *f, const struct record *r, char **text,
                              struct il_error *error)
{
    if (f->line_room < r->bytes + 1) {
        const size_t room = 2 * r->bytes + 4096;
        il_free(f->line);
        f->line_room = 0;
        f->line = il_alloc(room, 1);
        if (!f->line)
            return il_fail(error, IL_ENOMEM, "%s: no memory for a line of %zu bytes",
                           f->shown, r->bytes);
        f->line_room = room;
    }
    memcpy(f->line, r->data, r->bytes);
    f->line[r->bytes] = 0;
    *text = f->line;
    return IL_OK;
}

/* Reads the row, from a copy. dim 0: only counts. */
static enum il_status read_row(const struct il_tail *t, struct il_flow *f,
                               const struct record *r, size_t dim, float *out,
                               struct il_text_row *row, struct il_error *error)
{
    const struct il_text_line line = {
        .name = f->shown, .line = f->mark.lines + 1, .column = t->column, .dim = dim};
    char *text = NULL;
    enum il_status status = copy_of(f, r, &text, error);
    if (status != IL_OK)
        return status;
    return f->mark.kind == IL_KIND_JSONL
               ? il_jsonl_line(&line, text, r->bytes, out, row, error)
               : il_csv_line(&f->mark.columns, &line, text, r->bytes, out, row, error);
}

/* The first row of a .csv says which columns there are. *taken 1: it was a header. */
static enum il_status read_header(const struct il_tail *t, struct il_flow *f,
                                  const struct record *r, int *taken,
                                  struct il_error *error)
{
    const struct il_text_line line = {
        .name = f->shown, .line = f->mark.lines + 1, .column = t->column};
    struct il_mark *m = &f->mark;
    char *text = NULL;
    *taken = 0;
    if (m->kind != IL_KIND_CSV || (m->flags & IL_MARK_HEADER))
        return IL_OK;
    enum il_status status = copy_of(f, r, &text, error);
    if (status == IL_OK)
        status = il_csv_header(&line, text, r->bytes, &m->columns, taken, error);
    if (status != IL_OK)
        return status;
    m->flags |= IL_MARK_HEADER;
    if (!*taken)
        return IL_OK;
    m->lines += r->lines;
    /* All files of a kind begin so: it tells nothing of who this one is. */
    m->offset += r->whole;
    m->base = m->offset;
    m->rung[0] = m->rung[1] = m->rung[2] = m->tail = (struct il_rung){0};
    return IL_OK;
}

/* Passes over a line that holds no row. */
static void pass_bad(struct il_tail *t, struct il_flow *f, const struct record *r,
                     const char *text)
{
    t->bad_lines++;
    il_tail_bad_line(t, text);
    take(f, r);
}

/* The first row of all says how long they are; the first of a file whether they have
   ids. */
static enum il_status begin_rows(struct il_tail *t, struct il_flow *f,
                                 const struct record *r, struct il_error *error)
{
    struct il_text_row row;
    if (t->dim > 0)
        return il_batch_room(t, t->dim, error);
    enum il_status status = read_row(t, f, r, 0, NULL, &row, error);
    return status == IL_OK ? il_batch_room(t, row.count, error) : status;
}

/* A row that cannot be read: is it sound, but of another length? Then the source is
   paused: more of them will follow. */
static int has_other_length(struct il_tail *t, struct il_flow *f, const struct record *r)
{
    struct il_error error;
    struct il_text_row row;
    return t->dim > 0 && read_row(t, f, r, 0, NULL, &row, &error) == IL_OK &&
           row.count != t->dim;
}

static enum il_status read_whole(struct il_tail *t, struct il_flow *f,
                                 const struct record *r, struct il_error *error)
{
    struct il_mark *m = &f->mark;
    struct il_text_row row = {0};
    enum il_status status = begin_rows(t, f, r, error);
    if (status == IL_OK)
        status = read_row(t, f, r, t->dim, il_batch_row(t), &row, error);
    if (status == IL_OK && (m->flags & IL_MARK_FIRST) &&
        (row.id != NULL) != ((m->flags & IL_MARK_IDS) != 0))
        status =
            il_fail(error, IL_EFORMAT, "%s, line %" PRIu64 ": %s", f->shown, m->lines + 1,
                    row.id ? "an id, but the first row had none"
                           : "no id, but the first row had one");
    if (status == IL_ENOMEM)
        return status;
    if (status != IL_OK) {
        if (r->tail && f->final == 1)
            return IL_OK; /* not whole: it may go on */
        if (has_other_length(t, f, r))
            return status;
        pass_bad(t, f, r, error->text);
        return IL_OK;
    }
    m->flags |= IL_MARK_FIRST | (row.id ? IL_MARK_IDS : 0);
    if (m->offset + r->whole <= m->skip_to) {
        m->rows++;
        t->number += f->name ? 0 : 1;
    } else {
        status = il_flow_give(t, f, row.id, row.id_bytes, error);
    }
    if (status == IL_OK)
        take(f, r);
    return status;
}

static enum il_status one(struct il_tail *t, struct il_flow *f, const struct record *r,
                          struct il_error *error)
{
    struct il_mark *m = &f->mark;
    struct il_error text;
    int taken = 0;
    const int ends = r->whole > r->bytes;
    if (m->flags & IL_MARK_CUTTING) {
        m->flags &= ends ? ~(unsigned)IL_MARK_CUTTING : ~0u;
        take(f, r);
        return IL_OK;
    }
    if (r->too_long) {
        il_fail(&text, IL_EFORMAT, "%s, line %" PRIu64 ": longer than a row can be",
                f->shown, m->lines + 1);
        pass_bad(t, f, r, text.text);
        m->flags |= ends ? 0 : IL_MARK_CUTTING;
        return IL_OK;
    }
    if (il_text_is_blank((const char *)r->data, r->bytes)) {
        if (!r->tail)
            take(f, r);
        return IL_OK;
    }
    enum il_status status = read_header(t, f, r, &taken, error);
    if (status != IL_OK || taken)
        return status;
    if (m->offset + r->whole <= m->skip_to && (m->flags & IL_MARK_FIRST)) {
        m->rows++;
        t->number += f->name ? 0 : 1;
        take(f, r);
        return IL_OK;
    }
    return read_whole(t, f, r, error);
}

enum il_status il_text_next(struct il_tail *t, struct il_flow *f, struct il_error *error)
{
    struct il_batch *b = &t->batch;
    unsigned char *data = NULL;
    size_t have = 0;
    enum il_status status = IL_OK;
    if (f->mark.offset == 0 && f->mark.lines == 0) {
        status = il_flow_look(f, 3, &data, &have, error);
        if (status == IL_OK && have >= 3 && memcmp(data, "\xef\xbb\xbf", 3) == 0)
            f->mark.base = f->mark.offset = 3;
    }
    /* Until the first row the length of a batch is not known. */
    while (status == IL_OK && b->count < b->most) {
        struct record r;
        const uint64_t offset = f->mark.offset;
        status = find_record(t, f, &r, error);
        if (status != IL_OK || r.whole == 0)
            break;
        status = one(t, f, &r, error);
        if (f->mark.offset == offset)
            break; /* it waits, or cannot be taken */
    }
    return status;
}
