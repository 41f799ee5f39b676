/* SPDX-License-Identifier: Apache-2.0 */
/* One file under one name: appended to, rotated, replaced, gone and back. And a pipe. */
#include "src/stream/tail_inner.h"

#include "src/base/base.h"

#include <inttypes.h>
#include <string.h>

/* Turns of one call: a name that changes faster is looked at by the next one. */
#define TURNS 8

static uint64_t unread(const struct il_flow *f)
{
    const struct il_mark *m = &f->mark;
    return m->seen > m->offset ? m->seen - m->offset : 0;
}

/* Exchanges two flows that own their memory. */
static void exchange(struct il_flow *a, struct il_flow *b)
{
    struct il_flow kept = *a;
    *a = *b;
    *b = kept;
}

/* Ends with the file that was rotated away. */
static void retire(struct il_tail *t)
{
    struct il_flow *b = &t->before;
    if (unread(b) > 0)
        il_tail_say(
            t, 4,
            "%s: the file that was rotated away is read no more; its last %" PRIu64
            " bytes hold no whole row",
            b->shown, unread(b));
    il_flow_close(b);
    il_flow_begin(b);
}

/* Takes a file that is open, from its begin. */
static void begin_file(struct il_flow *f, const struct il_file *file,
                       const struct il_about *about)
{
    il_file_close(&f->file);
    il_flow_begin(f);
    f->file = *file;
    f->file.name = f->shown;
    f->final = 0;
    f->mark.dev = about->dev;
    f->mark.ino = about->ino;
    f->mark.seen = f->size = about->size;
}

/* Goes on in another file that holds what was read, at the same place. */
static void adopt(struct il_flow *f, const struct il_file *file,
                  const struct il_about *about)
{
    il_file_close(&f->file);
    f->file = *file;
    f->file.name = f->shown;
    f->held = 0;
    f->mark.dev = about->dev;
    f->mark.ino = about->ino;
}

/* Whether another file begins with what was read of this one. */
static enum il_status holds_the_same(const struct il_flow *f, const struct il_file *file,
                                     const struct il_about *about, int *same,
                                     struct il_error *error)
{
    struct il_flow other = {.mark = f->mark, .file = *file, .size = about->size};
    struct il_error own;
    enum il_same found = IL_OTHER;
    memcpy(other.shown, f->shown, sizeof(other.shown));
    *same = 0;
    if (f->mark.offset == f->mark.base)
        return IL_OK;
    enum il_status status = il_flow_compare(&other, &found, &own);
    if (status == IL_EIO)
        return il_fail(error, status, "%s", own.text);
    *same = status == IL_OK && found == IL_SAME;
    return IL_OK;
}

struct search {
    struct il_tail *t;
    const struct il_mark *mark;
    struct il_file file;
    struct il_about about;
    enum il_status status;
    struct il_error unknown; /* of a file that could not be examined */
    struct il_error *error;
};

static int each_sibling(void *context, const char *name)
{
    struct search *s = context;
    struct il_about about;
    struct il_error own;
    char *path = il_tail_join(s->t->parent, name);
    if (!path) {
        s->status =
            il_fail(s->error, IL_ENOMEM, "%s: no memory to look for it", s->t->now.shown);
        return 1;
    }
    /* It may be the one that is looked for. */
    if (il_about_path(&about, path, &own) != IL_OK)
        s->unknown = own;
    else if (about.thing == IL_THING_FILE && about.ino == s->mark->ino &&
             about.dev == s->mark->dev)
        s->status = il_grow_open(&s->file, path, s->t->now.shown, &s->about, s->error);
    il_free(path);
    return s->file.fd >= 0 || s->status != IL_OK;
}

/* Looks in the directory for a file that was renamed; file.fd -1: it is not there. */
static enum il_status find_renamed(struct il_tail *t, const struct il_mark *mark,
                                   struct il_file *file, struct il_about *about,
                                   struct il_error *error)
{
    struct search s = {.t = t, .mark = mark, .file = {.fd = -1}, .error = error};
    struct il_dir dir = {.fd = -1};
    struct il_flow f = {.mark = *mark};
    int same = 0;
    *file = s.file;
    enum il_status status = il_dir_open(&dir, t->parent, error);
    if (status == IL_OK)
        status = il_dir_list(&dir, each_sibling, &s, error);
    il_dir_close(&dir);
    if (status == IL_OK)
        status = s.status;
    if (status == IL_OK && s.file.fd < 0 && s.unknown.text[0])
        status = il_fail(error, IL_EIO, "%s", s.unknown.text);
    /* Its number may belong to another file by now. */
    if (status == IL_OK && s.file.fd >= 0) {
        memcpy(f.shown, t->now.shown, sizeof(f.shown));
        status = holds_the_same(&f, &s.file, &s.about, &same, error);
    }
    if (status != IL_OK || !same || s.about.ino != mark->ino)
        il_file_close(&s.file);
    *file = s.file;
    *about = s.about;
    return status;
}

