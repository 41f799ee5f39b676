/* SPDX-License-Identifier: Apache-2.0 */
/* Maps fitted on rows whose true map is known. */
#include "src/link/frame.h"
#include "formats/map_file.h"
#include "tests/unit/unit.h"
#include "tests/unit/linkdata.h"

#define D 12

/* Rows of A, their images, and links between equal row numbers. */
struct world {
    size_t rows, d[2];
    float *x[2];
    struct il_link *link;
    size_t links;
};

static void world_open(struct world *w, size_t rows, size_t da, size_t db, size_t links)
{
    *w = (struct world){.rows = rows, .d = {da, db}, .links = links};
    for (int side = 0; side < 2; side++) {
        w->x[side] = calloc(rows * w->d[side] + 1, sizeof(float));
        assert_non_null(w->x[side]);
    }
    w->link = calloc(links + 1, sizeof(*w->link));
    assert_non_null(w->link);
    for (size_t i = 0; i < links; i++)
        w->link[i] = (struct il_link){.a = i, .b = i, .posterior = 1};
}

static void world_close(struct world *w)
{
    free(w->x[0]);
    free(w->x[1]);
    free(w->link);
}

static struct il_matrix matrix(const struct world *w, int side)
{
    return (struct il_matrix){IL_F32, w->rows, w->d[side], w->d[side] * sizeof(float),
                              w->x[side]};
}

/* A matrix with orthonormal rows (Gram and Schmidt), d x d. */
static void rotation(size_t d, uint64_t draw, double *q)
{
    struct ld_rng rng = {draw};
    for (size_t i = 0; i < d; i++) {
        for (size_t j = 0; j < d; j++)
            q[i * d + j] = ld_normal(&rng);
        for (size_t turn = 0; turn < 2; turn++)
            for (size_t o = 0; o < i; o++) {
                double dot = 0;
                for (size_t j = 0; j < d; j++)
                    dot += q[i * d + j] * q[o * d + j];
                for (size_t j = 0; j < d; j++)
                    q[i * d + j] -= dot * q[o * d + j];
            }
        double length = 0;
        for (size_t j = 0; j < d; j++)
            length += q[i * d + j] * q[i * d + j];
        for (size_t j = 0; j < d; j++)
            q[i * d + j] /= sqrt(length);
    }
}

/* B = A times a rotation that `which` chooses by the row, and noise. The rows have a mean
   of their own, and lengths that differ. */
static void turn_rows(struct world *w, double noise, size_t turns)
{
    static double q[3][D * D];
    struct ld_rng rng = {42};
    for (size_t t = 0; t < turns; t++)
        rotation(D, 100 + t, q[t]);
    for (size_t i = 0; i < w->rows; i++) {
        float *a = w->x[0] + i * D, *b = w->x[1] + i * D;
        size_t t = (size_t)(ld_next(&rng) % turns);
        double length = 0.5 + ld_uniform(&rng);
        for (size_t j = 0; j < D; j++)
            a[j] = (float)(length * (ld_normal(&rng) * (j < 3 ? 1.5 : 0.7) + 0.3 +
                                     (j == t + 3 && turns > 1 ? 6.0 : 0)));
        for (size_t j = 0; j < D; j++) {
            double sum = 0;
            for (size_t k = 0; k < D; k++)
                sum += (double)a[k] * q[t][k * D + j];
            b[j] = (float)(sum + noise * length * ld_normal(&rng));
        }
    }
}

static struct il_mapping *fitted(const struct world *w,
                                 const struct il_map_config *config)
{
    struct il_matrix a = matrix(w, 0), b = matrix(w, 1);
    struct il_mapping *m = NULL;
    struct il_error error = {""};
    if (il_mapping_fit(&m, &a, &b, w->link, w->links, config, &error) != IL_OK)
        fail_msg("%s", error.text);
    return m;
}

static struct il_map_config config_of(enum il_map_kind kind)
{
    struct il_map_config config;
    il_map_config_init(&config);
    config.kind = kind;
    config.threads = 2;
    return config;
}

/* Images of all rows of a side; to be freed. */
static float *images(const struct il_mapping *m, const struct world *w, int way,
                     float *sure)
{
    struct il_mapper *mapper = NULL;
    struct il_error error;
    float *out = calloc(w->rows * w->d[!way] + 1, sizeof(*out));
    size_t lost = 99;
    assert_non_null(out);
    assert_int_equal(il_mapper_open(&mapper, m, way, 2, &error), IL_OK);
    assert_int_equal(il_mapper_rows(mapper, w->x[way], w->rows, out, sure, &lost), IL_OK);
    assert_int_equal(lost, 0);
    il_mapper_close(&mapper);
    return out;
}

