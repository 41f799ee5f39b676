/* SPDX-License-Identifier: Apache-2.0 */
#include "src/link/evidence.h"

#include <math.h>
#include <string.h>

/* Linked rows around a row that are looked at, and how many are kept: up to three of the
   kept ones are the pair itself or the row that was taken away. */
#define AROUND 10
#define KEEP IL_AROUND_KEEP
/* A pair has so many rows around it, on both sides. */
#define LOOK_PAIRS (IL_LOOK_ROWS / (2 * AROUND))

/* Links that a row's surroundings are looked up among: a random part of more. Their
   search costs rows x links. */
#define LANDMARKS_MAX 16384

void il_evidence_free(struct il_evidence *e)
{
    il_free(e->candidate);
    il_free(e->decoy[0]);
    il_free(e->decoy[1]);
    memset(e, 0, sizeof *e);
}

/* Running sums of the pairs (<u, a_i>, <v, b_i>). */
struct moments {
    double n, x, y, xx, yy, xy, dd;
};

/* Adds what one end of the pair sees around it: the links nearest to it on its side. */
static void look_around(const struct il_surroundings *s, int side, const uint32_t ends[2],
                        uint32_t gone, double *density, double *local, struct moments *m)
{
    const float *self = s->x[!side] + ends[!side] * s->ld[!side];
    size_t row = ends[side];
    size_t seen = 0;
    double near = 0, score = 0;
    for (size_t i = 0; i < KEEP && seen < AROUND; i++) {
        uint32_t link = s->around[side][row * KEEP + i];
        if (link == IL_INDEX_NONE) {
            break;
        }
        uint32_t here = s->mark_row[side][link], there = s->mark_row[!side][link];
        if (here == row || here == gone || there == ends[!side]) {
            continue;
        }
        size_t at = s->mark_at[!side] ? s->mark_at[!side][link] : link;
        double p = s->around_value[side][row * KEEP + i];
        double q =
            s->simd->dot_f32(self, s->mark[!side] + at * s->mark_ld[!side], s->d[!side]);
        double x = side ? q : p, y = side ? p : q;
        m->n += 1;
        m->x += x;
        m->y += y;
        m->xx += x * x;
        m->yy += y * y;
        m->xy += x * y;
        m->dd += (x - y) * (x - y);
        near += p;
        score += s->mark_score[link];
        seen++;
    }
    *density = seen ? near / (double)seen : 0;
    *local = seen ? score / (double)seen : 0;
}

void il_evidence_look(const struct il_surroundings *s, struct il_proposal *p,
                      int gone_side, uint32_t gone)
{
    const uint32_t ends[2] = {p->a, p->b};
    struct moments m = {0};
    for (int side = 0; side < 2; side++) {
        /* A landmark that is not there any more is IL_INDEX_NONE too, and is no row. */
        uint32_t without = gone_side == side ? gone : IL_INDEX_NONE;
        without = without == IL_INDEX_NONE ? ends[side] : without;
        look_around(s, side, ends, without, &p->feature[IL_F_DENSITY_A + side],
                    &p->feature[IL_F_LOCAL_A + side], &m);
    }
    double n = m.n > 0 ? m.n : 1;
    double vx = m.xx - m.x * m.x / n, vy = m.yy - m.y * m.y / n;
    double product = vx > 0 && vy > 0 ? vx * vy : 0;
    p->feature[IL_F_CONSISTENCY] = (m.xy - m.x * m.y / n) / sqrt(product + 1e-12);
    p->feature[IL_F_DISTORTION] = sqrt(m.dd / n);
}

/* What the tasks share. */
struct collect {
    struct il_frame *frame;
    const struct il_side *side[2];
    uint32_t *linked[2]; /* rows of the links, by link */
    float *link_score;   /* S of every link */
    uint32_t *around[2]; /* neighbours: positions of links */
    float *around_value[2];
    struct il_surroundings surroundings; /* of those above */
    struct il_proposal *proposal;
    const uint32_t *gone; /* decoys: per proposal the row taken away, of side gone_side */
    int gone_side;
    size_t count;
};

static void look_task(void *context, size_t task, unsigned thread)
{
    (void)thread;
    struct collect *c = context;
    size_t last = (task + 1) * 256 < c->count ? (task + 1) * 256 : c->count;
    for (size_t i = task * 256; i < last; i++) {
        if (i % LOOK_PAIRS == 0) {
            il_large_look();
        }
        il_evidence_look(&c->surroundings, &c->proposal[i], c->gone_side,
                         c->gone ? c->gone[i] : IL_INDEX_NONE);
    }
}