/* The name leads to another file than the position says. */
static enum il_status find_again(struct il_tail *t, struct il_file *file,
                                 struct il_about *about, struct il_error *error)
{
    struct il_flow *f = &t->now;
    struct il_file old = {.fd = -1};
    struct il_about old_about;
    int same = 0;
    enum il_status status = find_renamed(t, &f->mark, &old, &old_about, error);
    if (status == IL_OK && old.fd < 0 && about->thing == IL_THING_FILE)
        status = holds_the_same(f, file, about, &same, error);
    if (status != IL_OK)
        return status;
    if (old.fd >= 0 && about->thing != IL_THING_FILE) {
        adopt(f, &old, &old_about);
        il_tail_say(t, 6, "%s: renamed; its rest is read under the new name", f->shown);
    } else if (old.fd >= 0) {
        retire(t);
        exchange(&t->now, &t->before);
        adopt(&t->before, &old, &old_about);
        t->before.final = 1;
        begin_file(&t->now, file, about);
        t->rotations++;
        il_tail_say(t, 6, "%s: was rotated; the rest of the old file is read first",
                    f->shown);
    } else if (same) {
        adopt(f, file, about);
        il_tail_say(t, 4,
                    "%s: another file with the same rows up to byte %" PRIu64
                    ": read on from there",
                    f->shown, f->mark.offset);
    } else if (about->thing == IL_THING_FILE) {
        il_tail_say(t, 4,
                    "%s: the file that was read up to byte %" PRIu64
                    " is gone, another has its name: read from its begin; at least "
                    "%" PRIu64 " bytes of the old one were never read",
                    f->shown, f->mark.offset, unread(f));
        begin_file(f, file, about);
        t->rotations++;
    }
    return IL_OK;
}

static enum il_status open_now(struct il_tail *t, struct il_error *error)
{
    struct il_flow *f = &t->now;
    struct il_file file;
    struct il_about about;
    const uint64_t skip_to = f->mark.skip_to;
    enum il_status status = il_grow_open(&file, t->path, f->shown, &about, error);
    if (status != IL_OK)
        return status;
    if (f->mark.ino != 0 && (about.thing != IL_THING_FILE || about.ino != f->mark.ino ||
                             about.dev != f->mark.dev)) {
        status = find_again(t, &file, &about, error);
        if (f->file.fd != file.fd)
            il_file_close(&file);
        return status;
    }
    if (about.thing != IL_THING_FILE)
        return IL_OK;
    if (f->mark.ino != 0) {
        adopt(f, &file, &about);
    } else {
        begin_file(f, &file, &about);
        f->mark.skip_to = skip_to;
    }
    return IL_OK;
}

/* What was added to the file that was rotated away. Trouble with it stops nothing else,
   unless it may pass. */
static enum il_status read_before(struct il_tail *t, struct il_error *error)
{
    struct il_flow *b = &t->before;
    if (b->file.fd < 0)
        return IL_OK;
    enum il_status status = il_flow_next(t, b, error);
    if (status != IL_OK || t->batch.count > 0 || b->wrong == IL_OK || b->wrong == IL_EIO)
        return status;
    il_tail_say(t, 3,
                "%s: the file that was rotated away cannot be read on, at least %" PRIu64
                " bytes of it are lost: %s",
                b->shown, unread(b), t->next_why);
    il_flow_close(b);
    il_flow_begin(b);
    il_tail_set(t, IL_TAIL_READY, "%s", "");
    return IL_OK;
}