/* Largest distance of a coordinate from that of the row of length 1. */
static double worst(const float *image, const struct world *w, int side)
{
    double most = 0;
    for (size_t i = 0; i < w->rows; i++) {
        const float *x = w->x[side] + i * w->d[side];
        double length = 0;
        for (size_t j = 0; j < w->d[side]; j++)
            length += (double)x[j] * (double)x[j];
        for (size_t j = 0; j < w->d[side]; j++) {
            double off = (double)image[i * w->d[side] + j] - (double)x[j] / sqrt(length);
            most = fabs(off) > most ? fabs(off) : most;
        }
    }
    return most;
}

static void a_rotation_is_recovered(void **state)
{
    (void)state;
    struct world w;
    world_open(&w, 400, D, D, 120);
    turn_rows(&w, 0, 1);
    struct il_map_config config = config_of(IL_MAP_ORTHOGONAL);
    struct il_mapping *m = fitted(&w, &config);
    for (int way = 0; way < 2; way++) {
        const struct il_map_figures *f = &il_mapping_info(m)->way[way];
        float *image = images(m, &w, way, NULL);
        double off = worst(image, &w, !way);
        if (off > 1e-5)
            fail_msg("way %d: %g away", way, off);
        assert_true(f->cosine > 1 - 1e-6 && f->cosine <= 1);
        assert_true(f->residual[4] < 1e-3);
        assert_true(f->recall1 == 1 && f->recall10 == 1);
        assert_int_equal(f->rank, D);
        assert_int_equal(f->candidates, w.rows);
        free(image);
    }
    il_mapping_close(&m);
    world_close(&w);
}

/* What is simple and right is chosen, and a bent world is not called a rotation. */
static void the_simplest_kind_that_serves_is_chosen(void **state)
{
    (void)state;
    struct world w;
    struct il_map_config config = config_of(IL_MAP_AUTO);
    world_open(&w, 300, D, D, 60);
    turn_rows(&w, 0.01, 1);
    struct il_mapping *m = fitted(&w, &config);
    assert_int_equal(il_mapping_info(m)->kind, IL_MAP_ORTHOGONAL);
    il_mapping_close(&m);
    /* every second axis twice as long on side B */
    for (size_t i = 0; i < w.rows; i++)
        for (size_t j = 0; j < D; j += 2)
            w.x[1][i * D + j] *= 4;
    m = fitted(&w, &config);
    assert_int_equal(il_mapping_info(m)->kind, IL_MAP_RIDGE);
    assert_true(il_mapping_info(m)->way[0].lambda > 0);
    il_mapping_close(&m);
    world_close(&w);
}

/* Three clusters of rows, each turned its own way. */
static void local_maps_follow_clusters(void **state)
{
    (void)state;
    struct world w;
    world_open(&w, 1800, D, D, 1500);
    turn_rows(&w, 0.02, 3);
    struct il_map_config config = config_of(IL_MAP_AUTO);
    struct il_mapping *m = fitted(&w, &config);
    const struct il_map_info *info = il_mapping_info(m);
    assert_int_equal(info->kind, IL_MAP_LOCAL);
    assert_int_equal(info->pieces, 3);
    double local = info->way[0].cosine;
    il_mapping_close(&m);
    config.kind = IL_MAP_RIDGE;
    m = fitted(&w, &config);
    if (!(local > il_mapping_info(m)->way[0].cosine + 0.02))
        fail_msg("local %g, ridge %g", local, il_mapping_info(m)->way[0].cosine);
    il_mapping_close(&m);
    world_close(&w);
}

/* Cosine of images and rows of B, both less the mean row, over rows that were no links.
 */
static double fresh_cosine(const struct il_mapping *m, const struct world *w)
{
    float *image = images(m, w, 0, NULL);
    double sum = 0, mean[D] = {0};
    size_t count = w->rows - w->links;
    for (size_t i = 0; i < w->rows; i++)
        il_row_unit(w->x[1] + i * D, D);
    for (size_t i = 0; i < w->rows; i++)
        for (size_t j = 0; j < D; j++)
            mean[j] += (double)w->x[1][i * D + j] / (double)w->rows;
    for (size_t i = w->links; i < w->rows; i++) {
        double xy = 0, xx = 0, yy = 0;
        for (size_t j = 0; j < D; j++) {
            double x = (double)image[i * D + j] - mean[j];
            double y = (double)w->x[1][i * D + j] - mean[j];
            xy += x * y;
            xx += x * x;
            yy += y * y;
        }
        sum += xy / sqrt(xx * yy);
    }
    free(image);
    return sum / (double)count;
}

