/* SPDX-License-Identifier: Apache-2.0 */
/* A file that grows, read from a place that is remembered: is it still the same file, and
   what is new in it? */
#include "src/stream/tail_inner.h"

#include "formats/little.h"
#include "src/base/base.h"
#include "src/store/source_kind.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* Read at once. */
#define WINDOW ((size_t)256 * 1024)
/* So many bytes tell the kind of a file. */
#define KIND_BYTES 8u

void il_flow_init(struct il_flow *f, const char *shown)
{
    *f = (struct il_flow){.file = {.fd = -1}};
    snprintf(f->shown, sizeof(f->shown), "%s", shown);
}

void il_flow_close(struct il_flow *f)
{
    il_file_close(&f->file);
    il_free(f->block);
    il_free(f->line);
    f->block = NULL;
    f->line = NULL;
    f->held = f->room = f->line_room = 0;
}

void il_flow_begin(struct il_flow *f)
{
    f->mark = (struct il_mark){0};
    f->layout = (struct il_layout){0};
    f->held = 0;
    f->wrong = IL_OK;
}

static enum il_status make_room(struct il_flow *f, size_t bytes, struct il_error *error)
{
    if (f->block && f->room >= bytes)
        return IL_OK;
    size_t room = bytes < WINDOW ? WINDOW : bytes;
    unsigned char *larger = il_alloc(room + 1, 1);
    if (!larger)
        return il_fail(error, IL_ENOMEM, "%s: no memory for %zu bytes", f->shown, room);
    if (f->block && f->held > 0)
        memcpy(larger, f->block, f->held);
    il_free(f->block);
    f->block = larger;
    f->room = room;
    return IL_OK;
}

/* Moves what is held from the place that was reached on to the front. */
static void pack(struct il_flow *f)
{
    const uint64_t offset = f->mark.offset;
    size_t past = f->held;
    if (offset >= f->block_at && offset - f->block_at < f->held)
        past = (size_t)(offset - f->block_at);
    if (f->block && past > 0 && past < f->held)
        memmove(f->block, f->block + past, f->held - past);
    f->held -= past;
    f->block_at = offset;
}

enum il_status il_flow_look(struct il_flow *f, size_t bytes, unsigned char **data,
                            size_t *have, struct il_error *error)
{
    const uint64_t offset = f->mark.offset;
    enum il_status status = IL_OK;
    size_t in = 0;
    if (offset >= f->block_at && offset - f->block_at <= f->held)
        in = (size_t)(offset - f->block_at);
    else
        f->held = 0;
    if (f->held - in < bytes || !f->block) {
        pack(f);
        in = 0;
        /* A row that is not whole is read again: its writer may not have ended it. */
        if (!f->piped)
            f->held = 0;
        status = make_room(f, bytes, error);
    }
    while (status == IL_OK && f->held - in < bytes && !f->ended) {
        size_t got = 0;
        unsigned char *to = f->block + f->held;
        const size_t room = f->room - f->held;
        status = f->piped
                     ? il_grow_take(&f->file, to, room, &got, &f->ended, error)
                     : il_grow_read(&f->file, offset + f->held, to, room, &got, error);
        f->held += got;
        if (got == 0 || !f->piped)
            break;
    }
    if (status != IL_OK)
        return status;
    f->block[f->held] = 0;
    *data = f->block + in;
    *have = f->held - in;
    return IL_OK;
}

static void set_rung(struct il_rung *r, const unsigned char *data, size_t bytes)
{
    r->bytes = (uint32_t)bytes;
    r->hash = il_checksum(data, bytes);
}

/* Appends to what the mark says of the first bytes, and of the last. */
static void remember(struct il_flow *f, const unsigned char *data, size_t bytes)
{
    struct il_mark *m = &f->mark;
    size_t had = m->rung[2].bytes, more = sizeof(f->head) - had;
    more = more < bytes ? more : bytes;
    if (more > 0) {
        memcpy(f->head + had, data, more);
        had += more;
        if (m->rung[0].bytes == 0)
            set_rung(&m->rung[0], f->head, had);
        if (m->rung[1].bytes < IL_MARK_MIDDLE)
            set_rung(&m->rung[1], f->head, had < IL_MARK_MIDDLE ? had : IL_MARK_MIDDLE);
        set_rung(&m->rung[2], f->head, had);
    }
    size_t kept = m->tail.bytes;
    if (bytes >= sizeof(f->tail)) {
        memcpy(f->tail, data + bytes - sizeof(f->tail), sizeof(f->tail));
        kept = sizeof(f->tail);
    } else {
        size_t old = sizeof(f->tail) - bytes;
        old = old < kept ? old : kept;
        memmove(f->tail, f->tail + kept - old, old);
        memcpy(f->tail + old, data, bytes);
        kept = old + bytes;
    }
    set_rung(&m->tail, f->tail, kept);
}

