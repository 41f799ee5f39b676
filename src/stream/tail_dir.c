/* SPDX-License-Identifier: Apache-2.0 */
/* A directory into which files are dropped, read one after the other by their names. */
#include "src/stream/tail_inner.h"

#include "formats/little.h"
#include "src/base/base.h"
#include "src/store/source_kind.h"
#include "src/store/store_inner.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NAME_MAX_BYTES 255u
/* Files that are known one by one; of more, the lowest names are known by the greatest of
   them alone. */
#define TAKEN_MAX 120u

/* A file that was read to its end. */
struct taken {
    uint64_t hash;   /* of its name */
    uint64_t offset; /* so far it was read, */
    uint64_t seen;   /* so long it was then */
    int there;       /* the name was seen at the last look */
};

struct il_tail_dir {
    char floor[NAME_MAX_BYTES + 1]; /* names up to here were taken; "": none */
    uint64_t below;                 /* so many of them were there */
    char current[NAME_MAX_BYTES + 1];
    char *path; /* of current */
    struct taken taken[TAKEN_MAX];
    size_t count;
    /* The names that are there, in order. */
    char **names;
    size_t names_count, names_room;
    /* Hashes of those up to the floor at the last look, in order. */
    uint64_t *low;
    size_t low_count;
    int looked; /* low is known */
};

int il_tail_is_leftover(const char *name)
{
    static const char *const ends[] = {".tmp", ".part", "~"};
    const size_t bytes = strlen(name);
    for (size_t i = 0; i < sizeof(ends) / sizeof(*ends); i++) {
        size_t end = strlen(ends[i]);
        if (bytes >= end && strcmp(name + bytes - end, ends[i]) == 0)
            return 1;
    }
    return name[0] == '.';
}

static uint64_t hash_of(const char *name)
{
    return il_checksum(name, strlen(name));
}

enum il_status il_tail_dir_open(struct il_tail *t, struct il_error *error)
{
    t->dir = il_alloc_zero(1, sizeof(*t->dir));
    if (!t->dir)
        return il_fail(error, IL_ENOMEM, "%s: no memory to follow it",
                       il_path_tail(t->path));
    return IL_OK;
}

static void forget_names(struct il_tail_dir *d)
{
    for (size_t i = 0; i < d->names_count; i++)
        il_free(d->names[i]);
    d->names_count = 0;
}

