/* SPDX-License-Identifier: Apache-2.0 */
#include <isolink/doctor.h>

#include <math.h>

#include "tests/unit/unit.h"

/* A small pair of stores: row i of A and row i of B show one document while i < SHARED.
 */
#define ROWS_A 400
#define ROWS_B 440
#define SHARED 260
#define DIM_A 24
#define DIM_B 32
#define LATENT 12
#define CLUSTERS 20
#define SEEDS 20

static float pair_a[ROWS_A * DIM_A], pair_b[ROWS_B * DIM_B];
static struct il_pair pair_seeds[SEEDS];
static struct il_matrix side_a, side_b;

/* The sum of 12 uniform numbers, less 6: near enough to normal, and without libm. */
static double random_normal(struct il_rng *rng)
{
    double sum = -6;
    for (int i = 0; i < 12; i++)
        sum += (double)(il_rng_next(rng) >> 11) * 0x1p-53;
    return sum;
}

/* x = W z + noise for a document z near the centre of its cluster; noise alone when z is
 * 0. */
static void embed(float *out, size_t rows, size_t dim, uint64_t side, uint64_t own_from)
{
    struct il_rng map_rng = il_rng_make(7, side, 0, IL_FOR_VIEW);
    double map[DIM_B * LATENT], z[LATENT];
    for (size_t i = 0; i < dim * LATENT; i++)
        map[i] = random_normal(&map_rng);
    for (size_t i = 0; i < rows; i++) {
        struct il_rng rng = il_rng_make(8, i, i < own_from ? 0 : side, IL_FOR_VIEW);
        struct il_rng centre =
            il_rng_make(9, il_rng_below(&rng, CLUSTERS), 0, IL_FOR_VIEW);
        struct il_rng noise = il_rng_make(10, i, side, IL_FOR_VIEW);
        for (size_t k = 0; k < LATENT; k++)
            z[k] = random_normal(&centre) + 0.7 * random_normal(&rng);
        for (size_t j = 0; j < dim; j++) {
            double x = 0.1 * random_normal(&noise);
            for (size_t k = 0; k < LATENT; k++)
                x += map[j * LATENT + k] * z[k];
            out[i * dim + j] = (float)x;
        }
    }
}

static int make_pair(void **state)
{
    (void)state;
    embed(pair_a, ROWS_A, DIM_A, 1, SHARED);
    embed(pair_b, ROWS_B, DIM_B, 2, SHARED);
    for (size_t i = 0; i < SEEDS; i++)
        pair_seeds[i] = (struct il_pair){7 * i, 7 * i};
    side_a = (struct il_matrix){IL_F32, ROWS_A, DIM_A, DIM_A * sizeof(float), pair_a};
    side_b = (struct il_matrix){IL_F32, ROWS_B, DIM_B, DIM_B * sizeof(float), pair_b};
    return 0;
}

static struct il_link_config config_of(unsigned threads)
{
    struct il_link_config config;
    il_link_config_init(&config);
    config.threads = threads;
    return config;
}

static struct il_doctor examine(const struct il_matrix *a, const struct il_matrix *b,
                                const struct il_pair *seeds, size_t count)
{
    struct il_link_config config = config_of(1);
    struct il_error error = {{0}};
    struct il_doctor out;
    memset(&out, 0xff, sizeof(out));
    if (il_doctor_run(&out, a, b, seeds, count, &config, &error) != IL_OK)
        fail_msg("%s", error.text);
    assert_true(strlen(out.why) > 0 && strlen(out.why) < sizeof(out.why));
    return out;
}

static void says(const struct il_doctor *d, const char *part)
{
    if (!strstr(d->why, part))
        fail_msg("why '%s' lacks '%s'", d->why, part);
}

