/* SPDX-License-Identifier: Apache-2.0 */
/* A bootstrap beside the stream: what it is given, what it leaves. */
#ifndef IL_STREAM_BOOT_H
#define IL_STREAM_BOOT_H

#include "src/stream/stream_inner.h"

/* The committed rows of a side, sorted by id: so that what comes of them depends on the
   rows alone. */
struct il_boot_side {
    const char *path; /* of the store; the stream's */
    size_t dim, rows;
    float *data;
    uint64_t *keys;
    uint32_t *slots; /* row + 1 by key; 0: free */
    size_t slot_count;
    uint32_t *handles; /* in the new live linker */
};

/* A link that stands, to start from. */
struct il_boot_link {
    struct il_pair keys;
    double posterior;
};

struct il_boot {
    pthread_t thread;
    atomic_int done;
    il_atomic_int cancel;
    /* Given; the pointers are the stream's and do not change while it runs. */
    const struct il_stream *stream;
    const struct il_pair *seeds; /* by keys */
    size_t seed_count;
    struct il_boot_link *warm;
    size_t warm_count;
    double agreement; /* of the trials that they go back to */
    uint32_t round;   /* that it would be */
    int cold;         /* from the seeds */
    uint64_t since;   /* of the stream, when it began */
    double began;
    /* Left. */
    enum il_status status;
    struct il_error error;
    struct il_boot_side side[2];
    struct il_model *model;
    struct il_live *live;
    double precision, seconds;
};

/* boot_rows.c: reads a side; IL_ECANCEL when the flag is seen. */
IL_MUST_CHECK enum il_status il_boot_load(struct il_boot *boot, int side);
/* Row of a key, or NAME_NONE. */
uint32_t il_boot_find(const struct il_boot_side *side, uint64_t key);
/* All but the keys and handles. */
void il_boot_drop_rows(struct il_boot_side *side);

#endif
