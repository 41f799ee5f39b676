/* SPDX-License-Identifier: Apache-2.0 */
/* Links of three and more sides, held against each other: <isolink/closing.h> has the
   rules. */
#include <isolink/closing.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "src/base/base.h"

/* Odds beyond these say no more: posteriors of 0 and 1 are estimates too. */
#define POSTERIOR_MOST 0.999999
#define SHOWN_MOST 0.99
#define INFERRED_LEAST 0.5
#define NO_LINK UINT32_MAX

struct il_closing {
    unsigned sides;
    size_t rows[IL_CLOSING_SIDES];
    double recall[IL_CLOSING_SIDES][IL_CLOSING_SIDES];
    /* [x][y][row of x]: its link with side y, or NO_LINK */
    uint32_t *at[IL_CLOSING_SIDES][IL_CLOSING_SIDES];
    /* [x][y][third side]: share of what is wrong that contradicts */
    double shown[IL_CLOSING_SIDES][IL_CLOSING_SIDES][IL_CLOSING_SIDES];
    struct il_closed_link *links;
    size_t count, room;
    struct il_contradiction *chains;
    uint32_t (*chain_links)[3];
    size_t chain_count, chain_room;
    struct il_closing_report report;
};

static uint64_t row_on(const struct il_closed_link *link, unsigned side)
{
    return link->x == side ? link->a : link->b;
}

/* The link of a row with another side, or NO_LINK. */
static uint32_t link_of(const struct il_closing *c, unsigned side, uint64_t row,
                        unsigned other)
{
    return c->at[side][other] ? c->at[side][other][row] : NO_LINK;
}

static double bounded(double p)
{
    return p > POSTERIOR_MOST       ? POSTERIOR_MOST
           : p > 1 - POSTERIOR_MOST ? p
                                    : 1 - POSTERIOR_MOST;
}

static enum il_status grow(void *array, size_t size, size_t count, size_t *room)
{
    void **block = array;
    if (count < *room) {
        return IL_OK;
    }
    size_t more = *room ? 2 * *room : 1024;
    void *grown = il_realloc(*block, *room * size, more * size);
    if (!grown) {
        return IL_ENOMEM;
    }
    *block = grown;
    *room = more;
    return IL_OK;
}

/* Enters a link into the two tables of its sides. */
static void enter(struct il_closing *c, uint32_t number)
{
    const struct il_closed_link *l = &c->links[number];
    c->at[l->x][l->y][l->a] = number;
    c->at[l->y][l->x][l->b] = number;
}

static enum il_status open_tables(struct il_closing *c, unsigned x, unsigned y)
{
    const unsigned end[2][2] = {{x, y}, {y, x}};
    for (int i = 0; i < 2; i++) {
        size_t rows = c->rows[end[i][0]];
        uint32_t *table = il_alloc(rows, sizeof *table);
        if (!table) {
            return IL_ENOMEM;
        }
        for (size_t row = 0; row < rows; row++) {
            table[row] = NO_LINK;
        }
        c->at[end[i][0]][end[i][1]] = table;
    }
    return IL_OK;
}

static enum il_status take_link(struct il_closing *c, const struct il_closing_pair *p,
                                size_t i, struct il_error *error)
{
    const struct il_link *from = &p->links[i];
    if (from->a >= c->rows[p->x] || from->b >= c->rows[p->y]) {
        return il_fail(error, IL_EARG,
                       "sides %u and %u, link %zu: rows %llu and %llu, of %zu and %zu",
                       p->x, p->y, i, (unsigned long long)from->a,
                       (unsigned long long)from->b, c->rows[p->x], c->rows[p->y]);
    }
    if (c->at[p->x][p->y][from->a] != NO_LINK || c->at[p->y][p->x][from->b] != NO_LINK) {
        return il_fail(
            error, IL_EARG, "sides %u and %u, link %zu: row %llu or %llu is linked twice",
            p->x, p->y, i, (unsigned long long)from->a, (unsigned long long)from->b);
    }
    if (c->count == NO_LINK - 1 ||
        grow(&c->links, sizeof *c->links, c->count, &c->room) != IL_OK) {
        return il_fail(error, IL_ENOMEM, "no memory for %zu links", c->count + 1);
    }
    c->links[c->count] = (struct il_closed_link){.x = p->x,
                                                 .y = p->y,
                                                 .a = from->a,
                                                 .b = from->b,
                                                 .posterior = from->posterior,
                                                 .before = from->posterior,
                                                 .origin = from->origin};
    enter(c, (uint32_t)c->count++);
    return IL_OK;
}

