/* SPDX-License-Identifier: Apache-2.0 */
/* Generated pairs of stores of any size: two encoders that look at one set of documents.
 *
 * A document is a point of a latent space: its topic (sizes fall off as a power of the
 * rank), its cluster in the topic, and what is its own; or it is the near duplicate of
 * another. Each encoder sees that point with a disturbance of its own, and maps it by
 *
 *     y = W [s * z ; bend phi(G z + h)] + mean + white noise,  then to length 1
 *
 * with its own random W, G, h, scales s and mean; phi is a smooth bounded function, half
 * of the features a sigmoid, half a wave. So the two spaces are smooth maps of each other
 * but not linear ones, and have means and spectra of their own.
 *
 * Every row is a function of the options and its document's number alone, computed in
 * blocks and written in place: memory is a few bytes a row, and threads change nothing.
 * Additions, multiplications, divisions and square roots in one written order: equal
 * options give equal bytes on every machine. */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <isolink/matrix.h>

static const char help[] =
    "Usage: gen_pair [options] OUT\n"
    "Writes a pair of stores with known partners to the folder OUT: a.npy b.npy "
    "truth.csv\n"
    "seeds.csv (row numbers are the ids, rows are shuffled apart).\n"
    "\n"
    "  --rows N            rows of each side (--rows-a N, --rows-b N)      [10000]\n"
    "  --overlap X         share of the smaller side that is on both         [0.3]\n"
    "  --dim N             dimensions of each side (--dim-a N, --dim-b N)    [384]\n"
    "  --latent N          dimensions of what the documents are about         [48]\n"
    "  --clusters N        groups of documents    [one for 40 different documents]\n"
    "  --bend X            size of the encoders' non-linear part, 0 = linear   [1]\n"
    "  --noise X           what one encoder alone sees, as a share of the\n"
    "                      differences inside a group                        [0.6]\n"
    "  --twins X           share of documents that nearly repeat another    [0.05]\n"
    "  --seeds N           known pairs in seeds.csv                           [15]\n"
    "  --seed N            random seed number                                  [0]\n"
    "  --dtype f4|f2       type of the coordinates                            [f4]\n"
    "  --aligned           row i of both sides is document i; a.npy b.npy ids.txt, for\n"
    "                      bench_quality --cut\n"
    "  --threads N         1 to 64, never changes the files       [one per core]\n"
    "  -h, --help          this text\n"
    "\n"
    "More bend and noise are harder, and so are fewer dimensions: below 4 --latent the\n"
    "map crowds. Equal options give equal files on every machine.\n"
    "Exit status: 0 done, 1 failed, 2 usage.\n";

enum { BLOCK = 256, LANES = 8, THREADS_MAX = 64, FEATURES = 4 };

struct plan {
    size_t rows[2], dim[2], latent, clusters, topics, seeds, threads;
    size_t shared, total; /* documents on both sides, documents in all */
    double overlap, bend, noise, twins;
    float *topic, *cluster, *own; /* spreads of the latent coordinates */
    uint64_t seed;
    int half, aligned;
    const char *out;
};

/* Parts of a document's variance, and how many coordinates carry most of each: documents
   differ in their topics along few directions, among themselves along many. */
static const double topic_part = 0.35, cluster_part = 0.3, own_part = 0.35;
static const double coarse_knee = 3, own_knee = 24;
/* A near duplicate differs from its original by up to this share of the own part. */
static const float twin_part = 0.8f;
/* White noise of the coordinates, as a share of --noise. */
static const float white_part = 0.1f;

static void die(int code, const char *what, const char *why)
{
    fprintf(stderr, "gen_pair: %s: %s\n", what, why);
    exit(code);
}

static void *get(size_t count, size_t bytes)
{
    void *block = calloc(count > 0 ? count : 1, bytes);

    if (block == NULL) {
        die(1, "memory", strerror(ENOMEM));
    }
    return block;
}

/* ------------------------------------------------------------------------------- random
 */

/* What a stream of random numbers is for: part of its key. */
enum purpose {
    FOR_ORDER = 1,
    FOR_SEEDS,
    FOR_TOPIC,
    FOR_CLUSTER,
    FOR_PLACE,
    FOR_OWN,
    FOR_TWIN,
    FOR_SIGHT,
    FOR_WHITE,
    FOR_MAP
};

