/* SPDX-License-Identifier: Apache-2.0 */
/* Positions: see formats/position.md. */
#include "src/stream/tail_inner.h"

#include "formats/little.h"
#include "src/base/base.h"

#include <inttypes.h>
#include <string.h>

#define POSITION_MAGIC "\x89ILPOS\r\n"
#define VERSION 1u
#define LEAST 72u

enum {
    AT_WHAT = 12,
    AT_DIM = 16,
    AT_FLAGS = 20,
    AT_ROWS = 24,
    AT_NUMBER = 32,
    AT_BAD = 40,
    AT_ROTATIONS = 48,
    AT_REST = 56
};
enum {
    MARK_KIND = 0,
    MARK_FLAGS = 4,
    MARK_PLACES = 8,
    MARK_RUNGS = 72,
    MARK_COLUMNS = 136,
    MARK_ZERO = 152
};
#define FLAGS_MAX (2u * IL_MARK_CUTTING - 1)

enum il_status il_position_bad(struct il_error *error, size_t at, const char *what)
{
    return il_fail(error, IL_EFORMAT, "position of a source, byte %zu: %s", at, what);
}

void il_mark_put(const struct il_mark *m, unsigned char *out)
{
    const uint64_t places[] = {m->dev,  m->ino,   m->base, m->offset,
                               m->rows, m->lines, m->seen, m->skip_to};
    const struct il_rung *rungs[] = {&m->rung[0], &m->rung[1], &m->rung[2], &m->tail};
    memset(out, 0, IL_MARK_BYTES);
    store_u32(out + MARK_KIND, (uint32_t)m->kind);
    store_u32(out + MARK_FLAGS, m->flags);
    for (int i = 0; i < 8; i++)
        store_u64(out + MARK_PLACES + 8 * i, places[i]);
    for (int i = 0; i < 4; i++) {
        store_u32(out + MARK_RUNGS + 16 * i, rungs[i]->bytes);
        store_u64(out + MARK_RUNGS + 16 * i + 8, rungs[i]->hash);
    }
    store_u64(out + MARK_COLUMNS, m->columns.id);
    store_u64(out + MARK_COLUMNS + 8, m->columns.vector);
}

enum il_status il_mark_get(struct il_mark *m, const unsigned char *p,
                           struct il_error *error)
{
    uint64_t *places[] = {&m->dev,  &m->ino,   &m->base, &m->offset,
                          &m->rows, &m->lines, &m->seen, &m->skip_to};
    struct il_rung *rungs[] = {&m->rung[0], &m->rung[1], &m->rung[2], &m->tail};
    const uint32_t most[] = {IL_MARK_HEAD, IL_MARK_MIDDLE, IL_MARK_HEAD, IL_MARK_TAIL};
    uint32_t kind = il_load_u32(p + MARK_KIND), flags = il_load_u32(p + MARK_FLAGS);
    *m = (struct il_mark){0};
    if (kind > IL_KIND_CSV || flags > FLAGS_MAX || load_u64(p + MARK_ZERO) != 0)
        return il_position_bad(error, MARK_KIND, "no kind of file that can be followed");
    m->kind = (enum il_kind)kind;
    m->flags = flags;
    for (int i = 0; i < 8; i++)
        *places[i] = load_u64(p + MARK_PLACES + 8 * i);
    if (m->base > m->offset || m->offset > INT64_MAX)
        return il_position_bad(error, MARK_PLACES, "places that are in no order");
    for (int i = 0; i < 4; i++) {
        rungs[i]->bytes = il_load_u32(p + MARK_RUNGS + 16 * i);
        rungs[i]->hash = load_u64(p + MARK_RUNGS + 16 * i + 8);
        if (il_load_u32(p + MARK_RUNGS + 16 * i + 4) != 0 || rungs[i]->bytes > most[i] ||
            rungs[i]->bytes > m->offset - m->base)
            return il_position_bad(error, MARK_RUNGS, "checksums of too many bytes");
    }
    if ((m->rung[0].bytes == 0) != (m->rung[2].bytes == 0))
        return il_position_bad(error, MARK_RUNGS, "checksums without a first one");
    m->columns.id = (size_t)load_u64(p + MARK_COLUMNS);
    m->columns.vector = (size_t)load_u64(p + MARK_COLUMNS + 8);
    return IL_OK;
}

