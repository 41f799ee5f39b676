/* SPDX-License-Identifier: Apache-2.0 */
/* Lloyd's k-means on the matcher; every sum has one order, whatever the threads. */
#include "src/link/kmeans.h"

#include <string.h>

/* Coordinates that a task sums. */
#define WIDTH 16

struct moving {
    const struct il_kmeans *k;
    atomic_int status;
};

enum il_status il_kmeans_nearest(struct il_frame *frame, const struct il_kmeans *k,
                                 const struct il_signature *points, size_t count,
                                 struct il_top3 *near)
{
    const struct il_signature centre = {
        .part = {{k->centre, k->d, NULL, k->d, 0}}, .parts = 1, .radius = k->half};
    return il_nearest(frame, points, count, &centre, NULL, k->centres, near);
}

/* A few coordinates of all centres a task: means of the members, summed in f64 in the
   order of the points. A centre that lost all members stays. */
static void centre_task(void *context, size_t task, unsigned thread)
{
    (void)thread;
    struct moving *m = context;
    const struct il_kmeans *k = m->k;
    size_t from = task * WIDTH, width = k->d - from < WIDTH ? k->d - from : WIDTH;
    double *sum = il_alloc_zero(k->centres * (WIDTH + 1), sizeof *sum);
    if (!sum) {
        atomic_store(&m->status, IL_ENOMEM);
        return;
    }
    for (size_t i = 0; i < k->count; i++) {
        uint32_t c = k->near[i].index[0];
        if (i % IL_LOOK_ROWS == 0) {
            il_large_look();
        }
        if (c == IL_INDEX_NONE) { /* a point that is not finite has no nearest centre */
            continue;
        }
        double *to = sum + c * (WIDTH + 1);
        for (size_t q = 0; q < width; q++) {
            to[q] += k->point[i * k->d + from + q];
        }
        to[WIDTH] += 1;
    }
    for (size_t c = 0; c < k->centres; c++) {
        const double *mean = sum + c * (WIDTH + 1);
        for (size_t q = 0; q < width && mean[WIDTH] > 0; q++) {
            k->centre[c * k->d + from + q] = (float)(mean[q] / mean[WIDTH]);
        }
    }
    il_free(sum);
}

enum il_status il_kmeans_run(struct il_frame *frame, const struct il_kmeans *k,
                             unsigned turns, struct il_rng *rng)
{
    const struct il_signature points = {.part = {{k->point, k->d, NULL, k->d, 0}},
                                        .parts = 1};
    struct moving moving = {.k = k};
    if (k->count < k->centres) {
        return IL_EARG;
    }
    uint32_t *pick = il_alloc(k->centres, sizeof *pick);
    enum il_status status = pick ? IL_OK : IL_ENOMEM;
    if (!status) {
        il_rng_sample(rng, (uint32_t)k->count, (uint32_t)k->centres, pick);
    }
    for (size_t c = 0; c < k->centres && !status && !k->started; c++) {
        memcpy(k->centre + c * k->d, k->point + pick[c] * k->d, k->d * sizeof(float));
    }
    for (unsigned t = 0; t <= turns && !status; t++) {
        if (t > 0) {
            il_pool_run(frame->pool, (k->d + WIDTH - 1) / WIDTH, centre_task, &moving);
            status = (enum il_status)atomic_load(&moving.status);
        }
        for (size_t c = 0; c < k->centres; c++) {
            const float *x = k->centre + c * k->d;
            k->half[c] = 0.5f * frame->simd->dot_f32(x, x, k->d);
        }
        if (t < turns && !status) {
            status = il_kmeans_nearest(frame, k, &points, k->count, k->near);
        }
    }
    il_free(pick);
    return status;
}
