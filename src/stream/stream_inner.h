/* SPDX-License-Identifier: Apache-2.0 */
/* What the files stream*.c share; README.md in this folder tells the rules. */
#ifndef IL_STREAM_INNER_H
#define IL_STREAM_INNER_H

#include <isolink/stream.h>

#include <pthread.h>
#include <stdatomic.h>

#include "formats/segment.h"
#include "src/io/dir.h"
#include "src/link/live.h"
#include "src/stream/event_log.h"

#define STREAM_LOCK "LOCK"
#define STREAM_MODEL_NEW "model.tmp"
/* "model-00000012.ilm" */
#define STREAM_MODEL_NAME 24
#define STREAM_SEEDS_MIN 3
#define NAME_NONE UINT32_MAX

/* Writes the name of the model of a round. */
void il_stream_model_name(uint32_t round, char *out);

/* An id that somebody knows: a row, a seed, a link. */
struct il_name {
    uint64_t key; /* XXH3-64 of the id */
    uint64_t text_at;
    double posterior; /* of A: of its link, as the log has it */
    uint32_t handle; /* in the live linker, or of a pending row its number in the batch */
    uint32_t partner; /* the name on the other side that it is linked with; NAME_NONE */
    uint32_t next;    /* of a free one: the next that is free */
    uint16_t id_bytes;
    uint8_t flags;
    uint8_t origin; /* of A: of its link */
};
enum {
    NAME_ROW = 1,     /* the store has a row of it */
    NAME_SEED = 2,    /* a known pair names it */
    NAME_ENDING = 4,  /* its link ends, unless it is told to stand */
    NAME_CHANGED = 8, /* since the running bootstrap began */
    NAME_PENDING = 16 /* its row waits in the batch */
};

/* The ids of a side, by number and by key. */
struct il_names {
    struct il_name *names;
    size_t count, room;
    size_t free_count;
    uint32_t free_first; /* NAME_NONE: none */
    unsigned char *text;
    size_t text_used, text_room;
    uint32_t *slots; /* name + 1; 0: free */
    size_t slot_count;
    uint32_t *by_handle; /* names of rows in the live linker */
    size_t handle_room;
    size_t dropped; /* rows removed since the last sweep */
};
/* The name with this key, or NAME_NONE. */
uint32_t il_names_find_key(const struct il_names *n, uint64_t key);
/* The name of an id, or NAME_NONE. *clash (may be NULL): 1 when another id has its key.
 */
uint32_t il_names_find(const struct il_names *n, const void *id, size_t id_bytes,
                       int *clash);
/* The same; a new one where there is none. IL_ENOMEM; IL_ELIMIT: another id has its key,
 * or there are too many. */
IL_MUST_CHECK enum il_status il_names_intern(struct il_names *n, const void *id,
                                             size_t id_bytes, uint32_t *out);
static inline const unsigned char *il_name_text(const struct il_names *n, uint32_t name)
{
    return n->text + n->names[name].text_at;
}
/* Notes which name a handle is of. IL_ENOMEM. */
IL_MUST_CHECK enum il_status il_names_handle(struct il_names *n, uint32_t name,
                                             uint32_t handle);
/* Forgets names that nobody needs, when they are many. Numbers of the others stay.
 * IL_ENOMEM: nothing is done, and all is as it was. */
IL_MUST_CHECK enum il_status il_names_sweep(struct il_names *n);
void il_names_free(struct il_names *n);

/* Rows on their way into the live linker. */
struct il_batch {
    uint32_t *names;
    uint64_t *keys;
    uint32_t *handles;
    float *rows;
    size_t count, room;
};

/* A growing list of numbers. */
struct il_list {
    uint32_t *items;
    size_t count, room;
};
IL_MUST_CHECK enum il_status il_list_add(struct il_list *list, uint32_t item);

struct il_stream_side {
    struct il_store *store;
    char *path; /* of the store */
    size_t dim;
    struct il_segment_image *image;
    float *row, *other; /* of dim: as it will be stored, and as it was */
    struct il_names names;
    struct il_batch batch;
    struct il_list journal; /* names that changed since the running bootstrap began */
    uint64_t rows, refused, arrivals, removed;
    int dirty; /* rows that are not committed */
};

struct il_note {
    char name[256];
    unsigned char data[4096];
    size_t bytes;
    int pending; /* to be written */
};

struct il_known { /* names of a seed */
    uint32_t a, b;
};