/* The link run refuses exactly where the doctor says no-go, on the same evidence. */
static void link_agrees(const struct il_matrix *a, const struct il_matrix *b,
                        const struct il_pair *seeds, size_t count,
                        const struct il_doctor *d)
{
    struct il_link_config config = config_of(2);
    struct il_linking *linking = NULL;
    enum il_status status = il_link_run(&linking, a, b, seeds, count, &config, NULL);
    assert_int_equal(status, d->verdict == IL_NO_GO ? IL_EBOOTSTRAP : IL_OK);
    const struct il_link_report *report = il_link_report(linking);
    assert_int_equal(report->seeds_usable, d->seeds_usable);
    assert_int_equal(report->seeds_tested, d->seeds_tested);
    assert_int_equal(report->seeds_found, d->seeds_found);
    assert_true(report->agreement == d->start_agreement);
    il_link_close(&linking);
}

static struct il_matrix matrix_f32(const float *data, size_t rows, size_t dim)
{
    return (struct il_matrix){IL_F32, rows, dim, dim * sizeof(float), data};
}

static void verdict_names(void **state)
{
    (void)state;
    assert_string_equal(il_verdict_text(IL_GO), "go");
    assert_string_equal(il_verdict_text(IL_DOUBTFUL), "doubtful");
    assert_string_equal(il_verdict_text(IL_NO_GO), "no-go");
    assert_string_equal(il_verdict_text((enum il_verdict)9), "?");
}

static void bad_and_repeated_rows(void **state)
{
    (void)state;
    const float rows[] = {3, 4, NAN, 1, 0, 0, 3,  4,         6, 8,
                          3, 4, 1,   0, 0, 0, -1, -INFINITY, 4, 3};
    struct il_matrix m = matrix_f32(rows, 10, 2);
    struct il_doctor d = examine(&m, &side_b, NULL, 0);
    assert_int_equal(d.side[0].rows, 10);
    assert_int_equal(d.side[0].dim, 2);
    assert_int_equal(d.side[0].type, IL_F32);
    assert_int_equal(d.side[0].not_finite, 2);
    assert_int_equal(d.side[0].zero, 2);
    assert_int_equal(d.side[0].duplicates, 3); /* (3, 4) twice, (0, 0) once */
    assert_true(d.side[0].norm_min == 1);
    assert_true(d.side[0].norm_median == 5); /* of 1 5 5 5 5 10 */
    assert_true(d.side[0].norm_max == 10);
    assert_int_equal(d.side[0].sampled, 6);
    assert_int_equal(d.verdict, IL_DOUBTFUL);
    says(&d, "side A: 4 of 10 rows (40.0%) are zero or not finite");
    says(&d, "side A: 3 of 10 rows (30.0%) repeat an earlier row");
    says(&d, "side A: 6 usable rows are too few");
    assert_int_equal(d.side[1].not_finite + d.side[1].zero + d.side[1].duplicates, 0);
}

/* Rows are compared as they are stored: other types, and what lies between rows is no
 * part. */
static void repeated_rows_of_other_types(void **state)
{
    (void)state;
    const int8_t bytes[] = {1, 2, 9, 1, 2, 8, 1, 3, 9, -1, -2, 9, 1, 2, 7};
    struct il_matrix m = {IL_I8, 5, 2, 3, bytes};
    struct il_doctor d = examine(&m, &m, NULL, 0);
    assert_int_equal(d.side[0].type, IL_I8);
    assert_int_equal(d.side[0].duplicates, 2);
    /* 1 and 1 + 2^-40 are one number in f32, but not the same rows. */
    const double doubles[] = {1, 1 + 0x1p-40, 1, 1e300};
    struct il_matrix m64 = {IL_F64, 4, 1, 8, doubles};
    d = examine(&m64, &m, NULL, 0);
    assert_int_equal(d.side[0].duplicates, 1);
    assert_int_equal(d.side[0].not_finite, 1); /* too long for f32: a run skips it */
}

/* Lengths at the ends of f32 neither overflow nor vanish. */
static void extreme_lengths(void **state)
{
    (void)state;
    const float rows[] = {3e38f, 3e38f, 1e-45f, 0, 1, 0};
    struct il_matrix m = matrix_f32(rows, 3, 2);
    struct il_doctor d = examine(&m, &m, NULL, 0);
    assert_int_equal(d.side[0].not_finite + d.side[0].zero, 0);
    assert_true(d.side[0].norm_min > 0 && d.side[0].norm_min < 2e-45);
    assert_true(d.side[0].norm_max > 4e38 && isfinite(d.side[0].norm_max));
}