/* Few noisy links: in-sample figures would be far too good. */
static void held_out_figures_are_those_of_new_rows(void **state)
{
    (void)state;
    struct world w;
    world_open(&w, 1000, D, D, 40);
    turn_rows(&w, 0.7, 1);
    struct il_map_config config = config_of(IL_MAP_RIDGE);
    struct il_mapping *m = fitted(&w, &config);
    double told = il_mapping_info(m)->way[0].cosine, fresh = fresh_cosine(m, &w);
    if (fabs(told - fresh) > 0.06)
        fail_msg("told %g, on new rows %g", told, fresh);
    il_mapping_close(&m);
    world_close(&w);
}

/* Two of three clusters have links, and the third is turned another way. */
static void confidence_falls_away_from_the_fitted_rows(void **state)
{
    (void)state;
    struct world w;
    double sum[2] = {0}, count[2] = {0};
    world_open(&w, 900, D, D, 400);
    turn_rows(&w, 0.05, 3);
    size_t links = 0;
    for (size_t i = 0; i < w.rows && links < 400; i++)
        if (fabsf(w.x[0][i * D + 5]) < 2)
            w.link[links++] = (struct il_link){.a = i, .b = i, .posterior = 1};
    assert_int_equal(links, 400);
    struct il_map_config config = config_of(IL_MAP_RIDGE);
    struct il_mapping *m = fitted(&w, &config);
    float *sure = calloc(w.rows, sizeof(*sure));
    assert_non_null(sure);
    free(images(m, &w, 0, sure));
    for (size_t i = 0; i < w.rows; i++) {
        int other = fabsf(w.x[0][i * D + 5]) >= 2;
        sum[other] += (double)sure[i];
        count[other]++;
    }
    if (!(sum[0] / count[0] > sum[1] / count[1] + 0.2))
        fail_msg("like %g, other %g", sum[0] / count[0], sum[1] / count[1]);
    free(sure);
    il_mapping_close(&m);
    world_close(&w);
}

/* Half of the links are wrong; with posteriors that say so they hardly harm. */
static void posteriors_weigh(void **state)
{
    (void)state;
    struct world w;
    world_open(&w, 400, D, D, 200);
    turn_rows(&w, 0.05, 1);
    for (size_t i = 100; i < 200; i++) {
        w.link[i].b = 399 - i;
        w.link[i].posterior = 0.001;
    }
    struct il_map_config config = config_of(IL_MAP_ORTHOGONAL);
    struct il_mapping *m = fitted(&w, &config);
    assert_true(il_mapping_info(m)->way[0].cosine > 0.98);
    assert_true(fabs(il_mapping_info(m)->weight - 100.1) < 1e-4);
    il_mapping_close(&m);
    for (size_t i = 100; i < 200; i++)
        w.link[i].posterior = 1;
    m = fitted(&w, &config);
    assert_true(il_mapping_info(m)->way[0].cosine < 0.8);
    il_mapping_close(&m);
    world_close(&w);
}

static unsigned char *bytes_of(const struct il_mapping *m, size_t *bytes)
{
    unsigned char *data = NULL;
    assert_int_equal(il_mapping_encode(m, &data, bytes), IL_OK);
    return data;
}

/* Bytes of the map, and of rows through it, by threads, instruction set, order of the
   links. */
static void equal_bytes(size_t rows, size_t links, enum il_map_kind kind, int ref)
{
    struct il_simd table[4];
    struct world w;
    size_t isas = ld_isas(table), bytes[2];
    const enum il_isa best = il_simd()->isa;
    world_open(&w, rows, D, D, links);
    turn_rows(&w, 0.05, 2);
    struct il_map_config config = config_of(kind);
    struct il_mapping *first = fitted(&w, &config);
    unsigned char *data = bytes_of(first, &bytes[0]);
    float *sure = calloc(2 * w.rows, sizeof(*sure));
    float *image = images(first, &w, 1, sure);
    for (size_t i = ref ? 0 : isas > 1; i < isas; i++) {
        ld_use_isa(table[i].isa);
        for (unsigned threads = 1; threads <= 3; threads += 2) {
            struct il_link swap = w.link[i];
            w.link[i] = w.link[100 + threads];
            w.link[100 + threads] = swap;
            config.threads = threads;
            struct il_mapping *m = fitted(&w, &config);
            unsigned char *again = bytes_of(m, &bytes[1]);
            float *other = images(m, &w, 1, sure + w.rows);
            assert_int_equal(bytes[0], bytes[1]);
            assert_memory_equal(data, again, bytes[0]);
            assert_memory_equal(image, other, w.rows * D * sizeof(*image));
            assert_memory_equal(sure, sure + w.rows, w.rows * sizeof(*sure));
            free(other);
            il_free(again);
            il_mapping_close(&m);
        }
    }
    ld_use_isa(best);
    free(image);
    free(sure);
    il_free(data);
    il_mapping_close(&first);
    world_close(&w);
}

