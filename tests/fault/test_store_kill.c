/* SPDX-License-Identifier: Apache-2.0 */
/* Writers that are killed at any moment, again and again on the same store: what a commit
   returned for is there, and nothing that was not begun. FULL=1: 1,000 kills. */
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include <pthread.h>
#include <stdatomic.h>
#include <time.h>

#include "tests/unit/test_store.h"

enum { THREADS = 3, KILLS = 40, KILLS_FULL = 1000, SPREAD = 1000000, RECHECK = 50 };

/* Rows of each thread, in memory that the child shares: below acked they are committed,
   from begun on nothing was done. */
struct progress {
    atomic_int begun[THREADS], acked[THREADS];
};

struct writer {
    struct progress *progress;
    struct il_store *store;
    int thread;
};

static int number_of(int thread, int row)
{
    return thread * SPREAD + row;
}

/* Rows, one a commit; now and then the first thread seals, or compacts. */
static void *write_for_ever(void *argument)
{
    struct writer *w = argument;
    struct il_error error = {{0}};
    for (int row = atomic_load(&w->progress->begun[w->thread]);; row++) {
        atomic_store(&w->progress->begun[w->thread], row + 1);
        const char *id = store_id(number_of(w->thread, row));
        enum il_status status =
            il_store_put(w->store, id, strlen(id), store_row(row, row % 97), &error);
        if (status == IL_OK)
            status = il_store_commit(w->store, &error);
        if (status != IL_OK)
            _exit(1);
        atomic_store(&w->progress->acked[w->thread], row + 1);
        if (w->thread == 0 && row % 64 == 63)
            status = row % 1024 == 1023 ? il_store_compact(w->store, &error)
                                        : il_store_seal(w->store, &error);
        if (status != IL_OK)
            _exit(1);
    }
    return NULL;
}

static struct il_store_config config_of(void)
{
    struct il_store_config c = store_config(1);
    c.log_bytes_max = 64 << 10;
    return c;
}

static void child(const char *path, struct progress *progress)
{
    struct il_store_config c = config_of();
    struct il_store *s = NULL;
    struct il_error error = {{0}};
    struct writer w[THREADS];
    pthread_t thread[THREADS];
    if (il_store_open(&s, path, &c, &error) != IL_OK)
        _exit(1);
    for (int t = 0; t < THREADS; t++) {
        w[t] = (struct writer){progress, s, t};
        if (pthread_create(&thread[t], NULL, write_for_ever, &w[t]) != 0)
            _exit(1);
    }
    for (int t = 0; t < THREADS; t++)
        pthread_join(thread[t], NULL);
    _exit(1); /* they never end */
}

/* What the store has of a row: its values, or nothing. */
static int has(struct il_store *s, int thread, int row)
{
    float found[STORE_DIM];
    struct il_error error = {{0}};
    int there = 0;
    const char *id = store_id(number_of(thread, row));
    enum il_status status = il_store_get(s, id, strlen(id), found, &there, &error);
    if (status != IL_OK && status != IL_EARG)
        fail_msg("get %s: %s", id, error.text);
    if (there)
        assert_memory_equal(found, store_row(row, row % 97), sizeof(found));
    return there;
}

/* Checks all rows since the last kill and some before, and goes on from what there is. */
static void check(const char *path, struct progress *progress, const int *from)
{
    struct il_store_config c = config_of();
    struct il_store *s = store_open(path, &c);
    for (int t = 0; t < THREADS; t++) {
        const int acked = atomic_load(&progress->acked[t]);
        const int begun = atomic_load(&progress->begun[t]);
        int row = from[t] > RECHECK ? from[t] - RECHECK : 0;
        while (row < acked)
            if (!has(s, t, row++))
                fail_msg("thread %d: row %d of %d was committed", t, row - 1, acked);
        while (row < begun && has(s, t, row))
            row++;
        assert_true(begun - acked <= 1);
        assert_false(has(s, t, begun));
        atomic_store(&progress->begun[t], row);
        atomic_store(&progress->acked[t], row);
    }
    il_store_close(&s);
}

static void killed_again_and_again(void **state)
{
    (void)state;
    const char *path = unit_path("killed"), *full = getenv("FULL");
    const int kills = full && *full ? KILLS_FULL : KILLS;
    struct progress *progress = mmap(NULL, sizeof(*progress), PROT_READ | PROT_WRITE,
                                     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_true(progress != MAP_FAILED);
    struct il_rng rng = il_rng_make(1, 2, 3, IL_FOR_SAMPLE);
    struct il_store_config c = config_of();
    struct il_store *s = store_open(path, &c);
    il_store_close(&s);
    for (int k = 0; k < kills; k++) {
        int from[THREADS], status = 0;
        for (int t = 0; t < THREADS; t++)
            from[t] = atomic_load(&progress->acked[t]);
        pid_t pid = fork();
        assert_true(pid >= 0);
        if (pid == 0)
            child(path, progress);
        const struct timespec pause = {.tv_nsec = il_rng_below(&rng, 20000000)};
        nanosleep(&pause, NULL);
        assert_int_equal(kill(pid, SIGKILL), 0);
        assert_int_equal(waitpid(pid, &status, 0), pid);
        /* The kill landed: the child would never have ended by itself but for a failure.
         */
        assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
        check(path, progress, from);
    }
    struct il_error error = {{0}};
    assert_int_equal(il_store_verify(path, NULL, NULL, &error), IL_OK);
    s = store_open(path, &c);
    size_t rows = 0;
    for (int t = 0; t < THREADS; t++)
        rows += (size_t)atomic_load(&progress->acked[t]);
    assert_int_equal(store_count(s), rows);
    il_store_close(&s);
    print_message("# %d kills, %zu rows\n", kills, rows);
    assert_true(rows > (size_t)kills);
    munmap(progress, sizeof(*progress));
}

/* In memory, where there is a place for it: a kill loses nothing that was written. */
static int setup(void **state)
{
    if (access("/dev/shm", W_OK) == 0)
        setenv("TMPDIR", "/dev/shm", 1);
    return unit_setup(state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(killed_again_and_again)};
    return cmocka_run_group_tests_name("store_kill", tests, setup, unit_teardown);
}