#define CLOUD 4500
#define CLOUD_DIM 8
static float cloud[CLOUD * CLOUD_DIM];

static void fill_cloud(double shift, size_t wide)
{
    struct il_rng rng = il_rng_make(3, 0, 0, IL_FOR_VIEW);
    for (size_t i = 0; i < CLOUD * CLOUD_DIM; i++) {
        double scale = i % CLOUD_DIM < wide ? 1 : 0.01;
        cloud[i] = (float)(shift + scale * random_normal(&rng));
    }
}

static void shape_of_the_cloud(void **state)
{
    (void)state;
    struct il_matrix m = matrix_f32(cloud, CLOUD, CLOUD_DIM);
    fill_cloud(0, CLOUD_DIM);
    struct il_doctor d = examine(&m, &side_b, NULL, 0);
    assert_true(d.side[0].mean_share < 0.05);
    assert_true(d.side[0].effective_dim > 7.9 && d.side[0].effective_dim <= 8);
    assert_int_equal(d.side[0].sampled, 4000);
    assert_true(fabs(d.side[0].hubness) < 1.5);
    assert_true(d.side[0].hub_max > 1 && d.side[0].hub_max < 10);
    assert_int_equal(d.verdict, IL_GO);
    /* Far from the origin: a cone, which centring opens. */
    fill_cloud(20, CLOUD_DIM);
    d = examine(&m, &side_b, NULL, 0);
    assert_true(d.side[0].mean_share > 0.99);
    /* Almost a line. */
    fill_cloud(0, 1);
    d = examine(&m, &side_b, NULL, 0);
    assert_true(d.side[0].effective_dim < 1.2);
    assert_int_equal(d.verdict, IL_DOUBTFUL);
    says(&d, "side A: the rows spread over 1.1 effective dimensions only");
}

/* Wider than one stripe of the covariance, against the definition. */
static void effective_dimension_is_exact(void **state)
{
    (void)state;
    enum { N = 40, D = 150 };
    static float rows[N * D];
    static double unit[N * D], cov[D][D];
    struct il_rng rng = il_rng_make(4, 0, 0, IL_FOR_VIEW);
    double mean[D] = {0}, trace = 0, square = 0;
    for (size_t i = 0; i < N * D; i++)
        rows[i] = (float)((double)(i % D) * random_normal(&rng));
    for (int pass = 0; pass < 2; pass++) {
        for (size_t i = 0; i < N; i++) {
            double sum = 0;
            for (size_t k = 0; k < D; k++) {
                double x = pass ? unit[i * D + k] - mean[k] : rows[i * D + k];
                unit[i * D + k] = x;
                sum += x * x;
            }
            for (size_t k = 0; k < D; k++)
                unit[i * D + k] /= sqrt(sum);
        }
        for (size_t i = 0; i < N * D && !pass; i++)
            mean[i % D] += unit[i] / N;
    }
    for (size_t i = 0; i < D; i++) {
        for (size_t j = 0; j < D; j++) {
            for (size_t r = 0; r < N; r++)
                cov[i][j] += unit[r * D + i] * unit[r * D + j];
            square += cov[i][j] * cov[i][j];
        }
        trace += cov[i][i];
    }
    struct il_matrix m = matrix_f32(rows, N, D);
    struct il_doctor d = examine(&m, &side_b, NULL, 0);
    assert_true(fabs(d.side[0].effective_dim / (trace * trace / square) - 1) < 1e-4);
}

/* Rows that point every way, and one in the middle of each group that all are nearest to.
 */
static void hubs(void **state)
{
    (void)state;
    enum { N = 900, D = 700, GROUP = 30 };
    float *rows = calloc(N * D, sizeof(*rows));
    assert_non_null(rows);
    /* Row g is the sum of its group's directions, so closer to each than they are. */
    for (size_t i = 0; i < N; i++) {
        if (i < GROUP) {
            for (size_t j = GROUP + i; j < D; j += GROUP)
                rows[i * D + j] = 1;
        } else {
            rows[i * D + i % D] = 1;
            rows[i * D + (i * 7 + 3) % D] = 0.3f;
        }
    }
    struct il_matrix m = matrix_f32(rows, N, D);
    struct il_doctor d = examine(&m, &side_b, NULL, 0);
    assert_true(d.side[0].hubness > 2);
    assert_true(d.side[0].hub_max > 2);
    free(rows);
}

