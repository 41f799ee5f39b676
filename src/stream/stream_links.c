/* SPDX-License-Identifier: Apache-2.0 */
/* Which links stand: the fold of the log. What the live linker says is compared with it,
   and the difference becomes events; so nobody else may say what is linked. */
#include "src/stream/stream_inner.h"

#include "src/base/base.h"

#include <math.h>
#include <string.h>

/* A change of a posterior that is worth telling. */
#define CONFIRM_CHANGE 0.05
#define BATCH_BYTES ((size_t)8 << 20)
#define BATCH_ROWS 4096

static enum il_status open_batch(struct il_stream *s, struct il_stream_side *side,
                                 struct il_error *error)
{
    struct il_batch *b = &side->batch;
    size_t room = BATCH_BYTES / (side->dim * sizeof(float));
    room = room < 16 ? 16 : room > BATCH_ROWS ? BATCH_ROWS : room;
    b->names = il_alloc(room, sizeof(*b->names));
    b->keys = il_alloc(room, sizeof(*b->keys));
    b->handles = il_alloc(room, sizeof(*b->handles));
    b->rows = il_alloc(room * side->dim, sizeof(float));
    if (!b->names || !b->keys || !b->handles || !b->rows)
        return il_stream_no_memory(s, error);
    b->room = room;
    return IL_OK;
}

enum il_status il_stream_batch_add(struct il_stream *s, int side, uint32_t name,
                                   const float *row, struct il_error *error)
{
    struct il_stream_side *x = &s->side[side];
    struct il_batch *b = &x->batch;
    enum il_status status = IL_OK;
    if (!s->live)
        return IL_OK;
    struct il_name *at = &x->names.names[name];
    if (at->flags & NAME_PENDING) {
        memcpy(b->rows + at->handle * x->dim, row, x->dim * sizeof(float));
        return IL_OK;
    }
    if (at->handle != IL_LIVE_NONE)
        status = il_live_remove(s->live, side, at->handle);
    at->handle = IL_LIVE_NONE;
    if (status != IL_OK)
        return il_stream_no_memory(s, error);
    if (b->room == 0)
        status = open_batch(s, x, error);
    else if (b->count == b->room)
        status = il_stream_batch_flush(s, side, error);
    if (status != IL_OK)
        return status;
    b->names[b->count] = name;
    memcpy(b->rows + b->count * x->dim, row, x->dim * sizeof(float));
    at->handle = (uint32_t)b->count++;
    at->flags |= NAME_PENDING;
    return IL_OK;
}

void il_stream_batch_drop(struct il_stream *s, int side, uint32_t name)
{
    struct il_stream_side *x = &s->side[side];
    struct il_batch *b = &x->batch;
    struct il_name *at = &x->names.names[name];
    const uint32_t place = at->handle, last = b->names[b->count - 1];
    IL_ASSERT((at->flags & NAME_PENDING) && b->names[place] == name);
    memmove(b->rows + place * x->dim, b->rows + (b->count - 1) * x->dim,
            x->dim * sizeof(float));
    b->names[place] = last;
    x->names.names[last].handle = place;
    b->count--;
    at->handle = IL_LIVE_NONE;
    at->flags &= (uint8_t)~NAME_PENDING;
}

enum il_status il_stream_batch_flush(struct il_stream *s, int side,
                                     struct il_error *error)
{
    struct il_stream_side *x = &s->side[side];
    struct il_batch *b = &x->batch;
    if (b->count == 0)
        return IL_OK;
    for (size_t i = 0; i < b->count; i++)
        b->keys[i] = x->names.names[b->names[i]].key;
    enum il_status status =
        il_live_add(s->live, side, b->count, b->keys, b->rows, b->handles);
    for (size_t i = 0; status == IL_OK && i < b->count; i++) {
        struct il_name *name = &x->names.names[b->names[i]];
        name->flags &= (uint8_t)~NAME_PENDING;
        name->handle = b->handles[i];
        status = il_names_handle(&x->names, b->names[i], b->handles[i]);
    }
    b->count = 0;
    return status == IL_OK ? IL_OK : il_stream_no_memory(s, error);
}