static enum il_status take_pairs(struct il_closing *c,
                                 const struct il_closing_pair *pairs, size_t count,
                                 struct il_error *error)
{
    enum il_status status = IL_OK;
    for (size_t i = 0; i < count && !status; i++) {
        const struct il_closing_pair *p = &pairs[i];
        if (p->x >= p->y || p->y >= c->sides || c->at[p->x][p->y]) {
            return il_fail(error, IL_EARG, "sides %u and %u of %u: wanted two, once",
                           p->x, p->y, c->sides);
        }
        c->recall[p->x][p->y] = c->recall[p->y][p->x] = p->recall;
        if (open_tables(c, p->x, p->y) != IL_OK) {
            return il_fail(error, IL_ENOMEM, "no memory for %zu and %zu rows",
                           c->rows[p->x], c->rows[p->y]);
        }
        for (size_t k = 0; k < p->count && !status; k++) {
            status = take_link(c, p, k, error);
        }
    }
    return status;
}

static int by_sides(const void *p, const void *q)
{
    const struct il_closed_link *a = p, *b = q;
    if (a->x != b->x || a->y != b->y) {
        return a->x != b->x ? (a->x > b->x) - (a->x < b->x)
                            : (a->y > b->y) - (a->y < b->y);
    }
    return (a->a > b->a) - (a->a < b->a);
}

/* Links by sides and rows, best first or not; the tables follow. */
static void sort_links(struct il_closing *c, int (*order)(const void *, const void *))
{
    if (c->count) {
        qsort(c->links, c->count, sizeof *c->links, order);
    }
    for (size_t i = 0; i < c->count; i++) {
        enter(c, (uint32_t)i);
    }
}

/* A link and a third side: 1 when both ends have links there. *first, *second: those. */
static int chain_of(const struct il_closing *c, const struct il_closed_link *l,
                    unsigned side, uint32_t *first, uint32_t *second)
{
    if (side == l->x || side == l->y) {
        return 0;
    }
    *first = link_of(c, l->x, l->a, side);
    *second = link_of(c, l->y, l->b, side);
    return *first != NO_LINK && *second != NO_LINK;
}

static int agrees(const struct il_closing *c, unsigned side, uint32_t first,
                  uint32_t second)
{
    return row_on(&c->links[first], side) == row_on(&c->links[second], side);
}

/* The probability that both links are right, as they were alone. */
static double both(const struct il_closing *c, uint32_t first, uint32_t second)
{
    return bounded(c->links[first].before) * bounded(c->links[second].before);
}

/* What is counted of a pair's links and the chains by a third side. */
struct tally {
    double wrong; /* expected wrong links, and wrong chains */
    size_t contradict;
};

/* u of every pair and third side. The sums go by the order of the links, which is that of
   the pairs. */
