/* SPDX-License-Identifier: Apache-2.0 */
/* Test inputs without Python: pairs of stores that share documents, and broken .npy
   files. Needs libc and libm only; equal options give equal files on one machine. */
#include <getopt.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char help[] =
    "mkvec pair DIR [options]      a.npy b.npy a.ids.txt b.ids.txt seeds.csv truth.csv\n"
    "  --rows-a N --rows-b N --shared N --dim-a N --dim-b N --latent N --clusters N\n"
    "  --noise X --seeds N --wrong N --draw N --format npy|fvecs|fbin\n"
    "  --unrelated (other documents on side B)  --noise-b (side B is noise)\n"
    "  --shuffle-seeds (every seed is wrong)\n"
    "mkvec npy FILE DICT BYTES     .npy with this header text and so many zero bytes\n"
    "mkvec poke FILE.npy ROW X     sets a row of a <f4 file to X (nan, inf, 0, ...)\n";

struct plan {
    const char *dir;
    const char *format;
    size_t rows[2], shared, dim[2], latent, clusters, seeds, wrong;
    uint64_t draw;
    double noise;
    int unrelated, noise_b, shuffle_seeds;
};

static void die(const char *what, const char *text)
{
    fprintf(stderr, "mkvec: %s %s\n", what, text);
    exit(2);
}

static void *get(size_t count, size_t bytes)
{
    void *block = calloc(count > 0 ? count : 1, bytes);

    if (block == NULL) {
        die("no memory for", "the rows");
    }
    return block;
}

