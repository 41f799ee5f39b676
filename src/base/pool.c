/* SPDX-License-Identifier: Apache-2.0 */
/* A fixed set of threads that share numbered tasks through one atomic counter.
 *
 * A run is "open" from its publication until the caller finds no task left. A worker that
 * wakes in that time joins (under the mutex) and leaves when the counter has passed the
 * end; the caller closes the run and waits for those that joined. A worker that wakes
 * late finds the run closed and sleeps again, so a short run never waits for a slow
 * wake-up. Nobody spins. */
#include "src/base/base.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <unistd.h>

#define THREADS_MAX 256u

struct worker {
    struct il_pool *pool;
    pthread_t handle;
    unsigned index; /* 1 .. threads - 1; the caller is 0 */
};

struct il_pool {
    pthread_mutex_t mutex;
    pthread_cond_t start; /* a run was opened, or the pool ends */
    pthread_cond_t done;  /* the last worker of a run has left */
    unsigned threads;
    /* Guarded by the mutex. */
    uint64_t run;
    unsigned inside; /* workers in the current run */
    int open;
    int ending;
    il_task_fn *fn;
    void *context;
    size_t tasks;
    atomic_size_t next;
    struct worker worker[THREADS_MAX];
};

static void work(struct il_pool *pool, il_task_fn *fn, void *context, size_t tasks,
                 unsigned thread)
{
    for (;;) {
        size_t task = atomic_fetch_add_explicit(&pool->next, 1, memory_order_relaxed);
        if (task >= tasks)
            return;
        fn(context, task, thread);
        il_large_look();
    }
}

static void *worker_main(void *argument)
{
    struct worker *self = argument;
    struct il_pool *pool = self->pool;
    uint64_t seen = 0;
    pthread_mutex_lock(&pool->mutex);
    for (;;) {
        while (!pool->ending && !(pool->open && pool->run != seen))
            pthread_cond_wait(&pool->start, &pool->mutex);
        if (pool->ending)
            break;
        seen = pool->run;
        pool->inside++;
        il_task_fn *fn = pool->fn;
        void *context = pool->context;
        size_t tasks = pool->tasks;
        pthread_mutex_unlock(&pool->mutex);
        work(pool, fn, context, tasks, self->index);
        pthread_mutex_lock(&pool->mutex);
        if (--pool->inside == 0)
            pthread_cond_signal(&pool->done);
    }
    pthread_mutex_unlock(&pool->mutex);
    return NULL;
}

unsigned il_cores(void)
{
    cpu_set_t set;
    CPU_ZERO(&set);
    if (sched_getaffinity(0, sizeof(set), &set) == 0 && CPU_COUNT(&set) > 0)
        return (unsigned)CPU_COUNT(&set);
    /* More cores than cpu_set_t holds. */
    long online = sysconf(_SC_NPROCESSORS_ONLN);
    return online > 0 ? (unsigned)online : 1;
}

enum il_status il_pool_open(struct il_pool **out, unsigned threads)
{
    *out = NULL;
    if (threads > THREADS_MAX)
        return IL_EARG;
    if (threads == 0) {
        threads = il_cores();
        if (threads > THREADS_MAX)
            threads = THREADS_MAX;
    }
    struct il_pool *pool = il_alloc_zero(1, sizeof(*pool));
    if (!pool)
        return IL_ENOMEM;
    if (pthread_mutex_init(&pool->mutex, NULL) != 0)
        goto no_mutex;
    if (pthread_cond_init(&pool->start, NULL) != 0)
        goto no_start;
    if (pthread_cond_init(&pool->done, NULL) != 0)
        goto no_done;
    atomic_init(&pool->next, 0);
    pool->threads = 1;
    while (pool->threads < threads) {
        struct worker *worker = &pool->worker[pool->threads];
        *worker = (struct worker){.pool = pool, .index = pool->threads};
        /* Under a limit of processes fewer threads do the same work. */
        if (pthread_create(&worker->handle, NULL, worker_main, worker) != 0)
            break;
        pool->threads++;
    }
    *out = pool;
    return IL_OK;
no_done:
    pthread_cond_destroy(&pool->start);
no_start:
    pthread_mutex_destroy(&pool->mutex);
no_mutex:
    il_free(pool);
    return IL_ENOMEM;
}

unsigned il_pool_threads(const struct il_pool *pool)
{
    return pool->threads;
}

void il_pool_run(struct il_pool *pool, size_t tasks, il_task_fn *fn, void *context)
{
    IL_ASSERT(fn != NULL);
    if (pool->threads == 1 || tasks <= 1) {
        for (size_t task = 0; task < tasks; task++) {
            fn(context, task, 0);
            il_large_look();
        }
        return;
    }
    pthread_mutex_lock(&pool->mutex);
    IL_ASSERT(!pool->open && pool->inside == 0);
    pool->fn = fn;
    pool->context = context;
    pool->tasks = tasks;
    atomic_store_explicit(&pool->next, 0, memory_order_relaxed);
    pool->run++;
    pool->open = 1;
    pthread_cond_broadcast(&pool->start);
    pthread_mutex_unlock(&pool->mutex);

    work(pool, fn, context, tasks, 0);

    pthread_mutex_lock(&pool->mutex);
    pool->open = 0;
    while (pool->inside != 0)
        pthread_cond_wait(&pool->done, &pool->mutex);
    pthread_mutex_unlock(&pool->mutex);
}

void il_pool_close(struct il_pool **pool)
{
    struct il_pool *p = *pool;
    if (!p)
        return;
    *pool = NULL;
    pthread_mutex_lock(&p->mutex);
    p->ending = 1;
    pthread_cond_broadcast(&p->start);
    pthread_mutex_unlock(&p->mutex);
    for (unsigned i = 1; i < p->threads; i++)
        pthread_join(p->worker[i].handle, NULL);
    pthread_cond_destroy(&p->done);
    pthread_cond_destroy(&p->start);
    pthread_mutex_destroy(&p->mutex);
    il_free(p);
}