static void estimate_shown(struct il_closing *c)
{
    struct tally all = {0};
    for (unsigned side = 0; side < c->sides; side++) {
        for (size_t i = 0; i < c->count;) {
            const unsigned x = c->links[i].x, y = c->links[i].y;
            struct tally t = {0};
            for (; i < c->count && c->links[i].x == x && c->links[i].y == y; i++) {
                struct il_closed_link *l = &c->links[i];
                uint32_t first, second;
                if (!chain_of(c, l, side, &first, &second)) {
                    continue;
                }
                int same = agrees(c, side, first, second);
                t.wrong += 1 - bounded(l->before) + 1 - both(c, first, second);
                t.contradict += (size_t)!same;
                l->agree += (unsigned)same;
                l->contradict += (unsigned)!same;
                c->report.agreements += (size_t)same;
            }
            double shown = t.wrong > 0 ? (double)t.contradict / t.wrong : 0;
            c->shown[x][y][side] = shown < SHOWN_MOST ? shown : SHOWN_MOST;
            all.wrong += t.wrong;
            all.contradict += t.contradict;
        }
    }
    double shown = all.wrong > 0 ? (double)all.contradict / all.wrong : 0;
    c->report.shown = shown < 1 ? shown : 1;
}

/* 1: a chain of which no link was set aside. */
static int stands(const struct il_closing *c, uint32_t first, uint32_t second)
{
    return c->links[first].fate != IL_CLOSING_ASIDE &&
           c->links[second].fate != IL_CLOSING_ASIDE;
}

/* Posteriors of links that stand, with what the third sides say of them. */
static void weigh(struct il_closing *c)
{
    for (size_t i = 0; i < c->count; i++) {
        struct il_closed_link *l = &c->links[i];
        double odds = bounded(l->before) / (1 - bounded(l->before));
        unsigned heard = 0;
        if (l->origin == IL_ORIGIN_SEED || l->fate == IL_CLOSING_ASIDE) {
            continue;
        }
        for (unsigned side = 0; side < c->sides; side++) {
            uint32_t first, second;
            if (!chain_of(c, l, side, &first, &second) || !stands(c, first, second)) {
                continue;
            }
            heard++;
            double wrong = 1 - both(c, first, second);
            double shown = c->shown[l->x][l->y][side];
            odds *= agrees(c, side, first, second) ? (1 - shown * wrong) / (1 - shown)
                                                   : wrong;
        }
        l->posterior = heard ? odds / (1 + odds) : l->before;
    }
}

/* Which of two links is set aside before the other: 1 the first. */
static int weaker(const struct il_closed_link *a, const struct il_closed_link *b)
{
    int seed_a = a->origin == IL_ORIGIN_SEED, seed_b = b->origin == IL_ORIGIN_SEED;
    if (seed_a != seed_b) {
        return seed_b;
    }
    if (a->posterior != b->posterior) {
        return a->posterior < b->posterior;
    }
    return by_sides(a, b) > 0;
}

static unsigned weakest_of(const struct il_closing *c, const uint32_t *link)
{
    unsigned least = 0;
    for (unsigned e = 1; e < 3; e++) {
        if (weaker(&c->links[link[e]], &c->links[link[least]])) {
            least = e;
        }
    }
    return least;
}

static enum il_status add_chain(struct il_closing *c, unsigned side, uint32_t first,
                                uint32_t middle, uint32_t second)
{
    const struct il_closed_link *l = &c->links[middle];
    size_t room = c->chain_room;
    enum il_status status = grow(&c->chains, sizeof *c->chains, c->chain_count, &room);
    status = status ? status
                    : grow(&c->chain_links, sizeof *c->chain_links, c->chain_count,
                           &c->chain_room);
    if (status) {
        return status;
    }
    uint32_t *link = c->chain_links[c->chain_count];
    link[0] = first;
    link[1] = middle;
    link[2] = second;
    c->chains[c->chain_count++] =
        (struct il_contradiction){.side = {side, l->x, l->y},
                                  .row = {row_on(&c->links[first], side), l->a, l->b,
                                          row_on(&c->links[second], side)},
                                  .weakest = weakest_of(c, link)};
    return IL_OK;
}