/* What the lists of the matcher say of a pair: its CSLS, the best rivals of its column
   and its row
   (-INFINITY: none, margin 0), and its radii. */
struct standing {
    float csls, row_next, col_next, radius_a, radius_b;
};

static void score_features(struct il_proposal *p, const struct standing *s)
{
    double csls = s->csls;
    p->feature[IL_F_COSINE] = (csls + s->radius_a + s->radius_b) / 2;
    p->feature[IL_F_CSLS] = csls;
    p->feature[IL_F_ROW_MARGIN] = isfinite(s->row_next) ? csls - s->row_next : 0;
    p->feature[IL_F_COL_MARGIN] = isfinite(s->col_next) ? csls - s->col_next : 0;
    p->feature[IL_F_RADIUS_A] = s->radius_a;
    p->feature[IL_F_RADIUS_B] = s->radius_b;
}

/*
 * The decoy of a row `own` once its partner `gone` is gone: its second best, if that one
 * prefers it too. Without the partner the radius of own, and of every rival that had the
 * partner among its nearest, is smaller and their scores are higher: else decoys would
 * remember the partner and be too few and too weak. near and radius are those of own's
 * side, from and to the lists of own and of the other side's rows.
 */
struct removal {
    const struct il_top3 *near;
    const float *radius;
    const struct il_top3 *to;
    uint32_t own;
    uint32_t gone; /* by its name in near */
};

static float lift(const struct removal *r, uint32_t row)
{
    return r->radius[row] - il_radius_mean(&r->near[row], r->gone);
}

static uint32_t name_of(const uint32_t *sampled, uint32_t row)
{
    return sampled ? sampled[row] : row;
}

static int decoy_of(const struct removal *r, const struct il_top3 *from,
                    struct standing *s)
{
    float up = lift(r, r->own), rival = -__builtin_inff();
    uint32_t other = from->index[1];
    if (other == IL_INDEX_NONE) {
        return 0;
    }
    for (int e = 0; e < IL_TOP; e++) {
        uint32_t row = r->to[other].index[e];
        if (row != IL_INDEX_NONE && row != r->own) {
            float value = r->to[other].value[e] + lift(r, row);
            rival = value > rival ? value : rival;
        }
    }
    s->csls = from->value[1] + up;
    s->row_next = from->value[2] + up;
    s->col_next = rival;
    return s->csls > rival;
}

void il_evidence_candidate(const struct il_scores *s, uint32_t a, uint32_t b,
                           uint32_t parent, struct il_proposal *out)
{
    const struct standing at = {s->row[a].value[0], s->row[a].value[1],
                                s->col[b].value[1], s->radius_a[a], s->radius_b[b]};
    *out = (struct il_proposal){.a = a, .b = b, .parent = parent};
    score_features(out, &at);
}

void il_evidence_decoys(const struct il_scores *s, uint32_t u, uint32_t v,
                        uint32_t parent, struct il_evidence *e, uint32_t *gone[2])
{
    struct standing at = {0};
    const struct removal of_v = {s->near_a, s->radius_a, s->col, u,
                                 name_of(s->sampled_b, v)};
    if (decoy_of(&of_v, &s->row[u], &at)) {
        uint32_t y = s->row[u].index[1];
        gone[0][e->decoys[0]] = v;
        struct il_proposal *p = &e->decoy[0][e->decoys[0]++];
        *p = (struct il_proposal){.a = u, .b = y, .parent = parent};
        at.radius_a = s->radius_a[u] - lift(&of_v, u);
        at.radius_b = s->radius_b[y];
        score_features(p, &at);
    }
    const struct removal of_u = {s->near_b, s->radius_b, s->row, v,
                                 name_of(s->sampled_a, u)};
    if (decoy_of(&of_u, &s->col[v], &at)) {
        uint32_t x = s->col[v].index[1];
        float row_next = at.col_next;
        gone[1][e->decoys[1]] = u;
        struct il_proposal *p = &e->decoy[1][e->decoys[1]++];
        *p = (struct il_proposal){.a = x, .b = v, .parent = parent};
        at.col_next = at.row_next;
        at.row_next = row_next;
        at.radius_a = s->radius_a[x];
        at.radius_b = s->radius_b[v] - lift(&of_u, v);
        score_features(p, &at);
    }
}

/* Candidates from the lists, and the decoys that are mutual once their parent's partner
 * is gone. */
static void propose(const struct il_scores *s, size_t rows, struct il_evidence *e,
                    uint32_t *gone[2])
{
    for (uint32_t u = 0; u < rows; u++) {
        uint32_t v = s->row[u].index[0];
        if (v == IL_INDEX_NONE || s->col[v].index[0] != u) {
            continue;
        }
        uint32_t parent = (uint32_t)e->candidates++;
        il_evidence_candidate(s, u, v, parent, &e->candidate[parent]);
        il_evidence_decoys(s, u, v, parent, e, gone);
    }
}

