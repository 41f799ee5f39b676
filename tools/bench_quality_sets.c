/* SPDX-License-Identifier: Apache-2.0 */
/* Stores and seeds of a draw: read from a folder, or cut from aligned rows so that a
   given share of the documents is on both sides. */
#include "bench_quality.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* What a stream of random numbers is for: streams of one draw must not repeat another's.
 */
enum { FOR_CUT = 1, FOR_SEEDS, FOR_WRONG, FOR_NOISE, FOR_APART, FOR_RANDOM };

static uint64_t next(struct il_bench_rng *rng)
{
    uint64_t z = rng->state += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

struct il_bench_rng il_bench_rng_make(uint64_t draw, uint64_t purpose)
{
    struct il_bench_rng rng = {purpose * 0xd1342543de82ef95u};
    rng.state = next(&rng) + draw;
    rng.state = next(&rng);
    return rng;
}

static double uniform(struct il_bench_rng *rng)
{
    return (double)(next(rng) >> 11) * 0x1p-53;
}

size_t il_bench_below(struct il_bench_rng *rng, size_t n)
{
    return (size_t)(uniform(rng) * (double)n);
}

void *il_bench_alloc(size_t count, size_t size)
{
    void *items = calloc(count ? count : 1, size);
    if (!items) {
        fprintf(stderr, "%s: no memory for %zu items of %zu bytes\n",
                program_invocation_short_name, count, size);
        exit(1);
    }
    return items;
}

static void shuffle(struct il_bench_rng *rng, size_t *item, size_t count)
{
    for (size_t i = count; i > 1; i--) {
        size_t j = il_bench_below(rng, i), kept = item[j];
        item[j] = item[i - 1];
        item[i - 1] = kept;
    }
}

static size_t *permutation(struct il_bench_rng *rng, size_t count)
{
    size_t *item = il_bench_alloc(count, sizeof *item);
    for (size_t i = 0; i < count; i++)
        item[i] = i;
    shuffle(rng, item, count);
    return item;
}

/* ------------------------------------------------------------------------------ sources
 */

/* "data/aligned/debian" -> "debian"; a cut is named by its overlap and rows too. */
static void name_source(struct il_bench_source *s)
{
    size_t end = strlen(s->folder);
    while (end > 1 && s->folder[end - 1] == '/')
        s->folder[--end] = 0;
    const char *slash = strrchr(s->folder, '/');
    const char *base = slash && slash[1] ? slash + 1 : s->folder;
    if (!s->cut)
        snprintf(s->name, sizeof s->name, "%.60s", base);
    else if (s->rows)
        snprintf(s->name, sizeof s->name, "%.30s:%.4g:%zu", base, s->overlap, s->rows);
    else
        snprintf(s->name, sizeof s->name, "%.30s:%.4g", base, s->overlap);
}

int il_bench_source_parse(struct il_bench_source *s, const char *spec, int cut)
{
    size_t bytes = strlen(spec);
    *s = (struct il_bench_source){.cut = cut};
    if (cut) {
        const char *colon = strchr(spec, ':');
        char *end = NULL;
        if (!colon)
            return 0;
        bytes = (size_t)(colon - spec);
        s->overlap = strtod(colon + 1, &end);
        if (end == colon + 1 || !(s->overlap >= 0 && s->overlap <= 1))
            return 0;
        if (*end == ':') {
            const char *rows = end + 1;
            s->rows = (size_t)strtoull(rows, &end, 10);
            if (end == rows || *rows == '-')
                return 0;
        }
        if (*end)
            return 0;
    }
    if (bytes == 0 || bytes >= sizeof s->folder)
        return 0;
    memcpy(s->folder, spec, bytes);
    name_source(s);
    return 1;
}

static enum il_status load_pairs(struct il_bench_source *s, const char *file,
                                 struct il_pair **pair, size_t *count,
                                 struct il_error *error)
{
    char path[480];
    struct il_pairs_notes notes;
    snprintf(path, sizeof path, "%s/%s", s->folder, file);
    enum il_status status =
        il_pairs_load(pair, count, path, s->ids[0], s->ids[1], &notes, error);
    if (!status && notes.repeated + notes.contradicting + notes.missing)
        fprintf(stderr, "%s: %s: lines left out: %s\n", program_invocation_short_name,
                path, notes.first);
    return status;
}

enum il_status il_bench_source_open(struct il_bench_source *s, struct il_error *error)
{
    static const char *const vectors[] = {"a.npy", "b.npy"};
    static const char *const ids[] = {"a.ids.txt", "b.ids.txt"};
    enum il_status status = IL_OK;
    char path[480];
    for (int side = 0; side < 2 && !status; side++) {
        snprintf(path, sizeof path, "%s/%s", s->folder, vectors[side]);
        status = il_vectors_load(&s->vectors[side], path, error);
        if (status || (s->cut && side))
            continue;
        snprintf(path, sizeof path, "%s/%s", s->folder, s->cut ? "ids.txt" : ids[side]);
        size_t rows = il_vectors_rows(s->vectors[side]).rows;
        status = il_ids_load(&s->ids[side], path, rows, error);
    }
    if (status)
        return status;
    if (s->cut) {
        size_t rows[2];
        for (int side = 0; side < 2; side++)
            rows[side] = il_vectors_rows(s->vectors[side]).rows;
        if (rows[0] == rows[1] && s->rows <= rows[0])
            return IL_OK;
        snprintf(error->text, sizeof error->text,
                 "%s: %zu and %zu aligned rows, wanted %zu", s->folder, rows[0], rows[1],
                 s->rows ? s->rows : rows[0]);
        return IL_EFORMAT;
    }
    status = load_pairs(s, "truth.csv", &s->truth, &s->truth_count, error);
    snprintf(path, sizeof path, "%s/seeds.csv", s->folder);
    if (!status && access(path, F_OK) == 0)
        status = load_pairs(s, "seeds.csv", &s->seeds, &s->seed_count, error);
    return status;
}

void il_bench_source_close(struct il_bench_source *s)
{
    il_pairs_free(s->truth);
    il_pairs_free(s->seeds);
    s->truth = s->seeds = NULL;
    for (int side = 0; side < 2; side++) {
        il_ids_close(&s->ids[side]);
        il_vectors_close(&s->vectors[side]);
    }
}

int il_bench_source_related(const struct il_bench_source *x,
                            const struct il_bench_source *y)
{
    const struct il_ids *other = y->ids[y->cut ? 0 : 1];
    for (size_t i = 0; i < il_ids_count(x->ids[0]); i++) {
        const char *id = il_ids_text(x->ids[0], i);
        if (il_ids_find(other, id, strlen(id)) != SIZE_MAX)
            return 1;
    }
    return 0;
}

/* ------------------------------------------------------------------------------- stores
 */

/* Copies rows of a matrix, as they are, into one block of memory. */
static void gather(struct il_bench_stores *out, int side, const struct il_matrix *from,
                   const size_t *row, size_t rows)
{
    size_t bytes = from->dim * il_dtype_bytes(from->type);
    char *copy = il_bench_alloc(rows, bytes);
    for (size_t i = 0; i < rows; i++)
        memcpy(copy + i * bytes, (const char *)from->data + row[i] * from->stride_bytes,
               bytes);
    out->side[side] = (struct il_matrix){from->type, rows, from->dim, bytes, copy};
    out->copy[side] = copy;
}

/* The cut of tools like split.py: both sides have int(n / (2 - overlap)) rows, in random
   order; the share `overlap` of them is the same documents. */
static void make_cut(struct il_bench_stores *out, const struct il_bench_source *s,
                     double overlap, uint64_t draw)
{
    struct il_bench_rng rng = il_bench_rng_make(draw, FOR_CUT);
    struct il_matrix from[2] = {il_vectors_rows(s->vectors[0]),
                                il_vectors_rows(s->vectors[1])};
    size_t *order = permutation(&rng, from[0].rows);
    size_t documents = s->rows ? s->rows : from[0].rows;
    size_t rows = (size_t)((double)documents / (2 - overlap));
    size_t shared = (size_t)(overlap * (double)rows);
    size_t *at[2], *row = il_bench_alloc(rows, sizeof *row);
    for (int side = 0; side < 2; side++) {
        /* Row i of this side is its document place[i]: the shared ones come first. */
        size_t *place = permutation(&rng, rows);
        at[side] = il_bench_alloc(rows, sizeof **at);
        for (size_t i = 0; i < rows; i++) {
            size_t own = side && place[i] >= shared ? rows - shared : 0;
            row[i] = order[place[i] + own];
            at[side][place[i]] = i;
        }
        gather(out, side, &from[side], row, rows);
        free(place);
    }
    out->truth_count = shared;
    out->truth = il_bench_alloc(shared, sizeof *out->truth);
    for (size_t i = 0; i < shared; i++)
        out->truth[i] = (struct il_pair){at[0][i], at[1][i]};
    free(at[0]);
    free(at[1]);
    free(row);
    free(order);
}

void il_bench_stores_make(struct il_bench_stores *out, const struct il_bench_source *s,
                          uint64_t draw)
{
    *out = (struct il_bench_stores){0};
    if (s->cut) {
        make_cut(out, s, s->overlap, draw);
        return;
    }
    struct il_bench_rng rng = il_bench_rng_make(draw, FOR_SEEDS);
    size_t *order = permutation(&rng, s->truth_count);
    out->side[0] = il_vectors_rows(s->vectors[0]);
    out->side[1] = il_vectors_rows(s->vectors[1]);
    out->truth_count = s->truth_count;
    out->truth = il_bench_alloc(s->truth_count, sizeof *out->truth);
    for (size_t i = 0; i < s->truth_count; i++)
        out->truth[i] = s->truth[order[i]];
    free(order);
}

/* Takes the rows marked in gone out of one side. */
static void remove_rows(struct il_bench_stores *out, int side, const uint8_t *gone)
{
    struct il_matrix from = out->side[side];
    size_t *row = il_bench_alloc(from.rows, sizeof *row), rows = 0;
    for (size_t i = 0; i < from.rows; i++) {
        if (!gone[i])
            row[rows++] = i;
    }
    gather(out, side, &from, row, rows);
    free(row);
}

void il_bench_stores_apart(struct il_bench_stores *out, const struct il_bench_source *s,
                           uint64_t draw)
{
    if (s->cut) {
        *out = (struct il_bench_stores){0};
        make_cut(out, s, 0, draw);
        return;
    }
    /* Every common document stays on one side, half of them on either. */
    il_bench_stores_make(out, s, draw);
    for (size_t side = 0; side < 2; side++) {
        uint8_t *gone = il_bench_alloc(out->side[side].rows, 1);
        for (size_t i = side; i < out->truth_count; i += 2)
            gone[side ? out->truth[i].b : out->truth[i].a] = 1;
        remove_rows(out, (int)side, gone);
        free(gone);
    }
    out->truth_count = 0;
}

void il_bench_stores_noise(struct il_bench_stores *stores, uint64_t draw)
{
    struct il_bench_rng rng = il_bench_rng_make(draw, FOR_NOISE);
    struct il_matrix *b = &stores->side[1];
    size_t count = b->rows * b->dim;
    float *noise = il_bench_alloc(count, sizeof *noise);
    for (size_t i = 0; i < count; i++) {
        double radius = sqrt(-2 * log(1 - uniform(&rng)));
        noise[i] = (float)(radius * cos(6.283185307179586 * uniform(&rng)));
    }
    free(stores->copy[1]);
    stores->copy[1] = noise;
    *b = (struct il_matrix){IL_F32, b->rows, b->dim, b->dim * sizeof *noise, noise};
    stores->truth_count = 0;
}

void il_bench_stores_free(struct il_bench_stores *stores)
{
    free(stores->truth);
    free(stores->copy[0]);
    free(stores->copy[1]);
    *stores = (struct il_bench_stores){0};
}

/* -------------------------------------------------------------------------------- seeds
 */

static void seeds_alloc(struct il_bench_seeds *out, size_t count)
{
    out->pair = il_bench_alloc(count, sizeof *out->pair);
    out->wrong = il_bench_alloc(count, 1);
    out->count = count;
}

void il_bench_seeds_free(struct il_bench_seeds *seeds)
{
    free(seeds->pair);
    free(seeds->wrong);
    *seeds = (struct il_bench_seeds){0};
}

static int is_seed_of_b(const struct il_bench_seeds *seeds, uint64_t row)
{
    for (size_t i = 0; i < seeds->count; i++) {
        if (seeds->pair[i].b == row)
            return 1;
    }
    return 0;
}

int il_bench_seeds_draw(struct il_bench_seeds *out, const struct il_bench_source *s,
                        const struct il_bench_stores *stores, size_t count, size_t wrong,
                        uint64_t draw)
{
    struct il_bench_rng rng = il_bench_rng_make(draw, FOR_WRONG);
    const struct il_pair *from = stores->truth;
    size_t limit = stores->side[1].rows;
    if (draw == 0 && s->seed_count == count)
        from = s->seeds;
    /* A wrong seed's right partner stays taken, so that it is wrong and no other's. */
    if (count > stores->truth_count || wrong > count || count + wrong >= limit)
        return 0;
    seeds_alloc(out, count);
    memcpy(out->pair, from, count * sizeof *from);
    for (size_t made = 0; made < wrong;) {
        size_t i = il_bench_below(&rng, count);
        uint64_t row = il_bench_below(&rng, limit);
        if (out->wrong[i] || is_seed_of_b(out, row))
            continue;
        out->pair[i].b = row;
        out->wrong[i] = 1;
        made++;
    }
    return 1;
}

int il_bench_seeds_shuffled(struct il_bench_seeds *out,
                            const struct il_bench_stores *stores, size_t count)
{
    if (count > stores->truth_count || count < 2)
        return 0;
    seeds_alloc(out, count);
    for (size_t i = 0; i < count; i++)
        out->pair[i] =
            (struct il_pair){stores->truth[i].a, stores->truth[(i + 1) % count].b};
    memset(out->wrong, 1, count);
    return 1;
}

int il_bench_seeds_random(struct il_bench_seeds *out,
                          const struct il_bench_stores *stores, size_t count,
                          uint64_t draw)
{
    struct il_bench_rng rng = il_bench_rng_make(draw, FOR_RANDOM);
    if (count > stores->side[0].rows || count > stores->side[1].rows)
        return 0;
    size_t *a = permutation(&rng, stores->side[0].rows);
    size_t *b = permutation(&rng, stores->side[1].rows);
    seeds_alloc(out, count);
    for (size_t i = 0; i < count; i++)
        out->pair[i] = (struct il_pair){a[i], b[i]};
    memset(out->wrong, 1, count);
    free(a);
    free(b);
    return 1;
}