static void good_pair(void **state)
{
    (void)state;
    struct il_doctor d = examine(&side_a, &side_b, pair_seeds, SEEDS);
    assert_int_equal(d.verdict, IL_GO);
    assert_int_equal(d.seeds_given, 1);
    assert_int_equal(d.seeds_usable, SEEDS);
    assert_true(d.seed_agreement > 0.6 && d.seed_agreement <= 1);
    assert_true(d.seed_agreement_chance < 0.01);
    assert_int_equal(d.seeds_tested, SEEDS);
    assert_true(d.seeds_found > SEEDS / 2);
    assert_true(d.start_agreement > 0.5);
    says(&d, "of 20 seeds held back");
    says(&d, "nothing is wrong with the rows");
    link_agrees(&side_a, &side_b, pair_seeds, SEEDS, &d);
}

/* A side against itself: every similarity is the same on both sides. */
static void a_side_and_itself(void **state)
{
    (void)state;
    struct il_doctor d = examine(&side_a, &side_a, pair_seeds, SEEDS);
    assert_int_equal(d.verdict, IL_GO);
    assert_true(fabs(d.seed_agreement - 1) < 1e-12);
    assert_memory_equal(&d.side[0].norm_min, &d.side[1].norm_min, 6 * sizeof(double));
}

static void shuffled_seeds(void **state)
{
    (void)state;
    struct il_pair seeds[SEEDS];
    for (size_t i = 0; i < SEEDS; i++)
        seeds[i] = (struct il_pair){pair_seeds[i].a, pair_seeds[(i + 7) % SEEDS].b};
    struct il_doctor d = examine(&side_a, &side_b, seeds, SEEDS);
    assert_int_equal(d.verdict, IL_NO_GO);
    assert_true(d.seed_agreement < 0.3);
    assert_true(d.seed_agreement_chance > 0.01);
    says(&d, "starts from different parts of the seeds");
    link_agrees(&side_a, &side_b, seeds, SEEDS, &d);
}

static void noise(void **state)
{
    (void)state;
    static float rows[ROWS_B * DIM_B];
    struct il_rng rng = il_rng_make(5, 0, 0, IL_FOR_VIEW);
    for (size_t i = 0; i < ROWS_B * DIM_B; i++)
        rows[i] = (float)random_normal(&rng);
    struct il_matrix b = matrix_f32(rows, ROWS_B, DIM_B);
    struct il_doctor d = examine(&side_a, &b, pair_seeds, SEEDS);
    assert_int_equal(d.verdict, IL_NO_GO);
    says(&d, "no better than chance");
    link_agrees(&side_a, &b, pair_seeds, SEEDS, &d);
}

static void no_seeds(void **state)
{
    (void)state;
    struct il_doctor d = examine(&side_a, &side_b, NULL, 0);
    assert_int_equal(d.verdict, IL_GO);
    assert_int_equal(d.seeds_given, 0);
    assert_int_equal(d.seeds_usable + d.seeds_tested + d.seeds_found, 0);
    assert_true(d.seed_agreement == 0 && d.seed_agreement_chance == 0);
    assert_true(d.start_agreement == 0);
    says(&d, "without seeds nothing is known");
    /* What is said of the sides does not depend on the seeds. */
    struct il_doctor with = examine(&side_a, &side_b, pair_seeds, SEEDS);
    assert_memory_equal(d.side, with.side, sizeof(d.side));
}