/* Every chain is met at its middle link, once. */
static enum il_status find_chains(struct il_closing *c)
{
    enum il_status status = IL_OK;
    for (size_t i = 0; i < c->count; i++) {
        for (unsigned side = 0; side < c->sides && !status; side++) {
            uint32_t first, second;
            if (chain_of(c, &c->links[i], side, &first, &second) &&
                !agrees(c, side, first, second)) {
                status = add_chain(c, side, first, (uint32_t)i, second);
            }
        }
    }
    c->report.chains = c->chain_count;
    return status;
}

/* A chain by the strength of its weakest link. */
struct ranked {
    const struct il_closed_link *link;
    size_t chain;
};

static int by_weakness(const void *p, const void *q)
{
    const struct ranked *a = p, *b = q;
    if (a->link != b->link) {
        return weaker(a->link, b->link) ? -1 : 1;
    }
    return (a->chain > b->chain) - (a->chain < b->chain);
}

static enum il_status set_aside(struct il_closing *c)
{
    struct ranked *order = il_alloc(c->chain_count, sizeof *order);
    if (!order) {
        return IL_ENOMEM;
    }
    for (size_t i = 0; i < c->chain_count; i++) {
        order[i] = (struct ranked){&c->links[c->chain_links[i][c->chains[i].weakest]], i};
    }
    if (c->chain_count) {
        qsort(order, c->chain_count, sizeof *order, by_weakness);
    }
    for (size_t i = 0; i < c->chain_count; i++) {
        const uint32_t *link = c->chain_links[order[i].chain];
        int broken = 0;
        for (int e = 0; e < 3; e++) {
            broken |= c->links[link[e]].fate == IL_CLOSING_ASIDE;
        }
        if (!broken) {
            c->links[order[i].link - c->links].fate = IL_CLOSING_ASIDE;
            c->report.set_aside++;
        } else {
            /* The one that broke it, when it is one of several. */
            for (unsigned e = 0; e < 3; e++) {
                if (c->links[link[e]].fate == IL_CLOSING_ASIDE) {
                    c->chains[order[i].chain].weakest = e;
                }
            }
        }
    }
    il_free(order);
    return IL_OK;
}

/* 1: the row has a link with that side that was not set aside. */
static int is_linked(const struct il_closing *c, unsigned side, uint64_t row,
                     unsigned other)
{
    uint32_t link = link_of(c, side, row, other);
    return link != NO_LINK && c->links[link].fate != IL_CLOSING_ASIDE;
}

/* Two kept links that meet on `side`, and no link at their other ends: the third. */
static enum il_status infer_one(struct il_closing *c, size_t known, size_t i,
                                unsigned side, unsigned other)
{
    const struct il_closed_link l = c->links[i];
    unsigned from = l.x == side ? l.y : l.x;
    uint64_t row = row_on(&l, from);
    uint32_t second = link_of(c, side, row_on(&l, side), other);
    if (other == side || other <= from || second == NO_LINK || second >= known ||
        c->links[second].fate != IL_CLOSING_KEPT || !c->at[from][other]) {
        return IL_OK;
    }
    uint64_t end = row_on(&c->links[second], other);
    if (is_linked(c, from, row, other) || is_linked(c, other, end, from)) {
        return IL_OK;
    }
    double chain = bounded(l.posterior) * bounded(c->links[second].posterior);
    double odds = chain / (1 - chain) * (1 - c->recall[from][other]);
    if (!(odds / (1 + odds) >= INFERRED_LEAST)) {
        return IL_OK;
    }
    enum il_status status = grow(&c->links, sizeof *c->links, c->count, &c->room);
    if (!status) {
        c->links[c->count++] = (struct il_closed_link){.x = from,
                                                       .y = other,
                                                       .a = row,
                                                       .b = end,
                                                       .posterior = odds / (1 + odds),
                                                       .agree = 1,
                                                       .fate = IL_CLOSING_INFERRED,
                                                       .origin = IL_ORIGIN_LINK};
    }
    return status;
}