static void keep_verdict(struct il_stream *s, const struct il_verdict *v)
{
    if (s->verdict_count == s->verdict_room) {
        size_t room = s->verdict_room ? s->verdict_room * 2 : 64;
        void *grown =
            il_realloc(s->verdicts, s->verdict_count * sizeof(*v), room * sizeof(*v));
        if (!grown) {
            s->starved = 1;
            return;
        }
        s->verdicts = grown;
        s->verdict_room = room;
    }
    s->verdicts[s->verdict_count++] = *v;
}

/* The live linker speaks of handles. */
static void hear(void *context, const struct il_live_change *change)
{
    struct il_stream *s = context;
    keep_verdict(s, &(struct il_verdict){.a = s->side[0].names.by_handle[change->a],
                                         .b = s->side[1].names.by_handle[change->b],
                                         .posterior = change->posterior,
                                         .linked = change->linked != 0,
                                         .origin = change->seed ? IL_ORIGIN_SEED
                                                                : IL_ORIGIN_LINK});
}

static int has_rows(const struct il_stream *s, const struct il_known *seed)
{
    return s->side[0].names.names[seed->a].flags & NAME_ROW &&
           s->side[1].names.names[seed->b].flags & NAME_ROW;
}

size_t il_stream_seeds_here(const struct il_stream *s)
{
    size_t here = 0;
    for (size_t i = 0; i < s->seed_count; i++)
        here += has_rows(s, &s->seeds[i]) ? 1 : 0;
    return here;
}

/* Before the first bootstrap the links are the seeds with both rows. */
static void hear_seeds(struct il_stream *s, int all)
{
    for (size_t i = 0; i < s->seed_count; i++) {
        const struct il_known *seed = &s->seeds[i];
        const int here = has_rows(s, seed);
        const int stands = s->side[0].names.names[seed->a].partner == seed->b;
        if (here && (all || !stands))
            keep_verdict(s, &(struct il_verdict){.a = seed->a,
                                                 .b = seed->b,
                                                 .posterior = 1,
                                                 .linked = 1,
                                                 .origin = IL_ORIGIN_SEED});
        else if (!here && stands)
            keep_verdict(s, &(struct il_verdict){.a = seed->a, .b = seed->b});
    }
}

static enum il_status add_event(struct il_stream *s, enum il_event_kind kind, uint32_t a,
                                uint32_t b, double posterior, int origin,
                                struct il_error *error)
{
    const struct il_names *na = &s->side[0].names, *nb = &s->side[1].names;
    /* Rounding may bring a probability past its ends. */
    posterior = posterior > 1 ? 1 : posterior >= 0 ? posterior : 0;
    struct il_event event = {.kind = kind,
                             .origin = (enum il_origin)origin,
                             .posterior = posterior,
                             .round = s->round,
                             .a_id = il_name_text(na, a),
                             .b_id = il_name_text(nb, b),
                             .a_bytes = na->names[a].id_bytes,
                             .b_bytes = nb->names[b].id_bytes};
    s->events[kind - IL_EVENT_LINK]++;
    enum il_status status = il_event_log_add(s->log, &event);
    return status == IL_OK ? IL_OK : il_stream_no_memory(s, error);
}

static void tie(struct il_stream *s, uint32_t a, uint32_t b, double posterior, int origin)
{
    struct il_name *name = &s->side[0].names.names[a];
    name->partner = b;
    name->posterior = posterior;
    name->origin = (uint8_t)origin;
    name->flags &= (uint8_t)~NAME_ENDING;
    s->side[1].names.names[b].partner = a;
    s->links++;
}

static void untie(struct il_stream *s, uint32_t a)
{
    struct il_name *name = &s->side[0].names.names[a];
    s->side[1].names.names[name->partner].partner = NAME_NONE;
    name->partner = NAME_NONE;
    name->flags &= (uint8_t)~NAME_ENDING;
    s->links--;
}

static enum il_status retract(struct il_stream *s, uint32_t a, struct il_error *error)
{
    const struct il_name name = s->side[0].names.names[a];
    untie(s, a);
    return add_event(s, IL_EVENT_RETRACT, a, name.partner, name.posterior, name.origin,
                     error);
}