/* Too few to start from: the starts without seeds decide, as in a link run. */
static void too_few_seeds(void **state)
{
    (void)state;
    struct il_doctor d = examine(&side_a, &side_b, pair_seeds, 2);
    assert_int_equal(d.verdict, IL_GO);
    assert_int_equal(d.seeds_given, 1);
    assert_int_equal(d.seeds_usable, 2);
    assert_true(d.seed_agreement == 0 && d.seed_agreement_chance == 1);
    assert_true(d.seeds_tested == 2 && d.seeds_found == 2 && d.start_agreement > 0.5);
    says(&d, "of 2 usable seeds (of 2) no start can be made; ");
    says(&d, " starts without seeds agree on ");
    link_agrees(&side_a, &side_b, pair_seeds, 2, &d);
    /* A list of seeds that is empty is not the same as none. */
    d = examine(&side_a, &side_b, pair_seeds, 0);
    assert_int_equal(d.verdict, IL_GO);
    assert_int_equal(d.seeds_given, 1);
    /* Three seeds, one of them on a row of NaN. */
    float kept = pair_a[0];
    pair_a[0] = NAN;
    d = examine(&side_a, &side_b, pair_seeds, 3);
    pair_a[0] = kept;
    assert_int_equal(d.seeds_usable, 2);
    says(&d, "of 2 usable seeds (of 3)");
    /* Wrong ones are found by no start. */
    const struct il_pair wrong[2] = {{pair_seeds[0].a, pair_seeds[1].b},
                                     {pair_seeds[1].a, pair_seeds[0].b}};
    d = examine(&side_a, &side_b, wrong, 2);
    assert_int_equal(d.verdict, IL_NO_GO);
    says(&d, "find 0 of 2 seeds");
    link_agrees(&side_a, &side_b, wrong, 2, &d);
}

/* A good pair whose side A is in trouble: the seeds still say go, the rows do not. */
static void trouble_makes_doubtful(void **state)
{
    (void)state;
    static float rows[ROWS_A * DIM_A];
    struct il_matrix a = matrix_f32(rows, ROWS_A, DIM_A);
    memcpy(rows, pair_a, sizeof(rows));
    memset(rows + 370 * DIM_A, 0, 20 * DIM_A * sizeof(float));
    struct il_doctor d = examine(&a, &side_b, pair_seeds, SEEDS);
    assert_int_equal(d.verdict, IL_GO); /* 5 % is still fine */
    memset(rows + 370 * DIM_A, 0, 30 * DIM_A * sizeof(float));
    d = examine(&a, &side_b, pair_seeds, SEEDS);
    assert_int_equal(d.verdict, IL_DOUBTFUL);
    says(&d, "side A: 30 of 400 rows (7.5%) are zero or not finite");
    memcpy(rows, pair_a, sizeof(rows));
    for (size_t i = 260; i < 350; i++)
        memcpy(rows + i * DIM_A, pair_a + 250 * DIM_A, DIM_A * sizeof(float));
    d = examine(&a, &side_b, pair_seeds, SEEDS);
    assert_int_equal(d.verdict, IL_DOUBTFUL);
    says(&d, "side A: 90 of 400 rows (22.5%) repeat an earlier row");
    link_agrees(&a, &side_b, pair_seeds, SEEDS, &d);
}

/* Sound, yet weak: most of side B is blurred. */
static void weak_is_not_go(void **state)
{
    (void)state;
    static float rows[ROWS_B * DIM_B];
    struct il_matrix b = matrix_f32(rows, ROWS_B, DIM_B);
    /* Agreement 0.91, 0.68, then 0.26 down to 0.17, and 0.06 when this was written. */
    const double levels[] = {0, 2.5, 4.5, 5, 5.5, 12};
    int seen[3] = {0};
    for (size_t l = 0; l < sizeof(levels) / sizeof(levels[0]); l++) {
        struct il_rng rng = il_rng_make(6, 0, 0, IL_FOR_VIEW);
        for (size_t i = 0; i < ROWS_B * DIM_B; i++)
            rows[i] = pair_b[i] + (float)(levels[l] * random_normal(&rng));
        struct il_doctor d = examine(&side_a, &b, pair_seeds, SEEDS);
        int weak = d.start_agreement < 0.35 || 2 * d.seeds_found < d.seeds_tested;
        seen[d.verdict]++;
        if (d.verdict != IL_NO_GO)
            assert_int_equal(d.verdict, weak ? IL_DOUBTFUL : IL_GO);
        if (d.verdict == IL_DOUBTFUL && d.start_agreement < 0.35)
            says(&d, "of their pairs, which is little");
        if (d.verdict == IL_DOUBTFUL && 2 * d.seeds_found < d.seeds_tested)
            says(&d, "fewer than half");
    }
    assert_true(seen[IL_GO] > 0 && seen[IL_DOUBTFUL] > 0 && seen[IL_NO_GO] > 0);
}