void il_flow_take(struct il_flow *f, const unsigned char *data, size_t bytes)
{
    if (bytes > 0)
        remember(f, data, bytes);
    f->mark.offset += bytes;
}

enum il_status il_flow_jump(struct il_flow *f, uint64_t bytes, struct il_error *error)
{
    struct il_mark *m = &f->mark;
    uint64_t done = m->offset - m->base + bytes;
    const size_t head = done < sizeof(f->head) ? (size_t)done : sizeof(f->head);
    const size_t tail = done < sizeof(f->tail) ? (size_t)done : sizeof(f->tail);
    size_t got = 0, more = 0;
    enum il_status status = il_grow_read(&f->file, m->base, f->head, head, &got, error);
    if (status == IL_OK)
        status =
            il_grow_read(&f->file, m->offset + bytes - tail, f->tail, tail, &more, error);
    if (status == IL_OK && (got < head || more < tail))
        status = il_fail(error, IL_EIO, "%s: became shorter while it was read", f->shown);
    if (status != IL_OK)
        return status;
    m->offset += bytes;
    size_t middle = head < IL_MARK_MIDDLE ? head : IL_MARK_MIDDLE;
    size_t first = middle < f->layout.stride_bytes ? middle : f->layout.stride_bytes;
    if (m->rung[0].bytes == 0)
        set_rung(&m->rung[0], f->head, first);
    set_rung(&m->rung[1], f->head, middle);
    set_rung(&m->rung[2], f->head, head);
    set_rung(&m->tail, f->tail, tail);
    return IL_OK;
}

/* Compares so many bytes of the file with a checksum; they stay in `room`. */
static enum il_status is_equal(const struct il_flow *f, const struct il_rung *r,
                               uint64_t at, unsigned char *room, int *equal,
                               struct il_error *error)
{
    size_t got = 0;
    enum il_status status = il_grow_read(&f->file, at, room, r->bytes, &got, error);
    *equal = status == IL_OK && got == r->bytes && il_checksum(room, got) == r->hash;
    return status;
}

/* A file with less than the first piece that was taken: lines that end earlier are others
   than those. */
static enum il_status compare_few(struct il_flow *f, enum il_same *out,
                                  struct il_error *error)
{
    unsigned char bytes[IL_MARK_HEAD];
    size_t got = 0;
    *out = IL_SHORT;
    if (!il_flow_is_text(f) || f->size <= f->mark.base)
        return IL_OK;
    enum il_status status =
        il_grow_read(&f->file, f->mark.base, bytes, sizeof(bytes), &got, error);
    if (status == IL_OK && memchr(bytes, '\n', got))
        *out = IL_OTHER;
    return status;
}

/* A header may say other things than it did: the number of rows, or even where they
   begin. */
static enum il_status compare_header(struct il_flow *f, enum il_same *out,
                                     struct il_error *error)
{
    const struct il_layout old = f->layout;
    const struct il_mark mark = f->mark;
    int ready = 0;
    *out = IL_SAME;
    f->layout = (struct il_layout){0};
    enum il_status status = il_rows_begin(f, &ready, error);
    f->mark = mark;
    if (status != IL_OK || !ready) {
        f->layout = old;
        *out = IL_SHORT;
        return status;
    }
    if (old.dim != 0 && (old.dim != f->layout.dim || old.type != f->layout.type ||
                         old.form != f->layout.form)) {
        *out = IL_OTHER;
    } else if (f->layout.offset != mark.base) {
        f->mark.base = f->layout.offset;
        f->mark.offset = mark.offset - mark.base + f->layout.offset;
        f->held = 0;
    }
    return IL_OK;
}

enum il_status il_flow_compare(struct il_flow *f, enum il_same *out,
                               struct il_error *error)
{
    const struct il_mark *m = &f->mark;
    const struct il_rung *r = NULL;
    int equal = 0;
    *out = IL_SAME;
    if (m->offset == 0)
        return IL_OK;
    enum il_status status = IL_OK;
    if (!il_flow_is_text(f))
        status = f->size == 0 ? IL_OK : compare_header(f, out, error);
    if (status != IL_OK || *out != IL_SAME)
        return status;
    if (m->rung[0].bytes == 0) {
        *out = f->size < m->offset ? IL_OTHER : IL_SAME;
        return IL_OK;
    }
    for (int i = 0; i < 3; i++)
        if (f->size >= m->base && f->size - m->base >= m->rung[i].bytes)
            r = &m->rung[i];
    if (!r)
        return compare_few(f, out, error);
    unsigned char room[IL_MARK_HEAD];
    status = is_equal(f, r, m->base, room, &equal, error);
    if (status != IL_OK || !equal || f->size < m->offset) {
        *out = equal ? IL_SHORT : IL_OTHER;
        return status;
    }
    memcpy(f->head, room, r->bytes);
    status = is_equal(f, &m->tail, m->offset - m->tail.bytes, room, &equal, error);
    if (equal)
        memcpy(f->tail, room, m->tail.bytes);
    *out = equal ? IL_SAME : IL_OTHER;
    return status;
}