static enum il_status collect_open(struct collect *c, size_t links)
{
    int got = 1;
    for (int side = 0; side < 2; side++) {
        size_t cells = c->side[side]->rows * KEEP;
        c->linked[side] = il_alloc(links, sizeof(uint32_t));
        c->around[side] = il_alloc(cells, sizeof(uint32_t));
        c->around_value[side] = il_alloc(cells, sizeof(float));
        got = got && c->linked[side] && c->around[side] && c->around_value[side];
    }
    c->link_score = il_alloc(links, sizeof(float));
    struct il_surroundings *s = &c->surroundings;
    s->simd = c->frame->simd;
    s->mark_score = c->link_score;
    for (int side = 0; side < 2; side++) {
        s->d[side] = s->ld[side] = s->mark_ld[side] = c->side[side]->d;
        s->x[side] = s->mark[side] = c->side[side]->x;
        s->mark_at[side] = s->mark_row[side] = c->linked[side];
        s->around[side] = c->around[side];
        s->around_value[side] = c->around_value[side];
    }
    return got && c->link_score ? IL_OK : IL_ENOMEM;
}

static void collect_close(struct collect *c)
{
    for (int side = 0; side < 2; side++) {
        il_free(c->linked[side]);
        il_free(c->around[side]);
        il_free(c->around_value[side]);
    }
    il_free(c->link_score);
}

static void look(struct collect *c, struct il_proposal *proposal, size_t count,
                 const uint32_t *gone, int gone_side)
{
    c->proposal = proposal;
    c->count = count;
    c->gone = gone;
    c->gone_side = gone_side;
    il_pool_run(c->frame->pool, (count + 255) / 256, look_task, c);
}

/* The links that stand for the surroundings: all candidates, or a part of very many. */
static enum il_status take_landmarks(struct collect *c, const struct il_evidence *e,
                                     size_t count)
{
    uint32_t *pick = il_alloc(count, sizeof *pick);
    if (!pick) {
        return IL_ENOMEM;
    }
    struct il_rng rng = il_rng_make(c->frame->seed, 0, 0, IL_FOR_LANDMARKS);
    il_rng_sample(&rng, (uint32_t)e->candidates, (uint32_t)count, pick);
    for (size_t i = 0; i < count; i++) {
        const struct il_proposal *p = &e->candidate[pick[i]];
        c->linked[0][i] = p->a;
        c->linked[1][i] = p->b;
        c->link_score[i] = (float)p->feature[IL_F_COSINE];
    }
    il_free(pick);
    return IL_OK;
}

enum il_status il_evidence_collect(struct il_frame *frame, const struct il_side *a,
                                   const struct il_side *b,
                                   const struct il_scores *scores,
                                   struct il_evidence *out)
{
    size_t most = a->rows < b->rows ? a->rows : b->rows;
    uint32_t *gone[2] = {il_alloc(most, sizeof(uint32_t)),
                         il_alloc(most, sizeof(uint32_t))};
    struct collect c = {.frame = frame, .side = {a, b}};
    size_t landmarks = 0;
    memset(out, 0, sizeof *out);
    out->candidate = il_alloc(most, sizeof *out->candidate);
    out->decoy[0] = il_alloc(most, sizeof *out->decoy[0]);
    out->decoy[1] = il_alloc(most, sizeof *out->decoy[1]);
    enum il_status status =
        gone[0] && gone[1] && out->candidate && out->decoy[0] && out->decoy[1]
            ? IL_OK
            : IL_ENOMEM;
    if (!status) {
        propose(scores, a->rows, out, gone);
        landmarks = out->candidates < LANDMARKS_MAX ? out->candidates : LANDMARKS_MAX;
        status = collect_open(&c, landmarks);
    }
    status = status ? status : take_landmarks(&c, out, landmarks);
    for (int side = 0; side < 2 && !status; side++) {
        status = il_neighbours(frame, c.side[side], c.linked[side], landmarks, KEEP,
                               c.around[side], c.around_value[side]);
    }
    if (!status) {
        look(&c, out->candidate, out->candidates, NULL, 0);
        look(&c, out->decoy[0], out->decoys[0], gone[0], 1);
        look(&c, out->decoy[1], out->decoys[1], gone[1], 0);
    }
    collect_close(&c);
    il_free(gone[0]);
    il_free(gone[1]);
    if (status) {
        il_evidence_free(out);
    }
    return status;
}