void il_tail_dir_close(struct il_tail *t)
{
    if (!t->dir)
        return;
    forget_names(t->dir);
    il_free(t->dir->names);
    il_free(t->dir->low);
    il_free(t->dir->path);
    il_free(t->dir);
    t->dir = NULL;
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static int by_number(const void *a, const void *b)
{
    const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

static int each_name(void *context, const char *name)
{
    struct il_tail_dir *d = context;
    const size_t bytes = strlen(name) + 1;
    if (il_tail_is_leftover(name) || bytes > NAME_MAX_BYTES + 1)
        return 0;
    if (d->names_count == d->names_room) {
        const size_t old = d->names_room * sizeof(*d->names);
        const size_t room = 2 * d->names_room + 64;
        char **names = il_realloc(d->names, old, room * sizeof(*names));
        if (!names)
            return 1;
        d->names = names;
        d->names_room = room;
    }
    char *copy = il_alloc(bytes, 1);
    if (!copy)
        return 1;
    memcpy(copy, name, bytes);
    d->names[d->names_count++] = copy;
    return 0;
}

struct listing {
    struct il_tail_dir *d;
    int starved;
};

static int each(void *context, const char *name)
{
    struct listing *l = context;
    l->starved = each_name(l->d, name);
    return l->starved;
}

static enum il_status list_names(struct il_tail *t, struct il_error *error)
{
    struct il_tail_dir *d = t->dir;
    struct il_dir dir = {.fd = -1};
    struct listing l = {.d = d};
    forget_names(d);
    enum il_status status = il_dir_open(&dir, t->path, error);
    if (status == IL_OK)
        status = il_dir_list(&dir, each, &l, error);
    il_dir_close(&dir);
    if (status == IL_OK && l.starved)
        status = il_fail(error, IL_ENOMEM, "%s: no memory for its names",
                         il_path_tail(t->path));
    if (status == IL_OK && d->names_count > 1)
        qsort(d->names, d->names_count, sizeof(*d->names), by_text);
    return status;
}

static struct taken *find_taken(struct il_tail_dir *d, const char *name)
{
    const uint64_t hash = hash_of(name);
    for (size_t i = 0; i < d->count; i++)
        if (d->taken[i].hash == hash)
            return &d->taken[i];
    return NULL;
}

/* Files that went may come back, as new ones. */
static void forget_gone(struct il_tail_dir *d)
{
    for (size_t i = 0; i < d->count; i++)
        d->taken[i].there = 0;
    for (size_t i = 0; i < d->names_count; i++) {
        struct taken *one = find_taken(d, d->names[i]);
        if (one)
            one->there = 1;
    }
    size_t kept = 0;
    for (size_t i = 0; i < d->count; i++)
        if (d->taken[i].there)
            d->taken[kept++] = d->taken[i];
    d->count = kept;
}

static int is_low(const struct il_tail_dir *d, const char *name)
{
    return d->floor[0] && strcmp(name, d->floor) <= 0;
}

/* A name up to the floor that was there at the last look. */
static int was_low(const struct il_tail_dir *d, const char *name)
{
    const uint64_t hash = hash_of(name);
    return is_low(d, name) && d->low_count > 0 &&
           bsearch(&hash, d->low, d->low_count, sizeof(hash), by_number) != NULL;
}

/* Which names up to the floor are there, before new ones come. */
static enum il_status note_low(struct il_tail *t, int first, struct il_error *error)
{
    struct il_tail_dir *d = t->dir;
    size_t count = 0;
    while (count < d->names_count && is_low(d, d->names[count]))
        count++;
    uint64_t *low = il_alloc(count + 1, sizeof(*low));
    if (!low)
        return il_fail(error, IL_ENOMEM, "%s: no memory for its names",
                       il_path_tail(t->path));
    size_t kept = 0;
    for (size_t i = 0; i < count; i++)
        if (first || was_low(d, d->names[i]))
            low[kept++] = hash_of(d->names[i]);
    qsort(low, kept, sizeof(*low), by_number);
    il_free(d->low);
    d->low = low;
    d->low_count = kept;
    if (first && kept > d->below)
        il_tail_say(t, 4,
                    "%s: at least %" PRIu64
                    " names up to '%.100s' came while nobody followed, and are passed "
                    "over: give later files greater names",
                    il_path_tail(t->path), (uint64_t)kept - d->below, d->floor);
    d->below = kept;
    return IL_OK;
}

static int is_done(struct il_tail_dir *d, const char *name)
{
    return was_low(d, name) || find_taken(d, name) != NULL;
}

/* Makes room for one more file that was taken: the lower half of those that are there is
   known by the greatest name from now on. */
static enum il_status raise_floor(struct il_tail *t, struct il_error *error)
{
    struct il_tail_dir *d = t->dir;
    size_t done = 0, last = 0;
    for (size_t i = 0; i < d->names_count && done < d->count / 2; i++)
        if (find_taken(d, d->names[i]) && !is_low(d, d->names[i])) {
            done++;
            last = i;
        }
    if (done > 0) {
        snprintf(d->floor, sizeof(d->floor), "%s", d->names[last]);
        uint64_t *low = il_alloc(last + 1, sizeof(*low));
        if (!low)
            return il_fail(error, IL_ENOMEM, "%s: no memory for its names",
                           il_path_tail(t->path));
        size_t kept = 0;
        for (size_t i = 0; i <= last; i++)
            if (is_done(d, d->names[i]))
                low[kept++] = hash_of(d->names[i]);
        qsort(low, kept, sizeof(*low), by_number);
        il_free(d->low);
        d->low = low;
        d->low_count = kept;
        d->below = kept;
    }
    size_t kept = 0;
    for (size_t i = 0; i < d->count; i++) {
        int low = d->low_count > 0 && bsearch(&d->taken[i].hash, d->low, d->low_count,
                                              sizeof(uint64_t), by_number) != NULL;
        if (!low)
            d->taken[kept++] = d->taken[i];
    }
    d->count = kept;
    return IL_OK;
}

static enum il_status note_taken(struct il_tail *t, const char *name, uint64_t offset,
                                 uint64_t seen, struct il_error *error)
{
    struct il_tail_dir *d = t->dir;
    struct taken *old = find_taken(d, name);
    enum il_status status = IL_OK;
    if (!old && d->count == TAKEN_MAX)
        status = raise_floor(t, error);
    if (status != IL_OK)
        return status;
    if (!old)
        old = &d->taken[d->count < TAKEN_MAX ? d->count++ : 0];
    *old = (struct taken){.hash = hash_of(name), .offset = offset, .seen = seen};
    return IL_OK;
}

/* Whether files of this name are read at all; says why not. */
static int is_fit(struct il_tail *t, const char *name, enum il_kind *kind)
{
    *kind = t->config.kind != IL_KIND_AUTO ? t->config.kind : il_kind_of_name(name);
    const char *unfit = il_tail_unfit(name, *kind);
    if (!unfit && *kind == IL_KIND_AUTO)
        unfit = "its name says no kind of file";
    if (unfit)
        il_tail_say(t, 4, "%s/%.100s: passed over: %s", il_path_tail(t->path), name,
                    unfit);
    return !unfit;
}

/* What is new about a name: *from receives where its new rows begin. */
static enum il_status is_new(struct il_tail *t, const char *name, int *news,
                             uint64_t *from, struct il_error *error)
{
    struct il_tail_dir *d = t->dir;
    struct taken *old = find_taken(d, name);
    struct il_about about;
    *news = 0;
    *from = 0;
    if (!old && was_low(d, name))
        return IL_OK;
    char *path = il_tail_join(t->path, name);
    if (!path)
        return il_fail(error, IL_ENOMEM, "%s: no memory for a name",
                       il_path_tail(t->path));
    enum il_status status = il_about_path(&about, path, error);
    il_free(path);
    if (status != IL_OK || about.thing != IL_THING_FILE ||
        (old && about.size == old->seen))
        return status;
    if (old && about.size < old->offset) {
        il_tail_say(t, 4,
                    "%s/%.100s: ends at byte %" PRIu64
                    ", but was read up to byte %" PRIu64 ": read anew from its begin",
                    il_path_tail(t->path), name, about.size, old->offset);
        *old = d->taken[--d->count];
        old = NULL;
    }
    *news = 1;
    *from = old ? old->offset : 0;
    return IL_OK;
}

/* Opens the file to be read next. */
static enum il_status begin_file(struct il_tail *t, const char *name, uint64_t from,
                                 enum il_kind kind, struct il_error *error)
{
    struct il_tail_dir *d = t->dir;
    struct il_flow *f = &t->now;
    const struct il_dir shown = {.fd = -1, .path = t->path};
    char *path = il_tail_join(t->path, name);
    if (!path)
        return il_fail(error, IL_ENOMEM, "%s: no memory for a name",
                       il_path_tail(t->path));
    il_free(d->path);
    d->path = path;
    if (name != d->current)
        snprintf(d->current, sizeof(d->current), "%s", name);
    il_flow_close(f);
    il_flow_begin(f);
    f->name = d->current;
    f->final = 1;
    f->mark.kind = kind;
    f->mark.skip_to = from;
    il_dir_shown(&shown, name, f->shown);
    return IL_OK;
}

/* Chooses the next file: the lowest name of those with something new. */
static enum il_status choose(struct il_tail *t, int *found, struct il_error *error)
{
    struct il_tail_dir *d = t->dir;
    *found = 0;
    enum il_status status = list_names(t, error);
    if (status == IL_OK) {
        status = note_low(t, !d->looked, error);
        d->looked = 1;
    }
    if (status == IL_OK)
        forget_gone(d);
    for (size_t i = 0; status == IL_OK && i < d->names_count && !*found; i++) {
        enum il_kind kind = IL_KIND_AUTO;
        uint64_t from = 0;
        int news = 0;
        if (strcmp(d->names[i], d->current) == 0)
            continue;
        status = is_new(t, d->names[i], &news, &from, error);
        if (status != IL_OK || !news || !is_fit(t, d->names[i], &kind))
            continue;
        *found = 1;
        /* The one before was at its end. */
        if (d->current[0])
            status =
                note_taken(t, d->current, t->now.mark.offset, t->now.mark.seen, error);
        if (status == IL_OK && t->now.mark.seen > t->now.mark.offset && d->current[0])
            il_tail_say(t, 4,
                        "%s: ends with %" PRIu64
                        " bytes that are no whole row; read on when it grows",
                        t->now.shown, t->now.mark.seen - t->now.mark.offset);
        if (status == IL_OK)
            status = begin_file(t, d->names[i], from, kind, error);
    }
    return status;
}

/* What was there at the first open is passed over. */
static enum il_status begin_at_end(struct il_tail *t, struct il_error *error)
{
    struct il_tail_dir *d = t->dir;
    enum il_status status = list_names(t, error);
    if (status != IL_OK)
        return status;
    if (d->names_count > 0)
        snprintf(d->floor, sizeof(d->floor), "%s", d->names[d->names_count - 1]);
    d->below = d->names_count;
    t->fresh = 0;
    return IL_OK;
}

/* The current file is gone, or is another: what follows begins anew. */
static void drop_current(struct il_tail *t, const char *what)
{
    struct il_flow *f = &t->now;
    const uint64_t unread =
        f->mark.seen > f->mark.offset ? f->mark.seen - f->mark.offset : 0;
    if (f->wrong != IL_OK || unread > 0)
        il_tail_say(t, 4, "%s: %s; its last %" PRIu64 " bytes were not taken", f->shown,
                    what, unread);
    il_flow_close(f);
    il_flow_begin(f);
    t->dir->current[0] = 0;
    t->rotations++;
}

static enum il_status open_current(struct il_tail *t, struct il_error *error)
{
    struct il_tail_dir *d = t->dir;
    struct il_flow *f = &t->now;
    struct il_about about;
    struct il_mark mark = f->mark;
    enum il_status status = IL_OK;
    if (!d->path) { /* after a restart */
        char name[NAME_MAX_BYTES + 1];
        memcpy(name, d->current, sizeof(name));
        status = begin_file(t, name, 0, IL_KIND_AUTO, error);
        f->mark = mark;
    }
    if (status == IL_OK)
        status = il_grow_open(&f->file, d->path, f->shown, &about, error);
    if (status != IL_OK)
        return status;
    f->held = 0;
    f->layout = (struct il_layout){0};
    if (about.thing != IL_THING_FILE)
        drop_current(t, "gone");
    return IL_OK;
}

/* At the end of the current file, or where it cannot be read: is it still there? */
static enum il_status look_at_current(struct il_tail *t, int *again,
                                      struct il_error *error)
{
    struct il_flow *f = &t->now;
    struct il_about about;
    enum il_status status = il_about_path(&about, t->dir->path, error);
    *again = 0;
    if (status != IL_OK || f->wrong == IL_EIO)
        return status;
    if (about.thing == IL_THING_FILE && about.ino == f->mark.ino &&
        about.dev == f->mark.dev)
        return IL_OK;
    drop_current(t, about.thing == IL_THING_NONE ? "gone" : "replaced");
    il_tail_set(t, IL_TAIL_READY, "%s", "");
    *again = 1;
    return IL_OK;
}

enum il_status il_tail_dir_next(struct il_tail *t, struct il_error *error)
{
    struct il_tail_dir *d = t->dir;
    struct il_about about;
    int found = 1, again = 0;
    enum il_status status = il_about_path(&about, t->path, error);
    if (status == IL_OK && t->fresh && about.thing == IL_THING_DIR)
        status = begin_at_end(t, error);
    if (status == IL_OK && about.thing == IL_THING_NONE && t->now.file.fd < 0) {
        il_tail_set(t, IL_TAIL_MISSING, "%s: not there", il_path_tail(t->path));
        return IL_OK;
    }
    while (status == IL_OK && found && t->batch.count == 0) {
        if (d->current[0] && t->now.file.fd < 0)
            status = open_current(t, error);
        if (status == IL_OK && d->current[0])
            status = il_flow_next(t, &t->now, error);
        if (status != IL_OK || t->batch.count > 0)
            break;
        if (d->current[0])
            status = look_at_current(t, &again, error);
        if (status != IL_OK || (d->current[0] && t->now.wrong != IL_OK))
            break;
        if (about.thing == IL_THING_NONE) {
            il_tail_set(t, IL_TAIL_MISSING, "%s: not there any more",
                        il_path_tail(t->path));
            break;
        }
        status = choose(t, &found, error);
    }
    return status;
}

size_t il_tail_dir_put(const struct il_tail *t, unsigned char *out)
{
    const struct il_tail_dir *d = t->dir;
    const size_t floor = strlen(d->floor), current = strlen(d->current);
    unsigned char *p = out;
    store_u32(p, (uint32_t)floor);
    store_u32(p + 4, (uint32_t)current);
    store_u32(p + 8, (uint32_t)d->count);
    store_u32(p + 12, 0);
    store_u64(p + 16, d->below);
    il_mark_put(&t->now.mark, p + 24);
    p += 24 + IL_MARK_BYTES;
    for (size_t i = 0; i < d->count; i++, p += 24) {
        store_u64(p, d->taken[i].hash);
        store_u64(p + 8, d->taken[i].offset);
        store_u64(p + 16, d->taken[i].seen);
    }
    memcpy(p, d->floor, floor);
    memcpy(p + floor, d->current, current);
    return (size_t)(p - out) + floor + current;
}

enum il_status il_tail_dir_get(struct il_tail *t, const unsigned char *p, size_t bytes,
                               struct il_error *error)
{
    const size_t head = 24 + IL_MARK_BYTES;
    enum il_status status = il_tail_dir_open(t, error);
    if (status != IL_OK)
        return status;
    struct il_tail_dir *d = t->dir;
    const size_t floor = bytes >= head ? il_load_u32(p) : 0;
    const size_t current = bytes >= head ? il_load_u32(p + 4) : 0;
    const size_t count = bytes >= head ? il_load_u32(p + 8) : 0;
    if (bytes < head || floor > NAME_MAX_BYTES || current > NAME_MAX_BYTES ||
        count > TAKEN_MAX || bytes != head + 24 * count + floor + current)
        return il_position_bad(error, 64, "names or files that do not fit");
    status = il_mark_get(&t->now.mark, p + 24, error);
    if (status != IL_OK)
        return status;
    d->below = load_u64(p + 16);
    const unsigned char *at = p + head;
    for (size_t i = 0; i < count; i++, at += 24)
        d->taken[i] = (struct taken){
            .hash = load_u64(at), .offset = load_u64(at + 8), .seen = load_u64(at + 16)};
    d->count = count;
    if (memchr(at, 0, floor + current) || memchr(at, '/', floor + current))
        return il_position_bad(error, 64, "a name with a byte that no name has");
    memcpy(d->floor, at, floor);
    memcpy(d->current, at + floor, current);
    return IL_OK;
}