/* Another file has the name now. *again 1: there is something to be read. */
static enum il_status turn_over(struct il_tail *t, int *again, struct il_error *error)
{
    struct il_flow *f = &t->now;
    struct il_file file;
    struct il_about about, old;
    int same = 0;
    *again = 0;
    enum il_status status = il_about_file(&old, &f->file, error);
    if (status != IL_OK)
        return status;
    /* Before a second file is rotated away the first one must be done. */
    if (t->before.file.fd >= 0) {
        t->before.final = 2;
        status = read_before(t, error);
        if (status != IL_OK || t->batch.count > 0 || t->before.wrong == IL_EIO)
            return status;
    }
    status = il_grow_open(&file, t->path, f->shown, &about, error);
    if (status != IL_OK || file.fd < 0)
        return status;
    /* A file that still has a name was rotated, one without was replaced: perhaps by a
       copy of itself that goes on. */
    if (old.links == 0)
        status = holds_the_same(f, &file, &about, &same, error);
    if (status != IL_OK) {
        il_file_close(&file);
        return status;
    }
    *again = 1;
    il_tail_set(t, IL_TAIL_READY, "%s", "");
    if (same) {
        adopt(f, &file, &about);
        il_tail_say(t, 4,
                    "%s: replaced by a file with the same rows up to byte %" PRIu64
                    ": read on from there",
                    f->shown, f->mark.offset);
        return IL_OK;
    }
    retire(t);
    if (f->wrong) {
        il_tail_say(t, 4,
                    "%s: replaced; %" PRIu64
                    " bytes of the old file could not be taken and are lost",
                    f->shown, unread(f));
        begin_file(f, &file, &about);
    } else {
        exchange(&t->now, &t->before);
        t->before.final = old.links == 0 ? 2 : 1;
        begin_file(&t->now, &file, &about);
    }
    t->rotations++;
    return IL_OK;
}

/* Looks at the name, at the end of what is there. */
static enum il_status look_at_name(struct il_tail *t, int *again, struct il_error *error)
{
    struct il_about about;
    const struct il_mark *m = &t->now.mark;
    *again = 0;
    enum il_status status = il_about_path(&about, t->path, error);
    if (status != IL_OK)
        return status;
    if (about.thing == IL_THING_NONE) {
        il_tail_set(t, IL_TAIL_MISSING, "%s: not there any more", t->now.shown);
        return IL_OK;
    }
    if (about.thing != IL_THING_FILE)
        return il_fail(error, IL_EFORMAT, "%s: is no regular file any more",
                       t->now.shown);
    /* What could not be read, but perhaps can be later, comes first. */
    if ((about.ino == m->ino && about.dev == m->dev) || t->now.wrong == IL_EIO)
        return IL_OK;
    return turn_over(t, again, error);
}

/* After a restart: the file that had been rotated away. */
static enum il_status open_before(struct il_tail *t, struct il_error *error)
{
    struct il_flow *b = &t->before;
    struct il_file file;
    struct il_about about;
    if (b->file.fd >= 0 || b->mark.ino == 0)
        return IL_OK;
    enum il_status status = find_renamed(t, &b->mark, &file, &about, error);
    if (status != IL_OK)
        return status;
    if (file.fd >= 0) {
        adopt(b, &file, &about);
        b->final = 1;
    } else {
        if (unread(b) > 0)
            il_tail_say(t, 4,
                        "%s: the file that was rotated away is gone; at least %" PRIu64
                        " bytes of it were never read",
                        b->shown, unread(b));
        il_flow_begin(b);
    }
    return IL_OK;
}

enum il_status il_tail_file_next(struct il_tail *t, struct il_error *error)
{
    enum il_status status = open_before(t, error);
    int again = 1;
    for (int turn = 0; status == IL_OK && again && turn < TURNS; turn++) {
        if (t->now.file.fd < 0)
            status = open_now(t, error);
        if (status == IL_OK)
            status = read_before(t, error);
        if (status != IL_OK || t->batch.count > 0 || t->before.wrong == IL_EIO)
            return status;
        if (t->now.file.fd < 0) {
            il_tail_set(t, IL_TAIL_MISSING, "%s: not there", t->now.shown);
            return IL_OK;
        }
        status = il_flow_next(t, &t->now, error);
        if (status != IL_OK || t->batch.count > 0)
            return status;
        status = look_at_name(t, &again, error);
    }
    return status;
}

enum il_status il_tail_pipe_next(struct il_tail *t, struct il_error *error)
{
    struct il_flow *f = &t->now;
    if (f->ended && f->held == 0) {
        il_tail_set(t, IL_TAIL_ENDED, "%s: at its end", f->shown);
        return IL_OK;
    }
    enum il_status status = il_flow_next(t, f, error);
    if (status != IL_OK || t->batch.count > 0 || !f->ended || f->wrong)
        return status;
    const uint64_t end = f->block_at + f->held;
    if (end > f->mark.offset)
        il_tail_say(t, 4, "%s: ends with %" PRIu64 " bytes that are no whole row",
                    f->shown, end - f->mark.offset);
    il_tail_set(t, IL_TAIL_ENDED, "%s: at its end", f->shown);
    return IL_OK;
}