/* splitmix64 and the polar method. */
static uint64_t random_next(uint64_t *state)
{
    uint64_t z = (*state += 0x9e3779b97f4a7c15u);

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

static double random_normal(uint64_t *state)
{
    double u, v, s;

    do {
        u = (double)(random_next(state) >> 11) * 0x1p-52 - 1.0;
        v = (double)(random_next(state) >> 11) * 0x1p-52 - 1.0;
        s = u * u + v * v;
    } while (s >= 1.0 || s == 0.0);
    return u * sqrt(-2.0 * log(s) / s);
}

static double *random_block(uint64_t *state, size_t count, double scale)
{
    double *block = get(count, sizeof *block);

    for (size_t i = 0; i < count; i++) {
        block[i] = scale * random_normal(state);
    }
    return block;
}

static size_t *random_order(uint64_t *state, size_t count)
{
    size_t *order = get(count, sizeof *order);

    for (size_t i = 0; i < count; i++) {
        size_t j = (size_t)(random_next(state) % (i + 1));

        order[i] = order[j];
        order[j] = i;
    }
    return order;
}

static FILE *create(const char *dir, const char *name)
{
    char path[4096];
    FILE *file;

    snprintf(path, sizeof path, "%s%s%s", dir, dir[0] != 0 ? "/" : "", name);
    file = fopen(path, "wb");
    if (file == NULL) {
        die("cannot create", path);
    }
    return file;
}

static void finish(FILE *file)
{
    if (ferror(file) || fclose(file) != 0) {
        die("cannot write", "a file");
    }
}

static void put_u32(FILE *file, size_t value)
{
    for (int i = 0; i < 4; i++) {
        fputc((int)(value >> (8 * i) & 0xff), file);
    }
}

/* Version 1.0; the data starts at a multiple of 64 bytes. */
static void put_npy_header(FILE *file, const char *dict)
{
    size_t text = strlen(dict);
    size_t bytes = (10 + text + 1 + 63) / 64 * 64 - 10;

    fwrite("\x93NUMPY\x01\x00", 1, 8, file);
    fputc((int)(bytes & 0xff), file);
    fputc((int)(bytes >> 8 & 0xff), file);
    fprintf(file, "%s%*s\n", dict, (int)(bytes - text - 1), "");
}

static void put_rows(const struct plan *plan, int side, const float *rows)
{
    char name[32], dict[128];
    size_t n = plan->rows[side], d = plan->dim[side];
    FILE *file;

    snprintf(name, sizeof name, "%c.%s", "ab"[side], plan -> format);
    file = create(plan->dir, name);
    if (strcmp(plan->format, "npy") == 0) {
        snprintf(dict, sizeof dict,
                 "{'descr': '<f4', 'fortran_order': False, 'shape': (%zu, %zu), }", n, d);
        put_npy_header(file, dict);
    } else if (strcmp(plan->format, "fbin") == 0) {
        put_u32(file, n);
        put_u32(file, d);
    }
    for (size_t i = 0; i < n; i++) {
        if (strcmp(plan->format, "fvecs") == 0) {
            put_u32(file, d);
        }
        fwrite(rows + i * d, sizeof *rows, d, file);
    }
    finish(file);
}

/* What a document is about: a point near the centre of its cluster. */
static void document(const struct plan *plan, const double *centres, size_t number,
                     uint64_t salt, double *out)
{
    uint64_t state = plan->draw * 1000003u + salt + number * 7919u;
    const double *centre;

    centre = centres + random_next(&state) % plan->clusters * plan->latent;
    for (size_t j = 0; j < plan->latent; j++) {
        out[j] = centre[j] + 0.7 * random_normal(&state);
    }
}

/* x = W z + tanh(V z) + noise: linear enough to be linked, not so much as to be trivial.
 */
static void embed(const struct plan *plan, int side, const size_t *documents, float *rows)
{
    uint64_t centre_state = plan->draw + 11;
    uint64_t state = plan->draw * 31 + 101 + (uint64_t)side;
    size_t k = plan->latent, d = plan->dim[side];
    double scale = 1.0 / sqrt((double)k);
    double *centres = random_block(&centre_state, plan->clusters * k, 1.0);
    double *w = random_block(&state, d * k, scale);
    double *v = random_block(&state, d * k, scale);
    double *z = get(k, sizeof *z);

    for (size_t i = 0; i < plan->rows[side]; i++) {
        uint64_t salt = side == 1 && plan->unrelated ? 0x5bd1e995u : 0;

        document(plan, centres, documents[i], salt, z);
        for (size_t j = 0; j < d; j++) {
            double linear = 0.0, bent = 0.0;

            for (size_t c = 0; c < k; c++) {
                linear += w[j * k + c] * z[c];
                bent += v[j * k + c] * z[c];
            }
            double x = linear + 0.5 * tanh(bent) + plan->noise * random_normal(&state);
            if (side == 1 && plan->noise_b) {
                x = random_normal(&state);
            }
            rows[i * d + j] = (float)x;
        }
    }
    free(centres);
    free(w);
    free(v);
    free(z);
}

static void put_side(const struct plan *plan, int side)
{
    uint64_t state = plan->draw * 17 + 5 + (uint64_t)side;
    size_t n = plan->rows[side];
    size_t *documents = random_order(&state, n);
    float *rows = get(n * plan->dim[side], sizeof *rows);
    FILE *file = create(plan->dir, side == 0 ? "a.ids.txt" : "b.ids.txt");

    for (size_t i = 0; i < n; i++) {
        /* Documents 0 .. shared - 1 are on both sides, the others on one. */
        if (documents[i] >= plan->shared && side == 1) {
            documents[i] += plan->rows[0];
        }
        fprintf(file, "d%zu\n", documents[i]);
    }
    finish(file);
    embed(plan, side, documents, rows);
    put_rows(plan, side, rows);
    free(rows);
    free(documents);
}

static void put_pairs(const struct plan *plan)
{
    uint64_t state = plan->draw * 13 + 3;
    size_t *order = random_order(&state, plan->shared);
    FILE *file = create(plan->dir, "seeds.csv");

    fputs("a_id,b_id\n", file);
    for (size_t i = 0; i < plan->seeds; i++) {
        size_t partner = i;

        if (plan->shuffle_seeds) {
            partner = (i + 1) % plan->seeds;
        } else if (i < plan->wrong) {
            partner = plan->shared - 1 - i;
        }
        fprintf(file, "d%zu,d%zu\n", order[i], order[partner]);
    }
    finish(file);
    file = create(plan->dir, "truth.csv");
    fputs("a_id,b_id\n", file);
    for (size_t i = 0; i < plan->shared && !plan->unrelated && !plan->noise_b; i++) {
        fprintf(file, "d%zu,d%zu\n", i, i);
    }
    finish(file);
    free(order);
}

static size_t number(const char *text)
{
    char *end = NULL;
    unsigned long long value = strtoull(text, &end, 10);

    if (end == text || *end != 0 || text[0] == '-') {
        die("no number:", text);
    }
    return (size_t)value;
}

static void read_plan(int argc, char **argv, struct plan *plan)
{
    static const struct option options[] = {
        {"rows-a", required_argument, NULL, 1},   {"rows-b", required_argument, NULL, 2},
        {"shared", required_argument, NULL, 3},   {"dim-a", required_argument, NULL, 4},
        {"dim-b", required_argument, NULL, 5},    {"latent", required_argument, NULL, 6},
        {"clusters", required_argument, NULL, 7}, {"noise", required_argument, NULL, 8},
        {"seeds", required_argument, NULL, 9},    {"wrong", required_argument, NULL, 10},
        {"draw", required_argument, NULL, 11},    {"format", required_argument, NULL, 12},
        {"unrelated", no_argument, NULL, 13},     {"noise-b", no_argument, NULL, 14},
        {"shuffle-seeds", no_argument, NULL, 15}, {NULL, 0, NULL, 0},
    };
    size_t *const sizes[] = {NULL,          &plan->rows[0], &plan->rows[1],
                             &plan->shared, &plan->dim[0],  &plan->dim[1],
                             &plan->latent, &plan->clusters};
    int option;

    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
        if (option >= 1 && option <= 7) {
            *sizes[option] = number(optarg);
        } else if (option == 8) {
            plan->noise = strtod(optarg, NULL);
        } else if (option == 9 || option == 10) {
            *(option == 9 ? &plan->seeds : &plan->wrong) = number(optarg);
        } else if (option == 11) {
            plan->draw = number(optarg);
        } else if (option == 12) {
            plan->format = optarg;
        } else if (option >= 13 && option <= 15) {
            plan->unrelated |= option == 13;
            plan->noise_b |= option == 14;
            plan->shuffle_seeds |= option == 15;
        } else {
            die("unknown option;", help);
        }
    }
    if (argc - optind != 1) {
        die("wants one directory;", help);
    }
    plan->dir = argv[optind];
}