/* splitmix64 (Steele, Lea, Flood 2014), keyed by seed, purpose and number. */
struct rng {
    uint64_t state;
};

static uint64_t mix(uint64_t z)
{
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

static uint64_t next(struct rng *rng)
{
    return mix(rng->state += 0x9e3779b97f4a7c15u);
}

static struct rng rng_make(const struct plan *plan, int purpose, uint64_t number)
{
    uint64_t key = mix(plan->seed + 0x9e3779b97f4a7c15u);

    key = mix(key ^ ((uint64_t)purpose << 56) ^ 0xd1342543de82ef95u);
    return (struct rng){mix(key + mix(number + 0x632be59bd9b4e019u))};
}

static double uniform(struct rng *rng)
{
    return (double)(next(rng) >> 11) * 0x1p-53;
}

static uint32_t below(struct rng *rng, size_t bound)
{
    return (uint32_t)(uniform(rng) * (double)bound);
}

/* The sum of four uniforms: nearly normal, variance 1, the same bits everywhere. */
static float normal(struct rng *rng)
{
    uint64_t x = next(rng);
    int64_t sum =
        (int64_t)((x & 0xffff) + (x >> 16 & 0xffff) + (x >> 32 & 0xffff) + (x >> 48)) -
        2 * 0xffff;

    return (float)sum * (1.0f / 37837.23f);
}

static void shuffle(struct rng *rng, uint32_t *item, size_t count)
{
    for (size_t i = count; i > 1; i--) {
        uint32_t j = below(rng, i);
        uint32_t kept = item[j];

        item[j] = item[i - 1];
        item[i - 1] = kept;
    }
}

/* ---------------------------------------------------------------------------- documents
 */

/* Spreads of the latent coordinates: sum of squares `part`, falling to half at number
   `knee`. */
static float *latent_spread(size_t latent, double part, double knee)
{
    float *spread = get(latent, sizeof *spread);
    double sum = 0;

    for (size_t q = 0; q < latent; q++) {
        sum += 1.0 / (1.0 + (double)q / knee);
    }
    for (size_t q = 0; q < latent; q++) {
        spread[q] = (float)sqrt(part / (1.0 + (double)q / knee) / sum);
    }
    return spread;
}

/* Cluster of a document, and the topic of that cluster. Topic t of T begins at the share
   sqrt(t / T) of the clusters, so that sizes fall as 1 / sqrt(rank); inside a topic the
   clusters differ in size by a factor of 3 at most, whatever the number of rows. */
static size_t place(const struct plan *plan, uint64_t document, size_t *topic)
{
    struct rng rng = rng_make(plan, FOR_PLACE, document);
    double u = uniform(&rng), v = uniform(&rng);
    double topics = (double)plan->topics, clusters = (double)plan->clusters;
    size_t t = (size_t)(u * u * topics);
    size_t first = (size_t)(sqrt((double)t / topics) * clusters);
    size_t last = (size_t)(sqrt((double)(t + 1) / topics) * clusters);
    size_t count = last > first ? last - first : 1;

    *topic = t;
    return first + (size_t)(v * (0.5 + 0.5 * v) * (double)count);
}

static int is_twin(const struct plan *plan, uint64_t document)
{
    struct rng rng = rng_make(plan, FOR_TWIN, document);

    return uniform(&rng) < plan->twins;
}

/* z = the point of a document that is nobody's near duplicate. */
static void original(const struct plan *plan, uint64_t document, float *z)
{
    size_t topic;
    size_t cluster = place(plan, document, &topic);
    struct rng of_topic = rng_make(plan, FOR_TOPIC, topic);
    struct rng of_cluster = rng_make(plan, FOR_CLUSTER, cluster);
    struct rng own = rng_make(plan, FOR_OWN, document);

    for (size_t q = 0; q < plan->latent; q++) {
        z[q] = plan->topic[q] * normal(&of_topic) +
               plan->cluster[q] * normal(&of_cluster) + plan->own[q] * normal(&own);
    }
}

/* The point of any document. The original of a near duplicate is drawn until it is none
   itself; after a few tries it is taken as if it were none. */
static void document_point(const struct plan *plan, uint64_t document, float *z)
{
    struct rng rng = rng_make(plan, FOR_TWIN, document);
    uint64_t parent = document;

    if (uniform(&rng) >= plan->twins) {
        original(plan, document, z);
        return;
    }
    for (int tries = 0; tries < 8 && is_twin(plan, parent); tries++) {
        parent = below(&rng, plan->total);
    }
    float step = twin_part * (float)uniform(&rng);
    original(plan, parent, z);
    for (size_t q = 0; q < plan->latent; q++) {
        z[q] += step * plan->own[q] * normal(&rng);
    }
}

/* ----------------------------------------------------------------------------- encoders
 */

/* A linear map of blocks of rows: out = bias + in weight. */
struct linear {
    size_t in, out, out_padded; /* out_padded: a multiple of LANES */
    float *weight;              /* in x out_padded */
    float *bias;                /* out_padded */
};

struct encoder {
    size_t latent, hidden, dim;
    struct linear bend; /* G, h */
    struct linear last; /* W, mean; in = latent + hidden */
    float white;        /* noise of a coordinate */
};

static struct linear linear_new(size_t in, size_t out)
{
    size_t padded = (out + LANES - 1) / LANES * LANES;

    return (struct linear){in, out, padded, get(in * padded, sizeof(float)),
                           get(padded, sizeof(float))};
}

/* Row q of the weights gets entries of variance scale^2. */
static void linear_fill(struct linear *map, struct rng *rng, size_t q, float scale)
{
    for (size_t j = 0; j < map->out; j++) {
        map->weight[q * map->out_padded + j] = scale * normal(rng);
    }
}

static struct encoder encoder_new(const struct plan *plan, int side)
{
    struct rng rng = rng_make(plan, FOR_MAP, (uint64_t)side);
    size_t latent = plan->latent, hidden = FEATURES * latent, dim = plan->dim[side];
    float one = 1.0f / sqrtf((float)dim);
    struct encoder e = {.latent = latent,
                        .hidden = hidden,
                        .dim = dim,
                        .bend = linear_new(latent, hidden),
                        .last = linear_new(latent + hidden, dim),
                        .white = white_part * (float)plan->noise * one};

    for (size_t q = 0; q < latent; q++) {
        /* G z has variance 2: far enough into the bends. */
        linear_fill(&e.bend, &rng, q, 1.4142135f);
        /* Each encoder weighs the latent coordinates in its own way. */
        linear_fill(&e.last, &rng, q, one * (0.75f + 0.5f * (float)uniform(&rng)));
    }
    for (size_t j = 0; j < hidden; j++) {
        e.bend.bias[j] = normal(&rng);
    }
    /* The features have a variance near 0.4. */
    float size = (float)(plan->bend / sqrt(0.4 * (double)hidden));
    for (size_t q = latent; q < latent + hidden; q++) {
        linear_fill(&e.last, &rng, q, one * size);
    }
    for (size_t j = 0; j < dim; j++) {
        e.last.bias[j] = 0.7f * one * normal(&rng);
    }
    return e;
}

static void linear_free(struct linear *map)
{
    free(map->weight);
    free(map->bias);
}

typedef float lanes __attribute__((vector_size(16), aligned(4), may_alias));

/* Four rows by eight columns: each output is one chain over the inputs in order, a
   multiplication and an addition each. */
static void tile(const struct linear *map, const float *in, float *out, size_t j)
{
    const float *w = map->weight + j;
    size_t n = map->in, ld = map->out_padded;
    lanes l0 = *(const lanes *)(map->bias + j), h0 = *(const lanes *)(map->bias + j + 4);
    lanes l1 = l0, h1 = h0, l2 = l0, h2 = h0, l3 = l0, h3 = h0;

    for (size_t q = 0; q < n; q++, w += ld) {
        lanes low = *(const lanes *)w, high = *(const lanes *)(w + 4);

        l0 += in[q] * low;
        h0 += in[q] * high;
        l1 += in[n + q] * low;
        h1 += in[n + q] * high;
        l2 += in[2 * n + q] * low;
        h2 += in[2 * n + q] * high;
        l3 += in[3 * n + q] * low;
        h3 += in[3 * n + q] * high;
    }
    *(lanes *)(out + j) = l0;
    *(lanes *)(out + j + 4) = h0;
    *(lanes *)(out + ld + j) = l1;
    *(lanes *)(out + ld + j + 4) = h1;
    *(lanes *)(out + 2 * ld + j) = l2;
    *(lanes *)(out + 2 * ld + j + 4) = h2;
    *(lanes *)(out + 3 * ld + j) = l3;
    *(lanes *)(out + 3 * ld + j + 4) = h3;
}

/* rows is a multiple of 4; in: rows x map->in, out: rows x map->out_padded. */
static void linear_apply(const struct linear *map, const float *in, size_t rows,
                         float *out)
{
    for (size_t j = 0; j < map->out_padded; j += LANES) {
        for (size_t r = 0; r < rows; r += 4) {
            tile(map, in + r * map->in, out + r * map->out_padded, j);
        }
    }
}

/* Smooth, bounded by 1, of variance near 0.4 under arguments of variance 3. */
static float feature(float x, size_t number)
{
    if (number % 2 == 0) {
        return x / sqrtf(1.0f + x * x);
    }
    return 2.0f * x / (1.0f + x * x);
}

/* Room for one block of rows. */
struct work {
    float *z;      /* BLOCK x latent */
    float *hidden; /* BLOCK x bend.out_padded */
    float *joined; /* BLOCK x (latent + hidden) */
    float *y;      /* BLOCK x last.out_padded */
    uint8_t *bytes;
};

static struct work work_new(const struct encoder *e)
{
    return (struct work){get(BLOCK * e->latent, sizeof(float)),
                         get(BLOCK * e->bend.out_padded, sizeof(float)),
                         get(BLOCK * (e->latent + e->hidden), sizeof(float)),
                         get(BLOCK * e->last.out_padded, sizeof(float)),
                         get(BLOCK * e->dim, 4)};
}

static void work_free(struct work *w)
{
    free(w->z);
    free(w->hidden);
    free(w->joined);
    free(w->y);
    free(w->bytes);
}

/* Adds the white noise of a row and brings it to length 1; a row of length 0 stays. */
static void finish_row(const struct plan *plan, const struct encoder *e, int side,
                       uint64_t document, float *y)
{
    struct rng rng = rng_make(plan, FOR_WHITE + 16 * side, document);
    double sum = 0;

    for (size_t j = 0; j < e->dim; j++) {
        y[j] += e->white * normal(&rng);
        sum += (double)y[j] * (double)y[j];
    }
    float factor = sum > 0 ? (float)(1.0 / sqrt(sum)) : 1.0f;
    for (size_t j = 0; j < e->dim; j++) {
        y[j] *= factor;
    }
}

/* Vectors of up to BLOCK documents into w->y, stride last.out_padded. */
static void encode(const struct plan *plan, const struct encoder *e, int side,
                   const uint32_t *document, size_t count, struct work *w)
{
    size_t latent = e->latent, hidden = e->hidden, joined = latent + hidden;
    size_t padded = (count + 3) / 4 * 4;
    float sight = (float)plan->noise;

    memset(w->z, 0, padded * latent * sizeof *w->z);
    for (size_t r = 0; r < count; r++) {
        float *z = w->z + r * latent;
        struct rng rng = rng_make(plan, FOR_SIGHT + 16 * side, document[r]);

        document_point(plan, document[r], z);
        for (size_t q = 0; q < latent; q++) {
            z[q] += sight * plan->own[q] * normal(&rng);
        }
    }
    linear_apply(&e->bend, w->z, padded, w->hidden);
    for (size_t r = 0; r < padded; r++) {
        float *to = w->joined + r * joined;

        memcpy(to, w->z + r * latent, latent * sizeof *to);
        for (size_t j = 0; j < hidden; j++) {
            to[latent + j] = feature(w->hidden[r * e->bend.out_padded + j], j);
        }
    }
    linear_apply(&e->last, w->joined, padded, w->y);
    for (size_t r = 0; r < count; r++) {
        finish_row(plan, e, side, document[r], w->y + r * e->last.out_padded);
    }
}

/* -------------------------------------------------------------------------------- files
 */

/* Nearest half, ties to even; |x| <= 1 here, so no overflow. */
static uint16_t to_half(float x)
{
    uint32_t bits;

    memcpy(&bits, &x, sizeof bits);
    uint32_t sign = bits >> 16 & 0x8000, size = bits & 0x7fffffff;
    int exponent = (int)(size >> 23) - 112; /* the half's, biased */
    uint32_t mantissa = (size & 0x7fffff) | 0x800000;
    int drop = exponent > 0 ? 13 : 14 - exponent; /* bits that a half has no room for */

    if (drop > 24) {
        return (uint16_t)sign;
    }
    uint32_t kept = mantissa >> drop, rest = mantissa & ((1u << drop) - 1);
    uint32_t tie = 1u << (drop - 1);
    kept += rest > tie || (rest == tie && (kept & 1));
    /* A normal number has its leading one in kept: it adds 1 to the exponent. */
    uint32_t base = exponent > 0 ? (uint32_t)(exponent - 1) << 10 : 0;
    return (uint16_t)(sign | (base + kept));
}

static void path_of(char *path, size_t bytes, const struct plan *plan, const char *name)
{
    int length = snprintf(path, bytes, "%s/%s", plan->out, name);

    if (length < 0 || (size_t)length >= bytes) {
        die(2, "the folder's name is too long", plan->out);
    }
}

static FILE *create(const struct plan *plan, const char *name)
{
    char path[4096];
    FILE *file;

    path_of(path, sizeof path, plan, name);
    file = fopen(path, "w");
    if (file == NULL) {
        die(1, path, strerror(errno));
    }
    return file;
}

static void finish(FILE *file, const char *name)
{
    int bad = ferror(file);

    if (fclose(file) != 0 || bad) {
        die(1, name, "cannot write all of it");
    }
}

/* .npy version 1.0 header of 128 bytes, so that the rows are aligned in a mapped file. */
static void npy_header(const struct plan *plan, int side, char *head)
{
    static const uint8_t begin[10] = {0x93, 'N', 'U', 'M', 'P', 'Y', 1, 0, 118, 0};
    int text;

    memset(head, ' ', 128);
    memcpy(head, begin, sizeof begin);
    text = snprintf(head + 10, 118,
                    "{'descr': '<f%d', 'fortran_order': False, 'shape': (%zu, %zu), }",
                    plan->half ? 2 : 4, plan->rows[side], plan->dim[side]);
    head[10 + text] = ' ';
    head[127] = '\n';
}

/* One side being written by several threads, each a block of rows at its place. */
struct side {
    const struct plan *plan;
    struct encoder encoder;
    const uint32_t *document; /* of each row */
    int number, file;
    atomic_size_t next;
    atomic_int error; /* errno of a write that failed */
};

/* pwrite until all is written; 0 or an errno. */
static int write_all(int file, const uint8_t *bytes, size_t count, off_t at)
{
    while (count > 0) {
        ssize_t done = pwrite(file, bytes, count, at);

        if (done < 0 && errno == EINTR) {
            continue;
        }
        if (done <= 0) {
            return done < 0 ? errno : ENOSPC;
        }
        bytes += done;
        count -= (size_t)done;
        at += done;
    }
    return 0;
}

/* Little-endian coordinates of a block. Returns the bytes written. */
static size_t serialise(const struct side *s, const struct work *w, size_t count)
{
    uint8_t *to = w->bytes;

    for (size_t r = 0; r < count; r++) {
        const float *y = w->y + r * s->encoder.last.out_padded;

        for (size_t j = 0; j < s->encoder.dim; j++) {
            uint32_t bits;

            memcpy(&bits, y + j, sizeof bits);
            if (s->plan->half) {
                bits = to_half(y[j]);
            }
            *to++ = (uint8_t)bits;
            *to++ = (uint8_t)(bits >> 8);
            if (!s->plan->half) {
                *to++ = (uint8_t)(bits >> 16);
                *to++ = (uint8_t)(bits >> 24);
            }
        }
    }
    return (size_t)(to - w->bytes);
}

static void *write_blocks(void *context)
{
    struct side *s = context;
    size_t rows = s->plan->rows[s->number];
    size_t row_bytes = s->encoder.dim * (s->plan->half ? 2 : 4);
    struct work w = work_new(&s->encoder);

    while (atomic_load(&s->error) == 0) {
        size_t first = atomic_fetch_add(&s->next, 1) * BLOCK;

        if (first >= rows) {
            break;
        }
        size_t count = rows - first < BLOCK ? rows - first : BLOCK;
        encode(s->plan, &s->encoder, s->number, s->document + first, count, &w);
        size_t bytes = serialise(s, &w, count);
        int error = write_all(s->file, w.bytes, bytes, (off_t)(128 + first * row_bytes));
        if (error != 0) {
            atomic_store(&s->error, error);
        }
    }
    work_free(&w);
    return NULL;
}

static void write_side(const struct plan *plan, int number, const uint32_t *document)
{
    char path[4096], head[128];
    pthread_t thread[THREADS_MAX];
    size_t started = 0;
    struct side s = {.plan = plan,
                     .encoder = encoder_new(plan, number),
                     .document = document,
                     .number = number};

    path_of(path, sizeof path, plan, number == 0 ? "a.npy" : "b.npy");
    s.file = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (s.file < 0) {
        die(1, path, strerror(errno));
    }
    npy_header(plan, number, head);
    atomic_init(&s.next, 0);
    atomic_init(&s.error, write_all(s.file, (const uint8_t *)head, sizeof head, 0));
    while (started + 1 < plan->threads &&
           pthread_create(&thread[started], NULL, write_blocks, &s) == 0) {
        started++;
    }
    write_blocks(&s);
    for (size_t i = 0; i < started; i++) {
        pthread_join(thread[i], NULL);
    }
    int error = atomic_load(&s.error);
    if (close(s.file) != 0 && error == 0) {
        error = errno;
    }
    if (error != 0) {
        die(1, path, strerror(error));
    }
    linear_free(&s.encoder.bend);
    linear_free(&s.encoder.last);
}

/* Documents of the rows of a side: 0 .. shared - 1 are on both, the others follow, those
   of A first. */
static uint32_t *order_of(const struct plan *plan, int side)
{
    struct rng rng = rng_make(plan, FOR_ORDER, (uint64_t)side);
    uint32_t *document = get(plan->rows[side], sizeof *document);

    for (size_t i = 0; i < plan->rows[side]; i++) {
        size_t skip = side == 1 && i >= plan->shared ? plan->rows[0] - plan->shared : 0;

        document[i] = (uint32_t)(i + skip);
    }
    if (!plan->aligned) {
        shuffle(&rng, document, plan->rows[side]);
    }
    return document;
}

/* truth.csv in the order of A's rows, seeds.csv in a random one. */
static void write_pairs(const struct plan *plan, uint32_t *const document[2])
{
    uint32_t *row_b = get(plan->shared, sizeof *row_b);
    uint32_t *row_a = get(plan->shared, sizeof *row_a); /* of the pairs in order */
    struct rng rng = rng_make(plan, FOR_SEEDS, 0);
    size_t pairs = 0;
    FILE *file = create(plan, "truth.csv");

    for (size_t i = 0; i < plan->rows[1]; i++) {
        if (document[1][i] < plan->shared) {
            row_b[document[1][i]] = (uint32_t)i;
        }
    }
    fputs("a_id,b_id\n", file);
    for (size_t i = 0; i < plan->rows[0]; i++) {
        if (document[0][i] < plan->shared) {
            row_a[pairs++] = (uint32_t)i;
            fprintf(file, "%zu,%u\n", i, row_b[document[0][i]]);
        }
    }
    finish(file, "truth.csv");
    shuffle(&rng, row_a, pairs);
    file = create(plan, "seeds.csv");
    fputs("a_id,b_id\n", file);
    for (size_t i = 0; i < plan->seeds; i++) {
        fprintf(file, "%u,%u\n", row_a[i], row_b[document[0][row_a[i]]]);
    }
    finish(file, "seeds.csv");
    free(row_a);
    free(row_b);
}

static void write_ids(const struct plan *plan)
{
    FILE *file = create(plan, "ids.txt");

    for (size_t i = 0; i < plan->rows[0]; i++) {
        fprintf(file, "d%zu\n", i);
    }
    finish(file, "ids.txt");
}

/* ------------------------------------------------------------------------------ options
 */

static void usage(const char *format, const char *option, const char *text)
{
    fputs("gen_pair: ", stderr);
    /* NOLINTNEXTLINE(clang-diagnostic-format-nonliteral): constants of this file */
    fprintf(stderr, format, option, text);
    fputs("; 'gen_pair --help' lists the options\n", stderr);
    exit(2);
}

static uint64_t whole(const char *option, const char *text, uint64_t min, uint64_t max)
{
    char *end = NULL, range[160];

    errno = 0;
    uint64_t value = strtoull(text, &end, 10);
    if (text[0] < '0' || text[0] > '9' || *end != 0 || errno != 0 || value < min ||
        value > max) {
        snprintf(range, sizeof range, "a number from %llu to %llu, got '%.60s'",
                 (unsigned long long)min, (unsigned long long)max, text);
        usage("'--%s' wants %s", option, range);
    }
    return value;
}

static double real(const char *option, const char *text, double max)
{
    char *end = NULL, range[160];
    double value = strtod(text, &end);

    if (text[strspn(text, "0123456789.")] != 0 || text[0] == 0 || *end != 0 ||
        !(value >= 0 && value <= max)) {
        snprintf(range, sizeof range, "a number from 0 to %g, got '%.60s'", max, text);
        usage("'--%s' wants %s", option, range);
    }
    return value;
}

/* Sizes that follow from the options. */
static void complete(struct plan *plan, int overlap_given)
{
    char text[160];
    size_t smaller = plan->rows[0] < plan->rows[1] ? plan->rows[0] : plan->rows[1];

    if (plan->aligned && (overlap_given || plan->rows[0] != plan->rows[1])) {
        usage("'--%s' %s", "aligned",
              "has all documents on both sides: no --overlap, no different rows");
    }
    plan->overlap = plan->aligned ? 1.0 : plan->overlap;
    plan->shared = (size_t)(plan->overlap * (double)smaller + 0.5);
    plan->total = plan->rows[0] + plan->rows[1] - plan->shared;
    if (!plan->aligned && plan->seeds > plan->shared) {
        snprintf(text, sizeof text, "at most the %zu shared documents, got %zu",
                 plan->shared, plan->seeds);
        usage("'--%s' wants %s", "seeds", text);
    }
    if (plan->clusters == 0) {
        plan->clusters = plan->total / 40;
    }
    if (plan->clusters == 0) {
        plan->clusters = 1;
    }
    plan->topic = latent_spread(plan->latent, topic_part, coarse_knee);
    plan->cluster = latent_spread(plan->latent, cluster_part, coarse_knee);
    plan->own = latent_spread(plan->latent, own_part, own_knee);
    plan->topics = (size_t)sqrt((double)plan->clusters);
    if (plan->threads == 0) {
        long cores = sysconf(_SC_NPROCESSORS_ONLN);

        plan->threads = cores < 1 ? 1 : cores > THREADS_MAX ? THREADS_MAX : (size_t)cores;
    }
}

enum {
    ROWS = 1,
    ROWS_A,
    ROWS_B,
    DIM,
    DIM_A,
    DIM_B,
    LATENT,
    CLUSTERS,
    SEEDS,
    SEED,
    THREADS,
    OVERLAP,
    BEND,
    NOISE,
    TWINS,
    DTYPE,
    ALIGNED,
};

static const struct option options[] = {
    {"rows", required_argument, NULL, ROWS},
    {"rows-a", required_argument, NULL, ROWS_A},
    {"rows-b", required_argument, NULL, ROWS_B},
    {"dim", required_argument, NULL, DIM},
    {"dim-a", required_argument, NULL, DIM_A},
    {"dim-b", required_argument, NULL, DIM_B},
    {"latent", required_argument, NULL, LATENT},
    {"clusters", required_argument, NULL, CLUSTERS},
    {"seeds", required_argument, NULL, SEEDS},
    {"seed", required_argument, NULL, SEED},
    {"threads", required_argument, NULL, THREADS},
    {"overlap", required_argument, NULL, OVERLAP},
    {"bend", required_argument, NULL, BEND},
    {"noise", required_argument, NULL, NOISE},
    {"twins", required_argument, NULL, TWINS},
    {"dtype", required_argument, NULL, DTYPE},
    {"aligned", no_argument, NULL, ALIGNED},
    {"help", no_argument, NULL, 'h'},
    {NULL, 0, NULL, 0},
};

/* The options that are whole numbers. */
static void set_size(struct plan *plan, int option, const char *name, const char *text)
{
    if (option == ROWS || option == ROWS_A || option == ROWS_B) {
        /* Documents are numbered in 32 bits; both sides together stay below. */
        size_t rows = (size_t)whole(name, text, 1, IL_ROWS_MAX);

        plan->rows[0] = option != ROWS_B ? rows : plan->rows[0];
        plan->rows[1] = option != ROWS_A ? rows : plan->rows[1];
    } else if (option == DIM || option == DIM_A || option == DIM_B) {
        size_t dim = (size_t)whole(name, text, 1, 16384);

        plan->dim[0] = option != DIM_B ? dim : plan->dim[0];
        plan->dim[1] = option != DIM_A ? dim : plan->dim[1];
    } else if (option == LATENT) {
        plan->latent = (size_t)whole(name, text, 1, 1024);
    } else if (option == CLUSTERS) {
        plan->clusters = (size_t)whole(name, text, 1, IL_ROWS_MAX);
    } else if (option == SEEDS) {
        plan->seeds = (size_t)whole(name, text, 0, IL_ROWS_MAX);
    } else if (option == SEED) {
        plan->seed = whole(name, text, 0, UINT64_MAX);
    } else {
        plan->threads = (size_t)whole(name, text, 1, THREADS_MAX);
    }
}

static void set_share(struct plan *plan, int option, const char *name, const char *text)
{
    double *const field[] = {&plan->overlap, &plan->bend, &plan->noise, &plan->twins};
    double max = option == OVERLAP || option == TWINS ? 1.0 : 100.0;

    *field[option - OVERLAP] = real(name, text, max);
}

static void read_plan(int argc, char **argv, struct plan *plan)
{
    int option, index = 0, overlap_given = 0;

    opterr = 0;
    while ((option = getopt_long(argc, argv, ":h", options, &index)) != -1) {
        if (option == 'h') {
            fputs(help, stdout);
            exit(fflush(stdout) == 0 ? 0 : 1);
        } else if (option == '?' || option == ':') {
            usage("%s '%s'", option == '?' ? "unknown option" : "no value for",
                  argv[optind - 1]);
        } else if (option == DTYPE) {
            if (strcmp(optarg, "f4") != 0 && strcmp(optarg, "f2") != 0) {
                usage("'--%s' wants f4 or f2, got '%.60s'", "dtype", optarg);
            }
            plan->half = optarg[1] == '2';
        } else if (option == ALIGNED) {
            plan->aligned = 1;
        } else if (option >= OVERLAP) {
            set_share(plan, option, options[index].name, optarg);
            overlap_given |= option == OVERLAP;
        } else {
            set_size(plan, option, options[index].name, optarg);
        }
    }
    if (argc - optind != 1) {
        usage("wants %s%s", "one folder, OUT", "");
    }
    plan->out = argv[optind];
    complete(plan, overlap_given);
}

int main(int argc, char **argv)
{
    struct plan plan = {.rows = {10000, 10000},
                        .dim = {384, 384},
                        .latent = 48,
                        .seeds = 15,
                        .overlap = 0.3,
                        .bend = 1.0,
                        .noise = 0.6,
                        .twins = 0.05};
    uint32_t *document[2];

    read_plan(argc, argv, &plan);
    if (mkdir(plan.out, 0777) != 0 && errno != EEXIST) {
        die(1, plan.out, strerror(errno));
    }
    for (int side = 0; side < 2; side++) {
        document[side] = order_of(&plan, side);
        write_side(&plan, side, document[side]);
    }
    if (plan.aligned) {
        write_ids(&plan);
    } else {
        write_pairs(&plan, document);
    }
    free(document[0]);
    free(document[1]);
    free(plan.topic);
    free(plan.cluster);
    free(plan.own);
    return 0;
}