/* A link stands: told when its posterior is another than what was told. */
static enum il_status stand(struct il_stream *s, const struct il_verdict *v, int confirm,
                            struct il_error *error)
{
    struct il_name *name = &s->side[0].names.names[v->a];
    name->flags &= (uint8_t)~NAME_ENDING;
    const double change = fabs(v->posterior - name->posterior);
    const int same = change == 0 || (confirm < 2 && change < CONFIRM_CHANGE);
    if (!confirm || (same && v->origin == name->origin))
        return IL_OK;
    name->posterior = v->posterior;
    name->origin = v->origin;
    return add_event(s, IL_EVENT_CONFIRM, v->a, v->b, v->posterior, v->origin, error);
}

/* First what ends: then every row is free for its new link. A link that ends and begins
   again at once, because a row was replaced, stands. */
static enum il_status apply(struct il_stream *s, int all, int confirm,
                            struct il_error *error)
{
    struct il_name *names = s->side[0].names.names;
    const size_t count = s->side[0].names.count;
    enum il_status status = IL_OK;
    for (size_t a = 0; all && a < count; a++)
        if (names[a].id_bytes > 0 && names[a].partner != NAME_NONE)
            names[a].flags |= NAME_ENDING;
    for (size_t i = 0; i < s->verdict_count; i++) {
        const struct il_verdict *v = &s->verdicts[i];
        if (!v->linked && names[v->a].partner == v->b)
            names[v->a].flags |= NAME_ENDING;
    }
    for (size_t i = 0; status == IL_OK && i < s->verdict_count; i++) {
        const struct il_verdict *v = &s->verdicts[i];
        if (v->linked && names[v->a].partner == v->b)
            status = stand(s, v, confirm, error);
    }
    for (size_t a = 0; all && status == IL_OK && a < count; a++)
        if (names[a].flags & NAME_ENDING)
            status = retract(s, (uint32_t)a, error);
    for (size_t i = 0; status == IL_OK && i < s->verdict_count; i++)
        if (names[s->verdicts[i].a].flags & NAME_ENDING)
            status = retract(s, s->verdicts[i].a, error);
    for (size_t i = 0; status == IL_OK && i < s->verdict_count; i++) {
        const struct il_verdict *v = &s->verdicts[i];
        const uint32_t other = s->side[1].names.names[v->b].partner;
        if (!v->linked || names[v->a].partner == v->b)
            continue;
        /* One link a row, whatever was said. */
        if (names[v->a].partner != NAME_NONE)
            status = retract(s, v->a, error);
        if (status == IL_OK && other != NAME_NONE)
            status = retract(s, other, error);
        if (status != IL_OK)
            break;
        tie(s, v->a, v->b, v->posterior, v->origin);
        status = add_event(s, IL_EVENT_LINK, v->a, v->b, v->posterior, v->origin, error);
    }
    return status;
}

static void hear_nothing(void *context, const struct il_live_change *change)
{
    (void)context;
    (void)change;
}

enum il_status il_stream_settle(struct il_stream *s, int all, int confirm,
                                struct il_error *error)
{
    enum il_status status = IL_OK;
    s->verdict_count = 0;
    s->starved = 0;
    if (!s->live) {
        hear_seeds(s, all);
    } else if (all) {
        status = il_live_settle(s->live, 1, hear_nothing, NULL);
        if (status == IL_OK)
            il_live_links(s->live, hear, s);
    } else {
        status = il_live_settle(s->live, 0, hear, s);
    }
    if (status != IL_OK || s->starved)
        return il_stream_no_memory(s, error);
    return apply(s, all, confirm, error);
}

enum il_status il_stream_fold(struct il_stream *s, const struct il_event *event)
{
    uint32_t a = NAME_NONE, b = NAME_NONE;
    enum il_status status =
        il_names_intern(&s->side[0].names, event->a_id, event->a_bytes, &a);
    if (status == IL_OK)
        status = il_names_intern(&s->side[1].names, event->b_id, event->b_bytes, &b);
    if (status != IL_OK)
        return status;
    struct il_name *name = &s->side[0].names.names[a];
    if (event->kind == IL_EVENT_RETRACT) {
        if (name->partner == b)
            untie(s, a);
        return IL_OK;
    }
    if (name->partner == b) {
        name->posterior = event->posterior;
        name->origin = (uint8_t)event->origin;
        return IL_OK;
    }
    if (name->partner != NAME_NONE)
        untie(s, a);
    if (s->side[1].names.names[b].partner != NAME_NONE)
        untie(s, s->side[1].names.names[b].partner);
    tie(s, a, b, event->posterior, (int)event->origin);
    return IL_OK;
}