/* What the live linker, or the seeds, say of a pair. */
struct il_verdict {
    uint32_t a, b; /* names */
    double posterior;
    uint8_t linked, origin;
};

struct il_boot;

struct il_stream {
    struct il_stream_config config; /* without the texts and seeds */
    char *path;
    struct il_dir dir;
    int lock_fd;
    enum il_status failed; /* not IL_OK: only close may follow */
    struct il_error failure;
    struct il_stream_side side[2];
    struct il_event_log *log;
    struct il_model *model; /* NULL: no bootstrap yet */
    struct il_live *live;   /* NULL without a model */
    uint32_t round;
    struct il_known *seeds;
    struct il_pair *seed_keys;
    size_t seed_count, seed_room;
    struct il_note *notes;
    size_t note_count;
    int uncommitted_notes;
    struct il_verdict *verdicts;
    size_t verdict_count, verdict_room;
    int starved; /* a verdict could not be kept */
    uint64_t links, events[3];
    double synced_at;       /* when a commit synced last */
    struct il_pool *halves; /* of two threads, for commits that sync; NULL: none */

    struct il_boot *boot; /* NULL: none is running */
    uint64_t since, since_noted;
    uint64_t base; /* rows when the last bootstrap began; 0: none was tried */
    int refused;
    char why[400];
    double boot_ended, boot_seconds;
};

void il_stream_say(const struct il_stream *s, int level, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* Keeps the failure for all calls to come; returns status. */
enum il_status il_stream_fail(struct il_stream *s, enum il_status status,
                              struct il_error *error);
enum il_status il_stream_no_memory(const struct il_stream *s, struct il_error *error);

/* stream.c: the note of a name, from now on; pending 1: to be written. IL_ENOMEM. */
IL_MUST_CHECK enum il_status il_stream_keep_note(struct il_stream *s, const char *name,
                                                 const void *data, size_t bytes,
                                                 int pending);

/* stream_open.c: everything of a new handle; what fails is undone by il_stream_close. */
IL_MUST_CHECK enum il_status il_stream_recover(struct il_stream *s,
                                               const struct il_stream_config *c,
                                               struct il_error *error);

/* stream_links.c. All: IL_ENOMEM as a text, the stream failed then. */

/* A row of the batch's side waits, or waits no more. */
IL_MUST_CHECK enum il_status il_stream_batch_add(struct il_stream *s, int side,
                                                 uint32_t name, const float *row,
                                                 struct il_error *error);
void il_stream_batch_drop(struct il_stream *s, int side, uint32_t name);
/* Gives the batches to a live linker, the stream's or one to come. */
IL_MUST_CHECK enum il_status il_stream_batch_flush(struct il_stream *s, int side,
                                                   struct il_error *error);
/* Judges what changed and adds the events to the frame in the making. all 0: what is told
 * to begin and to end; 1: what is told are all links, others end. confirm 1: links whose
 * posterior changed by enough are confirmed; 2: by anything. */
IL_MUST_CHECK enum il_status il_stream_settle(struct il_stream *s, int all, int confirm,
                                              struct il_error *error);
/* An event that the log tells of: what stands is changed by it. */
IL_MUST_CHECK enum il_status il_stream_fold(struct il_stream *s,
                                            const struct il_event *event);
/* Seeds with both rows. */
size_t il_stream_seeds_here(const struct il_stream *s);

/* stream_boot.c */

/* Adds what the state must know of bootstraps to the frame in the making, when it has
 * changed. */
IL_MUST_CHECK enum il_status il_stream_note_changes(struct il_stream *s,
                                                    struct il_error *error);
/* Reads it back. */
void il_stream_noted_changes(struct il_stream *s, const void *data, size_t bytes);
/* A row came, went or changed. */
IL_MUST_CHECK enum il_status il_stream_changed(struct il_stream *s, int side,
                                               uint32_t name, struct il_error *error);
/* Changes since the last one began. */
uint64_t il_stream_since(const struct il_stream *s);
/* Takes over what has ended, starts what is due. */
IL_MUST_CHECK enum il_status il_stream_turn(struct il_stream *s, struct il_error *error);
/* Ends a running one; nothing comes of it. */
void il_stream_boot_stop(struct il_stream *s);
/* Writes the frame in the making and tells its events. */
IL_MUST_CHECK enum il_status il_stream_publish(struct il_stream *s, int sync,
                                               struct il_error *error);

#endif
