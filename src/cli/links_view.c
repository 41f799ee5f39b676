/* SPDX-License-Identifier: Apache-2.0 */
#include "links_view.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "event_line.h"

/* Slot of a link, or the empty one where it belongs. */
static size_t find_slot(const struct il_links_view *view, uint64_t link_id)
{
    size_t at = (size_t)(link_id * 0x9e3779b97f4a7c15u >> 20) & (view->slots - 1);

    while (view->slot[at] != 0 &&
           view->link[view->slot[at] - 1].event.link_id != link_id) {
        at = (at + 1) & (view->slots - 1);
    }
    return at;
}

/* Room for one more link. */
static enum il_status grow(struct il_links_view *view)
{
    if (view->count == view->room) {
        size_t room = view->room > 0 ? 2 * view->room : 1024;
        struct il_standing *link = realloc(view->link, room * sizeof *link);

        if (link == NULL) {
            return IL_ENOMEM;
        }
        view->link = link;
        view->room = room;
    }
    if (2 * (view->count + 1) > view->slots) {
        size_t slots = view->slots > 0 ? 2 * view->slots : 4096;
        size_t *slot = calloc(slots, sizeof *slot);

        if (slot == NULL) {
            return IL_ENOMEM;
        }
        free(view->slot);
        view->slot = slot;
        view->slots = slots;
        for (size_t i = 0; i < view->count; i++) {
            slot[find_slot(view, view->link[i].event.link_id)] = i + 1;
        }
    }
    return IL_OK;
}

static void count_out(struct il_links_view *view, const struct il_event *event, int sign)
{
    bool seed = event->origin == IL_ORIGIN_SEED;

    view->standing += (uint64_t)(int64_t)sign;
    view->seeds += seed ? (uint64_t)(int64_t)sign : 0;
    view->posterior_sum += seed ? 0.0 : sign * event->posterior;
}

enum il_status il_links_view_play(struct il_links_view *view,
                                  const struct il_event *event)
{
    struct il_standing *link;
    size_t slot;

    if (grow(view) != IL_OK) {
        return IL_ENOMEM;
    }
    slot = find_slot(view, event->link_id);
    view->seq = event->seq;
    view->time_ns = event->time_ns;
    view->round = event->round;
    if (view->slot[slot] == 0) {
        memset(&view->link[view->count], 0, sizeof *view->link);
        view->link[view->count].event.link_id = event->link_id;
        view->slot[slot] = ++view->count;
    }
    link = &view->link[view->slot[slot] - 1];
    if (link->ids != NULL) {
        count_out(view, &link->event, -1);
    }
    free(link->ids);
    link->ids = NULL;
    if (event->kind == IL_EVENT_RETRACT) {
        return IL_OK;
    }
    link->ids = malloc(event->a_bytes + event->b_bytes + 1);
    if (link->ids == NULL) {
        return IL_ENOMEM;
    }
    memcpy(link->ids, event->a_id, event->a_bytes);
    memcpy(link->ids + event->a_bytes, event->b_id, event->b_bytes);
    link->event = *event;
    link->event.a_id = link->ids;
    link->event.b_id = link->ids + event->a_bytes;
    count_out(view, event, 1);
    return IL_OK;
}

int il_links_view_load(struct il_links_view *view, const char *command, const char *state,
                       uint64_t until)
{
    struct il_events *events = NULL;
    struct il_event event;
    struct il_error error = {""};
    int found = 1;
    enum il_status status = il_events_open(&events, state, 0, &error);

    while (status == IL_OK && found) {
        status = il_events_next(events, &event, &found, &error);
        if (status != IL_OK || !found || event.seq > until) {
            break;
        }
        status = il_links_view_play(view, &event);
    }
    il_events_close(&events);
    return status == IL_OK ? IL_EXIT_DONE : il_say_status(command, status, &error);
}

void il_links_view_free(struct il_links_view *view)
{
    for (size_t i = 0; i < view->count; i++) {
        free(view->link[i].ids);
    }
    free(view->link);
    free(view->slot);
    memset(view, 0, sizeof *view);
}

static int compare_ids(const void *x, size_t x_bytes, const void *y, size_t y_bytes)
{
    int order = memcmp(x, y, x_bytes < y_bytes ? x_bytes : y_bytes);

    return order != 0 ? order : x_bytes < y_bytes ? -1 : x_bytes > y_bytes;
}

/* Those that stand first, best first. */
static int best_first(const void *x, const void *y)
{
    const struct il_standing *p = x;
    const struct il_standing *q = y;
    int order;

    if (p->ids == NULL || q->ids == NULL) {
        return (p->ids == NULL) - (q->ids == NULL);
    }
    if (p->event.posterior != q->event.posterior) {
        return p->event.posterior > q->event.posterior ? -1 : 1;
    }
    order = compare_ids(p->event.a_id, p->event.a_bytes, q->event.a_id, q->event.a_bytes);
    return order != 0 ? order
                      : compare_ids(p->event.b_id, p->event.b_bytes, q->event.b_id,
                                    q->event.b_bytes);
}

static int by_seq(const void *x, const void *y)
{
    const struct il_standing *p = x;
    const struct il_standing *q = y;

    if (p->ids == NULL || q->ids == NULL) {
        return (p->ids == NULL) - (q->ids == NULL);
    }
    return p->event.seq < q->event.seq ? -1 : p->event.seq > q->event.seq;
}

static size_t csv_line(char *out, const struct il_event *event)
{
    char *to = il_csv_put(out, event->a_id, event->a_bytes);

    *to++ = ',';
    to = il_csv_put(to, event->b_id, event->b_bytes);
    to += snprintf(to, 128, ",%s,%016" PRIx64 ",%s\n", il_fixed(event->posterior).text,
                   event->link_id, event->origin == IL_ORIGIN_SEED ? "seed" : "link");
    return (size_t)(to - out);
}

int il_links_view_write(struct il_links_view *view, const char *command, const char *path,
                        bool jsonl)
{
    static char line[IL_EVENT_LINE_MAX];
    struct il_error error = {""};
    enum il_status status;
    char *text = NULL;
    size_t bytes = 0;
    FILE *stream = open_memstream(&text, &bytes);

    if (stream == NULL) {
        return il_say_memory(command);
    }
    if (view->count > 0) {
        qsort(view->link, view->count, sizeof *view->link, jsonl ? by_seq : best_first);
    }
    /* The numbers of links have changed: the table would lead astray. */
    view->slots = 0;
    if (!jsonl) {
        fputs("a_id,b_id,posterior,link_id,origin\n", stream);
    }
    for (size_t i = 0; i < view->count && view->link[i].ids != NULL; i++) {
        const struct il_event *event = &view->link[i].event;

        fwrite(line, 1, jsonl ? il_event_line(line, event) : csv_line(line, event),
               stream);
    }
    if (fclose(stream) != 0) {
        free(text);
        return il_say_memory(command);
    }
    status = il_text_write(path, text, bytes, &error);
    free(text);
    return status == IL_OK ? IL_EXIT_DONE : il_say_output(command, status, &error);
}