static size_t put_rest(const struct il_tail *t, unsigned char *out)
{
    switch (t->what) {
    case IL_TAIL_UNKNOWN:
    case IL_TAIL_FILE:
        il_mark_put(&t->now.mark, out);
        il_mark_put(&t->before.mark, out + IL_MARK_BYTES);
        return (size_t)2 * IL_MARK_BYTES;
    case IL_TAIL_DIR:
        return il_tail_dir_put(t, out);
    case IL_TAIL_STORE:
        return il_tail_store_put(t, out);
    default:
        return 0;
    }
}

size_t il_tail_position(const struct il_tail *tail, void *out)
{
    unsigned char *p = out;
    memset(p, 0, IL_TAIL_POSITION_MAX);
    store_u64(p, load_u64((const unsigned char *)POSITION_MAGIC));
    store_u32(p + 8, VERSION);
    store_u32(p + AT_WHAT, (uint32_t)tail->what);
    store_u32(p + AT_DIM, (uint32_t)tail->dim);
    store_u32(p + AT_FLAGS, tail->fresh ? 1 : 0);
    store_u64(p + AT_ROWS, tail->rows);
    store_u64(p + AT_NUMBER, tail->number);
    store_u64(p + AT_BAD, tail->bad_lines);
    store_u64(p + AT_ROTATIONS, tail->rotations);
    const size_t bytes = LEAST - 8 + put_rest(tail, p + LEAST - 8);
    IL_ASSERT(bytes + 8 <= IL_TAIL_POSITION_MAX);
    store_u32(p + AT_REST, (uint32_t)(bytes - (LEAST - 8)));
    store_u64(p + bytes, il_checksum(p, bytes));
    return bytes + 8;
}

static enum il_status get_rest(struct il_tail *t, const unsigned char *p, size_t bytes,
                               struct il_error *error)
{
    enum il_status status = IL_OK;
    size_t wanted = 0;
    switch (t->what) {
    case IL_TAIL_UNKNOWN:
    case IL_TAIL_FILE:
        wanted = (size_t)2 * IL_MARK_BYTES;
        if (bytes != wanted)
            break;
        status = il_mark_get(&t->now.mark, p, error);
        if (status == IL_OK)
            status = il_mark_get(&t->before.mark, p + IL_MARK_BYTES, error);
        return status;
    case IL_TAIL_DIR:
        return il_tail_dir_get(t, p, bytes, error);
    case IL_TAIL_STORE:
        return il_tail_store_get(t, p, bytes, error);
    default:
        break;
    }
    return bytes == wanted ? IL_OK : il_position_bad(error, AT_REST, "a wrong length");
}

enum il_status il_position_get(struct il_tail *t, const void *position, size_t bytes,
                               struct il_error *error)
{
    const unsigned char *p = position;
    const enum il_tail_what here = t->what;
    enum il_status status =
        bytes > IL_TAIL_POSITION_MAX
            ? il_fail(error, IL_EFORMAT, "position of a source: %zu bytes, wanted %u",
                      bytes, IL_TAIL_POSITION_MAX)
            : il_check_frame("position of a source", p, bytes, LEAST, POSITION_MAGIC,
                             "position", VERSION, error);
    if (status != IL_OK)
        return IL_EFORMAT;
    const uint32_t what = il_load_u32(p + AT_WHAT), dim = il_load_u32(p + AT_DIM);
    const uint32_t flags = il_load_u32(p + AT_FLAGS);
    if (what > IL_TAIL_PIPE || dim > IL_DIM_MAX || flags > 1)
        return il_position_bad(error, AT_WHAT, "no kind of source, or no dimension");
    if ((what == IL_TAIL_PIPE) != (here == IL_TAIL_PIPE))
        return il_fail(error, IL_EFORMAT, "position of %s, wanted one of %s",
                       what == IL_TAIL_PIPE ? "standard input" : "a file or directory",
                       here == IL_TAIL_PIPE ? "standard input" : il_path_tail(t->path));
    if (dim != 0 && t->dim != 0 && dim != t->dim)
        return il_fail(error, IL_EARG,
                       "position of rows of %" PRIu32 " coordinates, wanted %zu", dim,
                       t->dim);
    if (il_load_u32(p + AT_REST) != bytes - LEAST || il_load_u32(p + AT_REST + 4) != 0)
        return il_position_bad(error, AT_REST, "a wrong length");
    t->what = (enum il_tail_what)what;
    t->dim = t->dim > 0 ? t->dim : dim;
    t->fresh = flags == 1;
    t->rows = load_u64(p + AT_ROWS);
    t->number = load_u64(p + AT_NUMBER);
    t->bad_lines = load_u64(p + AT_BAD);
    t->rotations = load_u64(p + AT_ROTATIONS);
    return get_rest(t, p + LEAST - 8, bytes - LEAST, error);
}
