/* SPDX-License-Identifier: Apache-2.0 */
/* Streams of small rows, what their events say, and what their log says. */
#ifndef IL_STREAM_WORK_H
#define IL_STREAM_WORK_H

#include <isolink/stream.h>

#include "tests/unit/fake_live.h"

enum { SW_DIM = 2, SW_SEEDS = 4, SW_LINKS = 256 };

/* Links by events, and that events are sound: seq without gaps, nothing linked twice. */
struct sw_fold {
    uint64_t seq;
    uint32_t round;
    size_t count, told;
    struct sw_link {
        char a[24], b[24];
        double posterior;
        enum il_origin origin;
    } link[SW_LINKS];
};

UNIT size_t sw_find(const struct sw_fold *f, const char *a, const char *b)
{
    for (size_t i = 0; i < f->count; i++)
        if ((!a || strcmp(f->link[i].a, a) == 0) && (!b || strcmp(f->link[i].b, b) == 0))
            return i;
    return SW_LINKS;
}

UNIT void sw_event(void *context, const struct il_event *e)
{
    struct sw_fold *f = context;
    char a[24], b[24];
    snprintf(a, sizeof(a), "%.*s", (int)e->a_bytes, (const char *)e->a_id);
    snprintf(b, sizeof(b), "%.*s", (int)e->b_bytes, (const char *)e->b_id);
    if (e->seq != f->seq + 1)
        fail_msg("event %d after %d", (int)e->seq, (int)f->seq);
    f->seq = e->seq;
    f->told++;
    assert_true(e->round >= f->round);
    f->round = e->round;
    size_t at = sw_find(f, a, b);
    if (e->kind == IL_EVENT_LINK) {
        if (sw_find(f, a, NULL) < SW_LINKS || sw_find(f, NULL, b) < SW_LINKS)
            fail_msg("event %d links %s %s, which are linked", (int)e->seq, a, b);
        at = f->count++;
        assert_true(f->count < SW_LINKS);
        memcpy(f->link[at].a, a, sizeof(a));
        memcpy(f->link[at].b, b, sizeof(b));
    } else if (at == SW_LINKS) {
        fail_msg("event %d is about %s %s, which are not linked", (int)e->seq, a, b);
    }
    f->link[at].posterior = e->posterior;
    f->link[at].origin = e->origin;
    if (e->kind == IL_EVENT_RETRACT)
        f->link[at] = f->link[--f->count];
}

/* The fold of the log of a state. */
UNIT void sw_read(const char *path, struct sw_fold *f)
{
    struct il_events *events = NULL;
    struct il_event e;
    struct il_error error = {{0}};
    int found = 1;
    memset(f, 0, sizeof(*f));
    if (il_events_open(&events, path, 0, &error) != IL_OK)
        fail_msg("%s", error.text);
    while (found) {
        if (il_events_next(events, &e, &found, &error) != IL_OK)
            fail_msg("%s", error.text);
        if (found)
            sw_event(f, &e);
    }
    il_events_close(&events);
}

UNIT int sw_same(const struct sw_fold *x, const struct sw_fold *y)
{
    for (size_t i = 0; i < x->count; i++)
        if (sw_find(y, x->link[i].a, x->link[i].b) == SW_LINKS)
            return 0;
    return x->count == y->count;
}

/* Config of a state whose seeds are a0 b0, a1 b1, ... */
UNIT struct il_stream_config sw_config(struct sw_fold *f)
{
    static char text[SW_SEEDS][2][8];
    static struct il_stream_seed seeds[SW_SEEDS];
    struct il_stream_config c;
    il_stream_config_init(&c);
    for (int i = 0; i < SW_SEEDS; i++) {
        snprintf(text[i][0], 8, "a%d", i);
        snprintf(text[i][1], 8, "b%d", i);
        seeds[i] = (struct il_stream_seed){text[i][0], text[i][1], 2, 2};
    }
    c.dim[0] = c.dim[1] = SW_DIM;
    c.seeds = seeds;
    c.seed_count = SW_SEEDS;
    c.seed = 5;
    c.threads = 1;
    c.bootstrap_rows = 1000000;
    c.bootstrap_after = 0;
    c.event = f ? sw_event : NULL;
    c.event_context = f;
    return c;
}

UNIT struct il_stream *sw_open(const char *path, const struct il_stream_config *c)
{
    struct il_stream *s = NULL;
    struct il_error error = {{0}};
    if (il_stream_open(&s, path, c, &error) != IL_OK)
        fail_msg("open: %s", error.text);
    return s;
}

/* Row `number` of a side, of a group. */
UNIT enum il_status sw_push(struct il_stream *s, int side, int number, float group,
                            struct il_error *error)
{
    char id[24];
    const float row[SW_DIM] = {group, (float)number};
    int taken = 0;
    snprintf(id, sizeof(id), "%c%d", 'a' + side, number);
    enum il_status status = il_stream_push(s, side, id, strlen(id), row, &taken, error);
    if (status == IL_OK)
        assert_int_equal(taken, 1);
    return status;
}

UNIT enum il_status sw_remove(struct il_stream *s, int side, int number,
                              struct il_error *error)
{
    char id[24];
    snprintf(id, sizeof(id), "%c%d", 'a' + side, number);
    return il_stream_remove(s, side, id, strlen(id), NULL, error);
}

#define SW_OK(e)                                                                         \
    do {                                                                                 \
        error.text[0] = 0;                                                               \
        if ((e) != IL_OK)                                                                \
            fail_msg("%s:%d: %s", __FILE__, __LINE__, error.text);                       \
    } while (0)

#endif