/* The portable kernels take their time: no clusters for them. */
static void equal_bytes_everywhere(void **state)
{
    (void)state;
    equal_bytes(250, 150, IL_MAP_AUTO, 1);
    equal_bytes(1300, 1100, IL_MAP_LOCAL, 0);
}

static void a_saved_map_maps_alike(void **state)
{
    (void)state;
    struct world w;
    world_open(&w, 200, D, D, 60);
    turn_rows(&w, 0.05, 1);
    struct il_map_config config = config_of(IL_MAP_RIDGE);
    struct il_error error;
    config.model[0] = "one";
    struct il_mapping *m = fitted(&w, &config), *read = NULL;
    const char *path = unit_path("m.ilm");
    assert_int_equal(il_mapping_save(m, path, &error), IL_OK);
    assert_int_equal(il_mapping_load(&read, path, &error), IL_OK);
    assert_string_equal(il_mapping_info(read)->model[0], "one");
    assert_string_equal(il_mapping_info(read)->model[1], "");
    float *x = images(m, &w, 0, NULL), *y = images(read, &w, 0, NULL);
    assert_memory_equal(x, y, w.rows * D * sizeof(*x));
    free(x);
    free(y);
    il_mapping_close(&read);
    assert_int_equal(il_mapping_load(&read, unit_path("none"), &error), IL_EIO);
    assert_null(read);
    il_mapping_close(&m);
    assert_int_equal(unit_temps(), 0);
    world_close(&w);
}

/* Rows without direction are left out of the fit, and have no image. */
static void unusable_rows(void **state)
{
    (void)state;
    struct world w;
    world_open(&w, 200, D, D, 60);
    turn_rows(&w, 0.05, 1);
    memset(w.x[0], 0, D * sizeof(float));
    w.x[1][5 * D + 3] = NAN;
    struct il_map_config config = config_of(IL_MAP_RIDGE);
    struct il_mapping *m = fitted(&w, &config);
    struct il_mapper *mapper = NULL;
    struct il_error error;
    float out[7 * D], sure[7], zeros[D] = {0};
    size_t lost = 0;
    assert_int_equal(il_mapping_info(m)->links, 58);
    assert_int_equal(il_mapper_open(&mapper, m, 1, 1, &error), IL_OK);
    assert_int_equal(il_mapper_rows(mapper, w.x[1], 7, out, sure, &lost), IL_OK);
    assert_int_equal(lost, 1);
    assert_memory_equal(out + 5 * D, zeros, sizeof(zeros));
    assert_true(sure[5] == 0 && sure[6] > 0);
    for (size_t i = 0; i < 7; i++) {
        double length = 0;
        for (size_t j = 0; j < D; j++)
            length += (double)out[i * D + j] * (double)out[i * D + j];
        assert_true(fabs(length - (i != 5)) < 1e-5);
    }
    il_mapper_close(&mapper);
    il_mapping_close(&m);
    world_close(&w);
}

/* Sides of other dimensions and of other sizes. */
static void sides_may_differ(void **state)
{
    (void)state;
    struct ld_plan plan = ld_plan_small();
    struct ld_pair pair;
    struct il_map_config config = config_of(IL_MAP_AUTO);
    struct il_error error;
    plan.rows[1] = 3600;
    plan.rows[0] = 60;
    plan.shared = 60;
    ld_open(&pair, &plan);
    struct il_matrix a = ld_matrix(&pair, 0), b = ld_matrix(&pair, 1);
    struct il_link link[60];
    for (size_t i = 0; i < 60; i++)
        link[i] = (struct il_link){.a = i, .b = pair.partner[0][i], .posterior = 1};
    struct il_mapping *m = NULL;
    config.columns = 16;
    assert_int_equal(il_mapping_fit(&m, &a, &b, link, 60, &config, &error), IL_OK);
    const struct il_map_info *info = il_mapping_info(m);
    assert_int_equal(info->dim[0], 24);
    assert_int_equal(info->dim[1], 20);
    assert_int_equal(info->columns[0], 16);
    assert_true(info->way[0].recall10 > 0.3 && info->way[1].recall10 > 0.3);
    il_mapping_close(&m);
    ld_close(&pair);
}