static void make_pair(int argc, char **argv)
{
    struct plan plan = {.format = "npy",
                        .rows = {600, 600},
                        .shared = 300,
                        .dim = {48, 64},
                        .latent = 16,
                        .clusters = 24,
                        .seeds = 15,
                        .noise = 0.05};

    read_plan(argc, argv, &plan);
    if (plan.shared > plan.rows[0] || plan.shared > plan.rows[1] || plan.clusters == 0 ||
        plan.latent == 0 || plan.seeds + plan.wrong > plan.shared) {
        die("sizes do not fit:", "shared <= rows, seeds + wrong <= shared");
    }
    put_side(&plan, 0);
    put_side(&plan, 1);
    put_pairs(&plan);
}

static void make_npy(char **argv)
{
    FILE *file = create("", argv[2]);

    put_npy_header(file, argv[3]);
    for (size_t left = number(argv[4]); left > 0; left--) {
        fputc(0, file);
    }
    finish(file);
}

static void poke(char **argv)
{
    unsigned char head[10];
    char dict[1024] = "";
    size_t rows = 0, dim = 0, row = number(argv[3]);
    float value = strtof(argv[4], NULL);
    FILE *file = fopen(argv[2], "r+b");
    size_t bytes;
    const char *shape;

    if (file == NULL || fread(head, 1, sizeof head, file) != sizeof head) {
        die("cannot read", argv[2]);
    }
    bytes = head[8] + 256u * head[9];
    if (bytes >= sizeof dict || fread(dict, 1, bytes, file) != bytes) {
        die("no header in", argv[2]);
    }
    shape = strchr(dict, '(');
    if (shape == NULL || sscanf(shape, "(%zu, %zu)", &rows, &dim) != 2 || row >= rows) {
        die("no such row in", argv[2]);
    }
    fseek(file, (long)(sizeof head + bytes + row * dim * sizeof value), SEEK_SET);
    for (size_t i = 0; i < dim; i++) {
        fwrite(&value, sizeof value, 1, file);
    }
    finish(file);
}

int main(int argc, char **argv)
{
    if (argc >= 3 && strcmp(argv[1], "pair") == 0) {
        make_pair(argc - 1, argv + 1);
    } else if (argc == 5 && strcmp(argv[1], "npy") == 0) {
        make_npy(argv);
    } else if (argc == 5 && strcmp(argv[1], "poke") == 0) {
        poke(argv);
    } else {
        fputs(help, stderr);
        return 2;
    }
    return 0;
}
