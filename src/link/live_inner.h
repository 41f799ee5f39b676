/* SPDX-License-Identifier: Apache-2.0 */
/* What the files live*.c share. */
#ifndef IL_LIVE_INNER_H
#define IL_LIVE_INNER_H

#include "src/link/accept.h"
#include "src/link/model.h"

/* Name in the near lists of a row that is in no sample. */
#define LIVE_NO_SAMPLE (UINT32_MAX - 1)
/* Rows that are matched at once: what they find for others waits so long. */
#define LIVE_CHUNK 128

/* Rows of one cluster, in any order. */
struct live_members {
    uint32_t *row;
    uint32_t count, room;
};

/* One side, by handle. */
struct live_side {
    size_t room, used; /* handles: with memory, given out so far */
    size_t rows;       /* there now */
    float *sig;        /* k */
    uint64_t *key;
    uint8_t *there;
    float *radius;
    struct il_top3 *near; /* in the model's sample of the other side */
    uint32_t *sampled;    /* place in the model's sample, or LIVE_NO_SAMPLE */
    struct il_top3 *best; /* by CSLS, among the rows met */
    uint32_t *joined;     /* slots clusters */
    uint8_t *looked;      /* around is known */
    uint32_t *around;     /* IL_AROUND_KEEP landmarks */
    float *around_value;
    uint32_t *seed;    /* seed that the row belongs to, or IL_LIVE_NONE */
    uint32_t *partner; /* of the link that stands, or IL_LIVE_NONE */
    double *posterior; /* of that link; side A alone */
    uint8_t *dirty;    /* stands in dirty_row */
    uint32_t *dirty_row;
    size_t dirty_count;
    uint32_t *spare; /* handles to be given out again, */
    size_t spare_count;
    uint32_t *leaving; /* and those that will be once settled */
    size_t leaving_count;
    struct live_members *cluster;
    float *axes_packed;
    float *map_packed[IL_VIEWS_MAX * IL_FOLDS_MAX];
    struct il_panels marks;   /* landmarks of this side */
    struct il_panels samples; /* the model's sample of this side */
    uint32_t *mark_row;       /* handle of each, or IL_INDEX_NONE */
    uint32_t *mark_order;     /* landmarks by key */
    uint32_t *seed_order;     /* seeds by key */
};

/* What a row found for a row of the other side. */
struct live_find {
    uint32_t row, found;
    float value;
};
struct live_finds {
    struct live_find *find;
    size_t count, room;
};

struct il_live {
    const struct il_model *model;
    struct il_frame frame;
    double posterior_min;
    size_t slots, clusters; /* clusters a row joins; of all partitions; at least 1 */
    float *half;            /* half the squared length of each centre */
    struct il_pair *seeds;
    uint32_t *seed_row[2]; /* handle, or IL_LIVE_NONE */
    size_t seed_count;
    struct live_side side[2];
    struct live_finds *finds;     /* a thread */
    struct il_live_change *ended; /* by removals since the last settle */
    size_t ended_count, ended_room;
    uint64_t changes, calibrations; /* rows since the last one */
    struct il_judge judge;
    double threshold; /* of the discriminant */
    double threshold_posterior, shared, decoy_rate;
    atomic_int status; /* of tasks */
};

/* Room for `more` rows; IL_ENOMEM. */
IL_MUST_CHECK enum il_status il_live_reserve(struct il_live *live, int side, size_t more);
void il_live_mark(struct il_live *live, int side, uint32_t row);

/* Signs rows that are there: x (count x d) are their prepared coordinates. */
IL_MUST_CHECK enum il_status il_live_sign(struct il_live *live, int side,
                                          const uint32_t *rows, size_t count,
                                          const float *x);
/* Matches signed rows with the other side. tell 1: the other side's lists get them too.
 */
IL_MUST_CHECK enum il_status il_live_match(struct il_live *live, int side, uint32_t *rows,
                                           size_t count, int tell);

/* A row's own prepared coordinates, inside its signature. */
static inline const float *il_live_own(const struct il_live *live, int side, uint32_t row)
{
    return live->side[side].sig + row * live->model->k + (side ? 0 : live->model->d[1]);
}

#endif