static void refused(const struct world *w, const struct il_map_config *config,
                    enum il_status wanted, const char *says)
{
    struct il_matrix a = matrix(w, 0), b = matrix(w, 1);
    struct il_mapping *m = NULL;
    struct il_error error = {""};
    assert_int_equal(il_mapping_fit(&m, &a, &b, w->link, w->links, config, &error),
                     wanted);
    unit_says(&error, says);
    assert_null(m);
}

static void what_cannot_be_fitted_is_refused(void **state)
{
    (void)state;
    struct world w;
    struct il_map_config good = config_of(IL_MAP_AUTO), bad = good;
    il_atomic_int cancel = 1;
    world_open(&w, 100, D, D, 40);
    turn_rows(&w, 0.05, 1);
    w.links = 19;
    refused(&w, &good, IL_EBOOTSTRAP, "19 of 19 links are on usable rows");
    w.links = 0;
    refused(&w, &good, IL_EBOOTSTRAP, "at least 20");
    w.links = 40;
    w.link[3].b = 100;
    refused(&w, &good, IL_EARG, "link 3: row 100 of side B, which has 100");
    w.link[3].b = 4;
    refused(&w, &good, IL_EARG, "row 4 of side B stands in two links");
    w.link[3].b = 3;
    w.link[7].posterior = 1.5;
    refused(&w, &good, IL_EARG, "link 7: posterior 1.5");
    w.link[7].posterior = 1;
    bad.kind = IL_MAP_LOCAL;
    refused(&w, &bad, IL_EBOOTSTRAP, "too few for the clusters");
    bad.kind = (enum il_map_kind)4;
    refused(&w, &bad, IL_EARG, "kind of map");
    bad = good;
    bad.folds = 1;
    refused(&w, &bad, IL_EARG, "1 folds");
    bad = good;
    bad.columns = 0;
    refused(&w, &bad, IL_EARG, "0 axes");
    bad = good;
    bad.threads = 257;
    refused(&w, &bad, IL_EARG, "257 threads");
    bad = good;
    bad.struct_bytes--;
    refused(&w, &bad, IL_EARG, "il_map_config_init");
    bad = good;
    bad.cancel = &cancel;
    refused(&w, &bad, IL_ECANCEL, "cancel");
    world_close(&w);
}

struct starving {
    struct world w;
    struct il_mapping *m;
};

static enum il_status starved_fit(void *context)
{
    const struct starving *s = context;
    struct il_map_config config = config_of(IL_MAP_ORTHOGONAL);
    struct il_matrix a = matrix(&s->w, 0), b = matrix(&s->w, 1);
    struct il_mapping *m = NULL;
    struct il_error error;
    config.threads = 1;
    config.folds = 2;
    enum il_status status =
        il_mapping_fit(&m, &a, &b, s->w.link, s->w.links, &config, &error);
    il_mapping_close(&m);
    return status;
}

static enum il_status starved_rows(void *context)
{
    const struct starving *s = context;
    struct il_mapper *mapper = NULL;
    struct il_error error;
    float out[4 * D], sure[4];
    enum il_status status = il_mapper_open(&mapper, s->m, 0, 1, &error);
    if (status == IL_OK)
        status = il_mapper_rows(mapper, s->w.x[0], 4, out, sure, NULL);
    il_mapper_close(&mapper);
    return status;
}

static void no_memory_is_said(void **state)
{
    (void)state;
    struct starving s = {.m = NULL};
    world_open(&s.w, 30, D, D, 24);
    turn_rows(&s.w, 0.05, 1);
    assert_true(unit_starve(starved_fit, &s) > 50);
    struct il_map_config config = config_of(IL_MAP_RIDGE);
    s.m = fitted(&s.w, &config);
    assert_true(unit_starve(starved_rows, &s) > 10);
    il_mapping_close(&s.m);
    world_close(&s.w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_rotation_is_recovered),
        cmocka_unit_test(the_simplest_kind_that_serves_is_chosen),
        cmocka_unit_test(local_maps_follow_clusters),
        cmocka_unit_test(held_out_figures_are_those_of_new_rows),
        cmocka_unit_test(confidence_falls_away_from_the_fitted_rows),
        cmocka_unit_test(posteriors_weigh),
        cmocka_unit_test(equal_bytes_everywhere),
        cmocka_unit_test(a_saved_map_maps_alike),
        cmocka_unit_test(unusable_rows),
        cmocka_unit_test(sides_may_differ),
        cmocka_unit_test(what_cannot_be_fitted_is_refused),
        cmocka_unit_test(no_memory_is_said),
    };
    return cmocka_run_group_tests(tests, unit_setup, unit_teardown);
}
