/* SPDX-License-Identifier: Apache-2.0 */
/* A run of everything that a writer of a store does, and which states it may leave. */
#ifndef IL_STORE_WORK_H
#define IL_STORE_WORK_H

#include "tests/unit/test_store.h"

enum { WORK_IDS = 40, WORK_STATES = 16, WORK_LAST = 7 };

/* States of the run, by number: turn of each id, -1 when it is not there. Progress stands
   in memory that a child shares with its parent: after a crash the state is one from
   acked to begun. */
struct work {
    int turn[WORK_STATES][WORK_IDS];
    volatile int begun, acked;
    int now[WORK_IDS];
    void (*after)(void); /* called when acked grew; may be NULL */
    struct il_error error;
};

UNIT void work_reset(struct work *w)
{
    memset(w, 0, sizeof(*w));
    for (int i = 0; i < WORK_IDS; i++)
        w->now[i] = -1;
    memcpy(w->turn[0], w->now, sizeof(w->now));
}

/* The next state is what was done up to here. */
UNIT void work_begin(struct work *w)
{
    memcpy(w->turn[w->begun + 1], w->now, sizeof(w->now));
    w->begun++;
}

UNIT void work_ack(struct work *w)
{
    w->acked = w->begun;
    if (w->after)
        w->after();
}

UNIT enum il_status work_put(struct work *w, struct il_store *s, int from, int to,
                             int turn)
{
    enum il_status status = IL_OK;
    for (int i = from; status == IL_OK && i < to; i++) {
        status = il_store_put(s, store_id(i), strlen(store_id(i)), store_row(i, turn),
                              &w->error);
        w->now[i] = turn;
    }
    return status;
}

UNIT enum il_status work_remove(struct work *w, struct il_store *s, int i)
{
    w->now[i] = -1;
    return il_store_remove(s, store_id(i), strlen(store_id(i)), NULL, &w->error);
}

UNIT enum il_status work_commit(struct work *w, struct il_store *s)
{
    work_begin(w);
    enum il_status status = il_store_commit(s, &w->error);
    if (status == IL_OK)
        work_ack(w);
    return status;
}

UNIT enum il_status work_bulk(struct work *w, struct il_store *s, int from, int to,
                              int turn)
{
    enum il_status status = il_store_bulk_begin(s, &w->error);
    for (int i = from; status == IL_OK && i < to; i++) {
        status = il_store_bulk_put(s, store_id(i), strlen(store_id(i)),
                                   store_row(i, turn), &w->error);
        w->now[i] = turn;
    }
    work_begin(w);
    if (status == IL_OK)
        status = il_store_bulk_end(s, &w->error);
    if (status == IL_OK)
        work_ack(w);
    return status;
}

UNIT struct il_store_config work_config(void)
{
    static const float mean[STORE_DIM] = {0};
    static float basis[STORE_DIM * STORE_DIM];
    for (int q = 0; q < STORE_DIM; q++)
        basis[q * STORE_DIM + q] = 1;
    struct il_store_config c = store_config(1);
    c.segment_rows = 16;
    c.model = "m";
    c.stored_dim = STORE_DIM;
    c.mean = mean;
    c.basis = basis;
    return c;
}

/* The steps of the run from the first opening on. */
UNIT enum il_status work_steps(struct work *w, struct il_store *s)
{
    enum il_status status = work_put(w, s, 0, 10, 0);
    if (status == IL_OK)
        status = work_commit(w, s);
    if (status == IL_OK)
        status = work_put(w, s, 5, 13, 1);
    if (status == IL_OK)
        status = work_remove(w, s, 0);
    if (status == IL_OK)
        status = work_commit(w, s);
    if (status == IL_OK)
        status = il_store_seal(s, &w->error);
    if (status == IL_OK)
        status = work_put(w, s, 3, 9, 2);
    if (status == IL_OK)
        status = work_remove(w, s, 11);
    if (status == IL_OK)
        status = work_commit(w, s);
    if (status == IL_OK)
        status = work_bulk(w, s, 2, 21, 3);
    if (status == IL_OK)
        status = work_put(w, s, 1, 5, 4);
    if (status == IL_OK)
        status = work_commit(w, s);
    if (status == IL_OK)
        status = il_store_compact(s, &w->error);
    if (status == IL_OK)
        status = work_put(w, s, 4, 7, 5);
    if (status == IL_OK)
        status = work_commit(w, s);
    return status;
}

/* The whole run. Whatever fails ends it; the store is closed. */
UNIT enum il_status work_run(struct work *w, const char *path)
{
    struct il_store_config c = work_config();
    struct il_store *s = NULL;
    enum il_status status = il_store_open(&s, path, &c, &w->error);
    if (status == IL_OK)
        status = work_steps(w, s);
    il_store_close(&s);
    if (status == IL_OK)
        status = il_store_open(&s, path, &c, &w->error);
    if (status == IL_OK)
        status = work_put(w, s, 30, 32, 6);
    if (status == IL_OK)
        status = work_commit(w, s);
    il_store_close(&s);
    return status;
}

UNIT int work_state_is(struct il_store *s, const int *turn)
{
    for (int i = 0; i < WORK_IDS; i++)
        if (store_turn(s, i) != turn[i])
            return 0;
    return 1;
}

/* For il_store_verify: keeps the first text in a struct il_error. */
UNIT void work_fault(void *context, const struct il_store_fault *fault)
{
    struct il_error *error = context;
    if (!error->text[0])
        snprintf(error->text, sizeof(error->text), "%s", fault->text);
}

/* Opens as writer and says which state it is; -1: one that may not be, -2: it does not
   open, -3: not even a store, which may be as long as the creation did not return. */
UNIT int work_state(const struct work *w, const char *path, struct il_error *error)
{
    struct il_store_config c = work_config();
    struct il_store *s = NULL;
    int found = -1;
    c.create = w->acked == 0; /* the creation may have been cut short */
    enum il_status status = il_store_open(&s, path, &c, error);
    if (status != IL_OK)
        return -2;
    for (int i = w->begun; i >= w->acked && found < 0; i--)
        if (work_state_is(s, w->turn[i]))
            found = i;
    il_store_close(&s);
    return found;
}

/* Names in a directory, sorted, those of the store's fixed files left out. */
UNIT int work_files(const char *path)
{
    DIR *dir = opendir(path);
    int files = 0;
    assert_non_null(dir);
    for (struct dirent *e = readdir(dir); e; e = readdir(dir))
        files += e->d_name[0] != '.';
    closedir(dir);
    return files;
}

#endif