static void sides_that_carry_nothing(void **state)
{
    (void)state;
    const float zeros[12] = {0};
    struct il_matrix none = matrix_f32(NULL, 0, 3), zero = matrix_f32(zeros, 4, 3);
    struct il_doctor d = examine(&none, &zero, NULL, 0);
    assert_int_equal(d.verdict, IL_NO_GO);
    assert_int_equal(d.side[0].rows + d.side[0].sampled + d.side[1].sampled, 0);
    assert_int_equal(d.side[1].zero, 4);
    assert_int_equal(d.side[1].duplicates, 3);
    assert_true(d.side[1].mean_share == 0 && d.side[1].effective_dim == 0);
    says(&d, "side A: 0 usable rows");
    says(&d, "side B: 0 usable rows");
    const struct il_pair seeds[] = {{0, 0}, {1, 1}, {2, 2}};
    d = examine(&zero, &zero, seeds, 3);
    assert_int_equal(d.verdict, IL_NO_GO);
    assert_int_equal(d.seeds_usable, 0);
    /* All rows alike: nothing to tell them by, and nothing to divide by. */
    static float same[200 * 3];
    for (size_t i = 0; i < 600; i++)
        same[i] = 1;
    struct il_matrix m = matrix_f32(same, 200, 3);
    d = examine(&m, &m, seeds, 3);
    assert_int_equal(d.side[0].duplicates, 199);
    assert_true(isfinite(d.side[0].effective_dim) && isfinite(d.side[0].hubness));
    assert_true(isfinite(d.seed_agreement));
    assert_int_not_equal(d.verdict, IL_GO);
}

static void more_seeds_than_are_compared(void **state)
{
    (void)state;
    struct il_pair seeds[SHARED];
    for (size_t i = 0; i < SHARED; i++)
        seeds[i] = (struct il_pair){SHARED - 1 - i, SHARED - 1 - i};
    struct il_doctor d = examine(&side_a, &side_b, seeds, SHARED);
    assert_int_equal(d.seeds_usable, SHARED);
    assert_true(d.seed_agreement > 0.6 && d.seed_agreement_chance == 0);
    assert_int_equal(d.verdict, IL_GO);
}

static void equal_for_every_thread_count(void **state)
{
    (void)state;
    struct il_doctor one, other;
    struct il_link_config config = config_of(1);
    assert_int_equal(
        il_doctor_run(&one, &side_a, &side_b, pair_seeds, SEEDS, &config, NULL), IL_OK);
    for (unsigned threads = 2; threads <= 3; threads++) {
        config.threads = threads;
        assert_int_equal(
            il_doctor_run(&other, &side_a, &side_b, pair_seeds, SEEDS, &config, NULL),
            IL_OK);
        assert_memory_equal(&one, &other, sizeof(one));
    }
    /* A sample of the rows, more than one stripe of hashes. */
    fill_cloud(1, CLOUD_DIM);
    struct il_matrix m = matrix_f32(cloud, CLOUD, CLOUD_DIM);
    config.threads = 1;
    assert_int_equal(il_doctor_run(&one, &m, &m, NULL, 0, &config, NULL), IL_OK);
    config.threads = 2;
    assert_int_equal(il_doctor_run(&other, &m, &m, NULL, 0, &config, NULL), IL_OK);
    assert_memory_equal(&one, &other, sizeof(one));
}

static void refuses(const struct il_matrix *a, const struct il_pair *seeds, size_t count,
                    const struct il_link_config *config, const char *part)
{
    struct il_error error = {{0}};
    struct il_doctor out;
    assert_int_equal(il_doctor_run(&out, a, &side_b, seeds, count, config, &error),
                     IL_EARG);
    unit_says(&error, part);
}