/* Looks whether the file is still what it was. *go 0: nothing can be read of it now. */
static enum il_status check(struct il_tail *t, struct il_flow *f, int *go,
                            struct il_error *error)
{
    struct il_about about;
    enum il_same same = IL_SAME;
    const uint64_t seen = f->mark.seen;
    *go = 0;
    enum il_status status = il_about_file(&about, &f->file, error);
    if (status != IL_OK)
        return status;
    f->size = about.size;
    status = il_flow_compare(f, &same, error);
    if (status != IL_OK)
        return status;
    const uint64_t offset = f->mark.offset;
    if (same == IL_SHORT && f->size <= f->mark.base) {
        il_tail_say(t, 4, "%s: was cut to nothing, %" PRIu64 " bytes of it were read",
                    f->shown, offset);
        return IL_OK; /* what comes will tell whether it is new */
    }
    if (same == IL_SHORT)
        return il_fail(error, IL_EFORMAT,
                       "%s: ends at byte %" PRIu64 ", but was read up to byte %" PRIu64
                       " already: wanted the rest, or another file",
                       f->shown, f->size, offset);
    if (same == IL_OTHER) {
        il_tail_say(t, 4,
                    "%s: holds something else than before (cut and written anew, or its "
                    "number reused): read from its begin; at least %" PRIu64
                    " bytes that it had after byte %" PRIu64 " were never read",
                    f->shown, seen > offset ? seen - offset : 0, offset);
        il_flow_begin(f);
        t->rotations++;
    }
    f->mark.dev = about.dev;
    f->mark.ino = about.ino;
    f->mark.seen = f->size;
    *go = 1;
    return IL_OK;
}

/* The kind of a file, once it has bytes that tell it. */
static enum il_status find_kind(struct il_tail *t, struct il_flow *f, int *go,
                                struct il_error *error)
{
    struct il_mark *m = &f->mark;
    const char *name = f->piped ? "" : f->name ? f->name : f->shown;
    unsigned char *data = NULL;
    size_t have = 0;
    if (m->kind == IL_KIND_AUTO)
        m->kind = t->config.kind;
    if (m->kind == IL_KIND_AUTO)
        m->kind = il_kind_of_name(name);
    if (m->kind == IL_KIND_AUTO) {
        enum il_status status = il_flow_look(f, KIND_BYTES, &data, &have, error);
        if (status != IL_OK)
            return status;
        m->kind = il_kind_of_bytes(data, have);
        *go = m->kind != IL_KIND_AUTO;
        if (!*go && have >= KIND_BYTES)
            return il_kind_unknown(f->shown, error);
    }
    const char *unfit = il_tail_unfit(name, m->kind);
    if (!unfit)
        return IL_OK;
    m->kind = IL_KIND_AUTO;
    return il_fail(error, IL_EFORMAT, "%s: %s", f->shown, unfit);
}

enum il_status il_flow_next(struct il_tail *t, struct il_flow *f, struct il_error *error)
{
    int go = 1;
    enum il_status status = IL_OK;
    f->wrong = IL_OK;
    if (!f->piped)
        status = check(t, f, &go, error);
    if (status == IL_OK && go)
        status = find_kind(t, f, &go, error);
    if (status == IL_OK && go)
        status =
            il_flow_is_text(f) ? il_text_next(t, f, error) : il_rows_next(t, f, error);
    f->wrong = status;
    return il_tail_trouble(t, status, error);
}

enum il_status il_flow_give(struct il_tail *t, struct il_flow *f, const void *id,
                            size_t id_bytes, struct il_error *error)
{
    char text[IL_ID_BYTES_MAX];
    if (!id) {
        int bytes =
            f->name ? snprintf(text, sizeof(text), "%s:%" PRIu64, f->name, f->mark.rows)
                    : snprintf(text, sizeof(text), "%" PRIu64, t->number);
        id = text;
        id_bytes = (size_t)bytes;
    }
    enum il_status status = il_batch_add(t, id, id_bytes, 0, error);
    if (status == IL_OK) {
        f->mark.rows++;
        t->number++;
    }
    return status;
}