static int best_first(const void *p, const void *q)
{
    const struct il_closed_link *a = p, *b = q;
    if (a->x != b->x || a->y != b->y) {
        return by_sides(a, b);
    }
    int aside_a = a->fate == IL_CLOSING_ASIDE, aside_b = b->fate == IL_CLOSING_ASIDE;
    if (aside_a != aside_b) {
        return aside_a - aside_b;
    }
    if (a->posterior != b->posterior) {
        return a->posterior > b->posterior ? -1 : 1;
    }
    return a->a != b->a ? (a->a > b->a) - (a->a < b->a) : (a->b > b->b) - (a->b < b->b);
}

/* What kept links imply, best first, one to one. */
static enum il_status infer(struct il_closing *c)
{
    const size_t known = c->count;
    enum il_status status = IL_OK;
    for (size_t i = 0; i < known && !status; i++) {
        for (unsigned other = 0; other < c->sides && !status; other++) {
            if (c->links[i].fate == IL_CLOSING_KEPT) {
                const unsigned x = c->links[i].x, y = c->links[i].y;
                status =
                    other == x || other == y ? IL_OK : infer_one(c, known, i, y, other);
                status = status || other == x || other == y
                             ? status
                             : infer_one(c, known, i, x, other);
            }
        }
    }
    if (status || c->count == known) {
        return status;
    }
    qsort(c->links + known, c->count - known, sizeof *c->links, best_first);
    size_t kept = known;
    for (size_t i = known; i < c->count; i++) {
        const struct il_closed_link l = c->links[i];
        if (!is_linked(c, l.x, l.a, l.y) && !is_linked(c, l.y, l.b, l.x)) {
            c->links[kept] = l;
            enter(c, (uint32_t)kept++);
        }
    }
    c->count = kept;
    c->report.inferred = kept - known;
    return IL_OK;
}

enum il_status il_closing_run(struct il_closing **out, const size_t *rows, unsigned sides,
                              const struct il_closing_pair *pairs, size_t pair_count,
                              struct il_error *error)
{
    struct il_error own;
    *out = NULL;
    error = error ? error : &own;
    if (sides < 3 || sides > IL_CLOSING_SIDES) {
        return il_fail(error, IL_EARG, "%u sides, wanted 3 to %d", sides,
                       IL_CLOSING_SIDES);
    }
    struct il_closing *c = il_alloc_zero(1, sizeof *c);
    if (!c) {
        return il_fail(error, IL_ENOMEM, "no memory for %u sides", sides);
    }
    c->sides = sides;
    memcpy(c->rows, rows, sides * sizeof *rows);
    enum il_status status = take_pairs(c, pairs, pair_count, error);
    if (!status) {
        sort_links(c, by_sides);
        estimate_shown(c);
        weigh(c);
        status = find_chains(c);
        status = status ? status : set_aside(c);
        weigh(c);
        status = status ? status : infer(c);
        sort_links(c, best_first);
        if (status) {
            il_fail(error, status, "no memory for %zu links", c->count);
        }
    }
    if (status) {
        il_closing_close(&c);
    }
    *out = c;
    return status;
}

const struct il_closed_link *il_closing_links(const struct il_closing *closing,
                                              size_t *count)
{
    *count = closing->count;
    return closing->links;
}

const struct il_contradiction *il_closing_contradictions(const struct il_closing *closing,
                                                         size_t *count)
{
    *count = closing->chain_count;
    return closing->chains;
}

void il_closing_describe(const struct il_closing *closing, struct il_closing_report *out)
{
    *out = closing->report;
}

void il_closing_close(struct il_closing **closing)
{
    struct il_closing *c = *closing;
    *closing = NULL;
    if (!c) {
        return;
    }
    for (unsigned x = 0; x < c->sides; x++) {
        for (unsigned y = 0; y < c->sides; y++) {
            il_free(c->at[x][y]);
        }
    }
    il_free(c->links);
    il_free(c->chains);
    il_free(c->chain_links);
    il_free(c);
}