static void bad_arguments(void **state)
{
    (void)state;
    struct il_link_config config = config_of(300);
    const struct il_pair twice[] = {{1, 1}, {2, 2}, {1, 3}}, beyond[] = {{ROWS_A, 0}};
    struct il_matrix flat = side_a;
    flat.dim = 0;
    refuses(NULL, NULL, 0, NULL, "side A");
    refuses(&flat, NULL, 0, NULL, "dimension 0");
    refuses(&side_a, twice, 3, NULL, "row 1 of side A stands in two seeds");
    refuses(&side_a, beyond, 1, NULL, "row 400 of side A");
    refuses(&side_a, NULL, 3, NULL, "3 announced");
    refuses(&side_a, NULL, 0, &config, "300 threads");
    struct il_doctor out;
    assert_int_equal(il_doctor_run(&out, &side_a, &side_b, NULL, 0, NULL, NULL), IL_OK);
}

struct watch {
    il_atomic_int cancel;
    int steps, cancel_at;
    double last;
};

static void watch_step(void *context, const char *stage, double done, double total)
{
    struct watch *w = context;
    assert_non_null(stage);
    assert_true(done > w->last && done <= total);
    w->last = done;
    if (++w->steps == w->cancel_at)
        atomic_store(&w->cancel, 1);
}

static void progress_and_cancel(void **state)
{
    (void)state;
    for (int at = 0; at < 3; at++) {
        struct watch w = {.cancel_at = at};
        struct il_link_config config = config_of(2);
        struct il_error error = {{0}};
        struct il_doctor out;
        config.progress = watch_step;
        config.progress_context = &w;
        config.cancel = &w.cancel;
        enum il_status status =
            il_doctor_run(&out, &side_a, &side_b, pair_seeds, SEEDS, &config, &error);
        assert_int_equal(status, at ? IL_ECANCEL : IL_OK);
        assert_true(at ? w.steps < 3 && out.why[0] == 0 : w.steps == 3);
        if (at)
            unit_says(&error, "doctor: ");
    }
}

/* Every allocation fails once: a status, no crash, no leak (a sanitizer tells). */
static void memory_runs_out(void **state)
{
    (void)state;
    struct il_link_config config = config_of(1);
    struct il_doctor out;
    il_alloc_fail_at(0);
    assert_int_equal(
        il_doctor_run(&out, &side_a, &side_b, pair_seeds, SEEDS, &config, NULL), IL_OK);
    long calls = il_alloc_calls();
    assert_true(calls > 100);
    /* All of the doctor's own; of the trial starts, which come last, a few. */
    for (long k = 1; k <= calls; k += k < 120 ? 1 : 1 + calls / 20) {
        struct il_error error = {{0}};
        il_alloc_fail_at(k);
        enum il_status status =
            il_doctor_run(&out, &side_a, &side_b, pair_seeds, SEEDS, &config, &error);
        il_alloc_fail_at(0);
        assert_int_equal(status, IL_ENOMEM);
        assert_true(error.text[0] != 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(verdict_names),
        cmocka_unit_test(bad_and_repeated_rows),
        cmocka_unit_test(repeated_rows_of_other_types),
        cmocka_unit_test(extreme_lengths),
        cmocka_unit_test(shape_of_the_cloud),
        cmocka_unit_test(effective_dimension_is_exact),
        cmocka_unit_test(hubs),
        cmocka_unit_test(good_pair),
        cmocka_unit_test(a_side_and_itself),
        cmocka_unit_test(shuffled_seeds),
        cmocka_unit_test(noise),
        cmocka_unit_test(no_seeds),
        cmocka_unit_test(too_few_seeds),
        cmocka_unit_test(trouble_makes_doubtful),
        cmocka_unit_test(weak_is_not_go),
        cmocka_unit_test(sides_that_carry_nothing),
        cmocka_unit_test(more_seeds_than_are_compared),
        cmocka_unit_test(equal_for_every_thread_count),
        cmocka_unit_test(bad_arguments),
        cmocka_unit_test(progress_and_cancel),
        cmocka_unit_test(memory_runs_out),
    };
    return cmocka_run_group_tests(tests, make_pair, NULL);
}
